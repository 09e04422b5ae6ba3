"""One object on its way into Swift: never over another one, and never visible before it is known to be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Receipt, checked_path_key
from dataverse_backup.destinations.swift.failures import copy_errors, writing_errors
from dataverse_backup.destinations.swift.large import LargeUpload, forget_record, md5
from dataverse_backup.errors import CopyDiffers, CopyFailed, CopyMissing, KeyOccupied, KeyRefused
from dataverse_backup.fixity import Durability, HashingReader, VerifiedBy
from dataverse_backup.services.withheld import Body, Part

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Staging, Upload
    from dataverse_backup.destinations.swift.objects import Objects, Status
    from dataverse_backup.destinations.swift.settings import SwiftSettings
    from dataverse_backup.fixity import Checksum

MAX_KEY_BYTES = 1024
"""The longest name that Swift gives an object."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes."""

    object_size: int = 5 * (1 << 30)
    segments: int = 1000

    def segment_size(self, size: int, wanted: int) -> int | None:
        """Bytes of each segment of an object of *size* bytes; None where no such object can be stored."""
        fitting = max(min(wanted, self.object_size), -(-size // max(1, self.segments)))
        return fitting if fitting <= self.object_size else None


@dataclass(frozen=True, slots=True)
class _Written:
    """What is under the key now."""

    status: Status
    is_as_sent: bool
    """Whether Swift computed the same MD5 of what it took as we of what we sent."""
    large: LargeUpload | None = None


class Attempt:
    """Stores uploads one at a time; several threads may use one."""

    def __init__(self, place: str, objects: Objects, settings: SwiftSettings, staging: Staging, limits: Limits) -> None:
        """*place* is the name of the destination, for errors."""
        self._place, self._objects, self._settings = place, objects, settings
        self._staging, self._limits = staging, limits

    def store(self, upload: Upload) -> Receipt:
        """Store one object and prove it. Raises ObjectError, after which its key reads as before, or StoreLost."""
        key = checked_key(self._place, upload.key)
        with writing_errors(self._place, key):
            before = self._look(upload)
            self._objects.make_container_of(key)
            with HashingReader(upload.open(), upload.algorithm) as reader:
                body = Body(reader, upload.algorithm, upload.promised)
                written = self._send(upload, body, before)
        if body.checksum is None:
            raise AssertionError("an object was sent that was not read to its end")
        with copy_errors(self._place, key):
            verified_by = self._prove(upload, body.size, body.checksum, written, before)
        return Receipt(key, body.size, body.checksum, verified_by, Durability.YES)

    def _look(self, upload: Upload) -> Status | None:
        """What lies under the key, and may be moved aside."""
        aside = upload.supersede_to
        if aside is not None:
            checked_key(self._place, aside)
        before = self._objects.status(upload.key)
        if before is not None and aside is None:
            raise KeyOccupied(self._place, upload.key, "an object lies there already")
        return before

    def _send(self, upload: Upload, body: Body, before: Status | None) -> _Written:
        segment_size = self._limits.segment_size(body.size, self._settings.segment_size)
        if segment_size is None:
            raise CopyFailed(self._place, upload.key, f"the service takes no object of {body.size} bytes")
        if body.size <= min(self._settings.whole_size, segment_size):
            return self._send_whole(upload, body, before)
        if body.size <= segment_size and before is None:
            part = Part(body, body.size)
            status = self._objects.stream(upload.key, part)
            return _Written(status, status.etag == part.etag)
        # What replaces something goes in segments: the copy that moves it aside may take longer than a request waits.
        return self._send_large(upload, body, before, segment_size)

    def _send_whole(self, upload: Upload, body: Body, before: Status | None) -> _Written:
        data = body.read_whole()
        etag = md5(data)
        self._move_aside(upload, before)
        status = self._objects.put(upload.key, data, etag=etag, may_overwrite=before is not None)
        return _Written(status, status.etag == etag)

    def _send_large(self, upload: Upload, body: Body, before: Status | None, segment_size: int) -> _Written:
        large = LargeUpload(self._objects, self._staging, upload.key)
        large.send(body, segment_size)
        try:
            self._move_aside(upload, before)
        except BaseException:
            large.remove()
            raise
        status = large.commit(may_overwrite=before is not None)
        return _Written(status, large.is_as_sent and status.etag == large.etag, large)

    def _move_aside(self, upload: Upload, before: Status | None) -> None:
        if before is not None and upload.supersede_to is not None:
            keep_as(self._place, self._objects, upload.key, before, upload.supersede_to)

    def _prove(
        self, upload: Upload, size: int, checksum: Checksum, written: _Written, before: Status | None
    ) -> VerifiedBy:
        """How the stored bytes are known to be those that were sent; raises CopyDiffers where they are not."""
        if self._settings.verify is VerifiedBy.SERVICE and written.is_as_sent:
            return VerifiedBy.SERVICE
        stored = self._objects.digest(upload.key, checksum.algorithm)
        if stored == (size, checksum):
            return VerifiedBy.READ_BACK
        self._take_back(upload, written, before)
        message = f"{stored[0]} bytes, {stored[1]} are stored; {size} bytes, {checksum} were sent"
        raise CopyDiffers(self._place, upload.key, message, "something between here and the disks changes bytes")

    def _take_back(self, upload: Upload, written: _Written, before: Status | None) -> None:
        """Let the key read as before, if it still has what we wrote there."""
        now = self._objects.status(upload.key)
        if now is None or (now.etag, now.modified) != (written.status.etag, written.status.modified):
            return
        if before is not None and upload.supersede_to is not None:
            self._objects.copy(upload.supersede_to, upload.key)
        else:
            self._objects.delete(upload.key)
        if written.large is not None:
            written.large.remove()


def keep_as(place: str, objects: Objects, key: str, present: Status, to: str) -> None:
    """Let the object *present* lie under *to* as well, never over another one. Raises CopyError and SWIFT_ERRORS."""
    if objects.status(to) is not None:
        raise KeyOccupied(place, to, f"an object lies there already; {key} was not moved aside")
    if present.is_large:
        forget_record(objects, key)
    objects.copy(key, to)
    kept = objects.status(to)
    if kept is None:
        raise CopyMissing(place, to, f"the service copied {key} there, and does not have it")
    if (kept.size, kept.etag, kept.is_large) != (present.size, present.etag, present.is_large):
        objects.delete(to)
        message = f"what the service copied from {key} is not the same: {kept.size} bytes, {kept.etag}"
        raise CopyFailed(place, to, message, "nothing was moved; can the object be read?")


def checked_key(place: str, key: str) -> str:
    """*key*, if Swift can carry it exactly; otherwise raises KeyRefused."""
    if len(checked_path_key(place, key).encode()) > MAX_KEY_BYTES:
        raise KeyRefused(place, key, f"cannot be stored under this name: it is longer than {MAX_KEY_BYTES} bytes")
    return key
