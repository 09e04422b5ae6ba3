"""One connection to the server: the login, the SFTP session, and remote commands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh
from asyncssh.constants import OPEN_REQUEST_SESSION_FAILED

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.login import Client, Login
from dataverse_backup.destinations.ssh.remarks import words
from dataverse_backup.destinations.ssh.route import route_to
from dataverse_backup.errors import DestinationLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from dataverse_backup.destinations.ssh.agent import Agent
    from dataverse_backup.destinations.ssh.settings import SshSettings

_Result = TypeVar("_Result")

CLOSING_TIMEOUT = 5.0
"""Seconds that a server has for saying good-bye."""

_ROOM_DELAYS = (0.0, 0.05, 0.2, 1.0)
"""Seconds before each further try to open a channel after our program has left one: a server may notice that later."""


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
    _client: Client
    _on_the_way: Sequence[asyncssh.SSHClientConnection]
    _patience: float
    """Seconds without an answer after which it is given up."""
    _watching: asyncio.Task[None] | None = None
    agent: Agent | None = None
    """Our program over there, where it was started."""
    is_mute: bool = False
    """Whether a command was never answered, as happens where an account has no shell."""
    is_narrow: bool = False
    """Whether the server accepts one channel on a connection: there is SFTP, and no command can run beside it."""
    sftp: asyncssh.SFTPClient = field(init=False)
    """Once it was opened."""

    @property
    def lost(self) -> bool:
        """Whether it is over."""
        return self._client.lost

    @property
    def server(self) -> str:
        """The server's name and version, as it says them."""
        return str(self.ssh.get_extra_info("server_version", ""))

    async def open_sftp(self, place: str) -> None:
        """Open the SFTP session, before which there is none. Raises DestinationLost."""
        try:
            self.sftp = await self._in_a_channel(self.ssh.start_sftp_client)
        except VENDOR_ERRORS as error:
            said = f"{place}: the server offers no SFTP: {words(error)}"
            raise DestinationLost(said, "enable the sftp subsystem in its sshd_config") from error

    async def run(self, command: str, given: bytes, limit: float | None = None) -> Answer:
        """Run a constant *command* with *given* on its input. Raises TimeoutError after *limit* seconds."""
        async with asyncio.timeout(limit):
            return self._answer(
                await self._in_a_channel(lambda: self.ssh.run(command, input=given, encoding=None)),
            )

    async def start(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        """Start a constant *command* whose input is fed piece by piece."""
        return await self._in_a_channel(lambda: self.ssh.create_process(command, encoding=None))

    async def _in_a_channel(
        self, opened: Callable[[], Awaitable[_Result]], delays: Sequence[float] = _ROOM_DELAYS
    ) -> _Result:
        """What is *opened* in a new channel; where no more are accepted our program gives up its own for it.

        Raises ChannelOpenError.
        """
        try:
            return await opened()
        except asyncssh.ChannelOpenError as refused:
            if refused.code == OPEN_REQUEST_SESSION_FAILED:  # there was a channel, and not what was to be in it
                raise
            if self.agent is None or not delays:
                self.is_narrow = True
                raise
        await self.agent.stop()
        await asyncio.sleep(delays[0])
        return await self._in_a_channel(opened, delays[1:])

    async def feed(self, process: asyncssh.SSHClientProcess[bytes], piece: bytes) -> None:
        """Give a started command more input. Raises ConnectionLost where it takes nothing any more."""
        process.stdin.write(piece)
        await self.patiently(process.stdin.drain())

    async def ended(self, process: asyncssh.SSHClientProcess[bytes]) -> Answer:
        """Wait for a started command. Raises ConnectionLost when it did not end by itself."""
        return self._answer(await self.patiently(process.wait()))

    async def patiently(self, answer: Coroutine[Any, Any, _Result]) -> _Result:
        """Wait for *answer*; where none comes the connection is given up. Raises ConnectionLost."""
        try:
            async with asyncio.timeout(self._patience):
                return await answer
        except TimeoutError as error:
            if self.lost:
                raise
            self.give_up()
            raise asyncssh.ConnectionLost(f"the server is there, and did nothing for {self._patience:g} s") from error

    def watch(self, directory: bytes) -> None:
        """Ask about *directory* now and then: on a disk that hangs nothing is answered, and nobody waits for that."""
        self._watching = asyncio.get_running_loop().create_task(self._watch(directory))

    async def _watch(self, directory: bytes) -> None:
        while not self.lost:
            await asyncio.sleep(self._patience / 10)
            with suppress(*VENDOR_ERRORS):
                await self.patiently(self.sftp.stat(directory))

    def give_up(self) -> None:
        """End it at once, without a word."""
        self._client.lost = True
        _abort([*self._on_the_way, self.ssh])

    def _answer(self, done: asyncssh.SSHCompletedProcess) -> Answer:
        if self.lost:
            raise asyncssh.ConnectionLost("the connection ended before the remote command did")
        return Answer(done.exit_status, _bytes(done.stdout), _bytes(done.stderr).decode(errors="replace"))

    async def close(self) -> None:
        """Say good-bye, and go in any case."""
        if self._watching is not None:
            self._watching.cancel()
        with suppress(*VENDOR_ERRORS):
            async with asyncio.timeout(CLOSING_TIMEOUT):
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
        return Connection(login, client, logins, settings.stall_timeout)
    except BaseException:
        _abort(logins)
        raise


def _abort(logins: Sequence[asyncssh.SSHClientConnection]) -> None:
    for login in reversed(logins):
        login.abort()


def _bytes(output: Any) -> bytes:
    return output if isinstance(output, bytes) else str(output or "").encode()
