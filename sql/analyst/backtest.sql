-- What other settings would have raised.  Reads the source itself, from
-- scratch, and writes nothing.  However many settings there are, the source is
-- read twice, for its days and for the events of what is unusual for any, and
-- all settings raise their alerts in one pass over these (src/detect/backtest.c).

CREATE FUNCTION iamwatch_internal.other_settings(detector text, changes jsonb) RETURNS iamwatch.detectors
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	names constant text[] := '{training_days,activation_days,deduplication_days,probability_limit,categories,least_sensitivity,memory_days,peer_memory_days,least_risk,daily_budget}';
	unknown text;
	changed record;
	s iamwatch.detectors;
BEGIN
	IF jsonb_typeof(changes) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'settings to be tried are no object: %', coalesce(left(changes::text, 200), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give objects such as {"probability_limit": 0.01, "daily_budget": 3}.';
	END IF;
	SELECT * INTO s FROM iamwatch.detectors AS d WHERE d.detector = detector;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'detector % does not exist', coalesce('"' || left(detector, 200) || '"', 'null')
			USING ERRCODE = 'undefined_object', HINT = 'See iamwatch.detectors.';
	END IF;
	SELECT k INTO unknown FROM jsonb_object_keys(changes) AS k WHERE k <> ALL (names) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'setting "%" cannot be tried', unknown
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Use some of %s.', array_to_string(names, ', '));
	END IF;
	FOR changed IN SELECT c.key, c.value FROM jsonb_each(changes) AS c WHERE c.value <> 'null' LOOP
		BEGIN
			s := jsonb_populate_record(s, jsonb_build_object(changed.key, changed.value));
		EXCEPTION WHEN data_exception THEN
			RAISE EXCEPTION 'setting "%" cannot be %', changed.key, left(changed.value::text, 200)
				USING ERRCODE = 'invalid_parameter_value', HINT = format('Use %s.', CASE changed.key
					WHEN 'categories' THEN 'an array of categories' WHEN 'probability_limit' THEN 'a number'
					WHEN 'least_risk' THEN 'a number' ELSE 'a whole number' END);
		END;
	END LOOP;
	PERFORM iamwatch_internal.check_categories(s.categories);
	PERFORM iamwatch_internal.check_ranges(s);
	RETURN s;
END $$;
COMMENT ON FUNCTION iamwatch_internal.other_settings(text, jsonb) IS
'a detector''s settings with those given in place of its own; 42704 or 22023 for what cannot be';

-- ---- how far it has come ----

CREATE VIEW iamwatch.backtest_progress AS
SELECT l.pid, l.classid::regclass AS source, p.phase, p.progress >> 11 & 2047 AS parts_done, p.progress & 2047 AS parts,
	p.progress >> 22 & 127 AS percent_of_part, a.query_start AS started_at
FROM pg_catalog.pg_locks AS l
CROSS JOIN LATERAL (SELECT l.objid::bigint AS progress,
	(ARRAY['reading', 'scoring', 'fetching', 'raising'])[(l.objid::bigint >> 29)::integer] AS phase) AS p
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 8743
AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
COMMENT ON VIEW iamwatch.backtest_progress IS 'how far each backtest has come that runs just now';
COMMENT ON COLUMN iamwatch.backtest_progress.phase IS 'reading: the days of the source; scoring: these days; fetching: the events of what is unusual; raising: their alerts, by all of the settings';
COMMENT ON COLUMN iamwatch.backtest_progress.parts IS 'of the phase: relations to read, 2047 for more; 100 where nothing is read';
COMMENT ON COLUMN iamwatch.backtest_progress.percent_of_part IS 'how much of the next relation was read by now, in per cent; 0 where that cannot be told, as of a view';
COMMENT ON COLUMN iamwatch.backtest_progress.started_at IS 'when its statement began; null for who may not see statements of others';

-- ---- reading ----

-- A relation at a time, so that one can see how far it is, if that is no other
-- thing than to read all at once: a table has privileges and policies of its own.
CREATE FUNCTION iamwatch_internal.backtest_relations(source regclass, event_column name) RETURNS regclass[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	leaves constant regclass[] := ARRAY(SELECT l FROM iamwatch_internal.leaves(source) AS l);
BEGIN
	PERFORM iamwatch_internal.check_source(source, event_column);
	IF row_security_active(source) OR NOT (SELECT bool_and(has_table_privilege(l, 'SELECT')) FROM unnest(leaves) AS l) THEN
		RETURN ARRAY[source];
	END IF;
	RETURN leaves;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_relations(regclass, name) IS
'the relations that a backtest reads one after the other, if the source can be one';

-- ---- raising ----

CREATE FUNCTION iamwatch_internal.backtest_rows(source regclass, relations regclass[], event_column name, settings iamwatch.detectors[])
	RETURNS TABLE (setting integer, severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		risk double precision, score iamwatch_internal.score)
	AS 'MODULE_PATHNAME', 'iamwatch_backtest_rows' LANGUAGE C STABLE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.backtest_rows(regclass, regclass[], name, iamwatch.detectors[]) IS
'the alerts that each of several settings, of one detector, would have raised over what the relations of a source hold';

CREATE FUNCTION iamwatch_internal.backtest_numbers(source regclass, relations regclass[], event_column name, settings iamwatch.detectors[])
	RETURNS TABLE (setting integer, alerts bigint, first_event_time timestamptz, last_event_time timestamptz, identities bigint,
		severities text[], by_severity bigint[], new_alerts bigint, vanished_alerts bigint, incidents bigint, urgent_incidents bigint)
	AS 'MODULE_PATHNAME', 'iamwatch_backtest_numbers' LANGUAGE C STABLE COST 1000000;
COMMENT ON FUNCTION iamwatch_internal.backtest_numbers(regclass, regclass[], name, iamwatch.detectors[]) IS
'what iamwatch_internal.backtest_rows() gives, counted: those of each severity, of which there are any; new and vanished alerts are against the first setting';

CREATE FUNCTION iamwatch_internal.backtest_alerts(source regclass, settings iamwatch.detectors[], event_column name)
	RETURNS TABLE (setting integer, severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		k integer, active integer, peer_days bigint, peer_active bigint,
		probability double precision, surprise double precision, risk double precision, risk_counts jsonb)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
	SELECT r.setting, r.severity, r.variation, r.first_event_time, r.last_event_time, r.event_count, r.provider, r.account,
		r.identity, r.identity_kind, r.service, r.operation, r.failed, r.category, r.sensitivity, r.technique,
		(r.score).k, (r.score).active, (r.score).peer_days, (r.score).peer_active, (r.score).probability,
		iamwatch.surprise((r.score).probability), r.risk, iamwatch_internal.risk_evidence(r.score)
	FROM (SELECT coalesce($3, iamwatch_internal.event_column_of($1)) AS event_column) AS c
	CROSS JOIN LATERAL iamwatch_internal.backtest_rows($1, iamwatch_internal.backtest_relations($1, c.event_column),
		c.event_column, $2) AS r
$$;
COMMENT ON FUNCTION iamwatch_internal.backtest_alerts(regclass, iamwatch.detectors[], name) IS
'the alerts that each of several settings would have raised over what a source holds';

-- Here and in the first backtest_summary() numbers become JSON, where extra_float_digits must not round them.
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
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_variable
BEGIN
	RETURN QUERY SELECT a.severity, a.variation, a.first_event_time, a.last_event_time, a.event_count, a.provider, a.account,
		a.identity, a.identity_kind, a.service, a.operation, a.failed, a.category, a.sensitivity, a.technique,
		a.k, a.active, a.peer_days, a.peer_active, a.probability, a.surprise, a.risk, a.risk_counts
	FROM iamwatch_internal.backtest_alerts(source, ARRAY[iamwatch_internal.other_settings(detector, jsonb_build_object(
		'training_days', training_days, 'activation_days', activation_days, 'deduplication_days', deduplication_days,
		'probability_limit', probability_limit, 'categories', categories, 'least_sensitivity', least_sensitivity,
		'least_risk', least_risk))], event_column) AS a;
END $$;
COMMENT ON FUNCTION iamwatch.backtest(regclass, integer, integer, integer, double precision, text[], integer, name, text, double precision) IS
'the alerts that other settings would have raised over what a source holds, as if nothing else had ever been seen; null settings are the detector''s own, without context. Writes nothing; 42704 for a detector that there is not, 22023 for a setting that cannot be tried';

CREATE FUNCTION iamwatch_internal.backtest_summaries(source regclass, settings iamwatch.detectors[], event_column name)
	RETURNS TABLE (setting integer, alerts bigint, days bigint, alerts_per_day double precision, identities bigint,
		by_severity jsonb, new_alerts bigint, vanished_alerts bigint, incidents bigint, incidents_per_day double precision,
		urgent_incidents bigint, urgent_per_day double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
	WITH tried AS MATERIALIZED (
		SELECT n.*
		FROM (SELECT coalesce($3, iamwatch_internal.event_column_of($1)) AS event_column) AS c
		CROSS JOIN LATERAL iamwatch_internal.backtest_numbers($1, iamwatch_internal.backtest_relations($1, c.event_column),
			c.event_column, $2) AS n
	)
	SELECT t.setting, t.alerts, d.days, t.alerts / d.days::float8, t.identities,
		(SELECT jsonb_object_agg(s.severity, s.n) FROM unnest(t.severities, t.by_severity) AS s (severity, n)),
		t.new_alerts, t.vanished_alerts, t.incidents, t.incidents / d.days::float8,
		t.urgent_incidents, t.urgent_incidents / d.days::float8
	FROM tried AS t
	JOIN tried AS o ON o.setting = 1
	CROSS JOIN LATERAL (SELECT extract(day FROM GREATEST(t.last_event_time, o.last_event_time)
		- LEAST(t.first_event_time, o.first_event_time))::bigint + 1 AS days) AS d
	ORDER BY t.setting
$$;
COMMENT ON FUNCTION iamwatch_internal.backtest_summaries(regclass, iamwatch.detectors[], name) IS
'what each of several settings would have raised, in a row each; new and vanished alerts are against the first of them';

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
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET extra_float_digits = 1 AS $$
	SELECT b.alerts, b.days, b.alerts_per_day, b.identities, b.by_severity, b.new_alerts, b.vanished_alerts,
		b.incidents, b.incidents_per_day, b.urgent_incidents, b.urgent_per_day
	FROM iamwatch_internal.backtest_summaries($1, ARRAY[iamwatch_internal.other_settings($9, '{}'),
		iamwatch_internal.other_settings($9, jsonb_build_object('training_days', $2, 'activation_days', $3,
			'deduplication_days', $4, 'probability_limit', $5, 'categories', $6, 'least_sensitivity', $7,
			'least_risk', $10, 'daily_budget', $11))], $8) AS b
	WHERE b.setting = 2
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, integer, integer, integer, double precision, text[], integer, name, text,
	double precision, integer) IS
'what iamwatch.backtest() gives, in one row to compare settings by: days are those from the first alert to the last, new and vanished alerts are against the detector''s own settings; urgent as iamwatch.detectors.daily_budget says. 42704, 22023 as iamwatch.backtest()';

CREATE FUNCTION iamwatch.backtest_summary(source regclass, settings jsonb[], event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity')
	RETURNS TABLE (setting jsonb, alerts bigint, days bigint, alerts_per_day double precision, identities bigint,
		by_severity jsonb, new_alerts bigint, vanished_alerts bigint, incidents bigint, incidents_per_day double precision,
		urgent_incidents bigint, urgent_per_day double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT s.setting, b.alerts, b.days, b.alerts_per_day, b.identities, b.by_severity,
		b.new_alerts, b.vanished_alerts, b.incidents, b.incidents_per_day, b.urgent_incidents, b.urgent_per_day
	FROM iamwatch_internal.backtest_summaries($1, ARRAY(SELECT iamwatch_internal.other_settings($4, x.changes)
		FROM (SELECT '{}'::jsonb, 0 UNION ALL SELECT * FROM unnest($2) WITH ORDINALITY) AS x (changes, n) ORDER BY x.n), $3) AS b
	JOIN unnest($2) WITH ORDINALITY AS s (setting, n) ON s.n = b.setting - 1
	ORDER BY s.n
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, jsonb[], name, text) IS
'the same for several settings, in a row each and one read of the source: objects with those that differ from the detector''s own, such as {"probability_limit": 0.01, "daily_budget": 3}; 42704 for a detector that there is not, 22023 for a setting that cannot be tried';
