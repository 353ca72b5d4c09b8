\ir settings.psql
SELECT plan(21);

-- What the trigger was queued for in a statement need not be queued again: but
-- nothing is hidden by a row that is not stored, or by a call by hand.
CREATE FUNCTION read_of(who text, at text, account text = '111122223333') RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws(at, who, 'GetObject', 's3') || jsonb_build_object('recipientAccountId', account)
$$;
CREATE FUNCTION asked_and_hit(OUT asked bigint, OUT hits bigint) LANGUAGE sql AS $$
	SELECT asked, hits FROM iamwatch_internal.cache_status()
$$;
CREATE FUNCTION days_of(who text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(days::text, ' ') FROM identities WHERE identity LIKE '%user/' || who
$$;
INSERT INTO log SELECT read_of('warm', '2026-01-05T08:00:00Z') FROM generate_series(1, 30);

CREATE TEMP TABLE before AS SELECT * FROM asked_and_hit();
INSERT INTO log SELECT read_of('ann', to_char('2026-01-05T08:00:00'::timestamp + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
	FROM generate_series(1, 100) AS n;
SELECT results_eq('SELECT a.asked - b.asked, a.hits - b.hits FROM asked_and_hit() AS a, before AS b', 'VALUES (100::bigint, 99::bigint)',
	'Queued: of a hundred rows of a statement that say the same, one');
SELECT is(days_of('ann'), '{2026-01-05}', 'Queued: which is learned');

INSERT INTO log SELECT read_of('bob', day || 'T08:00:00Z') FROM generate_series(1, 3), unnest('{2026-01-05,2026-01-06,2026-01-07}'::text[]) AS day;
SELECT is(days_of('bob'), '{2026-01-05..2026-01-07}', 'Queued: each day of an identity');
INSERT INTO log SELECT e FROM generate_series(1, 3), unnest(ARRAY[read_of('cid', '2026-01-05T08:00:00Z'),
	read_of('cid', '2026-01-05T08:00:00Z') #- '{userIdentity,type}' || '{}']) AS e;
SELECT is(days_of('cid'), '{2026-01-05}', 'Queued: as each kind');
INSERT INTO log SELECT read_of('dan', '2026-01-05T0' || h || ':00:00Z', '999') FROM unnest('{9,7,8}'::int[]) AS h;
SELECT is((SELECT first_event_time FROM iamwatch_internal.accounts WHERE account = '999'), '2026-01-05T07:00:00Z',
	'Queued: the earliest event of an account, though its identity had one that day');
INSERT INTO log SELECT e FROM generate_series(1, 3), unnest(ARRAY[read_of('eve', '2026-01-05T08:00:00Z'), aws('2026-01-05T09:00:00Z', 'eve', 'CreateUser'),
	aws('2026-01-05T09:00:00Z', 'eve', 'DeleteUser')]) AS e;
SELECT is((SELECT string_agg(operation, ' ' ORDER BY operation) FROM baselines WHERE identity LIKE '%user/eve'), 'CreateUser DeleteUser',
	'Queued: IAM operations behind an event of the day that is none');

-- rows that are not stored
CREATE TABLE once (id int PRIMARY KEY, event jsonb);
INSERT INTO once VALUES (1, '{}');
SELECT watch('once');
INSERT INTO once SELECT n, read_of('fay', '2026-01-05T08:00:00Z') FROM generate_series(1, 1) AS n ON CONFLICT DO NOTHING;
SELECT is(days_of('fay'), NULL, 'Queued: a row that ON CONFLICT leaves out teaches nothing');
INSERT INTO once SELECT n, read_of('fay', '2026-01-05T08:00:00Z') FROM generate_series(1, 3) AS n ON CONFLICT DO NOTHING;
SELECT is(days_of('fay'), '{2026-01-05}', 'Queued: ... and hides nothing');
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM iamwatch_internal.may_be_new(NEW.event), iamwatch_internal.may_be_new(NEW.event, '(0,1)');
	RETURN CASE WHEN NEW.id % 2 = 0 THEN NEW END;
END $$;
CREATE TRIGGER leave_out BEFORE INSERT ON once FOR EACH ROW EXECUTE FUNCTION leave_out();
INSERT INTO once VALUES (11, read_of('gil', '2026-01-05T08:00:00Z')), (13, read_of('gil', '2026-01-05T08:00:00Z'));
SELECT is(days_of('gil'), NULL, 'Queued: rows that a trigger leaves out teach nothing');
INSERT INTO once VALUES (15, read_of('gil', '2026-01-05T08:00:00Z')), (16, read_of('gil', '2026-01-05T08:00:00Z'));
SELECT is(days_of('gil'), '{2026-01-05}', 'Queued: ... and hide nothing');
SELECT throws_ok($$CREATE TRIGGER early BEFORE INSERT ON once FOR EACH ROW
	WHEN (iamwatch_internal.may_be_new(NEW.event, NEW.ctid)) EXECUTE FUNCTION leave_out()$$, '0A000', NULL,
	'Queued: a row that is not stored yet has no ctid to ask with');

-- calls by hand
CREATE TABLE later (event jsonb);
INSERT INTO later SELECT read_of('hal', '2026-01-05T08:00:00Z') FROM generate_series(1, 50);
SELECT is((SELECT bool_and(iamwatch_internal.may_be_new(event) AND iamwatch_internal.may_be_new(event, ctid)) FROM later), true,
	'Queued: a call by hand is told of each row that it may be new');
SELECT is((SELECT bool_and(iamwatch_internal.may_be_new(a.event, b.ctid)) FROM later AS a JOIN later AS b USING (event)), true,
	'Queued: ... of each row of a join');
CREATE TABLE other (event jsonb);
SELECT watch('other');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER aa_first AFTER INSERT ON other FOR EACH ROW WHEN (iamwatch_internal.may_be_new(NEW.event, NEW.ctid)) EXECUTE FUNCTION nothing();
WITH stored AS (INSERT INTO other SELECT event FROM later RETURNING event) SELECT count(*) FROM stored WHERE iamwatch_internal.may_be_new(event);
SELECT is(days_of('hal'), '{2026-01-05}', 'Queued: a trigger by hand that asks before takes nothing away');

-- statements that fail
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER zz_refuse AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SELECT throws_ok($$INSERT INTO other SELECT read_of('ida', '2026-01-05T08:00:00Z') FROM generate_series(1, 20)$$, 'P0001', 'refused', 'Queued: a statement fails');
SELECT is(days_of('ida'), NULL, 'Queued: nothing is learned of it');
DROP TRIGGER zz_refuse ON other;
INSERT INTO other SELECT read_of('ida', '2026-01-05T08:00:00Z') FROM generate_series(1, 20);
SELECT is(days_of('ida'), '{2026-01-05}', 'Queued: what it was queued for is forgotten');

-- tables apart in one statement
CREATE TABLE parts (at date, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT watch('parts');
INSERT INTO parts SELECT ('2026-01-0' || n)::date + m * 31, read_of('jim', '2026-01-05T08:00:00Z') FROM generate_series(1, 9) AS n, generate_series(0, 1) AS m;
SELECT is(days_of('jim'), '{2026-01-05}', 'Queued: rows of several partitions');

-- counts of what came too late
INSERT INTO log VALUES (read_of('kim', '2026-10-05T08:00:00Z', '777'));
SET LOCAL client_min_messages = error;
INSERT INTO log SELECT read_of(who, '2026-01-05T08:00:00Z', '777') FROM generate_series(1, 40), unnest('{kim,lea}'::text[]) AS who;
SELECT is((SELECT sum(late) FROM iamwatch_internal.source_counts), 80::numeric, 'Queued: all that came too late is counted, also what was not queued');
SELECT is((SELECT count(*) FROM identities WHERE account = '777'), 1::bigint, 'Queued: ... and none of it learned');

-- what is watched changes between statements, and the catalogue does not
INSERT INTO log SELECT read_of('warm', '2026-10-05T08:00:00Z') FROM generate_series(1, 30);
UPDATE detectors SET effects = effects || '{read}';
INSERT INTO log SELECT aws('2026-10-05T08:00:00Z', 'mia', operation)
	FROM generate_series(1, 2), unnest('{GenerateCredentialReport,GenerateServiceLastAccessedDetails,SimulateCustomPolicy}'::text[]) AS operation;
SELECT is((SELECT count(*) FROM baselines WHERE identity LIKE '%user/mia'), 3::bigint,
	'Queued: reads from the first statement on in which a detector watches them');
SELECT * FROM finish();
ROLLBACK;
