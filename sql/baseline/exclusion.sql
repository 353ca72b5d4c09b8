-- What a true positive takes out of the baselines: an overlay.  The sets of
-- days keep what was seen, and whoever scores leaves these days out.  So
-- triage writes no baseline and waits for nobody who does, and an alert that
-- is opened again gives its days back by that alone.

CREATE VIEW iamwatch.excluded_days AS
SELECT provider, account, identity, service, operation, failed,
	iamwatch.dayset_union(excluded_days) AS days
FROM iamwatch.alerts WHERE excluded_days IS NOT NULL
GROUP BY provider, account, identity, service, operation, failed;
COMMENT ON VIEW iamwatch.excluded_days IS
'per identity and IAM operation the days that alerts closed as true_positive have taken out of the baseline';
COMMENT ON COLUMN iamwatch.excluded_days.days IS 'it need not have done it on all of them: attack_until gives a range';

CREATE FUNCTION iamwatch_internal.excluded(provider text, account text, identity text,
	service text, operation text, failed boolean) RETURNS iamwatch.dayset
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT coalesce((SELECT x.days FROM iamwatch.excluded_days AS x
		WHERE hashtextextended(x.account, 0) = hashtextextended($2, 0)
		AND hashtextextended(x.operation, 0) = hashtextextended($5, 0)
		AND x.provider = $1 AND x.account = $2 AND x.identity = $3
		AND x.service = $4 AND x.operation = $5 AND x.failed = $6), '{}')
$$;
COMMENT ON FUNCTION iamwatch_internal.excluded(text, text, text, text, text, boolean) IS
'the days that true positives have taken out of a behaviour of an identity';

CREATE FUNCTION iamwatch_internal.has_excluded(account text, operation text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_excluded' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.has_excluded(text, text) IS
'whether true positives may have taken days out of an operation in an account: by hash, so it may say so of another, but never misses one';

CREATE FUNCTION iamwatch_internal.excluded_of_account(in_account integer, provider text, account text)
	RETURNS TABLE (operation_id integer, identity_id bigint, is_user boolean, days iamwatch.dayset, settled iamwatch.dayset)
	LANGUAGE plpgsql STABLE ROWS 5 SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT b.operation_id, i.identity_id, is_person(i.kinds), d.days & x.days, settled_days(d.days & x.days, i.first_days)
	FROM iamwatch.excluded_days AS x
	JOIN iamwatch_internal.account_operations AS b ON b.account_id = in_account
		AND hashtextextended(b.operation, 0) = hashtextextended(x.operation, 0)
		AND b.operation = x.operation AND b.service = x.service AND b.failed = x.failed
	JOIN iamwatch_internal.identity_days AS i ON i.account_id = in_account
		AND hashtext(i.identity) = hashtext(x.identity)
		AND i.identity = x.identity
	JOIN iamwatch_internal.behaviour_days AS d ON d.account_id = in_account
		AND d.operation_id = b.operation_id AND d.identity_id = i.identity_id
	WHERE hashtextextended(x.account, 0) = hashtextextended($3, 0)
	AND x.account = $3 AND x.provider = $2;
END $$;
COMMENT ON FUNCTION iamwatch_internal.excluded_of_account(integer, text, text) IS
'of an account, the stored days that true positives have taken out; settled: those that would count for peers';

CREATE FUNCTION iamwatch_internal.excluded_class_days(in_account integer, in_behaviour integer,
	provider text, account text, is_user boolean, service text, operation text, failed boolean,
	since date, until date, OUT days bigint, OUT settled_days bigint)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
BEGIN
	SELECT coalesce(sum(count_days(d.days & x.days, since, until)), 0),
			coalesce(sum(count_days(settled_days(d.days & x.days, i.first_days), since, until)), 0)
		INTO days, settled_days
		FROM iamwatch.excluded_days AS x
		JOIN iamwatch_internal.identity_days AS i ON i.account_id = in_account
			AND hashtext(i.identity) = hashtext(x.identity)
			AND i.identity = x.identity AND is_person(i.kinds) = $5
		JOIN iamwatch_internal.behaviour_days AS d ON d.account_id = in_account
			AND d.operation_id = in_behaviour AND d.identity_id = i.identity_id
		WHERE hashtextextended(x.account, 0) = hashtextextended($4, 0)
		AND hashtextextended(x.operation, 0) = hashtextextended($7, 0)
		AND x.account = $4 AND x.provider = $3 AND x.service = $6 AND x.operation = $7 AND x.failed = $8;
END $$;
COMMENT ON FUNCTION iamwatch_internal.excluded_class_days(integer, integer, text, text, boolean, text, text, boolean, date, date) IS
'what iamwatch_internal.class_days() has to leave out of its tallies';
