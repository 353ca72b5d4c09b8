-- Very many alerts, :alerts of them, as a restore brings them: without triggers,
-- then upkeep.  Accounts of a hundred identities, each of which is at work in
-- twenty bursts of two to four alerts over a year, mostly from the address of its
-- account; some of what they make acts itself.  About 870 bytes an alert.
SELECT setseed(0.5);
SET session_replication_role = replica;
INSERT INTO iamwatch.alerts (detector, variation, severity, risk, detected_at, first_event_time, last_event_time, event_count,
	provider, account, identity, identity_kind, service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
SELECT 'unusual_iam_activity', 'base', CASE WHEN r.a < 0.5 THEN 'informational' WHEN r.a < 0.95 THEN 'low' ELSE 'medium' END,
	round((5 + 20 * r.b * r.b)::numeric, 2), t.at, t.at, t.at + r.c * interval '1 hour', 1 + floor(3 * r.c), 'aws', w.account,
	'arn:aws:iam::' || w.account || ':user/team-' || w.who % 12 || '/person-' || w.who, 'user', 'iam', o.operation, r.d < 0.1,
	o.category, o.sensitivity, 'TA0003', o.technique, 0.001 + r.a / 100, -log(2.0, (0.001 + r.a / 100)::numeric),
	jsonb_build_object('k', 0, 'A', floor(30 * r.a), 'K', floor(5 * r.b), 'N', 1500 + floor(500 * r.c),
		'risk', jsonb_build_object('A', floor(150 * r.a), 'B', floor(50 * r.c), 'K', floor(9 * r.b), 'N', 3000, 'P', 800, 'k', 0),
		'peers', '[]'::jsonb, 'context', CASE WHEN n.i = 0 AND w.burst = 0 THEN '{"first_day": true}'
			WHEN r.d < 0.3 THEN '{"new_network": true}' ELSE '{}' END::jsonb,
		'granted', '[]'::jsonb, 'targets', jsonb_build_array('person-' || CASE WHEN r.d < 0.97 THEN 100 + floor(900 * r.b) ELSE floor(100 * r.b) END),
		'event_ids', jsonb_build_array(gen_random_uuid()), 'instances', '[]'::jsonb, 'acting_for', '[]'::jsonb, 'memory_days', 180,
		'user_agents', jsonb_build_array('aws-cli/2.15.30 Python/3.11.8'), 'source_hosts', '[]'::jsonb, 'training_days', 30, 'peer_memory_days', 90,
		'source_addresses', jsonb_build_array(CASE WHEN r.d < 0.3 THEN '198.51.' || w.who || '.' || floor(250 * r.c) ELSE '203.0.113.' || w.nth % 250 END))
FROM (SELECT b, b / 2000 AS nth, (100000000000 + 7919 * (b / 2000))::text AS account, (b / 20) % 100 AS who, b % 20 AS burst
	FROM generate_series(0, :alerts / 3 - 1) AS b) AS w
CROSS JOIN LATERAL generate_series(0, 1 + (w.b % 4 + 1) / 2) AS n (i)
CROSS JOIN LATERAL (SELECT random() AS a, random() AS b, random() AS c, random() AS d WHERE w.b >= 0 AND n.i >= 0) AS r
CROSS JOIN LATERAL (SELECT '2026-01-01'::timestamptz + (w.burst * 18 + 12 * abs(sin(w.b))) * interval '1 day' + (n.i + r.a) * interval '9 hours' AS at) AS t
CROSS JOIN LATERAL (SELECT (ARRAY['CreateUser', 'CreateAccessKey', 'AttachUserPolicy', 'PutRolePolicy', 'UpdateAssumeRolePolicy', 'CreatePolicyVersion',
		'DeleteUser', 'CreateRole'])[x] AS operation,
	(ARRAY['account', 'credential', 'policy', 'policy', 'role', 'policy', 'account', 'role'])[x] AS category, (ARRAY[3, 4, 3, 3, 4, 3, 1, 2])[x] AS sensitivity,
	(ARRAY['T1136.003', 'T1098.001', 'T1098.003', 'T1098.003', 'T1098', 'T1098', 'T1531', 'T1136.003'])[x] AS technique
	FROM (SELECT 1 + floor(8 * r.c)::integer AS x) AS x) AS o
ORDER BY t.at;
RESET session_replication_role;
TRUNCATE iamwatch_internal.changed_incidents;
CALL iamwatch.maintain();		-- finds that nothing is kept, and keeps it; then the links
CALL iamwatch.maintain();
VACUUM FULL iamwatch.alerts;	-- each has been told its incident
VACUUM ANALYZE;
