-- Every datafile of Dataverse 4.9 and later that is not harvested, by id, in the columns of rows.Record.
-- One row for each, whatever is missing of it: nothing is left out but what is harvested.
-- row_to_json(x)->>'column' reads a column that only some releases have: NULL where there is none.
-- Filled in: schema, the schema; separator, owner.separator or NULL; alternatives, alternativepersistentidentifier or an empty stand-in (before 4.9.3);
-- provenance, datafile.prov_entityname or NULL; auxiliary, auxiliaryfile or an empty stand-in (before 5.3);
-- condition, which datafiles; of_tables and of_metadata, the same of what belongs to them. A list of all is made of
-- lists of all, once: to look up each row's by itself takes three times as long.
SELECT
  object.id,
  datafile.id IS NOT NULL AS has_datafile,
  object.owner_id,
  dataset.id IS NOT NULL AS has_dataset,
  owner.protocol,
  owner.authority,
  {separator} AS separator,
  owner.identifier,
  CASE WHEN alternative.id IS NULL THEN owner.authority ELSE alternative.authority END AS storage_authority,
  CASE WHEN alternative.id IS NULL THEN owner.identifier ELSE alternative.identifier END AS storage_identifier,
  object.storageidentifier,
  datafile.filesize,
  datafile.checksumtype,
  datafile.checksumvalue,
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
  {provenance} AS provenance,
  auxiliary.files AS auxiliary
FROM {schema}.dvobject AS object
LEFT JOIN {schema}.datafile ON datafile.id = object.id
LEFT JOIN {schema}.dataset ON dataset.id = object.owner_id
LEFT JOIN {schema}.dvobject AS owner ON owner.id = dataset.id
-- The PID that names the dataset's folder where that is not its own one (facts 2.1, rule 4).
-- Once for all, and not for each row: dvobject_id has no index there.
LEFT JOIN (
  SELECT DISTINCT ON (other.dvobject_id) other.dvobject_id AS id, other.authority, other.identifier
  FROM {alternatives} AS other
  WHERE other.storagelocationdesignator
  ORDER BY other.dvobject_id, other.id DESC
) AS alternative ON alternative.id = owner.id
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
    metadata.directorylabel
  FROM {schema}.filemetadata AS metadata
  JOIN {schema}.datasetversion AS version ON version.id = metadata.datasetversion_id
  WHERE {of_metadata}
  ORDER BY metadata.datafile_id, (version.versionstate = 'DRAFT') DESC NULLS LAST,
    version.versionnumber DESC NULLS LAST, version.minorversionnumber DESC NULLS LAST, metadata.id DESC
) AS latest ON latest.id = object.id
-- Its registered auxiliary files; once for all, and not for each row: datafile_id has no index there.
LEFT JOIN (
  SELECT registered.datafile_id AS id, json_agg(json_build_array(registered.formattag, registered.formatversion,
    registered.filesize, registered.checksum, registered.contenttype) ORDER BY registered.id)::text AS files
  FROM {auxiliary} AS registered GROUP BY registered.datafile_id
) AS auxiliary ON auxiliary.id = object.id
WHERE (object.dtype = 'DataFile' OR datafile.id IS NOT NULL)
  AND dataset.harvestingclient_id IS NULL
  AND {condition}
ORDER BY object.id
