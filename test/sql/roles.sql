\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- What each kind of role can do, over all objects that there are.
-- Tables without rows in this file's answers are the rule: nothing is listed.
CREATE ROLE iamwatch_roles_writer;
CREATE ROLE iamwatch_roles_reader;
CREATE ROLE iamwatch_roles_triager;
CREATE ROLE iamwatch_roles_admin;
CREATE TABLE log (event jsonb);
CREATE TABLE unwatched (event jsonb);
SELECT iamwatch.watch('log');
GRANT INSERT ON log TO iamwatch_roles_writer, iamwatch_roles_reader, iamwatch_roles_triager, iamwatch_roles_admin;
SELECT iamwatch.grant_access('iamwatch_roles_reader', 'read'), iamwatch.grant_access('iamwatch_roles_triager', 'triage'),
	iamwatch.grant_access('iamwatch_roles_admin', 'administer');

CREATE FUNCTION e(who text, at timestamptz, operation text = 'ListUsers', more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
		'eventName', operation, 'eventID', who || at || operation, 'recipientAccountId', '1',
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) || more $$;
-- 'done', or how it failed; what it did is undone
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE EXCEPTION 'done' USING ERRCODE = 'P0D0N';
EXCEPTION WHEN SQLSTATE 'P0D0N' THEN
	RETURN 'done';
WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE VIEW iamwatch_relations AS SELECT c.oid, c.relname, c.relkind FROM pg_class AS c
	WHERE c.relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f');
CREATE VIEW iamwatch_routines AS SELECT p.oid, p.proname, p.provolatile, p.prokind, p.prorettype, p.oid::regprocedure::text AS signature
	FROM pg_proc AS p WHERE p.pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]);
