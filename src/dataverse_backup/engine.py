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
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from dataverse_backup.conclusion import Outcome
from dataverse_backup.errors import DestinationLost, WorkerDied, WorkersLost
from dataverse_backup.feed import Feed
from dataverse_backup.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch, Work

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""How long batches in flight may take to finish once somebody asked to stop; then they are dropped."""

IN_FLIGHT_PER_WORKER = 2
"""One that is worked on, and one that waits for nobody."""


Task_contra = TypeVar("Task_contra", contravariant=True)
Result = TypeVar("Result")


class Submit(Protocol[Task_contra, Result]):
    """Hands a task to workers."""

    def __call__(self, task: Task_contra, /) -> Future[Result]:
        """What will have become of it.

        A task that its worker died of, also when nothing else was running, has the exception WorkerDied. Where workers
        die before they can do anything it has WorkersLost, and so has every further one.
        """


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

    feed: Feed
    submit: Submit[JointBatch, Outcomes]
    close: Callable[[], None]
    """Gives back the workers."""
    in_flight: int
    running: dict[Future[Outcomes], JointBatch] = field(default_factory=dict)
    again: deque[JointBatch] = field(default_factory=deque)
    """Parts of batches that workers died of."""

    def fill(self) -> None:
        while len(self.running) < self.in_flight and (batch := self._next_batch()) is not None:
            self.running[self.submit(batch)] = batch

    def _next_batch(self) -> JointBatch | None:
        return self.again.popleft() if self.again else self.feed.next_batch()

    def discard(self, destination: str) -> None:
        """Forget what is still to do for *destination*."""
        self.feed.discard(destination)
        rest = (batch.without(destination) for batch in self.again)
        self.again = deque(batch for batch in rest if batch.batches)

    @property
    def destinations(self) -> set[str]:
        return self.feed.destinations.union(*(batch.destinations for batch in (*self.running.values(), *self.again)))


class Engine:
    """The lanes of one run."""

    def __init__(
        self,
        capacities: Mapping[str, Capacity],
        open_workers: Callable[[Sequence[str], int], AbstractContextManager[Submit[JointBatch, Outcomes]]],
        stop: Stop,
    ) -> None:
        """Hand batches to what *open_workers* gives for some destinations and so many workers."""
        self._capacities, self._open_workers, self._stop = capacities, open_workers, stop
        self._lanes: list[_Lane] = []
        self._lost: set[str] = set()
        self._pace = Pace()
        self._opened = ExitStack()
        self._deadline: float | None = None

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
        self._lanes.append(_Lane(feed, submit, opened.close, capacity.workers * IN_FLIGHT_PER_WORKER))

    def drop(self, destination: str) -> None:
        """Submit nothing more for *destination*."""
        self._lost.add(destination)
        for lane in self._lanes:
            lane.discard(destination)

    def is_done_with(self, destination: str) -> bool:
        """Whether nothing is left to do for *destination*, and nothing of it in flight."""
        return not any(destination in lane.destinations for lane in self._lanes)

    def outcomes(self) -> Iterator[Outcomes]:
        """What became of each batch, as soon as it is done; works may be added meanwhile.

        No batch is submitted once somebody asked to stop; what is in flight then has GRACE_SECONDS. So it is with what
        is in flight for destinations that were lost. A batch that its worker dies of is done again in parts, until the
        work that it dies of is known.
        """
        while True:
            self._fill()
            running = [future for lane in self._lanes for future in lane.running]
            if not running:
                return
            if self._is_late():
                log.warning("dropped %d batches in flight", len(running))
                return
            wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for lane in list(self._lanes):
                yield from self._finished(lane)
            self._close_lanes()

    def _fill(self) -> None:
        if self._stop.is_set():
            return
        for lane in self._lanes:  # a lane that is added here is filled here, too
            lane.fill()
            for name in lane.feed.leaving:
                self._give_own_lane(name, lane)

    def _give_own_lane(self, name: str, lane: _Lane) -> None:
        self.add({name: lane.feed.withdraw(name)})

    def _close_lanes(self) -> None:
        """Give back the workers of lanes that have nothing more to do."""
        for lane in [lane for lane in self._lanes if not lane.destinations]:
            self._lanes.remove(lane)
            lane.close()

    def _is_late(self) -> bool:
        """Whether what is in flight was given its time to finish, and nothing but that is to be done."""
        unfinished: set[str] = set().union(*(lane.destinations for lane in self._lanes))
        if not self._stop.is_set() and not unfinished <= self._lost:
            self._deadline = None
            return False
        self._deadline = self._deadline or time.monotonic() + GRACE_SECONDS
        return time.monotonic() > self._deadline

    def _finished(self, lane: _Lane) -> Iterator[Outcomes]:
        for future in [future for future in lane.running if future.done()]:
            batch = lane.running.pop(future)
            outcomes = self._outcomes_of(future, batch, lane)
            if outcomes is None:
                continue
            for name in outcomes:
                if outcomes[name].lost_destination is not None:
                    self.drop(name)
            for name in self._pace.slow(batch, outcomes):
                if name in lane.feed.destinations:
                    log.info("%s is much slower than the others: it goes on by itself", name)
                    self._give_own_lane(name, lane)
            yield outcomes

    def _outcomes_of(self, future: Future[Outcomes], batch: JointBatch, lane: _Lane) -> Outcomes | None:
        """What became of *batch*; None where its parts are to be done first, because a worker died of it."""
        try:
            return future.result()
        except WorkerDied as died:
            return self._mourned(batch, died, lane)
        except WorkersLost as lost:
            reason = DestinationLost(lost.message, lost.hint)
            reason.__cause__ = lost
            return {name: Outcome(lost_destination=reason) for name in batch.destinations}

    def _mourned(self, batch: JointBatch, died: WorkerDied, lane: _Lane) -> Outcomes | None:
        parts = batch.parts()
        if not parts:
            return {part.destination: Outcome(deadly=list(part.works), died=died) for part in batch.batches}
        log.warning("%s; the %d parts of its batch are done one by one", died, len(parts))
        wanted = (part.without(*self._lost) for part in parts)
        lane.again.extend(part for part in wanted if part.batches)
        return None
