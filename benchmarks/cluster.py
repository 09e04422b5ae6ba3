"""What more workers of a Dask cluster gain over a slow link: ``scripts/bench cluster``.

Bound by latency: small batches to a server 100 ms away, so that a worker waits most of its time. Every run is the
installed command as a whole, with an empty ledger and an empty folder; scheduler and workers are running already, as
on machines that others use too.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contents import KIBIBYTE, Content
from benchmarks.far_server import far_server
from benchmarks.measuring import Command, cost_of
from dataverse_backup.cluster.scheduler import Scheduler
from tests.acceptance.installation import COMMAND, Installation
from tests.servers.dask_cluster import DaskScheduler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.source import Source
    from tests.servers.sshd import SshServer

ROUND_TRIP = 100.0
"""Milliseconds."""
BATCH_FILES = 10
FILES = 4_800
WORKERS = (1, 4)
LONGEST_SECONDS = 1_200


@dataclass(frozen=True)
class Turn:
    """Two runs."""

    seconds: float
    """Of the one that copies everything."""
    nothing: float
    """Of the one after it, that has nothing to do: to start, to connect to all, to plan."""


@dataclass(frozen=True)
class Place:
    """Where all runs copy from and to."""

    folder: Path
    source: Source
    server: SshServer
    port: int
    scheduler: DaskScheduler

    def turn(self, number: int) -> Turn:
        """One backup into an empty folder, and one more."""
        copies = self.folder / f"copies-{number}"
        copies.mkdir()
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{self.port} {(self.server.folder / 'host_key.pub').read_text()}")
        settings = self.server.settings(copies)
        lines = [
            "StorageType: ssh",
            f"SshHost: {settings.host}",
            f"SshPort: {self.port}",
            f"SshUsername: {settings.username}",
            f"SshIdentityFile: {settings.identity_file}",
            f"SshKnownHosts: {known_hosts}",
            f"SshConfigFile: {settings.config_file}",
            f"BackupDirectory: {copies}",
            f"BatchFiles: {BATCH_FILES}",
            f"Scheduler: {self.scheduler.address}",
        ]
        database = {"BackupDatabase": f"sqlite:///{self.folder}/ledger-{number}.db"}
        site = Installation(self.folder, self.source.dsn, self.source.sample, database, "\n".join(lines))
        command = Command([COMMAND, "--config", site.configure(), "backup"])
        cost = cost_of(command, LONGEST_SECONDS)
        stored = sum((copies / key).is_file() for key in self.source.listing)
        if stored != self.source.number:
            raise SystemExit(f"{stored} of {self.source.number} files were copied:\n{cost.output}")
        return Turn(cost.seconds, cost_of(command, LONGEST_SECONDS).seconds)


def run(rounds: int, files: int, scratch: Path) -> str:
    """Measure below *scratch* with as many workers as WORKERS says, in turns; what is to be said of it."""
    content = Content("cluster", f"{files:,} files of 4 KiB", [4 * KIBIBYTE] * files, 50)
    with ExitStack() as stack:
        far = stack.enter_context(far_server(content, ROUND_TRIP, scratch))
        folder = far.folder
        (folder / "dask").mkdir()
        environment = {"DATAVERSE_BACKUP_CONFIG": str(folder / "config.ini")}
        scheduler = stack.enter_context(DaskScheduler(folder / "dask", environment))
        place = Place(folder, far.source, far.server, far.link.port, scheduler)
        return _said(content, {workers: _turns(place, workers, rounds) for workers in WORKERS})


def _turns(place: Place, workers: int, rounds: int) -> Sequence[Turn]:
    """What each turn took, with so many workers."""
    while len(place.scheduler.workers) < workers:
        place.scheduler.start_worker()
    dask = Scheduler(place.scheduler.address)
    dask.connect()
    while len(dask.members()) < workers:
        time.sleep(0.2)
    dask.close()
    turns = []
    for number in range(rounds):
        turns.append(place.turn(workers * 1_000 + number))
        print(f"{workers} workers: {turns[-1]}", file=sys.stderr, flush=True)
    return turns


def _said(content: Content, turns: dict[int, Sequence[Turn]]) -> str:
    whole = {workers: statistics.median(turn.seconds for turn in taken) for workers, taken in turns.items()}
    nothing = statistics.median(turn.nothing for taken in turns.values() for turn in taken)
    first, last = WORKERS[0], WORKERS[-1]
    parts = ", ".join(f"{workers} workers {taken:.1f} s" for workers, taken in whole.items())
    copying = (whole[first] - nothing) / (whole[last] - nothing)
    return (
        f"{content.what} over ssh, round trip {ROUND_TRIP:g} ms, {BATCH_FILES} files in a batch: {parts} "
        f"(medians of {len(turns[first])}), {whole[first] / whole[last]:.1f} times as fast; "
        f"without what a run with nothing to do takes ({nothing:.1f} s), {copying:.1f} times"
    )
