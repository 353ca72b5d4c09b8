-- Alerts of one identity that belong together, kept so that a list of them
-- costs no more with a million alerts than with a hundred.
--
-- Whoever writes alerts brings the incidents of their identity up to date at
-- once, under a lock that is only tried.  Where another session has it, a row in
-- changed_incidents says which identity is to be done again, and until somebody
-- has, its incidents are computed when they are read.  So nobody waits, and what
-- is read is what the alerts in the same snapshot say, always.

CREATE TABLE iamwatch_internal.kept_incidents (
	incident_id bigint PRIMARY KEY,
	detector text NOT NULL,
	provider text NOT NULL,
	account text NOT NULL,
	identity text NOT NULL,
	identity_kind text NOT NULL,
	risk double precision NOT NULL,
	severity text NOT NULL,
	status text NOT NULL,
	alerts bigint NOT NULL,
	open_alerts bigint NOT NULL,
	events bigint NOT NULL,
	first_event_time timestamptz NOT NULL,
	last_event_time timestamptz NOT NULL,
	first_day date NOT NULL,
	operations text[] NOT NULL,
	techniques text[] NOT NULL,
	sensitivity integer NOT NULL,
	assignees text[],
	alert_ids bigint[] NOT NULL,
	acts_as text NOT NULL,
	hands text[] NOT NULL,
	handed_at timestamptz[] NOT NULL,
	handed_by text[] NOT NULL,
	gave_on text[] NOT NULL,
	arrives_on text[] NOT NULL,
	next_from timestamptz NOT NULL,
	kept_by xid8 NOT NULL
);
COMMENT ON TABLE iamwatch_internal.kept_incidents IS
'incidents as they were when the alerts of their identity were last looked at; follows from the alerts, so no dump needs it';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.first_day IS 'UTC date of the first event';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.acts_as IS 'iamwatch_internal.actor() of the identity';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.hands IS 'the actors that were created, or given credentials, by its alerts; beside them when, and by what';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.gave_on IS
'addresses from which that was done, each with every week until another incident would begin: who arrives from one in such a week may have come of it';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.arrives_on IS
'addresses of the alerts of an identity''s first day, each with the week in which the incident began';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.next_from IS 'from when on an alert would begin another incident';
COMMENT ON COLUMN iamwatch_internal.kept_incidents.kept_by IS 'the transaction that wrote the row; null of what is computed when it is read';
-- the work list; everything by risk; one identity; one account; one day; urgent, which reads
-- nothing but the index; links, of which each reading would go through what was added lately,
-- if that waited for its place.  None is of the kind hash, which goes through all that are
-- alike for each that is added: an account can have very many.
CREATE INDEX kept_incidents_open ON iamwatch_internal.kept_incidents (risk DESC, incident_id) WHERE open_alerts > 0;
CREATE INDEX kept_incidents_risk ON iamwatch_internal.kept_incidents (risk DESC, incident_id);
CREATE INDEX kept_incidents_identity ON iamwatch_internal.kept_incidents (hashtextextended(identity, 0), hashtextextended(account, 0));
CREATE INDEX kept_incidents_account ON iamwatch_internal.kept_incidents (hashtextextended(account, 0));
CREATE INDEX kept_incidents_first ON iamwatch_internal.kept_incidents (first_event_time);
CREATE INDEX kept_incidents_last ON iamwatch_internal.kept_incidents (last_event_time);
CREATE INDEX kept_incidents_day ON iamwatch_internal.kept_incidents (detector, first_day, risk, first_event_time);
CREATE INDEX kept_incidents_kept_by ON iamwatch_internal.kept_incidents (kept_by);
CREATE INDEX kept_incidents_actor ON iamwatch_internal.kept_incidents (acts_as);
CREATE INDEX kept_incidents_hands ON iamwatch_internal.kept_incidents USING gin (hands) WITH (fastupdate = off) WHERE hands <> '{}';
CREATE INDEX kept_incidents_gave_on ON iamwatch_internal.kept_incidents USING gin (gave_on) WITH (fastupdate = off) WHERE gave_on <> '{}';
CREATE INDEX kept_incidents_arrives_on ON iamwatch_internal.kept_incidents USING gin (arrives_on) WITH (fastupdate = off) WHERE arrives_on <> '{}';

