"""What takes part in a benchmark."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from benchmarks.measuring import Command, Cost
from benchmarks.source import is_name

if TYPE_CHECKING:
    from benchmarks.source import Source

EVERYTHING = frozenset({"small", "big", "mix"})
"""The names of all contents."""


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    source: Source
    files: Path
    """What is to be copied: the whole store, or a part of it."""
    number: int
    """How many files that are."""
    folder: Path
    """Empty, of this run alone, and on the disk of all others."""

    @property
    def copies(self) -> Path:
        """Where copies go that lie in a folder."""
        return self.folder / "copies"

    @property
    def size(self) -> int:
        """Bytes to be copied."""
        return self.source.size_of_part(self.number)


Reading = Callable[[Run, Cost], int | None]
"""How many bytes a contender read from its source, or that nothing tells."""


def not_known(_run: Run, _cost: Cost) -> None:
    """Nothing tells."""


def by_first_process(_run: Run, cost: Cost) -> int:
    """Its first process reads the source, and little else."""
    return cost.read_by_first


def by_all(_run: Run, cost: Cost) -> int:
    """All its processes read the source, and little else."""
    return cost.read_by_all


@dataclass(frozen=True)
class Contender:
    """A way to copy a store."""

    name: str
    proof: str
    """What it compares its copies with, and what it leaves to luck."""
    command: Callable[[Run], Command]
    program: str = ""
    """What it needs on this machine."""
    prepare: Callable[[Run], Command | None] = lambda _: None
    """What must be done before, off the clock."""
    goes_file_by_file: bool = False
    """It waits for each file, so that behind a delay it gets only some of them."""
    part: float = 1.0
    """Which share it gets of the files that those get who go file by file: one that is much slower gets less."""
    reading: Reading = not_known
    makes_files: bool = True
    """Its copies are files as the originals are, which can be counted."""
    copies: int = 1
    """How many copies of each file it makes."""
    usual: frozenset[str] = EVERYTHING
    """The contents for which it takes part unless it is asked for."""

    @property
    def is_here(self) -> bool:
        """Whether it can run on this machine."""
        return not self.program or found(self.program) is not None


class Way(AbstractContextManager["Way"], Protocol):
    """A kind of destination, with everybody who can copy there."""

    def __enter__(self) -> Self: ...

    def contenders(self) -> list[Contender]:
        """All of them."""

    def ready(self, run: Run) -> AbstractContextManager[None]:
        """An empty destination for *run*, off the clock."""

    def stored(self, run: Run) -> tuple[int, int]:
        """How many copies *run* made, and their bytes."""


def found(program: str) -> str | None:
    """Where *program* is, in the checkout's own environment first."""
    return shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)


def files_in(folder: Path) -> tuple[int, int]:
    """How many copies lie below *folder*, without what is written beside them, and their bytes."""
    return copies_among((str(path), path.stat().st_size) for path in folder.rglob("*") if path.is_file())


def copies_among(found: Iterable[tuple[str, int]]) -> tuple[int, int]:
    """How many of what was *found*, paths and bytes, are copies of a source's files, and their bytes."""
    sizes = [size for path, size in found if is_name(path.rpartition("/")[2])]
    return len(sizes), sum(sizes)
