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
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
BEGIN
	CREATE TEMP TABLE iamwatch_part AS
	SELECT k.key, k.at
	FROM (
		SELECT f.key, f.at, m.operation IS NOT NULL AS iam,
			min(f.at) OVER (PARTITION BY m.provider, m.account, m.identity, f.day) AS first_of_day
		FROM (
			-- several relations may share a day
			SELECT p.key, date_bin('1 day', p.at, timestamptz 'epoch') AS day, min(p.at) AS at
			FROM pg_temp.iamwatch_firsts AS p GROUP BY 1, 2) AS f
		JOIN pg_temp.iamwatch_marks AS m ON m.key = f.key) AS k
	WHERE iamwatch_internal.is_sampled(k.iam, k.at = k.first_of_day, (k.at AT TIME ZONE 'UTC')::date, NULL);
	TRUNCATE pg_temp.iamwatch_firsts;
	INSERT INTO pg_temp.iamwatch_firsts SELECT p.key, p.at FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	ANALYZE pg_temp.iamwatch_firsts;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_choose_firsts() IS
'leave in the working table the keys and times of the events to sample';

CREATE FUNCTION iamwatch_internal.backfill_samples() RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
BEGIN
	-- subqueries, so that each look-up goes by its index whatever the statistics say
	CREATE TEMP TABLE iamwatch_part AS
	SELECT s.event, s.access_key, (row_number() OVER (ORDER BY s.account) / 5000)::integer AS part,
		is_novel(s.brings_operation, s.day, CASE WHEN s.brings_operation THEN (
			SELECT d.days FROM iamwatch_internal.behaviour_days AS d
			WHERE d.account_id = s.account_id AND d.operation_id = s.operation_id
			AND d.identity_id = s.identity_id) END) AS novel
	FROM (
		SELECT i.*, i.of_day = 1 AS brings_day, i.of_behaviour = 1 AND i.operation_id IS NOT NULL AS brings_operation
		FROM (SELECT a.*,
			(SELECT i.identity_id FROM iamwatch_internal.identity_days AS i WHERE i.account_id = a.account_id
				AND hashtext(i.identity) = hashtext(a.identity)
				AND i.identity = a.identity) AS identity_id,
			(SELECT b.operation_id FROM iamwatch_internal.account_operations AS b WHERE b.account_id = a.account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(a.operation, 0)
				AND b.operation = a.operation AND b.service = a.service AND b.failed = a.failed) AS operation_id
		FROM (
			SELECT f.*,
				row_number() OVER (PARTITION BY f.provider, f.account, f.identity, f.day
					ORDER BY (f.event).event_time, (f.event).event_id COLLATE "C") AS of_day,
				row_number() OVER (PARTITION BY f.provider, f.account, f.identity, f.day, f.service, f.operation, f.failed
					ORDER BY (f.event).event_time, (f.event).event_id COLLATE "C") AS of_behaviour,
				(SELECT a.account_id FROM iamwatch_internal.accounts AS a
					WHERE hashtextextended(a.account, 0) = hashtextextended(f.account, 0)
					AND a.account = f.account AND a.provider = f.provider) AS account_id
			FROM (SELECT x.event, x.access_key, (x.event).provider, (x.event).account, (x.event).identity,
					(x.event).service, (x.event).operation, (x.event).failed,
					((x.event).event_time AT TIME ZONE 'UTC')::date AS day
				FROM pg_temp.iamwatch_samples AS x) AS f) AS a
		OFFSET 0) AS i) AS s
	WHERE is_sampled(s.brings_operation, s.brings_day, s.day, CASE WHEN s.brings_day THEN coalesce((
		SELECT i.days FROM iamwatch_internal.identity_days AS i
		WHERE i.account_id = s.account_id AND i.identity_id = s.identity_id), '{}') END);
	TRUNCATE pg_temp.iamwatch_samples;
	INSERT INTO pg_temp.iamwatch_samples SELECT p.event, p.access_key, p.novel, p.part FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	CREATE INDEX ON pg_temp.iamwatch_samples (part);
	RETURN (SELECT coalesce(max(x.part), -1) FROM pg_temp.iamwatch_samples AS x);
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_samples() IS
'reduce what was read to the sample, and number the steps in which it is learned, from 0; the last of them';

CREATE FUNCTION iamwatch_internal.backfill_context(part integer) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT iamwatch_internal.learn('{}', array_agg(ROW(x.event, x.access_key, x.novel)::iamwatch_internal.context_journal))
	FROM pg_temp.iamwatch_samples AS x WHERE x.part = backfill_context.part
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
