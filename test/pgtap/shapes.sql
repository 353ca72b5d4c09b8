-- Documents in the shapes in which logs and exports really write them.  Each
-- test names the rule of docs/providers.md that it checks.
\ir settings.psql
SELECT plan(204);

CREATE FUNCTION aws_by(identity jsonb, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', '2026-01-01T00:00:00Z', 'eventSource', 'iam.amazonaws.com', 'eventName', 'CreateUser',
		'recipientAccountId', '111122223333', 'userIdentity', identity) || more
$$;
CREATE FUNCTION gcp(payload jsonb, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('protoPayload', '{"serviceName": "iam.googleapis.com", "methodName": "M"}' || payload,
		'timestamp', '2026-01-01T00:00:00Z', 'logName', 'projects/p1/logs/x') || more
$$;
CREATE FUNCTION who(document jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce('rejected: ' || unreadable(document), (SELECT concat_ws(' ', identity_kind, identity, instance_id) FROM parse(document)))
$$;
-- Every name in lower case, objects and arrays as they are.
CREATE FUNCTION lower_names(document jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE jsonb_typeof(document)
		WHEN 'object' THEN (SELECT jsonb_object_agg(lower(key), lower_names(value)) FROM jsonb_each(document))
		WHEN 'array' THEN (SELECT jsonb_agg(lower_names(value)) FROM jsonb_array_elements(document))
		ELSE document END
$$;

-- Names of fields in lower case.
CREATE TABLE samples (what text, document jsonb);
INSERT INTO samples VALUES
('a user', aws_by('{"type": "IAMUser", "accountId": "1", "userName": "ann", "principalId": "AIDA"}', '{"errorCode": "Denied", "eventID": "e", "sourceIPAddress": "192.0.2.1", "userAgent": "cli", "awsRegion": "r"}')),
('a person in a role', aws_by('{"type": "AssumedRole", "principalId": "AROA:Ann@example.com", "arn": "arn:aws:sts::1:assumed-role/r/Ann@example.com",
	"sessionContext": {"sourceIdentity": "ann", "sessionIssuer": {"arn": "arn:aws:iam::1:role/p/r"}}}')),
('an instance', aws_by('{"type": "AssumedRole", "principalId": "AROA:i-01234567", "arn": "arn:aws:sts::1:assumed-role/r/i-01234567"}')),
('Identity Center', aws_by('{"type": "IdentityCenterUser", "onBehalfOf": {"userId": "o"}}')),
('a failure in the message', aws_by('{"type": "IAMUser", "arn": "a"}', '{"errorMessage": "no"}')),
('GCP', gcp('{"authenticationInfo": {"principalEmail": "a@b.c", "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalEmail": "s@b.c"}}]}, "status": {"code": 7},
	"requestMetadata": {"callerIp": "private", "callerSuppliedUserAgent": "x"}, "resourceName": "t"}', '{"insertId": "i", "resource": {"labels": {"project_id": "p2", "location": "l"}}}')),
('Entra', '{"category": "AuditLogs", "time": "2026-01-01T00:00:00Z", "tenantId": "t", "properties": {"id": "i", "activityDisplayName": "Add user", "loggedByService": "Core Directory",
	"result": "failure", "resultReason": "quota", "initiatedBy": {"user": {"userPrincipalName": "a@b.c", "ipAddress": "192.0.2.1"}}, "targetResources": [{"displayName": "x", "userPrincipalName": "y"}],
	"additionalDetails": [{"key": "User-Agent", "value": "cli"}]}}'),
('Entra of Log Analytics, whose TenantId is the workspace', '{"TenantId": "workspace", "AADTenantId": "t", "TimeGenerated": "2026-01-01T00:00:00Z", "OperationName": "Add user", "Result": "failure", "Type": "AuditLogs",
	"InitiatedBy": {"app": {"appId": "a"}}, "TargetResources": [{"displayName": "x"}]}'),
('Activity of Log Analytics', '{"TimeGenerated": "2026-01-01T00:00:00Z", "CategoryValue": "Administrative", "OperationNameValue": "MICROSOFT.A/B/WRITE", "ActivityStatusValue": "Start", "ActivitySubstatusValue": "x",
	"_ResourceId": "/subscriptions/s/x", "Caller": "a@b.c", "CallerIpAddress": "192.0.2.1", "CorrelationId": "c", "Type": "AzureActivity"}'),
('Activity', '{"time": "2026-01-01T00:00:00Z", "category": "Administrative", "operationName": "Microsoft.A/b/write", "resourceId": "/subscriptions/s/x", "callerIpAddress": "192.0.2.1",
	"correlationId": "c", "resultType": "Failed", "identity": {"claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "a@b.c"}}}');
SELECT is(parse(lower_names(document))::text, parse(document)::text, 'Names: all fields in lower case, ' || what) FROM samples;
SELECT isnt(parse(document), NULL, 'Names: which is readable, ' || what) FROM samples;
SELECT is(who(aws_by('{"type": "IAMUser", "arn": "exact", "ARN": "no"}') || '{"eventname": "Other", "useridentity": {"type": "Root"}}'), 'user exact', 'Names: the exact one wins');
SELECT is((parse(aws_by('{"type": "IAMUser", "arn": "a"}', '{"eventname": "Other"}'))).operation, 'CreateUser', 'Names: the exact one wins at the top');

-- Objects as text.
CREATE FUNCTION as_text(document jsonb, path text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(document, path, to_jsonb((document #> path)::text))
$$;
CREATE TABLE texts (what text, path text[]);
INSERT INTO texts VALUES ('a user', '{userIdentity}'), ('a person in a role', '{userIdentity}'), ('a person in a role', '{userIdentity,sessionContext}'),
('a person in a role', '{userIdentity,sessionContext,sessionIssuer}'), ('Identity Center', '{userIdentity,onBehalfOf}'),
('GCP', '{protoPayload}'), ('GCP', '{protoPayload,authenticationInfo}'), ('GCP', '{protoPayload,status}'), ('GCP', '{protoPayload,requestMetadata}'),
('GCP', '{protoPayload,authenticationInfo,serviceAccountDelegationInfo}'), ('GCP', '{resource}'), ('GCP', '{resource,labels}'),
('Entra', '{properties}'), ('Entra', '{properties,initiatedBy}'), ('Entra', '{properties,initiatedBy,user}'), ('Entra', '{properties,targetResources}'),
('Entra', '{properties,additionalDetails}'), ('Activity', '{identity}'), ('Activity', '{identity,claims}');
SELECT is(parse(as_text(document, path))::text, parse(document)::text, 'Objects as text: ' || what || ' ' || path::text) FROM texts JOIN samples USING (what);
SELECT is((baseline_key(as_text(document, path))).key, (baseline_key(document)).key, 'Objects as text: backfill() learns the same of ' || what || ' ' || path::text) FROM texts JOIN samples USING (what);
SELECT is((baseline_key(lower_names(document))).key, (baseline_key(document)).key, 'Names: backfill() learns the same of ' || what) FROM samples;
SELECT is(who(as_text(as_text(document, '{userIdentity,sessionContext}'), '{userIdentity}')), 'federated_user arn:aws:sts::1:assumed-role/r/ann@example.com',
	'Objects as text: inside of one that is text') FROM samples WHERE what = 'a person in a role';
SELECT is(who(as_text(lower_names(document), '{useridentity}')), 'federated_user arn:aws:sts::1:assumed-role/r/ann@example.com',
	'Objects as text: and names in lower case') FROM samples WHERE what = 'a person in a role';

-- Where who acted cannot be read, nobody is put down for it.
CREATE TABLE hidden (what text, document jsonb, reason text);
INSERT INTO hidden SELECT what, jsonb_set(document, path, '"{\"cut off\": "'), name || ' is text that is not JSON: {"cut off": '
FROM samples JOIN (VALUES ('a user', '{userIdentity}'::text[], 'userIdentity'), ('a person in a role', '{userIdentity,sessionContext}', 'userIdentity.sessionContext'),
	('a person in a role', '{userIdentity,sessionContext,sessionIssuer}', 'sessionIssuer'), ('Identity Center', '{userIdentity,onBehalfOf}', 'userIdentity.onBehalfOf'),
	('GCP', '{protoPayload,authenticationInfo}', 'authenticationInfo'), ('GCP', '{protoPayload}', 'protoPayload'), ('Entra', '{properties}', 'properties'),
	('Entra', '{properties,initiatedBy}', 'initiatedBy'), ('Entra', '{properties,initiatedBy,user}', 'initiatedBy.user'),
	('Activity', '{identity}', 'identity'), ('Activity', '{identity,claims}', 'identity.claims')) AS h (what, path, name) USING (what);
INSERT INTO hidden VALUES
('Athena prints structures', aws_by('"{type=IAMUser, principalid=AIDA, username=ann}"'),
	'userIdentity is text that is not JSON: {type=IAMUser, principalid=AIDA, username=ann}; it was printed, not exported: have it written as JSON'),
('ConvertTo-Json without depth', '{"id": "D1", "result": "success", "activityDisplayName": "Add member to role", "activityDateTime": "2026-03-01T10:00:00Z",
	"loggedByService": "Core Directory", "initiatedBy": {"user": "@{id=1; userPrincipalName=ann@contoso.com}", "app": null}}',
	'initiatedBy.user is text that is not JSON: @{id=1; userPrincipalName=ann@contoso.com}; it was printed, not exported: have it written as JSON'),
('a long one is cut', aws_by(to_jsonb(repeat('x', 1000))), 'userIdentity is text that is not JSON: ' || repeat('x', 60) || '...');
SELECT is(unreadable(document), reason, 'An actor that cannot be read: ' || what) FROM hidden;
SELECT is(count(parse(document)), 0::bigint, 'An actor that cannot be read: no event') FROM hidden;
SELECT put(document) FROM hidden;
SELECT is((SELECT count(*) FROM rejected_events), (SELECT count(*) FROM hidden), 'An actor that cannot be read: each is kept, with its reason');
SELECT is((SELECT count(*) FROM identities), 0::bigint, 'An actor that cannot be read: nothing is learned');
SELECT is(who(aws_by('{"type": "IAMUser", "arn": "a", "sessionContext": "x"}')), 'user a', 'Objects as text: one that does not say who acted may be anything');
SELECT is(who('{"time": "2026-01-01T00:00:00Z", "category": "Administrative", "operationName": "Microsoft.A/b/write", "resourceId": "/subscriptions/s/x", "caller": "a@b.c", "claims": "cut off"}'),
	'user a@b.c', 'Objects as text: nor need claims be read where the caller is a person');

-- What is no event, and what to do about it.
CREATE TABLE others (reason text, document jsonb);
INSERT INTO others VALUES
('is a CloudTrail digest: not an event', '{"awsAccountId": "1", "digestStartTime": "2026-01-01T00:00:00Z", "digestEndTime": "2026-01-01T01:00:00Z", "digestS3Bucket": "b", "logFiles": []}'),
('looks like a file of records: use iamwatch.records()', '{"Records": [{"eventSource": "x"}]}'),
('looks like a file of records: use iamwatch.records()', '{"records": []}'),
('looks like a file of records: use iamwatch.records()', '{"@odata.context": "x", "value": [{"activityDisplayName": "x"}]}'),
('looks like a message of SNS: use iamwatch.records()', '{"Type": "Notification", "Message": "{}", "TopicArn": "x"}'),
('looks like a record of Kinesis: use iamwatch.records()', '{"kinesis": {"data": "e30="}, "eventID": "x", "eventSource": "aws:kinesis"}'),
('looks like a message of SNS: use iamwatch.records()', '{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": "{}"}}'),
('the document is an array: use iamwatch.records()', '[{"eventSource": "iam.amazonaws.com"}]'),
('the document is JSON inside of a string: use iamwatch.records()', '"{\"eventSource\": \"iam.amazonaws.com\"}"'),
('eventSource is missing or no string', '{"eventName": "CreateUser"}'),
('of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers', '{"a": 1}'),
('looks like an event of EventBridge: use iamwatch.records()', '{"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "x"}}'),
('looks like a message of CloudWatch Logs: use iamwatch.records()', '{"awslogs": {"data": "x"}}'),
('is of the Microsoft 365 audit log, which is not read: the Entra audit log has its events', '{"CreationTime": "2026-03-01T10:00:00", "Operation": "Add member to role.", "RecordType": 8, "UserId": "ann@contoso.com", "Workload": "AzureActiveDirectory"}'),
('is a log entry without protoPayload: not of a GCP audit log', '{"logName": "projects/p/logs/x", "textPayload": "x"}');
SELECT is(unreadable(document), reason, 'Not an event: ' || document::text) FROM others;

-- Failed.
CREATE TABLE failures (what text, expected boolean, more jsonb);
INSERT INTO failures VALUES
('errorCode', true, '{"errorCode": "AccessDenied"}'), ('errorCode 200', false, '{"errorCode": "200"}'), ('errorCode 204', false, '{"errorCode": "204"}'),
('errorCode 2000', true, '{"errorCode": "2000"}'), ('errorCode 403', true, '{"errorCode": "403"}'), ('errorMessage', true, '{"errorMessage": "Failed authentication"}'),
('errorMessage beside a code 200', true, '{"errorCode": "200", "errorMessage": "x"}'), ('empty ones', false, '{"errorCode": "", "errorMessage": ""}'),
('responseElements says so', true, '{"responseElements": {"CreateUser": "Failure"}}'), ('responseElements as text says so', true, '{"responseElements": "{\"CreateUser\": \"Failure\"}"}'),
('responseElements says Success', false, '{"responseElements": {"CreateUser": "Success"}}'), ('responseElements says so of another name', false, '{"responseElements": {"createuser": "Failure", "ConsoleLogin": "Failure"}}'),
('responseElements null', false, '{"responseElements": null}');
SELECT is((parse(aws_by('{"type": "Root"}', more))).failed, expected, 'Failed: ' || what) FROM failures;

-- Completion without an actor.
CREATE TABLE completions (expected text, payload jsonb, more jsonb);
INSERT INTO completions VALUES
('rejected: completion of an operation: its start names who did it', '{}', '{"operation": {"id": "o", "last": true}}'),
('rejected: completion of an operation: its start names who did it', '{"authenticationInfo": null, "status": {"code": 7}}', '{"operation": {"id": "o", "last": true, "first": false}}'),
('rejected: completion of an operation: its start names who did it', '{}', '{"operation": "{\"last\": true}"}'),
('anonymous anonymous', '{}', '{"operation": {"id": "o", "first": true, "last": true}}'), ('anonymous anonymous', '{}', '{"operation": {"id": "o", "first": true}}'),
('anonymous anonymous', '{}', '{"operation": {"last": "true"}}'), ('anonymous anonymous', '{"authenticationInfo": {}}', '{"operation": {"last": true}}'),
('user a@b.c', '{"authenticationInfo": {"principalEmail": "a@b.c"}}', '{"operation": {"last": true}}'), ('anonymous anonymous', '{}', '{}');
SELECT is(who(gcp(payload, more)), expected, 'Completion: ' || payload::text || more::text) FROM completions;
SELECT is((parse(gcp('{"authenticationInfo": {"principalEmail": "a@b.c"}, "status": {"code": 5}}', '{"operation": {"last": true}}'))).failed, true, 'Completion: an end that failed is a failed operation');
SELECT is(who(gcp(jsonb_build_object('authenticationInfo', info))), expected, 'principalSubject: ' || info::text) FROM (VALUES
	('user a@b.c', '{"principalSubject": "user:a@b.c"}'::jsonb), ('service_account s@p.iam.gserviceaccount.com', '{"principalSubject": "serviceAccount:s@p.iam.gserviceaccount.com"}'),
	('service service-1@x.iam.gserviceaccount.com', '{"principalSubject": "serviceAccount:service-1@x.iam.gserviceaccount.com"}'), ('anonymous anonymous', '{"principalSubject": "user:"}'),
	('user user:a@b.c', '{"principalEmail": "user:a@b.c"}'), ('user group:g@b.c', '{"principalSubject": "group:g@b.c"}')) AS v (expected, info);

-- Identities of AWS.
CREATE TABLE identities_of (expected text, identity jsonb, more jsonb);
INSERT INTO identities_of VALUES
('user arn:aws-cn:iam::111122223333:user/ann', '{"type": "IAMUser", "accountId": "111122223333", "userName": "ann"}', '{"awsRegion": "cn-north-1"}'),
('user arn:aws-us-gov:iam::111122223333:user/ann', '{"type": "IAMUser", "userName": "ann"}', '{"awsRegion": "us-gov-west-1"}'),
('user arn:aws-iso:iam::7:user/ann', '{"type": "IAMUser", "accountId": "7", "userName": "ann"}', '{"awsRegion": "us-isob-east-1"}'),
('user AIDA', '{"type": "IAMUser", "accountId": "7", "principalId": "AIDA"}', '{}'),
('root arn:aws:iam::7:root', '{"type": "Root", "accountId": "7"}', '{"awsRegion": "us-east-1"}'),
('root arn:aws-cn:iam::7:root', '{"type": "Root", "accountId": "7", "sessionContext": {"sessionIssuer": {"arn": "arn:aws-cn:iam::7:role/x"}}}', '{"awsRegion": "us-east-1"}'),
('workload arn:aws:iam::1:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/X:system:serviceaccount:ns:sa',
	'{"type": "WebIdentityUser", "principalId": "arn:aws:iam::1:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/X:system:serviceaccount:ns:sa", "userName": "system:serviceaccount:ns:sa"}', '{}'),
('workload p', '{"type": "WebIdentityUser", "principalId": "p", "identityProvider": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"}', '{}'),
('federated_user accounts.google.com:x:1', '{"type": "WebIdentityUser", "principalId": "accounts.google.com:x:1", "userName": "1", "identityProvider": "accounts.google.com"}', '{}'),
('federated_user a:oidc-provider/x', '{"type": "WebIdentityUser", "principalId": "a:oidc-provider/x", "identityProvider": "www.amazon.com"}', '{}'),
('service iam.amazonaws.com', '{"type": "AWSService"}', '{}'), ('service iam.amazonaws.com', '{}', '{"eventType": "AwsServiceEvent"}'),
('service kms.amazonaws.com', '{"accountId": "1", "invokedBy": "kms.amazonaws.com"}', '{"eventType": "AwsServiceEvent"}'),
('unknown 1', '{"accountId": "1"}', '{"eventType": "AwsServiceEvent"}'), ('rejected: no identity results from userIdentity', '{"type": "Unknown"}', '{"eventType": "AwsServiceEvent"}'),
('rejected: no identity results from userIdentity', '{}', '{"eventType": "AwsApiCall"}'),
('federated_user arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin/ann@example.com', '{"type": "AssumedRole", "arn": "arn:aws:sts::9:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/Ann@Example.com",
	"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"}}}', '{}'),
('federated_user arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin/bob', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_fedcba9876543210/bob"}', '{}'),
('federated_user arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcde/bob', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcde/bob"}', '{}'),
('federated_user arn:aws-us-gov:sts::1:assumed-role/r_0123456789abcdef/a@b', '{"type": "AssumedRole", "arn": "arn:aws-us-gov:sts::1:assumed-role/r_0123456789abcdef/A@b"}', '{}'),
('federated_user AROA:A@b/A@b', '{"type": "AssumedRole", "principalId": "AROA:A@b"}', '{}'),
-- a role may be called as a person is, under the path of a role: the two are not one
('federated_user arn:aws:sts::1:assumed-role/dev/ann@corp', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/dev/ann@corp", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/dev"}}}', '{}'),
('role arn:aws:iam::1:role/dev/ann@corp', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/ann@corp/s1", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/dev/ann@corp"}}}', '{}'),
('instance arn:aws:iam::1:role/dev i-00000000', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/dev/i-00000000", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/dev"}}}', '{}');
SELECT is(who(aws_by(identity, more)), expected, 'Identity: ' || identity::text || more::text) FROM identities_of;
SELECT is((parse(aws_by('{"type": "Root"}', jsonb_build_object('eventSource', written)))).service, expected, 'Service: ' || written) FROM (VALUES
	('iam.amazonaws.com', 'iam'), ('iam.amazonaws.com.cn', 'iam'), ('.amazonaws.com', '.amazonaws.com'), ('example.cn', 'example.cn')) AS v (written, expected);

-- Identities of Azure.
CREATE TABLE azure_identities (expected text, what text, document jsonb);
INSERT INTO azure_identities VALUES
('user ann@contoso.com', 'PascalCase throughout, as PowerShell writes it', '{"Id": "D1", "Result": "success", "ActivityDisplayName": "Add member to role", "ActivityDateTime": "2026-03-01T10:00:00Z",
	"LoggedByService": "Core Directory", "InitiatedBy": {"User": {"Id": "1", "UserPrincipalName": "Ann@contoso.com"}, "App": {}}}'),
('service_account sp', 'an app in PascalCase', '{"Id": "D1", "Result": "success", "ActivityDisplayName": "Add member to role", "ActivityDateTime": "2026-03-01T10:00:00Z", "InitiatedBy": {"User": {}, "App": {"ServicePrincipalId": "SP"}}}'),
('user ann', 'a user who has no name but to be shown', '{"activityDisplayName": "Add user", "activityDateTime": "2026-03-01T10:00:00Z", "initiatedBy": {"user": {"displayName": "Ann"}}}'),
('user 6b6d44f0', 'evidence of the authorization', '{"time": "2026-01-09T09:41:00Z", "category": "Administrative", "operationName": "Microsoft.Authorization/roleAssignments/write", "resourceId": "/subscriptions/s/x",
	"identity": {"authorization": {"evidence": {"principalId": "6B6D44F0", "principalType": "User"}}}}'),
('service_account 6b6d44f0', 'evidence, a service principal', '{"time": "2026-01-09T09:41:00Z", "category": "Administrative", "operationName": "Microsoft.Authorization/roleAssignments/write", "resourceId": "/subscriptions/s/x",
	"authorization": "{\"evidence\": {\"principalId\": \"6B6D44F0\", \"principalType\": \"ServicePrincipal\"}}"}'),
('service microsoft.authorization', 'evidence, a group, which is not who acted', '{"time": "2026-01-09T09:41:00Z", "category": "Administrative", "operationName": "Microsoft.Authorization/roleAssignments/write", "resourceId": "/subscriptions/s/x",
	"identity": {"authorization": {"evidence": {"principalId": "6B6D44F0", "principalType": "Group"}}}}'),
('user ann@contoso.com', 'Claims of Log Analytics', '{"TimeGenerated": "2026-03-01T10:00:00Z", "CategoryValue": "Administrative", "OperationNameValue": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "_ResourceId": "/subscriptions/aaaa/x",
	"Claims": "{\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn\":\"ann@contoso.com\"}", "Type": "AzureActivity"}');
SELECT is(who(document), expected, 'Azure identity: ' || what) FROM azure_identities;

-- Where it came from, and for whom.
SELECT is((SELECT concat_ws(' ', coalesce(host(source_ip), '-'), source_host) FROM parse(aws_by('{"type": "Root"}', jsonb_build_object('sourceIPAddress', written)))), expected, 'Source: ' || written)
FROM (VALUES ('192.0.2.1', '192.0.2.1'), ('81.2.69.142, 10.0.0.1', '81.2.69.142'), ('10.0.0.1,81.2.69.142', '81.2.69.142'), ('10.0.0.1, 192.168.0.1', '10.0.0.1'),
	('cloudformation.amazonaws.com', '- cloudformation.amazonaws.com'), ('AWS Internal', '- AWS Internal'), ('203.0.113.9:52211', '203.0.113.9'), ('[2001:db8::1]:443', '2001:db8::1'),
	('2001:db8::1', '2001:db8::1'), ('[2001:db8::1]', '2001:db8::1'), ('fd00::1, 2001:db8::2', '2001:db8::2'), ('unknown, 10.0.0.1', '10.0.0.1'), ('192.0.2.1:http', '- 192.0.2.1:http'), (',', '- ,'), ('', '-')) AS v (written, expected);
CREATE FUNCTION source_of(written text) RETURNS text LANGUAGE sql AS
	$$SELECT host(source_ip) FROM parse(aws_by('{"type": "Root"}', jsonb_build_object('sourceIPAddress', written)))$$;
-- the ends of each range that RFC 6890 keeps from being anybody's address on the Internet, and what is next to them
SELECT is_empty($$SELECT a FROM unnest('{0.0.0.0,0.255.255.255,10.0.0.0,10.255.255.255,100.64.0.0,100.127.255.255,127.0.0.0,127.255.255.255,
	169.254.0.0,169.254.255.255,172.16.0.0,172.31.255.255,192.168.0.0,192.168.255.255,224.0.0.0,255.255.255.255}'::text[]) AS a
	WHERE source_of(a || ', 81.2.69.142') <> '81.2.69.142'$$, 'Source: an address of no use on the Internet gives way to one behind it');
SELECT is_empty($$SELECT a FROM unnest('{1.0.0.0,9.255.255.255,11.0.0.0,100.63.255.255,100.128.0.0,126.255.255.255,128.0.0.0,
	169.253.255.255,169.255.0.0,172.15.255.255,172.32.0.0,192.167.255.255,192.169.0.0,223.255.255.255}'::text[]) AS a
	WHERE source_of(a || ', 81.2.69.142') <> a$$, 'Source: those next to it do not');
SELECT is_empty($$SELECT a FROM unnest('{::,::1,fc00::,fdff::1,fe80::,febf::1,ff00::,ffff::1,::ffff:10.0.0.1}'::text[]) AS a
	WHERE source_of(a || ', 81.2.69.142') <> '81.2.69.142'$$, 'Source: so does one of IPv6');
SELECT is_empty($$SELECT a FROM unnest('{::100,fbff::1,fe00::1,fe7f::1,fec0::1,2001:db8::1,::ffff:81.2.69.1}'::text[]) AS a
	WHERE source_of(a || ', 81.2.69.142') <> host(a::inet)$$, 'Source: those next to it do not either');
SELECT is((SELECT source_ip IS NULL AND source_host = 'private' FROM parse(gcp('{"requestMetadata": {"callerIp": "private"}}'))), true, 'Source: private, of GCP');
SELECT is((SELECT host(source_ip) FROM parse(e)), '192.0.2.7', 'Source: ' || what) FROM (VALUES
	('of the app', '{"activityDisplayName": "x", "activityDateTime": "2026-01-01T00:00:00Z", "initiatedBy": {"app": {"appId": "a", "ipAddress": "192.0.2.7"}}}'::jsonb),
	('in the details, with a port', '{"activityDisplayName": "x", "activityDateTime": "2026-01-01T00:00:00Z", "initiatedBy": {"user": {"id": "a", "ipAddress": null}}, "additionalDetails": [{"key": "ipaddr", "value": "192.0.2.7:80"}]}')) AS v (what, e);
SELECT is((parse(e)).acting_for, expected, 'Acting for: ' || expected) FROM (VALUES
	('ann', aws_by('{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sourceIdentity": "ann"}}')),
	('ann, u-1, cloudformation.amazonaws.com', aws_by('{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sourceIdentity": "ann"}, "onBehalfOf": {"userId": "u-1"}, "invokedBy": "cloudformation.amazonaws.com"}')),
	('a@b.c, s@p.iam.gserviceaccount.com', gcp('{"authenticationInfo": {"principalEmail": "x@p.iam.gserviceaccount.com", "serviceAccountDelegationInfo": [{"firstPartyPrincipal": {"principalEmail": "a@b.c"}}, {"principalSubject": "serviceAccount:s@p.iam.gserviceaccount.com"}]}}'))) AS v (expected, e);
SELECT is((parse(e)).acting_for, NULL, 'Acting for: not whom the event is put down to') FROM (VALUES
	(aws_by('{"type": "AWSService", "invokedBy": "s3.amazonaws.com"}')), (aws_by('{"type": "IdentityCenterUser", "onBehalfOf": {"userId": "o"}}'))) AS v (e);

-- Azure is compared without regard to case.
SELECT is((find_operation('azure', lower(service), upper(operation))).category, (find_operation('azure', service, operation)).category, 'Catalogue: Azure in any case, ' || operation)
FROM (VALUES ('Core Directory', 'Add member to role'), ('Core Directory', 'Add app role assignment to service principal')) AS v (service, operation);
INSERT INTO log SELECT jsonb_build_object('category', 'AuditLogs', 'time', d::date || 'T08:00:00Z', 'tenantId', 't', 'activityDisplayName', 'Update device', 'initiatedBy', '{"user": {"userPrincipalName": "a@b.c"}}'::jsonb)
FROM generate_series(date '2026-01-01', '2026-02-09', '1 day') AS d;
SELECT put('{"category": "AuditLogs", "time": "2026-02-10T08:00:00Z", "tenantId": "t", "activityDisplayName": "ADD MEMBER TO ROLE", "initiatedBy": "{\"user\": {\"userPrincipalName\": \"a@b.c\"}}"}');
SELECT results_eq($$SELECT identity, operation FROM alerts WHERE account = 't'$$, $$VALUES ('a@b.c', 'ADD MEMBER TO ROLE')$$, 'Catalogue: an operation of Azure in another case alerts');

-- Own providers.
INSERT INTO providers (provider, recognised_by, account_default, identity_path, service_default, operation_path, event_time_path, source_ip_path, target_path, granted_path, acting_for_path)
VALUES ('own', '{Kind}', 'x', '{Actor,Name}', 's', '{Op}', '{At}', '{From}', '{What,0}', '{Role}', '{Behind}');
SELECT is(parse(document)::text, '(own,x,,"2026-01-01 00:00:00+00",ann,user,t,s,o,f,,,console,,,,t,r,boss)', 'Own providers: ' || what) FROM (VALUES
	('every place', '{"Kind": 1, "Actor": {"Name": "ann"}, "Op": "o", "At": "2026-01-01 00:00:00", "From": "console", "What": ["t"], "Role": "r", "Behind": "boss"}'::jsonb),
	('objects and arrays as text', '{"Kind": 1, "Actor": "{\"Name\": \"ann\"}", "Op": "o", "At": "2026-01-01T01:00:00+01", "From": "console", "What": "[\"t\"]", "Role": "r", "Behind": "boss"}'),
	('names in lower case', '{"kind": 1, "actor": {"name": "ann"}, "op": "o", "at": "2026-01-01 00:00:00 UTC", "from": "console", "what": ["t"], "role": "r", "behind": "boss"}')) AS v (what, document);

-- The evidence of an alert has it all.
INSERT INTO log SELECT aws_by('{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s"}', jsonb_build_object('eventTime', d::date || ' 08:00:00', 'eventSource', 's3.amazonaws.com', 'eventName', 'ListBuckets'))
FROM generate_series(date '2026-01-01', '2026-02-09', '1 day') AS d;
SELECT put(aws_by('{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sourceIdentity": "ann"}, "invokedBy": "cloudformation.amazonaws.com"}',
	'{"eventTime": "2026-02-10T08:00:00Z", "eventID": "e", "sourceIPAddress": "cloudformation.amazonaws.com"}'));
SELECT is((SELECT jsonb_build_array(evidence->'source_hosts', evidence->'acting_for', evidence->'source_addresses') FROM alerts WHERE identity = 'arn:aws:iam::1:role/r'),
	'[["cloudformation.amazonaws.com"], ["ann, cloudformation.amazonaws.com"], []]'::jsonb, 'Evidence: hosts, and for whom');

SELECT * FROM finish();
ROLLBACK;
