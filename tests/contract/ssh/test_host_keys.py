"""Whose machine it is: host keys, known and unknown."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import (
    DestinationRefused,
)
from dataverse_backup.fixity import Algorithm
from tests.contract.ssh.uploads import destination, upload
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


def test_a_new_host_key_is_kept_on_a_line_of_its_own(server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"other.example.org {key_of(server)}")
    settings = server.settings(server.sandbox(), known_hosts=known_hosts, accept_new_host_keys=True)
    with destination(settings) as one:
        one.connect()
    lines = known_hosts.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["other.example.org", f"[127.0.0.1]:{server.port}"]


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


def test_a_host_key_that_changes_in_the_middle_of_a_run_is_refused(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        one.connect()
        own_server.rotate_host_key()
        own_server.restart()
        for call in (lambda: list(one.put([upload("a")])), lambda: list(one.digests(["a"], Algorithm.MD5))):
            with pytest.raises(DestinationRefused, match=r"host key.*changed.*SHA256:") as caught:
                call()
            assert "ssh-keygen" in caught.value.hint


def test_a_hashed_name_is_known(server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(server.known_hosts.read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known_hosts)], check=True, capture_output=True, timeout=30)
    assert known_hosts.read_text().startswith("|1|")
    with destination(server.settings(server.sandbox(), known_hosts=known_hosts)) as one:
        one.connect()


def test_a_machine_is_known_on_every_port_by_its_bare_name(server: SshServer, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"127.0.0.1 {key_of(server)}\n")
    with destination(server.settings(server.sandbox(), known_hosts=known_hosts)) as one:
        one.connect()
    known_hosts.write_text(f"127.0.0.1 {key_of(server)}\n@revoked 127.0.0.1 {key_of(server)}\n")
    with (
        destination(server.settings(server.sandbox(), known_hosts=known_hosts)) as one,
        pytest.raises(DestinationRefused, match="revoked"),
    ):
        one.connect()


def test_another_machine_on_another_port_is_new_and_not_changed(
    ssh_server: SshServer, sftp_server: SshServer, tmp_path: Path
) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"127.0.0.1 {key_of(sftp_server)}\n")
    settings = ssh_server.settings(ssh_server.sandbox(), known_hosts=known_hosts)
    with destination(settings) as one, pytest.raises(DestinationRefused, match="is not known"):
        one.connect()


def test_lines_that_nobody_understands_are_ignored_with_a_warning(
    server: SshServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known_hosts = tmp_path / "known_hosts"
    bad = "# a comment\n\noneword\n@strange host ssh-ed25519 AAAA\n|1|broken ssh-ed25519 AAAA\nhost ssh-new AAAA\n"
    known_hosts.write_bytes(bad.encode() + b"\xff\xfe\n" + server.known_hosts.read_bytes())
    with destination(server.settings(server.sandbox(), known_hosts=known_hosts)) as one:
        one.connect()
    warned = {number for number in range(1, 9) if f"{known_hosts}, line {number} " in caplog.text}
    assert {3, 4, 7} <= warned
    assert warned.isdisjoint({1, 2, 8})


def test_a_host_key_alias_is_looked_up_and_kept_without_a_port(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("HostKeyAlias the-vault\nIdentityAgent none\n")
    known_hosts = tmp_path / "known_hosts"
    settings = replace(server.settings(server.sandbox(), known_hosts=known_hosts), config_file=str(tmp_path / "config"))
    with destination(settings) as one, pytest.raises(DestinationRefused, match="the-vault") as caught:
        one.connect()
    assert "under the name the-vault" in caught.value.hint
    with destination(replace(settings, accept_new_host_keys=True)) as one:
        one.connect()
    assert known_hosts.read_text() == f"the-vault {key_of(server)}\n"
    with destination(settings) as one:
        one.connect()


@pytest.fixture(scope="module")
def certified(ssh_server: SshServer) -> Iterator[tuple[SshServer, str]]:
    """A server with a host certificate for 127.0.0.1, and the key of the authority that signed it."""
    del ssh_server  # where there is no sshd, it says so
    with SshServer() as server:
        yield server, server.certify_host_key("127.0.0.1").strip()


def test_a_host_certificate_of_a_known_authority_is_enough(certified: tuple[SshServer, str], tmp_path: Path) -> None:
    server, authority = certified
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"@cert-authority 127.* {authority}\n")
    with destination(server.settings(server.sandbox(), known_hosts=known_hosts)) as one:
        one.connect()


@pytest.mark.parametrize(
    "lines", ["@cert-authority *.example.org {authority}\n", "@cert-authority * {authority}\n@revoked * {authority}\n"]
)
def test_a_host_certificate_of_no_authority_of_ours_is_refused(
    certified: tuple[SshServer, str], tmp_path: Path, lines: str
) -> None:
    server, authority = certified
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(lines.format(authority=authority))
    settings = server.settings(server.sandbox(), known_hosts=known_hosts)
    with destination(settings) as one, pytest.raises(DestinationRefused, match=r"(?i)host key"):
        one.connect()


def test_a_host_certificate_for_another_name_is_refused(certified: tuple[SshServer, str], tmp_path: Path) -> None:
    server, authority = certified
    (tmp_path / "config").write_text("HostKeyAlias the-vault\nIdentityAgent none\n")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"@cert-authority * {authority}\n")
    settings = server.settings(server.sandbox(), known_hosts=known_hosts)
    with (
        destination(replace(settings, config_file=str(tmp_path / "config"))) as one,
        pytest.raises(DestinationRefused, match=r"(?i)host key"),
    ):
        one.connect()


def key_of(server: SshServer) -> str:
    """The server's host key, without the name before it and the comment behind it."""
    return " ".join(server.known_hosts.read_text().split()[1:3])
