\ir settings.psql
SELECT plan(9);

-- The memory that a backend keeps is bounded by what a hash table may take,
-- whatever the number of identities it meets.
SET LOCAL work_mem = '128kB';
SET LOCAL hash_mem_multiplier = 2;
CREATE FUNCTION memory() RETURNS bigint LANGUAGE sql AS $$
	SELECT coalesce(memory_of('iamwatch baseline cache'), 0) + coalesce(memory_of('iamwatch events of a statement'), 0)
		+ coalesce(memory_of('iamwatch sorted events'), 0)
$$;
CREATE TEMP TABLE most (bytes bigint);
CREATE FUNCTION measure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO most VALUES (memory());
	RETURN NULL;
END $$;
CREATE TRIGGER zz_measure AFTER INSERT ON log FOR EACH ROW
	WHEN (NEW.event->>'eventID' LIKE '%00000') EXECUTE FUNCTION measure();

INSERT INTO log SELECT jsonb_build_object('eventTime', '2026-03-01T00:00:00Z', 'eventSource', 's3.amazonaws.com',
	'eventName', 'GetObject', 'recipientAccountId', (n / 50000)::text, 'eventID', n::text,
	'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'user' || n))
FROM generate_series(1, 1000000) AS n;
SELECT is(count(*), 1000000::bigint, 'Memory: of a million identities, none is left out') FROM identity_days;
SELECT is(count(*), 10::bigint, 'Memory: it was looked at ten times while the statement ran') FROM most;
SELECT cmp_ok(max(bytes), '<=', (3 * 1024 * 1024)::bigint, 'Memory: within its settings while the statement ran') FROM most;
SELECT cmp_ok(memory(), '<=', 512 * 1024::bigint, 'Memory: what is remembered stays within its setting');
SELECT put(aws('2026-03-02T00:00:00Z', 'ann', 'GetObject', 's3'));
SELECT is(count(*), 1::bigint, 'Memory: and detection goes on') FROM identities WHERE identity LIKE '%user/ann';

-- A backtest holds an account and an identity at a time, however many there are;
-- of several kinds, and operations that only one in a hundred of them did.
CREATE TABLE stored (n int, event jsonb);
INSERT INTO stored SELECT n, jsonb_build_object('eventTime', to_char(timestamp '2026-03-01' + d * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
	'eventName', CASE WHEN n % 100 = 99 AND d = 30 THEN 'DeleteUser' ELSE 'CreateUser' END, 'recipientAccountId', (n / 10000)::text, 'eventID', n || '-' || d,
	'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'user' || n))
FROM generate_series(1, 20000) AS n, unnest('{0,2,20,30}'::int[]) AS d;
CREATE FUNCTION looked(n int) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF n = 20000 THEN
		INSERT INTO most VALUES (memory_of('iamwatch backtest%') + coalesce(memory_of('TupleSort%'), 0));
	END IF;
	RETURN true;
END $$;
CREATE VIEW looked_at AS SELECT event FROM stored WHERE looked(n);
DELETE FROM most;
CREATE TEMP TABLE found AS SELECT * FROM backtest('looked_at');
SELECT is(count(*), 200::bigint, 'Memory: a backtest finds what one in a hundred did') FROM found;
SELECT is(count(*), 8::bigint, 'Memory: it was looked at each time that it read the last identity') FROM most;
SELECT cmp_ok(max(bytes), '<=', 1024 * 1024::bigint, 'Memory: what a backtest holds does not grow with the identities') FROM most;
SET LOCAL work_mem = '100MB';
SELECT is_empty('(SELECT f::text FROM found AS f EXCEPT ALL SELECT b::text FROM backtest(''stored'') AS b)
	UNION ALL (SELECT b::text FROM backtest(''stored'') AS b EXCEPT ALL SELECT f::text FROM found AS f)', 'Memory: with more of it, it finds the same');

SELECT * FROM finish();
ROLLBACK;
VACUUM;		-- or each scan of a table in the tests after this one meets a million rows that are gone
