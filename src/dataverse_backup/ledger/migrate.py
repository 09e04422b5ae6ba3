"""Brings the ledger's tables to the form that this version works with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Column, MetaData, String, Table, inspect, select

from dataverse_backup.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE = "ledger_version"
_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32)))
_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, place: str, to: str = "head") -> None:
    """Make or migrate the tables in the transaction of *connection*, which nobody else may be doing now.

    *to* is the version that they have then: the newest, but where a test wants an old one.

    Raises LedgerError for a ledger that a newer version of this tool made.
    """
    config = _config(connection)
    scripts = ScriptDirectory.from_config(config)
    stored = stored_version(connection)
    if stored == scripts.get_current_head():
        return
    if stored is not None and not _is_known(scripts, stored):
        raise LedgerError(
            f"the ledger {place} was made by a newer version of dataverse-backup (its tables have version {stored})",
            "install that version here too, or name another ledger in [Database] BackupDatabase",
        )
    command.upgrade(config, to)


def is_current(connection: Connection) -> bool:
    """Whether there is nothing to do for `upgrade`."""
    return stored_version(connection) == ScriptDirectory.from_config(_config(connection)).get_current_head()


def stored_version(connection: Connection) -> str | None:
    """The version of the tables; None where there are none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _is_known(scripts: ScriptDirectory, version: str) -> bool:
    try:
        return scripts.get_revision(version) is not None
    except CommandError:
        return False
