"""What only a destination over SSH promises: host keys, connections that end, accounts without tools."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import Failure, Receipt, Staging, Upload
from dataverse_backup.destinations.ssh import SshDestination
from dataverse_backup.errors import ConfigurationError, DestinationLost, DestinationRefused, NoSpace, Unavailable
from dataverse_backup.fixity import Algorithm, Checksum, Durability, VerifiedBy
from dataverse_backup.stores.memory import MemoryStream
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataverse_backup.destinations.ssh import SshSettings

STAGING = Staging("ledger-1", "run-1")
DATA = b"some bytes"


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


def upload(key: str, data: bytes = DATA, after_opening: Callable[[], None] | None = None) -> Upload:
    digest = Algorithm.MD5.new()
    digest.update(data)

    def opened() -> MemoryStream:
        if after_opening is not None:
            after_opening()
        return MemoryStream(data)

    return Upload(key, opened, Algorithm.MD5, Checksum(Algorithm.MD5, digest.hexdigest()))


def destination(settings: SshSettings) -> SshDestination:
    return SshDestination("offsite", settings, STAGING)


def objects(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".dataverse" not in str(path)}


# Host keys


def test_an_unknown_host_key_is_refused_with_its_fingerprint(server: SshServer, tmp_path: Path) -> None:
    settings = server.settings(server.sandbox(), known_hosts=tmp_path / "none")
    with destination(settings) as one, pytest.raises(DestinationRefused, match="host key") as caught:
        one.connect()
    assert "SHA256:" in caught.value.message
    assert "ssh-ed25519" in caught.value.message
    assert f"ssh-keyscan -p {server.port}" in caught.value.hint


def test_a_new_host_key_is_kept_where_that_is_allowed(server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "ssh" / "known_hosts"
    settings = server.settings(server.sandbox(), known_hosts=known_hosts, accept_new_host_keys=True)
    with destination(settings) as one:
        one.connect()
    with destination(replace(settings, accept_new_host_keys=False)) as one:
        one.connect()
    assert known_hosts.read_text().startswith(f"[127.0.0.1]:{server.port} ssh-ed25519 ")


@pytest.mark.parametrize("accept_new", [False, True])
def test_a_changed_host_key_is_refused_always(own_server: SshServer, accept_new: bool) -> None:
    settings = own_server.settings(own_server.sandbox(), accept_new_host_keys=accept_new)
    before = own_server.known_hosts.read_text()
    own_server.rotate_host_key()
    own_server.restart()
    with destination(settings) as one, pytest.raises(DestinationRefused, match=r"host key.*changed") as caught:
        one.connect()
    assert "ssh-keygen" in caught.value.hint
    assert own_server.known_hosts.read_text() == before


def test_a_revoked_host_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    line = server.known_hosts.read_text()
    known_hosts.write_text(f"{line}@revoked {line}")
    settings = server.settings(server.sandbox(), known_hosts=known_hosts)
    with destination(settings) as one, pytest.raises(DestinationRefused, match=r"(?i)host key"):
        one.connect()


# Connections


def test_a_port_where_nobody_listens_is_a_lost_destination(server: SshServer) -> None:
    settings = replace(server.settings(server.sandbox()), port=1)
    with destination(settings) as one, pytest.raises(DestinationLost, match="cannot be reached"):
        one.connect()


def test_an_account_that_does_not_know_us_is_a_lost_destination(server: SshServer) -> None:
    settings = replace(server.settings(server.sandbox()), identity_file=str(server.folder / "host_key"))
    with destination(settings) as one, pytest.raises(DestinationLost, match="refuses the login") as caught:
        one.connect()
    assert "authorized_keys" in caught.value.hint


def test_a_missing_root_is_a_lost_destination_and_is_not_made(server: SshServer) -> None:
    missing = server.sandbox() / "missing"
    with destination(server.settings(missing)) as one, pytest.raises(DestinationLost, match="does not exist") as caught:
        one.connect()
    assert "mkdir -p" in caught.value.hint
    assert not missing.exists()


def test_a_stopped_server_is_unavailable_and_works_again_after_its_start(own_server: SshServer) -> None:
    root = own_server.sandbox()
    with destination(own_server.settings(root)) as one:
        one.connect()
        own_server.stop()
        (failure,) = one.put([upload("a/b")])
        assert isinstance(failure, Failure)
        assert isinstance(failure.error, Unavailable)
        (answer,) = one.digests(["a/b"], Algorithm.MD5)
        assert isinstance(answer, Failure)
        assert isinstance(answer.error, Unavailable)
        with pytest.raises(DestinationLost):
            one.sizes(["a/b"])
        own_server.start()
        (receipt,) = one.put([upload("a/b")])
        assert isinstance(receipt, Receipt)
    assert objects(root) == {"a/b"}


def test_a_root_that_lost_its_identity_while_we_were_away_gets_nothing(own_server: SshServer) -> None:
    root = own_server.sandbox()
    with destination(own_server.settings(root)) as one:
        one.connect()
        one.write_identity("ledger-1")
        own_server.stop()
        root.rename(root.with_name("unmounted"))
        root.mkdir()
        own_server.start()
        (failure,) = one.put([upload("a/b")])
        assert isinstance(failure, Failure)
        with pytest.raises(DestinationRefused, match="identity"):
            one.sizes(["a/b"])
    assert objects(root) == set()


@pytest.mark.parametrize("size", [1000, 6_000_000])
def test_a_server_that_ends_in_the_middle_of_a_batch_leaves_no_name(own_server: SshServer, size: int) -> None:
    root = own_server.sandbox()
    batch = [upload(f"a/{number}", b"x" * size) for number in range(5)]
    batch[3] = upload("a/3", b"x" * size, own_server.stop)
    with destination(own_server.settings(root)) as one:
        one.connect()
        failures = list(one.put(batch))
        assert {result.key for result in failures} == {one.key for one in batch}
        for failure in failures:
            assert isinstance(failure, Failure)
            assert isinstance(failure.error, Unavailable)
        assert objects(root) == set()
        own_server.start()
        batch[3] = upload("a/3", b"x" * size)
        assert all(isinstance(result, Receipt) for result in one.put(batch))
    assert objects(root) == {f"a/{number}" for number in range(5)}


# What the account can do


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


@pytest.mark.parametrize(("tool", "expected"), [("openssl", "openssl dgst -md5 -r"), ("shasum", "read-back")])
def test_other_hash_commands_are_found(server_available: None, tmp_path: Path, tool: str, expected: str) -> None:
    del server_available
    for name in ("tar", "xargs", "cat", "sync", tool):
        if (found := shutil.which(name)) is None:
            pytest.skip(f"{name} is not on this machine")
        (tmp_path / name).symlink_to(found)
    with SshServer(path=str(tmp_path)) as server, destination(server.settings(server.sandbox())) as one:
        assert expected in one.connect().hashes
        (receipt,) = one.put([upload("a")])
        assert isinstance(receipt, Receipt)


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


# The ssh configuration


@pytest.mark.parametrize(
    "directive", ["KnownHostsCommand /bin/true", "PKCS11Provider /x.so", "CanonicalizeHostname yes"]
)
def test_a_directive_that_cannot_be_honoured_is_named_with_its_place(
    server: SshServer, tmp_path: Path, directive: str
) -> None:
    (tmp_path / "config").write_text(f"Host other\n  {directive}\nHost 127.*\n  {directive}\n")
    settings = replace(server.settings(server.sandbox()), config_file=str(tmp_path / "config"))
    with destination(settings) as one, pytest.raises(ConfigurationError, match="config, line 4: "):
        one.connect()


def test_the_ssh_configuration_names_host_port_user_and_key(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        f"Host elsewhere\n  HostName 127.0.0.1\n  Port {server.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {server.folder / 'client_key'}\n  UserKnownHostsFile {server.known_hosts}\n"
        f"Host *\n  Port 1\n  IdentityAgent none\n"
    )
    settings = replace(
        server.settings(server.sandbox()),
        host="elsewhere",
        config_file=str(tmp_path / "config"),
        port=None,
        username=None,
        identity_file=None,
        known_hosts=None,
    )
    with destination(settings) as one:
        one.connect()


def test_a_read_failure_after_the_server_ended_is_unavailable(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        assert all(isinstance(result, Receipt) for result in one.put([upload("a", b"x" * 6_000_000)]))
        stream = one.open("a")
        own_server.stop()
        with pytest.raises(Unavailable):
            stream.read(1)
        stream.close()
