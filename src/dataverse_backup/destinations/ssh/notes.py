"""Notes of ours: staged, brought to the disk, and then over the notes that lay there; many at a time.

Together by our program over there, where it can run: there may be several for each dataset. What it leaves undone goes
one by one over SFTP, which also says why it cannot be.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import Failure, checked_path_key
from dataverse_backup.destinations.ssh.agent import AgentGone
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, VENDOR_ERRORS
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.destinations.ssh.remarks import spoken_error
from dataverse_backup.destinations.ssh.shell import EXTRACTED
from dataverse_backup.errors import KeyOccupied

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from dataverse_backup.destinations.ssh.session import Session


class RemoteNotes:
    """One call of ``write_notes``; every method but the constructor runs in the event loop's thread."""

    def __init__(self, place: str, session: Session, staging: str) -> None:
        """Stage below the key *staging*."""
        self._place, self._session, self._files = place, session, session.files
        self._folder = f"{staging}/{uuid.uuid4().hex}"
        self._failures: list[Failure] = []

    async def write(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        """Those that failed. Raises VENDOR_ERRORS where the connection is lost."""
        together = await self._written_together(notes)
        alone = {key: data for key, data in notes.items() if key not in together}
        if alone:
            await self._write_one_by_one(alone)
        return self._failures

    async def _written_together(self, notes: Mapping[str, bytes | None]) -> set[str]:
        """The keys of those that are as they are to be, on the disk too."""
        named = {f"{EXTRACTED}{number}": key for number, key in enumerate(notes) if self._files.takes(key)}
        try:
            agent = await self._session.agent() if named else None
            if agent is None:
                return set()
            asked = {name: (key.encode(), notes[key]) for name, key in named.items()}
            told = await agent.put(self._folder, self._files.file_mode, asked)
        except (AgentGone, asyncssh.ChannelOpenError):  # few channels may be allowed
            return set()
        return {key for name, key in named.items() if told.is_synced and name.encode() in told.names}

    async def _write_one_by_one(self, notes: Mapping[str, bytes | None]) -> None:
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
            whole = await self._done(stage, list(notes))
            await self._done(reveal, await self._synced(whole))
            await self._synced(whole)
        finally:
            with suppress(*VENDOR_ERRORS):  # a later sweep does it
                await self._files.sftp.rmtree(directory)

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
