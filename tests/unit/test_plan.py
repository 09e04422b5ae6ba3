"""What must be done: the catalogue against the ledger, and which key each datafile gets."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup import planner as planning
from dataverse_backup.claims import is_own_key
from dataverse_backup.datafile import Dataset, fingerprint
from dataverse_backup.destinations.base import SUPERSEDED_PREFIX, folded
from dataverse_backup.errors import KeyRefused, Reason, SourceRefused, StoreLost
from dataverse_backup.fixity import Algorithm
from dataverse_backup.ledger.base import Standing, Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.plan import Scope
from dataverse_backup.planner import make_plan
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.memory import MemoryStore
from dataverse_backup.work import Spool, Why, Work
from tests.contract.ledger_cases import HERE, NOON, datafile, key_of, not_here
from tests.unit.memory_world import World, checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.plan import Plan

TOP = "10.5072/FK2/ABCDEF"


def keys_of(plan: Plan) -> dict[int, str]:
    """What is planned, by datafile; the plan is closed."""
    with plan:
        return {work.datafile.id: work.key for work in plan.works()}


def standing_of(world: World, number: int) -> Standing:
    (standing,) = (one for one in world.ledger.standings(HERE) if one.datafile_id == number)
    return standing


# Rule 2: changed means the key or the registered checksum, nothing else.


@pytest.mark.parametrize(
    "change",
    [
        {"label": "renamed.txt"},
        {"directory_label": "elsewhere"},
        {"size": 400},
        {"size": None},
        {"is_tabular": True},
        {"content_type": "text/tab-separated-values"},
        {"created": NOON + timedelta(days=1)},
        {"storageidentifier": "18b-1"},
        {"dataset": Dataset("doi:10.9/NEW", "10.5072", "FK2/ABCDEF")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_changes_are_noted_and_copy_nothing(change: dict[str, Any]) -> None:
    world = World()
    file = world.has(1)
    world.run()
    changed = replace(file, **change)
    world.catalogue.rows_now[1] = changed
    ran = world.run()
    assert (ran.attempts, ran.plan.settled) == ([], 1)
    assert standing_of(world, 1).fingerprint == fingerprint(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"checksum": checksum_of(b"data", Algorithm.SHA1)},
        {"checksum": checksum_of(b"others")},
        {"checksum": None},
        {"storageidentifier": "file://18b-other"},
        {"dataset": Dataset("doi:10.9/NEW", "10.9", "NEW")},
    ],
    ids=["algorithm", "value", "no checksum", "name", "dataset"],
)
def test_another_key_or_checksum_is_a_change(change: dict[str, Any]) -> None:
    world = World()
    file = world.has(1)
    world.run()
    world.catalogue.rows_now[1] = replace(file, **change)
    with world.plan() as plan:
        assert plan.by_reason == {Why.CHANGED: 1}


def test_what_failed_is_tried_again_and_what_is_proven_is_left_alone() -> None:
    world = World()
    world.has(1)
    world.has(2, b"damaged", checksum=checksum_of(b"data"))
    world.run()
    ran = world.run()
    assert [attempt.datafile.id for attempt in ran.attempts] == [2]
    assert (ran.plan.by_reason, ran.plan.settled) == ({Why.FAILED: 1}, 1)


def test_a_settled_run_writes_nothing_down(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.has(1)
    world.run()
    monkeypatch.setattr(world.ledger, "note", lambda *_, **__: pytest.fail("something was noted"))
    with world.plan() as plan:
        assert plan.settled == 1


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_both_sides_are_merged_whatever_the_length_of_a_chunk(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(planning, "CHUNK", length)
    world = World()
    for number in (2, 3, 5, 7):
        world.has(number)
    world.run()
    for number in (3, 7):
        del world.catalogue.rows_now[number]
    for number in (1, 6, 8):
        world.has(number)
    ran = world.run()
    assert sorted(attempt.datafile.id for attempt in ran.attempts) == [1, 6, 8]
    assert (ran.plan.settled, ran.plan.gone, ran.plan.catalogue.files) == (2, 2, 5)


# What is not here, and what has gone.


def test_what_has_gone_keeps_its_copy_and_may_come_back() -> None:
    world = World()
    file = world.has(1)
    world.run()
    del world.catalogue.rows_now[1]
    assert world.run().plan.gone == 1
    assert world.line(1).status is Status.GONE
    assert world.copies == {key_of(file): b"data"}
    assert world.run().plan.gone == 0
    world.has(1)
    assert world.run().only.bytes_sent == 0
    assert world.line(1).status is Status.OK


def test_what_is_not_here_is_recorded_once_and_may_come_here() -> None:
    world = World()
    world.catalogue.rows_now[1] = not_here(1)
    assert world.run().plan.not_here == {Reason.REMOTE: 1}
    assert (world.line(1).status, world.line(1).reason) == (Status.NOT_HERE, Reason.REMOTE)
    world.has(1)
    assert world.run().only.status is Status.OK
    assert world.line(1).status is Status.OK


def test_a_copy_outlives_that_its_datafile_is_not_here_for_a_while() -> None:
    world = World()
    file = world.has(1)
    world.run()
    world.catalogue.rows_now[1] = not_here(1)
    world.run()
    assert world.line(1).status is Status.NOT_HERE
    assert world.copies == {key_of(file): b"data"}
    world.catalogue.rows_now[1] = file
    world.run()
    assert world.line(1).status is Status.OK


def test_a_web_address_is_not_an_unknown_store() -> None:
    world = World()
    world.catalogue.rows_now[1] = datafile(1, store_id="https", storageidentifier="https://example.org/1")
    with world.plan() as plan:
        assert (plan.not_here, plan.unknown_stores) == ({Reason.REMOTE: 1}, {})


def test_an_excluded_store_says_why() -> None:
    world = World()
    store = ExcludedStore("file", Reason.IGNORED, "somebody else keeps it")
    world.catalogue.rows_now[1] = datafile(1)
    with make_plan(world.catalogue, world.ledger, Scope(HERE, {"file": store})) as plan:
        assert (plan.not_here, plan.work.files) == ({Reason.IGNORED: 1}, 0)
    assert world.line(1).message == "somebody else keeps it"


# Rule 11: forgotten stores are loud.


def test_an_unknown_store_is_counted_and_its_datafiles_are_pending() -> None:
    world = World()
    world.has(1)
    world.catalogue.rows_now[2] = datafile(2, store_id="new", storageidentifier="new://18b-2")
    ran = world.run()
    assert ran.plan.unknown_stores == {"new": 1}
    assert ran.only.datafile.id == 1
    assert (world.line(2).status, world.line(2).reason) == (Status.PENDING, Reason.STORE_UNKNOWN)
    world.stores["new"] = MemoryStore("new")
    world.has(2, store_id="new", storageidentifier="new://18b-2")
    assert world.run().only.status is Status.OK
    assert (world.line(2).status, world.line(2).reason) == (Status.OK, None)


def test_a_store_that_was_forgotten_later_takes_no_status_away() -> None:
    world = World()
    world.has(1)
    world.run()
    store = world.stores.pop("file")
    assert world.run().plan.unknown_stores == {"file": 1}
    assert world.line(1).status is Status.OK
    world.stores["file"] = store
    assert world.run().plan.settled == 1


# Rule 12: a store that is lost at the start.


def test_of_a_store_that_is_lost_at_the_start_nothing_is_planned_or_noted() -> None:
    world = World()
    world.stores["other"] = MemoryStore("other")
    world.has(1)
    world.has(2, store_id="other", storageidentifier="other://18b-2")
    world.store.lost = True
    ran = world.run()
    assert [attempt.datafile.id for attempt in ran.attempts] == [2]
    assert isinstance(ran.plan.lost_stores["file"], StoreLost)
    assert ran.plan.stores_seen == {"file", "other"}
    assert [standing.datafile_id for standing in world.ledger.standings(HERE)] == [2]


def test_a_store_that_is_not_needed_is_not_asked() -> None:
    world = World()
    world.has(1)
    world.run()
    world.store.lost = True
    with world.plan() as plan:
        assert (plan.lost_stores, plan.settled) == ({}, 1)


# Rule 7: a key belongs to one datafile.


def test_of_two_datafiles_with_one_key_the_lowest_id_has_it() -> None:
    world = World()
    world.has(1, storageidentifier="file://same")
    world.has(2, storageidentifier="file://same")
    ran = world.run()
    assert [attempt.status for attempt in ran.attempts] == [Status.OK, Status.OK]
    assert set(world.copies) == {f"{TOP}/same", f"{TOP}/same.datafile-2"}
    assert ran.plan.beside == [(2, f"{TOP}/same.datafile-2")]
    assert world.run().plan.settled == 2


def test_a_key_stays_with_the_datafile_that_holds_it_whoever_comes_later() -> None:
    world = World()
    world.has(7, storageidentifier="file://same")
    world.run()
    world.has(3, storageidentifier="file://same")
    assert keys_of(world.plan()) == {3: f"{TOP}/same.datafile-3"}


def test_the_key_of_a_datafile_that_has_gone_is_not_given_away() -> None:
    world = World()
    world.has(1, b"theirs", storageidentifier="file://same")
    world.run()
    del world.catalogue.rows_now[1]
    world.has(2, b"ours", storageidentifier="file://same")
    world.run()
    assert world.copies == {f"{TOP}/same": b"theirs", f"{TOP}/same.datafile-2": b"ours"}


def test_datafiles_that_exchange_their_names_lose_no_copy() -> None:
    world = World()
    world.has(1, b"one", storageidentifier="file://a")
    world.has(2, b"two", storageidentifier="file://b")
    world.run()
    world.has(1, b"one", storageidentifier="file://b")
    world.has(2, b"two", storageidentifier="file://a")
    assert {attempt.status for attempt in world.run().attempts} == {Status.OK}
    assert world.run().plan.settled == 2
    for number, data in ((1, b"one"), (2, b"two")):
        copy = standing_of(world, number).copy
        assert copy is not None
        assert world.copies[copy.key] == data


@pytest.mark.parametrize("names", [("sub", "sub/x"), ("sub/x", "sub")])
@pytest.mark.parametrize("together", [True, False])
def test_no_datafile_is_a_folder_of_another(names: tuple[str, str], *, together: bool) -> None:
    world = World()
    for number, name in enumerate(names, start=1):
        world.has(number, storageidentifier=f"file://{name}")
        if not together:
            world.run()
    world.run()
    beside = f"{TOP}/sub.datafile-2/x" if names[1] == "sub/x" else f"{TOP}/sub.datafile-2"
    assert set(world.copies) == {f"{TOP}/{names[0]}", beside}
    assert world.run().plan.settled == 2


def test_names_that_only_differ_in_case_are_kept_apart_where_the_destination_folds_it() -> None:
    world = World(folded=folded)
    world.has(1, storageidentifier="file://Name")
    world.has(2, storageidentifier="file://name")
    assert keys_of(world.plan()) == {1: f"{TOP}/Name", 2: f"{TOP}/name.datafile-2"}
    world.folded = None
    world.ledger = MemoryLedger()
    assert keys_of(world.plan()) == {1: f"{TOP}/Name", 2: f"{TOP}/name"}


def test_a_former_copy_of_its_own_is_in_the_way_of_a_new_key_until_that_is_proven() -> None:
    world = World()
    world.has(1, storageidentifier="file://a/b")
    world.has(2, storageidentifier="file://a/b")
    world.run()
    world.has(1, storageidentifier="file://a")
    assert keys_of(world.plan()) == {1: f"{TOP}/a.datafile-1"}


def test_a_name_that_changes_only_in_case_is_another_key_where_the_destination_folds_it() -> None:
    world = World(folded=folded)
    world.has(1, storageidentifier="file://Name")
    world.run()
    world.has(1, storageidentifier="file://name")
    assert keys_of(world.plan()) == {1: f"{TOP}/name.datafile-1"}


def test_a_datafile_goes_back_to_a_key_that_still_holds_its_copy() -> None:
    world = World()
    world.has(1, storageidentifier="file://a")
    world.run()
    world.catalogue.rows_now[1] = datafile(1, storageidentifier="file://b")  # where nothing lies
    assert world.run().only.status is Status.FAIL_READ
    world.has(1, storageidentifier="file://a")
    attempt = world.run().only
    assert (attempt.status, attempt.key, attempt.bytes_sent) == (Status.OK, f"{TOP}/a", 0)


def in_each_others_way(keys: Sequence[str], *, folding: bool) -> list[tuple[str, str]]:
    seen = [folded(key) if folding else key for key in keys]
    return [(a, b) for a, b in itertools.permutations(seen, 2) if a == b or b.startswith(f"{a}/")]


NAMES = st.lists(st.sampled_from(["a", "A", "a/b", "a/B", "a/b/c", "a.datafile-2", "a/b.datafile-3", "b"]), max_size=6)


@given(NAMES, NAMES, st.booleans())
def test_whatever_the_names_no_key_is_in_the_way_of_another(before: list[str], after: list[str], folding: bool) -> None:
    world = World(folded=folded if folding else None)
    for names in (before, after):
        for number, name in enumerate(names, start=1):
            world.has(number, storageidentifier=f"file://{name}")
        attempts = world.run().attempts
        assert {attempt.status for attempt in attempts} <= {Status.OK}
    copies = [standing.copy for standing in world.ledger.standings(HERE)]
    assert not in_each_others_way([copy.key for copy in copies if copy], folding=folding)
    assert all(copy and world.copies[copy.key] == b"data" for copy in copies)


def test_at_most_a_hundred_datafiles_beside_their_keys_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "BESIDE_SHOWN", 2)
    world = World()
    for number in range(1, 6):
        world.has(number, storageidentifier="file://same")
    with world.plan() as plan:
        assert [number for number, _ in plan.beside] == [2, 3]


# Rule 8: names.


class Taken(MemoryLedger):
    """Took the original script's table over: it copied these datafiles."""

    copied: frozenset[int] = frozenset()

    def match_original(self, candidates: Iterable[tuple[Datafile, Sequence[str]]]) -> set[int]:
        return {file.id for file, _ in candidates} & self.copied


