"""Delete copies of files that left the catalogue, and copies that were moved aside: only by a plan that was shown.

In this order, batch by batch, under the destination's lock: the catalogue is asked once more; the ledger notes the
removals and forgets the copies, in one transaction; the objects are deleted; the ledger notes what became of each. So
a crash leaves at most objects that nobody believes in, and removals that the next prune finishes.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.manifests import write_manifests
from dataverse_backup.actions.possession import refuse_others
from dataverse_backup.actions.prune_plan import (
    Item,
    PrunePlan,
    Rules,
    Whereabouts,
    make_plan,
    moment_of,
    unsafe_keys,
    whereabouts,
)
from dataverse_backup.actions.reconcile_events import Amounts
from dataverse_backup.chunks import chunks
from dataverse_backup.destinations.base import Explainable, Failure, Staging
from dataverse_backup.destinations.prunable import Doomed, Fate, Prunable, Pruned
from dataverse_backup.errors import DestinationLost, LedgerError, LockHeld, PruneRefused, Unavailable
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.removals import PRUNE_VERB, Aside, Outcome
from dataverse_backup.ledger.rules import Counts
from dataverse_backup.logos import LogoAnswers
from dataverse_backup.logs import facts
from dataverse_backup.manifest import folder_of, no_notes_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.engine import Stop
    from dataverse_backup.errors import DataverseBackupError
    from dataverse_backup.ledger.base import Ledger, Lock, RunRecord
    from dataverse_backup.ledger.removals import Removal

log = logging.getLogger(__name__)

TOGETHER = 200
"""Objects that are noted, deleted and concluded together."""


@dataclass(frozen=True, slots=True)
class Stayed:
    """One object that was to be deleted and was not."""

    key: str
    why: str
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class Went:
    """So many objects more are deleted."""

    objects: int
    size: int


@dataclass(slots=True)
class PruneEnded:
    """What came of a plan."""

    destination: str
    name: str
    ending: Ending = Ending.OK
    removed: Amounts = field(default_factory=Amounts)
    stayed: Counter[str] = field(default_factory=Counter)
    """Objects by ``locked``, ``back`` (in the catalogue again) and ``failed``."""
    unfinished: int = 0
    """Removals of which nobody knows what became; the next prune finishes them."""
    troubles: list[DataverseBackupError] = field(default_factory=list)
    """Why it did not come to its end, and which manifests could not be written."""
    record: RunRecord | None = None


PruneEvent = Went | Stayed | PruneEnded


def plan_of(installation: Installation, site: Site, rules: Rules, made: datetime | None = None) -> PrunePlan:
    """What may be deleted at *site* now, or as of *made*; nothing is written down anywhere. Who asks for it closes it.

    Raises DestinationLost, PruneRefused where nothing can be deleted there, LedgerError, CatalogueError.
    """
    with site.open_destination(_staging(installation)) as destination:
        destination.connect()
        _checked(installation, destination)
        return make_plan(installation, destination, rules, made or datetime.now(UTC))


def prune(installation: Installation, site: Site, name: str, rules: Rules, stop: Stop) -> Iterator[PruneEvent]:
    """Carry out the plan of that *name*, if it is the same still.

    Raises PruneRefused, before anything is deleted, where it is not, where it would delete too much, and where nothing
    can be deleted at *site*. Raises LockHeld, LedgerError, CatalogueError, and DestinationLost at the start.
    """
    made = moment_of(name, datetime.now(UTC))
    with (
        installation.ledger.lock(site.name) as lock,
        site.open_destination(_staging(installation)) as destination,
    ):
        destination.connect()
        _checked(installation, destination)
        with make_plan(installation, destination, rules, made) as plan:
            _refuse_other(plan, name)
            yield from _Pruning(installation, destination, lock, stop, PruneEnded(site.name, name)).run(plan)


def _staging(installation: Installation) -> Staging:
    return Staging(installation.ledger.id, f"prune-{uuid.uuid4().hex}")  # nothing is staged there


def _checked(installation: Installation, destination: Destination) -> Prunable:
    """*destination*, if it is ours and copies can be deleted there."""
    if not isinstance(destination, Prunable):
        raise PruneRefused(f"{destination.name}: a destination of this kind deletes nothing", "delete there by hand")
    if not refuse_others(installation.ledger, destination):
        raise PruneRefused(f"{destination.name}: nothing was ever backed up to it")
    return destination


def _refuse_other(plan: PrunePlan, name: str) -> None:
    if plan.name != name:
        said = f"{plan.destination}: the plan {name} does not hold any more: something else would be deleted now"
        raise PruneRefused(said, "`dataverse-backup prune` shows what, and how that plan is called")
    if plan.is_too_much:
        said = f"{plan.destination}: the plan {name} would delete {plan.share:.1%} of the copies"
        raise PruneRefused(f"{said}, and {plan.rules.share:.1%} is allowed", "if that is meant: --share, or PruneShare")


class _Pruning:
    """One run, under its lock."""

    def __init__(
        self, installation: Installation, destination: Destination, lock: Lock, stop: Stop, ended: PruneEnded
    ) -> None:
        self._catalogue, self._ledger, self._stores = installation.catalogue, installation.ledger, installation.stores
        self._destination, self._lock, self._stop, self._ended = destination, lock, stop, ended
        self._run = ""
        self._folders: set[tuple[str, str]] = set()
        """Storage paths of datasets, and folders that are not theirs in which copies of them lay."""

    def run(self, plan: PrunePlan) -> Iterator[PruneEvent]:
        name = self._destination.name
        self._run = self._ledger.begin_run(PRUNE_VERB, name)
        try:
            yield from self._carried_out(plan)
        except (DestinationLost, LockHeld) as lost:
            self._ended.troubles.append(lost)
            self._ended.ending = Ending.FAILURES
        except BaseException:
            with suppress(LedgerError):
                self._ledger.end_run(self._run, "error")
            raise
        yield self._end()

    def _end(self) -> PruneEnded:
        ended = self._ended
        unfinished = self._ledger.removals(destination=self._destination.name, is_unfinished=True)
        ended.unfinished = sum(1 for _ in unfinished)
        if self._stop.is_set():
            ended.ending = Ending.INTERRUPTED
        elif ended.troubles or ended.unfinished or ended.stayed["failed"]:
            ended.ending = Ending.FAILURES
        counted = Counts(ended.removed.objects, ended.stayed["failed"] + ended.unfinished, 0)
        ended.record = self._ledger.end_run(self._run, ended.ending, counted)
        return ended

    def _carried_out(self, plan: PrunePlan) -> Iterator[PruneEvent]:
        for batch in chunks(plan.items(), TOGETHER):
            if self._stop.is_set():
                break
            yield from self._removed(batch)
        for left in chunks(self._ledger.removals(destination=self._destination.name, is_unfinished=True), TOGETHER):
            if self._stop.is_set():
                break
            yield from self._finished(left)
        self._ended.troubles += write_manifests(self._ledger, self._destination, self._stop)
        self._take_notes_away()

    def _take_notes_away(self) -> None:
        """Of folders besides those of the datasets, in which no copy is left."""
        if not isinstance(self._destination, Explainable):
            return
        for path, folder in sorted(self._folders):
            left = self._ledger.kept(destinations=[self._destination.name], storage_paths=[path])
            if not any(folder_of(kept) == folder for kept in left):
                failures = self._destination.write_notes(no_notes_in(folder))
                self._ended.troubles += [failure.error for failure in failures]

    def _removed(self, batch: Sequence[Item]) -> Iterator[PruneEvent]:
        """Note, delete, conclude."""
        self._lock.confirm()
        known = [item.kept for item in batch if item.kept is not None]
        found = whereabouts([kept.datafile for kept in known], self._catalogue, LogoAnswers(self._stores))
        copies = [kept for kept, there in zip(known, found, strict=True) if there is Whereabouts.GONE]
        aside = [Aside(item.key, item.size) for item in batch if item.kept is None]
        begun = self._ledger.begin_removals(self._run, self._destination.name, copies, aside)
        for kept in begun:
            path, folder = kept.datafile.dataset.storage_path, folder_of(kept)
            if folder and folder != "/".join(part for part in path.split("/") if part):
                self._folders.add((path, folder))
        doomed = [Doomed(kept.copy.key, kept.copy.size) for kept in begun] + [
            Doomed(one.key, one.size) for one in aside
        ]
        meant = {one.key for one in doomed}
        for item in batch:
            if item.key not in meant:
                self._ended.stayed["back"] += 1
                yield Stayed(item.key, "what it is of is there again, or another one has its key")
        yield from self._deleted(doomed)

    def _finished(self, left: Sequence[Removal]) -> Iterator[PruneEvent]:
        """Removals that an earlier run began, unless somebody has the key by now."""
        self._lock.confirm()
        name = self._destination.name
        taken = _taken(self._ledger, name, [one.key for one in left if one.datafile_id is not None])
        taken |= {one.key for one in left if one.datafile_id is None and unsafe_keys(self._ledger, name, [one.key])}
        self._ledger.end_removals(name, dict.fromkeys(taken, (Outcome.STAYS, "its key has a copy again")))
        yield from self._deleted(
            [Doomed(key, size) for key, size in {one.key: one.size for one in left}.items() if key not in taken]
        )

    def _deleted(self, doomed: Sequence[Doomed]) -> Iterator[PruneEvent]:
        if not doomed or not isinstance(self._destination, Prunable):
            return
        sizes = {one.key: one.size for one in doomed}
        outcomes: dict[str, tuple[Outcome, str]] = {}
        stayed: list[Stayed] = []
        try:
            for result in self._destination.prune(doomed):
                outcome = _outcome(result, stayed)
                if outcome is not None:
                    outcomes[result.key] = outcome
        finally:
            self._ledger.end_removals(self._destination.name, outcomes)
        went = [key for key, (outcome, _) in outcomes.items() if outcome is Outcome.REMOVED]
        for key in went:
            self._ended.removed.add(sizes[key])
            log.info("pruned", extra=facts(run=self._run, destination=self._destination.name, key=key))
        self._ended.stayed.update("locked" if one.is_locked else "failed" for one in stayed)
        yield Went(len(went), sum(sizes[key] for key in went))
        yield from stayed


def _outcome(result: Pruned | Failure, stayed: list[Stayed]) -> tuple[Outcome, str] | None:
    """What became of one object; None where nobody knows. What stays is added to *stayed*."""
    if isinstance(result, Failure):
        if isinstance(result.error, Unavailable):
            return None
        stayed.append(Stayed(result.key, result.error.message))
        return Outcome.STAYS, result.error.message
    if result.fate in (Fate.REMOVED, Fate.MISSING):
        return Outcome.REMOVED, "nothing lay there" if result.fate is Fate.MISSING else ""
    stayed.append(Stayed(result.key, result.said, is_locked=result.fate is Fate.LOCKED))
    return Outcome.STAYS, result.said


def _taken(ledger: Ledger, destination: str, keys: Sequence[str]) -> set[str]:
    """Those of *keys* under which a copy is known again, or that a datafile of the catalogue is to get."""
    holders = ledger.occupants(destination, sorted(set(keys)), folded=None)
    taken = set()
    for standing in ledger.standings(destination, sorted(set(holders.values()))):
        if standing.copy is not None:
            taken.add(standing.copy.key)
        if standing.key is not None and standing.status is not Status.GONE:
            taken.add(standing.key)
    return taken & set(keys)
