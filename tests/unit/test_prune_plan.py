"""What is planned to be deleted, and which plans are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dataverse_backup.actions.prune import plan_of, prune
from dataverse_backup.actions.prune_plan import moved_aside
from dataverse_backup.datafile import MAIN
from dataverse_backup.errors import DestinationRefused, LockHeld, PruneRefused
from dataverse_backup.ledger.base import Status
from tests.contract.ledger_cases import HERE
from tests.unit.audit_world import backed_up
from tests.unit.prune_world import EVERYTHING, FOLDER, RULES, PruneWorld, aside, key, planned


@pytest.fixture
def world() -> PruneWorld:
    world = PruneWorld()
    backed_up(world, 10)
    return world


# The plan


def test_where_everything_is_in_the_catalogue_nothing_is_planned(world: PruneWorld) -> None:
    assert planned(world) == []


def test_what_left_the_catalogue_long_ago_is_planned_and_nothing_younger(world: PruneWorld) -> None:
    world.lose(2, days=366)
    world.lose(3, days=364)
    assert planned(world) == [key(2)]
    assert planned(world, replace(RULES, grace=timedelta(days=363))) == [key(2), key(3)]


def test_showing_a_plan_changes_nothing(world: PruneWorld) -> None:
    world.lose(2)
    before = dict(world.copies)
    world.shown()
    assert (dict(world.copies), world.believed) == (before, EVERYTHING)
    assert list(world.ledger.removals()) == []
    assert [run.verb for run in world.ledger.runs(HERE)] == ["backup", "backup"]


def test_what_came_back_is_not_planned_though_no_backup_has_seen_that_yet(world: PruneWorld) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2, 3)
    world.catalogue.rows_now[2] = row
    with plan_of(world.installation, world.site, RULES) as plan:
        assert [item.key for item in plan.items()] == [key(3)]
        assert plan.back == 1


def test_a_key_that_another_datafile_holds_or_is_to_get_is_not_planned(world: PruneWorld) -> None:
    world.lose(2, 3)
    world.ledger._rows[HERE, 5, MAIN].key = key(2)
    assert planned(world) == [key(3)]


def test_copies_of_former_content_are_planned_by_the_time_in_their_name(world: PruneWorld) -> None:
    recent = f"{datetime.now(UTC) - timedelta(days=300):%Y%m%dT%H%M%S.%fZ}"
    names = [
        aside(1),
        aside(2, recent),
        f".superseded/{key(3)}/by-hand",
        ".superseded/20200101T000000.000000Z-0123456789ab",
    ]
    world.copies.update(dict.fromkeys(names, b"former"))
    assert planned(world) == [aside(1)]


@pytest.mark.parametrize(
    "name",
    [
        f"{FOLDER}/20200101T000000.000000Z-0123456789ab",
        ".superseded//20200101T000000.000000Z-0123456789ab",
        ".superseded/a/20209901T000000.000000Z-0123456789ab",
        ".superseded/a/.dataverse-backup/20200101T000000.000000Z-0123456789ab",
        ".superseded/a\udcff/20200101T000000.000000Z-0123456789ab",
    ],
)
def test_a_name_that_is_not_one_of_ours_says_no_time(name: str) -> None:
    assert moved_aside(name) is None


@pytest.mark.parametrize(
    ("status", "is_planned"), [("OK", True), ("FAIL_WRITE", False), ("FAIL_READ", False), (None, False)]
)
def test_what_was_moved_aside_stays_while_its_file_has_no_proven_copy(
    world: PruneWorld, status: str | None, *, is_planned: bool
) -> None:
    """It may be all that is left of a file that is in the catalogue."""
    world.copies[aside(1)] = b"former"
    world.ledger._rows[HERE, 1, MAIN].status = Status(status) if status else None
    assert planned(world) == ([aside(1)] if is_planned else [])


def test_what_was_moved_aside_of_a_file_that_is_gone_altogether_is_planned(world: PruneWorld) -> None:
    world.copies[aside(77)] = b"former"
    assert planned(world) == [aside(77)]


def test_a_plan_has_the_same_name_as_long_as_it_would_delete_the_same(world: PruneWorld) -> None:
    world.lose(2)
    made = datetime.now(UTC)

    def name() -> str:
        with plan_of(world.installation, world.site, RULES, made) as plan:
            return plan.name

    names = {name(), name()}
    world.lose(3, days=10)
    names.add(name())
    assert len(names) == 1
    world.copies[aside(4)] = b"former"
    assert name() not in names


# What is refused


def test_only_the_plan_that_was_shown_is_carried_out(world: PruneWorld) -> None:
    world.lose(2)
    name, _ = world.shown()
    world.lose(3)
    with pytest.raises(PruneRefused, match="does not hold any more"):
        world.prune(name)
    assert world.there == EVERYTHING
    assert world.prune().removed.objects == 2


def test_a_file_that_comes_back_makes_the_plan_void(world: PruneWorld) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2, 3)
    name, _ = world.shown()
    world.catalogue.rows_now[2] = row
    with pytest.raises(PruneRefused, match="does not hold any more"):
        world.prune(name)
    assert world.there == EVERYTHING


@pytest.mark.parametrize(
    "name",
    ["yes", "", "20260101T000000Z-0123456789ab", "20990101T000000Z-0123456789ab", "20269901T000000Z-0123456789ab"],
)
def test_a_name_that_nobody_was_shown_lately_is_refused(world: PruneWorld, name: str) -> None:
    world.lose(2)
    with pytest.raises(PruneRefused):
        list(prune(world.installation, world.site, name, RULES, world.stop))
    assert world.there == EVERYTHING


def test_more_than_a_small_share_is_refused_unless_that_is_allowed(world: PruneWorld) -> None:
    world.lose(2)
    with pytest.raises(PruneRefused, match=r"would delete 10\.0% of the copies, and 5\.0% is allowed"):
        world.prune(rules=replace(RULES, share=0.05))
    assert world.there == EVERYTHING
    assert world.prune(rules=replace(RULES, share=0.1)).removed.objects == 1


def test_the_share_is_of_bytes_too_and_counts_what_was_moved_aside(world: PruneWorld) -> None:
    world.copies[aside(1)] = b"x" * 1_000
    with plan_of(world.installation, world.site, replace(RULES, share=0.5)) as plan:
        assert plan.objects == 1
        assert plan.share > 10
        assert plan.is_too_much


def test_another_ledgers_destination_is_refused_and_a_busy_one_too(world: PruneWorld) -> None:
    world.lose(2)
    name, _ = world.shown()
    with world.ledger.lock(HERE), pytest.raises(LockHeld):
        world.prune(name)
    world.destination.write_identity("somebody else's")
    for look in (world.shown, lambda: world.prune(name)):
        with pytest.raises(DestinationRefused):
            look()
    assert world.there == EVERYTHING


def test_a_destination_that_cannot_delete_is_said_to_be_one(world: PruneWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.actions.prune.Prunable", int)
    with pytest.raises(PruneRefused, match="deletes nothing"):
        world.shown()
