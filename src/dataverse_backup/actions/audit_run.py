"""An audit of one place, under its lock: what copies and primaries have in common."""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.actions.audit_events import AuditEnded, AuditPlan, Looked
from dataverse_backup.actions.audit_workers import AuditWorkers
from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.promise import Promise, measured_speed
from dataverse_backup.allowance import Limit
from dataverse_backup.chunks import sized_chunks
from dataverse_backup.datafile import Datafile, fingerprint
from dataverse_backup.engine import IN_FLIGHT_PER_WORKER
from dataverse_backup.errors import (
    CatalogueError,
    DataverseBackupError,
    DestinationLost,
    LedgerError,
    LockHeld,
    WorkerDied,
)
from dataverse_backup.in_flight import in_flight
from dataverse_backup.ledger.audits import AUDIT_VERB, LISTING_VERB, PRIMARY, Amount, Choice, name_of_place
from dataverse_backup.logs import facts
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.actions.audit_events import AuditEvent, AuditRequest
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.engine import Stop, Submit
    from dataverse_backup.examine import Examined, Task, WitnessesTask
    from dataverse_backup.ledger.audits import Judged
    from dataverse_backup.ledger.base import Lock

    Rows = Mapping[int, Datafile | NotHere]

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class PlaceAudit(ABC):
    """Locked, planned, looked at, ended."""

    def __init__(
        self, installation: Installation, place: str, sites: Sequence[Site], request: AuditRequest, stop: Stop
    ) -> None:
        """Look at *place*, a destination or PRIMARY, by workers of the first of *sites*."""
        self._installation, self._ledger = installation, installation.ledger
        self._sites = {site.name: site for site in sites}
        self._workers = AuditWorkers(installation, sites)
        self._place, self._capacity, self._request, self._stop = place, self._workers.capacity, request, stop
        self._ended = AuditEnded(place, Ending.OK)
        self._choice = Choice(datetime.now(UTC))
        self._began = time.monotonic()
        self._given = 0
        """Bytes that workers were given to look at."""
        self._is_over = False
        """Nothing more is to be looked at."""
        self._has_more = False
        """There is something to look at that is no datafile's."""
        self._lock: Lock | None = None
        self._run = ""

    # What differs

    @abstractmethod
    def _reach(self) -> None:
        """Make sure that the place can be looked at. Raises DestinationLost."""

    @abstractmethod
    def _amount(self, choice: Choice) -> Amount:
        """How much there is to look at."""

    @abstractmethod
    def _tasks(self) -> Iterator[Task]:
        """What workers are to look at."""

    @abstractmethod
    def _take(self, task: Task, examined: Examined, submit: Submit[Task, Examined]) -> Iterator[list[Judged]]:
        """What is concluded from what was seen, to be recorded together; workers may have to look at more of it."""

    @abstractmethod
    def _parts(self, task: Task) -> list[Task]:
        """*task* in smaller ones, because a worker died of it; none where it cannot be parted."""

    # The story

    def run(self) -> Iterator[AuditEvent]:
        """Look, and say what is found as it is recorded."""
        with ExitStack() as held:
            try:
                self._lock = held.enter_context(self._ledger.lock(name_of_place(self._place)))
            except LockHeld as busy:
                yield self._end_with(Ending.BUSY, busy)
                return
            held.callback(self._workers.close)
            if self._stop.is_set():
                yield self._end_with(Ending.INTERRUPTED)
                return
            verb = LISTING_VERB if self._request.is_listing else AUDIT_VERB
            self._run = self._ledger.begin_run(verb, self._place)
            try:
                yield from self._looked()
            except BaseException:
                if self._ended.record is None:
                    with suppress(LedgerError):
                        self._ledger.end_run(self._run, "error")
                raise

    def _looked(self) -> Iterator[AuditEvent]:
        try:
            self._reach()
        except DestinationLost as lost:
            yield self._end_with(Ending.LOST, lost)
            return
        self._choice = self._choice_now()
        amount = _share_of(self._amount(self._choice), self._request.share)
        yield AuditPlan(self._place, amount, self._promise())
        if amount.files or self._has_more:
            with self._workers.opened(self._run, amount) as submit:
                yield from self._examined(submit, self._within_limits())
        self._ended.ending = self._ending()
        yield self._end()

    def _examined(self, submit: Submit[Task, Examined], tasks: Iterable[Task]) -> Iterator[Looked]:
        limit = self._capacity.workers * IN_FLIGHT_PER_WORKER
        for task, future in in_flight(submit, tasks, limit, self._stop):
            try:
                examined = future.result()
            except WorkerDied as died:
                yield from self._examined_in_parts(submit, task, died)
            except DataverseBackupError as error:
                self._lose(error)
            else:
                for judged in self._take(task, examined, submit):
                    yield from self._record(judged)

    def _examined_in_parts(self, submit: Submit[Task, Examined], task: Task, died: WorkerDied) -> Iterator[Looked]:
        parts = self._parts(task)
        if parts:
            log.warning("%s; the %d parts of what it looked at are looked at one by one", died, len(parts))
            yield from self._examined(submit, parts)
        else:
            log.warning("%s: %s", died, task)
            self._ended.undecided += 1

    def _answers(
        self, submit: Submit[Task, Examined], tasks: Iterable[WitnessesTask]
    ) -> Iterator[tuple[WitnessesTask, Examined]]:
        """What was seen for each of *tasks*; those that no worker survives are counted."""
        limit = self._capacity.workers * IN_FLIGHT_PER_WORKER
        for task, future in in_flight(submit, tasks, limit, self._stop):
            try:
                yield task, future.result()
            except WorkerDied as died:
                log.warning("%s: %s", died, task)
                self._ended.undecided += 1

    # Every verdict on a primary reads its row again first (design, rule 10).

    def _rows(self, ids: Sequence[int]) -> Rows | None:
        """What Dataverse says of these now; None where it cannot be asked."""
        try:
            return self._installation.catalogue.read(ids)
        except CatalogueError as error:
            log.warning("%s; what is said of %d files is from the ledger", error, len(ids))
            return None

    def _is_unchanged(self, datafile: Datafile) -> bool:
        """Whether Dataverse still says the same of it, after it was looked at."""
        rows = self._rows([datafile.id])
        row = rows.get(datafile.id) if rows is not None else None
        its = row.object_of(datafile.tag) if isinstance(row, Datafile) else row
        return its is not None and fingerprint(its) == fingerprint(datafile)

    def _within_limits(self) -> Iterator[Task]:
        """The tasks, until nothing more may be begun."""
        for task in self._tasks():
            if self._is_over:
                return
            self._ended.limit = self._reached()
            if self._ended.limit is not None:
                return
            self._given += task.size
            yield task

    def _reached(self) -> Limit | None:
        limits = self._request.limits
        if limits.seconds is not None and time.monotonic() - self._began >= limits.seconds:
            return Limit.DURATION
        return Limit.BYTES if limits.size is not None and self._given >= limits.size else None

    def _batches(self, items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
        """What is looked at together; a share of it, where only a share is wanted."""
        share, capacity = self._request.share, self._capacity
        chosen = items if share is None else (item for item in items if random.random() < share)  # noqa: S311 -- no secret
        return sized_chunks(chosen, size_of, length=capacity.batch_files, size=capacity.batch_bytes)

    def _record(self, judged: list[Judged]) -> Iterator[Looked]:
        if not judged or not self._is_still_locked():
            return
        self._ledger.judge(self._run, judged)
        findings = tuple(one for one in judged if one.verdict is not Verdict.INTACT)
        self._ended.verdicts.update(one.verdict for one in judged)
        for one in findings:
            _log(self._run, one)
        planned = (one for one in judged if one.destination == self._place and not _comes_along(one))
        sizes = tuple(one.size or 0 for one in planned)
        yield Looked(self._place, sizes, findings)

    def _is_still_locked(self) -> bool:
        """Whether something may be recorded; where the lock was lost nothing more is looked at either."""
        if self._lock is None:
            return False
        try:
            self._lock.confirm()
        except LockHeld as held:
            self._lose(held)
            return False
        return True

    def _lose(self, lost: DataverseBackupError) -> None:
        """Nothing more is looked at here."""
        self._is_over = True
        self._ended.lost = self._ended.lost or lost

    # The end

    def _promise(self) -> Promise | None:
        every = self._request.every
        if every is None:
            return None
        choice = self._choice_now()
        past = (run for run in self._ledger.runs(self._place) if run.verb == AUDIT_VERB)
        return Promise(
            every,
            total=self._amount(replace(choice, proven_before=None)),
            due=self._amount(choice),
            limits=self._request.limits,
            speed=measured_speed(past),
        )

    def _choice_now(self) -> Choice:
        now, every = datetime.now(UTC), self._request.every
        return Choice(now, None if every is None else now - every, self._request.dataset)

    def _ending(self) -> Ending:
        ended = self._ended
        if ended.damaged:
            return Ending.DAMAGE
        if self._stop.is_set():
            return Ending.INTERRUPTED
        if ended.lost or ended.lost_stores or ended.unknown_stores or ended.undecided:
            return Ending.FAILURES
        if ended.verdicts.total() > ended.intact or ended.bad_dumps:
            return Ending.FAILURES
        return Ending.OK if ended.limit is None else Ending.LIMIT

    def _end(self) -> AuditEnded:
        self._ended.record = self._ledger.end_run(self._run, self._ended.ending)
        self._ended.promise = self._promise()
        return self._ended

    def _end_with(self, ending: Ending, lost: DataverseBackupError | None = None) -> AuditEnded:
        self._ended.ending, self._ended.lost = ending, lost
        if self._run:
            self._ended.record = self._ledger.end_run(self._run, ending)
        return self._ended


def _share_of(amount: Amount, share: float | None) -> Amount:
    """About how much of *amount* is chosen by chance."""
    if share is None:
        return amount
    return Amount(round(amount.files * share) or min(1, amount.files), round(amount.size * share), amount.oldest)


def _comes_along(judged: Judged) -> bool:
    """Whether it was not counted before: companions in the stores, which are looked at with their datafiles."""
    return judged.destination == PRIMARY and judged.datafile.is_companion


def _log(run: str, judged: Judged) -> None:
    log.info(
        "%s",
        judged.verdict,
        extra=facts(
            run=run,
            datafile=judged.datafile.id,
            dataset=judged.datafile.dataset.persistent_id,
            destination=judged.destination if judged.destination != PRIMARY else None,
            store=judged.datafile.store_id if judged.destination == PRIMARY else None,
            key=judged.key,
            message=judged.message or None,
        ),
    )
