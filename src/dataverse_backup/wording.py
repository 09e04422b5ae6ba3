"""How amounts are written for people, and times for programs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
"""Units of time, in seconds."""


def size_of(count: float) -> str:
    """A number of bytes, in decimal units."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000:  # noqa: PLR2004 -- decimal units
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} PB"


def duration_of(seconds: float) -> str:
    """A length of time in its two largest units: ``3 h 20 min``."""
    whole = int(seconds)
    for (unit, length), (smaller, part) in pairwise(UNITS):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole} s" if whole else "less than 1 s"


def iso(time: datetime | None) -> str | None:
    """*time* as ISO 8601 in UTC: ``2026-01-31T23:59:59Z``."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")
