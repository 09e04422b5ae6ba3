"""Uploads in parts, which outlive whoever began them: each has a record that says so (design, rule 6)."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dataverse_backup.errors import KeyRefused, ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.settings import S3Settings

_LONGEST_RECORD = 4096


class PartUploads:
    """Begins uploads in parts, and gives up those that earlier runs of our ledger left unfinished."""

    def __init__(self, bucket: Bucket, settings: S3Settings, staging: Staging) -> None:
        """Keep records below *staging*."""
        self._bucket, self._settings, self._staging = bucket, settings, staging

    @contextmanager
    def begun(self, key: str) -> Iterator[str]:
        """Give the id of a new upload to *key*; whoever leaves with an error has it aborted.

        The record is there before the upload is, and goes when the upload is completed or aborted: what crashes in
        between is found by ``sweep``.
        """
        record = f"{self._staging.prefix}/{secrets.token_hex(8)}"
        self._bucket.write(record, key.encode(), self._settings.options_for(record), {})
        upload_id = self._bucket.begin(key)
        try:
            yield upload_id
        except BaseException:
            with suppress(ObjectError):  # a later sweep does it
                self._bucket.abort(key, upload_id)
                self._bucket.delete(record)
            raise
        with suppress(ObjectError):
            self._bucket.delete(record)

    def sweep(self) -> None:
        """Abort what earlier runs of our ledger began; nobody else's uploads are touched. Raises CopyError."""
        ours, current = f"{self._staging.ledger_prefix}/", f"{self._staging.prefix}/"
        for record in list(self._bucket.keys(ours)):
            if record.startswith(ours) and not record.startswith(current):  # whatever the service lists
                self._give_up(record)
                self._bucket.delete(record)

    def _give_up(self, record: str) -> None:
        reader = self._bucket.read(record)
        try:
            with self._bucket.reading(record):
                key = reader.read(_LONGEST_RECORD).decode(errors="replace")
        finally:
            reader.close()
        try:
            unfinished = self._bucket.unfinished(key)
        except KeyRefused:
            return  # not a record of ours
        for upload_id in unfinished:
            self._bucket.abort(key, upload_id)
