"""As many failures as there can be, from a real ledger."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from dataverse_backup.ledger.sql import open_ledger
from dataverse_backup.notify.message import compose
from dataverse_backup.notify.summary import Result, gather
from tests.contract.ledger_cases import HERE
from tests.contract.many_failures import make_many_failures

if TYPE_CHECKING:
    from pathlib import Path


def test_a_hundred_thousand_failures_are_told_in_seconds_and_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    run = make_many_failures(path, 100_000)
    result = Result(HERE, "failures", is_well=False, run=run, proven=0, failed=100_000)
    former = most_memory()
    with open_ledger(f"sqlite:///{path}") as ledger:
        message = compose(gather(ledger, [result], "h"), is_attached=True)
    assert most_memory() - former < 100_000_000
    assert "100,000 files" in message.text
    assert len(message.text) < 100_000
    assert message.attachments == ()
    assert "failed.csv is not attached" in message.text


def most_memory() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
