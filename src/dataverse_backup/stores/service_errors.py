"""What the trouble of an object service means for one object of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import (
    DataverseBackupError,
    SourceArchived,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
    SourceUnreadable,
    StoreLost,
)
from dataverse_backup.services.trouble import LOST, Trouble

if TYPE_CHECKING:
    from dataverse_backup.errors import SourceError
    from dataverse_backup.services.trouble import Diagnosis

_ERRORS: dict[Trouble, type[SourceError]] = {
    Trouble.MISSING: SourceMissing,
    Trouble.BAD_NAME: SourceMissing,  # what the service cannot name, it does not have
    Trouble.REFUSED: SourceRefused,
    Trouble.UNAVAILABLE: SourceUnavailable,
    Trouble.THROTTLED: SourceUnavailable,
    Trouble.ARCHIVED: SourceArchived,
    Trouble.OCCUPIED: SourceChanged,  # it is not the object any more that we began to read
}
"""Every trouble that is not named is SourceUnreadable; those of LOST are StoreLost."""


def source_error(place: str, key: str, diagnosis: Diagnosis) -> DataverseBackupError:
    """The SourceError of *key* that *diagnosis* means, or StoreLost."""
    if diagnosis.trouble in LOST:
        return StoreLost(f"{place}: {diagnosis.said}", diagnosis.hint)
    error = _ERRORS.get(diagnosis.trouble, SourceUnreadable)(place, key, diagnosis.said, diagnosis.hint)
    error.retry_after = diagnosis.retry_after
    return error
