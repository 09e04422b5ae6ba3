"""What a drill chooses, and what is kept of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from dataverse_backup.actions.drill import Drill, Rehearsal, choose
from dataverse_backup.actions.restore import Ending, Restored
from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import CopyMissing, DestinationLost, ObjectError, RestoreError, Unavailable
from dataverse_backup.ledger.drills import MOST_FAILURES
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.notify.text import drill_line
from dataverse_backup.retrieval import Came, Retrieval, Retrieved, Source
from tests.contract.ledger_cases import DATASET, HERE, NOON, copied, datafile, failed, key_of, recorded, succeeded

REHEARSAL = Rehearsal((1, 2), DATASET.persistent_id, NOON - timedelta(days=29), NOON - timedelta(hours=3))
DRILL = Drill("some run", HERE, REHEARSAL, NOON)


def came(number: int, error: ObjectError | None = None) -> Retrieved:
    file = datafile(number)
    copy = copied(file)
    retrieval = Retrieval(file, copy.key, (Source(HERE, copy.key, copy.size, copy.checksum),))
    if error is None:
        return Retrieved(retrieval, Came.RESTORED, retrieval.sources[0])
    return Retrieved(retrieval, Came.FAILED, errors=(error,))


def restored(*results: Retrieved, ending: Ending = Ending.OK) -> Restored:
    size = sum(result.source.size for result in results if result.source is not None)
    return Restored(Counter(result.came for result in results), bytes_restored=size, ending=ending)


def test_it_knows_the_oldest_and_the_newest_proof_of_what_is_well() -> None:
    ledger, days = MemoryLedger(), (5, 1, 3)
    for number, day in enumerate(days, 1):
        file = datafile(number)
        recorded(ledger, succeeded(file, copy=replace(copied(file), proven=NOON + timedelta(days=day))))
    recorded(ledger, failed(datafile(9)))
    chosen = choose(ledger, HERE, sample=2, max_bytes=1 << 20)
    assert chosen is not None
    assert (chosen.oldest_proof, chosen.newest_proof) == (NOON + timedelta(days=1), NOON + timedelta(days=5))
    assert len(chosen.files) == 2
    assert chosen.dataset == DATASET.persistent_id


def test_no_more_bytes_are_chosen_than_were_asked_for() -> None:
    ledger = MemoryLedger()
    for number in range(1, 21):
        recorded(ledger, succeeded(datafile(number, dataset=Dataset.at(f"doi:10.5/{number}", f"10.5/{number}"))))
    chosen = choose(ledger, HERE, sample=20, max_bytes=27)
    assert chosen is not None
    assert len(chosen.files) == 4  # of 5 bytes each, beside a dataset of 5


def test_where_nothing_is_well_nothing_is_chosen() -> None:
    ledger = MemoryLedger()
    recorded(ledger, failed(datafile(1)))
    assert choose(ledger, HERE, sample=20, max_bytes=1 << 20) is None


def test_what_came_back_is_kept_with_its_time_and_the_proofs() -> None:
    results = [came(1), came(2)]
    record = DRILL.conclude(results, restored(*results), 2.0)
    assert (record.run, record.destination, record.started, record.outcome) == ("some run", HERE, NOON, "ok")
    assert (record.files, record.size, record.speed, record.failed, record.failures) == (2, 10, 5.0, 0, ())
    assert drill_line(record) == (
        "drill 2026-01-02 12:00 UTC: ok; 2 files, 10 B restored and proven in 2.0 s, 5 B/s; 0 failed; "
        "dataset doi:10.5072/FK2/ABCDEF; oldest proof 29 d 0 h old, newest 3 h 0 min"
    )


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (CopyMissing(HERE, key_of(datafile(2)), "there is no such object"), "damage"),
        (Unavailable(HERE, key_of(datafile(2)), "nobody answers"), "failures"),
    ],
)
def test_what_failed_is_kept_by_name(error: ObjectError, outcome: str) -> None:
    results = [came(1), came(2, error)]
    record = DRILL.conclude(results, restored(*results, ending=Ending.FAILURES), 1.0)
    assert (record.outcome, record.files, record.failed) == (outcome, 1, 1)
    (failure,) = record.failures
    assert (failure.datafile_id, failure.key, failure.message) == (2, key_of(datafile(2)), str(error))


def test_only_the_first_of_many_are_named() -> None:
    results = [came(number, CopyMissing(HERE, "key", "gone")) for number in range(1, 2 * MOST_FAILURES)]
    record = DRILL.conclude(results, restored(*results, ending=Ending.FAILURES), 1.0)
    assert (record.failed, len(record.failures)) == (2 * MOST_FAILURES - 1, MOST_FAILURES)


def test_what_ended_it_is_kept() -> None:
    nothing = Restored(ending=Ending.LOST, lost={HERE: DestinationLost("nobody answers")})
    nothing.trouble = RestoreError("no room")
    record = DRILL.conclude([], nothing, 0.0)
    assert (record.outcome, record.files, record.message) == ("lost", 0, "nobody answers; no room")
    assert drill_line(record).endswith("; nobody answers; no room")
