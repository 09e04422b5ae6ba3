"""Where datafiles are brought: as at the destination, under the names that people know, or back into the stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import Datafile
from dataverse_backup.errors import ObjectError, SourceRefused
from dataverse_backup.naming import DatasetNames, file_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dataverse_backup.datafile import NotHere
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.base import Kept, Status
    from dataverse_backup.stores.base import Store

Which = tuple[int, str]
"""A `Datafile.place`."""

ROWS_AT_ONCE = 1_000
"""So many rows of the catalogue are read together."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A datafile or companion, and its copies."""

    datafile: Datafile
    """As the destination whose last run is newest describes it."""
    status: Status
    copies: tuple[Kept, ...]
    """Best first: of what is registered now, then proven and not in doubt, then by preference."""

    @property
    def is_former(self) -> bool:
        """Whether no copy is of what is registered now."""
        return not is_current(self.copies[0], self.datafile)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one datafile is to be."""

    to: str
    datafile: Datafile
    """As it is described now, where that is known better than from the ledger."""
    must_be: Checksum | None = None
    """What is demanded of its bytes; None: what the copy was proven with."""
    must_have: int | None = None
    """How many bytes are demanded, where no checksum is: Dataverse may have made a new .tab since the backup."""


class Layout(Protocol):
    """Says where the datafiles of one dataset are to be."""

    def places(self, dataset: Sequence[Candidate]) -> Mapping[Which, Placed | ObjectError]:
        """The place of each object, by `Datafile.place`; *dataset* has all that are known: names depend on it.

        What is absent is not to be brought.
        """


class KeyLayout:
    """As at the destination."""

    def places(self, dataset: Sequence[Candidate]) -> Mapping[Which, Placed | ObjectError]:
        taken: set[str] = set()
        found: dict[Which, Placed | ObjectError] = {}
        for one in dataset:
            keys = (*(kept.copy.key for kept in one.copies), f"{one.copies[0].copy.key}.datafile-{one.datafile.id}")
            key = next(key for key in keys if key not in taken)
            taken.add(key)
            found[one.datafile.place] = Placed(key, one.datafile)
        return found


class NamedLayout:
    """``<PID>/<folder>/<original file name>``, made safe."""

    def __init__(self) -> None:
        self._folders = DatasetNames()

    def places(self, dataset: Sequence[Candidate]) -> Mapping[Which, Placed | ObjectError]:
        datafiles = {one.datafile.place: one.datafile for one in dataset}
        its = dataset[0].datafile.dataset
        folder = self._folders.folder_of(its.persistent_id, its.storage_path)
        paths = file_paths(list(datafiles.values()))
        return {place: Placed(f"{folder}/{paths[place]}", datafile) for place, datafile in datafiles.items()}


class StoreLayout:
    """Where Dataverse will look for them: in their stores, under the names that the registered bytes have there."""

    def __init__(
        self, stores: Mapping[str, Store], read: Callable[[Sequence[int]], Mapping[int, Datafile | NotHere]] | None
    ) -> None:
        """Put them into *stores*; *read* gives rows of the catalogue as they are now, where it can be asked."""
        self._stores, self._read = stores, read

    def places(self, dataset: Sequence[Candidate]) -> Mapping[Which, Placed | ObjectError]:
        described = {one.datafile.place: one.datafile for one in dataset}
        if self._read is None:
            return {place: self._place(datafile) for place, datafile in described.items()}
        found: dict[Which, Placed | ObjectError] = {}
        for some in chunks(described.values(), ROWS_AT_ONCE):
            rows = self._read(sorted({datafile.id for datafile in some}))
            found |= {one.place: placed for one in some if (placed := self._as_now(one, rows.get(one.id))) is not None}
        return found  # what is not in the catalogue any more would be nobody's file

    def _as_now(self, known: Datafile, row: Datafile | NotHere | None) -> Placed | ObjectError | None:
        """Where it is to be by what the catalogue says now; None where it has nothing of the kind."""
        if not isinstance(row, Datafile):
            return None if row is None else _not_here(row)
        now = row.object_of(known.tag)
        return None if now is None else self._place(now)

    def _place(self, datafile: Datafile) -> Placed | ObjectError:
        store = self._stores.get(datafile.store_id)
        if store is None:
            said = "the configuration does not know its store"
            return SourceRefused(datafile.store_id, datafile.storageidentifier, said, "add a section for it")
        if (excluded := store.excludes(datafile)) is not None:
            return SourceRefused(store.id, datafile.storageidentifier, excluded[1])
        try:
            size = datafile.size if datafile.is_companion and datafile.checksum is None else None
            return Placed(store.names(datafile)[0], datafile, datafile.checksum, size)
        except ObjectError as error:
            return error


def _not_here(row: NotHere) -> ObjectError:
    return SourceRefused("catalogue", row.storageidentifier or str(row.id), row.message)


def is_current(kept: Kept, datafile: Datafile) -> bool:
    return kept.copy.registered == datafile.checksum
