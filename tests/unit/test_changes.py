"""What did not change is not looked at again, and the plan is the same as if it had been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup import changes as changes_module
from dataverse_backup.changes import Changes, Vanished
from dataverse_backup.errors import SourceUnreadable
from dataverse_backup.stores.memory import Fault
from tests.contract.ledger_cases import HERE, datafile, key_of, not_here
from tests.unit.memory_world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.ledger.base import Marked
    from dataverse_backup.plan import Plan


def marked(number: int, mark: int | None, size: int | None = 5, why: str | None = None) -> Marked:
    return number, mark, "file", size, why


def between(marks: Sequence[tuple[int, int]], known: Sequence[Marked]) -> tuple[list[tuple[int, int | None]], Changes]:
    with Changes.between(iter(marks), iter(known)) as changes:
        return list(changes._spool), changes


def test_equal_marks_need_no_look_and_all_others_do() -> None:
    known = [marked(1, 10), marked(2, 20), marked(3, None), marked(5, 50), marked(7, 70, None, "remote")]
    to_do, changes = between([(1, 10), (2, 21), (3, 30), (4, 40), (7, 70)], known)
    assert to_do == [(2, 21), (3, 30), (4, 40), (5, None)]
    assert changes.unchanged == {("file", None): 1, ("file", "remote"): 1}
    assert (changes.files, changes.unchanged_size) == (4, 5)


MARKS = st.dictionaries(st.integers(1, 30), st.integers(0, 1))


@given(MARKS, MARKS, st.integers(1, 40))
def test_whatever_there_is_on_both_sides_what_differs_is_found(
    now: dict[int, int], then: dict[int, int], portion: int
) -> None:
    with patch.object(changes_module, "_COMPARED_TOGETHER", portion):
        to_do, changes = between(sorted(now.items()), [marked(number, mark) for number, mark in sorted(then.items())])
    differing = {number for number in now.keys() | then.keys() if now.get(number) != then.get(number)}
    assert [number for number, _ in to_do] == sorted(differing)
    assert dict(to_do) == {number: now.get(number) for number in differing}
    assert changes.unchanged.total() == len(now.keys() & then.keys() - differing)


@given(MARKS, MARKS, st.integers(1, 40))
def test_what_vanished_of_each_store_is_counted_against_all_that_the_ledger_knows_in_it(
    now: dict[int, int], then: dict[int, int], portion: int
) -> None:
    def known(number: int) -> Marked:
        return number, then[number], "ab"[number % 2], 5, "remote" if number % 5 == 0 else None

    with patch.object(changes_module, "_COMPARED_TOGETHER", portion):
        _, changes = between(sorted(now.items()), [known(number) for number in sorted(then)])
    for store in "ab":
        here = [number for number in sorted(then) if known(number)[2] == store and number % 5]
        gone = [number for number in here if number not in now]
        vanished = changes.vanished.get(store, Vanished())
        assert (vanished.files, vanished.first) == (len(gone), gone[:5])
        assert changes.known(store) == len(here)
    assert changes.known_in_all == changes.known("a") + changes.known("b")


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "label", "bytes", "moved", "gone", "elsewhere", "broken", "mended", "run", "forget"]),
        st.integers(1, 12),
    ),
    max_size=30,
)


def make(world: World, step: Step) -> None:
    what, number = step
    row, rows = world.catalogue.rows_now.get(number), world.catalogue.rows_now
    match what:
        case "new" | "mended":
            world.store.faults.clear()
            world.has(number)
        case "label" if row:
            world.has(number, label=f"label {len(row.label)}")
        case "bytes":
            world.has(number, f"bytes {len(world.store.objects)} {number}".encode())
        case "moved":
            world.has(number, storageidentifier=f"file://moved-{len(world.store.objects)}-{number}")
        case "gone":
            rows.pop(number, None)
        case "elsewhere":
            rows[number] = not_here(number)
        case "broken":
            world.store.faults[key_of(datafile(number))] = Fault(on_open=SourceUnreadable)
        case _:
            pass


def summary(plan: Plan) -> dict[str, Any]:
    with plan:
        works = [(work.datafile, work.key, work.why, work.copy and work.copy.key) for work in plan.works()]
    names = ("catalogue", "work", "by_store", "by_reason", "settled", "not_here", "gone", "unknown_stores")
    return {"works": works} | {name: getattr(plan, name) for name in names}


@given(STEPS)
def test_a_plan_by_marks_is_the_plan_that_looks_at_everything(steps: list[Step]) -> None:
    world = World()
    for step in [*steps, ("run", 0), ("label", 1), ("bytes", 2), ("new", 3)]:
        make(world, step)
        if step[0] == "run":
            world.run()
        if step[0] == "forget":
            world.ledger.doubt(HERE)
    by_marks = summary(world.plan(dry_run=True))
    for row in world.ledger._rows.values():
        row.mark = None
    assert by_marks == summary(world.plan(dry_run=True))


def test_what_is_settled_is_not_looked_at_again_by_the_next_plan() -> None:
    world = World()
    for number in range(1, 6):
        world.has(number)
    world.catalogue.rows_now[6] = not_here(6)
    world.run()
    world.has(3, label="renamed")
    looked_at = [mark is None for _, mark, *_ in world.ledger.marks(HERE, world.ledger._layouts[HERE])]
    assert not any(looked_at)
    with world.plan() as plan:
        assert (plan.settled, plan.catalogue.files, plan.catalogue.size) == (5, 6, 20)
        assert plan.not_here.total() == 1
    assert world.line(3).label == "renamed"


def test_another_layout_looks_at_everything_once() -> None:
    world = World()
    world.has(1)
    world.run()
    world.catalogue.interpretation = "times of Mars"
    with world.plan(dry_run=True) as plan:
        assert plan.settled == 1
    former = world.ledger._layouts[HERE]
    with world.plan() as plan:
        assert plan.settled == 1
    assert world.ledger._layouts[HERE] != former
    assert [mark is None for _, mark, *_ in world.ledger.marks(HERE, world.ledger._layouts[HERE])] == [False]


def test_a_store_that_was_forgotten_is_loud_however_little_changed() -> None:
    world = World()
    world.has(1)
    world.run()
    del world.stores["file"]
    for _ in range(2):
        with world.plan() as plan:
            assert plan.unknown_stores == {"file": 1}
