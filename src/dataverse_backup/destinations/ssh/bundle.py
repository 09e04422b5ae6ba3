"""Many small objects as one stream; names are ours, sizes those of the sources.

Our program over there takes it, and its channel stays open for the next batch; where there is no Python, ``tar`` does.
"""

from __future__ import annotations

import struct
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.agent import AgentGone
from dataverse_backup.destinations.ssh.item import pieces
from dataverse_backup.destinations.ssh.shell import SYNCED, extracted, word

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dataverse_backup.destinations.ssh.agent import Agent
    from dataverse_backup.destinations.ssh.connection import Answer, Connection
    from dataverse_backup.destinations.ssh.loop import EventLoopThread
    from dataverse_backup.fixity import Algorithm, HashingReader

_PIECE = 256 * 1024
_BLOCK = 512
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 6s 2s 32s 32s 8s 8s 155s 12x")
"""Name, mode, user, group, size, time, checksum, kind, linked name, magic, version, and what stays empty (POSIX)."""
_NOBODY, _FILE, _NO_SUM = b"0000000", b"0", b" " * 8
_PIPE_GONE = "the remote tar ended early"


class Bundle(ABC):
    """A stream on its way; the caller's thread reads and hashes while the last piece is being sent."""

    def __init__(self, loop: EventLoopThread, mode: int) -> None:
        """Every file gets *mode*, whatever the server's umask."""
        self._loop, self._mode = loop, mode
        self._pending = bytearray()
        self._sending: Future[None] | None = None
        self._is_finished = False
        self.is_synced = False
        """Whether what arrived was brought to the disk; known when the stream has ended."""
        self.digests: dict[bytes, str] = {}
        """Of what arrived, by name, as hashed over there after that; known when the stream has ended."""

    def add(self, name: str, reader: HashingReader, mode: int | None = None) -> None:
        """Send one object, with *mode* if it has another than all.

        A source that ends early or fails is padded, so that what follows arrives whole.
        """
        self._write(self._header(name, reader.size, mode or self._mode))
        left = reader.size
        try:
            for data in pieces(reader, _PIECE):
                left -= len(data)
                self._write(data)
        finally:
            self._write(bytes(left) + self._filling(reader.size))

    @abstractmethod
    def finish(self) -> str | None:
        """End the stream and wait until it was dealt with: what was complained about, or None."""

    @abstractmethod
    def abandon(self) -> None:
        """Leave whatever was not finished; may be called at any time."""

    @abstractmethod
    def _header(self, name: str, size: int, mode: int) -> bytes:
        """What comes before the bytes of a file."""

    @abstractmethod
    def _filling(self, size: int) -> bytes:
        """What comes after them."""

    @abstractmethod
    async def _send(self, piece: bytes) -> None:
        """Send *piece*, unless nobody takes it any more."""

    def _write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= _PIECE:
            piece = self._taken()
            self._sending = self._loop.submit(self._send(piece))

    def _taken(self) -> bytes:
        """What is to be sent next, when the piece before it is sent."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()
        piece, self._pending = bytes(self._pending), bytearray()
        return piece


class AgentBundle(Bundle):
    """For our program."""

    def __init__(self, loop: EventLoopThread, agent: Agent, directory: str, mode: int, algorithm: Algorithm) -> None:
        """Stage in *directory*, below the root."""
        super().__init__(loop, mode)
        self._agent = agent
        self._algorithm = word(algorithm)
        self._pending += b"begin %s\n" % directory.encode()
        self._complaint: str | None = None

    def finish(self) -> str | None:
        piece = self._taken()
        self._is_finished = True
        if self._complaint is None:
            self._loop.run(self._proved(piece + b"prove\n"))
        return self._complaint

    def abandon(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._loop.run(self._agent.stop())

    def _header(self, name: str, size: int, mode: int) -> bytes:
        return b"file %s %s %o %d\n" % (self._algorithm, name.encode("ascii"), mode, size)

    def _filling(self, size: int) -> bytes:
        del size
        return b""

    async def _send(self, piece: bytes) -> None:
        if self._complaint is None:
            try:
                await self._agent.tell(piece)
            except AgentGone as gone:
                self._complaint = str(gone)

    async def _proved(self, request: bytes) -> None:
        try:
            synced, *lines = await self._agent.ask(request)
        except AgentGone as gone:
            self._complaint = str(gone)
            return
        self.is_synced = synced == SYNCED.encode()
        complaints = [line for line in lines if line.startswith(b"! ")]
        self.digests = {name: digest.decode() for name, _, digest in (line.partition(b" ") for line in lines)}
        if complaints or not self.is_synced:
            self._complaint = (synced if not self.is_synced else complaints[0]).decode(errors="replace")


class TarBundle(Bundle):
    """For ``tar -x``."""

    def __init__(
        self, loop: EventLoopThread, connection: Connection, command: str, directory: bytes, mode: int
    ) -> None:
        """Start *command*, which unpacks in *directory* and hashes what it has brought to the disk."""
        super().__init__(loop, mode)
        self._connection = connection
        self._process = loop.run(connection.start(command))
        self._pending += directory + b"\n"
        self._is_broken = False

    def finish(self) -> str | None:
        self._pending += bytes(2 * _BLOCK)
        answer = self._loop.run(self._ended(self._taken()))
        self._is_finished = True
        self.is_synced, self.digests = extracted(answer.output)
        if answer.status == 0 and self.is_synced and not self._is_broken:
            return None
        return answer.errors or _PIPE_GONE

    def abandon(self) -> None:
        if not self._is_finished:
            self._is_finished = True
            self._loop.call(self._process.close)

    def _header(self, name: str, size: int, mode: int) -> bytes:
        return _tar_header(name, size, mode)

    def _filling(self, size: int) -> bytes:
        return bytes(-size % _BLOCK)

    async def _send(self, piece: bytes) -> None:
        """A ``tar`` that is gone is no lost connection."""
        try:
            if not self._is_broken:
                await self._connection.feed(self._process, piece)
        except OSError:
            if self._connection.lost:
                raise
            self._is_broken = True

    async def _ended(self, piece: bytes) -> Answer:
        await self._send(piece)
        if not self._is_broken:
            self._process.stdin.write_eof()
        return await self._connection.ended(self._process)


def _tar_header(name: str, size: int, mode: int) -> bytes:
    """The header of a file in a tar stream ("ustar"), as ``tarfile`` writes it in ten times the time.

    *name* is of at most 100 ASCII characters, *size* below 8 GiB.
    """
    fields = [name.encode("ascii"), b"%07o" % mode, _NOBODY, _NOBODY, b"%011o" % size, b"%011o" % int(time.time())]
    rest = [_FILE, b"", b"ustar", b"00", b"", b"", b"", b"", b""]
    without_sum = _HEADER.pack(*fields, _NO_SUM, *rest)
    return _HEADER.pack(*fields, b"%06o\0 " % sum(without_sum), *rest)
