\ir settings.psql
SELECT plan(61);

-- The number itself: r = (P + 0.1) / (N + 10), pi = (B + 2 r) / (A + 2), phi = (K + 1) / (P + 20),
-- rho = (k + 2 pi phi) / (A + 2), risk = -log2 rho + 2 * sensitivity.
SELECT is(round(risk(0, 0, 0, 0, 0, 0, 1)::numeric, 4), 12.9658, 'Risk: of nothing known, r = pi = 0.01, phi = 0.05, rho = 0.0005, so 10.97 bits and 2 for sensitivity 1');
SELECT is(round(risk(0, 30, 6, 4, 190, 80, 4)::numeric, 2),
	round(-log(2, (0 + 2 * ((6 + 2 * (80.1 / 200)) / 32) * (5.0 / 100)) / 32) + 8, 2), 'Risk: by hand, with sensitivity 4');
SELECT is(round(risk(8, 30, 9, 0, 0, 0, 2)::numeric, 2), 5.99, 'Risk: what the identity does itself is no risk: rho = (8 + 2 * 0.282 * 0.05) / 32');
SELECT is(round((risk(0, 30, 6, 4, 190, 80, 4) - risk(0, 30, 6, 4, 190, 80, 1))::numeric, 9), 6.000000000, 'Risk: 2 bits a step of sensitivity');
SELECT throws_ok('SELECT risk(5, 3, 0, 0, 0, 0, 1)', '22003', 'k (5) must be between 0 and active (3)', 'Risk: k is a part of A');
SELECT throws_ok('SELECT risk(0, 3, 4, 0, 0, 0, 1)', '22003', 'iam_days (4) must be between 0 and active (3)', 'Risk: B is a part of A');
SELECT throws_ok('SELECT risk(0, 0, 0, 9, 8, 0, 1)', '22003', 'peer_days (9) must be between 0 and peer_active (8)', 'Risk: K is a part of N');
SELECT throws_ok('SELECT risk(0, 0, 0, 0, 8, -1, 1)', '22003', 'peer_iam_days (-1) must be between 0 and peer_active (8)', 'Risk: P is a part of N');
SELECT throws_ok('SELECT risk(0, 0, 0, 0, 0, 0, 5)', '22003', 'sensitivity (5) must be between 1 and 4', 'Risk: sensitivity is 1 to 4');
SELECT is(risk(0, 0, 0, 0, 0, 0, NULL), NULL, 'Risk: null of null');

-- From when days count for peers
SELECT is(earliest_days('{2026-01-05,2026-03-01..2026-03-09}'), '{2026-01-05,2026-03-01,2026-03-02}', 'First days: the three smallest');
SELECT is(earliest_days('{2026-01-05,2026-03-01..2026-03-09}'::dayset | '{2026-02-01}'), earliest_days(earliest_days('{2026-01-05,2026-03-01..2026-03-09}')
	| earliest_days('{2026-02-01}')), 'First days: of a union, those of the parts'' three');
SELECT is(settled_days('{2026-01-05,2026-03-01..2026-03-09}', '{2026-01-05,2026-03-01,2026-03-02}'), '{2026-03-02..2026-03-09}', 'Peers: count from the third active day on');
SELECT is(settled_days('{2026-03-01,2026-03-02}', '{2026-03-01,2026-03-02}'), '{}', 'Peers: before it, not at all');
SELECT is(ARRAY[is_newcomer('{}', '2026-03-01'), is_newcomer('{2026-02-01,2026-03-01}', '2026-03-01'), is_newcomer('{2026-02-01,2026-02-28}', '2026-03-01')],
	'{t,t,f}', 'Peers: all days count for who was active on fewer than two days before');

SELECT lives('ann', '2026-01-01', '2026-03-01');
SELECT lives('bob', '2026-01-01', '2026-03-01');
INSERT INTO log SELECT aws(d || 'T09:00:00Z', 'new' || n, 'CreateUser') FROM generate_series(1, 5) AS n, unnest(ARRAY['2026-02-01', '2026-02-02']) AS d;
SELECT put(aws('2026-02-03T09:00:00Z', 'new1', 'CreateUser'));
SELECT put(aws('2026-02-10T09:00:00Z', 'ann', 'CreateUser', id => 'a1'));
CREATE FUNCTION numbers(who text) RETURNS text LANGUAGE sql AS $$
	SELECT (evidence->>'k') || ' ' || (evidence->>'A') || ' ' || (evidence->>'K') || ' ' || (evidence->>'N')
	FROM alerts WHERE identity LIKE '%/' || who ORDER BY alert_id DESC LIMIT 1 $$;
