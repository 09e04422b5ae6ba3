"""Tasks to workers, a bounded number at a time."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.engine import Stop
from dataverse_backup.in_flight import in_flight

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_every_task_comes_back_with_its_result() -> None:
    with ThreadPoolExecutor(3) as pool:
        done = in_flight(lambda task: pool.submit(pow, task, 2), range(50), 7, Stop())
        assert sorted((task, future.result()) for task, future in done) == [(n, n * n) for n in range(50)]


def test_no_more_are_taken_than_may_be_on_their_way() -> None:
    taken: list[int] = []
    futures: list[Future[int]] = []

    def tasks() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    def submit(task: int, /) -> Future[int]:
        del task
        futures.append(Future())
        if len(futures) == 3:
            futures[0].set_result(1)
        return futures[-1]

    done = in_flight(submit, tasks(), 3, Stop())
    next(done)
    assert taken == [0, 1, 2]
    futures[1].set_result(1)
    next(done)
    assert taken == [0, 1, 2, 3]


def test_what_a_task_raises_is_in_its_future_and_ends_nothing() -> None:
    with ThreadPoolExecutor(1) as pool:
        done = dict(in_flight(lambda task: pool.submit(int, task), ["1", "x", "2"], 2, Stop()))
    assert (done["1"].result(), done["2"].result()) == (1, 2)
    with pytest.raises(ValueError, match="x"):
        done["x"].result()


def test_after_a_stop_what_is_on_its_way_ends_and_nothing_is_taken() -> None:
    stop = Stop()
    with ThreadPoolExecutor(2) as pool:
        done = in_flight(lambda task: pool.submit(abs, task), range(1000), 2, stop)
        next(done)
        stop.set()
        assert len(list(done)) <= 2


def test_what_does_not_end_after_a_stop_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.in_flight.GRACE_SECONDS", 0.01)
    stop, release = Stop(), threading.Event()
    stopping = threading.Timer(0.05, stop.set)
    stopping.start()
    with ThreadPoolExecutor(1) as pool:
        assert list(in_flight(lambda _: pool.submit(release.wait), range(3), 2, stop)) == []
        release.set()
    stopping.join()


def test_no_tasks_are_no_trouble() -> None:
    assert list(in_flight(lambda _: Future(), [], 2, Stop())) == []
