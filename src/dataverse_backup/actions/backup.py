"""Copy what is missing, failed or changed to one destination, and prove each copy."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.actions.possession import take_possession
from dataverse_backup.conclusion import Conclusion
from dataverse_backup.datafile import Datafile, NotHere, fingerprint
from dataverse_backup.destinations.base import Staging, folded
from dataverse_backup.engine import Stop, copy_in_worker, outcomes, processes
from dataverse_backup.errors import (
    CatalogueUnavailable,
    DestinationLost,
    LedgerError,
    LockHeld,
    ObjectError,
    Reason,
    StoreLost,
)
from dataverse_backup.layout import key_for
from dataverse_backup.ledger.base import Attempt, Status
from dataverse_backup.plan import Plan, Scope, make_plan
from dataverse_backup.work import Batch, Why, Work, grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.errors import DataverseBackupError
    from dataverse_backup.ledger.base import Ledger, Lock, RunRecord
    from dataverse_backup.stores.base import Store
    from dataverse_backup.transfer import Transfer

log = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a run at one destination ended; the ledger's ``outcome``."""

    OK = "ok"
    FAILURES = "failures"  # it ran; some files failed, or some store could not be read
    LOST = "lost"  # the destination, or every store that was needed, could not be used from the start
    BUSY = "busy"  # another run holds the lock
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Site:
    """What one destination is backed up with."""

    name: str
    method: str
    """The destination's ``method``."""
    catalogue: Catalogue
    ledger: Ledger
    stores: Mapping[str, Store]
    open_destination: Callable[[Staging], Destination]
    transfers: Callable[[Staging], Callable[[], Transfer]]
    """Gives the picklable factory that each worker process makes its transfer with."""
    workers: int
    batch_files: int
    batch_bytes: int


@dataclass(frozen=True, slots=True)
class Planning:
    """What a run is about to do."""

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


Event = Planning | Attempt | Ended


def dry_run(site: Site, *, limit: int | None = None) -> Plan:
    """What a run would do; nothing is written, and the destination is not touched."""
    scope = Scope(site.name, site.stores, limit=limit, dry_run=True)
    return make_plan(site.catalogue, site.ledger, scope)


def backup(site: Site, stop: Stop, *, limit: int | None = None) -> Iterator[Event]:
    """Back up to one destination: its plan, every attempt as it is recorded, and in the end what came of it.

    Raises CatalogueError and LedgerError when the databases cannot be used; everything else is in the Ended.
    """
    try:
        with site.ledger.lock(site.name) as lock:
            yield from _Run(site, stop, lock, limit).events()
    except LockHeld as held:
        yield Ended(site.name, Ending.BUSY, lost=held)