CREATE FUNCTION risks(who text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r->>'k', r->>'A', r->>'B', r->>'K', r->>'N', r->>'P')
	FROM (SELECT evidence->'risk' AS r FROM alerts WHERE identity LIKE '%/' || who ORDER BY alert_id DESC LIMIT 1) AS x $$;
-- bob 30 days, of which all are after his third; new1 one day, its third; new2 to new5 none
SELECT is(numbers('ann'), '0 30 1 31', 'Peers: days of others count from their third active day on');
SELECT is(evidence->'peers', '[{"identity": "arn:aws:iam::111122223333:user/new1", "days": 1}]', 'Peers: so are those that are named') FROM alerts WHERE identity LIKE '%ann';
SELECT put(aws('2026-02-10T09:00:00Z', 'zoe', 'DeleteUser'));
-- ann and bob 30 days each, the new ones 11 days, of which one by new1
SELECT is(numbers('zoe'), '0 0 0 71', 'Peers: for a new name, all days of others count');
SELECT lives('zoe', '2026-02-11', '2026-02-11');
SELECT put(aws('2026-02-12T09:00:00Z', 'zoe', 'DeleteRole'));
SELECT is(numbers('zoe'), '0 2 0 61', 'Peers: with two active days it is new no more');
SELECT put(aws('2025-12-20T09:00:00Z', 'new2', 'ListUsers'));
SELECT put(aws('2026-02-13T09:00:00Z', 'bob', 'CreateUser'));
-- ann 30 days and one of CreateUser, new1 and new2 one of each, zoe one
SELECT is(numbers('bob'), '0 30 3 33', 'Peers: a day that arrives late makes the third an earlier one, and what was done on it count');
SELECT is((SELECT string_agg((to_jsonb(t) - 'era')::text, ' ' ORDER BY t) FROM tallies AS t), (SELECT string_agg((to_jsonb(t) - 'era')::text, ' ' ORDER BY t)
	FROM (SELECT FROM accounts, retally(account_id)) AS again, LATERAL (SELECT * FROM tallies) AS t), 'Peers: tallies follow from the days');

