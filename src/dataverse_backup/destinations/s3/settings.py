"""What the administrator says about an S3 destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.base import DATABASE_PREFIX, OWN_PREFIX, is_note
from dataverse_backup.destinations.partials import RESUMES_FROM
from dataverse_backup.fixity import VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.services.s3 import S3Access

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
_BYTES_UNDER_WAY = 64 * MEBIBYTE
"""Of one object that is sent in parts."""
MOST_PARTS = 10_000
"""Of one multipart upload: S3 takes no more."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Which bucket, and how copies are kept there."""

    access: S3Access
    bucket: str
    prefix: str = ""
    """What every key begins with in the bucket, without a slash at its ends."""
    verify: VerifiedBy = VerifiedBy.READ_BACK
    """``READ_BACK``, or ``SERVICE`` where the service names a checksum of the whole object."""
    storage_class: str | None = None
    encryption: str | None = None
    """``AES256`` or ``aws:kms``: by keys of the service; None: as the bucket is configured."""
    kms_key: str | None = None
    lock_mode: str | None = None
    """``GOVERNANCE`` or ``COMPLIANCE``: no copy can be deleted for ``lock_days``; None: as the bucket has it."""
    lock_days: int = 0
    threads: int = 16
    """How many requests are under way at once."""
    biggest_whole: int = 8 * MEBIBYTE
    """Bytes of the biggest object that travels in one request; it is held in memory."""
    part_size: int = 8 * MEBIBYTE
    """Bytes of one part of bigger ones, at least 5 MiB."""
    resumes_from: int = RESUMES_FROM
    """Bytes from which an object that was broken off is continued."""
    copies_within: bool = True
    """The service copies itself what it has already."""
    copy_part_size: int = GIBIBYTE
    """Bytes that the service copies at a time; an answer must come within the read timeout."""

    page: int = 1000
    """How many objects are listed with one request; S3 gives no more."""

    def options_for(self, key: str) -> dict[str, Any]:
        """What is asked for with the object under *key*.

        Our own small ones are neither locked nor in cold storage; a dump of the database is locked as copies are.
        """
        options = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        if not key.startswith(f"{OWN_PREFIX}/") and not is_note(key):
            options |= {"StorageClass": self.storage_class, **self._lock()}
        elif key.startswith(f"{DATABASE_PREFIX}/"):
            options |= self._lock()
        return {name: value for name, value in options.items() if value}

    def _lock(self) -> dict[str, Any]:
        if self.lock_mode is None:
            return {}
        until = datetime.now(UTC) + timedelta(days=self.lock_days)
        return {"ObjectLockMode": self.lock_mode, "ObjectLockRetainUntilDate": until}

    def part_size_for(self, size: int) -> int:
        """Bytes of each part of an object of *size* bytes, so that the parts do not become too many."""
        return max(self.part_size, -(-size // MOST_PARTS))

    def parts_under_way(self, part_size: int) -> int:
        """How many parts of that size may wait for their answers: memory does not grow with the object."""
        return max(1, min(self.threads, _BYTES_UNDER_WAY // part_size))
