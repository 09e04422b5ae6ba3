"""The requests of S3 as a destination needs them: in its keys, with its errors."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.base import IDENTITY_KEY, OWN_PREFIX, Entry, checked_path_key
from dataverse_backup.errors import CopyError, CopyFailed, CopyMissing, KeyOccupied, KeyRefused, Unavailable
from dataverse_backup.fixity import Checksum
from dataverse_backup.outflow import paced
from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.origin import Origin
from dataverse_backup.services.s3 import VENDOR_ERRORS, diagnosis, service_of
from dataverse_backup.services.s3_object import ObjectReader
from dataverse_backup.services.s3_puts import SmallPuts
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteTypeDef

    from dataverse_backup.destinations.s3.settings import S3Settings
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.outflow import Pace

CHUNK = 1 << 20
MAX_KEY_BYTES = 1024
MOST_TOGETHER = 1000
"""Of the objects that one request deletes (DeleteObjects in the reference of S3)."""
_CONTROL = frozenset(map(chr, {*range(32), 0xFFFE, 0xFFFF} - {9, 10, 13}))
"""XML, which S3 speaks, has no way to write these."""
_NO_LOCKS = {Trouble.MISSING, Trouble.NOT_OFFERED}
_MAYBE_UNKNOWN = {Trouble.NOT_OFFERED, Trouble.OTHER}


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the service describes it."""

    size: int
    etag: str
    version: str | None
    """None in a bucket without versions."""
    md5: str | None
    """Hexadecimal digits, where the ETag looks like one and the encryption does not say otherwise."""
    sha256: str | None
    """In base64, where the service keeps one of the whole object."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps an object from being deleted."""

    until: datetime | None
    """Of its retention; None where it has none."""
    is_held: bool
    """Whether it is under a legal hold."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload, as the service knows it."""

    number: int
    """From 1."""
    etag: str
    md5: bytes | None = None
    """Of the bytes that we sent as this part; None where the service copied them, or had them of an earlier try."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part of an upload that was broken off."""

    part: Part
    size: int

    def holds(self, data: bytes) -> bool:
        """Whether it is *data*, as the service tells by its MD5; where it tells something else, never."""
        return self.size == len(data) and self.part.etag.strip('"').lower() == md5_of(data).hex()


@dataclass(frozen=True, slots=True)
class Span:
    """Some of the bytes of one object."""

    origin: Origin
    start: int
    stop: int


