"""The contract of what dumps the Dataverse database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import IO


class Dumper(ABC):
    """Dumps the whole database of one Dataverse installation."""

    @abstractmethod
    def inspect(self) -> str:
        """One line about how it would be dumped. Raises DumpError and CatalogueError for what would prevent it."""

    @abstractmethod
    def dump(self, file: IO[bytes], is_stopping: Callable[[], bool]) -> Generator[int]:
        """Write the database, as it is when this begins, to *file*, which is empty: how many bytes it has, meanwhile.

        What is there when the iterator ends is whole; where it raises, it is not, whatever it looks like. Raises
        DumpError and CatalogueError, also soon after *is_stopping* says so. Nothing goes on when it is closed.
        """
