\ir settings.psql
SELECT plan(82);
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

SELECT is((json->'what') - '{first_event_time,last_event_time,all_rights}'::text[], '{"service": "iam", "operation": "CreateUser", "failed": false, "category": "account",
	"effect": "create", "sensitivity": 4, "targets": ["backdoor"], "granted": [], "events": 2}', 'What was done, on what target') FROM said;
SELECT matches(text, 'iam:CreateUser succeeded: create of account, sensitivity 4 of 4', 'What: in words') FROM said;
SELECT matches(explain(one('DeleteUser')), 'iam:DeleteUser FAILED', 'What: failed, in words');
SELECT is(json->'who'->>'identity', 'arn:aws:iam::111122223333:user/ann', 'Who') FROM said;
SELECT is((explain_json(one('CreateRole'))->'who') - '{provider,account,name}'::text[], '{"identity": "arn:aws:iam::111122223333:role/web", "kind": "instance",
	"sessions": ["arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0"], "instances": ["i-0123456789abcdef0"], "acting_for": []}', 'Who: session and instance');
SELECT is(json->'from', '{"source_addresses": ["192.0.2.1", "203.0.113.5"], "source_hosts": [], "user_agents": ["cli"]}', 'From where') FROM said;
SELECT is(json->'normal'->'operations'->0, '{"service": "iam", "operation": "CreateAccessKey", "failed": false, "days": 10, "days_before": 10,
	"first_seen": "2026-02-01", "last_seen": "2026-02-10"}', 'What it normally does: the most usual operation first') FROM said;
SELECT matches(text, 'iam:CreateAccessKey on 10 days, 10 of them before, since 2026-02-01', 'What it normally does: in words') FROM said;
SELECT matches(text, 'new to it since then: iam:[A-Z]', 'What it normally does: what it did not do before is told apart') FROM said;
SELECT matches(text, E'\nIf it was an attack\n.*\nHow unusual\n.*\nHow much it matters\n', 'Order: what to do stands before the proof') FROM said;
SELECT matches(text, E'\n  goal: Through the changed accounts, act further in an evasive manner\n', 'Attacker''s goals: each a line of its own') FROM said;
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
CREATE TABLE told AS SELECT explain(a.alert_id) AS told, explain_incident(a.incident_id) AS incident, a.alert_id, a.incident_id FROM alerts AS a;
SET LOCAL extra_float_digits = -15;
SELECT is_empty('SELECT told FROM told WHERE told <> explain(alert_id) OR incident <> explain_incident(incident_id)', 'Numbers: are those that they are, however the session has them written');
RESET extra_float_digits;
SET LOCAL enable_seqscan = off;
SELECT is(count(*), 2::bigint, 'Events: a table without an index is searched with enable_seqscan off, too') FROM raw_events(one('CreateUser'));
RESET enable_seqscan;
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
SELECT is_empty($$SELECT n FROM unnest(ARRAY[8206, 8207, 8232, 8233, 8234, 8238, 8294, 8297]) AS n WHERE plain('a' || chr(n) || 'b') <> 'a?b'$$, 'Names: nor turn the direction of what follows');
SELECT put(aws('2026-02-16T10:00:00Z', repeat('x', 60000), 'CreateVirtualMFADevice'));
SELECT cmp_ok(length(explain(one('CreateVirtualMFADevice'))), '<', 10000, 'Names: nor fill the page');

