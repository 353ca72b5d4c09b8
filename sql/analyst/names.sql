-- Names and sentences for people.

-- One rule a kind: a person is their mail address or user name; a role, an
-- instance, a service account, a workload its own name.  The whole identity
-- stands beside it wherever two could be mixed up.  Of null it is null, but it is
-- not called strict: then it would be a call for each line of a list, where this
-- becomes part of the statement.
CREATE FUNCTION iamwatch.short_name(identity text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce(nullif(CASE
		-- the subject that an OIDC provider names, such as a repository
		WHEN identity LIKE '%:oidc-provider/%' THEN regexp_replace(identity, '^.*:oidc-provider/[^:]*:([^:]*:)?', '')
		-- the session of a person
		WHEN identity LIKE 'arn:%:assumed-role/%' THEN split_part(identity, '/', -1)
		WHEN identity LIKE 'arn:%' AND strpos(split_part(identity, ':', 6), '/') > 0 THEN split_part(identity, '/', -1)
		WHEN identity LIKE 'arn:%' THEN regexp_replace(regexp_replace(identity, '^arn:([^:]*:){4}', ''), '^.*/', '')
		-- Google's own agents are told apart by what follows their number
		WHEN identity LIKE '%.gserviceaccount.com' AND identity !~ '^(service-)?[0-9]+@'
			THEN regexp_replace(identity, '@.*$', '')
		WHEN identity LIKE 'system:serviceaccount:%' THEN regexp_replace(identity, '^.*:', '')
		WHEN identity LIKE 'principal%://%' THEN regexp_replace(identity, '^.*/(subject|group)/', '')
		ELSE identity END, ''), identity);
COMMENT ON FUNCTION iamwatch.short_name(text) IS
'an identity as people read it: of a person the mail address or user name; of a role, instance, service account or workload its name; anything else as it is';

-- One name for all spellings of a user or role, so that what an operation
-- made, or gave something to, can be found again when it acts.

CREATE FUNCTION iamwatch_internal.actor(provider text, identity text) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_actor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.actor(text, text) IS
'one name for a user or role, whatever its path, session or spelling';

CREATE FUNCTION iamwatch_internal.handed(provider text, account text, operation text, target text) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_handed' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.handed(text, text, text, text) IS
'iamwatch_internal.actor() of what an operation made or gave credentials to';

-- No index has these names, as each would cost every new identity: the table is gone
-- through, which for 20,000 identities is four hundred pages, and nothing else is read of it.
-- This and the next with the owner's rights, as who may read iamwatch.identities and
-- iamwatch.contexts sees the same there, but not the tables that they are made of.
CREATE FUNCTION iamwatch_internal.identities_acting_as(in_provider text, in_actor text) RETURNS SETOF text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT i.identity FROM iamwatch_internal.identity_days AS i JOIN iamwatch_internal.accounts AS a USING (account_id)
	WHERE iamwatch_internal.actor(in_provider, i.identity) = in_actor AND a.provider = in_provider
	UNION
	SELECT j.identity FROM iamwatch_internal.journal AS j
	WHERE iamwatch_internal.actor(in_provider, j.identity) = in_actor AND j.provider = in_provider
$$;
COMMENT ON FUNCTION iamwatch_internal.identities_acting_as(text, text) IS
'the identities that iamwatch_internal.actor() calls so, in any account, each once';

CREATE FUNCTION iamwatch_internal.identities_with_keys(in_provider text, keys text[])
	RETURNS TABLE (account text, identity text, key text)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.account, i.identity, split_part(h.value, ' ', 1)
	FROM iamwatch_internal.habits AS h
	JOIN iamwatch_internal.identity_days AS i USING (account_id, identity_id)
	JOIN iamwatch_internal.accounts AS a USING (account_id)
	WHERE h.kind = 'k' AND split_part(h.value, ' ', 1) = ANY (keys) AND a.provider = in_provider
	UNION
	SELECT (j.event).account, (j.event).identity, j.access_key
	FROM iamwatch_internal.context_journal AS j
	CROSS JOIN LATERAL iamwatch_internal.context_values(j.event, j.access_key) AS v
	WHERE j.access_key = ANY (keys) AND v.kind = 'k' AND (j.event).provider = in_provider
$$;
COMMENT ON FUNCTION iamwatch_internal.identities_with_keys(text, text[]) IS
'the identities that were sampled with one of the access keys, in any account, each once with each key';

-- ---- sentences ----

CREATE FUNCTION iamwatch_internal.number_of(n bigint, what text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n || ' ' || what || CASE n WHEN 1 THEN '' ELSE 's' END;
COMMENT ON FUNCTION iamwatch_internal.number_of(bigint, text) IS 'a number with its noun';

CREATE FUNCTION iamwatch_internal.some_of(texts jsonb, otherwise text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	RETURN plain_list(jsonb_path_query_array(texts, '$[0 to 2]'), otherwise)
		|| CASE WHEN jsonb_array_length(texts) > 3 THEN format(' and %s more', jsonb_array_length(texts) - 3) ELSE '' END;
END $$;
COMMENT ON FUNCTION iamwatch_internal.some_of(jsonb, text) IS 'up to three names from a log in one line, and how many more there are';

-- What was never done has no rate of its own: that of the peers is told as theirs.
CREATE FUNCTION iamwatch_internal.how_often(k bigint, active bigint, peer_days bigint, peer_active bigint, training_days integer)
	RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE
		WHEN k > 0 THEN format('on %s of the %s on which it was active', k, iamwatch_internal.number_of(active, 'day'))
		WHEN active > 0 THEN format('never in the %s on which it was active', iamwatch_internal.number_of(active, 'day'))
		ELSE format('while nothing was seen of it in the %s days before', training_days) END
		|| '; ' || CASE
		WHEN peer_active = 0 THEN 'it has no peers to compare with'
		WHEN peer_days = 0 THEN format('nor its peers in their %s days', peer_active)
		ELSE format('by its peers'' habit about 1 of %s days', round((peer_active + 10) / (peer_days + 0.1))) END;
COMMENT ON FUNCTION iamwatch_internal.how_often(bigint, bigint, bigint, bigint, integer) IS
'in words, how usual an operation is for an identity and for its peers, by k, A, K and N';

CREATE FUNCTION iamwatch_internal.summary(alert iamwatch.alerts) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	RETURN format('%s %s %s:%s, %s', iamwatch.short_name(alert.identity),
		CASE WHEN alert.failed THEN 'tried' ELSE 'did' END, alert.service, alert.operation,
		iamwatch_internal.how_often((alert.evidence->>'k')::bigint, (alert.evidence->>'A')::bigint, (alert.evidence->>'K')::bigint,
			(alert.evidence->>'N')::bigint, coalesce((alert.evidence->>'training_days')::integer, 30)));
COMMENT ON FUNCTION iamwatch_internal.summary(iamwatch.alerts) IS 'one line that says what an alert is about';
