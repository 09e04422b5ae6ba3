"""What the trouble of an object service means for one object that is written there, or read where it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import (
    CopyDiffers,
    CopyError,
    CopyFailed,
    CopyMissing,
    CopyRefused,
    DestinationLost,
    DestinationRefused,
    KeyOccupied,
    KeyRefused,
    NoSpace,
    Unavailable,
)
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from dataverse_backup.services.trouble import Diagnosis

_ERRORS: dict[Trouble, type[CopyError]] = {
    Trouble.MISSING: CopyMissing,
    Trouble.REFUSED: CopyRefused,
    Trouble.LOGIN_REFUSED: Unavailable,  # connecting again says more, as DestinationLost
    Trouble.MISCONFIGURED: Unavailable,  # the same
    Trouble.UNAVAILABLE: Unavailable,
    Trouble.THROTTLED: Unavailable,
    Trouble.NO_SPACE: NoSpace,
    Trouble.ARCHIVED: CopyRefused,
    Trouble.BAD_DIGEST: CopyDiffers,
    Trouble.OCCUPIED: KeyOccupied,
    Trouble.BAD_NAME: KeyRefused,
}
"""Every trouble that is not named is CopyFailed."""

_NEED_SOMEBODY = {Trouble.LOGIN_REFUSED, Trouble.REFUSED}


def copy_error(place: str, key: str, diagnosis: Diagnosis) -> CopyError:
    """The error of *key* that *diagnosis* means."""
    error = _ERRORS.get(diagnosis.trouble, CopyFailed)(place, key, diagnosis.said, diagnosis.hint)
    error.retry_after = diagnosis.retry_after
    return error


def destination_lost(place: str, diagnosis: Diagnosis) -> DestinationLost:
    """What *diagnosis* means where the destination as a whole was asked something; waiting mends no refusal."""
    kind = DestinationRefused if diagnosis.trouble in _NEED_SOMEBODY else DestinationLost
    return kind(f"{place}: {diagnosis.said}", diagnosis.hint)
