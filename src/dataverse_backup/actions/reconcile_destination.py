"""What lies at a destination, and what the ledger says that lies there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.inventory import Claim, Inventory
from dataverse_backup.actions.possession import refuse_others
from dataverse_backup.actions.reconcile_events import (
    BesideCopies,
    Finding,
    Place,
    Presence,
    Progress,
    Reconciled,
    Why,
)
from dataverse_backup.chunks import chunks
from dataverse_backup.destinations.base import (
    SUPERSEDED_PREFIX,
    Listable,
    Staging,
    is_note,
    is_own,
)
from dataverse_backup.errors import DestinationLost
from dataverse_backup.ledger.base import Status
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.actions.inventory import Lying
    from dataverse_backup.actions.reconcile_events import ReconcileEvent
    from dataverse_backup.actions.sites import Site
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.engine import Stop
    from dataverse_backup.ledger.base import Kept, Ledger

TOGETHER = 1_000
"""Objects, or copies, that are taken in together."""
ASKED_TOGETHER = 500
"""Copies that are asked for by their names together."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A copy that was not listed, or has another size there."""

    kept: Kept
    size: int | None
    """Of what was listed."""


class DestinationReconciliation:
    """Two readings of the ledger, and between them a listing of one destination."""

    def __init__(self, ledger: Ledger, site: Site, stop: Stop) -> None:
        """Look at *site* until *stop*."""
        self._ledger, self._site, self._stop = ledger, site, stop
        self._ended = Reconciled(Place(site.name, is_store=False))

    def run(self) -> Iterator[ReconcileEvent]:
        """Look, and say what is found."""
        staging = Staging(self._ledger.id, f"reconcile-{uuid.uuid4().hex}")  # nothing is staged there
        ended = self._ended
        try:
            with self._site.open_destination(staging) as destination:
                destination.connect()
                if refuse_others(self._ledger, destination):
                    yield from self._looked(destination)
        except DestinationLost as lost:
            ended.trouble, ended.ending = lost, Ending.LOST
        if self._stop.is_set():
            ended.ending = Ending.INTERRUPTED
        elif ended.trouble is None:
            ended.ending = ended.judged()
        yield ended

    def _looked(self, destination: Destination) -> Iterator[ReconcileEvent]:
        if not isinstance(destination, Listable):
            raise DestinationLost(f"{destination.name}: a destination of this kind cannot be listed")
        with Inventory() as inventory:
            missing = Spool[_Missing]()
            try:
                yield from self._read(inventory, None)
                yield from self._listed(destination, inventory)
                yield from self._read(inventory, missing)
                if not self._stop.is_set():
                    yield from self._told(destination, inventory, missing)
            finally:
                missing.close()

    def _told(self, destination: Destination, inventory: Inventory, missing: Spool[_Missing]) -> Iterator[Finding]:
        inventory.settle()
        ended = self._ended
        ended.listed.objects, ended.listed.size = inventory.total()
        ended.known.objects, ended.known.size = inventory.owned()
        for finding in self._lost(destination, missing):
            ended.add(finding)
            yield finding
        for lying in inventory.others():
            if self._stop.is_set():
                return
            finding = self._judged(inventory, lying)
            ended.add(finding)
            yield finding

    # What should be there

    def _read(self, inventory: Inventory, missing: Spool[_Missing] | None) -> Iterator[Progress]:
        """The first reading of the ledger; with *missing* the second one, which finds what is missing."""
        name = self._site.name
        for some in chunks(self._ledger.kept(destinations=[name]), TOGETHER):
            if self._stop.is_set():
                return
            for kept in some:
                self._take(inventory, kept, missing)
            yield Progress("the ledger" if missing is None else "the ledger once more", len(some), 0)
        for standing in self._ledger.standings(name):
            is_here = standing.status is not Status.GONE
            if is_here and standing.key is not None and (standing.copy is None or standing.copy.key != standing.key):
                inventory.claim(standing.key, Claim.MAYBE)
        for removal in self._ledger.removals(destination=name, is_unfinished=True):
            inventory.claim(removal.key, Claim.FORMER)

    def _take(self, inventory: Inventory, kept: Kept, missing: Spool[_Missing] | None) -> None:
        key, said = kept.copy.key, f"{kept.datafile.id} {kept.copy.size} {kept.copy.checksum}"
        was_said = None if missing is None else inventory.said(key)
        if was_said is None:
            inventory.claim(key, Claim.OWN)
        if missing is None:
            inventory.read(key, said)
            folder = "/".join(part for part in kept.datafile.dataset.storage_path.split("/") if part)
            inventory.know_dataset(f"{folder}/", kept.datafile.dataset.persistent_id)
        elif (size := inventory.size_of(key)) != kept.copy.size:
            if was_said == said:
                missing.append(_Missing(kept, size))
            else:
                self._ended.undecided += 1

    # What is there

    def _listed(self, destination: Listable, inventory: Inventory) -> Iterator[Progress]:
        for some in chunks(destination.entries(), TOGETHER):
            if self._stop.is_set():
                return
            inventory.take((entry.key, entry.size, None) for entry in some)
            yield Progress(self._site.name, len(some), sum(entry.size for entry in some))
        inventory.index()

    # What is lost

    def _lost(self, destination: Destination, missing: Spool[_Missing]) -> Iterator[Finding]:
        """Of what was not listed, that which the ledger still has as it was, and is not there when it is asked for."""
        for some in chunks(missing, ASKED_TOGETHER):
            if self._stop.is_set():
                return
            sizes = destination.sizes([one.kept.copy.key for one in some])
            ids = sorted({one.kept.datafile.id for one in some})
            standing = {its.copy.key: its.copy for its in self._ledger.standings(self._site.name, ids) if its.copy}
            for one in some:
                copy = one.kept.copy
                if standing.get(copy.key) != copy:
                    self._ended.undecided += 1
                elif (size := sizes.get(copy.key)) != copy.size:
                    yield self._lost_finding(one.kept, size)

    def _lost_finding(self, kept: Kept, size: int | None) -> Finding:
        file, copy = kept.datafile, kept.copy
        said = "nothing lies there" if size is None else f"{size} bytes lie there, and {copy.size} were proven"
        return Finding(
            self._ended.place,
            Presence.LOST,
            Why.MISSING if size is None else Why.SIZE_DIFFERS,
            copy.key,
            said,
            copy.size,
            file.dataset.persistent_id,
            file.id,
            f"{file.directory_label}/{file.label}" if file.directory_label else file.label,
        )

    # What is dark

    def _judged(self, inventory: Inventory, lying: Lying) -> Finding:
        """What is said of an object that is no copy that the ledger knows."""
        key = lying.name
        dataset = inventory.dataset_of(key) or ""
        if beside := _beside(inventory, key):
            why, said = beside
            return Finding(self._ended.place, Presence.BESIDE, why, key, said, lying.size, dataset)
        said = "the ledger knows no copy of that name"
        return Finding(self._ended.place, Presence.DARK, Why.NO_COPY, key, said, lying.size, dataset)


def _beside(inventory: Inventory, key: str) -> tuple[BesideCopies, str] | None:
    if key.startswith(f"{SUPERSEDED_PREFIX}/"):
        return BesideCopies.SUPERSEDED, "a copy of former content, moved aside"
    if is_note(key):
        return BesideCopies.NOTES, "explains the copies; written anew by each backup"
    if is_own(key):
        return BesideCopies.OWN, "of the backup itself"
    claimed = inventory.claimed(key)
    if claimed is None:
        return None
    if claimed[0] is Claim.FORMER:
        return BesideCopies.REMOVING, "what `prune` was deleting when it was broken off; the next one finishes that"
    return BesideCopies.UNPROVEN, "the place of a copy that is not proven: the next backup does that"
