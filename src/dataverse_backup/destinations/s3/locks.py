"""What keeps objects of a bucket from being deleted: Object Lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.base import OWN_PREFIX
from dataverse_backup.destinations.s3.objects import Lock
from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.s3 import VENDOR_ERRORS, diagnosis
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.destinations.s3.bucket import Bucket

_NO_LOCKS = {Trouble.MISSING, Trouble.NOT_OFFERED}


class Locks:
    """The locks of one bucket, for several threads. Every method raises CopyError."""

    def __init__(self, bucket: Bucket) -> None:
        """Ask *bucket*."""
        self._bucket, self._client = bucket, bucket.client

    def exist(self) -> bool | None:
        """Whether objects of the bucket can be under Object Lock; None where that is not told."""
        try:
            found = self._client.get_object_lock_configuration(Bucket=self._bucket.name)
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            if cause.trouble in _NO_LOCKS:
                return False
            if cause.trouble in (Trouble.REFUSED, Trouble.OTHER):
                return None
            raise copy_error(self._bucket.place, OWN_PREFIX, cause) from error
        return found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def of(self, key: str) -> Lock | None:
        """What keeps the object under *key* from being deleted; None where that is not told."""
        request = self._bucket.target(key)
        retention = self._answer(key, lambda: self._client.get_object_retention(**request))
        hold = self._answer(key, lambda: self._client.get_object_legal_hold(**request))
        if retention is None or hold is None:
            return None
        until = retention.get("Retention", {}).get("RetainUntilDate")
        return Lock(until, is_held=hold.get("LegalHold", {}).get("Status") == "ON")

    def _answer(self, key: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """What the service answers; nothing where the object has no such thing, None where we may not know."""
        try:
            return ask()
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            if cause.trouble in _NO_LOCKS or "InvalidRequest" in cause.said:  # "Bucket is missing Object Lock …"
                return {}
            if cause.trouble is Trouble.REFUSED:
                return None
            raise copy_error(self._bucket.place, key, cause) from error
