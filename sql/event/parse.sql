-- Reading of documents.  What they give follows from the document and from
-- iamwatch.providers, which is as good as constant: so they may be indexed,
-- and an index is built anew when a mapping that it used is changed.

CREATE FUNCTION iamwatch.parse(event jsonb) RETURNS iamwatch.event
	AS 'MODULE_PATHNAME', 'iamwatch_parse' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.parse(jsonb) IS
'the normalised event of a document of AWS, GCP, Azure or a provider of iamwatch.providers, strings that are no names cut to 64 kB; null if the document is not a readable audit event, see iamwatch.unreadable()';

CREATE FUNCTION iamwatch.unreadable(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_unreadable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.unreadable(jsonb) IS 'why the document cannot be read; null if it can, and for null';
