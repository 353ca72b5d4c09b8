\ir settings.psql
SELECT plan(8);
-- What a step of a backfill finds unusual goes to its leader in rows of their own:
-- with names of 64 kB, all days of a step could be more than one value holds.
CREATE TABLE stored (event jsonb);
INSERT INTO stored SELECT aws(('2025-01-01'::date + n)::text || 'T10:00:00Z', repeat('x', 60000),
	CASE WHEN n % 40 = 39 THEN 'CreateUser' ELSE 'ListUsers' END) FROM generate_series(0, 400) AS n;
INSERT INTO iamwatch.detectors (detector, title) VALUES ('another', 'Another');

SELECT lives_ok($$SELECT begin_backfill('stored', NULL, NULL), backfill_read('stored', 'event', NULL, NULL), backfill_partition(1, 5000)$$,
	'A backfill has read a source');
DO $$
BEGIN
	FOR phase IN 1 .. 2 LOOP
		PERFORM begin_backfill_phase('stored', CASE phase WHEN 1 THEN 'learning' ELSE 'scoring' END, 1);
		PERFORM take_backfill_step('stored', true);
	END LOOP;
END $$;
SELECT results_eq($$SELECT (day).detector, count(*), count(DISTINCT (day).day), min(length((day).key)) > 60000 FROM backfill_unusual
	WHERE source = 'stored'::regclass GROUP BY 1 ORDER BY 1$$,
	$$VALUES ('another', 10::bigint, 10::bigint, true), ('unusual_iam_activity', 10, 10, true)$$, 'Each day that a step has found unusual is a row');
SELECT is((SELECT count(unusual) FROM backfill_steps WHERE source = 'stored'::regclass AND done_at IS NOT NULL), 0::bigint,
	'and the row of the step has none of them');
SELECT ok(collect_scored('stored'), 'The leader takes them');
SELECT is((SELECT count(*) FROM pg_temp.iamwatch_unusual), 20::bigint, 'all of them');
DO $$ BEGIN PERFORM end_backfill('stored', 0, 0, 0); END $$;
SELECT is_empty($$TABLE backfill_unusual$$, 'and none is left at the end');

-- What it cannot read is rejected row by row, and each is looked for among those that were.
CREATE TABLE odd (event jsonb);
INSERT INTO odd SELECT jsonb_build_object('n', n) FROM generate_series(1, 300) AS n;
DO $$ BEGIN PERFORM backfill_mark_table(); PERFORM backfill_read('odd', 'event', NULL, NULL); END $$;
SELECT is((SELECT count(*) FROM rejected_events), 300::bigint, 'A backfill rejects what cannot be read');
SELECT is(pg_stat_get_xact_numscans('rejected_events_digest'::regclass) > 0 AND
	(SELECT s.seq_scan <= 1 FROM pg_stat_xact_user_tables AS s WHERE s.relid = 'rejected_events'::regclass), true,
	'and finds those that were rejected before by index, though nothing is known of their table: without, each would take longer than the last');
SELECT * FROM finish();
ROLLBACK;
