"""The stores that the contract suite runs against.

A case is a name and a context manager that gives a ``Shelf``. To judge another store, write its ``Shelf`` and add a
line to ``SHELVES``.
"""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.errors import SourceRefused, SourceUnavailable
from dataverse_backup.services.swift import Swift
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.stores.memory import Fault, MemoryStore
from dataverse_backup.stores.s3 import S3Store
from dataverse_backup.stores.sharing import Sharing
from dataverse_backup.stores.swift import SwiftStore
from dataverse_backup.testing.shelves import RestorableShelf, Shelf
from dataverse_backup.testing.stores import NAME
from tests.ordinary_user import open_folder, ordinary_user
from tests.servers.seaweedfs import LISTER_KEY, LISTER_SECRET, READER_KEY, READER_SECRET
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pytest

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.stores.s3 import S3Stream
    from dataverse_backup.stores.swift import SwiftStream
    from tests.servers.seaweedfs import SeaweedfsServer
    from tests.servers.swift import SwiftServer


class MemoryShelf(RestorableShelf):
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

    def everything(self) -> set[str]:
        return set(self.store.objects)

    @contextmanager
    def forbid_writing(self) -> Iterator[None]:
        self.store.is_read_only = True
        yield
        self.store.is_read_only = False


class FolderShelf(RestorableShelf):
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

    def everything(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if not path.is_dir()}

    @contextmanager
    def forbid_writing(self) -> Iterator[None]:
        with ordinary_user():
            yield


class BucketShelf(RestorableShelf):
    """A bucket that nobody else uses, behind a proxy that can be cut."""

    is_flat = True

    def __init__(self, server: SeaweedfsServer, proxy: TcpProxy) -> None:
        self._server, self.proxy = server, proxy
        self._client, self._bucket = server.shared_client, server.shelf_bucket
        self.store: S3Store = S3Store("file", server.access(endpoint=proxy.url), self._bucket)
        self.plant("other", b"x")

    def plant(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=name, Body=data)

    @contextmanager
    def refuse(self, name: str) -> Iterator[None]:
        del name
        self.store.close()
        lister = self._server.access(access_key=LISTER_KEY, secret_key=LISTER_SECRET)
        self.store = S3Store("file", lister, self._bucket)
        yield

    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        opened = self.store.open

        def then_gone(name: str) -> S3Stream:
            stream = opened(name)
            self.proxy.is_down = True
            self.proxy.cut_all()
            with suppress(SourceUnavailable):
                while stream.read(1 << 16):  # what lies in buffers on the way
                    pass
            return stream

        self.plant(name, b"x" * (1 << 22))
        monkeypatch.setattr(self.store, "open", then_gone)

    def everything(self) -> set[str]:
        found = self._client.list_objects_v2(Bucket=self._bucket).get("Contents", ())
        return {str(one["Key"]) for one in found}

    @contextmanager
    def forbid_writing(self) -> Iterator[None]:
        former = self.store
        reader = self._server.access(access_key=READER_KEY, secret_key=READER_SECRET)
        with S3Store("file", reader, self._bucket) as self.store:
            yield
        self.store = former

    def lose(self) -> None:
        for found in self._client.list_objects_v2(Bucket=self._bucket).get("Contents", ()):
            self._client.delete_object(Bucket=self._bucket, Key=found["Key"])


