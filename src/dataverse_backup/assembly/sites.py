"""What the verbs work with: what all destinations have in common, and each destination's own part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.actions.sites import Installation, KeptDumps, Site
from dataverse_backup.allowance import Limits
from dataverse_backup.assembly.databases import make_dumper
from dataverse_backup.assembly.destinations import make_destination, make_destination_for_worker
from dataverse_backup.assembly.readiness import prepare_workers
from dataverse_backup.assembly.stores import make_stores
from dataverse_backup.brake import Thresholds
from dataverse_backup.engine import Capacity
from dataverse_backup.errors import DestinationLost, WorkersLost
from dataverse_backup.generations import Retention
from dataverse_backup.transfer import Transfer
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.cluster.connection import Cluster
    from dataverse_backup.config import Settings
    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.stores.base import Store


def make_installation(
    settings: Settings, catalogue: Catalogue, ledger: Ledger, here: Iterable[str] = ()
) -> Installation:
    """What all destinations have in common; this machine's workers are for those called *here*.

    Raises ConfigurationError for a store that cannot be read.
    """
    make = partial(make_stores, settings.stores)
    return Installation(
        catalogue,
        ledger,
        make(),
        make,
        make_dumper(settings, settings.destinations),
        partial(prepare_workers, settings, tuple(here)),
    )


def make_site(settings: Settings, name: str, cluster: Cluster | None = None) -> Site:
    """Everything that a backup to the destination called *name* needs; *cluster* does the work, or this machine."""
    destination = settings.destinations[name]
    return Site(
        name=name,
        method=destination.storage_type,
        open_destination=partial(_reach, destination, cluster),
        make_transfer=partial(TransferFactory, destination),
        capacity=Capacity(destination.workers, destination.batch_files, destination.batch_bytes),
        limits=Limits(destination.max_duration, destination.max_bytes),
        thresholds=Thresholds(destination.brake_share, destination.brake_count),
        bandwidth=destination.bandwidth_limit,
        open_workers=processes if cluster is None else cluster.open_workers,
        dumps=_kept_dumps(destination) if destination.database_dump else None,
        in_workers=partial(make_destination_for_worker, destination),
    )


@dataclass(frozen=True)
class TransferFactory:
    """Makes the transfer to one destination in a worker process; picklable."""

    destination: DestinationSettings
    staging: Staging

    def __call__(self, stores: Mapping[str, Store]) -> Transfer:
        """Copies from *stores*."""
        destination = make_destination_for_worker(self.destination, self.staging)
        return Transfer(stores, destination, identity=self.staging.ledger_id)


def _kept_dumps(settings: DestinationSettings) -> KeptDumps:
    age = timedelta(seconds=settings.database_dump_keep_for)
    every = timedelta(seconds=settings.database_dump_every)
    return KeptDumps(Retention(settings.database_dump_keep, age), every)


def _reach(settings: DestinationSettings, cluster: Cluster | None, staging: Staging) -> Destination:
    """The destination; what nobody can work on is lost from the start, as one that does not answer is."""
    if cluster is not None:
        try:
            cluster.connect()
        except WorkersLost as lost:
            raise DestinationLost(f"{settings.name}: {lost.message}", lost.hint) from lost
    return make_destination(settings, staging)
