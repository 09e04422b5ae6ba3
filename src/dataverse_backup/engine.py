"""Batches through executors, outcomes out; stops cleanly.

Whatever runs a function elsewhere and gives a future will do: any ``concurrent.futures.Executor``. What is lost with a
worker is not in the ledger, so the next run plans it again: there is no scheduler of our own. A batch may run twice at
once.

Destinations that need the same datafiles go in one lane, so that each object is read once. One that takes much longer
than the others, or that shares nothing more with them, goes on in a lane of its own and holds up nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

from dataverse_backup.conclusion import Crowded, Outcome, whole
from dataverse_backup.errors import DestinationLost, WorkerDied, WorkersLost
from dataverse_backup.feed import Feed
from dataverse_backup.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dataverse_backup.allowance import Allowance, Limit
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch, Work

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""How long batches in flight may take to finish once somebody asked to stop; then they are dropped."""

IN_FLIGHT_PER_WORKER = 3
"""One that is sent, one that was sent and is being proven, and one that waits for nobody."""


Task_contra = TypeVar("Task_contra", contravariant=True)
Result = TypeVar("Result")


class Submit(Protocol[Task_contra, Result]):
    """Hands a task to workers."""

    def __call__(self, task: Task_contra, /) -> Future[Result]:
        """What will have become of it.

        A task that its worker died of, also when nothing else was running, has the exception WorkerDied. Where workers
        die before they can do anything it has WorkersLost, and so has every further one.
        """


@runtime_checkable
class Elastic(Protocol):
    """A Submit whose workers come and go."""

    @property
    def workers(self) -> int:
        """How many tasks they do at a time, now."""


@runtime_checkable
class Roomy(Protocol):
    """A Submit that learns for how many workers there is room."""

    @property
    def room(self) -> int | None:
        """For so many, where that was tried out."""


@runtime_checkable
class Eager(Protocol):
    """A Submit whose workers may be there before there is something to do."""

    def get_ready(self) -> None:
        """Have them get ready."""


def most_in_flight(submit: object, workers: int) -> int:
    """How many tasks may be on their way now: by *workers* in all, where *submit* does not know better."""
    return IN_FLIGHT_PER_WORKER * (submit.workers if isinstance(submit, Elastic) else workers)