-- The counts of risk: own memory 180 days, peers' 90
-- ann from January 1 to February 9, bob from January 3, his third day, and new1's third
SELECT is(risks('ann'), '0 40 0 1 39 1', 'Memory: A, N and P are those of all the days that are remembered');
DELETE FROM alerts;
INSERT INTO log SELECT aws(d || 'T10:00:00Z', 'kim', 'PutUserPolicy') FROM unnest(ARRAY['2025-12-20', '2025-12-21']) AS d;
INSERT INTO log SELECT aws(d || 'T10:00:00Z', 'kim', 'DeleteUser', more => '{"errorCode": "AccessDenied"}') FROM unnest(ARRAY['2025-12-22', '2025-12-23']) AS d;
SELECT lives('kim', '2026-05-01', '2026-06-30');
SELECT put(aws('2026-06-18T10:00:00Z', 'kim', 'PutUserPolicy', id => 'k1'));
-- 180 days before 2026-06-18 is 2025-12-20; 90 days is 2026-03-20, when nobody else was active
SELECT is(risks('kim'), '2 52 4 0 0 0', 'Memory: own 180 days, peers'' 90');
SELECT is(numbers('kim'), '0 30 0 0', 'Memory: whether to alert follows from 30 days');
SELECT put(aws('2026-06-19T10:00:00Z', 'kim', 'PutGroupPolicy'));
SELECT is(risks('kim'), '0 52 4 0 0 0', 'Memory: the 181st day before is forgotten, an IAM day of today is one tomorrow');
SELECT is(round(risk::numeric, 2), round(risk(2, 52, 4, 0, 0, 0, sensitivity)::numeric, 2), 'Risk: the evidence gives the risk') FROM alerts WHERE operation = 'PutUserPolicy';
SELECT put(aws('2026-06-19T11:00:00Z', 'kim', 'PutUserPolicy', id => 'k2', more => '{"errorCode": "AccessDenied"}'));
SELECT is(risks('kim'), '2 52 4 0 0 0', 'Failed: days with either outcome are days on which it was done');
SELECT put(aws('2026-06-19T11:00:00Z', 'kim', 'DeleteUser'));
SELECT is(risks('kim'), '0 52 4 0 0 0', 'Succeeded: days on which it failed are none');
SELECT put(aws('2026-06-20T11:00:00Z', 'kim', 'PutRolePolicy', id => 'k3'));
SELECT is(risks('kim'), '0 52 4 0 0 0', 'Any IAM operation: its days count once, whatever was done on them');
UPDATE alerts SET status = 'closed', resolution = 'true_positive' WHERE operation = 'PutUserPolicy' AND NOT failed;
SELECT put(aws('2026-06-24T11:30:00Z', 'kim', 'PutUserPolicy', id => 'k4', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-06-26T11:30:00Z', 'kim', 'PutUserPolicy', id => 'k5'));
-- of December nothing is left; May 1 to June 25, and IAM on June 18, 19, 20 and 24
SELECT is(risks('kim'), '0 56 4 0 0 0', 'Triage: days of an attack are not in k, but in A and B');
SELECT is(peer_iam || ' ' || own_iam, '1 5', 'Any IAM operation: tallied by its own number, apart from any activity')
FROM (SELECT (SELECT sum(settled) FROM tallies WHERE operation_id = -1 AND day = '2026-06-19') AS peer_iam,
	(SELECT count_days(iam_days, '2026-01-01', '2026-12-31') FROM identity_days WHERE identity LIKE '%kim') AS own_iam) AS x;

-- Upkeep
SELECT is(stored_days() || ' ' || kept_days(), '375 195', 'Kept: the longest memory and 15 days; stored: as long before those');
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'old', 'ListBuckets', 's3', more => '{"recipientAccountId": "555555555555"}')
FROM generate_series('2025-01-01', '2025-01-03'::date, interval '1 day') AS d;
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'now', 'ListBuckets', 's3', more => '{"recipientAccountId": "555555555555"}')
FROM generate_series('2026-03-01', '2026-05-01'::date, interval '1 day') AS d;
SELECT FROM accounts AS a, prune_account(a.account_id) WHERE a.account = '555555555555';
SELECT is(days || ' ' || first_days, '{} {2025-01-01..2025-01-03}', 'Upkeep: the first three days stay, when all days were dropped')
FROM identity_days WHERE identity LIKE '%/old';
SELECT is_empty($$SELECT FROM identities WHERE identity LIKE '%/old'$$, 'Upkeep: who has no days any more is not listed');
SELECT put(aws('2026-04-30T08:00:00Z', 'old', 'CreateUser', more => '{"recipientAccountId": "555555555555"}'));
SELECT put(aws('2026-05-01T08:00:00Z', 'now', 'CreateUser', more => '{"recipientAccountId": "555555555555"}'));
SELECT is(numbers('now'), '0 30 1 1', 'Upkeep: who comes back after a year is no new name');

