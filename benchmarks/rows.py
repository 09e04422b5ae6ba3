"""The rows of a Dataverse of any size, written by the server itself from one table of what is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from demo.database import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

DATASET_AUTHORITY = "10.5072"

FIRST_DATAFILE_ID = 1_000_000
"""Above the ids of all datasets."""

_WANTED = "CREATE TEMPORARY TABLE wanted (n int, dataset int, name text, md5 text, size bigint)"

_ROWS = f"""
INSERT INTO dvobject (id, dtype, protocol, authority, identifier, separator, createdate, modificationtime)
  SELECT DISTINCT dataset, 'Dataset', 'doi', '{DATASET_AUTHORITY}', 'FK2/' || dataset, '/', now(), now() FROM wanted;
INSERT INTO dataset (id) SELECT DISTINCT dataset FROM wanted;
INSERT INTO datasetversion (id, dataset_id, versionstate, versionnumber, minorversionnumber, createtime, lastupdatetime)
  SELECT DISTINCT dataset, dataset, 'RELEASED', 1, 0, now(), now() FROM wanted;
INSERT INTO dvobject (id, dtype, storageidentifier, owner_id, createdate, modificationtime)
  SELECT {FIRST_DATAFILE_ID} + n, 'DataFile', 'file://' || name, dataset, now(), now() FROM wanted;
INSERT INTO datafile (id, checksumtype, checksumvalue, contenttype, filesize)
  SELECT {FIRST_DATAFILE_ID} + n, 'MD5', md5, 'application/octet-stream', size FROM wanted;
INSERT INTO filemetadata (datafile_id, datasetversion_id, label)
  SELECT {FIRST_DATAFILE_ID} + n, dataset, 'file ' || n FROM wanted;
ANALYZE;
"""

_GENERATED = """
INSERT INTO wanted
  SELECT n, n % {datasets} + 1, md5(n::text), md5(n::text), 1000 FROM generate_series(1, {files}) n
"""

Wanted = tuple[int, int, str, str, int]
"""Number, dataset, object name, MD5 and size of one datafile."""


def folder_of(dataset: int) -> str:
    """Where the datafiles of *dataset* lie in a store."""
    return f"{DATASET_AUTHORITY}/FK2/{dataset}"


def write(dsn: str, wanted: Iterable[Wanted]) -> None:
    """Fill the empty database of *dsn* with these datafiles."""
    with psycopg.connect(dsn) as connection:
        _prepare(connection)
        with connection.cursor().copy("COPY wanted FROM STDIN") as copy:
            for row in wanted:
                copy.write_row(row)
        connection.execute(_ROWS)


def generate(dsn: str, files: int, datasets: int) -> None:
    """Fill the empty database of *dsn* with datafiles that exist nowhere else."""
    with psycopg.connect(dsn) as connection:
        _prepare(connection)
        connection.execute(_GENERATED.format(files=files, datasets=datasets).encode())
        connection.execute(_ROWS)


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.execute(SCHEMA.read_bytes())
    connection.execute(_WANTED)
