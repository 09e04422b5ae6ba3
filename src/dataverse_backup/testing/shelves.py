"""Where the suite of stores tries one: a store, and a hand that puts objects into it behind its back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dataverse_backup.stores.restorable import Restorable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pytest

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.stores.base import Store


class Shelf(ABC):
    """One store that holds something, and what happens to it."""

    store: Store
    is_flat = False
    """Its names are no paths: a leading slash leads nowhere, and is a part of the name."""

    def name(self, path: str) -> str:
        """What the store calls the object that a store of files keeps at *path*; the same, unless you say more."""
        return path

    def registered(self, file: Datafile) -> Datafile:
        """*file*, whose identifier is that of a store of files, as one in this store; the same, unless you say more."""
        return file

    def dataset(self, dataset: Datafile) -> Datafile:
        """*dataset*, whose identifier is that of a store of files, as one in this store; the same, unless you say."""
        return dataset

    def of_dataset(self, path: str) -> str:
        """What `plant` calls what belongs to a dataset and lies at *path* in a store of files; the same as there."""
        return path

    @abstractmethod
    def plant(self, name: str, data: bytes) -> None:
        """Put raw bytes at the path *name*."""

    @abstractmethod
    def refuse(self, name: str) -> AbstractContextManager[None]:
        """Nobody may read *name* for a while."""

    @abstractmethod
    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The service stops answering when *name* is read, after it was opened."""

    @abstractmethod
    def lose(self) -> None:
        """The store as a whole is gone."""


class RestorableShelf(Shelf):
    """A shelf whose store takes bytes back."""

    @property
    def restorable(self) -> Restorable:
        """The store, as what takes bytes back."""
        if not isinstance(self.store, Restorable):
            raise TypeError(f"{type(self.store).__name__} takes nothing back")
        return self.store

    @abstractmethod
    def everything(self) -> set[str]:
        """The path of every object."""

    @abstractmethod
    def forbid_writing(self) -> AbstractContextManager[None]:
        """We may read, and not write, for a while."""
