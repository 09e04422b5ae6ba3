"""A destination in memory, for tests: it obeys the contract, and goes wrong as planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    Destination,
    Entry,
    Explainable,
    Failure,
    Listable,
    Receipt,
    Staging,
    StoredDigest,
    Traits,
    checked_notes,
    checked_path_key,
    checked_removable,
)
from dataverse_backup.destinations.prunable import Doomed, Fate, Prunable, Pruned, checked_doomed
from dataverse_backup.errors import (
    CopyDiffers,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    KeyOccupied,
    NoSpace,
    ObjectError,
    Unavailable,
)
from dataverse_backup.fixity import BytesStream, Checksum, Durability, HashingReader, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from dataverse_backup.destinations.base import Upload
    from dataverse_backup.fixity import Algorithm

_CHUNK = 1 << 20


@dataclass(slots=True)
class Faults:
    """What goes wrong with a MemoryDestination. Change it at any time."""

    down_after: int | None = None
    """Nobody answers any more once so many objects were stored; 0: from now on."""
    full_after: int | None = None
    """No further object fits once so many were stored."""
    corrupts: Container[int] = ()
    """Which objects, counted from 1 as they are sent, lose a bit on the way to the disk."""
    refuses: Container[str] = ()
    """Keys that we may neither write nor read."""
    silent: Container[str] = ()
    """Keys about which nobody answers."""
    locked: Container[str] = ()
    """Keys whose objects are under Object Lock."""


@dataclass(frozen=True, slots=True)
class _Staged:
    upload: Upload
    data: bytes
    checksum: Checksum


class MemoryDestination(Destination, Listable, Explainable, Prunable):
    """Objects by their keys, in a flat name space: ``sub`` and ``sub/x`` lie beside each other."""

    def __init__(
        self,
        name: str = "memory",
        staging: Staging | None = None,
        objects: dict[str, bytes] | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Keep copies in *objects*, the dictionary itself; several destinations may share one."""
        self.name, self.method = name, "memory"
        self._staging = staging or Staging("ledger", "run")
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self.faults = faults or Faults()
        self.stored = 0
        """How many objects were stored through this destination."""
        self._sent = 0

    def connect(self) -> Traits:
        self._reach()
        return Traits(
            folds_case=False,
            hashes=(VerifiedBy.READ_BACK,),
            durable=Durability.NOT_OFFERED,
            free_bytes=None,
            clock_skew=0.0,
        )

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        staged: list[_Staged] = []
        failures: list[Failure] = []
        for upload in uploads:
            try:
                staged.append(self._stage(upload))
            except ObjectError as error:
                failures.append(Failure(upload.key, error))
        yield from failures
        for object_ in staged:
            try:
                yield self._reveal(object_)
            except ObjectError as error:
                yield Failure(object_.upload.key, error)

    def _stage(self, upload: Upload) -> _Staged:
        self._writable(upload.key)
        if upload.supersede_to is not None:
            self._writable(upload.supersede_to)
        data = bytearray()
        with HashingReader(upload.open(), upload.algorithm) as reader:
            while chunk := reader.read(min(_CHUNK, reader.size - len(data))):
                data += chunk
            sent = reader.finish(upload.promised)
        self._sent += 1
        if self._sent in self.faults.corrupts:
            data[-1:] = bytes((data[-1] ^ 1,)) if data else b"\0"
        return _proven(self.name, _Staged(upload, bytes(data), sent))

    def _reveal(self, staged: _Staged) -> Receipt:
        key = self._writable(staged.upload.key)
        if self.faults.full_after is not None and self.stored >= self.faults.full_after:
            raise NoSpace(self.name, key, "no space is left, as planned")
        if key in self.objects:
            self._move_aside(key, staged.upload.supersede_to)
        self.objects[key] = staged.data
        self.stored += 1
        return Receipt(key, len(staged.data), staged.checksum, VerifiedBy.READ_BACK, Durability.NOT_OFFERED)

    def _move_aside(self, key: str, to: str | None) -> None:
        if to is None:
            raise KeyOccupied(self.name, key, "an object lies there already")
        if to in self.objects:
            raise KeyOccupied(self.name, to, f"an object lies there already; {key} was not moved aside")
        self.objects[to] = self.objects[key]

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        for key in keys:
            try:
                data = self._existing(key)
            except ObjectError as error:
                yield Failure(key, error)
            else:
                if self.pace is not None:
                    self.pace.wait(len(data))
                yield StoredDigest(key, len(data), _checksum(algorithm, data), VerifiedBy.READ_BACK)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        self._reach()
        return {key: len(self.objects[key]) for key in keys if key in self.objects}

    def open(self, key: str) -> BytesStream:
        return BytesStream(self._existing(key), place=self.name, key=key)

    def supersede(self, key: str, to: str) -> None:
        self._existing(key)
        self._move_aside(key, self._writable(to))
        del self.objects[key]

    def read_identity(self) -> str | None:
        self._reach()
        identity = self.objects.get(IDENTITY_KEY)
        return None if identity is None else identity.decode()

    def write_identity(self, ledger_id: str) -> None:
        self._reach()
        self.objects[IDENTITY_KEY] = ledger_id.encode()

    def entries(self, folder: str = "") -> Iterator[Entry]:
        self._reach()
        for key in [key for key in self.objects if not folder or key.startswith(f"{folder}/")]:
            yield Entry(key, len(self.objects[key]))

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        checked_notes(notes)
        self._reach()
        failures = []
        for key, data in notes.items():
            try:
                self._note(self._writable(key), data)
            except ObjectError as error:
                failures.append(Failure(key, error))
        return failures

    def _note(self, key: str, data: bytes | None) -> None:
        if data is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = data

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        checked_doomed(doomed)
        for one in doomed:
            self._reach()
            try:
                data = self._existing(one.key)
            except CopyMissing:
                yield Pruned(one.key, Fate.MISSING)
            except ObjectError as error:
                yield Failure(one.key, error)
            else:
                yield self._pruned(one, data)

    def _pruned(self, one: Doomed, data: bytes) -> Pruned:
        if len(data) != one.size:
            return Pruned(one.key, Fate.DIFFERS, f"it has {len(data)} bytes, not {one.size}")
        if one.key in self.faults.locked:
            return Pruned(one.key, Fate.LOCKED, "it is under Object Lock, as planned")
        del self.objects[one.key]
        return Pruned(one.key, Fate.REMOVED)

    def sweep(self) -> None:
        self._reach()
        ours, current = f"{self._staging.ledger_prefix}/", f"{self._staging.prefix}/"
        for key in [key for key in self.objects if key.startswith(ours) and not key.startswith(current)]:
            del self.objects[key]

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        self._reach()
        for key in keys:
            self.objects.pop(key, None)

    def close(self) -> None:
        """Nothing is held."""

    def _down(self) -> bool:
        return self.faults.down_after is not None and self.stored >= self.faults.down_after

    def _reach(self) -> None:
        if self._down():
            raise DestinationLost(f"{self.name}: nobody answers, as planned")

    def _writable(self, key: str) -> str:
        checked_path_key(self.name, key)
        if self._down() or key in self.faults.silent:
            raise Unavailable(self.name, key, "nobody answers, as planned")
        if key in self.faults.refuses:
            raise CopyRefused(self.name, key, "permission denied, as planned")
        return key

    def _existing(self, key: str) -> bytes:
        if self._writable(key) not in self.objects:
            raise CopyMissing(self.name, key, "there is no such object")
        return self.objects[key]


def _checksum(algorithm: Algorithm, data: bytes) -> Checksum:
    digest = algorithm.new()
    digest.update(data)
    return Checksum(algorithm, digest.hexdigest())


def _proven(place: str, staged: _Staged) -> _Staged:
    """*staged*, if what is stored is what was sent; otherwise raises CopyDiffers."""
    stored = _checksum(staged.checksum.algorithm, staged.data)
    if stored != staged.checksum:
        raise CopyDiffers(place, staged.upload.key, f"{stored} is stored, {staged.checksum} was sent")
    return staged
