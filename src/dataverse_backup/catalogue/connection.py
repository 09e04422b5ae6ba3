"""How to reach the Dataverse database, and what its errors mean for us."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.types.string import TextLoader

from dataverse_backup.errors import CatalogueError, CatalogueUnavailable, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

Session = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS = 15

# Lost connections, conflicts (a standby's too), resources, locks, an operator, the system, an old snapshot.
_PASSING_CLASSES = ("08", "40", "53", "55", "57", "58", "72")
_REFUSING_CLASSES = (
    *("02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26", "27", "28"),
    *("2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "42", "44", "54", "F0", "HV", "P0", "XX"),
)

MEANING: Final[dict[str, type[CatalogueError]]] = {
    **dict.fromkeys(_PASSING_CLASSES, CatalogueUnavailable),
    **dict.fromkeys(_REFUSING_CLASSES, CatalogueError),
    # Single ones that differ from their class.
    **dict.fromkeys(("25P03", "25P04"), CatalogueUnavailable),  # a transaction that took too long
    "57P04": CatalogueError,  # the database was dropped
}
"""What an SQLSTATE means, whole or else by its class, the first two characters."""

_LATER = re.compile(r"too many|connection slots|starting up|shutting down|closed the connection|timeout", re.IGNORECASE)
_REFUSED = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|permission denied|not permitted to log in"
    r"|not currently accepting connections|does not support SSL|certificate|invalid \w+ value"
)
"""A server that turns us away before the session begins says so in words only: libpq gives no SQLSTATE there."""

_ENCODING_STATES = ("22021", "22P05")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the Dataverse database is, and as whom to read it."""

    host: str
    """A name, an address, or the folder of a Unix socket."""
    port: int
    dbname: str
    user: str
    password: str | None = field(default=None, repr=False)
    """None leaves it to libpq: PGPASSWORD, ~/.pgpass, or a method without passwords."""
    sslmode: str | None = None
    """As libpq's; None is its default."""

    @property
    def parameters(self) -> dict[str, Any]:
        """What libpq is told of every connection, but for the password; None leaves one out."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
            "user": self.user,
            "sslmode": self.sslmode,
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "dataverse-backup",
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.dbname}"


class _ByteKeepingLoader(TextLoader):
    """Text of a database that promises no encoding: what is no UTF-8 becomes lone surrogates, as in file names."""

    def load(self, data: bytes | bytearray | memoryview) -> str:
        return bytes(data).decode("utf-8", "surrogateescape")


@contextmanager
def session(address: DatabaseAddress) -> Iterator[Session]:
    """A connection whose transactions are all REPEATABLE READ and READ ONLY, the first begun; raises CatalogueError."""
    with translated(address), closing(_connect(address)) as connection:
        yield connection


@contextmanager
def translated(address: DatabaseAddress) -> Iterator[None]:
    """Raise what psycopg raises inside as CatalogueError or CatalogueUnavailable."""
    try:
        yield
    except psycopg.Error as error:
        raise _translation(error, address) from error


def _connect(address: DatabaseAddress) -> Session:
    connection = psycopg.connect(
        **address.parameters,
        password=address.password,
        client_encoding="UTF8",
        prepare_threshold=None,  # connection poolers lose prepared statements
    )
    try:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        # Compiling takes longer than it saves here; PostgreSQL 10 and older cannot do it. And a policy that hides rows
        # from us must be an error, never a shorter catalogue. What we list we read to its end. For this transaction
        # only: a setting of the session would stay in a connection pooler and reach whoever comes next.
        connection.execute(
            "SELECT set_config(name, 'off', true) FROM pg_catalog.pg_settings WHERE name IN ('jit', 'row_security');"
            "SET LOCAL cursor_tuple_fraction = 1"
        )
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            _take_bytes_as_they_are(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _take_bytes_as_they_are(connection: Session) -> None:
    """Let a database without encoding send what it has: asked for UTF-8, it would fail at the first other byte."""
    connection.execute("SET LOCAL client_encoding = 'SQL_ASCII'")
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, _ByteKeepingLoader)


def _translation(error: psycopg.Error, address: DatabaseAddress) -> CatalogueError:
    said = printable(re.sub(r"\s+", " ", str(error)).strip())
    place = f"the Dataverse database {address}"
    if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
        return _without_state(error, place, said)
    state = error.sqlstate or ""
    meaning = MEANING.get(state) or MEANING.get(state[:2], CatalogueError)
    if meaning is CatalogueUnavailable:
        return CatalogueUnavailable(f"{place} does not answer: {said}", "it may be restarting; try again later")
    return CatalogueError(f"{place} cannot be read: {said}", _hint(state))


def _without_state(error: psycopg.OperationalError, place: str, said: str) -> CatalogueError:
    if _is_refusal(error, said):
        hint = "check [Database] Database, Username and Password, ~/.pgpass, and the server's pg_hba.conf"
        return CatalogueError(f"{place} refuses us: {said}", hint)
    return CatalogueUnavailable(f"{place} does not answer: {said}", "check [Database] Host and Port, and its server")


def _is_refusal(error: psycopg.OperationalError, said: str) -> bool:
    if _LATER.search(said):
        return False
    # A server may speak any language; one that had asked for a password was there and did not like us.
    attempt = error.pgconn
    return bool(_REFUSED.search(said)) or (attempt is not None and attempt.used_password)


def _hint(state: str) -> str:
    if state in _ENCODING_STATES:
        return "the database holds text that is not in its own encoding; ask its administrator to mend that row"
    return "check [Database]; is this the database of Dataverse?"
