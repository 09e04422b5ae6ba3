"""What the contract suites share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.destination_cases import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Destination
    from tests.contract.destination_cases import Place


@pytest.fixture(params=CASES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One empty root of each kind of destination."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``."""
    with place.destination() as destination:
        destination.connect()
        yield destination
