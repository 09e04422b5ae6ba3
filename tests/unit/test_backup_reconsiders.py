"""What is missing or differs is looked up again before it is said to have failed (design, rule 10)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dataverse_backup import engine
from dataverse_backup.actions import backup as action
from dataverse_backup.actions.backup import Ended, Ending, Site, backup
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.engine import Stop
from dataverse_backup.errors import CatalogueUnavailable, Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import HERE, datafile, key_of, not_here
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from dataverse_backup.datafile import Datafile, NotHere

Change = Callable[[dict[int, "Datafile | NotHere"]], None]


class ChangingCatalogue(MemoryCatalogue):
    """Changes as soon as it has been listed, and may be away when it is asked again."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change
        self.is_away = False
        self.asked: list[list[int]] = []

    def rows(self) -> Generator[Datafile | NotHere]:
        yield from super().rows()
        self._change(self.rows_now)

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        self.asked.append(list(ids))
        if self.is_away:
            raise CatalogueUnavailable("it is away, as planned")
        return super().read(ids)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[World], Ended]:
    """One real run over a world in memory: its worker is a thread of this process, where that memory is."""

    @contextmanager
    def one_thread(make_transfer: Callable[[], Transfer], workers: int) -> Iterator[Executor]:
        monkeypatch.setattr(engine, "_transfer", make_transfer())
        with ThreadPoolExecutor(workers) as executor:
            yield executor

    monkeypatch.setattr(action, "processes", one_thread)
    return last_event


def last_event(world: World) -> Ended:
    site = Site(
        name=HERE,
        method="memory",
        catalogue=world.catalogue,
        ledger=world.ledger,
        stores=world.stores,
        open_destination=lambda _: world.destination,
        transfers=lambda _: lambda: Transfer(world.stores, world.destination),
        workers=1,
        batch_files=10,
        batch_bytes=1 << 20,
    )
    *_, ended = backup(site, Stop())
    assert isinstance(ended, Ended)
    return ended


def world_where(change: Change) -> World:
    """Datafile 1 is well; the object of datafile 2 is missing, and *change* happens after the plan was made."""
    world = World(catalogue=ChangingCatalogue(change))
    world.has(1)
    del world.store.objects[key_of(world.has(2))]
    return world


def catalogue_of(world: World) -> ChangingCatalogue:
    assert isinstance(world.catalogue, ChangingCatalogue)
    return world.catalogue


def nothing(rows: dict[int, Datafile | NotHere]) -> None:
    del rows


def test_a_row_that_is_as_it_was_has_failed(run: Callable[[World], Ended]) -> None:
    world = world_where(nothing)
    ended = run(world)
    assert (world.line(2).status, world.line(2).reason) == (Status.FAIL_READ, Reason.MISSING)
    assert ended.ending is Ending.FAILURES
    assert catalogue_of(world).asked == [[2]]  # what is well is not looked up


def test_a_row_that_was_deleted_meanwhile_is_gone_and_fails_nothing(run: Callable[[World], Ended]) -> None:
    def deleted(rows: dict[int, Datafile | NotHere]) -> None:
        del rows[2]

    world = world_where(deleted)
    ended = run(world)
    assert world.line(2).status is Status.GONE
    assert "has gone" in world.ledger.attempts[-1].message
    assert ended.ending is Ending.OK


def test_a_row_whose_bytes_and_checksum_were_replaced_meanwhile_is_copied_as_it_is_now(
    run: Callable[[World], Ended],
) -> None:
    def replaced(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = datafile(2, size=3, checksum=checksum_of(b"new"))

    world = world_where(replaced)
    world.store.objects[key_of(datafile(2))] = b"new"
    ended = run(world)
    assert ended.ending is Ending.OK
    assert world.line(2).status is Status.OK
    assert world.copies[key_of(datafile(2))] == b"new"
    assert [a.status for a in world.ledger.attempts if a.datafile.id == 2] == [Status.OK]
    assert ended.tried == {Status.OK: 2}


def test_a_row_that_changed_and_still_does_not_fit_fails_once(run: Callable[[World], Ended]) -> None:
    def replaced(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = datafile(2, size=3, checksum=checksum_of(b"new"))

    world = world_where(replaced)
    world.store.objects[key_of(datafile(2))] = b"neither"
    ended = run(world)
    assert ended.ending is Ending.FAILURES
    assert (world.line(2).status, world.line(2).reason) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert len([a for a in world.ledger.attempts if a.datafile.id == 2]) == 1
    assert catalogue_of(world).asked == [[2]]  # a second chance, not an endless one


def test_a_row_that_was_moved_elsewhere_meanwhile_is_not_here_and_fails_nothing(run: Callable[[World], Ended]) -> None:
    def moved(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = not_here(2)

    world = world_where(moved)
    assert run(world).ending is Ending.OK
    assert (world.line(2).status, world.line(2).reason) == (Status.NOT_HERE, Reason.REMOTE)


def test_a_row_that_has_another_key_now_is_left_to_the_next_run(run: Callable[[World], Ended]) -> None:
    other = datafile(2, storageidentifier="file://elsewhere", size=4, checksum=checksum_of(b"data"))

    def renamed(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = other

    world = world_where(renamed)
    world.store.objects[key_of(other)] = b"data"
    run(world)
    assert [a for a in world.ledger.attempts if a.datafile.id == 2] == []
    assert world.line(2).status is Status.PENDING
    assert run(world).ending is Ending.OK
    assert world.copies[key_of(other)] == b"data"


def test_failures_that_cannot_be_looked_up_are_not_recorded_and_said(
    run: Callable[[World], Ended], caplog: pytest.LogCaptureFixture
) -> None:
    world = world_where(nothing)
    catalogue_of(world).is_away = True
    ended = run(world)
    assert (ended.ending, ended.unconfirmed) == (Ending.FAILURES, 1)
    assert "1 failures are not recorded" in caplog.text
    assert (world.line(1).status, world.line(2).status) == (Status.OK, Status.PENDING)
    catalogue_of(world).is_away = False
    run(world)
    assert world.line(2).reason is Reason.MISSING
