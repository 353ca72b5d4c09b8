-- All nodes, seen and set from one of them.

CREATE FUNCTION iamwatch_internal.ask_nodes(command text) RETURNS TABLE (node integer, answered boolean, answer text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE 'SELECT n.groupid, r.success, r.result FROM pg_catalog.run_command_on_all_nodes($1, true, false) AS r
		JOIN pg_catalog.pg_dist_node AS n USING (nodeid) ORDER BY n.groupid' USING command;
END $$;
COMMENT ON FUNCTION iamwatch_internal.ask_nodes(text) IS
'run a command on every node, in a transaction of its own, as the same role; what each answers, or why it does not';

CREATE FUNCTION iamwatch.everywhere(of anyelement) RETURNS SETOF anyelement
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation constant regclass := (SELECT c.oid FROM pg_class AS c
		WHERE c.reltype = pg_typeof(of) AND c.relnamespace = 'iamwatch'::regnamespace);
	part record;
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION 'type % is not that of a table or view of iamwatch', pg_typeof(of)
			USING ERRCODE = 'wrong_object_type', HINT = 'Use, for example, SELECT * FROM iamwatch.everywhere(NULL::iamwatch.alerts).';
	ELSIF NOT iamwatch_internal.has_nodes() THEN
		RETURN QUERY EXECUTE format('SELECT * FROM %s', relation);
		RETURN;
	END IF;
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') FROM %s AS r', relation)) LOOP
		IF NOT part.answered THEN
			RAISE WARNING 'node % does not answer, so its rows are missing', part.node USING DETAIL = part.answer;
			CONTINUE;
		END IF;
		RETURN QUERY SELECT r.* FROM jsonb_populate_recordset(of, part.answer::jsonb) AS r;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch.everywhere(anyelement) IS
'rows of a table or view of iamwatch, of every node: SELECT * FROM iamwatch.everywhere(NULL::iamwatch.incidents) ORDER BY risk DESC. Warns of nodes that do not answer. 42809 for another type';

-- ---- alerts of other nodes ----

CREATE FUNCTION iamwatch_internal.triage_elsewhere(alert_id bigint, status text, resolution text, assignee text, note text,
	attack_until date) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
	told text;
BEGIN
	IF alert_id IS NULL OR NOT iamwatch_internal.has_nodes() THEN
		RETURN NULL;
	END IF;
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format('SELECT CASE WHEN EXISTS (SELECT FROM iamwatch.alerts WHERE alert_id = %s)'
		' THEN iamwatch.triage(%1$s, %L, %L, %L, %L, %L) END', $1, $2, $3, $4, $5, $6)) LOOP
		IF NOT part.answered THEN
			RAISE EXCEPTION '%', regexp_replace(part.answer, '^ERROR: +', '')
				USING ERRCODE = 'external_routine_exception', DETAIL = format('Node %s says so.', part.node);
		END IF;
		told := coalesce(told, nullif(part.answer, ''));
	END LOOP;
	RETURN told;
END $$;
COMMENT ON FUNCTION iamwatch_internal.triage_elsewhere(bigint, text, text, text, text, date) IS
'iamwatch.triage() on the node that has the alert, at once, whatever becomes of this transaction; null if no node has it';

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
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
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
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
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

CREATE FUNCTION iamwatch_internal.give_settings() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
BEGIN
	IF NOT iamwatch_internal.has_nodes() OR iamwatch_internal.node_number() <> 0 THEN
		RETURN;
	END IF;
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(format('SELECT iamwatch_internal.take_settings(%L)', iamwatch_internal.settings_here())) LOOP
		IF NOT part.answered THEN
			RAISE WARNING 'node % did not take the settings', part.node USING DETAIL = part.answer;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.give_settings() IS 'give the settings of the coordinator to all nodes';

CREATE PROCEDURE iamwatch.sync_nodes()
	LANGUAGE plpgsql AS $$
BEGIN
	IF NOT iamwatch_internal.has_nodes() OR iamwatch_internal.node_number() OPERATOR(pg_catalog.<>) 0 THEN
		RAISE EXCEPTION 'this is not the coordinator of several nodes'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call it where the settings are changed.';
	END IF;
	PERFORM iamwatch_internal.give_settings();
