"""What the configuration says of the two databases."""

from datetime import tzinfo

from pydantic import Field, SecretStr, field_validator

from dataverse_backup.config.localzone import local_zone
from dataverse_backup.config.values import LocalPath, Port, SectionModel, Zone

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


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
