-- Scoring.

CREATE FUNCTION iamwatch.probability(k integer, active integer, peer_days bigint, peer_active bigint)
	RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.probability(integer, integer, bigint, bigint) IS
'(k + 2 q) / (active + 2) with q = (peer_days + 10 * 0.01) / (peer_active + 10): the posterior mean of a beta-binomial, the identity''s own rate shrunk toward its peers'', theirs toward 1 in 100. Days; 22003 when a part exceeds its whole';

CREATE FUNCTION iamwatch.surprise(probability double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_surprise' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.surprise(double precision) IS '-log2(probability), in bits; 22003 outside of (0, 1]';

CREATE FUNCTION iamwatch_internal.is_person(kinds integer) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN kinds & 31 <> 0;
COMMENT ON FUNCTION iamwatch_internal.is_person(integer) IS
'whether a set of kinds has one of a person: root, user, federated_user, anonymous, unknown';

CREATE FUNCTION iamwatch_internal.kind_name(kinds integer) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (ARRAY['root', 'user', 'federated_user', 'anonymous',
		'unknown', 'role', 'instance', 'service', 'service_account', 'workload', 'account'])
		[length(split_part(reverse((kinds::bit(32))::text), '1', 1)) + 1];
COMMENT ON FUNCTION iamwatch_internal.kind_name(integer) IS
'the first of the kinds in a set: bit 0 root, 1 user, 2 federated_user, 3 anonymous, 4 unknown, 5 role, 6 instance, 7 service, 8 service_account, 9 workload, 10 account';

-- Days that only the journal has, of the identities of one class.
CREATE FUNCTION iamwatch_internal.journal_class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date,
	OUT days bigint, OUT active bigint)
	LANGUAGE sql STABLE AS $$
	WITH j AS (
		SELECT j.*, i.account_id, i.identity_id, i.days AS stored,
			bit_or(j.kinds | coalesce(i.kinds, 0)) OVER (PARTITION BY j.identity) AS all_kinds
		FROM iamwatch_internal.journal AS j
		LEFT JOIN iamwatch_internal.accounts AS a ON hashtextextended(a.account, 0) = hashtextextended($2, 0)
			AND a.account = $2 AND a.provider = $1
		LEFT JOIN iamwatch_internal.identity_days AS i ON i.account_id = a.account_id
			AND hashtextextended(i.identity, 0) = hashtextextended(j.identity, 0)
			AND i.identity = j.identity
		WHERE hashtextextended(j.account, 0) = hashtextextended($2, 0)
		AND j.account = $2 AND j.provider = $1 AND j.identity IS NOT NULL
	), activity AS (
		SELECT coalesce(count_days(dayset_union(j.days) - coalesce(j.stored, '{}'), since, until), 0) AS n
		FROM j WHERE j.operation IS NULL AND is_person(j.all_kinds) = is_user
		GROUP BY j.identity, j.stored
	), behaviour AS (
		SELECT coalesce(count_days(dayset_union(j.days) - coalesce(d.days, '{}')
			- excluded($1, $2, j.identity, $4, $5, $6), since, until), 0) AS n
		FROM j
		LEFT JOIN iamwatch_internal.account_operations AS b ON b.account_id = j.account_id
			AND b.service = $4 AND b.operation = $5 AND b.failed = $6
		LEFT JOIN iamwatch_internal.behaviour_days AS d ON d.account_id = b.account_id
			AND d.operation_id = b.operation_id AND d.identity_id = j.identity_id
		WHERE j.service = $4 AND j.operation = $5 AND j.failed = $6
		AND is_person(j.all_kinds) = is_user
		GROUP BY j.identity, d.days
	)
	SELECT (SELECT coalesce(sum(n), 0) FROM behaviour)::bigint,
		(SELECT coalesce(sum(n), 0) FROM activity)::bigint
$$;
COMMENT ON FUNCTION iamwatch_internal.journal_class_days(text, text, boolean, text, text, boolean, date, date) IS
'what iamwatch_internal.class_days() has to add for days that are in the journal only';

CREATE FUNCTION iamwatch_internal.class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date,
	OUT days bigint, OUT active bigint)
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	in_account integer;
	in_behaviour integer;
	more record;
BEGIN
	SELECT a.account_id INTO in_account FROM iamwatch_internal.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended($2, 0)
	AND a.account = $2 AND a.provider = $1;

	SELECT b.operation_id INTO in_behaviour FROM iamwatch_internal.account_operations AS b
	WHERE b.account_id = in_account
	AND hashtextextended(b.operation, 0) = hashtextextended($5, 0)
	AND b.operation = $5 AND b.service = $4 AND b.failed = $6;

	-- one statement: to start one costs more than to read a month of tallies
	SELECT (SELECT coalesce(sum(t.identities), 0) FROM iamwatch_internal.tallies AS t
			WHERE t.account_id = in_account AND t.operation_id = 0
			AND t.is_user = $3 AND t.day BETWEEN since AND until),
		(SELECT coalesce(sum(t.identities), 0) FROM iamwatch_internal.tallies AS t
			WHERE t.account_id = in_account AND t.operation_id = in_behaviour
			AND t.is_user = $3 AND t.day BETWEEN since AND until)
	INTO active, days;
	IF iamwatch_internal.has_excluded($2, $5) THEN
		days := days - iamwatch_internal.excluded_class_days(in_account, in_behaviour, $1, $2, $3, $4, $5, $6, since, until);
	END IF;

	IF EXISTS (SELECT FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended($2, 0)
		AND j.account = $2 AND j.provider = $1) THEN
		SELECT * INTO more
		FROM iamwatch_internal.journal_class_days($1, $2, $3, $4, $5, $6, since, until);
		days := days + more.days;
		active := active + more.active;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.class_days(text, text, boolean, text, text, boolean, date, date) IS
'summed over all identities of the account that are people, or that are not: days from since to until on which they did the operation, and on which they were active';
