"""The time zone of this machine, with its summer times."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")


def local_zone() -> tzinfo:
    """What ``$TZ`` or /etc/localtime name; UTC where neither says anything, as the C library has it."""
    named = os.environ.get("TZ", "").removeprefix(":")
    return _named(named) or _of_the_machine() or UTC


def _of_the_machine() -> tzinfo | None:
    _, found, name = str(_LOCALTIME.resolve()).partition("/zoneinfo/")
    if found and (zone := _named(name)):
        return zone
    try:
        with _LOCALTIME.open("rb") as data:
            return ZoneInfo.from_file(data)
    except (OSError, ValueError):
        return None


def _named(name: str) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return None
