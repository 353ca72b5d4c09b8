\ir settings.psql
SELECT plan(8);

-- The machinery asks for alerts of a behaviour by the identity's index, and for days
-- that triage took out by the index of those: never by the one of names, which is for
-- people, nor by reading all of them.  Where an identity has
-- many alerts and its account very many, as here, the planner would take that of names.
SELECT lives('ann', '2026-01-01', '2026-01-20');
SELECT put(aws('2026-01-21T09:00:00Z', 'ann', 'CreateUser'));
SET session_replication_role = replica;
-- one in forty is the identity's; one in a hundred has days that were taken out
INSERT INTO alerts OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(NULL::alerts, to_jsonb(a) || jsonb_build_object('alert_id', 1000000 + n, 'incident_id', 1000000 + n,
	'identity', CASE WHEN n % 40 = 4 THEN a.identity ELSE a.identity || n % 1000 END, 'operation', 'Operation' || n % 200,
	'account', CASE WHEN n % 3 = 0 THEN 'another' ELSE a.account END, 'first_event_time', a.first_event_time + n * interval '10 minutes',
	'excluded_days', CASE WHEN n % 100 = 4 THEN '{2026-01-21}' END))).*
FROM alerts AS a, generate_series(1, 8000) AS n;
RESET session_replication_role;
ANALYZE alerts;

CREATE TEMP TABLE example AS
SELECT ROW(x.detector, jsonb_populate_record(NULL::event, to_jsonb(x) || jsonb_build_object('event_time', x.first_event_time, 'event_id', 'x')),
	true, false, NULL)::candidate AS c, ROW(x::all_alerts, NULL, '{}', '{}')::whole_alert AS w
FROM alerts AS x WHERE alert_id = 1004004;

-- how often each index was looked in, and all rows were read
CREATE FUNCTION scans() RETURNS TABLE (index text, n bigint) LANGUAGE sql AS $$
	SELECT indexrelid::regclass::text, pg_stat_get_xact_numscans(indexrelid) FROM pg_index WHERE indrelid = 'iamwatch.alerts'::regclass
	UNION ALL SELECT 'all rows', pg_stat_get_xact_numscans('iamwatch.alerts'::regclass)
$$;
CREATE FUNCTION looks_in(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before jsonb;
BEGIN
	SELECT jsonb_object_agg(index, n) INTO before FROM scans();
	FOR n IN 1 .. 8 LOOP	-- plans that are made for any values too
		EXECUTE statement;
	END LOOP;
	RETURN (SELECT string_agg(index, ' ' ORDER BY index) FROM scans() WHERE n > (before->>index)::bigint);
END $$;
SELECT is(looks_in($$SELECT near_alert(c, '5 days') FROM example$$), 'alerts_identity', 'near_alert(): by the identity');
SELECT unalike(looks_in($$SELECT opens_on_scored_day(c, '5 days') FROM example$$), '%names%', 'opens_on_scored_day(): of one day');
SELECT unalike(looks_in($$SELECT has_opened(c) FROM example$$), '%names%', 'has_opened(): of one moment');
SELECT is(looks_in($$SELECT alerts_of((c).detector, (c).event) FROM example$$), 'alerts_identity', 'alerts_of(): by the identity');
SELECT is(looks_in($$SELECT is_scored_otherwise_since(w, w) FROM example$$), 'alerts_excluded', 'is_scored_otherwise_since(): by what was taken out');
SELECT is(looks_in($$SELECT excluded('aws', ((c).event).account, ((c).event).identity, 'iam', ((c).event).operation, false) FROM example$$), 'alerts_excluded', 'excluded(): by what was taken out');
SELECT unalike(looks_in($$SELECT same_alert(to_jsonb(((w).alert))) FROM example$$), '%names%', 'same_alert(): of one moment');
SELECT is(looks_in($$SELECT excluded_of_account(1, 'aws', ((c).event).account) FROM example$$), 'alerts_excluded', 'excluded_of_account(): by what was taken out');
SELECT * FROM finish();
ROLLBACK;
