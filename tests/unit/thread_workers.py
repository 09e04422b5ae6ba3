"""Workers that are threads: for worlds in memory, which no other process can see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from dataverse_backup.engine import Submit

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def threads(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
    """As `workers.processes`, in this process: all threads do the tasks in the one way that was made."""
    work = make_work()
    with ThreadPoolExecutor(workers) as pool:

        def submit(task: Task, /) -> Future[Result]:
            return pool.submit(work, task)

        yield submit
