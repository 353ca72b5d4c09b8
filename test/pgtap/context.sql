\ir settings.psql
SELECT plan(33);

CREATE FUNCTION context(who text, what text = 'CreateUser') RETURNS jsonb LANGUAGE sql AS
	$$SELECT evidence->'context' FROM alerts WHERE identity LIKE '%/' || who AND operation = what AND NOT failed ORDER BY alert_id DESC LIMIT 1$$;
CREATE FUNCTION does(at text, who text, operation text, more jsonb = '{}') RETURNS void LANGUAGE sql AS
	$$SELECT put(aws(at, who, operation, more => jsonb_build_object('awsRegion', 'eu-west-1') || more))$$;
-- the same, from one place, with one program, in one region
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', who, 'ListBuckets', 's3', more => '{"awsRegion": "eu-west-1", "userAgent": "aws-cli/2.15.1 Python/3.11.6"}'
	|| jsonb_build_object('userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::111122223333:user/' || who, 'accessKeyId', key)))
FROM generate_series('2026-01-01', '2026-02-19'::date, interval '1 day') AS d,
	(VALUES ('ann', 'AKIA1'), ('bob', 'ASIA1'), ('cat', 'AKIA2'), ('dan', 'AKIA3'), ('fay', 'AKIA4')) AS w (who, key);

-- As evidence
SELECT does('2026-02-20T09:00:00Z', 'ann', 'CreateUser', '{"userAgent": "aws-cli/2.16.0 Python/3.12"}');
SELECT is(context('ann'), '{}', 'Evidence: the usual network, region and program are no context, whatever the version');
SELECT does('2026-02-20T10:00:00Z', 'ann', 'PutUserPolicy', '{"sourceIPAddress": "198.51.100.200", "userAgent": "curl/8.1", "awsRegion": "ap-south-1"}');
SELECT is(context('ann', 'PutUserPolicy'), '{"new_network": "198.51.100.0/24", "new_user_agent": "curl/#", "new_region": "ap-south-1"}',
	'Evidence: network, user agent and region that are new to the identity are told');
SELECT does('2026-02-21T10:00:00Z', 'ann', 'CreateRole', '{"sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2"}');
SELECT is(context('ann', 'CreateRole'), '{"new_user_agent": "aws-cli/#"}', 'Evidence: a network is a /24, and known from the next day');
SELECT does('2026-02-21T11:00:00Z', 'bob', 'CreateUser', '{"sourceIPAddress": "2001:db8:1:2::3", "userAgent": "aws-cli/2.16.0 Python/3.12"}');
SELECT is(context('bob'), '{"new_network": "2001:db8:1::/48"}', 'Evidence: of IPv6 a network is a /48');
SELECT does('2026-02-21T11:30:00Z', 'bob', 'CreateRole', '{"sourceIPAddress": "ec2.amazonaws.com", "userAgent": "aws-cli/2.16.0 Python/3.12"}');
SELECT is(context('bob', 'CreateRole'), '{}', 'Evidence: what is no address has no network');
SELECT put(aws('2026-02-21T12:00:00Z', 'cat', 'CreateUser', more => '{"sourceIPAddress": "203.0.113.1", "userAgent": "aws-cli/2.15.1 Python/3.11.6",
	"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/cat", "accessKeyId": "AKIA2"}}'));
SELECT is(context('cat')->>'new_key_network', 'AKIA2 203.0.113.0/24', 'Evidence: an access key used from a new network is told');
SELECT put(aws('2026-02-21T12:30:00Z', 'cat', 'CreateRole', more => '{"sourceIPAddress": "203.0.113.1",
	"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/cat", "accessKeyId": "AKIA9"}}'));
SELECT is(context('cat', 'CreateRole')->>'new_key_network', NULL, 'Evidence: to a key that was never seen no network is new');
SELECT is_empty($$SELECT FROM contexts WHERE kind = 'access_key' AND value LIKE 'ASIA%'$$, 'Evidence: keys of sessions are not remembered');

