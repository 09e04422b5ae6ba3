"""What psycopg's errors mean for the catalogue."""

from __future__ import annotations

import psycopg
import pytest

from dataverse_backup.catalogue.connection import MEANING, DatabaseAddress, translated
from dataverse_backup.errors import CatalogueError, CatalogueUnavailable

ADDRESS = DatabaseAddress("db.example.edu", 5432, "dvndb", "dataverse_backup", "secret")


def subclasses(kind: type[psycopg.Error]) -> set[type[psycopg.Error]]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


EVERY_ERROR = sorted(subclasses(psycopg.Error), key=lambda kind: kind.__name__)
WITH_STATE = [kind for kind in EVERY_ERROR if kind.sqlstate]


def translation(error: psycopg.Error) -> CatalogueError:
    with pytest.raises(CatalogueError) as caught, translated(ADDRESS):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def test_psycopg_has_errors() -> None:
    assert len(WITH_STATE) > 200


@pytest.mark.parametrize("kind", WITH_STATE)
def test_every_error_of_the_server_has_a_meaning(kind: type[psycopg.Error]) -> None:
    assert kind.sqlstate is not None
    assert kind.sqlstate in MEANING or kind.sqlstate[:2] in MEANING


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_is_translated_and_names_the_database(kind: type[psycopg.Error]) -> None:
    error = translation(kind("it did\n\tnot\x1b[2J work"))
    assert "dataverse_backup@db.example.edu:5432/dvndb" in error.message
    assert "it did not\\x1b[2J work" in error.message
    assert error.hint
    assert "secret" not in error.message + error.hint


@pytest.mark.parametrize(
    "kind",
    [
        psycopg.errors.AdminShutdown,
        psycopg.errors.CrashShutdown,
        psycopg.errors.CannotConnectNow,
        psycopg.errors.TooManyConnections,
        psycopg.errors.ConnectionFailure,
        psycopg.errors.SerializationFailure,
        psycopg.errors.IdleInTransactionSessionTimeout,
        psycopg.errors.ConnectionTimeout,
    ],
)
def test_what_passes_is_unavailable(kind: type[psycopg.Error]) -> None:
    assert type(translation(kind("no"))) is CatalogueUnavailable


@pytest.mark.parametrize(
    "kind",
    [
        psycopg.errors.InvalidPassword,
        psycopg.errors.InvalidCatalogName,
        psycopg.errors.InvalidAuthorizationSpecification,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedColumn,
        psycopg.errors.DatabaseDropped,
        psycopg.errors.UntranslatableCharacter,
        psycopg.InterfaceError,
        psycopg.DataError,
    ],
)
def test_what_stays_is_for_the_administrator(kind: type[psycopg.Error]) -> None:
    assert type(translation(kind("no"))) is CatalogueError


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('FATAL: role "x" does not exist', CatalogueError),
        ("FATAL: no pg_hba.conf entry for host", CatalogueError),
        ("FATAL: sorry, too many clients already", CatalogueUnavailable),
        ("FATAL: the database system is starting up", CatalogueUnavailable),
        ("server closed the connection unexpectedly", CatalogueUnavailable),
        ("connection timeout expired", CatalogueUnavailable),
    ],
)
def test_a_server_that_turns_us_away_in_words_is_understood(said: str, expected: type[CatalogueError]) -> None:
    assert type(translation(psycopg.OperationalError(said))) is expected


def test_an_error_of_ours_is_left_alone() -> None:
    ours = CatalogueError("ours")
    with pytest.raises(CatalogueError) as caught, translated(ADDRESS):
        raise ours
    assert caught.value is ours
