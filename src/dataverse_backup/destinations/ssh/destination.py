"""A destination on another machine, over SSH: bundled where the account has a shell, by SFTP alone where not."""

from __future__ import annotations

import posixpath
import uuid
from typing import TYPE_CHECKING, TypeVar

import asyncssh

from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    SCRATCH_PREFIX,
    Destination,
    Failure,
    StoredDigest,
    checked_path_key,
)
from dataverse_backup.destinations.ssh.audit import Audit
from dataverse_backup.destinations.ssh.batch import Batch
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, calling, words
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.destinations.ssh.loop import EventLoopThread
from dataverse_backup.destinations.ssh.session import opened_session
from dataverse_backup.destinations.ssh.stream import RemoteStream
from dataverse_backup.errors import (
    CopyFailed,
    CopyMissing,
    DestinationLost,
    DestinationRefused,
    KeyRefused,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from typing import Any

    from dataverse_backup.destinations.base import Receipt, Staging, Traits, Upload
    from dataverse_backup.destinations.ssh.session import Session
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.fixity import Algorithm

_Result = TypeVar("_Result")


class SshDestination(Destination):
    """Copies in a folder of an OpenSSH server; one connection, made again when it was lost."""

    def __init__(self, name: str, settings: SshSettings, staging: Staging) -> None:
        """Use *settings* with the first call; nothing is connected yet."""
        self.name, self.method = name, "ssh"
        self._settings, self._staging = settings, staging
        self._loop = EventLoopThread(f"ssh {name}")
        self._session: Session | None = None
        self._identity: str | None = None
        """Whose the folder was when we last looked; a new connection must find the same there."""

    def connect(self) -> Traits:
        self._disconnect()
        return self._connected().traits

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        try:
            session = self._connected()
        except DestinationLost as lost:
            yield from self._unavailable([upload.key for upload in uploads], lost)
            return
        batch = Batch(self.name, self._loop, session, self._staging.prefix, self._settings.big_file)
        yield from batch.store(uploads)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        try:
            session = self._connected()
        except DestinationLost as lost:
            yield from self._unavailable(keys, lost)
            return
        yield from Audit(self.name, self._loop, session, algorithm).digests(keys)

    def _unavailable(self, keys: Sequence[str], lost: DestinationLost) -> Iterator[Failure]:
        for key in keys:
            yield Failure(key, Unavailable(self.name, key, lost.message, lost.hint))

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        files = self._connected().files
        asked = [key for key in keys if self._is_possible(key)]
        found = self._run(IDENTITY_KEY, each(files.size, asked))
        for result in found:
            if isinstance(result, CONNECTION_ERRORS):
                raise DestinationLost(f"{self.name}: the connection was lost: {words(result)}") from result
        return {key: size for key, size in zip(asked, found, strict=True) if isinstance(size, int)}

    def open(self, key: str) -> RemoteStream:
        files = self._connected().files
        path = files.path(checked_path_key(self.name, key))
        found = self._run(key, files.attributes(path))
        if found is None:
            raise CopyMissing(self.name, key, "there is no such object")
        if not is_regular(found):
            raise CopyFailed(self.name, key, "it is not a regular file")
        return RemoteStream(self.name, key, self._loop, self._run(key, _open(files.sftp, path)), found.size or 0)

    def supersede(self, key: str, to: str) -> None:
        session = self._connected()
        path = session.files.path(checked_path_key(self.name, key))
        session.files.path(checked_path_key(self.name, to))
        if not self._run(key, session.files.exists(path)):
            raise CopyMissing(self.name, key, "there is no such object")
        self._run(key, session.files.move(key, to))
        self._sync(session)

    def read_identity(self) -> str | None:
        self._identity = self._found_identity()
        return self._identity

    def _found_identity(self) -> str | None:
        files = self._connected().files
        path = files.path(IDENTITY_KEY)
        if not self._run(IDENTITY_KEY, files.exists(path)):
            return None
        stream = self.open(IDENTITY_KEY)
        try:
            return stream.read(4096).decode(errors="replace").strip()
        finally:
            stream.close()

    def write_identity(self, ledger_id: str) -> None:
        session = self._connected()
        files, staged_key = session.files, f"{self._staging.prefix}/{uuid.uuid4().hex}"
        staged = files.path(staged_key)
        self._run(IDENTITY_KEY, files.make_parents(staged_key))
        self._run(IDENTITY_KEY, files.write(staged, ledger_id.encode()))
        self._run(IDENTITY_KEY, files.overwrite(staged, files.path(IDENTITY_KEY)))
        self._sync(session)
        self._identity = ledger_id

    def sweep(self) -> None:
        files = self._connected().files
        self._run(self._staging.ledger_prefix, self._swept(files.sftp, files.path(self._staging.ledger_prefix)))

    async def _swept(self, sftp: asyncssh.SFTPClient, directory: bytes) -> None:
        try:
            names = await sftp.listdir(directory)
        except asyncssh.SFTPNoSuchFile:
            return
        for name in names:
            if name not in (b".", b"..", self._staging.run.encode()):
                await sftp.rmtree(posixpath.join(directory, name))

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            if not key.startswith(f"{SCRATCH_PREFIX}/") or ".." in key.split("/"):
                raise ValueError(f"only scratch objects are removed, not {key!r}")
        files = self._connected().files
        for key in keys:
            if self._is_possible(key):
                self._run(key, files.discard(files.path(key)))

    def close(self) -> None:
        self._disconnect()
        self._loop.close()

    def _is_possible(self, key: str) -> bool:
        try:
            self._connected().files.path(checked_path_key(self.name, key))
        except KeyRefused:
            return False
        return True

    def _sync(self, session: Session) -> None:
        if session.shell is not None:
            self._run(IDENTITY_KEY, session.shell.synced(session.connection, session.files.root))

    def _run(self, key: str, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        with calling(self.name, key):
            return self._loop.run(coroutine)

    def _connected(self) -> Session:
        """The session, a new one if the last was lost. Raises DestinationLost, ConfigurationError."""
        if self._session is None or self._session.connection.lost:
            self._disconnect()
            self._session = self._loop.run(opened_session(self.name, self._settings))
            self._refuse_another_folder()
        return self._session

    def _refuse_another_folder(self) -> None:
        """A folder that lost its identity while we were away is the mount point of a disk that has gone."""
        if self._identity is None or self._found_identity() == self._identity:
            return
        self._disconnect()
        said = f"{self.name}: {self._settings.directory} does not carry our identity any more: is its disk mounted?"
        raise DestinationRefused(said, "run `dataverse-backup check`")

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._loop.run(session.connection.close())


async def _open(sftp: asyncssh.SFTPClient, path: bytes) -> asyncssh.SFTPClientFile:
    return await sftp.open(path, "rb")
