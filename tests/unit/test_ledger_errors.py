"""What the drivers' errors mean for a ledger: each one something, and Unavailable only what may pass."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from dataverse_backup.errors import LedgerError, LedgerUnavailable
from dataverse_backup.ledger.postgresql import PostgresDatabase
from dataverse_backup.ledger.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def every(kind: type[psycopg.Error]) -> Iterator[type[psycopg.Error]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


def test_every_error_of_postgresql_means_something() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = make_url(f"postgresql://somebody:s3cret@127.0.0.1:{nobody.getsockname()[1]}/ledger")
        database = PostgresDatabase(url)
        meanings = {
            kind: database.translate(DBAPIError("SELECT 1", {}, kind("its words"))) for kind in every(psycopg.Error)
        }
    assert len(meanings) > 200
    assert all("ledger" in str(meaning) and "s3cret" not in str(meaning) for meaning in meanings.values())
    passing = {kind.sqlstate for kind, meaning in meanings.items() if isinstance(meaning, LedgerUnavailable)}
    assert {"57P01", "57P03", "08006", "40P01", "53300", "55P03", None} <= passing
    assert passing.isdisjoint({"42501", "42P01", "23505", "53100", "28P01", "3D000", "XX001", "58030"})


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY, LedgerUnavailable, "is locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, LedgerUnavailable, "is locked"),
        (sqlite3.SQLITE_LOCKED, LedgerUnavailable, "is locked"),
        (sqlite3.SQLITE_CORRUPT, LedgerError, "is damaged"),
        (sqlite3.SQLITE_CORRUPT_VTAB, LedgerError, "is damaged"),
        (sqlite3.SQLITE_NOTADB, LedgerError, "is damaged"),
        (sqlite3.SQLITE_READONLY_DBMOVED, LedgerError, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, LedgerError, "cannot be opened"),
        (sqlite3.SQLITE_FULL, LedgerError, "disk is full"),
        (sqlite3.SQLITE_IOERR_FSYNC, LedgerError, "cannot be read or written"),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, LedgerError, "cannot be used"),
    ],
)
def test_the_codes_of_sqlite_have_their_meanings(
    tmp_path: Path, code: int, kind: type[LedgerError], words: str
) -> None:
    database = SqliteDatabase(tmp_path / "ledger.db", busy_timeout=1)
    error = sqlite3.OperationalError("its words")
    error.sqlite_errorcode = code
    meaning = database.translate(DBAPIError("SELECT 1", {}, error))
    assert type(meaning) is kind
    assert words in str(meaning)
    assert "its words" in str(meaning)
