"""Batches through workers: bounded, stopped cleanly, each destination in the lane where it holds up nobody."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from dataverse_backup import engine, pace
from dataverse_backup.conclusion import Outcome
from dataverse_backup.engine import IN_FLIGHT_PER_WORKER, Capacity, Engine, Stop
from dataverse_backup.errors import DestinationLost, WorkerDied, WorkersLost
from tests.contract.ledger_cases import succeeded
from tests.unit.test_feed import parts, works

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.allowance import Allowance
    from dataverse_backup.engine import Submit
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch


class Floor:
    """An engine over threads, and what it handed to them."""

    def __init__(
        self,
        copy: Callable[[JointBatch], Outcomes] | None = None,
        *,
        workers: int = 1,
        files: int = 1,
        limits: Allowance | None = None,
    ) -> None:
        self.copy = copy or done
        self.stop = Stop()
        self.opened: list[tuple[Sequence[str], int]] = []
        self.handed: dict[tuple[str, ...], list[dict[str, list[int]]]] = defaultdict(list)
        self.closed: list[Sequence[str]] = []
        capacity = Capacity(workers, batch_files=files, batch_bytes=1 << 20)
        self.engine = Engine(defaultdict(lambda: capacity), self._threads, self.stop, {"a": limits} if limits else None)

    @contextmanager
    def _threads(self, names: Sequence[str], workers: int) -> Iterator[Submit[JointBatch, Outcomes]]:
        self.opened.append((names, workers))
        with ThreadPoolExecutor(workers) as executor:

            def submit(batch: JointBatch, /) -> Future[Outcomes]:
                self.handed[tuple(names)].append(parts(batch))
                return executor.submit(self.copy, batch)

            yield submit
            self.closed.append(names)

    def run(self, **numbers: Sequence[int]) -> list[Outcomes]:
        with self.engine:
            self.engine.add({name: works(its) for name, its in numbers.items()})
            return [outcomes for outcomes in self.engine.outcomes() if outcomes]


def done(batch: JointBatch) -> Outcomes:
    """Every work of *batch* has succeeded."""
    return {part.destination: Outcome([succeeded(w.datafile) for w in part.works]) for part in batch.batches}


def ids(results: Sequence[Outcomes], name: str = "a") -> list[int]:
    attempts = [attempt for outcomes in results if name in outcomes for attempt in outcomes[name].attempts]
    return sorted(attempt.datafile.id for attempt in attempts)


def test_every_batch_has_its_outcome() -> None:
    assert ids(Floor(workers=2).run(a=range(20))) == list(range(20))


def test_nothing_to_do_has_no_outcome() -> None:
    floor = Floor()
    assert floor.run(a=[], b=[]) == []
    assert floor.engine.is_done_with("a")


def test_no_more_batches_are_taken_than_may_be_in_flight() -> None:
    floor = Floor()
    with floor.engine as running:
        running.add({"a": works(range(20))})
        for number, _ in enumerate(running.outcomes()):
            assert len(floor.handed["a",]) <= number + 1 + IN_FLIGHT_PER_WORKER  # that of these outcomes is done
    assert len(floor.handed["a",]) == 20


def test_a_stop_submits_nothing_more_and_waits_for_what_is_in_flight() -> None:
    release = threading.Event()

    def held(batch: JointBatch) -> Outcomes:
        floor.stop.set()
        threading.Timer(0.3, release.set).start()
        assert release.wait(10)
        return done(batch)

    floor = Floor(held)
    assert ids(floor.run(a=range(20))) == list(range(IN_FLIGHT_PER_WORKER))


def test_a_stop_before_the_start_copies_nothing() -> None:
    floor = Floor()
    floor.stop.set()
    assert floor.run(a=range(3), b=range(3)) == []


def test_what_does_not_finish_in_time_after_a_stop_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.1)
    release = threading.Event()

    def held(batch: JointBatch) -> Outcomes:
        floor.stop.set()
        release.wait(10)
        return done(batch)

    floor = Floor(held)
    threading.Timer(1.0, release.set).start()
    assert floor.run(a=range(5)) == []
    assert f"dropped {IN_FLIGHT_PER_WORKER} batches in flight" in caplog.text


def test_an_error_that_nobody_foresaw_is_not_swallowed() -> None:
    def broken(_: JointBatch) -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Floor(broken).run(a=[1])


def test_works_may_be_added_when_the_last_outcome_is_there() -> None:
    floor = Floor()
    with floor.engine as running:
        running.add({"a": works([1])})
        found = []
        for outcomes in running.outcomes():
            found.append(outcomes)
            if len(found) == 1:
                assert running.is_done_with("a")
                running.add({"a": works([7])})
                assert not running.is_done_with("a")
    assert ids(found) == [1, 7]


# Several destinations.


def test_destinations_that_need_the_same_share_a_lane() -> None:
    floor = Floor()
    results = floor.run(a=range(5), b=range(5))
    assert ids(results, "a") == ids(results, "b") == list(range(5))
    assert floor.opened == [(["a", "b"], 1)]
    assert floor.handed["a", "b"] == [{"a": [number], "b": [number]} for number in range(5)]


def test_what_only_one_needs_is_done_in_a_lane_of_its_own() -> None:
    floor = Floor()
    results = floor.run(a=[1, 2, 3, 8], b=[2, 3, 4], c=[9])
    assert [ids(results, name) for name in "abc"] == [[1, 2, 3, 8], [2, 3, 4], [9]]
    assert floor.handed["a", "b", "c"] == [{"a": [2], "b": [2]}, {"a": [3], "b": [3]}]
    assert floor.handed["a",] == [{"a": [1]}, {"a": [8]}]
    assert (floor.handed["b",], floor.handed["c",]) == ([{"b": [4]}], [{"c": [9]}])


def test_a_lane_has_the_most_workers_and_batches_that_suit_all() -> None:
    assert Capacity.together([Capacity(4, 500, 10), Capacity(1, 20, 99)]) == Capacity(4, 20, 10)


def test_workers_are_given_back_as_soon_as_their_lane_is_done() -> None:
    def waiting(batch: JointBatch) -> Outcomes:
        deadline = time.monotonic() + 10
        while "a" not in parts(batch) and not floor.closed and time.monotonic() < deadline:
            time.sleep(0.01)
        return done(batch)

    floor = Floor(waiting)
    with floor.engine as running:
        running.add({"a": works([1, 2]), "b": works([1, 2, *range(10, 20)])})
        for outcomes in running.outcomes():
            if 15 in ids([outcomes], "b"):
                assert floor.closed == [["a", "b"]]
                assert running.is_done_with("a")
                assert not running.is_done_with("b")


def test_a_destination_that_is_lost_is_dropped_and_the_others_go_on() -> None:
    def losing(batch: JointBatch) -> Outcomes:
        return (
            {**done(batch), "b": Outcome(lost_destination=DestinationLost("gone"))}
            if "b" in parts(batch)
            else done(batch)
        )

    floor = Floor(losing)
    results = floor.run(a=range(20), b=range(20))
    assert ids(results, "a") == list(range(20))
    assert sum("b" in outcomes for outcomes in results) == IN_FLIGHT_PER_WORKER
    assert floor.engine.is_done_with("b")


def test_a_lost_destination_ends_the_submission_and_keeps_what_was_proven() -> None:
    def losing(batch: JointBatch) -> Outcomes:
        return {"a": Outcome(done(batch)["a"].attempts, DestinationLost("gone"))}

    results = Floor(losing).run(a=range(20))
    assert ids(results) == list(range(IN_FLIGHT_PER_WORKER))


def test_what_is_in_flight_at_a_lost_destination_is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.1)
    release = threading.Event()

    def hanging(batch: JointBatch) -> Outcomes:
        if parts(batch) == {"a": [1]}:
            release.wait(10)
        return {"a": Outcome(lost_destination=DestinationLost("gone"))}

    threading.Timer(1.0, release.set).start()
    assert len(Floor(hanging, workers=2).run(a=range(2))) == 1


# Workers that die.


def deadly(*numbers: int, at: str = "") -> Callable[[JointBatch], Outcomes]:
    """Workers die of these datafiles, at any destination or at one."""

    def copy(batch: JointBatch) -> Outcomes:
        if any(set(its) & set(numbers) for name, its in parts(batch).items() if at in name):
            raise WorkerDied("it died twice", "look")
        return done(batch)

    return copy


def died(results: Sequence[Outcomes], name: str = "a") -> list[int]:
    return [work.datafile.id for outcomes in results if name in outcomes for work in outcomes[name].deadly]


def test_a_batch_that_a_worker_dies_of_is_done_one_by_one_and_only_the_deadly_one_fails() -> None:
    floor = Floor(deadly(4), files=5)
    results = floor.run(a=range(12))
    assert ids(results) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert died(results) == [4]
    (deaths,) = [outcomes["a"].died for outcomes in results if outcomes["a"].deadly]
    assert (str(deaths), deaths and deaths.hint) == ("it died twice", "look")
    assert [batch["a"] for batch in floor.handed["a",] if 4 in batch["a"]] == [[0, 1, 2, 3, 4], [4]]


def test_what_is_deadly_at_one_destination_is_copied_to_the_others() -> None:
    floor = Floor(deadly(2, at="b"), files=5)
    results = floor.run(a=range(4), b=range(4), c=range(4))
    assert ids(results, "a") == ids(results, "c") == [0, 1, 2, 3]
    assert (ids(results, "b"), died(results, "b")) == ([0, 1, 3], [2])
    assert died(results, "a") == died(results, "c") == []


def test_after_a_stop_the_parts_of_a_deadly_batch_are_left_to_the_next_run() -> None:
    def stopping(batch: JointBatch) -> Outcomes:
        floor.stop.set()
        return deadly(0)(batch)

    floor = Floor(stopping, files=5)
    assert floor.run(a=range(5)) == []
    assert len(floor.handed["a",]) == 1


def test_parts_of_a_deadly_batch_are_not_tried_at_a_destination_that_is_lost() -> None:
    def losing(batch: JointBatch) -> Outcomes:
        its = parts(batch)
        if its.get("b") == [1]:
            return {**done(batch), "b": Outcome(lost_destination=DestinationLost("gone"))}
        return deadly(3)(batch)

    results = Floor(losing, files=5).run(a=range(5), b=range(5))
    assert (ids(results, "a"), died(results, "a")) == ([0, 1, 2, 4], [3])
    assert set(died(results, "b")) <= {3}
    assert 4 not in ids(results, "b")


def test_where_no_worker_lives_its_destinations_are_lost() -> None:
    def lost(batch: JointBatch) -> Outcomes:
        if set(parts(batch)) == {"a"}:
            raise WorkersLost("8 worker processes died", "look")
        return done(batch)

    results = Floor(lost).run(a=[1, 2, 7, 8, 9, 10], b=[1, 2, 20, 21])
    assert ids(results, "a") == [1, 2]
    assert ids(results, "b") == [1, 2, 20, 21]
    said = {str(outcomes["a"].lost_destination) for outcomes in results if "a" in outcomes}
    assert said == {"None", "8 worker processes died"}


def test_a_slow_destination_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "NOTICEABLE_SECONDS", 0.0)

    def uneven(batch: JointBatch) -> Outcomes:
        slow = "b" in parts(batch)
        if slow:
            time.sleep(0.05)
        return {
            name: Outcome(outcome.attempts, seconds=0.05 if name == "b" else 0.01)
            for name, outcome in done(batch).items()
        }

    floor = Floor(uneven)
    results = floor.run(a=range(40), b=range(40))
    assert ids(results, "a") == ids(results, "b") == list(range(40))
    together = len(floor.handed["a", "b"])
    assert together <= pace.MEASURED_BATCHES + IN_FLIGHT_PER_WORKER
    assert len(floor.handed["a",]) == len(floor.handed["b",]) == 40 - together
    assert set(results[-1]) == {"b"}  # the fast one has been ready before
