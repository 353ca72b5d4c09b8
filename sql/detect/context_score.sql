-- What context says of an event that may open an alert.

CREATE FUNCTION iamwatch_internal.context_of(event iamwatch.event, ids iamwatch_internal.ids,
	training_days integer, active integer, key text DEFAULT NULL) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_context_of' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.context_of(iamwatch.event, iamwatch_internal.ids, integer, integer, text) IS
'what makes an unusual event stronger, against the training period before its day: new_network, new_user_agent, new_region, new_key_network: the value, not sampled of the identity while others were; failed_before: when the operation last failed for it, to the day or, on the same day, the time; burst: different operations new to it within the hour before, this one included, if at least 3; first_day: true if it was not active. Active: A of the score. Key: what an event was signed with that is not learned, so that it is not known otherwise';

CREATE FUNCTION iamwatch_internal.bits_of_context(settings iamwatch.detectors, context jsonb) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_bits_of_context' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.bits_of_context(iamwatch.detectors, jsonb) IS
'the bits that a detector''s settings give to the contexts that are present';

CREATE FUNCTION iamwatch_internal.in_context(settings iamwatch.detectors, probability double precision, context jsonb)
	RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_in_context' LANGUAGE C IMMUTABLE PARALLEL SAFE;
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
