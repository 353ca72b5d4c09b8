-- What no trigger fires for: tables that others fill, views, foreign tables.

CREATE FUNCTION iamwatch_internal.ingest(source regclass, events jsonb[]) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_ingest' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.ingest(regclass, jsonb[]) IS
'learn from and test documents as if one statement had inserted them into a watched table';

CREATE FUNCTION iamwatch_internal.ingest_one(source regclass, event jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_ingest_one' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.ingest_one(regclass, jsonb) IS
'one of the documents of iamwatch_internal.ingest(), to be followed by that; so that they need not all be in memory';

CREATE FUNCTION iamwatch_internal.check_overlap(source regclass, order_column name, overlap text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	type regtype := (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = source AND a.attname = order_column);
	is_time boolean := type IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype);
BEGIN
	IF overlap IS NULL THEN
		RETURN;
	ELSIF NOT is_time AND type NOT IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype,
		'real'::regtype, 'double precision'::regtype) THEN
		RAISE EXCEPTION 'there is no overlap with column "%" of relation "%", which is of type %', order_column, source, type
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It needs a column of a number or a time.';
	END IF;
	IF NOT (CASE WHEN is_time THEN overlap::interval >= interval '0'
		ELSE overlap::numeric BETWEEN 0 AND 9223372036854775807 END) THEN
		RAISE invalid_parameter_value;
	END IF;
EXCEPTION
	WHEN data_exception THEN
		RAISE EXCEPTION 'invalid overlap: %', quote_literal(left(overlap, 200))
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Column "%s" is of type %s: use %s.', order_column, type,
				CASE WHEN is_time THEN 'an interval such as 10 minutes, not below nothing' ELSE 'a number from 0 to 9223372036854775807' END);
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_overlap(regclass, name, text) IS
'22023 unless so much can lie between two values of the order column';

-- Where to begin: so far before the watermark.
CREATE FUNCTION iamwatch_internal.before_watermark(source regclass, order_column name, watermark text, overlap text) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 3 AS $$
DECLARE
	type regtype := (SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = source AND a.attname = order_column);
	is_time boolean := type IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype);
BEGIN
	IF overlap IS NULL THEN
		RETURN watermark;
	END IF;
	PERFORM iamwatch_internal.check_overlap(source, order_column, overlap);
	IF is_time THEN
		RETURN CASE type WHEN 'timestamptz'::regtype THEN (watermark::timestamptz - overlap::interval)::text
			WHEN 'timestamp'::regtype THEN (watermark::timestamp - overlap::interval)::text
			ELSE (watermark::date - overlap::interval)::date::text END;
	END IF;
	RETURN CASE type WHEN 'smallint'::regtype THEN GREATEST(watermark::numeric - overlap::numeric, -32768)::text
		WHEN 'integer'::regtype THEN GREATEST(watermark::numeric - overlap::numeric, -2147483648)::text
		WHEN 'bigint'::regtype THEN GREATEST(watermark::numeric - overlap::numeric, -9223372036854775808)::text
		WHEN 'numeric'::regtype THEN (watermark::numeric - overlap::numeric)::text
		WHEN 'real'::regtype THEN (watermark::real - overlap::real)::text
		WHEN 'double precision'::regtype THEN (watermark::double precision - overlap::double precision)::text
		ELSE watermark END;
EXCEPTION
	WHEN datetime_field_overflow OR numeric_value_out_of_range THEN
		RETURN CASE WHEN is_time THEN '-infinity' ELSE watermark END;
END $$;
COMMENT ON FUNCTION iamwatch_internal.before_watermark(regclass, name, text, text) IS
'the watermark of a source less the overlap; before all times if there is none so early';

-- An id tells an event that comes again; without one, its time does.
CREATE FUNCTION iamwatch_internal.is_counted(event iamwatch.event) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT event.event_id IS NULL AND EXISTS (
		SELECT FROM iamwatch_internal.all_alerts AS a JOIN iamwatch.alert_events AS x ON x.alert_id = a.alert_id
		WHERE hashtextextended(a.identity, 0) = hashtextextended(event.identity, 0)
		AND a.identity = event.identity AND a.operation = event.operation
		AND a.service = event.service AND a.failed = event.failed
		AND a.account = event.account AND a.provider = event.provider
		AND x.event_id IS NULL AND x.event_time = event.event_time)
$$;
COMMENT ON FUNCTION iamwatch_internal.is_counted(iamwatch.event) IS
'whether an event without an id is in an alert already, by its time';

