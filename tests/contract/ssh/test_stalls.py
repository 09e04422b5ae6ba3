"""Servers that stop reading: frozen as a whole, or with a program that hangs. Nobody waits for ever."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pytest

from dataverse_backup.destinations.base import Failure, Receipt
from dataverse_backup.errors import Unavailable
from tests.contract.ssh.test_accounts import account_with
from tests.contract.ssh.uploads import destination, objects, upload
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.destinations.ssh import SshSettings

BIG = bytes(12 << 20)
"""More than what the network and a channel's window hold."""


class Ice:
    """Lets processes stand still as soon as something is sent, and go on in the end."""

    def __init__(self, server: SshServer, program: str = "") -> None:
        self._server, self._program = server, program
        self.frozen: list[int] = []

    def freeze(self) -> None:
        for _ in range(100):
            if found := self._server.processes(self._program):
                break
            time.sleep(0.05)  # it is only just being started
        self.frozen = found
        for pid in found:
            os.kill(pid, signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def quick(server: SshServer, root: Path, **changes: Any) -> SshSettings:
    """Settings of those who have no patience."""
    return replace(
        server.settings(root), keepalive_interval=0.5, connect_timeout=3.0, **{"stall_timeout": 60.0, **changes}
    )


def refused_in_time(one: Destination, ice: Ice) -> None:
    """What is sent while *ice* comes is unavailable, and soon."""
    began = time.monotonic()
    with ice:
        uploads = [upload("a/a", bytes(1 << 19)), upload("a/b", BIG, on_open=ice.freeze)]
        results = {result.key: result for result in one.put(uploads)}
        assert ice.frozen
    failure = results["a/b"]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, Unavailable)
    assert time.monotonic() - began < 30


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """A server whose SFTP is a program of its own, so that it can be stopped alone."""
    with SshServer(login_shell="/bin/sh") as made:
        yield made


@pytest.mark.usefixtures("server_available")
@pytest.mark.parametrize(
    ("frozen", "big_file", "stall_timeout"),
    [("", 1 << 20, 60.0), ("", 1 << 30, 60.0), ("python3", 1 << 30, 2.0), ("sftp-server", 1 << 20, 2.0)],
    ids=["everything, by SFTP", "everything, bundled", "our program", "SFTP"],
)
def test_whatever_stops_reading_is_unavailable_after_a_while_and_is_used_again_when_it_goes_on(
    server: SshServer, frozen: str, big_file: int, stall_timeout: float
) -> None:
    root = server.sandbox()
    with destination(quick(server, root, big_file=big_file, stall_timeout=stall_timeout)) as one:
        one.connect()
        refused_in_time(one, Ice(server, frozen))
        (receipt,) = one.put([upload("a/b", BIG)])
        assert isinstance(receipt, Receipt)
    assert "a/b" in objects(root)


@pytest.mark.usefixtures("server_available")
def test_a_tar_that_stops_reading_is_unavailable_after_a_while(tmp_path: Path) -> None:
    with SshServer(login_shell="/bin/sh", path=account_with(tmp_path, md5sum="")) as without_python:
        settings = quick(without_python, without_python.sandbox(), big_file=1 << 30, stall_timeout=2.0)
        with destination(settings) as one:
            one.connect()
            refused_in_time(one, Ice(without_python, "tar"))
