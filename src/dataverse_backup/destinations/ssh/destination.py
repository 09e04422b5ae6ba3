"""A destination on another machine, over SSH: bundled where the account has a shell, by SFTP alone where not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from dataverse_backup.destinations.base import (
    IDENTITY_KEY,
    OWN_PREFIX,
    Destination,
    Entry,
    Explainable,
    Failure,
    Listable,
    StoredDigest,
    checked_notes,
    checked_path_key,
    checked_removable,
)
from dataverse_backup.destinations.partials import Resumable
from dataverse_backup.destinations.prunable import Doomed, Prunable, Pruned, checked_doomed
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.audit import Audit
from dataverse_backup.destinations.ssh.batch import Batch
from dataverse_backup.destinations.ssh.connection import connected
from dataverse_backup.destinations.ssh.doubts import all_unavailable, doubted, not_ours
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, VENDOR_ERRORS, calling
from dataverse_backup.destinations.ssh.files import each, is_regular
from dataverse_backup.destinations.ssh.identity import Identity
from dataverse_backup.destinations.ssh.listing import Listing
from dataverse_backup.destinations.ssh.loop import EventLoopThread
from dataverse_backup.destinations.ssh.notes import RemoteNotes
from dataverse_backup.destinations.ssh.partials import RemotePartials
from dataverse_backup.destinations.ssh.prune import RemotePruning
from dataverse_backup.destinations.ssh.remarks import spoken_error, words
from dataverse_backup.destinations.ssh.session import given_up, opened_session
from dataverse_backup.destinations.ssh.stream import RemoteStream
from dataverse_backup.errors import (
    CopyDiffers,
    CopyError,
    CopyFailed,
    CopyMissing,
    DestinationLost,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from typing import Any

    import asyncssh

    from dataverse_backup.destinations.base import Receipt, Staging, Traits, Upload
    from dataverse_backup.destinations.ssh.agent import Look
    from dataverse_backup.destinations.ssh.connection import Connection
    from dataverse_backup.destinations.ssh.files import RemoteFiles
    from dataverse_backup.destinations.ssh.session import Session
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.errors import DestinationRefused
    from dataverse_backup.fixity import Algorithm

_Result = TypeVar("_Result")
_Answer = TypeVar("_Answer")

_SAID_BY_ANY_ROOT = (CopyMissing, CopyDiffers, CopyFailed)
"""What an object seems to be when its disk is not mounted any more."""


class SshDestination(Destination, Listable, Explainable, Resumable, Prunable):
    """Copies in a folder of an OpenSSH server; one connection, made again when it was lost."""

    def __init__(self, name: str, settings: SshSettings, staging: Staging) -> None:
        """Use *settings* with the first call; nothing is connected yet."""
        self.name, self.method = name, "ssh"
        self._settings, self._staging = settings, staging
        self._loop = EventLoopThread(f"ssh {name}")
        self._session: Session | None = None
        self._login: Future[Connection] | None = None
        """One that was begun for the next session."""
        self._abilities = Abilities.from_text(staging.abilities, settings.where)
        """What is taken for granted with the next connection; None: probe."""
        self._identity = Identity()
        self.resumes_from = settings.resumes_from
        self.left: dict[str, bytes] = {}
        """Where big objects lie that were broken off with their connection."""

    def expect(self, identity: str) -> None:
        """Take no root but one that carries *identity*, as somebody else has read it."""
        self._identity.text = identity

    def connect(self) -> Traits:
        self._disconnect()
        return self._connected().traits

    @property
    def is_connected(self) -> bool:
        """Whether the next call need not connect."""
        return self._session is not None and not self._session.connection.lost

    def prepare(self) -> None:
        if self._session is None and self._login is None:
            self._login = self._loop.submit(connected(self.name, self._settings))

    def assume(self, abilities: str) -> None:
        if self._abilities is None and self._session is None:
            self._abilities = Abilities.from_text(abilities, self._settings.where)

    def abilities(self) -> str:
        return "" if self._abilities is None else self._abilities.to_text()

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        keys = [upload.key for upload in uploads]
        try:
            session = self._connected()
            self._confirm_identity(session)
        except DestinationLost as lost:
            yield from all_unavailable(self.name, keys, lost)
            return
        partials = RemotePartials(session.files, self._staging, self.left)
        batch = Batch(self.name, self._loop, session, self._staging.prefix, settings=self._settings, partials=partials)
        yield from self._probed_again(session, self._believed(session, batch.store(uploads)))

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        try:
            session = self._connected()
        except DestinationLost as lost:
            yield from all_unavailable(self.name, keys, lost)
            return
        yield from self._believed(session, Audit(self.name, self._loop, session, algorithm, self.pace).digests(keys))

    def _believed(self, session: Session, results: Iterable[_Answer | Failure]) -> Iterator[_Answer | Failure]:
        """*results*; before the first that another root would give too, see that this one is still ours."""
        confirmed = False
        for result in results:
            if isinstance(result, Failure) and isinstance(result.error, _SAID_BY_ANY_ROOT) and not confirmed:
                try:
                    self._confirm_identity(session)
                except DestinationLost as lost:
                    yield from all_unavailable(self.name, [result.key], lost)
                    continue
                confirmed = True
            yield result

    def _probed_again(self, session: Session, results: Iterable[Receipt | Failure]) -> Iterator[Receipt | Failure]:
        """*results*; after a failure of what was only assumed to work the next connection probes, and may succeed."""
        yield from doubted(self.name, results, self._forget) if session.is_assumed else results
        if self._abilities is None:
            self._disconnect()

    def _forget(self) -> None:
        self._abilities = None

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        session = self._connected()
        asked = [key for key in keys if session.files.takes(key)]
        found, is_ours = self._run_for_all(_sized(session.files, asked, self._identity))
        for result in found:
            if isinstance(result, CONNECTION_ERRORS):
                raise DestinationLost(f"{self.name}: the connection was lost: {words(result)}") from result
        if not is_ours and not all(isinstance(result, int) for result in found):
            raise self._refused()
        return {key: size for key, size in zip(asked, found, strict=True) if isinstance(size, int)}

    def open(self, key: str) -> RemoteStream:
        session = self._connected()
        files, path = session.files, session.files.path(checked_path_key(self.name, key))
        found = self._run(key, files.attributes(path))
        if found is None:
            raise self._missing(session, key)
        if not is_regular(found):
            raise CopyFailed(self.name, key, "it is not a regular file")
        return RemoteStream(self.name, key, self._loop, self._run(key, _open(files.sftp, path)), found.size or 0)

    def supersede(self, key: str, to: str) -> None:
        session = self._connected()
        path = session.files.path(checked_path_key(self.name, key))
        session.files.path(checked_path_key(self.name, to))
        if not self._run(key, session.files.exists(path)):
            raise self._missing(session, key)
        self._run(key, session.files.move(key, to))
        if (complaint := self._run(key, session.synced())) is not None:
            raise spoken_error(self.name, key, f"it was moved aside, and may be back after a crash: {complaint}")

    def _missing(self, session: Session, key: str) -> CopyMissing:
        """That *key* is not there, which is believed only of a root that is still ours."""
        self._confirm_identity(session)
        return CopyMissing(self.name, key, "there is no such object")

    def read_identity(self) -> str | None:
        session = self._connected()
        look = session.take_look()
        return self._run_for_all(self._identity.read(session.files)) if look is None else self._identity.seen(look)

    def write_identity(self, ledger_id: str) -> None:
        session = self._connected()
        session.take_look()  # which is not so any more
        notes = RemoteNotes(self.name, session, self._staging.prefix)
        for failure in self._run_for_all(notes.write({IDENTITY_KEY: ledger_id.encode()})):
            said = failure.error.message
            raise DestinationLost(f"{self.name}: it cannot be marked as ours: {said}", failure.error.hint)
        self._identity.text = ledger_id
        self._loop.submit(self._identity.written(ledger_id, session.files))  # nobody waits for that

    def entries(self, folder: str = "") -> Iterator[Entry]:
        session = self._connected()
        self._confirm_identity(session)  # a root that is not ours any more has nothing in it either
        try:
            yield from Listing(self._loop, session.files).below(folder)
        except VENDOR_ERRORS as error:
            raise DestinationLost(f"{self.name}: it cannot be listed: {words(error)}") from error
        self._confirm_identity(session)

    def write_notes(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        checked_notes(notes)
        session = self._connected()
        self._confirm_identity(session)
        return self._run_for_all(RemoteNotes(self.name, session, self._staging.prefix).write(notes))

    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        checked_doomed(doomed)
        session = self._connected()
        self._confirm_identity(session)
        yield from self._run_for_all(RemotePruning(self.name, session).run(doomed))

    def sweep(self) -> None:
        self._run_for_all(RemotePartials(self._connected().files, self._staging, {}).sweep())

    def remove(self, keys: Sequence[str]) -> None:
        checked_removable(keys)
        session = self._connected()
        for key in keys:
            if session.files.takes(key):
                self._run_for_all(session.files.discard(session.files.path(key)))

    def close(self) -> None:
        self._disconnect()
        login, self._login = self._login, None
        if login is not None:
            self._loop.run(given_up(login))
        self._loop.close()

    def _run(self, key: str, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        with calling(self.name, key):
            return self._loop.run(coroutine)

    def _run_for_all(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run what is about the destination as a whole: whatever goes wrong is a DestinationLost."""
        try:
            return self._run(OWN_PREFIX, coroutine)
        except CopyError as error:
            raise DestinationLost(error.message, error.hint) from error

    def _connected(self) -> Session:
        """The session, a new one if the last was lost. Raises DestinationLost, ConfigurationError."""
        if self._session is None or not self.is_connected:
            self._disconnect()
            login, self._login = self._login, None
            self._session = self._loop.run(opened_session(self.name, self._settings, self._abilities, login))
            self._abilities = self._session.abilities
            self._confirm_identity(self._session, self._session.look)
        return self._session

    def _confirm_identity(self, session: Session, look: Look | None = None) -> None:
        """A root that does not carry its identity any more is the mount point of a disk that has gone."""
        if self._identity.is_in(look) if look else self._run_for_all(self._identity.is_there(session.files)):
            return
        raise self._refused()

    def _refused(self) -> DestinationRefused:
        self._disconnect()
        return not_ours(self.name, self._settings.directory)

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._loop.run(session.connection.close())


async def _sized(
    files: RemoteFiles, keys: Sequence[str], identity: Identity
) -> tuple[list[int | Exception | None], bool]:
    """The sizes of objects, and whether the root is ours: asked for together."""
    return await asyncio.gather(each(files.size, keys), identity.is_there(files))


async def _open(sftp: asyncssh.SFTPClient, path: bytes) -> asyncssh.SFTPClientFile:
    return await sftp.open(path, "rb")
