"""A store in memory, for tests: it obeys the contract, and goes wrong as planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGOS
from dataverse_backup.errors import CopyRefused, KeyOccupied, SourceMissing, StoreLost
from dataverse_backup.fixity import Algorithm, Checksum, HashingReader
from dataverse_backup.stores.base import Store
from dataverse_backup.stores.listable import ListableStore, StoredObject
from dataverse_backup.stores.paths import checked_path, path_names
from dataverse_backup.stores.restorable import CHANGED_MEANWHILE, PutBack, Restorable, aside_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import DataverseBackupError, SourceError
    from dataverse_backup.stores.restorable import Opening


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one object of a MemoryStore."""

    on_open: type[SourceError] | None = None
    """Raised instead of opening it."""
    claimed_size: int | None = None
    """What its stream says that its size is: more than there is and it shrinks, less and it grows."""
    breaks_after: int | None = None
    """How many bytes can be read before *breaks_with* is raised; None: all."""
    breaks_with: type[SourceError | StoreLost] = StoreLost


NO_FAULT = Fault()


class MemoryStore(Store, Restorable, ListableStore):
    """Objects by their names. Change ``objects``, ``faults`` and ``lost`` at any time."""

    def __init__(self, store_id: str = "file", objects: dict[str, bytes] | None = None) -> None:
        """Hold *objects*, the dictionary itself: whoever passes it may change it."""
        self.id = store_id
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self.faults: dict[str, Fault] = {}
        self.written: dict[str, datetime] = {}
        """When each object was written, as far as somebody says so."""
        self.lost = False
        self.is_read_only = False

    def names(self, datafile: Datafile) -> tuple[str, ...]:
        return path_names(self.id, datafile)

    def object_name(self, datafile: Datafile) -> str:
        return datafile.location

    def open(self, name: str) -> MemoryStream:
        self.probe()
        fault = self.faults.get(checked_path(self.id, name), NO_FAULT)
        if fault.on_open:
            raise fault.on_open(self.id, name, "as planned")
        if name not in self.objects:
            raise SourceMissing(self.id, name, "there is no such object")
        return MemoryStream(self.objects[name], fault, place=self.id, key=name)

    def logos(self, dataset: Datafile) -> dict[str, str]:
        self.probe()
        names = {tag: path_names(self.id, dataset.logo(tag))[0] for tag in LOGOS}
        for name in names.values():
            if (fault := self.faults.get(name, NO_FAULT)).on_open:
                raise fault.on_open(self.id, name, "as planned")
        there = {tag: self.objects[name] for tag, name in names.items() if name in self.objects}
        return {tag: str(Checksum.of(data, Algorithm.MD5)) for tag, data in there.items()}

    def put_back(self, name: str, opening: Opening, checksum: Checksum) -> PutBack:
        checked_path(self.id, name)
        self.probe()
        before = self.objects.get(name)
        if before is not None and Checksum.of(before, checksum.algorithm) == checksum:
            return PutBack(name, len(before), checksum, was_right=True)
        if self.is_read_only:
            raise CopyRefused(self.id, name, "it is read-only, as planned")
        with HashingReader(opening(), checksum.algorithm) as reader:
            data = b"".join(iter(lambda: reader.read(1 << 20), b""))
            reader.finish(checksum)
        if self.objects.get(name) != before:
            raise KeyOccupied(self.id, name, CHANGED_MEANWHILE)
        aside = None if before is None else aside_name(name)
        if before is not None and aside is not None:
            self.objects[aside] = before
        self.objects[name] = data
        return PutBack(name, len(data), checksum, aside)

    @property
    def place(self) -> tuple[str, int]:
        return "memory", id(self.objects)

    def entries(self) -> Iterator[StoredObject]:
        self.probe()
        for name, data in list(self.objects.items()):
            self.probe()
            yield StoredObject(name, len(data), self.written.get(name))

    def probe(self) -> None:
        if self.lost:
            raise StoreLost(f"{self.id}: the store is lost, as planned")


class MemoryStream:
    """The bytes of one object in memory, going wrong as planned."""

    def __init__(self, data: bytes, fault: Fault = NO_FAULT, *, place: str = "memory", key: str = "") -> None:
        """Read *data*; *place* and *key* name it in errors."""
        self._data, self._fault = data, fault
        self.place, self.key = place, key
        self._position = 0
        self.size = len(data) if fault.claimed_size is None else fault.claimed_size

    def read(self, length: int, /) -> bytes:
        end = self._position + length
        if self._fault.breaks_after is not None:
            end = min(end, self._fault.breaks_after)
            if self._position == self._fault.breaks_after:
                raise self._break()
        data = self._data[self._position : end]
        self._position += len(data)
        return data

    def _break(self) -> DataverseBackupError:
        if issubclass(self._fault.breaks_with, StoreLost):
            return self._fault.breaks_with(f"{self.place}: the store is lost, as planned")
        return self._fault.breaks_with(self.place, self.key, f"broke after {self._position} bytes, as planned")

    def close(self) -> None:
        """Nothing is held."""
