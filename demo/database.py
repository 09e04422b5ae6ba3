"""The rows that Dataverse would have written for the sample."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from demo.rows import COLLECTION_ID, DatafileRow, DatasetRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SCHEMA = Path(__file__).parents[1] / "tests" / "servers" / "schema_modern.sql"
_MADE = datetime(2019, 1, 1, 8)  # noqa: DTZ001 -- Dataverse's times have no zone (facts 1.2)
_HARVESTING_CLIENT_ID = 1

Columns = dict[str, Any]


def write(dsn: str, datasets: Iterable[DatasetRow], datafiles: Sequence[DatafileRow]) -> None:
    """Fill the database of *dsn*, in one transaction; its tables are made where there are none."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('dvobject')").fetchone() == (None,):
            connection.execute(SCHEMA.read_bytes())
        for table, rows in _tables(list(datasets), datafiles).items():
            for row in rows:
                _insert(connection, table, row)
        connection.execute("SELECT setval('dvobject_id_seq', (SELECT max(id) FROM dvobject))")


def _tables(datasets: Sequence[DatasetRow], datafiles: Sequence[DatafileRow]) -> dict[str, Iterable[Columns]]:
    """The rows of each table, parents first."""
    return {
        "dvobject": [_collection(), *map(_dataset_object, datasets), *map(_datafile_object, datafiles)],
        "dataverse": [{"id": COLLECTION_ID, "alias": "root", "name": "Root"}],
        "harvestingclient": [{"id": _HARVESTING_CLIENT_ID, "name": "elsewhere", "dataverse_id": COLLECTION_ID}],
        "dataset": map(_dataset, datasets),
        "alternativepersistentidentifier": _alternatives(datasets),
        "datafile": map(_datafile, datafiles),
        "datatable": map(_datatable, (row for row in datafiles if row.file.is_tabular)),
        "auxiliaryfile": _auxiliary_files(datafiles),
        "datasetversion": (version for row in datasets for version in _versions(row)),
        "filemetadata": (metadata for row in datafiles for metadata in _filemetadata(row)),
    }


def _insert(connection: psycopg.Connection[Any], table: str, row: Columns) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    connection.execute(statement, row)


def _made(object_id: int) -> datetime:
    return _MADE + timedelta(hours=7 * object_id)


def _object(object_id: int, dtype: str, owner_id: int | None, **columns: str | None) -> Columns:
    times = {"createdate": _made(object_id), "modificationtime": _made(object_id)}
    return {"id": object_id, "dtype": dtype, "owner_id": owner_id, **times, **columns}


def _collection() -> Columns:
    return _object(COLLECTION_ID, "Dataverse", None)


def _dataset_object(row: DatasetRow) -> Columns:
    pid, storage_pid = row.dataset.pid, row.dataset.storage_pid
    return _object(
        row.id,
        "Dataset",
        COLLECTION_ID,
        protocol=pid.protocol,
        authority=pid.authority,
        identifier=pid.identifier,
        separator=pid.separator,
        storageidentifier=f"file://{storage_pid.authority}/{storage_pid.identifier}",
    )


def _datafile_object(row: DatafileRow) -> Columns:
    return _object(row.id, "DataFile", row.dataset.id if row.dataset else None, storageidentifier=row.storageidentifier)


def _dataset(row: DatasetRow) -> Columns:
    return {"id": row.id, "harvestingclient_id": _HARVESTING_CLIENT_ID if row.dataset.is_harvested else None}


def _alternatives(datasets: Sequence[DatasetRow]) -> Iterator[Columns]:
    for row in datasets:
        if row.dataset.alternative is not None:
            yield {
                "dvobject_id": row.id,
                "protocol": row.dataset.alternative.protocol,
                "authority": row.dataset.alternative.authority,
                "identifier": row.dataset.alternative.identifier,
                "storagelocationdesignator": row.dataset.is_stored_under_alternative,
            }


def _datafile(row: DatafileRow) -> Columns:
    replaced = row.id - 1 if row.is_replacement else None
    return {
        "id": row.id,
        "checksumtype": row.file.algorithm.name,
        "checksumvalue": row.registered_checksum,
        "contenttype": row.file.content_type,
        "filesize": row.registered_size,
        "ingeststatus": "A",
        "restricted": row.id % 10 == 0,
        "previousdatafileid": replaced,
        "rootdatafileid": replaced or -1,
        "prov_entityname": row.file.provenance or None,
    }


def _datatable(row: DatafileRow) -> Columns:
    return {
        "datafile_id": row.id,
        "unf": f"UNF:6:sample{row.id}==",
        "originalfileformat": "application/x-spss-sav",
        "originalfilename": row.file.label.removesuffix(".tab") + ".sav",
        "originalfilesize": len(row.registered_bytes),
    }


def _auxiliary_files(datafiles: Sequence[DatafileRow]) -> Iterator[Columns]:
    for row in datafiles:
        if row.file.auxiliary is not None:
            tag, version = row.file.auxiliary
            content = row.objects()[f"{row.path}.{tag}_{version}"]
            yield {
                "datafile_id": row.id,
                "formattag": tag,
                "formatversion": version,
                "checksum": hashlib.sha256(content).hexdigest(),
                "filesize": len(content),
                "contenttype": "application/json",
                "ispublic": False,
            }


def _version_id(dataset_id: int, number: int) -> int:
    return dataset_id * 10 + number


def _versions(row: DatasetRow) -> Iterator[Columns]:
    """Its versions, the first one first; a draft has no number yet where it is the only one."""
    for number, state in enumerate(row.dataset.versions, 1):
        is_first_draft = state == "DRAFT" and number == 1
        yield {
            "id": _version_id(row.id, number),
            "dataset_id": row.id,
            "versionstate": state,
            "versionnumber": None if is_first_draft else number,
            "minorversionnumber": None if is_first_draft else 0,
            "createtime": _made(row.id),
            "lastupdatetime": _made(row.id),
        }


def _filemetadata(row: DatafileRow) -> Iterator[Columns]:
    """One row for each version of its dataset that it is in."""
    if row.dataset is None:
        return
    versions = range(1, len(row.dataset.dataset.versions) + 1)
    chosen = versions[:1] if row.file.is_replaced else versions[1:] if row.is_replacement else versions
    for number in chosen:
        is_latest = number == versions[-1]
        yield {
            "datafile_id": row.id,
            "datasetversion_id": _version_id(row.dataset.id, number),
            "label": row.file.label if is_latest else row.file.earlier_label or row.file.label,
            "directorylabel": row.file.directory_label,
        }
