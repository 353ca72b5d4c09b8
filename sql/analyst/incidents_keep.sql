-- Incidents are kept up to date with the alerts, by triggers.
--
-- Whoever writes alerts does the incidents of their identities again, all of a
-- statement at once; under locks that are only tried, see incidents.sql.

CREATE FUNCTION iamwatch_internal.incidents_behind(part iamwatch_internal.incident_part) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_incidents_behind' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.incidents_behind(iamwatch_internal.incident_part) IS
'whether others left the incidents of the identity to be done again';

CREATE FUNCTION iamwatch_internal.incident_reach(part iamwatch_internal.incident_part,
	OUT since timestamptz, OUT until timestamptz, OUT incident_ids bigint[])
	AS 'MODULE_PATHNAME', 'iamwatch_incident_reach' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.incident_reach(iamwatch_internal.incident_part) IS
'how far what changes in that time reaches: the kept incidents that it touches, or lies nearer to than the deduplication period, and those that these touch; and the time of them all';

CREATE FUNCTION iamwatch_internal.has_strays(incident_id bigint, alert_ids bigint[]) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_strays' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.has_strays(bigint, bigint[]) IS
'whether any of the alerts says that it belongs to another incident';

CREATE FUNCTION iamwatch_internal.has_many_changed(most integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_many_changed' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.has_many_changed(integer) IS
'whether more than so many changes of incidents wait';

CREATE FUNCTION iamwatch_internal.try_lock_incidents(part iamwatch_internal.incident_part) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock_incidents' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_lock_incidents(iamwatch_internal.incident_part) IS
'take the lock under which the incidents of an identity are kept, unless another session has it';

-- One row an identity.  What others left is committed, so the statements that follow see the alerts that it is about.
CREATE FUNCTION iamwatch_internal.take_changed(parts iamwatch_internal.incident_part[]) RETURNS iamwatch_internal.incident_part[]
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	wider iamwatch_internal.incident_part[];
BEGIN
	WITH taken AS (
		DELETE FROM iamwatch_internal.changed_incidents AS c USING unnest(parts) AS p
		WHERE hashtextextended(c.identity, 0) = hashtextextended(p.identity, 0) AND c.identity = p.identity
		AND c.account = p.account AND c.provider = p.provider AND c.detector = p.detector
		RETURNING c.*
	)
	SELECT array_agg(w.part) INTO wider
	FROM (SELECT (x.detector, x.provider, x.account, x.identity, min(x.since), max(x.until))::iamwatch_internal.incident_part AS part
		FROM (SELECT p.* FROM unnest(parts) AS p
			UNION ALL SELECT t.detector, t.provider, t.account, t.identity, t.since, t.until FROM taken AS t) AS x
		GROUP BY x.detector, x.provider, x.account, x.identity
		HAVING min(x.since) IS NOT NULL) AS w;
	RETURN coalesce(wider, '{}');
END $$;
COMMENT ON FUNCTION iamwatch_internal.take_changed(iamwatch_internal.incident_part[]) IS
'parts with the time of what others left to do of them, which is taken; without those of which there is nothing to do. Under the locks of their incidents';

-- Somebody may be at work on an alert, for as long as they like: then it is told later.
CREATE FUNCTION iamwatch_internal.tell_strays(incident_ids bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	stale bigint[];
	belongs_to bigint[];
	told bigint[];
BEGIN
	-- by number, one after the other: a join of theirs could be planned to read all alerts
	SELECT array_agg(a.alert_id), array_agg(k.incident_id) INTO stale, belongs_to
	FROM iamwatch_internal.kept_incidents AS k
	CROSS JOIN LATERAL unnest(k.alert_ids) AS i (alert_id)
	CROSS JOIN LATERAL (SELECT b.alert_id FROM iamwatch.alerts AS b
		WHERE b.alert_id = i.alert_id AND b.incident_id IS DISTINCT FROM k.incident_id OFFSET 0) AS a
	WHERE k.incident_id = ANY (tell_strays.incident_ids);
	IF stale IS NULL THEN
		RETURN;
	END IF;
	told := ARRAY(SELECT f.alert_id FROM iamwatch.alerts AS f WHERE f.alert_id = ANY (stale) FOR NO KEY UPDATE SKIP LOCKED);
	UPDATE iamwatch.alerts AS a SET incident_id = belongs_to[array_position(stale, a.alert_id)] WHERE a.alert_id = ANY (told);
	IF cardinality(told) < cardinality(stale) THEN
		INSERT INTO iamwatch_internal.changed_incidents (detector, provider, account, identity, since, until)
		SELECT k.detector, k.provider, k.account, k.identity, k.first_event_time, k.last_event_time
		FROM iamwatch_internal.kept_incidents AS k
		WHERE k.incident_id = ANY (ARRAY(SELECT s.incident_id FROM unnest(stale, belongs_to) AS s (alert_id, incident_id)
			WHERE s.alert_id <> ALL (told)));
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.tell_strays(bigint[]) IS
'let the alerts of incidents say which incident they belong to; those that are locked are left to be done again';

CREATE FUNCTION iamwatch_internal.write_incidents(parts iamwatch_internal.incident_part[], touched bigint[]) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	strays bigint[];
BEGIN
	IF touched = '{}' THEN
		WITH kept AS (
			INSERT INTO iamwatch_internal.kept_incidents SELECT f.* FROM iamwatch_internal.incidents_of(parts) AS f
			RETURNING incident_id, alert_ids
		)
		SELECT array_agg(k.incident_id) INTO strays FROM kept AS k WHERE iamwatch_internal.has_strays(k.incident_id, k.alert_ids);
	ELSE
		-- counted first, so that what is there again finds its place free
		WITH gone AS (
			DELETE FROM iamwatch_internal.kept_incidents AS k WHERE k.incident_id = ANY (touched)
			RETURNING k.incident_id
		), kept AS (
			INSERT INTO iamwatch_internal.kept_incidents
			SELECT f.* FROM (SELECT count(*) FROM gone) AS g CROSS JOIN LATERAL iamwatch_internal.incidents_of(parts) AS f
			RETURNING incident_id, alert_ids
		)
		SELECT array_agg(k.incident_id) INTO strays FROM kept AS k WHERE iamwatch_internal.has_strays(k.incident_id, k.alert_ids);
	END IF;
	IF strays IS NOT NULL THEN
		PERFORM iamwatch_internal.tell_strays(strays);
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.write_incidents(iamwatch_internal.incident_part[], bigint[]) IS
'keep the incidents of these times in the place of those that they touch. Under the locks of their incidents. True, so that it can be an expression';

CREATE FUNCTION iamwatch_internal.keep_incidents(parts iamwatch_internal.incident_part[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	part iamwatch_internal.incident_part;
	may_keep constant boolean := iamwatch_internal.may_fold();
	mine iamwatch_internal.incident_part[] := '{}';
	others iamwatch_internal.incident_part[] := '{}';
	behind boolean := cardinality(parts) > 1;
	reach record;
	touched bigint[] := '{}';
	written boolean;
BEGIN
	FOREACH part IN ARRAY parts LOOP
		IF may_keep AND iamwatch_internal.try_lock_incidents(part) THEN
			mine := array_append(mine, part);
			behind := behind OR iamwatch_internal.incidents_behind(part);
		ELSIF part.since IS NOT NULL THEN
			others := array_append(others, part);
		END IF;
	END LOOP;
	IF others <> '{}' THEN
		INSERT INTO iamwatch_internal.changed_incidents (detector, provider, account, identity, since, until)
		SELECT o.detector, o.provider, o.account, o.identity, min(o.since), max(o.until) FROM unnest(others) AS o
		GROUP BY o.detector, o.provider, o.account, o.identity;
	END IF;
	IF behind AND mine <> '{}' THEN
		mine := iamwatch_internal.take_changed(mine);
	END IF;

	-- incidents that these times touch are done again, whole; a few hundred at once, as a statement joins each with all
	parts := '{}';
	FOREACH part IN ARRAY mine LOOP
		CONTINUE WHEN part.since IS NULL;
		IF cardinality(parts) = 256 THEN
			written := iamwatch_internal.write_incidents(parts, touched);
			parts := '{}';
			touched := '{}';
		END IF;
		reach := iamwatch_internal.incident_reach(part);
		part.since := reach.since;
		part.until := reach.until;
		touched := touched || reach.incident_ids;
		parts := array_append(parts, part);
	END LOOP;
	IF parts <> '{}' THEN
		written := iamwatch_internal.write_incidents(parts, touched);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_incidents(iamwatch_internal.incident_part[]) IS
'bring the incidents of identities up to date with their alerts of that time and with what others left to do, with that alone where no time is given; where another session is just doing so it is left to be done again';

CREATE FUNCTION iamwatch_internal.keep_changed_parts(parts iamwatch_internal.incident_part[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET enable_seqscan = off SET jit = off AS $$
BEGIN
	PERFORM iamwatch_internal.keep_incidents(parts);
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_changed_parts(iamwatch_internal.incident_part[]) IS
'iamwatch_internal.keep_incidents() for those who have no path of ours';

CREATE FUNCTION iamwatch_internal.changed_parts(most integer) RETURNS SETOF iamwatch_internal.incident_part[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT array_agg((c.detector, c.provider, c.account, c.identity, NULL, NULL)::iamwatch_internal.incident_part)
	FROM (SELECT detector, provider, account, identity, row_number() OVER (ORDER BY max(changed_at) DESC) AS n
		FROM iamwatch_internal.changed_incidents GROUP BY detector, provider, account, identity) AS c
	WHERE c.n <= most IS NOT FALSE
	GROUP BY (c.n - 1) / 256
$$;
COMMENT ON FUNCTION iamwatch_internal.changed_parts(integer) IS
'identities whose incidents others left, those that changed last first, 256 at a time; all of them if null';

CREATE FUNCTION iamwatch_internal.keep_changed_incidents(most integer) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	parts iamwatch_internal.incident_part[];
BEGIN
	FOR parts IN SELECT p FROM iamwatch_internal.changed_parts(most) AS p LOOP
		PERFORM iamwatch_internal.keep_changed_parts(parts);
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_changed_incidents(integer) IS
'bring the incidents of identities up to date that others left, those that changed last first; all of them if null';

CREATE FUNCTION iamwatch_internal.defer_incidents() RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_defer_incidents' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.defer_incidents() IS
'for the rest of the transaction, leave the incidents of new alerts for its end, where it is to call iamwatch_internal.keep_changed_incidents()';

CREATE FUNCTION iamwatch_internal.check_alerts_trigger(relation oid) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF relation NOT IN ('iamwatch.alerts'::regclass, 'iamwatch_internal.all_alerts'::regclass) THEN
		RAISE EXCEPTION 'this trigger function is for the alerts of iamwatch only' USING ERRCODE = 'trigger_protocol_violated';
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_alerts_trigger(oid) IS '39P01 if a relation is not that of the alerts';

CREATE FUNCTION iamwatch_internal.find_incident() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_find_incident' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.find_incident() IS
'trigger: gives an alert the incident that it most often belongs to, so that it need not be written twice';
CREATE TRIGGER find_incident BEFORE INSERT ON iamwatch.alerts
	FOR EACH ROW WHEN (NEW.incident_id IS NULL) EXECUTE FUNCTION iamwatch_internal.find_incident();

CREATE FUNCTION iamwatch_internal.keep_new_incidents() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_keep_new_incidents' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.keep_new_incidents() IS 'trigger: the incidents of new alerts';
CREATE TRIGGER keep_new_incidents AFTER INSERT ON iamwatch.alerts REFERENCING NEW TABLE AS new_alerts
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.keep_new_incidents();

CREATE FUNCTION iamwatch_internal.note_changed_incident() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_note_changed_incident' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.note_changed_incident() IS 'trigger: the incidents of an alert that has changed are to be done again';
CREATE TRIGGER note_changed_incident AFTER UPDATE OF event_count, status, last_event_time, first_event_time, severity, resolution, risk, assignee,
	alert_id, detector, provider, account, identity, identity_kind, service, operation, failed,
	category, sensitivity, technique, evidence ON iamwatch.alerts
	FOR EACH ROW WHEN ((OLD.event_count, OLD.status, OLD.last_event_time, OLD.first_event_time, OLD.severity, OLD.resolution, OLD.risk, OLD.assignee,
		OLD.alert_id, OLD.detector, OLD.provider, OLD.account, OLD.identity, OLD.identity_kind, OLD.service, OLD.operation, OLD.failed,
		OLD.category, OLD.sensitivity, OLD.technique, OLD.evidence)
	IS DISTINCT FROM (NEW.event_count, NEW.status, NEW.last_event_time, NEW.first_event_time, NEW.severity, NEW.resolution, NEW.risk, NEW.assignee,
		NEW.alert_id, NEW.detector, NEW.provider, NEW.account, NEW.identity, NEW.identity_kind, NEW.service, NEW.operation, NEW.failed,
		NEW.category, NEW.sensitivity, NEW.technique, NEW.evidence))
	EXECUTE FUNCTION iamwatch_internal.note_changed_incident();
CREATE TRIGGER note_removed_incident AFTER DELETE ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.note_changed_incident();
-- What a subscription applies fires no statement triggers.
CREATE TRIGGER note_applied_incident AFTER INSERT ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.note_changed_incident();
ALTER TABLE iamwatch.alerts ENABLE ALWAYS TRIGGER note_changed_incident;
ALTER TABLE iamwatch.alerts ENABLE ALWAYS TRIGGER note_removed_incident;
ALTER TABLE iamwatch.alerts ENABLE REPLICA TRIGGER note_applied_incident;

-- Events that join an alert hardly change its incident, so that is left until there is
-- more of it.  What an analyst changes is brought up to date at once, with the owner's
-- rights, since nobody else writes what is kept.
CREATE FUNCTION iamwatch_internal.keep_changed() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	is_ours boolean;
BEGIN
	is_ours := iamwatch_internal.check_alerts_trigger(TG_RELID);
	IF TG_OP = 'TRUNCATE' THEN
		DELETE FROM iamwatch_internal.kept_incidents;
		DELETE FROM iamwatch_internal.changed_incidents;
	ELSIF TG_RELID = 'iamwatch.alerts'::regclass THEN
		PERFORM iamwatch_internal.keep_changed_incidents(NULL);
	ELSIF iamwatch_internal.has_many_changed(32) THEN
		PERFORM iamwatch_internal.keep_changed_incidents(64);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_changed() IS 'trigger: the incidents of alerts that have changed';
CREATE TRIGGER keep_changed AFTER DELETE OR TRUNCATE OR UPDATE OF status, resolution, assignee,
	first_event_time, last_event_time, risk, severity ON iamwatch.alerts
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.keep_changed();
CREATE TRIGGER keep_changed AFTER UPDATE OR DELETE ON iamwatch_internal.all_alerts
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.keep_changed();

-- Another deduplication period draws other lines.
CREATE FUNCTION iamwatch_internal.redraw_incidents() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	IF TG_OP = 'UPDATE' AND NEW.deduplication_days = OLD.deduplication_days AND NEW.detector = OLD.detector THEN
		RETURN NULL;
	END IF;
	INSERT INTO iamwatch_internal.changed_incidents (detector, provider, account, identity, since, until)
	SELECT DISTINCT k.detector, k.provider, k.account, k.identity, '-infinity'::timestamptz, 'infinity'::timestamptz
	FROM iamwatch_internal.kept_incidents AS k
	WHERE k.detector IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.detector END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.detector END);
	PERFORM iamwatch_internal.keep_changed_incidents(NULL) FROM iamwatch_internal.changed_incidents LIMIT 1;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.redraw_incidents() IS 'trigger: all incidents of a detector whose deduplication period has changed';
CREATE TRIGGER redraw_incidents AFTER INSERT OR DELETE OR UPDATE OF detector, deduplication_days ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.redraw_incidents();

-- A restore that fired no triggers brings alerts of which no incident is kept; alerts that are opened
-- after it have theirs.
CREATE FUNCTION iamwatch_internal.find_unkept_incidents() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	INSERT INTO iamwatch_internal.changed_incidents (detector, provider, account, identity, since, until)
	SELECT a.detector, a.provider, a.account, a.identity, min(a.first_event_time), max(a.last_event_time)
	FROM iamwatch.alerts AS a
	WHERE NOT EXISTS (SELECT FROM iamwatch_internal.kept_incidents AS k WHERE k.incident_id = a.incident_id)
	GROUP BY a.detector, a.provider, a.account, a.identity
$$;
COMMENT ON FUNCTION iamwatch_internal.find_unkept_incidents() IS
'alerts that belong to no kept incident, as after a restore without triggers: their incidents are to be done';
