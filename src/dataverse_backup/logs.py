"""The log: one event a line on standard error, for people, for journald, or as JSON for programs.

An event is a short text and facts (``extra=facts(...)``). No secret is ever given to a logger.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dataverse_backup.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = "dataverse_backup"
"""The logger above all of ours; libraries log elsewhere, and only their warnings are shown."""
TAIL_LINES = 100
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))
"""From which level on which priority of syslog holds, as sd-daemon(3) has them."""


class Format(StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """From which severity on events are shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """As the library counts."""
        return logging.getLevelNamesMapping()[self.upper()]


def facts(**values: object) -> dict[str, object]:
    """The ``extra`` of an event: what JSON shows as fields of its own, and text behind the message."""
    return {"facts": {name: value for name, value in values.items() if value is not None}}


def is_journal(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether standard error goes to systemd's journal, as systemd.exec(5) says it can be known."""
    try:
        device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
        found = os.fstat(sys.stderr.fileno())
        return (int(device), int(inode)) == (found.st_dev, found.st_ino)
    except (ValueError, OSError, AttributeError):
        return False


class TextFormatter(logging.Formatter):
    """For people: the severity in a word, the message, its facts.

    Further lines are indented, so that no message can pretend to be two events.
    """

    def __init__(self, *, has_time: bool = False, has_priority: bool = False) -> None:
        super().__init__()
        self._has_time = has_time
        self._has_priority = has_priority

    def format(self, record: logging.LogRecord) -> str:
        """The event, in as many lines as its message has, and one for its hint."""
        word = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        time = f"{_time(record)} " if self._has_time else ""
        priority = f"<{_priority(record.levelno)}>" if self._has_priority else ""
        first, *further = (printable(line) for line in said(record).split("\n"))
        return "\n".join([f"{priority}{time}{word}{first}", *(f"{priority}  {line}" for line in further)])


class JsonFormatter(logging.Formatter):
    """For programs: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """``time``, ``level``, ``logger`` and ``event``, and each fact under its own name."""
        level, event = record.levelname.lower(), message_of(record)
        ours = {"time": _time(record), "level": level, "event": event, "logger": record.name}
        return json.dumps({**ours, **facts_of(record), **ours}, default=str)  # ours come first, and no fact hides them


def said(record: logging.LogRecord) -> str:
    """The message with its facts behind it, and the hint in a line of its own."""
    known = facts_of(record)
    shown = "".join(f" {name}={_shown(value)}" for name, value in known.items() if name != "hint")
    return message_of(record) + shown + (f"\nhint: {known['hint']}" if "hint" in known else "")


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts of an event, by their names."""
    found: dict[str, Any] = getattr(record, "facts", {})
    return found


def message_of(record: logging.LogRecord) -> str:
    """The message, and what was raised in one line: where it was raised is for a debugger."""
    if not record.exc_info or record.exc_info[1] is None:
        return record.getMessage()
    error = record.exc_info[1]
    return f"{record.getMessage()}: {type(error).__name__}: {error}"


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=\n') else text


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _priority(level: int) -> int:
    return next(priority for least, priority in PRIORITIES if level >= least)


class Tail(logging.Handler):
    """Keeps the last lines, for a dead-man service."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self.setFormatter(TextFormatter(has_time=True))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._lines.append(self.format(record))

    def text(self) -> str:
        """The last lines, the newest last."""
        return "".join(f"{line}\n" for line in self._lines)


def configure(handler: logging.Handler, level: Level | None, *, usual: int) -> None:
    """Send events to *handler*, and nothing twice.

    From *level* on; without one from *usual* on, while what the command line itself says is shown from INFO on.
    """
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.getLogger(ROOT).setLevel(level.number if level else usual)
    logging.getLogger(f"{ROOT}.cli").setLevel(level.number if level else min(usual, logging.INFO))


def hush() -> None:
    """Show nothing when all is well."""
    logging.getLogger(ROOT).setLevel(logging.WARNING)
    logging.getLogger(f"{ROOT}.cli").setLevel(logging.WARNING)


def handle(record: logging.LogRecord) -> None:
    """Handle what a worker process has logged, as if it had been logged here."""
    logging.getLogger(record.name).handle(record)


def level_for_workers() -> int:
    """From which level on a worker need send its events."""
    return logging.getLogger(ROOT).getEffectiveLevel()


def send_to(send: Callable[[logging.LogRecord], None], level: int) -> None:
    """In a worker process: *send* every event to the run that started it, which handles it."""
    from logging.handlers import QueueHandler  # noqa: PLC0415 -- only workers need it

    class Sending(QueueHandler):
        """Makes events fit to be sent."""

        def enqueue(self, record: logging.LogRecord) -> None:
            with suppress(EOFError):  # nobody hears it any more
                send(record)

    logging.getLogger().addHandler(Sending(None))  # type: ignore[arg-type]  # there is no queue
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level)
