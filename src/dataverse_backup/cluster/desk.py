"""Hands the tasks of one recipe to the workers of a cluster, and sees that each gets its result or its error."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from distributed import KilledWorker

from dataverse_backup.cluster import worker
from dataverse_backup.cluster.scheduler import Cancelled
from dataverse_backup.errors import WorkerDied, WorkersLost

if TYPE_CHECKING:
    from dataverse_backup.cluster.members import Members
    from dataverse_backup.cluster.recipe import Recipe
    from dataverse_backup.cluster.scheduler import Scheduler, Sent

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

MOST_LOSSES = 3
"""So often a task is handed out again after all workers that might have done it have gone. As long as one is left, Dask
does that itself: its ``allowed-failures`` are three, too."""

DROP_SECONDS = 10.0
"""So long we wait for workers to be quit of tasks that were dropped."""

_HINT = (
    "`journalctl -k` there says whether it was killed for memory: give it more (--memory-limit), or lower BatchBytes"
)


@dataclass(slots=True, eq=False)
class _Errand(Generic[Task, Result]):
    """A task on its way, and what its giver was promised."""

    task: Task
    name: str
    promised: Future[Result] = field(default_factory=Future)
    sent: Sent | None = None
    """What Dask promised; None as long as nobody is there to do it."""
    members: frozenset[str] = frozenset()
    """Who may do it."""
    losses: int = 0


class Desk(Generic[Task, Result]):
    """Takes tasks in one thread, while another one calls `look` from time to time."""

    def __init__(self, scheduler: Scheduler, members: Members, recipe: Recipe, title: str) -> None:
        """Name tasks after *title*: so they are seen in Dask's dashboard."""
        self._scheduler, self._members, self._recipe = scheduler, members, recipe
        self._title = title
        self._numbers = count(1)
        self._lock = threading.RLock()
        self._errands: set[_Errand[Task, Result]] = set()
        self._end: WorkersLost | None = None

    @property
    def workers(self) -> int:
        """How many tasks the cluster does at a time; it changes as workers come and go."""
        return max(1, self._members.threads)

    def __call__(self, task: Task, /) -> Future[Result]:
        """What will have become of *task*: its result, what it raised, WorkerDied, or WorkersLost."""
        errand: _Errand[Task, Result] = _Errand(task, f"{self._title}-{self._recipe.name}-{next(self._numbers)}")
        errand.promised.set_running_or_notify_cancel()
        with self._lock:
            self._errands.add(errand)
            if lost := self._end or self._scheduler.gone:
                self._give(errand, lost)
            else:
                self._send(errand)
        return errand.promised

    def _send(self, errand: _Errand[Task, Result]) -> None:
        """Hand it to whoever is there; where nobody is, `look` does it later."""
        errand.members = frozenset(self._members.fit)
        errand.sent = None
        if not errand.members:
            return
        key = f"{errand.name}-again-{errand.losses}" if errand.losses else errand.name
        work = (self._recipe, errand.task, self.workers)
        sent = self._scheduler.submit(worker.do, *work, key=key, members=errand.members)
        errand.sent = sent
        sent.result.add_done_callback(partial(self._take, errand, sent))

    def _take(self, errand: _Errand[Task, Result], sent: Sent, result: Future[Any]) -> None:
        """Pass on what has become of an errand; called in Dask's thread, which nothing may hold up."""
        with self._lock:
            if errand.sent is not sent:
                return  # it was recalled
            error = Cancelled() if result.cancelled() else result.exception()
            if isinstance(error, worker.Refused):
                self._members.strike(error.address, error.why)
                errand.members = frozenset()  # `look` gives it to somebody else
            elif isinstance(error, KilledWorker):
                self._give(errand, _died(f"{error.allowed_failures + 1} of them, the last one was {error.last_worker}"))
            elif isinstance(error, Cancelled):
                self._give(errand, self._scheduler.lost("the connection was closed"))
            elif error is not None:
                self._give(errand, error)
            else:
                self._errands.discard(errand)
                errand.promised.set_result(result.result())

    def _give(self, errand: _Errand[Task, Result], error: BaseException) -> None:
        """Keep the promise by an error. Only under the lock."""
        self._errands.discard(errand)
        errand.sent = None
        errand.promised.set_exception(error)

    def look(self) -> None:
        """Hand out again what nobody is left for."""
        with self._lock:
            for errand in list(self._errands):
                if not errand.members.isdisjoint(self._members.fit):
                    continue
                if errand.sent is not None and not errand.sent.result.done():
                    errand.losses += 1
                    self._recall(errand)
                if errand.losses > MOST_LOSSES:
                    self._give(errand, _died(f"all that there were, {errand.losses} times"))
                else:
                    self._send(errand)

    def _recall(self, errand: _Errand[Task, Result]) -> None:
        sent, errand.sent = errand.sent, None
        if sent is not None:
            sent.cancel()

    def fail(self, lost: WorkersLost) -> None:
        """There will be no workers any more."""
        with self._lock:
            self._end = lost
            for errand in list(self._errands):
                self._give(errand, lost)

    def close(self) -> None:
        """Drop what is not done, and wait until no worker works on it any more; but not for long."""
        with self._lock:
            dropped, self._errands = self._errands, set()
            for errand in dropped:
                self._recall(errand)
        if self._end is None:
            self._wait_until_left()

    def _wait_until_left(self) -> None:
        """Wait until no worker works for us any more; they close what they kept for it."""
        busy = set(self._members.fit)
        deadline = time.monotonic() + DROP_SECONDS
        try:
            while busy and time.monotonic() < deadline:
                busy &= self._scheduler.members().keys()
                answers = self._scheduler.ask(worker.leave, self._recipe.name, members=busy)
                busy = {address for address, answer in answers.items() if answer}  # an error: it may be just ending
                time.sleep(0.1 if busy else 0.0)
        except WorkersLost as lost:
            log.debug("%s", lost)  # said already


def _died(of_whom: str) -> WorkerDied:
    return WorkerDied(f"workers died while they worked on it: {of_whom}", _HINT)
