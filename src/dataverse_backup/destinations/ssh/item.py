"""One upload on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure
from dataverse_backup.fixity import VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Receipt, Upload
    from dataverse_backup.errors import ObjectError
    from dataverse_backup.fixity import Checksum


@dataclass(slots=True, eq=False)
class Item:
    """What is known about it so far."""

    upload: Upload
    name: str
    """What it is called in staging."""
    size: int = 0
    sent: Checksum | None = None
    """What was read and sent."""
    verified_by: VerifiedBy = VerifiedBy.READ_BACK
    revealed: bool = False
    outcome: Receipt | Failure | None = None

    def fail(self, error: ObjectError) -> None:
        """Conclude with *error*."""
        self.outcome = Failure(self.upload.key, error)
