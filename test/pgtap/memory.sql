\ir settings.psql
SELECT plan(5);

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

SELECT * FROM finish();
ROLLBACK;
VACUUM;		-- or each scan of a table in the tests after this one meets a million rows that are gone
