"""Hashing stored objects again, in batches: by the server's own commands, or by reading them back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, StoredDigest, checked_path_key
from dataverse_backup.destinations.ssh.agent import AgentGone
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, VENDOR_ERRORS, object_error
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.destinations.ssh.shell import about, believed, word
from dataverse_backup.errors import CopyFailed, CopyMissing, ObjectError
from dataverse_backup.fixity import Algorithm, Checksum, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataverse_backup.destinations.ssh.loop import EventLoopThread
    from dataverse_backup.destinations.ssh.session import Session
    from dataverse_backup.destinations.ssh.shell import Stored
    from dataverse_backup.outflow import Pace

log = logging.getLogger(__name__)

_READS_IN_FLIGHT = 16


class Audit:
    """One call of ``digests``."""

    def __init__(
        self, place: str, loop: EventLoopThread, session: Session, algorithm: Algorithm, pace: Pace | None
    ) -> None:
        """Hash with *algorithm*; what is read back is held to *pace*."""
        self._pace = pace
        self._place, self._loop, self._session, self._algorithm = place, loop, session, algorithm
        self._sizes: dict[str, int] = {}

    def digests(self, keys: Sequence[str]) -> Iterator[StoredDigest | Failure]:
        """One result for each key; those that a lost connection leaves over are unavailable."""
        left = dict.fromkeys(keys)
        try:
            for result in self._results(list(left)):
                del left[result.key]
                yield result
        except VENDOR_ERRORS as error:
            for key in left:
                yield Failure(key, object_error(self._place, key, error))

    def _results(self, keys: Sequence[str]) -> Iterator[StoredDigest | Failure]:
        told = self._told_over_there(keys)
        for key, stored in told.items():
            if stored is None:
                yield Failure(key, self._missing(key))
            else:
                self._sizes[key] = stored.size
                yield self._digest(key, Checksum(self._algorithm, stored.digest), VerifiedBy.REMOTE_HASH)
        self._sizes.clear()
        yield from self._asked_one_by_one([key for key in keys if key not in told])

    def _told_over_there(self, keys: Sequence[str]) -> dict[str, Stored | None]:
        """What our program says of all keys at once; without those that it cannot say anything of."""
        asked = [key for key in keys if self._session.files.takes(key)]
        try:
            return believed(asked, self._loop.run(self._lines_about(asked)))
        except AgentGone as gone:
            log.warning("%s: %s", self._place, gone)
            return {}

    async def _lines_about(self, keys: Sequence[str]) -> list[bytes]:
        """One for each of *keys*; none where our program cannot run. Raises AgentGone."""
        agent = await self._session.agent()
        return [] if agent is None else await agent.ask(about(b"digests %s" % word(self._algorithm), keys))

    def _missing(self, key: str) -> CopyMissing:
        return CopyMissing(self._place, key, "there is no such object")

    def _asked_one_by_one(self, keys: Sequence[str]) -> Iterator[StoredDigest | Failure]:
        """Where no Python says anything: their sizes by SFTP, and then hashed by a command, or read back."""
        found = self._loop.run(each(self._measure, keys))
        for key, result in zip(keys, found, strict=True):
            if isinstance(result, int):
                self._sizes[key] = result
            else:
                yield self._failure(key, result)
        there = list(self._sizes)
        hashed = self._hashed_over_there([key for key in there if _is_plain(key)])
        for key, value in hashed.items():
            yield self._digest(key, Checksum(self._algorithm, value), VerifiedBy.REMOTE_HASH)
        yield from self._read_back([key for key in there if key not in hashed])

    async def _measure(self, key: str) -> int:
        found = await self._session.files.attributes(self._session.files.path(checked_path_key(self._place, key)))
        if found is None:
            raise self._missing(key)
        if not is_regular(found):
            raise CopyFailed(self._place, key, "it is not a regular file")
        return found.size or 0

    def _hashed_over_there(self, keys: Sequence[str]) -> dict[str, str]:
        session = self._session
        if session.shell is None or self._algorithm not in session.shell.hashes or not keys:
            return {}
        names = {f"./{key}".encode(): key for key in keys}
        found = self._loop.run(
            session.shell.digests(session.connection, session.files.root, list(names), self._algorithm)
        )
        return {names[name]: value for name, value in found.items() if name in names}

    def _read_back(self, keys: Sequence[str]) -> Iterator[StoredDigest | Failure]:
        async def read(key: str) -> Checksum:
            return await self._session.files.checksum(self._session.files.path(key), self._algorithm, self._pace)

        for key, result in zip(keys, self._loop.run(each(read, keys, _READS_IN_FLIGHT)), strict=True):
            if isinstance(result, Exception):
                yield self._failure(key, result)
            else:
                yield self._digest(key, result, VerifiedBy.READ_BACK)

    def _digest(self, key: str, checksum: Checksum, verified_by: VerifiedBy) -> StoredDigest:
        return StoredDigest(key, self._sizes[key], checksum, verified_by)

    def _failure(self, key: str, error: Exception) -> Failure:
        if isinstance(error, ObjectError):
            return Failure(key, error)
        if isinstance(error, CONNECTION_ERRORS):
            raise error
        return Failure(key, object_error(self._place, key, error))


def _is_plain(key: str) -> bool:
    """Whether hash commands print this name as it is."""
    return key.isprintable() and "\\" not in key
