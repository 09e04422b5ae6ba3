"""Events that travel from a worker to the coordinator, as plain values: Dask's events are no pickles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from dataverse_backup import logs

Hear = Callable[[str, int, int], object]
"""Takes what `progress` is made of."""

_LONGEST = 10_000
"""Characters of a text: what a worker says shall not drown the scheduler."""
_MOST = 1 << 63


def topic_of(recipe: str) -> str:
    """Under which name of Dask the events of a recipe's tasks travel."""
    return f"dataverse-backup-{recipe}"


def packed(record: logging.LogRecord) -> dict[str, Any]:
    """What there is to say of *record*, in numbers and texts."""
    return {
        "name": record.name,
        "levelno": record.levelno,
        "levelname": record.levelname,
        "created": record.created,
        "msg": logs.message_of(record)[:_LONGEST],
        "facts": {name: _plain(value) for name, value in logs.facts_of(record).items()},
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float) else str(value)[:_LONGEST]


def progress(destination: str, first: int, count: int) -> dict[str, Any]:
    """How far a batch has come: its first datafile, and how many of its bytes were read to be sent."""
    return {"progress": [destination, first, count]}


def handle(event: Any, worker: str, hear: Hear) -> None:
    """Log here what *worker* logged there, and *hear* how far it has come. What is none of ours is passed over."""
    if not isinstance(event, dict):
        return
    match event.get("progress"):
        case [str(destination), int(first), int(count)] if 0 <= first < _MOST and 0 <= count < _MOST:
            hear(destination, first, count)
    if not isinstance(event.get("facts"), dict):
        return
    record = logging.makeLogRecord({**event, "facts": {**event["facts"], "worker": worker}})
    logging.getLogger(record.name).handle(record)
