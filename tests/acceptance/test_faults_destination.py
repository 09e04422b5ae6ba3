"""A destination that is full, cannot be written or goes away: what is said, and that it is made good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.proof import stamps
from tests.acceptance.freezing import frozen, some_copy_in
from tests.acceptance.small import small_file, small_files, standing, unequal_copies, untruths
from tests.acceptance.small_disk import small_disk
from tests.ordinary_user import unprivileged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.sshd import SshServer

SOME_FAILED = 3


def is_made_good(installation: Installation, backup: Path) -> bool:
    """Whether the next run copies what is missing, and touches nothing else."""
    before = stamps(backup)
    answer = installation.run("backup")
    assert answer.returncode == 0, answer.stderr
    assert unequal_copies(installation.sample, backup) == []
    return before.items() <= stamps(backup).items()


@pytest.mark.parametrize("how", ["folder", "ssh"])
def test_a_full_disk_fails_what_does_not_fit_and_more_room_makes_it_good(
    small: Small, ssh_server: SshServer, how: str
) -> None:
    installation = small(small_files(9, size=700_000))
    backup = installation.backup if how == "folder" else ssh_server.sandbox()
    if how == "ssh":
        installation.back_up_over_ssh(ssh_server, backup, "BatchFiles: 2", "Workers: 1")
    with small_disk(backup, "4m") as disk:
        answer = installation.run("backup")
        listed = installation.listed()
        assert answer.returncode == SOME_FAILED, answer.stderr
        assert {line["status"] for line in listed} == {"OK", "FAIL_WRITE"}
        assert {line["reason"] for line in listed} - {None} == {"no-space"}
        assert untruths(installation.sample, listed, backup) == []
        disk.grow("32m")
        assert is_made_good(installation, backup)


def test_a_file_beyond_the_limit_for_files_fails_alone(small: Small) -> None:
    installation = small([*small_files(3), small_file(size=9_000_000)])
    installation.before = ("prlimit", "--fsize=8000000")
    answer = installation.run("backup")
    installation.before = ()
    listed = installation.listed()
    assert answer.returncode == SOME_FAILED, answer.stderr
    assert "no-space" in answer.stdout
    assert [line["status"] for line in listed] == ["OK", "OK", "OK", "FAIL_WRITE"]
    assert untruths(installation.sample, listed, installation.backup) == []
    assert is_made_good(installation, installation.backup)


def test_a_folder_that_may_not_be_written_is_said_before_anything_is_recorded(small: Small) -> None:
    installation = small(small_files(3))
    installation.before = unprivileged()
    installation.backup.chmod(0o555)
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "permission denied" in answer.stderr
    assert str(installation.backup) in answer.stderr
    assert "owner" in answer.stderr
    assert installation.listed() == []
    installation.backup.chmod(0o755)
    assert is_made_good(installation, installation.backup)


def test_a_disk_that_became_read_only_is_said_and_its_copies_stay_ok(small: Small) -> None:
    installation = small(small_files(6))
    with small_disk(installation.backup, "4m") as disk:
        assert installation.run("backup", "--limit", "3").returncode == 0
        disk.become_read_only()
        answer = installation.run("backup")
        listed = installation.listed()
        assert answer.returncode == 1
        assert "read-only file system" in answer.stderr
        assert [line["status"] for line in listed] == ["OK"] * 3 + ["PENDING"] * 3
        assert untruths(installation.sample, listed, installation.backup) == []
        disk.grow("4m")
        assert is_made_good(installation, installation.backup)


def test_a_disk_that_is_unmounted_in_mid_run_is_not_written_behind_and_costs_nothing(small: Small) -> None:
    installation = small(small_files(30))
    backup = installation.backup
    installation.back_up_to_folder("BatchFiles: 10", "Workers: 2")
    run = installation.start("backup")
    with frozen(run, some_copy_in(backup)):
        backup.rename(backup.with_name("unmounted"))
        backup.mkdir()
    output, _ = run.communicate(timeout=120)  # it waits for the disk to come back before it gives up
    assert run.returncode == SOME_FAILED, output
    assert "is its disk mounted?" in output
    assert list(backup.iterdir()) == []
    backup.rmdir()
    backup.with_name("unmounted").rename(backup)
    listed = installation.listed()
    assert standing(listed) == {("OK", None), ("PENDING", None)}
    assert untruths(installation.sample, listed, backup) == []
    assert is_made_good(installation, backup)
