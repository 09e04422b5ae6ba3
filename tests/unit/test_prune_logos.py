"""Copies of logos that were taken away from datasets which still exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from dataverse_backup.actions.prune import plan_of
from dataverse_backup.datafile import LOGO
from dataverse_backup.errors import PruneRefused, SourceRefused
from dataverse_backup.stores.memory import Fault
from tests.contract.ledger_cases import HERE
from tests.unit.prune_world import RULES, PruneWorld, planned
from tests.unit.test_logos import SMALL, LogoWorld, Unmounted, name_of


@dataclass
class PrunedLogos(PruneWorld, LogoWorld):
    """Logos, and what may be deleted of them."""

    def take_away(self, *tags: str, days: int = 400) -> None:
        """The logos of dataset 10 are deleted, and a backup saw that so long ago."""
        for tag in tags:
            del self.store.objects[name_of(10, tag)]
        self.run()
        for tag in tags:
            self.ledger._rows[HERE, 10, tag].gone_since = datetime.now(UTC) - timedelta(days=days)

    def stayed(self) -> tuple[int, int]:
        with plan_of(self.installation, self.site, RULES) as plan:
            return plan.back, plan.unasked


@pytest.fixture
def world() -> PrunedLogos:
    world = PrunedLogos()
    world.has_dataset(10, logo=b"picture", thumb48=b"small")
    world.has(11)
    world.run()
    return world


def test_a_logo_that_was_deleted_long_ago_is_pruned_and_no_other(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    world.take_away(SMALL, days=364)
    assert planned(world) == [name_of(10)]
    assert world.prune().removed.objects == 1
    assert name_of(10) not in world.copies
    assert name_of(10, SMALL) in world.copies
    assert planned(world) == []


def test_a_logo_that_is_back_stays_though_no_backup_has_seen_that_yet(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    world.upload(10, {LOGO: b"picture"})
    assert planned(world) == []
    assert world.stayed() == (1, 0)


def test_a_logo_that_comes_back_after_the_plan_was_shown_stays(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    name, _ = world.shown()
    world.upload(10, {LOGO: b"picture"})
    with pytest.raises(PruneRefused, match="does not hold any more"):
        world.prune(name)
    assert name_of(10) in world.copies


def test_where_the_store_cannot_be_asked_the_copy_stays_and_is_told(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    world.store.faults[name_of(10)] = Fault(on_open=SourceRefused)
    assert (planned(world), world.stayed()) == ([], (0, 1))
    world.store.faults.clear()
    world.store.lost = True
    assert (planned(world), world.stayed()) == ([], (0, 1))


def test_an_empty_folder_where_a_disk_was_mounted_deletes_no_copy(world: PrunedLogos) -> None:
    world.take_away(LOGO, SMALL)
    world.stores["file"] = Unmounted()
    world.stores["file"].lost = True
    assert (planned(world), world.stayed()) == ([], (0, 2))


def test_a_store_that_nobody_configured_deletes_no_copy(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    world.stores["other"] = world.stores.pop("file")
    assert (planned(world), world.stayed()) == ([], (0, 1))


def test_the_logos_of_a_dataset_that_left_go_with_it(world: PrunedLogos) -> None:
    world.take_away(LOGO)
    del world.catalogue.rows_now[10]
    world.store.lost = True  # nobody needs to ask
    assert planned(world) == [name_of(10)]


def test_what_comes_back_between_plan_and_batch_stays(world: PrunedLogos) -> None:
    world.take_away(LOGO, SMALL)
    world.breaking.breaks = None
    read, calls = world.catalogue.read, []

    def back_at_the_second_reading(ids: list[int]) -> object:
        calls.append(ids)
        if len(calls) == 2:
            world.upload(10, {LOGO: b"picture"})
        return read(ids)

    name, _ = world.shown()
    world.catalogue.read = back_at_the_second_reading  # type: ignore[method-assign, assignment]
    ended = world.prune(name)
    assert (ended.removed.objects, ended.stayed) == (1, {"back": 1})
    assert name_of(10) in world.copies
