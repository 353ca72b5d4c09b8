-- Why an alert: in words and numbers, and as JSON.  With the caller's rights:
-- whoever may not read a source is told so instead of its events.

-- Names of those that the catalogue uses and of what users are likely to add.
CREATE FUNCTION iamwatch_internal.attack_name(id text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE id
	WHEN 'TA0001' THEN 'Initial Access' WHEN 'TA0002' THEN 'Execution' WHEN 'TA0003' THEN 'Persistence'
	WHEN 'TA0004' THEN 'Privilege Escalation' WHEN 'TA0005' THEN 'Defense Evasion'
	WHEN 'TA0006' THEN 'Credential Access' WHEN 'TA0007' THEN 'Discovery' WHEN 'TA0008' THEN 'Lateral Movement'
	WHEN 'TA0009' THEN 'Collection' WHEN 'TA0010' THEN 'Exfiltration' WHEN 'TA0040' THEN 'Impact'
	WHEN 'T1078' THEN 'Valid Accounts' WHEN 'T1078.004' THEN 'Valid Accounts: Cloud Accounts'
	WHEN 'T1098' THEN 'Account Manipulation'
	WHEN 'T1098.001' THEN 'Account Manipulation: Additional Cloud Credentials'
	WHEN 'T1098.003' THEN 'Account Manipulation: Additional Cloud Roles'
	WHEN 'T1098.002' THEN 'Account Manipulation: Additional Email Delegate Permissions'
	WHEN 'T1098.004' THEN 'Account Manipulation: SSH Authorized Keys'
	WHEN 'T1098.006' THEN 'Account Manipulation: Additional Container Cluster Roles'
	WHEN 'T1098.007' THEN 'Account Manipulation: Additional Local or Domain Groups'
	WHEN 'T1098.005' THEN 'Account Manipulation: Device Registration'
	WHEN 'T1114.003' THEN 'Email Collection: Email Forwarding Rule'
	WHEN 'T1136' THEN 'Create Account' WHEN 'T1136.003' THEN 'Create Account: Cloud Account'
	WHEN 'T1199' THEN 'Trusted Relationship'
	WHEN 'T1484' THEN 'Domain or Tenant Policy Modification'
	WHEN 'T1484.002' THEN 'Domain or Tenant Policy Modification: Trust Modification'
	WHEN 'T1528' THEN 'Steal Application Access Token'
	WHEN 'T1531' THEN 'Account Access Removal'
	WHEN 'T1550' THEN 'Use Alternate Authentication Material'
	WHEN 'T1550.001' THEN 'Use Alternate Authentication Material: Application Access Token'
	WHEN 'T1556' THEN 'Modify Authentication Process'
	WHEN 'T1556.006' THEN 'Modify Authentication Process: Multi-Factor Authentication'
	WHEN 'T1556.007' THEN 'Modify Authentication Process: Hybrid Identity'
	WHEN 'T1556.009' THEN 'Modify Authentication Process: Conditional Access Policies'
	WHEN 'T1562.001' THEN 'Impair Defenses: Disable or Modify Tools'
	WHEN 'T1562.008' THEN 'Impair Defenses: Disable or Modify Cloud Logs'
	END;
COMMENT ON FUNCTION iamwatch_internal.attack_name(text) IS
'the name of an ATT&CK tactic or technique, null if it is none of those that the catalogue uses';

CREATE FUNCTION iamwatch_internal.plain(value text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN regexp_replace(CASE WHEN length(value) > 300 THEN left(value, 297) || '...' ELSE value END,
		E'[[:cntrl:]\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]', '?', 'g');
COMMENT ON FUNCTION iamwatch_internal.plain(text) IS
'a name from a log, fit for one line of a report: no control characters, nor those that turn the direction of writing, at most 300 characters';

-- ---- the events ----

-- One source.
CREATE FUNCTION iamwatch_internal.raw_events_of(source regclass, event_column name, provider text, identity text,
	operation text, event_ids text[], most integer, OUT events jsonb[], OUT problem text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	detail text;
BEGIN
	-- what was delivered twice is shown once
	SELECT array_agg(f.document ORDER BY f.at, f.document) INTO events
	FROM (SELECT DISTINCT r.document, (iamwatch.parse(r.document)).event_time AS at
		FROM iamwatch_internal.read_by_id(source, event_column, provider, event_ids) AS r
		WHERE (iamwatch.parse(r.document)).identity = raw_events_of.identity
		AND (iamwatch.parse(r.document)).operation = raw_events_of.operation
		ORDER BY at, r.document LIMIT most) AS f;
EXCEPTION
	-- whatever is wrong with somebody's table is no reason to explain nothing
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		events := NULL;
		problem := concat_ws(': ', SQLERRM, nullif(detail, ''));
END $$;
COMMENT ON FUNCTION iamwatch_internal.raw_events_of(regclass, name, text, text, text, text[], integer) IS
'documents of a source by their event ids, or why there are none';

CREATE FUNCTION iamwatch_internal.readable_sources() RETURNS TABLE (source regclass, event_column name, problem text)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT w.source, w.event_column, CASE
		WHEN NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = w.source) THEN 'the relation is gone'
		WHEN NOT has_table_privilege(w.source, 'SELECT') AND NOT coalesce((SELECT
			has_column_privilege(w.source, c.attnum, 'SELECT') FROM pg_attribute AS c
			WHERE c.attrelid = w.source AND c.attname = w.event_column AND NOT c.attisdropped), false)
		THEN format('%s may not read it', current_user) END
	FROM (SELECT s.source, iamwatch_internal.event_column_of(s.source) AS event_column FROM iamwatch.sources AS s) AS w
	ORDER BY w.source::text COLLATE "C"
$$;
COMMENT ON FUNCTION iamwatch_internal.readable_sources() IS
'the watched sources, and why the caller cannot read one; null if they may';

CREATE FUNCTION iamwatch.raw_events(alert_id bigint, most integer DEFAULT 10)
	RETURNS TABLE (source text, event jsonb, problem text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	a record;
	ids text[];
	s record;
	got record;
	left_over integer := LEAST(GREATEST(most, 0), 1000);
BEGIN
	SELECT r.provider, r.identity, r.operation INTO a FROM iamwatch_internal.all_alerts AS r WHERE r.alert_id = raw_events.alert_id;
	IF NOT FOUND THEN
		PERFORM iamwatch_internal.no_alert(alert_id);
	END IF;
	ids := ARRAY(SELECT x.event_id FROM iamwatch.alert_events AS x
		WHERE x.alert_id = raw_events.alert_id AND x.event_id IS NOT NULL
		ORDER BY x.event_time, x.event_id COLLATE "C" LIMIT left_over);
	FOR s IN SELECT * FROM iamwatch_internal.readable_sources() LOOP
		EXIT WHEN ids = '{}' OR left_over = 0;
		source := s.source::text;
		event := NULL;
		problem := s.problem;
		IF problem IS NULL THEN
			got := iamwatch_internal.raw_events_of(s.source, s.event_column, a.provider, a.identity, a.operation, ids, left_over);
			problem := got.problem;
			FOREACH event IN ARRAY coalesce(got.events, '{}') LOOP
				RETURN NEXT;
				left_over := left_over - 1;
			END LOOP;
			event := NULL;
		END IF;
		IF problem IS NOT NULL THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch.raw_events(bigint, integer) IS
'the documents of an alert''s events as the watched sources have them, the first so many (at most 1000), and of each source that could not be searched, why. An index on (event->>''eventID''), for GCP (event->>''insertId''), makes it fast. P0002 if there is no such alert';

-- ---- the parts ----

CREATE FUNCTION iamwatch_internal.explain_score(evidence jsonb, probability double precision, surprise double precision,
	probability_limit double precision) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k constant integer := evidence->'k';
	active constant integer := evidence->'A';
	peer_days constant bigint := evidence->'K';
	peer_active constant bigint := evidence->'N';
	rate constant float8 := iamwatch_internal.peer_rate(peer_days, peer_active);
	counted constant float8 := iamwatch.probability(k, active, peer_days, peer_active);
	bits constant numeric := round(log(2, (counted / probability)::numeric), 2);	-- what context adds to the surprise
BEGIN
	RETURN jsonb_build_object('k', k, 'A', active, 'K', peer_days, 'N', peer_active,
		'peer_rate', rate, 'probability', probability, 'probability_limit', probability_limit,
		'surprise', surprise, 'steps', jsonb_build_array(
			format('q = (K + 10 * 0.01) / (N + 10) = (%s + 0.1) / (%s + 10) = %s',
				peer_days, peer_active, rate::numeric(12, 6)),
			format('p = (k + 2 q) / (A + 2) = (%s + 2 * %s) / (%s + 2) = %s',
				k, rate::numeric(12, 6), active, counted::numeric(12, 6)))
			|| CASE WHEN bits > 0 THEN jsonb_build_array(format('with %s bits for its context: p = %s / 2 ^ %s = %s',
				bits, counted::numeric(12, 6), bits, probability::numeric(12, 6))) ELSE '[]' END
			|| jsonb_build_array(format('p = %s %s the limit %s', probability::numeric(12, 6),
				CASE WHEN probability < probability_limit THEN 'is below' ELSE 'is not below' END, probability_limit),
			format('surprise = -log2(p) = %s bits', surprise::numeric(12, 2))));
END $$;
COMMENT ON FUNCTION iamwatch_internal.explain_score(jsonb, double precision, double precision, double precision) IS
'how the probability of an alert follows from its evidence, step by step';

CREATE FUNCTION iamwatch_internal.explain_risk(evidence jsonb, sensitivity integer, risk double precision) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k constant integer := evidence#>'{risk,k}';
	active constant integer := evidence#>'{risk,A}';
	iam_days constant integer := evidence#>'{risk,B}';
	peer_days constant bigint := evidence#>'{risk,K}';
	peer_active constant bigint := evidence#>'{risk,N}';
	peer_iam_days constant bigint := evidence#>'{risk,P}';
	bits float8;
	s record;
BEGIN
	IF k IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO s FROM iamwatch_internal.risk_steps(k, active, iam_days, peer_days, peer_active, peer_iam_days);
	bits := iamwatch.risk(k, active, iam_days, peer_days, peer_active, peer_iam_days, sensitivity);
	RETURN evidence->'risk' || jsonb_build_object(
		'memory_days', evidence->'memory_days', 'peer_memory_days', evidence->'peer_memory_days',
		'peer_iam_rate', s.peer_iam_rate, 'iam_rate', s.iam_rate, 'share', s.share, 'rate', s.rate,
		'sensitivity', sensitivity, 'risk', risk, 'steps', jsonb_build_array(
			format('r = (P + 0.1) / (N + 10) = (%s + 0.1) / (%s + 10) = %s',
				peer_iam_days, peer_active, s.peer_iam_rate::numeric(12, 6)),
			format('pi = (B + 2 r) / (A + 2) = (%s + 2 * %s) / (%s + 2) = %s',
				iam_days, s.peer_iam_rate::numeric(12, 6), active, s.iam_rate::numeric(12, 6)),
			format('phi = (K + 1) / (P + 20) = (%s + 1) / (%s + 20) = %s',
				peer_days, peer_iam_days, s.share::numeric(12, 6)),
			format('rho = (k + 2 pi phi) / (A + 2) = (%s + 2 * %s * %s) / (%s + 2) = %s', k, s.iam_rate::numeric(12, 6),
				s.share::numeric(12, 6), active, s.rate::numeric(14, 8)),
			format('risk = -log2(rho) + 2 * sensitivity = %s + 2 * %s = %s bits', (bits - 2 * sensitivity)::numeric(12, 2),
				sensitivity, bits::numeric(12, 2)))
			|| CASE WHEN risk - bits > 0.000001 THEN jsonb_build_array(format('with %s bits for its context: %s bits',
				(risk - bits)::numeric(12, 2), risk::numeric(12, 2))) ELSE '[]' END);
END $$;
COMMENT ON FUNCTION iamwatch_internal.explain_risk(jsonb, integer, double precision) IS
'how the risk of an alert follows from its evidence, step by step; null if that has no counts of it';

CREATE FUNCTION iamwatch_internal.explain_identity(provider text, account text, identity text, day date, training_days integer)
	RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	known record;
	operations jsonb;
	n bigint;
BEGIN
	SELECT i.first_seen, i.last_seen, count_days(i.days) AS days INTO known
	FROM iamwatch.identities AS i
	WHERE i.provider = $1 AND i.account = $2 AND i.identity = $3;
	SELECT count(*), jsonb_agg(o.o ORDER BY o.rank) FILTER (WHERE o.rank <= 20) INTO n, operations
	FROM (
		SELECT jsonb_build_object('service', b.service, 'operation', b.operation, 'failed', b.failed,
			'days', count_days(b.days), 'days_before', count_days(b.days, day - training_days, day - 1),
			'first_seen', b.first_seen, 'last_seen', b.last_seen) AS o,
			row_number() OVER (ORDER BY count_days(b.days, day - training_days, day - 1) DESC,
				count_days(b.days) DESC, b.service, b.operation, b.failed) AS rank
		FROM iamwatch.baselines AS b
		WHERE b.provider = $1 AND b.account = $2 AND b.identity = $3) AS o;
	RETURN jsonb_build_object('first_seen', known.first_seen, 'last_seen', known.last_seen,
		'days', known.days, 'training_days', training_days,
		'operations', coalesce(operations, '[]'), 'operations_in_all', n);
END $$;
COMMENT ON FUNCTION iamwatch_internal.explain_identity(text, text, text, date, integer) IS
'what an identity normally does, as the baselines have it now: its IAM operations, up to twenty, with days in the kept history and in the training period before the day';

-- What is strange around the event, a sentence each.
CREATE FUNCTION iamwatch_internal.context_words(context jsonb) RETURNS SETOF text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE BEGIN ATOMIC
	SELECT format(w.words, iamwatch_internal.plain(context->>w.kind))
	FROM (VALUES (1, 'new_network', 'from network %s, which it was not seen in during the training period'),
		(2, 'new_user_agent', 'with program %s, which it was not seen to use'),
		(3, 'new_region', 'in region %s, which it was not seen in'),
		(4, 'new_key_network', 'access key and network %s were not seen together, but the key was seen elsewhere'),
		(5, 'failed_before', 'the same operation failed for it before, at %s'),
		(6, 'burst', '%s different operations that were new to it within one hour'),
		(7, 'first_day', 'it was not active at all during the training period')) AS w (n, kind, words)
	WHERE context ? w.kind
	ORDER BY w.n;
END;
COMMENT ON FUNCTION iamwatch_internal.context_words(jsonb) IS 'what iamwatch_internal.context_of() found, in words';

-- ---- what it led to, and what lies near ----

CREATE FUNCTION iamwatch_internal.all_rights(granted jsonb) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce((SELECT bool_or(g ~ '(^|[/: ])(AdministratorAccess|Owner|Global Administrator|Company Administrator)$|[[:<:]]roles/owner[[:>:]]')
		FROM jsonb_array_elements_text(CASE jsonb_typeof(granted) WHEN 'array' THEN granted ELSE '[]' END) AS g), false);
COMMENT ON FUNCTION iamwatch_internal.all_rights(jsonb) IS
'whether one of what was granted is the role or policy of its provider that allows everything';

-- In every account: a role is used where it is let in, a key wherever its user is.
CREATE FUNCTION iamwatch_internal.later_users(alert iamwatch_internal.all_alerts, OUT identity text, OUT target text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	targets constant text[] := ARRAY(SELECT t FROM jsonb_array_elements_text(alert.evidence->'targets') AS t ORDER BY t COLLATE "C");
	keys constant text[] := ARRAY(SELECT k FROM jsonb_array_elements_text((alert.evidence->'targets')
		|| coalesce(alert.evidence->'granted', '[]')) AS k WHERE k ~ '^AKIA[A-Z0-9]{12,}$');
	key text;
	found text[] := ARRAY[alert.identity];
BEGIN
	FOREACH target IN ARRAY targets LOOP
		FOR identity IN SELECT * FROM iamwatch_internal.identities_acting_as(alert.provider,
			iamwatch_internal.handed(alert.provider, alert.account, alert.operation, target))
		LOOP
			CONTINUE WHEN identity = ANY (found);
			found := array_append(found, identity);
			RETURN NEXT;
		END LOOP;
	END LOOP;
	target := keys[1];
	FOREACH key IN ARRAY keys LOOP
		FOR identity IN SELECT DISTINCT w.identity FROM iamwatch_internal.identities_with_keys(alert.provider, ARRAY[key]) AS w LOOP
			CONTINUE WHEN identity = ANY (found);
			found := array_append(found, identity);
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.later_users(iamwatch_internal.all_alerts) IS
'other identities that are a target of the alert, by name, or use an access key that is one, and which target that is';

CREATE FUNCTION iamwatch_internal.later_use(alert iamwatch_internal.all_alerts) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	day constant date := (alert.first_event_time AT TIME ZONE 'UTC')::date;
	users record;
	used jsonb := '[]';
BEGIN
	IF alert.failed THEN
		RETURN '[]';
	END IF;
	FOR users IN SELECT u.identity, u.target FROM iamwatch_internal.later_users(alert) AS u ORDER BY u.identity COLLATE "C" LOOP
		used := used || (
			SELECT coalesce(jsonb_agg(jsonb_build_object('target', users.target, 'account', w.account, 'identity', w.identity,
				'name', iamwatch.short_name(w.identity), 'kind', w.kind,
				'known_before', w.first_seen < day, 'first_seen', w.first_seen, 'last_seen', w.last_seen,
				'days', iamwatch.count_days(w.days, day, w.last_seen),
				'operations', (SELECT coalesce(jsonb_agg(jsonb_build_object('service', b.service, 'operation', b.operation,
						'failed', b.failed, 'days', iamwatch.count_days(b.days, day, b.last_seen)) ORDER BY b.first_seen, b.service, b.operation, b.failed), '[]')
					FROM iamwatch.baselines AS b WHERE b.provider = alert.provider AND b.account = w.account
					AND b.identity = users.identity AND b.last_seen >= day),
				'networks', (SELECT coalesce(jsonb_agg(c.value ORDER BY c.value), '[]')
					FROM iamwatch.contexts AS c WHERE c.provider = alert.provider AND c.account = w.account
					AND c.identity = users.identity AND c.kind = 'network' AND iamwatch.last_day(c.days) >= day),
				'alerts', (SELECT coalesce(jsonb_agg(x.alert_id ORDER BY x.alert_id), '[]')
					FROM iamwatch.alerts AS x WHERE hashtextextended(x.identity, 0) = hashtextextended(users.identity, 0)
					AND x.identity = users.identity AND x.account = w.account AND x.provider = alert.provider
					AND x.last_event_time >= alert.first_event_time)) ORDER BY w.account COLLATE "C"), '[]')
			FROM iamwatch.identities AS w
			WHERE w.provider = alert.provider AND w.identity = users.identity AND w.last_seen >= day);
	END LOOP;
	RETURN used;
END $$;
COMMENT ON FUNCTION iamwatch_internal.later_use(iamwatch_internal.all_alerts) IS
'the targets of an alert that act themselves, since the day of its first event, in any account: what they did, from which networks, and their alerts';

-- What each alert shares is found out of those only of which a plain look at its
-- evidence, or the holders of the same keys, say that there is something.
CREATE FUNCTION iamwatch_internal.related_alerts(alert iamwatch_internal.all_alerts) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET jit = off AS $$
DECLARE
	period constant interval := iamwatch_internal.incident_gap(alert.detector);
	day constant date := (alert.first_event_time AT TIME ZONE 'UTC')::date;
	addresses constant text[] := ARRAY(SELECT jsonb_array_elements_text(alert.evidence->'source_addresses'));
	targets constant text[] := ARRAY(SELECT jsonb_array_elements_text(alert.evidence->'targets'));
	-- part of each target that this identity can be
	called constant text := lower(regexp_replace(iamwatch_internal.actor(alert.provider, alert.identity), '^.*:', ''));
	keys constant text[] := ARRAY(SELECT DISTINCT split_part(c.value, ' ', 1) FROM iamwatch.contexts AS c
		WHERE c.provider = alert.provider AND c.account = alert.account AND c.identity = alert.identity
		AND c.kind = 'access_key' AND c.days @> day);
	holders constant text[] := ARRAY(SELECT DISTINCT h.identity FROM iamwatch_internal.identities_with_keys(alert.provider, keys) AS h
		WHERE keys <> '{}' AND h.identity <> alert.identity);
BEGIN
	RETURN (
		WITH near AS MATERIALIZED (
			SELECT b.* FROM iamwatch.alerts AS b
			WHERE b.first_event_time > alert.first_event_time - period AND b.first_event_time < alert.first_event_time + period
			AND (b.provider, b.identity) <> (alert.provider, alert.identity)
			AND (b.evidence->'source_addresses' ?| addresses OR b.evidence->'targets' ?| (targets || keys) OR b.identity = ANY (holders)
				OR strpos(lower(b.evidence->>'targets'), called) > 0)
		), shared AS (
			SELECT n.alert_id, 'address ' || x AS what FROM near AS n
			CROSS JOIN jsonb_array_elements_text(n.evidence->'source_addresses') AS x WHERE x = ANY (addresses)
			UNION ALL
			SELECT n.alert_id, 'target ' || x FROM near AS n CROSS JOIN jsonb_array_elements_text(n.evidence->'targets') AS x
			WHERE x = ANY (targets) AND n.account = alert.account AND n.provider = alert.provider
			UNION ALL
			SELECT n.alert_id, 'key ' || x FROM near AS n CROSS JOIN jsonb_array_elements_text(n.evidence->'targets') AS x WHERE x = ANY (keys)
			UNION ALL
			SELECT n.alert_id, 'key ' || h.key FROM near AS n
			JOIN iamwatch_internal.identities_with_keys(alert.provider, keys) AS h ON (h.account, h.identity) = (n.account, n.identity)
			WHERE holders <> '{}' AND n.provider = alert.provider
			UNION ALL
			SELECT n.alert_id, 'it is about this identity' FROM near AS n CROSS JOIN jsonb_array_elements_text(n.evidence->'targets') AS x
			WHERE n.provider = alert.provider
			AND iamwatch_internal.handed(n.provider, n.account, n.operation, x) = iamwatch_internal.actor(alert.provider, alert.identity)
		), ranked AS (
			SELECT n.*, s.shares, row_number() OVER (ORDER BY n.risk DESC NULLS LAST, n.alert_id) AS n
			FROM near AS n
			JOIN (SELECT w.alert_id, jsonb_agg(w.what ORDER BY w.what) AS shares FROM shared AS w GROUP BY w.alert_id) AS s USING (alert_id)
		)
		SELECT jsonb_build_object('found', count(*), 'alerts', coalesce(jsonb_agg(jsonb_build_object('alert_id', r.alert_id,
			'identity', r.identity, 'name', iamwatch.short_name(r.identity), 'account', r.account, 'operation', r.service || ':' || r.operation,
			'failed', r.failed, 'first_event_time', r.first_event_time, 'risk', r.risk, 'shares', r.shares) ORDER BY r.n)
			FILTER (WHERE r.n <= 20), '[]'))
		FROM ranked AS r);
END $$;
COMMENT ON FUNCTION iamwatch_internal.related_alerts(iamwatch_internal.all_alerts) IS
'alerts of other identities within the deduplication period that share an address, a target or an access key, or are about the identity itself: how many, and the twenty of the highest risk';

-- ---- the whole ----

CREATE FUNCTION iamwatch.explain_json(alert_id bigint) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET extra_float_digits = 1 AS $$
#variable_conflict use_variable
DECLARE
	a iamwatch_internal.all_alerts;
	suppression bigint;
	settings iamwatch.detectors;
	effect text;
	training integer;
	raw jsonb;
	sessions jsonb;
BEGIN
	SELECT x.* INTO a FROM iamwatch_internal.all_alerts AS x WHERE x.alert_id = explain_json.alert_id;
	IF NOT FOUND THEN
		PERFORM iamwatch_internal.no_alert(alert_id);
	END IF;
	SELECT s.suppression_id INTO suppression FROM iamwatch_internal.suppressed_alerts AS s WHERE s.alert_id = explain_json.alert_id;
	SELECT d.* INTO settings FROM iamwatch.detectors AS d WHERE d.detector = a.detector;
	effect := (iamwatch.find_operation(a.provider, a.service, a.operation)).effect;
	training := coalesce((a.evidence->>'training_days')::integer, settings.training_days, 30);

	SELECT jsonb_build_object(
		'found', coalesce(jsonb_agg(jsonb_build_object('source', r.source, 'event',
				CASE WHEN length(r.event::text) <= 100000 THEN r.event
				ELSE to_jsonb('too large to be shown: ' || length(r.event::text) || ' characters') END))
			FILTER (WHERE r.event IS NOT NULL), '[]'),
		'problems', coalesce(jsonb_agg(jsonb_build_object('source', r.source, 'problem', r.problem))
			FILTER (WHERE r.problem IS NOT NULL), '[]'))
	INTO raw FROM iamwatch.raw_events(alert_id) AS r;
	SELECT jsonb_agg(DISTINCT s.session) INTO sessions
	FROM jsonb_array_elements(raw->'found') AS f
	CROSS JOIN LATERAL (SELECT left(coalesce(f->'event'->'userIdentity'->>'arn',
		f->'event'->'userIdentity'->>'principalId',
		f->'event'->'protoPayload'->'authenticationInfo'->>'principalEmail'), 500) AS session) AS s
	WHERE s.session <> a.identity;

	RETURN jsonb_build_object('alert_id', a.alert_id, 'incident_id', a.incident_id, 'detector', a.detector, 'title', settings.title,
		'in_words', format('%s %s %s:%s %s', iamwatch.short_name(a.identity), CASE WHEN a.failed THEN 'tried' ELSE 'did' END,
			a.service, a.operation, iamwatch_internal.how_often((a.evidence->>'k')::bigint, (a.evidence->>'A')::bigint,
			(a.evidence->>'K')::bigint, (a.evidence->>'N')::bigint, training)),
		'suppression_id', suppression, 'severity', a.severity, 'variation', a.variation,
		'what', jsonb_build_object('service', a.service, 'operation', a.operation, 'failed', a.failed,
			'category', a.category, 'effect', effect, 'sensitivity', a.sensitivity,
			'targets', a.evidence->'targets', 'granted', a.evidence->'granted', 'all_rights', iamwatch_internal.all_rights(a.evidence->'granted'), 'events', a.event_count,
			'first_event_time', a.first_event_time, 'last_event_time', a.last_event_time),
		'who', jsonb_build_object('identity', a.identity, 'name', iamwatch.short_name(a.identity), 'kind', a.identity_kind,
			'provider', a.provider, 'account', a.account, 'sessions', coalesce(sessions, '[]'),
			'instances', a.evidence->'instances', 'acting_for', a.evidence->'acting_for'),
		'from', jsonb_build_object('source_addresses', a.evidence->'source_addresses',
			'source_hosts', a.evidence->'source_hosts', 'user_agents', a.evidence->'user_agents'),
		'context', coalesce(a.evidence->'context', '{}') || jsonb_build_object('words', ARRAY(
			SELECT iamwatch_internal.context_words(a.evidence->'context'))),
		'later_use', iamwatch_internal.later_use(a),
		'related', iamwatch_internal.related_alerts(a),
		-- the baselines may have dropped some of the days since
		'normal', iamwatch_internal.explain_identity(a.provider, a.account, a.identity,
			(a.first_event_time AT TIME ZONE 'UTC')::date, training)
			|| jsonb_build_object('days_before', a.evidence->'A'),
		'peers', jsonb_build_object('days', a.evidence->'K', 'active_days', a.evidence->'N',
			'identities', a.evidence->'peers'),
		'score', iamwatch_internal.explain_score(a.evidence, a.probability, a.surprise, settings.probability_limit),
		'risk', iamwatch_internal.explain_risk(a.evidence, a.sensitivity, a.risk),
		'attack', jsonb_build_object('tactic', a.tactic, 'tactic_name', iamwatch_internal.attack_name(a.tactic),
			'technique', a.technique, 'technique_name', iamwatch_internal.attack_name(a.technique),
			'goals', ARRAY(SELECT upper(left(g, 1)) || substr(g, 2) FROM regexp_split_to_table(rtrim(settings.goals, '.'), ';[[:space:]]+') AS g WHERE g <> '')),
		'playbook', jsonb_build_object('check', iamwatch_internal.steps_for(a, 'check'),
			'contain', iamwatch_internal.steps_for(a, 'contain')),
		'description', settings.description,
		'investigate', ARRAY(SELECT g FROM regexp_split_to_table(settings.investigative_actions, '(?<=[.])[[:space:]]+') AS g WHERE g <> ''),
		'evidence', a.evidence,
		'triage', jsonb_build_object(
			'status', CASE WHEN suppression IS NULL THEN a.status ELSE 'suppressed' END, 'resolution', a.resolution,
			'out_of_order', coalesce((a.evidence->'out_of_order')::boolean, false),
			'assignee', a.assignee, 'note', a.note, 'history', (SELECT coalesce(jsonb_agg(jsonb_build_object(
				'at', h.changed_at, 'by', h.changed_by, 'as', h.changed_as, 'from', h.old_values, 'to', h.new_values)
				ORDER BY h.history_id), '[]') FROM iamwatch.alert_history AS h WHERE h.alert_id = a.alert_id)),
		'events', raw);
END $$;
COMMENT ON FUNCTION iamwatch.explain_json(bigint) IS
'everything there is to say about an alert, suppressed or not; with the caller''s rights. Reads the watched sources for up to ten of its events. P0002 if there is no such alert';

CREATE FUNCTION iamwatch_internal.later_use_line(used jsonb, in_account text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
	SELECT format('  %s (%s)%s, %s: active on %s until %s; ', plain(used->>'name'), used->>'kind',
		CASE WHEN used->>'account' <> in_account THEN ' in account ' || plain(used->>'account') ELSE '' END,
		CASE WHEN (used->>'known_before')::boolean THEN 'known since ' ELSE 'new, first seen ' END || (used->>'first_seen'),
		number_of((used->>'days')::bigint, 'day'), used->>'last_seen')
		|| coalesce((SELECT string_agg(format('%s:%s%s', plain(o->>'service'), plain(o->>'operation'),
			CASE WHEN (o->>'failed')::boolean THEN ' (failed)' ELSE '' END), ', ' ORDER BY n)
			FROM jsonb_array_elements(used->'operations') WITH ORDINALITY AS t (o, n)), 'no IAM operation')
		|| coalesce('; from ' || plain_list(used->'networks', NULL), '')
		|| coalesce('; alerts ' || plain_list(used->'alerts', NULL), '')
$$;
COMMENT ON FUNCTION iamwatch_internal.later_use_line(jsonb, text) IS 'one of iamwatch_internal.later_use(), in a line, as told in an account';

-- The parts of what iamwatch.explain() says, each from a part of iamwatch.explain_json().

CREATE FUNCTION iamwatch_internal.normal_lines(normal jsonb, began timestamptz) RETURNS text[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	first_day constant date := began AT TIME ZONE 'UTC';
	lines text[];
	one jsonb;
	name text;
	earlier text[] := '{}';
	fresh text[] := '{}';
BEGIN
	lines := ARRAY['', 'What it normally does',
		format('  active on %s of the %s days before, first seen %s', coalesce(normal->>'days_before', '0'),
			normal->>'training_days', coalesce(normal->>'first_seen', 'not at all'))];
	FOR one IN SELECT * FROM jsonb_array_elements(normal->'operations') LOOP
		name := format('%s:%s%s', plain(one->>'service'), plain(one->>'operation'),
			CASE WHEN (one->>'failed')::boolean THEN ' (failed)' ELSE '' END);
		IF (one->>'days_before')::integer > 0 THEN
			lines := lines || format('  %s on %s, %s of them before, since %s', name, number_of((one->>'days')::bigint, 'day'),
				 one->>'days_before', one->>'first_seen');
		ELSIF (one->>'first_seen')::date < first_day THEN
			earlier := array_append(earlier, name);
		ELSE
			fresh := array_append(fresh, name);
		END IF;
	END LOOP;
	IF cardinality(earlier) + cardinality(fresh) = jsonb_array_length(normal->'operations') THEN
		lines := lines || '  no IAM operation in those days'::text;
	END IF;
	IF earlier <> '{}' THEN
		lines := lines || ('  not in those days, but earlier: ' || array_to_string(earlier, ', '));
	END IF;
	IF fresh <> '{}' THEN
		lines := lines || ('  new to it since then: ' || array_to_string(fresh, ', '));
	END IF;
	IF (normal->>'operations_in_all')::bigint > jsonb_array_length(normal->'operations') THEN
		lines := lines || format('  and %s other operations', (normal->>'operations_in_all')::bigint
			- jsonb_array_length(normal->'operations'));
	END IF;
	RETURN lines;
END $$;
COMMENT ON FUNCTION iamwatch_internal.normal_lines(jsonb, timestamptz) IS 'what the identity of an alert that began then normally does, in lines';

CREATE FUNCTION iamwatch_internal.playbook_lines(playbook jsonb) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT ARRAY(SELECT '  ' || (s->>'step') FROM jsonb_array_elements(playbook->'check') WITH ORDINALITY AS t (s, n) ORDER BY n)
		|| ARRAY['', 'If it was an attack']
		|| ARRAY(SELECT '  ' || (s->>'step') FROM jsonb_array_elements(playbook->'contain') WITH ORDINALITY AS t (s, n) ORDER BY n)
$$;
COMMENT ON FUNCTION iamwatch_internal.playbook_lines(jsonb) IS 'the steps to check, and those if it was an attack, in lines';

CREATE FUNCTION iamwatch_internal.proof_lines(score jsonb, risk jsonb, failed boolean) RETURNS text[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	lines text[] := ARRAY['', 'How unusual',
		format('  k = %s: days of the training period on which it did this', score->>'k'),
		format('  A = %s: days on which it did anything', score->>'A'),
		format('  K = %s: its peers'' days of doing this', score->>'K'),
		format('  N = %s: its peers'' active days', score->>'N'),
		'  the days of a peer count from its third active day on, unless the identity is new itself'];
BEGIN
	lines := lines || ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(score->'steps') AS s);

	IF risk <> 'null' THEN
		lines := lines || ARRAY['', 'How much it matters',
			format('  k = %s: days on which it did this%s, of the %s before', risk->>'k',
				CASE WHEN failed THEN ', failed or not' ELSE '' END, risk->>'memory_days'),
			format('  A = %s: days on which it did anything', risk->>'A'),
			format('  B = %s: days on which it did any IAM operation', risk->>'B'),
			format('  K = %s: its peers'' days of doing this, in the %s days before', risk->>'K', risk->>'peer_memory_days'),
			format('  N = %s: its peers'' active days', risk->>'N'),
			format('  P = %s: its peers'' days of any IAM operation', risk->>'P')];
		lines := lines || ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(risk->'steps') AS s);
	END IF;
	RETURN lines;
END $$;
COMMENT ON FUNCTION iamwatch_internal.proof_lines(jsonb, jsonb, boolean) IS
'the numbers that probability and risk of an alert follow from, and how, in lines; failed: whether what it did failed';

CREATE FUNCTION iamwatch.explain(alert_id bigint) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	x constant jsonb := iamwatch.explain_json(alert_id);
	what constant jsonb := x->'what';
	lines text[];
	one jsonb;
BEGIN
	lines := ARRAY[
		format('Alert %s: %s (%s, %s)', x->>'alert_id', coalesce(x->>'title', x->>'detector'), x->>'severity', x->>'variation'),
		'  ' || plain(x->>'in_words'),
		format('  risk %s bits, surprise %s bits', round((x#>>'{risk,risk}')::numeric, 1), round((x#>>'{score,surprise}')::numeric, 1))
			|| coalesce(', incident ' || (x->>'incident_id'), ''),
		CASE WHEN x->>'suppression_id' IS NOT NULL THEN format('  hidden by suppression %s', x->>'suppression_id') END,
		'', 'What',
		format('  %s:%s %s: %s of %s, sensitivity %s of 4', plain(what->>'service'), plain(what->>'operation'),
			CASE WHEN (what->>'failed')::boolean THEN 'FAILED' ELSE 'succeeded' END,
			what->>'effect', what->>'category', what->>'sensitivity'),
		format('  %s, %s to %s', number_of((what->>'events')::bigint, 'event'), what->>'first_event_time', what->>'last_event_time'),
		'  on ' || plain_list(what->'targets', 'a target that the log does not name'),
		'  granting ' || plain_list(what->'granted', NULL) || CASE WHEN (what->>'all_rights')::boolean THEN ': all rights' ELSE '' END,
		'', 'Who',
		format('  %s (%s) in %s account %s', plain(x#>>'{who,identity}'), x#>>'{who,kind}', x#>>'{who,provider}', plain(x#>>'{who,account}')),
		'  session: ' || plain_list(x#>'{who,sessions}', NULL),
		'  instance: ' || plain_list(x#>'{who,instances}', NULL),
		'  acting for: ' || plain_list(x#>'{who,acting_for}', NULL),
		'  from ' || plain_list(coalesce(nullif(x#>'{from,source_addresses}', '[]'), x#>'{from,source_hosts}'), 'no plain address'),
		'  with ' || plain_list(x#>'{from,user_agents}', 'no user agent'),
		'', 'What is strange around it'];
	lines := lines || coalesce(nullif(ARRAY(SELECT '  ' || w FROM jsonb_array_elements_text(x#>'{context,words}') AS w), '{}'),
		ARRAY['  nothing: network, program and region are known, nothing failed before']);

	IF NOT (what->>'failed')::boolean THEN
		lines := lines || ARRAY['', 'What its target did since'];
		FOR one IN SELECT * FROM jsonb_array_elements(x->'later_use') LOOP
			lines := lines || iamwatch_internal.later_use_line(one, x#>>'{who,account}');
		END LOOP;
		IF x->'later_use' = '[]' THEN
			lines := lines || format('  %s: nothing was seen of it', some_of(what->'targets', 'the target, which the log does not name'));
		END IF;
	END IF;

	IF (x#>>'{related,found}')::bigint > 0 THEN
		lines := lines || ARRAY['', format('Alerts of others near it (%s)', x#>>'{related,found}')]
			|| ARRAY(SELECT format('  alert %s: %s %s%s at %s, risk %s: the same %s', r->>'alert_id', plain(r->>'name'), plain(r->>'operation'),
				CASE WHEN (r->>'failed')::boolean THEN ' (failed)' ELSE '' END, r->>'first_event_time',
				round((r->>'risk')::numeric, 1), replace(plain_list(r->'shares', ''), 'it is about this identity', 'identity as its target'))
				FROM jsonb_array_elements(x#>'{related,alerts}') WITH ORDINALITY AS t (r, n) ORDER BY n);
	END IF;

	lines := lines || iamwatch_internal.normal_lines(x->'normal', (x#>>'{what,first_event_time}')::timestamptz);

	lines := lines || ARRAY['', 'Who else does it',
		format('  its peers, on %s of their %s active days', x#>>'{peers,days}', x#>>'{peers,active_days}')];
	FOR one IN SELECT * FROM jsonb_array_elements(coalesce(nullif(x#>'{peers,identities}', 'null'), '[]')) LOOP
		lines := lines || format('  %s on %s', plain(one->>'identity'), number_of((one->>'days')::bigint, 'day'));
	END LOOP;

	lines := lines || ARRAY['', 'What to do'] || ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(x->'investigate') AS s)
		|| iamwatch_internal.playbook_lines(x->'playbook');

	lines := lines || iamwatch_internal.proof_lines(x->'score', x->'risk', (what->>'failed')::boolean);

	lines := lines || ARRAY['', 'ATT&CK',
		format('  tactic %s %s', x#>>'{attack,tactic}', x#>>'{attack,tactic_name}'),
		format('  technique %s %s', x#>>'{attack,technique}', x#>>'{attack,technique_name}')];
	lines := lines || ARRAY(SELECT '  goal: ' || s FROM jsonb_array_elements_text(x#>'{attack,goals}') AS s);
	lines := lines || ARRAY['', 'Triage', format('  %s%s%s', x#>>'{triage,status}',
		coalesce(' as ' || (x#>>'{triage,resolution}'), ''), coalesce(', by ' || plain(x#>>'{triage,assignee}'), '')),
		CASE WHEN (x#>'{triage,out_of_order}')::boolean
			THEN '  would not have been raised in order of event time; it stays since somebody has worked on it' END,
		'  ' || plain(x#>>'{triage,note}')];
	lines := lines || ARRAY(SELECT format('  %s %s: %s', h->>'at', coalesce(h->>'as', h->>'by'), plain(h->>'to'))
		FROM jsonb_array_elements(x#>'{triage,history}') AS h);

	lines := lines || ARRAY['', format('Events (%s of %s)', jsonb_array_length(x#>'{events,found}'), what->>'events')];
	lines := lines || ARRAY(SELECT format('  %s: %s', e->>'source', left(e->>'event', 2000))
		FROM jsonb_array_elements(x#>'{events,found}') AS e);
	lines := lines || ARRAY(SELECT format('  %s: %s', e->>'source', plain(e->>'problem'))
		FROM jsonb_array_elements(x#>'{events,problems}') AS e);
	RETURN array_to_string(lines, E'\n');
END $$;
COMMENT ON FUNCTION iamwatch.explain(bigint) IS
'what was done, by whom, from where, how unusual it is and why, what to do about it, and its events: what iamwatch.explain_json() says, for reading. P0002 if there is no such alert';

CREATE FUNCTION iamwatch_internal.plain_list(texts jsonb, otherwise text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce((SELECT string_agg(iamwatch_internal.plain(t), ', ' ORDER BY n)
		FROM jsonb_array_elements_text(CASE jsonb_typeof(texts) WHEN 'array' THEN texts ELSE '[]' END)
			WITH ORDINALITY AS e (t, n)), otherwise);
COMMENT ON FUNCTION iamwatch_internal.plain_list(jsonb, text) IS 'names from a log in one line';

-- ---- an incident ----

CREATE FUNCTION iamwatch.explain_incident_json(incident_id bigint) RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	i jsonb;
	first_alert iamwatch_internal.all_alerts;
BEGIN
	SELECT to_jsonb(v) INTO i FROM iamwatch.incidents AS v WHERE v.incident_id = $1;
	IF i IS NULL THEN
		-- joined by what came later to one that began earlier, or never more than an alert
		SELECT to_jsonb(v) || jsonb_build_object('asked_for', $1) INTO i FROM iamwatch.incidents AS v
		WHERE v.identity = (SELECT a.identity FROM iamwatch.alerts AS a WHERE a.alert_id = $1) AND v.alert_ids @> ARRAY[$1];
	END IF;
	IF i IS NULL THEN
		RAISE EXCEPTION 'incident % does not exist', coalesce($1::text, 'null')
			USING ERRCODE = 'no_data_found', HINT = CASE WHEN EXISTS (SELECT FROM iamwatch_internal.withdrawn_alerts AS w WHERE w.alert_id = $1)
				THEN 'The alert of that number was taken back by iamwatch.backfill(). See iamwatch.incidents.'
				ELSE 'See iamwatch.incidents.' END;
	END IF;
	SELECT a.* INTO first_alert FROM iamwatch_internal.all_alerts AS a
	WHERE a.alert_id IN (SELECT jsonb_array_elements_text(i->'alert_ids')::bigint)
	ORDER BY a.risk DESC NULLS LAST, a.alert_id LIMIT 1;
	RETURN i || jsonb_build_object('name', iamwatch.short_name(i->>'identity'),
		'story', (SELECT coalesce(jsonb_agg(jsonb_build_object('alert_id', a.alert_id, 'at', a.first_event_time, 'until', a.last_event_time,
				'events', a.event_count, 'service', a.service, 'operation', a.operation, 'failed', a.failed, 'sensitivity', a.sensitivity,
				'targets', a.evidence->'targets', 'granted', a.evidence->'granted',
				'all_rights', iamwatch_internal.all_rights(a.evidence->'granted'),
				'source_addresses', a.evidence->'source_addresses', 'source_hosts', a.evidence->'source_hosts',
				'how_often', iamwatch_internal.how_often((a.evidence->>'k')::bigint, (a.evidence->>'A')::bigint,
					(a.evidence->>'K')::bigint, (a.evidence->>'N')::bigint, coalesce((a.evidence->>'training_days')::integer, 30)),
				'context', ARRAY(SELECT iamwatch_internal.context_words(a.evidence->'context')),
				'risk', a.risk, 'technique', a.technique, 'status', a.status, 'resolution', a.resolution,
				'later_use', CASE WHEN (iamwatch.find_operation(a.provider, a.service, a.operation)).effect = 'delete' THEN '[]'
					ELSE iamwatch_internal.later_use(a) END) ORDER BY a.first_event_time, a.alert_id), '[]')
			FROM iamwatch_internal.all_alerts AS a WHERE a.alert_id IN (SELECT jsonb_array_elements_text(i->'alert_ids')::bigint)),
		'links', (SELECT coalesce(jsonb_agg(jsonb_build_object('incident_id', l.incident_id, 'led_to', l.led_to, 'reason', l.reason)
				ORDER BY l.incident_id, l.led_to), '[]') FROM iamwatch.incident_links AS l
			WHERE l.incident_id = (i->>'incident_id')::bigint OR l.led_to = (i->>'incident_id')::bigint),
		-- of the alert with the highest risk, which is the incident's
		'playbook', jsonb_build_object('check', iamwatch_internal.steps_for(first_alert, 'check'),
			'contain', iamwatch_internal.steps_for(first_alert, 'contain')));
END $$;
COMMENT ON FUNCTION iamwatch.explain_incident_json(bigint) IS
'the row of iamwatch.incidents, its alerts in order, what those did since that they made or changed, and the steps for the alert with the highest risk; of the number of an alert, such as that of an incident which joined another, the incident that it belongs to, and asked_for. P0002 if there is no such incident';

CREATE FUNCTION iamwatch.explain_incident(incident_id bigint) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	x constant jsonb := iamwatch.explain_incident_json($1);
	lines text[];
	a jsonb;
	said text[] := '{}';	-- what is told once
	line text;
BEGIN
	lines := ARRAY[
		CASE WHEN x ? 'asked_for' THEN format('There is no incident %s (any more): it is an alert of incident %s, which is told here', x->>'asked_for', x->>'incident_id') END,
		format('Incident %s: %s, %s of %s, risk %s bits, %s', x->>'incident_id', plain(x->>'name'),
			number_of((x->>'alerts')::bigint, 'alert'), number_of((x->>'events')::bigint, 'event'), round((x->>'risk')::numeric, 1), x->>'severity'),
		format('  %s (%s) in %s account %s', plain(x->>'identity'), x->>'identity_kind', x->>'provider', plain(x->>'account')),
		format('  %s to %s; %s open', x->>'first_event_time', x->>'last_event_time',
			number_of((x->>'open_alerts')::bigint, 'alert')),
		'', 'What happened'];
	FOR a IN SELECT * FROM jsonb_array_elements(x->'story') LOOP
		lines := lines || ARRAY[
			format('  %s %s:%s%s on %s%s%s', a->>'at', plain(a->>'service'), plain(a->>'operation'),
				CASE WHEN (a->>'failed')::boolean THEN ' FAILED' ELSE '' END,
				some_of(a->'targets', 'a target that the log does not name'),
				coalesce(', granting ' || some_of(a->'granted', NULL) || CASE WHEN (a->>'all_rights')::boolean THEN ' (all rights)' ELSE '' END, ''),
				coalesce(', from ' || some_of(coalesce(nullif(a->'source_addresses', '[]'), a->'source_hosts'), NULL), '')),
			format('    alert %s, risk %s, %s, %s%s', a->>'alert_id', round((a->>'risk')::numeric, 1),
				number_of((a->>'events')::bigint, 'event'), a->>'status',
				coalesce(' as ' || (a->>'resolution'), '')),
			'    ' || (a->>'how_often')];
		FOR line IN SELECT '    ' || w FROM jsonb_array_elements_text(a->'context') AS w
			UNION ALL SELECT '    then' || substr(later_use_line(l, x->>'account'), 2) FROM jsonb_array_elements(a->'later_use') AS l
		LOOP
			CONTINUE WHEN line = ANY (said);
			said := said || line;
			lines := lines || line;
		END LOOP;
	END LOOP;
	IF x->'links' <> '[]' THEN
		lines := lines || ARRAY['', 'Linked incidents']
			|| ARRAY(SELECT format('  %s incident %s: %s', CASE WHEN l->'incident_id' = x->'incident_id' THEN 'led to' ELSE 'came from' END,
				CASE WHEN l->'incident_id' = x->'incident_id' THEN l->>'led_to' ELSE l->>'incident_id' END, plain(l->>'reason'))
				FROM jsonb_array_elements(x->'links') WITH ORDINALITY AS t (l, n) ORDER BY n);
	END IF;
	lines := lines || ARRAY['', 'What to do, by its alert with the highest risk'] || iamwatch_internal.playbook_lines(x->'playbook');
	RETURN array_to_string(lines, E'\n');
END $$;
COMMENT ON FUNCTION iamwatch.explain_incident(bigint) IS
'the story of an incident in order, with what it led to and what to do: what iamwatch.explain_incident_json() says, for reading. P0002 if there is no such incident';
