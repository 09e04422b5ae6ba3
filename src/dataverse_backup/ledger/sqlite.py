"""A ledger in a file: SQLite."""

from __future__ import annotations

import os
import shlex
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event

from dataverse_backup.errors import LedgerError, LedgerUnavailable
from dataverse_backup.ledger.database import WRITES, Database, one_line
from dataverse_backup.ledger.filelock import FileLock
from dataverse_backup.ledger.mounts import network_file_system

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import ConnectionPoolEntry

    from dataverse_backup.ledger.base import Holder, Lock

_MOUNTINFO = Path("/proc/self/mountinfo")

_DAMAGED = (
    "restore the file from a backup, or move it and the -wal and -shm files beside it away: "
    "the next run makes a new one, has you accept each destination, and proves the copies where they lie"
)
_OWNERS = "check owner and mode of the file and its folder"
_LATER = "try again when it has finished"

_MEANINGS: dict[int, tuple[type[LedgerError], str, str]] = {
    sqlite3.SQLITE_BUSY: (LedgerUnavailable, "is locked by another process", _LATER),
    sqlite3.SQLITE_LOCKED: (LedgerUnavailable, "is locked by another process", _LATER),
    sqlite3.SQLITE_CORRUPT: (LedgerError, "is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: (LedgerError, "is damaged, or no ledger at all", _DAMAGED),
    sqlite3.SQLITE_READONLY: (LedgerError, "cannot be written", _OWNERS),
    sqlite3.SQLITE_CANTOPEN: (LedgerError, "cannot be opened", _OWNERS),
    sqlite3.SQLITE_PERM: (LedgerError, "cannot be opened", _OWNERS),
    sqlite3.SQLITE_FULL: (LedgerError, "cannot grow: the disk is full", "make room on its file system"),
    sqlite3.SQLITE_IOERR: (LedgerError, "cannot be read or written", "look for disk errors in the system's log"),
}
"""What SQLite's primary result codes mean."""


class SqliteDatabase(Database):
    """One file; its lock files lie beside it."""

    def __init__(self, path: Path, *, busy_timeout: float) -> None:
        """Use or make the file *path*; a writer waits *busy_timeout* seconds for another one."""
        self.place = str(path)
        self._path = path
        _check_folder(path)
        _make_private(path)
        self.engine = _engine(path, busy_timeout)

    def prepare(self, connection: Connection) -> None:
        """Refuse what holds a Dataverse; a transaction that writes has the file to itself."""
        self.refuse_dataverse(connection, "name another file in [Database] BackupDatabase")

    def lock(self, ledger_id: str, destination: str) -> AbstractContextManager[Lock]:  # noqa: ARG002 - the file is the ledger
        """Hold the file lock of *destination*."""
        return self._lock(destination).held()

    def holder(self, ledger_id: str, destination: str) -> Holder | None:  # noqa: ARG002 - the file is the ledger
        """Who holds the file lock of *destination*."""
        return self._lock(destination).holder()

    def _lock(self, destination: str) -> FileLock:
        return FileLock(self._path, destination)

    def translate(self, error: DBAPIError) -> LedgerError:
        """By SQLite's primary result code; extended codes have it in their lowest byte."""
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind, what, hint = _MEANINGS.get(code, (LedgerError, "cannot be used", ""))
        return kind(f"the ledger {self.place} {what} ({one_line(error)})", hint)


def is_there(path: Path) -> bool:
    """Whether there is a file at *path*. Raises LedgerError where none may be."""
    _check_folder(path)
    return path.exists()


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise LedgerError(
            f"the folder of the ledger {path} does not exist",
            f"mkdir -p {shlex.quote(str(path.parent))}, or name another file in [Database] BackupDatabase",
        )
    mounts = _MOUNTINFO.read_text("utf-8", "surrogateescape") if sys.platform == "linux" else ""
    if kind := network_file_system(path.parent.resolve(), mounts):
        raise LedgerError(
            f"the ledger {path} lies on a network file system ({kind}), where SQLite loses data",
            "put it on a local disk, or in PostgreSQL: [Database] BackupDatabase",
        )


def _make_private(path: Path) -> None:
    """Make the file before SQLite does: only its owner may read who keeps which restricted data."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be made: {error.strerror}", "check owner and mode of its folder"
        ) from error


def _engine(path: Path, busy_timeout: float) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": busy_timeout}, hide_parameters=True)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.isolation_level = None  # sqlite3 would begin transactions late, and never before DDL
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A reader that turns into a writer fails at once where another one wrote meanwhile: say so at the start.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
