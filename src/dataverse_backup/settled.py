"""Whether there is anything to do for a datafile, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.claims import is_own_key
from dataverse_backup.datafile import MAIN, NotHere, fingerprint
from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from dataverse_backup.work import Why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.changes import Standings
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Standing
    from dataverse_backup.stores.base import Store


def not_here(row: Datafile | NotHere, stores: Mapping[str, Store]) -> NotHere | None:
    """*row* as one whose bytes cannot be had from any of *stores*; None where they can, or nobody knows its store."""
    if isinstance(row, NotHere):
        return row
    store = stores.get(row.store_id)
    excluded = store.excludes(row) if store is not None else _web_address(row)
    if excluded is None:
        return None
    reason, message = excluded
    return NotHere(
        row.id, reason, message, row.dataset.persistent_id, row.storageidentifier, row.label, row.created, row.mark
    )


def _web_address(datafile: Datafile) -> tuple[Reason, str] | None:
    """Harvested and imported rows may carry a web address where an identifier should be (facts 1.8)."""
    if datafile.store_id.lower() not in ("http", "https"):
        return None
    return Reason.REMOTE, "its storage identifier is a web address: its bytes are on another server"


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


def companions_gone(datafile: Datafile, standings: Standings) -> list[tuple[int, str]]:
    """Companions that the ledger knows and the catalogue does not have any more."""
    there = {MAIN, *(companion.tag for companion in datafile.companions)}
    known = (standing for tag, standing in standings.items() if tag not in there)
    return [(datafile.id, standing.tag) for standing in known if standing.status is not Status.GONE]


def why_of(standing: Standing | None) -> Why:
    """Why a datafile that is not settled is to be worked on."""
    if standing is None or standing.status in (Status.PENDING, Status.NOT_HERE, Status.GONE):
        return Why.NEW
    return Why.CHANGED if standing.status is Status.OK else Why.FAILED
