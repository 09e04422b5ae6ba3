"""What the contract suites share."""

from __future__ import annotations

import os
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
    """An empty ledger of each kind."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres_database")
        url = request.getfixturevalue("postgres").dsn(database)
    with open_ledger(url) as opened:
        yield opened
