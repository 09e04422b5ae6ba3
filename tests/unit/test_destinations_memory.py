"""A destination in memory goes wrong exactly as planned: the tests of others stand on it."""

from __future__ import annotations

from functools import partial

import pytest

from dataverse_backup.destinations.base import Failure, Receipt, Upload
from dataverse_backup.destinations.memory import Faults, MemoryDestination
from dataverse_backup.errors import CopyDiffers, CopyRefused, DestinationLost, NoSpace, Unavailable
from dataverse_backup.fixity import Algorithm
from dataverse_backup.stores.memory import MemoryStream


def put(destination: MemoryDestination, *keys: str) -> dict[str, str]:
    """For each key ``stored``, or the name of its error."""
    uploads = [Upload(key, partial(MemoryStream, b"data"), Algorithm.MD5, None) for key in keys]
    results = destination.put(uploads)
    return {result.key: "stored" if isinstance(result, Receipt) else type(result.error).__name__ for result in results}


def test_it_goes_down_after_so_many_objects_and_comes_back() -> None:
    destination = MemoryDestination(faults=Faults(down_after=1))
    assert put(destination, "a", "b", "c") == {"a": "stored", "b": Unavailable.__name__, "c": Unavailable.__name__}
    (digest,) = destination.digests(["a"], Algorithm.MD5)
    assert isinstance(digest, Failure)
    assert isinstance(digest.error, Unavailable)
    with pytest.raises(DestinationLost):
        destination.connect()
    with pytest.raises(DestinationLost):
        destination.sizes(["a"])
    destination.faults.down_after = None
    destination.connect()
    assert put(destination, "b", "c") == {"b": "stored", "c": "stored"}


def test_it_is_full_after_so_many_objects() -> None:
    destination = MemoryDestination(faults=Faults(full_after=2))
    assert put(destination, "a", "b", "c") == {"a": "stored", "b": "stored", "c": NoSpace.__name__}
    assert destination.objects.keys() == {"a", "b"}


def test_an_object_that_rots_on_its_way_is_not_stored() -> None:
    destination = MemoryDestination(faults=Faults(corrupts={2}))
    assert put(destination, "a", "b", "c") == {"a": "stored", "b": CopyDiffers.__name__, "c": "stored"}
    assert destination.objects == {"a": b"data", "c": b"data"}


def test_it_refuses_what_it_was_told_to_refuse() -> None:
    destination = MemoryDestination(faults=Faults(refuses={"b"}))
    assert put(destination, "a", "b") == {"a": "stored", "b": CopyRefused.__name__}


def test_two_destinations_may_share_their_objects() -> None:
    objects: dict[str, bytes] = {}
    put(MemoryDestination(objects=objects), "a")
    assert MemoryDestination("again", objects=objects).sizes(["a"]) == {"a": 4}
