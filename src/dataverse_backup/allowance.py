"""How much a run may do at one destination: so long, so many bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.conclusion import Outcome
    from dataverse_backup.work import Batch

GRACE_SECONDS = 300.0
"""So long what is in flight may go on after the time is over; then it is dropped."""


class Limit(StrEnum):
    """What may end a run before everything is done, as the configuration calls it."""

    DURATION = "MaxDuration"
    BYTES = "MaxBytes"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take at one destination; None is as much as it needs."""

    seconds: float | None = None
    size: int | None = None
    """Bytes that are sent."""


NO_LIMITS = Limits()


class Allowance:
    """What is left of the limits of a run that begins now."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow *limits*; *clock* gives seconds."""
        self._limits, self._clock = limits, clock
        self._began = clock()
        self._sent = self._in_flight = 0

    @property
    def reached(self) -> Limit | None:
        """The limit after which nothing more is begun."""
        if self._limits.seconds is not None and self._clock() - self._began >= self._limits.seconds:
            return Limit.DURATION
        if self._limits.size is not None and self._sent >= self._limits.size:
            return Limit.BYTES
        return None

    @property
    def is_promised(self) -> bool:
        """Whether what is in flight may use up the rest: then nothing is begun until it is known."""
        return self._limits.size is not None and self._sent + self._in_flight >= self._limits.size

    @property
    def grace(self) -> float:
        """In how many seconds what is in flight is dropped."""
        if self._limits.seconds is None:
            return float("inf")
        return self._began + self._limits.seconds + GRACE_SECONDS - self._clock()

    def send(self, size: int) -> None:
        """So many bytes are sent that are no file's."""
        self._sent += size

    def begin(self, batch: Batch) -> None:
        """*batch* is on its way: as far as we know all of it is sent."""
        self._in_flight += batch.size

    def end(self, batch: Batch, outcome: Outcome | None) -> None:
        """*batch* is not on its way any more; what came of it, if that is known."""
        self._in_flight -= batch.size
        if outcome is not None:
            self._sent += sum(attempt.bytes_sent for attempt in outcome.attempts)
