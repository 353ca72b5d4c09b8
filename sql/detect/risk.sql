-- How much an unusual event matters: counted when it is about to open an alert,
-- and only then.  The days of its own identity from the sets, those of its peers
-- from the tallies; what waits in the journal counts as stored.

CREATE FUNCTION iamwatch_internal.with_risk(settings iamwatch.detectors, event iamwatch.event,
	ids iamwatch_internal.ids, score iamwatch_internal.score) RETURNS iamwatch_internal.score
	LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
	until constant date := (event.event_time AT TIME ZONE 'UTC')::date - 1;
	since constant date := until - settings.memory_days + 1;
	peers_since constant date := until - settings.peer_memory_days + 1;
	known record;
	waiting record;
	did iamwatch.dayset;
	other_outcome iamwatch.dayset;
	class iamwatch_internal.class_sums;
BEGIN
	SELECT coalesce(i.kinds, 0) AS kinds, coalesce(i.first_days, '{}') AS first_days, coalesce(i.days, '{}') AS days,
		coalesce(i.iam_days, '{}') AS iam_days, d.did, d.other_outcome
	INTO known
	FROM (SELECT coalesce(dayset_union(d.days) FILTER (WHERE b.failed = event.failed), '{}') AS did,
			coalesce(dayset_union(d.days) FILTER (WHERE b.failed <> event.failed), '{}') AS other_outcome
		FROM iamwatch_internal.account_operations AS b
		JOIN iamwatch_internal.behaviour_days AS d ON d.account_id = b.account_id
			AND d.operation_id = b.operation_id AND d.identity_id = ids.identity_id
		WHERE b.account_id = ids.account_id
		AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
		AND b.operation = event.operation AND b.service = event.service) AS d
	LEFT JOIN iamwatch_internal.identity_days AS i
		ON i.account_id = ids.account_id AND i.identity_id = ids.identity_id;
	did := known.did;
	other_outcome := known.other_outcome;

	IF iamwatch_internal.has_journal(event.account) THEN
		SELECT coalesce(bit_or(j.kinds), 0) AS kinds, coalesce(dayset_union(j.days), '{}') AS days,
			coalesce(dayset_union(j.days) FILTER (WHERE iamwatch_internal.is_iam(j.provider, j.service, j.operation)), '{}') AS iam_days,
			coalesce(dayset_union(j.days) FILTER (WHERE j.operation = event.operation AND j.service = event.service
				AND j.failed = event.failed), '{}') AS did,
			coalesce(dayset_union(j.days) FILTER (WHERE j.operation = event.operation AND j.service = event.service
				AND j.failed <> event.failed), '{}') AS other_outcome
		INTO waiting
		FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(event.account, 0)
		AND hashtextextended(j.identity, 0) = hashtextextended(event.identity, 0)
		AND j.account = event.account AND j.provider = event.provider AND j.identity = event.identity;
		known.kinds := known.kinds | waiting.kinds;
		known.first_days := known.first_days | waiting.days;
		known.days := known.days | waiting.days;
		known.iam_days := known.iam_days | waiting.iam_days;
		did := did | waiting.did;
		other_outcome := other_outcome | waiting.other_outcome;
	END IF;
	IF iamwatch_internal.has_excluded(event.account, event.operation) THEN
		did := did - iamwatch_internal.excluded(event.provider, event.account, event.identity,
			event.service, event.operation, event.failed);
		other_outcome := other_outcome - iamwatch_internal.excluded(event.provider, event.account, event.identity,
			event.service, event.operation, NOT event.failed);
	END IF;

	score.risk_active := count_days(known.days, since, until);
	score.risk_iam_days := count_days(known.iam_days, since, until);
	-- who was denied for weeks has done it before, for what another denial says
	score.risk_k := count_days(CASE WHEN event.failed THEN did | other_outcome ELSE did END, since, until);

	class := iamwatch_internal.class_days(event.provider, event.account, event.is_user,
		event.service, event.operation, event.failed, peers_since, until);
	IF NOT iamwatch_internal.is_newcomer(known.first_days, until + 1) THEN
		class.days := class.settled_days;
		class.active := class.settled_active;
		class.iam_days := class.settled_iam_days;
		did := iamwatch_internal.settled_days(did, known.first_days);
		known.days := iamwatch_internal.settled_days(known.days, known.first_days);
		known.iam_days := iamwatch_internal.settled_days(known.iam_days, known.first_days);
	END IF;
	IF iamwatch_internal.is_person(known.kinds) = event.is_user THEN
		-- the class counts the identity too
		class.days := class.days - count_days(did, peers_since, until);
		class.active := class.active - count_days(known.days, peers_since, until);
		class.iam_days := class.iam_days - count_days(known.iam_days, peers_since, until);
	END IF;
	score.risk_peer_days := class.days;
	score.risk_peer_active := class.active;
	score.risk_peer_iam_days := class.iam_days;
	RETURN score;
END $$;
COMMENT ON FUNCTION iamwatch_internal.with_risk(iamwatch.detectors, iamwatch.event, iamwatch_internal.ids, iamwatch_internal.score) IS
'a score with what iamwatch.risk() asks for: the memory of the event''s identity and of its peers, before its day';

CREATE FUNCTION iamwatch_internal.risk_of_score(score iamwatch_internal.score, sensitivity integer) RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN iamwatch.risk(score.risk_k, score.risk_active, score.risk_iam_days, score.risk_peer_days,
		score.risk_peer_active, score.risk_peer_iam_days, sensitivity);
COMMENT ON FUNCTION iamwatch_internal.risk_of_score(iamwatch_internal.score, integer) IS 'the risk of an event by its counts';

CREATE FUNCTION iamwatch_internal.risk_of(settings iamwatch.detectors, score iamwatch_internal.score, sensitivity integer,
	context jsonb) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	RETURN iamwatch_internal.risk_of_score(score, sensitivity)
		+ iamwatch_internal.bits_of_context(settings, context);
END $$;
COMMENT ON FUNCTION iamwatch_internal.risk_of(iamwatch.detectors, iamwatch_internal.score, integer, jsonb) IS
'the risk of an alert: that of its counts, and the bits that the settings give to its context';

CREATE FUNCTION iamwatch_internal.risk_evidence(score iamwatch_internal.score) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN jsonb_build_object('k', score.risk_k, 'A', score.risk_active, 'B', score.risk_iam_days,
		'K', score.risk_peer_days, 'N', score.risk_peer_active, 'P', score.risk_peer_iam_days);
COMMENT ON FUNCTION iamwatch_internal.risk_evidence(iamwatch_internal.score) IS 'what the evidence of an alert says of its risk';
