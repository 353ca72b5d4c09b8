-- Contexts of stored history: the same sample that the triggers take in order
-- of event time.  iamwatch.backfill() takes that of the identities for which
-- something is unusual, iamwatch.backfill_contexts() that of all.

CREATE FUNCTION iamwatch_internal.backfill_unusual_keys() RETURNS bytea[]
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(m.key) FROM pg_temp.iamwatch_marks AS m
	WHERE (m.provider, m.account, m.identity) IN (SELECT x.provider, x.account, x.identity
		FROM pg_temp.iamwatch_marks AS x JOIN pg_temp.iamwatch_unusual AS u ON u.key = x.key)
$$;
COMMENT ON FUNCTION iamwatch_internal.backfill_unusual_keys() IS
'all keys of the identities for which a backfill found something unusual';

CREATE FUNCTION iamwatch_internal.backfill_firsts(leaf regclass, event_column name, since timestamptz, until timestamptz,
	keys bytea[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
BEGIN
	INSERT INTO pg_temp.iamwatch_firsts
	SELECT r.key, r.at FROM iamwatch_internal.read_firsts(leaf, event_column, since, until, keys) AS r;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_firsts(regclass, name, timestamptz, timestamptz, bytea[]) IS
'the first event of each key and day in a relation into the working table; keys: null for all';

CREATE FUNCTION iamwatch_internal.backfill_mark_firsts() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO pg_temp.iamwatch_marks (provider, account, identity, kinds, service, operation, failed, key)
	SELECT f.*, k.key FROM (SELECT DISTINCT x.key FROM pg_temp.iamwatch_firsts AS x) AS k
	CROSS JOIN LATERAL iamwatch_internal.baseline_key_fields(k.key) AS f
$$;
COMMENT ON FUNCTION iamwatch_internal.backfill_mark_firsts() IS
'have the keys of the first events as marks, where no backfill has read them';

CREATE FUNCTION iamwatch_internal.backfill_choose_firsts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	SET jit = off SET enable_mergejoin = off AS $$
BEGIN
	-- keys and who acted are numbered: to sort many rows by numbers takes a tenth of sorting them by names
	CREATE TEMP TABLE iamwatch_part AS
	WITH mark AS MATERIALIZED (
		SELECT m.key, row_number() OVER () AS n, m.operation IS NOT NULL AS iam,
			dense_rank() OVER (ORDER BY m.identity, m.account, m.provider) AS who
		FROM pg_temp.iamwatch_marks AS m
	), chosen AS (
		-- several relations may share a day; one sort is enough for both questions
		SELECT k.n, k.at
		FROM (
			SELECT f.*, row_number() OVER (PARTITION BY f.who, f.day, f.n ORDER BY f.at) AS nth,
				min(f.at) OVER (PARTITION BY f.who, f.day) AS first_of_day
			FROM (
				SELECT m.n, m.iam, m.who, (p.at AT TIME ZONE 'UTC')::date AS day, p.at
				FROM pg_temp.iamwatch_firsts AS p JOIN mark AS m ON m.key = p.key) AS f) AS k
		WHERE k.nth = 1 AND iamwatch_internal.is_sampled(k.iam, k.at = k.first_of_day, k.day, NULL)
	)
	SELECT m.key, c.at FROM chosen AS c JOIN mark AS m ON m.n = c.n;
	TRUNCATE pg_temp.iamwatch_firsts;
	INSERT INTO pg_temp.iamwatch_firsts SELECT p.key, p.at FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	ANALYZE pg_temp.iamwatch_firsts;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_choose_firsts() IS
'leave in the working table the keys and times of the events to sample';

CREATE FUNCTION iamwatch_internal.backfill_samples() RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp
	-- nothing is known of the sets, as in backfill_partition()
	SET jit = off SET enable_nestloop = off SET enable_mergejoin = off AS $$
DECLARE
	last integer;
BEGIN
	-- numbered, as above; subqueries, so that each look-up goes by its index whatever the statistics say
	INSERT INTO pg_temp.iamwatch_chosen
	WITH read AS MATERIALIZED (
		SELECT x.ctid AS row, (x.event).provider, (x.event).account, (x.event).identity, (x.event).service,
			(x.event).operation, (x.event).failed, (x.event).event_time AS at, (x.event).event_id,
			((x.event).event_time AT TIME ZONE 'UTC')::date AS day
		FROM pg_temp.iamwatch_samples AS x
	), named AS MATERIALIZED (
		SELECT d.*, row_number() OVER () AS n, dense_rank() OVER (ORDER BY d.identity, d.account, d.provider) AS who,
			(SELECT a.account_id FROM iamwatch_internal.accounts AS a
				WHERE hashtextextended(a.account, 0) = hashtextextended(d.account, 0)
				AND a.account = d.account AND a.provider = d.provider) AS account_id
		FROM (SELECT DISTINCT r.provider, r.account, r.identity, r.service, r.operation, r.failed FROM read AS r) AS d
	), known AS MATERIALIZED (
		SELECT i.*, (SELECT d.days FROM iamwatch_internal.identity_days AS d
				WHERE d.account_id = i.account_id AND d.identity_id = i.identity_id) AS identity_days,
			(SELECT d.days FROM iamwatch_internal.behaviour_days AS d WHERE d.account_id = i.account_id
				AND d.operation_id = i.operation_id AND d.identity_id = i.identity_id) AS behaviour_days
		FROM (SELECT n.*,
			(SELECT i.identity_id FROM iamwatch_internal.identity_days AS i WHERE i.account_id = n.account_id
				AND hashtext(i.identity) = hashtext(n.identity)
				AND i.identity = n.identity) AS identity_id,
			(SELECT b.operation_id FROM iamwatch_internal.account_operations AS b WHERE b.account_id = n.account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(n.operation, 0)
				AND b.operation = n.operation AND b.service = n.service AND b.failed = n.failed) AS operation_id
			FROM named AS n OFFSET 0) AS i
	), brings AS (
		SELECT e.row, e.n, e.day,
			row_number() OVER (PARTITION BY e.who, e.day ORDER BY e.at, e.event_id COLLATE "C") = 1 AS brings_day,
			row_number() OVER (PARTITION BY e.n, e.day ORDER BY e.at, e.event_id COLLATE "C") = 1
				AND e.operation_id IS NOT NULL AS brings_operation
		FROM (SELECT r.row, r.at, r.event_id, r.day, k.n, k.who, k.operation_id
			FROM read AS r JOIN named AS m ON (m.provider, m.account, m.identity, m.service, m.operation, m.failed)
				= (r.provider, r.account, r.identity, r.service, r.operation, r.failed)
			JOIN known AS k ON k.n = m.n) AS e
	)
	SELECT b.row, is_novel(b.brings_operation, b.day, CASE WHEN b.brings_operation THEN k.behaviour_days END),
		row_number() OVER (ORDER BY k.account_id) / 5000
	FROM brings AS b JOIN known AS k ON k.n = b.n
	WHERE is_sampled(b.brings_operation, b.brings_day, b.day, CASE WHEN b.brings_day THEN coalesce(k.identity_days, '{}') END);
	CREATE INDEX ON pg_temp.iamwatch_chosen (part);
	SELECT max(c.part) INTO last FROM pg_temp.iamwatch_chosen AS c;
	RETURN coalesce(last, -1);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_samples() IS
'choose the sample among what was read, and number the steps in which it is learned, from 0; the last of them';

CREATE FUNCTION iamwatch_internal.backfill_context(part integer) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	-- a subquery, so that each is fetched from where it is, and not all are read for each part
	SELECT iamwatch_internal.learn('{}', array_agg((SELECT ROW(x.event, x.access_key, c.novel)::iamwatch_internal.context_journal
		FROM pg_temp.iamwatch_samples AS x WHERE x.ctid = c.row)))
	FROM pg_temp.iamwatch_chosen AS c WHERE c.part = backfill_context.part
$$;
COMMENT ON FUNCTION iamwatch_internal.backfill_context(integer) IS 'learn the contexts of a part of the sample';

CREATE PROCEDURE iamwatch_internal.backfill_learn_contexts(source regclass, event_column name, since timestamptz, until timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf pg_catalog.regclass;
	part integer;
BEGIN
	PERFORM iamwatch_internal.backfill_choose_firsts();
	FOR leaf IN SELECT l FROM iamwatch_internal.leaves(source) AS l LOOP
		PERFORM iamwatch_internal.backfill_fetch(leaf, event_column, since, until);
		COMMIT;
	END LOOP;
	FOR part IN SELECT * FROM pg_catalog.generate_series(0, iamwatch_internal.backfill_samples()) LOOP
		PERFORM iamwatch_internal.backfill_context(part);
		COMMIT;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch_internal.backfill_learn_contexts(regclass, name, timestamptz, timestamptz) IS
'of the first events that were read, choose and read the sample of contexts, with the events of what is unusual, and learn it';

CREATE PROCEDURE iamwatch.backfill_contexts(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf pg_catalog.regclass;
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.backfill_contexts()');
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	IF NOT iamwatch_internal.try_session_lock(3, source::pg_catalog.oid::bigint) THEN
		RAISE EXCEPTION 'another session is backfilling %', source
			USING ERRCODE = 'lock_not_available', HINT = 'See iamwatch.backfill_progress.';
	END IF;
	PERFORM iamwatch_internal.backfill_working_tables();
	COMMIT;
	FOR leaf IN SELECT l FROM iamwatch_internal.leaves(source) AS l LOOP
		PERFORM iamwatch_internal.backfill_firsts(leaf, event_column, since, until, NULL);
		COMMIT;
	END LOOP;
	PERFORM iamwatch_internal.backfill_mark_firsts();
	CALL iamwatch_internal.backfill_learn_contexts(source, event_column, since, until);
	PERFORM iamwatch_internal.drop_temporary();
	PERFORM iamwatch_internal.session_unlock();
END $$;
COMMENT ON PROCEDURE iamwatch.backfill_contexts(regclass, name, timestamptz, timestamptz) IS
'learn the contexts of all identities of a source, once iamwatch.backfill() has learned their days. Column: as watched, else event. Since (included) and until (not): range of event times. Commits in steps; may be repeated. 55P03 while another session backfills the same source';
