"""The contract of the ledger: what happened.

Three things are kept apart: the *attempts*, all of them; the *copy*, which a failed attempt never erases; and the
*status*. All are keyed by datafile id, object tag and destination, and copies are unique by destination and key too:
storage identifiers change and are not unique (facts 1.6). An object with another tag than MAIN is a companion of the
datafile; what counts datafiles counts no companions. What it is told and tells is in ``records``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

from dataverse_backup.ledger.audits import Audits
from dataverse_backup.ledger.destinations import Destinations
from dataverse_backup.ledger.drills import Drills
from dataverse_backup.ledger.dumps import Dumps
from dataverse_backup.ledger.history import History
from dataverse_backup.ledger.records import (
    BACKUP_VERB,
    DRILL_VERB,
    LACKING,
    RECONCILE_VERB,
    REPAIR_VERB,
    Attempt,
    Copy,
    Holder,
    Kept,
    Listed,
    LogoTurn,
    Marked,
    Planned,
    RunRecord,
    Standing,
    Status,
    Takeover,
    Tally,
    merged,
)
from dataverse_backup.ledger.removals import Removals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.rules import Counts
    from dataverse_backup.verdict import Verdict

__all__ = [
    "BACKUP_VERB",
    "DRILL_VERB",
    "LACKING",
    "RECONCILE_VERB",
    "REPAIR_VERB",
    "Attempt",
    "Copy",
    "Holder",
    "Kept",
    "Ledger",
    "Listed",
    "Lock",
    "LogoTurn",
    "Marked",
    "Planned",
    "RunRecord",
    "Standing",
    "Status",
    "Takeover",
    "Tally",
]


class Lock(Protocol):
    """The right to work on one destination; freed when its holder dies, however it dies."""

    def confirm(self) -> None:
        """Raise LockHeld when the lock is no longer ours."""


class Ledger(Destinations, History, Audits, Dumps, Removals, Drills, ABC):
    """What happened to every datafile, at every destination.

    What is known of each destination is in `Destinations`, what only reads the past in `History`, what audits need in
    `Audits`, dumps of the database in `Dumps`, what deletes copies in `Removals`, drills in `Drills`.

    What a method wrote is on disk when it returns. Times are aware and UTC. LedgerUnavailable means that the same call
    may succeed later (a busy or unreachable database), LedgerError that somebody must act. Reading works while another
    process writes.
    """

    id: str
    """A UUID made with the ledger: destinations know whose they are by it."""

    @abstractmethod
    def lock(self, destination: str) -> AbstractContextManager[Lock]:
        """Hold *destination*; raises LockHeld, saying who holds it and since when."""

    @abstractmethod
    def holder(self, destination: str) -> Holder | None:
        """Who holds *destination* now."""

    @abstractmethod
    def doubt(self, destination: str) -> int:
        """Call nothing OK there any more; how many datafiles were.

        They are PENDING until their copies are proven again. The copies stay known: what is still there is proven
        where it lies, and not sent once more.
        """

    @abstractmethod
    def begin_run(self, verb: str, destination: str) -> str:
        """Note that a run starts; the id of it, usable as a file name."""

    @abstractmethod
    def end_run(self, run: str, outcome: str, counted: Counts | None = None, *, message: str = "") -> RunRecord:
        """Note how a run ended and why, with its counts: those of the attempts that were recorded, or *counted*."""

    @abstractmethod
    def last_run(self, destination: str | None = None) -> RunRecord | None:
        """The newest backup, to one destination or to any; other verbs have runs of their own (`History.runs`)."""

    @abstractmethod
    def standings(self, destination: str, ids: Sequence[int] | None = None) -> Iterator[Standing]:
        """Where every datafile stands, or these, and their companions: by ascending id and tag.

        Constant memory; may be read while notes are made.
        """

    @abstractmethod
    def keep_layout(self, destination: str, layout: str) -> None:
        """What is marked at *destination* was settled under *layout*; marks of any other one are forgotten."""

    @abstractmethod
    def marks(self, destination: str, layout: str) -> Iterator[Marked]:
        """Every datafile that is not GONE, by ascending id, as briefly as can be; constant memory.

        It has the mark of the row with which it was settled, until something happens that may unsettle it: a plan that
        wants it, a failed attempt, a doubt, another layout; a companion of it that is not OK.
        """

    @abstractmethod
    def with_logos(self, destination: str) -> list[int]:
        """The ids of the datasets that have a logo which is not GONE, ascending."""

    @abstractmethod
    def occupants(
        self, destination: str, names: Sequence[str], *, folded: Callable[[str], str] | None
    ) -> dict[str, int]:
        """Which datafile stands in the way of each name: ``{name: datafile id}``, free names absent.

        It, or a companion of it.

        In the way is the same key, a key that is a folder of the name, and a key that has the name as a folder
        (``sub`` beside ``sub/x``); with *folded*, names are compared as the destination sees them.
        """

    @abstractmethod
    def note(
        self,
        destination: str,
        *,
        planned: Sequence[Planned] = (),
        refreshed: Sequence[Datafile] = (),
        not_here: Sequence[NotHere] = (),
        gone: Sequence[int] = (),
        companions_gone: Sequence[tuple[int, str]] = (),
        marked: Sequence[Mark] = (),
    ) -> None:
        """Write down what the plan found, in one transaction.

        ``planned`` claims keys and becomes PENDING where there is no status; ``refreshed`` has a new label, size or
        the like and nothing else; ``not_here`` and ``gone`` (datafile ids, with their companions) take that status and
        keep their copies; so do ``companions_gone`` (ids and tags), whose datafiles are still there.
        ``marked`` has another mark than it was noted with, and nothing else that is new.
        A datafile that was NOT_HERE or GONE and is planned or refreshed has its former status again.
        """

    @abstractmethod
    def record(self, run: str, attempts: Sequence[Attempt]) -> None:
        """Keep these attempts, and what they prove, in one transaction.

        The caller confirms its lock first. An attempt of status OK brings its copy; a failed one leaves the copy that
        is known as it is.
        """

    @abstractmethod
    def tallies(self, destination: str, *, companions: bool = False) -> list[Tally]:
        """Datafiles, or *companions*, and bytes by status and reason; bytes are of copies, else as registered."""

    def tallies_of_all(self, destination: str) -> list[Tally]:
        """As `tallies`, with those companions counted as files that have no proven copy and should have one."""
        lacking = (tally for tally in self.tallies(destination, companions=True) if tally.status in LACKING)
        return merged([*self.tallies(destination), *lacking])

    @abstractmethod
    def listed(
        self,
        *,
        destination: str | None = None,
        status: Status | None = None,
        reason: Reason | None = None,
        dataset: str | None = None,
        datafile_id: int | None = None,
        verdict: Verdict | None = None,
    ) -> Iterator[Listed]:
        """The datafiles and companions that fit, by destination, datafile id and tag; constant memory.

        *dataset* is a PID; *verdict* is that on the copy or on the primary.
        """

    @abstractmethod
    def kept(
        self,
        *,
        destinations: Sequence[str] | None = None,
        dataset: str | None = None,
        storage_paths: Sequence[str] | None = None,
        datafile_id: int | None = None,
    ) -> Iterator[Kept]:
        """The copies that fit, by storage path of their dataset, datafile id, tag and destination; constant memory.

        *dataset* is a PID. What is GONE or NOT_HERE by now has its copies still.
        """

    @abstractmethod
    def note_kept(self, destination: str, kept: Sequence[Kept]) -> None:
        """Write down copies that are said to be there, of datafiles that the ledger does not know, in one transaction.

        They are PENDING, or GONE where *kept* says so, until their copies are proven. A datafile or a key that is known
        already stays as it is.
        """

    @abstractmethod
    def stale_manifests(self, destination: str) -> Iterator[str]:
        """Storage paths of the datasets of which something was recorded there since their manifest was written."""

    @abstractmethod
    def manifests_written(self, destination: str, storage_paths: Sequence[str]) -> None:
        """Remember that these manifests are as the ledger is."""

    @abstractmethod
    def oldest_failure(self, destination: str) -> datetime | None:
        """When the datafile that has been failing for longest began to fail."""

    @abstractmethod
    def takeover(self) -> Takeover | None:
        """What became of the original script's table; None where there was none."""

    @abstractmethod
    def match_original(self, candidates: Iterable[tuple[Datafile, Sequence[str]]]) -> set[int]:
        """The datafile ids, of these candidates, of which the original script's table says that there is a copy.

        Empty where there was no such table. A row that it called failed (FAIL_VERIFY too), or that fits more than one
        datafile, says nothing of the kind; it is counted.

        Each datafile comes with the object names by which the original may have recorded it (design, rules 8 and 14);
        a row matches by dataset path and one of these names, with or without a prefix. What matched, and what was
        ambiguous, is remembered for ``takeover``; the original's ``lastbackuptime`` goes to the datafile's row when it
        is noted as planned. Nothing is called OK by it: the copies are proven first.
        """

    @abstractmethod
    def close(self) -> None:
        """Give back connections; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
