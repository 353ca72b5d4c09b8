-- What is not to be alerted.
--
-- A suppression is asked about only where an alert would be opened.  What it
-- matches opens and joins alerts as ever, but in suppressed_alerts: counted,
-- listed, with its evidence, and never taken twice.  It hides no more than it
-- says: another event of the behaviour, one that it does not match, is alerted
-- as if the suppressed ones had not excused it.
--
-- An alert that is closed as benign or as an expected change leaves a
-- suppression behind.

CREATE TABLE iamwatch.suppressions (
	suppression_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	reason text NOT NULL CHECK (reason <> ''),
	detector text CHECK (detector <> ''),
	provider text CHECK (provider <> ''),
	account text CHECK (account <> ''),
	identity text CHECK (identity <> ''),
	identity_pattern text CHECK (length(identity_pattern) BETWEEN 1 AND 500),
	service text CHECK (service <> ''),
	operation text CHECK (operation <> ''),
	failed boolean,
	category text CHECK (category <> ''),
	source_network inet,
	source_host text CHECK (source_host <> ''),
	user_agent_pattern text CHECK (length(user_agent_pattern) BETWEEN 1 AND 500),
	acting_for text CHECK (acting_for <> ''),
	starts_at timestamptz,
	expires_at timestamptz,
	author name NOT NULL DEFAULT session_user,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	withdrawn_at timestamptz,
	alert_id bigint,
	CONSTRAINT suppressions_says_what CHECK (num_nonnulls(account, identity, identity_pattern,
		service, operation, category, source_network, source_host, user_agent_pattern, acting_for) > 0),
	CONSTRAINT suppressions_period CHECK (expires_at > starts_at)
);
COMMENT ON TABLE iamwatch.suppressions IS
'what is not to be alerted: events that match every criterion that is not null, by event time, so that a replay gives the same whenever it runs. Withdraw one instead of deleting it, so that what it hid can be told';
COMMENT ON COLUMN iamwatch.suppressions.identity_pattern IS
'as of LIKE, without an escape character: % for anything, _ for any one character';
COMMENT ON COLUMN iamwatch.suppressions.category IS 'of the operation, in the catalogue';
COMMENT ON COLUMN iamwatch.suppressions.source_network IS
'an address or network; an event without a plain source address never matches';
COMMENT ON COLUMN iamwatch.suppressions.source_host IS
'where the event came from when that is no address, as in iamwatch.event: the host of a service';
COMMENT ON COLUMN iamwatch.suppressions.user_agent_pattern IS
'of the program that the event names, as of LIKE, without an escape character; programs name themselves, so narrow it by something else';
COMMENT ON COLUMN iamwatch.suppressions.acting_for IS 'whom the log names behind the identity, as in iamwatch.event';
COMMENT ON COLUMN iamwatch.suppressions.starts_at IS 'first event time, null for any';
COMMENT ON COLUMN iamwatch.suppressions.expires_at IS 'event time from which it no longer holds, null for never';
COMMENT ON COLUMN iamwatch.suppressions.withdrawn_at IS 'set to end it at once, whatever the event time';
COMMENT ON COLUMN iamwatch.suppressions.alert_id IS
'the alert whose resolution, benign or expected_change, it carries out';
-- many decisions about others must not slow down the search
CREATE INDEX suppressions_identity ON iamwatch.suppressions (hashtextextended(identity, 0))
	WHERE withdrawn_at IS NULL AND identity IS NOT NULL;
CREATE INDEX suppressions_others ON iamwatch.suppressions (suppression_id)
	WHERE withdrawn_at IS NULL AND identity IS NULL;
CREATE INDEX suppressions_alert ON iamwatch.suppressions (alert_id) WHERE alert_id IS NOT NULL;

