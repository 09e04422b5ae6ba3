"""The stored bytes of one object, read over SFTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, object_error
from dataverse_backup.destinations.ssh.files import read_bytes

if TYPE_CHECKING:
    import asyncssh

    from dataverse_backup.destinations.ssh.loop import EventLoopThread

_CHUNK = 4 * 1024 * 1024


class RemoteStream:
    """A ByteStream; errors while reading are those of the object."""

    def __init__(self, place: str, key: str, loop: EventLoopThread, file: asyncssh.SFTPClientFile, size: int) -> None:
        """Read *file*, which has *size* bytes now."""
        self.place, self.key, self._loop, self._file = place, key, loop, file
        self._buffer, self._offset, self._open = b"", 0, True
        self.size = size

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes. Raises CopyError."""
        if not self._buffer:
            self._buffer = self._fetched()
            self._offset += len(self._buffer)
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data

    def _fetched(self) -> bytes:
        wanted = min(_CHUNK, self.size - self._offset)
        if wanted <= 0:
            return b""
        try:
            return self._loop.run(read_bytes(self._file, wanted, self._offset))
        except VENDOR_ERRORS as error:
            raise object_error(self.place, self.key, error) from error

    def close(self) -> None:
        """Close the remote file; may be called twice."""
        if self._open:
            self._open = False
            with suppress(*VENDOR_ERRORS):
                self._loop.run(self._file.close())
