"""A real SMTP server that keeps what it gets, and a ``mail`` command that hands over to it."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Self

from aiosmtpd.controller import Controller

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

MAIL = "bsd-mailx"
"""Debian's ``mail``, by the name that no other package has."""


class NoMail(Exception):
    """There is no ``mail`` command here whose relay can be chosen."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One mail as it arrived."""

    recipients: list[str]
    message: EmailMessage

    @property
    def text(self) -> str:
        """Its body."""
        text: str = self.message.get_content()
        return text


class MailServer:
    """An SMTP server on 127.0.0.1."""

    def __init__(self) -> None:
        """Nothing listens yet."""
        self.delivered: list[Delivered] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Keep the mail."""
        del server, session
        message = message_from_bytes(envelope.original_content or b"", policy=default)
        self.delivered.append(Delivered([str(one) for one in envelope.rcpt_tos], message))
        return "250 kept"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def mail_environment(folder: Path, port: int) -> dict[str, str]:
    """What makes `MAIL` hand every mail to the SMTP server at *port*; its files go to *folder*. Raises NoMail."""
    relay = shutil.which("msmtp")
    if shutil.which(MAIL) is None or relay is None:
        raise NoMail("bsd-mailx and msmtp-mta: apt-get install both at once, or a mail server comes along")
    sender = folder / "sendmail"
    options = f"--host=127.0.0.1 --port={port} --from=backup@localhost --auth=off --tls=off --timeout=10"
    sender.write_text(f'#!/bin/sh\nexec {shlex.quote(relay)} --file=/dev/null {options} "$@"\n')
    sender.chmod(0o755)
    settings = folder / "mailrc"
    settings.write_text(f"set sendmail={sender}\n")
    return {"MAILRC": str(settings), "HOME": str(folder)}