SELECT pg_catalog.pg_extension_config_dump('iamwatch.suppressions', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.suppressions_suppression_id_seq', '');

CREATE VIEW iamwatch.suppression_counts AS
SELECT s.suppression_id, s.reason, s.author, s.created_at, s.expires_at, s.withdrawn_at, s.alert_id,
	count(h.alert_id) AS alerts, coalesce(sum(h.event_count), 0)::bigint AS events,
	count(DISTINCT (h.provider, h.account, h.identity)) FILTER (WHERE h.alert_id IS NOT NULL) AS identities,
	min(h.first_event_time) AS first_event_time, max(h.last_event_time) AS last_event_time
FROM iamwatch.suppressions AS s
LEFT JOIN iamwatch_internal.suppressed_alerts AS h USING (suppression_id)
GROUP BY s.suppression_id;
COMMENT ON VIEW iamwatch.suppression_counts IS 'what each suppression has hidden';
COMMENT ON COLUMN iamwatch.suppression_counts.alert_id IS 'the alert whose resolution it carries out';
COMMENT ON COLUMN iamwatch.suppression_counts.alerts IS 'alerts that were not opened';
COMMENT ON COLUMN iamwatch.suppression_counts.events IS 'events in them';

-- Columns that tell of triage mean nothing for either.
CREATE VIEW iamwatch.suppressed_alerts AS
SELECT h.alert_id, h.suppression_id, h.detector, h.variation, h.severity, h.risk, h.detected_at, h.first_event_time, h.last_event_time,
	h.event_count, h.provider, h.account, h.identity, h.identity_kind, h.service, h.operation, h.failed, h.category, h.sensitivity,
	h.tactic, h.technique, h.probability, h.surprise, h.evidence
FROM iamwatch_internal.suppressed_alerts AS h;
COMMENT ON VIEW iamwatch.suppressed_alerts IS
'the alerts that would have been, but for a suppression; their events are in iamwatch.alert_events, and iamwatch.explain() explains them';
COMMENT ON COLUMN iamwatch.suppressed_alerts.suppression_id IS 'what hid it';

CREATE VIEW iamwatch.withdrawn_alerts AS
SELECT w.alert_id, w.withdrawn_at, w.reason, w.suppression_id, w.detector, w.variation, w.severity, w.risk, w.detected_at,
	w.first_event_time, w.last_event_time, w.event_count, w.provider, w.account, w.identity, w.identity_kind, w.service, w.operation,
	w.failed, w.category, w.sensitivity, w.tactic, w.technique, w.probability, w.surprise, w.evidence, w.event_times, w.event_ids
FROM iamwatch_internal.withdrawn_alerts AS w;
COMMENT ON VIEW iamwatch.withdrawn_alerts IS
'alerts that iamwatch.backfill() took back, since the order of event time would not have raised them and nobody had worked on them';
COMMENT ON COLUMN iamwatch.withdrawn_alerts.withdrawn_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.withdrawn_alerts.reason IS 'why it was taken back';
COMMENT ON COLUMN iamwatch.withdrawn_alerts.suppression_id IS 'what had hidden it, null if nothing had';
COMMENT ON COLUMN iamwatch.withdrawn_alerts.event_times IS 'times of the events that it had; they have left iamwatch.alert_events';
COMMENT ON COLUMN iamwatch.withdrawn_alerts.event_ids IS 'their ids, in the same order';

CREATE FUNCTION iamwatch_internal.check_criteria(rule iamwatch.suppressions) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch_internal.must_be_known('detector', rule.detector, ARRAY(SELECT d.detector FROM iamwatch.detectors AS d));
	PERFORM iamwatch_internal.must_be_known('provider', rule.provider, iamwatch_internal.known_providers());
	PERFORM iamwatch_internal.must_be_known('category', rule.category, iamwatch_internal.known_categories());
	PERFORM iamwatch_internal.check_service(rule.provider, rule.service);
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_criteria(iamwatch.suppressions) IS
'22023 for a detector, provider, category or service that cannot be';

-- Words that cannot be meant are refused; an operation that nobody has heard of
-- may be one that is to come.
CREATE FUNCTION iamwatch_internal.check_suppression() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known text[];
BEGIN
	-- a decision has the words of its alert, whose detector or provider may be no more
	IF iamwatch_internal.is_restoring() OR NEW.alert_id IS NOT NULL THEN
		RETURN NEW;
	END IF;
	PERFORM iamwatch_internal.check_criteria(NEW);
	IF NEW.operation IS NOT NULL AND NOT EXISTS (SELECT FROM iamwatch.operations AS o
		WHERE (NEW.provider IS NULL OR o.provider = NEW.provider) AND (NEW.service IS NULL OR o.service IN (NEW.service, '*'))
		AND CASE o.match WHEN 'exact' THEN o.operation = NEW.operation
			ELSE right(NEW.operation, length(o.operation)) = o.operation END)
		AND NOT EXISTS (SELECT FROM iamwatch_internal.account_operations AS b WHERE b.operation = NEW.operation
			AND (NEW.service IS NULL OR b.service = NEW.service)) THEN
		known := ARRAY(SELECT o.operation FROM iamwatch.operations AS o WHERE o.match = 'exact' AND o.effect <> 'read'
			AND (NEW.provider IS NULL OR o.provider = NEW.provider) AND (NEW.service IS NULL OR o.service IN (NEW.service, '*')));
		RAISE WARNING 'no operation "%"% is in the catalogue, and none was seen', left(NEW.operation, 200),
			coalesce(' of service "' || left(NEW.service, 200) || '"', '')
			USING HINT = coalesce('Did you mean ' || iamwatch_internal.nearest(NEW.operation, known) || '?',
				'Operations are written as in iamwatch.operations.');
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_suppression() IS
'trigger: 22023 for a detector, provider, category or service that cannot be; a warning for an operation that is neither in the catalogue nor in the log';
CREATE TRIGGER check_suppression BEFORE INSERT OR UPDATE OF detector, provider, service, operation, category ON iamwatch.suppressions
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_suppression();

-- ---- matching ----

-- What is alike for all events of a behaviour, and what is not.

CREATE FUNCTION iamwatch_internal.suppression_concerns(rule iamwatch.suppressions, detector text, provider text,
	account text, identity text, service text, operation text, failed boolean, category text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce(
		($1.detector IS NULL OR $1.detector = $2)
		AND ($1.provider IS NULL OR $1.provider = $3)
		AND ($1.account IS NULL OR $1.account = $4)
		AND ($1.identity IS NULL OR $1.identity = $5)
		AND ($1.service IS NULL OR $1.service = $6)
		AND ($1.operation IS NULL OR $1.operation = $7)
		AND ($1.failed IS NULL OR $1.failed = $8)
		AND ($1.category IS NULL OR $1.category = $9)
		AND ($1.identity_pattern IS NULL OR $5 LIKE $1.identity_pattern ESCAPE ''), false);
COMMENT ON FUNCTION iamwatch_internal.suppression_concerns(iamwatch.suppressions, text, text, text, text, text, text, boolean, text) IS
'whether a behaviour meets the criteria of a suppression, but for source and time';

CREATE FUNCTION iamwatch_internal.suppression_covers(rule iamwatch.suppressions, event iamwatch.event) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce(($1.source_network IS NULL OR $2.source_ip <<= $1.source_network)
		AND ($1.source_host IS NULL OR $1.source_host = $2.source_host)
		AND ($1.user_agent_pattern IS NULL OR $2.user_agent LIKE $1.user_agent_pattern ESCAPE '')
		AND ($1.acting_for IS NULL OR $1.acting_for = $2.acting_for)
		AND ($1.starts_at IS NULL OR $2.event_time >= $1.starts_at)
		AND ($1.expires_at IS NULL OR $2.event_time < $1.expires_at), false);
COMMENT ON FUNCTION iamwatch_internal.suppression_covers(iamwatch.suppressions, iamwatch.event) IS
'whether source, program, the one behind and time of an event meet those of a suppression';

CREATE FUNCTION iamwatch_internal.suppressions_of(detector text, event iamwatch.event) RETURNS iamwatch.suppressions[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	category text;
BEGIN
	IF NOT iamwatch_internal.has_suppressions() THEN
		RETURN '{}';
	END IF;
	category := (iamwatch.find_operation(event.provider, event.service, event.operation)).category;
	RETURN ARRAY(
		SELECT s FROM iamwatch.suppressions AS s
		WHERE s.withdrawn_at IS NULL AND s.identity IS NOT NULL
		AND hashtextextended(s.identity, 0) = hashtextextended(event.identity, 0)
		AND iamwatch_internal.suppression_concerns(s, $1, event.provider, event.account, event.identity,
			event.service, event.operation, event.failed, category)
		UNION ALL
		SELECT s FROM iamwatch.suppressions AS s
		WHERE s.withdrawn_at IS NULL AND s.identity IS NULL
		AND iamwatch_internal.suppression_concerns(s, $1, event.provider, event.account, event.identity,
			event.service, event.operation, event.failed, category));
END $$;
COMMENT ON FUNCTION iamwatch_internal.suppressions_of(text, iamwatch.event) IS
'the suppressions that events of this behaviour can match';

CREATE FUNCTION iamwatch_internal.suppression_of(rules iamwatch.suppressions[], event iamwatch.event) RETURNS bigint
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rule iamwatch.suppressions;
	first bigint;
BEGIN
	FOREACH rule IN ARRAY rules LOOP
		IF iamwatch_internal.suppression_covers(rule, event) THEN
			first := LEAST(first, rule.suppression_id);
		END IF;
	END LOOP;
	RETURN first;
END $$;
COMMENT ON FUNCTION iamwatch_internal.suppression_of(iamwatch.suppressions[], iamwatch.event) IS
'the first of the suppressions that the event matches, null if none';

-- ---- where an alert would be opened ----

CREATE FUNCTION iamwatch_internal.in_suppressed(c iamwatch_internal.candidate, period interval) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (c.event).event_id IS NOT NULL AND EXISTS (
		SELECT FROM iamwatch_internal.suppressed_alerts AS s
		JOIN iamwatch.alert_events AS x ON x.alert_id = s.alert_id
			AND hashtextextended(x.event_id, 0) = hashtextextended((c.event).event_id, 0)
			AND x.event_id = (c.event).event_id
		WHERE hashtextextended(s.identity, 0) = hashtextextended((c.event).identity, 0)
		AND s.first_event_time > (c.event).event_time - period
		AND s.first_event_time < (c.event).event_time + period
		AND s.identity = (c.event).identity AND s.operation = (c.event).operation AND s.service = (c.event).service
		AND s.failed = (c.event).failed AND s.account = (c.event).account AND s.provider = (c.event).provider
		AND s.detector = c.detector);
END $$;
COMMENT ON FUNCTION iamwatch_internal.in_suppressed(iamwatch_internal.candidate, interval) IS
'whether the event is one of a suppressed alert already';

CREATE FUNCTION iamwatch_internal.near_suppressed(c iamwatch_internal.candidate, period interval,
	suppression bigint DEFAULT NULL) RETURNS iamwatch_internal.suppressed_alerts
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	near iamwatch_internal.suppressed_alerts;
BEGIN
	SELECT s.* INTO near FROM iamwatch_internal.suppressed_alerts AS s
	WHERE hashtextextended(s.identity, 0) = hashtextextended((c.event).identity, 0)
	AND s.first_event_time > (c.event).event_time - period
	AND s.first_event_time < (c.event).event_time + period
	AND s.identity = (c.event).identity AND s.operation = (c.event).operation AND s.service = (c.event).service
	AND s.failed = (c.event).failed AND s.account = (c.event).account AND s.provider = (c.event).provider
	AND s.detector = c.detector
	ORDER BY s.suppression_id IS NOT DISTINCT FROM suppression DESC, s.first_event_time LIMIT 1;
	RETURN near;
END $$;
COMMENT ON FUNCTION iamwatch_internal.near_suppressed(iamwatch_internal.candidate, interval, bigint) IS
'the earliest suppressed alert of the behaviour within the deduplication period, one of the suppression given before others; null if none';

-- Without the suppression the event would have joined that alert.
CREATE FUNCTION iamwatch_internal.scored_as(c iamwatch_internal.candidate, near iamwatch_internal.suppressed_alerts)
	RETURNS iamwatch_internal.candidate
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT c.unusual AND near.alert_id IS NOT NULL THEN
		c.unusual := true;
		c.score.k := near.evidence->'k';
		c.score.active := near.evidence->'A';
		c.score.peer_days := near.evidence->'K';
		c.score.peer_active := near.evidence->'N';
		-- without context, which is the event's own
		c.score.probability := iamwatch.probability((near.evidence->'k')::integer, (near.evidence->'A')::integer,
			(near.evidence->'K')::bigint, (near.evidence->'N')::bigint);
		c.score.risk_k := near.evidence#>'{risk,k}';
		c.score.risk_active := near.evidence#>'{risk,A}';
		c.score.risk_iam_days := near.evidence#>'{risk,B}';
		c.score.risk_peer_days := near.evidence#>'{risk,K}';
		c.score.risk_peer_active := near.evidence#>'{risk,N}';
		c.score.risk_peer_iam_days := near.evidence#>'{risk,P}';
	END IF;
	RETURN c;
END $$;
COMMENT ON FUNCTION iamwatch_internal.scored_as(iamwatch_internal.candidate, iamwatch_internal.suppressed_alerts) IS
'an event that is not unusual by itself, with the score of the suppressed alert that it belongs to, if there is one';

CREATE FUNCTION iamwatch_internal.uncovered(c iamwatch_internal.candidate, period interval) RETURNS iamwatch_internal.candidate
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF c.unusual THEN
		RETURN c;
	END IF;
	RETURN iamwatch_internal.scored_as(c, iamwatch_internal.near_suppressed(c, period));
END $$;
COMMENT ON FUNCTION iamwatch_internal.uncovered(iamwatch_internal.candidate, interval) IS
'an event that no suppression matches, unusual also if it follows a suppressed one';

CREATE FUNCTION iamwatch_internal.assign_to_suppressed(settings iamwatch.detectors,
	candidates iamwatch_internal.candidate[], suppressions bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, iamwatch_internal, pg_temp AS $$
DECLARE
	period constant interval := settings.deduplication_days * interval '24 hours';
	c iamwatch_internal.candidate;
	near iamwatch_internal.suppressed_alerts;
	joining iamwatch.event[] := '{}';
	writable boolean;
BEGIN
	FOR i IN 1 .. cardinality(candidates) LOOP
		c := candidates[i];
		IF near.alert_id IS NULL OR near.suppression_id <> suppressions[i]
			OR (c.event).event_time >= near.first_event_time + period THEN
			IF joining <> '{}' THEN
				PERFORM iamwatch_internal.join_alert(settings, near.alert_id, joining);
				joining := '{}';
			END IF;
			near := iamwatch_internal.near_suppressed(c, period, suppressions[i]);
			c := iamwatch_internal.scored_as(c, near);
			IF near.suppression_id IS DISTINCT FROM suppressions[i] THEN
				near := NULL;
				IF c.unusual AND NOT (period = interval '0' AND iamwatch_internal.has_opened(c)) THEN
					PERFORM iamwatch_internal.open_alert(settings, c, suppressions[i]);
				END IF;
				CONTINUE;
			END IF;
			writable := iamwatch_internal.try_lock_alert(near.alert_id);
		END IF;
		CONTINUE WHEN iamwatch_internal.in_suppressed(c, period);
		IF NOT writable THEN
			PERFORM iamwatch_internal.leave_pending(ARRAY[c]);
		ELSIF iamwatch_internal.note_event(near.alert_id, c.event, true) THEN
			joining := array_append(joining, c.event);
		END IF;
	END LOOP;
	IF joining <> '{}' THEN
		PERFORM iamwatch_internal.join_alert(settings, near.alert_id, joining);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.assign_to_suppressed(iamwatch.detectors, iamwatch_internal.candidate[], bigint[]) IS
'let events of a behaviour, each with the suppression that it matches, join a suppressed alert, or open one; under the lock of the behaviour''s bucket';

-- ---- decisions ----

CREATE FUNCTION iamwatch_internal.decide(was iamwatch.alerts, becomes iamwatch.alerts) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	-- a true positive overrules what was decided of the behaviour before
	UPDATE iamwatch.suppressions AS s SET withdrawn_at = clock_timestamp()
	WHERE s.withdrawn_at IS NULL AND (s.alert_id = becomes.alert_id
		OR becomes.resolution = 'true_positive' AND s.alert_id IS NOT NULL AND s.identity IS NOT NULL
		AND hashtextextended(s.identity, 0) = hashtextextended(becomes.identity, 0)
		AND (s.detector, s.provider, s.account, s.identity, s.service, s.operation, s.failed)
		= (becomes.detector, becomes.provider, becomes.account, becomes.identity, becomes.service,
			becomes.operation, becomes.failed));
	IF becomes.resolution IN ('benign', 'expected_change') THEN
		INSERT INTO iamwatch.suppressions (suppression_id, reason, detector, provider, account, identity, service,
			operation, failed, starts_at, alert_id)
		OVERRIDING SYSTEM VALUE
		VALUES (iamwatch_internal.number_here(nextval('iamwatch.suppressions_suppression_id_seq')), format('alert %s closed as %s', becomes.alert_id, becomes.resolution) || coalesce(': ' || becomes.note, ''),
			becomes.detector, becomes.provider, becomes.account, becomes.identity, becomes.service,
			becomes.operation, becomes.failed, becomes.first_event_time, becomes.alert_id);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.decide(iamwatch.alerts, iamwatch.alerts) IS
'what another resolution means for further events of the behaviour: benign and expected_change ask no more, anything else asks again';

-- ---- before it is saved ----

CREATE FUNCTION iamwatch.suppression_preview(account text DEFAULT NULL, identity text DEFAULT NULL,
	identity_pattern text DEFAULT NULL, service text DEFAULT NULL, operation text DEFAULT NULL,
	category text DEFAULT NULL, source_network inet DEFAULT NULL, failed boolean DEFAULT NULL,
	starts_at timestamptz DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
	provider text DEFAULT NULL, detector text DEFAULT NULL, source_host text DEFAULT NULL,
	user_agent_pattern text DEFAULT NULL, acting_for text DEFAULT NULL)
	RETURNS TABLE (alert_id bigint, hidden text, severity text, status text, resolution text,
		first_event_time timestamptz, last_event_time timestamptz, event_count bigint,
		alert_identity text, alert_operation text, surprise double precision, source_addresses jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	rule iamwatch.suppressions;
	one_address constant text := CASE WHEN masklen($7) = CASE family($7) WHEN 4 THEN 32 ELSE 128 END THEN host($7) END;
BEGIN
	IF num_nonnulls($1, $2, $3, $4, $5, $6, $7, $13, $14, $15) = 0 THEN
		RAISE EXCEPTION 'a suppression needs a criterion' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give account, identity, identity_pattern, service, operation, category, source_network, source_host, user_agent_pattern or acting_for.';
	END IF;
	rule.account := $1;
	rule.identity := $2;
	rule.identity_pattern := $3;
	rule.service := $4;
	rule.operation := $5;
	rule.category := $6;
	rule.source_network := $7;
	rule.failed := $8;
	rule.starts_at := $9;
	rule.expires_at := $10;
	rule.provider := $11;
	rule.detector := $12;
	rule.source_host := $13;
	rule.user_agent_pattern := $14;
	rule.acting_for := $15;
	PERFORM iamwatch_internal.check_criteria(rule);
	RETURN QUERY
	-- what is alike for all events of an alert first, by index where that is an identity
	WITH concerned AS MATERIALIZED (
		SELECT a.alert_id, a.severity, a.status, a.resolution, a.first_event_time, a.last_event_time, a.event_count,
			a.identity, a.service, a.operation, a.surprise, a.evidence
		FROM iamwatch.alerts AS a
		WHERE (rule.identity IS NULL OR hashtextextended(a.identity, 0) = hashtextextended(rule.identity, 0))
		AND (rule.starts_at IS NULL OR a.first_event_time >= rule.starts_at)
		AND (rule.expires_at IS NULL OR a.first_event_time < rule.expires_at)
		AND iamwatch_internal.suppression_concerns(rule, a.detector, a.provider, a.account,
			a.identity, a.service, a.operation, a.failed, a.category)
		-- one address is looked for as it is written before any is compared as a network
		AND (one_address IS NULL OR a.evidence->'source_addresses' ? one_address)
	)
	SELECT a.alert_id, CASE WHEN m.all_match IS FALSE THEN 'part' ELSE 'all' END,
		a.severity, a.status, a.resolution, a.first_event_time, a.last_event_time, a.event_count,
		a.identity, a.service || ':' || a.operation, round(a.surprise::numeric, 1)::double precision, a.evidence->'source_addresses'
	FROM concerned AS a
	-- the evidence has each apart: of every kind one must match, or all of them
	CROSS JOIN LATERAL (
		SELECT bool_and(k.some_match) AS some_match, bool_and(k.all_match) AS all_match
		FROM (
			SELECT bool_or(c.covers) AS some_match, bool_and(c.covers) AS all_match
			FROM (VALUES ('source_addresses', rule.source_network IS NULL), ('source_hosts', rule.source_host IS NULL),
				('user_agents', rule.user_agent_pattern IS NULL), ('acting_for', rule.acting_for IS NULL)) AS e (kind, any_will_do)
			CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(nullif(a.evidence->e.kind, '[]'), '[null]')) AS v (value)
			CROSS JOIN LATERAL (SELECT CASE e.kind
				WHEN 'source_addresses' THEN v.value::inet <<= rule.source_network
				WHEN 'source_hosts' THEN v.value = rule.source_host
				WHEN 'user_agents' THEN v.value LIKE rule.user_agent_pattern ESCAPE ''
				ELSE v.value = rule.acting_for END) AS w (covers_or_null)
			CROSS JOIN LATERAL (SELECT coalesce(w.covers_or_null, false)) AS c (covers)
			WHERE NOT e.any_will_do
			GROUP BY e.kind) AS k) AS m
	WHERE m.some_match IS NOT FALSE
	ORDER BY a.first_event_time, a.alert_id;
END $$;
COMMENT ON FUNCTION iamwatch.suppression_preview(text, text, text, text, text, text, inet, boolean, timestamptz, timestamptz, text, text, text, text, text) IS
'the alerts that a suppression with these criteria would have hidden, by their first event time. Hidden: all, or part when only some of the source addresses, hosts, programs (500 characters of each) or those behind match. Writes nothing; 22023 without a criterion, or with one that cannot be';
