"""What worker processes will need, imported while there is something else to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.workers import get_ready

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from dataverse_backup.config import Settings


def prepare_workers(settings: Settings, names: Collection[str]) -> None:
    """Have this machine get ready for workers that read any store, and reach the destinations called *names*.

    It waits for nothing. It is for when there will be something to do: a fork server that nobody needs takes a third of
    the processor time of a run without work, and of its memory.
    """
    if names:
        destinations = {settings.destinations[name].storage_type for name in names}
        get_ready(modules_for(destinations, {store.type for store in settings.stores.values()}))


def modules_for(destinations: Iterable[str], stores: Iterable[str]) -> list[str]:
    """What workers import, by the types of *destinations* and *stores*; what is not there says so when it is used."""
    kinds = {f"destinations.{kind}" for kind in destinations} | {f"stores.{kind}" for kind in stores}
    return [f"dataverse_backup.{module}" for module in ("joint", "assembly", *sorted(kinds))]
