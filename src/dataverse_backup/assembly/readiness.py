"""What worker processes will need, imported while there is something else to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.workers import get_ready

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataverse_backup.config import Settings


def prepare_workers(settings: Settings, names: Iterable[str], scheduler: str | None = None) -> None:
    """Have this machine get ready for workers that read any store, and reach the destinations called *names*.

    It does no work for those that have a *scheduler*.
    """
    its_own = [
        settings.destinations[name] for name in names if not (scheduler or settings.destinations[name].scheduler)
    ]
    if destinations := {destination.storage_type for destination in its_own}:
        get_ready(modules_for(destinations, {store.type for store in settings.stores.values()}))


def modules_for(destinations: Iterable[str], stores: Iterable[str]) -> list[str]:
    """What workers import, by the types of *destinations* and *stores*; what is not there says so when it is used."""
    kinds = {f"destinations.{kind}" for kind in destinations} | {f"stores.{kind}" for kind in stores}
    return [f"dataverse_backup.{module}" for module in ("joint", "assembly", *sorted(kinds))]
