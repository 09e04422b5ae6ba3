"""What one connection found out about the destination."""

from __future__ import annotations

import asyncio
import posixpath
import secrets
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

from dataverse_backup.destinations.base import OWN_PREFIX, SCRATCH_PREFIX, Traits
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.agent import Agent
from dataverse_backup.destinations.ssh.connection import Connection, connected
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, words
from dataverse_backup.destinations.ssh.files import RemoteFiles
from dataverse_backup.destinations.ssh.shell import probed_shell
from dataverse_backup.errors import ConfigurationError, DestinationLost
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.destinations.ssh.shell import Shell


@dataclass(slots=True)
class Session:
    """A connection, the files on it, and the shell if there is one."""

    connection: Connection
    files: RemoteFiles
    abilities: Abilities
    traits: Traits
    is_assumed: bool
    """Whether the abilities are those of an earlier connection, and may hold no more."""
    _agent: Agent | None = None

    @property
    def shell(self) -> Shell | None:
        """The account's shell, where it has one that is of use."""
        return self.abilities.shell

    @property
    def durable(self) -> Durability:
        """What a receipt may say."""
        return self.traits.durable

    async def agent(self) -> Agent | None:
        """Our program over there, where it can run; started if it does not."""
        if self.shell is None or not self.shell.has_python:
            return None
        if self._agent is None or self._agent.is_over:
            started = Agent.started(self.connection, self.shell, self.files.root, self.files.dir_mode)
            self._agent = self.connection.agent = await started
        return self._agent

    async def synced(self) -> str | None:
        """Bring bytes and names to the disk, where there is a command for it: its complaint, or None."""
        if self.shell is None:
            return None
        answer = await self.shell.synced(self.connection, self.files.root)
        return None if answer.status == 0 else f"sync: {answer.errors}"


async def opened_session(place: str, settings: SshSettings, assumed: Abilities | None) -> Session:
    """Connect, and probe unless something is *assumed*. Raises DestinationLost, DestinationRefused, ConfigurationError.

    Probing takes some fifteen round trips, and the time of a login shell.
    """
    connection = await connected(place, settings)
    try:
        root = await connection.patiently(_checked_root(place, connection, settings.directory))
        connection.watch(root)
        files = RemoteFiles(place, connection.sftp, root, settings.file_mode, settings.dir_mode)
        files.keeps_control_characters = connection.is_openssh
        if assumed is not None and assumed.server == connection.server:
            return _assumed(connection, files, assumed)
        return await _probed(connection, files, settings.where)
    except VENDOR_ERRORS as error:
        await connection.close()
        raise DestinationLost(
            f"{place}: {settings.directory}: nothing can be stored there: {words(error)}",
            f"check that the account may write there: ssh {settings.host} ls -ld {settings.directory}",
        ) from error
    except BaseException:
        await connection.close()
        raise


async def _checked_root(place: str, connection: Connection, directory: str) -> bytes:
    """The absolute path of the root, which must be a directory."""
    if "\n" in directory or "\0" in directory:
        raise ConfigurationError(f"{place}: {directory!r} cannot be the name of a backup directory")
    wanted = directory.removeprefix("~/") if directory != "~" else "."
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
    traits = _traits(abilities, free_bytes=None, clock_skew=None)
    return Session(connection, files, abilities, traits, is_assumed=True)


async def _probed(connection: Connection, files: RemoteFiles, where: str) -> Session:
    """Try everything out in a scratch directory of our own."""
    scratch = files.path(f"{SCRATCH_PREFIX}/{secrets.token_hex(8)}")
    content = secrets.token_hex(16).encode()
    is_old, free_bytes = await asyncio.gather(files.exists(files.path(OWN_PREFIX)), _free_bytes(files))
    try:
        await files.make_directories(scratch)
        files.can_fsync, files.rename_overwrites, (skew, folds, shell) = await asyncio.gather(
            _fsyncs(files, posixpath.join(scratch, b"fsync")),
            _overwrites(files, *(posixpath.join(scratch, name) for name in (b"a", b"b"))),
            _seen(connection, files, scratch, content),
        )
    finally:
        await _cleared(files, scratch, is_new=not is_old)
    abilities = Abilities(where, connection.server, files.can_fsync, files.rename_overwrites, folds, shell)
    traits = _traits(abilities, free_bytes=free_bytes, clock_skew=skew)
    return Session(connection, files, abilities, traits, is_assumed=False)


async def _seen(
    connection: Connection, files: RemoteFiles, scratch: bytes, content: bytes
) -> tuple[float | None, bool, Shell | None]:
    """What is seen of a file ``probe``: seconds that the clock is ahead, whether names are folded, the useful shell."""
    probe, before = posixpath.join(scratch, b"probe"), time.time()
    file = await files.create(probe)
    try:
        await file.write(content, 0)
    finally:
        await file.close()
    return await asyncio.gather(
        _skew(files, probe, before),
        files.exists(posixpath.join(scratch, b"PROBE")),
        probed_shell(connection, scratch, content),
    )


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


async def _skew(files: RemoteFiles, path: bytes, before: float) -> float | None:
    """Seconds that the server's clock is ahead, as far as its whole seconds can tell."""
    modified = (await files.sftp.stat(path)).mtime
    if modified is None:
        return None
    now = time.time()
    if before - 1 <= modified <= now:
        return 0.0
    return modified - now if modified > now else modified + 1 - before


def _traits(abilities: Abilities, *, free_bytes: int | None, clock_skew: float | None) -> Traits:
    shell = abilities.shell
    hashes = tuple(shell.hashes.values()) if shell else ()
    by_fsync = Durability.DATA_ONLY if abilities.can_fsync else Durability.NOT_OFFERED
    return Traits(
        folds_case=abilities.folds_case,
        hashes=hashes if len(hashes) == len(Algorithm) else (*hashes, VerifiedBy.READ_BACK),
        durable=Durability.YES if shell else by_fsync,
        free_bytes=free_bytes,
        clock_skew=clock_skew,
        remarks=_remarks(shell),
    )


def _remarks(shell: Shell | None) -> tuple[str, ...]:
    """How copies travel, for people."""
    if shell is None:
        return ("copies travel file by file over SFTP: the account has no shell that could unpack and hash them",)
    how = "by one command" if shell.has_python else "file by file, for there is no python3"
    return (f"small files travel as one tar stream, and a batch gets its names {how}",)


async def _free_bytes(files: RemoteFiles) -> int | None:
    try:
        system = await files.sftp.statvfs(files.root)
    except asyncssh.SFTPError:
        return None
    return system.bavail * system.frsize


async def _cleared(files: RemoteFiles, scratch: bytes, *, is_new: bool) -> None:
    """Remove what was made. All is asked for at once; a server that answers out of turn may leave empty directories."""
    ours = [files.path(SCRATCH_PREFIX), files.path(OWN_PREFIX)]
    left = [scratch, *ours] if is_new else [scratch]  # in an old place a worker of ours may be about to use these
    removed = (files.sftp.remove(posixpath.join(scratch, name)) for name in (b"probe", b"fsync", b"b", b"a"))
    await asyncio.gather(*removed, *map(files.remove_directory, left), return_exceptions=True)
