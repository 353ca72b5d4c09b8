-- The type dayset: a set of UTC days.

CREATE TYPE iamwatch.dayset;

CREATE FUNCTION iamwatch.dayset_in(cstring) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_out(iamwatch.dayset) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_recv(internal) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_send(iamwatch.dayset) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.dayset_in(cstring) IS
'{2026-03-01,2026-03-04..2026-03-09}: ISO dates in any order. 22P02 names the bad part and its position; 22008 for a date out of range';
COMMENT ON FUNCTION iamwatch.dayset_out(iamwatch.dayset) IS 'ISO dates, sorted, whatever DateStyle says';
COMMENT ON FUNCTION iamwatch.dayset_recv(internal) IS 'what dayset_send() sends; 22P03 for anything else';
COMMENT ON FUNCTION iamwatch.dayset_send(iamwatch.dayset) IS 'version and days, as stored';

CREATE TYPE iamwatch.dayset (
	INPUT = iamwatch.dayset_in,
	OUTPUT = iamwatch.dayset_out,
	RECEIVE = iamwatch.dayset_recv,
	SEND = iamwatch.dayset_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE iamwatch.dayset IS 'a set of UTC days';

CREATE FUNCTION iamwatch.dayset_or(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_and(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_minus(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_contains(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_contains_day(iamwatch.dayset, date) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_eq(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_ne(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_lt(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_le(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_ge(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_gt(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_hash(iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_hash_extended(iamwatch.dayset, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.dayset_or(iamwatch.dayset, iamwatch.dayset) IS 'days in either set';
COMMENT ON FUNCTION iamwatch.dayset_and(iamwatch.dayset, iamwatch.dayset) IS 'days in both sets';
COMMENT ON FUNCTION iamwatch.dayset_minus(iamwatch.dayset, iamwatch.dayset) IS 'days in the first set but not in the second';
COMMENT ON FUNCTION iamwatch.dayset_contains(iamwatch.dayset, iamwatch.dayset) IS 'whether every day of the second set is in the first';
COMMENT ON FUNCTION iamwatch.dayset_contains_day(iamwatch.dayset, date) IS 'whether the day is in the set';
COMMENT ON FUNCTION iamwatch.dayset_eq(iamwatch.dayset, iamwatch.dayset) IS 'whether both have the same days';
COMMENT ON FUNCTION iamwatch.dayset_ne(iamwatch.dayset, iamwatch.dayset) IS 'whether they differ';
COMMENT ON FUNCTION iamwatch.dayset_lt(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_le(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_ge(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_gt(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_hash(iamwatch.dayset) IS 'hash of the days';
COMMENT ON FUNCTION iamwatch.dayset_hash_extended(iamwatch.dayset, bigint) IS 'seeded hash of the days';

CREATE OPERATOR iamwatch.| (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_or, COMMUTATOR = OPERATOR(iamwatch.|));
CREATE OPERATOR iamwatch.& (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_and, COMMUTATOR = OPERATOR(iamwatch.&));
CREATE OPERATOR iamwatch.- (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_minus);
CREATE OPERATOR iamwatch.@> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_contains, RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR iamwatch.@> (LEFTARG = iamwatch.dayset, RIGHTARG = date,
	FUNCTION = iamwatch.dayset_contains_day, RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR iamwatch.= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_eq, COMMUTATOR = OPERATOR(iamwatch.=), NEGATOR = OPERATOR(iamwatch.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR iamwatch.<> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_ne, COMMUTATOR = OPERATOR(iamwatch.<>), NEGATOR = OPERATOR(iamwatch.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR iamwatch.< (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_lt, COMMUTATOR = OPERATOR(iamwatch.>), NEGATOR = OPERATOR(iamwatch.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR iamwatch.<= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_le, COMMUTATOR = OPERATOR(iamwatch.>=), NEGATOR = OPERATOR(iamwatch.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR iamwatch.>= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_ge, COMMUTATOR = OPERATOR(iamwatch.<=), NEGATOR = OPERATOR(iamwatch.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR iamwatch.> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_gt, COMMUTATOR = OPERATOR(iamwatch.<), NEGATOR = OPERATOR(iamwatch.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS iamwatch.dayset_ops DEFAULT FOR TYPE iamwatch.dayset USING btree AS
	OPERATOR 1 iamwatch.<, OPERATOR 2 iamwatch.<=, OPERATOR 3 iamwatch.=,
	OPERATOR 4 iamwatch.>=, OPERATOR 5 iamwatch.>,
	FUNCTION 1 iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset);
CREATE OPERATOR CLASS iamwatch.dayset_ops DEFAULT FOR TYPE iamwatch.dayset USING hash AS
	OPERATOR 1 iamwatch.=,
	FUNCTION 1 iamwatch.dayset_hash(iamwatch.dayset),
	FUNCTION 2 iamwatch.dayset_hash_extended(iamwatch.dayset, bigint);

CREATE FUNCTION iamwatch.days(iamwatch.dayset) RETURNS SETOF date
	AS 'MODULE_PATHNAME', 'dayset_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30;
CREATE FUNCTION iamwatch.count_days(iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME', 'dayset_count_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.count_days(iamwatch.dayset, date, date) RETURNS integer
	AS 'MODULE_PATHNAME', 'dayset_count_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.first_day(iamwatch.dayset) RETURNS date
	AS 'MODULE_PATHNAME', 'dayset_first_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.last_day(iamwatch.dayset) RETURNS date
	AS 'MODULE_PATHNAME', 'dayset_last_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(date) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_dates' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(date, date) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_dates' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.datemultirange(iamwatch.dayset) RETURNS datemultirange
	AS 'MODULE_PATHNAME', 'dayset_to_multirange' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(datemultirange) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_multirange' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.days(iamwatch.dayset) IS 'the days, a row each, in order';
COMMENT ON FUNCTION iamwatch.count_days(iamwatch.dayset) IS 'number of days';
COMMENT ON FUNCTION iamwatch.count_days(iamwatch.dayset, date, date) IS
'number of days from one date to another, both included; infinite dates mean no bound';
COMMENT ON FUNCTION iamwatch.first_day(iamwatch.dayset) IS 'first day; null for an empty set';
COMMENT ON FUNCTION iamwatch.last_day(iamwatch.dayset) IS 'last day; null for an empty set';
COMMENT ON FUNCTION iamwatch.dayset(date) IS 'the set of one day; 22008 for an infinite date';
COMMENT ON FUNCTION iamwatch.dayset(date, date) IS
'the days from one date to another, both included, none if reversed; 22008 for an infinite date';
COMMENT ON FUNCTION iamwatch.datemultirange(iamwatch.dayset) IS 'the same days as ranges';
COMMENT ON FUNCTION iamwatch.dayset(datemultirange) IS 'the same days as a set; 22008 for an unbounded range';

CREATE CAST (iamwatch.dayset AS datemultirange) WITH FUNCTION iamwatch.datemultirange(iamwatch.dayset) AS ASSIGNMENT;
CREATE CAST (datemultirange AS iamwatch.dayset) WITH FUNCTION iamwatch.dayset(datemultirange) AS ASSIGNMENT;

CREATE FUNCTION iamwatch.dayset_agg_trans(iamwatch.dayset, timestamptz) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_union_trans(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_agg_final(iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.dayset_agg_trans(iamwatch.dayset, timestamptz) IS 'transition of dayset_agg()';
COMMENT ON FUNCTION iamwatch.dayset_union_trans(iamwatch.dayset, iamwatch.dayset) IS
'transition of dayset_union(); combines partial states of both aggregates';
COMMENT ON FUNCTION iamwatch.dayset_agg_final(iamwatch.dayset) IS 'the state as it is stored';

CREATE AGGREGATE iamwatch.dayset_agg(timestamptz) (
	SFUNC = iamwatch.dayset_agg_trans, STYPE = iamwatch.dayset, SSPACE = 64,
	COMBINEFUNC = iamwatch.dayset_union_trans, FINALFUNC = iamwatch.dayset_agg_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE iamwatch.dayset_union(iamwatch.dayset) (
	SFUNC = iamwatch.dayset_union_trans, STYPE = iamwatch.dayset, SSPACE = 64,
	COMBINEFUNC = iamwatch.dayset_union_trans, FINALFUNC = iamwatch.dayset_agg_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE iamwatch.dayset_agg(timestamptz) IS
'the UTC days of the times; null for no rows; 22008 for an infinite time';
COMMENT ON AGGREGATE iamwatch.dayset_union(iamwatch.dayset) IS 'the days of all sets; null for no rows';
