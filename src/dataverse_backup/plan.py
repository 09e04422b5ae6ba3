"""What must be done: the catalogue against the ledger, in one merge pass.

Nothing is a watermark: the whole catalogue is compared each time, so a late commit, an equal timestamp or an earlier
failure loses nothing (facts 1.6). Marks are compared first (`changes`), and what they leave is looked at row by row.
Both sides are read by ascending datafile id, so memory does not grow with the number of files; what must be done goes
to a spool on disk, which gives the totals before the first byte moves.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dataverse_backup import __version__
from dataverse_backup.brake import has_lost_its_name, nameless, pulled_by, stores_vanishing, vanishing
from dataverse_backup.changes import Changes
from dataverse_backup.chunks import chunks
from dataverse_backup.claims import Claims, is_own_key
from dataverse_backup.datafile import MAIN, Datafile, NotHere, fingerprint
from dataverse_backup.errors import ObjectError, Reason, StoreLost
from dataverse_backup.layout import is_beside, key_for
from dataverse_backup.ledger.base import LACKING, Planned, Standing, Status
from dataverse_backup.work import Spool, Why, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from typing import Self

    from dataverse_backup.brake import Thresholds, Unusual
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.changes import Pair, Standings
    from dataverse_backup.datafile import Mark
    from dataverse_backup.errors import BrakePulled
    from dataverse_backup.ledger.base import Ledger, Listed
    from dataverse_backup.stores.base import Store

CHUNK = 2_000
"""Rows that are compared, claimed and noted together."""

BESIDE_SHOWN = 100
"""So many datafiles that got a key beside their own are named."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A datafile of which no key or object name can be made: failed without being tried."""

    datafile: Datafile
    error: ObjectError


@dataclass(slots=True)
class Share:
    """Files and bytes (as registered) of a part of the plan."""

    files: int = 0
    size: int = 0

    def add(self, datafile: Datafile) -> None:
        """Count *datafile* in."""
        self.files += 1
        self.size += datafile.size or 0