GRANT SELECT ON iamwatch_relations, iamwatch_routines TO PUBLIC;
CREATE FUNCTION may(role name, relation oid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(p, ' ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
	WHERE has_table_privilege(role, relation, p)
	OR p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege(role, relation, p) $$;

-- The writer: no privilege on any object, but for the WHEN of the trigger.
SELECT relname, may('iamwatch_roles_writer', oid) FROM iamwatch_relations
WHERE relkind <> 'S' AND may('iamwatch_roles_writer', oid) IS NOT NULL;
SELECT relname FROM iamwatch_relations WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege('iamwatch_roles_writer', oid, 'USAGE, SELECT, UPDATE') END;
SELECT signature FROM iamwatch_routines WHERE has_function_privilege('iamwatch_roles_writer', oid, 'EXECUTE') ORDER BY signature COLLATE "C";
SELECT has_schema_privilege('iamwatch_roles_writer', 'iamwatch', 'USAGE, CREATE') OR has_schema_privilege('iamwatch_roles_writer', 'iamwatch_internal', 'USAGE, CREATE') AS any;

-- And in practice: nothing can be read, changed, called or switched off.
CREATE TABLE attempts (statement text);
INSERT INTO attempts
SELECT format(s, oid::regclass) FROM iamwatch_relations, unnest(ARRAY['TABLE %s', 'DELETE FROM %s', 'TRUNCATE %s', 'LOCK TABLE %s',
	'DROP TABLE %s', 'ALTER TABLE %s DISABLE TRIGGER ALL', 'CREATE TABLE x (LIKE %s)',
	'CREATE TRIGGER x AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE RULE x AS ON INSERT TO %s DO INSTEAD NOTHING', 'COMMENT ON TABLE %s IS NULL', 'CREATE POLICY x ON %s USING (false)']) AS s
WHERE relkind = 'r'
UNION ALL
SELECT format('%s %s.%I(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, pronamespace::regnamespace, proname,
	(SELECT string_agg('NULL::' || format_type(t, NULL), ', ') FROM unnest(proargtypes) AS t))
FROM pg_proc WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND prokind <> 'a' AND NOT 'internal'::regtype = ANY (proargtypes)
UNION ALL
SELECT s FROM unnest(ARRAY['ALTER TABLE log DISABLE TRIGGER iamwatch_observe', 'ALTER TABLE log DISABLE TRIGGER ALL',
	'DROP TRIGGER iamwatch_observe ON log', 'ALTER TRIGGER iamwatch_observe ON log RENAME TO x', 'SET session_replication_role = replica',
	'DROP EXTENSION iamwatch', 'DROP SCHEMA iamwatch CASCADE', 'ALTER EXTENSION iamwatch UPDATE', 'CREATE FUNCTION iamwatch.x() RETURNS int LANGUAGE sql AS $x$SELECT 1$x$',
	'CREATE OPERATOR # (RIGHTARG = jsonb, FUNCTION = iamwatch_internal.may_be_new)',
	'CREATE TEMP TABLE x (a text, CHECK (iamwatch_internal.may_be_new(a::jsonb)))', 'SELECT $x${2026-01-01}$x$::iamwatch.dayset',
	'CREATE TRIGGER x BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()']) AS s;
GRANT SELECT ON attempts TO PUBLIC;
GRANT CREATE ON SCHEMA public TO iamwatch_roles_writer;
SELECT current_database() AS db \gset
GRANT TEMPORARY ON DATABASE :"db" TO iamwatch_roles_writer;
SET ROLE iamwatch_roles_writer;
INSERT INTO log SELECT e('ann', d) FROM generate_series('2026-01-01'::timestamptz, '2026-01-20', '1 day') AS d;
INSERT INTO log VALUES (e('ann', '2026-01-20', 'CreateUser')), ('{}');
SELECT count(*) > 200 AS many, attempt(statement) AS failed_with FROM attempts GROUP BY 2 ORDER BY 2;
-- Nothing that is set has our name, so no setting is taken and then ignored.
SELECT attempt('SET iamwatch.anything = 64') AS failed_with;
RESET ROLE;
SELECT identity, operation FROM iamwatch.alerts;
SELECT count(*) FROM iamwatch.rejected_events;

-- The reader: reads, but not what was rejected; writes nothing, calls nothing that does.
SELECT relname, may('iamwatch_roles_reader', oid) FROM iamwatch_relations
WHERE relkind <> 'S' AND may('iamwatch_roles_reader', oid) NOT IN ('SELECT');
SELECT bool_or(may('iamwatch_roles_reader', oid) IS NOT NULL) FROM iamwatch_relations WHERE relname IN ('rejected_events', 'pending_events', 'journal');
SELECT relname FROM iamwatch_relations WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege('iamwatch_roles_reader', oid, 'USAGE, SELECT, UPDATE') END;
SELECT signature FROM iamwatch_routines WHERE has_function_privilege('iamwatch_roles_reader', oid, 'EXECUTE')
	AND provolatile = 'v' AND proname NOT IN ('session_lock_held', 'cache_status', 'explain', 'explain_json', 'why', 'why_json', 'why_stored',
	'has_suppressions', 'suppressions_of', 'raw_events', 'raw_events_of', 'read_by_id', 'read_some', 'baseline_key', 'event_details', 'ask_nodes', 'triage_elsewhere');
SELECT has_schema_privilege('iamwatch_roles_reader', 'iamwatch', 'CREATE') OR has_schema_privilege('iamwatch_roles_reader', 'iamwatch_internal', 'CREATE') AS creates;
SET ROLE iamwatch_roles_reader;
SELECT identity, operation FROM iamwatch.alerts;
SELECT identity, kind, days FROM iamwatch.identities;
SELECT identity, operation, days FROM iamwatch.baselines;
SELECT count(*) FROM iamwatch.backfill_progress;
SELECT (iamwatch.parse(e('x', '2026-01-01'))).identity, iamwatch.probability(0, 10, 0, 0);
SELECT attempt('UPDATE iamwatch.alerts SET status = $x$closed$x$'), attempt('UPDATE iamwatch.detectors SET enabled = false'),
	attempt('TABLE iamwatch.rejected_events'), attempt('SELECT iamwatch.unwatch($x$log$x$)'), attempt('CALL iamwatch.maintain()');
-- of an alert that is not there the reader is told so, not that something is forbidden
SELECT attempt('SELECT iamwatch.explain(-1)'), attempt('SELECT iamwatch.explain_json(-1)'), attempt('SELECT iamwatch.raw_events(-1)');
SELECT count(*) > 0 AS reads, count(problem) AS problems FROM iamwatch.source_status;
-- it may read no source for that, lock nothing, and hold up nobody
SELECT problem FROM iamwatch.raw_events((SELECT max(alert_id) FROM iamwatch.alerts));
SELECT attempt('LOCK TABLE iamwatch.alerts IN ROW SHARE MODE'), attempt('LOCK TABLE iamwatch.alerts IN ACCESS EXCLUSIVE MODE'),
	attempt('SELECT FROM iamwatch.alerts FOR KEY SHARE'), attempt('SELECT iamwatch_internal.try_lock(1, 1)'),
	attempt('SELECT iamwatch_internal.try_session_lock(3, 1)'), attempt('SELECT iamwatch_internal.read_days($x$log$x$, $x$event$x$, NULL, NULL)'),
	attempt('SELECT iamwatch_internal.read_by_id($x$log$x$, $x$event$x$, $x$aws$x$, $x${a}$x$)'),
	attempt('SELECT iamwatch_internal.read_by_id($x$pg_authid$x$, $x$rolname$x$, $x$aws$x$, $x${a}$x$)'),
	attempt('TABLE iamwatch_internal.journal'), attempt('SELECT iamwatch.backtest($x$log$x$)');
RESET ROLE;

-- The triager: as the reader, and triages and suppresses alerts.
SELECT relname, may('iamwatch_roles_triager', oid) FROM iamwatch_relations
WHERE relkind <> 'S' AND may('iamwatch_roles_triager', oid) NOT IN ('SELECT');
SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = 'iamwatch.alerts'::regclass AND a.attnum > 0
	AND has_column_privilege('iamwatch_roles_triager', a.attrelid, a.attnum, 'UPDATE');
SELECT signature FROM iamwatch_routines WHERE has_function_privilege('iamwatch_roles_triager', oid, 'EXECUTE')
	AND provolatile = 'v' AND proname NOT IN ('session_lock_held', 'cache_status', 'explain', 'explain_json', 'why', 'why_json', 'why_stored',
	'has_suppressions', 'suppressions_of', 'raw_events', 'raw_events_of', 'read_by_id', 'read_some', 'baseline_key', 'event_details', 'ask_nodes', 'triage_elsewhere');
SET ROLE iamwatch_roles_triager;
SELECT attempt('UPDATE iamwatch.alerts SET status = $x$investigating$x$'), attempt('UPDATE iamwatch.alerts SET status = $x$gone$x$'),
	attempt('UPDATE iamwatch.alerts SET severity = $x$low$x$'), attempt('DELETE FROM iamwatch.alerts'),
	attempt('UPDATE iamwatch.detectors SET enabled = false'), attempt('TABLE iamwatch.rejected_events');
RESET ROLE;

-- The administrator: everything that is data, nothing that would make the
-- owner run something else, and only tables that are the administrator's to watch.
SELECT relname, may('iamwatch_roles_admin', oid) FROM iamwatch_relations
WHERE relkind <> 'S' AND may('iamwatch_roles_admin', oid) IS DISTINCT FROM 'SELECT INSERT UPDATE DELETE';
SELECT signature FROM iamwatch_routines WHERE NOT has_function_privilege('iamwatch_roles_admin', oid, 'EXECUTE');
SELECT has_schema_privilege('iamwatch_roles_admin', 'iamwatch', 'CREATE') OR has_schema_privilege('iamwatch_roles_admin', 'iamwatch_internal', 'CREATE') AS creates;
CREATE TABLE own (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
ALTER TABLE own OWNER TO iamwatch_roles_admin;
SET ROLE iamwatch_roles_admin;
SELECT statement FROM attempts WHERE statement ~ '^(TRUNCATE|DROP|ALTER|CREATE (TRIGGER|RULE|POLICY|FUNCTION)|COMMENT|SET)' AND attempt(statement) = 'done';
SELECT attempt('SELECT iamwatch.watch($x$unwatched$x$)'), attempt('SELECT iamwatch.unwatch($x$log$x$)');
SELECT iamwatch.watch('own');
INSERT INTO own (event) VALUES (e('watched by an administrator', '2026-01-20'));
SELECT iamwatch.unwatch('own');
INSERT INTO own (event) VALUES (e('processed by an administrator', '2026-01-20'));
CALL iamwatch.process('own', order_column => 'id');
INSERT INTO own (event) VALUES (e('backfilled by an administrator', '2026-01-20'));
CALL iamwatch.backfill('own');
CALL iamwatch.maintain();
SELECT identity FROM iamwatch.identities ORDER BY 1;
UPDATE iamwatch.detectors SET probability_limit = 0.02;
SELECT count(*) FROM iamwatch.rejected_events;
DROP TABLE own;
CALL iamwatch.maintain();
SELECT count(*) FROM iamwatch.sources;
RESET ROLE;

-- Objects that come before ours and before the system's, in a schema of the
-- caller's and among its temporary ones: none is ever used.
CREATE TABLE trapped AS SELECT e('trapped', '2026-01-21', 'AttachUserPolicy') AS trapped UNION ALL SELECT e('trapped', '2026-01-20') UNION ALL SELECT '{"trapped": 1}';
GRANT SELECT ON trapped TO PUBLIC;
CREATE TABLE owned (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
INSERT INTO owned (event) SELECT e('owned', d, CASE WHEN d < '2026-01-30' THEN 'ListUsers' ELSE 'CreateRole' END)
	FROM generate_series('2026-01-05'::timestamptz, '2026-01-30', '1 day') AS d;
ALTER TABLE owned OWNER TO iamwatch_roles_admin;
CREATE TABLE hostile AS SELECT e('hostile ' || n, '2026-01-21', 'PutUserPolicy') AS event FROM generate_series(1, 3) AS n;
GRANT SELECT ON hostile TO PUBLIC;
CREATE SCHEMA evil AUTHORIZATION iamwatch_roles_writer;
GRANT USAGE ON SCHEMA evil TO iamwatch_roles_admin;
CREATE TABLE traps (statement text);
INSERT INTO traps
SELECT DISTINCT format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS $x$BEGIN RAISE EXCEPTION $y$trap %s$y$; END$x$', p.proname,
	(SELECT string_agg('pg_catalog.' || quote_ident(typname), ', ' ORDER BY n)
		FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) JOIN pg_type ON pg_type.oid = t),
	(SELECT 'pg_catalog.' || quote_ident(typname) FROM pg_type WHERE oid = p.prorettype), p.proname)
FROM pg_proc AS p
WHERE p.proname IN (SELECT m[1] FROM pg_proc AS ours, regexp_matches(ours.prosrc, '\m([a-z0-9_]+) *\(', 'g') AS m
	WHERE ours.pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]))
