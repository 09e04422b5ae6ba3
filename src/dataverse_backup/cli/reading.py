"""The ledger, for commands that only answer: they make nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.cli.terminal import warn
from dataverse_backup.errors import RestoreError

if TYPE_CHECKING:
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger


def ledger_to_read(settings: Settings) -> Ledger:
    """The ledger; before the first run an empty one, and a warning that says so. Raises LedgerError."""
    found = assembly.find_ledger(settings)
    if found is not None:
        return found
    place = settings.ledger_url.render_as_string(hide_password=True)
    warn(f"there is no ledger yet at {place}", "the first `dataverse-backup backup` makes it")
    return assembly.empty_ledger()


def known_ledger(settings: Settings) -> Ledger:
    """The ledger, for what can do nothing without one. Raises LedgerError, and RestoreError where there is none."""
    found = assembly.find_ledger(settings)
    if found is None:
        place = settings.ledger_url.render_as_string(hide_password=True)
        raise RestoreError(
            f"there is no ledger at {place}",
            "look at [Database] BackupDatabase; where the ledger is lost, `restore --from-manifests` asks the"
            " destinations, and `rebuild` makes it anew",
        )
    return found
