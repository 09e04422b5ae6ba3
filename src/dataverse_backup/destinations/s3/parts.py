"""Uploads in parts, which outlive whoever began them: each has a record that says so (design, rule 6)."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.partials import KEPT_SECONDS, may_pass, partials_prefix
from dataverse_backup.errors import CopyMissing, CopyRefused, KeyRefused, ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.destinations.s3.bucket import Arrived, Bucket
    from dataverse_backup.destinations.s3.settings import S3Settings

_LONGEST_RECORD = 4096


@dataclass(slots=True)
class PartUpload:
    """An upload in parts, as far as it has come."""

    id: str
    parts: Mapping[int, Arrived]
    """What the service had of it when we began, by number."""
    kept: int = 0
    """How many bytes of those were not sent again."""


class PartUploads:
    """Begins uploads in parts, and gives up those that earlier runs of our ledger left unfinished."""

    def __init__(self, bucket: Bucket, settings: S3Settings, staging: Staging) -> None:
        """Keep records below *staging*."""
        self._bucket, self._settings, self._staging = bucket, settings, staging
        self._partials = f"{partials_prefix(staging)}/"

    @contextmanager
    def begun(self, key: str) -> Iterator[PartUpload]:
        """Give a new upload to *key*; whoever leaves with an error has it aborted.

        The record is there before the upload is, and goes when the upload is completed or aborted: what crashes in
        between is found by ``sweep``.
        """
        record = f"{self._staging.prefix}/{secrets.token_hex(8)}"
        self._bucket.write(record, key.encode(), self._settings.options_for(record), {})
        upload_id = self._bucket.begin(key)
        try:
            yield PartUpload(upload_id, {})
        except BaseException:
            with suppress(ObjectError):  # a later sweep does it
                self._bucket.abort(key, upload_id)
                self._bucket.delete(record)
            raise
        with suppress(ObjectError):
            self._bucket.delete(record)

    @contextmanager
    def continued(self, key: str, name: str, most: int) -> Iterator[PartUpload]:
        """Give the upload to *key* that was broken off, or a new one; it has *most* parts at most.

        What is broken off in a way that may pass stays, with its record, which tells its id and is found by *name*.
        """
        record = f"{self._partials}{name}"
        upload = self._left_of(record, key, most) or self._new(record, key)
        try:
            yield upload
        except BaseException as error:
            if not may_pass(error):
                with suppress(ObjectError):
                    self._bucket.abort(key, upload.id)
                    self._bucket.delete(record)
            raise
        with suppress(ObjectError):
            self._bucket.delete(record)

    def _left_of(self, record: str, key: str, most: int) -> PartUpload | None:
        try:
            upload_id, _, _ = self._text(record).partition("\n")
            parts = self._bucket.parts(key, upload_id) if upload_id else {}
        except (CopyMissing, CopyRefused):
            return None  # none was broken off, or we may not ask
        return PartUpload(upload_id, parts) if parts and max(parts) <= most else None

    def _new(self, record: str, key: str) -> PartUpload:
        options = self._settings.options_for(record)
        self._bucket.write(record, f"\n{key}".encode(), options, {})
        upload_id = self._bucket.begin(key)
        self._bucket.write(record, f"{upload_id}\n{key}".encode(), options, {})
        return PartUpload(upload_id, {})

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
                return reader.read(_LONGEST_RECORD).decode(errors="replace")
        finally:
            reader.close()

    def _give_up(self, record: str) -> None:
        key = self._text(record)
        if record.startswith(self._partials):
            _, _, key = key.partition("\n")
        try:
            unfinished = self._bucket.unfinished(key)
        except KeyRefused:
            return  # not a record of ours
        for upload_id in unfinished:
            self._bucket.abort(key, upload_id)
