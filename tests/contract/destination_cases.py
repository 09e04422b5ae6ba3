"""The destinations that the contract suite runs against.

A case is a name and a context manager that gives a ``Place``. To judge another destination, write its ``Place``
(``FolderPlace`` does where the root is a folder of this machine) and add a line to ``CASES``; a case that needs a
server takes its fixture through ``request``.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.filesystem import FilesystemDestination
from dataverse_backup.destinations.memory import MemoryDestination
from dataverse_backup.destinations.s3 import S3Destination, S3Settings
from dataverse_backup.destinations.ssh.destination import SshDestination
from dataverse_backup.destinations.swift import SwiftDestination, SwiftSettings
from dataverse_backup.destinations.swift.large import SEGMENTS_PREFIX
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.testing.places import NAME, STAGING, FolderPlace, Place
from tests.servers.carrying import carried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pytest

    from dataverse_backup.destinations.base import Destination, Staging
    from tests.servers.rclone import RcloneServer
    from tests.servers.s3_service import S3Service
    from tests.servers.sshd import SshServer
    from tests.servers.swift import SwiftServer


class ModelessFolderPlace(FolderPlace):
    """A root behind ``rclone serve sftp``, which answers that it has set a mode, and has not."""

    def mode(self, key: str) -> None:
        del key


class MemoryPlace(Place):
    """A root that is a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def destination(self, staging: Staging = STAGING) -> Destination:
        return MemoryDestination(NAME, staging, self.objects)

    def read(self, key: str) -> bytes:
        return self.objects[key]

    def plant(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def everything(self) -> set[str]:
        return set(self.objects)


class BucketPlace(Place):
    """A root that is a prefix in a bucket; what lies beside the prefix is a stray."""

    def __init__(self, server: S3Service, verify: VerifiedBy = VerifiedBy.READ_BACK) -> None:
        """Take a new prefix in the bucket of *server* that the tests share: making one of its own takes a second."""
        self.server, self.client, self.bucket = server, server.shared_client, server.shared_bucket
        self.folder = server.new_name()
        self.prefix = f"{self.folder}/some/where"
        self._verify = verify

    def settings(self, **other: Any) -> S3Settings:
        """Of a destination on this root; *other* fields replace those of the S3Settings."""
        fields: dict[str, Any] = {
            "access": self.server.access(),
            "bucket": self.bucket,
            "prefix": self.prefix,
            "verify": self._verify,
            "biggest_whole": 1 << 19,  # small, so that the bigger objects of the suite travel as uploads in parts
            "part_size": 5 << 20,
            "page": 25,
        }
        return S3Settings(**(fields | other))

    def destination(self, staging: Staging = STAGING) -> Destination:
        return S3Destination(NAME, self.settings(), staging)

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")["Body"].read()

    def plant(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=data)

    def everything(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        names = (found["Key"] for page in pages for found in page.get("Contents", ()))
        return {name.removeprefix(f"{self.prefix}/") for name in names}

    def strays(self) -> set[str]:
        top = self._beside("", set(self.server.names))
        return top | self._beside(f"{self.folder}/", {"some"}) | self._beside(f"{self.folder}/some/", {"where"})

    def staged(self) -> set[str]:
        return super().staged() | self.unfinished()

    def unfinished(self) -> set[str]:
        """The names of uploads in parts that were begun and neither completed nor aborted."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return {upload["Key"] for upload in found.get("Uploads", ())}

    def _beside(self, folder: str, known: set[str]) -> set[str]:
        """What lies in *folder* and is not *known*."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=folder, Delimiter="/")
        names = {entry["Key"] for entry in found.get("Contents", ())}
        names |= {entry["Prefix"].rstrip("/") for entry in found.get("CommonPrefixes", ())}
        return {name for name in names if name.removeprefix(folder) not in known}


class ContainerPlace(Place):
    """A root that is a container of its own; another container that was made is a stray."""

    def __init__(self, server: SwiftServer, verify: VerifiedBy = VerifiedBy.READ_BACK) -> None:
        """Make the container on *server*."""
        self.server, self.swift, self._verify = server, server.hand, verify
        self.container = server.new_container()
        with self.swift.connection() as connection:
            connection.put_container(self.container)
        self._others = self._containers()

    def settings(self, **other: Any) -> SwiftSettings:
        """Of a destination on this root; *other* fields replace those of the SwiftSettings."""
        fields: dict[str, Any] = {
            "access": self.server.access,
            "container": self.container,
            "verify": self._verify,
            "segment_size": 1 << 20,  # small, so that the bigger objects of the suite travel in segments
            "whole_size": 1 << 16,
            "page": 25,
        }
        return SwiftSettings(**(fields | other))

    def destination(self, staging: Staging = STAGING) -> Destination:
        return SwiftDestination(NAME, self.settings(), staging)

    def read(self, key: str) -> bytes:
        with self.swift.connection() as connection:
            data: bytes = connection.get_object(self.container, key)[1]
        return data

    def plant(self, key: str, data: bytes) -> None:
        with self.swift.connection() as connection:
            connection.put_object(self.container, key, data)

    def everything(self) -> set[str]:
        return {one["name"] for one in self._listed()}

    def strays(self) -> set[str]:
        return self._containers() - self._others

    def _containers(self) -> set[str]:
        with self.swift.connection() as connection:
            return {one["name"] for one in connection.get_account(full_listing=True)[1]}

    def staged(self) -> set[str]:
        return super().staged() | self.orphans()

    def orphans(self) -> set[str]:
        """Segments that no object has."""
        segments = {one["name"] for one in self._listed() if one["name"].startswith(f"{SEGMENTS_PREFIX}/")}
        large = [one["name"] for one in self._listed() if "slo_etag" in one]
        with self.swift.connection() as connection:
            for key in large:
                _, manifest = connection.get_object(self.container, key, query_string="multipart-manifest=get")
                segments -= {one["name"].removeprefix(f"/{self.container}/") for one in json.loads(manifest)}
        return segments

    def _listed(self) -> list[dict[str, Any]]:
        with self.swift.connection() as connection:
            found: list[dict[str, Any]] = connection.get_container(self.container, full_listing=True)[1]
        return found


@contextmanager
def memory(request: pytest.FixtureRequest) -> Iterator[Place]:
    del request
    yield MemoryPlace()


@contextmanager
def filesystem(request: pytest.FixtureRequest) -> Iterator[Place]:
    sandbox: Path = request.getfixturevalue("tmp_path")
    yield FolderPlace(sandbox, lambda root, staging: FilesystemDestination(NAME, root, staging))


@contextmanager
def ssh_with_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("ssh_server"))


@contextmanager
def ssh_program(request: pytest.FixtureRequest) -> Iterator[Place]:
    server: SshServer = request.getfixturevalue("ssh_server")
    yield FolderPlace(server.sandbox(), lambda root, staging: carried(NAME, server.settings(root), staging))


@contextmanager
def ssh_without_shell(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("sftp_server"))


@contextmanager
def rclone(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield _folder_of(request.getfixturevalue("rclone_server"), ModelessFolderPlace)


def _folder_of(server: SshServer | RcloneServer, place: type[FolderPlace] = FolderPlace) -> Place:
    return place(server.sandbox(), lambda root, staging: SshDestination(NAME, server.settings(root), staging))


@contextmanager
def s3(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield BucketPlace(request.getfixturevalue("s3_server"))


@contextmanager
def s3_of_swift(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield BucketPlace(request.getfixturevalue("swift_s3"))


@contextmanager
def s3_service(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield BucketPlace(request.getfixturevalue("s3_server"), VerifiedBy.SERVICE)


@contextmanager
def swift(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield ContainerPlace(request.getfixturevalue("swift_server"))


@contextmanager
def swift_service_with_keystone(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield ContainerPlace(request.getfixturevalue("swift_with_keystone"), VerifiedBy.SERVICE)


CASES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Place]]] = {
    "memory": memory,
    "filesystem": filesystem,
    "ssh with shell": ssh_with_shell,
    "ssh program": ssh_program,
    "ssh without shell": ssh_without_shell,
    "rclone serve sftp": rclone,
    "s3": s3,
    "s3 service": s3_service,
    "s3 of swift": s3_of_swift,
    "swift": swift,
    "swift service with keystone": swift_service_with_keystone,
}

WITH_NOTES_AND_LISTS = tuple(case for case in CASES if case != "ssh program")
"""Those that are used by others than workers, which neither list anything nor write notes."""
