"""The databases: Dataverse's, which says what must exist, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.assembly.plain import secret

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.catalogue.connection import DatabaseAddress
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger


def open_catalogue(settings: Settings) -> Catalogue:
    """The Dataverse database. Nothing is connected before it is asked."""
    from dataverse_backup.catalogue.dataverse import DataverseCatalogue  # noqa: PLC0415 -- when used

    database, address = settings.database, _address(settings)
    return DataverseCatalogue(
        address,
        timezone=database.timezone,
        default_store=settings.default_store,
        companions=settings.companions,
    )


def make_dumper(settings: Settings, names: Iterable[str]) -> Dumper | None:
    """What dumps the Dataverse database, if one of the destinations called *names* is to keep dumps."""
    if not any(settings.destinations[name].database_dump for name in names):
        return None
    from dataverse_backup.catalogue.pg_dump import PgDump  # noqa: PLC0415 -- when used

    program = settings.database.pg_dump
    return PgDump(_address(settings), None if program is None else str(program))


def _address(settings: Settings) -> DatabaseAddress:
    from dataverse_backup.catalogue.connection import DatabaseAddress  # noqa: PLC0415 -- when used

    database = settings.database
    return DatabaseAddress(
        host=database.host,
        port=database.port,
        dbname=database.database,
        user=database.username,
        password=secret(database.password),
        sslmode=database.sslmode,
    )


def open_ledger(settings: Settings) -> Ledger:
    """The ledger; made and migrated at first use. Raises LedgerError."""
    from dataverse_backup.ledger.sql import open_ledger as open_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return open_sql_ledger(settings.ledger_url)


def has_no_ledger(settings: Settings) -> bool:
    """Whether there is no ledger yet, as far as one sees without opening it: then all that there is will be copied."""
    return settings.ledger_file is not None and not settings.ledger_file.exists()


def find_ledger(settings: Settings) -> Ledger | None:
    """The ledger, or None where no run has made it yet; makes nothing. Raises LedgerError."""
    from dataverse_backup.ledger.sql import find_ledger as find_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return find_sql_ledger(settings.ledger_url)


def empty_ledger() -> Ledger:
    """What is known before the first run; it is forgotten again."""
    from dataverse_backup.ledger.memory import MemoryLedger  # noqa: PLC0415 -- hardly ever needed

    return MemoryLedger()


def open_passing_ledger(folder: Path) -> Ledger:
    """A ledger in *folder*, for the time of one command."""
    from dataverse_backup.ledger.sql import open_ledger as open_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return open_sql_ledger(f"sqlite:///{folder}/ledger.db")
