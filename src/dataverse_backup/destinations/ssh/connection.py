"""One connection to the server: the login, the SFTP session, and remote commands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncssh

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, words
from dataverse_backup.destinations.ssh.login import Client, Login
from dataverse_backup.destinations.ssh.route import route_to
from dataverse_backup.errors import DestinationLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataverse_backup.destinations.ssh.settings import SshSettings

CLOSING_TIMEOUT = 5.0
"""Seconds that a server has for saying good-bye."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a remote command left behind."""

    status: int | None
    output: bytes
    errors: str


@dataclass(slots=True)
class Connection:
    """A login, its SFTP session, and the logins on the way to it. Every method runs in the event loop's thread."""

    ssh: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    _client: Client
    _on_the_way: Sequence[asyncssh.SSHClientConnection]

    @property
    def lost(self) -> bool:
        """Whether it is over."""
        return self._client.lost

    @property
    def server(self) -> str:
        """The server's name and version, as it says them."""
        return str(self.ssh.get_extra_info("server_version", ""))

    @property
    def is_openssh(self) -> bool:
        """Whether the server says that it is OpenSSH's."""
        return self.server.startswith("SSH-2.0-OpenSSH")

    async def run(self, command: str, given: bytes, limit: float | None = None) -> Answer:
        """Run a constant *command* with *given* on its input. Raises TimeoutError after *limit* seconds."""
        async with asyncio.timeout(limit):
            return self._answer(await self.ssh.run(command, input=given, encoding=None))

    async def start(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        """Start a constant *command* whose input is fed piece by piece."""
        return await self.ssh.create_process(command, encoding=None)

    async def ended(self, process: asyncssh.SSHClientProcess[bytes]) -> Answer:
        """Wait for a started command. Raises ConnectionLost when it did not end by itself."""
        return self._answer(await process.wait())

    def _answer(self, done: asyncssh.SSHCompletedProcess) -> Answer:
        if self.lost:
            raise asyncssh.ConnectionLost("the connection ended before the remote command did")
        return Answer(done.exit_status, _bytes(done.stdout), _bytes(done.stderr).decode(errors="replace"))

    async def close(self) -> None:
        """Say good-bye, and go in any case."""
        with suppress(*VENDOR_ERRORS):
            async with asyncio.timeout(CLOSING_TIMEOUT):
                self.sftp.exit()
                self.ssh.close()
                await self.ssh.wait_closed()
        _abort([*self._on_the_way, self.ssh])


async def connected(place: str, settings: SshSettings) -> Connection:
    """Log in. Raises ConfigurationError, DestinationRefused for a host key, DestinationLost for everything else."""
    *jumps, last = route_to(settings)
    logins: list[asyncssh.SSHClientConnection] = []
    try:
        for hop in jumps:
            login, _ = await Login(place, settings, hop, is_last=False).connect(logins[-1] if logins else None)
            logins.append(login)
        login, client = await Login(place, settings, last, is_last=True).connect(logins[-1] if logins else None)
        return Connection(login, await _sftp(place, login), client, logins)
    except BaseException:
        _abort(logins)
        raise


async def _sftp(place: str, login: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    try:
        return await login.start_sftp_client()
    except VENDOR_ERRORS as error:
        login.abort()
        raise DestinationLost(
            f"{place}: the server offers no SFTP: {words(error)}", "enable the sftp subsystem in its sshd_config"
        ) from error


def _abort(logins: Sequence[asyncssh.SSHClientConnection]) -> None:
    for login in reversed(logins):
        login.abort()


def _bytes(output: Any) -> bytes:
    return output if isinstance(output, bytes) else str(output or "").encode()
