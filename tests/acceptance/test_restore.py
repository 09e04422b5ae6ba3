"""Everything at the primary is lost; the installed command brings it back from the copies."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.ledger.base import Status
from demo.proof import stamps

if TYPE_CHECKING:
    from pathlib import Path

    from demo.sample import Expected
    from tests.acceptance.installation import Installation
    from tests.servers.sshd import SshServer

SOME_FAILED = 3


def copied(installation: Installation) -> list[Expected]:
    """What has a copy after a backup."""
    return [one for one in installation.sample.expected if one.status is Status.OK and one.key]


def digests(installation: Installation) -> dict[str | None, str | None]:
    """The SHA-256 of every copy that there is after a backup, by its key."""
    beside = {one.key: one.sha256 for one in installation.sample.companions}
    return {one.key: one.sha256 for one in copied(installation)} | beside


def lose_everything(installation: Installation) -> None:
    """The stores' disks are gone, and so is the database."""
    for root in installation.sample.stores.values():
        shutil.rmtree(root)
    installation.dsn = "host=127.0.0.1 port=1 dbname=lost user=nobody"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["folder", "ssh"])
def backed_up(request: pytest.FixtureRequest, installation: Installation) -> Installation:
    """The sample, backed up, and then lost."""
    if request.param == "ssh":
        server: SshServer = request.getfixturevalue("ssh_server")
        installation.back_up_over_ssh(server, server.sandbox())
    assert installation.run("backup").returncode == SOME_FAILED
    lose_everything(installation)
    return installation


def test_a_destination_is_checked_by_its_own_script_and_by_plain_tools(installation: Installation) -> None:
    installation.run("backup")
    script = installation.backup / "verify.sh"
    answer = subprocess.run(["sh", script], capture_output=True, text=True, check=False, timeout=60)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
    assert f"{len(digests(installation))} files in" in answer.stdout
    lists = list(installation.backup.rglob(".dataverse-backup/md5sum.txt"))
    assert len(lists) > 5
    for one in lists:
        folder = one.parent.parent
        assert subprocess.run(["md5sum", "--quiet", "-c", one], cwd=folder, check=False, timeout=60).returncode == 0
    victim = installation.backup / str(copied(installation)[0].key)
    victim.write_bytes(b"x")
    assert subprocess.run(["sh", script], capture_output=True, check=False, timeout=60).returncode == 1


def test_everything_that_was_copied_comes_back_byte_for_byte(backed_up: Installation, tmp_path: Path) -> None:
    to = tmp_path / "new" / "restored"
    answer = backed_up.run("restore", "--all", "--to", str(to))
    assert answer.returncode == 0, answer.stderr
    assert {key: sha256(path) for key, path in files_below(to).items()} == digests(backed_up)
    again = backed_up.run("restore", "--all", "--to", str(to))
    assert again.returncode == 0
    assert "0 files restored" in again.stdout


def test_everything_comes_back_to_where_dataverse_looks_for_it(backed_up: Installation) -> None:
    for root in backed_up.sample.stores.values():
        root.mkdir()
    refused = backed_up.run("restore", "--all", "--in-place")
    assert refused.returncode == 1
    assert "--fill-empty-stores" in refused.stderr
    answer = backed_up.run("restore", "--all", "--in-place", "--fill-empty-stores")
    assert answer.returncode == 0, answer.stderr
    roots = backed_up.sample.stores.values()
    found = [files_below(root) for root in roots]
    for one in copied(backed_up):
        name = str(one.key).replace(f".datafile-{one.datafile_id}", "")
        there = [files[path] for files in found for path in (name, f"{name}.orig") if path in files]
        assert one.sha256 in {sha256(path) for path in there}, one
    again = backed_up.run("restore", "--all", "--in-place")
    assert again.returncode == 0
    assert "0 files restored" in again.stdout


def test_without_ledger_and_database_everything_comes_back_from_the_destination_alone(
    backed_up: Installation, tmp_path: Path
) -> None:
    (backed_up.folder / "ledger.db").unlink()
    to = tmp_path / "restored"
    answer = backed_up.run("restore", "--all", "--from-manifests", "--to", str(to))
    assert answer.returncode == 0, answer.stderr
    found = {key: sha256(path) for key, path in files_below(to).items()}
    assert found == digests(backed_up)


def test_a_ledger_that_was_lost_is_made_anew_and_proven_by_the_next_backup(installation: Installation) -> None:
    installation.run("backup")
    before = {
        line["datafile_id"]: (line["status"], line["key"], line["checksum_value"]) for line in installation.listed()
    }
    (installation.folder / "ledger.db").unlink()
    answer = installation.run("rebuild", "default")
    assert answer.returncode == 0, answer.stderr
    assert {line["status"] for line in installation.listed()} == {"PENDING"}
    stamped = stamps(installation.backup)
    assert installation.run("backup").returncode == SOME_FAILED
    assert stamps(installation.backup) == stamped
    after = {
        line["datafile_id"]: (line["status"], line["key"], line["checksum_value"]) for line in installation.listed()
    }
    assert after == before


def test_a_drill_restores_proves_records_and_leaves_nothing_and_damage_is_exit_code_4(
    installation: Installation, tmp_path: Path
) -> None:
    installation.run("backup")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    answer = installation.run("drill", "--sample", "1000", "--scratch", str(scratch))
    assert answer.returncode == 0, answer.stderr
    assert f"{len(digests(installation))} files" in answer.stdout
    assert list(scratch.iterdir()) == []
    (installation.backup / str(copied(installation)[0].key)).write_bytes(b"x")
    assert installation.run("drill", "--sample", "1000", "--scratch", str(scratch)).returncode == 4
    assert list(scratch.iterdir()) == []
    drilled = installation.status()["last_drill"]
    assert (drilled["outcome"], drilled["failed"]) == ("damage", 1)
    assert [failure["key"] for failure in drilled["failures"]] == [copied(installation)[0].key]
