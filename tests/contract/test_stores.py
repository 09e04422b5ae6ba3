"""What every store promises, of every one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.testing.stores import *  # noqa: F403 -- the suite: pytest collects what is here
from tests.contract.store_cases import SHELVES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.testing.shelves import Shelf


@pytest.fixture(params=SHELVES)
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """One of each kind of store."""
    with SHELVES[request.param](request) as shelf, shelf.store:
        yield shelf
