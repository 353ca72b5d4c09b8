\ir settings.psql
SELECT plan(33);

-- Records that other products took apart are put together again by records(), so that what is read
-- of them is what is read of the record: who, what, when, where, on what.
CREATE TEMP TABLE product (n serial, name text, record jsonb, kept jsonb);
INSERT INTO product (name, record, kept) VALUES
('Sentinel, AWSCloudTrail: a role',
	'{"eventTime": "2026-03-01T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "eventID": "e1", "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "cli", "recipientAccountId": "111122223333",
		"requestParameters": {"roleName": "r", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
		"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/deploy/i-0123456789abcdef0", "principalId": "AROA:i-0123456789abcdef0", "accountId": "111122223333",
			"sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/path/deploy", "accountId": "111122223333"}}}}',
	'{"TimeGenerated": "2026-03-01T10:00:00Z", "Type": "AWSCloudTrail", "OperationName": "CloudTrail", "EventSource": "iam.amazonaws.com", "EventName": "AttachRolePolicy", "AwsEventId": "e1", "AWSRegion": "us-east-1", "SourceIpAddress": "192.0.2.1", "UserAgent": "cli",
		"RecipientAccountId": "111122223333", "ErrorCode": "", "ErrorMessage": "", "RequestParameters": "{\"roleName\": \"r\", \"policyArn\": \"arn:aws:iam::aws:policy/AdministratorAccess\"}", "ResponseElements": "",
		"UserIdentityType": "AssumedRole", "UserIdentityArn": "arn:aws:sts::111122223333:assumed-role/deploy/i-0123456789abcdef0", "UserIdentityPrincipalid": "AROA:i-0123456789abcdef0", "UserIdentityAccountId": "111122223333",
		"SessionIssuerType": "Role", "SessionIssuerArn": "arn:aws:iam::111122223333:role/path/deploy", "SessionIssuerAccountId": "111122223333"}'),
('Sentinel, AWSCloudTrail: what failed',
	'{"eventTime": "2026-03-01T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "eventID": "e2", "errorCode": "AccessDenied", "recipientAccountId": "111122223333", "sourceIPAddress": "cloudformation.amazonaws.com",
		"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ann", "userName": "ann", "invokedBy": "cloudformation.amazonaws.com"}}',
	'{"TimeGenerated": "2026-03-01T10:00:00Z", "EventSource": "iam.amazonaws.com", "EventName": "CreateUser", "AwsEventId": "e2", "ErrorCode": "AccessDenied", "RecipientAccountId": "111122223333", "SourceIpAddress": "cloudformation.amazonaws.com",
		"UserIdentityType": "IAMUser", "UserIdentityArn": "arn:aws:iam::111122223333:user/ann", "UserIdentityUserName": "ann", "UserIdentityInvokedBy": "cloudformation.amazonaws.com"}'),
('Sentinel, GCPAuditLogs',
	'{"insertId": "g1", "timestamp": "2026-03-01T10:00:00Z", "logName": "projects/p1/logs/cloudaudit.googleapis.com%2Factivity", "resource": {"type": "service_account", "labels": {"project_id": "p1"}},
		"protoPayload": {"serviceName": "iam.googleapis.com", "methodName": "google.iam.admin.v1.CreateServiceAccountKey", "resourceName": "projects/-/serviceAccounts/1", "authenticationInfo": {"principalEmail": "ann@example.com"},
			"requestMetadata": {"callerIp": "192.0.2.1", "callerSuppliedUserAgent": "gcloud"}, "request": {"name": "projects/-/serviceAccounts/s@p1.iam.gserviceaccount.com"}, "status": {"code": 7}}}',
	'{"TimeGenerated": "2026-03-01T10:01:00Z", "Timestamp": "2026-03-01T10:00:00Z", "InsertId": "g1", "LogName": "projects/p1/logs/cloudaudit.googleapis.com%2Factivity", "GCPResourceType": "service_account", "ProjectId": "p1",
		"ServiceName": "iam.googleapis.com", "MethodName": "google.iam.admin.v1.CreateServiceAccountKey", "GCPResourceName": "projects/-/serviceAccounts/1", "PrincipalEmail": "ann@example.com",
		"AuthenticationInfo": "{\"principalEmail\": \"ann@example.com\"}", "RequestMetadata": "{\"callerIp\": \"192.0.2.1\", \"callerSuppliedUserAgent\": \"gcloud\"}",
		"Request": {"name": "projects/-/serviceAccounts/s@p1.iam.gserviceaccount.com"}, "Status": "{\"code\": 7}"}'),