@dataclass(slots=True)
class Plan:
    """What one run must do at one destination."""

    catalogue: Share = field(default_factory=Share)
    """All datafiles that the catalogue has."""
    work: Share = field(default_factory=Share)
    """Datafiles and companions that must be copied or proven."""
    companions: int = 0
    """How many of these are companions."""
    by_store: dict[str, Share] = field(default_factory=dict)
    by_reason: Counter[Why] = field(default_factory=Counter)
    settled: int = 0
    """Datafiles whose copy is proven and fits."""
    not_here: Counter[Reason] = field(default_factory=Counter)
    gone: int = 0
    """Datafiles that were in the catalogue before and are not now."""
    beside: list[tuple[int, str]] = field(default_factory=list)
    """Datafiles that got another key because theirs belongs to a different one: id and key, the first hundred."""
    unknown_stores: Counter[str] = field(default_factory=Counter)
    """Store ids that the catalogue names and the configuration does not (design, rule 11)."""
    stores_seen: set[str] = field(default_factory=set)
    """Configured stores that the catalogue has datafiles in."""
    lost_stores: dict[str, StoreLost] = field(default_factory=dict)
    """Stores that could not be read at the start; nothing of theirs is planned or noted (design, rule 12)."""
    refused: list[Refused] = field(default_factory=list)
    unusual: BrakePulled | None = None
    """Why a run would stop here, where this is only a dry run."""
    _spool: Spool[Work] = field(default_factory=Spool)

    def works(self) -> Iterator[Work]:
        """The work, by ascending `Datafile.place`; to be asked for once."""
        return iter(self._spool)

    def close(self) -> None:
        """Give back the spool."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Scope:
    """What is planned for: one destination, and how."""

    destination: str
    stores: Mapping[str, Store]
    folded: Callable[[str], str] | None = None
    """How the destination sees keys, where it folds case."""
    limit: int | None = None
    """Plan at most so many datafiles."""
    only: Container[int] | None = None
    """Plan none but these datafile ids."""
    dry_run: bool = False
    """Write nothing down."""
    brake: Thresholds | None = None
    """How much may vanish; None where that is not looked at."""


def make_plan(catalogue: Catalogue, ledger: Ledger, scope: Scope) -> Plan:
    """Compare the whole catalogue with the ledger, note what was found, and plan what is missing, failed or changed.

    Raises CatalogueError and LedgerError, and BrakePulled before anything is noted, where too much vanished. The
    catalogue's snapshot is closed on return.
    """
    layout = _layout(catalogue, scope)
    if not scope.dry_run:
        ledger.keep_layout(scope.destination, layout)
    with catalogue.snapshot() as snapshot, ExitStack() as on_error:
        planner = _Planner(ledger, scope)
        on_error.enter_context(planner.plan)
        with Changes.between(snapshot.marks(), ledger.marks(scope.destination, layout)) as changes:
            planner.pass_by(changes)
            planner.beware(changes)
            for chunk in chunks(changes.pairs(snapshot, ledger, scope.destination), CHUNK):
                planner.take(chunk)
            planner.finish()
        on_error.pop_all()
        return planner.plan


def _layout(catalogue: Catalogue, scope: Scope) -> str:
    """What else than the rows decides what is settled: another one, and every row is looked at again."""
    told = [__version__, catalogue.interpretation, f"folded: {scope.folded is not None}"]
    told += [f"{store_id} {store.layout}" for store_id, store in sorted(scope.stores.items())]
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()


class _Planner:
    """Takes the merged pairs chunk by chunk, decides, claims keys and notes."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._scope = scope
        self.plan = Plan()
        self._reachable: dict[str, bool] = {}
        self._known = 0
        self._nameless: list[NotHere] = []
        """Datafiles that were files of ours, and name none any more: noted when it is known that they are few."""
        self._begun = 0
        """Datafiles that are worked on."""
        self._last: int | None = None
        """The last one."""

    def pass_by(self, changes: Changes) -> None:
        """Count what did not change: it was settled, or is not here, and is so still."""
        plan = self.plan
        plan.catalogue.files += changes.unchanged.total()
        plan.catalogue.size += changes.unchanged_size
        for (store_id, why), files in changes.unchanged.items():
            if why is not None:
                plan.not_here[Reason(why)] += files
            else:
                plan.settled += files
                plan.stores_seen.add(store_id)

    def beware(self, changes: Changes) -> None:
        """Raise BrakePulled where too much vanished; a dry run only tells it."""
        if self._scope.brake is None:
            return
        self._known = changes.known_in_all
        vanished = {store: its.files for store, its in changes.vanished.items()}
        known = {store: changes.known(store) for store in vanished}
        unusual = []
        for store in stores_vanishing(self._scope.brake, known, vanished):
            examples = [one for number in changes.vanished[store].first for one in self._listed(number)]
            unusual.append(vanishing(store, vanished[store], known[store], examples))
        self._stop_for(unusual)

    def _stop_for(self, unusual: Sequence[Unusual]) -> None:
        if unusual and not self._scope.dry_run:
            raise pulled_by(unusual)
        if unusual and self.plan.unusual is None:
            self.plan.unusual = pulled_by(unusual, is_dry=True)

    def _listed(self, datafile_id: int) -> Iterator[Listed]:
        return self._ledger.listed(destination=self._scope.destination, datafile_id=datafile_id)

    def take(self, pairs: Sequence[Pair]) -> None:
        """Plan one chunk and note it."""
        notes = _Notes()
        for row, standings in pairs:
            if row is None:
                self._vanished(standings, notes)
            elif (not_here := self._not_here(row)) is not None:
                self._elsewhere(not_here, standings.get(MAIN), notes)
            elif isinstance(row, Datafile):
                self._present(row, standings, notes)
        self._note(notes, self._claim(notes.wanted))

    def finish(self) -> None:
        """Note what waited until everything was seen."""
        for some in chunks(self._nameless, CHUNK):
            self._note(_Notes(not_here=some), [])

    def _note(self, notes: _Notes, planned: Sequence[Planned]) -> None:
        if not self._scope.dry_run and (planned or notes):
            self._ledger.note(
                self._scope.destination,
                planned=[*planned, *notes.unknown],
                refreshed=notes.refreshed,
                not_here=notes.not_here,
                gone=notes.gone,
                companions_gone=notes.companions_gone,
                marked=notes.marked,
            )

    def _vanished(self, standings: Standings, notes: _Notes) -> None:
        gone = {standing.datafile_id for standing in standings.values() if standing.status is not Status.GONE}
        self.plan.gone += len(gone)
        notes.gone += gone

    def _not_here(self, row: Datafile | NotHere) -> NotHere | None:
        if isinstance(row, NotHere):
            return row
        store = self._scope.stores.get(row.store_id)
        excluded = store.excludes(row) if store is not None else _web_address(row)
        if excluded is None:
            return None
        reason, message = excluded
        return NotHere(
            row.id, reason, message, row.dataset.persistent_id, row.storageidentifier, row.label, row.created, row.mark
        )

    def _elsewhere(self, row: NotHere, standing: Standing | None, notes: _Notes) -> None:
        self.plan.catalogue.files += 1
        self.plan.not_here[row.reason] += 1
        if self._scope.brake is not None and has_lost_its_name(row, standing):
            self._nameless.append(row)
            if self._scope.brake.are_reached(len(self._nameless), self._known):
                self._stop_for([nameless(self._nameless, self._known)])
        else:
            notes.see(row, standing if standing is not None and standing.status is Status.NOT_HERE else None)

    def _present(self, datafile: Datafile, standings: Standings, notes: _Notes) -> None:
        self.plan.catalogue.add(datafile)
        standing = standings.get(MAIN)
        store = self._scope.stores.get(datafile.store_id)
        if store is None:
            self.plan.unknown_stores[datafile.store_id] += 1
            if standing is None or standing.status is Status.PENDING:
                notes.unknown.append(Planned(datafile, None, Reason.STORE_UNKNOWN))
            return
        self.plan.stores_seen.add(store.id)
        if len(standings) > 1:
            notes.companions_gone += _companions_gone(datafile, standings)
        unsettled: list[tuple[Datafile, Standing | None]] = []
        for companion in datafile.companions:
            if is_settled(companion, its := standings.get(companion.tag), store):
                notes.see(companion, its)
            else:
                unsettled.append((companion, its))
        if unsettled and not self._will_be_looked_at(datafile, unsettled, store):
            datafile = replace(datafile, mark=None)
        if is_settled(datafile, standing, store):
            self.plan.settled += 1
            notes.see(datafile, standing)
        else:
            unsettled.insert(0, (datafile, standing))
        if unsettled and self._may_be_wanted(datafile, store):
            notes.wanted += unsettled

    def _will_be_looked_at(
        self, datafile: Datafile, companions: Sequence[tuple[Datafile, Standing | None]], store: Store
    ) -> bool:
        """Whether these unsettle their datafile by themselves, even if this run ends here (`Ledger.marks`).

        One that is planned and not OK does. One that still is OK, and may be of other content, does not, nor does one
        that will not be noted.
        """
        are_noted = self._may_be_wanted(datafile, store)
        return are_noted and all(its is None or its.status in LACKING for _, its in companions)

    def _may_be_wanted(self, datafile: Datafile, store: Store) -> bool:
        return (self._scope.only is None or datafile.id in self._scope.only) and self._can_read(store)

    def _can_read(self, store: Store) -> bool:
        """Whether *store* answers; asked once a plan, and only of stores that are needed."""
        if store.id not in self._reachable:
            try:
                store.probe()
            except StoreLost as lost:
                self.plan.lost_stores[store.id] = lost
            self._reachable[store.id] = store.id not in self.plan.lost_stores
        return self._reachable[store.id]

    def _claim(self, wanted: Sequence[tuple[Datafile, Standing | None]]) -> list[Planned]:
        """Give each datafile its key and plan it, up to the limit."""
        within = self._within_limit(wanted)
        chosen = [item for item in wanted[:within] if self._has_names(item[0])]
        keys = Claims(self._ledger, self._scope.destination, self._scope.stores, self._scope.folded).assign(chosen)
        planned = []
        for (datafile, standing), key in zip(chosen, keys, strict=True):
            self._plan_one(datafile, standing, key)
            planned.append(Planned(datafile, key))
        # What lies beyond the limit is noted without a key, so that `status` shows it as PENDING.
        beyond = [Planned(datafile, None) for datafile, standing in wanted[within:] if standing is None]
        return planned + beyond

    def _within_limit(self, wanted: Sequence[tuple[Datafile, Standing | None]]) -> int:
        """How many of *wanted* may be planned; companions come along with their datafile."""
        if self._scope.limit is None:
            return len(wanted)
        for number, (datafile, _) in enumerate(wanted):
            if datafile.id != self._last:
                if self._begun >= self._scope.limit:
                    return number
                self._last = datafile.id
                self._begun += 1
        return len(wanted)

    def _has_names(self, datafile: Datafile) -> bool:
        store = self._scope.stores[datafile.store_id]
        try:
            store.names(datafile)
            key_for(datafile, store)
        except ObjectError as error:
            self.plan.refused.append(Refused(datafile, error))
            return False
        return True

    def _plan_one(self, datafile: Datafile, standing: Standing | None, key: str) -> None:
        plan, store = self.plan, self._scope.stores[datafile.store_id]
        if len(plan.beside) < BESIDE_SHOWN and is_beside(key, key_for(datafile, store), datafile):
            plan.beside.append((datafile.id, key))
        why = _why(standing)
        plan.work.add(datafile)
        plan.companions += datafile.is_companion
        plan.by_store.setdefault(datafile.store_id, Share()).add(datafile)
        plan.by_reason[why] += 1
        if not self._scope.dry_run:
            plan._spool.append(Work(datafile, key, standing.copy if standing else None, why))  # noqa: SLF001


