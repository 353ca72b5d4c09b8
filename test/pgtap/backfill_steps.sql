\ir settings.psql
SELECT plan(6);
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
SELECT * FROM finish();
ROLLBACK;
