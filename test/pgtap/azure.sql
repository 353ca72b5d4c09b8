-- Documents have the fields, names and spellings of those in Microsoft's
-- documentation: "Azure Activity Log event schema", "Microsoft Entra audit
-- logs schema", directoryAudit of Microsoft Graph, and the tables AuditLogs
-- and AzureActivity of Azure Monitor; ids and people are made up.
\ir settings.psql
SELECT plan(83);

-- As a diagnostic setting exports the audit log of Entra.
CREATE FUNCTION entra(at text, initiator jsonb, operation text = 'Add member to role', more jsonb = '{}', top jsonb = '{}')
	RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('time', at, 'resourceId', '/tenants/4BBB79F7-5724-4c9e-95f3-de075f6ec090/providers/Microsoft.aadiam',
		'operationName', operation, 'operationVersion', '1.0', 'category', 'AuditLogs', 'tenantId', '4BBB79F7-5724-4c9e-95f3-de075f6ec090',
		'resultSignature', 'None', 'durationMs', 0, 'callerIpAddress', '192.0.2.7', 'correlationId', '53161141-e3f4-4944-85b6-7b953f17265e',
		'identity', 'Ann Example', 'Level', 4, 'properties', jsonb_build_object(
			'id', 'Directory_53161141-e3f4-4944-85b6-7b953f17265e_6X649_134684731', 'category', 'RoleManagement', 'result', 'success',
			'resultReason', '', 'activityDisplayName', operation, 'activityDateTime', replace(at, 'Z', '+00:00'),
			'loggedByService', 'Core Directory', 'operationType', 'Assign', 'userAgent', null, 'initiatedBy', initiator,
			'targetResources', '[{"id": "a7d5dcbe-0627-4ddf-a2f4-86b6785bcc42", "displayName": "Bob", "type": "User",
				"userPrincipalName": "bob@contoso.com", "modifiedProperties": []}, {"id": "x", "displayName": "role"}]'::jsonb,
			'additionalDetails', '[{"key": "AppId", "value": "x"}, {"key": "User-Agent", "value": "Mozilla/5.0"}]'::jsonb) || more) || top