def test_what_the_original_script_copied_is_looked_for_where_it_put_it() -> None:
    world = World(ledger=Taken())
    world.ledger.copied = frozenset({1})  # type: ignore[attr-defined]
    world.has(1, storageidentifier="file://a:b")
    world.has(2, storageidentifier="file://a:c")
    assert keys_of(world.plan()) == {1: f"{TOP}/b", 2: f"{TOP}/a:c"}
    world.run()
    assert world.run().plan.settled == 2


def test_a_datafile_owns_its_key_those_beside_it_and_the_original_scripts() -> None:
    file = datafile(7, storageidentifier="file://a:b")
    own = [f"{TOP}/a:b", f"{TOP}/a:b.datafile-7", f"{TOP}.datafile-7/a:b", f"{TOP}/b"]
    assert all(is_own_key(key, file, MemoryStore()) for key in own)
    assert not any(is_own_key(key, file, MemoryStore()) for key in (f"{TOP}/a", f"{TOP}/a:b.datafile-8", "a:b"))


def test_a_datafile_of_which_no_key_can_be_made_owns_none() -> None:
    file = datafile(1, dataset=Dataset("doi:x", SUPERSEDED_PREFIX, "x"))
    assert not is_own_key(f"{SUPERSEDED_PREFIX}/x/18b-1", file, MemoryStore())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"storageidentifier": "file://../../etc/passwd"}, SourceRefused),
        ({"dataset": Dataset("doi:x", ".dataverse-backup", "x")}, KeyRefused),
    ],
)
def test_hostile_names_are_refused_and_do_not_stop_the_others(changes: dict[str, Any], error: type) -> None:
    world = World()
    world.catalogue.rows_now[1] = datafile(1, **changes)
    world.has(2)
    ran = world.run()
    assert [(refused.datafile.id, type(refused.error)) for refused in ran.plan.refused] == [(1, error)]
    assert ran.only.datafile.id == 2


