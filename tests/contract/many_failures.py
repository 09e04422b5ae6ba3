"""A ledger with more failed datafiles than anybody wants to wait for: one is recorded, and multiplied by SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Attempt, Planned, Status
from dataverse_backup.ledger.sql import open_ledger
from tests.contract.ledger_cases import HERE, datafile, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Ledger, RunRecord

TABLES = ("datafilestatus", "attempts")


def make_many_failures(path: Path, count: int) -> RunRecord:
    """A new ledger at *path*; the one run of it, in which *count* datafiles failed."""
    with open_ledger(f"sqlite:///{path}") as ledger:
        run = fail(ledger, [datafile(1)])
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES:
            _multiply(connection, table, count)
    return run


def fail(ledger: Ledger, files: list[Datafile]) -> RunRecord:
    """One run in which each of *files* failed."""
    run = ledger.begin_run("backup", HERE)
    ledger.note(HERE, planned=[Planned(file, key_of(file)) for file in files])
    ledger.record(run, [_failed(file) for file in files])
    return ledger.end_run(run, "failures")


def _failed(file: Datafile) -> Attempt:
    return Attempt(
        datafile=file,
        destination=HERE,
        status=Status.FAIL_READ,
        key=key_of(file),
        reason=Reason.SOURCE_DIFFERS,
        message="file: the bytes are not as registered: " + "x" * 100,
        copy=None,
        method="ssh",
        started=file.created,
        seconds=0.1,
        bytes_sent=0,
    )


def _multiply(connection: sqlite3.Connection, table: str, count: int) -> None:
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != "id"]
    changed = {"datafile_id": "n", "key": "key || '-' || n"}
    values = ", ".join(changed.get(column, column) for column in columns)
    connection.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM numbers, {table} WHERE datafile_id = 1",
        (count,),
    )
