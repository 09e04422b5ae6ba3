"""What lies at one place and what should lie there, on disk: there may be more than fits in memory."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from dataverse_backup.errors import NoWorkSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -32768;
CREATE TABLE readings (what PRIMARY KEY, said TEXT) WITHOUT ROWID;
CREATE TABLE datasets (folder BLOB PRIMARY KEY, persistent_id TEXT) WITHOUT ROWID;
CREATE TABLE claims (name BLOB, claim INTEGER, note TEXT);
CREATE TABLE objects (name BLOB, size INTEGER, modified REAL);
"""
_TOGETHER = 10_000


class Claim(IntEnum):
    """Why somebody knows a name; of several the first counts."""

    OWN = 1
    """It is what something known is called."""
    MAYBE = 2
    """It may be there, and need not."""
    FORMER = 3
    """Something was called so that is not known any more."""


@dataclass(frozen=True, slots=True)
class Lying:
    """One object that lies there."""

    name: str
    size: int
    modified: float | None
    """Seconds since 1970."""


class Inventory:
    """Filled, then indexed, then asked. Raises NoWorkSpace.

    Names may hold lone surrogates, for what is not UTF-8.
    """

    def __init__(self) -> None:
        with _on_disk():
            self._file = tempfile.NamedTemporaryFile(prefix="dataverse-backup-inventory-")  # noqa: SIM115 -- closed by close()
            self._database = sqlite3.connect(self._file.name, isolation_level=None)
            self._database.executescript(_TABLES)
            self._database.execute("BEGIN")
        self._last_folder = ""
        self._readings: list[tuple[int | str, str]] = []
        self._claims: list[tuple[bytes, Claim, str | None]] = []
        """What is not written yet: many at once take much less time."""

    # Filling

    def read(self, what: int | str, said: str) -> None:
        """Remember what the first reading said of *what*."""
        self._readings.append((what, said))
        if len(self._readings) >= _TOGETHER:
            self._write()

    def said(self, what: int | str) -> str | None:
        """What the first reading said of *what*; None where it did not know it."""
        if self._readings:
            self._write()
        row = self._database.execute("SELECT said FROM readings WHERE what = ?", (what,)).fetchone()
        return None if row is None else row[0]

    def claim(self, name: str, claim: Claim, note: str = "") -> None:
        """Remember that *name* is known."""
        self._claims.append((_bytes(name), claim, note or None))
        if len(self._claims) >= _TOGETHER:
            self._write()

    def _write(self) -> None:
        with _on_disk():
            self._database.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?)", self._readings)
            self._database.executemany("INSERT INTO claims VALUES (?, ?, ?)", self._claims)
        self._readings, self._claims = [], []

    def know_dataset(self, folder: str, persistent_id: str) -> None:
        """Remember whose the names are that begin with *folder*, the end of which is a ``/`` or ``:`` of theirs."""
        if folder != self._last_folder:  # rows of one dataset mostly follow each other
            self._last_folder = folder
            with _on_disk():
                self._database.execute("INSERT OR IGNORE INTO datasets VALUES (?, ?)", (_bytes(folder), persistent_id))

    def take(self, objects: Iterable[tuple[str, int, float | None]]) -> None:
        """Remember what lies there: name, size and time."""
        with _on_disk():
            self._database.executemany(
                "INSERT INTO objects VALUES (?, ?, ?)", ((_bytes(name), size, time) for name, size, time in objects)
            )

    def index(self) -> None:
        """Sort what was listed; claims that come later are sorted by `settle`."""
        with _on_disk():
            self._database.execute("CREATE UNIQUE INDEX by_name ON objects (name, size)")

    def settle(self) -> None:
        """Sort what is claimed: nothing is claimed any more."""
        self._write()
        with _on_disk():
            self._database.execute("CREATE INDEX by_claim ON claims (name, claim)")

    # Asking

    def size_of(self, name: str) -> int | None:
        """The size of what was listed under *name*; None where nothing was."""
        row = self._database.execute("SELECT size FROM objects WHERE name = ?", (_bytes(name),)).fetchone()
        return None if row is None else row[0]

    def has_below(self, folder: str) -> bool:
        """Whether anything was listed below *folder*."""
        first, last = _bytes(f"{folder}/"), _bytes(f"{folder}0")  # "0" follows "/"
        row = self._database.execute("SELECT 1 FROM objects WHERE name > ? AND name < ? LIMIT 1", (first, last))
        return row.fetchone() is not None

    def claimed(self, name: str) -> tuple[Claim, str] | None:
        """The first claim to *name*, and what was noted with it."""
        found = "SELECT claim, note FROM claims WHERE name = ? ORDER BY claim LIMIT 1"
        row = self._database.execute(found, (_bytes(name),)).fetchone()
        return None if row is None else (Claim(row[0]), row[1] or "")

    def dataset_of(self, name: str) -> str | None:
        """The PID of the dataset in whose folder *name* is."""
        for at in range(len(name) - 1, -1, -1):
            if name[at] in "/:":
                found = "SELECT persistent_id FROM datasets WHERE folder = ?"
                row = self._database.execute(found, (_bytes(name[: at + 1]),)).fetchone()
                if row is not None:
                    return str(row[0])
        return None

    def total(self) -> tuple[int, int]:
        """How many objects were listed, and their bytes."""
        return self._sum("SELECT count(*), sum(size) FROM objects")

    def owned(self) -> tuple[int, int]:
        """How many of them are what something known is called."""
        return self._sum(f"SELECT count(*), sum(size) FROM objects WHERE {_IS_OWN}")

    def _sum(self, question: str) -> tuple[int, int]:
        with _on_disk():
            number, size = self._database.execute(question).fetchone()
        return number, size or 0

    def others(self) -> Iterator[Lying]:
        """All the others, by name."""
        found = self._database.cursor()
        with _on_disk():
            found.execute(f"SELECT name, size, modified FROM objects WHERE NOT {_IS_OWN} ORDER BY name")
        while some := found.fetchmany(_TOGETHER):
            for name, size, modified in some:
                yield Lying(_text(name), size, modified)

    def close(self) -> None:
        """Give the space back."""
        self._database.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_IS_OWN = f"EXISTS (SELECT 1 FROM claims WHERE claims.name = objects.name AND claim = {Claim.OWN})"


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise NoWorkSpace(
            f"the inventory cannot be kept among the temporary files: {error}",
            "make room for them, or let TMPDIR name another folder",
        ) from error
