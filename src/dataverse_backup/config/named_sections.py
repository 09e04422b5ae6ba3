"""The sections that may occur several times: ``[Store ID]`` and ``[Backup NAME]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dataverse_backup.config.destinations import (
    DESTINATIONS,
    NOT_YET,
    SYNONYMS,
    FilesystemDestinationSettings,
    SshDestinationSettings,
)
from dataverse_backup.config.mistakes import WHOLE_FILE
from dataverse_backup.config.places import shared_places
from dataverse_backup.config.sections import aliases, check, line_of, refuse_unknown_keys, values
from dataverse_backup.config.settings import FILE_STORE, RepositorySettings
from dataverse_backup.config.stores import STORES, WITHOUT_MEANING, FileStoreSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dataverse_backup.config.ini import Section
    from dataverse_backup.config.mistakes import Mistakes
    from dataverse_backup.config.stores import StoreSettings

    Destination = SshDestinationSettings | FilesystemDestinationSettings

STORE, BACKUP = "Store", "Backup"
DEFAULT_DESTINATION = "default"
DESTINATION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
STORE_ID = re.compile(r"[^\s:/]+")
STORE_KEYS = [alias for model in STORES.values() for alias in aliases(model).values()] + list(WITHOUT_MEANING)
DESTINATION_KEYS = [alias for model in DESTINATIONS.values() for alias in aliases(model).values()]
DESTINATION_KEYS += [key for keys in NOT_YET.values() for key in keys]


def stores(
    sections: list[Section],
    repository: RepositorySettings | None,
    repository_section: Section,
    folder: Path,
    mistakes: Mistakes,
) -> dict[str, StoreSettings]:
    """Every store by its id, that of FileSystemDirectory first."""
    found: dict[str, StoreSettings] = {}
    directory = repository.file_system_directory if repository else None
    if directory:
        found[FILE_STORE] = FileStoreSettings(type="file", directory=directory)
    of_stores = [section for section in sections if section.word == STORE.lower()]
    for section in of_stores:
        if section.name == FILE_STORE and directory:
            what = f"FileSystemDirectory in line {line_of(repository_section, 'FileSystemDirectory')} is this store"
            mistakes.add(section.line, what, section=section.title)
        elif settings := _store(section, folder, mistakes):
            found[section.name] = settings
    if repository:
        _check_default(repository.default_store, repository_section, [*found, *(s.name for s in of_stores)], mistakes)
    return found


def _check_default(default: str, section: Section, known: list[str], mistakes: Mistakes) -> None:
    if not known:
        what = "missing, and no [Store ID] is described: there is nothing to back up"
        mistakes.add(section.line, what, section=section.title, key="FileSystemDirectory")
    elif default not in known and default != FILE_STORE:
        what = "names a store that is not described"
        mistakes.add(line_of(section, "DefaultStore"), what, section=section.title, key="DefaultStore")


def _store(section: Section, folder: Path, mistakes: Mistakes) -> StoreSettings | None:
    if not STORE_ID.fullmatch(section.name):
        mistakes.add(section.line, "must be [Store ID] with Dataverse's id of the store", section=section.title)
    refuse_unknown_keys(section, STORE_KEYS, mistakes)
    given = section.entries.get("type")
    kind = given.value.lower() if given else ""
    model = STORES.get(kind)
    if not model:
        what = f"must be one of {', '.join(STORES)}" if kind else f"missing: one of {', '.join(STORES)}"
        mistakes.add(line_of(section, "type"), what, section=section.title, key="type")
        return None
    return check(section, model, values(section, model) | {"type": kind}, folder, mistakes)


def destinations(sections: list[Section], folder: Path, mistakes: Mistakes) -> dict[str, Destination]:
    """Every destination by its name, in the order of the file."""
    found: dict[str, Destination] = {}
    lines: dict[str, int] = {}
    for section in sections:
        if section.word != BACKUP.lower():
            continue
        name = section.name or DEFAULT_DESTINATION
        first = lines.setdefault(name.lower(), section.line)
        if first != section.line:
            mistakes.add(section.line, f"the same destination as in line {first}", section=section.title)
        if settings := _destination(section, name, folder, mistakes):
            found[name] = settings
    if not lines:
        mistakes.add(WHOLE_FILE, "missing: no destination is described", section=BACKUP)
    return found


def _destination(section: Section, name: str, folder: Path, mistakes: Mistakes) -> Destination | None:
    if not DESTINATION_NAME.fullmatch(name):
        what = "the name of a destination has letters, digits, dots, hyphens and underscores"
        mistakes.add(section.line, what, section=section.title)
    refuse_unknown_keys(section, DESTINATION_KEYS, mistakes)
    given = section.entries.get("storagetype")
    kind = given.value.lower() if given and given.value else next(iter(DESTINATIONS))
    model = DESTINATIONS.get(kind)
    if not model:
        known = f"must be one of {', '.join(DESTINATIONS)}"
        what = f"{kind} is not yet supported; {known}" if kind in NOT_YET else known
        mistakes.add(line_of(section, "StorageType"), what, section=section.title, key="StorageType")
        return None
    own = values(section, model) | {"name": name, "StorageType": kind}
    for synonym, meant in SYNONYMS.get(kind, {}).items():
        entry = section.entries.get(synonym.lower())
        if entry and entry.value:
            own.setdefault(meant, entry.value)
    return check(section, model, own, folder, mistakes)


def refuse_shared_places(
    sections: list[Section],
    stores: Mapping[str, StoreSettings],
    destinations: Mapping[str, Destination],
    mistakes: Mistakes,
) -> None:
    """Note every destination whose place is that of a store or of an earlier destination."""
    wrong = shared_places(stores, destinations)
    for section in sections:
        what = wrong.get(section.name or DEFAULT_DESTINATION) if section.word == BACKUP.lower() else None
        if what:
            mistakes.add(section.line, what, section=section.title)
