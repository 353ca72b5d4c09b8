\ir settings.psql
SELECT plan(59);

CREATE FUNCTION from_address(at text, who text, operation text, address text, id text = gen_random_uuid()::text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log VALUES (aws(at, who, operation, id => id, more => jsonb_build_object('sourceIPAddress', address)))
$$;
CREATE FUNCTION shown(who text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(operation || ' ' || event_count, ', ' ORDER BY alert_id), '') FROM alerts WHERE identity LIKE '%' || who
$$;
CREATE FUNCTION hidden(who text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(operation || ' ' || event_count, ', ' ORDER BY alert_id), '') FROM suppressed_alerts WHERE identity LIKE '%' || who
$$;
-- a suppression that is there for one statement
CREATE FUNCTION hides(criterion text, value text, who text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('INSERT INTO suppressions (reason, %I) VALUES (''test'', %L)', criterion, value);
	PERFORM from_address('2026-02-20T10:00:00Z', who, 'CreateUser', '203.0.113.7');
	UPDATE suppressions SET withdrawn_at = now();
	RETURN shown(who) = '' AND hidden(who) = 'CreateUser 1';
END $$;

SELECT lives(who, '2026-01-01', '2026-02-19') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan', 'eve', 'fay', 'i1', 'i2', 'i3',
	'n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8']) AS who;

-- What a suppression can be
SELECT throws_ok($$INSERT INTO suppressions (reason) VALUES ('all')$$, '23514', NULL, 'Suppression: needs a criterion');
SELECT throws_ok($$INSERT INTO suppressions (reason, failed, provider) VALUES ('all', true, 'aws')$$, '23514', NULL, 'Suppression: provider and failed alone are none');
SELECT throws_ok($$INSERT INTO suppressions (identity) VALUES ('x')$$, '23502', NULL, 'Suppression: needs a reason');
SELECT throws_ok($$INSERT INTO suppressions (reason, identity, starts_at, expires_at) VALUES ('x', 'x', '2026-02-01', '2026-02-01')$$, '23514', NULL,
	'Suppression: expires after it starts');
SELECT throws_ok($$INSERT INTO suppressions (reason, identity_pattern) VALUES ('x', repeat('%', 501))$$, '23514', NULL, 'Suppression: a pattern has a bound');

