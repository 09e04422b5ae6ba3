"""What worker processes will need, imported while there is something else to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.assembly.destinations import module_of
from dataverse_backup.workers import get_ready

if TYPE_CHECKING:
    from collections.abc import Collection

    from dataverse_backup.config import Settings


def prepare_workers(settings: Settings, names: Collection[str], *, to_restore: bool = False) -> None:
    """Have this machine get ready for workers that read any store, and reach the destinations called *names*.

    It waits for nothing. It is for when there will be something to do: a fork server that nobody needs takes a third of
    the processor time of a run without work, and of its memory.
    """
    if names:
        get_ready(modules_for(settings, names, to_restore=to_restore))


def modules_for(settings: Settings, names: Collection[str], *, to_restore: bool = False) -> list[str]:
    """What workers import for the destinations called *names*; what is not there says so when it is used."""
    kinds = {module_of(settings.destinations[name], for_worker=not to_restore) for name in names}
    kinds |= {f"dataverse_backup.stores.{store.type}" for store in settings.stores.values()}
    return ["dataverse_backup.joint", "dataverse_backup.assembly", *sorted(kinds)]
