"""What a ledger is asked about the past: runs, attempts, and the sums that a report shows.

The second half of the ledger's contract, apart from what a run needs: everything here only reads. Lists are short,
however many files there are, because the database counts; iterators need constant memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.datafile import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import Checksum, VerifiedBy
    from dataverse_backup.ledger.records import RunRecord, Status


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try at one datafile at one destination, as the ledger keeps it."""

    run: str
    destination: str
    datafile_id: int
    dataset: str
    """PID of its dataset; this and the next three are what the catalogue said last."""
    directory_label: str
    label: str
    store: str
    storageidentifier: str
    """As it was when it was tried."""
    key: str | None
    status: Status
    reason: Reason | None
    message: str
    size: int | None
    """Bytes of the copy that was proven; this and the next two are None where none was."""
    checksum: Checksum | None
    verified_by: VerifiedBy | None
    started: datetime
    seconds: float
    bytes_sent: int
    method: str
    before: Status | None
    """How the attempt before this one, at the same object and destination, ended; None for the first."""
    tag: str = MAIN
    """MAIN, or which companion of the datafile was tried."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Datafiles of one store and status at one destination."""

    destination: str
    store: str
    """``''`` where the row names no store."""
    status: Status
    files: int
    size: int
    """Bytes of copies, or registered sizes where there is none."""
    oldest_proof: datetime | None
    """When the copy that was not proven for longest was proven; None where no datafile has a copy."""
    newest_proof: datetime | None
    oldest_unproven: datetime | None
    """When Dataverse made the oldest datafile that has no proven copy; None where each has one."""


@dataclass(frozen=True, slots=True)
class Band:
    """Files and bytes between two edges."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Datafiles of which a copy was proven for the first time on one day (UTC)."""

    day: date
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class DatasetTally:
    """The datafiles of one dataset at one destination; those that are GONE are not counted."""

    dataset: str
    destination: str
    files: int
    failed: int
    pending: int
    size: int


class History(ABC):
    """Questions about the past."""

    @abstractmethod
    def runs(self, destination: str | None = None) -> Iterator[RunRecord]:
        """Every run, of one destination or of all, newest first; constant memory."""

    @abstractmethod
    def run(self, run: str) -> RunRecord | None:
        """The run with that id."""

    @abstractmethod
    def attempts(
        self,
        *,
        run: str | None = None,
        datafile_id: int | None = None,
        destination: str | None = None,
        status: Status | None = None,
    ) -> Iterator[AttemptRecord]:
        """The attempts that fit, in the order in which they were recorded; constant memory."""

    @abstractmethod
    def holdings(self) -> list[Holding]:
        """Files and bytes by destination, store and status, in that order."""

    @abstractmethod
    def sizes(self, destination: str, edges: Sequence[int]) -> list[Band]:
        """How large the datafiles are: one band below each of the ascending *edges* (bytes), and one from the last on.

        Datafiles that are GONE or of unknown size are in none.
        """

    @abstractmethod
    def proofs(self, destination: str, edges: Sequence[datetime]) -> list[Band]:
        """When copies were proven last: one band before each of the ascending *edges*, and one from the last on.

        Datafiles that are GONE or have no copy are in none.
        """

    @abstractmethod
    def growth(self, destination: str) -> list[Growth]:
        """When datafiles got their first proven copy there, by ascending day."""

    @abstractmethod
    def datasets(self, limit: int) -> list[DatasetTally]:
        """The *limit* datasets with the most failed, then the most pending datafiles; then by destination and PID."""

    @abstractmethod
    def named(self, name: str, limit: int) -> list[int]:
        """The first *limit* datafile ids that *name* fits, ascending.

        It fits a whole storage identifier or what follows its prefix or bucket, a key, the PID of a dataset, a label,
        and a label with its folder. Case counts.
        """
