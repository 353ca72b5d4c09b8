-- What is learned: sets of days, and the tallies that follow from them.
--
-- One session at a time writes the accounts of a bucket.  Whoever finds the
-- bucket taken appends to the journal instead and goes on; the next session
-- that gets the bucket folds the journal in.  Nobody waits.

CREATE FUNCTION iamwatch_internal.account_bucket(account text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN (hashtextextended(account, 0) & 63)::integer;
COMMENT ON FUNCTION iamwatch_internal.account_bucket(text) IS 'the key that accounts have in common in the lock under which they are written, class 1';

-- Each bucket has numbers of its own, so that sessions that write different
-- ones never meet.
-- Sessions that write different accounts of a bucket are allowed at once, so
-- who numbers a new one takes the next number of the first of 31 ranges that
-- nobody else is taking from; and any, at the worst.
CREATE FUNCTION iamwatch_internal.next_account_id(bucket integer) RETURNS integer
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	FOR part IN 0..30 LOOP
		IF iamwatch_internal.try_lock(4, part * 64 + bucket) THEN
			RETURN 64 + coalesce((SELECT max(a.account_id) FROM iamwatch_internal.accounts AS a
				WHERE a.account_id & 63 = bucket AND a.account_id >= part << 26 AND a.account_id < (part + 1)::bigint << 26),
				(part << 26) + bucket);
		END IF;
	END LOOP;
	RETURN (31 << 26) + 64 * floor(random() * 1048576)::integer + bucket;
END $$;
COMMENT ON FUNCTION iamwatch_internal.next_account_id(integer) IS
'the number of a further account of the bucket; under the lock of the account';

CREATE FUNCTION iamwatch_internal.try_lock_account(account text) RETURNS boolean
	LANGUAGE sql VOLATILE
	RETURN iamwatch_internal.try_lock(1, iamwatch_internal.account_bucket(account), hashtextextended(account, 1));
COMMENT ON FUNCTION iamwatch_internal.try_lock_account(text) IS
'take the lock under which an account is written, unless another session has it';

CREATE FUNCTION iamwatch_internal.may_fold() RETURNS boolean
	LANGUAGE sql VOLATILE RETURN current_setting('transaction_isolation') LIKE 'read%';
COMMENT ON FUNCTION iamwatch_internal.may_fold() IS
'whether this transaction sees what others commit: one with a fixed snapshot could lose their work, so it only appends';

-- Tallies from scratch, for an account in which an identity changed class.
-- Whole tables are joined, and statistics may say that both are empty.
CREATE FUNCTION iamwatch_internal.retally(in_account integer) RETURNS void
	LANGUAGE sql VOLATILE SET enable_nestloop = off AS $$
	DELETE FROM iamwatch_internal.tallies AS t WHERE t.account_id = in_account;
	INSERT INTO iamwatch_internal.tallies (account_id, operation_id, is_user, day, identities, settled)
	SELECT in_account, marks.operation_id, iamwatch_internal.is_person(marks.kinds), day, count(*),
		count(*) FILTER (WHERE day >= marks.settled_from)
	FROM (
		SELECT m.operation_id, m.kinds, m.days,
			iamwatch.first_day(iamwatch_internal.settled_days(m.days, m.first_days)) AS settled_from
		FROM (
			SELECT 0 AS operation_id, i.kinds, i.days, i.first_days FROM iamwatch_internal.identity_days AS i
			WHERE i.account_id = in_account
			UNION ALL
			SELECT -1, i.kinds, i.iam_days, i.first_days FROM iamwatch_internal.identity_days AS i
			WHERE i.account_id = in_account
			UNION ALL
			SELECT d.operation_id, i.kinds, d.days, i.first_days
			FROM iamwatch_internal.behaviour_days AS d
			JOIN iamwatch_internal.identity_days AS i USING (account_id, identity_id)
			WHERE d.account_id = in_account) AS m
		OFFSET 0) AS marks
	CROSS JOIN LATERAL iamwatch.days(marks.days) AS day
	GROUP BY 2, 3, 4;
$$;
COMMENT ON FUNCTION iamwatch_internal.retally(integer) IS 'count the tallies of an account anew; under the lock of the account';

CREATE FUNCTION iamwatch_internal.add_to_tallies(in_account integer, increments iamwatch_internal.tallies[]) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	WITH increment AS (
		SELECT i.operation_id, i.is_user, i.day, sum(i.identities) AS identities, sum(i.settled) AS settled
		FROM unnest(increments) AS i
		GROUP BY i.operation_id, i.is_user, i.day
	), met AS MATERIALIZED (
		SELECT i.*, t.at FROM increment AS i
		LEFT JOIN LATERAL (SELECT t.ctid AS at FROM iamwatch_internal.tallies AS t
			WHERE t.account_id = in_account AND t.operation_id = i.operation_id AND t.day = i.day AND t.is_user = i.is_user
			ORDER BY t.era DESC LIMIT 1) AS t ON true
	), updated AS (
		-- by place, as in fold_account(); an era is some thirty changes, as in src/server/counter.c
		UPDATE iamwatch_internal.tallies AS t SET identities = t.identities + met.identities,
			settled = t.settled + met.settled, era = LEAST(t.era + (random() < 0.03)::integer, 32767)
		FROM met WHERE t.ctid = met.at
	)
	INSERT INTO iamwatch_internal.tallies (account_id, operation_id, is_user, day, identities, settled)
	SELECT in_account, met.operation_id, met.is_user, met.day, met.identities, met.settled FROM met WHERE met.at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION iamwatch_internal.add_to_tallies(integer, iamwatch_internal.tallies[]) IS
'count further identities, if any; under the lock of the account''s bucket';

CREATE FUNCTION iamwatch_internal.fold_account(in_provider text, in_account text, deltas iamwatch_internal.journal[],
	moves_account boolean) RETURNS integer
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	learned iamwatch_internal.journal[] := deltas;
	id integer := (iamwatch_internal.ids_of(in_provider, in_account, NULL, NULL, NULL, NULL)).account_id;
	increments iamwatch_internal.tallies[];
	settling iamwatch_internal.tallies[];
	more iamwatch_internal.tallies[];
	moved bigint[];
	moved_kinds integer[];
	moved_from iamwatch.dayset[];
	moved_to iamwatch.dayset[];
	changed_class boolean;
	has_operations boolean;
	in_scope text := iamwatch_internal.limit_scope(in_provider, in_account);
	new_identities date[];
	new_behaviours date[];
	counted boolean;
BEGIN
	IF iamwatch_internal.has_journal(in_account) THEN
		WITH taken AS (
			DELETE FROM iamwatch_internal.journal AS j
			WHERE hashtextextended(j.account, 0) = hashtextextended(in_account, 0)
			AND j.account = in_account AND j.provider = in_provider
			RETURNING j
		)
		SELECT deltas || array_agg(j) INTO learned FROM taken;
		moves_account := true;
	END IF;
	IF cardinality(learned) = 0 THEN
		RETURN id;
	END IF;
	IF id IS NULL THEN
		IF iamwatch_internal.is_account_over() THEN
			PERFORM iamwatch_internal.count_limit('accounts', in_provider, (clock_timestamp() AT TIME ZONE 'UTC')::date, 0, 1);
			RETURN NULL;
		END IF;
		INSERT INTO iamwatch_internal.accounts (account_id, provider, account, late_events)
		VALUES (iamwatch_internal.next_account_id(iamwatch_internal.account_bucket(in_account)), in_provider, in_account, 0)
		RETURNING account_id INTO id;
		moves_account := true;
	END IF;
	IF iamwatch_internal.may_reach_limit(in_scope, cardinality(learned)) THEN
		learned := iamwatch_internal.within_limits(id, in_provider, in_account, learned);
	END IF;
	IF moves_account THEN
		UPDATE iamwatch_internal.accounts AS a SET
			first_event_time = LEAST(a.first_event_time, d.first_event_time),
			newest_day = GREATEST(a.newest_day, d.newest_day),
			late_events = a.late_events + d.late_events
		FROM (SELECT min(first_event_time) AS first_event_time, max(iamwatch.last_day(days)) AS newest_day,
				coalesce(sum(late_events), 0) AS late_events FROM unnest(learned)) AS d
		WHERE a.account_id = id AND (a.first_event_time IS NULL OR d.first_event_time < a.first_event_time
			OR a.newest_day IS NULL OR d.newest_day > a.newest_day OR d.late_events > 0);
	END IF;

	-- identities: a behaviour's day is a day of activity too, which is mostly known by then, and nothing is written
	WITH d AS (
		SELECT identity, bit_or(kinds) AS kinds, iamwatch.dayset_union(days) AS days,
			coalesce(iamwatch.dayset_union(days) FILTER (WHERE iamwatch_internal.is_iam(in_provider, service, operation)), '{}') AS iam_days
		FROM unnest(learned) WHERE identity IS NOT NULL GROUP BY identity
	), met AS MATERIALIZED (
		SELECT m.*, iamwatch_internal.earliest_days(m.old_first_days | m.days) AS first_days
		FROM (
			SELECT d.identity, d.kinds, d.days, d.iam_days, i.at, i.identity_id, i.kinds AS old_kinds,
				coalesce(i.first_days, '{}') AS old_first_days,
				coalesce(i.days, '{}') AS old_days, coalesce(i.iam_days, '{}') AS old_iam_days
			-- OFFSET 0, so that the look-up goes by its index whatever the statistics say
			FROM d LEFT JOIN LATERAL (SELECT i.ctid AS at, i.* FROM iamwatch_internal.identity_days AS i WHERE i.account_id = id
				AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0)
				AND i.identity = d.identity OFFSET 0) AS i ON true) AS m
	), updated AS (
		-- by place, which nobody else moves under the lock: so it takes no other way either
		UPDATE iamwatch_internal.identity_days AS i SET
			kinds = met.kinds | met.old_kinds, days = met.days | met.old_days,
			iam_days = met.iam_days | met.old_iam_days, first_days = met.first_days
		FROM met
		WHERE i.ctid = met.at AND (NOT met.old_days @> met.days OR NOT met.old_iam_days @> met.iam_days
			OR met.kinds | met.old_kinds <> met.old_kinds)
	), inserted AS (
		INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)
		SELECT id, kinds, first_days, days, iam_days, identity
		FROM met WHERE identity_id IS NULL
	), increment AS (
		-- days that are new, and known days that count now, since the third has become an earlier one
		SELECT ROW(id, m.operation_id, m.is_user, day, count(*) FILTER (WHERE m.fresh @> day),
			count(*) FILTER (WHERE m.settling @> day), 0)::iamwatch_internal.tallies AS i
		FROM (
			SELECT kind.operation_id, iamwatch_internal.is_person(met.kinds | coalesce(met.old_kinds, 0)) AS is_user,
				kind.days - kind.old_days AS fresh,
				iamwatch_internal.settled_days(kind.days | kind.old_days, met.first_days)
					- iamwatch_internal.settled_days(kind.old_days, met.old_first_days) AS settling
			FROM met CROSS JOIN LATERAL (VALUES (0, met.days, met.old_days),
				(-1, met.iam_days, met.old_iam_days)) AS kind (operation_id, days, old_days)
			OFFSET 0) AS m
		CROSS JOIN LATERAL iamwatch.days(m.fresh | m.settling) AS day
		GROUP BY m.operation_id, m.is_user, day
	), move AS (
		SELECT identity_id, kinds | old_kinds AS kinds, old_first_days, first_days FROM met
		WHERE identity_id IS NOT NULL AND first_days <> old_first_days
		AND iamwatch_internal.settled_days(old_days, first_days)
			<> iamwatch_internal.settled_days(old_days, old_first_days)
	)
	SELECT (SELECT array_agg(i) FROM increment),
		(SELECT bool_or(iamwatch_internal.is_person(old_kinds | kinds) <> iamwatch_internal.is_person(old_kinds)) FROM met),
		(SELECT array_agg(iamwatch.first_day(days)) FROM met WHERE identity_id IS NULL),
		(SELECT array_agg(identity_id) FROM move), (SELECT array_agg(kinds) FROM move),
		(SELECT array_agg(old_first_days) FROM move), (SELECT array_agg(first_days) FROM move),
		EXISTS (SELECT FROM unnest(learned) AS l WHERE l.operation IS NOT NULL)
	INTO increments, changed_class, new_identities, moved, moved_kinds, moved_from, moved_to,
		has_operations;

	-- the same for the operations of those identities whose days count from another one on
	IF moved IS NOT NULL AND changed_class IS NOT TRUE THEN
		SELECT array_agg(s.i) INTO settling
		FROM (
			SELECT ROW(id, d.operation_id, iamwatch_internal.is_person(m.kinds), day, 0, count(*), 0)::iamwatch_internal.tallies AS i
			FROM unnest(moved, moved_kinds, moved_from, moved_to) AS m (identity_id, kinds, old_first_days, first_days)
			CROSS JOIN (SELECT b.operation_id FROM iamwatch_internal.account_operations AS b WHERE b.account_id = id) AS b
			CROSS JOIN LATERAL (SELECT d.operation_id, d.days FROM iamwatch_internal.behaviour_days AS d
				WHERE d.account_id = id AND d.operation_id = b.operation_id AND d.identity_id = m.identity_id OFFSET 0) AS d
			CROSS JOIN LATERAL iamwatch.days(iamwatch_internal.settled_days(d.days, m.first_days)
				- iamwatch_internal.settled_days(d.days, m.old_first_days)) AS day
			GROUP BY d.operation_id, iamwatch_internal.is_person(m.kinds), day) AS s;
	END IF;

	-- what they did
	IF has_operations THEN
		WITH d AS (
			SELECT identity, service, operation, failed, iamwatch.dayset_union(days) AS days
			FROM unnest(learned) WHERE operation IS NOT NULL
			GROUP BY identity, service, operation, failed
		), o AS MATERIALIZED (
			SELECT n.service, n.operation, n.failed, (SELECT b.operation_id FROM iamwatch_internal.account_operations AS b
				WHERE b.account_id = id AND hashtextextended(b.operation, 0) = hashtextextended(n.operation, 0)
				AND b.operation = n.operation AND b.service = n.service AND b.failed = n.failed LIMIT 1) AS operation_id
			FROM (SELECT DISTINCT d.service, d.operation, d.failed FROM d) AS n
		), added AS (
			INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation)
			SELECT id, row_number() OVER () + coalesce((SELECT max(b.operation_id) FROM iamwatch_internal.account_operations AS b
				WHERE b.account_id = id), 0), o.failed, o.service, o.operation
			FROM o WHERE o.operation_id IS NULL
			RETURNING service, operation, failed, operation_id
		), met AS MATERIALIZED (
			-- OFFSET 0 as above
			SELECT b.operation_id, i.identity_id, i.kinds, i.first_days, d.days, m.at,
				m.identity_id IS NOT NULL AS known, coalesce(m.days, '{}') AS old_days
			FROM d
			JOIN (SELECT * FROM o WHERE o.operation_id IS NOT NULL UNION ALL SELECT * FROM added) AS b
				ON b.operation = d.operation AND b.service = d.service AND b.failed = d.failed
			CROSS JOIN LATERAL (SELECT i.identity_id, i.kinds, i.first_days FROM iamwatch_internal.identity_days AS i
				WHERE i.account_id = id AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0)
				AND i.identity = d.identity OFFSET 0) AS i
			LEFT JOIN LATERAL (SELECT m.ctid AS at, m.identity_id, m.days FROM iamwatch_internal.behaviour_days AS m
				WHERE m.account_id = id AND m.operation_id = b.operation_id
				AND m.identity_id = i.identity_id OFFSET 0) AS m ON true
		), updated AS (
			UPDATE iamwatch_internal.behaviour_days AS m SET
				days = met.days | met.old_days,
				first_seen = LEAST(m.first_seen, iamwatch.first_day(met.days))
			FROM met
			WHERE m.ctid = met.at AND NOT met.old_days @> met.days
		), inserted AS (
			INSERT INTO iamwatch_internal.behaviour_days (account_id, operation_id, identity_id, first_seen, days)
			SELECT id, operation_id, identity_id, iamwatch.first_day(days), days
			FROM met WHERE NOT known
		), increment AS (
			SELECT ROW(id, m.operation_id, m.is_user, day, count(*),
				count(*) FILTER (WHERE m.settled @> day), 0)::iamwatch_internal.tallies AS i
			FROM (
				SELECT met.operation_id, iamwatch_internal.is_person(met.kinds) AS is_user, met.days - met.old_days AS fresh,
					iamwatch_internal.settled_days(met.days - met.old_days, met.first_days) AS settled
				FROM met OFFSET 0) AS m
			CROSS JOIN LATERAL iamwatch.days(m.fresh) AS day
			GROUP BY m.operation_id, m.is_user, day
		)
		SELECT (SELECT array_agg(i) FROM increment),
			(SELECT array_agg(iamwatch.first_day(days)) FROM met WHERE NOT known)
		INTO more, new_behaviours;
	END IF;
	IF new_identities IS NOT NULL THEN
		counted := iamwatch_internal.count_limit_days('new_identities', in_scope, new_identities, NULL);
	END IF;
	IF new_behaviours IS NOT NULL THEN
		counted := iamwatch_internal.count_limit_days('new_behaviours', in_scope, new_behaviours, NULL);
	END IF;

	IF changed_class THEN
		PERFORM iamwatch_internal.retally(id);
	ELSIF increments IS NOT NULL OR more IS NOT NULL THEN
		counted := iamwatch_internal.add_to_tallies(id, increments || settling || more);
	END IF;
	RETURN id;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fold_account(text, text, iamwatch_internal.journal[], boolean) IS
