-- From an unusual event to an alert.
--
-- One session at a time writes the alerts of a behaviour.  Whoever finds that
-- taken leaves its events in pending_events; the next session that touches
-- the behaviour, or iamwatch.maintain(), lets them join or open an alert.
-- Nobody waits, and no reader sees two alerts for one behaviour within the
-- deduplication period.

CREATE FUNCTION iamwatch_internal.severity_rank(severity text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN array_position(ARRAY['informational', 'low', 'medium', 'high', 'critical'], severity);
COMMENT ON FUNCTION iamwatch_internal.severity_rank(text) IS '1 informational to 5 critical';

-- The account's hash in all bits but six: sessions that write different accounts
-- do not meet.  In an account 64 are enough, since a transaction keeps them.
CREATE FUNCTION iamwatch_internal.alert_lock_key(event iamwatch.event) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN ((hashtextextended(event.account, 0) << 38 >> 32)
		| (hashtextextended(event.identity, hashtextextended(event.service,
			hashtextextended(event.operation, event.failed::integer))) & 63))::integer;
COMMENT ON FUNCTION iamwatch_internal.alert_lock_key(iamwatch.event) IS
'key of the lock under which alerts of the behaviour of an event are written, class 2';

CREATE FUNCTION iamwatch_internal.faces_internet(event iamwatch.event) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	-- no query for whom it cannot concern: they are most
	IF event.identity_kind = 'instance' THEN
		IF EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.instance_id = event.instance_id AND i.provider = event.provider AND i.internet_facing
			AND i.valid_since <= event.event_time)
		OR EXISTS (SELECT FROM iamwatch.instance_history AS h
			WHERE h.instance_id = event.instance_id AND h.provider = event.provider AND h.internet_facing
			AND h.valid @> event.event_time) THEN
			RETURN true;
		END IF;
	END IF;
	IF event.provider <> 'aws' AND NOT event.is_user THEN
		RETURN EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.public_ips @> ARRAY[event.source_ip] AND i.provider = event.provider AND i.internet_facing
			AND i.valid_since <= event.event_time)
		OR EXISTS (SELECT FROM iamwatch.instance_history AS h
			WHERE h.public_ips @> ARRAY[event.source_ip] AND h.provider = event.provider AND h.internet_facing
			AND h.valid @> event.event_time);
	END IF;
	RETURN false;
END $$;
COMMENT ON FUNCTION iamwatch_internal.faces_internet(iamwatch.event) IS
'whether the identity acts as an instance which, by the inventory, faced the Internet at the time of the event';

