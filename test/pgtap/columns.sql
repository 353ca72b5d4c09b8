\ir settings.psql
SELECT plan(35);

-- A column for each field, named as exports of CloudTrail tables name them.
CREATE TABLE trail (id bigint GENERATED ALWAYS AS IDENTITY, event_time timestamptz, event_source text, "eventName" text,
	eventid uuid DEFAULT gen_random_uuid(), recipient_account_id text, source_ip_address inet, user_agent text, error_code text,
	user_identity text, read_only boolean);
SELECT results_eq($$SELECT field, column_name::text COLLATE "default" FROM map_columns('trail') WHERE field IN ('eventTime', 'eventName', 'eventID', 'sourceIPAddress')$$,
	$$VALUES ('eventID', 'eventid'), ('eventName', 'eventName'), ('eventTime', 'event_time'), ('sourceIPAddress', 'source_ip_address')$$,
	'Columns: recognised by the name of the field, whatever the case and underscores');
SELECT watch('trail');
CREATE FUNCTION row_of(day date, who text, operation text, agent text DEFAULT 'cli') RETURNS void LANGUAGE sql AS $$
	INSERT INTO trail (event_time, event_source, "eventName", recipient_account_id, source_ip_address, user_agent, user_identity)
	VALUES (day + time '08:00', 'iam.amazonaws.com', operation, '111122223333', '192.0.2.9', agent,
		format('{"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/%s"}', who))
$$;
SELECT row_of(d::date, 'ann', 'ListUsers') FROM generate_series('2026-03-01'::date, '2026-03-20', '1 day') AS d;
SELECT row_of('2026-03-21', 'ann', 'CreateUser', '{"not": "parsed"}');
SELECT is((SELECT count(*) FROM days((SELECT days FROM identities))), 21::bigint, 'Columns: every row is learned');
SELECT is((SELECT operation || ' ' || (evidence->'source_addresses'->>0) || ' ' || (evidence->'user_agents'->>0) FROM alerts),
	'CreateUser 192.0.2.9 {"not": "parsed"}', 'Columns: the trigger raises the alert, with evidence; text of a field that is no object stays text');
SELECT is((SELECT event->>'userAgent' FROM raw_events((SELECT max(alert_id) FROM alerts))), '{"not": "parsed"}', 'Columns: its events are found again');
INSERT INTO trail (event_source, user_identity) VALUES ('iam.amazonaws.com', '{half');
SELECT is((SELECT event - 'eventID' FROM rejected_events), '{"eventSource": "iam.amazonaws.com", "userIdentity": "{half"}',
	'Columns: a row that is no event is stored, and its document kept');
SELECT alike((SELECT reason FROM rejected_events), '%missing%', 'Columns: with the reason');

-- Fields by path; times without a zone; any other type by its text.
CREATE TABLE flat (happened timestamp, service text, what varchar(40), account bigint, who text, why jsonb, num numeric, ok boolean, "odd""name" text);
SELECT map_columns('flat', '{"eventTime": "happened", "eventSource": "service", "eventName": "what", "recipientAccountId": "account",
	"userIdentity.type": "why", "userIdentity.arn": "who", "requestParameters.num": "num", "readOnly": "ok", "requestParameters.\"x": "odd\"name"}');
INSERT INTO flat VALUES ('2026-03-22 08:00', 'iam.amazonaws.com', 'CreateUser', 7, 'a''b"c\', '"IAMUser"', 1.50, true, E'tab\there');
SELECT is((SELECT to_document(f.*, fields_of('flat')) FROM flat AS f),
	'{"eventTime": "2026-03-22T08:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "recipientAccountId": 7,
	"userIdentity": {"type": "IAMUser", "arn": "a''b\"c\\"}, "requestParameters": {"num": "1.50", "\"x": "tab\there"}, "readOnly": true}'::jsonb,
	'Columns: paths make objects, each value by its type, whatever characters are in it');
