-- Reading of documents.  What they give follows from the document and from
-- iamwatch.providers, which is as good as constant: so they may be indexed,
-- and an index is built anew when a mapping that it used is changed.

CREATE FUNCTION iamwatch.parse(event jsonb) RETURNS iamwatch.event
	AS 'MODULE_PATHNAME', 'iamwatch_parse' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.parse(jsonb) IS
'the normalised event of a document of AWS, GCP, Azure or a provider of iamwatch.providers, strings that are no names cut to 64 kB; null if the document is not a readable audit event, see iamwatch.unreadable()';

CREATE FUNCTION iamwatch.unreadable(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_unreadable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.unreadable(jsonb) IS 'why the document cannot be read; null if it can';

CREATE FUNCTION iamwatch.document_digest(event jsonb) RETURNS uuid
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	-- what is very large has no text that fits in memory
	SELECT CASE WHEN pg_column_size(event) > 16777216 THEN
		(lpad(to_hex(jsonb_hash_extended(event, 0)), 16, '0') || lpad(to_hex(jsonb_hash_extended(event, 1)), 16, '0'))::uuid
		ELSE md5(coalesce(event::text, ''))::uuid END
$$;
COMMENT ON FUNCTION iamwatch.document_digest(jsonb) IS 'MD5 of the text of a document; of one beyond 16 MB a hash of its values';

CREATE FUNCTION iamwatch.document_within(event jsonb, most bigint) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN pg_column_size(event) <= most OR event IS NULL THEN event
		WHEN pg_column_size(event) > 16777216 THEN to_jsonb('a document of type ' || jsonb_typeof(event))
		ELSE to_jsonb(left(event::text, LEAST(most, 1000)::integer)) END
$$;
COMMENT ON FUNCTION iamwatch.document_within(jsonb, bigint) IS
'the document, or as a string its first thousand characters if it is larger than so many bytes';

CREATE FUNCTION iamwatch.reject(sources oid[], reasons text[], events jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most_bytes bigint := iamwatch.limit_value('rejected_bytes');
	today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
	WITH rejected AS MATERIALIZED (
		SELECT DISTINCT ON (r.source, r.reason, r.digest) r.source::regclass, r.reason, r.event, r.digest
		FROM (SELECT *, iamwatch.document_digest(u.event) AS digest
			FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)) AS r
		WHERE NOT EXISTS (SELECT FROM iamwatch.rejected_events AS e
			WHERE e.digest = r.digest AND e.reason = r.reason AND e.source = r.source)
		ORDER BY r.source, r.reason, r.digest, r.n
	), room AS MATERIALIZED (
		SELECT s.source, iamwatch.limit_room('rejected_events', s.source::text, today) AS room
		FROM (SELECT DISTINCT r.source FROM rejected AS r) AS s
	), ranked AS MATERIALIZED (
		SELECT r.*, row_number() OVER (PARTITION BY r.source) <= m.room AS kept
		FROM rejected AS r JOIN room AS m ON m.source = r.source
	), inserted AS (
		INSERT INTO iamwatch.rejected_events (source, reason, event, digest, event_bytes)
		SELECT r.source, r.reason, iamwatch.document_within(r.event, most_bytes), r.digest, pg_column_size(r.event)
		FROM ranked AS r WHERE r.kept
	)
	SELECT count(iamwatch.count_limit('rejected_events', c.source::text, today, c.kept, c.n - c.kept)) INTO most_bytes
	FROM (SELECT r.source, count(*) AS n, count(*) FILTER (WHERE r.kept) AS kept
		FROM ranked AS r GROUP BY r.source) AS c;
END $$;
COMMENT ON FUNCTION iamwatch.reject(oid[], text[], jsonb[]) IS
'keep documents that were not understood, each once a table and reason, within the limits rejected_events and rejected_bytes';
