"""Several readers, one reading: everybody gets exactly the object's bytes, or an error; memory is bounded."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataverse_backup.errors import SourceChanged, SourceMissing, SourceUnavailable, StoreLost
from dataverse_backup.services.origin import Origin, origin_of
from dataverse_backup.stores import sharing as module
from dataverse_backup.stores.memory import Fault, MemoryStore, MemoryStream
from dataverse_backup.stores.sharing import Reader, Sharing
from tests.contract.ledger_cases import datafile, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.fixity import ByteStream

NAME = "10.5072/FK2/ABCDEF/18b-1"
DATA = bytes(range(256)) * 40


class CountingStore(MemoryStore):
    """Counts what is read from it, and how often its objects are opened."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__("file", objects)
        self.opened: list[str] = []
        self.bytes_read = 0
        self.closed = 0

    def open(self, name: str) -> MemoryStream:
        self.opened.append(name)
        return CountingStream(self, super().open(name))


class CountingStream(MemoryStream):
    def __init__(self, store: CountingStore, stream: MemoryStream) -> None:
        super().__init__(stream._data, stream._fault, place=stream.place, key=stream.key)
        self._store = store
        self._is_open = True

    def read(self, length: int, /) -> bytes:
        data = super().read(length)
        self._store.bytes_read += len(data)
        return data

    def close(self) -> None:
        self._store.closed += self._is_open
        self._is_open = False


def readers(store: MemoryStore, number: int, *, memory: int = 1 << 20, expecting: int = 1) -> list[Reader]:
    """So many readers that all expect the objects of the datafiles up to number *expecting*."""
    shared = Sharing({store.id: store}, memory=memory)
    made = [shared.reader() for _ in range(number)]
    for reader in made:
        for at in range(1, expecting + 1):
            reader.expect(datafile(at))
    return made


def read(reader: Reader, name: str = NAME, length: int = 1000) -> bytes:
    stream = reader.stores["file"].open(name)
    try:
        return rest_of(stream, length)
    finally:
        stream.close()


def rest_of(stream: ByteStream, length: int = 1000) -> bytes:
    data = b""
    while more := stream.read(length):
        data += more
    return data


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)


def test_what_several_read_is_read_once() -> None:
    store = CountingStore({NAME: DATA})
    one, two, three = readers(store, 3)
    assert read(one) == read(two, length=7) == read(three, length=3000) == DATA
    assert (store.opened, store.bytes_read, store.closed) == ([NAME], len(DATA), 1)
    assert [reader.bytes_read for reader in (one, two, three)] == [len(DATA), 0, 0]
    assert [reader.bytes_taken for reader in (one, two, three)] == [len(DATA)] * 3
    assert one.sharing.held == 0


def test_an_object_that_only_one_expects_is_not_kept() -> None:
    store = CountingStore({NAME: DATA})
    one, two = readers(store, 2, expecting=0)
    one.expect(datafile(1))
    stream = one.stores["file"].open(NAME)
    stream.read(1000)
    assert one.sharing.held == 0
    stream.close()
    assert read(two) == DATA
    assert store.bytes_read == 1000 + len(DATA)


def test_who_opens_an_object_again_reads_it_alone() -> None:
    store = CountingStore({NAME: DATA})
    one, two = readers(store, 2)
    first = one.stores["file"].open(NAME)
    first.read(10)
    first.close()
    assert read(one) == read(two) == DATA
    assert store.opened == [NAME, NAME]
    assert (store.closed, one.sharing.held) == (2, 0)


def test_what_is_kept_for_one_that_leaves_is_given_back() -> None:
    store = CountingStore({NAME: DATA})
    one, two = readers(store, 2)
    stream = one.stores["file"].open(NAME)
    stream.read(1000)
    assert one.sharing.held == 1000
    two.sharing.leave(two)
    assert one.sharing.held == 0
    assert rest_of(stream) == DATA[1000:]
    stream.close()
    assert read(two) == DATA
    assert store.closed == 2


def test_reading_nothing_is_not_the_end() -> None:
    one, two = readers(MemoryStore("file", {NAME: DATA}), 2)
    stream = one.stores["file"].open(NAME)
    assert stream.read(0) == b""
    assert rest_of(stream) == read(two) == DATA
    stream.close()


