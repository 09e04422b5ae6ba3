"""Many small objects as one tar stream for the server's ``tar``; names are ours, sizes those of the sources."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.shell import extracted

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dataverse_backup.destinations.ssh.connection import Answer, Connection
    from dataverse_backup.destinations.ssh.loop import EventLoopThread
    from dataverse_backup.fixity import HashingReader

_PIECE = 256 * 1024
_BLOCK = 512
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 6s 2s 32s 32s 8s 8s 155s 12x")
"""Name, mode, user, group, size, time, checksum, kind, linked name, magic, version, and what stays empty (POSIX)."""
_NOBODY, _FILE, _NO_SUM = b"0000000", b"0", b" " * 8
_PIPE_GONE = "the remote tar ended early"


class Bundle:
    """A running ``tar -x``; the caller's thread reads and hashes while the last piece is on its way."""

    def __init__(
        self, loop: EventLoopThread, connection: Connection, command: str, directory: bytes, mode: int
    ) -> None:
        """Start *command*, which unpacks in *directory*; every file gets *mode*, whatever the server's umask."""
        self._loop, self._connection, self._mode = loop, connection, mode
        self._process = loop.run(connection.start(command))
        self._pending = bytearray(directory + b"\n")
        self._sending: Future[None] | None = None
        self._broken = False
        self._closed = False
        self.is_synced = False
        """Whether what arrived was brought to the disk; known when the stream has ended."""
        self.digests: dict[bytes, str] = {}
        """Of what arrived, by name, as hashed over there by *command*; known when the stream has ended."""

    def add(self, name: str, reader: HashingReader, mode: int | None = None) -> None:
        """Send one object, with *mode* if it has another than all.

        A source that ends early or fails is padded, so that what follows arrives whole.
        """
        self._write(_header(name, reader.size, mode or self._mode))
        left = reader.size
        try:
            while left and (data := reader.read(min(left, _PIECE))):
                left -= len(data)
                self._write(data)
        finally:
            self._write(bytes(left + -reader.size % _BLOCK))

    def finish(self) -> str | None:
        """End the stream and wait for ``tar``: what it complained about, or None."""
        self._pending += bytes(2 * _BLOCK)
        self._flush()
        self._settle()
        answer = self._loop.run(self._ended())
        self._closed = True
        self.is_synced, self.digests = extracted(answer.output)
        if answer.status == 0 and self.is_synced and not self._broken:
            return None
        return answer.errors or _PIPE_GONE

    def abandon(self) -> None:
        """Leave whatever was not finished; may be called at any time."""
        if not self._closed:
            self._closed = True
            self._loop.call(self._process.close)

    def _write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        self._settle()
        piece, self._pending = bytes(self._pending), bytearray()
        if not self._broken:
            self._sending = self._loop.submit(self._connection.feed(self._process, piece))

    def _settle(self) -> None:
        """Wait for the last piece; a ``tar`` that is gone is no lost connection."""
        sending, self._sending = self._sending, None
        try:
            if sending is not None:
                sending.result()
        except OSError:
            if self._connection.lost:
                raise
            self._broken = True

    async def _ended(self) -> Answer:
        if not self._broken:
            self._process.stdin.write_eof()
        return await self._connection.ended(self._process)


def _header(name: str, size: int, mode: int) -> bytes:
    """The header of a file in a tar stream ("ustar"), as ``tarfile`` writes it in ten times the time.

    *name* is of at most 100 ASCII characters, *size* below 8 GiB.
    """
    fields = [name.encode("ascii"), b"%07o" % mode, _NOBODY, _NOBODY, b"%011o" % size, b"%011o" % int(time.time())]
    rest = [_FILE, b"", b"ustar", b"00", b"", b"", b"", b"", b""]
    without_sum = _HEADER.pack(*fields, _NO_SUM, *rest)
    return _HEADER.pack(*fields, b"%06o\0 " % sum(without_sum), *rest)