END $$;
COMMENT ON PROCEDURE iamwatch.sync_nodes() IS
'make settings, catalogue, suppressions and inventory of all nodes those of the coordinator; what is committed there. maintain() on the coordinator does so too. Warns of nodes that did not take them; 55000 elsewhere';

-- ---- upkeep ----

CREATE FUNCTION iamwatch_internal.maintain_nodes() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	part record;
BEGIN
	IF NOT iamwatch_internal.has_nodes() OR iamwatch_internal.node_number() <> 0 THEN
		RETURN;
	END IF;
	PERFORM iamwatch_internal.give_settings();
	FOR part IN SELECT * FROM iamwatch_internal.ask_nodes(
		'DO $do$ BEGIN IF iamwatch_internal.node_number() <> 0 THEN CALL iamwatch.maintain(); END IF; END $do$') LOOP
		IF NOT part.answered THEN
			RAISE WARNING 'maintain() failed on node %', part.node USING DETAIL = part.answer;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.maintain_nodes() IS 'on the coordinator: iamwatch.sync_nodes() and iamwatch.maintain() of all others';

-- ---- how they are ----

CREATE FUNCTION iamwatch_internal.node_here() RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	misplaced jsonb;
BEGIN
	EXECUTE $sql$SELECT jsonb_agg(p.logicalrelid::text ORDER BY p.logicalrelid::text) FROM pg_catalog.pg_dist_partition AS p
		JOIN pg_class AS c ON c.oid = p.logicalrelid WHERE c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)$sql$
	INTO misplaced;
	RETURN jsonb_build_object('version', (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'iamwatch'),
		'settings', md5(iamwatch_internal.settings_here()::text), 'misplaced', misplaced,
		'accounts', (SELECT coalesce(jsonb_agg(a.provider || ' ' || a.account), '[]') FROM iamwatch_internal.accounts AS a));
END $$;
COMMENT ON FUNCTION iamwatch_internal.node_here() IS 'what iamwatch.nodes needs to know of each node';

CREATE FUNCTION iamwatch_internal.nodes_seen() RETURNS TABLE (node integer, answers boolean, version text, accounts bigint, problem text)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	seen jsonb;
BEGIN
	IF NOT iamwatch_internal.has_nodes() THEN
		RETURN;
	END IF;
	seen := (SELECT jsonb_agg(jsonb_build_object('node', n.node, 'here', CASE WHEN n.answered THEN n.answer::jsonb END, 'answer', n.answer))
		FROM iamwatch_internal.ask_nodes('SELECT iamwatch_internal.node_here()') AS n);
	RETURN QUERY
	WITH node AS (
		SELECT (s->>'node')::integer AS node, nullif(s->'here', 'null') AS here, s->>'answer' AS answer FROM jsonb_array_elements(seen) AS s
	), twice AS (
		SELECT a AS account, count(*) AS places FROM node AS n, jsonb_array_elements_text(n.here->'accounts') AS a GROUP BY a HAVING count(*) > 1
	)
	SELECT n.node, n.here IS NOT NULL, n.here->>'version', jsonb_array_length(n.here->'accounts')::bigint,
		CASE WHEN n.here IS NULL THEN 'it does not answer: ' || n.answer
		WHEN n.here->'misplaced' <> 'null' THEN format('Citus has distributed tables of iamwatch, so nothing is learned: %s; undistribute_table() them',
			n.here->>'misplaced')
		WHEN n.here->'version' <> first.here->'version' THEN format('its version is not that of the coordinator, %s; ALTER EXTENSION iamwatch UPDATE there',
			first.here->>'version')
		WHEN n.here->'settings' <> first.here->'settings' THEN 'its settings are not those of the coordinator; CALL iamwatch.sync_nodes() there'
		ELSE (SELECT format('other nodes know accounts that it knows: %s; a shard moved, or the table is not distributed by account. Carry them over by iamwatch.export_account()',
			string_agg(t.account, ', ' ORDER BY t.account)) FROM twice AS t WHERE n.here->'accounts' ? t.account HAVING count(*) > 0) END
	FROM node AS n LEFT JOIN node AS first ON first.node = 0 ORDER BY n.node;
END $$;
COMMENT ON FUNCTION iamwatch_internal.nodes_seen() IS 'the rows of iamwatch.nodes; none without Citus';

