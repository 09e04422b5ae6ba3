"""Notes of ours: staged, brought to the disk, and then over the notes that lay there; many at a time.

Together by two remote commands, where the account has a shell and Python: there may be several for each dataset. What
these leave undone goes one by one over SFTP, which also says why it cannot be.
"""

from __future__ import annotations

import io
import tarfile
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, checked_path_key
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, VENDOR_ERRORS, spoken_error
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.destinations.ssh.shell import EXTRACTED, extracted
from dataverse_backup.errors import KeyOccupied

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dataverse_backup.destinations.ssh.files import RemoteFiles
    from dataverse_backup.destinations.ssh.session import Session


class RemoteNotes:
    """One call of ``write_notes``; every method but the constructor runs in the event loop's thread."""

    def __init__(self, place: str, session: Session, staging: str) -> None:
        """Stage below the key *staging*."""
        self._place, self._session, self._files = place, session, session.files
        self._folder = f"{staging}/{uuid.uuid4().hex}"
        self._failures: list[Failure] = []
        self._is_removed = False
        """Whether nothing was left in our folder in staging, and it is gone."""

    async def write(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        """Those that failed. Raises VENDOR_ERRORS where the connection is lost."""
        staged = {key: self._files.path(f"{self._folder}/{number}") for number, key in enumerate(notes)}

        async def stage(key: str) -> None:
            self._files.path(checked_path_key(self._place, key))
            if (data := notes[key]) is not None:
                await self._stage(staged[key], data)

        async def reveal(key: str) -> None:
            await self._reveal(staged[key], key, is_one=notes[key] is not None)

        directory = self._files.path(self._folder)
        await self._files.make_directories(directory)
        try:
            together = await self._written_together(directory, notes)
            whole = await self._done(stage, [key for key in notes if key not in together])
            await self._done(reveal, await self._synced(whole))
            await self._synced(whole)
        finally:
            if not self._is_removed:
                with suppress(*VENDOR_ERRORS):  # a later sweep does it
                    await self._files.sftp.rmtree(directory)
        return self._failures

    async def _written_together(self, directory: bytes, notes: Mapping[str, bytes | None]) -> set[str]:
        """The keys of those that are as they are to be, on the disk too."""
        shell, connection = self._session.shell, self._session.connection
        named = {f"{EXTRACTED}{number}".encode(): key for number, key in enumerate(notes) if self._files.takes(key)}
        if shell is None or not shell.has_python or not named:
            return set()
        packed = _packed({name: data for name, key in named.items() if (data := notes[key]) is not None}, self._files)
        given = directory + b"\n" + packed
        unpacked = await connection.patiently(connection.run(shell.extract(None), given))
        if not extracted(unpacked.output)[0]:
            return set()
        asked = [(name, key.encode(), notes[key] is not None) for name, key in named.items()]
        told = await shell.put_notes(connection, self._files.root, directory, self._files.dir_mode, asked)
        self._is_removed = told.is_removed and told.is_synced
        return {named[name] for name in told.names & named.keys()} if told.is_synced else set()

    async def _done(self, step: Callable[[str], Awaitable[None]], keys: Sequence[str]) -> list[str]:
        """Those of *keys* for which *step* succeeded."""
        done = []
        for key, result in zip(keys, await each(step, keys), strict=True):
            if isinstance(result, CONNECTION_ERRORS):
                raise result
            if isinstance(result, Exception):
                self._failures.append(Failure(key, await self._files.diagnosed(key, result)))
            else:
                done.append(key)
        return done

    async def _synced(self, keys: list[str]) -> list[str]:
        """*keys*, if what was written is on the disk."""
        if not keys or (complaint := await self._session.synced()) is None:
            return keys
        self._failures += [Failure(key, spoken_error(self._place, key, complaint)) for key in keys]
        return []

    async def _stage(self, path: bytes, data: bytes) -> None:
        if self._session.shell is None:
            await self._files.write(path, data)
            return
        await self._files.write_unsynced(path, data)  # one sync for all of them comes later

    async def _reveal(self, staged: bytes, key: str, *, is_one: bool) -> None:
        path = self._files.path(key)
        if is_one:
            await self._files.make_parents(key)
        found = await self._files.attributes(path)
        if found is not None and not is_regular(found):
            raise KeyOccupied(self._place, key, "what lies there is not a file")
        if is_one:
            await self._files.overwrite(staged, path)
        elif found is not None:
            await self._files.sftp.remove(path)


def _packed(notes: Mapping[bytes, bytes], files: RemoteFiles) -> bytes:
    """*notes*, by the names that they get in staging, as a tar stream."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in notes.items():
            header = tarfile.TarInfo(name.decode())
            header.size, header.mode, header.mtime = len(data), files.file_mode, int(time.time())
            archive.addfile(header, io.BytesIO(data))
    return packed.getvalue()
