\ir settings.psql
SELECT plan(37);

-- Every table of the extension is one of these.  A new one makes the test fail
-- until somebody has said which, and, if an account has state in it, until
-- export_account() carries it.
CREATE TABLE holds (name regclass PRIMARY KEY, what text NOT NULL CHECK (what IN ('carried', 'follows', 'waits', 'place', 'shared')));
INSERT INTO holds VALUES
	('iamwatch_internal.accounts', 'carried'), ('identity_days', 'carried'), ('account_operations', 'carried'), ('behaviour_days', 'carried'),
	('habits', 'carried'), ('novelties', 'carried'), ('limit_counts', 'carried'), ('iamwatch.alerts', 'carried'),
	('iamwatch_internal.suppressed_alerts', 'carried'), ('iamwatch_internal.withdrawn_alerts', 'carried'), ('alert_events', 'carried'), ('alert_history', 'carried'),
	('suppressions', 'carried'), ('unsent_notifications', 'carried'), ('rejected_events', 'carried'),
	('instances', 'carried'), ('instance_history', 'carried'), ('firewalls', 'carried'),
	-- from what is carried
	('tallies', 'follows'), ('kept_incidents', 'follows'), ('changed_incidents', 'follows'),
	-- taken in before an export
	('journal', 'waits'), ('context_journal', 'waits'), ('pending_events', 'waits'),
	-- what a place did with the account
	('counted_elsewhere', 'place'), ('forgotten_accounts', 'place'),
	-- of all accounts
	('all_alerts', 'shared'), ('backfills', 'shared'), ('backfill_steps', 'shared'), ('backfill_unusual', 'shared'), ('column_fields', 'shared'), ('detectors', 'shared'), ('end_of_statement', 'shared'),
	('given_rows', 'shared'), ('kept_links', 'shared'), ('links_done', 'shared'), ('limits', 'shared'), ('operations', 'shared'), ('playbook', 'shared'), ('providers', 'shared'),
	('source_counts', 'shared'), ('sources', 'shared'), ('stays_on_node', 'shared'), ('target_paths', 'shared'), ('variations', 'shared');
SELECT is(array_agg(c.oid::regclass ORDER BY 1), NULL, 'Every table is known to hold state of an account, or not to')
FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
AND NOT EXISTS (SELECT FROM holds AS h WHERE h.name = c.oid);

-- All that is kept, every column of it, with names instead of the numbers that a
-- place gives to accounts, identities and operations.
CREATE FUNCTION kept(one regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT concat_ws(' ', %L, (SELECT a.account FROM iamwatch_internal.accounts AS a WHERE a.account_id = (r->>'account_id')::integer),
			(SELECT i.identity FROM iamwatch_internal.identity_days AS i WHERE i.account_id = (r->>'account_id')::integer AND i.identity_id = (r->>'identity_id')::bigint),
			CASE WHEN (r->>'operation_id')::integer <= 0 THEN r->>'operation_id' END,
			(SELECT concat_ws(' ', o.service, o.operation, o.failed) FROM iamwatch_internal.account_operations AS o
				WHERE o.account_id = (r->>'account_id')::integer AND o.operation_id = (r->>'operation_id')::integer),
			r - '{account_id,identity_id,operation_id,history_id,rejected_id,kept_by}'::text[])
		FROM (SELECT to_jsonb(t) - 'era' AS r FROM %s AS t) AS x$q$, one, one);
END $$;
CREATE FUNCTION kept() RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(k) FROM holds AS h CROSS JOIN LATERAL kept(h.name) AS k
	WHERE h.what IN ('carried', 'follows', 'waits') AND k NOT LIKE '%"scope": "public.%'
