"""Objects of more than one segment, and what dead runs left of them.

Segments lie in the container of our own, ``.dataverse-backup/segments/<ledger id>/<run>/<n>/<number>``, and stay there:
one container is what is granted, counted and copied together. Before the first of them a record
``.dataverse-backup/staging/<ledger id>/<run>/<n>`` names the key; it goes when the manifest is there, or the segments
are not. The manifest makes the object visible.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.chunks import beginning
from dataverse_backup.destinations.base import OWN_PREFIX, STAGING_PREFIX
from dataverse_backup.destinations.swift.objects import Segment
from dataverse_backup.fixity import Algorithm
from dataverse_backup.services.swift import SWIFT_ERRORS, diagnose
from dataverse_backup.services.trouble import Trouble
from dataverse_backup.services.withheld import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.destinations.swift.objects import Objects, Status
    from dataverse_backup.services.withheld import Body

SEGMENTS_PREFIX = f"{OWN_PREFIX}/segments"
_LONGEST_RECORD = 4096


class LargeUpload:
    """One object on its way in segments. Every method but ``remove`` raises SWIFT_ERRORS."""

    def __init__(self, objects: Objects, staging: Staging, key: str) -> None:
        """Stage *key* under a name of this upload's own; nothing is stored yet."""
        self._objects, self._key = objects, key
        self._record = f"{staging.prefix}/{secrets.token_hex(8)}"
        self.segments: list[Segment] = []
        self.is_as_sent = True
        """Whether Swift said of each segment that it took what was sent."""

    def send(self, body: Body, segment_size: int) -> None:
        """Store the segments, and nothing where *body* is not as promised. Raises SourceError."""
        record = self._key.encode()
        self._objects.put(self._record, record, etag=md5(record))
        try:
            while (sent := sum(one.size for one in self.segments)) < body.size:
                self._send_segment(Part(body, min(segment_size, body.size - sent)))
        except BaseException:
            self.remove()
            raise

    def _send_segment(self, part: Part) -> None:
        key = f"{segments_of(self._record)}{len(self.segments):08}"
        self._objects.status(key)  # a login that has expired is renewed here, not in the middle of a body
        stored = self._objects.stream(key, part)
        self.is_as_sent &= stored.etag == part.etag
        self.segments.append(Segment(key, part.etag, part.size))

    def commit(self, *, may_overwrite: bool) -> Status:
        """Let the object appear under its key. What was refused is removed; what is not known is left to a sweep."""
        try:
            written = self._objects.put_manifest(self._key, self.segments, may_overwrite=may_overwrite)
        except SWIFT_ERRORS as error:
            if diagnose(error).trouble not in (Trouble.UNAVAILABLE, Trouble.THROTTLED):
                self.remove()
            raise
        self._objects.delete(self._record)
        return written

    def remove(self) -> None:
        """Remove the segments and then the record, as far as that is possible now; a sweep does the rest."""
        with suppress(*SWIFT_ERRORS):
            remove_segments(self._objects, self._record)

    @property
    def etag(self) -> str:
        """What Swift computes for the object from its segments."""
        return md5("".join(one.etag for one in self.segments).encode())


def forget_record(objects: Objects, key: str) -> None:
    """Remove the record of the large object under *key*: its segments have an owner, who is about to move."""
    names = objects.manifest(key)
    if names is None:  # nothing tells which record it is: those of this key
        records = [record for record in objects.keys(f"{STAGING_PREFIX}/") if _key_in(objects, record) == key]
    else:
        own = {name.partition(f"/{SEGMENTS_PREFIX}/")[2].rpartition("/")[0] for name in names}
        records = [f"{STAGING_PREFIX}/{upload}" for upload in own if upload]
    for record in records:
        objects.delete(record)


def sweep(objects: Objects, staging: Staging) -> None:
    """Remove what earlier runs of our ledger left. Segments of an object that is there stay."""
    for record in objects.keys(f"{staging.ledger_prefix}/"):
        if record.startswith(f"{staging.prefix}/"):
            continue
        if _is_visible(objects, record):
            objects.delete(record)
        else:
            remove_segments(objects, record)


def remove_whole(objects: Objects, key: str) -> None:
    """Remove what lies under *key*, if anything, with its segments where it has some.

    The manifest goes first: nothing is seen that is not whole. Segments that a broken connection leaves stay; nothing
    tells of them any more but their prefix.
    """
    status = objects.status(key)
    names = (objects.manifest(key) or []) if status is not None and status.is_large else []
    objects.delete(key)
    for name in names:
        _, found, own = name.partition(f"/{SEGMENTS_PREFIX}/")
        if found:
            objects.delete(f"{SEGMENTS_PREFIX}/{own}")


def remove_segments(objects: Objects, record: str) -> None:
    """Remove every segment that belongs to *record*, and it."""
    for key in objects.keys(segments_of(record)):
        objects.delete(key)
    objects.delete(record)


def segments_of(record: str) -> str:
    """What the keys of the segments that belong to *record* begin with."""
    return f"{SEGMENTS_PREFIX}{record.removeprefix(STAGING_PREFIX)}/"


def _is_visible(objects: Objects, record: str) -> bool:
    """Whether the object that *record* names has the segments; so where nothing tells."""
    key = _key_in(objects, record)
    status = objects.status(key) if key else None
    if status is None or not status.is_large:
        return False
    names: Sequence[str] | None = objects.manifest(key)
    return names is None or any(f"/{segments_of(record)}" in name for name in names)


def _key_in(objects: Objects, record: str) -> str:
    stored = objects.open(record)
    try:
        return beginning(stored.read, _LONGEST_RECORD).decode(errors="replace")
    finally:
        stored.close()


def md5(data: bytes) -> str:
    """The ETag of *data*."""
    digest = Algorithm.MD5.new()
    digest.update(data)
    return digest.hexdigest()
