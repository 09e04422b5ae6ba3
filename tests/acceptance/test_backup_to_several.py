"""The installed command with several destinations: one run, each file read once, and each destination for itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.cli.terminal import size_of
from dataverse_backup.ledger.sql import open_ledger
from demo.proof import differences, stamps
from tests.acceptance.small import small_file, small_files, unequal_copies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.sshd import SshServer

SOME_FAILED = 3
SMALL_BATCHES = ("Workers: 2", "BatchFiles: 8", "BatchBytes: 1M")


@pytest.fixture
def places(small: Small, ssh_server: SshServer) -> tuple[Installation, dict[str, Path]]:
    """A Dataverse, and where it is backed up to: two folders and a server."""
    installation = small([*small_files(24, size=20_000), small_file(size=3 << 20), small_file(size=0)])
    second, far = installation.folder / "second", ssh_server.sandbox()
    second.mkdir()
    installation.back_up_over_ssh(ssh_server, far, *SMALL_BATCHES)
    sections = [f"[Backup far]\n{installation.destination}"]
    sections.append(f"[Backup second]\nStorageType: filesystem\nDirectory: {second}")
    installation.back_up_to_folder(*SMALL_BATCHES)
    installation.extra = "\n".join(sections)
    return installation, {"default": installation.backup, "far": far, "second": second}


def statuses(installation: Installation) -> dict[str, Any]:
    answer = installation.run("status", "--json")
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)["destinations"]
    return found


def wrong(installation: Installation, folders: dict[str, Path]) -> list[str]:
    """What did not come out as it must, at each of these destinations."""
    listed = installation.listed_with_companions()
    return [
        f"{name}: {sentence}"
        for name, folder in folders.items()
        for sentence in differences(
            installation.sample, [line for line in listed if line["destination"] == name], folder
        )
    ]


def test_one_run_backs_up_to_all_reads_each_file_once_and_any_of_them_gives_it_back(
    places: tuple[Installation, dict[str, Path]],
) -> None:
    installation, folders = places
    total = installation.sample.copied_bytes
    answer = installation.run("backup", "--dry-run")
    assert [f"destination {name}: 26 files" in answer.stdout for name in folders] == [True] * 3

    answer = installation.run("backup")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert wrong(installation, folders) == []
    assert f"{size_of(total)} read from the stores, {size_of(3 * total)} copied" in answer.stdout

    before = {name: stamps(folder) for name, folder in folders.items()}
    answer = installation.run("backup")
    assert answer.returncode == 0, answer.stderr
    assert "0 B read from the stores, 0 B copied" in answer.stdout
    assert {name: stamps(folder) for name, folder in folders.items()} == before

    lost, altered, *_ = (one.key for one in installation.sample.expected if one.key and one.size)
    for name in ("default", "second"):  # what is read first has lost it, and so has what is read next
        (folders[name] / lost).unlink()
        (folders[name] / altered).write_bytes(b"rotten")
    answer = installation.run("restore", "--all", "--to", str(installation.folder / "back"))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert unequal_copies(installation.sample, installation.folder / "back") == []


def test_one_that_is_missing_and_one_that_is_busy_stop_nobody_else(
    places: tuple[Installation, dict[str, Path]],
) -> None:
    installation, folders = places
    answer = installation.run("backup", "--destination", "far", "--destination", "default", "--limit", "1")
    assert answer.returncode == 0, answer.stderr
    assert {name: found["OK"] for name, found in statuses(installation).items()} == {
        "default": 1,
        "far": 1,
        "second": 0,
    }

    folders["second"].rmdir()
    with open_ledger(f"sqlite:///{installation.folder / 'ledger.db'}") as ledger, ledger.lock("far"):
        answer = installation.run("backup")
        assert answer.returncode == SOME_FAILED
        assert "second" in answer.stderr
        assert "mkdir -p" in answer.stderr
        assert "far" in answer.stderr
        alone = installation.run("backup", "--destination", "far")
        assert alone.returncode == 11
    found = statuses(installation)
    assert {name: found[name]["OK"] for name in folders} == {"default": 26, "far": 1, "second": 0}
    assert found["second"]["PENDING"] == 0  # nothing is recorded of one that could not be reached

    folders["second"].mkdir()
    assert installation.run("backup", "--quiet").returncode == 0
    assert wrong(installation, folders) == []


def test_a_destination_that_nobody_configured_is_named(places: tuple[Installation, dict[str, Path]]) -> None:
    answer = places[0].run("backup", "--destination", "far", "--destination", "fra")
    assert answer.returncode == 2
    assert "'fra'" in answer.stderr
    assert "default, far, second" in answer.stderr
