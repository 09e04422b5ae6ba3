-- A role that may read what dataverse-backup needs of a Dataverse database, and nothing else.
-- Run it in Dataverse's own database, as the owner of its tables or as a superuser:
--
--   psql -d dvndb -f read-only-role.sql
--
-- Then give the role a password:   psql -d dvndb -c '\password dataverse_backup'
-- It can be run again at any time, for instance after an upgrade of Dataverse.

DO $$
DECLARE
  wanted text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dataverse_backup') THEN
    CREATE ROLE dataverse_backup LOGIN;
  END IF;
  ALTER ROLE dataverse_backup SET default_transaction_read_only = on;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO dataverse_backup', current_database());
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO dataverse_backup', current_schema());

  -- alternativepersistentidentifier is there since Dataverse 4.9.3, auxiliaryfile since 5.3, harvestingdataverseconfig
  -- until 4.4.
  FOREACH wanted IN ARRAY ARRAY['dvobject', 'datafile', 'dataset', 'datatable', 'filemetadata', 'datasetversion',
      'alternativepersistentidentifier', 'auxiliaryfile', 'harvestingdataverseconfig'] LOOP
    IF to_regclass(format('%I.%I', current_schema(), wanted)) IS NOT NULL THEN
      EXECUTE format('GRANT SELECT ON %I.%I TO dataverse_backup', current_schema(), wanted);
    END IF;
  END LOOP;
END
$$;

-- For dumps of the database (DatabaseDump: yes) the role must be able to read everything. From PostgreSQL 14 on:
--   GRANT pg_read_all_data TO dataverse_backup;
