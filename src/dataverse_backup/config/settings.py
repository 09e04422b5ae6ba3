"""The settings of one run, as checked values."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from dataverse_backup.config.database import DatabaseSettings
from dataverse_backup.config.destinations import DestinationSettings
from dataverse_backup.config.ledger_file import ledger_file
from dataverse_backup.config.notifications import NotificationSettings
from dataverse_backup.config.stores import StoreSettings
from dataverse_backup.config.values import Kinds, LocalPath, SectionModel
from dataverse_backup.datafile import Kind

if TYPE_CHECKING:
    from sqlalchemy import URL

FILE_STORE = "file"
"""The store id that FileSystemDirectory speaks of, and the default store."""


class RepositorySettings(SectionModel):
    """Where Dataverse keeps its files; further stores have sections of their own."""

    file_system_directory: LocalPath | None = Field(
        None,
        alias="FileSystemDirectory",
        description=f"The folder of store {FILE_STORE}, dataverse.files.directory of Dataverse.",
        examples=["/usr/local/dvn/data"],
        json_schema_extra={"live": True},
    )
    default_store: str = Field(
        FILE_STORE, alias="DefaultStore", description="The store of files whose storage identifier names none."
    )
    companions: Kinds = Field(
        tuple(Kind),
        alias="Companions",
        description="What is backed up beside the files because nobody can make it again: tab (what Dataverse made of "
        "ingested files), auxiliary (registered auxiliary files), provenance, logos (of datasets; their stores are "
        "asked, for the database does not tell); several parted by commas, or none.",
        examples=["tab, auxiliary, provenance, logos"],
    )


class Settings(SectionModel):
    """Everything that the configuration file says, checked."""

    path: Path
    database: DatabaseSettings
    default_store: str
    companions: tuple[Kind, ...]
    """What is backed up beside the files."""
    stores: dict[str, StoreSettings]
    destinations: dict[str, DestinationSettings]
    notifications: NotificationSettings
    warnings: list[str]
    """What works and should still be changed, such as a password that others can read."""

    @property
    def ledger_url(self) -> "URL":
        """The database of the ledger, with its password; never write it out unmasked."""
        from dataverse_backup.config.ledger_url import ledger_url  # noqa: PLC0415 - SQLAlchemy is slow to import

        return ledger_url(self.database, self.path.parent)

    @property
    def ledger_file(self) -> Path | None:
        """The file that the ledger is; None where it is in a database of a server."""
        return ledger_file(self.database, self.path.parent)
