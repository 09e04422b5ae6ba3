"""Mails through a command of the system: ``mail``, as the original script sent them, or ``sendmail``."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dataverse_backup.errors import NotificationError, printable
from dataverse_backup.notify.base import Channel
from dataverse_backup.notify.mime import mime_message
from dataverse_backup.notify.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.notify.base import Message

TIMEOUT = 60.0
"""Seconds until a command that does not end is given up."""
SENDMAIL_FOLDERS = "/usr/sbin:/usr/lib"
"""Where sendmail is by the habit of every system, and where the PATH of a cron job does not lead."""
LONGEST_SUBJECT = 200


class MailCommand(Channel):
    """The ``mail`` command: it takes a text and nothing else."""

    name = "mail"
    takes_attachments = False

    def __init__(self, addresses: Sequence[str], command: str = "mail", *, timeout: float = TIMEOUT) -> None:
        self._addresses = addresses
        self._command = command
        self._timeout = timeout

    def check(self) -> str:
        """Whether there is such a command."""
        return _checked(self._command, self._addresses)

    def send(self, message: Message) -> None:
        """Hand it to the command."""
        for address in self._addresses:
            _refuse_option(address)
        arguments = [self._command, "-s", one_line(message.subject)[:LONGEST_SUBJECT], *self._addresses]
        _run(arguments, _harmless(message.text).encode(), self._timeout)


class Sendmail(Channel):
    """``sendmail -t``: it takes a whole mail, whose recipients stand in its head."""

    name = "mail"
    takes_attachments = True

    def __init__(
        self,
        addresses: Sequence[str],
        command: str = "sendmail",
        *,
        sender: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._addresses = addresses
        self._command = command
        self._sender = sender
        self._timeout = timeout

    def check(self) -> str:
        """Whether there is such a command."""
        return _checked(self._command, self._addresses)

    def send(self, message: Message) -> None:
        """Hand it to the command; a lone dot does not end it."""
        for address in self._addresses:
            _refuse_option(address)
        from_whom = ["-f", self._sender] if self._sender else []
        mail = mime_message(message, self._addresses, self._sender)
        _run([found(self._command) or self._command, "-t", "-i", *from_whom], mail.as_bytes(), self._timeout)


def is_sendmail(command: str) -> bool:
    """Whether *command* takes a whole mail."""
    return Path(command).name == "sendmail"


def found(command: str) -> str | None:
    """Where *command* is; None where it is not."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(command, path=f"{path}:{SENDMAIL_FOLDERS}" if is_sendmail(command) else path)


def _checked(command: str, addresses: Sequence[str]) -> str:
    if found(command) is None:
        raise _missing(command)
    return f"by {command} to {', '.join(addresses)}"


def _missing(command: str) -> NotificationError:
    hint = "install bsd-mailx or mailutils, or set [Notifications] SmtpServer, or remove Email"
    return NotificationError(f"no mail can be sent: there is no command {printable(command)}", hint)


def _run(arguments: list[str], given: bytes, timeout: float) -> None:
    with tempfile.TemporaryFile() as complaints:  # not a pipe: a daemon left behind would hold it open
        _run_once([argument.encode("utf-8", "surrogateescape") for argument in arguments], given, complaints, timeout)


def _run_once(arguments: list[bytes], given: bytes, complaints: IO[bytes], timeout: float) -> None:
    command = printable(arguments[0].decode("utf-8", "replace"))
    try:
        ended = subprocess.run(  # noqa: S603 - a list and no shell; the command is the administrator's
            arguments,
            input=given,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={**os.environ, "LC_ALL": "C.UTF-8"},  # else mail declares another character set, or none
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing(command) from error
    except subprocess.TimeoutExpired as error:
        raise NotificationError(f"no mail was sent: {command} did not end in {timeout:g} seconds") from error
    except (OSError, ValueError) as error:
        raise NotificationError(f"no mail was sent: {command} cannot be run: {error}") from error
    if ended.returncode:
        reason = _last_line(complaints)
        raise NotificationError(f"no mail was sent: {command} ended with {ended.returncode}{reason}")


def _refuse_option(address: str) -> None:
    if not address or address.startswith("-") or not address.isprintable():
        raise NotificationError(f"no mail was sent: {printable(address)!r} is not a mail address")


def _harmless(body: str) -> str:
    """*body* without control characters, and without lines that ``mail`` takes as commands.

    GNU mail obeys ``~!command`` at the start of a line even when nobody types, and a lone dot may end the mail.
    """
    lines = (printable(line.replace("\t", "    ")) for line in body.removesuffix("\n").split("\n"))
    return "".join(f" {line}\n" if line.startswith("~") or line == "." else f"{line}\n" for line in lines)


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read(100_000).decode("utf-8", "replace").split("\n")
    told = [line.strip() for line in lines if line.strip()]
    return f": {printable(told[-1])}" if told else ""
