-- Declaratively partitioned tables: whichever way a row comes in, it is seen once.
\ir settings.psql
SELECT plan(30);

CREATE FUNCTION busy() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(regexp_replace(identity, '.*/', '') || count_days(days), ' ' ORDER BY identity), '')
	FROM identities $$;

CREATE TABLE parted (id bigint, at date, event jsonb) PARTITION BY RANGE (at);
CREATE TABLE first_ten PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-01-11');
SELECT watch('parted');

INSERT INTO parted (at, event) VALUES ('2026-01-05', aws('2026-01-05T08:00:00Z', 'ann', 'ListUsers'));
SELECT is(busy(), 'ann1', 'A load through the parent is seen');
INSERT INTO first_ten (at, event) VALUES ('2026-01-06', aws('2026-01-06T08:00:00Z', 'ann', 'ListUsers'));
SELECT is(busy(), 'ann2', 'A load straight into a partition is seen');

CREATE TABLE second_ten PARTITION OF parted FOR VALUES FROM ('2026-01-11') TO ('2026-01-21') PARTITION BY LIST ((event->>'eventSource'));
CREATE TABLE second_ten_iam PARTITION OF second_ten FOR VALUES IN ('iam.amazonaws.com');
INSERT INTO parted (at, event) VALUES ('2026-01-15', aws('2026-01-15T08:00:00Z', 'ann', 'ListUsers'));
INSERT INTO second_ten_iam (at, event) VALUES ('2026-01-16', aws('2026-01-16T08:00:00Z', 'ann', 'ListUsers'));
SELECT is(busy(), 'ann4', 'So is one into a partition of a partition that was made later');

-- another order of columns, and one that was dropped
CREATE TABLE third_ten (event jsonb, gone text, at date, id bigint);
ALTER TABLE third_ten DROP COLUMN gone;
INSERT INTO third_ten VALUES (aws('2026-01-25T08:00:00Z', 'bob', 'ListUsers'), '2026-01-25', 1);
ALTER TABLE parted ATTACH PARTITION third_ten FOR VALUES FROM ('2026-01-21') TO ('2026-01-31');
SELECT is(busy(), 'ann4', 'What a table held before it was attached is history: for backfill()');
INSERT INTO third_ten VALUES (aws('2026-01-26T08:00:00Z', 'bob', 'ListUsers'), '2026-01-26', 2);
INSERT INTO parted (at, event) VALUES ('2026-01-27', aws('2026-01-27T08:00:00Z', 'bob', 'ListUsers'));
SELECT is(busy(), 'ann4 bob2', 'From then on a load into it is seen, whatever the order of its columns');
SELECT set_eq($$SELECT leaves('parted')::text$$, ARRAY['first_ten', 'second_ten_iam', 'third_ten'],
	'backfill() reads each leaf partition by itself');

ALTER TABLE parted DETACH PARTITION third_ten;
INSERT INTO third_ten VALUES (aws('2026-01-28T08:00:00Z', 'bob', 'ListUsers'), '2026-01-28', 3);
SELECT is(busy(), 'ann4 bob2', 'A detached partition is a table that nobody watches');
SELECT watch('third_ten');
INSERT INTO third_ten VALUES (aws('2026-01-29T08:00:00Z', 'bob', 'ListUsers'), '2026-01-29', 4);
SELECT is(busy(), 'ann4 bob3', 'unless it is watched by itself');
SELECT throws_ok($$ALTER TABLE parted ATTACH PARTITION third_ten FOR VALUES FROM ('2026-01-21') TO ('2026-01-31')$$,
	'42710', NULL, 'A table that is watched by itself is not attached to one that is watched');
SELECT unwatch('third_ten');
ALTER TABLE parted ATTACH PARTITION third_ten FOR VALUES FROM ('2026-01-21') TO ('2026-01-31');
INSERT INTO parted (at, event) VALUES ('2026-01-30', aws('2026-01-30T08:00:00Z', 'bob', 'ListUsers'));
SELECT is(busy(), 'ann4 bob4', 'It is once it is unwatched, and then it is watched through its parent');

-- partitions that were watched before their parent
SELECT unwatch('parted');
SELECT watch('first_ten');
SELECT watch('second_ten_iam');
SELECT watch('parted');
SELECT results_eq('SELECT source::text FROM sources WHERE source <> ''log''::regclass', ARRAY['parted'],
	'To watch a parent takes over from its partitions');
INSERT INTO parted (at, event) VALUES ('2026-01-07', aws('2026-01-07T08:00:00Z', 'ann', 'ListUsers'));
SELECT is(busy(), 'ann5 bob4', 'and nothing that comes into them is missed');

-- an UPDATE that moves a row inserts it into another partition
INSERT INTO parted (at, event) VALUES ('2026-01-30', aws('2026-01-30T08:00:00Z', 'bob', 'CreateUser', id => 'alerting'));
SELECT is(event_count, 1::bigint, 'An alert is raised of what a partition got') FROM alerts;
UPDATE parted SET at = '2026-01-16' WHERE event->>'eventID' = 'alerting';
SELECT is(event_count, 1::bigint, 'and moving its row to another partition counts nothing twice') FROM alerts;

