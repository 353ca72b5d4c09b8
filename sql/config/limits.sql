-- Limits: what somebody who causes audit events, or writes them, can make grow
-- ends here.  Only what is new meets a limit; what is known goes on.  What goes
-- over one is counted, never an error.
--
-- What is called for every statement that learns has no SET search_path, which
-- would cost more than its work: the callers have set it.
--
-- Counters are rows that nobody waits for: who finds one taken by another
-- transaction takes the next, or adds one, and maintain() puts them together.

CREATE TABLE iamwatch.limits (
	name text PRIMARY KEY,
	value bigint NOT NULL CHECK (value >= 0),
	shipped_value bigint NOT NULL,
	counted text NOT NULL,
	beyond text NOT NULL,
	CONSTRAINT limits_percent CHECK (name <> 'notification_queue' OR value <= 100)
);
COMMENT ON TABLE iamwatch.limits IS
'how much may be new: change the value, it holds from the next statement; see iamwatch.limits_hit. A single name may have 64 kB';
COMMENT ON COLUMN iamwatch.limits.value IS 'that many are taken; a limit whose row is deleted does not hold';
COMMENT ON COLUMN iamwatch.limits.shipped_value IS 'the value as shipped; dumps keep the rows that differ';
COMMENT ON COLUMN iamwatch.limits.counted IS 'what is counted, and over what';
COMMENT ON COLUMN iamwatch.limits.beyond IS 'what happens to the rest';

INSERT INTO iamwatch.limits (name, value, shipped_value, counted, beyond)
SELECT name, value, value, counted, beyond FROM (VALUES
	('accounts', 1000000, 'accounts, in all', 'nothing of a further account is learned or alerted'),
	('new_identities', 1000000, 'identities of an account, by the first day of theirs', 'tested, not learned'),
	('new_behaviours', 5000000, 'pairs of identity and operation of an account, by the first day of theirs', 'tested, not learned'),
	('journal_rows', 1000000, 'rows of what was learned while another session wrote the account', 'days of identities that are not known yet are tested, not learned'),
	('alerts', 100000, 'alerts of an account, by day of the event', 'no alert for an identity without any activity in its training period'),
	('alert_events', 1000000, 'events of an alert', 'counted in the alert, their ids are not kept'),
	('pending_events', 100000, 'events of a behaviour that wait for another session', 'not counted in the alert'),
	('rejected_events', 100000, 'rejected documents of a source, by day of rejection', 'not kept'),
	('rejected_bytes', 65536, 'bytes of a rejected document', 'its beginning is kept'),
	('notification_queue', 50, 'percent of the server''s queue of notifications that are in use', 'alerts are notified by iamwatch.maintain(), when there is room')
	) AS shipped (name, value, counted, beyond);
SELECT pg_catalog.pg_extension_config_dump('iamwatch.limits', 'WHERE value <> shipped_value');

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION iamwatch_internal.replace_limit() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.limits AS l WHERE l.name = NEW.name;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.replace_limit() IS 'trigger: a shipped row gives way to a restored one';
CREATE TRIGGER replace_limit BEFORE INSERT ON iamwatch.limits
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.replace_limit();
ALTER TABLE iamwatch.limits ENABLE ALWAYS TRIGGER replace_limit;

