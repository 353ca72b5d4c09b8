-- Watching tables.

CREATE TABLE iamwatch.sources (
	source regclass PRIMARY KEY,
	event_column name NOT NULL,
	watched_since timestamptz NOT NULL DEFAULT now(),
	order_column name,
	watermark text,
	silent_after interval NOT NULL DEFAULT '26 hours' CHECK (silent_after > interval '0'),
	events_taken bigint NOT NULL DEFAULT 0,
	event_attnum smallint,
	order_attnum smallint,
	overlap text,
	reading_from text,
	rows_without_order bigint NOT NULL DEFAULT 0,
	rows_at_watermark bigint
);
COMMENT ON TABLE iamwatch.sources IS 'where events come from; kept by iamwatch.watch(), iamwatch.unwatch() and iamwatch.process()';
COMMENT ON COLUMN iamwatch.sources.order_column IS 'for iamwatch.process(): what grows with every row';
COMMENT ON COLUMN iamwatch.sources.watermark IS 'for iamwatch.process(): its value in the last row taken';
COMMENT ON COLUMN iamwatch.sources.overlap IS 'for iamwatch.process(): how far before the watermark each call begins to read, for rows that are committed late; an interval or a number';
COMMENT ON COLUMN iamwatch.sources.reading_from IS 'for iamwatch.process(): how far its call has come';
COMMENT ON COLUMN iamwatch.sources.rows_without_order IS 'for iamwatch.process(): rows that it does not take, as their order value is null, infinite, or a time more than a day ahead of the clock; at the last call';
COMMENT ON COLUMN iamwatch.sources.rows_at_watermark IS 'for iamwatch.process(): how many rows had the value of the watermark when they were read; if there are more at the next call, it reads them again. Null: it does so in any case';
COMMENT ON COLUMN iamwatch.sources.silent_after IS
'iamwatch.source_status calls the source silent when it has taught nothing for so long; every source with daily activity teaches at least once a UTC day';
COMMENT ON COLUMN iamwatch.sources.events_taken IS 'for iamwatch.process(): how many rows it took';
-- Of a relation that is gone a dump would have a number, which may be another's where it is restored.
SELECT pg_catalog.pg_extension_config_dump('iamwatch.sources', 'WHERE pg_catalog.pg_table_is_visible(source) IS NOT NULL');
COMMENT ON COLUMN iamwatch.sources.event_column IS 'holds the document; of no account when the columns of the source are mapped, see iamwatch.map_columns()';
COMMENT ON COLUMN iamwatch.sources.event_attnum IS 'number of the event column in the source, by which it is found after it was renamed; null if there was no such column';
COMMENT ON COLUMN iamwatch.sources.order_attnum IS 'number of the order column in the source';

-- By name when a row comes, also from a dump, where numbers can be others;
-- from then on by number.
CREATE FUNCTION iamwatch_internal.number_columns() RETURNS trigger
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' OR NEW.event_column <> OLD.event_column OR NEW.source <> OLD.source THEN
		NEW.event_attnum := iamwatch_internal.column_number(NEW.source, NEW.event_column);
	END IF;
	IF TG_OP = 'INSERT' OR NEW.order_column IS DISTINCT FROM OLD.order_column OR NEW.source <> OLD.source THEN
		NEW.order_attnum := iamwatch_internal.column_number(NEW.source, NEW.order_column);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.number_columns() IS 'trigger BEFORE INSERT OR UPDATE on iamwatch.sources: the numbers of the columns that are named';
CREATE TRIGGER number_columns BEFORE INSERT OR UPDATE ON iamwatch.sources
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.number_columns();
ALTER TABLE iamwatch.sources ENABLE ALWAYS TRIGGER number_columns;