AND p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset AND p.proname ~ '^[a-z0-9_]+$'
AND 'any' <> ALL (SELECT typname FROM pg_type WHERE oid = ANY (p.proargtypes::oid[] || p.prorettype));
INSERT INTO traps
SELECT DISTINCT format('CREATE FUNCTION evil.%I(%s) RETURNS pg_catalog.int4 LANGUAGE plpgsql AS $x$BEGIN RAISE EXCEPTION $y$trap %s$y$; END$x$',
	proname, (SELECT string_agg(CASE WHEN typnamespace = 'iamwatch'::regnamespace THEN 'iamwatch' WHEN typnamespace = 'iamwatch_internal'::regnamespace THEN 'iamwatch_internal' ELSE 'pg_catalog' END || '.' || quote_ident(typname), ', ' ORDER BY n)
		FROM unnest(proargtypes) WITH ORDINALITY AS a (t, n) JOIN pg_type ON pg_type.oid = t), proname)
FROM pg_proc WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND prokind = 'f' AND NOT proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype, '"any"'::regtype]::oid[];
INSERT INTO traps
SELECT format('CREATE FUNCTION evil.trap(pg_catalog.%1$s, pg_catalog.%2$s) RETURNS pg_catalog.%3$s LANGUAGE plpgsql AS $x$BEGIN RAISE EXCEPTION $y$trap %4$s$y$; END$x$',
	l.typname, r.typname, 'bool', 'operator') FROM pg_type AS l, pg_type AS r
