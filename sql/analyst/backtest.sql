-- What other settings would have raised.  Reads the source itself, from
-- scratch, and writes nothing.

CREATE FUNCTION iamwatch_internal.other_settings(detector text, training_days integer, activation_days integer,
	deduplication_days integer, probability_limit double precision, categories text[],
	least_sensitivity integer) RETURNS iamwatch.detectors
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
	IF s.training_days NOT BETWEEN 1 AND 3650 OR s.activation_days NOT BETWEEN 0 AND 3650
		OR s.deduplication_days NOT BETWEEN 0 AND 3650 OR s.least_sensitivity NOT BETWEEN 1 AND 4
		OR s.probability_limit NOT BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'setting out of range' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Periods are 0 to 3650 days, training at least 1; the limit 0 to 1; sensitivity 1 to 4.';
	END IF;
	RETURN s;
END $$;
COMMENT ON FUNCTION iamwatch_internal.other_settings(text, integer, integer, integer, double precision, text[], integer) IS
'a detector''s settings with those given in place of its own; 42704 or 22023 for what cannot be';

CREATE FUNCTION iamwatch_internal.backtest_events(settings iamwatch.detectors, source regclass, event_column name)
	RETURNS TABLE (event iamwatch.event, unusual boolean, k integer, active integer,
		peer_days bigint, peer_active bigint, probability double precision)
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
		SELECT provider, account, identity, is_person(bit_or(kinds)) AS class, dayset_union(days) AS days
		FROM marks GROUP BY provider, account, identity
	), behaviour AS MATERIALIZED (
		SELECT m.provider, m.account, m.identity, m.service, m.operation, m.failed,
			dayset_union(m.days) AS days, i.class, i.days AS active_days
		FROM marks AS m JOIN identity AS i USING (provider, account, identity)
		WHERE m.operation IS NOT NULL
		GROUP BY 1, 2, 3, 4, 5, 6, i.class, i.days
	), watched AS MATERIALIZED (
		SELECT * FROM marks AS m WHERE is_watched(settings, m.provider, m.service, m.operation)
	), rare AS MATERIALIZED (
		SELECT m.key, m.is_user, day, b.provider, b.account, b.service, b.operation, b.failed, b.class,
			count_days(b.days, day - settings.training_days, day - 1) AS k,
			count_days(b.active_days, day - settings.training_days, day - 1) AS active, a.active_from
		FROM watched AS m
		JOIN behaviour AS b USING (provider, account, identity, service, operation, failed)
		JOIN account AS a USING (provider, account)
		CROSS JOIN LATERAL days(m.days) AS day
		WHERE day >= (a.active_from AT TIME ZONE 'UTC')::date
		AND count_days(b.days, day - settings.training_days, day - 1)
			/ (count_days(b.active_days, day - settings.training_days, day - 1) + 2.0::float8) < settings.probability_limit
	), activity AS MATERIALIZED (
		SELECT i.provider, i.account, i.class, day, count(*) AS n
		FROM identity AS i CROSS JOIN LATERAL days(i.days) AS day GROUP BY 1, 2, 3, 4
	), doing AS MATERIALIZED (
		SELECT b.provider, b.account, b.class, b.service, b.operation, b.failed, day, count(*) AS n
		FROM behaviour AS b CROSS JOIN LATERAL days(b.days) AS day GROUP BY 1, 2, 3, 4, 5, 6, 7
	), active AS (
		SELECT r.provider, r.account, r.is_user, r.day, sum(a.n) AS n
		FROM (SELECT DISTINCT provider, account, is_user, day FROM rare) AS r
		JOIN activity AS a ON (a.provider, a.account, a.class) = (r.provider, r.account, r.is_user)
			AND a.day BETWEEN r.day - settings.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4
	), done AS (
		SELECT r.provider, r.account, r.is_user, r.service, r.operation, r.failed, r.day, sum(d.n) AS n
		FROM (SELECT DISTINCT provider, account, is_user, service, operation, failed, day FROM rare) AS r
		JOIN doing AS d ON (d.provider, d.account, d.class, d.service, d.operation, d.failed)
			= (r.provider, r.account, r.is_user, r.service, r.operation, r.failed)
			AND d.day BETWEEN r.day - settings.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4, 5, 6, 7
	), scored AS MATERIALIZED (
		SELECT r.key, r.day, r.k, r.active, r.active_from, p.peer_days, p.peer_active,
			iamwatch.probability(r.k, r.active, p.peer_days, p.peer_active) AS probability
		FROM rare AS r
		LEFT JOIN active AS a USING (provider, account, is_user, day)
		LEFT JOIN done AS d USING (provider, account, is_user, service, operation, failed, day)
		CROSS JOIN LATERAL (SELECT
			(coalesce(d.n, 0) - CASE WHEN r.class = r.is_user THEN r.k ELSE 0 END)::bigint AS peer_days,
			(coalesce(a.n, 0) - CASE WHEN r.class = r.is_user THEN r.active ELSE 0 END)::bigint AS peer_active) AS p
	), unusual AS MATERIALIZED (
		SELECT * FROM scored WHERE scored.probability < settings.probability_limit
	), found AS MATERIALIZED (
		SELECT e.key, parse(e.document) AS event
		-- whatever kind the identity was seen as
		FROM iamwatch_internal.read_events(source, event_column, NULL, NULL, ARRAY(SELECT m.key FROM marks AS m
			WHERE (m.provider, m.account, m.identity, m.service, m.operation, m.failed) IN (
				SELECT x.provider, x.account, x.identity, x.service, x.operation, x.failed
				FROM marks AS x JOIN unusual AS u ON u.key = x.key)), '{}') AS e
	)
	SELECT f.event, coalesce((f.event).event_time >= u.active_from, false), u.k, u.active,
		u.peer_days, u.peer_active, u.probability
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
	detector text DEFAULT 'unusual_iam_activity')
	RETURNS TABLE (severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		k integer, active integer, peer_days bigint, peer_active bigint,
		probability double precision, surprise double precision)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	settings iamwatch.detectors := iamwatch_internal.other_settings(detector, training_days, activation_days,
		deduplication_days, probability_limit, categories, least_sensitivity);
	period interval := settings.deduplication_days * interval '24 hours';
	c record;
	e iamwatch.event;
	ids text[];
	more record;
