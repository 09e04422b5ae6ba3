"""What the contract suites share."""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.ledger.sql import open_ledger
from tests.contract.destination_cases import CASES
from tests.contract.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.testing.places import Place
    from tests.servers.postgresql import PostgresServer


PROMISES = Promises()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what came of each test of the suite of destinations."""
    report = yield
    if report.when == "call" or report.outcome == "failed":
        PROMISES.note(item, passed=report.outcome == "passed")
    return report


def pytest_sessionfinish() -> None:
    """Write the page of the reference, where that is asked for."""
    if os.environ.get("DATAVERSE_BACKUP_PROMISES"):
        PROMISES.write()


@pytest.fixture(params=CASES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One empty root of each kind of destination."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of each kind; its tables are a copy of ones made before, which takes much less time."""
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_ledger"), tmp_path / "ledger.db")
        with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as opened:
            yield opened
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        name = f"ledger_{next(_numbers)}"
        postgres.create_database(name, template=request.getfixturevalue("postgres_ledger"))
        with open_ledger(postgres.dsn(name)) as opened:
            yield opened
        postgres.drop(name)


_numbers = count(1)


@pytest.fixture(scope="session")
def sqlite_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty ledger."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    open_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_ledger(postgres: PostgresServer) -> str:
    """The name of a database with an empty ledger."""
    postgres.create_database("empty_ledger")
    open_ledger(postgres.dsn("empty_ledger")).close()
    return "empty_ledger"
