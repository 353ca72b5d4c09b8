-- What is known of an account, to be carried to another node or server.
--
-- Days, contexts and alerts are united: what both places know is there once.
-- Counters are sums, so they would grow with each import.  Therefore a place
-- keeps, for each place that counted, how far that had come when it was imported,
-- and a later import adds the difference only.

CREATE TABLE iamwatch_internal.counted_elsewhere (
	provider text NOT NULL,
	account text NOT NULL,
	place text NOT NULL,
	name text NOT NULL,
	day date,
	taken bigint NOT NULL,
	refused bigint NOT NULL,
	changed_at timestamptz NOT NULL
);
COMMENT ON TABLE iamwatch_internal.counted_elsewhere IS
'what iamwatch.import_account() brought of late events and toward limits, by the place that counted it; it is a part of iamwatch_internal.accounts and limit_counts';
COMMENT ON COLUMN iamwatch_internal.counted_elsewhere.place IS 'iamwatch_internal.place_of() of the account there';
COMMENT ON COLUMN iamwatch_internal.counted_elsewhere.name IS 'the limit, or late_events, which have no day';
CREATE INDEX counted_elsewhere_account ON iamwatch_internal.counted_elsewhere (hashtextextended(account, 0));
ALTER TABLE iamwatch_internal.counted_elsewhere REPLICA IDENTITY FULL;
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.counted_elsewhere', '');

CREATE TABLE iamwatch_internal.forgotten_accounts (
	provider text NOT NULL,
	account text NOT NULL,
	times integer NOT NULL
);
COMMENT ON TABLE iamwatch_internal.forgotten_accounts IS
'how often iamwatch.forget_account() dropped an account: what is counted after that is counted anew';
CREATE INDEX forgotten_accounts_account ON iamwatch_internal.forgotten_accounts (hashtextextended(account, 0));
ALTER TABLE iamwatch_internal.forgotten_accounts REPLICA IDENTITY FULL;
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.forgotten_accounts', '');

CREATE FUNCTION iamwatch_internal.place_of(provider text, account text) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%s/%s/%s', c.system_identifier, d.oid, coalesce((SELECT f.times FROM iamwatch_internal.forgotten_accounts AS f
		WHERE hashtextextended(f.account, 0) = hashtextextended($2, 0) AND f.account = $2 AND f.provider = $1), 0))
	FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION iamwatch_internal.place_of(text, text) IS
'this database, and how often it has forgotten the account: who counts here until it is forgotten';

CREATE FUNCTION iamwatch_internal.counts_of(provider text, account text) RETURNS SETOF iamwatch_internal.counted_elsewhere
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	WITH elsewhere AS MATERIALIZED (
		SELECT c.* FROM iamwatch_internal.counted_elsewhere AS c
		WHERE hashtextextended(c.account, 0) = hashtextextended($2, 0) AND c.account = $2 AND c.provider = $1
	), counted AS (
		SELECT c.name, c.day, sum(c.taken) AS taken, sum(c.refused) AS refused, max(c.changed_at) AS changed_at
		FROM iamwatch_internal.limit_counts AS c
		WHERE hashtextextended(c.scope, 0) = hashtextextended(limit_scope($1, $2), 0) AND c.scope = limit_scope($1, $2)
		GROUP BY c.name, c.day
		UNION ALL
		SELECT 'late_events', NULL, a.late_events, 0, '-infinity' FROM iamwatch_internal.accounts AS a
		WHERE hashtextextended(a.account, 0) = hashtextextended($2, 0) AND a.account = $2 AND a.provider = $1
	)
	SELECT e.* FROM elsewhere AS e
	UNION ALL
	SELECT $1, $2, place_of($1, $2), c.name, c.day, GREATEST(0, c.taken - coalesce(e.taken, 0))::bigint,
		GREATEST(0, c.refused - coalesce(e.refused, 0))::bigint, c.changed_at
	FROM counted AS c LEFT JOIN (
		SELECT e.name, e.day, sum(e.taken) AS taken, sum(e.refused) AS refused FROM elsewhere AS e GROUP BY e.name, e.day) AS e
		ON e.name = c.name AND e.day IS NOT DISTINCT FROM c.day
	WHERE c.taken > coalesce(e.taken, 0) OR c.refused > coalesce(e.refused, 0)
$$;
COMMENT ON FUNCTION iamwatch_internal.counts_of(text, text) IS 'late events and what counts toward limits of an account, by the place that counted it';

