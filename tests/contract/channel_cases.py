"""Every kind of channel with something real that listens at its other end."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.notify.base import Attachment, Channel, Message
from dataverse_backup.notify.chat import Chat
from dataverse_backup.notify.command import MailCommand, Sendmail, found
from dataverse_backup.notify.memory import MemoryChannel
from dataverse_backup.notify.smtp import SmtpMail
from dataverse_backup.notify.smtp import SmtpServer as Address
from tests.servers import unavailable
from tests.servers.smtpd import Certificate, SmtpServer
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage
    from pathlib import Path

    import pytest

ADDRESSES = ["ann@example.edu", "bob@example.edu"]
SENDER = "backup@example.edu"
LOGIN = ("ann", "S3cret pass ü")
MESSAGE = Message(
    subject="Dataverse backup FAILED: 1 failed",
    text="the text\n~!touch x\n.\nüöä\n",
    html="<p>the <b>page</b></p>",
    brief="the brief\n",
    is_well=False,
    attachments=(Attachment("failed.csv", "a,b\r\n1,ü\r\n".encode()),),
)


@dataclass
class Arrived:
    """One message at the other end of a channel."""

    subject: str
    text: str
    mail: EmailMessage | None = None
    """Where it came as one."""


@dataclass
class Case:
    """A channel, and what has arrived at its other end."""

    channel: Channel
    arrived: Callable[[int], list[Arrived]]
    """As soon as there are so many."""
    recipients: Callable[[], list[list[str]]]


@contextmanager
def memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    del folder, monkeypatch
    channel = MemoryChannel()
    yield Case(channel, lambda _: [Arrived(one.subject, one.text) for one in channel.told], list)


@contextmanager
def smtp(folder: Path, monkeypatch: pytest.MonkeyPatch, security: str, *, login: bool) -> Iterator[Case]:
    with ExitStack() as stack:
        certificate = Certificate(folder) if security != "none" else None
        if certificate is not None:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority_file))
        server = stack.enter_context(SmtpServer(security, certificate, LOGIN if login else None))
        address = Address("127.0.0.1", server.port, security, *(LOGIN if login else (None, None)))
        yield Case(
            SmtpMail(ADDRESSES, address, SENDER, timeout=5), lambda n: mails(server, n), lambda: server.recipients
        )


def mails(server: SmtpServer, count: int) -> list[Arrived]:
    return [
        Arrived(str(mail["Subject"]), plain(mail), mail)
        for mail in (server.wait_for(count) if count else server.received)
    ]


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@contextmanager
def sendmail(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The system's own, where that is one of msmtp, which takes its server from a file in the home directory."""
    with posted(folder, monkeypatch) as server:
        channel = Sendmail(ADDRESSES, sender=SENDER, timeout=20)
        yield Case(channel, lambda n: mails(server, n), lambda: server.recipients)


@contextmanager
def mail(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The system's own, which hands its mails to the system's sendmail."""
    if found("mail") is None:
        unavailable("mail (bsd-mailx)")
    with posted(folder, monkeypatch) as server:
        yield Case(MailCommand(ADDRESSES, timeout=20), lambda n: mails(server, n), lambda: server.recipients)


@contextmanager
def posted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    command = found("sendmail")
    if command is None or "msmtp" not in str((folder / command).resolve()):
        unavailable("a sendmail of msmtp (msmtp-mta)")
    with SmtpServer() as server:
        settings = folder / ".msmtprc"
        settings.write_text(f"account default\nhost 127.0.0.1\nport {server.port}\nfrom {SENDER}\ntls off\nauth off\n")
        settings.chmod(0o600)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        yield server


@contextmanager
def chat(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    del folder, monkeypatch
    with WebServer() as server:

        def arrived(_: int) -> list[Arrived]:
            told = [json.loads(body) for _, body in server.calls]
            return [Arrived(one["title"], one["message"]) for one in told]

        yield Case(Chat([f"json://{server.address}/token-1"]), arrived, list)
