-- Watching tables.

CREATE TABLE iamwatch.sources (
	source regclass PRIMARY KEY,
	event_column name NOT NULL,
	watched_since timestamptz NOT NULL DEFAULT now(),
	order_column name,
	watermark text,
	silent_after interval NOT NULL DEFAULT '26 hours' CHECK (silent_after > interval '0'),
	events_taken bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE iamwatch.sources IS 'where events come from; kept by iamwatch.watch(), iamwatch.unwatch() and iamwatch.process()';
COMMENT ON COLUMN iamwatch.sources.order_column IS 'for iamwatch.process(): what grows with every row';
COMMENT ON COLUMN iamwatch.sources.watermark IS 'for iamwatch.process(): its value in the last row taken';
COMMENT ON COLUMN iamwatch.sources.silent_after IS
'iamwatch.source_status calls the source silent when it has taught nothing for so long; every source with daily activity teaches at least once a UTC day';
COMMENT ON COLUMN iamwatch.sources.events_taken IS 'for iamwatch.process(): how many rows it took';
SELECT pg_catalog.pg_extension_config_dump('iamwatch.sources', '');
COMMENT ON COLUMN iamwatch.sources.event_column IS 'holds the document; of no account when the columns of the source are mapped, see iamwatch.map_columns()';

CREATE TABLE iamwatch_internal.end_of_statement ();
ALTER TABLE iamwatch_internal.end_of_statement REPLICA IDENTITY FULL;
COMMENT ON TABLE iamwatch_internal.end_of_statement IS 'always empty: its trigger runs when a statement on a watched table ends';

CREATE FUNCTION iamwatch_internal.may_be_new(event jsonb) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_may_be_new' LANGUAGE C STABLE COST 10;
COMMENT ON FUNCTION iamwatch_internal.may_be_new(jsonb) IS
'whether the event may teach anything new: looks in the memory of the backend only. For the WHEN of the trigger that iamwatch.watch() makes';

CREATE FUNCTION iamwatch_internal.observe() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_observe' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.observe() IS
'trigger AFTER INSERT FOR EACH ROW on a watched table; arguments: the column, or an empty string and the fields of iamwatch.to_document(). 39P01 when fired otherwise';

CREATE FUNCTION iamwatch_internal.process_batch() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_process_batch' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.process_batch() IS
'trigger on iamwatch_internal.end_of_statement: learns from and tests what the statement has stored';
CREATE TRIGGER process_batch AFTER INSERT ON iamwatch_internal.end_of_statement
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.process_batch();
ALTER TABLE iamwatch_internal.end_of_statement ENABLE ALWAYS TRIGGER process_batch;

CREATE FUNCTION iamwatch_internal.check_source(source regclass, event_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	type regtype;
	candidates text;
BEGIN
	IF source IS NULL OR event_column IS NULL THEN
		RAISE EXCEPTION 'table and column must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
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

CREATE FUNCTION iamwatch.watch(source regclass, event_column name DEFAULT 'event',
	fires text DEFAULT 'origin') RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	present pg_trigger;
	fields text[];
	args bytea;
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

	SELECT * INTO present FROM pg_trigger AS t
	WHERE t.tgrelid = source AND t.tgname = 'iamwatch_observe' AND NOT t.tgisinternal;
	IF present.tgparentid <> 0 THEN
		RAISE NOTICE 'partition "%" is watched through its parent, skipping', source;
		RETURN;
	END IF;
	fields := iamwatch_internal.fields_of(source);
	args := CASE WHEN fields IS NULL THEN convert_to(event_column, getdatabaseencoding()) || E'\\x00'
		ELSE E'\\x00' || convert_to(fields::text, getdatabaseencoding()) || E'\\x00' END;
	IF present.oid IS NOT NULL AND present.tgargs <> args THEN
		EXECUTE format('DROP TRIGGER iamwatch_observe ON %s', source);
		present := NULL;
	END IF;
	IF present.oid IS NULL THEN
		-- takes the place of the triggers of partitions that were watched by themselves
		PERFORM iamwatch.unwatch(p.relid)
		FROM pg_partition_tree(source) AS p JOIN pg_trigger AS t ON t.tgrelid = p.relid
		WHERE p.relid <> source AND t.tgname = 'iamwatch_observe' AND t.tgparentid = 0;
		EXECUTE format('CREATE TRIGGER iamwatch_observe AFTER INSERT ON %s FOR EACH ROW'
			' WHEN (iamwatch_internal.may_be_new(%s)) EXECUTE FUNCTION iamwatch_internal.observe(%s)',
			source, iamwatch_internal.document_expression(source, event_column, 'new'),
			CASE WHEN fields IS NULL THEN quote_literal(event_column)
			ELSE format('%L, %L', '', fields) END);
		present.tgenabled := 'O';
	END IF;
	IF present.tgenabled <> mode THEN
		EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER iamwatch_observe', source,
			CASE mode WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END);
	END IF;
	INSERT INTO iamwatch.sources AS s (source, event_column) VALUES (source, event_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE SET event_column = EXCLUDED.event_column
	WHERE s.event_column <> EXCLUDED.event_column;
END $$;
COMMENT ON FUNCTION iamwatch.watch(regclass, name, text) IS
'watch what is inserted into a table, or into a partitioned table through any of its partitions; harmless when it is watched already. Column: of type jsonb, json, text or varchar; ignored when its columns are mapped, see iamwatch.map_columns(). Fires: origin; always, also for what a subscription applies; replica, only for that. Needs the TRIGGER privilege; 42809, 42703, 42804, 22023 for what cannot be watched';

CREATE FUNCTION iamwatch.unwatch(source regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parent oid;
BEGIN
	IF source IS NULL THEN
		RAISE EXCEPTION 'table must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT p.tgrelid INTO parent
	FROM pg_trigger AS t LEFT JOIN pg_trigger AS p ON p.oid = t.tgparentid
	WHERE t.tgrelid = unwatch.source AND t.tgname = 'iamwatch_observe' AND NOT t.tgisinternal;
	IF parent IS NOT NULL THEN
		RAISE EXCEPTION 'partition "%" is watched through its parent', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('Use iamwatch.unwatch(%L).', parent::regclass);
	END IF;
	IF FOUND THEN
		EXECUTE format('DROP TRIGGER iamwatch_observe ON %s', source);
	END IF;
	DELETE FROM iamwatch.sources AS s WHERE s.source = unwatch.source;
END $$;
COMMENT ON FUNCTION iamwatch.unwatch(regclass) IS
'no longer watch a table; harmless when it is not watched. What was learned and raised stays';
