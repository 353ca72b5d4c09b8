\ir settings.psql
SELECT plan(125);

-- records() opens what records are delivered in: each form is named as the reports name it.
-- The records: CloudTrail's, a log entry, Azure's activity, Entra's audit.
CREATE TEMP TABLE record (aws text, gcp text, activity text, audit text);
INSERT INTO record VALUES (
	'{"eventTime":"2026-03-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"e1","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann"}}',
	'{"insertId":"g1","timestamp":"2026-03-01T10:00:00Z","logName":"projects/p1/logs/cloudaudit.googleapis.com%2Factivity","resource":{"labels":{"project_id":"p1"}},"protoPayload":{"serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.CreateServiceAccountKey","authenticationInfo":{"principalEmail":"ann@example.com"}}}',
	'{"eventTimestamp":"2026-03-01T10:00:00Z","eventDataId":"z1","caller":"ann@contoso.com","operationName":{"value":"Microsoft.Authorization/roleAssignments/write","localizedValue":"Create role assignment"},"status":{"value":"Succeeded","localizedValue":"Succeeded"},"category":{"value":"Administrative"},"resourceId":"/subscriptions/aaaa/providers/Microsoft.Authorization/roleAssignments/x","subscriptionId":"aaaa","claims":{}}',
	'{"id":"D1","category":"RoleManagement","result":"success","activityDisplayName":"Add member to role","activityDateTime":"2026-03-01T10:00:00Z","loggedByService":"Core Directory","initiatedBy":{"user":{"userPrincipalName":"ann@contoso.com"},"app":null}}');
CREATE FUNCTION base64(t text) RETURNS text LANGUAGE sql AS $$ SELECT encode(convert_to(t, 'UTF8'), 'base64') $$;

