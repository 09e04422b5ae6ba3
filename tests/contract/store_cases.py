"""The stores that the contract suite runs against.

A case is a name and a context manager that gives a ``Shelf``: one store, and a hand that puts objects into it behind
its back. To judge another store, write its ``Shelf`` and add a line to ``SHELVES``.
"""

from __future__ import annotations

import errno
import shutil
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.errors import SourceRefused, SourceUnavailable
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.stores.memory import Fault, MemoryStore
from tests.ordinary_user import open_folder, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pytest

    from dataverse_backup.stores.base import Store


class Shelf(ABC):
    """One store that holds something, and what happens to it."""

    store: Store

    @abstractmethod
    def plant(self, name: str, data: bytes) -> None:
        """Put raw bytes under *name*."""

    @abstractmethod
    def refuse(self, name: str) -> AbstractContextManager[None]:
        """Nobody may read *name* for a while."""

    @abstractmethod
    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The service stops answering when *name* is read, after it was opened."""

    @abstractmethod
    def lose(self) -> None:
        """The store as a whole is gone."""


class MemoryShelf(Shelf):
    def __init__(self) -> None:
        self.store: MemoryStore = MemoryStore("file", {"other": b"x"})

    def plant(self, name: str, data: bytes) -> None:
        self.store.objects[name] = data

    @contextmanager
    def refuse(self, name: str) -> Iterator[None]:
        self.store.faults[name] = Fault(on_open=SourceRefused)
        yield
        del self.store.faults[name]

    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        del monkeypatch
        self.store.faults[name] = Fault(breaks_after=0, breaks_with=SourceUnavailable)

    def lose(self) -> None:
        self.store.lost = True


class FolderShelf(Shelf):
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "files"
        self.store = FilesystemStore("file", self._folder)
        self.plant("other", b"x")

    def plant(self, name: str, data: bytes) -> None:
        (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)

    @contextmanager
    def refuse(self, name: str) -> Iterator[None]:
        (self._folder / name).chmod(0)
        with ordinary_user():
            yield

    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        del name

        def stale(*_: object) -> bytes:
            raise OSError(errno.ESTALE, "Stale file handle")

        monkeypatch.setattr("dataverse_backup.stores.filesystem.os.read", stale)

    def lose(self) -> None:
        shutil.rmtree(self._folder)


@contextmanager
def memory() -> Iterator[Shelf]:
    yield MemoryShelf()


@contextmanager
def filesystem() -> Iterator[Shelf]:
    with open_folder() as folder:
        yield FolderShelf(folder)


SHELVES: dict[str, Callable[[], AbstractContextManager[Shelf]]] = {"memory": memory, "filesystem": filesystem}
