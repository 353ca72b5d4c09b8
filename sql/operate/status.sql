-- What iamwatch has been doing, for people who look.  Nothing here is written
-- for an event that teaches nothing; the totals of those come from the
-- statistics that the server keeps anyway.

CREATE TABLE iamwatch_internal.source_counts (
	source regclass NOT NULL,
	relation regclass NOT NULL,
	newest_event_time timestamptz,
	counted_at timestamptz DEFAULT clock_timestamp(),
	lag interval,
	learned bigint NOT NULL,
	late bigint NOT NULL,
	rejected bigint NOT NULL,
	rows_detached bigint,
	quiet boolean NOT NULL DEFAULT false,
	era smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE iamwatch_internal.source_counts IS
'what became of the events of each source that were not known to teach nothing; several rows for one when sessions wrote at once. Read iamwatch.source_status';
COMMENT ON COLUMN iamwatch_internal.source_counts.relation IS
'the partition through which they came, or the source itself. Of a partition that was detached since, this is all that tells of it';
COMMENT ON COLUMN iamwatch_internal.source_counts.counted_at IS 'null of a partition through which nothing came yet that is counted';
COMMENT ON COLUMN iamwatch_internal.source_counts.rows_detached IS
'of a partition that was detached: how many rows had come into it at the next maintain()';
COMMENT ON COLUMN iamwatch_internal.source_counts.quiet IS 'a later maintain() found as many';
COMMENT ON COLUMN iamwatch_internal.source_counts.lag IS 'how far behind the clock the newest event was when it was counted last';
COMMENT ON COLUMN iamwatch_internal.source_counts.era IS 'grows every few changes, so that the newest version is found first: see counter.c';
CREATE INDEX source_counts_source ON iamwatch_internal.source_counts (source, era);
ALTER TABLE iamwatch_internal.source_counts REPLICA IDENTITY FULL;
-- Of a relation that is gone a dump would have a number, which may be another's where it is restored.
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.source_counts', 'WHERE pg_catalog.pg_table_is_visible(source) IS NOT NULL');

CREATE FUNCTION iamwatch_internal.fold_source_counts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch_internal.keep_shard_counts();
	DELETE FROM iamwatch_internal.source_counts AS c WHERE c.ctid = ANY (ARRAY(
		SELECT f.ctid FROM iamwatch_internal.source_counts AS f
		WHERE pg_table_is_visible(f.source) IS NULL		-- not pg_class: Citus shows no shards there
		FOR UPDATE SKIP LOCKED));
	-- what came through a partition that is gone is the source's
	WITH several AS (
		SELECT f.source, f.relation FROM iamwatch_internal.source_counts AS f GROUP BY f.source, f.relation
		HAVING count(*) > 1 OR pg_table_is_visible(f.relation) IS NULL
	), taken AS (
		DELETE FROM iamwatch_internal.source_counts AS c WHERE c.ctid = ANY (ARRAY(
			SELECT f.ctid FROM iamwatch_internal.source_counts AS f
			JOIN several AS s ON s.source = f.source AND s.relation = f.relation
			FOR UPDATE OF f SKIP LOCKED))
		RETURNING c.source, CASE WHEN pg_table_is_visible(c.relation) IS NULL THEN c.source ELSE c.relation END AS relation,
			c.newest_event_time, c.counted_at, c.lag, c.learned, c.late, c.rejected, c.rows_detached, c.quiet
	)
	INSERT INTO iamwatch_internal.source_counts
		(source, relation, newest_event_time, counted_at, lag, learned, late, rejected, rows_detached, quiet)
	SELECT t.source, t.relation, max(t.newest_event_time), max(t.counted_at),
		(array_agg(t.lag ORDER BY t.counted_at DESC NULLS LAST))[1], sum(t.learned), sum(t.late), sum(t.rejected),
		max(t.rows_detached), bool_or(t.quiet)
	FROM taken AS t GROUP BY t.source, t.relation;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fold_source_counts() IS
'put together the counters that several sessions wrote, and drop those of relations that are gone; leaves those that a session is just writing';

CREATE FUNCTION iamwatch_internal.cache_status(OUT entries bigint, OUT accounts bigint, OUT bytes bigint,
	OUT asked bigint, OUT hits bigint)
	AS 'MODULE_PATHNAME', 'iamwatch_cache_status' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION iamwatch_internal.cache_status() IS
'what this session, and no other, remembers of the baselines: identities and behaviours, accounts, memory; how many events it was asked about, and how many of them it knew to teach nothing';

CREATE FUNCTION iamwatch_internal.rows_inserted(relation regclass) RETURNS bigint
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT sum(pg_stat_get_tuples_inserted(t.relid))::bigint
	FROM (SELECT p.relid FROM pg_partition_tree(relation) AS p UNION SELECT relation) AS t
$$;
COMMENT ON FUNCTION iamwatch_internal.rows_inserted(regclass) IS
'how many rows came into a table and its partitions since the statistics of the server were reset; 0 on a standby';

-- Nothing in the catalogs tells what was a partition once, and detaching one
-- takes its triggers away.  So partitions are remembered: those that there are
-- at watch() and maintain(), and each through which an event came that was
-- counted.
CREATE FUNCTION iamwatch_internal.detached_partitions(source regclass, OUT relation regclass, OUT quiet boolean) RETURNS SETOF record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH gone AS MATERIALIZED (
		SELECT f.relation, bool_or(f.quiet AND iamwatch_internal.rows_inserted(f.relation) <= f.rows_detached) AS quiet
		FROM iamwatch_internal.source_counts AS f
		WHERE f.source = detached_partitions.source AND f.relation <> f.source
		AND f.relation NOT IN (SELECT p.relid FROM pg_partition_tree(detached_partitions.source) AS p)
		AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = f.relation)
		AND NOT EXISTS (SELECT FROM iamwatch_internal.observers(f.relation))
		AND NOT EXISTS (SELECT FROM iamwatch.sources AS s WHERE s.source = f.relation)
		GROUP BY f.relation
	)
	SELECT g.relation, g.quiet FROM gone AS g
	WHERE NOT EXISTS (SELECT FROM gone AS o, pg_partition_ancestors(g.relation) AS a
		WHERE a.relid = o.relation AND o.relation <> g.relation)
