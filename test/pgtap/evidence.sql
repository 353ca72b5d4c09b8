-- What the evidence of an alert keeps of its events: of each list the texts that
-- sort first, so that no order of delivery changes them.
\ir settings.psql
SELECT plan(9);

SELECT lives('ann', '2026-01-01', '2026-02-09');
CREATE FUNCTION agent(n integer) RETURNS text LANGUAGE sql AS $$SELECT 'agent ' || lpad(n::text, 4, '0')$$;
CREATE FUNCTION agents(since integer, until integer) RETURNS jsonb LANGUAGE sql AS
	$$SELECT jsonb_agg(agent(n) ORDER BY n) FROM generate_series(since, until) AS n$$;
CREATE FUNCTION creates(n integer) RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws('2026-02-10T08:00:00Z', 'ann', 'CreateUser', id => 'id ' || lpad(n::text, 4, '0'), more => jsonb_build_object('userAgent', agent(n)))
$$;
CREATE FUNCTION told() RETURNS jsonb LANGUAGE sql AS $$SELECT evidence->'user_agents' FROM alerts WHERE operation = 'CreateUser'$$;

INSERT INTO log SELECT creates(n) FROM generate_series(5, 23) AS n;
SELECT is(told(), agents(5, 23), 'Lists: nineteen texts are all told');
SELECT put(creates(24));
SELECT is(told(), agents(5, 24), 'Lists: so are twenty');
SELECT put(creates(25));
SELECT is(told(), agents(5, 24), 'Lists: one that would be behind a full list is left out');
SELECT put(creates(4));
SELECT is(told(), agents(4, 23), 'Lists: one that sorts before takes the place of the last');
SELECT put(creates(10) || '{"eventID": "again"}');
SELECT is(told(), agents(4, 23), 'Lists: a text is told once');
INSERT INTO log SELECT creates(n) FROM unnest('{3,99,2}'::integer[]) AS n;
SELECT is(told(), agents(2, 21), 'Lists: several at once, as one after the other');

INSERT INTO log SELECT creates(n) FROM generate_series(1100, 101, -1) AS n;
SELECT is(jsonb_array_length(evidence->'event_ids') || ' ' || (evidence->'event_ids'->>0) || ' ' || (evidence->'event_ids'->>-1), '1000 again id 1074',
	'Lists: of the ids of events a thousand') FROM alerts WHERE operation = 'CreateUser';
SELECT is(event_count, 1026::bigint, 'Lists: what is left out of them is counted') FROM alerts WHERE operation = 'CreateUser';
SELECT is((SELECT evidence FROM alerts WHERE operation = 'CreateUser') ->> 'k', '0', 'Lists: what was counted when the alert was opened stays beside them');
SELECT * FROM finish();
ROLLBACK;
