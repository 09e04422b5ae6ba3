"""The contract of a destination that deletes copies: nothing else of ours ever does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import OWN_PREFIX, ROOT_NOTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.destinations.base import Failure


class Fate(StrEnum):
    """What became of an object that was to be deleted."""

    REMOVED = "removed"
    MISSING = "missing"  # nothing lies there
    DIFFERS = "differs"  # something else lies there; it stays
    LOCKED = "locked"  # it is under Object Lock, or nobody tells that it is not; it stays


@dataclass(frozen=True, slots=True)
class Doomed:
    """One object that is to be deleted."""

    key: str
    size: int
    """What has another one is not what was meant."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of it."""

    key: str
    fate: Fate
    said: str = ""
    """Why it stays; '' where there is nothing to add."""


class Prunable(ABC):
    """A destination that deletes copies for good. One may lack it: ask ``isinstance(it, Prunable)``.

    Only a plan that a person has seen leads here. Promises, each a test of the suite ``testing.prunable``:

    1. exactly the objects that are named are deleted; what lies beside, below or above them stays, and so does what has
       another size, what is no plain object, and what a link leads to;
    2. what is our own is never deleted, and neither are notes: keys of theirs raise ValueError before anything is;
       copies that were moved aside are no exception, they may be named;
    3. what is not there is no error;
    4. what is under Object Lock stays, and is said to be;
    5. a removal survives a crash of the remote machine, as far as a copy does; in a bucket with versions it is one by
       a delete marker, and the bucket's own rules say how long the version stays;
    6. one that fails stops no other: a Failure each, whose object is there or is not.

    Folders that became empty may be removed.
    """

    @abstractmethod
    def prune(self, doomed: Sequence[Doomed]) -> Iterator[Pruned | Failure]:
        """Delete them: one Pruned or Failure each, in any order. Raises DestinationLost."""


def is_prunable(key: str) -> bool:
    """Whether what lies under *key* may be deleted: a copy, or one that was moved aside."""
    parts = key.split("/")
    return not (OWN_PREFIX in parts or parts[0] in ROOT_NOTES or "" in parts)


def checked_doomed(doomed: Iterable[Doomed]) -> None:
    """Raise ValueError unless all of *doomed* may be deleted."""
    for one in doomed:
        if not is_prunable(one.key):
            raise ValueError(f"only copies are deleted, not {one.key!r}")
