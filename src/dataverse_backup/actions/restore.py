"""Bring datafiles back, to a folder or into Dataverse's stores, from copies that are proven on the way.

Everything that is needed comes from the ledger, or from the destination itself: Dataverse may be gone.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.errors import DataverseBackupError, DestinationLost, RestoreError
from dataverse_backup.in_flight import in_flight
from dataverse_backup.retrieval import Came, Retrieved
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from dataverse_backup.actions.restore_plan import RestorePlan
    from dataverse_backup.engine import Stop, Submit
    from dataverse_backup.retrieval import Haul, Retrieval

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
    open_workers: OpenWorkers = processes,
) -> Iterator[Retrieved | Restored]:
    """Do *plan* by so many workers; what became of each datafile, and in the end of all of them."""
    restored = Restored()
    with open_workers(make_fetch, workers) as submit:
        batches = _while_worth_it(plan.batches(BATCH_FILES, BATCH_BYTES), restored, plan)
        for _, future in in_flight(submit, batches, workers * IN_FLIGHT_PER_WORKER, stop):
            for result in _results(future, restored):
                restored.count(result)
                yield result
    restored.ending = _ending(restored, plan, stop)
    yield restored


def _while_worth_it(batches: Iterator[Batch], restored: Restored, plan: RestorePlan) -> Iterator[Batch]:
    """*batches*, as long as there is somewhere to read from and room to write to."""
    for batch in batches:
        if restored.trouble is not None or restored.lost.keys() >= plan.by_destination.keys():
            return
        yield batch


def _results(future: Future[Haul], restored: Restored) -> Iterator[Retrieved]:
    """What became of a batch; what ends the restore goes to *restored*."""
    try:
        haul = future.result()
    except BrokenProcessPool:
        said, hint = "a worker process died", "the system's log says whether it was killed for memory"
        restored.trouble = restored.trouble or RestoreError(said, f"{hint}; run it again: what is there is kept")
        return
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
    is_all_there = not restored.files[Came.FAILED] and restored.files.total() == plan.work.files
    if is_all_there and not plan.refused and not plan.unknown:
        return Ending.OK
    has_something = restored.files[Came.RESTORED] or restored.files[Came.RIGHT]
    return Ending.FAILURES if has_something or not (restored.lost or restored.trouble) else Ending.LOST
