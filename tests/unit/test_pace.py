"""Who keeps pace, and who would hold up the others."""

from __future__ import annotations

import pytest

from dataverse_backup.conclusion import Outcome
from dataverse_backup.errors import DestinationLost
from dataverse_backup.pace import MEASURED_BATCHES, Pace
from dataverse_backup.work import Batch, JointBatch, Why, Work
from tests.contract.ledger_cases import datafile, key_of

WORK = Work(datafile(1), key_of(datafile(1)), None, Why.NEW)


def joint(**works: int) -> JointBatch:
    return JointBatch(tuple(Batch(name, (WORK,) * number) for name, number in works.items()))


def taking(**seconds: float) -> dict[str, Outcome]:
    return {name: Outcome(seconds=taken) for name, taken in seconds.items()}


@pytest.mark.parametrize(
    ("fast", "slow", "expected"), [(1.0, 3.5, ["slow"]), (1.0, 2.5, []), (0.001, 0.1, [])], ids=["3.5", "2.5", "short"]
)
def test_one_that_takes_more_than_three_times_as_long_is_slow(fast: float, slow: float, expected: list[str]) -> None:
    pace = Pace()
    for _ in range(MEASURED_BATCHES - 1):
        assert pace.slow(joint(fast=5, slow=5), taking(fast=fast, slow=slow)) == []
    assert pace.slow(joint(fast=5, slow=5), taking(fast=fast, slow=slow)) == expected


def test_only_those_that_had_the_same_to_do_are_compared() -> None:
    pace = Pace()
    for _ in range(3 * MEASURED_BATCHES):
        assert pace.slow(joint(few=1, many=500), taking(few=0.1, many=60.0)) == []
        assert pace.slow(joint(alone=500), taking(alone=60.0)) == []


def test_one_that_was_lost_is_no_measure() -> None:
    pace = Pace()
    lost = Outcome(lost_destination=DestinationLost("gone"))
    for _ in range(3 * MEASURED_BATCHES):
        assert pace.slow(joint(lost=5, other=5), {"lost": lost, **taking(other=60.0)}) == []


def test_a_slow_hour_long_ago_is_forgotten() -> None:
    pace = Pace()
    for _ in range(MEASURED_BATCHES - 1):
        pace.slow(joint(fast=5, slow=5), taking(fast=1, slow=100))
    for _ in range(MEASURED_BATCHES - 1):
        pace.slow(joint(fast=5, slow=5), taking(fast=100, slow=100))
    assert pace.slow(joint(fast=5, slow=5), taking(fast=1, slow=100)) == []
