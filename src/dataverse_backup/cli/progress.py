"""Progress of a run: a bar on a terminal, elsewhere one line a minute, nothing when it is to be quiet."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
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

from dataverse_backup.cli.terminal import err, plain, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.actions.backup import Planning
    from dataverse_backup.ledger.base import Attempt

SECONDS_BETWEEN_LINES = 60.0


class Shown(ABC):
    """Where progress goes."""

    @abstractmethod
    def begin(self, planning: Planning) -> None:
        """The totals are known."""

    @abstractmethod
    def advance(self, attempt: Attempt) -> None:
        """One more datafile has been tried and recorded."""


class _Silence(Shown):
    def begin(self, planning: Planning) -> None:
        pass

    def advance(self, attempt: Attempt) -> None:
        pass


class _Lines(Shown):
    def __init__(self) -> None:
        self._files = self._size = 0
        self._total = ""
        self._last = time.monotonic()

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        self._total = f"{work.files:,} files, {size_of(work.size)}"
        if work.files:
            err.print(plain(f"{planning.destination}: {self._total} to copy"))

    def advance(self, attempt: Attempt) -> None:
        self._files += 1
        self._size += attempt.datafile.size or 0
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            err.print(plain(f"{attempt.destination}: {self._files:,} files, {size_of(self._size)} of {self._total}"))


class _Bar(Shown):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, planning: Planning) -> None:
        work = planning.plan.work
        if work.files:
            self._task = self._progress.add_task(planning.destination, total=work.size, files=0, of=work.files)

    def advance(self, attempt: Attempt) -> None:
        if self._task is not None:
            files = self._progress.tasks[0].fields["files"] + 1
            self._progress.update(self._task, advance=attempt.datafile.size or 0, files=files)


@contextmanager
def make_progress(*, quiet: bool) -> Iterator[Shown]:
    """What suits this terminal."""
    if quiet:
        yield _Silence()
    elif not err.is_terminal:
        yield _Lines()
    else:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[files]:,}/{task.fields[of]:,} files"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
        ) as progress:
            yield _Bar(progress)
