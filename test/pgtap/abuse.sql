\ir settings.psql
SELECT plan(64);

CREATE FUNCTION flood(at text, prefix text, n integer, operation text = 'ListBuckets', service text = 's3') RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws(at, prefix || i, operation, service) FROM generate_series(1, n) AS i
$$;
CREATE FUNCTION set_limit(limit_name text, n bigint) RETURNS void LANGUAGE sql AS 'UPDATE iamwatch.limits SET value = n WHERE name = limit_name';
CREATE FUNCTION refused(limit_name text) RETURNS bigint LANGUAGE sql AS
	'SELECT coalesce(sum(refused), 0)::bigint FROM iamwatch.limits_hit WHERE name = limit_name';
SELECT lives('ann', '2026-01-01', '2026-02-20');
SELECT lives('bob', '2026-01-01', '2026-02-20');
SELECT is_empty('SELECT FROM limits_hit', 'Limits: ordinary data reaches none');

-- A limit far above what one statement brings: an index tells who is near it
SAVEPOINT near;
SELECT set_limit('new_identities', 20000);
INSERT INTO limit_counts (name, scope, day, taken, refused, large, hit) VALUES ('new_identities', 'aws/111122223333', '2026-02-10', 19998, 0, true, false);
SELECT flood('2026-02-10T08:00:00Z', 'near', 5);
SELECT is(count(*), 2::bigint, 'Near: of five identities those two that the limit has room for') FROM identities WHERE identity LIKE '%near%';
SELECT is(refused('new_identities'), 3::bigint, 'Near: the others are counted');
ROLLBACK TO near;
-- how large a count is, is written with it, for that index
SELECT count_limit('alerts', 'aws/counted', '2026-02-10', 9999, 0);
SELECT is(large || ' ' || hit, 'false false', 'Near: not up to 9,999') FROM limit_counts WHERE scope = 'aws/counted';
SELECT count_limit('alerts', 'aws/counted', '2026-02-10', 1, 1);
SELECT is(large || ' ' || hit, 'true true', 'Near: from 10,000 on, and hit when one is refused') FROM limit_counts WHERE scope = 'aws/counted';
SELECT count_limit('alerts', 'aws/counted', '2026-02-10', -1, 0);
SELECT is(large || ' ' || hit, 'false true', 'Near: not when that is counted back') FROM limit_counts WHERE scope = 'aws/counted';
INSERT INTO limit_counts (name, scope, day, taken, refused, large, hit) VALUES ('alerts', 'aws/counted', '2026-02-10', 1, 0, false, false);
SELECT fold_counts();
SELECT is(taken || ' ' || large || ' ' || hit, '10000 true true', 'Near: by what several sessions counted, once it is put together') FROM limit_counts WHERE scope = 'aws/counted';
ROLLBACK TO near;

