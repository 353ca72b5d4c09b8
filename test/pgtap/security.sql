\ir settings.psql
SELECT plan(49);
-- What docs/security.md says and no other test asserts. Which test asserts which
-- sentence is in test/reference/promises.txt.

CREATE FUNCTION seen(who text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(days::text, ' ') FROM identities WHERE identity LIKE '%/' || who $$;

-- ---- names whose hashes collide ----
-- hashtextextended(name, 0), by which names are looked up, has no seed: these were
-- made in milliseconds, of characters that a user of IAM may have in its name.
CREATE TABLE alike (name text, other text);
INSERT INTO alike VALUES ('victim-name-146fnd--c47b', 'znspwphujb08pL+0UVzGTkw8'),
	('victim-name-l76xf9tj-80k', 'cc7ocr40gh461TG-xS..YtLQ'), ('victim-name--1b5k06go545', '6zpbnj7qp4v4W,ooxMWVXfRs');
SELECT is(bool_and(hashtextextended(name, 0) = hashtextextended(other, 0)), true, 'Collisions: these names collide') FROM alike;
CREATE FUNCTION collide(n integer, at text, operation text, account text DEFAULT NULL, id text DEFAULT gen_random_uuid()::text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws(at, 'x', operation, more => jsonb_build_object('recipientAccountId', coalesce(account, who),
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)), id => id)
	FROM (SELECT CASE n WHEN 1 THEN name ELSE other END AS who FROM alike LIMIT 1) AS w $$;
SELECT collide(1, d::date || 'T08:00:00Z', 'ListUsers', '1') FROM generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d;
SELECT collide(2, d::date || 'T08:00:00Z', 'ListRoles', '1') FROM generate_series('2026-01-21'::date, '2026-02-09', interval '1 day') AS d;
SELECT results_eq($$SELECT identity, count_days(days) FROM identities WHERE account = '1' ORDER BY 2$$,
	$$SELECT other, 20 FROM (SELECT * FROM alike LIMIT 1) AS a UNION ALL SELECT name, 40 FROM (SELECT * FROM alike LIMIT 1) AS a$$,
	'Collisions: identities have days of their own');
SELECT collide(1, '2026-02-10T08:00:00Z', 'CreateUser', '1'), collide(2, '2026-02-10T09:00:00Z', 'CreateUser', '1');
SELECT collide(1, '2026-02-10T10:00:00Z', 'CreateUser', '1');
SELECT is(string_agg((identity LIKE 'victim%') || ' ' || event_count, ', ' ORDER BY event_count), 'false 1, true 2', 'Collisions: and alerts of their own')
FROM alerts WHERE account = '1';
INSERT INTO alike VALUES ('a', 'b');
SELECT collide(1, '2026-02-10T08:00:00Z', 'ListUsers'), collide(2, '2026-02-11T08:00:00Z', 'ListUsers');
SELECT is(count(*), 2::bigint, 'Collisions: so do accounts') FROM accounts AS a JOIN alike AS n ON a.account IN (n.name, n.other);
INSERT INTO log SELECT aws('2026-02-10T08:00:00Z', 'ops', o) FROM (SELECT * FROM alike LIMIT 2) AS a, unnest(ARRAY[name, other]) AS o;
INSERT INTO log SELECT aws('2026-02-11T08:00:00Z', 'ops', name) FROM (SELECT * FROM alike LIMIT 2) AS a;
SELECT is(count(*), 0::bigint, 'Collisions: operations that are no IAM operations do not become some') FROM baselines WHERE identity LIKE '%/ops';
INSERT INTO operations (provider, service, operation, category, effect) SELECT 'aws', 'iam', o, 'identity', 'modify'
FROM (SELECT * FROM alike LIMIT 2) AS a, unnest(ARRAY[name, other]) AS o;
INSERT INTO log SELECT aws('2026-02-12T08:00:00Z', 'ops', o) FROM (SELECT * FROM alike LIMIT 2) AS a, unnest(ARRAY[name, other]) AS o;
INSERT INTO log SELECT aws('2026-02-13T08:00:00Z', 'ops', name) FROM (SELECT * FROM alike LIMIT 2) AS a;
SELECT is(string_agg(count_days(days)::text, ' ' ORDER BY count_days(days)), '1 1 2 2', 'Collisions: those of the catalogue have days of their own')
FROM baselines WHERE identity LIKE '%/ops';
SELECT collide(1, '2026-02-20T10:00:00Z', 'DeleteUser', '1', id => name), collide(1, '2026-02-20T11:00:00Z', 'DeleteUser', '1', id => other),
	collide(1, '2026-02-20T10:00:00Z', 'DeleteUser', '1', id => name) FROM (SELECT * FROM alike LIMIT 1) AS a;
SELECT is(event_count, 2::bigint, 'Collisions: ids of events are compared by themselves') FROM alerts WHERE operation = 'DeleteUser' AND account = '1';
-- what is remembered of operations while documents are read: by hashes with keys
SELECT is(hashtextextended('AttachUserPolicy', 1), hashtextextended('PKdhtXMmr18n00Db3o89O9MV', 1), 'Collisions: these operations collide, as the provider is hashed with them');
CREATE FUNCTION gave(operation text) RETURNS text LANGUAGE sql AS $$
	SELECT (parse(aws('2026-02-20T10:00:00Z', 'ann', operation, more => '{"requestParameters": {"userName": "bob", "policyArn": "arn:admin"}}'))).granted $$;
SELECT is(gave('PKdhtXMmr18n00Db3o89O9MV'), NULL, 'Collisions: of one nothing is known that it grants');
SELECT is(gave('AttachUserPolicy'), 'arn:admin', 'Collisions: which hides nothing that the other granted');

-- ---- what is kept of a document that cannot be read ----
CREATE FUNCTION of_bytes(n integer) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('x', repeat('y', n - pg_column_size(jsonb_build_object('x', repeat('y', 200))) + 200)) $$;
SELECT is(array_agg(pg_column_size(of_bytes(n)) ORDER BY n), '{65536,65537}', 'Rejected: documents of these sizes') FROM unnest('{65536,65537}'::int[]) AS n;
SELECT put(of_bytes(65536)), put(of_bytes(65537)), put(of_bytes(65537));
SELECT is(event, of_bytes(65536), 'Rejected: up to the limit the whole is kept') FROM rejected_events WHERE event_bytes = 65536;
SELECT is(event #>> '{}', left(of_bytes(65537)::text, 1000), 'Rejected: of a larger one the first thousand characters, once') FROM rejected_events WHERE event_bytes = 65537;
SELECT is(digest, document_digest(of_bytes(65537)), 'Rejected: and the digest of the whole') FROM rejected_events WHERE event_bytes = 65537;
UPDATE limits SET value = 300 WHERE name = 'rejected_bytes';
SELECT put(of_bytes(400));
SELECT is(event #>> '{}', left(of_bytes(400)::text, 300), 'Rejected: with a lower limit no more characters than that') FROM rejected_events WHERE event_bytes = 400;
SELECT is(count(*), 0::bigint, 'Rejected: none of this is learned') FROM identities WHERE identity LIKE '%y%y%y%y';

-- ---- one name as two kinds of principal ----
SELECT lives('both', '2026-01-01', '2026-02-09');
SELECT lives('peer' || n, '2026-01-01', '2026-02-09') FROM generate_series(1, 3) AS n;
INSERT INTO log SELECT aws(d::date || 'T09:00:00Z', 'x', 'UpdateUser', more => jsonb_build_object('userIdentity', jsonb_build_object(
	'type', 'AWSService', 'invokedBy', n || '.amazonaws.com')))
FROM generate_series('2026-01-01'::date, '2026-02-09', interval '1 day') AS d, unnest('{ci,cd,build}'::text[]) AS n;
CREATE FUNCTION as_service(at text, operation text) RETURNS void LANGUAGE sql AS $$
	SELECT put(aws(at, 'x', operation, more => '{"userIdentity": {"type": "AWSService", "invokedBy": "arn:aws:iam::111122223333:user/both"}}')) $$;
SELECT as_service('2026-02-10T08:00:00Z', 'UpdateUser');
SELECT is(count(*), 1::bigint, 'Two kinds: one name is one identity') FROM identities WHERE identity LIKE '%/both';
SELECT is(kind, 'user', 'Two kinds: a person, once it was seen as one') FROM identities WHERE identity LIKE '%/both';
SELECT is(count(*), 0::bigint, 'Two kinds: what it does as a service is compared with services, which do it on all days')
FROM alerts WHERE operation = 'UpdateUser' AND identity LIKE '%/both';
SELECT put(aws('2026-02-10T07:00:00Z', 'both', 'UpdateUser'));
SELECT results_eq($$SELECT identity_kind, evidence->'K', evidence->'N' FROM alerts WHERE operation = 'UpdateUser' AND identity LIKE '%/both'$$,
	$$VALUES ('user', '0'::jsonb, '90'::jsonb)$$, 'Two kinds: what it does as a person is compared with people, on the same day too');
SELECT as_service('2026-02-11T08:00:00Z', 'UpdateRole');
SELECT put(aws('2026-02-12T08:00:00Z', 'both', 'UpdateRole'));
SELECT is(event_count, 2::bigint, 'Two kinds: what it does as either is in one alert') FROM alerts WHERE operation = 'UpdateRole' AND identity LIKE '%/both';

-- ---- who sees what ----
CREATE ROLE iamwatch_tap_reader;
CREATE ROLE iamwatch_tap_writer;
CREATE ROLE iamwatch_tap_owner;
CREATE ROLE iamwatch_tap_admin;
SELECT grant_access('iamwatch_tap_reader', 'read'), grant_access('iamwatch_tap_admin', 'administer');
SELECT put(aws('2026-02-11T10:00:00Z', 'peer1', 'CreateRole', id => 'its id', more => jsonb_build_object('userAgent', repeat('u', 700), 'requestParameters', '{"roleName": "what"}'::jsonb)));
SET LOCAL ROLE iamwatch_tap_reader;
SELECT is(evidence #>> '{source_addresses,0}' || ' ' || (evidence #>> '{targets,0}') || ' ' || (evidence #>> '{event_ids,0}'), '192.0.2.1 what its id',
	'Evidence: whoever may read has addresses, targets and ids of events') FROM alerts WHERE operation = 'CreateRole' AND identity LIKE '%peer1';
SELECT is(length(evidence #>> '{user_agents,0}'), 500, 'Evidence: a string has 500 characters at most') FROM alerts WHERE operation = 'CreateRole' AND identity LIKE '%peer1';
SELECT throws_ok('TABLE ' || t, '42501', NULL, 'Reader: cannot read ' || t) FROM unnest('{rejected_events,pending_events,journal,context_journal}'::text[]) AS t;
RESET ROLE;
SET LOCAL ROLE iamwatch_tap_admin;
SELECT lives_ok('TABLE ' || t, 'Administrator: can read ' || t) FROM unnest('{rejected_events,pending_events}'::text[]) AS t;
SELECT lives_ok('DELETE FROM ' || t, 'Administrator: can delete ' || t) FROM unnest('{suppressed_alerts,journal}'::text[]) AS t;
SAVEPOINT deleting;
DELETE FROM alerts WHERE operation = 'CreateRole' AND identity LIKE '%peer1';
RESET ROLE;
SELECT put(aws('2026-02-11T11:00:00Z', 'peer1', 'CreateRole'));
SELECT is(count(*), 0::bigint, 'Administrator: what is deleted is undone, as its day was scored') FROM alerts WHERE operation = 'CreateRole' AND identity LIKE '%peer1';
ROLLBACK TO deleting;
RESET ROLE;

-- Row security on a table of ours hides nothing that its views show.
SAVEPOINT policies;
SELECT count(*) AS alerts FROM alerts \gset
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY roles_only ON alerts TO iamwatch_tap_reader USING (operation = 'CreateRole');
SET LOCAL ROLE iamwatch_tap_reader;
SELECT is((SELECT count(DISTINCT operation) FROM alerts) || ' ' || (SELECT count(*) FROM ocsf_findings), '1 ' || :'alerts', 'Row security: of alerts, their exports show all');
RESET ROLE;
SELECT put(aws('2026-02-12T10:00:00Z', 'peer2', 'DeleteGroup'));
SELECT is(count(*), :alerts + 1::bigint, 'Row security: and detection goes on') FROM alerts;
ROLLBACK TO policies;

-- What a view only passes on runs nothing.
CREATE SCHEMA lent AUTHORIZATION iamwatch_tap_owner;
SET LOCAL ROLE iamwatch_tap_owner;
CREATE TYPE lent.kind AS ENUM ('a');
CREATE FUNCTION lent.who(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT current_user::text$$;
RESET ROLE;
CREATE TABLE lending (id bigint, note lent.kind, event jsonb);
INSERT INTO lending SELECT 1, 'a', aws('2026-02-01T08:00:00Z', 'lent', 'ListUsers');
CREATE VIEW passes_on AS SELECT id, note, event FROM lending;
SELECT is(sum(events), 1::numeric, 'Reading: a column of somebody else''s type that a view only passes on is no reason to refuse it') FROM read_days('passes_on', 'event', NULL, NULL);
SELECT throws_ok($$SELECT * FROM read_after('passes_on', 'event', 'note', NULL, NULL, 1)$$, '42804', NULL, 'Reading: but to order by it is');
-- Who inserts into a table runs what its owner put there, watched or not.
CREATE TABLE owned (document text, ran_as text GENERATED ALWAYS AS (lent.who(document)) STORED, event jsonb);
SELECT watch('owned');
ALTER TABLE owned OWNER TO iamwatch_tap_owner;
GRANT INSERT ON owned TO iamwatch_tap_writer;
GRANT USAGE ON SCHEMA lent TO iamwatch_tap_writer;
SELECT aws('2026-02-01T08:00:00Z', 'into owned', 'ListUsers') AS document \gset
SET LOCAL ROLE iamwatch_tap_writer;
INSERT INTO owned (event) VALUES (:'document');
RESET ROLE;
SELECT is(ran_as || ' ' || seen('into owned'), 'iamwatch_tap_writer {2026-02-01}', 'Writing: a function of a table''s owner runs as who inserts, with or without a watch') FROM owned;

-- ---- what does not hold ----
SELECT lives('kim', '2026-01-01', '2026-02-28');
SELECT put(aws('2026-02-20T08:00:00Z', 'kim', 'PutUserPolicy', more => '{"errorCode": null, "userAgent": "harmless"}'));
SELECT put(aws('2026-02-22T08:00:00Z', 'kim', 'PutUserPolicy', more => '{"userAgent": "the attack"}'));
SELECT is(event_count || ' ' || (evidence->>'user_agents'), '2 ["harmless", "the attack"]', 'Not held: what follows a harmless event within the deduplication period joins its alert')
FROM alerts WHERE operation = 'PutUserPolicy' AND identity LIKE '%/kim';
SELECT put(aws(d::date || 'T08:00:00Z', 'invented' || n, o)) FROM generate_series('2026-02-01'::date, '2026-02-19', interval '1 day') AS d,
	generate_series(1, 30) AS n, unnest('{CreateGroup,ListUsers}'::text[]) AS o;
SELECT is(count(*) >= 30, true, 'Not held: invented peers have an alert each') FROM alerts WHERE operation = 'CreateGroup';
SELECT put(aws('2026-02-20T08:00:00Z', 'kim', 'CreateGroup'));
SELECT is(count(*), 0::bigint, 'Not held: and make an operation common') FROM alerts WHERE operation = 'CreateGroup' AND identity LIKE '%/kim';
CREATE FUNCTION in_account(account text, at text, operation text) RETURNS void LANGUAGE sql AS $$
	SELECT put(aws(at, 'sam', operation, more => jsonb_build_object('recipientAccountId', account))) $$;
SELECT in_account('young', '2026-02-10T08:00:00Z', 'ListUsers'), in_account('young', '2026-02-20T08:00:00Z', 'CreateUser');
SELECT in_account('made older', '2026-02-10T08:00:00Z', 'ListUsers'), in_account('made older', '2025-12-10T08:00:00Z', 'ListUsers'), in_account('made older', '2026-02-20T08:00:00Z', 'CreateUser');
SELECT is(string_agg(account, ' '), 'made older', 'Not held: an account that is made to look older alerts earlier') FROM alerts WHERE identity LIKE '%/sam';
SELECT lives('lou', '2026-02-26', '2026-02-28');
SELECT put(aws('2026-02-' || d || 'T08:00:00Z', 'lou', 'DeleteRole')) FROM unnest('{27,28}'::text[]) AS d;
SELECT put(aws('2026-03-' || d || 'T08:00:00Z', 'lou', 'DeleteRole')) FROM unnest('{10,20}'::text[]) AS d;
SELECT is(string_agg(first_event_time::date::text, ' '), '2026-02-27', 'Not held: a slow habit is alerted on its first day, and is usual then') FROM alerts WHERE operation = 'DeleteRole' AND identity LIKE '%/lou';
CREATE FUNCTION as_session(session text, at text, operation text) RETURNS void LANGUAGE sql AS $$
	SELECT put(aws(at, 'x', operation, more => jsonb_build_object('userIdentity', jsonb_build_object('type', 'AssumedRole',
		'arn', 'arn:aws:sts::111122223333:assumed-role/people/' || session)))) $$;
SELECT as_session('ann@example.com', d::date || 'T08:00:00Z', 'CreateUser') FROM generate_series('2026-01-20'::date, '2026-02-19', interval '1 day') AS d;
SELECT count(*) AS before FROM alerts WHERE identity LIKE '%people%' \gset
SELECT as_session('ann@example.com', '2026-02-20T08:00:00Z', 'CreateUser');
SELECT is(count(*), :before::bigint, 'Not held: who takes a colleague''s session name is judged by the colleague''s baseline') FROM alerts WHERE identity LIKE '%people%';
SELECT as_session('eve@example.com', '2026-02-20T08:00:00Z', 'CreateUser');
SELECT is(string_agg(seen(n), ' '), '{2026-02-20} {2026-01-20..2026-02-20}', 'Not held: and by an own name is somebody else') FROM unnest('{eve@example.com,ann@example.com}'::text[]) AS n;

-- ---- old logs beside new events ----
CREATE TABLE old (event jsonb);
SELECT watch('old');
INSERT INTO old SELECT aws('2025-01-0' || n || 'T08:00:00Z', 'archived', 'ListUsers', more => '{"recipientAccountId": "old"}') FROM generate_series(1, 3) AS n;
INSERT INTO old VALUES (aws('2026-02-20T08:00:00Z', 'archived', 'ListUsers', more => '{"recipientAccountId": "old"}'));
SET client_min_messages = error;
INSERT INTO old VALUES (aws('2025-01-04T08:00:00Z', 'archived', 'ListUsers', more => '{"recipientAccountId": "old"}'));
SET client_min_messages = warning;
SELECT is(events_late, 1::bigint, 'Old logs: beside an event of today they are late, and counted') FROM source_status WHERE source = 'old'::regclass;
SELECT is(seen('archived') LIKE '%2025-01-04%', false, 'Old logs: and not learned');

-- ---- what never arrives ----
UPDATE source_counts SET counted_at = now() - interval '27 hours' WHERE source = 'old'::regclass;
SELECT is(silent, true, 'Silent: a source of which nothing came for longer than its silent_after') FROM source_status WHERE source = 'old'::regclass;

-- ---- a time up to a day ahead ----
SELECT in_account('ahead', to_char(now() - interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'ListUsers');
SELECT newest_day AS newest FROM accounts WHERE account = 'ahead' \gset
SELECT in_account('ahead', to_char(now() + interval '23 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'ListUsers');
SELECT cmp_ok(newest_day - :'newest', '<=', 2, 'Times: one a day ahead moves the kept history to its day') FROM accounts WHERE account = 'ahead';
SELECT cmp_ok(newest_day - :'newest', '>=', 1, 'Times: and no further') FROM accounts WHERE account = 'ahead';
SELECT * FROM finish();
ROLLBACK;
