\ir settings.psql
SELECT plan(8);

-- Names and contents that would be SQL if anything took them for it.
CREATE TABLE bad (n int GENERATED ALWAYS AS IDENTITY, name text);
INSERT INTO bad (name) VALUES
('"; DROP TABLE log; --'), ('''; DROP TABLE log; --'), ('$$; DROP TABLE log; $$'), (E'new\nline\ttab\\back'), ('%I %L %s %1$s {} ${x}'),
(E'\u00e4\u20ac\U0001F600 \u202e'), (repeat('n', 63)), (repeat(E'\u00e4', 31)), ('$1'), ('iamwatch.alerts'), ('select'), (' '), ('a.b"c''d'), ('{source}'), ('{document} {order}');

-- in every field of a document: an alert is raised with exactly that in it
CREATE FUNCTION hostile(bad text, at text, operation text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('eventTime', at, 'eventSource', 'iam.amazonaws.com', 'eventName', operation, 'eventID', bad || at,
		'recipientAccountId', bad, 'sourceIPAddress', bad, 'userAgent', bad, 'awsRegion', bad, 'errorCode', bad,
		'requestParameters', jsonb_build_object('userName', bad),
		'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', bad)) $$;
INSERT INTO log SELECT hostile(name, '2026-01-01T00:00:00Z', 'ListUsers') FROM bad;
INSERT INTO log SELECT hostile(name, '2026-02-01T00:00:00Z', 'CreateUser') FROM bad;
SELECT set_eq('SELECT account, identity, evidence->''targets'' AS t, evidence->''user_agents'' AS u FROM alerts',
	'SELECT name AS a, name AS b, jsonb_build_array(name) AS t, jsonb_build_array(name) AS u FROM bad', 'Content: is kept as it is, and never run');
INSERT INTO operations (provider, service, operation, category, effect, attack_technique)
	SELECT 'aws', name, name, name, 'modify', name FROM bad;
INSERT INTO log SELECT hostile('x', '2026-02-01T00:00:00Z', name) || jsonb_build_object('eventSource', name, 'recipientAccountId', '1') FROM bad;
INSERT INTO log VALUES (hostile('x', '2026-01-01T00:00:00Z', 'ListUsers') || '{"recipientAccountId": "1"}');
INSERT INTO log SELECT hostile('y', '2026-02-01T00:00:00Z', name) || jsonb_build_object('eventSource', name, 'recipientAccountId', '1') FROM bad;
SELECT set_eq('SELECT service, operation, category, technique FROM alerts WHERE identity = ''y''',
	'SELECT name AS a, name AS b, name AS c, name AS d FROM bad', 'Catalogue: names, categories and techniques likewise');
INSERT INTO log SELECT jsonb_build_object('protoPayload', jsonb_build_object('serviceName', name, 'methodName', name,
	'authenticationInfo', jsonb_build_object('principalEmail', name)), 'timestamp', name, 'logName', name) FROM bad;
SELECT is((SELECT count(*) FROM rejected_events WHERE event ? 'protoPayload'), 15::bigint, 'Content: what is rejected is kept, too');

-- as names of tables and columns
CREATE FUNCTION work_with(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	source regclass;
	reader text;
	n bigint;
BEGIN
	EXECUTE format('CREATE TABLE public.%I (id int GENERATED ALWAYS AS IDENTITY, %1$I jsonb)', name);
	source := format('public.%I', name)::regclass;
	PERFORM iamwatch.watch(source, name);
	PERFORM iamwatch.watch(source, name);
	EXECUTE format('INSERT INTO %s (%I) VALUES ($1)', source, name) USING hostile('watched ' || name, '2026-02-01T00:00:00Z', 'CreateUser');
	PERFORM iamwatch.unwatch(source);
	EXECUTE format('INSERT INTO %s (%I) VALUES ($1)', source, name) USING hostile('read ' || name, '2026-02-01T00:00:00Z', 'CreateUser');
	INSERT INTO iamwatch.sources VALUES (source, name, now(), 'id');
	PERFORM iamwatch_internal.process_rows(source, 100);
	PERFORM iamwatch_internal.backfill_working_tables();
	PERFORM iamwatch_internal.backfill_read(source, name, NULL, NULL);
	PERFORM iamwatch_internal.backfill_fetch(source, name, NULL, NULL);
	PERFORM iamwatch_internal.drop_temporary();
	PERFORM FROM iamwatch.backtest(source, event_column => name);
	-- all that reads a source, found in the catalogs, and each of them reads the rows
	FOR reader IN SELECT format('SELECT count(*) FROM iamwatch_internal.%I(%s)', p.proname,
			(SELECT string_agg(CASE WHEN a.type = 'regclass'::regtype THEN quote_literal(source) WHEN p.proargnames[a.n] = 'order_column' THEN '''id'''
				WHEN a.type = 'name'::regtype THEN quote_literal(name) WHEN p.proargnames[a.n] = 'provider' THEN '''aws'''
				WHEN p.proargnames[a.n] = 'ids' THEN format('ARRAY[%L, %L]', 'watched ' || name || '2026-02-01T00:00:00Z', 'read ' || name || '2026-02-01T00:00:00Z') WHEN p.proargnames[a.n] = 'most' THEN '9'
				WHEN p.proargnames[a.n] = 'keys' THEN format('(SELECT array_agg(key) FROM iamwatch_internal.read_days(%L, %L, NULL, NULL))', source, name)
				WHEN p.proargnames[a.n] = 'filter' THEN '''\xff'''	-- that everything passes
				ELSE 'NULL' END, ', ' ORDER BY a.n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n)))
		FROM pg_proc AS p WHERE p.pronamespace = 'iamwatch_internal'::regnamespace AND p.proname LIKE 'read\_%' LOOP
		EXECUTE reader INTO n;
		IF n <> (CASE WHEN reader ~ 'read_(unreadable|instances)' THEN 0 WHEN reader ~ 'read_unordered' THEN 1 ELSE 2 END) THEN
			RAISE EXCEPTION '% rows from %', n, reader;
		END IF;
	END LOOP;
	RETURN (SELECT string_agg(identity, ',' ORDER BY identity DESC) FROM iamwatch.identities WHERE identity IN ('watched ' || name, 'read ' || name));
END $$;
SELECT is(count(*), 15::bigint, 'Names of tables and columns: watched, unwatched, processed, read and tested')
FROM bad WHERE work_with(name) = 'watched ' || name || ',read ' || name;
SELECT is((SELECT count(*) FROM sources WHERE source::oid IN (SELECT oid FROM pg_class WHERE relname IN (SELECT name FROM bad))), 15::bigint,
	'Names: all of them are sources');

-- as partition, and as the value that the watermark grows to
CREATE VIEW pg_temp.shown AS SELECT name AS at, hostile('grown ' || name, '2026-02-02T00:00:00Z', 'CreateUser') AS event FROM bad;
INSERT INTO sources VALUES ('shown', 'event', now(), 'at');
SELECT is(process_rows('shown', 5) + process_rows('shown', 5) + process_rows('shown', 5) + process_rows('shown', 5), 15::bigint,
	'Watermark: of any content is compared, not run');
SELECT is((SELECT count(*) FROM identities WHERE identity LIKE 'grown %'), 15::bigint, 'Watermark: and no row is skipped or taken twice');
SELECT has_table('public', 'log', 'Nothing was dropped');
SELECT * FROM finish();
ROLLBACK;
