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
