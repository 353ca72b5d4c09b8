\ir settings.psql
SELECT plan(9);

-- A trigger of somebody else's on a table of ours, that stores events while a
-- batch is being settled: these are a batch of their own.
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
SELECT * FROM finish();
ROLLBACK;
