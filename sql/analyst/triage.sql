-- What analysts decide about alerts, and who decided what when.
--
-- They change status, resolution, assignee, note and attack_until of
-- iamwatch.alerts, by UPDATE or by iamwatch.triage().  Triggers check, record,
-- and draw the consequences.  None of this waits for an ingest longer than the
-- row lock of the alert, and no ingest waits for it at all.

CREATE TABLE iamwatch.alert_history (
	history_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	alert_id bigint NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_by name NOT NULL DEFAULT session_user,
	changed_as name,
	old_values jsonb NOT NULL,
	new_values jsonb NOT NULL
);
COMMENT ON TABLE iamwatch.alert_history IS 'who changed what of which alert when; written by a trigger, and by nobody else';
COMMENT ON COLUMN iamwatch.alert_history.changed_by IS 'who had logged in';
COMMENT ON COLUMN iamwatch.alert_history.changed_as IS 'the role they had set; null if none';
COMMENT ON COLUMN iamwatch.alert_history.old_values IS 'the columns that changed, as they were';
COMMENT ON COLUMN iamwatch.alert_history.new_values IS 'the columns that changed, as they became';
CREATE INDEX alert_history_alert ON iamwatch.alert_history (alert_id);
SELECT pg_catalog.pg_extension_config_dump('iamwatch.alert_history', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.alert_history_history_id_seq', '');

-- Both triggers fire in sessions of origin only: a subscriber that is sent the alerts
-- of another server is sent its decisions too.
CREATE FUNCTION iamwatch_internal.check_triage() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	first_day constant date := (NEW.first_event_time AT TIME ZONE 'UTC')::date;
BEGIN
	NEW.assignee := nullif(NEW.assignee, '');
	NEW.note := nullif(NEW.note, '');
	-- as most other tools say
	IF NEW.resolution = 'false_positive' THEN
		NEW.resolution := 'benign';
	END IF;
	IF NEW.status IS NULL OR NEW.status NOT IN ('new', 'investigating', 'closed') THEN
		RAISE EXCEPTION '% is no status of an alert', coalesce(quote_literal(left(NEW.status, 200)), 'null')
			USING ERRCODE = 'check_violation', HINT = 'Use new, investigating or closed.';
	ELSIF NEW.resolution NOT IN ('true_positive', 'benign', 'expected_change') THEN
		RAISE EXCEPTION '% is no resolution of an alert', quote_literal(left(NEW.resolution, 200))
			USING ERRCODE = 'check_violation', HINT = 'Use true_positive, benign (or false_positive, which is the same) or expected_change.';
	END IF;
	IF NEW.status <> 'closed' AND OLD.status = 'closed' AND NEW.resolution IS NOT DISTINCT FROM OLD.resolution THEN
		NEW.resolution := NULL;
	END IF;
	IF NEW.status = 'closed' AND NEW.resolution IS NULL THEN
		RAISE EXCEPTION 'alert % cannot be closed without a resolution', NEW.alert_id
			USING ERRCODE = 'check_violation', HINT = 'Set resolution to true_positive, benign (or false_positive, which is the same) or expected_change.';
	ELSIF NEW.status <> 'closed' AND NEW.resolution IS NOT NULL THEN
		RAISE EXCEPTION 'alert % is not closed, so it has no resolution', NEW.alert_id
			USING ERRCODE = 'check_violation', HINT = 'Set status to closed as well.';
	END IF;

	IF NEW.resolution IS DISTINCT FROM 'true_positive' THEN
		IF NEW.attack_until IS NOT NULL AND NEW.attack_until IS DISTINCT FROM OLD.attack_until THEN
			RAISE EXCEPTION 'attack_until of alert % needs the resolution true_positive', NEW.alert_id
				USING ERRCODE = 'check_violation', DETAIL = 'It says until when the attacker acted.',
				HINT = 'Close the alert with that resolution, or leave attack_until out.';
		END IF;
		NEW.attack_until := NULL;
		NEW.excluded_days := NULL;
	ELSIF OLD.resolution IS DISTINCT FROM NEW.resolution OR OLD.attack_until IS DISTINCT FROM NEW.attack_until THEN
		IF NEW.attack_until NOT BETWEEN first_day AND first_day + 3650 THEN
			RAISE EXCEPTION 'attack_until (%) of alert % is out of range', NEW.attack_until, NEW.alert_id
				USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('The alert begins on %s.', first_day),
				HINT = format('Use a day from then to %s.', first_day + 3650);
		END IF;
		NEW.excluded_days := dayset(first_day, coalesce(NEW.attack_until, first_day))
			| coalesce((SELECT dayset_agg(x.event_time) FROM iamwatch.alert_events AS x
				WHERE x.alert_id = NEW.alert_id), '{}');
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_triage() IS
'trigger: 23514 or 22023 for what an alert cannot be; opening an alert again clears its resolution; true_positive finds the days that it takes out';
CREATE TRIGGER check_triage
	BEFORE UPDATE OF status, resolution, assignee, note, attack_until ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_triage();

-- With the owner's rights, since nobody else may write the history.
CREATE FUNCTION iamwatch_internal.record_triage() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	was constant jsonb := jsonb_build_object('status', OLD.status, 'resolution', OLD.resolution,
		'assignee', OLD.assignee, 'note', OLD.note, 'attack_until', OLD.attack_until);
	becomes constant jsonb := jsonb_build_object('status', NEW.status, 'resolution', NEW.resolution,
		'assignee', NEW.assignee, 'note', NEW.note, 'attack_until', NEW.attack_until);
	old_values jsonb;
	new_values jsonb;
BEGIN
	IF TG_RELID <> 'iamwatch.alerts'::regclass THEN
		RAISE EXCEPTION 'function "iamwatch_internal.record_triage" is for the alerts of iamwatch only'
			USING ERRCODE = 'trigger_protocol_violated';
	END IF;
	SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value) INTO old_values, new_values
	FROM jsonb_each(was) AS o JOIN jsonb_each(becomes) AS n ON n.key = o.key AND n.value <> o.value;
	IF old_values IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO iamwatch.alert_history (alert_id, changed_as, old_values, new_values)
	VALUES (NEW.alert_id, nullif(current_setting('role'), 'none'), old_values, new_values);
	IF NEW.resolution IS DISTINCT FROM OLD.resolution THEN
		PERFORM iamwatch_internal.decide(OLD, NEW);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.record_triage() IS
