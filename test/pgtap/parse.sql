\ir settings.psql
SELECT plan(81);

CREATE FUNCTION who(identity jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', identity_kind, identity, instance_id)
	FROM parse(jsonb_build_object('eventTime', '2026-01-01T00:00:00Z', 'eventSource', 'iam.amazonaws.com',
		'eventName', 'CreateUser', 'recipientAccountId', '111122223333', 'userIdentity', identity))
$$;
CREATE TABLE aws_identities (expected text, identity jsonb);
INSERT INTO aws_identities VALUES
('root arn:aws:iam::1:root', '{"type": "Root", "arn": "arn:aws:iam::1:root"}'),
('root arn:aws:iam::111122223333:root', '{"type": "Root"}'),
('user arn:aws:iam::1:user/a', '{"type": "IAMUser", "arn": "arn:aws:iam::1:user/a", "userName": "b"}'),
('user arn:aws:iam::1:user/b', '{"type": "IAMUser", "accountId": "1", "userName": "b"}'),
('federated_user arn:f', '{"type": "FederatedUser", "arn": "arn:f", "principalId": "p"}'),
('federated_user p', '{"type": "FederatedUser", "principalId": "p"}'),
('federated_user p', '{"type": "SAMLUser", "principalId": "p", "userName": "u"}'),
('federated_user u', '{"type": "WebIdentityUser", "userName": "u"}'),
('federated_user o', '{"type": "IdentityCenterUser", "onBehalfOf": {"userId": "o"}, "principalId": "p"}'),
('federated_user p', '{"type": "IdentityCenterUser", "onBehalfOf": 7, "principalId": "p"}'),
('service s3.amazonaws.com', '{"type": "AWSService", "invokedBy": "s3.amazonaws.com"}'),
('service s3.amazonaws.com', '{"invokedBy": "s3.amazonaws.com", "arn": "a"}'),
('account arn:x', '{"type": "AWSAccount", "arn": "arn:x", "accountId": "9"}'),
('account p', '{"type": "AWSAccount", "principalId": "p", "accountId": "9"}'),
('account 9', '{"type": "AWSAccount", "accountId": "9"}'),
('unknown a', '{"type": "Directory", "arn": "a"}'),
('unknown u', '{"userName": "u"}'),
('unknown 9', '{"type": "Unknown", "accountId": "9"}'),
('role arn:aws-cn:iam::1:role/r', '{"type": "AssumedRole", "arn": "arn:aws-cn:sts::1:assumed-role/r/s"}'),
('role arn:aws-us-gov:iam::1:role/r', '{"type": "AssumedRole", "arn": "arn:aws-us-gov:sts::1:assumed-role/r/s"}'),
('role arn:aws:iam::1:role/p/r', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/p/r"}}}'),
('role AROA:s', '{"type": "AssumedRole", "principalId": "AROA:s"}'),
('service arn:aws:iam::1:role/aws-service-role/x/Y', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/Y/s@x", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/aws-service-role/x/Y"}}}'),
('service arn:aws:iam::1:role/AWSServiceRoleForX', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/i-01234567"}'),
('instance arn:aws:iam::1:role/r i-01234567', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/i-01234567"}'),
('instance arn:aws:iam::1:role/r i-0123456789abcdef0', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/i-0123456789abcdef0"}'),
('role arn:aws:iam::1:role/r', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/i-012345678"}'),
('role arn:aws:iam::1:role/r', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/i-0123456g"}'),
('federated_user arn:aws:sts::1:assumed-role/AWSReservedSSO_A/x', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSReservedSSO_A/x"}'),
('federated_user arn:aws:sts::1:assumed-role/r/a@b', '{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/a@b"}'),
('federated_user arn:aws:sts::1:assumed-role/r/a@b', '{"type": "AssumedRole", "principalId": "AROA:a@b", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/r"}}}'),
('service iam.amazonaws.com', '{"type": "AWSService"}'),
('', '{}'),
('', '{"type": {"a": 1}, "arn": ["x"]}');
SELECT is(coalesce(who(identity), ''), expected, 'Identity: ' || identity::text) FROM aws_identities;

CREATE FUNCTION gcp(payload jsonb, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('protoPayload', '{"serviceName": "iam.googleapis.com", "methodName": "M"}' || payload,
		'timestamp', '2026-01-01T00:00:00Z', 'logName', 'projects/p1/logs/x') || more
$$;
CREATE TABLE gcp_identities (expected text, info jsonb);
INSERT INTO gcp_identities VALUES
('user a@b.c', '{"principalEmail": "a@b.c", "principalSubject": "s"}'),
('federated_user principal://x', '{"principalSubject": "principal://x"}'),
('workload principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s', '{"principalSubject": "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s"}'),
('anonymous anonymous', '{}'),
('anonymous anonymous', '7'),
('service_account system:serviceaccount:ns:a', '{"principalEmail": "system:serviceaccount:ns:a"}'),
('service system:node:x', '{"principalEmail": "system:node:x"}'),
('service service-12@x.iam.gserviceaccount.com', '{"principalEmail": "service-12@x.iam.gserviceaccount.com"}'),
('service 12@cloudservices.gserviceaccount.com', '{"principalEmail": "12@cloudservices.gserviceaccount.com"}'),
('service x@system.gserviceaccount.com', '{"principalEmail": "x@system.gserviceaccount.com"}'),
('service x@gcp-sa-y.iam.gserviceaccount.com', '{"principalEmail": "x@gcp-sa-y.iam.gserviceaccount.com"}'),
('service_account r@p1.iam.gserviceaccount.com', '{"principalEmail": "r@p1.iam.gserviceaccount.com"}'),
('service_account 1-compute@developer.gserviceaccount.com', '{"principalEmail": "1-compute@developer.gserviceaccount.com"}');
SELECT is((SELECT identity_kind || ' ' || identity FROM parse(gcp(jsonb_build_object('authenticationInfo', info)))), expected,
	'Identity: ' || info::text) FROM gcp_identities;

CREATE TABLE times (expected text, written text);
INSERT INTO times VALUES
('2026-01-01 00:00:00+00', '2026-01-01T00:00:00Z'), ('2026-01-01 00:00:00.123456+00', '2026-01-01t00:00:00.1234567z'),
('2025-12-31 18:30:00+00', '2026-01-01T00:00:00+05:30'), ('2026-01-01 00:01:00+00', '2026-01-01T00:00:60Z'),
('9999-12-31 23:59:59+00', '9999-12-31T23:59:59Z'),
('2026-01-01 00:00:00+00', '2026-01-01 00:00:00Z'), ('2026-01-01 00:00:00.5+00', '2026-01-01 00:00:00.5 UTC'), ('2026-01-01 00:00:00+00', '2026-01-01T00:00:00'),
('2025-12-31 23:00:00+00', '2026-01-01T00:00:00+0100'), ('2025-12-31 23:00:00+00', '2026-01-01T00:00:00+01'), ('2026-01-01 05:30:00+00', '2026-01-01 00:00:00-0530'),
(NULL, '2026-01-01T00:00:00+1'), (NULL, '2026-01-01T00:00:00+01:'), (NULL, '2026-01-01T00:00:00+24'), (NULL, '2026-01-01T00:00:00 utc'), (NULL, '1/9/2026 9:41:00 AM'), (NULL, '1770717600'),
(NULL, '2026-02-30T00:00:00Z'), (NULL, '2026-01-01T24:00:00Z'),
(NULL, '2026-01-01T00:00:00.Z'), (NULL, '20260101T000000Z'), (NULL, ' 2026-01-01T00:00:00Z');
SELECT is((parse(aws(written, 'a', 'CreateUser'))).event_time::text, expected, 'Times: ' || written) FROM times;

SELECT results_eq($$SELECT (parse(aws('2026-01-01T00:00:00Z', 'a', 'CreateUser', id => 'e1',
	more => '{"errorCode": "Denied", "awsRegion": "r", "requestParameters": {"userName": "t"}}'))).*$$,
	$$VALUES ('aws', '111122223333', 'e1', '2026-01-01 00:00:00+00'::timestamptz, 'arn:aws:iam::111122223333:user/a', 'user', true,
	'iam', 'CreateUser', true, 'Denied', '192.0.2.1'::inet, NULL, 'cli', 'r', NULL, 't', NULL, NULL)$$, 'parse: every field of an AWS event');
SELECT is((parse(aws('2026-01-01T00:00:00Z', 'a', 'X', more => '{"sourceIPAddress": "ec2.amazonaws.com"}'))).source_ip, NULL, 'parse: a source that is no address');
SELECT is((parse(aws('2026-01-01T00:00:00Z', 'a', 'X', more => '{"recipientAccountId": null, "userIdentity": {"type": "Root", "accountId": "7"}}'))).account,
	'7', 'Account: recipientAccountId, else userIdentity.accountId');
SELECT is((parse(gcp('{}', '{"resource": {"labels": {"project_id": "p2"}}}'))).account, 'p2', 'Account: resource.labels.project_id');
SELECT is((parse(gcp('{}'))).account, 'p1', 'Account: else the second part of logName');
SELECT is((parse(gcp('{"status": {"code": 7}}'))).failed, true, 'Failed: status.code other than 0');
SELECT is((parse(gcp('{"status": {"code": 0}}'))).failed, false, 'Failed: status.code 0 is none');
SELECT is((parse(gcp('{"status": {}}'))).failed, false, 'Failed: nor is a missing one');
SELECT is(parse(gcp('{"serviceName": ""}')), NULL, 'Readable: an empty string is missing');
SELECT is(array_agg(unreadable(aws('2026-01-01T00:00:00Z', 'a', 'X', more => more)) ORDER BY more), ARRAY['eventTime is missing or no string',
	'userIdentity is missing or no object', 'no account: recipientAccountId and userIdentity.accountId are missing or no strings'],
	'Readable: of a field that is there, of another type, the reason does not say that it is missing')
FROM (VALUES ('{"eventTime": 1767225600}'::jsonb), ('{"userIdentity": ["a"]}'),
	('{"userIdentity": {"arn": "arn:aws:iam::111122223333:user/a", "accountId": 111122223333}, "recipientAccountId": 111122223333}')) AS v (more);
SELECT matches(unreadable('{"eventSource": 7}'), '.', 'unreadable: says why');
SELECT is(unreadable(gcp('{}')), NULL, 'unreadable: null for what can be read');

SELECT * FROM finish();
ROLLBACK;
