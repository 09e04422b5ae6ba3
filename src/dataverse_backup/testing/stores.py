"""What every store promises.

Whoever imports this gives a fixture ``shelf``: a Shelf whose store holds something, a new one for each test.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.datafile import AUXILIARY, PROVENANCE, TAB, Datafile, Dataset
from dataverse_backup.errors import SourceMissing, SourceRefused, SourceUnavailable, StoreLost

if TYPE_CHECKING:
    from dataverse_backup.testing.shelves import Shelf

NAME = "10.5072/FK2/ABCDEF/18b-1"
MIB = 1 << 20


def datafile(**changes: Any) -> Datafile:
    """A datafile whose main object is called NAME."""
    base = Datafile(
        id=1,
        dataset=Dataset("doi:10.5072/FK2/ABCDEF", "10.5072", "FK2/ABCDEF"),
        store_id="file",
        storageidentifier="file://18b-1",
        size=1000,
        checksum=None,
        is_tabular=False,
        content_type="text/plain",
        created=datetime(2020, 1, 2, tzinfo=UTC),
        label="data.txt",
        directory_label="",
    )
    return replace(base, **changes)


def read_all(shelf: Shelf, path: str) -> bytes:
    stream = shelf.store.open(shelf.name(path))
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
    assert read_all(shelf, NAME) == data


def test_no_read_gives_more_than_was_asked_for(shelf: Shelf) -> None:
    shelf.plant(NAME, b"0123456789")
    stream = shelf.store.open(shelf.name(NAME))
    assert (stream.read(4), stream.read(4), stream.read(4), stream.read(4)) == (b"0123", b"4567", b"89", b"")
    stream.close()


def test_the_registered_bytes_lie_where_the_first_name_says(shelf: Shelf) -> None:
    file = shelf.registered(datafile())
    shelf.plant(NAME, b"main")
    assert shelf.store.names(file)[0] == shelf.name(NAME)
    assert read_all(shelf, NAME) == b"main"
    assert shelf.store.object_name(file) == "18b-1"
    assert shelf.store.excludes(file) is None


def test_of_an_ingested_file_the_original_comes_first(shelf: Shelf) -> None:
    main, original, *rest = shelf.store.names(shelf.registered(datafile()))
    assert (main, original, rest) == (shelf.name(NAME), f"{shelf.name(NAME)}.orig", [])
    first, second, *_ = shelf.store.names(shelf.registered(datafile(is_tabular=True)))
    assert (first, second) == (original, main)


def test_what_lies_beside_a_file_has_one_name_and_is_found_there(shelf: Shelf) -> None:
    file = shelf.registered(datafile(is_tabular=True))
    for tag, suffix in ((TAB, ""), (PROVENANCE, ".prov-json.json"), (f"{AUXILIARY}dpJson_v1", ".dpJson_v1")):
        shelf.plant(NAME + suffix, tag.encode())
        companion = file.beside(tag, suffix)
        assert shelf.store.names(companion) == (shelf.name(NAME + suffix),)
        assert shelf.store.object_name(companion) == f"18b-1{suffix}"
        assert read_all(shelf, NAME + suffix) == tag.encode()


@pytest.mark.parametrize("name", ["10.18710/AB C/ééé/x y.txt", "a/$(touch pwned)", "a/-rf", "a/*", "a/line\nbreak"])
def test_an_unusual_name_is_a_name(shelf: Shelf, name: str) -> None:
    shelf.plant(name, b"data")
    assert read_all(shelf, name) == b"data"


def test_what_is_not_there_is_missing(shelf: Shelf) -> None:
    for path in ("no", "10.5072/no/such/file", NAME + "x" * 300, "other/below a file"):
        name = shelf.name(path)
        with pytest.raises(SourceMissing) as caught:
            shelf.store.open(name)
        assert (caught.value.place, caught.value.key) == ("file", name)


def test_what_we_may_not_read_is_refused(shelf: Shelf) -> None:
    shelf.plant(NAME, b"secret")
    with shelf.refuse(NAME), pytest.raises(SourceRefused) as caught:
        shelf.store.open(shelf.name(NAME))
    assert (caught.value.place, caught.value.key) == ("file", shelf.name(NAME))


def test_a_service_that_stops_answering_is_unavailable(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.plant(NAME, b"data")
    with monkeypatch.context() as patched:
        shelf.break_down(NAME, patched)
        stream = shelf.store.open(shelf.name(NAME))
        with pytest.raises(SourceUnavailable) as caught:
            stream.read(4)
        stream.close()
    assert (caught.value.place, caught.value.key) == ("file", shelf.name(NAME))


@pytest.mark.parametrize("name", ["../up", "a/../../up", "..", "/etc/passwd", "nul\0", "\ud800"], ids=ascii)
def test_no_name_leads_out_of_the_store(shelf: Shelf, name: str) -> None:
    is_harmless = shelf.is_flat and name.startswith("/")
    with pytest.raises(SourceMissing if is_harmless else SourceRefused):
        shelf.store.open(name)


@pytest.mark.parametrize("location", ["../x", "a/../../x", "..", "/etc/passwd", "nul\0", "\ud800"], ids=ascii)
def test_no_storage_identifier_leads_out_of_the_store(shelf: Shelf, location: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.names(datafile(storageidentifier=f"file://{location}"))


@pytest.mark.parametrize(("authority", "identifier"), [("..", "x"), ("/etc", "x"), ("10.5072", "../../x")])
def test_no_dataset_leads_out_of_the_store(shelf: Shelf, authority: str, identifier: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.names(datafile(dataset=Dataset("doi:x", authority, identifier)))


def test_a_lost_store_says_nothing_about_its_objects(shelf: Shelf) -> None:
    shelf.plant(NAME, b"data")
    shelf.store.probe()
    shelf.lose()
    with pytest.raises(StoreLost):
        shelf.store.probe()
    with pytest.raises(StoreLost):
        shelf.store.open(shelf.name(NAME))


def test_streams_stand_for_themselves(shelf: Shelf) -> None:
    contents = {f"{NAME}-{letter}": letter.encode() * (MIB + 1) for letter in "abc"}
    for path, data in contents.items():
        shelf.plant(path, data)
    with ThreadPoolExecutor(len(contents)) as threads:
        streams = list(threads.map(lambda path: shelf.store.open(shelf.name(path)), contents))
        first = [stream.read(10) for stream in streams]
        rest = list(threads.map(lambda stream: b"".join(iter(lambda: stream.read(50_000), b"")), streams))
    for stream in streams:
        stream.close()
    assert [start + end for start, end in zip(first, rest, strict=True)] == list(contents.values())