('Elastic, AWS: a user',
	'{"eventTime": "2026-03-01T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey", "eventID": "e3", "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "cli", "recipientAccountId": "111122223333",
		"requestParameters": {"userName": "bob"}, "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ann", "accountId": "111122223333", "userName": "ann", "principalId": "AIDA"}}',
	'{"@timestamp": "2026-03-01T10:00:00.000Z", "event": {"action": "CreateAccessKey", "provider": "iam.amazonaws.com", "id": "e3", "kind": "event", "outcome": "success", "created": "2026-03-01T10:05:00Z"}, "cloud": {"account": {"id": "111122223333"}, "region": "us-east-1"},
		"source": {"address": "192.0.2.1", "ip": "192.0.2.1"}, "user": {"id": "AIDA", "name": "ann"}, "user_agent": {"original": "cli", "name": "aws-cli"},
		"aws": {"cloudtrail": {"event_type": "AwsApiCall", "recipient_account_id": "111122223333", "request_parameters": "{userName=bob}", "flattened": {"request_parameters": {"userName": "bob"}}, "user_identity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ann"}}}}'),
('Elastic, AWS: single sign-on, what failed',
	'{"eventTime": "2026-03-01T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "eventID": "e4", "errorCode": "AccessDenied", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
		"userIdentity": {"type": "AssumedRole", "principalId": "AROA:ann@example.com", "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Audit_0123456789abcdef/ann@example.com", "accountId": "111122223333",
			"sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Audit_0123456789abcdef", "accountId": "111122223333"}}}}',
	'{"@timestamp": "2026-03-01T10:00:00.000Z", "event": {"action": "CreateUser", "provider": "iam.amazonaws.com", "id": "e4", "outcome": "failure"}, "cloud": {"account": {"id": "111122223333"}, "region": "us-east-1"},
		"user": {"id": "AROA:ann@example.com", "name": "AWSReservedSSO_Audit_0123456789abcdef"},
		"aws": {"cloudtrail": {"error_code": "AccessDenied", "recipient_account_id": "111122223333", "user_identity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Audit_0123456789abcdef/ann@example.com",
			"session_context": {"session_issuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Audit_0123456789abcdef", "account_id": "111122223333"}}}}}}'),
('Elastic, GCP',
	'{"insertId": "g2", "timestamp": "2026-03-01T10:00:00Z", "logName": "projects/p1/logs/cloudaudit.googleapis.com%2Factivity", "resource": {"labels": {"project_id": "p1"}},
		"protoPayload": {"serviceName": "cloudresourcemanager.googleapis.com", "methodName": "SetIamPolicy", "resourceName": "projects/p1", "authenticationInfo": {"principalEmail": "ann@example.com"}, "requestMetadata": {"callerIp": "192.0.2.1", "callerSuppliedUserAgent": "gcloud"}, "status": {"code": 7}}}',
	'{"@timestamp": "2026-03-01T10:00:00.000Z", "event": {"action": "SetIamPolicy", "id": "g2", "provider": "activity", "outcome": "failure"}, "cloud": {"project": {"id": "p1"}, "provider": "gcp"}, "log": {"logger": "projects/p1/logs/cloudaudit.googleapis.com%2Factivity"},
		"service": {"name": "cloudresourcemanager.googleapis.com"}, "client": {"user": {"email": "ann@example.com"}}, "source": {"ip": "192.0.2.1"}, "user_agent": {"original": "gcloud"}, "gcp": {"audit": {"resource_name": "projects/p1", "status": {"code": 7}}}}'),
('Event Grid',
	'{"eventTimestamp": "2026-03-01T10:00:00Z", "eventDataId": "z1", "operationName": "Microsoft.Authorization/roleAssignments/write", "status": "Succeeded", "subscriptionId": "aaaa", "resourceId": "/subscriptions/aaaa/providers/Microsoft.Authorization/roleAssignments/x",
		"claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "ann@contoso.com", "ipaddr": "192.0.2.1"}}',
	'{"id": "z1", "topic": "/subscriptions/aaaa", "subject": "/subscriptions/aaaa/providers/Microsoft.Authorization/roleAssignments/x", "eventType": "Microsoft.Resources.ResourceWriteSuccess", "eventTime": "2026-03-01T10:00:00Z", "dataVersion": "2",
		"data": {"authorization": {"action": "Microsoft.Authorization/roleAssignments/write"}, "claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "ann@contoso.com", "ipaddr": "192.0.2.1"}, "correlationId": "c",
			"operationName": "Microsoft.Authorization/roleAssignments/write", "resourceUri": "/subscriptions/aaaa/providers/Microsoft.Authorization/roleAssignments/x", "status": "Succeeded", "subscriptionId": "aaaa", "tenantId": "tttt"}}'),
('Event Grid, a CloudEvent',
	'{"eventTimestamp": "2026-03-01T10:00:00Z", "eventDataId": "z2", "operationName": "Microsoft.Authorization/roleAssignments/delete", "status": "Failed", "subscriptionId": "aaaa", "resourceId": "/subscriptions/aaaa/x", "claims": {"appid": "6b6d44f0-b13a-46a0-bfde-161324d4c34d"}}',
	'{"specversion": "1.0", "id": "z2", "source": "/subscriptions/aaaa", "subject": "/subscriptions/aaaa/x", "type": "Microsoft.Resources.ResourceDeleteFailure", "time": "2026-03-01T10:00:00Z",
		"data": {"authorization": {}, "claims": {"appid": "6b6d44f0-b13a-46a0-bfde-161324d4c34d"}, "operationName": "Microsoft.Authorization/roleAssignments/delete", "resourceUri": "/subscriptions/aaaa/x", "status": "Failed", "subscriptionId": "aaaa"}}'),
