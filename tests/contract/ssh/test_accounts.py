"""What accounts can do: shells, hash commands, disks that are full or fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from asyncssh import SFTPNoSuchFile

from dataverse_backup.destinations.base import Failure, Receipt, StoredDigest
from dataverse_backup.errors import CopyFailed, DestinationLost, KeyOccupied, NoSpace, Unavailable
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy
from tests.contract.ssh.uploads import destination, objects, stored, upload
from tests.servers import unavailable
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.destinations.ssh import SshSettings


def test_a_shell_proves_over_there_and_survives_a_crash(ssh_server: SshServer) -> None:
    with destination(ssh_server.settings(ssh_server.sandbox())) as one:
        assert "md5sum" in one.connect().hashes
        (receipt,) = one.put([upload("a")])
    assert isinstance(receipt, Receipt)
    assert (receipt.verified_by, receipt.durable) == (VerifiedBy.REMOTE_HASH, Durability.YES)


def test_without_a_shell_the_bytes_are_read_back(sftp_server: SshServer) -> None:
    with destination(sftp_server.settings(sftp_server.sandbox())) as one:
        assert one.connect().hashes == (VerifiedBy.READ_BACK,)
        (receipt,) = one.put([upload("a")])
    assert isinstance(receipt, Receipt)
    assert (receipt.verified_by, receipt.durable) == (VerifiedBy.READ_BACK, Durability.DATA_ONLY)


BSD = """#!/bin/sh
# As the BSDs have it: -r puts the digest first.
test "$1" = -r || exit 64
shift
for file; do
    digest=$({command} <"$file")
    printf '%s %s\\n' "${{digest%% *}}" "$file"
done
"""
"""A stand-in for the hash commands of a system that we cannot run here."""
SHELL_TOOLS = ("tar", "xargs", "cat", "sync")


def account_with(folder: Path, **commands: str) -> str:
    """A PATH with what a shell account needs and *commands*: the text of a script, or nothing for this machine's."""
    for name in (*SHELL_TOOLS, *commands):
        if text := commands.get(name):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        elif (found := shutil.which(name)) is None:
            pytest.skip(f"{name} is not on this machine")
        else:
            (folder / name).symlink_to(found)
    return str(folder)


ALL = set(Algorithm)
HASH_COMMANDS: dict[str, tuple[dict[str, str], set[Algorithm]]] = {
    "openssl": ({"openssl": ""}, ALL),
    "shasum": ({"shasum": ""}, ALL - {Algorithm.MD5}),
    "BSD": (
        {n: BSD.format(command=shutil.which(f"{n}sum")) for n in ("md5", "sha1", "sha256")},
        ALL - {Algorithm.SHA512},
    ),
    "wrong ones": ({"md5sum": "#!/bin/sh\necho 0123 probe\n", "sha1sum": "#!/bin/sh\nexit 1\n"}, set()),
    "none": ({}, set()),
}


@pytest.mark.parametrize("kind", HASH_COMMANDS)
def test_whatever_hash_commands_there_are_prove_and_audit(server_available: None, tmp_path: Path, kind: str) -> None:
    del server_available
    commands, hashed_over_there = HASH_COMMANDS[kind]
    with SshServer(path=account_with(tmp_path, **commands)) as server, destination(settings_for(server)) as one:
        assert (VerifiedBy.READ_BACK in one.connect().hashes) == (hashed_over_there != ALL)
        uploads = [upload(f"a b/{algorithm}", algorithm.encode(), algorithm) for algorithm in Algorithm]
        for receipt in stored(one, *uploads):
            assert receipt.verified_by is proof(receipt.checksum.algorithm, hashed_over_there)
            (found,) = one.digests([receipt.key], receipt.checksum.algorithm)
            assert isinstance(found, StoredDigest)
            assert (found.checksum, found.verified_by) == (receipt.checksum, receipt.verified_by)


def proof(algorithm: Algorithm, hashed_over_there: set[Algorithm]) -> VerifiedBy:
    return VerifiedBy.REMOTE_HASH if algorithm in hashed_over_there else VerifiedBy.READ_BACK


def settings_for(server: SshServer) -> SshSettings:
    return server.settings(server.sandbox())


