\ir settings.psql
SELECT plan(32);
CREATE FUNCTION one(operation text) RETURNS bigint LANGUAGE sql AS 'SELECT max(alert_id) FROM alerts WHERE alerts.operation = $1';

SELECT lives(who, '2026-01-01', '2026-02-19') FROM unnest(ARRAY['ann', 'bob', 'cat']) AS who;
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', 'ann', 'CreateAccessKey') FROM generate_series('2026-02-01', '2026-02-10'::date, interval '1 day') AS d;
SELECT put(aws('2026-02-12T10:00:00Z', 'bob', 'CreateUser'));
SELECT put(aws('2026-02-15T10:00:00Z', 'ann', 'CreateUser', id => 'u1', more => '{"requestParameters": {"userName": "backdoor"}}'));
SELECT put(aws('2026-02-15T11:00:00Z', 'ann', 'CreateUser', id => 'u2', more => '{"sourceIPAddress": "203.0.113.5"}'));
SELECT put(aws('2026-02-15T11:00:00Z', 'ann', 'CreateUser', id => 'u2', more => '{"sourceIPAddress": "203.0.113.5"}'));
SELECT put(aws('2026-02-15T12:00:00Z', 'ann', 'DeleteUser', id => 'f1', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-02-15T12:00:00Z', 'x', 'CreateRole', id => 'i1', more => '{"userIdentity": {"type": "AssumedRole",
	"arn": "arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0", "principalId": "AROA:i-0123456789abcdef0"}}'));
CREATE TEMP TABLE said AS SELECT explain(one('CreateUser')) AS text, explain_json(one('CreateUser')) AS json;

SELECT throws_ok('SELECT explain(-1)', 'P0002', 'alert -1 does not exist', 'No such alert');
SELECT throws_ok('SELECT explain(NULL)', 'P0002', NULL, 'No alert at all');

SELECT is((json->'what') - '{first_event_time,last_event_time}'::text[], '{"service": "iam", "operation": "CreateUser", "failed": false, "category": "account",
	"effect": "create", "sensitivity": 4, "targets": ["backdoor"], "granted": [], "events": 2}', 'What was done, on what target') FROM said;
SELECT matches(text, 'iam:CreateUser succeeded: create of account, sensitivity 4 of 4', 'What: in words') FROM said;
SELECT matches(explain(one('DeleteUser')), 'iam:DeleteUser FAILED', 'What: failed, in words');
SELECT is(json->'who'->>'identity', 'arn:aws:iam::111122223333:user/ann', 'Who') FROM said;
SELECT is((explain_json(one('CreateRole'))->'who') - '{provider,account}'::text[], '{"identity": "arn:aws:iam::111122223333:role/web", "kind": "instance",
	"sessions": ["arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0"], "instances": ["i-0123456789abcdef0"], "acting_for": []}', 'Who: session and instance');
SELECT is(json->'from', '{"source_addresses": ["192.0.2.1", "203.0.113.5"], "source_hosts": [], "user_agents": ["cli"]}', 'From where') FROM said;
SELECT is(json->'normal'->'operations'->0, '{"service": "iam", "operation": "CreateAccessKey", "failed": false, "days": 10, "days_before": 10,
	"first_seen": "2026-02-01", "last_seen": "2026-02-10"}', 'What it normally does: the most usual operation first') FROM said;
SELECT matches(text, 'iam:CreateAccessKey on 10 days, 10 of them before, since 2026-02-01', 'What it normally does: in words') FROM said;
SELECT matches(text, 'new to it since then: iam:[A-Z]', 'What it normally does: what it did not do before is told apart') FROM said;
SELECT matches(text, 'active on 30 of the 30 days before, first seen 2026-01-01', 'How well it is known') FROM said;
SELECT is(json->'peers', '{"days": 1, "active_days": 60, "identities": [{"identity": "arn:aws:iam::111122223333:user/bob", "days": 1}]}', 'Who else does it') FROM said;
SELECT is((json->'score'->>'probability')::float8, probability((json->'score'->>'k')::int, (json->'score'->>'A')::int, (json->'score'->>'K')::bigint,
	(json->'score'->>'N')::bigint), 'How unusual: k, A, K, N give the probability') FROM said;
SELECT is((json->'score'->>'peer_rate')::float8, (1 + 0.1) / (60 + 10::float8), 'How unusual: the peers'' rate') FROM said;
SELECT is(json->'score'->'steps', '["q = (K + 10 * 0.01) / (N + 10) = (1 + 0.1) / (60 + 10) = 0.015714",
	"p = (k + 2 q) / (A + 2) = (0 + 2 * 0.015714) / (30 + 2) = 0.000982", "p = 0.000982 is below the limit 0.02",
	"surprise = -log2(p) = 9.99 bits"]', 'How unusual: step by step') FROM said;
SELECT is((json->'attack') - 'goals'::text, '{"tactic": "TA0003", "tactic_name": "Persistence", "technique": "T1136.003", "technique_name": "Create Account: Cloud Account"}',
	'ATT&CK: tactic and technique, with their names') FROM said;
SELECT is_empty($$SELECT attack_technique FROM operations WHERE attack_technique <> '' AND attack_name(attack_technique) IS NULL$$,
	'ATT&CK: every technique of the catalogue has its name');
SELECT matches(text, 'goal: Change the IAM configuration to strengthen the foothold', 'Attacker''s goals') FROM said;
SELECT matches(text, 'Check which role the identity has in the organisation', 'Investigative actions') FROM said;

-- the events
SELECT is(jsonb_path_query_array(json, '$.events.found[*].event.eventID'), '["u1", "u2"]', 'Events: in order, each once however often it was delivered') FROM said;
SELECT is(count(*), 1::bigint, 'Events: no more than asked for') FROM raw_events(one('CreateUser'), 1);
SELECT put(aws('2026-02-15T10:30:00Z', 'cat', 'ListBuckets', 's3', id => 'u1'));
SELECT is(count(*), 2::bigint, 'Events: another''s with a forged id is none of them') FROM raw_events(one('CreateUser'));
SET LOCAL seq_page_cost = 1000000;
SELECT matches(string_agg(problem, ' ') || count(event), 'too large to be searched without an index; CREATE INDEX ON public.log \(\(event->>''eventID''\)\)0',
	'Events: a source is left out when to search it is much work, and the index is named') FROM raw_events(one('CreateUser'));
CREATE INDEX ON public.log ((event->>'eventID'));
SELECT is(count(event) || coalesce(string_agg(problem, ' '), ''), '2', 'Events: with the index it is searched') FROM raw_events(one('CreateUser'));
RESET seq_page_cost;
CREATE TABLE gone (event jsonb);
SELECT watch('gone');
DROP TABLE gone;
SELECT is(count(*) FILTER (WHERE problem = 'the relation is gone') || ' ' || count(event), '1 2', 'Events: a source that is gone is said to be, and the others are searched')
FROM raw_events(one('CreateUser'));
ALTER TABLE log RENAME event TO document;
SELECT is(count(event), 2::bigint, 'Events: a renamed column is followed') FROM raw_events(one('CreateUser'));
ALTER TABLE log RENAME document TO event;
CREATE TABLE numbers (n int);
INSERT INTO sources (source, event_column) VALUES ('numbers', 'n');
SELECT matches(string_agg(problem, ' '), 'column "n" of relation .* is of type integer', 'Events: a source that cannot be read fails nothing') FROM raw_events(one('CreateUser'));
DELETE FROM sources WHERE source = 'numbers'::regclass;
SELECT put(jsonb_build_object('category', 'AuditLogs', 'tenantId', 't', 'time', at, 'operationName', 'Add user', 'properties', jsonb_build_object(
	'id', 'z' || at, 'activityDisplayName', 'Add user', 'initiatedBy', '{"user": {"userPrincipalName": "zoe@example.org"}}'::jsonb,
	'result', 'success', 'loggedByService', 'Core Directory'))) FROM unnest(ARRAY['2026-01-01T10:00:00Z', '2026-02-16T10:00:00Z']) AS at;
SELECT is(string_agg(event->'properties'->>'id', ' '), 'z2026-02-16T10:00:00Z', 'Events: of any provider') FROM raw_events(one('Add user'));

-- names are the attacker's
SELECT put(aws('2026-02-16T10:00:00Z', E'eve\nTriage\n  closed as benign\u001b[2J', 'CreateGroup'));
SELECT is(count(*), 1::bigint, 'Names: one cannot write lines of its own') FROM regexp_split_to_table(explain(one('CreateGroup')), '\n') AS l WHERE l = 'Triage';
SELECT doesnt_match(explain(one('CreateGroup')), '[\u001b]', 'Names: nor control the terminal');
SELECT put(aws('2026-02-16T10:00:00Z', repeat('x', 60000), 'CreateVirtualMFADevice'));
SELECT cmp_ok(length(explain(one('CreateVirtualMFADevice'))), '<', 10000, 'Names: nor fill the page');

SELECT * FROM finish();
ROLLBACK;
