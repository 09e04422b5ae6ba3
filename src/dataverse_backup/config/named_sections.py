"""The sections that may occur several times: ``[Store ID]`` and ``[Backup NAME]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pydantic import BaseModel

from dataverse_backup.config.destinations import DESTINATIONS, SYNONYMS
from dataverse_backup.config.kinds import added_destination, added_destinations, added_store, added_stores
from dataverse_backup.config.mistakes import WHOLE_FILE
from dataverse_backup.config.passwords import DESTINATIONS as SECRETS
from dataverse_backup.config.places import shared_places
from dataverse_backup.config.sections import aliases, check, line_of, refuse_unknown_keys, values
from dataverse_backup.config.settings import FILE_STORE, RepositorySettings
from dataverse_backup.config.stores import STORES, WITHOUT_MEANING, FileStoreSettings
from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.config.ini import Section
    from dataverse_backup.config.mistakes import Mistakes
    from dataverse_backup.config.passwords import Secrets
    from dataverse_backup.config.stores import StoreSettings

    ModelT_co = TypeVar("ModelT_co", bound=BaseModel, covariant=True)

    class _Kind(Protocol[ModelT_co]):
        """What another package brings."""

        @property
        def settings(self) -> type[ModelT_co]:
            """The model of its section."""


STORE, BACKUP = "Store", "Backup"
DEFAULT_DESTINATION = "default"
DESTINATION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
STORE_ID = re.compile(r"[^\s:/]+")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Known(Generic[Model]):
    """The types that a kind of section may name."""

    models: Mapping[str, type[Model]]
    """Our own."""
    keys: Collection[str]
    """The keys of all of these: those of another type are known, and ignored."""
    added: Callable[[str], _Kind[Model] | None]
    """Finds the one that another package brings."""
    all_added: Callable[[], list[str]]


_STORES: _Known[StoreSettings] = _Known(
    STORES,
    [*(key for model in STORES.values() for key in aliases(model).values()), *WITHOUT_MEANING],
    added_store,
    added_stores,
)
_DESTINATIONS: _Known[DestinationSettings] = _Known(
    DESTINATIONS,
    [key for model in DESTINATIONS.values() for key in aliases(model).values()],
    added_destination,
    added_destinations,
)


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
    given = section.entries.get("type")
    kind = given.value.lower() if given else ""
    model = _model(kind, _STORES, section, "type", mistakes)
    if not model:
        return None
    return check(section, model, values(section, model) | {"type": kind}, folder, mistakes)


def destinations(sections: list[Section], secrets: Secrets) -> dict[str, DestinationSettings]:
    """Every destination by its name, in the order of the file."""
    mistakes = secrets.mistakes
    found: dict[str, DestinationSettings] = {}
    lines: dict[str, int] = {}
    for section in sections:
        if section.word != BACKUP.lower():
            continue
        name = section.name or DEFAULT_DESTINATION
        first = lines.setdefault(name.lower(), section.line)
        if first != section.line:
            mistakes.add(section.line, f"the same destination as in line {first}", section=section.title)
        if settings := _destination(section, name, secrets):
            found[name] = settings
    if not lines:
        mistakes.add(WHOLE_FILE, "missing: no destination is described", section=BACKUP)
    return found


def _destination(section: Section, name: str, secrets: Secrets) -> DestinationSettings | None:
    mistakes = secrets.mistakes
    if not DESTINATION_NAME.fullmatch(name):
        what = "the name of a destination has letters, digits, dots, hyphens and underscores"
        mistakes.add(section.line, what, section=section.title)
    given = section.entries.get("storagetype")
    kind = given.value.lower() if given and given.value else next(iter(DESTINATIONS))
    model = _model(kind, _DESTINATIONS, section, "StorageType", mistakes)
    if not model:
        return None
    own = values(section, model) | {"name": name, "StorageType": kind}
    for synonym, meant in SYNONYMS.get(kind, {}).items():
        entry = section.entries.get(synonym.lower())
        if entry and entry.value:
            own.setdefault(meant, entry.value)
    secrets.put_in(own, SECRETS.get(kind, ()), section)
    return check(section, model, own, secrets.folder, mistakes)


def _model(kind: str, known: _Known[Model], section: Section, key: str, mistakes: Mistakes) -> type[Model] | None:
    """The model of the type that *section* names under *key*; None, and what is wrong, where it cannot be used."""
    try:
        added = None if kind in known.models else known.added(kind)
    except ConfigurationError as error:
        mistakes.add(line_of(section, key), error.message, section=section.title, key=key)
        return None
    model = added.settings if added else known.models.get(kind)
    if not model:
        types = ", ".join([*known.models, *known.all_added()])
        what = f"must be one of {types}" if kind else f"missing: one of {types}"
        mistakes.add(line_of(section, key), what, section=section.title, key=key)
    refuse_unknown_keys(section, [*known.keys, *(aliases(model).values() if model else ())], mistakes)
    return model


def refuse_shared_places(
    sections: list[Section],
    stores: Mapping[str, StoreSettings],
    destinations: Mapping[str, DestinationSettings],
    mistakes: Mistakes,
) -> None:
    """Note every destination whose place is that of a store or of an earlier destination."""
    wrong = shared_places(stores, destinations)
    for section in sections:
        what = wrong.get(section.name or DEFAULT_DESTINATION) if section.word == BACKUP.lower() else None
        if what:
            mistakes.add(section.line, what, section=section.title)
