-- Tables that have a column for each field instead of one document.  Which
-- column is which field is kept as rows, and never becomes SQL.

CREATE TABLE iamwatch_internal.column_fields (
	source regclass NOT NULL,
	field text NOT NULL CHECK (field ~ '^[^.]+([.][^.]+)*$'),
	column_name name NOT NULL,
	column_attnum smallint,
	PRIMARY KEY (source, field)
);
COMMENT ON TABLE iamwatch_internal.column_fields IS
'relations with a column for each field: which column is which; kept by iamwatch.map_columns()';
COMMENT ON COLUMN iamwatch_internal.column_fields.field IS
'path in the record as the provider writes it, steps divided by dots, such as userIdentity.arn';
-- Of a relation that is gone a dump would have a number, which may be another's where it is restored.
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.column_fields', 'WHERE pg_catalog.pg_table_is_visible(source) IS NOT NULL');

COMMENT ON COLUMN iamwatch_internal.column_fields.column_attnum IS 'number of the column in the relation, by which it is found after it was renamed';

CREATE FUNCTION iamwatch_internal.column_number(source regclass, column_name name) RETURNS smallint
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.attnum FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION iamwatch_internal.column_number(regclass, name) IS 'the number of a column that has the name now';

CREATE FUNCTION iamwatch_internal.current_column(source regclass, column_name name, column_attnum smallint) RETURNS name
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce((SELECT a.attname FROM pg_attribute AS a
		WHERE a.attrelid = source AND a.attnum = column_attnum AND NOT a.attisdropped), column_name)
$$;
COMMENT ON FUNCTION iamwatch_internal.current_column(regclass, name, smallint) IS
'what the column of the number is called now; else the name that it had';

CREATE FUNCTION iamwatch_internal.number_field() RETURNS trigger
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' OR NEW.column_name <> OLD.column_name THEN
		NEW.column_attnum := iamwatch_internal.column_number(NEW.source, NEW.column_name);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.number_field() IS 'trigger BEFORE INSERT OR UPDATE on iamwatch_internal.column_fields: the number of the column';
CREATE TRIGGER number_field BEFORE INSERT OR UPDATE ON iamwatch_internal.column_fields
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.number_field();
ALTER TABLE iamwatch_internal.column_fields ENABLE ALWAYS TRIGGER number_field;

