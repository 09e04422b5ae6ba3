"""What `reconcile` says while it goes on, and in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.errors import DataverseBackupError
    from dataverse_backup.ledger.base import RunRecord


class Presence(StrEnum):
    """What is said of one object."""

    DARK = "dark"  # it lies there, and nothing that is known has it
    LOST = "lost"  # something known has it, and it does not lie there
    BESIDE = "beside"  # it lies there, is the object of nothing, and is in its place


class Why(StrEnum):
    """Why an object is dark, or lost: stable words. What is beside has words of its own."""

    # dark
    NO_DATAFILE = "no-datafile"
    NO_DATASET = "no-dataset"
    LEFT_CATALOGUE = "left-catalogue"
    NO_COPY = "no-copy"
    # lost
    MISSING = "missing"
    ORIGINAL_MISSING = "original-missing"
    MAIN_MISSING = "main-missing"
    SIZE_DIFFERS = "size-differs"


class BesideCopies(StrEnum):
    """What lies at a destination without being a copy that is known, and is in its place there."""

    OWN = "own"
    NOTES = "notes"
    SUPERSEDED = "superseded"
    UNPROVEN = "unproven"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class Place:
    """A store, or stores that have the same objects, or a destination."""

    name: str
    is_store: bool

    def __str__(self) -> str:
        return f"store {self.name}" if self.is_store else self.name


@dataclass(frozen=True, slots=True)
class Finding:
    """One object that is dark, lost, or beside what is known."""

    place: Place
    presence: Presence
    why: str
    """A word of Why, ``stores.listable.Beside`` or BesideCopies."""
    key: str
    """Its name in the store, or its key at the destination."""
    message: str
    """A sentence; '' when the word says it all."""
    size: int | None
    """Bytes that lie there, or that should."""
    dataset: str = ""
    """The PID of the dataset that it belongs to, or in whose folder it lies; '' where none is known."""
    datafile_id: int | None = None
    label: str = ""
    """Of the datafile, with its folder."""
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """So much more was read or listed."""

    what: str
    objects: int
    size: int


@dataclass(slots=True)
class Amounts:
    """Objects, and their bytes."""

    objects: int = 0
    size: int = 0

    def add(self, size: int | None) -> None:
        """One more."""
        self.objects += 1
        self.size += size or 0


@dataclass(slots=True)
class Reconciled:
    """What was found at one place."""

    place: Place
    ending: Ending = Ending.OK
    listed: Amounts = field(default_factory=Amounts)
    known: Amounts = field(default_factory=Amounts)
    """Of datafiles that the catalogue has, or copies that the ledger has."""
    found: dict[tuple[Presence, str], Amounts] = field(default_factory=dict)
    """By presence and reason."""
    undecided: int = 0
    """Of which nothing is said: it changed meanwhile, or could not be looked at."""
    trouble: DataverseBackupError | None = None
    """Why the place could not be looked at."""
    unknown_stores: Counter[str] = field(default_factory=Counter)
    """Stores that the configuration does not know, with how many datafiles they have."""

    def add(self, finding: Finding) -> None:
        """Count *finding*."""
        self.found.setdefault((finding.presence, finding.why), Amounts()).add(finding.size)

    def judged(self) -> Ending:
        """How it ended, where all of it was looked at."""
        if self.of(Presence.LOST).objects:
            return Ending.DAMAGE
        return Ending.FAILURES if self.unknown_stores else Ending.OK

    def of(self, presence: Presence) -> Amounts:
        """How much is dark, say."""
        its = [amounts for (kind, _), amounts in self.found.items() if kind is presence]
        return Amounts(sum(one.objects for one in its), sum(one.size for one in its))


@dataclass(frozen=True, slots=True)
class ReconcileEnded:
    """What came of all stores, or of one destination, as it is in the ledger."""

    place: str
    """The destination's name, or ``ledger.audits.PRIMARY``."""
    parts: tuple[Reconciled, ...]
    """Several, where there are several stores."""
    record: RunRecord
    first_lost: tuple[Finding, ...]
    """The first of what is lost; all of it was told."""

    @property
    def lost(self) -> int:
        """How many objects are lost."""
        return sum(part.of(Presence.LOST).objects for part in self.parts)


ReconcileEvent = Progress | Finding | Reconciled | ReconcileEnded
