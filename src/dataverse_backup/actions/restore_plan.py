"""Which datafiles are brought back, from where and to which place: decided before the first byte moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, Self

from dataverse_backup.actions.restore_layouts import Candidate, Placed, is_current
from dataverse_backup.chunks import sized_chunks
from dataverse_backup.errors import ObjectError, SourceDiffers, printable
from dataverse_backup.ledger.base import Status
from dataverse_backup.plan import Share
from dataverse_backup.retrieval import Retrieval, Source
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.actions.restore_layouts import Layout
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.ledger.base import Kept


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
        for some in sized_chunks(self._spool, attrgetter("size"), length=files, size=size):
            yield tuple(some)

    def close(self) -> None:
        """Give back the spool."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        return not is_current(kept, datafile), _DOUBTS.get(kept.status, 0), place

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


def _source(kept: Kept, must_be: Checksum | None) -> Source:
    copy = kept.copy
    return Source(kept.destination, copy.key, copy.size, must_be or copy.checksum)