def test_an_account_whose_commands_are_busybox_is_a_shell_account(server_available: None, tmp_path: Path) -> None:
    del server_available
    busybox = shutil.which("busybox")
    if busybox is None:
        unavailable("busybox")
    for name in (*SHELL_TOOLS, "md5sum", "sha1sum", "sha256sum", "sha512sum"):
        (tmp_path / name).symlink_to(busybox)
    with SshServer(path=str(tmp_path)) as server, destination(settings_for(server)) as one:
        assert one.connect().durable is Durability.YES
        for algorithm in Algorithm:
            receipts = stored(one, upload(f"{algorithm}/a b", b"1" * 70_000, algorithm), upload(f"{algorithm}/b"))
            assert [receipt.verified_by for receipt in receipts] == [VerifiedBy.REMOTE_HASH] * 2


def test_an_account_whose_shell_is_csh_is_a_shell_account(server_available: None) -> None:
    del server_available
    if shutil.which("csh") is None:
        unavailable("csh")
    with SshServer(login_shell="csh") as server, destination(settings_for(server)) as one:
        assert one.connect().durable is Durability.YES
        receipts = stored(one, upload("a b/!c"), upload("$d"), upload("`e`", b"x" * 5_000_000))
        assert [receipt.verified_by for receipt in receipts] == [VerifiedBy.REMOTE_HASH] * 3
        (found,) = one.digests(["a b/!c"], Algorithm.SHA256)
        assert isinstance(found, StoredDigest)
        assert found.verified_by is VerifiedBy.REMOTE_HASH


# Disks that fail

SYNC = """#!/bin/sh
test ! -e {fault} || {{ echo "Input/output error ($LC_ALL)" >&2; exit 1; }}
{more}
exec {sync} "$@"
"""


@dataclass
class Disk:
    """A server whose `sync` fails while ``fault`` is there."""

    server: SshServer
    fault: Path


@contextmanager
def failing_disk(folder: Path, *, more: str = "") -> Iterator[Disk]:
    """*more* is run by each `sync` that works."""
    fault = folder / "fault"
    sync = SYNC.format(fault=fault, sync=shutil.which("sync"), more=more.format(fault=fault))
    (folder / "bin").mkdir()
    with SshServer(path=account_with(folder / "bin", sync=sync, md5sum="")) as server:
        yield Disk(server, fault)


@pytest.mark.usefixtures("server_available")
def test_what_cannot_be_brought_to_the_disk_gets_no_name(tmp_path: Path) -> None:
    with failing_disk(tmp_path) as disk:
        root = disk.server.sandbox()
        with destination(disk.server.settings(root)) as one:
            one.connect()
            disk.fault.touch()
            results = list(one.put([upload("a"), upload("b")]))
            assert objects(root) == set()
            disk.fault.unlink()
            stored(one, upload("a"))
    assert [type(result.error) for result in results if isinstance(result, Failure)] == [CopyFailed, CopyFailed]
    assert "Input/output error (C)" in str(results[0])  # in English, whatever is spoken over there


@pytest.mark.usefixtures("server_available")
def test_names_that_cannot_be_brought_to_the_disk_are_said_to_be_uncertain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fails_next = "test ! -e {fault}-soon || : >{fault}"
    with failing_disk(tmp_path, more=fails_next) as disk, destination(settings_for(disk.server)) as one:
        assert one.connect().durable is Durability.YES
        disk.fault.with_name("fault-soon").touch()
        receipts = stored(one, upload("a"), upload("b"))
    assert [receipt.durable for receipt in receipts] == [Durability.DATA_ONLY] * 2
    assert "Input/output error" in caplog.text


@pytest.mark.usefixtures("server_available")
def test_a_failing_disk_is_said_where_a_copy_is_moved_aside_or_the_identity_is_written(tmp_path: Path) -> None:
    with failing_disk(tmp_path) as disk, destination(settings_for(disk.server)) as one:
        stored(one, upload("a"))
        disk.fault.touch()
        with pytest.raises(CopyFailed, match="Input/output error"):
            one.supersede("a", ".superseded/a")
        with pytest.raises(DestinationLost, match="Input/output error"):
            one.write_identity("ledger-1")


# SFTP servers that can do less


ASIDE = ".superseded/a/1"
DENIED = ["", "hardlink", "posix-rename", "hardlink,posix-rename", "fsync", "hardlink,posix-rename,fsync,statvfs"]


@pytest.fixture(params=DENIED, ids=lambda denied: denied or "nothing")
def modest(request: pytest.FixtureRequest, server_available: None) -> Iterator[SshServer]:
    """A server without a shell that does not know some requests."""
    del server_available
    with SshServer(shell=False, denied=request.param) as server:
        yield server


