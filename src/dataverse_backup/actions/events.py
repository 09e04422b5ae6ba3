"""What a run says while it goes on, and in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.ledger.base import Attempt, Status

if TYPE_CHECKING:
    from dataverse_backup.errors import DataverseBackupError, StoreLost
    from dataverse_backup.ledger.base import RunRecord
    from dataverse_backup.plan import Plan


class Ending(StrEnum):
    """How a run at one destination ended; the ledger's ``outcome``."""

    OK = "ok"
    FAILURES = "failures"  # it ran; some files failed, or some store could not be read
    LOST = "lost"  # the destination, or every store that was needed, could not be used from the start
    BUSY = "busy"  # another run holds the lock
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Planning:
    """What a run is about to do at one destination."""

    destination: str
    plan: Plan


@dataclass(slots=True)
class Ended:
    """What a run did at one destination."""

    destination: str
    ending: Ending
    plan: Plan | None = None
    record: RunRecord | None = None
    tried: Counter[Status] = field(default_factory=Counter)
    lost: DataverseBackupError | None = None
    """Why the destination could not be used, or be used to the end."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    unconfirmed: int = 0
    """Failures that were not recorded, because their rows could not be read again."""
    bytes_read: int = 0
    """Bytes that were read from stores for it; what was read for another destination already is not among them."""


Event = Planning | Attempt | Ended
