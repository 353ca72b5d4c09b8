-- Documents from what is not jsonb yet, and one by one from files of many.

CREATE FUNCTION iamwatch.to_document(event text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION iamwatch.to_document(text) IS
'the document that a text holds; never fails. What is no valid JSON becomes a JSON string, of which iamwatch.unreadable() gives the reason; \u0000 and half surrogate pairs, which jsonb cannot hold, become the replacement character; of text longer than 64 MB the first MB is kept as a string';

CREATE FUNCTION iamwatch.to_document(event json) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION iamwatch.to_document(json) IS
'the document that a json value holds; never fails, see iamwatch.to_document(text)';

-- Stable, as the text form of some types depends on settings.
CREATE FUNCTION iamwatch.to_document(source record, fields text[]) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_row_to_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION iamwatch.to_document(record, text[]) IS
'the document of a row that has a column for each field. Fields: pairs of a path, its steps divided by dots, and the name of a column, in order of path; null and missing columns are left out. Timestamps without time zone count as UTC; text is taken for JSON in fields that are objects, such as userIdentity';

CREATE FUNCTION iamwatch.records(document jsonb) RETURNS SETOF jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	element jsonb;
BEGIN
	IF jsonb_typeof(document) = 'array' THEN
		FOR element IN SELECT e FROM jsonb_array_elements(document) AS e LOOP
			RETURN QUERY SELECT r FROM iamwatch.records(element) AS r;
		END LOOP;
	ELSIF jsonb_typeof(document->'Records') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'Records') AS r;
	ELSIF jsonb_typeof(document->'records') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'records') AS r;
	ELSIF document ? '@odata.context' AND jsonb_typeof(document->'value') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'value') AS r;
	ELSIF jsonb_typeof(document->'entries') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'entries') AS r;
	ELSIF jsonb_typeof(document->'Events') = 'array' THEN
		RETURN QUERY SELECT coalesce(iamwatch.to_document(e->>'CloudTrailEvent'), e)
		FROM jsonb_array_elements(document->'Events') AS e;
	ELSIF jsonb_typeof(document->'logEvents') = 'array' THEN
		RETURN QUERY SELECT coalesce(iamwatch.to_document(e->>'message'), e)
		FROM jsonb_array_elements(document->'logEvents') AS e;
	ELSIF document ? 'detail-type' AND jsonb_typeof(document->'detail') = 'object' THEN
		RETURN NEXT document->'detail';
	ELSE
		RETURN NEXT document;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.records(jsonb) IS
'the audit records of a file or message: CloudTrail files ({"Records": [...]}), arrays of any of these, what gcloud and the Logging API list ({"entries": [...]}), what Azure sends to Event Hubs ({"records": [...]}) and Microsoft Graph lists ("value" beside "@odata.context"), CloudTrail LookupEvents ({"Events": [...]}), CloudWatch Logs subscriptions ({"logEvents": [...]}), EventBridge events. Anything else is a record by itself, so that nothing gets lost';
