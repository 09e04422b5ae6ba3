"""Deleting copies in a bucket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.destinations.prunable import Doomed, Fate, Pruned
from dataverse_backup.destinations.s3.locks import Locks

if TYPE_CHECKING:
    from dataverse_backup.destinations.s3.bucket import Bucket

_NOT_TOLD = "the service does not tell whether it is under Object Lock: allow s3:GetObjectRetention"


class BucketPruning:
    """Deletes objects one by one; any thread may call it.

    In a bucket with versions a deletion is a marker, which Object Lock does not hinder: so the lock is asked for.
    """

    def __init__(self, bucket: Bucket) -> None:
        """Delete in *bucket*; whether it has locks at all is asked once. Raises CopyError."""
        self._bucket, self._locks = bucket, Locks(bucket)
        self._has_locks = self._locks.exist()

    def prune(self, one: Doomed) -> Pruned:
        """Delete it, unless something else lies there, or it is locked. Raises CopyError."""
        found = self._bucket.look(one.key)
        if found is None:
            return Pruned(one.key, Fate.MISSING)
        if found.size != one.size:
            return Pruned(one.key, Fate.DIFFERS, f"it has {found.size} bytes, not {one.size}")
        if locked := self._lock(one.key):
            return Pruned(one.key, Fate.LOCKED, locked)
        self._bucket.delete(one.key)
        return Pruned(one.key, Fate.REMOVED)

    def _lock(self, key: str) -> str:
        """Why it must stay; '' where nothing locks it. A service that knows no locks has none."""
        if self._has_locks is False:
            return ""
        lock = self._locks.of(key)
        if lock is None:
            return _NOT_TOLD
        if lock.is_held:
            return "it is under a legal hold"
        if lock.until is not None and lock.until > datetime.now(UTC):
            return f"it is under Object Lock until {lock.until:%Y-%m-%d}"
        return ""