$$;
COMMENT ON FUNCTION iamwatch_internal.detached_partitions(regclass) IS
'what was a partition of a source, is one no longer, and is not watched by itself; quiet if no row came into it between two maintain(), nor since';

CREATE FUNCTION iamwatch_internal.forget_partitions(of_source regclass, partition regclass) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	UPDATE iamwatch_internal.source_counts AS f SET relation = f.source, rows_detached = NULL, quiet = false
	WHERE f.relation <> f.source AND (f.source = of_source OR f.relation = partition)
$$;
COMMENT ON FUNCTION iamwatch_internal.forget_partitions(regclass, regclass) IS
'what came through all partitions of a source, or through one partition, is counted as the source''s, and they are not missed any more';

CREATE FUNCTION iamwatch_internal.remember_partitions(of_source regclass) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO iamwatch_internal.source_counts (source, relation, counted_at, learned, late, rejected)
	SELECT of_source, p.relid, NULL, 0, 0, 0 FROM pg_partition_tree(of_source) AS p
	WHERE p.relid <> of_source AND NOT EXISTS (SELECT FROM iamwatch_internal.source_counts AS f
		WHERE f.source = of_source AND f.relation = p.relid);
	-- those that came back
	UPDATE iamwatch_internal.source_counts AS f SET rows_detached = NULL, quiet = false
	WHERE f.source = of_source AND f.rows_detached IS NOT NULL
	AND f.relation IN (SELECT p.relid FROM pg_partition_tree(of_source) AS p)
$$;
COMMENT ON FUNCTION iamwatch_internal.remember_partitions(regclass) IS
'note which partitions a source has, so that one which is detached is missed';

-- Old partitions are often detached and kept, and no row comes into them any
-- more.  A count that is smaller than it was is one of statistics that were reset.
CREATE FUNCTION iamwatch_internal.note_quiet_partitions(of_source regclass) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	UPDATE iamwatch_internal.source_counts AS f
	SET quiet = f.rows_detached IS NOT NULL AND n.count <= f.rows_detached, rows_detached = LEAST(f.rows_detached, n.count)
	FROM (SELECT d.relation, iamwatch_internal.rows_inserted(d.relation) AS count
		FROM iamwatch_internal.detached_partitions(of_source) AS d) AS n
	WHERE f.source = of_source AND f.relation = n.relation
	AND (f.quiet, f.rows_detached) IS DISTINCT FROM (true, n.count)
$$;
COMMENT ON FUNCTION iamwatch_internal.note_quiet_partitions(regclass) IS
'note of partitions that were detached whether rows still come into them';

