"""What is to be done with one datafile; batches of it; and the spool that keeps a plan on disk.

Nothing that travels to workers and back by the hundred thousand (works, attempts, what they are made of) has slots: a
frozen dataclass with slots is pickled by Python code, one without by C, in a quarter of the time.
"""

from __future__ import annotations

import pickle
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from dataverse_backup.errors import NoWorkSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Copy

Item = TypeVar("Item")


class Why(StrEnum):
    """Why a datafile must be worked on."""

    NEW = "new"
    FAILED = "failed before"
    CHANGED = "changed"


@dataclass(frozen=True)
class Work:
    """One datafile, or companion, that must be copied to one destination, or whose copy must be proven."""

    datafile: Datafile
    key: str
    copy: Copy | None
    """The copy that the ledger knows, which may be of other content or under another key."""
    why: Why


@dataclass(frozen=True)
class Batch:
    """Work at one destination that is done together; picklable, without secrets."""

    destination: str
    works: tuple[Work, ...]

    @cached_property
    def size(self) -> int:
        """Its bytes, as far as they are registered."""
        return sum(work.datafile.size or 0 for work in self.works)


@dataclass(frozen=True)
class JointBatch:
    """What a worker gets: a batch for each destination that needs some of the same datafiles, read together."""

    batches: tuple[Batch, ...]
    abilities: Mapping[str, str] = field(default_factory=dict)
    """What was found out about destinations since its worker was made (`Destination.abilities`)."""

    @property
    def destinations(self) -> set[str]:
        """Where it is copied to."""
        return {batch.destination for batch in self.batches}

    def parts(self) -> list[JointBatch]:
        """The next smaller ones: one for each object; of one object, one for each destination; of one work none."""
        places = sorted({work.datafile.place for batch in self.batches for work in batch.works})
        if len(places) > 1:
            return [self._of(place) for place in places]
        return [JointBatch((batch,)) for batch in self.batches] if len(self.batches) > 1 else []

    def without(self, *destinations: str) -> JointBatch:
        """The same for the other destinations."""
        return JointBatch(tuple(batch for batch in self.batches if batch.destination not in destinations))

    def _of(self, place: tuple[int, str]) -> JointBatch:
        found = (
            Batch(batch.destination, tuple(work for work in batch.works if work.datafile.place == place))
            for batch in self.batches
        )
        return JointBatch(tuple(batch for batch in found if batch.works))


_SPOOLED_TOGETHER = 200
"""Works that are written and read as one: most of what they hold is the same."""


class Spool(Generic[Item]):
    """Work on disk, in a file without a name: written once, read once, gone with the process. Raises NoWorkSpace."""

    def __init__(self) -> None:
        with _on_disk():
            self._file = tempfile.TemporaryFile(prefix="dataverse-backup-plan-")  # noqa: SIM115 -- closed by close()
        self._last: list[Item] = []

    def append(self, item: Item) -> None:
        """Add *item* at the end."""
        self._last.append(item)
        if len(self._last) >= _SPOOLED_TOGETHER:
            self._write()

    def _write(self) -> None:
        with _on_disk():
            pickle.dump(self._last, self._file, pickle.HIGHEST_PROTOCOL)
        self._last = []

    def __iter__(self) -> Iterator[Item]:
        self._write()
        with _on_disk():
            self._file.seek(0)  # writes what is still in memory
        while True:
            try:
                items = pickle.load(self._file)  # noqa: S301 -- our own file, which no name leads to
            except EOFError:
                return
            yield from items

    def close(self) -> None:
        """Give the space back."""
        with suppress(OSError):  # it would write what is still in memory, which nobody wants any more
            self._file.close()


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoWorkSpace(
            f"the plan of the run cannot be kept among the temporary files: {(error.strerror or str(error)).lower()}",
            "make room for them, or let TMPDIR name another folder",
        ) from error
