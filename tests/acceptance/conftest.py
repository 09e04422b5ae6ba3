"""The sample Dataverse on a real PostgreSQL, ready to be backed up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from demo.sample import build
from tests.acceptance.installation import Installation
from tests.acceptance.small import small_installation
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.postgresql import PostgresServer

    Small = Callable[..., Installation]
    """Makes an installation of the files that it is given."""


@pytest.fixture
def installation(tmp_path: Path, postgres: PostgresServer, postgres_database: str) -> Installation:
    """A Dataverse with every awkward kind of datafile, and a folder to back it up to."""
    dsn = postgres.dsn(postgres_database)
    site = Installation(tmp_path, dsn, build(tmp_path / "dataverse", dsn))
    site.backup.mkdir()
    return site


@pytest.fixture
def small(tmp_path: Path, postgres: PostgresServer, postgres_database: str) -> Small:
    """Makes a Dataverse of a few files."""
    return partial(small_installation, tmp_path, postgres.dsn(postgres_database))


@pytest.fixture
def own_ssh_server(ssh_server: SshServer) -> Iterator[SshServer]:
    """A server with a shell account, which the test may stop or spoil."""
    del ssh_server  # judges in one place whether there is an sshd at all
    with SshServer() as own:
        yield own
