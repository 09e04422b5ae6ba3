"""Bring a dump of the Dataverse database back: the newest whole one, from what lies at the destinations alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import DATABASE_PREFIX, Listable, Receipt, StoredDigest, Upload
from dataverse_backup.errors import CopyDiffers, DataverseBackupError, DestinationLost, RestoreError, SourceDiffers
from dataverse_backup.generations import ALGORITHM, Generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dataverse_backup.destinations.base import Destination


@dataclass(frozen=True, slots=True)
class Shelved:
    """A dump that lies somewhere; nobody knows yet whether it is whole."""

    source: Destination
    generation: Generation
    size: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one."""

    shelved: Shelved
    error: DataverseBackupError | None = None
    """Why it is not to be had from there; None: it is there now, proven."""
    was_there: bool = False
    """It had been fetched before."""


def dumps_at(source: Destination) -> list[Shelved]:
    """The dumps at *source*, which is connected. Raises DestinationLost, and RestoreError where it cannot be listed."""
    if not isinstance(source, Listable):
        raise RestoreError(f"{source.name}: a destination of this kind cannot be listed")
    named = ((Generation.from_key(entry.key), entry.size) for entry in source.entries(DATABASE_PREFIX))
    return [Shelved(source, generation, size) for generation, size in named if generation is not None]


def newest_first(shelved: Iterable[Shelved]) -> list[Shelved]:
    """In the order in which they are tried; of one that lies at several destinations the order stays."""
    return sorted(shelved, key=lambda one: one.generation, reverse=True)


def restore_dump(shelved: Iterable[Shelved], target: Destination) -> Iterator[Fetched]:
    """Fetch the first of *shelved* that is whole into *target*, for its owner alone; what became of each that it tried.

    Nothing is overwritten. Raises RestoreError where something else has its name, DestinationLost of *target*.
    """
    for one in shelved:
        fetched = _fetched(one, target)
        yield fetched
        if fetched.error is None:
            return


def _fetched(one: Shelved, target: Destination) -> Fetched:
    name, wanted = one.generation.name, one.generation.checksum
    if target.sizes([name]):
        (found,) = target.digests([name], ALGORITHM)
        if not isinstance(found, StoredDigest) or found.checksum != wanted:
            raise RestoreError(f"{target.name}: {name} is there, and is something else", "name another folder")
        return Fetched(one, was_there=True)
    upload = Upload(name, partial(one.source.open, one.generation.key), ALGORITHM, wanted, is_private=True)
    try:
        (result,) = target.put([upload])
    except DestinationLost as lost:
        return Fetched(one, lost)
    if isinstance(result, Receipt):
        return Fetched(one)
    return Fetched(one, _as_damage(one, result.error) if isinstance(result.error, SourceDiffers) else result.error)


def _as_damage(one: Shelved, error: SourceDiffers) -> CopyDiffers:
    said = "this dump is damaged: its bytes are not those that its name promises"
    damage = CopyDiffers(one.source.name, one.generation.key, said, "the same one elsewhere, or an older one, is tried")
    damage.__cause__ = error
    return damage
