\ir settings.psql
SELECT plan(14);

-- All that is kept of an account, but for the numbers that places give to accounts and identities
CREATE FUNCTION kept() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(r, E'\n' ORDER BY r COLLATE "C") FROM (
		SELECT to_jsonb(a)::text FROM iamwatch.alerts AS a
		UNION ALL SELECT to_jsonb(a)::text FROM iamwatch_internal.suppressed_alerts AS a
		UNION ALL SELECT to_jsonb(e)::text FROM iamwatch.alert_events AS e
		UNION ALL SELECT (to_jsonb(h) - 'history_id')::text FROM iamwatch.alert_history AS h
		UNION ALL SELECT to_jsonb(s)::text FROM iamwatch.suppressions AS s
		UNION ALL SELECT (to_jsonb(i) - 'account_id' - 'identity_id')::text FROM iamwatch_internal.identity_days AS i
		UNION ALL SELECT to_jsonb(b)::text FROM iamwatch.baselines AS b
		UNION ALL SELECT to_jsonb(c)::text FROM iamwatch.contexts AS c
		UNION ALL SELECT to_jsonb(a)::text FROM iamwatch.accounts AS a
		UNION ALL SELECT (to_jsonb(n) - 'account_id' - 'identity_id' - 'operation_id')::text FROM iamwatch_internal.novelties AS n
		UNION ALL SELECT (to_jsonb(t) - 'account_id' - 'operation_id')::text FROM iamwatch_internal.tallies AS t
		UNION ALL SELECT (to_jsonb(c) - 'changed_at')::text FROM iamwatch_internal.limit_counts AS c) AS x (r)
$$;

SELECT lives(who, '2026-01-01', '2026-02-20') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve']) AS who;
INSERT INTO suppressions (reason, identity_pattern, operation) VALUES ('known', '%bob', 'CreateUser');
SELECT put(aws('2026-02-01T10:00:00Z', who, 'CreateUser', id => who || 1)) FROM unnest(ARRAY['ann', 'bob', 'cat']) AS who;
SELECT put(aws('2026-02-02T10:00:00Z', 'dan', 'DeleteUser', id => 'd1'));
SELECT triage(alert_id, resolution => CASE WHEN identity LIKE '%ann' THEN 'true_positive' ELSE 'benign' END, note => 'looked')
FROM alerts WHERE identity NOT LIKE '%dan';
CREATE TEMP TABLE before AS SELECT kept() AS state, (SELECT min(account) FROM accounts) AS account,
	(SELECT jsonb_agg(b ORDER BY b.identity, b.operation) FROM baselines AS b) AS learned;
SELECT is(count(*) || ' ' || count(*) FILTER (WHERE status = 'closed'), '3 2', 'There are alerts, open and closed') FROM alerts;
SELECT is(count(*), 1::bigint, 'and one that a suppression hides') FROM iamwatch_internal.suppressed_alerts;

CREATE TEMP TABLE exported AS SELECT x FROM before, export_account('aws', account) AS x;
SELECT is(kept(), state, 'export_account(): changes nothing') FROM before;
SELECT import_account(array_agg(x)) FROM exported;
SELECT is((SELECT count(*) || ' ' || string_agg(event_count::text, ' ' ORDER BY alert_id) FROM alerts), '3 1 1 1', 'import_account(): what is here is not doubled');
SELECT is((SELECT jsonb_agg(b ORDER BY b.identity, b.operation) FROM baselines AS b),
	learned, 'import_account(): days are united') FROM before;

SELECT forget_account('aws', account) FROM before;
SELECT is((SELECT count(*) FROM identities) + (SELECT count(*) FROM alerts) + (SELECT count(*) FROM alert_events) + (SELECT count(*) FROM accounts)
	+ (SELECT count(*) FROM iamwatch_internal.tallies) + (SELECT count(*) FROM iamwatch_internal.behaviour_days), 0::bigint, 'forget_account(): nothing is left');
DELETE FROM suppressions;
SELECT is(import_account(array_agg(x)), 5::bigint, 'import_account(): says how many identities it took') FROM exported;
SELECT is(kept(), state, 'import_account(): the account is as it was, with its alerts, triage and numbers') FROM before;
SELECT put(aws('2026-02-03T11:00:00Z', who, 'CreateUser', id => who || 2)) FROM unnest(ARRAY['bob', 'dan']) AS who;
SELECT put(aws('2026-02-03T11:00:00Z', 'dan', 'DeleteUser', id => 'd2'));
SELECT is((SELECT event_count FROM alerts WHERE operation = 'DeleteUser'), 2::bigint, 'Afterwards: an event joins the alert that it would have joined');
SELECT is((SELECT event_count FROM iamwatch_internal.suppressed_alerts), 2::bigint, 'Afterwards: what is suppressed stays so');
SELECT is((SELECT count(*) FROM alerts WHERE identity LIKE '%dan' AND operation = 'CreateUser'), 1::bigint, 'Afterwards: a new alert has a number of its own');
SELECT throws_ok('SELECT import_account(ARRAY[''{}''::jsonb])', '22023', NULL, 'import_account(): takes only what was exported');
SELECT throws_ok('SELECT export_account(''aws'', ''nobody'')', 'P0002', NULL, 'export_account(): an account that is not known');
SELECT throws_ok('SELECT export_account(NULL, ''1'')', '22004', NULL, 'export_account(): null');
SELECT * FROM finish();
ROLLBACK;
