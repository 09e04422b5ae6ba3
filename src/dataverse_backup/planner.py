"""What must be done: the catalogue against the ledger, in one merge pass.

Nothing is a watermark: the whole catalogue is compared each time, so a late commit, an equal timestamp or an earlier
failure loses nothing (facts 1.6). Marks are compared first (`changes`), and what they leave is looked at row by row.
Both sides are read by ascending datafile id, so memory does not grow with the number of files; what must be done goes
to a spool on disk, which gives the totals before the first byte moves.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup import __version__
from dataverse_backup.brake import has_lost_its_name, nameless, pulled_by, stores_vanishing, vanishing
from dataverse_backup.changes import Changes
from dataverse_backup.chunks import chunks
from dataverse_backup.claims import Claims
from dataverse_backup.datafile import MAIN, Datafile, NotHere, fingerprint, marked
from dataverse_backup.errors import ObjectError, Reason, StoreLost
from dataverse_backup.layout import is_beside, key_for, may_be_beside
from dataverse_backup.ledger.base import LACKING, Planned, Standing, Status
from dataverse_backup.logos import LogoAnswers, LogoSearch
from dataverse_backup.plan import Plan, Refused
from dataverse_backup.settled import companions_gone, is_settled, not_here, why_of
from dataverse_backup.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.brake import Unusual
    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.changes import Pair, Standings
    from dataverse_backup.datafile import Mark
    from dataverse_backup.ledger.base import Ledger, Listed
    from dataverse_backup.logos import Found
    from dataverse_backup.plan import Scope
    from dataverse_backup.stores.base import Store

CHUNK = 2_000
"""Rows that are compared, claimed and noted together."""

BESIDE_SHOWN = 100
"""So many datafiles that got a key beside their own are named."""


def make_plan(catalogue: Catalogue, ledger: Ledger, scope: Scope) -> Plan:
    """Compare the whole catalogue with the ledger, note what was found, and plan what is missing, failed or changed.

    Raises CatalogueError and LedgerError, and BrakePulled before anything is noted, where too much vanished. The
    catalogue's snapshot is closed on return.
    """
    layout = _layout(catalogue, scope)
    if not scope.dry_run:
        ledger.keep_layout(scope.destination, layout)
    with ExitStack() as on_error:
        planner = _Planner(ledger, scope)
        on_error.enter_context(planner.plan)
        logos = LogoSearch(ledger, scope.destination, scope.logos or LogoAnswers(scope.stores))
        with catalogue.snapshot() as snapshot:
            with Changes.between(snapshot.marks(), ledger.marks(scope.destination, layout)) as changes:
                planner.pass_by(changes)
                planner.beware(changes)
                for chunk in chunks(changes.pairs(snapshot, ledger, scope.destination), CHUNK):
                    planner.take(chunk)
                planner.finish()
            logos.choose(snapshot, scope.only)
        planner.take_logos(logos.found(catalogue))
        planner.plan.lost_stores.update(logos.lost)
        planner.plan.unasked.update(logos.unasked)
        if not scope.dry_run:
            logos.keep_turn()
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
            elif (elsewhere := not_here(row, self._scope.stores)) is not None:
                self._elsewhere(elsewhere, standings.get(MAIN), notes)
            elif isinstance(row, Datafile):
                self._present(row, standings, notes)
        self.plan.add(self._planned(notes))

    def take_logos(self, logos: Iterator[Sequence[Found]]) -> None:
        """Plan the logos of datasets that are not settled."""
        for together in logos:
            notes = _Notes()
            for found in together:
                notes.companions_gone += found.vanished
                for logo in found.logos:
                    self._take_logo(logo, found.standings.get(logo.tag), notes)
            self.plan.add_logos(self._planned(notes))

    def _take_logo(self, logo: Datafile, standing: Standing | None, notes: _Notes) -> None:
        store = self._scope.stores[logo.store_id]
        if is_settled(logo, standing, store):
            notes.see(logo, standing)
        elif self._can_read(store):
            notes.wanted.append((logo, standing))

    def _planned(self, notes: _Notes) -> list[Work]:
        """Note what was found, and the work that it makes; none in a dry run, which counts it alone."""
        within = self._within_limit(notes.wanted)
        works = self._claimed(notes.wanted[:within])
        # What lies beyond the limit is noted without a key, so that `status` shows it as PENDING.
        beyond = [Planned(datafile, None) for datafile, standing in notes.wanted[within:] if standing is None]
        self._note(notes, [Planned(work.datafile, work.key) for work in works] + beyond)
        self._count(works)
        if self._scope.dry_run:
            return []
        if works:
            self._scope.get_ready()
        return works

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
            notes.companions_gone += companions_gone(datafile, standings)
        unsettled: list[tuple[Datafile, Standing | None]] = []
        for companion in datafile.companions:
            if is_settled(companion, its := standings.get(companion.tag), store):
                notes.see(companion, its)
            else:
                unsettled.append((companion, its))
        if unsettled and not self._will_be_looked_at(datafile, unsettled, store):
            datafile = marked(datafile, None)
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

    def _claimed(self, wanted: Sequence[tuple[Datafile, Standing | None]]) -> list[Work]:
        """The work for each of *wanted* of which a key can be made: its own, or the one beside it."""
        chosen = [item for item in wanted if self._has_names(item[0])]
        keys = Claims(self._ledger, self._scope.destination, self._scope.stores, self._scope.folded).assign(chosen)
        return [
            Work(datafile, key, standing.copy if standing else None, why_of(standing))
            for (datafile, standing), key in zip(chosen, keys, strict=True)
        ]

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

    def _count(self, works: Sequence[Work]) -> None:
        """Count *works* in."""
        plan = self.plan
        for work in works:
            datafile = work.datafile
            plan.work.add(datafile)
            plan.companions += datafile.is_companion
            plan.by_store[datafile.store_id].add(datafile)
            if len(plan.beside) < BESIDE_SHOWN and self._is_beside(work):
                plan.beside.append((datafile.id, work.key))
        plan.by_reason.update(work.why for work in works)

    def _is_beside(self, work: Work) -> bool:
        """Whether it got another key because its own belongs to a different datafile."""
        datafile = work.datafile
        if not may_be_beside(work.key, datafile):
            return False
        own = key_for(datafile, self._scope.stores[datafile.store_id])
        return work.key != own and is_beside(work.key, own, datafile)


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
