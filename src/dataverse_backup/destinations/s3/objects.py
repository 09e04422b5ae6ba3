"""What a service says of an object and of its parts, and the checksums that we compare that with."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import anycrc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dataverse_backup.services.origin import Origin

_CRC64 = anycrc.Model("CRC64-NVME")


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the service describes it."""

    size: int
    etag: str
    version: str | None
    """None in a bucket without versions."""
    md5: str | None
    """Hexadecimal digits, where the ETag looks like one and the encryption does not say otherwise."""
    crc64: str | None
    """Of the whole object, as ``crc64_text`` has it, where the service names it."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps an object from being deleted."""

    until: datetime | None
    """Of its retention; None where it has none."""
    is_held: bool
    """Whether it is under a legal hold."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an upload, as the service knows it."""

    number: int
    """From 1."""
    etag: str
    size: int = 0
    md5: bytes | None = None
    """Of the bytes that we sent as this part; None where that was not asked for, and where the service copied them."""
    crc64: int | None = None
    """The same, where the upload is one with these checksums."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part of an upload that was broken off."""

    part: Part

    def holds(self, data: bytes) -> bool:
        """Whether it is *data*, as the service tells by its MD5; where it tells something else, never."""
        return self.part.size == len(data) and self.part.etag.strip('"').lower() == md5_of(data).hex()


@dataclass(frozen=True, slots=True)
class Span:
    """Some of the bytes of one object."""

    origin: Origin
    start: int
    stop: int


def is_made_of(parts: Sequence[Part], stored: Stored, size: int) -> bool:
    """Whether the service says that *stored* is just these *parts*, in this order, each with the bytes that we sent."""
    if stored.size != size:
        return False
    crc64 = crc64_of_parts(parts)
    if crc64 is not None:
        return stored.crc64 == crc64_text(crc64)
    return stored.etag.strip('"').lower() == etag_of(parts)


def etag_of(parts: Sequence[Part]) -> str | None:
    """The ETag of an object of *parts*; None where we do not know the MD5 of all of them.

    S3 makes it of the MD5 of each part, as it came, and of their number ("Checking object integrity" in its guide). Who
    makes it otherwise, as with keys of a key service, names one that is not equal.
    """
    digests = [part.md5 for part in parts if part.md5 is not None]
    return f"{md5_of(b''.join(digests)).hex()}-{len(parts)}" if len(digests) == len(parts) else None


def crc64_of_parts(parts: Sequence[Part]) -> int | None:
    """That of an object of *parts*; None where we do not know that of all of them."""
    known = [(part.crc64, part.size) for part in parts if part.crc64 is not None]
    if not known or len(known) != len(parts):
        return None
    first, *others = known
    return reduce(lambda crc, other: int(_CRC64.combine(crc, *other)), others, first[0])


def crc64_of(data: bytes) -> int:
    """The CRC-64/NVME of *data*, which S3 calls CRC64NVME."""
    return int(_CRC64.calc(data))


def crc64_text(crc: int) -> str:
    """As S3 tells and is told it: base64 of its eight bytes, the most significant first."""
    return as_base64(crc.to_bytes(8, "big"))


def md5_of(data: bytes) -> bytes:
    """The MD5 of *data*."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def as_base64(digest: bytes) -> str:
    """As S3 is told of digests."""
    return base64.b64encode(digest).decode()


def stored_as(size: int, answer: Mapping[str, Any]) -> Stored:
    """The object of *size* bytes of which the service says what *answer* has, as it says of an object in one piece."""
    is_whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    return Stored(
        size=size,
        etag=answer.get("ETag", ""),
        version=answer.get("VersionId"),
        md5=_md5_in(answer),
        crc64=answer.get("ChecksumCRC64NVME") if is_whole else None,
    )


def _md5_in(answer: Mapping[str, Any]) -> str | None:
    """What the ETag says, where it can be an MD5: not of parts, and not encrypted by a key of somebody's own."""
    etag = str(answer.get("ETag", "")).strip('"').lower()
    is_hidden = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in answer
    return etag if len(etag) == _MD5_DIGITS and not is_hidden else None


_MD5_DIGITS = 32
