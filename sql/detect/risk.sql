-- How much an unusual event matters: counted when it is about to open an alert,
-- and only then.  The days of its own identity from the sets, those of its peers
-- from the tallies; what waits in the journal counts as stored.

CREATE FUNCTION iamwatch_internal.with_risk(settings iamwatch.detectors, event iamwatch.event,
	ids iamwatch_internal.ids, score iamwatch_internal.score) RETURNS iamwatch_internal.score
	AS 'MODULE_PATHNAME', 'iamwatch_with_risk' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.with_risk(iamwatch.detectors, iamwatch.event, iamwatch_internal.ids, iamwatch_internal.score) IS
'a score with what iamwatch.risk() asks for: the memory of the event''s identity and of its peers, before its day';

CREATE FUNCTION iamwatch_internal.risk_of(settings iamwatch.detectors, score iamwatch_internal.score, sensitivity integer,
	context jsonb) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_risk_of' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.risk_of(iamwatch.detectors, iamwatch_internal.score, integer, jsonb) IS
'the risk of an alert: that of its counts, and the bits that the settings give to its context';

CREATE FUNCTION iamwatch_internal.risk_evidence(score iamwatch_internal.score) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN jsonb_build_object('k', score.risk_k, 'A', score.risk_active, 'B', score.risk_iam_days,
		'K', score.risk_peer_days, 'N', score.risk_peer_active, 'P', score.risk_peer_iam_days);
COMMENT ON FUNCTION iamwatch_internal.risk_evidence(iamwatch_internal.score) IS 'what the evidence of an alert says of its risk';
