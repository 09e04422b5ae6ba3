"""The ledger in a database: SQLite, or PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, bindparam, case, delete, func, insert, make_url, null, or_, select, tuple_, update

from dataverse_backup.datafile import MAIN
from dataverse_backup.errors import LedgerError
from dataverse_backup.ledger import columns, migrate, rows, upserts
from dataverse_backup.ledger import takeover as original
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import BACKUP_VERB, Ledger, Status
from dataverse_backup.ledger.bulk import write_columns
from dataverse_backup.ledger.occupants import in_the_way, is_stale, refold
from dataverse_backup.ledger.postgresql import PostgresDatabase
from dataverse_backup.ledger.rules import FAILED, check_attempts, counts, in_order, new_run_id
from dataverse_backup.ledger.sql_audits import SqlAudits
from dataverse_backup.ledger.sql_destinations import SqlDestinations
from dataverse_backup.ledger.sql_drills import SqlDrills
from dataverse_backup.ledger.sql_dumps import SqlDumps
from dataverse_backup.ledger.sql_history import PAGE
from dataverse_backup.ledger.sql_removals import SqlRemovals
from dataverse_backup.ledger.sqlite import SqliteDatabase, is_there
from dataverse_backup.ledger.statements import by_statement
from dataverse_backup.ledger.tables import (
    IS_COMPANION,
    IS_LOGO,
    copies,
    datafilestatus,
    destinations,
    ledger,
    primaries,
    runs,
    shown_reason,
    shown_status,
    stale_manifests,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection

    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.base import (
        Attempt,
        Holder,
        Kept,
        Listed,
        Lock,
        Marked,
        Planned,
        RunRecord,
        Standing,
        Takeover,
        Tally,
    )
    from dataverse_backup.ledger.database import Database
    from dataverse_backup.ledger.rules import Counts
    from dataverse_backup.verdict import Verdict


def open_ledger(url: URL | str, *, busy_timeout: float = 30.0) -> SqlLedger:
    """The ledger at *url*, made or migrated where need be: ``sqlite:///…`` (a file) or ``postgresql://…``.

    *busy_timeout* is how many seconds SQLite waits for another writer. Raises LedgerError and LedgerUnavailable.
    """
    database = _database(make_url(url), busy_timeout)
    try:
        return SqlLedger(database)
    except BaseException:
        database.engine.dispose()
        raise


def find_ledger(url: URL | str, *, busy_timeout: float = 30.0) -> SqlLedger | None:
    """The ledger at *url*, as `open_ledger` gives it; None where none was made yet, and nothing is made then."""
    url = make_url(url)
    if url.get_backend_name() == "sqlite" and url.database and not is_there(Path(url.database).absolute()):
        return None
    database = _database(url, busy_timeout)
    try:
        with database.reading() as connection:
            is_made = migrate.stored_version(connection) is not None
    finally:
        database.engine.dispose()
    return open_ledger(url, busy_timeout=busy_timeout) if is_made else None


def _database(url: URL, busy_timeout: float) -> Database:
    match url.get_backend_name(), url.database:
        case "postgresql" | "postgres", str():
            return PostgresDatabase(url)
        case "sqlite", str(path) if path not in ("", ":memory:"):
            return SqliteDatabase(Path(path).absolute(), busy_timeout=busy_timeout)
    raise LedgerError(
        f"no ledger can be kept in {url.render_as_string(hide_password=True)}",
        "[Database] BackupDatabase takes a name, a postgresql:// URL with a database, or a sqlite:/// URL with a file",
    )


class SqlLedger(SqlAudits, SqlDestinations, SqlDumps, SqlRemovals, SqlDrills, Ledger):
    """A ledger in a database, by SQLAlchemy Core; every read is short."""

    def __init__(self, database: Database) -> None:
        """Open the ledger in *database*; `open_ledger` is how it is called."""
        self._database = database
        self._dialect = database.engine.dialect.name
        self.id = self._known() or self._prepare()
        with database.reading() as connection:
            self._took_over = connection.scalar(select(ledger.c.original_rows)) is not None

    def __repr__(self) -> str:
        return f"SqlLedger({self._database.place!r})"

    def _known(self) -> str | None:
        """The ledger's id, where nothing is to be made or migrated: a command that only reads waits for no writer."""
        with self._database.reading() as connection:
            return connection.scalar(select(ledger.c.id)) if migrate.is_current(connection) else None

    def _prepare(self) -> str:
        """Make what is missing, in one transaction and one process at a time; the ledger's id."""
        with self._database.writing() as connection:
            self._database.prepare(connection)
            is_taken_over = original.set_aside(connection)
            migrate.upgrade(connection, self._database.place)
            known = connection.scalar(select(ledger.c.id))
            if known is None:
                known = str(uuid.uuid4())
                connection.execute(insert(ledger).values(id=known, made=_now()))
            if is_taken_over:
                original.remember(connection)
        return known

    def close(self) -> None:
        """Give back connections."""
        self._database.engine.dispose()

    # Locks and runs

    def lock(self, destination: str) -> AbstractContextManager[Lock]:
        """A file lock, or a lock of a session."""
        return self._database.lock(self.id, destination)

    def holder(self, destination: str) -> Holder | None:
        """Who holds that lock."""
        return self._database.holder(self.id, destination)

    def doubt(self, destination: str) -> int:
        """One update."""
        with self._database.writing() as connection:
            self._spoil_of(connection, destination)
            return connection.execute(upserts.DOUBT, {"its_destination": destination}).rowcount

    def begin_run(self, verb: str, destination: str) -> str:
        """One row, ended by `end_run`."""
        run, started = new_run_id(), _now()
        with self._database.writing() as connection:
            if destination != PRIMARY:
                self._know(connection, destination)
            connection.execute(insert(runs).values(run=run, verb=verb, destination=destination, started=started))
        return run

    def end_run(self, run: str, outcome: str, counted: Counts | None = None, *, message: str = "") -> RunRecord:
        """Its counts were kept by `record`, where it recorded attempts."""
        other = {"message": message, **({} if counted is None else counted._asdict())}
        its = runs.c.run == run
        with self._database.writing() as connection:
            connection.execute(update(runs).where(its).values(ended=_now(), outcome=outcome, **other))
            row = connection.execute(select(runs).where(its)).first()
        if row is None:
            raise LedgerError(f"the ledger {self._database.place} knows no run {run}")
        return rows.run_record(row)

    def last_run(self, destination: str | None = None) -> RunRecord | None:
        """The one that began last."""
        newest = select(runs).where(runs.c.verb == BACKUP_VERB).order_by(runs.c.id.desc()).limit(1)
        if destination is not None:
            newest = newest.where(runs.c.destination == destination)
        with self._database.reading() as connection:
            row = connection.execute(newest).first()
        return None if row is None else rows.run_record(row)

    # What the plan reads and writes

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
        now = _now()
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

    def record(self, run: str, attempts: Sequence[Attempt]) -> None:
        """All of it or nothing."""
        check_attempts(attempts)
        with self._database.writing() as connection:
            self._know(connection, *{attempt.destination for attempt in attempts})
            tries, proven = columns.recorded(run, attempts)
            write_columns(connection, upserts.KEEP, tries)
            self._conclude(connection, attempts)
            write_columns(connection, upserts.prove(self._dialect), proven)
            self._spoil_all(connection, attempts)
            counted = {name: runs.c[name] + count for name, count in counts(attempts)._asdict().items()}
            connection.execute(update(runs).where(runs.c.run == run).values(counted))

    def _conclude(self, connection: Connection, attempts: Sequence[Attempt]) -> None:
        """Where datafiles stand after *attempts*; by far the most are as they were noted, and OK now."""
        usual = [one for one in attempts if one.status is Status.OK and not one.datafile.is_companion]
        others = [one for one in attempts if one.status is not Status.OK or one.datafile.is_companion]
        is_in_order = {one.datafile.place for one in others}.isdisjoint(one.datafile.place for one in usual)
        done = is_in_order and _succeed(connection, usual)
        write_columns(connection, upserts.conclude(self._dialect), columns.tried(others if done else attempts))

    # What is asked

    def tallies(self, destination: str, *, companions: bool = False) -> list[Tally]:
        """Counted by the database."""
        its = IS_COMPANION if companions else datafilestatus.c.object == MAIN
        with self._database.reading() as connection:
            found = connection.execute(rows.tallies.where(datafilestatus.c.destination == destination, its))
            return in_order(rows.tally(row) for row in found)

    def listed(
        self,
        *,
        destination: str | None = None,
        status: Status | None = None,
        reason: Reason | None = None,
        dataset: str | None = None,
        datafile_id: int | None = None,
        verdict: Verdict | None = None,
    ) -> Iterator[Listed]:
        """Page by page."""
        its = datafilestatus.c
        wanted = {
            its.destination: destination,
            shown_status: status,
            shown_reason: reason,
            its.persistent_id: dataset,
            its.datafile_id: datafile_id,
        }
        page = rows.everything.where(*(column == value for column, value in wanted.items() if value is not None))
        if verdict is not None:
            page = page.where(or_(copies.c.verdict == verdict, primaries.c.verdict == verdict))
        order = tuple_(its.destination, its.datafile_id, its.object)
        page = page.order_by(its.destination, its.datafile_id, its.object)
        for row in self._paged(page, lambda last: order > (last.destination, last.datafile_id, last.object)):
            yield rows.listed(row)

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
            for table, values in zip((datafilestatus, copies), columns.kept(kept, _now()), strict=True):
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
        self._write(connection, upserts.spoil(self._dialect), stale)

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

    def oldest_failure(self, destination: str) -> datetime | None:
        """Of those that are still here and failing."""
        its = datafilestatus.c
        failing = its.destination == destination, shown_status.in_(FAILED)
        with self._database.reading() as connection:
            oldest: datetime | None = connection.scalar(select(func.min(its.failing_since)).where(*failing))
        return oldest

    # The original script's table

    def takeover(self) -> Takeover | None:
        """Counted by the database."""
        with self._database.reading() as connection:
            return original.summary(connection)

    def match_original(self, candidates: Iterable[tuple[Datafile, Sequence[str]]]) -> set[int]:
        """Looked up by dataset path and name."""
        if not self._took_over:
            return set()
        with self._database.writing() as connection:
            return original.match(connection, list(candidates))


def _succeed(connection: Connection, attempts: Sequence[Attempt]) -> bool:
    """Call the datafiles of *attempts* OK if that is all that is new of each of them; otherwise nothing is done."""
    with connection.begin_nested() as undone:
        if write_columns(connection, upserts.SUCCEED, columns.succeeded(attempts)) == len(attempts):
            return True
        undone.rollback()
        return False


def _now() -> datetime:
    return datetime.now(UTC)
