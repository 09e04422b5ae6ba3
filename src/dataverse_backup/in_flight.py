"""Tasks to workers, a bounded number at a time, for verbs that need no lanes: audit, repair, restore."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.engine import GRACE_SECONDS, POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dataverse_backup.engine import Stop, Submit

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_flight(
    submit: Submit[Task, Result], tasks: Iterable[Task], limit: int, stop: Stop
) -> Iterator[tuple[Task, Future[Result]]]:
    """Each of *tasks* with its future, done, as soon as it is; at most *limit* are on their way at a time.

    A task is taken from *tasks* when there is room for it, so a million of them need no memory, and what is taken may
    depend on what was done before. ``future.result()`` raises what the task raised, and what became of its worker. Once
    *stop* is set nothing more is taken; what is on its way has GRACE_SECONDS to end, and is dropped then.
    """
    waiting = iter(tasks)
    running: dict[Future[Result], Task] = {}
    deadline = float("inf")
    while True:
        if not stop.is_set():
            running |= {submit(task): task for task in islice(waiting, limit - len(running))}
        else:
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        if not running:
            return
        if time.monotonic() > deadline:
            log.warning("dropped %d tasks in flight", len(running))
            return
        wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in [future for future in running if future.done()]:
            yield running.pop(future), future
