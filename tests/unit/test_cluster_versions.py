"""Machines of a cluster with other versions than ours are told from those that fit."""

from __future__ import annotations

import pytest

from dataverse_backup.cluster.versions import differences

HERE = {"python": "3.11.7.final.0", "dataverse-backup": "1.2.0", "dask": "2026.8.0", "distributed": "2026.8.0"}


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({}, []),
        ({"python": "3.11.9.final.0", "numpy": "2.0"}, []),
        ({"python": "3.12.1.final.0"}, ["python is 3.12 there and 3.11 here"]),
        ({"dataverse-backup": "1.1.0"}, ["dataverse-backup is 1.1.0 there and 1.2.0 here"]),
        ({"dataverse-backup": None}, ["dataverse-backup is not installed there (here 1.2.0)"]),
        (
            {"dask": "2026.1.0", "distributed": "2026.1.0"},
            ["dask is 2026.1.0 there and 2026.8.0 here", "distributed is 2026.1.0 there and 2026.8.0 here"],
        ),
    ],
)
def test_other_versions_are_named(there: dict[str, str | None], said: list[str]) -> None:
    assert list(differences(HERE, HERE | there)) == said


def test_a_machine_that_does_not_say_its_versions_does_not_fit() -> None:
    assert list(differences(HERE, None)) == ["it does not say which versions it has"]
