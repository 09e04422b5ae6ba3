"""How long a run takes that has nothing to do, and how much memory: ``python -m benchmarks.nothing_to_do [FILES]``.

Makes a Dataverse of so many datafiles (100,000) on a PostgreSQL of its own, a ledger in which all of them are OK, and
runs the installed command three times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dataverse_backup import assembly, config
from dataverse_backup.datafile import Datafile
from dataverse_backup.destinations.base import Staging
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.ledger.base import Attempt, Copy, Ledger, Planned, Status
from dataverse_backup.plan import chunks
from tests.servers.postgresql import PostgresServer

COMMAND = Path(sys.executable).with_name("dataverse-backup")
RUNS = 3

ROWS = """
INSERT INTO dvobject (id, dtype, protocol, authority, identifier, createdate, modificationtime)
  SELECT n, 'Dataset', 'doi', '10.5072', 'FK2/' || n, now(), now() FROM generate_series(1, 1000) n;
INSERT INTO dataset (id) SELECT generate_series(1, 1000);
INSERT INTO datasetversion (id, dataset_id, versionstate, versionnumber, minorversionnumber, createtime, lastupdatetime)
  SELECT n, n, 'RELEASED', 1, 0, now(), now() FROM generate_series(1, 1000) n;
INSERT INTO dvobject (id, dtype, storageidentifier, owner_id, createdate, modificationtime)
  SELECT 1000 + n, 'DataFile', 'file://' || md5(n::text), n % 1000 + 1, now(), now() FROM generate_series(1, {0}) n;
INSERT INTO datafile (id, checksumtype, checksumvalue, contenttype, filesize)
  SELECT 1000 + n, 'MD5', md5(n::text), 'text/plain', 1000 FROM generate_series(1, {0}) n;
INSERT INTO filemetadata (datafile_id, datasetversion_id, label)
  SELECT 1000 + n, n % 1000 + 1, 'file ' || n FROM generate_series(1, {0}) n;
CREATE INDEX ON filemetadata (datafile_id); CREATE INDEX ON datatable (datafile_id);
ANALYZE;
"""


def main() -> None:
    """Build, measure, say."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with PostgresServer() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server.create_database("dvndb")
        with psycopg.connect(server.dsn("dvndb")) as connection:
            connection.execute(Path("tests/servers/schema_modern.sql").read_bytes())
            connection.execute(ROWS.format(files).encode())
        path = _configuration(folder, server.dsn("dvndb"))
        _make_all_ok(path)
        measured = [_run(path) for _ in range(RUNS)]
    seconds = statistics.median(wall for wall, _ in measured)
    print(f"{files:,} datafiles, nothing to do: {seconds:.1f} s (median of {RUNS}), {measured[0][1]} MB at most")


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
    settings = config.load(path)
    with assembly.open_ledger(settings) as ledger, assembly.open_catalogue(settings) as catalogue:
        with assembly.open_destination(settings, "default")(Staging(ledger.id, "benchmark")) as destination:
            destination.connect()
            destination.write_identity(ledger.id)
        ledger.claim_destination("default")
        run = ledger.begin_run("backup", "default")
        for rows in chunks(catalogue.rows(), 5_000):
            datafiles = [row for row in rows if isinstance(row, Datafile)]
            _note_and_record(ledger, run, datafiles)
        ledger.end_run(run, "ok")


def _note_and_record(ledger: Ledger, run: str, datafiles: list[Datafile]) -> None:
    keys = {d.id: f"{d.dataset.storage_path}/{d.location}" for d in datafiles}
    ledger.note("default", planned=[Planned(d, keys[d.id]) for d in datafiles])
    ledger.record(run, [_succeeded(d, keys[d.id]) for d in datafiles])


def _succeeded(datafile: Datafile, key: str) -> Attempt:
    now = datetime.now(UTC)
    if datafile.checksum is None:
        raise ValueError("the benchmark's datafiles all have checksums")
    copy = Copy(key, 1000, datafile.checksum, datafile.checksum, VerifiedBy.READ_BACK, Durability.YES, now)
    return Attempt(datafile, "default", Status.OK, key, None, "", copy, "filesystem", now, 0.1, 1000)


def _run(path: Path) -> tuple[float, int]:
    """Seconds, and the most megabytes that the command had in memory."""
    started = time.monotonic()
    process = subprocess.Popen([COMMAND, "--config", path, "backup"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return time.monotonic() - started, used.ru_maxrss // 1024


if __name__ == "__main__":
    main()