class _Run:
    """One run at one destination, under its lock."""

    def __init__(self, site: Site, stop: Stop, lock: Lock, limit: int | None) -> None:
        self._site = site
        self._stop = stop
        self._lock = lock
        self._limit = limit
        self._id = site.ledger.begin_run("backup", site.name)
        self._staging = Staging(site.ledger.id, self._id)
        self._ended = Ended(site.name, Ending.OK)
        self._again: list[Work] = []

    def events(self) -> Iterator[Event]:
        try:
            yield from self._events()
        except BaseException:
            with suppress(LedgerError):
                self._site.ledger.end_run(self._id, "error")
            raise
        self._ended.record = self._site.ledger.end_run(self._id, self._ended.ending)
        yield self._ended

    def _events(self) -> Iterator[Event]:
        try:
            scope = self._open()
        except DestinationLost as lost:
            self._ended.ending, self._ended.lost = Ending.LOST, lost
            return
        with make_plan(self._site.catalogue, self._site.ledger, scope) as plan:
            self._ended.plan = plan
            self._ended.lost_stores.update(plan.lost_stores)
            yield Planning(self._site.name, plan)
            yield from self._record(self._refusals(plan))
            if plan.work.files:
                yield from self._copy(plan)
        self._ended.ending = self._ending(plan)

    def _open(self) -> Scope:
        """Reach the destination, make sure that it is ours, and clear what earlier runs left in staging."""
        with self._site.open_destination(self._staging) as destination:
            traits = destination.connect()
            take_possession(self._site.ledger, destination)
            destination.sweep()
        return Scope(
            self._site.name,
            self._site.stores,
            folded=folded if traits.folds_case else None,
            limit=self._limit,
        )

    def _refusals(self, plan: Plan) -> list[Attempt]:
        """Attempts for the datafiles of which no key could be made: they failed without being tried."""
        site, now = self._site, datetime.now(UTC)
        return [
            replace(
                Conclusion(Work(r.datafile, "", None, Why.NEW), site.name, site.method, now).failed([r.error]), key=None
            )
            for r in plan.refused
        ]

    def _copy(self, plan: Plan) -> Iterator[Attempt]:
        site = self._site
        batches = plan.batches(site.name, files=site.batch_files, size=site.batch_bytes)
        with processes(site.transfers(self._staging), site.workers) as executor:
            yield from self._work_off(executor, batches, reconsider=True)
            # Rows that changed while we read them get a second chance, as they are now.
            changed = grouped(self._again, files=site.batch_files, size=site.batch_bytes)
            yield from self._work_off(executor, (Batch(site.name, works) for works in changed), reconsider=False)

    def _work_off(self, executor: Executor, batches: Iterable[Batch], *, reconsider: bool) -> Iterator[Attempt]:
        for outcome in outcomes(executor, copy_in_worker, batches, in_flight=self._site.workers * 2, stop=self._stop):
            self._ended.lost_stores.update(outcome.lost_stores)
            self._ended.lost = self._ended.lost or outcome.lost_destination
            attempts = self._reconsidered(outcome.attempts) if reconsider else outcome.attempts
            yield from self._record(attempts)

    def _record(self, attempts: list[Attempt]) -> Iterator[Attempt]:
        if not attempts:
            return
        self._lock.confirm()
        self._site.ledger.record(self._id, attempts)
        for attempt in attempts:
            self._ended.tried[attempt.status] += 1
            yield attempt

    # Every `missing` or `source-differs` reads its row again first (design, rule 10).

    def _reconsidered(self, attempts: list[Attempt]) -> list[Attempt]:
        doubtful = [a.datafile.id for a in attempts if a.reason in (Reason.MISSING, Reason.SOURCE_DIFFERS)]
        if not doubtful:
            return attempts
        try:
            rows = self._site.catalogue.read(doubtful)
        except CatalogueUnavailable as error:
            log.warning("%s; %d failures are not recorded, the next run tries them again", error, len(doubtful))
            self._ended.unconfirmed += len(doubtful)
            return [a for a in attempts if a.datafile.id not in doubtful]
        kept = (self._kept(a, rows.get(a.datafile.id)) if a.datafile.id in doubtful else a for a in attempts)
        return [attempt for attempt in kept if attempt is not None]

    def _kept(self, attempt: Attempt, row: Datafile | NotHere | None) -> Attempt | None:
        """The attempt as it is to be recorded, now that its row was read again; None where it says nothing."""
        if row is None:
            said = "its row has gone from the Dataverse database since the run began"
            return replace(attempt, status=Status.GONE, reason=None, message=said)
        if isinstance(row, NotHere):
            self._site.ledger.note(self._site.name, not_here=[row])
            return None
        if fingerprint(row) == fingerprint(attempt.datafile):
            return attempt
        if attempt.key is not None and self._has_key(row, attempt.key):
            self._again.append(Work(row, attempt.key, None, Why.CHANGED))
        return None  # with another key it is for the next run's plan

    def _has_key(self, row: Datafile, key: str) -> bool:
        store = self._site.stores.get(row.store_id)
        try:
            return store is not None and key_for(row, store) == key
        except ObjectError:
            return False

    def _ending(self, plan: Plan) -> Ending:
        ended = self._ended
        if ended.lost is None and self._stop.is_set():
            return Ending.INTERRUPTED
        if plan.lost_stores and plan.lost_stores.keys() >= plan.stores_seen:
            return Ending.LOST
        failed = ended.tried[Status.FAIL_READ] + ended.tried[Status.FAIL_WRITE] + ended.unconfirmed
        if failed or ended.lost or ended.lost_stores or plan.unknown_stores:
            return Ending.FAILURES
        return Ending.OK
