"""Copies moved aside: the service copies them, and we prove what it made."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from dataverse_backup.destinations.s3.objects import Span
from dataverse_backup.errors import CopyDiffers, CopyMissing, KeyOccupied, ObjectError
from dataverse_backup.fixity import OWN_ALGORITHM, VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.objects import Stored
    from dataverse_backup.destinations.s3.parts import PartUploads
    from dataverse_backup.destinations.s3.settings import S3Settings


class Aside:
    """Makes proven copies within one bucket. Every method raises CopyError."""

    def __init__(self, bucket: Bucket, settings: S3Settings, parts: PartUploads) -> None:
        self._bucket, self._settings, self._parts = bucket, settings, parts

    def keep(self, key: str, to: str, present: Stored) -> None:
        """Let the object *present* under *key* lie under *to* as well, proven; never over another one."""
        if self._bucket.look(to) is not None:
            raise KeyOccupied(self._bucket.place, to, f"an object lies there already; {key} was not moved aside")
        self._copy(key, to, present)
        if not self._is_the_same(key, to, present):
            self.drop(to)
            raise CopyDiffers(self._bucket.place, to, f"the service's own copy of {key} differs from it")

    def drop(self, to: str) -> None:
        """Take back what ``keep`` made."""
        with suppress(ObjectError):  # one copy too many harms nobody
            made = self._bucket.look(to)
            self._bucket.delete(to, made.version if made else None)

    def drop_unless_needed(self, key: str, to: str, present: Stored) -> None:
        """Take back what ``keep`` made, if the object *present* is still under *key*; otherwise it is all that is left.

        A request that was tried again after its answer was lost fails, and had replaced the object at its first try.
        """
        with suppress(ObjectError):
            seen = self._bucket.look(key)
            if seen is not None and seen.etag == present.etag:
                self.drop(to)

    def bring_back(self, key: str, to: str) -> None:
        """Put the object under *to*, which ``keep`` made, under *key* again, over whatever lies there now."""
        kept = self._bucket.look(to)
        if kept is None:
            raise CopyMissing(self._bucket.place, to, "what was moved aside is gone")
        if not self._is_the_same(to, key, kept):
            self._copy(to, key, kept)
        if self._is_the_same(to, key, kept):
            self.drop(to)

    def _copy(self, key: str, to: str, present: Stored) -> None:
        size, origin = present.size, self._bucket.origin(key, present)
        if size <= self._settings.copy_part_size:
            # No condition for *to*: some services (Swift) take it for one of *key*.
            self._bucket.copy(origin, to, {})
            return
        with self._parts.begun(to, has_crc64=False) as upload:
            step = max(self._settings.part_size_for(size), self._settings.copy_part_size)
            starts = range(0, size, step)
            parts = [
                self._bucket.multipart.copy(to, upload.id, number, Span(origin, start, min(start + step, size)))
                for number, start in zip(count(1), starts, strict=False)
            ]
            self._bucket.multipart.complete(to, upload.id, parts, {})

    def _is_the_same(self, key: str, to: str, present: Stored) -> bool:
        """Whether both hold the same bytes: by the service's word where that counts as proof, else by reading both."""
        made = self._bucket.look(to)
        if made is None or made.size != present.size:
            return False
        if self._settings.verify is VerifiedBy.SERVICE and made.md5 is not None and made.md5 == present.md5:
            return True
        return self._bucket.digest(key, OWN_ALGORITHM) == self._bucket.digest(to, OWN_ALGORITHM)
