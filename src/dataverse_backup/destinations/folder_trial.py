"""Finding out what a folder of this machine can do."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import ABANDONED_SECONDS, OWN_PREFIX, TRIAL_PREFIX, Traits, trial_folder
from dataverse_backup.fixity import Durability, VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.services.tree import Tree

NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""Nothing can be tried out there; reading still works, and writing says so by itself."""


def tried_out(tree: Tree) -> Traits:
    """What is seen of a file in a new folder, of which nothing is left. Raises OSError."""
    folds_case, durable, skew = False, Durability.YES, None
    folder = trial_folder(is_new=tree.status(OWN_PREFIX) is None)
    try:
        tree.make_folder(folder)
        os.close(tree.create(f"{folder}/a"))
        skew = _seconds_ahead(tree, f"{folder}/a")
        folds_case = tree.status(f"{folder}/A") is not None
        durable = Durability.YES if tree.sync(folder) else Durability.DATA_ONLY
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
    finally:
        with suppress(OSError):
            tree.remove_folder(folder)
            _clear_abandoned(tree)
    return Traits(folds_case, (VerifiedBy.READ_BACK,), durable, tree.free_bytes(), skew)


def _clear_abandoned(tree: Tree) -> None:
    for name in tree.entries(""):
        status = tree.status(name) if name.startswith(TRIAL_PREFIX) else None
        if status is not None and time.time() - status.st_mtime > ABANDONED_SECONDS:
            tree.remove_folder(name)


def _seconds_ahead(tree: Tree, key: str) -> float | None:
    status = tree.status(key)
    return status.st_mtime - time.time() if status else None
