"""Big objects that were broken off, over there."""

from __future__ import annotations

import os
import posixpath
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import is_over
from dataverse_backup.destinations.partials import KEPT_SECONDS, is_partial_name, partials_prefix
from dataverse_backup.destinations.ssh.files import is_regular

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.destinations.ssh.files import RemoteFiles

_NOT_THERE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)


class RemotePartials:
    """What the runs of one ledger have broken off. Every method runs in the event loop's thread."""

    def __init__(self, files: RemoteFiles, staging: Staging, left: dict[str, bytes]) -> None:
        """*left* says where that lies which could not be given back, because a connection was lost."""
        self._files, self._sftp, self._left = files, files.sftp, left
        self._ours = files.path(staging.ledger_prefix)
        self._current = staging.run.encode()
        self._folder = files.path(partials_prefix(staging))

    async def take(self, path: bytes) -> int:
        """How many bytes lie under *path* now, broken off and nobody else's; 0: nothing lies there."""
        name = posixpath.basename(path)
        sources = (self._left.pop(name.decode(), None), posixpath.join(self._folder, name))
        if not any([await self._renamed(source, path) for source in sources if source is not None]):
            return 0
        found = await self._sftp.lstat(path)
        if not is_regular(found) or not found.size:
            await self._remove(path, found)
            return 0
        return found.size

    async def _renamed(self, source: bytes, path: bytes) -> bool:
        try:
            await self._sftp.rename(source, path)
        except _NOT_THERE:
            return False
        return True

    async def reopened(self, path: bytes) -> asyncssh.SFTPClientFile:
        """What ``take`` took, open for writing."""
        await self._sftp.chmod(path, 0o600)  # it may have got its mode already, and that may forbid it
        return await self._sftp.open(path, "r+b")

    async def give_back(self, path: bytes) -> None:
        """Keep what there is under *path*, in the folder of an attempt, unless it is nothing at all."""
        found = await self._files.attributes(path)
        if found is not None and is_regular(found) and found.size:
            await self._files.make_directories(self._folder)
            await self._files.overwrite(path, posixpath.join(self._folder, posixpath.basename(path)))

    def remember(self, paths: Iterable[bytes]) -> None:
        """Some of *paths* may still hold what could not be given back: the next try of this run looks there first."""
        self._left.update((posixpath.basename(path).decode(), path) for path in paths)

    async def sweep(self) -> None:
        """Remove what earlier runs left in staging, but for what may be continued."""
        async for run, found in self._listed(self._ours):
            name = posixpath.basename(run)
            is_earlier = run != self._folder and name != self._current and is_over(os.fsdecode(name), found.mtime)
            if is_earlier and not await self._is_removed_empty(run):
                with suppress(asyncssh.SFTPError):  # then it is sent again
                    await self._rescue(run)
                await self._sftp.rmtree(run)
        async for path, found in self._listed(self._folder):
            if found.mtime is not None and time.time() - found.mtime > KEPT_SECONDS:
                await self._remove(path, found)

    async def _is_removed_empty(self, directory: bytes) -> bool:
        """Remove *directory* if nothing is in it, as most runs leave theirs: one question instead of a dozen."""
        try:
            await self._sftp.rmdir(directory)
        except asyncssh.SFTPError:
            return False
        return True

    async def _rescue(self, run: bytes) -> None:
        async for attempt, _ in self._listed(run):
            async for path, _ in self._listed(attempt):
                if is_partial_name(posixpath.basename(path).decode(errors="replace")):
                    await self.give_back(path)

    async def _listed(self, directory: bytes) -> AsyncIterator[tuple[bytes, asyncssh.SFTPAttrs]]:
        """Everything in *directory*: its path, and what it is; nothing where there is no directory."""
        try:
            entries = await self._sftp.readdir(directory)
        except _NOT_THERE:
            return
        for entry in entries:
            name = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode()
            if name not in (b".", b".."):
                yield posixpath.join(directory, name), entry.attrs

    async def _remove(self, path: bytes, found: asyncssh.SFTPAttrs) -> None:
        if stat.S_ISDIR(found.permissions or 0):
            await self._sftp.rmtree(path)
        else:
            await self._sftp.remove(path)
