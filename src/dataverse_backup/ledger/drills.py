"""What a ledger keeps of drills: what each restored and how fast, how old the proofs were, and what failed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MOST_FAILURES = 50
"""So many datafiles that failed in a drill are kept by name."""


@dataclass(frozen=True, slots=True)
class DrillFailure:
    """A datafile that a drill could not bring back."""

    datafile_id: int
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """One drill at one destination."""

    run: str
    destination: str
    started: datetime
    seconds: float
    outcome: str
    """As that of its run: ``ok``, ``failures``, ``damage``, ``lost``, ``interrupted``."""
    files: int
    """Datafiles that were restored and proven."""
    size: int
    """Bytes that were restored and proven."""
    failed: int
    """Datafiles that could not be brought back."""
    dataset: str
    """PID of the one that was restored as a whole; ``''`` where none was small enough."""
    oldest_proof: datetime | None
    """Of all copies there that were OK when it began: the proof that was oldest then, and the newest."""
    newest_proof: datetime | None
    message: str = ""
    """What ended it before its time, or kept it from beginning."""
    failures: tuple[DrillFailure, ...] = ()
    """The first MOST_FAILURES of what failed."""

    @property
    def speed(self) -> float:
        """Bytes in a second; 0.0 where that cannot be told."""
        return self.size / self.seconds if self.seconds > 0 else 0.0


class Drills(ABC):
    """The part of the ledger that is about drills."""

    @abstractmethod
    def record_drill(self, record: DrillRecord) -> None:
        """Keep *record*, once for its run."""

    @abstractmethod
    def drills(self, destination: str | None = None) -> Iterator[DrillRecord]:
        """Every drill there, or anywhere, the newest first; constant memory."""

    def last_drill(self, destination: str) -> DrillRecord | None:
        """The newest one there."""
        return next(iter(self.drills(destination)), None)
