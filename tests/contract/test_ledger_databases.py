"""What a ledger in a database promises beyond one process: durability, locks, migrations, words for what is wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text

from dataverse_backup.errors import LedgerError, LockHeld
from dataverse_backup.ledger import migrate
from dataverse_backup.ledger.base import Status
from dataverse_backup.ledger.sql import open_ledger
from tests.contract.ledger_cases import HERE, copied, datafile, planned, recorded, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataverse_backup.ledger.base import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger can be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    dsn: str = request.getfixturevalue("postgres").dsn(request.getfixturevalue("postgres_database"))
    return dsn


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger that other processes open too."""
    with open_ledger(url) as opened:
        yield opened


def start(url: str, code: str) -> subprocess.Popen[str]:
    """Another process with its own ledger, running *code*; end it by what it reads."""
    program = f"""
        import os, signal, sys
        from dataverse_backup.ledger.sql import open_ledger
        from tests.contract.ledger_cases import *
        ledger = open_ledger({url!r})
        def say(word):
            print(word, flush=True)
        {textwrap.indent(textwrap.dedent(code), " " * 8).strip()}
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


HOLD = """
    with ledger.lock(HERE) as lock:
        say("locked")
        sys.stdin.readline()
"""


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


def test_what_was_recorded_survives_a_kill(url: str) -> None:
    code = """
        recorded(ledger, succeeded(datafile(1)))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    child = start(url, code)
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL
    with open_ledger(url) as reopened:
        (standing,) = reopened.standings(HERE)
        run = reopened.last_run()
    assert (standing.status, standing.copy) == (Status.OK, copied(datafile(1)))
    assert run is not None
    assert (run.files_ok, run.ended) == (1, None)


def test_processes_that_make_the_tables_at_once_all_survive(url: str) -> None:
    children = [start(url, "say(ledger.id)") for _ in range(4)]
    answers = [child.communicate(timeout=60)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0] * 4
    with open_ledger(url) as ledger:
        assert set(answers) == {ledger.id}


def test_a_lock_excludes_another_process_and_says_who_holds_it_and_since_when(url: str, ledger: Ledger) -> None:
    child = start(url, HOLD)
    assert said(child) == "locked"
    holder = ledger.holder(HERE)
    assert holder is not None
    assert holder.description.startswith(f"process {child.pid} on ")
    assert holder.since is not None
    assert abs(datetime.now(UTC) - holder.since) < timedelta(minutes=1)
    with pytest.raises(LockHeld, match=rf"process {child.pid} on .* since 20\d\d-"), ledger.lock(HERE):
        pytest.fail("two processes hold one lock")
    child.communicate("\n", timeout=30)
    with ledger.lock(HERE) as lock:
        lock.confirm()


def test_a_killed_holder_leaves_no_lock(url: str, ledger: Ledger) -> None:
    child = start(url, HOLD)
    assert said(child) == "locked"
    kill(child)
    for _ in range(50):  # PostgreSQL notices a closed socket in its own time
        if ledger.holder(HERE) is None:
            break
        threading.Event().wait(0.1)
    with ledger.lock(HERE) as lock:
        lock.confirm()


def test_reading_works_while_another_process_writes(url: str, ledger: Ledger) -> None:
    recorded(ledger, succeeded(datafile(1)))
    code = """
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("UPDATE datafilestatus SET status = 'FAIL_READ'")
            say("writing")
            sys.stdin.readline()
    """
    child = start(url, code)
    assert said(child) == "writing"
    with open_ledger_for_reading(url) as other:
        assert [standing.status for standing in other.standings(HERE)] == [Status.OK]
    assert [standing.status for standing in ledger.standings(HERE)] == [Status.OK]
    assert ledger.tallies(HERE)[0].files == 1
    child.communicate("\n", timeout=30)
    assert [standing.status for standing in ledger.standings(HERE)] == [Status.FAIL_READ]


def open_ledger_for_reading(url: str) -> Ledger:
    return open_ledger(url, busy_timeout=1)


def test_a_ledger_of_a_newer_version_is_refused_in_words(url: str) -> None:
    open_ledger(url).close()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if "postgres" in url else url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match=r"newer version.*9999"):
        open_ledger(url)


def test_a_ledger_of_the_first_version_is_migrated_and_keeps_its_attempts(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if "postgres" in url else url)
    now = "2026-01-01 00:00:00.000000"
    rows: dict[str, dict[str, object]] = {
        "ledger": {"id": "ledger-1", "made": now},
        "runs": {"run": "run-1", "verb": "backup", "destination": HERE, "started": now, "outcome": "ok"}
        | dict.fromkeys(("files_ok", "files_failed", "bytes_sent"), 1),
        "attempts": {"run": "run-1", "datafile_id": 1, "object": "main", "destination": HERE, "status": "OK"}
        | {"storageidentifier": "file://1", "message": "", "method": "ssh", "started": now}
        | {"seconds": 1.0, "bytes_sent": 1},
    }
    with engine.begin() as connection:
        migrate.upgrade(connection, "here", "0001")
        for table, row in rows.items():
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)
    with open_ledger(url) as ledger:
        assert ledger.id == "ledger-1"
        assert [attempt.datafile_id for attempt in ledger.attempts(run="run-1")] == [1]
    with engine.begin() as connection:
        assert migrate.is_current(connection)
    engine.dispose()


def test_a_ledger_keeps_its_identity(url: str) -> None:
    with open_ledger(url) as first, open_ledger(url) as second:
        assert first.id == second.id


def test_the_password_is_never_shown(url: str, ledger: Ledger) -> None:
    password = make_url(url).password or "no password"
    assert str(password) not in repr(ledger)
    assert str(password) not in str(vars(ledger))


def test_a_value_that_the_database_refuses_is_a_ledger_error_without_secrets(url: str, ledger: Ledger) -> None:
    with pytest.raises((LedgerError, OverflowError)) as caught:
        ledger.note(HERE, planned=[planned(datafile(2**70))])
    assert str(make_url(url).password or "no password") not in str(caught.value)
    assert list(ledger.standings(HERE)) == []


def test_copies_of_some_datasets_are_found_without_reading_all_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"  # which keeps no statistics, and guesses
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, *told: Any) -> None:
        asked.append(told[:2])

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        with open_ledger(url) as ledger:
            assert list(ledger.kept(destinations=["default"], storage_paths=["10.5072/FK2/A"])) == []
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    statement, parameters = next(each for each in asked if "FROM copies" in each[0])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    sought = [step[step.index("(") :] for step in steps if "(" in step]
    assert sought == ["(datasetidentifier=?)", "(datafile_id=? AND destination=? AND object=?)"]
