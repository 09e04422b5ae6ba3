"""How often one waits for an answer: over a slow line that is what the beginning and the end of a run take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import README_KEY, VERIFY_KEY, note_key
from tests.contract.ssh.uploads import destination, stored, upload
from tests.servers.round_trips import RoundTrips

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.destinations.ssh import SshSettings
    from tests.servers.sshd import SshServer

LOGIN = 7
"""What SSH itself takes, with a key that is accepted."""


@pytest.fixture
def way(ssh_server: SshServer) -> Iterator[RoundTrips]:
    with RoundTrips(ssh_server.port) as way:
        yield way


@pytest.fixture
def settings(ssh_server: SshServer, way: RoundTrips, tmp_path: Path) -> SshSettings:
    known_hosts = tmp_path / "known_hosts"
    return ssh_server.settings(ssh_server.sandbox(), port=way.port, known_hosts=known_hosts, accept_new_host_keys=True)


def test_a_first_run_finds_everything_out_and_writes_its_notes_over_one_connection(
    settings: SshSettings, way: RoundTrips
) -> None:
    with destination(settings) as one:
        one.connect()
        assert one.read_identity() is None
        one.write_identity("ledger-1")
        (begun,) = way.counts
        assert begun <= LOGIN + 10
        assert one.sizes([README_KEY, VERIFY_KEY]) == {}
        notes = {note_key(f"10.5072/FK2/{number}", "manifest.json"): b"{}" for number in range(500)}
        assert one.write_notes({**notes, README_KEY: b"read me"}) == []
        (ended,) = way.counts
        assert one.sizes(list(notes)) == dict.fromkeys(notes, 2)
    assert ended - begun <= 3


def test_a_later_run_only_looks_and_sends(settings: SshSettings, way: RoundTrips) -> None:
    with destination(settings) as one:
        one.connect()
        one.write_identity("ledger-1")
        abilities = one.abilities()
    with destination(settings, abilities) as one:
        one.connect()
        assert one.read_identity() == "ledger-1"
        begun = way.counts[-1]
        assert begun <= LOGIN + 4
        assert len(stored(one, *(upload(f"a/{number}") for number in range(10)))) == 10
        sent = way.counts[-1]
        one.sweep()
        ended = way.counts[-1]
    assert len(way.counts) == 2
    assert sent - begun <= 8
    assert ended - sent <= 9


def test_who_is_prepared_has_logged_in_already_and_learns_the_rest_from_others(
    settings: SshSettings, way: RoundTrips
) -> None:
    with destination(settings) as one:
        one.prepare()
        one.prepare()
        with destination(settings) as another:
            another.connect()
            another.write_identity("ledger-1")
            abilities = another.abilities()
        begun, other = sorted(way.counts)
        assert begun <= LOGIN < other
        one.assume(abilities)
        one.connect()
        assert one.read_identity() == "ledger-1"
        assert min(way.counts) <= LOGIN + 4
        assert one.abilities() == abilities
    assert len(way.counts) == 2


def test_a_preparation_that_failed_is_made_good_and_one_that_nobody_needs_is_no_burden(own_server: SshServer) -> None:
    settings = own_server.settings(own_server.sandbox())
    own_server.stop()
    with destination(settings) as one:
        one.prepare()
        time.sleep(0.5)
        own_server.start()
        one.connect()
    with destination(settings) as one:
        one.prepare()
    with destination(settings) as one:
        one.prepare()
        one.connect()
