-- The same detection in idiomatic PL/pgSQL, to compare with: a row trigger, and
-- a statement trigger that does in sets what can be done so; keyed look-ups,
-- writes only of what is new, set-based peers.  Sets of days are rows, one a
-- day, since there is no dayset.  As here, whatever an event contains is stored,
-- and what was not understood is kept with its reason.  Left out, which favours
-- it: Azure and described providers, fields in lower case, objects as text, risk,
-- context, incidents, limits, suppressions, counts for the status, and writers
-- that do not wait for each other.
CREATE TABLE pl_operations AS SELECT * FROM iamwatch.operations
	WHERE effect <> 'read' AND category NOT IN ('session', 'sign_in');
CREATE UNIQUE INDEX ON pl_operations (provider, service, operation);
CREATE TABLE pl_accounts (account text, provider text, first timestamptz, newest date, late bigint, PRIMARY KEY (account, provider));
CREATE TABLE pl_activity (account text, identity text, person boolean, day date, PRIMARY KEY (account, identity, day));
CREATE INDEX ON pl_activity (account, day);
CREATE TABLE pl_identities (account text, identity text, second date, third date, PRIMARY KEY (account, identity));
CREATE TABLE pl_behaviour (account text, identity text, person boolean, service text, operation text, failed boolean, day date,
	PRIMARY KEY (account, identity, service, operation, failed, day));
CREATE INDEX ON pl_behaviour (account, service, operation, failed, day);
CREATE TABLE pl_alerts (alert_id bigserial PRIMARY KEY, account text, identity text, service text, operation text,
	failed boolean, first_event_time timestamptz, last_event_time timestamptz, event_count bigint, event_ids text[],
	probability float8, severity text, evidence jsonb);
CREATE INDEX ON pl_alerts (identity, service, operation, failed, first_event_time);
CREATE TABLE pl_rejected (reason text, event jsonb);
CREATE TYPE pl_event AS (reason text, provider text, acc text, who text, kind text, svc text, op text, fail boolean, at timestamptz, id text);

