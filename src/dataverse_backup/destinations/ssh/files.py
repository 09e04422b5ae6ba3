"""The root's files over SFTP: each operation on one of them, and many of those in flight at once."""

from __future__ import annotations

import asyncio
import posixpath
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, object_error
from dataverse_backup.errors import CopyError, CopyFailed, CopyRefused, KeyOccupied, NoSpace
from dataverse_backup.fixity import Checksum

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from dataverse_backup.destinations.ssh.paths import Paths
    from dataverse_backup.fixity import Algorithm
    from dataverse_backup.outflow import Pace

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_ERRORS_OF_ONE: tuple[type[Exception], ...] = (CopyError, *VENDOR_ERRORS)
IN_FLIGHT = 64
"""How many operations on different files are asked for before the first one is answered."""
_READ_CHUNK = 4 * 1024 * 1024
_NEARLY_NOTHING = 64 * 1024  # free bytes: SFTP says no more than "failure" where a disk is full
_TEXT_BYTES = 4096
_READ_ONLY = 1  # SSH_FXE_STATVFS_ST_RDONLY of OpenSSH's PROTOCOL


@dataclass(slots=True)
class RemoteFiles:
    """Files below a root. Every method but ``path`` runs in the event loop's thread."""

    paths: Paths
    sftp: asyncssh.SFTPClient
    file_mode: int
    dir_mode: int
    can_fsync: bool = True
    rename_overwrites: bool = True
    """Whether a plain rename takes a name away from what has it; OpenSSH's does not."""
    _known_directories: set[bytes] = field(default_factory=set)
    _has_umask: bool | None = None

    @property
    def place(self) -> str:
        """The name of the destination."""
        return self.paths.place

    @property
    def root(self) -> bytes:
        """The absolute path of the root."""
        return self.paths.root

    def path(self, key: str) -> bytes:
        """Where *key* lies. Raises KeyRefused."""
        return self.paths.path(key)

    def takes(self, key: str) -> bool:
        """Whether there is a `path` for *key*."""
        return self.paths.takes(key)

    async def exists(self, path: bytes) -> bool:
        """Whether anything at all lies under *path*."""
        return await self.attributes(path) is not None

    async def attributes(self, path: bytes) -> asyncssh.SFTPAttrs | None:
        """What lies under *path* itself, not what a link points to; None for nothing."""
        try:
            return await self.sftp.lstat(path)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
            return None

    async def size(self, key: str) -> int | None:
        """The size of the object under *key*; None where there is none."""
        found = await self.attributes(self.path(key))
        return found.size if found is not None and is_regular(found) else None

    async def make_directories(self, directory: bytes) -> None:
        """Make *directory* and its parents up to the root, which must exist.

        All are asked for at once. A server that answers out of turn may refuse one whose parent is still to come: then
        they are made one after the other.
        """
        missing = self._unknown_from(directory)
        try:
            if len(missing) > 1:
                await asyncio.gather(*map(self._make_directory, missing))
                return
        except asyncssh.SFTPError:
            missing = self._unknown_from(directory)
        for step in missing:
            await self._make_directory(step)

    def _unknown_from(self, directory: bytes) -> list[bytes]:
        """*directory* and those above it which we do not know to be there, from the top."""
        steps: list[bytes] = []
        while directory != self.root and directory not in self._known_directories:
            steps.append(directory)
            directory = posixpath.dirname(directory)
        return steps[::-1]

    async def _make_directory(self, directory: bytes) -> None:
        try:
            await self.sftp.mkdir(directory, asyncssh.SFTPAttrs(permissions=self.dir_mode))
            if await self._umask_counts(directory):
                await self.sftp.chmod(directory, self.dir_mode)
        except asyncssh.SFTPError:
            if not await self.sftp.isdir(directory):
                raise
        self._known_directories.add(directory)

    async def _umask_counts(self, made: bytes) -> bool:
        """Whether directories get fewer permissions than asked for, as seen with the first one that we made."""
        if self._has_umask is None:
            mode = (await self.sftp.lstat(made)).permissions
            self._has_umask = mode is None or mode & 0o777 != self.dir_mode & 0o777
        return self._has_umask

    async def make_parents(self, key: str) -> None:
        """Make the directories above *key*. Raises KeyOccupied where an object lies in the way."""
        directory = posixpath.dirname(self.path(key))
        try:
            await self.make_directories(directory)
        except asyncssh.SFTPError as error:
            while directory != self.root:
                found = await self.attributes(directory)
                if found is not None and not stat.S_ISDIR(found.permissions or 0):
                    raise KeyOccupied(self.place, key, "an object lies where a directory is needed") from error
                directory = posixpath.dirname(directory)
            raise

    async def create(self, path: bytes) -> asyncssh.SFTPClientFile:
        """A new file, open for writing; it must not exist."""
        return await self.sftp.open(path, "xb", asyncssh.SFTPAttrs(permissions=0o600))

    async def complete(self, file: asyncssh.SFTPClientFile, mode: int | None = None) -> None:
        """Bring a written file to the disk, give it *mode* or that of all, close it."""
        await file.chmod(mode or self.file_mode)
        if self.can_fsync:
            await file.fsync()
        await file.close()

    async def write(self, path: bytes, data: bytes, mode: int | None = None) -> None:
        """Make a whole new file on the disk, with *mode* or that of all."""
        file = await self.create(path)
        try:
            await file.write(data, 0)
            await self.complete(file, mode)
        except BaseException:
            await file.close()
            raise

    async def write_unsynced(self, path: bytes, data: bytes) -> None:
        """Make a whole new file, which somebody brings to the disk later."""
        async with await self.create(path) as file:
            await asyncio.gather(file.write(data, 0), file.chmod(self.file_mode))

    async def checksum(self, path: bytes, algorithm: Algorithm, pace: Pace | None = None) -> Checksum:
        """Read the stored bytes back, at *pace*, and hash them here."""
        chunk = _READ_CHUNK if pace is None else pace.piece(_READ_CHUNK)
        digest, offset = algorithm.new(), 0
        async with self.sftp.open(path, "rb") as file:
            size = (await file.stat()).size or 0  # asking for more costs a request for each block
            while offset < size and (data := await read_bytes(file, min(chunk, size - offset), offset)):
                digest.update(data)
                offset += len(data)
                if pace is not None:
                    await asyncio.sleep(pace.delay(len(data)))
        return Checksum(algorithm, digest.hexdigest())

    async def reveal(self, staged: bytes, key: str, supersede_to: str | None) -> None:
        """Give the *staged* file its name; what lies there is moved to *supersede_to*, or stays and is in the way."""
        await self.make_parents(key)
        target = self.path(key)
        if supersede_to is not None and await self.exists(target):
            await self._replace(staged, target, key, supersede_to)
        else:
            await self._rename(staged, target, key)

    async def move(self, key: str, to: str) -> None:
        """Give an object another name, where nothing lies."""
        await self.make_parents(to)
        await self._rename(self.path(key), self.path(to), to)

    async def _rename(self, source: bytes, target: bytes, key: str) -> None:
        if self.rename_overwrites:
            await self.refuse_taken(key)
        try:
            await self.sftp.rename(source, target)
        except asyncssh.SFTPError:
            if await self.exists(source):
                await self.refuse_taken(key)
            raise

    async def refuse_taken(self, key: str) -> None:
        """Raise KeyOccupied if anything at all lies under *key*."""
        if await self.exists(self.path(key)):
            raise KeyOccupied(self.place, key, "something lies there already")

    async def _replace(self, staged: bytes, target: bytes, key: str, aside_key: str) -> None:
        """Let *staged* take *target*, whose object lies under *aside_key* from before that on; or change nothing."""
        if not is_regular(await self.sftp.lstat(target)):
            raise KeyOccupied(self.place, key, "what lies there is not a file")
        await self.make_parents(aside_key)
        aside = self.path(aside_key)
        if await self.exists(aside):
            raise KeyOccupied(self.place, aside_key, "something lies there already; nothing was moved aside")
        give: Callable[[bytes, bytes], Awaitable[None]] = self.overwrite
        try:
            await self.sftp.link(target, aside)
        except asyncssh.SFTPError:
            await self._rename(target, aside, aside_key)
            give = self.sftp.rename
        try:
            await give(staged, target)
        except asyncssh.SFTPError:
            await self._take_back(target, aside)
            raise

    async def _take_back(self, target: bytes, aside: bytes) -> None:
        """Let the object that was to be superseded lie where it lay, and only there."""
        left, kept = await self.attributes(target), await self.attributes(aside)
        if left is None:
            await self.sftp.rename(aside, target)
        elif kept is not None and (left.size, left.mtime) == (kept.size, kept.mtime):
            await self.sftp.remove(aside)  # the other name of the same bytes, not what somebody put there since

    async def overwrite(self, staged: bytes, target: bytes) -> None:
        """Rename over whatever lies there, which is our own or has another name by now."""
        try:
            await self.sftp.posix_rename(staged, target)
        except asyncssh.SFTPOpUnsupported:
            if await self.exists(target):
                await self.sftp.remove(target)
            await self.sftp.rename(staged, target)

    async def text(self, key: str) -> str | None:
        """The text of a short object; None where there is none."""
        try:
            async with self.sftp.open(self.path(key), "rb") as file:
                return (await read_bytes(file, _TEXT_BYTES, 0)).decode(errors="replace").strip()
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
            return None

    async def remove_directory(self, directory: bytes) -> None:
        """Remove a directory with nothing in it. Raises SFTPError where something is in it."""
        await self.sftp.rmdir(directory)
        self._known_directories.discard(directory)

    async def discard(self, path: bytes) -> None:
        """Remove a file, if it is there."""
        if await self.exists(path):
            await self.sftp.remove(path)

    async def diagnosed(self, key: str, error: Exception) -> CopyError:
        """*error* as ours; where SFTP said no more than "failure", the file system is asked for the reason."""
        found = object_error(self.place, key, error)
        if type(found) is not CopyFailed or not isinstance(error, asyncssh.SFTPFailure):
            return found
        try:
            system = await self.sftp.statvfs(self.root)
        except VENDOR_ERRORS:
            return found
        if system.bavail * system.frsize < _NEARLY_NOTHING or (system.files and not system.favail):
            return NoSpace(self.place, key, "no space is left over there")
        if system.flags & _READ_ONLY:
            return CopyRefused(self.place, key, "the file system over there is read-only")
        return found


async def read_bytes(file: asyncssh.SFTPClientFile, length: int, offset: int) -> bytes:
    """Up to *length* bytes of a file that is open for reading."""
    data: Any = await file.read(length, offset)
    return bytes(data)


def is_regular(attributes: asyncssh.SFTPAttrs) -> bool:
    """Whether this is a plain file, as far as the server says."""
    return attributes.permissions is None or stat.S_ISREG(attributes.permissions)


async def each(
    work: Callable[[_Item], Awaitable[_Result]], items: Sequence[_Item], limit: int = IN_FLIGHT
) -> list[_Result | Exception]:
    """The result of *work* for every item, or the error that it met, with *limit* of them in flight."""
    numbered = iter(enumerate(items))
    results: dict[int, _Result | Exception] = {}

    async def worker() -> None:
        for number, item in numbered:
            try:
                results[number] = await work(item)
            except _ERRORS_OF_ONE as error:
                results[number] = error

    await asyncio.gather(*(worker() for _ in range(min(limit, len(items)))))
    return [results[number] for number in range(len(items))]
