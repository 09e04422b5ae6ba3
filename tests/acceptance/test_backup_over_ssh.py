"""The installed command on the sample Dataverse, with real OpenSSH servers as destinations."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import is_own
from demo.proof import differences, stamps
from tests.acceptance.freezing import sizes_below
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.installation import Installation

SOME_FAILED = 3
KILLS = 5


@pytest.fixture(params=[True, False], ids=["shell", "internal-sftp"])
def server(request: pytest.FixtureRequest, ssh_server: SshServer) -> Iterator[SshServer]:
    """A server of this test's own, which it may stop."""
    del ssh_server  # judges in one place whether there is an sshd at all
    with SshServer(shell=request.param) as own:
        yield own


@pytest.fixture
def copies(installation: Installation, server: SshServer) -> Path:
    """The folder at the server where *installation* is configured to be backed up to."""
    folder = server.sandbox()
    installation.back_up_over_ssh(server, folder, "BatchFiles: 25")
    return folder


def test_every_copy_is_proven_over_there_and_none_is_made_twice(installation: Installation, copies: Path) -> None:
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED, answer.stderr
    listed = installation.listed_with_companions()
    assert differences(installation.sample, listed, copies) == []
    assert {line["verified_by"] for line in listed if line["status"] == "OK"} <= {"remote-hash", "read-back"}
    before = stamps(copies)
    assert installation.run("backup").returncode == SOME_FAILED
    assert stamps(copies) == before


def test_runs_killed_at_random_moments_are_made_good_by_the_next(installation: Installation, copies: Path) -> None:
    moments = random.Random(2026)
    for _ in range(KILLS):
        run = installation.start("backup")
        time.sleep(moments.uniform(0.7, 2.5))
        run.kill()
        run.communicate(timeout=30)
        whole = {e.key: e.size for e in installation.sample.expected if e.key and e.size is not None}
        whole |= {companion.key: companion.size for companion in installation.sample.companions}
        found = {str(path.relative_to(copies)): size for path, size in sizes_below(copies).items()}
        visible = {key: size for key, size in found.items() if not is_own(key)}
        assert {key: whole[key] for key in visible} == visible  # never half a file under a final name
    ok = {line["datafile_id"] for line in installation.listed("--status", "OK")}
    before = stamps(copies)
    assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), copies) == []
    keys = {e.key for e in installation.sample.expected if e.datafile_id in ok}
    after = stamps(copies)
    assert {key: after[key] for key in before if key in keys} == {key: before[key] for key in before if key in keys}


def test_a_server_that_is_gone_records_nothing(installation: Installation, copies: Path, server: SshServer) -> None:
    server.stop()
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "127.0.0.1" in answer.stderr
    assert installation.listed() == []
    assert list(copies.iterdir()) == []


def test_a_server_restarted_in_mid_run_costs_nothing(
    installation: Installation, copies: Path, server: SshServer
) -> None:
    run = installation.start("backup")
    while not (copies / ".dataverse-backup" / "identity").exists() and run.poll() is None:
        time.sleep(0.01)
    time.sleep(1.0)
    server.restart()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == SOME_FAILED, output
    if "connection" in output:  # it went beyond what retries bridge: then the next run does the rest
        assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), copies) == []


def test_an_unknown_host_key_is_refused_in_words(installation: Installation, copies: Path) -> None:
    empty = installation.folder / "known_hosts"
    empty.touch()
    lines = installation.destination.splitlines()
    installation.destination = "\n".join(
        f"SshKnownHosts: {empty}" if line.startswith("SshKnownHosts") else line for line in lines
    )
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "host key" in answer.stderr
    assert "SHA256:" in answer.stderr
    assert "ssh-keyscan" in answer.stderr
    assert list(copies.iterdir()) == []


def test_check_tries_the_server_out_and_leaves_nothing(installation: Installation, copies: Path) -> None:
    answer = installation.run("check")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    ours = (copies / ".dataverse-backup").rglob("*")
    assert [path.name for path in ours if path.is_file()] == ["identity"]
