"""The contract of a store that takes bytes back: the only way in which anything of ours writes to Dataverse's files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataverse_backup.fixity import ByteStream, Checksum

    Opening = Callable[[], ByteStream]
    """Opens the bytes of a copy; may be called again. Raises CopyError or DestinationLost."""

CHANGED_MEANWHILE = "somebody else wrote to it meanwhile"

_LONGEST_NAME = 200
"""Bytes that are kept of a name's last part: with what comes after them a file system takes it (NAME_MAX, 255)."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """Proof that an object lies in a store again."""

    name: str
    size: int
    checksum: Checksum
    """Computed from the stored bytes, after they were stored, and equal to what was asked for."""
    aside: str | None = None
    """The name, in the same store, of what lay there before; None where nothing did, or where it was right."""
    was_right: bool = False
    """The stored bytes were those already: nothing was written."""


class Restorable(ABC):
    """A store that takes an object back. A store may lack it: ask ``isinstance(store, Restorable)``.

    Only an explicit order of a person leads here. *name* is one of ``Store.names(datafile)``, and nearly always the
    first: that is where Dataverse looks for the registered bytes, of an ingested file too (facts 1.7). So a datafile is
    put back by ::

        store.put_back(store.names(datafile)[0], lambda: destination.open(copy.key), datafile.checksum or copy.checksum)

    Promises, each a test of the contract suite with that name:

    1. all or nothing: until the bytes are complete and have the checksum, the name reads as before;
    2. bytes that are already right are not written again;
    3. what lay there is kept, unchanged, under ``aside``, in the same store; nothing is ever deleted;
    4. nothing that somebody else puts there meanwhile is overwritten;
    5. what is stored is read again, and has the checksum;
    6. Dataverse can read and replace it: a file has the owner, group and mode of the one that lay there, otherwise of
       its neighbours; an object in S3 has no tag ``dv-state=temp`` (facts 2.3).

    An empty store is filled: whoever does not expect one calls ``probe`` first, because it may be an unmounted disk.
    """

    id: str

    @abstractmethod
    def put_back(self, name: str, opening: Opening, checksum: Checksum) -> PutBack:
        """Let the object *name* have the bytes that *opening* gives, whose checksum is *checksum*.

        Raises ObjectError: of this store (``error.place == store.id``: CopyRefused, NoSpace, KeyOccupied, CopyDiffers,
        Unavailable, …; SourceRefused for a name that would lead out of it), or of the place that the bytes come from
        (its CopyError; SourceDiffers where they have another checksum, SourceChanged where their number changed).
        Raises StoreLost and DestinationLost. Whatever it raises, nothing that was in the store is lost.
        """


def aside_name(name: str, when: datetime | None = None) -> str:
    """Where the object *name* is kept aside: ``<name>.damaged-<time>``, beside it."""
    time = when or datetime.now(UTC)
    folder, slash, last = name.rpartition("/")
    kept = last.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return f"{folder}{slash}{kept}.damaged-{time:%Y%m%dT%H%M%S.%fZ}"
