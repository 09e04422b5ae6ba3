"""Big objects that were broken off, in a folder of this machine."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import is_over
from dataverse_backup.destinations.partials import KEPT_SECONDS, is_partial_name, partials_prefix
from dataverse_backup.services.files import CHUNK, write_all

if TYPE_CHECKING:
    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.fixity import HashingReader
    from dataverse_backup.services.tree import Tree


class FolderPartials:
    """What the runs of one ledger have broken off below a tree. Raises OSError."""

    def __init__(self, tree: Tree, staging: Staging) -> None:
        self._tree, self._staging = tree, staging
        self._folder = partials_prefix(staging)

    def take(self, folder: str, name: str) -> int:
        """A descriptor of *name* in *folder*, for reading and writing: what was broken off, or new; nobody else's."""
        key = f"{folder}/{name}"
        if self._tree.status(key) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))  # twice in one batch
        try:
            self._tree.replace(f"{self._folder}/{name}", key)
        except FileNotFoundError:
            return self._tree.create(key)
        try:
            return self._tree.reopen(key)
        except OSError:  # not a file, or not ours to write to
            self._tree.remove_folder(key)
            return self._tree.create(key)

    def give_back(self, folder: str, name: str) -> None:
        """Keep what there is of *name* in the *folder* of an attempt, unless it is nothing at all."""
        if self._tree.file_size(f"{folder}/{name}"):
            self._tree.make_folder(self._folder)
            self._tree.replace(f"{folder}/{name}", f"{self._folder}/{name}")

    def give_back_all(self, folder: str) -> None:
        """Keep what there is of big objects in the *folder* of an attempt."""
        for name in filter(is_partial_name, self._tree.entries(folder)):
            self.give_back(folder, name)

    def sweep(self) -> None:
        """Remove what earlier runs left in staging, but for what may be continued."""
        ours = self._staging.ledger_prefix
        for run in self._tree.entries(ours):
            folder = f"{ours}/{run}"
            if folder not in (self._folder, self._staging.prefix) and is_over(run, self._modified(folder)):
                self._rescue(folder)
                self._tree.remove_folder(folder)
        self._remove_old()

    def _rescue(self, run: str) -> None:
        with suppress(OSError):  # then it is sent again
            for attempt in self._tree.entries(run):
                with suppress(NotADirectoryError):
                    self.give_back_all(f"{run}/{attempt}")

    def _remove_old(self) -> None:
        for name in self._tree.entries(self._folder):
            modified = self._modified(f"{self._folder}/{name}")
            if modified is not None and time.time() - modified > KEPT_SECONDS:
                self._tree.remove_folder(f"{self._folder}/{name}")

    def _modified(self, key: str) -> float | None:
        status = self._tree.status(key)
        return None if status is None else status.st_mtime


def continued(descriptor: int, reader: HashingReader) -> int:
    """Let the open file hold all of *reader*; how many bytes it held already, each of them compared."""
    length = min(os.fstat(descriptor).st_size, reader.size)
    agreed, data = 0, b""
    while agreed < length and (data := reader.read_unsent(min(CHUNK, length - agreed))):
        if os.pread(descriptor, len(data), agreed) != data:
            break
        agreed, data = agreed + len(data), b""
    os.ftruncate(descriptor, agreed)
    os.lseek(descriptor, agreed, os.SEEK_SET)
    write_all(descriptor, data)
    while data := reader.read(min(CHUNK, reader.size - reader.bytes_read)):
        write_all(descriptor, data)
    return agreed
