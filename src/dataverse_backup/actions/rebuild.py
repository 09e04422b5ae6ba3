"""Make a ledger from what a destination says of itself; no copy is believed before it was proven again.

What is noted is PENDING with its copy known, as after ``Ledger.doubt``: the next backup proves it where it lies.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from dataverse_backup.destinations.base import Listable, is_own, note_key
from dataverse_backup.errors import ManifestError, ObjectError, RestoreError, printable
from dataverse_backup.manifest import MANIFEST, Manifest, manifest_folder, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Destination, Entry
    from dataverse_backup.ledger.base import Kept, Ledger

EXAMPLES = 20
TOGETHER = 1_000
_CHUNK = 1 << 20


@dataclass(slots=True)
class Rebuilt:
    """What was found at a destination."""

    manifests: int = 0
    noted: int = 0
    """Datafiles that the ledger did not know, and knows now."""
    known: int = 0
    """Datafiles that the ledger knew: nothing of theirs was changed."""
    missing: list[str] = field(default_factory=list)
    """Keys that a manifest names and under which nothing lies, or something of another size."""
    unnamed: int = 0
    """Objects that no manifest names; they stay, and the next backup proves those that it wants to put there."""
    unnamed_examples: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What is wrong with manifests."""

    @property
    def is_well(self) -> bool:
        """Whether everything fitted together."""
        return not (self.missing or self.unnamed or self.complaints)


def rebuild(ledger: Ledger, destination: Destination) -> Rebuilt:
    """Note in *ledger* what the manifests of *destination*, which is connected, name.

    Raises DestinationLost, LedgerError, and RestoreError for a destination that cannot be listed.
    """
    if not isinstance(destination, Listable):
        raise RestoreError(f"{destination.name}: a destination of this kind cannot be listed")
    rebuilt = Rebuilt()
    with tempfile.NamedTemporaryFile(prefix="dataverse-backup-listing-") as file, _Shelf(file.name) as shelf:
        folders = sorted(shelf.take(destination.entries()))
        _Rebuilding(ledger, destination, shelf, rebuilt).run(folders)
        rebuilt.unnamed, rebuilt.unnamed_examples = shelf.unnamed()
    return rebuilt


class _Shelf:
    """What lies at the destination, on disk: there may be more than fits in memory."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE objects (key TEXT PRIMARY KEY, size INTEGER, named INTEGER) WITHOUT ROWID")

    def take(self, entries: Iterator[Entry]) -> list[str]:
        """Remember the copies among *entries*; the folders that have a manifest."""
        folders: list[str] = []

        def copies() -> Iterator[tuple[str, int]]:
            for entry in entries:
                if (folder := manifest_folder(entry.key)) is not None:
                    folders.append(folder)
                elif not is_own(entry.key):
                    yield printable(entry.key) if _is_odd(entry.key) else entry.key, entry.size

        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO objects VALUES (?, ?, 0)", copies())
        self._database.execute("COMMIT")
        return folders

    def name(self, key: str) -> tuple[int | None, bool]:
        """The size of what lies under *key*, and whether it was named before; it is named now."""
        row = self._database.execute("SELECT size, named FROM objects WHERE key = ?", (key,)).fetchone()
        self._database.execute("UPDATE objects SET named = 1 WHERE key = ?", (key,))
        return (None, False) if row is None else (row[0], bool(row[1]))

    def unnamed(self) -> tuple[int, list[str]]:
        """How many objects nothing named, and some of them."""
        (number,) = self._database.execute("SELECT count(*) FROM objects WHERE named = 0").fetchone()
        some = self._database.execute("SELECT key FROM objects WHERE named = 0 ORDER BY key LIMIT ?", (EXAMPLES,))
        return number, [printable(key) for (key,) in some]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _is_odd(key: str) -> bool:
    """Whether it holds what no text has: a name that is not UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return True
    return False


class _Rebuilding:
    """Reads manifest after manifest."""

    def __init__(self, ledger: Ledger, destination: Destination, shelf: _Shelf, rebuilt: Rebuilt) -> None:
        self._ledger, self._destination, self._shelf, self._rebuilt = ledger, destination, shelf, rebuilt
        self._known = {(standing.datafile_id, standing.tag) for standing in ledger.standings(destination.name)}
        self._seen: set[tuple[int, str]] = set()
        self._new: list[Kept] = []

    def run(self, folders: list[str]) -> None:
        for folder in folders:
            try:
                manifest = self._read(folder)
            except (ManifestError, ObjectError) as error:
                self._rebuilt.complaints.append(str(error))
                continue
            self._rebuilt.manifests += 1
            self._rebuilt.complaints += [f"{printable(folder)}: its manifest: {said}" for said in manifest.complaints]
            for kept in manifest.kept:
                self._take(kept)
        self._flush()

    def _read(self, folder: str) -> Manifest:
        with closing(self._destination.open(note_key(folder, MANIFEST))) as stream:
            data = b"".join(iter(lambda: stream.read(_CHUNK), b""))
        return parse(data, folder, self._destination.name)

    def _take(self, kept: Kept) -> None:
        which, key = (kept.datafile.id, kept.datafile.tag), kept.copy.key
        size, was_named = self._shelf.name(key)
        if which in self._seen or was_named:
            said = f"datafile {kept.datafile.id}: {printable(key)} is in more than one manifest"
            self._rebuilt.complaints.append(said)
            return
        self._seen.add(which)
        if size != kept.copy.size:
            self._rebuilt.missing.append(key)
        if which in self._known:
            self._rebuilt.known += 1
            return
        self._rebuilt.noted += 1
        self._new.append(kept)
        if len(self._new) >= TOGETHER:
            self._flush()

    def _flush(self) -> None:
        self._ledger.note_kept(self._destination.name, self._new)
        self._new = []
