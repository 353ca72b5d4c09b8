-- All nodes, seen and set from one of them.

CREATE FUNCTION iamwatch_internal.ask_nodes(command text) RETURNS TABLE (node integer, answered boolean, answer text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE 'SELECT n.groupid, r.success, r.result FROM pg_catalog.run_command_on_all_nodes($1, true, false) AS r
		JOIN pg_catalog.pg_dist_node AS n USING (nodeid) ORDER BY n.groupid' USING command;
END $$;
COMMENT ON FUNCTION iamwatch_internal.ask_nodes(text) IS
'run a command on every node, in a transaction of its own, as the same role; what each answers, or why it does not';

CREATE FUNCTION iamwatch_internal.rows_of_nodes(of anyelement, relation regclass) RETURNS SETOF anyelement
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
BEGIN
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') FROM %s AS r', relation)) LOOP
		IF NOT part.answered THEN
			RAISE WARNING 'node % does not answer, so its rows are missing', part.node USING DETAIL = part.answer;
			CONTINUE;
		END IF;
		RETURN QUERY SELECT r.* FROM jsonb_populate_recordset(of, part.answer::jsonb) AS r;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.rows_of_nodes(anyelement, regclass) IS
'rows of a relation of every node, with a warning of nodes that do not answer; the first argument gives the type';

-- ---- incidents of all nodes, as one node would have them ----

CREATE FUNCTION iamwatch_internal.urgent_among(began timestamptz[], risks double precision[], most bigint) RETURNS boolean[]
	AS 'MODULE_PATHNAME', 'iamwatch_urgent_among' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.urgent_among(timestamptz[], double precision[], bigint) IS
'of incidents that began then and have these risks, by position, whether fewer than so many of them that began in the 28 days before have a higher risk: iamwatch_internal.is_urgent() of each';