class Bucket:
    """One bucket below a prefix, for several threads. Every method raises CopyError."""

    def __init__(self, place: str, client: S3Client, settings: S3Settings) -> None:
        """*place* is the name of the destination, for errors."""
        self.place = place
        self.service = service_of(client)
        self._client, self._settings = client, settings
        self._puts = SmallPuts(client, settings.access)
        self.takes_conditions = True
        """As far as we have seen."""
        self.keeps_conditions = False
        """We have seen it."""

    def close(self) -> None:
        """Give back the connections that are not the client's."""
        self._puts.close()

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
        request = self._target(key)
        try:
            with self._errors(key):
                found = self._client.head_object(**request, ChecksumMode="ENABLED")
        except CopyMissing:
            return None
        is_whole = found.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
        return Stored(
            size=found["ContentLength"],
            etag=found.get("ETag", ""),
            version=found.get("VersionId"),
            md5=_md5_of(found),
            sha256=found.get("ChecksumSHA256") if is_whole else None,
        )

    def read(self, key: str) -> ObjectReader:
        """The bytes under *key*; reading raises vendor errors, to be translated by ``reading``."""
        name = self.path(key)
        with self._errors(key):
            return ObjectReader(self._client, self._settings.bucket, name)

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
        request = {**self._target(key), **options, "Body": data, "ContentMD5": _base64(md5 or md5_of(data))}
        with self._errors(key):
            answer = self._if(condition, self._puts.put_object, request)
        return Stored(
            size=len(data),
            etag=answer.get("ETag", ""),
            version=answer.get("VersionId"),
            md5=_md5_of(answer),
            sha256=answer.get("ChecksumSHA256"),
        )

    def try_conditions(self) -> None:
        """Find out whether the service keeps to conditions, by writing our identity again where it must not be.

        A service that does write it again writes the same. Where there is none yet, or where anything else is wrong,
        nothing is learned.
        """
        with suppress(CopyError):
            identity = self.read(IDENTITY_KEY)
            try:
                with self.reading(IDENTITY_KEY):
                    text = identity.read(CHUNK)
            finally:
                identity.close()
            try:
                self.write(IDENTITY_KEY, text, self._settings.options_for(IDENTITY_KEY), {"IfNoneMatch": "*"})
            except KeyOccupied:
                self.keeps_conditions = True

    def origin(self, key: str, present: Stored) -> Origin:
        """The object *present* under *key*, to be copied."""
        return Origin(self.service, self._settings.bucket, self.path(key), present.etag)

    def copy(self, origin: Origin, to: str, more: Mapping[str, str]) -> None:
        """Let the service copy *origin*, in one request, over whatever lies under *to*; *more* is asked of it too."""
        request = {**self._target(to), **self._settings.options_for(to), **_source(origin), **more}
        with self._errors(to):
            self._client.copy_object(**request)

    def delete(self, key: str, version: str | None = None) -> None:
        """Delete an object, or one version of it; what is not there is deleted."""
        request = self._target(key) | ({"VersionId": version} if version else {})
        with self._errors(key):
            self._client.delete_object(**request)

    def has_locks(self) -> bool | None:
        """Whether objects of the bucket can be under Object Lock; None where that is not told."""
        try:
            found = self._client.get_object_lock_configuration(Bucket=self._settings.bucket)
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            if cause.trouble in _NO_LOCKS:
                return False
            if cause.trouble in (Trouble.REFUSED, Trouble.OTHER):
                return None
            raise copy_error(self.place, OWN_PREFIX, cause) from error
        return found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def lock_of(self, key: str) -> Lock | None:
        """What keeps the object under *key* from being deleted; None where that is not told."""
        request = self._target(key)
        retention = self._lock_part(key, lambda: self._client.get_object_retention(**request))
        hold = self._lock_part(key, lambda: self._client.get_object_legal_hold(**request))
        if retention is None or hold is None:
            return None
        until = retention.get("Retention", {}).get("RetainUntilDate")
        return Lock(until, is_held=hold.get("LegalHold", {}).get("Status") == "ON")

    def _lock_part(self, key: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """What the service answers; nothing where the object has no such thing, None where we may not know."""
        try:
            return ask()
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            if cause.trouble in _NO_LOCKS or "InvalidRequest" in cause.said:  # "Bucket is missing Object Lock …"
                return {}
            if cause.trouble is Trouble.REFUSED:
                return None
            raise copy_error(self.place, key, cause) from error

    def delete_together(self, keys: Sequence[str]) -> list[str]:
        """Delete up to MOST_TOGETHER objects with one request; those for which that did not succeed."""
        try:
            told: DeleteTypeDef = {"Objects": [{"Key": self.path(key)} for key in keys], "Quiet": True}
            with self._errors(keys[0]):
                answer = self._client.delete_objects(Bucket=self._settings.bucket, Delete=told)
        except CopyError:
            return list(keys)
        failed = {said.get("Key") for said in answer.get("Errors", ())}
        return [key for key in keys if self._name(key) in failed]

    def is_listed(self, key: str) -> bool:
        """Whether the service lists an object under exactly this name."""
        name = self.path(key)
        with self._errors(key):
            found = self._client.list_objects_v2(Bucket=self._settings.bucket, Prefix=name, MaxKeys=1)
        return any(one.get("Key") == name for one in found.get("Contents", ()))

    def ages(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Every key that begins with *prefix*, and when its object was written."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bucket, Prefix=self._name(prefix)
        )
        with self._errors(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(self._name("")), found["LastModified"]

    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object below *folder*, with its size."""
        prefix = self._name(f"{folder}/" if folder else "")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bucket, Prefix=prefix, PaginationConfig={"PageSize": self._settings.page}
        )
        with self._errors(folder or OWN_PREFIX):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield Entry(found["Key"].removeprefix(self._name("")), found["Size"])

    # Uploads in parts.

    def begin(self, key: str) -> str:
        """Begin an upload in parts; returns its id."""
        with self._errors(key):
            request = self._target(key) | self._settings.options_for(key)
            return self._client.create_multipart_upload(**request)["UploadId"]

    def send_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        """Send part *number*, from 1."""
        request = self._target(key) | {"UploadId": upload_id, "PartNumber": number}
        md5 = md5_of(data)
        with self._errors(key):
            answer = self._client.upload_part(**request, Body=data, ContentMD5=_base64(md5))
        return Part(number, answer["ETag"], md5)

    def copy_part(self, to: str, upload_id: str, number: int, source: Span) -> Part:
        """Let the service copy what *source* tells as part *number*."""
        request = self._target(to) | {
            "UploadId": upload_id,
            "PartNumber": number,
            "CopySourceRange": f"bytes={source.start}-{source.stop - 1}",
            **_source(source.origin),
        }
        with self._errors(to):
            answer = self._client.upload_part_copy(**request)
        etag = answer.get("CopyPartResult", {}).get("ETag")
        if etag is None:
            raise CopyFailed(self.place, to, "the service does not say that it has copied anything")
        return Part(number, etag)

    def parts(self, key: str, upload_id: str) -> dict[int, Arrived]:
        """What has arrived of an upload in parts, by number; nothing where there is no such upload any more."""
        pages = self._client.get_paginator("list_parts").paginate(**self._target(key), UploadId=upload_id)
        with self._errors(key), suppress(self._client.exceptions.NoSuchUpload):
            return {
                found["PartNumber"]: Arrived(Part(found["PartNumber"], found["ETag"]), found["Size"])
                for page in pages
                for found in page.get("Parts", ())
            }
        return {}

    def complete(self, key: str, upload_id: str, parts: Sequence[Part], condition: Mapping[str, str]) -> Stored:
        """Make the object of the *parts* visible; *condition* must hold."""
        told = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        request = self._target(key) | {"UploadId": upload_id, "MultipartUpload": {"Parts": told}}
        with self._errors(key):
            answer = self._if(condition, self._client.complete_multipart_upload, request)
        # Some services (Ceph) name another ETag in this answer than in all others.
        seen = self.look(key)
        return Stored(seen.size if seen else 0, seen.etag if seen else "", answer.get("VersionId"), None, None)

    def abort(self, key: str, upload_id: str) -> None:
        """Give up an upload in parts: what was sent is removed."""
        with self._errors(key):
            self._client.abort_multipart_upload(**self._target(key), UploadId=upload_id)

    def unfinished(self, key: str) -> list[str]:
        """The ids of all uploads in parts to exactly this key."""
        name = self.path(key)
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._settings.bucket, Prefix=name)
        with self._errors(key):
            return [
                found["UploadId"] for page in pages for found in page.get("Uploads", ()) if found.get("Key") == name
            ]

    def _target(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._settings.bucket, "Key": self.path(key)}

    def _if(self, condition: Mapping[str, str], send: Callable[..., Any], request: Mapping[str, Any]) -> Any:
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
    def _errors(self, key: str) -> Iterator[None]:
        """Say in this project's words what S3 says about *key*."""
        try:
            yield
        except VENDOR_ERRORS as error:
            raise copy_error(self.place, key, diagnosis(error)) from error


def _source(origin: Origin) -> dict[str, Any]:
    """What a request says of what is to be copied."""
    return {"CopySource": {"Bucket": origin.container, "Key": origin.name}, "CopySourceIfMatch": origin.etag}


def etag_of(parts: Sequence[Part]) -> str | None:
    """The ETag of an object of *parts* whose bytes are those that we sent; None where the service copied some.

    S3 makes it of the MD5 of each part, as it came, and of their number ("Checking object integrity" in its guide). Who
    makes it otherwise, as with keys of a key service, names one that is not equal.
    """
    digests = [part.md5 for part in parts if part.md5 is not None]
    return f"{md5_of(b''.join(digests)).hex()}-{len(parts)}" if len(digests) == len(parts) else None


def md5_of(data: bytes) -> bytes:
    """The MD5 of *data*."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _md5_of(found: Mapping[str, Any]) -> str | None:
    """What the ETag says, where it can be an MD5: not of parts, and not encrypted by a key of somebody's own."""
    etag = str(found.get("ETag", "")).strip('"').lower()
    is_hidden = str(found.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in found
    return etag if len(etag) == hashlib.md5(usedforsecurity=False).digest_size * 2 and not is_hidden else None
