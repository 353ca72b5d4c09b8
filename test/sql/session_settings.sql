\set SHOW_CONTEXT never
SET client_min_messages = error;
DROP EXTENSION iamwatch CASCADE;
-- What a session, a role or a database has set changes nothing of what the
-- extension is, finds or says.
-- A backslash in a string means what standard_conforming_strings says, so it is
-- in strings of E'' alone, and in what is quoted by dollars.
CREATE EXTENSION iamwatch;
SELECT p.oid::regprocedure, left(rest, 60) FROM pg_proc AS p CROSS JOIN LATERAL (SELECT substring(
	regexp_replace(regexp_replace(regexp_replace(prosrc, '--[^\n]*', '', 'g'), '\mE''([^''\\]|\\.|'''')*''', '', 'g'), '\$(\w*)\$.*?\$\1\$', '', 'g')
	FROM '.{0,40}\\.*') AS rest) AS r
WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND rest IS NOT NULL;

-- It is made the same whatever is set.
CREATE FUNCTION made() RETURNS TABLE (object text, definition text) LANGUAGE sql SET search_path = pg_catalog SET quote_all_identifiers = off
	SET datestyle = iso SET timezone = utc SET intervalstyle = postgres SET extra_float_digits = 1 SET bytea_output = hex AS $$
	SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND prokind <> 'a'
	UNION ALL SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class AS c WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND relkind = 'v'
	UNION ALL SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
	UNION ALL SELECT adrelid::regclass || ' ' || adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_class AS c ON c.oid = adrelid
		WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
	UNION ALL SELECT 'operations', md5(string_agg(o::text, ' ' ORDER BY o::text COLLATE "C")) FROM iamwatch.operations AS o
	UNION ALL SELECT 'detectors', string_agg(d::text, ' ') FROM iamwatch.detectors AS d
	UNION ALL SELECT obj_description(p.oid, 'pg_proc'), '' FROM pg_proc AS p WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
$$;
CREATE TABLE made_before AS SELECT * FROM made();
SELECT count(*) > 500 AS many FROM made_before;
DROP EXTENSION iamwatch;
SET standard_conforming_strings = off; SET quote_all_identifiers = on; SET DateStyle = 'German'; SET IntervalStyle = sql_standard; SET TimeZone = 'Pacific/Kiritimati';
SET bytea_output = escape; SET extra_float_digits = -15; SET transform_null_equals = on; SET array_nulls = off; SET backslash_quote = off; SET escape_string_warning = on;
SET check_function_bodies = on; SET default_transaction_isolation = serializable; SET xmloption = document; SET plan_cache_mode = force_custom_plan;
SET search_path = pg_temp; SET client_encoding = 'LATIN1'; SET default_statistics_target = 1; SET row_security = off; SET session_replication_role = replica;
SET client_min_messages = warning;
CREATE EXTENSION iamwatch;
SET standard_conforming_strings = on;
RESET ALL;
SET client_min_messages = error;
TABLE made_before EXCEPT SELECT * FROM made();
SELECT * FROM made() EXCEPT TABLE made_before;
DROP TABLE made_before;
DROP FUNCTION made;