-- "The most severe that applies wins", the first of them if they are alike.
CREATE FUNCTION iamwatch_internal.variation(settings iamwatch.detectors, event iamwatch.event,
	OUT variation text, OUT severity text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	variation := 'base';
	severity := settings.severity_base;
	IF NOT event.is_user THEN
		variation := 'cloud non-user identity';
		severity := settings.severity_non_user;
	END IF;
	IF iamwatch_internal.faces_internet(event) AND (event.is_user
		OR iamwatch_internal.severity_rank(settings.severity_internet_facing) >= iamwatch_internal.severity_rank(severity)) THEN
		variation := 'executed from a cloud Internet-facing instance';
		severity := settings.severity_internet_facing;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.variation(iamwatch.detectors, iamwatch.event) IS
'the variation of the detector that an event falls under, and its severity';

CREATE FUNCTION iamwatch_internal.merge_texts(texts jsonb, more text[], most integer) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	more := array_remove(more, NULL);
	IF cardinality(more) = 0 THEN
		RETURN coalesce(texts, '[]');
	ELSIF cardinality(more) = 1 AND (texts IS NULL OR texts = '[]') THEN
		RETURN jsonb_build_array(left(more[1], 500));
	ELSIF cardinality(more) = 1 AND (texts ? left(more[1], 500)
		OR jsonb_array_length(texts) >= most AND left(more[1], 500) COLLATE "C" > (texts->>-1) COLLATE "C") THEN
		RETURN texts;
	END IF;
	RETURN (SELECT jsonb_agg(t ORDER BY t COLLATE "C")
		FROM (SELECT t COLLATE "C" AS t FROM (
				SELECT jsonb_array_elements_text(coalesce(texts, '[]')) AS t
				UNION SELECT left(m, 500) FROM unnest(more) AS m) AS u
			ORDER BY 1 LIMIT most) AS sorted);
END $$;
COMMENT ON FUNCTION iamwatch_internal.merge_texts(jsonb, text[], integer) IS
'a sorted array of distinct texts, cut to 500 characters each and to the first so many, whatever order they came in';

CREATE FUNCTION iamwatch_internal.merge_evidence(evidence jsonb, events iamwatch.event[]) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	e iamwatch.event;
	source_addresses text[];
	user_agents text[];
	targets text[];
	granted text[];
	source_hosts text[];
	acting_for text[];
	instances text[];
	event_ids text[];
BEGIN
	FOREACH e IN ARRAY events LOOP
		source_addresses := array_append(source_addresses, host(e.source_ip));
		source_hosts := array_append(source_hosts, e.source_host);
		granted := array_append(granted, e.granted);
		acting_for := array_append(acting_for, e.acting_for);
		user_agents := array_append(user_agents, e.user_agent);
		targets := array_append(targets, e.target);
		instances := array_append(instances, e.instance_id);
		event_ids := array_append(event_ids, e.event_id);
	END LOOP;
	RETURN evidence || jsonb_build_object(
		'source_addresses', iamwatch_internal.merge_texts(evidence->'source_addresses', source_addresses, 20),
		'user_agents', iamwatch_internal.merge_texts(evidence->'user_agents', user_agents, 20),
		'targets', iamwatch_internal.merge_texts(evidence->'targets', targets, 20),
		'granted', iamwatch_internal.merge_texts(evidence->'granted', granted, 20),
		'source_hosts', iamwatch_internal.merge_texts(evidence->'source_hosts', source_hosts, 20),
		'acting_for', iamwatch_internal.merge_texts(evidence->'acting_for', acting_for, 20),
		'instances', iamwatch_internal.merge_texts(evidence->'instances', instances, 20),
		'event_ids', iamwatch_internal.merge_texts(evidence->'event_ids', event_ids, 1000));
END $$;
COMMENT ON FUNCTION iamwatch_internal.merge_evidence(jsonb, iamwatch.event[]) IS
'evidence with what further events show';

-- Peers are named to be recognised; the numbers of all of them are K and N.
-- Names are cut as other evidence is: ten of them must not exceed what jsonb holds.
CREATE FUNCTION iamwatch_internal.peers(event iamwatch.event, training_days integer) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	until date := (event.event_time AT TIME ZONE 'UTC')::date - 1;
	since date := until - training_days + 1;
	in_account integer;
	in_behaviour integer;
	newcomer boolean;
BEGIN
	SELECT a.account_id, b.operation_id INTO in_account, in_behaviour
	FROM iamwatch_internal.accounts AS a
	JOIN iamwatch_internal.account_operations AS b ON b.account_id = a.account_id
		AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
		AND b.operation = event.operation AND b.service = event.service AND b.failed = event.failed
	WHERE hashtextextended(a.account, 0) = hashtextextended(event.account, 0)
	AND a.account = event.account AND a.provider = event.provider;
	newcomer := coalesce((SELECT iamwatch_internal.is_newcomer(i.first_days, until + 1)
		FROM iamwatch_internal.identity_days AS i WHERE i.account_id = in_account
		AND hashtextextended(i.identity, 0) = hashtextextended(event.identity, 0) AND i.identity = event.identity), true);
	RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('identity', left(p.identity, 500), 'days', p.days)
			ORDER BY p.days DESC, p.identity COLLATE "C"), '[]')
		FROM (
			SELECT i.identity, n.days
			FROM (
				SELECT d.identity_id, r.days, count_days(r.days, since, until) AS n
				FROM iamwatch_internal.behaviour_days AS d
				LEFT JOIN (SELECT * FROM iamwatch_internal.excluded_of_account(in_account, event.provider, event.account)
					-- asked once, since it is nearly always false
					WHERE (SELECT iamwatch_internal.has_excluded(event.account, event.operation))) AS x
					ON x.operation_id = d.operation_id AND x.identity_id = d.identity_id
				CROSS JOIN LATERAL (SELECT CASE WHEN x.days IS NULL THEN d.days ELSE d.days - x.days END AS days) AS r
				WHERE d.account_id = in_account AND d.operation_id = in_behaviour
				OFFSET 0) AS d
			JOIN iamwatch_internal.identity_days AS i
				ON i.account_id = in_account AND i.identity_id = d.identity_id
			CROSS JOIN LATERAL (SELECT count_days(CASE WHEN newcomer THEN d.days
				ELSE iamwatch_internal.settled_days(d.days, i.first_days) END, since, until) AS days) AS n
			WHERE d.n > 0 AND n.days > 0 AND i.identity <> event.identity AND is_person(i.kinds) = event.is_user
			ORDER BY 2 DESC, i.identity COLLATE "C"
			LIMIT 10) AS p);