-- A flood of identities
SELECT set_limit('new_identities', 5);
SAVEPOINT s;
SELECT flood('2026-02-10T08:00:00Z', 'gone', 20);
ROLLBACK TO s;
SELECT is(refused('new_identities'), 0::bigint, 'Identities: what is rolled back is not counted');
SELECT flood('2026-02-10T08:00:00Z', 'fake', 20);
SELECT is(count(*), 5::bigint, 'Identities: beyond the limit of a day none are learned') FROM identities WHERE identity LIKE '%fake%';
SELECT is(refused('new_identities'), 15::bigint, 'Identities: the others are counted');
SELECT is(scope || ' ' || limit_value || ' ' || first_day, 'aws/111122223333 5 2026-02-10', 'Limits: one view shows which, where, how many and when') FROM limits_hit;
SELECT is(count(*), 20::bigint, 'Limits: the statement that stores the events succeeds') FROM log WHERE event->'userIdentity'->>'arn' LIKE '%fake%';
SELECT flood('2026-02-10T09:00:00Z', 'later', 1);
SELECT is(refused('new_identities'), 16::bigint, 'Identities: the limit counts over statements');
SELECT flood('2026-02-11T08:00:00Z', 'next', 1);
SELECT is(count(*), 1::bigint, 'Identities: the next day has a limit of its own') FROM identities WHERE identity LIKE '%next%';
SELECT is(days @> '{2026-02-20}', true, 'Identities: those that are known go on being learned') FROM identities WHERE identity LIKE '%ann';
SELECT put(aws('2026-02-10T10:00:00Z', 'ann', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Identities: those that are known go on being tested') FROM alerts WHERE identity LIKE '%ann';
SELECT put(aws('2026-02-10T10:00:00Z', 'unlearned', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Identities: an identity beyond the limit is tested all the same') FROM alerts WHERE identity LIKE '%unlearned';
SELECT set_limit('new_identities', 1000000);

-- A flood of operations
SELECT set_limit('new_behaviours', 3);
INSERT INTO log SELECT aws('2026-02-12T08:00:00Z', 'bob', 'Create' || x) FROM unnest('{User,Role,Group,AccessKey,LoginProfile}'::text[]) AS x;
SELECT is(count(*), 3::bigint, 'Operations: beyond the limit of a day no pairs of identity and operation are learned') FROM baselines WHERE identity LIKE '%bob';
SELECT is(refused('new_behaviours'), 2::bigint, 'Operations: the others are counted');
SELECT is(count(*), 5::bigint, 'Operations: all are tested') FROM alerts WHERE identity LIKE '%bob';
SELECT put(aws('2026-02-12T08:00:00Z', 'cat', 'DeleteUser'));
SELECT is(days, '{2026-02-12}'::dayset, 'Operations: what is refused still is a day of activity') FROM identities WHERE identity LIKE '%cat';
SELECT set_limit('new_behaviours', 5000000);

-- A flood of accounts
SELECT set_limit('accounts', 1);
SELECT put(aws('2026-02-13T08:00:00Z', 'ann', 'ListUsers', more => '{"recipientAccountId": "invented"}'));
SELECT is(count(*), 1::bigint, 'Accounts: beyond the limit none are learned') FROM accounts;
SELECT is(refused('accounts'), 1::bigint, 'Accounts: the others are counted');
SELECT set_limit('accounts', 1000000);

-- A flood of alerts
SELECT set_limit('alerts', 2);
SELECT flood('2026-02-14T08:00:00Z', 'noise', 10, 'CreateUser', 'iam');
SELECT is(count(*), 2::bigint, 'Alerts: beyond the limit of a day none open for identities without a past') FROM alerts WHERE identity LIKE '%noise%';
SELECT is(refused('alerts'), 8::bigint, 'Alerts: the others are counted');
SELECT put(aws('2026-02-14T09:00:00Z', 'ann', 'CreateRole'));
SELECT is(count(*), 1::bigint, 'Alerts: one opens for an identity with a past, whatever the flood') FROM alerts WHERE identity LIKE '%ann' AND operation = 'CreateRole';
SELECT set_limit('alerts', 100000);

-- A flood of events of one alert
SELECT set_limit('alert_events', 4);
INSERT INTO log SELECT aws('2026-02-14T10:00:00Z', 'ann', 'CreateRole', id => 'e' || i) FROM generate_series(1, 2000) AS i;
SELECT is(event_count, 2001::bigint, 'Events of an alert: all are counted in it') FROM alerts WHERE identity LIKE '%ann' AND operation = 'CreateRole';
SELECT is(count(*), 4::bigint, 'Events of an alert: beyond the limit their ids are not kept')
FROM alert_events JOIN alerts USING (alert_id) WHERE identity LIKE '%ann' AND operation = 'CreateRole';
SELECT is(refused('alert_events'), 1997::bigint, 'Events of an alert: that is counted');
SELECT is(jsonb_array_length(evidence->'event_ids'), 1000, 'Events of an alert: evidence stays bounded') FROM alerts WHERE identity LIKE '%ann' AND operation = 'CreateRole';
SELECT set_limit('alert_events', 1000000);

INSERT INTO limits (name, value, shipped_value, counted, beyond) VALUES ('alerts', 77, 100000, '', '');
SELECT is(limit_value('alerts'), 77::bigint, 'Limits: a row that is restored takes the place of the shipped one');
SELECT set_limit('alerts', 100000);

-- A flood of documents that cannot be read
SELECT set_limit('rejected_events', 3);
INSERT INTO log SELECT jsonb_build_object('n', i) FROM generate_series(1, 10) AS i;
SELECT is(count(*), 3::bigint, 'Rejected: beyond the limit of a source and day documents are not kept') FROM rejected_events;
SELECT is(refused('rejected_events') || ' ' || scope, '7 public.log', 'Rejected: the others are counted') FROM limits_hit WHERE name = 'rejected_events';
SELECT set_limit('rejected_events', 100000);
INSERT INTO log SELECT jsonb_build_object('large', repeat('x', 1000000)) FROM generate_series(1, 2);
SELECT is(length(event #>> '{}') || ' ' || left(event #>> '{}', 12) || ' ' || (event_bytes > 1000000), '1000 {"large": "x true',
	'Rejected: of a large document the beginning, its size and digest are kept, once') FROM rejected_events WHERE jsonb_typeof(event) = 'string';

-- Names and details of a megabyte
SELECT put(aws('2026-02-15T08:00:00Z', repeat('n', 1000000), 'CreateUser'));
SELECT is(reason, 'a name is longer than 64 kB', 'Names: a document with a name of a megabyte is rejected')
FROM rejected_events ORDER BY rejected_id DESC LIMIT 1;
-- Each name apart, at its end: ann's ARN has 31 characters before it.
CREATE FUNCTION named(account integer, identity integer, service integer, operation integer) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(aws('2026-02-15T08:00:00Z', repeat('n', identity - 31), repeat('o', operation), repeat('s', service),
		more => jsonb_build_object('recipientAccountId', repeat('1', account))))
$$;
SELECT is(named(65536, 65536, 65536, 65536), NULL, 'Names: each may have 64 kB');
SELECT is(ARRAY[named(65537, 99, 99, 99), named(99, 65537, 99, 99), named(99, 99, 65537, 99), named(99, 99, 99, 65537)],
	array_fill('a name is longer than 64 kB'::text, '{4}'), 'Names: of an account, an identity, a service and an operation, none may have a byte more');
SELECT put(aws('2026-02-15T08:00:00Z', 'ann', 'CreateGroup', id => repeat('i', 1000000), more =>
	jsonb_build_object('userAgent', repeat('u', 1000000), 'requestParameters', jsonb_build_object('groupName', repeat('t', 1000000)))));
SELECT is(octet_length(evidence::text) < 5000, true, 'Details: of a megabyte they raise an alert of a few kilobytes') FROM alerts WHERE operation = 'CreateGroup' AND identity LIKE '%ann';
SELECT is(octet_length(event_id), 65536, 'Details: an event id is cut') FROM alert_events JOIN alerts USING (alert_id) WHERE operation = 'CreateGroup' AND identity LIKE '%ann';

-- Upkeep
SELECT sum(refused) AS before FROM limits_hit \gset
INSERT INTO limit_counts (name, scope, day, taken, refused, large, hit) VALUES ('alerts', 'aws/large', '2026-02-10', 1000, 0, false, false),
	('alerts', 'aws/small', '2026-02-10', 999, 0, false, false);
UPDATE limit_counts SET changed_at = now() - interval '3 days';
SELECT fold_counts();
SELECT is(string_agg(scope, ' '), 'aws/large', 'Upkeep: of what was counted without a refusal, a thousand and more stay for longer') FROM limit_counts WHERE scope IN ('aws/large', 'aws/small');
UPDATE limit_counts SET changed_at = now() - interval '91 days' WHERE scope = 'aws/large';
SELECT fold_counts();
SELECT is_empty('SELECT FROM limit_counts WHERE refused = 0', 'Upkeep: small counts go after two days');
SELECT is(sum(refused), :before::numeric, 'Upkeep: what was refused can be seen for 90 days') FROM limits_hit;

-- Memory, by the largest size of this backend's contexts after each row
CREATE TEMP SEQUENCE peak MINVALUE 0 START 0;
CREATE FUNCTION sample() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE now_bytes bigint;
BEGIN
	SELECT memory_of('iamwatch events%') INTO now_bytes;
	IF now_bytes > (SELECT last_value FROM peak) THEN
		PERFORM setval('peak', now_bytes);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER z_sample AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION sample();
SET work_mem = '2MB';
SET hash_mem_multiplier = 2;
INSERT INTO log SELECT aws('2026-02-16T08:00:00Z', 'm' || i, 'CreateSAMLProvider', more => jsonb_build_object('userAgent', repeat('u', 1000000)))
FROM generate_series(1, 100) AS i;
SELECT cmp_ok(last_value, '<', 4 * 1048576 + 3 * 1048576::bigint, 'Memory: documents of a megabyte are put into files when the memory for a hash table is reached') FROM peak;
SELECT cmp_ok(last_value, '>', 1048576::bigint, 'Memory: which is what was measured') FROM peak;
DROP TRIGGER z_sample ON log;
SELECT cmp_ok(coalesce(memory_of('iamwatch events%'), 0), '<', 65536::bigint, 'Memory: nothing of them stays when the statement ends');
RESET work_mem;
RESET hash_mem_multiplier;
CREATE TABLE ids AS SELECT generate_series(1, 270) AS id;
CREATE VIEW many AS SELECT id, aws('2026-02-16T09:00:00Z', 'ann', 'ListBuckets', 's3', more => jsonb_build_object('userAgent', repeat('u', 4000000))) AS event FROM ids;
INSERT INTO sources (source, event_column, order_column) VALUES ('many', 'event', 'id');
SELECT is(process_rows('many', 5000), 270::bigint, 'Memory: process() takes a batch of documents that is larger than any array');
SELECT is(count(*), 100::bigint, 'Teaching: invented peers raise an alert each, before they could excuse anybody') FROM alerts WHERE operation = 'CreateSAMLProvider';

-- Teaching the baseline
SELECT lives('dan', '2026-02-01', '2026-03-20');
INSERT INTO log SELECT aws('2026-03-01T' || to_char(i % 24, 'FM00') || ':00:00Z', 'dan', 'PutUserPolicy') FROM generate_series(0, 999) AS i;
SELECT is(string_agg(event_count || ' ' || (evidence->>'k'), ','), '1000 0', 'Teaching: a thousand calls on one day are one alert, and none of them excuses the next')
FROM alerts WHERE identity LIKE '%dan';
SELECT lives('eve', '2026-02-01', '2026-03-20');
INSERT INTO log SELECT aws(d::date || 'T03:00:00Z', 'eve', 'PutUserPolicy') FROM generate_series('2026-02-20'::date, '2026-03-19', interval '1 day') AS d;
SELECT is(min(first_event_time)::date, '2026-02-20'::date, 'Teaching: events of past days, all delivered today, raise an alert by the first of them')
FROM alerts WHERE identity LIKE '%eve';
SELECT put(aws('2025-08-05T03:00:00Z', 'eve', 'AttachUserPolicy'));
SELECT is_empty($$SELECT FROM baselines WHERE identity LIKE '%eve' AND operation = 'AttachUserPolicy'$$, 'Teaching: what is further back than the kept history is not learned');

-- Forged and replayed ids
SELECT lives('fay', '2026-02-01', '2026-03-20');
SELECT put(aws('2026-03-10T08:00:00Z', 'fay', 'ListUsers', id => 'known before'));
SELECT put(aws('2026-03-10T09:00:00Z', 'dan', 'CreateRole', id => 'known before'));
SELECT put(aws('2026-03-10T10:00:00Z', 'fay', 'CreateRole', id => 'known before'));
SELECT is(count(*), 1::bigint, 'Event ids: one that was used for something else hides no alert') FROM alerts WHERE identity LIKE '%fay' AND operation = 'CreateRole';
SELECT put(aws('2026-03-10T08:00:00Z', 'fay', 'CreateUser', id => 'forged'));
SELECT put(aws('2026-03-10T11:00:00Z', 'fay', 'CreateUser', id => 'forged'));
SELECT put(aws('2026-03-16T11:00:00Z', 'fay', 'DeleteUser', id => 'forged'));
SELECT is(string_agg(operation || event_count, ' ' ORDER BY operation), 'CreateRole1 CreateUser1 DeleteUser1',
	'Event ids: one that is in the alert is worth no more than a count there, and nothing elsewhere') FROM alerts WHERE identity LIKE '%fay';

-- Forged times
SELECT lives('gil', '2026-02-01', '2026-03-20');
SELECT put(aws('9999-01-01T00:00:00Z', 'gil', 'ListUsers'));
SELECT is(newest_day, '2026-03-20'::date, 'Times: a far future moves nothing') FROM accounts;
SELECT put(aws('0001-01-01T00:00:00Z', 'gil', 'CreateUser'));
SELECT is(first_event_time, '2026-01-01 08:00:00+00'::timestamptz, 'Times: neither does a far past') FROM accounts;
SELECT put(aws('2026-03-20T10:00:00Z', 'gil', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Times: neither hides the alert of an event between them') FROM alerts WHERE identity LIKE '%gil';

-- Renamed sessions
CREATE FUNCTION session(at text, name text, operation text, service text = 'iam') RETURNS void LANGUAGE sql AS $$
	INSERT INTO log VALUES (aws(at, 'x', operation, service, more => jsonb_build_object('userIdentity', jsonb_build_object('type', 'AssumedRole',
		'arn', 'arn:aws:sts::111122223333:assumed-role/deploy/' || name))))
$$;
SELECT session(d::date || 'T04:00:00Z', 'run-' || d::date, 'ListBuckets', 's3') FROM generate_series('2026-02-18'::date, '2026-03-19', interval '1 day') AS d;
SELECT session('2026-03-20T10:00:00Z', n, 'CreateAccessKey') FROM unnest('{run-1,other,i-0123456789abcdef0}'::text[]) AS n;
SELECT is(string_agg(identity || event_count, ' '), 'arn:aws:iam::111122223333:role/deploy3', 'Sessions: whatever their names, the role is the identity')
FROM alerts WHERE operation = 'CreateAccessKey' AND identity LIKE '%role/deploy%';
SELECT session('2026-03-20T11:00:00Z', 'nobody@example.com', 'CreateAccessKey');
SELECT is(count(*), 1::bigint, 'Sessions: one that is named like a person is a new person, and raises an alert') FROM alerts WHERE identity LIKE '%role/deploy/nobody@example.com';

-- A forged kind of identity
SELECT lives('hal', '2026-02-01', '2026-03-20');
INSERT INTO log SELECT aws(d::date || 'T05:00:00Z', 'ci', 'UpdateUser', more => '{"userIdentity": {"type": "AWSService", "invokedBy": "ci.amazonaws.com"}}')
FROM generate_series('2026-02-10'::date, '2026-03-19', interval '1 day') AS d;
SELECT put(aws('2026-03-20T09:00:00Z', 'hal', 'UpdateUser', more => '{"userIdentity": {"type": "AWSService", "invokedBy": "arn:aws:iam::111122223333:user/hal"}}'));
SELECT put(aws('2026-03-20T10:00:00Z', 'hal', 'UpdateUser'));
SELECT is(string_agg(identity_kind, ','), 'user', 'Kinds: that a service does so usually excuses no person of the same name') FROM alerts WHERE identity LIKE '%hal';

SELECT lives('kim', '2026-02-01', '2026-03-20');
INSERT INTO log VALUES
(aws('2026-03-20T09:00:00Z', 'kim', 'UpdateUser', more => '{"userIdentity": {"type": "AWSService", "invokedBy": "arn:aws:iam::111122223333:user/kim"}}')),
(aws('2026-03-20T10:00:00Z', 'kim', 'UpdateUser'));
SELECT is(string_agg(identity_kind, ','), 'user', 'Kinds: nor when both come in one statement') FROM alerts WHERE identity LIKE '%kim';

-- A flood of incidents of higher risk
SELECT set_limit(name, 1000000) FROM limits WHERE name IN ('alerts', 'new_identities', 'new_behaviours');
UPDATE detectors SET daily_budget = 1;
SELECT lives('ole', '2026-02-01', '2026-03-20');
SELECT flood('2026-03-21T08:00:00Z', 'loud', 28, 'AttachUserPolicy', 'iam');
SELECT put(aws('2026-03-21T10:00:00Z', who, 'TagUser')) FROM unnest('{ole,pia}'::text[]) AS who;
SELECT is(urgent, true, 'Ranks: what an identity with a past does for the first time ranks above a flood of new ones') FROM incidents WHERE identity LIKE '%/ole';
SELECT is((SELECT urgent FROM incidents WHERE identity LIKE '%/pia') || ' ' || (SELECT count(*) FROM incidents WHERE urgent AND identity LIKE '%/loud%'),
	'false 28', 'Ranks: what another new one does, below it');
UPDATE alerts SET status = 'closed', resolution = 'benign' WHERE identity LIKE '%/loud%';
SELECT is(urgent, true, 'Ranks: which is urgent again once the flood is closed as benign') FROM incidents WHERE identity LIKE '%/pia';

-- Last, since it moves the kept history of the account
SELECT lives('ned', current_date - 20, current_date - 1);
SELECT late_events FROM accounts \gset
SELECT put(aws(to_char(now() + interval '23 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'forger', 'ListUsers'));
SELECT put(aws(to_char(now() - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'ned', 'CreateUser'));
SELECT is(count(*), 1::bigint, 'Times: an event up to a day ahead of the clock hides no alert') FROM alerts WHERE identity LIKE '%/ned';
SELECT is(late_events, :late_events::bigint, 'Times: and makes no event of now late') FROM accounts;

SELECT * FROM finish();
ROLLBACK;