$$;
CREATE FUNCTION person(upn text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('user', jsonb_build_object('id', '30a6c29d-de7c-4830-815f-9b3bb366e975', 'displayName', null,
		'userPrincipalName', upn, 'ipAddress', '192.0.2.9', 'roles', '[]'::jsonb))
$$;
-- As a diagnostic setting exports the Activity log.
CREATE FUNCTION activity(at text, claims jsonb, operation text = 'MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE',
	result text = 'Success', more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('time', at, 'resourceId', '/SUBSCRIPTIONS/A921D5D4-BDB7-43C3-AA01-88C6AE24992F/RESOURCEGROUPS/RG/PROVIDERS/X/Y/Z',
		'operationName', operation, 'category', 'Administrative', 'resultType', result, 'resultSignature', result || '.', 'durationMs', 0,
		'callerIpAddress', '198.51.100.4', 'correlationId', 'c776f9f4-36e5-4e0e-809b-c9b3c3fb62a8', 'level', 'Information', 'location', 'global',
		'identity', jsonb_build_object('authorization', '{"scope": "/subscriptions/x", "action": "y"}'::jsonb, 'claims', claims)) || more
$$;
CREATE FUNCTION upn(name text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn', name,
		'http://schemas.microsoft.com/identity/claims/objectidentifier', 'F409EDEB-4d29-44b5-9763-ee9348ad91bb', 'appid', 'APP')
$$;

SELECT results_eq($$SELECT (parse(entra('2026-01-22T18:15:02.5168093Z', person('Ann@Contoso.com'))))::text$$,
	$$VALUES ('(azure,4bbb79f7-5724-4c9e-95f3-de075f6ec090,Directory_53161141-e3f4-4944-85b6-7b953f17265e_6X649_134684731,"2026-01-22 18:15:02.516809+00",ann@contoso.com,user,t,"Core Directory","Add member to role",f,,192.0.2.9,,Mozilla/5.0,,,bob@contoso.com,,)')$$,
	'Entra: every field of an exported record');
SELECT results_eq($$SELECT (parse(activity('2026-01-21T22:14:26.9792776Z', upn('Ann@contoso.com'))))::text$$,
	$$VALUES ('(azure,a921d5d4-bdb7-43c3-aa01-88c6ae24992f,"c776f9f4-36e5-4e0e-809b-c9b3c3fb62a8 Success 2026-01-21T22:14:26.9792776Z","2026-01-21 22:14:26.979277+00",ann@contoso.com,user,t,microsoft.authorization,microsoft.authorization/roleassignments/write,f,,198.51.100.4,,,global,,/SUBSCRIPTIONS/A921D5D4-BDB7-43C3-AA01-88C6AE24992F/RESOURCEGROUPS/RG/PROVIDERS/X/Y/Z,,)')$$,
	'Activity: every field of an exported event; an event id is put together where there is none');

-- The same event in the other forms.
CREATE TABLE forms (form text, document jsonb, expected text);
INSERT INTO forms VALUES
('Entra: an object of Microsoft Graph, with the tenant added', '{"id": "Directory_1", "category": "RoleManagement", "correlationId": "c", "result": "success",
	"resultReason": "", "activityDisplayName": "Add member to role", "activityDateTime": "2026-01-22T18:15:02Z", "loggedByService": "Core Directory",
	"operationType": "Assign", "initiatedBy": {"app": null, "user": {"id": "u", "userPrincipalName": "ann@contoso.com", "ipAddress": "192.0.2.9"}},
	"targetResources": [{"id": "t", "displayName": "Bob", "userPrincipalName": null}], "additionalDetails": [], "tenantId": "T1"}',
	'(azure,t1,Directory_1,"2026-01-22 18:15:02+00",ann@contoso.com,user,t,"Core Directory","Add member to role",f,,192.0.2.9,,,,,Bob,,)'),
('Entra: a row of Log Analytics, whose TenantId is the workspace', '{"TenantId": "workspace", "TimeGenerated": "2026-01-22T18:15:02Z", "ResourceId": "/tenants/T1/providers/Microsoft.aadiam",
	"OperationName": "Add member to role", "Category": "RoleManagement", "ResultReason": "", "AADTenantId": "T1", "Id": "Directory_1", "Identity": "Ann",
	"InitiatedBy": {"user": {"id": "u", "userPrincipalName": "ann@contoso.com", "ipAddress": "192.0.2.9"}}, "LoggedByService": "Core Directory",
	"ActivityDisplayName": "Add member to role", "Result": "success", "TargetResources": [{"id": "t", "displayName": "Bob"}], "AdditionalDetails": [{"key": "User-Agent", "value": "cli"}], "Type": "AuditLogs"}',
	'(azure,t1,Directory_1,"2026-01-22 18:15:02+00",ann@contoso.com,user,t,"Core Directory","Add member to role",f,,192.0.2.9,,cli,,,Bob,,)'),
('Activity: an event of the REST API', '{"authorization": {"action": "Microsoft.Network/networkSecurityGroups/write"}, "caller": "rob@contoso.com", "channels": "Operation",
	"claims": {"ipaddr": "192.0.2.1", "appid": "355249ed-15d9-460d-8481-84026b065942", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "rob@contoso.com"},
	"correlationId": "c", "eventDataId": "d0d36f97", "eventName": {"value": "EndRequest"}, "category": {"value": "Administrative", "localizedValue": "Verwaltung"},
	"eventTimestamp": "2026-01-29T20:42:31.3810679Z", "operationName": {"value": "Microsoft.Network/networkSecurityGroups/write", "localizedValue": "NSG schreiben"},
	"resourceId": "/subscriptions/S1/resourcegroups/rg/providers/Microsoft.Network/networkSecurityGroups/n", "status": {"value": "Failed", "localizedValue": "Fehler"},
	"subStatus": {"value": "Forbidden", "localizedValue": ""}, "submissionTimestamp": "2026-01-29T20:42:50Z", "subscriptionId": "S1", "properties": {"statusCode": "Forbidden"}}',
	'(azure,s1,d0d36f97,"2026-01-29 20:42:31.381067+00",rob@contoso.com,user,t,microsoft.network,microsoft.network/networksecuritygroups/write,t,Forbidden,192.0.2.1,,,,,/subscriptions/S1/resourcegroups/rg/providers/Microsoft.Network/networkSecurityGroups/n,,)'),
