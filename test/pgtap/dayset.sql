\ir settings.psql
SELECT plan(43);

SELECT is('{2026-03-01,2026-03-04..2026-03-09}'::dayset::text, '{2026-03-01,2026-03-04..2026-03-09}', 'text: as it was written');
SELECT is(' { 2026-03-04 , 2026-03-01 .. 2026-03-03,2026-03-02 } '::dayset::text, '{2026-03-01..2026-03-04}', 'text: any order, overlaps, blanks');
SELECT is('{}'::dayset::text, '{}', 'text: the empty set');
SELECT is('{0001-01-01,9999-12-31}'::dayset::text, '{0001-01-01,9999-12-31}', 'text: far days');
SELECT throws_ok(format('SELECT %L::iamwatch.dayset', bad), '22P02', NULL, 'text: 22P02 for ' || bad)
FROM unnest(ARRAY['', '{', '2026-03-01', '{2026-03-01', '{2026-03-01}}', '{,}', '{2026-03-01..}', '{2026-03-09..2026-03-01}', '{2026-3-1}', '{x}']) AS bad;
SELECT throws_like($$SELECT '{2026-02-30}'::iamwatch.dayset$$, '%2026-02-30%', 'text: the bad part is named');
SELECT is(('{2026-03-01..2026-03-03}'::dayset | '{2026-03-04,2026-03-09}')::text, '{2026-03-01..2026-03-04,2026-03-09}', 'operator | is union');
SELECT is(('{2026-03-01..2026-03-05}'::dayset & '{2026-03-04..2026-03-09}')::text, '{2026-03-04..2026-03-05}', 'operator & is intersection');
SELECT is(('{2026-03-01..2026-03-05}'::dayset - '{2026-03-02..2026-03-03}')::text, '{2026-03-01,2026-03-04..2026-03-05}', 'operator - is difference');
SELECT is('{2026-03-01..2026-03-05}'::dayset @> '{2026-03-02,2026-03-05}'::dayset, true, 'operator @> contains a set');
SELECT is('{2026-03-01..2026-03-05}'::dayset @> '{2026-03-06}'::dayset, false, 'operator @> does not contain it');
SELECT is('{2026-03-01..2026-03-05}'::dayset @> '2026-03-03'::date, true, 'operator @> contains a day');
SELECT is('{2026-03-01,2026-03-02}'::dayset = '{2026-03-01..2026-03-02}'::dayset, true, 'operator = compares days');
SELECT is('{2026-03-01}'::dayset = '{}'::dayset, false, 'operator = tells them apart');
SELECT results_eq($$SELECT days('{2026-03-01..2026-03-02,2026-03-05}'::dayset)$$, $$VALUES ('2026-03-01'::date), ('2026-03-02'), ('2026-03-05')$$, 'days: a row each');
SELECT is(count_days('{2026-03-01..2026-03-09}', '2026-03-03', '2026-03-04'), 2, 'count_days: both ends included');
SELECT is(count_days('{2026-03-01..2026-03-09}', '2026-03-04', '2026-03-03'), 0, 'count_days: none if reversed');
SELECT is(first_day('{2026-03-02..2026-03-09}') || ' ' || last_day('{2026-03-02..2026-03-09}'), '2026-03-02 2026-03-09', 'first_day and last_day');
SELECT is(first_day('{}'), NULL, 'first_day: null for an empty set');
SELECT is('{2026-03-01..2026-03-03}'::dayset::datemultirange, '{[2026-03-01,2026-03-04)}', 'cast to datemultirange');
SELECT is('{[2026-03-01,2026-03-04)}'::datemultirange::dayset::text, '{2026-03-01..2026-03-03}', 'cast from datemultirange');
SELECT is('{4714-11-24 BC..5874897-12-30}'::dayset::datemultirange::dayset::text, '{4714-11-24 BC..5874897-12-30}',
	'cast to datemultirange and back: the first possible day, and the last but one');
SELECT throws_ok($$SELECT '{5874897-12-30..5874897-12-31}'::iamwatch.dayset::datemultirange$$, '22008', NULL,
	'cast to datemultirange: 22008 for the last possible day, which no range of dates can hold');
SELECT is(count_days('{4714-11-24 BC..5874897-12-31}'), 2147483494, 'count_days: all possible days');
SELECT is((SELECT array_agg(d) FROM days('{5874897-12-30..5874897-12-31}') AS d), '{5874897-12-30,5874897-12-31}'::date[], 'days: the last possible day');
SELECT is(('{5874897-12-31}'::dayset - '{5874897-12-30}'::dayset)::text, '{5874897-12-31}', 'operator -: the last possible day');
SELECT is('{2020-01-01}'::dayset @> 'infinity'::date, false, 'operator @>: no set has an infinite day');
SELECT is(count_days('{2020-01-01}', '-infinity', 'infinity') || ' ' || count_days('{2020-01-01}', 'infinity', '-infinity'), '1 0', 'count_days: infinite dates mean no bound');
SELECT is(dayset_agg(t)::text, '{4714-11-24 BC,294276-12-31}', 'dayset_agg: the first and the last possible time')
FROM unnest('{4714-11-24 00:00:00+00 BC,294276-12-31 23:59:59.999999+00}'::timestamptz[]) AS t;
SELECT is(dayset_agg(t)::text, '{2025-12-31..2026-01-01}', 'dayset_agg: UTC days, whatever the TimeZone')
FROM unnest('{2026-01-01T00:30:00+01:00,2026-01-01T00:00:00Z,2026-01-01T23:59:59.999999Z}'::timestamptz[]) AS t;
SELECT is(dayset_agg(NULL), NULL, 'dayset_agg: null for no times');
SELECT is(dayset_union(d)::text, '{2026-03-01..2026-03-04}', 'dayset_union: the days of all sets')
FROM unnest('{"{2026-03-01,2026-03-04}","{2026-03-02..2026-03-03}"}'::dayset[]) AS d;

-- Parallel: a combined state gives the same days.
CREATE TABLE times AS SELECT '1990-01-01'::timestamptz + i * interval '1 hour' * (i % 2 + 1) AS t FROM generate_series(1, 60000) AS i;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT is(count(*) > 0, true, 'dayset_agg: aggregated by parallel workers') FROM plan_of('SELECT dayset_agg(t) FROM times') AS p WHERE p LIKE '%Partial Aggregate%';
SELECT is((SELECT dayset_agg(t) FROM times), (SELECT dayset_union(dayset((t AT TIME ZONE 'UTC')::date)) FROM times), 'dayset_agg: the same days as one by one');

SELECT * FROM finish();
ROLLBACK;
