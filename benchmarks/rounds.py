"""Rounds in which everybody takes a turn, so that noise hits all alike."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.contender import Run
from benchmarks.measuring import CommandFailed, cost_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contender import Contender, Way
    from benchmarks.measuring import Cost
    from benchmarks.source import Source

LONGEST_SECONDS = 1800
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Turn:
    """What one run of one contender came to."""

    run: Run
    cost: Cost
    read: int | None
    """Bytes that it read from its source; None where nothing tells."""

    @property
    def rate(self) -> float:
        """Files in a second."""
        return self.run.number / self.cost.seconds


@dataclass(frozen=True)
class Score:
    """The medians of one contender."""

    contender: Contender
    turns: Sequence[Turn]
    files: int
    """How many files there are, of which it may have got only some."""
    start: Turn
    """A turn with next to no bytes."""

    @property
    def number(self) -> int:
        """How many files it got."""
        return self.turns[0].run.number

    @property
    def seconds(self) -> float:
        """For all files, at its rate."""
        return self.files / self.rate

    @property
    def spread(self) -> tuple[float, float]:
        """The shortest and the longest time."""
        times = [self.files / turn.rate for turn in self.turns]
        return min(times), max(times)

    @property
    def rate(self) -> float:
        """Files in a second."""
        return median(turn.rate for turn in self.turns)

    @property
    def bytes_per_second(self) -> float:
        """Of the originals."""
        return median(turn.run.size / turn.cost.seconds for turn in self.turns)

    @property
    def processor_per_gibibyte(self) -> float:
        """Seconds of processors on this side, for each GiB of the originals."""
        return median(turn.cost.processor / turn.run.size * GIBIBYTE for turn in self.turns)

    @property
    def memory(self) -> float:
        """Bytes at most."""
        return median(turn.cost.memory for turn in self.turns)

    @property
    def read_per_byte(self) -> float | None:
        """Bytes read from the source for each byte that was backed up; what is read of programs and the like is not."""
        shares = [
            (turn.read - self.start.read) / turn.run.size
            for turn in self.turns
            if turn.read is not None and self.start.read is not None
        ]
        return median(shares) if shares else None


@dataclass(frozen=True)
class Game:
    """Who copies what, and where to."""

    way: Way
    source: Source
    folder: Path
    """Where everything lies that is stored."""
    part: int | None = None
    """How many files those get who go file by file; None: all."""

    def play(self, contenders: Sequence[Contender], rounds: int) -> list[tuple[Contender, list[Turn]]]:
        """Let everybody have so many turns."""
        turns: dict[str, list[Turn]] = {one.name: [] for one in contenders}
        for number in range(rounds):
            for one in _rotated(contenders, number):
                turns[one.name].append(turn := self.turn(one))
                _tell(number, one, turn)
        return [(one, turns[one.name]) for one in contenders]

    def turn(self, contender: Contender) -> Turn:
        """Let one copy into an empty destination. Raises CommandFailed.

        What it made stays until everything is measured: for minutes after many files were deleted, ext4 looks at the
        inodes of those again whenever one is made, which then takes thirty times as long.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"{contender.name}-", dir=self.folder))
        run = self._run(contender, folder)
        with self.way.ready(run):
            if (before := contender.prepare(run)) is not None:
                cost_of(before, LONGEST_SECONDS)
            os.sync()
            cost = cost_of(contender.command(run), LONGEST_SECONDS)
            turn = Turn(run, cost, contender.reading(run, cost))
            stored, wanted = self.way.stored(run), (run.number * contender.copies, run.size * contender.copies)
            if contender.makes_files and stored != wanted:
                said = f"made {stored[0]} copies, {stored[1]} bytes, of {wanted[0]}, {wanted[1]} bytes"
                raise CommandFailed(f"{contender.name} {said}\n{cost.output[-3000:]}")
        os.sync()
        return turn

    def _run(self, contender: Contender, folder: Path) -> Run:
        source = self.source
        part = None if self.part is None else max(1, round(self.part * contender.part))
        if contender.goes_file_by_file and part is not None and part < source.number:
            return Run(source, source.part(part), part, folder)
        return Run(source, source.files, source.number, folder)


def _rotated(contenders: Sequence[Contender], by: int) -> Iterator[Contender]:
    """Another one begins each time."""
    yield from (contenders[(at + by) % len(contenders)] for at in range(len(contenders)))


def _tell(number: int, contender: Contender, turn: Turn) -> None:
    rate = turn.run.size / turn.cost.seconds / 1e6
    line = (
        f"round {number + 1}  {contender.name:12} {turn.cost.seconds:8.1f} s {turn.rate:8.0f} files/s {rate:7.1f} MB/s"
    )
    print(line, file=sys.stderr, flush=True)