CREATE FUNCTION iamwatch_internal.add_counts(in_account_id integer, given iamwatch_internal.counted_elsewhere[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	c iamwatch_internal.counted_elsewhere;
	known iamwatch_internal.counted_elsewhere;
	more bigint;
	more_refused bigint;
BEGIN
	FOREACH c IN ARRAY given LOOP
		-- what was counted here is here
		CONTINUE WHEN c.place = place_of(c.provider, c.account);
		DELETE FROM iamwatch_internal.counted_elsewhere AS k
		WHERE hashtextextended(k.account, 0) = hashtextextended(c.account, 0) AND k.account = c.account AND k.provider = c.provider
		AND k.place = c.place AND k.name = c.name AND k.day IS NOT DISTINCT FROM c.day
		RETURNING k.* INTO known;
		more := GREATEST(0, c.taken - coalesce(known.taken, 0));
		more_refused := GREATEST(0, c.refused - coalesce(known.refused, 0));
		c.taken := GREATEST(c.taken, known.taken);
		c.refused := GREATEST(c.refused, known.refused);
		INSERT INTO iamwatch_internal.counted_elsewhere SELECT (c).*;
		CONTINUE WHEN more = 0 AND more_refused = 0;
		IF c.name = 'late_events' THEN
			UPDATE iamwatch_internal.accounts AS a SET late_events = a.late_events + more WHERE a.account_id = in_account_id;
		ELSE
			INSERT INTO iamwatch_internal.limit_counts (name, scope, day, taken, refused, changed_at, large, hit)
			VALUES (c.name, limit_scope(c.provider, c.account), c.day, more, more_refused, c.changed_at,
				is_large_count(more), more_refused > 0);
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.add_counts(integer, iamwatch_internal.counted_elsewhere[]) IS
'add to what is counted of an account what others counted and was not added before';

-- Who administers may do all but what changes the history of alerts, and what grants: a grant by others
-- is a warning for each object, and none given.
CREATE FUNCTION iamwatch_internal.must_be_owner(doing text) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	owner constant regrole := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'iamwatch');
BEGIN
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION 'only the owner of the extension may %', doing
			USING ERRCODE = 'insufficient_privilege', HINT = format('Ask a member of role %s.', owner);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.must_be_owner(text) IS '42501 unless who calls has the rights of the owner of the extension';

CREATE FUNCTION iamwatch_internal.lock_account_to_move(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	IF provider IS NULL OR account IS NULL THEN
		RAISE EXCEPTION 'provider and account must not be null' USING ERRCODE = 'null_value_not_allowed';
	ELSIF NOT iamwatch_internal.may_fold() THEN
		RAISE EXCEPTION 'cannot move an account in a transaction with a fixed snapshot'
			USING ERRCODE = 'invalid_transaction_state', HINT = 'Use read committed.';
	ELSIF NOT iamwatch_internal.try_lock_account(account) THEN
		RAISE EXCEPTION 'another session is writing account "%"', account
			USING ERRCODE = 'lock_not_available', HINT = 'Stop what loads its events, and try again.';
	END IF;
	PERFORM iamwatch_internal.fold_journal(provider, account);
	PERFORM iamwatch_internal.assign_pending(w.hash) FROM (
		SELECT DISTINCT hashtextextended((p.event).identity, 0) AS hash FROM iamwatch_internal.pending_events AS p
		WHERE (p.event).provider = $1 AND (p.event).account = $2) AS w;
	IF EXISTS (SELECT FROM iamwatch_internal.pending_events AS p WHERE (p.event).provider = $1 AND (p.event).account = $2) THEN
		RAISE EXCEPTION 'events of account "%" are waiting for another session', account
			USING ERRCODE = 'lock_not_available', HINT = 'See iamwatch.status, and try again.';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.lock_account_to_move(text, text) IS
'lock an account until the transaction ends, with nothing of it left to wait; 55P03 if another session is writing it';

-- Most documents that are rejected do not say whose they are.
CREATE FUNCTION iamwatch_internal.is_rejected_of(r iamwatch.rejected_events, provider text, account text) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce((SELECT p.provider = $2 AND p.account = $3 FROM iamwatch.parse(r.event) AS p), false);
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_rejected_of(iamwatch.rejected_events, text, text) IS
'whether a rejected document can be read, as one from the future can, and names the account';

-- Each value as it is, whatever the session's settings; and the same for the same
-- state, so that two exports can be compared.
CREATE FUNCTION iamwatch.export_account(provider text, account text) RETURNS SETOF jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1
	SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
	known iamwatch_internal.accounts;
BEGIN
	PERFORM iamwatch_internal.lock_account_to_move(provider, account);
	SELECT * INTO known FROM iamwatch_internal.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended($2, 0) AND a.account = $2 AND a.provider = $1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'nothing is known of account "%" of provider "%"', account, provider
			USING ERRCODE = 'no_data_found', HINT = 'See iamwatch.accounts.';
	END IF;
	RETURN NEXT jsonb_build_object('format', 2, 'account', to_jsonb(known) - 'account_id',
		'operations', (SELECT coalesce(jsonb_agg(to_jsonb(o) - 'account_id' ORDER BY o.operation_id), '[]')
			FROM iamwatch_internal.account_operations AS o WHERE o.account_id = known.account_id),
		'counts', (SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.place, c.name, c.day), '[]')
			FROM iamwatch_internal.counts_of($1, $2) AS c),
		'instances', (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.instance_id), '[]') FROM iamwatch.instances AS i
			WHERE i.provider = $1 AND i.account = $2),
		'instance_history', (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.instance_id, i.valid), '[]')
			FROM iamwatch.instance_history AS i WHERE i.provider = $1 AND i.account = $2),
		'firewalls', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM iamwatch_internal.firewalls AS f
			WHERE f.provider = $1 AND f.account = $2));
	RETURN QUERY SELECT jsonb_build_object('identity', to_jsonb(i) - 'account_id' - 'identity_id',
		'behaviours', coalesce((SELECT jsonb_agg(to_jsonb(d) - 'account_id' - 'identity_id' ORDER BY d.operation_id)
			FROM iamwatch_internal.account_operations AS o CROSS JOIN LATERAL (SELECT * FROM iamwatch_internal.behaviour_days AS d
				WHERE d.account_id = o.account_id AND d.operation_id = o.operation_id AND d.identity_id = i.identity_id OFFSET 0) AS d
			WHERE o.account_id = known.account_id), '[]'),
		'habits', coalesce((SELECT jsonb_agg(to_jsonb(h) - 'account_id' - 'identity_id' ORDER BY h.kind, h.value)
			FROM iamwatch_internal.habits AS h
			WHERE h.account_id = known.account_id AND h.identity_id = i.identity_id), '[]'),
		'novelties', coalesce((SELECT jsonb_agg(to_jsonb(n) - 'account_id' - 'identity_id' ORDER BY n.at, n.operation_id)
			FROM iamwatch_internal.novelties AS n
			WHERE n.account_id = known.account_id AND n.identity_id = i.identity_id), '[]'))
	FROM iamwatch_internal.identity_days AS i WHERE i.account_id = known.account_id ORDER BY i.identity_id;
	RETURN QUERY SELECT jsonb_build_object('suppression', to_jsonb(s)) FROM iamwatch.suppressions AS s
	WHERE s.provider = $1 AND s.account = $2
		OR s.alert_id IN (SELECT a.alert_id FROM iamwatch.alerts AS a WHERE a.provider = $1 AND a.account = $2)
		OR s.suppression_id IN (SELECT a.suppression_id FROM iamwatch_internal.suppressed_alerts AS a
			WHERE a.provider = $1 AND a.account = $2)
		OR s.suppression_id IN (SELECT a.suppression_id FROM iamwatch_internal.withdrawn_alerts AS a
			WHERE a.provider = $1 AND a.account = $2)
	ORDER BY s.suppression_id;
	RETURN QUERY SELECT jsonb_build_object(x.kind, x.alert, 'events', coalesce((SELECT jsonb_agg(to_jsonb(e) - 'alert_id'
				ORDER BY e.event_time, e.event_id COLLATE "C") FROM iamwatch.alert_events AS e WHERE e.alert_id = x.alert_id), '[]'),
		'history', coalesce((SELECT jsonb_agg(to_jsonb(h) - 'alert_id' - 'history_id' ORDER BY h.history_id)
			FROM iamwatch.alert_history AS h WHERE h.alert_id = x.alert_id), '[]'),
		'unsent', coalesce((SELECT jsonb_agg(u.left_at ORDER BY u.left_at)
			FROM iamwatch_internal.unsent_notifications AS u WHERE u.alert_id = x.alert_id), '[]'))
	FROM (SELECT 'alert' AS kind, a.alert_id, to_jsonb(a) AS alert FROM iamwatch.alerts AS a WHERE a.provider = $1 AND a.account = $2
		UNION ALL SELECT 'suppressed', a.alert_id, to_jsonb(a) FROM iamwatch_internal.suppressed_alerts AS a
		WHERE a.provider = $1 AND a.account = $2
		UNION ALL SELECT 'withdrawn', a.alert_id, to_jsonb(a) FROM iamwatch_internal.withdrawn_alerts AS a
		WHERE a.provider = $1 AND a.account = $2) AS x
	ORDER BY x.alert_id;
	RETURN QUERY SELECT jsonb_build_object('rejected', to_jsonb(r) - 'rejected_id' - 'source'
		|| jsonb_build_object('source', CASE WHEN pg_table_is_visible(r.source) IS NOT NULL THEN r.source::text END))
	FROM iamwatch.rejected_events AS r WHERE iamwatch_internal.is_rejected_of(r, $1, $2) ORDER BY r.rejected_id;
