"""The requests of S3 as a destination needs them: in its keys, with its errors."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dataverse_backup.chunks import beginning
from dataverse_backup.destinations.base import IDENTITY_KEY, OWN_PREFIX, SCRATCH_PREFIX, Entry, checked_path_key
from dataverse_backup.destinations.s3.multipart import Multipart, copy_source
from dataverse_backup.destinations.s3.objects import as_base64, crc64_of, crc64_text, md5_of, stored_as
from dataverse_backup.errors import CopyError, CopyMissing, KeyOccupied, KeyRefused, Unavailable
from dataverse_backup.fixity import Checksum
from dataverse_backup.outflow import paced
from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.origin import Origin
from dataverse_backup.services.s3 import VENDOR_ERRORS, diagnosis
from dataverse_backup.services.s3_object import ObjectReader
from dataverse_backup.services.s3_plain import PlainRequests
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteTypeDef

    from dataverse_backup.destinations.s3.objects import Stored
    from dataverse_backup.destinations.s3.settings import S3Settings
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.outflow import Pace

CHUNK = 1 << 20
MAX_KEY_BYTES = 1024
MOST_TOGETHER = 1000
"""Of the objects that one request deletes (DeleteObjects in the reference of S3)."""
_CONTROL = frozenset(map(chr, {*range(32), 0xFFFE, 0xFFFF} - {9, 10, 13}))
"""XML, which S3 speaks, has no way to write these."""
_MAYBE_UNKNOWN = {Trouble.NOT_OFFERED, Trouble.OTHER}


class Bucket:
    """One bucket below a prefix, for several threads. Every method raises CopyError."""

    def __init__(self, place: str, client: S3Client, settings: S3Settings) -> None:
        """*place* is the name of the destination, for errors."""
        self.place, self.name = place, settings.bucket
        self.client, self._settings = client, settings
        self._plain = PlainRequests(client, settings.access)
        self.service = self._plain.service
        self.multipart = Multipart(self)
        """For what is too big for one request."""
        self.takes_conditions = True
        """As far as we have seen."""
        self.keeps_conditions = False
        """We have seen it."""
        self.names_md5 = True
        """Its ETags of whole objects are their MD5, as far as we have seen."""

    def close(self) -> None:
        """Give back the connections that are not the client's."""
        self._plain.close()

    def path(self, key: str) -> str:
        """The name of *key* in the bucket. Raises KeyRefused."""
        name = self._name(checked_path_key(self.place, key))
        if len(name.encode()) > MAX_KEY_BYTES:
            raise KeyRefused(self.place, key, f"in the bucket its name would be longer than {MAX_KEY_BYTES} bytes")
        if not _CONTROL.isdisjoint(key):
            raise KeyRefused(self.place, key, "not every S3 service keeps control characters in names")
        return name

    def _name(self, key: str) -> str:
        return f"{self._settings.prefix}/{key}" if self._settings.prefix else key

    def look(self, key: str) -> Stored | None:
        """What lies under *key*, or None."""
        request = self.target(key)
        try:
            with self.errors(key):
                found = self.client.head_object(**request, ChecksumMode="ENABLED")
        except CopyMissing:
            return None
        return stored_as(found["ContentLength"], found)

    def read(self, key: str) -> ObjectReader:
        """The bytes under *key*; reading raises vendor errors, to be translated by ``reading``."""
        name = self.path(key)
        with self.errors(key):
            return ObjectReader(self._plain.get_object, self._settings.bucket, name)

    @contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Translate what goes wrong while the bytes of *key* are read."""
        try:
            yield
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            if cause.trouble is Trouble.OCCUPIED:
                raise Unavailable(self.place, key, "it was replaced while it was read") from error
            raise copy_error(self.place, key, cause) from error

    def digest(self, key: str, algorithm: Algorithm, pace: Pace | None = None) -> tuple[int, Checksum]:
        """How many bytes are stored, and their checksum: all of them are read."""
        size, hashed = 0, algorithm.new()
        reader = self.read(key)
        try:
            with self.reading(key):
                read = paced(reader.read, pace)
                while data := read(CHUNK):
                    hashed.update(data)
                    size += len(data)
        finally:
            reader.close()
        return size, Checksum(algorithm, hashed.hexdigest())

    def write(
        self,
        key: str,
        data: bytes,
        options: Mapping[str, Any],
        condition: Mapping[str, str],
        *,
        md5: bytes | None = None,
    ) -> Stored:
        """Store *data*, whose MD5 (*md5*, where that is known) the service compares before; *condition* must hold."""
        request = {**self.target(key), **options, "Body": data, "ContentMD5": as_base64(md5 or md5_of(data))}
        with self.errors(key):
            answer = self.sent_if(condition, self._plain.put_object, request)
        return stored_as(len(data), answer)

    def try_conditions(self) -> None:
        """Find out whether the service keeps to conditions, by writing our identity again where it must not be.

        A service that does write it again writes the same. Where there is none yet, or where anything else is wrong,
        nothing is learned.
        """
        with suppress(CopyError):
            identity = self.read(IDENTITY_KEY)
            try:
                with self.reading(IDENTITY_KEY):
                    text = beginning(identity.read, CHUNK)
            finally:
                identity.close()
            try:
                self.write(IDENTITY_KEY, text, self.options_for(IDENTITY_KEY), {"IfNoneMatch": "*"})
            except KeyOccupied:
                self.keeps_conditions = True

    @cached_property
    def checks_crc64(self) -> bool:
        """Whether the service compares what arrives with its CRC-64/NVME: it is told a wrong one, once.

        Only then it says something that it names this checksum: there are services that give back what they were told.
        """
        key, data = f"{SCRATCH_PREFIX}/{secrets.token_hex(16)}", b"not what its checksum says"
        request = self.target(key) | self.options_for(key)
        wrong = crc64_text(crc64_of(data) ^ 1)
        with suppress(CopyError):
            try:
                self.client.put_object(**request, Body=data, ChecksumCRC64NVME=wrong)
            except VENDOR_ERRORS as error:
                return diagnosis(error).trouble is Trouble.BAD_DIGEST
            self.delete(key)
        return False

    def origin(self, key: str, present: Stored) -> Origin:
        """The object *present* under *key*, to be copied."""
        return Origin(self.service, self._settings.bucket, self.path(key), present.etag)

    def copy(self, origin: Origin, to: str, more: Mapping[str, str]) -> None:
        """Let the service copy *origin*, in one request, over whatever lies under *to*; *more* is asked of it too."""
        request = {**self.target(to), **self.options_for(to), **copy_source(origin), **more}
        with self.errors(to):
            self.client.copy_object(**request)

    def delete(self, key: str, version: str | None = None) -> None:
        """Delete an object, or one version of it; what is not there is deleted."""
        request = self.target(key) | ({"VersionId": version} if version else {})
        with self.errors(key):
            self.client.delete_object(**request)

    def delete_together(self, keys: Sequence[str]) -> list[str]:
        """Delete up to MOST_TOGETHER objects with one request; those for which that did not succeed."""
        try:
            told: DeleteTypeDef = {"Objects": [{"Key": self.path(key)} for key in keys], "Quiet": True}
            with self.errors(keys[0]):
                answer = self.client.delete_objects(Bucket=self._settings.bucket, Delete=told)
        except CopyError:
            return list(keys)
        failed = {said.get("Key") for said in answer.get("Errors", ())}
        return [key for key in keys if self._name(key) in failed]

    def is_listed(self, key: str) -> bool:
        """Whether the service lists an object under exactly this name."""
        name = self.path(key)
        with self.errors(key):
            found = self.client.list_objects_v2(Bucket=self._settings.bucket, Prefix=name, MaxKeys=1)
        return any(one.get("Key") == name for one in found.get("Contents", ()))

    def ages(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Every key that begins with *prefix*, and when its object was written."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bucket, Prefix=self._name(prefix)
        )
        with self.errors(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(self._name("")), found["LastModified"]

    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object below *folder*, with its size."""
        prefix = self._name(f"{folder}/" if folder else "")
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bucket, Prefix=prefix, PaginationConfig={"PageSize": self._settings.page}
        )
        with self.errors(folder or OWN_PREFIX):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield Entry(found["Key"].removeprefix(self._name("")), found["Size"])

    def target(self, key: str) -> dict[str, Any]:
        """Where the object *key* is, as requests have it."""
        return {"Bucket": self._settings.bucket, "Key": self.path(key)}

    def options_for(self, key: str) -> dict[str, Any]:
        """What is asked for with the object under *key*."""
        return self._settings.options_for(key)

    def sent_if(self, condition: Mapping[str, str], send: Callable[..., Any], request: Mapping[str, Any]) -> Any:
        """Send *request* under *condition*; without, where the service knows none: the key was looked at before."""
        if not self.takes_conditions:
            return send(**request)
        try:
            return send(**request, **condition)
        except VENDOR_ERRORS as error:
            if diagnosis(error).trouble not in _MAYBE_UNKNOWN:
                raise
            answer = send(**request)
            self.takes_conditions = False
            return answer

    @contextmanager
    def errors(self, key: str) -> Iterator[None]:
        """Say in this project's words what S3 says about *key*."""
        try:
            yield
        except VENDOR_ERRORS as error:
            raise copy_error(self.place, key, diagnosis(error)) from error