-- Each setting that a role may change, in turn and by its extremes, when that
-- role stores: what is learned, raised and rejected is the same.  A transaction
-- with a fixed snapshot leaves alerts to others, and has tests of its own.
CREATE ROLE iamwatch_settings_writer;
CREATE TABLE log (event jsonb);
CREATE TABLE texts (event text);
SELECT iamwatch.watch('log'), iamwatch.watch('texts');
GRANT INSERT ON log, texts TO iamwatch_settings_writer;
CREATE FUNCTION e(who text, at timestamptz, operation text = 'ListUsers') RETURNS jsonb LANGUAGE sql SET timezone = utc AS $$
	SELECT jsonb_build_object('eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
		'eventName', operation, 'eventID', who || operation, 'recipientAccountId', '1', 'sourceIPAddress', '192.0.2.1', 'userAgent', E'c"\\li',
		'requestParameters', jsonb_build_object('userName', 'x'), 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
INSERT INTO log SELECT e(w, d) FROM generate_series('2026-01-01'::timestamptz, '2026-02-09', '1 day') AS d, unnest('{ann,bob}'::text[]) AS w;
CREATE TABLE stored AS SELECT event, event::text AS line FROM (VALUES (e('ann', '2026-02-10 10:00Z', 'CreateUser')), (e('cid', '2026-02-10 11:00Z', 'AttachUserPolicy')),
	('{"bad": 1}'), (e('bob', '2026-02-11 10:00Z', 'DeleteRole')), (e('ann', '2026-02-12 10:00Z', 'CreateUser'))) AS v (event);
GRANT SELECT ON stored TO iamwatch_settings_writer;
CREATE FUNCTION came_of(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	BEGIN
		PERFORM set_config(name, value, true);
		SET LOCAL ROLE iamwatch_settings_writer;
		INSERT INTO public.log SELECT s.event FROM public.stored AS s;
		INSERT INTO public.texts SELECT s.line FROM public.stored AS s;
		RESET ROLE;
		RAISE EXCEPTION 'stored' USING ERRCODE = 'P0D0N', DETAIL = public.state();
	EXCEPTION WHEN SQLSTATE 'P0D0N' THEN
		GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
		RETURN said;
	WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END;
END $$;
CREATE FUNCTION state() RETURNS text LANGUAGE sql SET search_path = pg_catalog SET datestyle = iso SET timezone = utc SET intervalstyle = postgres
	SET extra_float_digits = 1 SET standard_conforming_strings = on SET transform_null_equals = off SET client_encoding = 'UTF8' SET quote_all_identifiers = off SET row_security = on AS $$
	SELECT (SELECT count(*) FROM iamwatch.alerts) || ' alerts ' || md5(concat_ws(' ', (SELECT string_agg(ROW(a.identity, a.operation, a.event_count, a.first_event_time, a.surprise, a.risk, a.severity, a.evidence)::text, ' '
			ORDER BY a.identity, a.operation, a.first_event_time) FROM iamwatch.alerts AS a),
		(SELECT string_agg(b::text, ' ' ORDER BY b::text COLLATE "C") FROM iamwatch.baselines AS b), (SELECT string_agg(i::text, ' ' ORDER BY i::text COLLATE "C") FROM iamwatch.identities AS i),
		(SELECT string_agg(ROW(r.source, r.reason, r.event, r.digest, r.event_bytes)::text, ' ' ORDER BY r.source, r.reason) FROM iamwatch.rejected_events AS r),
		(SELECT string_agg(ROW(c.source, c.relation, c.learned, c.late, c.rejected)::text, ' ' ORDER BY c.source) FROM iamwatch_internal.source_counts AS c)))
$$;
CREATE TABLE tries AS
SELECT s.name, v.value FROM pg_settings AS s, LATERAL (
	SELECT CASE s.setting WHEN 'on' THEN 'off' ELSE 'on' END WHERE s.vartype = 'bool'
	UNION SELECT x FROM unnest(s.enumvals) AS x UNION SELECT x FROM unnest(ARRAY[s.min_val, s.max_val]) AS x WHERE s.vartype IN ('integer', 'real')
	UNION SELECT x FROM unnest(CASE s.name WHEN 'DateStyle' THEN '{"SQL, DMY",German}' WHEN 'TimeZone' THEN '{Pacific/Kiritimati,America/New_York}'
		WHEN 'search_path' THEN '{"",pg_temp}' WHEN 'default_text_search_config' THEN '{pg_catalog.german}' END::text[]) AS x) AS v (value)
WHERE s.context = 'user' AND v.value <> s.setting
-- what ends the statement or the session, asks the server for memory, or is a fixed snapshot
AND s.name NOT IN ('statement_timeout', 'transaction_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'exit_on_error', 'transaction_isolation',
	'transaction_read_only', 'transaction_deferrable', 'default_transaction_isolation', 'default_transaction_read_only', 'client_min_messages', 'seed', 'temp_buffers', 'client_encoding')
AND s.name !~ '^(debug_print|log_|trace_|tcp_|ssl|client_connection)';
SELECT count(*) > 150 AS many FROM tries;
SELECT came_of('application_name', 'x') AS usual \gset
SELECT left(:'usual', 8) AS usual;
SELECT name, value, came_of(name, value) FROM tries WHERE came_of(name, value) <> :'usual' ORDER BY 1, 2;
-- A role that has every error end its session stores documents that cannot be read all the same.
SELECT count(*) AS before FROM iamwatch.rejected_events \gset
SET exit_on_error = on;
INSERT INTO texts VALUES ('{"bad'), (E'{"escaped": "\\u0000"}'), ('{"number": 1e999999}'), ('[1, 2'), ('{"message": "{\\"inner"}');
RESET exit_on_error;
SELECT count(*) - :before AS rejected FROM iamwatch.rejected_events;
-- Nor does row_security, where an owner of the extension who is no superuser has policies on its tables.
DROP EXTENSION iamwatch CASCADE;
CREATE ROLE iamwatch_settings_maker SUPERUSER;
SET ROLE iamwatch_settings_maker;
CREATE EXTENSION iamwatch;
RESET ROLE;
ALTER ROLE iamwatch_settings_maker NOSUPERUSER;
SELECT iamwatch.watch('log');
INSERT INTO log SELECT e(w, d) FROM generate_series('2026-01-01'::timestamptz, '2026-02-09', '1 day') AS d, unnest('{ann,bob}'::text[]) AS w;
DO $$
DECLARE
	ours regclass;
BEGIN
	FOR ours IN SELECT c.oid FROM pg_class AS c WHERE relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND relkind = 'r' LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', ours);
		EXECUTE format('CREATE POLICY everything ON %s USING (true)', ours);
	END LOOP;
END $$;
SELECT came_of('row_security', 'on') AS usual \gset
SELECT left(:'usual', 8) AS usual;
SELECT came_of('row_security', 'off') = :'usual' AS same;
DROP EXTENSION iamwatch CASCADE;
DROP ROLE iamwatch_settings_maker;
CREATE EXTENSION iamwatch;
DROP TABLE log, texts, stored, tries;
DROP FUNCTION e, came_of, state;
DROP ROLE iamwatch_settings_writer;
DROP EXTENSION iamwatch;
CREATE EXTENSION iamwatch;
