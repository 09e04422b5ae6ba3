"""What a run over many small files takes of the processor for each of them: ``scripts/bench per-file``.

Told apart: the one process that plans, hands out and records, which is what all workers wait for in the end; and the
workers together. Both are differences between a run over many files and one over ten, so that what a run takes to
start is not in them. Processor time says what is done, also where others use the machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contents import KIBIBYTE, TINY, Content
from benchmarks.measuring import Command, cost_of
from benchmarks.source import Source
from tests.acceptance.installation import Installation
from tests.servers.postgresql import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_SECONDS = 600
WORKERS = 2


class Used(NamedTuple):
    """Seconds of processors that a run took."""

    coordinator: float
    workers: float


def run(files: int, rounds: int, settings: Sequence[str], folder: Path) -> str:
    """Build and measure; what is to be said of it."""
    what = f"{files:,} files of 16 KiB in {files // 20:,} datasets"
    contents = (TINY, Content("many", what, [16 * KIBIBYTE] * files, files // 20))
    with PostgresServer() as server:
        few, many = (_source(server, folder, content) for content in contents)
        used = [(_used(few, settings), _used(many, settings)) for _ in range(rounds)]
    start = statistics.median(alone.coordinator for alone, _ in used)
    coordinator = 1_000 / files * statistics.median(all_.coordinator - alone.coordinator for alone, all_ in used)
    workers = 1_000 / files * statistics.median(all_.workers - alone.workers for alone, all_ in used)
    return (
        f"{what}, to a folder: {coordinator:.3f} ms of processor for each file where it is planned, handed out and "
        f"recorded, {workers:.3f} ms in the workers; {start:.2f} s before the first file (medians of {rounds} rounds)"
    )


def _source(server: PostgresServer, folder: Path, content: Content) -> Source:
    server.create_database(content.name)
    source = Source(content, folder / content.name, server.dsn(content.name))
    source.make()
    return source


def _used(source: Source, settings: Sequence[str]) -> Used:
    folder = Path(tempfile.mkdtemp(dir=source.folder))
    told = folder / "used.json"
    lines = ["StorageType: filesystem", f"Directory: {folder / 'copies'}", f"Workers: {WORKERS}", *settings]
    (folder / "copies").mkdir()
    site = Installation(folder, source.dsn, source.sample, destination="\n".join(lines))
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "benchmarks.told_apart",
        told,
        "--config",
        site.configure(),
        "backup",
    ]
    cost = cost_of(Command(command), LONGEST_SECONDS)
    its_own = float(told.read_text())
    return Used(its_own, cost.processor - its_own)
