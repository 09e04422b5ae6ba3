"""Workloads: a content, the way that it goes, and how far that is."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contents import TINY, TINY_SETTINGS, contents
from benchmarks.over_ssh import OverSsh
from benchmarks.rounds import Game, Score
from benchmarks.source import Source
from benchmarks.to_folder import ToFolder
from benchmarks.to_s3 import ToS3
from tests.servers.postgresql import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.contender import Contender, Way
    from benchmarks.contents import Content

WAYS: dict[str, Callable[[float, Sequence[str]], Way]] = {"ssh": OverSsh, "s3": ToS3, "folder": ToFolder}
"""What makes each way, for a round trip in milliseconds and further lines of our [Backup]."""

DELAYS: dict[str, tuple[float, ...]] = {"ssh-mix": (30,), "ssh": (0, 30, 100), "s3": (0,), "folder": (0,)}
"""Round trips in milliseconds that are measured where none is asked for, by workload or way."""

PAGE: dict[tuple[str, float], str] = {
    ("ssh-small", 0): "ours,rsync,tar,scp,rclone-32,restic,original",
    ("ssh-small", 30): "ours,rsync,tar,rclone-32,original",
    ("ssh-small", 100): "ours,rsync,tar,original",
    ("ssh-big", 0): "ours,scp,rsync,scp-aes",
    ("ssh-big", 30): "ours,scp,rsync",
    ("ssh-big", 100): "ours,rsync",
    ("ssh-mix", 30): "ours,rsync,tar",
    **dict.fromkeys([("s3-small", 0), ("s3-big", 0), ("s3-mix", 0)], "ours,ours-read-back,rclone-32"),
    **dict.fromkeys([("folder-small", 0), ("folder-big", 0), ("folder-mix", 0)], "ours,rsync,cp"),
}
"""The tables of docs/explanation/performance.md by workload and round trip, and who is in each: those who are close."""

PARTS = ((0, 2_000), (50, 500), (1_000, 100))
"""How many files those get who go file by file, up to a round trip of so many milliseconds."""


@dataclass(frozen=True)
class Workload:
    """What is measured in one table."""

    way: str
    content: str
    round_trip: float
    """Milliseconds."""

    @property
    def name(self) -> str:
        """As it is asked for."""
        return f"{self.way}-{self.content}"


@dataclass(frozen=True)
class Result:
    """The scores of one workload."""

    workload: Workload
    what: str
    scores: Sequence[Score]

    @property
    def title(self) -> str:
        """What was measured."""
        return f"{self.workload.name}: {self.what}, round trip {self.workload.round_trip:g} ms"


@dataclass(frozen=True)
class Bench:
    """Where workloads are measured."""

    folder: Path
    database: PostgresServer
    settings: Sequence[str] = ()
    """Further lines of our [Backup]."""
    is_quick: bool = False
    sources: dict[str, Source] = field(default_factory=dict)
    """Those that were made, by their names."""

    def measure(self, workload: Workload, rounds: int, names: Sequence[str] | None) -> Result:
        """Let the contenders of these *names*, by default the usual ones, have so many turns."""
        source = self._source(contents(quick=self.is_quick)[workload.content])
        _say(f"{workload.name}, round trip {workload.round_trip:g} ms; first, off the record, {TINY.what}")
        with self._way(workload, TINY_SETTINGS) as way:
            game = Game(way, self._source(TINY), self.folder)
            starts = {one.name: game.turn(one) for one in _chosen(way, workload.content, names)}
        with self._way(workload) as way:
            game = Game(way, source, self.folder, _part(workload.round_trip))
            played = game.play(_chosen(way, workload.content, names), rounds)
        scores = [Score(one, turns, source.number, starts[one.name]) for one, turns in played]
        return Result(workload, source.content.what, scores)

    def _way(self, workload: Workload, settings: Sequence[str] = ()) -> Way:
        return WAYS[workload.way](workload.round_trip, [*self.settings, *settings])

    def _source(self, content: Content) -> Source:
        if content.name not in self.sources:
            source = Source(content, self.folder / content.name, self.database.dsn(content.name))
            self.database.create_database(content.name)
            source.make()
            self.sources[content.name] = source
        return self.sources[content.name]


@contextmanager
def opened(folder: Path, settings: Sequence[str], *, is_quick: bool) -> Iterator[Bench]:
    """Make a bench in a folder of its own below *folder*."""
    with ExitStack() as stack:
        database = stack.enter_context(PostgresServer())
        yield Bench(Path(tempfile.mkdtemp(dir=folder)), database, settings, is_quick)


def workloads(names: Sequence[str], delays: Sequence[float] | None) -> Iterator[Workload]:
    """Those of these *names* at each of *delays*, by default the usual ones."""
    for name in names:
        way, content = name.split("-", 1)
        for delay in usual_delays(name) if delays is None else delays:
            yield Workload(way, content, delay)


def usual_delays(name: str) -> tuple[float, ...]:
    """Of the workload of that *name*."""
    return DELAYS.get(name) or DELAYS[name.partition("-")[0]]


def names_of_workloads() -> list[str]:
    """All of them."""
    return [f"{way}-{content}" for way in WAYS for content in contents(quick=True)]


def _chosen(way: Way, content: str, names: Sequence[str] | None) -> list[Contender]:
    everybody = {one.name: one for one in way.contenders()}
    if names is None:
        return [one for one in everybody.values() if content in one.usual and one.is_here]
    return [everybody[name] for name in names if name in everybody]


def _part(round_trip: float) -> int:
    return next(number for limit, number in PARTS if round_trip <= limit)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
