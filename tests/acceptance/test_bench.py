"""The benchmarks' one command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.postgresql import PostgresServer
    from tests.servers.sshd import SshServer


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_it_measures_us_and_others_in_one_table(postgres: PostgresServer, ssh_server: SshServer) -> None:
    del postgres, ssh_server  # judge in one place whether there are such servers at all
    answer = bench("ssh-small", "--quick", "--rounds", "1", "--delay", "10", "--contenders", "ours,tar")
    assert answer.returncode == 0, answer.stderr
    assert "ssh-small: 600 files of 4 KiB in 30 datasets, round trip 10 ms" in answer.stdout
    names = [line.split("`")[1] for line in answer.stdout.splitlines() if "`" in line]
    assert names == ["ours", "tar"]


def test_it_says_what_it_can_measure() -> None:
    answer = bench("--list")
    assert answer.returncode == 0, answer.stderr
    assert "10,000 files of 16 KiB in 500 datasets" in answer.stdout
    assert "rsync" in answer.stdout


def test_what_it_does_not_know_is_named() -> None:
    answer = bench("ssh-tiny", "--contenders", "ours,robocopy")
    assert answer.returncode == 2
    assert "there is no robocopy, ssh-tiny: see --list" in answer.stderr
