-- Alerts as other tools read them: one JSON document a row.

CREATE FUNCTION iamwatch_internal.epoch_ms(at timestamptz) RETURNS bigint
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN floor(extract(epoch FROM at) * 1000)::bigint;
COMMENT ON FUNCTION iamwatch_internal.epoch_ms(timestamptz) IS 'milliseconds since 1970';

CREATE FUNCTION iamwatch_internal.rfc3339(at timestamptz) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION iamwatch_internal.rfc3339(timestamptz) IS 'a time as logs write it, in UTC';

CREATE VIEW iamwatch.ocsf_findings AS
SELECT a.alert_id, a.detected_at, a.last_event_time, jsonb_strip_nulls(jsonb_build_object(
	'metadata', jsonb_build_object(
		'version', '1.5.0',
		'product', jsonb_build_object('name', 'iamwatch', 'vendor_name', 'iamwatch', 'version', x.version),
		'profiles', '["cloud"]'::jsonb,
		'uid', a.alert_id::text,
		'log_name', a.detector),
	'category_uid', 2, 'category_name', 'Findings',
	'class_uid', 2004, 'class_name', 'Detection Finding',
	'activity_id', v.activity, 'activity_name', v.activity_name,
	'type_uid', 200400 + v.activity, 'type_name', 'Detection Finding: ' || v.activity_name,
	'severity_id', iamwatch_internal.severity_rank(a.severity), 'severity', initcap(a.severity COLLATE "C"),
	'status_id', CASE WHEN a.status = 'new' THEN 1 WHEN a.status = 'investigating' THEN 2
		WHEN a.resolution IN ('benign', 'expected_change') THEN 3 ELSE 4 END,
	'status', CASE WHEN a.status = 'new' THEN 'New' WHEN a.status = 'investigating' THEN 'In Progress'
		WHEN a.resolution IN ('benign', 'expected_change') THEN 'Suppressed' ELSE 'Resolved' END,
	'status_detail', a.resolution, 'comment', a.note,
	'is_alert', a.status <> 'closed',
	'time', iamwatch_internal.epoch_ms(a.detected_at),
	'start_time', iamwatch_internal.epoch_ms(a.first_event_time),
	'end_time', iamwatch_internal.epoch_ms(a.last_event_time),
	'count', a.event_count,
	'message', iamwatch_internal.summary(a),
	'cloud', jsonb_build_object('provider', v.provider,
		'account', jsonb_build_object('uid', a.account, 'type_id', v.account_type, 'type', v.account_type_name),
		'project_uid', CASE a.provider WHEN 'gcp' THEN a.account END),
	'finding_info', jsonb_build_object(
		'uid', a.detector || '/' || a.alert_id,
		'title', coalesce(d.title, a.detector),
		'desc', iamwatch_internal.summary(a),
		'analytic', jsonb_build_object('uid', a.detector, 'name', coalesce(d.title, a.detector),
			'type_id', 2, 'type', 'Behavioral', 'category', a.category),
		'attacks', jsonb_build_array(jsonb_build_object(
			'tactic', jsonb_build_object('uid', a.tactic, 'name', iamwatch_internal.attack_name(a.tactic)),
			'technique', jsonb_build_object('uid', v.technique, 'name', iamwatch_internal.attack_name(v.technique)),
			'sub_technique', CASE WHEN a.technique LIKE '%.%'
				THEN jsonb_build_object('uid', a.technique, 'name', iamwatch_internal.attack_name(a.technique)) END)),
		'types', jsonb_build_array(a.variation),
		'created_time', iamwatch_internal.epoch_ms(a.detected_at),
		'first_seen_time', iamwatch_internal.epoch_ms(a.first_event_time),
		'last_seen_time', iamwatch_internal.epoch_ms(a.last_event_time),
		'related_events_count', a.event_count,
		'data_sources', jsonb_build_array(v.log)),
	'evidences', (SELECT jsonb_agg(jsonb_build_object(
			'api', jsonb_build_object('operation', a.operation, 'service', jsonb_build_object('name', a.service),
				'response', CASE WHEN a.failed THEN '{"message": "refused by the provider"}'::jsonb END),
			'actor', jsonb_build_object('user', v.who),
			'src_endpoint', CASE WHEN e.ip IS NOT NULL THEN jsonb_build_object('ip', e.ip) END,
			'data', CASE e.n WHEN 1 THEN a.evidence - 'source_addresses' END) ORDER BY e.n)
		FROM (SELECT NULL AS ip, 1 AS n WHERE coalesce(jsonb_array_length(a.evidence->'source_addresses'), 0) = 0
			UNION ALL SELECT s.ip, s.n FROM jsonb_array_elements_text(a.evidence->'source_addresses') WITH ORDINALITY AS s (ip, n)) AS e),
	'resources', (SELECT jsonb_agg(jsonb_build_object('name', t) ORDER BY n)
		FROM jsonb_array_elements_text(a.evidence->'targets') WITH ORDINALITY AS u (t, n)),
	'anomaly_analyses', jsonb_build_array(jsonb_build_object(
		'analysis_targets', jsonb_build_array(jsonb_build_object('name', a.identity, 'type', a.identity_kind)),
		'anomalies', jsonb_build_array(jsonb_build_object('observation_parameter', 'operation',
			'observation_type', 'Frequency Analysis',
			'observed_pattern', CASE a.evidence->>'k' WHEN '0' THEN 'UNSEEN' ELSE 'RARE' END,
			'observations', jsonb_build_array(jsonb_build_object('value', a.service || ':' || a.operation, 'count', a.event_count)))),
		'baselines', jsonb_build_array(
			jsonb_build_object('observation_parameter', 'days of the identity', 'observation_type', 'Frequency Analysis',
				'observations', jsonb_build_array(
					jsonb_build_object('value', 'days on which it did the operation', 'count', a.evidence->'k'),
					jsonb_build_object('value', 'days on which it was active', 'count', a.evidence->'A'))),
			jsonb_build_object('observation_parameter', 'days of its peers', 'observation_type', 'Frequency Analysis',
				'observations', jsonb_build_array(
					jsonb_build_object('value', 'days on which they did the operation', 'count', a.evidence->'K'),
					jsonb_build_object('value', 'days on which they were active', 'count', a.evidence->'N'))))))
	)) AS finding
