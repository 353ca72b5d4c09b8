\ir settings.psql
SELECT plan(14);
-- A backfill reads a source by one aggregate in memory, or has the server group
-- it where memory does not hold that: the same of both, in any number of processes.
CREATE TABLE stored (event jsonb);
CREATE FUNCTION stored_event(who text, at timestamptz, operation text DEFAULT 'CreateUser', more jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE sql RETURN jsonb_build_object('eventSource', 'iam.amazonaws.com', 'eventName', operation, 'eventTime', at::text,
		'recipientAccountId', '1111222233' || length(who), 'userIdentity',
		jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::111122223333:user/' || who)) || more;
-- many identities; few of many days, in no order; the same failed; other kinds of the same name; days around 2000
INSERT INTO stored SELECT stored_event('user' || n, '2026-02-01'::timestamptz + n % 7 * interval '9 hours', CASE WHEN n % 3 = 0 THEN 'GetUser' ELSE 'CreateUser' END)
FROM generate_series(1, 6000) AS n;
INSERT INTO stored SELECT stored_event('u' || n % 5, '2025-01-01'::timestamptz + n * 7919 % 400 * interval '1 day 1 second', 'DeleteUser',
	CASE WHEN n % 2 = 0 THEN '{"errorCode": "AccessDenied"}' ELSE '{}' END::jsonb) FROM generate_series(1, 2000) AS n;
INSERT INTO stored SELECT stored_event('u' || n % 3, '1999-12-25'::timestamptz + n * interval '5 hours', 'GetUser',
	jsonb_build_object('userIdentity', jsonb_build_object('type', CASE n % 2 WHEN 0 THEN 'Root' ELSE 'FederatedUser' END, 'arn', 'u' || n % 3)))
FROM generate_series(1, 100) AS n;
INSERT INTO stored SELECT jsonb_build_object('n', n) FROM generate_series(1, 50) AS n;
INSERT INTO stored VALUES (NULL), ('1'), (stored_event('late', now() + interval '3 days')), (stored_event(repeat('x', 70000), '2026-02-01'));

CREATE VIEW by_server AS
SELECT (m).key, dayset_agg((m).at) AS days, min((m).at) AS first, count(*) AS events
FROM (SELECT baseline_key(event) AS m FROM stored) AS k GROUP BY (m).key;
CREATE FUNCTION differs(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	WITH read AS MATERIALIZED (SELECT r.key, r.days::text, r.first, r.events FROM read_days('stored', 'event', since, until) AS r),
	wanted AS MATERIALIZED (
		SELECT (m).key, dayset_agg((m).at)::text, min((m).at), count(*)
		FROM (SELECT baseline_key(event) AS m FROM stored) AS k
		WHERE (m).key IS NULL OR ((since IS NULL OR (m).at >= since) AND (until IS NULL OR (m).at < until)) GROUP BY (m).key)
	SELECT count(*) FROM ((TABLE read EXCEPT ALL TABLE wanted) UNION ALL (TABLE wanted EXCEPT ALL TABLE read)) AS x
$$;
CREATE FUNCTION rows_in_memory() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT stored_days(event, NULL, NULL) AS packed FROM stored) AS s CROSS JOIN LATERAL stored_days_rows(s.packed)
$$;

SELECT cmp_ok(rows_in_memory(), '>', 6000::bigint, 'In memory: the days of all keys are there');
SELECT is(differs(), 0::bigint, 'In memory: the same keys, days, first times and counts as grouped by the server');
SELECT is(differs('2025-03-01', '2026-02-02 09:00'), 0::bigint, 'In memory: since is included, until is not');
SELECT is(differs('2031-01-01', NULL), 0::bigint, 'In memory: of a time without events, what cannot be read');
SELECT is((SELECT events FROM read_days('stored', 'event', NULL, NULL) WHERE key IS NULL), 54::bigint, 'In memory: what is refused is counted');

SET LOCAL maintenance_work_mem = '1MB';
SET LOCAL work_mem = '64kB';
SELECT is(rows_in_memory(), 0::bigint, 'By the server: memory does not hold them');
SELECT is(differs(), 0::bigint, 'By the server: the same');
SELECT is(differs('2025-03-01', '2026-02-02 09:00'), 0::bigint, 'By the server: since is included, until is not');

SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SELECT is(differs(), 0::bigint, 'By the server, in parallel: the same');
RESET maintenance_work_mem;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		plan := plan || line || E'\n';
	END LOOP;
	RETURN plan;
END $$;
SELECT matches(plan_of('SELECT stored_days(event, NULL, NULL) FROM stored'), 'Finalize Aggregate.*Gather.*Partial Aggregate.*Parallel Seq Scan',
	'In memory, in parallel: each process has a part');
SELECT is(differs(), 0::bigint, 'In memory, in parallel: the same');

TRUNCATE stored;
SELECT is_empty($$SELECT * FROM read_days('stored', 'event', NULL, NULL)$$, 'An empty source has no days');
SELECT throws_ok($$SELECT * FROM stored_days_rows('\x0001')$$, '22P03', NULL, 'What no aggregate has packed is refused');
SELECT throws_ok($$SELECT * FROM stored_days_rows(decode('00' || repeat('ff', 27) || '7f00000000', 'hex'))$$, '22P03', NULL, 'and so are days that no date can be');
SELECT * FROM finish();
ROLLBACK;
