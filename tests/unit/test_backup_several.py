"""One run over several destinations: each has its own lock, plan, failures and ending, and files are read once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from dataverse_backup.actions.backup import backup, dry_run
from dataverse_backup.actions.events import Ended, Ending, Planning
from dataverse_backup.actions.sites import Installation, KeptDumps, Site
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.cli.summary import result_of
from dataverse_backup.datafile import DATASET
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.errors import CatalogueUnavailable, Reason, SourceRefused
from dataverse_backup.ledger.base import Attempt, Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import datafile, key_of
from tests.unit.memory_world import checksum_of
from tests.unit.test_sharing import CountingStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from dataverse_backup.actions.events import Event
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.destinations.base import Failure, Receipt, Staging, Upload
    from dataverse_backup.engine import Submit
    from dataverse_backup.stores.base import Store

Task = TypeVar("Task")
Result = TypeVar("Result")

DATA = b"some bytes of a datafile"


@dataclass
class OpenLedger(MemoryLedger):
    """Shows its locks."""

    locks: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def lock(self, destination: str) -> Iterator[Any]:
        with super().lock(destination) as self.locks[destination]:
            yield self.locks[destination]


@dataclass
class Campus:
    """A Dataverse in memory, its ledger, and places for copies. Change anything between runs, or while one goes on."""

    names: tuple[str, ...] = ("a", "b", "c")
    store: CountingStore = field(default_factory=lambda: CountingStore({}))
    catalogue: MemoryCatalogue = field(default_factory=MemoryCatalogue)
    ledger: OpenLedger = field(default_factory=OpenLedger)
    stop: Stop = field(default_factory=Stop)
    dumper: Dumper | None = None
    dumps: KeptDumps | None = None

    def __post_init__(self) -> None:
        self.destinations = {name: MemoryDestination(name) for name in self.names}
        for number in range(1, 7):
            self.has(number)

    def has(self, number: int, data: bytes = DATA) -> Datafile:
        file = datafile(number, size=len(data), checksum=checksum_of(data))
        self.catalogue.rows_now[number] = file
        self.store.objects[key_of(file)] = data
        return file

    @property
    def installation(self) -> Installation:
        return Installation(
            self.catalogue, self.ledger, {"file": self.store}, lambda: {"file": self.store}, self.dumper
        )

    def sites(self) -> list[Site]:
        return [self._site(destination) for destination in reversed(self.destinations.values())]

    def _site(self, destination: MemoryDestination) -> Site:
        def make_transfer(staging: Staging) -> Callable[[Mapping[str, Store]], Transfer]:
            return lambda stores: Transfer(stores, destination, identity=staging.ledger_id, delays=())

        return Site(
            destination.name,
            "memory",
            lambda _: destination,
            make_transfer,
            Capacity(1, 2, 1 << 20),
            open_workers=threads,
            dumps=self.dumps,
        )

    def events(self, limit: int | None = None) -> Iterator[Event]:
        return backup(self.installation, self.sites(), self.stop, limit=limit)

    def run(self, limit: int | None = None) -> dict[str, Ended]:
        return ended(list(self.events(limit)))


def ended(events: list[Event]) -> dict[str, Ended]:
    return {event.destination: event for event in events if isinstance(event, Ended)}


def endings(results: dict[str, Ended]) -> dict[str, Ending]:
    return {name: result.ending for name, result in results.items()}


@contextmanager
def threads(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
    work = make_work()
    assert workers == 1  # a transfer is used by one thread at a time
    with ThreadPoolExecutor(workers) as executor:

        def submit(task: Task, /) -> Future[Result]:
            return executor.submit(work, task)

        yield submit


def test_every_destination_gets_everything_and_each_file_is_read_once() -> None:
    campus = Campus()
    results = campus.run()
    assert endings(results) == dict.fromkeys("abc", Ending.OK)
    for name, destination in campus.destinations.items():
        assert sorted(key for key in destination.objects if "/18b-" in key) == sorted(campus.store.objects)
        assert results[name].tried == {Status.OK: 6}
        record = results[name].record
        assert record is not None
        assert (record.outcome, record.files_ok, record.bytes_sent) == ("ok", 6, 6 * len(DATA))
    assert campus.store.bytes_read == 6 * len(DATA)
    assert sum(result.bytes_read for result in results.values()) == 6 * len(DATA)
    assert endings(campus.run()) == dict.fromkeys("abc", Ending.OK)
    assert campus.store.bytes_read == 6 * len(DATA)


def test_all_are_planned_in_the_order_of_their_names_before_anything_is_copied() -> None:
    events = list(Campus().events())
    assert [event.destination for event in events[:3] if isinstance(event, Planning)] == ["a", "b", "c"]
    assert {event.destination for event in events if isinstance(event, Attempt)} == {"a", "b", "c"}


def test_a_destination_that_is_busy_is_skipped() -> None:
    campus = Campus()
    with campus.ledger.lock("b"):
        results = campus.run()
    assert endings(results) == {"a": Ending.OK, "b": Ending.BUSY, "c": Ending.OK}
    assert results["b"].record is None
    assert campus.destinations["b"].objects == {}


def test_a_destination_that_is_lost_at_the_start_records_nothing() -> None:
    campus = Campus()
    campus.destinations["a"].faults.down_after = 0
    results = campus.run()
    assert endings(results) == {"a": Ending.LOST, "b": Ending.OK, "c": Ending.OK}
    assert list(campus.ledger.listed(destination="a")) == []
    assert campus.store.bytes_read == 6 * len(DATA)


def test_a_destination_that_is_lost_in_mid_run_keeps_what_was_proven_and_the_others_go_on() -> None:
    campus = Campus()
    campus.destinations["b"].faults.down_after = 3
    results = campus.run()
    assert endings(results) == {"a": Ending.OK, "b": Ending.FAILURES, "c": Ending.OK}
    assert results["b"].tried == {Status.OK: 3}
    assert "nobody answers" in str(results["b"].lost)
    listed = {line.datafile_id: line.status for line in campus.ledger.listed(destination="b")}
    assert listed == {1: Status.OK, 2: Status.OK, 3: Status.OK, 4: Status.PENDING, 5: Status.PENDING, 6: Status.PENDING}
    campus.destinations["b"].faults.down_after = None
    assert endings(campus.run()) == dict.fromkeys("abc", Ending.OK)


def test_a_destination_whose_lock_is_lost_records_nothing_more() -> None:
    campus = Campus()
    seen: list[Event] = []
    for event in campus.events():
        seen.append(event)
        if isinstance(event, Attempt) and event.destination == "b":
            campus.ledger.locks["b"].is_held = False
    results = ended(seen)
    assert endings(results) == {"a": Ending.OK, "b": Ending.BUSY, "c": Ending.OK}
    assert "the lock was lost" in str(results["b"].lost)
    assert sum(attempt.destination == "b" for attempt in campus.ledger.attempts()) == 2  # the batch of that moment


def test_each_destination_ends_as_soon_as_nothing_is_left_to_do_there(monkeypatch: pytest.MonkeyPatch) -> None:
    campus = Campus(names=("a", "b"))
    late = campus.destinations["b"]
    late.faults.down_after = 0
    campus.run()
    late.faults.down_after = None
    shared = {key_of(campus.has(number)) for number in (7, 8)}
    campus.store.bytes_read = 0
    a_has_ended, put = threading.Event(), late.put

    def put_late(uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        assert {upload.key for upload in uploads} <= shared or a_has_ended.wait(10)
        return put(uploads)

    monkeypatch.setattr(late, "put", put_late)
    results = {}
    for event in campus.events():
        if isinstance(event, Ended):
            results[event.destination] = event
            a_has_ended.set()
    assert endings(results) == {"a": Ending.OK, "b": Ending.OK}
    assert list(results) == ["a", "b"]
    assert campus.store.bytes_read == 8 * len(DATA)


def test_a_limit_holds_for_each_destination() -> None:
    results = Campus().run(limit=4)
    assert [result.tried[Status.OK] for result in results.values()] == [4, 4, 4]


def test_a_stop_interrupts_all() -> None:
    campus = Campus()
    seen: list[Event] = []
    for event in campus.events():
        seen.append(event)
        campus.stop.set()
    assert endings(ended(seen)) == dict.fromkeys("abc", Ending.INTERRUPTED)
    assert list(campus.ledger.attempts()) == []


def test_a_row_that_changed_while_it_was_read_is_tried_again_as_it_is_now() -> None:
    campus = Campus(names=("a", "b"))
    campus.store.objects[key_of(datafile(3))] = b"new bytes"
    changed = datafile(3, size=9, checksum=checksum_of(b"new bytes"))
    seen: list[Event] = []
    for event in campus.events():
        if isinstance(event, Planning) and event.destination == "b":
            campus.catalogue.rows_now[3] = changed
        seen.append(event)
    results = ended(seen)
    assert endings(results) == dict.fromkeys("ab", Ending.OK)
    assert [result.tried for result in results.values()] == [{Status.OK: 6}, {Status.OK: 6}]
    assert all(destination.objects[key_of(changed)] == b"new bytes" for destination in campus.destinations.values())


def test_a_file_that_is_missing_fails_at_each_destination() -> None:
    campus = Campus()
    del campus.store.objects[key_of(datafile(3))]
    assert endings(campus.run()) == dict.fromkeys("abc", Ending.FAILURES)
    reasons = {(line.destination, line.reason) for line in campus.ledger.listed() if line.datafile_id == 3}
    assert reasons == {(name, Reason.MISSING) for name in "abc"}


def test_an_error_that_ends_all_gives_back_every_lock_and_ends_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    campus = Campus()

    def unavailable() -> NoReturn:
        raise CatalogueUnavailable("gone")

    events = campus.events()
    assert isinstance(next(events), Planning)
    monkeypatch.setattr(campus.catalogue, "snapshot", unavailable)
    with pytest.raises(CatalogueUnavailable):
        next(events)
    for name in "abc":
        assert campus.ledger.holder(name) is None
    assert [run.outcome for name in "ab" if (run := campus.ledger.last_run(name))] == ["error", "error"]


def test_a_dry_run_is_told_for_each_and_writes_nothing() -> None:
    campus = Campus()
    for site in campus.sites():
        with dry_run(campus.installation, site) as plan:
            assert plan.work.files == 6
    assert list(campus.ledger.listed()) == []


def test_a_destination_with_workers_of_its_own_is_copied_to_by_them() -> None:
    campus = Campus()
    asked = []

    @contextmanager
    def elsewhere(make_work: Callable[[], Callable[[Task], Result]], workers: int) -> Iterator[Submit[Task, Result]]:
        asked.append(getattr(make_work, "title", None))
        with threads(make_work, workers) as submit:
            yield submit

    sites = [replace(site, open_workers=elsewhere) if site.name == "c" else site for site in campus.sites()]
    results = ended(list(backup(campus.installation, sites, campus.stop)))
    assert endings(results) == dict.fromkeys("abc", Ending.OK)
    assert asked == ["backup-c"]


class AskedStore(CountingStore):
    """Says of no dataset what logos it has, and counts who asks."""

    asked = 0

    def logos(self, dataset: Datafile) -> NoReturn:
        self.asked += 1
        raise SourceRefused(self.id, dataset.storageidentifier, "not by you")


def test_datasets_that_cannot_be_asked_for_a_logo_are_told_of_by_every_destination_and_asked_once() -> None:
    store = AskedStore({})
    campus = Campus(store=store)
    number, path = 90, "10.5072/FK2/SET"
    row = replace(datafile(number, size=None, checksum=None), storageidentifier=f"file://{path}", tag=DATASET)
    campus.catalogue.rows_now[number] = row
    for its in campus.run().values():
        assert (its.ending, its.tried[Status.OK]) == (Ending.FAILURES, 6)
        assert its.record is not None
        assert its.record.message == "1 dataset was not asked for a logo: file: refused"
        (trouble,) = result_of(its).troubles
        assert trouble.message == its.record.message
    assert store.asked == 1
