"""The bytes of one S3 object, read on where the connection breaks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import IncompleteReadError

from dataverse_backup.services.s3 import VENDOR_ERRORS, diagnosis
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RESUMPTIONS = 3
"""How often in succession reading is taken up again without a single byte in between."""


class ObjectReader:
    """Reads one object from start to end; raises VENDOR_ERRORS.

    A connection that breaks is made again from the byte where it broke, for the same object only (If-Match): one that
    has changed in between gives PreconditionFailed.
    """

    def __init__(self, get: Callable[..., Mapping[str, Any]], bucket: str, key: str, **which: str) -> None:
        """Open the object by *get*, which is a client's ``get_object``; *which* may tell its VersionId."""
        self._get = get
        self._request: dict[str, Any] = {"Bucket": bucket, "Key": key, **which}
        response = get(**self._request)
        self._body = response["Body"]
        self.etag: str | None = response.get("ETag")
        self.size = response["ContentLength"]
        self._position = 0
        self._broken = 0

    def read(self, length: int) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end."""
        while True:
            try:
                data = self._next(min(length, self.size - self._position))
            except VENDOR_ERRORS as error:
                self._resume(error)
            else:
                self._position += len(data)
                self._broken = 0
                return data

    def _next(self, length: int) -> bytes:
        data = self._body.read(length) if length else b""
        if length and not data:
            raise IncompleteReadError(actual_bytes=self._position, expected_bytes=self.size)
        return data

    def _resume(self, broken: Exception) -> None:
        """Ask for the rest. Raises *broken* where that is of no use."""
        self._broken += 1
        is_hopeless = self._broken > _RESUMPTIONS or self.etag is None
        if is_hopeless or diagnosis(broken).trouble is not Trouble.UNAVAILABLE:
            raise broken
        self.close()
        asked = self._request | {"Range": f"bytes={self._position}-", "IfMatch": self.etag}
        response = self._get(**asked)
        self._body = response["Body"]
        if not response.get("ContentRange", "").startswith(f"bytes {self._position}-"):
            raise broken  # it does not know ranges, and begins again

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        with suppress(*VENDOR_ERRORS):
            self._body.close()
