\ir settings.psql
SELECT plan(10);

-- What waits in the journal counts as if it were stored, and what the journal
-- adds to the tallies is what folding it adds: days that are stored already, days
-- that two sessions learned, days that make others count for peers, and days that
-- triage took out.
SELECT setseed(0.25);
CREATE TABLE made AS
SELECT who, waits, iam, service, operation, failed, dayset_agg('2026-01-01'::date + (random() * 60)::integer) AS days
FROM generate_series(1, 60) AS who, generate_series(0, 2) AS waits, (VALUES (false, NULL, NULL, NULL), (true, 'iam', 'CreateUser', false),
	(true, 'iam', 'CreateUser', true), (true, 'iam', 'DeleteRole', false)) AS o (iam, service, operation, failed),
	generate_series(1, 3) AS n
-- some are known well, some hardly, some not at all
WHERE random() < CASE WHEN waits > 0 AND who <= 12 THEN 0.9 WHEN waits > 0 THEN 0.25 WHEN who % 3 = 0 THEN 0.9 WHEN who % 3 = 1 THEN 0.15 ELSE 0 END
GROUP BY 1, 2, 3, 4, 5, 6;
-- the first of them have names of one hash: more than the journal looks at one by one
CREATE FUNCTION called(who integer) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(('{PKdhtXMmr18n3SnaqBreLHpC,2L9K88eMlGn7MNoey5mpsmvL,CcctT9RwKSB1oROmumGVFO2R,CcctT9RwKSB12LgEmBECPrT5,1yhc3uavuaObeNCpgkNtzNLB,'
		'Yatja7kaqGHsPIlIbUXTRWGP,Yatja7kaqGHsUMxlboGnPj1e,76AcBAanBtuBBakGi18nMK22,oDzF97Vp1Hvi2UTNJhGdzPf5,oDzF97Vp1HviWDiv8rRveAtv,'
		'LhW3uvrsqRsRzzFk8WQ0NQBL,ft4GMp61QtuN0HzqCs6BXAvM}'::text[])[who], CASE WHEN who % 4 = 0 THEN 'role' ELSE 'user' END || who)
$$;
CREATE FUNCTION deltas(of_session integer) RETURNS SETOF iamwatch_internal.journal LANGUAGE sql AS $$
	SELECT 'aws', '1', NULL::timestamptz, 0, public.called(who),
		CASE WHEN who % 4 = 0 THEN 32 ELSE 2 END, service, operation, failed, days, clock_timestamp()
	FROM public.made WHERE waits = of_session
$$;
SELECT learn((SELECT array_agg(d) FROM deltas(0) AS d) || ROW('aws', '1', '2026-01-01', 0, NULL, NULL, NULL, NULL, NULL,
	'{2026-02-20}', clock_timestamp())::iamwatch_internal.journal);
SET session_replication_role = replica;
INSERT INTO alerts (detector, variation, severity, first_event_time, last_event_time, provider, account, identity, identity_kind, service,
	operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence, status, resolution, excluded_days)
SELECT 'iam_persistence', 'default', 'low', '2026-01-20', '2026-01-20', 'aws', '1', called(who), 'user', 'iam', 'CreateUser', false,
	'identity', 1, 'TA0003', 'T1098', 0.001, 10, '{}', 'closed', 'true_positive', '{2026-01-10..2026-02-05}'
FROM unnest('{3,6,7,10,11}'::integer[]) AS who;
SET session_replication_role = origin;

CREATE FUNCTION all_sums() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(c::text, ' ' ORDER BY is_user, operation, failed, since, until)
	FROM unnest('{true,false}'::boolean[]) AS is_user, (VALUES ('CreateUser', false), ('CreateUser', true), ('DeleteRole', false)) AS o (operation, failed),
		(VALUES ('2026-01-01'::date, '2026-03-10'::date), ('2026-01-15', '2026-01-20'), ('2026-02-01', '2026-02-01')) AS w (since, until),
		class_days('aws', '1', is_user, 'iam', operation, failed, since, until) AS c
$$;
SELECT all_sums() AS stored \gset
INSERT INTO iamwatch_internal.journal SELECT * FROM deltas(1) UNION ALL SELECT * FROM deltas(2);
SELECT all_sums() AS waiting \gset
SELECT ok(count(DISTINCT identity) > 8 AND count(DISTINCT hashtextextended(identity, 0)) = 1, 'What waits: of many names of one hash')
FROM iamwatch_internal.journal WHERE length(identity) = 24;
SELECT isnt(:'waiting'::text, :'stored'::text, 'What waits counts for peers');
SELECT fold_journal('aws', '1');
SELECT is((SELECT count(*) FROM iamwatch_internal.journal), 0::bigint, 'It is folded');
SELECT is(all_sums(), :'waiting'::text, 'What waits counts for peers as if it were stored');
SELECT retally(account_id) FROM iamwatch_internal.accounts;
SELECT is(all_sums(), :'waiting'::text, 'And as if it were counted anew');

-- Of an account, rows of their own
INSERT INTO iamwatch_internal.journal (provider, account, first_event_time, late_events, days, learned_at)
VALUES ('aws', '1', '2025-12-30 10:00Z', 2, '{2026-03-05}', now()), ('aws', '1', '2025-12-31 10:00Z', 1, '{2026-03-07}', now()), ('aws', '1', NULL, 0, '{2026-03-06}', now());
SELECT is((SELECT ROW(first_event_time, newest_day, late_events)::text FROM accounts WHERE account = '1'),
	ROW('2025-12-30 10:00Z'::timestamptz, '2026-03-07'::date, 3)::text, 'An account begins and ends where the journal says, too');
SELECT fold_journal('aws', '1');
SELECT is((SELECT ROW(first_event_time, newest_day, late_events)::text FROM iamwatch_internal.accounts WHERE account = '1'),
	ROW('2025-12-30 10:00Z'::timestamptz, '2026-03-07'::date, 3)::text, 'And so it is stored');

-- What counts a day is changed by every identity that comes: its newest version
-- is found, however many there are.
DO $$BEGIN
	FOR n IN 1..300 LOOP
		INSERT INTO public.log SELECT public.aws(day || 'T08:00:00Z', 'many' || n, 'ListBuckets', 's3')
		FROM unnest('{2026-03-01,2026-03-02,2026-03-03,2026-03-04}'::text[]) AS day WHERE n % right(day, 1)::integer = 0;
	END LOOP;
END$$;
SELECT ok(max(era) > 0, 'Tallies: an era ends after some changes') FROM tallies;
SELECT is((SELECT array_agg((tally_sums(a.account_id, NULL, true, since, '2026-03-04')).active ORDER BY since)
		FROM iamwatch_internal.accounts AS a, unnest('{2026-03-01,2026-03-02,2026-03-03,2026-03-04}'::date[]) AS since WHERE a.account = '111122223333'),
	'{625,325,175,75}', 'Tallies: the newest version of each day counts, once');
SELECT is((SELECT string_agg(identities::text, ' ' ORDER BY day) FROM tallies JOIN iamwatch_internal.accounts USING (account_id)
		WHERE account = '111122223333' AND operation_id = 0), '300 150 100 75', 'Tallies: one row a day');

SELECT finish();
ROLLBACK;
