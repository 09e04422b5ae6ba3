"""What every ledger says about the past: runs, attempts and the sums of a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.history import AttemptRecord, Band, DatasetTally, Growth, Holding
from tests.contract.ledger_cases import (
    DATASET,
    HERE,
    MD5,
    NOON,
    copied,
    datafile,
    failed,
    key_of,
    not_here,
    planned,
    recorded,
    succeeded,
)

if TYPE_CHECKING:
    from dataverse_backup.ledger.base import Attempt, Ledger

OTHER = Dataset("hdl:1902.1/7", "1902.1", "7")


def proven(number: int, hours: int, size: int = 5) -> Attempt:
    """Success at a datafile *hours* after noon."""
    file, when = datafile(number), NOON + timedelta(hours=hours)
    return succeeded(file, copy=replace(copied(file, size=size), proven=when), started=when)


# Runs


def test_runs_come_newest_first_of_one_destination_or_of_all(ledger: Ledger) -> None:
    assert list(ledger.runs()) == []
    begun = [ledger.begin_run("backup", name) for name in ("a", "b", "a")]
    ended = ledger.end_run(begun[0], "ok")
    assert [run.id for run in ledger.runs()] == begun[::-1]
    assert [run.id for run in ledger.runs("a")] == [begun[2], begun[0]]
    assert list(ledger.runs("a"))[-1] == ended
    assert list(ledger.runs("c")) == []


def test_a_run_is_found_by_its_id(ledger: Ledger) -> None:
    run = recorded(ledger, succeeded(datafile(1)))
    found = ledger.run(run)
    assert found is not None
    assert (found.id, found.files_ok, found.ended) == (run, 1, None)
    assert ledger.run("no such run") is None


# Attempts


def test_an_attempt_keeps_what_was_tried_and_what_it_proved(ledger: Ledger) -> None:
    file = datafile(1)
    run = recorded(ledger, succeeded(file, reason=Reason.NO_CHECKSUM, message="so be it"))
    assert list(ledger.attempts()) == [
        AttemptRecord(
            run=run,
            destination=HERE,
            datafile_id=1,
            dataset=DATASET.persistent_id,
            directory_label="raw",
            label="data 1.txt",
            store="file",
            storageidentifier="file://18b-1",
            key=key_of(file),
            status=Status.OK,
            reason=Reason.NO_CHECKSUM,
            message="so be it",
            size=5,
            checksum=MD5,
            verified_by=VerifiedBy.REMOTE_HASH,
            started=NOON,
            seconds=1.5,
            bytes_sent=5,
            method="ssh",
            before=None,
        )
    ]


def test_a_failed_attempt_proved_nothing_and_names_the_datafile_as_it_is_called_now(ledger: Ledger) -> None:
    recorded(ledger, failed(datafile(1), key=None))
    ledger.note(HERE, refreshed=[datafile(1, label="renamed.txt", storageidentifier="file://other")])
    (attempt,) = ledger.attempts()
    assert (attempt.key, attempt.size, attempt.checksum, attempt.verified_by) == (None, None, None, None)
    assert (attempt.label, attempt.storageidentifier) == ("renamed.txt", "file://18b-1")


def test_an_attempt_tells_how_the_one_before_it_ended_there(ledger: Ledger) -> None:
    recorded(ledger, failed(datafile(1)), succeeded(datafile(2)))
    recorded(ledger, succeeded(datafile(1), destination="elsewhere"))
    last = recorded(ledger, succeeded(datafile(1)), failed(datafile(2)), succeeded(datafile(3)))
    assert [(a.datafile_id, a.status, a.before) for a in ledger.attempts(run=last)] == [
        (1, Status.OK, Status.FAIL_READ),
        (2, Status.FAIL_READ, Status.OK),
        (3, Status.OK, None),
    ]
    assert [a.before for a in ledger.attempts(destination="elsewhere")] == [None]


def test_attempts_come_as_they_were_recorded_and_can_be_chosen(ledger: Ledger) -> None:
    first = recorded(ledger, failed(datafile(2), minute=9), failed(datafile(1)))
    second = recorded(ledger, succeeded(datafile(2)), succeeded(datafile(1), destination="elsewhere"))

    def chosen(**wanted: object) -> list[tuple[str, int]]:
        return [(attempt.run, attempt.datafile_id) for attempt in ledger.attempts(**wanted)]  # type: ignore[arg-type]

    assert chosen() == [(first, 2), (first, 1), (second, 2), (second, 1)]
    assert chosen(run=second) == [(second, 2), (second, 1)]
    assert chosen(datafile_id=2) == [(first, 2), (second, 2)]
    assert chosen(destination="elsewhere") == [(second, 1)]
    assert chosen(status=Status.OK) == [(second, 2), (second, 1)]
    assert chosen(datafile_id=2, status=Status.FAIL_READ) == [(first, 2)]
    assert chosen(run="no such run") == []


def test_attempts_longer_than_a_page_come_whole_and_once(ledger: Ledger) -> None:
    run = recorded(ledger, *(failed(datafile(number)) for number in range(1, 5_100)))
    recorded(ledger, failed(datafile(9_999)))
    assert [attempt.datafile_id for attempt in ledger.attempts(run=run)] == list(range(1, 5_100))


# Sums


def test_holdings_tell_what_a_destination_has_of_each_store_and_when_it_was_proven(ledger: Ledger) -> None:
    assert ledger.holdings() == []
    recorded(ledger, proven(1, 1), proven(2, 7), failed(datafile(3, created=NOON)), failed(datafile(4)))
    ledger.note(HERE, planned=[planned(datafile(5, store_id="s3"))], not_here=[not_here(6)])
    ledger.note("archive", planned=[planned(datafile(1))])
    old, created = datafile(1).created, not_here(6).created
    assert ledger.holdings() == [
        Holding("archive", "file", Status.PENDING, 1, 1001, None, None, old),
        Holding(HERE, "", Status.NOT_HERE, 1, 0, None, None, created),
        Holding(HERE, "file", Status.OK, 2, 10, NOON + timedelta(hours=1), NOON + timedelta(hours=7), None),
        Holding(HERE, "file", Status.FAIL_READ, 2, 2007, None, None, old),
        Holding(HERE, "s3", Status.PENDING, 1, 1005, None, None, old),
    ]


def test_a_datafile_that_fails_now_and_has_a_copy_is_not_unproven(ledger: Ledger) -> None:
    recorded(ledger, proven(1, 1), failed(datafile(1), minute=90))
    (holding,) = ledger.holdings()
    when = NOON + timedelta(hours=1)
    assert holding == Holding(HERE, "file", Status.FAIL_READ, 1, 5, when, when, None)


def test_sizes_are_counted_between_edges_each_of_which_begins_a_band(ledger: Ledger) -> None:
    recorded(ledger, proven(1, 1, size=0), proven(2, 1, size=10), proven(3, 1, size=11), failed(datafile(4, size=None)))
    ledger.note(HERE, planned=[planned(datafile(5, size=1000)), planned(datafile(6))], gone=[6])
    ledger.note("elsewhere", planned=[planned(datafile(1))])
    assert ledger.sizes(HERE, [1, 10, 100]) == [Band(1, 0), Band(0, 0), Band(2, 21), Band(1, 1000)]
    assert ledger.sizes(HERE, []) == [Band(4, 1021)]
    assert ledger.sizes("nowhere", [10]) == [Band(0, 0), Band(0, 0)]


def test_proofs_are_counted_between_edges_whatever_became_of_later_attempts(ledger: Ledger) -> None:
    recorded(ledger, proven(1, 1), proven(2, 2), proven(3, 3), failed(datafile(3), minute=300), proven(4, 9))
    ledger.note(HERE, planned=[planned(datafile(5))], gone=[4])
    assert ledger.proofs(HERE, [NOON + timedelta(hours=2)]) == [Band(1, 5), Band(2, 10)]


def test_growth_counts_each_datafile_on_the_day_of_its_first_proof(ledger: Ledger) -> None:
    recorded(ledger, proven(1, 0, size=7), failed(datafile(2)), proven(3, 11))
    recorded(ledger, proven(1, 30, size=7), proven(2, 30), succeeded(datafile(9), destination="elsewhere"))
    assert ledger.growth(HERE) == [Growth(date(2026, 1, 2), 2, 12), Growth(date(2026, 1, 3), 1, 5)]
    assert ledger.growth("nowhere") == []


def test_datasets_with_most_failures_come_first(ledger: Ledger) -> None:
    good = replace(OTHER, persistent_id="doi:1/GOOD")
    recorded(ledger, failed(datafile(1)), succeeded(datafile(2)), failed(datafile(3)))
    recorded(ledger, failed(datafile(4, dataset=OTHER)), succeeded(datafile(5, dataset=good)))
    ledger.note(HERE, planned=[planned(datafile(6, dataset=OTHER)), planned(datafile(7, dataset=good))], gone=[3])
    ledger.note("archive", planned=[planned(datafile(1))])
    expected = [
        DatasetTally("hdl:1902.1/7", HERE, 2, 1, 1, 2010),
        DatasetTally("doi:10.5072/FK2/ABCDEF", HERE, 2, 1, 0, 1006),
        DatasetTally("doi:10.5072/FK2/ABCDEF", "archive", 1, 0, 1, 1001),
        DatasetTally("doi:1/GOOD", HERE, 2, 0, 1, 1012),
    ]
    assert ledger.datasets(9) == expected
    assert ledger.datasets(2) == expected[:2]


# Names


def test_a_datafile_is_found_by_all_its_names(ledger: Ledger) -> None:
    file = datafile(1, storageidentifier="s3://bucket:18b-7f", label="a_b.txt")
    recorded(ledger, succeeded(file, key="where/it/lies"))
    ledger.note(HERE, planned=[planned(file, "where/it/belongs"), planned(datafile(2, directory_label=""))])
    names = ["s3://bucket:18b-7f", "18b-7f", "bucket:18b-7f", "where/it/lies", "where/it/belongs", "a_b.txt"]
    assert [ledger.named(name, 9) for name in [*names, "raw/a_b.txt"]] == [[1]] * 7
    assert [ledger.named(DATASET.persistent_id, limit) for limit in (9, 1)] == [[1, 2], [1]]
    others = ["8b-7f", "18B-7F", "A_B.txt", "aXb.txt", "/a_b.txt", "1", "", "%", "18b-7_", "\0\ud800"]
    assert [ledger.named(name, 9) for name in others] == [[]] * len(others)


def test_a_list_can_be_of_one_datafile(ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)), succeeded(datafile(2)), succeeded(datafile(1), destination="elsewhere"))
    assert [(line.datafile_id, line.destination) for line in ledger.listed(datafile_id=1)] == [
        (1, HERE),
        (1, "elsewhere"),
    ]
