\set SHOW_CONTEXT never
SET client_min_messages = error;
-- Default privileges of the role that installs the extension give no role
-- anything in its schemas: least of all to create functions there, which the
-- extension's own SQL would then find.
DROP EXTENSION iamwatch CASCADE;
CREATE ROLE iamwatch_default;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO iamwatch_default, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO iamwatch_default, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO iamwatch_default, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO iamwatch_default WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO iamwatch_default;
CREATE EXTENSION iamwatch;
SELECT nspname, has_schema_privilege('iamwatch_default', oid, 'USAGE, CREATE') FROM pg_namespace WHERE nspname ~ '^iamwatch' ORDER BY 1;
SELECT c.oid::regclass FROM pg_class AS c WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
AND CASE WHEN relkind IN ('r', 'v') THEN has_table_privilege('iamwatch_default', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	WHEN relkind = 'S' THEN has_sequence_privilege('iamwatch_default', c.oid, 'USAGE, SELECT, UPDATE') END;
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
AND (has_function_privilege('iamwatch_default', p.oid, 'EXECUTE') AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0)
	OR has_function_privilege('iamwatch_default', p.oid, 'EXECUTE WITH GRANT OPTION'));
SELECT t.oid::regtype FROM pg_type AS t, aclexplode(t.typacl) AS a
WHERE t.typnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND a.grantee = 'iamwatch_default'::regrole;
SET ROLE iamwatch_default;
CREATE FUNCTION iamwatch.jsonb_build_object(text, jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT '{}'::jsonb$$;
RESET ROLE;
DROP EXTENSION iamwatch;
DROP OWNED BY iamwatch_default;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC;
DROP ROLE iamwatch_default;
SELECT count(*) FROM pg_default_acl;
CREATE EXTENSION iamwatch;
