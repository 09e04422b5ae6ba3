"""What the objects of a store are, and which of them a datafile must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.actions.inventory import Claim
from dataverse_backup.actions.reconcile_events import Finding, Presence, Why
from dataverse_backup.datafile import TAB, Datafile
from dataverse_backup.errors import printable
from dataverse_backup.stores.listable import Beside, beside_datafiles, beside_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.actions.inventory import Inventory, Lying
    from dataverse_backup.actions.reconcile_events import Place

PACKAGE, ELSEWHERE = "package", "elsewhere"
"""What is noted with a name that may be there."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A datafile whose object was not listed."""

    datafile: Datafile
    why: Why
    names: tuple[str, ...]
    """Under one of which it should lie."""
    companion: Datafile | None = None
    """Where it is not the datafile's own object, but one beside it."""


def beside_of(inventory: Inventory, lying: Lying) -> Beside | None:
    """What it is, where it is in its place without being the object of a datafile."""
    name = lying.name
    if _is_known(inventory, name):
        return Beside.ELSEWHERE
    if name.endswith("/") and lying.size == 0:
        return Beside.FOLDER
    if by_itself := beside_dataset(name):
        return by_itself
    for main, kind in beside_datafiles(name):
        if _is_known(inventory, main):
            return kind
    folder = name
    while folder := folder.rpartition("/")[0]:
        if inventory.claimed(folder) == (Claim.MAYBE, PACKAGE):
            return Beside.PACKAGE
    return None


def _is_known(inventory: Inventory, name: str) -> bool:
    claimed = inventory.claimed(name)
    return claimed is not None and claimed[0] is not Claim.FORMER


def companions_of(row: Datafile) -> list[Datafile]:
    """What else must lie there: its main object too, where that is a companion, is looked at with it."""
    return [one for one in row.companions if one.tag != TAB]


def label_of(file: Datafile) -> str:
    """The name of *file*, with its folder."""
    return f"{file.directory_label}/{file.label}" if file.directory_label else file.label


def missing_of(inventory: Inventory, row: Datafile, names: Sequence[str], *, is_package: bool) -> Missing | None:
    """What was not listed of *row*; None where all was.

    Of an ingested file *names* are those of the original, the main object, and the oldest form of the original (1.7).
    """
    if is_package:
        return None if inventory.has_below(names[0]) else Missing(row, Why.MISSING, (names[0],))
    if not row.is_tabular and inventory.size_of(names[0]) is not None:
        return None
    there = [inventory.size_of(name) is not None for name in names]
    if not any(there):
        return Missing(row, Why.MISSING, tuple(names))
    if not row.is_tabular:
        return Missing(row, Why.MAIN_MISSING, (names[0],))
    original, main, *older = names
    if not any((there[0], *there[2:])):
        return Missing(row, Why.ORIGINAL_MISSING, (original, *older))
    return None if there[1] else Missing(row, Why.MAIN_MISSING, (main,))


def missing_beside(inventory: Inventory, row: Datafile, companion: Datafile, names: Sequence[str]) -> Missing | None:
    """*companion* of *row*, if it was not listed."""
    is_there = any(inventory.size_of(name) is not None for name in names)
    return None if is_there else Missing(row, Why.MISSING, tuple(names), companion)


_LOST = {
    Why.MISSING: "nothing lies there",
    Why.ORIGINAL_MISSING: "no original of this ingested file lies there; an audit says whether its main object is it",
    Why.MAIN_MISSING: "only what Dataverse calls the original lies there",
}


def lost_finding(place: Place, missing: Missing) -> Finding:
    """What is said of what is not there."""
    file = missing.companion or missing.datafile
    said = f"{_LOST[missing.why]} (store {printable(file.store_id)})" if "," in place.name else _LOST[missing.why]
    return Finding(
        place,
        Presence.LOST,
        missing.why,
        missing.names[0],
        said,
        file.size,
        file.dataset.persistent_id,
        file.id,
        label_of(file),
    )
