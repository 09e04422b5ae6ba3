"""Taking over the table of the original script (design, rule 14), in SQLite and in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from dataverse_backup.datafile import Dataset
from dataverse_backup.ledger.base import Status, Takeover
from dataverse_backup.ledger.sql import open_ledger
from tests.contract.ledger_cases import HERE, datafile, planned, recorded, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ORIGINAL = """
    CREATE TABLE datafilestatus (
        id {serial} PRIMARY KEY, datasetidentifier varchar(255), storageidentifier varchar(255) UNIQUE,
        status varchar, createdate timestamp, lastbackuptime timestamp, lastbackupmethod varchar(16))
"""
_ROW = """
    INSERT INTO datafilestatus
        (datasetidentifier, storageidentifier, status, createdate, lastbackuptime, lastbackupmethod)
    VALUES (:dataset, :name, :status, '2018-01-02 03:04:05.678', '2018-02-03 04:05:06', 'ssh')
"""
PATH = "10.5072/FK2/ABCDEF"
ROWS = [
    (PATH, "18b-1", "OK"),
    (PATH, "file://18b-2", "OK"),
    (PATH, "s3://bucket:18b-3", "OK"),
    (PATH, "file://18b-4", "FAIL_VERIFY"),
    (PATH, "file://twice", "OK"),
    (PATH, "file://18b-99", "OK"),
    ("10.5072/FK2/OTHER", "18b-5", "OK"),
    (None, None, None),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database as the original script left it."""
    if request.param == "sqlite":
        url, serial = f"sqlite:///{tmp_path}/ledger.db", "integer"
    else:
        url, serial = request.getfixturevalue("postgres").dsn(request.getfixturevalue("postgres_database")), "serial"
    engine = create_engine(make_url(url.replace("postgresql:", "postgresql+psycopg:")))
    with engine.begin() as connection:
        connection.execute(text(_ORIGINAL.format(serial=serial)))
        rows: list[dict[str, Any]] = [{"dataset": d, "name": n, "status": s} for d, n, s in ROWS]
        connection.execute(text(_ROW), rows)
    yield engine
    engine.dispose()


def url_of(database: Engine) -> str:
    return database.url.render_as_string(hide_password=False)


CANDIDATES = [
    *((datafile(number), [f"18b-{number}"]) for number in range(1, 6)),
    (datafile(6, storageidentifier="file://twice"), ["twice"]),
]
RIVAL = (datafile(7, storageidentifier="s3://bucket:twice"), ["twice"])


def test_rows_are_matched_by_dataset_path_and_name_with_or_without_prefix(database: Engine) -> None:
    with open_ledger(url_of(database)) as ledger:
        assert ledger.takeover() == Takeover(rows=8, matched=0, ambiguous=0, unmatched=8)
        assert ledger.match_original(CANDIDATES) == {1, 2, 3, 6}
        assert ledger.takeover() == Takeover(rows=8, matched=5, ambiguous=0, unmatched=3)


def test_a_row_that_fits_two_datafiles_is_ambiguous_and_promises_nothing(database: Engine) -> None:
    with open_ledger(url_of(database)) as ledger:
        ledger.match_original(CANDIDATES)
        assert ledger.match_original([RIVAL]) == set()
        assert ledger.match_original(CANDIDATES) == {1, 2, 3}
        assert ledger.takeover() == Takeover(rows=8, matched=4, ambiguous=1, unmatched=3)


def test_a_row_of_another_dataset_is_no_match(database: Engine) -> None:
    other = datafile(5, dataset=Dataset("doi:10.5072/FK2/OTHER", "10.5072", "FK2/OTHER"))
    with open_ledger(url_of(database)) as ledger:
        assert ledger.match_original([(datafile(5), ["18b-5"])]) == set()
        assert ledger.match_original([(other, ["18b-5"])]) == {5}


def test_what_the_original_could_not_verify_counts_as_failed(database: Engine) -> None:
    with open_ledger(url_of(database)) as ledger:
        assert ledger.match_original([(datafile(4), ["18b-4"])]) == set()
        takeover = ledger.takeover()
    assert takeover is not None
    assert takeover.matched == 1


def test_nothing_becomes_ok_by_it_and_the_time_of_the_last_backup_is_kept(database: Engine) -> None:
    with open_ledger(url_of(database)) as ledger:
        ledger.match_original(CANDIDATES)
        ledger.note(HERE, planned=[planned(datafile(1)), planned(datafile(5))])
        first, fifth = ledger.listed()
        assert (first.status, first.attempts, fifth.status) == (Status.PENDING, 0, Status.PENDING)
        assert first.lastbackuptime == datetime(2018, 2, 3, 4, 5, 6).astimezone()
        assert fifth.lastbackuptime is None
        recorded(ledger, succeeded(datafile(1)))
        ledger.note(HERE, planned=[planned(datafile(1))])
        last = next(ledger.listed()).lastbackuptime
    assert last is not None
    assert last.year == 2026


def test_the_originals_table_is_kept_as_it_was(database: Engine) -> None:
    open_ledger(url_of(database)).close()
    open_ledger(url_of(database)).close()
    assert {"datafilestatus", "datafilestatus_original"} <= set(inspect(database).get_table_names())
    with database.connect() as connection:
        kept = connection.execute(
            text("SELECT datasetidentifier, storageidentifier, status FROM datafilestatus_original ORDER BY id")
        )
        assert [tuple(row) for row in kept] == ROWS


def test_rows_are_still_matched_by_a_later_process(database: Engine) -> None:
    open_ledger(url_of(database)).close()
    with open_ledger(url_of(database)) as ledger:
        assert ledger.match_original(CANDIDATES[:1]) == {1}


def test_a_take_over_that_fails_leaves_the_original_alone(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE attempts (mine integer)"))  # somebody else's: ours cannot be made
    with pytest.raises(Exception, match="attempts"):
        open_ledger(url_of(database))
    assert set(inspect(database).get_table_names()) == {"attempts", "datafilestatus"}
    assert "datafile_id" not in {column["name"] for column in inspect(database).get_columns("datafilestatus")}
