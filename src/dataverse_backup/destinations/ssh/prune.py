"""Deleting copies over SFTP, many at once."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import Failure, checked_path_key
from dataverse_backup.destinations.prunable import Doomed, Fate, Pruned
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.errors import CopyFailed, ObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.session import Session


class RemotePruning:
    """One call of ``prune``."""

    def __init__(self, place: str, session: Session) -> None:
        """Delete through *session*; *place* is the name of the destination, for errors."""
        self._place, self._session, self._files = place, session, session.files

    async def run(self, doomed: Sequence[Doomed]) -> list[Pruned | Failure]:
        """What became of each, once it is on the disk. Raises VENDOR_ERRORS where the connection was lost."""
        results = list(self._results(doomed, await each(self._pruned, doomed)))
        fates = [result for result in [*results] if isinstance(result, Pruned) and result.fate is Fate.REMOVED]
        if fates:
            await each(self._tidied, sorted({posixpath.dirname(result.key) for result in fates}), 1)
            if (complaint := await self._session.synced()) is not None:
                said = f"it was deleted, and may be back after a crash: {complaint}"
                return [
                    Failure(result.key, CopyFailed(self._place, result.key, said)) if result in fates else result
                    for result in results
                ]
        return results

    @staticmethod
    def _results(doomed: Sequence[Doomed], found: Sequence[Pruned | Failure | Exception]) -> Iterator[Pruned | Failure]:
        for _, result in zip(doomed, found, strict=True):
            if isinstance(result, Exception):
                raise result
            yield result

    async def _pruned(self, one: Doomed) -> Pruned | Failure:
        try:
            return Pruned(one.key, *await self._fate(one))
        except ObjectError as error:
            return Failure(one.key, error)
        except asyncssh.SFTPError as error:
            if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
                raise
            return Failure(one.key, await self._files.diagnosed(one.key, error))

    async def _fate(self, one: Doomed) -> tuple[Fate, str]:
        path = self._files.path(checked_path_key(self._place, one.key))
        found = await self._files.attributes(path)
        if found is None:
            return Fate.MISSING, ""
        if not is_regular(found):
            return Fate.DIFFERS, "it is not a file"
        if found.size != one.size:
            return Fate.DIFFERS, f"it has {found.size} bytes, not {one.size}"
        if await self._leads_elsewhere(one.key):
            return Fate.DIFFERS, "a link leads to it"
        await self._files.sftp.remove(path)
        return Fate.REMOVED, ""

    async def _leads_elsewhere(self, key: str) -> bool:
        """Whether a folder on the way to *key* is a link: what lies behind it is not ours."""
        folder = posixpath.dirname(key)
        resolved = await self._files.sftp.realpath(posixpath.join(self._files.root, folder.encode()))
        root = await self._files.sftp.realpath(self._files.root)
        return posixpath.join(_bytes(root), folder.encode()).rstrip(b"/") != _bytes(resolved)

    async def _tidied(self, folder: str) -> None:
        """Remove *folder* and those above it, as far as nothing lies in them."""
        while folder:
            try:
                await self._files.remove_directory(self._files.path(folder))
            except asyncssh.SFTPError:
                return
            folder = posixpath.dirname(folder)


def _bytes(path: str | bytes) -> bytes:
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
