-- From which day on the days of an identity count for its peers: its third
-- active day ever.  Two rules, both in C, since the trigger asks them too.

CREATE FUNCTION iamwatch_internal.earliest_days(days iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'iamwatch_earliest_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.earliest_days(iamwatch.dayset) IS
'the three smallest days of a set: of a union, those of the union of the parts'' three';

CREATE FUNCTION iamwatch_internal.settled_days(days iamwatch.dayset, first_days iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'iamwatch_settled_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.settled_days(iamwatch.dayset, iamwatch.dayset) IS
'those of the days of an identity that count for its peers: from its third active day on. first_days: its first days ever';

CREATE FUNCTION iamwatch_internal.is_newcomer(first_days iamwatch.dayset, day date) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_newcomer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_newcomer(iamwatch.dayset, date) IS
'whether an identity with these first days was active on fewer than two days before the day: then all days of its peers count';
