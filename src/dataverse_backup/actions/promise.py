"""Whether it can be kept that no copy goes unproven for longer than promised: reckoned from sizes and past audits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.wording import duration_of, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from dataverse_backup.allowance import Limits
    from dataverse_backup.ledger.audits import Amount
    from dataverse_backup.ledger.base import RunRecord

DAY = 86_400.0
SHORTEST_MEASURE = 1.0
"""Seconds of the shortest audit from which a speed is reckoned."""


@dataclass(frozen=True, slots=True)
class Promise:
    """That everything is proven once in a while, and what stands against it."""

    every: timedelta
    total: Amount
    """All that there is."""
    due: Amount
    """What was not proven for longer than promised."""
    limits: Limits
    """Of one run."""
    speed: float | None
    """Bytes a second of the last audit; None where none was measured yet."""

    @property
    def needed(self) -> float:
        """Bytes that must be proven each day."""
        return self.total.size / (self.every.total_seconds() / DAY)

    @property
    def possible(self) -> float | None:
        """Bytes that one run a day can prove; None where that is not known, or there is no limit."""
        in_time = self.speed * (self.limits.seconds or DAY) if self.speed else None
        found = [each for each in (self.limits.size, in_time) if each is not None]
        return min(found, default=None)

    @property
    def is_kept(self) -> bool:
        """Whether one run a day is enough, as far as that is known."""
        return self.possible is None or self.possible >= self.needed

    def __str__(self) -> str:
        promised = f"everything proven every {_short(self.every)}"
        needs = f"{promised}: {self.total.files:,} files, {size_of(self.total.size)}, {size_of(self.needed)} a day"
        if self.possible is None or self.is_kept:
            return f"{needs}; {self.due.files:,} files, {size_of(self.due.size)} are due"
        takes = duration_of(self.total.size / self.possible * DAY) if self.possible else "for ever"
        return (
            f"{needs}, and {self._why()} one run a day proves {size_of(self.possible)}, which takes {takes} for all: "
            f"the promise cannot be kept; {self.due.files:,} files, {size_of(self.due.size)} are overdue"
        )

    def _why(self) -> str:
        if self.limits.size is not None and self.possible == self.limits.size:
            return "by --max-bytes"
        speed = f"at {size_of(self.speed or 0)}/s, as measured,"
        return f"{speed} within --max-duration" if self.limits.seconds is not None else speed


def measured_speed(runs: Iterable[RunRecord]) -> float | None:
    """Bytes a second of the newest of *runs* that hashed anything for long enough."""
    for run in runs:
        seconds = (run.ended - run.started).total_seconds() if run.ended else 0.0
        if run.bytes_read and seconds >= SHORTEST_MEASURE:
            return run.bytes_read / seconds
    return None


def _short(time: timedelta) -> str:
    """Whole days as such."""
    return f"{time.days} d" if not time.seconds else duration_of(time.total_seconds())
