"""Where the bytes of a stream lie in a service, for a destination that is the same service and can copy them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dataverse_backup.fixity import ByteStream


@dataclass(frozen=True, slots=True)
class Origin:
    """One object of a service, for as long as it is that object."""

    service: Hashable
    """Equal for two ways to one service, whoever asks it."""
    container: str
    """Its bucket."""
    name: str
    etag: str


@runtime_checkable
class HasOrigin(Protocol):
    """What a ByteStream may have besides: most have not, and are read."""

    @property
    def origin(self) -> Origin | None:
        """Where the very object lies that is being read, or None."""


def origin_of(stream: ByteStream) -> Origin | None:
    """Where *stream* says that its bytes lie, or None."""
    return stream.origin if isinstance(stream, HasOrigin) else None
