-- What no trigger fires for: tables that others fill, views, foreign tables.

CREATE FUNCTION iamwatch_internal.ingest(source regclass, events jsonb[]) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_ingest' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.ingest(regclass, jsonb[]) IS
'learn from and test documents as if one statement had inserted them into a watched table';

CREATE FUNCTION iamwatch_internal.ingest_one(source regclass, event jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_ingest_one' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.ingest_one(regclass, jsonb) IS
'one of the documents of iamwatch_internal.ingest(), to be followed by that; so that they need not all be in memory';

-- Rows that are alike in the order column stay in one batch, so none is
-- skipped when it ends among them.
CREATE FUNCTION iamwatch_internal.process_rows(source regclass, batch_rows integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.sources;
	next record;
	reached text;
	n bigint := 0;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = process_rows.source FOR UPDATE;
	FOR next IN SELECT r.document, r.at FROM iamwatch_internal.read_after(source,
			iamwatch_internal.event_column_of(source), iamwatch_internal.order_column_of(source), known.watermark, batch_rows) AS r LOOP
		PERFORM iamwatch_internal.ingest_one(source, next.document);
		reached := next.at;
		n := n + 1;
	END LOOP;
	IF n > 0 THEN
		PERFORM iamwatch_internal.ingest(source, '{}');
		UPDATE iamwatch.sources AS s SET watermark = reached, events_taken = s.events_taken + n
		WHERE s.source = process_rows.source;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION iamwatch_internal.process_rows(regclass, integer) IS
'take the next rows of a source after its watermark; how many there were';

CREATE PROCEDURE iamwatch.process(source regclass, event_column name DEFAULT NULL, order_column name DEFAULT NULL,
	batch_rows integer DEFAULT 5000)
	LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	order_column := coalesce(order_column, iamwatch_internal.order_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	PERFORM iamwatch_internal.check_order(source, order_column);
	IF batch_rows IS NULL OR batch_rows OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION 'batch_rows must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO iamwatch.sources AS s (source, event_column, order_column)
	VALUES (source, event_column, order_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE
	SET (event_column, event_attnum, order_column, order_attnum, watermark) = (EXCLUDED.event_column,
		EXCLUDED.event_attnum, EXCLUDED.order_column, EXCLUDED.order_attnum,
		CASE WHEN s.order_attnum OPERATOR(pg_catalog.=) EXCLUDED.order_attnum THEN s.watermark END);
	COMMIT;
	LOOP
		n := iamwatch_internal.process_rows(source, batch_rows);
		COMMIT;
		EXIT WHEN n OPERATOR(pg_catalog.<) batch_rows;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch.process(regclass, name, name, integer) IS
'learn from and test what came into a table, view or foreign table since the last call, in batches, each in a transaction. Order column: grows with every row, named at the first call; rows in which it is null are not taken. 42703, 42804, 22023 for what cannot be processed';

CREATE FUNCTION iamwatch_internal.order_type(source regclass, order_column name) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	type record;
BEGIN
	SELECT format_type(a.atttypid, a.atttypmod) AS name, t.typtype, t.typnamespace INTO type
	FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
	WHERE a.attrelid = source AND a.attname = order_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', order_column, source
			USING ERRCODE = 'undefined_column';
	END IF;
	-- how others compare is whatever they say
	IF type.typnamespace <> 'pg_catalog'::regnamespace OR type.typtype NOT IN ('b', 'r') THEN
		RAISE EXCEPTION 'column "%" of relation "%" is of type %, which is not built in', order_column, source, type.name
			USING ERRCODE = 'datatype_mismatch', HINT = 'Name a column of a number or a time.';
	END IF;
	RETURN type.name;
END $$;
COMMENT ON FUNCTION iamwatch_internal.order_type(regclass, name) IS
'the type of a column by which a source can be processed; 42703 or 42804 for any other';

CREATE FUNCTION iamwatch_internal.check_order(source regclass, order_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF order_column IS NULL THEN
		RAISE EXCEPTION 'the order column of "%" is not known yet', source
			USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Name a column that grows with every row, such as an identity column or the time of loading.';
	END IF;
	PERFORM iamwatch_internal.order_type(source, order_column);
	IF EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = source AND t.tgname = 'iamwatch_observe') THEN
		RAISE EXCEPTION 'relation "%" is watched already', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Either triggers or iamwatch.process(): see iamwatch.unwatch().';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_order(regclass, name) IS
'22004, 42703, 42804 or 55000 unless the relation can be processed in the order of the column';
