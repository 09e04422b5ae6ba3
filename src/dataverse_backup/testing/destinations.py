"""What every destination promises: one test or more for each clause of the contract.

Whoever imports this gives a fixture ``place``: a Place with an empty root, a new one for each test.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataverse_backup.bandwidth import Timetable
from dataverse_backup.destinations.base import (
    DATABASE_PREFIX,
    IDENTITY_KEY,
    PRIVATE_MODE,
    SCRATCH_PREFIX,
    STAGING_PREFIX,
    SUPERSEDED_PREFIX,
    Failure,
    Receipt,
    Staging,
    StoredDigest,
    Upload,
)
from dataverse_backup.errors import (
    CopyMissing,
    KeyOccupied,
    KeyRefused,
    SourceChanged,
    SourceDiffers,
    SourceMissing,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
)
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.outflow import Pace
from dataverse_backup.stores.memory import NO_FAULT, Fault, MemoryStore, MemoryStream
from dataverse_backup.testing.places import NAME, STAGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.errors import SourceError
    from dataverse_backup.testing.places import Place

KEY = "10.5072/FK2/ABCDEF/18b3-1"
OTHER = "10.5072/FK2/ABCDEF/18b3-2"
ASIDE = f"{SUPERSEDED_PREFIX}/{KEY}/20260102T030405.000006Z-0123456789ab"
MIB = 1 << 20


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``."""
    with place.destination() as destination:
        destination.connect()
        yield destination


def checksum(data: bytes, algorithm: Algorithm = Algorithm.MD5) -> Checksum:
    digest = algorithm.new()
    digest.update(data)
    return Checksum(algorithm, digest.hexdigest())


def upload(
    key: str,
    data: bytes = b"data",
    algorithm: Algorithm = Algorithm.MD5,
    *,
    fault: Fault = NO_FAULT,
    supersede_to: str | None = None,
) -> Upload:
    """An upload of *data*, whose true checksum is promised."""
    opened = partial(MemoryStream, data, fault, place="store", key=key)
    return Upload(key, opened, algorithm, checksum(data, algorithm), supersede_to)


def lying_upload(key: str) -> Upload:
    return Upload(key, partial(MemoryStream, b"bad", place="store", key="18b3-1"), Algorithm.MD5, checksum(b"good"))


def unopened_upload(key: str, kind: type[SourceError | StoreLost]) -> Upload:
    store = MemoryStore("store", {key: b"data"})
    if issubclass(kind, StoreLost):
        store.lost = True
    else:
        store.faults[key] = Fault(on_open=kind)
    return Upload(key, partial(store.open, key), Algorithm.MD5, None)


def put(destination: Destination, *uploads: Upload) -> dict[str, Receipt | Failure]:
    results = list(destination.put(uploads))
    assert len(results) == len(uploads)
    return {result.key: result for result in results}


def stored(destination: Destination, *uploads: Upload) -> dict[str, Receipt]:
    """The receipts of uploads that must succeed."""
    receipts: dict[str, Receipt] = {}
    for key, result in put(destination, *uploads).items():
        assert isinstance(result, Receipt), result
        receipts[key] = result
    return receipts


def failed(destination: Destination, one: Upload) -> Exception:
    """The error of an upload that must fail."""
    (result,) = destination.put([one])
    assert isinstance(result, Failure), result
    assert result.key == one.key
    return result.error


def digest(destination: Destination, key: str, algorithm: Algorithm = Algorithm.MD5) -> StoredDigest | Failure:
    (result,) = destination.digests([key], algorithm)
    assert result.key == key
    return result


def read_all(destination: Destination, key: str) -> bytes:
    stream = destination.open(key)
    try:
        data = b""
        while more := stream.read(MIB):
            data += more
        assert len(data) == stream.size
        return data
    finally:
        stream.close()


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


# 5. digests


