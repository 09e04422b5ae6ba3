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
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from dataverse_backup.cli.terminal import err, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.actions.events import Dumping, Ended, Moving, Planning
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

    def dump(self, dumping: Dumping) -> None:  # noqa: B027 -- it takes seconds as a rule
        """The database is being dumped."""

    def move(self, moving: Moving) -> None:  # noqa: B027 -- not everybody shows what is not done yet
        """What is in flight has come so far."""

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
    moving: int = 0
    shown: float = field(default_factory=time.monotonic)
    """When it was last shown."""

    def add(self, length: int) -> str | None:
        """Count one more file of so many bytes; what to show, where it is time for that."""
        self.files += 1
        self.size += length
        return self.now_and_then()

    def now_and_then(self) -> str | None:
        """What to show, where it is time for that."""
        if time.monotonic() - self.shown < SECONDS_BETWEEN_LINES:
            return None
        self.shown = time.monotonic()
        return f"{self.files:,} files, {size_of(self.size + self.moving)}"


class _Lines(Shown):
    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._dumped = time.monotonic()

    def dump(self, dumping: Dumping) -> None:
        if time.monotonic() - self._dumped >= SECONDS_BETWEEN_LINES:
            self._dumped = time.monotonic()
            log.info("dumping the database: %s", size_of(dumping.size))

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        counted = self._counts[planning.destination] = _Count(f"{work.files:,} files, {size_of(work.size)}")
        if work.files:
            log.info("%s: %s to copy", planning.destination, counted.total)

    def advance(self, attempt: Attempt) -> None:
        counted = self._counts[attempt.destination]
        self._show(attempt.destination, counted, counted.add(attempt.datafile.size or 0))

    def move(self, moving: Moving) -> None:
        counted = self._counts[moving.destination]
        counted.moving = moving.size
        self._show(moving.destination, counted, counted.now_and_then())

    def _show(self, destination: str, counted: _Count, done: str | None) -> None:
        if done is not None:
            log.info("%s: %s of %s", destination, done, counted.total)

    def end(self, ended: Ended) -> None:
        if self._counts.get(ended.destination, _Count("")).files:
            log.info("%s: %s", ended.destination, ended.ending)


@dataclass(slots=True)
class _Bar:
    task: TaskID
    files: int = 0
    size: int = 0
    moving: int = 0


class _Bars(Shown):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, _Bar] = {}
        self._dump: TaskID | None = None

    def dump(self, dumping: Dumping) -> None:
        if self._dump is None:
            self._dump = self._progress.add_task("dumping the database", total=None, files=0, of=1)
        self._progress.update(self._dump, completed=dumping.size)

    def begin(self, planning: Planning) -> None:
        if self._dump is not None:
            self._progress.update(self._dump, visible=False)
        work = planning.plan.work
        if work.files:
            task = self._progress.add_task(planning.destination, total=work.size, files=0, of=work.files)
            self._bars[planning.destination] = _Bar(task)

    def advance(self, attempt: Attempt) -> None:
        if (bar := self._bars.get(attempt.destination)) is not None:
            bar.files += 1
            bar.size += attempt.datafile.size or 0
            self._show(bar)

    def move(self, moving: Moving) -> None:
        if (bar := self._bars.get(moving.destination)) is not None:
            bar.moving = moving.size
            self._show(bar)

    def _show(self, bar: _Bar) -> None:
        self._progress.update(bar.task, completed=bar.size + bar.moving, files=bar.files)

    def end(self, ended: Ended) -> None:
        if (bar := self._bars.get(ended.destination)) is not None:
            self._progress.stop_task(bar.task)


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


@contextmanager
def listing(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Shows how much was listed, where nobody knows how much there is; to be called with what, objects and bytes."""
    if quiet:
        yield lambda *_: None
    elif _is_unwatched():
        yield _listed_in_lines()
    else:
        with _spinners() as progress:
            yield _listed_in_spinners(progress)


def _listed_in_lines() -> Callable[[str, int, int], None]:
    counts: dict[str, _Count] = {}

    def advance(what: str, objects: int, size: int) -> None:
        counted = counts.setdefault(what, _Count(""))
        counted.files += objects
        counted.size += size
        if (done := counted.now_and_then()) is not None:
            log.info("%s: %s", what, done)

    return advance


def _listed_in_spinners(progress: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def advance(what: str, objects: int, size: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=None, objects=0, told="")
        progress.advance(tasks[what], size)
        task = progress.tasks[tasks[what]]
        told = size_of(int(task.completed)) if size else ""
        progress.update(task.id, objects=task.fields["objects"] + objects, told=told)

    return advance


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


def _spinners() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[objects]:,} objects, {task.fields[told]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
