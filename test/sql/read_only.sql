\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- What writes, writes only where PostgreSQL lets it, and says that it does.
CREATE TABLE log (event jsonb);
SELECT iamwatch.watch('log');
INSERT INTO log SELECT jsonb_build_object('eventTime', to_char(d, 'YYYY-MM-DD') || 'T08:00:00Z', 'eventSource', 'iam.amazonaws.com',
	'eventName', CASE WHEN d::date = '2026-03-31' THEN 'CreateUser' ELSE 'GetUser' END, 'eventID', d, 'recipientAccountId', '1',
	'userIdentity', '{"type": "IAMUser", "arn": "ann"}'::jsonb)
FROM generate_series(timestamp '2026-03-01', '2026-03-31', interval '1 day') AS d;
SELECT count(*) FROM iamwatch.alerts;

-- A counter is not written in a transaction that is read-only, by whoever calls for it.
BEGIN READ ONLY;
SELECT iamwatch_internal.count_limit('alerts', 'aws 1', '2026-03-31', 1, 0);
ROLLBACK;
BEGIN READ ONLY;
SELECT iamwatch_internal.count_limit('alerts', 'never counted', '2026-03-31', 1, 0);
ROLLBACK;
SELECT count(*) FROM iamwatch_internal.limit_counts WHERE scope = 'never counted';

-- No function at all does: whoever writes needs a transaction id.
CREATE TABLE functions AS
SELECT p.oid, p.oid::regprocedure AS function, p.pronamespace::regnamespace || '.' || quote_ident(p.proname) AS name, p.proname,
	p.proargtypes::oid[] AS types, p.prorettype, p.prokind, p.provolatile, p.proparallel, l.lanname,
	regexp_replace(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), E'--[^\n]*|''([^'']|'''')*''', ' ', 'g') AS body
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]);
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- Something to call it with, of each type.
CREATE FUNCTION sample(type regtype) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT s.value FROM (VALUES ('text', '''aws'''), ('regclass', '''log'''), ('name', '''event'''), ('boolean', 'true'),
			('date', '''2026-03-31'''), ('timestamptz', '''2026-03-31 08:00Z'''), ('interval', '''1 day'''), ('text[]', '''{aws}'''),
			('jsonb', '(SELECT event FROM public.log LIMIT 1)'), ('iamwatch.event', 'iamwatch.parse((SELECT event FROM public.log LIMIT 1))'),
			('iamwatch.detectors', '(SELECT d FROM iamwatch.detectors AS d)'), ('iamwatch.alerts', '(SELECT a FROM iamwatch.alerts AS a LIMIT 1)'),
			('bigint', '(SELECT min(alert_id) FROM iamwatch.alerts)'), ('integer', '1'), ('float8', '0.5'), ('iamwatch.dayset', '''{2026-03-31}'''),
			('anyelement', 'NULL::text'), ('"any"', 'NULL::text')) AS s (name, value)
		WHERE s.name::regtype = type) || CASE WHEN type::text LIKE 'any%' OR type::text LIKE '"any%' THEN '' ELSE '::' || type END,
		'NULL::' || type)
$$;
CREATE TABLE calls AS
SELECT f.function::text, format('SELECT %s(%s)', f.name, (SELECT string_agg(sample(a.t), ', ' ORDER BY a.n)
	FROM unnest(f.types) WITH ORDINALITY AS a (t, n))) AS statement
FROM functions AS f
WHERE f.prokind = 'f' AND f.prorettype <> 'trigger'::regtype AND NOT f.types && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[];
CREATE FUNCTION first_that_writes(OUT called bigint, OUT refused boolean, OUT wrote text) LANGUAGE plpgsql AS $$
DECLARE
	c record;
	state text;
BEGIN
	called := 0;
	refused := false;
	FOR c IN SELECT * FROM calls ORDER BY function COLLATE "C" LOOP
		state := attempt(c.statement);
		called := called + 1;
		refused := refused OR state = '25006';
		IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
			wrote := c.function;
			RETURN;
		END IF;
	END LOOP;
END $$;
BEGIN READ ONLY;
SELECT called > 400 AS called, refused, wrote FROM first_that_writes();
ROLLBACK;

-- Nor is any that writes, itself or by what it calls, declared stable, immutable or parallel safe.
CREATE TABLE writers AS
WITH RECURSIVE writer AS (
	SELECT f.oid, f.name FROM functions AS f
	WHERE f.lanname <> 'c' AND f.body ~ E'\\m(INSERT INTO|UPDATE (ONLY )?iamwatch|DELETE FROM|nextval\\(|FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE)'
	OR f.proname IN ('count_limit', 'notify_alert', 'note_event', 'open_alert', 'learn_account', 'assign_to_alerts', 'keep_incidents')	-- some in C
	UNION
	SELECT c.oid, c.name FROM writer AS w JOIN functions AS c ON c.lanname <> 'c' AND strpos(c.body, w.name || '(') > 0
)
SELECT DISTINCT oid FROM writer;
SELECT count(*) > 80 AS found FROM writers;
SELECT f.function FROM writers AS w JOIN functions AS f USING (oid) WHERE f.provolatile <> 'v' OR f.proparallel <> 'u';
SELECT iamwatch.unwatch('log');
DROP TABLE writers, calls, functions, log;
DROP FUNCTION first_that_writes, sample, attempt;
