"""What an audit promises: how often everything is proven, and whether that can be kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dataverse_backup.actions.promise import Promise, measured_speed
from dataverse_backup.allowance import NO_LIMITS, Limits
from dataverse_backup.config.values import share_from
from dataverse_backup.ledger.audits import Amount
from dataverse_backup.ledger.base import RunRecord
from tests.contract.ledger_cases import HERE, NOON


@pytest.mark.parametrize(
    ("limits", "speed", "is_kept"),
    [
        (NO_LIMITS, None, True),
        (NO_LIMITS, 1.0, False),
        (NO_LIMITS, 1e6, True),
        (Limits(size=10 << 30), None, True),
        (Limits(size=1 << 30), None, False),
        (Limits(seconds=3600), None, True),
        (Limits(seconds=3600), 1e5, False),
        (Limits(seconds=3600), 1e7, True),
        (Limits(seconds=3600, size=1 << 30), 1e9, False),
    ],
)
def test_a_promise_is_reckoned_from_sizes_limits_and_the_last_speed(
    limits: Limits, speed: float | None, *, is_kept: bool
) -> None:
    total = Amount(1000, 60 << 30, None)
    promise = Promise(timedelta(days=30), total, Amount(10, 1 << 30, None), limits, speed)
    assert promise.needed == 2 << 30
    assert promise.is_kept is is_kept
    assert ("cannot be kept" in str(promise)) is not is_kept


def test_a_speed_is_that_of_the_newest_audit_that_took_its_time() -> None:
    def run(seconds: float, size: int, *, has_ended: bool = True) -> RunRecord:
        end = NOON + timedelta(seconds=seconds)
        return RunRecord("r", "audit", HERE, NOON, end if has_ended else None, "", 0, 0, 0, size)

    assert measured_speed([]) is None
    assert measured_speed([run(0.1, 100), run(5, 0), run(9, 9, has_ended=False), run(10, 500), run(1, 1)]) == 50.0


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("100 %", 1.0), ("0.5%", 0.005)])
def test_a_share_is_given_in_percent(text: str, share: float) -> None:
    assert share_from(text) == share


@pytest.mark.parametrize("text", ["", "1", "0%", "101%", "-1%", "x%", "1.%"])
def test_other_shares_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 1%"):
        share_from(text)
