\set SHOW_CONTEXT never
SET client_min_messages = error;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- The rule: nothing unqualified is looked up in a schema that others may write.
-- A function does one of these (docs/developing.md):
--   pins    SET search_path to pg_catalog, our schemas, pg_temp last;
--   parsed  has a body that was parsed when the extension was made;
--   called  is called by C code, which pins, or by functions that pin, alone;
--   spelled commits, so it cannot pin, and qualifies every name and operator.
CREATE VIEW routines AS
SELECT p.oid, p.proname, p.oid::regprocedure::text AS signature, n.nspname, p.prosrc,
	CASE WHEN l.lanname IN ('c', 'internal') THEN 'C'
	WHEN p.proconfig::text ~ 'search_path' THEN 'pins' WHEN p.prosqlbody IS NOT NULL THEN 'parsed'
	WHEN p.prokind = 'p' THEN 'spelled' ELSE 'called' END AS how, p.proconfig, p.prorettype, p.prosecdef
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_language AS l ON l.oid = p.prolang
WHERE n.nspname IN ('iamwatch', 'iamwatch_internal') AND p.prokind <> 'a';

-- All ways are in use, and these are the paths.
SELECT how, count(*) > 3 AS several FROM routines GROUP BY how ORDER BY how;
SELECT DISTINCT c FROM routines, unnest(proconfig) AS c WHERE c ~ 'search_path' ORDER BY 1;
-- Those that depend on who calls them: called ones, and parsed ones that reach one.
CREATE VIEW dependent AS
WITH RECURSIVE d AS (
	SELECT oid FROM routines WHERE how = 'called'
	UNION SELECT g.oid FROM d JOIN routines AS f ON f.oid = d.oid JOIN routines AS g ON g.how = 'parsed'
		AND pg_get_functiondef(g.oid) ~ ('\m' || f.proname || ' *\('))
SELECT r.* FROM d JOIN routines AS r ON r.oid = d.oid;
-- None is for people, a trigger, or has rights of its own.
SELECT signature FROM dependent WHERE nspname = 'iamwatch' OR prorettype = 'trigger'::regtype OR prosecdef ORDER BY 1;
-- None is reached from what does not pin: procedures, views, triggers, constraints, defaults, operators.
SELECT f.signature, g.signature AS reached_from FROM dependent AS f JOIN routines AS g ON g.how = 'spelled'
	AND g.prosrc ~ ('\m' || f.proname || ' *\(') ORDER BY 1;
SELECT f.signature, c.oid::regclass AS reached_from FROM dependent AS f JOIN pg_class AS c ON c.relkind IN ('v', 'm')
	AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
	AND pg_get_viewdef(c.oid) ~ ('\m' || f.proname || ' *\(') ORDER BY 1;
SELECT f.signature FROM dependent AS f JOIN pg_depend AS d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid AND d.deptype <> 'i'
WHERE d.classid IN ('pg_trigger'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass, 'pg_operator'::regclass);
-- Spelled ones: no function, operator, type or relation without its schema.
CREATE VIEW spelled AS SELECT signature, regexp_replace(regexp_replace(prosrc, '--[^\n]*', '', 'g'), '''[^'']*''', '''''', 'g') AS source
FROM routines WHERE how = 'spelled';
SELECT signature, m[1] AS function FROM spelled, regexp_matches(source, '(?<![.a-z_])([a-z_]+) *\(', 'gi') AS m
WHERE upper(m[1]) NOT IN ('COALESCE', 'GREATEST', 'LEAST', 'NULLIF', 'VALUES', 'IN', 'EXISTS', 'OPERATOR', 'ARRAY', 'ROW', 'SET', 'FROM',
	'EXCLUDED', 'DISTINCT', 'SELECT', 'AND', 'OR', 'NOT', 'WHERE', 'AS', 'ANY', 'BACKFILLS', 'SOURCES', 'B', 'S')
