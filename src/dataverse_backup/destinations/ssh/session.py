"""What one connection found out about the destination."""

from __future__ import annotations

import asyncio
import os
import posixpath
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import ABANDONED_SECONDS, OWN_PREFIX, TRIAL_PREFIX, trial_folder
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.agent import Agent, AgentGone
from dataverse_backup.destinations.ssh.connection import Connection, connected
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.files import RemoteFiles, read_bytes
from dataverse_backup.destinations.ssh.paths import Paths, is_openssh
from dataverse_backup.destinations.ssh.probing import PROBE_TIMEOUT, known_by_probe, probed_shell
from dataverse_backup.destinations.ssh.remarks import words
from dataverse_backup.errors import ConfigurationError, DataverseBackupError, DestinationLost

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dataverse_backup.destinations.base import Traits
    from dataverse_backup.destinations.ssh.agent import Look
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.destinations.ssh.shell import Shell
    from dataverse_backup.fixity import Durability

_NO_ANSWER: tuple[type[Exception], ...] = (AgentGone, ValueError, KeyError, *VENDOR_ERRORS)
"""Where our program does not run, or says what makes no sense."""

_FRESH_SECONDS = 5.0
"""So long what was seen counts as what there is, for who connects and then asks."""


@dataclass(frozen=True, slots=True)
class _Trying:
    """What is tried out with."""

    scratch: str = field(default_factory=trial_folder)
    """Whether the place is new is not known yet."""
    content: bytes = field(default_factory=lambda: secrets.token_hex(16).encode())
    began: float = field(default_factory=time.time)


@dataclass(slots=True)
class Session:
    """A connection, the files on it, and the shell if there is one."""

    connection: Connection
    files: RemoteFiles
    abilities: Abilities
    traits: Traits
    is_assumed: bool
    """Whether the abilities are those of an earlier connection, and may hold no more."""
    look: Look | None = None
    """What there was when it was opened, where our program could say so."""
    opened: float = field(default_factory=time.monotonic)

    @property
    def shell(self) -> Shell | None:
        """The account's shell, where it has one that is of use, and there is a channel for it."""
        return None if self.connection.is_narrow else self.abilities.shell

    @property
    def durable(self) -> Durability:
        """What a receipt may say."""
        return replace(self.abilities, shell=self.shell).traits().durable

    def take_look(self) -> Look | None:
        """What our program has just seen, once; None where that is not so any more."""
        look, self.look = self.look, None
        return look if time.monotonic() - self.opened < _FRESH_SECONDS else None

    async def agent(self) -> Agent | None:
        """Our program over there, where it can run; started if it does not."""
        if self.shell is None or not self.shell.has_python:
            return None
        agent = self.connection.agent
        if agent is None or agent.is_over:
            started = Agent.started(self.connection, self.shell.sync, self.files.root, self.files.dir_mode)
            agent = self.connection.agent = await started
        return agent

    async def synced(self) -> str | None:
        """Bring bytes and names to the disk, where there is a command for it: its complaint, or None."""
        if self.shell is None:
            return None
        answer = await self.shell.synced(self.connection, self.files.root)
        return None if answer.status == 0 else f"sync: {answer.errors}"


async def opened_session(
    place: str, settings: SshSettings, assumed: Abilities | None, login: Future[Connection] | None = None
) -> Session:
    """Connect, and probe unless something is *assumed*. Raises DestinationLost, DestinationRefused, ConfigurationError.

    A *login* that was begun before is used, unless it failed.

    All that can be asked at the same time is: over a slow line each round trip counts. Where our program runs over
    there it says in one answer what there is; where it does not, probing takes some fifteen round trips, and the time
    of a login shell.
    """
    if "\n" in settings.directory or "\0" in settings.directory:
        raise ConfigurationError(f"{place}: {settings.directory!r} cannot be the name of a backup directory")
    connection = await _taken(login) or await connected(place, settings)
    if assumed is not None and assumed.server != connection.server:
        assumed = None
    connection.is_narrow = assumed is not None and assumed.channels == 1
    try:
        sftp = asyncio.ensure_future(connection.open_sftp(place))  # first: it may be the only channel that is allowed
        trying = _Trying()
        look, _ = await asyncio.gather(_looked(connection, settings, assumed, trying), sftp)
        if connection.is_narrow and assumed is not None and assumed.channels > 1:
            assumed = None
        return await _begun(place, connection, settings, assumed, (look, trying) if look else None)
    except VENDOR_ERRORS as error:
        await connection.close()
        raise DestinationLost(
            f"{place}: {settings.directory}: nothing can be stored there: {words(error)}",
            f"check that the account may write there: ssh {settings.host} ls -ld {settings.directory}",
        ) from error
    except BaseException:
        await connection.close()
        raise


async def _taken(login: Future[Connection] | None) -> Connection | None:
    """The connection that was begun, if it is there."""
    if login is None:
        return None
    try:
        connection = await asyncio.wrap_future(login)
    except DataverseBackupError:  # why so shows with the next one
        return None
    return None if connection.lost else connection


