"""One Dataverse whose files lie in three kinds of stores, backed up to four kinds of destinations in one run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.services.swift import Swift
from demo.contents import OnDisk
from tests.acceptance.small import small_file, small_files, unequal_copies
from tests.servers.seaweedfs import SeaweedfsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.postgresql import PostgresServer
    from tests.servers.sshd import SshServer
    from tests.servers.swift import SwiftServer

SOME_FAILED = 3
DESTINATIONS = ["bucket", "container", "default", "folder"]
CONTAINER = "doi-10-5072"


class World:
    """The stores and destinations of one installation, and how to look into each."""

    def __init__(self, site: Installation, s3: SeaweedfsServer, swift: SwiftServer, ssh: SshServer) -> None:
        self.site, self.s3, self._swift = site, s3, swift
        self.bucket, self.sources = s3.make_bucket(), s3.make_bucket()
        self.container = swift.new_container()
        self.ssh_folder = ssh.sandbox()
        site.back_up_over_ssh(ssh, self.ssh_folder)
        site.extra = f"""
[Store s3]
type: s3
bucket-name: {self.sources}
custom-endpoint-url: {s3.endpoint}
custom-endpoint-region: us-east-1
path-style-access: true
access-key: {s3.access_key}
secret-key: {s3.secret_key}
[Store swift]
type: swift
defaultEndpoint: endpoint1
authType.endpoint1: basic
authUrl.endpoint1: {swift.access.auth_url}
username.endpoint1: {swift.access.user}
password.endpoint1: {swift.access.key}
[Backup folder]
StorageType: filesystem
Directory: {site.backup}
[Backup bucket]
StorageType: s3
S3Bucket: {self.bucket}
S3Prefix: copies/of/ours
S3Endpoint: {s3.endpoint}
S3Region: us-east-1
S3PathStyle: yes
S3AccessKey: {s3.access_key}
S3SecretKey: {s3.secret_key}
[Backup container]
StorageType: swift
SwiftAuthUrl: {swift.access.auth_url}
SwiftAuthVersion: 1
SwiftUser: {swift.access.user}
SwiftKey: {swift.access.key}
SwiftContainer: {self.container}
"""

    def put_into_s3(self, path: Path, key: str) -> None:
        self.s3.shared_client.put_object(Bucket=self.sources, Key=key, Body=path.read_bytes())

    def put_into_swift(self, path: Path, name: str) -> None:
        with Swift(self._swift.access) as swift, swift.connection() as connection:
            connection.put_container(CONTAINER)
            connection.put_object(CONTAINER, name, path.read_bytes())

    def in_bucket(self, key: str) -> bytes:
        return self.s3.shared_client.get_object(Bucket=self.bucket, Key=f"copies/of/ours/{key}")["Body"].read()

    def in_container(self, key: str) -> bytes:
        with Swift(self._swift.access) as swift, swift.connection() as connection:
            data: bytes = connection.get_object(self.container, key)[1]
        return data

    def unequal(self, destination: str) -> list[str]:
        """The keys that are not there with the bytes of the original."""
        if destination in ("default", "folder"):
            return unequal_copies(self.site.sample, self.ssh_folder if destination == "default" else self.site.backup)
        read = self.in_bucket if destination == "bucket" else self.in_container
        digests = {key: hashlib.sha256(read(key)).hexdigest() for key in self.keys}
        return [key for key, digest in digests.items() if digest != self.keys[key]]

    @property
    def keys(self) -> dict[str, str | None]:
        """Of every copy that there must be: the SHA-256 of its bytes."""
        return {one.key: one.sha256 for one in self.site.sample.expected if one.key}

    def statuses(self) -> dict[str, set[str]]:
        """Which statuses there are, by destination."""
        found: dict[str, set[str]] = {}
        for line in self.site.listed():
            found.setdefault(line["destination"], set()).add(line["status"])
        return found


@pytest.fixture
def own_s3_server(s3_server: SeaweedfsServer) -> Iterator[SeaweedfsServer]:
    """A server that the test may stop."""
    del s3_server  # judges in one place whether there is one at all
    with SeaweedfsServer() as server:
        yield server


@pytest.fixture
def world(  # noqa: PLR0917 -- fixtures
    small: Small,
    postgres: PostgresServer,
    own_s3_server: SeaweedfsServer,
    swift_server: SwiftServer,
    ssh_server: SshServer,
    postgres_database: str,
) -> World:
    """A third of its files on disk, a third in S3, a third in Swift; one of each is ingested."""
    ingested = [small_file(is_tabular=True, on_disk=OnDisk.ORIGINAL) for _ in range(3)]
    site = small([*small_files(9, size=5_000), *ingested])
    world = World(site, own_s3_server, swift_server, ssh_server)
    for number, key in enumerate(world.keys):
        if number % 3:
            _move(world, key, is_to_s3=number % 3 == 1, postgres=postgres, database=postgres_database)
    return world


def _move(world: World, key: str, *, is_to_s3: bool, postgres: PostgresServer, database: str) -> None:
    """Move the objects of one datafile out of the file store, and register where they are."""
    folder = world.site.sample.stores["file"]
    authority, _, rest = key.partition("/")
    name = key.rpartition("/")[2]
    for path in sorted((folder / key).parent.glob(f"{name}*")):
        ending = path.name.removeprefix(name)
        if is_to_s3:
            world.put_into_s3(path, key + ending)
        else:
            world.put_into_swift(path, rest + ending)
        path.unlink()
    new = f"s3://{world.sources}:{name}" if is_to_s3 else f"swift://endpoint1:{CONTAINER}:{rest}"
    assert authority == "10.5072"
    postgres.execute(
        database,
        f"UPDATE dvobject SET storageidentifier = '{new}' WHERE storageidentifier IN ('{name}', 'file://{name}')",
    )


@pytest.mark.timeout(600)
def test_files_of_every_kind_of_store_go_to_every_kind_of_destination(world: World) -> None:
    site = world.site
    checked = site.run("check")
    for destination in DESTINATIONS:
        assert f"{destination}: write, prove, read back: OK" in checked.stdout, checked.stdout
    assert "FAILED" not in checked.stdout.replace("store local: FAILED", ""), checked.stdout

    started = site.run("backup", "--limit", "5")
    assert started.returncode == 0, started.stderr

    world.s3.stop()  # one destination and one store with it
    without = site.run("backup")
    assert without.returncode == SOME_FAILED, without.stderr
    assert "bucket" in without.stderr
    world.s3.start()

    complete = site.run("backup")
    assert complete.returncode == 0, complete.stderr
    assert world.statuses() == {destination: {"OK"} for destination in DESTINATIONS}
    assert {destination: world.unequal(destination) for destination in DESTINATIONS} == {d: [] for d in DESTINATIONS}

    again = site.run("backup")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("0 copied or proven, 0 failed") == len(DESTINATIONS)
