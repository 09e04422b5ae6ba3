"""The Dataverse catalogue and its server: roles, grants, outages."""

from __future__ import annotations

import pickle
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from dataverse_backup.catalogue.dataverse import DatabaseAddress, DataverseCatalogue
from dataverse_backup.errors import CatalogueError, CatalogueUnavailable
from tests.contract.catalogue_cases import SCHEMAS, Installation
from tests.servers import unavailable
from tests.servers.postgresql import NoPostgres, PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "dataverse_backup"
PASSWORD = "se%cret: 'ä\\"
SCRIPT = Path(__file__).parents[2] / "docs" / "howto" / "read-only-role.sql"
UTC = ZoneInfo("UTC")


@pytest.fixture(params=SCHEMAS)
def dataverse(
    request: pytest.FixtureRequest, postgres: PostgresServer, postgres_database: str
) -> Iterator[Installation]:
    postgres.execute(postgres_database, SCHEMAS[request.param])
    with postgres.connect(postgres_database) as connection:
        installation = Installation(postgres, postgres_database, request.param, connection)
        installation.empty()
        yield installation


def with_role(dataverse: Installation) -> DatabaseAddress:
    """The address for the role of the how-to, which now has a password."""
    dataverse.server.execute(dataverse.database, SCRIPT)
    dataverse.execute(f"ALTER ROLE {ROLE} PASSWORD 'se%cret: ''ä\\'")
    server = dataverse.server
    return DatabaseAddress(server.host, server.port, dataverse.database, ROLE, PASSWORD)


def test_the_role_of_the_how_to_can_read_everything(dataverse: Installation) -> None:
    number = dataverse.datafile(dataverse.dataset())
    with DataverseCatalogue(with_role(dataverse), UTC) as catalogue:
        assert catalogue.inspect()
        assert [row.id for row in catalogue.rows()] == [number]
        assert set(catalogue.read([number])) == {number}
        assert catalogue.count_by_store() == {"file": 1}


