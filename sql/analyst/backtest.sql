-- What other settings would have raised.  Reads the source itself, from
-- scratch, and writes nothing.

CREATE FUNCTION iamwatch_internal.other_settings(detector text, training_days integer, activation_days integer,
	deduplication_days integer, probability_limit double precision, categories text[],
	least_sensitivity integer, least_risk double precision, daily_budget integer) RETURNS iamwatch.detectors
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	s iamwatch.detectors;
BEGIN
	SELECT * INTO s FROM iamwatch.detectors AS d WHERE d.detector = detector;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'detector "%" does not exist', detector
			USING ERRCODE = 'undefined_object', HINT = 'See iamwatch.detectors.';
	END IF;
	s.training_days := coalesce(training_days, s.training_days);
	s.activation_days := coalesce(activation_days, s.activation_days);
	s.deduplication_days := coalesce(deduplication_days, s.deduplication_days);
	s.probability_limit := coalesce(probability_limit, s.probability_limit);
	s.categories := coalesce(categories, s.categories);
	s.least_sensitivity := coalesce(least_sensitivity, s.least_sensitivity);
	s.least_risk := coalesce(least_risk, s.least_risk);
	s.daily_budget := coalesce(daily_budget, s.daily_budget);
	IF s.training_days NOT BETWEEN 1 AND 3650 OR s.activation_days NOT BETWEEN 0 AND 3650
		OR s.deduplication_days NOT BETWEEN 0 AND 3650 OR s.least_sensitivity NOT BETWEEN 1 AND 4
		OR s.probability_limit NOT BETWEEN 0 AND 1 OR s.least_risk NOT BETWEEN 0 AND 100
		OR s.daily_budget NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'setting out of range' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Periods are 0 to 3650 days, training at least 1; the limit 0 to 1; sensitivity 1 to 4; least risk 0 to 100; budget 1 to 10000.';
	END IF;
	RETURN s;
END $$;
COMMENT ON FUNCTION iamwatch_internal.other_settings(text, integer, integer, integer, double precision, text[], integer,
	double precision, integer) IS
'a detector''s settings with those given in place of its own; 42704 or 22023 for what cannot be';