CREATE FUNCTION iamwatch_internal.links_among(incidents iamwatch_internal.kept_incidents[])
	RETURNS TABLE (incident_id bigint, led_to bigint, reason text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH one AS MATERIALIZED (
		SELECT * FROM unnest(incidents)
	), near AS (
		SELECT h.incident_id, y.incident_id AS led_to
		FROM (SELECT x.incident_id, unnest(x.hands) AS actor FROM one AS x) AS h JOIN one AS y ON y.acts_as = h.actor
		UNION
		SELECT g.incident_id, a.incident_id
		FROM (SELECT x.incident_id, unnest(x.gave_on) AS place FROM one AS x) AS g
		JOIN (SELECT y.incident_id, unnest(y.arrives_on) AS place FROM one AS y) AS a ON a.place = g.place
	)
	SELECT n.incident_id, n.led_to, r.reason
	FROM near AS n JOIN unnest(incidents) AS x ON x.incident_id = n.incident_id JOIN unnest(incidents) AS y ON y.incident_id = n.led_to
	CROSS JOIN LATERAL iamwatch_internal.link_reason(x, y) AS r (reason)
	WHERE r.reason IS NOT NULL
$$;
COMMENT ON FUNCTION iamwatch_internal.links_among(iamwatch_internal.kept_incidents[]) IS 'which of the incidents led to which, and why: iamwatch.incident_links of them';

CREATE FUNCTION iamwatch_internal.incidents_among(incidents iamwatch_internal.kept_incidents[]) RETURNS SETOF iamwatch.incidents
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH links AS MATERIALIZED (
		SELECT l.incident_id, l.led_to FROM iamwatch_internal.links_among(incidents) AS l
	), led AS (
		SELECT l.incident_id, array_agg(l.led_to ORDER BY l.led_to) AS led_to FROM links AS l GROUP BY l.incident_id
	), came AS (
		SELECT l.led_to AS incident_id, array_agg(l.incident_id ORDER BY l.incident_id) AS came_from FROM links AS l GROUP BY l.led_to
	), judged AS (
		SELECT u.incident_id, u.urgent
		FROM (SELECT i.detector, array_agg(i.incident_id) AS ids, array_agg(i.first_event_time) AS began, array_agg(i.risk) AS risks
			FROM unnest(incidents) AS i GROUP BY i.detector) AS d
		CROSS JOIN LATERAL unnest(d.ids, iamwatch_internal.urgent_among(d.began, d.risks, iamwatch_internal.urgent_most(d.detector)))
			AS u (incident_id, urgent)
	)
	SELECT i.incident_id, i.detector, i.provider, i.account, i.identity, i.identity_kind, iamwatch.short_name(i.identity), i.risk,
		j.urgent, i.severity, i.status, i.first_event_time, i.last_event_time, i.alerts, i.open_alerts, i.events,
		i.operations, i.techniques, i.sensitivity, i.assignees, i.alert_ids,
		coalesce(led.led_to, '{}'), coalesce(came.came_from, '{}')
	FROM unnest(incidents) AS i JOIN judged AS j USING (incident_id)
	LEFT JOIN led USING (incident_id) LEFT JOIN came USING (incident_id)
$$;
COMMENT ON FUNCTION iamwatch_internal.incidents_among(iamwatch_internal.kept_incidents[]) IS
'what iamwatch.incidents would say if these were all incidents that there are: urgent and links follow from all of them';

CREATE FUNCTION iamwatch.everywhere(of anyelement) RETURNS SETOF anyelement
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation constant regclass := (SELECT c.oid FROM pg_class AS c
		WHERE c.reltype = pg_typeof(of) AND c.relkind IN ('r', 'v') AND c.relnamespace = 'iamwatch'::regnamespace);
	incidents iamwatch_internal.kept_incidents[];
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION 'type % is not that of a table or view of iamwatch', pg_typeof(of)
			USING ERRCODE = 'wrong_object_type', HINT = 'Use, for example, SELECT * FROM iamwatch.everywhere(NULL::iamwatch.alerts).';
	ELSIF NOT iamwatch_internal.has_nodes() THEN
		RETURN QUERY EXECUTE format('SELECT * FROM %s', relation);
		RETURN;
	END IF;
	IF relation IN ('iamwatch.incidents'::regclass, 'iamwatch.incident_links'::regclass) THEN
		incidents := ARRAY(SELECT r FROM iamwatch_internal.rows_of_nodes(NULL::iamwatch_internal.kept_incidents,
			'iamwatch_internal.current_incidents') AS r);
		RETURN QUERY EXECUTE format('SELECT * FROM iamwatch_internal.%I($1)',
			CASE relation WHEN 'iamwatch.incidents'::regclass THEN 'incidents_among' ELSE 'links_among' END) USING incidents;
		RETURN;
	END IF;
	RETURN QUERY SELECT * FROM iamwatch_internal.rows_of_nodes(of, relation);
END $$;
COMMENT ON FUNCTION iamwatch.everywhere(anyelement) IS
'rows of a table or view of iamwatch, of every node: SELECT * FROM iamwatch.everywhere(NULL::iamwatch.incidents) ORDER BY risk DESC. Incidents are urgent, and are linked, as on one node that had them all. Warns of nodes that do not answer. 42809 for another type';

-- ---- alerts of other nodes ----

CREATE FUNCTION iamwatch_internal.triage_elsewhere(alert_id bigint, status text, resolution text, assignee text, note text,
	attack_until date) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
	told text;
	silent text[] := '{}';
	problem text;
BEGIN
	IF alert_id IS NULL OR NOT iamwatch_internal.has_nodes() THEN
		RETURN NULL;
	END IF;
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format('SELECT CASE WHEN EXISTS (SELECT FROM iamwatch.alerts WHERE alert_id = %s)'
		' THEN iamwatch.triage(%1$s, %L, %L, %L, %L, %L) END', $1, $2, $3, $4, $5, $6)) LOOP
		IF part.answered THEN
			told := coalesce(told, nullif(part.answer, ''));
		ELSIF part.answer LIKE 'ERROR:%' THEN
			RAISE EXCEPTION '%', regexp_replace(part.answer, '^ERROR: +', '')
				USING ERRCODE = 'external_routine_exception', DETAIL = format('Node %s says so.', part.node);
		ELSE
			silent := silent || part.node::text;
			problem := coalesce(problem, part.answer);
		END IF;
	END LOOP;
	-- whoever has it has done it; if nobody has, it may be there
	IF told IS NULL AND silent <> '{}' THEN
		RAISE EXCEPTION 'no node that answers has alert %, but not all answer', alert_id
			USING ERRCODE = 'connection_failure', DETAIL = format('Node %s: %s', array_to_string(silent, ', '), problem),
			HINT = 'Nothing was changed. Try again when they do, see iamwatch.nodes.';
	END IF;
	RETURN told;
