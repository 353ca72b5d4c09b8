-- What is known of an account, to be carried to another node or server.

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

CREATE FUNCTION iamwatch.export_account(provider text, account text) RETURNS SETOF jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
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
	RETURN NEXT jsonb_build_object('format', 1, 'account', to_jsonb(known) - 'account_id',
		'operations', (SELECT coalesce(jsonb_agg(to_jsonb(o) - 'account_id' ORDER BY o.operation_id), '[]')
			FROM iamwatch_internal.account_operations AS o WHERE o.account_id = known.account_id),
		'counts', (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM iamwatch_internal.limit_counts AS c
			WHERE hashtextextended(c.scope, 0) = hashtextextended($1 || '/' || $2, 0) AND c.scope = $1 || '/' || $2),
		'instances', (SELECT coalesce(jsonb_agg(to_jsonb(i)), '[]') FROM iamwatch.instances AS i
			WHERE i.provider = $1 AND i.account = $2),
		'instance_history', (SELECT coalesce(jsonb_agg(to_jsonb(i)), '[]') FROM iamwatch.instance_history AS i
			WHERE i.provider = $1 AND i.account = $2),
		'firewalls', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM iamwatch_internal.firewalls AS f
			WHERE f.provider = $1 AND f.account = $2));
	RETURN QUERY SELECT jsonb_build_object('identity', to_jsonb(i) - 'account_id' - 'identity_id',
		'behaviours', coalesce((SELECT jsonb_agg(to_jsonb(d) - 'account_id' - 'identity_id' ORDER BY d.operation_id)
			FROM iamwatch_internal.account_operations AS o CROSS JOIN LATERAL (SELECT * FROM iamwatch_internal.behaviour_days AS d
				WHERE d.account_id = o.account_id AND d.operation_id = o.operation_id AND d.identity_id = i.identity_id OFFSET 0) AS d
			WHERE o.account_id = known.account_id), '[]'),
		'habits', coalesce((SELECT jsonb_agg(to_jsonb(h) - 'account_id' - 'identity_id') FROM iamwatch_internal.habits AS h
			WHERE h.account_id = known.account_id AND h.identity_id = i.identity_id), '[]'),
		'novelties', coalesce((SELECT jsonb_agg(to_jsonb(n) - 'account_id' - 'identity_id') FROM iamwatch_internal.novelties AS n
			WHERE n.account_id = known.account_id AND n.identity_id = i.identity_id), '[]'))
	FROM iamwatch_internal.identity_days AS i WHERE i.account_id = known.account_id ORDER BY i.identity_id;
	RETURN QUERY SELECT jsonb_build_object('suppression', to_jsonb(s)) FROM iamwatch.suppressions AS s
	WHERE s.provider = $1 AND s.account = $2
		OR s.alert_id IN (SELECT a.alert_id FROM iamwatch.alerts AS a WHERE a.provider = $1 AND a.account = $2)
		OR s.suppression_id IN (SELECT a.suppression_id FROM iamwatch_internal.suppressed_alerts AS a
			WHERE a.provider = $1 AND a.account = $2)
	ORDER BY s.suppression_id;
	RETURN QUERY SELECT jsonb_build_object(x.kind, x.alert, 'events', coalesce((SELECT jsonb_agg(to_jsonb(e) - 'alert_id')
			FROM iamwatch.alert_events AS e WHERE e.alert_id = x.alert_id), '[]'),
		'history', coalesce((SELECT jsonb_agg(to_jsonb(h) - 'alert_id' - 'history_id' ORDER BY h.history_id)
			FROM iamwatch.alert_history AS h WHERE h.alert_id = x.alert_id), '[]'))
	FROM (SELECT 'alert' AS kind, a.alert_id, to_jsonb(a) AS alert FROM iamwatch.alerts AS a WHERE a.provider = $1 AND a.account = $2
		UNION ALL SELECT 'suppressed', a.alert_id, to_jsonb(a) FROM iamwatch_internal.suppressed_alerts AS a
		WHERE a.provider = $1 AND a.account = $2) AS x
	ORDER BY x.alert_id;
END $$;
COMMENT ON FUNCTION iamwatch.export_account(text, text) IS
'all that is known of an account, for iamwatch.import_account(): days, contexts, alerts with their events, triage and suppressions, its inventory. Keeps the account locked until the transaction ends; 55P03 while another session writes it, P0002 if nothing is known of it';