-- Rows that are alike in the order column stay in one batch, so none is
-- skipped when it ends among them.  The watermark is text that no setting of a
-- session changes.
CREATE FUNCTION iamwatch_internal.process_rows(source regclass, batch_rows integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET extra_float_digits = 3 SET bytea_output = 'hex'
	SET lc_monetary = 'C' AS $$
DECLARE
	known iamwatch.sources;
	next record;
	reached text;
	taken bigint := 0;
	is_behind boolean;	-- the last row that was read, the watermark
	alike bigint := 0;	-- rows that were read with the value of the watermark
	n bigint := 0;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = process_rows.source FOR UPDATE;
	FOR next IN SELECT r.document, r.at, r.fresh FROM iamwatch_internal.read_after(source,
			iamwatch_internal.event_column_of(source), iamwatch_internal.order_column_of(source),
			coalesce(known.reading_from, known.watermark), known.watermark, batch_rows, known.rows_at_watermark IS NULL) AS r LOOP
		IF next.fresh OR NOT iamwatch_internal.is_counted(iamwatch.parse(next.document)) THEN
			PERFORM iamwatch_internal.ingest_one(source, next.document);
		END IF;
		is_behind := next.fresh IS FALSE;
		alike := CASE WHEN is_behind THEN 0 WHEN next.fresh IS NULL OR next.at = known.watermark THEN alike + 1 ELSE 1 END;
		reached := next.at;
		n := n + 1;
		IF next.fresh THEN
			known.watermark := next.at;
			taken := taken + 1;
		END IF;
	END LOOP;
	IF n > 0 THEN
		PERFORM iamwatch_internal.ingest(source, '{}');
		UPDATE iamwatch.sources AS s SET watermark = known.watermark, reading_from = reached,
			events_taken = s.events_taken + taken,
			rows_at_watermark = CASE WHEN is_behind THEN coalesce(s.rows_at_watermark, 0) ELSE alike END
		WHERE s.source = process_rows.source;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION iamwatch_internal.process_rows(regclass, integer) IS
'take the next rows of a source after its watermark, or after where a call of iamwatch.process() that overlaps has come; how many there were';

-- In the first transaction of a call.
CREATE FUNCTION iamwatch_internal.process_begin(in_source regclass, in_event_column name, in_order_column name, in_overlap text)
	RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.sources;
	found_now record;
	came bigint;
BEGIN
	INSERT INTO iamwatch.sources AS s (source, event_column, order_column, overlap)
	VALUES (in_source, in_event_column, in_order_column, in_overlap)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE
	SET (event_column, event_attnum, order_column, order_attnum, watermark, overlap) = (EXCLUDED.event_column,
		EXCLUDED.event_attnum, EXCLUDED.order_column, EXCLUDED.order_attnum,
		CASE WHEN s.order_attnum = EXCLUDED.order_attnum THEN s.watermark END,
		coalesce(EXCLUDED.overlap, CASE WHEN s.order_attnum = EXCLUDED.order_attnum THEN s.overlap END));
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = in_source;
	SELECT * INTO found_now FROM iamwatch_internal.read_unordered(in_source, in_event_column, in_order_column, known.watermark);
	-- a row with the value of the last one can come after it, as times do; null, so that they are
	-- read again, if how many there were is not known, as after a call that failed before it read them
	came := CASE WHEN found_now.alike > known.rows_at_watermark THEN found_now.alike - known.rows_at_watermark
		WHEN known.rows_at_watermark IS NOT NULL THEN 0 END;
	UPDATE iamwatch.sources AS s SET reading_from = iamwatch_internal.before_watermark(in_source, in_order_column, s.watermark, s.overlap),
		rows_without_order = found_now.unordered, events_taken = s.events_taken + coalesce(came, 0),
		rows_at_watermark = CASE WHEN came = 0 THEN found_now.alike END
	WHERE s.source = in_source;
END $$;
COMMENT ON FUNCTION iamwatch_internal.process_begin(regclass, name, name, text) IS
'remember by what a source is processed, where the call begins to read, and how many rows have no place in that order or came to that of the last one';

CREATE PROCEDURE iamwatch.process(source regclass, event_column name DEFAULT NULL, order_column name DEFAULT NULL,
	batch_rows integer DEFAULT 5000, overlap text DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.process()');
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	order_column := coalesce(order_column, iamwatch_internal.order_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	PERFORM iamwatch_internal.check_order(source, order_column);
	PERFORM iamwatch_internal.check_overlap(source, order_column, overlap);
	IF batch_rows IS NULL OR batch_rows OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION 'batch_rows must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM iamwatch_internal.process_begin(source, event_column, order_column, overlap);
	-- under a fixed snapshot, which can be a database's default, alerts would be left to maintain()
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	LOOP
		n := iamwatch_internal.process_rows(source, batch_rows);
		COMMIT AND CHAIN;
		EXIT WHEN n OPERATOR(pg_catalog.<) batch_rows;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch.process(regclass, name, name, integer, text) IS
'learn from and test what came into a table, view or foreign table since the last call, in batches, each in a transaction. Order column: grows with every row, named at the first call; rows for which it is null, infinite or a time that is yet to come are not taken, and iamwatch.source_status says so. Overlap: how far before the last row taken each call begins, for rows that are committed late: an interval such as 10 minutes, or a number; it is remembered, and what comes again is not counted again. 42703, 42804, 22023 for what cannot be processed';

CREATE FUNCTION iamwatch_internal.order_type(source regclass, order_column name) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	type record;
BEGIN
	SELECT format_type(a.atttypid, a.atttypmod) AS name, t.oid, t.typtype, t.typcategory, t.typnamespace INTO type
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
	IF NOT EXISTS (SELECT FROM pg_opclass AS o JOIN pg_am AS m ON m.oid = o.opcmethod
		WHERE m.amname = 'btree' AND o.opcdefault AND o.opcintype IN (type.oid,
			CASE WHEN type.oid = 'varchar'::regtype THEN 'text'::regtype WHEN type.oid = 'cidr'::regtype THEN 'inet'::regtype
				WHEN type.typtype = 'r' THEN 'anyrange'::regtype WHEN type.typcategory = 'A' THEN 'anyarray'::regtype END)) THEN
		RAISE EXCEPTION 'column "%" of relation "%" is of type %, which has no order', order_column, source, type.name
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
	IF EXISTS (SELECT FROM iamwatch_internal.observers(source)) THEN
		RAISE EXCEPTION 'relation "%" is watched already', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Either triggers or iamwatch.process(): see iamwatch.unwatch().';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_order(regclass, name) IS
'22004, 42703, 42804 or 55000 unless the relation can be processed in the order of the column';