-- a backtest reads them one by one, if that is no other thing than to read the parent
INSERT INTO parted (at, event) VALUES ('2026-01-18', aws('2026-01-18T08:00:00Z', 'ann', 'CreateUser'));
CREATE TABLE plain AS SELECT event FROM parted;
CREATE FUNCTION tried(source regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT b::text FROM backtest(source, activation_days => 0, probability_limit => 1) AS b $$;
SELECT is(active, (SELECT count(DISTINCT (event->>'eventTime')::date)::int FROM parted
		WHERE event #>> '{userIdentity,arn}' LIKE '%ann' AND event->>'eventTime' < '2026-01-18'), 'A backtest counts the days of all partitions')
FROM backtest('parted', activation_days => 0, probability_limit => 1) WHERE identity LIKE '%ann';
SELECT set_eq($$SELECT tried('parted')$$, $$SELECT tried('plain')$$, 'and gives what it gives of one table with these rows');
CREATE ROLE iamwatch_partitions;
SELECT grant_access('iamwatch_partitions', 'administer');
GRANT SELECT ON parted TO iamwatch_partitions;
GRANT USAGE, CREATE ON SCHEMA public TO iamwatch_partitions;
CREATE TABLE wanted AS SELECT tried('plain');
GRANT SELECT ON wanted TO iamwatch_partitions;
SET ROLE iamwatch_partitions;
SELECT set_eq($$SELECT tried('parted')$$, $$TABLE wanted$$, 'for who may read the parent and no partition, too');
RESET ROLE;

-- Whose owner is nobody special: who makes a partition makes its triggers.
CREATE ROLE iamwatch_parted_owner;
CREATE ROLE iamwatch_parted_member IN ROLE iamwatch_parted_owner;
GRANT USAGE, CREATE ON SCHEMA public TO iamwatch_parted_owner;
CREATE TABLE owned (at int, event jsonb) PARTITION BY LIST (at);
ALTER TABLE owned OWNER TO iamwatch_parted_owner;
SELECT watch('owned');
SET ROLE iamwatch_parted_member;
SELECT lives_ok('CREATE TABLE owned_1 PARTITION OF owned FOR VALUES IN (1)', 'Its owner, or who has the rights of the owner, makes a partition of a watched table');
RESET ROLE;
SET ROLE iamwatch_parted_owner;
CREATE TABLE owned_2 (at int, event jsonb);
SELECT lives_ok('ALTER TABLE owned ATTACH PARTITION owned_2 FOR VALUES IN (2)', 'and attaches one');
SELECT throws_ok($$CREATE TRIGGER mine AFTER INSERT ON owned_2 FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.observe('event')$$,
	'42501', 'permission denied for schema iamwatch_internal', 'but makes no trigger of ours by its name');
SELECT throws_ok($$SELECT iamwatch_internal.observe()$$, '42501', 'permission denied for schema iamwatch_internal', 'nor calls its function');
CREATE TABLE owned_3 PARTITION OF owned FOR VALUES IN (3) PARTITION BY LIST ((event->>'eventSource'));
RESET ROLE;
INSERT INTO owned VALUES (2, aws('2026-01-05T08:00:00Z', 'attached', 'ListBuckets', 's3'));
SELECT matches(busy(), 'attached1', 'What comes into it is seen');
SELECT is(problem, NULL, 'Problem: none') FROM source_status WHERE source = 'owned'::regclass;
CREATE ROLE iamwatch_parted_other;
GRANT USAGE, CREATE ON SCHEMA public TO iamwatch_parted_other;
ALTER TABLE owned_3 OWNER TO iamwatch_parted_other;
SELECT is(problem, 'iamwatch_parted_other cannot make or attach partitions of it; call iamwatch.watch(''public.owned'', ''event'') as the owner of iamwatch',
	'Problem: an owner who came later cannot, of a part of it') FROM source_status WHERE source = 'owned'::regclass;
SELECT watch('owned');
SELECT is(problem, NULL, 'Problem: watch() mends it') FROM source_status WHERE source = 'owned'::regclass;
SET ROLE iamwatch_parted_other;
SELECT lives_ok($$CREATE TABLE owned_3_iam PARTITION OF owned_3 FOR VALUES IN ('iam.amazonaws.com')$$, 'and that owner too makes partitions');
RESET ROLE;
-- TimescaleDB makes the triggers of a chunk by their text, as the owner of the hypertable.
CREATE TABLE like_a_chunk (at int, event jsonb);
ALTER TABLE like_a_chunk OWNER TO iamwatch_parted_owner;
CREATE FUNCTION pg_temp.make_triggers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	made text;
BEGIN
	FOR made IN SELECT replace(pg_get_triggerdef(t.oid), ' ON public.owned ', ' ON public.like_a_chunk ')
		FROM pg_trigger AS t WHERE tgrelid = 'public.owned'::regclass
	LOOP
		EXECUTE made;
	END LOOP;
END $$;
SET ROLE iamwatch_parted_owner;
SELECT throws_ok('SELECT pg_temp.make_triggers()', '42501', NULL, 'The owner of a table makes no triggers by their text');
RESET ROLE;
SELECT grant_access('iamwatch_parted_owner', 'administer');
SET ROLE iamwatch_parted_owner;
SELECT lives_ok('SELECT pg_temp.make_triggers()', 'but does as an administrator, which the owner of a hypertable is to be');
RESET ROLE;
DROP TABLE like_a_chunk;
REVOKE ALL ON FUNCTION iamwatch_internal.observe() FROM iamwatch_parted_owner;
GRANT iamwatch_parted_owner TO iamwatch_partitions;
SET client_min_messages = error;
SET ROLE iamwatch_partitions;
SELECT lives_ok($$SELECT watch('owned')$$, 'Who may watch, but not grant, is only warned');
RESET ROLE;
DROP TABLE owned;

SELECT unwatch('parted');
SELECT is(count(*), 1::bigint, 'To unwatch the parent unwatches all of its partitions')
FROM pg_trigger WHERE tgname = 'iamwatch_observe';
SELECT * FROM finish();
ROLLBACK;
