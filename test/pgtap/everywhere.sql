\ir settings.psql
SELECT plan(17);

-- What one server says of its incidents is what the coordinator of several says
-- of the same, collected: made of alerts by chance, that begin at the same times,
-- have the same risks, and of identities that make and follow each other.
SELECT setseed(0.42);
INSERT INTO alerts (detector, variation, severity, risk, first_event_time, last_event_time, provider, account, identity,
	identity_kind, service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence, status, resolution)
SELECT 'unusual_iam_activity', 'base', 'low', floor(random() * 40) / 4, t.at, t.at + floor(random() * 3) * interval '1 hour', 'aws', '11112222333' || w.who % 5,
	'arn:aws:iam::11112222333' || w.who % 5 || ':user/u' || w.who, 'user', 'iam', CASE WHEN w.who % 3 = 0 THEN 'CreateUser' ELSE 'DeleteUser' END, false, 'account', 4, 'TA0003', 'T1098', 0.001, 10,
	jsonb_build_object('targets', jsonb_build_array('arn:aws:iam::11112222333' || (w.who + 7) % 5 || ':user/u' || (w.who + 7) % 200, 'u' || (w.who + 5) % 200), 'granted', '[]',
		'source_addresses', jsonb_build_array('192.0.2.' || floor(random() * 30)), 'context', CASE WHEN random() < 0.3 THEN '{"first_day": true}'::jsonb ELSE '{}' END),
	CASE WHEN w.who % 17 = 0 THEN 'closed' ELSE 'new' END, CASE WHEN w.who % 17 = 0 THEN 'benign' END
FROM generate_series(1, 900) AS n
CROSS JOIN LATERAL (SELECT (n * 7) % 200 AS who) AS w
CROSS JOIN LATERAL (SELECT '2026-01-01T00:00:00Z'::timestamptz + floor(random() * 90 + 0 * n) * interval '1 day' + floor(random() * 4 + 0 * n) * interval '6 hours' AS at) AS t;
SELECT cmp_ok(count(*), '>', 500::bigint, 'There are many incidents') FROM incidents;
SELECT cmp_ok(count(*), '>', 100::bigint, 'many links') FROM incident_links;
SELECT cmp_ok(count(*), '>', 20::bigint, 'also by address only') FROM incident_links WHERE reason LIKE 'from %';

CREATE FUNCTION collected() RETURNS kept_incidents[] LANGUAGE sql AS $$
	SELECT array_agg(i) FROM jsonb_populate_recordset(NULL::kept_incidents, (SELECT jsonb_agg(to_jsonb(c) ORDER BY md5(incident_id::text)) FROM current_incidents AS c)) AS i
$$;
CREATE FUNCTION rows_that_differ() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (
		(TABLE incidents EXCEPT ALL SELECT * FROM incidents_among(collected()))
		UNION ALL (SELECT * FROM incidents_among(collected()) EXCEPT ALL TABLE incidents)) AS d
$$;
SELECT is(rows_that_differ(), 0::bigint, 'Collected, they are what the view says: urgent, links and all');
SELECT cmp_ok(count(*) FILTER (WHERE urgent), '<', count(*), 'some of which are not urgent') FROM incidents;
SELECT cmp_ok(count(*) FILTER (WHERE urgent), '>', 0::bigint, 'and some are') FROM incidents;
SELECT is((SELECT count(*) FROM (TABLE incident_links EXCEPT ALL SELECT * FROM links_among(collected())) AS d), 0::bigint, 'Links are those of the view, with their reasons');
SELECT is((SELECT count(*) FROM links_among(collected())), (SELECT count(*) FROM incident_links), 'no more and no less');
UPDATE detectors SET daily_budget = 1;
SELECT is(rows_that_differ(), 0::bigint, 'The same with another budget');
UPDATE detectors SET daily_budget = 1000;
SELECT is(rows_that_differ(), 0::bigint, 'and with one that is never reached');
SELECT results_eq('SELECT * FROM everywhere(NULL::incidents) ORDER BY incident_id', 'SELECT * FROM incidents ORDER BY incident_id', 'Without Citus, everywhere() is here');

SELECT is(urgent_among('{2026-01-01Z,2026-01-29Z,2026-01-29Z,2026-02-26Z,2026-01-01Z}', '{5,4,4,3,6}', 1), '{t,f,f,f,t}', 'Those that began 28 days before count, not those of the same time');
SELECT is(urgent_among('{2026-01-01Z,2026-01-29 00:00:00.000001Z}', '{5,4}', 1), '{t,t}', 'nor those a microsecond further back');
SELECT is(urgent_among('{}', '{}', 5), '{}', 'Of none, none');
SELECT throws_ok($$SELECT urgent_among('{2026-01-01Z}', '{}', 5)$$, '2202E', NULL, 'As many risks as times');
SELECT throws_ok($$SELECT urgent_among('{NULL}', '{1}', 5)$$, '22004', NULL, 'and none of them null');
-- what other nodes are given
UPDATE detectors SET probability_limit = 0.0123456789;
SET LOCAL extra_float_digits = -15;
SELECT ok(settings_here()::text LIKE '%0.0123456789%', 'No setting of a session rounds the numbers that the nodes are given');
RESET extra_float_digits;
SELECT * FROM finish();
ROLLBACK;
