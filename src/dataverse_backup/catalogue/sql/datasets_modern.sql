-- The datasets of Dataverse 4.9 and later that are not harvested, by id, in the columns of rows.DatasetRecord.
-- Filled in: schema, separator and alternatives as in modern.sql; condition, which datasets.
SELECT
  owner.id,
  owner.protocol,
  owner.authority,
  {separator} AS separator,
  owner.identifier,
  CASE WHEN alternative.id IS NULL THEN owner.authority ELSE alternative.authority END AS storage_authority,
  CASE WHEN alternative.id IS NULL THEN owner.identifier ELSE alternative.identifier END AS storage_identifier,
  owner.storageidentifier,
  GREATEST(LEAST(owner.createdate, '9999-12-30'), '0001-01-02') AS createdate
FROM {schema}.dataset
JOIN {schema}.dvobject AS owner ON owner.id = dataset.id
LEFT JOIN (
  SELECT DISTINCT ON (other.dvobject_id) other.dvobject_id AS id, other.authority, other.identifier
  FROM {alternatives} AS other
  WHERE other.storagelocationdesignator
  ORDER BY other.dvobject_id, other.id DESC
) AS alternative ON alternative.id = owner.id
WHERE dataset.harvestingclient_id IS NULL
  AND {condition}
ORDER BY owner.id
