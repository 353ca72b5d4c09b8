\ir settings.psql
SELECT plan(58);
-- process() goes by a column that grows.  No setting of a session, and no row
-- that somebody may insert, makes it miss others.
CREATE FUNCTION step(source regclass, order_column name DEFAULT NULL, overlap text DEFAULT NULL, batch_rows integer DEFAULT 5000)
	RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	all_rows bigint := 0;
BEGIN
	order_column := coalesce(order_column, order_column_of(source));
	PERFORM check_order(source, order_column), check_overlap(source, order_column, overlap);
	PERFORM process_begin(source, 'event', order_column, overlap);
	LOOP
		n := process_rows(source, batch_rows);
		all_rows := all_rows + n;
		EXIT WHEN n < batch_rows;
	END LOOP;
	RETURN all_rows;
END $$;
CREATE FUNCTION watermark_of(source regclass) RETURNS text LANGUAGE sql AS 'SELECT watermark FROM sources AS s WHERE s.source = $1';

-- The watermark is written in a form that no setting changes.
CREATE TABLE forms (a timestamptz, b timestamp, c date, d double precision, e real, f bytea, g money, h numeric(10, 2), event jsonb);
INSERT INTO forms VALUES ('2026-02-05T10:00:00Z', '2026-02-05T10:00:00', '2026-02-05', 0.1::float8 + 0.2::float8, 0.1::float4 + 0.2::float4, '\x5c41', 1234.5, 1.5,
	aws('2026-02-05T10:00:00Z', 'one', 'ListUsers'));