'trigger: writes iamwatch.alert_history, and what a resolution means for further events';
CREATE TRIGGER record_triage
	AFTER UPDATE OF status, resolution, assignee, note, attack_until ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.record_triage();

CREATE FUNCTION iamwatch_internal.told(was iamwatch.alerts, becomes iamwatch.alerts) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	said text[] := '{}';
	suppression bigint;
BEGIN
	IF (becomes.status, becomes.resolution, becomes.assignee, becomes.note, becomes.attack_until)
		IS NOT DISTINCT FROM (was.status, was.resolution, was.assignee, was.note, was.attack_until) THEN
		said := ARRAY['nothing changed'];
	END IF;
	IF becomes.status = 'closed' AND (was.status <> 'closed' OR becomes.resolution IS DISTINCT FROM was.resolution
		OR becomes.attack_until IS DISTINCT FROM was.attack_until) THEN
		said := said || format('closed as %s', becomes.resolution);
		IF becomes.resolution = 'true_positive' THEN
			said := said || format('its days no longer count as usual: %s', becomes.excluded_days);
		ELSE
			SELECT s.suppression_id INTO suppression FROM iamwatch.suppressions AS s
			WHERE s.alert_id = becomes.alert_id AND s.withdrawn_at IS NULL ORDER BY s.suppression_id DESC LIMIT 1;
			said := said || format('further events of this identity and operation open no alert (suppression %s)', suppression);
		END IF;
	ELSIF was.status = 'closed' AND becomes.status <> 'closed' THEN
		said := said || format('opened again as %s', becomes.status);
		said := said || CASE WHEN was.resolution = 'true_positive' THEN 'its days count as usual again'
			ELSE 'further events of this identity and operation ask again' END;
	ELSIF becomes.status <> was.status THEN
		said := said || format('is %s', becomes.status);
	END IF;
	IF becomes.assignee IS DISTINCT FROM was.assignee THEN
		said := said || coalesce('assigned to ' || plain(becomes.assignee), 'assigned to nobody');
	END IF;
	IF becomes.note IS DISTINCT FROM was.note THEN
		said := said || CASE WHEN becomes.note IS NULL THEN 'note removed' ELSE 'note kept' END;
	END IF;
	RETURN format('alert %s (%s, %s:%s%s): %s', becomes.alert_id, plain(iamwatch.short_name(becomes.identity)), plain(becomes.service),
		plain(becomes.operation), CASE WHEN becomes.failed THEN ', failed' ELSE '' END, array_to_string(said, '; '));
