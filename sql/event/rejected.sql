-- Documents that were not understood, with the reason.

CREATE TABLE iamwatch.rejected_events (
	rejected_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	source regclass,
	reason text NOT NULL,
	event jsonb,
	digest uuid NOT NULL,
	event_bytes bigint
);
COMMENT ON TABLE iamwatch.rejected_events IS 'documents that could not be read, or lie in the future, with the reason';
COMMENT ON COLUMN iamwatch.rejected_events.event IS
'the document as it was stored; null if the column was null; a string with its beginning if it is larger than the limit rejected_bytes';
COMMENT ON COLUMN iamwatch.rejected_events.digest IS 'of the whole document: one delivered again is kept once';
COMMENT ON COLUMN iamwatch.rejected_events.event_bytes IS 'size of the whole document as jsonb';
CREATE INDEX rejected_events_digest ON iamwatch.rejected_events (digest);
SELECT pg_catalog.pg_extension_config_dump('iamwatch.rejected_events', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.rejected_events_rejected_id_seq', '');

CREATE FUNCTION iamwatch_internal.refusal(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_refusal' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.refusal(jsonb) IS
'why a document does not enter: it is null, cannot be read, has a name longer than 64 kB, or a time more than 24 hours ahead of the clock; null if it does. What triggers, process() and backfill() go by';

CREATE FUNCTION iamwatch_internal.document_digest(event jsonb) RETURNS uuid
	AS 'MODULE_PATHNAME', 'iamwatch_document_digest' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.document_digest(jsonb) IS 'MD5 of a document as it is stored: its text can be too long for memory';

CREATE FUNCTION iamwatch_internal.document_beginning(event jsonb, characters integer) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_document_beginning' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.document_beginning(jsonb, integer) IS
'the first characters of the text of a document, without making the rest of it';

CREATE FUNCTION iamwatch_internal.document_within(event jsonb, most bigint) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN pg_column_size(event) <= most OR event IS NULL THEN event
		ELSE to_jsonb(iamwatch_internal.document_beginning(event, LEAST(most, 1000)::integer)) END
$$;
COMMENT ON FUNCTION iamwatch_internal.document_within(jsonb, bigint) IS
'the document, or as a string its first thousand characters if it is larger than so many bytes';

CREATE FUNCTION iamwatch_internal.reject(sources oid[], reasons text[], events jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most_bytes bigint := iamwatch_internal.limit_value('rejected_bytes');
	today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
	kept bigint[];
	counted bigint;
BEGIN
	WITH rejected AS MATERIALIZED (
		SELECT DISTINCT ON (r.source, r.reason, r.digest) r.source::regclass, r.n
		FROM (SELECT *, iamwatch_internal.document_digest(u.event) AS digest
			FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)) AS r
		-- a scalar one, so that it goes by the index: a join could be planned to read all of them, for each document of a backfill
		WHERE (SELECT true FROM iamwatch.rejected_events AS e
			WHERE e.digest = r.digest AND e.reason = r.reason AND e.source = r.source LIMIT 1) IS NULL
		ORDER BY r.source, r.reason, r.digest, r.n
	), room AS MATERIALIZED (
		SELECT s.source, iamwatch_internal.limit_room('rejected_events', s.source::text, today) AS room
		FROM (SELECT DISTINCT r.source FROM rejected AS r) AS s
	), ranked AS MATERIALIZED (
		SELECT r.*, row_number() OVER (PARTITION BY r.source) <= m.room AS kept
		FROM rejected AS r JOIN room AS m ON m.source = r.source
	)
	SELECT array_agg(r.n) FILTER (WHERE r.kept),
		(SELECT count(iamwatch_internal.count_limit('rejected_events', c.source::text, today, c.kept, c.n - c.kept))
		FROM (SELECT s.source, count(*) AS n, count(*) FILTER (WHERE s.kept) AS kept FROM ranked AS s GROUP BY s.source) AS c)
	INTO kept, counted FROM ranked AS r;
	-- apart, since the server refuses to write in the middle of a statement where somebody has given the table rules
	INSERT INTO iamwatch.rejected_events (source, reason, event, digest, event_bytes)
	SELECT u.source::regclass, u.reason, iamwatch_internal.document_within(u.event, most_bytes),
		iamwatch_internal.document_digest(u.event), pg_column_size(u.event)
	FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)
	JOIN unnest(kept) AS k (n) USING (n);
END $$;
COMMENT ON FUNCTION iamwatch_internal.reject(oid[], text[], jsonb[]) IS
'keep documents that were not understood, each once a table and reason, within the limits rejected_events and rejected_bytes';
