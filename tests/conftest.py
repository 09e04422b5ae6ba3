"""Fixtures that several suites share: the real servers, each started once and only when a test asks for it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.servers import unavailable
from tests.servers.postgresql import NoPostgres, PostgresServer
from tests.servers.sshd import NoSshd, SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count(1)


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


def _sshd(*, shell: bool) -> SshServer:
    try:
        return SshServer(shell=shell)
    except NoSshd as missing:
        unavailable(str(missing))