END $$;
COMMENT ON FUNCTION iamwatch.export_account(text, text) IS
'all that is known of an account, for iamwatch.import_account(): days, contexts, alerts with their events, withdrawn ones too, triage and suppressions, what counts toward limits, rejected documents that name it, its inventory. Keeps the account locked until the transaction ends; 55P03 while another session writes it, P0002 if nothing is known of it';

-- Of an alert that is here already, the one that has more of its events.
CREATE FUNCTION iamwatch_internal.is_more_of(given jsonb, element jsonb) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT (given->>'event_count')::bigint > a.event_count
		AND NOT EXISTS (SELECT x.event_time, x.event_id FROM iamwatch.alert_events AS x WHERE x.alert_id = a.alert_id
			EXCEPT SELECT e.event_time, e.event_id FROM jsonb_populate_recordset(NULL::iamwatch.alert_events, element->'events') AS e)
		AND (SELECT count(*) FROM iamwatch.alert_history AS h WHERE h.alert_id = a.alert_id) <= jsonb_array_length(element->'history')
	FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = (given->>'alert_id')::bigint
$$;
COMMENT ON FUNCTION iamwatch_internal.is_more_of(jsonb, jsonb) IS
'whether an exported alert has all events and decisions of the one with its number, and further events';

CREATE FUNCTION iamwatch_internal.same_alert(given jsonb) RETURNS bigint
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.alert_id FROM iamwatch_internal.all_alerts AS a
	WHERE hashtextextended(a.identity, 0) = hashtextextended(given->>'identity', 0)
	AND a.first_event_time = (given->>'first_event_time')::timestamptz
	AND a.identity = given->>'identity' AND a.operation = given->>'operation' AND a.service = given->>'service'
	AND a.failed = (given->>'failed')::boolean AND a.account = given->>'account' AND a.provider = given->>'provider'
	AND a.detector = given->>'detector'
	ORDER BY a.alert_id LIMIT 1
