-- What is learned: sets of days, and the tallies that follow from them.
--
-- src/detect/fold.c writes them, one session at a time those of an account.
-- Here is what is rare, or is done for a whole account.

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

CREATE FUNCTION iamwatch_internal.add_account(in_provider text, in_account text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF iamwatch_internal.is_account_over() THEN
		PERFORM iamwatch_internal.count_limit('accounts', in_provider, (clock_timestamp() AT TIME ZONE 'UTC')::date, 0, 1);
		RETURN false;
	END IF;
	INSERT INTO iamwatch_internal.accounts (account_id, provider, account, late_events)
	VALUES (iamwatch_internal.next_account_id(iamwatch_internal.account_bucket(in_account)), in_provider, in_account, 0);
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.add_account(text, text) IS
'a row for an account that is new, under the lock of the account; false if it would be one too many';

CREATE FUNCTION iamwatch_internal.take_journal(in_provider text, in_account text) RETURNS iamwatch_internal.journal[]
	LANGUAGE sql VOLATILE AS $$
	WITH taken AS (
		DELETE FROM iamwatch_internal.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(in_account, 0)
		AND j.account = in_account AND j.provider = in_provider
		RETURNING j
	)
	SELECT array_agg(j) FROM taken;
$$;
COMMENT ON FUNCTION iamwatch_internal.take_journal(text, text) IS
'what the journal has of an account, which is deleted there; null if it has nothing; under the lock of the account';

CREATE FUNCTION iamwatch_internal.leave_to_next(in_provider text, in_account text, deltas iamwatch_internal.journal[],
	samples iamwatch_internal.context_journal[], moves_account boolean) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	-- what moves the account is in a row of its own, so that nobody looks for it in all others
	INSERT INTO iamwatch_internal.journal
	SELECT l.provider, l.account, NULL, 0, l.identity, l.kinds, l.service, l.operation, l.failed, l.days, l.learned_at
	FROM unnest(iamwatch_internal.within_journal(in_provider, in_account, deltas)) AS l WHERE l.identity IS NOT NULL
	UNION ALL
	SELECT in_provider, in_account, min(l.first_event_time), coalesce(sum(l.late_events), 0), NULL, NULL, NULL, NULL, NULL,
		iamwatch.dayset(max(iamwatch.last_day(l.days)), max(iamwatch.last_day(l.days))), clock_timestamp()
	FROM unnest(deltas) AS l HAVING moves_account;
	INSERT INTO iamwatch_internal.context_journal SELECT * FROM unnest(samples);
END $$;
COMMENT ON FUNCTION iamwatch_internal.leave_to_next(text, text, iamwatch_internal.journal[], iamwatch_internal.context_journal[], boolean) IS
'leave in the journals what was learned of an account, and samples, for the next session that writes it';

CREATE FUNCTION iamwatch_internal.learn_account(in_provider text, in_account text, deltas iamwatch_internal.journal[],
	samples iamwatch_internal.context_journal[], moves_account boolean) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_learn_account' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.learn_account(text, text, iamwatch_internal.journal[], iamwatch_internal.context_journal[], boolean) IS
'take days into the baselines of an account, and samples into what is usual there; while another session writes it, by way of the journals. moves_account: whether that may change the account''s first event, newest day or late events';

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
