\set QUIET 1
\set ON_ERROR_STOP 1
\pset pager off
\pset border 2
\pset footer off
SET client_min_messages = warning;
\unset QUIET
\echo '=== iamwatch: CREATE EXTENSION, a table, watch() ==='
\set QUIET 1
CREATE EXTENSION iamwatch;
CREATE TABLE audit_log (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
SELECT iamwatch.watch('audit_log', 'event') \g /dev/null
\echo '  SELECT iamwatch.watch(''audit_log'', ''event'');'
\echo
\echo '=== 45 days of an ordinary organisation, AWS and GCP ==='
\ir background.sql
SELECT count(*) AS events, count(DISTINCT (iamwatch.parse(event)).identity) AS identities,
	min((iamwatch.parse(event)).event_time)::date AS "from", max((iamwatch.parse(event)).event_time)::date AS "to"
FROM audit_log;
SELECT count(*) AS "alerts so far", string_agg(DISTINCT identity || ' ' || operation, ', ') AS "which" FROM iamwatch.alerts;
\echo '=== The next day: 2,900 real CloudTrail records of an attack, done as developer-7 ==='
CREATE TEMP TABLE attack (line text);
\copy attack FROM 'data/events/aws_attack_simulation.ndjson' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE TEMP TABLE before AS SELECT coalesce(max(alert_id), 0) AS alert_id FROM iamwatch.alerts;
INSERT INTO audit_log (event)
SELECT replace(replace(line, 'bert-jan', 'developer-7'), 'benjamin', 'admin-1')::jsonb FROM attack;
SELECT count(*) AS alerts, count(*) FILTER (WHERE identity LIKE '%developer-7') AS "of developer-7",
	sum(event_count) AS "events in them"
FROM iamwatch.alerts WHERE alert_id > (SELECT alert_id FROM before);
\echo '=== What an analyst sees: SELECT ... FROM iamwatch.alerts ORDER BY sensitivity DESC, surprise DESC ==='
SELECT severity, regexp_replace(identity, '.*:(user|role)/', '') AS identity,
	service || ':' || operation || CASE WHEN failed THEN ' (failed)' ELSE '' END AS operation,
	sensitivity AS sens, technique, to_char(first_event_time, 'HH24:MI') AS at, event_count AS events,
	round(surprise::numeric, 1) AS bits
FROM iamwatch.alerts WHERE alert_id > (SELECT alert_id FROM before)
ORDER BY sensitivity DESC, surprise DESC, alert_id LIMIT 20;
\echo '=== The same as incidents, an identity a line: SELECT ... FROM iamwatch.incidents ORDER BY risk DESC ==='
SELECT CASE WHEN urgent THEN 'urgent' END AS urgent, round(risk::numeric, 1) AS risk, severity, name, alerts, events,
	cardinality(techniques) AS techniques, to_char(first_event_time, 'YYYY-MM-DD HH24:MI') AS "from", to_char(last_event_time, 'HH24:MI') AS "to"
FROM iamwatch.incidents ORDER BY risk DESC, incident_id LIMIT 5;
\echo '=== Why? One of them, to the last number: SELECT iamwatch.explain(alert_id) ==='
\pset format unaligned
\pset tuples_only on
SELECT iamwatch.explain(alert_id) FROM iamwatch.alerts
WHERE identity LIKE '%developer-7' AND operation = 'AttachUserPolicy' AND NOT failed
ORDER BY alert_id LIMIT 1;
\pset format aligned
\pset tuples_only off
\echo '=== What came of it: who was made or given credentials, and acted since: SELECT ... FROM iamwatch.incident_links ==='
SELECT l.incident_id, i.name, l.led_to, o.name AS "who is", left(l.reason, 100) AS reason
FROM iamwatch.incident_links AS l JOIN iamwatch.incidents AS i USING (incident_id) JOIN iamwatch.incidents AS o ON o.incident_id = l.led_to
ORDER BY 1, 3;
\echo '=== To look at: psql -XAtqc "SELECT iamwatch.report()" >report.html ==='
