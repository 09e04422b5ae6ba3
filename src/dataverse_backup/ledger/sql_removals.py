"""Removals, kept in a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, null, or_, select, tuple_, update

from dataverse_backup.datafile import MAIN
from dataverse_backup.ledger import columns, rows, upserts
from dataverse_backup.ledger.removals import Gone, Outcome, Removal, Removals
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import copies, datafilestatus, removals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row, Select

    from dataverse_backup.ledger.database import Database
    from dataverse_backup.ledger.records import Kept
    from dataverse_backup.ledger.removals import Aside

_its = datafilestatus.c
_other = datafilestatus.alias("other")
_IS_CLAIMED = exists().where(
    _other.c.destination == copies.c.destination,
    _other.c.key == copies.c.key,
    or_(_other.c.datafile_id != copies.c.datafile_id, _other.c.object != copies.c.object),
    _other.c.gone_since.is_(None),
)
_every_gone: Select[Any] = rows.every_kept.where(_its.gone_since.is_not(None), ~_IS_CLAIMED)
"""Rows for `kept` of what is gone, but for copies whose key somebody else has or is to get."""

_every_removal: Select[Any] = select(removals).order_by(removals.c.id)


class SqlRemovals(Removals, ABC):
    """One row for each removal."""

    _database: Database
    _dialect: str

    @abstractmethod
    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        """The rows of *page*, page by page."""

    @abstractmethod
    def _spoil(self, connection: Connection, destination: str, paths: Iterable[str]) -> None:
        """The manifests of these datasets are to be written anew."""

    def gone(self, destination: str, before: datetime) -> Iterator[Gone]:
        """Page by page."""
        page = _every_gone.where(_its.destination == destination, _its.gone_since < before)
        columns = (_its.datasetidentifier, _its.datafile_id, _its.object)
        order, page = tuple_(*columns), page.order_by(*columns)
        for row in self._paged(page, lambda last: order > (last.datasetidentifier, last.datafile_id, last.object)):
            yield Gone(rows.kept(row), row.gone_since)

    def begin_removals(
        self, run: str, destination: str, copies: Sequence[Kept], aside: Sequence[Aside] = ()
    ) -> list[Kept]:
        """All of it or nothing."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            begun = [kept for some in by_statement(copies) for kept in self._still_gone(connection, destination, some)]
            for kept in begun:
                _forget(connection, destination, kept)
            noted = [_copy_values(one) for one in begun] + [_aside_values(one) for one in aside]
            if noted:
                its = {"run": run, "destination": destination, "begun": now}
                connection.execute(insert(removals), [its | values for values in noted])
            self._spoil(connection, destination, [kept.datafile.dataset.storage_path for kept in begun])
        return begun

    @staticmethod
    def _still_gone(connection: Connection, destination: str, some: Sequence[Kept]) -> list[Kept]:
        ids = [kept.datafile.id for kept in some]
        page = _every_gone.where(_its.destination == destination, _its.datafile_id.in_(ids))
        known = {(row.datafile_id, row.object): rows.kept(row).copy for row in connection.execute(page)}
        return [kept for kept in some if known.get((kept.datafile.id, kept.datafile.tag)) == kept.copy]

    def end_removals(self, destination: str, outcomes: Mapping[str, tuple[Outcome, str]]) -> None:
        """All of it or nothing."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            for some in by_statement(outcomes):
                page = _every_removal.where(removals.c.destination == destination, removals.c.ended.is_(None))
                for row in connection.execute(page.where(removals.c.key.in_(some))).all():
                    outcome, message = outcomes[row.key]
                    its = update(removals).where(removals.c.id == row.id)
                    connection.execute(its.values(ended=now, outcome=outcome, message=message))
                    if outcome is Outcome.STAYS and row.datafile_id is not None:
                        self._know_again(connection, row)

    def _know_again(self, connection: Connection, row: Row[Any]) -> None:
        names = (
            "destination",
            "datafile_id",
            "object",
            "key",
            "size",
            "checksum",
            "registered",
            "verified_by",
            "durable",
        )
        values = {name: getattr(row, name) for name in (*names, "proven")}
        connection.execute(upserts.leave_alone(self._dialect, copies).values(values))
        its = and_(_its.destination == row.destination, _its.datafile_id == row.datafile_id, _its.object == row.object)
        self._spoil(connection, row.destination, connection.scalars(select(_its.datasetidentifier).where(its)))

    def removals(
        self, *, destination: str | None = None, datafile_id: int | None = None, is_unfinished: bool = False
    ) -> Iterator[Removal]:
        """Page by page."""
        page = _every_removal
        wanted = {removals.c.destination: destination, removals.c.datafile_id: datafile_id}
        page = page.where(*(column == value for column, value in wanted.items() if value is not None))
        if is_unfinished:
            page = page.where(removals.c.ended.is_(None))
        for row in self._paged(page, lambda last: removals.c.id > last.id):
            yield _removal(row)


def _forget(connection: Connection, destination: str, kept: Kept) -> None:
    """The copy is not known any more."""
    number, tag = kept.datafile.id, kept.datafile.tag
    its = and_(copies.c.destination == destination, copies.c.datafile_id == number, copies.c.object == tag)
    connection.execute(delete(copies).where(its, copies.c.key == kept.copy.key))
    row = and_(_its.destination == destination, _its.datafile_id == number, _its.object == tag)
    blank = {"status": null(), "reason": null(), "message": "", "mark": null()}
    connection.execute(update(datafilestatus).where(row).values(**blank))


def _copy_values(kept: Kept) -> dict[str, Any]:
    names = ("key", "size", "checksum", "registered", "verified_by", "durable", "proven")
    proof = columns.proofs([kept.copy])
    return {"datafile_id": kept.datafile.id, "object": kept.datafile.tag} | {name: proof[name][0] for name in names}


def _aside_values(aside: Aside) -> dict[str, Any]:
    # every column is named: rows that are inserted together must have the same ones
    nothing = dict.fromkeys(("datafile_id", "checksum", "registered", "verified_by", "durable", "proven"))
    return nothing | {"object": MAIN, "key": aside.key, "size": aside.size}


def _removal(row: Row[Any]) -> Removal:
    return Removal(
        run=row.run,
        destination=row.destination,
        key=row.key,
        size=row.size,
        datafile_id=row.datafile_id,
        copy=rows.copied((row.key, row.size, row.checksum, row.registered, row.verified_by, row.durable, row.proven)),
        begun=row.begun,
        ended=row.ended,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        message=row.message,
        tag=row.object,
    )
