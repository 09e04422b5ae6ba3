"""Our program over there (`remote_agent`): started when it is first of use, and there until the connection ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from dataverse_backup.destinations.base import IDENTITY_KEY
from dataverse_backup.destinations.ssh import shell
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS
from dataverse_backup.destinations.ssh.probing import PROBE
from dataverse_backup.destinations.ssh.shell import Revealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncssh

    from dataverse_backup.destinations.ssh.connection import Connection

_COMPLAINT_LENGTH = 400


class AgentGone(Exception):
    """The program ended, and said why on its error output."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at the destination, as it was when we looked."""

    root: bytes
    """The absolute path of the directory that our program runs in."""
    free_bytes: int
    identity: str | None
    """The text of IDENTITY_KEY; None where there is none."""
    mark: tuple[int, int] | None
    """The size and the time of its file."""

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> Self:
        """What is said in *lines*. Raises ValueError and KeyError where that is not all of it."""
        told = _told(lines)
        (root,), (free,) = told[b"root"], told[b"free"]
        if not told[b"identity"]:
            return cls(_unhexed(root), int(free), None, None)
        size, time, *text = told[b"identity"]
        identity = _unhexed(b"".join(text)).decode(errors="replace").strip()
        return cls(_unhexed(root), int(free), identity, (int(size), int(time)))


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying things out over there."""

    modified: int
    """The time of a file that was just written, by the server's clock."""
    folds_case: bool
    said: bytes
    """What `PROBE` said."""

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> Self:
        """What is said in *lines*. Raises ValueError and KeyError where that is not all of it."""
        told = _told(lines)
        (modified,), (folds,), said = told[b"time"], told[b"folds"], told[b"said"]
        return cls(int(modified), folds == b"1", _unhexed(b"".join(said)))


def _told(lines: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """The words of each line by its first; a login shell may have said something before."""
    return {word: rest for word, *rest in (line.split() for line in lines if line.strip())}


def _unhexed(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii"))


class Agent:
    """A running `remote_agent`. Every method runs in the event loop's thread."""

    def __init__(self, connection: Connection, process: asyncssh.SSHClientProcess[bytes]) -> None:
        """Ask *process*, which runs `shell.AGENT`."""
        self._connection, self._process = connection, process
        self.is_over = False
        """Whether it is of no use any more."""

    @classmethod
    async def started(cls, connection: Connection, sync: str, root: bytes, dir_mode: int) -> Self:
        """One that works in *root*, and syncs by the command *sync*. What it cannot do shows with the first request."""
        agent = cls(connection, await connection.patiently(connection.start(shell.AGENT)))
        await agent.tell(shell.beginning(root, dir_mode, sync))
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
        return await self.answer()

    async def answer(self) -> list[bytes]:
        """The lines of its next answer. Raises AgentGone and ConnectionLost."""
        lines: list[bytes] = []
        while (line := await self._connection.patiently(self._process.stdout.readline())) != b".\n":
            if not line.endswith(b"\n"):
                raise await self._gone()
            if line[:1] not in (b"~", b"^"):
                lines.append(line[:-1])
        return lines

    async def name(self, names: Sequence[tuple[bytes, bytes]]) -> Revealed:
        """Give what is staged its names, pairs of staged name and key, and sync."""
        words = b"".join(word + b"\0" for pair in names for word in pair)
        named = await self.ask(b"name %d\n%send\n" % (len(words), words))
        return Revealed.of(named + await self.answer())

    async def look(self, scratch: str = "", content: bytes = b"") -> Look:
        """What there is. Raises ValueError and KeyError where the answer makes no sense.

        Before that a file ``probe`` of that *content* comes into the new directory *scratch*, if one is given, where it
        lies until `clear`; and what can be done with it is being tried out.
        """
        request = b"look %s\n" % IDENTITY_KEY.encode()
        if scratch:
            command = (shell.ENGLISH + PROBE).encode()
            begin = b"make %s %s\n" % (scratch.encode(), content)
            request = b"%s%stry %d\n%s" % (begin, request, len(command), command)
        return Look.of(await self.ask(request))

    async def trial(self) -> Trial:
        """What came of what the last `look` began. Raises as that does."""
        return Trial.of(await self.answer())

    async def clear(self) -> None:
        """Take away what was made to try things out."""
        await self.ask(b"clear\n")

    async def use(self, sync: str) -> None:
        """Bring everything to the disk by the command *sync* from now on."""
        await self.tell(b"sync %s\n" % sync.encode())

    async def put(self, directory: str, mode: int, notes: Mapping[str, tuple[bytes, bytes | None]]) -> Revealed:
        """Let *notes*, keys and bytes or None by staged names, lie under their keys, or nothing; staged in *directory*.

        Whatever note lay there. All of that is on the disk then, where it says so.
        """
        staged = [(name.encode(), data) for name, (_, data) in notes.items() if data is not None]
        files = (b"file md5 %s %o %d\n%s" % (name, mode, len(data), data) for name, data in staged)
        triples = ((name.encode(), key, b"0" if data is None else b"1") for name, (key, data) in notes.items())
        words = b"".join(word + b"\0" for triple in triples for word in triple)
        begin, put = b"begin %s\n" % directory.encode(), b"put %d\n%send\n" % (len(words), words)
        told = await self.ask(b"".join([begin, *files, put]))
        return Revealed.of(told + await self.answer())

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