END $$;
COMMENT ON FUNCTION iamwatch_internal.triage_elsewhere(bigint, text, text, text, text, date) IS
'iamwatch.triage() on the node that has the alert, at once, whatever becomes of this transaction; null if no node has it, 08006 if none that answers has and some do not, 38000 for what that node refuses';

-- ---- settings ----

-- The first are the same on all nodes.  Nodes add to the others: instances that
-- they learn of, and suppressions by triage; what the coordinator has is added.
CREATE FUNCTION iamwatch_internal.shared_settings(OUT relation regclass, OUT whole boolean, OUT keys text[]) RETURNS SETOF record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.relation::regclass, s.whole, ARRAY(SELECT a.attname::text FROM pg_index AS i
		JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = s.relation::regclass AND i.indisprimary ORDER BY 1)
	FROM (VALUES (1, 'iamwatch.providers', true), (2, 'iamwatch.operations', true), (3, 'iamwatch.detectors', true),
		(4, 'iamwatch.variations', true), (5, 'iamwatch.limits', true), (6, 'iamwatch.playbook', true),
		(7, 'iamwatch.instances', false), (8, 'iamwatch.instance_history', false), (9, 'iamwatch_internal.firewalls', false),
		(10, 'iamwatch.suppressions', false)) AS s (n, relation, whole)
	ORDER BY s.n
$$;
COMMENT ON FUNCTION iamwatch_internal.shared_settings() IS 'tables that iamwatch.sync_nodes() carries to all nodes, whether nodes have no rows of their own in them, and their keys';

CREATE TABLE iamwatch_internal.given_rows (
	relation text NOT NULL,
	key jsonb NOT NULL
);
COMMENT ON TABLE iamwatch_internal.given_rows IS 'which rows of instances and suppressions the coordinator gave, so that it can take them away';
ALTER TABLE iamwatch_internal.given_rows REPLICA IDENTITY FULL;
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.given_rows', '');

CREATE FUNCTION iamwatch_internal.key_of(row_data jsonb, keys text[]) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_object_agg(k, row_data->k) FROM unnest(keys) AS k
$$;
COMMENT ON FUNCTION iamwatch_internal.key_of(jsonb, text[]) IS 'the columns of a row that are its key';

-- The coordinator's: all of it; a node's: what it has of that.
CREATE FUNCTION iamwatch_internal.settings_here() RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	part record;
	settings jsonb := '{}';
	found jsonb;
BEGIN
	FOR part IN SELECT * FROM iamwatch_internal.shared_settings() LOOP
		EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY iamwatch_internal.key_of(to_jsonb(t), $1)), ''[]'') FROM %s AS t
			WHERE $2 OR iamwatch_internal.key_of(to_jsonb(t), $1) IN (SELECT g.key FROM iamwatch_internal.given_rows AS g WHERE g.relation = $3)',
			part.relation) INTO found USING part.keys, part.whole OR iamwatch_internal.node_number() = 0, part.relation::text;
		settings := settings || jsonb_build_object(part.relation, found);
	END LOOP;
	RETURN settings;
END $$;
COMMENT ON FUNCTION iamwatch_internal.settings_here() IS 'the rows that are the same on all nodes when they are in step';