@dataclass(slots=True)
class _Notes:
    """What a chunk gives to write down."""

    wanted: list[tuple[Datafile, Standing | None]] = field(default_factory=list)
    unknown: list[Planned] = field(default_factory=list)
    refreshed: list[Datafile] = field(default_factory=list)
    not_here: list[NotHere] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    companions_gone: list[tuple[int, str]] = field(default_factory=list)
    marked: list[Mark] = field(default_factory=list)

    def see(self, row: Datafile | NotHere, standing: Standing | None) -> None:
        """Note what *row* says if that is not what *standing* was noted with, and otherwise its mark alone."""
        if standing is not None and standing.fingerprint == fingerprint(row):
            self.marked += [] if row.mark is None else [(row.id, row.mark)]
        elif isinstance(row, Datafile):
            self.refreshed.append(row)
        else:
            self.not_here.append(row)

    def __bool__(self) -> bool:
        gone = self.gone or self.companions_gone
        return bool(self.unknown or self.refreshed or self.not_here or gone or self.marked)


def is_settled(datafile: Datafile, standing: Standing | None, store: Store) -> bool:
    """Whether there is nothing to do: OK, under a key of its own, proven against what is registered now.

    Changed means the key or the normalised registered checksum, nothing else (design, rule 2). Of a companion without
    one, also everything that the catalogue says of it: its bytes may have changed with that, so they are proven again.
    """
    if standing is None or standing.status is not Status.OK or standing.copy is None:
        return False
    fits = standing.copy.registered == datafile.checksum
    if datafile.is_companion and datafile.checksum is None:
        fits = fits and standing.fingerprint == fingerprint(datafile)
    return fits and is_own_key(standing.copy.key, datafile, store)


def _companions_gone(datafile: Datafile, standings: Standings) -> list[tuple[int, str]]:
    """Companions that the ledger knows and the catalogue does not have any more."""
    there = {MAIN, *(companion.tag for companion in datafile.companions)}
    known = (standing for tag, standing in standings.items() if tag not in there)
    return [(datafile.id, standing.tag) for standing in known if standing.status is not Status.GONE]


def _why(standing: Standing | None) -> Why:
    if standing is None or standing.status in (Status.PENDING, Status.NOT_HERE, Status.GONE):
        return Why.NEW
    return Why.CHANGED if standing.status is Status.OK else Why.FAILED


def _web_address(datafile: Datafile) -> tuple[Reason, str] | None:
    """Harvested and imported rows may carry a web address where an identifier should be (facts 1.8)."""
    if datafile.store_id.lower() not in ("http", "https"):
        return None
    return Reason.REMOTE, "its storage identifier is a web address: its bytes are on another server"
