"""Copies as a database knows them, and which manifests beside them are not up to date."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, tuple_

from dataverse_backup.ledger import columns, rows, upserts
from dataverse_backup.ledger.bulk import write, write_columns
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import copies, datafilestatus, stale_manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from dataverse_backup.ledger.database import Database
    from dataverse_backup.ledger.records import Attempt, Kept


class SqlKept(ABC):
    """What of a ledger is about copies."""

    _database: Database
    _dialect: str

    @abstractmethod
    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        """The rows of *page*, page by page."""

    @abstractmethod
    def _know(self, connection: Connection, *names: str) -> None:
        """Destinations of these *names* are known from now on."""

    def kept(
        self,
        *,
        destinations: Sequence[str] | None = None,
        dataset: str | None = None,
        storage_paths: Sequence[str] | None = None,
        datafile_id: int | None = None,
    ) -> Iterator[Kept]:
        """Page by page."""
        its = datafilestatus.c
        wanted = {its.persistent_id: dataset, its.datafile_id: datafile_id}
        page = rows.every_kept.where(*(column == value for column, value in wanted.items() if value is not None))
        # nearly all copies are at the same few destinations: SQLite, which has no statistics, would begin with these
        where = func.coalesce(its.destination, "")
        for column, values in ((where, destinations), (its.datasetidentifier, storage_paths)):
            page = page if values is None else page.where(column.in_(values))
        columns = (its.datasetidentifier, its.datafile_id, its.object, its.destination)
        order, page = tuple_(*columns), page.order_by(*columns)
        for row in self._paged(page, lambda r: order > (r.datasetidentifier, r.datafile_id, r.object, r.destination)):
            yield rows.kept(row)

    def note_kept(self, destination: str, kept: Sequence[Kept]) -> None:
        """Two inserts that leave alone what is there."""
        if not kept:
            return
        with self._database.writing() as connection:
            self._know(connection, destination)
            for table, values in zip((datafilestatus, copies), columns.kept(kept, datetime.now(UTC)), strict=True):
                write_columns(connection, upserts.leave_alone(self._dialect, table), values)

    def stale_manifests(self, destination: str) -> Iterator[str]:
        """Page by page."""
        its = stale_manifests.c
        page = select(its.datasetidentifier).where(its.destination == destination).order_by(its.datasetidentifier)
        for row in self._paged(page, lambda last: its.datasetidentifier > last.datasetidentifier):
            yield row.datasetidentifier

    def manifests_written(self, destination: str, storage_paths: Sequence[str]) -> None:
        """They are forgotten."""
        its = stale_manifests.c
        with self._database.writing() as connection:
            for some in by_statement(storage_paths):
                connection.execute(
                    delete(stale_manifests).where(its.destination == destination, its.datasetidentifier.in_(some))
                )

    def _spoil(self, connection: Connection, destination: str, paths: Iterable[str]) -> None:
        stale = [{"destination": destination, "datasetidentifier": path} for path in sorted(set(paths))]
        write(connection, upserts.spoil(self._dialect), stale)

    def _spoil_all(self, connection: Connection, attempts: Sequence[Attempt]) -> None:
        """What these attempts proved, or found gone, is to be told."""
        told = [attempt for attempt in attempts if attempt.copy is not None or attempt.status is Status.GONE]
        for destination in {attempt.destination for attempt in told}:
            its = [attempt for attempt in told if attempt.destination == destination]
            self._spoil(connection, destination, [attempt.datafile.dataset.storage_path for attempt in its])

    def _spoil_of(self, connection: Connection, destination: str, *which: ColumnElement[bool]) -> None:
        its = datafilestatus.c
        known = select(its.datasetidentifier).distinct().where(its.destination == destination, *which)
        self._spoil(connection, destination, [path for path in connection.scalars(known) if path is not None])