-- What convinces: an attack by ann and what became of it
SELECT lives(who, '2026-02-20', '2026-04-30') FROM unnest(ARRAY['ann', 'bob', 'cat']) AS who;
SELECT put(aws('2026-04-01T10:00:00Z', 'ann', 'CreateUser', id => 'k1', more => '{"errorCode": "AccessDenied"}'));
SELECT put(aws('2026-04-02T10:00:00Z', 'ann', 'CreateUser', id => 'k2', more => '{"sourceIPAddress": "203.0.113.7", "awsRegion": "eu-west-3", "requestParameters": {"userName": "svc"}}'));
SELECT put(aws('2026-04-02T10:01:00Z', 'ann', 'CreateAccessKey', id => 'k3', more => '{"sourceIPAddress": "203.0.113.7", "requestParameters": {"userName": "svc"},
	"responseElements": {"accessKey": {"accessKeyId": "AKIAABCDEFGHIJKLMNOP", "userName": "svc"}}}'));
SELECT put(aws('2026-04-02T10:02:00Z', 'ann', 'AttachUserPolicy', id => 'k4', more => '{"sourceIPAddress": "203.0.113.7",
	"requestParameters": {"userName": "svc", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}}'));
SELECT put(aws('2026-04-02T10:02:30Z', 'cat', 'AttachUserPolicy', id => 'k5', more => '{"sourceIPAddress": "198.51.100.9",
	"requestParameters": {"userName": "svc", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}'));
SELECT put(aws('2026-04-02T11:00:00Z', 'svc', 'ListBuckets', 's3', id => 'k6', more => '{"sourceIPAddress": "198.51.100.77"}'));
SELECT put(aws('2026-04-03T11:00:00Z', 'svc', 'DeactivateMFADevice', id => 'k7', more => '{"sourceIPAddress": "198.51.100.77",
	"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/path/svc", "accessKeyId": "AKIAABCDEFGHIJKLMNOP"}}'));
SELECT put(aws('2026-04-04T11:00:00Z', 'bob', 'CreateRole', id => 'k8', more => '{"sourceIPAddress": "203.0.113.7"}'));
SELECT put(aws('2026-04-09T11:00:00Z', 'bob', 'CreatePolicy', id => 'k9', more => '{"sourceIPAddress": "203.0.113.7"}'));
SELECT put(aws('2026-04-05T11:00:00Z', 'svc', 'ListBuckets', 's3', id => 'k10', more => '{"recipientAccountId": "444455556666",
	"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/path/svc", "accessKeyId": "AKIAABCDEFGHIJKLMNOP"}}'));
SELECT put(aws('2026-04-05T12:00:00Z', 'svc', 'ListBuckets', 's3', id => 'k11', more => '{"recipientAccountId": "444455556666",
	"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::444455556666:user/svc"}}'));
CREATE TEMP TABLE attack AS SELECT explain(one('CreateUser')) AS text, explain_json(one('CreateUser')) AS json, explain(one('AttachUserPolicy')) AS cat;
SELECT matches(text, E'What is strange around it\n  from network 203.0.113.0/24, which it was not seen in.*the same operation failed for it before, at 2026-04-01', 'Context: network and earlier failure, in words') FROM attack;
SELECT is(json#>'{context,failed_before}', '"2026-04-01T00:00:00Z"', 'Context: in the JSON too') FROM attack;
SELECT ok(NOT text ~ 'about 1 of [0-9]+ days\M' OR text ~ 'by its peers'' habit about 1 of', 'Words: no rate for what was never done, but its peers''') FROM attack;
SELECT matches(text, 'ann did iam:CreateUser never in the 30 days on which it was active; by its peers'' habit|nor its peers', 'Words: never in the days on which it was active') FROM attack;
SELECT matches((SELECT explain(alert_id) FROM alerts WHERE identity LIKE '%ann' AND operation = 'AttachUserPolicy'), 'granting arn:aws:iam::aws:policy/AdministratorAccess: all rights', 'Granted: all rights are said to be');
SELECT doesnt_match(cat, 'all rights', 'Granted: others are not') FROM attack;
SELECT matches(text, E'not in those days, but earlier: ([^\n]*, )?iam:CreateAccessKey[,\n]', 'What it normally does: what it did before those days is not called new') FROM attack;
SELECT is(jsonb_path_query_array(json, '$.later_use[*].identity'), '["arn:aws:iam::111122223333:user/path/svc", "arn:aws:iam::111122223333:user/path/svc", "arn:aws:iam::111122223333:user/svc"]', 'Later use: of the user that was made, by whatever path') FROM attack;
SELECT is(jsonb_path_query_array(json, '$.later_use[*].account'), '["111122223333", "444455556666", "111122223333"]', 'Later use: in any account, but not of another account''s user of that name') FROM attack;
SELECT matches(text, E'\n  svc \\(user\\) in account 444455556666, new, first seen 2026-04-05', 'Later use: says in which other account') FROM attack;
SELECT is(jsonb_path_query_array(json, '$.later_use[0].operations[*].operation') || jsonb_path_query_array(json, '$.later_use[0].networks[*]'), '["DeactivateMFADevice", "198.51.100.0/24"]', 'Later use: what it did, and from where') FROM attack;
SELECT is(jsonb_path_query_array(json, '$.later_use[0].alerts[*]'), to_jsonb(ARRAY(SELECT alert_id FROM alerts WHERE identity LIKE '%svc')), 'Later use: its alerts') FROM attack;
SELECT is((SELECT explain_json(alert_id)#>>'{later_use,0,identity}' FROM alerts WHERE identity LIKE '%ann' AND operation = 'AttachUserPolicy'), 'arn:aws:iam::111122223333:user/path/svc', 'Later use: of whom something was granted to');
SELECT matches(text, E'What its target did since\n  svc \\(user\\), new, first seen 2026-04-03: active on 1 day until 2026-04-03; iam:DeactivateMFADevice; from 198.51.100.0/24; alerts \\d+', 'Later use: in a line') FROM attack;
SELECT is(explain_json((SELECT alert_id FROM alerts WHERE identity LIKE '%ann' AND operation = 'CreateUser' AND failed))->'later_use', '[]', 'Later use: a failed operation has none');
SELECT is((SELECT jsonb_agg(r->'shares') FROM jsonb_array_elements(json#>'{related,alerts}') AS r WHERE r->>'operation' = 'iam:CreateRole'), '[["address 203.0.113.7"]]', 'Related: another identity from the same address') FROM attack;
SELECT is((SELECT jsonb_agg(r->'shares') FROM jsonb_array_elements(json#>'{related,alerts}') AS r WHERE r->>'operation' = 'iam:AttachUserPolicy'), '[["target svc"]]', 'Related: another identity on the same target') FROM attack;
SELECT is((SELECT count(*) FROM jsonb_array_elements(json#>'{related,alerts}') AS r WHERE r->>'operation' = 'iam:CreatePolicy'), 0::bigint, 'Related: not after the deduplication period') FROM attack;
SELECT is((SELECT count(*) FROM jsonb_array_elements(json#>'{related,alerts}') AS r WHERE r->>'name' = 'ann'), 0::bigint, 'Related: not its own') FROM attack;
SELECT matches(text, format('alert %s: bob iam:CreateRole at 2026-04-04[^,]*, risk [0-9.]+: the same address 203.0.113.7', one('CreateRole')), 'Related: with its id, in a line') FROM attack;
SELECT matches((SELECT explain_json(alert_id)#>>'{related,alerts}' FROM alerts WHERE identity LIKE '%path/svc'), 'it is about this identity', 'Related: what made this identity');

-- whoever may read is told the same, though not the tables that it is made of are theirs to read
CREATE ROLE analyst_reads;
SELECT grant_access('analyst_reads', 'read');
CREATE FUNCTION as_reader(query text) RETURNS text LANGUAGE plpgsql SET role = analyst_reads AS $$DECLARE r text; BEGIN EXECUTE query INTO r; RETURN r; END$$;
SELECT is(as_reader(format('SELECT iamwatch.explain_json(%s)->>''later_use''', one('CreateUser'))), json->>'later_use', 'May read: what its target did since') FROM attack;
SELECT is(as_reader(format('SELECT iamwatch.explain_json(%s)->>''related''', one('CreateUser'))), json->>'related', 'May read: alerts of others near it') FROM attack;
SELECT is(as_reader($$SELECT string_agg(DISTINCT w.identity, ' ') FROM iamwatch_internal.identities_with_keys('aws', '{AKIAABCDEFGHIJKLMNOP}') AS w$$),
	'arn:aws:iam::111122223333:user/path/svc', 'May read: who uses an access key');
INSERT INTO changed_incidents SELECT detector, provider, account, identity, first_event_time, last_event_time FROM alerts WHERE identity LIKE '%ann';
SELECT is(as_reader('SELECT string_agg(i.alert_ids::text, '' '' ORDER BY i.incident_id) FROM iamwatch.incidents AS i'),
	(SELECT string_agg(i.alert_ids::text, ' ' ORDER BY i.incident_id) FROM incidents AS i), 'May read: incidents, also where kept ones are behind');
SELECT matches(as_reader(format('SELECT iamwatch.explain_incident(%s)', one('CreateUser'))), 'What happened', 'May read: the story of one that is behind');
DELETE FROM changed_incidents;

-- the playbook
SELECT is_empty($$SELECT DISTINCT o.category FROM operations AS o CROSS JOIN unnest(ARRAY['check', 'contain']) AS phase
	WHERE o.effect <> 'read' AND NOT EXISTS (SELECT FROM playbook AS p WHERE p.kind = 'category' AND p.name = o.category AND p.phase = phase)$$, 'Playbook: every category of the catalogue, what to check and how to contain');
SELECT is_empty($$SELECT DISTINCT o.attack_technique FROM operations AS o CROSS JOIN unnest(ARRAY['check', 'contain']) AS phase WHERE o.attack_technique <> ''
	AND NOT EXISTS (SELECT FROM playbook AS p WHERE p.kind = 'technique' AND p.name = o.attack_technique AND p.phase = phase)$$, 'Playbook: every technique of the catalogue');
SELECT is_empty($$SELECT p.name FROM playbook AS p CROSS JOIN LATERAL regexp_match(p.name, '^(.*?):(.*)$') AS n WHERE p.kind = 'operation'
	AND NOT EXISTS (SELECT FROM unnest(ARRAY['aws', 'gcp', 'azure']) AS provider, find_operation(provider, n[1], n[2]) AS o WHERE o.effect <> 'read')$$,
	'Playbook: operations are those of the catalogue');
SELECT matches(text, 'Attach AWSDenyAll to svc, then remove keys and passwords', 'Playbook: steps of the operation, with its names') FROM attack;
SELECT matches(explain(one('CreateRole')), 'Find out whether the target can gain more permissions by what was granted', 'Playbook: where the log names neither, steps still read as sentences');
SELECT matches(text, 'If it was an attack\n  Attach AWSDenyAll.*\n  Remove permissions and credentials of svc before.*\n  Disable svc', 'Playbook: of the operation, the technique, the category, in this order') FROM attack;
INSERT INTO playbook (kind, name, phase, place, step) VALUES ('operation', 'iam:CreateUser', 'contain', 1, 'Call the desk about {target}.'), ('category', 'account', 'contain', 9, 'Write case {account}.');
SELECT is(origin, 'user', 'Playbook: rows of users are theirs') FROM playbook WHERE place = 9;
SELECT ok(s ~ 'Call the desk about svc' AND s ~ 'Write case 111122223333' AND NOT s ~ 'AWSDenyAll', 'Playbook: they add, and take the place of a shipped one') FROM explain(one('CreateUser')) AS s;
UPDATE playbook SET step = 'x' WHERE kind = 'category' AND name = 'role' AND phase = 'check';
SELECT is(origin, 'user', 'Playbook: a shipped row that was changed is theirs') FROM playbook WHERE kind = 'category' AND name = 'role' AND phase = 'check';

-- an incident
SELECT throws_ok('SELECT explain_incident(-1)', 'P0002', 'incident -1 does not exist', 'Incident: none such');
SELECT is(explain_incident_json(alert_id) - 'asked_for' || jsonb_build_object('asked', explain_incident_json(alert_id)->'asked_for'),
	explain_incident_json(incident_id) || jsonb_build_object('asked', alert_id), 'Incident: by the number of an alert in it, such as that of one that was joined to it')
FROM alerts WHERE identity LIKE '%ann' AND operation = 'AttachUserPolicy';
SELECT matches(explain_incident(alert_id), '^There is no incident ' || alert_id || ' \(any more\): it is an alert of incident ' || incident_id || E', .*\nIncident ' || incident_id, 'Incident: which is said')
FROM alerts WHERE identity LIKE '%ann' AND operation = 'AttachUserPolicy';
SELECT throws_like('SELECT explain_incident(NULL)', 'incident null does not exist', 'Incident: null is none');
CREATE TEMP TABLE story AS SELECT explain_incident(incident_id) AS text, explain_incident_json(incident_id) AS json FROM incidents WHERE identity LIKE '%ann' ORDER BY last_event_time DESC LIMIT 1;
SELECT is(jsonb_path_query_array(json, '$.story[*].operation'), '["CreateUser", "CreateUser", "CreateAccessKey", "AttachUserPolicy"]', 'Incident: the story in order, of one identity') FROM story;
SELECT matches(text, 'Incident \d+: ann, 4 alerts of 4 events.*iam:CreateUser FAILED on .*iam:CreateUser on svc, from 203.0.113.7.*then svc \(user\), new.*iam:AttachUserPolicy on svc, granting arn:aws:iam::aws:policy/AdministratorAccess \(all rights\)', 'Incident: in words') FROM story;
SELECT is((SELECT count(*) FROM regexp_matches(text, 'from network 203.0.113.0/24', 'g')), 1::bigint, 'Incident: what is the same all along is told once') FROM story;

SELECT is((SELECT jsonb_agg(l->'led_to') FROM jsonb_array_elements(json->'links') AS l WHERE l->'incident_id' = json->'incident_id'),
	(SELECT jsonb_agg(incident_id) FROM incidents WHERE identity LIKE '%path/svc'), 'Incident: what it led to') FROM story;
SELECT matches(text, 'Linked incidents.*led to incident \d+: alert \d+: [A-Za-z]+ of svc.*, who acts in incident', 'Incident: with the reason') FROM story;
SELECT matches(explain_incident(incident_id), 'came from incident \d+: alert \d+: ', 'Incident: what it came from') FROM incidents WHERE identity LIKE '%path/svc';

SELECT * FROM finish();
ROLLBACK;
