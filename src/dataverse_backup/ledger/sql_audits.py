"""Audits in a database: what is to be looked at, page by page, and what was concluded."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true, tuple_, update

from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import LOGO, MAIN
from dataverse_backup.ledger import columns, judgements, rows, upserts
from dataverse_backup.ledger.audits import PRIMARY, Amount, Audits, Damage, VerdictRecord
from dataverse_backup.ledger.bulk import write, write_columns
from dataverse_backup.ledger.judgements import place_of
from dataverse_backup.ledger.rules import (
    FAILS_BY_VERDICT,
    check_judged,
    in_order_of_damage,
    is_worth_keeping,
    judged_counts,
    what_stands,
)
from dataverse_backup.ledger.sql_history import PAGE, SqlHistory
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import copies, datafilestatus, primaries, runs, verdicts
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Column, Connection, Row, Tuple
    from sqlalchemy.sql.dml import UpdateBase

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.audits import Choice, Judged
    from dataverse_backup.ledger.judgements import Place, Standing
    from dataverse_backup.ledger.records import Kept


_its = datafilestatus.c


class SqlAudits(SqlHistory, Audits, ABC):
    """What audits ask and tell; what else a ledger does is for its subclass."""

    def to_audit(self, destination: str, choice: Choice) -> Iterator[Kept]:
        """Two readings: what the clock cannot vouch for, by datafile id, and the rest by time."""
        of_interest = rows.every_kept.where(copies.c.destination == destination, _of_dataset(choice))
        number = tuple_(copies.c.datafile_id, copies.c.object)
        for row in self._oldest_first(of_interest, copies.c.proven, number, choice):
            yield rows.kept(row)

    def amount_to_audit(self, destination: str, choice: Choice) -> Amount:
        """Counted by the database."""
        its = copies.c
        counted = _amount(its.proven, its.size, choice)
        if choice.dataset is None:
            return self._amount(counted.where(its.destination == destination))
        joined = counted.select_from(copies.join(datafilestatus, rows.HAS_COPY))
        return self._amount(joined.where(its.destination == destination, _of_dataset(choice)))

    def note_primaries(self, datafiles: Sequence[Datafile]) -> None:
        """One upsert."""
        values = [
            {"datafile_id": one.id, "object": one.tag, "store": one.store_id, "size": one.size} for one in datafiles
        ]
        with self._database.writing() as connection:
            self._write(connection, judgements.note_primary(self._dialect), values)

    def primaries_to_audit(self, choice: Choice) -> Iterator[int]:
        """As copies, after those that were never proven."""
        its = primaries.c
        every = select(its.datafile_id, its.object, its.proven).where(its.object.in_((MAIN, LOGO)))
        for row in self._oldest_first(every, its.proven, tuple_(its.datafile_id, its.object), choice):
            yield row.datafile_id

    def amount_of_primaries(self, choice: Choice) -> Amount:
        """Counted by the database."""
        its = primaries.c
        return self._amount(_amount(its.proven, its.size, choice).where(its.object == MAIN))

    def doubtful_companions(self) -> list[tuple[int, str]]:
        """They are few."""
        its = primaries.c
        asked = select(its.datafile_id, its.object).where(its.object != MAIN, its.verdict.is_not(None))
        return [(number, tag) for number, tag in self._rows(asked.order_by(its.datafile_id, its.object))]

    def forget_primaries(self, datafile_ids: Sequence[int], companions: Sequence[tuple[int, str]] = ()) -> None:
        """What was said of them stays among the verdicts."""
        its = primaries.c
        with self._database.writing() as connection:
            for some in by_statement(datafile_ids):
                connection.execute(primaries.delete().where(its.datafile_id.in_(some)))
            for number, tag in companions:
                connection.execute(primaries.delete().where(its.datafile_id == number, its.object == tag))

    def _oldest_first(
        self, every: Select[Any], proven: Column[datetime], number: Tuple, choice: Choice
    ) -> Iterator[Row[Any]]:
        doubtful = every.where(or_(proven > choice.now, proven.is_(None))).order_by(*number.clauses)
        yield from self._paged(doubtful, lambda last: number > (last.datafile_id, last.object))
        last_time = "proven" if "proven" in every.selected_columns else "copy_proven"

        def after(last: Row[Any]) -> ColumnElement[bool]:
            time = getattr(last, last_time)
            return or_(proven > time, and_(proven == time, number > (last.datafile_id, last.object)))

        yield from self._paged(every.where(_is_old(proven, choice)).order_by(proven, *number.clauses), after)

    def _amount(self, counted: Select[Any]) -> Amount:
        with self._database.reading() as connection:
            files, size, oldest, unproven = connection.execute(counted).one()
        return Amount(files, int(size or 0), None if unproven else oldest)

    # Verdicts

    def judge(self, run: str, judged: Sequence[Judged]) -> None:
        """All of it or nothing."""
        check_judged(judged)
        with self._database.writing() as connection:
            before = self._standing(connection, judged)
            on_copies = [one for one in judged if one.destination != PRIMARY]
            self._judge_copies(connection, on_copies, before)
            on_primaries = [judgements.primary_values(one, before) for one in judged if one.destination == PRIMARY]
            self._write(connection, judgements.judge_primary(self._dialect), on_primaries)
            kept = [one for one in judged if is_worth_keeping(one, before.get(place_of(one)))]
            self._write(connection, judgements.TELL, [judgements.event_values(run, one) for one in kept])
            counted = {name: runs.c[name] + count for name, count in judged_counts(judged).items()}
            connection.execute(update(runs).where(runs.c.run == run).values(counted))

    def _judge_copies(self, connection: Connection, judged: Sequence[Judged], before: Standing) -> None:
        again = [one for one in judged if one.proof is not None]
        places = [one.destination for one in again], [one.datafile for one in again]
        write_columns(connection, upserts.prove(self._dialect), columns.proven(*places, [one.proof for one in again]))
        standing = ((one, what_stands(one, before.get(place_of(one)))) for one in judged)
        bad = [judgements.copy_values(one, verdict) for one, verdict in standing if verdict is not None]
        self._write(connection, judgements.JUDGE_COPY, bad)
        failed = [one for one in judged if one.verdict in FAILS_BY_VERDICT]
        self._write(connection, judgements.FAIL, [judgements.failure_values(one) for one in failed])
        intact = (one for one in judged if one.proof and one.verdict is Verdict.INTACT)
        recovered = [one for one in intact if before.get(place_of(one)) in FAILS_BY_VERDICT]
        self._write(connection, judgements.RECOVER, [judgements.recovery_values(one) for one in recovered])

    def _standing(self, connection: Connection, judged: Sequence[Judged]) -> Standing:
        found: dict[Place, Verdict] = {}
        for destination in {one.destination for one in judged}:
            its = (primaries if destination == PRIMARY else copies).c
            asked = select(its.datafile_id, its.object, its.verdict).where(its.verdict.is_not(None))
            if destination != PRIMARY:
                asked = asked.where(copies.c.destination == destination)
            for some in by_statement([one.datafile.id for one in judged if one.destination == destination]):
                for datafile_id, tag, word in connection.execute(asked.where(its.datafile_id.in_(some))):
                    found[destination, datafile_id, tag] = Verdict(word)
        return found

    def verdicts(self, *, run: str | None = None, datafile_id: int | None = None) -> Iterator[VerdictRecord]:
        """Page by page."""
        its = verdicts.c
        wanted = {its.run: run, its.datafile_id: datafile_id}
        page = select(verdicts).where(*(column == value for column, value in wanted.items() if value is not None))
        for row in self._paged(page.order_by(its.id), lambda last: its.id > last.id):
            yield judgements.record_of(row)

    def damage(self) -> list[Damage]:
        """Counted by the database."""
        found = []
        for its, destination in ((copies.c, copies.c.destination), (primaries.c, None)):
            place = [] if destination is None else [destination]
            counted = (
                select(its.verdict, func.count(), func.sum(func.coalesce(its.size, 0)), func.min(its.judged), *place)
                .where(its.verdict.is_not(None))
                .group_by(its.verdict, *place)
            )
            found += [
                Damage(name[0] if name else PRIMARY, Verdict(word), files, int(size), since)
                for word, files, size, since, *name in self._rows(counted)
            ]
        return in_order_of_damage(found)

    def _write(self, connection: Connection, statement: UpdateBase, values: Sequence[dict[str, Any]]) -> None:
        for some in chunks(values, PAGE):
            write(connection, statement, some)


def _of_dataset(choice: Choice) -> ColumnElement[bool]:
    return _its.persistent_id == choice.dataset if choice.dataset is not None else true()


def _is_old(proven: Column[datetime], choice: Choice) -> ColumnElement[bool]:
    """Whether a proof that the clock can vouch for is too old."""
    limit = choice.proven_before
    return proven <= choice.now if limit is None else and_(proven <= choice.now, proven < limit)


def _amount(proven: Column[datetime], size: Column[int], choice: Choice) -> Select[Any]:
    is_unproven = or_(proven > choice.now, proven.is_(None))
    unproven = func.sum(case((is_unproven, 1), else_=0))
    sums: list[ColumnElement[Any]] = [func.count(), func.sum(func.coalesce(size, 0)), func.min(proven), unproven]
    return select(*sums).where(or_(is_unproven, _is_old(proven, choice)))
