"""A mail through the ``mail`` command of the system, as the original script sent it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING

from dataverse_backup.errors import NotificationError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 60.0
"""Seconds until a mail command that does not end is given up."""
LONGEST_SUBJECT = 200


def send(addresses: Sequence[str], subject: str, body: str, command: str = "mail", *, timeout: float = TIMEOUT) -> None:
    """Hand one mail to *command*; without an address nothing happens.

    Returns when the command took it, which is not yet its delivery. Raises NotificationError.
    """
    if not addresses:
        return
    for address in addresses:
        _refuse_option(address)
    arguments = [command, "-s", _one_line(subject), *addresses]
    with tempfile.TemporaryFile() as complaints:  # not a pipe: a daemon left behind would hold it open
        _run([argument.encode("utf-8", "surrogateescape") for argument in arguments], body, complaints, timeout)


def _run(arguments: list[bytes], body: str, complaints: IO[bytes], timeout: float) -> None:
    command = arguments[0].decode("utf-8", "replace")
    try:
        ended = subprocess.run(  # noqa: S603 - a list and no shell; the command is the administrator's
            arguments,
            input=_harmless(body).encode(),
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={**os.environ, "LC_ALL": "C.UTF-8"},  # else mail declares another character set, or none
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        hint = "install mailutils or bsd-mailx, or remove [Notifications] Email"
        raise NotificationError(f"no mail was sent: there is no command {printable(command)}", hint) from error
    except subprocess.TimeoutExpired as error:
        raise NotificationError(f"no mail was sent: {printable(command)} did not end in {timeout:g} seconds") from error
    except (OSError, ValueError) as error:
        raise NotificationError(f"no mail was sent: {printable(command)} cannot be run: {error}") from error
    if ended.returncode:
        reason = _last_line(complaints)
        raise NotificationError(f"no mail was sent: {printable(command)} ended with {ended.returncode}{reason}")


def _refuse_option(address: str) -> None:
    if not address or address.startswith("-") or not address.isprintable():
        raise NotificationError(f"no mail was sent: {printable(address)!r} is not a mail address")


def _one_line(subject: str) -> str:
    """One line, as a line end would begin another header."""
    return printable(" ".join(subject.split()))[:LONGEST_SUBJECT]


def _harmless(body: str) -> str:
    """*body* without control characters, and without lines that ``mail`` takes as commands.

    GNU mail obeys ``~!command`` at the start of a line even when nobody types, and a lone dot may end the mail.
    """
    lines = (printable(line.replace("\t", "    ")) for line in body.split("\n"))
    return "".join(f" {line}\n" if line.startswith("~") or line == "." else f"{line}\n" for line in lines)


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read(100_000).decode("utf-8", "replace").split("\n")
    told = [line.strip() for line in lines if line.strip()]
    return f": {printable(told[-1])}" if told else ""
