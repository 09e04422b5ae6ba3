"""The ledger in a database: SQLite, or PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, func, insert, make_url, or_, select, tuple_, update

from dataverse_backup.datafile import MAIN
from dataverse_backup.errors import LedgerError
from dataverse_backup.ledger import columns, migrate, rows, upserts
from dataverse_backup.ledger import takeover as original
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import BACKUP_VERB, Ledger, Status
from dataverse_backup.ledger.bulk import write_columns
from dataverse_backup.ledger.postgresql import PostgresDatabase
from dataverse_backup.ledger.rules import FAILED, check_attempts, counts, in_order, new_run_id
from dataverse_backup.ledger.sql_audits import SqlAudits
from dataverse_backup.ledger.sql_destinations import SqlDestinations
from dataverse_backup.ledger.sql_drills import SqlDrills
from dataverse_backup.ledger.sql_dumps import SqlDumps
from dataverse_backup.ledger.sql_kept import SqlKept
from dataverse_backup.ledger.sql_planning import SqlPlanning
from dataverse_backup.ledger.sql_removals import SqlRemovals
from dataverse_backup.ledger.sqlite import SqliteDatabase, is_there
from dataverse_backup.ledger.tables import (
    IS_COMPANION,
    copies,
    datafilestatus,
    ledger,
    primaries,
    runs,
    shown_reason,
    shown_status,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import Reason
    from dataverse_backup.ledger.base import (
        Attempt,
        Holder,
        Listed,
        Lock,
        RunRecord,
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


class SqlLedger(SqlAudits, SqlDestinations, SqlKept, SqlPlanning, SqlDumps, SqlRemovals, SqlDrills, Ledger):
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

    # What is recorded

    def record(self, run: str, attempts: Sequence[Attempt]) -> None:
        """All of it or nothing."""
        check_attempts(attempts)
        with self._database.writing() as connection:
            self._know(connection, *{attempt.destination for attempt in attempts})
            last = connection.scalar(upserts.LAST_KEPT, {"its_run": run}) or 0
            write_columns(connection, upserts.KEEP, columns.recorded(run, attempts))
            connection.execute(upserts.prove_by_attempts(self._dialect), {"its_run": run, "after": last})
            self._conclude(connection, attempts)
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
