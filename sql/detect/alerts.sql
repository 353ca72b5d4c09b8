-- From an unusual event to an alert.
--
-- One session at a time writes the alerts of a behaviour.  Whoever finds that
-- taken leaves its events in pending_events; the next session that touches
-- the behaviour, or iamwatch.maintain(), lets them join or open an alert.
-- Nobody waits, and no reader sees two alerts for one behaviour within the
-- deduplication period.
--
-- To start a statement costs more than most of the work here, so what need not
-- be one is an expression: functions without SET search_path, which the callers
-- have set, and look-ups in C (lookups.sql).

CREATE FUNCTION iamwatch_internal.severity_rank(severity text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN array_position(ARRAY['informational', 'low', 'medium', 'high', 'critical'], severity);
COMMENT ON FUNCTION iamwatch_internal.severity_rank(text) IS '1 informational to 5 critical';

-- By account and by behaviour.  2,048 in all: a statement of any size gets each
-- that it asks for, and what it holds leaves room in the server's table of
-- locks.  Sessions that write different accounts share them, see try_lock_alerts().
CREATE FUNCTION iamwatch_internal.alert_lock_key(event iamwatch.event) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN iamwatch_internal.account_bucket(event.account) * 32
		+ (hashtextextended(event.identity, hashtextextended(event.service,
			hashtextextended(event.operation, event.failed::integer))) & 31)::integer;
COMMENT ON FUNCTION iamwatch_internal.alert_lock_key(iamwatch.event) IS
'the key that behaviours have in common in the lock under which their alerts are written, class 2';

CREATE FUNCTION iamwatch_internal.try_lock_alerts(event iamwatch.event) RETURNS boolean
	LANGUAGE sql VOLATILE
	RETURN iamwatch_internal.try_lock(2, iamwatch_internal.alert_lock_key(event), hashtextextended(event.account,
		iamwatch_internal.alert_lock_key(event)));
COMMENT ON FUNCTION iamwatch_internal.try_lock_alerts(iamwatch.event) IS
'take the lock under which alerts of the behaviour of an event are written, unless another session has it; it covers the thirty-second part of the behaviours of its account';

-- ---- how severe ----

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
	variation := settings.variation_names[1];
	severity := settings.severity_base;
	IF NOT event.is_user THEN
		variation := settings.variation_names[2];
		severity := settings.severity_non_user;
	END IF;
	IF iamwatch_internal.faces_internet(event) AND (event.is_user
		OR iamwatch_internal.severity_rank(settings.severity_internet_facing) >= iamwatch_internal.severity_rank(severity)) THEN
		variation := settings.variation_names[3];
		severity := settings.severity_internet_facing;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.variation(iamwatch.detectors, iamwatch.event) IS
'the variation of the detector that an event falls under, and its severity';

-- ---- evidence ----

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
	source_hosts text[];
	user_agents text[];
	targets text[];
	granted text[];
	acting_for text[];
	instances text[];
	event_ids text[];
BEGIN
	FOREACH e IN ARRAY events LOOP
		source_addresses := array_append(source_addresses, host(e.source_ip));
		source_hosts := array_append(source_hosts, e.source_host);
		user_agents := array_append(user_agents, e.user_agent);
		targets := array_append(targets, e.target);
		granted := array_append(granted, e.granted);
		acting_for := array_append(acting_for, e.acting_for);
		instances := array_append(instances, e.instance_id);
		event_ids := array_append(event_ids, e.event_id);
	END LOOP;
	RETURN evidence || jsonb_build_object(
		'source_addresses', iamwatch_internal.merge_texts(evidence->'source_addresses', source_addresses, 20),
		'source_hosts', iamwatch_internal.merge_texts(evidence->'source_hosts', source_hosts, 20),
		'user_agents', iamwatch_internal.merge_texts(evidence->'user_agents', user_agents, 20),
		'targets', iamwatch_internal.merge_texts(evidence->'targets', targets, 20),
		'granted', iamwatch_internal.merge_texts(evidence->'granted', granted, 20),
		'acting_for', iamwatch_internal.merge_texts(evidence->'acting_for', acting_for, 20),
		'instances', iamwatch_internal.merge_texts(evidence->'instances', instances, 20),
		'event_ids', iamwatch_internal.merge_texts(evidence->'event_ids', event_ids, 1000));
END $$;
COMMENT ON FUNCTION iamwatch_internal.merge_evidence(jsonb, iamwatch.event[]) IS
'evidence with what further events show';

-- Peers are named to be recognised; the numbers of all of them are K and N.
-- Names are cut as other evidence is: ten of them must not exceed what jsonb holds.
CREATE FUNCTION iamwatch_internal.peers(event iamwatch.event, ids iamwatch_internal.ids, training_days integer)
	RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_peers' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.peers(iamwatch.event, iamwatch_internal.ids, integer) IS
'up to ten peers that did the same in the training period, with the number of days that count';

-- ---- open one ----

CREATE FUNCTION iamwatch_internal.new_alert(settings iamwatch.detectors, c iamwatch_internal.candidate,
	OUT alert iamwatch_internal.all_alerts)
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e constant iamwatch.event := c.event;
	score iamwatch_internal.score := c.score;
	ids constant iamwatch_internal.ids := iamwatch_internal.ids_of(e);
	o constant record := iamwatch_internal.catalogued(e);
	in_scope constant text := iamwatch_internal.limit_scope(e.provider, e.account);
	day constant date := (e.event_time AT TIME ZONE 'UTC')::date;
	context jsonb;
	v record;
BEGIN
	IF o.category IS NULL THEN
		RETURN;
	END IF;
	context := iamwatch_internal.context_of(e, ids, settings.training_days, score.active);
	IF settings.context_bits > 0 THEN
		score.probability := iamwatch_internal.in_context(settings, score.probability, context);
		IF score.probability >= settings.probability_limit THEN
			RETURN;
		END IF;
	END IF;
	-- what follows a suppressed event has the counts of that
	IF score.risk_active IS NULL THEN
		score := iamwatch_internal.with_risk(settings, e, ids, score);
	END IF;
	alert.risk := iamwatch_internal.risk_of(settings, score, o.sensitivity, context);
	IF alert.risk < settings.least_risk THEN
		alert := NULL;
		RETURN;
	END IF;
	IF score.active = 0 AND iamwatch_internal.limit_room('alerts', in_scope, day) = 0 THEN
		PERFORM iamwatch_internal.count_limit('alerts', in_scope, day, 0, 1);
		alert := NULL;
		RETURN;
	END IF;
	v := iamwatch_internal.variation(settings, e);
	alert.alert_id := iamwatch_internal.number_here(nextval('iamwatch.alerts_alert_id_seq'));
	alert.detector := c.detector;
	alert.variation := v.variation;
	alert.severity := v.severity;
	alert.status := 'new';
	alert.detected_at := clock_timestamp();
	alert.first_event_time := e.event_time;
	alert.last_event_time := e.event_time;
	alert.event_count := 1;
	alert.provider := e.provider;
	alert.account := e.account;
	alert.identity := e.identity;
	alert.identity_kind := e.identity_kind;
	alert.service := e.service;
	alert.operation := e.operation;
	alert.failed := e.failed;
	alert.category := o.category;
	alert.sensitivity := o.sensitivity;
	alert.tactic := settings.tactic;
	alert.technique := coalesce(o.technique, settings.technique);
	alert.probability := score.probability;
	alert.surprise := iamwatch.surprise(score.probability);
	alert.evidence := iamwatch_internal.merge_evidence(jsonb_build_object('k', score.k, 'A', score.active,
		'K', score.peer_days, 'N', score.peer_active, 'risk', iamwatch_internal.risk_evidence(score),
		'memory_days', settings.memory_days, 'peer_memory_days', settings.peer_memory_days,
		'training_days', settings.training_days, 'context', context,
		'peers', iamwatch_internal.peers(e, ids, settings.training_days)), ARRAY[e]);
END $$;
COMMENT ON FUNCTION iamwatch_internal.new_alert(iamwatch.detectors, iamwatch_internal.candidate) IS
'the alert that an unusual event opens, with its evidence; null if the operation has left the catalogue, or context counts and does not make it unusual, or its risk is below the least, or the limit alerts is reached and nothing is known of the identity';

CREATE FUNCTION iamwatch_internal.open_alert(settings iamwatch.detectors, c iamwatch_internal.candidate,
	suppression bigint DEFAULT NULL) RETURNS iamwatch_internal.all_alerts
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e constant iamwatch.event := c.event;
	a constant iamwatch_internal.all_alerts := iamwatch_internal.new_alert(settings, c);
	counted boolean;
BEGIN
	IF a.alert_id IS NULL THEN
		RETURN a;
	ELSIF suppression IS NULL THEN
		WITH opened AS (
			INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE SELECT (a).*
		)
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		VALUES (a.alert_id, e.event_time, e.event_id);
	ELSE
		WITH opened AS (
			INSERT INTO iamwatch_internal.suppressed_alerts SELECT (a).*, suppression
		)
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		VALUES (a.alert_id, e.event_time, e.event_id);
	END IF;
	counted := iamwatch_internal.count_limit('alerts', iamwatch_internal.limit_scope(e.provider, e.account),
		(e.event_time AT TIME ZONE 'UTC')::date, 1, 0);
	RETURN a;
END $$;
COMMENT ON FUNCTION iamwatch_internal.open_alert(iamwatch.detectors, iamwatch_internal.candidate, bigint) IS
'open an alert, a suppressed one if the suppression is given that hides it; null as of iamwatch_internal.new_alert()';

-- ---- join one ----

CREATE FUNCTION iamwatch_internal.worst_variation(settings iamwatch.detectors, events iamwatch.event[],
	OUT variation text, OUT severity text)
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	e iamwatch.event;
	v record;
BEGIN
	FOREACH e IN ARRAY events LOOP
		v := iamwatch_internal.variation(settings, e);
		IF severity IS NULL OR iamwatch_internal.severity_rank(v.severity) > iamwatch_internal.severity_rank(severity) THEN
			variation := v.variation;
			severity := v.severity;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.worst_variation(iamwatch.detectors, iamwatch.event[]) IS
'the most severe variation that any of the events falls under';

CREATE FUNCTION iamwatch_internal.join_alert(settings iamwatch.detectors, into_alert bigint,
	events iamwatch.event[]) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	worst record;
	joined record;
	told boolean;
BEGIN
	worst := iamwatch_internal.worst_variation(settings, events);
	UPDATE iamwatch_internal.all_alerts AS a SET
		event_count = a.event_count + cardinality(events),
		last_event_time = GREATEST(a.last_event_time, (SELECT max((x).event_time) FROM unnest(events) AS x)),
		variation = CASE WHEN m.rises THEN worst.variation ELSE a.variation END,
		severity = CASE WHEN m.rises THEN worst.severity ELSE a.severity END,
		-- what has not changed is not written again: it can be large
		evidence = CASE WHEN m.evidence = a.evidence THEN a.evidence ELSE m.evidence END,
		-- more of what is known to be an attack
		excluded_days = CASE WHEN a.excluded_days IS NOT NULL THEN a.excluded_days
			| (SELECT dayset_agg((x).event_time) FROM unnest(events) AS x) END
	FROM (SELECT b.alert_id, iamwatch_internal.merge_evidence(b.evidence, events) AS evidence,
			iamwatch_internal.severity_rank(worst.severity) > iamwatch_internal.severity_rank(b.severity) AS rises
		FROM iamwatch_internal.all_alerts AS b WHERE b.alert_id = into_alert OFFSET 0) AS m
	WHERE a.alert_id = into_alert
	RETURNING a::iamwatch_internal.all_alerts AS alert, m.rises INTO joined;
	IF joined.rises THEN
		told := iamwatch_internal.notify_alert(settings, joined.alert);
	END IF;
	RETURN joined.rises;
END $$;
COMMENT ON FUNCTION iamwatch_internal.join_alert(iamwatch.detectors, bigint, iamwatch.event[]) IS
'let events join an alert, suppressed or not, that is locked by this transaction; whether that makes it more severe';

-- Somebody may be at work on the alert, for as long as they like.
CREATE FUNCTION iamwatch_internal.try_lock_alert(alert_id bigint) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = $1 FOR NO KEY UPDATE SKIP LOCKED;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION iamwatch_internal.try_lock_alert(bigint) IS
'lock an alert, suppressed or not, unless another session has; whether it did';

-- Its id is noted if the alert takes the event, and has room for the id.
CREATE FUNCTION iamwatch_internal.note_event(alert_id bigint, e iamwatch.event, has_room boolean) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	is_new boolean;
BEGIN
	WITH fresh AS (
		SELECT WHERE e.event_id IS NULL OR NOT EXISTS (SELECT FROM iamwatch.alert_events AS x
			WHERE x.alert_id = $1 AND hashtextextended(x.event_id, 0) = hashtextextended(e.event_id, 0)
			AND x.event_id = e.event_id)
	), noted AS (
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		SELECT $1, e.event_time, e.event_id FROM fresh WHERE has_room
	)
	SELECT EXISTS (SELECT FROM fresh) INTO is_new;
	RETURN is_new;
END $$;
COMMENT ON FUNCTION iamwatch_internal.note_event(bigint, iamwatch.event, boolean) IS
'whether the event is not one of the alert''s yet; if so, and if there is room, it is noted there';

CREATE FUNCTION iamwatch_internal.near_alert(c iamwatch_internal.candidate, period interval) RETURNS iamwatch.alerts
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	e constant iamwatch.event := c.event;
	near iamwatch.alerts;
BEGIN
	SELECT a.* INTO near FROM iamwatch.alerts AS a
	WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
	AND a.first_event_time > e.event_time - period AND a.first_event_time < e.event_time + period
	AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
	AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
	AND a.detector = c.detector
	ORDER BY a.first_event_time LIMIT 1;
	RETURN near;
END $$;
COMMENT ON FUNCTION iamwatch_internal.near_alert(iamwatch_internal.candidate, interval) IS
'the earliest alert within the deduplication period of an event; null if there is none';

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
		-- in the order of its index, so that no other serves
		(SELECT j.first_event_time FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended((e).account, 0)
		AND j.account = (e).account AND j.provider = (e).provider AND j.first_event_time IS NOT NULL
		ORDER BY j.first_event_time LIMIT 1)) AS h