-- Everything here is in the system catalogs, but for partitions that were
-- detached, and says what to do.
CREATE FUNCTION iamwatch_internal.source_problem(source regclass) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.sources;
	event_column constant name := iamwatch_internal.event_column_of(source);
	wanted record;
	present record;
	fires "char";	-- of the trigger for inserts
	differ boolean;	-- that for updates
	names text;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = source_problem.source;
	IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = source) THEN
		RETURN 'the relation was dropped; CALL iamwatch.maintain() forgets it';
	END IF;
	BEGIN
		PERFORM iamwatch_internal.check_source(source, event_column);
		IF known.order_column IS NOT NULL THEN
			PERFORM iamwatch_internal.order_type(source, iamwatch_internal.order_column_of(source));
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RETURN format('%s; name the column in iamwatch.%s', SQLERRM,
			CASE WHEN known.order_column IS NULL THEN 'watch()' ELSE 'process()' END);
	END;
	IF known.order_column IS NOT NULL THEN
		IF known.rows_without_order > 0 THEN
			RETURN format('%s rows are not taken, as column "%s" is null, infinite or a time that is yet to come; set it in them, and keep those who insert from setting it',
				known.rows_without_order, iamwatch_internal.order_column_of(source));
		END IF;
		RETURN NULL;
	END IF;

	FOR wanted IN SELECT * FROM iamwatch_internal.wanted_observers(source, event_column) LOOP
		SELECT * INTO present FROM iamwatch_internal.observers(source) AS o WHERE o.trigger = wanted.trigger;
		IF NOT FOUND THEN
			RETURN format('the trigger %s is not %s; call iamwatch.watch(%L, %L)', wanted.trigger,
				CASE WHEN EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = source AND t.tgname = wanted.trigger)
				THEN 'that of iamwatch' ELSE 'there' END, source, event_column);
		ELSIF present.columns <> wanted.columns OR strpos(present.definition, wanted.listed) = 0 THEN
			-- they were renamed between the last maintain() and a dump; what is there reads them still
			SELECT string_agg(quote_ident(f.column_name), ', ' ORDER BY f.field) INTO names
			FROM iamwatch_internal.column_fields AS f WHERE f.source = source_problem.source AND f.column_attnum IS NULL;
			IF names IS NOT NULL THEN
				RETURN format('columns that are mapped are not there: %s; call iamwatch.map_columns(%L) with what they are called now, then iamwatch.watch(%2$L)',
					names, source);
			END IF;
			RETURN format('the trigger %s is for another column; call iamwatch.watch(%L, %L)', wanted.trigger, source, event_column);
		-- of one column the name may be an old one
		ELSIF present.arguments <> wanted.arguments AND get_byte(wanted.arguments, 0) = 0 THEN
			RETURN format('columns were mapped anew; call iamwatch.watch(%L)', source);
		ELSIF wanted.every_update AND NOT present.every_update THEN
			RETURN format('a trigger BEFORE UPDATE may change documents in an UPDATE that names other columns, for which the trigger %s does not fire; call iamwatch.watch(%L, %L)',
				wanted.trigger, source, event_column);
		ELSIF present.enabled = 'D' THEN
			RETURN format('the trigger %s is disabled; ALTER TABLE %s ENABLE TRIGGER %1$s', wanted.trigger, source);
		END IF;
		fires := coalesce(fires, present.enabled);
		differ := present.enabled <> fires;
		SELECT string_agg(p.relid::text, ', ' ORDER BY p.relid::text) INTO names
		FROM pg_partition_tree(source) AS p JOIN pg_class AS c ON c.oid = p.relid
		WHERE p.relid <> source AND c.relkind IN ('r', 'p') AND NOT EXISTS (
			SELECT FROM iamwatch_internal.observers(p.relid) AS o
			WHERE o.trigger = wanted.trigger AND o.parent IS NOT NULL AND o.enabled = present.enabled);
		IF names IS NOT NULL THEN
			RETURN format('the trigger %s does not fire in partitions: %s; ALTER TABLE %s %s TRIGGER %1$s', wanted.trigger, names,
				source, CASE present.enabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END);
		END IF;
	END LOOP;

	IF fires <> 'R' THEN
		names := array_to_string(iamwatch_internal.unwatched_children(source), ', ');
		IF names IS NOT NULL THEN
			RETURN format('no trigger fires for tables that inherit from it: %s; call iamwatch.watch() for each', names);
		END IF;
	END IF;
	names := array_to_string(iamwatch_internal.owners_without_observe(source), ', ');
	IF names IS NOT NULL THEN
		RETURN format('%s cannot make or attach partitions of it; call iamwatch.watch(%L, %L) as the owner of iamwatch', names, source, event_column);
	END IF;
	names := (SELECT string_agg(d.relation::text, ', ' ORDER BY d.relation::text)
		FROM iamwatch_internal.detached_partitions(source) AS d WHERE NOT d.quiet);
	IF names IS NOT NULL THEN
		RETURN format('no trigger fires for what was detached from it: %s; call iamwatch.watch() for each into which rows still come, and iamwatch.unwatch() for the others',
			names);
	END IF;
	IF fires = 'O' THEN
		IF current_setting('session_replication_role') = 'replica' OR EXISTS (SELECT FROM pg_db_role_setting AS s
			WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
			AND 'session_replication_role=replica' = ANY (s.setconfig)) THEN
			RETURN format('session_replication_role is replica, so the trigger does not fire; reset it, or call iamwatch.watch(%L, %L, ''always'')',
				source, event_column);
		ELSIF EXISTS (SELECT FROM pg_subscription_rel AS r
			WHERE r.srrelid = source OR r.srrelid IN (SELECT p.relid FROM pg_partition_tree(source) AS p)) THEN
			RETURN format('a subscription fills it, for which the trigger does not fire; call iamwatch.watch(%L, %L, ''always'')',
				source, event_column);
		END IF;
	ELSIF fires = 'R' AND NOT EXISTS (SELECT FROM pg_subscription_rel AS r
			WHERE r.srrelid = source OR r.srrelid IN (SELECT p.relid FROM pg_partition_tree(source) AS p)) THEN
		RETURN format('the trigger fires for what a subscription applies, and none fills it; call iamwatch.watch(%L, %L)',
			source, event_column);
	END IF;
	IF differ THEN
		RETURN format('the trigger iamwatch_observe_update does not fire for the same as iamwatch_observe; call iamwatch.watch(%L, %L, %L)',
			source, event_column, CASE fires WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'origin' END);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.source_problem(regclass) IS
