"""What every destination promises of keys: clause 6 of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataverse_backup.destinations.base import Failure, Receipt, StoredDigest
from dataverse_backup.errors import KeyOccupied, KeyRefused
from dataverse_backup.fixity import Algorithm
from dataverse_backup.testing.uploads import KEY, digest, failed, put, read_all, stored, upload

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.testing.places import Place

# 6. keys

STORABLE = [
    "plain",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "| touch pwned",
    "a'b",
    'a"b',
    "a\\b",
    "\\n",
    "\\056",
    "-rf",
    "--help",
    "-/-",
    "trailing ",
    " leading",
    "*",
    "?[a-z]",
    "{a,b}",
    "~",
    "#",
    "%2e%2e",
    "...",
    ".hidden",
    "..x/y..",
    "tab\there",
    "line\nbreak",
    "cr\r",
    "\x01\x7f",
    "\x1b[31m",
    "ö/ü",
    "e\u0301",
    "日本語/🐉",
    "\u202egnp.exe",
    "a:b",
    "CON",
    "x" * 255,
    "é" * 127,
    "/".join(["y" * 200] * 8),
]
REFUSED = [
    "",
    "/",
    "/abs",
    "..",
    "../up",
    "a/../../up",
    "a/..",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "nul\0",
    "x" * 256,
    "é" * 128,
    "ok/" + "x" * 256,
    "\ud800",
]


def test_an_unusual_key_comes_back_as_it_went_in_or_is_refused(place: Place, destination: Destination) -> None:
    kept: set[str] = set()
    for key in STORABLE:
        data = key.encode()
        (result,) = destination.put([upload(key, data)])
        assert result.key == key
        assert place.strays() == set(), ascii(key)
        if isinstance(result, Failure):
            assert type(result.error) is KeyRefused, ascii(key)
            assert place.final_keys() == kept, ascii(key)
            continue
        kept.add(key)
        assert place.final_keys() == kept
        assert place.read(key) == data, ascii(key)
        assert destination.sizes([key]) == {key: len(data)}
        assert read_all(destination, key) == data, ascii(key)
        found = digest(destination, key)
        assert isinstance(found, StoredDigest), ascii(key)
        assert found.checksum == result.checksum, ascii(key)


def test_unusual_keys_travel_in_one_batch(place: Place, destination: Destination) -> None:
    results = put(destination, *(upload(key, key.encode()) for key in STORABLE))
    receipts = {key for key, result in results.items() if isinstance(result, Receipt)}
    assert place.final_keys() == receipts
    assert all(place.read(key) == key.encode() for key in receipts)
    found = {result.key: result for result in destination.digests(sorted(receipts), Algorithm.MD5)}
    assert {key for key, result in found.items() if isinstance(result, StoredDigest)} == receipts
    assert place.strays() == set()


def test_a_key_that_cannot_be_stored_is_refused_and_stores_nothing(place: Place, destination: Destination) -> None:
    for key in REFUSED:
        assert type(failed(destination, upload(key))) is KeyRefused, ascii(key)
        assert type(failed(destination, upload(KEY, supersede_to=key))) is KeyRefused, ascii(key)
        assert isinstance(digest(destination, key), Failure), ascii(key)
        with pytest.raises(KeyRefused):
            read_all(destination, key)
        assert place.everything() == place.strays() == set(), ascii(key)


def test_a_refused_key_stops_no_other(place: Place, destination: Destination) -> None:
    results = put(destination, upload("../up"), upload(KEY), upload("x" * 256))
    assert [key for key, result in results.items() if isinstance(result, Receipt)] == [KEY]
    assert place.final_keys() == {KEY}


def test_names_that_only_look_alike_are_different_keys(place: Place, destination: Destination) -> None:
    composed, decomposed = "n/\u00e9", "n/e\u0301"
    stored(destination, upload(composed, b"NFC"), upload(decomposed, b"NFD"))
    assert (place.read(composed), place.read(decomposed)) == (b"NFC", b"NFD")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.lists(st.text(st.characters(), max_size=40), min_size=1, max_size=4).map("/".join), data=st.binary())
def test_any_key_is_exact_or_refused(place: Place, destination: Destination, key: str, data: bytes) -> None:
    key = f"{len(place.final_keys())}-{key}"
    before = place.final_keys()
    (result,) = destination.put([upload(key, data)])
    if isinstance(result, Failure):
        assert type(result.error) in (KeyRefused, KeyOccupied)
        assert place.final_keys() == before
    else:
        assert place.final_keys() == before | {key}
        assert place.read(key) == data
    assert place.strays() == set()
