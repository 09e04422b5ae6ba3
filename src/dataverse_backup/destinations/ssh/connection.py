"""One connection to the server: the login, the SFTP session, and remote commands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncssh

from dataverse_backup.destinations.ssh.client_options import ClientConfiguration, connection_options
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, words
from dataverse_backup.destinations.ssh.host_keys import SSH_PORT, HostKeys
from dataverse_backup.errors import ConfigurationError, DestinationLost

if TYPE_CHECKING:
    from dataverse_backup.destinations.ssh.settings import SshSettings

_LOGIN_ERRORS: tuple[type[Exception], ...] = (*VENDOR_ERRORS, asyncssh.KeyImportError)
CLOSING_TIMEOUT = 5.0
"""Seconds that a server has for saying good-bye."""


class _Client(asyncssh.SSHClient):
    """What asyncssh asks and tells us."""

    def __init__(self, host_keys: HostKeys) -> None:
        self._host_keys = host_keys
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._host_keys.judge(host, addr, port, key)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a remote command left behind."""

    status: int | None
    output: bytes
    errors: str


@dataclass(slots=True)
class Connection:
    """A login and its SFTP session. Every method runs in the event loop's thread."""

    ssh: asyncssh.SSHClientConnection
    sftp: asyncssh.SFTPClient
    _client: _Client

    @property
    def lost(self) -> bool:
        """Whether it is over."""
        return self._client.lost

    async def run(self, command: str, given: bytes, limit: float | None = None) -> Answer:
        """Run a constant *command* with *given* on its input. Raises TimeoutError after *limit* seconds."""
        async with asyncio.timeout(limit):
            return _answer(await self.ssh.run(command, input=given, encoding=None))

    async def start(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        """Start a constant *command* whose input is fed piece by piece."""
        return await self.ssh.create_process(command, encoding=None)

    async def ended(self, process: asyncssh.SSHClientProcess[bytes]) -> Answer:
        """Wait for a started command. Raises ConnectionLost when it did not end by itself."""
        answer = _answer(await process.wait())
        if self.lost:
            raise asyncssh.ConnectionLost("the connection ended before the remote command did")
        return answer

    async def close(self) -> None:
        """Say good-bye, and go in any case."""
        with suppress(*VENDOR_ERRORS):
            async with asyncio.timeout(CLOSING_TIMEOUT):
                self.sftp.exit()
                self.ssh.close()
                await self.ssh.wait_closed()
        self.ssh.abort()


async def connected(place: str, settings: SshSettings) -> Connection:
    """Log in. Raises ConfigurationError, DestinationRefused for a host key, DestinationLost for everything else."""
    configuration = ClientConfiguration.of(settings)
    host_keys = HostKeys(configuration.known_hosts(settings), settings.accept_new_host_keys)
    client = _Client(host_keys)
    try:
        ssh = await asyncssh.connect(
            **connection_options(settings, configuration), known_hosts=host_keys.known, client_factory=lambda: client
        )
    except _LOGIN_ERRORS as error:
        raise _refusal(place, settings, host_keys, error) from error
    except ValueError as error:
        raise ConfigurationError(f"{place}: the ssh configuration cannot be used: {words(error)}") from error
    return await _with_sftp(place, ssh, client)


async def _with_sftp(place: str, ssh: asyncssh.SSHClientConnection, client: _Client) -> Connection:
    try:
        return Connection(ssh, await ssh.start_sftp_client(), client)
    except VENDOR_ERRORS as error:
        ssh.abort()
        raise DestinationLost(
            f"{place}: the server offers no SFTP: {words(error)}", "enable the sftp subsystem in its sshd_config"
        ) from error


def _refusal(place: str, settings: SshSettings, host_keys: HostKeys, error: Exception) -> DestinationLost:
    """Why there is no connection, with what to do about it."""
    host, said = settings.host, words(error)
    if isinstance(error, asyncssh.HostKeyNotVerifiable) or "host key" in said.lower():
        refused = host_keys.refused(host, settings.port or SSH_PORT, said)
        return type(refused)(f"{place}: {refused.message}", refused.hint)
    if isinstance(error, asyncssh.PermissionDenied):
        hint = "log in with a key that needs no question answered: put it into authorized_keys, ssh-add it if encrypted"
        return DestinationLost(f"{place}: {host} refuses the login: {said}", hint)
    if isinstance(error, asyncssh.KeyImportError):
        return DestinationLost(f"{place}: the private key cannot be used: {said}", "if it is encrypted, ssh-add it")
    return DestinationLost(f"{place}: {host} cannot be reached: {said}", f"try: ssh {host}")


def _answer(done: asyncssh.SSHCompletedProcess) -> Answer:
    return Answer(done.exit_status, _bytes(done.stdout), _bytes(done.stderr).decode(errors="replace"))


def _bytes(output: Any) -> bytes:
    return output if isinstance(output, bytes) else str(output or "").encode()
