"""One upload on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import PRIVATE_MODE, Failure
from dataverse_backup.destinations.partials import is_partial_name, may_pass
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
    kept: int = 0
    """How many of its bytes lay there already."""
    revealed: bool = False
    outcome: Receipt | Failure | None = None

    @property
    def mode(self) -> int | None:
        """The mode that it gets; None: that of all."""
        return PRIVATE_MODE if self.upload.is_private else None

    @property
    def may_be_continued(self) -> bool:
        """Whether what is in staging of it may be used by another try."""
        has_failed = isinstance(self.outcome, Failure) and not may_pass(self.outcome.error)
        return is_partial_name(self.name) and not self.revealed and not has_failed

    def fail(self, error: ObjectError) -> None:
        """Conclude with *error*."""
        self.outcome = Failure(self.upload.key, error)
