-- What docs/security.md says of notifications, and of what a role that may only
-- insert can learn.
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
CREATE ROLE iamwatch_channels_writer;
CREATE TABLE log (event jsonb);
SELECT iamwatch.watch('log');
GRANT INSERT ON log TO iamwatch_channels_writer;
CREATE FUNCTION e(who text, at timestamptz, operation text = 'ListUsers') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
		'eventName', operation, 'eventID', who || at || operation, 'recipientAccountId', '1',
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
SET ROLE iamwatch_channels_writer;
-- Any role listens to the channel, and writes to it.
LISTEN iamwatch_alert;
UNLISTEN *;
NOTIFY iamwatch_alert, 'anything';
INSERT INTO log SELECT e('ann', d) FROM generate_series('2026-01-01'::timestamptz, '2026-01-20', '1 day') AS d;
-- EXPLAIN tells it whether a document of its own was new.
CREATE FUNCTION pg_temp.calls(statement text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || statement INTO plan;
	RETURN (SELECT coalesce(sum((t->>'Calls')::numeric), 0) FROM json_array_elements(plan->0->'Triggers') AS t WHERE t->>'Trigger Name' = 'iamwatch_observe');
END $$;
SELECT pg_temp.calls($$INSERT INTO log VALUES (e('ann', '2026-01-20'))$$) AS known, pg_temp.calls($$INSERT INTO log VALUES (e('bob', '2026-01-20'))$$) AS fresh;
-- Statistics tell it how much there is, and the catalogs what is watched.
SELECT count(*) > 20 AS tables, count(n_tup_ins) > 20 AS counts FROM pg_stat_all_tables WHERE schemaname ~ 'iamwatch';
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname ~ 'iamwatch' ORDER BY 2;
-- But not what: neither values that are common, nor numbers that were given.
SELECT count(*) FROM pg_stats WHERE schemaname ~ 'iamwatch';
SELECT count(*) > 0 AS some, count(last_value) FROM pg_sequences WHERE schemaname ~ 'iamwatch';
RESET ROLE;
-- A notification has these of an alert, and none is sent if the detector says so.
UPDATE iamwatch.detectors SET notify = false;
LISTEN iamwatch_alert;
INSERT INTO log VALUES (e('ann', '2026-01-20', 'CreateUser'));
SELECT iamwatch_internal.notification(a) FROM iamwatch.alerts AS a;
UNLISTEN *;
DROP TABLE log;
DROP FUNCTION e;
DROP OWNED BY iamwatch_channels_writer;
DROP ROLE iamwatch_channels_writer;
DROP EXTENSION iamwatch;
CREATE EXTENSION iamwatch;
