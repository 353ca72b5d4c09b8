-- Scoring.

CREATE FUNCTION iamwatch.probability(k integer, active integer, peer_days bigint, peer_active bigint)
	RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.probability(integer, integer, bigint, bigint) IS
'(k + 2 q) / (active + 2) with q = (peer_days + 10 * 0.01) / (peer_active + 10): the posterior mean of a beta-binomial, the identity''s own rate shrunk toward its peers'', theirs toward 1 in 100. Days; 22003 when a part exceeds its whole';

CREATE FUNCTION iamwatch.surprise(probability double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_surprise' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.surprise(double precision) IS '-log2(probability), in bits; 22003 outside of (0, 1]';

CREATE FUNCTION iamwatch.risk(k integer, active integer, iam_days integer, peer_days bigint, peer_active bigint,
	peer_iam_days bigint, sensitivity integer) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_risk' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.risk(integer, integer, integer, bigint, bigint, bigint, integer) IS
'-log2((k + 2 * iam * share) / (active + 2)) + 2 * sensitivity, in bits: iam is how often the identity does IAM at all, (iam_days + 2 r) / (active + 2) with r = (peer_iam_days + 0.1) / (peer_active + 10); share that of the operation in its peers'' IAM days, (peer_days + 1) / (peer_iam_days + 20). Days of the longer memory; 22003 when a part exceeds its whole, or the sensitivity is not 1 to 4';

CREATE FUNCTION iamwatch_internal.risk_steps(k integer, active integer, iam_days integer, peer_days bigint,
	peer_active bigint, peer_iam_days bigint, OUT peer_iam_rate double precision, OUT iam_rate double precision,
	OUT share double precision, OUT rate double precision)
	AS 'MODULE_PATHNAME', 'iamwatch_risk_steps' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.risk_steps(integer, integer, integer, bigint, bigint, bigint) IS
'what iamwatch.risk() goes through: how often peers do IAM, how often the identity does, the share of the operation, and the rate that follows';

CREATE FUNCTION iamwatch_internal.peer_rate(peer_days bigint, peer_active bigint) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_peer_rate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.peer_rate(bigint, bigint) IS 'the q of iamwatch.probability()';

CREATE FUNCTION iamwatch_internal.may_be_unusual(marked iamwatch.dayset, own iamwatch.dayset, active iamwatch.dayset,
	training_days integer, probability_limit double precision) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'iamwatch_may_be_unusual' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.may_be_unusual(iamwatch.dayset, iamwatch.dayset, iamwatch.dayset, integer, double precision) IS
'those of the marked days on which the probability can be below the limit, by the days before them on which the identity did it, and was active; what peers do only adds to it, so it is asked before they are looked at';

CREATE FUNCTION iamwatch_internal.is_person(kinds integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_person' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_person(integer) IS
'whether a set of kinds has one of a person: root, user, federated_user, anonymous, unknown';
CREATE FUNCTION iamwatch_internal.is_of_both_classes(kinds integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_of_both_classes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_of_both_classes(integer) IS
'whether a set of kinds has one of a person and one of what is none';

CREATE FUNCTION iamwatch_internal.kind_name(kinds integer) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (ARRAY['root', 'user', 'federated_user', 'anonymous',
		'unknown', 'role', 'instance', 'service', 'service_account', 'workload', 'account'])
		[length(split_part(reverse((kinds::bit(32))::text), '1', 1)) + 1];
COMMENT ON FUNCTION iamwatch_internal.kind_name(integer) IS
'the first of the kinds in a set: bit 0 root, 1 user, 2 federated_user, 3 anonymous, 4 unknown, 5 role, 6 instance, 7 service, 8 service_account, 9 workload, 10 account';

CREATE TYPE iamwatch_internal.class_sums AS (
	days bigint,
	active bigint,
	iam_days bigint,
	settled_days bigint,
	settled_active bigint,
	settled_iam_days bigint
);
COMMENT ON TYPE iamwatch_internal.class_sums IS
'summed over identities: days with an operation, with anything, with any IAM operation; and the same without the days before each one''s third active day';

-- Days that only the journal has, of the identities of one class.
CREATE FUNCTION iamwatch_internal.journal_class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date)
	RETURNS iamwatch_internal.class_sums
	AS 'MODULE_PATHNAME', 'iamwatch_journal_class_days' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.journal_class_days(text, text, boolean, text, text, boolean, date, date) IS
'what iamwatch_internal.class_days() has to add for days that are in the journal only';

CREATE FUNCTION iamwatch_internal.tally_sums(account_id integer, operation_id integer, is_user boolean, since date, until date)
	RETURNS iamwatch_internal.class_sums
	AS 'MODULE_PATHNAME', 'iamwatch_tally_sums' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.tally_sums(integer, integer, boolean, date, date) IS
'what the tallies have of an operation, which may be null, and of all activity';

CREATE FUNCTION iamwatch_internal.class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date)
	RETURNS iamwatch_internal.class_sums
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	ids constant iamwatch_internal.ids := iamwatch_internal.ids_of($1, $2, NULL, $4, $5, $6);
	sums iamwatch_internal.class_sums := iamwatch_internal.tally_sums(ids.account_id, ids.operation_id, $3, since, until);
	more iamwatch_internal.class_sums;
BEGIN
	IF iamwatch_internal.has_excluded($2, $5) THEN
		SELECT sums.days - x.days, sums.settled_days - x.settled_days INTO sums.days, sums.settled_days
		FROM iamwatch_internal.excluded_class_days(ids.account_id, ids.operation_id, $1, $2, $3, $4, $5, $6, since, until) AS x;
	END IF;

	IF iamwatch_internal.has_journal($2) THEN
		SELECT * INTO more
		FROM iamwatch_internal.journal_class_days($1, $2, $3, $4, $5, $6, since, until);
		sums.days := sums.days + more.days;
		sums.active := sums.active + more.active;
		sums.iam_days := sums.iam_days + more.iam_days;
		sums.settled_days := sums.settled_days + more.settled_days;
		sums.settled_active := sums.settled_active + more.settled_active;
		sums.settled_iam_days := sums.settled_iam_days + more.settled_iam_days;
	END IF;
	RETURN sums;
END $$;
COMMENT ON FUNCTION iamwatch_internal.class_days(text, text, boolean, text, text, boolean, date, date) IS
'summed over all identities of the account that are people, or that are not: days from since to until on which they did the operation, were active, and did any IAM operation';