$$;
COMMENT ON FUNCTION iamwatch_internal.in_activation(iamwatch.detectors, iamwatch.event) IS
'whether the event lies in the activation period of its account, by what is learned';

-- A day is scored once, by the first event of it that may open an alert.
CREATE FUNCTION iamwatch_internal.opens_on_scored_day(c iamwatch_internal.candidate, period interval) RETURNS boolean
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	e constant iamwatch.event := c.event;
BEGIN
	RETURN EXISTS (SELECT FROM iamwatch_internal.all_alerts AS a
		WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
		AND a.first_event_time <= e.event_time - period
		AND a.first_event_time >= date_trunc('day', e.event_time, 'UTC') - period
		AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
		AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
		AND a.detector = c.detector);
END $$;
COMMENT ON FUNCTION iamwatch_internal.opens_on_scored_day(iamwatch_internal.candidate, interval) IS
'whether the deduplication period of an alert ends on the day before the event, so that it may open one though its day was scored';

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

CREATE FUNCTION iamwatch_internal.take_candidates(candidates iamwatch_internal.candidate[])
	RETURNS iamwatch_internal.candidate[]
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first constant iamwatch_internal.candidate := candidates[1];
	e constant iamwatch.event := first.event;
	earlier iamwatch_internal.candidate[];
