"""Dumps of the Dataverse database at a destination: what they are called, and which of them are too old.

The name says when the dump was begun and what its bytes must be, so a dump can be proven without any ledger:
``.dataverse-backup/database/20261124T021500Z-<SHA-256>.dump``. Times are UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import DATABASE_PREFIX
from dataverse_backup.fixity import Algorithm, Checksum

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHM = Algorithm.SHA256
"""Of the checksum in a name."""
_TIME = "%Y%m%dT%H%M%SZ"
_KEY = re.compile(rf"{re.escape(DATABASE_PREFIX)}/([0-9]{{8}}T[0-9]{{6}}Z)-([0-9a-f]{{64}})\.dump")


@dataclass(frozen=True, slots=True, order=True)
class Generation:
    """One dump; the older one is the lesser one."""

    taken: datetime
    """When it was begun, to the second."""
    digest: str
    """Its SHA-256, hexadecimal."""

    @classmethod
    def of(cls, taken: datetime, checksum: Checksum) -> Generation:
        """The one that was begun at *taken* and has that SHA-256. Raises ValueError for another algorithm."""
        if checksum.algorithm is not ALGORITHM:
            raise ValueError(f"dumps are named by their {ALGORITHM}, not by {checksum.algorithm}")
        return cls(taken.astimezone(UTC).replace(microsecond=0), checksum.value)

    @classmethod
    def from_key(cls, key: str) -> Generation | None:
        """The one that lies under *key*; None where that is no key of a dump, whatever lies there."""
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        try:
            return cls(datetime.strptime(match[1], _TIME).replace(tzinfo=UTC), match[2])
        except ValueError:  # the 99th of a month
            return None

    @property
    def key(self) -> str:
        """Where it lies at every destination."""
        return f"{DATABASE_PREFIX}/{self.name}"

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.taken:{_TIME}}-{self.digest}.dump"

    @property
    def checksum(self) -> Checksum:
        """What its bytes must have."""
        return Checksum(ALGORITHM, self.digest)


def generations(keys: Iterable[str]) -> list[Generation]:
    """The dumps among *keys*, the newest first."""
    found = (Generation.from_key(key) for key in keys)
    return sorted({one for one in found if one is not None}, reverse=True)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long dumps are kept."""

    number: int
    """So many, the newest ones, are kept in any case; at least 1."""
    age: timedelta
    """Younger ones are kept, however many there are."""

    def superfluous(self, kept: Iterable[Generation], now: datetime) -> list[Generation]:
        """Those of *kept* that are to be removed: neither among the newest, nor younger than that; the oldest last."""
        in_order = sorted(kept, reverse=True)
        return [one for one in in_order[max(1, self.number) :] if now - one.taken >= self.age]
