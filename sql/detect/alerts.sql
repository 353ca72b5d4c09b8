-- From an unusual event to an alert.
--
-- What becomes of each is decided in src/detect/assign.c, and how one is opened
-- in open_alert.c.  Here is what they call where an alert is joined, or others
-- have left something: functions without SET search_path, which the callers have set.

CREATE FUNCTION iamwatch_internal.severity_rank(severity text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN array_position(ARRAY['informational', 'low', 'medium', 'high', 'critical'], severity);
COMMENT ON FUNCTION iamwatch_internal.severity_rank(text) IS '1 informational to 5 critical';

CREATE FUNCTION iamwatch_internal.alert_lock_key(event iamwatch.event) RETURNS integer
	AS 'MODULE_PATHNAME', 'iamwatch_alert_lock_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.alert_lock_key(iamwatch.event) IS
'the key that behaviours have in common in the lock under which their alerts are written, class 2';

CREATE FUNCTION iamwatch_internal.try_lock_alerts(event iamwatch.event) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock_alerts' LANGUAGE C VOLATILE STRICT;
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

CREATE FUNCTION iamwatch_internal.variation(settings iamwatch.detectors, event iamwatch.event,
	OUT variation text, OUT severity text)
	AS 'MODULE_PATHNAME', 'iamwatch_variation' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.variation(iamwatch.detectors, iamwatch.event) IS
'the variation of the detector that an event falls under, and its severity';

-- ---- evidence ----

CREATE FUNCTION iamwatch_internal.merge_evidence(evidence jsonb, events iamwatch.event[]) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_merge_evidence' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.merge_evidence(jsonb, iamwatch.event[]) IS
'evidence with what further events show';

-- ---- open one ----

CREATE FUNCTION iamwatch_internal.insert_alert_event(alert_id bigint, event_time timestamptz, event_id text) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id) VALUES ($1, $2, $3);
END $$;
COMMENT ON FUNCTION iamwatch_internal.insert_alert_event(bigint, timestamptz, text) IS
'write an event of an alert, by a statement: where its table needs one';

-- Whoever stores an alert by a statement names its columns by this one: the table can
-- have more, added by somebody, which get their defaults or are generated.
CREATE FUNCTION iamwatch_internal.alert_columns(alert iamwatch_internal.all_alerts) RETURNS TABLE (
		alert_id bigint, incident_id bigint, detector text, variation text, severity text, risk double precision,
		status text, detected_at timestamptz, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, tactic text, technique text,
		probability double precision, surprise double precision, evidence jsonb, resolution text, assignee text,
		note text, attack_until date, excluded_days iamwatch.dayset)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT
		$1.alert_id, $1.incident_id, $1.detector, $1.variation, $1.severity, $1.risk, $1.status, $1.detected_at,
		$1.first_event_time, $1.last_event_time, $1.event_count, $1.provider, $1.account, $1.identity,
		$1.identity_kind, $1.service, $1.operation, $1.failed, $1.category, $1.sensitivity, $1.tactic, $1.technique,
		$1.probability, $1.surprise, $1.evidence, $1.resolution, $1.assignee, $1.note, $1.attack_until,
		$1.excluded_days
$$;
COMMENT ON FUNCTION iamwatch_internal.alert_columns(iamwatch_internal.all_alerts) IS
'the columns that alerts have of their own, in order';

-- A statement of its own only where the tables need one: see src/server/insert.c.
-- One for both, so that triggers of either find the other's row.  But the server
-- refuses that where a table has rules: then the event is there before the alert.
CREATE FUNCTION iamwatch_internal.insert_alert(alert iamwatch_internal.all_alerts, event_time timestamptz, event_id text,
	suppression bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relhasrules
		AND c.oid IN ('iamwatch.alerts'::regclass, 'iamwatch.alert_events'::regclass, 'iamwatch_internal.suppressed_alerts'::regclass)) THEN
		PERFORM iamwatch_internal.insert_alert_event(alert.alert_id, event_time, event_id);
		IF suppression IS NULL THEN
			INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE SELECT o.* FROM iamwatch_internal.alert_columns(alert) AS o;
		ELSE
			INSERT INTO iamwatch_internal.suppressed_alerts SELECT o.*, suppression FROM iamwatch_internal.alert_columns(alert) AS o;
		END IF;
	ELSIF suppression IS NULL THEN
		WITH opened AS (
			INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE SELECT o.* FROM iamwatch_internal.alert_columns(alert) AS o
		)
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		VALUES (alert.alert_id, insert_alert.event_time, insert_alert.event_id);
	ELSE
		WITH opened AS (
			INSERT INTO iamwatch_internal.suppressed_alerts SELECT o.*, suppression FROM iamwatch_internal.alert_columns(alert) AS o
		)
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		VALUES (alert.alert_id, insert_alert.event_time, insert_alert.event_id);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.insert_alert(iamwatch_internal.all_alerts, timestamptz, text, bigint) IS
'write an alert with its event, a suppressed one if the suppression is given that hides it';

