"""Compare what lies in the stores and at the destinations with what is known: what is dark, and what is lost.

Nothing is deleted, and nothing is written down but that there was a run, and what it came to. Files come and go
meanwhile, so what is known is read before the listing and once more after it: dark is what neither reading knows, lost
what both know alike and the listing lacks, and of that only what is not there either when it is asked for by its name.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import WELL, Ending
from dataverse_backup.actions.reconcile_destination import DestinationReconciliation
from dataverse_backup.actions.reconcile_events import Finding, Presence, Reconciled, ReconcileEnded
from dataverse_backup.actions.reconcile_stores import StoresReconciliation
from dataverse_backup.errors import LedgerError
from dataverse_backup.ledger.audits import PRIMARY
from dataverse_backup.ledger.base import RECONCILE_VERB
from dataverse_backup.ledger.rules import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.actions.reconcile_events import ReconcileEvent
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.engine import Stop
    from dataverse_backup.ledger.base import Ledger

MOST_KEPT = 50
"""So many lost objects are told once more in the end."""


def reconcile_stores(installation: Installation, stop: Stop) -> Iterator[ReconcileEvent]:
    """Look at every store that is read and can be listed, at all of them with the same two readings of the catalogue.

    Raises CatalogueError, LedgerError and NoWorkSpace; what is wrong with a store is in its Reconciled.
    """
    yield from _recorded(installation.ledger, PRIMARY, StoresReconciliation(installation, stop).run())


def reconcile_destinations(installation: Installation, sites: Sequence[Site], stop: Stop) -> Iterator[ReconcileEvent]:
    """Look at the destinations, one after the other. Raises LedgerError and NoWorkSpace."""
    for site in sorted(sites, key=lambda site: site.name):
        events = DestinationReconciliation(installation.ledger, site, stop).run()
        yield from _recorded(installation.ledger, site.name, events)


def _recorded(ledger: Ledger, place: str, events: Iterable[ReconcileEvent]) -> Iterator[ReconcileEvent]:
    """*events*, and in the end what came of them, as a run of the ledger. Raises LedgerError."""
    run = ledger.begin_run(RECONCILE_VERB, place)
    parts: list[Reconciled] = []
    lost: list[Finding] = []
    try:
        for event in events:
            if isinstance(event, Reconciled):
                parts.append(event)
            elif isinstance(event, Finding) and event.presence is Presence.LOST and len(lost) < MOST_KEPT:
                lost.append(event)
            yield event
    except BaseException:
        with suppress(LedgerError):
            ledger.end_run(run, "error")
        raise
    missing = sum(part.of(Presence.LOST).objects for part in parts)
    there = sum(part.known.objects for part in parts)
    troubles = "\n".join(str(part.trouble) for part in parts if part.trouble is not None)
    record = ledger.end_run(run, _ending(parts), Counts(there, missing, 0), message=troubles)
    yield ReconcileEnded(place, tuple(parts), record, tuple(lost))


def _ending(parts: Sequence[Reconciled]) -> Ending:
    """The worst one; that some could not be looked at, where others could."""
    endings = {part.ending for part in parts}
    for worst in (Ending.DAMAGE, Ending.INTERRUPTED):
        if worst in endings:
            return worst
    if endings <= WELL:
        return Ending.OK
    return endings.pop() if len(endings) == 1 else Ending.FAILURES
