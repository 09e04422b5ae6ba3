"""Tasks for workers that may die: what they die of is found, everything else is done, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dataverse_backup import crew
from dataverse_backup.conclusion import Crowded, Outcome
from dataverse_backup.crew import Crew, Died
from dataverse_backup.errors import WorkerDied, WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Room:
    """Where workers work, and die of the tasks that are listed, so many times."""

    def __init__(self, **deadly: int) -> None:
        self.deadly = Counter(deadly)
        self.stillborn = 0
        self.tried: list[str] = []
        self.beside: dict[str, set[str]] = {}
        """What else was being done when a task began."""
        self.now: set[str] = set()
        self.workers = 0
        self.ended = 0
        self.ready = 0
        self.ready_fails = False
        self.release = threading.Event()
        self._lock = threading.Lock()

    def worker(self) -> Hand:
        self.workers += 1
        return Hand(self)

    def begin(self, task: str) -> None:
        with self._lock:
            self.tried.append(task)
            self.beside[task] = set(self.now)
            self.now.add(task)

    def finish(self, task: str) -> None:
        with self._lock:
            self.now.discard(task)

    def dies_of(self, task: str) -> bool:
        with self._lock:
            self.deadly[task] -= 1
            return self.deadly[task] >= 0


class Hand:
    """A worker in a thread."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._killed = threading.Event()

    def do(self, task: str, more: Callable[[], str | None], /) -> Iterator[str]:
        del more  # one at a time
        room = self._room
        if room.stillborn:
            room.stillborn -= 1
            raise Died("too little memory", was_ready=False)
        room.begin(task)
        try:
            yield self._done(task)
        finally:
            room.finish(task)

    def _done(self, task: str) -> str:
        if task == "wrong":
            raise ZeroDivisionError
        if task.startswith("long"):
            while not self._room.release.wait(0.01):
                if self._killed.is_set():
                    raise Died("SIGKILL", was_ready=True)
        if self._room.dies_of(task):
            raise Died("SIGKILL", was_ready=True)
        return task.upper()

    def get_ready(self) -> None:
        self._room.ready += 1
        if self._room.ready_fails:
            raise Died("too little memory", was_ready=False)

    def kill(self) -> None:
        self._killed.set()

    def end(self) -> None:
        self._room.ended += 1


@contextmanager
def working(room: Room, workers: int = 2) -> Iterator[Crew[str, str]]:
    its: Crew[str, str] = Crew(room.worker, workers)
    try:
        yield its
    finally:
        its.close()


def test_tasks_are_done_by_as_many_workers_as_are_needed() -> None:
    room = Room()
    with working(room, 3) as submit:
        assert submit("a").result(10) == "A"
        assert submit("b").result(10) == "B"
        assert (room.workers, submit.room) == (1, None)
        futures = [submit(f"long{number}") for number in range(9)]
        time.sleep(0.05)
        assert (room.workers, len(room.now)) == (3, 3)
        room.release.set()
        assert [future.result(10) for future in futures] == [f"LONG{number}" for number in range(9)]
        assert submit.room == 3
    assert room.ended == 3


@pytest.mark.parametrize("fails", [False, True])
def test_workers_get_ready_before_there_is_something_to_do_and_work_then_if_they_were_or_not(*, fails: bool) -> None:
    room = Room()
    room.ready_fails = fails
    with working(room, 3) as submit:
        submit.get_ready()
        submit.get_ready()
        while room.ready < 3:
            time.sleep(0.01)
        assert (room.workers, room.now) == (3, set())
        assert submit("a").result(10) == "A"
        assert room.workers == 3
    assert room.ended == 3


def test_workers_that_get_ready_and_have_nothing_to_do_end() -> None:
    room = Room()
    with working(room, 3) as submit:
        submit.get_ready()
    assert room.ended == room.workers == 3
    submit.get_ready()
    assert room.workers == 3


class Narrow(Room):
    """There is room for one worker."""

    first: Hand | None = None

    def worker(self) -> Hand:
        self.workers += 1
        return Squeezed(self)


class Squeezed(Hand):
    def __init__(self, room: Narrow) -> None:
        super().__init__(room)
        self._narrow = room

    def _done(self, task: str) -> str:
        self._narrow.first = self._narrow.first or self
        if self._narrow.first is not self:
            raise Crowded({task: Outcome()})
        return super()._done(task)


def test_workers_for_whom_there_is_no_room_leave_and_the_others_do_everything(caplog: pytest.LogCaptureFixture) -> None:
    room = Narrow()
    with working(room, 3) as submit:
        futures = [submit(f"long{number}") for number in range(6)]
        deadline = time.monotonic() + 10
        while "going on with 1" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        room.release.set()
        assert [future.result(10) for future in futures] == [f"LONG{number}" for number in range(6)]
        assert submit.room == 1
    assert "going on with 1" in caplog.text


def test_the_only_worker_says_what_it_comes_to_where_there_is_no_room() -> None:
    room = Narrow()
    room.first = Hand(room)  # somebody else's
    with working(room, 1) as submit:
        result: object = submit("a").result(10)
    assert result == {"a": Outcome()}


class Pair(Hand):
    """Begins with a second task before it is done with the first."""

    def do(self, task: str, more: Callable[[], str | None], /) -> Iterator[str]:
        self._room.begin(task)
        if (further := more()) is not None:
            self._room.begin(further)
        for one in (task, further):
            if one is not None:
                try:
                    yield self._done(one)
                finally:
                    self._room.finish(one)


