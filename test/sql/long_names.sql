\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
-- Names may have up to 64 kB, which no btree can
-- hold.  One such name, in a document that whoever inserts made up, is no
-- reason for a trigger, a backfill or any other call to fail.
-- The indexes that hold text at all, and so would fail: of settings, of names that
-- are cut or of short ones that the extension gives.
SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = x.relam AND m.amname <> 'hash'
WHERE c.relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND EXISTS (SELECT FROM pg_attribute AS a
	WHERE a.attrelid = i.indexrelid AND a.atttypid = ANY ('{text,bytea,jsonb,text[]}'::regtype[])) ORDER BY i.indexrelid::regclass::text COLLATE "C";
CREATE FUNCTION long(letters integer, which integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT left(string_agg(md5(i || ' ' || which), ''), letters) FROM generate_series(1, letters / 32 + 1) AS i $$;
CREATE FUNCTION e(who text, account text, at timestamptz, operation text, service text = 'iam', more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', service || '.amazonaws.com',
		'eventName', operation, 'eventID', md5(who || at || operation), 'recipientAccountId', account,
		'userAgent', long(60000, 1), 'sourceIPAddress', long(60000, 2), 'awsRegion', long(60000, 3),
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who, 'accessKeyId', long(60000, 4)),
		'requestParameters', jsonb_build_object('userName', long(60000, 5))) || more $$;
CREATE TABLE stored (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
INSERT INTO stored (event)
SELECT e(n.who, n.account, d, 'ListUsers') FROM (VALUES ('ann', '1'), (long(60000, 6), '1'), ('joe', long(60000, 7))) AS n (who, account),
	generate_series('2026-01-01'::timestamptz, '2026-01-19', '1 day') AS d
UNION ALL SELECT e(n.who, n.account, '2026-01-20', o) FROM (VALUES ('ann', '1'), (long(60000, 6), '1'), ('joe', long(60000, 7))) AS n (who, account),
	unnest('{CreateUser,CreateAccessKey}'::text[]) AS o
UNION ALL SELECT e('ann', '1', '2026-01-20', long(60000, 8), long(60000, 9))
UNION ALL SELECT e('ann', a, '2026-01-20', 'RunInstances', 'ec2', jsonb_build_object('responseElements', jsonb_build_object('instancesSet',
	jsonb_build_object('items', jsonb_build_array(jsonb_build_object('instanceId', i, 'ipAddress', '8.8.8.8'))))))
FROM (VALUES ('1', long(60000, 10)), (long(60000, 7), 'i-1'), ('1', 'i-2')) AS v (a, i);
\set alerts 'SELECT length(identity) AS identity, length(account) AS account, operation, event_count FROM iamwatch.alerts ORDER BY 1, 2, 3;'
-- the triggers
CREATE TABLE log (id bigint, event jsonb);
SELECT iamwatch.watch('log');
INSERT INTO log TABLE stored;
:alerts
CALL iamwatch.maintain();
SELECT bool_and(length(iamwatch.explain(alert_id)) > 0) AS explained, length(iamwatch.report()) > 0 AS reported FROM iamwatch.alerts;
SELECT count(*) > 0 AS incidents FROM iamwatch.incidents;
-- what learns and tests the same
SELECT count(*) FROM iamwatch.backtest('log');
CALL iamwatch.backfill('log');
CALL iamwatch.backfill_contexts('log');
:alerts
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
CALL iamwatch.backfill('stored');
:alerts
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
CALL iamwatch.process('stored', order_column => 'id', batch_rows => 7);
:alerts
-- an instance with such a name is not taken into the inventory; others are
SELECT * FROM iamwatch.learn_instances('stored');
SELECT instance_id FROM iamwatch.instances;
SELECT reason FROM iamwatch.rejected_events;
DROP TABLE stored, log;
DROP FUNCTION long, e;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
