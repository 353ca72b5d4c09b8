-- Reading of documents.  What they give follows from the document and from
-- iamwatch.providers, which is as good as constant: so they may be indexed,
-- and an index is built anew when a mapping that it used is changed.

CREATE FUNCTION iamwatch.parse(event jsonb) RETURNS iamwatch.event
	AS 'MODULE_PATHNAME', 'iamwatch_parse' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.parse(jsonb) IS
'the normalised event of a document of AWS, GCP, Azure or a provider of iamwatch.providers; null if the document is not a readable audit event, see iamwatch.unreadable()';

CREATE FUNCTION iamwatch.unreadable(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_unreadable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.unreadable(jsonb) IS 'why the document cannot be read; null if it can';

CREATE FUNCTION iamwatch.reject(sources oid[], reasons text[], events jsonb[]) RETURNS void
	LANGUAGE sql VOLATILE AS $$
	INSERT INTO iamwatch.rejected_events (source, reason, event, digest)
	SELECT DISTINCT ON (r.source, r.reason, r.digest) r.source::regclass, r.reason, r.event, r.digest
	FROM (SELECT *, md5(coalesce(u.event::text, ''))::uuid AS digest
		FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)) AS r
	WHERE NOT EXISTS (SELECT FROM iamwatch.rejected_events AS e
		WHERE e.digest = r.digest AND e.reason = r.reason AND e.source = r.source)
	ORDER BY r.source, r.reason, r.digest, r.n
$$;
COMMENT ON FUNCTION iamwatch.reject(oid[], text[], jsonb[]) IS
'keep documents that were not understood, each once a table and reason';
