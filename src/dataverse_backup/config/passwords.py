"""Passwords that are not in the configuration file itself."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataverse_backup.config.sections import line_of
from dataverse_backup.config.values import absolute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataverse_backup.config.ini import Section
    from dataverse_backup.config.mistakes import Mistakes

OTHERS = 0o077
LONGEST = 4096
"""Characters of a password file that are read."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Names the folder of what LoadCredential= hands to a service, under names without a folder: systemd.exec(5)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret may be instead of in the configuration file."""

    key: str
    """What it becomes: the key in the file, or the name of a field that the file has no key for."""
    file_key: str
    variable: str


DATABASE = (
    Reference("Password", "PasswordFile", "DATAVERSE_BACKUP_DATABASE_PASSWORD"),
    Reference("ledger_password", "LedgerPasswordFile", "DATAVERSE_BACKUP_LEDGER_PASSWORD"),
)
DESTINATIONS = {"swift": (Reference("SwiftKey", "SwiftKeyFile", "DATAVERSE_BACKUP_SWIFT_KEY"),)}
"""By storage type."""
NOTIFICATIONS = (
    Reference("SmtpPassword", "SmtpPasswordFile", "DATAVERSE_BACKUP_SMTP_PASSWORD"),
    Reference("NotifyUrls", "NotifyUrlsFile", "DATAVERSE_BACKUP_NOTIFY_URLS"),
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Completes what sections give with the secrets that files and the environment have."""

    folder: Path
    """Of the configuration: relative paths begin there."""
    environ: Mapping[str, str]
    mistakes: Mistakes
    warnings: list[str] = field(default_factory=list)
    """What works and should still be changed."""

    def put_in(self, given: dict[str, Any], references: Sequence[Reference], section: Section) -> None:
        """Complete what *section* gives; what is wrong with a file is noted as a mistake."""
        for reference in references:
            file_key = reference.file_key
            if reference.key in given and file_key in given:
                self._mistake(section, file_key, f"give {reference.key} or {file_key}, not both")
            if self.environ.get(reference.variable):
                given[reference.key] = self.environ[reference.variable]
            elif file_key in given:
                try:
                    given[reference.key] = self._of_file(given[file_key])
                except ValueError as error:
                    self._mistake(section, file_key, str(error))

    def _of_file(self, name: str) -> str:
        """A secret that systemd hands to the service, or the first line of a file."""
        handed = self.environ.get(CREDENTIALS)
        if handed and "/" not in name and (path := Path(handed, name)).exists():
            return first_line(path)  # systemd sees to it who may read it
        path = absolute(name, self.folder)
        secret = first_line(path)
        self.warnings.extend(open_to_others(path))
        return secret

    def _mistake(self, section: Section, key: str, what: str) -> None:
        self.mistakes.add(line_of(section, key), what, section=section.title, key=key)


def first_line(path: Path) -> str:
    """The first line of the file at *path*, without its end; ValueError says why there is none."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline(LONGEST).rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError("not in UTF-8") from None  # the error holds the bytes
    if not line:
        raise ValueError("its first line is empty")
    return line


def open_to_others(path: Path) -> list[str]:
    """A warning when others than the owner may read or write the file of a secret."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return [f"{path} holds a password and has mode {mode:04o}: chmod 600 {path}"] if mode & OTHERS else []
