-- What the order of event time would have raised.
--
-- A behaviour at a time, under the lock of its alerts.  Those of which a
-- backfill has read every event are judged: they are put aside in a
-- subtransaction, all events of the behaviour open and join alerts anew with
-- the scores of the whole history, what comes of that is noted, and the
-- subtransaction is rolled back.  Then only what differs is written: an alert
-- that is still raised keeps its number, whatever else was wrong of it; one
-- that is not is withdrawn, or, if somebody has worked on it, stays and says so.

CREATE TYPE iamwatch_internal.whole_alert AS (
	alert iamwatch_internal.all_alerts,
	suppression_id bigint,
	event_times timestamptz[],
	event_ids text[]
);
COMMENT ON TYPE iamwatch_internal.whole_alert IS 'an alert, suppressed or not, with its events in order';

CREATE FUNCTION iamwatch_internal.alerts_of(detector text, e iamwatch.event) RETURNS iamwatch_internal.whole_alert[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	RETURN ARRAY(
		SELECT ROW(a.alert, a.suppression_id, x.times, x.ids)::iamwatch_internal.whole_alert
		FROM (
			SELECT s::iamwatch_internal.all_alerts AS alert, NULL::bigint AS suppression_id FROM iamwatch.alerts AS s
			-- none of these is null: that of names is not looked in, which serves =
			WHERE hashtextextended(s.identity, 0) = hashtextextended(e.identity, 0)
			AND s.identity IS NOT DISTINCT FROM e.identity AND s.operation IS NOT DISTINCT FROM e.operation AND s.service = e.service
			AND s.failed = e.failed AND s.account IS NOT DISTINCT FROM e.account AND s.provider = e.provider
			AND s.detector = alerts_of.detector
			UNION ALL
			SELECT h::iamwatch_internal.all_alerts, h.suppression_id FROM iamwatch_internal.suppressed_alerts AS h
			WHERE hashtextextended(h.identity, 0) = hashtextextended(e.identity, 0)
			AND h.identity = e.identity AND h.operation = e.operation AND h.service = e.service
			AND h.failed = e.failed AND h.account = e.account AND h.provider = e.provider
			AND h.detector = alerts_of.detector) AS a
		CROSS JOIN LATERAL (
			SELECT coalesce(array_agg(n.event_time ORDER BY n.event_time, n.event_id COLLATE "C"), '{}') AS times,
				coalesce(array_agg(n.event_id ORDER BY n.event_time, n.event_id COLLATE "C"), '{}') AS ids
			FROM iamwatch.alert_events AS n WHERE n.alert_id = (a.alert).alert_id) AS x
		ORDER BY (a.alert).first_event_time, (a.alert).alert_id);
END $$;
COMMENT ON FUNCTION iamwatch_internal.alerts_of(text, iamwatch.event) IS
'all alerts of a detector and of the behaviour of an event, in order of event time';

-- ---- which may be judged ----

CREATE FUNCTION iamwatch_internal.judged_alerts(settings iamwatch.detectors, behaviour text,
	present iamwatch_internal.whole_alert[]) RETURNS iamwatch_internal.whole_alert[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	RETURN ARRAY(
		SELECT w::iamwatch_internal.whole_alert
		FROM unnest(present) AS w
		JOIN iamwatch_internal.accounts AS a ON hashtextextended(a.account, 0) = hashtextextended((w.alert).account, 0)
			AND a.account = (w.alert).account AND a.provider = (w.alert).provider
		JOIN pg_temp.iamwatch_read AS r ON r.account = a.account AND r.provider = a.provider
		WHERE cardinality(w.event_times) = (w.alert).event_count
		AND iamwatch_internal.has_memory(a, r.first, ((w.alert).first_event_time AT TIME ZONE 'UTC')::date,
			GREATEST(settings.training_days, settings.memory_days, settings.peer_memory_days))
		AND NOT EXISTS (
			SELECT FROM unnest(w.event_times, w.event_ids) AS x (at, id)
			WHERE NOT EXISTS (SELECT FROM pg_temp.iamwatch_events AS e WHERE e.behaviour = judged_alerts.behaviour
				AND (e.event).event_time = x.at AND (e.event).event_id IS NOT DISTINCT FROM x.id))
		ORDER BY (w.alert).first_event_time, (w.alert).alert_id);
END $$;
COMMENT ON FUNCTION iamwatch_internal.judged_alerts(iamwatch.detectors, text, iamwatch_internal.whole_alert[]) IS
'the alerts of a behaviour of which a backfill has read every event, and of which the baselines know all that came before';

CREATE FUNCTION iamwatch_internal.is_worked_on(w iamwatch_internal.whole_alert) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (w).suppression_id IS NULL AND (((w).alert).status <> 'new'
		OR num_nonnulls(((w).alert).resolution, ((w).alert).assignee, ((w).alert).note, ((w).alert).attack_until) > 0
		OR EXISTS (SELECT FROM iamwatch.alert_history AS h WHERE h.alert_id = ((w).alert).alert_id))
$$;
COMMENT ON FUNCTION iamwatch_internal.is_worked_on(iamwatch_internal.whole_alert) IS
'whether somebody has decided, noted or changed anything of the alert, ever';

-- The alert that takes the event which opened another one.
CREATE FUNCTION iamwatch_internal.counterpart(w iamwatch_internal.whole_alert, others iamwatch_internal.whole_alert[],
	hidden boolean, unlike integer[] DEFAULT '{}') RETURNS integer
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT o.n::integer FROM unnest(others) WITH ORDINALITY AS o (alert, suppression_id, event_times, event_ids, n)
	WHERE ((w).alert).first_event_time = ANY (o.event_times)
	AND (o.suppression_id IS NOT NULL) = hidden AND o.n <> ALL (unlike)
	ORDER BY o.n LIMIT 1
$$;
COMMENT ON FUNCTION iamwatch_internal.counterpart(iamwatch_internal.whole_alert, iamwatch_internal.whole_alert[], boolean, integer[]) IS
'which of the others, by position, has the event that opened the alert, among those that are suppressed or those that are not; null if none';

-- A suppression is asked when an alert is opened, and holds from then on for it.
CREATE FUNCTION iamwatch_internal.is_decided_since(w iamwatch_internal.whole_alert, after iamwatch_internal.whole_alert[])
	RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	hidden constant integer := iamwatch_internal.counterpart(w, after, true);
	shown constant integer := iamwatch_internal.counterpart(w, after, false);
	at constant timestamptz := (w.alert).detected_at;
BEGIN
	IF w.suppression_id IS NULL THEN
		RETURN shown IS NULL AND hidden IS NOT NULL AND EXISTS (SELECT FROM iamwatch.suppressions AS s
			WHERE s.suppression_id = after[hidden].suppression_id AND s.created_at > at);
	END IF;
	RETURN coalesce(shown, hidden) IS NOT NULL AND EXISTS (SELECT FROM iamwatch.suppressions AS s
		WHERE s.suppression_id = w.suppression_id AND s.withdrawn_at > at);
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_decided_since(iamwatch_internal.whole_alert, iamwatch_internal.whole_alert[]) IS
'whether the alert would be hidden, or shown, only because a suppression was written, or withdrawn, since it was opened';

-- ---- anew ----

-- Not part of the statement that asks: nearly all events have an id, and each of these statements would prepare to look.
CREATE FUNCTION iamwatch_internal.is_in_alert(detector text, e iamwatch.event, period interval) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM iamwatch_internal.all_alerts AS a JOIN iamwatch.alert_events AS x USING (alert_id)
		WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
		AND a.first_event_time > e.event_time - period AND a.first_event_time < e.event_time + period
		AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
		AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
		AND a.detector = is_in_alert.detector
		AND x.event_id IS NULL AND x.event_time = e.event_time);
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_in_alert(text, iamwatch.event, interval) IS
'whether an alert within the deduplication period of an event without an id has one of its time';

-- Events without an id that are in an alert already are told by their time.
CREATE FUNCTION iamwatch_internal.assign_behaviour(settings iamwatch.detectors, behaviour text,
	waiting iamwatch_internal.candidate[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	period constant interval := settings.deduplication_days * interval '24 hours';
	candidate iamwatch_internal.candidate;
	candidates iamwatch_internal.candidate[] := '{}';
BEGIN
	-- in pieces: there can be more of them than an array holds
	FOR candidate IN
		SELECT (c.candidate).* FROM (
			SELECT ROW(settings.detector, e.event, coalesce((e.event).event_time >= u.active_from, false), false,
				ROW(coalesce(u.k, 0), coalesce(u.active, 0), coalesce(u.peer_days, 0), coalesce(u.peer_active, 0),
					coalesce(u.probability, 1), NULL, NULL, NULL, NULL, NULL, NULL)::iamwatch_internal.score
				)::iamwatch_internal.candidate AS candidate
			FROM pg_temp.iamwatch_events AS e
			LEFT JOIN pg_temp.iamwatch_unusual AS u ON u.key = e.key AND u.detector = settings.detector
				AND u.day = ((e.event).event_time AT TIME ZONE 'UTC')::date
			WHERE e.behaviour = assign_behaviour.behaviour
			AND NOT ((e.event).event_id IS NULL AND iamwatch_internal.is_in_alert(settings.detector, e.event, period))
			UNION ALL
			SELECT w::iamwatch_internal.candidate FROM unnest(waiting) AS w) AS c
		ORDER BY ((c.candidate).event).event_time, ((c.candidate).event).event_id COLLATE "C"
	LOOP
		candidates := array_append(candidates, candidate);
		IF cardinality(candidates) = 10000 THEN
			PERFORM iamwatch_internal.assign_to_alerts(settings, candidates);
			candidates := '{}';
		END IF;
	END LOOP;
	IF candidates <> '{}' THEN
		PERFORM iamwatch_internal.assign_to_alerts(settings, candidates);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_behaviour(iamwatch.detectors, text, iamwatch_internal.candidate[]) IS
'let the events of a behaviour that a backfill has read, and those that wait besides, open and join alerts in order of event time';

CREATE FUNCTION iamwatch_internal.count_back(a iamwatch_internal.all_alerts) RETURNS boolean
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch_internal.count_limit('alerts', iamwatch_internal.limit_scope(a.provider, a.account),
		(a.first_event_time AT TIME ZONE 'UTC')::date, -1, 0)
$$;
COMMENT ON FUNCTION iamwatch_internal.count_back(iamwatch_internal.all_alerts) IS
'an alert that is gone no longer counts toward the limit of its day';

CREATE FUNCTION iamwatch_internal.remove_alerts(gone iamwatch_internal.whole_alert[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	ids constant bigint[] := ARRAY(SELECT (w.alert).alert_id FROM unnest(gone) AS w);
BEGIN
	DELETE FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = ANY (ids);
	DELETE FROM iamwatch.alert_events AS x WHERE x.alert_id = ANY (ids);
	PERFORM iamwatch_internal.count_back(w.alert) FROM unnest(gone) AS w;
END $$;
COMMENT ON FUNCTION iamwatch_internal.remove_alerts(iamwatch_internal.whole_alert[]) IS 'delete alerts and their events';

CREATE FUNCTION iamwatch_internal.as_if_without(settings iamwatch.detectors, behaviour text,
	gone iamwatch_internal.whole_alert[], waiting iamwatch_internal.candidate[], sample iamwatch.event)
	RETURNS iamwatch_internal.whole_alert[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	after iamwatch_internal.whole_alert[];
BEGIN
	settings.notify := false;
	BEGIN
		PERFORM iamwatch_internal.remove_alerts(gone);
		PERFORM iamwatch_internal.assign_behaviour(settings, behaviour, waiting);
		after := iamwatch_internal.alerts_of(settings.detector, sample);
		-- roll back; the variable stays
		RAISE EXCEPTION USING ERRCODE = 'IAMW1';
	EXCEPTION WHEN SQLSTATE 'IAMW1' THEN
		NULL;
	END;
	RETURN after;
END $$;
COMMENT ON FUNCTION iamwatch_internal.as_if_without(iamwatch.detectors, text, iamwatch_internal.whole_alert[], iamwatch_internal.candidate[], iamwatch.event) IS
'the alerts that a behaviour would have if some were not there and its events came in order of event time; changes nothing. Under the lock of the behaviour, and of all its alerts';

-- ---- what differs ----

CREATE FUNCTION iamwatch_internal.is_alike(a iamwatch_internal.whole_alert, b iamwatch_internal.whole_alert) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
	RETURN to_jsonb((a).alert) - '{alert_id,incident_id,detected_at}'::text[]
			= to_jsonb((b).alert) - '{alert_id,incident_id,detected_at}'::text[]
		AND ((a).suppression_id, (a).event_times, (a).event_ids)
			IS NOT DISTINCT FROM ((b).suppression_id, (b).event_times, (b).event_ids);
COMMENT ON FUNCTION iamwatch_internal.is_alike(iamwatch_internal.whole_alert, iamwatch_internal.whole_alert) IS
'whether two alerts say the same, but for their numbers and when they were detected';

-- What a true positive takes out of the baselines lets an alert that was there
-- before look stranger than it did.
CREATE FUNCTION iamwatch_internal.is_scored_otherwise_since(was iamwatch_internal.whole_alert,
	becomes iamwatch_internal.whole_alert) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT ((was).event_times, (was).event_ids) IS NOT DISTINCT FROM ((becomes).event_times, (becomes).event_ids)
		AND EXISTS (
			SELECT FROM iamwatch.alerts AS x JOIN iamwatch.alert_history AS h ON h.alert_id = x.alert_id
			WHERE x.excluded_days IS NOT NULL
			AND hashtextextended(x.account, 0) = hashtextextended(((was).alert).account, 0)
			AND hashtextextended(x.operation, 0) = hashtextextended(((was).alert).operation, 0)
			AND x.account = ((was).alert).account AND x.provider = ((was).alert).provider
			AND x.operation = ((was).alert).operation AND x.service = ((was).alert).service
			AND h.new_values ? 'resolution' AND h.changed_at > ((was).alert).detected_at)
$$;
COMMENT ON FUNCTION iamwatch_internal.is_scored_otherwise_since(iamwatch_internal.whole_alert, iamwatch_internal.whole_alert) IS
'whether the alert has the events that it should have, and days of its operation were taken out of the baselines since it was opened: then its score stays what it was';

CREATE FUNCTION iamwatch_internal.put_right(settings iamwatch.detectors, was iamwatch_internal.whole_alert,
	becomes iamwatch_internal.whole_alert) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	n constant iamwatch_internal.all_alerts := becomes.alert;
	id constant bigint := (was.alert).alert_id;
	told boolean;
BEGIN
	UPDATE iamwatch_internal.all_alerts AS a SET (variation, severity, risk, first_event_time, last_event_time, event_count,
		identity_kind, category, sensitivity, tactic, technique, probability, surprise, evidence, excluded_days)
		= (n.variation, n.severity, n.risk, n.first_event_time, n.last_event_time, n.event_count,
		n.identity_kind, n.category, n.sensitivity, n.tactic, n.technique, n.probability, n.surprise, n.evidence, n.excluded_days)
	WHERE a.alert_id = id;
	IF was.suppression_id <> becomes.suppression_id THEN
		UPDATE iamwatch_internal.suppressed_alerts AS s SET suppression_id = becomes.suppression_id WHERE s.alert_id = id;
	END IF;
	IF (was.event_times, was.event_ids) IS DISTINCT FROM (becomes.event_times, becomes.event_ids) THEN
		DELETE FROM iamwatch.alert_events AS x WHERE x.alert_id = id;
		INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
		SELECT id, x.at, x.event_id FROM unnest(becomes.event_times, becomes.event_ids) AS x (at, event_id);
	END IF;
	IF was.suppression_id IS NULL AND severity_rank(n.severity) > severity_rank((was.alert).severity) THEN
		becomes.alert.alert_id := id;
		told := iamwatch_internal.notify_alert(settings, becomes.alert);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.put_right(iamwatch.detectors, iamwatch_internal.whole_alert, iamwatch_internal.whole_alert) IS
'write into an alert what it should say; its number and when it was detected stay, and so does what analysts decide';

CREATE FUNCTION iamwatch_internal.raise_missing(settings iamwatch.detectors, w iamwatch_internal.whole_alert) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	a iamwatch_internal.all_alerts := w.alert;
	done boolean;
BEGIN
	a.detected_at := clock_timestamp();
	a.incident_id := NULL;	-- found anew: what it was is rolled back
	IF w.suppression_id IS NULL THEN
		INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE SELECT o.* FROM iamwatch_internal.alert_columns(a) AS o;
	ELSE
		INSERT INTO iamwatch_internal.suppressed_alerts SELECT o.*, w.suppression_id FROM iamwatch_internal.alert_columns(a) AS o;
	END IF;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	SELECT a.alert_id, x.at, x.event_id FROM unnest(w.event_times, w.event_ids) AS x (at, event_id);
	done := iamwatch_internal.count_limit('alerts', iamwatch_internal.limit_scope(a.provider, a.account),
		(a.first_event_time AT TIME ZONE 'UTC')::date, 1, 0);
	IF w.suppression_id IS NULL THEN
		done := iamwatch_internal.notify_alert(settings, a);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.raise_missing(iamwatch.detectors, iamwatch_internal.whole_alert) IS
'store an alert that the order of event time gives and that is not there yet, and notify of it';

CREATE FUNCTION iamwatch_internal.withdraw_alert(w iamwatch_internal.whole_alert, reason text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	INSERT INTO iamwatch_internal.withdrawn_alerts
	SELECT o.*, w.suppression_id, clock_timestamp(), reason, w.event_times, w.event_ids FROM iamwatch_internal.alert_columns(w.alert) AS o;
	PERFORM iamwatch_internal.remove_alerts(ARRAY[w]);
	DELETE FROM iamwatch_internal.unsent_notifications AS u WHERE u.alert_id = (w.alert).alert_id;
END $$;
COMMENT ON FUNCTION iamwatch_internal.withdraw_alert(iamwatch_internal.whole_alert, text) IS
'take an alert back: it is kept in iamwatch_internal.withdrawn_alerts, and nowhere else';

-- Alerts that are judged, as they are and as they should be.
CREATE FUNCTION iamwatch_internal.reconcile(settings iamwatch.detectors, before iamwatch_internal.whole_alert[],
	after iamwatch_internal.whole_alert[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	was iamwatch_internal.whole_alert;
	matched integer[] := '{}';
	n integer;
	withdrawn bigint := 0;
BEGIN
	FOREACH was IN ARRAY before LOOP
		n := iamwatch_internal.counterpart(was, after, was.suppression_id IS NOT NULL, matched);
		IF n IS NULL THEN
			PERFORM iamwatch_internal.withdraw_alert(was, 'the order of event time would not have raised it');
			withdrawn := withdrawn + 1;
		ELSE
			matched := matched || n;
			IF NOT iamwatch_internal.is_alike(was, after[n])
				AND NOT iamwatch_internal.is_scored_otherwise_since(was, after[n]) THEN
				PERFORM iamwatch_internal.put_right(settings, was, after[n]);
			END IF;
		END IF;
	END LOOP;
	FOR n IN SELECT * FROM generate_subscripts(after, 1) LOOP
		IF n <> ALL (matched) THEN
			PERFORM iamwatch_internal.raise_missing(settings, after[n]);
		END IF;
	END LOOP;
	RETURN withdrawn;
END $$;
COMMENT ON FUNCTION iamwatch_internal.reconcile(iamwatch.detectors, iamwatch_internal.whole_alert[], iamwatch_internal.whole_alert[]) IS
'make of the alerts of a behaviour what they should be, writing only what differs; how many were withdrawn';

CREATE FUNCTION iamwatch_internal.mark_out_of_order(alert_id bigint, is_out_of_order boolean) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	UPDATE iamwatch.alerts AS a SET evidence = CASE WHEN is_out_of_order
		THEN a.evidence || '{"out_of_order": true}' ELSE a.evidence - 'out_of_order' END
	WHERE a.alert_id = $1 AND (a.evidence ? 'out_of_order') <> is_out_of_order
$$;
COMMENT ON FUNCTION iamwatch_internal.mark_out_of_order(bigint, boolean) IS
'let the evidence of an alert say whether the order of event time would not have raised it';

-- ---- one behaviour ----

CREATE FUNCTION iamwatch_internal.judge_behaviour(settings iamwatch.detectors, behaviour text,
	present iamwatch_internal.whole_alert[], waiting iamwatch_internal.candidate[], sample iamwatch.event) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	judged constant iamwatch_internal.whole_alert[] := iamwatch_internal.judged_alerts(settings, behaviour, present);
	after iamwatch_internal.whole_alert[];
	w iamwatch_internal.whole_alert;
	n integer;
	matched integer[] := '{}';
	free iamwatch_internal.whole_alert[] := '{}';	-- to be changed as it should be
	kept_ids bigint[];
BEGIN
	after := iamwatch_internal.as_if_without(settings, behaviour, judged, waiting, sample);
	FOREACH w IN ARRAY judged LOOP
		IF iamwatch_internal.is_worked_on(w) THEN
			n := coalesce(iamwatch_internal.counterpart(w, after, false, matched), iamwatch_internal.counterpart(w, after, true));
			matched := matched || n;
			PERFORM iamwatch_internal.mark_out_of_order((w.alert).alert_id, n IS NULL);
		ELSIF NOT iamwatch_internal.is_decided_since(w, after) THEN
			free := array_append(free, w);
		END IF;
	END LOOP;
	-- those that stay take events, as they did
	IF cardinality(free) < cardinality(judged) THEN
		present := iamwatch_internal.alerts_of(settings.detector, sample);	-- with the marks
		after := iamwatch_internal.as_if_without(settings, behaviour, free, waiting, sample);
	END IF;
	kept_ids := ARRAY(SELECT (f.alert).alert_id FROM unnest(present) AS f
		EXCEPT SELECT (f.alert).alert_id FROM unnest(free) AS f);
	PERFORM iamwatch_internal.put_right(settings, f::iamwatch_internal.whole_alert, a::iamwatch_internal.whole_alert)
	FROM unnest(present) AS f JOIN unnest(after) AS a ON (a.alert).alert_id = (f.alert).alert_id
	WHERE (f.alert).alert_id = ANY (kept_ids)
	AND NOT iamwatch_internal.is_alike(f::iamwatch_internal.whole_alert, a::iamwatch_internal.whole_alert);
	RETURN iamwatch_internal.reconcile(settings, free, ARRAY(SELECT a::iamwatch_internal.whole_alert
		FROM unnest(after) AS a WHERE (a.alert).alert_id <> ALL (kept_ids)));
END $$;
COMMENT ON FUNCTION iamwatch_internal.judge_behaviour(iamwatch.detectors, text, iamwatch_internal.whole_alert[], iamwatch_internal.candidate[], iamwatch.event) IS
'make the alerts of a behaviour those that the order of event time gives, as far as a backfill has read their events and nobody has worked on them; how many were withdrawn';

CREATE FUNCTION iamwatch_internal.backfill_raise(behaviour text, detector text, whatever_is_locked boolean) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	settings iamwatch.detectors;
	sample iamwatch.event;
	present iamwatch_internal.whole_alert[];
	waiting iamwatch_internal.candidate[] := '{}';
	locked bigint;
	withdrawn bigint := 0;
BEGIN
	SELECT * INTO settings FROM iamwatch.detectors AS d WHERE d.detector = backfill_raise.detector;
	SELECT (e.event).* INTO sample FROM pg_temp.iamwatch_events AS e WHERE e.behaviour = backfill_raise.behaviour LIMIT 1;
	IF NOT whatever_is_locked AND NOT iamwatch_internal.try_lock_alerts(sample) THEN
		RETURN NULL;
	END IF;
	IF NOT whatever_is_locked THEN
		present := iamwatch_internal.alerts_of(detector, sample);
		IF present <> '{}' THEN
			SELECT count(*) INTO locked FROM (SELECT FROM iamwatch_internal.all_alerts AS a
				WHERE a.alert_id = ANY (ARRAY(SELECT (f.alert).alert_id FROM unnest(present) AS f))
				FOR UPDATE SKIP LOCKED) AS l;
			IF locked < cardinality(present) THEN
				RETURN NULL;
			END IF;
			present := iamwatch_internal.alerts_of(detector, sample);	-- as they are now that they are locked
		END IF;
		-- what waits and was read has its score anew
		IF iamwatch_internal.has_pending(sample) THEN
			WITH taken AS (
				DELETE FROM iamwatch_internal.pending_events AS p
				WHERE hashtextextended((p.event).identity, 0) = hashtextextended(sample.identity, 0)
				AND iamwatch_internal.is_same_behaviour(p.event, sample) AND p.detector = backfill_raise.detector
				RETURNING p.*
			)
			SELECT coalesce(array_agg(ROW(t.detector, t.event, t.unusual, t.day_scored, t.score)::iamwatch_internal.candidate), '{}')
			INTO waiting FROM taken AS t
			WHERE NOT EXISTS (SELECT FROM pg_temp.iamwatch_events AS e WHERE e.behaviour = backfill_raise.behaviour
				AND (e.event).event_time = (t.event).event_time
				AND (e.event).event_id IS NOT DISTINCT FROM (t.event).event_id);
		END IF;
	END IF;
	IF present <> '{}' THEN
		withdrawn := iamwatch_internal.judge_behaviour(settings, behaviour, present, waiting, sample);
	ELSE
		PERFORM iamwatch_internal.assign_behaviour(settings, behaviour, waiting);
	END IF;
	DELETE FROM pg_temp.iamwatch_raising AS r
	WHERE r.behaviour = backfill_raise.behaviour AND r.detector = backfill_raise.detector;
	RETURN withdrawn;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_raise(text, text, boolean) IS
'let the events of a behaviour open and join alerts, in order of event time, and put right those that there are; how many were withdrawn. Null, and nothing is done, while another session writes or triages its alerts; unless whatever_is_locked: then what is there stays, and what cannot be written waits in iamwatch_internal.pending_events';
