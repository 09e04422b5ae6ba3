"""Connections that cannot be made, that end, and roots that are not there any more."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import IDENTITY_KEY, TRIAL_PREFIX, Failure, Receipt, Staging
from dataverse_backup.destinations.ssh import session
from dataverse_backup.errors import (
    DestinationLost,
    DestinationRefused,
    Unavailable,
)
from dataverse_backup.fixity import Algorithm
from tests.contract.ssh.uploads import STAGING, destination, objects, stored, upload

if TYPE_CHECKING:
    from dataverse_backup.destinations.ssh.files import RemoteFiles
    from tests.servers.sshd import SshServer


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
        with pytest.raises(DestinationRefused, match="identity"):
            list(one.put([upload("a/b")]))
        with pytest.raises(DestinationRefused, match="identity"):
            one.sizes(["a/b"])
    assert objects(root) == set()


@pytest.mark.parametrize("size", [1000, 6_000_000])
def test_a_server_that_ends_in_the_middle_of_a_batch_leaves_no_name(own_server: SshServer, size: int) -> None:
    root = own_server.sandbox()
    batch = [upload(f"a/{number}", b"x" * size) for number in range(5)]
    batch[3] = upload("a/3", b"x" * size, on_open=own_server.stop)
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


def test_a_read_failure_after_the_server_ended_is_unavailable(own_server: SshServer) -> None:
    with destination(own_server.settings(own_server.sandbox())) as one:
        assert all(isinstance(result, Receipt) for result in one.put([upload("a", b"x" * 6_000_000)]))
        stream = one.open("a")
        own_server.stop()
        with pytest.raises(Unavailable):
            stream.read(1)
        stream.close()


def test_a_root_that_is_swapped_under_us_gets_nothing_and_says_nothing(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        one.connect()
        one.write_identity("ledger-1")
        stored(one, upload("a"))
        root.rename(root.with_name(f"{root.name}-unmounted"))
        root.mkdir()
        for call in (
            lambda: list(one.digests(["a"], Algorithm.MD5)),
            lambda: list(one.put([upload("b")])),
            lambda: one.sizes(["a"]),
            lambda: one.open("a"),
            lambda: one.supersede("a", ".superseded/a"),
        ):
            with pytest.raises(DestinationRefused, match="identity"):
                call()
    assert list(root.iterdir()) == []


def test_a_root_that_is_swapped_in_the_middle_of_a_batch_says_nothing(server: SshServer) -> None:
    root = server.sandbox()

    def swap() -> None:
        root.rename(root.with_name(f"{root.name}-unmounted"))
        root.mkdir()

    with destination(replace(server.settings(root), big_file=1)) as one:
        one.connect()
        one.write_identity("ledger-1")
        with pytest.raises(DestinationRefused, match="identity"):
            list(one.put([upload("a", on_open=swap)]))


def test_the_identity_of_somebody_else_is_another_root(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        one.connect()
        one.write_identity("ledger-1")
        stored(one, upload("a"))
        (root / IDENTITY_KEY).write_text("ledger-2")
        os.utime(root / IDENTITY_KEY, (1, 1))
        with pytest.raises(DestinationRefused, match="identity"):
            list(one.put([upload("b")]))
        (root / IDENTITY_KEY).write_text("ledger-1")
        stored(one, upload("b"))


def test_trying_things_out_in_a_new_root_takes_nothing_away_that_others_are_about_to_use(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = server.sandbox()
    place_of_others = root / ".dataverse-backup" / "scratch"
    overwrites = session._overwrites

    async def not_alone(files: RemoteFiles, one: bytes, other: bytes) -> bool:
        place_of_others.mkdir(parents=True, exist_ok=True)
        return await overwrites(files, one, other)

    monkeypatch.setattr(session, "_overwrites", not_alone)
    with destination(server.settings(root)) as one:
        one.connect()
    assert place_of_others.is_dir()
    assert [path.name for path in root.iterdir()] == [".dataverse-backup"]


def test_trying_things_out_clears_what_a_killed_one_left_long_ago(server: SshServer) -> None:
    root = server.sandbox()
    old, young = root / f"{TRIAL_PREFIX}0", root / f"{TRIAL_PREFIX}1"
    for left in (old, young):
        left.mkdir()
        (left / "probe").touch()
    os.utime(old, (1, 1))
    with destination(server.settings(root)) as one:
        one.connect()
    assert list(root.iterdir()) == [young]


def test_trying_things_out_leaves_a_new_root_empty_and_an_old_one_as_it_was(server: SshServer) -> None:
    root = server.sandbox()
    with destination(server.settings(root)) as one:
        one.connect()
        assert list(root.iterdir()) == []
        one.write_identity("ledger-1")
    with destination(server.settings(root)) as another:  # which knows nothing of what was tried out before
        another.connect()
        assert [path.name for path in root.iterdir()] == [".dataverse-backup"]
        stored(another, upload("a"))


def test_a_sweep_leaves_a_check_alone_that_is_at_it_beside_the_run(server: SshServer) -> None:
    root = server.sandbox()
    checks = [Staging.of_check(STAGING.ledger_id) for _ in range(2)]
    at_it, killed = (root / check.prefix for check in checks)
    for check in (at_it, killed):
        (check / "attempt").mkdir(parents=True)
        (check / "attempt" / "0").touch()
    os.utime(killed, (1, 1))
    with destination(server.settings(root)) as one:
        one.connect()
        one.sweep()
    assert (at_it / "attempt" / "0").exists()
    assert not killed.exists()
