"""Tasks for workers that may die: who does what, and what becomes of a task that its worker died of.

A worker does one task after the other; some begin with the next one before they are done with the last. A task that
its worker died of may be innocent (the kernel, short of memory, ends whichever process it likes, and more than one may
have been under way), so it gets a second try, alone: when everything else has ended, and before anything else begins.
If its worker dies again, WorkerDied is its result. Nobody else's task is lost.

A worker that finds no room where it should work, because the others are there already, leaves, and its task to them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from dataverse_backup.conclusion import Crowded
from dataverse_backup.errors import WorkerDied, WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

MOST_STILLBORN = 8
"""So many workers in a row may die before they were ready for a task; then there will be no other."""

MOST_DEATHS = 100
"""So many workers in a row may die without any task being done in between: fifty tasks that cannot be done at all."""

SECONDS_AFTER_STILLBIRTH = 0.5
"""A pause before the next one: what is short now may be there then."""

SECONDS_TO_END = 2.0
"""So long a worker that works on nothing may take to end; what still works after it was dropped, and is killed."""

_HINT = "`journalctl -k` says whether it was killed for memory: give it more, or lower Workers or BatchBytes"


class Died(Exception):
    """A worker died, and what it was doing is lost."""

    def __init__(self, said: str, *, was_ready: bool) -> None:
        """It died of *said*; *was_ready* says whether it had begun with its task."""
        super().__init__(said)
        self.was_ready = was_ready


class Worker(Protocol[Task_contra, Result_co]):
    """Does tasks somewhere where it may die of them; made when it is needed, and again when it has died."""

    def do(self, task: Task_contra, more: Callable[[], Task_contra | None], /) -> Iterator[Result_co]:
        """Do *task*, and those that *more* gives where it can begin with them already: their results, in this order.

        Where *more* gives None there is nothing to begin with now. Raises Died, Crowded, and what a task itself raises:
        then those have no results that had none before.
        """

    def get_ready(self) -> None:
        """Make what is needed before the first task. Raises as `do`; then that makes it, or fails in the same way."""

    def kill(self) -> None:
        """Let it die now; may be called while it works, by another thread."""

    def end(self) -> None:
        """Give back what it has; only while it works on nothing."""


@dataclass(slots=True, eq=False)
class _Given(Generic[Task, Result]):
    """A task, and what its giver was promised."""

    task: Task
    future: Future[Result] = field(default_factory=Future)
    is_suspect: bool = False
    """A worker has died of it: it is done alone."""

    def fail(self, error: BaseException) -> None:
        if self.future.running() or self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Crew(Generic[Task, Result]):
    """Workers, each with a thread that hands it one task after the other."""

    def __init__(self, make_worker: Callable[[], Worker[Task, Result]], most: int) -> None:
        """Have at most *most* workers, made when there is something to do for them."""
        self._make_worker, self._most = make_worker, most
        self._workers: dict[threading.Thread, Worker[Task, Result]] = {}
        self._changed = threading.Condition()
        # What follows is read and changed under that lock.
        self._waiting: deque[_Given[Task, Result]] = deque()
        self._suspects: deque[_Given[Task, Result]] = deque()
        self._busy: list[_Given[Task, Result]] = []
        self._fit: set[threading.Thread] = set()
        """Whose workers have done something."""
        self._was_refused = False
        """Whether one of them found no room."""
        self._deaths = 0
        """Since a task was done last."""
        self._stillborn = 0
        """Since a worker was ready last."""
        self._end: BaseException | None = None
        """Why nothing more is begun."""

    @property
    def room(self) -> int | None:
        """For how many workers there is room, as far as that was tried out: some found none, or all found some."""
        with self._changed:
            is_known = self._was_refused or len(self._fit) == self._most
            return self._most if is_known else None

    def __call__(self, task: Task, /) -> Future[Result]:
        """Have *task* done. Its exception is its own, or WorkerDied or WorkersLost."""
        given: _Given[Task, Result] = _Given(task)
        with self._changed:
            if self._end is not None:
                given.fail(self._end)
                return given.future
            self._waiting.append(given)
            if len(self._busy) + len(self._waiting) > len(self._workers) < self._most:
                self._hire()
            self._changed.notify_all()
        return given.future

    def get_ready(self) -> None:
        """Have all workers now, and let them get ready: there will be something to do soon."""
        with self._changed:
            while self._end is None and len(self._workers) < self._most:
                self._hire(is_early=True)

    def close(self) -> None:
        """Begin nothing more, and give back the workers; what is not done in a moment is lost."""
        with self._changed:
            self._give_up(CancelledError())
        deadline = time.monotonic() + SECONDS_TO_END
        for thread, worker in self._workers.items():
            thread.join(max(0.0, deadline - time.monotonic()))
            while thread.is_alive():  # it may be making its worker right now
                worker.kill()
                thread.join(0.1)

    def _hire(self, *, is_early: bool = False) -> None:
        worker = self._make_worker()
        thread = threading.Thread(target=self._employ, args=(worker, is_early), daemon=True, name="crew")
        self._workers[thread] = worker
        thread.start()

    def _employ(self, worker: Worker[Task, Result], is_early: bool) -> None:  # noqa: FBT001 -- the target of a thread
        if is_early:
            try:
                worker.get_ready()
            except Exception as error:  # noqa: BLE001 -- whatever it is: its first task meets it again
                log.debug("a worker is not ready yet: %s", error)
        while (given := self._next()) is not None:
            if not self._do(worker, given):
                break
        worker.end()

    def _next(self) -> _Given[Task, Result] | None:
        """The next task, which has begun now; None where there will be no more."""
        with self._changed:
            while self._end is None:
                if (given := self._begun()) is not None:
                    return given
                self._changed.wait()
        return None

    def _begun(self) -> _Given[Task, Result] | None:
        """The next task, if there is one now; it has begun."""
        while self._end is None and (given := self._may_begin()) is not None:
            if given.future.running() or given.future.set_running_or_notify_cancel():
                self._busy.append(given)
                return given
        return None

    def _may_begin(self) -> _Given[Task, Result] | None:
        if self._suspects:
            return None if self._busy else self._suspects.popleft()
        is_done_alone = any(given.is_suspect for given in self._busy)
        return self._waiting.popleft() if self._waiting and not is_done_alone else None

    def _do(self, worker: Worker[Task, Result], given: _Given[Task, Result]) -> bool:
        """Have *given* done; whether *worker* may have another one."""
        under_way = deque([given])

        def more() -> Task | None:
            with self._changed:
                further = self._begun()
            if further is None:
                return None
            under_way.append(further)
            return further.task

        try:
            for result in worker.do(given.task, more):
                self._over(under_way[0])
                under_way.popleft().future.set_result(result)
        except Crowded as crowded:
            return not self._leave(under_way, cast("Result", crowded.result))
        except Died as died:
            for one in under_way:
                self._over(one, died)
            if not died.was_ready:
                self._pause()
        except BaseException as error:  # noqa: BLE001 -- whatever the task raises is its result
            for one in under_way:
                self._over(one)
                one.fail(error)
        return True

    def _leave(self, under_way: Iterable[_Given[Task, Result]], result: Result) -> bool:
        """Whether there are others, who do what is *under_way* then; if not, *result* is what each of it comes to."""
        is_left = self._is_left_to_others(under_way)
        for given in () if is_left else under_way:
            self._over(given)
            given.future.set_result(result)
        return is_left

    def _is_left_to_others(self, under_way: Iterable[_Given[Task, Result]]) -> bool:
        with self._changed:
            if self._end is not None or len(self._workers) < 2:  # noqa: PLR2004 -- nobody else
                return False
            del self._workers[threading.current_thread()]
            self._most, self._was_refused = len(self._workers), True
            for given in under_way:
                self._busy.remove(given)
                self._waiting.appendleft(given)
            self._changed.notify_all()
            log.warning("there is no room for so many workers: going on with %d", self._most)
            return True

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None, SECONDS_AFTER_STILLBIRTH)

    def _over(self, given: _Given[Task, Result], died: Died | None = None) -> None:
        """*given* is not being done any more."""
        with self._changed:
            self._busy.remove(given)
            if died is None:
                self._fit.add(threading.current_thread())
                self._deaths = self._stillborn = 0
            elif self._end is not None:
                given.fail(self._end)
            else:
                self._mourn(given, died)
            self._changed.notify_all()

    def _mourn(self, given: _Given[Task, Result], died: Died) -> None:
        """What a worker died of is tried once more, or is at its end."""
        if not died.was_ready:
            self._stillborn += 1
            (self._suspects if given.is_suspect else self._waiting).appendleft(given)
        elif not given.is_suspect:
            self._deaths += 1
            log.warning("a worker process died (%s); what it worked on is tried again, alone", died)
            given.is_suspect = True
            self._suspects.append(given)
        else:
            self._deaths += 1
            said = WorkerDied(f"its worker process died twice, the second time with nothing beside it ({died})", _HINT)
            said.__cause__ = died
            given.fail(said)
        if self._stillborn >= MOST_STILLBORN or self._deaths >= MOST_DEATHS:
            count = max(self._stillborn, self._deaths)
            self._give_up(WorkersLost(f"{count} worker processes died one after the other (the last: {died})", _HINT))

    def _give_up(self, error: BaseException) -> None:
        self._end = error
        _fail((*self._waiting, *self._suspects), error)
        self._waiting.clear()
        self._suspects.clear()
        self._changed.notify_all()


def _fail(all_given: Iterable[_Given[Task, Result]], error: BaseException) -> None:
    for given in all_given:
        given.fail(error)
