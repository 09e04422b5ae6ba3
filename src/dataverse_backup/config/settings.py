"""The settings of one run, as checked values."""

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, field_validator

from dataverse_backup.config.destinations import DestinationSettings
from dataverse_backup.config.localzone import local_zone
from dataverse_backup.config.notifications import NotificationSettings
from dataverse_backup.config.stores import StoreSettings
from dataverse_backup.config.values import Kinds, LocalPath, Port, SectionModel, Zone
from dataverse_backup.datafile import Kind

if TYPE_CHECKING:
    from sqlalchemy import URL

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
FILE_STORE = "file"
"""The store id that FileSystemDirectory speaks of, and the default store."""


class DatabaseSettings(SectionModel):
    """The database of the Dataverse installation, and where the ledger is."""

    host: str = Field(
        "localhost",
        alias="Host",
        description="The server, or the absolute path of the folder of its socket.",
        json_schema_extra={"live": True},
    )
    port: Port = Field(5432, alias="Port", description="The server's port.", json_schema_extra={"live": True})
    database: str = Field(
        "dvndb",
        alias="Database",
        description="The database of Dataverse; only read.",
        json_schema_extra={"live": True},
    )
    username: str = Field(
        "dvnapp",
        alias="Username",
        description="The user to log in as; one that may only read is enough.",
        json_schema_extra={"live": True},
    )
    password: SecretStr | None = Field(
        None,
        alias="Password",
        description="The password; without one PGPASSWORD and ~/.pgpass are asked."
        " The environment variable DATAVERSE_BACKUP_DATABASE_PASSWORD comes before all others.",
    )
    password_file: LocalPath | None = Field(
        None, alias="PasswordFile", description="A file whose first line is the password, instead of Password."
    )
    sslmode: str | None = Field(None, alias="SslMode", description=f"One of {', '.join(SSL_MODES)}; else as libpq.")
    pg_dump: LocalPath | None = Field(
        None,
        alias="PgDump",
        description="The pg_dump for DatabaseDump; by default the oldest installed one that can dump the server.",
        examples=["/usr/lib/postgresql/16/bin/pg_dump"],
    )
    timezone_name: Zone | None = Field(
        None,
        alias="TimeZone",
        description="The time zone of Dataverse's server, such as Europe/Berlin; by default that of this machine.",
    )
    backup_database: SecretStr | None = Field(
        None,
        alias="BackupDatabase",
        description="Where the ledger is: the name of a database on the same server, a postgresql:// URL,"
        " or sqlite:/// and a path. By default the file ledger.db beside the configuration file.",
    )
    ledger_password_file: LocalPath | None = Field(
        None,
        alias="LedgerPasswordFile",
        description="A file whose first line is the password of a postgresql:// URL that has none."
        " The environment variable DATAVERSE_BACKUP_LEDGER_PASSWORD comes before it.",
    )
    ledger_password: SecretStr | None = None

    @field_validator("sslmode")
    @classmethod
    def _known_mode(cls, value: str | None) -> str | None:
        if value is not None and value not in SSL_MODES:
            raise ValueError(f"must be one of {', '.join(SSL_MODES)}")
        return value

    @property
    def timezone(self) -> tzinfo:
        """In which Dataverse's times without a zone are to be read."""
        return self.timezone_name or local_zone()


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
