"""Where the ledger is, if it is a file: said without SQLAlchemy, which takes a tenth of a second to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.config.values import absolute

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.config.database import DatabaseSettings

SQLITE = "sqlite:///"
BESIDE = "ledger.db"
FORMS = "must be the name of a database, a postgresql:// URL with a database, or sqlite:/// and a path"


def ledger_file(database: DatabaseSettings, folder: Path) -> Path | None:
    """The file that ``[Database] BackupDatabase`` means, relative to *folder*; None for a database of a server.

    Raises ValueError where it names no file.
    """
    given = database.backup_database.get_secret_value() if database.backup_database else ""
    if not given:
        return folder / BESIDE
    if not given.startswith(SQLITE):
        return None
    path = given.removeprefix(SQLITE)
    if not path or path == ":memory:" or path.endswith("/"):
        raise ValueError(FORMS)
    return absolute(path, folder)