CREATE FUNCTION iamwatch_internal.import_alert(element jsonb, ids jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	shown constant boolean := element ? 'alert';
	given jsonb := coalesce(element->'alert', element->'suppressed');
	id bigint := (given->>'alert_id')::bigint;
	present jsonb := (SELECT to_jsonb(a) FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id = id);
BEGIN
	IF present - 'incident_id' @> jsonb_build_object('detector', given->'detector', 'provider', given->'provider',
		'account', given->'account', 'identity', given->'identity', 'service', given->'service',
		'operation', given->'operation', 'failed', given->'failed', 'first_event_time', given->'first_event_time') THEN
		RETURN id;
	ELSIF present IS NOT NULL OR EXISTS (SELECT FROM iamwatch_internal.withdrawn_alerts AS w WHERE w.alert_id = id) THEN
		id := iamwatch_internal.number_here(nextval('iamwatch.alerts_alert_id_seq'));
		given := given || jsonb_build_object('alert_id', id);
	END IF;
	IF shown THEN
		INSERT INTO iamwatch.alerts OVERRIDING SYSTEM VALUE
		SELECT * FROM jsonb_populate_record(NULL::iamwatch.alerts, given);
	ELSE
		given := given || jsonb_build_object('suppression_id', coalesce(ids->(given->>'suppression_id'), given->'suppression_id'));
		INSERT INTO iamwatch_internal.suppressed_alerts
		SELECT * FROM jsonb_populate_record(NULL::iamwatch_internal.suppressed_alerts, given);
	END IF;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	SELECT id, e.event_time, e.event_id FROM jsonb_populate_recordset(NULL::iamwatch.alert_events, element->'events') AS e;
	INSERT INTO iamwatch.alert_history (alert_id, changed_at, changed_by, changed_as, old_values, new_values)
	SELECT id, h.changed_at, h.changed_by, h.changed_as, h.old_values, h.new_values
	FROM jsonb_populate_recordset(NULL::iamwatch.alert_history, element->'history') AS h;
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

CREATE FUNCTION iamwatch.import_account(exported jsonb[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	head constant jsonb := (SELECT jsonb_agg(x) FROM unnest(exported) AS x WHERE x ? 'format');
	given iamwatch_internal.accounts;
	id integer;
	element jsonb;
	rule iamwatch.suppressions;
	number bigint;
	ids jsonb := '{}';		-- suppressions whose number is taken here
	n bigint;
BEGIN
	IF jsonb_array_length(head) IS DISTINCT FROM 1 OR head->0->'format' <> '1' THEN
		RAISE EXCEPTION 'this is not what iamwatch.export_account() gave for one account'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give all rows of one call, as an array.';
	END IF;
	given := jsonb_populate_record(NULL::iamwatch_internal.accounts, head->0->'account');
	PERFORM iamwatch_internal.lock_account_to_move(given.provider, given.account);
	SELECT a.account_id INTO id FROM iamwatch_internal.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(given.account, 0)
	AND a.account = given.account AND a.provider = given.provider;
	IF id IS NULL THEN
		INSERT INTO iamwatch_internal.accounts (account_id, provider, account, first_event_time, newest_day, late_events)
		VALUES (iamwatch_internal.next_account_id(iamwatch_internal.account_bucket(given.account)), given.provider, given.account,
			given.first_event_time, given.newest_day, given.late_events) RETURNING account_id INTO id;
	ELSE
		UPDATE iamwatch_internal.accounts AS a SET first_event_time = LEAST(a.first_event_time, given.first_event_time),
			newest_day = GREATEST(a.newest_day, given.newest_day), late_events = a.late_events + given.late_events
		WHERE a.account_id = id;
	END IF;

	-- operations go by their names
	INSERT INTO iamwatch_internal.account_operations (account_id, operation_id, failed, service, operation)
	SELECT id, (SELECT coalesce(max(o.operation_id), 0) FROM iamwatch_internal.account_operations AS o WHERE o.account_id = id)
		+ row_number() OVER (ORDER BY g.operation_id), g.failed, g.service, g.operation
	FROM jsonb_populate_recordset(NULL::iamwatch_internal.account_operations, head->0->'operations') AS g
	WHERE NOT EXISTS (SELECT FROM iamwatch_internal.account_operations AS o WHERE o.account_id = id
		AND (o.service, o.operation, o.failed) = (g.service, g.operation, g.failed));
	UPDATE iamwatch_internal.identity_days AS i SET kinds = i.kinds | g.kinds, days = i.days | g.days, iam_days = i.iam_days | g.iam_days,
		first_days = iamwatch_internal.earliest_days(i.first_days | g.first_days)
	FROM unnest(exported) AS x, jsonb_populate_record(NULL::iamwatch_internal.identity_days, x->'identity') AS g
	WHERE x ? 'identity' AND i.account_id = id
	AND hashtextextended(i.identity, 0) = hashtextextended(g.identity, 0) AND i.identity = g.identity;
	INSERT INTO iamwatch_internal.identity_days (account_id, kinds, first_days, days, iam_days, identity)
	SELECT id, g.kinds, g.first_days, g.days, g.iam_days, g.identity
	FROM unnest(exported) WITH ORDINALITY AS x (x, n), jsonb_populate_record(NULL::iamwatch_internal.identity_days, x->'identity') AS g
	WHERE x ? 'identity' AND NOT EXISTS (SELECT FROM iamwatch_internal.identity_days AS i WHERE i.account_id = id
		AND hashtextextended(i.identity, 0) = hashtextextended(g.identity, 0) AND i.identity = g.identity)
	ORDER BY x.n;

	WITH numbers AS MATERIALIZED (
		SELECT g.operation_id AS given, o.operation_id
		FROM jsonb_populate_recordset(NULL::iamwatch_internal.account_operations, head->0->'operations') AS g
		JOIN iamwatch_internal.account_operations AS o ON o.account_id = id
			AND (o.service, o.operation, o.failed) = (g.service, g.operation, g.failed)
	), who AS MATERIALIZED (
		SELECT i.identity_id, x FROM unnest(exported) AS x CROSS JOIN LATERAL (
			SELECT i.identity_id FROM iamwatch_internal.identity_days AS i WHERE i.account_id = id
			AND hashtextextended(i.identity, 0) = hashtextextended(x->'identity'->>'identity', 0)
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
	PERFORM iamwatch_internal.retally(id);

	INSERT INTO iamwatch_internal.limit_counts
	SELECT * FROM jsonb_populate_recordset(NULL::iamwatch_internal.limit_counts, head->0->'counts');
	INSERT INTO iamwatch.instances SELECT * FROM jsonb_populate_recordset(NULL::iamwatch.instances, head->0->'instances')
	ON CONFLICT DO NOTHING;
	INSERT INTO iamwatch.instance_history
	SELECT * FROM jsonb_populate_recordset(NULL::iamwatch.instance_history, head->0->'instance_history') ON CONFLICT DO NOTHING;
	INSERT INTO iamwatch_internal.firewalls
	SELECT * FROM jsonb_populate_recordset(NULL::iamwatch_internal.firewalls, head->0->'firewalls') ON CONFLICT DO NOTHING;

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
	FOR element IN SELECT x FROM unnest(exported) AS x WHERE x ? 'alert' OR x ? 'suppressed' LOOP
		number := iamwatch_internal.import_alert(element, ids);
		PERFORM iamwatch_internal.pass_number('iamwatch.alerts_alert_id_seq', number);
		IF number <> (coalesce(element->'alert', element->'suppressed')->>'alert_id')::bigint THEN
			UPDATE iamwatch.suppressions AS s SET alert_id = number
			WHERE s.alert_id = (coalesce(element->'alert', element->'suppressed')->>'alert_id')::bigint
			AND s.suppression_id IN (SELECT coalesce((ids->>(x->'suppression'->>'suppression_id'))::bigint,
				(x->'suppression'->>'suppression_id')::bigint) FROM unnest(exported) AS x WHERE x ? 'suppression');
		END IF;
	END LOOP;
	SELECT count(*) INTO n FROM unnest(exported) AS x WHERE x ? 'identity';
	RETURN n;
END $$;
COMMENT ON FUNCTION iamwatch.import_account(jsonb[]) IS
'take over what iamwatch.export_account() gave elsewhere, and return how many identities it has: alerts go on as if the account had always been here. What is known of it already is united with it. Alerts and suppressions keep their numbers, unless others have them here. 55P03 while another session writes the account, 22023 for anything else than one export';

CREATE FUNCTION iamwatch.forget_account(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	id integer;
	alert_ids bigint[];
BEGIN
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
	alert_ids := ARRAY(SELECT a.alert_id FROM iamwatch_internal.all_alerts AS a WHERE a.provider = $1 AND a.account = $2);
	DELETE FROM iamwatch.suppressions AS s WHERE s.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alert_events AS e WHERE e.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alert_history AS h WHERE h.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch_internal.suppressed_alerts AS a WHERE a.alert_id = ANY (alert_ids);
	DELETE FROM iamwatch_internal.withdrawn_alerts AS a WHERE a.provider = $1 AND a.account = $2;
END $$;
COMMENT ON FUNCTION iamwatch.forget_account(text, text) IS
'drop all that iamwatch.export_account() gives of an account, its days and its alerts, and those that were withdrawn. For where it was, once another place has it; sessions that are open may take events of it for known until they end. 55P03 while another session writes the account';

-- see iamwatch_internal.stay_on_node(); tables of a hierarchy Citus refuses anyway
DO $$
DECLARE
	kept regclass;
BEGIN
	FOR kept IN SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relkind = 'r' AND NOT c.relhastriggers AND NOT c.relhassubclass
		AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid) LOOP
		EXECUTE format('CREATE TRIGGER stay_on_node BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.stay_on_node()', kept);
	END LOOP;
END $$;
