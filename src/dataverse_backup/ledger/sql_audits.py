"""Audits in a database: what is to be looked at, page by page, and what was concluded."""

from __future__ import annotations

from abc import ABC
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)

from dataverse_backup.datafile import MAIN
from dataverse_backup.errors import Reason
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.ledger import cells, rows, upserts
from dataverse_backup.ledger.audits import PRIMARY, Amount, Audits, Damage, VerdictRecord
from dataverse_backup.ledger.bulk import write
from dataverse_backup.ledger.chunks import chunks
from dataverse_backup.ledger.records import Status
from dataverse_backup.ledger.rules import (
    BACK_TO_NORMAL,
    FAILS_BY_VERDICT,
    check_judged,
    in_order_of_damage,
    is_worth_keeping,
    judged_counts,
    what_stands,
)
from dataverse_backup.ledger.sql_history import PAGE, SqlHistory
from dataverse_backup.ledger.tables import copies, datafilestatus, primaries, runs, verdicts
from dataverse_backup.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, Connection, Row, Tuple
    from sqlalchemy.sql.dml import UpdateBase

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.audits import Choice, Judged
    from dataverse_backup.ledger.records import Kept

    Place = tuple[str, int, str]
    """Destination, datafile id and tag."""
    Standing = Mapping[Place, Verdict]
    """The verdicts that stood before; *intact* is absent."""

_its = datafilestatus.c

_JUDGE_COPY = (
    update(copies)
    .where(copies.c.destination == bindparam("its_destination"), copies.c.datafile_id == bindparam("its_id"))
    .where(copies.c.object == bindparam("its_object"), copies.c.key == bindparam("its_key"))
    .values(verdict=bindparam("its_verdict"), judged=bindparam("its_time"))
)
_FAIL = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == bindparam("its_object"))
    .values(
        status=Status.FAIL_WRITE,
        reason=bindparam("its_reason"),
        message=bindparam("its_message"),
        failing_since=func.coalesce(_its.failing_since, bindparam("its_time", type_=_its.failing_since.type)),
    )
)
_RECOVER = (
    update(datafilestatus)
    .where(_its.destination == bindparam("its_destination"), _its.datafile_id == bindparam("its_id"))
    .where(_its.object == bindparam("its_object"), _its.status == Status.FAIL_WRITE)
    .where(or_(*(_its.reason == reason for reason in BACK_TO_NORMAL)))
    .where(_its.key == bindparam("its_key"), _its.checksum.is_not_distinct_from(bindparam("its_registered")))
    .values(
        status=Status.OK,
        reason=case((and_(_its.checksum.is_(None), _its.object == MAIN), Reason.NO_CHECKSUM.value), else_=null()),
        message="",
        failing_since=null(),
    )
)
_TELL = insert(verdicts)


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
        values = [{"datafile_id": one.id, "store": one.store_id, "size": one.size} for one in datafiles]
        with self._database.writing() as connection:
            self._write(connection, _note(self._dialect), values)

    def primaries_to_audit(self, choice: Choice) -> Iterator[int]:
        """As copies, after those that were never proven."""
        its = primaries.c
        every = select(its.datafile_id, its.object, its.proven).where(its.object == MAIN)
        for row in self._oldest_first(every, its.proven, tuple_(its.datafile_id, its.object), choice):
            yield row.datafile_id

    def amount_of_primaries(self, choice: Choice) -> Amount:
        """Counted by the database."""
        its = primaries.c
        return self._amount(_amount(its.proven, its.size, choice).where(its.object == MAIN))

    def forget_primaries(self, datafile_ids: Sequence[int]) -> None:
        """What was said of them stays among the verdicts."""
        with self._database.writing() as connection:
            for some in chunks(datafile_ids):
                connection.execute(primaries.delete().where(primaries.c.datafile_id.in_(some)))

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
            on_primaries = [_primary_values(one, before) for one in judged if one.destination == PRIMARY]
            self._write(connection, _judge_primary(self._dialect), on_primaries)
            kept = [one for one in judged if is_worth_keeping(one, before.get(_place(one)))]
            self._write(connection, _TELL, [_event(run, one) for one in kept])
            counted = {name: runs.c[name] + count for name, count in judged_counts(judged).items()}
            connection.execute(update(runs).where(runs.c.run == run).values(counted))

    def _judge_copies(self, connection: Connection, judged: Sequence[Judged], before: Standing) -> None:
        proven = [
            cells.proof_values(one.proof) | cells.place_values(one.destination, one.datafile)
            for one in judged
            if one.proof is not None
        ]
        self._write(connection, upserts.prove(self._dialect), proven)
        standing = [_copy_values(one, what_stands(one, before.get(_place(one)))) for one in judged]
        self._write(connection, _JUDGE_COPY, [values for values in standing if values["its_verdict"] is not None])
        self._write(connection, _FAIL, [_failure(one) for one in judged if one.verdict in FAILS_BY_VERDICT])
        recovered = [one for one in judged if one.proof and before.get(_place(one)) in FAILS_BY_VERDICT]
        self._write(connection, _RECOVER, [_recovery(one) for one in recovered if one.verdict is Verdict.INTACT])

    def _standing(self, connection: Connection, judged: Sequence[Judged]) -> Standing:
        found: dict[Place, Verdict] = {}
        for destination in {one.destination for one in judged}:
            its = (primaries if destination == PRIMARY else copies).c
            asked = select(its.datafile_id, its.object, its.verdict).where(its.verdict.is_not(None))
            if destination != PRIMARY:
                asked = asked.where(copies.c.destination == destination)
            for some in chunks([one.datafile.id for one in judged if one.destination == destination]):
                for datafile_id, tag, word in connection.execute(asked.where(its.datafile_id.in_(some))):
                    found[destination, datafile_id, tag] = Verdict(word)
        return found

    def verdicts(self, *, run: str | None = None, datafile_id: int | None = None) -> Iterator[VerdictRecord]:
        """Page by page."""
        its = verdicts.c
        wanted = {its.run: run, its.datafile_id: datafile_id}
        page = select(verdicts).where(*(column == value for column, value in wanted.items() if value is not None))
        for row in self._paged(page.order_by(its.id), lambda last: its.id > last.id):
            yield _record(row)

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


