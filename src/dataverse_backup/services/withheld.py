"""The bytes of an upload on their way: the last ones are only given once all of them are as promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.fixity import Algorithm

if TYPE_CHECKING:
    from dataverse_backup.fixity import Checksum, HashingReader


class Body:
    """Reads a source to its end, once.

    Swift stores an object with its last byte and cannot rename: the piece that completes it is withheld until size
    and checksum are known to be right. Otherwise the SourceError is raised into the request, which ends its
    connection, and nothing is stored.
    """

    def __init__(self, reader: HashingReader, algorithm: Algorithm, promised: Checksum | None) -> None:
        """Read *reader*, which computes a checksum of *algorithm*: that must be *promised* where it is given."""
        self._reader, self._promised = reader, promised
        self.size, self.algorithm = reader.size, algorithm
        self.checksum: Checksum | None = None
        """Of all the bytes, once they are read."""

    def read(self, length: int) -> bytes:
        """Up to *length* further bytes, at least one of them unless all are read. Raises SourceError."""
        rest = self.size - self._reader.bytes_read
        data = self._reader.read(min(length, rest)) if rest else b""
        if not data or len(data) == rest:
            self.checksum = self._reader.finish(self._promised)
        return data

    def read_whole(self) -> bytes:
        """All the bytes at once. Raises SourceError."""
        pieces = []
        while self.checksum is None:
            pieces.append(self.read(self.size))
        return b"".join(pieces)


class Part:
    """The next bytes of a body, with their MD5: what one request sends."""

    def __init__(self, body: Body, size: int) -> None:
        """Give the next *size* bytes of *body*."""
        self._body, self.size = body, size
        self._rest = size
        is_hashed_anyway = size == body.size and body.algorithm is Algorithm.MD5
        self._md5 = None if is_hashed_anyway else Algorithm.MD5.new()

    def read(self, length: int) -> bytes:
        """Up to *length* further bytes. Raises SourceError."""
        data = self._body.read(min(length, self._rest)) if self._rest else b""
        self._rest -= len(data)
        if self._md5 is not None:
            self._md5.update(data)
        return data

    @property
    def etag(self) -> str:
        """What Swift must say that it took, once all is read."""
        if self._md5 is not None:
            return self._md5.hexdigest()
        return self._body.checksum.value if self._body.checksum else ""
