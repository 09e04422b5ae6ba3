"""A destination in OpenStack Swift."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dataverse_backup.chunks import beginning
from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    Destination,
    Entry,
    Explainable,
    Failure,
    Listable,
    StoredDigest,
    Traits,
    checked_notes,
    checked_removable,
)
from dataverse_backup.destinations.prunable import Doomed, Prunable, Pruned, checked_doomed
from dataverse_backup.destinations.swift import large
from dataverse_backup.destinations.swift.attempt import Attempt, Limits, checked_key, keep_as
from dataverse_backup.destinations.swift.failures import copy_errors, lost_errors
from dataverse_backup.destinations.swift.objects import Objects
from dataverse_backup.destinations.swift.prune import ContainerPruning
from dataverse_backup.errors import CopyMissing, DestinationLost, KeyRefused, ObjectError
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.services.swift import SWIFT_ERRORS, Swift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.destinations.base import Receipt, Staging, Upload
    from dataverse_backup.destinations.swift.settings import SwiftSettings
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.services.swift_object import SwiftObject

Item = TypeVar("Item")
Result = TypeVar("Result")

_LONGEST_IDENTITY = 1024


class SwiftDestination(Destination, Listable, Explainable, Prunable):
    """Keeps copies as objects under their keys, in one container or one for each dataset.

    Several requests are under way at once; the objects of a batch are stored independently of each other. The
    container of our own is made when the destination becomes a ledger's, never later: where it is gone, so are the
    copies.
    """

    def __init__(self, name: str, settings: SwiftSettings, staging: Staging) -> None:
        """Keep copies as *settings* say; nothing is connected before it is needed."""
        self.name, self.method = name, "swift"
        self._settings, self._staging = settings, staging
        self._swift = Swift(settings.access)
        self._objects = Objects(self._swift, settings)
        self._limits = Limits()
        self._identity: str | None = None

    def connect(self) -> Traits:
        with lost_errors(self.name):
            headers = self._objects.container()
            self._limits = self._asked_limits()
        if headers is None and self._identity is not None:
            said = f"{self.name}: the container {self._settings.container} is gone"
            raise DestinationLost(said, "was it deleted? is it the same project?")
        return self._traits(headers)

    def _asked_limits(self) -> Limits:
        try:
            return Limits(*self._objects.limits())
        except (*SWIFT_ERRORS, LookupError, TypeError, ValueError, AttributeError):
            return Limits()  # a service may keep them to itself; these are Swift's own

    def _traits(self, headers: Any) -> Traits:
        hashes = (VerifiedBy.READ_BACK,)
        return Traits(
            folds_case=False,
            hashes=hashes if self._settings.verify is VerifiedBy.READ_BACK else (VerifiedBy.SERVICE, *hashes),
            durable=Durability.YES,
            free_bytes=None,
            clock_skew=_seconds_ahead(headers),
        )

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        attempt = Attempt(self.name, self._objects, self._settings, self._staging, self._limits)
        by_key = {upload.key: upload for upload in reversed(uploads)}
        first = list(by_key.values())
        again = [upload for upload in uploads if by_key[upload.key] is not upload]
        for wave in (first, *([upload] for upload in again)):  # two at once under one key would both find it free
            yield from self._at_once(partial(_tried, attempt.store), wave)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        def digest(key: str) -> StoredDigest | Failure:
            try:
                with copy_errors(self.name, checked_key(self.name, key)):
                    size, checksum = self._objects.digest(key, algorithm, self.pace)
            except ObjectError as error:
                return Failure(key, error)
            return StoredDigest(key, size, checksum, VerifiedBy.READ_BACK)

        yield from self._at_once(digest, keys)

    def _at_once(self, step: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What *step* gives for each item; what has not begun is given up when nobody waits any more."""
        with ThreadPoolExecutor(self._settings.threads) as pool:
            futures = [pool.submit(step, item) for item in items]
            try:
                for future in futures:
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        def size(key: str) -> tuple[str, int | None]:
            status = self._objects.status(key)
            return key, None if status is None else status.size

        with lost_errors(self.name):
            found = dict(self._at_once(size, [key for key in keys if self._storable(key)]))
        return {key: size for key, size in found.items() if size is not None}

    def _storable(self, key: str) -> bool:
        try:
            checked_key(self.name, key)
        except KeyRefused:
            return False
        return True

    def open(self, key: str) -> StoredObject:
        with copy_errors(self.name, checked_key(self.name, key)):
            return StoredObject(self._objects.open(key), place=self.name, key=key)

    def supersede(self, key: str, to: str) -> None:
        checked_key(self.name, to)
        with copy_errors(self.name, checked_key(self.name, key)):
            present = self._objects.status(key)
            if present is None:
                raise CopyMissing(self.name, key, "there is no such object")
            keep_as(self.name, self._objects, key, present, to)
            self._objects.delete(key)

    def read_identity(self) -> str | None:
        with lost_errors(self.name):
            self._identity = self._text(IDENTITY_KEY)
        return self._identity

    def _text(self, key: str) -> str | None:
        if self._objects.status(key) is None:
            return None
        stored = self._objects.open(key)
        try:
            return beginning(stored.read, _LONGEST_IDENTITY).decode(errors="replace")
        finally:
            stored.close()

    def write_identity(self, ledger_id: str) -> None:
        data = ledger_id.encode()
        with lost_errors(self.name):
            self._objects.make_container()
            self._objects.put(IDENTITY_KEY, data, etag=large.md5(data), may_overwrite=True)
        self._identity = ledger_id

    def entries(self, folder: str = "") -> Iterator[Entry]:
        with lost_errors(self.name):
            if self._identity is not None and self._objects.container() is None:
                raise DestinationLost(f"{self.name}: the container {self._settings.container} is gone")
            yield from self._objects.entries(folder)

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        checked_notes(notes)
        failures = self._at_once(self._write_note, notes.items())
        return [failure for failure in failures if failure is not None]

    def _write_note(self, note: tuple[str, bytes | None]) -> Failure | None:
        key, data = note
        try:
            with copy_errors(self.name, checked_key(self.name, key)):
                if data is None:
                    self._objects.delete(key)
                else:
                    self._objects.make_container_of(key)
                    self._objects.put(key, data, etag=large.md5(data), may_overwrite=True)
        except ObjectError as error:
            return Failure(key, error)
        return None

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        checked_doomed(doomed)
        pruning = ContainerPruning(self.name, self._objects)

        def tried(one: Doomed) -> Pruned | Failure:
            try:
                with copy_errors(self.name, one.key):
                    return pruning.prune(one)
            except ObjectError as error:
                return Failure(one.key, error)

        yield from self._at_once(tried, doomed)

    def sweep(self) -> None:
        with lost_errors(self.name):
            large.sweep(self._objects, self._staging)

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        with lost_errors(self.name):
            for key in filter(self._storable, keys):
                large.remove_whole(self._objects, key)

    def close(self) -> None:
        self._swift.close()


class StoredObject:
    """The stored bytes of one object, for reading."""

    def __init__(self, stored: SwiftObject, *, place: str, key: str) -> None:
        """Read *stored*; *place* and *key* name it in errors."""
        self._stored = stored
        self.place, self.key, self.size = place, key, stored.size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises CopyError."""
        with copy_errors(self.place, self.key):
            return self._stored.read(length)

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        self._stored.close()


def _tried(store: Callable[[Upload], Receipt], upload: Upload) -> Receipt | Failure:
    try:
        return store(upload)
    except ObjectError as error:
        return Failure(upload.key, error)


def _seconds_ahead(headers: Any) -> float | None:
    """How far the service's clock is ahead of ours, by the second that it writes into every answer."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp() + 0.5 - time.time()
    except (TypeError, KeyError, ValueError):
        return None
