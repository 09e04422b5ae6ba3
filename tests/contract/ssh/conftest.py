"""The servers that the tests of the destination over SSH log in to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["shell", "no shell"])
def server(request: pytest.FixtureRequest) -> SshServer:
    """Either server; a test that stops one takes ``own_server``."""
    found: SshServer = request.getfixturevalue("ssh_server" if request.param == "shell" else "sftp_server")
    return found


@pytest.fixture(params=[True, False], ids=["shell", "no shell"])
def own_server(request: pytest.FixtureRequest, server_available: None) -> Iterator[SshServer]:
    """A server of this test's own."""
    del server_available
    with SshServer(shell=request.param) as server:
        yield server


@pytest.fixture
def server_available(ssh_server: SshServer) -> None:
    """Skip or fail in the one place where a missing sshd is judged."""
    del ssh_server