END $$;
COMMENT ON FUNCTION iamwatch_internal.peers(iamwatch.event, integer) IS
'up to ten peers that did the same in the training period, with the number of days that count';

CREATE FUNCTION iamwatch_internal.open_alert(settings iamwatch.detectors, c iamwatch_internal.candidate) RETURNS bigint
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event := c.event;
	score iamwatch_internal.score := c.score;
	o iamwatch.operations := iamwatch.find_operation(e.provider, e.service, e.operation);
	v record;
	opened bigint;
	in_scope text := iamwatch_internal.limit_scope(e.provider, e.account);
	day date := (e.event_time AT TIME ZONE 'UTC')::date;
	context jsonb;
	risk double precision;
BEGIN
	IF o.category IS NULL THEN
		RETURN NULL;
	END IF;
	context := iamwatch_internal.context_of(e, settings.training_days, score.active);
	IF settings.context_bits > 0 THEN
		score.probability := iamwatch_internal.in_context(settings, score.probability, context);
		IF score.probability >= settings.probability_limit THEN
			RETURN NULL;
		END IF;
	END IF;
	-- what follows a suppressed event has the counts of that
	IF score.risk_active IS NULL THEN
		score := iamwatch_internal.with_risk(settings, e, score);
	END IF;
	risk := iamwatch_internal.risk_of(settings, score, o.sensitivity, context);
	IF risk < settings.least_risk THEN
		RETURN NULL;
	END IF;
	IF score.active = 0 AND iamwatch_internal.limit_room('alerts', in_scope, day) = 0 THEN
		PERFORM iamwatch_internal.count_limit('alerts', in_scope, day, 0, 1);
		RETURN NULL;
	END IF;
	v := iamwatch_internal.variation(settings, e);
	INSERT INTO iamwatch.alerts (detector, variation, severity, risk, first_event_time, last_event_time,
		provider, account, identity, identity_kind, service, operation, failed,
		category, sensitivity, tactic, technique, probability, surprise, evidence)
	VALUES (c.detector, v.variation, v.severity, risk, e.event_time, e.event_time,
		e.provider, e.account, e.identity, e.identity_kind, e.service, e.operation, e.failed,
		o.category, o.sensitivity, 'TA0003', coalesce(nullif(o.attack_technique, ''), 'T1098'),
		score.probability, iamwatch.surprise(score.probability),
		iamwatch_internal.merge_evidence(jsonb_build_object('k', score.k, 'A', score.active,
			'K', score.peer_days, 'N', score.peer_active, 'risk', iamwatch_internal.risk_evidence(score),
			'memory_days', settings.memory_days, 'peer_memory_days', settings.peer_memory_days,
			'training_days', settings.training_days, 'context', context,
			'peers', iamwatch_internal.peers(e, settings.training_days)), ARRAY[e]))
	RETURNING alert_id INTO opened;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	VALUES (opened, e.event_time, e.event_id);
	PERFORM iamwatch_internal.count_limit('alerts', in_scope, day, 1, 0);
	RETURN opened;
END $$;
COMMENT ON FUNCTION iamwatch_internal.open_alert(iamwatch.detectors, iamwatch_internal.candidate) IS
'a new alert with its evidence; null if the operation has left the catalogue, or context counts and does not make it unusual, or its risk is below the least, or the limit alerts is reached and nothing is known of the identity';

