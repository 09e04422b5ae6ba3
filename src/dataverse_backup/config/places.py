"""No two sections may speak of the same place: what counts as a copy there would be no further copy.

A datafile's key is its path below the folder of a file store (design, rule 8): in that folder every datafile would be
taken for its own copy, and the generated files of tabular ones moved aside for their originals (rule 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.config.stores import StoreSettings


def shared_places(
    stores: Mapping[str, StoreSettings], destinations: Mapping[str, DestinationSettings]
) -> dict[str, str]:
    """What is wrong with the place of a destination, by the name of the destination."""
    taken: dict[Hashable, str] = {
        store.place(): f"the folder of store {store_id}: a backup there would damage it"
        for store_id, store in stores.items()
        if store.place() is not None
    }
    wrong: dict[str, str] = {}
    for name, destination in destinations.items():
        place = destination.place()
        if place in taken:
            wrong[name] = taken[place]
        else:
            taken[place] = f"the place of destination {name} too: one copy would count as two"
    return wrong
