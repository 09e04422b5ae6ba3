"""Dumping a real PostgreSQL: what is needed for it, and what becomes of a dump that is cut off."""

from __future__ import annotations

import io
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.catalogue.connection import DatabaseAddress
from dataverse_backup.catalogue.pg_dump import PgDump, Release, candidates, installed
from dataverse_backup.errors import CatalogueError, DumpError, DumpInterrupted
from tests.servers import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.servers.postgresql import PostgresServer

READER, PASSWORD = "dump_reader", "reader's own"
AWKWARD = 'Datei\'s "ä" \\'


def never() -> bool:
    return False


@pytest.fixture
def database(postgres: PostgresServer, postgres_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's session in a database with a few tables, and a role that may read none of them."""
    with postgres.connect(postgres_database) as connection:
        connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
        connection.execute('CREATE SCHEMA "odd one"')
        connection.execute('CREATE TABLE "odd one".dvobject (id bigserial PRIMARY KEY, name text)')
        connection.execute('INSERT INTO "odd one".dvobject (name) VALUES (%s)', [AWKWARD])
        try:
            yield connection
        finally:
            connection.execute(f"DROP OWNED BY {READER}")
            connection.execute(f"DROP ROLE {READER}")


def address(server: PostgresServer, database: psycopg.Connection[Any], **other: Any) -> DatabaseAddress:
    fields = {"user": server.superuser, "password": server.password, **other}
    return DatabaseAddress(server.host, server.port, database.info.dbname, **fields)


def dumped(dumper: PgDump) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in dumper.dump(file, never):
            pass
        assert isinstance(file, io.RawIOBase)
        file.seek(0)
        return file.read()


def test_a_dump_is_an_archive_that_pg_restore_reads(
    postgres: PostgresServer, database: psycopg.Connection[Any]
) -> None:
    dumper = PgDump(address(postgres, database), str(postgres.program("pg_dump")))
    release = str(database.info.server_version // 10_000)
    assert dumper.inspect() == f"pg_dump {release} for PostgreSQL {release} ({postgres.program('pg_dump')})"
    archive = dumped(dumper)
    restored = subprocess.run(
        [postgres.program("pg_restore"), "--file=-"], input=archive, capture_output=True, check=True
    )
    assert AWKWARD.replace("\\", "\\\\").encode() in restored.stdout


def test_a_role_that_may_not_read_everything_is_told_what_it_lacks(
    postgres: PostgresServer, database: psycopg.Connection[Any]
) -> None:
    dumper = PgDump(address(postgres, database, user=READER, password=PASSWORD), str(postgres.program("pg_dump")))
    with pytest.raises(DumpError, match=r'2 tables and sequences.*"odd one".dvobject, "odd one".dvobject_id_seq') as no:
        dumper.inspect()
    assert "pg_read_all_data" in no.value.hint
    with pytest.raises(DumpError, match="permission denied") as no:
        dumped(dumper)
    assert "pg_read_all_data" in no.value.hint
    database.execute(f'GRANT USAGE ON SCHEMA "odd one" TO {READER}')
    database.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "odd one" TO {READER}')
    with pytest.raises(DumpError, match="1 tables and sequences"):
        dumper.inspect()
    database.execute(f'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "odd one" TO {READER}')
    assert dumper.inspect()
    assert dumped(dumper)


def test_a_wrong_password_is_the_catalogues_error(postgres: PostgresServer, database: psycopg.Connection[Any]) -> None:
    dumper = PgDump(address(postgres, database, user=READER, password="wrong"), str(postgres.program("pg_dump")))
    with pytest.raises(CatalogueError, match="refuses us"):
        dumped(dumper)


def test_a_connection_that_is_lost_in_the_middle_leaves_no_dump(
    postgres: PostgresServer, database: psycopg.Connection[Any]
) -> None:
    """It waits for a table that somebody holds, and is cut off there."""
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'dataverse-backup' AND wait_event_type = 'Lock'"
    )
    with (
        postgres.connect(database.info.dbname) as other,
        other.transaction(),
        tempfile.TemporaryFile(buffering=0) as file,
    ):
        other.execute('LOCK TABLE "odd one".dvobject IN ACCESS EXCLUSIVE MODE')
        sizes = PgDump(address(postgres, database), str(postgres.program("pg_dump"))).dump(file, never)
        while not (found := database.execute(waiting).fetchall()):
            next(sizes)
        database.execute("SELECT pg_terminate_backend(%s)", found[0])
        with pytest.raises(DumpInterrupted, match="terminating connection"):
            list(sizes)


def test_one_that_is_installed_is_found(postgres: PostgresServer, database: psycopg.Connection[Any]) -> None:
    server = Release.of_server(database.info.server_version)
    if not any(program.release.number >= server.number for program in installed(candidates())):
        unavailable(f"no pg_dump for PostgreSQL {server} is installed where packages put it")
    assert f"for PostgreSQL {server}" in PgDump(address(postgres, database)).inspect()