BEGIN
	IF NOT iamwatch_internal.may_fold() OR NOT iamwatch_internal.try_lock_alerts(e) THEN
		PERFORM iamwatch_internal.leave_pending(candidates);
		RETURN NULL;
	END IF;
	IF iamwatch_internal.has_pending(e) THEN
		WITH taken AS (
			DELETE FROM iamwatch_internal.pending_events AS p
			WHERE hashtextextended((p.event).identity, 0) = hashtextextended(e.identity, 0)
			AND iamwatch_internal.is_same_behaviour(p.event, e) AND p.detector = first.detector
			RETURNING ROW(p.detector, p.event, p.unusual, p.day_scored, p.score)::iamwatch_internal.candidate AS c
		)
		SELECT array_agg(c) INTO earlier FROM taken;
		RETURN iamwatch_internal.put_in_order(earlier || candidates);
	END IF;
	RETURN candidates;
END $$;
COMMENT ON FUNCTION iamwatch_internal.take_candidates(iamwatch_internal.candidate[]) IS
'under the lock of their behaviour, the candidates and those that others left of it; null if they had to be left to others';

-- ---- events of a behaviour, one after the other ----

CREATE FUNCTION iamwatch_internal.covering_alert(settings iamwatch.detectors, c iamwatch_internal.candidate, period interval,
	OUT alert iamwatch_internal.all_alerts, OUT is_too_early boolean)
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	alert := iamwatch_internal.near_alert(c, period)::iamwatch_internal.all_alerts;
	is_too_early := false;
	IF alert.first_event_time > (c.event).event_time THEN
		is_too_early := iamwatch_internal.in_activation(settings, c.event);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.covering_alert(iamwatch.detectors, iamwatch_internal.candidate, interval) IS
