"""No two sections may speak of the same place: what counts as a copy there would be no further copy.

A datafile's key is its path below the folder of a file store (design, rule 8): in that folder every datafile would be
taken for its own copy, and the generated files of tabular ones moved aside for their originals (rule 1).
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from dataverse_backup.config.destinations import FilesystemDestinationSettings
from dataverse_backup.config.stores import FileStoreSettings

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from dataverse_backup.config.destinations import SshDestinationSettings
    from dataverse_backup.config.stores import StoreSettings

    Destination = SshDestinationSettings | FilesystemDestinationSettings


def shared_places(stores: Mapping[str, StoreSettings], destinations: Mapping[str, Destination]) -> dict[str, str]:
    """What is wrong with the place of a destination, by the name of the destination.

    Folders of this machine are told apart as the system does it, through links and mounts. Two ways to one folder of
    a server are not seen.
    """
    taken: dict[Hashable, str] = {
        _folder(store.directory): f"the folder of store {store_id}: a backup there would damage it"
        for store_id, store in stores.items()
        if isinstance(store, FileStoreSettings)
    }
    wrong: dict[str, str] = {}
    for name, destination in destinations.items():
        place = _place(destination)
        if place in taken:
            wrong[name] = taken[place]
        else:
            taken[place] = f"the place of destination {name} too: one copy would count as two"
    return wrong


def _place(destination: Destination) -> Hashable:
    if isinstance(destination, FilesystemDestinationSettings):
        return _folder(destination.directory)
    folder = posixpath.normpath(destination.directory)
    return destination.host.lower(), destination.port, destination.username, folder


def _folder(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
