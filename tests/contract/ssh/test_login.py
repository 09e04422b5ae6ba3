"""The way in: the ssh configuration, keys, agents and jump hosts."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import Failure
from dataverse_backup.errors import ConfigurationError, DestinationLost, DestinationRefused, Unavailable
from tests.contract.ssh.uploads import destination, objects, stored, upload
from tests.servers import unavailable
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.destinations.ssh import SshSettings


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


@pytest.mark.parametrize("directive", ["Port ssh", "Compression maybe", "IdentityFile a b"])
def test_a_value_that_cannot_be_used_is_named_with_its_place(
    ssh_server: SshServer, tmp_path: Path, directive: str
) -> None:
    (tmp_path / "config").write_text(f"Host *\n  User nobody\n# a comment\n  {directive}\n")
    settings = replace(ssh_server.settings(ssh_server.sandbox()), port=None, config_file=str(tmp_path / "config"))
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


# Keys and agents


def encrypted(key: Path, folder: Path) -> Path:
    """A copy of *key* that asks for a passphrase."""
    copy = folder / "encrypted_key"
    shutil.copy(key, copy)
    keygen = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret words", "-f", str(copy)]
    subprocess.run(keygen, check=True, capture_output=True, timeout=30)
    return copy


def test_an_encrypted_key_is_named_and_nobody_is_asked_for_its_passphrase(server: SshServer, tmp_path: Path) -> None:
    key = encrypted(server.folder / "client_key", tmp_path)
    settings = replace(server.settings(server.sandbox()), identity_file=str(key))
    with destination(settings) as one, pytest.raises(DestinationLost, match="refuses the login") as caught:
        one.connect()
    assert f"ssh-add {key}" in caught.value.hint
    assert "encrypted" in caught.value.hint


def test_a_key_that_is_no_key_is_named(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n-----END OPENSSH PRIVATE KEY-----\n")
    for name in ("key", "no such key"):
        settings = replace(server.settings(server.sandbox()), identity_file=str(tmp_path / name))
        with destination(settings) as one, pytest.raises(DestinationLost, match="private key cannot be used") as caught:
            one.connect()
        assert name in caught.value.message


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """The socket of an empty agent."""
    if shutil.which("ssh-agent") is None:
        unavailable("ssh-agent (openssh-client)")
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield socket
        finally:
            process.terminate()


def test_an_encrypted_key_that_the_agent_has_logs_in(server: SshServer, agent: Path, tmp_path: Path) -> None:
    key = server.folder / "client_key"
    key.chmod(0o600)
    added = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", str(key)], env=added, check=True, timeout=30)
    (tmp_path / "config").write_text(f"IdentityAgent {agent}\n")
    settings = replace(
        server.settings(server.sandbox()),
        config_file=str(tmp_path / "config"),
        identity_file=str(encrypted(key, tmp_path)),
    )
    with destination(settings) as one:
        one.connect()


# Jump hosts


@dataclass
class Way:
    """Two servers, one of which is reached through the other."""

    gate: SshServer
    vault: SshServer
    config: Path
    known_hosts: Path

    def settings(self, folder: Path) -> SshSettings:
        """Settings for the vault, by its name in the configuration."""
        return replace(
            self.vault.settings(folder, known_hosts=self.known_hosts),
            host="vault",
            port=None,
            username=None,
            config_file=str(self.config),
        )


@pytest.fixture
def way(ssh_server: SshServer, tmp_path: Path) -> Iterator[Way]:
    with SshServer() as gate:
        known_hosts, config = tmp_path / "known_hosts", tmp_path / "config"
        known_hosts.write_text(gate.known_hosts.read_text() + ssh_server.known_hosts.read_text())
        config.write_text(
            f"Host vault\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n  ProxyJump {getpass.getuser()}@gate\n"
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  IdentityFile {gate.folder / 'client_key'}\n"
            "Host *\n  IdentityAgent none\n"
        )
        yield Way(gate, ssh_server, config, known_hosts)


def test_a_destination_behind_a_jump_host_is_reached_through_it(way: Way) -> None:
    root = way.vault.sandbox()
    with destination(way.settings(root)) as one:
        stored(one, upload("a"))
        way.gate.stop()
        (failure,) = one.put([upload("b")])
        assert isinstance(failure, Failure)
        assert isinstance(failure.error, Unavailable)
        with pytest.raises(DestinationLost, match="the jump host gate cannot be reached"):
            one.connect()
        way.gate.start()
        stored(one, upload("b"))
    assert objects(root) == {"a", "b"}


def test_the_host_key_of_a_jump_host_is_checked_and_named(way: Way) -> None:
    way.known_hosts.write_text(way.vault.known_hosts.read_text())
    with destination(way.settings(way.vault.sandbox())) as one, pytest.raises(DestinationRefused) as caught:
        one.connect()
    assert f"port {way.gate.port}, is not known" in caught.value.message


def test_a_jump_host_that_does_not_know_us_is_named(way: Way) -> None:
    (way.gate.folder / "authorized_keys").write_text("")
    with destination(way.settings(way.vault.sandbox())) as one, pytest.raises(DestinationLost) as caught:
        one.connect()
    assert "the jump host gate refuses the login" in caught.value.message


def test_a_destination_that_its_jump_host_cannot_reach_is_named(way: Way) -> None:
    settings = replace(way.settings(way.vault.sandbox()), port=1)
    with destination(settings) as one, pytest.raises(DestinationLost, match="offsite: vault cannot be reached"):
        one.connect()
