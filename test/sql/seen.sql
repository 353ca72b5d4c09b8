SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
RESET client_min_messages;
-- Events seen: the server's own count, of a table and of all partitions of one
CREATE TABLE log (event jsonb);
SELECT iamwatch.watch('log');
CREATE TABLE parted (at date, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT iamwatch.watch('parted');
INSERT INTO log SELECT jsonb_build_object('eventTime', '2026-01-01T08:00:00Z', 'eventSource', 's3.amazonaws.com', 'eventName', 'ListBuckets',
	'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'ann')) FROM generate_series(1, 10);
INSERT INTO parted SELECT '2026-01-20'::date + n, event FROM generate_series(1, 20) AS n, (SELECT event FROM log LIMIT 1) AS e;
SELECT pg_stat_force_next_flush();
SELECT source, events_stored, events_learned FROM iamwatch.source_status ORDER BY source::text;
SELECT events_seen, sources FROM iamwatch.status;
-- Dropped sources: no error, and gone after maintenance
DROP TABLE parted;
SELECT events_seen, sources FROM iamwatch.status;
CALL iamwatch.maintain();
SELECT events_seen, sources FROM iamwatch.status;
DROP TABLE log;
CALL iamwatch.maintain();
