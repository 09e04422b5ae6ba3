"""What the plan asks and notes, in a database: marks and standings page by page, one upsert for each kind of note."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, null, or_, select, tuple_, update

from dataverse_backup.datafile import MAIN
from dataverse_backup.ledger import columns, rows, upserts
from dataverse_backup.ledger import takeover as original
from dataverse_backup.ledger.bulk import write_columns
from dataverse_backup.ledger.occupants import in_the_way, is_stale, refold
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.sql_history import PAGE
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import IS_COMPANION, IS_LOGO, datafilestatus, destinations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.ledger.database import Database
    from dataverse_backup.ledger.records import Marked, Planned, Standing


class SqlPlanning(ABC):
    """What of a ledger is for the plan."""

    _database: Database
    _dialect: str
    _took_over: bool
    """Whether the original script left a table."""

    @abstractmethod
    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        """The rows of *page*, page by page."""

    @abstractmethod
    def _know(self, connection: Connection, *names: str) -> None:
        """Destinations of these *names* are known from now on."""

    @abstractmethod
    def _spoil(self, connection: Connection, destination: str, paths: Iterable[str]) -> None:
        """The manifests of these datasets are to be written anew."""

    @abstractmethod
    def _spoil_of(self, connection: Connection, destination: str, *which: ColumnElement[bool]) -> None:
        """So are those of the datasets of these datafiles."""

    def keep_layout(self, destination: str, layout: str) -> None:
        """One question where it is the one that is known."""
        if self._layout(destination) == layout:
            return
        with self._database.writing() as connection:
            self._know(connection, destination)
            connection.execute(upserts.FORGET, {"its_destination": destination})
            connection.execute(update(destinations).where(destinations.c.name == destination).values(layout=layout))

    def _layout(self, destination: str) -> str | None:
        with self._database.reading() as connection:
            return connection.scalar(select(destinations.c.layout).where(destinations.c.name == destination))

    def marks(self, destination: str, layout: str) -> Iterator[Marked]:
        """Page by page, from one table; as the driver gives them, for nothing in them is of a type of ours."""
        its = datafilestatus.c
        is_settled = or_(its.status == Status.OK, its.not_here.is_not(None))
        mark = case((is_settled, its.mark), else_=null()) if self._layout(destination) == layout else null()
        page = select(its.datafile_id, mark, its.store, its.size, its.not_here).order_by(its.datafile_id).limit(PAGE)
        page = page.where(its.destination == destination, its.object == MAIN, its.gone_since.is_(None))
        page = page.where(its.datafile_id > bindparam("last"))
        unsettled = self._with_unsettled_companions(destination)
        doubtful = next(unsettled, None)
        found: Sequence[Marked] = [(-1, None, "", None, None)]
        while found:
            with self._database.reading() as connection:
                found = connection.execute(page, {"last": found[-1][0]}).cursor.fetchall()
            if doubtful is None or not found or doubtful > found[-1][0]:
                yield from found
                continue
            for marked in found:  # few pages have one that is in doubt
                while doubtful is not None and doubtful < marked[0]:
                    doubtful = next(unsettled, None)
                yield marked if doubtful != marked[0] else (marked[0], None, *marked[2:])

    def _with_unsettled_companions(self, destination: str) -> Iterator[int]:
        """Page by page, by an index of their own."""
        its = datafilestatus.c
        page = select(its.datafile_id).where(its.destination == destination, IS_COMPANION, its.gone_since.is_(None))
        page = page.where(its.status.is_distinct_from(Status.OK)).group_by(its.datafile_id).order_by(its.datafile_id)
        for row in self._paged(page, lambda last: its.datafile_id > last.datafile_id):
            yield row.datafile_id

    def standings(self, destination: str, ids: Sequence[int] | None = None) -> Iterator[Standing]:
        """Page by page, by datafile id."""
        its = datafilestatus.c
        page = rows.every_standing.where(its.destination == destination).order_by(its.datafile_id, its.object)
        if ids is not None:
            page = page.where(its.datafile_id.in_(ids))
        order = tuple_(its.datafile_id, its.object)
        for row in self._paged(page, lambda last: order > (last.datafile_id, last.object)):
            yield rows.standing(row)

    def with_logos(self, destination: str) -> list[int]:
        """By an index of their own."""
        its = datafilestatus.c
        known = select(its.datafile_id).where(its.destination == destination, IS_LOGO, its.gone_since.is_(None))
        with self._database.reading() as connection:
            return list(connection.scalars(known.distinct().order_by(its.datafile_id)))

    def occupants(
        self, destination: str, names: Sequence[str], *, folded: Callable[[str], str] | None
    ) -> dict[str, int]:
        """By key, or by folded key; the folded ones are brought up to date first."""
        if folded is None:
            with self._database.reading() as connection:
                return in_the_way(connection, destination, names, "key")
        seen = {name: folded(name) for name in names}
        self._refold(destination, folded)
        with self._database.reading() as connection:
            found = in_the_way(connection, destination, sorted(set(seen.values())), "folded_key")
        return {name: found[as_seen] for name, as_seen in seen.items() if as_seen in found}

    def _refold(self, destination: str, folded: Callable[[str], str]) -> None:
        with self._database.reading() as connection:
            if not is_stale(connection, destination, folded):
                return
        with self._database.writing() as connection:
            self._know(connection, destination)
            refold(connection, destination, folded)

    def note(
        self,
        destination: str,
        *,
        planned: Sequence[Planned] = (),
        refreshed: Sequence[Datafile] = (),
        not_here: Sequence[NotHere] = (),
        gone: Sequence[int] = (),
        companions_gone: Sequence[tuple[int, str]] = (),
        marked: Sequence[Mark] = (),
    ) -> None:
        """One upsert for each kind."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            self._know(connection, destination)
            write_columns(connection, upserts.plan(self._dialect), columns.planned(destination, planned))
            if self._took_over:
                its_own = [p.datafile.id for p in planned if not p.datafile.is_companion]
                original.carry_times(connection, destination, its_own)
            write_columns(connection, upserts.refresh(self._dialect), columns.refreshed(destination, refreshed))
            write_columns(connection, upserts.leave_out(self._dialect), columns.not_here(destination, not_here))
            write_columns(connection, upserts.VANISH, columns.gone(destination, gone, now))
            write_columns(connection, upserts.VANISH_ALONE, columns.companions_gone(destination, companions_gone, now))
            write_columns(connection, upserts.MARK, columns.marks(destination, marked))
            self._spoil(connection, destination, [datafile.dataset.storage_path for datafile in refreshed])
            for some in by_statement([*gone, *(datafile_id for datafile_id, _ in companions_gone)]):
                self._spoil_of(connection, destination, datafilestatus.c.datafile_id.in_(some))
