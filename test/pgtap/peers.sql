\ir settings.psql
SELECT plan(8);

-- Whoever an alert names as peers is found by number, in passing where the numbers lie
-- near each other, and no further than the tallies say that there are days to be found.
-- So: identities whose numbers lie near and far, with many and few days, and many who
-- did it only before the training period, or only today.
CREATE FUNCTION cast_of(since int, until int) RETURNS TABLE (n int, who text) LANGUAGE sql AS $$
	SELECT n, 'p' || lpad(((n * 7919) % 10007)::text, 5, '0') FROM generate_series(since, until) AS n $$;
INSERT INTO log SELECT aws(d::date || 'T08:00:00Z', who, 'ListBuckets', 's3')
FROM generate_series(date '2026-02-01', '2026-03-31', interval '1 day') AS d, cast_of(1, 600) WHERE d < '2026-02-05' OR d > '2026-03-10' ORDER BY d, n;
INSERT INTO log SELECT aws(d::date || 'T09:00:00Z', who, 'CreateUser')
FROM cast_of(1, 600), generate_series(date '2026-03-01', '2026-03-30', interval '1 day') AS d
WHERE CASE WHEN n <= 30 THEN extract(day FROM d) <= 1 + n % 3 WHEN n % 97 = 0 THEN extract(day FROM d) <= n / 97 END;
-- long before, and today
INSERT INTO log SELECT aws('2026-02-05T09:00:00Z', who, 'CreateUser') FROM cast_of(100, 180);
INSERT INTO log SELECT aws('2026-04-01T09:00:00Z', who, 'CreateUser') FROM cast_of(200, 280);
SELECT lives('ann', '2026-02-01', '2026-03-31');
-- what the list is, from what is told of the baselines
CREATE FUNCTION peers_by_rule(who text, op text, day date) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('identity', x.identity, 'days', x.days)), '[]') FROM (
		SELECT b.identity, count(*) AS days
		FROM baselines AS b JOIN identities AS i USING (provider, account, identity)
		CROSS JOIN LATERAL days(settled_days(b.days, (SELECT f.first_days FROM identity_days AS f WHERE f.identity = b.identity))) AS d
		WHERE b.operation = op AND NOT b.failed AND d BETWEEN day - 30 AND day - 1 AND b.identity <> who AND i.is_user
		GROUP BY 1 ORDER BY 2 DESC, b.identity COLLATE "C" LIMIT 10) AS x $$;
CREATE FUNCTION peers_said(who text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT evidence->'peers' FROM alerts WHERE identity = 'arn:aws:iam::111122223333:user/' || who ORDER BY alert_id DESC LIMIT 1 $$;
SELECT put(aws('2026-04-01T10:00:00Z', 'ann', 'CreateUser'));
SELECT is(jsonb_array_length(peers_said('ann')), 10, 'Peers: ten are named');
SELECT is(peers_said('ann'), peers_by_rule('arn:aws:iam::111122223333:user/ann', 'CreateUser', '2026-04-01'), 'Peers: those with the most days first, then by name, whatever their numbers');
SELECT cmp_ok((peers_said('ann')->0->>'days')::int, '>', (peers_said('ann')->9->>'days')::int, 'Peers: they have not all as many days');
-- all alike, so that only names decide
INSERT INTO log SELECT aws('2026-03-05T09:00:00Z', who, 'DeleteUser') FROM cast_of(1, 600) WHERE n % 5 = 0 OR n % 40 = 3;
SELECT lives('eve', '2026-02-01', '2026-03-31');
SELECT put(aws('2026-04-01T10:00:00Z', 'eve', 'DeleteUser'));
SELECT is(peers_said('eve'), peers_by_rule('arn:aws:iam::111122223333:user/eve', 'DeleteUser', '2026-04-01'), 'Peers: the first ten names of many with one day each');
-- those of the other class do it too, and are no peers
INSERT INTO log SELECT aws('2026-03-06T09:00:00Z', 'x', 'DeleteRole', more => jsonb_build_object('userIdentity',
	jsonb_build_object('type', 'AssumedRole', 'arn', 'arn:aws:sts::111122223333:assumed-role/r' || n || '/i-0123456789abcdef0',
		'sessionContext', jsonb_build_object('sessionIssuer', jsonb_build_object('type', 'Role', 'arn', 'arn:aws:iam::111122223333:role/r' || n)))))
FROM generate_series(1, 50) AS n;
INSERT INTO log SELECT aws('2026-03-07T09:00:00Z', who, 'DeleteRole') FROM cast_of(1, 600) WHERE n % 100 = 0;
SELECT lives('kim', '2026-02-01', '2026-03-31');
SELECT put(aws('2026-04-01T10:00:00Z', 'kim', 'DeleteRole'));
SELECT is(peers_said('kim'), peers_by_rule('arn:aws:iam::111122223333:user/kim', 'DeleteRole', '2026-04-01'), 'Peers: people have people');
SELECT is(jsonb_array_length(peers_said('kim')), 6, 'Peers: all of a few');
-- one that has gone leaves its days behind for nobody
DELETE FROM identity_days WHERE identity = (peers_said('kim')->0->>'identity');
SELECT lives('lee', '2026-02-01', '2026-03-31');
SELECT put(aws('2026-04-01T10:00:00Z', 'lee', 'DeleteRole'));
SELECT is(peers_said('lee'), peers_by_rule('arn:aws:iam::111122223333:user/lee', 'DeleteRole', '2026-04-01'), 'Peers: nobody is named who is not known');
SELECT is(jsonb_array_length(peers_said('lee')), 5, 'Peers: the others still are');
SELECT * FROM finish();
ROLLBACK;