$$;
COMMENT ON FUNCTION iamwatch_internal.same_alert(jsonb) IS 'the alert of this place that the same event opened, under whatever number';

CREATE FUNCTION iamwatch_internal.import_alert(element jsonb, ids jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	given jsonb := coalesce(element->'alert', element->'suppressed', element->'withdrawn');
	id bigint := (given->>'alert_id')::bigint;
	present jsonb := coalesce((SELECT to_jsonb(a) FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = id),
		(SELECT to_jsonb(w) FROM iamwatch_internal.withdrawn_alerts AS w WHERE w.alert_id = id));
	same constant bigint := iamwatch_internal.same_alert(given);
BEGIN
	IF present @> jsonb_build_object('detector', given->'detector', 'provider', given->'provider',
		'account', given->'account', 'identity', given->'identity', 'service', given->'service',
		'operation', given->'operation', 'failed', given->'failed', 'first_event_time', given->'first_event_time') THEN
		IF NOT element ? 'alert' OR iamwatch_internal.is_more_of(given, element) IS NOT TRUE THEN
			RETURN id;
		END IF;
		DELETE FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = id;
		DELETE FROM iamwatch.alert_events AS e WHERE e.alert_id = id;
		DELETE FROM iamwatch.alert_history AS h WHERE h.alert_id = id;
		DELETE FROM iamwatch_internal.unsent_notifications AS u WHERE u.alert_id = id;
	ELSIF same IS NOT NULL AND NOT element ? 'withdrawn' THEN
		RETURN same;
	ELSIF present IS NOT NULL THEN
		id := iamwatch_internal.number_here(nextval('iamwatch.alerts_alert_id_seq'));
		given := given || jsonb_build_object('alert_id', id);
	END IF;
	given := given || jsonb_build_object('suppression_id', coalesce(ids->(given->>'suppression_id'), given->'suppression_id', 'null'));
	IF element ? 'alert' THEN
		INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE
		SELECT * FROM jsonb_populate_record(NULL::iamwatch.alerts, given);
	ELSIF element ? 'suppressed' THEN
		INSERT INTO iamwatch_internal.suppressed_alerts
		SELECT * FROM jsonb_populate_record(NULL::iamwatch_internal.suppressed_alerts, given);
	ELSE
		INSERT INTO iamwatch_internal.withdrawn_alerts
		SELECT * FROM jsonb_populate_record(NULL::iamwatch_internal.withdrawn_alerts, given);
	END IF;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	SELECT id, e.event_time, e.event_id FROM jsonb_populate_recordset(NULL::iamwatch.alert_events, element->'events') AS e;
	INSERT INTO iamwatch.alert_history (alert_id, changed_at, changed_by, changed_as, old_values, new_values)
	SELECT id, h.changed_at, h.changed_by, h.changed_as, h.old_values, h.new_values
	FROM jsonb_populate_recordset(NULL::iamwatch.alert_history, element->'history') AS h;
	INSERT INTO iamwatch_internal.unsent_notifications (alert_id, left_at)
	SELECT id, u::timestamptz FROM jsonb_array_elements_text(element->'unsent') AS u;
	RETURN id;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_alert(jsonb, jsonb) IS
'insert an exported alert with its events and history, under its number unless another alert has that; its number here. Ids: numbers of suppressions that are others here';

-- Numbers that come from elsewhere must not come up here again.
CREATE FUNCTION iamwatch_internal.pass_number(sequence regclass, id bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	n constant bigint := id - iamwatch_internal.number_here(0);
BEGIN
	IF n BETWEEN 1 AND 999999999999 AND n > coalesce(pg_sequence_last_value(sequence), 0) THEN
		PERFORM setval(sequence, n);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.pass_number(regclass, bigint) IS 'let a sequence go on after a number, if it is one of this node';

-- ---- the parts of an export, in the order in which they refer to each other ----

CREATE FUNCTION iamwatch_internal.import_head(head jsonb) RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	given iamwatch_internal.accounts := jsonb_populate_record(NULL::iamwatch_internal.accounts, head->'account');
	id integer;
BEGIN
	SELECT a.account_id INTO id FROM iamwatch_internal.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(given.account, 0)
	AND a.account = given.account AND a.provider = given.provider;
	IF id IS NOT NULL THEN
		UPDATE iamwatch_internal.accounts AS a SET first_event_time = LEAST(a.first_event_time, given.first_event_time),
			newest_day = GREATEST(a.newest_day, given.newest_day), dropped_before = GREATEST(a.dropped_before, given.dropped_before)
		WHERE a.account_id = id;
	ELSE
		given.account_id := iamwatch_internal.next_account_id(iamwatch_internal.account_bucket(given.account));
		given.late_events := 0;		-- they come with the counts
		INSERT INTO iamwatch_internal.accounts SELECT (given).* RETURNING account_id INTO id;
	END IF;
	PERFORM iamwatch_internal.add_counts(id, ARRAY(
		SELECT c FROM jsonb_populate_recordset(NULL::iamwatch_internal.counted_elsewhere, head->'counts') AS c));
	RETURN id;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_head(jsonb) IS
'unite the account of an export, and what was counted of it, with what is known here; its number here';

CREATE FUNCTION iamwatch_internal.import_operations(id integer, head jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation)
	SELECT id, (SELECT coalesce(max(o.operation_id), 0) FROM iamwatch_internal.account_operations AS o WHERE o.account_id = id)
		+ row_number() OVER (ORDER BY g.operation_id), g.failed, g.service, g.operation
	FROM jsonb_populate_recordset(NULL::iamwatch_internal.account_operations, head->'operations') AS g
	WHERE NOT EXISTS (SELECT FROM iamwatch_internal.account_operations AS o WHERE o.account_id = id
		AND (o.service, o.operation, o.failed) = (g.service, g.operation, g.failed));
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_operations(integer, jsonb) IS
'add the operations of an export to those of an account; each place numbers them by itself, so they go by their names';

CREATE FUNCTION iamwatch_internal.import_identities(id integer, exported jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	UPDATE iamwatch_internal.identity_days AS i SET kinds = i.kinds | g.kinds, days = i.days | g.days, iam_days = i.iam_days | g.iam_days,
		first_days = iamwatch_internal.earliest_days(i.first_days | g.first_days)
	FROM unnest(exported) AS x, jsonb_populate_record(NULL::iamwatch_internal.identity_days, x->'identity') AS g
	WHERE x ? 'identity' AND i.account_id = id
	AND hashtext(i.identity) = hashtext(g.identity) AND i.identity = g.identity;
	INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)
	SELECT id, g.kinds, g.first_days, g.days, g.iam_days, g.identity
	FROM unnest(exported) WITH ORDINALITY AS x (x, n), jsonb_populate_record(NULL::iamwatch_internal.identity_days, x->'identity') AS g
	WHERE x ? 'identity' AND NOT EXISTS (SELECT FROM iamwatch_internal.identity_days AS i WHERE i.account_id = id
		AND hashtext(i.identity) = hashtext(g.identity) AND i.identity = g.identity)
	ORDER BY x.n;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_identities(integer, jsonb[]) IS
'unite the identities of an export with those of an account, by their names';

CREATE FUNCTION iamwatch_internal.import_days(id integer, head jsonb, exported jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	WITH numbers AS MATERIALIZED (
		SELECT g.operation_id AS given, o.operation_id
		FROM jsonb_populate_recordset(NULL::iamwatch_internal.account_operations, head->'operations') AS g
		JOIN iamwatch_internal.account_operations AS o ON o.account_id = id
			AND (o.service, o.operation, o.failed) = (g.service, g.operation, g.failed)
	), who AS MATERIALIZED (
		SELECT i.identity_id, x FROM unnest(exported) AS x CROSS JOIN LATERAL (
			SELECT i.identity_id FROM iamwatch_internal.identity_days AS i WHERE i.account_id = id
			AND hashtext(i.identity) = hashtext(x->'identity'->>'identity')
			AND i.identity = x->'identity'->>'identity' OFFSET 0) AS i
		WHERE x ? 'identity'
	), behaviours AS (
		INSERT INTO iamwatch_internal.behaviour_days AS b (account_id, operation_id, identity_id, first_seen, days)
		SELECT id, m.operation_id, w.identity_id, g.first_seen, g.days
		FROM who AS w, jsonb_populate_recordset(NULL::iamwatch_internal.behaviour_days, w.x->'behaviours') AS g, numbers AS m
		WHERE m.given = g.operation_id
		ON CONFLICT ON CONSTRAINT behaviour_days_pkey DO UPDATE SET first_seen = LEAST(b.first_seen, EXCLUDED.first_seen),
			days = b.days | EXCLUDED.days
	), habits AS (
		INSERT INTO iamwatch_internal.habits AS h (account_id, identity_id, kind, value, days)
		SELECT id, w.identity_id, g.kind, g.value, g.days
		FROM who AS w, jsonb_populate_recordset(NULL::iamwatch_internal.habits, w.x->'habits') AS g
		ON CONFLICT ON CONSTRAINT habits_pkey DO UPDATE SET days = h.days | EXCLUDED.days
	)
	INSERT INTO iamwatch_internal.novelties (account_id, identity_id, at, operation_id, access_key)
	SELECT id, w.identity_id, g.at, m.operation_id, g.access_key
	FROM who AS w, jsonb_populate_recordset(NULL::iamwatch_internal.novelties, w.x->'novelties') AS g, numbers AS m
	WHERE m.given = g.operation_id
	ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_days(integer, jsonb, jsonb[]) IS
'unite what the identities of an export did, from where, and for the first time, with what is known here of them';

CREATE FUNCTION iamwatch_internal.forget_old_novelties(id integer) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch_internal.novelties AS n USING iamwatch_internal.behaviour_days AS d
	WHERE n.account_id = id AND d.account_id = id AND d.operation_id = n.operation_id AND d.identity_id = n.identity_id
	AND NOT is_novel(true, (n.at AT TIME ZONE 'UTC')::date, d.days);
END $$;
COMMENT ON FUNCTION iamwatch_internal.forget_old_novelties(integer) IS
'of an account that two places knew, what one of them took for the first time though the other had seen it before';

CREATE FUNCTION iamwatch_internal.import_inventory(head jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	INSERT INTO iamwatch.instances AS i SELECT * FROM jsonb_populate_recordset(NULL::iamwatch.instances, head->'instances')
	ON CONFLICT ON CONSTRAINT instances_pkey DO UPDATE
	SET (public_ips, internet_facing, region, security_groups, valid_since, confirmed_at) = (EXCLUDED.public_ips, EXCLUDED.internet_facing,
		EXCLUDED.region, EXCLUDED.security_groups, EXCLUDED.valid_since, EXCLUDED.confirmed_at)
	WHERE EXCLUDED.confirmed_at > i.confirmed_at;
	INSERT INTO iamwatch.instance_history
	SELECT * FROM jsonb_populate_recordset(NULL::iamwatch.instance_history, head->'instance_history') ON CONFLICT DO NOTHING;
	INSERT INTO iamwatch_internal.firewalls AS f
	SELECT * FROM jsonb_populate_recordset(NULL::iamwatch_internal.firewalls, head->'firewalls')
	ON CONFLICT ON CONSTRAINT firewalls_pkey DO UPDATE SET (imported_at, rules) = (EXCLUDED.imported_at, EXCLUDED.rules)
	WHERE EXCLUDED.imported_at > f.imported_at;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_inventory(jsonb) IS
'take over the instances of an export and their firewalls, where they are newer than what is known here';

CREATE FUNCTION iamwatch_internal.import_rejected(exported jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
BEGIN
	INSERT INTO iamwatch.rejected_events (rejected_at, source, reason, event, digest, event_bytes)
	SELECT r.rejected_at, r.source, r.reason, r.event, r.digest, r.event_bytes
	FROM unnest(exported) WITH ORDINALITY AS x (x, n) CROSS JOIN LATERAL jsonb_populate_record(NULL::iamwatch.rejected_events,
		x->'rejected' || jsonb_build_object('source', to_regclass(x->'rejected'->>'source')::oid)) AS r
	WHERE x ? 'rejected' AND NOT EXISTS (SELECT FROM iamwatch.rejected_events AS e WHERE e.digest = r.digest
		AND e.reason = r.reason AND e.source IS NOT DISTINCT FROM r.source)
	ORDER BY x.n;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_rejected(jsonb[]) IS
'take over the rejected documents of an export that are not here yet';

CREATE FUNCTION iamwatch_internal.import_suppressions(exported jsonb[]) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	element jsonb;
	rule iamwatch.suppressions;
	number bigint;
	ids jsonb := '{}';
BEGIN
	FOR element IN SELECT x->'suppression' FROM unnest(exported) AS x WHERE x ? 'suppression' LOOP
		rule := jsonb_populate_record(NULL::iamwatch.suppressions, element);
		number := rule.suppression_id;
		CONTINUE WHEN (SELECT to_jsonb(s) = element FROM iamwatch.suppressions AS s WHERE s.suppression_id = number);
		IF EXISTS (SELECT FROM iamwatch.suppressions AS s WHERE s.suppression_id = number) THEN
			rule.suppression_id := iamwatch_internal.number_here(nextval('iamwatch.suppressions_suppression_id_seq'));
			ids := ids || jsonb_build_object(number, rule.suppression_id);
		END IF;
		INSERT INTO iamwatch.suppressions OVERRIDING SYSTEM VALUE SELECT (rule).*;
		PERFORM iamwatch_internal.pass_number('iamwatch.suppressions_suppression_id_seq', rule.suppression_id);
	END LOOP;
	RETURN ids;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_suppressions(jsonb[]) IS
'take over the suppressions of an export that are not here yet; which numbers became others, as they are taken here';

CREATE FUNCTION iamwatch_internal.import_alerts(exported jsonb[], ids jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	element jsonb;
	number bigint;
BEGIN
	PERFORM iamwatch_internal.tell_of_alerts();
	FOR element IN SELECT x FROM unnest(exported) AS x WHERE x ?| '{alert,suppressed,withdrawn}' LOOP
		number := iamwatch_internal.import_alert(element, ids);
		PERFORM iamwatch_internal.pass_number('iamwatch.alerts_alert_id_seq', number);
		IF number <> (element->'alert'->>'alert_id')::bigint THEN
			UPDATE iamwatch.suppressions AS s SET alert_id = number
			WHERE s.alert_id = (element->'alert'->>'alert_id')::bigint
			AND s.suppression_id IN (SELECT coalesce((ids->>(x->'suppression'->>'suppression_id'))::bigint,
				(x->'suppression'->>'suppression_id')::bigint) FROM unnest(exported) AS x WHERE x ? 'suppression');
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_alerts(jsonb[], jsonb) IS
'take over the alerts of an export; ids: numbers of suppressions that are others here. A suppression that carries out the decision about one is told its number here';

CREATE FUNCTION iamwatch.import_account(exported jsonb[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 SET timezone = 'UTC' AS $$
DECLARE
	heads constant jsonb := (SELECT jsonb_agg(x) FROM unnest(exported) AS x WHERE x ? 'format');
	head constant jsonb := heads->0;
	was_known boolean;
	id integer;
BEGIN
	IF jsonb_array_length(heads) IS DISTINCT FROM 1 OR head->'format' <> '2' THEN
		RAISE EXCEPTION 'this is not what iamwatch.export_account() gave for one account'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give all rows of one call, as an array.';
	END IF;
	PERFORM iamwatch_internal.must_be_owner('import an account');
	PERFORM iamwatch_internal.lock_account_to_move(head->'account'->>'provider', head->'account'->>'account');
	was_known := EXISTS (SELECT FROM iamwatch_internal.accounts AS a
		WHERE hashtextextended(a.account, 0) = hashtextextended(head->'account'->>'account', 0)
		AND a.account = head->'account'->>'account' AND a.provider = head->'account'->>'provider');
	id := iamwatch_internal.import_head(head);
	PERFORM iamwatch_internal.import_operations(id, head);
	PERFORM iamwatch_internal.import_identities(id, exported);
	PERFORM iamwatch_internal.import_days(id, head, exported);
	PERFORM iamwatch_internal.retally(id);
	IF was_known THEN
		PERFORM iamwatch_internal.forget_old_novelties(id);
	END IF;
	PERFORM iamwatch_internal.import_inventory(head);
	PERFORM iamwatch_internal.import_rejected(exported);
	PERFORM iamwatch_internal.import_alerts(exported, iamwatch_internal.import_suppressions(exported));
	RETURN (SELECT count(*) FROM unnest(exported) AS x WHERE x ? 'identity');
END $$;
COMMENT ON FUNCTION iamwatch.import_account(jsonb[]) IS
'take over what iamwatch.export_account() gave elsewhere, and return how many identities it has: alerts go on as if the account had always been here. What is known of it already is united with it, and nothing is counted twice, however often it is imported; iamwatch.backfill() then finds the alerts that what was new here would have raised. Alerts and suppressions keep their numbers, unless others have them here. 55P03 while another session writes the account, 22023 for anything else than one export, 42501 for who is not the owner of the extension';

CREATE FUNCTION iamwatch.forget_account(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET cpu_operator_cost = 1 AS $$
DECLARE
	id integer;
	alert_ids bigint[];
BEGIN
	PERFORM iamwatch_internal.must_be_owner('forget an account');
	PERFORM iamwatch_internal.lock_account_to_move(provider, account);
	DELETE FROM iamwatch_internal.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended($2, 0) AND a.account = $2 AND a.provider = $1
	RETURNING a.account_id INTO id;
	DELETE FROM iamwatch_internal.behaviour_days AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.identity_days AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.account_operations AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.tallies AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.habits AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.novelties AS d WHERE d.account_id = id;
	DELETE FROM iamwatch_internal.limit_counts AS c WHERE hashtextextended(c.scope, 0) = hashtextextended($1 || '/' || $2, 0)
		AND c.scope = $1 || '/' || $2;
	DELETE FROM iamwatch_internal.counted_elsewhere AS c
	WHERE hashtextextended(c.account, 0) = hashtextextended($2, 0) AND c.account = $2 AND c.provider = $1;
	IF id IS NOT NULL THEN
		UPDATE iamwatch_internal.forgotten_accounts AS f SET times = f.times + 1
		WHERE hashtextextended(f.account, 0) = hashtextextended($2, 0) AND f.account = $2 AND f.provider = $1;
		IF NOT FOUND THEN
			INSERT INTO iamwatch_internal.forgotten_accounts (provider, account, times) VALUES ($1, $2, 1);
		END IF;
	END IF;
	DELETE FROM iamwatch.rejected_events AS r WHERE iamwatch_internal.is_rejected_of(r, $1, $2);
	alert_ids := ARRAY(SELECT a.alert_id FROM iamwatch_internal.all_alerts AS a WHERE a.provider = $1 AND a.account = $2);
	DELETE FROM iamwatch_internal.unsent_notifications AS u WHERE u.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.suppressions AS s WHERE s.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alert_events AS e WHERE e.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alert_history AS h WHERE h.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch_internal.suppressed_alerts AS a WHERE a.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch_internal.withdrawn_alerts AS a WHERE a.provider = $1 AND a.account = $2;
	-- that it may be stored again: with any statement on the settings, sessions forget what they remember to be stored
	UPDATE iamwatch.detectors SET detector = detector WHERE false;
END $$;
COMMENT ON FUNCTION iamwatch.forget_account(text, text) IS
'drop all that iamwatch.export_account() gives of an account, but its inventory and suppressions that are not of an alert. For where it was, once another place has it; what comes of it later is learned as of a new account, in sessions that are open too. 55P03 while another session writes the account, 42501 for who is not the owner of the extension';

-- ---- between the nodes of Citus ----

CREATE FUNCTION iamwatch_internal.ask_node(node integer, command text) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	answer record;
BEGIN
	EXECUTE 'SELECT r.success, r.result FROM pg_catalog.pg_dist_node AS n CROSS JOIN LATERAL
			pg_catalog.master_run_on_worker(ARRAY[n.nodename], ARRAY[n.nodeport], ARRAY[$2], false) AS r
		WHERE n.groupid = $1 AND n.noderole = ''primary''' INTO answer USING node, command;
	IF answer.success IS NOT TRUE THEN
		RAISE EXCEPTION '%', coalesce(regexp_replace(answer.result, '^ERROR: +', ''), format('there is no node %s', node))
			USING ERRCODE = 'external_routine_exception', DETAIL = format('Node %s says so.', node);
	END IF;
	RETURN answer.result;
END $$;
COMMENT ON FUNCTION iamwatch_internal.ask_node(integer, text) IS
'run a command on a node, in a transaction of its own, as the same role; its answer. 38000 with what the node says if it fails';

CREATE FUNCTION iamwatch_internal.exported_text(provider text, account text) RETURNS text
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(x::text, E'\n') FROM iamwatch.export_account($1, $2) AS x
$$;
COMMENT ON FUNCTION iamwatch_internal.exported_text(text, text) IS 'what iamwatch.export_account() gives, a line each';

CREATE FUNCTION iamwatch_internal.forget_exported(provider text, account text, digest text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF md5(iamwatch_internal.exported_text(provider, account)) <> digest THEN
		RETURN false;
	END IF;
	PERFORM iamwatch.forget_account(provider, account);
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.forget_exported(text, text, text) IS
'forget an account if it still is what was exported, by its MD5; whether it was';

CREATE FUNCTION iamwatch_internal.carry_account(provider text, account text, node integer, place integer) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	exported text;
BEGIN
	-- what came to the old node meanwhile goes along the next time
	FOR attempt IN 1 .. 5 LOOP
		exported := iamwatch_internal.ask_node(node, format('SELECT iamwatch_internal.exported_text(%L, %L)', provider, account));
		PERFORM iamwatch_internal.ask_node(place, format('SELECT iamwatch.import_account(string_to_array(%L, chr(10))::jsonb[])', exported));
		EXIT WHEN iamwatch_internal.ask_node(node, format('SELECT iamwatch_internal.forget_exported(%L, %L, %L)', provider, account, md5(exported)))::boolean;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.carry_account(text, text, integer, integer) IS
'export an account from a node, import it on another, and forget it where it was; stopped in between, the same again goes on';

CREATE PROCEDURE iamwatch.carry_accounts()
	LANGUAGE plpgsql AS $$
DECLARE
	one record;
	n bigint := 0;
BEGIN
	PERFORM iamwatch_internal.must_be_alone('iamwatch.carry_accounts()');
	IF NOT iamwatch_internal.is_coordinator() THEN
		RAISE EXCEPTION 'this is not the coordinator of several nodes'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Without Citus, use iamwatch.export_account() and iamwatch.import_account().';
	END IF;
	PERFORM iamwatch_internal.map_moved_shards();
	FOR one IN SELECT * FROM iamwatch_internal.accounts_elsewhere(iamwatch_internal.ask_how_nodes_are()) LOOP
		IF pg_catalog.cardinality(one.places) OPERATOR(pg_catalog.>) 1 THEN
			RAISE WARNING 'account "%" was not carried from node %, as its rows may be on any of nodes %', one.account, one.node,
				pg_catalog.array_to_string(one.places, ', ')
				USING HINT = 'Sources that are not colocated have shards of an account on several nodes. Use iamwatch.export_account() and iamwatch.import_account().';
			CONTINUE;
		END IF;
		BEGIN
			PERFORM iamwatch_internal.carry_account(one.provider, one.account, one.node, one.places[1]);
			n := n OPERATOR(pg_catalog.+) 1;
			IF one.begun THEN
				RAISE NOTICE 'events of account "%" had come to node % before what was known of it', one.account, one.places[1]
					USING HINT = 'Alerts that they would have raised are found by iamwatch.backfill() of the table, since that time.';
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING 'account "%" was not carried from node % to node %: %', one.account, one.node, one.places[1], SQLERRM;
		END;
	END LOOP;
	RAISE NOTICE '% accounts were carried to the nodes of their shards', n;
END $$;
COMMENT ON PROCEDURE iamwatch.carry_accounts() IS
'after shards have moved, carry what is known of their accounts to the nodes that have them now, an account at a time; for sources that are distributed by account. Warns of accounts that could not be carried, as when their events are just being loaded: call it again. 55000 unless on the coordinator of Citus';

-- All but what is in a hierarchy already, as alerts are.
DO $$
DECLARE
	kept regclass;
BEGIN
	FOR kept IN SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relkind = 'r' AND NOT c.relhassubclass
		AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
		AND c.oid <> 'iamwatch_internal.stays_on_node'::regclass
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid) LOOP
		EXECUTE format('ALTER TABLE %s INHERIT iamwatch_internal.stays_on_node', kept);
	END LOOP;
END $$;
