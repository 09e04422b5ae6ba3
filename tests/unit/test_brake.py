"""The brake is pulled at a share and a count of one store, or when all of it vanished; and what is recorded then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.brake import (
    DEFAULT_THRESHOLDS,
    EXAMPLES,
    Brake,
    Thresholds,
    Watch,
    is_suspicious,
    pulled_by,
    stores_vanishing,
    vanishing,
)
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Attempt, Status
from tests.contract.ledger_cases import datafile, failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence


def bad(number: int, store: str = "file", reason: Reason = Reason.MISSING) -> Attempt:
    return failed(datafile(number, store_id=store), reason)


def good(number: int, store: str = "file") -> Attempt:
    return succeeded(datafile(number, store_id=store))


def watch(
    *, thresholds: Thresholds = DEFAULT_THRESHOLDS, known: Sequence[int] = (), is_released: bool = False
) -> tuple[Watch, Brake]:
    brake = Brake(is_released=is_released)
    return Watch(brake, thresholds, lambda _: set(known)), brake


@pytest.mark.parametrize(
    ("files", "of", "is_unusual"),
    [(100, 100, True), (100, 2000, True), (100, 2001, False), (99, 99, False), (49_999, 1_000_000, False)],
)
def test_a_share_and_a_count_are_needed(files: int, of: int, *, is_unusual: bool) -> None:
    assert DEFAULT_THRESHOLDS.are_reached(files, of) is is_unusual


def test_what_vanished_is_judged_store_by_store() -> None:
    known = {"big": 10_000, "small": 200, "whole": 3, "one less": 3, "none": 5}
    vanished = {"big": 400, "small": 120, "whole": 3, "one less": 2, "none": 0}
    assert stores_vanishing(DEFAULT_THRESHOLDS, known, vanished) == ["small", "whole"]


def test_many_bad_sources_pull_the_brake_and_none_of_them_is_recorded() -> None:
    its, brake = watch()
    assert its.sift([bad(number) for number in range(99)]) == []
    fine = good(1000)
    assert its.sift([bad(99), fine]) == [fine]
    assert brake.pulled is not None
    assert its.rest() == []


def test_one_bad_source_in_twenty_is_recorded_at_the_end() -> None:
    its, brake = watch()
    lost = bad(7)
    assert lost not in its.sift([lost, *(good(number) for number in range(20))])
    assert its.rest() == [lost]
    assert its.rest() == []
    assert brake.pulled is None


def test_as_many_bad_sources_as_the_count_are_recorded_where_their_share_is_small() -> None:
    its, brake = watch(thresholds=Thresholds(0.5, 2))
    its.sift([good(number) for number in range(10)])
    assert its.sift([bad(20)]) == []
    assert its.sift([bad(21)]) == [bad(20), bad(21)]
    assert its.sift([bad(22)]) == [bad(22)]
    assert brake.pulled is None


def test_stores_do_not_dilute_each_other() -> None:
    its, brake = watch()
    its.sift([good(number, "healthy") for number in range(10_000)])
    its.sift([bad(number, "broken") for number in range(20_000, 20_100)])
    assert brake.pulled is not None
    assert "store broken: 100 of the first 100 files" in brake.pulled.message


def test_what_was_bad_before_counts_for_nothing() -> None:
    its, brake = watch(known=range(500))
    old = [bad(number) for number in range(500)]
    assert its.sift(old) == old
    assert brake.pulled is None


@pytest.mark.parametrize("reason", [Reason.REFUSED, Reason.UNREACHABLE, Reason.NO_SPACE, Reason.ARCHIVED])
def test_other_failures_are_no_matter_of_the_brake(reason: Reason) -> None:
    its, brake = watch()
    others = [bad(number, reason=reason) for number in range(500)]
    assert its.sift(others) == others
    assert brake.pulled is None


def test_what_was_only_proven_at_the_destination_says_nothing_of_its_source() -> None:
    its, brake = watch()
    its.sift([succeeded(datafile(number), bytes_sent=0) for number in range(10_000)])
    its.sift([bad(number) for number in range(20_000, 20_100)])
    assert brake.pulled is not None


def test_a_released_brake_records_everything_at_once() -> None:
    its, brake = watch(is_released=True)
    all_bad = [bad(number) for number in range(500)]
    assert its.sift(all_bad) == all_bad
    assert brake.pulled is None


def test_a_brake_pulled_elsewhere_holds_back_here_too() -> None:
    its, brake = watch()
    brake.pull(pulled_by([vanishing("file", 3, 3, [])]))
    assert its.sift([bad(1), good(2)]) == [good(2)]
    assert its.rest() == []


def test_it_says_how_many_of_what_and_names_a_few() -> None:
    its, brake = watch(thresholds=Thresholds(0.05, 10))
    differing = [bad(number, reason=Reason.SOURCE_DIFFERS) for number in range(8, 12)]
    its.sift([*(bad(number) for number in range(8)), *differing, *(good(number) for number in range(20, 32))])
    assert brake.pulled is not None
    first, store, *examples, more = brake.pulled.message.split("\n")
    assert first == "the brake is pulled: nothing more is sent, and every copy is kept"
    assert store.startswith(
        "store file: 12 of the first 24 files that this run was to read are missing, empty or not as"
    )
    assert store.endswith("(50 %): 8 missing, 4 source-differs")
    assert len(examples) == EXAMPLES
    assert examples[0] == "  datafile 0, doi:10.5072/FK2/ABCDEF, file://18b-0: it did not work"
    assert more == "  … and 7 more"
    assert "--release-brake" in brake.pulled.hint


def test_hostile_names_do_no_harm() -> None:
    its, brake = watch(thresholds=Thresholds(0.05, 1))
    its.sift([failed(datafile(1, storageidentifier="file://a\x1b[2J\nb", store_id="st\nore"))])
    assert brake.pulled is not None
    assert "\x1b" not in brake.pulled.message
    assert brake.pulled.message.count("\n") == 2


BATCHES = st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=8), max_size=12)


@given(BATCHES, st.floats(0.01, 1.0), st.integers(1, 12), st.sets(st.integers(0, 95), max_size=10))
def test_nothing_is_lost_and_nothing_suspicious_is_recorded_once_it_is_pulled(
    batches: list[list[tuple[str, bool]]], share: float, count: int, known: set[int]
) -> None:
    thresholds = Thresholds(share, count)
    brake = Brake()
    its = Watch(brake, thresholds, lambda _: known)
    given_in: list[Attempt] = []
    came_out: list[Attempt] = []
    for batch in batches:
        start = len(given_in)
        attempts = [(bad if is_bad else good)(start + n, store) for n, (store, is_bad) in enumerate(batch)]
        given_in += attempts
        now = its.sift(attempts)
        if brake.pulled is not None:
            assert not [one for one in now if is_suspicious(one) and one.datafile.id not in known]
            break
        came_out += now
    new = [one for one in given_in if is_suspicious(one) and one.datafile.id not in known]
    if brake.pulled is None:
        came_out += its.rest()
        assert sorted(one.datafile.id for one in came_out) == [one.datafile.id for one in given_in]
        assert not any(
            thresholds.are_reached(
                sum(one.datafile.store_id == store for one in new),
                sum(one.datafile.store_id == store for one in new)
                + sum(one.datafile.store_id == store and one.status is Status.OK for one in given_in),
            )
            for store in "ab"
        )
    else:
        assert len(new) >= count