('Activity: a row of Log Analytics', '{"TenantId": "workspace", "TimeGenerated": "2026-01-29T20:42:31.3810679Z", "CallerIpAddress": "192.0.2.1", "CategoryValue": "Administrative", "CorrelationId": "c",
	"EventDataId": "d0d36f97", "OperationNameValue": "MICROSOFT.KEYVAULT/VAULTS/WRITE", "ResourceProviderValue": "MICROSOFT.KEYVAULT", "SubscriptionId": "S1",
	"Caller": "rob@contoso.com", "Claims": "{}", "Claims_d": {"appid": "a"}, "ActivityStatusValue": "Success", "ActivitySubstatusValue": "OK", "_ResourceId": "/subscriptions/s1/x", "Type": "AzureActivity"}',
	'(azure,s1,d0d36f97,"2026-01-29 20:42:31.381067+00",rob@contoso.com,user,t,microsoft.keyvault,microsoft.keyvault/vaults/write,f,,192.0.2.1,,,,,/subscriptions/s1/x,,)');
SELECT is(parse(document)::text, expected, form) FROM forms;
CREATE FUNCTION document_of_row() RETURNS jsonb LANGUAGE sql AS $$SELECT document FROM forms WHERE form = 'Activity: a row of Log Analytics'$$;

-- Names of fields: in lower case throughout, and in PascalCase, as PowerShell and .NET write them.
CREATE FUNCTION spelt(value jsonb, pascal boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE jsonb_typeof(value)
		WHEN 'array' THEN (SELECT coalesce(jsonb_agg(spelt(v, pascal)), '[]') FROM jsonb_array_elements(value) AS v)
		WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(CASE WHEN NOT pascal THEN lower(k) WHEN k ~ '[:_]|^(appid|ipaddr)$' THEN k
			ELSE upper(left(k, 1)) || substr(k, 2) END, spelt(v, pascal)), '{}') FROM jsonb_each(value) AS e (k, v))
		ELSE value END;
END $$;
SELECT is(parse(spelt(document, pascal))::text, parse(document)::text,
	form || CASE WHEN pascal THEN ', names in PascalCase' ELSE ', names in lower case' END)
FROM (SELECT form, document FROM forms WHERE form NOT LIKE '%Graph%'
	UNION ALL VALUES ('Entra: an exported record', entra('2026-01-22T18:15:02Z', person('Ann@Contoso.com'))),
	('Activity: an exported event', activity('2026-01-21T22:14:26.9Z', upn('Ann@contoso.com'))),
	('Activity: an operation in somebody''s language beside its value',
		document_of_row() || '{"OperationName": "Schluesseltresor schreiben", "Category": "Verwaltung"}')) AS f (form, document)
CROSS JOIN unnest('{t,f}'::boolean[]) AS pascal
WHERE pascal OR form NOT LIKE '%TenantId is the workspace%';

CREATE TABLE initiators (expected text, initiator jsonb);
INSERT INTO initiators VALUES
('user ann@contoso.com', person('Ann@Contoso.COM')),
('user 30a6c29d-de7c-4830-815f-9b3bb366e975', person(NULL)),
('federated_user ann_fabrikam.com#ext#@contoso.onmicrosoft.com', person('ann_fabrikam.com#EXT#@contoso.onmicrosoft.com')),
('service_account sync_srv1_0123456789ab@contoso.onmicrosoft.com', person('Sync_SRV1_0123456789ab@contoso.onmicrosoft.com')),
('user sync_me@contoso.com', person('sync_me@contoso.com')),
('service_account b9814691-9ca1-4e55-a1ac-8ef5dd010ec0', '{"app": {"appId": "a", "displayName": "Tool", "servicePrincipalId": "B9814691-9ca1-4e55-a1ac-8ef5dd010ec0"}}'),
('service_account a-1', '{"app": {"appId": "A-1", "displayName": "Tool", "servicePrincipalId": null}}'),
('service device registration service', '{"app": {"appId": null, "displayName": "Device Registration Service", "servicePrincipalId": null}, "user": {"id": null}}'),
('service ann example', '{}'),
('service ann example', '7');
SELECT is((SELECT identity_kind || ' ' || identity FROM parse(entra('2026-01-01T00:00:00Z', initiator))), expected, 'Entra identity: ' || initiator::text)
FROM initiators;
SELECT is((SELECT identity_kind || ' ' || identity FROM parse(entra('2026-01-01T00:00:00Z', '{}', top => '{"identity": null}'))),
	'service core directory', 'Entra identity: else the service that logged it');

