\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
RESET client_min_messages;
-- The first event of a session: what it knows nothing of yet, it asks the tables,
-- and most of them only in part.  Each \c is a new session.
CREATE TABLE log (event jsonb);
SELECT iamwatch.watch('log');
CREATE FUNCTION aws(operation text, at timestamptz = '2026-03-01 10:00Z', service text = 's3', who text = 'ann') RETURNS jsonb LANGUAGE sql SET timezone = utc AS $$
	SELECT jsonb_build_object('eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', service || '.amazonaws.com', 'eventName', operation,
		'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
CREATE FUNCTION gcp(method text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('timestamp', '2026-03-01T10:00:00Z', 'insertId', '1', 'logName', 'projects/p/logs/cloudaudit.googleapis.com%2Factivity',
		'protoPayload', jsonb_build_object('serviceName', 'run.googleapis.com', 'methodName', method,
			'authenticationInfo', jsonb_build_object('principalEmail', 'ann@example.com'))) $$;
CREATE FUNCTION azure(operation text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('time', '2026-03-01T10:00:00Z', 'resourceId', '/SUBSCRIPTIONS/0B1F6471-1BF0-4DDA-AEC3-CB9272F09590/RESOURCEGROUPS/R',
		'operationName', operation, 'category', 'Administrative', 'resultType', 'Success', 'identity', jsonb_build_object('claims', jsonb_build_object('appid', 'a', 'oid', 'o'))) $$;
CREATE VIEW learned AS SELECT service, operation FROM iamwatch.baselines ORDER BY 1, 2;
INSERT INTO log VALUES (aws('GetObject')), (gcp('Nothing')), (azure('Microsoft.Web/sites/read'));
TABLE learned;

-- Of the catalogue: names in their case, or of Azure in any; any service
\c -
INSERT INTO log VALUES (aws('createuser', service => 'iam'));
TABLE learned;
\c -
INSERT INTO log VALUES (aws('CreateUser', service => 'iam'));
\c -
INSERT INTO log VALUES (azure('MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE'));
TABLE learned;
-- suffixes: shipped, short, and longer than the names
\c -
INSERT INTO log VALUES (gcp('google.cloud.run.v1.Services.SetIamPolicy'));
\c -
INSERT INTO log VALUES (azure('Microsoft.Storage/storageAccounts/regenerateKey/ACTION'));
INSERT INTO iamwatch.operations (provider, service, operation, match, category, effect)
VALUES ('aws', '*', 'Q', 'suffix', 'policy', 'modify'), ('aws', 'ec2', U&'Schl\00FCssel', 'suffix', 'policy', 'modify'), ('aws', '*', 'ShareObjects', 'exact', 'policy', 'modify');
\c -
INSERT INTO log VALUES (aws('SendToQ'));
\c -
INSERT INTO log VALUES (aws('q')), (aws('el', service => 'ec2'));
\c -
INSERT INTO log VALUES (aws(U&'GetSchl\00FCssel', service => 'ec2')), (aws('Q', service => 'sqs'));
\c -
INSERT INTO log VALUES (aws('ShareObjects'));
TABLE learned;
-- the ends are told apart by provider
INSERT INTO iamwatch.providers (provider, recognised_by, account_path, identity_path, service_default, operation_path, event_time_path, event_time_format, event_id_path)
VALUES ('forge', '{forge}', '{org}', '{who}', 'forge', '{what}', '{at}', 'rfc3339', '{id}');
INSERT INTO iamwatch.operations (provider, service, operation, match, category, effect) VALUES ('forge', '*', '.add_admin', 'suffix', 'permission', 'create');
\c -
INSERT INTO log VALUES ('{"forge": 1, "at": "2026-03-01T10:00:00Z", "org": "forge", "who": "ann", "what": "team.add_admin", "id": "1"}'),
	(aws('team.add_admin')), (aws('GetBucketPolicy'));
TABLE learned;
-- what is taken out of it is no operation any more, and what is put in is one from the next statement on
DELETE FROM iamwatch.operations WHERE operation = 'ShareObjects';
INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 's3', 'PutObject', 'policy', 'modify');
\c -
INSERT INTO log VALUES (aws('ShareObjects', who => 'bob')), (aws('PutObject', who => 'bob'));
INSERT INTO log VALUES (aws('PutBucket', who => 'bob'));
INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 's3', 'PutBucket', 'policy', 'modify');
INSERT INTO log VALUES (aws('PutBucket', who => 'bob'));
SELECT operation FROM iamwatch.baselines WHERE identity = 'bob' ORDER BY 1;
-- an index that is not valid, or not there, tells nothing
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'iamwatch.operations_names'::regclass;
\c -
INSERT INTO log VALUES (aws('GetObject', who => 'bob')), (aws('SendToQ', who => 'bob'));
ALTER INDEX iamwatch.operations_names RENAME TO operations_other;
\c -
INSERT INTO log VALUES (aws('GetObject', who => 'bob')), (aws('Q', service => 'sqs', who => 'bob'));
SELECT operation FROM iamwatch.baselines WHERE identity = 'bob' ORDER BY 1;
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'iamwatch.operations_other'::regclass;
ALTER INDEX iamwatch.operations_other RENAME TO operations_names;

-- The first copy is of the providers that were met by then; of one that is met later, or whose rows are new, all is known too
\c -
INSERT INTO log SELECT aws('Get' || i, who => 'pat') FROM generate_series(1, 9) AS i;
INSERT INTO log VALUES (aws('DeleteUser', service => 'iam', who => 'pat'));
INSERT INTO log VALUES (gcp('google.cloud.run.v2.Services.SetIamPolicy')), (gcp('google.cloud.run.v2.Services.GetService'));
INSERT INTO log VALUES (azure('MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/DELETE'));
INSERT INTO log VALUES ('{"forge": 1, "at": "2026-03-01T10:00:00Z", "org": "forge", "who": "pat", "what": "org.add_admin", "id": "2"}');
INSERT INTO log VALUES (aws('DeleteRole', service => 'iam', who => 'pat'));
SELECT provider, operation FROM iamwatch.baselines AS b WHERE b.identity = 'pat' OR b.operation ILIKE ANY ('{%v2%,%/delete}') ORDER BY 1, 2;
\c -
INSERT INTO log VALUES (azure('Microsoft.Web/sites/read'));
INSERT INTO log VALUES (aws('DeleteGroup', service => 'iam', who => 'pia'));
INSERT INTO log VALUES (gcp('google.cloud.run.v3.Services.SetIamPolicy'));
SELECT provider, operation FROM iamwatch.baselines AS b WHERE b.identity = 'pia' OR b.operation LIKE '%v3%' ORDER BY 1, 2;
\c -
INSERT INTO log SELECT aws('Get' || i, who => 'pam') FROM generate_series(1, 9) AS i;
INSERT INTO iamwatch.operations (provider, service, operation, category, effect)
VALUES ('forge', '*', 'team.open', 'policy', 'modify'), ('aws', 's3', 'PutTags', 'policy', 'modify');
INSERT INTO log VALUES (aws('PutTags', who => 'pam')),
	('{"forge": 1, "at": "2026-03-01T10:00:00Z", "org": "forge", "who": "pam", "what": "team.open", "id": "3"}');
SELECT provider, operation FROM iamwatch.baselines AS b WHERE b.identity = 'pam' ORDER BY 1, 2;

-- Of the settings: what is late
INSERT INTO log VALUES (aws('GetObject', '2026-09-13 10:00Z'));
\c -
INSERT INTO log VALUES (aws('GetObject', '2026-03-02 10:00Z'));
\c -
INSERT INTO log VALUES (aws('GetObject', '2026-03-01 10:00Z'));
SELECT late_events FROM iamwatch.accounts WHERE account = '1';
UPDATE iamwatch.detectors SET lateness_days = 16;
\c -
INSERT INTO log VALUES (aws('GetObject', '2026-03-01 10:00Z'));
SELECT late_events FROM iamwatch.accounts WHERE account = '1';

-- Of IAM operations: what is known is known whatever the settings say, unless a
-- detector activates on that day, or the identity has an alert
\c -
CREATE FUNCTION two(operation text, at timestamptz, who text = 'cid', service text = 'iam') RETURNS jsonb LANGUAGE sql AS $$
	SELECT public.aws(operation, at, service, who) || '{"recipientAccountId": "2"}' $$;
INSERT INTO log SELECT two('ListBuckets', d, who, 's3') FROM generate_series('2026-07-01 08:00Z', '2026-09-12 08:00Z', interval '1 day') AS d, unnest('{cid,dan,eve}'::text[]) AS who;
INSERT INTO log VALUES (two('CreateUser', '2026-07-10 09:00Z')), (two('CreateRole', '2026-09-10 09:00Z', 'dan'));
CREATE VIEW queued AS SELECT asked - hits AS queued FROM iamwatch_internal.cache_status();
\c -
INSERT INTO log VALUES (two('CreateUser', '2026-07-10 10:00Z'));
TABLE queued;
\c -
INSERT INTO log VALUES (two('CreateUser', '2026-07-11 10:00Z'));
TABLE queued;
\c -
INSERT INTO log VALUES (two('CreateUser', '2026-07-10 10:00Z') || '{"errorCode": "AccessDenied"}');
TABLE queued;
\c -
INSERT INTO log VALUES (two('DeleteUser', '2026-07-10 10:00Z'));
TABLE queued;
\c -
INSERT INTO log VALUES (two('CreateRole', '2026-09-10 10:00Z', 'dan'));
TABLE queued;
SELECT identity, operation, event_count FROM iamwatch.alerts;
-- a suppressed alert, too
INSERT INTO iamwatch.suppressions (identity, reason) VALUES ('eve', 'test');
INSERT INTO log VALUES (two('CreateRole', '2026-09-11 09:00Z', 'eve'));
\c -
INSERT INTO log VALUES (two('CreateRole', '2026-09-11 10:00Z', 'eve'));
TABLE queued;
-- the day on which the account's activation period ends, as it is set by then
UPDATE iamwatch.detectors SET activation_days = 9;
\c -
INSERT INTO log VALUES (two('CreateUser', '2026-07-10 10:00Z'));
TABLE queued;
UPDATE iamwatch.detectors SET activation_days = 14;
-- a person, and what is none
\c -
INSERT INTO log VALUES (jsonb_set(two('CreateUser', '2026-07-10 10:00Z'), '{userIdentity,type}', '"AssumedRole"'));
TABLE queued;
\c -
INSERT INTO log VALUES (two('CreateUser', '2026-07-10 10:00Z'));
TABLE queued;
-- from some events on, a session reads the catalogue, and remembers: also the one who lies beside these two in the table
\c -
INSERT INTO log SELECT two('ListBuckets', '2026-09-12 10:00Z', who, 's3') FROM unnest('{cid,dan}'::text[]) AS who, generate_series(1, 20);
TABLE queued;
SELECT entries, accounts FROM iamwatch_internal.cache_status();

-- Of what it found: nothing that outlives the tables
\c -
INSERT INTO log VALUES (aws('GetObject'));
SELECT asked, hits, entries FROM iamwatch_internal.cache_status();
SET client_min_messages = warning;
DROP EXTENSION iamwatch CASCADE;
CREATE EXTENSION iamwatch;
SELECT iamwatch.watch('log');
INSERT INTO log VALUES (aws('GetObject'));
SELECT identity, days FROM iamwatch.identities;
DROP TABLE log;
DROP FUNCTION aws, gcp, azure, two;
