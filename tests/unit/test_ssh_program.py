"""What the ``ssh`` program is told: what applies to the destination, ours first; nobody is asked, nothing is shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataverse_backup.destinations.ssh.program import NoProgram, command_to
from dataverse_backup.destinations.ssh.settings import SshSettings


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that says that it is OpenSSH's."""
    (tmp_path / "bin").mkdir()
    found = tmp_path / "bin" / "ssh"
    found.write_text("#!/bin/sh\necho OpenSSH_9.2 >&2\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


def told(folder: Path, config: str, **other: str | int) -> list[str]:
    """The lines of its configuration, where that of the administrator says *config*."""
    (folder / "config").write_text(config)
    settings = SshSettings(host="vault", directory="/backup", config_file=str(folder / "config"), **other)  # type: ignore[arg-type]
    with command_to(settings, "command") as arguments:
        assert [arguments[1], *arguments[3:]] == ["-F", "--", "vault", "command"]
        return Path(arguments[2]).read_text(encoding="utf-8").splitlines()


def test_nobody_is_asked_and_nothing_is_shared_whatever_the_configuration_says(tmp_path: Path) -> None:
    lines = told(
        tmp_path, "BatchMode no\nStrictHostKeyChecking no\nControlMaster auto\nControlPath /tmp/x\nForwardAgent yes\n"
    )
    for line in (
        "BatchMode yes",
        "StrictHostKeyChecking yes",
        "ControlMaster no",
        "ControlPath none",
        "ForwardAgent no",
    ):
        assert [found for found in lines if found.split()[0].lower() == line.split()[0].lower()] == [line]


def test_ours_come_before_what_the_configuration_says(tmp_path: Path) -> None:
    lines = told(tmp_path, "Host vault\nPort 22\nUser nobody\nHostName vault.example.edu\n", port=2222, username="me")
    assert lines.index("Port 2222") < lines.index("port 22")
    assert lines.index("User me") < lines.index("user nobody")
    assert "hostname vault.example.edu" in lines


def test_a_key_of_our_own_is_the_only_one(tmp_path: Path) -> None:
    lines = told(tmp_path, "IdentityFile ~/.ssh/theirs\n", identity_file="/keys/50% mine")
    assert 'IdentityFile "/keys/50%% mine"' in lines
    assert "IdentitiesOnly yes" in lines
    assert not any("theirs" in line for line in lines)


def test_the_same_known_hosts_count(tmp_path: Path) -> None:
    config = f'UserKnownHostsFile {tmp_path}/one "{tmp_path}/two words"\nGlobalKnownHostsFile {tmp_path}/three\n'
    assert f'UserKnownHostsFile {tmp_path}/one "{tmp_path}/two words" {tmp_path}/three' in told(tmp_path, config)
    assert f"UserKnownHostsFile {tmp_path}/only" in told(tmp_path, config, known_hosts=f"{tmp_path}/only")


def test_a_cipher_of_the_administrator_comes_before_ours(tmp_path: Path) -> None:
    lines = [line for line in told(tmp_path, "Ciphers aes256-ctr\n") if line.lower().startswith("ciphers")]
    assert lines[0] == "ciphers aes256-ctr"


@pytest.mark.parametrize(
    "config",
    ["Host vault\nProxyJump gate\n", "ProxyCommand nc %h %p\n", 'SetEnv "A=say \\"hello\\""\n'],
    ids=["jump", "proxy", "quote"],
)
def test_what_it_cannot_be_told_is_left_to_others(tmp_path: Path, config: str) -> None:
    with pytest.raises(NoProgram):
        told(tmp_path, config)


def test_an_ssh_of_somebody_else_is_not_used(tmp_path: Path, program: Path) -> None:
    program.write_text("#!/bin/sh\necho Dropbear >&2\n")
    with pytest.raises(NoProgram, match="is not OpenSSH's"):
        told(tmp_path, "")
