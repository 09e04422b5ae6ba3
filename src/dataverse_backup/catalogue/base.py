"""The contract of a catalogue: what must exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from dataverse_backup.datafile import Datafile, Mark, NotHere


class Snapshot(ABC):
    """The catalogue as it is at one moment, however long it is looked at; read one thing after the other."""

    @abstractmethod
    def rows(self) -> Generator[Datafile | NotHere, None, None]:
        """Every datafile that is ours, by ascending id."""

    @abstractmethod
    def marks(self) -> Generator[Mark, None, None]:
        """The mark of each of ``rows``, in the same order: much less than what they say, to find what changed.

        A row whose mark is what it was says what it said. The same row may have another mark one day, where the
        database was moved to another server.
        """

    @abstractmethod
    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        """The rows of these datafiles, and of these datasets, wanted or not; ids that are not there are absent."""

    @abstractmethod
    def datasets(self) -> list[int]:
        """The ids of all datasets that are ours, ascending; none where nobody wants their logos.

        Their rows have the tag DATASET. Ids are those of Dataverse's ``dvobject``: none is that of a datafile too.
        """


class Catalogue(ABC):
    """The Datafiles of one Dataverse installation.

    Promises, each a test of the contract suite:

    * reading never writes: the session is read-only;
    * ``rows`` is one consistent snapshot, streamed in constant memory, and so is what a ``snapshot`` gives;
    * each datafile comes once, in the order of its id; harvested ones do not come at all;
    * a row that cannot become a Datafile comes as NotHere, with the reason;
    * placeholder checksums are None, never made up.

    Every method raises CatalogueUnavailable when the database does not answer (the same call may succeed later) and
    CatalogueError for what an administrator must mend: an unknown schema form, a missing grant.
    """

    interpretation: str
    """What else than the database decides what a row means: settings, in words; marks say nothing of them."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The catalogue as it is now, until it is left."""

    def rows(self) -> Generator[Datafile | NotHere, None, None]:
        """Every datafile that is ours, by ascending id. Close the iterator (or exhaust it) to end the snapshot."""
        with self.snapshot() as snapshot:
            yield from snapshot.rows()

    @abstractmethod
    def read(self, ids: Sequence[int]) -> dict[int, Datafile | NotHere]:
        """The rows of these datafiles and datasets as they are now; ids that are gone are absent."""

    @abstractmethod
    def named(self, persistent_id: str, limit: int | None = None) -> list[int]:
        """The first *limit* ids, or all, of ``rows`` that have this PID, or whose dataset has it, ascending.

        Datafiles have PIDs of their own since Dataverse 4.9.
        """

    @abstractmethod
    def inspect(self) -> str:
        """One line about what was found (server, schema form); raises what ``rows`` would raise."""

    @abstractmethod
    def count_by_store(self) -> dict[str, int]:
        """How many of ``rows`` name each store id (rows that are NotHere are not counted)."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