-- Criteria
SELECT ok(hides('identity', 'arn:aws:iam::111122223333:user/i1', 'i1'), 'Criteria: identity');
SELECT ok(hides('identity_pattern', '%:user/_2', 'i2'), 'Criteria: pattern of the identity');
SELECT ok(hides('identity_pattern', '%\', 'i3') IS FALSE, 'Criteria: a pattern that ends in a backslash matches nothing and fails no insert');
SELECT ok(hides('operation', 'CreateUser', 'n1'), 'Criteria: operation');
SELECT ok(hides('service', 'iam', 'n2'), 'Criteria: service');
SELECT ok(hides('account', '111122223333', 'n3'), 'Criteria: account');
SELECT ok(hides('category', 'account', 'n4'), 'Criteria: category of the operation');
SELECT ok(hides('source_network', '203.0.113.0/24', 'n5'), 'Criteria: source network');
SELECT ok(hides('source_network', '203.0.113.7', 'n6'), 'Criteria: source address');
SELECT ok(NOT hides('source_network', '198.51.100.0/24', 'n7'), 'Criteria: another network hides nothing');
INSERT INTO suppressions (reason, identity_pattern, operation) VALUES ('both', '%n8', 'DeleteUser');
SELECT put(aws('2026-02-19T10:00:00Z', 'n8', 'CreateUser'));
SELECT put(aws('2026-02-19T10:00:00Z', 'n8', 'DeleteUser'));
SELECT is(shown('n8') || ' / ' || hidden('n8'), 'CreateUser 1 / DeleteUser 1', 'Criteria: every one of them must match');


-- by program, host and the one behind; each for an identity of its own
SELECT lives('m' || n, '2026-01-01', '2026-02-19') FROM generate_series(1, 6) AS n;
CREATE FUNCTION hides_with(criterion text, value text, who text, more jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	was text;
BEGIN
	EXECUTE format('INSERT INTO suppressions (reason, %I) VALUES (''test'', %L)', criterion, value);
	INSERT INTO log VALUES (aws('2026-02-20T10:00:00Z', who, 'CreateUser', more => more));
	UPDATE suppressions SET withdrawn_at = now();
	RETURN shown(who) || '/' || hidden(who);
END $$;
SELECT is(hides_with('user_agent_pattern', 'terraform/%', 'm1', '{"userAgent": "terraform/1.2"}'), '/CreateUser 1', 'Criteria: pattern of the program');
SELECT is(hides_with('user_agent_pattern', 'terraform/%', 'm2', '{"userAgent": "aws-cli/2"}'), 'CreateUser 1/', 'Criteria: another program hides nothing');
SELECT is(hides_with('source_host', 'cloudformation.amazonaws.com', 'm3', '{"sourceIPAddress": "cloudformation.amazonaws.com"}'), '/CreateUser 1', 'Criteria: host of the source');
SELECT is(hides_with('source_host', 'cloudformation.amazonaws.com', 'm4', '{"sourceIPAddress": "192.0.2.77"}'), 'CreateUser 1/', 'Criteria: an address is no host');
SELECT is(hides_with('acting_for', 'alice@example.com', 'm5', '{"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/m5", "sessionContext": {"sourceIdentity": "alice@example.com"}}}'),
	'/CreateUser 1', 'Criteria: the one behind the identity');
SELECT is(hides_with('acting_for', 'alice@example.com', 'm6', '{"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/m6", "sessionContext": {"sourceIdentity": "bob@example.com"}}}'),
	'CreateUser 1/', 'Criteria: another one behind hides nothing');
SELECT results_eq($$SELECT hidden, alert_identity FROM suppression_preview(user_agent_pattern => 'aws-cli/%') $$, $$VALUES ('all', 'arn:aws:iam::111122223333:user/m2')$$, 'Preview: by program');
SELECT results_eq($$SELECT hidden, alert_identity FROM suppression_preview(acting_for => 'bob@example.com') $$, $$VALUES ('all', 'arn:aws:iam::111122223333:user/m6')$$, 'Preview: by the one behind');
SELECT is_empty($$SELECT FROM suppression_preview(source_host => 'cloudformation.amazonaws.com')$$, 'Preview: by host, of which no alert is shown');
INSERT INTO log VALUES (aws('2026-02-20T11:00:00Z', 'm2', 'CreateUser', more => '{"userAgent": "curl/8"}'));
SELECT results_eq($$SELECT hidden FROM suppression_preview(user_agent_pattern => 'curl%') $$, $$VALUES ('part')$$, 'Preview: part when some of the programs match');

-- A roll-out over many accounts: one suppression for the role that does it in each
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'x', 'ListBuckets', 's3', more => jsonb_build_object('recipientAccountId', a,
	'userIdentity', jsonb_build_object('type', 'AssumedRole', 'arn', format('arn:aws:sts::%s:assumed-role/rollout/job', a),
		'sessionContext', jsonb_build_object('sessionIssuer', jsonb_build_object('arn', format('arn:aws:iam::%s:role/rollout', a))))))
FROM generate_series('2026-01-01', '2026-02-28'::date, interval '1 day') AS d, unnest('{100000000001,100000000002,100000000003}'::text[]) AS a;
CREATE FUNCTION rolls_out(at text, operation text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws(at, 'x', operation, more => jsonb_build_object('recipientAccountId', a,
		'userIdentity', jsonb_build_object('type', 'AssumedRole', 'arn', format('arn:aws:sts::%s:assumed-role/rollout/job', a),
			'sessionContext', jsonb_build_object('sessionIssuer', jsonb_build_object('arn', format('arn:aws:iam::%s:role/rollout', a))))))
	FROM unnest('{100000000001,100000000002,100000000003}'::text[]) AS a
$$;
INSERT INTO suppressions (reason, identity_pattern, operation, starts_at, expires_at)
VALUES ('change 4711', 'arn:aws:iam::%:role/rollout', 'CreateRole', '2026-02-20', '2026-02-22');
SELECT rolls_out('2026-02-20T12:00:00Z', 'CreateRole'), rolls_out('2026-02-20T12:00:00Z', 'CreateUser');
SELECT is(alerts || ' ' || identities, '3 3', 'Roll-out: one suppression for all accounts') FROM suppression_counts WHERE reason = 'change 4711';
SELECT is(count(*), 3::bigint, 'Roll-out: anything else that the role does is alerted') FROM alerts WHERE identity LIKE '%rollout';
SELECT rolls_out('2026-02-27T12:00:00Z', 'CreateRole');
SELECT is(string_agg(DISTINCT operation, ' '), 'CreateUser', 'Roll-out: what has become usual is not alerted when it is over') FROM alerts WHERE identity LIKE '%rollout';

-- Counted, listed, not lost
INSERT INTO suppressions (reason, source_network, starts_at, expires_at) VALUES ('scanner', '198.51.100.0/24', '2026-02-01', '2026-03-10');
SELECT from_address('2026-02-19T10:00:00Z', 'ann', 'CreateUser', '198.51.100.1', 'a1');
SELECT from_address('2026-02-19T11:00:00Z', 'ann', 'CreateUser', '198.51.100.2', 'a2');
SELECT from_address('2026-02-20T10:00:00Z', 'ann', 'CreateUser', '198.51.100.3', 'a3');
SELECT is(shown('ann') || '/' || hidden('ann'), '/CreateUser 3', 'Suppressed: no alert, and every event of the deduplication period is counted');
SELECT is(evidence->'source_addresses', '["198.51.100.1", "198.51.100.2", "198.51.100.3"]', 'Suppressed: the evidence is kept') FROM suppressed_alerts WHERE identity LIKE '%ann';
SELECT is(array_agg(event_id ORDER BY event_id), '{a1,a2,a3}', 'Suppressed: its events can be listed')
FROM alert_events JOIN suppressed_alerts USING (alert_id) WHERE identity LIKE '%ann';
SELECT is(days::text, '{2026-02-19..2026-02-20}', 'Suppressed: the days are in the baseline') FROM baselines WHERE identity LIKE '%ann';
SELECT from_address('2026-02-19T11:00:00Z', 'ann', 'CreateUser', '198.51.100.2', 'a2');
SELECT is(hidden('ann'), 'CreateUser 3', 'Suppressed: an event that is delivered again is not counted twice');
SELECT is(alerts || ' ' || events || ' ' || identities, '1 3 1', 'Suppressed: what each suppression hid can be counted') FROM suppression_counts WHERE reason = 'scanner';

-- Hides no more than it says
SELECT from_address('2026-02-20T11:00:00Z', 'ann', 'CreateUser', '203.0.113.9', 'a4');
SELECT is(shown('ann') || '/' || hidden('ann'), 'CreateUser 1/CreateUser 3', 'Not suppressed: another source on a later day, which the suppressed days would excuse');
SELECT is(evidence->>'k' || ' ' || (probability < 0.02), '0 true', 'Not suppressed: scored as what was hidden') FROM alerts WHERE identity LIKE '%ann';
SELECT from_address('2026-02-20T12:00:00Z', 'ann', 'CreateUser', '198.51.100.4', 'a5');
SELECT is(shown('ann') || '/' || hidden('ann'), 'CreateUser 2/CreateUser 3', 'Alert that is open: every event of the behaviour joins it');
SELECT from_address('2026-02-20T10:00:00Z', 'ann', 'CreateUser', '198.51.100.3', 'a3');
SELECT is(shown('ann') || '/' || hidden('ann'), 'CreateUser 2/CreateUser 3', 'Alert that is open: but not what was hidden, delivered again');
SELECT from_address('2026-02-19T10:00:00Z', 'bob', 'CreateUser', '198.51.100.1', 'b1');
SELECT from_address('2026-02-19T10:00:01Z', 'bob', 'CreateUser', '203.0.113.9', 'b2');
SELECT is(shown('bob') || '/' || hidden('bob'), 'CreateUser 1/CreateUser 1', 'Not suppressed: another source on the same day');
INSERT INTO log SELECT aws('2026-02-19T10:00:0' || n || 'Z', 'cat', 'CreateUser', id => 'c' || n,
	more => jsonb_build_object('sourceIPAddress', CASE WHEN n IN (1, 2, 5) THEN '198.51.100.1' ELSE '203.0.113.9' END)) FROM generate_series(1, 6) AS n;
SELECT is(shown('cat') || '/' || hidden('cat'), 'CreateUser 4/CreateUser 2', 'One statement: the same, event by event');

-- Event time, not the clock
SELECT lives(who, '2026-02-20', '2026-03-20') FROM unnest(ARRAY['dan', 'eve', 'fay']) AS who;
SELECT from_address('2026-03-09T23:59:59.999999Z', 'dan', 'CreateUser', '198.51.100.1');
SELECT from_address('2026-03-10T00:00:00Z', 'eve', 'CreateUser', '198.51.100.1');
SELECT is(shown('dan') || '/' || hidden('dan') || ' ' || shown('eve') || '/' || hidden('eve'), '/CreateUser 1 CreateUser 1/', 'Expiry: by event time, to the microsecond');
SELECT from_address('2026-03-10T00:00:00Z', 'dan', 'CreateUser', '198.51.100.1');
SELECT is(shown('dan') || '/' || hidden('dan'), 'CreateUser 1/CreateUser 1', 'Expiry: what goes on after it is alerted');
SELECT lives('hal', '2026-02-01', '2026-03-09');
SELECT from_address(at, 'hal', 'CreateUser', '198.51.100.1') FROM unnest(ARRAY['2026-03-02T10:00:00Z', '2026-03-07T09:59:59.999999Z', '2026-03-07T10:00:00Z']) AS at;
SELECT is(shown('hal') || '/' || hidden('hal'), '/CreateUser 2', 'Suppressed: the deduplication period ends 5 days after the first event, to the microsecond');

-- Withdrawn
SELECT from_address('2026-03-09T12:00:00Z', 'fay', 'CreateUser', '198.51.100.1', 'f1');
UPDATE suppressions SET withdrawn_at = now() WHERE reason = 'scanner';
SELECT from_address('2026-03-09T12:00:00Z', 'fay', 'CreateUser', '198.51.100.1', 'f1');
SELECT is(shown('fay') || '/' || hidden('fay'), '/CreateUser 1', 'Withdrawn: what it hid is not alerted when it is delivered again');
SELECT from_address('2026-03-09T13:00:00Z', 'fay', 'CreateUser', '198.51.100.1', 'f2');
SELECT is(shown('fay') || '/' || hidden('fay'), 'CreateUser 1/CreateUser 1', 'Withdrawn: what follows is');

-- A chain of rules
INSERT INTO suppressions (reason, source_network) VALUES ('one', '192.0.2.16'), ('two', '192.0.2.17'), ('three', '192.0.2.16/30');
SELECT from_address('2026-03-15T12:00:00Z', 'fay', 'DeleteUser', '192.0.2.16', 'f3');
SELECT from_address('2026-03-16T12:00:00Z', 'fay', 'DeleteUser', '192.0.2.17', 'f4');
SELECT from_address('2026-03-17T12:00:00Z', 'fay', 'DeleteUser', '192.0.2.16', 'f5');
SELECT is(string_agg(reason || ' ' || events, ', ' ORDER BY reason), 'one 2, three 0, two 1', 'Several: the first that matches counts what it hid') FROM suppression_counts WHERE reason IN ('one', 'two', 'three');
SELECT is(count(*), (SELECT count(DISTINCT (alert_id, event_id)) FROM alert_events), 'Nothing is counted twice') FROM alert_events;
SELECT is_empty('SELECT alert_id FROM all_alerts GROUP BY alert_id HAVING count(*) > 1', 'An alert is suppressed or not, never both');
SELECT is_empty('SELECT alert_id FROM alert_events EXCEPT SELECT alert_id FROM all_alerts', 'No event is without its alert');

-- Hindsight
SELECT throws_ok('SELECT * FROM suppression_preview()', '22023', NULL, 'Preview: needs a criterion');
CREATE TEMP TABLE before AS SELECT * FROM suppressions;
SELECT results_eq($$SELECT hidden, event_count FROM suppression_preview(source_network => '203.0.113.0/24') WHERE alert_identity SIMILAR TO '%(ann|bob|n8)'$$,
	$$VALUES ('all', 1::bigint), ('part', 2)$$, 'Preview: alerts that it would have hidden, wholly or in part');
SELECT results_eq($$SELECT alert_operation, alert_identity FROM suppression_preview(identity_pattern => '%n8', category => 'account', expires_at => '2026-03-01')$$,
	$$VALUES ('iam:CreateUser', 'arn:aws:iam::111122223333:user/n8')$$, 'Preview: by the same criteria as a suppression');
SELECT is_empty($$SELECT FROM suppression_preview(identity_pattern => '%n8', expires_at => '2026-02-19')$$, 'Preview: by event time');
SELECT results_eq('SELECT * FROM suppressions', 'SELECT * FROM before', 'Preview: nothing is saved');


-- With context as part of the score.
UPDATE detectors SET context_bits = 2, context_kinds = '{failed_before}';
SELECT lives('dot', '2026-06-01', '2026-07-10');
SELECT lives('eve', '2026-06-01', '2026-07-10');
INSERT INTO suppressions (reason, identity, operation, expires_at)
SELECT 'test', 'arn:aws:iam::111122223333:user/' || who, 'DeleteVirtualMFADevice', '2026-07-12' FROM unnest('{dot,eve}'::text[]) AS who;
SELECT put(aws('2026-07-11T10:00:00Z', 'dot', 'DeleteVirtualMFADevice'));
SELECT put(aws('2026-07-13T10:00:00Z', 'dot', 'DeleteVirtualMFADevice'));
SELECT is(count(*), 1::bigint, 'Suppressed: an event that does not match is alerted, with context as part of the score too') FROM alerts
WHERE identity LIKE '%dot' AND first_event_time = '2026-07-13T10:00:00Z';
SELECT is(a.probability, s.probability, '... with the score that the suppressed one had') FROM alerts AS a
JOIN suppressed_alerts AS s USING (identity, operation, detector) WHERE a.identity LIKE '%dot';
UPDATE detectors SET probability_limit = 0.005;
SELECT put(aws('2026-07-11T09:00:00Z', 'eve', 'DeleteVirtualMFADevice', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-07-11T10:00:00Z', 'eve', 'DeleteVirtualMFADevice'));
SELECT put(aws('2026-07-13T10:00:00Z', 'eve', 'DeleteVirtualMFADevice'));
SELECT is(count(*), 2::bigint, 'Suppressed: both the one that is hidden and the one that is not have a context')
FROM all_alerts WHERE identity LIKE '%eve' AND operation = 'DeleteVirtualMFADevice' AND NOT failed AND evidence->'context' ? 'failed_before';
SELECT is(probability, probability((evidence->>'k')::integer, (evidence->>'A')::integer, (evidence->>'K')::integer, (evidence->>'N')::integer) / 4,
	'... which counts once in what follows') FROM alerts WHERE identity LIKE '%eve' AND operation = 'DeleteVirtualMFADevice' AND NOT failed;
SELECT * FROM finish();
ROLLBACK;
