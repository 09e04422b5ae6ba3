"""A real mail server on loopback: with or without TLS and a log-in, and as unhelpful as a test wants it."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Self

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

NAME = "127.0.0.1"


@dataclass
class Certificate:
    """A certificate of a name, and the authority that vouches for it."""

    folder: Path
    name: str = NAME
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def authority_file(self) -> Path:
        """What SSL_CERT_FILE is to be."""
        path = self.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return path

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(self.name).configure_cert(context)
        return context


@dataclass
class SmtpServer:
    """Runs within the block."""

    security: str = "none"
    certificate: Certificate | None = None
    login: tuple[str, str] | None = None
    """User and password; without them anybody may send."""
    refused: tuple[str, ...] = ()
    """Recipients that it does not know."""
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def __enter__(self) -> Self:
        context = self.certificate.context() if self.certificate else None
        options: dict[str, Any] = {
            "tls_context": context if self.security == "starttls" else None,
            "authenticator": self._judge if self.login else None,
            "auth_required": bool(self.login),
            "auth_require_tls": not self.login,  # else it would offer a log-in that nobody can use
        }
        is_implicit = self.security == "tls"
        self._controller = Controller(
            self, hostname=NAME, port=self.port, ssl_context=context if is_implicit else None, **options
        )
        self._arrived = threading.Condition()
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def wait_for(self, count: int, timeout: float = 15) -> list[EmailMessage]:
        """The mails, as soon as there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, timeout), "no mail came"
        return self.received

    # What aiosmtpd calls.

    async def handle_RCPT(  # noqa: N802 -- its name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.refused:
            return "550 5.1.1 no such\tuser here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- its name
        del server, session
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        with self._arrived:
            self.received.append(mail)
            self.recipients.append([str(recipient) for recipient in envelope.rcpt_tos])
            self._arrived.notify_all()
        return "250 OK"

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        del server, session, envelope, mechanism
        is_right = isinstance(given, LoginPassword) and self.login == (given.login.decode(), given.password.decode())
        return AuthResult(success=is_right, handled=is_right)