-- A partition has the columns of the table that it is part of.
CREATE FUNCTION iamwatch_internal.fields_of(source regclass) RETURNS text[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(u.part ORDER BY string_to_array(f.field, '.') COLLATE "C", u.n)
	FROM iamwatch_internal.column_fields AS f
	CROSS JOIN LATERAL iamwatch_internal.current_column(f.source, f.column_name, f.column_attnum) AS c
	CROSS JOIN LATERAL unnest(ARRAY[f.field, c::text]) WITH ORDINALITY AS u (part, n)
	WHERE (f.source = fields_of.source
		OR f.source IN (SELECT a.relid FROM pg_partition_ancestors(fields_of.source) AS a))
	AND iamwatch_internal.column_number(fields_of.source, c) IS NOT NULL	-- not one that was dropped
$$;
COMMENT ON FUNCTION iamwatch_internal.fields_of(regclass) IS
'the fields of a relation that has a column for each, as iamwatch.to_document() takes them; null unless iamwatch.map_columns() was called for it';

CREATE FUNCTION iamwatch_internal.fields_document(paths text[], VARIADIC columns "any") RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_fields_document' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION iamwatch_internal.fields_document(text[], VARIADIC "any") IS
'the document of columns, a path for each; as iamwatch.to_document() of a record, but a trigger that calls it follows columns that are renamed';

CREATE FUNCTION iamwatch_internal.document_expression(source regclass, event_column name, relation_alias name)
	RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN f.fields IS NOT NULL THEN (SELECT format('iamwatch_internal.fields_document(%L::text[], %s)',
				array_agg(u.part ORDER BY u.n) FILTER (WHERE u.n % 2 = 1),
				string_agg(format('%I.%I', relation_alias, u.part), ', ' ORDER BY u.n) FILTER (WHERE u.n % 2 = 0))
			FROM unnest(f.fields) WITH ORDINALITY AS u (part, n))
		WHEN a.atttypid = 'jsonb'::regtype THEN format('%I.%I', relation_alias, event_column)
		WHEN a.atttypid = 'json'::regtype THEN format('iamwatch.to_document(%I.%I)', relation_alias, event_column)
		ELSE format('iamwatch.to_document(%I.%I::text)', relation_alias, event_column)
		END
	FROM (SELECT iamwatch_internal.fields_of(source) AS fields) AS f
	LEFT JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = event_column
		AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION iamwatch_internal.document_expression(regclass, name, name) IS
'SQL for the document of a row of the relation, of which the query has the alias: names are quoted, fields are a constant';

-- Names without case, dots and underscores.
CREATE FUNCTION iamwatch_internal.plain_name(name text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT lower(translate(name, '_.', '') COLLATE "C")
$$;
COMMENT ON FUNCTION iamwatch_internal.plain_name(text) IS 'a name of a column or field without case, dots and underscores, by which they are compared';

CREATE FUNCTION iamwatch_internal.guess_fields(source regclass) RETURNS TABLE (field text, column_name name)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH columns AS (
		SELECT a.attname, a.attnum, iamwatch_internal.plain_name(a.attname) AS plain
		FROM pg_attribute AS a WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
	), kind (entra, activity, gcp) AS (
		SELECT bool_or(c.plain IN ('activitydatetime', 'initiatedby')),
			bool_or(c.plain IN ('operationnamevalue', 'activitystatusvalue')),
			bool_or(c.plain IN ('protopayload', 'protopayloadauditlog', 'methodname')
				OR starts_with(c.plain, 'protopayload'))
		FROM columns AS c
	), known (field, other) AS (
		SELECT f, '{}'::text[] FROM kind, unnest(CASE WHEN kind.entra THEN
				ARRAY['ActivityDateTime', 'ActivityDisplayName', 'AADTenantId', 'TenantId', 'InitiatedBy', 'TargetResources',
					'LoggedByService', 'Result', 'ResultReason', 'AdditionalDetails', 'Category', 'OperationName', 'Identity', 'Id',
					'CorrelationId', 'ResourceId', 'TimeGenerated']
			WHEN kind.activity THEN
				ARRAY['TimeGenerated', 'EventTimestamp', 'OperationNameValue', 'OperationName', 'CategoryValue', 'Category', 'Caller',
					'CallerIpAddress', 'Claims', 'Authorization', 'ActivityStatusValue', 'ActivitySubstatusValue', 'SubscriptionId',
					'ResourceId', 'ResourceProviderValue', 'CorrelationId', 'EventDataId', 'HTTPRequest', 'Properties']
			ELSE
				ARRAY['eventVersion', 'userIdentity', 'eventTime', 'eventSource', 'eventName', 'awsRegion',
					'sourceIPAddress', 'userAgent', 'errorCode', 'errorMessage', 'requestParameters', 'responseElements',
					'additionalEventData', 'requestID', 'eventID', 'eventType', 'recipientAccountId', 'readOnly',
					'timestamp', 'insertId', 'resource', 'logName', 'severity', 'operation',
					-- flattened
					'userIdentity.type', 'userIdentity.principalId', 'userIdentity.arn', 'userIdentity.accountId',
					'userIdentity.userName', 'userIdentity.accessKeyId', 'userIdentity.invokedBy', 'userIdentity.identityProvider',
					'resource.type', 'resource.labels', 'resource.labels.project_id'] END) AS f
		-- flattened otherwise: BigQuery, and what Microsoft Sentinel calls the fields
		UNION ALL
		SELECT v.field, v.other FROM kind, (VALUES ('protoPayload', '{protopayloadauditlog}'::text[]),
			('userIdentity.sessionContext.sessionIssuer.type', '{sessionissuertype}'),
			('userIdentity.sessionContext.sessionIssuer.arn', '{sessionissuerarn}'),
			('userIdentity.sessionContext.sessionIssuer.principalId', '{sessionissuerprincipalid}'),
			('userIdentity.sessionContext.sessionIssuer.accountId', '{sessionissueraccountid}'),
			('userIdentity.sessionContext.sessionIssuer.userName', '{sessionissuerusername}'),
			('eventID', '{awseventid}'), ('eventType', '{eventtypename}')) AS v (field, other)
		WHERE NOT kind.entra AND NOT kind.activity
		UNION ALL
		SELECT v.field, v.other FROM kind, (VALUES ('protoPayload.serviceName', '{protopayloadauditlogservicename,servicename}'::text[]),
			('protoPayload.methodName', '{protopayloadauditlogmethodname,methodname}'),
			('protoPayload.resourceName', '{protopayloadauditlogresourcename,gcpresourcename}'),
			('protoPayload.authenticationInfo', '{protopayloadauditlogauthenticationinfo,authenticationinfo}'),
			('protoPayload.authenticationInfo.principalEmail', '{protopayloadauditlogauthenticationinfoprincipalemail,principalemail}'),
			('protoPayload.authenticationInfo.principalSubject', '{protopayloadauditlogauthenticationinfoprincipalsubject,principalsubject}'),
			('protoPayload.requestMetadata', '{protopayloadauditlogrequestmetadata,requestmetadata}'),
			('protoPayload.requestMetadata.callerIp', '{protopayloadauditlogrequestmetadatacallerip,callerip}'),
			('protoPayload.status', '{protopayloadauditlogstatus}'),
			('resource.labels.project_id', '{projectid}'), ('timestamp', '{timegenerated}')) AS v (field, other)
		WHERE kind.gcp AND NOT kind.entra AND NOT kind.activity
		UNION ALL
		SELECT 'eventTime', '{timegenerated}' FROM kind WHERE NOT kind.gcp AND NOT kind.entra AND NOT kind.activity
	), found AS (
		SELECT DISTINCT ON (k.field) k.field, c.attname
		FROM (SELECT k.field, ARRAY[iamwatch_internal.plain_name(k.field)] || k.other AS names FROM known AS k) AS k
		CROSS JOIN LATERAL unnest(k.names) WITH ORDINALITY AS n (plain, place)
		JOIN columns AS c ON c.plain = n.plain
		ORDER BY k.field, n.place, c.attnum
	)
	SELECT f.field, f.attname FROM found AS f		-- not a part of what is a column itself
	WHERE NOT EXISTS (SELECT FROM found AS o WHERE starts_with(f.field, o.field || '.'))
$$;
COMMENT ON FUNCTION iamwatch_internal.guess_fields(regclass) IS
'columns that are named as fields of CloudTrail, Cloud Audit Log, Entra audit log or Azure Activity log records are, flattened ones too, whatever the case, dots and underscores';

CREATE FUNCTION iamwatch.map_columns(source regclass, fields jsonb DEFAULT NULL)
	RETURNS TABLE (field text, column_name name)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	odd record;
BEGIN
	IF source IS NULL THEN
		RAISE EXCEPTION 'table must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF jsonb_typeof(fields) <> 'object' OR EXISTS (SELECT FROM jsonb_each(
			CASE jsonb_typeof(fields) WHEN 'object' THEN fields ELSE '{}' END) AS e
		WHERE jsonb_typeof(e.value) <> 'string' OR e.key !~ '^[^.]+([.][^.]+)*$') THEN
		RAISE EXCEPTION 'fields must be an object of paths and names of columns'
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Such as {"eventTime": "happened_at", "userIdentity.arn": "who"}.';
	END IF;
	-- to end a mapping is fine, whatever has become of the relation
	IF fields IS DISTINCT FROM '{}' THEN
		PERFORM iamwatch_internal.check_relation(source);
	END IF;
	SELECT e.key, e.value INTO odd FROM jsonb_each_text(fields) AS e
	WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = source
		AND a.attname = e.value AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', odd.value, source
			USING ERRCODE = 'undefined_column';
	END IF;

	IF fields IS NOT NULL AND (SELECT count(*) FROM jsonb_object_keys(fields)) > 90 THEN
		RAISE EXCEPTION 'more than 90 columns cannot be mapped'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Map those that say who did what, where and when.';
	END IF;

	DELETE FROM iamwatch_internal.column_fields AS f WHERE f.source = map_columns.source;
	INSERT INTO iamwatch_internal.column_fields (source, field, column_name)
	SELECT map_columns.source, e.key, e.value FROM jsonb_each_text(map_columns.fields) AS e
	UNION ALL
	SELECT map_columns.source, g.field, g.column_name FROM iamwatch_internal.guess_fields(map_columns.source) AS g
	WHERE map_columns.fields IS NULL;
	SELECT outer_.field, inner_.field AS other INTO odd
	FROM iamwatch_internal.column_fields AS outer_ JOIN iamwatch_internal.column_fields AS inner_
		ON inner_.source = outer_.source AND starts_with(inner_.field, outer_.field || '.')
	WHERE outer_.source = map_columns.source LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'field "%" cannot be a column beside field "%"', odd.field, odd.other
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'One is a part of the other.';
	END IF;
	IF fields IS NULL AND NOT EXISTS (SELECT FROM iamwatch_internal.column_fields AS f
		WHERE f.source = map_columns.source AND f.field IN ('eventTime', 'timestamp', 'ActivityDateTime', 'TimeGenerated', 'EventTimestamp')) THEN
		RAISE EXCEPTION 'no column of relation "%" is named as a field of audit records', source
			USING ERRCODE = 'undefined_column',
			HINT = 'Name them, such as {"eventTime": "happened_at", "userIdentity.arn": "who"}.';
	END IF;
	-- of which every row would be rejected
	IF fields IS NULL AND NOT EXISTS (SELECT FROM iamwatch_internal.column_fields AS f WHERE f.source = map_columns.source
			AND (f.field IN ('protoPayload', 'InitiatedBy', 'Caller', 'Claims') OR f.field LIKE 'userIdentity%'
				OR f.field LIKE 'protoPayload.authenticationInfo%')) THEN
		RAISE EXCEPTION 'no column of relation "%" is named as the field that says who acted', source
			USING ERRCODE = 'undefined_column', DETAIL = format('Recognised are %s.', (SELECT string_agg(f.field, ', ' ORDER BY f.field COLLATE "C")
				FROM iamwatch_internal.column_fields AS f WHERE f.source = map_columns.source)),
			HINT = 'Name it with the others, such as {"eventTime": "happened_at", "userIdentity.arn": "who"}.';
	END IF;
	RETURN QUERY SELECT f.field, f.column_name FROM iamwatch_internal.column_fields AS f
	WHERE f.source = map_columns.source ORDER BY f.field COLLATE "C";
END $$;
COMMENT ON FUNCTION iamwatch.map_columns(regclass, jsonb) IS
'for a relation that has a column for each field: which column is which, {"path": "column", ...}; without it, by the names of the columns. From then on iamwatch.watch(), process(), backfill() and backtest() make the document of these columns; an empty object ends that. A table that is watched: call iamwatch.watch() again. 22004, 22023, 42P01, 42703 or 42809 for what cannot be mapped';
