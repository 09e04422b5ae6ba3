"""`rebuild`: a new ledger from what a destination says of itself."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from dataverse_backup import assembly
from dataverse_backup.actions.possession import accept
from dataverse_backup.actions.rebuild import EXAMPLES, Rebuilt, rebuild
from dataverse_backup.cli.backing_up import chosen_destinations
from dataverse_backup.cli.exit_codes import ExitCode
from dataverse_backup.cli.terminal import out, plain, warn
from dataverse_backup.destinations.base import Staging
from dataverse_backup.errors import printable

if TYPE_CHECKING:
    from dataverse_backup.config import Settings
    from dataverse_backup.ledger.base import Ledger


def run(settings: Settings, name: str) -> ExitCode:
    """Rebuild the ledger from the destination called *name*, and make that this ledger's."""
    (name,) = chosen_destinations(settings, [name])
    with assembly.open_ledger(settings) as ledger, ledger.lock(name):
        rebuilt = read(settings, ledger, name, takes_over=True)
    out.print(plain(f"{name}: {rebuilt.noted:,} files noted from {rebuilt.manifests:,} manifests"))
    if rebuilt.known:
        out.print(plain(f"{rebuilt.known:,} files were known; nothing of theirs was changed"))
    out.print("no copy is believed before it was proven: the next backup proves each where it lies")
    return ExitCode.OK if rebuilt.is_well else ExitCode.FAILURES


def read(settings: Settings, ledger: Ledger, name: str, *, takes_over: bool) -> Rebuilt:
    """Note in *ledger* what lies at a destination, and say what does not fit."""
    with assembly.open_destination(settings, name)(Staging(ledger.id, f"rebuild-{uuid.uuid4().hex}")) as destination:
        destination.connect()
        rebuilt = rebuild(ledger, destination)
        if takes_over:
            accept(ledger, destination)
    _say_what_is_odd(rebuilt)
    return rebuilt


def _say_what_is_odd(rebuilt: Rebuilt) -> None:
    for complaint in rebuilt.complaints:
        warn(complaint)
    for key in rebuilt.missing[:EXAMPLES]:
        warn(f"{printable(key)}: a manifest names it, and it is not there, or has another size")
    if len(rebuilt.missing) > EXAMPLES:
        warn(f"{len(rebuilt.missing):,} files in all are not there, or have another size")
    if rebuilt.unnamed:
        some = ", ".join(rebuilt.unnamed_examples)
        hint = "they stay; the next backup proves those that it would put there, and adopts them"
        warn(f"{rebuilt.unnamed:,} objects are in no manifest: {some}", hint)
