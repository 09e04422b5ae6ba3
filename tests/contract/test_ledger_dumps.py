"""What every ledger keeps of dumps of the Dataverse database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.generations import Generation
from dataverse_backup.ledger.base import Copy
from dataverse_backup.ledger.dumps import DumpRecord
from dataverse_backup.verdict import Verdict
from tests.contract.ledger_cases import HERE, NOON

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Ledger


def dump(day: int, destination: str = HERE) -> DumpRecord:
    taken, checksum = NOON + timedelta(days=day), Checksum(Algorithm.SHA256, f"{day:064}")
    key = Generation.of(taken, checksum).key
    copy = Copy(key, 5, checksum, None, VerifiedBy.REMOTE_HASH, Durability.YES, taken + timedelta(seconds=3))
    return DumpRecord(destination, taken, copy, kept=day + 1)


def failure(day: int) -> DumpRecord:
    return DumpRecord(HERE, NOON + timedelta(days=day), None, "it failed \udcff\0", "mend it")


def recorded(ledger: Ledger, *records: DumpRecord) -> None:
    run = ledger.begin_run("backup", HERE)
    for record in records:
        ledger.record_dump(run, record)


def test_where_there_was_none_there_is_none(ledger: Ledger) -> None:
    assert list(ledger.dumps(HERE)) == []
    assert ledger.last_dump(HERE) is None
    assert ledger.last_good_dump(HERE) is None


def test_every_try_is_kept_the_newest_first(ledger: Ledger) -> None:
    recorded(ledger, dump(1), dump(2), failure(3), dump(9, "elsewhere"))
    told = replace(failure(3), message="it failed \\udcff\\x00")
    assert list(ledger.dumps(HERE)) == [told, dump(2), dump(1)]
    assert ledger.last_dump(HERE) == told
    assert ledger.last_good_dump(HERE) == dump(2)
    assert ledger.last_dump("elsewhere") == dump(9, "elsewhere")


def test_what_an_audit_found_stays_until_the_next_one(ledger: Ledger) -> None:
    recorded(ledger, dump(1), dump(2))
    copy, later = dump(1).copy, NOON + timedelta(days=30)
    assert copy is not None
    ledger.judge_dump(HERE, copy.key, Verdict.COPY_ALTERED, later)
    ledger.judge_dump("elsewhere", copy.key, Verdict.COPY_MISSING, later)
    ledger.judge_dump(HERE, "unknown", Verdict.COPY_MISSING, later)
    assert list(ledger.dumps(HERE)) == [dump(2), replace(dump(1), verdict=Verdict.COPY_ALTERED)]
    ledger.judge_dump(HERE, copy.key, Verdict.INTACT, later)
    assert list(ledger.dumps(HERE)) == [dump(2), replace(dump(1), copy=replace(copy, proven=later))]
