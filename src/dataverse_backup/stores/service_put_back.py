"""Writing an object back into a store of a service: looked at, kept aside, written, and proven."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from dataverse_backup.errors import CopyDiffers, KeyOccupied
from dataverse_backup.fixity import Checksum, HashingReader
from dataverse_backup.services.withheld import Body
from dataverse_backup.stores.restorable import CHANGED_MEANWHILE, PutBack

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.stores.restorable import Opening

Present = TypeVar("Present")
"""What is known of the object that lies under the name."""

Found = tuple[int, Checksum]
"""How many bytes lie there, and their checksum."""

_CHUNK = 1 << 20


class Stored(Protocol):
    """The bytes of an object in the service; raises the vendor's errors."""

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end."""

    def close(self) -> None:
        """Give back the connection."""


class ServicePutBack(ABC, Generic[Present]):
    """One object that is written back; nothing is deleted.

    What lay there is copied aside by the service, and that copy is proven, before the name gets other bytes.
    """

    def __init__(self, place: str, name: str) -> None:
        """Put back what the store *place* calls *name*, which has been checked."""
        self._place, self._name = place, name
        self._aside: str | None = None

    @abstractmethod
    def _errors(self) -> AbstractContextManager[None]:
        """Says in this project's words what the service says."""

    @abstractmethod
    def _look(self) -> Present | None:
        """What lies under the name."""

    @abstractmethod
    def _opened(self, name: str) -> Stored:
        """The bytes of an object."""

    @abstractmethod
    def _send(self, body: Body, present: Present | None, found: Found | None) -> None:
        """Store *body*; nothing changes before all of it was read and is right, and what was *found* lies aside."""

    def put(self, opening: Opening, checksum: Checksum) -> PutBack:
        """Write it and prove it.

        Raises ObjectError and what *opening* raises; what lay there may lie aside as well then.
        """
        with self._errors():
            present = self._look()
            found = None if present is None else self._digest(self._name, checksum.algorithm)
            if found is not None and found[1] == checksum:
                return PutBack(self._name, found[0], checksum, was_right=True)
            with HashingReader(opening(), checksum.algorithm) as reader:
                size = reader.size
                self._send(Body(reader, checksum.algorithm, checksum), present, found)
            self._prove(size, checksum)
        return PutBack(self._name, size, checksum, self._aside)

    def _digest(self, name: str, algorithm: Algorithm) -> Found:
        stored, size, digest = self._opened(name), 0, algorithm.new()
        try:
            while data := stored.read(_CHUNK):
                digest.update(data)
                size += len(data)
        finally:
            stored.close()
        return size, Checksum(algorithm, digest.hexdigest())

    def _prove_aside(self, aside: str, found: Found) -> None:
        if self._digest(aside, found[1].algorithm) != found:
            raise CopyDiffers(self._place, self._name, f"the service's own copy of it, {aside}, differs from it")

    def _prove(self, size: int, checksum: Checksum) -> None:
        stored = self._digest(self._name, checksum.algorithm)
        if stored != (size, checksum):
            said = f"{stored[0]} bytes, {stored[1]} lie there; {size} bytes, {checksum} were sent"
            hint = "somebody else wrote to it meanwhile, or the service is damaged: look at it, and try again"
            raise KeyOccupied(self._place, self._name, said, hint)

    def _changed(self) -> KeyOccupied:
        return KeyOccupied(self._place, self._name, CHANGED_MEANWHILE, "look at it, and try again")