-- With no statement, whoever writes the row.
CREATE FUNCTION iamwatch_internal.kept_by_whom() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_kept_by_whom' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.kept_by_whom() IS 'trigger: which transaction keeps an incident';
CREATE TRIGGER kept_by_whom BEFORE INSERT OR UPDATE ON iamwatch_internal.kept_incidents
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.kept_by_whom();

CREATE TABLE iamwatch_internal.changed_incidents (
	detector text NOT NULL,
	provider text NOT NULL,
	account text NOT NULL,
	identity text NOT NULL,
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE iamwatch_internal.changed_incidents IS
'identities whose kept incidents are behind their alerts, and the times of those alerts; the next session that writes one, or iamwatch.maintain(), takes them out';
CREATE INDEX changed_incidents_identity ON iamwatch_internal.changed_incidents (hashtextextended(identity, 0));
CREATE INDEX changed_incidents_changed_at ON iamwatch_internal.changed_incidents (changed_at);
ALTER TABLE iamwatch_internal.changed_incidents REPLICA IDENTITY FULL;

-- ---- who was created or given credentials ----

CREATE FUNCTION iamwatch_internal.hands_over(alert iamwatch.alerts) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_hands_over' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.hands_over(iamwatch.alerts) IS
'whether an alert is about an identity that was made, or credentials or a role that were given';

CREATE FUNCTION iamwatch_internal.handed_how(alert iamwatch.alerts, target text) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_handed_how' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.handed_how(iamwatch.alerts, text) IS 'how a target of an alert was made or got something';

-- An address and a week is a key that an index finds, where an address alone
-- would find everybody who works at the same place.
CREATE FUNCTION iamwatch_internal.address_weeks(addresses text[], since timestamptz, until timestamptz) RETURNS text[]
	AS 'MODULE_PATHNAME', 'iamwatch_address_weeks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.address_weeks(text[], timestamptz, timestamptz) IS
'each of the addresses with each of the weeks that a time touches';

-- ---- what an incident is ----

CREATE FUNCTION iamwatch_internal.incident_gap(of_detector text) RETURNS interval
	AS 'MODULE_PATHNAME', 'iamwatch_incident_gap' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.incident_gap(text) IS 'how long without an alert ends an incident: the deduplication period';

CREATE TYPE iamwatch_internal.incident_part AS (
	detector text,
	provider text,
	account text,
	identity text,
	since timestamptz,
	until timestamptz
);
COMMENT ON TYPE iamwatch_internal.incident_part IS 'the alerts of a detector and identity that begin from since to until, both included';

-- Without a path of its own, so that it becomes part of the statement that keeps
-- what it says; readers call the next one.  Most alerts are the first of an
-- incident, and then each of the aggregates is that alert: src/detect/incident_of_one.c.
-- A test compares the two.
CREATE FUNCTION iamwatch_internal.incidents_of(parts iamwatch_internal.incident_part[])
	RETURNS SETOF iamwatch_internal.kept_incidents
	LANGUAGE sql STABLE ROWS 10 AS $$
	WITH alert AS (
		SELECT a.*, p.n AS part, p.gap, coalesce(a.first_event_time >= max(a.last_event_time) OVER before + p.gap, true) AS begins,
			row_number() OVER (PARTITION BY p.n ORDER BY a.first_event_time, a.alert_id) AS place
		FROM (SELECT w.*, iamwatch_internal.incident_gap(w.detector) AS gap FROM unnest(parts) WITH ORDINALITY
			AS w (detector, provider, account, identity, since, until, n)) AS p
		CROSS JOIN LATERAL (SELECT b AS row, b.* FROM iamwatch.alerts AS b
			WHERE hashtextextended(b.identity, 0) = hashtextextended(p.identity, 0)
			AND b.first_event_time >= p.since AND b.first_event_time <= p.until
			AND b.identity = p.identity AND b.account = p.account AND b.provider = p.provider AND b.detector = p.detector OFFSET 0) AS a
		WINDOW before AS (PARTITION BY p.n ORDER BY a.first_event_time, a.alert_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
	), numbered AS MATERIALIZED (
		SELECT x.*, count(*) FILTER (WHERE x.begins) OVER (ORDER BY x.part, x.place) AS n FROM alert AS x
	), given AS MATERIALIZED (
		SELECT h.n, array_agg(h.key ORDER BY h.place, h.key) AS hands,
			array_agg(h.first_event_time ORDER BY h.place, h.key) AS handed_at,
			array_agg(h.reason ORDER BY h.place, h.key) AS handed_by
		FROM (
			SELECT DISTINCT ON (g.n, k.key) g.n, g.place, k.key, g.first_event_time,
				iamwatch_internal.handed_how(g.row, t.target) AS reason
			FROM numbered AS g
			CROSS JOIN LATERAL jsonb_array_elements_text(g.evidence->'targets') AS t (target)
			CROSS JOIN LATERAL iamwatch_internal.handed(g.provider, g.account, g.operation, t.target) AS k (key)
			WHERE iamwatch_internal.hands_over(g.row) AND k.key <> iamwatch_internal.actor(g.provider, g.identity)
			ORDER BY g.n, k.key, g.place) AS h
		GROUP BY h.n
	), address AS MATERIALIZED (
		SELECT y.n, array_agg(DISTINCT s.address) FILTER (WHERE iamwatch_internal.hands_over(y.row)) AS gave,
			array_agg(DISTINCT s.address) FILTER (WHERE y.evidence->'context' ? 'first_day') AS arrives
		FROM numbered AS y
		CROSS JOIN LATERAL jsonb_array_elements_text(y.evidence->'source_addresses') AS s (address)
		GROUP BY y.n
	), incident AS (
		SELECT x.n, (array_agg(x.alert_id ORDER BY x.place))[1] AS incident_id, x.detector, x.provider, x.account, x.identity,
			(array_agg(x.identity_kind ORDER BY x.place))[1] AS identity_kind,
			coalesce(max(x.risk) FILTER (WHERE x.resolution IS NULL OR x.resolution = 'true_positive'), 0) AS risk,
			(array_agg(x.severity ORDER BY iamwatch_internal.severity_rank(x.severity) DESC))[1] AS severity,
			CASE WHEN bool_and(x.status = 'closed') THEN 'closed' WHEN bool_or(x.status = 'investigating') THEN 'investigating'
				ELSE 'new' END AS status,
			count(*) AS alerts, count(*) FILTER (WHERE x.status <> 'closed') AS open_alerts, sum(x.event_count)::bigint AS events,
			min(x.first_event_time) AS first_event_time, max(x.last_event_time) AS last_event_time, x.gap,
			array_agg(x.service || ':' || x.operation || CASE WHEN x.failed THEN ' (failed)' ELSE '' END ORDER BY x.place) AS operations,
			array_agg(DISTINCT x.technique) AS techniques, max(x.sensitivity) AS sensitivity,
			array_agg(DISTINCT x.assignee) FILTER (WHERE x.assignee IS NOT NULL) AS assignees,
			array_agg(x.alert_id ORDER BY x.place) AS alert_ids
		FROM numbered AS x
		GROUP BY x.n, x.detector, x.provider, x.account, x.identity, x.gap
	)
	SELECT i.incident_id, i.detector, i.provider, i.account, i.identity, i.identity_kind, i.risk, i.severity, i.status,
		i.alerts, i.open_alerts, i.events, i.first_event_time, i.last_event_time, (i.first_event_time AT TIME ZONE 'UTC')::date,
		i.operations, i.techniques, i.sensitivity, i.assignees, i.alert_ids,
		iamwatch_internal.actor(i.provider, i.identity),
		coalesce(g.hands, '{}'), coalesce(g.handed_at, '{}'), coalesce(g.handed_by, '{}'),
		CASE WHEN f.gave IS NULL THEN '{}' ELSE iamwatch_internal.address_weeks(f.gave, i.first_event_time, i.last_event_time + i.gap) END,
		CASE WHEN f.arrives IS NULL THEN '{}' ELSE iamwatch_internal.address_weeks(f.arrives, i.first_event_time, i.first_event_time) END,
		i.last_event_time + i.gap, NULL::xid8
	FROM incident AS i
	LEFT JOIN given AS g ON g.n = i.n
	LEFT JOIN address AS f ON f.n = i.n
$$;
COMMENT ON FUNCTION iamwatch_internal.incidents_of(iamwatch_internal.incident_part[]) IS
'the incidents of identities as their alerts say: none of an incident''s alerts begins a deduplication period or more after the last event of those before it. Each identity of a detector is one part';

CREATE FUNCTION iamwatch_internal.find_incidents(parts iamwatch_internal.incident_part[])
	RETURNS SETOF iamwatch_internal.kept_incidents
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET enable_seqscan = off SET jit = off AS $$
BEGIN
	RETURN QUERY SELECT i.* FROM iamwatch_internal.incidents_of(parts) AS i;
END $$;
COMMENT ON FUNCTION iamwatch_internal.find_incidents(iamwatch_internal.incident_part[]) IS
'iamwatch_internal.incidents_of() for readers';

-- ---- read them ----

CREATE FUNCTION iamwatch_internal.computed_incidents() RETURNS SETOF iamwatch_internal.kept_incidents
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	parts constant iamwatch_internal.incident_part[] := (SELECT array_agg((c.detector, c.provider, c.account, c.identity, '-infinity', 'infinity')::iamwatch_internal.incident_part)
		FROM (SELECT DISTINCT detector, provider, account, identity FROM iamwatch_internal.changed_incidents) AS c);
BEGIN
	IF parts IS NOT NULL THEN
		RETURN QUERY SELECT f.* FROM iamwatch_internal.find_incidents(parts) AS f;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.computed_incidents() IS 'the incidents of the identities whose kept ones are behind';

CREATE VIEW iamwatch_internal.unchanged_incidents AS
SELECT k.*, k AS kept FROM iamwatch_internal.kept_incidents AS k
WHERE ((k.detector, k.provider, k.account, k.identity)
	IN (SELECT c.detector, c.provider, c.account, c.identity FROM iamwatch_internal.changed_incidents AS c)) IS NOT TRUE;
COMMENT ON VIEW iamwatch_internal.unchanged_incidents IS
'kept incidents that are not behind their alerts; kept: the row itself. Where nothing has changed, iamwatch_internal.kept_incidents is the same and costs less';

-- Two plain parts, so that an index of the one can give the order of both: the same once more.
CREATE VIEW iamwatch_internal.current_incidents AS
SELECT u.incident_id, u.detector, u.provider, u.account, u.identity, u.identity_kind, u.risk, u.severity, u.status,
	u.alerts, u.open_alerts, u.events, u.first_event_time, u.last_event_time, u.first_day, u.operations, u.techniques,
	u.sensitivity, u.assignees, u.alert_ids, u.acts_as, u.hands, u.handed_at, u.handed_by, u.gave_on, u.arrives_on, u.next_from, u.kept_by
FROM (
	SELECT k.*, k.detector AS kept_of FROM iamwatch_internal.kept_incidents AS k
	UNION ALL
	SELECT c.*, NULL FROM iamwatch_internal.computed_incidents() AS c) AS u
WHERE ((u.kept_of, u.provider, u.account, u.identity)
	IN (SELECT q.detector, q.provider, q.account, q.identity FROM iamwatch_internal.changed_incidents AS q)) IS NOT TRUE
AND iamwatch_internal.is_indexed(hashtextextended(u.identity, 0)) AND iamwatch_internal.is_indexed(hashtextextended(u.account, 0));
COMMENT ON VIEW iamwatch_internal.current_incidents IS 'incidents as they are: kept ones, and computed ones where those are behind';

CREATE FUNCTION iamwatch_internal.urgent_most(of_detector text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'iamwatch_urgent_most' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.urgent_most(text) IS
'how many incidents of a detector are urgent in 28 days, by its daily budget';

-- The last two are of the statement, so that it finds them out once.
CREATE FUNCTION iamwatch_internal.is_urgent(of_detector text, began timestamptz, of_risk double precision,
	has_changed boolean, computed iamwatch_internal.kept_incidents[]) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_urgent' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.is_urgent(text, timestamptz, double precision, boolean, iamwatch_internal.kept_incidents[]) IS
'whether fewer than 28 times the detector''s daily budget of the incidents that began in the 28 days before have a higher risk. Has_changed: whether kept ones are behind; computed: those instead. For a long list each day is read once (src/detect/urgent_list.c)';

-- ---- linked incidents ----

-- A link follows from two incidents, and two sessions may keep one each and not
-- see the other.  So a link becomes a row only when both were kept by
-- transactions that have ended: of incidents kept since, it is found out when it
-- is read.

CREATE TABLE iamwatch_internal.kept_links (
	incident_id bigint NOT NULL,
	led_to bigint NOT NULL,
	reason text NOT NULL
);
COMMENT ON TABLE iamwatch_internal.kept_links IS
'links of incidents that were kept by transactions before iamwatch_internal.links_done; follows from them, so no dump needs it';
CREATE INDEX kept_links_from ON iamwatch_internal.kept_links (incident_id, led_to);
CREATE INDEX kept_links_to ON iamwatch_internal.kept_links (led_to, incident_id);
ALTER TABLE iamwatch_internal.kept_links REPLICA IDENTITY FULL;

CREATE TABLE iamwatch_internal.links_done (before xid8 PRIMARY KEY);
COMMENT ON TABLE iamwatch_internal.links_done IS
'one row: all transactions before it have ended, and the links of the incidents that they kept are in iamwatch_internal.kept_links';
INSERT INTO iamwatch_internal.links_done VALUES ('0');

CREATE FUNCTION iamwatch_internal.link_reason(x iamwatch_internal.kept_incidents, y iamwatch_internal.kept_incidents) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET intervalstyle = postgres AS $$
DECLARE
	n constant integer := CASE WHEN (y.provider, y.identity) <> (x.provider, x.identity) THEN array_position(x.hands, y.acts_as) END;
	reasons text[] := '{}';
BEGIN
	IF n IS NOT NULL AND y.last_event_time >= x.handed_at[n] THEN
		reasons := ARRAY[format('%s, who acts in incident %s', x.handed_by[n], y.incident_id)];
	END IF;
	IF y.arrives_on && x.gave_on AND y.provider = x.provider AND y.identity <> x.identity
		AND y.first_event_time >= x.first_event_time AND y.first_event_time < x.next_from THEN
		reasons := reasons || format('from %s, where identities or credentials were made, %s acts for the first time %s later',
			(SELECT string_agg(substr(a, position(' ' IN a) + 1), ', ' ORDER BY a) FROM unnest(y.arrives_on) AS a WHERE a = ANY (x.gave_on)),
			iamwatch.short_name(y.identity), date_trunc('second', y.first_event_time - x.first_event_time));
	END IF;
	RETURN nullif(array_to_string(reasons, '; '), '');
END $$;
COMMENT ON FUNCTION iamwatch_internal.link_reason(iamwatch_internal.kept_incidents, iamwatch_internal.kept_incidents) IS
'why one incident led to another, null if it did not: its alerts made, or gave credentials to, the identity of the other, by name, which acted since; or that identity was seen for the first time from an address from which this was done, before another incident would begin';

-- Either end finds the other by an index.
CREATE FUNCTION iamwatch_internal.keep_links(prune boolean DEFAULT false) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET enable_seqscan = off SET jit = off AS $$
DECLARE
	until constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
	since xid8;
BEGIN
	-- identities have the keys below (INCIDENT_LOCKS in src/detect/incidents.c)
	IF NOT iamwatch_internal.may_fold() OR NOT iamwatch_internal.try_lock(5, 1024) THEN
		RETURN;
	END IF;
	since := (SELECT s.before FROM iamwatch_internal.links_done AS s);
	IF prune THEN
		DELETE FROM iamwatch_internal.kept_links AS l
		WHERE NOT EXISTS (SELECT FROM iamwatch_internal.kept_incidents AS k WHERE k.incident_id = l.incident_id)
		OR NOT EXISTS (SELECT FROM iamwatch_internal.kept_incidents AS k WHERE k.incident_id = l.led_to);
	END IF;
	IF NOT EXISTS (SELECT FROM iamwatch_internal.kept_incidents AS k WHERE k.kept_by >= since AND k.kept_by < until) THEN
		RETURN;
	END IF;
	DELETE FROM iamwatch_internal.kept_links AS l
	USING iamwatch_internal.kept_incidents AS k
	WHERE k.kept_by >= since AND k.kept_by < until AND l.incident_id = k.incident_id;
	DELETE FROM iamwatch_internal.kept_links AS l
	USING iamwatch_internal.kept_incidents AS k
	WHERE k.kept_by >= since AND k.kept_by < until AND l.led_to = k.incident_id;
	INSERT INTO iamwatch_internal.kept_links (incident_id, led_to, reason)
	SELECT p.incident_id, p.led_to, r.reason
	FROM (
		SELECT x.incident_id, y.incident_id AS led_to, x, y
		FROM iamwatch_internal.kept_incidents AS x
		JOIN iamwatch_internal.kept_incidents AS y ON y.acts_as = ANY (x.hands) OR y.arrives_on <> '{}' AND y.arrives_on && x.gave_on
		WHERE x.kept_by >= since AND x.kept_by < until AND (x.hands <> '{}' OR x.gave_on <> '{}') AND y.kept_by < until
		UNION ALL
		SELECT x.incident_id, y.incident_id, x, y
		FROM iamwatch_internal.kept_incidents AS y
		JOIN iamwatch_internal.kept_incidents AS x ON x.hands <> '{}' AND x.hands @> ARRAY[y.acts_as]
			OR x.gave_on <> '{}' AND x.gave_on && y.arrives_on
		WHERE y.kept_by >= since AND y.kept_by < until AND x.kept_by < since) AS p
	CROSS JOIN LATERAL iamwatch_internal.link_reason(p.x, p.y) AS r (reason)
	WHERE r.reason IS NOT NULL;
	UPDATE iamwatch_internal.links_done SET before = until;
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_links(boolean) IS
'write the links of incidents that were kept by transactions which have ended since it was last done, unless another session is just doing so; prune: and take out those of incidents that are no more';

-- Each end goes to the other by index, in a fence: were it joined to those that are
-- behind in the same breath, their table, which has no index for that, would make
-- all plans look as dear as going through every incident.
CREATE FUNCTION iamwatch_internal.fresh_links() RETURNS TABLE (incident_id bigint, led_to bigint, reason text)
	LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET enable_seqscan = off SET jit = off AS $$
DECLARE
	links_before constant xid8 := (SELECT s.before FROM iamwatch_internal.links_done AS s);
	has_changed constant boolean := EXISTS (SELECT FROM iamwatch_internal.changed_incidents);
	fresh iamwatch_internal.kept_incidents[] := ARRAY(SELECT k.kept FROM iamwatch_internal.unchanged_incidents AS k
		WHERE k.kept_by >= links_before);
BEGIN
	IF has_changed THEN
		fresh := fresh || ARRAY(SELECT c FROM iamwatch_internal.computed_incidents() AS c);
	END IF;
	IF fresh = '{}' THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH end_of AS MATERIALIZED (
		SELECT f.*, f AS whole FROM unnest(fresh) AS f
	), pair AS (
		SELECT DISTINCT x.incident_id, y.incident_id AS led_to
		FROM (SELECT e.incident_id, k AS key FROM end_of AS e CROSS JOIN unnest(e.hands || e.gave_on) AS k) AS x
		JOIN (SELECT e.incident_id, k AS key FROM end_of AS e CROSS JOIN unnest(e.acts_as || e.arrives_on) AS k) AS y ON y.key = x.key
	), candidate AS (
		SELECT p.incident_id, p.led_to, x.whole AS x, y.whole AS y, NULL::iamwatch_internal.kept_incidents AS kept
		FROM pair AS p JOIN end_of AS x ON x.incident_id = p.incident_id JOIN end_of AS y ON y.incident_id = p.led_to
		UNION ALL
		SELECT x.incident_id, y.incident_id, x.whole, y.kept, y.kept
		FROM end_of AS x
		CROSS JOIN LATERAL (SELECT k.incident_id, k AS kept FROM iamwatch_internal.kept_incidents AS k
			WHERE (k.acts_as = ANY (x.hands) OR k.arrives_on <> '{}' AND k.arrives_on && x.gave_on)
			AND k.kept_by < links_before OFFSET 0) AS y
		WHERE x.hands <> '{}' OR x.gave_on <> '{}'
		UNION ALL
		SELECT x.incident_id, y.incident_id, x.kept, y.whole, x.kept
		FROM end_of AS y
		CROSS JOIN LATERAL (SELECT k.incident_id, k AS kept FROM iamwatch_internal.kept_incidents AS k
			WHERE (k.hands <> '{}' AND k.hands @> ARRAY[y.acts_as] OR k.gave_on <> '{}' AND k.gave_on && y.arrives_on)
			AND k.kept_by < links_before OFFSET 0) AS x
	)
	SELECT c.incident_id, c.led_to, r.reason
	FROM candidate AS c
	CROSS JOIN LATERAL iamwatch_internal.link_reason(c.x, c.y) AS r (reason)
	WHERE r.reason IS NOT NULL
	AND (((c.kept).detector, (c.kept).provider, (c.kept).account, (c.kept).identity)
		IN (SELECT q.detector, q.provider, q.account, q.identity FROM iamwatch_internal.changed_incidents AS q)) IS NOT TRUE;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fresh_links() IS
'the links from and to incidents that are not among those of iamwatch_internal.links_done: kept since, or behind their alerts';

-- For each line of a list: with no cost to speak of, so that one of many is not taken
-- for work that is worth compiling.  All but the first and third are of the statement,
-- so that it finds them out once.
CREATE FUNCTION iamwatch_internal.linked_incidents(of_incident bigint, forward boolean, kept_by xid8, before xid8,
	has_changed boolean, fresh iamwatch_internal.kept_links[]) RETURNS bigint[]
	AS 'MODULE_PATHNAME', 'iamwatch_linked_incidents' LANGUAGE C STABLE COST 1;
COMMENT ON FUNCTION iamwatch_internal.linked_incidents(bigint, boolean, xid8, xid8, boolean, iamwatch_internal.kept_links[]) IS
'the incidents that an incident led to, or came from: links that are rows, of two incidents that are there, are not behind their alerts, and were kept by transactions before the one given; and fresh ones. Has_changed: whether any is behind';

CREATE VIEW iamwatch.incident_links AS
SELECT l.incident_id, l.led_to, l.reason
FROM iamwatch_internal.kept_links AS l
JOIN iamwatch_internal.unchanged_incidents AS x ON x.incident_id = l.incident_id
JOIN iamwatch_internal.unchanged_incidents AS y ON y.incident_id = l.led_to
WHERE x.kept_by < (SELECT s.before FROM iamwatch_internal.links_done AS s)
AND y.kept_by < (SELECT s.before FROM iamwatch_internal.links_done AS s)
UNION ALL
SELECT f.incident_id, f.led_to, f.reason FROM iamwatch_internal.fresh_links() AS f;
COMMENT ON VIEW iamwatch.incident_links IS 'which incident led to which other, and why that is said';
COMMENT ON COLUMN iamwatch.incident_links.incident_id IS 'whose alerts made an identity or gave it credentials';
COMMENT ON COLUMN iamwatch.incident_links.led_to IS 'the incident of that identity';
COMMENT ON COLUMN iamwatch.incident_links.reason IS 'by which alert, or from which address';

CREATE VIEW iamwatch.incidents AS
SELECT i.incident_id, i.detector, i.provider, i.account, i.identity, i.identity_kind,
	iamwatch.short_name(i.identity) AS name, i.risk,
	iamwatch_internal.is_urgent(i.detector, i.first_event_time, i.risk,
		(SELECT EXISTS (SELECT FROM iamwatch_internal.changed_incidents)),
		(SELECT array_agg(c) FROM iamwatch_internal.computed_incidents() AS c)) AS urgent,
	i.severity, i.status, i.first_event_time, i.last_event_time, i.alerts, i.open_alerts, i.events,
	i.operations, i.techniques, i.sensitivity, i.assignees, i.alert_ids,
	CASE WHEN i.hands = '{}' AND i.gave_on = '{}' THEN '{}' ELSE
		iamwatch_internal.linked_incidents(i.incident_id, true, i.kept_by, (SELECT s.before FROM iamwatch_internal.links_done AS s),
			(SELECT EXISTS (SELECT FROM iamwatch_internal.changed_incidents)),
			ARRAY(SELECT (f.incident_id, f.led_to, f.reason)::iamwatch_internal.kept_links FROM iamwatch_internal.fresh_links() AS f)) END AS led_to,
	iamwatch_internal.linked_incidents(i.incident_id, false, i.kept_by, (SELECT s.before FROM iamwatch_internal.links_done AS s),
		(SELECT EXISTS (SELECT FROM iamwatch_internal.changed_incidents)),
		ARRAY(SELECT (f.incident_id, f.led_to, f.reason)::iamwatch_internal.kept_links FROM iamwatch_internal.fresh_links() AS f)) AS came_from
FROM iamwatch_internal.current_incidents AS i;
COMMENT ON VIEW iamwatch.incidents IS
'alerts of a detector and identity that belong together: none begins a deduplication period or more after the last event of those before it. The work list: WHERE open_alerts > 0 ORDER BY risk DESC LIMIT 20';
COMMENT ON COLUMN iamwatch.incidents.incident_id IS 'the first of its alerts';
COMMENT ON COLUMN iamwatch.incidents.name IS 'the identity, as people read it';
COMMENT ON COLUMN iamwatch.incidents.risk IS 'bits: the highest of its alerts, those closed as benign or an expected change aside; 0 without any';
COMMENT ON COLUMN iamwatch.incidents.urgent IS
'whether its risk reaches the (28 x daily_budget)-th highest of the incidents of its detector that began in the 28 days before it, or those are fewer';
COMMENT ON COLUMN iamwatch.incidents.severity IS 'the worst of its alerts';
COMMENT ON COLUMN iamwatch.incidents.status IS 'closed when all of its alerts are; else investigating when any is; else new';
COMMENT ON COLUMN iamwatch.incidents.operations IS 'in order of the first event; the same as alert_ids';
COMMENT ON COLUMN iamwatch.incidents.sensitivity IS 'the highest of its operations, 1 to 4';
COMMENT ON COLUMN iamwatch.incidents.led_to IS 'incidents of identities that its alerts made or gave credentials to; iamwatch.incident_links says why';
COMMENT ON COLUMN iamwatch.incidents.came_from IS 'incidents that led to it; iamwatch.incident_links says why';
