\ir settings.psql
SELECT plan(49);

-- Activation
SELECT lives('ann', '2026-01-01', '2026-02-20');
SELECT put(aws('2026-01-15T07:59:59.999999Z', 'ann', 'CreateUser'));
SELECT is_empty('SELECT FROM alerts', 'Activation: no alert until the account has 14 days of log time before the event');
SELECT put(aws('2026-01-15T08:00:00Z', 'ann', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Activation: an alert from 14 days after the first event, to the microsecond') FROM alerts;

-- Unusual
SELECT is((evidence->>'k')::int, 0, 'Unusual: k counts days on which the identity did it') FROM alerts;
SELECT is((evidence->>'A')::int, 14, 'Unusual: A counts days on which it did anything, IAM or not') FROM alerts;
SELECT is((evidence->>'K')::int, 0, 'Unusual: K sums the peers'' days') FROM alerts;
SELECT is((evidence->>'N')::int, 0, 'Unusual: N sums the peers'' active days') FROM alerts;
SELECT is(probability, (0 + 2 * 0.1 / 10::float8) / 16, 'Unusual: p = (k + 2 q) / (A + 2), q = (K + 10 * 0.01) / (N + 10)') FROM alerts;
SELECT is(probability(0, 0, 9223372036854775807, 9223372036854775807), 1::float8, 'probability: is 1 by rounding, of more days than any account has');
SELECT is(probability, probability((evidence->>'k')::int, (evidence->>'A')::int, (evidence->>'K')::bigint, (evidence->>'N')::bigint),
	'Unusual: the evidence gives the probability') FROM alerts;
SELECT is(surprise, surprise(probability), 'Unusual: surprise is -log2 p bits') FROM alerts;
SELECT put(aws('2026-01-16T08:00:00Z', 'ann', 'ListUsers'));
SELECT put(aws('2026-01-16T08:00:00Z', 'ann', 'GetSessionToken', 'sts'));
SELECT put(aws('2026-01-16T08:00:00Z', 'ann', 'ConsoleLogin', 'signin'));
SELECT is(count(*), 1::bigint, 'IAM operation: effect read and categories session and sign_in are none') FROM alerts;
SELECT put(aws('2026-01-25T08:00:00Z', 'ann', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Unusual: not again what was done in the last 30 days') FROM alerts;
SELECT lives('ann', '2026-02-21', '2026-03-05');
SELECT put(aws('2026-02-24T08:00:00Z', 'ann', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Unusual: the 30th day before is in the training period') FROM alerts;

-- Peers
SELECT lives('bob', '2026-02-01', '2026-03-05');
SELECT lives('cat', '2026-02-01', '2026-03-05');
INSERT INTO log SELECT aws(d::date || 'T09:00:00Z', 'cat', 'AttachUserPolicy')
FROM generate_series('2026-02-01', '2026-03-01'::date, interval '1 day') AS d;
SELECT put(aws('2026-03-05T10:00:00Z', 'bob', 'AttachUserPolicy'));
SELECT is_empty($$SELECT FROM alerts WHERE identity LIKE '%bob' AND account = '111122223333'$$, 'Peers: what other people of the account do often is not unusual');
SELECT put(aws('2026-03-05T11:00:00Z', 'eve', 'AttachUserPolicy'));
SELECT is_empty($$SELECT FROM alerts WHERE identity LIKE '%eve'$$, 'Unusual: a new identity is judged by its peers alone: they do it often');
SELECT put(aws('2026-03-05T11:00:00Z', 'eve', 'CreateLoginProfile'));
SELECT is(evidence->>'A', '0', 'Unusual: a new identity is judged by its peers alone: they never do it')
FROM alerts WHERE identity LIKE '%eve';
SELECT put(aws('2026-03-05T12:00:00Z', 'x', 'AttachUserPolicy', more => '{"userIdentity": {"type": "AWSService", "invokedBy": "x.amazonaws.com"}}'));
SELECT is(evidence->>'K', '0', 'Peers: people are no peers of a service') FROM alerts WHERE identity = 'x.amazonaws.com';
SELECT is(severity || '/' || variation, 'low/cloud non-user identity', 'Variations: cloud non-user identity')
FROM alerts WHERE identity = 'x.amazonaws.com';
SELECT put(aws('2026-03-05T12:00:00Z', 'bob', 'PutUserPolicy', more => '{"recipientAccountId": "999999999999"}'));
SELECT is_empty($$SELECT FROM alerts WHERE account = '999999999999'$$, 'Account: each has an activation period of its own');

-- An alert's columns
SELECT results_eq($$SELECT detector, severity, variation, status, provider, account, identity, identity_kind,
	service, operation, failed, category, sensitivity, tactic, technique FROM alerts ORDER BY alert_id LIMIT 1$$,
	$$VALUES ('unusual_iam_activity', 'informational', 'base', 'new', 'aws', '111122223333',
	'arn:aws:iam::111122223333:user/ann', 'user', 'iam', 'CreateUser', false,
	(SELECT category FROM operations WHERE service = 'iam' AND operation = 'CreateUser'),
	(SELECT sensitivity FROM operations WHERE service = 'iam' AND operation = 'CreateUser'),
	'TA0003', (SELECT attack_technique FROM operations WHERE service = 'iam' AND operation = 'CreateUser'))$$,
	'Alert: columns as detection.md says');

-- Deduplication
SELECT lives('dan', '2026-03-01', '2026-03-30');
SELECT put(aws('2026-03-20T10:00:00Z', 'dan', 'CreateRole', id => 'r1'));
SELECT put(aws('2026-03-25T09:59:59.999999Z', 'dan', 'CreateRole', id => 'r2'));
SELECT is(event_count || ' ' || (last_event_time = '2026-03-25 09:59:59.999999+00'), '2 true',
	'Deduplication: an event less than 5 days after the first joins') FROM alerts WHERE identity LIKE '%dan';
SELECT is(evidence->'event_ids', '["r1", "r2"]', 'Deduplication: event ids are kept') FROM alerts WHERE identity LIKE '%dan';
SELECT put(aws('2026-03-25T09:59:59.999999Z', 'dan', 'CreateRole', id => 'r2'));
SELECT put(aws('2026-03-20T10:00:00Z', 'dan', 'CreateRole', id => 'r1'));
SELECT is(event_count, 2::bigint, 'Re-delivery: the same identity and event id changes nothing') FROM alerts WHERE identity LIKE '%dan';
SELECT put(aws('2026-03-25T10:00:00Z', 'dan', 'CreateRole', id => 'r3'));
SELECT is(event_count, 2::bigint, 'Deduplication: from 5 days after the first, it is scored again') FROM alerts WHERE identity LIKE '%dan';
SELECT put(aws('2026-03-20T09:00:00Z', 'dan', 'CreateRole', id => 'r0'));
SELECT is(event_count || ' ' || first_event_time, '3 2026-03-20 10:00:00+00', 'Deduplication: an earlier event that arrives later joins too')
FROM alerts WHERE identity LIKE '%dan';
SELECT put(aws('2026-03-20T10:00:00Z', 'dan', 'CreateRole', more => '{"errorCode": "AccessDenied"}'));
SELECT is(count(*), 2::bigint, 'Failed: a failed operation is a behaviour of its own') FROM alerts WHERE identity LIKE '%dan';

SELECT lives('kim', '2026-03-01', '2026-03-30');
SELECT put(aws('2026-03-22T10:00:00Z', 'kim', 'CreateRole', id => 'k1', more => '{"errorCode": "x"}'));
SELECT put(aws('2026-03-28T10:00:00Z', 'kim', 'CreateRole', id => 'k3', more => '{"errorCode": "x"}'));
SELECT put(aws('2026-03-24T10:00:00Z', 'kim', 'CreateRole', id => 'k2', more => '{"errorCode": "x"}'));
SELECT put(aws('2026-03-24T10:00:00Z', 'kim', 'PutRolePolicy', id => 'p2'));
SELECT put(aws('2026-03-18T10:00:00Z', 'kim', 'PutRolePolicy', id => 'p1'));
SELECT put(aws('2026-03-22T10:00:00Z', 'kim', 'PutRolePolicy', id => 'p3'));
SELECT is(string_agg(event_count || ' ' || first_event_time::date, ', ' ORDER BY alert_id), '2 2026-03-22, 1 2026-03-24, 2 2026-03-18',
	'Deduplication: late events open and join as their own times say') FROM alerts WHERE identity LIKE '%kim';

-- Variations
INSERT INTO instances VALUES ('aws', '111122223333', 'i-0123456789abcdef0', '{}', true), ('aws', '111122223333', 'i-00000001', '{}', false),
	('gcp', 'p1', 'gce', '{34.1.2.3}', true);
CREATE FUNCTION instance(at text, role text, session text, operation text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws(at, 'x', operation, more => jsonb_build_object('userIdentity', jsonb_build_object('type', 'AssumedRole',
		'arn', 'arn:aws:sts::111122223333:assumed-role/' || role || '/' || session)))
$$;
SELECT put(instance('2026-03-29T10:00:00Z', 'web', 'i-0123456789abcdef0', 'CreateUser'));
SELECT is(severity || '/' || variation, 'medium/executed from a cloud Internet-facing instance', 'Variations: executed from a cloud Internet-facing instance')
FROM alerts WHERE identity LIKE '%role/web';
SELECT put(instance('2026-03-29T10:00:00Z', 'inner', 'i-00000001', 'CreateUser'));
SELECT is(severity, 'low', 'Variations: an instance that does not face the Internet is a non-user identity') FROM alerts WHERE identity LIKE '%role/inner';
SELECT put(instance('2026-03-29T11:00:00Z', 'inner', 'i-0123456789abcdef0', 'CreateUser'));
SELECT is(severity, 'medium', 'Alerts: severity rises if a joining event''s is higher') FROM alerts WHERE identity LIKE '%role/inner';
SELECT put(instance('2026-03-29T12:00:00Z', 'inner', 'i-00000001', 'CreateUser'));
SELECT is(severity || event_count, 'medium3', 'Alerts: severity never falls') FROM alerts WHERE identity LIKE '%role/inner';

UPDATE detectors SET severity_internet_facing = severity_non_user;
SELECT put(instance('2026-03-29T13:00:00Z', 'alike', 'i-0123456789abcdef0', 'CreateUser'));
SELECT is(severity || '/' || variation, 'low/executed from a cloud Internet-facing instance', 'Variations: of two that are as severe the first')
FROM alerts WHERE identity LIKE '%role/alike';
UPDATE detectors SET severity_internet_facing = 'informational';
SELECT put(instance('2026-03-29T13:00:00Z', 'less', 'i-0123456789abcdef0', 'CreateUser'));
SELECT is(severity || '/' || variation, 'low/cloud non-user identity', 'Variations: one that is less severe does not win')
FROM alerts WHERE identity LIKE '%role/less';
UPDATE detectors SET severity_internet_facing = 'medium';

-- The baseline
SELECT is(days::text, '{2026-03-20,2026-03-25}', 'Baseline: days, never calls') FROM baselines WHERE identity LIKE '%dan' AND NOT failed;
SELECT lives('bob', '2025-09-15', '2025-09-20');
SELECT is(days, '{2025-09-16..2025-09-20,2026-02-01..2026-03-05}'::dayset, 'Baseline: days of activity, kept 195 days back from the account''s newest event')
FROM identities WHERE identity LIKE '%bob' AND account = '111122223333';
SELECT put(aws('2025-09-16T00:00:00Z', 'fay', 'CreateUser'));
SELECT is(late_events, 1::bigint, 'Late: not up to 195 days, the longest memory and 15 more, before the newest day') FROM accounts WHERE account = '111122223333';
SELECT put(aws('2025-09-15T23:59:59Z', 'hal', 'CreateUser'));
SELECT is(late_events, 2::bigint, 'Late: an event further back is counted as late') FROM accounts WHERE account = '111122223333';
SELECT is_empty($$SELECT FROM identities WHERE identity LIKE '%hal'$$, 'Late: it is not learned');
SELECT is_empty($$SELECT FROM alerts WHERE identity LIKE '%hal'$$, 'Late: it is not scored');

-- The future, and what cannot be read
SELECT put(aws(to_char(now() + interval '25 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'ian', 'CreateUser'));
SELECT matches(reason, 'one day ahead of the clock', 'Future: kept with its reason') FROM rejected_events;
SELECT is_empty($$SELECT FROM identities WHERE identity LIKE '%ian'$$, 'Future: it never touches a baseline');
SELECT put(jsonb_build_object('eventSource', 'iam.amazonaws.com', 'eventName', 'CreateUser', 'eventTime', '2026-03-29T10:00:00Z'));
SELECT put('{"eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "userIdentity": {"type": "Root"}, "eventTime": "yesterday"}');
SELECT put('[1, 2]'); SELECT put('null'); SELECT put('"x"'); SELECT put(NULL); SELECT put('{}');
SELECT is(count(*), 8::bigint, 'Readable: what is not is rejected, each with a reason, and stored all the same') FROM rejected_events WHERE reason <> '';
SELECT put('[1, 2]');
SELECT is(count(*), 8::bigint, 'Readable: a rejected document delivered again is kept once') FROM rejected_events;

-- Transactions
SELECT lives('jim', '2026-03-01', '2026-03-30');
SAVEPOINT s;
SELECT put(aws('2026-03-30T10:00:00Z', 'jim', 'CreateGroup'));
SELECT is(count(*), 1::bigint, 'Same transaction: the alert is there') FROM alerts WHERE identity LIKE '%jim';
ROLLBACK TO s;
SELECT is_empty($$SELECT FROM alerts WHERE identity LIKE '%jim'$$, 'Rollback to a savepoint: the alert is gone');
SELECT is_empty($$SELECT FROM baselines WHERE identity LIKE '%jim'$$, 'Rollback to a savepoint: the baseline is as before');
SELECT put(aws('2026-03-30T10:00:00Z', 'jim', 'CreateGroup'));
SELECT is(count(*), 1::bigint, 'Rollback to a savepoint: what this backend remembered went too') FROM alerts WHERE identity LIKE '%jim';

-- Order within a statement
UPDATE detectors SET deduplication_days = 0;
INSERT INTO log SELECT aws('2026-03-24T10:00:00Z', 'bob', 'PutGroupPolicy', id => id) FROM unnest(ARRAY['t2', 't1']) AS id;
SELECT is(string_agg(evidence->'event_ids'->>0, ' ' ORDER BY alert_id), 't1 t2', 'Order: events of the same time by their ids, however the rows come')
FROM alerts WHERE operation = 'PutGroupPolicy';
UPDATE detectors SET deduplication_days = 5;

-- Late within the kept history
SELECT put(aws(at, 'gil', 'PutGroupPolicy')) FROM unnest(ARRAY['2026-03-03T08:00:00Z', '2026-03-02T08:00:00Z']) AS at;
SELECT is(first_seen || ' ' || last_seen || ' ' || days, '2026-03-02 2026-03-03 {2026-03-02..2026-03-03}', 'Baseline: begins earlier, when an earlier event arrives later')
FROM baselines WHERE identity LIKE '%gil';
SELECT * FROM finish();
ROLLBACK;
