-- A stand-in for the database of Dataverse 6.6 and later: the tables that a backup reads, their types as in the real
-- schema, its indexes, and a few columns and tables beside them. Runs in psql and in a driver alike.
CREATE TABLE dvobject (id serial PRIMARY KEY, dtype varchar(31), authority varchar(255), identifier varchar(255),
  protocol varchar(255), separator varchar(255), createdate timestamp NOT NULL, modificationtime timestamp NOT NULL,
  publicationdate timestamp, storageidentifier varchar(255), owner_id bigint REFERENCES dvobject(id));
CREATE INDEX ON dvobject (dtype);
CREATE INDEX ON dvobject (owner_id);
CREATE UNIQUE INDEX ON dvobject (owner_id, storageidentifier) WHERE dtype = 'DataFile';
CREATE TABLE harvestingclient (id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, dataverse_id bigint);
CREATE TABLE datasettype (id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, displayname varchar(255));
CREATE TABLE termsofuseandaccess (id serial PRIMARY KEY);
CREATE TABLE dataset (id bigint PRIMARY KEY REFERENCES dvobject(id), datasettype_id bigint REFERENCES datasettype(id),
  harvestingclient_id bigint REFERENCES harvestingclient(id), storagedriver varchar(255));
CREATE TABLE dataverse (id bigint PRIMARY KEY REFERENCES dvobject(id), alias varchar(255) NOT NULL UNIQUE,
  name varchar(255) NOT NULL, dataversetype varchar(255), storagedriver text);
CREATE TABLE datafile (id bigint PRIMARY KEY REFERENCES dvobject(id), checksumtype varchar(255) NOT NULL,
  checksumvalue varchar(255) NOT NULL, contenttype varchar(255) NOT NULL, filesize bigint, ingeststatus char(1),
  previousdatafileid bigint, restricted boolean, rootdatafileid bigint NOT NULL DEFAULT -1, embargo_id bigint,
  retention_id bigint, prov_entityname text);
CREATE TABLE datatable (id serial PRIMARY KEY, datafile_id bigint NOT NULL REFERENCES dvobject(id),
  unf varchar(255) NOT NULL, originalfileformat varchar(255), originalfilename varchar(255), originalfilesize bigint,
  storedwithvariableheader boolean NOT NULL DEFAULT false);
CREATE INDEX ON datatable (datafile_id);
CREATE TABLE alternativepersistentidentifier (id serial PRIMARY KEY,
  dvobject_id bigint NOT NULL REFERENCES dvobject(id), protocol varchar(255), authority varchar(255),
  identifier varchar(255), storagelocationdesignator boolean);
CREATE TABLE datasetversion (id serial PRIMARY KEY, dataset_id bigint REFERENCES dvobject(id),
  versionstate varchar(255), versionnumber bigint, minorversionnumber bigint, createtime timestamp NOT NULL,
  lastupdatetime timestamp NOT NULL, termsofuseandaccess_id bigint);
CREATE INDEX ON datasetversion (dataset_id);
CREATE TABLE filemetadata (id serial PRIMARY KEY, datafile_id bigint NOT NULL REFERENCES dvobject(id),
  datasetversion_id bigint NOT NULL REFERENCES datasetversion(id), label varchar(255) NOT NULL,
  directorylabel varchar(255), restricted boolean);
CREATE INDEX ON filemetadata (datafile_id);
CREATE INDEX ON filemetadata (datasetversion_id);
CREATE TABLE auxiliaryfile (id serial PRIMARY KEY, datafile_id bigint NOT NULL REFERENCES dvobject(id),
  formattag varchar(255), formatversion varchar(255), checksum varchar(255), filesize bigint, contenttype varchar(255),
  origin varchar(255), ispublic boolean, type varchar(255));
CREATE TABLE datasetlock (id serial PRIMARY KEY, dataset_id bigint NOT NULL REFERENCES dvobject(id),
  reason varchar(255), starttime timestamp, info varchar(255));
CREATE TABLE setting (id serial PRIMARY KEY, name text, content text);
