"""What the administrator says about a Swift destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import OWN_PREFIX, SUPERSEDED_PREFIX
from dataverse_backup.fixity import VerifiedBy

if TYPE_CHECKING:
    from dataverse_backup.services.swift import SwiftAccess

MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
MAX_CONTAINER_BYTES = 256
"""The longest name that Swift gives a container."""


@dataclass(frozen=True, slots=True)
class SwiftSettings:
    """Which service, which container, and how copies are kept there."""

    access: SwiftAccess
    container: str
    per_dataset: bool = False
    """Whether copies lie in a container for each folder of keys, and only what is our own in ``container``."""
    verify: VerifiedBy = VerifiedBy.READ_BACK
    """READ_BACK, or SERVICE: the MD5 that Swift computed when it took the bytes."""
    segment_size: int = GIBIBYTE
    """Bytes of one segment; what is bigger is a static large object."""
    whole_size: int = 4 * MEBIBYTE
    """What is not bigger is held in memory, so that its MD5 can be sent before it."""
    threads: int = 8
    """How many requests are under way at once."""

    page: int = 10_000
    """How many objects are listed with one request; Swift gives no more."""

    def container_of(self, key: str) -> str:
        """The container that *key* lies in, always under its whole name.

        That of a dataset is the folder of its keys without what a container's name cannot have; where two folders
        give the same name, both use it.
        """
        folder = key.rpartition("/")[0].removesuffix(f"/{OWN_PREFIX}")
        if not (self.per_dataset and folder) or key.startswith((f"{OWN_PREFIX}/", f"{SUPERSEDED_PREFIX}/")):
            return self.container
        name = folder.replace("/", "-").encode()[:MAX_CONTAINER_BYTES]
        return name.decode(errors="ignore")
