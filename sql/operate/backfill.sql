-- History, in sets: an aggregate (stored_days.c) makes sets of days of all events,
-- one for each key of baseline_key.c, these are learned, every day of every
-- behaviour is scored, and only the events of what was unusual are read once more.
-- iamwatch.backfill() is the way of it, from top to bottom; it commits often, so it
-- and the procedures that it calls can pin no search path, and name every schema.
--
-- Scores depend on nothing but the days before, so to learn all and then to
-- score gives what the triggers would have given in order of event time.
-- Learning is a union, and an alert takes an event id once, so a backfill that
-- was stopped is resumed by calling it again.

CREATE TABLE iamwatch_internal.backfills (
	source regclass PRIMARY KEY,
	phase text NOT NULL DEFAULT 'reading' CHECK (phase IN ('reading', 'learning', 'scoring', 'raising', 'done')),
	since timestamptz,
	until timestamptz,
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at timestamptz,
	parts_done bigint NOT NULL DEFAULT 0,
	parts bigint NOT NULL DEFAULT 0,
	rows_done bigint NOT NULL DEFAULT 0,
	rows_expected bigint NOT NULL DEFAULT 0,
	days_done bigint NOT NULL DEFAULT 0,
	alerts bigint NOT NULL DEFAULT 0,
	withdrawn bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE iamwatch_internal.backfills IS 'the last backfill of each source; read iamwatch.backfill_progress';
-- Of a relation that is gone a dump would have a number, which may be another's where it is restored.
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.backfills', 'WHERE pg_catalog.pg_table_is_visible(source) IS NOT NULL');

-- Volatile, though it gives the same for the same: a subquery with a volatile
-- column is planned by itself, so each document is read once, and still in
-- parallel, which OFFSET 0 would prevent.
CREATE FUNCTION iamwatch_internal.baseline_key(event jsonb, OUT key bytea, OUT at timestamptz)
	AS 'MODULE_PATHNAME', 'iamwatch_baseline_key' LANGUAGE C VOLATILE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION iamwatch_internal.baseline_key(jsonb) IS
'what an event adds to the baselines, as a key, and its time; nulls if it cannot be read or lies in the future';

-- All keys of a source and their days at once.
CREATE FUNCTION iamwatch_internal.stored_days_add(bytea, jsonb, timestamptz, timestamptz) RETURNS bytea
	AS 'MODULE_PATHNAME', 'iamwatch_stored_days_add' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION iamwatch_internal.stored_days_add(bytea, jsonb, timestamptz, timestamptz) IS
'a part of iamwatch_internal.stored_days(): take a document';
CREATE FUNCTION iamwatch_internal.stored_days_combine(bytea, bytea) RETURNS bytea
	AS 'MODULE_PATHNAME', 'iamwatch_stored_days_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.stored_days_combine(bytea, bytea) IS
'a part of iamwatch_internal.stored_days(): put together what two processes have';
CREATE AGGREGATE iamwatch_internal.stored_days(event jsonb, since timestamptz, until timestamptz) (
	SFUNC = iamwatch_internal.stored_days_add, STYPE = bytea, COMBINEFUNC = iamwatch_internal.stored_days_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE iamwatch_internal.stored_days(jsonb, timestamptz, timestamptz) IS
'per key of iamwatch_internal.baseline_key() the days of the events in a range of time, packed for iamwatch_internal.stored_days_rows()';
CREATE FUNCTION iamwatch_internal.stored_days_rows(packed bytea, OUT key bytea, OUT days iamwatch.dayset, OUT first timestamptz,
	OUT events bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'iamwatch_stored_days_rows' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.stored_days_rows(bytea) IS
'what iamwatch_internal.stored_days() has packed: the days of each key; the key is null for what cannot be read. Nothing if memory did not hold the keys. 22P03 for anything else';

CREATE FUNCTION iamwatch_internal.baseline_key_fields(key bytea, OUT provider text, OUT account text, OUT identity text,
	OUT kinds integer, OUT service text, OUT operation text, OUT failed boolean)
	AS 'MODULE_PATHNAME', 'iamwatch_baseline_key_fields' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.baseline_key_fields(bytea) IS
'what a key of iamwatch_internal.baseline_key() stands for; the operation is null unless it is an IAM operation. 22P03 for anything else';

-- The relations that hold the rows, so that each can be a step of its own.
CREATE FUNCTION iamwatch_internal.leaves(source regclass) RETURNS SETOF regclass
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT t.relid FROM pg_partition_tree(source) AS t WHERE t.isleaf
	UNION
	SELECT source WHERE NOT EXISTS (SELECT FROM pg_partition_tree(source))
$$;
COMMENT ON FUNCTION iamwatch_internal.leaves(regclass) IS 'the leaf partitions of a table, or the relation itself';

-- Whether a detector takes an interest in the operation.
CREATE FUNCTION iamwatch_internal.watches(categories text[], effects text[], least_sensitivity integer,
	category text, effect text, sensitivity integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_watches' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.watches(text[], text[], integer, text, text, integer) IS
'whether a detector with such settings watches an operation of that category, effect and sensitivity';

CREATE FUNCTION iamwatch_internal.is_watched(settings iamwatch.detectors, provider text, service text, operation text)
	RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch_internal.watches(settings.categories, settings.effects, settings.least_sensitivity,
		o.category, o.effect, o.sensitivity)
	FROM iamwatch.find_operation(provider, service, operation) AS o
$$;
COMMENT ON FUNCTION iamwatch_internal.is_watched(iamwatch.detectors, text, text, text) IS
'whether category, effect and sensitivity of an operation are among those that the detector watches';

CREATE FUNCTION iamwatch_internal.unusual_days(settings iamwatch.detectors, in_account integer,
	marks iamwatch_internal.journal[]) RETURNS TABLE (n bigint, is_user boolean, day date,
	k integer, active integer, peer_days bigint, peer_active bigint, probability double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET cpu_operator_cost = 1 AS $$		-- as in backfill_learn()
	WITH taken AS MATERIALIZED (
		SELECT t.* FROM iamwatch_internal.accounts AS a
		CROSS JOIN LATERAL iamwatch_internal.excluded_of_account(a.account_id, a.provider, a.account) AS t
		WHERE a.account_id = in_account
	), rare AS MATERIALIZED (
		SELECT m.n, b.operation_id, is_person(m.kinds) AS is_user, is_person(i.kinds) AS class, day,
			count_days(did.days, day - settings.training_days, day - 1) AS k,
			count_days(i.days, day - settings.training_days, day - 1) AS active,
			i.first_days, i.days AS active_days, did.days, iamwatch_internal.is_newcomer(i.first_days, day) AS newcomer
		FROM unnest(marks) WITH ORDINALITY AS m (provider, account, first_event_time, late_events,
			identity, kinds, service, operation, failed, days, learned_at, n)
		-- OFFSET 0, so that each look-up goes by its index whatever the statistics say
		CROSS JOIN LATERAL (SELECT i.identity_id, i.kinds, i.first_days, i.days
			FROM iamwatch_internal.identity_days AS i WHERE i.account_id = in_account
			AND hashtext(i.identity) = hashtext(m.identity)
			AND i.identity = m.identity OFFSET 0) AS i
		CROSS JOIN LATERAL (SELECT b.operation_id FROM iamwatch_internal.account_operations AS b WHERE b.account_id = in_account
			AND hashtextextended(b.operation, 0) = hashtextextended(m.operation, 0)
			AND b.operation = m.operation AND b.service = m.service AND b.failed = m.failed OFFSET 0) AS b
		CROSS JOIN LATERAL (SELECT d.days FROM iamwatch_internal.behaviour_days AS d WHERE d.account_id = in_account
			AND d.operation_id = b.operation_id AND d.identity_id = i.identity_id OFFSET 0) AS d
		LEFT JOIN taken AS x ON x.operation_id = b.operation_id AND x.identity_id = i.identity_id
		CROSS JOIN LATERAL (SELECT CASE WHEN x.days IS NULL THEN d.days ELSE d.days - x.days END AS days) AS did
		CROSS JOIN LATERAL days(may_be_unusual(m.days, did.days, i.days, settings.training_days, settings.probability_limit)) AS day
	), class AS MATERIALIZED (
		SELECT c.operation_id, c.is_user, c.day, c.newcomer,
			(SELECT coalesce(sum(CASE WHEN c.newcomer THEN t.identities ELSE t.settled END), 0)
			 FROM iamwatch_internal.tallies AS t
			 WHERE t.account_id = in_account AND t.operation_id = c.operation_id AND t.is_user = c.is_user
			 AND t.day BETWEEN c.day - settings.training_days AND c.day - 1)
			- (SELECT coalesce(sum(count_days(CASE WHEN c.newcomer THEN x.days ELSE x.settled END,
				c.day - settings.training_days, c.day - 1)), 0)
			 FROM taken AS x WHERE x.operation_id = c.operation_id AND x.is_user = c.is_user) AS days,
			(SELECT coalesce(sum(CASE WHEN c.newcomer THEN t.identities ELSE t.settled END), 0)
			 FROM iamwatch_internal.tallies AS t
			 WHERE t.account_id = in_account AND t.operation_id = 0 AND t.is_user = c.is_user
			 AND t.day BETWEEN c.day - settings.training_days AND c.day - 1) AS active
		FROM (SELECT DISTINCT r.operation_id, r.is_user, r.day, r.newcomer FROM rare AS r) AS c
	), scored AS (
		SELECT r.n, r.is_user, r.day, r.k, r.active, p.peer_days, p.peer_active,
			iamwatch.probability(r.k, r.active, p.peer_days, p.peer_active) AS probability
		FROM rare AS r
		JOIN class AS c ON (c.operation_id, c.is_user, c.day, c.newcomer) = (r.operation_id, r.is_user, r.day, r.newcomer)
		CROSS JOIN LATERAL (SELECT CASE WHEN r.newcomer THEN r.days ELSE settled_days(r.days, r.first_days) END AS days,
			CASE WHEN r.newcomer THEN r.active_days ELSE settled_days(r.active_days, r.first_days) END AS active_days) AS own
		-- the class counts the identity too
		CROSS JOIN LATERAL (SELECT
			c.days - CASE WHEN r.class = r.is_user
				THEN count_days(own.days, r.day - settings.training_days, r.day - 1) ELSE 0 END AS peer_days,
			c.active - CASE WHEN r.class = r.is_user
				THEN count_days(own.active_days, r.day - settings.training_days, r.day - 1) ELSE 0 END AS peer_active) AS p
	)
	SELECT s.* FROM scored AS s WHERE s.probability < settings.probability_limit
$$;
COMMENT ON FUNCTION iamwatch_internal.unusual_days(iamwatch.detectors, integer, iamwatch_internal.journal[]) IS
'of the behaviours given, by position, the days that are unusual by what the baselines hold, and how they score';

-- A table of a session's own: temporary, so nobody else sees it, and gone with it.
CREATE FUNCTION iamwatch_internal.drop_temporary() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.iamwatch_keys, pg_temp.iamwatch_marks, pg_temp.iamwatch_unusual, pg_temp.iamwatch_events,
		pg_temp.iamwatch_firsts, pg_temp.iamwatch_samples, pg_temp.iamwatch_chosen, pg_temp.iamwatch_read, pg_temp.iamwatch_raising;
END $$;
COMMENT ON FUNCTION iamwatch_internal.drop_temporary() IS 'drop the working tables of a backfill of this session';

-- Not in the procedure itself, which cannot pin the search path: the session's
-- could have other types of these names.  Tables are made when something goes
-- into them: to make one and to drop it takes as long as to learn an account.
CREATE FUNCTION iamwatch_internal.backfill_mark_table() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch_internal.drop_temporary();
	CREATE TEMP TABLE iamwatch_marks (provider text, account text, identity text, kinds integer,
		service text, operation text, failed boolean, key bytea, days iamwatch.dayset, first timestamptz, part integer, lane integer);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_mark_table() IS
'make the working table of a backfill of this session for what it learns and scores, in place of all that there are';

-- Apart, since history in which nothing is unusual needs none of them.
CREATE FUNCTION iamwatch_internal.backfill_event_tables() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	CREATE TEMP TABLE iamwatch_unusual (detector text, key bytea, is_user boolean, day date, k integer,
		active integer, peer_days bigint, peer_active bigint, probability double precision, active_from timestamptz);
	CREATE TEMP TABLE iamwatch_read (provider text, account text, first timestamptz);
	CREATE TEMP TABLE iamwatch_events (key bytea, event iamwatch.event, behaviour text);
	CREATE TEMP TABLE iamwatch_firsts (key bytea, at timestamptz);
	CREATE TEMP TABLE iamwatch_raising (behaviour text, detector text, part integer, lane integer, bytes bigint);
	CREATE INDEX ON pg_temp.iamwatch_raising (behaviour);
	CREATE TEMP TABLE iamwatch_samples (event iamwatch.event, access_key text);
	CREATE TEMP TABLE iamwatch_chosen (row tid, novel boolean, part integer);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_event_tables() IS
'make the working tables of a backfill of this session for what is unusual, and the events that it reads once more';

CREATE FUNCTION iamwatch_internal.backfill_working_tables() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch_internal.backfill_mark_table();
	PERFORM iamwatch_internal.backfill_event_tables();
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_working_tables() IS 'make all working tables of a backfill of this session';

-- What a crash may take of a step that only learns or scores is done anew by the
-- next call.  Not for steps that raise alerts: who is notified of one must find it.
CREATE FUNCTION iamwatch_internal.commit_in_background() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
END $$;
COMMENT ON FUNCTION iamwatch_internal.commit_in_background() IS
'let the commit of this transaction not wait for the disk: the next one that does is behind it';

CREATE FUNCTION iamwatch_internal.backfill_phase(source regclass, phase text, parts bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE iamwatch_internal.backfills AS b SET phase = $2, parts = $3, parts_done = CASE $2 WHEN 'done' THEN $3 ELSE 0 END,
		changed_at = clock_timestamp(), finished_at = CASE $2 WHEN 'done' THEN clock_timestamp() END
	WHERE b.source = $1;
	RAISE NOTICE 'backfill of %: % (% parts)', source, phase, parts;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_phase(regclass, text, bigint) IS 'record and tell the progress of a backfill';

-- One leaf: all of it in one parallel aggregate.
CREATE FUNCTION iamwatch_internal.backfill_read(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
DECLARE
	events bigint;
	some_refused boolean;
BEGIN
	WITH read AS MATERIALIZED (
		SELECT r.* FROM iamwatch_internal.read_days(leaf, event_column, since, until) AS r
	), marked AS (
		-- all of it is one step, until backfill_partition() makes it several
		INSERT INTO pg_temp.iamwatch_marks
		SELECT f.*, r.key, r.days, r.first, 1, 1
		FROM read AS r CROSS JOIN LATERAL iamwatch_internal.baseline_key_fields(r.key) AS f
		WHERE r.key IS NOT NULL
	)
	SELECT sum(r.events), bool_or(r.key IS NULL) INTO events, some_refused FROM read AS r;
	IF some_refused THEN
		-- one by one: there can be more of them than memory holds
		PERFORM count(iamwatch_internal.reject(ARRAY[leaf::oid], ARRAY[n.refusal], ARRAY[r.document]))
		FROM iamwatch_internal.read_unreadable(leaf, event_column) AS r
		CROSS JOIN LATERAL (SELECT iamwatch_internal.refusal(r.document) AS refusal) AS n
		WHERE n.refusal IS NOT NULL;	-- one that was in the future may be so no longer
	END IF;
	RETURN coalesce(events, 0);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_read(regclass, name, timestamptz, timestamptz) IS
'aggregate the days of all keys of a relation into the working table; how many rows it read';

CREATE FUNCTION iamwatch_internal.backfill_learn(part integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	-- as in src/server/owner.c: no index is taken for another, whatever the statistics say
	SET cpu_operator_cost = 1 AS $$
DECLARE
	of_account record;
	days bigint := 0;
BEGIN
	FOR of_account IN
		SELECT m.provider, m.account, sum(iamwatch.count_days(m.days)) AS days,
			array_agg(ROW(m.provider, m.account, m.first, 0, m.identity, m.kinds, m.service, m.operation, m.failed,
				m.days, clock_timestamp())::iamwatch_internal.journal) AS deltas
		FROM pg_temp.iamwatch_marks AS m WHERE m.part = backfill_learn.part
		GROUP BY m.provider, m.account
		ORDER BY m.provider, m.account		-- so that they are numbered in the same order, however steps are cut
	LOOP
		PERFORM iamwatch_internal.learn_account(of_account.provider, of_account.account, of_account.deltas, '{}', true);
		days := days + of_account.days;
	END LOOP;
	RETURN days;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_learn(integer) IS 'learn a part of the marks; days of them';

-- A day is not compared with a memory of which a part was dropped.
CREATE FUNCTION iamwatch_internal.has_memory(a iamwatch_internal.accounts, read_since timestamptz, day date, days integer)
	RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN a.dropped_before IS NULL OR day - days >= a.dropped_before OR read_since <= a.first_event_time
		OR read_since <= (day - days)::timestamp AT TIME ZONE 'UTC';
COMMENT ON FUNCTION iamwatch_internal.has_memory(iamwatch_internal.accounts, timestamptz, date, integer) IS
'whether the baselines of an account have all of so many days before a day, if a backfill has read what there is since a time';

CREATE FUNCTION iamwatch_internal.backfill_score(part integer, detector text) RETURNS SETOF iamwatch_internal.backfill_day
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
	WITH settings AS MATERIALIZED (
		SELECT s AS detector FROM iamwatch.detectors AS s WHERE s.detector = backfill_score.detector
	), scored AS MATERIALIZED (
		SELECT m.* FROM pg_temp.iamwatch_marks AS m WHERE m.part = backfill_score.part AND m.operation IS NOT NULL
	), begins AS MATERIALIZED (
		SELECT m.provider, m.account, min(m.first) AS first FROM pg_temp.iamwatch_marks AS m
		WHERE m.part = backfill_score.part GROUP BY m.provider, m.account
	), watched AS MATERIALIZED (
		SELECT o.* FROM settings AS s
		CROSS JOIN (SELECT DISTINCT m.provider, m.service, m.operation FROM scored AS m) AS o
		WHERE iamwatch_internal.is_watched(s.detector, o.provider, o.service, o.operation)
	)
	SELECT (s.detector).detector, g.keys[u.n], u.is_user, u.day, u.k, u.active, u.peer_days, u.peer_active,
		u.probability, a.first_event_time + (s.detector).activation_days * interval '24 hours'
	FROM settings AS s
	CROSS JOIN (
		SELECT m.provider, m.account, array_agg(m.key ORDER BY m.key) AS keys,
			array_agg(ROW(m.provider, m.account, NULL, 0, m.identity, m.kinds, m.service, m.operation,
				m.failed, m.days, NULL)::iamwatch_internal.journal ORDER BY m.key) AS marks
		FROM scored AS m
		-- asked of one set that is hashed: nothing is known of either, and they could be joined by comparing all with all
		WHERE ((m.provider, m.service, m.operation) IN (SELECT w.* FROM watched AS w)) IS TRUE
		GROUP BY m.provider, m.account) AS g
	JOIN iamwatch_internal.accounts AS a ON hashtextextended(a.account, 0) = hashtextextended(g.account, 0)
		AND a.account = g.account AND a.provider = g.provider
	CROSS JOIN LATERAL iamwatch_internal.unusual_days(iamwatch_internal.widened(s.detector), a.account_id, g.marks) AS u
	WHERE u.day >= ((a.first_event_time + (s.detector).activation_days * interval '24 hours') AT TIME ZONE 'UTC')::date
	AND iamwatch_internal.has_memory(a, (SELECT b.first FROM begins AS b
		WHERE b.account = a.account AND b.provider = a.provider), u.day, (s.detector).training_days)
$$;
COMMENT ON FUNCTION iamwatch_internal.backfill_score(integer, text) IS 'the days of a part of the marks that are unusual for a detector';

-- An identity that was seen as two kinds has two keys but one behaviour: an
-- alert that the one opens, the other joins.  Behaviours that have alerts are
-- read as well: they may be wrong.
CREATE FUNCTION iamwatch_internal.backfill_behaviour_keys() RETURNS bytea[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
	RETURN (SELECT array_agg(m.key) FROM pg_temp.iamwatch_marks AS m
		WHERE (m.provider, m.account, m.identity, m.service, m.operation, m.failed) IN (
			SELECT x.provider, x.account, x.identity, x.service, x.operation, x.failed
			FROM pg_temp.iamwatch_marks AS x JOIN pg_temp.iamwatch_unusual AS u ON u.key = x.key
			UNION
			SELECT a.provider, a.account, a.identity, a.service, a.operation, a.failed
			FROM iamwatch_internal.all_alerts AS a));
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_behaviour_keys() IS
'all keys of the behaviours of which a backfill found a day unusual, or which have alerts';

CREATE FUNCTION iamwatch_internal.backfill_fetch(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
DECLARE
	keys bytea[] := iamwatch_internal.backfill_behaviour_keys();
BEGIN
	-- an identity that was seen as two kinds has two keys but one behaviour
	WITH read AS MATERIALIZED (
		SELECT r.key, r.at, r.event, r.access_key
		FROM iamwatch_internal.read_events(leaf, event_column, since, until, keys,
			ARRAY(SELECT hash_record_extended(ROW(f.key, f.at), 0) FROM pg_temp.iamwatch_firsts AS f)) AS r
	), concerned AS (
		INSERT INTO pg_temp.iamwatch_events
		SELECT r.key, r.event, md5(ROW((r.event).provider, (r.event).account, (r.event).identity, (r.event).service,
			(r.event).operation, (r.event).failed)::text)
		FROM read AS r WHERE r.key = ANY (keys)
	)
	INSERT INTO pg_temp.iamwatch_samples SELECT r.event, r.access_key FROM read AS r
	WHERE (r.key, r.at) IN (SELECT f.key, f.at FROM pg_temp.iamwatch_firsts AS f);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_fetch(regclass, name, timestamptz, timestamptz) IS
'read the events of what is unusual in a relation, and of the sample of contexts, into the working tables';

-- ---- the way of a backfill ----

CREATE FUNCTION iamwatch_internal.begin_backfill(source regclass, since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM iamwatch_internal.make_backfill_steps(begin_backfill.source, NULL);
	INSERT INTO iamwatch_internal.backfills AS b (source, since, until, rows_expected)
	VALUES (begin_backfill.source, begin_backfill.since, begin_backfill.until, (SELECT coalesce(sum(GREATEST(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)), 0)
		FROM iamwatch_internal.leaves(begin_backfill.source) AS l JOIN pg_class AS c ON c.oid = l))
	ON CONFLICT ON CONSTRAINT backfills_pkey DO UPDATE SET (phase, since, until, started_at, finished_at,
		rows_done, rows_expected, days_done, alerts, withdrawn) = ('reading', EXCLUDED.since, EXCLUDED.until,
		clock_timestamp(), NULL, 0, EXCLUDED.rows_expected, 0, 0, 0);
	PERFORM iamwatch_internal.backfill_phase(begin_backfill.source, 'reading',
		(SELECT count(*) FROM iamwatch_internal.leaves(begin_backfill.source)));
	PERFORM iamwatch_internal.backfill_mark_table();
	PERFORM iamwatch_internal.commit_in_background();
END $$;
COMMENT ON FUNCTION iamwatch_internal.begin_backfill(regclass, timestamptz, timestamptz) IS
'note that a backfill begins, and make its first working table';

CREATE FUNCTION iamwatch_internal.begin_backfill_phase(source regclass, phase text, parts bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch_internal.make_backfill_steps(source, phase);
	PERFORM iamwatch_internal.backfill_phase(source, phase, parts);
	PERFORM iamwatch_internal.commit_in_background();
END $$;
COMMENT ON FUNCTION iamwatch_internal.begin_backfill_phase(regclass, text, bigint) IS
'make the steps of a phase that is done in steps, and tell that it begins';

CREATE PROCEDURE iamwatch_internal.backfill_reading(source regclass, event_column name, since timestamptz, until timestamptz,
	INOUT relations bigint)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf pg_catalog.regclass;
	n bigint;
BEGIN
	FOR leaf IN SELECT l FROM iamwatch_internal.leaves(source) AS l LOOP
		n := iamwatch_internal.backfill_read(leaf, event_column, since, until);
		UPDATE iamwatch_internal.backfills AS b SET parts_done = b.parts_done OPERATOR(pg_catalog.+) 1,
			rows_done = b.rows_done OPERATOR(pg_catalog.+) n, changed_at = pg_catalog.clock_timestamp()
		WHERE b.source OPERATOR(pg_catalog.=) backfill_reading.source;
		relations := relations OPERATOR(pg_catalog.+) 1;
		PERFORM iamwatch_internal.commit_in_background();
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch_internal.backfill_reading(regclass, name, timestamptz, timestamptz, bigint) IS
'the first phase of a backfill: aggregate the days of all keys, a relation after the other; how many it read is added to the last argument';

CREATE PROCEDURE iamwatch_internal.backfill_folding(source regclass)
	LANGUAGE plpgsql AS $$
DECLARE
	one record;
	waited integer := 0;
BEGIN
	LOOP
		FOR one IN SELECT DISTINCT j.provider, j.account FROM iamwatch_internal.journal AS j LOOP
			PERFORM iamwatch_internal.fold_journal(one.provider, one.account);
			PERFORM iamwatch_internal.commit_in_background();
			COMMIT;
		END LOOP;
		EXIT WHEN NOT EXISTS (SELECT FROM iamwatch_internal.journal);
		waited := waited OPERATOR(pg_catalog.+) 1;
		IF waited OPERATOR(pg_catalog.>) 6000 THEN
			RAISE EXCEPTION 'gave up backfilling %: other sessions keep their accounts locked', source
				USING ERRCODE = 'lock_not_available', HINT = 'End long transactions that insert into watched tables, and call it again.';
		END IF;
		PERFORM pg_catalog.pg_sleep(0.05);
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch_internal.backfill_folding(regclass) IS
'have all that went by way of the journal in the tallies, by which a backfill scores';

CREATE PROCEDURE iamwatch_internal.backfill_fetching(source regclass, event_column name, since timestamptz, until timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf pg_catalog.regclass;
BEGIN
	IF EXISTS (SELECT FROM pg_temp.iamwatch_unusual) THEN
		FOR leaf IN SELECT l FROM iamwatch_internal.leaves(source) AS l LOOP
			PERFORM iamwatch_internal.backfill_firsts(leaf, event_column, since, until, iamwatch_internal.backfill_unusual_keys());
			COMMIT;
		END LOOP;
	END IF;
	CALL iamwatch_internal.backfill_learn_contexts(source, event_column, since, until);
END $$;
COMMENT ON PROCEDURE iamwatch_internal.backfill_fetching(regclass, name, timestamptz, timestamptz) IS
'read the events of what is unusual, or has alerts, and learn the contexts of identities for which something is unusual';

CREATE PROCEDURE iamwatch_internal.backfill_raising(source regclass, INOUT pairs bigint, INOUT withdrawn bigint)
	LANGUAGE plpgsql AS $$
DECLARE
	one record;
	waited integer := 0;
BEGIN
	pairs := iamwatch_internal.backfill_group();
	PERFORM iamwatch_internal.begin_backfill_phase(source, 'raising', pairs);
	COMMIT;
	CALL iamwatch_internal.take_backfill_steps(source);
	withdrawn := iamwatch_internal.collect_raised(source);
	COMMIT;
	-- what others are just writing, or triaging, once more; then they get the events
	WHILE EXISTS (SELECT FROM pg_temp.iamwatch_raising) LOOP
		waited := waited OPERATOR(pg_catalog.+) 1;
		PERFORM pg_catalog.pg_sleep(0.05);
		FOR one IN SELECT r.behaviour, r.detector FROM pg_temp.iamwatch_raising AS r LOOP
			withdrawn := withdrawn OPERATOR(pg_catalog.+)
				coalesce(iamwatch_internal.backfill_raise(one.behaviour, one.detector, waited OPERATOR(pg_catalog.>) 200), 0);
		END LOOP;
		COMMIT;
	END LOOP;
	PERFORM iamwatch_internal.keep_changed_incidents(NULL);
	COMMIT;
	PERFORM iamwatch_internal.keep_links();
	COMMIT;
END $$;
COMMENT ON PROCEDURE iamwatch_internal.backfill_raising(regclass, bigint, bigint) IS
'the last phase of a backfill: have the alerts that the order of event time gives; how many behaviours and detectors were concerned, and how many alerts were taken back';

CREATE FUNCTION iamwatch_internal.count_alerts() RETURNS bigint
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM iamwatch.alerts';
COMMENT ON FUNCTION iamwatch_internal.count_alerts() IS 'how many alerts there are';

CREATE FUNCTION iamwatch_internal.end_backfill(source regclass, pairs bigint, withdrawn bigint, alerts_before bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF withdrawn > 0 THEN
		RAISE NOTICE 'backfill of %: % alerts were taken back, which the order of event time would not have raised', source, withdrawn;
	END IF;
	UPDATE iamwatch_internal.backfills AS b SET withdrawn = withdrawn,
		alerts = iamwatch_internal.count_alerts() - alerts_before + withdrawn
	WHERE b.source = source;
	PERFORM iamwatch_internal.make_backfill_steps(source, NULL);
	PERFORM iamwatch_internal.backfill_phase(source, 'done', pairs);
	PERFORM iamwatch_internal.drop_temporary();
	PERFORM iamwatch_internal.session_unlock();
END $$;
COMMENT ON FUNCTION iamwatch_internal.end_backfill(regclass, bigint, bigint, bigint) IS
'note what came of a backfill, and leave nothing of it behind';

CREATE PROCEDURE iamwatch.backfill(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	relations bigint := 0;
	parts integer;
	pairs bigint := 0;
	withdrawn bigint := 0;
	alerts_before bigint;
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.backfill()');
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	IF iamwatch_internal.distribution(source) OPERATOR(pg_catalog.=) 'distributed' THEN
		PERFORM iamwatch_internal.backfill_shards(source, event_column, since, until);
		RETURN;
	END IF;
	IF NOT iamwatch_internal.may_fold() THEN
		RAISE EXCEPTION 'cannot backfill in a transaction with a fixed snapshot'
			USING ERRCODE = 'invalid_transaction_state', HINT = 'SET default_transaction_isolation = ''read committed'' first.';
	END IF;
	IF NOT iamwatch_internal.try_session_lock(3, source::pg_catalog.oid::bigint) THEN
		RAISE EXCEPTION 'another session is backfilling %', source
			USING ERRCODE = 'lock_not_available', HINT = 'See iamwatch.backfill_progress. To help it, call iamwatch.backfill_work().';
	END IF;
	PERFORM iamwatch_internal.begin_backfill(source, since, until);
	COMMIT;
	CALL iamwatch_internal.backfill_reading(source, event_column, since, until, relations);

	parts := iamwatch_internal.backfill_partition(relations,
		CASE WHEN iamwatch_internal.backfill_helpers(source) OPERATOR(pg_catalog.>) 0 THEN 1000 ELSE 5000 END);
	PERFORM iamwatch_internal.begin_backfill_phase(source, 'learning', parts);
	COMMIT;
	CALL iamwatch_internal.take_backfill_steps(source);
	CALL iamwatch_internal.backfill_folding(source);

	PERFORM iamwatch_internal.begin_backfill_phase(source, 'scoring', parts);
	COMMIT;
	CALL iamwatch_internal.take_backfill_steps(source);

	alerts_before := iamwatch_internal.count_alerts();
	IF iamwatch_internal.collect_scored(source) THEN
		COMMIT;
		CALL iamwatch_internal.backfill_fetching(source, event_column, since, until);
		CALL iamwatch_internal.backfill_raising(source, pairs, withdrawn);
	END IF;
	PERFORM iamwatch_internal.end_backfill(source, pairs, withdrawn, alerts_before);
END $$;
COMMENT ON PROCEDURE iamwatch.backfill(regclass, name, timestamptz, timestamptz) IS
'learn from and test what a table, view or foreign table holds, as the triggers would have in order of event time. Column: as watched, else event. Since (included) and until (not): range of event times. Leaves the alerts that the order of event time gives: numbers are put right, and alerts that it would not have raised are taken back unless somebody has worked on them. Commits in steps; stopped, call it again; running it twice changes nothing. 55P03 while another session backfills the same source; 42P01, 42703, 42804, 42809 for what holds no events';

CREATE FUNCTION iamwatch_internal.backfill_partition(relations bigint, most integer) RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	-- nothing is known of these sets when they are joined; the planner would compare all with all
	SET enable_nestloop = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
	n bigint;
	bytes bigint;
BEGIN
	SELECT count(*), sum(length(m.key)) INTO n, bytes FROM pg_temp.iamwatch_marks AS m;
	IF n = 0 THEN
		RETURN 0;
	END IF;
	-- most often there is nothing to merge and one step to do, as which the marks were read
	IF relations = 1 AND n < most AND bytes < 67108864
		AND (SELECT count(*) FROM (SELECT DISTINCT m.provider, m.account FROM pg_temp.iamwatch_marks AS m) AS a) < 100 THEN
		RETURN 1;
	END IF;
	ALTER TABLE pg_temp.iamwatch_marks RENAME TO iamwatch_keys;
	CREATE TEMP TABLE iamwatch_marks (LIKE pg_temp.iamwatch_keys);
	-- each step has its cost, so they are small only where somebody shares them.
	-- A lane is some accounts, few enough for each to have a lock of its own, or one
	-- that is large, of which each part has some identities.  Accounts of one bucket
	-- stay together where they can, so that sessions do not number them side by side
	INSERT INTO pg_temp.iamwatch_marks
	WITH merged AS MATERIALIZED (
		SELECT f.*, k.key, k.days, k.first
		FROM (SELECT x.key, dayset_union(x.days) AS days, min(x.first) AS first FROM pg_temp.iamwatch_keys AS x GROUP BY x.key) AS k
		CROSS JOIN LATERAL iamwatch_internal.baseline_key_fields(k.key) AS f
	), account AS MATERIALIZED (
		SELECT p.provider, p.account, iamwatch_internal.account_bucket(p.account) AS bucket, count(*) AS n, sum(length(p.key)) AS bytes,
			min(p.first) AS first
		FROM merged AS p GROUP BY p.provider, p.account
	), bucket AS (
		SELECT c.bucket, (sum(sum(c.n)) OVER sorted - sum(c.n))::bigint AS before, sum(count(*)) OVER sorted - count(*) AS place
		FROM account AS c GROUP BY c.bucket WINDOW sorted AS (ORDER BY c.bucket ROWS UNBOUNDED PRECEDING)
	), lane AS MATERIALIZED (
		SELECT c.*, dense_rank() OVER (ORDER BY b.before / most, (b.place / 100)::integer, c.place / 100)::integer AS lane
		FROM (SELECT a.*, row_number() OVER (PARTITION BY a.bucket ORDER BY a.provider, a.account) - 1 AS place FROM account AS a) AS c
		JOIN bucket AS b ON b.bucket = c.bucket
	), cut AS MATERIALIZED (
		SELECT l.lane, 1 + GREATEST(sum(l.n)::bigint / most, sum(l.bytes)::bigint / 67108864) AS parts FROM lane AS l GROUP BY l.lane
	)
	-- each mark has the first time of its account, so that every step knows it
	SELECT p.provider, p.account, p.identity, p.kinds, p.service, p.operation, p.failed, p.key, p.days, l.first,
		dense_rank() OVER (ORDER BY l.lane, (hashtextextended(p.identity, 0) & 2147483647) % c.parts), l.lane
	FROM merged AS p
	JOIN lane AS l ON l.account = p.account AND l.provider = p.provider
	JOIN cut AS c ON c.lane = l.lane;
	DROP TABLE pg_temp.iamwatch_keys;
	CREATE INDEX ON pg_temp.iamwatch_marks (part);
	-- of the rest it is enough to know how many rows there are
	ANALYZE pg_temp.iamwatch_marks (part, account);
	RETURN (SELECT max(m.part) FROM pg_temp.iamwatch_marks AS m);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_partition(bigint, integer) IS
'merge what so many relations have of a key, and number the steps of a backfill, each of about so many keys at most; how many there are';

CREATE FUNCTION iamwatch_internal.backfill_lanes() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	-- as above
	SET enable_nestloop = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
	-- those that share a lock stay together, since a step keeps all of its locks to its end
	CREATE TEMP TABLE iamwatch_part AS
	WITH behaviour AS MATERIALIZED (
		SELECT k.behaviour, min(k.lock) AS lock, sum(k.bytes) AS bytes
		FROM (SELECT e.behaviour, iamwatch_internal.alert_lock_key(e.event) AS lock, pg_column_size(e.event) AS bytes
			FROM pg_temp.iamwatch_events AS e) AS k
		GROUP BY k.behaviour
	), pair AS (
		SELECT r.behaviour, r.detector, b.lock, b.bytes, row_number() OVER (PARTITION BY b.lock ORDER BY r.behaviour, r.detector) - 1 AS n
		FROM pg_temp.iamwatch_raising AS r JOIN behaviour AS b ON b.behaviour = r.behaviour
	), lane AS (
		SELECT l.lock, dense_rank() OVER (ORDER BY l.before / 50) AS lane
		FROM (SELECT p.lock, (sum(count(*)) OVER (ORDER BY p.lock))::bigint - count(*) AS before FROM pair AS p GROUP BY p.lock) AS l
	)
	SELECT p.behaviour, p.detector, dense_rank() OVER (ORDER BY l.lane, p.n / 100) AS part, l.lane, p.bytes
	FROM pair AS p JOIN lane AS l ON l.lock = p.lock;
	TRUNCATE pg_temp.iamwatch_raising;
	INSERT INTO pg_temp.iamwatch_raising SELECT p.* FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_lanes() IS 'number the steps in which alerts are raised, and their lanes';

CREATE FUNCTION iamwatch_internal.backfill_group() RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
BEGIN
	CREATE INDEX ON pg_temp.iamwatch_events (behaviour);
	CREATE INDEX ON pg_temp.iamwatch_unusual USING hash (key);
	ANALYZE pg_temp.iamwatch_events;
	ANALYZE pg_temp.iamwatch_unusual;
	INSERT INTO pg_temp.iamwatch_raising (behaviour, detector)
	SELECT e.behaviour, u.detector FROM pg_temp.iamwatch_events AS e JOIN pg_temp.iamwatch_unusual AS u ON u.key = e.key
	UNION
	SELECT e.behaviour, d.detector
	FROM (SELECT DISTINCT ON (x.behaviour) x.behaviour, x.event FROM pg_temp.iamwatch_events AS x ORDER BY x.behaviour) AS e
	JOIN iamwatch_internal.all_alerts AS a ON a.identity = (e.event).identity AND a.operation = (e.event).operation
		AND a.service = (e.event).service AND a.failed = (e.event).failed
		AND a.account = (e.event).account AND a.provider = (e.event).provider
	JOIN iamwatch.detectors AS d ON d.detector = a.detector
	WHERE d.enabled AND iamwatch_internal.is_watched(d, a.provider, a.service, a.operation);
	PERFORM iamwatch_internal.backfill_lanes();
	RETURN (SELECT count(*) FROM pg_temp.iamwatch_raising);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_group() IS
'group the events that were read by behaviour, and note for which detectors alerts of them are to be raised, or are to be looked at again; how many such pairs there are';

CREATE VIEW iamwatch.backfill_progress AS
SELECT source, phase, parts_done, parts, rows_done, rows_expected, days_done, alerts, withdrawn,
	started_at, changed_at, finished_at,
	rows_done / nullif(extract(epoch FROM coalesce(finished_at, changed_at) - started_at), 0)::double precision AS rows_per_second,
	CASE WHEN finished_at IS NULL AND parts_done > 0 THEN
		(changed_at - started_at) * (parts - parts_done) / parts_done END AS phase_remaining,
	finished_at IS NULL AND NOT iamwatch_internal.session_lock_held(3, source::oid::bigint) AS interrupted,
	CASE WHEN finished_at IS NULL THEN iamwatch_internal.backfill_helpers(source) ELSE 0 END AS helpers
FROM iamwatch_internal.backfills;
COMMENT ON VIEW iamwatch.backfill_progress IS 'how far each backfill has come';
COMMENT ON COLUMN iamwatch.backfill_progress.parts IS
'steps of the phase: relations to read, groups of identities to learn and score, behaviours to raise';
COMMENT ON COLUMN iamwatch.backfill_progress.rows_expected IS 'by the statistics of the table, or, where it was never analysed, by what the server counted as it was filled; 0 if there is neither';
COMMENT ON COLUMN iamwatch.backfill_progress.alerts IS 'that it raised';
COMMENT ON COLUMN iamwatch.backfill_progress.withdrawn IS 'alerts that it took back, since the order of event time would not have raised them';
COMMENT ON COLUMN iamwatch.backfill_progress.helpers IS 'other sessions that take steps of it: they called iamwatch.backfill_work()';
COMMENT ON COLUMN iamwatch.backfill_progress.interrupted IS 'it stopped half-way: call iamwatch.backfill() again';
