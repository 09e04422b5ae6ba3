"""What only a ledger in a file can meet: folders, modes, damage, network file systems."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from dataverse_backup.errors import LedgerError, LedgerUnavailable, LockHeld
from dataverse_backup.ledger import migrate, sqlite
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.migrate import VERSION_TABLE
from dataverse_backup.ledger.mounts import network_file_system
from dataverse_backup.ledger.sql import find_ledger, open_ledger
from dataverse_backup.ledger.tables import metadata
from tests.contract.ledger_cases import HERE, datafile, planned

_MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /home rw shared:2 - nfs4 fileserver:/home rw,vers=4.2
24 23 8:2 / /home/local rw - xfs /dev/sdb1 rw
25 22 0:22 / /mnt/with\\040space rw master:1 - cifs //server/share rw
26 22 0:23 / /mnt/over rw - nfs server:/x rw
27 22 8:3 / /mnt/over rw - ext4 /dev/sdc1 rw
28 22 0:24 / /mnt/sshfs rw - fuse.sshfs user@host: rw
29 22 0:25 / /mnt/ntfs rw - fuseblk /dev/sdd1 rw
"""


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    head = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).get_current_head()
    assert migrate.newest_version() == head


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", None),
        ("/var/lib", None),
        ("/home", "nfs4"),
        ("/home/somebody", "nfs4"),
        ("/home/local/somebody", None),
        ("/homestead", None),
        ("/mnt/with space/x", "cifs"),
        ("/mnt/over", None),
        ("/mnt/sshfs", "fuse.sshfs"),
        ("/mnt/ntfs", None),
    ],
)
def test_a_path_lies_on_the_file_system_that_is_mounted_nearest_above_it(folder: str, kind: str | None) -> None:
    assert network_file_system(Path(folder), _MOUNTS) == kind


def test_an_empty_mount_table_refuses_nothing() -> None:
    assert network_file_system(Path("/home"), "") is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="mounts are known on Linux only")
def test_a_network_file_system_is_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"23 22 0:21 / {tmp_path.resolve()} rw - nfs4 fileserver:/home rw\n")
    monkeypatch.setattr(sqlite, "_MOUNTINFO", mounts)
    with pytest.raises(LedgerError, match="network file system \\(nfs4\\)"):
        open_ledger(f"sqlite:///{path}")
    assert not path.exists()


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="does not exist") as caught:
        open_ledger(f"sqlite:///{tmp_path}/not there/ledger.db")
    assert caught.value.hint.startswith(f"mkdir -p '{tmp_path}/not there'")


def test_only_the_owner_may_read_the_ledger_and_its_locks(path: Path) -> None:
    before = os.umask(0)
    try:
        with open_ledger(f"sqlite:///{path}") as ledger, ledger.lock("a/b c"):
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert "ledger.db.a%2Fb c.lock" in modes


@pytest.mark.parametrize("damage", ["overwritten", "in the middle"])
def test_a_damaged_file_is_an_error_that_says_what_to_do(path: Path, damage: str) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.note(HERE, planned=[planned(datafile(number)) for number in range(3_000)])
    with path.open("r+b") as file:
        file.seek(0 if damage == "overwritten" else 4096)
        file.write(b"\xa5" * (path.stat().st_size - file.tell()))

    def use() -> None:
        with open_ledger(f"sqlite:///{path}") as damaged:
            list(damaged.standings(HERE))

    with pytest.raises(LedgerError, match="is damaged") as caught:
        use()
    assert "restore the file from a backup" in caught.value.hint
    assert not isinstance(caught.value, LedgerUnavailable)


def test_a_folder_in_the_place_of_the_file_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_ledger(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/x", "postgresql://host"])
def test_a_url_that_names_no_database_of_ours_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="no ledger can be kept"):
        open_ledger(url)


def test_commits_reach_the_disk(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger, ledger._database.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_second_writer_waits_and_then_says_that_the_ledger_is_locked(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}", busy_timeout=0.2) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="locked"):
                ledger.note(HERE, planned=[planned(datafile(1))])
            assert list(ledger.standings(HERE)) == []
        ledger.note(HERE, planned=[planned(datafile(1))])
        assert [standing.status for standing in ledger.standings(HERE)] == [Status.PENDING]


def test_a_second_writer_gets_its_turn(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}", busy_timeout=30) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.3, other.rollback).start()
            ledger.note(HERE, planned=[planned(datafile(1))])
        assert len(list(ledger.standings(HERE))) == 1


def test_a_lock_whose_file_was_removed_is_lost(path: Path) -> None:
    with open_ledger(f"sqlite:///{path}") as ledger, ledger.lock(HERE) as lock:
        path.with_name("ledger.db.default.lock").unlink()
        with pytest.raises(LockHeld, match="the lock was lost"):
            lock.confirm()


@pytest.mark.parametrize("first", ["0001", migrate.HEAD])
def test_a_new_ledger_and_one_that_was_migrated_have_the_tables_that_the_code_works_with(
    path: Path, first: str
) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate.upgrade(connection, "here", first)
        migrate.upgrade(connection, "here")
        assert migrate.is_current(connection)
        compared = {"version_table": VERSION_TABLE, "compare_type": False}
        assert compare_metadata(MigrationContext.configure(connection, opts=compared), metadata) == []
    engine.dispose()


def test_who_opens_a_new_ledger_or_one_without_need_of_migration_imports_no_alembic(path: Path) -> None:
    script = (
        "import sys\n"
        "from dataverse_backup.ledger.sql import open_ledger\n"
        "for _ in range(2):\n    open_ledger(sys.argv[1]).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], timeout=60, check=False).returncode == 0


def test_who_only_looks_makes_no_ledger(path: Path) -> None:
    assert find_ledger(f"sqlite:///{path}") is None
    assert list(path.parent.iterdir()) == []
    path.touch()  # as a run leaves it that is killed at once
    assert find_ledger(f"sqlite:///{path}") is None
    with open_ledger(f"sqlite:///{path}") as made:
        found = find_ledger(f"sqlite:///{path}")
        assert found is not None
        with found:
            assert found.id == made.id
    with pytest.raises(LedgerError, match="folder of the ledger"):
        find_ledger(f"sqlite:///{path}/nowhere/ledger.db")


def test_a_file_that_holds_a_dataverse_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE dvobject (id integer)")
    with pytest.raises(LedgerError, match="holds a Dataverse"):
        open_ledger(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("dvobject",)]