END $$;
COMMENT ON FUNCTION iamwatch_internal.told(iamwatch.alerts, iamwatch.alerts) IS 'in words, what a change of an alert by an analyst did';

CREATE FUNCTION iamwatch.triage(alert_id bigint, status text DEFAULT NULL, resolution text DEFAULT NULL,
	assignee text DEFAULT NULL, note text DEFAULT NULL, attack_until date DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	was iamwatch.alerts;
	becomes iamwatch.alerts;
	elsewhere text;
BEGIN
	SELECT a.* INTO was FROM iamwatch.alerts AS a WHERE a.alert_id = $1 FOR NO KEY UPDATE;
	UPDATE iamwatch.alerts AS a SET
		status = coalesce($2, CASE WHEN $3 IS NOT NULL THEN 'closed' ELSE a.status END),
		resolution = CASE WHEN $3 IS NOT NULL THEN $3
			WHEN coalesce($2, a.status) = 'closed' THEN a.resolution END,
		assignee = coalesce($4, a.assignee),
		note = coalesce($5, a.note),
		attack_until = coalesce($6, a.attack_until)
	WHERE a.alert_id = $1
	RETURNING a.* INTO becomes;
	IF NOT FOUND THEN
		elsewhere := iamwatch_internal.triage_elsewhere($1, $2, $3, $4, $5, $6);
		IF elsewhere IS NOT NULL THEN
			RETURN elsewhere;
		END IF;
		PERFORM iamwatch_internal.no_alert($1);
	END IF;
	RETURN iamwatch_internal.told(was, becomes);
END $$;
COMMENT ON FUNCTION iamwatch.triage(bigint, text, text, text, text, date) IS
'set what analysts decide about an alert, and say what that did; null leaves as it is, an empty assignee or note removes it. A resolution closes the alert (false_positive is the same as benign); another status opens it again. Same as UPDATE of these columns. P0002 if there is no such alert; 23514, 22023 for what cannot be';

CREATE FUNCTION iamwatch_internal.no_alert(alert_id bigint) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	withdrawn record;
BEGIN
	SELECT w.withdrawn_at, w.reason INTO withdrawn FROM iamwatch_internal.withdrawn_alerts AS w WHERE w.alert_id = $1;
	IF FOUND THEN
		RAISE EXCEPTION 'alert % was withdrawn', $1
			USING ERRCODE = 'no_data_found',
			DETAIL = format('A backfill took it back at %s: %s.', withdrawn.withdrawn_at, withdrawn.reason),
			HINT = 'See iamwatch.withdrawn_alerts.';
	END IF;
	IF EXISTS (SELECT FROM iamwatch_internal.suppressed_alerts AS s WHERE s.alert_id = $1) THEN
		RAISE EXCEPTION 'alert % is suppressed, so there is nothing to decide', alert_id
			USING ERRCODE = 'no_data_found', HINT = 'Withdraw its suppression to be alerted; see iamwatch.suppression_counts.';
	END IF;
	RAISE EXCEPTION 'alert % does not exist', coalesce(alert_id::text, 'null')
		USING ERRCODE = 'no_data_found', HINT = CASE
			WHEN iamwatch_internal.has_nodes() AND alert_id / 1000000000000 <> iamwatch_internal.node_number()
			THEN format('Node %s raised it, so ask there; or see iamwatch.everywhere(NULL::iamwatch.alerts).', alert_id / 1000000000000)
			ELSE 'See iamwatch.alerts.' END;
END $$;
COMMENT ON FUNCTION iamwatch_internal.no_alert(bigint) IS 'raises P0002; for an alert that was withdrawn it says so';
