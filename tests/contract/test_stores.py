"""What every store promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import SourceMissing, SourceRefused, SourceUnavailable, StoreLost
from tests.contract.ledger_cases import datafile
from tests.contract.store_cases import SHELVES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.stores.base import Store
    from tests.contract.store_cases import Shelf

NAME = "10.5072/FK2/ABCDEF/18b-1"
MIB = 1 << 20


@pytest.fixture(params=SHELVES)
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    with SHELVES[request.param]() as shelf, shelf.store:
        yield shelf


def read_all(store: Store, name: str) -> bytes:
    stream = store.open(name)
    try:
        data = b""
        while more := stream.read(MIB):
            data += more
        assert stream.size == len(data)
        return data
    finally:
        stream.close()
        stream.close()


@pytest.mark.parametrize("size", [0, 1, 65536, 2 * MIB + 1])
def test_an_object_is_read_whole(shelf: Shelf, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    shelf.plant(NAME, data)
    assert read_all(shelf.store, NAME) == data


def test_no_read_gives_more_than_was_asked_for(shelf: Shelf) -> None:
    shelf.plant(NAME, b"0123456789")
    stream = shelf.store.open(NAME)
    assert (stream.read(4), stream.read(4), stream.read(4), stream.read(4)) == (b"0123", b"4567", b"89", b"")
    stream.close()


def test_the_registered_bytes_lie_where_the_first_name_says(shelf: Shelf) -> None:
    file = datafile(1)
    shelf.plant(NAME, b"main")
    assert read_all(shelf.store, shelf.store.names(file)[0]) == b"main"
    assert shelf.store.object_name(file) == "18b-1"
    assert shelf.store.excludes(file) is None


def test_of_an_ingested_file_the_original_comes_first(shelf: Shelf) -> None:
    main, original, *rest = shelf.store.names(datafile(1))
    assert (main, original, rest) == (NAME, f"{NAME}.orig", [])
    first, second, *_ = shelf.store.names(datafile(1, is_tabular=True))
    assert (first, second) == (original, main)


@pytest.mark.parametrize("name", ["10.18710/AB C/ééé/x y.txt", "a/$(touch pwned)", "a/-rf", "a/*", "a/line\nbreak"])
def test_an_unusual_name_is_a_name(shelf: Shelf, name: str) -> None:
    shelf.plant(name, b"data")
    assert read_all(shelf.store, name) == b"data"


def test_what_is_not_there_is_missing(shelf: Shelf) -> None:
    for name in ("no", "10.5072/no/such/file", NAME + "x" * 300, "other/below a file"):
        with pytest.raises(SourceMissing) as caught:
            shelf.store.open(name)
        assert (caught.value.place, caught.value.key) == ("file", name)


def test_what_we_may_not_read_is_refused(shelf: Shelf) -> None:
    shelf.plant(NAME, b"secret")
    with shelf.refuse(NAME), pytest.raises(SourceRefused) as caught:
        shelf.store.open(NAME)
    assert (caught.value.place, caught.value.key) == ("file", NAME)


def test_a_service_that_stops_answering_is_unavailable(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.plant(NAME, b"data")
    with monkeypatch.context() as patched:
        shelf.break_down(NAME, patched)
        stream = shelf.store.open(NAME)
        with pytest.raises(SourceUnavailable) as caught:
            stream.read(4)
        stream.close()
    assert (caught.value.place, caught.value.key) == ("file", NAME)


@pytest.mark.parametrize("name", ["../up", "a/../../up", "..", "/etc/passwd", "nul\0", "\ud800"], ids=ascii)
def test_no_name_leads_out_of_the_store(shelf: Shelf, name: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.open(name)


@pytest.mark.parametrize("location", ["../x", "a/../../x", "..", "/etc/passwd", "nul\0", "\ud800"], ids=ascii)
def test_no_storage_identifier_leads_out_of_the_store(shelf: Shelf, location: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.names(datafile(1, storageidentifier=f"file://{location}"))


@pytest.mark.parametrize(("authority", "identifier"), [("..", "x"), ("/etc", "x"), ("10.5072", "../../x")])
def test_no_dataset_leads_out_of_the_store(shelf: Shelf, authority: str, identifier: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.names(datafile(1, dataset=Dataset("doi:x", authority, identifier)))


def test_a_lost_store_says_nothing_about_its_objects(shelf: Shelf) -> None:
    shelf.plant(NAME, b"data")
    shelf.store.probe()
    shelf.lose()
    with pytest.raises(StoreLost):
        shelf.store.probe()
    with pytest.raises(StoreLost):
        shelf.store.open(NAME)
