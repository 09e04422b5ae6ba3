"""Which datafiles must be looked at: the marks of the catalogue against those of the ledger.

A datafile that was settled under a mark and has it still needs no look, and its row need not travel: of a million
unchanged ones nothing but ids and marks is read. What must be looked at goes to a file, so that memory does not grow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import marked
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from dataverse_backup.catalogue.base import Snapshot
    from dataverse_backup.datafile import Datafile, Mark, NotHere
    from dataverse_backup.ledger.base import Ledger, Marked, Standing

Standings = Mapping[str, "Standing"]
"""Where one datafile and its companions stand, by tag."""
Pair = tuple["Datafile | NotHere | None", Standings]
"""What exists, and where it stands: None, or nothing, where the other side knows nothing of it."""

_COMPARED_TOGETHER = 5_000
_READ_TOGETHER = 1_000
_FEW = 0.2
"""Up to this share of changed datafiles they are read by their ids; beyond it all rows are streamed."""


_FIRST = 5
"""So many of those that vanished from a store are kept as examples."""


@dataclass(slots=True)
class Vanished:
    """What is gone from one store."""

    files: int = 0
    first: list[int] = field(default_factory=list)
    """The ids of the first few."""

    def add(self, datafile_id: int) -> None:
        """Count it in."""
        self.files += 1
        if len(self.first) < _FIRST:
            self.first.append(datafile_id)


_id: Callable[[Mark | Marked], int] = itemgetter(0)
_store_and_why: Callable[[Marked], tuple[str, str | None]] = itemgetter(2, 4)


@dataclass(slots=True)
class Changes:
    """The ids that must be looked at, with the mark that they have now; and the number of the others."""

    unchanged: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    """How many there are of each store, and why they are not here where they are not."""
    unchanged_size: int = 0
    """Bytes as registered, of those that are here."""
    files: int = 0
    """How many must be looked at."""
    changed: Counter[str] = field(default_factory=Counter)
    """How many of those the ledger knows as being in each store, and the catalogue has still."""
    vanished: dict[str, Vanished] = field(default_factory=dict)
    """Of each store: what the ledger knows as being in it, and the catalogue does not have any more."""
    _spool: Spool[tuple[int, int | None]] = field(default_factory=Spool)

    @classmethod
    def between(cls, marks: Iterator[Mark], known: Iterator[Marked]) -> Self:
        """Compare what the catalogue has with what the ledger knows, both by ascending id."""
        changes = cls()
        try:
            changes._compare(marks, known)
        except BaseException:
            changes.close()
            raise
        return changes

    def _compare(self, marks: Iterator[Mark], known: Iterator[Marked]) -> None:
        """Portion by portion: one that is the same on both sides is passed by without a look at each datafile."""
        now: list[Mark] = []
        then: list[Marked] = []
        while True:
            now += islice(marks, _COMPARED_TOGETHER - len(now))
            then += islice(known, _COMPARED_TOGETHER - len(then))
            if now == [one[:2] for one in then]:
                if not now:
                    return
                self._pass_by(then)
                now, then = [], []
            else:  # up to where both sides are known
                last = min(some[-1][0] for some in (now, then) if some)
                ends = bisect_right(now, last, key=_id), bisect_right(then, last, key=_id)
                self._compare_each(now[: ends[0]], then[: ends[1]])
                now, then = now[ends[0] :], then[ends[1] :]

    def _compare_each(self, now: list[Mark], then: list[Marked]) -> None:
        marks = dict(now)
        same = [one for one in then if marks.get(one[0]) == one[1] is not None]
        self._pass_by(same)
        passed = set(map(_id, same))
        for datafile_id in sorted({*marks, *map(_id, then)} - passed):
            self._add(datafile_id, marks.get(datafile_id))
        for datafile_id, _, store, _, why in then:
            if why is None and datafile_id not in passed:
                self._count(datafile_id, store, is_there=datafile_id in marks)

    def _count(self, datafile_id: int, store: str, *, is_there: bool) -> None:
        """Count in what the ledger knows as being in *store*, and is not what it was."""
        if is_there:
            self.changed[store] += 1
        else:
            self.vanished.setdefault(store, Vanished()).add(datafile_id)

    def _pass_by(self, same: list[Marked]) -> None:
        self.unchanged.update(map(_store_and_why, same))
        self.unchanged_size += sum(size for _, _, _, size, why in same if size is not None and why is None)

    def _add(self, datafile_id: int, mark: int | None) -> None:
        self.files += 1
        self._spool.append((datafile_id, mark))

    def known(self, store: str) -> int:
        """How many datafiles the ledger knows as being in *store*."""
        vanished = self.vanished.get(store)
        return self.unchanged[store, None] + self.changed[store] + (vanished.files if vanished else 0)

    @property
    def known_in_all(self) -> int:
        """How many datafiles the ledger knows as being in any store."""
        unchanged = sum(files for (_, why), files in self.unchanged.items() if why is None)
        return unchanged + self.changed.total() + sum(its.files for its in self.vanished.values())

    def pairs(self, snapshot: Snapshot, ledger: Ledger, destination: str) -> Iterator[Pair]:
        """What must be looked at, by ascending id."""
        if self.files <= _FEW * self.unchanged.total():
            yield from self._read(snapshot, ledger, destination)
        else:
            yield from self._streamed(snapshot, ledger, destination)

    def _read(self, snapshot: Snapshot, ledger: Ledger, destination: str) -> Iterator[Pair]:
        for some in chunks(self._spool, _READ_TOGETHER):
            ids = [datafile_id for datafile_id, _ in some]
            rows = snapshot.read(ids)
            standings: dict[int, dict[str, Standing]] = {datafile_id: {} for datafile_id in ids}
            for standing in ledger.standings(destination, ids):
                standings[standing.datafile_id][standing.tag] = standing
            for datafile_id, mark in some:
                yield _marked(rows.get(datafile_id), mark), standings[datafile_id]

    def _streamed(self, snapshot: Snapshot, ledger: Ledger, destination: str) -> Iterator[Pair]:
        rows, standings = snapshot.rows(), ledger.standings(destination)
        row, standing = next(rows, None), next(standings, None)
        for datafile_id, mark in self._spool:
            while row is not None and row.id < datafile_id:
                row = next(rows, None)
            while standing is not None and standing.datafile_id < datafile_id:
                standing = next(standings, None)
            exists = row if row is not None and row.id == datafile_id else None
            stands: dict[str, Standing] = {}
            while standing is not None and standing.datafile_id == datafile_id:
                stands[standing.tag] = standing
                standing = next(standings, None)
            yield _marked(exists, mark), stands

    def close(self) -> None:
        """Give back the file."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _marked(row: Datafile | NotHere | None, mark: int | None) -> Datafile | NotHere | None:
    return None if row is None else marked(row, mark)
