-- What context says of an event that may open an alert.  Only days before the
-- event's own count, and of its own day what is earlier by the clock, so the
-- answer is the same whether later events are known already or not.

CREATE FUNCTION iamwatch_internal.novelties_before(in_account integer, in_identity bigint, event iamwatch.event,
	since timestamptz) RETURNS TABLE (at timestamptz, service text, operation text, failed boolean, access_key text)
	LANGUAGE sql STABLE AS $$
	-- $3: in the journal, event is the column
	SELECT n.at, b.service, b.operation, b.failed, n.access_key
	FROM iamwatch_internal.novelties AS n JOIN iamwatch_internal.account_operations AS b USING (account_id, operation_id)
	WHERE n.account_id = in_account AND n.identity_id = in_identity
	AND n.at >= $4 AND n.at <= ($3).event_time
	UNION ALL
	SELECT (j.event).event_time, (j.event).service, (j.event).operation, (j.event).failed, left(j.access_key, 200)
	FROM iamwatch_internal.context_journal AS j
	WHERE hashtextextended((j.event).account, 0) = hashtextextended(($3).account, 0)
	AND hashtextextended((j.event).identity, 0) = hashtextextended(($3).identity, 0)
	AND (j.event).account = ($3).account AND (j.event).provider = ($3).provider
	AND (j.event).identity = ($3).identity AND j.novel
	AND (j.event).event_time >= $4 AND (j.event).event_time <= ($3).event_time
$$;
COMMENT ON FUNCTION iamwatch_internal.novelties_before(integer, bigint, iamwatch.event, timestamptz) IS
'operations that were new to the identity of an event, since a time and until the event''s own';

-- All that the tables have to say, in one statement.
CREATE FUNCTION iamwatch_internal.context_facts(event iamwatch.event, ids iamwatch_internal.ids, training_days integer,
	key text, OUT contexts jsonb, OUT failed_at timestamptz, OUT operations bigint)
	LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	today constant date := (event.event_time AT TIME ZONE 'UTC')::date;
	midnight constant timestamptz := today::timestamp AT TIME ZONE 'UTC';
	since constant date := today - training_days;
BEGIN
	WITH recent AS (
		SELECT coalesce((array_agg(n.access_key) FILTER (WHERE n.at = event.event_time AND n.operation = event.operation
				AND n.service = event.service AND n.failed = event.failed))[1], key) AS access_key,
			max(n.at) FILTER (WHERE n.at >= midnight AND n.at < event.event_time
				AND n.failed AND n.operation = event.operation AND n.service = event.service) AS failed_today,
			1 + count(DISTINCT (n.service, n.operation)) FILTER (WHERE n.at >= event.event_time - interval '1 hour'
				AND n.at < event.event_time AND (n.service, n.operation) <> (event.service, event.operation)) AS operations
		FROM iamwatch_internal.novelties_before(ids.account_id, ids.identity_id, event,
			LEAST(midnight, event.event_time - interval '1 hour')) AS n
	), known AS MATERIALIZED (
		SELECT h.kind, h.value FROM iamwatch_internal.habits AS h
		WHERE h.account_id = ids.account_id AND h.identity_id = ids.identity_id AND count_days(h.days, since, today - 1) > 0
		UNION ALL
		SELECT v.kind, v.value
		FROM iamwatch_internal.context_journal AS j CROSS JOIN LATERAL iamwatch_internal.context_values(j.event, j.access_key) AS v
		WHERE hashtextextended((j.event).account, 0) = hashtextextended($1.account, 0)
		AND hashtextextended((j.event).identity, 0) = hashtextextended($1.identity, 0)
		AND (j.event).account = $1.account AND (j.event).provider = $1.provider
		AND (j.event).identity = $1.identity
		AND ((j.event).event_time AT TIME ZONE 'UTC')::date BETWEEN since AND today - 1
	), fresh AS (
		SELECT jsonb_object_agg(CASE v.kind WHEN 'n' THEN 'new_network' WHEN 'a' THEN 'new_user_agent'
			WHEN 'r' THEN 'new_region' ELSE 'new_key_network' END, v.value) AS contexts
		FROM recent AS r CROSS JOIN LATERAL iamwatch_internal.context_values(event, r.access_key) AS v
		-- there must be earlier samples of this kind, for a key of the same key
		WHERE EXISTS (SELECT FROM known AS k WHERE k.kind = v.kind
			AND (v.kind <> 'k' OR starts_with(k.value, left(r.access_key, 200) || ' ')))
		AND NOT EXISTS (SELECT FROM known AS k WHERE k.kind = v.kind AND k.value = v.value)
	), failed AS (
		SELECT dayset_union(f.days) AS days
		FROM (
			SELECT d.days FROM iamwatch_internal.behaviour_days AS d
			WHERE d.account_id = ids.account_id AND d.identity_id = ids.identity_id AND d.operation_id = (
				SELECT b.operation_id FROM iamwatch_internal.account_operations AS b WHERE b.account_id = ids.account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
				AND b.operation = event.operation AND b.service = event.service AND b.failed)
			UNION ALL
			SELECT j.days FROM iamwatch_internal.journal AS j
			WHERE hashtextextended(j.account, 0) = hashtextextended(event.account, 0)
			AND hashtextextended(j.identity, 0) = hashtextextended(event.identity, 0)
			AND j.account = event.account AND j.provider = event.provider AND j.identity = event.identity
			AND j.operation = event.operation AND j.service = event.service AND j.failed) AS f
		WHERE NOT event.failed
	)
	SELECT coalesce(fresh.contexts, '{}'), CASE WHEN NOT event.failed THEN coalesce(recent.failed_today,
			last_day(failed.days & dayset(since, today - 1))::timestamp AT TIME ZONE 'UTC') END, recent.operations
	INTO context_facts.contexts, context_facts.failed_at, context_facts.operations
	FROM recent, fresh, failed;
