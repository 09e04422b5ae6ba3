"""A run that is killed in the middle of a big file: the next one sends what is missing, and proves all of it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.acceptance.freezing import Staged, frozen, sizes_below
from tests.acceptance.small import small_file, unequal_copies
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.servers.sshd import SshServer

MIB = 1 << 20
SIZE = 88 * MIB
ARRIVED = 66 * MIB


def leave_in_staging(folder: Path) -> list[int]:
    """The sizes of what lies in staging."""
    staging = folder / ".dataverse-backup" / "staging"
    return list(sizes_below(staging).values())


def test_a_run_that_is_killed_in_a_big_file_over_ssh_is_continued_and_not_repeated(
    small: Small, ssh_server: SshServer, tmp_path: Path
) -> None:
    installation = small([small_file(size=SIZE)])
    folder = ssh_server.sandbox()
    with TcpProxy(ssh_server.port) as line:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(ssh_server.known_hosts.read_text().replace(f":{ssh_server.port} ", f":{line.port} "))
        installation.back_up_over_ssh(ssh_server, folder, "Workers: 1")
        installation.destination = installation.destination.replace(
            f"SshPort: {ssh_server.port}", f"SshPort: {line.port}"
        ).replace(str(ssh_server.known_hosts), str(known_hosts))
        run = installation.start("backup")
        with frozen(run, Staged(folder, ARRIVED)):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)
        (arrived,) = leave_in_staging(folder)
        assert ARRIVED <= arrived < SIZE
        before = line.passed[True]
        answer = installation.run("--log-level", "info", "--log-format", "json", "backup")
        assert answer.returncode == 0, answer.stderr
        assert line.passed[True] - before < (SIZE - ARRIVED) + 4 * MIB
    assert '"event": "resumed: ' in answer.stderr
    assert unequal_copies(installation.sample, folder) == []
    assert leave_in_staging(folder) == []
    assert 0 < installation.status()["last_run"]["bytes_sent"] <= SIZE - ARRIVED
