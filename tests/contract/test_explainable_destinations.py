"""What every destination of ours promises that keeps notes of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.testing.explainable import *  # noqa: F403 -- the suite: pytest collects what is here
from tests.contract.destination_cases import CASES, WITH_NOTES_AND_LISTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.testing.places import Place


@pytest.fixture(params=WITH_NOTES_AND_LISTS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One of each kind that keeps notes."""
    with CASES[request.param](request) as place:
        yield place
