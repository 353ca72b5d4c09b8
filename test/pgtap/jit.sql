-- Where the server compiles expressions, the same comes out.
\ir settings.psql
SELECT plan(2);
SELECT lives('ann', '2026-01-01', '2026-03-01');
SELECT lives('bob', '2026-01-15', '2026-02-10');
CREATE FUNCTION digest() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(concat_ws(' ', identity, days, counted, inside), ';' ORDER BY identity) FROM (
		SELECT identity, dayset_agg(event_time) AS days, max(count_days(days, '2026-01-10', '2026-02-20')) AS counted,
			dayset_union(days) @> dayset('2026-01-20'::date) AS inside
		FROM log CROSS JOIN LATERAL parse(event) CROSS JOIN LATERAL (SELECT dayset(event_time::date, event_time::date + 40) AS days) AS d
		GROUP BY identity) AS x $$;
SET LOCAL jit = off;
CREATE TEMP TABLE interpreted AS SELECT digest();
SET LOCAL jit = on;
SET LOCAL jit_above_cost = 0;
SET LOCAL jit_inline_above_cost = 0;
SET LOCAL jit_optimize_above_cost = 0;
SELECT CASE WHEN pg_jit_available() THEN is(digest(), interpreted.digest, 'Compiled, functions and aggregates give what they give interpreted')
	ELSE skip('this server does not compile') END FROM interpreted;
INSERT INTO log SELECT aws('2026-03-02T08:00:00Z', 'bob', 'CreateUser');
SELECT isnt_empty('SELECT FROM alerts', 'and the triggers raise alerts');
SELECT * FROM finish();
ROLLBACK;