CREATE FUNCTION iamwatch_internal.backtest_events(settings iamwatch.detectors, source regclass, event_column name)
	RETURNS TABLE (event iamwatch.event, unusual boolean, score iamwatch_internal.score)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off
	-- the planner takes each of these sets for one row, and would compare all with all
	SET enable_nestloop = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY WITH marks AS MATERIALIZED (
		SELECT f.*, m.key, m.days, m.first, is_person(f.kinds) AS is_user
		FROM iamwatch_internal.read_days(source, event_column, NULL, NULL) AS m
		CROSS JOIN LATERAL baseline_key_fields(m.key) AS f
	), account AS MATERIALIZED (
		SELECT provider, account, min(first) + settings.activation_days * interval '24 hours' AS active_from
		FROM marks GROUP BY provider, account
	), identity AS MATERIALIZED (
		SELECT provider, account, identity, is_person(bit_or(kinds)) AS class, dayset_union(days) AS days,
			coalesce(dayset_union(days) FILTER (WHERE operation IS NOT NULL), '{}') AS iam_days,
			earliest_days(dayset_union(days)) AS first_days
		FROM marks GROUP BY provider, account, identity
	), behaviour AS MATERIALIZED (
		SELECT m.provider, m.account, m.identity, m.service, m.operation, m.failed,
			dayset_union(m.days) AS days, i.class, i.days AS active_days, i.iam_days, i.first_days
		FROM marks AS m JOIN identity AS i USING (provider, account, identity)
		WHERE m.operation IS NOT NULL
		GROUP BY 1, 2, 3, 4, 5, 6, i.class, i.days, i.iam_days, i.first_days
	), watched AS MATERIALIZED (
		SELECT * FROM marks AS m WHERE is_watched(settings, m.provider, m.service, m.operation)
	), rare AS MATERIALIZED (
		SELECT m.key, m.is_user, day, b.provider, b.account, b.identity, b.service, b.operation, b.failed,
			b.class = m.is_user AS in_class, is_newcomer(b.first_days, day) AS newcomer,
			count_days(b.days, day - settings.training_days, day - 1) AS k,
			count_days(b.active_days, day - settings.training_days, day - 1) AS active,
			count_days(settled_days(b.days, b.first_days), day - settings.training_days, day - 1) AS settled_k,
			count_days(settled_days(b.active_days, b.first_days), day - settings.training_days, day - 1) AS settled_active,
			a.active_from
		FROM watched AS m
		JOIN behaviour AS b USING (provider, account, identity, service, operation, failed)
		JOIN account AS a USING (provider, account)
		CROSS JOIN LATERAL days(m.days) AS day
		WHERE day >= (a.active_from AT TIME ZONE 'UTC')::date
		AND may_be_unusual(count_days(b.days, day - settings.training_days, day - 1),
			count_days(b.active_days, day - settings.training_days, day - 1), settings.probability_limit)
	), activity AS MATERIALIZED (
		-- of all, and from each identity's third active day on
		SELECT i.provider, i.account, i.class, day, count(*) AS n, count(*) FILTER (WHERE day >= i.settled_from) AS settled,
			count(*) FILTER (WHERE i.iam_days @> day) AS iam,
			count(*) FILTER (WHERE i.iam_days @> day AND day >= i.settled_from) AS settled_iam
		FROM (SELECT *, first_day(settled_days(days, first_days)) AS settled_from FROM identity) AS i
		CROSS JOIN LATERAL days(i.days) AS day GROUP BY 1, 2, 3, 4
	), doing AS MATERIALIZED (
		SELECT b.provider, b.account, b.class, b.service, b.operation, b.failed, day, count(*) AS n,
			count(*) FILTER (WHERE day >= b.settled_from) AS settled
		FROM (SELECT *, first_day(settled_days(days, first_days)) AS settled_from FROM behaviour) AS b
		CROSS JOIN LATERAL days(b.days) AS day GROUP BY 1, 2, 3, 4, 5, 6, 7
	), active AS (
		SELECT r.provider, r.account, r.is_user, r.day, sum(a.n) AS n, sum(a.settled) AS settled
		FROM (SELECT DISTINCT provider, account, is_user, day FROM rare) AS r
		JOIN activity AS a ON (a.provider, a.account, a.class) = (r.provider, r.account, r.is_user)
			AND a.day BETWEEN r.day - settings.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4
	), done AS (
		SELECT r.provider, r.account, r.is_user, r.service, r.operation, r.failed, r.day,
			sum(d.n) AS n, sum(d.settled) AS settled
		FROM (SELECT DISTINCT provider, account, is_user, service, operation, failed, day FROM rare) AS r
		JOIN doing AS d ON (d.provider, d.account, d.class, d.service, d.operation, d.failed)
			= (r.provider, r.account, r.is_user, r.service, r.operation, r.failed)
			AND d.day BETWEEN r.day - settings.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4, 5, 6, 7
	), scored AS MATERIALIZED (
		SELECT r.*, p.peer_days, p.peer_active,
			iamwatch.probability(r.k, r.active, p.peer_days, p.peer_active) AS probability
		FROM rare AS r
		LEFT JOIN active AS a USING (provider, account, is_user, day)
		LEFT JOIN done AS d USING (provider, account, is_user, service, operation, failed, day)
		-- the class counts the identity too
		CROSS JOIN LATERAL (SELECT
			CASE WHEN r.newcomer THEN coalesce(d.n, 0) - CASE WHEN r.in_class THEN r.k ELSE 0 END
			ELSE coalesce(d.settled, 0) - CASE WHEN r.in_class THEN r.settled_k ELSE 0 END END::bigint AS peer_days,
			CASE WHEN r.newcomer THEN coalesce(a.n, 0) - CASE WHEN r.in_class THEN r.active ELSE 0 END
			ELSE coalesce(a.settled, 0) - CASE WHEN r.in_class THEN r.settled_active ELSE 0 END END::bigint AS peer_active) AS p
	), below AS MATERIALIZED (
		SELECT * FROM scored WHERE scored.probability < settings.probability_limit
	), remembered AS (
		-- what is unusual, with its identity's own memory and what of it counts in the class
		SELECT u.*, either.days, b.active_days, b.iam_days,
			CASE WHEN u.newcomer THEN b.days ELSE settled_days(b.days, b.first_days) END AS class_days,
			CASE WHEN u.newcomer THEN b.active_days ELSE settled_days(b.active_days, b.first_days) END AS class_active,
			CASE WHEN u.newcomer THEN b.iam_days ELSE settled_days(b.iam_days, b.first_days) END AS class_iam
		FROM below AS u
		JOIN behaviour AS b USING (provider, account, identity, service, operation, failed)
		LEFT JOIN behaviour AS o ON u.failed AND NOT o.failed AND (o.provider, o.account, o.identity, o.service, o.operation)
			= (u.provider, u.account, u.identity, u.service, u.operation)
		CROSS JOIN LATERAL (SELECT b.days | coalesce(o.days, '{}') AS days) AS either
	), active_long AS (
		SELECT r.provider, r.account, r.is_user, r.day, sum(a.n) AS n, sum(a.settled) AS settled,
			sum(a.iam) AS iam, sum(a.settled_iam) AS settled_iam
		FROM (SELECT DISTINCT provider, account, is_user, day FROM below) AS r
		JOIN activity AS a ON (a.provider, a.account, a.class) = (r.provider, r.account, r.is_user)
			AND a.day BETWEEN r.day - settings.peer_memory_days AND r.day - 1
		GROUP BY 1, 2, 3, 4
	), done_long AS (
		SELECT r.provider, r.account, r.is_user, r.service, r.operation, r.failed, r.day,
			sum(d.n) AS n, sum(d.settled) AS settled
		FROM (SELECT DISTINCT provider, account, is_user, service, operation, failed, day FROM below) AS r
		JOIN doing AS d ON (d.provider, d.account, d.class, d.service, d.operation, d.failed)
			= (r.provider, r.account, r.is_user, r.service, r.operation, r.failed)
			AND d.day BETWEEN r.day - settings.peer_memory_days AND r.day - 1
		GROUP BY 1, 2, 3, 4, 5, 6, 7
	), unusual AS MATERIALIZED (
		SELECT r.key, r.day, r.active_from, ROW(r.k, r.active, r.peer_days, r.peer_active, r.probability,
			count_days(r.days, r.day - settings.memory_days, r.day - 1),
			count_days(r.active_days, r.day - settings.memory_days, r.day - 1),
			count_days(r.iam_days, r.day - settings.memory_days, r.day - 1),
			coalesce(CASE WHEN r.newcomer THEN d.n ELSE d.settled END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_days, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END,
			coalesce(CASE WHEN r.newcomer THEN a.n ELSE a.settled END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_active, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END,
			coalesce(CASE WHEN r.newcomer THEN a.iam ELSE a.settled_iam END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_iam, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END
			)::iamwatch_internal.score AS score
		FROM remembered AS r
		LEFT JOIN active_long AS a USING (provider, account, is_user, day)
		LEFT JOIN done_long AS d USING (provider, account, is_user, service, operation, failed, day)
	), found AS MATERIALIZED (
		SELECT e.key, parse(e.document) AS event
		-- whatever kind the identity was seen as
		FROM iamwatch_internal.read_events(source, event_column, NULL, NULL, ARRAY(SELECT m.key FROM marks AS m
			WHERE (m.provider, m.account, m.identity, m.service, m.operation, m.failed) IN (
				SELECT x.provider, x.account, x.identity, x.service, x.operation, x.failed
				FROM marks AS x JOIN unusual AS u ON u.key = x.key)), '{}') AS e
	)
	SELECT f.event, coalesce((f.event).event_time >= u.active_from, false), u.score
	FROM found AS f
	LEFT JOIN unusual AS u ON u.key = f.key AND u.day = ((f.event).event_time AT TIME ZONE 'UTC')::date
	ORDER BY (f.event).provider, (f.event).account, (f.event).identity, (f.event).service,
		(f.event).operation, (f.event).failed, (f.event).event_time, (f.event).event_id COLLATE "C";
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_events(iamwatch.detectors, regclass, name) IS
'the events of every behaviour that is ever unusual, behaviour by behaviour in order of time, and how their days score';

CREATE FUNCTION iamwatch.backtest(source regclass, training_days integer DEFAULT NULL,
	activation_days integer DEFAULT NULL, deduplication_days integer DEFAULT NULL,
	probability_limit double precision DEFAULT NULL, categories text[] DEFAULT NULL,
	least_sensitivity integer DEFAULT NULL, event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity', least_risk double precision DEFAULT NULL)
	RETURNS TABLE (severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		k integer, active integer, peer_days bigint, peer_active bigint,
		probability double precision, surprise double precision, risk double precision, risk_counts jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	settings iamwatch.detectors := iamwatch_internal.other_settings(detector, training_days, activation_days,
		deduplication_days, probability_limit, categories, least_sensitivity, least_risk, NULL);
	period interval := settings.deduplication_days * interval '24 hours';
	c record;
	e iamwatch.event;
	score iamwatch_internal.score;
	o iamwatch.operations;
	ids text[];
	more record;
	this_risk double precision;
	was iamwatch.event;
	declined timestamptz;
BEGIN
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	FOR c IN SELECT * FROM iamwatch_internal.backtest_events(settings, source, event_column) LOOP
		e := c.event;
		IF first_event_time IS NOT NULL AND e.event_time < first_event_time + period
			AND (e.provider, e.account, e.identity, e.service, e.operation, e.failed)
				= (provider, account, identity, service, operation, failed) THEN
			CONTINUE WHEN e.event_id = ANY (ids);
			ids := ids || e.event_id;
			event_count := event_count + 1;
			last_event_time := e.event_time;
			SELECT * INTO more FROM iamwatch_internal.variation(settings, e);
			IF iamwatch_internal.severity_rank(more.severity) > iamwatch_internal.severity_rank(severity) THEN
				severity := more.severity;
				variation := more.variation;
			END IF;
			CONTINUE;
		END IF;
		IF first_event_time IS NOT NULL THEN
			RETURN NEXT;
			first_event_time := NULL;
		END IF;
		IF was IS NULL OR NOT iamwatch_internal.is_same_behaviour(was, e) THEN
			was := e;
			declined := NULL;
		END IF;
		-- a day is scored once, by the first event that may open an alert
		CONTINUE WHEN NOT c.unusual OR date_trunc('day', e.event_time, 'UTC') = declined;
		score := c.score;
		o := iamwatch.find_operation(e.provider, e.service, e.operation);
		this_risk := iamwatch_internal.risk_of(settings, score, o.sensitivity, '{}');
		IF this_risk < settings.least_risk THEN
			declined := date_trunc('day', e.event_time, 'UTC');
			CONTINUE;
		END IF;
		ids := ARRAY[e.event_id];
		event_count := 1;
		first_event_time := e.event_time;
		last_event_time := e.event_time;
		SELECT v.variation, v.severity INTO variation, severity FROM iamwatch_internal.variation(settings, e) AS v;
		provider := e.provider;
		account := e.account;
		identity := e.identity;
		identity_kind := e.identity_kind;
		service := e.service;
		operation := e.operation;
		failed := e.failed;
		category := o.category;
		sensitivity := o.sensitivity;
		technique := coalesce(nullif(o.attack_technique, ''), 'T1098');
		k := score.k;
		active := score.active;
		peer_days := score.peer_days;
		peer_active := score.peer_active;
		probability := score.probability;
		surprise := iamwatch.surprise(score.probability);
		risk := this_risk;
		risk_counts := iamwatch_internal.risk_evidence(score);
	END LOOP;
	IF first_event_time IS NOT NULL THEN
		RETURN NEXT;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.backtest(regclass, integer, integer, integer, double precision, text[], integer, name, text, double precision) IS
'the alerts that other settings would have raised over what a source holds, as if nothing else had ever been seen; null settings are the detector''s own, without context. Writes nothing';

-- Incidents as iamwatch.incidents has them, of alerts that nobody has closed.
CREATE FUNCTION iamwatch_internal.backtest_incidents(source regclass, settings iamwatch.detectors, event_column name)
	RETURNS TABLE (incident bigint, provider text, account text, identity text, service text, operation text, failed boolean,
		severity text, risk double precision, first_event_time timestamptz, last_event_time timestamptz)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT count(*) FILTER (WHERE g.begins) OVER (ORDER BY g.provider, g.account, g.identity, g.first_event_time, g.n),
		g.provider, g.account, g.identity, g.service, g.operation, g.failed, g.severity, g.risk,
		g.first_event_time, g.last_event_time
	FROM (
		SELECT b.*, coalesce(b.first_event_time >= max(b.last_event_time) OVER before
			+ $2.deduplication_days * interval '24 hours', true) AS begins
		FROM (SELECT row_number() OVER () AS n, a.* FROM iamwatch.backtest($1, $2.training_days, $2.activation_days,
			$2.deduplication_days, $2.probability_limit, $2.categories, $2.least_sensitivity, $3, $2.detector,
			$2.least_risk) AS a) AS b
		WINDOW before AS (PARTITION BY b.provider, b.account, b.identity ORDER BY b.first_event_time, b.n
			ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS g
$$;
COMMENT ON FUNCTION iamwatch_internal.backtest_incidents(regclass, iamwatch.detectors, name) IS
'the alerts of iamwatch.backtest(), numbered by the incident that each belongs to';

CREATE FUNCTION iamwatch.backtest_summary(source regclass, training_days integer DEFAULT NULL,
	activation_days integer DEFAULT NULL, deduplication_days integer DEFAULT NULL,
	probability_limit double precision DEFAULT NULL, categories text[] DEFAULT NULL,
	least_sensitivity integer DEFAULT NULL, event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity', least_risk double precision DEFAULT NULL,
	daily_budget integer DEFAULT NULL,
	OUT alerts bigint, OUT days bigint, OUT alerts_per_day double precision, OUT identities bigint,
	OUT by_severity jsonb, OUT new_alerts bigint, OUT vanished_alerts bigint,
	OUT incidents bigint, OUT incidents_per_day double precision,
	OUT urgent_incidents bigint, OUT urgent_per_day double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	WITH settings AS MATERIALIZED (
		SELECT s, s.daily_budget FROM iamwatch_internal.other_settings($9, $2, $3, $4, $5, $6, $7, $10, $11) AS s
	), other AS MATERIALIZED (
		SELECT i.* FROM settings AS s CROSS JOIN LATERAL iamwatch_internal.backtest_incidents($1, s.s, $8) AS i
	), now AS MATERIALIZED (
		SELECT * FROM iamwatch.backtest($1, event_column => $8, detector => $9)
	), share AS (
		SELECT jsonb_object_agg(o.severity, o.n) AS by_severity
		FROM (SELECT severity, count(*) AS n FROM other GROUP BY severity) AS o
	), fresh AS (
		SELECT provider, account, identity, service, operation, failed, first_event_time FROM other
		EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM now
	), vanished AS (
		SELECT provider, account, identity, service, operation, failed, first_event_time FROM now
		EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM other
	), incident AS MATERIALIZED (
		SELECT max(o.risk) AS risk, min(o.first_event_time) AS began FROM other AS o GROUP BY o.incident
	), urgent AS (
		-- among the highest of the 28 days before it, or there were fewer than that
		SELECT count(*) FILTER (WHERE (SELECT count(*) FROM incident AS e
			WHERE e.risk > i.risk AND e.began >= i.began - 28 * interval '24 hours' AND e.began < i.began)
			< 28 * s.daily_budget) AS n, count(*) AS incidents
		FROM incident AS i CROSS JOIN settings AS s
	)
	SELECT count(*), max(span.days), count(*) / max(span.days)::float8,
		count(DISTINCT (o.provider, o.account, o.identity)) FILTER (WHERE o.identity IS NOT NULL),
		(SELECT by_severity FROM share), (SELECT count(*) FROM fresh), (SELECT count(*) FROM vanished),
		max(u.incidents), max(u.incidents) / max(span.days)::float8, max(u.n), max(u.n) / max(span.days)::float8
	FROM (SELECT extract(day FROM max(u.last_event_time) - min(u.first_event_time))::bigint + 1 AS days
		FROM (SELECT first_event_time, last_event_time FROM other
			UNION ALL SELECT first_event_time, last_event_time FROM now) AS u) AS span
	CROSS JOIN urgent AS u
	CROSS JOIN other AS o
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, integer, integer, integer, double precision, text[], integer, name, text,
	double precision, integer) IS
'what iamwatch.backtest() gives, in one row to compare settings by: days are those from the first alert to the last, new and vanished alerts are against the detector''s own settings; urgent as iamwatch.detectors.daily_budget says';