CREATE FUNCTION iamwatch_internal.observers(source regclass, OUT trigger name, OUT enabled "char", OUT parent oid,
	OUT arguments bytea, OUT columns smallint[], OUT definition text, OUT every_update boolean) RETURNS SETOF record
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
	SELECT t.tgname, t.tgenabled, nullif(t.tgparentid, 0), t.tgargs,
		ARRAY(SELECT DISTINCT d.refobjsubid::smallint FROM pg_depend AS d
			WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
			AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.tgrelid AND d.refobjsubid > 0 ORDER BY 1),
		pg_get_triggerdef(t.oid), (t.tgtype & 16) <> 0 AND cardinality(t.tgattr::smallint[]) = 0
	FROM pg_trigger AS t
	WHERE t.tgrelid = source AND t.tgname IN ('iamwatch_observe', 'iamwatch_observe_update') AND NOT t.tgisinternal
	-- and not one of somebody else's that is only called so
	AND t.tgfoid = to_regproc('iamwatch_internal.observe')
	AND t.tgtype = CASE t.tgname WHEN 'iamwatch_observe' THEN 5 ELSE 17 END		-- AFTER INSERT, AFTER UPDATE, FOR EACH ROW
$$;
COMMENT ON FUNCTION iamwatch_internal.observers(regclass) IS
'the triggers of iamwatch.watch() on a table, and the columns that each looks at';

CREATE FUNCTION iamwatch_internal.is_filled_by_triggers(source regclass) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_trigger AS t
		WHERE t.tgrelid IN (SELECT source UNION ALL SELECT p.relid FROM pg_partition_tree(source) AS p)
		AND (t.tgtype & 19) = 19 AND NOT t.tgisinternal)		-- BEFORE, UPDATE, FOR EACH ROW
$$;
COMMENT ON FUNCTION iamwatch_internal.is_filled_by_triggers(regclass) IS
'whether an UPDATE may change a document without naming its column: somebody''s trigger BEFORE UPDATE FOR EACH ROW may';

