"""The brake: when so much is wrong at once that it cannot be so, a run stops before it makes anything worse.

A disk that is not mounted, a wrong bucket or database, somebody who encrypts everything: each looks as if hundreds of
datafiles had been deleted or damaged in one night. Why it is decided so: docs/decisions/0012-the-brake.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.errors import BrakePulled, Reason, printable
from dataverse_backup.ledger.base import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from dataverse_backup.datafile import Datafile, NotHere
    from dataverse_backup.ledger.base import Attempt, Listed, Standing

EXAMPLES = 5
"""So many datafiles are named."""
SUSPICIOUS = frozenset({Reason.MISSING, Reason.SOURCE_DIFFERS})
"""What a source is when its disk is not mounted, its bucket is the wrong one, or somebody emptied or encrypted it."""
HINT = (
    "look whether every disk is mounted, each bucket and the database are the right ones, and nobody deleted, emptied "
    "or encrypted the files. If all is as it must be (at a first backup: if these files were lost long ago), let one "
    "run do the rest with `dataverse-backup backup --release-brake`; otherwise mend it, and run the backup again"
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How much of one store is unusual: a share and a count, both reached."""

    share: float = 0.05
    files: int = 100

    def are_reached(self, files: int, of: int) -> bool:
        """Whether *files* datafiles of *of* are too many."""
        return files >= self.files and files >= self.share * of


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Unusual:
    """What is wrong with too much of one store."""

    said: str
    named: tuple[str, ...]
    """Examples, a line each."""
    files: int

    @property
    def lines(self) -> Iterator[str]:
        """It in words."""
        yield self.said
        yield from (f"  {line}" for line in self.named)
        if self.files > len(self.named):
            yield f"  … and {self.files - len(self.named):,} more"


def pulled_by(unusual: Sequence[Unusual], *, is_dry: bool = False) -> BrakePulled:
    """The error that says so; or, in a dry run, that a run would stop."""
    said = "\n".join(line for one in unusual for line in one.lines)
    begins = "the brake is pulled: nothing more is sent" if not is_dry else "a run would be stopped by the brake"
    return BrakePulled(f"{begins}, and every copy is kept\n{said}", HINT)


class Brake:
    """One for all destinations of a run: whoever pulls it stops all of them."""

    def __init__(self, *, is_released: bool = False) -> None:
        """*is_released* for one run, after a person has looked."""
        self.is_released = is_released
        self.pulled: BrakePulled | None = None
        """Why, where it is."""

    def pull(self, why: BrakePulled) -> None:
        """Stop; the first reason is kept."""
        self.pulled = self.pulled or why


# Before the run: what vanished from the catalogue


def stores_vanishing(thresholds: Thresholds, known: Mapping[str, int], vanished: Mapping[str, int]) -> list[str]:
    """The stores of which too many datafiles vanished, of those *known* to the ledger, or all."""
    return sorted(
        store
        for store, files in vanished.items()
        if files and (files >= known[store] or thresholds.are_reached(files, known[store]))
    )


def vanishing(store: str, files: int, of: int, examples: Sequence[Listed]) -> Unusual:
    """What is said of a store whose datafiles vanished from the catalogue."""
    what = "all" if files >= of else f"{files:,} of the"
    said = f"{_store(store)}: {what} {of:,} datafiles that the ledger knows are gone from the Dataverse database"
    named = [_line(one.datafile_id, one.dataset, one.storageidentifier) for one in examples]
    return Unusual(f"{said}{'' if files >= of else f' ({_percent(files, of)})'}", tuple(named), files)


_NAMELESS = frozenset({Reason.NO_DATASET, Reason.NO_IDENTIFIER, Reason.PREFIX_ONLY, Reason.TEMPORARY})
"""Why a row names no file of any store: what Dataverse itself does not do to a file that it has."""


def has_lost_its_name(row: NotHere, standing: Standing | None) -> bool:
    """Whether *row* was a file of a store before, and names none any more."""
    was_file = standing is not None and standing.status not in (Status.NOT_HERE, Status.GONE)
    return was_file and row.reason in _NAMELESS


def nameless(rows: Sequence[NotHere], of: int) -> Unusual:
    """What is said of rows that have lost their names, whatever store they were in."""
    said = (
        f"{len(rows):,} of the {of:,} datafiles that the ledger knows ({_percent(len(rows), of)}) name no file any more"
    )
    named = [f"{_line(row.id, row.persistent_id, row.storageidentifier)}: {row.reason}" for row in rows[:EXAMPLES]]
    return Unusual(f"the Dataverse database: {said}", tuple(named), len(rows))