async def given_up(login: Future[Connection]) -> None:
    """Nobody needs the connection that was begun."""
    if not login.cancel() and (connection := await _taken(login)) is not None:
        connection.give_up()


async def _looked(
    connection: Connection, settings: SshSettings, assumed: Abilities | None, trying: _Trying
) -> Look | None:
    """What our program says that there is; None where it cannot run. It is *trying* then, if nothing is assumed."""
    shell = assumed.shell if assumed is not None else None
    if connection.is_narrow or (assumed is not None and (shell is None or not shell.has_python)):
        return None
    directory = posixpath.join(b".", _wanted(settings.directory).encode())  # a login shell begins in the home
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            started = Agent.started(connection, shell.sync if shell else "", directory, settings.dir_mode)
            connection.agent = await started
            return await (connection.agent.look() if assumed else connection.agent.look(trying.scratch, trying.content))
    except _NO_ANSWER as error:
        if connection.lost:
            raise
        connection.is_mute = isinstance(error, TimeoutError)
        if connection.agent is not None:
            connection.agent.end()
        return None


def _wanted(directory: str) -> str:
    """*directory* as it is said to be, from the home of the account, or absolute."""
    return directory.removeprefix("~/") if directory != "~" else "."


async def _begun(
    place: str,
    connection: Connection,
    settings: SshSettings,
    assumed: Abilities | None,
    looked: tuple[Look, _Trying] | None,
) -> Session:
    """The session on an open *connection*, where our program has *looked* unless it could not."""
    if looked is None:
        root = await connection.patiently(_checked_root(place, connection, settings.directory))
    else:
        root = posixpath.normpath(looked[0].root)
    paths = Paths(place, root, keeps_control_characters=is_openssh(connection.server))
    files = RemoteFiles(paths, connection.sftp, settings.file_mode, settings.dir_mode)
    if assumed is not None:
        session = _assumed(connection, files, assumed)
    elif looked is not None and connection.agent is not None:
        found = await _tried_out(connection.agent, connection, files, settings.where, looked)
        if found is None:  # it sees other files than SFTP does, or cannot write
            connection.agent.end()
            return await _begun(place, connection, settings, None, None)
        session = found
    else:
        session = await _probed(connection, files, settings)
    session.look = looked[0] if looked else None
    connection.watch(root)
    return session


async def _checked_root(place: str, connection: Connection, directory: str) -> bytes:
    """The absolute path of the root, which must be a directory."""
    wanted = _wanted(directory)
    home = b"/" if wanted.startswith("/") else await connection.sftp.realpath(b".")
    root = posixpath.normpath(posixpath.join(home, wanted.encode()))
    try:
        found = await connection.sftp.stat(root)
    except asyncssh.SFTPNoSuchFile as error:
        hint = f"is a disk not mounted? The first time, make it: mkdir -p {directory}"
        raise DestinationLost(f"{place}: {directory} does not exist over there", hint) from error
    if not stat.S_ISDIR(found.permissions or 0):
        raise DestinationLost(f"{place}: {directory} is not a directory")
    return root


def _assumed(connection: Connection, files: RemoteFiles, abilities: Abilities) -> Session:
    files.can_fsync, files.rename_overwrites = abilities.can_fsync, abilities.rename_overwrites
    traits = abilities.traits()
    return Session(connection, files, abilities, traits, is_assumed=True)


async def _tried_out(
    agent: Agent, connection: Connection, files: RemoteFiles, where: str, looked: tuple[Look, _Trying]
) -> Session | None:
    """What our program finds out, and what SFTP does beside what it made; None where they do not see the same."""
    look, trying = looked
    scratch = files.path(trying.scratch)
    coming = asyncio.ensure_future(connection.patiently(agent.trial()))
    try:
        can_fsync, overwrites, is_same = await asyncio.gather(
            _fsyncs(files, posixpath.join(scratch, b"fsync")),
            _overwrites(files, *(posixpath.join(scratch, other) for other in (b"a", b"b"))),
            _holds(files, posixpath.join(scratch, b"probe"), trying.content),
        )
        trial = await coming
    except _NO_ANSWER:
        if connection.lost:
            raise
        return None
    finally:
        with suppress(*_NO_ANSWER):  # it was raised above
            await coming  # our program answers one question after the other
        with suppress(AgentGone):
            await agent.clear()
    skew = _skew(trial.modified, trying.began)
    shell = known_by_probe(trial.said, trying.content)
    if not is_same or shell is None or not shell.has_python:
        return None
    await agent.use(shell.sync)
    files.can_fsync, files.rename_overwrites = can_fsync, overwrites
    root, folds = os.fsdecode(files.root), trial.folds_case
    abilities = Abilities(where, root, connection.server, can_fsync, overwrites, folds, shell)
    traits = abilities.traits(look.free_bytes, skew)
    return Session(connection, files, abilities, traits, is_assumed=False)


