"""Taking over the table that the original script left (design, rule 14; facts 6.7).

It is kept as it was, under another name, and its rows are looked up by the names that they may mean. Nothing becomes
OK by it: a row only says where a copy is worth looking for.
"""

from __future__ import annotations

from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, inspect, select, text, tuple_, update

from dataverse_backup.ledger import upserts
from dataverse_backup.ledger.records import Takeover
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import datafilestatus, ledger, original_matches, original_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

    from dataverse_backup.datafile import Datafile

ORIGINAL = "datafilestatus_original"
_PAGE = 5_000
_ROWS = text(
    f"SELECT id, datasetidentifier, storageidentifier, status, lastbackuptime FROM {ORIGINAL}"
)  # ours: a constant


def set_aside(connection: Connection) -> bool:
    """Rename the original's table, where there is one, to make room for ours; whether there was one."""
    tables = inspect(connection)
    if not tables.has_table(datafilestatus.name):
        return False
    if "datafile_id" in {column["name"] for column in tables.get_columns(datafilestatus.name)}:
        return False
    connection.execute(text(f"ALTER TABLE {datafilestatus.name} RENAME TO {ORIGINAL}"))
    return True


def remember(connection: Connection) -> None:
    """Note the names by which each row of the original's table may be known."""
    count = 0
    with connection.execute(_ROWS, execution_options={"stream_results": True}) as rows:
        for page in rows.partitions(_PAGE):
            count += len(page)
            if names := [values for row in page for values in _named(row)]:
                connection.execute(insert(original_names), names)
    connection.execute(update(ledger).values(original_rows=count))


def _named(row: Row[Any]) -> Iterator[dict[str, Any]]:
    for name in sorted(_names(row.storageidentifier or "")):
        yield {
            "original_id": row.id,
            "name": name,
            "datasetidentifier": row.datasetidentifier or "",
            "has_copy": int(row.status == "OK"),
            "lastbackuptime": _aware(row.lastbackuptime),
        }


def _names(storageidentifier: str) -> set[str]:
    """As recorded, without ``file://``, and without ``s3://bucket:``."""
    location = storageidentifier.partition("://")[2] or storageidentifier
    return {storageidentifier, location, location.rpartition(":")[2]}


def _aware(value: datetime | str | None) -> datetime | None:
    """The original wrote this machine's local time without a zone."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:  # SQLite keeps any text
        return None
    return None if time is None else time.astimezone()


def match(connection: Connection, candidates: Sequence[tuple[Datafile, Sequence[str]]]) -> set[int]:
    """As ``Ledger.match_original``."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for datafile, names in candidates:
        for place in product([datafile.dataset.storage_path], names):
            wanted.setdefault(place, []).append(datafile.id)
    found = {
        (row.original_id, datafile_id)
        for some in by_statement(wanted)
        for row in connection.execute(_original_rows(some))
        for datafile_id in wanted[row.datasetidentifier, row.name]
    }
    if found:
        matches = [{"original_id": original, "datafile_id": datafile_id} for original, datafile_id in sorted(found)]
        connection.execute(upserts.match(connection.dialect.name), matches)
    return _with_copies(connection, sorted({datafile_id for _, datafile_id in found}))


def _original_rows(places: Sequence[tuple[str, str]]) -> Any:
    its = original_names.c
    return select(its.original_id, its.datasetidentifier, its.name).where(
        tuple_(its.datasetidentifier, its.name).in_(places)
    )


def _with_copies(connection: Connection, datafile_ids: Sequence[int]) -> set[int]:
    """Those to which a row belongs that belongs to no other and says OK."""
    rival = original_matches.alias()
    is_ambiguous = (
        select(rival.c.datafile_id)
        .where(
            rival.c.original_id == original_matches.c.original_id,
            rival.c.datafile_id != original_matches.c.datafile_id,
        )
        .exists()
    )
    joined = original_matches.join(original_names, original_names.c.original_id == original_matches.c.original_id)
    sound = (
        select(original_matches.c.datafile_id).select_from(joined).where(original_names.c.has_copy == 1, ~is_ambiguous)
    )
    return {
        datafile_id
        for some in by_statement(datafile_ids)
        for datafile_id in connection.scalars(sound.where(original_matches.c.datafile_id.in_(some)))
    }


def carry_times(connection: Connection, destination: str, datafile_ids: Sequence[int]) -> None:
    """Give datafiles that were not tried yet the time at which the original last tried them."""
    last = (
        select(func.max(original_names.c.lastbackuptime))
        .join(original_matches, original_matches.c.original_id == original_names.c.original_id)
        .where(original_matches.c.datafile_id == datafilestatus.c.datafile_id)
        .scalar_subquery()
    )
    its = datafilestatus.c
    for some in by_statement(datafile_ids):
        untried = its.destination == destination, its.datafile_id.in_(some), its.lastbackuptime.is_(None)
        connection.execute(update(datafilestatus).where(*untried).values(lastbackuptime=last))


def summary(connection: Connection) -> Takeover | None:
    """As ``Ledger.takeover``."""
    rows = connection.scalar(select(ledger.c.original_rows))
    if rows is None:
        return None
    owners = select(func.count().label("number")).select_from(original_matches).group_by(original_matches.c.original_id)
    number = owners.subquery().c.number
    found = select(func.count().filter(number == 1), func.count().filter(number > 1)).select_from(number.table)
    matched, ambiguous = connection.execute(found).one()
    return Takeover(rows=rows, matched=matched, ambiguous=ambiguous, unmatched=rows - matched - ambiguous)
