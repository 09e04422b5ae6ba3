"""What is backed up, and to where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.allowance import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.allowance import Limits
    from dataverse_backup.bandwidth import Timetable
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.engine import Capacity
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.stores.base import Store
    from dataverse_backup.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Installation:
    """One Dataverse and our ledger of it: what all destinations have in common."""

    catalogue: Catalogue
    ledger: Ledger
    stores: Mapping[str, Store]
    make_stores: Callable[[], Mapping[str, Store]]
    """Makes the same stores once more, in a worker process; picklable."""


@dataclass(frozen=True, slots=True)
class Site:
    """What one destination is backed up with."""

    name: str
    method: str
    """The destination's ``method``."""
    open_destination: Callable[[Staging], Destination]
    make_transfer: Callable[[Staging], Callable[[Mapping[str, Store]], Transfer]]
    """Gives what makes the transfer of a worker process, from the stores that it is to read; picklable."""
    capacity: Capacity
    limits: Limits = NO_LIMITS
    bandwidth: Timetable | None = None
    """How fast it may be sent to, by all workers together."""
