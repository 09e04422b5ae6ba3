"""The past, asked of a database: each question is one statement, or one for each page."""

from __future__ import annotations

from abc import ABC
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    SQLColumnExpression,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
)

from dataverse_backup.datafile import MAIN
from dataverse_backup.ledger import rows
from dataverse_backup.ledger.history import Band, DatasetTally, Growth, History, Holding
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.rules import FAILED, goes_by
from dataverse_backup.ledger.storable import storable
from dataverse_backup.ledger.tables import attempts, copies, datafilestatus, runs, shown_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from dataverse_backup.ledger.database import Database
    from dataverse_backup.ledger.history import AttemptRecord
    from dataverse_backup.ledger.records import RunRecord

PAGE = 5_000
"""Rows of one short read: no cursor stays open while something else is done."""

_its = datafilestatus.c
_previous = attempts.alias("previous")
_before = (
    select(_previous.c.status)
    .where(
        _previous.c.datafile_id == attempts.c.datafile_id,
        _previous.c.destination == attempts.c.destination,
        _previous.c.object == attempts.c.object,
        _previous.c.id < attempts.c.id,
    )
    .order_by(_previous.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_with_facts = attempts.outerjoin(
    datafilestatus,
    and_(
        _its.destination == attempts.c.destination,
        _its.datafile_id == attempts.c.datafile_id,
        _its.object == attempts.c.object,
    ),
)
_every_attempt: Select[Any] = (
    select(attempts, _its.persistent_id, _its.directory_label, _its.label, _its.store, _before.label("before"))
    .select_from(_with_facts)
    .order_by(attempts.c.id)
)
_IS_PRESENT = _its.gone_since.is_(None)


class SqlHistory(History, ABC):
    """The questions about the past; what else a ledger does is for its subclass."""

    _database: Database
    _dialect: str

    def runs(self, destination: str | None = None) -> Iterator[RunRecord]:
        """Page by page."""
        page = select(runs).order_by(runs.c.id.desc())
        if destination is not None:
            page = page.where(runs.c.destination == destination)
        for row in self._paged(page, lambda last: runs.c.id < last.id):
            yield rows.run_record(row)

    def run(self, run: str) -> RunRecord | None:
        """By its id."""
        with self._database.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.run == run)).first()
        return None if row is None else rows.run_record(row)

    def attempts(
        self,
        *,
        run: str | None = None,
        datafile_id: int | None = None,
        destination: str | None = None,
        status: Status | None = None,
    ) -> Iterator[AttemptRecord]:
        """Page by page."""
        its = attempts.c
        wanted = {its.run: run, its.datafile_id: datafile_id, its.destination: destination, its.status: status}
        page = _every_attempt.where(*(column == value for column, value in wanted.items() if value is not None))
        for row in self._paged(page, lambda last: its.id > last.id):
            yield rows.attempt_record(row)

    def _paged(self, page: Select[Any], after: Callable[[Row[Any]], ColumnElement[bool]]) -> Iterator[Row[Any]]:
        following = page
        while True:
            with self._database.reading() as connection:
                found = connection.execute(following.limit(PAGE)).all()
            yield from found
            if len(found) < PAGE:
                return
            following = page.where(after(found[-1]))

    def holdings(self) -> list[Holding]:
        """Counted by the database."""
        oldest_unproven = func.min(case((copies.c.proven.is_(None), _its.createdate), else_=null()))
        counted = (
            select(
                _its.destination,
                _its.store,
                shown_status,
                func.count(),
                func.sum(rows.shown_size),
                func.min(copies.c.proven),
                func.max(copies.c.proven),
                oldest_unproven,
            )
            .select_from(rows.with_copies)
            .where(_its.object == MAIN)
            .group_by(_its.destination, _its.store, shown_status)
        )
        order = list(Status)
        found = [
            Holding(destination, store, Status(status), files, int(size), *times)
            for destination, store, status, files, size, *times in self._rows(counted)
        ]
        return sorted(found, key=lambda each: (each.destination, each.store, order.index(each.status)))

    def sizes(self, destination: str, edges: Sequence[int]) -> list[Band]:
        """Counted by the database."""
        size = func.coalesce(copies.c.size, _its.size)
        return self._bands(destination, size, edges)

    def proofs(self, destination: str, edges: Sequence[datetime]) -> list[Band]:
        """Counted by the database."""
        return self._bands(destination, copies.c.proven, edges)

    def _bands(self, destination: str, measure: SQLColumnExpression[Any], edges: Sequence[Any]) -> list[Band]:
        numbers: list[ColumnElement[Any]] = [literal_column(str(number)) for number in range(len(edges) + 1)]
        below = [(measure < edge, number) for edge, number in zip(edges, numbers, strict=False)]
        band = case(*below, else_=numbers[-1]) if below else numbers[-1]
        one_by_one = (
            select(band.label("band"), rows.shown_size.label("size"))
            .select_from(rows.with_copies)
            .where(_its.object == MAIN, _its.destination == destination, _IS_PRESENT, measure.is_not(None))
            .subquery()
        )
        its = one_by_one.c
        counted = select(its.band, func.count(), func.sum(its.size)).group_by(its.band)
        found = {int(number): Band(files, int(size)) for number, files, size in self._rows(counted)}
        return [found.get(number, Band(0, 0)) for number in range(len(edges) + 1)]

    def growth(self, destination: str) -> list[Growth]:
        """The first success of each datafile, counted by the database."""
        its = attempts.c
        first = (
            select(func.min(its.started).label("first"), func.max(its.size).label("size"))
            .where(its.object == MAIN, its.destination == destination, its.status == Status.OK)
            .group_by(its.datafile_id)
            .subquery()
        )
        days = select(self._day(first.c.first).label("day"), first.c.size).subquery()
        counted = select(days.c.day, func.count(), func.sum(days.c.size)).group_by(days.c.day).order_by(days.c.day)
        return [Growth(date.fromisoformat(str(day)), files, int(size)) for day, files, size in self._rows(counted)]

    def _day(self, instant: ColumnElement[datetime]) -> SQLColumnExpression[Any]:
        if self._dialect == "sqlite":  # which stores UTC as text
            return func.date(instant)
        return cast(func.timezone("UTC", instant), Date)

    def datasets(self, limit: int) -> list[DatasetTally]:
        """Counted by the database."""
        failed = func.sum(case((shown_status.in_(FAILED), 1), else_=0)).label("failed")
        pending = func.sum(case((shown_status == Status.PENDING, 1), else_=0)).label("pending")
        dataset, destination = _its.persistent_id, _its.destination
        counted = (
            select(dataset, destination, func.count(), failed, pending, func.sum(rows.shown_size))
            .select_from(rows.with_copies)
            .where(_its.object == MAIN, _IS_PRESENT)
            .group_by(dataset, destination)
            .order_by(failed.desc(), pending.desc(), destination, dataset)
            .limit(limit)
        )
        return [DatasetTally(pid, place, *map(int, counts)) for pid, place, *counts in self._rows(counted)]

    def named(self, name: str, limit: int) -> list[int]:
        """Every row is looked at; LIKE finds too much (SQLite's ignores case), so what is found is looked at again."""
        stored = _its.storageidentifier
        fits = or_(
            stored == name,
            stored.endswith(f"/{name}", autoescape=True),
            stored.endswith(f":{name}", autoescape=True),
            _its.key == name,
            copies.c.key == name,
            _its.persistent_id == name,
            _its.label == name,
            and_(_its.directory_label != "", _its.directory_label + "/" + _its.label == name),
        )
        candidates = (
            select(_its.datafile_id, stored, _its.directory_label, _its.label, _its.persistent_id, _its.key)
            .add_columns(copies.c.key.label("copy_key"))
            .select_from(rows.with_copies)
            .where(_its.object == MAIN, fits)
        )
        found = {datafile_id for datafile_id, *known in self._rows(candidates) if goes_by(storable(name), *known)}
        return sorted(found)[:limit]

    def _rows(self, statement: Select[Any]) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(statement).all()
