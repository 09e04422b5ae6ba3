"""A catalogue in memory: what tests say exists."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.catalogue.base import Catalogue, Snapshot
from dataverse_backup.catalogue.dumping import Dumper
from dataverse_backup.datafile import DATASET, Datafile, fingerprint
from dataverse_backup.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import IO

    from dataverse_backup.datafile import Mark, NotHere


class _MemorySnapshot(Snapshot):
    def __init__(self, rows: Iterable[Datafile | NotHere]) -> None:
        in_order = sorted(rows, key=lambda row: row.id)
        self._rows = {row.id: row for row in in_order if not _is_dataset(row)}
        self._datasets = {row.id: row for row in in_order if _is_dataset(row)}

    def rows(self) -> Generator[Datafile | NotHere]:
        yield from self._rows.values()

    def marks(self) -> Generator[Mark]:
        yield from ((row.id, int(fingerprint(row)[:15], 16)) for row in self._rows.values())

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        known = self._rows | self._datasets
        return {number: known[number] for number in ids if number in known}

    def datasets(self) -> list[int]:
        return list(self._datasets)


class MemoryCatalogue(Catalogue):
    """Obeys the contract of a catalogue over the rows in ``rows_now``, which may be changed between calls.

    Those with the tag DATASET are its datasets.
    """

    def __init__(self, rows: Iterable[Datafile | NotHere] = ()) -> None:
        """Start with *rows*, in any order."""
        self.rows_now = {row.id: row for row in rows}

        self.interpretation = ""

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """As ``Catalogue.snapshot``."""
        yield _MemorySnapshot(self.rows_now.values())

    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        """As ``Catalogue.read``."""
        return _MemorySnapshot(self.rows_now.values()).read(ids)

    def named(self, persistent_id: str, limit: int | None = None) -> list[int]:
        """As ``Catalogue.named``, for PIDs of datasets: rows in memory have none of their own."""
        return [row.id for row in self.rows() if persistent_id == _dataset(row) != ""][:limit]

    def inspect(self) -> str:
        """As ``Catalogue.inspect``."""
        return f"in memory, {len(self.rows_now)} rows"

    def count_by_store(self) -> dict[str, int]:
        """As ``Catalogue.count_by_store``."""
        return dict(Counter(row.store_id for row in self.rows() if isinstance(row, Datafile)))

    def close(self) -> None:
        """Nothing to give back."""


def _is_dataset(row: Datafile | NotHere) -> bool:
    return isinstance(row, Datafile) and row.tag == DATASET


def _dataset(row: Datafile | NotHere) -> str:
    return row.dataset.persistent_id if isinstance(row, Datafile) else row.persistent_id


@dataclass
class MemoryDumper(Dumper):
    """Gives bytes for a dump, half of them where it fails. Change it at any time."""

    data: bytes = b"everything that the database knows"
    error: DumpError | None = None
    """Why it fails in the middle."""
    dumps: int = 0
    """How often one was begun."""

    def inspect(self) -> str:
        """As ``Dumper.inspect``."""
        if self.error is not None:
            raise self.error
        return "from memory"

    def dump(self, file: IO[bytes], is_stopping: Callable[[], bool]) -> Generator[int]:
        """As ``Dumper.dump``."""
        self.dumps += 1
        half = len(self.data) // 2
        file.write(self.data[:half])
        yield half
        if self.error is not None:
            raise self.error
        if is_stopping():
            raise DumpError("it was stopped")
        file.write(self.data[half:])
        yield len(self.data)
