"""The installed command stops when too much is wrong at once, says why, and goes on when it is told to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg

from tests.acceptance.small import small_files, unequal_copies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

BRAKE_PULLED = 5
DELETED_FROM = (
    ("filemetadata", "datafile_id"),
    ("datafile", "id"),
    ("dvobject", "id"),
)


def vanish(installation: Installation, datafile_ids: Sequence[int]) -> None:
    """Let the Dataverse database not have these datafiles any more."""
    with psycopg.connect(installation.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, column in DELETED_FROM:
            connection.execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)".encode(), (list(datafile_ids),))


def test_emptied_files_and_vanished_rows_stop_a_run_that_keeps_every_copy_until_it_is_released(small: Small) -> None:
    installation = small(small_files(24))
    installation.back_up_to_folder("Workers: 1", "BrakeCount: 10")
    sample = installation.sample
    sources = [sample.stores["file"] / str(one.key) for one in sample.expected]
    bytes_of = {source: source.read_bytes() for source in sources[:12]}
    for source in bytes_of:
        os.truncate(source, 0)

    emptied = installation.run("backup")
    assert emptied.returncode == BRAKE_PULLED, emptied.stderr
    assert "error: the brake is pulled: nothing more is sent, and every copy is kept" in emptied.stderr
    assert "store file: 12 of the first 24 files that this run was to read" in emptied.stderr
    assert emptied.stderr.count(": it is empty: ") == 5
    assert "--release-brake" in emptied.stderr

    for source, data in bytes_of.items():
        source.write_bytes(data)
    assert installation.run("backup").returncode == 0
    assert unequal_copies(sample, installation.backup) == []

    vanish(installation, [one.datafile_id for one in sample.expected[:12]])
    vanished = installation.run("backup")
    assert vanished.returncode == BRAKE_PULLED, vanished.stderr
    assert (
        "store file: 12 of the 24 datafiles that the ledger knows are gone from the Dataverse data" in vanished.stderr
    )
    last = installation.status()["last_run"]
    assert (last["outcome"], "12 of the 24 datafiles" in last["message"]) == ("brake", True)

    released = installation.run("backup", "--release-brake")
    assert released.returncode == 0, released.stderr
    assert sorted(line["status"] for line in installation.listed()) == ["GONE"] * 12 + ["OK"] * 12
    assert unequal_copies(sample, installation.backup) == []
