"""Everything below a folder, over SFTP: many folders at a time, whatever lies in them as soon as it is known."""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import Entry
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.files import IN_FLIGHT, each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.files import RemoteFiles
    from dataverse_backup.destinations.ssh.loop import EventLoopThread

_GONE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class Listing:
    """One call of ``entries``."""

    def __init__(self, loop: EventLoopThread, files: RemoteFiles) -> None:
        """List what *files* reach; *loop* is theirs."""
        self._loop, self._files = loop, files

    def below(self, folder: str) -> Iterator[Entry]:
        """The objects below *folder*. Raises VENDOR_ERRORS, at the first folder that cannot be read."""
        left = [folder.encode("utf-8", "surrogateescape")]
        while left:
            some, left = left[-IN_FLIGHT:], left[:-IN_FLIGHT]
            for above, found in zip(some, self._loop.run(each(self._listed, some)), strict=True):
                if isinstance(found, VENDOR_ERRORS):
                    raise found
                if isinstance(found, Exception):
                    continue
                for one in found:
                    path = posixpath.join(
                        above, one.filename if isinstance(one.filename, bytes) else one.filename.encode()
                    )
                    if stat.S_ISDIR(one.attrs.permissions or 0):
                        left.append(path)
                    elif stat.S_ISREG(one.attrs.permissions or 0):
                        yield Entry(path.decode("utf-8", "surrogateescape"), one.attrs.size or 0)

    async def _listed(self, directory: bytes) -> Sequence[asyncssh.SFTPName]:
        """What lies in *directory*; nothing where it has gone."""
        try:
            names = await self._files.sftp.readdir(posixpath.join(self._files.root, directory))
        except _GONE:
            return []
        return [name for name in names if name.filename not in (b".", b"..")]
