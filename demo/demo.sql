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
\echo '=== Why? One of them, to the last number ==='
\x on
SELECT a.identity, service || ':' || operation AS operation,
	format('did it on %s of its %s active days in the 30 days before', evidence->>'k', evidence->>'A') AS itself,
	format('its peers did it on %s of their %s active days', evidence->>'K', evidence->>'N') AS peers,
	format('(%s + 2 * (%s + 0.1) / (%s + 10)) / (%s + 2) = %s', evidence->>'k', evidence->>'K', evidence->>'N',
		evidence->>'A', round(probability::numeric, 6)) AS probability,
	round(surprise::numeric, 1) || ' bits' AS surprise, tactic || ' ' || technique AS att_ck,
	evidence->'source_addresses' AS source_addresses, evidence->'targets' AS targets, evidence->'peers' AS peers_that_do_it,
	(SELECT string_agg(DISTINCT b.operation, ', ') FROM iamwatch.baselines AS b
	 WHERE b.identity = a.identity AND b.days OPERATOR(iamwatch.@>) '2023-07-10'::date) AS "IAM operations that day",
	(SELECT i.days FROM iamwatch.identities AS i WHERE i.identity = a.identity) AS active_days
FROM iamwatch.alerts AS a WHERE identity LIKE '%developer-7' AND NOT failed
ORDER BY sensitivity DESC, surprise DESC, alert_id LIMIT 1;