SELECT does('2026-02-20T07:00:00Z', 'dan', 'AttachRolePolicy', '{"errorCode": "AccessDenied"}');
SELECT does('2026-02-20T07:00:01Z', 'dan', 'AttachRolePolicy');
SELECT is(context('dan', 'AttachRolePolicy')->>'failed_before', '2026-02-20T07:00:00Z', 'Evidence: failed, then succeeded on the same day, with the time');
SELECT does('2026-02-20T07:10:00Z', 'dan', 'DeleteRole', '{"errorCode": "AccessDenied"}');
SELECT does('2026-02-22T07:10:00Z', 'dan', 'DeleteRole');
SELECT is(context('dan', 'DeleteRole')->>'failed_before', '2026-02-20T00:00:00Z', 'Evidence: failed, then succeeded on a later day, with the day');
SELECT does('2026-02-22T08:10:00Z', 'dan', 'CreatePolicy');
SELECT does('2026-02-22T08:20:00Z', 'dan', 'CreatePolicy', '{"errorCode": "EntityAlreadyExists"}');
SELECT is(context('dan', 'CreatePolicy')->>'failed_before', NULL, 'Evidence: succeeded, then failed is no context');
SELECT does('2026-02-23T00:00:00Z', 'dan', 'DeletePolicy', '{"errorCode": "AccessDenied"}');
SELECT does('2026-02-23T00:00:01Z', 'dan', 'DeletePolicy');
SELECT is(context('dan', 'DeletePolicy')->>'failed_before', '2026-02-23T00:00:00Z', 'Evidence: the same day begins at midnight, UTC');

SELECT does('2026-02-21T20:00:00Z', 'fay', 'CreateUser');
SELECT does('2026-02-21T20:30:00Z', 'fay', 'CreateLoginProfile');
SELECT does('2026-02-21T21:00:00Z', 'fay', 'AttachUserPolicy');
SELECT is(context('fay', 'CreateLoginProfile')->'burst', NULL, 'Evidence: two operations are no burst');
SELECT is(context('fay', 'AttachUserPolicy')->>'burst', '3', 'Evidence: three different operations new to the identity within an hour are a burst');
SELECT does('2026-02-21T21:30:01Z', 'fay', 'CreateAccessKey');
SELECT is(context('fay', 'CreateAccessKey')->'burst', NULL, 'Evidence: after an hour a burst is over');
-- eva tags a role now and then, and does two things that she never did
SELECT lives('eva', '2025-12-01', '2026-02-20');
SELECT does('2026-02-01T08:00:00Z', 'eva', 'TagRole');
SELECT does('2025-12-20T08:00:00Z', 'eva', 'TagUser');
SELECT does('2026-02-21T20:00:00Z', 'eva', 'TagRole');
SELECT does('2026-02-21T20:10:00Z', 'eva', 'CreateUser');
SELECT does('2026-02-21T20:20:00Z', 'eva', 'CreateRole');
SELECT is(context('eva', 'CreateRole')->'burst', NULL, 'Evidence: what was done within the training period is not new, and is not counted to a burst');
SELECT does('2026-02-21T20:30:00Z', 'eva', 'TagUser');
SELECT does('2026-02-21T20:40:00Z', 'eva', 'CreatePolicy');
SELECT is(context('eva', 'CreatePolicy')->>'burst', '4', 'Evidence: what was done before it is new again');
SELECT does('2026-02-21T22:00:00Z', 'new', 'CreateUser');
SELECT is(context('new'), '{"first_day": true}', 'Evidence: an identity''s first day is told, and to it nothing else is new');

SELECT is(array_agg(value), '{aws-cli/# #bit v#}', 'Evidence: numbers of a version, with dots or underscores between them, are one')
FROM context_values(parse(aws('2026-02-21T08:00:00Z', 'ann', 'CreateUser', more => '{"userAgent": "aws-cli/2.16_1 64bit v3"}')), NULL) WHERE kind = 'a';

-- Sampling
SELECT is(count(*), 0::bigint, 'Sampling: an identity''s first day is not sampled, unless by its IAM operations')
FROM contexts WHERE identity LIKE '%bob' AND days @> dayset('2026-01-01'::date);
SELECT ok(bool_and((day - '2000-01-01'::date) % 4 = 0), 'Sampling: every fourth day')
FROM contexts, days(days) AS day WHERE identity LIKE '%bob' AND value = '192.0.2.0/24';
SELECT is(count(DISTINCT extract(isodow FROM day)), 7::bigint, 'Sampling: all days of the week have their turn')
FROM contexts, days(days) AS day WHERE identity LIKE '%bob' AND value = '192.0.2.0/24';

-- As part of the score
SELECT results_eq('SELECT probability FROM alerts', 'SELECT probability((evidence->>''k'')::int, (evidence->>''A'')::int,
	(evidence->>''K'')::bigint, (evidence->>''N'')::bigint) FROM alerts', 'Score: off by default');
