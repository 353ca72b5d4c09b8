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
	type text;
	reached text;
	n bigint;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = process_rows.source FOR UPDATE;
	SELECT format_type(a.atttypid, a.atttypmod) INTO type FROM pg_attribute AS a
	WHERE a.attrelid = process_rows.source AND a.attname = known.order_column AND NOT a.attisdropped;
	EXECUTE format($query$
		SELECT count(iamwatch_internal.ingest_one(%3$L, event)), max(at)::text
		FROM (SELECT coalesce(%1$s, 'null') AS event, %2$I AS at FROM %3$s AS source_row
			WHERE %2$I IS NOT NULL AND (%4$L::%5$s IS NULL OR %2$I > %4$L::%5$s)
			ORDER BY %2$I FETCH FIRST %6$s ROWS WITH TIES) AS batch $query$,
		iamwatch_internal.document_expression(source, known.event_column, 'source_row'),
		known.order_column, source, known.watermark, type, batch_rows)
	INTO n, reached;
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
	known iamwatch.sources;
	n bigint;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source OPERATOR(pg_catalog.=) process.source;
	event_column := coalesce(event_column, known.event_column, 'event');
	order_column := coalesce(order_column, known.order_column);
	PERFORM iamwatch_internal.check_source(source, event_column);
	PERFORM iamwatch_internal.check_order(source, order_column);
	IF batch_rows IS NULL OR batch_rows OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION 'batch_rows must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO iamwatch.sources AS s (source, event_column, order_column)
	VALUES (source, event_column, order_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE
	SET (event_column, order_column, watermark) = (EXCLUDED.event_column, EXCLUDED.order_column,
		CASE WHEN s.order_column OPERATOR(pg_catalog.=) EXCLUDED.order_column THEN s.watermark END);
	COMMIT;
	LOOP
		n := iamwatch_internal.process_rows(source, batch_rows);
		COMMIT;
		EXIT WHEN n OPERATOR(pg_catalog.<) batch_rows;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch.process(regclass, name, name, integer) IS
'learn from and test what came into a table, view or foreign table since the last call, in batches, each in a transaction. Order column: grows with every row, named at the first call; rows in which it is null are not taken. 42703, 42804, 22023 for what cannot be processed';

CREATE FUNCTION iamwatch_internal.check_order(source regclass, order_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF order_column IS NULL THEN
		RAISE EXCEPTION 'the order column of "%" is not known yet', source
			USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Name a column that grows with every row, such as an identity column or the time of loading.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = source
		AND a.attname = order_column AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', order_column, source
			USING ERRCODE = 'undefined_column';
	END IF;
	IF EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = source AND t.tgname = 'iamwatch_observe') THEN
		RAISE EXCEPTION 'relation "%" is watched already', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Either triggers or iamwatch.process(): see iamwatch.unwatch().';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_order(regclass, name) IS
'22004, 42703 or 55000 unless the relation can be processed in the order of the column';
