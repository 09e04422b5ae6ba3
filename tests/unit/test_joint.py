"""A worker copies the same datafiles to several destinations at once, and reads each object once."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.conclusion import Crowded
from dataverse_backup.destinations.base import Streaming
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationLost, Reason, SourceUnavailable
from dataverse_backup.joint import JointTransfer
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores import sharing
from dataverse_backup.stores.memory import Fault
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, JointBatch, Why, Work
from tests.contract.ledger_cases import datafile, key_of
from tests.unit.memory_world import checksum_of
from tests.unit.test_sharing import CountingStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dataverse_backup.conclusion import Outcome
    from dataverse_backup.destinations.base import Failure, Receipt, Upload
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.stores.base import Store

CONTENTS = {number: f"datafile {number}".encode() * 100 * number for number in range(1, 8)}
TOTAL = sum(len(data) for data in CONTENTS.values())


class Hall:
    """One store and several destinations."""

    def __init__(self, *names: str, memory: int = 1 << 20) -> None:
        self.store = CountingStore({key_of(datafile(number)): data for number, data in CONTENTS.items()})
        self.destinations = {name: MemoryDestination(name) for name in names}
        self.waits: list[float] = []
        make = {name: partial(self._transfer, name) for name in names}
        self.transfer = JointTransfer({"file": self.store}, make, memory=memory)

    def _transfer(self, name: str, stores: Mapping[str, Store]) -> Transfer:
        return Transfer(stores, self.destinations[name], sleep=self.waits.append, delays=(1.0,))

    def copy(self, numbers: Mapping[str, Iterable[int]] | None = None, why: Why = Why.NEW) -> Outcomes:
        wanted = numbers or dict.fromkeys(self.destinations, CONTENTS)
        parts = [Batch(name, tuple(work(number, why) for number in its)) for name, its in wanted.items()]
        return self.transfer.copy(JointBatch(tuple(parts)))


def work(number: int, why: Why = Why.NEW) -> Work:
    data = CONTENTS[number]
    file = datafile(number, size=len(data), checksum=checksum_of(data))
    return Work(file, key_of(file), None, why)


def statuses(outcome: Outcome) -> set[Status]:
    return {attempt.status for attempt in outcome.attempts}


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
def test_each_object_is_read_once_however_many_destinations_need_it(names: list[str]) -> None:
    hall = Hall(*names)
    outcomes = hall.copy()
    assert hall.store.bytes_read == TOTAL
    assert sum(outcome.bytes_read for outcome in outcomes.values()) == TOTAL
    for name in names:
        assert statuses(outcomes[name]) == {Status.OK}
        assert sorted(hall.destinations[name].objects.values()) == sorted(CONTENTS.values())
        assert outcomes[name].seconds > 0


def test_what_only_one_needs_is_read_for_it_alone() -> None:
    hall = Hall("a", "b")
    outcomes = hall.copy({"a": [1, 2, 3], "b": [3, 4]})
    assert hall.store.bytes_read == sum(len(CONTENTS[number]) for number in (1, 2, 3, 4))
    assert [len(outcomes[name].attempts) for name in "ab"] == [3, 2]


def test_a_destination_that_has_everything_reads_nothing_and_holds_up_nobody() -> None:
    hall = Hall("a", "b")
    hall.copy({"a": CONTENTS})
    hall.store.bytes_read = 0
    outcomes = hall.copy(why=Why.FAILED)
    assert hall.store.bytes_read == outcomes["b"].bytes_read == TOTAL
    assert hall.transfer._readers["b"].sharing.held == 0  # nothing is kept for the one that never came
    assert statuses(outcomes["a"]) == statuses(outcomes["b"]) == {Status.OK}


def test_an_object_that_is_missing_fails_everywhere_and_the_others_go_on() -> None:
    hall = Hall("a", "b")
    del hall.store.objects[key_of(datafile(3))]
    for outcome in hall.copy().values():
        failed = [attempt for attempt in outcome.attempts if attempt.status is not Status.OK]
        assert [(attempt.datafile.id, attempt.reason) for attempt in failed] == [(3, Reason.MISSING)]


def test_a_store_that_breaks_off_is_tried_again_for_each() -> None:
    hall = Hall("a", "b")
    hall.store.faults[key_of(datafile(3))] = Fault(breaks_after=5, breaks_with=SourceUnavailable)
    for outcome in hall.copy().values():
        assert [a.reason for a in outcome.attempts if a.status is not Status.OK] == [Reason.UNREACHABLE]
        assert len(outcome.attempts) == len(CONTENTS)


def test_one_that_is_lost_does_not_stop_the_others_and_is_not_tried_again() -> None:
    hall = Hall("a", "b")
    hall.destinations["a"].faults.down_after = 2
    outcomes = hall.copy()
    assert isinstance(outcomes["a"].lost_destination, DestinationLost)
    assert len(outcomes["a"].attempts) == 2
    assert statuses(outcomes["b"]) == {Status.OK}
    hall.destinations["a"].faults.down_after = None
    hall.waits.clear()
    assert hall.copy()["a"].lost_destination is outcomes["a"].lost_destination
    assert hall.waits == []


def test_little_memory_makes_it_slower_or_reads_twice_but_never_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PATIENCE_SECONDS", 0.01)
    hall = Hall("a", "b", "c", memory=10)
    for name, outcome in hall.copy().items():
        assert statuses(outcome) == {Status.OK}
        assert sorted(hall.destinations[name].objects.values()) == sorted(CONTENTS.values())
    assert hall.store.closed == len(hall.store.opened)


def test_an_error_that_nobody_foresaw_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    hall = Hall("a", "b")
    monkeypatch.setattr(hall.destinations["a"], "put", broken)
    with pytest.raises(ZeroDivisionError):
        hall.copy()
    assert len(hall.destinations["b"].objects) == len(CONTENTS)


def test_a_destination_that_has_no_room_for_this_worker_is_lost_to_nobody_else() -> None:
    hall = Hall("a", "b")
    hall.destinations["b"].faults.down_after = 0  # as a server that refuses a further connection
    with pytest.raises(Crowded) as crowded:
        hall.copy()
    outcomes = crowded.value.result
    assert statuses(outcomes["a"]) == {Status.OK}
    assert isinstance(outcomes["b"].lost_destination, DestinationLost)


def test_a_destination_that_was_reached_and_goes_is_lost() -> None:
    hall = Hall("a", "b")
    hall.copy({"a": [1], "b": [1]})
    hall.destinations["b"].faults.down_after = 0
    outcomes = hall.copy({"a": [2], "b": [2]})
    assert statuses(outcomes["a"]) == {Status.OK}
    assert isinstance(outcomes["b"].lost_destination, DestinationLost)


class StreamingDestination(MemoryDestination, Streaming):
    """Proves what it has when it is asked for more than *later* objects after it, and the rest in the end."""

    streams = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.puts, self.later = 0, 2

    def put(self, uploads: Iterable[Upload]) -> Iterator[Receipt | Failure]:
        self.puts += 1
        sent: deque[Upload] = deque()
        for upload in uploads:
            sent.append(upload)
            if len(sent) > self.later:
                yield from super().put([sent.popleft()])
        yield from super().put(list(sent))


class Stream:
    """A worker that is given batches of one or two datafiles, one when it asks for another."""

    def __init__(self, *batches: tuple[int, ...]) -> None:
        self.store = CountingStore({key_of(datafile(number)): data for number, data in CONTENTS.items()})
        self.destination = StreamingDestination("a")
        make = {"a": lambda stores: Transfer(stores, self.destination, sleep=lambda _: None, delays=(1.0,))}
        self.transfer = JointTransfer({"file": self.store}, make)
        self._batches = iter([JointBatch((Batch("a", tuple(map(work, numbers))),)) for numbers in batches])

    def more(self) -> JointBatch | None:
        return next(self._batches, None)

    def copied(self) -> list[list[tuple[int, Status]]]:
        """What became of those that were taken: failed datafiles, and the places in their batch of the others."""
        outcomes = self.transfer.all(next(self._batches), self.more)
        return [_told(outcome["a"]) for outcome in outcomes]


def _told(outcome: Outcome) -> list[tuple[int, Status]]:
    failed = [(attempt.datafile.id, attempt.status) for attempt in outcome.attempts]
    return failed + sorted((brief[0], Status.OK) for brief in outcome.briefs)


def test_the_next_batches_are_sent_while_the_last_ones_are_proven_and_each_has_its_outcome() -> None:
    stream = Stream((1, 2), (3, 4), (5, 6), (7,))
    assert stream.copied() == [[(0, Status.OK), (1, Status.OK)]] * 3 + [[(0, Status.OK)]]
    assert stream.destination.puts == 1
    assert set(stream.destination.objects) == {key_of(datafile(number)) for number in CONTENTS}


def test_what_fails_in_a_stream_fails_alone_and_no_further_batch_is_begun_while_it_is_not_settled() -> None:
    stream = Stream((1, 2), (3, 4), (5, 6))
    stream.store.faults[key_of(datafile(2))] = Fault(SourceUnavailable)
    told = stream.copied()
    assert told[0] == [(datafile(2).id, Status.FAIL_READ), (0, Status.OK)]
    assert all(status is Status.OK for batch in told[1:] for _, status in batch)
    assert len(told) < 3


def test_what_a_stream_of_batches_finds_taken_is_proven_and_adopted() -> None:
    stream = Stream((1, 2), (3, 4), (5, 6))
    stream.destination.objects[key_of(datafile(3))] = CONTENTS[3]
    told = stream.copied()
    assert all(status is Status.OK for batch in told for _, status in batch)
    assert len(told) >= 2


def test_a_destination_that_is_lost_in_a_stream_is_said_with_every_batch_that_was_under_way() -> None:
    stream = Stream((1, 2), (3, 4), (5, 6))
    stream.destination.later = 100
    first = stream.more()
    assert first is not None

    def away() -> JointBatch | None:
        stream.destination.faults.down_after = 0
        return stream.more()

    outcomes = list(stream.transfer.all(first, away))
    assert len(outcomes) == 3
    assert all(outcome["a"].lost_destination is not None for outcome in outcomes)
    assert not any(outcome["a"].attempts for outcome in outcomes)