AND m[1] !~ '^(pg_catalog|iamwatch)' ORDER BY 1, 2;
SELECT signature, m[1] AS operator FROM spelled, regexp_matches(regexp_replace(source, 'OPERATOR\([^)]*\)|(ERRCODE|HINT) =|:=|=>|::|\.\.', ' ', 'g'), '([-+*/<>=~!@#%^&|?]+)', 'g') AS m
WHERE NOT (m[1] = '*' AND source ~ 'SELECT \*') AND NOT (m[1] = '=' AND source ~ 'SET ') ORDER BY 1, 2;
SELECT signature, m[1] AS type FROM spelled, regexp_matches(source, '::([a-z_.]+)', 'g') AS m
WHERE m[1] !~ '^(pg_catalog|iamwatch|iamwatch_internal)\.' AND m[1] NOT IN ('integer', 'bigint', 'interval', 'boolean') ORDER BY 1, 2;
SELECT signature, m[1] AS declared FROM spelled, regexp_matches(substring(source FROM 'DECLARE(.*?)BEGIN'), '^\t[a-z_]+ ([a-z_.]+)', 'gn') AS m
WHERE m[1] !~ '^(pg_catalog|iamwatch|iamwatch_internal)\.' AND m[1] NOT IN ('integer', 'bigint', 'record', 'boolean', 'interval') ORDER BY 1, 2;
SELECT signature, m[1] AS relation FROM spelled, regexp_matches(source, '\m(?:FROM|JOIN|INTO|UPDATE) +([a-z_.]+)', 'g') AS m
WHERE m[1] !~ '^(pg_catalog|iamwatch|iamwatch_internal|pg_temp)\.' AND m[1] NOT IN ('alerts_before', 'leaf', 'one', 'part') ORDER BY 1, 2;
DROP VIEW spelled, dependent, routines;

-- A schema of ours that somebody has made before is an error, whatever is in it.
DROP EXTENSION iamwatch CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'iamwatch';
CREATE ROLE iamwatch_paths_mallory;
SELECT current_database() AS db \gset
GRANT CREATE ON DATABASE :"db" TO iamwatch_paths_mallory;
SET ROLE iamwatch_paths_mallory;
CREATE SCHEMA iamwatch;
CREATE FUNCTION iamwatch.jsonb_build_object(text, jsonb, text, jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trap'; END$$;
RESET ROLE;
CREATE EXTENSION iamwatch;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'iamwatch';
DROP SCHEMA iamwatch CASCADE;
SET ROLE iamwatch_paths_mallory;
CREATE SCHEMA iamwatch_internal;
RESET ROLE;
CREATE EXTENSION iamwatch;
CREATE EXTENSION iamwatch SCHEMA iamwatch_internal;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'iamwatch';
DROP SCHEMA iamwatch_internal;
REVOKE CREATE ON DATABASE :"db" FROM iamwatch_paths_mallory;
-- nor can anybody add to them later
CREATE EXTENSION iamwatch;
SET ROLE iamwatch_paths_mallory;
CREATE FUNCTION iamwatch.x() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION iamwatch_internal.x() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
-- DROP EXTENSION leaves neither, so that another role can make it again
DROP EXTENSION iamwatch;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'iamwatch';
CREATE ROLE iamwatch_paths_other SUPERUSER;
SET ROLE iamwatch_paths_other;
CREATE EXTENSION iamwatch;
CREATE TABLE public.log (event jsonb);
SELECT iamwatch.watch('public.log');
RESET ROLE;
ALTER ROLE iamwatch_paths_other NOSUPERUSER;
CREATE FUNCTION e(at timestamptz, operation text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
		'eventName', operation, 'eventID', at || operation, 'recipientAccountId', '1', 'userIdentity', '{"type": "IAMUser", "arn": "ann"}'::jsonb) $$;
INSERT INTO public.log SELECT e(d, 'ListUsers') FROM generate_series('2026-01-01'::timestamptz, '2026-01-20', '1 day') AS d;
INSERT INTO public.log VALUES (e('2026-01-20', 'CreateUser'));
SELECT operation FROM iamwatch.alerts;
SET ROLE iamwatch_paths_other;
SELECT iamwatch.explain(1) ~ 'CreateUser' AS explained;
RESET ROLE;
DROP EXTENSION iamwatch CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'iamwatch';
DROP OWNED BY iamwatch_paths_other;
DROP FUNCTION e;
DROP ROLE iamwatch_paths_other, iamwatch_paths_mallory;
CREATE EXTENSION iamwatch;