CREATE FUNCTION iamwatch_internal.take_settings(settings jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	part record;
	rows_given jsonb;
BEGIN
	IF iamwatch_internal.node_number() = 0 THEN
		RETURN;
	END IF;
	LOCK TABLE iamwatch_internal.given_rows IN EXCLUSIVE MODE;
	FOR part IN SELECT * FROM iamwatch_internal.shared_settings() LOOP
		rows_given := settings->part.relation::text;
		EXECUTE format('DELETE FROM %s AS t WHERE to_jsonb(t) NOT IN (SELECT jsonb_array_elements($1))
			AND ($2 OR iamwatch_internal.key_of(to_jsonb(t), $3) IN (SELECT g.key FROM iamwatch_internal.given_rows AS g WHERE g.relation = $4
				UNION SELECT iamwatch_internal.key_of(r, $3) FROM jsonb_array_elements($1) AS r))', part.relation)
		USING rows_given, part.whole, part.keys, part.relation::text;
		EXECUTE format('INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT p.* FROM jsonb_array_elements($1) AS r, jsonb_populate_record(NULL::%1$s, r) AS p
			WHERE r NOT IN (SELECT to_jsonb(t) FROM %1$s AS t)', part.relation) USING rows_given;
		DELETE FROM iamwatch_internal.given_rows AS g WHERE g.relation = part.relation::text;
		INSERT INTO iamwatch_internal.given_rows
		SELECT part.relation::text, iamwatch_internal.key_of(r, part.keys) FROM jsonb_array_elements(rows_given) AS r WHERE NOT part.whole;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.take_settings(jsonb) IS
'make the settings of this node those that the coordinator gives; rows that are the same already are not touched';

CREATE FUNCTION iamwatch_internal.order_nodes(command text, failure text, remedy text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
BEGIN
	FOR part IN SELECT n.* FROM iamwatch_internal.ask_nodes(command) AS n WHERE NOT n.answered LOOP
		RAISE WARNING '%', format(failure, part.node) USING DETAIL = part.answer, HINT = remedy || ' when that is mended.';
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.order_nodes(text, text, text) IS
'run a command on all nodes at once, and warn of each that failed: failure says so with %s for its number, remedy what to do when its reason is gone';

CREATE FUNCTION iamwatch_internal.is_coordinator() RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch_internal.has_nodes() AND iamwatch_internal.node_number() = 0
$$;
COMMENT ON FUNCTION iamwatch_internal.is_coordinator() IS 'whether this is where several nodes are told what to do';

CREATE FUNCTION iamwatch_internal.give_settings() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF iamwatch_internal.is_coordinator() THEN
		PERFORM iamwatch_internal.order_nodes(format('SELECT iamwatch_internal.take_settings(%L)', iamwatch_internal.settings_here()),
			'node %s did not take the settings', 'Call iamwatch.sync_nodes()');
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.give_settings() IS 'give the settings of the coordinator to all nodes';

CREATE PROCEDURE iamwatch.sync_nodes()
	LANGUAGE plpgsql AS $$
BEGIN
	IF NOT iamwatch_internal.is_coordinator() THEN
		RAISE EXCEPTION 'this is not the coordinator of several nodes'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call it where the settings are changed.';
	END IF;
	PERFORM iamwatch_internal.give_settings();
END $$;
COMMENT ON PROCEDURE iamwatch.sync_nodes() IS
'make settings, catalogue, suppressions and inventory of all nodes those of the coordinator; what is committed there. maintain() on the coordinator does so too. Warns of nodes that did not take them; 55000 elsewhere';

-- ---- upkeep ----

CREATE FUNCTION iamwatch_internal.map_moved_shards() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	of regclass;
	problems text;
BEGIN
	FOR of IN SELECT s.source FROM iamwatch.sources AS s
		WHERE iamwatch_internal.distribution(s.source) = 'distributed' AND iamwatch_internal.fields_of(s.source) IS NOT NULL LOOP
		problems := iamwatch_internal.map_shards(of);
		IF problems IS NOT NULL THEN
			RAISE WARNING 'some shards of % were not told which columns are mapped', of
				USING DETAIL = problems, HINT = 'Call it again when that is mended.';
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.map_moved_shards() IS
'let nodes know which columns are mapped in shards that they have of distributed sources; warns of shards where that failed';

CREATE FUNCTION iamwatch_internal.maintain_nodes() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF iamwatch_internal.is_coordinator() THEN
		PERFORM iamwatch_internal.give_settings();
		PERFORM iamwatch_internal.map_moved_shards();
		PERFORM iamwatch_internal.order_nodes(
			'DO $do$ BEGIN IF iamwatch_internal.node_number() <> 0 THEN CALL iamwatch.maintain(); END IF; END $do$',
			'maintain() failed on node %s', 'Call it again');
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.maintain_nodes() IS 'on the coordinator: iamwatch.sync_nodes() and iamwatch.maintain() of all others';

-- ---- how they are ----

-- Rows of an account are on the node of its shard, if the table is distributed by
-- account.  Whether it is, a few rows of each shard tell.
CREATE FUNCTION iamwatch_internal.shards_by_account(sources jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
	is_so boolean;
	found jsonb := '{}';
BEGIN
	FOR part IN EXECUTE $sql$
		SELECT n.key AS source, n.value AS event_column, m.relid, s.shardid,
			iamwatch_internal.shard_named(shard_name(s.logicalrelid, s.shardid)) AS shard
		FROM jsonb_each_text($1) AS n CROSS JOIN LATERAL (
			SELECT p.relid FROM pg_partition_tree(to_regclass(n.key)) AS p WHERE p.isleaf UNION
			SELECT to_regclass(n.key) WHERE NOT EXISTS (SELECT FROM pg_partition_tree(to_regclass(n.key)))) AS m
		JOIN pg_catalog.pg_dist_partition AS d ON d.logicalrelid = m.relid AND d.partmethod = 'h'
		JOIN pg_catalog.pg_dist_shard AS s ON s.logicalrelid = m.relid JOIN pg_catalog.pg_dist_placement AS p USING (shardid)
		WHERE p.groupid = iamwatch_internal.node_number()$sql$ USING sources
	LOOP
		BEGIN
			EXECUTE 'SELECT bool_and(pg_catalog.get_shard_id_for_distribution_column($1, f.account) = $2)
				FROM iamwatch_internal.read_some($3, $4, 5) AS r CROSS JOIN LATERAL iamwatch_internal.baseline_key_fields(r.key) AS f'
			INTO is_so USING part.relid, part.shardid, part.shard, part.event_column;
		EXCEPTION WHEN OTHERS THEN		-- the column is not one of accounts, or we may not know
			is_so := false;
		END;
		IF is_so IS NOT NULL THEN
			found := found || jsonb_build_object(part.source, is_so AND coalesce((found->part.source)::boolean, true));
		END IF;
	END LOOP;
	RETURN found;
END $$;
COMMENT ON FUNCTION iamwatch_internal.shards_by_account(jsonb) IS
'of distributed sources, given with their columns, that have rows on this node: whether the shards are where the accounts of their rows say';

-- A view, as those who read it may not read what it counts; not iamwatch.status, which asks all nodes.
CREATE VIEW iamwatch_internal.node_counts AS
SELECT (SELECT count(*) FROM iamwatch.alerts) AS alerts,
	(SELECT count(*) FROM iamwatch_internal.journal) + (SELECT count(*) FROM iamwatch_internal.pending_events) AS waiting,
	least((SELECT min(j.learned_at) FROM iamwatch_internal.journal AS j), (SELECT min(p.left_at) FROM iamwatch_internal.pending_events AS p)) AS waiting_since,
	(SELECT count(*) FROM iamwatch_internal.unsent_notifications) AS unsent,
	(SELECT coalesce(jsonb_object_agg(l.name, l.refused), '{}')
		FROM (SELECT h.name, sum(h.refused)::bigint AS refused FROM iamwatch.limits_hit AS h GROUP BY h.name) AS l) AS limits_hit;
COMMENT ON VIEW iamwatch_internal.node_counts IS 'what iamwatch.nodes counts on each node';

CREATE FUNCTION iamwatch_internal.node_here(sources jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN jsonb_build_object('version', (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'iamwatch'),
		'settings', md5(iamwatch_internal.settings_here()::text),
		'by_account', iamwatch_internal.shards_by_account(sources),
		'has_sources', EXISTS (SELECT FROM iamwatch.sources AS s WHERE iamwatch_internal.distribution(s.source) IS DISTINCT FROM 'distributed'),
		'accounts', (SELECT coalesce(jsonb_agg(jsonb_build_array(a.provider, a.account)), '[]') FROM iamwatch.accounts AS a))
		|| (SELECT to_jsonb(c) FROM iamwatch_internal.node_counts AS c);
END $$;
COMMENT ON FUNCTION iamwatch_internal.node_here(jsonb) IS 'what iamwatch.nodes needs to know of each node';

CREATE FUNCTION iamwatch_internal.distributed_sources() RETURNS jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_object_agg(s.source::text, iamwatch_internal.event_column_of(s.source)), '{}') FROM iamwatch.sources AS s
	WHERE iamwatch_internal.distribution(s.source) = 'distributed'
$$;
COMMENT ON FUNCTION iamwatch_internal.distributed_sources() IS 'distributed tables that are watched, with their columns';

CREATE FUNCTION iamwatch_internal.ask_how_nodes_are() RETURNS jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_agg(jsonb_build_object('node', n.node, 'here', CASE WHEN n.answered THEN n.answer::jsonb END, 'answer', n.answer))
	FROM iamwatch_internal.ask_nodes(format('SELECT iamwatch_internal.node_here(%L)', iamwatch_internal.distributed_sources())) AS n
$$;
COMMENT ON FUNCTION iamwatch_internal.ask_how_nodes_are() IS 'iamwatch_internal.node_here() of all nodes, or why one does not answer';

CREATE FUNCTION iamwatch_internal.accounts_elsewhere(seen jsonb)
	RETURNS TABLE (provider text, account text, node integer, places integer[], begun boolean)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	sources constant text[] := ARRAY(SELECT k FROM jsonb_object_keys(iamwatch_internal.distributed_sources()) AS k);
	by_account constant text[] := ARRAY(SELECT b.key FROM jsonb_array_elements(seen) AS s, jsonb_each(nullif(s->'here', 'null')->'by_account') AS b
		GROUP BY b.key HAVING bool_and(b.value = 'true'));
	denied constant boolean := EXISTS (SELECT FROM jsonb_array_elements(seen) AS s, jsonb_each(nullif(s->'here', 'null')->'by_account') AS b
		WHERE b.value <> 'true');
BEGIN
	-- an account may also have come from a table of which we cannot say where its rows are
	IF by_account = '{}' OR denied OR EXISTS (SELECT FROM unnest(sources) AS s
		WHERE (SELECT d.partmethod FROM pg_catalog.pg_dist_partition AS d WHERE d.logicalrelid = to_regclass(s)) <> 'h') THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE $sql$
		WITH known AS MATERIALIZED (
			SELECT a->>0 AS provider, a->>1 AS account, (s->>'node')::integer AS node
			FROM jsonb_array_elements($1) AS s, jsonb_array_elements(nullif(s->'here', 'null')->'accounts') AS a
			WHERE NOT (s->'here'->>'has_sources')::boolean
		), placed AS (
			SELECT k.*, ARRAY(SELECT DISTINCT p.groupid FROM unnest($2) AS b
				CROSS JOIN LATERAL pg_catalog.get_shard_id_for_distribution_column(to_regclass(b), k.account) AS shard
				JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = shard ORDER BY 1) AS places
			FROM known AS k
		)
		SELECT p.provider, p.account, p.node, p.places, EXISTS (SELECT FROM known AS o
			WHERE o.account = p.account AND o.provider = p.provider AND o.node = ANY (p.places))
		FROM placed AS p WHERE p.node <> ALL (p.places)
		ORDER BY p.account, p.provider, p.node$sql$ USING seen, by_account;
END $$;
COMMENT ON FUNCTION iamwatch_internal.accounts_elsewhere(jsonb) IS
'accounts that a node knows though the shard of their rows is on another node, its place, one of several if sources are not colocated; begun: whether that knows the account too. None unless it is certain that sources are distributed by account';

CREATE FUNCTION iamwatch_internal.some_accounts(accounts text[]) RETURNS text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_to_string(accounts[1:10], ', ') || CASE WHEN cardinality(accounts) > 10
		THEN format(' and %s more', cardinality(accounts) - 10) ELSE '' END
$$;
COMMENT ON FUNCTION iamwatch_internal.some_accounts(text[]) IS 'up to ten accounts, and how many more there are';

CREATE FUNCTION iamwatch_internal.nodes_seen() RETURNS TABLE (node integer, answers boolean, version text, accounts bigint, alerts bigint,
	waiting bigint, waiting_since timestamptz, notifications_unsent bigint, limits_hit jsonb, problem text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	seen jsonb;
BEGIN
	IF NOT iamwatch_internal.has_nodes() THEN
		RETURN;
	END IF;
	seen := iamwatch_internal.ask_how_nodes_are();
	RETURN QUERY
	WITH node AS (
		SELECT (s->>'node')::integer AS node, nullif(s->'here', 'null') AS here, s->>'answer' AS answer FROM jsonb_array_elements(seen) AS s
	), elsewhere AS (
		SELECT e.node, array_agg(format('%s (node %s)', e.account, array_to_string(e.places, ' or ')) ORDER BY e.account) AS accounts
		FROM iamwatch_internal.accounts_elsewhere(seen) AS e GROUP BY e.node
	), twice AS (
		SELECT a AS account, count(*) AS places FROM node AS n, jsonb_array_elements(n.here->'accounts') AS a GROUP BY a HAVING count(*) > 1
	)
	SELECT n.node, n.here IS NOT NULL, n.here->>'version', jsonb_array_length(n.here->'accounts')::bigint, (n.here->>'alerts')::bigint,
		(n.here->>'waiting')::bigint, (n.here->>'waiting_since')::timestamptz, (n.here->>'unsent')::bigint, n.here->'limits_hit',
		CASE WHEN n.here IS NULL THEN 'it does not answer: ' || n.answer
		WHEN n.here->'version' <> first.here->'version' THEN format('its version is not that of the coordinator, %s; ALTER EXTENSION iamwatch UPDATE there',
			first.here->>'version')
		WHEN n.here->'settings' <> first.here->'settings' THEN 'its settings are not those of the coordinator; CALL iamwatch.sync_nodes() there'
		WHEN e.accounts IS NOT NULL THEN format('shards have moved, but not what it knows of their accounts: %s; CALL iamwatch.carry_accounts() on the coordinator',
			iamwatch_internal.some_accounts(e.accounts))
		ELSE (SELECT format('other nodes know accounts that it knows: %s; a shard moved, or the table is not distributed by account. Carry them over by iamwatch.export_account()',
			iamwatch_internal.some_accounts(array_agg(t.account->>1 ORDER BY t.account->>1)))
			FROM twice AS t WHERE n.here->'accounts' @> jsonb_build_array(t.account) HAVING count(*) > 0) END
	FROM node AS n LEFT JOIN node AS first ON first.node = 0 LEFT JOIN elsewhere AS e ON e.node = n.node ORDER BY n.node;
END $$;
COMMENT ON FUNCTION iamwatch_internal.nodes_seen() IS 'the rows of iamwatch.nodes; none without Citus';

CREATE VIEW iamwatch.nodes AS SELECT * FROM iamwatch_internal.nodes_seen();
COMMENT ON VIEW iamwatch.nodes IS 'the nodes of Citus, whether they answer, and what is wrong with them; empty without Citus';
COMMENT ON COLUMN iamwatch.nodes.node IS 'its groupid; 0 is the coordinator. Alerts of other nodes have it before the last twelve digits of their number';
COMMENT ON COLUMN iamwatch.nodes.accounts IS 'how many accounts are known there';
COMMENT ON COLUMN iamwatch.nodes.alerts IS 'how many alerts are in its iamwatch.alerts';
COMMENT ON COLUMN iamwatch.nodes.waiting IS 'what was learned, and events of alerts, that were left since another session was writing: journal_rows and pending_events of its iamwatch.status';
COMMENT ON COLUMN iamwatch.nodes.waiting_since IS 'since when the oldest of them waits; its iamwatch.status says for whom';
COMMENT ON COLUMN iamwatch.nodes.notifications_unsent IS 'alerts of which nobody was notified yet; iamwatch.maintain() on the coordinator sends them';
COMMENT ON COLUMN iamwatch.nodes.limits_hit IS 'limits that were reached there in the last 90 days, with how much went over';
COMMENT ON COLUMN iamwatch.nodes.problem IS 'what is wrong, and what to do; null if nothing is';

CREATE FUNCTION iamwatch_internal.node_problems() RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF iamwatch_internal.is_coordinator() THEN
		RETURN (SELECT coalesce(jsonb_object_agg(n.node, n.problem) FILTER (WHERE n.problem IS NOT NULL), '{}')
			FROM iamwatch_internal.nodes_seen() AS n);
	END IF;
	RETURN '{}';
END $$;
COMMENT ON FUNCTION iamwatch_internal.node_problems() IS 'iamwatch.nodes.problem by node, on the coordinator; {} elsewhere';

-- ---- sources that are distributed ----

CREATE FUNCTION iamwatch_internal.shards_here() RETURNS TABLE (distributed regclass, shard regclass)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE 'SELECT s.logicalrelid, iamwatch_internal.shard_named(shard_name(s.logicalrelid, s.shardid))
		FROM pg_catalog.pg_dist_shard AS s JOIN pg_catalog.pg_dist_placement AS p USING (shardid)
		WHERE p.groupid = iamwatch_internal.node_number()';
END $$;
COMMENT ON FUNCTION iamwatch_internal.shards_here() IS 'shards that this node has, and the tables that they are of';

-- A shard that moves takes its name along, and leaves its counts.
CREATE FUNCTION iamwatch_internal.keep_shard_counts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT iamwatch_internal.has_nodes() THEN
		RETURN;
	END IF;
	WITH mine AS (
		SELECT f.ctid, h.distributed FROM iamwatch_internal.source_counts AS f JOIN iamwatch_internal.shards_here() AS h ON h.shard = f.source
		FOR UPDATE OF f SKIP LOCKED
	)
	UPDATE iamwatch_internal.source_counts AS c SET source = m.distributed, relation = m.distributed FROM mine AS m WHERE c.ctid = m.ctid;
END $$;
COMMENT ON FUNCTION iamwatch_internal.keep_shard_counts() IS
'count what came into the shards of this node as having come into their table; leaves what a session is just writing';

CREATE FUNCTION iamwatch_internal.shard_counts(sources text[]) RETURNS TABLE (source text, newest_event_time timestamptz,
	counted_at timestamptz, lag interval, learned bigint, late bigint, rejected bigint, stored bigint)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.source, max(c.newest_event_time), max(c.counted_at),
		(array_agg(c.lag ORDER BY c.counted_at DESC) FILTER (WHERE c.lag IS NOT NULL))[1],
		coalesce(sum(c.learned), 0)::bigint, coalesce(sum(c.late), 0)::bigint, coalesce(sum(c.rejected), 0)::bigint, sum(r.stored)::bigint
	FROM (
		SELECT n.source, h.shard AS relid, pg_stat_get_tuples_inserted(h.shard) AS stored
		FROM unnest($1) AS n (source) CROSS JOIN LATERAL (
			SELECT p.relid FROM pg_partition_tree(to_regclass(n.source)) AS p UNION SELECT to_regclass(n.source)) AS t (relid)
		JOIN iamwatch_internal.shards_here() AS h ON h.distributed = t.relid
		UNION ALL
		-- those of the coordinator's own are in the view already
		SELECT n.source, to_regclass(n.source), 0 FROM unnest($1) AS n (source) WHERE iamwatch_internal.node_number() <> 0) AS r
	LEFT JOIN LATERAL (
		SELECT max(c.newest_event_time) AS newest_event_time, max(c.counted_at) AS counted_at,
			(array_agg(c.lag ORDER BY c.counted_at DESC) FILTER (WHERE c.lag IS NOT NULL))[1] AS lag,
			sum(c.learned) AS learned, sum(c.late) AS late, sum(c.rejected) AS rejected
		FROM iamwatch_internal.source_counts AS c WHERE c.source = r.relid) AS c ON true
	GROUP BY r.source
$$;
COMMENT ON FUNCTION iamwatch_internal.shard_counts(text[]) IS 'of distributed tables, what came into the shards that this node has, or had: what iamwatch.source_status adds up';

CREATE FUNCTION iamwatch_internal.counts_elsewhere() RETURNS TABLE (source regclass, newest_event_time timestamptz,
	counted_at timestamptz, lag interval, learned bigint, late bigint, rejected bigint, stored bigint)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text[];
	part record;
BEGIN
	IF NOT iamwatch_internal.is_coordinator() THEN
		RETURN;
	END IF;
	names := ARRAY(SELECT s.source::text FROM iamwatch.sources AS s WHERE iamwatch_internal.distribution(s.source) IN ('distributed', 'local'));
	IF names = '{}' THEN
		RETURN;
	END IF;
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format(
		'SELECT coalesce(jsonb_agg(to_jsonb(c)), ''[]'') FROM iamwatch_internal.shard_counts(%L) AS c', names)) LOOP
		CONTINUE WHEN NOT part.answered;	-- iamwatch.nodes says so
		RETURN QUERY SELECT c.* FROM jsonb_to_recordset(part.answer::jsonb) AS c (source regclass, newest_event_time timestamptz,
			counted_at timestamptz, lag interval, learned bigint, late bigint, rejected bigint, stored bigint);
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.counts_elsewhere() IS
'on the coordinator: what became of the events of sources that have shards, by node';

-- A distributed table of iamwatch would keep its rows where nothing looks for them.
-- Citus distributes no table that inherits, whatever it is told; and unlike a trigger,
-- which it can be told to overlook, that costs no session a look at the catalogs.
CREATE TABLE iamwatch_internal.stays_on_node ();
ALTER TABLE iamwatch_internal.stays_on_node REPLICA IDENTITY FULL;
COMMENT ON TABLE iamwatch_internal.stays_on_node IS
'has no row of its own and no column: that tables of iamwatch inherit from it keeps Citus from distributing them';