class SwiftShelf(RestorableShelf):
    """An account of Swift that nobody else uses, behind a proxy that can be cut."""

    container = "doi-10-5072"
    of_datasets = "doi_10_5072"

    def __init__(self, server: SwiftServer, proxy: TcpProxy) -> None:
        self._server, self.proxy = server, proxy
        self.login = server.shelf_access(proxy.url)
        self.swift = Swift(self.login)
        self.store: SwiftStore = SwiftStore("file", {"endpoint1": self.login})
        with self.swift.connection() as connection:
            connection.put_container(self.container)

    def name(self, path: str) -> str:
        return f"endpoint1:{self.container}:{path.removeprefix('10.5072/')}"

    def registered(self, file: Datafile) -> Datafile:
        identifier = self.name(f"{file.dataset.storage_path}/{file.location}")
        return replace(file, storageidentifier=f"file://{identifier}")

    def dataset(self, dataset: Datafile) -> Datafile:
        authority, identifier = dataset.dataset.authority, dataset.dataset.identifier
        container = self.of_datasets if authority == "10.5072" else authority
        return replace(dataset, storageidentifier=f"file://endpoint1:{container}/{identifier}")

    def of_dataset(self, path: str) -> str:
        return f"{self.of_datasets}/{path.removeprefix('10.5072/')}"

    def plant(self, name: str, data: bytes) -> None:
        of_datasets = f"{self.of_datasets}/"
        container = self.of_datasets if name.startswith(of_datasets) else self.container
        with self.swift.connection() as connection:
            if container == self.of_datasets:
                connection.put_container(container)
            connection.put_object(container, name.removeprefix("10.5072/").removeprefix(of_datasets), data)

    @contextmanager
    def refuse(self, name: str) -> Iterator[None]:
        del name
        self.store.close()
        self.store = SwiftStore("file", {"endpoint1": replace(self.login, user="shelf:reader", key="reading")})
        yield

    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        del name
        opened = self.store.open

        def then_gone(name: str) -> SwiftStream:
            stream = opened(name)
            self.proxy.is_down = True
            self.proxy.cut_all()
            with suppress(SourceUnavailable):  # what had come already is read
                while stream.read(1 << 20):
                    pass
            return stream

        self.plant(NAME, b"x" * (1 << 22))  # more than lies in buffers on the way
        monkeypatch.setattr(self.store, "open", then_gone)

    def everything(self) -> set[str]:
        with self.swift.connection() as connection:
            found = connection.get_container(self.container, full_listing=True)[1]
        return {f"10.5072/{one['name']}" for one in found}

    @contextmanager
    def forbid_writing(self) -> Iterator[None]:
        former = self.store
        with self.swift.connection() as connection:
            connection.post_container(self.container, {"X-Container-Read": "shelf:reader"})
        with SwiftStore("file", {"endpoint1": replace(self.login, user="shelf:reader", key="reading")}) as self.store:
            yield
        self.store = former

    def lose(self) -> None:
        with self.swift.connection() as connection:
            for container in connection.get_account()[1]:
                for one in connection.get_container(container["name"], full_listing=True)[1]:
                    connection.delete_object(container["name"], one["name"])
                connection.delete_container(container["name"])


class SharedShelf(Shelf):
    """A store as one of two readers sees it who share their reading; the other one never comes."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self._sharing = shelf, Sharing({"file": shelf.store})
        self._readers = [self._sharing.reader(), self._sharing.reader()]
        self.store = self._readers[0].stores["file"]

    def plant(self, name: str, data: bytes) -> None:
        self._shelf.plant(name, data)
        for reader in self._readers:
            self._sharing.expect(reader, ("file", name))

    def refuse(self, name: str) -> AbstractContextManager[None]:
        return self._shelf.refuse(name)

    def break_down(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._shelf.break_down(name, monkeypatch)

    def lose(self) -> None:
        self._shelf.lose()


@contextmanager
def memory(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    del request
    yield MemoryShelf()


@contextmanager
def shared(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    with filesystem(request) as shelf:
        yield SharedShelf(shelf)


@contextmanager
def s3(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    server: SeaweedfsServer = request.getfixturevalue("s3_server")
    with TcpProxy(server.port) as proxy:
        shelf = BucketShelf(server, proxy)
        yield shelf
        shelf.lose()


@contextmanager
def swift(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    server: SwiftServer = request.getfixturevalue("swift_server")
    with TcpProxy(server.port) as proxy:
        shelf = SwiftShelf(server, proxy)
        with shelf.swift:
            yield shelf
            proxy.is_down = False
            shelf.lose()


@contextmanager
def filesystem(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    del request
    with open_folder() as folder:
        yield FolderShelf(folder)


SHELVES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Shelf]]] = {
    "memory": memory,
    "filesystem": filesystem,
    "shared": shared,
    "s3": s3,
    "swift": swift,
}

RESTORABLE_SHELVES = SHELVES.keys() - {"shared"}
"""Those whose stores take bytes back."""
