"""What a ledger keeps of audits: when each copy and each primary was proven last, and every verdict but plain success.

The third part of the ledger's contract. A verdict *intact* moves the time of the proof and is counted with its run; it
is kept as an event of its own only where another verdict stood before it. All other verdicts are kept, each one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.datafile import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.fixity import VerifiedBy
    from dataverse_backup.ledger.records import Copy, Kept
    from dataverse_backup.verdict import Verdict

AUDIT_VERB = "audit"
LISTING_VERB = "listing"
"""What the ledger calls the runs of an audit, and of one that only listed."""
PRIMARY = ""
"""What stands in place of a destination where Dataverse's own storage is meant: no destination is called so."""
PRIMARY_NAME = "primary storage"
"""What people read there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which copies, or primaries, are to be looked at."""

    now: datetime
    """When the audit began. A proof that is younger comes from a clock that went wrong, and counts as none."""
    proven_before: datetime | None = None
    """Only those whose last proof is older than this, or was never; None: all of them."""
    dataset: str | None = None
    """Only those of the dataset with this PID; not for primaries."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is to look at."""

    files: int
    size: int
    """Bytes."""
    oldest: datetime | None
    """The oldest of the proofs; None where one was never proven, or there is nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an audit concludes about one copy or one primary."""

    datafile: Datafile
    destination: str
    """PRIMARY where it is about the primary."""
    key: str
    """Its key at the destination, or its name in the store."""
    verdict: Verdict
    message: str
    how: VerifiedBy | None
    """How its bytes were read; None where they were not."""
    at: datetime
    size: int | None
    """Bytes that were hashed, or that there should be."""
    proof: Copy | None = None
    """Of a copy whose bytes are proven again: what is known of it from now on."""


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """One verdict, as the ledger keeps it."""

    run: str
    destination: str
    """PRIMARY where it is about the primary."""
    datafile_id: int
    dataset: str
    """This and the next four are what was known when it was judged."""
    directory_label: str
    label: str
    store: str
    storageidentifier: str
    key: str
    verdict: Verdict
    message: str
    how: VerifiedBy | None
    at: datetime
    size: int | None
    tag: str = MAIN
    """MAIN, or which companion of the datafile it is about."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Copies of one destination, or primaries of all stores, whose last verdict is the same and is not *intact*."""

    destination: str
    verdict: Verdict
    files: int
    size: int
    since: datetime
    """When the one was judged that was judged first."""


def name_of_place(destination: str) -> str:
    """What people read where a destination, or PRIMARY, is meant."""
    return destination if destination != PRIMARY else PRIMARY_NAME


class Audits(ABC):
    """What audits ask and tell. Iterators need constant memory, and may be read while verdicts are recorded."""

    @abstractmethod
    def to_audit(self, destination: str, choice: Choice) -> Iterator[Kept]:
        """The copies that are to be looked at: those without a proof that counts, then by oldest proof.

        What is proven while this is read does not come again. What is GONE or NOT_HERE by now has its copies still.
        """

    @abstractmethod
    def amount_to_audit(self, destination: str, choice: Choice) -> Amount:
        """How much ``to_audit`` gives."""

    @abstractmethod
    def note_primaries(self, datafiles: Sequence[Datafile]) -> None:
        """Know of these primaries; those that are new were never proven.

        They are datafiles and, for datasets that have one, logos.
        """

    @abstractmethod
    def primaries_to_audit(self, choice: Choice) -> Iterator[int]:
        """The ids of the noted primaries that are to be looked at: those never proven, then by oldest proof."""

    @abstractmethod
    def amount_of_primaries(self, choice: Choice) -> Amount:
        """How much ``primaries_to_audit`` gives, of datafiles."""

    @abstractmethod
    def doubtful_companions(self) -> list[tuple[int, str]]:
        """The companions whose primaries were not intact when they were looked at last, by id and tag."""

    @abstractmethod
    def forget_primaries(self, datafile_ids: Sequence[int], companions: Sequence[tuple[int, str]] = ()) -> None:
        """These are no longer in the catalogue, or no longer in a store that is read.

        The datafiles with their companions, and *companions* alone.
        """

    @abstractmethod
    def judge(self, run: str, judged: Sequence[Judged]) -> None:
        """Record verdicts, in one transaction; the caller confirms its lock first.

        A copy that is missing or altered makes its datafile FAIL_WRITE there (``copy-missing``, ``copy-differs``); one
        that was called so before and is intact makes it OK again. No other verdict changes a status. What is unreadable
        or unreachable now does not take back that it was found damaged before. Only a verdict with a ``proof`` moves
        the time of a copy's proof; that of a primary is moved by *intact* where its bytes were read.
        """

    @abstractmethod
    def verdicts(self, *, run: str | None = None, datafile_id: int | None = None) -> Iterator[VerdictRecord]:
        """The verdicts that were kept and fit, in the order in which they were recorded; constant memory."""

    @abstractmethod
    def damage(self) -> list[Damage]:
        """What stands, by destination and verdict; copies of datafiles that are GONE are among them."""
