"""Uploads in parts, which outlive whoever began them: each has a record that says so (design, rule 6)."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.chunks import beginning
from dataverse_backup.destinations.partials import KEPT_SECONDS, may_pass, partials_prefix
from dataverse_backup.errors import CopyMissing, CopyRefused, KeyRefused, ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.objects import Arrived

_LONGEST_RECORD = 4096
_WITH_CRC64 = " CRC64NVME"
"""What follows on the id in the record of an upload whose parts come with that checksum."""


@dataclass(slots=True)
class PartUpload:
    """An upload in parts, as far as it has come."""

    id: str
    has_crc64: bool
    """Its parts come with that checksum, otherwise with their MD5."""
    parts: Mapping[int, Arrived] = field(default_factory=dict)
    """What the service had of it when we began, by number."""
    kept: int = 0
    """How many bytes of those were not sent again."""


class PartUploads:
    """Begins uploads in parts, and gives up those that earlier runs of our ledger left unfinished."""

    def __init__(self, bucket: Bucket, staging: Staging) -> None:
        """Keep records below *staging*."""
        self._bucket, self._staging = bucket, staging
        self._partials = f"{partials_prefix(staging)}/"

    @contextmanager
    def begun(self, key: str, *, has_crc64: bool) -> Iterator[PartUpload]:
        """Give a new upload to *key*; whoever leaves with an error has it aborted.

        The record is there before the upload is, and goes when the upload is completed or aborted: what crashes in
        between is found by ``sweep``.
        """
        record = f"{self._staging.prefix}/{secrets.token_hex(8)}"
        self._write(record, key)
        upload_id = self._bucket.multipart.begin(key, has_crc64=has_crc64)
        try:
            yield PartUpload(upload_id, has_crc64)
        except BaseException:
            with suppress(ObjectError):  # a later sweep does it
                self._bucket.multipart.abort(key, upload_id)
                self._bucket.delete(record)
            raise
        with suppress(ObjectError):
            self._bucket.delete(record)

    @contextmanager
    def continued(self, key: str, name: str, most: int, *, has_crc64: bool) -> Iterator[PartUpload]:
        """Give the upload to *key* that was broken off, or a new one; it has *most* parts at most.

        What is broken off in a way that may pass stays, with its record, which tells its id and is found by *name*.
        """
        record = f"{self._partials}{name}"
        upload = self._left_of(record, key, most) or self._new(record, key, has_crc64=has_crc64)
        try:
            yield upload
        except BaseException as error:
            if not may_pass(error):
                with suppress(ObjectError):
                    self._bucket.multipart.abort(key, upload.id)
                    self._bucket.delete(record)
            raise
        with suppress(ObjectError):
            self._bucket.delete(record)

    def _left_of(self, record: str, key: str, most: int) -> PartUpload | None:
        try:
            told, _, _ = self._text(record).partition("\n")
            upload_id = told.removesuffix(_WITH_CRC64)
            parts = self._bucket.multipart.arrived(key, upload_id) if upload_id else {}
        except (CopyMissing, CopyRefused):
            return None  # none was broken off, or we may not ask
        return PartUpload(upload_id, upload_id != told, parts) if parts and max(parts) <= most else None

    def _new(self, record: str, key: str, *, has_crc64: bool) -> PartUpload:
        self._write(record, f"\n{key}")
        upload_id = self._bucket.multipart.begin(key, has_crc64=has_crc64)
        self._write(record, f"{upload_id}{_WITH_CRC64 if has_crc64 else ''}\n{key}")
        return PartUpload(upload_id, has_crc64)

    def _write(self, record: str, text: str) -> None:
        self._bucket.write(record, text.encode(), self._bucket.options_for(record), {})

    def sweep(self) -> None:
        """Abort what earlier runs of our ledger began; nobody else's uploads are touched. Raises CopyError."""
        ours, current = f"{self._staging.ledger_prefix}/", f"{self._staging.prefix}/"
        for record, written in list(self._bucket.ages(ours)):
            if record.startswith(ours) and not record.startswith(current):  # whatever the service lists
                if record.startswith(self._partials) and time.time() - written.timestamp() < KEPT_SECONDS:
                    continue
                self._give_up(record)
                self._bucket.delete(record)

    def _text(self, record: str) -> str:
        reader = self._bucket.read(record)
        try:
            with self._bucket.reading(record):
                return beginning(reader.read, _LONGEST_RECORD).decode(errors="replace")
        finally:
            reader.close()

    def _give_up(self, record: str) -> None:
        key = self._text(record)
        if record.startswith(self._partials):
            _, _, key = key.partition("\n")
        try:
            unfinished = self._bucket.multipart.unfinished(key)
        except KeyRefused:
            return  # not a record of ours
        for upload_id in unfinished:
            self._bucket.multipart.abort(key, upload_id)
