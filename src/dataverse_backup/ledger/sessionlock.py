"""The lock in PostgreSQL: an advisory lock of a session of its own, which ends when its holder dies."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import closing, contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

import psycopg

from dataverse_backup.errors import LedgerError, LedgerUnavailable, LockHeld
from dataverse_backup.ledger.records import Holder
from dataverse_backup.ledger.rules import described, lock_held
from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection
Session = psycopg.Connection[tuple[Any, ...]]

_HELD_BY = """
    SELECT l.pid, a.application_name, a.backend_start
    FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""
_KEEPALIVES = """
    SELECT set_config('tcp_keepalives_idle', '20', false),
           set_config('tcp_keepalives_interval', '10', false),
           set_config('tcp_keepalives_count', '3', false)
"""
"""The server asks too: the session of a machine that vanished ends within a minute, and its lock with it."""


class SessionLock:
    """The lock of one destination, while its session lives."""

    def __init__(self, session: Session, number: int, destination: str) -> None:
        """Lock *number* in *session*, which is used for nothing else; raises LockHeld."""
        self._session, self._number, self._destination = session, number, destination
        session.execute(_KEEPALIVES)
        self._process = _process(session)

    def acquire(self) -> None:
        """Take the lock; raises LockHeld."""
        row = self._session.execute("SELECT pg_try_advisory_lock(%s)", (self._number,)).fetchone()
        if row is None or not row[0]:
            raise lock_held(self._destination, held_by(self._session, self._number))

    def confirm(self) -> None:
        """Raise LockHeld where the session was lost or is another one: its lock went with it."""
        try:
            rows = self._session.execute(_HELD_BY, (self._number,)).fetchall()
            is_ours = _process(self._session) == self._process and self._process in [row[0] for row in rows]
            problem = "" if is_ours else "its session is no longer the same"
        except psycopg.Error as error:
            problem = f"its database session has ended ({' '.join(str(error).split())})"
        if problem:
            raise LockHeld(
                f"the lock was lost: destination {self._destination}: {problem}",
                "another run may have started; nothing more is recorded by this one",
            )

    def refuse_pooling(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        """Raise LedgerError where a pool shares sessions: a lock would belong to whoever comes next.

        While *begin* () keeps a transaction open, a pool must give that session another backend (design, rule 13).
        """
        with begin() as other:
            other.exec_driver_sql("SELECT 1")  # a transaction begins with its first statement
            if _process(self._session) != self._process:
                raise LedgerError(
                    "the ledger's database is reached through a connection pool that shares sessions (pgbouncer?), "
                    "under which no lock holds",
                    "name the server's own host and port in [Database], or set pool_mode = session for this database",
                )


@contextmanager
def session_lock(
    connect: Callable[[str], Session],
    begin: Callable[[], AbstractContextManager[Connection]],
    ledger_id: str,
    destination: str,
) -> Iterator[SessionLock]:
    """Hold *destination* in a session of its own, made by ``connect(application name)``."""
    name = f"dataverse-backup {os.getpid()}@{socket.gethostname()} {storable(destination)}"
    with closing(connect(name)) as session:
        lock = _taken(session, begin, ledger_id, destination)
        yield lock


def _taken(
    session: Session, begin: Callable[[], AbstractContextManager[Connection]], ledger_id: str, destination: str
) -> SessionLock:
    try:
        lock = SessionLock(session, lock_number(ledger_id, destination), destination)
        lock.refuse_pooling(begin)
        lock.acquire()
    except psycopg.Error as error:
        raise LedgerUnavailable(f"no lock could be taken on destination {destination}: {error}", "try again") from error
    return lock


def lock_number(ledger_id: str, destination: str) -> int:
    """The number of a destination's lock: 63 bits, so that it reads the same in ``pg_locks``."""
    digest = hashlib.blake2b(f"{ledger_id} {storable(destination)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def held_by(session: Session, number: int) -> Holder | None:
    """Who holds the lock *number*."""
    row = session.execute(_HELD_BY, (number,)).fetchone()
    if row is None:
        return None
    process, name, started = row
    since = started.astimezone(UTC) if started else None  # another role's session does not show it
    if match := re.match(r"dataverse-backup (\d+)@(\S+)", name or ""):
        return Holder(described(match[1], match[2]), since)
    return Holder(f"the database session with backend process {process}", since)


def _process(session: Session) -> int:
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives a row
    return int(row[0])
