"""The contract of a store: where the bytes are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import Reason
    from dataverse_backup.fixity import ByteStream

ORIGINAL_SUFFIX = ".orig"
"""What Dataverse appends to the main object's name for the original of an ingested file (facts 1.7)."""


class Store(ABC):
    """One of Dataverse's named storage configurations.

    A missing object, a refused one and an unreachable service are three different errors (SourceMissing,
    SourceRefused, SourceUnavailable), raised as this store's, also while a stream is being read. A store that is lost
    as a whole raises StoreLost: nothing is said about its objects then.
    """

    id: str
    logos_a_run = 1_000
    """How many datasets one run asks for a logo, besides those that have one or are new: a request for each."""

    @abstractmethod
    def names(self, datafile: Datafile) -> tuple[str, ...]:
        """Names of the objects that may hold the registered bytes, the likeliest first (facts 1.7).

        For an ingested file the original and then the main object, otherwise the main object and then the original; for
        a companion (its .tab, say) its own one.
        Raises SourceRefused for an identifier that would lead out of the store.
        """

    @abstractmethod
    def open(self, name: str) -> ByteStream:
        """The bytes of one object. Raises SourceError or StoreLost.

        Any thread may call it. Streams stand for themselves: several may be open at a time, each used by one thread
        at a time. A stream may say where its bytes lie (`services.origin`), for a destination in the same service.
        """

    @abstractmethod
    def object_name(self, datafile: Datafile) -> str:
        """The datafile's name within its dataset, as copies carry it (design, rule 8)."""

    def logos(self, dataset: Datafile) -> Mapping[str, str]:
        """The logos that lie here for *dataset* (a row with the tag DATASET), by tag; most have none.

        Each with a text that is another one when other bytes were stored, and mostly the same when not.
        Raises SourceError or StoreLost. Any thread may call it.
        """
        del dataset
        return {}

    @abstractmethod
    def probe(self) -> None:
        """Raise StoreLost when the store as a whole cannot be read: root missing or empty, nobody answers."""

    def excludes(self, datafile: Datafile) -> tuple[Reason, str] | None:
        """Why the bytes of *datafile* cannot be had from this store at all, or None where they can."""
        del datafile
        return None

    @property
    def layout(self) -> str:
        """What of it decides which datafiles it has and what their objects are called: its kind, and settings if any.

        While that stays the same, so do ``names``, ``object_name`` and ``excludes`` of an unchanged datafile.
        """
        return type(self).__qualname__

    def close(self) -> None:  # noqa: B027 -- most stores hold nothing open
        """Give back connections; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ordered_names(main: str, datafile: Datafile) -> tuple[str, ...]:
    """The main object and its original, in the order in which to try them for *datafile* (facts 1.7).

    A companion has the one name.
    """
    if datafile.is_companion:
        return (main,)
    original = main + ORIGINAL_SUFFIX
    return (original, main) if datafile.is_tabular else (main, original)
