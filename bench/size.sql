-- What baselines weigh, for the arithmetic of docs/scale.md:
--
--	test/run with psql -X -d postgres -f bench/size.sql
--
-- Four accounts of 1,000 identities each, 195 days: an identity is active on five
-- days of seven, and does ten of 60 IAM operations, each on one active day of five.
-- make bench has it with fewer accounts, and gets two figures: of an identity, and
-- of an identity and what it does.
\set QUIET 1
\if :{?identities}
\else
	\set identities 1000
	\set accounts 4
	\set days 195
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS iamwatch;
CREATE TEMP TABLE ops AS SELECT row_number() OVER (ORDER BY operation) - 1 AS k, operation
FROM iamwatch.operations WHERE provider = 'aws' AND service = 'iam' AND effect <> 'read' ORDER BY operation LIMIT 60;
CREATE UNLOGGED TABLE audit_log AS
WITH days AS (
	SELECT n, n % :accounts AS account, d FROM generate_series(1, :identities * :accounts) AS n, generate_series(0, :days - 1) AS d WHERE (d + n) % 7 < 5
), done AS (
	SELECT n, account, d, 's3' AS service, 'ListBuckets' AS operation FROM days
	UNION ALL
	SELECT n, account, d, 'iam', o.operation FROM days CROSS JOIN generate_series(0, 9) AS b
	JOIN ops AS o ON o.k = (n * 7 + b * 6) % 60
	WHERE hashint4(n * 1000 + b * 100 + d) % 5 = 0
)
SELECT jsonb_build_object('eventTime', to_char('2026-03-01'::timestamp + d * interval '1 day' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
	'eventSource', service || '.amazonaws.com', 'eventName', operation, 'recipientAccountId', lpad(account::text, 12, '0'),
	'eventID', md5(n || ' ' || d || operation), 'awsRegion', 'eu-central-1', 'sourceIPAddress', '192.0.2.1',
	'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', format('arn:aws:iam::%s:user/firstname.lastname%s', lpad(account::text, 12, '0'), n))) AS event
FROM done;
VACUUM ANALYZE audit_log;
CALL iamwatch.backfill('audit_log');
VACUUM ANALYZE iamwatch_internal.identity_days, iamwatch_internal.behaviour_days, iamwatch_internal.tallies;
\if :{?quiet}
SELECT 'identity left', pg_total_relation_size('iamwatch_internal.identity_days')::float8 / count(*) FROM iamwatch_internal.identity_days;
SELECT 'behaviour left', pg_total_relation_size('iamwatch_internal.behaviour_days')::float8 / count(*) FROM iamwatch_internal.behaviour_days;
VACUUM FULL iamwatch_internal.identity_days, iamwatch_internal.behaviour_days;
SELECT 'identity', pg_total_relation_size('iamwatch_internal.identity_days')::float8 / count(*) FROM iamwatch_internal.identity_days;
SELECT 'behaviour', pg_total_relation_size('iamwatch_internal.behaviour_days')::float8 / count(*) FROM iamwatch_internal.behaviour_days;
\else
SELECT rows_done AS events, round(rows_per_second) AS events_a_second, alerts FROM iamwatch.backfill_progress;
SELECT t AS "table", c.reltuples AS "rows", pg_total_relation_size(t) AS bytes, round(pg_total_relation_size(t) / c.reltuples) AS bytes_a_row
FROM unnest(ARRAY['iamwatch_internal.identity_days', 'iamwatch_internal.behaviour_days', 'iamwatch_internal.tallies']::regclass[]) AS t JOIN pg_class AS c ON c.oid = t;
SELECT (SELECT avg(iamwatch.count_days(days))::numeric(5, 1) FROM iamwatch_internal.identity_days) AS active_days,
	(SELECT avg(iamwatch.count_days(days))::numeric(5, 1) FROM iamwatch_internal.behaviour_days) AS days_a_behaviour,
	(SELECT avg(pg_column_size(days))::numeric(5, 1) FROM iamwatch_internal.behaviour_days) AS bytes_of_them;
\endif
