"""What is to be brought back, from which copies, and what became of one try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import ObjectError
    from dataverse_backup.fixity import ByteStream, Checksum


@dataclass(frozen=True, slots=True)
class Source:
    """A copy that may be read, and what its bytes must be."""

    destination: str
    key: str
    size: int
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One datafile to bring back; picklable."""

    datafile: Datafile
    to: str
    """A path below the folder, or the name of an object in the datafile's store."""
    sources: tuple[Source, ...]
    """Best first; at least one."""

    @property
    def size(self) -> int:
        """Bytes of the copy that is read first."""
        return self.sources[0].size


@dataclass(frozen=True, slots=True)
class Order:
    """One try: a datafile from one of its sources."""

    retrieval: Retrieval
    source: Source
    open: Callable[[], ByteStream]
    """Opens the copy. Raises ObjectError."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A datafile lies where it is to be, proven."""

    order: Order
    was_right: bool = False
    """It lay there already: nothing was written."""
    aside: str | None = None
    """Where what lay there before lies now."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One try that did not succeed; what lay there lies there still."""

    order: Order
    error: ObjectError