'why not all that comes into a source is seen, and what to do; null if all is';

CREATE VIEW iamwatch.source_status AS
WITH elsewhere AS MATERIALIZED (SELECT * FROM iamwatch_internal.counts_elsewhere())
SELECT s.source, s.watched_since, stored.events AS events_stored,
	coalesce(c.learned, 0) AS events_learned, coalesce(c.late, 0) AS events_late,
	coalesce(c.rejected, 0) AS events_rejected,
	c.newest_event_time, c.counted_at AS last_taught_at, c.lag, s.silent_after,
	coalesce(c.counted_at, s.watched_since) < now() - s.silent_after AS silent,
	iamwatch_internal.source_problem(s.source) AS problem
FROM iamwatch.sources AS s
LEFT JOIN (
	SELECT source, max(newest_event_time) AS newest_event_time, max(counted_at) AS counted_at,
		(array_agg(lag ORDER BY counted_at DESC NULLS LAST) FILTER (WHERE lag IS NOT NULL))[1] AS lag,
		sum(learned)::bigint AS learned, sum(late)::bigint AS late, sum(rejected)::bigint AS rejected
	FROM (SELECT source, newest_event_time, counted_at, lag, learned, late, rejected FROM iamwatch_internal.source_counts
		UNION ALL SELECT source, newest_event_time, counted_at, lag, learned, late, rejected FROM elsewhere) AS x
	GROUP BY source) AS c ON c.source = s.source
CROSS JOIN LATERAL (
	SELECT CASE WHEN s.order_column IS NOT NULL THEN s.events_taken
		ELSE iamwatch_internal.rows_inserted(s.source) + (SELECT coalesce(sum(e.stored), 0)::bigint FROM elsewhere AS e
			WHERE e.source = s.source) END AS events) AS stored;