SELECT is((parse((SELECT to_document(f.*, fields_of('flat')) FROM flat AS f))).account, NULL, 'Columns: a number is no account');
ALTER TABLE flat ALTER account TYPE text;
SELECT is((parse((SELECT to_document(f.*, fields_of('flat')) FROM flat AS f))).identity, 'a''b"c\', 'Columns: as text it is');
SELECT lives_ok($$SELECT watch('flat'); ALTER TABLE flat RENAME COLUMN who TO actor; INSERT INTO flat SELECT * FROM flat$$,
	'Columns: a column that was renamed never fails an insert');
SELECT is((SELECT count(*) FROM rejected_events WHERE source = 'flat'::regclass) || ' ' || (SELECT count(*) FROM identities WHERE identity = 'a''b"c\'),
	'0 1', 'Columns: its rows are read as before');

-- Azure's table AuditLogs, as it is exported.
CREATE TABLE entra (id text, activity_date_time timestamptz, activitydisplayname text, aadtenantid text, initiatedby text,
	targetresources text, loggedbyservice text, result text, category text);
SELECT map_columns('entra'), watch('entra');
INSERT INTO entra VALUES ('d1', '2026-03-01T10:00Z', 'Add member to role', 'tenant', '{"user": {"id": "u1", "userPrincipalName": "ann@contoso.com"}}',
	'[{"id": "t", "displayName": "Bob"}]', 'Core Directory', 'success', 'AuditLogs');
SELECT is((SELECT provider || ' ' || identity FROM identities WHERE account = 'tenant'), 'azure ann@contoso.com', 'Columns: the table of Entra''s audit log is recognised');
SELECT is((SELECT (e).target || ' ' || (e).failed FROM (SELECT parse(to_document(f.*, fields_of('entra'))) AS e FROM entra AS f) AS x), 'Bob false',
	'Columns: its text of objects and arrays is read');

-- What others flatten: names with dots or underscores, Microsoft Sentinel's, BigQuery's.
CREATE TABLE flattened (eventtime timestamptz, eventname text, eventsource text, recipientaccountid text, useridentity_type text, useridentity_arn text,
	useridentity_principalid text, useridentity_sessioncontext_sessionissuer_arn text);
CREATE TABLE dotted ("eventTime" text, "eventName" text, "eventSource" text, "recipientAccountId" text, "userIdentity.type" text, "userIdentity.arn" text);
CREATE TABLE sentinel ("TimeGenerated" timestamptz, "EventName" text, "EventSource" text, "RecipientAccountId" text, "UserIdentityType" text, "UserIdentityArn" text,
	"UserIdentityPrincipalid" text, "SessionIssuerArn" text, "AwsEventId" text);
CREATE TABLE sentinel_gcp ("TimeGenerated" timestamptz, "MethodName" text, "ServiceName" text, "LogName" text, "InsertId" text, "PrincipalEmail" text, "ProjectId" text, "RequestMetadata" text);
CREATE TABLE activity ("TimeGenerated" timestamptz, "OperationNameValue" text, "Caller" text, "CallerIpAddress" inet, "SubscriptionId" text, "ActivityStatusValue" text,
	"EventDataId" text, "Claims" text, "CategoryValue" text, "_ResourceId" text);
CREATE TABLE entra_view ("TimeGenerated" timestamptz, "OperationName" text, "InitiatedBy" jsonb, "Result" text, "AADTenantId" text, "LoggedByService" text, "Category" text);
INSERT INTO flattened VALUES ('2026-03-01T10:00Z', 'CreateUser', 'iam.amazonaws.com', '1', 'AssumedRole', 'arn:aws:sts::1:assumed-role/dev/i-0123456789abcdef0', 'AROA:i-0123456789abcdef0', 'arn:aws:iam::1:role/p/dev');
INSERT INTO dotted VALUES ('2026-03-01T10:00:00Z', 'CreateUser', 'iam.amazonaws.com', '1', 'IAMUser', 'arn:aws:iam::1:user/ann');
INSERT INTO sentinel VALUES ('2026-03-01T10:00Z', 'CreateUser', 'iam.amazonaws.com', '1', 'AssumedRole', 'arn:aws:sts::1:assumed-role/dev/ann@b.c', 'AROA:ann@b.c', 'arn:aws:iam::1:role/dev', 'e1');
INSERT INTO sentinel_gcp VALUES ('2026-03-01T10:00Z', 'SetIamPolicy', 'iam.googleapis.com', 'projects/p/logs/x', 'g1', 'ann@b.c', 'p1', '{"callerIp": "192.0.2.1"}');
INSERT INTO activity VALUES ('2026-03-01T10:00Z', 'MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE', 'ann@b.c', '192.0.2.1', 'aaaa', 'Success', 'z1', '{}', 'Administrative', '/subscriptions/aaaa/x');
INSERT INTO entra_view VALUES ('2026-03-01T10:00Z', 'Add member to role', '{"user": {"userPrincipalName": "ann@b.c"}}', 'success', 'tttt', 'Core Directory', 'AuditLogs');
CREATE FUNCTION read_of(source regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e iamwatch.event; BEGIN
	PERFORM map_columns(source);
	EXECUTE format('SELECT (parse(to_document(t, fields_of(%L)))).* FROM %s AS t', source, source) INTO e;
	RETURN concat_ws(' ', e.account, e.identity, e.identity_kind, e.operation, e.event_id, e.source_ip);
END $$;
SELECT is(read_of(source), reads, 'Columns: recognised and read: ' || source) FROM (VALUES
	('flattened', '1 arn:aws:iam::1:role/p/dev instance CreateUser'), ('dotted', '1 arn:aws:iam::1:user/ann user CreateUser'),
	('sentinel', '1 arn:aws:sts::1:assumed-role/dev/ann@b.c federated_user CreateUser e1'), ('sentinel_gcp', 'p1 ann@b.c user SetIamPolicy g1 192.0.2.1'),
	('activity', 'aaaa ann@b.c user microsoft.authorization/roleassignments/write z1 192.0.2.1'), ('entra_view', 'tttt ann@b.c user Add member to role')) AS x (source, reads);
CREATE TABLE both_forms (event_time timestamptz, event_name text, event_source text, user_identity jsonb, user_identity_arn text);
SELECT is((SELECT string_agg(field, ' ' ORDER BY field COLLATE "C") FROM map_columns('both_forms')), 'eventName eventSource eventTime userIdentity',
	'Columns: an object is taken, and not its parts beside it');
CREATE TABLE nobody (event_time timestamptz, event_name text, event_source text, username text);
SELECT throws_ok($$SELECT map_columns('nobody')$$, '42703', 'no column of relation "public.nobody" is named as the field that says who acted',
	'Columns: a mapping of which every row would be rejected is refused');
SELECT lives_ok($$SELECT map_columns('nobody', '{"eventTime": "event_time", "eventName": "event_name", "eventSource": "event_source", "userIdentity.arn": "username"}')$$,
	'Columns: unless who acted is named');
SELECT is((SELECT count(*) FROM iamwatch_internal.column_fields WHERE source = 'both_forms'::regclass), 4::bigint, 'Columns: and each mapping is kept');

-- Data is never SQL.
SELECT throws_ok($$SELECT map_columns('flat', '{"eventTime": "now()); DROP TABLE flat; --"}')$$, '42703',
	'column "now()); DROP TABLE flat; --" of relation "public.flat" does not exist', 'Columns: only names of columns are taken');
SELECT throws_ok($$SELECT map_columns('flat', '{"userIdentity": "why", "userIdentity.arn": "actor"}')$$, '22023', NULL,
	'Columns: a field cannot be a column beside a part of it');
SELECT throws_ok($$SELECT map_columns('flat', '["eventTime"]')$$, '22023', NULL, 'Columns: the mapping is an object');
SELECT throws_ok($$SELECT map_columns('flat')$$, '42703', NULL, 'Columns: unless one is named as a field is, they must be named');

-- A partitioned table: partitions have other column orders.
CREATE TABLE parts (event_time timestamptz, event_source text, event_name text, recipient_account_id text, user_identity json) PARTITION BY RANGE (event_time);
CREATE TABLE parts_1 (user_identity json, recipient_account_id text, event_name text, event_source text, event_time timestamptz);
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT map_columns('parts'), watch('parts');
INSERT INTO parts_1 VALUES ('{"type": "IAMUser", "arn": "into a partition"}', '9', 'CreateUser', 'iam.amazonaws.com', '2026-03-01');
INSERT INTO parts VALUES ('2026-03-02', 'iam.amazonaws.com', 'CreateUser', '9', '{"type": "IAMUser", "arn": "by the parent"}');
SELECT is((SELECT string_agg(identity, ', ' ORDER BY identity) FROM identities WHERE account = '9'), 'by the parent, into a partition',
	'Columns: partitions may have them in another order');

CREATE ROLE iamwatch_test_inserter;
GRANT INSERT ON parts TO iamwatch_test_inserter;
SET ROLE iamwatch_test_inserter;
INSERT INTO public.parts VALUES ('2026-03-02', 'iam.amazonaws.com', 'CreateUser', '9', '{"type": "IAMUser", "arn": "a writer"}');
RESET ROLE;
SELECT is((SELECT count(*) FROM identities WHERE identity = 'a writer'), 1::bigint, 'Columns: a role that may only insert is enough');

-- A warehouse exports columns of a fixed length.
CREATE TABLE fixed (event_time char(40), event_source char(40), event_name char(40), recipient_account_id char(20), user_identity char(200));
SELECT map_columns('fixed'), watch('fixed');
INSERT INTO fixed VALUES ('2026-03-02T10:00:00Z', 'iam.amazonaws.com', 'CreateUser', '10', '{"type": "IAMUser", "arn": "of a fixed length"}');
SELECT results_eq($$SELECT account, identity, service, operation FROM baselines WHERE account LIKE '10%'$$,
	$$VALUES ('10', 'of a fixed length', 'iam', 'CreateUser')$$, 'Columns: of char(n), the blanks at the end are not read');
SELECT is(to_document(f, '{eventName,event_name}')->>'eventName', 'CreateUser', 'Columns: nor by to_document()') FROM fixed AS f;

-- The set-based path sees the same documents.
SELECT is((SELECT count(*) FROM backtest('trail')), 1::bigint, 'Columns: backtest finds the same alert');
CREATE TABLE copied AS SELECT * FROM trail;
SELECT map_columns('copied');
INSERT INTO sources (source, event_column, order_column) VALUES ('copied', 'event', 'id');
TRUNCATE rejected_events;
SELECT is(process_rows('copied', 5000), 22::bigint, 'Columns: process takes every row');
SELECT is((SELECT event_count FROM alerts), 1::bigint, 'Columns: and knows the events again');
SELECT is((SELECT count(*) FROM rejected_events WHERE source = 'copied'::regclass), 1::bigint, 'Columns: and rejects what is no event');
SELECT * FROM finish();
ROLLBACK;
