"""How things are said on a terminal: tables, errors, sizes. Names from a catalogue are hostile: never markup."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from dataverse_backup import logs
from dataverse_backup.errors import printable
from dataverse_backup.wording import size_of

if TYPE_CHECKING:
    from dataverse_backup.errors import DataverseBackupError

__all__ = ["err", "out", "plain", "say_error", "size_of", "start_log", "warn"]

log = logging.getLogger(__name__)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class TerminalHandler(logging.Handler):
    """Shows the log to somebody who watches: in colours, and above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """One event."""
        word = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        err.print(Text.assemble((word, _style(record)), plain(logs.said(record))))


def _style(record: logging.LogRecord) -> str:
    return "bold red" if record.levelno >= logging.ERROR else "bold yellow"


def start_log(log_format: logs.Format, level: logs.Level | None, *, has_time: bool) -> None:
    """Send the log to standard error in the form that suits who reads it.

    JSON is all that comes there then: progress and tables are left out. *has_time* is for files: a terminal needs no
    times, and systemd's journal has its own.
    """
    is_for_programs = log_format is logs.Format.JSON
    is_journal = logs.is_journal()
    handler: logging.Handler
    if is_for_programs:
        err.quiet = True
        handler = logging.StreamHandler()
        handler.setFormatter(logs.JsonFormatter())
    elif err.is_terminal:
        handler = TerminalHandler()
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logs.TextFormatter(has_time=has_time and not is_journal, has_priority=is_journal))
    logs.configure(handler, level, usual=logging.INFO if is_for_programs or is_journal else logging.WARNING)


def say_error(error: DataverseBackupError) -> None:
    """An error and its hint, in the log."""
    log.error("%s", error.message, extra=logs.facts(hint=error.hint or None))


def warn(message: str, hint: str = "") -> None:
    """A warning, in the log."""
    log.warning("%s", message, extra=logs.facts(hint=hint or None))


def plain(text: str) -> Text:
    """*text* as it stands, line breaks kept, with control characters made visible."""
    return Text("\n".join(printable(line) for line in text.split("\n")))
