"""Brings the ledger's tables to the form that this version works with.

Alembic is imported when there is something to migrate: that takes a fifth of a second, and nearly always there is
nothing. A new ledger is made as its tables are now; tests hold that to be what all migrations together come to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, insert, inspect, select

from dataverse_backup.errors import LedgerError
from dataverse_backup.ledger.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

VERSION_TABLE = "ledger_version"
HEAD = "head"
"""The newest version, whatever it is called, in Alembic's word."""

_version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, place: str, to: str = HEAD) -> None:
    """Make or migrate the tables in the transaction of *connection*, which nobody else may be doing now.

    *to* is the version that they have then: the newest, but where a test wants an old one.

    Raises LedgerError for a ledger that a newer version of this tool made.
    """
    stored = stored_version(connection)
    if stored == newest_version():
        return
    if stored is None and to == HEAD:
        _make(connection)
        return
    from alembic import command  # noqa: PLC0415 -- see above

    config = _config(connection)
    if stored is not None and not _is_known(config, stored):
        raise LedgerError(
            f"the ledger {place} was made by a newer version of dataverse-backup (its tables have version {stored})",
            "install that version here too, or name another ledger in [Database] BackupDatabase",
        )
    command.upgrade(config, to)


def _make(connection: Connection) -> None:
    """All tables, where there are none: one that is there already belongs to somebody else, and is an error."""
    metadata.create_all(connection, checkfirst=False)
    _version.create(connection)
    connection.execute(insert(_version).values(version_num=newest_version()))


def is_current(connection: Connection) -> bool:
    """Whether there is nothing to do for `upgrade`."""
    return stored_version(connection) == newest_version()


def newest_version() -> str:
    """The version of the tables after `upgrade`: what the name of the last migration's file begins with."""
    return max(path.stem for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def stored_version(connection: Connection) -> str | None:
    """The version of the tables; None where there are none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 -- see above

    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _is_known(config: Config, version: str) -> bool:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 -- see above
    from alembic.util import CommandError  # noqa: PLC0415 -- see above

    try:
        return ScriptDirectory.from_config(config).get_revision(version) is not None
    except CommandError:
        return False
