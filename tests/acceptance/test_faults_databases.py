"""The Dataverse database or the ledger goes away, is locked or is damaged: what is said, and what is kept."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from demo.contents import OnDisk
from demo.proof import differences, stamps
from tests.acceptance.freezing import frozen, some_copy_in
from tests.acceptance.small import small_file, small_files, small_installation, standing, unequal_copies, untruths
from tests.ordinary_user import unprivileged
from tests.servers.postgresql import PostgresServer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

    LockedOut = tuple[Installation, subprocess.Popen[str]]

COULD_NOT_RUN = 1
SOME_FAILED = 3


@pytest.fixture
def own_postgres(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    del postgres  # judges in one place whether there is a PostgreSQL at all
    with PostgresServer() as own:
        own.create_database("dvndb")
        yield own


def test_a_dataverse_database_that_stops_in_mid_run_ends_nothing_and_condemns_nothing(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    missing = small_file(on_disk=OnDisk.NOTHING, status="FAIL_READ", reason="missing")
    installation = small_installation(tmp_path, own_postgres.dsn("dvndb"), [*small_files(12), missing])
    installation.back_up_to_folder("BatchFiles: 2", "Workers: 1")
    run = installation.start("backup")
    with frozen(run, some_copy_in(installation.backup)):
        own_postgres.stop("immediate")
    output, _ = run.communicate(timeout=120)
    assert run.returncode == SOME_FAILED, output
    assert "does not answer" in output
    assert "1 failures are not recorded" in output
    assert standing(installation.listed()) == {("OK", None), ("PENDING", None)}  # what may be missing is not said to be
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "the Dataverse database" in answer.stderr
    assert "hint:" in answer.stderr
    own_postgres.start()
    assert installation.run("backup").returncode == SOME_FAILED
    assert differences(installation.sample, installation.listed_with_companions(), installation.backup) == []


def start_and_lock(installation: Installation, seconds: float) -> subprocess.Popen[str]:
    """A run in the middle of which another process holds the ledger's write lock for so long."""
    installation.back_up_to_folder("BatchFiles: 1", "Workers: 1")
    run = installation.start("backup")
    while not some_copy_in(installation.backup)():
        assert run.poll() is None
        time.sleep(0.001)
    lock = sqlite3.connect(installation.folder / "ledger.db", timeout=60, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    threading.Timer(seconds, lock.close).start()
    assert run.poll() is None
    return run


@pytest.fixture(scope="module", autouse=True)
def locked_out(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[LockedOut]:
    """A run that is locked out for longer than it waits (30 seconds): it waits while other tests run."""
    postgres.create_database("locked_out")
    folder = tmp_path_factory.mktemp("locked-out")
    installation = small_installation(folder, postgres.dsn("locked_out"), small_files(60))
    with start_and_lock(installation, 32.0) as run:
        yield installation, run
        run.kill()  # where nobody waited for its end
    postgres.drop("locked_out")


def test_a_ledger_that_is_locked_for_a_moment_only_makes_the_run_wait(small: Small) -> None:
    installation = small(small_files(60))
    output, _ = start_and_lock(installation, 2.0).communicate(timeout=120)
    assert "60 copied or proven, 0 failed" in output
    assert unequal_copies(installation.sample, installation.backup) == []


def test_a_ledger_in_a_folder_that_may_not_be_written_is_said_at_once(small: Small) -> None:
    installation = small(small_files(2))
    folder = installation.folder / "ledgers"
    folder.mkdir(mode=0o555)
    installation.database["BackupDatabase"] = f"sqlite:///{folder}/ledger.db"
    installation.before = unprivileged()
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "ledger.db cannot be made: Permission denied" in answer.stderr
    assert "check owner and mode" in answer.stderr
    assert list(installation.backup.iterdir()) == []
    folder.chmod(0o755)
    assert installation.run("backup").returncode == 0
    folder.chmod(0o555)
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "ledger.db cannot be" in answer.stderr
    assert "check owner and mode" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_damaged_ledger_is_said_and_a_new_one_adopts_every_copy(small: Small) -> None:
    installation = small(small_files(4))
    assert installation.run("backup").returncode == 0
    before = stamps(installation.backup)
    ledger = installation.folder / "ledger.db"
    ledger.write_bytes(b"this was a ledger once" * 1000)
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert "is damaged, or no ledger at all" in answer.stderr
    assert "move it" in answer.stderr
    for path in installation.folder.glob("ledger.db*"):
        shutil.move(path, path.with_name(f"damaged-{path.name}"))
    answer = installation.run("backup")  # whose copies are they?
    assert answer.returncode == COULD_NOT_RUN
    assert "dataverse-backup accept default" in answer.stderr
    assert installation.run("accept", "default").returncode == 0
    assert installation.run("backup").returncode == 0
    listed = installation.listed_with_companions()
    assert {line["verified_by"] for line in listed} == {"adopted"}
    assert differences(installation.sample, listed, installation.backup) == []
    assert stamps(installation.backup) == before


def test_a_ledger_that_stays_locked_ends_the_run_in_words_and_the_next_one_goes_on(locked_out: LockedOut) -> None:
    installation, run = locked_out
    output, _ = run.communicate(timeout=120)
    assert run.returncode == COULD_NOT_RUN, output
    assert "ledger.db is locked by another process" in output
    assert "hint: try again" in output
    assert "Traceback" not in output
    listed = installation.listed()
    assert standing(listed) <= {("OK", None), ("PENDING", None)}
    assert untruths(installation.sample, listed, installation.backup) == []
    before = stamps(installation.backup)
    assert installation.run("backup").returncode == 0
    assert unequal_copies(installation.sample, installation.backup) == []
    assert before.items() <= stamps(installation.backup).items()  # what had no record was adopted
