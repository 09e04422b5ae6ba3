"""Connections that end in the middle of a big object: what has arrived is proven over there, and not sent again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, Staging
from dataverse_backup.destinations.ssh.destination import SshDestination
from dataverse_backup.errors import Unavailable
from tests.contract.ssh.uploads import STAGING, destination, stored, upload
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.destinations.ssh import SshSettings
    from tests.servers.sshd import SshServer

MIB = 1 << 20
DATA = Random(5).randbytes(12 * MIB)
CUT = 8 * MIB
SLACK = MIB + MIB // 2
"""What the login, the last pieces on their way and encryption may add."""


@contextmanager
def line_to(server: SshServer, root: Path) -> Iterator[tuple[SshSettings, TcpProxy]]:
    """Settings that lead to *server* through a line that breaks once, near the end of a big object."""
    known_hosts = server.folder / f"known_hosts of {root.name}"
    with TcpProxy(server.port) as line:
        known_hosts.write_text(server.known_hosts.read_text().replace(f":{server.port} ", f":{line.port} "))
        settings = replace(
            server.settings(root), port=line.port, known_hosts=str(known_hosts), big_file=MIB, resumes_from=MIB
        )
        line.cut_requests_after, line.cuts = CUT, 1
        yield settings, line


def break_off(one: SshDestination) -> None:
    (failure,) = one.put([upload("a/b", DATA)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, Unavailable)


def test_a_lost_connection_costs_no_more_than_what_was_on_its_way(server: SshServer) -> None:
    root = server.sandbox()
    with line_to(server, root) as (settings, line), destination(settings) as one:
        break_off(one)
        before = line.passed[True]
        (receipt,) = stored(one, upload("a/b", DATA))
        assert receipt.kept >= MIB
        assert line.passed[True] - before < len(DATA) - receipt.kept + SLACK
    assert (root / "a/b").read_bytes() == DATA
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "a/b"]


def test_the_next_run_goes_on_where_a_connection_was_lost(server: SshServer) -> None:
    root = server.sandbox()
    with line_to(server, root) as (settings, _):
        with destination(settings) as one:
            break_off(one)
        with SshDestination("offsite", settings, Staging(STAGING.ledger_id, "run-2")) as later:
            later.connect()
            later.sweep()
            (receipt,) = stored(later, upload("a/b", DATA))
    assert receipt.kept >= MIB
    assert (root / "a/b").read_bytes() == DATA
