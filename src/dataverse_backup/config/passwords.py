"""Passwords that are not in the configuration file itself."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataverse_backup.config.ini import Entry
from dataverse_backup.config.sections import line_of
from dataverse_backup.config.values import absolute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dataverse_backup.config.ini import Section
    from dataverse_backup.config.mistakes import Mistakes

OTHERS = 0o077
LONGEST = 4096
"""Characters of a password file that are read."""


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
NOTIFICATIONS = (
    Reference("SmtpPassword", "SmtpPasswordFile", "DATAVERSE_BACKUP_SMTP_PASSWORD"),
    Reference("NotifyUrls", "NotifyUrlsFile", "DATAVERSE_BACKUP_NOTIFY_URLS"),
)


def put_in(
    given: dict[str, Any],
    references: Sequence[Reference],
    section: Section,
    *,
    folder: Path,
    environ: Mapping[str, str],
    mistakes: Mistakes,
) -> list[str]:
    """Complete what *section* gives with the secrets of files and environment; returns warnings."""
    warnings: list[str] = []
    for reference in references:
        file_key = reference.file_key
        if reference.key in given and file_key in given:
            what = f"give {reference.key} or {file_key}, not both"
            mistakes.add(line_of(section, file_key), what, section=section.title, key=file_key)
        if environ.get(reference.variable):
            given[reference.key] = environ[reference.variable]
        elif file_key in given:
            try:
                path = absolute(given[file_key], folder)
                given[reference.key] = first_line(path)
                warnings += open_to_others(path)
            except ValueError as error:
                mistakes.add(line_of(section, file_key), str(error), section=section.title, key=file_key)
    return warnings


def complete(sections: list[Section], folder: Path, environ: Mapping[str, str], mistakes: Mistakes) -> list[str]:
    """Give every ``[Backup]`` section in Swift its key, from a file or the environment; returns warnings."""
    warnings: list[str] = []
    for section in sections:
        kind = section.entries.get("storagetype")
        if section.word == "backup" and kind and kind.value.lower() == "swift":
            warnings += _complete(section, folder, environ, mistakes)
    return warnings


def _complete(section: Section, folder: Path, environ: Mapping[str, str], mistakes: Mistakes) -> list[str]:
    of_file = section.entries.get("swiftkeyfile")
    if key := environ.get("DATAVERSE_BACKUP_SWIFT_KEY"):
        section.entries["swiftkey"] = Entry("SwiftKey", key, section.line)
    elif of_file and of_file.value and section.entries.get("swiftkey"):
        what = "give SwiftKey or SwiftKeyFile, not both"
        mistakes.add(of_file.line, what, section=section.title, key=of_file.key)
    elif of_file and of_file.value:
        try:
            path = absolute(of_file.value, folder)
            section.entries["swiftkey"] = Entry("SwiftKey", first_line(path), of_file.line)
            return open_to_others(path)
        except ValueError as error:
            mistakes.add(of_file.line, str(error), section=section.title, key=of_file.key)
    return []


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
