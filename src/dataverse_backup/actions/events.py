"""What a run says while it goes on, and in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.ledger.base import Attempt, Status
from dataverse_backup.plan import Share

if TYPE_CHECKING:
    from dataverse_backup.allowance import Limit
    from dataverse_backup.errors import BrakePulled, DataverseBackupError, StoreLost
    from dataverse_backup.ledger.base import RunRecord
    from dataverse_backup.ledger.dumps import DumpRecord
    from dataverse_backup.plan import Plan


class Ending(StrEnum):
    """How a run at one destination ended; the ledger's ``outcome``."""

    OK = "ok"
    FAILURES = "failures"  # it ran; some files failed, or some store could not be read
    LOST = "lost"  # the destination, or every store that was needed, could not be used from the start
    LIMIT = "limit"  # all that was tried went well; MaxDuration or MaxBytes was reached before everything was
    BUSY = "busy"  # another run holds the lock
    INTERRUPTED = "interrupted"
    BRAKE = "brake"  # so much of a store is wrong at once that it stopped, until a person has looked
    DAMAGE = "damage"  # an audit found copies or primaries that are missing or altered


WELL = frozenset({Ending.OK, Ending.LIMIT})
"""Everything that was tried went well, and nobody needs to do anything."""


@dataclass(frozen=True, slots=True)
class Planning:
    """What a run is about to do at one destination."""

    destination: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Dumping:
    """How many bytes the dump of the Dataverse database has, while it is taken for one destination or more."""

    destination: str
    size: int


@dataclass(slots=True)
class Ended:
    """What a run did at one destination."""

    destination: str
    ending: Ending
    plan: Plan | None = None
    record: RunRecord | None = None
    tried: Counter[Status] = field(default_factory=Counter)
    """How it ended for each datafile, and for companions that failed."""
    companions: int = 0
    """Companions that were copied or proven."""
    lost: DataverseBackupError | None = None
    """Why the destination could not be used, or be used to the end."""
    brake: BrakePulled | None = None
    """Why the whole run was stopped, at whichever destination that was found."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    unexplained: list[DataverseBackupError] = field(default_factory=list)
    """What went wrong when the manifests were written; the copies are not touched by that."""
    dump: DumpRecord | None = None
    """What came of the dump of the Dataverse database; None where none was due."""
    unconfirmed: int = 0
    """Failures that were not recorded, because their rows could not be read again."""
    bytes_read: int = 0
    """Bytes that were read from stores for it; what was read for another destination already is not among them."""
    limit: Limit | None = None
    """What it was stopped by before everything was done, also where it ended with failures."""
    settled: Share = field(default_factory=Share)
    """Of what was planned, companions too: what was tried and recorded."""

    @property
    def left(self) -> Share:
        """Of what was planned: what was not tried to its end."""
        planned = self.plan.work if self.plan else Share()
        return Share(max(0, planned.files - self.settled.files), max(0, planned.size - self.settled.size))


@dataclass(frozen=True, slots=True)
class Moving:
    """How far what is in flight to one destination has come, now and then."""

    destination: str
    size: int
    """Bytes that were read to be sent, of datafiles that are not recorded yet; less than before, when some are."""


Event = Dumping | Planning | Moving | Attempt | Ended
