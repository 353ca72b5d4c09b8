\ir settings.psql
SELECT plan(87);

-- The definition, as plainly as it can be said: what is kept is compared with it.
CREATE VIEW defined AS
WITH gaps AS (
	SELECT a.*, coalesce(a.first_event_time >= max(a.last_event_time) OVER before
			+ coalesce(d.deduplication_days, 5) * interval '24 hours', true) AS begins
	FROM alerts AS a LEFT JOIN detectors AS d USING (detector)
	WINDOW before AS (PARTITION BY a.detector, a.provider, a.account, a.identity ORDER BY a.first_event_time, a.alert_id
		ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), numbered AS (
	SELECT g.*, count(*) FILTER (WHERE g.begins) OVER (PARTITION BY g.detector, g.provider, g.account, g.identity
		ORDER BY g.first_event_time, g.alert_id) AS n
	FROM gaps AS g
), incident AS (
	SELECT (array_agg(alert_id ORDER BY first_event_time, alert_id))[1] AS incident_id, detector, provider, account, identity,
		(array_agg(identity_kind ORDER BY first_event_time, alert_id))[1] AS identity_kind,
		coalesce(max(risk) FILTER (WHERE resolution IS DISTINCT FROM 'benign' AND resolution IS DISTINCT FROM 'expected_change'), 0) AS risk,
		(array_agg(severity ORDER BY severity_rank(severity) DESC))[1] AS severity,
		CASE WHEN every(status = 'closed') THEN 'closed' WHEN bool_or(status = 'investigating') THEN 'investigating' ELSE 'new' END AS status,
		min(first_event_time) AS first_event_time, max(last_event_time) AS last_event_time,
		count(*) AS alerts, count(*) FILTER (WHERE status <> 'closed') AS open_alerts, sum(event_count)::bigint AS events,
		array_agg(service || ':' || operation || CASE WHEN failed THEN ' (failed)' ELSE '' END ORDER BY first_event_time, alert_id) AS operations,
		array_agg(DISTINCT technique) AS techniques, max(sensitivity) AS sensitivity,
		array_agg(DISTINCT assignee) FILTER (WHERE assignee IS NOT NULL) AS assignees,
		array_agg(alert_id ORDER BY first_event_time, alert_id) AS alert_ids
	FROM numbered
	GROUP BY detector, provider, account, identity, n
), ranked AS (
	SELECT i.*, ARRAY(SELECT e.risk FROM incident AS e WHERE e.detector = i.detector AND e.first_event_time < i.first_event_time
		AND e.first_event_time >= i.first_event_time - interval '672 hours' ORDER BY e.risk DESC) AS before,
		28 * (SELECT daily_budget FROM detectors AS d WHERE d.detector = i.detector) AS most
	FROM incident AS i
)
SELECT incident_id, detector, provider, account, identity, identity_kind, risk,
	cardinality(before) < most OR risk >= before[most] AS urgent,
	severity, status, first_event_time, last_event_time, alerts, open_alerts, events, operations, techniques, sensitivity, assignees, alert_ids
FROM ranked;
CREATE VIEW shown AS
SELECT incident_id, detector, provider, account, identity, identity_kind, risk, urgent, severity, status, first_event_time,
	last_event_time, alerts, open_alerts, events, operations, techniques, sensitivity, assignees, alert_ids FROM incidents;
CREATE VIEW differences AS
SELECT count(*) AS n FROM ((TABLE shown EXCEPT ALL TABLE defined) UNION ALL (TABLE defined EXCEPT ALL TABLE shown)) AS d;
CREATE VIEW strays AS
SELECT count(*) AS n FROM alerts AS a LEFT JOIN (SELECT DISTINCT incident_id, unnest(alert_ids) AS alert_id FROM defined) AS d USING (alert_id)
WHERE a.incident_id IS DISTINCT FROM d.incident_id;
CREATE VIEW stale AS SELECT count(*) AS n FROM changed_incidents;

SELECT lives(who, '2026-01-01', '2026-03-20') FROM unnest(ARRAY['ann', 'bob']) AS who;

-- a compromised identity that does twelve unusual things
INSERT INTO log SELECT aws('2026-02-10T10:' || to_char(n, 'FM00') || ':00Z', 'ann', operation)
FROM unnest(ARRAY['CreateUser', 'CreateAccessKey', 'CreateLoginProfile', 'AttachUserPolicy', 'CreateRole', 'UpdateAssumeRolePolicy',
	'PutRolePolicy', 'CreatePolicyVersion', 'AddUserToGroup', 'DeactivateMFADevice', 'CreateSAMLProvider', 'DeleteUser']) WITH ORDINALITY AS o (operation, n);
SELECT is(count(*), 12::bigint, 'Twelve unusual things are twelve alerts') FROM alerts;
SELECT is(count(*) || ' ' || sum(alerts), '1 12', 'Twelve unusual things of an identity are one line') FROM incidents;
SELECT is(operations[1:3], '{iam:CreateUser,iam:CreateAccessKey,iam:CreateLoginProfile}', 'Operations: in order') FROM incidents;
SELECT is(incident_id, (SELECT min(alert_id) FROM alerts), 'Its number is that of its first alert') FROM incidents;
SELECT is(techniques, (SELECT array_agg(DISTINCT technique) FROM alerts), 'Techniques: each once') FROM incidents;
SELECT is(risk, (SELECT max(risk) FROM alerts), 'Risk: the highest of its alerts, not their sum') FROM incidents;
SELECT is(array_agg(DISTINCT incident_id), (SELECT array_agg(incident_id) FROM incidents), 'Alerts: each has its incident') FROM alerts;

-- gaps
SELECT put(aws('2026-02-15T10:11:59Z', 'ann', 'CreateGroup'));
SELECT is(count(*), 1::bigint, 'Gap: less than the deduplication period after the last event belongs to it') FROM incidents;
SELECT put(aws('2026-02-20T10:11:59Z', 'ann', 'DeleteGroup'));
SELECT is(string_agg(alerts::text, ' ' ORDER BY incident_id), '13 1', 'Gap: the deduplication period after it does not') FROM incidents;
SELECT put(aws('2026-02-10T12:00:00Z', 'bob', 'CreateServiceSpecificCredential'));
SELECT is(count(*), 3::bigint, 'Identity: another''s alerts are another incident') FROM incidents;
SELECT is(n, 0::bigint, 'As defined: in order') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each alert, in order') FROM strays;

-- an alert between two incidents, and before one
SELECT put(aws('2026-02-17T10:00:00Z', 'ann', 'CreatePolicy'));
SELECT is(string_agg(alerts::text, ' ' ORDER BY incident_id), '15 1', 'Late: what comes between two incidents joins them') FROM incidents;
SELECT put(aws('2026-02-08T10:00:00Z', 'bob', 'DeleteLoginProfile'));
SELECT is(alerts, 2::bigint, 'Late: what comes before the first alert') FROM incidents WHERE identity LIKE '%bob';
SELECT is(incident_id = (SELECT alert_id FROM alerts WHERE operation = 'DeleteLoginProfile'), true, 'Late: is the first then') FROM incidents WHERE identity LIKE '%bob';
SELECT is(n, 0::bigint, 'As defined: out of order') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each alert, out of order') FROM strays;

-- events that join
SELECT put(aws('2026-02-20T12:00:00Z', 'ann', 'DeleteGroup'));
SELECT is(last_event_time, '2026-02-20T12:00Z', 'Events: one that joins an alert moves the end of the incident') FROM incidents WHERE identity LIKE '%ann';
SELECT is(n, 0::bigint, 'As defined: after events have joined') FROM differences;
SELECT is(n > 0, true, 'Events: what has changed little waits') FROM stale;
DO $$BEGIN PERFORM keep_changed_incidents(NULL); END$$;
SELECT is(n, 0::bigint, 'Upkeep: nothing waits then') FROM stale;
SELECT is(n, 0::bigint, 'As defined: after upkeep') FROM differences;

-- triage
SELECT triage(alert_id, 'closed', 'benign') FROM alerts WHERE identity LIKE '%bob';
SELECT is(risk || ' ' || open_alerts || ' ' || status, '0 0 closed', 'Risk: none once it is benign') FROM incidents WHERE identity LIKE '%bob';
SELECT triage(alert_id, assignee => 'eve') FROM alerts WHERE identity LIKE '%ann' LIMIT 1;
SELECT is(assignees, '{eve}', 'Triage: who works on it') FROM incidents WHERE identity LIKE '%ann';
SELECT triage(alert_id, 'investigating') FROM alerts WHERE identity LIKE '%ann' LIMIT 1;
SELECT is(status, 'investigating', 'Status: when any alert is') FROM incidents WHERE identity LIKE '%ann';
SELECT is(risk, (SELECT max(risk) FROM alerts WHERE identity LIKE '%ann'), 'Risk: of what is open') FROM incidents WHERE identity LIKE '%ann';
UPDATE alerts SET status = 'closed', resolution = 'expected_change' WHERE alert_id = (SELECT alert_id FROM alerts WHERE identity LIKE '%ann' ORDER BY risk DESC, alert_id LIMIT 1);
SELECT is(risk, (SELECT max(risk) FROM alerts WHERE identity LIKE '%ann' AND status <> 'closed'), 'Risk: an expected change counts nothing') FROM incidents WHERE identity LIKE '%ann';
SELECT is(n, 0::bigint, 'As defined: after triage') FROM differences;
SELECT is(n, 0::bigint, 'Triage: nothing waits') FROM stale;
SELECT triage(unnest(alert_ids), 'closed', 'true_positive') FROM incidents WHERE identity LIKE '%ann';
SELECT is(open_alerts || ' ' || (risk > 0), '0 true', 'Risk: a true positive keeps it') FROM incidents WHERE identity LIKE '%ann';
SELECT is(count(*), 0::bigint, 'The work list has no closed ones') FROM incidents WHERE open_alerts > 0;
UPDATE alerts SET status = 'new' WHERE identity LIKE '%ann';
SELECT is(n, 0::bigint, 'As defined: opened again') FROM differences;

-- alerts that are taken back can part an incident
DELETE FROM alerts WHERE operation IN ('CreatePolicy', 'CreateGroup');
SELECT is(string_agg(alerts::text, ' ' ORDER BY first_event_time), '12 1', 'Taken back: what held an incident together') FROM incidents WHERE identity LIKE '%ann';
SELECT is(n, 0::bigint, 'As defined: after alerts were taken back') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each alert, after alerts were taken back') FROM strays;
UPDATE all_alerts SET last_event_time = '2026-02-17T00:00Z' WHERE operation = 'DeleteUser';
SELECT is(n, 0::bigint, 'As defined: as soon as an alert is longer') FROM differences;

-- another deduplication period
UPDATE detectors SET deduplication_days = 20;
SELECT is(string_agg(alerts::text, ' '), '13', 'Deduplication period: a longer one joins incidents') FROM incidents WHERE identity LIKE '%ann';
SELECT is(n, 0::bigint, 'As defined: with another deduplication period') FROM differences;
UPDATE detectors SET deduplication_days = 0;
SELECT is(n, 0::bigint, 'As defined: without one') FROM differences;
UPDATE detectors SET deduplication_days = 5;
SELECT is(n, 0::bigint, 'As defined: and with the first again') FROM differences;

-- at random: 1,200 alerts of 300 identities in two accounts of two detectors, in any order; half
-- of the times are midnights, so that some lie just 28 days or a deduplication period apart
INSERT INTO detectors (detector, title, daily_budget) VALUES ('second', 'Second', 1);
DO $$BEGIN PERFORM setseed(0.5); END$$;
CREATE TABLE dice AS SELECT n, random() AS a, random() AS b, random() AS c, random() AS d FROM generate_series(1, 1200) AS n;
CREATE FUNCTION thrown(since int, until int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO alerts (detector, variation, severity, risk, first_event_time, last_event_time, event_count, provider, account, identity, identity_kind,
		service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
	SELECT CASE WHEN a < 0.2 THEN 'second' ELSE 'unusual_iam_activity' END, 'base', CASE WHEN b < 0.1 THEN 'medium' ELSE 'low' END, 5 + round((20 * c)::numeric, 1),
		t, t + CASE WHEN n % 2 = 0 THEN floor(3 * d) ELSE 3 * d END * interval '1 day', 1 + floor(9 * c), 'aws', CASE WHEN b < 0.5 THEN '1' ELSE '2' END, 'who-' || floor(300 * a), 'user',
		'iam', 'Do' || floor(30 * c), false, 'account', 1 + floor(4 * b), 'TA0003', 'T1098', 0.01, 6.6, '{}'
	FROM dice CROSS JOIN LATERAL (SELECT '2026-05-01'::timestamptz + CASE WHEN n % 2 = 0 THEN floor(60 * d) ELSE 60 * d END * interval '1 day' AS t) AS at WHERE n BETWEEN since AND until
$$;
SELECT thrown(n, n) FROM generate_series(1, 200) AS n;
SELECT is(n, 0::bigint, 'As defined: alerts at random, one by one') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each, one by one') FROM strays;
SELECT thrown(201, 1200);
SELECT is(n, 0::bigint, 'As defined: alerts at random, all at once') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each, all at once') FROM strays;
SELECT is(count(*) FILTER (WHERE urgent) > 0 AND count(*) FILTER (WHERE NOT urgent) > 0, true, 'Urgent: some are, some are not') FROM incidents WHERE detector = 'second';
SELECT is(count(*), 0::bigint, 'Urgent: a notification of any alert says what its incident is') FROM all_alerts AS a JOIN incidents AS i USING (incident_id)
WHERE (notification(a)::jsonb->>'urgent')::boolean <> i.urgent;
UPDATE alerts SET status = 'closed', resolution = CASE WHEN alert_id % 2 = 0 THEN 'benign' ELSE 'true_positive' END WHERE account = '2' AND alert_id % 3 = 0;
DELETE FROM alerts WHERE account = '1' AND alert_id % 5 = 0;
UPDATE all_alerts SET last_event_time = last_event_time + interval '1 day', event_count = event_count + 1 WHERE alert_id % 7 = 0;
SELECT is(n, 0::bigint, 'As defined: after triage, taking back and joining of many') FROM differences;
DO $$BEGIN PERFORM keep_changed_incidents(NULL); END$$;
SELECT is(n, 0::bigint, 'As defined: after upkeep of many') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each, after upkeep of many') FROM strays;
SELECT is(n, 0::bigint, 'Upkeep: nothing waits of many') FROM stale;
UPDATE detectors SET daily_budget = 3 WHERE detector = 'second';
SELECT is(n, 0::bigint, 'As defined: urgent follows the budget') FROM differences;

-- links at random: of all pairs those that the rule links, whatever is a row already, is fresh, or is behind
CREATE VIEW linked AS SELECT x.incident_id, y.incident_id AS led_to, r.reason
FROM (SELECT c.incident_id, (c)::kept_incidents AS row FROM (SELECT k.* FROM current_incidents AS k) AS c) AS x
CROSS JOIN (SELECT c.incident_id, (c)::kept_incidents AS row FROM (SELECT k.* FROM current_incidents AS k) AS c) AS y
CROSS JOIN LATERAL link_reason(x.row, y.row) AS r (reason) WHERE r.reason IS NOT NULL;
CREATE FUNCTION links_differ() RETURNS bigint LANGUAGE sql AS $$
	WITH rule AS MATERIALIZED (TABLE linked), shown AS MATERIALIZED (TABLE incident_links),
	there AS MATERIALIZED (SELECT incident_id, led_to, came_from FROM incidents)
	SELECT (SELECT count(*) FROM ((TABLE rule EXCEPT ALL TABLE shown) UNION ALL (TABLE shown EXCEPT ALL TABLE rule)) AS d)
		+ (SELECT count(*) FROM there AS t WHERE t.led_to <> ARRAY(SELECT r.led_to FROM rule AS r WHERE r.incident_id = t.incident_id ORDER BY 1)
			OR t.came_from <> ARRAY(SELECT r.incident_id FROM rule AS r WHERE r.led_to = t.incident_id ORDER BY 1))
$$;
DELETE FROM alerts WHERE alert_id % 3 <> 0;
UPDATE alerts SET evidence = jsonb_build_object('targets', jsonb_build_array('who-' || floor(300 * random())),
	'source_addresses', jsonb_build_array('10.0.0.' || floor(15 * random())), 'context', CASE WHEN random() < 0.3 THEN '{"first_day": true}' ELSE '{}' END::jsonb);
UPDATE alerts SET identity = 'arn:aws:iam::' || account || ':user/' || identity, category = CASE WHEN random() < 0.5 THEN 'account' ELSE 'policy' END;
DO $$BEGIN PERFORM keep_changed_incidents(NULL); END$$;
SELECT cmp_ok((SELECT count(*) FROM linked WHERE reason LIKE '%who acts%'), '>', 5::bigint, 'Links at random: some by name');
SELECT cmp_ok((SELECT count(*) FROM linked WHERE reason LIKE '%for the first time%'), '>', 5::bigint, 'Links at random: some by address');
SELECT is(links_differ(), 0::bigint, 'Links at random: those of the rule, where none is a row');
-- half of the incidents as if transactions had kept them that are over
ALTER TABLE kept_incidents DISABLE TRIGGER kept_by_whom;
UPDATE links_done SET before = '0';
UPDATE kept_incidents SET kept_by = '3' WHERE incident_id % 2 = 0;
ALTER TABLE kept_incidents ENABLE TRIGGER kept_by_whom;
SELECT keep_links();
SELECT cmp_ok((SELECT count(*) FROM kept_links), '>', 5::bigint, 'Links at random: some are rows');
SELECT is(links_differ(), 0::bigint, 'Links at random: those of the rule, where some are rows');
UPDATE all_alerts SET last_event_time = last_event_time + interval '2 days' WHERE alert_id % 60 = 0;
SELECT cmp_ok(n, '>', 0::bigint, 'Links at random: some incidents are behind') FROM stale;
SELECT is(links_differ(), 0::bigint, 'Links at random: those of the rule, where incidents are behind');
DELETE FROM alerts WHERE alert_id % 10 = 3;
DO $$BEGIN PERFORM keep_changed_incidents(NULL); END$$;
SELECT is(links_differ(), 0::bigint, 'Links at random: those of the rule, where incidents went or parted');
SELECT is(n, 0::bigint, 'As defined: and the incidents') FROM differences;

-- a restore that fires no triggers
DELETE FROM kept_incidents;
SELECT find_unkept_incidents();
SELECT is(n, 0::bigint, 'As defined: after a restore') FROM differences;

-- plans, where most is closed and there are far more than a list shows, as after years, and
-- whatever autovacuum has seen
SELECT keep_changed_incidents(NULL);
CREATE TABLE copies AS SELECT 100000 * n + incident_id AS copy_id, identity || '-' || n AS copy_identity, k.* FROM kept_incidents AS k, generate_series(1, 20) AS n;
UPDATE copies SET incident_id = copy_id, identity = copy_identity;
ALTER TABLE copies DROP copy_id, DROP copy_identity;
INSERT INTO kept_incidents TABLE copies;
UPDATE kept_incidents SET open_alerts = 0 WHERE incident_id % 8 <> 0;
REINDEX TABLE kept_incidents;
ANALYZE kept_incidents;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT alike((SELECT string_agg(p, E'\n') FROM plan_of('SELECT * FROM incidents WHERE open_alerts > 0 ORDER BY risk DESC LIMIT 20') AS p),
	'%Merge Append%Index Scan using kept_incidents_open%', 'Index: the work list');
SET enable_seqscan = off;
SELECT alike((SELECT string_agg(p, E'\n') FROM plan_of($$SELECT * FROM incidents WHERE identity = 'who-1'$$) AS p), '%kept_incidents_identity%', 'Index: one identity');
SELECT alike((SELECT string_agg(p, E'\n') FROM plan_of($$SELECT * FROM incidents WHERE account = '2'$$) AS p), '%kept_incidents_account%', 'Index: one account');
SELECT alike((SELECT string_agg(p, E'\n') FROM plan_of($$SELECT * FROM incidents WHERE first_event_time >= '2026-05-01' AND first_event_time < '2026-05-02'$$) AS p),
	'%kept_incidents_first%', 'Index: one day');
SELECT alike((SELECT string_agg(p, E'\n') FROM plan_of($$SELECT a.* FROM incidents AS i JOIN alerts AS a ON a.alert_id = ANY (i.alert_ids) WHERE i.identity = 'who-1'$$) AS p),
	'%kept_incidents_identity%alerts_pkey%', 'Index: all alerts of one identity, through its incidents');

RESET enable_seqscan;

DELETE FROM kept_incidents WHERE incident_id IN (SELECT incident_id FROM copies);
DELETE FROM alerts;
DELETE FROM detectors WHERE detector = 'second';

-- linked incidents: who was made or given credentials by an alert, and acts since
SELECT lives(who, '2026-05-01', '2026-06-20') FROM unnest(ARRAY['kim', 'lea']) AS who;
SELECT put(aws('2026-06-01T10:00:00Z', 'kim', 'CreateUser', more => '{"requestParameters": {"userName": "mallory"}}'));
SELECT put(aws('2026-06-01T11:00:00Z', 'path/mallory', 'CreateRole', more => '{"sourceIPAddress": "198.51.100.9", "requestParameters": {"roleName": "back"}}'));
SELECT put(aws('2026-06-01T12:00:00Z', 'lea', 'CreateGroup', more => '{"sourceIPAddress": "198.51.100.9"}'));
CREATE FUNCTION of(who text) RETURNS bigint LANGUAGE sql AS $$SELECT incident_id FROM incidents WHERE identity LIKE '%' || who$$;
SELECT is(led_to, ARRAY[of('mallory')], 'Link: the user that was made acts, whatever its path') FROM incidents WHERE identity LIKE '%kim';
SELECT is(came_from, ARRAY[of('kim')], 'Link: and back') FROM incidents WHERE identity LIKE '%mallory';
SELECT alike(reason, 'alert % CreateUser of mallory, who acts in incident %', 'Link: with its reason') FROM incident_links WHERE led_to = of('mallory');
SELECT is(led_to || came_from, '{}', 'Link: none of who was active before, from the same address') FROM incidents WHERE identity LIKE '%lea';
SELECT put(aws('2026-06-02T12:00:00Z', 'nobody-yet', 'CreateGroup', more => '{"sourceIPAddress": "198.51.100.9"}'));
SELECT is(came_from, ARRAY[of('mallory')], 'Link: who is seen for the first time, from where a role was made') FROM incidents WHERE identity LIKE '%nobody-yet';
SELECT alike(reason, 'from 198.51.100.9, %nobody-yet acts for the first time %', 'Link: by address, with its reason') FROM incident_links WHERE led_to = of('nobody-yet');
SELECT put(aws('2026-06-12T12:00:00Z', 'much-later', 'CreateSAMLProvider', more => '{"sourceIPAddress": "198.51.100.9"}'));
SELECT is(came_from, '{}', 'Link: not by address once another incident would begin') FROM incidents WHERE identity LIKE '%much-later';
SELECT put(aws('2026-06-02T10:00:00Z', 'kim', 'CreateAccessKey', more => '{"requestParameters": {"userName": "kim"}}'));
SELECT is(led_to, ARRAY[of('mallory')], 'Link: not to itself') FROM incidents WHERE identity LIKE '%kim';
SELECT put(aws('2026-06-10T10:00:00Z', 'kim', 'DeleteUser', more => '{"requestParameters": {"userName": "lea"}}'));
SELECT is(count(*), 0::bigint, 'Link: not to who was removed') FROM incident_links WHERE led_to = of('lea');
SELECT is((SELECT count(*) FROM incidents, unnest(led_to)), (SELECT count(*) FROM incidents, unnest(came_from)), 'Link: as many lead as come');
SELECT is((SELECT count(*) FROM incident_links), (SELECT count(*) FROM incidents, unnest(led_to)), 'Link: each has a reason');

TRUNCATE alerts;
SELECT is(count(*), 0::bigint, 'No alerts, no incidents') FROM incidents;
-- what most alerts are, one that is alone in its incident, is told in two places
CREATE FUNCTION alone(n int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO alerts (detector, variation, severity, risk, status, first_event_time, last_event_time, event_count, provider, account, identity,
		identity_kind, service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence, resolution, assignee)
	SELECT 'unusual_iam_activity', 'base', 'low', nullif(n, 7), CASE WHEN n % 5 = 0 THEN 'closed' WHEN n % 3 = 0 THEN 'investigating' ELSE 'new' END,
		t, t + n * interval '1 hour', n, CASE WHEN n % 6 = 0 THEN 'gcp' ELSE 'aws' END, '3', 'arn:aws:iam::3:user/one-' || n, 'user', 'iam',
		(ARRAY['CreateAccessKey', 'DeleteUser', 'CreateRole', 'CreateUser'])[1 + n % 4], n % 7 = 0, (ARRAY['credential', 'account', 'role', 'policy'])[1 + n % 4],
		1 + n % 4, 'TA0003', 'T1098', 0.01, 6.6, jsonb_build_object('targets', CASE n % 3 WHEN 0 THEN '[]' WHEN 1 THEN '["bob"]' ELSE format('["one-%s"]', n) END::jsonb,
			'granted', CASE WHEN n % 2 = 0 THEN '["AKIA1"]' ELSE '[]' END::jsonb,
			'source_addresses', CASE WHEN n % 4 = 1 THEN '[]' ELSE '["192.0.2.1"]' END::jsonb)
		|| CASE WHEN n % 8 < 3 THEN '{"context": {"first_day": true}}' ELSE '{}' END::jsonb
		|| CASE WHEN n % 11 = 0 THEN '{"targets": ["a", "b"]}' ELSE '{}' END::jsonb,
		CASE n % 10 WHEN 0 THEN 'benign' WHEN 5 THEN 'true_positive' END, CASE WHEN n % 9 = 0 THEN 'eve' END
	FROM (SELECT '2026-08-01'::timestamptz + n * interval '3 days' AS t) AS at
$$;
SELECT alone(n) FROM generate_series(1, 90) AS n;
CREATE VIEW kept_of_account_3 AS SELECT to_jsonb(k) - 'kept_by' AS k FROM kept_incidents AS k WHERE k.account = '3';
CREATE VIEW found_of_account_3 AS SELECT to_jsonb(f) - 'kept_by' AS k FROM find_incidents(ARRAY(
	SELECT (detector, provider, account, identity, '-infinity', 'infinity')::incident_part FROM alerts WHERE account = '3')) AS f;
SELECT is(count(*) = 90 AND count(*) FILTER (WHERE k->'hands' <> '[]') > 20 AND count(*) FILTER (WHERE k->'gave_on' <> '[]') > 20
	AND count(*) FILTER (WHERE k->'arrives_on' <> '[]') > 20, true, 'Alone: each is an incident, some of which give, and arrive') FROM kept_of_account_3;
SELECT is((SELECT count(*) FROM ((TABLE kept_of_account_3 EXCEPT ALL TABLE found_of_account_3) UNION ALL (TABLE found_of_account_3 EXCEPT ALL TABLE kept_of_account_3)) AS d),
	0::bigint, 'Alone: what is kept of one alert is what is found out of many');

-- a step of a backfill leaves the incidents of its alerts for its end
SELECT defer_incidents();
SELECT alone(91);
SELECT is(n, 0::bigint, 'Deferred: the first alert of an incident does not wait') FROM stale;
SELECT alone(91);
SELECT is(n, 1::bigint, 'Deferred: one that belongs to others does') FROM stale;
SELECT is(n, 0::bigint, 'As defined: while it waits') FROM differences;
DO $$BEGIN PERFORM keep_changed_incidents(NULL); END$$;
SELECT is(n, 0::bigint, 'Deferred: nothing waits at the end') FROM stale;
SELECT is(n, 0::bigint, 'As defined: at the end') FROM differences;
SELECT is(n, 0::bigint, 'As defined: the incident of each alert, at the end') FROM strays;

-- who numbers an account holds up nobody's incidents: by a key that the incidents so far do not have
CREATE FUNCTION locks(key bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objid = key::oid AND mode = 'ExclusiveLock' $$;
SELECT min(b) AS bucket FROM generate_series(0, 63) AS b WHERE locks(b) = 0 \gset
SELECT next_account_id(:bucket);
SELECT try_lock_incidents(ROW('x', 'aws', '1', who, now(), now())::incident_part)
FROM (SELECT 'who' || n AS who FROM generate_series(1, 100000) AS n) AS w WHERE hashtextextended(who, 0) & 1023 = :bucket LIMIT 1;
SELECT is(locks(:bucket), 2::bigint, 'Locks: an incident of the number of an account has a lock of its own');
SELECT * FROM finish();
ROLLBACK;
