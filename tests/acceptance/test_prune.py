"""The installed command deletes copies of files that left Dataverse long ago, once somebody confirmed its plan."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg

from dataverse_backup.cli.exit_codes import ExitCode
from tests.acceptance.small import small_files

if TYPE_CHECKING:
    from tests.acceptance.conftest import Small

_LONG_AGO = "UPDATE datafilestatus SET gone_since = '2020-01-01 00:00:00.000000' WHERE datafile_id = ?"


def test_copies_of_files_that_left_long_ago_are_deleted_by_a_plan_that_was_shown(small: Small) -> None:
    site = small(small_files(6))
    assert site.run("backup").returncode == ExitCode.OK
    gone, *rest = site.listed()
    with psycopg.connect(site.dsn) as connection:
        for table, column in (("filemetadata", "datafile_id"), ("datafile", "id"), ("dvobject", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = %s", (gone["datafile_id"],))
    with closing(sqlite3.connect(site.folder / "ledger.db")) as ledger, ledger:
        ledger.execute(_LONG_AGO, (gone["datafile_id"],))

    shown = site.run("prune")
    assert shown.returncode == ExitCode.OK, shown.stderr
    assert f"{gone['key']}  (" in shown.stdout
    assert "16.7% of the copies there, and no more than 5.0% may be" in shown.stdout
    assert (site.backup / gone["key"]).exists()
    order = re.search(r"dataverse-backup (prune .* --confirm .*)", shown.stdout)
    assert order is not None

    done = site.run(*order[1].split())
    assert done.returncode == ExitCode.OK, done.stderr
    assert not (site.backup / gone["key"]).exists()
    assert all((site.backup / line["key"]).exists() for line in rest)
    manifest = (site.backup / gone["key"]).parent / ".dataverse-backup" / "manifest.json"
    assert gone["key"] not in manifest.read_text()
