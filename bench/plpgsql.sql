-- The same detection in idiomatic PL/pgSQL, to compare with: a row trigger, and
-- a statement trigger that does in sets what can be done so; keyed look-ups,
-- upserts, set-based peers.  Sets of days are date arrays of
-- rows, one row a day, since there is no dayset.  Late and future events,
-- rejected documents and variations are left out, which favours it.
CREATE TABLE pl_operations AS SELECT * FROM iamwatch.operations
	WHERE effect <> 'read' AND category NOT IN ('session', 'sign_in');
CREATE UNIQUE INDEX ON pl_operations (provider, service, operation);
CREATE TABLE pl_accounts (account text PRIMARY KEY, first timestamptz);
CREATE TABLE pl_activity (account text, identity text, day date, PRIMARY KEY (account, identity, day));
CREATE INDEX ON pl_activity (account, day);
CREATE TABLE pl_behaviour (account text, identity text, service text, operation text, failed boolean, day date,
	PRIMARY KEY (account, identity, service, operation, failed, day));
CREATE INDEX ON pl_behaviour (account, service, operation, failed, day);
CREATE TABLE pl_alerts (alert_id bigserial PRIMARY KEY, account text, identity text, service text, operation text,
	failed boolean, first_event_time timestamptz, last_event_time timestamptz, event_count bigint, event_ids text[],
	probability float8);
CREATE INDEX ON pl_alerts (identity, service, operation, failed, first_event_time);
CREATE TYPE pl_event AS (acc text, who text, svc text, op text, fail boolean, at timestamptz, id text);

-- An IAM operation, once the day is known as one of activity.
CREATE FUNCTION pl_judge(acc text, who text, svc text, op text, fail boolean, at timestamptz, id text) RETURNS void
	LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	d date := (at AT TIME ZONE 'UTC')::date;
	alert bigint;
	k int; a int; kk bigint; nn bigint; p float8; first timestamptz;
BEGIN
	SELECT x.alert_id INTO alert FROM pl_alerts x WHERE x.identity = who AND x.service = svc AND x.operation = op AND x.failed = fail
		AND x.first_event_time > at - interval '5 days' AND x.first_event_time < at + interval '5 days' AND x.account = acc;
	IF FOUND THEN
		UPDATE pl_alerts x SET event_count = event_count + 1, last_event_time = greatest(last_event_time, at),
			event_ids = event_ids || id
		WHERE x.alert_id = alert AND NOT id = ANY (event_ids);
	ELSE
		SELECT x.first INTO first FROM pl_accounts x WHERE x.account = acc;
		IF at >= first + interval '14 days' THEN
			SELECT count(*) INTO k FROM pl_behaviour b WHERE b.account = acc AND b.identity = who AND b.service = svc
				AND b.operation = op AND b.failed = fail AND b.day BETWEEN d - 30 AND d - 1;
			SELECT count(*) INTO a FROM pl_activity b WHERE b.account = acc AND b.identity = who AND b.day BETWEEN d - 30 AND d - 1;
			IF k / (a + 2.0) < 0.02 THEN
				SELECT count(*) INTO kk FROM pl_behaviour b WHERE b.account = acc AND b.service = svc AND b.operation = op
					AND b.failed = fail AND b.day BETWEEN d - 30 AND d - 1 AND b.identity <> who;
				SELECT count(*) INTO nn FROM pl_activity b WHERE b.account = acc AND b.day BETWEEN d - 30 AND d - 1 AND b.identity <> who;
				p := (k + 2 * (kk + 0.1) / (nn + 10)) / (a + 2);
				IF p < 0.02 THEN
					INSERT INTO pl_alerts (account, identity, service, operation, failed, first_event_time, last_event_time,
						event_count, event_ids, probability)
					VALUES (acc, who, svc, op, fail, at, at, 1, ARRAY[id], p);
				END IF;
			END IF;
		END IF;
	END IF;
	INSERT INTO pl_behaviour VALUES (acc, who, svc, op, fail, d) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION pl_observe() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	e jsonb := NEW.event;
	at timestamptz := (e->>'eventTime')::timestamptz;
	acc text := coalesce(e->>'recipientAccountId', e->'userIdentity'->>'accountId');
	who text := e->'userIdentity'->>'arn';
	svc text := replace(e->>'eventSource', '.amazonaws.com', '');
	op text := e->>'eventName';
BEGIN
	INSERT INTO pl_accounts VALUES (acc, at) ON CONFLICT (account) DO UPDATE SET first = EXCLUDED.first
		WHERE EXCLUDED.first < pl_accounts.first;
	INSERT INTO pl_activity VALUES (acc, who, (at AT TIME ZONE 'UTC')::date) ON CONFLICT DO NOTHING;
	IF EXISTS (SELECT FROM pl_operations o WHERE o.provider = 'aws' AND o.service = svc AND o.operation = op) THEN
		PERFORM pl_judge(acc, who, svc, op, e ? 'errorCode', at, e->>'eventID');
	END IF;
	RETURN NULL;
END $$;

CREATE FUNCTION pl_observe_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	operations pl_event[];
	o pl_event;
BEGIN
	WITH e AS MATERIALIZED (
		SELECT (event->>'eventTime')::timestamptz AS at,
			coalesce(event->>'recipientAccountId', event->'userIdentity'->>'accountId') AS acc,
			event->'userIdentity'->>'arn' AS who, replace(event->>'eventSource', '.amazonaws.com', '') AS svc,
			event->>'eventName' AS op, event ? 'errorCode' AS fail, event->>'eventID' AS id
		FROM stored
	), accounts AS (
		INSERT INTO pl_accounts SELECT acc, min(at) FROM e GROUP BY acc
		ON CONFLICT (account) DO UPDATE SET first = EXCLUDED.first WHERE EXCLUDED.first < pl_accounts.first
	), activity AS (
		INSERT INTO pl_activity SELECT DISTINCT acc, who, (at AT TIME ZONE 'UTC')::date FROM e ON CONFLICT DO NOTHING
	)
	SELECT array_agg(ROW(acc, who, svc, op, fail, at, id)::pl_event ORDER BY at) INTO operations
	FROM e JOIN pl_operations AS x ON x.provider = 'aws' AND x.service = svc AND x.operation = op;
	FOREACH o IN ARRAY coalesce(operations, '{}') LOOP
		PERFORM pl_judge(o.acc, o.who, o.svc, o.op, o.fail, o.at, o.id);
	END LOOP;
	RETURN NULL;
END $$;
