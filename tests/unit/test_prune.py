"""Copies are deleted by a plan that was shown, and by nothing else; whatever breaks off, nobody believes in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.explain import explain
from dataverse_backup.actions.prune import PruneEnded, Stayed, _outcome, plan_of, prune
from dataverse_backup.actions.prune_plan import Item, Rules, moved_aside
from dataverse_backup.actions.reconcile import reconcile_destinations, reconcile_stores
from dataverse_backup.actions.reconcile_events import Finding
from dataverse_backup.cli import explaining, pruning
from dataverse_backup.cli.records import removal_object
from dataverse_backup.datafile import MAIN, TAB
from dataverse_backup.destinations.base import Failure
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.errors import DestinationLost, DestinationRefused, LockHeld, PruneRefused, Unavailable
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.removals import Outcome
from tests.contract.ledger_cases import HERE
from tests.unit.audit_world import AuditWorld, backed_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.actions.prune import PruneEvent
    from dataverse_backup.destinations.prunable import Doomed, Pruned

FOLDER = "10.5072/FK2/ABCDEF"
YEAR = timedelta(days=365)
RULES = Rules(YEAR, 1.0)
MANIFEST = f"{FOLDER}/.dataverse-backup/manifest.json"


def key(number: int) -> str:
    return f"{FOLDER}/18b-{number}"


def aside(number: int, when: str = "20200101T000000.000000Z") -> str:
    return f".superseded/{key(number)}/{when}-0123456789ab"


class _Breaking(MemoryDestination):
    """Something happens when the first object is to be deleted."""

    breaks: Callable[[], object] | None = None
    stops_after: int | None = None

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        if self.breaks is not None:
            self.breaks()
        for number, result in enumerate(super().prune(doomed)):
            if number == self.stops_after:
                raise DestinationLost("default: nobody answers any more")
            yield result


@dataclass
class PruneWorld(AuditWorld):
    """Ten copies."""

    destination: MemoryDestination = field(default_factory=lambda: _Breaking(HERE))

    @property
    def breaking(self) -> _Breaking:
        assert isinstance(self.destination, _Breaking)
        return self.destination

    def lose(self, *numbers: int, days: int = 400) -> None:
        """These left the catalogue so long ago, and a backup has seen that."""
        for number in numbers:
            del self.catalogue.rows_now[number]
        self.run()
        for number in numbers:
            self.ledger._rows[HERE, number, MAIN].gone_since = datetime.now(UTC) - timedelta(days=days)

    def shown(self, rules: Rules = RULES) -> tuple[str, list[Item]]:
        with plan_of(self.installation, self.site, rules) as plan:
            return plan.name, list(plan.items())

    def prune(self, name: str | None = None, rules: Rules = RULES) -> PruneEnded:
        (*_, ended) = self.pruned(name, rules)
        assert isinstance(ended, PruneEnded)
        return ended

    def pruned(self, name: str | None = None, rules: Rules = RULES) -> list[PruneEvent]:
        return list(prune(self.installation, self.site, name or self.shown(rules)[0], rules, self.stop))

    @property
    def believed(self) -> set[str]:
        return {kept.copy.key for kept in self.ledger.kept(destinations=[HERE])}

    @property
    def there(self) -> set[str]:
        return {name for name in self.copies if ".dataverse-backup" not in name and "/" in name}


def planned(world: PruneWorld, rules: Rules = RULES) -> list[str]:
    return [item.key for item in world.shown(rules)[1]]


@pytest.fixture
def world() -> PruneWorld:
    world = PruneWorld()
    backed_up(world, 10)
    return world


EVERYTHING = {key(number) for number in range(1, 11)}


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
