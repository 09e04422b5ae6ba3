"""What `check` tries out, and what it leaves alone."""

from __future__ import annotations

import pytest

from dataverse_backup.actions.check import check_destination
from dataverse_backup.destinations.base import STAGING_PREFIX, Staging
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.ledger.memory import MemoryLedger


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def test_a_check_takes_nothing_from_a_run_that_is_under_way(ledger: MemoryLedger) -> None:
    running = f"{STAGING_PREFIX}/{ledger.id}/running/attempt/0"
    objects = {running: b"half of it"}

    def destination(staging: Staging) -> MemoryDestination:
        return MemoryDestination("offsite", staging, objects)

    checks = list(check_destination("offsite", lambda: ledger, destination))
    assert [check.is_ok for check in checks] == [True] * len(checks)
    assert objects[running] == b"half of it"
