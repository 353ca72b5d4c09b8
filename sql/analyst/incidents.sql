-- Alerts of one identity that belong together.

CREATE FUNCTION iamwatch_internal.alert_risk(severity text, sensitivity integer, surprise double precision, resolution text)
	RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN resolution IN ('benign', 'expected_change') THEN 0
		ELSE surprise * 2 ^ (sensitivity - 1) * iamwatch_internal.severity_rank(severity) END;
COMMENT ON FUNCTION iamwatch_internal.alert_risk(text, integer, double precision, text) IS
'what an alert adds to the risk of its incident: surprise (bits) * 2^(sensitivity - 1) * rank of the severity (1 to 5); nothing once it is closed as benign or an expected change';

CREATE VIEW iamwatch.incidents AS
WITH gaps AS (
	SELECT a.*, coalesce(a.first_event_time >= max(a.last_event_time) OVER before
			+ coalesce(d.deduplication_days, 5) * interval '24 hours', true) AS begins
	FROM iamwatch.alerts AS a LEFT JOIN iamwatch.detectors AS d USING (detector)
	WINDOW before AS (PARTITION BY a.provider, a.account, a.identity ORDER BY a.first_event_time, a.alert_id
		ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), numbered AS (
	SELECT g.*, count(*) FILTER (WHERE g.begins) OVER (PARTITION BY g.provider, g.account, g.identity
		ORDER BY g.first_event_time, g.alert_id) AS n
	FROM gaps AS g
), incident AS (
	SELECT (array_agg(alert_id ORDER BY first_event_time, alert_id))[1] AS incident_id,
		provider, account, identity,
		(array_agg(identity_kind ORDER BY first_event_time, alert_id))[1] AS identity_kind,
		(array_agg(severity ORDER BY iamwatch_internal.severity_rank(severity) DESC))[1] AS severity,
		sum(iamwatch_internal.alert_risk(severity, sensitivity, surprise, resolution)) AS risk,
		sum(surprise) AS surprise,
		count(*) AS alerts, count(*) FILTER (WHERE status <> 'closed') AS open_alerts,
		sum(event_count)::bigint AS events,
		min(first_event_time) AS first_event_time, max(last_event_time) AS last_event_time,
		array_agg(service || ':' || operation || CASE WHEN failed THEN ' (failed)' ELSE '' END
			ORDER BY first_event_time, alert_id) AS operations,
		array_agg(DISTINCT technique) AS techniques, max(sensitivity) AS sensitivity,
		array_agg(DISTINCT assignee) FILTER (WHERE assignee IS NOT NULL) AS assignees,
		array_agg(alert_id ORDER BY first_event_time, alert_id) AS alert_ids
	FROM numbered
	GROUP BY provider, account, identity, n
)
SELECT incident_id, rank() OVER (ORDER BY risk DESC) AS risk_rank, risk, severity,
	provider, account, identity, identity_kind, surprise, alerts, open_alerts, events,
	first_event_time, last_event_time, operations, techniques, sensitivity, assignees, alert_ids
FROM incident;
COMMENT ON VIEW iamwatch.incidents IS
'alerts of one identity that belong together: none begins a deduplication period or more after the last event of those before it';
COMMENT ON COLUMN iamwatch.incidents.incident_id IS 'the first of its alerts';
COMMENT ON COLUMN iamwatch.incidents.risk_rank IS '1 for the highest risk of all incidents';
COMMENT ON COLUMN iamwatch.incidents.risk IS 'sum of iamwatch_internal.alert_risk() over its alerts';
COMMENT ON COLUMN iamwatch.incidents.severity IS 'the worst of its alerts';
COMMENT ON COLUMN iamwatch.incidents.surprise IS
'bits, summed: that all of it happened by chance, if each had nothing to do with the others';
COMMENT ON COLUMN iamwatch.incidents.operations IS 'in order of the first event; the same as alert_ids';
COMMENT ON COLUMN iamwatch.incidents.sensitivity IS 'the highest of its operations, 1 to 4';
