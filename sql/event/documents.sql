-- Documents from what is not jsonb yet, and one by one from files of many.

CREATE FUNCTION iamwatch.to_document(event text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION iamwatch.to_document(text) IS
E'the document that a text holds; never fails. What is no valid JSON becomes a JSON string, of which iamwatch.unreadable() gives the reason; \\u0000, half surrogate pairs and escapes for what the encoding of the database lacks, which jsonb cannot hold, become the replacement character, or ? where the encoding has none; of text longer than 64 MB, and of more than four million values, the first MB is kept as a string';

CREATE FUNCTION iamwatch.to_document(event json) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION iamwatch.to_document(json) IS
'the document that a json value holds; never fails, see iamwatch.to_document(text)';

-- Stable, as the text form of some types depends on settings.
CREATE FUNCTION iamwatch.to_document(source record, fields text[]) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_row_to_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION iamwatch.to_document(record, text[]) IS
'the document of a row that has a column for each field. Fields: pairs of a path, its steps divided by dots, and the name of a column, in order of path; null and missing columns are left out. Timestamps without time zone count as UTC; text is taken for JSON in fields that are objects, such as userIdentity. Other text is cut to 1 MB; a column that would make the document larger than 64 MB is left out';

CREATE FUNCTION iamwatch_internal.unwrap_text(source text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_unwrap_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION iamwatch_internal.unwrap_text(text) IS
'the object or array that a text holds: as JSON, behind a byte order mark, inside of a JSON string or in base64; of objects after each other an array, in which strings are what is no JSON between them. Base64 of what gzip compressed is a string, as it was. Null if there is none of these';

-- The forms of audit records, from wherever they came: what is one is never opened.
-- In PL/pgSQL, as a function in SQL that cannot be inlined costs several times as much.
CREATE FUNCTION iamwatch_internal.is_record(document jsonb) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN jsonb_typeof(document) = 'object' AND (
		document ?| '{protoPayload,protopayload,activityDateTime,ActivityDateTime,eventTimestamp}'
		-- Kinesis and SQS give their messages a source and a name as well
		OR document ?& '{eventName,eventSource}' AND NOT starts_with(coalesce(document->>'eventSource', ''), 'aws:')
		OR document ?& '{eventname,eventsource}'
		-- a row that Sentinel made of CloudTrail has both as well
		OR document ?| '{operationName,OperationName}' AND document ?| '{time,timestamp,TimeGenerated}'
			AND NOT document ? 'UserIdentityType');
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_record(jsonb) IS
'whether a document has the fields that every audit record of AWS, GCP or Azure has';

-- One rule a line: what it is, and where what it holds is.
CREATE FUNCTION iamwatch_internal.wrapped(document jsonb) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN CASE
		-- CloudTrail Lake: a row of a query
		WHEN document ? 'eventJson' THEN document->'eventJson'
		WHEN iamwatch_internal.is_record(document) THEN NULL
		-- files of CloudTrail, Lambda's events, Kinesis GetRecords
		WHEN jsonb_typeof(document->'Records') = 'array' THEN document->'Records'
		-- Event Hubs, blobs, Firehose
		WHEN jsonb_typeof(document->'records') = 'array' THEN document->'records'
		-- the Logging API
		WHEN jsonb_typeof(document->'entries') = 'array' THEN document->'entries'
		-- Microsoft Graph and Azure Resource Manager
		WHEN jsonb_typeof(document->'value') = 'array' AND (document ? '@odata.context' OR document
			- '{value,nextLink,count,@odata.nextLink,@odata.count,@odata.deltaLink}'::text[] = '{}') THEN document->'value'
		-- CloudTrail LookupEvents
		WHEN jsonb_typeof(document->'Events') = 'array' THEN document->'Events'
		WHEN document ? 'CloudTrailEvent' THEN document->'CloudTrailEvent'
		-- CloudWatch Logs: a test of the connection, subscriptions, and what filter-log-events and get-log-events print
		WHEN document->>'messageType' = 'CONTROL_MESSAGE' THEN '[]'
		WHEN jsonb_typeof(document->'logEvents') = 'array' THEN document->'logEvents'
		WHEN jsonb_typeof(document->'events') = 'array' AND (document ?| '{searchedLogStreams,nextForwardToken}'
			OR document #> '{events,0}' ? 'message') THEN document->'events'
		WHEN jsonb_typeof(document->'message') = 'string' AND document
			- '{id,eventId,message,timestamp,ingestionTime,logStreamName,extractedFields}'::text[] = '{}' THEN document->'message'
		WHEN jsonb_typeof(document->'awslogs') = 'object' THEN document #> '{awslogs,data}'
		-- SNS, to Lambda and over SQS or HTTP
		WHEN jsonb_typeof(document->'Sns') = 'object' THEN document->'Sns'
		WHEN jsonb_typeof(document->'Message') = 'string' AND (document ? 'TopicArn' OR document->>'Type' = 'Notification')
			THEN document->'Message'
		-- SQS, as the command prints it and to Lambda
		WHEN jsonb_typeof(document->'Messages') = 'array' THEN document->'Messages'
		WHEN document ?& '{MessageId,Body}' THEN document->'Body'
		WHEN document ?& '{messageId,body}' THEN document->'body'
		-- Kinesis and Firehose
		WHEN jsonb_typeof(document->'kinesis') = 'object' THEN document #> '{kinesis,data}'
		WHEN document ?& '{PartitionKey,Data}' THEN document->'Data'
		WHEN document ?& '{recordId,data}' OR document ? 'data' AND document - '{data}'::text[] = '{}' THEN document->'data'
		-- Pub/Sub, pushed and pulled
		WHEN jsonb_typeof(document->'receivedMessages') = 'array' THEN document->'receivedMessages'
		WHEN jsonb_typeof(document #> '{message,data}') = 'string' THEN document #> '{message,data}'
		WHEN jsonb_typeof(document->'data') = 'string' AND document ?| '{messageId,message_id,publishTime,publish_time}'
			THEN document->'data'
		-- EventBridge
		WHEN document ?& '{detail-type,detail}' THEN document->'detail'
		-- what other products took apart
		WHEN iamwatch_internal.product_record(document) IS NOT NULL THEN iamwatch_internal.product_record(document)
		-- a CloudEvent, of Pub/Sub or Eventarc
		WHEN document ?& '{specversion,data}' THEN document->'data'
		-- OpenTelemetry
		WHEN jsonb_typeof(document->'resourceLogs') = 'array' THEN document->'resourceLogs'
		WHEN jsonb_typeof(document->'scopeLogs') = 'array' THEN document->'scopeLogs'
		WHEN jsonb_typeof(document->'logRecords') = 'array' THEN document->'logRecords'
		WHEN jsonb_typeof(document #> '{body,stringValue}') = 'string' THEN document #> '{body,stringValue}'
		-- Elasticsearch: what a search found
		WHEN jsonb_typeof(document #> '{hits,hits}') = 'array' THEN document #> '{hits,hits}'
		-- answers to queries
		WHEN jsonb_typeof(document->'QueryResultRows') = 'array' OR jsonb_typeof(document #> '{ResultSet,Rows}') = 'array'
			OR jsonb_typeof(document->'results') = 'array' AND document ?| '{statistics,status,fields,preview,init_offset}'
			OR iamwatch_internal.tables_of(document) IS NOT NULL
			THEN iamwatch_internal.table_rows(document)
		END;
END $$;
COMMENT ON FUNCTION iamwatch_internal.wrapped(jsonb) IS
'what a message or list holds: an array, an object, or text as a JSON string; null if it is neither message nor list';

-- BigQuery and Steampipe have the fields of a log entry under other names.
CREATE FUNCTION iamwatch_internal.log_entry(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (SELECT jsonb_object_agg(CASE e.key WHEN 'log_name' THEN 'logName' WHEN 'insert_id' THEN 'insertId'
			WHEN 'receive_timestamp' THEN 'receiveTimestamp' ELSE e.key END, e.value)
			FROM jsonb_each(document - '{protopayload_auditlog,proto_payload}'::text[]) AS e)
		|| jsonb_build_object('protoPayload', p.payload || coalesce((
			-- objects that BigQuery has no columns for are text there
			SELECT jsonb_object_agg(left(e.key, -4), iamwatch_internal.unwrap_text(e.value #>> '{}'))
			FROM jsonb_each(p.payload) AS e
			WHERE e.key IN ('requestJson', 'responseJson', 'metadataJson') AND jsonb_typeof(e.value) = 'string'
			AND iamwatch_internal.unwrap_text(e.value #>> '{}') IS NOT NULL), '{}')
			-- and whole numbers are
			|| CASE WHEN jsonb_typeof(p.payload #> '{status,code}') = 'string' AND p.payload #>> '{status,code}' ~ '^[0-9]{1,9}$'
				THEN jsonb_build_object('status', jsonb_set(p.payload->'status', '{code}', to_jsonb((p.payload #>> '{status,code}')::integer)))
				ELSE '{}' END)
	FROM (SELECT coalesce(document->'protopayload_auditlog', document->'proto_payload')) AS f (field)
	CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(f.field) WHEN 'object' THEN f.field
		WHEN 'string' THEN iamwatch_internal.unwrap_text(f.field #>> '{}') END) AS p (payload)
	WHERE jsonb_typeof(p.payload) = 'object'
$$;
COMMENT ON FUNCTION iamwatch_internal.log_entry(jsonb) IS
'the entry of a Cloud Audit Log of which an export of BigQuery or Steampipe made a row; null if the document is none';

-- Security Lake keeps no original, but all that identities follow from.
CREATE FUNCTION iamwatch_internal.cloudtrail_record(document jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'eventVersion', document #> '{metadata,product,version}',
		'eventID', document #> '{metadata,uid}',
		'eventType', document #> '{metadata,event_code}',
		'eventTime', coalesce(document->'time_dt', CASE WHEN jsonb_typeof(document->'time') = 'number'
			AND abs((document->>'time')::numeric) < 1e14 THEN to_jsonb(to_char(timestamp 'epoch'
				+ interval '1 ms' * (document->>'time')::numeric::bigint, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) END),
		'eventSource', document #> '{api,service,name}',
		'eventName', document #> '{api,operation}',
		'awsRegion', document #> '{cloud,region}',
		'sourceIPAddress', coalesce(document #> '{src_endpoint,ip}', document #> '{src_endpoint,domain}'),
		'userAgent', document #> '{http_request,user_agent}',
		'errorCode', document #> '{api,response,error}',
		'errorMessage', document #> '{api,response,message}',
		'requestID', document #> '{api,request,uid}',
		'requestParameters', iamwatch_internal.unwrap_text(document #>> '{api,request,data}'),
		'responseElements', iamwatch_internal.unwrap_text(document #>> '{api,response,data}'),
		'recipientAccountId', coalesce(document #> '{cloud,account,uid}', document #> '{cloud,account_uid}',
			document #> '{unmapped,recipientAccountId}'))
		|| jsonb_build_object('userIdentity', jsonb_build_object(
			'type', document #> '{actor,user,type}',
			-- the second names are those of OCSF before 1.0
			'arn', CASE WHEN starts_with(document #>> '{actor,user,uid}', 'arn:') THEN document #> '{actor,user,uid}'
				ELSE document #> '{actor,user,uuid}' END,
			'principalId', coalesce(document #> '{actor,user,uid_alt}', document #> '{actor,user,uid}'),
			'userName', document #> '{actor,user,name}',
			'accountId', coalesce(document #> '{actor,user,account,uid}', document #> '{actor,user,account_uid}'),
			'accessKeyId', document #> '{actor,user,credential_uid}',
			'invokedBy', document #> '{actor,invoked_by}',
			'identityProvider', document #> '{actor,idp,name}',
			'sessionContext', CASE WHEN starts_with(document #>> '{actor,session,issuer}', 'arn:') THEN jsonb_build_object(
				'sessionIssuer', jsonb_build_object('arn', document #> '{actor,session,issuer}')) END)))
	WHERE document ? 'class_uid' AND document #> '{api,operation}' IS NOT NULL
	AND document #>> '{metadata,product,name}' = 'CloudTrail'
$$;
COMMENT ON FUNCTION iamwatch_internal.cloudtrail_record(jsonb) IS
'the CloudTrail record of which Security Lake made an event of OCSF; null if the document is none';

CREATE FUNCTION iamwatch_internal.open_document(document jsonb, depth integer) RETURNS SETOF jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	inner_ jsonb;
	element jsonb;
	single jsonb;
	opened jsonb[];
	field text;
BEGIN
	IF depth > 16 THEN
		RETURN NEXT document;
		RETURN;
	END IF;
	inner_ := CASE jsonb_typeof(document) WHEN 'object' THEN iamwatch_internal.wrapped(document) ELSE document END;
	IF jsonb_typeof(inner_) = 'string' THEN
		inner_ := iamwatch_internal.unwrap_text(inner_ #>> '{}');
		IF jsonb_typeof(inner_) = 'string' THEN		-- compressed
			RETURN NEXT inner_;
			RETURN;
		END IF;
	END IF;
	IF jsonb_typeof(inner_) = 'array' THEN
		FOR element IN SELECT e FROM jsonb_array_elements(inner_) AS e LOOP
			-- of most lists, each element is a record, or text of one
			single := CASE WHEN jsonb_typeof(element) = 'object' THEN iamwatch_internal.wrapped(element) END;
			IF jsonb_typeof(single) = 'string' THEN
				single := iamwatch_internal.unwrap_text(single #>> '{}');
			END IF;
			IF single IS NULL AND iamwatch_internal.is_record(element) THEN
				RETURN NEXT element;
			ELSIF single IS NOT NULL AND depth < 15 AND iamwatch_internal.is_record(single) AND NOT single ? 'eventJson' THEN
				RETURN NEXT single;
			ELSE
				RETURN QUERY SELECT r FROM iamwatch_internal.open_document(element, depth + 1) AS r;
			END IF;
		END LOOP;
		RETURN;
	ELSIF jsonb_typeof(inner_) = 'object' THEN
		RETURN QUERY SELECT r FROM iamwatch_internal.open_document(inner_, depth + 1) AS r;
		RETURN;
	END IF;
	IF jsonb_typeof(document) = 'object' AND NOT iamwatch_internal.is_record(document) THEN
		IF document ?| '{protopayload_auditlog,proto_payload}' THEN
			RETURN NEXT coalesce(iamwatch_internal.log_entry(document), document);
			RETURN;
		END IF;
		-- What shippers put beside the record is left, but only if it is one.
		FOREACH field IN ARRAY ARRAY['message', 'original', 'event', 'raw_data', 'unmapped', 'aws', 'data', 'jsonPayload',
			'textPayload', 'logEntry', 'eventData', 'detail', 'body', 'Body', 'payload', 'Payload', 'log', 'line', '_raw', '_raw_log', '_source',
			'event.original', '@message', 'attributes', 'result', '_airbyte_data'] LOOP
			inner_ := document->field;
			IF jsonb_typeof(inner_) = 'string' THEN
				inner_ := iamwatch_internal.unwrap_text(inner_ #>> '{}');
			END IF;
			CONTINUE WHEN inner_ IS NULL OR jsonb_typeof(inner_) NOT IN ('array', 'object');
			SELECT array_agg(r) INTO opened FROM iamwatch_internal.open_document(inner_, depth + 1) AS r;
			IF EXISTS (SELECT FROM unnest(opened) AS r WHERE iamwatch_internal.is_record(r)) THEN
				RETURN QUERY SELECT r FROM unnest(opened) AS r;
				RETURN;
			END IF;
		END LOOP;
		RETURN NEXT coalesce(iamwatch_internal.cloudtrail_record(document), document);
		RETURN;
	END IF;
	RETURN NEXT document;
END $$;
COMMENT ON FUNCTION iamwatch_internal.open_document(jsonb, integer) IS
'the records in a document, which was found so deep in another; of what is more than sixteen deep, the document';

CREATE FUNCTION iamwatch.records(document jsonb) RETURNS SETOF jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r FROM iamwatch_internal.open_document(document, 0) AS r
$$;
COMMENT ON FUNCTION iamwatch.records(jsonb) IS
'the audit records of a file or message, however deep: CloudTrail files, arrays, lists of the Logging API, Azure Resource Manager and Microsoft Graph, Event Hubs and blobs, LookupEvents, CloudWatch Logs, EventBridge, SNS, SQS, Kinesis, Firehose, Pub/Sub, Event Grid, OpenTelemetry, answers to queries (CloudTrail Lake, Athena, Insights of CloudWatch Logs, Log Analytics, Elasticsearch, Splunk), rows of BigQuery, Sentinel, Security Lake and other OCSF events that hold the original, and what Elastic and other shippers make of a record; JSON in strings and base64 are opened, gzip is not. A test of a connection holds none. Anything else is a record by itself, so that nothing gets lost. Never fails';

CREATE FUNCTION iamwatch.records(document text) RETURNS SETOF jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	inner_ constant jsonb := iamwatch_internal.unwrap_text(document);
BEGIN
	IF inner_ IS NULL THEN
		RETURN NEXT iamwatch.to_document(document);
	ELSE
		RETURN QUERY SELECT r FROM iamwatch_internal.open_document(inner_, 0) AS r;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.records(text) IS
'the audit records of a file or message as text, of up to 64 MB: as iamwatch.records(jsonb); also objects one a line or one after the other, and a byte order mark';
