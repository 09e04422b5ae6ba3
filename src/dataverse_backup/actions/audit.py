"""Look whether the copies, or the primaries, are still what they were: read again, oldest proof first, and judge.

Each place is looked at under its lock, one after the other; audits of different destinations may run beside each other.
What was looked at is in the ledger batch by batch, so an audit that was stopped goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.actions.audit_copies import CopiesAudit
from dataverse_backup.actions.audit_primaries import PrimariesAudit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.actions.audit_events import AuditEvent, AuditRequest
    from dataverse_backup.actions.sites import Installation, Site
    from dataverse_backup.engine import Stop


def audit(
    installation: Installation,
    sites: Sequence[Site],
    request: AuditRequest,
    stop: Stop,
) -> Iterator[AuditEvent]:
    """Look at the copies at every site: what is planned, what is found as it is recorded, what came of it.

    Raises CatalogueError and LedgerError when the databases cannot be used; everything else is in the AuditEnded.
    """
    for site in sorted(sites, key=lambda site: site.name):
        yield from CopiesAudit(installation, site, request, stop).run()


def audit_primaries(
    installation: Installation,
    sites: Sequence[Site],
    request: AuditRequest,
    stop: Stop,
) -> Iterator[AuditEvent]:
    """Look at the primaries in every store; *sites* have the copies that are asked where one is not intact."""
    yield from PrimariesAudit(installation, sites, request, stop).run()
