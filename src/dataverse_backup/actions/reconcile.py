"""Compare what lies in the stores and at the destinations with what is known: what is dark, and what is lost.

Nothing is deleted, and nothing is written down. Files come and go meanwhile, so what is known is read before the
listing and once more after it: dark is what neither reading knows, lost what both know alike and the listing lacks, and
of that only what is not there either when it is asked for by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.actions.reconcile_destination import DestinationReconciliation
from dataverse_backup.actions.reconcile_stores import StoresReconciliation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.reconcile_events import ReconcileEvent
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.engine import Stop


def reconcile_stores(installation: Installation, stop: Stop) -> Iterator[ReconcileEvent]:
    """Look at every store that is read and can be listed, at all of them with the same two readings of the catalogue.

    Raises CatalogueError, LedgerError and NoWorkSpace; what is wrong with a store is in its Reconciled.
    """
    yield from StoresReconciliation(installation, stop).run()


def reconcile_destinations(installation: Installation, sites: Sequence[Site], stop: Stop) -> Iterator[ReconcileEvent]:
    """Look at the destinations, one after the other. Raises LedgerError and NoWorkSpace."""
    for site in sorted(sites, key=lambda site: site.name):
        yield from DestinationReconciliation(installation.ledger, site, stop).run()
