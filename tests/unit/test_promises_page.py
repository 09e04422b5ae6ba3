"""The page of the promises is as new as the suite."""

from __future__ import annotations

import pytest

from tests.contract.destination_cases import CASES
from tests.contract.promises import KEPT, PAGE, page, sentences


def test_the_page_was_written_by_a_run_in_which_every_destination_kept_every_promise() -> None:
    tests = [test for of_clause in sentences().values() for test in of_clause]
    written = page({(test, case): True for test in tests for case in CASES})
    if PAGE.read_text(encoding="utf-8") != written:
        pytest.fail(f"run: DATAVERSE_BACKUP_PROMISES=1 scripts/test tests/contract/test_destinations.py ({PAGE.name})")
    assert KEPT in written
