"""A ledger in PostgreSQL."""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine, func, select, text

from dataverse_backup.errors import LedgerError, LedgerUnavailable
from dataverse_backup.ledger.database import Database, one_line
from dataverse_backup.ledger.sessionlock import Session, held_by, lock_number, session_lock

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection
    from sqlalchemy.exc import DBAPIError

    from dataverse_backup.ledger.base import Holder, Lock

_CONNECT_TIMEOUT = 10
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}
"""A peer that vanished is noticed within 50 seconds (design, rule 13)."""

_MAKING_TABLES = 4_857_119_482_004_127
"""An advisory lock of our own: only one process at a time makes or migrates tables."""

_ENCODINGS = ("UTF8", "SQL_ASCII")

_LATER = ("08", "40", "53", "57", "55P03")
"""SQLSTATE classes under which the same call may succeed later: connection, deadlock, resources, operator, lock."""
_FULL = "53100"


class PostgresDatabase(Database):
    """One database of a PostgreSQL server, which holds nothing but this ledger or what the original script left."""

    def __init__(self, url: URL) -> None:
        """Use the database that *url* names; connects when it is first needed."""
        self._url = url.set(drivername="postgresql+psycopg")
        self.place = f"{url.database} on {url.host or 'the local socket'}{f':{url.port}' if url.port else ''}"
        arguments: dict[str, Any] = {
            "connect_timeout": _CONNECT_TIMEOUT,
            "client_encoding": "utf8",
            "application_name": "dataverse-backup",
            **_KEEPALIVES,
        }
        self.engine = create_engine(self._url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)
        named = self.engine.dialect.create_connect_args(self._url)[1]
        self._arguments = arguments | {name: value for name, value in named.items() if name != "context"}

    def prepare(self, connection: Connection) -> None:
        """Refuse the Dataverse's own database and encodings that cannot hold every name; wait for others."""
        another = f"make one of its own: {self._createdb('dataverse_backup')}, and name it in [Database] BackupDatabase"
        self.refuse_dataverse(connection, another)
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding not in _ENCODINGS:
            raise LedgerError(
                f"the database {self.place} has the encoding {encoding}, which cannot hold every name",
                f"make another one: {self._createdb('-E', 'UTF8', '-T', 'template0', 'dataverse_backup')}",
            )
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))

    def lock(self, ledger_id: str, destination: str) -> AbstractContextManager[Lock]:
        """Hold an advisory lock in a session of its own."""
        return session_lock(self._session, self.reading, ledger_id, destination)

    def holder(self, ledger_id: str, destination: str) -> Holder | None:
        """Who holds the advisory lock."""
        with closing(self._session("dataverse-backup")) as session:
            return held_by(session, lock_number(ledger_id, destination))

    def _session(self, application_name: str) -> Session:
        try:
            return psycopg.connect(**(self._arguments | {"application_name": application_name}), autocommit=True)
        except psycopg.Error as error:
            raise self._meaning(error, " ".join(str(error).split())) from error

    def translate(self, error: DBAPIError) -> LedgerError:
        """By SQLSTATE; where there is none, by whether the server answers at all."""
        return self._meaning(error.orig, one_line(error))

    def _meaning(self, error: object, said: str) -> LedgerError:
        state = getattr(error, "sqlstate", None)
        if state is None and isinstance(error, psycopg.OperationalError):
            return self._no_connection(said)
        if state == _FULL:
            return LedgerError(f"the ledger {self.place} cannot grow ({said})", "make room on the server's disk")
        if state is not None and state.startswith(_LATER):
            return LedgerUnavailable(
                f"the ledger {self.place} does not answer ({said})", "is PostgreSQL running there?"
            )
        hint = "its role needs to own its tables and may create more" if state == "42501" else ""
        return LedgerError(f"the ledger {self.place} cannot be used ({said})", hint)

    def _no_connection(self, said: str) -> LedgerError:
        """Tell a server that does not answer from one that refuses us.

        libpq gives no SQLSTATE for a failed connection, and its text is in any language: so ask the server.
        """
        answer = pq.PGconn.ping(make_conninfo(**self._arguments).encode())
        if answer != pq.Ping.OK:
            return LedgerUnavailable(
                f"the ledger {self.place} cannot be reached ({said})",
                "is PostgreSQL running there? [Database] Host, Port",
            )
        if self._connects(str(self._url.database)):
            return LedgerUnavailable(f"the ledger {self.place} was disconnected ({said})", "try again")
        if self._is_missing():
            return LedgerError(f"the ledger's database {self.place} does not exist", f"make it: {self._createdb()}")
        return LedgerError(
            f"the ledger {self.place} refuses us ({said})",
            "check [Database] Username and Password, ~/.pgpass, and pg_hba.conf on the server",
        )

    def _is_missing(self) -> bool:
        """Whether the server has no such database, as far as we may ask."""
        neighbour = next((name for name in ("postgres", "template1") if self._connects(name)), None)
        if neighbour is None:
            return False
        with closing(psycopg.connect(**(self._arguments | {"dbname": neighbour}))) as session:
            found = session.execute("SELECT FROM pg_database WHERE datname = %s", (self._url.database,))
            return found.fetchone() is None

    def _connects(self, database: str) -> bool:
        try:
            psycopg.connect(**(self._arguments | {"dbname": database})).close()
        except psycopg.Error:
            return False
        return True

    def _createdb(self, *what: str) -> str:
        options = {"-h": self._url.host, "-p": self._url.port, "-O": self._url.username}
        words = [word for option, value in options.items() if value for word in (option, str(value))]
        return shlex.join(["createdb", *words, *(what or [str(self._url.database)])])
