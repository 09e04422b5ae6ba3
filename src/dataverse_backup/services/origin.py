"""Where the bytes of a stream lie in a service, for a destination that is the same service and can copy them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def origin_of(stream: ByteStream) -> Origin | None:
    """Where *stream* says that the very object lies that is being read, as its ``origin``; most have none."""
    origin: Origin | None = getattr(stream, "origin", None)
    return origin
