-- What other settings would have raised.  Reads the source itself, from
-- scratch, and writes nothing.  Several settings take one read of the source to
-- learn its days, which are scored for each, and one for the events of what is
-- unusual for any.

CREATE TYPE iamwatch_internal.backtest_score AS (
	setting integer,
	key bytea,
	day date,
	active_from timestamptz,
	score iamwatch_internal.score
);
COMMENT ON TYPE iamwatch_internal.backtest_score IS 'a day of a key that is unusual by the n-th of several settings';

CREATE FUNCTION iamwatch_internal.other_settings(detector text, changes jsonb) RETURNS iamwatch.detectors
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	names constant text[] := '{training_days,activation_days,deduplication_days,probability_limit,categories,least_sensitivity,memory_days,peer_memory_days,least_risk,daily_budget}';
	unknown text;
	s iamwatch.detectors;
BEGIN
	SELECT * INTO s FROM iamwatch.detectors AS d WHERE d.detector = detector;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'detector "%" does not exist', detector
			USING ERRCODE = 'undefined_object', HINT = 'See iamwatch.detectors.';
	END IF;
	SELECT k INTO unknown FROM jsonb_object_keys(changes) AS k WHERE k <> ALL (names) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'setting "%" cannot be tried', unknown
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Use some of %s.', array_to_string(names, ', '));
	END IF;
	s := jsonb_populate_record(s, jsonb_strip_nulls(changes));
	PERFORM iamwatch_internal.check_categories(s.categories);
	IF s.training_days NOT BETWEEN 1 AND 3650 OR s.activation_days NOT BETWEEN 0 AND 3650
		OR s.deduplication_days NOT BETWEEN 0 AND 3650 OR s.least_sensitivity NOT BETWEEN 1 AND 4
		OR s.memory_days NOT BETWEEN 1 AND 3650 OR s.peer_memory_days NOT BETWEEN 1 AND 3650
		OR s.probability_limit NOT BETWEEN 0 AND 1 OR s.least_risk NOT BETWEEN 0 AND 100
		OR s.daily_budget NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'setting out of range' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Periods are 0 to 3650 days, training and memory at least 1; the limit 0 to 1; sensitivity 1 to 4; least risk 0 to 100; budget 1 to 10000.';
	END IF;
	RETURN s;
END $$;
COMMENT ON FUNCTION iamwatch_internal.other_settings(text, jsonb) IS
'a detector''s settings with those given in place of its own; 42704 or 22023 for what cannot be';

-- ---- how far it has come ----

CREATE FUNCTION iamwatch_internal.show_progress(source regclass, phase integer, done integer, parts integer) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_show_progress' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.show_progress(regclass, integer, integer, integer) IS
'let other sessions see how far this one has come, by a lock that it holds for that, until it shows something else; phase 0: nothing any more. iamwatch.backtest_progress has it';

CREATE VIEW iamwatch.backtest_progress AS
SELECT l.pid, l.classid::regclass AS source, p.phase, p.progress >> 14 & 16383 AS parts_done, p.progress & 16383 AS parts, a.query_start AS started_at
FROM pg_catalog.pg_locks AS l
CROSS JOIN LATERAL (SELECT l.objid::bigint AS progress,
	(ARRAY['reading', 'scoring', 'fetching', 'raising'])[(l.objid::bigint >> 28)::integer] AS phase) AS p
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 8743
AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
COMMENT ON VIEW iamwatch.backtest_progress IS 'how far each backtest has come that runs just now';
COMMENT ON COLUMN iamwatch.backtest_progress.phase IS 'reading: the days of the source; scoring: these days, by each of the settings; fetching: the events of what is unusual; raising: their alerts';
COMMENT ON COLUMN iamwatch.backtest_progress.parts IS 'of the phase: relations to read, settings to score or to raise alerts by; 16383 for more';
COMMENT ON COLUMN iamwatch.backtest_progress.started_at IS 'when its statement began; null for who may not see statements of others';

