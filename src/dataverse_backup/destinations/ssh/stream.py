"""The stored bytes of one object, read over SFTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS, object_error

if TYPE_CHECKING:
    import asyncssh

    from dataverse_backup.destinations.ssh.loop import EventLoopThread

_CHUNK = 4 * 1024 * 1024


class RemoteStream:
    """A ByteStream; errors while reading are those of the object."""

    def __init__(self, place: str, key: str, loop: EventLoopThread, file: asyncssh.SFTPClientFile, size: int) -> None:
        """Read *file*, which has *size* bytes now."""
        self._place, self._key, self._loop, self._file = place, key, loop, file
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
        try:
            data = self._loop.run(self._file.read(_CHUNK, self._offset))
        except VENDOR_ERRORS as error:
            raise object_error(self._place, self._key, error) from error
        return data if isinstance(data, bytes) else data.encode()

    def close(self) -> None:
        """Close the remote file; may be called twice."""
        if self._open:
            self._open = False
            with suppress(*VENDOR_ERRORS):
                self._loop.run(self._file.close())
