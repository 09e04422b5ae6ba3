"""The sample Dataverse on a real PostgreSQL, ready to be backed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.sample import build
from tests.acceptance.installation import Installation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgresql import PostgresServer


@pytest.fixture
def installation(tmp_path: Path, postgres: PostgresServer, postgres_database: str) -> Installation:
    """A Dataverse with every awkward kind of datafile, and a folder to back it up to."""
    dsn = postgres.dsn(postgres_database)
    site = Installation(tmp_path, dsn, build(tmp_path / "dataverse", dsn))
    site.backup.mkdir()
    return site
