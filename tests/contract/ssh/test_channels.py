"""Servers that accept few channels on a connection: everything works over one, and less of it is fast."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import Receipt, StoredDigest, note_key
from dataverse_backup.destinations.ssh.carried import CarriedSshDestination
from dataverse_backup.fixity import Algorithm, Durability, VerifiedBy
from tests.contract.ssh.uploads import STAGING, destination, objects, stored, upload
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.ssh.destination import SshDestination

NOTE = note_key("10.5072/FK2/1", "manifest.json")


@pytest.fixture
def server(server_available: None) -> Iterator[SshServer]:
    del server_available
    with SshServer() as server:
        yield server


def allow(server: SshServer, channels: int) -> None:
    """Accept so many on each connection from now on."""
    config = server.folder / "sshd_config"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("MaxSessions")]
    config.write_text("\n".join([*lines, f"MaxSessions {channels}"]) + "\n")
    server.restart()


def channels(one: SshDestination) -> int:
    said: int = json.loads(one.abilities())["channels"]
    return said


@pytest.mark.parametrize("most", [1, 2, 10])
def test_everything_works_with_as_many_as_are_accepted_which_is_said(server: SshServer, most: int) -> None:
    allow(server, most)
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        traits = one.connect()
        assert channels(one) == min(most, 2)
        assert any(f"channels accepted on one connection: {min(most, 2)}" in remark for remark in traits.remarks)
        for number in range(3):  # the program over there gives way to a command, and comes again
            (receipt,) = stored(one, upload(f"a/{number}"))
            assert (receipt.durable is Durability.YES) is (most > 1)
            one.supersede(f"a/{number}", f".superseded/a/{number}/1")
            stored(one, upload(f"a/{number}"))
            assert one.write_notes({NOTE: b"{}"}) == []
        (found,) = one.digests(["a/0"], Algorithm.MD5)
        assert isinstance(found, StoredDigest)
        assert (found.verified_by is VerifiedBy.READ_BACK) is (most == 1)
    assert {f"a/{number}" for number in range(3)} <= objects(root)


def test_a_worker_sends_at_full_speed_where_one_is_accepted(server: SshServer) -> None:
    allow(server, 1)
    settings = server.settings(server.sandbox())
    with destination(settings) as one:
        one.connect()
        abilities = one.abilities()
    with CarriedSshDestination("offsite", settings, replace(STAGING, abilities=abilities)) as worker:
        (receipt,) = stored(worker, upload("a"))
        assert (receipt.verified_by, receipt.durable) == (VerifiedBy.REMOTE_HASH, Durability.YES)
        assert worker._other is None


def test_fewer_than_were_accepted_before_are_noticed(server: SshServer) -> None:
    settings = server.settings(server.sandbox())
    with destination(settings) as before:
        before.connect()
        abilities = before.abilities()
        assert channels(before) == 2
    allow(server, 1)
    with destination(settings, abilities) as one:
        assert all(isinstance(result, Receipt) for result in one.put([upload("a"), upload("b")]))
        assert channels(one) == 1
