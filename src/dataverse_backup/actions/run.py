"""The run at one destination, under its lock: what only concerns that destination."""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.actions.attempt_log import log_attempts
from dataverse_backup.actions.contact import Contact
from dataverse_backup.actions.database import DumpOfRun
from dataverse_backup.actions.events import Dumping, Ended, Ending, Event, Planning
from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.actions.possession import take_possession
from dataverse_backup.allowance import Allowance
from dataverse_backup.brake import Brake, Watch, is_suspicious
from dataverse_backup.chunks import chunks
from dataverse_backup.conclusion import Conclusion
from dataverse_backup.datafile import MAIN, Datafile, NotHere, fingerprint
from dataverse_backup.destinations.base import Staging, folded
from dataverse_backup.errors import (
    BrakePulled,
    CatalogueUnavailable,
    CopyKilledWorker,
    DestinationLost,
    DestinationRefused,
    LedgerError,
    LockHeld,
    ObjectError,
    Reason,
)
from dataverse_backup.layout import key_for
from dataverse_backup.ledger.base import BACKUP_VERB, REPAIR_VERB, Attempt, Status
from dataverse_backup.plan import Plan, Scope
from dataverse_backup.planner import CHUNK, make_plan
from dataverse_backup.work import Why, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from dataverse_backup.actions.database import OneDump
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.allowance import Limit
    from dataverse_backup.conclusion import Outcome
    from dataverse_backup.destinations.base import Destination, Traits
    from dataverse_backup.engine import Capacity, Stop
    from dataverse_backup.ledger.base import Lock
    from dataverse_backup.logos import LogoAnswers
    from dataverse_backup.outflow import Outflow

log = logging.getLogger(__name__)

_SECONDS_OF_CONTACT = 10.0
"""So long a run keeps its own connection without using it: workers that find no room for theirs try again then."""


