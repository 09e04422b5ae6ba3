"""Whose a destination is (design, rule 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import DestinationRefused

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.ledger.base import Ledger


def take_possession(ledger: Ledger, destination: Destination) -> bool:
    """Make sure that *destination* is *ledger*'s; at first use, make it so, which is told.

    Raises DestinationRefused when its identity is another ledger's, or has gone since it was given: an unmounted disk,
    or somebody else's folder.
    """
    is_ours = refuse_others(ledger, destination)
    _take(ledger, destination, is_ours=is_ours)
    return not is_ours


def refuse_others(ledger: Ledger, destination: Destination) -> bool:
    """Whether *destination* carries the identity of *ledger*; False where it never had one. Writes nothing.

    Raises DestinationRefused as `take_possession` does.
    """
    identity = destination.read_identity()
    if identity is None:
        if not ledger.knows_destination(destination.name):
            return False
        identity = destination.read_identity()  # again: a run beside this one may have made it ours in between
    if identity == ledger.id:
        return True
    hint = f"once you are sure that it is the right place: `dataverse-backup accept {destination.name}`"
    if identity is None:
        said = "it carries no identity although it had one: is its disk mounted?"
    else:
        said = f"it belongs to another ledger ({identity[:36]!r}, ours is {ledger.id})"
    raise DestinationRefused(f"{destination.name}: {said}", hint)


def accept(ledger: Ledger, destination: Destination) -> int:
    """Make *destination* *ledger*'s, whosever it was; how many datafiles are in doubt by that.

    Where it did not carry our identity, nothing that was proven before may be there: the next run proves every copy
    where it lies, and sends what is missing.
    """
    return _take(ledger, destination, is_ours=destination.read_identity() == ledger.id)


def _take(ledger: Ledger, destination: Destination, *, is_ours: bool) -> int:
    doubted = 0
    if not is_ours:
        doubted = ledger.doubt(destination.name)  # first: whoever is killed now is still refused
        destination.write_identity(ledger.id)
    if not ledger.knows_destination(destination.name):
        ledger.claim_destination(destination.name)
    return doubted
