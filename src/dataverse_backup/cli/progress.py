"""Progress of a run: a bar on a terminal, elsewhere one line a minute, nothing when it is to be quiet."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from dataverse_backup.cli.terminal import err, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.actions.events import Ended, Planning
    from dataverse_backup.ledger.base import Attempt

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0


class Shown(ABC):
    """Where progress goes."""

    @abstractmethod
    def begin(self, planning: Planning) -> None:
        """The totals are known."""

    @abstractmethod
    def advance(self, attempt: Attempt) -> None:
        """One more datafile has been tried and recorded."""

    def end(self, ended: Ended) -> None:  # noqa: B027 -- the result is shown when all destinations have ended
        """A destination has ended."""


class _Silence(Shown):
    def begin(self, planning: Planning) -> None:
        pass

    def advance(self, attempt: Attempt) -> None:
        pass


@dataclass(slots=True)
class _Count:
    total: str
    files: int = 0
    size: int = 0
    shown: float = field(default_factory=time.monotonic)
    """When it was last shown."""


class _Lines(Shown):
    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        count = self._counts[planning.destination] = _Count(f"{work.files:,} files, {size_of(work.size)}")
        if work.files:
            log.info("%s: %s to copy", planning.destination, count.total)

    def advance(self, attempt: Attempt) -> None:
        count = self._counts[attempt.destination]
        count.files += 1
        count.size += attempt.datafile.size or 0
        if time.monotonic() - count.shown >= SECONDS_BETWEEN_LINES:
            count.shown = time.monotonic()
            done = f"{count.files:,} files, {size_of(count.size)}"
            log.info("%s: %s of %s", attempt.destination, done, count.total)

    def end(self, ended: Ended) -> None:
        if self._counts.get(ended.destination, _Count("")).files:
            log.info("%s: %s", ended.destination, ended.ending)


class _Bars(Shown):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        if work.files:
            self._tasks[planning.destination] = self._progress.add_task(
                planning.destination, total=work.size, files=0, of=work.files
            )

    def advance(self, attempt: Attempt) -> None:
        if (task := self._tasks.get(attempt.destination)) is not None:
            files = self._progress.tasks[self._progress.task_ids.index(task)].fields["files"] + 1
            self._progress.update(task, advance=attempt.datafile.size or 0, files=files)

    def end(self, ended: Ended) -> None:
        if (task := self._tasks.get(ended.destination)) is not None:
            self._progress.stop_task(task)


@contextmanager
def make_progress(*, quiet: bool) -> Iterator[Shown]:
    """What suits this terminal."""
    if quiet:
        yield _Silence()
    elif err.quiet or not err.is_terminal:
        yield _Lines()
    else:
        with Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[files]:,}/{task.fields[of]:,} files"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
        ) as progress:
            yield _Bars(progress)
