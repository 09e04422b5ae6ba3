"""What is missing or differs is looked up again before it is said to have failed (design, rule 10)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ended, Ending
from dataverse_backup.actions.sites import Installation, Site
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.engine import Capacity, Stop
from dataverse_backup.errors import CatalogueUnavailable, Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.transfer import Transfer
from tests.contract.ledger_cases import HERE, datafile, key_of, not_here
from tests.unit.memory_world import World, checksum_of
from tests.unit.test_backup_several import threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pytest

    from dataverse_backup.catalogue.base import Snapshot
    from dataverse_backup.datafile import Datafile, NotHere
    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.stores.base import Store

Change = Callable[[dict[int, "Datafile | NotHere"]], None]


class ChangingCatalogue(MemoryCatalogue):
    """Changes as soon as it has been listed, and may be away when it is asked again."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change
        self.is_away = False
        self.asked: list[list[int]] = []

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with super().snapshot() as snapshot:
            yield snapshot
        self._change(self.rows_now)

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        self.asked.append(list(ids))
        if self.is_away:
            raise CatalogueUnavailable("it is away, as planned")
        return super().read(ids)


def run(world: World) -> Ended:
    """One run over a world in memory: its worker is a thread of this process, where that memory is."""

    def make_transfer(staging: Staging) -> Callable[[Mapping[str, Store]], Transfer]:
        del staging
        return lambda stores: Transfer(stores, world.destination)

    site = Site(
        HERE, "memory", lambda _: world.destination, make_transfer, Capacity(1, 10, 1 << 20), open_workers=threads
    )
    installation = Installation(world.catalogue, world.ledger, world.stores, lambda: world.stores)
    *_, ended = backup(installation, [site], Stop())
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


def test_a_row_that_is_as_it_was_has_failed() -> None:
    world = world_where(nothing)
    ended = run(world)
    assert (world.line(2).status, world.line(2).reason) == (Status.FAIL_READ, Reason.MISSING)
    assert ended.ending is Ending.FAILURES
    assert catalogue_of(world).asked == [[2]]  # what is well is not looked up


def test_a_row_that_was_deleted_meanwhile_is_gone_and_fails_nothing() -> None:
    def deleted(rows: dict[int, Datafile | NotHere]) -> None:
        del rows[2]

    world = world_where(deleted)
    ended = run(world)
    assert world.line(2).status is Status.GONE
    assert "has gone" in list(world.ledger.attempts())[-1].message
    assert ended.ending is Ending.OK


def test_a_row_whose_bytes_and_checksum_were_replaced_meanwhile_is_copied_as_it_is_now() -> None:
    def replaced(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = datafile(2, size=3, checksum=checksum_of(b"new"))

    world = world_where(replaced)
    world.store.objects[key_of(datafile(2))] = b"new"
    ended = run(world)
    assert ended.ending is Ending.OK
    assert world.line(2).status is Status.OK
    assert world.copies[key_of(datafile(2))] == b"new"
    assert [a.status for a in world.ledger.attempts() if a.datafile_id == 2] == [Status.OK]
    assert ended.tried == {Status.OK: 2}


def test_a_row_that_changed_and_still_does_not_fit_fails_once() -> None:
    def replaced(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = datafile(2, size=3, checksum=checksum_of(b"new"))

    world = world_where(replaced)
    world.store.objects[key_of(datafile(2))] = b"neither"
    ended = run(world)
    assert ended.ending is Ending.FAILURES
    assert (world.line(2).status, world.line(2).reason) == (Status.FAIL_READ, Reason.SOURCE_DIFFERS)
    assert len([a for a in world.ledger.attempts() if a.datafile_id == 2]) == 1
    assert catalogue_of(world).asked == [[2]]  # a second chance, not an endless one


def test_a_row_that_was_moved_elsewhere_meanwhile_is_not_here_and_fails_nothing() -> None:
    def moved(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = not_here(2)

    world = world_where(moved)
    assert run(world).ending is Ending.OK
    assert (world.line(2).status, world.line(2).reason) == (Status.NOT_HERE, Reason.REMOTE)


def test_a_row_that_has_another_key_now_is_left_to_the_next_run() -> None:
    other = datafile(2, storageidentifier="file://elsewhere", size=4, checksum=checksum_of(b"data"))

    def renamed(rows: dict[int, Datafile | NotHere]) -> None:
        rows[2] = other

    world = world_where(renamed)
    world.store.objects[key_of(other)] = b"data"
    run(world)
    assert [a for a in world.ledger.attempts() if a.datafile_id == 2] == []
    assert world.line(2).status is Status.PENDING
    assert run(world).ending is Ending.OK
    assert world.copies[key_of(other)] == b"data"


def test_failures_that_cannot_be_looked_up_are_not_recorded_and_said(caplog: pytest.LogCaptureFixture) -> None:
    world = world_where(nothing)
    catalogue_of(world).is_away = True
    ended = run(world)
    assert (ended.ending, ended.unconfirmed) == (Ending.FAILURES, 1)
    assert "1 failures are not recorded" in caplog.text
    assert (world.line(1).status, world.line(2).status) == (Status.OK, Status.PENDING)
    catalogue_of(world).is_away = False
    run(world)
    assert world.line(2).reason is Reason.MISSING
