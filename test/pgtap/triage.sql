\ir settings.psql
SELECT plan(55);

CREATE FUNCTION alert(who text, operation text = 'CreateUser') RETURNS bigint LANGUAGE sql AS $$
	SELECT max(alert_id) FROM alerts WHERE identity LIKE '%' || who AND alerts.operation = $2
$$;
CREATE FUNCTION baseline(who text, operation text = 'CreateUser') RETURNS text LANGUAGE sql AS $$
	SELECT days::text FROM baselines WHERE identity LIKE '%' || who AND baselines.operation = $2 AND NOT failed
$$;
CREATE FUNCTION numbers(who text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(first_event_time::date || ' ' || event_count, ', ' ORDER BY alert_id) FROM alerts WHERE identity LIKE '%' || who
$$;

-- What an alert can be
SELECT lives(who, '2026-01-01', '2026-02-20') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve']) AS who;
SELECT put(aws('2026-02-01T10:00:00Z', 'ann', 'CreateUser', id => 'a1'));
SELECT put(aws('2026-02-03T10:00:00Z', 'ann', 'CreateUser', id => 'a2'));
SELECT throws_ok($$UPDATE alerts SET status = 'closed'$$, '23514', NULL, 'Status: closed needs a resolution');
SELECT throws_ok($$UPDATE alerts SET resolution = 'benign'$$, '23514', NULL, 'Status: an alert that is not closed has no resolution');
SELECT throws_ok($$SELECT triage(alert('ann'), 'done')$$, '23514', NULL, 'Status: new, investigating or closed');
SELECT throws_ok($$SELECT triage(alert('ann'), 'closed', 'ignored')$$, '23514', NULL, 'Resolution: true_positive, benign or expected_change');
SELECT throws_ok($$SELECT triage(alert('ann'), attack_until => '2026-02-09')$$, '23514', NULL, 'attack_until: with true_positive only');
SELECT throws_ok($$SELECT triage(alert('ann'), resolution => 'true_positive', attack_until => '2026-01-31')$$, '22023', NULL,
	'attack_until: not before the alert');
SELECT throws_ok(format('SELECT triage(alert(%L), resolution => ''true_positive'', attack_until => %L)', 'ann', first_event_time::date + 3651), '22023', NULL,
	'attack_until: not more than 3650 days after it') FROM alerts WHERE alert_id = alert('ann');
SELECT throws_ok('SELECT triage(-1)', 'P0002', 'alert -1 does not exist', 'triage(): no such alert');
SELECT triage(alert('ann'), 'investigating', assignee => 'kim', note => 'asked her');
SELECT is(status || assignee || note, 'investigatingkimasked her', 'triage(): sets what is given') FROM alerts WHERE identity LIKE '%ann';
SELECT triage(alert('ann'), note => '');
SELECT is(status || assignee || coalesce(note, '-'), 'investigatingkim-', 'triage(): leaves the rest; empty removes') FROM alerts WHERE identity LIKE '%ann';

SELECT is(hint($$SELECT triage(alert('ann'), 'closed', 'ignored')$$), 'Use true_positive, benign (or false_positive, which is the same) or expected_change.', 'Resolution: a wrong one gets the allowed ones');
SELECT is(hint($$UPDATE alerts SET status = 'done'$$), 'Use new, investigating or closed.', 'Status: a wrong one gets the allowed ones');
SELECT matches(hint($$SELECT triage(alert('ann'), 'closed')$$), 'false_positive', 'Resolution: one that is missing as well');

-- History
SELECT results_eq($$SELECT changed_by::text, old_values, new_values FROM alert_history ORDER BY history_id$$,
	$$VALUES (session_user::text, '{"status": "new", "assignee": null, "note": null}'::jsonb, '{"status": "investigating", "assignee": "kim", "note": "asked her"}'::jsonb),
	(session_user::text, '{"note": "asked her"}', '{"note": null}')$$, 'History: who changed which columns from what to what');
SELECT triage(alert('ann'), 'investigating');
UPDATE alerts SET status = status;
SELECT is(count(*), 2::bigint, 'History: what changes nothing leaves no trace') FROM alert_history;

-- True positive
SELECT is(baseline('ann'), '{2026-02-01,2026-02-03}', 'True positive: before, the days are in the baseline');
SELECT put(aws('2026-02-10T10:00:00Z', 'ann', 'CreateUser', id => 'a3'));
SELECT is(numbers('ann'), '2026-02-01 2', 'True positive: before, the habit is usual');
UPDATE alerts SET status = 'closed', resolution = 'true_positive' WHERE identity LIKE '%ann';
SELECT throws_ok($$UPDATE alerts SET status = 'new', resolution = 'benign' WHERE identity LIKE '%ann'$$, '23514', NULL, 'Status: an alert that is opened again has no other resolution');
SELECT is(baseline('ann'), '{2026-02-10}', 'True positive: the days of its events are out of the baseline, others are not');
SELECT is(days, '{2026-02-01,2026-02-03}'::dayset, 'True positive: they can be listed') FROM excluded_days;
SELECT is(count_days(days), 51, 'True positive: days of activity are as they were') FROM identities WHERE identity LIKE '%ann';
SELECT put(aws('2026-02-01T10:00:00Z', 'ann', 'CreateUser', id => 'a1'));
SELECT put(aws('2026-02-03T10:00:00Z', 'ann', 'CreateUser', id => 'a2'));
SELECT is(baseline('ann'), '{2026-02-10}', 'True positive: events that are delivered again do not bring them back');
SELECT put(aws('2026-02-03T22:00:00Z', 'ann', 'CreateUser', id => 'a4'));
SELECT put(aws('2026-02-04T10:00:00Z', 'ann', 'CreateUser', id => 'a5'));
SELECT is(baseline('ann'), '{2026-02-10}', 'True positive: later events of those days do not, and of days that join it neither');
SELECT is(numbers('ann'), '2026-02-01 4', 'True positive: they join the alert all the same');
SELECT triage(alert('ann'), resolution => 'true_positive', attack_until => '2026-02-20');
SELECT is(baseline('ann'), NULL, 'True positive: attack_until takes out every day up to it');
SELECT put(aws('2026-02-20T10:00:00Z', 'ann', 'CreateUser', id => 'a6'));
SELECT is(numbers('ann') || ' k=' || (SELECT evidence->>'k' FROM alerts WHERE alert_id = alert('ann')),
	'2026-02-01 4, 2026-02-20 1 k=0', 'True positive: the attacker''s habit never becomes normal');

-- within one statement too
SELECT put(aws('2026-02-01T10:00:00Z', 'bob', 'CreateUser', id => 'b1'));
SELECT triage(alert('bob'), resolution => 'true_positive');
INSERT INTO log VALUES (aws('2026-02-01T23:00:00Z', 'bob', 'CreateUser', id => 'b2')), (aws('2026-02-14T10:00:00Z', 'bob', 'CreateUser', id => 'b3'));
SELECT is(numbers('bob'), '2026-02-01 2, 2026-02-14 1', 'True positive: nor within one statement');

-- peers
SELECT put(aws('2026-02-01T10:00:00Z', 'cat', 'CreateRole'));
SELECT put(aws('2026-02-15T10:00:00Z', 'dan', 'CreateRole'));
SELECT is(evidence->>'K', '1', 'Peers: before, what one does excuses others') FROM alerts WHERE alert_id = alert('dan', 'CreateRole');
SELECT triage(alert('cat', 'CreateRole'), resolution => 'true_positive');
SELECT put(aws('2026-02-15T10:00:00Z', 'eve', 'CreateRole'));
SELECT is(evidence->>'K' || (evidence->'peers')::text, '0[]', 'True positive: an attack does not excuse others') FROM alerts WHERE alert_id = alert('eve', 'CreateRole');

-- opened again
SELECT triage(alert('cat', 'CreateRole'), 'investigating');
SELECT is(status || coalesce(resolution, '-'), 'investigating-', 'Opened again: the resolution goes') FROM alerts WHERE alert_id = alert('cat', 'CreateRole');
SELECT is(baseline('cat', 'CreateRole'), '{2026-02-01}', 'Opened again: the days are back');
SELECT put(aws('2026-02-20T10:00:00Z', 'cat', 'CreateRole'));
SELECT is(count(*), 1::bigint, 'Opened again: they count') FROM alerts WHERE identity LIKE '%cat';

-- Benign, expected change
SELECT triage(alert('eve', 'CreateRole'), resolution => 'benign', note => 'her job');
SELECT triage(alert('dan', 'CreateRole'), resolution => 'expected_change');
SELECT is(baseline('eve', 'CreateRole'), '{2026-02-15}', 'Benign: nothing is taken out');
SELECT lives(who, '2026-02-21', '2026-04-30') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve']) AS who;
SELECT put(aws('2026-04-10T10:00:00Z', 'eve', 'CreateRole', id => 'e1'));
SELECT put(aws('2026-04-10T10:00:00Z', 'dan', 'CreateRole', id => 'd1'));
SELECT is(baseline('eve', 'CreateRole') || baseline('dan', 'CreateRole'), '{2026-02-15,2026-04-10}{2026-02-15,2026-04-10}', 'Benign, expected change: lets it in');
SELECT is(numbers('eve') || ', ' || numbers('dan'), '2026-02-15 1, 2026-02-15 1', 'Benign, expected change: does not ask again, however long after');
SELECT is(string_agg(suppression_counts.events || ' ' || reason, ', ' ORDER BY suppression_id),
	format('1 alert %s closed as benign: her job, 1 alert %s closed as expected_change', alert('eve', 'CreateRole'), alert('dan', 'CreateRole')),
	'Benign, expected change: what was not asked is counted') FROM suppression_counts;
SELECT put(aws('2026-04-10T10:00:00Z', 'eve', 'CreateRole', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-04-10T10:00:00Z', 'eve', 'DeleteRole'));
SELECT is(count(*), 3::bigint, 'Benign: other behaviours of the identity ask as ever') FROM alerts WHERE identity LIKE '%eve';
SELECT triage(alert('eve', 'DeleteRole'), 'closed', 'benign');
SELECT triage(alert('eve', 'DeleteRole'), 'new');
SELECT is(count(*), 0::bigint, 'Opened again: a decision that is withdrawn does not hold') FROM suppressions
WHERE alert_id = alert('eve', 'DeleteRole') AND withdrawn_at IS NULL;

UPDATE suppressions SET expires_at = '2026-04-20' WHERE alert_id = alert('dan', 'CreateRole');
SELECT put(aws('2026-04-20T00:00:00Z', 'dan', 'CreateRole', id => 'd2'));
SELECT is(numbers('dan'), '2026-02-15 1', 'Expired: what is usual by now is not alerted for that');
SELECT lives(who, '2026-05-01', '2026-06-10') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve']) AS who;
SELECT put(aws('2026-06-01T10:00:00Z', 'dan', 'CreateRole', id => 'd3'));
SELECT is(numbers('dan'), '2026-02-15 1, 2026-06-01 1', 'Expired: a decision ends at a day, if one is set');
SELECT put(aws('2026-06-01T10:00:00Z', 'eve', 'CreateRole', id => 'e3'));
SELECT triage((SELECT min(alert_id) FROM alerts WHERE identity LIKE '%eve'), 'investigating');
SELECT put(aws('2026-06-10T10:00:00Z', 'eve', 'CreateGroup', id => 'e4'));
SELECT put(aws('2026-06-02T10:00:00Z', 'eve', 'CreateRole', id => 'e5'));
SELECT is(string_agg(first_event_time::date || ' ' || event_count, ', ' ORDER BY first_event_time), '2026-02-15 1, 2026-06-02 1',
	'Opened again: asks again, also right after what was not asked') FROM alerts WHERE identity LIKE '%eve' AND operation = 'CreateRole' AND NOT failed;
SELECT put(aws('2026-06-01T10:00:00Z', 'eve', 'CreateRole', id => 'e3'));
SELECT is(string_agg(event_count::text, ' ' ORDER BY first_event_time), '1 1', 'Opened again: what was counted is not asked when it is delivered again')
FROM alerts WHERE identity LIKE '%eve' AND operation = 'CreateRole' AND NOT failed;

-- What it did, in words, and what other tools call benign
SELECT lives(who, '2026-06-11', '2026-07-20') FROM unnest(ARRAY['ann', 'bob', 'zoe']) AS who;
SELECT put(aws('2026-07-10T10:00:00Z', 'zoe', 'CreateRole', id => 'z1'));
SELECT is(triage(alert('zoe', 'CreateRole'), 'investigating', assignee => 'kim'), format('alert %s (zoe, iam:CreateRole): is investigating; assigned to kim', alert('zoe', 'CreateRole')), 'triage(): says what it did');
SELECT is(triage(alert('zoe', 'CreateRole'), 'investigating'), format('alert %s (zoe, iam:CreateRole): nothing changed', alert('zoe', 'CreateRole')), 'triage(): or that it did nothing');
SELECT is(open_alerts, 1::bigint, 'Work list: an open incident is in it') FROM incidents WHERE identity LIKE '%zoe';
SELECT matches(triage(alert('zoe', 'CreateRole'), resolution => 'false_positive'), 'closed as benign; further events of this identity and operation open no alert \(suppression \d+\)$', 'triage(): names the suppression that it leaves');
SELECT is(status || ' ' || resolution, 'closed benign', 'Resolution: false_positive is benign') FROM alerts WHERE alert_id = alert('zoe', 'CreateRole');
SELECT is_empty($$SELECT FROM incidents WHERE identity LIKE '%zoe' AND open_alerts > 0$$, 'Work list: a closed incident leaves it');
SELECT matches(triage(alert('zoe', 'CreateRole'), 'new'), 'opened again as new; further events of this identity and operation ask again', 'triage(): tells what it takes back');
SELECT matches(triage(alert('zoe', 'CreateRole'), resolution => 'true_positive'), 'closed as true_positive; its days no longer count as usual: \{2026-07-10\}', 'triage(): tells the days that are out');
INSERT INTO suppressions (reason, operation, starts_at) VALUES ('x', 'CreateGroup', '2026-07-01');
SELECT put(aws('2026-07-11T10:00:00Z', 'zoe', 'CreateGroup', id => 'z2'));
SELECT throws_ok('SELECT triage(max(alert_id)) FROM suppressed_alerts', 'P0002', NULL, 'triage(): a suppressed alert is not decided about');

-- a true positive overrules
SELECT triage((SELECT min(alert_id) FROM alerts WHERE identity LIKE '%eve' AND operation = 'CreateRole'), resolution => 'benign');
SELECT triage(alert('eve', 'CreateRole'), resolution => 'true_positive');
SELECT is(count(*), 0::bigint, 'True positive: earlier decisions on the behaviour no longer hold') FROM suppressions
WHERE identity LIKE '%eve' AND operation = 'CreateRole' AND NOT failed AND withdrawn_at IS NULL;

-- An attack that goes on: one statement stores what joins the alert and what comes after, in any order.
SELECT lives(who, '2026-07-21', '2026-09-20') FROM unnest(ARRAY['fay', 'gus']) AS who;
SELECT put(aws('2026-08-25T10:00:00Z', 'fay', 'CreateLoginProfile', id => 'f1'));
SELECT triage(alert('fay', 'CreateLoginProfile'), resolution => 'true_positive');
UPDATE detectors SET probability_limit = 0.05;		-- so that gus is alerted twice
INSERT INTO log VALUES (aws('2026-09-02T10:00:00Z', 'gus', 'CreateLoginProfile', id => 'g2')), (aws('2026-08-26T09:00:00Z', 'gus', 'CreateLoginProfile', id => 'g1')),
	(aws('2026-09-01T10:00:00Z', 'fay', 'CreateLoginProfile', id => 'f4')),
	(aws('2026-08-28T10:00:00Z', 'fay', 'CreateLoginProfile', id => 'f3')), (aws('2026-08-26T10:00:00Z', 'fay', 'CreateLoginProfile'));
SELECT is(numbers('fay') || ' k=' || (SELECT evidence->>'k' FROM alerts WHERE alert_id = alert('fay', 'CreateLoginProfile')),
	'2026-08-25 3, 2026-09-01 1 k=0', 'True positive: days that join it in a statement do not count for later days of the statement');
SELECT is(numbers('gus') || ' K=' || (evidence->>'K') || ' ' || (evidence->'risk'->>'K'), '2026-08-26 1, 2026-09-02 1 K=1 1', 'True positive: nor for peers in it') FROM alerts WHERE alert_id = alert('gus', 'CreateLoginProfile');

-- What is decided while a batch is scored: here by a trigger, elsewhere by another session.
CREATE FUNCTION decide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM iamwatch.triage(public.alert('fay', 'CreateLoginProfile'), resolution => 'true_positive');
	RETURN NULL;
END $$;
CREATE TRIGGER decide AFTER UPDATE ON alerts FOR EACH ROW WHEN (old.event_count < new.event_count AND old.first_event_time < '2026-09-01') EXECUTE FUNCTION decide();
INSERT INTO log VALUES (aws('2026-08-29T10:00:00Z', 'fay', 'CreateLoginProfile', id => 'f5')), (aws('2026-09-02T10:00:00Z', 'fay', 'CreateLoginProfile', id => 'f6'));
SELECT is(numbers('fay') || ' ' || string_agg(resolution, ' '), '2026-08-25 4, 2026-09-01 2 true_positive true_positive',
	'True positive: what is decided while events join an alert loses none of them') FROM alerts WHERE identity LIKE '%fay';

SELECT * FROM finish();
ROLLBACK;
