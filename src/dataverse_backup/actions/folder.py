"""A folder that datafiles are restored to."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import IDENTITY_KEY, OWN_PREFIX, SCRATCH_PREFIX, STAGING_PREFIX, Staging
from dataverse_backup.errors import LockHeld, RestoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGED_BY = "restore"
"""What stands for a ledger in the names of what is not yet whole."""

_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP}
"""How file systems say that folders cannot be locked there."""


@contextmanager
def claimed(folder: Path, run: str) -> Iterator[Staging]:
    """Make *folder*, keep other restores out of it, and clear what killed ones left there; where *run* stages.

    Raises RestoreError where it cannot be made or is a destination of a backup, LockHeld while another one is at it.
    """
    descriptor = _opened(folder)
    try:
        is_locked = _lock(folder, descriptor)
        if (folder / IDENTITY_KEY).exists():
            raise RestoreError(f"{folder} is a destination of a backup", "restore to a folder of its own")
        if is_locked:
            shutil.rmtree(folder / STAGING_PREFIX / STAGED_BY, ignore_errors=True)
        try:
            yield Staging(STAGED_BY, run)
        finally:
            _clear(folder, run)
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileExistsError as error:
        raise RestoreError(f"{folder} is not a folder", "name a folder that is empty, or does not exist yet") from error
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise RestoreError(f"{folder} cannot be made or opened: {said}", "look at owner and mode of it") from error


def _lock(folder: Path, descriptor: int) -> bool:
    """Hold *folder* for as long as its descriptor is open; False where its file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LockHeld(f"another restore works in {folder}", "wait until it has ended") from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _clear(folder: Path, run: str) -> None:
    """Leave nothing of our own behind."""
    shutil.rmtree(folder / STAGING_PREFIX / STAGED_BY / run, ignore_errors=True)
    for key in (f"{STAGING_PREFIX}/{STAGED_BY}", STAGING_PREFIX, SCRATCH_PREFIX, OWN_PREFIX):
        with suppress(OSError):  # not empty: another restore's, or somebody's
            (folder / key).rmdir()


def free_bytes(folder: Path) -> int | None:
    """What an ordinary user may still write there, or where it would be made; None where nobody can tell."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None