WHERE l.typname IN ('text', 'int4', 'int8', 'bool', 'date', 'timestamptz', 'jsonb', 'interval', 'oid', 'float8', 'bytea', 'name', 'regclass')
AND r.typname IN ('text', 'int4', 'int8', 'bool', 'date', 'timestamptz', 'jsonb', 'interval', 'oid', 'float8', 'bytea', 'name', 'regclass')
AND l.typnamespace = 'pg_catalog'::regnamespace AND r.typnamespace = 'pg_catalog'::regnamespace;
INSERT INTO traps
SELECT format('CREATE OPERATOR evil.%s (LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%s, FUNCTION = evil.trap)', o.oprname, l.typname, r.typname)
FROM pg_operator AS o JOIN pg_type AS l ON l.oid = o.oprleft JOIN pg_type AS r ON r.oid = o.oprright
WHERE o.oprnamespace = 'pg_catalog'::regnamespace;
INSERT INTO traps
SELECT format('CREATE %s TABLE %s.%I (trap int)', kind[1], kind[2], relname)
FROM iamwatch_relations, (VALUES (ARRAY['TEMP', 'pg_temp']), (ARRAY['', 'evil'])) AS v (kind) WHERE relkind IN ('r', 'v')
UNION ALL
SELECT format('CREATE DOMAIN %s.%I AS pg_catalog.int4', s, t) FROM unnest(ARRAY['evil', 'pg_temp']) AS s,
	unnest(ARRAY['text', 'int4', 'int8', 'jsonb', 'timestamptz', 'regclass', 'dayset', 'event', 'bool', 'name', 'bytea']) AS t;
GRANT SELECT ON traps TO PUBLIC;
CREATE FUNCTION lay_traps() RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	n bigint := 0;
	trap text;