CREATE TABLE iamwatch_internal.limit_counts (
	name text NOT NULL,
	scope text NOT NULL,
	day date NOT NULL,
	taken bigint NOT NULL,
	refused bigint NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	era smallint NOT NULL DEFAULT 0,
	-- Columns of their own, so that no index is on a column that each change changes; who
	-- writes a row says what they are.  Generated ones would be no part of a publication of
	-- all tables, and PostgreSQL from 18 on then refuses every change of a row.
	large boolean NOT NULL,
	hit boolean NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE iamwatch_internal.limit_counts IS
'what counts toward a limit, and what went over it; several rows for one when sessions wrote at once. Read iamwatch.limits_hit';
COMMENT ON COLUMN iamwatch_internal.limit_counts.scope IS 'PROVIDER/ACCOUNT, or the source of rejected documents';
COMMENT ON COLUMN iamwatch_internal.limit_counts.changed_at IS 'maintain() drops what has not changed for 90 days, and small counts without refusals after 2';
COMMENT ON COLUMN iamwatch_internal.limit_counts.era IS 'grows every few changes, so that the newest version is found first: see counter.c';
COMMENT ON COLUMN iamwatch_internal.limit_counts.large IS 'whether it could be near a limit: iamwatch_internal.is_large_count()';
COMMENT ON COLUMN iamwatch_internal.limit_counts.hit IS 'whether any was refused';
CREATE INDEX limit_counts_scope ON iamwatch_internal.limit_counts (hashtextextended(scope, 0), name, day, era);
-- nearly always empty: accounts that could be near a limit
CREATE INDEX limit_counts_near ON iamwatch_internal.limit_counts (hashtextextended(scope, 0), era) WHERE large;
CREATE INDEX limit_counts_hit ON iamwatch_internal.limit_counts (name) WHERE hit;
ALTER TABLE iamwatch_internal.limit_counts REPLICA IDENTITY FULL;
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.limit_counts', '');

CREATE VIEW iamwatch.limits_hit AS
SELECT c.name, c.scope, sum(c.refused)::bigint AS refused, l.value AS limit_value,
	min(c.day) AS first_day, max(c.day) AS last_day, max(c.changed_at) AS last_hit_at, l.counted, l.beyond
FROM iamwatch_internal.limit_counts AS c LEFT JOIN iamwatch.limits AS l ON l.name = c.name
WHERE c.hit
GROUP BY c.name, c.scope, l.value, l.counted, l.beyond;
COMMENT ON VIEW iamwatch.limits_hit IS
'which limits were reached in the last 90 days, by whom, and how much went over them';
COMMENT ON COLUMN iamwatch.limits_hit.scope IS 'PROVIDER/ACCOUNT, or the source of rejected documents';
COMMENT ON COLUMN iamwatch.limits_hit.refused IS 'of what the limit counts: identities, pairs, days, alerts, events or documents, each time they came';
COMMENT ON COLUMN iamwatch.limits_hit.first_day IS 'days that the limit was reached on: of events, for rejected documents of rejection';

CREATE FUNCTION iamwatch_internal.limit_value(limit_name text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'iamwatch_limit_value' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.limit_value(text) IS 'a limit, or the largest bigint if it does not hold';

CREATE FUNCTION iamwatch_internal.is_large_count(taken bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_large_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_large_count(bigint) IS 'whether so many, counted toward a limit on a day, could be near it: 10,000 and more';

CREATE FUNCTION iamwatch_internal.is_near_limit(scope text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_near_limit' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION iamwatch_internal.is_near_limit(text) IS
'whether a large count was made toward a limit on a day: by hash, so it may say so of another, but never misses one';

CREATE FUNCTION iamwatch_internal.limit_room(limit_name text, in_scope text, on_day date) RETURNS bigint
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN GREATEST(0, iamwatch_internal.limit_value(limit_name) - (SELECT coalesce(sum(c.taken), 0)
		FROM iamwatch_internal.limit_counts AS c
		WHERE hashtextextended(c.scope, 0) = hashtextextended(in_scope, 0)
		AND c.scope = in_scope AND c.name = limit_name AND c.day = on_day));
END $$;
COMMENT ON FUNCTION iamwatch_internal.limit_room(text, text, date) IS 'how many more the limit allows';

CREATE FUNCTION iamwatch_internal.count_limit(limit_name text, in_scope text, on_day date,
	more_taken bigint, more_refused bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_count_limit' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.count_limit(text, text, date, bigint, bigint) IS
'count what was taken, or with a negative number is given back, and what was refused, toward a limit; whether that needed a counter of its own. Never waits';

CREATE FUNCTION iamwatch_internal.count_limit_days(limit_name text, in_scope text, taken date[], refused date[]) RETURNS boolean
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF cardinality(taken) = 1 AND refused IS NULL THEN	-- mostly no more is new
		RETURN iamwatch_internal.count_limit(limit_name, in_scope, taken[1], 1, 0);
	END IF;
	PERFORM iamwatch_internal.count_limit(limit_name, in_scope, d.day, d.taken, d.refused)
	FROM (SELECT u.day, count(*) FILTER (WHERE NOT u.over) AS taken, count(*) FILTER (WHERE u.over) AS refused
		FROM (SELECT unnest(count_limit_days.taken) AS day, false AS over
			UNION ALL SELECT unnest(count_limit_days.refused), true) AS u
		GROUP BY u.day) AS d;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION iamwatch_internal.count_limit_days(text, text, date[], date[]) IS
'count toward a limit one for each element, on the day that it is';

CREATE FUNCTION iamwatch_internal.limit_scope(provider text, account text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN provider || '/' || account;
COMMENT ON FUNCTION iamwatch_internal.limit_scope(text, text) IS 'how limits name an account';

CREATE FUNCTION iamwatch_internal.is_account_over() RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most bigint := iamwatch_internal.limit_value('accounts');
BEGIN
	-- there is no higher number than there are accounts; but buckets count apart, so numbers are no count
	RETURN coalesce((SELECT max(a.account_id) FROM iamwatch_internal.accounts AS a), 0) >= most
		AND (SELECT count(*) FROM iamwatch_internal.accounts AS a) >= most;
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_account_over() IS 'whether a further account would be one too many';

-- Nearly always false, and answered without a query then: nobody lowered the
-- limits that far, and an index has nothing of the account.
CREATE FUNCTION iamwatch_internal.may_reach_limit(in_scope text, more bigint) RETURNS boolean
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF NOT iamwatch_internal.is_large_count(iamwatch_internal.limit_value('new_identities') - more)
		OR NOT iamwatch_internal.is_large_count(iamwatch_internal.limit_value('new_behaviours') - more) THEN
		RETURN true;
	ELSIF iamwatch_internal.is_near_limit(in_scope) THEN
		RETURN EXISTS (SELECT FROM iamwatch_internal.limit_counts AS c
			WHERE hashtextextended(c.scope, 0) = hashtextextended(in_scope, 0) AND c.scope = in_scope AND c.large
			AND c.name IN ('new_identities', 'new_behaviours') AND c.taken + more > iamwatch_internal.limit_value(c.name));
	END IF;
	RETURN false;
END $$;
COMMENT ON FUNCTION iamwatch_internal.may_reach_limit(text, bigint) IS
'whether so many days more may bring an account over a limit of identities or behaviours';

CREATE FUNCTION iamwatch_internal.within_limits(in_account_id integer, in_provider text, in_account text,
	learned iamwatch_internal.journal[]) RETURNS iamwatch_internal.journal[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	in_scope text := iamwatch_internal.limit_scope(in_provider, in_account);
	over_identities text[];
	over_days date[];
	newest date;
	kept iamwatch_internal.journal[];
BEGIN
	IF NOT iamwatch_internal.may_reach_limit(in_scope, cardinality(learned)) THEN
		RETURN learned;
	END IF;
	-- the account's newest day is that of all its events
	SELECT max(iamwatch.last_day(l.days)) INTO newest FROM unnest(learned) AS l;

	WITH fresh AS MATERIALIZED (
		SELECT d.identity, d.day, row_number() OVER (PARTITION BY d.day ORDER BY d.identity COLLATE "C") AS n
		FROM (SELECT l.identity, min(iamwatch.first_day(l.days)) AS day FROM unnest(learned) AS l
			WHERE l.identity IS NOT NULL GROUP BY l.identity) AS d
		WHERE NOT EXISTS (SELECT FROM iamwatch_internal.identity_days AS i WHERE i.account_id = in_account_id
			AND hashtext(i.identity) = hashtext(d.identity) AND i.identity = d.identity)
	), room AS MATERIALIZED (
		SELECT r.day, iamwatch_internal.limit_room('new_identities', in_scope, r.day) AS room
		FROM (SELECT DISTINCT f.day FROM fresh AS f) AS r
	)
	SELECT array_agg(f.identity), array_agg(f.day) INTO over_identities, over_days
	FROM fresh AS f JOIN room AS r ON r.day = f.day WHERE f.n > r.room;
	IF over_identities IS NOT NULL THEN
		PERFORM iamwatch_internal.count_limit_days('new_identities', in_scope, NULL, over_days);
		learned := ARRAY(SELECT l FROM unnest(learned) AS l WHERE l.identity IS NULL
			OR NOT EXISTS (SELECT FROM unnest(over_identities) AS o WHERE o = l.identity));
	END IF;

	-- a pair that is refused still is a day of activity
	WITH fresh AS MATERIALIZED (
		SELECT d.*, row_number() OVER (PARTITION BY d.day ORDER BY d.identity COLLATE "C",
			d.service COLLATE "C", d.operation COLLATE "C", d.failed) AS n
		FROM (SELECT l.identity, l.service, l.operation, l.failed, min(iamwatch.first_day(l.days)) AS day
			FROM unnest(learned) AS l WHERE l.operation IS NOT NULL
			GROUP BY l.identity, l.service, l.operation, l.failed) AS d
		WHERE NOT EXISTS (SELECT FROM iamwatch_internal.identity_days AS i
			JOIN iamwatch_internal.account_operations AS b ON b.account_id = in_account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(d.operation, 0)
				AND b.operation = d.operation AND b.service = d.service AND b.failed = d.failed
			JOIN iamwatch_internal.behaviour_days AS m ON m.account_id = in_account_id
				AND m.operation_id = b.operation_id AND m.identity_id = i.identity_id
			WHERE i.account_id = in_account_id
			AND hashtext(i.identity) = hashtext(d.identity) AND i.identity = d.identity)
	), room AS MATERIALIZED (
		SELECT r.day, iamwatch_internal.limit_room('new_behaviours', in_scope, r.day) AS room
		FROM (SELECT DISTINCT f.day FROM fresh AS f) AS r
	), over AS MATERIALIZED (
		SELECT f.* FROM fresh AS f JOIN room AS r ON r.day = f.day WHERE f.n > r.room
	)
	SELECT (SELECT array_agg(o.day) FROM over AS o),
		array_agg(CASE WHEN o.day IS NULL THEN l ELSE ROW(l.provider, l.account, l.first_event_time, l.late_events,
			l.identity, l.kinds, NULL, NULL, NULL, l.days, l.learned_at)::iamwatch_internal.journal END)
	INTO over_days, kept
	FROM unnest(learned) AS l
	LEFT JOIN over AS o ON o.identity = l.identity AND o.service = l.service
		AND o.operation = l.operation AND o.failed = l.failed;
	IF over_days IS NOT NULL THEN
		PERFORM iamwatch_internal.count_limit_days('new_behaviours', in_scope, NULL, over_days);
	END IF;
	IF newest IS NOT NULL THEN
		kept := kept || ROW(in_provider, in_account, NULL, 0, NULL, NULL, NULL, NULL, NULL,
			iamwatch.dayset(newest, newest), clock_timestamp())::iamwatch_internal.journal;
	END IF;
	RETURN coalesce(kept, '{}');
END $$;
COMMENT ON FUNCTION iamwatch_internal.within_limits(integer, text, text, iamwatch_internal.journal[]) IS
'what may be learned of an account, the rest counted; under the lock of its bucket';

CREATE FUNCTION iamwatch_internal.within_journal(in_provider text, in_account text, deltas iamwatch_internal.journal[])
	RETURNS iamwatch_internal.journal[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	most bigint := iamwatch_internal.limit_value('journal_rows');
	kept iamwatch_internal.journal[];
	over_days date[];
BEGIN
	-- a row is never that small, and the size of a table costs no look into it
	IF pg_relation_size('iamwatch_internal.journal') / 64 < most - cardinality(deltas)
		OR (SELECT count(*) FROM (SELECT FROM iamwatch_internal.journal LIMIT most) AS j) < most THEN
		RETURN deltas;
	END IF;
	SELECT array_agg(l) FILTER (WHERE k.known),
		array_agg(iamwatch.last_day(l.days)) FILTER (WHERE NOT k.known)
	INTO kept, over_days
	FROM unnest(deltas) AS l
	CROSS JOIN LATERAL (SELECT l.identity IS NULL OR EXISTS (SELECT FROM iamwatch_internal.accounts AS a
		JOIN iamwatch_internal.identity_days AS i ON i.account_id = a.account_id
		WHERE hashtextextended(a.account, 0) = hashtextextended(in_account, 0)
		AND a.account = in_account AND a.provider = in_provider
		AND hashtext(i.identity) = hashtext(l.identity)
		AND i.identity = l.identity) AS known) AS k;
	IF over_days IS NOT NULL THEN
		PERFORM iamwatch_internal.count_limit_days('journal_rows', iamwatch_internal.limit_scope(in_provider, in_account), NULL, over_days);
	END IF;
	RETURN kept;
END $$;
COMMENT ON FUNCTION iamwatch_internal.within_journal(text, text, iamwatch_internal.journal[]) IS
'what may be appended to the journal, the rest counted: when it is full, only what concerns known identities';

CREATE FUNCTION iamwatch_internal.fold_counts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch_internal.limit_counts AS c WHERE c.ctid = ANY (ARRAY(
		SELECT f.ctid FROM iamwatch_internal.limit_counts AS f
		WHERE f.changed_at < clock_timestamp() - CASE WHEN f.refused > 0 OR f.taken >= 1000
			THEN interval '90 days' ELSE interval '2 days' END
		FOR UPDATE SKIP LOCKED));
	DELETE FROM iamwatch_internal.counted_elsewhere AS c WHERE c.ctid = ANY (ARRAY(
		SELECT f.ctid FROM iamwatch_internal.counted_elsewhere AS f
		WHERE f.day IS NOT NULL AND f.changed_at < clock_timestamp() - interval '90 days'
		FOR UPDATE SKIP LOCKED));
	WITH several AS (
		SELECT f.name, f.scope, f.day FROM iamwatch_internal.limit_counts AS f GROUP BY 1, 2, 3 HAVING count(*) > 1
	), taken AS (
		DELETE FROM iamwatch_internal.limit_counts AS c WHERE c.ctid = ANY (ARRAY(
			SELECT f.ctid FROM iamwatch_internal.limit_counts AS f
			JOIN several AS s ON s.name = f.name AND s.scope = f.scope AND s.day = f.day
			FOR UPDATE OF f SKIP LOCKED))
		RETURNING c.*
	)
	INSERT INTO iamwatch_internal.limit_counts (name, scope, day, taken, refused, changed_at, large, hit)
	SELECT t.name, t.scope, t.day, sum(t.taken), sum(t.refused), max(t.changed_at),
		iamwatch_internal.is_large_count(sum(t.taken)::bigint), sum(t.refused) > 0
	FROM taken AS t GROUP BY t.name, t.scope, t.day;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fold_counts() IS
'put together the counters that several sessions wrote, and drop old ones; leaves those that a session is just writing';
