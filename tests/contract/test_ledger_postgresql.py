"""What only a ledger in PostgreSQL can meet: missing databases, refused roles, lost sessions, pools."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from dataverse_backup.errors import LedgerError, LedgerUnavailable, LockHeld
from dataverse_backup.ledger import migrate
from dataverse_backup.ledger.migrate import VERSION_TABLE
from dataverse_backup.ledger.sql import find_ledger, open_ledger
from dataverse_backup.ledger.tables import metadata
from tests.contract.ledger_cases import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.servers.postgresql import PostgresServer


@pytest.fixture
def url(postgres: PostgresServer, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


def test_a_missing_database_comes_with_the_command_that_makes_it(postgres: PostgresServer) -> None:
    with pytest.raises(LedgerError, match="does not exist") as caught:
        open_ledger(postgres.dsn("not yet"))
    assert caught.value.hint == (f"make it: createdb -h 127.0.0.1 -p {postgres.port} -O {postgres.superuser} 'not yet'")
    assert not isinstance(caught.value, LedgerUnavailable)


def test_a_dataverse_database_is_refused(postgres: PostgresServer, postgres_database: str) -> None:
    postgres.execute(postgres_database, "CREATE TABLE dvobject (id integer)")
    with pytest.raises(LedgerError, match="holds a Dataverse") as caught:
        open_ledger(postgres.dsn(postgres_database))
    assert "createdb" in caught.value.hint
    with postgres.connect(postgres_database) as connection:
        assert connection.execute("SELECT to_regclass('datafilestatus')").fetchone() == (None,)


def test_who_only_looks_makes_no_tables(postgres: PostgresServer, postgres_database: str) -> None:
    assert find_ledger(postgres.dsn(postgres_database)) is None
    with postgres.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_an_encoding_that_cannot_hold_every_name_is_refused(postgres: PostgresServer) -> None:
    postgres.create_database("latin", encoding="LATIN1")
    try:
        with pytest.raises(LedgerError, match="LATIN1"):
            open_ledger(postgres.dsn("latin"))
    finally:
        postgres.drop("latin")


def test_a_wrong_password_is_refused_without_being_shown(postgres: PostgresServer, postgres_database: str) -> None:
    with pytest.raises(LedgerError, match="refuses us") as caught:
        open_ledger(postgres.dsn(postgres_database, user=postgres.superuser, password="wr0ng-secret"))
    assert not isinstance(caught.value, LedgerUnavailable)
    assert "wr0ng-secret" not in f"{caught.value} {caught.value.hint}"


def test_a_server_that_does_not_answer_may_answer_later() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://somebody:secret@127.0.0.1:{nobody.getsockname()[1]}/ledger"
        with pytest.raises(LedgerUnavailable, match="cannot be reached"):
            open_ledger(url)


def test_a_role_that_may_make_no_tables_is_told_so(postgres: PostgresServer, postgres_database: str) -> None:
    postgres.create_role("ledger_reader", "x")
    try:
        with pytest.raises(LedgerError, match="permission denied") as caught:
            open_ledger(postgres.dsn(postgres_database, user="ledger_reader", password="x"))
        assert not isinstance(caught.value, LedgerUnavailable)
    finally:
        postgres.execute("postgres", "DROP ROLE ledger_reader")


def end_sessions(postgres: PostgresServer, database: str) -> None:
    with postgres.connect("postgres") as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))
    time.sleep(0.2)


def test_a_lost_session_is_a_lost_lock(postgres: PostgresServer, postgres_database: str, url: str) -> None:
    with open_ledger(url) as ledger:
        with ledger.lock(HERE) as lock:
            lock.confirm()
            end_sessions(postgres, postgres_database)
            with pytest.raises(LockHeld, match="the lock was lost"):
                lock.confirm()
        assert ledger.holder(HERE) is None
        with ledger.lock(HERE) as lock:
            lock.confirm()


def test_a_ledger_whose_sessions_were_ended_connects_again(
    postgres: PostgresServer, postgres_database: str, url: str
) -> None:
    with open_ledger(url) as ledger:
        end_sessions(postgres, postgres_database)
        assert ledger.last_run() is None


def test_the_session_of_a_lock_names_its_holder_and_is_kept_alive(postgres: PostgresServer, url: str) -> None:
    with open_ledger(url) as ledger, ledger.lock(HERE) as lock, postgres.connect("postgres") as admin:
        names = admin.execute("SELECT application_name FROM pg_stat_activity").fetchall()
        assert (f"dataverse-backup {os.getpid()}@{socket.gethostname()} {HERE}",) in names
        session: psycopg.Connection[tuple[str, ...]] = vars(lock)["_session"]
        keepalives = session.execute(
            "SELECT current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),"
            " current_setting('tcp_keepalives_count')"
        ).fetchone()
        assert keepalives == ("20", "10", "3")


@contextmanager
def pooled(postgres: PostgresServer, folder: Path) -> Iterator[int]:
    """A pgbouncer in transaction mode before *postgres*; its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no pgbouncer here; it is wanted by this test alone")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.chmod(0o755)
    users = folder / "users.txt"
    users.write_text('"pooled" "pooled"\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {users}\npool_mode = transaction\n"
        "ignore_startup_parameters = extra_float_digits\n"
    )
    nobody = 65534 if os.geteuid() == 0 else None  # pgbouncer refuses to run as root
    with subprocess.Popen([program, "-q", settings], stderr=subprocess.DEVNULL, user=nobody, group=nobody) as process:
        try:
            time.sleep(1)
            yield port
        finally:
            process.terminate()


def test_a_pool_that_shares_sessions_is_refused(postgres: PostgresServer, postgres_database: str, url: str) -> None:
    postgres.create_role("pooled", "pooled")
    postgres.execute(postgres_database, "ALTER SCHEMA public OWNER TO pooled")
    try:
        with tempfile.TemporaryDirectory() as folder, pooled(postgres, Path(folder)) as port:
            through = make_url(url).set(port=port, username="pooled", password="pooled")
            with open_ledger(through) as ledger:
                with pytest.raises(LedgerError, match="connection pool") as caught, ledger.lock(HERE):
                    pytest.fail("a lock under a pool")
                assert "pool_mode = session" in caught.value.hint
    finally:
        postgres.drop(postgres_database)
        postgres.execute("postgres", "DROP ROLE pooled")


@pytest.mark.parametrize("first", ["0001", migrate.HEAD])
def test_a_new_ledger_and_one_that_was_migrated_have_the_tables_that_the_code_works_with(url: str, first: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        migrate.upgrade(connection, "here", first)
        migrate.upgrade(connection, "here")
        compared = {"version_table": VERSION_TABLE, "compare_type": False}
        assert compare_metadata(MigrationContext.configure(connection, opts=compared), metadata) == []
    engine.dispose()