'write what was learned of an account, and what its journal holds; under the lock of the account. moves_account: whether that may change the account''s first event, newest day or late events. The number of the account, null if it may not have one';

CREATE FUNCTION iamwatch_internal.learn_account(in_provider text, in_account text, deltas iamwatch_internal.journal[],
	samples iamwatch_internal.context_journal[], moves_account boolean) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	id integer;
	sampled boolean;
BEGIN
	IF iamwatch_internal.may_fold() AND iamwatch_internal.try_lock_account(in_account) THEN
		id := iamwatch_internal.fold_account(in_provider, in_account, deltas, moves_account);
		IF id IS NOT NULL AND (samples <> '{}' OR iamwatch_internal.has_samples(in_account)) THEN
			sampled := iamwatch_internal.fold_context(id, in_provider, in_account, samples);
		END IF;
	ELSE
		-- what moves the account is in a row of its own, so that nobody looks for it in all others
		INSERT INTO iamwatch_internal.journal
		SELECT l.provider, l.account, NULL, 0, l.identity, l.kinds, l.service, l.operation, l.failed, l.days, l.learned_at
		FROM unnest(iamwatch_internal.within_journal(in_provider, in_account, deltas)) AS l WHERE l.identity IS NOT NULL
		UNION ALL
		SELECT in_provider, in_account, min(l.first_event_time), coalesce(sum(l.late_events), 0), NULL, NULL, NULL, NULL, NULL,
			iamwatch.dayset(max(iamwatch.last_day(l.days)), max(iamwatch.last_day(l.days))), clock_timestamp()
		FROM unnest(deltas) AS l HAVING moves_account;
		INSERT INTO iamwatch_internal.context_journal SELECT * FROM unnest(samples);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.learn_account(text, text, iamwatch_internal.journal[], iamwatch_internal.context_journal[], boolean) IS
'take days into the baselines of an account, and samples into what is usual there; while another session writes it, by way of the journals';

CREATE FUNCTION iamwatch_internal.learn(deltas iamwatch_internal.journal[],
	samples iamwatch_internal.context_journal[] DEFAULT '{}') RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	part record;
BEGIN
	FOR part IN
		SELECT coalesce(d.provider, s.provider) AS provider, coalesce(d.account, s.account) AS account,
			coalesce(d.deltas, '{}') AS deltas, coalesce(s.samples, '{}') AS samples
		FROM (SELECT x.provider, x.account, array_agg(x) AS deltas FROM unnest(deltas) AS x GROUP BY 1, 2) AS d
		FULL JOIN (SELECT (x.event).provider, (x.event).account, array_agg(x) AS samples
			FROM unnest(samples) AS x GROUP BY 1, 2) AS s ON s.provider = d.provider AND s.account = d.account
	LOOP
		PERFORM iamwatch_internal.learn_account(part.provider, part.account, part.deltas, part.samples, true);
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.learn(iamwatch_internal.journal[], iamwatch_internal.context_journal[]) IS
'the same for days and samples of any accounts';
