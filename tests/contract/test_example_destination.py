"""The example of a destination of one's own keeps every promise too."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_destination import SqliteDestination

from dataverse_backup.testing.destinations import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.places import NAME, STAGING, Place

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination, Staging


class SqlitePlace(Place):
    """A root that is one SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self.destination() as destination:
            destination.connect()

    def destination(self, staging: Staging = STAGING) -> Destination:
        return SqliteDestination(NAME, self._file, staging)

    def read(self, key: str) -> bytes:
        with closing(sqlite3.connect(self._file)) as database:
            (data,) = database.execute("SELECT data FROM objects WHERE key = ?", (key.encode(),)).fetchone()
        return bytes(data)

    def plant(self, key: str, data: bytes) -> None:
        with closing(sqlite3.connect(self._file)) as database, database:
            database.execute("INSERT OR REPLACE INTO objects (key, data) VALUES (?, ?)", (key.encode(), data))

    def everything(self) -> set[str]:
        with closing(sqlite3.connect(self._file)) as database:
            return {key.decode() for (key,) in database.execute("SELECT key FROM objects")}

    def strays(self) -> set[str]:
        return {path.name for path in self._file.parent.iterdir()} - {self._file.name, f"{self._file.name}-journal"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A file of its own."""
    return SqlitePlace(tmp_path / "copies.db")
