"""A server whose host key changes: nobody is trusted instead of it, and nothing is lost by that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.proof import stamps
from tests.acceptance.freezing import frozen, some_copy_in
from tests.acceptance.small import small_files, standing, unequal_copies, untruths
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import pytest

    from tests.acceptance.conftest import Small
    from tests.servers.sshd import SshServer

COULD_NOT_RUN = 1
SOME_FAILED = 3


def test_a_changed_host_key_is_refused_before_anything_is_sent_or_recorded(
    small: Small, own_ssh_server: SshServer
) -> None:
    installation = small(small_files(6))
    folder = own_ssh_server.sandbox()
    installation.back_up_over_ssh(own_ssh_server, folder, "Workers: 1")
    assert installation.run("backup", "--limit", "3").returncode == 0
    before = stamps(folder)
    known_hosts = own_ssh_server.known_hosts.read_text()
    own_ssh_server.rotate_host_key()
    own_ssh_server.restart()
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "host key" in answer.stderr
    assert "SHA256:" in answer.stderr
    assert own_ssh_server.known_hosts.read_text() == known_hosts
    assert [line["status"] for line in installation.listed()] == ["OK"] * 3 + ["PENDING"] * 3
    assert stamps(folder) == before
    own_ssh_server.known_hosts.unlink()
    own_ssh_server.rotate_host_key()  # the administrator takes the new key over
    own_ssh_server.restart()
    assert installation.run("backup").returncode == 0
    assert unequal_copies(installation.sample, folder) == []


def test_a_server_that_allows_one_connection_gets_everything_over_one(
    small: Small, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = small(small_files(30))
    folder = ssh_server.sandbox()
    with TcpProxy(ssh_server.port) as proxy:
        proxy.most = 1
        known = ssh_server.known_hosts.read_text()
        ssh_server.known_hosts.write_text(known + known.replace(f":{ssh_server.port} ", f":{proxy.port} "))
        monkeypatch.setattr(ssh_server, "port", proxy.port)
        installation.back_up_over_ssh(ssh_server, folder, "Workers: 3", "BatchFiles: 5")
        answer = installation.run("backup")
        checked = installation.run("check")
    assert answer.returncode == 0, answer.stderr
    assert "no room for so many workers" in answer.stderr
    assert "workers that there was room for at once: 1;" in checked.stdout
    assert {line["status"] for line in installation.listed()} == {"OK"}
    assert unequal_copies(installation.sample, folder) == []


def test_a_host_key_that_changes_in_mid_run_ends_it_and_the_next_run_goes_on(
    small: Small, own_ssh_server: SshServer
) -> None:
    installation = small(small_files(40))
    folder = own_ssh_server.sandbox()
    installation.back_up_over_ssh(own_ssh_server, folder, "Workers: 1", "BatchFiles: 2")
    key = own_ssh_server.folder / "host_key"
    former = key.read_bytes()
    run = installation.start("backup")
    with frozen(run, some_copy_in(folder)):
        own_ssh_server.rotate_host_key()
        own_ssh_server.restart()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == SOME_FAILED, output
    assert "host key" in output
    listed = installation.listed()
    assert standing(listed) <= {("OK", None), ("PENDING", None)}
    assert untruths(installation.sample, listed, folder) == []
    key.write_bytes(former)
    own_ssh_server.restart()
    answer = installation.run("backup")
    assert answer.returncode == 0, answer.stderr
    assert unequal_copies(installation.sample, folder) == []