('PowerShell, Get-AzActivityLog',
	'{"eventTimestamp": "2026-03-01T10:00:00Z", "eventDataId": "z3", "operationName": "Microsoft.Authorization/roleAssignments/write", "status": "Succeeded", "subscriptionId": "aaaa", "resourceId": "/subscriptions/aaaa/x", "caller": "ann@contoso.com", "httpRequest": {"clientIpAddress": "192.0.2.1"}}',
	'{"EventTimestamp": "2026-03-01T10:00:00Z", "EventDataId": "z3", "OperationName": "Create role assignment", "Authorization": {"Action": "Microsoft.Authorization/roleAssignments/write", "Scope": "/subscriptions/aaaa"}, "Status": "Succeeded", "SubscriptionId": "aaaa",
		"ResourceId": "/subscriptions/aaaa/x", "Caller": "ann@contoso.com", "Claims": {"Content": {"name": "Ann"}}, "HttpRequest": {"ClientIpAddress": "192.0.2.1"}, "CorrelationId": "c"}');

SELECT is((SELECT array_agg(to_jsonb(parse(r))) FROM records(kept) AS r), ARRAY[to_jsonb(parse(record))], name || ': is read as the record is')
FROM product ORDER BY n;
SELECT is(unreadable(record), NULL, name || ': which can be read') FROM product ORDER BY n;
SELECT is((SELECT string_agg(name, ', ') FROM product WHERE unreadable(kept) !~ 'use iamwatch.records\(\)'), NULL, 'unreadable() says to use records() for each');
SELECT is((SELECT count(*) FROM records((SELECT jsonb_build_object('value', jsonb_agg(kept)) FROM product))), 9::bigint, 'Lists of them are opened');

-- The end of a long-running operation names nobody, and its start does: it is put down to nobody.
SELECT alike((SELECT unreadable(r) FROM records(d) AS r), '%operation%', 'An end that names nobody: ' || name) FROM (
	SELECT name, kept - '{PrincipalEmail,AuthenticationInfo}'::text[] FROM product WHERE name = 'Sentinel, GCPAuditLogs'
	UNION ALL SELECT name, jsonb_set(kept - 'client', '{event,type}', '["end"]') FROM product WHERE name = 'Elastic, GCP') AS x (name, d);

-- Cut or changed, they fail nothing, and none is lost.
SELECT is((SELECT count(*) FROM product CROSS JOIN LATERAL jsonb_object_keys(kept) AS key
	WHERE NOT EXISTS (SELECT FROM records(kept - key)) OR NOT EXISTS (SELECT FROM records(kept || jsonb_build_object(key, 1)))
		OR NOT EXISTS (SELECT FROM records(kept || jsonb_build_object(key, '[1]'::jsonb)))), 0::bigint, 'Without a field, or with another type, something comes of each');

-- What holds no record says what it is, and not to open it again.
SELECT is(unreadable(d), reason, reason) FROM (VALUES
	('{"@timestamp": "2026-03-01T10:00:00Z", "event": {"action": "Add member to role"}, "azure": {"auditlogs": {}}}'::jsonb, 'is what a shipper made of a record, without the record: have it keep event.original'),
	('{"class_uid": 6003, "time": 1, "metadata": {"product": {"name": "Cloud Audit Logs"}}, "api": {"operation": "x"}}', 'is an event of OCSF without the record that it was made of: have raw_data kept'),
	('{"eventType": "AwsCloudTrailInsight", "eventTime": "2026-03-01T10:00:00Z", "insightDetails": {"eventName": "CreateUser"}}', 'is a CloudTrail Insights event, of a number of calls: not an event of an identity'),
	('{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-03-01T10:00:00Z", "userIdentity": {"principalId": "AWS:x"}, "s3": {"object": {"key": "k"}}}', 'tells of a file in S3, and is no event: load that file'),
	('{"s3Bucket": "b", "s3ObjectKey": ["k"]}', 'tells of a file in S3, and is no event: load that file')) AS x (d, reason);

-- Nobody hides a record by what stands in it: what is one is never opened.
SELECT is((SELECT array_agg(r) FROM records(jsonb_build_object('userAgent', kept::text, 'requestParameters', kept) || record) AS r),
	ARRAY[jsonb_build_object('userAgent', kept::text, 'requestParameters', kept) || record], 'A record with another in it is one')
FROM product WHERE name IN ('Elastic, AWS: a user', 'Sentinel, AWSCloudTrail: a role', 'Event Grid', 'Elastic, GCP') ORDER BY n;
SELECT is((SELECT array_agg(r) FROM records(d) AS r), ARRAY[d], 'A row of Sentinel without its time is left as it is')
FROM (SELECT kept - '{EventSource}'::text[] FROM product WHERE n = 1) AS x (d);
SELECT * FROM finish();
ROLLBACK;
