"""What every destination promises of storing: clauses 1 to 4 and 8 of the contract."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import Failure, Receipt, Upload
from dataverse_backup.errors import (
    KeyOccupied,
    KeyRefused,
    SourceChanged,
    SourceDiffers,
    SourceMissing,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
)
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy
from dataverse_backup.stores.memory import Fault, MemoryStream
from dataverse_backup.testing.uploads import (
    ASIDE,
    KEY,
    MIB,
    OTHER,
    checksum,
    failed,
    lying_upload,
    put,
    stored,
    unopened_upload,
    upload,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.errors import SourceError
    from dataverse_backup.testing.places import Place

# 1. all or nothing


def test_what_is_stored_is_what_was_read(place: Place, destination: Destination) -> None:
    for number, size in enumerate((0, 1, 511, 512, 513, 65536, MIB, 3 * MIB + 1), 1):
        key, data = f"{KEY}/{number}", (bytes(range(256)) * (size // 256 + 1))[:size]
        receipt = stored(destination, upload(key, data))[key]
        assert (receipt.size, receipt.checksum) == (size, checksum(data))
        assert place.read(key) == data
        assert place.final_keys() == {f"{KEY}/{one}" for one in range(1, number + 1)}


def test_a_batch_of_every_algorithm_and_size_is_stored_whole(place: Place, destination: Destination) -> None:
    datas = {f"10.5072/{name}": name.encode() * times for times, name in enumerate(Algorithm)}
    batch = [upload(key, data, algorithm) for (key, data), algorithm in zip(datas.items(), Algorithm, strict=True)]
    receipts = stored(destination, *batch)
    for one in batch:
        assert receipts[one.key].checksum == one.promised
    assert {key: place.read(key) for key in place.final_keys()} == datas


def test_an_empty_batch_stores_nothing(place: Place, destination: Destination) -> None:
    assert list(destination.put([])) == []
    assert place.final_keys() == place.staged() == set()


def test_nothing_is_promised_and_what_was_read_is_stored(place: Place, destination: Destination) -> None:
    one = Upload(KEY, partial(MemoryStream, b"unregistered"), Algorithm.SHA256, None)
    assert stored(destination, one)[KEY].checksum == checksum(b"unregistered", Algorithm.SHA256)
    assert place.read(KEY) == b"unregistered"


def test_a_batch_that_nobody_finishes_reading_leaves_whole_objects_or_none(
    place: Place, destination: Destination
) -> None:
    results = iter(destination.put([upload(KEY), upload(OTHER)]))
    next(results)
    del results
    assert place.final_keys() <= {KEY, OTHER}
    assert all(place.read(key) == b"data" for key in place.final_keys())


# 2. a source that fails or lies stores nothing


SOURCES: dict[str, tuple[Callable[[str], Upload], type[SourceError]]] = {
    "lies": (lying_upload, SourceDiffers),
    "shrinks": (partial(upload, fault=Fault(claimed_size=5)), SourceChanged),
    "shrinks to nothing": (partial(upload, data=b"", fault=Fault(claimed_size=5)), SourceChanged),
    "shrinks by much": (partial(upload, data=b"x" * MIB, fault=Fault(claimed_size=3 * MIB)), SourceChanged),
    "grows": (partial(upload, fault=Fault(claimed_size=3)), SourceChanged),
    "grows from nothing": (partial(upload, fault=Fault(claimed_size=0)), SourceChanged),
    "has vanished": (partial(unopened_upload, kind=SourceMissing), SourceMissing),
    "is not reachable": (partial(unopened_upload, kind=SourceUnavailable), SourceUnavailable),
    "breaks at once": (partial(upload, fault=Fault(breaks_after=0, breaks_with=SourceUnreadable)), SourceUnreadable),
    "breaks in the middle": (
        partial(upload, data=b"x" * (2 * MIB), fault=Fault(breaks_after=MIB + 7, breaks_with=SourceUnavailable)),
        SourceUnavailable,
    ),
}


def test_a_source_that_goes_wrong_stores_nothing_and_the_others_go_on(place: Place, destination: Destination) -> None:
    good: dict[str, bytes] = {}
    for number, (source, (make, error)) in enumerate(SOURCES.items()):
        first, last = f"a/{number}", f"z/{number}"
        results = put(destination, upload(first), make(KEY), upload(last, b"last"))
        failure = results.pop(KEY)
        assert isinstance(failure, Failure), source
        assert type(failure.error) is error, source
        assert all(isinstance(result, Receipt) for result in results.values()), source
        good |= {first: b"data", last: b"last"}
        assert place.final_keys() == good.keys(), source
        assert (place.read(first), place.read(last)) == (b"data", b"last"), source
        assert place.staged() == set(), source


def test_a_batch_of_one_that_goes_wrong_leaves_nothing_behind(place: Place, destination: Destination) -> None:
    for source, (make, error) in SOURCES.items():
        assert type(failed(destination, make(KEY))) is error, source
        assert place.final_keys() == place.staged() == set(), source


def test_a_source_that_goes_wrong_moves_nothing_aside(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    for source, (make, _) in SOURCES.items():
        failed(destination, replace(make(KEY), supersede_to=ASIDE))
        assert place.final_keys() == {KEY}, source
        assert place.read(KEY) == b"old", source


@pytest.mark.parametrize(
    "lost",
    [
        unopened_upload(KEY, StoreLost),
        upload(KEY, b"x" * (2 * MIB), fault=Fault(breaks_after=MIB, breaks_with=StoreLost)),
    ],
    ids=["before", "while reading"],
)
def test_a_lost_store_is_said_and_nothing_half_done_is_left(
    place: Place, destination: Destination, lost: Upload
) -> None:
    with pytest.raises(StoreLost):
        list(destination.put([upload("a/first"), lost, upload("z/last")]))
    assert KEY not in place.final_keys()
    assert all(place.read(key) == b"data" for key in place.final_keys())
    assert place.staged() == set()
    stored(destination, upload(KEY))


# 3. and 4. receipts


def test_a_receipt_tells_the_digest_of_the_stored_bytes(place: Place, destination: Destination) -> None:
    for algorithm in Algorithm:
        key = f"{KEY}-{algorithm}"
        receipt = stored(destination, upload(key, b"proof", algorithm))[key]
        raw = place.read(key)
        assert receipt.checksum.value == hashlib.new(algorithm.value.replace("-", ""), raw).hexdigest()
        assert receipt.size == len(raw)
        assert receipt.verified_by in set(VerifiedBy) - {VerifiedBy.ADOPTED}


def test_receipts_are_as_durable_as_the_destination_said(place: Place) -> None:
    with place.destination() as destination:
        traits = destination.connect()
        assert stored(destination, upload(KEY))[KEY].durable is traits.durable


def test_a_destination_says_what_it_can_do_and_leaves_no_trace_of_trying(place: Place) -> None:
    with place.destination() as destination:
        traits = destination.connect()
    assert traits.hashes
    assert isinstance(traits.durable, Durability)
    assert traits.folds_case is False
    assert traits.clock_skew is None or abs(traits.clock_skew) < 5
    assert traits.free_bytes is None or traits.free_bytes > 0
    assert place.everything() == set()


# 8. put never deletes or overwrites


def test_an_occupied_key_is_left_alone(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    results = put(destination, upload(KEY, b"new"), upload(OTHER, b"new"))
    failure = results[KEY]
    assert isinstance(failure, Failure)
    assert type(failure.error) is KeyOccupied
    assert (place.read(KEY), place.read(OTHER)) == (b"old", b"new")
    assert place.staged() == set()


def test_the_same_key_twice_in_a_batch_is_stored_once(place: Place, destination: Destination) -> None:
    results = list(destination.put([upload(KEY, b"first"), upload(KEY, b"second")]))
    (receipt,) = (result for result in results if isinstance(result, Receipt))
    (failure,) = (result for result in results if isinstance(result, Failure))
    assert type(failure.error) is KeyOccupied
    assert checksum(place.read(KEY)) == receipt.checksum
    assert place.final_keys() == {KEY}
    assert place.staged() == set()


def test_a_superseded_object_is_kept_byte_for_byte(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    receipt = stored(destination, upload(KEY, b"new", supersede_to=ASIDE))[KEY]
    assert receipt.checksum == checksum(b"new")
    assert (place.read(KEY), place.read(ASIDE)) == (b"new", b"old")
    assert place.final_keys() == {KEY, ASIDE}
    assert place.staged() == set()


def test_superseding_what_is_not_there_is_simply_storing(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY, b"new", supersede_to=ASIDE))
    assert place.final_keys() == {KEY}


def test_nothing_is_moved_aside_onto_another_object(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    place.plant(ASIDE, b"older")
    assert type(failed(destination, upload(KEY, b"new", supersede_to=ASIDE))) is KeyOccupied
    with pytest.raises(KeyOccupied):
        destination.supersede(KEY, ASIDE)
    assert (place.read(KEY), place.read(ASIDE)) == (b"old", b"older")


def test_an_object_can_be_moved_aside(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    destination.supersede(KEY, ASIDE)
    assert place.final_keys() == {ASIDE}
    assert place.read(ASIDE) == b"old"
    stored(destination, upload(KEY, b"new"))


def test_nothing_is_moved_out_of_the_root(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    for key in ("", "../up", "/abs", "a//b", "nul\0"):
        with pytest.raises(KeyRefused):
            destination.supersede(KEY, key)
        with pytest.raises(KeyRefused):
            destination.supersede(key, ASIDE)
        assert place.final_keys() == {KEY}, ascii(key)
        assert place.strays() == set(), ascii(key)
