"""The dump of the database in a run: taken once, kept everywhere, and never in the way of the files."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Dumping, Ended, Ending, Planning
from dataverse_backup.actions.sites import KeptDumps
from dataverse_backup.allowance import Allowance, Limit, Limits
from dataverse_backup.catalogue.memory import MemoryDumper
from dataverse_backup.cli.summary import result_of
from dataverse_backup.destinations.base import DATABASE_PREFIX, Failure
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import CopyRefused, DumpError, DumpInterrupted, Unavailable
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.generations import Generation, Retention, generations
from dataverse_backup.ledger.base import Status
from dataverse_backup.notify.text import dump_line
from tests.unit.test_backup_several import Campus, endings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import IO

    from dataverse_backup.destinations.base import Receipt, Upload
    from dataverse_backup.ledger.dumps import DumpRecord

ALWAYS = KeptDumps(Retention(2, timedelta(0)), timedelta(0))
DAILY = KeptDumps(Retention(14, timedelta(days=30)), timedelta(hours=20))


def campus(dumps: KeptDumps = ALWAYS, names: tuple[str, ...] = ("a", "b")) -> Campus:
    return Campus(names, dumper=MemoryDumper(), dumps=dumps)


def dumper_of(place: Campus) -> MemoryDumper:
    assert isinstance(place.dumper, MemoryDumper)
    return place.dumper


def kept(place: Campus, name: str = "a") -> list[Generation]:
    return generations(place.destinations[name].objects)


def below(place: Campus, name: str) -> set[str]:
    """Everything that lies where dumps lie."""
    return {key for key in place.destinations[name].objects if key.startswith(DATABASE_PREFIX)}


def dump_of(result: Ended) -> DumpRecord:
    assert result.dump is not None
    return result.dump


def test_one_dump_is_taken_before_all_plans_and_kept_at_every_destination() -> None:
    place = campus()
    events = list(place.events())
    kinds = [type(event) for event in events]
    assert kinds.index(Dumping) < kinds.index(Planning)
    assert dumper_of(place).dumps == 1
    (one,) = kept(place)
    assert kept(place, "b") == [one]
    data = dumper_of(place).data
    assert place.destinations["a"].objects[one.key] == data
    assert one.checksum == Checksum.of(data, Algorithm.SHA256)
    for result in (event for event in events if isinstance(event, Ended)):
        assert result.ending is Ending.OK
        record = dump_of(result)
        assert place.ledger.last_good_dump(result.destination) == record
        assert record.copy is not None
        assert (record.copy.key, record.copy.size, record.kept) == (one.key, len(data), 1)
        assert "proven by read-back; 1 dump there" in dump_line(record)
        assert result_of(result).remarks == (dump_line(record),)


def test_a_destination_that_wants_none_gets_none() -> None:
    place = campus()
    place.dumps = None
    assert {result.dump for result in place.run().values()} == {None}
    assert dumper_of(place).dumps == 0


def test_a_repair_makes_no_dump() -> None:
    place = campus(names=("a",))
    place.run()
    list(backup(place.installation, place.sites(), place.stop, only={"a": {1}}))
    assert dumper_of(place).dumps == 1


def test_a_dump_that_fails_is_told_and_the_files_are_copied_all_the_same() -> None:
    place = campus()
    dumper_of(place).error = DumpError("pg_dump was ended by SIGKILL", "look into the log")
    results = place.run()
    assert endings(results) == dict.fromkeys("ab", Ending.FAILURES)
    assert dumper_of(place).dumps == 1
    for name, result in results.items():
        assert result.tried == {Status.OK: 6}
        assert below(place, name) == set()
        record = dump_of(result)
        assert (record.copy, record.message, record.hint) == (None, "pg_dump was ended by SIGKILL", "look into the log")
        assert place.ledger.last_dump(name) == record
        assert place.ledger.last_good_dump(name) is None
        (trouble,) = result_of(result).troubles
        assert "the database was not dumped: pg_dump was ended by SIGKILL" in trouble.message
    dumper_of(place).error = None
    assert endings(place.run()) == dict.fromkeys("ab", Ending.OK)
    assert len(kept(place)) == 1


def test_a_destination_that_cannot_keep_it_says_so_and_the_other_has_it() -> None:
    place = campus()
    place.destinations["b"].faults.corrupts = range(100)
    results = place.run()
    assert results["a"].ending is Ending.OK
    assert results["b"].ending is Ending.FAILURES
    assert dump_of(results["b"]).copy is None
    assert "is stored" in dump_of(results["b"]).message
    assert below(place, "b") == set()


def test_no_other_is_made_as_long_as_the_last_one_is_young_enough() -> None:
    place = campus(DAILY)
    place.run()
    assert {result.dump for result in place.run().values()} == {None}
    assert dumper_of(place).dumps == 1
    place.destinations["c"] = MemoryDestination("c")
    results = place.run()  # which has none yet
    assert [name for name, result in results.items() if result.dump] == ["c"]
    assert len(kept(place, "a")) == len(kept(place, "c")) == 1


@pytest.mark.parametrize("hours", [21, -1])
def test_another_is_made_when_the_last_one_is_old_or_of_the_future(hours: float) -> None:
    place = campus(DAILY, names=("a",))
    place.run()
    place.ledger._dumps[0] = replace(place.ledger._dumps[0], taken=datetime.now(UTC) - timedelta(hours=hours))
    place.run()
    assert dumper_of(place).dumps == 2


def test_old_dumps_are_removed_when_a_new_one_is_proven_and_nothing_else_is() -> None:
    place = campus(names=("a",))
    old = [Generation(datetime(2026, 1, day, tzinfo=UTC), f"{day:064}") for day in range(1, 6)]
    others = {f"{DATABASE_PREFIX}/notes.txt", f"{DATABASE_PREFIX}/20260101T000000Z-1.dump", "10.5072/FK2/X/y.dump"}
    place.destinations["a"].objects |= dict.fromkeys([*others, *(one.key for one in old)], b"x")
    result = place.run()["a"]
    assert dump_of(result).kept == 2
    assert kept(place)[1:] == [old[-1]]
    assert kept(place)[0].taken > old[-1].taken
    assert others <= place.destinations["a"].objects.keys()


def test_nothing_is_removed_when_no_dump_came() -> None:
    place = campus(names=("a",))
    old = [Generation(datetime(2026, 1, day, tzinfo=UTC), f"{day:064}") for day in range(1, 6)]
    place.destinations["a"].objects |= dict.fromkeys((one.key for one in old), b"x")
    dumper_of(place).error = DumpError("no")
    place.run()
    assert len(kept(place)) == 5


def test_what_was_just_made_is_kept_though_dumps_from_the_future_lie_there() -> None:
    place = campus(names=("a",))
    later = [Generation(datetime.now(UTC) + timedelta(days=day), f"{day:064}") for day in range(1, 6)]
    place.destinations["a"].objects |= dict.fromkeys((one.key for one in later), b"x")
    assert dump_of(place.run()["a"]).is_ok
    assert len(kept(place)) == 6


def test_a_dump_that_is_whole_counts_though_old_ones_could_not_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    place = campus(names=("a",))

    def entries(self: MemoryDestination, folder: str = "") -> Iterator[None]:
        del self, folder
        place.destinations["a"].faults.down_after = 0
        place.destinations["a"]._reach()
        yield

    monkeypatch.setattr(MemoryDestination, "entries", entries)
    record = dump_of(place.run()["a"])
    assert record.is_ok
    assert "old dumps are not removed: a: nobody answers" in record.message


def test_a_run_that_is_stopped_while_it_dumps_says_so_and_keeps_no_half_of_it() -> None:
    place = campus(names=("a",))
    results = []
    for event in place.events():
        if isinstance(event, Dumping):
            place.stop.set()
        results.append(event)
    (result,) = (event for event in results if isinstance(event, Ended))
    assert result.ending is Ending.INTERRUPTED
    assert not dump_of(result).is_ok
    assert below(place, "a") == set()


def test_a_run_that_is_given_up_leaves_no_thread_that_sends() -> None:
    place = campus(names=("a",))
    events = place.events()
    for event in events:
        if isinstance(event, Planning):
            break
    assert hasattr(events, "close")
    events.close()
    assert place.ledger.last_dump("a") is None


def test_a_run_that_the_brake_stops_before_it_begins_keeps_no_dump_and_removes_none() -> None:
    """The database may be the wrong one, or emptied by somebody."""
    place = campus(names=("a",))
    for number in range(7, 300):
        place.has(number)
    place.run()
    former = kept(place)
    place.catalogue.rows_now.clear()
    result = place.run()["a"]
    assert result.ending is Ending.BRAKE
    assert kept(place) == former
    last = place.ledger.last_good_dump("a")
    assert last is not None
    assert last.copy is not None
    assert last.copy.key == former[0].key


def test_a_destination_that_takes_long_over_its_dump_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, is_over = campus(), threading.Event()
    put = MemoryDestination.put

    def slow_put(self: MemoryDestination, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        if self.name == "a" and uploads[0].is_private:
            assert is_over.wait(10)
        yield from put(self, uploads)

    monkeypatch.setattr(MemoryDestination, "put", slow_put)
    order = []
    for event in place.events():
        if isinstance(event, Ended):
            order.append(event.destination)
            assert dump_of(event).is_ok
            is_over.set()
    assert order == ["b", "a"]
    assert place.ledger.last_good_dump("a") is not None


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is worth waiting for."""
    monkeypatch.setattr("dataverse_backup.actions.database.RETRY_DELAYS", (0.0, 0.0))


