-- The tables of the schema that holds dvobject: schema, whether we may use it, table, whether we may select, columns.
-- The one on the search path comes first, then public: a copy of the tables may lie in another schema.
-- pg_attribute and not information_schema, which hides whatever we have no grant for (facts 1.3).
WITH home AS (
  SELECT namespace.oid, namespace.nspname
  FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  WHERE class.relname = 'dvobject' AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
  ORDER BY pg_catalog.pg_table_is_visible(class.oid) DESC, namespace.nspname = 'public' DESC, namespace.oid
  LIMIT 1
)
SELECT home.nspname::text, pg_catalog.has_schema_privilege(home.oid, 'USAGE'),
  class.relname::text, pg_catalog.has_table_privilege(class.oid, 'SELECT'), array_agg(attribute.attname::text)
FROM home
JOIN pg_catalog.pg_class AS class ON class.relnamespace = home.oid AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid
WHERE class.relname = ANY(%s) AND attribute.attnum > 0 AND NOT attribute.attisdropped
GROUP BY home.nspname, home.oid, class.relname, class.oid
