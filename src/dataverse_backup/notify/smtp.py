"""Mails by SMTP."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.errors import NotificationError, printable
from dataverse_backup.notify.base import Channel
from dataverse_backup.notify.mime import PROGRAM, mime_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.notify.base import Message

ACCEPTED = 235
"""The answer to a log-in that succeeded."""
TIMEOUT = 30.0
"""Seconds until a server that does not answer is given up, for each step."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed in, and as whom."""

    host: str
    port: int
    security: str
    """``none``, ``starttls`` or ``tls``."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class SmtpMail(Channel):
    """One mail to all addresses, through one server whose certificate is checked."""

    name = "mail"
    takes_attachments = True

    def __init__(
        self, addresses: Sequence[str], server: SmtpServer, sender: str | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        self._addresses = addresses
        self._server = server
        self._sender = sender
        self._timeout = timeout

    def check(self) -> str:
        """Connect and log in."""
        with _translated(self._server), self._connected() as connection:
            connection.noop()
        return f"by {self._server.host}:{self._server.port} to {', '.join(self._addresses)}"

    def send(self, message: Message) -> None:
        """Hand it to the server."""
        sender = self._sender or f"{PROGRAM}@{socket.getfqdn()}"
        mail = mime_message(message, self._addresses, sender)
        with _translated(self._server), self._connected() as connection:
            refused = connection.send_message(mail, sender, self._addresses)
        if refused:
            raise NotificationError(f"the mail was sent, but not to everybody: {_refusals(refused)}")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        if server.security == "tls":
            made: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            made = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        with made as connection:
            if server.security == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if server.username is not None and server.password is not None:
                _log_in(connection, server.username, server.password)
            yield connection


def _log_in(connection: smtplib.SMTP, username: str, password: str) -> None:
    """Log in; where the library cannot, because it knows ASCII only, as RFC 4616 has it."""
    if username.isascii() and password.isascii():
        connection.login(username, password)
        return
    connection.ehlo_or_helo_if_needed()
    token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    code, said = connection.docmd("AUTH", f"PLAIN {token}")
    if code != ACCEPTED:
        raise smtplib.SMTPAuthenticationError(code, said)


@contextmanager
def _translated(server: SmtpServer) -> Iterator[None]:
    """Every failure of the library and of the network, as ours.

    What a server says is repeated, but for its answer to a log-in, in which it might repeat what it was told.
    """
    where = f"{server.host}:{server.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        hint = "check [Notifications] SmtpUsername and SmtpPassword"
        raise NotificationError(f"no mail was sent: {where} refused the log-in ({error.smtp_code})", hint) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotificationError(f"no mail was sent: {where} refused {_refusals(error.recipients)}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise NotificationError(f"no mail was sent: {where}: {_one(str(error))}", _lacking(str(error))) from error
    except ssl.SSLCertVerificationError as error:
        hint = "SSL_CERT_FILE names further authorities; SmtpServer must be the name in the certificate"
        said = f"the certificate is not valid: {_one(error.verify_message)}"
        raise NotificationError(f"no mail was sent: {where}: {said}", hint) from error
    except ssl.SSLError as error:
        hint = (
            "[Notifications] SmtpSecurity: tls is for servers that speak TLS from the first byte, starttls for others"
        )
        raise NotificationError(f"no mail was sent: {where}: {_one(error.reason or str(error))}", hint) from error
    except TimeoutError as error:
        raise NotificationError(f"no mail was sent: {where}: did not answer in time") from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise NotificationError(f"no mail was sent: {where}: {_said(error)}") from error


def _lacking(said: str) -> str:
    """What to do about what the server does not offer."""
    hints = {
        "STARTTLS": "set [Notifications] SmtpSecurity to what the server offers: none, starttls or tls",
        "AUTH": "the server knows no log-in here: remove SmtpUsername, or use another SmtpPort or SmtpSecurity",
        "SMTPUTF8": "the server takes only addresses in ASCII",
    }
    return next((hint for word, hint in hints.items() if word in said), "")


def _said(error: Exception) -> str:
    if isinstance(error.__context__, TimeoutError):
        return "did not answer in time"  # the library calls it a connection that was closed
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    if isinstance(error, OSError) and error.strerror:
        return _one(error.strerror)
    return _one(str(error) or type(error).__name__)


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{printable(address)} ({code} {_text(said)})" for address, (code, said) in refused.items())


def _text(said: bytes | str) -> str:
    return _one(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)


def _one(said: str) -> str:
    return printable(" ".join(said.split()))[:500]
