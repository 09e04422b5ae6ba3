"""Deleting copies in a folder of this machine."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from dataverse_backup.destinations.attempt import folders_above
from dataverse_backup.destinations.prunable import Doomed, Fate, Pruned

if TYPE_CHECKING:
    from dataverse_backup.services.tree import Tree


def removed(tree: Tree, one: Doomed) -> Pruned:
    """Delete one file, and the folders that it leaves empty. Raises OSError."""
    status = tree.status(one.key)
    if status is None:
        return Pruned(one.key, Fate.MISSING)
    if not stat.S_ISREG(status.st_mode):
        return Pruned(one.key, Fate.DIFFERS, "it is not a file")
    if status.st_size != one.size:
        return Pruned(one.key, Fate.DIFFERS, f"it has {status.st_size} bytes, not {one.size}")
    tree.unlink(one.key)
    *folders, root = folders_above(one.key)
    for folder in folders:
        tree.sync(folder)
        try:
            tree.remove_empty(folder)
        except OSError:
            return Pruned(one.key, Fate.REMOVED)
    tree.sync(root)
    return Pruned(one.key, Fate.REMOVED)
