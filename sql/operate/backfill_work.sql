-- A backfill in steps, so that several sessions can take them.
--
-- Whoever calls iamwatch.backfill() leads.  The leader reads the source, has
-- what it read in working tables of its own, and makes a row for each step of a
-- phase.  While it is alone that is all that this costs.  When others have
-- joined, by iamwatch.backfill_work(), it puts what the next few steps need into
-- their rows.  Who takes such a step copies that into working tables of the same
-- names and runs the same functions, so what comes of it is the same.
--
-- A step is taken by locks that last as long as the transaction which does it
-- and says that it is done.  So of a session that ends, however it does, nothing
-- is left but a step that anybody can take.

CREATE TYPE iamwatch_internal.key_read AS (
	provider text,
	account text,
	identity text,
	kinds integer,
	service text,
	operation text,
	failed boolean,
	key bytea,
	days iamwatch.dayset,
	first timestamptz
);
COMMENT ON TYPE iamwatch_internal.key_read IS 'the days of a key in a source, and what the key stands for: what a backfill or a backtest has read';

CREATE TYPE iamwatch_internal.backfill_day AS (
	detector text,
	key bytea,
	is_user boolean,
	day date,
	k integer,
	active integer,
	peer_days bigint,
	peer_active bigint,
	probability double precision,
	active_from timestamptz
);
COMMENT ON TYPE iamwatch_internal.backfill_day IS 'a day on which a key is unusual, and how it scores';

CREATE TYPE iamwatch_internal.backfill_event AS (key bytea, event iamwatch.event, behaviour text);
COMMENT ON TYPE iamwatch_internal.backfill_event IS 'an event of a behaviour of which alerts are raised, or looked at again';

CREATE TYPE iamwatch_internal.backfill_begin AS (provider text, account text, first timestamptz);
COMMENT ON TYPE iamwatch_internal.backfill_begin IS 'since when a backfill has read the events of an account';

CREATE TYPE iamwatch_internal.backfill_pair AS (behaviour text, detector text);
COMMENT ON TYPE iamwatch_internal.backfill_pair IS 'a behaviour, and the detector whose alerts of it are raised';

-- Not logged: what is lost in a crash is lost with the backfill that it is of.
CREATE UNLOGGED TABLE iamwatch_internal.backfill_steps (
	source regclass NOT NULL,
	part integer NOT NULL,
	phase text NOT NULL,
	lane integer NOT NULL,
	pieces bigint NOT NULL,
	bytes bigint NOT NULL,
	shared boolean NOT NULL DEFAULT false,
	done_at timestamptz,
	withdrawn bigint NOT NULL DEFAULT 0,
	marks iamwatch_internal.key_read[],
	begins iamwatch_internal.backfill_begin[],
	unusual iamwatch_internal.backfill_day[],
	events iamwatch_internal.backfill_event[],
	pairs iamwatch_internal.backfill_pair[],
	PRIMARY KEY (source, part)
);
COMMENT ON TABLE iamwatch_internal.backfill_steps IS
'the steps of a phase of the backfills that run, with what another session needs to take one, and then with what came of it; read iamwatch.backfill_progress';
COMMENT ON COLUMN iamwatch_internal.backfill_steps.lane IS
'steps of one lane are never taken at once: they write the same account, or take the same locks of alerts';
COMMENT ON COLUMN iamwatch_internal.backfill_steps.pieces IS 'how far the step brings the phase, in the parts of iamwatch.backfill_progress';
-- to compress and decompress it costs more than to write and read it, once each
ALTER TABLE iamwatch_internal.backfill_steps ALTER marks SET STORAGE EXTERNAL, ALTER begins SET STORAGE EXTERNAL,
	ALTER unusual SET STORAGE EXTERNAL, ALTER events SET STORAGE EXTERNAL, ALTER pairs SET STORAGE EXTERNAL;
COMMENT ON COLUMN iamwatch_internal.backfill_steps.unusual IS 'of the behaviours whose alerts the step raises';

-- A row each: a step has hundreds of megabytes of keys where names are long, and every
-- key can have many such days, so all of them as one value could be more than a value holds.
CREATE UNLOGGED TABLE iamwatch_internal.backfill_unusual (
	source regclass NOT NULL,
	day iamwatch_internal.backfill_day NOT NULL
);
COMMENT ON TABLE iamwatch_internal.backfill_unusual IS
'the days that the steps of a backfill have found unusual, until its leader has them';
CREATE INDEX backfill_unusual_source ON iamwatch_internal.backfill_unusual (source);
ALTER TABLE iamwatch_internal.backfill_unusual REPLICA IDENTITY FULL;	-- should somebody make it a logged one

