"""What every store promises.

Whoever imports this gives a fixture ``shelf``: a Shelf whose store holds something, a new one for each test.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.datafile import AUXILIARY, DATASET, LOGO, LOGOS, PROVENANCE, TAB, Datafile, Dataset
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


def dataset_of(shelf: Shelf, **changes: Any) -> Datafile:
    base = datafile(id=10, storageidentifier="file://10.5072/FK2/ABCDEF", label="", tag=DATASET)
    return shelf.dataset(replace(base, **changes))


def plant_logo(shelf: Shelf, tag: str, data: bytes) -> None:
    shelf.plant(shelf.of_dataset(f"10.5072/FK2/ABCDEF/{LOGOS[tag]}"), data)


def test_a_logo_is_found_where_dataverse_keeps_it_and_read_by_its_name(shelf: Shelf) -> None:
    dataset = dataset_of(shelf)
    assert shelf.store.logos(dataset) == {}
    for tag in LOGOS:
        plant_logo(shelf, tag, tag.encode())
    assert set(shelf.store.logos(dataset)) == set(LOGOS)
    for tag, called in LOGOS.items():
        logo = dataset.logo(tag)
        assert shelf.store.object_name(logo) == called
        (name,) = shelf.store.names(logo)
        stream = shelf.store.open(name)
        assert stream.read(MIB) == tag.encode()
        stream.close()


def test_a_logo_needs_no_smaller_sizes_and_the_smallest_is_enough(shelf: Shelf) -> None:
    dataset, small = dataset_of(shelf), f"{LOGO}:thumb48"
    plant_logo(shelf, small, b"small")
    assert set(shelf.store.logos(dataset)) == {small}
    plant_logo(shelf, LOGO, b"whole")
    assert set(shelf.store.logos(dataset)) == {LOGO, small}


def test_a_logo_of_other_bytes_has_another_version_and_otherwise_the_same(shelf: Shelf) -> None:
    dataset, versions = dataset_of(shelf), list[str]()
    for data in (b"one", b"two", b"three"):
        plant_logo(shelf, LOGO, data)
        versions.append(shelf.store.logos(dataset)[LOGO])
        assert shelf.store.logos(dataset)[LOGO] == versions[-1]
        time.sleep(0.01)  # files of one size are told apart by their times, which tick every few milliseconds
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(("authority", "identifier"), [("..", "x"), ("/etc", "x"), ("10.5072", "../../x")])
def test_no_logo_is_looked_for_outside_of_the_store(shelf: Shelf, authority: str, identifier: str) -> None:
    dataset = dataset_of(shelf, dataset=Dataset("doi:x", authority, identifier))
    with pytest.raises(SourceRefused):
        shelf.store.logos(dataset)
    with pytest.raises(SourceRefused):
        shelf.store.names(dataset.logo(LOGO))


def test_a_lost_store_does_not_say_that_there_is_no_logo(shelf: Shelf) -> None:
    plant_logo(shelf, LOGO, b"logo")
    shelf.lose()

    def whether_there_is_one() -> object:
        return shelf.store.logos(dataset_of(shelf)) or shelf.store.probe()

    with pytest.raises(StoreLost):
        whether_there_is_one()


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