class Run:
    """Locked, begun, told of its outcomes, ended; abandoned where something goes wrong that concerns all."""

    def __init__(
        self,
        installation: Installation,
        site: Site,
        stop: Stop,
        brake: Brake,
        *,
        limit: int | None = None,
        only: Container[int] | None = None,
        dump: OneDump | None = None,
        logos: LogoAnswers | None = None,
    ) -> None:
        """Back up to *site*, at most *limit* datafiles; or repair there, which is to back up none but *only* these.

        All runs of one invocation have the same *brake*, the same *dump*, which is kept if the site wants that, and
        the same *logos*, so that no dataset is asked for its logo twice.
        """
        self.site = site
        self.is_over = False
        """Nothing more is to be done; it has its Ended or is about to get it."""
        self._catalogue, self._ledger, self._stores = installation.catalogue, installation.ledger, installation.stores
        self._get_ready = installation.get_ready
        self.allowance = Allowance(site.limits)
        """What it may still do."""
        self._stop = stop
        self._limit, self._only, self._logos = limit, only, logos
        self._brake = brake
        self._watch = Watch(self._brake, site.thresholds, self._suspicious_before)
        self._dump = DumpOfRun(site.name, site.dumps, dump)
        self._held = ExitStack()
        self._lock: Lock | None = None
        self._abilities = ""
        self._id: str | None = None
        self._plan: Plan | None = None
        self._ended = Ended(site.name, Ending.OK)
        self._again: list[Work] = []
        self._had_second_chance = False
        self._contact = Contact(lambda: site.open_destination(self.staging))
        self.make_room: Callable[[], bool] = lambda: False
        """Has workers give back their connections; whether there were any."""

    @property
    def name(self) -> str:
        """The destination."""
        return self.site.name

    def lock(self) -> None:
        """Take the lock; where another run holds it, this one is over."""
        try:
            self._lock = self._held.enter_context(self._ledger.lock(self.name))
        except LockHeld as held:
            self._end_with(Ending.BUSY, held)

    def set_out(self) -> None:
        """Begin, and connect while there is other work. Raises LedgerError."""
        if self._stop.is_set():
            self._end_with(Ending.INTERRUPTED)
            return
        if self._has_work():
            self._get_ready()
        self._id = self._ledger.begin_run(BACKUP_VERB if self._only is None else REPAIR_VERB, self.name)
        self._abilities = self._ledger.abilities(self.name)
        self._held.callback(self._contact.give_back)
        self._contact.begin()

    def _has_work(self) -> bool:
        """Whether there is something to do, as far as one can tell before the plan."""
        last = self._ledger.last_run(self.name)
        return self._only is not None or self.is_first or last is None or last.outcome != Ending.OK

    def begin(self) -> Iterator[Event]:
        """Reach the destination and plan. Raises CatalogueError and LedgerError."""
        if self._brake.pulled is not None:
            self._end_with(Ending.BRAKE)
            return
        try:
            scope = self._reach()
        except DestinationLost as lost:
            self._end_with(Ending.INTERRUPTED if self._stop.is_set() else Ending.LOST, lost)
            return
        yield from (Dumping(self.name, size) for size in self._dump.take(self._ledger))
        try:
            self._plan = plan = self._held.enter_context(make_plan(self._catalogue, self._ledger, scope))
        except BrakePulled as pulled:
            self._brake.pull(pulled)
            self._end_with(Ending.BRAKE)
            return
        self._ended.plan = plan
        self._ended.lost_stores.update(plan.lost_stores)
        yield Planning(self.name, plan)
        yield from self._record(self._refusals(plan))

    @property
    def staging(self) -> Staging:
        """Where this run stages; only once it has begun."""
        if self._id is None:
            raise RuntimeError("a run has an id once it has begun")
        return Staging(self._ledger.id, self._id, self._abilities)

    def send_dump(self, outflow: Outflow) -> None:
        """Begin to send the dump of the database, where one was taken for this destination."""
        size = self._dump.send(partial(self.site.open_destination, self.staging), outflow)
        self.allowance.send(size)

    @property
    def is_sending_dump(self) -> bool:
        """Whether ending would wait for a dump that is still on its way."""
        return self._dump.is_sending

    def _reach(self) -> Scope:
        """Reach the destination, make sure that it is ours, and clear what earlier runs left in staging."""
        destination, traits = self._contact_made()
        if (told := destination.abilities()) != self._abilities:
            self._ledger.keep_abilities(self.name, told)
            self._abilities = told
        if not take_possession(self._ledger, destination):
            destination.sweep()
        folds = folded if traits.folds_case else None
        brake = None if self._brake.is_released else self.site.thresholds
        return Scope(
            self.name,
            self._stores,
            folded=folds,
            limit=self._limit,
            only=self._only,
            brake=brake,
            logos=self._logos,
            get_ready=self._get_ready,
        )

    def _contact_made(self) -> tuple[Destination, Traits]:
        """Connected; where workers may have taken the only room, they leave and it is tried again."""
        try:
            return self._contact.made()
        except DestinationRefused:
            raise
        except DestinationLost:
            if self._stop.is_set() or not self.make_room():
                raise
            return self._contact.made_at_last()

    @property
    def is_first(self) -> bool:
        """Whether nothing was ever copied to the destination: then there is something to do, as far as one can tell."""
        return not self._ledger.knows_destination(self.name)

    @property
    def abilities(self) -> str:
        """What is known of the destination by now, for its workers."""
        return self._abilities

    def _refusals(self, plan: Plan) -> list[Attempt]:
        """Attempts for the datafiles of which no key could be made: they failed without being tried."""
        now = datetime.now(UTC)
        return [
            replace(self._conclusion(Work(r.datafile, "", None, Why.NEW), now).failed([r.error]), key=None)
            for r in plan.refused
        ]

    def _deadly(self, outcome: Outcome) -> list[Attempt]:
        """Attempts for works that their worker processes died of: nobody else is there to say what became of them."""
        died, now = outcome.died, datetime.now(UTC)
        if died is None:
            return []
        return [
            self._conclusion(work, now).failed([CopyKilledWorker(self.name, work.key, died.message, died.hint)])
            for work in outcome.deadly
        ]

    def _conclusion(self, work: Work, started: datetime) -> Conclusion:
        return Conclusion(work, self.site.name, self.site.method, started)

    def works(self) -> Iterator[Work]:
        """What is to be done, by ascending datafile id; to be asked for once."""
        return iter(()) if self._plan is None else self._plan.works()

    def take(self, outcome: Outcome) -> Iterator[Attempt]:
        """Record what became of a batch; nothing, where the lock has been lost."""
        if self.is_over:
            return
        self._ended.lost_stores.update(outcome.lost_stores)
        self._ended.lost = self._ended.lost or outcome.lost_destination
        self._ended.bytes_read += outcome.bytes_read
        attempts = outcome.attempts if self._had_second_chance else self._reconsidered(outcome.attempts)
        yield from self._settle(self._watch.sift(attempts + self._deadly(outcome)))

    @property
    def capacity(self) -> Capacity:
        """That of the site; where there was no room for so many workers, one more is tried than had some."""
        wanted, room = self.site.capacity, self._ledger.room(self.name)
        return wanted if room is None else replace(wanted, workers=min(wanted.workers, room + 1))

    def note_room(self, workers: int) -> None:
        """There was room for so many workers."""
        room = workers if workers < self.site.capacity.workers else None
        if room != self._ledger.room(self.name):
            self._ledger.keep_room(self.name, room)

    def finish(self) -> Iterator[Event]:
        """Record what was held back until it was known not to be unusual, and end. Raises LedgerError."""
        if not self.is_over:
            yield from self._settle(self._watch.rest())
        yield self.end()

    def stop_at(self, limit: Limit) -> None:
        """Note that *limit* was reached before everything was done."""
        self._ended.limit = limit

    def take_again(self) -> list[Work]:
        """Datafiles whose rows changed while they were read: a second chance, as they are now, and no third."""
        self._had_second_chance = True
        again, self._again = self._again, []
        return sorted(again, key=lambda work: work.datafile.place)

    def keep_contact(self, *, is_ending: bool) -> None:
        """See to the connection for what is written at the end; to be called now and then while files are copied.

        In a run that takes longer ours is given back, for there may not be room for one more than the workers', and
        made again when a batch was done and the last ones are on their way.
        """
        if is_ending and self._ended.settled.files and not self.is_over:
            self._contact.begin()
        elif self._contact.seconds > _SECONDS_OF_CONTACT:
            self._contact.give_back()

    def end(self) -> Ended:
        """Let go of everything. Raises LedgerError."""
        if not self.is_over:
            self._note_dump()
            self._explain()
            self._ended.ending = self._ending()
            self.is_over = True
        if self._ended.ending is Ending.BRAKE:
            self._ended.brake = self._brake.pulled
        if self._id is not None:
            self._ended.record = self._ledger.end_run(self._id, self._ended.ending, message=self._message())
        self._let_go()
        return self._ended

    def _message(self) -> str:
        """Why it ended before its time, or else what it could not find out."""
        why = self._ended.brake or self._ended.lost
        if why is not None:
            return why.message
        return "\n".join(one.message for one in self._plan.not_asked) if self._plan is not None else ""

    def _note_dump(self) -> None:
        """Wait for the dump, and record it; not where the lock has been lost."""
        self._ended.dump = self._dump.result()
        if self._ended.dump is not None:
            with suppress(LockHeld):  # whoever has it now has a dump of its own
                self._confirm()
                self._ledger.record_dump(self.staging.run, self._ended.dump)

    def _explain(self) -> None:
        """Let the destination say what lies in it; what fails is told, and made good by the next run."""
        if self._plan is None or self._ended.lost is not None or self._brake.pulled or self._stop.is_set():
            return
        if next(self._ledger.stale_manifests(self.name), None) is None:
            return
        try:
            self._confirm()
            destination, _ = self._contact.made_at_last()
            self._ended.unexplained = write_manifests(self._ledger, destination, self._stop)
        except (DestinationLost, LockHeld) as error:
            self._ended.unexplained = [error]

    def abandon(self) -> None:
        """Let go of everything, because something went wrong that ends all runs."""
        if self._id is not None and self._ended.record is None:
            with suppress(LedgerError):
                self._ledger.end_run(self._id, "error")
        self._let_go()

    def _let_go(self) -> None:
        self._dump.close()
        self._held.close()

    def _settle(self, attempts: list[Attempt]) -> Iterator[Attempt]:
        for attempt in self._record(attempts):
            self._ended.settled.add(attempt.datafile)
            yield attempt

    def _suspicious_before(self, ids: Sequence[int]) -> set[int]:
        """Which of these datafiles had such a source before, for whichever destination it was to be read."""
        found: set[int] = set()
        for name in self._ledger.destinations():
            for some in chunks(ids, CHUNK):
                its_own = (one for one in self._ledger.standings(name, some) if one.tag == MAIN)
                found |= {one.datafile_id for one in its_own if is_suspicious(one)}
        return found

    def _record(self, attempts: list[Attempt]) -> Iterator[Attempt]:
        if not attempts:
            return
        try:
            self._confirm()
        except LockHeld as held:
            self._end_with(Ending.BUSY, held)
            return
        self._ledger.record(self.staging.run, attempts)
        log_attempts(self.staging.run, attempts)
        for attempt in attempts:
            if attempt.datafile.is_companion and attempt.status is Status.OK:
                self._ended.companions += 1
            else:
                self._ended.tried[attempt.status] += 1
            yield attempt

    def _confirm(self) -> None:
        """Raise LockHeld where the lock is not ours any more: then nothing is recorded (design, rule 13)."""
        if self._lock is None:
            raise RuntimeError("a run is locked before it records")
        self._lock.confirm()

    def _end_with(self, ending: Ending, lost: DestinationLost | LockHeld | None = None) -> None:
        self.is_over = True
        self._ended.ending, self._ended.lost = ending, lost

    # Every `missing` or `source-differs` reads its row again first (design, rule 10).

    def _reconsidered(self, attempts: list[Attempt]) -> list[Attempt]:
        doubtful = {a.datafile.place for a in attempts if a.reason in (Reason.MISSING, Reason.SOURCE_DIFFERS)}
        if not doubtful:
            return attempts
        try:
            rows = self._catalogue.read(sorted({datafile_id for datafile_id, _ in doubtful}))
        except CatalogueUnavailable as error:
            log.warning("%s; %d failures are not recorded, the next run tries them again", error, len(doubtful))
            self._ended.unconfirmed += len(doubtful)
            return [a for a in attempts if a.datafile.place not in doubtful]
        kept = (self._kept(a, rows.get(a.datafile.id)) if a.datafile.place in doubtful else a for a in attempts)
        return [attempt for attempt in kept if attempt is not None]

    def _kept(self, attempt: Attempt, row: Datafile | NotHere | None) -> Attempt | None:
        """The attempt as it is to be recorded, now that its row was read again; None where it says nothing."""
        row = row.object_of(attempt.datafile.tag) if isinstance(row, Datafile) else row
        if row is None or attempt.datafile.is_logo:
            where = "its store" if attempt.datafile.is_logo else "the Dataverse database"
            said = f"it has gone from {where} since the run began"
            return replace(attempt, status=Status.GONE, reason=None, message=said)
        if isinstance(row, NotHere):
            if not attempt.datafile.is_companion:
                self._ledger.note(self.name, not_here=[row])
            return None
        if fingerprint(row) == fingerprint(attempt.datafile):
            return attempt
        if attempt.key is not None and self._has_key(row, attempt.key):
            self._again.append(Work(row, attempt.key, None, Why.CHANGED))
        return None  # with another key it is for the next run's plan

    def _has_key(self, row: Datafile, key: str) -> bool:
        store = self._stores.get(row.store_id)
        try:
            return store is not None and key_for(row, store) == key
        except ObjectError:
            return False

    def _ending(self) -> Ending:
        ended, plan = self._ended, self._plan
        if self._brake.pulled is not None:
            return Ending.BRAKE
        if plan is None or (ended.lost is None and self._stop.is_set()):
            return Ending.INTERRUPTED
        if plan.lost_stores and plan.lost_stores.keys() >= plan.stores_seen:
            return Ending.LOST
        failed = ended.tried[Status.FAIL_READ] + ended.tried[Status.FAIL_WRITE] + ended.unconfirmed
        has_no_dump = ended.dump is not None and not ended.dump.is_ok
        unseen = ended.lost_stores or plan.unknown_stores or plan.unasked
        if failed or has_no_dump or ended.unexplained or ended.lost or unseen:
            return Ending.FAILURES
        return Ending.OK if ended.limit is None else Ending.LIMIT