-- ---- who takes part ----

CREATE FUNCTION iamwatch_internal.backfill_helpers(source regclass) RETURNS integer
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*)::integer FROM pg_locks AS l
	WHERE l.locktype = 'advisory' AND l.objsubid = 8741 AND l.classid BETWEEN 16 AND 47 AND l.objid = source AND l.granted
	AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
$$;
COMMENT ON FUNCTION iamwatch_internal.backfill_helpers(regclass) IS 'by the locks of try_session_lock() that they have, how many sessions help the one that leads a backfill';

CREATE FUNCTION iamwatch_internal.is_backfilling(source regclass) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN iamwatch_internal.session_lock_held(3, source::oid::bigint)
		AND EXISTS (SELECT FROM iamwatch_internal.backfills AS b WHERE b.source = $1 AND b.finished_at IS NULL);
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_backfilling(regclass) IS 'whether a session leads a backfill of the source just now';

CREATE FUNCTION iamwatch_internal.join_backfill(source regclass) RETURNS regclass
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	running regclass := (SELECT b.source FROM iamwatch_internal.backfills AS b
		WHERE b.finished_at IS NULL AND (source IS NULL OR b.source = source) AND iamwatch_internal.is_backfilling(b.source)
		ORDER BY b.started_at LIMIT 1);
BEGIN
	IF running IS NULL THEN
		RETURN NULL;
	END IF;
	FOR n IN 0..31 LOOP
		IF iamwatch_internal.try_session_lock(16 + n, running::oid::bigint) THEN
			PERFORM iamwatch_internal.backfill_working_tables();
			CREATE INDEX ON pg_temp.iamwatch_events (behaviour);
			CREATE INDEX ON pg_temp.iamwatch_unusual USING hash (key);
			RETURN running;
		END IF;
	END LOOP;
	RAISE EXCEPTION '32 sessions help with the backfill of % already', running USING ERRCODE = 'lock_not_available';
END $$;
COMMENT ON FUNCTION iamwatch_internal.join_backfill(regclass) IS
'take a place as a helper of a backfill that runs, of any source if null; which one, null if none runs. 55P03 if there are 32 already';

-- ---- the leader's side ----