def test_the_role_of_the_how_to_can_write_nothing(dataverse: Installation) -> None:
    dataverse.datafile(dataverse.dataset())
    address = with_role(dataverse)
    dsn = dataverse.server.dsn(dataverse.database, ROLE, PASSWORD)
    with psycopg.connect(dsn, autocommit=True) as session:
        assert session.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        session.execute("SET default_transaction_read_only = off")
        for statement in ("DELETE FROM datafile", "UPDATE dvobject SET id = id", "SELECT nextval('dvobject_id_seq')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())
    assert DataverseCatalogue(address, UTC).count_by_store() == {"file": 1}


def test_the_script_of_the_how_to_can_be_run_again(dataverse: Installation) -> None:
    with_role(dataverse)
    assert DataverseCatalogue(with_role(dataverse), UTC).inspect()


def test_a_missing_grant_is_named_as_the_statement_that_mends_it(dataverse: Installation) -> None:
    catalogue = DataverseCatalogue(with_role(dataverse), UTC)
    dataverse.execute(f"REVOKE SELECT ON filemetadata, datatable FROM {ROLE}")
    with pytest.raises(CatalogueError, match="may not read the tables datatable, filemetadata") as caught:
        list(catalogue.rows())
    grant = f'GRANT SELECT ON "public"."datatable", "public"."filemetadata" TO "{ROLE}";'
    assert grant in caught.value.hint
    dataverse.execute(grant)
    assert list(catalogue.rows()) == []


def test_a_schema_that_may_not_be_used_is_named_too(dataverse: Installation) -> None:
    catalogue = DataverseCatalogue(with_role(dataverse), UTC)
    dataverse.execute(f"REVOKE USAGE ON SCHEMA public FROM PUBLIC; REVOKE USAGE ON SCHEMA public FROM {ROLE}")
    dataverse.execute(f"REVOKE SELECT ON dvobject FROM {ROLE}")
    with pytest.raises(CatalogueError, match="may not read the schema public") as caught:
        catalogue.inspect()
    dataverse.execute(caught.value.hint.removeprefix("let the owner of the database run: "))
    assert catalogue.inspect()


def test_a_policy_that_hides_rows_is_an_error_and_no_shorter_catalogue(dataverse: Installation) -> None:
    dataverse.datafile(dataverse.dataset())
    catalogue = DataverseCatalogue(with_role(dataverse), UTC)
    dataverse.execute("ALTER TABLE dvobject ENABLE ROW LEVEL SECURITY")
    for ask in (catalogue.inspect, lambda: list(catalogue.rows()), lambda: catalogue.read([1])):
        with pytest.raises(CatalogueError, match="row-level security"):
            ask()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, which may be stopped, with 20,000 datafiles in the database ``dataverse``."""
    try:
        server = PostgresServer()
    except NoPostgres as missing:
        unavailable(str(missing))
    with server:
        server.create_database("dataverse")
        server.execute("dataverse", SCHEMAS["modern"])
        server.execute(
            "dataverse",
            """INSERT INTO dvobject (id, dtype, storageidentifier, createdate, modificationtime)
            SELECT i, 'DataFile', 'file://18b-' || i, now(), now() FROM generate_series(1, 20000) AS i""",
        )
        yield server


def address(server: PostgresServer, **changes: Any) -> DatabaseAddress:
    return replace(DatabaseAddress(server.host, server.port, "dataverse", server.superuser, server.password), **changes)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_goes_while_streaming_is_unavailable(server: PostgresServer, mode: Any) -> None:
    catalogue = DataverseCatalogue(address(server), UTC)
    with closing(catalogue.rows()) as rows:
        next(rows)
        server.stop(mode)
        try:
            with pytest.raises(CatalogueUnavailable, match=f"127.0.0.1:{server.port}"):
                list(rows)
            for call in (catalogue.inspect, catalogue.count_by_store, lambda: catalogue.read([1])):
                with pytest.raises(CatalogueUnavailable, match=f"127.0.0.1:{server.port}"):
                    call()
        finally:
            server.start()
    assert len(list(catalogue.rows())) == 20_000


def test_closing_the_catalogue_ends_what_streams(server: PostgresServer) -> None:
    catalogue = DataverseCatalogue(address(server), UTC)
    rows = catalogue.rows()
    next(rows)
    catalogue.close()
    with pytest.raises(CatalogueUnavailable):
        list(rows)
    catalogue.close()


def test_a_session_that_the_administrator_ends_may_be_tried_again(server: PostgresServer) -> None:
    with closing(DataverseCatalogue(address(server), UTC).rows()) as rows:
        next(rows)
        ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dataverse-backup'"
        server.execute("dataverse", ours)
        with pytest.raises(CatalogueUnavailable):
            list(rows)


@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong"}, {"password": ""}, {"user": "nobody"}, {"dbname": "none"}, {"sslmode": "require"}],
    ids=str,
)
def test_what_the_administrator_must_mend_is_not_called_unavailable(
    server: PostgresServer, changes: dict[str, Any]
) -> None:
    with pytest.raises(CatalogueError, match=f"127.0.0.1:{server.port}") as caught:
        DataverseCatalogue(address(server, **changes), UTC).inspect()
    assert not isinstance(caught.value, CatalogueUnavailable)
    assert "[Database]" in caught.value.hint
    assert ".pgpass" in caught.value.hint


def test_a_wrong_sslmode_is_not_called_unavailable(server: PostgresServer) -> None:
    with pytest.raises(CatalogueError, match="invalid sslmode value") as caught:
        DataverseCatalogue(address(server, sslmode="perhaps"), UTC).inspect()
    assert not isinstance(caught.value, CatalogueUnavailable)


def test_a_server_that_is_not_there_is_unavailable(server: PostgresServer) -> None:
    with pytest.raises(CatalogueUnavailable, match=r"127\.0\.0\.1:1/dataverse"):
        DataverseCatalogue(address(server, port=1), UTC).inspect()
    with pytest.raises(CatalogueUnavailable, match="/nowhere"):
        DataverseCatalogue(address(server, host="/nowhere"), UTC).inspect()


def test_a_password_may_come_from_the_password_file(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pgpass"
    escaped = server.password.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"127.0.0.1:{server.port}:dataverse:{server.superuser}:{escaped}\n", "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert DataverseCatalogue(address(server, password=None), UTC).inspect()


def test_the_password_is_shown_nowhere(server: PostgresServer) -> None:
    secret = "hunter2 hunter2"
    where = address(server, password=secret)
    with pytest.raises(CatalogueError) as caught:
        DataverseCatalogue(where, UTC).inspect()
    for text in (repr(where), str(where), str(caught.value), caught.value.hint, repr(caught.value)):
        assert secret not in text
    assert secret.encode() not in pickle.dumps(caught.value)


def test_a_role_without_patience_makes_a_long_reading_unavailable(server: PostgresServer) -> None:
    server.create_role("hasty", "x")
    server.execute("dataverse", "GRANT pg_read_all_data TO hasty; ALTER ROLE hasty SET statement_timeout = '1ms'")
    with pytest.raises(CatalogueUnavailable, match="timeout"):
        list(DataverseCatalogue(address(server, user="hasty", password="x"), UTC).rows())
