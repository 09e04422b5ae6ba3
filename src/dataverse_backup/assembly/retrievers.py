"""What brings copies back, and where to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.assembly.destinations import make_destination, open_folder
from dataverse_backup.assembly.stores import make_stores
from dataverse_backup.destinations.base import Staging
from dataverse_backup.retrieval import FolderTarget, RetrieverFactory, StoreTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from dataverse_backup.config import Settings
    from dataverse_backup.config.stores import StoreSettings
    from dataverse_backup.retrieval import Target


def make_retriever(
    settings: Settings, names: Iterable[str], make_target: Callable[[], Target], *, identity: str | None
) -> RetrieverFactory:
    """Makes what brings datafiles back from the destinations called *names*, which carry *identity*; picklable."""
    staging = Staging(identity or "reader", f"restore-{uuid.uuid4().hex}")  # nothing is staged there
    places = {name: partial(make_destination, settings.destinations[name], staging) for name in names}
    return RetrieverFactory(places, make_target, identity)


@dataclass(frozen=True)
class FolderTargetFactory:
    """Makes what brings datafiles into a folder; picklable."""

    folder: Path
    staging: Staging

    def __call__(self) -> FolderTarget:
        """With a connection of its own."""
        return FolderTarget(open_folder(self.folder, self.staging))


@dataclass(frozen=True)
class StoreTargetFactory:
    """Makes what puts datafiles back into the stores; picklable."""

    stores: Mapping[str, StoreSettings]

    def __call__(self) -> StoreTarget:
        """With connections of its own."""
        return StoreTarget(make_stores(self.stores))
