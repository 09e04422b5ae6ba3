"""Drills, kept in a database."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from dataverse_backup.ledger.drills import DrillFailure, DrillRecord, Drills
from dataverse_backup.ledger.storable import storable
from dataverse_backup.ledger.tables import drills

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Row, Select

    from dataverse_backup.ledger.database import Database


class SqlDrills(Drills, ABC):
    """One row for each drill."""

    _database: Database

    @abstractmethod
    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        """The rows of *page*, page by page."""

    def record_drill(self, record: DrillRecord) -> None:
        """One row."""
        row = {name: getattr(record, name) for name in _AS_THEY_ARE}
        failed = [[one.datafile_id, storable(one.key), storable(one.message)] for one in record.failures]
        with self._database.writing() as connection:
            connection.execute(insert(drills).values(**row, failures=json.dumps(failed, ensure_ascii=False)))

    def drills(self, destination: str | None = None) -> Iterator[DrillRecord]:
        """Page by page."""
        page = select(drills).order_by(drills.c.id.desc())
        if destination is not None:
            page = page.where(drills.c.destination == destination)
        for row in self._paged(page, lambda last: drills.c.id < last.id):
            failures = tuple(DrillFailure(*fields) for fields in json.loads(row.failures))
            yield DrillRecord(**{name: getattr(row, name) for name in _AS_THEY_ARE}, failures=failures)


_AS_THEY_ARE = (
    "run",
    "destination",
    "started",
    "seconds",
    "outcome",
    "files",
    "size",
    "failed",
    "dataset",
    "oldest_proof",
    "newest_proof",
    "message",
)
"""Columns that are called as what they hold."""
