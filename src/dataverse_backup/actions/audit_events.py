"""What an audit says while it goes on, and in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.verdict import DAMAGE, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from dataverse_backup.actions.events import Ending
    from dataverse_backup.actions.promise import Promise
    from dataverse_backup.allowance import Limit, Limits
    from dataverse_backup.errors import DataverseBackupError, StoreLost
    from dataverse_backup.ledger.audits import Amount, Judged
    from dataverse_backup.ledger.base import RunRecord


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What is to be looked at, and how much of it."""

    limits: Limits
    """Bytes are those that are hashed, here or over there."""
    every: timedelta | None = None
    """Only what was not proven for so long, which is promised to be all of it; None: whatever its age."""
    dataset: str | None = None
    """Only what belongs to the dataset with this PID."""
    share: float | None = None
    """Only so large a part of it, chosen at random: 0.01 is one of a hundred."""
    is_listing: bool = False
    """See whether it is there and has its size; that proves nothing."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit is about to look at in one place."""

    place: str
    """A destination, or ``audits.PRIMARY``."""
    amount: Amount
    promise: Promise | None
    """What became of the promise so far, where one was given."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Some were looked at, and what was found is in the ledger."""

    place: str
    sizes: tuple[int, ...]
    """Bytes of each, as far as they are known."""
    findings: tuple[Judged, ...]
    """Those that are not intact."""


@dataclass(slots=True)
class AuditEnded:
    """What an audit did in one place."""

    place: str
    ending: Ending
    record: RunRecord | None = None
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    lost: DataverseBackupError | None = None
    """Why the place could not be looked at, or not to the end."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    unknown_stores: dict[str, int] = field(default_factory=dict)
    """Stores that the configuration does not know, with how many datafiles they have."""
    intact_dumps: int = 0
    """Dumps of the Dataverse database that are what their names say."""
    bad_dumps: list[tuple[str, Verdict]] = field(default_factory=list)
    """Those that are not, by their keys."""
    undecided: int = 0
    """Files about which nothing is recorded, because they changed while they were looked at."""
    limit: Limit | None = None
    promise: Promise | None = None
    """What became of the promise in the end."""

    @property
    def damaged(self) -> int:
        """How many verdicts say that something was lost or altered, those on dumps among them."""
        return sum(self.verdicts[verdict] for verdict in DAMAGE) + self.damaged_dumps

    @property
    def damaged_dumps(self) -> int:
        """How many dumps were lost or altered."""
        return sum(verdict in DAMAGE for _, verdict in self.bad_dumps)

    def remarks(self) -> Iterator[str]:
        """What else is worth knowing, a sentence each."""
        if self.intact_dumps:
            yield f"dumps of the database: {self.intact_dumps:,} intact"
        for key, verdict in self.bad_dumps:
            yield f"a dump of the database is {verdict}, and the next backup makes another: {key}"
        if self.undecided:
            yield f"{self.undecided:,} changed while they were looked at, and are left to the next audit"
        if self.limit is not None:
            yield f"{self.limit} reached: the next audit goes on"
        if self.promise is not None:
            yield str(self.promise)

    @property
    def intact(self) -> int:
        """How many are intact."""
        return self.verdicts[Verdict.INTACT]


AuditEvent = AuditPlan | Looked | AuditEnded
