"""What every store promises that can be listed.

Whoever imports this gives a fixture ``shelf``: a Shelf whose store is a ListableStore and holds one object at the path
``other``, a new one for each test. Let the store of a service that lists by pages have them small.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import StoreLost
from dataverse_backup.stores.listable import ListableStore
from dataverse_backup.testing.stores import NAME

if TYPE_CHECKING:
    from dataverse_backup.stores.base import Store
    from dataverse_backup.stores.listable import StoredObject
    from dataverse_backup.testing.shelves import Shelf

MANY = 60
"""More than a page has."""


def listed(store: Store) -> dict[str, StoredObject]:
    """What lies there by its name, each once."""
    assert isinstance(store, ListableStore)
    entries = list(store.entries())
    found = {entry.name: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def sizes(shelf: Shelf) -> dict[str, int]:
    """The size of everything but of what lay there from the start."""
    return {name: one.size for name, one in listed(shelf.store).items() if name != shelf.name("other")}


def test_every_object_is_told_once_with_its_size(shelf: Shelf) -> None:
    planted = {NAME: b"12345", f"{NAME}.orig": b"", "10.5072/FK2/a b/é ü/\u65e5 -rf": b"x" * 70_000}
    for path, data in planted.items():
        shelf.plant(path, data)
    assert sizes(shelf) == {shelf.name(path): len(data) for path, data in planted.items()}


def test_its_name_is_that_by_which_the_store_opens_it(shelf: Shelf) -> None:
    shelf.plant(NAME, b"some bytes")
    for name, one in listed(shelf.store).items():
        stream = shelf.store.open(name)
        assert stream.size == one.size
        stream.close()


def test_when_it_was_written_is_told_as_an_aware_time_or_not_at_all(shelf: Shelf) -> None:
    shelf.plant(NAME, b"some bytes")
    modified = listed(shelf.store)[shelf.name(NAME)].modified
    if modified is not None:
        assert abs(datetime.now(UTC) - modified) < timedelta(minutes=5)


def test_more_than_a_page_comes_whole(shelf: Shelf) -> None:
    paths = [f"10.5072/FK2/{number % 7}/{number:05}" for number in range(MANY)]
    for path in paths:
        shelf.plant(path, b"x")
    assert sizes(shelf) == {shelf.name(path): 1 for path in paths}


def test_a_store_that_is_lost_has_not_nothing(shelf: Shelf) -> None:
    shelf.lose()
    with pytest.raises(StoreLost) as lost:
        listed(shelf.store)
    assert str(lost.value).startswith("file: ")


def test_the_place_is_that_of_no_other_store(shelf: Shelf) -> None:
    assert isinstance(shelf.store, ListableStore)
    assert hash(shelf.store.place) == hash(shelf.store.place)
    assert shelf.store.place == shelf.store.place
    assert shelf.store.place != ("memory", 0)