FROM iamwatch.alerts AS a
LEFT JOIN iamwatch.detectors AS d ON d.detector = a.detector
CROSS JOIN (SELECT extversion AS version FROM pg_extension WHERE extname = 'iamwatch') AS x
CROSS JOIN LATERAL (SELECT split_part(a.technique, '.', 1) AS technique,
	CASE WHEN a.status = 'closed' THEN 3 WHEN a.event_count > 1 THEN 2 ELSE 1 END AS activity,
	CASE WHEN a.status = 'closed' THEN 'Close' WHEN a.event_count > 1 THEN 'Update' ELSE 'Create' END AS activity_name,
	CASE a.provider WHEN 'aws' THEN 'AWS' WHEN 'gcp' THEN 'GCP' WHEN 'azure' THEN 'Azure' ELSE a.provider END AS provider,
	CASE a.provider WHEN 'aws' THEN 10 WHEN 'gcp' THEN 11 ELSE 99 END AS account_type,
	CASE a.provider WHEN 'aws' THEN 'AWS Account' WHEN 'gcp' THEN 'GCP Project'
		WHEN 'azure' THEN 'Azure tenant or subscription' ELSE a.provider END AS account_type_name,
	CASE a.provider WHEN 'aws' THEN 'AWS CloudTrail' WHEN 'gcp' THEN 'GCP Cloud Audit Logs' ELSE a.provider END AS log,
	jsonb_build_object('uid', a.identity, 'name', iamwatch.short_name(a.identity),
		'type_id', CASE WHEN a.identity_kind = 'root' THEN 2 WHEN a.identity_kind IN ('user', 'federated_user') THEN 1
			WHEN a.identity_kind = 'service' THEN 3 WHEN a.identity_kind = 'unknown' THEN 0 ELSE 99 END,
		'type', CASE WHEN a.identity_kind = 'root' THEN 'Admin' WHEN a.identity_kind IN ('user', 'federated_user') THEN 'User'
			WHEN a.identity_kind = 'service' THEN 'System' WHEN a.identity_kind = 'unknown' THEN 'Unknown'
			ELSE a.identity_kind END) AS who) AS v;
COMMENT ON VIEW iamwatch.ocsf_findings IS
'alerts as events of the Open Cybersecurity Schema Framework 1.5.0, class Detection Finding (2004), profile cloud; one JSON document a row, as the alert is now';
COMMENT ON COLUMN iamwatch.ocsf_findings.finding IS
'activity is Create with one event, Update with more, Close when closed; the numbers of the baseline are in anomaly_analyses';