UPDATE detectors SET context_bits = 2, probability_limit = 0.00002;
SELECT does('2026-02-23T09:00:00Z', 'bob', 'DeleteUser', '{"userAgent": "aws-cli/2.16.0 Python/3.12"}');
SELECT is(context('bob', 'DeleteUser'), NULL, 'Score: without context it is not below the limit');
SELECT does('2026-02-23T10:00:00Z', 'bob', 'UpdateUser', '{"sourceIPAddress": "198.51.100.1", "userAgent": "curl/8", "awsRegion": "us-east-1"}');
SELECT is(probability, probability((evidence->>'k')::int, (evidence->>'A')::int, (evidence->>'K')::bigint, (evidence->>'N')::bigint) / 2 ^ 6,
	'Score: each context halves the probability by its bits') FROM alerts WHERE operation = 'UpdateUser';
SELECT is((explain_json(alert_id)->'score'->'steps') - 3 - 0, jsonb_build_array(
	format('p = (k + 2 q) / (A + 2) = (%s + 2 * %s) / (%s + 2) = %s', evidence->'k', q::numeric(12, 6), evidence->'A', (p * 2 ^ 6)::numeric(12, 6)),
	format('with 6.00 bits for its context: p = %s / 2 ^ 6.00 = %s', (p * 2 ^ 6)::numeric(12, 6), p::numeric(12, 6)),
	format('surprise = -log2(p) = %s bits', surprise::numeric(12, 2))), 'Score: explain() tells the probability of the counts, and what context makes of it')
FROM (SELECT *, probability AS p, ((evidence->>'K')::float8 + 0.1) / ((evidence->>'N')::float8 + 10) AS q FROM alerts WHERE operation = 'UpdateUser') AS a;
UPDATE detectors SET context_kinds = '{new_region}';
SELECT does('2026-02-23T11:00:00Z', 'bob', 'DeleteRole', '{"sourceIPAddress": "203.0.113.9", "userAgent": "wget/8"}');
SELECT is(context('bob', 'DeleteRole'), NULL, 'Score: only contexts that are chosen count');
SELECT throws_ok('UPDATE detectors SET context_kinds = ''{moon}''', '22023', NULL, 'Score: a context that is none is refused');

-- The journal of samples, which other sessions leave
INSERT INTO context_journal SELECT parse(aws('2026-02-23T12:00:00Z', who, what)), NULL, true
FROM (VALUES ('ann', 'DeleteUser'), ('ann', 'DeleteRole'), ('bob', 'DeleteGroup')) AS w (who, what);
SELECT is((context_of(e, ids_of(e), 30, 1))->>'burst', '3', 'Journal: what is new to one identity is not counted for another')
FROM parse(aws('2026-02-23T12:30:00Z', 'ann', 'CreateUser')) AS e;
DELETE FROM context_journal;

-- Rollback
SAVEPOINT before;
SELECT does('2026-02-24T09:00:00Z', 'ann', 'CreateGroup', '{"sourceIPAddress": "203.0.113.77"}');
ROLLBACK TO before;
SELECT is_empty($$SELECT FROM contexts WHERE value = '203.0.113.0/24' AND identity LIKE '%ann'$$, 'Rollback: what was learned of context goes with it');

-- Who may read it
CREATE ROLE iamwatch_test_reader;
SELECT FROM grant_access('iamwatch_test_reader', 'read');
SET LOCAL ROLE iamwatch_test_reader;
CREATE TEMP TABLE seen AS SELECT count(*) > 0 AS contexts FROM iamwatch.contexts;
RESET ROLE;
SELECT ok(contexts, 'Privileges: who reads alerts reads contexts') FROM seen;

-- Upkeep
SELECT isnt_empty($$SELECT FROM novelties WHERE at < '2026-02-25'$$, 'Upkeep: novelties are kept as long as days are');
SELECT lives('ann', '2026-11-01', '2026-11-01');
SELECT FROM accounts, prune_account(account_id);
SELECT ok(NOT EXISTS (SELECT FROM habits WHERE first_day(days) < '2026-03-01') AND NOT EXISTS (SELECT FROM novelties WHERE at < '2026-03-01'),
	'Upkeep: contexts go with the days that they belong to');
SELECT * FROM finish();
ROLLBACK;