def _place(judged: Judged) -> Place:
    return judged.destination, judged.datafile.id, judged.datafile.tag


def _place_values(judged: Judged) -> dict[str, Any]:
    return {
        "its_destination": judged.destination,
        "its_id": judged.datafile.id,
        "its_object": judged.datafile.tag,
    }


def _copy_values(judged: Judged, stands: Verdict | None) -> dict[str, Any]:
    return _place_values(judged) | {
        "its_key": judged.key,
        "its_verdict": stands,
        "its_time": judged.at,
    }


def _failure(judged: Judged) -> dict[str, Any]:
    return _place_values(judged) | {
        "its_reason": FAILS_BY_VERDICT[judged.verdict],
        "its_message": judged.message,
        "its_time": judged.at,
    }


def _recovery(judged: Judged) -> dict[str, Any]:
    registered = judged.proof.registered if judged.proof else None
    return _place_values(judged) | {
        "its_key": judged.key,
        "its_registered": None if registered is None else str(registered),
    }


def _primary_values(judged: Judged, before: Standing) -> dict[str, Any]:
    is_proven = judged.verdict is Verdict.INTACT and judged.how is not None
    return {
        "datafile_id": judged.datafile.id,
        "object": judged.datafile.tag,
        "store": judged.datafile.store_id,
        "size": judged.size,
        "proven": judged.at if is_proven else None,
        "verdict": what_stands(judged, before.get(_place(judged))),
        "judged": judged.at,
    }


def _event(run: str, judged: Judged) -> dict[str, Any]:
    file = judged.datafile
    return {
        "run": run,
        "datafile_id": file.id,
        "object": file.tag,
        "destination": judged.destination,
        "persistent_id": file.dataset.persistent_id,
        "directory_label": file.directory_label,
        "label": file.label,
        "store": file.store_id,
        "storageidentifier": file.storageidentifier,
        "key": judged.key,
        "verdict": judged.verdict,
        "message": judged.message,
        "how": judged.how,
        "at": judged.at,
        "size": judged.size,
    }


def _record(row: Row[Any]) -> VerdictRecord:
    return VerdictRecord(
        run=row.run,
        destination=row.destination,
        datafile_id=row.datafile_id,
        dataset=row.persistent_id,
        directory_label=row.directory_label,
        label=row.label,
        store=row.store,
        storageidentifier=row.storageidentifier,
        key=row.key,
        verdict=Verdict(row.verdict),
        message=row.message,
        how=None if row.how is None else VerifiedBy(row.how),
        at=row.at,
        size=row.size,
        tag=row.object,
    )


@cache
def _note(dialect: str) -> upserts.Insert:
    """A primary is known; where it was known it may be in another store by now."""
    upsert = upserts.insert_into(dialect, primaries)
    new = upsert.excluded
    return upsert.on_conflict_do_update(
        index_elements=primaries.primary_key.columns,
        set_={"store": new.store, "size": func.coalesce(primaries.c.size, new.size)},
    )


@cache
def _judge_primary(dialect: str) -> upserts.Insert:
    """A primary was looked at."""
    upsert = upserts.insert_into(dialect, primaries)
    new = upsert.excluded
    return upsert.on_conflict_do_update(
        index_elements=primaries.primary_key.columns,
        set_={
            "store": new.store,
            "size": func.coalesce(new.size, primaries.c.size),
            "proven": func.coalesce(new.proven, primaries.c.proven),
            "verdict": new.verdict,
            "judged": new.judged,
        },
    )