END $$;
COMMENT ON FUNCTION iamwatch_internal.context_facts(iamwatch.event, iamwatch_internal.ids, integer, text) IS
'of an event the contexts that were not sampled of its identity in the training period, if others of the kind were; when the operation last failed for it, unless it fails now; how many operations were new to it within the hour, this one included';

CREATE FUNCTION iamwatch_internal.context_of(event iamwatch.event, ids iamwatch_internal.ids,
	training_days integer, active integer, key text DEFAULT NULL) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	facts constant record := iamwatch_internal.context_facts(event, ids, training_days, key);
	context jsonb := facts.contexts;
BEGIN
	IF facts.failed_at IS NOT NULL THEN
		context := context || jsonb_build_object('failed_before',
			to_char(facts.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
	END IF;
	IF facts.operations >= 3 THEN
		context := context || jsonb_build_object('burst', facts.operations);
	END IF;
	IF active = 0 THEN
		context := context || jsonb_build_object('first_day', true);
	END IF;
	RETURN context;
END $$;
COMMENT ON FUNCTION iamwatch_internal.context_of(iamwatch.event, iamwatch_internal.ids, integer, integer, text) IS
'what makes an unusual event stronger, against the training period before its day: new_network, new_user_agent, new_region, new_key_network: the value, not sampled of the identity while others were; failed_before: when the operation last failed for it, to the day or, on the same day, the time; burst: different operations new to it within the hour before, this one included, if at least 3; first_day: true if it was not active. Active: A of the score. Key: what an event was signed with that is not learned, so that it is not known otherwise';

CREATE FUNCTION iamwatch_internal.bits_of_context(settings iamwatch.detectors, context jsonb) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF settings.context_bits = 0 THEN
		RETURN 0;
	END IF;
	RETURN (SELECT settings.context_bits * count(*)
		FROM jsonb_object_keys(context) AS kind
		WHERE settings.context_kinds IS NULL OR kind = ANY (settings.context_kinds));
END $$;
COMMENT ON FUNCTION iamwatch_internal.bits_of_context(iamwatch.detectors, jsonb) IS
'the bits that a detector''s settings give to the contexts that are present';

CREATE FUNCTION iamwatch_internal.in_context(settings iamwatch.detectors, probability double precision, context jsonb)
	RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN probability / 2 ^ iamwatch_internal.bits_of_context(settings, context);
COMMENT ON FUNCTION iamwatch_internal.in_context(iamwatch.detectors, double precision, jsonb) IS
'the probability with the bits that a detector''s settings give to each context that is present: probability / 2 ^ (context_bits * contexts)';

CREATE FUNCTION iamwatch_internal.widest_limit(probability_limit double precision, context_bits double precision,
	context_kinds text[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_widest_limit' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.widest_limit(double precision, double precision, text[]) IS
'the same for these three of the settings';

CREATE FUNCTION iamwatch_internal.widest_limit(settings iamwatch.detectors) RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN iamwatch_internal.widest_limit(settings.probability_limit, settings.context_bits, settings.context_kinds);
COMMENT ON FUNCTION iamwatch_internal.widest_limit(iamwatch.detectors) IS
'the probability below which an event can be unusual if all contexts that count are present';

CREATE FUNCTION iamwatch_internal.widened(settings iamwatch.detectors) RETURNS iamwatch.detectors
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	settings.probability_limit := iamwatch_internal.widest_limit(settings);
	RETURN settings;
END $$;
COMMENT ON FUNCTION iamwatch_internal.widened(iamwatch.detectors) IS
'settings with the widest limit, to find what context may make unusual';
