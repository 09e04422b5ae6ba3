"""A run that ends at a limit: nothing more is begun, what was begun is recorded, and it is said how much is left."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup import allowance
from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.allowance import Allowance, Limit, Limits
from dataverse_backup.cli.exit_codes import ExitCode, code_of
from dataverse_backup.cli.summary import describe, result_of
from dataverse_backup.conclusion import Outcome
from dataverse_backup.errors import DestinationLost
from dataverse_backup.ledger.base import Status
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import gather
from dataverse_backup.plan import Share
from dataverse_backup.work import Batch
from tests.contract.ledger_cases import datafile, key_of, succeeded
from tests.unit.memory_world import checksum_of
from tests.unit.test_backup_several import DATA, Campus, ended, endings
from tests.unit.test_engine import Floor, done, ids
from tests.unit.test_feed import works

if TYPE_CHECKING:
    from dataverse_backup.joint import Outcomes
    from dataverse_backup.work import JointBatch

SIZE = len(DATA)


class Clock:
    """Shows the seconds that it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def limited(campus: Campus, **limits: Limits) -> dict[str, Ended]:
    """One run, in which some destinations have limits; a batch has two datafiles."""
    sites = [replace(site, limits=limits.get(site.name, Limits())) for site in campus.sites()]
    return ended(list(backup(campus.installation, sites, campus.stop)))


def batch(*numbers: int, size: int = 10) -> Batch:
    return Batch("a", tuple(replace(work, datafile=replace(work.datafile, size=size)) for work in works(numbers)))


def test_without_limits_nothing_is_ever_reached() -> None:
    free = Allowance(Limits())
    free.begin(batch(1, size=1 << 60))
    assert (free.reached, free.is_promised, free.grace) == (None, False, float("inf"))


def test_the_time_is_over_when_it_has_passed() -> None:
    clock = Clock()
    hour = Allowance(Limits(seconds=3600), clock=clock)
    clock.now += 3599
    before = hour.reached
    clock.now += 1
    assert (before, hour.reached) == (None, Limit.DURATION)
    clock.now += 100
    assert hour.grace == allowance.GRACE_SECONDS - 100


def test_bytes_count_when_they_were_sent_and_until_then_what_is_in_flight_is_promised() -> None:
    allowed = Allowance(Limits(size=25))
    allowed.begin(batch(1, 2))
    before = allowed.is_promised
    allowed.begin(batch(3))
    assert (before, allowed.is_promised) == (False, True)
    allowed.end(batch(1, 2), Outcome([]))  # all of it was there already
    assert (allowed.reached, allowed.is_promised) == (None, False)
    allowed.end(batch(3), Outcome([replace(succeeded(datafile(3)), bytes_sent=25)]))
    assert allowed.reached is Limit.BYTES


def test_so_many_bytes_end_a_run_and_the_next_one_goes_on() -> None:
    campus = Campus(names=("a",))
    results = limited(campus, a=Limits(size=SIZE * 3))
    assert results["a"].ending is Ending.LIMIT
    assert results["a"].tried == {Status.OK: 4}  # what was begun is finished: two batches of two
    assert (results["a"].limit, results["a"].left) == (Limit.BYTES, Share(2, 2 * SIZE))
    record = results["a"].record
    assert record is not None
    assert record.outcome == "limit"
    assert endings(campus.run()) == {"a": Ending.OK}


def test_what_is_there_already_does_not_use_up_the_bytes() -> None:
    campus = Campus(names=("a",))
    campus.destinations["a"].objects.update(campus.store.objects)
    results = limited(campus, a=Limits(size=1))
    assert results["a"].ending is Ending.OK
    assert results["a"].tried == {Status.OK: 6}


def test_a_file_larger_than_what_is_allowed_is_copied_all_the_same() -> None:
    campus = Campus(names=("a",))
    for _ in range(3):
        results = limited(campus, a=Limits(size=1))
        assert results["a"].tried == {Status.OK: 2}
    assert results["a"].ending is Ending.OK


def test_where_the_limit_is_reached_with_the_last_file_all_is_well() -> None:
    results = limited(Campus(names=("a",)), a=Limits(size=6 * SIZE))
    assert (results["a"].ending, results["a"].limit) == (Ending.OK, None)


def test_a_limit_of_one_destination_does_not_hold_up_the_others() -> None:
    campus = Campus()
    results = limited(campus, b=Limits(size=1))
    assert endings(results) == {"a": Ending.OK, "b": Ending.LIMIT, "c": Ending.OK}
    assert [results[name].tried[Status.OK] for name in "abc"] == [6, 2, 6]
    assert campus.store.bytes_read == 6 * SIZE