class PairRoom(Room):
    def worker(self) -> Hand:
        self.workers += 1
        return Pair(self)


def test_a_worker_may_begin_with_its_next_task_before_it_is_done_with_the_last() -> None:
    room = PairRoom()
    with working(room, workers=1) as submit:
        held = submit("long")
        others = [submit(task) for task in "abc"]
        room.release.set()
        assert [future.result(10) for future in (held, *others)] == ["LONG", "A", "B", "C"]
    assert any(room.beside.values())


def test_of_two_tasks_that_a_worker_died_with_each_is_tried_again_alone() -> None:
    room = PairRoom(a=2)
    with working(room, workers=1) as submit:
        first = submit("long")
        deadly, innocent = submit("a"), submit("b")
        room.release.set()
        assert (first.result(10), innocent.result(10)) == ("LONG", "B")
        with pytest.raises(WorkerDied):
            deadly.result(10)
    assert room.beside["a"] == set()


def test_an_error_of_a_task_is_its_result() -> None:
    with working(Room()) as submit:
        with pytest.raises(ZeroDivisionError):
            submit("wrong").result(10)
        assert submit("a").result(10) == "A"


def test_what_a_worker_died_of_once_is_tried_again_and_done(caplog: pytest.LogCaptureFixture) -> None:
    with working(Room(a=1)) as submit:
        assert [submit(task).result(10) for task in "ab"] == ["A", "B"]
    assert "a worker process died (SIGKILL)" in caplog.text


def test_what_kills_again_when_alone_is_said_and_everything_else_is_done() -> None:
    room = Room(a=9, e=9, c=1)
    with working(room, 3) as submit:
        futures = {task: submit(task) for task in "abcdefgh"}
        wait(futures.values(), 10)
        done = {task for task, future in futures.items() if future.exception() is None}
    assert done == set("bcdfgh")
    for task in "ae":
        error = futures[task].exception()
        assert isinstance(error, WorkerDied)
        assert "SIGKILL" in error.message
        assert "journalctl" in error.hint
    assert {task: room.tried.count(task) for task in "abce"} == {"a": 2, "b": 1, "c": 2, "e": 2}


def test_the_second_try_waits_for_what_is_being_done_and_nothing_begins_beside_it() -> None:
    room = Room(a=1)
    with working(room, 3) as submit:
        long = submit("long")
        suspect = submit("a")
        time.sleep(0.05)
        other = submit("b")
        time.sleep(0.05)
        assert room.tried == ["long", "a"]
        room.release.set()
        assert (long.result(10), suspect.result(10), other.result(10)) == ("LONG", "A", "B")
    assert room.tried == ["long", "a", "a", "b"]
    assert room.beside["a"] == room.beside["b"] == set()


def test_a_worker_that_dies_before_it_was_ready_says_nothing_about_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_AFTER_STILLBIRTH", 0.0)
    room = Room()
    room.stillborn = crew.MOST_STILLBORN - 1
    with working(room, 1) as submit:
        assert submit("a").result(10) == "A"
        room.stillborn = crew.MOST_STILLBORN - 1
        assert submit("b").result(10) == "B"
    assert room.tried == ["a", "b"]


def test_where_no_worker_gets_ready_everything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_AFTER_STILLBIRTH", 0.0)
    room = Room()
    room.stillborn = 1000
    with working(room) as submit:
        futures = [submit(task) for task in "abc"]
        errors = {str(future.exception(10)) for future in futures}
        assert errors == {"8 worker processes died one after the other (the last: too little memory)"}
        assert isinstance(submit("d").exception(10), WorkersLost)
    assert room.tried == []


def test_where_nothing_can_be_done_it_is_given_up_in_the_end() -> None:
    room = Room(**{f"task{number}": 2 for number in range(60)})
    with working(room) as submit:
        futures = [submit(f"task{number}") for number in range(60)]
        errors = Counter(type(future.exception(10)) for future in futures)
    assert errors[WorkerDied] in range(crew.MOST_DEATHS // 2 - 2, crew.MOST_DEATHS // 2 + 1)
    assert errors[WorkersLost] == 60 - errors[WorkerDied]


def test_in_the_end_what_has_not_begun_is_cancelled_and_what_goes_on_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SECONDS_TO_END", 0.05)
    room = Room()
    with working(room) as submit:
        futures = [submit(f"long{number}") for number in range(4)]
        time.sleep(0.05)
    assert [type(future.exception(0)) for future in futures] == [CancelledError] * 4
    assert room.ended == 2
    with pytest.raises(CancelledError):
        submit("a").result(0)


def test_the_end_comes_also_while_something_waits_for_its_second_try() -> None:
    room = Room(a=9)
    with working(room) as submit:
        long, suspect = submit("long"), submit("a")
        time.sleep(0.05)
        room.release.set()
    assert long.result(0) == "LONG"
    assert isinstance(suspect.exception(0), CancelledError | WorkerDied)


def test_a_task_may_be_cancelled_before_it_begins() -> None:
    room = Room()
    with working(room, 1) as submit:
        first, second, third = submit("long"), submit("b"), submit("c")
        assert second.cancel()
        room.release.set()
        assert (first.result(10), third.result(10)) == ("LONG", "C")
    assert room.tried == ["long", "c"]