'the earliest alert within the deduplication period of an event, null if there is none; and whether the event comes before any alert, so that nothing becomes of it';

CREATE FUNCTION iamwatch_internal.may_open(c iamwatch_internal.candidate, declined timestamptz, has_alerts boolean, period interval)
	RETURNS boolean
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF NOT c.unusual OR date_trunc('day', (c.event).event_time, 'UTC') = declined THEN
		RETURN false;
	END IF;
	RETURN NOT c.day_scored OR has_alerts AND iamwatch_internal.opens_on_scored_day(c, period);
END $$;
COMMENT ON FUNCTION iamwatch_internal.may_open(iamwatch_internal.candidate, timestamptz, boolean, interval) IS
'whether an event that no alert covers may open one: on a day that was declined before it may not, nor on one that was scored before, unless an alert''s deduplication period ends there';

-- A day on which context did not make it unusual, or the risk was too low, stays out of a later alert.
CREATE FUNCTION iamwatch_internal.stays_out(settings iamwatch.detectors, alert iamwatch_internal.all_alerts, e iamwatch.event)
	RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (settings.context_bits > 0 OR settings.least_risk IS NOT NULL)
		AND alert.first_event_time >= date_trunc('day', e.event_time, 'UTC') + interval '24 hours';
COMMENT ON FUNCTION iamwatch_internal.stays_out(iamwatch.detectors, iamwatch_internal.all_alerts, iamwatch.event) IS
'whether an event on a day before an alert is none of its events, as that day was declined';