$$;
CREATE FUNCTION differs_from(state text[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(x, E'\n') FROM (
		(SELECT 'now: ' || k FROM unnest(kept()) AS k EXCEPT ALL SELECT 'now: ' || k FROM unnest(state) AS k)
		UNION ALL (SELECT 'before: ' || k FROM unnest(state) AS k EXCEPT ALL SELECT 'before: ' || k FROM unnest(kept()) AS k)) AS d (x)
$$;
CREATE FUNCTION rows_of(one regclass) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM kept(one)';

-- another account, which is not to be touched, and a suppression by hand, which stays
INSERT INTO log SELECT aws(d::date || 'T09:00:00Z', 'ann', 'ListBuckets', 's3', more => '{"recipientAccountId": "999999999999"}')
FROM generate_series('2026-01-01'::date, '2026-01-20', interval '1 day') AS d;
SELECT put(aws('2026-01-21T10:00:00Z', 'ann', 'CreateUser', more => '{"recipientAccountId": "999999999999"}'));
INSERT INTO suppressions (reason, identity_pattern, operation) VALUES ('known', '%bob', 'CreateUser');
CREATE TEMP TABLE other AS SELECT kept() AS state;

SELECT lives(who, '2026-01-01', '2026-02-20') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve']) AS who;
SELECT put(aws('2026-02-01T10:00:00Z', who, 'CreateUser', id => who || 1)) FROM unnest(ARRAY['ann', 'bob', 'cat']) AS who;
SELECT put(aws('2026-02-02T10:00:00Z', 'dan', 'DeleteUser', id => 'd1'));
SELECT triage(alert_id, resolution => CASE WHEN identity LIKE '%ann' THEN 'true_positive' ELSE 'benign' END, note => 'looked')
FROM alerts WHERE identity NOT LIKE '%dan' AND account = '111122223333';
SET client_min_messages = error;
SELECT put(aws('2025-01-01T10:00:00Z', 'eve', 'CreateUser'));	-- late
SELECT put(aws('2999-01-01T10:00:00Z', 'eve', 'CreateUser'));	-- from the future
UPDATE iamwatch_internal.accounts SET dropped_before = '2025-12-01' WHERE account = '111122223333';
INSERT INTO unsent_notifications SELECT max(alert_id) FROM iamwatch.alerts;
INSERT INTO iamwatch_internal.withdrawn_alerts SELECT (a::all_alerts).*, NULL, clock_timestamp(), 'no longer unusual', '{2026-02-02 10:00Z}', '{w1}' FROM iamwatch.alerts AS a WHERE identity LIKE '%dan';
UPDATE iamwatch_internal.withdrawn_alerts SET alert_id = 1000;
INSERT INTO instances VALUES ('aws', '111122223333', 'i-1', '{192.0.2.9}', true, 'eu-west-1', '{sg-1}', '2026-01-01Z', '2026-02-01Z');
INSERT INTO instance_history VALUES ('aws', '111122223333', 'i-1', '{}', false, 'eu-west-1', '[2025-01-01Z,2026-01-01Z)');
INSERT INTO firewalls VALUES ('aws', '111122223333', '2026-02-01Z', '["sg-1"]');
-- what other sessions left
INSERT INTO journal (provider, account, identity, kinds, days, late_events, learned_at) VALUES ('aws', '111122223333', 'arn:aws:iam::111122223333:user/fay', 2, '{2026-02-03}', 2, now());
INSERT INTO context_journal SELECT parse(aws('2026-02-01T10:00:00Z', 'ann', 'CreateUser')), 'AKIA1', false;
INSERT INTO pending_events (detector, event, unusual, day_scored, score)
SELECT 'unusual_iam_activity', parse(aws('2026-02-02T11:00:00Z', 'dan', 'DeleteUser', id => 'd9')), false, true, ROW(0, 0, 0, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL)::score;

SELECT is(count(*) || ' ' || count(*) FILTER (WHERE status = 'closed'), '3 2', 'There are alerts, open and closed') FROM alerts WHERE account = '111122223333';
SELECT is((SELECT array_agg(name ORDER BY 1) FROM holds WHERE what IN ('carried', 'follows', 'waits') AND name <> 'changed_incidents'::regclass AND rows_of(name) = 0),
	NULL, 'There is something in every table that holds state of an account');

CREATE TEMP TABLE exported AS SELECT x FROM export_account('aws', '111122223333') AS x;
SELECT is((SELECT string_agg(name::text, ' ' ORDER BY 1) FROM holds WHERE what = 'waits' AND rows_of(name) > 0),
	NULL, 'export_account(): what waits is taken in');
SELECT is((SELECT event_count FROM alerts WHERE identity LIKE '%dan'), 2::bigint, 'and joins its alert');
SELECT is(late_events, 3::bigint, 'and is counted') FROM iamwatch.accounts WHERE account = '111122223333';
SELECT keep_changed_incidents(NULL);
CREATE TEMP TABLE before AS SELECT kept() AS state,
	(SELECT jsonb_agg(b ORDER BY b.account, b.identity, b.operation) FROM baselines AS b) AS learned;
CREATE TEMP TABLE again AS SELECT x FROM export_account('aws', '111122223333') AS x;
SELECT is(differs_from(state), NULL, 'export_account(): changes nothing else') FROM before;
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL extra_float_digits = 0;
SELECT is((SELECT array_agg(x ORDER BY x) FROM export_account('aws', '111122223333') AS x), (SELECT array_agg(x ORDER BY x) FROM exported),
	'export_account(): the same for the same state, whatever the settings of the session');
SET LOCAL timezone = 'UTC';
SET LOCAL extra_float_digits = 1;
SELECT import_account(array_agg(x)) FROM exported;
SELECT is(differs_from(state), NULL, 'import_account(): what is here is not doubled, nor counted twice') FROM before;
SELECT is((SELECT jsonb_agg(b ORDER BY b.account, b.identity, b.operation) FROM baselines AS b),
	learned, 'import_account(): days are united') FROM before;

SELECT forget_account('aws', '111122223333');
DELETE FROM instances;
DELETE FROM instance_history;
DELETE FROM firewalls;
SELECT is(differs_from(state), NULL, 'forget_account(): nothing is left, and nothing of others is touched') FROM other;
SELECT is(import_account(array_agg(x)), 6::bigint, 'import_account(): says how many identities it took') FROM exported;
SELECT is(differs_from(state), NULL, 'import_account(): every table is as it was, column by column') FROM before;
SELECT import_account(array_agg(x)) FROM exported;
SELECT is(differs_from(state), NULL, 'import_account(): the same once more changes nothing') FROM before;
SELECT put(aws('2026-02-03T11:00:00Z', who, 'CreateUser', id => who || 2)) FROM unnest(ARRAY['bob', 'dan']) AS who;
SELECT put(aws('2026-02-03T11:00:00Z', 'dan', 'DeleteUser', id => 'd2'));
SELECT is((SELECT event_count FROM alerts WHERE operation = 'DeleteUser'), 3::bigint, 'Afterwards: an event joins the alert that it would have joined');
SELECT is((SELECT event_count FROM iamwatch_internal.suppressed_alerts), 2::bigint, 'Afterwards: what is suppressed stays so');
SELECT is((SELECT count(*) FROM alerts WHERE identity LIKE '%dan' AND operation = 'CreateUser'), 1::bigint, 'Afterwards: a new alert has a number of its own');
SELECT is((SELECT count(*) FROM alerts WHERE alert_id = 1000), 0::bigint, 'Afterwards: no alert has the number of one that was withdrawn');
SELECT throws_ok('SELECT triage(1000)', 'P0002', 'alert 1000 was withdrawn', 'Afterwards: what was withdrawn is still known as such');

-- what others counted, and what was counted here
SELECT is(late_events, 3::bigint, 'Counts: those of the export') FROM iamwatch.accounts WHERE account = '111122223333';
SET client_min_messages = error;
SELECT put(aws('2025-01-02T10:00:00Z', 'eve', 'CreateUser'));
SELECT import_account(array_agg(x)) FROM exported;
SELECT is(late_events, 4::bigint, 'Counts: what came here, and once what the export has') FROM iamwatch.accounts WHERE account = '111122223333';
UPDATE exported SET x = jsonb_set(x, '{counts}', (SELECT jsonb_agg(CASE c->>'name' WHEN 'late_events' THEN c || '{"taken": 5}' ELSE c END)
	FROM jsonb_array_elements(x->'counts') AS c)) WHERE x ? 'format';
SELECT import_account(array_agg(x)) FROM exported;
SELECT is(late_events, 6::bigint, 'Counts: of a later export of that place, what came since') FROM iamwatch.accounts WHERE account = '111122223333';
CREATE TEMP TABLE onward AS SELECT x FROM export_account('aws', '111122223333') AS x;
SELECT is((SELECT count(*) FROM onward, jsonb_array_elements(x->'counts') AS c WHERE c->>'name' = 'late_events'), 2::bigint, 'Counts: an export says who counted what');
SELECT forget_account('aws', '111122223333');
SELECT import_account(array_agg(x)) FROM onward;
SELECT import_account(array_agg(x)) FROM exported;
SELECT is(late_events, 6::bigint, 'Counts: by which a third place does not add what it has by way of another') FROM iamwatch.accounts WHERE account = '111122223333';

-- an account that was begun here before what is known of it came
SELECT forget_account('aws', '111122223333');
SELECT lives(who, '2026-02-19', '2026-02-25') FROM unnest(ARRAY['ann', 'bob', 'gus']) AS who;
SELECT put(aws('2026-02-22T10:00:00Z', 'ann', 'CreateUser', id => 'ann3'));
SELECT is((SELECT count(*) FROM novelties WHERE at >= '2026-02-22'), 1::bigint, 'Begun anew: what it does is new here');
SELECT import_account(array_agg(x)) FROM onward;
SELECT is((SELECT days FROM identities WHERE identity LIKE '%ann' AND account = '111122223333'), '{2026-01-01..2026-02-25}'::dayset, 'Begun anew: days are united');
SELECT is((SELECT days FROM identities WHERE identity LIKE '%gus'), '{2026-02-19..2026-02-25}'::dayset, 'Begun anew: who is known here only stays');
SELECT is((SELECT count(*) FROM novelties WHERE at >= '2026-02-22'), 0::bigint, 'Begun anew: what others knew is not new');
SELECT is((SELECT count(*) FROM (SELECT account_id, operation_id, is_user, day FROM tallies GROUP BY 1, 2, 3, 4 HAVING count(*) > 1) AS x), 0::bigint, 'Begun anew: one tally a day');
SELECT is((SELECT sum(identities) FROM tallies WHERE operation_id = 0), (SELECT sum(count_days(days)) FROM identities)::bigint, 'Begun anew: tallies follow from the days');

-- an alert whose number is taken
SELECT forget_account('aws', '111122223333');
UPDATE onward SET x = jsonb_set(x, '{alert,alert_id}', (SELECT to_jsonb(alert_id) FROM alerts)) WHERE x->'alert'->>'operation' = 'DeleteUser';
SELECT import_account(array_agg(x)) FROM onward;
SELECT is((SELECT count(*) FROM alerts WHERE operation = 'DeleteUser' AND alert_id > 1000), 1::bigint, 'Taken: the alert gets another number here, past all that came');
SELECT is((SELECT event_count FROM alerts WHERE operation = 'DeleteUser'), (SELECT count(*) FROM alert_events AS e JOIN alerts AS a USING (alert_id) WHERE a.operation = 'DeleteUser'),
	'Taken: with its events');
SELECT is((SELECT count(*) FROM incidents AS i WHERE incident_id <> ALL (alert_ids)), 0::bigint, 'Taken: incidents have the numbers that their alerts have here');

SELECT add_counts(account_id, ARRAY[ROW('aws', '111122223333', 'elsewhere', 'new_identities', '2026-02-01', 12000, 1, now())::counted_elsewhere])
FROM accounts WHERE account = '111122223333';
SELECT is(taken || ' ' || large || ' ' || hit, '12000 true true', 'Counts: those that came are found as those made here are') FROM limit_counts
WHERE name = 'new_identities' AND day = '2026-02-01';

SELECT throws_ok('SELECT import_account(ARRAY[''{}''::jsonb])', '22023', NULL, 'import_account(): takes only what was exported');
SELECT throws_ok('SELECT export_account(''aws'', ''nobody'')', 'P0002', NULL, 'export_account(): an account that is not known');
SELECT throws_ok('SELECT export_account(NULL, ''1'')', '22004', NULL, 'export_account(): null');
SELECT * FROM finish();
ROLLBACK;
