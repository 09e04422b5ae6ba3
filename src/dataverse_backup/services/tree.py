"""Files below one folder, by their keys, so that no symbolic link below it leads anywhere else."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""How file systems say that they have no hard links, or no more of them, or none for us."""

_NO_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}
"""How file systems say that folders cannot be synced."""


class Tree:
    """One folder, held open, so that a disk that is mounted over it or taken away cannot be mistaken for it.

    Keys have been checked (checked_path_key). Every part of a key is opened below the one before it and none may be a
    symbolic link; the whole path may be longer than PATH_MAX. Raises OSError.
    """

    def __init__(self, path: Path, file_mode: int, dir_mode: int) -> None:
        """Open the folder at *path*, itself perhaps a link; what is made below gets these modes, whatever the umask."""
        self._path = path
        self._file_mode, self._dir_mode = file_mode, dir_mode
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._held: dict[str, int] = {}

    def in_place(self) -> bool:
        """Whether the folder is still what its path leads to."""
        try:
            return os.path.samestat(os.fstat(self._root), os.stat(self._path))  # noqa: PTH116 -- beside fstat
        except OSError:
            return False

    @contextmanager
    def folder(self, key: str) -> Iterator[int]:
        """A descriptor of the folder *key*; ``''`` is the tree's own folder."""
        if (held := self._held.get(key)) is not None:
            yield held
            return
        descriptor = os.dup(self._root)
        try:
            for part in key.encode("utf-8", "surrogateescape").split(b"/") if key else ():
                below = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, key: str) -> Iterator[tuple[int, bytes]]:
        """A descriptor of the folder that *key* lies in, and its name there."""
        above, _, name = key.rpartition("/")
        with self.folder(above) as descriptor:
            yield descriptor, name.encode()

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Keep the folder *key*, which is there, open meanwhile: the way to it need not be gone for each of its files.

        Other threads may use the tree meanwhile, as long as they end before this does.
        """
        with self.folder(key) as descriptor:
            outer = self._held.get(key)
            self._held[key] = descriptor
            try:
                yield
            finally:
                if outer is None:
                    del self._held[key]

    def make_folder(self, key: str) -> None:
        """Make the folder *key* and those above it, unless they are there; syncing them is the caller's."""
        try:
            with self.folder(key):
                return
        except FileNotFoundError:
            self.make_folder(key.rpartition("/")[0])
        with self.parent(key) as (folder, name), suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            os.chmod(name, self._dir_mode, dir_fd=folder)

    def create(self, key: str) -> int:
        """A descriptor for writing of a new file, whose folder exists."""
        with self.parent(key) as (folder, name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, mode=0o600, dir_fd=folder)
        os.fchmod(descriptor, self._file_mode)
        return descriptor

    def reopen(self, key: str) -> int:
        """A descriptor for reading and writing of a regular file of ours, whatever its mode forbids."""
        descriptor = self.open(key)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        descriptor = self.open(key, os.O_RDWR)
        os.fchmod(descriptor, self._file_mode)
        return descriptor

    def open(self, key: str, access: int = os.O_RDONLY) -> int:
        """A descriptor for reading of a regular file, or with another *access* of ``os.open``."""
        with self.parent(key) as (folder, name):
            # O_NONBLOCK: a FIFO that somebody put there would wait for a writer for ever.
            flags = access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file")
        return descriptor

    def status(self, key: str) -> os.stat_result | None:
        """What lies under *key*, or None where nothing does."""
        try:
            with self.parent(key) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def file_size(self, key: str) -> int | None:
        """The size of the regular file *key*, or None where there is none."""
        status = self.status(key)
        return status.st_size if status and stat.S_ISREG(status.st_mode) else None

    def move(self, key: str, to: str) -> None:
        """Rename the file *key*, never onto anything: raises FileExistsError.

        A link and an unlink do that in any case; where there are no hard links the new name is looked at first, which
        is enough as long as nobody but us writes there.
        """
        if self._linked(key, to):
            with suppress(OSError):  # it stays a second name of the same bytes
                self.unlink(key)
        elif self.status(to) is None:
            self.replace(key, to)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def keep_as(self, key: str, to: str) -> None:
        """Let what lies under *key* lie under *to* too; where there are no hard links, only there.

        Raises FileExistsError rather than overwrite.
        """
        if not self._linked(key, to):
            self.move(key, to)

    def take_back(self, key: str, to: str) -> None:
        """Undo ``keep_as``: the object lies under *key*, and no longer under *to*."""
        left, kept = self.status(key), self.status(to)
        if left is None:
            self.move(to, key)
        elif kept and os.path.samestat(left, kept):
            self.unlink(to)

    def _linked(self, key: str, to: str) -> bool:
        try:
            with self.parent(key) as (source, name), self.parent(to) as (target, new_name):
                os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            raise
        return True

    def replace(self, key: str, to: str) -> None:
        """Rename the file *key*; what lies under *to* is gone."""
        with self.parent(key) as (source, name), self.parent(to) as (target, new_name):
            os.replace(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def unlink(self, key: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError, NotADirectoryError), self.parent(key) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def remove_folder(self, key: str) -> None:
        """Remove a folder and everything in it, if it is there; links are removed, never followed."""
        with suppress(FileNotFoundError), self.parent(key) as (folder, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)

    def remove_empty(self, key: str) -> None:
        """Remove a folder with nothing in it. Raises OSError where something is in it."""
        with self.parent(key) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def entries(self, key: str) -> list[str]:
        """The names in a folder; none where there is no folder."""
        try:
            with self.folder(key) as folder:
                return os.listdir(folder)  # noqa: PTH208 -- a descriptor, not a path
        except FileNotFoundError:
            return []

    def files(self, key: str) -> Iterator[tuple[str, int]]:
        """Every regular file below the folder *key*, with its size; none where there is no folder.

        A name that is not UTF-8 comes with lone surrogates.
        """
        left = [key]
        while left:
            above = left.pop()
            for name, status in self._statuses(above):
                path = f"{above}/{name}" if above else name
                if stat.S_ISDIR(status.st_mode):
                    left.append(path)
                elif stat.S_ISREG(status.st_mode):
                    yield path, status.st_size

    def _statuses(self, key: str) -> list[tuple[str, os.stat_result]]:
        """What lies in a folder; nothing where it has gone."""
        found = []
        try:
            with self.folder(key) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        name = os.fsencode(entry.name).decode("utf-8", "surrogateescape")
                        found.append((name, entry.stat(follow_symlinks=False)))
        except FileNotFoundError:
            return []
        return found

    def sync(self, key: str) -> bool:
        """Bring the names in a folder to the disk; False where the file system does not offer that."""
        try:
            with self.folder(key) as folder:
                os.fsync(folder)
        except OSError as error:
            if error.errno in _NO_SYNC:
                return False
            raise
        return True

    def free_bytes(self) -> int:
        """How many bytes an ordinary user may still write."""
        status = os.fstatvfs(self._root)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Give back the folder; may be called twice."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)