COMMENT ON VIEW iamwatch.source_status IS 'per source what came in, what became of it, and whether it has gone silent';
COMMENT ON COLUMN iamwatch.source_status.events_stored IS
'rows inserted since the statistics of the server were reset, rolled back ones too (pg_stat_all_tables.n_tup_ins); for iamwatch.process() rows taken. 0 on a standby';
COMMENT ON COLUMN iamwatch.source_status.events_learned IS 'events that added a day to a baseline; all that is not learned, late or rejected taught nothing new';
COMMENT ON COLUMN iamwatch.source_status.events_late IS 'events further back than the kept history, each delivery; iamwatch.backfill() takes them in, and they stay counted';
COMMENT ON COLUMN iamwatch.source_status.events_rejected IS 'documents that could not be read or lie in the future, each delivery; see iamwatch.rejected_events';
COMMENT ON COLUMN iamwatch.source_status.newest_event_time IS 'of the events that were looked at in the tables: the first of each identity and day, at least';
COMMENT ON COLUMN iamwatch.source_status.last_taught_at IS 'when a statement last brought something that was learned, late or rejected';
COMMENT ON COLUMN iamwatch.source_status.lag IS 'at that time: from the newest event of the statement to its detection';
COMMENT ON COLUMN iamwatch.source_status.problem IS 'why not all that comes in is seen, such as a trigger that is disabled, and what to do; null if all is';
COMMENT ON COLUMN iamwatch.source_status.silent IS 'nothing was learned, late or rejected for iamwatch.sources.silent_after';

-- Who keeps others waiting.  A transaction that stays open, or stays prepared,
-- keeps its locks; what others leave under them is taken over when it ends.
CREATE VIEW iamwatch_internal.waiting AS
SELECT w.class, w.key, min(w.since) AS since
FROM (SELECT 1 AS class, iamwatch_internal.account_bucket(j.account) AS key, j.learned_at AS since
	FROM iamwatch_internal.journal AS j
	UNION ALL
	SELECT 2, iamwatch_internal.alert_lock_key(p.event), p.left_at FROM iamwatch_internal.pending_events AS p) AS w
WHERE w.since < clock_timestamp() - interval '1 minute'
GROUP BY w.class, w.key;
COMMENT ON VIEW iamwatch_internal.waiting IS
'locks of iamwatch under which days or events have been waiting for longer than a minute, and since when';

CREATE VIEW iamwatch_internal.holders AS
SELECT l.pid, x.gid, coalesce(a.usename, x.owner) AS role, coalesce(a.xact_start, x.prepared) AS since
FROM iamwatch_internal.waiting AS w
JOIN pg_catalog.pg_locks AS l ON l.locktype = 'advisory' AND l.objsubid = 8740 AND l.granted
	AND l.classid::bigint = w.class AND l.objid::bigint = w.key::bigint & 4294967295
	AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_locks AS t ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid'
	AND t.mode = 'ExclusiveLock' AND t.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_catalog.pg_prepared_xacts AS x ON x.transaction = t.transactionid
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW iamwatch_internal.holders IS
'the transactions, prepared ones too, that hold a lock of iamwatch_internal.waiting';

CREATE VIEW iamwatch.status AS
SELECT s.events_stored AS events_seen, c.learned AS events_learned, c.late AS events_late,
	c.rejected AS events_rejected, a.opened AS alerts_opened, a.joined AS events_joined,
	a.newest_alert_at, l.alert_lag, c.newest_event_time, s.lag AS event_lag, s.sources, s.silent_sources, s.source_problems, h.limits_hit,
	j.n AS journal_rows, p.n AS pending_events, w.waiting_since, w.held_by, u.n AS notifications_unsent,
	r.n AS backfills_running,
	m.entries AS session_cache_entries, m.bytes AS session_cache_bytes, m.asked AS session_events_asked,
	m.hits AS session_cache_hits,
	d.warnings AS warnings, n.problems AS node_problems
FROM (SELECT coalesce(sum(events_stored), 0)::bigint AS events_stored, count(*) AS sources,
		(array_agg(lag ORDER BY last_taught_at DESC NULLS LAST))[1] AS lag,
		coalesce(jsonb_agg(source::text ORDER BY source::text) FILTER (WHERE silent), '[]') AS silent_sources,
		coalesce(jsonb_object_agg(source::text, problem) FILTER (WHERE problem IS NOT NULL), '{}') AS source_problems
	FROM iamwatch.source_status) AS s
CROSS JOIN (SELECT coalesce(sum(learned), 0)::bigint AS learned, coalesce(sum(late), 0)::bigint AS late,
		coalesce(sum(rejected), 0)::bigint AS rejected, max(newest_event_time) AS newest_event_time
	FROM iamwatch_internal.source_counts) AS c
CROSS JOIN (SELECT count(*) AS opened, coalesce(sum(event_count - 1), 0)::bigint AS joined,
		max(detected_at) AS newest_alert_at FROM iamwatch.alerts) AS a
