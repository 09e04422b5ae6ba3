"""A destination that is a bucket: copies are plain objects below a prefix."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

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
from dataverse_backup.destinations.partials import Resumable
from dataverse_backup.destinations.prunable import Doomed, Prunable, Pruned, checked_doomed
from dataverse_backup.destinations.s3.aside import Aside
from dataverse_backup.destinations.s3.batch import Batch
from dataverse_backup.destinations.s3.bucket import MOST_TOGETHER, Bucket
from dataverse_backup.destinations.s3.flight import Flight
from dataverse_backup.destinations.s3.parts import PartUploads
from dataverse_backup.destinations.s3.prune import BucketPruning
from dataverse_backup.destinations.s3.within import Within
from dataverse_backup.errors import CopyError, CopyMissing, DestinationLost, KeyRefused
from dataverse_backup.fixity import Durability, VerifiedBy
from dataverse_backup.services.copy_errors import destination_lost
from dataverse_backup.services.s3 import VENDOR_ERRORS, connected, diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_s3 import S3Client

    from dataverse_backup.destinations.base import Receipt, Staging, Upload
    from dataverse_backup.destinations.s3.settings import S3Settings
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.outflow import Pace

_LONGEST_IDENTITY = 4096
_WITHOUT_CONDITIONS = (
    "the service knows no conditional writes: each key is looked at first, and two runs at once may clash"
)


class S3Destination(Destination, Listable, Explainable, Resumable, Prunable):
    """Keeps copies as objects of one bucket.

    No object is seen before all of it was read and fits; S3 shows an object, or does not, as a whole. It has no way to
    show it only after it was read back: one that differs is taken away again at once, and the key reads as before.
    Receipts are proven by reading back, or, with ``VerifiedBy.SERVICE``, by the checksum of the whole object that the
    service names after it took the bytes: its MD5 (as ETag) or its CRC-64/NVME, which is believed where the service was
    seen to compare it with what arrives (docs/decisions/0010). We compute those and the registered one from the same
    bytes, so where they agree the receipt tells the registered one. Where they do not, the object is read back.

    Every copy is durable: S3 answers when it has stored an object for good. An object is never written over: the
    request says so (If-None-Match), and where we have not seen that the service keeps to it the key is looked at first.
    """

    def __init__(self, name: str, settings: S3Settings, staging: Staging) -> None:
        """Keep copies in an existing bucket; nothing is connected before it is needed."""
        self.name, self.method = name, "s3"
        self._settings, self._staging = settings, staging
        self.resumes_from = settings.resumes_from
        self._client: S3Client | None = None
        self._bucket: Bucket | None = None
        self._within: Within | None = None

    def connect(self) -> Traits:
        try:
            found = self._connected().list_objects_v2(
                Bucket=self._settings.bucket, Prefix=self._settings.prefix, MaxKeys=1
            )
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            raise destination_lost(f"{self.name}: the bucket {self._settings.bucket}", cause) from error
        self._reach().try_conditions()
        is_service = self._settings.verify is VerifiedBy.SERVICE
        return Traits(
            folds_case=False,
            hashes=(VerifiedBy.SERVICE, VerifiedBy.READ_BACK) if is_service else (VerifiedBy.READ_BACK,),
            durable=Durability.YES,
            free_bytes=None,
            clock_skew=_seconds_ahead(found["ResponseMetadata"]["HTTPHeaders"]),
            remarks=() if self._reach().takes_conditions else (_WITHOUT_CONDITIONS,),
        )

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        bucket = self._reach()
        parts = PartUploads(bucket, self._staging)
        aside = Aside(bucket, self._settings, parts)
        yield from Batch(bucket, self._settings, parts, aside, self._copying(bucket)).run(uploads)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        bucket = self._reach()
        with Flight[StoredDigest](bucket, self._settings.threads) as flight:
            steps = ((key, partial(_digest, bucket, key, algorithm, self.pace)) for key in keys)
            yield from flight.results((key, partial(flight.start, key, step)) for key, step in steps)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        bucket = self._reach()
        with self._lost_errors(), ThreadPoolExecutor(self._settings.threads) as pool:
            found = list(pool.map(partial(self._size, bucket), keys))
        return {key: size for key, size in zip(keys, found, strict=True) if size is not None}

    def _size(self, bucket: Bucket, key: str) -> int | None:
        try:
            found = bucket.look(key)
        except KeyRefused:
            return None
        return None if found is None else found.size

    def open(self, key: str) -> StoredObject:
        return StoredObject(self._reach(), key)

    def supersede(self, key: str, to: str) -> None:
        bucket = self._reach()
        bucket.path(to)
        present = bucket.look(key)
        if present is None:
            raise CopyMissing(self.name, key, "there is no such object")
        Aside(bucket, self._settings, PartUploads(bucket, self._staging)).keep(key, to, present)
        bucket.delete(key)

    def read_identity(self) -> str | None:
        with self._lost_errors():
            try:
                stream = self.open(IDENTITY_KEY)
            except CopyMissing:
                return None
            try:
                return beginning(stream.read, _LONGEST_IDENTITY).decode(errors="replace").strip()
            finally:
                stream.close()

    def write_identity(self, ledger_id: str) -> None:
        with self._lost_errors():
            options = self._settings.options_for(IDENTITY_KEY)
            self._reach().write(IDENTITY_KEY, ledger_id.encode(), options, {})

    def entries(self, folder: str = "") -> Iterator[Entry]:
        with self._lost_errors():
            yield from self._reach().entries(folder)

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        checked_notes(notes)
        bucket = self._reach()
        write, gone = partial(self._write_note, bucket), [key for key, data in notes.items() if data is None]
        pieces = [gone[start : start + MOST_TOGETHER] for start in range(0, len(gone), MOST_TOGETHER)]
        with ThreadPoolExecutor(self._settings.threads) as pool:
            not_deleted = pool.map(bucket.delete_together, pieces)
            failures = list(pool.map(write, [note for note in notes.items() if note[1] is not None]))
            # One by one it works where a service cannot do it together, or says what is wrong.
            failures += pool.map(write, [(key, None) for keys in not_deleted for key in keys])
        return [failure for failure in failures if failure is not None]

    def _write_note(self, bucket: Bucket, note: tuple[str, bytes | None]) -> Failure | None:
        key, data = note
        try:
            if data is None:
                bucket.delete(key)
            else:
                bucket.write(key, data, self._settings.options_for(key), {})
        except CopyError as error:
            return Failure(key, error)
        return None

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        checked_doomed(doomed)
        with self._lost_errors():
            pruning = BucketPruning(self._reach())

        def tried(one: Doomed) -> Pruned | Failure:
            try:
                return pruning.prune(one)
            except CopyError as error:
                return Failure(one.key, error)

        with ThreadPoolExecutor(self._settings.threads) as pool:
            yield from pool.map(tried, doomed)

    def sweep(self) -> None:
        with self._lost_errors():
            PartUploads(self._reach(), self._staging).sweep()

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        bucket = self._reach()
        with self._lost_errors():
            for key in keys:
                bucket.delete(key)

    def close(self) -> None:
        client, bucket = self._client, self._bucket
        self._client = self._bucket = self._within = None
        if bucket is not None:
            bucket.close()
        if client is not None:
            client.close()

    def _connected(self) -> S3Client:
        if self._client is None:
            self._client = connected(self._settings.access)
        return self._client

    def _reach(self) -> Bucket:
        if self._bucket is None:
            self._bucket = Bucket(self.name, self._connected(), self._settings)
        return self._bucket

    def _copying(self, bucket: Bucket) -> Within:
        """What we know of copying within the service; it outlives a batch."""
        if self._within is None:
            self._within = Within(bucket, is_wanted=self._settings.copies_within)
        return self._within

    @contextmanager
    def _lost_errors(self) -> Iterator[None]:
        """What goes wrong with a question about all of the destination is no error of an object."""
        try:
            yield
        except CopyError as error:
            raise DestinationLost(error.message, error.hint) from error


class StoredObject:
    """The stored bytes of one object, for reading."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """Open the object under *key*. Raises CopyError."""
        self.place, self.key = bucket.place, key
        self._bucket, self._reader = bucket, bucket.read(key)
        self.size = self._reader.size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises CopyError."""
        with self._bucket.reading(self.key):
            return self._reader.read(length)

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        self._reader.close()


def _digest(bucket: Bucket, key: str, algorithm: Algorithm, pace: Pace | None) -> StoredDigest:
    size, checksum = bucket.digest(key, algorithm, pace)
    return StoredDigest(key, size, checksum, VerifiedBy.READ_BACK)


def _seconds_ahead(headers: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time()
    except ValueError:
        return None
