from __future__ import annotations

import pytest

from dataverse_backup.errors import Reason
from dataverse_backup.hints import HINTS
from dataverse_backup.wording import duration_of, size_of


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5e15, "5.0 PB"), (2e18, "2,000.0 PB")],
)
def test_bytes_are_in_decimal_units(count: float, said: str) -> None:
    assert size_of(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "less than 1 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration_of(seconds) == said


def test_every_reason_says_what_to_do() -> None:
    assert set(HINTS) == set(Reason)
    assert all(hint and not hint.endswith(".") and "\n" not in hint for hint in HINTS.values())
