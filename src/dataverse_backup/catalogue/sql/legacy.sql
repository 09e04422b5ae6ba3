-- Every datafile of Dataverse 4.0 to 4.8 that is not harvested, by id, in the columns of rows.Record.
-- One row for each, whatever is missing of it: nothing is left out but what is harvested.
-- row_to_json(x)->>'column' reads a column that only some releases have: NULL where there is none (facts 1.3).
-- Filled in: schema, the schema; harvesting, harvestingdataverseconfig (4.0 to 4.4) or an empty stand-in;
-- condition, which datafiles; of_tables and of_metadata, the same of what belongs to them. A list of all is made of
-- lists of all, once: to look up each row's by itself takes three times as long.
SELECT
  object.id,
  datafile.id IS NOT NULL AS has_datafile,
  object.owner_id,
  dataset.id IS NOT NULL AS has_dataset,
  dataset.protocol,
  dataset.authority,
  dataset.doiseparator AS separator,
  dataset.identifier,
  dataset.authority AS storage_authority,
  dataset.identifier AS storage_identifier,
  COALESCE(optional.object->>'storageidentifier', optional.datafile->>'filesystemname') AS storageidentifier,
  datafile.filesize,
  COALESCE(optional.datafile->>'checksumtype', 'MD5') AS checksumtype,
  COALESCE(optional.datafile->>'checksumvalue', optional.datafile->>'md5') AS checksumvalue,
  tabular.original IS NOT NULL AS is_tabular,
  datafile.contenttype,
  -- Python's years are 1 to 9999; PostgreSQL has more, and infinity.
  GREATEST(LEAST(object.createdate, '9999-12-30'), '0001-01-02') AS createdate,
  latest.label,
  latest.directorylabel,
  tabular.original->>'originalfilename' AS original_name,
  tabular.original->>'originalfileformat' AS original_format,
  CASE WHEN tabular.original IS NOT NULL
    THEN concat('row ', tabular.original->>'id', ', ', tabular.original->>'unf') END AS ingest,
  NULL::text AS provenance,
  NULL::text AS auxiliary
FROM {schema}.dvobject AS object
LEFT JOIN {schema}.datafile ON datafile.id = object.id
LEFT JOIN {schema}.dataset ON dataset.id = object.owner_id
LEFT JOIN {schema}.dvobject AS owner ON owner.id = dataset.id
LEFT JOIN LATERAL (
  SELECT row_to_json(object) AS object, row_to_json(datafile) AS datafile, row_to_json(dataset) AS dataset
) AS optional ON true
-- Ingested: the relation is a list of one; its first row is what Dataverse uses (facts 1.2).
LEFT JOIN (
  SELECT DISTINCT ON (datatable.datafile_id) datatable.datafile_id AS id, row_to_json(datatable) AS original
  FROM {schema}.datatable
  WHERE {of_tables}
  ORDER BY datatable.datafile_id, datatable.id
) AS tabular ON tabular.id = object.id
-- Its name in the latest version: the draft, or the one with the highest number.
LEFT JOIN (
  SELECT DISTINCT ON (metadata.datafile_id) metadata.datafile_id AS id, metadata.label,
    row_to_json(metadata)->>'directorylabel' AS directorylabel
  FROM {schema}.filemetadata AS metadata
  JOIN {schema}.datasetversion AS version ON version.id = metadata.datasetversion_id
  WHERE {of_metadata}
  ORDER BY metadata.datafile_id, (version.versionstate = 'DRAFT') DESC NULLS LAST,
    version.versionnumber DESC NULLS LAST, version.minorversionnumber DESC NULLS LAST, metadata.id DESC
) AS latest ON latest.id = object.id
WHERE (object.dtype = 'DataFile' OR datafile.id IS NOT NULL)
  AND optional.dataset->>'harvestingclient_id' IS NULL
  AND NOT EXISTS (SELECT FROM {harvesting} AS harvesting WHERE harvesting.dataverse_id = owner.owner_id)
  AND {condition}
ORDER BY object.id