async def _holds(files: RemoteFiles, path: bytes, content: bytes) -> bool:
    async with files.sftp.open(path, "rb") as file:
        return await read_bytes(file, len(content) + 1, 0) == content


async def _probed(connection: Connection, files: RemoteFiles, settings: SshSettings) -> Session:
    """Try everything out in a scratch directory of our own."""
    content = secrets.token_hex(16).encode()
    is_old, free_bytes = await asyncio.gather(files.exists(files.path(OWN_PREFIX)), _free_bytes(files))
    scratch = files.path(trial_folder(is_new=not is_old))
    try:
        await files.make_directories(scratch)
        files.can_fsync, files.rename_overwrites, (skew, folds, shell) = await asyncio.gather(
            _fsyncs(files, posixpath.join(scratch, b"fsync")),
            _overwrites(files, *(posixpath.join(scratch, name) for name in (b"a", b"b"))),
            _seen(connection, files, settings, scratch, content),
        )
    finally:
        await _cleared(files, scratch)
    root, overwrites, channels = os.fsdecode(files.root), files.rename_overwrites, 1 if connection.is_narrow else 2
    abilities = Abilities(
        settings.where, root, connection.server, files.can_fsync, overwrites, folds, shell, channels=channels
    )
    traits = abilities.traits(free_bytes, skew)
    return Session(connection, files, abilities, traits, is_assumed=False)


async def _seen(
    connection: Connection, files: RemoteFiles, settings: SshSettings, scratch: bytes, content: bytes
) -> tuple[float | None, bool, Shell | None]:
    """What is seen of a file ``probe``: seconds that the clock is ahead, whether names are folded, the useful shell."""
    probe, before = posixpath.join(scratch, b"probe"), time.time()
    file = await files.create(probe)
    try:
        await file.write(content, 0)
    finally:
        await file.close()
    return await asyncio.gather(
        _skew_of(files, probe, before),
        files.exists(posixpath.join(scratch, b"PROBE")),
        _seen_shell(connection, settings, scratch, content),
    )


async def _seen_shell(connection: Connection, settings: SshSettings, scratch: bytes, content: bytes) -> Shell | None:
    """The useful shell; over another connection where this one has no channel for it, if there is room for that."""
    if not connection.is_narrow:
        return await probed_shell(connection, scratch, content)
    try:
        another = await connected(settings.host, settings)
    except DataverseBackupError:
        return None
    try:
        return await probed_shell(another, scratch, content)
    except VENDOR_ERRORS:
        return None
    finally:
        await another.close()


async def _fsyncs(files: RemoteFiles, path: bytes) -> bool:
    file = await files.create(path)
    try:
        await file.fsync()
    except asyncssh.SFTPOpUnsupported:
        return False
    finally:
        await file.close()
    return True


async def _overwrites(files: RemoteFiles, one: bytes, other: bytes) -> bool:
    """Whether renaming *one* to *other*, which exists, succeeds."""
    await asyncio.gather(_made_empty(files, one), _made_empty(files, other))
    try:
        await files.sftp.rename(one, other)
    except asyncssh.SFTPError:
        return False
    return True


async def _made_empty(files: RemoteFiles, path: bytes) -> None:
    await (await files.create(path)).close()


async def _skew_of(files: RemoteFiles, path: bytes, before: float) -> float | None:
    """Seconds that the server's clock is ahead by a file that was made after *before*; None where it has no time."""
    modified = (await files.sftp.stat(path)).mtime
    return None if modified is None else _skew(modified, before)


def _skew(modified: int, before: float) -> float:
    """Seconds that a clock is ahead by which something was *modified* since *before*, as whole seconds can tell."""
    now = time.time()
    if before - 1 <= modified <= now:
        return 0.0
    return modified - now if modified > now else modified + 1 - before


async def _free_bytes(files: RemoteFiles) -> int | None:
    try:
        system = await files.sftp.statvfs(files.root)
    except asyncssh.SFTPError:
        return None
    return system.bavail * system.frsize


async def _cleared(files: RemoteFiles, scratch: bytes) -> None:
    """Remove what was made. All is asked for at once; a server that answers out of turn may leave an empty folder."""
    removed = (files.sftp.remove(posixpath.join(scratch, name)) for name in (b"probe", b"fsync", b"b", b"a"))
    abandoned = _clear_abandoned(files)
    await asyncio.gather(*removed, files.remove_directory(scratch), abandoned, return_exceptions=True)


async def _clear_abandoned(files: RemoteFiles) -> None:
    for entry in await files.sftp.readdir(files.root):
        name, modified = os.fsdecode(entry.filename), entry.attrs.mtime
        if name.startswith(TRIAL_PREFIX) and modified is not None and time.time() - modified > ABANDONED_SECONDS:
            await files.sftp.rmtree(files.path(name))