-- A field of another type counts as missing.
CREATE FUNCTION pl_text(field jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN jsonb_typeof(field) = 'string' THEN nullif(field #>> '{}', '') END
$$;

CREATE FUNCTION pl_is_person(kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT kind IN ('root', 'user', 'federated_user', 'anonymous', 'unknown')
$$;

CREATE FUNCTION pl_time(written text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF written ~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$' THEN
		RETURN written::timestamptz;
	END IF;
	RETURN NULL;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END $$;

CREATE FUNCTION pl_assumed_role(identity jsonb, INOUT e pl_event) LANGUAGE plpgsql STABLE AS $$
DECLARE
	arn text := pl_text(identity->'arn');
	principal text := pl_text(identity->'principalId');
	part text[] := regexp_match(arn, '^arn:([^:]+):sts::([^:]*):assumed-role/([^/]+)(?:/(.+))?$');
	role text := coalesce(pl_text(identity->'sessionContext'->'sessionIssuer'->'arn'),
		'arn:' || part[1] || ':iam::' || part[2] || ':role/' || part[3], principal);
	session text := coalesce(part[4], substr(principal, nullif(strpos(principal, ':'), 0) + 1));
	name text := regexp_replace(role, '^.*/', '');
BEGIN
	e.who := role;
	e.kind := 'role';
	IF role LIKE '%/aws-service-role/%' OR name LIKE 'AWSServiceRoleFor%' THEN
		e.kind := 'service';
	ELSIF session ~ '^i-([0-9a-fA-F]{8}|[0-9a-fA-F]{17})$' THEN
		e.kind := 'instance';
	ELSIF name LIKE 'AWSReservedSSO\_%' OR session LIKE '%@%' THEN
		e.kind := 'federated_user';
		e.who := coalesce(role || '/' || session, role);
	END IF;
END $$;

CREATE FUNCTION pl_read_aws(event jsonb) RETURNS pl_event LANGUAGE plpgsql STABLE AS $$
DECLARE
	e pl_event;
	identity jsonb := event->'userIdentity';
	arn text := pl_text(identity->'arn');
	principal text := pl_text(identity->'principalId');
BEGIN
	e.provider := 'aws';
	e.svc := pl_text(event->'eventSource');
	e.op := pl_text(event->'eventName');
	e.at := pl_time(pl_text(event->'eventTime'));
	e.reason := CASE WHEN e.svc IS NULL THEN 'eventSource is missing' WHEN e.op IS NULL THEN 'eventName is missing'
		WHEN e.at IS NULL THEN 'eventTime is missing or not a time in RFC 3339'
		WHEN jsonb_typeof(identity) IS DISTINCT FROM 'object' THEN 'userIdentity is missing' END;
	IF e.reason IS NOT NULL THEN
		RETURN e;
	END IF;
	e.acc := coalesce(pl_text(event->'recipientAccountId'), pl_text(identity->'accountId'));
	IF e.acc IS NULL THEN
		e.reason := 'no account';
		RETURN e;
	END IF;
	CASE pl_text(identity->'type')
		WHEN 'IAMUser' THEN
			e.kind := 'user';
			e.who := coalesce(arn, 'arn:aws:iam::' || pl_text(identity->'accountId') || ':user/' || pl_text(identity->'userName'));
		WHEN 'AssumedRole' THEN
			e := pl_assumed_role(identity, e);
		WHEN 'AWSService' THEN
			e.kind := 'service';
			e.who := pl_text(identity->'invokedBy');
		WHEN 'Root' THEN
			e.kind := 'root';
			e.who := coalesce(arn, 'arn:aws:iam::' || e.acc || ':root');
		WHEN 'FederatedUser' THEN
			e.kind := 'federated_user';
			e.who := coalesce(arn, principal);
		WHEN 'SAMLUser', 'WebIdentityUser' THEN
			e.kind := 'federated_user';
			e.who := coalesce(principal, pl_text(identity->'userName'));
		WHEN 'IdentityCenterUser' THEN
			e.kind := 'federated_user';
			e.who := coalesce(pl_text(identity->'onBehalfOf'->'userId'), principal);
		WHEN 'AWSAccount' THEN
			e.kind := 'account';
			e.who := coalesce(arn, principal, pl_text(identity->'accountId'));
		ELSE
			IF pl_text(identity->'type') IS NULL AND pl_text(identity->'invokedBy') IS NOT NULL THEN
				e.kind := 'service';
				e.who := pl_text(identity->'invokedBy');
			ELSE
				e.kind := 'unknown';
				e.who := coalesce(arn, principal, pl_text(identity->'userName'), pl_text(identity->'accountId'));
			END IF;
	END CASE;
	IF e.who IS NULL THEN
		e.reason := 'no identity results from userIdentity';
	END IF;
	e.svc := regexp_replace(e.svc, '(.)\.amazonaws\.com$', '\1');
	e.fail := pl_text(event->'errorCode') IS NOT NULL;
	e.id := pl_text(event->'eventID');
	RETURN e;
END $$;

CREATE FUNCTION pl_read_gcp(event jsonb) RETURNS pl_event LANGUAGE plpgsql STABLE AS $$
DECLARE
	e pl_event;
	payload jsonb := event->'protoPayload';
	email text := pl_text(payload->'authenticationInfo'->'principalEmail');
BEGIN
	e.provider := 'gcp';
	e.svc := pl_text(payload->'serviceName');
	e.op := pl_text(payload->'methodName');
	e.at := pl_time(pl_text(event->'timestamp'));
	e.acc := coalesce(pl_text(event->'resource'->'labels'->'project_id'), nullif(split_part(pl_text(event->'logName'), '/', 2), ''));
	e.who := coalesce(email, pl_text(payload->'authenticationInfo'->'principalSubject'), 'anonymous');
	e.reason := CASE WHEN e.svc IS NULL THEN 'protoPayload.serviceName is missing' WHEN e.op IS NULL THEN 'protoPayload.methodName is missing'
		WHEN e.at IS NULL THEN 'timestamp is missing or not a time in RFC 3339' WHEN e.acc IS NULL THEN 'no account' END;
	e.kind := CASE WHEN e.who LIKE 'system:serviceaccount:%' THEN 'service_account' WHEN e.who LIKE 'system:%' THEN 'service'
		WHEN email ~ '^service-\d+@|@cloudservices\.gserviceaccount\.com$|@system\.gserviceaccount\.com$|@gcp-sa-[^@]*\.iam\.gserviceaccount\.com$'
			THEN 'service'
		WHEN e.who LIKE '%.gserviceaccount.com' THEN 'service_account' WHEN e.who LIKE '%workloadIdentityPools%' THEN 'workload'
		WHEN e.who LIKE 'principal://%' THEN 'federated_user' WHEN e.who = 'anonymous' THEN 'anonymous' ELSE 'user' END;
	e.fail := jsonb_typeof(payload->'status'->'code') = 'number' AND (payload->'status'->>'code')::numeric <> 0;
	e.fail := coalesce(e.fail, false);
	e.id := pl_text(event->'insertId');
	RETURN e;
END $$;

CREATE FUNCTION pl_read(event jsonb) RETURNS pl_event LANGUAGE plpgsql STABLE AS $$
DECLARE
	e pl_event;
BEGIN
	IF jsonb_typeof(event) IS DISTINCT FROM 'object' THEN
		e.reason := 'not a JSON object';
	ELSIF jsonb_typeof(event->'protoPayload') = 'object' THEN
		e := pl_read_gcp(event);
	ELSE
		e := pl_read_aws(event);
	END IF;
	IF e.reason IS NULL AND e.at > clock_timestamp() + interval '1 day' THEN
		e.reason := 'the event time is more than one day ahead of the clock';
	END IF;
	RETURN e;
END $$;

-- Of an identity that became active on a day: the second and third that it ever was.
CREATE FUNCTION pl_new_day(acc text, who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	days date[] := ARRAY(SELECT a.day FROM pl_activity a WHERE a.account = acc AND a.identity = who ORDER BY a.day LIMIT 3);
BEGIN
	INSERT INTO pl_identities VALUES (acc, who, days[2], days[3])
	ON CONFLICT (account, identity) DO UPDATE SET second = EXCLUDED.second, third = EXCLUDED.third;
END $$;

-- An IAM operation, once the day is known as one of activity.  Days of peers count
-- from the third on, and for a newcomer all of them.
CREATE FUNCTION pl_judge(e pl_event, event jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	d date := (e.at AT TIME ZONE 'UTC')::date;
	is_person boolean := pl_is_person(e.kind);
	alert bigint;
	k int; a int; kk bigint; nn bigint; p float8; since timestamptz; newcomer boolean;
BEGIN
	SELECT x.alert_id INTO alert FROM pl_alerts x WHERE x.identity = e.who AND x.service = e.svc AND x.operation = e.op
		AND x.failed = e.fail AND x.first_event_time > e.at - interval '5 days' AND x.first_event_time < e.at + interval '5 days'
		AND x.account = e.acc;
	IF FOUND THEN
		UPDATE pl_alerts x SET event_count = event_count + 1, last_event_time = greatest(last_event_time, e.at),
			event_ids = event_ids || e.id
		WHERE x.alert_id = alert AND NOT e.id = ANY (event_ids);
	ELSE
		SELECT x.first INTO since FROM pl_accounts x WHERE x.account = e.acc AND x.provider = e.provider;
		IF e.at >= since + interval '14 days' THEN
			SELECT count(*) INTO k FROM pl_behaviour b WHERE b.account = e.acc AND b.identity = e.who AND b.service = e.svc
				AND b.operation = e.op AND b.failed = e.fail AND b.day BETWEEN d - 30 AND d - 1;
			SELECT count(*) INTO a FROM pl_activity b WHERE b.account = e.acc AND b.identity = e.who AND b.day BETWEEN d - 30 AND d - 1;
			IF k / (a + 2.0) < 0.02 THEN
				SELECT i.second < d IS NOT TRUE INTO newcomer FROM pl_identities i WHERE i.account = e.acc AND i.identity = e.who;
				SELECT count(*) INTO kk FROM pl_behaviour b JOIN pl_identities i USING (account, identity)
				WHERE b.account = e.acc AND b.service = e.svc AND b.operation = e.op AND b.failed = e.fail
					AND b.day BETWEEN d - 30 AND d - 1 AND b.identity <> e.who AND b.person = is_person AND (newcomer OR b.day >= i.third);
				SELECT count(*) INTO nn FROM pl_activity b JOIN pl_identities i USING (account, identity)
				WHERE b.account = e.acc AND b.day BETWEEN d - 30 AND d - 1
					AND b.identity <> e.who AND b.person = is_person AND (newcomer OR b.day >= i.third);
				p := (k + 2 * (kk + 0.1) / (nn + 10)) / (a + 2);
				IF p < 0.02 THEN
					INSERT INTO pl_alerts (account, identity, service, operation, failed, first_event_time, last_event_time,
						event_count, event_ids, probability, severity, evidence)
					VALUES (e.acc, e.who, e.svc, e.op, e.fail, e.at, e.at, 1, ARRAY[e.id], p,
						CASE WHEN is_person THEN 'informational' ELSE 'low' END,
						jsonb_build_object('k', k, 'active', a, 'peer_days', kk, 'peer_active', nn,
							'source_address', event->'sourceIPAddress', 'user_agent', event->'userAgent'));
				END IF;
			END IF;
		END IF;
	END IF;
	INSERT INTO pl_behaviour VALUES (e.acc, e.who, is_person, e.svc, e.op, e.fail, d) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION pl_observe() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	e pl_event := pl_read(NEW.event);
	d date := (e.at AT TIME ZONE 'UTC')::date;
	account pl_accounts;
BEGIN
	IF e.reason IS NOT NULL THEN
		INSERT INTO pl_rejected VALUES (e.reason, NEW.event);
		RETURN NULL;
	END IF;
	SELECT * INTO account FROM pl_accounts x WHERE x.account = e.acc AND x.provider = e.provider;
	IF account.newest - 195 > d THEN
		UPDATE pl_accounts x SET late = late + 1 WHERE x.account = e.acc AND x.provider = e.provider;
		RETURN NULL;
	ELSIF account.account IS NULL OR e.at < account.first OR d > account.newest THEN
		INSERT INTO pl_accounts VALUES (e.acc, e.provider, e.at, d, 0) ON CONFLICT ON CONSTRAINT pl_accounts_pkey DO UPDATE
		SET first = least(EXCLUDED.first, pl_accounts.first), newest = greatest(EXCLUDED.newest, pl_accounts.newest);
	END IF;
	INSERT INTO pl_activity VALUES (e.acc, e.who, pl_is_person(e.kind), d)
	ON CONFLICT DO NOTHING;
	IF FOUND THEN
		PERFORM pl_new_day(e.acc, e.who);
	END IF;
	IF EXISTS (SELECT FROM pl_operations o WHERE o.provider = e.provider AND o.service = e.svc AND o.operation = e.op) THEN
		PERFORM pl_judge(e, NEW.event);
	END IF;
	RETURN NULL;
END $$;

CREATE FUNCTION pl_observe_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	operations pl_event[];
	documents jsonb[];
	active text[];
BEGIN
	WITH read AS MATERIALIZED (
		SELECT s.event, (e).*, ((e).at AT TIME ZONE 'UTC')::date AS d FROM (SELECT event, pl_read(event) AS e FROM stored OFFSET 0) AS s
	), rejected AS (
		INSERT INTO pl_rejected SELECT reason, event FROM read WHERE reason IS NOT NULL
	), e AS MATERIALIZED (
		SELECT r.*, x.newest - 195 > r.d IS TRUE AS late FROM read r
		LEFT JOIN pl_accounts x ON x.account = r.acc AND x.provider = r.provider WHERE r.reason IS NULL
	), accounts AS (
		INSERT INTO pl_accounts SELECT acc, provider, min(at) FILTER (WHERE NOT late), max(d), count(*) FILTER (WHERE late) FROM e
		GROUP BY acc, provider
		ON CONFLICT ON CONSTRAINT pl_accounts_pkey DO UPDATE SET first = least(EXCLUDED.first, pl_accounts.first),
			newest = greatest(EXCLUDED.newest, pl_accounts.newest), late = pl_accounts.late + EXCLUDED.late
	), activity AS (
		INSERT INTO pl_activity
		SELECT DISTINCT acc, who, pl_is_person(kind), d FROM e WHERE NOT late
		ON CONFLICT DO NOTHING
		RETURNING account, identity
	)
	SELECT array_agg(ROW(reason, e.provider, acc, who, kind, svc, op, fail, at, id)::pl_event ORDER BY at, id),
		array_agg(event ORDER BY at, id), (SELECT array_agg(DISTINCT ARRAY[account, identity]) FROM activity)
	INTO operations, documents, active
	FROM e JOIN pl_operations AS x ON x.provider = e.provider AND x.service = svc AND x.operation = op WHERE NOT late;
	FOR i IN 1..coalesce(array_length(active, 1), 0) LOOP
		PERFORM pl_new_day(active[i][1], active[i][2]);
	END LOOP;
	FOR i IN 1..coalesce(cardinality(operations), 0) LOOP
		PERFORM pl_judge(operations[i], documents[i]);
	END LOOP;
	RETURN NULL;
END $$;
