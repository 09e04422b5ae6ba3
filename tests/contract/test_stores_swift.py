"""What a store in Swift does beyond the contract: where Dataverse keeps things, large objects, faults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import SourceChanged, SourceMissing, SourceRefused, StoreLost
from dataverse_backup.stores.swift import SwiftStore
from dataverse_backup.testing.restorable import copy_of, sha1
from dataverse_backup.testing.stores import NAME, datafile, read_all
from tests.contract.store_cases import SHELVES, SwiftShelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.stores.swift import SwiftStream

MIB = 1 << 20
DATA = bytes(range(256)) * (3 * MIB // 256)


@pytest.fixture
def shelf(request: pytest.FixtureRequest) -> Iterator[SwiftShelf]:
    with SHELVES["swift"](request) as shelf:
        assert isinstance(shelf, SwiftShelf)
        with shelf.store:
            yield shelf


@pytest.mark.parametrize(
    ("location", "container", "name", "object_name"),
    [
        ("endpoint1:doi-10-5072:FK2/ABCDEF/18b-1", "doi-10-5072", "FK2/ABCDEF/18b-1", "18b-1"),  # 4.10 and later
        ("endpoint1:doi-10-5072-FK2-ABCDEF:18b-1", "doi-10-5072-FK2-ABCDEF", "18b-1", "18b-1"),  # 4.6.2 to 4.8
        ("endpoint1:doi-10-5072-FK2/ABCDEF:18b-1", "doi-10-5072-FK2", "ABCDEF/18b-1", "18b-1"),  # 4.9
        ("endpoint1:doi-10-5072:FK2/ABCDEF/a:b/c d é", "doi-10-5072", "FK2/ABCDEF/a:b/c d é", "a:b/c d é"),
        ("endpoint1:doi-10-5072:FK2/OTHER/18b-1", "doi-10-5072", "FK2/OTHER/18b-1", "FK2/OTHER/18b-1"),
    ],
)
def test_every_naming_that_dataverse_has_had_is_found(
    shelf: SwiftShelf, location: str, container: str, name: str, object_name: str
) -> None:
    with shelf.swift.connection() as connection:
        connection.put_container(container)
        connection.put_object(container, name, b"main")
        connection.put_object(container, f"{name}.orig", b"original")
    file = datafile(storageidentifier=f"file://{location}")
    main, original = shelf.store.names(file)
    assert _read(shelf, main) == b"main"
    assert _read(shelf, original) == b"original"
    assert shelf.store.names(replace(file, is_tabular=True)) == (original, main)
    assert shelf.store.object_name(file) == object_name


def _read(shelf: SwiftShelf, name: str) -> bytes:
    stream = shelf.store.open(name)
    try:
        return _rest(stream)
    finally:
        stream.close()


def _rest(stream: SwiftStream) -> bytes:
    return b"".join(iter(lambda: stream.read(MIB), b""))


@pytest.mark.parametrize(
    "location",
    [
        "18b-1",
        "endpoint1:18b-1",
        "::",
        "endpoint1::x",
        "endpoint1:c:",
        "endpoint1:c:../x",
        "endpoint1:..:x",
        "e:c:a/./b",
    ],
)
def test_an_identifier_that_names_no_object_is_refused(shelf: SwiftShelf, location: str) -> None:
    with pytest.raises(SourceRefused):
        shelf.store.names(datafile(storageidentifier=f"file://{location}"))


def test_an_endpoint_that_nobody_described_is_refused_with_what_to_add(shelf: SwiftShelf) -> None:
    with pytest.raises(SourceRefused) as caught:
        shelf.store.open("endpoint2:doi-10-5072:FK2/ABCDEF/18b-1")
    assert "authUrl.endpoint2" in caught.value.hint


def test_static_and_dynamic_large_objects_are_read_as_the_one_that_they_are(shelf: SwiftShelf) -> None:
    with shelf.swift.connection() as connection:
        manifest = []
        for number in range(3):
            etag = connection.put_object(shelf.container, f"parts/{number}", DATA[number * MIB : (number + 1) * MIB])
            manifest.append({"path": f"/{shelf.container}/parts/{number}", "etag": etag})
        query = "multipart-manifest=put"
        connection.put_object(shelf.container, "static", json.dumps(manifest), query_string=query)
        headers = {"X-Object-Manifest": f"{shelf.container}/parts/"}
        connection.put_object(shelf.container, "dynamic", b"", headers=headers)
    assert read_all(shelf, "static") == DATA
    assert read_all(shelf, "dynamic") == DATA


def test_a_read_that_is_cut_goes_on_where_it_was(shelf: SwiftShelf) -> None:
    shelf.plant(NAME, DATA)
    shelf.proxy.cut_answers_after, shelf.proxy.cuts = MIB, 2
    assert read_all(shelf, NAME) == DATA
    assert shelf.proxy.cuts == 0


def test_another_object_that_takes_the_name_in_the_middle_of_a_read_is_noticed(shelf: SwiftShelf) -> None:
    shelf.plant(NAME, DATA)
    stream = shelf.store.open(shelf.name(NAME))
    stream.read(1000)
    shelf.proxy.cut_all()
    shelf.plant(NAME, DATA[::-1])
    with pytest.raises(SourceChanged):
        _rest(stream)
    stream.close()


def test_an_object_that_goes_in_the_middle_of_a_read_is_missing(shelf: SwiftShelf) -> None:
    shelf.plant(NAME, DATA)
    stream = shelf.store.open(shelf.name(NAME))
    shelf.proxy.cut_all()
    with shelf.swift.connection() as connection:
        connection.delete_object(shelf.container, NAME.removeprefix("10.5072/"))
    with pytest.raises(SourceMissing):
        _rest(stream)
    stream.close()


def test_what_is_in_a_container_that_is_missing_is_missing(shelf: SwiftShelf) -> None:
    with pytest.raises(SourceMissing):
        shelf.store.open("endpoint1:hdl-1902-1:x")


def test_a_key_that_is_wrong_loses_the_whole_store(shelf: SwiftShelf) -> None:
    shelf.plant(NAME, b"data")
    with SwiftStore("file", {"endpoint1": replace(shelf.login, key="wrong")}) as store:
        with pytest.raises(StoreLost) as caught:
            store.open(shelf.name(NAME))
        with pytest.raises(StoreLost):
            store.probe()
    assert "key" in caught.value.hint


def test_an_account_that_is_empty_is_a_lost_store(shelf: SwiftShelf) -> None:
    shelf.store.probe()
    shelf.lose()
    with pytest.raises(StoreLost, match="is empty"):
        shelf.store.probe()


def test_a_large_object_is_put_back_in_segments_and_what_lay_there_keeps_its_own(
    shelf: SwiftShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataverse_backup.stores.swift_put_back.WHOLE_SIZE", 1000)
    monkeypatch.setattr("dataverse_backup.stores.swift_put_back.SEGMENT_SIZE", 1 * MIB)
    name = shelf.name(NAME)
    for data in (DATA, DATA[::-1]):
        done = shelf.store.put_back(name, copy_of(data), sha1(data))
        assert _read(shelf, name) == data
    assert done.aside is not None
    assert _read(shelf, done.aside) == DATA
    with shelf.swift.connection() as connection:
        headers = connection.head_object(shelf.container, NAME.removeprefix("10.5072/"))
    assert headers["x-static-large-object"] == "True"


def test_a_dynamic_large_object_is_kept_aside_whole(shelf: SwiftShelf) -> None:
    with shelf.swift.connection() as connection:
        for number in range(2):
            connection.put_object(shelf.container, f"parts/{number}", b"bad")
        connection.put_object(shelf.container, "x", b"", headers={"X-Object-Manifest": f"{shelf.container}/parts/"})
    name = f"endpoint1:{shelf.container}:x"
    done = shelf.store.put_back(name, copy_of(b"good"), sha1(b"good"))
    assert _read(shelf, name) == b"good"
    assert done.aside is not None
    assert _read(shelf, done.aside) == b"badbad"


def test_a_container_that_was_lost_is_made_again(shelf: SwiftShelf) -> None:
    name = "endpoint1:doi-10-9999:FK2/ABCDEF/18b-1"
    shelf.store.put_back(name, copy_of(b"good"), sha1(b"good"))
    assert _read(shelf, name) == b"good"


def test_only_containers_that_are_called_as_dataverse_calls_them_are_listed(shelf: SwiftShelf) -> None:
    """The account may have others, a backup of ours among them; logos have one with another separator (facts 2.4)."""
    shelf.plant(NAME, b"data")
    with shelf.swift.connection() as connection:
        for container in ("doi_10_5072", "hdl-1902-1-7", "backup", "doings"):
            connection.put_container(container)
            connection.put_object(container, "x", b"12")
    found = {one.name: one.size for one in shelf.store.entries()}
    assert found == {shelf.name(NAME): 4, "endpoint1:doi_10_5072:x": 2, "endpoint1:hdl-1902-1-7:x": 2}
