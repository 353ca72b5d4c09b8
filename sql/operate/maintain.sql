-- Upkeep.  In steps, each in a transaction of its own, and each under locks
-- that are only tried: an account that a session is just writing is left for
-- the next time.

CREATE FUNCTION iamwatch_internal.fold_journal(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
BEGIN
	IF iamwatch_internal.may_fold() AND iamwatch_internal.try_lock_account(account) THEN
		PERFORM iamwatch_internal.learn_account(provider, account, '{}', '{}', false);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fold_journal(text, text) IS
'take what both journals have of an account into the baselines and the sample of contexts, unless another session is just writing it';

CREATE FUNCTION iamwatch_internal.assign_pending(identity_hash bigint) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	part iamwatch_internal.pending_events;
	e iamwatch.event;
	assigned boolean := false;
	left_some boolean := false;
BEGIN
	FOR part IN
		SELECT DISTINCT ON (p.detector, (p.event).provider, (p.event).account, (p.event).identity,
			(p.event).service, (p.event).operation, (p.event).failed) p.*
		FROM iamwatch_internal.pending_events AS p
		WHERE hashtextextended((p.event).identity, 0) = identity_hash
		ORDER BY p.detector, (p.event).provider, (p.event).account, (p.event).identity,
			(p.event).service, (p.event).operation, (p.event).failed, p.pending_id
	LOOP
		e := part.event;
		IF iamwatch_internal.try_lock_alerts(e) THEN
			DELETE FROM iamwatch_internal.pending_events AS p WHERE p.pending_id = part.pending_id;
			IF FOUND THEN
				PERFORM iamwatch_internal.assign_to_alerts(d, ARRAY[ROW(part.detector, part.event,
					part.unusual, part.day_scored, part.score)::iamwatch_internal.candidate])
				FROM iamwatch.detectors AS d WHERE d.detector = part.detector;
				assigned := true;
			END IF;
		ELSE
			left_some := true;
		END IF;
	END LOOP;
	RETURN assigned AND left_some;
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_pending(bigint) IS
'let the pending events of the identities with that hash join or open alerts; true when it took some and left some, which another transaction may find free';

-- Days further back than stored_days() are outside of what any event can still
-- be compared with.  Identities stay, with their first three days, which say from
-- when their days count for their peers.
CREATE FUNCTION iamwatch_internal.prune_account(in_account integer) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
DECLARE
	since date;
	context_since date;
BEGIN
	-- what a backfill has just learned is as old as it likes
	IF EXISTS (SELECT FROM iamwatch_internal.backfills AS b WHERE b.finished_at IS NULL) THEN
		RETURN false;
	END IF;
	IF NOT iamwatch_internal.may_fold() OR NOT iamwatch_internal.try_lock_account((SELECT a.account
		FROM iamwatch_internal.accounts AS a WHERE a.account_id = in_account)) THEN
		RETURN false;
	END IF;
	SELECT a.newest_day - iamwatch_internal.stored_days(),
		a.newest_day - iamwatch_internal.kept_days() - iamwatch_internal.training_days()
	INTO since, context_since FROM iamwatch_internal.accounts AS a WHERE a.account_id = in_account;
	-- contexts are compared with the training period only, so they go sooner
	IF since IS NULL OR NOT EXISTS (SELECT FROM iamwatch_internal.tallies AS t
		WHERE t.account_id = in_account AND t.operation_id = 0 AND t.day < context_since) THEN
		RETURN false;
	END IF;
	PERFORM iamwatch_internal.prune_context(in_account, context_since);
	IF NOT EXISTS (SELECT FROM iamwatch_internal.tallies AS t
		WHERE t.account_id = in_account AND t.operation_id = 0 AND t.day < since) THEN
		RETURN false;
	END IF;

	DELETE FROM iamwatch_internal.behaviour_days AS d
	WHERE d.account_id = in_account AND iamwatch.last_day(d.days) < since;
	UPDATE iamwatch_internal.behaviour_days AS d
	SET days = d.days OPERATOR(iamwatch.&) iamwatch.dayset(since, iamwatch.last_day(d.days))
	WHERE d.account_id = in_account AND iamwatch.first_day(d.days) < since;
	UPDATE iamwatch_internal.identity_days AS d
	SET days = d.days OPERATOR(iamwatch.&) iamwatch.dayset(since, iamwatch.last_day(d.days)),
		iam_days = d.iam_days OPERATOR(iamwatch.&) iamwatch.dayset(since, iamwatch.last_day(d.days))
	WHERE d.account_id = in_account AND iamwatch.first_day(d.days) < since;
	DELETE FROM iamwatch_internal.tallies AS t WHERE t.account_id = in_account AND t.day < since;
	DELETE FROM iamwatch_internal.account_operations AS b
	WHERE b.account_id = in_account AND NOT EXISTS (SELECT FROM iamwatch_internal.behaviour_days AS d
		WHERE d.account_id = in_account AND d.operation_id = b.operation_id);
	UPDATE iamwatch_internal.accounts AS a SET dropped_before = GREATEST(a.dropped_before, since)
	WHERE a.account_id = in_account;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.prune_account(integer) IS
'drop days past the kept history, and behaviours without any, unless another session is just writing the account; whether there were any';

CREATE PROCEDURE iamwatch.maintain()
	LANGUAGE plpgsql AS $$
DECLARE
	part record;
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.maintain()');
	-- under a fixed snapshot, which can be a database's default, nothing is folded
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	FOR part IN SELECT j.provider, j.account FROM iamwatch_internal.journal AS j
		UNION SELECT (j.event).provider, (j.event).account FROM iamwatch_internal.context_journal AS j LOOP
		PERFORM iamwatch_internal.fold_journal(part.provider, part.account);
		COMMIT AND CHAIN;
	END LOOP;
	FOR part IN SELECT DISTINCT pg_catalog.hashtextextended((p.event).identity, 0) AS hash FROM iamwatch_internal.pending_events AS p LOOP
		-- a transaction takes a part of the server's table of locks at most
		WHILE iamwatch_internal.assign_pending(part.hash) LOOP
			COMMIT AND CHAIN;
		END LOOP;
		COMMIT AND CHAIN;
	END LOOP;
	PERFORM iamwatch_internal.find_unkept_incidents();
	FOR part IN SELECT p AS parts FROM iamwatch_internal.changed_parts(NULL) AS p LOOP
		PERFORM iamwatch_internal.keep_changed_parts(part.parts);
		COMMIT AND CHAIN;
	END LOOP;
	PERFORM iamwatch_internal.keep_links(true);
	COMMIT;
	FOR part IN SELECT a.account_id FROM iamwatch_internal.accounts AS a LOOP
		PERFORM iamwatch_internal.prune_account(part.account_id);
		COMMIT AND CHAIN;
	END LOOP;
	WHILE iamwatch_internal.send_unsent() OPERATOR(pg_catalog.>) 0 LOOP
		COMMIT AND CHAIN;
	END LOOP;
	PERFORM iamwatch_internal.fold_counts();
	COMMIT AND CHAIN;
	PERFORM iamwatch_internal.fold_source_counts();
	COMMIT AND CHAIN;
	PERFORM iamwatch_internal.refresh_columns();
	COMMIT AND CHAIN;
	FOR part IN SELECT s.source FROM iamwatch.sources AS s WHERE s.order_column IS NULL LOOP
		PERFORM iamwatch_internal.remember_partitions(part.source), iamwatch_internal.note_quiet_partitions(part.source);
		COMMIT AND CHAIN;
	END LOOP;
	DELETE FROM iamwatch.sources AS s
	WHERE pg_catalog.pg_table_is_visible(s.source) IS NULL;
	COMMIT AND CHAIN;
	PERFORM iamwatch_internal.maintain_nodes();
END $$;
COMMENT ON PROCEDURE iamwatch.maintain() IS
'fold what concurrent sessions appended, assign their pending events, bring incidents up to date, send notifications that could not be sent, drop days past the kept history: the longest lateness allowance and twice the longest memory of a detector. On the coordinator of several nodes it does so, and iamwatch.sync_nodes(), for all. Safe beside ingest, never changes what is alerted; run it daily';
