"""Which datasets are asked for a logo, and what their stores answer.

Dataverse's database does not say which dataset has a logo, nor does anything in it change when another one is uploaded
(docs/decisions/0016). So stores are asked, dataset by dataset: each time for those that have one, and those that are
new; and for some of the others, the next ones each time, so that all have their turn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import LOGOS, Datafile
from dataverse_backup.errors import SourceError, StoreLost
from dataverse_backup.ledger.base import LACKING, LogoTurn, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Sequence

    from dataverse_backup.catalogue.base import Catalogue, Snapshot
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.ledger.base import Ledger, Standing
    from dataverse_backup.stores.base import Store

    Answer = Mapping[str, str] | SourceError | StoreLost | None
    """The logos that a store has, why it cannot say so, or that no store of ours has the dataset."""

_READ_TOGETHER = 5_000
"""So many rows of datasets are in memory; the catalogue is not held open while stores are asked."""
_ASKED_TOGETHER = 1_000
_ASKED_BY_ONE = 50
"""Datasets that a thread asks for, one after the other: for a file system each alone would be too little work."""
_THREADS = 16
_NONE: Mapping[str, str] = {}
"""That a dataset has no logo; most have none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which datasets are asked."""

    ids: Sequence[int]
    """Ascending."""
    turn: LogoTurn
    """Where it goes on afterwards."""


def choose(there: Sequence[int], known: Collection[int], turn: LogoTurn, others: int) -> Choice:
    """Of the datasets that are *there* (ascending) those *known* to have a logo, those that are new, and some *others*.

    The others are the next ones after those that were asked last, and after the last dataset the first one.
    """
    start = bisect_right(there, turn.after)
    next_ones = [*there[start : start + others], *there[: max(0, min(start, start + others - len(there)))]]
    new = there[bisect_right(there, turn.newest) :]
    after = next_ones[-1] if next_ones else turn.after
    newest = max(turn.newest, there[-1] if there else 0)
    asked = {*next_ones, *new, *(set(known) & set(there))}
    return Choice(sorted(asked), LogoTurn(after, newest))


@dataclass(frozen=True, slots=True)
class Found:
    """What came of asking for one dataset."""

    logos: Sequence[Datafile]
    """Those that it has, or may have."""
    standings: Mapping[str, Standing]
    """Where its logos stand, by tag."""
    vanished: Sequence[tuple[int, str]] = ()
    """Those that it had and does not have any more."""


@dataclass(eq=False)
class LogoAnswers:
    """What the stores say when they are asked, once for all who want to know of the same dataset."""

    stores: Mapping[str, Store]
    are_kept: bool = False
    """Whether others will want to know the same: the plans of further destinations in the same run."""
    _kept: dict[int, Answer] = field(default_factory=dict)
    """By the id of the dataset."""
    _silent: dict[str, StoreLost] = field(default_factory=dict)
    _is_there: dict[str, StoreLost | None] = field(default_factory=dict)
    """Why stores cannot be read in which something was missing; None for those that can."""

    def of_each(self, datasets: Sequence[Datafile]) -> list[Answer]:
        """What the store of each of them says. Any thread may call it."""
        return [self.of(dataset) for dataset in datasets]

    def of(self, dataset: Datafile) -> Answer:
        """What its store says."""
        if dataset.id in self._kept:
            return self._kept[dataset.id]
        answer = self._ask(dataset)
        if self.are_kept:
            self._kept[dataset.id] = answer or _NONE if isinstance(answer, Mapping) else answer
        return answer

    def now(self, dataset: Datafile, tag: str) -> Datafile | None:
        """This logo of *dataset* as its store has it, without a version where it has none; None if it cannot say so."""
        answer = self.of(dataset)
        if not isinstance(answer, Mapping) or (tag not in answer and self.why_lost(dataset.store_id)):
            return None
        return dataset.logo(tag, answer.get(tag, ""))

    def _ask(self, dataset: Datafile) -> Answer:
        store = self.stores.get(dataset.store_id)
        if store is None or store.excludes(dataset) is not None:
            return None
        try:
            return self._silent.get(store.id) or store.logos(dataset)
        except SourceError as error:
            return error
        except StoreLost as lost:
            self._silent[store.id] = lost
            return lost

    def why_lost(self, store_id: str) -> StoreLost | None:
        """On a disk that is not mounted everything is missing, which says nothing; asked once."""
        if store_id not in self._is_there:
            try:
                self.stores[store_id].probe()
                self._is_there[store_id] = None
            except StoreLost as lost:
                self._is_there[store_id] = lost
        return self._is_there[store_id]


def as_now(row: Datafile | NotHere | None, tag: str, stores: Mapping[str, Store]) -> Datafile | NotHere | None:
    """What *row* says of its object *tag*, and of a logo the store too; None where there is none, or nobody can say."""
    if not isinstance(row, Datafile):
        return row
    return LogoAnswers(stores).now(row, tag) if row.is_dataset else row.object_of(tag)


@dataclass
class LogoSearch:
    """Asks the stores what logos lie in them, for one destination."""

    ledger: Ledger
    destination: str
    answers: LogoAnswers
    known: frozenset[int] = frozenset()
    """Datasets that have a logo, by the ledger."""
    lost: dict[str, StoreLost] = field(default_factory=dict)
    """Stores that could not be read, and have logos by the ledger."""
    unasked: Counter[str] = field(default_factory=Counter)
    """How many other datasets could not be asked, by the reason."""
    _turn: LogoTurn | None = None
    """Where it goes on next time; None where all are asked that somebody wants to know of."""
    _asked: Sequence[int] = ()
    """The datasets that are asked."""
    _left: Sequence[int] = ()
    """Datasets that had a logo, and are not in the catalogue any more."""

    def choose(self, snapshot: Snapshot, only: Container[int] | None = None) -> None:
        """Choose the datasets of the catalogue that are to be asked: in turn, or *only* those of these with a logo."""
        there = snapshot.datasets()
        self.known = frozenset(self.ledger.with_logos(self.destination))
        if only is None:
            others = min((store.logos_a_run for store in self.answers.stores.values()), default=0)
            choice = choose(there, self.known, self.ledger.logo_turn(self.destination), others)
            self._asked, self._turn = choice.ids, choice.turn
            self._left = sorted(self.known - set(there))
        else:
            self._asked = [number for number in there if number in self.known and number in only]

    def found(self, catalogue: Catalogue) -> Iterator[list[Found]]:
        """What the datasets have of which there is something to say, by ascending id, some together."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="logos") as pool:
            for ids in chunks(self._asked, _READ_TOGETHER):
                rows = sorted(catalogue.read(ids).items())
                for some in chunks((row for _, row in rows if isinstance(row, Datafile)), _ASKED_TOGETHER):
                    standings = self._standings([dataset.id for dataset in some if dataset.id in self.known])
                    answers = pool.map(self.answers.of_each, chunks(some, _ASKED_BY_ONE))
                    told = zip(some, (answer for part in answers for answer in part), strict=True)
                    yield [
                        self._concluded(dataset, answer, standings.get(dataset.id, {}))
                        for dataset, answer in told
                        if answer or dataset.id in standings
                    ]
        for left in chunks(self._left, _ASKED_TOGETHER):
            yield [Found([], {}, _not_gone(its)) for its in self._standings(left).values()]

    def keep_turn(self) -> None:
        """Remember where it goes on: what was found is in the ledger now."""
        if self._turn is not None and self._turn != self.ledger.logo_turn(self.destination):
            self.ledger.keep_logo_turn(self.destination, self._turn)

    def _standings(self, ids: Sequence[int]) -> dict[int, dict[str, Standing]]:
        found: dict[int, dict[str, Standing]] = {}
        for standing in self.ledger.standings(self.destination, ids) if ids else ():
            if standing.tag in LOGOS:
                found.setdefault(standing.datafile_id, {})[standing.tag] = standing
        return found

    def _concluded(self, dataset: Datafile, answer: Answer, its: Mapping[str, Standing]) -> Found:
        if isinstance(answer, StoreLost):
            if its:
                self.lost[dataset.store_id] = answer
            else:
                self.unasked[str(answer)] += 1
            return Found([], its)
        if isinstance(answer, SourceError):  # what has failed before is for a worker to try, who says why it fails
            self.unasked[f"{answer.place}: {answer.reason}"] += 1
            return Found([dataset.logo(tag) for tag, standing in its.items() if standing.status in LACKING], its)
        if answer is None:
            return Found([], its)
        gone = _not_gone({tag: standing for tag, standing in its.items() if tag not in answer})
        if gone and (lost := self.answers.why_lost(dataset.store_id)) is not None:
            return self._concluded(dataset, lost, its)
        return Found([dataset.logo(tag, version) for tag, version in sorted(answer.items())], its, gone)


def _not_gone(standings: Mapping[str, Standing]) -> list[tuple[int, str]]:
    return [(one.datafile_id, one.tag) for one in standings.values() if one.status is not Status.GONE]