CREATE FUNCTION iamwatch_internal.make_backfill_steps(source regclass, phase text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	-- waits for what a helper of one that was stopped is still doing
	DELETE FROM iamwatch_internal.backfill_steps AS s WHERE s.source = source;
	DELETE FROM iamwatch_internal.backfill_unusual AS u WHERE u.source = source;
	IF phase = 'raising' THEN
		INSERT INTO iamwatch_internal.backfill_steps (source, part, phase, lane, pieces, bytes)
		SELECT source, r.part, phase, min(r.lane), count(*), sum(r.bytes) FROM pg_temp.iamwatch_raising AS r GROUP BY r.part;
	ELSIF phase IS NOT NULL THEN
		INSERT INTO iamwatch_internal.backfill_steps (source, part, phase, lane, pieces, bytes)
		SELECT source, m.part, phase, CASE phase WHEN 'learning' THEN min(m.lane) ELSE m.part END, 1, 0
		FROM pg_temp.iamwatch_marks AS m GROUP BY m.part;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.make_backfill_steps(regclass, text) IS
'the steps of a phase, from the leader''s working tables, in place of all that there are; none if the phase is null';

CREATE FUNCTION iamwatch_internal.share_backfill_steps(source regclass) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	helpers constant integer := iamwatch_internal.backfill_helpers(source);
	ready bigint;
	own bigint;
	one record;
BEGIN
	IF helpers = 0 THEN
		RETURN false;
	END IF;
	SELECT count(*) FILTER (WHERE s.shared), count(*) FILTER (WHERE NOT s.shared) INTO ready, own
	FROM iamwatch_internal.backfill_steps AS s WHERE s.source = source AND s.done_at IS NULL;
	IF ready >= 2 * helpers OR own < 2 THEN
		RETURN false;
	END IF;
	FOR one IN
		SELECT s.part, s.phase FROM iamwatch_internal.backfill_steps AS s
		-- a row holds 1 GB, and events are stored compressed
		WHERE s.source = source AND s.done_at IS NULL AND NOT s.shared AND s.bytes < 8000000
		ORDER BY s.part DESC LIMIT LEAST(4 * helpers - ready, own - 1)
	LOOP
		IF one.phase = 'raising' THEN
			UPDATE iamwatch_internal.backfill_steps AS s SET shared = true,
				(pairs, events) = (SELECT array_agg(ROW(r.behaviour, r.detector)::iamwatch_internal.backfill_pair),
						(SELECT array_agg(ROW(e.key, e.event, e.behaviour)::iamwatch_internal.backfill_event)
						FROM pg_temp.iamwatch_events AS e WHERE e.behaviour = ANY (array_agg(r.behaviour)))
					FROM pg_temp.iamwatch_raising AS r WHERE r.part = one.part)
			WHERE s.source = source AND s.part = one.part;
			UPDATE iamwatch_internal.backfill_steps AS s SET
				unusual = (SELECT array_agg(ROW(u.*)::iamwatch_internal.backfill_day) FROM pg_temp.iamwatch_unusual AS u
					WHERE u.key IN (SELECT e.key FROM unnest(s.events) AS e)),
				begins = (SELECT array_agg(ROW(b.*)::iamwatch_internal.backfill_begin) FROM pg_temp.iamwatch_read AS b
					WHERE (b.provider, b.account) IN (SELECT (e.event).provider, (e.event).account FROM unnest(s.events) AS e))
			WHERE s.source = source AND s.part = one.part;
		ELSE
			UPDATE iamwatch_internal.backfill_steps AS s SET shared = true,
				marks = (SELECT array_agg(ROW(m.provider, m.account, m.identity, m.kinds, m.service, m.operation, m.failed,
						m.key, m.days, m.first)::iamwatch_internal.key_read)
					FROM pg_temp.iamwatch_marks AS m WHERE m.part = one.part)
			WHERE s.source = source AND s.part = one.part;
		END IF;
	END LOOP;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION iamwatch_internal.share_backfill_steps(regclass) IS
'if sessions help: put into the rows of some more steps, the last first, what is needed to take them; whether it did';

CREATE FUNCTION iamwatch_internal.collect_scored(source regclass) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF NOT EXISTS (SELECT FROM iamwatch_internal.backfill_unusual AS u WHERE u.source = source)
		AND NOT EXISTS (SELECT FROM iamwatch_internal.all_alerts) THEN
		RETURN false;
	END IF;
	PERFORM iamwatch_internal.backfill_event_tables();
	INSERT INTO pg_temp.iamwatch_unusual
	SELECT (u.day).* FROM iamwatch_internal.backfill_unusual AS u WHERE u.source = source;
	INSERT INTO pg_temp.iamwatch_read
	SELECT m.provider, m.account, min(m.first) FROM pg_temp.iamwatch_marks AS m GROUP BY m.provider, m.account;
	-- names can be too long for any other kind of index
	CREATE INDEX ON pg_temp.iamwatch_read USING hash (account);
	ANALYZE pg_temp.iamwatch_read;
	ANALYZE pg_temp.iamwatch_marks (part, account);
	RETURN iamwatch_internal.backfill_behaviour_keys() IS NOT NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.collect_scored(regclass) IS
'take into the leader''s working tables which days were found unusual; whether there is anything to be raised, or looked at again';

CREATE FUNCTION iamwatch_internal.collect_raised(source regclass) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	-- what a helper could not raise, since somebody else was writing or triaging it, stays
	DELETE FROM pg_temp.iamwatch_raising AS r
	USING iamwatch_internal.backfill_steps AS s
	WHERE s.source = source AND s.phase = 'raising' AND s.part = r.part AND s.pairs IS NOT NULL
	AND ROW(r.behaviour, r.detector)::iamwatch_internal.backfill_pair <> ALL (s.pairs);
	RETURN (SELECT coalesce(sum(s.withdrawn), 0) FROM iamwatch_internal.backfill_steps AS s WHERE s.source = source);
END $$;
COMMENT ON FUNCTION iamwatch_internal.collect_raised(regclass) IS
'take out of the leader''s working tables what helpers have raised; how many alerts were taken back, by anybody';

-- ---- a step ----

CREATE FUNCTION iamwatch_internal.claim_backfill_step(source regclass, leads boolean) RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	one record;
BEGIN
	FOR one IN
		SELECT s.part, s.lane FROM iamwatch_internal.backfill_steps AS s
		WHERE s.source = source AND s.done_at IS NULL AND (s.shared OR leads)
		ORDER BY s.shared, s.part
	LOOP
		IF iamwatch_internal.try_lock(7, hash_record(ROW(source::oid, one.lane))) THEN
			PERFORM FROM iamwatch_internal.backfill_steps AS s
			WHERE s.source = source AND s.part = one.part AND s.done_at IS NULL FOR UPDATE SKIP LOCKED;
			IF FOUND THEN
				RETURN one.part;
			END IF;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.claim_backfill_step(regclass, boolean) IS
'lock a step that nobody does and whose lane nobody is in, until the transaction ends; a helper takes those that are shared. Null if there is none now';

CREATE FUNCTION iamwatch_internal.unpack_backfill_step(source regclass, part integer) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	-- to begin new files for each step would take longer than many a step
	IF pg_relation_size('pg_temp.iamwatch_events') + pg_relation_size('pg_temp.iamwatch_marks') > 16000000 THEN
		TRUNCATE pg_temp.iamwatch_marks, pg_temp.iamwatch_read, pg_temp.iamwatch_unusual, pg_temp.iamwatch_events, pg_temp.iamwatch_raising;
	ELSE
		DELETE FROM pg_temp.iamwatch_marks;
		DELETE FROM pg_temp.iamwatch_read;
		DELETE FROM pg_temp.iamwatch_unusual;
		DELETE FROM pg_temp.iamwatch_events;
		DELETE FROM pg_temp.iamwatch_raising;
	END IF;
	INSERT INTO pg_temp.iamwatch_marks
	SELECT m.*, part, s.lane FROM iamwatch_internal.backfill_steps AS s CROSS JOIN LATERAL unnest(s.marks) AS m
	WHERE s.source = source AND s.part = part;
	INSERT INTO pg_temp.iamwatch_read
	SELECT b.* FROM iamwatch_internal.backfill_steps AS s CROSS JOIN LATERAL unnest(s.begins) AS b
	WHERE s.source = source AND s.part = part;
	INSERT INTO pg_temp.iamwatch_unusual
	SELECT u.* FROM iamwatch_internal.backfill_steps AS s CROSS JOIN LATERAL unnest(s.unusual) AS u
	WHERE s.source = source AND s.part = part;
	INSERT INTO pg_temp.iamwatch_events
	SELECT e.* FROM iamwatch_internal.backfill_steps AS s CROSS JOIN LATERAL unnest(s.events) AS e
	WHERE s.source = source AND s.part = part;
	INSERT INTO pg_temp.iamwatch_raising
	SELECT r.*, part, s.lane, 0 FROM iamwatch_internal.backfill_steps AS s CROSS JOIN LATERAL unnest(s.pairs) AS r
	WHERE s.source = source AND s.part = part;
END $$;
COMMENT ON FUNCTION iamwatch_internal.unpack_backfill_step(regclass, integer) IS 'put what a shared step needs into the working tables of a helper';

CREATE FUNCTION iamwatch_internal.take_backfill_step(source regclass, leads boolean) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
#variable_conflict use_variable
DECLARE
	part constant integer := iamwatch_internal.claim_backfill_step(source, leads);
	phase text;
	pieces bigint;
	one record;
	days bigint := 0;
	taken_back bigint;
	withdrawn bigint := 0;
BEGIN
	IF part IS NULL THEN
		RETURN false;
	END IF;
	SELECT s.phase, s.pieces INTO phase, pieces FROM iamwatch_internal.backfill_steps AS s WHERE s.source = source AND s.part = part;
	IF NOT leads THEN
		PERFORM iamwatch_internal.unpack_backfill_step(source, part);
	END IF;
	IF phase = 'learning' THEN
		days := iamwatch_internal.backfill_learn(part);
	ELSIF phase = 'scoring' THEN
		INSERT INTO iamwatch_internal.backfill_unusual
		SELECT source, u FROM iamwatch.detectors AS d CROSS JOIN LATERAL iamwatch_internal.backfill_score(part, d.detector) AS u
		WHERE d.enabled;
	ELSE
		PERFORM iamwatch_internal.defer_incidents();
		FOR one IN SELECT r.behaviour, r.detector FROM pg_temp.iamwatch_raising AS r WHERE r.part = part LOOP
			taken_back := iamwatch_internal.backfill_raise(one.behaviour, one.detector, false);
			withdrawn := withdrawn + coalesce(taken_back, 0);
			pieces := pieces - (taken_back IS NULL)::integer;
		END LOOP;
		PERFORM iamwatch_internal.keep_changed_incidents(NULL);
		IF part % 16 = 0 THEN	-- so that readers need not find many
			PERFORM iamwatch_internal.keep_links();
		END IF;
	END IF;
	-- the leader has what comes of it in its own working tables
	IF NOT leads AND phase = 'raising' THEN
		UPDATE iamwatch_internal.backfill_steps AS s SET
			pairs = ARRAY(SELECT ROW(r.behaviour, r.detector)::iamwatch_internal.backfill_pair FROM pg_temp.iamwatch_raising AS r)
		WHERE s.source = source AND s.part = part;
	END IF;
	UPDATE iamwatch_internal.backfill_steps AS s SET done_at = clock_timestamp(), withdrawn = withdrawn,
		marks = NULL, begins = NULL, events = NULL, unusual = NULL, pairs = CASE WHEN NOT leads THEN s.pairs END
	WHERE s.source = source AND s.part = part;
	-- last of all: whoever waits for this row waits for a commit and for nothing else
	UPDATE iamwatch_internal.backfills AS b SET parts_done = b.parts_done + pieces, days_done = b.days_done + days,
		changed_at = clock_timestamp()
	WHERE b.source = source;
	IF phase <> 'raising' THEN
		PERFORM iamwatch_internal.commit_in_background();
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.take_backfill_step(regclass, boolean) IS
'take a step of a backfill and do it, as its leader or as a helper; false if there is none that can be taken now';

CREATE PROCEDURE iamwatch_internal.take_backfill_steps(source regclass)
	LANGUAGE plpgsql AS $$
DECLARE
	taken boolean;
BEGIN
	LOOP
		IF iamwatch_internal.share_backfill_steps(source) THEN
			COMMIT;
		END IF;
		taken := iamwatch_internal.take_backfill_step(source, true);
		COMMIT;
		CONTINUE WHEN taken;
		EXIT WHEN NOT EXISTS (SELECT FROM iamwatch_internal.backfill_steps AS s
			WHERE s.source OPERATOR(pg_catalog.=) take_backfill_steps.source AND s.done_at IS NULL);
		-- others are at work on what is left; it comes back if they end
		PERFORM pg_catalog.pg_sleep(0.01);
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch_internal.take_backfill_steps(regclass) IS
'for the leader of a backfill: take all steps of a phase, or let others take them; each commits';

CREATE PROCEDURE iamwatch.backfill_work(source regclass DEFAULT NULL, patience interval DEFAULT '10 seconds')
	LANGUAGE plpgsql AS $$
DECLARE
	running pg_catalog.regclass;
	has_joined boolean := false;
	taken boolean;
	steps bigint := 0;
	give_up_at pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) coalesce(patience, '0');
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.backfill_work()');
	IF NOT iamwatch_internal.may_fold() THEN
		RAISE EXCEPTION 'cannot backfill in a transaction with a fixed snapshot'
			USING ERRCODE = 'invalid_transaction_state', HINT = 'SET default_transaction_isolation = ''read committed'' first.';
	END IF;
	LOOP
		running := iamwatch_internal.join_backfill(source);
		COMMIT;
		IF running IS NULL THEN
			EXIT WHEN has_joined OR pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) give_up_at;
			PERFORM pg_catalog.pg_sleep(0.05);
			CONTINUE;
		END IF;
		has_joined := true;
		WHILE iamwatch_internal.is_backfilling(running) LOOP
			taken := iamwatch_internal.take_backfill_step(running, false);
			COMMIT;
			IF taken THEN
				steps := steps OPERATOR(pg_catalog.+) 1;
			ELSE
				PERFORM pg_catalog.pg_sleep(0.02);
			END IF;
		END LOOP;
		PERFORM iamwatch_internal.drop_temporary();
		PERFORM iamwatch_internal.session_unlock();
	END LOOP;
	RAISE NOTICE 'took % steps', steps;
END $$;
COMMENT ON PROCEDURE iamwatch.backfill_work(regclass, interval) IS
'help a session that calls iamwatch.backfill(), from another one: take steps of it, until it is done. Source: null for any that is running. Patience: how long to wait for one to begin. What comes of it is the same with helpers and without; one that ends early leaves its step to the others. 25000 with a fixed snapshot, 55P03 if 32 sessions help already';
