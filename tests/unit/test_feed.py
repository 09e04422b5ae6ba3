"""What destinations have still to do: each work comes once, together with those of others where they need the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.feed import Feed
from dataverse_backup.work import JointBatch, Why, Work
from tests.contract.ledger_cases import datafile, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZES = st.lists(st.none() | st.integers(0, 120), max_size=30)


def work(number: int, size: int | None = 1) -> Work:
    file = datafile(number, size=size)
    return Work(file, key_of(file), None, Why.NEW)


def works(numbers: Iterable[int]) -> list[Work]:
    return [work(number) for number in numbers]


def all_batches(feed: Feed) -> list[JointBatch]:
    found = []
    while batch := feed.next_batch():
        found.append(batch)
    return found


def ids(works: Iterable[Work]) -> list[int]:
    return [work.datafile.id for work in works]


def parts(batch: JointBatch) -> dict[str, list[int]]:
    return {part.destination: ids(part.works) for part in batch.batches}


@given(SIZES, st.integers(1, 6), st.integers(1, 100))
def test_batches_hold_all_of_the_work_once_and_are_never_too_big(
    sizes: list[int | None], files: int, size: int
) -> None:
    given_works = [work(number, length) for number, length in enumerate(sizes)]
    with Feed({"one": given_works}, files=files, size=size) as feed:
        groups = [part.works for batch in all_batches(feed) for part in batch.batches]
    assert sorted(ids(one for group in groups for one in group)) == ids(given_works)
    for group in groups:
        lengths = [one.datafile.size or 0 for one in group]
        assert 1 <= len(group) <= files
        assert len(group) == 1 or (max(lengths) < size and sum(lengths[:-1]) < size)


def test_small_files_share_a_batch_and_a_big_one_is_alone() -> None:
    sizes = [1, 2, 500, 3, 4]
    with Feed({"one": [work(at, size) for at, size in enumerate(sizes)]}, files=10, size=100) as feed:
        assert [parts(batch) for batch in all_batches(feed)] == [{"one": [2]}, {"one": [0, 1, 3, 4]}]


def test_what_several_need_goes_together_and_what_one_needs_alone_waits_for_it() -> None:
    with Feed({"a": works([1, 2, 4, 7]), "b": works([2, 3, 4, 5]), "c": works([4])}, files=2, size=100) as feed:
        assert [parts(batch) for batch in all_batches(feed)] == [{"a": [2, 4], "b": [2, 4], "c": [4]}]
        assert feed.leaving == ["a", "b"]
        assert ids(feed.withdraw("a")) == [1, 7]
        assert ids(feed.withdraw("b")) == [3, 5]
        assert (feed.leaving, feed.destinations) == ([], set())


@given(st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(0, 30)), min_size=1), st.integers(1, 5))
def test_every_work_comes_once_in_a_batch_or_when_it_is_withdrawn(numbers: dict[str, set[int]], files: int) -> None:
    with Feed({name: works(sorted(its)) for name, its in numbers.items()}, files=files, size=100) as feed:
        batches = all_batches(feed)
        apart = {name: ids(feed.withdraw(name)) for name in feed.leaving}
        assert feed.destinations == set()
    found = {name: list(apart.get(name, [])) for name in numbers}
    for batch in batches:
        for name, its in parts(batch).items():
            found[name] += its
    assert {name: sorted(its) for name, its in found.items()} == {name: sorted(its) for name, its in numbers.items()}
    for name, its in apart.items():
        assert its == sorted(its)
        others = set().union(*(other for of, other in numbers.items() if of != name))
        assert len(numbers) == 1 or not others & set(its)


def test_one_that_shares_nothing_more_may_leave_while_the_others_go_on() -> None:
    with Feed({"a": works([0, 1]), "b": works(range(1, 9)), "c": works(range(1, 9))}, files=2, size=100) as feed:
        assert feed.next_batch()
        assert feed.leaving == ["a"]
        assert ids(feed.withdraw("a")) == [0]
        assert [parts(batch)["c"] for batch in all_batches(feed)] == [[3, 4], [5, 6], [7, 8]]


def test_one_that_is_withdrawn_takes_along_what_it_has_still_to_do() -> None:
    with Feed({"a": works([1, 2, 3, 4]), "b": works([1, 3, 4]), "c": works([3, 4])}, files=1, size=100) as feed:
        first = feed.next_batch()
        assert first is not None
        assert parts(first) == {"a": [1], "b": [1]}
        assert ids(feed.withdraw("a")) == [2, 3, 4]
        assert feed.destinations == {"b", "c"}
        assert [parts(batch) for batch in all_batches(feed)] == [{"b": [3], "c": [3]}, {"b": [4], "c": [4]}]


def test_one_that_is_discarded_is_in_no_further_batch() -> None:
    big = work(3, 500)
    with Feed({"a": [*works([1, 2]), big], "b": [*works([1, 2]), big]}, files=10, size=100) as feed:
        assert feed.next_batch() == feed_of(big)  # the small ones are in a group that is not yet full
        feed.discard("b")
        assert [parts(batch) for batch in all_batches(feed)] == [{"a": [1, 2]}]
        feed.discard("a")
        assert feed.destinations == set()


def feed_of(big: Work) -> JointBatch | None:
    with Feed({"a": [big], "b": [big]}, files=1, size=1) as feed:
        return feed.next_batch()
