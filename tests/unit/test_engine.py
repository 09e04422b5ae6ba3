"""Batches through an executor: bounded, stopped cleanly, and never taken down by a worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

from dataverse_backup import engine
from dataverse_backup.conclusion import Outcome
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.engine import Stop, copy_in_worker, outcomes, processes
from dataverse_backup.errors import DestinationLost
from dataverse_backup.ledger.base import Status
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.transfer import Transfer
from dataverse_backup.work import Batch, Why, Work
from tests.contract.ledger_cases import HERE, datafile, key_of, succeeded
from tests.unit.memory_world import checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = datafile(1, size=4, checksum=checksum_of(b"data"))
BATCH = Batch(HERE, (Work(FILE, key_of(FILE), None, Why.NEW),))


@contextmanager
def threads(number: int = 4) -> Iterator[Executor]:
    with ThreadPoolExecutor(number) as executor:
        yield executor


def batches(number: int) -> list[Batch]:
    return [Batch(str(at), ()) for at in range(number)]


def named(batch: Batch) -> Outcome:
    """An outcome that says which batch it is of."""
    return Outcome([succeeded(datafile(int(batch.destination)))])


def names(results: list[Outcome]) -> list[int]:
    return sorted(attempt.datafile.id for outcome in results for attempt in outcome.attempts)


def test_every_batch_has_its_outcome() -> None:
    with threads() as executor:
        results = list(outcomes(executor, named, batches(20), in_flight=4, stop=Stop()))
    assert names(results) == list(range(20))


def test_no_more_batches_are_taken_than_may_be_in_flight() -> None:
    taken = 0

    def counted() -> Iterator[Batch]:
        nonlocal taken
        for batch in batches(20):
            taken += 1
            yield batch

    with threads() as executor:
        for done, _ in enumerate(outcomes(executor, named, counted(), in_flight=3, stop=Stop())):
            assert taken <= done + 3
    assert taken == 20


def test_a_stop_submits_nothing_more_and_waits_for_what_is_in_flight() -> None:
    stop, release = Stop(), threading.Event()

    def held(batch: Batch) -> Outcome:
        assert release.wait(10)
        return named(batch)

    def stopping() -> Iterator[Batch]:
        yield from batches(2)
        stop.set()
        threading.Timer(0.3, release.set).start()
        yield Batch("2", ())
        pytest.fail("a batch was taken after the stop")

    with threads() as executor:
        results = list(outcomes(executor, held, stopping(), in_flight=3, stop=stop))
    assert names(results) == [0, 1, 2]


def test_a_stop_before_the_start_copies_nothing() -> None:
    stop = Stop()
    stop.set()
    with threads() as executor:
        assert list(outcomes(executor, named, batches(3), in_flight=3, stop=stop)) == []


def test_what_does_not_finish_in_time_after_a_stop_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.1)
    stop, release = Stop(), threading.Event()

    def held(batch: Batch) -> Outcome:
        stop.set()
        release.wait(10)
        return named(batch)

    with threads() as executor:
        assert list(outcomes(executor, held, batches(5), in_flight=2, stop=stop)) == []
        release.set()
    assert "dropped 2 batches in flight" in caplog.text


def test_a_lost_destination_ends_the_submission_and_keeps_what_was_proven() -> None:
    tried: list[str] = []

    def copy(batch: Batch) -> Outcome:
        tried.append(batch.destination)
        lost = DestinationLost("gone") if batch.destination == "1" else None
        return Outcome(named(batch).attempts, lost)

    with threads() as executor:
        results = list(outcomes(executor, copy, batches(20), in_flight=1, stop=Stop()))
    assert tried == ["0", "1"]
    assert names(results) == [0, 1]


def test_an_error_that_nobody_foresaw_is_not_swallowed() -> None:
    def broken(_: Batch) -> NoReturn:
        raise ZeroDivisionError

    with threads() as executor, pytest.raises(ZeroDivisionError):
        list(outcomes(executor, broken, batches(1), in_flight=1, stop=Stop()))


class Killed(Transfer):
    """Its process is killed as soon as it has something to do."""

    def copy(self, batch: Batch) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        raise AssertionError(batch)


def working() -> Transfer:
    return Transfer({"file": MemoryStore("file", {key_of(FILE): b"data"})}, MemoryDestination(HERE))


def killed() -> Transfer:
    return Killed({}, MemoryDestination(HERE))


def test_a_process_copies_with_a_transfer_of_its_own() -> None:
    with processes(working, 1) as executor:
        (outcome,) = outcomes(executor, copy_in_worker, [BATCH], in_flight=1, stop=Stop())
    assert [attempt.status for attempt in outcome.attempts] == [Status.OK]


def test_a_killed_worker_loses_its_batch_and_ends_the_run() -> None:
    with processes(killed, 1) as executor:
        (outcome,) = outcomes(executor, copy_in_worker, [BATCH] * 5, in_flight=1, stop=Stop())
        assert outcome.attempts == []
        assert "a worker process died" in str(outcome.lost_destination)
        # It may also die while the outcome of another batch is being recorded: then nothing can be submitted.
        (late,) = outcomes(executor, copy_in_worker, [BATCH] * 5, in_flight=1, stop=Stop())
        assert "a worker process died" in str(late.lost_destination)


def test_only_a_worker_copies() -> None:
    with pytest.raises(RuntimeError, match=r"engine\.processes"):
        copy_in_worker(BATCH)