# During the run: what its sources are


def is_suspicious(one: Attempt | Standing) -> bool:
    """Whether it says of its source what would be so if the whole store were not what it should be."""
    return one.status is Status.FAIL_READ and one.reason in SUSPICIOUS


@dataclass(slots=True)
class _Sources:
    """What one run found of the sources in one store."""

    read: int = 0
    """Those that were read, or would have been."""
    bad: Counter[Reason | None] = field(default_factory=Counter)
    examples: list[Attempt] = field(default_factory=list)
    held: list[Attempt] = field(default_factory=list)
    """Not recorded yet."""

    def add(self, attempt: Attempt) -> None:
        """Count a suspicious one, and hold it back."""
        self.read += 1
        self.bad[attempt.reason] += 1
        self.held.append(attempt)
        if len(self.examples) < EXAMPLES:
            self.examples.append(attempt)


class Watch:
    """Watches what the run at one destination finds of its sources, and pulls the brake.

    Suspicious attempts are held back until they are too many to be recorded (they are dropped: the next run finds
    them again, and pulls the brake again), or too few to be unusual. Datafiles whose source was missing or not as
    registered before are what they were, and count for nothing.
    """

    def __init__(self, brake: Brake, thresholds: Thresholds, known: Callable[[Sequence[int]], Container[int]]) -> None:
        """*known* tells which of some datafiles were recorded as suspicious before."""
        self._brake, self._thresholds, self._known = brake, thresholds, known
        self._stores: dict[str, _Sources] = defaultdict(_Sources)

    def sift(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Those of *attempts*, and of what was held back, that may be recorded now."""
        if self._brake.is_released:
            return list(attempts)
        ids = [attempt.datafile.id for attempt in attempts if is_suspicious(attempt)]
        known = self._known(ids) if ids else ()
        ready = []
        for attempt in attempts:
            if attempt.datafile.is_companion:  # the datafiles tell enough: Dataverse itself loses what lies beside them
                ready.append(attempt)
                continue
            its = self._stores[attempt.datafile.store_id]
            if is_suspicious(attempt) and attempt.datafile.id not in known:
                its.add(attempt)
                continue
            its.read += attempt.bytes_sent > 0  # what was only proven over there says nothing of its source
            ready.append(attempt)
        self._judge()
        return ready + self._let_go(self._thresholds.files)

    def rest(self) -> list[Attempt]:
        """What is still held back when the run ends: to be recorded now, unless the brake is pulled."""
        return self._let_go(1)

    def _judge(self) -> None:
        unusual = [
            _failing(store, its)
            for store, its in sorted(self._stores.items())
            if self._thresholds.are_reached(its.bad.total(), its.read)
        ]
        if unusual:
            self._brake.pull(pulled_by(unusual))

    def _let_go(self, count: int) -> list[Attempt]:
        """What is held back of stores with at least *count* suspicious ones; for good, where the brake is pulled."""
        let_go = []
        for its in self._stores.values():
            if self._brake.pulled is not None or its.bad.total() >= count:
                let_go += its.held
                its.held = []
        return [] if self._brake.pulled is not None else let_go


def _failing(store: str, its: _Sources) -> Unusual:
    bad = its.bad.total()
    said = (
        f"{_store(store)}: {bad:,} of the first {its.read:,} files that this run was to read are missing, empty or not "
        f"as registered ({_percent(bad, its.read)}): {', '.join(f'{n:,} {why}' for why, n in its.bad.most_common())}"
    )
    named = [f"{_of(one.datafile)}: {_in_short(one)}" for one in its.examples]
    return Unusual(said, tuple(named), bad)


def _store(store: str) -> str:
    return f"store {printable(store)}"


def _in_short(attempt: Attempt) -> str:
    """What went wrong, without what to do about a single file."""
    return printable(attempt.message.partition("; hint: ")[0])


def _of(datafile: Datafile) -> str:
    return _line(datafile.id, datafile.dataset.persistent_id, datafile.storageidentifier)


def _line(datafile_id: int, dataset: str, storageidentifier: str) -> str:
    return f"datafile {datafile_id}, {printable(dataset)}, {printable(storageidentifier)}"


def _percent(files: int, of: int) -> str:
    return f"{100 * files / of:.0f} %"
