"""Copies into a folder of another disk, which is the same here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from benchmarks.contender import Contender, Run, by_first_process, files_in
from benchmarks.measuring import Command, CommandFailed
from benchmarks.ours import ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OURS = "registered checksum = what was read = what is stored, read again after a sync"
RSYNC = "what was read = what its other half took, before it is written"
NOTHING = "nothing"


class ToFolder:
    """A folder; there is no way to it that could be long."""

    name = "folder"

    def __init__(self, round_trip: float, settings: Sequence[str]) -> None:
        """*settings* are lines of our [Backup]."""
        if round_trip:
            raise CommandFailed("there is no round trip to a folder of this machine")
        self._settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def ready(self, run: Run) -> Iterator[None]:
        """A folder on the disk that all have."""
        run.copies.mkdir()
        yield

    def stored(self, run: Run) -> tuple[int, int]:
        """What lies in that folder."""
        return files_in(run.copies)

    def contenders(self) -> list[Contender]:
        """Everybody who can copy into a folder."""
        return [
            ours("ours", OURS, _our_destination, self._settings),
            Contender("rsync", RSYNC, _rsync, "rsync", reading=by_first_process),
            Contender("cp", NOTHING, _cp, reading=by_first_process),
        ]


def _our_destination(run: Run) -> list[str]:
    return ["StorageType: filesystem", f"Directory: {run.copies}"]


def _rsync(run: Run) -> Command:
    return Command(["rsync", "-a", f"{run.files}/", f"{run.copies}/"])


def _cp(run: Run) -> Command:
    return Command(["cp", "-a", f"{run.files}/.", run.copies])
