"""What a worker elsewhere makes its way to do tasks from: a factory in which every setting is named, not sent.

No secret travels. Factories hold settings, and settings hold secrets: the pickler puts the name of a store or a
destination in their place, and the worker reads what that name means from its own configuration. So that both mean the
same, a recipe carries marks of the settings that say what is copied to where, and a worker with others refuses.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from dataverse_backup.config.destinations import DestinationSettings
from dataverse_backup.config.finding import VARIABLE, find
from dataverse_backup.config.loading import load
from dataverse_backup.config.stores import StoreSettings
from dataverse_backup.config.values import is_of_machine, is_secret
from dataverse_backup.errors import ConfigurationError, WorkerUnfit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from dataverse_backup.config import Settings

Marks = dict[str, dict[str, str]]
"""By store or destination, and by key there: a digest of the value."""

_MARK_LENGTH = 16
"""Hexadecimal digits: they tell values apart, and nobody needs the values themselves."""

_TYPES = ("StorageType", "type")
"""Where these differ, nothing else is worth a word."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A factory as it travels; without secrets."""

    name: str
    """Unlike that of any other, of this run or another."""
    configuration: str
    """The path of ours: a worker without $DATAVERSE_BACKUP_CONFIG has its own there."""
    marks: Marks
    """What the worker's configuration must say too."""
    log_level: int
    payload: bytes

    def make(self) -> Any:
        """On a worker: call the factory, with what this machine's configuration says. Raises WorkerUnfit."""
        settings = _own_settings(self.configuration)
        if differences := list(unlike(self.marks, marks_of(settings, settings.destinations))):
            said = f"{settings.path} is unlike the coordinator's configuration: {'; '.join(differences)}"
            raise WorkerUnfit(said, "let both say the same about stores and destinations; secrets are not compared")
        try:
            return _Reader(io.BytesIO(self.payload), settings).load()()
        except (ConfigurationError, ImportError) as error:
            raise WorkerUnfit(str(error), getattr(error, "hint", "")) from error


def _own_settings(path: str) -> Settings:
    try:
        return load(find(None if os.environ.get(VARIABLE) else Path(path)))
    except ConfigurationError as error:
        hint = f"every worker has a configuration of its own: at the path of the coordinator's, or as ${VARIABLE} says"
        raise WorkerUnfit(error.message, hint) from error


def written(factory: Callable[[], object], settings: Settings) -> bytes:
    """*factory* as the payload of a recipe. Raises pickle.PicklingError where it holds a secret beside *settings*."""
    buffer = io.BytesIO()
    _Writer(buffer, settings).dump(factory)
    return buffer.getvalue()


class _Writer(pickle.Pickler):
    """Writes names where the sections of the configuration are."""

    def __init__(self, file: io.BytesIO, settings: Settings) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._names = {id(section): name for name, section in _sections(settings)}

    def persistent_id(self, thing: Any) -> Any:
        """The name to write instead of *thing*, or None."""
        if isinstance(thing, DestinationSettings | StoreSettings) and id(thing) in self._names:
            return self._names[id(thing)]
        if isinstance(thing, BaseModel | SecretStr):
            raise pickle.PicklingError(f"{type(thing).__name__} may hold a secret, and no secret travels")
        return None


class _Reader(pickle.Unpickler):
    """Puts this machine's sections where their names are."""

    def __init__(self, file: io.BytesIO, settings: Settings) -> None:
        super().__init__(file)
        self._sections = dict(_sections(settings))

    def persistent_load(self, pid: Any) -> Any:
        """The section of that name."""
        return self._sections[pid]


def _sections(settings: Settings) -> Iterator[tuple[tuple[str, str], DestinationSettings | StoreSettings]]:
    for name, destination in settings.destinations.items():
        yield ("destination", name), destination
    for store_id, store in settings.stores.items():
        yield ("store", store_id), store


def marks_of(settings: Settings, destinations: Collection[str]) -> Marks:
    """Marks of every store, and of those *destinations*."""
    return {
        f"{kind} {name}": _marks(section)
        for (kind, name), section in _sections(settings)
        if kind == "store" or name in destinations
    }


def _marks(section: BaseModel) -> dict[str, str]:
    fields = type(section).model_fields.items()
    return {
        field.alias: _mark(getattr(section, name))
        for name, field in fields
        if field.alias and not is_secret(field) and not is_of_machine(field)
    }


def _mark(value: object) -> str:
    return hashlib.sha256(repr(value).encode(errors="surrogatepass")).hexdigest()[:_MARK_LENGTH]


def unlike(wanted: Marks, own: Marks) -> Iterator[str]:
    """What of *wanted* is other in *own*, or is not there, in words and without a value."""
    for what, marks in wanted.items():
        if what not in own:
            yield f"{what} is not described there"
            continue
        keys = [key for key in marks | own[what] if marks.get(key) != own[what].get(key)]
        types = [key for key in keys if key in _TYPES]
        yield from (f"{key} of {what}" for key in types or keys)
