"""What every ledger keeps of drills."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dataverse_backup.ledger.base import DRILL_VERB
from dataverse_backup.ledger.drills import MOST_FAILURES, DrillFailure, DrillRecord
from tests.contract.ledger_cases import HERE, NOON

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Ledger


def drilled(ledger: Ledger, destination: str = HERE, day: int = 0) -> DrillRecord:
    """A drill of that day, recorded."""
    run, began = ledger.begin_run(DRILL_VERB, destination), NOON + timedelta(days=day)
    proofs = began - timedelta(days=29), began - timedelta(hours=3)
    record = DrillRecord(run, destination, began, 2.5, "ok", 20, 5_000_000, 0, "doi:10.5072/FK2/ABCDEF", *proofs)
    ledger.record_drill(record)
    return record


def test_where_there_was_no_drill_there_is_none(ledger: Ledger) -> None:
    assert list(ledger.drills()) == []
    assert ledger.last_drill(HERE) is None


def test_drills_come_newest_first_of_one_destination_or_of_all(ledger: Ledger) -> None:
    first, other, last = drilled(ledger), drilled(ledger, "elsewhere", 1), drilled(ledger, HERE, 2)
    assert list(ledger.drills()) == [last, other, first]
    assert list(ledger.drills(HERE)) == [last, first]
    assert ledger.last_drill("elsewhere") == other
    assert ledger.last_drill("nowhere") is None


def test_what_failed_is_kept_by_name_whatever_the_names_are(ledger: Ledger) -> None:
    failures = tuple(DrillFailure(number, f"a/\"'ä{number}", "gone\0 \udcff\n") for number in range(MOST_FAILURES))
    damaged = replace(
        drilled(ledger), run=ledger.begin_run(DRILL_VERB, HERE), outcome="damage", failed=70, failures=failures
    )
    ledger.record_drill(replace(damaged, message="full\0"))
    told = tuple(replace(one, message="gone\\x00 \\udcff\n") for one in failures)
    assert ledger.last_drill(HERE) == replace(damaged, message="full\\x00", failures=told)


def test_a_drill_that_found_nothing_to_tell_is_kept_too(ledger: Ledger) -> None:
    run = ledger.begin_run(DRILL_VERB, HERE)
    record = DrillRecord(run, HERE, NOON, 0.0, "lost", 0, 0, 0, "", None, None, "nobody answers")
    ledger.record_drill(record)
    assert list(ledger.drills(HERE)) == [record]
    assert record.speed == 0.0