BEGIN
	FOR trap IN SELECT statement FROM public.traps ORDER BY statement NOT LIKE 'CREATE FUNCTION%' LOOP
		BEGIN
			EXECUTE trap;
			n := n + 1;
		EXCEPTION WHEN undefined_object OR undefined_function OR invalid_schema_name OR insufficient_privilege
			OR duplicate_table OR duplicate_function OR duplicate_object OR invalid_function_definition OR syntax_error THEN
			NULL;			-- of a type that has another name, or not for this role
		END;
	END LOOP;
	RETURN n;
END $$;
GRANT USAGE ON SCHEMA iamwatch TO iamwatch_roles_writer;	-- to name its types, only here
SET ROLE iamwatch_roles_writer;
SELECT lay_traps() > 500 AS laid;
RESET ROLE;
REVOKE USAGE ON SCHEMA iamwatch FROM iamwatch_roles_writer;
SET ROLE iamwatch_roles_writer;
SET search_path = evil, pg_temp, public, pg_catalog;
SELECT 1 = 1;	-- they work
INSERT INTO public.log TABLE public.trapped;
RESET ROLE;
SET search_path = pg_catalog, public, pg_temp;
SELECT identity, days FROM iamwatch.baselines WHERE identity = 'trapped';
SELECT identity FROM iamwatch.alerts ORDER BY 1;
SELECT event FROM iamwatch.rejected_events ORDER BY rejected_id;

-- Nor when an administrator works with such a path.
SET ROLE iamwatch_roles_admin;
SET search_path = evil, public, pg_catalog;
CALL iamwatch.process('public.owned', order_column => 'id');
SELECT iamwatch.unwatch('public.owned');
CALL iamwatch.backfill('public.owned');
CALL iamwatch.maintain();
SELECT iamwatch.watch('public.owned');
CREATE TABLE pg_temp.counted AS SELECT FROM iamwatch.backtest('public.owned');
SET search_path = pg_catalog, public, pg_temp;
SELECT count(*) FROM counted;
SELECT identity, operation, event_count FROM iamwatch.alerts WHERE identity = 'owned';
RESET ROLE;

-- Settings of the session that stores change nothing.
DROP SCHEMA evil CASCADE;
\c -
SET client_min_messages = warning;
SET ROLE iamwatch_roles_writer;
SET plpgsql.extra_errors = 'all';
SET standard_conforming_strings = off; SET escape_string_warning = off; SET backslash_quote = off;
SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Pacific/Kiritimati'; SET bytea_output = escape;
SET extra_float_digits = -15; SET array_nulls = off; SET transform_null_equals = on; SET quote_all_identifiers = on;
SET row_security = off; SET search_path = ''; SET enable_indexscan = off; SET enable_bitmapscan = off; SET work_mem = '64kB';
SET client_encoding = 'LATIN1'; SET xmloption = document; SET check_function_bodies = off; SET default_transaction_deferrable = on;
SET gin_fuzzy_search_limit = 1; SET enable_indexonlyscan = off; SET from_collapse_limit = 1; SET join_collapse_limit = 1; SET geqo_threshold = 2;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET default_toast_compression = pglz; SET default_transaction_isolation = 'read committed';
INSERT INTO public.log TABLE public.hostile;
INSERT INTO public.log VALUES ('{"hostile": 1}'), (NULL), ('"hostile"');
RESET ROLE;
SELECT iamwatch.watch('public.log');
RESET ALL;
SET client_min_messages = warning;
SELECT identity, days FROM iamwatch.baselines WHERE identity LIKE 'hostile%' ORDER BY 1;
SELECT identity, event_count FROM iamwatch.alerts WHERE identity LIKE 'hostile%' ORDER BY 1;
-- nor the names by which limits are counted, or the text of what is kept
SELECT scope FROM iamwatch_internal.limit_counts WHERE name = 'rejected_events' GROUP BY scope;
SELECT count(*) FROM iamwatch.rejected_events WHERE event->>'hostile' = '1' OR event = '"hostile"';

DROP TABLE log, unwatched, attempts, traps, trapped, owned, hostile;
DROP FUNCTION lay_traps, attempt, may, e;
DROP VIEW iamwatch_relations, iamwatch_routines;
DROP OWNED BY iamwatch_roles_writer, iamwatch_roles_reader, iamwatch_roles_triager, iamwatch_roles_admin;
DROP ROLE iamwatch_roles_writer, iamwatch_roles_reader, iamwatch_roles_triager, iamwatch_roles_admin;
DROP EXTENSION iamwatch;
CREATE EXTENSION iamwatch;