CREATE FUNCTION next_is_taken(order_column name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	first text;
	again text;
BEGIN
	EXECUTE 'DELETE FROM iamwatch.sources';
	SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Kolkata'; SET extra_float_digits = -5; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601';
	first := step('forms', order_column);
	SET datestyle = 'German'; SET timezone = 'America/New_York'; SET extra_float_digits = 0; SET bytea_output = 'hex';
	again := step('forms', order_column);
	RESET datestyle; RESET timezone; RESET extra_float_digits; RESET bytea_output; RESET intervalstyle;
	RETURN first || ' ' || again || ' ' || watermark_of('forms');
END $$;
SELECT is(next_is_taken(c), '1 0 ' || w, 'Settings: the watermark of ' || c || ' is the same value for every session')
FROM (VALUES ('a', '2026-02-05 10:00:00+00'), ('b', '2026-02-05 10:00:00'), ('c', '2026-02-05'), ('d', '0.30000000000000004'), ('e', '0.3'), ('f', '\x5c41'), ('h', '1.50')) AS v (c, w);
SELECT is(next_is_taken('g'), '1 0 ' || watermark_of('forms'), 'Settings: of money, too');

-- No row is the last that is ever taken.
CREATE TABLE ahead (at timestamptz DEFAULT now(), event jsonb);
CREATE VIEW shown AS SELECT * FROM ahead;
INSERT INTO ahead (event) VALUES (aws('2026-02-05T10:00:00Z', 'before', 'ListUsers'));
SELECT is(step('shown', 'at'), '1', 'Order: a row is taken');
SELECT is(problem, NULL, 'Status: nothing is wrong') FROM source_status WHERE source = 'shown'::regclass;
INSERT INTO ahead VALUES ('infinity', '{}'), ('-infinity', '{}'), (NULL, '{}'), ('294276-12-31', '{}'), (now() + interval '2 days', '{}'), (now() + interval '1 hour', '{}');
SELECT is(step('shown'), '0', 'Order: infinity, null, and times that are yet to come are not taken');
SELECT is(watermark_of('shown')::timestamptz, now(), 'Order: and do not move the watermark');
INSERT INTO ahead (at, event) VALUES (clock_timestamp() - interval '1 second', aws('2026-02-05T12:00:00Z', 'after', 'ListUsers'));
UPDATE sources SET watermark = (now() - interval '1 hour')::text WHERE source = 'shown'::regclass;
SELECT step('shown');
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/(before|after)$'), 2::bigint, 'Order: what comes after them is');
SELECT is(problem, '5 rows are not taken, as column "at" is null, infinite or a time that is yet to come; set it in them, and keep those who insert from setting it',
	'Status: how many are not taken, and what to do') FROM source_status WHERE source = 'shown'::regclass;
DELETE FROM ahead WHERE at IS NULL OR at > now() OR at = '-infinity';
SELECT step('shown');
SELECT is(problem, NULL, 'Status: until they are gone') FROM source_status WHERE source = 'shown'::regclass;
CREATE TABLE odd (a double precision, b numeric, c real, d date, e timestamp, event jsonb);
INSERT INTO odd VALUES ('NaN', 'NaN', 'Infinity', 'infinity', 'infinity', aws('2026-02-05T10:00:00Z', 'odd', 'ListUsers')),
	('Infinity', 'Infinity', 'NaN', '5874897-12-31', '294276-12-31', aws('2026-02-05T10:00:00Z', 'odd', 'ListUsers')),
	('-Infinity', '-Infinity', '-Infinity', '-infinity', '-infinity', aws('2026-02-05T10:00:00Z', 'odd', 'ListUsers')),
	(1, 1, 1, '2026-01-01', '2026-01-01', aws('2026-02-05T10:00:00Z', 'even', 'ListUsers'));
CREATE FUNCTION odd_rows(order_column name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n text := step('odd', order_column);
BEGIN
	RETURN n || ' ' || (SELECT s.rows_without_order FROM iamwatch.sources AS s WHERE s.source = 'odd'::regclass);
END $$;
SELECT is(odd_rows(c), '1 3', 'Order: nor what is no number or no time, as ' || c) FROM unnest('{a,b,c,d,e}'::name[]) AS c;
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/odd$'), 0::bigint, 'Order: none of them');

-- Rows that come after others with the same value, as times do.
CREATE TABLE seconds (at timestamptz, event jsonb);
INSERT INTO seconds SELECT '2026-02-05T10:00:00Z', aws('2026-02-05T10:00:00Z', 'second' || n, 'ListUsers') FROM generate_series(1, 3) AS n;
SELECT is(step('seconds', 'at', NULL, 2) || ' ' || step('seconds'), '3 0', 'Alike: are read together, and once');
INSERT INTO seconds SELECT '2026-02-05T10:00:00Z', aws('2026-02-05T10:00:00Z', 'second' || n, 'ListUsers') FROM generate_series(4, 5) AS n;
SELECT is(step('seconds') || ' ' || step('seconds'), '5 0', 'Alike: when some came to them they are read again, and then no more');
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/second.$'), 5::bigint, 'Alike: none is missed');
SELECT is((SELECT events_taken FROM sources WHERE source = 'seconds'::regclass), 5::bigint, 'Alike: nor counted twice');
DELETE FROM seconds WHERE event::text ~ 'second[123]';
SELECT step('seconds');
INSERT INTO seconds VALUES ('2026-02-05T10:00:00Z', aws('2026-02-05T10:00:00Z', 'second6', 'ListUsers')), ('2026-02-05T10:00:01Z', aws('2026-02-05T10:00:01Z', 'second7', 'ListUsers'));
SELECT is(step('seconds'), '4', 'Alike: also when others were deleted, and with those that follow');
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/second.$'), 7::bigint, 'Alike: none of them either');
INSERT INTO seconds VALUES ('2026-02-05T10:00:01Z', aws('2026-02-05T10:00:01Z', 'second8', 'ListUsers'));
SELECT process_begin('seconds', 'event', 'at', NULL);
SELECT step('seconds');
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/second8$'), 1::bigint, 'Alike: nor one that a call which failed had counted, and not read');
SELECT is((SELECT events_taken FROM sources WHERE source = 'seconds'::regclass), 8::bigint, 'Alike: which is counted once');
CREATE TABLE written (n numeric, event jsonb);
INSERT INTO written SELECT v, aws('2026-02-05T10:00:00Z', 'written' || v, 'ListUsers') FROM unnest('{1.0,1.00,1.000}'::numeric[]) AS v;
SELECT is(step('written', 'n', '0.5', 1) || ' ' || step('written', NULL, NULL, 1) || ' ' || step('written', NULL, NULL, 1), '3 3 3', 'Alike: however they are written, an overlap ends');
SELECT is((SELECT rows_at_watermark FROM sources WHERE source = 'written'::regclass), 3::bigint, 'Alike: and they are known to be');

-- A type must have an order.
CREATE TABLE of_types (v varchar(9), c cidr, r int4range, a integer[], x xid, p point, o regclass);
SELECT lives_ok(format('SELECT order_type(%L, %L)', 'of_types', c), 'Order: a column that has one, as ' || c) FROM unnest('{v,c,r,a}'::name[]) AS c;
SELECT throws_ok(format('SELECT order_type(%L, %L)', 'of_types', c), '42804', NULL, 'Order: 42804 for one that has none, as ' || c) FROM unnest('{x,p,o}'::name[]) AS c;

-- Rows that are committed late, with a lower value.
CREATE TABLE numbered (id bigint, at timestamptz, label text, event jsonb);
INSERT INTO numbered SELECT n, '2026-02-01T00:00:00Z'::timestamptz + n * interval '1 minute', n, aws('2026-02-0' || n || 'T10:00:00Z', 'ann', 'ListUsers', id => 'n' || n) FROM generate_series(1, 5) AS n WHERE n <> 4;
SELECT is(step('numbered', 'id'), '4', 'Overlap: four of five rows are there');
INSERT INTO numbered VALUES (4, '2026-02-01T00:04:00Z', '4', aws('2026-02-04T10:00:00Z', 'late', 'ListUsers', id => 'n4'));
SELECT is(step('numbered'), '0', 'Overlap: without one, the one that comes late is missed');
SELECT is(step('numbered', NULL, '2'), '2', 'Overlap: with one, it is read, and what was read of late');
SELECT is((SELECT count(*) FROM identities WHERE identity ~ '/late$'), 1::bigint, 'Overlap: and taken');
SELECT is(step('numbered') || watermark_of('numbered') || (SELECT overlap FROM sources WHERE source = 'numbered'::regclass), '252', 'Overlap: is remembered, and moves no watermark back');
SELECT is(step('numbered', NULL, NULL, 1) || watermark_of('numbered'), '25', 'Overlap: in batches that are smaller than it');
SELECT is((SELECT events_taken FROM sources WHERE source = 'numbered'::regclass), 4::bigint, 'Overlap: rows that are read again are not counted as taken');
SELECT is(step('numbered', 'at', '90 seconds'), '5', 'Overlap: another column begins anew');
SELECT is(step('numbered'), '2', 'Overlap: of times, an interval');
SELECT throws_ok(format('SELECT check_overlap(%L, %L, %L)', 'numbered', c, o), '22023', NULL, 'Overlap: 22023 for ' || o || ' with ' || c)
FROM (VALUES ('id', '-1'), ('id', '1 hour'), ('at', '-1 hour'), ('at', 'x'), ('label', '1')) AS v (c, o);

-- An event that comes again is counted once, also when it has no id.
SELECT lives('joe', '2026-01-01', '2026-02-09');
CREATE TABLE unnamed (id bigint, event jsonb);
INSERT INTO unnamed SELECT n, aws('2026-02-10T10:0' || n || ':00Z', 'joe', 'CreateUser') - 'eventID' FROM generate_series(1, 3) AS n;
SELECT step('unnamed', 'id', '10') FROM generate_series(1, 3);
SELECT is(event_count, 3::bigint, 'Overlap: events without an id are not counted again') FROM alerts WHERE identity ~ '/joe$';
SELECT put(aws('2026-02-10T11:00:00Z', 'joe', 'CreateUser', id => 'named'));
INSERT INTO unnamed VALUES (2, aws('2026-02-10T11:00:00Z', 'joe', 'CreateUser') - 'eventID');
SELECT step('unnamed');
SELECT is(event_count, 5::bigint, 'Overlap: one without is another than one of the same time with an id') FROM alerts WHERE identity ~ '/joe$';

-- How many rows have the value of the last one is known with an overlap, too.
CREATE TABLE ticks (n integer, event jsonb);
INSERT INTO ticks SELECT n, aws('2026-02-05T10:00:00Z', 'tick' || n, 'ListUsers') FROM unnest('{1,2,2}'::int[]) AS n;
SELECT step('ticks', 'n', '2'), step('ticks');
SELECT is((SELECT rows_at_watermark FROM sources WHERE source = 'ticks'::regclass), 2::bigint,
	'Alike: they are counted after those before them that are read again');
CREATE TABLE lowest (s smallint, i integer, b bigint);
SELECT is(before_watermark('lowest', c, (least + 1)::text, '2'), least::text, 'Overlap: no further back than the type goes, ' || c)
FROM (VALUES ('s', -32768::numeric), ('i', -2147483648), ('b', -9223372036854775808)) AS v (c, least);
SELECT * FROM finish();
ROLLBACK;
