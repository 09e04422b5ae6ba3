"""Checksums, and readers that compute them while the bytes pass by."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from io import BytesIO
from typing import Protocol, Self, runtime_checkable

from dataverse_backup.errors import SourceChanged, SourceDiffers


class Algorithm(StrEnum):
    """The checksum algorithms that Dataverse registers (facts 5.1), by the names that it displays."""

    MD5 = "MD5"
    SHA1 = "SHA-1"
    SHA256 = "SHA-256"
    SHA512 = "SHA-512"

    @classmethod
    def parse(cls, name: str) -> Algorithm | None:
        """The algorithm of that name, as displayed (``SHA-1``) or as stored in the database (``SHA1``)."""
        return _BY_NAME.get(name.strip().upper().replace("-", ""))

    def new(self) -> hashlib._Hash:
        """A fresh hashlib object of this algorithm."""
        return _NEW[self]()

    @property
    def hex_length(self) -> int:
        """How many hexadecimal digits a value has."""
        return _HEX_LENGTHS[self]


_NEW = {
    Algorithm.MD5: partial(hashlib.md5, usedforsecurity=False),
    Algorithm.SHA1: partial(hashlib.sha1, usedforsecurity=False),
    Algorithm.SHA256: partial(hashlib.sha256, usedforsecurity=False),
    Algorithm.SHA512: partial(hashlib.sha512, usedforsecurity=False),
}
_HEX_LENGTHS = {algorithm: new().digest_size * 2 for algorithm, new in _NEW.items()}
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_BY_NAME = {member.value.replace("-", ""): member for member in Algorithm}


@dataclass(frozen=True)
class Checksum:
    """An algorithm and a value in lower-case hexadecimal digits."""

    algorithm: Algorithm
    value: str

    @classmethod
    def parse(cls, algorithm: str | None, value: str | None) -> Checksum | None:
        """What Dataverse registered, or None where that is no checksum.

        Placeholders (``''``, ``Unknown``, ``Not available in Dataverse``), values whose length does not fit the
        algorithm, and unknown algorithms are None: never made up (facts 5.2). Upper case and surrounding white
        space are accepted (direct uploads register what the client sent).
        """
        known = Algorithm.parse(algorithm or "")
        digits = (value or "").strip().lower()
        if known is None or len(digits) != known.hex_length or not _HEXADECIMAL.fullmatch(digits):
            return None
        return cls(known, digits)

    @classmethod
    def of(cls, data: bytes, algorithm: Algorithm) -> Checksum:
        """That of bytes in memory."""
        digest = algorithm.new()
        digest.update(data)
        return cls(algorithm, digest.hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"

    @classmethod
    def from_text(cls, text: str | None) -> Checksum | None:
        """The inverse of ``str``; None for None and for anything else."""
        algorithm, _, value = (text or "").partition(":")
        return cls.parse(algorithm, value)


_CHUNK = 1 << 20

OWN_ALGORITHM = Algorithm.SHA256
"""What a copy is proven with where Dataverse registered nothing usable (facts 5.2)."""


class VerifiedBy(StrEnum):
    """How the digest of the stored bytes came about."""

    REMOTE_HASH = "remote-hash"  # the destination's own machine hashed what it has on disk
    READ_BACK = "read-back"  # we read the stored bytes again and hashed them here
    SERVICE = "service"  # the service hashed the bytes when it took them; proof at `put` only
    ADOPTED = "adopted"  # found there, and proven by one of the above


class Durability(StrEnum):
    """What survives a crash of the destination's machine."""

    YES = "yes"  # bytes and name
    DATA_ONLY = "data-only"  # bytes; the name is as safe as its file system makes it
    NOT_OFFERED = "not-offered"  # the service offers no way to ask


class ByteStream(Protocol):
    """The bytes of one object, opened for reading once from start to end."""

    @property
    def place(self) -> str:
        """The name of the store or destination that it lies in; errors name it."""

    @property
    def key(self) -> str:
        """Its name there."""

    @property
    def size(self) -> int:
        """How many bytes the store says there are."""

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises SourceError."""

    def close(self) -> None:
        """Give back what reading needs; may be called twice."""


@runtime_checkable
class CountsSent(Protocol):
    """What a ByteStream may have besides: it counts what is read as sent, and holds it to a bandwidth."""

    def read_unsent(self, length: int, /) -> bytes:
        """As ``read``, of bytes that need not be sent."""


class BytesStream(BytesIO):
    """A ByteStream of bytes that are in memory already."""

    def __init__(self, data: bytes, *, place: str, key: str) -> None:
        """Give *data* as the object *key* of *place*."""
        super().__init__(data)
        self.place, self.key = place, key

    @property
    def size(self) -> int:
        """All of them, however many have been read."""
        return len(self.getbuffer())


class HashingReader:
    """Reads a stream once, computing one checksum on the way."""

    def __init__(self, stream: ByteStream, algorithm: Algorithm) -> None:
        """Read *stream*, and close it in the end."""
        self._stream = stream
        self._algorithm = algorithm
        self._hash = algorithm.new()
        self._place, self._key = stream.place, stream.key
        self.size = stream.size
        self.bytes_read = 0

    def read(self, length: int) -> bytes:
        """Up to *length* further bytes, hashed. Raises SourceError, SourceChanged when there are too many."""
        return self._hashed(self._stream.read(length))

    def read_unsent(self, length: int) -> bytes:
        """As ``read``, of bytes that lie at the destination already: they take nothing of its bandwidth."""
        stream = self._stream
        return self._hashed(stream.read_unsent(length) if isinstance(stream, CountsSent) else stream.read(length))

    def _hashed(self, data: bytes) -> bytes:
        self._hash.update(data)
        self.bytes_read += len(data)
        if self.bytes_read > self.size:
            raise SourceChanged(self._place, self._key, f"grew beyond {self.size} bytes while it was read")
        return data

    def so_far(self) -> Checksum:
        """That of what has been read until now."""
        return Checksum(self._algorithm, self._hash.hexdigest())

    def finish(self, promised: Checksum | None) -> Checksum:
        """The checksum of everything read; call it when ``size`` bytes have been read.

        Raises SourceChanged when the stream is shorter or longer than its size, and SourceDiffers when *promised*
        is given and is not what was read.
        """
        if self.bytes_read < self.size:
            raise SourceChanged(
                self._place,
                self._key,
                f"shrank from {self.size} to {self.bytes_read} bytes while it was read",
            )
        self.read(1)
        computed = self.so_far()
        if promised is not None and computed != promised:
            raise SourceDiffers(
                self._place,
                self._key,
                f"{'it is empty: ' * (self.size == 0)}{computed} was read, {promised} is registered",
                "compare with another copy before you change anything; the stored bytes may be damaged",
            )
        return computed

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checksum_of(stream: ByteStream, algorithm: Algorithm) -> tuple[int, Checksum]:
    """How many bytes *stream* has, and their checksum; it is read to its end and closed. Raises SourceError."""
    with HashingReader(stream, algorithm) as reader:
        while reader.read(_CHUNK):
            pass
        checksum = reader.finish(None)
        return reader.bytes_read, checksum
