\ir settings.psql
SELECT plan(52);

CREATE FUNCTION verdict(event jsonb) RETURNS text LANGUAGE sql AS $$SELECT why_json(event)->>'verdict'$$;
CREATE FUNCTION said(event jsonb) RETURNS text LANGUAGE sql AS $$SELECT split_part(why(event), E'\n', 1)$$;
CREATE FUNCTION detector(event jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT why_json(event)->'detectors'->0$$;
CREATE FUNCTION state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t regclass;
	n numeric;
	all_of text := '';
BEGIN
	FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace) ORDER BY oid LOOP
		EXECUTE format('SELECT coalesce(sum(hashtextextended(x::text, 0)), 0) FROM %s AS x', t) INTO n;
		all_of := all_of || n || ' ';
	END LOOP;
	RETURN all_of;
END $$;

-- three people and a role of one account; ann makes keys every day of February
SELECT lives(who, '2026-01-01', '2026-02-19') FROM unnest(ARRAY['ann', 'bob', 'cat', 'dan']) AS who;
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'ann', 'CreateAccessKey') FROM generate_series('2026-02-01', '2026-02-10'::date, interval '1 day') AS d;
SELECT put(aws('2026-02-12T10:00:00Z', 'bob', 'CreateUser', id => 'b1'));
SELECT put(aws('2026-02-15T10:00:00Z', 'ann', 'CreateUser', id => 'u1'));
SELECT put(aws('2026-02-15T11:00:00Z', 'ann', 'CreateUser', id => 'u2'));
SELECT put(aws('2026-02-15T09:00:00Z', 'cat', 'DeleteUser', id => 'c1', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-02-16T09:00:00Z', 'cat', 'DeleteUser', id => 'c2', more => '{"sourceIPAddress": "203.0.113.5"}'));
SELECT put(aws('2026-02-16T12:00:00Z', 'new', 'CreateRole', id => 'n1'));
SELECT put(aws('2026-02-17T12:00:00Z', 'x', 'CreateRole', id => 'i1', more => '{"userIdentity": {"type": "AssumedRole",
	"arn": "arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0", "principalId": "AROA:i-0123456789abcdef0"}}'));

-- the same numbers as the trigger's
CREATE TEMP TABLE first_events AS
SELECT a.alert_id, a.evidence, a.probability, a.surprise, a.risk, a.severity, a.variation, l.event, why_json(l.event) AS why
FROM alerts AS a JOIN alert_events AS x ON x.alert_id = a.alert_id AND x.event_time = a.first_event_time
JOIN log AS l ON l.event->>'eventID' = x.event_id;
SELECT is(count(*), (SELECT count(*) FROM alerts), 'Every alert has its first event here') FROM first_events;
SELECT cmp_ok(count(*), '>=', 6::bigint, 'and there are some') FROM first_events;
SELECT is_empty($$SELECT why->>'verdict', alert_id FROM first_events WHERE why->>'verdict' <> 'raised' OR (why->>'alert_id')::bigint <> alert_id$$,
	'Raised: the first event of an alert names it');
SELECT is_empty($$SELECT f.alert_id, key FROM first_events AS f, unnest(ARRAY['k', 'A', 'K', 'N', 'training_days', 'context', 'memory_days']) AS key
	WHERE f.why->'detectors'->0->key IS DISTINCT FROM f.evidence->key$$, 'Raised: k, A, K, N and context as in the evidence');
SELECT is_empty($$SELECT alert_id FROM first_events WHERE (why#>>'{detectors,0,probability}')::float8 <> probability
	OR (why#>>'{detectors,0,surprise}')::float8 <> surprise$$, 'Raised: probability and surprise to the last digit');
SELECT is_empty($$SELECT alert_id FROM first_events WHERE (why#>>'{detectors,0,risk}')::float8 <> risk
	OR why#>'{detectors,0,risk_counts}' <> evidence->'risk'$$, 'Raised: risk and its counts');
SELECT is_empty($$SELECT alert_id FROM first_events WHERE (why#>>'{detectors,0,severity}', why#>>'{detectors,0,variation}') IS DISTINCT FROM (severity, variation)$$,
	'Raised: severity and variation');
SELECT lives('cat', '2026-02-20', '2026-03-20');
SELECT put(aws('2026-03-01T10:00:00Z', 'bob', 'CreateUser', id => 'later'));
SELECT is_empty($$SELECT alert_id FROM first_events WHERE (detector(event)) - '{account,alerts_left}'::text[] <> (why->'detectors'->0) - '{account,alerts_left}'::text[]$$,
	'Of the past: what happened since changes no number');

-- what else can become of an event
SELECT is(verdict(event) || ' ' || (why_json(event)->>'stored'), 'joined true', 'Joined: another of the behaviour within the deduplication period') FROM log WHERE event->>'eventID' = 'u2';
SELECT matches(said(event), '^It joined alert \d+, whose first event is less than 5 days away', 'Joined: in words') FROM log WHERE event->>'eventID' = 'u2';
SELECT is(verdict(aws('2026-02-16T10:00:00Z', 'ann', 'CreateUser')), 'would_join', 'Not stored: it would join');
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser')) || ' ' || (why_json(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser'))->>'stored'), 'would_raise false', 'Not stored: it would raise one');
SELECT matches(said(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser')), '^P = 0\.\d+ is below the limit 0.02: it would raise an alert', 'Not stored: in words');
SELECT put(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser', id => 'd1'));
SELECT is((SELECT probability FROM alerts WHERE identity LIKE '%dan'), (detector(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser', id => 'd1'))->>'probability')::float8,
	'Not stored: then stored, it gets the number foretold');
SELECT is(verdict(event), 'not_unusual', 'Not unusual: done before') FROM log WHERE event->>'eventName' = 'CreateAccessKey' AND event->>'eventTime' LIKE '2026-02-10%';
SELECT matches(said(event), 'is not below the limit 0.02: the identity did it on 9 of the 30 days on which it was active', 'Not unusual: in words')
FROM log WHERE event->>'eventName' = 'CreateAccessKey' AND event->>'eventTime' LIKE '2026-02-10%';
SELECT is(verdict(aws('2026-01-10T10:00:00Z', 'ann', 'CreateGroup')), 'activation', 'Activation: no alert before the account is known for 14 days');
SELECT is((detector(aws('2026-01-10T10:00:00Z', 'ann', 'CreateGroup'))#>>'{account,learns_until}')::timestamptz, '2026-01-15 08:00:00+00', 'Activation: until when');
SELECT is(verdict(jsonb_set(aws('2026-01-10T10:00:00Z', 'ann', 'CreateGroup'), '{recipientAccountId}', '"9"')), 'activation', 'Activation: an account that nothing is known of');
SELECT is(verdict(aws('2024-01-10T10:00:00Z', 'ann', 'CreateGroup')), 'late', 'Late: further back than what counts');
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'ann', 'ListUsers')), 'not_watched', 'Catalogue: what only looks is not watched');
SELECT matches(said(aws('2026-02-18T10:00:00Z', 'ann', 'ListUsers')), 'effect read', 'Catalogue: and it says so');
SELECT matches(said(aws('2026-02-18T10:00:00Z', 'ann', 'FrobnicateUser')), 'The catalogue does not have iam:FrobnicateUser', 'Catalogue: nothing of it');
SELECT is(why_json(aws('2026-02-18T10:00:00Z', 'ann', 'CreateUser'))#>>'{catalogue,category}', 'account', 'Catalogue: the row that it falls under');

UPDATE detectors SET categories = '{permission}';
SELECT matches(said(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup')), 'watches the categories permission, and it is of group', 'Detector: another category');
UPDATE detectors SET categories = NULL, least_sensitivity = 4;
SELECT matches(said(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup')), 'watches sensitivity 4 and above', 'Detector: less sensitive');
UPDATE detectors SET least_sensitivity = 1, least_risk = 100;
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup')), 'below_least_risk', 'Detector: less risk than the least');
UPDATE detectors SET least_risk = NULL, enabled = false;
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup')), 'disabled', 'Detector: disabled');
UPDATE detectors SET enabled = true, context_bits = 1;
SELECT cmp_ok((detector(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', more => '{"sourceIPAddress": "203.0.113.5"}'))->>'probability')::float8, '<',
	(detector(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup'))->>'probability')::float8, 'Context: counts if the detector says so');
SELECT matches(why(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', more => '{"sourceIPAddress": "203.0.113.5"}')),
	'context: from network 203.0.113.0/24, which it was not seen in', 'Context: in words');
SELECT matches(why(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', more => '{"sourceIPAddress": "203.0.113.5"}')),
	E'\n  with 1.00 bits for its context: p = ', 'Context: what it makes of the probability');
UPDATE detectors SET context_bits = 0;

INSERT INTO suppressions (reason, operation, starts_at) VALUES ('groups', 'CreateGroup', '2026-02-01');
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup')), 'would_be_suppressed', 'Suppressed: not stored');
SELECT put(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', id => 'g1'));
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', id => 'g1')), 'suppressed', 'Suppressed: stored');
SELECT is((detector(aws('2026-02-18T10:00:00Z', 'ann', 'CreateGroup', id => 'g1'))->>'suppression_id')::bigint, (SELECT suppression_id FROM suppressions), 'Suppressed: by which');
-- a suppression counts only what would have been an alert
UPDATE detectors SET least_risk = 100;
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'bob', 'CreateGroup')), 'below_least_risk', 'Suppressed: not what is no alert without it, for its risk');
SELECT put(aws('2026-02-18T10:00:00Z', 'bob', 'CreateGroup', id => 'g2'));
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'bob', 'CreateGroup', id => 'g2')), 'below_least_risk', 'Suppressed: as it is once it is stored');
SELECT is(verdict(aws('2026-02-18T11:00:00Z', 'ann', 'CreateGroup')), 'would_be_suppressed', 'Suppressed: what joins a suppressed alert, whatever its risk');
UPDATE detectors SET least_risk = NULL;
SELECT is(verdict(aws('2026-02-18T11:00:00Z', 'bob', 'CreateGroup')), 'day_tested', 'Suppressed: nor what comes on a day that was tested without one');
UPDATE suppressions SET withdrawn_at = now();

DELETE FROM alerts WHERE identity LIKE '%dan';
SELECT is(verdict(aws('2026-02-18T10:00:00Z', 'dan', 'CreateUser', id => 'd1')), 'day_tested', 'Day tested: an alert that is gone does not come back by itself');

SELECT is(verdict('{"eventName": "CreateUser"}'), 'unreadable', 'Unreadable');
SELECT is(said('{"eventName": "CreateUser"}'), 'It cannot be read: ' || unreadable('{"eventName": "CreateUser"}') || '.', 'Unreadable: why and what to do');
SELECT matches(why(jsonb_build_object('Records', jsonb_build_array(aws('2026-02-18T10:00:00Z', 'ann', 'CreateUser')))), 'It holds 1 events that can', 'Unreadable: but it holds some that can');
SELECT is(verdict(NULL), 'unreadable', 'Null');
SELECT is(verdict(aws(to_char(now() + interval '3 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'ann', 'CreateUser')), 'rejected', 'Rejected: from the future');
SELECT is(verdict(aws('2026-02-18T10:00:00Z', repeat('x', 70000), 'CreateUser')), 'rejected', 'Rejected: a name that is too long');

-- a window of a person and a role alike
SELECT matches(why(event), 'k = 0: days of the 30 before its own.*A = 30: .*K = 1: .*N = 90: .*q = .*risk = [0-9.]+ bits', 'In words: every number')
FROM log WHERE event->>'eventID' = 'u1';
SELECT matches(why(event), E'FAILED \\(AccessDenied\\)', 'In words: failed') FROM log WHERE event->>'eventID' = 'c1';
SELECT doesnt_match(why(aws('2026-02-18T10:00:00Z', E'eve\n\u001b[2J', 'CreateUser')), '[\u001b]', 'In words: names cannot control the terminal');

CREATE ROLE iamwatch_why_reader;
SELECT grant_access('iamwatch_why_reader', 'read');
GRANT USAGE ON SCHEMA public TO iamwatch_why_reader;
SET ROLE iamwatch_why_reader;
SELECT is(why_json(aws('2026-02-15T10:00:00Z', 'ann', 'CreateUser', id => 'u1'))->>'verdict' || (why_json(aws('2026-02-15T10:00:00Z', 'ann', 'CreateUser', id => 'u1'))->'problems')::text,
	'raised{"public.log": "iamwatch_why_reader may not read it"}', 'With the caller''s rights: a source that they may not read is said to be');
SELECT is(verdict(aws('2026-02-19T10:00:00Z', 'dan', 'DeleteGroup')), 'would_raise', 'With the right to read: all counts');
SELECT matches(said(aws('2026-02-19T10:00:00Z', 'ann', 'CreateGroup')), '^It would raise an alert with the score of suppressed alert', 'With the right to read: also what follows a suppressed alert');
RESET ROLE;
CREATE TEMP TABLE before AS SELECT state();
SELECT count(why(event)) AS said FROM log \gset
SELECT is(state(), (SELECT state FROM before), 'Writes nothing');

SELECT * FROM finish();
ROLLBACK;
