-- What is asked by the name of an identity reads what is kept of that one, however many there are.
\ir settings.psql
SELECT plan(31);

-- Two accounts of many, each identity with a few of two hundred operations.
SELECT lives(n, '2026-01-01', '2026-01-20') FROM unnest('{ann,bob}'::text[]) AS n;
INSERT INTO iamwatch_internal.accounts (account_id, provider, account, first_event_time, newest_day, late_events)
SELECT 1000 + n, 'aws', (222222222221 + n)::text, '2026-01-01', '2026-02-10', 0 FROM generate_series(0, 1) AS n;
INSERT INTO identity_days (account_id, kinds, first_days, days, iam_days, identity)
SELECT a.account_id, 2, '{2026-01-01..2026-01-03}', '{2026-01-01..2026-02-10}', '{2026-01-20}', format('arn:aws:iam::%s:user/many%s', a.account, n)
FROM iamwatch_internal.accounts AS a, generate_series(1, 20000) AS n WHERE a.account_id >= 1000;
INSERT INTO account_operations (account_id, operation_id, failed, service, operation)
SELECT 1000 + a, o, false, 'iam', 'Op' || o FROM generate_series(0, 1) AS a, generate_series(1, 200) AS o;
INSERT INTO behaviour_days (account_id, operation_id, identity_id, first_seen, days)
SELECT i.account_id, o, i.identity_id, '2026-01-20', '{2026-01-20}' FROM identity_days AS i, generate_series(1, 200) AS o
WHERE i.account_id >= 1000 AND (i.identity_id * 7 + o) % 40 = 0;
INSERT INTO habits (account_id, identity_id, kind, value, days)
SELECT i.account_id, i.identity_id, 'n', '192.0.2.0/24', '{2026-01-20}'::iamwatch.dayset FROM identity_days AS i WHERE i.account_id >= 1000
UNION ALL
SELECT i.account_id, i.identity_id, 'k', format('AKIA%s 192.0.2.0/24', lpad(i.identity_id::text, 16, 'A')), '{2026-01-20}' FROM identity_days AS i WHERE i.account_id >= 1000;
ANALYZE iamwatch_internal.accounts, identity_days, account_operations, behaviour_days, habits;

-- pages that a statement reads, in all functions that it calls
CREATE FUNCTION pages(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE statement;		-- what it needs to know of the catalogs is known then
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT json) ' || statement INTO plan;
	RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + (plan->0->'Plan'->>'Shared Read Blocks')::bigint;
END $$;
CREATE VIEW kept AS SELECT sum(pg_relation_size(t)) / current_setting('block_size')::bigint AS pages
FROM unnest('{identity_days,behaviour_days,habits}'::regclass[]) AS t;
CREATE FUNCTION share(statement text) RETURNS numeric LANGUAGE sql AS $$ SELECT pages(statement) / k.pages FROM kept AS k $$;