CREATE TABLE callers (expected text, claims jsonb, more jsonb DEFAULT '{}');
INSERT INTO callers VALUES
('user ann@contoso.com', upn('Ann@Contoso.com'), '{}'),
('user ann@contoso.com', '{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": " ann@contoso.com"}', '{}'),
('user rob@contoso.com', upn('ann@contoso.com'), '{"caller": "rob@contoso.com"}'),
('federated_user live.com#ann@example.com', '{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": "live.com#ann@example.com"}', '{}'),
('federated_user ann@fabrikam.com', upn('ann@fabrikam.com') || '{"http://schemas.microsoft.com/identity/claims/identityprovider": "https://sts.windows.net/x/"}', '{}'),
('service_account f409edeb-4d29-44b5-9763-ee9348ad91bb', upn(NULL), '{}'),
('service_account app-1', '{"appid": "App-1"}', '{}'),
('service_account f409edeb-4d29-44b5-9763-ee9348ad91bb', '{}', '{"caller": "F409EDEB-4d29-44b5-9763-ee9348ad91bb"}'),
('service microsoft.advisor', '{}', '{"caller": "Microsoft.Advisor"}'),
('service microsoft.authorization', '{}', '{}'),
('', '{}', '{"identity": "text"}'),
('workload /subscriptions/s/resourcegroups/rg/providers/microsoft.managedidentity/userassignedidentities/deploy',
	upn(NULL) || '{"xms_mirid": "/subscriptions/S/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"}', '{}'),
('instance /subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1 /subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1',
	upn(NULL) || '{"xms_mirid": "/subscriptions/S/resourcegroups/rg/providers/Microsoft.Compute/virtualMachines/vm1"}', '{}');
SELECT is((SELECT concat_ws(' ', identity_kind, identity, instance_id) FROM parse(activity('2026-01-01T00:00:00Z', claims, more => more))), expected,
	'Activity identity: ' || claims::text || more::text) FROM callers;

-- Results.
SELECT is((SELECT failed || ' ' || error_code FROM parse(entra('2026-01-01T00:00:00Z', person('a@b'), more => '{"result": "failure", "resultReason": "quota"}'))),
	'true quota', 'Failed: Entra result other than success, the reason is its code');
SELECT is((SELECT failed || ' ' || error_code FROM parse(entra('2026-01-01T00:00:00Z', person('a@b'), more => '{"result": "timeout"}'))),
	'true timeout', 'Failed: without a reason the result');
CREATE TABLE results (result text, expected text);
INSERT INTO results VALUES
('Success', 'f microsoft.authorization/roleassignments/write'), ('Succeeded', 'f microsoft.authorization/roleassignments/write'),
('Failure', 't microsoft.authorization/roleassignments/write Failure.'), ('Failed', 't microsoft.authorization/roleassignments/write Failed.'),
('Canceled', 't microsoft.authorization/roleassignments/write Canceled.'),
('Start', 'f microsoft.authorization/roleassignments/write (started)'), ('Started', 'f microsoft.authorization/roleassignments/write (started)'),
('Accept', 'f microsoft.authorization/roleassignments/write (started)'), ('In Progress', 'f microsoft.authorization/roleassignments/write (started)');
SELECT is((SELECT concat_ws(' ', failed, operation, error_code) FROM parse(activity('2026-01-01T00:00:00Z', upn('a@b'), result => result))), expected,
	'Failed: Activity ' || result || CASE WHEN expected LIKE '%(started)' THEN ' is no success yet' ELSE '' END) FROM results;

-- Accounts.
SELECT is((parse(entra('2026-01-01T00:00:00Z', person('a@b'), top => '{"tenantId": null, "resourceId": "/TENANTS/T9/providers/x"}'))).account, 't9', 'Account: Entra tenant from the resource');
SELECT is((parse(entra('2026-01-01T00:00:00Z', person('a@b'), top => '{"tenantId": null, "resourceId": null, "TenantId": "workspace"}'))).account, 'unknown',
	'Account: Graph names no tenant, and a workspace is none');
SELECT is((parse(activity('2026-01-01T00:00:00Z', upn('a@b'), 'Microsoft.Authorization/elevateAccess/action',
	more => '{"resourceId": "/providers/Microsoft.Authorization", "tenantId": "T1"}'))).account, 't1', 'Account: above subscriptions the tenant');
