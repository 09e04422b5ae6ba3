"""A real ``mail`` command that hands over to the SMTP server that it is told of."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAIL = "bsd-mailx"
"""Debian's ``mail``, by the name that no other package has."""


class NoMail(Exception):
    """There is no ``mail`` command here whose relay can be chosen."""


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