def test_an_object_is_of_the_same_place_name_and_size_for_all() -> None:
    for reader in readers(MemoryStore("file", {NAME: DATA}), 2):
        for stream in (reader.stores["file"].open(NAME), reader.stores["file"].open(NAME)):
            assert (stream.place, stream.key, stream.size) == ("file", NAME, len(DATA))


# Errors.


def test_everybody_learns_where_an_object_lies_in_a_service() -> None:
    class Placed(MemoryStream):
        origin = Origin("service", "bucket", NAME, '"etag"')

    class PlacedStore(MemoryStore):
        def open(self, name: str) -> MemoryStream:
            return Placed(self.objects[name], place=self.id, key=name)

    one, two = readers(PlacedStore("file", {NAME: DATA}), 2)
    first, second = (reader.stores["file"].open(NAME) for reader in (one, two))
    alone = one.stores["file"].open(NAME)
    assert [origin_of(stream) for stream in (first, second, alone)] == [Placed.origin] * 3
    (nowhere,) = readers(CountingStore({NAME: DATA}), 1)
    assert origin_of(nowhere.stores["file"].open(NAME)) is None


def test_a_missing_object_is_missing_for_everybody() -> None:
    store = CountingStore({})
    for reader in readers(store, 3):
        with pytest.raises(SourceMissing):
            reader.stores["file"].open(NAME)
    assert len(store.opened) == 3


def test_who_comes_after_one_that_could_not_open_it_tries_for_itself() -> None:
    store = MemoryStore("file", {NAME: DATA})
    one, two, three = readers(store, 3)
    store.faults[NAME] = Fault(on_open=SourceUnavailable)
    with pytest.raises(SourceUnavailable):
        one.stores["file"].open(NAME)
    store.faults.clear()
    assert read(two) == read(three) == read(one) == DATA


@pytest.mark.parametrize("error", [SourceUnavailable, StoreLost])
def test_an_error_while_reading_reaches_everybody_after_the_bytes_before_it(
    error: type[SourceUnavailable | StoreLost],
) -> None:
    store = MemoryStore("file", {NAME: DATA})
    store.faults[NAME] = Fault(breaks_after=2500, breaks_with=error)
    caught = []
    for reader in readers(store, 3):
        stream = reader.stores["file"].open(NAME)
        got = b"".join(stream.read(1000) for _ in range(3))
        with pytest.raises(error, match="as planned") as raised:
            stream.read(1)
        stream.close()
        assert got == DATA[:2500]
        caught.append(raised.value)
    assert len(set(map(id, caught))) == 3


# One that falls behind.


@pytest.mark.usefixtures("impatient")
def test_one_that_falls_behind_goes_on_alone_with_the_same_bytes() -> None:
    store = CountingStore({NAME: DATA})
    fast, slow = readers(store, 2, memory=2000)
    behind = slow.stores["file"].open(NAME)
    start = behind.read(700)
    assert read(fast) == DATA
    assert fast.waited >= 0.04
    assert start + rest_of(behind) == DATA
    behind.close()
    assert store.bytes_read == 2 * len(DATA)
    assert (fast.bytes_read, slow.bytes_read) == (len(DATA) - 700, 700 + len(DATA))
    assert fast.sharing.held == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "other", [b"\xff" + DATA[1:], DATA[:-1], DATA[:100]], ids=["changed", "shorter", "much shorter"]
)
def test_one_that_goes_on_alone_never_mixes_two_contents(other: bytes) -> None:
    store = MemoryStore("file", {NAME: DATA})
    fast, slow = readers(store, 2, memory=2000)
    behind = slow.stores["file"].open(NAME)
    behind.read(700)
    assert read(fast) == DATA
    store.objects[NAME] = other
    with pytest.raises(SourceChanged):
        behind.read(1000)
    behind.close()


@pytest.mark.usefixtures("impatient")
def test_one_that_never_comes_is_waited_for_once_and_not_for_each_object() -> None:
    objects = {key_of(datafile(number)): DATA for number in range(1, 31)}
    store = CountingStore(objects)
    fast, absent = readers(store, 2, memory=2000, expecting=30)
    assert [read(fast, name) for name in objects] == [DATA] * 30
    assert 0.04 < fast.waited < 0.5  # and not thirty times as long
    assert [read(absent, name) for name in objects] == [DATA] * 30


