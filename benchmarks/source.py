"""A store on disk with its Dataverse, from which everybody copies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarks import rows
from benchmarks.contents import MEBIBYTE, Content
from benchmarks.rows import Wanted, folder_of
from demo.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_BEGINNING = "18b"


def is_name(name: str) -> bool:
    """Whether a file of a source may be called so."""
    return name.startswith(_BEGINNING)


@dataclass(frozen=True)
class Source:
    """The datafiles of *content*, in the folder ``files`` and in the database of ``dsn``."""

    content: Content
    folder: Path
    dsn: str

    @property
    def files(self) -> Path:
        """The folder of the store."""
        return self.folder / "files"

    @property
    def number(self) -> int:
        """How many files there are."""
        return len(self.content.sizes)

    @cached_property
    def listing(self) -> dict[str, str]:
        """The registered MD5 of each datafile by its path in the store."""
        return {f"{folder_of(dataset)}/{name}": md5 for _, dataset, name, md5, _ in self._made}

    @cached_property
    def sample(self) -> Sample:
        """What an `Installation` wants to know."""
        return Sample({"file": self.files, "local": self.folder / "local"}, (), frozenset(), self.content.datasets)

    @cached_property
    def _made(self) -> Sequence[Wanted]:
        return list(self._write_files())

    def make(self) -> None:
        """Write files and rows; the files are in the cache of the system then."""
        (self.folder / "local").mkdir(parents=True)
        rows.write(self.dsn, self._made)
        os.sync()

    def _write_files(self) -> Iterator[Wanted]:
        in_each = -(-len(self.content.sizes) // self.content.datasets)
        for n, size in enumerate(self.content.sizes):
            dataset, name = n // in_each + 1, f"{_BEGINNING}{n:08x}-{n:012x}"
            path = self.files / folder_of(dataset) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            yield n, dataset, name, _write(path, size), size

    def part(self, number: int) -> Path:
        """A folder with links to the first *number* files, for those who would take too long with all."""
        folder = self.folder / f"part-{number}"
        if not folder.exists():
            for path in list(self.listing)[:number]:
                link = folder / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.hardlink_to(self.files / path)
        return folder

    def size_of_part(self, number: int) -> int:
        """Bytes of the first *number* files."""
        return sum(self.content.sizes[:number])


def _write(path: Path, size: int) -> str:
    """Fill *path* with bytes that cannot be compressed; the MD5 of them."""
    digest = hashlib.md5()
    with path.open("wb") as file:
        while size:
            data = os.urandom(min(size, MEBIBYTE))
            size -= len(data)
            digest.update(data)
            file.write(data)
    return digest.hexdigest()
