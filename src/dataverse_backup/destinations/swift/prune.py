"""Deleting copies in containers; of a large object its segments too, unless another object has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import STAGING_PREFIX, SUPERSEDED_PREFIX
from dataverse_backup.destinations.prunable import Doomed, Fate, Pruned
from dataverse_backup.destinations.swift import large
from dataverse_backup.destinations.swift.attempt import checked_key
from dataverse_backup.errors import CopyFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.swift.objects import Objects


class ContainerPruning:
    """Deletes objects one by one; any thread may call it."""

    def __init__(self, place: str, objects: Objects) -> None:
        """Delete among *objects*; *place* is the name of the destination, for errors."""
        self._place, self._objects = place, objects

    def prune(self, one: Doomed) -> Pruned:
        """Delete it, unless something else lies there. Raises CopyError and SWIFT_ERRORS."""
        found = self._objects.status(checked_key(self._place, one.key))
        if found is None:
            return Pruned(one.key, Fate.MISSING)
        if found.size != one.size:
            return Pruned(one.key, Fate.DIFFERS, f"it has {found.size} bytes, not {one.size}")
        if found.is_large:
            self._delete_large(one.key)
        else:
            self._objects.delete(one.key)
        return Pruned(one.key, Fate.REMOVED)

    def _delete_large(self, key: str) -> None:
        """The manifest first: what has no segments any more must not be there. A sweep does what a crash leaves."""
        names = self._objects.manifest(key)
        if names is None:
            said = "the service does not tell what its segments are, so it stays"
            raise CopyFailed(self._place, key, said, "delete it with the tools of the service")
        uploads = {name.partition(f"/{large.SEGMENTS_PREFIX}/")[2].rpartition("/")[0] for name in names} - {""}
        records = [f"{STAGING_PREFIX}/{upload}" for upload in sorted(uploads)]
        shared = any(set(names) & set(self._objects.manifest(kin) or ()) for kin in self._kin(key))
        if not shared:
            for record in records:
                self._objects.put(record, key.encode(), etag=large.md5(key.encode()), may_overwrite=True)
        self._objects.delete(key)
        if not shared:
            for record in records:
                large.remove_segments(self._objects, record)

    def _kin(self, key: str) -> Iterator[str]:
        """Large objects that may have the same segments, as a crash leaves them where a copy is moved aside."""
        original = key
        if key.startswith(f"{SUPERSEDED_PREFIX}/"):
            original = key.removeprefix(f"{SUPERSEDED_PREFIX}/").rpartition("/")[0]
        aside = (entry.key for entry in self._objects.entries(f"{SUPERSEDED_PREFIX}/{original}"))
        for kin in (original, *aside):
            status = self._objects.status(kin) if kin != key else None
            if status is not None and status.is_large:
                yield kin
