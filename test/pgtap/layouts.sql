\ir settings.psql
SELECT plan(8);

-- What is read of a document depends on it alone, not on those read before it,
-- however much their keys are alike.
CREATE FUNCTION read(event jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', (p).account, (p).identity, (p).service, (p).operation, (p).failed, (p).event_time, unreadable(event))
	FROM parse(event) AS p
$$;
CREATE FUNCTION without_one(event jsonb, key text, more jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT event - key || more
$$;
CREATE TABLE alike (n int, event jsonb);
INSERT INTO alike
SELECT 1, aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser', more => '{"errorCode": "x"}')
UNION ALL SELECT 2, aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser', more => '{"errorCodf": "x"}')
UNION ALL SELECT 3, aws('2026-03-02T00:00:00Z', 'bob', 'CreateUser', more => '{"errorCodd": "x"}')
UNION ALL SELECT 4, without_one(aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser'), 'eventName', '{"eventNamf": "CreateUser"}')
UNION ALL SELECT 5, without_one(aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser'), 'eventName', '{"eventNamd": "CreateUser"}')
UNION ALL SELECT 6, aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser')
UNION ALL SELECT 7, aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser') || '{"a": 1, "z": {"eventName": "DeleteUser"}}';

SELECT is(read(event) ~ ' t 2026', true, 'Fields: errorCode is seen') FROM alike WHERE n = 1;
SELECT is(array_agg(read(event) ~ ' f 2026' ORDER BY n), '{t,t}', 'Fields: names of the same length are not taken for errorCode')
FROM alike WHERE n IN (2, 3);
SELECT is(array_agg(unreadable(event) ORDER BY n), '{eventName is missing or no string,eventName is missing or no string}',
	'Fields: names of the same length are not taken for eventName')
FROM alike WHERE n IN (4, 5);
SELECT is((SELECT read(event) FROM alike WHERE n = 7), (SELECT read(event) FROM alike WHERE n = 6), 'Fields: further keys change nothing');

-- The same in every order and many times over: the second reading finds what the first has left.
CREATE TABLE first_reading AS SELECT n, read(event) AS said FROM alike;
SELECT is((SELECT count(*) FROM generate_series(1, 50) AS i, LATERAL (SELECT * FROM alike ORDER BY hashint4(n + i * 100)) AS a
	JOIN first_reading AS f USING (n) WHERE read(a.event) <> f.said), 0::bigint, 'Fields: no order of documents changes what is read');

-- From 32 keys on, the binary form of an object differs.
CREATE FUNCTION padded(keys int, longest int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws('2026-03-01T00:00:00Z', 'ann', 'CreateUser', more => '{"errorCode": "x"}')
		|| coalesce((SELECT jsonb_object_agg('k' || lpad(i::text, longest, '0'), repeat('v', i)) FROM generate_series(1, keys) AS i), '{}')
$$;
SELECT is((SELECT count(DISTINCT read(padded(keys, longest))) FROM generate_series(0, 200) AS keys, unnest('{2,12,40}'::int[]) AS longest), 1::bigint,
	'Fields: the number of keys, and their length, change nothing');
SELECT is((SELECT count(DISTINCT read(padded(keys, 500))) FROM generate_series(0, 40) AS keys), 1::bigint,
	'Fields: names of any length, together, change nothing');
SELECT is((SELECT array_agg(DISTINCT (parse(aws(day::text || 'T00:00:00Z', 'ann', 'CreateUser'))).event_time::date - day)
	FROM (SELECT '2026-01-01'::date + (i * 37) % 90 AS day FROM generate_series(1, 200) AS i) AS d), '{0}',
	'Times: the day of an event is its own, whatever came before');
SELECT * FROM finish();
ROLLBACK;