CREATE FUNCTION iamwatch_internal.finish_assigning(settings iamwatch.detectors, e iamwatch.event, into_alert bigint,
	joining iamwatch.event[], leaving iamwatch_internal.candidate[], over bigint,
	hidden iamwatch_internal.candidate[], suppressions bigint[]) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	done boolean;
BEGIN
	IF joining <> '{}' THEN
		done := iamwatch_internal.join_alert(settings, into_alert, joining);
	END IF;
	IF leaving <> '{}' THEN
		PERFORM iamwatch_internal.leave_pending(leaving);
	END IF;
	IF over > 0 THEN
		done := iamwatch_internal.count_limit('alert_events', iamwatch_internal.limit_scope(e.provider, e.account),
			(e.event_time AT TIME ZONE 'UTC')::date, 0, over);
	END IF;
	IF hidden <> '{}' THEN
		PERFORM iamwatch_internal.assign_to_suppressed(settings, hidden, suppressions);
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.finish_assigning(iamwatch.detectors, iamwatch.event, bigint, iamwatch.event[], iamwatch_internal.candidate[], bigint, iamwatch_internal.candidate[], bigint[]) IS
'write what was gathered of the events of a behaviour: those that join the last alert, those that wait, how many were over the limit of an alert, and those that suppressions hide';