CREATE FUNCTION iamwatch_internal.open_alert(settings iamwatch.detectors, c iamwatch_internal.candidate,
	suppression bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'iamwatch_open_alert' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.open_alert(iamwatch.detectors, iamwatch_internal.candidate, bigint) IS
'open an alert, a suppressed one if the suppression is given that hides it; its number. Null if there is none: the operation has left the catalogue, or context counts and does not make it unusual, or its risk is below the least, or the limit alerts is reached and nothing is known of the identity';

CREATE FUNCTION iamwatch_internal.tell_of_alerts() RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_tell_of_alerts' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.tell_of_alerts() IS
'have all sessions look up anew, from when this transaction commits, whether an event may join an alert: for alerts that come otherwise than by iamwatch_internal.open_alert()';

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
	AS 'MODULE_PATHNAME', 'iamwatch_note_event' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.note_event(bigint, iamwatch.event, boolean) IS
'whether the event is not one of the alert''s yet; if so, and if there is room, it is noted there';

CREATE FUNCTION iamwatch_internal.near_alert(c iamwatch_internal.candidate, period interval) RETURNS iamwatch.alerts
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	e constant iamwatch.event := c.event;
	near iamwatch.alerts;
BEGIN
	-- a range of one hash, and in the order of its index, so that no other serves: that
	-- of times alone would go through the alerts of everybody in the period, and that of
	-- names, which serves =, through all of the account and operation
	SELECT a.* INTO near FROM iamwatch.alerts AS a
	WHERE hashtextextended(a.identity, 0) BETWEEN hashtextextended(e.identity, 0) AND hashtextextended(e.identity, 0)
	AND a.first_event_time > e.event_time - period AND a.first_event_time < e.event_time + period
	AND a.identity IS NOT DISTINCT FROM e.identity AND a.operation IS NOT DISTINCT FROM e.operation AND a.service = e.service
	AND a.failed = e.failed AND a.account IS NOT DISTINCT FROM e.account AND a.provider = e.provider
	AND a.detector = c.detector
	ORDER BY hashtextextended(a.identity, 0), a.first_event_time LIMIT 1;
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

-- With a deduplication period of no days no alert covers any event, not even the
-- one that opened it.
CREATE FUNCTION iamwatch_internal.has_opened(c iamwatch_internal.candidate) RETURNS boolean
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	e constant iamwatch.event := c.event;
BEGIN
	RETURN e.event_id IS NOT NULL AND EXISTS (SELECT FROM iamwatch_internal.all_alerts AS a
		JOIN iamwatch.alert_events AS x ON x.alert_id = a.alert_id
			AND hashtextextended(x.event_id, 0) = hashtextextended(e.event_id, 0) AND x.event_id = e.event_id
		WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
		AND a.first_event_time = e.event_time
		AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
		AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
		AND a.detector = c.detector);
END $$;
COMMENT ON FUNCTION iamwatch_internal.has_opened(iamwatch_internal.candidate) IS
'whether the event has opened an alert before, shown or suppressed, and so was delivered again';

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

CREATE FUNCTION iamwatch_internal.with_pending(candidates iamwatch_internal.candidate[])
	RETURNS iamwatch_internal.candidate[]
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first constant iamwatch_internal.candidate := candidates[1];
	e constant iamwatch.event := first.event;
	earlier iamwatch_internal.candidate[];
BEGIN
	WITH taken AS (
		DELETE FROM iamwatch_internal.pending_events AS p
		WHERE hashtextextended((p.event).identity, 0) = hashtextextended(e.identity, 0)
		AND iamwatch_internal.is_same_behaviour(p.event, e) AND p.detector = first.detector
		RETURNING ROW(p.detector, p.event, p.unusual, p.day_scored, p.score)::iamwatch_internal.candidate AS c
	)
	SELECT array_agg(c) INTO earlier FROM taken;
	RETURN iamwatch_internal.put_in_order(earlier || candidates);
END $$;
COMMENT ON FUNCTION iamwatch_internal.with_pending(iamwatch_internal.candidate[]) IS
'candidates of a behaviour, and those that others left of it, which are taken: under its lock, in order of event time';

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

CREATE FUNCTION iamwatch_internal.assign_to_alerts(settings iamwatch.detectors, candidates iamwatch_internal.candidate[])
	RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_assign_to_alerts' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.assign_to_alerts(iamwatch.detectors, iamwatch_internal.candidate[]) IS
'let events of one detector and behaviour, in order of event time, and those that others left of it, join or open an alert';
