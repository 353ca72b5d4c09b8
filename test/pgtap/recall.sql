\ir settings.psql
SELECT plan(25);

-- What the tables know need not be queued by a session that knows nothing; what
-- an alert may take, or is still to be scored, is.  A change of the settings has
-- a session forget all that it knows.
CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'UPDATE detectors SET enabled = enabled';
CREATE FUNCTION days_of(who text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(days::text, ' ') FROM identities WHERE identity LIKE '%user/' || who
$$;
CREATE TEMP TABLE before (asked bigint, hits bigint);
CREATE FUNCTION count_from_here() RETURNS void LANGUAGE sql AS $$
	SELECT forget();
	DELETE FROM before;
	INSERT INTO before SELECT asked, hits FROM iamwatch_internal.cache_status();
$$;
CREATE FUNCTION queued() RETURNS bigint LANGUAGE sql AS $$
	SELECT (a.asked - a.hits) - (b.asked - b.hits) FROM iamwatch_internal.cache_status() AS a, before AS b
$$;
SELECT lives(who, '2026-01-01', '2026-02-20') FROM unnest('{ann,bob,cid}'::text[]) AS who;
SELECT put(aws('2026-01-03T09:00:00Z', 'ann', 'CreateUser'));

SELECT count_from_here();
SELECT is(entries, 0::bigint, 'Recall: a session that knows nothing') FROM iamwatch_internal.cache_status();
SELECT lives(who, '2026-01-01', '2026-02-20') FROM unnest('{ann,bob,cid}'::text[]) AS who;
SELECT is(queued(), 0::bigint, 'Recall: days that the tables know are not queued');
SELECT count_from_here();
SELECT lives('ann', '2026-02-15', '2026-02-25');
SELECT is(queued(), 5::bigint, 'Recall: ... only those that they do not know');
SELECT is(days_of('ann'), '{2026-01-01..2026-02-25}', 'Recall: ... which are learned');
SELECT count_from_here();
SELECT put(aws('2026-01-03T09:30:00Z', 'ann', 'CreateUser'));
SELECT is(queued(), 0::bigint, 'Recall: an IAM operation that the tables know on that day');
SELECT put(aws('2026-01-03T09:30:00Z', 'ann', 'DeleteUser'));
SELECT put(aws('2026-01-04T09:30:00Z', 'ann', 'CreateUser'));
SELECT put(aws('2026-01-03T09:30:00Z', 'ann', 'CreateUser', more => '{"errorCode": "AccessDenied"}'));
SELECT is(queued(), 3::bigint, 'Recall: ... not another, nor on another day, nor one that failed');
SELECT count_from_here();
SELECT put(aws('2026-01-01T07:00:00Z', 'bob', 'ListBuckets', 's3'));
SELECT is((SELECT first_event_time FROM iamwatch_internal.accounts), '2026-01-01T07:00:00Z', 'Recall: an event earlier than any of its account is learned');
SELECT put(aws('2026-02-20T08:00:00Z', 'bob', 'ListBuckets', 's3') #- '{userIdentity,type}');
SELECT is(queued(), 2::bigint, 'Recall: an identity that is known as another kind');

-- who lies beside them
CREATE FUNCTION remembered() RETURNS bigint LANGUAGE sql AS 'SELECT entries FROM iamwatch_internal.cache_status()';
CREATE FUNCTION meet_two(at text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws(at, who, 'ListBuckets', 's3') FROM unnest('{ann,bob}'::text[]) AS who
$$;
SELECT lives('dee', '2026-01-31', '2026-02-01');
SELECT forget();
SELECT put(aws('2026-01-31T08:00:00Z', 'ann', 'ListBuckets', 's3'));
SELECT is(remembered(), 1::bigint, 'Recall: of one identity, no other is remembered');
SELECT meet_two('2026-01-31T08:00:00Z');
SELECT is(remembered(), 2::bigint, 'Recall: ... nor of another in the next statement, which met none before');
SELECT forget();
SELECT meet_two('2026-01-31T08:00:00Z');
SELECT is(remembered(), 5::bigint, 'Recall: where a statement meets a second identity of a page, all of it are remembered, bob as both kinds');
SELECT forget();
SELECT meet_two('2026-01-30T08:00:00Z');
SELECT is(remembered(), 4::bigint, 'Recall: ... that did anything on the day');
SAVEPOINT a;
SELECT lives('gus', '2026-02-19', '2026-02-19');
SELECT forget();
SELECT meet_two('2026-02-19T08:00:00Z');
ROLLBACK TO SAVEPOINT a;
SELECT lives('gus', '2026-02-19', '2026-02-19');
SELECT is(days_of('gus'), '{2026-02-19}', 'Recall: ... but not what was rolled back');

-- what may concern an alert
SELECT put(aws('2026-02-20T08:00:00Z', 'ann', 'PutUserPolicy'));
SELECT forget();
SELECT put(aws('2026-02-20T09:00:00Z', 'ann', 'PutUserPolicy'));
SELECT is((SELECT string_agg(event_count::text, ' ') FROM alerts WHERE operation = 'PutUserPolicy'), '2', 'Recall: a further event of an alert is counted');
SELECT forget();
SELECT put(aws('2026-02-22T09:00:00Z', 'ann', 'PutUserPolicy'));
SELECT forget();
SELECT put(aws('2026-02-22T10:00:00Z', 'ann', 'PutUserPolicy'));
SELECT is((SELECT string_agg(event_count::text, ' ') FROM alerts WHERE operation = 'PutUserPolicy'), '4', 'Recall: ... on another day too');

-- the day on which the activation period ends
CREATE FUNCTION elsewhere(at text, operation text, service text = 'iam') RETURNS jsonb LANGUAGE sql AS $$
	SELECT aws(at, 'eve', operation, service, more => '{"recipientAccountId": "222233334444"}')
$$;
INSERT INTO log SELECT elsewhere(d::date || 'T08:00:00Z', 'ListBuckets', 's3') FROM generate_series('2026-01-01', '2026-01-20'::date, '1 day') AS d;
SELECT put(elsewhere('2026-01-15T07:00:00Z', 'AttachUserPolicy'));
SELECT forget();
SELECT put(elsewhere('2026-01-15T09:00:00Z', 'AttachUserPolicy'));
SELECT is((SELECT count(*) FROM alerts WHERE account = '222233334444'), 1::bigint,
	'Recall: what was known before the activation period ended is scored again on that day');

-- savepoints, and statements that fail
SAVEPOINT a;
SELECT lives('fay', '2026-02-21', '2026-02-21');
SELECT forget();
SELECT lives('fay', '2026-02-21', '2026-02-21');
ROLLBACK TO SAVEPOINT a;
SELECT lives('fay', '2026-02-21', '2026-02-21');
SELECT is(days_of('fay'), '{2026-02-21}', 'Recall: what is rolled back is recalled no more');
SELECT count_from_here();
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			INSERT INTO log SELECT aws('2026-02-0' || n || 'T08:00:00Z', 'bob', 'ListBuckets', 's3') || jsonb_build_object('n', 1 / (5 - n)) FROM generate_series(1, 9) AS n;
		EXCEPTION WHEN division_by_zero THEN
			INSERT INTO log SELECT aws('2026-02-0' || n || 'T08:00:00Z', 'cid', 'ListBuckets', 's3') FROM generate_series(1, 9) AS n;
		END;
	END LOOP;
END $$;
SELECT is(queued(), 0::bigint, 'Recall: a statement that fails between its rows leaves nothing open');
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() < 4 THEN
		PERFORM forget();
		INSERT INTO log VALUES (NEW.event), (NEW.event);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER again AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION again();
SELECT count_from_here();
SELECT lives('cid', '2026-02-01', '2026-02-03');
SELECT is(queued(), 0::bigint, 'Recall: statements inside of statements, each of which looks up for itself');
DROP TRIGGER again ON log;

-- by columns, in an UPDATE, and of several accounts
SELECT count_from_here();
UPDATE log SET event = aws('2026-02-05T09:00:00Z', 'ann', 'ListBuckets', 's3') WHERE ctid = (SELECT min(ctid) FROM log);
SELECT is(queued(), 0::bigint, 'Recall: a document that an UPDATE changes');
SELECT count_from_here();
INSERT INTO log SELECT e FROM generate_series(1, 5), unnest(ARRAY[elsewhere('2026-01-03T08:00:00Z', 'ListBuckets', 's3'),
	aws('2026-01-03T08:00:00Z', 'eve', 'ListBuckets', 's3'), aws('2026-01-03T08:00:00Z', 'bob', 'ListBuckets', 's3')]) AS e;
SELECT is(queued(), 1::bigint, 'Recall: an identity of one account is not taken for that of another');
SELECT is((SELECT count(*) FROM identities WHERE identity LIKE '%user/eve'), 2::bigint, 'Recall: ... and is learned');

-- in vain
SELECT count_from_here();
INSERT INTO log SELECT aws('2026-01-03T08:00:00Z', 'new' || n, 'ListBuckets', 's3') FROM generate_series(1, 300) AS n;
INSERT INTO log SELECT aws('2026-01-03T08:00:00Z', who, 'ListBuckets', 's3') FROM unnest('{ann,bob,cid}'::text[]) AS who;
SELECT is(queued(), 300::bigint, 'Recall: where most is new, and in the next statement');

-- an alert that comes from elsewhere, and takes days that are remembered
SELECT put(aws('2026-01-17T09:00:00Z', 'ann', 'CreateUser'));
SELECT put(aws('2026-01-17T09:00:00Z', 'ann', 'CreateUser'));
SELECT count_from_here();
SELECT put(aws('2026-01-17T09:00:00Z', 'ann', 'CreateUser'));
SELECT put(aws('2026-01-17T09:00:00Z', 'ann', 'CreateUser'));
SELECT is(queued(), 0::bigint, 'Recall: a usual operation on a day that is known');
SELECT import_alerts(ARRAY[jsonb_build_object('alert', to_jsonb(a) || '{"alert_id": 1000, "operation": "CreateUser", "first_event_time": "2026-01-16T09:00:00Z"}')], '{}')
FROM alerts AS a WHERE operation = 'PutUserPolicy';
SELECT put(aws('2026-01-17T09:00:00Z', 'ann', 'CreateUser'));
SELECT is((SELECT event_count FROM alerts WHERE alert_id = 1000), 5::bigint, 'Recall: ... joins an alert that was imported since');
SELECT * FROM finish();
ROLLBACK;