def test_digests_tell_what_is_stored_now(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    for algorithm in Algorithm:
        now = f"other bytes for {algorithm}".encode()
        place.plant(KEY, now)
        result = digest(destination, KEY, algorithm)
        assert isinstance(result, StoredDigest)
        assert (result.size, result.checksum) == (len(now), checksum(now, algorithm))


class _CountedPace(Pace):
    """Lets everything pass at once, and counts it."""

    def __init__(self) -> None:
        super().__init__(Timetable.parse("1000000000", int))
        self.counted = 0

    def delay(self, count: int) -> float:
        self.counted += count
        return 0.0


def test_what_digests_read_back_is_held_to_a_pace(place: Place, destination: Destination) -> None:
    data = b"0123456789" * 30_000
    place.plant(KEY, data)
    with closing(_CountedPace()) as pace:
        destination.pace = pace
        found = digest(destination, KEY)
    assert isinstance(found, StoredDigest)
    assert found.checksum == checksum(data)
    assert pace.counted == (len(data) if found.verified_by is VerifiedBy.READ_BACK else 0)


def test_one_damaged_bit_is_seen(place: Place, destination: Destination) -> None:
    receipt = stored(destination, upload(KEY, b"x" * 70_000))[KEY]
    place.damage(KEY)
    result = digest(destination, KEY)
    assert isinstance(result, StoredDigest)
    assert (result.size, result.checksum == receipt.checksum) == (70_000, False)


def test_digests_answer_for_each_key_of_many(place: Place, destination: Destination) -> None:
    for number in range(5):
        place.plant(f"a b/{number} ", b"%d" % number)
    keys = [f"a b/{number} " for number in range(7)] + ["../up"]
    results = {result.key: result for result in destination.digests(keys, Algorithm.SHA1)}
    assert results.keys() == set(keys)
    for number in range(5):
        result = results[f"a b/{number} "]
        assert isinstance(result, StoredDigest)
        assert result.checksum == checksum(b"%d" % number, Algorithm.SHA1)
    errors = [type(result.error) for key in keys if isinstance(result := results[key], Failure)]
    assert errors == [CopyMissing, CopyMissing, KeyRefused]


def test_an_empty_object_has_a_digest(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"")
    result = digest(destination, KEY)
    assert isinstance(result, StoredDigest)
    assert (result.size, result.checksum) == (0, checksum(b""))


def test_no_keys_have_no_digests_and_no_sizes(destination: Destination) -> None:
    assert list(destination.digests([], Algorithm.MD5)) == []
    assert destination.sizes([]) == {}


def test_what_is_not_there_is_missing(destination: Destination) -> None:
    result = digest(destination, KEY)
    assert isinstance(result, Failure)
    assert type(result.error) is CopyMissing
    with pytest.raises(CopyMissing):
        read_all(destination, KEY)
    with pytest.raises(CopyMissing):
        destination.supersede(KEY, ASIDE)


def test_sizes_tell_of_what_is_there_and_of_nothing_else(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"12345")
    place.plant("dir with space/é", b"")
    keys = [KEY, "dir with space/é", OTHER, "no/such", "../up", "nul\0", "x" * 256]
    assert destination.sizes(keys) == {KEY: 5, "dir with space/é": 0}


def test_objects_are_read_back_byte_for_byte(destination: Destination) -> None:
    data = bytes(range(256)) * 8200
    stored(destination, upload(KEY, data), upload(OTHER, b""))
    assert read_all(destination, KEY) == data
    assert read_all(destination, OTHER) == b""


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


# 7. errors


def errors_of(destination: Destination) -> Sequence[Failure]:
    return [
        result
        for result in (*destination.put([upload(KEY), upload("../up")]), digest(destination, "gone"))
        if isinstance(result, Failure)
    ]


def test_every_error_names_destination_and_key(place: Place, destination: Destination) -> None:
    place.plant(KEY, b"old")
    failures = errors_of(destination)
    assert {failure.key for failure in failures} == {KEY, "../up", "gone"}
    for failure in failures:
        assert (failure.error.place, failure.error.key) == (NAME, failure.key)
        assert str(failure.error).startswith(f"{NAME}: {failure.key}: ")


def test_a_lie_names_the_store_its_object_and_both_checksums(destination: Destination) -> None:
    error = failed(destination, lying_upload(KEY))
    assert str(error).startswith("store: 18b3-1: ")
    assert str(checksum(b"good")) in str(error)
    assert str(checksum(b"bad")) in str(error)


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


# connections, identity, housekeeping


def test_a_destination_that_was_closed_connects_again(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    destination.close()
    destination.close()
    stored(destination, upload(OTHER))
    assert place.final_keys() == {KEY, OTHER}


def test_what_one_run_stored_another_finds(place: Place, destination: Destination) -> None:
    stored(destination, upload(KEY))
    with place.destination(Staging("ledger-1", "run-2")) as later:
        later.connect()
        assert later.sizes([KEY]) == {KEY: 4}
        assert type(failed(later, upload(KEY))) is KeyOccupied


def test_a_new_destination_belongs_to_nobody(destination: Destination) -> None:
    assert destination.read_identity() is None


def test_a_destination_knows_whose_it_is(place: Place, destination: Destination) -> None:
    destination.write_identity("ledger-1")
    assert destination.read_identity() == "ledger-1"
    destination.write_identity("ledger-2")
    assert place.everything() == {IDENTITY_KEY}
    with place.destination() as later:
        later.connect()
        assert later.read_identity() == "ledger-2"


def test_a_sweep_takes_what_earlier_runs_of_our_ledger_left_and_nothing_else(
    place: Place, destination: Destination
) -> None:
    keep = {
        f"{STAGING.prefix}/attempt/0",
        f"{STAGING_PREFIX}/ledger-10/run-0/attempt/0",
        f"{STAGING_PREFIX}/ledger-2/run-0/attempt/0",
        KEY,
    }
    for key in keep | {f"{STAGING_PREFIX}/ledger-1/run-0/attempt/0", f"{STAGING_PREFIX}/ledger-1/run-10/a/1"}:
        place.plant(key, b"x")
    destination.sweep()
    assert place.everything() == keep


def test_there_may_be_nothing_to_sweep(place: Place, destination: Destination) -> None:
    destination.sweep()
    assert place.everything() == set()


def test_only_scratch_objects_and_dumps_are_removed(place: Place, destination: Destination) -> None:
    scratch, dump, big = f"{SCRATCH_PREFIX}/check/1", f"{DATABASE_PREFIX}/1.dump", f"{DATABASE_PREFIX}/big.dump"
    stored(destination, upload(scratch), upload(KEY), upload(dump), upload(big, bytes(6 * MIB)))
    for folder in (SCRATCH_PREFIX, DATABASE_PREFIX):
        for key in (KEY, IDENTITY_KEY, folder, f"{folder}/../identity", f"{folder}-x/y", f"{folder}//1.dump"):
            with pytest.raises(ValueError, match="only scratch"):
                destination.remove([scratch, key])
    assert place.read(scratch) == b"data"
    destination.remove([scratch, f"{SCRATCH_PREFIX}/not there", dump, big, f"{DATABASE_PREFIX}/not there"])
    assert place.everything() == {KEY}


# What nobody else may read.


def test_what_is_private_can_be_read_by_its_owner_alone(place: Place, destination: Destination) -> None:
    private = [
        replace(upload(f"{DATABASE_PREFIX}/{number}", data), is_private=True)
        for number, data in enumerate((b"small", b"", bytes(6 * MIB)))
    ]
    stored(destination, upload(KEY), *private)
    assert {place.mode(one.key) for one in private} <= {None, PRIVATE_MODE}
    assert place.mode(KEY) != PRIVATE_MODE
