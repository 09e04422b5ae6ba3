"""A destination that another package brings is used like one of ours."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.config.kinds import DESTINATIONS_GROUP
from tests.acceptance.small import small_files

if TYPE_CHECKING:
    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

EXAMPLE = Path(__file__).parents[2] / "examples" / "sqlite_destination"


@pytest.fixture
def site(small: Small, tmp_path: Path) -> Installation:
    """A Dataverse that is backed up to the example's destination, installed."""
    installation = small(small_files(3))
    installation.environment["PYTHONPATH"] = os.pathsep.join([str(_installed(tmp_path / "site")), str(EXAMPLE)])
    installation.destination = "StorageType: sqlite\nSqliteFile: copies.db"
    return installation


def _installed(folder: Path) -> Path:
    """What an installation of the example leaves: its name and its entry point."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (name, target), *_ = project["entry-points"][DESTINATIONS_GROUP].items()
    (info / "entry_points.txt").write_text(f"[{DESTINATIONS_GROUP}]\n{name} = {target}\n")
    return folder


def test_a_destination_of_another_package_is_backed_up_to(site: Installation) -> None:
    answer = site.run("backup")
    assert answer.returncode == 0, answer.stderr
    with closing(sqlite3.connect(site.folder / "copies.db")) as database:
        copies = {key.decode(): data for key, data in database.execute("SELECT key, data FROM objects")}
    digests = {key: hashlib.sha256(copies[key]).hexdigest() for key in (line["key"] for line in site.listed())}
    assert digests == {one.key: one.sha256 for one in site.sample.expected}
    assert {line["status"] for line in site.listed()} == {"OK"}
    assert "default: write, prove, read back: OK" in site.run("check").stdout


def test_a_destination_of_another_package_that_cannot_be_loaded_is_a_mistake_with_its_line(site: Installation) -> None:
    site.environment["PYTHONPATH"] = site.environment["PYTHONPATH"].split(os.pathsep)[0]
    answer = site.run("config", "validate")
    assert answer.returncode == 2
    assert "StorageType: sqlite: sqlite_destination:KIND of dataverse-backup-sqlite cannot be loaded" in answer.stderr


def test_a_key_that_the_other_package_does_not_know_is_a_mistake(site: Installation) -> None:
    site.destination += "\nSqliteFiles: x"
    answer = site.run("config", "validate")
    assert answer.returncode == 2
    assert "SqliteFiles: not a key of this section; did you mean SqliteFile?" in answer.stderr
