"""What every destination promises that can be listed.

Whoever imports this gives a fixture ``place``: a Place with an empty root, whose destination is Listable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import IDENTITY_KEY, Listable
from dataverse_backup.testing.uploads import ASIDE, KEY, OTHER, stored, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.testing.places import Place

MANY = 60
"""More than a page has: let the ``place`` of a service that lists by pages have them small."""


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``."""
    with place.destination() as destination:
        destination.connect()
        yield destination


def listed(destination: Destination, folder: str = "") -> dict[str, int]:
    assert isinstance(destination, Listable)
    entries = list(destination.entries(folder))
    found = {entry.key: entry.size for entry in entries}
    assert len(found) == len(entries)
    return found


def test_an_empty_root_has_no_objects(destination: Destination) -> None:
    assert listed(destination) == {}
    assert listed(destination, "no/such") == {}


def test_every_object_is_told_once_with_its_size(destination: Destination) -> None:
    stored(destination, upload(KEY, b"12345"), upload(OTHER, b""), upload("odd name/é ü/\u65e5 -rf", b"x" * 70_000))
    assert listed(destination) == {KEY: 5, OTHER: 0, "odd name/é ü/\u65e5 -rf": 70_000}


def test_our_own_objects_and_those_moved_aside_are_told_too(destination: Destination) -> None:
    destination.write_identity("ledger-1")
    stored(destination, upload(KEY, b"old"))
    destination.supersede(KEY, ASIDE)
    stored(destination, upload(KEY, b"new one"))
    assert listed(destination) == {IDENTITY_KEY: len("ledger-1"), ASIDE: 3, KEY: 7}


def test_a_folder_has_what_lies_below_it_and_nothing_that_only_begins_like_it(destination: Destination) -> None:
    inside = {"a/b": b"1", "a/c/d": b"22"}
    outside = {"a.b": b"3", "ab/c": b"4", "b/a": b"5"}
    stored(destination, *(upload(key, data) for key, data in (inside | outside).items()))
    assert listed(destination, "a") == {"a/b": 1, "a/c/d": 2}
    assert listed(destination, "a/c") == {"a/c/d": 2}


def test_more_than_a_page_comes_whole(place: Place, destination: Destination) -> None:
    keys = [f"10.5072/FK2/{number % 7}/{number:05}" for number in range(MANY)]
    for key in keys:
        place.plant(key, b"x")
    assert listed(destination).keys() == set(keys)