class Passing(MemoryDumper):
    """Goes well at last."""

    tries = 2

    def dump(self, file: IO[bytes], is_stopping: Callable[[], bool]) -> Generator[int]:
        self.error = DumpInterrupted("terminating connection") if self.dumps < self.tries else None
        yield from super().dump(file, is_stopping)


@pytest.mark.usefixtures("hasty")
def test_a_dump_that_is_interrupted_is_tried_again_from_the_beginning() -> None:
    place = campus(names=("a",))
    place.dumper = dumper = Passing()
    assert place.run()["a"].ending is Ending.OK
    assert dumper.dumps == 3
    assert place.destinations["a"].objects[kept(place)[0].key] == dumper.data


@pytest.mark.usefixtures("hasty")
def test_a_dump_that_stays_interrupted_is_given_up() -> None:
    place = campus(names=("a",))
    place.dumper = dumper = Passing()
    dumper.tries = 100
    result = place.run()["a"]
    assert (dumper.dumps, dump_of(result).message) == (3, "terminating connection")
    assert below(place, "a") == set()


@pytest.mark.usefixtures("hasty")
def test_a_dump_that_could_not_be_sent_for_a_moment_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    place = campus(names=("a",))
    put, refusals = MemoryDestination.put, iter((True, False))

    def put_at_last(self: MemoryDestination, batch: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        if batch[0].key.startswith(DATABASE_PREFIX) and next(refusals):
            return iter([Failure(batch[0].key, Unavailable("a", batch[0].key, "busy"))])
        return put(self, batch)

    monkeypatch.setattr(MemoryDestination, "put", put_at_last)
    assert dump_of(place.run()["a"]).is_ok
    assert next(refusals, None) is None


@pytest.mark.usefixtures("hasty")
def test_a_dump_that_is_refused_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    place = campus(names=("a",))
    put, tries = MemoryDestination.put, list[str]()

    def refuse(self: MemoryDestination, batch: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        if batch[0].key.startswith(DATABASE_PREFIX):
            tries.append(batch[0].key)
            return iter([Failure(batch[0].key, CopyRefused("a", batch[0].key, "no"))])
        return put(self, batch)

    monkeypatch.setattr(MemoryDestination, "put", refuse)
    assert not dump_of(place.run()["a"]).is_ok
    assert len(tries) == 1


def test_the_bytes_of_a_dump_count_for_what_a_run_may_send() -> None:
    allowance = Allowance(Limits(size=10))
    allowance.send(9)
    assert allowance.reached is None
    allowance.send(1)
    assert allowance.reached is Limit.BYTES
