"""Databases of Dataverse in every form of its schema, and a way to put rows into all of them alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg import sql

from dataverse_backup.catalogue.dataverse import DatabaseAddress, DataverseCatalogue
from tests.servers.schema_legacy import legacy_schema

if TYPE_CHECKING:
    from datetime import tzinfo

    import psycopg

    from tests.servers.postgresql import PostgresServer

MADE = datetime(2019, 7, 1, 12)  # noqa: DTZ001 -- Dataverse's times have no zone
MD5 = "0123456789abcdef" * 2
CLIENT = 1
"""The harvesting client of every harvested dataset."""

_MODERN = (Path(__file__).parents[1] / "servers" / "schema_modern.sql").read_text("utf-8")
_BEFORE_6_6 = "ALTER TABLE dvobject DROP separator; ALTER TABLE dataset DROP datasettype_id, DROP storagedriver;"
_BEFORE_4_9_3 = "DROP TABLE alternativepersistentidentifier, auxiliaryfile;"
_EXTRA = "ALTER TABLE dvobject ADD storage_authority text; ALTER TABLE filemetadata ADD id2 text; CREATE SCHEMA other;"

SCHEMAS = {
    "modern": _MODERN,
    "later": _MODERN + _EXTRA,
    "before 6.6": _MODERN + _BEFORE_6_6,
    "4.9": _MODERN + _BEFORE_6_6 + _BEFORE_4_9_3,
    "C": legacy_schema("C"),
    "B": legacy_schema("B"),
    "A2": legacy_schema("A2"),
    "A1": legacy_schema("A1"),
}
WITH_ALTERNATIVES = ("modern", "later", "before 6.6")
MODERN = (*WITH_ALTERNATIVES, "4.9")


@dataclass
class Installation:
    """One Dataverse database; its methods return the id of what they add."""

    server: PostgresServer
    database: str
    form: str
    connection: psycopg.Connection[Any]
    ids: count[int] = field(default_factory=lambda: count(10))

    @property
    def address(self) -> DatabaseAddress:
        server = self.server
        return DatabaseAddress(server.host, server.port, self.database, server.superuser, server.password)

    def catalogue(self, zone: tzinfo = ZoneInfo("UTC"), default_store: str = "file") -> DataverseCatalogue:  # noqa: B008 -- a constant
        return DataverseCatalogue(self.address, zone, default_store)

    def collection(self) -> int:
        return self._object("Dataverse", None)

    def dataset(self, *, is_harvested: bool = False, **columns: str | None) -> int:
        collection, number = self.collection(), next(self.ids)
        pid = {"protocol": "doi", "authority": "10.5072", "identifier": f"FK2/{number}", "separator": "/"} | columns
        self._object("Dataset", collection, number, **pid)
        client = CLIENT if is_harvested else None
        self.insert("dataset", id=number, harvestingclient_id=client, doiseparator="/", **pid)
        if is_harvested:
            self.insert("harvestingdataverseconfig", id=number, dataverse_id=collection)
        return number

    def datafile(self, dataset: int | None, storageidentifier: str | None = "file://18b-1", **columns: Any) -> int:
        if storageidentifier and storageidentifier.endswith("18b-1"):
            storageidentifier += f"-{next(self.ids)}"
        number = self._object("DataFile", dataset, storageidentifier=storageidentifier, **columns)
        registered = {"checksumtype": "MD5", "checksumvalue": MD5, "contenttype": "text/plain", "filesize": 5} | columns
        old = {"md5": registered["checksumvalue"], "filesystemname": storageidentifier}
        self.insert("datafile", id=number, **old, **registered)
        return number

    def version(self, dataset: int, state: str, major: int | None, minor: int | None = 0) -> int:
        numbers = {"versionnumber": major, "minorversionnumber": minor}
        times = {"createtime": MADE, "lastupdatetime": MADE}
        number = next(self.ids)
        self.insert("datasetversion", id=number, dataset_id=dataset, versionstate=state, **numbers, **times)
        return number

    def named(self, datafile: int, version: int, label: str, directory: str | None = None) -> None:
        names = {"label": label, "directorylabel": directory}
        self.insert("filemetadata", datafile_id=datafile, datasetversion_id=version, **names)

    def alternative(self, dataset: int, authority: str | None, identifier: str | None, *, designated: bool) -> None:
        pid = {"protocol": "hdl", "authority": authority, "identifier": identifier}
        table = "alternativepersistentidentifier"
        self.insert(table, dvobject_id=dataset, storagelocationdesignator=designated, **pid)

    def execute(self, statement: str, values: list[Any] | None = None) -> None:
        self.connection.execute(statement.encode(), values)

    def insert(self, table: str, **columns: Any) -> None:
        """Insert what *table* has columns for in this form; nothing where there is no such table."""
        query = "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0"
        there = {row[0] for row in self.connection.execute(query, [table])}
        values = {name: value for name, value in columns.items() if name in there}
        if values:
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Placeholder, values)),
            )
            self.connection.execute(statement, values)

    def _object(self, dtype: str, owner: int | None, number: int | None = None, **columns: Any) -> int:
        number = number or next(self.ids)
        times = {"createdate": MADE, "modificationtime": MADE}
        self.insert("dvobject", **({"id": number, "dtype": dtype, "owner_id": owner} | times | columns))
        return number

    def empty(self) -> None:
        """Take all rows away; there is one harvesting client then."""
        self.execute("SET client_encoding TO UTF8")  # in a database without encoding too
        self.execute("TRUNCATE dvobject, datasetversion, filemetadata, datatable RESTART IDENTITY CASCADE")
        self.execute("DO $$ BEGIN DELETE FROM harvestingdataverseconfig; EXCEPTION WHEN undefined_table THEN END $$")
        self.execute("DO $$ BEGIN DELETE FROM harvestingclient; EXCEPTION WHEN undefined_table THEN END $$")
        self.insert("harvestingclient", id=CLIENT, name="elsewhere")
