-- Records that other products took apart and keep under names of their own.
-- Each is put together again from what identities, operations and targets
-- follow from; what is no such row gives null.

CREATE FUNCTION iamwatch_internal.object_of(field jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT o.inner_ FROM (SELECT CASE jsonb_typeof(field) WHEN 'object' THEN field
		WHEN 'string' THEN iamwatch_internal.unwrap_text(field #>> '{}') END) AS o (inner_)
	WHERE jsonb_typeof(o.inner_) = 'object'
$$;
COMMENT ON FUNCTION iamwatch_internal.object_of(jsonb) IS
'the object that a field is, or holds as text of JSON; null if neither';

-- Microsoft Sentinel has a column for each field of CloudTrail, in a table of its own.
CREATE FUNCTION iamwatch_internal.sentinel_cloudtrail(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'eventVersion', document->'EventVersion',
		'eventID', document->'AwsEventId',
		'eventType', document->'EventTypeName',
		'eventTime', document->'TimeGenerated',
		'eventSource', document->'EventSource',
		'eventName', document->'EventName',
		'awsRegion', document->'AWSRegion',
		'sourceIPAddress', document->'SourceIpAddress',
		'userAgent', document->'UserAgent',
		'errorCode', document->'ErrorCode',
		'errorMessage', document->'ErrorMessage',
		'requestParameters', iamwatch_internal.object_of(document->'RequestParameters'),
		'responseElements', iamwatch_internal.object_of(document->'ResponseElements'),
		'recipientAccountId', document->'RecipientAccountId')
		|| jsonb_build_object('userIdentity', jsonb_build_object(
			'type', document->'UserIdentityType',
			'arn', document->'UserIdentityArn',
			'principalId', document->'UserIdentityPrincipalid',
			'accountId', document->'UserIdentityAccountId',
			'userName', document->'UserIdentityUserName',
			'accessKeyId', document->'UserIdentityAccessKeyId',
			'invokedBy', document->'UserIdentityInvokedBy',
			'sessionContext', jsonb_build_object('sessionIssuer', jsonb_build_object(
				'type', document->'SessionIssuerType',
				'arn', document->'SessionIssuerArn',
				'principalId', document->'SessionIssuerPrincipalId',
				'accountId', document->'SessionIssuerAccountId')))))
	WHERE document ?& '{EventSource,EventName,UserIdentityType}'
$$;
COMMENT ON FUNCTION iamwatch_internal.sentinel_cloudtrail(jsonb) IS
'the CloudTrail record of which Microsoft Sentinel made a row of its table AWSCloudTrail; null if the document is none';

CREATE FUNCTION iamwatch_internal.sentinel_gcp(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'insertId', document->'InsertId',
		'logName', document->'LogName',
		'timestamp', coalesce(document->'Timestamp', document->'TimeGenerated'),
		'resource', jsonb_build_object('type', document->'GCPResourceType',
			'labels', jsonb_build_object('project_id', document->'ProjectId')),
		-- the table does not have whether it ends what began before: where nobody is named, it does
		'operation', CASE WHEN coalesce(document->>'PrincipalEmail', '') = ''
			AND coalesce(iamwatch_internal.object_of(document->'AuthenticationInfo'), '{}') = '{}' THEN '{"last": true}'::jsonb END))
		|| jsonb_build_object('protoPayload', jsonb_strip_nulls(jsonb_build_object(
			'serviceName', document->'ServiceName',
			'methodName', document->'MethodName',
			'resourceName', document->'GCPResourceName',
			'authenticationInfo', nullif(coalesce(iamwatch_internal.object_of(document->'AuthenticationInfo'), '{}')
				|| CASE WHEN coalesce(document->>'PrincipalEmail', '') = '' THEN '{}'
					ELSE jsonb_build_object('principalEmail', document->'PrincipalEmail') END, '{}'),
			'requestMetadata', iamwatch_internal.object_of(document->'RequestMetadata'),
			'request', iamwatch_internal.object_of(document->'Request'),
			'response', iamwatch_internal.object_of(document->'Response'),
			'metadata', iamwatch_internal.object_of(document->'Metadata'),
			'serviceData', iamwatch_internal.object_of(document->'ServiceData'),
			'status', iamwatch_internal.object_of(document->'Status'))))
	WHERE document ?& '{ServiceName,MethodName,LogName}'
$$;
COMMENT ON FUNCTION iamwatch_internal.sentinel_gcp(jsonb) IS
'the entry of a Cloud Audit Log of which Microsoft Sentinel made a row of its table GCPAuditLogs; null if the document is none';

-- Integrations of Elastic drop the record unless they are told to preserve it.
CREATE FUNCTION iamwatch_internal.elastic_cloudtrail(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'eventVersion', trail->'event_version',
		'eventID', document #> '{event,id}',
		'eventType', trail->'event_type',
		'eventTime', document->'@timestamp',
		'eventSource', document #> '{event,provider}',
		'eventName', document #> '{event,action}',
		'awsRegion', document #> '{cloud,region}',
		'sourceIPAddress', coalesce(document #> '{source,address}', document #> '{source,ip}'),
		'userAgent', document #> '{user_agent,original}',
		'errorCode', trail->'error_code',
		'errorMessage', trail->'error_message',
		'requestParameters', coalesce(iamwatch_internal.object_of(trail #> '{flattened,request_parameters}'),
			iamwatch_internal.object_of(trail->'request_parameters')),
		'responseElements', coalesce(iamwatch_internal.object_of(trail #> '{flattened,response_elements}'),
			iamwatch_internal.object_of(trail->'response_elements')),
		'recipientAccountId', coalesce(trail->'recipient_account_id', document #> '{cloud,account,id}'))
		|| jsonb_build_object('userIdentity', jsonb_build_object(
			'type', trail #> '{user_identity,type}',
			'arn', trail #> '{user_identity,arn}',
			'principalId', document #> '{user,id}',
			'accountId', document #> '{cloud,account,id}',
			'userName', document #> '{user,name}',
			'accessKeyId', trail #> '{user_identity,access_key_id}',
			'invokedBy', trail #> '{user_identity,invoked_by}',
			'sessionContext', jsonb_build_object('sessionIssuer', jsonb_build_object(
				'type', trail #> '{user_identity,session_context,session_issuer,type}',
				'arn', trail #> '{user_identity,session_context,session_issuer,arn}',
				'principalId', trail #> '{user_identity,session_context,session_issuer,principal_id}',
				'accountId', trail #> '{user_identity,session_context,session_issuer,account_id}')))))
	FROM (SELECT document #> '{aws,cloudtrail}') AS t (trail)
	WHERE jsonb_typeof(trail) = 'object' AND document #> '{event,provider}' IS NOT NULL
$$;
COMMENT ON FUNCTION iamwatch_internal.elastic_cloudtrail(jsonb) IS
'the CloudTrail record of which the AWS integration of Elastic made a document; null if the document is none';

CREATE FUNCTION iamwatch_internal.elastic_gcp(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'insertId', document #> '{event,id}',
		'logName', document #> '{log,logger}',
		'timestamp', document->'@timestamp',
		'resource', jsonb_build_object('labels', jsonb_build_object('project_id', document #> '{cloud,project,id}')),
		-- the end of what began before
		'operation', CASE WHEN document #> '{event,type}' ? 'end' THEN '{"last": true}'::jsonb END))
		|| jsonb_build_object('protoPayload', jsonb_strip_nulls(jsonb_build_object(
			'serviceName', coalesce(audit->'service_name', document #> '{service,name}'),
			'methodName', coalesce(audit->'method_name', document #> '{event,action}'),
			'resourceName', audit->'resource_name',
			'authenticationInfo', nullif(jsonb_strip_nulls(jsonb_build_object('principalEmail', coalesce(
					audit #> '{authentication_info,principal_email}', document #> '{client,user,email}'),
				'principalSubject', coalesce(audit #> '{authentication_info,principal_subject}', document #> '{client,user,id}'))), '{}'),
			'requestMetadata', jsonb_build_object('callerIp', document #> '{source,ip}',
				'callerSuppliedUserAgent', document #> '{user_agent,original}'),
			'request', coalesce(iamwatch_internal.object_of(audit #> '{flattened,request}'), audit->'request'),
			'response', coalesce(iamwatch_internal.object_of(audit #> '{flattened,response}'), audit->'response'),
			'metadata', coalesce(iamwatch_internal.object_of(audit #> '{flattened,metadata}'), audit->'metadata'),
			'serviceData', audit->'service_data',
			'status', audit->'status')))
	FROM (SELECT document #> '{gcp,audit}') AS t (audit)
	WHERE jsonb_typeof(audit) = 'object' AND document #> '{event,action}' IS NOT NULL
$$;
COMMENT ON FUNCTION iamwatch_internal.elastic_gcp(jsonb) IS
'the entry of a Cloud Audit Log of which the GCP integration of Elastic made a document; null if the document is none';

-- Event Grid delivers the Activity log of a subscription, its own way and as a CloudEvent.
CREATE FUNCTION iamwatch_internal.event_grid(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT document->'data' || jsonb_strip_nulls(jsonb_build_object(
		'eventTimestamp', coalesce(document->'eventTime', document->'time'),
		'eventDataId', document->'id',
		'resourceId', coalesce(document #> '{data,resourceUri}', document->'subject')))
	WHERE jsonb_typeof(document->'data') = 'object' AND document->'data' ?& '{operationName,authorization}'
	AND starts_with(coalesce(document->>'eventType', document->>'type'), 'Microsoft.Resources.')
$$;
COMMENT ON FUNCTION iamwatch_internal.event_grid(jsonb) IS
'the event of the Azure Activity log that Event Grid delivers; null if the document is none';

-- PowerShell shows the operation in the words of the portal, and its name under what was authorized.
CREATE FUNCTION iamwatch_internal.powershell_activity(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT document || jsonb_strip_nulls(jsonb_build_object(
		'eventTimestamp', document->'EventTimestamp',
		'OperationName', document #> '{Authorization,Action}',
		'Claims', coalesce(document #> '{Claims,Content}', document->'Claims')))
	WHERE document ?& '{EventTimestamp,EventDataId,Caller}'
	AND strpos(document #>> '{Authorization,Action}', '/') > 0 AND strpos(coalesce(document->>'OperationName', ''), '/') = 0
$$;
COMMENT ON FUNCTION iamwatch_internal.powershell_activity(jsonb) IS
'the event of the Azure Activity log as Get-AzActivityLog gives it, with the name of its operation; null if the document is none';

-- One rule a line, as the names tell them apart.
CREATE FUNCTION iamwatch_internal.product_record(document jsonb) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN CASE
		WHEN document ? 'UserIdentityType' THEN iamwatch_internal.sentinel_cloudtrail(document)
		WHEN document ? 'MethodName' THEN iamwatch_internal.sentinel_gcp(document)
		WHEN document ? 'EventDataId' THEN iamwatch_internal.powershell_activity(document)
		WHEN document ?& '{id,data}' THEN iamwatch_internal.event_grid(document)
		WHEN document ?& '{@timestamp,aws,event}' AND NOT document->'event' ? 'original' THEN iamwatch_internal.elastic_cloudtrail(document)
		WHEN document ?& '{@timestamp,gcp,event}' AND NOT document->'event' ? 'original' THEN iamwatch_internal.elastic_gcp(document)
		END;
END $$;
COMMENT ON FUNCTION iamwatch_internal.product_record(jsonb) IS
'the record that Sentinel, Elastic, Event Grid or PowerShell keep under names of their own; null if the document is none';

-- Answers to queries: names in one place, values in others.
CREATE FUNCTION iamwatch_internal.tables_of(document jsonb) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce(
		nullif(jsonb_path_query_array(document, '$.tables[*] ? (@.columns.type() == "array" && @.rows.type() == "array")'), '[]'),
		nullif(jsonb_path_query_array(document, '$.Tables[*] ? (@.Columns.type() == "array" && @.Rows.type() == "array")'), '[]'));
END $$;
COMMENT ON FUNCTION iamwatch_internal.tables_of(jsonb) IS
'the tables, of columns and rows, that Log Analytics and Azure Data Explorer answer a query with; null if there are none';

CREATE FUNCTION iamwatch_internal.table_rows(document jsonb) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tables constant jsonb := iamwatch_internal.tables_of(document);
BEGIN
	-- Log Analytics and Azure Data Explorer.  A value can be an object with a name, too: it is no column.
	IF tables IS NOT NULL THEN
		RETURN (SELECT coalesce(jsonb_agg((SELECT jsonb_object_agg(coalesce(c.col->>'name', c.col->>'ColumnName'), r.fields->(c.n - 1)::integer)
				FROM jsonb_array_elements(coalesce(t.one->'columns', t.one->'Columns')) WITH ORDINALITY AS c (col, n)
				WHERE coalesce(c.col->>'name', c.col->>'ColumnName') IS NOT NULL) ORDER BY t.n, r.n), '[]')
			FROM jsonb_array_elements(tables) WITH ORDINALITY AS t (one, n)
			CROSS JOIN LATERAL jsonb_array_elements(coalesce(t.one->'rows', t.one->'Rows')) WITH ORDINALITY AS r (fields, n)
			WHERE jsonb_typeof(r.fields) = 'array');
	END IF;
	-- Athena: the first row has the names
	IF jsonb_typeof(document #> '{ResultSet,Rows}') = 'array' THEN
		RETURN (SELECT coalesce(jsonb_agg((SELECT jsonb_object_agg(h.cell->>'VarCharValue', c.cell->'VarCharValue')
				FROM jsonb_path_query(document, '$.ResultSet.Rows[0].Data[*]') WITH ORDINALITY AS h (cell, n)
				JOIN jsonb_path_query(r.fields, '$.Data[*]') WITH ORDINALITY AS c (cell, n) USING (n)
				WHERE h.cell->>'VarCharValue' IS NOT NULL AND c.cell ? 'VarCharValue') ORDER BY r.n), '[]')
			FROM jsonb_path_query(document, '$.ResultSet.Rows[1 to last]') WITH ORDINALITY AS r (fields, n));
	END IF;
	-- CloudTrail Lake: a row is a list of objects of one field each; Insights of CloudWatch Logs: of a name and a value
	RETURN (SELECT coalesce(jsonb_agg(CASE jsonb_typeof(r.fields) WHEN 'array' THEN
			(SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_path_query(r.fields, '$[*] ? (@.type() == "object")') AS c (cell)
				CROSS JOIN LATERAL (SELECT e.key, e.value FROM jsonb_each(c.cell) AS e WHERE NOT c.cell ?& '{field,value}'
					UNION ALL SELECT c.cell->>'field', c.cell->'value' WHERE c.cell ?& '{field,value}' AND c.cell->>'field' IS NOT NULL) AS f)
			ELSE r.fields END ORDER BY r.n), '[]')
		FROM jsonb_array_elements(CASE WHEN jsonb_typeof(document->'QueryResultRows') = 'array' THEN document->'QueryResultRows'
			ELSE document->'results' END) WITH ORDINALITY AS r (fields, n));
END $$;
COMMENT ON FUNCTION iamwatch_internal.table_rows(jsonb) IS
'the rows of an answer to a query (Log Analytics, Data Explorer, Athena, CloudTrail Lake, Insights of CloudWatch Logs, Splunk), an object each';
