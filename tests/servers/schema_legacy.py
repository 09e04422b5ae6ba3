"""Stand-ins for the databases of Dataverse 4.0 to 4.8: the tables that a backup reads, form by form (facts 1.3)."""

from __future__ import annotations

from typing import Literal

LegacyForm = Literal["A1", "A2", "B", "C"]

_COMMON = """
CREATE TABLE dvobject (id serial PRIMARY KEY, dtype varchar(31), createdate timestamp NOT NULL,
  modificationtime timestamp NOT NULL, publicationdate timestamp, owner_id bigint REFERENCES dvobject(id));
CREATE TABLE dataset (id bigint PRIMARY KEY REFERENCES dvobject(id), protocol varchar(255), authority varchar(255),
  doiseparator varchar(255), identifier varchar(255) NOT NULL);
CREATE TABLE datafile (id bigint PRIMARY KEY REFERENCES dvobject(id), name varchar(255),
  contenttype varchar(255) NOT NULL, filesize bigint, ingeststatus char(1), restricted boolean);
CREATE TABLE datatable (id serial PRIMARY KEY, datafile_id bigint NOT NULL, unf varchar(255) NOT NULL,
  originalfileformat varchar(255));
CREATE INDEX ON datatable (datafile_id);
CREATE TABLE datasetversion (id serial PRIMARY KEY, dataset_id bigint, versionstate varchar(255), versionnumber bigint,
  minorversionnumber bigint);
CREATE TABLE filemetadata (id serial PRIMARY KEY, datafile_id bigint NOT NULL, datasetversion_id bigint NOT NULL,
  label varchar(255) NOT NULL, restricted boolean);
CREATE INDEX ON filemetadata (datafile_id);
"""

_UP_TO_4_7 = "ALTER TABLE datafile ADD filesystemname varchar(255) NOT NULL;"
_UP_TO_4_5 = "ALTER TABLE datafile ADD md5 varchar(255) NOT NULL;"
_UP_TO_4_4 = "CREATE TABLE harvestingdataverseconfig (id bigint PRIMARY KEY, dataverse_id bigint);"
_FROM_4_5 = "ALTER TABLE dataset ADD harvestingclient_id bigint, ADD harvestidentifier varchar(255);"
_FROM_4_6 = """
ALTER TABLE datafile ADD checksumtype varchar(255) NOT NULL, ADD checksumvalue varchar(255) NOT NULL,
  ADD rootdatafileid bigint NOT NULL DEFAULT -1, ADD previousdatafileid bigint;
ALTER TABLE filemetadata ADD directorylabel varchar(255);
"""
_FROM_4_8 = "ALTER TABLE dvobject ADD storageidentifier varchar(255);"

_PARTS: dict[LegacyForm, tuple[str, ...]] = {
    "A1": (_UP_TO_4_7, _UP_TO_4_5, _UP_TO_4_4),
    "A2": (_UP_TO_4_7, _UP_TO_4_5, _FROM_4_5),
    "B": (_UP_TO_4_7, _FROM_4_5, _FROM_4_6),
    "C": (_FROM_4_5, _FROM_4_6, _FROM_4_8),
}


def legacy_schema(form: LegacyForm) -> str:
    """The statements that make an empty database of *form*: A1 (4.0-4.4), A2 (4.5), B (4.6-4.7.1) or C (4.8)."""
    return _COMMON + "".join(_PARTS[form])
