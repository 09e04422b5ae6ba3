"""What a ledger keeps of copies that are deleted: which ones, in which run, and what became of each.

A removal is noted before anything is deleted, in the same transaction that ends the record of the copy: from then on
nobody believes that the copy is there, whatever happens. What was begun and did not end is found by the next prune.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.datafile import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from dataverse_backup.ledger.records import Copy, Kept

PRUNE_VERB = "prune"


class Outcome(StrEnum):
    """How a removal ended."""

    REMOVED = "removed"  # nothing lies there any more
    STAYS = "stays"  # the object is there still


@dataclass(frozen=True, slots=True)
class Gone:
    """A copy of a datafile that is no longer in the catalogue."""

    kept: Kept
    since: datetime


@dataclass(frozen=True, slots=True)
class Aside:
    """A copy that was moved aside; the ledger has no record of it."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Removal:
    """One copy that was, or was to be, deleted."""

    run: str
    destination: str
    key: str
    size: int
    datafile_id: int | None
    """None of one that was moved aside."""
    copy: Copy | None
    """What was known of it; None of one that was moved aside."""
    begun: datetime
    ended: datetime | None
    """None while nobody knows what became of it."""
    outcome: Outcome | None
    message: str
    tag: str = MAIN
    """MAIN, or which companion of the datafile it was a copy of."""


class Removals(ABC):
    """The part of the ledger that is about deleting copies."""

    @abstractmethod
    def gone(self, destination: str, before: datetime) -> Iterator[Gone]:
        """The copies of datafiles that left the catalogue before then and did not come back; constant memory.

        Companions too. By storage path, datafile id and tag. A copy whose key another datafile has, or is to get, is
        not among them.
        """

    @abstractmethod
    def begin_removals(
        self, run: str, destination: str, copies: Sequence[Kept], aside: Sequence[Aside] = ()
    ) -> list[Kept]:
        """Note in one transaction that these are about to be deleted: those of *copies* that may be.

        That is, what is what ``gone`` gave still. Its copy is not known any more, its datafile is GONE, and PENDING if
        it comes back. Attempts stay. The manifests of the datasets are to be written anew. The caller confirms its
        lock first.
        """

    @abstractmethod
    def end_removals(self, destination: str, outcomes: Mapping[str, tuple[Outcome, str]]) -> None:
        """Note what became of those that were begun, by their keys, each with a sentence; in one transaction.

        A copy that STAYS is known again, unless its datafile has another one by now, or its key does.
        """

    @abstractmethod
    def removals(
        self, *, destination: str | None = None, datafile_id: int | None = None, is_unfinished: bool = False
    ) -> Iterator[Removal]:
        """Those that were noted and fit, in that order; constant memory."""
