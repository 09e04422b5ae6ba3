"""`rebuild`: the ledger that was lost, from what a destination says of itself; nothing is believed, nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.actions.rebuild import Rebuilt, rebuild
from dataverse_backup.destinations.base import note_key
from dataverse_backup.engine import Stop
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.ledger.sql import open_ledger
from dataverse_backup.manifest import MANIFEST
from tests.contract.ledger_cases import HERE, datafile
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.ledger.base import Ledger

NOTE = note_key("10.5072/FK2/ABCDEF", MANIFEST)


@pytest.fixture
def world() -> World:
    """Three datafiles that were backed up, at a destination that explains itself."""
    world = World()
    for number in (1, 2, 3):
        world.has(number, b"data of %d" % number, is_tabular=number == 2)
    world.run()
    assert write_manifests(world.ledger, world.destination, Stop()) == []
    return world


@pytest.fixture(params=["memory", "sqlite"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that knows nothing."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def rebuilt(world: World) -> tuple[MemoryLedger, Rebuilt]:
    ledger = MemoryLedger()
    return ledger, rebuild(ledger, world.destination)


def test_the_new_ledger_knows_every_copy_as_the_lost_one_did_and_believes_none(world: World, fresh: Ledger) -> None:
    found = rebuild(fresh, world.destination)
    assert (found.is_well, found.noted, found.manifests) == (True, 3, 1)
    assert list(fresh.kept()) == [replace(one, status=Status.PENDING) for one in world.ledger.kept()]
    assert {standing.status for standing in fresh.standings(HERE)} == {Status.PENDING}


def test_the_next_backup_proves_the_copies_where_they_lie_and_sends_nothing(world: World) -> None:
    former = [(line.datafile_id, line.status, line.key, line.checksum) for line in world.ledger.listed()]
    world.ledger, _ = rebuilt(world)
    ran = world.run()
    assert [attempt.bytes_sent for attempt in ran.attempts] == [0, 0, 0]
    assert [(line.datafile_id, line.status, line.key, line.checksum) for line in world.ledger.listed()] == former


def test_what_left_dataverse_is_gone_in_the_new_ledger_too(world: World, fresh: Ledger) -> None:
    world.ledger.note(HERE, gone=[2])
    write_manifests(world.ledger, world.destination, Stop())
    rebuild(fresh, world.destination)
    assert {one.datafile.id: one.status for one in fresh.kept()} == {
        1: Status.PENDING,
        2: Status.GONE,
        3: Status.PENDING,
    }


def test_what_the_ledger_knows_already_stays_as_it_is(world: World) -> None:
    before = list(world.ledger.kept())
    found = rebuild(world.ledger, world.destination)
    assert (found.known, found.noted) == (3, 0)
    assert list(world.ledger.kept()) == before


def test_a_copy_that_is_not_there_is_named_and_noted(world: World) -> None:
    key = "10.5072/FK2/ABCDEF/18b-2"
    del world.copies[key]
    ledger, found = rebuilt(world)
    assert found.missing == [key]
    assert len(list(ledger.kept())) == 3


def test_objects_in_no_manifest_are_named_and_stay(world: World) -> None:
    world.copies["10.5072/FK2/DARK/x"] = b"?"
    _, found = rebuilt(world)
    assert (found.unnamed, found.unnamed_examples) == (1, ["10.5072/FK2/DARK/x"])
    assert "10.5072/FK2/DARK/x" in world.copies


def test_a_missing_manifest_leaves_its_objects_unnamed(world: World) -> None:
    del world.copies[NOTE]
    _, found = rebuilt(world)
    assert (found.manifests, found.unnamed) == (0, 3)


@pytest.mark.parametrize("data", [b"", b"not json", b'{"format": "something else"}'])
def test_a_damaged_manifest_is_named_and_the_others_are_used(world: World, data: bytes) -> None:
    world.copies[note_key("10.5072/FK2/OTHER", MANIFEST)] = data
    ledger, found = rebuilt(world)
    assert len(found.complaints) == 1
    assert "10.5072/FK2/OTHER" in found.complaints[0]
    assert len(list(ledger.kept())) == 3


def test_a_manifest_of_another_dataset_is_named_and_not_used(world: World) -> None:
    world.copies[note_key("10.5072/FK2/OTHER", MANIFEST)] = world.copies[NOTE]
    ledger, found = rebuilt(world)
    assert "of another dataset" in found.complaints[0]
    assert len(list(ledger.kept())) == 3


def test_an_edited_manifest_is_named_and_what_it_says_is_proven_by_the_next_backup(world: World) -> None:
    world.copies[NOTE] = world.copies[NOTE].replace(b"MD5:", b"MD5:0000", 1)
    world.copies[NOTE] = world.copies[NOTE].replace(b"data 3.txt", b"../../x")
    ledger, found = rebuilt(world)
    assert found.complaints
    world.ledger = ledger
    world.run()
    assert {line.status for line in world.ledger.listed()} == {Status.OK}
    assert world.line(3).label == datafile(3).label


def test_a_datafile_in_two_manifests_is_noted_once_and_named(world: World) -> None:
    folder = "10.5072/FK2/ABCDEF/sub"
    twin = world.copies[NOTE].replace(b'"10.5072/FK2/ABCDEF",\n"dataset"', b'"10.5072/FK2/ABCDEF/sub",\n"dataset"')
    world.copies[note_key(folder, MANIFEST)] = twin.replace(b"/ABCDEF/18b", b"/ABCDEF/sub/18b")
    ledger, found = rebuilt(world)
    assert sum("more than one manifest" in complaint for complaint in found.complaints) == 3
    assert len(list(ledger.kept())) == 3
