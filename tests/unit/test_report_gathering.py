"""What a report says of a ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dataverse_backup.actions.report import PROOF_AGES, SIZE_EDGES, gather
from dataverse_backup.cli.report_object import report_object
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.pages.charts import charts
from tests.contract.ledger_cases import HERE, copied, datafile, failed, not_here, planned, recorded, succeeded

NOW = datetime.now(UTC)


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def test_a_ledger_without_anything_is_not_safe() -> None:
    assert not gather(MemoryLedger(), []).is_safe
    report = gather(MemoryLedger(), [HERE])
    assert (report.is_safe, report.places[0].expected, report.places[0].last_run) == (False, 0, None)


def test_all_is_safe_when_each_file_that_can_have_a_copy_has_one_at_each_destination(ledger: MemoryLedger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    ledger.note(HERE, not_here=[not_here(2)])
    assert gather(ledger, [HERE]).is_safe
    assert not gather(ledger, [HERE, "archive"]).is_safe
    ledger.note(HERE, planned=[planned(datafile(3))])
    report = gather(ledger, [HERE])
    assert (report.is_safe, report.places[0].lacking, report.places[0].expected) == (False, 1, 2)


def test_a_destination_that_is_not_configured_any_more_is_shown_and_endangers_nothing(ledger: MemoryLedger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    ledger.note("retired", planned=[planned(datafile(1))])
    report = gather(ledger, [HERE])
    assert report.is_safe
    assert [(place.name, place.is_configured) for place in report.places] == [(HERE, True), ("retired", False)]


def test_the_last_run_without_a_failure_is_found_behind_later_ones(ledger: MemoryLedger) -> None:
    ledger.end_run(recorded(ledger, succeeded(datafile(1))), "ok")
    ledger.end_run(recorded(ledger, failed(datafile(2))), "failures")
    (place,) = gather(ledger, [HERE]).places
    assert place.last_run is not None
    assert place.last_success is not None
    assert (place.last_run.outcome, place.last_success.outcome) == ("failures", "ok")


def test_the_oldest_file_without_a_copy_is_one_that_should_have_one(ledger: MemoryLedger) -> None:
    old, new = NOW - timedelta(days=9), NOW - timedelta(days=3)
    recorded(ledger, failed(datafile(1, created=new)), succeeded(datafile(2, created=old)))
    ledger.note(HERE, not_here=[replace(not_here(3), created=old)])
    (place,) = gather(ledger, [HERE]).places
    assert place.oldest_unproven == new
    assert place.oldest_proof == place.newest_proof == copied(datafile(2)).proven


def test_bands_of_sizes_and_ages_hold_every_file_once(ledger: MemoryLedger) -> None:
    sizes = [0, 1, 999, 1000, 10**12, 5 * 10**13]
    ages = [timedelta(hours=1), timedelta(days=2), timedelta(days=400)]
    files = [datafile(number, size=size) for number, size in enumerate(sizes)]
    copies = [replace(copied(file, size=file.size or 0), proven=NOW - ages[file.id % 3]) for file in files]
    recorded(ledger, *(succeeded(file, copy=copy) for file, copy in zip(files, copies, strict=True)))
    (place,) = gather(ledger, [HERE]).places
    assert [band.files for band in place.sizes] == [1, 2, 1, *[0] * (len(SIZE_EDGES) - 3), 2]
    assert [band.files for band in place.proofs] == [2, *[0] * (len(PROOF_AGES) - 2), 2, 2]


def test_the_json_says_the_same_in_stable_words(ledger: MemoryLedger) -> None:
    recorded(ledger, succeeded(datafile(1)), failed(datafile(2), Reason.NO_SPACE))
    told = json.loads(json.dumps(report_object(gather(ledger, [HERE, "empty"]))))
    here = told["destinations"][HERE]
    assert (told["is_safe"], here["is_safe"], here["files"]["FAIL_WRITE"], here["bytes"]) == (False, False, 1, 5)
    assert [(reason["reason"], reason["files"]) for reason in here["reasons"]] == [("no-space", 1)]
    assert here["reasons"][0]["hint"]
    assert sum(band["files"] for band in here["sizes"]) == 2
    assert told["runs"][0]["files_failed"] == 1
    assert told["destinations"]["empty"]["last_run"] is None


def test_pictures_show_what_there_is_and_nothing_where_there_is_nothing(ledger: MemoryLedger) -> None:
    assert charts(gather(ledger, [HERE])) == []
    ledger.end_run(recorded(ledger, succeeded(datafile(1)), failed(datafile(2))), "failures")
    shown = {chart.title: chart for chart in charts(gather(ledger, [HERE]))}
    assert list(shown) == [
        "Files with a proven copy",
        "Failed attempts",
        "Duration of runs",
        "When copies were proven last",
        "Sizes of files",
    ]
    assert shown["Files with a proven copy"].rows == (
        ("2026-01-01", HERE, 0, 0),
        ("2026-01-02", HERE, 1, 5),
        (datetime.now(UTC).date().isoformat(), HERE, 1, 5),
    )
    assert shown["Sizes of files"].written == [["below 1 kB", HERE, "1", "5 B"], ["1 kB to 10 kB", HERE, "1", "1.0 kB"]]


def test_years_of_growth_are_shown_by_month(ledger: MemoryLedger) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    recorded(ledger, *(succeeded(datafile(day), started=start + timedelta(days=day)) for day in range(200)))
    rows = charts(gather(ledger, [HERE]))[0].rows
    assert [row[0] for row in rows[:3]] == ["2019-12-31", "2020-01-31", "2020-02-29"]
    assert [row[1:] for row in rows[-2:]] == [(HERE, 200, 1000)] * 2


def test_every_status_is_counted_as_it_stands(ledger: MemoryLedger) -> None:
    recorded(ledger, failed(datafile(1)), failed(datafile(2), Reason.NO_SPACE), succeeded(datafile(3)))
    ledger.note(HERE, gone=[3])
    (place,) = gather(ledger, [HERE]).places
    assert (place.files(Status.GONE), place.files(Status.OK), place.lacking, place.size) == (1, 0, 2, 0)
    assert place.oldest_proof is None
