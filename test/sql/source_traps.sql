\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
SET client_min_messages = error;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- Whoever owns a source lays traps in it for those who read it.  Every function
-- that takes a relation or reads an alert's events is found in the catalogs and
-- called on every trap, by a superuser, an administrator and a triager.  A trap
-- may run with the rights of who laid it, and with nobody else's.
CREATE ROLE iamwatch_traps_owner;
CREATE ROLE iamwatch_traps_admin;
CREATE ROLE iamwatch_traps_triager;
SELECT iamwatch.grant_access('iamwatch_traps_admin', 'administer'), iamwatch.grant_access('iamwatch_traps_triager', 'triage');
CREATE SCHEMA trap AUTHORIZATION iamwatch_traps_owner;
CREATE SCHEMA fair;
GRANT USAGE ON SCHEMA trap, fair TO PUBLIC;
GRANT CREATE ON SCHEMA fair TO iamwatch_traps_owner;
-- a sequence keeps what is rolled back: one for each role that a trap ran as
CREATE SEQUENCE trap.as_owner;
CREATE SEQUENCE trap.as_other;
GRANT ALL ON SEQUENCE trap.as_owner, trap.as_other TO PUBLIC;

CREATE FUNCTION e(who text, at timestamptz, operation text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
		'eventName', operation, 'eventID', who || operation, 'recipientAccountId', '1',
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RAISE EXCEPTION 'done' USING ERRCODE = 'P0D0N';
EXCEPTION WHEN SQLSTATE 'P0D0N' THEN
	RETURN 'done';
WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
-- an alert whose events are in every trap
CREATE TABLE fair.log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
SELECT iamwatch.watch('fair.log');
INSERT INTO fair.log (event) SELECT e('ann', d, 'ListUsers') FROM generate_series('2026-01-01'::timestamptz, '2026-01-20', '1 day') AS d;
INSERT INTO fair.log (event) VALUES (e('ann', '2026-01-20', 'CreateUser'));
SELECT alert_id, operation FROM iamwatch.alerts;

GRANT SELECT ON fair.log TO iamwatch_traps_owner;
SET ROLE iamwatch_traps_owner;
CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM nextval(CASE current_user WHEN 'iamwatch_traps_owner' THEN 'trap.as_owner' ELSE 'trap.as_other' END);
	PERFORM set_config('search_path', 'trap', false);
	RETURN true;
END $$;
-- what is declared immutable runs while a query is planned
CREATE FUNCTION trap.fixed() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN trap.spring(); END$$;
CREATE FUNCTION trap.fixed(jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN trap.spring(); END$$;
CREATE FUNCTION trap.fixed(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM trap.spring(); RETURN $1; END$$;
CREATE FUNCTION trap.rows() RETURNS TABLE (id bigint, event jsonb) LANGUAGE plpgsql AS $$
	BEGIN PERFORM trap.spring(); RETURN QUERY SELECT l.id, l.event FROM fair.log AS l; END$$;

CREATE TABLE trap.policy AS TABLE fair.log;
ALTER TABLE trap.policy ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON trap.policy USING (trap.spring());
CREATE TABLE trap.index_predicate AS TABLE fair.log;
CREATE INDEX ON trap.index_predicate (id) WHERE trap.fixed();
CREATE TABLE trap.index_expression AS TABLE fair.log;
CREATE INDEX ON trap.index_expression ((trap.fixed(1::bigint) + id));
CREATE TABLE trap.statistics AS TABLE fair.log;
CREATE STATISTICS trap.s ON (trap.fixed(1::bigint) + id), (event->>'eventID') FROM trap.statistics;
CREATE TABLE trap.parent AS TABLE fair.log;
CREATE TABLE trap.child (CHECK (trap.fixed(1::bigint) = 1)) INHERITS (trap.parent);
CREATE TABLE trap.partitioned (id bigint, event jsonb) PARTITION BY RANGE (trap.fixed(id));
CREATE TABLE trap.p1 PARTITION OF trap.partitioned DEFAULT;
ALTER TABLE trap.p1 ADD CHECK (trap.fixed());
INSERT INTO trap.partitioned TABLE fair.log;
CREATE VIEW trap.shown AS SELECT * FROM trap.rows();
CREATE MATERIALIZED VIEW trap.stored AS TABLE fair.log;
CREATE INDEX ON trap.stored (id) WHERE trap.fixed();
-- its column becomes of a type with a cast of its own
CREATE TABLE trap.cast AS TABLE fair.log;
CREATE TYPE trap.mine AS (x int);
CREATE FUNCTION trap.to_text(trap.mine) RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM trap.spring(); RETURN '{}'; END$$;
CREATE CAST (trap.mine AS text) WITH FUNCTION trap.to_text(trap.mine);
CREATE TABLE trap.ordered AS TABLE fair.log;
-- a table becomes a view, in its place where the server lets it
CREATE TABLE trap.turned (id bigint, event jsonb);
DO $$
BEGIN
	IF current_setting('server_version_num')::integer < 160000 THEN
		CREATE RULE "_RETURN" AS ON SELECT TO trap.turned DO INSTEAD SELECT * FROM trap.rows();
	ELSE
		DROP TABLE trap.turned;
		CREATE VIEW trap.turned AS SELECT * FROM trap.rows();
	END IF;
END $$;
RESET ROLE;
-- of a superuser, but what it holds is somebody else's
CREATE TABLE fair.partitioned (id bigint, event jsonb) PARTITION BY RANGE (id);
CREATE TABLE fair.lent PARTITION OF fair.partitioned DEFAULT;
INSERT INTO fair.partitioned SELECT id, event FROM fair.log;
ALTER TABLE fair.lent OWNER TO iamwatch_traps_owner;
CREATE VIEW fair.over_view AS TABLE trap.shown;
CREATE VIEW fair.over_table AS TABLE trap.index_predicate;
CREATE VIEW fair.over_function AS SELECT * FROM trap.rows();
-- a type of somebody else's, who can give it a constraint, or a cast, at any time
SET ROLE iamwatch_traps_owner;
CREATE DOMAIN trap.checked AS jsonb CHECK (trap.spring());
CREATE TYPE trap.holder AS (event trap.checked);
CREATE TYPE trap.kind AS ENUM ('a');
RESET ROLE;
CREATE VIEW fair.over_domain AS SELECT id, event::trap.checked::jsonb AS event FROM fair.log;
CREATE VIEW fair.over_domains AS SELECT id, (ARRAY[event]::trap.checked[])[1]::jsonb AS event FROM fair.log;
CREATE VIEW fair.over_holder AS
SELECT id, (jsonb_populate_record(NULL::trap.holder, jsonb_build_object('event', event))).event::jsonb AS event FROM fair.log;
CREATE VIEW fair.over_record AS
SELECT l.id, r.event::jsonb AS event FROM fair.log AS l, jsonb_to_record(jsonb_build_object('event', l.event)) AS r (event trap.checked);
CREATE VIEW fair.over_cast AS SELECT id, event || jsonb_build_object('kind', 'a'::trap.kind) AS event FROM fair.log;
-- and a function of theirs in what belongs to a superuser's table
CREATE TABLE fair.indexed AS TABLE fair.log;
CREATE INDEX ON fair.indexed ((trap.fixed(1::bigint) + id));
CREATE TABLE fair.limited AS TABLE fair.log;
ALTER TABLE fair.limited ADD CHECK (trap.fixed(1::bigint) = 1);
CREATE TABLE fair.counted AS TABLE fair.log;
CREATE STATISTICS fair.s ON (trap.fixed(1::bigint) + id), (event->>'eventID') FROM fair.counted;
GRANT SELECT ON ALL TABLES IN SCHEMA trap, fair TO PUBLIC;
SET ROLE iamwatch_traps_owner;
CREATE FUNCTION trap.to_json(trap.kind) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM trap.spring(); RETURN '"a"'; END$$;
CREATE CAST (trap.kind AS json) WITH FUNCTION trap.to_json(trap.kind);
CREATE INDEX ON fair.lent (id) WHERE trap.fixed();
RESET ROLE;
RESET search_path;
CREATE TABLE traps AS SELECT c.oid::regclass AS source FROM pg_class AS c
WHERE c.relnamespace IN ('trap'::regnamespace, 'fair'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm') AND c.oid <> 'fair.log'::regclass;
GRANT SELECT ON traps TO PUBLIC;
SELECT count(*) FROM traps;
INSERT INTO iamwatch.sources (source, event_column, order_column) SELECT source, 'event', 'id' FROM traps
WHERE source <> 'trap.cast'::regclass AND source <> 'trap.ordered'::regclass;
SELECT iamwatch.watch('trap.cast'), iamwatch.watch('trap.ordered');
SET ROLE iamwatch_traps_owner;
DROP TRIGGER iamwatch_observe ON trap.cast;
DROP TRIGGER iamwatch_observe_update ON trap.cast;
ALTER TABLE trap.cast ALTER event TYPE trap.mine USING ROW(1)::trap.mine;
ALTER TABLE trap.ordered ALTER id TYPE trap.mine USING ROW(id)::trap.mine;
RESET ROLE;

-- they work
SELECT attempt('SELECT count(*) FROM ' || source) AS count, count(*) FROM traps GROUP BY 1;
SELECT is_called FROM trap.as_other;
SELECT setval('trap.as_other', 1, false), setval('trap.as_owner', 1, false);

-- what a trap leaves to the end of the transaction would run with the rights of who reads
SET ROLE iamwatch_traps_owner;
CREATE TABLE trap.left_over (id integer);
CREATE FUNCTION trap.spring_later() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM trap.spring(); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON trap.left_over DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap.spring_later();
CREATE FUNCTION trap.leaves() RETURNS TABLE (id bigint, event jsonb) LANGUAGE plpgsql AS $$
	BEGIN INSERT INTO trap.left_over VALUES (1); RETURN QUERY SELECT l.id, l.event FROM fair.log AS l; END$$;
CREATE VIEW trap.leaving AS SELECT * FROM trap.leaves();
SELECT count(*) FROM trap.leaving;
RESET ROLE;
SELECT sum(events) FROM iamwatch_internal.read_days('trap.leaving', 'event', NULL, NULL);
SELECT is_called FROM trap.as_other;
SELECT setval('trap.as_other', 1, false), setval('trap.as_owner', 1, false);

-- what a trap sets for the session does not outlive the reading
SET search_path = "$user", public;
SELECT sum(events) FROM iamwatch_internal.read_days('trap.index_predicate', 'event', NULL, NULL);
SHOW search_path;
SELECT is_called AS ran_as_owner FROM trap.as_owner;

-- every call on every trap
CREATE FUNCTION argument(name text, type regtype, source regclass) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN type = 'regclass'::regtype THEN format('%L::regclass', source)
		WHEN name = 'order_column' THEN '''id''' WHEN type = 'name'::regtype THEN '''event'''
		WHEN name = 'ids' OR name = 'event_ids' THEN '''{annCreateUser}''' WHEN name = 'provider' THEN '''aws'''
		WHEN name = 'identity' THEN '''ann''' WHEN name = 'operation' THEN '''CreateUser'''
		WHEN name = 'alert_id' THEN '1' WHEN name = 'fires' THEN '''origin'''
		WHEN name = 'patience' THEN '''0''' WHEN name IN ('most', 'batch_rows') THEN '10' WHEN name = 'relation_alias' THEN '''x'''
		WHEN type = 'iamwatch.detectors'::regtype THEN '(SELECT d FROM iamwatch.detectors AS d LIMIT 1)'
		WHEN name = 'keys' THEN '(SELECT array_agg((iamwatch_internal.baseline_key(event)).key) FROM fair.log)'
		WHEN name = 'firsts' OR name = 'events' THEN '''{}'''
		WHEN name = 'filter' THEN '''\xff'''			-- that everything passes
		ELSE format('NULL::%s', type) END $$;
CREATE TABLE calls AS
SELECT p.proname, p.prokind, t.source, format('%I.%I(%s)', n.nspname, p.proname,
	(SELECT string_agg(argument(p.proargnames[a.n], a.type, t.source), ', ' ORDER BY a.n)
		FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n)
		WHERE a.n <= p.pronargs - p.pronargdefaults OR a.type = 'name'::regtype OR p.proname = 'backfill_work')) AS call
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN traps AS t ON 'regclass'::regtype = ANY (p.proargtypes)
WHERE n.nspname IN ('iamwatch', 'iamwatch_internal') AND p.prokind IN ('f', 'p')
AND ('regclass'::regtype = ANY (p.proargtypes) OR 'alert_id' = ANY (p.proargnames[1:p.pronargs]))
AND p.proname NOT IN ('drop_temporary', 'ingest_one', 'watch', 'unwatch', 'map_columns');
GRANT SELECT ON calls TO PUBLIC;
-- the readers that there must be
SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM calls WHERE proname ~ '^(read_|backfill$|backfill_contexts|backtest$|process$|process_rows|learn_inst|raw_|explain)';
\set run 'SELECT count(*) > 100 AS many FROM calls WHERE prokind = \'f\' AND attempt(CASE WHEN proname ~ \'^backfill\' THEN \'DO $x$BEGIN PERFORM iamwatch_internal.backfill_working_tables(); PERFORM * FROM \' || call || \'; END$x$\' ELSE \'SELECT * FROM \' || call END) IS NOT NULL;'
:run
SET ROLE iamwatch_traps_admin;
:run
SET ROLE iamwatch_traps_triager;
SELECT count(*) > 100 AS many FROM calls WHERE prokind = 'f' AND attempt('SELECT * FROM ' || call) IS NOT NULL;
RESET ROLE;
\set ECHO none
\o /dev/null
SELECT 'CALL ' || call FROM calls WHERE prokind = 'p' ORDER BY call COLLATE "C" \gexec
SET ROLE iamwatch_traps_admin;
SELECT 'CALL ' || call FROM calls WHERE prokind = 'p' ORDER BY call COLLATE "C" \gexec
RESET ROLE;
\o
\set ECHO all
SELECT is_called AS ran_as_somebody_else FROM trap.as_other;
SELECT is_called AS ran_as_owner FROM trap.as_owner;
-- A role that may not read the source gets nothing through its owner, nor what
-- policies or a view keep from it.
SELECT count(*) FROM iamwatch_internal.read_days('trap.index_predicate', 'event', NULL, NULL);
REVOKE SELECT ON trap.index_predicate FROM PUBLIC;
GRANT SELECT (id) ON trap.index_predicate TO PUBLIC;
SET ROLE iamwatch_traps_admin;
\set VERBOSITY default
SELECT count(*) FROM iamwatch_internal.read_days('trap.index_predicate', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('trap.policy', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('trap.shown', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('fair.over_view', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('fair.partitioned', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('fair.over_domain', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('fair.over_cast', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('fair.indexed', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_days('trap.cast', 'event', NULL, NULL);
SELECT count(*) FROM iamwatch_internal.read_after('trap.ordered', 'event', 'id', NULL, NULL, 10);
RESET ROLE;
GRANT SELECT (event) ON trap.index_predicate TO PUBLIC;
GRANT iamwatch_traps_owner TO iamwatch_traps_admin;
SET ROLE iamwatch_traps_admin;
SELECT count(*) FROM iamwatch_internal.read_days('trap.shown', 'event', NULL, NULL);
RESET ROLE;
REVOKE iamwatch_traps_owner FROM iamwatch_traps_admin;
SET ROLE iamwatch_traps_admin;
SELECT count(*) FROM iamwatch_internal.read_days('trap.index_predicate', 'event', NULL, NULL);
RESET ROLE;
-- of a superuser alone: as any query of the caller, policies and all
CREATE TABLE fair.mine AS TABLE fair.log;
GRANT SELECT ON fair.mine TO PUBLIC;
ALTER TABLE fair.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON fair.mine USING (current_user = 'iamwatch_traps_admin' AND id < 3);
CREATE VIEW fair.asked AS SELECT * FROM fair.log WHERE current_user = 'iamwatch_traps_admin' AND id < 4;
GRANT SELECT ON fair.asked TO PUBLIC;
SET ROLE iamwatch_traps_admin;
SELECT sum(events) FROM iamwatch_internal.read_days('fair.mine', 'event', NULL, NULL);
SELECT sum(events) FROM iamwatch_internal.read_days('fair.asked', 'event', NULL, NULL);
RESET ROLE;
SELECT sum(events) FROM iamwatch_internal.read_days('fair.mine', 'event', NULL, NULL);
SELECT is_called AS ran_as_somebody_else FROM trap.as_other;

-- Of an alert's events, sources that are refused are told with the reason, and the others are searched.
SELECT source, coalesce(problem, count(event) || ' found') AS outcome FROM iamwatch.raw_events(1, 1000) GROUP BY source, problem ORDER BY source COLLATE "C";
-- Nothing else reads a source: these alone run text, and it names none but for
-- triggers, grants, our own tables and what Citus runs on its nodes.
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])
AND p.prosrc ~ 'EXECUTE|document_expression' ORDER BY 1;

DISCARD TEMP;
DROP EXTENSION iamwatch CASCADE;
DROP SCHEMA fair, trap CASCADE;
DROP TABLE traps, calls;
DROP FUNCTION e, attempt, argument;
DROP ROLE iamwatch_traps_owner, iamwatch_traps_admin, iamwatch_traps_triager;
CREATE EXTENSION iamwatch;
