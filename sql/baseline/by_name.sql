-- People ask for an identity by its name, and indexes have the hash of it.
CREATE FUNCTION iamwatch_internal.is_indexed_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'iamwatch_is_indexed_support' LANGUAGE C IMMUTABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.is_indexed_support(internal) IS
'tells the planner that an index of hashes can be used where what is hashed is compared with one value, or one of several';

CREATE FUNCTION iamwatch_internal.is_indexed(hash bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_indexed' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 0.1 SUPPORT iamwatch_internal.is_indexed_support;
COMMENT ON FUNCTION iamwatch_internal.is_indexed(bigint) IS
'true: in the WHERE of a view, of an expression that an index has, lets the index be used for what is hashed in it';

CREATE FUNCTION iamwatch_internal.is_indexed(hash integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_indexed' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 0.1 SUPPORT iamwatch_internal.is_indexed_support;
COMMENT ON FUNCTION iamwatch_internal.is_indexed(integer) IS 'the same of the hashes of identity_days';

-- A table that people ask for rows by name has an index of the column itself, since it
-- has no WHERE to lead to another: src/baseline/name_keys.c.
CREATE FUNCTION iamwatch_internal.name_keys(name text, count internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'iamwatch_name_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.name_keys(text, internal) IS 'the key that an index has for a name of any length: its hash';

CREATE FUNCTION iamwatch_internal.name_query_keys(name text, count internal, strategy smallint, internal, internal, internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'iamwatch_name_query_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.name_query_keys(text, internal, smallint, internal, internal, internal, internal) IS
'the key by which it finds a name';

CREATE FUNCTION iamwatch_internal.name_may_match(found internal, strategy smallint, name text, count integer, internal, recheck internal, internal, internal)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_name_may_match' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.name_may_match(internal, smallint, text, integer, internal, internal, internal, internal) IS
'whether a row with that key may have the name, which is then compared';

CREATE OPERATOR CLASS iamwatch_internal.name_ops FOR TYPE text USING gin AS
	OPERATOR 1 pg_catalog.= (text, text),
	FUNCTION 1 pg_catalog.btint8cmp(bigint, bigint),
	FUNCTION 2 iamwatch_internal.name_keys(text, internal),
	FUNCTION 3 iamwatch_internal.name_query_keys(text, internal, smallint, internal, internal, internal, internal),
	FUNCTION 4 iamwatch_internal.name_may_match(internal, smallint, text, integer, internal, internal, internal, internal),
	STORAGE bigint;
