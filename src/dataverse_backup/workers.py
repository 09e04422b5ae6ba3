"""Worker processes of this machine: what hands them batches, and what runs in each of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, Any, TypeVar

from dataverse_backup import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.queues import Queue

    from dataverse_backup.engine import Submit

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def processes(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
    """What hands tasks to *workers* processes of this machine, each of which makes its own way to do them.

    *make_work* is picklable and is called once in each process; what it gives does the tasks there, one after the
    other. Processes are spawned, not forked, leave Ctrl-C and SIGTERM to the run that started them, log through it, and
    end when it does, however it ends.
    """
    context = multiprocessing.get_context("spawn")
    with logs.relayed(context) as events:
        initargs = (make_work, events, logs.level_for_workers())
        executor = ProcessPoolExecutor(workers, context, initializer=_become_worker, initargs=initargs)

        def submit(task: Task, /) -> Future[Result]:
            return executor.submit(_done, task)

        try:
            yield submit
        finally:
            alive = list((executor._processes or {}).values())  # noqa: SLF001 -- no interface names them before 3.14
            executor.shutdown(wait=False, cancel_futures=True)
            _end(alive)


def _end(workers: Iterable[multiprocessing.process.BaseProcess]) -> None:
    """Let idle workers end by themselves; what still works on a batch after a moment was dropped."""
    deadline = time.monotonic() + 2.0
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()
            worker.join()


_work: Callable[[Any], Any] | None = None
"""How this worker does its tasks; made once a process, because connections are dear."""


def _done(task: Any) -> Any:
    if _work is None:
        raise RuntimeError("this process was not made by workers.processes")
    return _work(task)


def _become_worker(make_work: Callable[[], Callable[[Any], Any]], events: Queue[Any], log_level: int) -> None:
    global _work  # noqa: PLW0603 -- an initializer has no other way to hand something to the calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True, name="die-with-parent").start()
    logs.send_to(events, log_level)
    _work = make_work()


def _die_with_parent() -> None:
    """A run that was killed must not leave workers that go on copying without a lock."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
