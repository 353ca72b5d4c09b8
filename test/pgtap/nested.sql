\ir settings.psql
SELECT plan(21);

-- A trigger of somebody else's on a table of ours, that stores events while a
-- batch is being processed: these are a batch of their own.
CREATE FUNCTION shorts(like_this text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM identities WHERE identity LIKE '%user/' || like_this || '%'
$$;
CREATE FUNCTION unusual(who text, day text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log SELECT aws(day || 'T08:00:00Z', who || lpad(n::text, 2, '0'), 'CreateUser') FROM generate_series(1, 30) AS n
$$;
CREATE FUNCTION store() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log SELECT public.aws('2026-02-01T08:00:00Z', 'from' || right(NEW.identity, 2) || '-' || lpad(n::text, 2, '0'), 'ListBuckets', 's3',
		more => jsonb_build_object('x', repeat('x', 200))) FROM generate_series(1, 50) AS n;
	IF NEW.identity LIKE '%fails%' THEN
		RAISE EXCEPTION 'not this one';
	END IF;
	RETURN NULL;
END $$;
CREATE FUNCTION store_or_not() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log VALUES (public.aws('2026-02-02T08:00:00Z', 'kept' || right(NEW.identity, 2), 'ListBuckets', 's3'));
	INSERT INTO public.log VALUES ('{"what": "is this?"}');
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;

SELECT lives('ann', '2026-01-01', '2026-01-31');
CREATE TRIGGER store AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION store();
SELECT unusual('first', '2026-02-01');
SELECT is((SELECT count(*) FROM alerts WHERE identity LIKE '%first%'), 30::bigint, 'Nested: a trigger on the alerts that stores events takes no alert away');
SELECT is((SELECT count(*) FROM baselines WHERE identity LIKE '%first%'), 30::bigint, 'Nested: nor anything learned');
SELECT is(shorts('from'), 1500::bigint, 'Nested: what it stores is learned');
SELECT throws_ok($$SELECT unusual('fails', '2026-02-01')$$, 'P0001', 'not this one', 'Nested: its error is that of the statement');
SELECT is(shorts('fails'), 0::bigint, 'Nested: of which nothing is learned then');

-- the batch inside fails in a statement of ours, and somebody catches that
DROP TRIGGER store ON alerts;
CREATE TRIGGER store_or_not AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION store_or_not();
CREATE TRIGGER refuse BEFORE INSERT ON rejected_events FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT unusual('second', '2026-02-01');
SELECT is((SELECT count(*) FROM alerts WHERE identity LIKE '%second%'), 30::bigint, 'Nested: a batch inside that fails, and is caught, takes no alert of the outer one away');
SELECT is(shorts('second') || ' ' || shorts('kept'), '30 0', 'Nested: the outer one is learned, the other is not');
DROP TRIGGER refuse ON rejected_events;
SELECT unusual('third', '2026-02-01');
SELECT is(shorts('third') || ' ' || shorts('kept'), '30 30', 'Nested: both are, when nothing fails');
SELECT is(current_setting('search_path') || ' ' || current_user, 'public, iamwatch, iamwatch_internal ' || session_user, 'Nested: settings and role are afterwards as before');

-- ... in a statement inside of a savepoint, while events of the outer one are held:
-- more than memory holds, as is in what it reads on with
CREATE FUNCTION flood() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log SELECT public.aws('2026-02-01T08:00:00Z', 'flood' || NEW.alert_id || '-' || lpad(n::text, 4, '0'), 'ListBuckets', 's3',
		more => jsonb_build_object('x', repeat('x', 200))) FROM generate_series(1, 500) AS n;
	RETURN NULL;
END $$;
CREATE FUNCTION inside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log SELECT public.aws('2026-02-01T09:00:00Z', 'inside' || lpad(n::text, 2, '0'), 'CreateUser') FROM generate_series(1, 20) AS n;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
DROP TRIGGER store_or_not ON alerts;
CREATE TRIGGER flood AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION flood();
CREATE TRIGGER zz_inside AFTER INSERT ON log FOR EACH ROW WHEN (NEW.event->>'eventID' = 'outside3') EXECUTE FUNCTION inside();
SET LOCAL work_mem = '64kB';
SET LOCAL hash_mem_multiplier = 1;
INSERT INTO log SELECT aws('2026-02-01T08:00:00Z', 'outside' || n, 'CreateUser', id => 'outside' || n) FROM generate_series(1, 3) AS n;
SELECT is((SELECT count(*) FROM alerts WHERE identity ~ '/outside.$'), 3::bigint, 'Held: what a statement outside stored raises its alerts');
SELECT is((SELECT count(*) FROM alerts WHERE identity ~ '/inside..$'), 20::bigint, 'Held: so does what one inside stored, whatever its alerts store');
SELECT is(shorts('flood'), 23 * 500::bigint, 'Held: which is learned');
RESET work_mem;
RESET hash_mem_multiplier;
DROP TRIGGER flood ON alerts;

-- A batch that fails inside, and is caught, has not taken the owner's rights of the outer one with it
CREATE FUNCTION no_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.account = 'none' THEN RAISE EXCEPTION 'none'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no_account BEFORE INSERT ON iamwatch_internal.accounts FOR EACH ROW EXECUTE FUNCTION no_account();
CREATE FUNCTION in_no_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log VALUES (public.aws('2026-02-01T09:00:00Z', 'inside', 'CreateUser', more => '{"recipientAccountId": "none"}'));
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
SELECT lives('both', '2026-01-01', '2026-01-31');
CREATE TRIGGER in_no_account AFTER UPDATE ON iamwatch_internal.identity_days FOR EACH ROW EXECUTE FUNCTION in_no_account();
SELECT put(aws('2026-02-01T09:00:00Z', 'x', 'UpdateUser', more => jsonb_build_object('userIdentity', jsonb_build_object('type', 'AWSService', 'invokedBy', who))))
FROM unnest('{ci.amazonaws.com,arn:aws:iam::111122223333:user/both}'::text[]) AS who;
SELECT put(aws('2026-02-02T09:00:00Z', 'x', 'UpdateUser', more => '{"userIdentity": {"type": "IAMUser", "arn": "ci.amazonaws.com"}}'));
SELECT is(kind, 'user', 'Nested: what nobody was as yet becomes a person, though a batch inside fails') FROM identities WHERE identity = 'ci.amazonaws.com';
SELECT is(current_setting('search_path') || ' ' || current_user, 'public, iamwatch, iamwatch_internal ' || session_user, 'Nested: and settings and role are afterwards as before');
DROP TRIGGER in_no_account ON iamwatch_internal.identity_days;

-- What is found in a table is written before anybody's trigger on another may change it
CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log VALUES (public.aws('2026-02-01T09:00:00Z', 'ann', 'DeleteUser', more => '{"userAgent": "other"}'));
	RETURN NULL;
END $$;
CREATE TRIGGER also AFTER INSERT ON iamwatch_internal.novelties FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION also();
SELECT lives_ok($$SELECT put(aws('2026-02-01T08:00:00Z', 'ann', 'CreateUser', more => '{"userAgent": "other"}'))$$,
	'Nested: a trigger on what is new to an identity may store an event of the same context');
DROP TRIGGER also ON iamwatch_internal.novelties;

CREATE FUNCTION of_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log VALUES (public.aws('2026-02-03T09:00:00Z', 'another', 'CreateUser'));
	RETURN NULL;
END $$;
CREATE TRIGGER of_another AFTER UPDATE ON iamwatch_internal.identity_days FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION of_another();
SELECT lives_ok($$INSERT INTO log VALUES (aws('2026-02-04T08:00:00Z', 'ann', 'ListBuckets', 's3')), (aws('2026-02-04T09:00:00Z', 'another', 'CreateUser'))$$,
	'Nested: a trigger on the identities may store what an identity does that the statement has just brought');
SELECT is(days, '{2026-02-03..2026-02-04}'::dayset, 'Nested: both days are learned') FROM baselines WHERE identity LIKE '%/another';
CREATE FUNCTION settles_early() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log SELECT public.aws(day || 'T09:00:00Z', 'third', 'DeleteUser') FROM unnest('{2026-01-20,2026-01-21}'::text[]) AS day;
	RETURN NULL;
END $$;
SELECT put(aws('2026-02-05T09:00:00Z', 'third', 'CreateUser'));
CREATE TRIGGER settles_early AFTER UPDATE ON iamwatch_internal.identity_days FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION settles_early();
SELECT put(aws('2026-02-06T09:00:00Z', 'third', 'CreateUser'));
DROP TRIGGER of_another ON iamwatch_internal.identity_days;
DROP TRIGGER settles_early ON iamwatch_internal.identity_days;
-- on behaviours, when all days of the outer statement are written and none is counted yet
CREATE FUNCTION becomes_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.log VALUES (public.aws('2026-02-08T09:00:00Z', 'x', 'ListBuckets', 's3', more => '{"userIdentity": {"type": "IAMUser", "arn": "becomes.amazonaws.com"}}'));
	RETURN NULL;
END $$;
SELECT put(aws('2026-02-07T09:00:00Z', 'x', 'CreateUser', more => '{"userIdentity": {"type": "AWSService", "invokedBy": "becomes.amazonaws.com"}}'));
CREATE TRIGGER becomes_person AFTER INSERT ON iamwatch_internal.behaviour_days FOR EACH ROW WHEN (pg_trigger_depth() < 3) EXECUTE FUNCTION becomes_person();
SELECT put(aws('2026-02-08T08:00:00Z', 'ann', 'AttachUserPolicy'));
DROP TRIGGER becomes_person ON iamwatch_internal.behaviour_days;
SELECT is(kind, 'user', 'Nested: a trigger on behaviours may make a person of an identity') FROM identities WHERE identity = 'becomes.amazonaws.com';
CREATE TEMP TABLE counted AS SELECT account_id, operation_id, is_user, day, identities, settled FROM tallies;
DO $$BEGIN PERFORM iamwatch_internal.retally(account_id) FROM iamwatch_internal.accounts; END$$;
SELECT is((SELECT count(*) FROM ((TABLE counted EXCEPT ALL SELECT account_id, operation_id, is_user, day, identities, settled FROM tallies)
		UNION ALL (SELECT account_id, operation_id, is_user, day, identities, settled FROM tallies EXCEPT ALL TABLE counted)) AS d),
	0::bigint, 'Nested: and the tallies are what follows from the days');
SELECT ok(count(*) > 20, 'Nested: of which there are some') FROM counted;

-- Detectors that are gone while a batch is scored: here by a trigger, elsewhere by
-- another session.  What waits of an account of the same hash has them read again.
CREATE FUNCTION of_account(at text, operation text, service text = 'iam') RETURNS void LANGUAGE sql AS $$
	SELECT put(aws(at, 'ann', operation, service, more => '{"recipientAccountId": "victim-name-146fnd--c47b"}')) $$;
SELECT of_account(d::date || 'T08:00:00Z', 'ListBuckets', 's3') FROM generate_series('2026-01-01'::date, '2026-01-31', interval '1 day') AS d;
INSERT INTO iamwatch_internal.journal (provider, account, identity, kinds, days, learned_at) VALUES ('aws', 'znspwphujb08pL+0UVzGTkw8', 'x', 2, '{2026-01-02}', now());
INSERT INTO detectors SELECT (jsonb_populate_record(d, '{"detector": "a_first_one", "categories": ["other"]}')).* FROM detectors AS d;
CREATE FUNCTION forget_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM iamwatch.detectors WHERE detector = 'a_first_one'; RETURN NULL; END $$;
CREATE TRIGGER forget_it AFTER INSERT ON iamwatch_internal.behaviour_days FOR EACH ROW EXECUTE FUNCTION forget_it();
SELECT of_account('2026-02-01T08:00:00Z', 'CreateUser');
SELECT is((SELECT string_agg(detector, ' ') FROM alerts WHERE account LIKE 'victim%'), 'unusual_iam_activity', 'Settings: those of the beginning hold for all of a batch');

SELECT * FROM finish();
ROLLBACK;
