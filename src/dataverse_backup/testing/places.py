"""Where the suite of destinations tries one: a root, and a look behind its curtain."""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import OWN_PREFIX, STAGING_PREFIX, Staging

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination

STAGING = Staging(ledger_id="ledger-1", run="run-1")
NAME = "offsite"
"""What every destination of the suite is called."""


class Place(ABC):
    """One root, empty at first, and what lies there: raw, not through the destination."""

    @abstractmethod
    def destination(self, staging: Staging = STAGING) -> Destination:
        """Another destination called NAME on this root, not yet connected. Who asks for it closes it."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """The raw bytes under *key*."""

    @abstractmethod
    def plant(self, key: str, data: bytes) -> None:
        """Put raw bytes under *key*, whatever was there; parents are made."""

    @abstractmethod
    def everything(self) -> set[str]:
        """Every object on the root, our own among them."""

    def mode(self, key: str) -> int | None:
        """The permissions of what lies under *key*; None where a place has no such thing."""
        del key
        return None

    def strays(self) -> set[str]:
        """What came to lie outside of the root since it was made: always nothing."""
        return set()

    def final_keys(self) -> set[str]:
        """Every object that is not our own: copies, and copies moved aside."""
        return {key for key in self.everything() if not key.startswith(f"{OWN_PREFIX}/")}

    def staged(self) -> set[str]:
        """Every object in staging, of any ledger."""
        return {key for key in self.everything() if key.startswith(f"{STAGING_PREFIX}/")}

    def damage(self, key: str) -> None:
        """Flip one bit of the stored bytes; the size stays."""
        data = bytearray(self.read(key))
        data[len(data) // 2] ^= 1
        self.plant(key, bytes(data))


class FolderPlace(Place):
    """A root that is a folder of this machine, whoever serves it."""

    def __init__(self, sandbox: Path, make: Callable[[Path, Staging], Destination]) -> None:
        """Make ``root`` in *sandbox*, an empty folder; *make* gives a destination on a root."""
        self.root = sandbox / "root"
        self.root.mkdir()
        self._sandbox, self._make = sandbox, make

    def destination(self, staging: Staging = STAGING) -> Destination:
        return self._make(self.root, staging)

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def plant(self, key: str, data: bytes) -> None:
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / key).write_bytes(data)

    def everything(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}

    def mode(self, key: str) -> int | None:
        return stat.S_IMODE((self.root / key).stat().st_mode)

    def strays(self) -> set[str]:
        return {path.name for path in self._sandbox.iterdir()} - {"root"}
