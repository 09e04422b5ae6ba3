"""Dumps of the Dataverse database, kept in a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from dataverse_backup.ledger import rows
from dataverse_backup.ledger.dumps import DumpRecord, Dumps
from dataverse_backup.ledger.tables import dumps
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Select

    from dataverse_backup.ledger.database import Database


class SqlDumps(Dumps, ABC):
    """One row for each try."""

    _database: Database

    @abstractmethod
    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        """The rows of *page*, page by page."""

    def record_dump(self, run: str, record: DumpRecord) -> None:
        """One row."""
        copy = record.copy
        proof = (
            {}
            if copy is None
            else {
                "key": copy.key,
                "size": copy.size,
                "checksum": str(copy.checksum),
                "verified_by": copy.verified_by,
                "durable": copy.durable,
                "proven": copy.proven,
            }
        )
        row = {
            "run": run,
            "destination": record.destination,
            "taken": record.taken,
            "message": record.message,
            "hint": record.hint,
            "kept": record.kept,
        }
        with self._database.writing() as connection:
            connection.execute(insert(dumps).values(**row, **proof))

    def dumps(self, destination: str) -> Iterator[DumpRecord]:
        """Page by page."""
        page = select(dumps).where(dumps.c.destination == destination).order_by(dumps.c.id.desc())
        for row in self._paged(page, lambda last: dumps.c.id < last.id):
            yield _record(row)

    def judge_dump(self, destination: str, key: str, verdict: Verdict, at: datetime) -> None:
        """One row."""
        found = {"verdict": None, "proven": at} if verdict is Verdict.INTACT else {"verdict": verdict}
        its = (dumps.c.destination == destination, dumps.c.key == key)
        with self._database.writing() as connection:
            connection.execute(update(dumps).where(*its).values(**found))


def _record(row: Row[Any]) -> DumpRecord:
    return DumpRecord(
        destination=row.destination,
        taken=row.taken,
        copy=rows.copied((row.key, row.size, row.checksum, None, row.verified_by, row.durable, row.proven)),
        message=row.message,
        hint=row.hint,
        kept=row.kept,
        verdict=Verdict(row.verdict) if row.verdict else None,
    )
