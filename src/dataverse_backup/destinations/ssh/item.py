"""One upload on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import PRIVATE_MODE, Failure, checked_path_key
from dataverse_backup.destinations.partials import is_partial_name, may_pass
from dataverse_backup.errors import KeyOccupied, ObjectError
from dataverse_backup.fixity import VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.base import Receipt, Upload
    from dataverse_backup.destinations.ssh.paths import Paths
    from dataverse_backup.fixity import Checksum, HashingReader


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


def refuse_bad_keys(paths: Paths, items: Sequence[Item]) -> None:
    """Fail those whose keys cannot be stored, or are those of others among them."""
    taken: set[str] = set()
    for item in items:
        refuse_bad_key(paths, item, is_taken=item.upload.key in taken)
        taken.add(item.upload.key)


def refuse_bad_key(paths: Paths, item: Item, *, is_taken: bool) -> None:
    """Fail *item* if its key cannot be stored, or *is_taken* by another one of its batch."""
    try:
        for key in (item.upload.key, item.upload.supersede_to):
            if key is not None:
                paths.path(checked_path_key(paths.place, key))
        if is_taken:  # not every server refuses to rename one onto the other
            raise KeyOccupied(paths.place, item.upload.key, "another object of the same batch has this key")
    except ObjectError as error:
        item.fail(error)


def pieces(reader: HashingReader, length: int) -> Iterator[bytes]:
    """The bytes of a source, as many as its size says, at most *length* of them at a time. Raises SourceError."""
    left = reader.size - reader.bytes_read
    while left and (data := reader.read(min(left, length))):
        left -= len(data)
        yield data