CREATE FUNCTION iamwatch_internal.join_alert(settings iamwatch.detectors, into_alert bigint,
	events iamwatch.event[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event;
	v record;
	worst text := 'base';
	worst_severity text;
	latest timestamptz := '-infinity';
	rises boolean;
BEGIN
	FOREACH e IN ARRAY events LOOP
		v := iamwatch_internal.variation(settings, e);
		IF worst_severity IS NULL OR iamwatch_internal.severity_rank(v.severity) > iamwatch_internal.severity_rank(worst_severity) THEN
			worst := v.variation;
			worst_severity := v.severity;
		END IF;
		latest := GREATEST(latest, e.event_time);
	END LOOP;
	SELECT iamwatch_internal.severity_rank(worst_severity) > iamwatch_internal.severity_rank(a.severity) INTO rises
	FROM iamwatch.alerts AS a WHERE a.alert_id = into_alert;
	UPDATE iamwatch.alerts AS a SET
		event_count = a.event_count + cardinality(events),
		last_event_time = GREATEST(a.last_event_time, latest),
		variation = CASE WHEN rises THEN worst ELSE a.variation END,
		severity = CASE WHEN rises THEN worst_severity ELSE a.severity END,
		-- what has not changed is not written again: it can be large
		evidence = CASE WHEN m.evidence = a.evidence THEN a.evidence ELSE m.evidence END,
		-- more of what is known to be an attack
		excluded_days = CASE WHEN a.excluded_days IS NOT NULL THEN a.excluded_days
			| (SELECT dayset_agg((x).event_time) FROM unnest(events) AS x) END
	FROM (SELECT b.alert_id, iamwatch_internal.merge_evidence(b.evidence, events) AS evidence
		FROM iamwatch.alerts AS b WHERE b.alert_id = into_alert) AS m
	WHERE m.alert_id = a.alert_id AND a.alert_id = into_alert;
	IF rises THEN
		PERFORM iamwatch_internal.notify_alert(into_alert);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.join_alert(iamwatch.detectors, bigint, iamwatch.event[]) IS
'let events join an alert that is locked by this transaction';

-- In order of event time, what lies in the activation period comes before any
-- alert, so delivered again it must not join one that a later event opened.
CREATE FUNCTION iamwatch_internal.in_activation(settings iamwatch.detectors, e iamwatch.event) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (e).event_time < min(h.first_event_time) + settings.activation_days * interval '24 hours'
	FROM (
		SELECT a.first_event_time FROM iamwatch_internal.accounts AS a
		WHERE hashtextextended(a.account, 0) = hashtextextended((e).account, 0)
		AND a.account = (e).account AND a.provider = (e).provider
		UNION ALL
		SELECT j.first_event_time FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended((e).account, 0)
		AND j.account = (e).account AND j.provider = (e).provider) AS h
$$;
COMMENT ON FUNCTION iamwatch_internal.in_activation(iamwatch.detectors, iamwatch.event) IS
'whether the event lies in the activation period of its account, by what is learned';

-- Events of one behaviour, in order of event time; under the lock of its bucket.
CREATE FUNCTION iamwatch_internal.assign_to_alerts(settings iamwatch.detectors,
	candidates iamwatch_internal.candidate[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_variable
DECLARE
	period interval := settings.deduplication_days * interval '24 hours';
	c iamwatch_internal.candidate;
	e iamwatch.event;
	alert_id bigint;
	opened_at timestamptz;
	writable boolean;
	joining iamwatch.event[] := '{}';
	leaving iamwatch_internal.candidate[] := '{}';
	rows bigint;
	most_rows bigint;
	over bigint := 0;
	shadowed boolean := iamwatch_internal.has_suppressed(((candidates[1]).event).identity);
	rules iamwatch.suppressions[];
	suppression bigint;
	hidden iamwatch_internal.candidate[] := '{}';
	suppressions bigint[] := '{}';
	declined timestamptz;
BEGIN
	FOREACH c IN ARRAY candidates LOOP
		e := c.event;
		CONTINUE WHEN shadowed AND iamwatch_internal.in_suppressed(c, period);

		-- the earliest alert near enough; the next event may still be near it
		IF alert_id IS NULL OR e.event_time >= opened_at + period THEN
			IF joining <> '{}' THEN
				PERFORM iamwatch_internal.join_alert(settings, alert_id, joining);
				joining := '{}';
			END IF;
			SELECT a.alert_id, a.first_event_time, a.event_count INTO alert_id, opened_at, rows
			FROM iamwatch.alerts AS a
			WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
			AND a.first_event_time > e.event_time - period
			AND a.first_event_time < e.event_time + period
			AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
			AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
			AND a.detector = c.detector
			ORDER BY a.first_event_time LIMIT 1;
			IF alert_id IS NOT NULL AND opened_at > e.event_time THEN
				IF iamwatch_internal.in_activation(settings, e) THEN
					alert_id := NULL;
					CONTINUE;
				END IF;
			END IF;
			-- somebody may be at work on it, for as long as they like
			IF alert_id IS NOT NULL THEN
				PERFORM FROM iamwatch.alerts AS a WHERE a.alert_id = alert_id
				FOR NO KEY UPDATE SKIP LOCKED;
				writable := FOUND;
			END IF;
		END IF;

		IF alert_id IS NULL THEN
			-- a day is scored once, by the first event that may open an alert
			c.unusual := c.unusual AND date_trunc('day', e.event_time, 'UTC') IS DISTINCT FROM declined;
			IF c.unusual AND c.day_scored THEN
				c.unusual := EXISTS (SELECT FROM iamwatch_internal.all_alerts AS a
					WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
					AND a.first_event_time <= e.event_time - period
					AND a.first_event_time >= date_trunc('day', e.event_time, 'UTC') - period
					AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
					AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
					AND a.detector = c.detector);
			END IF;
			IF c.unusual OR shadowed THEN
				rules := coalesce(rules, iamwatch_internal.suppressions_of(c.detector, e));
				suppression := iamwatch_internal.suppression_of(rules, e);
				IF suppression IS NOT NULL THEN
					hidden := array_append(hidden, c);
					suppressions := array_append(suppressions, suppression);
					shadowed := true;
					CONTINUE;
				ELSIF shadowed THEN
					PERFORM iamwatch_internal.assign_to_suppressed(settings, hidden, suppressions);
					hidden := '{}';
					suppressions := '{}';
					c := iamwatch_internal.uncovered(c, period);
				END IF;
			END IF;
			IF c.unusual THEN
				alert_id := iamwatch_internal.open_alert(settings, c);
				IF alert_id IS NULL THEN
					declined := date_trunc('day', e.event_time, 'UTC');
				END IF;
				opened_at := e.event_time;
				writable := true;
				rows := 1;
				PERFORM iamwatch_internal.notify_alert(alert_id);
			END IF;
			CONTINUE;
		END IF;

		-- a day on which context did not make it unusual, or the risk was too low, stays out of a later alert
		IF (settings.context_bits > 0 OR settings.least_risk IS NOT NULL) AND opened_at >= date_trunc('day', e.event_time, 'UTC') + interval '24 hours' THEN
			CONTINUE;
		END IF;
		IF e.event_id IS NOT NULL AND EXISTS (
			SELECT FROM iamwatch.alert_events AS x
			WHERE x.alert_id = alert_id
			AND hashtextextended(x.event_id, 0) = hashtextextended(e.event_id, 0)
			AND x.event_id = e.event_id) THEN
			CONTINUE;
		END IF;
		IF writable THEN
			most_rows := coalesce(most_rows, iamwatch_internal.limit_value('alert_events'));
			IF rows < most_rows THEN
				INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
				VALUES (alert_id, e.event_time, e.event_id);
			ELSE
				over := over + 1;
			END IF;
			rows := rows + 1;
			joining := array_append(joining, e);
		ELSE
			leaving := array_append(leaving, c);
		END IF;
	END LOOP;
	IF joining <> '{}' THEN
		PERFORM iamwatch_internal.join_alert(settings, alert_id, joining);
	END IF;
	IF leaving <> '{}' THEN
		PERFORM iamwatch_internal.leave_pending(leaving);
	END IF;
	IF over > 0 THEN
		PERFORM iamwatch_internal.count_limit('alert_events', iamwatch_internal.limit_scope(e.provider, e.account),
			(e.event_time AT TIME ZONE 'UTC')::date, 0, over);
	END IF;
	IF cardinality(suppressions) > 0 THEN
		PERFORM iamwatch_internal.assign_to_suppressed(settings, hidden, suppressions);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_to_alerts(iamwatch.detectors, iamwatch_internal.candidate[]) IS
'let events of a behaviour join an alert, or open one; under the lock of its bucket';

CREATE FUNCTION iamwatch_internal.is_same_behaviour(a iamwatch.event, b iamwatch.event) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN a.identity = b.identity AND a.operation = b.operation AND a.service = b.service
		AND a.failed = b.failed AND a.account = b.account AND a.provider = b.provider;
COMMENT ON FUNCTION iamwatch_internal.is_same_behaviour(iamwatch.event, iamwatch.event) IS
'whether two events are of one identity and operation, with the same outcome';

CREATE FUNCTION iamwatch_internal.leave_pending(candidates iamwatch_internal.candidate[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first iamwatch_internal.candidate := candidates[1];
	e iamwatch.event := first.event;
	most bigint := iamwatch_internal.limit_value('pending_events');
	room bigint;
BEGIN
	SELECT most - count(*) INTO room FROM (SELECT FROM iamwatch_internal.pending_events AS p
		WHERE hashtextextended((p.event).identity, 0) = hashtextextended(e.identity, 0)
		AND iamwatch_internal.is_same_behaviour(p.event, e) AND p.detector = first.detector
		LIMIT most) AS waiting;
	IF cardinality(candidates) > room THEN
		PERFORM iamwatch_internal.count_limit('pending_events', iamwatch_internal.limit_scope(e.provider, e.account),
			(e.event_time AT TIME ZONE 'UTC')::date, 0, cardinality(candidates) - room);
		candidates := candidates[1:room::integer];
	END IF;
	INSERT INTO iamwatch_internal.pending_events (detector, event, unusual, day_scored, score)
	SELECT c.* FROM unnest(candidates) AS c;
END $$;
COMMENT ON FUNCTION iamwatch_internal.leave_pending(iamwatch_internal.candidate[]) IS
'keep events for the next session that touches their behaviour';

-- Whoever stored the first event of a day scored the day.  While that event
-- waits here nothing has come of it, so another event of the day that was
-- stored since is not one more of a day that is done with.
CREATE FUNCTION iamwatch_internal.put_in_order(candidates iamwatch_internal.candidate[])
	RETURNS iamwatch_internal.candidate[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(ROW(c.detector, c.event, c.unusual, c.day_scored, c.score)::iamwatch_internal.candidate
		ORDER BY (c.event).event_time, (c.event).event_id COLLATE "C")
	FROM (SELECT u.detector, u.event, u.unusual, u.score, bool_and(u.day_scored)
			OVER (PARTITION BY date_trunc('day', (u.event).event_time, 'UTC')) AS day_scored
		FROM unnest(candidates) AS u) AS c
$$;
COMMENT ON FUNCTION iamwatch_internal.put_in_order(iamwatch_internal.candidate[]) IS
'events of one behaviour, some of which had to wait, in order of event time; a day counts as scored before only if none of its events says otherwise';

CREATE FUNCTION iamwatch_internal.assign_with_pending(candidates iamwatch_internal.candidate[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first iamwatch_internal.candidate := candidates[1];
	e iamwatch.event := first.event;
	settings iamwatch.detectors;
	earlier iamwatch_internal.candidate[];
BEGIN
	IF NOT iamwatch_internal.may_fold()
		OR NOT iamwatch_internal.try_lock(2, iamwatch_internal.alert_lock_key(e)) THEN
		PERFORM iamwatch_internal.leave_pending(candidates);
		RETURN;
	END IF;
	SELECT * INTO settings FROM iamwatch.detectors AS d WHERE d.detector = first.detector;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF EXISTS (SELECT FROM iamwatch_internal.pending_events AS p
		WHERE hashtextextended((p.event).identity, 0) = hashtextextended(e.identity, 0)) THEN
		WITH taken AS (
			DELETE FROM iamwatch_internal.pending_events AS p
			WHERE hashtextextended((p.event).identity, 0) = hashtextextended(e.identity, 0)
			AND iamwatch_internal.is_same_behaviour(p.event, e) AND p.detector = first.detector
			RETURNING ROW(p.detector, p.event, p.unusual, p.day_scored, p.score)::iamwatch_internal.candidate AS c
		)
		SELECT array_agg(c) INTO earlier FROM taken;
		IF earlier IS NOT NULL THEN
			candidates := iamwatch_internal.put_in_order(earlier || candidates);
		END IF;
	END IF;

	PERFORM iamwatch_internal.assign_to_alerts(settings, candidates);
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_with_pending(iamwatch_internal.candidate[]) IS
'let events of one detector and behaviour, in order of time, and those that others left of it, join or open an alert';
