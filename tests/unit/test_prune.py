"""Copies are deleted by a plan that was shown, and by nothing else; whatever breaks off, nobody believes in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.explain import explain
from dataverse_backup.actions.prune import PruneEnded, Stayed, _outcome, plan_of
from dataverse_backup.actions.reconcile import reconcile_destinations, reconcile_stores
from dataverse_backup.actions.reconcile_events import Finding
from dataverse_backup.cli import explaining, pruning
from dataverse_backup.cli.records import removal_object
from dataverse_backup.datafile import MAIN, TAB
from dataverse_backup.destinations.base import Failure
from dataverse_backup.errors import Unavailable
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.removals import Outcome
from tests.contract.ledger_cases import HERE
from tests.unit.audit_world import backed_up

if TYPE_CHECKING:
    from collections.abc import Sequence


from tests.unit.prune_world import EVERYTHING, FOLDER, MANIFEST, RULES, PruneWorld, aside, key, planned


@pytest.fixture
def world() -> PruneWorld:
    world = PruneWorld()
    backed_up(world, 10)
    return world


# What is done


def test_a_plan_is_carried_out_and_recorded(world: PruneWorld) -> None:
    world.lose(2)
    world.copies[aside(1)] = b"former"
    ended = world.prune()
    assert world.there == EVERYTHING - {key(2)}
    assert world.believed == EVERYTHING - {key(2)}
    assert (ended.ending, ended.removed.objects, ended.removed.size) == (Ending.OK, 2, 12)
    assert ended.record is not None
    assert (ended.record.verb, ended.record.outcome, ended.record.files_ok) == ("prune", "ok", 2)
    assert {one.key: one.outcome for one in world.ledger.removals()} == dict.fromkeys(
        [key(2), aside(1)], Outcome.REMOVED
    )
    assert len(list(world.ledger.attempts(datafile_id=2))) == 1
    assert planned(world) == []
    assert world.line(2).status is Status.GONE


def test_a_file_that_comes_back_afterwards_is_copied_again(world: PruneWorld) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2)
    world.prune()
    world.catalogue.rows_now[2] = row
    world.run()
    assert world.there == EVERYTHING
    assert world.line(2).status is Status.OK


def test_manifests_tell_of_what_is_left_and_go_with_the_last_copy(world: PruneWorld) -> None:
    world.lose(2)
    world.prune()
    assert b"18b-3" in world.copies[MANIFEST]
    assert b"18b-2" not in world.copies[MANIFEST]
    world.lose(*sorted(world.catalogue.rows_now))
    world.prune()
    assert world.there == set()
    assert [name for name in world.copies if name.startswith(FOLDER)] == []


def test_notes_in_another_folder_go_with_the_last_copy_there(world: PruneWorld) -> None:
    row = world.ledger._rows[HERE, 2, MAIN]
    assert row.copy is not None
    row.copy = replace(row.copy, key="old/place/18b-2")
    row.key = "old/place/18b-2"
    world.copies["old/place/18b-2"] = world.copies.pop(key(2))
    world.copies["old/place/.dataverse-backup/manifest.json"] = b"{}"
    world.lose(2)
    world.prune()
    assert [name for name in world.copies if name.startswith("old/")] == []


def test_what_is_locked_stays_and_is_said_and_is_known_still(world: PruneWorld) -> None:
    world.lose(2, 3)
    world.destination.faults.locked = [key(2)]
    events = world.pruned()
    assert Stayed(key(2), "it is under Object Lock, as planned", is_locked=True) in events
    assert world.there == world.believed == EVERYTHING - {key(3)}
    ended = events[-1]
    assert isinstance(ended, PruneEnded)
    assert (ended.ending, ended.stayed, ended.unfinished) == (Ending.OK, {"locked": 1}, 0)


def test_what_cannot_be_deleted_stays_and_is_known_still(world: PruneWorld) -> None:
    world.lose(2, 3)
    world.destination.faults.refuses = [key(2)]
    ended = world.prune()
    assert world.there == world.believed == EVERYTHING - {key(3)}
    assert (ended.ending, ended.stayed) == (Ending.FAILURES, {"failed": 1})


def test_something_else_under_the_key_stays(world: PruneWorld) -> None:
    world.lose(2)
    world.copies[key(2)] = b"of somebody else, and longer"
    ended = world.prune()
    assert world.copies[key(2)] == b"of somebody else, and longer"
    assert (ended.ending, world.believed) == (Ending.FAILURES, EVERYTHING)


def test_a_copy_that_is_not_there_any_more_is_not_believed_any_more(world: PruneWorld) -> None:
    world.lose(2)
    del world.copies[key(2)]
    assert world.prune().ending is Ending.OK
    assert world.believed == EVERYTHING - {key(2)}


def test_a_file_that_comes_back_at_the_last_moment_stays(world: PruneWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2, 3)
    name, _ = world.shown()
    read = world.catalogue.read
    asked: list[object] = []

    def read_and_come_back(ids: Sequence[int]) -> object:
        found = read(ids)
        asked.append(ids)
        world.catalogue.rows_now[2] = row  # after the plan was made again
        return found

    monkeypatch.setattr(world.catalogue, "read", read_and_come_back)
    ended = world.prune(name)
    assert len(asked) == 2
    assert world.there == world.believed == EVERYTHING - {key(3)}
    assert ended.stayed == {"back": 1}


# What breaks off


def killed() -> None:
    raise KeyboardInterrupt


def test_killed_before_anything_is_deleted_the_ledger_counts_on_nothing(
    world: PruneWorld,
) -> None:
    world.lose(2, 3)
    world.breaking.breaks = killed
    with pytest.raises(KeyboardInterrupt):
        world.prune()
    assert world.there == EVERYTHING
    assert world.believed == EVERYTHING - {key(2), key(3)}
    assert world.ledger.holder(HERE) is None
    world.breaking.breaks = None
    with plan_of(world.installation, world.site, RULES) as plan:
        assert (plan.objects, plan.unfinished) == (0, 2)
    ended = world.prune()
    assert (ended.ending, ended.removed.objects, ended.unfinished) == (Ending.OK, 2, 0)
    assert world.there == world.believed == EVERYTHING - {key(2), key(3)}


@pytest.mark.parametrize("deleted", [0, 1])
def test_lost_in_the_middle_it_is_finished_by_the_next_one(world: PruneWorld, deleted: int) -> None:
    world.lose(2, 3)
    world.breaking.stops_after = deleted
    ended = world.prune()
    assert (ended.ending, ended.removed.objects, ended.unfinished) == (Ending.FAILURES, 0, 2 - deleted)
    assert world.believed == EVERYTHING - {key(2), key(3)}
    world.breaking.stops_after = None
    assert world.prune().ending is Ending.OK
    assert world.there == EVERYTHING - {key(2), key(3)}
    assert {one.outcome for one in world.ledger.removals()} == {Outcome.REMOVED}


def test_what_nobody_answers_about_is_finished_by_the_next_one(world: PruneWorld) -> None:
    world.lose(2)
    world.destination.faults.silent = [key(2)]
    ended = world.prune()
    assert (ended.ending, ended.unfinished, world.believed) == (Ending.FAILURES, 1, EVERYTHING - {key(2)})
    world.destination.faults.silent = ()
    assert world.prune().ending is Ending.OK
    assert world.there == EVERYTHING - {key(2)}


def test_a_file_that_came_back_since_a_prune_was_killed_keeps_its_copy(world: PruneWorld) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2)
    world.breaking.breaks = killed
    with pytest.raises(KeyboardInterrupt):
        world.prune()
    world.breaking.breaks = None
    world.catalogue.rows_now[2] = row
    adopted = world.run().only
    assert (adopted.status, adopted.bytes_sent) == (Status.OK, 0)
    assert world.prune().removed.objects == 0
    assert world.there == world.believed == EVERYTHING
    (removal,) = world.ledger.removals()
    assert (removal.outcome, removal.message) == (Outcome.STAYS, "its key has a copy again")


def test_a_file_that_is_only_planned_again_keeps_what_lies_under_its_key(world: PruneWorld) -> None:
    row = world.catalogue.rows_now[2]
    world.lose(2)
    world.breaking.breaks = killed
    with pytest.raises(KeyboardInterrupt):
        world.prune()
    world.breaking.breaks = None
    world.catalogue.rows_now[2] = row
    world.plan().close()
    world.prune()
    assert world.there == EVERYTHING


def test_stopped_it_says_so_and_what_was_done_is_recorded(world: PruneWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataverse_backup.actions.prune.TOGETHER", 1)
    world.lose(2, 3)
    world.breaking.breaks = world.stop.set
    ended = world.prune()
    assert (ended.ending, ended.removed.objects, ended.unfinished) == (Ending.INTERRUPTED, 1, 0)
    assert world.there == world.believed == EVERYTHING - {key(2)}


def test_reconcile_knows_what_is_being_removed_and_what_left_the_catalogue(world: PruneWorld) -> None:
    world.lose(2, 3)
    world.breaking.breaks = killed
    with pytest.raises(KeyboardInterrupt):
        world.prune()
    here = {
        one.key: one.why
        for one in reconcile_destinations(world.installation, [world.site], world.stop)
        if isinstance(one, Finding)
    }
    assert here[key(2)] == here[key(3)] == "removing"
    world.lose(4)
    (dark,) = [
        one
        for one in reconcile_stores(world.installation, world.stop)
        if isinstance(one, Finding) and one.key == key(4)
    ]
    assert dark.why == "left-catalogue"
    assert dark.message.startswith("datafile 4, raw/data 4.txt, had it")


# What is written


def test_what_was_deleted_is_explained(world: PruneWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world.lose(2)
    world.prune()
    (file,) = explain("2", world.ledger, lambda: world.catalogue, world.stores).files
    said = "\n".join(line.plain for line in explaining._lines(file, is_asked=True))
    assert f"prune: removed ({key(2)}, 6 bytes, MD5:" in said
    (removal,) = map(removal_object, file.removals)
    assert explaining._file_object(file)["removals"] == [removal]
    assert (removal["key"], removal["outcome"]) == (key(2), "removed")
    assert capsys.readouterr().out == ""


def test_a_plan_is_written_for_people_and_for_programs(world: PruneWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world.lose(2)
    world.copies.update({aside(number): b"x" for number in range(1, 31)})
    with plan_of(world.installation, world.site, replace(RULES, share=0.05)) as plan:
        pruning._print(plan)
    told = capsys.readouterr().out
    assert "1 copies of files that left Dataverse more than 365 days ago, 6 B" in told
    assert "30 copies of former content" in told
    assert f"{key(2)}  (6 B, gone since 20" in told
    assert "… and 11 more; --json names all" in told
    assert f"--confirm {plan.name} --share 100%" in told
    with plan_of(world.installation, world.site, RULES) as plan:
        pruning._print_objects(plan)
    *items, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [item["kind"] for item in items].count("superseded") == 30
    assert (items[0]["datafile_id"], items[0]["dataset"]) == (2, "doi:10.5072/FK2/ABCDEF")
    assert (last["plan"], last["gone"]["objects"], last["superseded"]["bytes"]) == (plan.name, 1, 30)


def test_an_unavailable_error_is_what_nobody_knows() -> None:
    assert _outcome(Failure("a", Unavailable(HERE, "a", "nobody answers")), []) is None


# Companions


def with_tab(world: PruneWorld, number: int) -> str:
    """Let the datafile be ingested; the key of the copy of its .tab."""
    file = world.has(number, b"original", is_tabular=True)
    world.catalogue.rows_now[number] = replace(file, companions=(file.beside(TAB, size=8),))
    world.run()
    return f"{key(number)}.tab"


def test_what_lies_beside_a_file_goes_with_it(world: PruneWorld) -> None:
    tab = with_tab(world, 11)
    world.lose(11)
    world.ledger._rows[HERE, 11, TAB].gone_since = datetime.now(UTC) - timedelta(days=400)
    assert planned(world) == [key(11), tab]
    assert world.prune().removed.objects == 2
    assert not {key(11), tab} & (world.there | world.believed)


def test_what_was_beside_a_file_that_is_still_there_stays(world: PruneWorld) -> None:
    tab = with_tab(world, 11)
    world.has(11, b"original")
    world.run()
    world.ledger._rows[HERE, 11, TAB].gone_since = datetime.now(UTC) - timedelta(days=400)
    assert planned(world) == []
    assert tab in world.there


def test_a_former_tab_stays_as_long_as_the_new_one_has_no_proven_copy(world: PruneWorld) -> None:
    tab = with_tab(world, 11)
    former = f".superseded/{tab}/20200101T000000.000000Z-0123456789ab"
    world.copies[former] = b"former"
    assert planned(world) == [former]
    world.ledger._rows[HERE, 11, TAB].status = Status.FAIL_WRITE
    assert planned(world) == []