CREATE VIEW iamwatch.ecs_alerts AS
SELECT a.alert_id, a.detected_at, a.last_event_time, jsonb_strip_nulls(jsonb_build_object(
	'@timestamp', iamwatch_internal.rfc3339(a.first_event_time),
	'ecs', '{"version": "9.4.0"}'::jsonb,
	'message', iamwatch_internal.summary(a),
	'tags', jsonb_build_array('iamwatch', a.severity, a.variation),
	'labels', jsonb_build_object('severity', a.severity, 'status', a.status, 'resolution', a.resolution, 'variation', a.variation,
		'identity_kind', a.identity_kind, 'sensitivity', a.sensitivity::text,
		'probability', a.probability::text, 'surprise_bits', a.surprise::text,
		'k', a.evidence->>'k', 'active_days', a.evidence->>'A',
		'peer_days', a.evidence->>'K', 'peer_active_days', a.evidence->>'N'),
	'event', jsonb_build_object('kind', 'alert', 'id', a.alert_id::text, 'module', 'iamwatch',
		'dataset', 'iamwatch.alerts', 'provider', a.service, 'action', a.operation,
		'category', '["iam"]'::jsonb,
		'type', jsonb_build_array(CASE o.effect WHEN 'create' THEN 'creation' WHEN 'modify' THEN 'change'
			WHEN 'delete' THEN 'deletion' ELSE 'info' END),
		'outcome', CASE WHEN a.failed THEN 'failure' ELSE 'success' END,
		'severity', iamwatch_internal.severity_rank(a.severity),
		'created', iamwatch_internal.rfc3339(a.detected_at),
		'start', iamwatch_internal.rfc3339(a.first_event_time), 'end', iamwatch_internal.rfc3339(a.last_event_time)),
	'rule', jsonb_build_object('id', a.detector, 'name', coalesce(d.title, a.detector), 'ruleset', 'iamwatch',
		'category', a.category, 'version', x.version),
	'threat', jsonb_build_object('framework', 'MITRE ATT&CK',
		'tactic', jsonb_build_object('id', jsonb_build_array(a.tactic),
			'name', iamwatch_internal.attack_name(a.tactic),
			'reference', jsonb_build_array('https://attack.mitre.org/tactics/' || a.tactic || '/')),
		'technique', jsonb_build_object('id', jsonb_build_array(split_part(a.technique, '.', 1)),
			'name', iamwatch_internal.attack_name(split_part(a.technique, '.', 1)),
			'reference', jsonb_build_array('https://attack.mitre.org/techniques/' || split_part(a.technique, '.', 1) || '/'),
			'subtechnique', CASE WHEN a.technique LIKE '%.%' THEN jsonb_build_object('id', jsonb_build_array(a.technique),
				'name', iamwatch_internal.attack_name(a.technique),
				'reference', jsonb_build_array('https://attack.mitre.org/techniques/' || replace(a.technique, '.', '/') || '/')) END)),
	'user', jsonb_build_object('id', a.identity, 'name', iamwatch.short_name(a.identity)),
	'cloud', jsonb_build_object('provider', a.provider, 'account', jsonb_build_object('id', a.account),
		'project', CASE a.provider WHEN 'gcp' THEN jsonb_build_object('id', a.account) END,
		'service', jsonb_build_object('name', a.service),
		'instance', CASE WHEN a.evidence->'instances'->>0 IS NOT NULL
			THEN jsonb_build_object('id', a.evidence->'instances'->>0) END),
	'source', CASE WHEN a.evidence->'source_addresses'->>0 IS NOT NULL
		THEN jsonb_build_object('address', a.evidence->'source_addresses'->>0, 'ip', a.evidence->'source_addresses'->>0) END,
	'user_agent', CASE WHEN a.evidence->'user_agents'->>0 IS NOT NULL
		THEN jsonb_build_object('original', a.evidence->'user_agents'->>0) END,
	'related', jsonb_build_object('user', jsonb_build_array(a.identity),
		'ip', nullif(a.evidence->'source_addresses', '[]'))
	)) AS event
FROM iamwatch.alerts AS a
LEFT JOIN iamwatch.detectors AS d ON d.detector = a.detector
CROSS JOIN (SELECT extversion AS version FROM pg_extension WHERE extname = 'iamwatch') AS x
LEFT JOIN LATERAL iamwatch.find_operation(a.provider, a.service, a.operation) AS o ON true;
COMMENT ON VIEW iamwatch.ecs_alerts IS
'alerts in the Elastic Common Schema 9.4.0, event.kind alert; one JSON document a row, as the alert is now';
COMMENT ON COLUMN iamwatch.ecs_alerts.event IS
'source.ip and user_agent.original are the first of the evidence, related.ip has all; severity is 1 informational to 5 critical; the numbers of the baseline are in labels';
