"""What every store promises that takes bytes back.

Whoever imports this gives a fixture ``shelf``: a RestorableShelf whose store holds something, a new one for each test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import CopyError, KeyOccupied, SourceDiffers, SourceRefused, SourceUnreadable
from dataverse_backup.fixity import Algorithm, BytesStream, Checksum
from dataverse_backup.testing.stores import NAME, datafile, read_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.fixity import ByteStream
    from dataverse_backup.testing.shelves import RestorableShelf

GOOD, BAD = b"as registered", b"as registereD"


def sha1(data: bytes) -> Checksum:
    return Checksum.of(data, Algorithm.SHA1)


def copy_of(data: bytes) -> Callable[[], ByteStream]:
    return lambda: BytesStream(data, place="offsite", key="a/b/c")


def never() -> ByteStream:
    raise AssertionError("the copy is not needed")


class Broken(BytesStream):
    """A copy that cannot be read to its end."""

    def read(self, length: int | None = -1, /) -> bytes:
        if self.tell():
            raise SourceUnreadable(self.place, self.key, "as planned")
        return super().read(min(length or 0, 3))


@pytest.mark.parametrize("size", [0, 1, 65536, (17 << 20) + 1])
def test_what_is_missing_is_put_back(shelf: RestorableShelf, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    done = shelf.restorable.put_back(shelf.name(NAME), copy_of(data), sha1(data))
    assert (done.name, done.size, done.checksum) == (shelf.name(NAME), size, sha1(data))
    assert (done.aside, done.was_right) == (None, False)
    assert read_all(shelf, NAME) == data


def test_it_lies_where_the_store_looks_for_the_registered_bytes(shelf: RestorableShelf) -> None:
    for file in (datafile(), datafile(is_tabular=True)):
        name = shelf.store.names(shelf.registered(file))[0]
        shelf.restorable.put_back(name, copy_of(GOOD), sha1(GOOD))
    assert (read_all(shelf, NAME), read_all(shelf, f"{NAME}.orig")) == (GOOD, GOOD)


@pytest.mark.parametrize("size", [13, (17 << 20) + 1])
def test_what_lay_there_is_kept_aside_unchanged(shelf: RestorableShelf, size: int) -> None:
    data = (GOOD * (size // len(GOOD) + 1))[:size]
    shelf.plant(NAME, BAD)
    done = shelf.restorable.put_back(shelf.name(NAME), copy_of(data), sha1(data))
    assert done.aside is not None
    assert done.aside.startswith(f"{shelf.name(NAME)}.damaged-")
    assert read_all(shelf, NAME) == data
    kept = shelf.store.open(done.aside)
    assert kept.read(1000) == BAD
    kept.close()


def test_each_that_is_kept_aside_has_a_name_of_its_own(shelf: RestorableShelf) -> None:
    for data in (BAD, BAD * 2):
        shelf.plant(NAME, data)
        shelf.restorable.put_back(shelf.name(NAME), copy_of(GOOD), sha1(GOOD))
    kept = [name for name in shelf.everything() if ".damaged-" in name]
    assert sorted(read_all(shelf, name) for name in kept) == [BAD, BAD * 2]


def test_bytes_that_are_right_are_not_written_again(shelf: RestorableShelf) -> None:
    shelf.plant(NAME, GOOD)
    before = shelf.everything()
    done = shelf.restorable.put_back(shelf.name(NAME), never, sha1(GOOD))
    assert (done.was_right, done.aside, done.size) == (True, None, len(GOOD))
    assert shelf.everything() == before


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("size", [13, (17 << 20) + 1])
def test_a_copy_that_lies_or_fails_changes_nothing(shelf: RestorableShelf, size: int, *, is_there: bool) -> None:
    if is_there:
        shelf.plant(NAME, BAD)
    before = shelf.everything()
    lie = b"x" * size
    with pytest.raises(SourceDiffers) as lied:
        shelf.restorable.put_back(shelf.name(NAME), copy_of(lie), sha1(GOOD))
    with pytest.raises(SourceUnreadable) as failed:
        shelf.restorable.put_back(shelf.name(NAME), lambda: Broken(lie, place="offsite", key="a"), sha1(lie))
    assert (lied.value.place, failed.value.place) == ("offsite", "offsite")
    assert shelf.everything() == before
    if is_there:
        assert read_all(shelf, NAME) == BAD


@pytest.mark.parametrize("is_there", [False, True])
def test_what_somebody_else_puts_there_meanwhile_is_not_overwritten(shelf: RestorableShelf, *, is_there: bool) -> None:
    if is_there:
        shelf.plant(NAME, BAD)

    def meanwhile() -> ByteStream:
        shelf.plant(NAME, b"of somebody else")
        return BytesStream(GOOD, place="offsite", key="a")

    with pytest.raises(KeyOccupied) as occupied:
        shelf.restorable.put_back(shelf.name(NAME), meanwhile, sha1(GOOD))
    assert occupied.value.place == "file"
    assert read_all(shelf, NAME) == b"of somebody else"


def test_no_name_leads_out_of_the_store_to_write_there(shelf: RestorableShelf) -> None:
    for name in ("../up", "a/../../up", "nul\0"):
        with pytest.raises(SourceRefused):
            shelf.restorable.put_back(name, never, sha1(GOOD))


@pytest.mark.parametrize("is_there", [False, True])
def test_where_we_may_not_write_nothing_is_written(shelf: RestorableShelf, *, is_there: bool) -> None:
    if is_there:
        shelf.plant(NAME, BAD)
    before = shelf.everything()
    with shelf.forbid_writing(), pytest.raises((CopyError, SourceRefused)) as refused:
        shelf.restorable.put_back(shelf.name(NAME), copy_of(GOOD), sha1(GOOD))
    assert refused.value.place == "file"
    assert shelf.everything() == before
