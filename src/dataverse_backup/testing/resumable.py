"""What every destination promises that continues big objects where they were broken off.

Whoever imports this gives a fixture ``place``: a Place with an empty root, whose destination is Resumable, from a size
on that is small enough for a test (``resumes_from``).
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import STAGING_PREFIX, Destination, Failure, Receipt, Staging, Upload
from dataverse_backup.destinations.partials import Resumable
from dataverse_backup.errors import SourceError, SourceUnavailable, SourceUnreadable, StoreLost
from dataverse_backup.fixity import Algorithm
from dataverse_backup.stores.memory import NO_FAULT, Fault, MemoryStream
from dataverse_backup.testing.places import STAGING
from dataverse_backup.testing.uploads import KEY, OTHER, checksum, failed, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.testing.places import Place

LATER = Staging(STAGING.ledger_id, "run-2")


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``."""
    with place.destination() as destination:
        destination.connect()
        yield destination


@pytest.fixture
def data(destination: Destination) -> bytes:
    """Of a big object: three times the size from which it is one, and a little."""
    assert isinstance(destination, Resumable)
    size = 3 * destination.resumes_from + 12_345
    return Random(size).randbytes(size)  # noqa: S311 -- the same in each run


def whole(data: bytes, key: str = KEY, fault: Fault = NO_FAULT, algorithm: Algorithm = Algorithm.MD5) -> Upload:
    return Upload(key, partial(MemoryStream, data, fault), algorithm, checksum(data, algorithm))


def broken(
    data: bytes, key: str = KEY, kind: type[SourceError | StoreLost] = SourceUnavailable, after: int | None = None
) -> Upload:
    """An upload whose source breaks near its end."""
    return whole(data, key, Fault(breaks_after=len(data) - 1000 if after is None else after, breaks_with=kind))


def break_off(destination: Destination, data: bytes, key: str = KEY) -> None:
    assert type(failed(destination, broken(data, key))) is SourceUnavailable


def proven(place: Place, destination: Destination, data: bytes, key: str = KEY) -> int:
    """Store *data*, see that all of it is there; how many of its bytes were not sent again."""
    receipt = stored(destination, whole(data, key))[key]
    assert place.read(key) == data
    assert (receipt.size, receipt.checksum) == (len(data), checksum(data))
    return receipt.kept


def test_what_was_broken_off_is_continued_by_the_next_try(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    assert place.final_keys() == set()
    assert place.staged()
    assert proven(place, destination, data) > len(data) // 3
    assert place.final_keys() == {KEY}
    assert place.staged() == set()


def test_what_was_broken_off_is_continued_by_the_next_run(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    destination.close()
    with place.destination(LATER) as later:
        later.connect()
        later.sweep()
        assert proven(place, later, data) > len(data) // 3
    assert place.staged() == set()


def test_it_may_be_broken_off_again_and_again(place: Place, destination: Destination, data: bytes) -> None:
    for third in (1, 2):
        error = failed(destination, broken(data, after=third * len(data) // 3 + 1))
        assert type(error) is SourceUnavailable
    assert proven(place, destination, data) > len(data) // 3
    assert place.staged() == set()


def test_a_store_that_is_lost_breaks_off_too(place: Place, destination: Destination, data: bytes) -> None:
    with pytest.raises(StoreLost):
        list(destination.put([broken(data, kind=StoreLost)]))
    assert proven(place, destination, data) > len(data) // 3


def test_nothing_is_continued_for_another_key(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    assert proven(place, destination, data, OTHER) == 0
    assert proven(place, destination, data) > 0


def test_a_source_that_changed_is_stored_as_it_is_now(place: Place, destination: Destination, data: bytes) -> None:
    break_off(destination, data)
    changed = b"\xff" * len(data)
    assert proven(place, destination, changed) == 0


def test_a_source_that_lies_about_what_was_broken_off_stores_nothing(
    place: Place, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    lie = Upload(KEY, partial(MemoryStream, data[:-1] + b"\xff"), Algorithm.MD5, checksum(data))
    assert isinstance(failed(destination, lie), SourceError)
    assert place.final_keys() == place.staged() == set()
    proven(place, destination, data)


def test_without_a_checksum_nothing_is_kept(place: Place, destination: Destination, data: bytes) -> None:
    fault = Fault(breaks_after=len(data) - 1000, breaks_with=SourceUnavailable)
    failed(destination, Upload(KEY, partial(MemoryStream, data, fault), Algorithm.SHA256, None))
    assert place.staged() == set()


def test_a_failure_that_will_not_pass_leaves_nothing(place: Place, destination: Destination, data: bytes) -> None:
    assert type(failed(destination, broken(data, kind=SourceUnreadable))) is SourceUnreadable
    assert place.final_keys() == place.staged() == set()


def test_small_objects_leave_nothing(place: Place, destination: Destination) -> None:
    failed(destination, broken(b"small", after=2))
    assert place.staged() == set()


def test_the_same_big_object_twice_in_a_batch_is_stored_once(
    place: Place, destination: Destination, data: bytes
) -> None:
    break_off(destination, data)
    results = list(destination.put([whole(data), whole(data)]))
    assert sorted(type(result).__name__ for result in results) == [Failure.__name__, Receipt.__name__]
    assert place.read(KEY) == data
    assert place.staged() == set()


def test_what_another_ledger_broke_off_is_its_own(place: Place, destination: Destination, data: bytes) -> None:
    with place.destination(Staging("ledger-2", "run-0")) as other:
        other.connect()
        break_off(other, data)
    theirs = place.staged()
    destination.sweep()
    assert proven(place, destination, data, OTHER) == 0
    assert place.staged() == theirs
    assert all(key.startswith(f"{STAGING_PREFIX}/ledger-2/") or key.endswith(KEY) for key in theirs)