BEGIN
	event_column := coalesce(event_column, (SELECT s.event_column FROM iamwatch.sources AS s
		WHERE s.source = backtest.source), 'event');
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
		CONTINUE WHEN NOT c.unusual;
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
		SELECT o.category, o.sensitivity, coalesce(nullif(o.attack_technique, ''), 'T1098')
		INTO category, sensitivity, technique
		FROM iamwatch.find_operation(e.provider, e.service, e.operation) AS o;
		k := c.k;
		active := c.active;
		peer_days := c.peer_days;
		peer_active := c.peer_active;
		probability := c.probability;
		surprise := iamwatch.surprise(c.probability);
	END LOOP;
	IF first_event_time IS NOT NULL THEN
		RETURN NEXT;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.backtest(regclass, integer, integer, integer, double precision, text[], integer, name, text) IS
'the alerts that other settings would have raised over what a source holds, as if nothing else had ever been seen; null settings are the detector''s own. Writes nothing';

CREATE FUNCTION iamwatch.backtest_summary(source regclass, training_days integer DEFAULT NULL,
	activation_days integer DEFAULT NULL, deduplication_days integer DEFAULT NULL,
	probability_limit double precision DEFAULT NULL, categories text[] DEFAULT NULL,
	least_sensitivity integer DEFAULT NULL, event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity',
	OUT alerts bigint, OUT days bigint, OUT alerts_per_day double precision, OUT identities bigint,
	OUT by_severity jsonb, OUT new_alerts bigint, OUT vanished_alerts bigint)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	WITH other AS MATERIALIZED (
		SELECT * FROM iamwatch.backtest($1, $2, $3, $4, $5, $6, $7, $8, $9)
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
	)
	SELECT count(*), max(span.days), count(*) / max(span.days)::float8,
		count(DISTINCT (o.provider, o.account, o.identity)) FILTER (WHERE o.identity IS NOT NULL),
		(SELECT by_severity FROM share), (SELECT count(*) FROM fresh), (SELECT count(*) FROM vanished)
	FROM (SELECT extract(day FROM max(u.last_event_time) - min(u.first_event_time))::bigint + 1 AS days
		FROM (SELECT first_event_time, last_event_time FROM other
			UNION ALL SELECT first_event_time, last_event_time FROM now) AS u) AS span
	CROSS JOIN other AS o
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, integer, integer, integer, double precision, text[], integer, name, text) IS
'what iamwatch.backtest() gives, in one row to compare settings by: days are those from the first alert to the last, new and vanished alerts are against the detector''s own settings';
