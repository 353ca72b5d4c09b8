-- Reading of sources.  These functions alone do it, all by the rule of
-- src/server/source.c: with the rights of the caller, or of whoever owns the
-- source, never so that an owner's traps run with somebody else's.

CREATE FUNCTION iamwatch_internal.read_days(source regclass, event_column name, since timestamptz, until timestamptz,
	OUT key bytea, OUT days iamwatch.dayset, OUT first timestamptz, OUT events bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_days' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_days(regclass, name, timestamptz, timestamptz) IS
'what a source adds to the baselines: per key of iamwatch_internal.baseline_key() the days, the first time and the number of events; the key is null for what cannot be read';

CREATE FUNCTION iamwatch_internal.read_firsts(source regclass, event_column name, since timestamptz, until timestamptz,
	keys bytea[], OUT key bytea, OUT at timestamptz) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_firsts' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_firsts(regclass, name, timestamptz, timestamptz, bytea[]) IS
'the first event of each key and day in a source; keys: null for all';

CREATE FUNCTION iamwatch_internal.read_events(source regclass, event_column name, since timestamptz, until timestamptz,
	keys bytea[], firsts bigint[], OUT key bytea, OUT at timestamptz, OUT event iamwatch.event, OUT access_key text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_events' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_events(regclass, name, timestamptz, timestamptz, bytea[], bigint[]) IS
'the events of a source that have one of the keys, or of which hash_record_extended() of key and time is among the firsts';

CREATE FUNCTION iamwatch_internal.event_details(event jsonb, OUT event_id text, OUT instance_id text, OUT source text,
	OUT access_key text)
	AS 'MODULE_PATHNAME', 'iamwatch_event_details' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION iamwatch_internal.event_details(jsonb) IS
'of an event that has a key of iamwatch_internal.baseline_key() what else its alert and its contexts depend on; source: its addresses, as written; access_key: as iamwatch_internal.access_key()';

CREATE FUNCTION iamwatch_internal.key_filter_passes(filter bytea, key bytea) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_key_filter_passes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.key_filter_passes(bytea, bytea) IS
'is a key of iamwatch_internal.baseline_key() among those of a filter? True for all that are, and for few others';

CREATE FUNCTION iamwatch_internal.read_details(source regclass, event_column name, filter bytea,
	OUT key bytea, OUT at timestamptz, OUT event_id text, OUT instance_id text, OUT source text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_details' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_details(regclass, name, bytea) IS
'iamwatch_internal.event_details() of the documents of a source whose keys iamwatch_internal.key_filter_passes()';

CREATE FUNCTION iamwatch_internal.read_unreadable(source regclass, event_column name, OUT document jsonb) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_read_unreadable' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_unreadable(regclass, name) IS
'the documents of a source that iamwatch_internal.refusal() has a reason for';

CREATE FUNCTION iamwatch_internal.read_after(source regclass, event_column name, order_column name, start text,
	watermark text, most integer, alike boolean DEFAULT false, OUT document jsonb, OUT at text, OUT fresh boolean) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_after' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_after(regclass, name, name, text, text, integer, boolean) IS
'the next documents of a source in the order of a column, behind the start if that is not null, with alike from those at it, the value of that column, and whether it is behind the watermark, null if it is at it; all that are alike in it come together. Not those for which it is null, infinite, no number, or a time that is yet to come';

CREATE FUNCTION iamwatch_internal.read_unordered(source regclass, event_column name, order_column name, watermark text,
	OUT unordered bigint, OUT alike bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_read_unordered' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_unordered(regclass, name, name, text) IS
'how many rows of a source have no place in the order of a column: null, infinite, no number, or a time more than a day ahead of the clock; and how many have the place of the watermark';

CREATE FUNCTION iamwatch_internal.read_by_id(source regclass, event_column name, provider text, ids text[],
	OUT document jsonb) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_read_by_id' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_by_id(regclass, name, text, text[]) IS
'the documents of a source that have one of the ids, by an index if there is one; 54001 if much would have to be read for that';

CREATE FUNCTION iamwatch_internal.read_instances(source regclass, event_column name, OUT document jsonb) RETURNS SETOF jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_read_instances' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_instances(regclass, name) IS
'the documents of a source that tell of instances and their addresses';

CREATE FUNCTION iamwatch_internal.read_some(source regclass, event_column name, most bigint, OUT key bytea) RETURNS SETOF bytea
	AS 'MODULE_PATHNAME', 'iamwatch_read_some' LANGUAGE C VOLATILE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.read_some(regclass, name, bigint) IS
'iamwatch_internal.baseline_key() of so many rows of a source, whichever are met first';