CREATE FUNCTION iamwatch_internal.assign_to_alerts(settings iamwatch.detectors,
	given iamwatch_internal.candidate[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	period constant interval := settings.deduplication_days * interval '24 hours';
	candidates constant iamwatch_internal.candidate[] := iamwatch_internal.take_candidates(given);
	most_events constant bigint := iamwatch_internal.limit_value('alert_events');
	c iamwatch_internal.candidate;
	e iamwatch.event := (candidates[1]).event;
	around record;							-- are there alerts, and suppressed ones, that may concern these?
	near iamwatch_internal.all_alerts;		-- that is being joined
	covering record;
	writable boolean;
	joining iamwatch.event[] := '{}';
	leaving iamwatch_internal.candidate[] := '{}';
	over bigint := 0;
	rules iamwatch.suppressions[];
	suppression bigint;
	hidden iamwatch_internal.candidate[] := '{}';
	suppressions bigint[] := '{}';
	declined timestamptz;
	done boolean;
BEGIN
	IF candidates IS NULL THEN
		RETURN;
	END IF;
	around := iamwatch_internal.alerts_around(e, date_trunc('day', e.event_time, 'UTC') - period,
		((candidates[cardinality(candidates)]).event).event_time + period);

	FOREACH c IN ARRAY candidates LOOP
		e := c.event;
		CONTINUE WHEN around.hidden AND iamwatch_internal.in_suppressed(c, period);

		-- the current alert no longer covers this event; find the earliest that does
		IF near.alert_id IS NULL OR e.event_time >= near.first_event_time + period THEN
			IF joining <> '{}' THEN
				done := iamwatch_internal.join_alert(settings, near.alert_id, joining);
				joining := '{}';
			END IF;
			near := NULL;
			IF around.shown THEN
				covering := iamwatch_internal.covering_alert(settings, c, period);
				CONTINUE WHEN covering.is_too_early;
				near := covering.alert;
				IF near.alert_id IS NOT NULL THEN
					writable := iamwatch_internal.try_lock_alert(near.alert_id);
				END IF;
			END IF;
		END IF;

		IF near.alert_id IS NOT NULL THEN
			CONTINUE WHEN iamwatch_internal.stays_out(settings, near, e);
			CONTINUE WHEN NOT iamwatch_internal.note_event(near.alert_id, e, writable AND near.event_count < most_events);
			IF writable THEN
				over := over + (near.event_count >= most_events)::integer;
				near.event_count := near.event_count + 1;
				joining := array_append(joining, e);
			ELSE
				leaving := array_append(leaving, c);
			END IF;
			CONTINUE;
		END IF;

		c.unusual := iamwatch_internal.may_open(c, declined, around.shown OR around.hidden, period);
		IF c.unusual OR around.hidden THEN
			rules := coalesce(rules, iamwatch_internal.suppressions_of(c.detector, e));
			suppression := iamwatch_internal.suppression_of(rules, e);
			IF suppression IS NOT NULL THEN
				hidden := array_append(hidden, c);
				suppressions := array_append(suppressions, suppression);
				around.hidden := true;
				CONTINUE;
			ELSIF around.hidden THEN
				PERFORM iamwatch_internal.assign_to_suppressed(settings, hidden, suppressions);
				hidden := '{}';
				suppressions := '{}';
				c := iamwatch_internal.uncovered(c, period);
			END IF;
		END IF;
		IF c.unusual THEN
			near := iamwatch_internal.open_alert(settings, c);
			IF near.alert_id IS NULL THEN
				declined := date_trunc('day', e.event_time, 'UTC');
			ELSE
				around.shown := true;
				writable := true;
				done := iamwatch_internal.notify_alert(settings, near);
			END IF;
		END IF;
	END LOOP;
	done := iamwatch_internal.finish_assigning(settings, e, near.alert_id, joining, leaving, over, hidden, suppressions);
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_to_alerts(iamwatch.detectors, iamwatch_internal.candidate[]) IS
'let events of one detector and behaviour, in order of event time, and those that others left of it, join or open an alert';