-- A relation at a time, so that one can see how far it is, if that is no other
-- thing than to read all at once: a table has privileges and policies of its own.
CREATE FUNCTION iamwatch_internal.backtest_read(source regclass, event_column name) RETURNS iamwatch_internal.key_read[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
#variable_conflict use_variable
DECLARE
	leaves regclass[] := ARRAY(SELECT l FROM iamwatch_internal.leaves(source) AS l);
	read iamwatch_internal.key_read[];
BEGIN
	IF row_security_active(source) OR NOT (SELECT bool_and(has_table_privilege(l, 'SELECT')) FROM unnest(leaves) AS l) THEN
		leaves := ARRAY[source];
	END IF;
	FOR i IN 1 .. cardinality(leaves) LOOP
		PERFORM iamwatch_internal.show_progress(source, 1, i - 1, cardinality(leaves));
		read := read || (SELECT array_agg(ROW(f.provider, f.account, f.identity, f.kinds, f.service, f.operation, f.failed,
				m.key, m.days, m.first)::iamwatch_internal.key_read)
			FROM iamwatch_internal.read_days(leaves[i], event_column, NULL, NULL) AS m
			CROSS JOIN LATERAL baseline_key_fields(m.key) AS f
			WHERE m.key IS NOT NULL);
	END LOOP;
	IF cardinality(leaves) > 1 THEN
		-- what several relations have of a key
		read := (SELECT array_agg(ROW(m.provider, m.account, m.identity, m.kinds, m.service, m.operation, m.failed,
				m.key, m.days, m.first)::iamwatch_internal.key_read)
			FROM (SELECT r.provider, r.account, r.identity, r.kinds, r.service, r.operation, r.failed, r.key,
					dayset_union(r.days) AS days, min(r.first) AS first
				FROM unnest(read) AS r GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) AS m);
	END IF;
	RETURN read;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_read(regclass, name) IS 'the days that a source holds, a row a key';

CREATE FUNCTION iamwatch_internal.backtest_scores(setting integer, settings iamwatch.detectors,
	read iamwatch_internal.key_read[]) RETURNS SETOF iamwatch_internal.backtest_score
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off
	-- the planner takes each of these sets for one row, and would compare all with all
	SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY WITH marks AS MATERIALIZED (
		SELECT m.*, is_person(m.kinds) AS is_user FROM unnest(read) AS m
	), account AS MATERIALIZED (
		SELECT provider, account, min(first) + settings.activation_days * interval '24 hours' AS active_from
		FROM marks GROUP BY provider, account
	), identity AS MATERIALIZED (
		SELECT provider, account, identity, is_person(bit_or(kinds)) AS class, dayset_union(days) AS days,
			coalesce(dayset_union(days) FILTER (WHERE iamwatch_internal.is_iam(provider, service, operation)), '{}') AS iam_days,
			earliest_days(dayset_union(days)) AS first_days
		FROM marks GROUP BY provider, account, identity
	), behaviour AS MATERIALIZED (
		SELECT m.provider, m.account, m.identity, m.service, m.operation, m.failed,
			dayset_union(m.days) AS days, i.class, i.days AS active_days, i.iam_days, i.first_days
		FROM marks AS m JOIN identity AS i USING (provider, account, identity)
		WHERE m.operation IS NOT NULL
		GROUP BY 1, 2, 3, 4, 5, 6, i.class, i.days, i.iam_days, i.first_days
	), watched AS MATERIALIZED (
		-- each operation is looked up once
		SELECT m.* FROM marks AS m
		JOIN (SELECT DISTINCT provider, service, operation FROM marks WHERE operation IS NOT NULL OFFSET 0) AS o
			USING (provider, service, operation)
		WHERE is_watched(settings, o.provider, o.service, o.operation)
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
		SELECT d.provider, d.account, d.class, d.day,
			count(*) FILTER (WHERE NOT d.iam) AS n, count(*) FILTER (WHERE NOT d.iam AND d.day >= d.settled_from) AS settled,
			count(*) FILTER (WHERE d.iam) AS iam, count(*) FILTER (WHERE d.iam AND d.day >= d.settled_from) AS settled_iam
		FROM (
			SELECT i.provider, i.account, i.class, i.settled_from, kind.iam, days(kind.days) AS day
			FROM (SELECT *, first_day(settled_days(days, first_days)) AS settled_from FROM identity) AS i
			CROSS JOIN LATERAL (VALUES (false, i.days), (true, i.iam_days)) AS kind (iam, days)) AS d
		GROUP BY 1, 2, 3, 4
	), doing AS MATERIALIZED (
		SELECT b.provider, b.account, b.class, b.service, b.operation, b.failed, day, count(*) AS n,
			count(*) FILTER (WHERE day >= b.settled_from) AS settled
		FROM (SELECT *, first_day(settled_days(days, first_days)) AS settled_from FROM behaviour) AS b
		CROSS JOIN LATERAL days(b.days) AS day GROUP BY 1, 2, 3, 4, 5, 6, 7
	), active AS MATERIALIZED (
		-- in the training period, which says what is unusual, and in the memory of peers, which says how much it matters
		SELECT r.provider, r.account, r.is_user, r.day,
			sum(a.n) FILTER (WHERE a.day >= r.day - settings.training_days) AS n,
			sum(a.settled) FILTER (WHERE a.day >= r.day - settings.training_days) AS settled,
			sum(a.n) FILTER (WHERE a.day >= r.day - settings.peer_memory_days) AS remembered,
			sum(a.settled) FILTER (WHERE a.day >= r.day - settings.peer_memory_days) AS settled_remembered,
			sum(a.iam) FILTER (WHERE a.day >= r.day - settings.peer_memory_days) AS iam,
			sum(a.settled_iam) FILTER (WHERE a.day >= r.day - settings.peer_memory_days) AS settled_iam
		FROM (SELECT DISTINCT provider, account, is_user, day FROM rare) AS r
		JOIN activity AS a ON (a.provider, a.account, a.class) = (r.provider, r.account, r.is_user)
			AND a.day BETWEEN r.day - GREATEST(settings.training_days, settings.peer_memory_days) AND r.day - 1
		GROUP BY 1, 2, 3, 4
	), done AS MATERIALIZED (
		SELECT r.provider, r.account, r.is_user, r.service, r.operation, r.failed, r.day,
			sum(d.n) FILTER (WHERE d.day >= r.day - settings.training_days) AS n,
			sum(d.settled) FILTER (WHERE d.day >= r.day - settings.training_days) AS settled,
			sum(d.n) FILTER (WHERE d.day >= r.day - settings.peer_memory_days) AS remembered,
			sum(d.settled) FILTER (WHERE d.day >= r.day - settings.peer_memory_days) AS settled_remembered
		FROM (SELECT DISTINCT provider, account, is_user, service, operation, failed, day FROM rare) AS r
		JOIN doing AS d ON (d.provider, d.account, d.class, d.service, d.operation, d.failed)
			= (r.provider, r.account, r.is_user, r.service, r.operation, r.failed)
			AND d.day BETWEEN r.day - GREATEST(settings.training_days, settings.peer_memory_days) AND r.day - 1
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
	), unusual AS MATERIALIZED (
		SELECT r.key, r.day, r.active_from, ROW(r.k, r.active, r.peer_days, r.peer_active, r.probability,
			count_days(r.days, r.day - settings.memory_days, r.day - 1),
			count_days(r.active_days, r.day - settings.memory_days, r.day - 1),
			count_days(r.iam_days, r.day - settings.memory_days, r.day - 1),
			coalesce(CASE WHEN r.newcomer THEN d.remembered ELSE d.settled_remembered END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_days, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END,
			coalesce(CASE WHEN r.newcomer THEN a.remembered ELSE a.settled_remembered END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_active, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END,
			coalesce(CASE WHEN r.newcomer THEN a.iam ELSE a.settled_iam END, 0)
				- CASE WHEN r.in_class THEN count_days(r.class_iam, r.day - settings.peer_memory_days, r.day - 1) ELSE 0 END
			)::iamwatch_internal.score AS score
		FROM remembered AS r
		LEFT JOIN active AS a USING (provider, account, is_user, day)
		LEFT JOIN done AS d USING (provider, account, is_user, service, operation, failed, day)
	)
	SELECT $1, u.key, u.day, u.active_from, u.score FROM unusual AS u;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_scores(integer, iamwatch.detectors, iamwatch_internal.key_read[]) IS
'the days that are unusual by these settings, and how they score';

CREATE FUNCTION iamwatch_internal.backtest_events(source regclass, event_column name,
	read iamwatch_internal.key_read[], unusual iamwatch_internal.backtest_score[])
	RETURNS TABLE (setting integer, event iamwatch.event, is_unusual boolean, score iamwatch_internal.score,
		operation iamwatch.operations)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off
	SET enable_nestloop = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
	PERFORM iamwatch_internal.show_progress(source, 3, 0, 1);
	RETURN QUERY WITH u AS MATERIALIZED (
		SELECT * FROM unnest(unusual)
	), m AS MATERIALIZED (
		SELECT * FROM unnest(read)
	), concerned AS MATERIALIZED (
		-- whatever kind the identity was seen as
		SELECT DISTINCT x.setting, m.key
		FROM (SELECT DISTINCT u.setting, m.provider, m.account, m.identity, m.service, m.operation, m.failed
			FROM u JOIN m ON m.key = u.key) AS x
		JOIN m USING (provider, account, identity, service, operation, failed)
	), found AS MATERIALIZED (
		SELECT e.key, parse(e.document) AS event
		FROM iamwatch_internal.read_events(source, event_column, NULL, NULL,
			ARRAY(SELECT DISTINCT c.key FROM concerned AS c), '{}') AS e
	), operations AS MATERIALIZED (
		-- each is looked up once
		SELECT x.*, iamwatch.find_operation(x.provider, x.service, x.operation) AS found
		FROM (SELECT DISTINCT m.provider, m.service, m.operation FROM m JOIN concerned AS c ON c.key = m.key) AS x
	)
	SELECT c.setting, f.event, coalesce((f.event).event_time >= u.active_from, false), u.score, o.found
	FROM found AS f
	JOIN concerned AS c ON c.key = f.key
	JOIN operations AS o ON (o.provider, o.service, o.operation) = ((f.event).provider, (f.event).service, (f.event).operation)
	LEFT JOIN u ON u.setting = c.setting AND u.key = f.key AND u.day = ((f.event).event_time AT TIME ZONE 'UTC')::date
	ORDER BY c.setting, (f.event).provider, (f.event).account, (f.event).identity, (f.event).service,
		(f.event).operation, (f.event).failed, (f.event).event_time, (f.event).event_id COLLATE "C";
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_events(regclass, name, iamwatch_internal.key_read[], iamwatch_internal.backtest_score[]) IS
'setting by setting the events of every behaviour that is ever unusual, behaviour by behaviour in order of time, and how their days score';

CREATE FUNCTION iamwatch_internal.scoring_settings(settings iamwatch.detectors) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN to_jsonb(settings) - '{probability_limit,least_risk,daily_budget,deduplication_days}'::text[];
COMMENT ON FUNCTION iamwatch_internal.scoring_settings(iamwatch.detectors) IS
'what of the settings scores depend on, and which days have one: all but the limit, and what is made of the scores';

CREATE FUNCTION iamwatch_internal.backtest_alerts(source regclass, settings iamwatch.detectors[], event_column name)
	RETURNS TABLE (setting integer, severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		k integer, active integer, peer_days bigint, peer_active bigint,
		probability double precision, surprise double precision, risk double precision, risk_counts jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	read iamwatch_internal.key_read[];
	unusual iamwatch_internal.backtest_score[];
	alike integer[];
	s iamwatch.detectors;
	period interval;
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
	read := iamwatch_internal.backtest_read(source, event_column);
	FOR i IN 1 .. cardinality(settings) LOOP
		PERFORM iamwatch_internal.show_progress(source, 2, i - 1, cardinality(settings));
		-- those that score alike are scored once, by the highest of their limits
		alike := ARRAY(SELECT n FROM generate_subscripts(settings, 1) AS n
			WHERE iamwatch_internal.scoring_settings(settings[n]) = iamwatch_internal.scoring_settings(settings[i]) ORDER BY n);
		CONTINUE WHEN alike[1] < i;
		s := settings[i];
		s.probability_limit := (SELECT max((settings[n]).probability_limit) FROM unnest(alike) AS n);
		unusual := unusual || ARRAY(SELECT ROW(n, u.key, u.day, u.active_from, u.score)::iamwatch_internal.backtest_score
			FROM iamwatch_internal.backtest_scores(i, s, read) AS u
			JOIN unnest(alike) AS n ON (u.score).probability < (settings[n]).probability_limit);
	END LOOP;
	FOR c IN SELECT x.* FROM iamwatch_internal.backtest_events(source, event_column, read, unusual) AS x LOOP
		e := c.event;
		IF first_event_time IS NOT NULL AND c.setting = setting AND e.event_time < first_event_time + period
			AND (e.provider, e.account, e.identity, e.service, e.operation, e.failed)
				= (provider, account, identity, service, operation, failed) THEN
			CONTINUE WHEN e.event_id = ANY (ids);
			ids := ids || e.event_id;
			event_count := event_count + 1;
			last_event_time := e.event_time;
			SELECT * INTO more FROM iamwatch_internal.variation(s, e);
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
		IF setting IS DISTINCT FROM c.setting OR NOT iamwatch_internal.is_same_behaviour(was, e) THEN
			IF setting IS DISTINCT FROM c.setting THEN
				PERFORM iamwatch_internal.show_progress(source, 4, c.setting - 1, cardinality(settings));
			END IF;
			setting := c.setting;
			s := settings[setting];
			period := s.deduplication_days * interval '24 hours';
			was := e;
			declined := NULL;
		END IF;
		-- a day is scored once, by the first event that may open an alert
		CONTINUE WHEN NOT c.is_unusual OR date_trunc('day', e.event_time, 'UTC') = declined;
		score := c.score;
		o := c.operation;
		this_risk := iamwatch_internal.risk_of_score(score, o.sensitivity);
		IF this_risk < s.least_risk THEN
			declined := date_trunc('day', e.event_time, 'UTC');
			CONTINUE;
		END IF;
		ids := ARRAY[e.event_id];
		event_count := 1;
		first_event_time := e.event_time;
		last_event_time := e.event_time;
		SELECT v.variation, v.severity INTO variation, severity FROM iamwatch_internal.variation(s, e) AS v;
		provider := e.provider;
		account := e.account;
		identity := e.identity;
		identity_kind := e.identity_kind;
		service := e.service;
		operation := e.operation;
		failed := e.failed;
		category := o.category;
		sensitivity := o.sensitivity;
		technique := coalesce(nullif(o.attack_technique, ''), s.technique);
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
	PERFORM iamwatch_internal.show_progress(source, 0, 0, 0);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backtest_alerts(regclass, iamwatch.detectors[], name) IS
'the alerts that each of several settings would have raised over what a source holds';

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
'the alerts that other settings would have raised over what a source holds, as if nothing else had ever been seen; null settings are the detector''s own, without context. Writes nothing';

CREATE FUNCTION iamwatch_internal.backtest_summaries(source regclass, settings iamwatch.detectors[], event_column name)
	RETURNS TABLE (setting integer, alerts bigint, days bigint, alerts_per_day double precision, identities bigint,
		by_severity jsonb, new_alerts bigint, vanished_alerts bigint, incidents bigint, incidents_per_day double precision,
		urgent_incidents bigint, urgent_per_day double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	WITH alert AS MATERIALIZED (
		SELECT row_number() OVER () AS n, a.* FROM iamwatch_internal.backtest_alerts($1, $2, $3) AS a
	), numbered AS MATERIALIZED (
		-- incidents as iamwatch.incidents has them, of alerts that nobody has closed
		SELECT g.*, count(*) FILTER (WHERE g.begins)
			OVER (PARTITION BY g.setting ORDER BY g.provider, g.account, g.identity, g.first_event_time, g.n) AS incident
		FROM (
			SELECT a.*, coalesce(a.first_event_time >= max(a.last_event_time) OVER before
				+ ($2[a.setting]).deduplication_days * interval '24 hours', true) AS begins
			FROM alert AS a
			WINDOW before AS (PARTITION BY a.setting, a.provider, a.account, a.identity ORDER BY a.first_event_time, a.n
				ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS g
	), incident AS MATERIALIZED (
		SELECT o.setting, max(o.risk) AS risk, min(o.first_event_time) AS began FROM numbered AS o GROUP BY o.setting, o.incident
	), urgent AS MATERIALIZED (
		-- among the highest of the 28 days before it, or there were fewer than that
		SELECT i.setting, count(*) AS incidents, count(*) FILTER (WHERE (SELECT count(*) FROM unnest(i.before) AS risk
			WHERE risk > i.risk) < 28 * ($2[i.setting]).daily_budget) AS n
		FROM (SELECT e.*, array_agg(e.risk) OVER (PARTITION BY e.setting ORDER BY e.began
			RANGE BETWEEN interval '672 hours' PRECEDING AND interval '1 microsecond' PRECEDING) AS before
			FROM incident AS e) AS i
		GROUP BY i.setting
	), tried AS MATERIALIZED (
		SELECT n.n::integer AS setting, s.days,
			(SELECT count(*) FROM alert AS a WHERE a.setting = n.n) AS alerts
		FROM generate_subscripts($2, 1) AS n (n)
		CROSS JOIN LATERAL (SELECT extract(day FROM max(a.last_event_time) - min(a.first_event_time))::bigint + 1 AS days
			FROM alert AS a WHERE a.setting IN (1, n.n)) AS s
	)
	SELECT t.setting, t.alerts, t.days, t.alerts / t.days::float8,
		(SELECT count(DISTINCT (a.provider, a.account, a.identity)) FROM alert AS a WHERE a.setting = t.setting),
		(SELECT jsonb_object_agg(v.severity, v.n)
			FROM (SELECT a.severity, count(*) AS n FROM alert AS a WHERE a.setting = t.setting GROUP BY a.severity) AS v),
		(SELECT count(*) FROM (
			SELECT provider, account, identity, service, operation, failed, first_event_time FROM alert AS a WHERE a.setting = t.setting
			EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM alert AS a WHERE a.setting = 1) AS x),
		(SELECT count(*) FROM (
			SELECT provider, account, identity, service, operation, failed, first_event_time FROM alert AS a WHERE a.setting = 1
			EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM alert AS a WHERE a.setting = t.setting) AS x),
		coalesce(u.incidents, 0), coalesce(u.incidents, 0) / t.days::float8, coalesce(u.n, 0), coalesce(u.n, 0) / t.days::float8
	FROM tried AS t LEFT JOIN urgent AS u ON u.setting = t.setting
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
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
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
'what iamwatch.backtest() gives, in one row to compare settings by: days are those from the first alert to the last, new and vanished alerts are against the detector''s own settings; urgent as iamwatch.detectors.daily_budget says';

CREATE FUNCTION iamwatch.backtest_summary(source regclass, settings jsonb[], event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity')
	RETURNS TABLE (setting jsonb, alerts bigint, days bigint, alerts_per_day double precision, identities bigint,
		by_severity jsonb, new_alerts bigint, vanished_alerts bigint, incidents bigint, incidents_per_day double precision,
		urgent_incidents bigint, urgent_per_day double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT $2[array_lower($2, 1) + b.setting - 2], b.alerts, b.days, b.alerts_per_day, b.identities, b.by_severity,
		b.new_alerts, b.vanished_alerts, b.incidents, b.incidents_per_day, b.urgent_incidents, b.urgent_per_day
	FROM iamwatch_internal.backtest_summaries($1, ARRAY(SELECT iamwatch_internal.other_settings($4, x.changes)
		FROM unnest(ARRAY['{}'::jsonb] || $2) WITH ORDINALITY AS x (changes, n) ORDER BY x.n), $3) AS b
	WHERE b.setting > 1
	ORDER BY b.setting
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, jsonb[], name, text) IS
'the same for several settings, in a row each and one read of the source: objects with those that differ from the detector''s own, such as {"probability_limit": 0.01, "daily_budget": 3}; 22023 for a setting that cannot be tried';