def test_a_copy_is_exchanged_with_whatever_requests_there_are(modest: SshServer) -> None:
    root = modest.sandbox()
    with destination(modest.settings(root)) as one:
        stored(one, upload("a", b"old"), upload("b", b"other"))
        stored(one, upload("a", b"new", supersede_to=ASIDE))
        one.supersede("b", ".superseded/b/1")
    assert objects(root) == {"a", ASIDE, ".superseded/b/1"}
    assert ((root / "a").read_bytes(), (root / ASIDE).read_bytes()) == (b"new", b"old")


def test_an_exchange_that_fails_half_way_changes_nothing(modest: SshServer) -> None:
    root = modest.sandbox()
    with destination(modest.settings(root)) as one:
        stored(one, upload("a", b"old"))
        files = one._connected().files
        with pytest.raises(SFTPNoSuchFile):
            one._loop.run(files.reveal(files.path("not there"), "a", ASIDE))
    assert objects(root) == {"a"}
    assert (root / "a").read_bytes() == b"old"


def test_what_is_not_a_file_is_not_moved_aside(server: SshServer) -> None:
    root = server.sandbox()
    (root / "a" / "inner").mkdir(parents=True)
    with destination(server.settings(root)) as one:
        (failure,) = one.put([upload("a", supersede_to=ASIDE)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, KeyOccupied)
    assert (root / "a" / "inner").is_dir()
    assert objects(root) == set()


# What is stored


def test_modes_do_not_depend_on_the_umask_over_there(server: SshServer) -> None:
    root = server.sandbox()
    settings = replace(server.settings(root), file_mode=0o664, dir_mode=0o777, big_file=1000)
    with destination(settings) as one:
        assert all(isinstance(result, Receipt) for result in one.put([upload("a/small"), upload("a/big", b"x" * 2000)]))
    assert [(root / name).stat().st_mode & 0o777 for name in ("a", "a/small", "a/big")] == [0o777, 0o664, 0o664]


@pytest.fixture
def small_root(server: SshServer) -> Iterator[Path]:
    """A root with room for two megabytes."""
    root = server.sandbox()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(root)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True, timeout=10).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True, timeout=10)


@pytest.mark.parametrize("big_file", [1000, 4_000_000], ids=["alone", "bundled"])
def test_a_full_destination_says_so_and_keeps_what_fits(server: SshServer, small_root: Path, big_file: int) -> None:
    settings = replace(server.settings(small_root), big_file=big_file)
    with destination(settings) as one:
        results = list(one.put([upload(f"a/{number}", b"x" * 700_000) for number in range(5)]))
    failures = [result for result in results if isinstance(result, Failure)]
    assert len(failures) == 3
    assert all(isinstance(failure.error, NoSpace) for failure in failures)
    assert objects(small_root) == {result.key for result in results if isinstance(result, Receipt)}


# What an account can do is probed once, and again when it stops holding.


def test_what_was_probed_is_assumed_by_the_next_connection(server: SshServer) -> None:
    settings = server.settings(server.sandbox())
    with destination(settings) as first:
        traits = first.connect()
        told = first.abilities()
    with destination(settings, abilities=told) as later:
        assumed = later.connect()
        assert (assumed.hashes, assumed.durable, assumed.folds_case) == (
            traits.hashes,
            traits.durable,
            traits.folds_case,
        )
        assert assumed.free_bytes is None  # nobody asked
        (result,) = later.put([upload("a", b"data")])
        assert isinstance(result, Receipt)
        assert later.abilities() == told


def test_what_no_longer_holds_is_probed_again_and_fails_nothing(sftp_server: SshServer) -> None:
    settings = sftp_server.settings(sftp_server.sandbox())
    with destination(settings) as today:
        today.connect()
        now = today.abilities()
    before = json.loads(now) | {"shell": {"sync": "sync", "hashes": {"MD5": "md5 -r"}, "has_python": True}}
    with destination(settings, abilities=json.dumps(before)) as later:
        (result,) = later.put([upload("a", b"data")])
        assert isinstance(result, Failure)
        assert isinstance(result.error, Unavailable)
        (result,) = later.put([upload("a", b"data")])
        assert isinstance(result, Receipt)
        assert later.abilities() == now
