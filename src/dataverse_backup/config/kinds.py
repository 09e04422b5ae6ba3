"""Storage types and types of stores that other packages add, found by their entry points.

A package that brings one says so in its ``pyproject.toml``::

    [project.entry-points."dataverse_backup.destinations"]
    tape = "tape_backup:KIND"

``StorageType: tape`` then means it. Only what the configuration names is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.config.stores import StoreSettings
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.stores.base import Store

DESTINATIONS_GROUP = "dataverse_backup.destinations"
STORES_GROUP = "dataverse_backup.stores"

KindT = TypeVar("KindT")


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """A storage type: what its section may say, and how the destination is made."""

    settings: type[DestinationSettings]
    """The model of a ``[Backup NAME]`` section; has a ``storage_type``. Instances are pickled for the workers."""
    make: Callable[[Any, Staging], Destination]
    """Takes the checked settings, and where it stages; connects to nothing yet."""


@dataclass(frozen=True, slots=True)
class StoreKind:
    """A type of store: what its section may say, and how the store is made."""

    settings: type[StoreSettings]
    """The model of a ``[Store ID]`` section. Instances are pickled for the workers."""
    make: Callable[[str, Any], Store]
    """Takes the store's id and the checked settings; connects to nothing yet."""


def added_destinations() -> list[str]:
    """The storage types that other packages bring, sorted."""
    return sorted({entry.name for entry in _entries(DESTINATIONS_GROUP)})


def added_destination(storage_type: str) -> DestinationKind | None:
    """The storage type that another package brings, or None. Raises ConfigurationError where it cannot be used."""
    return _loaded(DESTINATIONS_GROUP, storage_type, DestinationKind)


def added_stores() -> list[str]:
    """The types of stores that other packages bring, sorted."""
    return sorted({entry.name for entry in _entries(STORES_GROUP)})


def added_store(store_type: str) -> StoreKind | None:
    """The type of store that another package brings, or None. Raises ConfigurationError where it cannot be used."""
    return _loaded(STORES_GROUP, store_type, StoreKind)


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    """What is installed does not change while we run, and looking takes a while."""
    from importlib.metadata import entry_points  # noqa: PLC0415 -- only for what is none of our own

    return tuple(entry_points(group=group))


def _loaded(group: str, name: str, kind: type[KindT]) -> KindT | None:
    found = [entry for entry in _entries(group) if entry.name == name]
    if not found:
        return None
    if len(found) > 1:
        packages = ", ".join(sorted(map(_package, found)))
        raise ConfigurationError(f"{name}: more than one package brings it: {packages}", "uninstall all but one")
    (entry,) = found
    try:
        loaded = entry.load()
    except Exception as error:
        said = f"{name}: {entry.value} of {_package(entry)} cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigurationError(said, "install that package again, or ask its authors") from error
    if not isinstance(loaded, kind):
        raise ConfigurationError(f"{name}: {entry.value} of {_package(entry)} is no {kind.__name__}")
    return loaded


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown package"