SELECT cmp_ok(pages, '>', 3000::numeric, 'By name: much is kept') FROM kept;
\set who 'arn:aws:iam::222222222222:user/many777'
SELECT cmp_ok(share('SELECT * FROM identities'), '>', 0.1, 'By name: all identities are read where all are asked for');
SELECT is((SELECT count(*) FROM identities), 40002::bigint, 'By name: and all are there');
SELECT is((SELECT count(*) FROM identities WHERE identity = :'who'), 1::bigint, 'By name: an identity is found');
SELECT is((SELECT count(*) FROM baselines WHERE identity = :'who'), 5::bigint, 'By name: and its baselines');
SELECT is((SELECT count(*) FROM contexts WHERE identity = :'who'), 2::bigint, 'By name: and its contexts');
SELECT cmp_ok(pages(format('SELECT * FROM identities WHERE identity = %L', :'who')), '<', 100::bigint, 'Identities: of one by its name');
SELECT cmp_ok(share(format('SELECT * FROM baselines WHERE identity = %L', :'who')), '<', 0.2, 'Baselines: of one identity by its name');
CREATE FUNCTION plan_of(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || statement; END $$;
SELECT is((SELECT count(*) FILTER (WHERE p ~ 'Index Scan.*identity_days_identity') || ' ' || count(*) FILTER (WHERE p ~ 'Seq Scan on (identity|behaviour)_days')
	FROM plan_of(format('SELECT * FROM baselines WHERE provider = ''aws'' AND account = ''222222222222'' AND identity = %L', :'who')) AS p), '1 0',
	'Baselines: of one identity by its name and account');
SELECT cmp_ok(pages(format('SELECT * FROM contexts WHERE identity = %L', :'who')), '<', 100::bigint, 'Contexts: of one identity by its name');
-- without a single identity of that name, behaviours are not looked at
SELECT cmp_ok(pages('SELECT * FROM baselines WHERE identity = ''nobody'''), '<', 100::bigint, 'Baselines: of nobody');
PREPARE one AS SELECT count(*) FROM identities WHERE identity = $1;
SET plan_cache_mode = force_generic_plan;
SELECT cmp_ok(pages(format('EXECUTE one(%L)', :'who')), '<', 100::bigint, 'Identities: also where the name is a parameter');
RESET plan_cache_mode;
-- equal is what the comparison says
CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT is((SELECT count(*) FROM identities WHERE identity = upper(:'who') COLLATE either_case), 1::bigint, 'By name: in either case, where that is asked for');
SELECT is((SELECT count(*) FROM identities WHERE identity = (:'who')::name), 1::bigint, 'By name: given as another type');
SELECT is((SELECT count(*) FROM identities WHERE identity IN (:'who', 'arn:aws:iam::222222222221:user/many777')), 2::bigint, 'By name: one of several');
INSERT INTO journal (provider, account, identity, kinds, days, learned_at) VALUES ('aws', '222222222222', 'new', 2, '{2026-02-01}', now());
SELECT is((SELECT count(*) FROM identities WHERE identity = 'new' AND account = '222222222222'), 1::bigint, 'By name: what waits in the journal, too');

-- an identity of another account, whose password somebody sets, and whose key somebody changes
CREATE FUNCTION sets_password(target text, id text) RETURNS bigint LANGUAGE sql AS $$
	SELECT put(aws('2026-02-10T10:00:00Z', 'ann', 'CreateLoginProfile', id => id, more => jsonb_build_object('recipientAccountId', '222222222222',
		'requestParameters', jsonb_build_object('userName', target))));
	SELECT max(alert_id) FROM alerts
$$;
SELECT sets_password('many777', '1') AS alert_id \gset
SELECT is((SELECT jsonb_agg(u->'identity') FROM jsonb_array_elements(explain_json(:alert_id)->'later_use') AS u), to_jsonb(ARRAY[:'who']),
	'Explain: the target that acts is found among all');
SELECT cmp_ok(pages(format('SELECT identities_acting_as(''aws'', %L)', 'aws:222222222222:user:many777')), '<=',
	(SELECT 1.1 * pg_relation_size('identity_days') / current_setting('block_size')::bigint FROM kept)::bigint, 'Explain: the names of all are looked at once, and nothing else of them');
SELECT is((SELECT array_agg(i) FROM identities_acting_as('aws', actor('aws', 'arn:aws:iam::222222222222:user/a/path/many42')) AS i), ARRAY['arn:aws:iam::222222222222:user/many42'],
	'Actor: one name for all spellings finds it');
SELECT is((SELECT array_agg(u.identity || ' ' || u.target) FROM all_alerts AS a, later_users(jsonb_populate_record(a, jsonb_build_object('evidence',
	jsonb_build_object('targets', jsonb_build_array('AKIA' || lpad((SELECT identity_id::text FROM identity_days WHERE identity LIKE '%222:user/many99'), 16, 'A')))))) AS u
	WHERE a.alert_id = :alert_id), ARRAY[(SELECT 'arn:aws:iam::222222222222:user/many99 AKIA' || lpad(identity_id::text, 16, 'A') FROM identity_days WHERE identity LIKE '%222:user/many99')],
	'Explain: who uses a key that is the target');

-- very many alerts, each an incident that a transaction of before has kept; one is behind
SET session_replication_role = replica;
INSERT INTO alerts (detector, variation, severity, risk, first_event_time, last_event_time, event_count, provider, account, identity, identity_kind,
	service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
SELECT 'unusual_iam_activity', 'base', 'informational', 10, t, t, 1, 'aws', '222222222222', 'arn:aws:iam::222222222222:user/many' || n, 'user',
	'iam', 'CreateUser', false, 'account', 4, 'TA0003', 'T1136.003', 0.01, 6.6,
	jsonb_build_object('targets', jsonb_build_array('made' || n), 'source_addresses', jsonb_build_array('192.0.2.' || n % 250))
FROM generate_series(1, 20000) AS n CROSS JOIN LATERAL (SELECT '2026-01-01'::timestamptz + n * interval '15 minutes' AS t) AS at;
RESET session_replication_role;
ALTER TABLE kept_incidents DISABLE TRIGGER kept_by_whom;
INSERT INTO kept_incidents
SELECT a.alert_id, a.detector, a.provider, a.account, a.identity, a.identity_kind, a.risk, a.severity, a.status, 1, 1, 1, a.first_event_time, a.last_event_time,
	(a.first_event_time AT TIME ZONE 'UTC')::date, '{iam:CreateUser}', '{T1136.003}', 4, NULL, ARRAY[a.alert_id], actor('aws', a.identity),
	ARRAY[handed('aws', a.account, a.operation, a.evidence->'targets'->>0)], ARRAY[a.first_event_time], '{made it}',
	address_weeks(ARRAY[a.evidence->'source_addresses'->>0], a.first_event_time, a.first_event_time), '{}', a.first_event_time + interval '5 days', '3'
FROM alerts AS a WHERE a.identity ~ 'user/many' AND a.evidence->'targets'->>0 ~ '^made';
ALTER TABLE kept_incidents ENABLE TRIGGER kept_by_whom;
TRUNCATE changed_incidents;
UPDATE links_done SET before = pg_current_xact_id();
INSERT INTO changed_incidents SELECT detector, provider, account, identity, first_event_time, last_event_time FROM kept_incidents WHERE kept_by = '3' LIMIT 1;
ANALYZE alerts, kept_incidents;
SELECT cmp_ok(pages(format('SELECT * FROM suppression_preview(identity => %L)', 'arn:aws:iam::222222222222:user/many777')), '<',
	pg_relation_size('alerts') / current_setting('block_size')::bigint / 10, 'Preview: of one identity, by its name');
SELECT is((SELECT count(*) FROM suppression_preview(identity => 'arn:aws:iam::222222222222:user/many777')), 1::bigint, 'Preview: and what it would hide is found');
SELECT cmp_ok(pages('SELECT * FROM fresh_links()'), '<', pg_relation_size('kept_incidents') / current_setting('block_size')::bigint / 4,
	'Links: those of one that is behind are looked up');

-- an account can have very many: each further one is kept as quickly, and theirs are found
SELECT is((SELECT string_agg(i.indexrelid::regclass::text, ' ') FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
	WHERE m.amname = 'hash' AND x.relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[])), NULL, 'Many alike: no index is of the kind that goes through all of them for one more');
CREATE SEQUENCE further START 1000000;
CREATE FUNCTION keeps_one(account text, identity text) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO kept_incidents SELECT n, %L, %L, %L, %L, %L, n %% 30, %L, %L, 1, 1, 1, t, t, t::date, %5$L, %5$L, 4, NULL, ARRAY[n], %4$L, %5$L, %5$L, %5$L, %5$L, %5$L, t, NULL'
		' FROM (SELECT nextval(''further'') AS n, ''2026-06-01''::timestamptz AS t) AS further', 'unusual_iam_activity', 'aws', account, identity, '{}', 'low', 'new')
