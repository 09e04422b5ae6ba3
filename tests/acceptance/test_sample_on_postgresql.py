"""The demo's sample, built on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from dataverse_backup.ledger.base import Status
from demo.sample import Sample, build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgresql import PostgresServer


@pytest.fixture
def dsn(postgres: PostgresServer, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


@pytest.fixture
def sample(tmp_path: Path, dsn: str) -> Sample:
    return build(tmp_path, dsn)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_database_has_what_is_expected_and_what_is_harvested(sample: Sample, dsn: str) -> None:
    ids = {row[0] for row in rows(dsn, "SELECT id FROM datafile")}
    assert ids == {expected.datafile_id for expected in sample.expected} | sample.harvested
    harvested = """
        SELECT datafile.id FROM datafile JOIN dvobject USING (id) JOIN dataset ON dataset.id = dvobject.owner_id
        WHERE harvestingclient_id IS NOT NULL"""
    assert {row[0] for row in rows(dsn, harvested)} == sample.harvested
    assert rows(dsn, "SELECT count(*) FROM dataset") == [(sample.datasets,)]


def test_dataverse_could_go_on_from_here(sample: Sample, dsn: str) -> None:
    assert sample.expected
    (last,), (following,) = rows(dsn, "SELECT max(id) FROM dvobject UNION ALL SELECT nextval('dvobject_id_seq')")
    assert isinstance(last, int)
    assert following == last + 1


def test_a_datafile_that_was_replaced_is_in_the_first_version_only(sample: Sample, dsn: str) -> None:
    assert sample.expected
    versions = """
        SELECT label, array_agg(versionnumber ORDER BY versionnumber) FROM filemetadata
        JOIN datasetversion ON datasetversion.id = datasetversion_id
        WHERE label IN ('replaced.csv', 'replacement.csv', 'draft.csv', 'final.csv') GROUP BY label ORDER BY label"""
    assert rows(dsn, versions) == [
        ("draft.csv", [1, 2, 3]),
        ("final.csv", [4]),
        ("replaced.csv", [1]),
        ("replacement.csv", [2, 3, 4]),
    ]
    pair = "SELECT id - previousdatafileid FROM datafile WHERE previousdatafileid IS NOT NULL"
    assert rows(dsn, pair) == [(1,)]


def test_whatever_must_be_copied_can_be_read_from_the_stores(sample: Sample) -> None:
    copied = [expected for expected in sample.expected if expected.status is Status.OK]
    sizes = {path.stat().st_size for store in sample.stores.values() for path in files_of(store)}
    assert {expected.size for expected in copied} <= sizes


def test_a_dataset_whose_folder_is_a_link_lies_on_another_disk(sample: Sample, tmp_path: Path) -> None:
    link = sample.stores["file"] / "10.5072/FK2/LINKED"
    assert link.is_symlink()
    assert link.resolve().is_relative_to(tmp_path / "another-disk")
    assert [path for path in link.iterdir() if path.is_file()]


def files_of(folder: Path) -> list[Path]:
    """Every file below *folder*, also below links."""
    found: list[Path] = []
    for path in folder.iterdir():
        found += files_of(path) if path.is_dir() else [path]
    return found
