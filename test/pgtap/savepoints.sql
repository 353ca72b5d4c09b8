\ir settings.psql
SELECT plan(13);

-- A trigger of somebody else's, beside ours, that inserts into another watched
-- table in a block of its own, and fails there for some rows.
CREATE TABLE copies (event jsonb);
SELECT watch('copies');
CREATE FUNCTION copy_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO copies VALUES (jsonb_set(NEW.event, '{userIdentity,arn}',
			to_jsonb('copy of ' || (NEW.event->'userIdentity'->>'arn'))));
		IF NEW.event->'userIdentity'->>'arn' LIKE '%bad%' THEN
			RAISE EXCEPTION 'no copy';
		END IF;
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN NULL;
END $$;
CREATE TRIGGER zz_copy_row AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION copy_row();
CREATE FUNCTION names() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace(identity, 'arn:aws:iam::111122223333:user/', '') FROM identities ORDER BY identity COLLATE "C"
$$;

INSERT INTO log SELECT aws('2026-03-01T08:00:00Z', who, 'CreateUser') FROM unnest(ARRAY['bad1', 'good1', 'bad2', 'good2', 'bad3']) AS who;
SELECT results_eq('SELECT names()', ARRAY['bad1', 'bad2', 'bad3', 'good1', 'good2', 'copy of good1', 'copy of good2'],
	'Savepoint: what rolls back around another trigger''s insert takes none of the outer statement''s events with it');
SELECT is((SELECT count(*) FROM baselines), 7::bigint, 'Savepoint: nor their operations');

-- a statement that another trigger ends after ours has queued the end of it
CREATE TABLE refusing (event jsonb);
SELECT watch('refusing');
CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'refused'; END$$;
CREATE TRIGGER zz_refuse_row AFTER INSERT ON refusing FOR EACH ROW WHEN (NEW.event->'userIdentity'->>'arn' LIKE '%bad%')
	EXECUTE FUNCTION refuse_row();
DO $$BEGIN
	INSERT INTO refusing VALUES (aws('2026-03-01T09:00:00Z', 'bad4', 'CreateUser'));
EXCEPTION WHEN raise_exception THEN
	NULL;
END$$;
INSERT INTO refusing VALUES (aws('2026-03-01T09:00:00Z', 'good4', 'CreateUser'));
SELECT results_eq($$SELECT n FROM names() AS n WHERE n LIKE '%4'$$, ARRAY['good4'], 'Savepoint: a statement that fails there leaves the next one its end');

-- a batch that is processed in pieces, because it is larger than the memory for it
SET LOCAL work_mem = '64kB';
SET LOCAL hash_mem_multiplier = 1;
INSERT INTO log SELECT aws('2026-03-02T08:00:00Z', CASE n % 3 WHEN 0 THEN 'bad' ELSE 'fine' END || lpad(n::text, 4, '0'), 'CreateUser',
	more => jsonb_build_object('x', repeat(md5(n::text), 30))) FROM generate_series(1, 300) AS n;
SELECT is((SELECT count(*) FROM names() AS n WHERE n ~ '^(bad|fine)\d{4}$'), 300::bigint, 'Savepoint: nor when a batch is processed in pieces');
SELECT is((SELECT count(*) FROM names() AS n WHERE n ~ 'copy of .*bad'), 0::bigint, 'Savepoint: what rolled back is not learned');
SELECT is((SELECT count(*) FROM names() AS n WHERE n ~ 'copy of .*fine'), 200::bigint, 'Savepoint: what did not is');
-- The lock of a backfill goes with the savepoint under which it fails.
SELECT throws_ok('SELECT CASE WHEN try_session_lock(3, ''log''::regclass::oid::bigint) THEN 1 / (random() * 0)::integer END', '22012', NULL, 'backfill: takes its lock and fails');
SELECT is(session_lock_held(3, 'log'::regclass::oid::bigint), false, 'backfill: leaves no lock behind');
SELECT ok(try_session_lock(3, 'log'::regclass::oid::bigint), 'backfill: so that it can be called again');
SELECT session_unlock();

-- Numbers that are not eight bytes wide are not spent by what rolls back.
SELECT is(string_agg(s.seqrelid::regclass::text, ' '), NULL, 'Numbers: no sequence of the extension gives four bytes')
FROM pg_sequence AS s JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype = 'i'
JOIN pg_class AS c ON c.oid = d.refobjid WHERE c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
AND s.seqtypid <> 'bigint'::regtype;
CREATE FUNCTION numbered(who text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws('2026-03-01T09:00:00Z', who, op, id => who || op || acc, more => jsonb_build_object('recipientAccountId', 'numbered' || acc))
	FROM unnest('{CreateUser,DeleteUser,CreateRole}'::text[]) AS op, generate_series(1, 200) AS acc $$;
CREATE VIEW accounts_of_tests AS SELECT * FROM iamwatch_internal.accounts WHERE account LIKE 'numbered%';
SAVEPOINT numbers;
SELECT numbered('rolled back') FROM generate_series(1, 3);
ROLLBACK TO numbers;
SELECT numbered('stays');
SELECT is(count(*) || ' ' || max(operation_id) || ' ' || max(operations), '600 3 3', 'Numbers: operations of an account count from one')
FROM (SELECT o.operation_id, count(*) OVER (PARTITION BY o.account_id) AS operations FROM account_operations AS o
	JOIN accounts_of_tests AS a USING (account_id)) AS x;
SELECT is(count(DISTINCT account_id), 200::bigint, 'Numbers: accounts have one each') FROM accounts_of_tests;
SELECT is(bool_and(account_id & 63 = account_bucket(account)) AND max(account_id) < 64 * 50, true, 'Numbers: by their bucket, without gaps') FROM accounts_of_tests;
SELECT * FROM finish();
ROLLBACK;
