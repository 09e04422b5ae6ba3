"""Fetching a dump of the database: the newest whole one, from what lies there alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.restore_dump import Fetched, Shelved, dumps_at, newest_first, restore_dump
from dataverse_backup.destinations.base import DATABASE_PREFIX
from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import CopyDiffers, CopyMissing, DestinationLost, RestoreError
from dataverse_backup.fixity import Checksum
from dataverse_backup.generations import ALGORITHM, Generation
from dataverse_backup.testing.places import STAGING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def shelve(destination: MemoryDestination, day: int, data: bytes, lies: bytes | None = None) -> Generation:
    """Let a dump of *data* lie there, or *lies* in its place."""
    one = Generation.of(datetime(2026, 1, day, tzinfo=UTC), Checksum.of(data, ALGORITHM))
    destination.objects[one.key] = data if lies is None else lies
    return one


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FilesystemDestination]:
    with FilesystemDestination("folder", tmp_path, STAGING) as folder:
        folder.connect()
        yield folder


def fetched(folder: FilesystemDestination, *sources: MemoryDestination) -> list[Fetched]:
    return list(restore_dump(newest_first([one for source in sources for one in dumps_at(source)]), folder))


def test_the_newest_is_fetched_for_its_owner_alone(folder: FilesystemDestination, tmp_path: Path) -> None:
    source = MemoryDestination()
    shelve(source, 1, b"old")
    newest = shelve(source, 3, b"new")
    shelve(source, 2, b"middle")
    source.objects |= {f"{DATABASE_PREFIX}/notes.txt": b"", "10.5072/x": b""}
    assert fetched(folder, source) == [Fetched(Shelved(source, newest, 3))]
    (path,) = (one for one in tmp_path.iterdir() if one.is_file())
    assert (path.name, path.read_bytes(), path.stat().st_mode & 0o777) == (newest.name, b"new", 0o600)
    assert fetched(folder, source) == [Fetched(Shelved(source, newest, 3), was_there=True)]


def test_where_the_newest_is_damaged_the_next_one_is_fetched_and_that_is_told(
    folder: FilesystemDestination, tmp_path: Path
) -> None:
    near, far = MemoryDestination("near"), MemoryDestination("far")
    newest = shelve(near, 3, b"new", lies=b"new!")
    shelve(far, 3, b"new", lies=b"ne")
    older = shelve(far, 2, b"older")
    (first, second, third) = fetched(folder, near, far)
    assert [one.shelved.generation for one in (first, second, third)] == [newest, newest, older]
    assert [one.shelved.source for one in (first, second, third)] == [near, far, far]
    assert isinstance(first.error, CopyDiffers)
    assert isinstance(second.error, CopyDiffers)
    assert third.error is None
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {older.name}


def test_one_that_is_gone_or_that_nobody_gives_is_fetched_elsewhere(folder: FilesystemDestination) -> None:
    near, far = MemoryDestination("near"), MemoryDestination("far")
    one = shelve(near, 3, b"new")
    shelve(far, 3, b"new")
    there = newest_first([*dumps_at(near), *dumps_at(far)])
    del near.objects[one.key]
    first, second = restore_dump(there, folder)
    assert isinstance(first.error, CopyMissing)
    assert second == Fetched(Shelved(far, one, 3))


def test_what_is_there_under_its_name_is_never_overwritten(folder: FilesystemDestination, tmp_path: Path) -> None:
    source = MemoryDestination()
    one = shelve(source, 3, b"new")
    (tmp_path / one.name).write_bytes(b"somebody's own")
    with pytest.raises(RestoreError, match="is something else"):
        fetched(folder, source)
    assert (tmp_path / one.name).read_bytes() == b"somebody's own"


def test_where_there_is_none_nothing_is_fetched(folder: FilesystemDestination) -> None:
    source = MemoryDestination()
    assert fetched(folder, source) == []
    source.faults.down_after = 0
    with pytest.raises(DestinationLost):
        dumps_at(source)
