"""Where the ledger is: the meanings of ``[Database] BackupDatabase``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dataverse_backup.config.ledger_file import FORMS, ledger_file

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.config.database import DatabaseSettings

POSTGRESQL = "postgresql+psycopg"


def ledger_url(database: DatabaseSettings, folder: Path) -> URL:
    """The ledger of *database*, files relative to *folder*.

    Raises ValueError, without the URL, which may hold a password.
    """
    if (file := ledger_file(database, folder)) is not None:
        return URL.create("sqlite", database=str(file))
    given = database.backup_database.get_secret_value() if database.backup_database else ""
    if "://" not in given and any(c in given for c in "/\\:"):
        raise ValueError(FORMS)  # a path or half a URL, surely not the name of a database
    url = _remote(given, database) if "://" in given else _on_the_same_server(given, database)
    if _is_dataverse(url, database):
        raise ValueError("must not be the database of Dataverse itself")
    return url


def _on_the_same_server(name: str, database: DatabaseSettings) -> URL:
    password = database.password.get_secret_value() if database.password else None
    is_socket = database.host.startswith("/")
    query = {"host": database.host} if is_socket else {}
    if database.sslmode:
        query["sslmode"] = database.sslmode
    host = None if is_socket else database.host
    return URL.create(POSTGRESQL, database.username, password, host, database.port, name, query)


def _remote(given: str, database: DatabaseSettings) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ValueError(FORMS) from None  # its message has the URL in it
    if url.drivername not in ("postgresql", "postgres", POSTGRESQL) or not url.database:
        raise ValueError(FORMS)
    if "password" in url.query:
        raise ValueError("must not hold the password in its query, where nothing hides it: write user:password@host")
    if url.password is None and database.ledger_password:
        url = url.set(password=database.ledger_password.get_secret_value())
    return url.set(drivername=POSTGRESQL)


def _is_dataverse(url: URL, database: DatabaseSettings) -> bool:
    host = url.host or url.query.get("host") or "localhost"
    return (host, url.port or 5432, url.database) == (database.host, database.port, database.database)