CREATE TEMP TABLE form (n serial, name text, document text, gives text[]);
INSERT INTO form (name, document, gives)
SELECT f.name, f.document, f.gives FROM record AS r CROSS JOIN LATERAL (VALUES
	('a CloudTrail file', json_build_object('Records', json_build_array(aws::json, aws::json))::text, ARRAY[aws, aws]),
	('a record', aws, ARRAY[aws]),
	('aws cloudtrail lookup-events', json_build_object('Events', json_build_array(json_build_object('EventId', 'e1', 'CloudTrailEvent', aws)))::text, ARRAY[aws]),
	('an element of it', json_build_object('EventId', 'e1', 'Username', 'ann', 'CloudTrailEvent', aws)::text, ARRAY[aws]),
	('EventBridge', json_build_object('version', '0', 'detail-type', 'AWS API Call via CloudTrail', 'source', 'aws.iam', 'detail', aws::json)::text, ARRAY[aws]),
	('an array of EventBridge', json_build_array(json_build_object('detail-type', 'AWS API Call via CloudTrail', 'detail', aws::json))::text, ARRAY[aws]),
	('Records of EventBridge', json_build_object('Records', json_build_array(json_build_object('detail-type', 'AWS API Call via CloudTrail', 'detail', aws::json)))::text, ARRAY[aws]),
	('CloudWatch Logs, subscription', json_build_object('messageType', 'DATA_MESSAGE', 'owner', '1', 'logGroup', 'g', 'logEvents', json_build_array(json_build_object('id', '1', 'timestamp', 1, 'message', aws)))::text, ARRAY[aws]),
	('CloudWatch Logs, filter-log-events', json_build_object('events', json_build_array(json_build_object('logStreamName', 's', 'timestamp', 1, 'message', aws, 'ingestionTime', 1, 'eventId', '1')), 'searchedLogStreams', '[]'::json)::text, ARRAY[aws]),
	('CloudWatch Logs, get-log-events', json_build_object('events', json_build_array(json_build_object('timestamp', 1, 'message', aws, 'ingestionTime', 1)), 'nextForwardToken', 'f')::text, ARRAY[aws]),
	('CloudWatch Logs, a test of the connection', json_build_object('messageType', 'CONTROL_MESSAGE', 'logEvents', json_build_array(json_build_object('id', '1', 'message', 'CWL CONTROL MESSAGE: Checking health of destination')))::text, ARRAY[]::text[]),
	('SNS', json_build_object('Type', 'Notification', 'MessageId', 'm', 'TopicArn', 'arn:aws:sns:us-east-1:1:t', 'Message', aws)::text, ARRAY[aws]),
	('SNS of EventBridge', json_build_object('Type', 'Notification', 'TopicArn', 't', 'Message', json_build_object('detail-type', 'AWS API Call via CloudTrail', 'detail', aws::json)::text)::text, ARRAY[aws]),
	('SNS to Lambda', json_build_object('Records', json_build_array(json_build_object('EventSource', 'aws:sns', 'Sns', json_build_object('Type', 'Notification', 'TopicArn', 't', 'Message', aws))))::text, ARRAY[aws]),
	('SQS to Lambda', json_build_object('Records', json_build_array(json_build_object('messageId', 'm', 'body', aws, 'eventSource', 'aws:sqs')))::text, ARRAY[aws]),
	('aws sqs receive-message', json_build_object('Messages', json_build_array(json_build_object('MessageId', 'm', 'Body', aws)))::text, ARRAY[aws]),
	('SQS of SNS of EventBridge, as Lambda gets it', json_build_object('Records', json_build_array(json_build_object('messageId', 'm', 'eventSource', 'aws:sqs', 'body', json_build_object('Type', 'Notification', 'TopicArn', 't',
		'Message', json_build_object('detail-type', 'AWS API Call via CloudTrail', 'detail', aws::json)::text)::text)))::text, ARRAY[aws]),
	('Kinesis to Lambda', json_build_object('Records', json_build_array(json_build_object('eventID', 'shardId-0:1', 'eventName', 'aws:kinesis:record', 'eventSource', 'aws:kinesis', 'kinesis', json_build_object('partitionKey', 'p', 'data', base64(aws)))))::text, ARRAY[aws]),
	('aws kinesis get-records', json_build_object('Records', json_build_array(json_build_object('SequenceNumber', '1', 'PartitionKey', 'p', 'Data', base64(aws))), 'MillisBehindLatest', 0)::text, ARRAY[aws]),
	('Firehose to Lambda', json_build_object('invocationId', 'i', 'records', json_build_array(json_build_object('recordId', '1', 'data', base64(aws))))::text, ARRAY[aws]),
	('Firehose over HTTP', json_build_object('requestId', 'i', 'timestamp', 1, 'records', json_build_array(json_build_object('data', base64(aws || aws))))::text, ARRAY[aws, aws]),
	('Firehose, one object after the other', aws || gcp || aws, ARRAY[aws, gcp, aws]),
	('one a line', aws || E'\n' || gcp || E'\n', ARRAY[aws, gcp]),
	('one a line, CR LF', aws || E'\r\n' || gcp || E'\r\n', ARRAY[aws, gcp]),
	('files one after the other', json_build_object('Records', json_build_array(aws::json))::text || json_build_object('Records', json_build_array(gcp::json))::text, ARRAY[aws, gcp]),
	('lines over several lines', jsonb_pretty(aws::jsonb) || E'\n' || jsonb_pretty(gcp::jsonb), ARRAY[aws, gcp]),
	('a byte order mark', E'\uFEFF' || aws, ARRAY[aws]),
	('a byte order mark before lines', E'\uFEFF' || aws || E'\r\n' || aws, ARRAY[aws, aws]),
	('JSON in a string', to_json(aws)::text, ARRAY[aws]),
	('JSON in a string in a string', to_json(to_json(aws)::text)::text, ARRAY[aws]),
	('lines in a string', to_json(aws || E'\n' || aws)::text, ARRAY[aws, aws]),
	('Filebeat', json_build_object('@timestamp', '2026-03-01T10:00:00Z', 'message', aws, 'agent', '{"type": "filebeat"}'::json)::text, ARRAY[aws]),
	('Elastic, the original', json_build_object('@timestamp', '2026-03-01T10:00:00Z', 'event', json_build_object('kind', 'event', 'original', aws))::text, ARRAY[aws]),
	('Wazuh', json_build_object('integration', 'aws', 'aws', aws::json)::text, ARRAY[aws]),
	('an alert of Wazuh', json_build_object('rule', '{"id": "1"}'::json, 'data', json_build_object('integration', 'aws', 'aws', aws::json))::text, ARRAY[aws]),
	('CloudTrail Lake', json_build_object('eventJson', aws, 'eventTime', '2026-03-01 10:00:00.000', 'eventName', 'CreateUser', 'eventSource', 'iam.amazonaws.com')::text, ARRAY[aws]),
	('a query of CloudTrail Lake', json_build_object('QueryStatus', 'FINISHED', 'QueryResultRows', json_build_array(json_build_array(json_build_object('eventJson', aws))))::text, ARRAY[aws]),
	('CloudTrail Lake, events of others', json_build_object('eventVersion', '1.0', 'metadata', '{}'::json, 'eventData', aws::json)::text, ARRAY[aws]),
	('Pub/Sub, pushed', json_build_object('message', json_build_object('data', base64(gcp), 'messageId', '1'), 'subscription', 'projects/p1/subscriptions/s')::text, ARRAY[gcp]),
	('Pub/Sub, pulled', json_build_array(json_build_object('ackId', 'a', 'message', json_build_object('data', base64(gcp))))::text, ARRAY[gcp]),
	('Pub/Sub, pulled by REST', json_build_object('receivedMessages', json_build_array(json_build_object('ackId', 'a', 'message', json_build_object('data', base64(gcp), 'publishTime', 'x'))))::text, ARRAY[gcp]),
	('Pub/Sub, the message', json_build_object('data', base64(gcp), 'messageId', '1', 'attributes', '{}'::json)::text, ARRAY[gcp]),
	('Pub/Sub, a CloudEvent', json_build_object('specversion', '1.0', 'type', 'google.cloud.pubsub.topic.v1.messagePublished', 'data', json_build_object('message', json_build_object('data', base64(gcp))))::text, ARRAY[gcp]),
	('gcloud logging read', json_build_array(gcp::json)::text, ARRAY[gcp]),
	('the Logging API', json_build_object('entries', json_build_array(gcp::json), 'nextPageToken', 'n')::text, ARRAY[gcp]),
	('BigQuery', replace(gcp, 'protoPayload', 'protopayload_auditlog'), ARRAY[gcp]),
	('BigQuery, objects as text', json_build_object('insertId', 'g1', 'protopayload_auditlog', '{"serviceName": "s", "requestJson": "{\"a\": 1}", "metadataJson": "cut"}'::json)::text,
		ARRAY['{"insertId": "g1", "protoPayload": {"serviceName": "s", "requestJson": "{\"a\": 1}", "metadataJson": "cut", "request": {"a": 1}}}']),
	('BigQuery, numbers as text', '{"insertId": "g1", "protopayload_auditlog": {"serviceName": "s", "status": {"code": "7", "message": "m"}}}',
		ARRAY['{"insertId": "g1", "protoPayload": {"serviceName": "s", "status": {"code": 7, "message": "m"}}}']),
	('Steampipe', replace(replace(replace(gcp, 'protoPayload', 'proto_payload'), 'logName', 'log_name'), 'insertId', 'insert_id'), ARRAY[gcp]),
	('jsonPayload', json_build_object('jsonPayload', gcp::json)::text, ARRAY[gcp]),
	('textPayload', json_build_object('textPayload', gcp)::text, ARRAY[gcp]),
	('Azure Resource Manager', json_build_object('value', json_build_array(activity::json), 'nextLink', 'https://management.azure.com/next')::text, ARRAY[activity]),
	('az monitor activity-log list', json_build_array(activity::json)::text, ARRAY[activity]),
	('Event Hubs, blobs', json_build_object('records', json_build_array(activity::json, audit::json))::text, ARRAY[activity, audit]),
	('Microsoft Graph', json_build_object('@odata.context', 'https://graph.microsoft.com/v1.0/$metadata#auditLogs/directoryAudits', 'value', json_build_array(audit::json))::text, ARRAY[audit]),
	('Microsoft Graph without context', json_build_object('value', json_build_array(audit::json))::text, ARRAY[audit]),
	('Microsoft Graph, the last page', '{"@odata.context": "x", "value": []}', ARRAY[]::text[]),
	('OCSF API Activity, raw_data', json_build_object('class_uid', 6003, 'class_name', 'API Activity', 'time', 1772359200000, 'api', '{"operation": "CreateUser"}'::json, 'raw_data', aws)::text, ARRAY[aws]),
	('OCSF API Activity, unmapped', json_build_object('class_uid', 6003, 'time', 1772359200000, 'api', '{"operation": "CreateUser"}'::json, 'unmapped', gcp::json)::text, ARRAY[gcp]),
	('OCSF API Activity, deeper in unmapped', json_build_object('class_uid', 6003, 'time', 1772359200000, 'unmapped', json_build_object('event', aws))::text, ARRAY[aws]),
	('Security Lake', '{"metadata": {"product": {"name": "CloudTrail", "vendor_name": "AWS", "version": "1.08"}, "event_code": "AwsApiCall", "uid": "e1"}, "time": 1772359200000, "cloud": {"account": {"uid": "111122223333"}, "region": "us-east-1"},
		"api": {"operation": "CreateUser", "service": {"name": "iam.amazonaws.com"}, "request": {"uid": "q", "data": "{\"userName\": \"x\"}"}, "response": {"error": null}}, "src_endpoint": {"ip": "192.0.2.1"}, "class_uid": 3001, "http_request": {"user_agent": "cli"},
		"actor": {"user": {"type": "AssumedRole", "uid": "arn:aws:sts::111122223333:assumed-role/r/s", "uid_alt": "AROA:s", "account": {"uid": "111122223333"}}, "session": {"issuer": "arn:aws:iam::111122223333:role/p/r"}}}',
		ARRAY['{"eventVersion": "1.08", "eventType": "AwsApiCall", "eventID": "e1", "eventTime": "2026-03-01T10:00:00.000Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "cli", "requestID": "q", "requestParameters": {"userName": "x"}, "recipientAccountId": "111122223333",
		"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/r/s", "principalId": "AROA:s", "accountId": "111122223333", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/p/r"}}}}']),
	('no records', '{"Records": []}', ARRAY[]::text[]),
	('null in Records', '{"Records": [null]}', ARRAY['null']),
	('a broken line between whole ones', aws || E'\n{"eventName": "Cut", "a": "b\n' || gcp, ARRAY[aws, to_json('{"eventName": "Cut", "a": "b'::text)::text, gcp]),
	('an object that ends too early between whole ones', aws || E'\n{"eventName": {"Cut": 1}\n' || gcp, ARRAY[aws, to_json(E'{"eventName": {"Cut": 1}\n'::text)::text, gcp]),
	('CloudWatch Logs, exported to S3', '2026-03-01T10:00:05.000Z ' || aws || E'\n2026-03-01T10:00:06.000Z ' || aws || E'\n', ARRAY[aws, aws]),
	('record separators', E'\x1e' || aws || E'\n\x1e' || gcp || E'\n', ARRAY[aws, gcp]),
	('aws logs tail', '2026-03-01T10:00:05.000000+00:00 111122223333_CloudTrail_us-east-1 ' || aws, ARRAY[aws]),
	('a query of CloudWatch Logs Insights', json_build_object('results', json_build_array(json_build_array(json_build_object('field', '@timestamp', 'value', '2026-03-01 10:00:00.000'), json_build_object('field', '@message', 'value', aws))), 'status', 'Complete')::text, ARRAY[aws]),
	('a query of CloudWatch Logs Insights without the message', '{"results": [[{"field": "eventName", "value": "CreateUser"}, {"field": "eventSource", "value": "iam.amazonaws.com"}]], "statistics": {}}', ARRAY['{"eventName": "CreateUser", "eventSource": "iam.amazonaws.com"}']),
	('a query of CloudTrail Lake, of columns', '{"QueryResultRows": [[{"eventName": "CreateUser"}, {"eventSource": "iam.amazonaws.com"}], [{"eventName": "DeleteUser"}, {"eventSource": "iam.amazonaws.com"}]]}',
		ARRAY['{"eventName": "CreateUser", "eventSource": "iam.amazonaws.com"}', '{"eventName": "DeleteUser", "eventSource": "iam.amazonaws.com"}']),
	('aws athena get-query-results', '{"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "eventname"}, {"VarCharValue": "eventsource"}, {"VarCharValue": "errorcode"}]}, {"Data": [{"VarCharValue": "CreateUser"}, {"VarCharValue": "iam.amazonaws.com"}, {}]}, {"Data": [{"VarCharValue": "DeleteUser"}, {"VarCharValue": "iam.amazonaws.com"}, {"VarCharValue": "AccessDenied"}]}]}}',
		ARRAY['{"eventname": "CreateUser", "eventsource": "iam.amazonaws.com"}', '{"eventname": "DeleteUser", "eventsource": "iam.amazonaws.com", "errorcode": "AccessDenied"}']),
	('the API of Log Analytics', '{"tables": [{"name": "PrimaryResult", "columns": [{"name": "ActivityDateTime", "type": "datetime"}, {"name": "Id", "type": "string"}], "rows": [["2026-03-01T10:00:00Z", "D1"], ["2026-03-01T11:00:00Z", "D2"]]}]}',
		ARRAY['{"ActivityDateTime": "2026-03-01T10:00:00Z", "Id": "D1"}', '{"ActivityDateTime": "2026-03-01T11:00:00Z", "Id": "D2"}']),
	('Log Analytics: a value with a name is no column', '{"tables": [{"name": "PrimaryResult", "rows": [[{"name": "x"}, "2026-03-01T10:00:00Z", "D1"], [null, "2026-03-01T11:00:00Z", "D2"]], "columns": [{"name": "Claims"}, {"name": "ActivityDateTime"}, {"name": "Id"}]}]}',
		ARRAY['{"Claims": {"name": "x"}, "ActivityDateTime": "2026-03-01T10:00:00Z", "Id": "D1"}', '{"Claims": null, "ActivityDateTime": "2026-03-01T11:00:00Z", "Id": "D2"}']),
	('Azure Data Explorer', '{"Tables": [{"TableName": "Table_0", "Columns": [{"ColumnName": "ActivityDateTime"}], "Rows": [["2026-03-01T10:00:00Z"]]}]}', ARRAY['{"ActivityDateTime": "2026-03-01T10:00:00Z"}']),
	('a search of Elasticsearch', json_build_object('took', 1, 'hits', json_build_object('hits', json_build_array(json_build_object('_index', 'i', '_source', json_build_object('event', json_build_object('original', aws))))))::text, ARRAY[aws]),
	('Elastic, names with dots', json_build_object('@timestamp', '2026-03-01T10:00:00Z', 'event.original', aws)::text, ARRAY[aws]),
	('Splunk, an export', json_build_object('preview', false, 'result', json_build_object('_raw', aws, '_time', 'x'))::text, ARRAY[aws]),
	('Splunk, results', json_build_object('results', json_build_array(json_build_object('_raw', aws)), 'fields', '[]'::json)::text, ARRAY[aws]),
	('Datadog, an archive', json_build_object('date', 'x', 'source', 'cloudtrail', 'message', 'CreateUser', 'attributes', aws::json)::text, ARRAY[aws]),
	('Loki', json_build_object('labels', '{}'::json, 'line', aws)::text, ARRAY[aws]),
	('OpenTelemetry', json_build_object('resourceLogs', json_build_array(json_build_object('scopeLogs', json_build_array(json_build_object('logRecords', json_build_array(json_build_object('body', json_build_object('stringValue', aws))))))))::text, ARRAY[aws]),
	('Event Hubs, a message that was kept', json_build_object('SequenceNumber', 1, 'Body', json_build_object('records', json_build_array(activity::json))::text)::text, ARRAY[activity]),
	('Airbyte', json_build_object('_airbyte_raw_id', 'x', '_airbyte_data', aws::json)::text, ARRAY[aws]),
	-- What is a record by itself, and what nobody knows, stays as it is.
	('an event of Google Workspace', '{"kind": "admin#reports#activity", "id": {"time": "t"}, "events": [{"name": "x"}]}', ARRAY['{"kind": "admin#reports#activity", "id": {"time": "t"}, "events": [{"name": "x"}]}']),
	('a record of another provider', '{"published": "t", "event": {"a": 1}, "message": "{\"a\": 1}", "value": [1]}', ARRAY['{"published": "t", "event": {"a": 1}, "message": "{\"a\": 1}", "value": [1]}']),
	('a line that begins with a time, and is no JSON', '2026-03-01T10:00:05.000Z hello', ARRAY['"2026-03-01T10:00:05.000Z hello"']),
	('a list of results of another provider', '{"results": [{"a": 1}], "total": 1}', ARRAY['{"results": [{"a": 1}], "total": 1}']),
	('tables of another provider', '{"tables": ["a"], "hits": 3}', ARRAY['{"tables": ["a"], "hits": 3}']),
	('tables with rows of another provider', '{"tables": {"rows": [1]}, "results": {}}', ARRAY['{"tables": {"rows": [1]}, "results": {}}']),
	('tables that say how many rows they have', '{"Tables": [{"Rows": 5, "Columns": 2}], "results": "x"}', ARRAY['{"Tables": [{"Rows": 5, "Columns": 2}], "results": "x"}']),
	('a record with a list in it', '{"eventName": "x", "eventSource": "y", "Records": [1], "entries": [2]}', ARRAY['{"eventName": "x", "eventSource": "y", "Records": [1], "entries": [2]}']),
	('a message that is no JSON', '{"Type": "Notification", "TopicArn": "t", "Message": "hello"}', ARRAY['{"Type": "Notification", "TopicArn": "t", "Message": "hello"}']),
	('a CloudTrail digest', '{"awsAccountId": "1", "digestStartTime": "2026-03-01T10:00:00Z", "logFiles": []}', ARRAY['{"awsAccountId": "1", "digestStartTime": "2026-03-01T10:00:00Z", "logFiles": []}']),
	('no JSON', '{''eventName'': 1}', ARRAY[to_json('{''eventName'': 1}'::text)::text]),
	('nothing', '', ARRAY['""']), ('null', 'null', ARRAY['null']), ('a number', '1', ARRAY['1'])
	) AS f (name, document, gives);
SELECT is((SELECT array_agg(r) FROM records(document) AS r), (SELECT array_agg(g::jsonb) FROM unnest(gives) AS g), name) FROM form ORDER BY n;
SELECT is((SELECT count(*) FROM form WHERE (SELECT array_agg(r) FROM records(to_document(document)) AS r) IS DISTINCT FROM (SELECT array_agg(r) FROM records(document) AS r)),
	0::bigint, 'A document that to_document() made of the text gives the same');

-- What was stored as it came says that it should be opened.
SELECT is((SELECT string_agg(name, ', ' ORDER BY n) FROM form WHERE unreadable(to_document(document)) !~ 'use iamwatch.records\(\)'
	AND cardinality(gives) > 0 AND (SELECT array_agg(r) FROM records(to_document(document)) AS r) <> ARRAY[to_document(document)]),
	'an alert of Wazuh, CloudTrail Lake, CloudTrail Lake, events of others, jsonPayload, textPayload',
	'unreadable() says to use records() for what records() opens, with few exceptions');

-- Base64 of gzip is not opened, and says so.
SELECT is((SELECT array_agg(r) FROM records('{"awslogs": {"data": "H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTlWqBQDRQQnYFwAAAA=="}}'::jsonb) AS r),
	ARRAY['"H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTlWqBQDRQQnYFwAAAA=="']::jsonb[], 'What gzip compressed is as it was');
SELECT is(unreadable('"H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTlWqBQDRQQnYFwAAAA=="'),
	'the document is compressed by gzip: decompress it first, or load its file with iamwatch_load', 'with a reason that says what to do');

-- Base64, with line ends, without padding, in the alphabet for URLs; and what only looks like it.
SELECT is(iamwatch_internal.unwrap_text(base64(aws)), aws::jsonb, 'Base64 with line ends') FROM record;
SELECT is(iamwatch_internal.unwrap_text(rtrim(replace(base64('{"a": 1234}'), E'\n', ''), '=')), '{"a": 1234}', 'without padding');
SELECT is(iamwatch_internal.unwrap_text(translate(base64('{"a": "??>>~~"}'), E'+/\n', '-_')), '{"a": "??>>~~"}', 'in the alphabet for URLs');
SELECT is(iamwatch_internal.unwrap_text(t), NULL, 'no base64 of a document: ' || t)
FROM unnest(ARRAY['eyJhIjog', 'eyJhIjogMX0=e', 'e', 'eyJhIjog/////w==', 'WyJhbm5', 'eyJhAIog']) AS t;

-- Not deeper than sixteen; nothing is lost there.
CREATE FUNCTION nested(levels int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT (repeat('{"Records": [', levels) || '{"eventName": "x", "eventSource": "y"}' || repeat(']}', levels))::jsonb $$;
SELECT is((SELECT r FROM records(nested(8)) AS r), nested(0), 'Messages in messages are opened');
SELECT is((SELECT r FROM records(nested(100)) AS r), nested(83), 'but not without end');
SELECT is((SELECT count(*) FROM records(repeat('[', 20000) || repeat(']', 20000))), 1::bigint, 'Brackets without end are one document');

-- Cut or changed anywhere, a form fails nothing, and something comes of it.
CREATE FUNCTION damaged(line text, seed int) RETURNS text LANGUAGE sql AS $$
	SELECT CASE seed % 3 WHEN 0 THEN left(line, at) || substr(line, at + seed % 7)
		WHEN 1 THEN overlay(line PLACING (ARRAY['"', '\', '\u0000', '\ud800', '{', ']', ',', E'\x01', '1e9', '€'])[1 + seed % 10] FROM at FOR 1)
		ELSE left(line, at) END
	FROM (SELECT 1 + (hashint4(seed) & 2147483647) % length(line) AS at) AS x $$;
SELECT lives_ok('SELECT count(r) FROM form, generate_series(1, 60) AS seed, records(damaged(document, seed)) AS r WHERE length(document) > 20',
	'Damaged messages and files fail nothing');
SELECT is((SELECT count(*) FROM form, generate_series(1, 60) AS seed WHERE cardinality(gives) > 0 AND length(document) > 20
	AND NOT EXISTS (SELECT FROM records(damaged(document, seed)) )), 0::bigint, 'and none of them is lost without a trace');

-- The time grows with the length: garbage that begins a document at every character.
SELECT is((SELECT count(*) > 0 FROM records(repeat('{', 1000000))), true, 'A million opening brackets');
SELECT is((SELECT count(*) FROM records(repeat('{}', 5000000))), 1::bigint, 'Five million objects without a line end are too many to open');
SELECT is((SELECT count(*) FROM records(repeat('{"a": "b"}', 10000000))), 1::bigint, 'and so is a text of a hundred megabytes');
SELECT is((SELECT count(*) FROM records(to_document(repeat('{"a": "b"}', 10000000)))), 1::bigint, 'of which no part is taken for all');
SELECT is((SELECT count(*) FROM records(repeat('{"a":1}', 50000))), 50000::bigint, 'Fifty thousand objects without a line end');
SELECT cmp_ok((regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+) kB'))[1]::bigint, '<', 2000000::bigint,
	'The memory for what a text holds is bounded: under 2 GB, whatever it was');

-- Who loads is given no more than this.
CREATE ROLE iamwatch_test_loader;
SELECT grant_access('iamwatch_test_loader', 'load');
GRANT SELECT ON record TO iamwatch_test_loader;
SET ROLE iamwatch_test_loader;
SELECT is((SELECT array_agg(r) FROM record, iamwatch.records('[' || aws || ', {"Records": [{"Sns": {"Message": "x"}}]}]') AS r), (SELECT ARRAY[aws::jsonb, '{"Message": "x"}'] FROM record),
	'A role of grant_access(..., load) opens files and messages');
SELECT throws_ok('SELECT iamwatch.report()', '42501', NULL, 'and does nothing else');
SELECT throws_ok('SELECT FROM iamwatch.alerts', '42501', NULL, 'nor reads alerts');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
