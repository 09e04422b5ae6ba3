"""Progress of a run: a bar on a terminal, elsewhere one line a minute, nothing when it is to be quiet."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
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
    from collections.abc import Callable, Iterator

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

    def add(self, length: int) -> str | None:
        """Count one more file of so many bytes; what to show, where it is time for that."""
        self.files += 1
        self.size += length
        if time.monotonic() - self.shown < SECONDS_BETWEEN_LINES:
            return None
        self.shown = time.monotonic()
        return f"{self.files:,} files, {size_of(self.size)}"


class _Lines(Shown):
    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        counted = self._counts[planning.destination] = _Count(f"{work.files:,} files, {size_of(work.size)}")
        if work.files:
            log.info("%s: %s to copy", planning.destination, counted.total)

    def advance(self, attempt: Attempt) -> None:
        counted = self._counts[attempt.destination]
        if (done := counted.add(attempt.datafile.size or 0)) is not None:
            log.info("%s: %s of %s", attempt.destination, done, counted.total)

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
    elif _is_unwatched():
        yield _Lines()
    else:
        with _bars() as progress:
            yield _Bars(progress)


@contextmanager
def counting(what: str, files: int, size: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how far *what* has come of so many files and bytes; to be called with the bytes of each file."""
    if quiet:
        yield lambda _: None
    elif _is_unwatched():
        yield _counted_in_lines(what, _Count(f"{files:,} files, {size_of(size)}"))
    else:
        with _bars() as progress:
            task = progress.add_task(what, total=size, files=0, of=files)
            done = count(1)
            yield lambda length: progress.update(task, advance=length, files=next(done))


def _counted_in_lines(what: str, counted: _Count) -> Callable[[int], None]:
    def advance(length: int) -> None:
        if (done := counted.add(length)) is not None:
            log.info("%s: %s of %s", what, done, counted.total)

    return advance


def _is_unwatched() -> bool:
    return err.quiet or not err.is_terminal


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[files]:,}/{task.fields[of]:,} files"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    )
