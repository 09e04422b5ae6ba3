"""Fixtures that several suites share: the real servers, each started once and only when a test asks for it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.servers import unavailable
from tests.servers.keystone import KeystoneServer, NoKeystone
from tests.servers.postgresql import NoPostgres, PostgresServer
from tests.servers.rclone import NoRclone, RcloneServer
from tests.servers.s3_service import SwiftS3
from tests.servers.seaweedfs import NoSeaweedfs, SeaweedfsServer
from tests.servers.sshd import NoSshd, SshServer
from tests.servers.swift import NoSwift, SwiftServer

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say for ``--dist loadgroup`` which tests share what takes long to make: those of one file, as a rule.

    The tests of the installed command take longest and share little: they fill the time that is left in the end.
    """
    for item in items:
        if not item.get_closest_marker("xdist_group") and not _shares_nothing(item):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(_TESTS))))


def _shares_nothing(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    is_sharing = any(definition.scope == "module" for found in fixtures for definition in found)
    return item.path.is_relative_to(_TESTS / "acceptance") and not is_sharing


_TESTS = Path(__file__).parent

settings.register_profile("patient", deadline=None)  # a busy machine is no fault
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL; do not stop it, others use it too."""
    try:
        server = PostgresServer()
    except NoPostgres as missing:
        unavailable(str(missing))
    with server:
        yield server


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[str]:
    """The name of an empty database of this test's own."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name)
    yield name
    postgres.drop(name)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """A running sshd with a shell account; do not stop it, others use it too."""
    with _sshd(shell=True) as server:
        yield server


@pytest.fixture(scope="session")
def sftp_server() -> Iterator[SshServer]:
    """A running sshd that allows nothing but SFTP; do not stop it, others use it too."""
    with _sshd(shell=False) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[RcloneServer]:
    """A running `rclone serve sftp`; do not stop it, others use it too."""
    try:
        server = RcloneServer()
    except NoRclone as missing:
        unavailable(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedfsServer]:
    """A running S3 service; do not stop it, others use it too."""
    try:
        server = SeaweedfsServer()
    except NoSeaweedfs as missing:
        unavailable(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def swift_server() -> Iterator[SwiftServer]:
    """A running Swift with tempauth; do not stop it, others use it too."""
    try:
        server = SwiftServer()
    except NoSwift as missing:
        unavailable(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def swift_s3(swift_server: SwiftServer) -> SwiftS3:
    """What Swift makes of S3."""
    return SwiftS3(swift_server)


@pytest.fixture(scope="session")
def keystone_server() -> Iterator[KeystoneServer]:
    """A running Keystone; do not stop it, others use it too."""
    try:
        server = KeystoneServer()
    except NoKeystone as missing:
        unavailable(str(missing))
    with server:
        yield server


@pytest.fixture(scope="session")
def swift_with_keystone(keystone_server: KeystoneServer) -> Iterator[SwiftServer]:
    """A running Swift behind Keystone; do not stop it, others use it too."""
    try:
        server = SwiftServer(keystone_server)
    except NoSwift as missing:
        unavailable(str(missing))
    with server:
        yield server


def _sshd(*, shell: bool) -> SshServer:
    try:
        return SshServer(shell=shell)
    except NoSshd as missing:
        unavailable(str(missing))
