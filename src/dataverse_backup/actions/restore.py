"""Bring datafiles back, to a folder or into Dataverse's stores, from copies that are proven on the way.

Everything that is needed comes from the ledger, or from the destination itself: Dataverse may be gone.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from dataverse_backup.allowance import NO_LIMITS, Limit, Limits
from dataverse_backup.errors import CopyFailed, DataverseBackupError, DestinationLost, RestoreError, WorkerDied
from dataverse_backup.in_flight import in_flight
from dataverse_backup.retrieval import Came, Haul, Retrieved
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from dataverse_backup.actions.restore_plan import RestorePlan
    from dataverse_backup.engine import Stop, Submit
    from dataverse_backup.retrieval import Retrieval

    Batch = Sequence[Retrieval]
    Fetch = Callable[[Batch], Haul]
    OpenWorkers = Callable[[Callable[[], Fetch], int], AbstractContextManager[Submit[Batch, Haul]]]

BATCH_FILES = 200
BATCH_BYTES = 64 << 20
IN_FLIGHT_PER_WORKER = 2


class Ending(StrEnum):
    """How a restore ended."""

    OK = "ok"
    FAILURES = "failures"
    LOST = "lost"  # no destination could be read, or nothing be brought to where it was to be
    LIMIT = "limit"  # all that was tried is there; a limit was reached before everything was
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Restored:
    """What a restore came to."""

    files: Counter[Came] = field(default_factory=Counter)
    bytes_restored: int = 0
    bytes_by_destination: Counter[str] = field(default_factory=Counter)
    lost: dict[str, DestinationLost] = field(default_factory=dict)
    """Destinations that could not be read."""
    trouble: DataverseBackupError | None = None
    """What ended it before its time."""
    limit: Limit | None = None
    """What it was stopped by before everything was done, also where it ended with failures."""
    ending: Ending = Ending.OK

    def count(self, result: Retrieved) -> None:
        """Count *result* in."""
        self.files[result.came] += 1
        if result.came is Came.RESTORED and result.source is not None:
            self.bytes_restored += result.source.size
            self.bytes_by_destination[result.source.destination] += result.source.size


def restore(
    plan: RestorePlan,
    make_fetch: Callable[[], Fetch],
    stop: Stop,
    *,
    workers: int,
    limits: Limits = NO_LIMITS,
    open_workers: OpenWorkers = processes,
) -> Iterator[Retrieved | Restored]:
    """Do *plan* by so many workers; what became of each datafile, and in the end of all of them.

    Beyond *limits* nothing more is begun. Their bytes are those that are fetched: what is right already costs none, so
    the same restore, begun again, goes on.
    """
    restored = Restored()
    tasks = _Tasks(plan, restored, limits)
    with open_workers(make_fetch, workers) as submit:
        for batch, future in in_flight(submit, tasks, workers * IN_FLIGHT_PER_WORKER, stop):
            for result in _results(batch, future, tasks, restored):
                restored.count(result)
                yield result
            tasks.end(batch)
    restored.limit = tasks.limit if restored.files.total() < plan.work.files else None
    restored.ending = _ending(restored, plan, stop)
    yield restored


class _Tasks:
    """Batches, as long as there is somewhere to read from, room to write to and no limit; those again first.

    There may be more after there was none: what is on its way may use up what is left, and then does not.
    """

    def __init__(self, plan: RestorePlan, restored: Restored, limits: Limits) -> None:
        self.limit: Limit | None = None
        """The limit that was reached."""
        self._plan, self._restored, self._limits = plan, restored, limits
        self._began = time.monotonic()
        self._on_their_way = 0
        self._batches = plan.batches(BATCH_FILES, BATCH_BYTES)
        self._again: deque[Batch] = deque()

    def one_by_one(self, batch: Batch) -> None:
        """Do *batch* again, each datafile alone."""
        self._again.extend((retrieval,) for retrieval in batch)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        if self._restored.trouble is not None or self._restored.lost.keys() >= self._plan.by_destination.keys():
            raise StopIteration
        self.limit = self.limit or self._reached()
        if self.limit is not None or self._is_promised():
            raise StopIteration
        batch = self._again.popleft() if self._again else next(self._batches)
        self._on_their_way += _size(batch)
        return batch

    def end(self, batch: Batch) -> None:
        """*batch* is not on its way any more."""
        self._on_their_way -= _size(batch)

    def _reached(self) -> Limit | None:
        limits = self._limits
        if limits.seconds is not None and time.monotonic() - self._began >= limits.seconds:
            return Limit.DURATION
        return Limit.BYTES if limits.size is not None and self._restored.bytes_restored >= limits.size else None

    def _is_promised(self) -> bool:
        """Whether what is on its way may use up the rest."""
        limit = self._limits.size
        return (
            limit is not None and self._on_their_way > 0 and self._restored.bytes_restored + self._on_their_way >= limit
        )


def _size(batch: Batch) -> int:
    return sum(retrieval.size for retrieval in batch)


def _results(batch: Batch, future: Future[Haul], tasks: _Tasks, restored: Restored) -> Iterator[Retrieved]:
    """What became of *batch*; what ends the restore goes to *restored*."""
    try:
        haul = future.result()
    except WorkerDied as died:
        if len(batch) > 1:
            tasks.one_by_one(batch)
            return
        (retrieval,) = batch
        deadly = CopyFailed(retrieval.sources[0].destination, retrieval.sources[0].key, died.message, died.hint)
        haul = Haul([Retrieved(retrieval, Came.FAILED, errors=(deadly,))])
    except DataverseBackupError as error:
        restored.trouble = restored.trouble or error
        return
    restored.lost.update(haul.lost)
    if haul.is_full:
        said = "there is no room for more where the files are to be"
        restored.trouble = restored.trouble or RestoreError(said, "make room and run it again: what is there is kept")
    yield from haul.results


def _ending(restored: Restored, plan: RestorePlan, stop: Stop) -> Ending:
    if stop.is_set():
        return Ending.INTERRUPTED
    is_well = not restored.files[Came.FAILED] and not plan.refused and not plan.unknown
    if is_well and restored.files.total() == plan.work.files:
        return Ending.OK
    if is_well and restored.limit is not None and not restored.lost and restored.trouble is None:
        return Ending.LIMIT
    has_something = restored.files[Came.RESTORED] or restored.files[Came.RIGHT]
    return Ending.FAILURES if has_something or not (restored.lost or restored.trouble) else Ending.LOST