class Stop:
    """Set by a signal handler or a limit: finish or drop what is in flight, record, and end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask to stop; may be called from a signal handler."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether somebody asked to stop."""
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a destination takes at a time."""

    workers: int
    batch_files: int
    batch_bytes: int

    @classmethod
    def together(cls, capacities: Sequence[Capacity]) -> Capacity:
        """Of destinations that share a lane: workers as for the one with most, batches that suit each."""
        return cls(
            max(capacity.workers for capacity in capacities),
            min(capacity.batch_files for capacity in capacities),
            min(capacity.batch_bytes for capacity in capacities),
        )


@dataclass(slots=True, eq=False)
class _Lane:
    """Workers for one or several destinations, what is to be done there, and what is being done."""

    names: frozenset[str]
    """Of its destinations."""
    feed: Feed
    submit: Submit[JointBatch, Outcomes]
    close: Callable[[], None]
    """Gives back the workers."""
    workers: int
    running: dict[Future[Outcomes], JointBatch] = field(default_factory=dict)
    again: deque[JointBatch] = field(default_factory=deque)
    """Parts of batches that workers died of."""

    @property
    def has_room(self) -> bool:
        return len(self.running) < most_in_flight(self.submit, self.workers)

    def next_batch(self) -> JointBatch | None:
        return self.again.popleft() if self.again else self.feed.next_batch()

    def discard(self, destination: str) -> None:
        """Forget what is still to do for *destination*."""
        self.feed.discard(destination)
        rest = (batch.without(destination) for batch in self.again)
        self.again = deque(batch for batch in rest if batch.batches)

    @property
    def waiting(self) -> set[str]:
        """The destinations of what is not in flight yet."""
        return self.feed.destinations.union(*(batch.destinations for batch in self.again))

    @property
    def destinations(self) -> set[str]:
        return self.waiting.union(*(batch.destinations for batch in self.running.values()))


class Engine:
    """The lanes of one run."""

    def __init__(
        self,
        capacities: Mapping[str, Capacity],
        open_workers: Callable[[Sequence[str], int], AbstractContextManager[Submit[JointBatch, Outcomes]]],
        stop: Stop,
        allowances: Mapping[str, Allowance] | None = None,
    ) -> None:
        """Hand batches to what *open_workers* gives for some destinations and so many workers.

        A destination that has one of *allowances* is dropped when that is used up.
        """
        self.limited: dict[str, Limit] = {}
        """The destinations that were dropped at a limit before everything was done."""
        self.room: dict[str, int] = {}
        """For how many workers there was room, by the destinations where that was tried out."""
        self._capacities, self._open_workers, self._stop = capacities, open_workers, stop
        self._allowances = allowances or {}
        self._lanes: list[_Lane] = []
        self._dropped: dict[str, float] = {}
        """By destination: when what is in flight for it is dropped too."""
        self._pace = Pace()
        self._opened = ExitStack()
        self._end: float | None = None
        """When what is in flight is dropped, now that somebody asked to stop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add(self, works: Mapping[str, Iterable[Work]]) -> None:
        """Do *works*, given for each destination by ascending datafile id, in one lane."""
        capacity = Capacity.together([self._capacities[name] for name in works])
        feed = Feed(works, files=capacity.batch_files, size=capacity.batch_bytes)
        self._opened.callback(feed.close)
        opened = self._opened.enter_context(ExitStack())
        submit = opened.enter_context(self._open_workers(sorted(works), capacity.workers))
        self._lanes.append(_Lane(frozenset(works), feed, submit, opened.close, capacity.workers))

    def drop(self, destination: str, *, grace: float | None = None) -> None:
        """Submit nothing more for *destination*; what is in flight may go on for *grace* (or GRACE) seconds."""
        deadline = time.monotonic() + (GRACE_SECONDS if grace is None else grace)
        self._dropped[destination] = min(deadline, self._dropped.get(destination, deadline))
        for lane in self._lanes:
            lane.discard(destination)

    def in_flight(self, destination: str) -> dict[int, int]:
        """The batches that are on their way to *destination*: the first datafile of each, and its size in bytes."""
        parts = (part for lane in self._lanes for joint in lane.running.values() for part in joint.batches)
        return {part.works[0].datafile.id: part.size for part in parts if part.destination == destination}

    def is_dropped(self, destination: str) -> bool:
        """Whether nothing more is submitted for *destination*."""
        return destination in self._dropped

    def is_at_the_end_of(self, destination: str) -> bool:
        """Whether all that is left to do for *destination* is in flight."""
        return not any(destination in lane.waiting for lane in self._lanes)

    def is_done_with(self, destination: str) -> bool:
        """Whether nothing is left to do for *destination*, and nothing of it in flight.

        Workers that have nothing more to do have given back their connections then: there may be no room for others.
        """
        self._close_lanes()
        return not any(destination in lane.destinations for lane in self._lanes)

    def outcomes(self) -> Iterator[Outcomes]:
        """What became of each batch, as soon as it is done, and nothing now and then; works may be added meanwhile.

        No batch is submitted once somebody asked to stop; what is in flight then has GRACE_SECONDS. So it is with what
        is in flight for destinations that were lost. What is in flight when a limit is reached is finished, but for
        what has no more time. A batch that its worker dies of is done again in parts, until the work that it dies of
        is known.
        """
        while True:
            self._refill()
            running = [future for lane in self._lanes for future in lane.running]
            if not running:
                return
            if not wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
                yield {}
            for lane in list(self._lanes):
                yield from self._finished(lane)
            self._drop_late()
            self._close_lanes()

    def _refill(self) -> None:
        self._drop_at_limits()
        self._fill()

    def _drop_at_limits(self) -> None:
        for name, allowance in self._allowances.items():
            limit = allowance.reached
            if limit is not None and name not in self._dropped:
                if any(name in lane.waiting for lane in self._lanes):
                    self.limited[name] = limit
                self.drop(name, grace=allowance.grace)

    def _fill(self) -> None:
        if self._stop.is_set():
            return
        for lane in self._lanes:  # a lane that is added here is filled here, too
            while lane.has_room and not self._must_wait(lane) and (batch := lane.next_batch()) is not None:
                self._submit(batch, lane)
            for name in lane.feed.leaving:
                self._give_own_lane(name, lane)

    def _must_wait(self, lane: _Lane) -> bool:
        """Whether what is in flight may use up what a destination is allowed."""
        return any(name in self._allowances and self._allowances[name].is_promised for name in lane.waiting)

    def _submit(self, batch: JointBatch, lane: _Lane) -> None:
        for part in batch.batches:
            if part.destination in self._allowances:
                self._allowances[part.destination].begin(part)
        lane.running[lane.submit(batch)] = batch

    def _ended(self, batch: JointBatch, outcomes: Outcomes | None) -> None:
        for part in batch.batches:
            if part.destination in self._allowances:
                self._allowances[part.destination].end(part, (outcomes or {}).get(part.destination))

    def _give_own_lane(self, name: str, lane: _Lane) -> None:
        self.add({name: lane.feed.withdraw(name)})

    def _close_lanes(self) -> None:
        """Give back the workers of lanes that have nothing more to do."""
        for lane in [lane for lane in self._lanes if not lane.destinations]:
            self._lanes.remove(lane)
            if isinstance(lane.submit, Roomy) and (room := lane.submit.room) is not None:
                self.room |= dict.fromkeys(lane.names, room)
            lane.close()

    def _drop_late(self) -> None:
        """Drop what is in flight where it was given its time to finish, and nothing but that is to be done."""
        now = time.monotonic()
        if self._stop.is_set():
            self._end = self._end or now + GRACE_SECONDS
        for lane in self._lanes:
            deadlines = [self._dropped.get(name, float("inf")) for name in lane.destinations]
            if lane.running and now > min(self._end or float("inf"), max(deadlines)):
                self._drop_running(lane)

    def _drop_running(self, lane: _Lane) -> None:
        log.warning("dropped %d batches in flight", len(lane.running))
        for name in lane.destinations:
            if name in self._allowances and (limit := self._allowances[name].reached) is not None:
                self.limited[name] = limit
        lane.running.clear()

    def _finished(self, lane: _Lane) -> Iterator[Outcomes]:
        for future in [future for future in lane.running if future.done()]:
            batch = lane.running.pop(future)
            outcomes = self._outcomes_of(future, batch, lane)
            self._ended(batch, outcomes)
            if outcomes is None:
                continue
            for name in outcomes:
                if outcomes[name].lost_destination is not None:
                    self.drop(name)
            for name in self._pace.slow(batch, outcomes):
                if name in lane.feed.destinations:
                    log.info("%s is much slower than the others: it goes on by itself", name)
                    self._give_own_lane(name, lane)
            self._refill()  # who takes the outcomes may need a while
            yield outcomes

    def _outcomes_of(self, future: Future[Outcomes], batch: JointBatch, lane: _Lane) -> Outcomes | None:
        """What became of *batch*; None where its parts are to be done first, because a worker died of it."""
        try:
            outcomes = future.result()
        except WorkerDied as died:
            return self._mourned(batch, died, lane)
        except Crowded as crowded:
            return crowded.result
        except WorkersLost as lost:
            reason = DestinationLost(lost.message, lost.hint)
            reason.__cause__ = lost
            return {name: Outcome(lost_destination=reason) for name in batch.destinations}
        return outcomes | {part.destination: whole(outcomes[part.destination], part) for part in batch.batches}

    def _mourned(self, batch: JointBatch, died: WorkerDied, lane: _Lane) -> Outcomes | None:
        parts = batch.parts()
        if not parts:
            return {part.destination: Outcome(deadly=list(part.works), died=died) for part in batch.batches}
        log.warning("%s; the %d parts of its batch are done one by one", died, len(parts))
        wanted = (part.without(*self._dropped) for part in parts)
        lane.again.extend(part for part in wanted if part.batches)
        return None
