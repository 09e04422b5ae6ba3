"""Which datafiles are brought back, from where and to which place: decided before the first byte moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, Self

from dataverse_backup.changes import chunks
from dataverse_backup.datafile import Datafile
from dataverse_backup.errors import ObjectError, SourceDiffers, SourceRefused, printable
from dataverse_backup.ledger.base import Status
from dataverse_backup.naming import DatasetNames, file_paths
from dataverse_backup.plan import Share
from dataverse_backup.retrieval import Retrieval, Source
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dataverse_backup.datafile import NotHere
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.base import Kept
    from dataverse_backup.stores.base import Store


class Known(Protocol):
    """What tells which copies there are: a ledger, or the manifests of a destination."""

    def kept(
        self,
        *,
        destinations: Sequence[str] | None = None,
        dataset: str | None = None,
        storage_paths: Sequence[str] | None = None,
        datafile_id: int | None = None,
    ) -> Iterator[Kept]:
        """The copies that fit, by storage path of their dataset, datafile id and destination."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for."""

    files: tuple[int, ...] = ()
    datasets: tuple[str, ...] = ()
    """PIDs."""
    everything: bool = False
    with_gone: bool = False
    """Also what the catalogue does not have any more; a datafile that is asked for by its id comes in any case."""


@dataclass(slots=True)
class RestorePlan:
    """What one restore must do."""

    work: Share = field(default_factory=Share)
    by_destination: dict[str, Share] = field(default_factory=dict)
    """By the destination that is read first."""
    left_out: int = 0
    """Datafiles that are GONE, and were not asked for by their id."""
    former: list[int] = field(default_factory=list)
    """Datafiles of which Dataverse has registered other content since their newest copy was made."""
    unknown: list[str] = field(default_factory=list)
    """What was asked for and has no copy anywhere."""
    refused: list[tuple[Datafile, ObjectError]] = field(default_factory=list)
    """Datafiles that cannot be brought where they would have to be."""
    _spool: Spool[Retrieval] = field(default_factory=Spool)

    def add(self, retrieval: Retrieval) -> None:
        """Bring this one too."""
        first = retrieval.sources[0]
        for share in (self.work, self.by_destination.setdefault(first.destination, Share())):
            share.files += 1
            share.size += first.size
        self._spool.append(retrieval)

    def batches(self, files: int, size: int) -> Iterator[tuple[Retrieval, ...]]:
        """The work in batches of at most *files* datafiles and about *size* bytes; a larger datafile is alone."""
        group: list[Retrieval] = []
        held = 0
        for retrieval in self._spool:
            if group and (len(group) >= files or held + retrieval.size > size):
                yield tuple(group)
                group, held = [], 0
            group.append(retrieval)
            held += retrieval.size
        if group:
            yield tuple(group)

    def close(self) -> None:
        """Give back the spool."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        return not _is_current(self.copies[0], self.datafile)


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


Which = tuple[int, str]
"""A `Datafile.place`."""

ROWS_AT_ONCE = 1_000
"""So many rows of the catalogue are read together."""


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


@dataclass(frozen=True, slots=True)
class Shelves:
    """The destinations that may be read."""

    by_preference: tuple[str, ...]
    by_news: tuple[str, ...]
    """The same, the one whose last run is newest first: it knows best what the catalogue has."""


def make_plan(known: Known, wanted: Wanted, shelves: Shelves, layout: Layout) -> RestorePlan:
    """Plan what *wanted* asks for. Raises LedgerError."""
    plan = RestorePlan()
    try:
        _Planner(known, wanted, shelves, layout, plan).run()
    except BaseException:
        plan.close()
        raise
    return plan


@dataclass(frozen=True, slots=True)
class _Planner:
    known: Known
    wanted: Wanted
    shelves: Shelves
    layout: Layout
    plan: RestorePlan

    def run(self) -> None:
        if self.wanted.everything:
            everything = self.known.kept(destinations=self.shelves.by_preference)
            for _, rows in groupby(everything, key=_path):
                self._take(rows)
            return
        for path in sorted(set(self._paths())):
            self._take(self.known.kept(destinations=self.shelves.by_preference, storage_paths=[path]))

    def _paths(self) -> Iterator[str]:
        """The folders of the datasets in which something is that was asked for."""
        for number in self.wanted.files:
            yield from self._found(f"datafile {number}", datafile_id=number)
        for pid in self.wanted.datasets:
            yield from self._found(f"dataset {printable(pid)}", dataset=pid)

    def _found(self, what: str, **asked: Any) -> set[str]:
        found = {_path(kept) for kept in self.known.kept(destinations=self.shelves.by_preference, **asked)}
        if not found:
            self.plan.unknown.append(what)
        return found

    def _take(self, rows: Iterable[Kept]) -> None:
        """Plan what is wanted of one dataset."""
        by_datafile = groupby(rows, key=lambda kept: (kept.datafile.id, kept.datafile.tag))
        candidates = (self._candidate(list(copies)) for _, copies in by_datafile)
        dataset = sorted(candidates, key=lambda one: one.datafile.place)
        chosen = [one for one in dataset if self._is_asked_for(one)]
        places = self.layout.places(dataset) if chosen else {}
        for one in chosen:
            if one.status is Status.GONE and not self.wanted.with_gone and one.datafile.id not in self.wanted.files:
                self.plan.left_out += 1
            elif (placed := places.get(one.datafile.place)) is not None:
                self._place(one, placed)

    def _is_asked_for(self, one: Candidate) -> bool:
        its = one.datafile
        asked = self.wanted
        return asked.everything or its.id in asked.files or its.dataset.persistent_id in asked.datasets

    def _candidate(self, copies: Sequence[Kept]) -> Candidate:
        newest = min(copies, key=lambda kept: self.shelves.by_news.index(kept.destination))
        return Candidate(
            newest.datafile, newest.status, tuple(sorted(copies, key=partial(self._rank, newest.datafile)))
        )

    def _rank(self, datafile: Datafile, kept: Kept) -> tuple[bool, int, int]:
        place = self.shelves.by_preference.index(kept.destination)
        return not _is_current(kept, datafile), _DOUBTS.get(kept.status, 0), place

    def _place(self, one: Candidate, placed: Placed | ObjectError) -> None:
        if not isinstance(placed, Placed):
            self.plan.refused.append((one.datafile, placed))
            return
        if one.is_former:
            self.plan.former.append(one.datafile.id)
        fitting = [kept for kept in one.copies if placed.must_have in (None, kept.copy.size)]
        if not fitting:
            said = f"every copy is of another version: Dataverse says that it has {placed.must_have} bytes"
            self.plan.refused.append((one.datafile, SourceDiffers(placed.datafile.store_id, placed.to, said)))
            return
        sources = tuple(_source(kept, placed.must_be) for kept in fitting)
        self.plan.add(Retrieval(placed.datafile, placed.to, sources))


_DOUBTS = {Status.PENDING: 1, Status.FAIL_WRITE: 2}
"""In doubt since its destination was accepted; missing, altered, or not to be proven when it was looked at last."""


def _path(kept: Kept) -> str:
    return kept.datafile.dataset.storage_path


def _is_current(kept: Kept, datafile: Datafile) -> bool:
    return kept.copy.registered == datafile.checksum


def _source(kept: Kept, must_be: Checksum | None) -> Source:
    copy = kept.copy
    return Source(kept.destination, copy.key, copy.size, must_be or copy.checksum)
