"""How long a run takes that has nothing to do, and how much memory: ``scripts/bench no-op``.

Makes a Dataverse of so many datafiles on a PostgreSQL of its own, a ledger in which all of them are OK, and runs the
installed command: once to find that out, and three times to be measured.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, insert

from benchmarks import rows
from benchmarks.measuring import Command, cost_of
from dataverse_backup import assembly, config
from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import Datafile
from dataverse_backup.destinations.base import Staging
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.ledger import columns
from dataverse_backup.ledger.base import Attempt, Copy, Status
from dataverse_backup.ledger.bulk import write_columns
from dataverse_backup.ledger.tables import copies, datafilestatus
from tests.acceptance.installation import COMMAND
from tests.servers.postgresql import PostgresServer

RUNS = 3
LONGEST_SECONDS = 600
DATASETS = 1_000
MEGABYTE = 1_000_000


def run(files: int) -> str:
    """Build and measure; what is to be said of it."""
    with PostgresServer() as server, tempfile.TemporaryDirectory() as name:
        server.create_database("dvndb")
        started = time.monotonic()
        rows.generate(server.dsn("dvndb"), files, DATASETS)
        path = _configuration(Path(name), server.dsn("dvndb"))
        _make_all_ok(path)
        print(f"made {files:,} datafiles, all of them OK, in {time.monotonic() - started:.0f} s", file=sys.stderr)
        command = Command([COMMAND, "--config", path, "backup"])
        cost_of(command, LONGEST_SECONDS)  # looks at every row once, and keeps their marks
        costs = [cost_of(command, LONGEST_SECONDS) for _ in range(RUNS)]
    seconds, memory = (
        statistics.median(values) for values in zip(*((c.seconds, c.memory) for c in costs), strict=True)
    )
    return f"{files:,} datafiles, nothing to do: {seconds:.1f} s, {memory / MEGABYTE:.0f} MB (medians of {RUNS} runs)"


def _configuration(folder: Path, dsn: str) -> Path:
    found = conninfo_to_dict(dsn)
    for part in ("files", "backup"):
        (folder / part).mkdir()
    (folder / "files" / "not-empty").touch()
    path = folder / "config.ini"
    path.write_text(
        f"[Database]\nHost: {found['host']}\nPort: {found['port']}\nDatabase: dvndb\nUsername: {found['user']}\n"
        f"Password: {found.get('password', '')}\n[Repository]\nFileSystemDirectory: files\n"
        f"[Backup]\nStorageType: filesystem\nDirectory: backup\n"
    )
    path.chmod(0o600)
    return path


def _make_all_ok(path: Path) -> None:
    """Fill the ledger as a run does that copied everything; without its attempts, which no run reads."""
    settings = config.load(path)
    with assembly.open_ledger(settings) as ledger, assembly.open_catalogue(settings) as catalogue:
        with assembly.open_destination(settings, "default")(Staging(ledger.id, "benchmark")) as destination:
            destination.connect()
            destination.write_identity(ledger.id)
        ledger.claim_destination("default")
        ledger.end_run(ledger.begin_run("backup", "default"), "ok")
        statuses, proofs = insert(datafilestatus), insert(copies)
        with create_engine(f"sqlite:///{path.with_name('ledger.db')}").begin() as connection:
            for chunk in chunks(catalogue.rows(), 5_000):
                attempts = [_succeeded(row) for row in chunk if isinstance(row, Datafile)]
                write_columns(connection, statuses, columns.tried(attempts))
                its = [one.destination for one in attempts], [one.datafile for one in attempts]
                write_columns(connection, proofs, columns.proven(*its, [one.copy for one in attempts]))


def _succeeded(datafile: Datafile) -> Attempt:
    if datafile.checksum is None:
        raise ValueError("the benchmark's datafiles all have checksums")
    key, now = f"{datafile.dataset.storage_path}/{datafile.location}", datetime.now(UTC)
    copy = Copy(key, 1000, datafile.checksum, datafile.checksum, VerifiedBy.READ_BACK, Durability.YES, now)
    return Attempt(datafile, "default", Status.OK, key, None, "", copy, "filesystem", now, 0.1, 1000)
