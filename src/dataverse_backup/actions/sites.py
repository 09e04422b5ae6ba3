"""What is backed up, and to where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from dataverse_backup.allowance import NO_LIMITS
from dataverse_backup.brake import DEFAULT_THRESHOLDS
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from dataverse_backup.allowance import Limits
    from dataverse_backup.bandwidth import Timetable
    from dataverse_backup.brake import Thresholds
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.engine import Capacity, Submit
    from dataverse_backup.generations import Retention
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.stores.base import Store
    from dataverse_backup.transfer import Transfer


Task = TypeVar("Task")
Result = TypeVar("Result")


class OpenWorkers(Protocol):
    """Starts workers, or finds some."""

    def __call__(
        self, make_work: Callable[[], Callable[[Task], Result]], workers: int, /
    ) -> AbstractContextManager[Submit[Task, Result]]:
        """So many *workers*, each of which makes its own way to do tasks."""


@dataclass(frozen=True, slots=True)
class KeptDumps:
    """How dumps of the Dataverse database are kept at one destination."""

    retention: Retention
    every: timedelta
    """A run makes another one where the last one is older than that."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One Dataverse and our ledger of it: what all destinations have in common."""

    catalogue: Catalogue
    ledger: Ledger
    stores: Mapping[str, Store]
    make_stores: Callable[[], Mapping[str, Store]]
    """Makes the same stores once more, in a worker process; picklable."""
    dumper: Dumper | None = None
    """Dumps the database; None where nobody wants that."""
    get_ready: Callable[[], None] = lambda: None
    """Begins what workers will need, while there is other work; waits for nothing, and may be called again."""


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
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    """How much may be wrong at once before a run stops."""
    bandwidth: Timetable | None = None
    """How fast it may be sent to, by all workers together."""
    open_workers: OpenWorkers = processes
    """Who does the work; destinations where that is the same are worked on together."""
    dumps: KeptDumps | None = None
    """How dumps of the database are kept there; None: none is."""
    in_workers: Callable[[Staging], Destination] | None = None
    """Makes the destination in a worker, wherever that is; picklable. None: as ``open_destination`` does."""

    def for_workers(self, staging: Staging) -> Callable[[], Destination]:
        """Makes the destination in a worker; picklable."""
        return partial(self.in_workers or self.open_destination, staging)