CREATE FUNCTION iamwatch_internal.owners_without_observe(source regclass) RETURNS regrole[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(DISTINCT c.relowner::regrole)
	FROM pg_partition_tree(source) AS p JOIN pg_class AS c ON c.oid = p.relid
	WHERE c.relkind = 'p' AND NOT has_function_privilege(c.relowner, to_regproc('iamwatch_internal.observe'), 'execute')
$$;
COMMENT ON FUNCTION iamwatch_internal.owners_without_observe(regclass) IS
'who owns a partitioned table, or a part of it that has partitions, and cannot make or attach any, as these get its triggers: whoever makes a trigger must be allowed to call its function';

-- After a dump that was made when the name was an old one, its trigger knows.
CREATE FUNCTION iamwatch_internal.event_column_of(source regclass) RETURNS name
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(
		(SELECT a.attname FROM iamwatch.sources AS s JOIN pg_attribute AS a ON a.attrelid = s.source
			WHERE s.source = event_column_of.source AND NOT a.attisdropped
			AND a.attnum = coalesce(s.event_attnum, iamwatch_internal.column_number(s.source, s.event_column),
				(SELECT o.columns[1] FROM iamwatch_internal.observers(s.source) AS o
				WHERE o.trigger = 'iamwatch_observe' AND cardinality(o.columns) = 1))),
		(SELECT s.event_column FROM iamwatch.sources AS s WHERE s.source = event_column_of.source), 'event')
$$;
COMMENT ON FUNCTION iamwatch_internal.event_column_of(regclass) IS
'the column that holds the documents of a source, as it is named now; event if it is no source yet';

CREATE FUNCTION iamwatch_internal.order_column_of(source regclass) RETURNS name
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch_internal.current_column(s.source, s.order_column, s.order_attnum)
	FROM iamwatch.sources AS s WHERE s.source = order_column_of.source
$$;
COMMENT ON FUNCTION iamwatch_internal.order_column_of(regclass) IS
'the column by which a source is processed, as it is named now; null without one';

CREATE FUNCTION iamwatch_internal.refresh_columns() RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	UPDATE iamwatch.sources AS s SET event_column = iamwatch_internal.event_column_of(s.source),
		order_column = iamwatch_internal.order_column_of(s.source)
	WHERE (s.event_column, s.order_column) IS DISTINCT FROM
		(iamwatch_internal.event_column_of(s.source), iamwatch_internal.order_column_of(s.source));
	UPDATE iamwatch_internal.column_fields AS f
	SET column_name = iamwatch_internal.current_column(f.source, f.column_name, f.column_attnum)
	WHERE f.column_name <> iamwatch_internal.current_column(f.source, f.column_name, f.column_attnum);
	DELETE FROM iamwatch_internal.column_fields AS f WHERE pg_table_is_visible(f.source) IS NULL;
$$;
COMMENT ON FUNCTION iamwatch_internal.refresh_columns() IS
'write down what renamed columns of sources are called now, which is what a dump has, and forget columns of relations that are gone';

CREATE TABLE iamwatch_internal.end_of_statement ();
ALTER TABLE iamwatch_internal.end_of_statement REPLICA IDENTITY FULL;
COMMENT ON TABLE iamwatch_internal.end_of_statement IS 'always empty: its trigger runs when a statement on a watched table ends';

CREATE FUNCTION iamwatch_internal.may_be_new(event jsonb) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_may_be_new' LANGUAGE C STABLE COST 10;
COMMENT ON FUNCTION iamwatch_internal.may_be_new(jsonb) IS
'whether the event may teach anything new: looks in the memory of the backend only. For the WHEN of the trigger that iamwatch.watch() makes';

CREATE FUNCTION iamwatch_internal.may_be_new(event jsonb, stored tid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_may_be_new' LANGUAGE C STABLE COST 10;
COMMENT ON FUNCTION iamwatch_internal.may_be_new(jsonb, tid) IS
'the same in the WHEN of an AFTER trigger, given the ctid of the new row: false also when the trigger was queued, in the statement, for a row that says the same';

CREATE FUNCTION iamwatch_internal.observe() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_observe' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.observe() IS
'trigger AFTER INSERT OR UPDATE FOR EACH ROW on a watched table; arguments: the column, or an empty string and the paths of the fields. 39P01 when fired otherwise';

CREATE FUNCTION iamwatch_internal.process_batch() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_process_batch' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.process_batch() IS
'trigger on iamwatch_internal.end_of_statement: learns from and tests what the statement has stored';
CREATE TRIGGER process_batch AFTER INSERT ON iamwatch_internal.end_of_statement
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.process_batch();
ALTER TABLE iamwatch_internal.end_of_statement ENABLE ALWAYS TRIGGER process_batch;

CREATE FUNCTION iamwatch_internal.check_relation(source regclass) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
BEGIN
	SELECT * INTO relation FROM pg_class AS c WHERE c.oid = source;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relation with OID % does not exist', source::oid USING ERRCODE = 'undefined_table';
	END IF;
	IF relation.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace, 'pg_catalog'::regnamespace,
		'pg_toast'::regnamespace, 'information_schema'::regnamespace) THEN
		RAISE EXCEPTION 'relation "%" cannot be a source of events', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'It belongs to the system or to iamwatch itself.';
	END IF;

	IF relation.relkind NOT IN ('r', 'p', 'v', 'm', 'f') THEN
		RAISE EXCEPTION 'relation "%" cannot be a source of events', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'Only tables, views, materialized views and foreign tables have rows.';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_relation(regclass) IS '42P01 or 42809 unless the relation is one that can have events';

CREATE FUNCTION iamwatch_internal.check_source(source regclass, event_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	type regtype;
	candidates text;
BEGIN
	IF source IS NULL OR event_column IS NULL THEN
		RAISE EXCEPTION 'table and column must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM iamwatch_internal.check_relation(source);
	IF iamwatch_internal.fields_of(source) IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT a.atttypid INTO type FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.attname = event_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF type = ANY ('{jsonb,json,text,varchar}'::regtype[]) THEN
		RETURN;
	END IF;
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO candidates
	FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.atttypid IN ('jsonb'::regtype, 'json'::regtype)
	AND a.attnum > 0 AND NOT a.attisdropped;
	candidates := coalesce('Columns of type jsonb or json: ' || candidates || '.',
		'With a column for each field of the record, call iamwatch.map_columns() first.');
	IF type IS NULL THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', event_column, source
			USING ERRCODE = 'undefined_column', HINT = candidates;
	END IF;
	RAISE EXCEPTION 'column "%" of relation "%" is of type %, not jsonb, json or text', event_column, source, type
		USING ERRCODE = 'datatype_mismatch', HINT = candidates;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_source(regclass, name) IS
'22004, 42P01, 42809, 42703 or 42804 unless the column of the relation can hold events, or its columns are mapped';

CREATE FUNCTION iamwatch_internal.unwatched_children(source regclass) RETURNS regclass[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH RECURSIVE child AS (
		SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = source
		UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN child AS c ON i.inhparent = c.inhrelid)
	SELECT array_agg(c.oid::regclass ORDER BY c.oid::regclass::text) FROM child JOIN pg_class AS c ON c.oid = child.inhrelid
	WHERE NOT c.relispartition AND c.relkind IN ('r', 'f') AND NOT EXISTS (SELECT FROM iamwatch_internal.observers(c.oid))
	AND NOT EXISTS (SELECT FROM iamwatch.sources AS s WHERE s.source = c.oid AND s.order_column IS NOT NULL)
$$;
COMMENT ON FUNCTION iamwatch_internal.unwatched_children(regclass) IS
'tables that inherit from a table and are not watched: their rows are read with the table, but no trigger fires for them';

CREATE FUNCTION iamwatch_internal.foreign_partitions(source regclass) RETURNS regclass[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(c.oid::regclass ORDER BY c.oid::regclass::text)
	FROM pg_partition_tree(source) AS p JOIN pg_class AS c ON c.oid = p.relid
	WHERE c.relkind = 'f' AND NOT EXISTS (SELECT FROM iamwatch.sources AS s WHERE s.source = c.oid AND s.order_column IS NOT NULL)
$$;
COMMENT ON FUNCTION iamwatch_internal.foreign_partitions(regclass) IS
'partitions on other servers that iamwatch.process() does not read: only what is written here fires triggers';

-- How the two triggers of a table are to be.
CREATE FUNCTION iamwatch_internal.wanted_observers(source regclass, event_column name,
	OUT trigger name, OUT arguments bytea, OUT columns smallint[], OUT listed text, OUT definition text, OUT every_update boolean) RETURNS SETOF record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $$
DECLARE
	fields text[] := iamwatch_internal.fields_of(source);
	old_value text := iamwatch_internal.document_expression(source, event_column, 'old');
	new_value text := iamwatch_internal.document_expression(source, event_column, 'new');
	news text := format('iamwatch_internal.may_be_new(%s, new.ctid)', new_value);
	paths text[] := ARRAY(SELECT f FROM unnest(fields) WITH ORDINALITY AS u (f, n) WHERE n % 2 = 1 ORDER BY n);
	calls text := format('EXECUTE FUNCTION iamwatch_internal.observe(%s)', CASE WHEN fields IS NULL
		THEN quote_literal(event_column) ELSE format('%L, %L', '', paths) END);
	used name[] := CASE WHEN fields IS NULL THEN ARRAY[event_column]
		ELSE ARRAY(SELECT f FROM unnest(fields) WITH ORDINALITY AS u (f, n) WHERE n % 2 = 0 ORDER BY n) END;
BEGIN
	arguments := CASE WHEN fields IS NULL THEN convert_to(event_column, getdatabaseencoding()) || E'\\x00'
		ELSE E'\\x00' || convert_to(paths::text, getdatabaseencoding()) || E'\\x00' END;
	listed := (SELECT string_agg(format('new.%I', u), ', ' ORDER BY n) FROM unnest(used) WITH ORDINALITY AS u (u, n));
	columns := ARRAY(SELECT DISTINCT iamwatch_internal.column_number(source, u) FROM unnest(used) AS u ORDER BY 1);
	trigger := 'iamwatch_observe';
	every_update := false;
	definition := format('CREATE TRIGGER iamwatch_observe AFTER INSERT ON %s FOR EACH ROW WHEN (%s) %s', source, news, calls);
	RETURN NEXT;
	-- text and json are compared as text, which costs less than to read them
	IF fields IS NULL AND (SELECT a.atttypid FROM pg_attribute AS a
			WHERE a.attrelid = source AND a.attnum = columns[1]) <> 'jsonb'::regtype THEN
		old_value := format('old.%I::text', event_column);
		new_value := format('new.%I::text', event_column);
	END IF;
	trigger := 'iamwatch_observe_update';
	every_update := iamwatch_internal.is_filled_by_triggers(source);
	definition := format('CREATE TRIGGER iamwatch_observe_update AFTER UPDATE%s ON %s FOR EACH ROW'
		' WHEN (%s IS DISTINCT FROM %s AND %s) %s', CASE WHEN NOT every_update THEN
			(SELECT ' OF ' || string_agg(quote_ident(a.attname), ', ')
			FROM pg_attribute AS a WHERE a.attrelid = source AND a.attnum = ANY (columns)) END,
		source, old_value, new_value, news, calls);
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION iamwatch_internal.wanted_observers(regclass, name) IS
'the triggers that iamwatch.watch() makes on a table: for what is inserted, and for documents that an UPDATE changes';

-- Otherwise no row would fit once time has left the last partition.
CREATE FUNCTION iamwatch_internal.let_make_partitions(source regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owners constant text := array_to_string(iamwatch_internal.owners_without_observe(source), ', ');
	command constant text := 'GRANT EXECUTE ON FUNCTION iamwatch_internal.observe() TO ' || owners;
BEGIN
	IF owners IS NULL THEN
		RETURN;
	END IF;
	IF has_function_privilege(to_regproc('iamwatch_internal.observe'), 'EXECUTE WITH GRANT OPTION') THEN
		EXECUTE command;
	ELSE
		RAISE WARNING '% cannot make or attach partitions of "%"', owners, source
			USING HINT = format('Have the owner of iamwatch run: %s.', command);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.let_make_partitions(regclass) IS
'let the owners of a partitioned table, and of parts of it, make the triggers of further partitions, or warn that they cannot';

CREATE FUNCTION iamwatch.watch(source regclass, event_column name DEFAULT 'event',
	fires text DEFAULT 'origin') RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	wanted record;
	present record;
	mode "char" := CASE fires WHEN 'origin' THEN 'O' WHEN 'always' THEN 'A' WHEN 'replica' THEN 'R' END;
BEGIN
	PERFORM iamwatch_internal.check_source(source, event_column);
	IF mode IS NULL THEN
		RAISE EXCEPTION 'invalid value for fires: %', coalesce(quote_literal(fires), 'null')
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Use origin, always (also for what a subscription applies) or replica (only for that).';
	END IF;
	SELECT * INTO relation FROM pg_class AS c WHERE c.oid = source;
	IF relation.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION 'relation "%" is not a table', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'No trigger fires for rows that come into a view, materialized view or foreign table.',
			HINT = 'Schedule iamwatch.process() for it.';
	END IF;
	-- it may be written in a read-only transaction, and an insert must not fail
	IF relation.relpersistence = 't' THEN
		RAISE EXCEPTION 'relation "%" is temporary', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'It takes rows in a read-only transaction too, in which nothing can be learned.',
			HINT = 'Watch the table that the events are kept in.';
	END IF;
	PERFORM iamwatch_internal.check_distribution(source);
	IF EXISTS (SELECT FROM iamwatch_internal.observers(source) AS o WHERE o.parent IS NOT NULL) THEN
		RAISE NOTICE 'partition "%" is watched through its parent, skipping', source;
		RETURN;
	END IF;
	IF NOT EXISTS (SELECT FROM iamwatch_internal.observers(source)) THEN
		-- takes the place of the triggers of partitions that were watched by themselves
		PERFORM iamwatch.unwatch(p.relid) FROM pg_partition_tree(source) AS p
		WHERE p.relid <> source AND EXISTS (SELECT FROM iamwatch_internal.observers(p.relid) AS o WHERE o.parent IS NULL);
	END IF;
	FOR wanted IN SELECT * FROM iamwatch_internal.wanted_observers(source, event_column) LOOP
		SELECT * INTO present FROM iamwatch_internal.observers(source) AS o WHERE o.trigger = wanted.trigger;
		IF FOUND AND ((present.arguments, present.columns) IS DISTINCT FROM (wanted.arguments, wanted.columns)
				OR present.every_update <> wanted.every_update OR strpos(present.definition, wanted.listed) = 0) THEN
			PERFORM iamwatch_internal.change_trigger(source, format('DROP TRIGGER %I ON %s', wanted.trigger, source));
			present.enabled := NULL;
		END IF;
		IF present.enabled IS NULL THEN
			-- one of somebody else's that is only called so
			IF EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = source AND t.tgname = wanted.trigger) THEN
				PERFORM iamwatch_internal.change_trigger(source, format('DROP TRIGGER %I ON %s', wanted.trigger, source));
			END IF;
			PERFORM iamwatch_internal.change_trigger(source, wanted.definition);
			present.enabled := 'O';
		END IF;
		IF present.enabled <> mode THEN
			PERFORM iamwatch_internal.change_trigger(source, format('ALTER TABLE %s ENABLE %s TRIGGER %I', source,
				CASE mode WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, wanted.trigger));
		END IF;
	END LOOP;
	INSERT INTO iamwatch.sources AS s (source, event_column) VALUES (source, event_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE
	SET (event_column, event_attnum) = (EXCLUDED.event_column, EXCLUDED.event_attnum)
	WHERE (s.event_column, s.event_attnum) IS DISTINCT FROM (EXCLUDED.event_column, EXCLUDED.event_attnum);
	PERFORM iamwatch_internal.remember_partitions(source);
	PERFORM iamwatch_internal.let_make_partitions(source);
	IF iamwatch_internal.unwatched_children(source) IS NOT NULL THEN
		RAISE WARNING 'rows of tables that inherit from "%" are not watched: %', source,
			array_to_string(iamwatch_internal.unwatched_children(source), ', ')
			USING HINT = 'Call iamwatch.watch() for each of them.';
	END IF;
	IF iamwatch_internal.foreign_partitions(source) IS NOT NULL THEN
		RAISE WARNING 'what others write into foreign partitions of "%" is not seen: %', source,
			array_to_string(iamwatch_internal.foreign_partitions(source), ', ')
			USING HINT = 'If they are still written to, schedule iamwatch.process() for each of them.';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.watch(regclass, name, text) IS
'watch what is inserted into a table, or into a partitioned table through any of its partitions, and documents that an UPDATE of the column changes; harmless when it is watched already. Column: of type jsonb, json, text or varchar; ignored when its columns are mapped, see iamwatch.map_columns(). Fires: origin; always, also for what a subscription applies; replica, only for that. Needs the TRIGGER privilege; 42809, 42703, 42804, 22023 for what cannot be watched';

CREATE FUNCTION iamwatch.unwatch(source regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	present record;
BEGIN
	IF source IS NULL THEN
		RAISE EXCEPTION 'table must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	FOR present IN SELECT * FROM iamwatch_internal.observers(source) LOOP
		IF present.parent IS NOT NULL THEN
			RAISE EXCEPTION 'partition "%" is watched through its parent', source
				USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Use iamwatch.unwatch(%L).',
					(SELECT p.tgrelid::regclass FROM pg_trigger AS p WHERE p.oid = present.parent));
		END IF;
		PERFORM iamwatch_internal.change_trigger(source, format('DROP TRIGGER %I ON %s', present.trigger, source));
	END LOOP;
	DELETE FROM iamwatch.sources AS s WHERE s.source = unwatch.source;
	PERFORM iamwatch_internal.forget_partitions(source, source);
END $$;
COMMENT ON FUNCTION iamwatch.unwatch(regclass) IS
'no longer watch a table, nor miss one that was detached from a watched table; harmless when it is neither. What was learned and raised stays';