SELECT is((parse(activity('2026-01-01T00:00:00Z', upn('a@b'), more => '{"resourceId": null, "subscriptionId": "S"}'))).account, 's', 'Account: subscriptionId');

-- What is not read.
CREATE TABLE unread (document jsonb, reason text);
INSERT INTO unread VALUES
('{}', 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers'), ('{"operationName": 7}', 'of no provider: neither AWS (eventSource), GCP (protoPayload), Azure, nor one in iamwatch.providers'), ('{"eventName": "x", "category": "y"}', 'eventSource is missing or no string'),
('{"category": "SignInLogs", "operationName": "Sign-in activity", "time": "2026-01-01T00:00:00Z"}', 'neither an event of the Azure Activity log nor of the Microsoft Entra audit log'),
('{"category": "kube-audit", "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read"}', 'neither an event of the Azure Activity log nor of the Microsoft Entra audit log'),
('{"category": "AuditLogs"}', 'activityDisplayName and operationName are missing or no strings'),
('{"category": "AuditLogs", "operationName": "  "}', 'activityDisplayName and operationName are missing or no strings'),
('{"category": "AuditLogs", "operationName": "x"}', 'activityDateTime and time are missing or no strings'),
('{"category": "AuditLogs", "operationName": "x", "time": "1/22/2026 6:15 PM"}', 'activityDateTime is not a time in RFC 3339: 1/22/2026 6:15 PM; it does not say which number is the day: write it as 2026-01-31T09:41:00Z'),
('{"operationName": "A/b"}', 'time and eventTimestamp are missing or no strings'), ('{"operationName": "A/b", "time": "now"}', 'time is not a time in RFC 3339: now'),
('{"operationName": "A/b", "time": "2026-01-01T00:00:00Z"}', 'no account: resourceId names no subscription, and subscriptionId and tenantId are missing or no strings');
SELECT is(unreadable(document), reason, 'unreadable: ' || document::text) FROM unread;
SELECT is((SELECT (parse(e || '{"operationName": "A/b", "category": "AuditLogs", "initiatedBy": {}, "activityDisplayName": "x"}')) IS NOT DISTINCT FROM parse(e)
	FROM aws('2026-01-01T00:00:00Z', 'a', 'CreateUser') AS e), true, 'a document with eventSource is of AWS, whatever else it has');

-- Every field, at any depth, missing or of every other type.
CREATE FUNCTION paths(value jsonb) RETURNS SETOF text[] LANGUAGE sql AS $$
	WITH RECURSIVE p (path, value) AS (
		SELECT '{}'::text[], value
		UNION ALL
		SELECT p.path || f.key, f.value FROM p CROSS JOIN LATERAL (
			SELECT e.key, e.value FROM jsonb_each(CASE jsonb_typeof(p.value) WHEN 'object' THEN p.value ELSE '{}' END) AS e
			UNION ALL SELECT (a.n - 1)::text, a.value
			FROM jsonb_array_elements(CASE jsonb_typeof(p.value) WHEN 'array' THEN p.value ELSE '[]' END) WITH ORDINALITY AS a (value, n)) AS f)
	SELECT path FROM p WHERE path <> '{}'
$$;
CREATE TABLE whole (document jsonb);
INSERT INTO whole SELECT document FROM forms UNION ALL VALUES (entra('2026-01-22T18:15:02Z', person('a@b'))), (activity('2026-01-22T18:15:02Z', upn('a@b')));
CREATE TABLE damaged AS SELECT document #- path AS event FROM whole CROSS JOIN LATERAL paths(document) AS path
UNION ALL SELECT jsonb_set(document, path, value) FROM whole CROSS JOIN LATERAL paths(document) AS path
	CROSS JOIN unnest(ARRAY['null', '""', '"x"', '"/"', '"@"', '7', 'true', '{}', '[]', '[[]]', '{"value": {}}']::jsonb[]) AS value;
SELECT cmp_ok((SELECT count(*) FROM damaged), '>', 1900::bigint, 'nearly two thousand damaged documents');
SELECT is((SELECT count(*) FROM damaged WHERE (parse(event) IS NULL) <> (unreadable(event) IS NOT NULL)), 0::bigint, 'are read, or there is a reason why not');
SELECT is((SELECT count(*) FROM (SELECT parse(event) AS e FROM damaged) AS d WHERE (e).provider IS NOT NULL
	AND ((e).account IS NULL OR (e).identity IS NULL OR (e).service IS NULL OR (e).operation IS NULL OR (e).event_time IS NULL)), 0::bigint,
	'what is read has an account, an identity, a service, an operation and a time');

-- The catalogue.
SELECT is((SELECT attack_technique || ' ' || sensitivity FROM find_operation('azure', 'Core Directory', U&'Update application \2013 Certificates and secrets management')),
	'T1098.001 4', 'catalogue: a name whose dash varies');
SELECT is((SELECT attack_technique || ' ' || sensitivity FROM find_operation('azure', 'Core Directory', U&'Update application \2013 Certificates and secrets management ')),
	'T1098.001 4', 'catalogue: the same with the blank that Entra writes behind it');
SELECT is((SELECT category FROM find_operation('azure', 'microsoft.cache', 'microsoft.cache/redis/regeneratekey/action')), 'credential', 'catalogue: any service');
SELECT is((SELECT count(*) FROM operations WHERE provider = 'azure' AND service <> '*' AND operation NOT LIKE service || '/%'), 0::bigint,
	'catalogue: operations of Resource Manager begin with their service');
INSERT INTO operations (provider, service, operation, category, effect) VALUES ('azure', 'Contoso.Vault', 'Contoso.Vault/keys/Write', 'credential', 'create'),
	('azure', 'Core Directory', 'Add Something', 'credential', 'create');
SELECT results_eq($$SELECT service, operation FROM operations WHERE origin = 'user' ORDER BY service COLLATE "C"$$,
	$$VALUES ('Core Directory', 'Add Something'), ('contoso.vault', 'contoso.vault/keys/write')$$, 'catalogue: own rows for the Activity log are kept as events have them');

-- Detection.
INSERT INTO log SELECT activity(d::date || 'T08:00:00.0000001Z', upn('ann@contoso.com'), 'MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE')
FROM generate_series(date '2026-01-01', '2026-01-31', '1 day') AS d;
SELECT put(activity('2026-02-01T09:00:00Z', upn('ann@contoso.com'), result => 'Start'));
SELECT is((SELECT count(*) FROM alerts), 0::bigint, 'a request that has only started raises nothing');
SELECT put(activity('2026-02-01T09:00:01Z', upn('ann@contoso.com'), result => 'Success'));
SELECT put(activity('2026-02-01T09:00:01Z', upn('ann@contoso.com'), result => 'Success'));
SELECT put(activity('2026-02-01T09:00:02Z', upn('ann@contoso.com'), 'Microsoft.Authorization/roleAssignments/write'));
SELECT is((SELECT array_agg(concat_ws(' ', severity, identity, operation, technique, sensitivity, event_count)) FROM alerts),
	ARRAY['informational ann@contoso.com microsoft.authorization/roleassignments/write T1098.003 4 2'],
	'unusual, once: whatever the case of the name, and an event delivered again changes nothing');

SELECT activity('2026-02-01T10:00:00Z', upn(NULL) || '{"xms_mirid": "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1"}') AS by_machine \gset
INSERT INTO instances VALUES ('azure', 's', '/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1', '{198.51.100.99}', true);
SELECT put(:'by_machine');
SELECT is((SELECT severity FROM alerts WHERE identity_kind = 'instance'), 'medium', 'Internet-facing: a virtual machine of the inventory');
SELECT put(activity('2026-02-01T10:00:00Z', upn(NULL), more => '{"callerIpAddress": "198.51.100.99"}'));
SELECT is((SELECT severity FROM alerts WHERE identity_kind = 'service_account'), 'medium', 'Internet-facing: no person, and from the address of such an instance');

SELECT put(entra(d::date || 'T08:00:00Z', person('ann@contoso.com'), 'Features_GetFeaturesAsync')) FROM generate_series(date '2026-01-01', '2026-01-31', '1 day') AS d;
SELECT put(entra('2026-02-01T08:00:00Z', person('ann@contoso.com'), 'Add service principal credentials'));
SELECT is((SELECT account || ' ' || technique FROM alerts WHERE service = 'Core Directory'), '4bbb79f7-5724-4c9e-95f3-de075f6ec090 T1098.001', 'unusual in Entra');
SELECT is((SELECT count(*) FROM rejected_events), 0::bigint, 'nothing of it was rejected');

SELECT * FROM finish();
ROLLBACK;
