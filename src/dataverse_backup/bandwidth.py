"""How many bytes a second may be sent, at which time of the week."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

OFF = "off"
LEAST = 1024
"""Bytes a second: less is a number whose unit was forgotten, and stalls every connection."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60
_ENTRY = re.compile(r"(?:([A-Za-z]{3})-)?([0-9]{1,2}):([0-9]{2}),(\S+)")

Slot = tuple[int, int | None]
"""From which minute of the week on (Monday begins with 0) how many bytes a second; None is as many as can be."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rates by the minute of the week at which they begin, ascending; the last one also holds before the first."""

    slots: tuple[Slot, ...]

    def rate(self, moment: datetime) -> int | None:
        """Bytes a second at *moment*, of the clock on the wall; None is as many as can be."""
        minute = moment.weekday() * MINUTES_OF_DAY + moment.hour * 60 + moment.minute
        return self.slots[bisect_right(self.slots, minute, key=itemgetter(0)) - 1][1]

    @classmethod
    def parse(cls, text: str, size_from: Callable[[str], int]) -> Timetable:
        """One rate (``20M``, ``off``), or entries such as ``08:00,20M 18:00,off Sat-00:00,off``, parted by spaces.

        An entry without a day holds for every day on which none begins at the same time. *size_from* reads a number
        of bytes. Raises ValueError, which says everything that is wrong and does not repeat it.
        """
        if "," not in text:
            return cls(((0, _rate(text, size_from)),))
        daily: dict[int, int | None] = {}
        weekly: dict[int, int | None] = {}
        wrong = []
        for number, entry in enumerate(text.split(), 1):
            try:
                _add(entry, daily, weekly, size_from)
            except ValueError as error:
                wrong.append(f"entry {number}: {error}")
        if wrong:
            raise ValueError("; ".join(wrong))
        every_day = {day * MINUTES_OF_DAY + begin: rate for day in range(len(DAYS)) for begin, rate in daily.items()}
        return cls(tuple(sorted((every_day | weekly).items())))


def _add(
    entry: str, daily: dict[int, int | None], weekly: dict[int, int | None], size_from: Callable[[str], int]
) -> None:
    match = _ENTRY.fullmatch(entry)
    if not match:
        raise ValueError("must be a time and a rate, such as 08:00,20M or Sat-08:00,off")
    day, hour, minute, rate = match.groups()
    if day and day.lower() not in DAYS:
        raise ValueError("its day must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun")
    begin = int(hour) * 60 + int(minute)
    if begin >= MINUTES_OF_DAY or int(minute) >= 60:  # noqa: PLR2004 -- minutes of an hour
        raise ValueError("its time must be from 00:00 to 23:59")
    slots, begin = (weekly, DAYS.index(day.lower()) * MINUTES_OF_DAY + begin) if day else (daily, begin)
    if begin in slots:
        raise ValueError("another entry begins at the same time")
    slots[begin] = _rate(rate, size_from)


def _rate(text: str, size_from: Callable[[str], int]) -> int | None:
    if text.strip().lower() == OFF:
        return None
    try:
        rate = size_from(text)
    except ValueError:
        raise ValueError("not a rate: off, or bytes a second such as 20M or 512K") from None
    if rate < LEAST:
        raise ValueError("less than 1K, a kilobyte a second: is its unit missing?")
    return rate
