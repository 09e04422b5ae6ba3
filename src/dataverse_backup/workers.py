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
from typing import TYPE_CHECKING, Any

from dataverse_backup import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.queues import Queue

    from dataverse_backup.engine import Submit
    from dataverse_backup.joint import JointTransfer, Outcomes
    from dataverse_backup.work import JointBatch


@contextmanager
def processes(make_transfer: Callable[[], JointTransfer], workers: int) -> Iterator[Submit]:
    """What hands batches to *workers* processes of this machine, each with a transfer of its own.

    *make_transfer* is picklable and is called once in each process. Processes are spawned, not forked, leave Ctrl-C
    and SIGTERM to the run that started them, log through it, and end when it does, however it ends.
    """
    context = multiprocessing.get_context("spawn")
    with logs.relayed(context) as events:
        initargs = (make_transfer, events, logs.level_for_workers())
        executor = ProcessPoolExecutor(workers, context, initializer=_become_worker, initargs=initargs)

        def submit(batch: JointBatch, /) -> Future[Outcomes]:
            return executor.submit(_copied, batch)

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


_transfer: JointTransfer | None = None
"""This worker's own; made once a process, because connections are dear."""


def _copied(batch: JointBatch) -> Outcomes:
    if _transfer is None:
        raise RuntimeError("this process was not made by workers.processes")
    return _transfer.copy(batch)


def _become_worker(make_transfer: Callable[[], JointTransfer], events: Queue[Any], log_level: int) -> None:
    global _transfer  # noqa: PLW0603 -- an initializer has no other way to hand something to the calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True, name="die-with-parent").start()
    logs.send_to(events, log_level)
    _transfer = make_transfer()


def _die_with_parent() -> None:
    """A run that was killed must not leave workers that go on copying without a lock."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