def test_one_that_keeps_up_slowly_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    data = DATA * 10
    store = CountingStore({NAME: data})
    fast, slow = readers(store, 2, memory=4000)
    with ThreadPoolExecutor(1) as threads:
        pausing = threads.submit(lambda: _read_slowly(slow, 0.01))
        assert read(fast) == data
        assert not pausing.done()
        assert pausing.result() == data
    assert fast.waited > 0.1


def _read_slowly(reader: Reader, seconds: float) -> bytes:
    stream, data = reader.stores["file"].open(NAME), b""
    while more := stream.read(1000):
        data += more
        time.sleep(seconds)
    stream.close()
    return data


def test_memory_is_bounded_while_one_waits_for_the_other() -> None:
    store = CountingStore({NAME: DATA * 100})
    fast, slow = readers(store, 2, memory=50_000)
    most = 0

    def watched(reader: Reader) -> bytes:
        nonlocal most
        stream, data = reader.stores["file"].open(NAME), b""
        while more := stream.read(1000):
            most = max(most, reader.sharing.held)
            data += more
        stream.close()
        return data

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(watched, [fast, slow])) == {DATA * 100}
    assert most <= 51_000
    assert store.bytes_read == len(DATA) * 100


# Everything at once.


def _restless(reader: Reader, names: list[str], seed: int, wanted: Callable[[str], bytes]) -> None:
    """Read the objects in an order, by lengths and with pauses of its own; some not to the end, some twice."""
    chance = random.Random(seed)
    for name in chance.sample(names, len(names)):
        for _ in range(chance.choice([1, 1, 1, 2])):
            stream, data = reader.stores["file"].open(name), b""
            wants_all = chance.random() < 0.8
            while more := stream.read(chance.choice([0, 1, 5, 30]) or 1):
                data += more
                if not wants_all and chance.random() < 0.2:
                    break
                if chance.random() < 0.05:
                    time.sleep(0.001)
            stream.close()
            assert data == wanted(name) if wants_all else wanted(name).startswith(data)


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=5),
    seeds=st.lists(st.integers(0, 1 << 30), min_size=2, max_size=4),
    memory=st.sampled_from([1, 40, 10_000]),
    patience=st.sampled_from([0.0, 0.003, 0.02]),
    twice=st.booleans(),
)
def test_however_they_read_everybody_gets_exactly_the_bytes(
    sizes: list[int], seeds: list[int], memory: int, patience: float, *, twice: bool
) -> None:
    objects = {key_of(datafile(at)): bytes(at * i % 251 for i in range(size)) for at, size in enumerate(sizes, 1)}
    store = CountingStore(objects)
    made = readers(store, len(seeds), memory=memory, expecting=len(sizes))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "PATIENCE_SECONDS", patience)
        with ThreadPoolExecutor(2 * len(seeds)) as threads:
            futures = [
                threads.submit(_restless, reader, list(objects), seed + again, objects.__getitem__)
                for reader, seed in zip(made, seeds, strict=True)
                for again in range(2 if twice else 1)  # some destinations read in several threads
            ]
            for future in futures:
                future.result(timeout=60)
    for reader in made:
        reader.sharing.leave(reader)
    assert made[0].sharing.held == 0
    assert store.closed == len(store.opened)


@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=8), number=st.integers(2, 4))
def test_readers_that_go_through_the_same_objects_read_each_byte_once(sizes: list[int], number: int) -> None:
    objects = {key_of(datafile(at)): bytes(size) for at, size in enumerate(sizes, 1)}
    store = CountingStore(objects)
    made = readers(store, number, expecting=len(sizes))
    gate = threading.Barrier(number)

    def reading(reader: Reader) -> Iterator[bytes]:
        gate.wait(10)
        for name in objects:
            yield read(reader, name, 700)

    with ThreadPoolExecutor(number) as threads:
        for got in threads.map(lambda reader: list(reading(reader)), made):
            assert got == list(objects.values())
    assert store.bytes_read == sum(sizes)
    assert sum(reader.bytes_read for reader in made) == sum(sizes)


def test_an_object_that_is_kept_for_others_is_not_kept_open() -> None:
    store = CountingStore({NAME: DATA})
    one, two = readers(store, 2)
    assert read(one) == DATA
    assert (one.sharing.held, store.closed) == (len(DATA), 1)
    assert read(two) == DATA