CROSS JOIN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.detected_at - t.first_event_time) AS alert_lag
	FROM (SELECT detected_at, first_event_time FROM iamwatch.alerts ORDER BY detected_at DESC LIMIT 100) AS t) AS l
CROSS JOIN (SELECT coalesce(jsonb_object_agg(t.name, t.refused), '{}') AS limits_hit
	FROM (SELECT name, sum(refused)::bigint AS refused FROM iamwatch.limits_hit GROUP BY name) AS t) AS h
CROSS JOIN (SELECT count(*) AS n FROM iamwatch_internal.journal) AS j
CROSS JOIN (SELECT count(*) AS n FROM iamwatch_internal.pending_events) AS p
CROSS JOIN (SELECT (SELECT min(t.since) FROM iamwatch_internal.waiting AS t) AS waiting_since,
		coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(t)) ORDER BY t.since, t.pid, t.gid)
			FROM iamwatch_internal.holders AS t), '[]') AS held_by) AS w
CROSS JOIN (SELECT count(*) AS n FROM iamwatch_internal.unsent_notifications) AS u
CROSS JOIN (SELECT count(*) AS n FROM iamwatch_internal.backfills WHERE finished_at IS NULL) AS r
CROSS JOIN iamwatch_internal.cache_status() AS m
CROSS JOIN iamwatch_internal.detector_warnings() AS d (warnings)
CROSS JOIN iamwatch_internal.node_problems() AS n (problems);
COMMENT ON COLUMN iamwatch.status.node_problems IS 'on the coordinator of several nodes: of each node with which something is wrong, what, and what to do; see iamwatch.nodes';
COMMENT ON VIEW iamwatch.status IS 'one row: is iamwatch at work, and is anything wrong? Per source: iamwatch.source_status';
COMMENT ON COLUMN iamwatch.status.events_seen IS 'sum of iamwatch.source_status.events_stored';
COMMENT ON COLUMN iamwatch.status.events_learned IS 'events of triggers and iamwatch.process() that brought a day that their session did not find in a baseline; the rest of what was seen is late, rejected, or taught nothing';
COMMENT ON COLUMN iamwatch.status.alerts_opened IS 'alerts that are in iamwatch.alerts';
COMMENT ON COLUMN iamwatch.status.events_joined IS 'events that joined one of them';
COMMENT ON COLUMN iamwatch.status.alert_lag IS 'of the last hundred alerts, the median time from the event to the alert';
COMMENT ON COLUMN iamwatch.status.event_lag IS 'from event to detection, of the newest event of the last statement that taught something';
COMMENT ON COLUMN iamwatch.status.silent_sources IS 'names of the sources that have gone silent';
COMMENT ON COLUMN iamwatch.status.source_problems IS 'of each source of which not all is seen, why and what to do';
COMMENT ON COLUMN iamwatch.status.limits_hit IS 'limits that were reached in the last 90 days, with how much went over; see iamwatch.limits_hit';
COMMENT ON COLUMN iamwatch.status.journal_rows IS 'learned while another session wrote the account, and not taken over yet: more than a few when a transaction that inserts stays open';
COMMENT ON COLUMN iamwatch.status.pending_events IS 'events whose alert another session has locked, by a transaction that stays open';
COMMENT ON COLUMN iamwatch.status.waiting_since IS 'since when the oldest of both waits, if for longer than a minute. With held_by empty nobody is in the way any more: call iamwatch.maintain()';
COMMENT ON COLUMN iamwatch.status.held_by IS 'the transactions that keep them waiting: pid of the session, or gid of a prepared transaction, role, and since when; the time of others'' sessions is for members of pg_read_all_stats';
COMMENT ON COLUMN iamwatch.status.notifications_unsent IS 'alerts of which nobody was notified yet, as the queue of the server was too full or the transaction was prepared; iamwatch.maintain() sends them';
COMMENT ON COLUMN iamwatch.status.session_cache_entries IS 'identities and behaviours that this session remembers';
COMMENT ON COLUMN iamwatch.status.session_cache_bytes IS 'memory for it, at most work_mem times hash_mem_multiplier';
COMMENT ON COLUMN iamwatch.status.session_events_asked IS 'events that this session inserted into sources';
COMMENT ON COLUMN iamwatch.status.session_cache_hits IS 'how many of them it knew to teach nothing';
COMMENT ON COLUMN iamwatch.status.warnings IS 'of each detector that can raise no alert, why: it is disabled, or watches nothing; {} if all can';