-- Names that are made for one lease (hashicorp/vault#7606: a user per lease; CI tools: an @ in the session)
CREATE TABLE leases (event jsonb);
SELECT watch('leases');
INSERT INTO leases SELECT aws(d::date || 'T09:00:00Z', 'p' || p, 'DescribeInstances', 'ec2', more => '{"recipientAccountId": "666666666666"}')
FROM generate_series(1, 6) AS p, generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d;
INSERT INTO leases SELECT aws(d::date || 'T10:00:00Z', 'vault-token-deploy-' || d::date || '-' || n, 'AttachRolePolicy', more => '{"recipientAccountId": "666666666666"}')
FROM generate_series(1, 40) AS n, generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d;
SELECT is(count(*), 0::bigint, 'Leases: 40 names a day that do what such names do raise no flood') FROM alerts WHERE account = '666666666666';
INSERT INTO leases SELECT aws('2026-02-10T10:00:00Z', 'p1', 'AttachRolePolicy', more => '{"recipientAccountId": "666666666666"}');
SELECT is(numbers('p1'), '0 30 0 150', 'Leases: a person whose credentials are stolen alerts, though such names do it daily');
CREATE FUNCTION session(at date, session text, operation text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws(at || 'T10:00:00Z', 'x', operation, more => jsonb_build_object('recipientAccountId', '777777777777', 'userIdentity', jsonb_build_object(
		'type', 'AssumedRole', 'accountId', '777777777777', 'arn', 'arn:aws:sts::777777777777:assumed-role/spacelift/' || session))) $$;
INSERT INTO leases SELECT aws(d::date || 'T09:00:00Z', 'p' || p, 'DescribeInstances', 'ec2', more => '{"recipientAccountId": "777777777777"}')
FROM generate_series(1, 6) AS p, generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d;
INSERT INTO leases SELECT session(d::date, 'run' || d::date || 'n' || n || '@stack', 'CreateRole')
FROM generate_series(1, 8) AS n, generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d;
SELECT is(count(*), 0::bigint, 'Leases: nor do runs under throw-away names') FROM alerts WHERE account = '777777777777';
INSERT INTO leases SELECT aws('2026-02-10T10:00:00Z', 'p1', 'CreateRole', more => '{"recipientAccountId": "777777777777"}');
SELECT is(numbers('p1'), '0 30 0 150', 'Leases: and a person who never did what they do alerts') FROM alerts WHERE account = '777777777777';

-- The least risk
SELECT is((SELECT count(*) FROM alerts WHERE operation = 'CreateLoginProfile'), 0::bigint, 'Least risk: null by default')
FROM detectors WHERE least_risk IS NULL;
UPDATE detectors SET least_risk = 18;
SELECT put(aws('2026-06-28T10:00:00Z', 'kim', 'DetachUserPolicy', id => 'd1'));
SELECT put(aws('2026-06-28T11:00:00Z', 'kim', 'DetachUserPolicy', id => 'd2'));
SELECT put(aws('2026-06-28T10:00:00Z', 'kim', 'DetachUserPolicy', id => 'd1'));
SELECT is_empty($$SELECT FROM alerts WHERE operation = 'DetachUserPolicy'$$, 'Least risk: an unusual event of lower risk opens no alert, nor when delivered again');
SELECT put(aws('2026-06-28T10:00:00Z', 'kim', 'CreateLoginProfile', id => 'l1'));
SELECT cmp_ok(risk, '>=', 18::float8, 'Least risk: one of higher risk does') FROM alerts WHERE operation = 'CreateLoginProfile';
SELECT is((SELECT count(*) FROM backtest('log') AS b WHERE b.risk < 18), 0::bigint, 'Least risk: backtest leaves out the same');
SELECT is((SELECT count(*) FROM backtest('log', least_risk => 0)) > (SELECT count(*) FROM backtest('log')), true, 'Least risk: another can be tried');
UPDATE detectors SET least_risk = 5, probability_limit = 0.05;
SELECT put(aws('2026-06-29T10:00:00Z', 'kim', 'DetachUserPolicy', id => 'd3'));
SELECT put(aws('2026-06-28T12:00:00Z', 'kim', 'DetachUserPolicy', id => 'd4'));
SELECT is(event_count || ' ' || first_event_time, '1 2026-06-29 10:00:00+00', 'Least risk: what happened on a day of lower risk does not join the alert of a later day')
FROM alerts WHERE operation = 'DetachUserPolicy';
DELETE FROM alerts WHERE operation = 'DetachUserPolicy';
UPDATE detectors SET least_risk = NULL, probability_limit = 0.02;
SELECT is(count(*), 0::bigint, 'Risk: backtest finds that of every alert that the triggers raised')
FROM alerts AS a LEFT JOIN backtest('leases') AS b USING (provider, account, identity, service, operation, failed, first_event_time)
WHERE a.account IN ('666666666666', '777777777777') AND (b.risk IS NULL OR round(b.risk::numeric, 9) <> round(a.risk::numeric, 9) OR b.risk_counts <> a.evidence->'risk');

-- How many are urgent
SELECT is(incidents || ' ' || urgent_incidents, '2 2', 'Urgent: fewer than the budget of 28 days all are') FROM backtest_summary('leases');
CREATE TABLE many (event jsonb);
INSERT INTO many SELECT aws(d::date || 'T09:00:00Z', 'p' || p, 'ListBuckets', 's3')
FROM generate_series(1, 60) AS p, generate_series('2026-01-01'::date, '2026-02-28', interval '1 day') AS d;
INSERT INTO many SELECT aws(date '2026-01-30' + (p / 3) || 'T10:00:00Z', 'p' || p, CASE WHEN p % 3 = 0 THEN 'CreateUser' ELSE 'DeleteRole' END) FROM generate_series(1, 59) AS p;
SELECT is((SELECT urgent_incidents FROM backtest_summary('many', daily_budget => 1)),
	(WITH i AS (SELECT first_event_time AS began, risk FROM backtest('many'))
	SELECT count(*) FROM i WHERE (SELECT count(*) FROM i AS e WHERE e.began < i.began AND e.began >= i.began - interval '28 days') < 28
	OR i.risk >= (SELECT e.risk FROM i AS e WHERE e.began < i.began AND e.began >= i.began - interval '28 days' ORDER BY e.risk DESC OFFSET 27 LIMIT 1)),
	'Urgent: reaches the (28 * budget)-th highest risk of those that began in the 28 days before');
SELECT cmp_ok((SELECT urgent_incidents FROM backtest_summary('many', daily_budget => 1)), '<', (SELECT incidents FROM backtest_summary('many')), 'Urgent: not all of them');

-- Several settings at once
CREATE FUNCTION scans() RETURNS bigint LANGUAGE sql AS $$SELECT pg_stat_get_xact_numscans('many'::regclass)$$;
SELECT scans() AS before \gset
CREATE TEMP TABLE one AS SELECT 1 AS n, s.* FROM backtest_summary('many', probability_limit => 0.001) AS s;
SELECT scans() - :before AS scans, scans() AS before \gset
CREATE TEMP TABLE all_of_them AS SELECT row_number() OVER () AS n, s.* FROM backtest_summary('many', ARRAY['{"probability_limit": 0.001}',
	'{"training_days": 10, "daily_budget": 1}', '{"least_risk": 25}', '{}', '{"memory_days": 20, "peer_memory_days": 10, "least_sensitivity": 3}']::jsonb[]) AS s;
SELECT is(scans() - :before, :scans::bigint, 'Several settings: one read of the table, whatever their number');
INSERT INTO one SELECT 2, s.* FROM backtest_summary('many', training_days => 10, daily_budget => 1) AS s;
INSERT INTO one SELECT 3, s.* FROM backtest_summary('many', least_risk => 25) AS s;
INSERT INTO one SELECT 4, s.* FROM backtest_summary('many') AS s;
UPDATE detectors SET memory_days = 20, peer_memory_days = 10, lateness_days = 400;
INSERT INTO one SELECT 5, s.* FROM backtest_summary('many', least_sensitivity => 3) AS s;
UPDATE detectors SET memory_days = 180, peer_memory_days = 90, lateness_days = 15;
SELECT is((SELECT count(DISTINCT alerts) FROM one WHERE n < 5) > 2, true, 'Several settings: they differ');
SELECT results_eq($$SELECT n, alerts, days, identities, by_severity, incidents, urgent_incidents FROM all_of_them ORDER BY n$$,
	$$SELECT n::bigint, alerts, days, identities, by_severity, incidents, urgent_incidents FROM one ORDER BY n$$, 'Several settings: each gives what it gives alone');
SELECT is(setting, '{"least_risk": 25}', 'Several settings: each row says which') FROM all_of_them WHERE n = 3;
SELECT throws_ok($$SELECT backtest_summary('many', ARRAY['{"severity_base": "low"}']::jsonb[])$$, '22023', 'setting "severity_base" cannot be tried', 'Several settings: one that makes no difference is refused');
SELECT throws_ok($$SELECT backtest_summary('many', ARRAY['{"memory_days": 0}']::jsonb[])$$, '22023', 'memory_days must be between 1 and 3650', 'Several settings: so is one out of range');

-- The settings
SELECT throws_ok('UPDATE detectors SET memory_days = 0', '22023', 'memory_days must be between 1 and 3650', 'Settings: memory_days');
SELECT throws_ok('UPDATE detectors SET peer_memory_days = 4000', '22023', 'peer_memory_days must be between 1 and 3650', 'Settings: peer_memory_days');
SELECT throws_ok('UPDATE detectors SET daily_budget = 0', '22023', 'daily_budget must be between 1 and 10000', 'Settings: daily_budget');
SELECT throws_ok('UPDATE detectors SET least_risk = -1', '22023', 'least_risk must be between 0 and 100, or null', 'Settings: least_risk');

-- In words
SELECT matches(explain(max(alert_id)), 'rho = \(k \+ 2 pi phi\) / \(A \+ 2\)', 'Explained: the arithmetic of the risk') FROM alerts;
SELECT is((explain_json(alert_id)->'risk'->>'risk')::float8, risk, 'Explained: as JSON') FROM alerts ORDER BY alert_id DESC LIMIT 1;

SELECT * FROM finish();
ROLLBACK;
