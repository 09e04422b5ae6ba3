"""Batches through an executor, outcomes out; stops cleanly.

Any ``concurrent.futures.Executor`` will do. What is lost with a worker is not in the ledger, so the next run plans it
again: there is no scheduler of our own. A batch may run twice at once.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING

from dataverse_backup.conclusion import Outcome
from dataverse_backup.errors import DestinationLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dataverse_backup.transfer import Transfer
    from dataverse_backup.work import Batch

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""How long batches in flight may take to finish once somebody asked to stop; then they are dropped."""


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


def outcomes(
    executor: Executor, copy: Callable[[Batch], Outcome], batches: Iterable[Batch], *, in_flight: int, stop: Stop
) -> Iterator[Outcome]:
    """Run *copy* on every batch, at most *in_flight* at once; outcomes come as they are ready.

    No batch is submitted once *stop* is set or a destination was lost; what is in flight then has GRACE_SECONDS.
    A worker that dies loses its batch and ends the run, as a destination that is lost does.
    """
    waiting = iter(batches)
    running: set[Future[Outcome]] = set()
    deadline = None
    lost = False
    while True:
        ending = lost or stop.is_set()
        while not ending and len(running) < in_flight and (batch := next(waiting, None)) is not None:
            running.add(_submitted(executor, copy, batch))
        if not running:
            return
        if ending:
            deadline = deadline or time.monotonic() + GRACE_SECONDS
            if time.monotonic() > deadline:
                log.warning("dropped %d batches in flight", len(running))
                return
        done, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            outcome = _outcome_of(future)
            lost = lost or outcome.lost_destination is not None
            yield outcome


def _submitted(executor: Executor, copy: Callable[[Batch], Outcome], batch: Batch) -> Future[Outcome]:
    """*batch* on its way; where a worker died since the last outcome was taken, its future says so."""
    try:
        return executor.submit(copy, batch)
    except BrokenProcessPool as broken:
        future: Future[Outcome] = Future()
        future.set_exception(broken)
        return future


def _outcome_of(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool as broken:
        hint = "the system's log says whether it was killed for memory; lower Workers or BatchBytes"
        lost = DestinationLost("a worker process died; its batch was not recorded", hint)
        lost.__cause__ = broken
        return Outcome(lost_destination=lost)


@contextmanager
def processes(make_transfer: Callable[[], Transfer], workers: int) -> Iterator[Executor]:
    """An executor over *workers* processes of this machine, each with a transfer of its own.

    *make_transfer* is picklable and is called once in each process. Processes are spawned, not forked, leave Ctrl-C
    and SIGTERM to the run that started them, and end when it does, however it ends.
    """
    executor = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_become_worker, initargs=(make_transfer,)
    )
    try:
        yield executor
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


_transfer: Transfer | None = None
"""This worker's own; made once a process, because connections are dear."""


def copy_in_worker(batch: Batch) -> Outcome:
    """Copy *batch* with the transfer of this worker process."""
    if _transfer is None:
        raise RuntimeError("this process was not made by engine.processes")
    return _transfer.copy(batch)


def _become_worker(make_transfer: Callable[[], Transfer]) -> None:
    global _transfer  # noqa: PLW0603 -- an initializer has no other way to hand something to the calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True, name="die-with-parent").start()
    _transfer = make_transfer()


def _die_with_parent() -> None:
    """A run that was killed must not leave workers that go on copying without a lock."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
