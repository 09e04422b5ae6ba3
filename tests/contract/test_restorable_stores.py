"""What every store promises that takes bytes back, of every one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.testing.restorable import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.shelves import RestorableShelf
from tests.contract.store_cases import RESTORABLE_SHELVES, SHELVES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=sorted(RESTORABLE_SHELVES))
def shelf(request: pytest.FixtureRequest) -> Iterator[RestorableShelf]:
    """One of each kind of store."""
    with SHELVES[request.param](request) as shelf, shelf.store:
        assert isinstance(shelf, RestorableShelf)
        yield shelf
