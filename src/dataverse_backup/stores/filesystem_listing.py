"""Everything in a store of type ``file``."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dataverse_backup.stores.listable import StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    Folder = tuple[int, int]
    """Device and inode of a folder."""

_NOT_OF_THE_STORE = (b"lost+found", b".snapshot", b".zfs")
"""What file systems keep at their root, and nobody else may read, or which has everything once more."""


class FileListing:
    """Walks a directory; links are followed, as they are where an object is opened."""

    def __init__(self, directory: bytes) -> None:
        """List what lies below *directory*."""
        self._directory = directory

    def entries(self) -> Iterator[StoredObject]:
        """Every file. Raises OSError where a folder cannot be read."""
        status = os.stat(self._directory)  # noqa: PTH116 -- paths are bytes here
        left: list[tuple[bytes, tuple[Folder, ...]]] = [(b"", (_identity(status),))]
        while left:
            folder, above = left.pop()
            for name, found in self._statuses(folder):
                path = folder + b"/" + name if folder else name
                if stat.S_ISREG(found.st_mode):
                    modified = datetime.fromtimestamp(found.st_mtime, UTC)
                    yield StoredObject(path.decode("utf-8", "surrogateescape"), found.st_size, modified)
                elif stat.S_ISDIR(found.st_mode) and _identity(found) not in above:
                    left.append((path, (*above, _identity(found))))

    def _statuses(self, folder: bytes) -> list[tuple[bytes, os.stat_result]]:
        """What lies in a folder, as far as it leads to something; nothing where the folder has gone meanwhile."""
        found = []
        with suppress(FileNotFoundError), os.scandir(os.path.join(self._directory, folder)) as entries:  # noqa: PTH118
            for entry in entries:
                if folder or entry.name not in _NOT_OF_THE_STORE:
                    with suppress(FileNotFoundError, NotADirectoryError):
                        found.append((entry.name, self._status(entry)))
        return found

    @staticmethod
    def _status(entry: os.DirEntry[bytes]) -> os.stat_result:
        """Of what it leads to; of itself where that is a loop of links."""
        try:
            return entry.stat()
        except OSError:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                return status
            raise


def _identity(status: os.stat_result) -> Folder:
    return status.st_dev, status.st_ino
