"""Workers that are threads of this process: for so little work that starting processes would take longer than it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from dataverse_backup.engine import Submit

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def threads(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
    """As `workers.processes`, but for what a crash would cost: *make_work* is called once in each thread."""
    own: Any = threading.local()

    def begin() -> None:
        own.work = make_work()

    def done(task: Task) -> Result:
        result: Result = own.work(task)
        return result

    pool = ThreadPoolExecutor(workers, "worker", begin)

    def submit(task: Task, /) -> Future[Result]:
        return pool.submit(done, task)

    try:
        yield submit
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
