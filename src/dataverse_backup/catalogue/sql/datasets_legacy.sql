-- The datasets of Dataverse 4.0 to 4.8 that are not harvested, by id, in the columns of rows.DatasetRecord.
-- Filled in: schema and harvesting as in legacy.sql; condition, which datasets.
SELECT
  owner.id,
  dataset.protocol,
  dataset.authority,
  dataset.doiseparator AS separator,
  dataset.identifier,
  dataset.authority AS storage_authority,
  dataset.identifier AS storage_identifier,
  row_to_json(owner)->>'storageidentifier' AS storageidentifier,
  GREATEST(LEAST(owner.createdate, '9999-12-30'), '0001-01-02') AS createdate
FROM {schema}.dataset
JOIN {schema}.dvobject AS owner ON owner.id = dataset.id
WHERE row_to_json(dataset)->>'harvestingclient_id' IS NULL
  AND NOT EXISTS (SELECT FROM {harvesting} AS harvesting WHERE harvesting.dataverse_id = owner.owner_id)
  AND {condition}
ORDER BY owner.id
