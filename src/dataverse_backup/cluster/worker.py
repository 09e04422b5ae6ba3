"""What runs in a worker of a Dask cluster."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from distributed import get_worker
from distributed.core import Status

from dataverse_backup import logs
from dataverse_backup.cluster.events import packed, progress, topic_of
from dataverse_backup.errors import WorkerUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Worker

    from dataverse_backup.cluster.recipe import Recipe

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""Connections that nobody has used for so long are closed: nobody tells a worker that a run was killed."""

DROPPED_SECONDS = 2.0
"""So long a task that nobody waits for any more may take to end."""

DROPPED = 98
"""The exit status of a worker process that still worked on such a task then."""

_LOOK_SECONDS = 0.5

_GONE = {Status.closing, Status.closed, Status.failed, Status.stopping, Status.stopped, Status.undefined}
"""A worker in these has lost its scheduler, or is leaving: its tasks are others' now."""


class Refused(Exception):
    """A worker does no task of a recipe, because it would not do what the coordinator would do."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(address, why)
        self.address, self.why = address, why


def do(recipe: Recipe, task: Any, sharers: int) -> Any:
    """Do *task* as *recipe* says, as one of *sharers*. Raises Refused, and what the task itself raises."""
    worker = get_worker()
    key = str(worker.get_current_task())
    with _relayed(worker, recipe), _house.known(_Running(worker, key, recipe.name)):
        try:
            kept = _house.taken(recipe)
        except WorkerUnfit as unfit:
            raise Refused(worker.address, _words(unfit)) from unfit
        with _house.used(kept):
            if isinstance(kept.work, _Sharing):
                kept.work.share(sharers)
            if isinstance(kept.work, _Telling):
                kept.work.tell(partial(_tell, worker, topic_of(recipe.name)))
            return kept.work(task)


def examine(recipe: Recipe) -> str | None:
    """Why this worker cannot do tasks of *recipe*; None where it can. Nothing is connected by that."""
    try:
        _close(recipe.make())
    except WorkerUnfit as unfit:
        return _words(unfit)
    return None


def _words(unfit: WorkerUnfit) -> str:
    return f"{socket.gethostname()}: {unfit.message}" + (f" ({unfit.hint})" if unfit.hint else "")


def leave(recipe: str) -> list[str]:
    """Keep nothing more for that recipe; the keys of its tasks that are still being worked on here."""
    return _house.leave(recipe)


@runtime_checkable
class _Closable(Protocol):
    """A way to do tasks that holds connections."""

    def close(self) -> None:
        """Give them back."""


@runtime_checkable
class _Sharing(Protocol):
    """A way to do tasks that uses something of which there is only so much for all."""

    def share(self, sharers: int) -> None:
        """Use one of so many equal parts."""


@runtime_checkable
class _Telling(Protocol):
    """A way to do tasks that says how far it has come."""

    def tell(self, hear: Callable[[str, int, int], object]) -> None:
        """Let *hear* know from now on."""


def _tell(worker: Worker, topic: str, destination: str, first: int, count: int) -> None:
    """Tell the coordinator."""
    worker.log_event(topic, progress(destination, first, count))


def _close(work: object) -> None:
    if isinstance(work, _Closable):
        with suppress(Exception):  # whatever it cannot give back is gone already
            work.close()


@dataclass(frozen=True, slots=True)
class _Running:
    """A task that this process is working on."""

    worker: Worker
    key: str
    recipe: str

    @property
    def is_dropped(self) -> bool:
        """Whether nobody waits for it: it was cancelled, its run or its scheduler is gone, or another worker has it."""
        if self.worker.status in _GONE:
            return True
        state = self.worker.state.tasks.get(self.key)
        return state is None or state.state == "cancelled"


@dataclass(slots=True)
class _Kept:
    """A way to do tasks, as long as it is not in use."""

    recipe: str
    work: Any
    """Called with a task; some can `share` and be closed."""
    used: float = field(default_factory=time.monotonic)


class _House:
    """What this process keeps between tasks, and what it is working on.

    A thread looks after it: a run that was killed, or that lost its scheduler, must not leave workers behind that go on
    copying without a lock, nor connections that stay open. No thread can be stopped from outside, so a process with a
    dropped task ends, as those of a run on one machine do; Dask's nanny, or systemd, starts another one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Kept] = []
        self._running: dict[_Running, float | None] = {}
        """Since when each has been seen to be dropped."""
        self._keeper: threading.Thread | None = None

    @contextmanager
    def known(self, task: _Running) -> Iterator[None]:
        """Look after *task* while it is done."""
        with self._lock:
            self._running[task] = None
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, daemon=True, name="keep-house")
                self._keeper.start()
        try:
            yield
        finally:
            with self._lock:
                del self._running[task]

    def taken(self, recipe: Recipe) -> _Kept:
        """A way to do a task of *recipe*: one that is there already, or a new one. Raises WorkerUnfit."""
        with self._lock:
            kept = next((kept for kept in self._idle if kept.recipe == recipe.name), None)
            if kept is not None:
                self._idle.remove(kept)
                return kept
        return _Kept(recipe.name, recipe.make())

    @contextmanager
    def used(self, kept: _Kept) -> Iterator[None]:
        """Keep it for the next task, unless an error leaves it in a state that is nothing to begin with."""
        try:
            yield
        except BaseException:
            _close(kept.work)
            raise
        with self._lock:
            kept.used = time.monotonic()
            self._idle.append(kept)

    def leave(self, recipe: str) -> list[str]:
        """Let the keeper close what is kept for *recipe*; the keys of what is still being worked on."""
        with self._lock:
            for kept in self._idle:
                if kept.recipe == recipe:
                    kept.used = -IDLE_SECONDS
            return [task.key for task in self._running if task.recipe == recipe]

    def _keep(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            if self._is_overdue():
                log.warning("nobody waits any more for what this worker process is working on: it ends")
                os._exit(DROPPED)
            for kept in self._stale():
                _close(kept.work)
            with self._lock:
                if not self._running and not self._idle:
                    self._keeper = None
                    return

    def _is_overdue(self) -> bool:
        now = time.monotonic()
        with self._lock:
            for task, since in self._running.items():
                self._running[task] = (since or now) if task.is_dropped else None
            return any(since is not None and now - since > DROPPED_SECONDS for since in self._running.values())

    def _stale(self) -> list[_Kept]:
        deadline = time.monotonic() - IDLE_SECONDS
        with self._lock:
            stale = [kept for kept in self._idle if kept.used < deadline]
            self._idle = [kept for kept in self._idle if kept.used >= deadline]
            return stale


_house = _House()


@contextmanager
def _relayed(worker: Worker, recipe: Recipe) -> Iterator[None]:
    """Send what is logged meanwhile to the coordinator."""
    handler = _Relay(worker, topic_of(recipe.name))
    logging.getLogger(logs.ROOT).setLevel(recipe.log_level)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Relay(logging.Handler):
    """Hands events to Dask."""

    def __init__(self, worker: Worker, topic: str) -> None:
        super().__init__()
        self._worker, self._topic = worker, topic

    def emit(self, record: logging.LogRecord) -> None:
        """Send one."""
        try:
            self._worker.log_event(self._topic, {"worker": self._worker.address, **packed(record)})
        except Exception:  # noqa: BLE001 -- an event is never worth a task
            self.handleError(record)