$$;
SELECT cmp_ok(pages(keeps_one('222222222222', 'arn:aws:iam::222222222222:user/many5')), '<=', pages(keeps_one('333333333333', 'other')) + 5, 'Many alike: one more incident of their account');
SELECT is((SELECT count(*) FROM incidents WHERE account = '333333333333'), 2::bigint, 'Many alike: those of an account with few');
SELECT cmp_ok(pages('SELECT incident_id FROM incidents WHERE account = ''333333333333'''), '<', 100::bigint, 'Many alike: are found by its name');
SELECT cmp_ok(pages('SELECT incident_id FROM incidents WHERE identity = ''arn:aws:iam::222222222222:user/many5'''), '<', 100::bigint, 'Incidents: of one identity by its name');
SELECT cmp_ok(pages('SELECT incident_id FROM incidents WHERE identity IN (''other'', ''arn:aws:iam::222222222222:user/many5'')'), '<', 100::bigint, 'Incidents: of several');
SELECT is((SELECT count(*) FROM incidents WHERE identity IN ('other', 'arn:aws:iam::222222222222:user/many5', NULL)), 5::bigint, 'Incidents: and all are there');
PREPARE several AS SELECT count(*) FROM incidents WHERE identity = ANY ($1);
SET plan_cache_mode = force_generic_plan;
SELECT cmp_ok(pages('EXECUTE several(''{other,nobody}'')'), '<', 150::bigint, 'Incidents: of several that are a parameter');
RESET plan_cache_mode;
SELECT * FROM finish();
ROLLBACK;
