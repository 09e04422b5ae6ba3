"""An example of a destination of one's own: every copy is a row of one SQLite file. For small objects: up to 500 MB."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dataverse_backup.config.destinations import DestinationSettings
from dataverse_backup.config.kinds import DestinationKind
from dataverse_backup.config.values import LocalPath, folder_place
from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    Destination,
    Failure,
    Receipt,
    StoredDigest,
    Traits,
    checked_path_key,
    checked_removable,
)
from dataverse_backup.errors import (
    CopyDiffers,
    CopyFailed,
    CopyMissing,
    DestinationLost,
    KeyOccupied,
    NoSpace,
    ObjectError,
    Unavailable,
)
from dataverse_backup.fixity import BytesStream, Durability, HashingReader, VerifiedBy
from dataverse_backup.outflow import paced

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path

    from dataverse_backup.destinations.base import Staging, Upload
    from dataverse_backup.fixity import Algorithm, Checksum

_CHUNK = 1 << 20


class SqliteSettings(DestinationSettings):
    """What ``[Backup NAME]`` may say with ``StorageType: sqlite``."""

    storage_type: Literal["sqlite"] = Field("sqlite", alias="StorageType", description="How it is reached.")
    file: LocalPath = Field(alias="SqliteFile", description="The file; its folder must exist.")

    def place(self) -> Hashable:
        """The file, by its folder and name."""
        return folder_place(self.file.parent), self.file.name


class SqliteDestination(Destination):
    """Keeps each object as a row. A transaction makes it visible, whole and durable, or not at all."""

    def __init__(self, name: str, file: Path, staging: Staging) -> None:
        """Keep copies in *file*, made at first use."""
        self.name, self.method = name, "sqlite"
        self._file, self._staging = file, staging
        self._database: sqlite3.Connection | None = None

    def connect(self) -> Traits:
        self._reach()
        return Traits(
            folds_case=False, hashes=(VerifiedBy.READ_BACK,), durable=Durability.YES, free_bytes=None, clock_skew=None
        )

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        for upload in uploads:
            try:
                yield self._store(upload)
            except ObjectError as error:
                yield Failure(upload.key, error)

    def _store(self, upload: Upload) -> Receipt:
        key = checked_path_key(self.name, upload.key)
        data, checksum = _read(upload)
        with self._changing(key) as database:
            if upload.supersede_to is not None:
                aside = checked_path_key(self.name, upload.supersede_to)
                self._rename(database, key, aside)
            if _select(database, key) is not None:
                raise KeyOccupied(self.name, key, "an object lies there already")
            database.execute("INSERT INTO objects (key, data) VALUES (?, ?)", (key.encode(), data))
            stored = _checksum(_select(database, key) or b"", upload.algorithm)
            if stored != checksum.value:
                raise CopyDiffers(self.name, key, f"{stored} is stored, {checksum} was sent")
        return Receipt(key, len(data), checksum, VerifiedBy.READ_BACK, Durability.YES)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        for key in keys:
            try:
                with self.open(key) as stream, closing(HashingReader(stream, algorithm)) as reader:
                    read = paced(reader.read, self.pace)
                    while read(_CHUNK):
                        pass
                    yield StoredDigest(key, stream.size, reader.finish(None), VerifiedBy.READ_BACK)
            except ObjectError as error:
                yield Failure(key, error)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        database = self._reach()
        found = {}
        for key in keys:
            data = _select(database, key)
            if data is not None:
                found[key] = len(data)
        return found

    def open(self, key: str) -> BytesStream:
        with self._errors(checked_path_key(self.name, key)):
            data = _select(self._reach(), key)
        if data is None:
            raise CopyMissing(self.name, key, "there is no such object")
        return BytesStream(data, place=self.name, key=key)

    def supersede(self, key: str, to: str) -> None:
        checked_path_key(self.name, to)
        with self._changing(checked_path_key(self.name, key)) as database:
            if not self._rename(database, key, to):
                raise CopyMissing(self.name, key, "there is no such object")

    def _rename(self, database: sqlite3.Connection, key: str, to: str) -> bool:
        """Whether there was something to rename."""
        if _select(database, to) is not None:
            raise KeyOccupied(self.name, to, f"an object lies there already; {key} was not moved aside")
        renamed = database.execute("UPDATE objects SET key = ? WHERE key = ?", (to.encode(), key.encode()))
        return renamed.rowcount > 0

    def read_identity(self) -> str | None:
        identity = _select(self._reach(), IDENTITY_KEY)
        return None if identity is None else identity.decode()

    def write_identity(self, ledger_id: str) -> None:
        with self._reach() as database:
            row = IDENTITY_KEY.encode(), ledger_id.encode()
            database.execute("INSERT OR REPLACE INTO objects (key, data) VALUES (?, ?)", row)

    def sweep(self) -> None:
        """Remove what lies in staging; this destination puts nothing there, somebody else may have."""
        ours, current = f"{self._staging.ledger_prefix}/".encode(), f"{self._staging.prefix}/".encode()
        with self._reach() as database:
            keys = [key for (key,) in database.execute("SELECT key FROM objects")]
            left = [(key,) for key in keys if key.startswith(ours) and not key.startswith(current)]
            database.executemany("DELETE FROM objects WHERE key = ?", left)

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        with self._reach() as database:
            database.executemany("DELETE FROM objects WHERE key = ?", [(key.encode(),) for key in keys])

    def close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _reach(self) -> sqlite3.Connection:
        """The open file. Raises DestinationLost."""
        if self._database is None:
            try:
                # One thread at a time, and not always the same: a run may connect in one and go on in another.
                self._database = sqlite3.connect(self._file, check_same_thread=False)
                self._database.execute("PRAGMA synchronous = FULL")
                # Keys are kept as bytes: SQLite's text would end at a NUL.
                self._database.execute("CREATE TABLE IF NOT EXISTS objects (key BLOB PRIMARY KEY, data BLOB NOT NULL)")
            except sqlite3.Error as error:
                self.close()
                raise DestinationLost(f"{self.name}: {self._file}: {error}", "is its disk mounted?") from error
        return self._database

    @contextmanager
    def _changing(self, key: str) -> Iterator[sqlite3.Connection]:
        """One transaction about *key*: all of it, or nothing."""
        try:
            database = self._reach()
        except DestinationLost as lost:
            raise Unavailable(self.name, key, lost.message, lost.hint) from lost
        with self._errors(key), database:
            yield database

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            kind = {sqlite3.SQLITE_FULL: NoSpace, sqlite3.SQLITE_BUSY: Unavailable}.get(error.sqlite_errorcode)
            raise (kind or CopyFailed)(self.name, key, str(error)) from error


def _read(upload: Upload) -> tuple[bytes, Checksum]:
    """The bytes, which are what was promised. Raises SourceError."""
    data = bytearray()
    with HashingReader(upload.open(), upload.algorithm) as reader:
        while chunk := reader.read(min(_CHUNK, reader.size - len(data))):
            data += chunk
        return bytes(data), reader.finish(upload.promised)


def _select(database: sqlite3.Connection, key: str) -> bytes | None:
    # Whatever cannot be encoded was never stored.
    row = database.execute("SELECT data FROM objects WHERE key = ?", (key.encode(errors="replace"),)).fetchone()
    return None if row is None else bytes(row[0])


def _checksum(data: bytes, algorithm: Algorithm) -> str:
    digest = algorithm.new()
    digest.update(data)
    return digest.hexdigest()


def make(settings: SqliteSettings, staging: Staging) -> SqliteDestination:
    """The destination that *settings* describe."""
    return SqliteDestination(settings.name, settings.file, staging)


KIND = DestinationKind(SqliteSettings, make)
"""What the entry point names."""
