"""An ssh server behind a line, and a source that is to go there: what is measured by itself begins with this."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.link import Link
from benchmarks.source import Source
from tests.servers.postgresql import PostgresServer
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.contents import Content


@dataclass(frozen=True)
class FarServer:
    """What is there to copy, and where to."""

    folder: Path
    """For everything else that belongs to it."""
    source: Source
    server: SshServer
    link: Link


@contextmanager
def far_server(content: Content, round_trip: float, scratch: Path) -> Iterator[FarServer]:
    """Make a source of *content* below *scratch*, and a server *round_trip* milliseconds away."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with PostgresServer() as database:
        database.create_database(content.name)
        source = Source(content, folder / "source", database.dsn(content.name))
        source.make()
        with SshServer() as server, Link(server.port, round_trip) as link:
            yield FarServer(folder, source, server, link)
