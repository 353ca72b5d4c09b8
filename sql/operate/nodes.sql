-- Several nodes under Citus.  A table of events is distributed, its triggers
-- work in its shards, and what is learned stays beside them: each node has the
-- tables of the extension for itself.  Nothing here needs Citus to be there.

CREATE FUNCTION iamwatch_internal.has_nodes() RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_has_nodes' LANGUAGE C STABLE;
COMMENT ON FUNCTION iamwatch_internal.has_nodes() IS 'whether this database has the extension citus';

CREATE FUNCTION iamwatch_internal.node_number() RETURNS integer
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	number integer;
BEGIN
	IF iamwatch_internal.has_nodes() THEN
		EXECUTE 'SELECT groupid FROM pg_catalog.pg_dist_local_group' INTO number;
	END IF;
	RETURN coalesce(number, 0);
END $$;
COMMENT ON FUNCTION iamwatch_internal.node_number() IS
'number of this node: 0 for the coordinator and for a server by itself, else its groupid, which no other node ever gets';

-- Decimal digits, so that people see the node; and 9,000 nodes still fit into
-- what JavaScript counts exactly.
CREATE FUNCTION iamwatch_internal.number_here(n bigint) RETURNS bigint
	LANGUAGE sql STABLE RETURN iamwatch_internal.node_number() * 1000000000000 + n;
COMMENT ON FUNCTION iamwatch_internal.number_here(bigint) IS
'a number of a sequence of this node, made distinct from those of others: before its last twelve digits is the number of the node';

CREATE FUNCTION iamwatch_internal.distribution(source regclass) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	how text;
BEGIN
	IF iamwatch_internal.has_nodes() THEN
		EXECUTE $sql$SELECT CASE WHEN p.partmethod = 'n' AND p.repmodel = 't' THEN 'reference'
			WHEN p.partmethod = 'n' AND p.colocationid = 0 THEN 'local' ELSE 'distributed' END
			FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = $1$sql$ INTO how USING source;
	END IF;
	RETURN how;
END $$;
COMMENT ON FUNCTION iamwatch_internal.distribution(regclass) IS
'what Citus makes of a table: distributed, by hash or as part of a distributed schema; reference; local, of which Citus knows; null for any other';

CREATE FUNCTION iamwatch_internal.check_distribution(source regclass) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	names text;
BEGIN
	IF iamwatch_internal.distribution(source) = 'reference' THEN
		RAISE EXCEPTION 'reference table "%" cannot be watched', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'Every node has all of its rows, and each would raise every alert.',
			HINT = 'Distribute it by account, or leave it a table of the coordinator.';
	END IF;
	SELECT string_agg(p.relid::text, ', ' ORDER BY p.relid::text) INTO names
	FROM pg_partition_tree(source) AS p JOIN pg_class AS c ON c.oid = p.relid JOIN pg_am AS a ON a.oid = c.relam
	WHERE a.amname = 'columnar';
	IF names IS NOT NULL THEN
		RAISE EXCEPTION 'relation "%" cannot be watched', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = format('Columnar tables have no triggers for rows: %s.', names),
			HINT = CASE WHEN names = source::text THEN 'Schedule iamwatch.process() for it.'
				ELSE 'Call iamwatch.watch() for each partition that is written to, or detach those that are columnar.' END;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_distribution(regclass) IS
'42809 for a table whose rows are on every node, and for one that is columnar or has such partitions';

-- Citus asks who makes a trigger on a distributed table to say that it is safe
-- there.  This one is: it writes only to tables of the node that has the row.
CREATE FUNCTION iamwatch_internal.change_trigger(source regclass, command text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	was text;
BEGIN
	IF iamwatch_internal.distribution(source) IS DISTINCT FROM 'distributed' THEN
		EXECUTE command;
		RETURN;
	END IF;
	was := current_setting('citus.enable_unsafe_triggers');
	PERFORM set_config('citus.enable_unsafe_triggers', 'on', true);
	EXECUTE command;
	PERFORM set_config('citus.enable_unsafe_triggers', was, true);
END $$;
COMMENT ON FUNCTION iamwatch_internal.change_trigger(regclass, text) IS
'execute a command that makes, changes or drops a trigger on a table, distributed or not';

-- Citus leaves public away from the names of shards.
CREATE FUNCTION iamwatch_internal.shard_named(name text) RETURNS regclass
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT to_regclass(CASE cardinality(parse_ident(name)) WHEN 1 THEN 'public.' || name ELSE name END)
$$;
COMMENT ON FUNCTION iamwatch_internal.shard_named(text) IS 'the shard that shard_name() and run_command_on_shards() call so';

-- Each shard where it is, so that what it teaches stays beside it.  A node does
-- not know which columns are mapped, so it is told before.
CREATE FUNCTION iamwatch_internal.run_on_shards(source regclass, command text) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	problems text;
BEGIN
	EXECUTE 'SELECT string_agg(r.result, chr(10)) FROM pg_catalog.run_command_on_shards($1, $2) AS r WHERE NOT r.success'
	INTO problems USING source, command;
	RETURN problems;
END $$;
COMMENT ON FUNCTION iamwatch_internal.run_on_shards(regclass, text) IS
'run a command for every shard of a distributed table on the node that has it; in it, %L is the shard. What failed, null for nothing';

CREATE FUNCTION iamwatch_internal.map_shards(source regclass) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	fields constant jsonb := coalesce((SELECT jsonb_object(iamwatch_internal.fields_of(source))), '{}');
BEGIN
	-- format() puts the shard in, and what is quoted here by whoever owns the table must not look like a place for it
	RETURN iamwatch_internal.run_on_shards(source, 'SELECT count(*) FROM iamwatch.map_columns(iamwatch_internal.shard_named(%L), '
		|| replace(format('%L)', fields), '%', '%%'));
END $$;
COMMENT ON FUNCTION iamwatch_internal.map_shards(regclass) IS
'iamwatch.map_columns() of every shard of a distributed table, as the table has it; what failed, null for nothing';

CREATE FUNCTION iamwatch_internal.backfill_shards(source regclass, event_column name, since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	problems text := iamwatch_internal.map_shards(source);
BEGIN
	IF problems IS NULL THEN
		problems := iamwatch_internal.run_on_shards(source, 'CALL iamwatch.backfill(iamwatch_internal.shard_named(%L)'
			|| replace(format(', %L, %L, %L)', event_column, since, until), '%', '%%'));
	END IF;
	IF problems IS NOT NULL THEN
		RAISE EXCEPTION 'backfill of % failed on some shards', source
			USING ERRCODE = 'external_routine_exception', DETAIL = problems, HINT = 'Call it again: it goes on with what is missing.';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.backfill_shards(regclass, name, timestamptz, timestamptz) IS
'iamwatch.backfill() of every shard of a distributed table, on the node that has it; 38000 if one failed';
