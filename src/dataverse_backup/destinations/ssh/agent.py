"""Our program over there (`remote_agent`): started when it is first of use, and there until the connection ends."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.shell import Revealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncssh

    from dataverse_backup.destinations.ssh.connection import Connection
    from dataverse_backup.destinations.ssh.shell import Shell

_COMPLAINT_LENGTH = 400


class AgentGone(Exception):
    """The program ended, and said why on its error output."""


class Agent:
    """A running `remote_agent`. Every method runs in the event loop's thread."""

    def __init__(self, connection: Connection, process: asyncssh.SSHClientProcess[bytes]) -> None:
        """Ask *process*, which was started as `Shell.agent` says."""
        self._connection, self._process = connection, process
        self.is_over = False
        """Whether it is of no use any more."""

    @classmethod
    async def started(cls, connection: Connection, shell: Shell, root: bytes, dir_mode: int) -> Self:
        """One that works in *root*. What it cannot do shows with the first request."""
        command, given = shell.agent(root, dir_mode)
        agent = cls(connection, await connection.patiently(connection.start(command)))
        await agent.tell(given)
        return agent

    async def tell(self, data: bytes) -> None:
        """Give it input. Raises AgentGone, and ConnectionLost where it takes nothing any more."""
        try:
            await self._connection.feed(self._process, data)
        except OSError as error:
            if self._connection.lost:
                raise
            raise await self._gone() from error

    async def ask(self, request: bytes) -> list[bytes]:
        """The lines of its answer. Raises AgentGone and ConnectionLost."""
        await self.tell(request)
        lines: list[bytes] = []
        while (line := await self._connection.patiently(self._process.stdout.readline())) != b".\n":
            if not line.endswith(b"\n"):
                raise await self._gone()
            lines.append(line[:-1])
        return lines

    async def name(self, directory: str, names: Sequence[tuple[bytes, bytes]]) -> Revealed:
        """Give what is staged in *directory* its names, pairs of staged name and key, and sync."""
        words = b"".join(word + b"\0" for pair in names for word in pair)
        return Revealed.of(await self.ask(b"name %d %s\n%s" % (len(words), directory.encode(), words)))

    async def _gone(self) -> AgentGone:
        """Why it is. Raises ConnectionLost where that is because of the connection."""
        self.is_over = True
        answer = await self._connection.ended(self._process)
        return AgentGone(answer.errors[-_COMPLAINT_LENGTH:].strip() or "our program over there ended without a word")

    async def stop(self) -> None:
        """Let it end, and wait for that: what was on its way to it must not be done later, behind our back."""
        if self.is_over or self._connection.lost:
            return
        self.is_over = True
        with suppress(*VENDOR_ERRORS):
            self._process.stdin.write_eof()
            await self._connection.ended(self._process)

    def end(self) -> None:
        """Ask nothing more, and wait for nothing."""
        if not self.is_over:
            self.is_over = True
            self._process.close()
