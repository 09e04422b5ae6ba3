"""From the file to the settings, with all mistakes at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dataverse_backup.config.database import DatabaseSettings
from dataverse_backup.config.ini import Entry, Section, read
from dataverse_backup.config.mistakes import WHOLE_FILE, Mistakes
from dataverse_backup.config.named_sections import BACKUP, STORE, destinations, refuse_shared_places, stores
from dataverse_backup.config.notifications import NotificationSettings
from dataverse_backup.config.passwords import DATABASE, NOTIFICATIONS, Secrets, open_to_others
from dataverse_backup.config.sections import check, line_of, nearest, of_model, refuse_unknown_keys, values
from dataverse_backup.config.settings import RepositorySettings, Settings
from dataverse_backup.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel

SINGLE: dict[str, type[BaseModel]] = {
    "Database": DatabaseSettings,
    "Repository": RepositorySettings,
    "Notifications": NotificationSettings,
}
"""Sections that occur once, with their models."""
SECRET_WORDS = ("password", "secret", "swiftkey", "hashkey", "token", "notifyurls", "pingurl")
"""What the keys of secrets have in their names, those of other storage types included."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the file at *path*.

    Raises ConfigurationError with every mistake, in the order of the lines; no value is repeated in it.
    """
    path = path.absolute()
    mistakes = Mistakes()
    sections = read(_text(path), mistakes)
    settings = _settings(path, sections, environ, mistakes)
    mistakes.refuse(path)
    if settings is None:
        raise AssertionError("settings that are missing without a mistake")
    return settings


def _settings(path: Path, sections: list[Section], environ: Mapping[str, str], mistakes: Mistakes) -> Settings | None:
    """The settings, or None when a part of them could not be made; *mistakes* says why."""
    _refuse_unknown_sections(sections, mistakes)
    single = {word: _single(word, sections, mistakes) for word in SINGLE}
    secrets = Secrets(path.parent, environ, mistakes)
    database = _database(single["Database"], secrets)
    repository_section = single["Repository"]
    repository = of_model(repository_section, RepositorySettings, path.parent, mistakes)
    notifications = _notifications(single["Notifications"], secrets)
    known_stores = stores(sections, repository, repository_section, path.parent, mistakes)
    copies_go_to = destinations(sections, secrets)
    refuse_shared_places(sections, known_stores, copies_go_to, mistakes)
    if not database or not repository or not notifications:
        return None
    return Settings(
        path=path,
        database=database,
        default_store=repository.default_store,
        companions=repository.companions,
        stores=known_stores,
        destinations=copies_go_to,
        notifications=notifications,
        warnings=[*secrets.warnings, *notifications.warnings, *_warnings(path, sections)],
    )


def _refuse_unknown_sections(sections: list[Section], mistakes: Mistakes) -> None:
    known = [*SINGLE, STORE, BACKUP]
    words = {word.lower() for word in known}
    for section in sections:
        if section.word not in words:
            mistakes.add(section.line, f"not a known section{nearest(section.word, known)}", section=section.title)


def _single(word: str, sections: list[Section], mistakes: Mistakes) -> Section:
    """The section of that word, or an empty one."""
    of_word = [section for section in sections if section.word == word.lower()]
    for section in of_word:
        if section.name:
            mistakes.add(section.line, f"takes no name: write [{word}]", section=section.title)
    found = next((section for section in of_word if not section.name), Section(word, WHOLE_FILE))
    refuse_unknown_keys(found, (field.alias for field in SINGLE[word].model_fields.values() if field.alias), mistakes)
    return found


def _database(section: Section, secrets: Secrets) -> DatabaseSettings | None:
    folder, mistakes = secrets.folder, secrets.mistakes
    given = values(section, DatabaseSettings)
    secrets.put_in(given, DATABASE, section)
    database = check(section, DatabaseSettings, given, folder, mistakes)
    if database and database.backup_database:
        from dataverse_backup.config.ledger_url import ledger_url  # noqa: PLC0415 - SQLAlchemy is slow to import

        try:
            ledger_url(database, folder)
        except ValueError as error:
            key = "BackupDatabase"
            mistakes.add(line_of(section, key), str(error), section=section.title, key=key)
    return database


def _notifications(section: Section, secrets: Secrets) -> NotificationSettings | None:
    given = values(section, NotificationSettings)
    secrets.put_in(given, NOTIFICATIONS, section)
    return check(section, NotificationSettings, given, secrets.folder, secrets.mistakes)


def _warnings(path: Path, sections: list[Section]) -> list[str]:
    has_secret = any(_is_secret(entry) for section in sections for entry in section.entries.values())
    return open_to_others(path) if has_secret else []


def _is_secret(entry: Entry) -> bool:
    key = entry.key.lower()
    if key == "backupdatabase":
        return "@" in entry.value  # a URL, probably with a password
    return bool(entry.value) and not key.endswith("file") and any(word in key for word in SECRET_WORDS)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{printable(str(path))} cannot be used:\nline {line}: not in UTF-8", "save it in UTF-8"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigurationError(f"{printable(str(path))} cannot be read: {reason}") from error
