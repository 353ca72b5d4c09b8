\ir settings.psql
SELECT plan(30);

SELECT is(count(*), 1::bigint, 'Status: one row, also before anything came in') FROM status;
SELECT results_eq('SELECT events_learned, events_late, events_rejected, alerts_opened, events_joined, journal_rows, pending_events FROM status',
	'VALUES (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint)', 'Status: and all zero');
SELECT is(limits_hit, '{}', 'Status: no limit is reached') FROM status;

-- What events become
SELECT lives('ann', '2026-01-01', '2026-03-01');
SELECT is(events_learned, 60::bigint, 'Learned: events that add a day to a baseline') FROM status;
SELECT lives('ann', '2026-02-01', '2026-03-01');
SELECT is(events_learned, 60::bigint, 'Learned: not those that add none') FROM status;
INSERT INTO log SELECT aws('2026-03-01T09:00:00Z', 'ann', 'ListBuckets', 's3') FROM generate_series(1, 100);
SELECT is(events_learned, 60::bigint, 'Learned: nor those that this session knows to teach nothing') FROM status;
INSERT INTO log SELECT aws('2026-03-02T09:00:00Z', 'ann', 'CreateUser', id => 'c' || i) FROM generate_series(1, 3) AS i;
SELECT is(events_learned, 61::bigint, 'Learned: of many on one new day, one') FROM status;
SELECT is(alerts_opened || ' ' || events_joined, '1 2', 'Alerts: opened, and events that joined them') FROM status;
SELECT put(aws('2025-08-01T09:00:00Z', 'ann', 'ListUsers'));
SELECT is(events_late, 1::bigint, 'Late: events that came too late') FROM status;
SELECT put('[1]'); SELECT put('[1]');
SELECT is(events_rejected, 2::bigint, 'Rejected: each delivery of a document that is not understood') FROM status;
SAVEPOINT s;
SELECT lives('bob', '2026-03-01', '2026-03-05'); SELECT put('[2]');
ROLLBACK TO s;
SELECT is(events_learned || ' ' || events_rejected, '61 2', 'Counts: what rolls back is not counted') FROM status;

-- Writes
SELECT max(ctid::text) AS before FROM source_counts \gset
INSERT INTO log SELECT aws('2026-03-01T09:00:00Z', 'ann', 'ListBuckets', 's3') FROM generate_series(1, 10);
SELECT is(max(ctid::text), :'before', 'Counts: nothing is written when nothing was learned') FROM source_counts;
SELECT is(count(*), 1::bigint, 'Counts: one row a source, whatever the number of statements') FROM source_counts;

-- Sources
SELECT is(source::text, 'log', 'Sources: one row each') FROM source_status;
SELECT is(newest_event_time, '2026-03-02 09:00:00Z'::timestamptz, 'Sources: newest event') FROM source_status;
SELECT is(s.newest_event_time, t.newest_event_time, 'Status: newest event of all') FROM status AS s, source_status AS t;
SELECT is(round(extract(epoch FROM last_taught_at - lag - '2025-08-01 09:00:00Z'::timestamptz)), 0::numeric,
	'Lag: from the newest event of the last statement with readable ones to its detection') FROM source_status;
SELECT is(silent, false, 'Silent: not while it teaches') FROM source_status;
UPDATE source_counts SET counted_at = now() - interval '25 hours';
SELECT is(silent, false, 'Silent: not within 26 hours, since a source teaches every day') FROM source_status;
UPDATE source_counts SET counted_at = now() - interval '27 hours';
SELECT is(silent_sources, '["log"]', 'Silent: when it has taught nothing for longer') FROM status;
UPDATE sources SET silent_after = '3 days';
SELECT is(silent_sources, '[]', 'Silent: how long is a setting of the source') FROM status;
CREATE TABLE quiet (event jsonb);
SELECT watch('quiet');
UPDATE sources SET watched_since = now() - interval '27 hours' WHERE source = 'quiet'::regclass;
SELECT is(silent_sources, '["quiet"]', 'Silent: a source that never taught anything') FROM status;

-- A partitioned source
CREATE TABLE parted (at date, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT watch('parted');
INSERT INTO parted_1 VALUES ('2026-03-01', aws('2026-03-01T10:00:00Z', 'cat', 'ListUsers'));
SELECT is(events_learned, 1::bigint, 'Sources: what goes into a partition counts for the table') FROM source_status WHERE source = 'parted'::regclass;

-- iamwatch.process()
CREATE VIEW seen AS SELECT generate_series AS id, aws('2026-03-01T11:00:00Z', 'dan' || generate_series, 'ListUsers') AS event FROM generate_series(1, 7);
INSERT INTO sources (source, event_column, order_column) VALUES ('seen', 'event', 'id');
SELECT process_rows('seen', 5);
SELECT process_rows('seen', 5);
SELECT is(events_stored || ' ' || events_learned, '7 7', 'Sources: for process(), rows that it took') FROM source_status WHERE source = 'seen'::regclass;

-- Upkeep
INSERT INTO source_counts (source, relation, newest_event_time, counted_at, lag, learned, late, rejected)
SELECT source, relation, newest_event_time, counted_at, lag, 1, 2, 3 FROM source_counts WHERE source = 'log'::regclass;
SELECT events_learned + 0 AS learned FROM status \gset
SELECT fold_source_counts();
SELECT is(count(*), 1::bigint, 'Upkeep: the rows of a source are put together') FROM source_counts WHERE source = 'log'::regclass;
SELECT is(events_learned, :learned::bigint, 'Upkeep: and nothing is lost') FROM status;

-- This session
SELECT asked, hits FROM cache_status() \gset
INSERT INTO log SELECT aws('2026-03-01T09:00:00Z', 'ann', 'ListBuckets', 's3') FROM generate_series(1, 10);
SELECT is((asked - :asked) || ' ' || (hits - :hits), '10 10', 'Session: events that it was asked about, and those it knew to teach nothing') FROM cache_status();
SELECT is(session_cache_entries > 0 AND session_cache_bytes BETWEEN 1 AND pg_size_bytes(current_setting('work_mem')) * current_setting('hash_mem_multiplier')::float8, true,
	'Session: what it remembers is within the memory for a hash table') FROM status;

-- Limits
UPDATE limits SET value = 0 WHERE name = 'rejected_events';
SELECT put('[3]');
SELECT is(limits_hit, '{"rejected_events": 1}', 'Status: limits that were reached') FROM status;

-- Who may look
CREATE ROLE iamwatch_test_reader;
SELECT grant_access('iamwatch_test_reader', 'read');
SET ROLE iamwatch_test_reader;
SELECT lives_ok('SELECT FROM iamwatch.status, iamwatch.source_status, iamwatch.limits, iamwatch.limits_hit', 'Privileges: whoever reads alerts reads these');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
