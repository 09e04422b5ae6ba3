"""A Dask cluster for one run: connected at its start, watched until its end."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dataverse_backup import logs
from dataverse_backup.cluster.recipe import Recipe, marks_of, written
from dataverse_backup.cluster.scheduler import Scheduler
from dataverse_backup.errors import WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from dataverse_backup.cluster.desk import Desk
    from dataverse_backup.cluster.members import Members
    from dataverse_backup.config import Settings

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

LOOK_SECONDS = 1.0

ALONE_SECONDS = 300.0
"""So long a run waits for another worker, after the last one has gone."""


def _passed_over(name: str, first: int, count: int) -> None:
    """Nobody wants to know."""


class Cluster:
    """Workers on other machines, for destinations of one configuration. Used as a context."""

    def __init__(
        self,
        address: str,
        settings: Settings,
        destinations: Collection[str],
        try_out: Callable[[], object],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Connect to nothing yet.

        Every worker must say the same of the stores and *destinations* of *settings*, and be able to call *try_out*.
        What waits for workers looks at *is_stopping*.
        """
        self.address = address
        self._settings, self._destinations = settings, destinations
        self._try_out, self._is_stopping = try_out, is_stopping
        self._scheduler = Scheduler(address)
        self._members: Members | None = None
        self._desks: list[Desk[Any, Any]] = []
        self._changed = threading.Condition()
        self._watcher: threading.Thread | None = None
        self._is_closed = False
        self._alone_since: float | None = None
        self._lost: WorkersLost | None = None

    def connect(self) -> str:
        """See that there are workers, and that they are fit; how many, in words. Raises WorkersLost, always the same.

        It is done once, whoever asks.
        """
        if self._lost is not None:
            raise self._lost
        if self._members is None:
            try:
                self._members = self._found_members()
            except WorkersLost as lost:
                self._lost = lost
                raise
            self._watcher = threading.Thread(target=self._watch, args=(self._members,), daemon=True, name="cluster")
            self._watcher.start()
        return f"{len(self._members.fit)} workers with {self._members.threads} threads"

    def _found_members(self) -> Members:
        from dataverse_backup.cluster.members import Members  # noqa: PLC0415 -- when used

        members = Members(self._scheduler, self._recipe(self._try_out))
        self._scheduler.connect()
        members.wait(self._is_stopping)
        return members

    def _recipe(self, factory: Callable[[], object]) -> Recipe:
        return Recipe(
            name=secrets.token_hex(3),
            configuration=str(self._settings.path),
            marks=marks_of(self._settings, self._destinations),
            log_level=logs.level_for_workers(),
            payload=written(factory, self._settings),
        )

    @contextmanager
    def open_workers(
        self, make_work: Callable[[], Callable[[Task], Result]], workers: int
    ) -> Iterator[Desk[Task, Result]]:
        """What hands tasks to the cluster, as `workers.processes` does to processes; as many as there are.

        Each worker makes its own way to do them, from *make_work* and its own configuration.
        """
        del workers  # those of this machine
        desk = self._opened(make_work)
        try:
            yield desk
        finally:
            with self._changed:
                self._desks.remove(desk)
            desk.close()

    def _opened(self, make_work: Callable[[], Callable[[Task], Result]]) -> Desk[Task, Result]:
        from dataverse_backup.cluster.desk import Desk  # noqa: PLC0415 -- when used

        self.connect()
        if self._members is None:
            raise RuntimeError("it is connected now")
        recipe = self._recipe(make_work)
        self._scheduler.relay(recipe.name, getattr(make_work, "heard", _passed_over))
        desk: Desk[Task, Result] = Desk(self._scheduler, self._members, recipe, getattr(make_work, "title", "work"))
        with self._changed:
            self._desks.append(desk)
            if self._lost is not None:
                desk.fail(self._lost)
        return desk

    def _watch(self, members: Members) -> None:
        """Follow workers that come and go, until the end."""
        try:
            while not self._is_closing():
                self._follow(members)
        except WorkersLost as lost:
            if not self._is_closed:
                self._give_up(lost)
        except Exception as error:
            if self._is_closed:  # in the middle of a question
                return
            log.exception("the cluster cannot be followed any more")
            self._give_up(WorkersLost(f"an error of the program: {type(error).__name__}: {error}", "please report it"))

    def _follow(self, members: Members) -> None:
        known = members.unfit.keys()
        members.look()
        for address in members.unfit.keys() - known:
            log.error("a worker is left out: %s", members.unfit[address])
        now = time.monotonic()
        self._alone_since = None if members.fit else self._alone_since or now
        if self._alone_since is not None and now - self._alone_since > ALONE_SECONDS:
            said = f"the scheduler {self.address} has had no worker that can be used for {ALONE_SECONDS:.0f} seconds"
            raise WorkersLost(said, "start some; the next run goes on")
        for desk in self._opened_desks():
            desk.look()

    def _give_up(self, lost: WorkersLost) -> None:
        with self._changed:
            self._lost = lost
        for desk in self._opened_desks():
            desk.fail(lost)

    def _opened_desks(self) -> list[Desk[Any, Any]]:
        with self._changed:
            return list(self._desks)

    def _is_closing(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._is_closed, LOOK_SECONDS)

    def close(self) -> None:
        """Disconnect; workers close what they kept for us. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._watcher is not None:
            self._watcher.join(2 * LOOK_SECONDS)
        self._scheduler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
