"""Events that travel from a worker to the coordinator, as plain values: Dask's events are no pickles."""

from __future__ import annotations

import logging
from typing import Any

from dataverse_backup import logs

_LONGEST = 10_000
"""Characters of a text: what a worker says shall not drown the scheduler."""


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


def handle(event: Any, worker: str) -> None:
    """Log here what *worker* logged there. What is not as `packed` makes it is nobody's event of ours."""
    if not isinstance(event, dict) or not isinstance(event.get("facts"), dict):
        return
    record = logging.makeLogRecord({**event, "facts": {**event["facts"], "worker": worker}})
    logging.getLogger(record.name).handle(record)
