"""What `explain` finds out about a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.explain import MOST_FILES, Answer, explain
from dataverse_backup.catalogue.memory import MemoryCatalogue
from dataverse_backup.errors import CatalogueUnavailable, DataverseBackupError, Reason
from dataverse_backup.hints import HINTS
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.stores.memory import MemoryStore
from tests.contract.ledger_cases import DATASET, HERE, datafile, failed, not_here, planned, recorded, succeeded

if TYPE_CHECKING:
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.datafile import Datafile, NotHere


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def asked(name: str, ledger: MemoryLedger, *rows: Datafile | NotHere) -> Answer:
    return explain(name, ledger, lambda: MemoryCatalogue(rows), {"file": MemoryStore("file")})


def no_catalogue() -> Catalogue:
    raise CatalogueUnavailable("the database does not answer")


def test_a_file_is_told_with_its_row_its_objects_and_each_attempt(ledger: MemoryLedger) -> None:
    file = datafile(7)
    recorded(ledger, failed(file))
    recorded(ledger, succeeded(file), succeeded(file, destination="archive"))
    (told,) = asked("7", ledger, file).files
    assert told.row == file
    assert told.objects
    assert [place.destination for place in told.places] == ["archive", HERE]
    assert [(attempt.destination, attempt.status) for attempt in told.attempts] == [
        (HERE, "FAIL_READ"),
        (HERE, "OK"),
        ("archive", "OK"),
    ]


def test_a_failing_file_has_the_hint_of_its_reason_and_a_safe_one_has_none(ledger: MemoryLedger) -> None:
    recorded(ledger, failed(datafile(1), Reason.NO_SPACE), succeeded(datafile(2)))
    ledger.note(HERE, planned=[planned(datafile(3))])
    advice = [asked(number, ledger).files[0] for number in ("1", "2", "3")]
    assert [file.advice(file.places[0]) for file in advice] == [
        HINTS[Reason.NO_SPACE],
        "",
        "the next run copies it, or proves what is there",
    ]


def test_a_file_that_no_run_has_seen_is_found_by_its_id_and_by_its_pid(ledger: MemoryLedger) -> None:
    for name in ("5", DATASET.persistent_id):
        (told,) = asked(name, ledger, datafile(5)).files
        assert (told.datafile_id, told.places, told.attempts) == (5, (), ())


def test_a_file_that_has_left_the_catalogue_is_told_from_the_ledger(ledger: MemoryLedger) -> None:
    recorded(ledger, succeeded(datafile(5)))
    answer = asked("raw/data 5.txt", ledger)
    assert (answer.files[0].row, answer.files[0].places[0].datafile_id, answer.trouble) == (None, 5, None)


def test_a_row_without_bytes_is_told_with_its_reason(ledger: MemoryLedger) -> None:
    (told,) = asked("4", ledger, not_here(4)).files
    assert (told.row, told.objects) == (not_here(4), ())


def test_a_catalogue_that_does_not_answer_is_part_of_the_answer(ledger: MemoryLedger) -> None:
    recorded(ledger, succeeded(datafile(5)))
    answer = explain("5", ledger, no_catalogue, {})
    assert [file.datafile_id for file in answer.files] == [5]
    assert answer.trouble is not None
    with pytest.raises(DataverseBackupError, match="does not answer"):
        explain("6", ledger, no_catalogue, {})


def test_of_many_files_the_first_ones_are_told(ledger: MemoryLedger) -> None:
    files = [datafile(number) for number in range(1, MOST_FILES + 5)]
    ledger.note(HERE, planned=[planned(file) for file in files])
    answer = asked(DATASET.persistent_id, ledger, *files)
    assert ([file.datafile_id for file in answer.files], answer.are_more) == (list(range(1, MOST_FILES + 1)), True)


@pytest.mark.parametrize("name", ["nothing", "12", "", "9" * 40, "-1", "²", "\0\ud800"])
def test_what_nobody_knows_is_said(ledger: MemoryLedger, name: str) -> None:
    with pytest.raises(DataverseBackupError, match="nothing is known of") as caught:
        asked(name, ledger, datafile(1))
    assert caught.value.hint
