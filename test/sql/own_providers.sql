SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
RESET client_min_messages;
-- users' own providers over stored history: in sets, in parallel workers, in
-- batches; and what a mapping that cannot be is told
CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
CREATE FUNCTION forge(at timestamptz, who text, what text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('forge', 1, 'at', extract(epoch FROM at)::bigint, 'org', 'example', 'who', who, 'what', what,
		'id', concat(at, who, what))
$$;
INSERT INTO history (event) SELECT forge(d + n * interval '1 minute', 'user' || n, 'repo.read')
FROM generate_series('2026-01-01 00:00Z'::timestamptz, '2026-01-31', '1 day') AS d, generate_series(1, 30) AS n;
INSERT INTO history (event) SELECT forge('2026-01-31 12:00Z', 'user' || n, 'team.add_admin') FROM generate_series(1, 3) AS n;
INSERT INTO history (event) VALUES ('{"at": 1}');

INSERT INTO iamwatch.providers (provider, recognised_by, account_path, identity_path, service_default, operation_path,
	event_time_path, event_time_format, event_id_path)
VALUES ('forge', '{forge}', '{org}', '{who}', 'forge', '{what}', '{at}', 'seconds', '{id}');
INSERT INTO iamwatch.operations (provider, service, operation, category, effect)
VALUES ('forge', '*', '.add_admin', 'permission', 'create');
UPDATE iamwatch.operations SET match = 'suffix' WHERE provider = 'forge';

-- workers number providers for themselves, but agree on the keys
CREATE FUNCTION pg_temp.keys() RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(key::text, ',' ORDER BY key)) || ' ' || count(*) FROM (
		SELECT (m).key, iamwatch.dayset_agg((m).at) AS days FROM (SELECT iamwatch_internal.baseline_key(event) AS m FROM history) AS marks GROUP BY 1) AS k
$$;
SELECT pg_temp.keys() AS alone \gset
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
EXPLAIN (COSTS off) SELECT (m).key, iamwatch.dayset_agg((m).at) AS days
FROM (SELECT iamwatch_internal.baseline_key(event) AS m FROM history) AS marks GROUP BY 1;
SET parallel_leader_participation = off;
SELECT pg_temp.keys() = :'alone' AS workers_agree;
SELECT (f).provider, (f).account, count(*) FROM (
	SELECT iamwatch_internal.baseline_key_fields((iamwatch_internal.baseline_key(event)).key) AS f FROM history) AS marks GROUP BY 1, 2 ORDER BY 1;
SELECT count(*), count(iamwatch.parse(event)) FROM history;

SET client_min_messages = warning;
SELECT identity, operation, k, active FROM iamwatch.backtest('history') ORDER BY identity;
CALL iamwatch.backfill('history');
CALL iamwatch.backfill('history');
SELECT provider, account, identity, operation, category, event_count FROM iamwatch.alerts ORDER BY identity;
SELECT reason, event FROM iamwatch.rejected_events;
RESET parallel_leader_participation;

CREATE VIEW batches AS SELECT id, event FROM history;
INSERT INTO history (event) VALUES (forge('2026-01-31 13:00Z', 'user4', 'team.add_admin'));
CALL iamwatch.process('batches', order_column => 'id');
SELECT identity, event_count FROM iamwatch.alerts ORDER BY identity;

-- errors name what is wrong and say what to do
\set SHOW_CONTEXT never
INSERT INTO iamwatch.providers (provider, recognised_by, identity_path, operation_path, event_time_path) VALUES ('azure', '{a}', '{a}', '{a}', '{a}');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO iamwatch.providers (provider, recognised_by, identity_path, operation_path, event_time_path) VALUES ('Okta', '{a}', '{a}', '{a}', '{a}');
INSERT INTO iamwatch.providers (provider, recognised_by, identity_path, operation_path, event_time_path) VALUES ('okta', '{}', '{a}', '{a}', '{a}');
INSERT INTO iamwatch.providers (provider, recognised_by, identity_path, operation_path, event_time_path) VALUES ('okta', NULL, '{a}', '{a}', '{a}');
INSERT INTO iamwatch.providers (provider, recognised_by, identity_path, operation_path, event_time_path) VALUES ('okta', '{a}', '{a}', '{a}', '{a}');
UPDATE iamwatch.providers SET service_default = NULL;
UPDATE iamwatch.providers SET kinds = '{"x": 7}';
UPDATE iamwatch.providers SET kind_default = NULL;
UPDATE iamwatch.providers SET event_time_format = 'minutes';
UPDATE iamwatch.providers SET error_code_path = '{error}';
INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('My Cloud', '*', 'x', 'permission', 'create');

-- who may
CREATE ROLE iamwatch_reader;
SELECT iamwatch.grant_access('iamwatch_reader', 'read');
SET ROLE iamwatch_reader;
SELECT provider FROM iamwatch.providers;
DELETE FROM iamwatch.providers;
RESET ROLE;
DROP OWNED BY iamwatch_reader;
DROP ROLE iamwatch_reader;

DELETE FROM iamwatch.providers;
SELECT count(iamwatch.parse(event)) FROM history;
DROP VIEW batches;
DROP TABLE history;
DROP FUNCTION forge;

-- the extension goes and comes back in the session, without them
DROP EXTENSION iamwatch;
CREATE EXTENSION iamwatch;
SELECT iamwatch.unreadable('{"forge": 1}'), (SELECT count(*) FROM iamwatch.providers) AS providers;