CREATE VIEW iamwatch.nodes AS SELECT * FROM iamwatch_internal.nodes_seen();
COMMENT ON VIEW iamwatch.nodes IS 'the nodes of Citus, whether they answer, and what is wrong with them; empty without Citus';
COMMENT ON COLUMN iamwatch.nodes.node IS 'its groupid; 0 is the coordinator. Alerts of other nodes have it before the last twelve digits of their number';
COMMENT ON COLUMN iamwatch.nodes.accounts IS 'how many accounts are known there';
COMMENT ON COLUMN iamwatch.nodes.problem IS 'what is wrong, and what to do; null if nothing is';

CREATE FUNCTION iamwatch_internal.node_problems() RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF iamwatch_internal.has_nodes() AND iamwatch_internal.node_number() = 0 THEN
		RETURN (SELECT coalesce(jsonb_object_agg(n.node, n.problem) FILTER (WHERE n.problem IS NOT NULL), '{}')
			FROM iamwatch_internal.nodes_seen() AS n);
	END IF;
	RETURN '{}';
END $$;
COMMENT ON FUNCTION iamwatch_internal.node_problems() IS 'iamwatch.nodes.problem by node, on the coordinator; {} elsewhere';

-- ---- sources that are distributed ----

CREATE FUNCTION iamwatch_internal.shard_counts(sources text[]) RETURNS TABLE (source text, newest_event_time timestamptz,
	counted_at timestamptz, lag interval, learned bigint, late bigint, rejected bigint, stored bigint)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE $sql$
		SELECT m.source, max(c.newest_event_time), max(c.counted_at),
			(array_agg(c.lag ORDER BY c.counted_at DESC) FILTER (WHERE c.lag IS NOT NULL))[1],
			coalesce(sum(c.learned), 0)::bigint, coalesce(sum(c.late), 0)::bigint, coalesce(sum(c.rejected), 0)::bigint, sum(c.stored)::bigint
		FROM (SELECT n.source, t.relid FROM unnest($1) AS n (source) CROSS JOIN LATERAL (
			SELECT p.relid FROM pg_partition_tree(to_regclass(n.source)) AS p UNION SELECT to_regclass(n.source)) AS t (relid)) AS m
		JOIN pg_catalog.pg_dist_shard AS s ON s.logicalrelid = m.relid JOIN pg_catalog.pg_dist_placement AS p USING (shardid)
		CROSS JOIN LATERAL (SELECT iamwatch_internal.shard_named(shard_name(s.logicalrelid, s.shardid)) AS shard) AS r
		CROSS JOIN LATERAL (
			SELECT max(c.newest_event_time) AS newest_event_time, max(c.counted_at) AS counted_at,
				(array_agg(c.lag ORDER BY c.counted_at DESC) FILTER (WHERE c.lag IS NOT NULL))[1] AS lag,
				sum(c.learned) AS learned, sum(c.late) AS late, sum(c.rejected) AS rejected,
				pg_stat_get_tuples_inserted(r.shard) AS stored
			FROM iamwatch_internal.source_counts AS c WHERE c.source = r.shard) AS c
		WHERE p.groupid = iamwatch_internal.node_number()
		GROUP BY 1$sql$ USING sources;
END $$;
COMMENT ON FUNCTION iamwatch_internal.shard_counts(text[]) IS 'of the shards that this node has of distributed tables: what iamwatch.source_status adds up';

CREATE FUNCTION iamwatch_internal.counts_elsewhere() RETURNS TABLE (source regclass, newest_event_time timestamptz,
	counted_at timestamptz, lag interval, learned bigint, late bigint, rejected bigint, stored bigint)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text[];
	part record;
BEGIN
	IF NOT iamwatch_internal.has_nodes() OR iamwatch_internal.node_number() <> 0 THEN
		RETURN;
	END IF;
	names := ARRAY(SELECT s.source::text FROM iamwatch.sources AS s WHERE iamwatch_internal.distribution(s.source) = 'distributed');
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
'on the coordinator: what became of the events of distributed sources, by node that has shards of them';

-- Citus distributes no table that has a trigger, and a distributed table of
-- iamwatch would keep its rows where nothing looks for them.
CREATE FUNCTION iamwatch_internal.stay_on_node() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.stay_on_node() IS
'trigger, which does nothing when it fires: that a table has one keeps Citus from distributing it';
