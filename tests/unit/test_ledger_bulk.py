"""What is written for many rows at a time is what SQLAlchemy writes for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import create_engine, insert, select

from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.bulk import write
from dataverse_backup.ledger.tables import attempts, datafilestatus, metadata

ANY_TEXT = some.text(some.characters(codec=None) | some.sampled_from("\0\ud800ä"), max_size=8)
ZONES = some.sampled_from([UTC, timezone(timedelta(hours=5))])
TIMES = some.timedeltas(timedelta(0), timedelta(days=70_000)).flatmap(
    lambda after: ZONES.map(lambda zone: datetime(1900, 1, 1, tzinfo=zone) + after)
)
FILES = some.fixed_dictionaries(
    {
        "datafile_id": some.integers(0, 1 << 62),
        "destination": some.just("default"),
        "storageidentifier": ANY_TEXT,
        "key": some.none() | ANY_TEXT,
        "store": ANY_TEXT,
        "persistent_id": ANY_TEXT,
        "label": ANY_TEXT,
        "directory_label": ANY_TEXT,
        "fingerprint": some.just("x"),
        "status": some.none() | some.sampled_from(Status),
        "createdate": some.none() | TIMES,
        "is_tabular": some.booleans(),
    }
)


def contents(rows: list[dict[str, Any]], *, together: bool) -> list[Any]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection, [datafilestatus])
        if together:
            write(connection, STATEMENT, rows)
        else:
            connection.execute(insert(datafilestatus), rows)
        found = [tuple(row) for row in connection.execute(select(datafilestatus).order_by(datafilestatus.c.id))]
    engine.dispose()
    return found


STATEMENT = insert(datafilestatus)


@given(some.lists(FILES, min_size=1, max_size=5, unique_by=lambda row: row["datafile_id"]))
def test_rows_that_are_written_together_are_what_they_are_one_by_one(rows: list[dict[str, Any]]) -> None:
    assert contents(rows, together=True) == contents(rows, together=False)


def test_no_rows_are_no_statement() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        write(connection, insert(attempts), [])  # there is no such table
    engine.dispose()
