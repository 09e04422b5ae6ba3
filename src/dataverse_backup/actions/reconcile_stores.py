"""What lies in the stores, and what should."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ending
from dataverse_backup.actions.inventory import Claim, Inventory
from dataverse_backup.actions.reconcile_events import Finding, Place, Presence, Progress, Reconciled, Why
from dataverse_backup.actions.reconcile_objects import (
    ELSEWHERE,
    PACKAGE,
    Missing,
    beside_of,
    companions_of,
    label_of,
    lost_finding,
    missing_beside,
    missing_of,
)
from dataverse_backup.chunks import chunks
from dataverse_backup.datafile import Datafile, fingerprint
from dataverse_backup.errors import ObjectError, Reason, SourceError, SourceMissing, StoreLost
from dataverse_backup.stores.listable import SAID, Beside, ListableStore
from dataverse_backup.work import Spool

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from dataverse_backup.actions.inventory import Lying
    from dataverse_backup.actions.reconcile_events import ReconcileEvent
    from dataverse_backup.actions.sites import Installation
    from dataverse_backup.datafile import NotHere
    from dataverse_backup.engine import Stop
    from dataverse_backup.stores.base import Store

TOGETHER = 1_000
"""Objects, or rows, that are taken in together."""
ASKED_TOGETHER = 200
"""Rows that are read again together."""
RECENT = timedelta(days=1)
"""An object that is younger may be an upload whose row is not there yet: browsers upload first (facts 1.6)."""


@dataclass(slots=True)
class _Group:
    """Stores that have the same objects."""

    stores: list[Store]
    inventory: Inventory
    ended: Reconciled
    missing: Spool[Missing]
    others: tuple[str, ...] = ()
    """What the names of objects begin with that are of other stores, which lie in the same directory."""
    datafiles: int = 0
    """How many datafiles the first reading found in it."""

    @property
    def place(self) -> Place:
        return self.ended.place

    def lose(self, lost: StoreLost) -> None:
        """Nothing more is said of it; where nothing should lie there it may be empty, or not there."""
        self.ended.trouble, self.ended.ending = lost, Ending.LOST if self.datafiles else Ending.OK


class StoresReconciliation:
    """Two readings of the catalogue, and between them a listing of each store."""

    def __init__(self, installation: Installation, stop: Stop) -> None:
        """Look at the stores of *installation* until *stop*."""
        self._catalogue, self._stores = installation.catalogue, installation.stores
        self._ledger = installation.ledger
        self._stop = stop
        self._groups: dict[Hashable, _Group] = {}
        self._group_of: dict[str, _Group] = {}
        self._began = datetime.now(UTC)
        self._unknown: Counter[str] = Counter()
        self._unlistable: Counter[str] = Counter()
        """Stores that are read and cannot be listed, with how many datafiles they have."""

    def run(self) -> Iterator[ReconcileEvent]:
        """Look, and say what is found."""
        with ExitStack() as held:
            self._gather(held)
            yield from self._looked()
            if self._groups:
                next(iter(self._groups.values())).ended.unknown_stores = self._unknown
            for group in self._groups.values():
                if self._stop.is_set():
                    group.ended.ending = Ending.INTERRUPTED
                elif group.ended.trouble is None:
                    group.ended.ending = group.ended.judged()
                yield group.ended
            for store_id, files in sorted(self._unlistable.items()):
                said = f"{store_id}: stores of this kind cannot be listed; {files:,} datafiles are in it"
                yield Reconciled(Place(store_id, is_store=True), Ending.LOST, trouble=StoreLost(said))

    def _gather(self, held: ExitStack) -> None:
        """Which stores are looked at, and which of them have the same objects."""
        names: dict[Hashable, list[Store]] = {}
        for _, store in sorted(self._stores.items()):
            if isinstance(store, ListableStore):
                names.setdefault(store.place, []).append(store)
        for place, stores in names.items():
            inventory, missing = held.enter_context(Inventory()), Spool[Missing]()
            held.callback(missing.close)
            ended = Reconciled(Place(", ".join(store.id for store in stores), is_store=True))
            self._groups[place] = group = _Group(stores, inventory, ended, missing)
            self._group_of |= {store.id: group for store in stores}
        for group in self._groups.values():
            group.others = tuple(self._folders_in(group.stores[0]))

    def _folders_in(self, store: Store) -> Iterator[str]:
        """Where in *store* other stores lie."""
        listed = [one for group in self._groups.values() if isinstance(one := group.stores[0], ListableStore)]
        folders = (one.folder_in(store) for one in listed if isinstance(store, ListableStore) and one is not store)
        return filter(None, folders)

    def _looked(self) -> Iterator[ReconcileEvent]:
        yield from self._read(is_first=True)
        for group in self._groups.values():
            yield from self._listed(group)
        yield from self._read(is_first=False)
        self._remember_gone()
        for group in self._groups.values():
            if group.ended.trouble is None and not self._stop.is_set():
                group.inventory.settle()
                yield from self._told(group)

    def _told(self, group: _Group) -> Iterator[Finding]:
        ended, inventory = group.ended, group.inventory
        ended.listed.objects, ended.listed.size = inventory.total()
        ended.known.objects, ended.known.size = inventory.owned()
        try:
            for finding in self._lost(group):
                ended.add(finding)
                yield finding
        except StoreLost as lost:
            group.lose(lost)
            return
        for lying in inventory.others():
            if self._stop.is_set():
                return
            finding = self._judged(group, lying)
            ended.add(finding)
            yield finding

    # What should be there

    def _read(self, *, is_first: bool) -> Iterator[Progress]:
        """One reading of the catalogue."""
        with self._catalogue.snapshot() as snapshot:
            for rows in chunks(snapshot.rows(), TOGETHER):
                if self._stop.is_set():
                    return
                for row in rows:
                    self._take(row, is_first=is_first)
                yield Progress("the catalogue" if is_first else "the catalogue once more", len(rows), 0)

    def _take(self, row: Datafile | NotHere, *, is_first: bool) -> None:
        if not isinstance(row, Datafile):
            return
        store, group = self._stores.get(row.store_id), self._group_of.get(row.store_id)
        excluded = None if store is None else store.excludes(row)
        if store is None or group is None or (excluded is not None and excluded[0] is not Reason.PACKAGE):
            if store is not None and excluded is None:
                self._unlistable[store.id] += is_first
            self._expect_elsewhere(row, is_first=is_first)
        elif group.ended.trouble is None:
            try:
                self._compare(group, store, row, is_first=is_first, is_package=excluded is not None)
            except ObjectError:  # its identifier names nothing that could be there
                group.ended.undecided += not is_first

    def _compare(self, group: _Group, store: Store, row: Datafile, *, is_first: bool, is_package: bool) -> None:
        """Claim what must be there of *row*; at the second reading note what of it was not listed."""
        names = store.names(row)
        beside = [(one, store.names(one)) for one in companions_of(row)]
        is_known = not is_first and group.inventory.said(row.id) == fingerprint(row)
        if not is_known:
            self._claim(group, store, row, names, is_package=is_package)
            for name in (name for _, its in beside for name in its):
                group.inventory.claim(name, Claim.OWN)
        if is_first:
            group.datafiles += 1
            group.inventory.read(row.id, fingerprint(row))
            return
        missing = [missing_of(group.inventory, row, names, is_package=is_package)]
        missing += [missing_beside(group.inventory, row, one, its) for one, its in beside]
        for one in filter(None, missing):
            if is_known:
                group.missing.append(one)
            else:
                group.ended.undecided += 1

    @staticmethod
    def _claim(group: _Group, store: Store, row: Datafile, names: Sequence[str], *, is_package: bool) -> None:
        for name in names:
            group.inventory.claim(name, Claim.MAYBE if is_package else Claim.OWN, PACKAGE if is_package else "")
        main, own = names[1] if row.is_tabular else names[0], store.object_name(row)
        if main.endswith(own) and main != own:
            group.inventory.know_dataset(main.removesuffix(own), row.dataset.persistent_id)

    def _expect_elsewhere(self, row: Datafile, *, is_first: bool) -> None:
        """Its bytes are not read from a store; what Dataverse keeps of it may lie in any (facts 2.6, 2.7)."""
        if is_first and row.store_id not in self._stores and row.store_id.lower() not in ("http", "https"):
            self._unknown[row.store_id] += 1
        base = replace(row, storageidentifier=row.location.partition("//")[0], is_tabular=False)
        for group in self._groups.values():
            try:
                group.inventory.claim(group.stores[0].names(base)[0], Claim.MAYBE, ELSEWHERE)
            except ObjectError:
                continue

    def _remember_gone(self) -> None:
        """What objects were called whose datafiles left the catalogue, as far as the ledger has their copies."""
        for destination in self._ledger.destinations():
            for gone in self._ledger.gone(destination, self._began):
                file = gone.kept.datafile
                group = self._group_of.get(file.store_id)
                if group is None or self._stop.is_set():
                    continue
                with suppress(ObjectError):
                    for name in self._stores[file.store_id].names(file):
                        told = f"datafile {file.id}, {label_of(file)}, had it until it left the catalogue"
                        group.inventory.claim(name, Claim.FORMER, f"{told} ({gone.since:%Y-%m-%d} or before)")

    # What is there

    def _listed(self, group: _Group) -> Iterator[Progress]:
        store = group.stores[0]
        if not isinstance(store, ListableStore):
            raise TypeError(f"{store.id} cannot be listed")
        try:
            its_own = (one for one in store.entries() if not one.name.startswith(group.others))
            for some in chunks(its_own, TOGETHER):
                if self._stop.is_set():
                    return
                group.inventory.take(
                    (one.name, one.size, one.modified.timestamp() if one.modified else None) for one in some
                )
                yield Progress(str(group.place), len(some), sum(one.size for one in some))
        except StoreLost as lost:
            group.lose(lost)
        group.inventory.index()

    # What is lost

    def _lost(self, group: _Group) -> Iterator[Finding]:
        """Of what was not listed, that which is still wanted as it was, and is not there when it is asked for."""
        for some in chunks(group.missing, ASKED_TOGETHER):
            if self._stop.is_set():
                return
            rows = self._catalogue.read([missing.datafile.id for missing in some])
            for missing in some:
                row = rows.get(missing.datafile.id)
                if row is None or fingerprint(row) != fingerprint(missing.datafile):
                    group.ended.undecided += 1
                elif self._is_lost(group, missing):
                    yield lost_finding(group.place, missing)

    def _is_lost(self, group: _Group, missing: Missing) -> bool:
        store = self._stores[missing.datafile.store_id]
        for name in missing.names:
            try:
                store.open(name).close()
            except SourceMissing:
                continue
            except SourceError:
                group.ended.undecided += 1
            return False
        return True

    # What is dark

    def _judged(self, group: _Group, lying: Lying) -> Finding:
        """What is said of an object that is not what a datafile is called."""
        name, inventory = lying.name, group.inventory
        modified = None if lying.modified is None else datetime.fromtimestamp(lying.modified, UTC)
        dataset = inventory.dataset_of(name)
        beside = beside_of(inventory, lying)
        if beside is None and modified is not None and modified > self._began - RECENT:
            beside = Beside.RECENT
        claimed = inventory.claimed(name)
        if beside is None and claimed is not None:
            presence, why, said = Presence.DARK, str(Why.LEFT_CATALOGUE), claimed[1]
        elif beside is not None:
            presence, why, said = Presence.BESIDE, str(beside), SAID[beside]
        elif dataset is not None:
            presence, why, said = Presence.DARK, str(Why.NO_DATAFILE), "no datafile of its dataset is called so"
        else:
            presence, why, said = Presence.DARK, str(Why.NO_DATASET), "no dataset that has datafiles lies there"
        return Finding(group.place, presence, why, name, said, lying.size, dataset or "", modified=modified)