def test_when_the_time_is_over_nothing_is_begun() -> None:
    campus = Campus(names=("a",))
    results = limited(campus, a=Limits(seconds=0))
    assert (results["a"].ending, results["a"].left.files) == (Ending.LIMIT, 6)
    assert campus.destinations["a"].objects.keys() & campus.store.objects.keys() == set()


def test_a_limit_and_failures_are_failures_and_the_limit_is_told_too() -> None:
    campus = Campus(names=("a",))
    campus.store.objects[key_of(datafile(1))] = b"rotten"
    results = limited(campus, a=Limits(size=1))
    assert (results["a"].ending, results["a"].limit) == (Ending.FAILURES, Limit.BYTES)
    assert code_of(list(results.values())) is ExitCode.FAILURES
    assert "MaxBytes reached: 4 files, 96 B left for the next run" in describe(results["a"])


def test_people_are_told_what_is_left_and_that_there_is_nothing_to_do() -> None:
    campus = Campus(names=("a",))
    results = limited(campus, a=Limits(size=1))
    message = compose(gather(campus.ledger, [result_of(results["a"])], "archive1"), is_attached=True)
    assert message.subject.startswith(
        "Dataverse backup STOPPED AT A LIMIT: 2 files backed up, 0 failed, 4 left for the next run"
    )
    assert message.is_well
    for form in (message.text, message.html):
        assert "MaxBytes reached: 4 files, 96 B left for the next run" in form
        assert "nothing: the next run goes on where the limit stopped this one" in form


@pytest.mark.parametrize(
    ("beside", "code"),
    [
        (Ending.LIMIT, ExitCode.LIMIT),
        (Ending.OK, ExitCode.LIMIT),
        (Ending.FAILURES, ExitCode.FAILURES),
        (Ending.BUSY, ExitCode.FAILURES),
        (Ending.LOST, ExitCode.FAILURES),
        (Ending.INTERRUPTED, ExitCode.INTERRUPTED),
    ],
)
def test_a_limit_is_told_by_the_exit_code_only_where_nothing_went_wrong(beside: Ending, code: ExitCode) -> None:
    assert code_of([Ended("a", Ending.LIMIT), Ended("b", beside)]) is code


# What is in flight at a limit.


def test_what_is_in_flight_when_the_time_is_over_is_finished() -> None:
    clock = Clock()

    def late(batch: JointBatch) -> Outcomes:
        clock.now += 10
        time.sleep(0.5)
        return done(batch)

    floor = Floor(late, limits=Allowance(Limits(seconds=5), clock=clock))
    assert ids(floor.run(a=range(9))) in ([0, 1, 2], [0, 1], [0])
    assert floor.engine.limited == {"a": Limit.DURATION}


def test_what_goes_on_for_too_long_after_the_time_is_over_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(allowance, "GRACE_SECONDS", 0.2)
    release = threading.Event()
    threading.Timer(2.0, release.set).start()

    def hanging(batch: JointBatch) -> Outcomes:
        release.wait(10)
        return done(batch)

    floor = Floor(hanging, limits=Allowance(Limits(seconds=0.3)))
    assert floor.run(a=range(2)) == []
    assert "dropped 2 batches in flight" in caplog.text
    assert floor.engine.limited == {"a": Limit.DURATION}


def test_a_destination_that_was_lost_before_it_reached_its_limit_is_lost() -> None:
    def losing(batch: JointBatch) -> Outcomes:
        return {"a": Outcome(done(batch)["a"].attempts, DestinationLost("gone"))}

    floor = Floor(losing, limits=Allowance(Limits(size=1)))
    floor.run(a=range(9))
    assert floor.engine.limited == {}


@pytest.mark.parametrize("limit", [Limits(size=10 * SIZE), Limits(size=1)])
def test_rows_that_changed_are_tried_again_only_while_there_is_something_left(limit: Limits) -> None:
    campus = Campus(names=("a",))
    campus.store.objects[key_of(datafile(1))] = b"new bytes"
    sites = [replace(site, limits=limit) for site in campus.sites()]
    events = backup(campus.installation, sites, campus.stop)
    first = next(events)
    campus.catalogue.rows_now[1] = datafile(1, size=9, checksum=checksum_of(b"new bytes"))
    result = ended([first, *events])["a"]
    assert result.tried[Status.OK] == (6 if limit.size != 1 else 1)