# Totals, the limit and the dry run.


def test_the_totals_are_known_before_the_first_byte_moves() -> None:
    world = World()
    world.stores["other"] = MemoryStore("other")
    world.has(1, b"12345")
    world.run()
    world.has(2, b"1234567")
    world.has(3, b"123", store_id="other", storageidentifier="other://18b-3")
    with world.plan() as plan:
        assert (plan.catalogue.files, plan.catalogue.size) == (3, 15)
        assert (plan.work.files, plan.work.size) == (2, 10)
        assert {store: share.size for store, share in plan.by_store.items()} == {"file": 7, "other": 3}


@pytest.mark.parametrize("length", [1, 2, 100])
def test_a_limit_is_kept_and_the_rest_is_pending(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(planning, "CHUNK", length)
    world = World()
    for number in range(1, 6):
        world.has(number)
    assert [attempt.datafile.id for attempt in world.run(limit=3).attempts] == [1, 2, 3]
    assert [world.line(number).status for number in (4, 5)] == [Status.PENDING, Status.PENDING]
    assert [attempt.datafile.id for attempt in world.run(limit=3).attempts] == [4, 5]


def test_a_limit_of_nothing_plans_nothing() -> None:
    world = World()
    world.has(1)
    assert world.run(limit=0).attempts == []


def test_a_dry_run_counts_and_writes_nothing_down() -> None:
    world = World()
    world.has(1)
    world.catalogue.rows_now[2] = not_here(2)
    with world.plan(dry_run=True) as plan:
        assert (plan.work.files, plan.not_here) == (1, {Reason.REMOTE: 1})
        assert list(plan.works()) == []
    assert list(world.ledger.standings(HERE)) == []


# The spool.


def works_of(sizes: Sequence[int | None]) -> list[Work]:
    files = [datafile(number, size=size) for number, size in enumerate(sizes)]
    return [Work(file, key_of(file), None, Why.NEW) for file in files]


@given(st.lists(st.none() | st.integers(0, 120), max_size=30))
def test_a_spool_gives_back_what_went_in(sizes: list[int | None]) -> None:
    spool, works = Spool[Work](), works_of(sizes)
    for work in works:
        spool.append(work)
    assert list(spool) == works
    spool.close()
