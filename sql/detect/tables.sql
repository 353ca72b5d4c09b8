-- Scores, alerts, their events, and the events that wait for another session.

-- What is counted of an event before it is alerted.  The first five belong to
-- the probability, the others to the risk.
CREATE TYPE iamwatch_internal.score AS (
	k integer,
	active integer,
	peer_days bigint,
	peer_active bigint,
	probability double precision,
	risk_k integer,
	risk_active integer,
	risk_iam_days integer,
	risk_peer_days bigint,
	risk_peer_active bigint,
	risk_peer_iam_days bigint
);
COMMENT ON TYPE iamwatch_internal.score IS 'what was counted of an event, and the probability that follows';
COMMENT ON COLUMN iamwatch_internal.score.k IS 'days of the training period on which the identity did the operation';
COMMENT ON COLUMN iamwatch_internal.score.active IS 'A: days of the training period on which it did anything';
COMMENT ON COLUMN iamwatch_internal.score.peer_days IS 'K: days on which its peers did the operation, summed over them';
COMMENT ON COLUMN iamwatch_internal.score.peer_active IS 'N: days on which its peers did anything, summed over them';
COMMENT ON COLUMN iamwatch_internal.score.probability IS 'iamwatch.probability(k, A, K, N)';
COMMENT ON COLUMN iamwatch_internal.score.risk_k IS 'as k, over the memory that risk looks back on; null where risk was not counted';
COMMENT ON COLUMN iamwatch_internal.score.risk_active IS 'as A, over that memory';
COMMENT ON COLUMN iamwatch_internal.score.risk_iam_days IS 'B: days of that memory on which the identity did any IAM operation';
COMMENT ON COLUMN iamwatch_internal.score.risk_peer_days IS 'as K, over the memory of peers';
COMMENT ON COLUMN iamwatch_internal.score.risk_peer_active IS 'as N, over the memory of peers';
COMMENT ON COLUMN iamwatch_internal.score.risk_peer_iam_days IS 'P: days of that memory on which its peers did any IAM operation';

-- What is handed over to find an alert for it, or to open one.
CREATE TYPE iamwatch_internal.candidate AS (
	detector text,
	event iamwatch.event,
	unusual boolean,
	day_scored boolean,
	score iamwatch_internal.score
);
COMMENT ON TYPE iamwatch_internal.candidate IS 'an event that may open or join an alert of a detector';
COMMENT ON COLUMN iamwatch_internal.candidate.unusual IS 'whether its score alone would open one';
COMMENT ON COLUMN iamwatch_internal.candidate.day_scored IS 'whether it falls on a day that was scored when another of its events was stored';

-- src/baseline/told.c
CREATE TYPE iamwatch_internal.opened_alerts AS ();
COMMENT ON TYPE iamwatch_internal.opened_alerts IS
'has no values: sessions are told that an alert was opened by the invalidation of its entry in the catalogs';

-- For constraints: src/detect/alert_words.c says why.
CREATE FUNCTION iamwatch_internal.is_severity(severity text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_severity' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_severity(text) IS 'whether it is informational, low, medium, high or critical';
CREATE FUNCTION iamwatch_internal.is_alert_status(status text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_alert_status' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_alert_status(text) IS 'whether it is new, investigating or closed';
CREATE FUNCTION iamwatch_internal.is_resolution(resolution text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_resolution' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_resolution(text) IS 'whether it is true_positive, benign or expected_change';

-- Alerts, and those that a suppression hides, are two tables of one kind: what
-- concerns both is asked of this one, which has no rows of its own.
CREATE TABLE iamwatch_internal.all_alerts (
	alert_id bigint PRIMARY KEY,
	incident_id bigint,
	detector text NOT NULL,
	variation text NOT NULL,
	severity text NOT NULL CONSTRAINT alerts_severity_check CHECK (iamwatch_internal.is_severity(severity)),
	risk double precision,
	status text NOT NULL DEFAULT 'new' CONSTRAINT alerts_status_check CHECK (iamwatch_internal.is_alert_status(status)),
	detected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	first_event_time timestamptz NOT NULL,
	last_event_time timestamptz NOT NULL,
	event_count bigint NOT NULL DEFAULT 1,
	provider text NOT NULL,
	account text NOT NULL,
	identity text NOT NULL,
	identity_kind text NOT NULL,
	service text NOT NULL,
	operation text NOT NULL,
	failed boolean NOT NULL,
	category text NOT NULL,
	sensitivity integer NOT NULL,
	tactic text NOT NULL,
	technique text NOT NULL,
	probability double precision NOT NULL,
	surprise double precision NOT NULL,
	evidence jsonb NOT NULL,
	resolution text CONSTRAINT alerts_resolution_check CHECK (iamwatch_internal.is_resolution(resolution)),
	assignee text,
	note text,
	attack_until date,
	excluded_days iamwatch.dayset,
	CONSTRAINT alerts_resolved CHECK (status = 'closed' OR resolution IS NULL)
);
COMMENT ON TABLE iamwatch_internal.all_alerts IS 'alerts, suppressed or not; new columns are added here';

CREATE TABLE iamwatch.alerts (
	alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
) INHERITS (iamwatch_internal.all_alerts);
COMMENT ON TABLE iamwatch.alerts IS 'unusual IAM activity, one row a behaviour of an identity and deduplication period';
COMMENT ON COLUMN iamwatch.alerts.incident_id IS 'the incident that it belongs to';
COMMENT ON COLUMN iamwatch.alerts.risk IS 'bits: how much it matters, by all that is remembered of the identity and its peers';
COMMENT ON COLUMN iamwatch.alerts.variation IS 'which of the detector''s variations gave the severity';
COMMENT ON COLUMN iamwatch.alerts.first_event_time IS 'time of the event that raised it; the deduplication period counts from here';
COMMENT ON COLUMN iamwatch.alerts.event_count IS 'events that raised or joined it, each delivery of one counted once';
COMMENT ON COLUMN iamwatch.alerts.tactic IS 'ATT&CK tactic of the detector: TA0003 is Persistence';
COMMENT ON COLUMN iamwatch.alerts.technique IS 'ATT&CK technique of the operation, T1098 if the catalogue has none';
COMMENT ON COLUMN iamwatch.alerts.probability IS 'iamwatch.probability(k, A, K, N) of the evidence; where context counts, that halved for each context and each of the detector''s context_bits';
COMMENT ON COLUMN iamwatch.alerts.surprise IS 'bits: -log2(probability)';
COMMENT ON COLUMN iamwatch.alerts.evidence IS
'k: days of the training period on which the identity did it; A: on which it was active; K, N: the same summed over its peers; peers: up to ten that do it; source_addresses, source_hosts, user_agents, targets, granted, acting_for, instances: up to twenty of the events; event_ids: up to a thousand, all are in iamwatch.alert_events; context: what makes it stronger, by the names of iamwatch.detectors.context_kinds; out_of_order: true of an alert that the order of event time would not have raised, but that somebody had worked on when iamwatch.backfill() found out';
COMMENT ON COLUMN iamwatch.alerts.resolution IS
'of a closed alert: true_positive takes its days out of the baseline, benign and expected_change stop further alerts of the behaviour; null of an open one';
COMMENT ON COLUMN iamwatch.alerts.assignee IS 'who works on it';
COMMENT ON COLUMN iamwatch.alerts.attack_until IS
'with true_positive: the last day on which the identity''s doing it was the attacker''s; null if only the days of the alert''s events were';
COMMENT ON COLUMN iamwatch.alerts.excluded_days IS
'with true_positive: the days that no longer count as days on which the identity did it; follows from the events and attack_until';
CREATE INDEX alerts_excluded ON iamwatch.alerts (hashtextextended(account, 0), hashtextextended(operation, 0))
	WHERE excluded_days IS NOT NULL;
CREATE INDEX alerts_identity ON iamwatch.alerts (hashtextextended(identity, 0), first_event_time);
CREATE INDEX alerts_first_event_time ON iamwatch.alerts (first_event_time);
CREATE INDEX alerts_detected_at ON iamwatch.alerts (detected_at);
-- what people ask for by itself, or several of them together; added to at once, since a
-- statement would wait for what others had left to add
CREATE INDEX alerts_names ON iamwatch.alerts USING gin (identity iamwatch_internal.name_ops, account iamwatch_internal.name_ops,
	operation iamwatch_internal.name_ops) WITH (fastupdate = off);
CREATE INDEX alerts_status ON iamwatch.alerts (status);
CREATE INDEX alerts_incident ON iamwatch.alerts (incident_id);

CREATE TABLE iamwatch_internal.suppressed_alerts (
	suppression_id bigint NOT NULL,
	PRIMARY KEY (alert_id)
) INHERITS (iamwatch_internal.all_alerts);
COMMENT ON TABLE iamwatch_internal.suppressed_alerts IS
'the alerts that would have been, but for a suppression; their events are in iamwatch.alert_events. There is nothing to triage: status and what follows it mean nothing here';
COMMENT ON COLUMN iamwatch_internal.suppressed_alerts.suppression_id IS 'what hid it';
CREATE INDEX suppressed_alerts_identity ON iamwatch_internal.suppressed_alerts (hashtextextended(identity, 0), first_event_time);
CREATE INDEX suppressed_alerts_suppression ON iamwatch_internal.suppressed_alerts (suppression_id);

-- What backfill() took back is no alert any more, so this is none of the tables
-- above: no view, count or look-up of alerts has it.
CREATE TABLE iamwatch_internal.withdrawn_alerts (
	LIKE iamwatch_internal.all_alerts,
	suppression_id bigint,
	withdrawn_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	reason text NOT NULL,
	event_times timestamptz[] NOT NULL,
	event_ids text[] NOT NULL,
	PRIMARY KEY (alert_id)
);
COMMENT ON TABLE iamwatch_internal.withdrawn_alerts IS
'alerts that iamwatch.backfill() took back, since the order of event time would not have raised them and nobody had worked on them';
COMMENT ON COLUMN iamwatch_internal.withdrawn_alerts.suppression_id IS 'what had hidden it, null if nothing had';
COMMENT ON COLUMN iamwatch_internal.withdrawn_alerts.reason IS 'why it was taken back';
COMMENT ON COLUMN iamwatch_internal.withdrawn_alerts.event_times IS 'times of the events that it had; they have left iamwatch.alert_events';
COMMENT ON COLUMN iamwatch_internal.withdrawn_alerts.event_ids IS 'their ids, in the same order';

CREATE TABLE iamwatch.alert_events (
	alert_id bigint NOT NULL,
	event_time timestamptz NOT NULL,
	event_id text
);
COMMENT ON TABLE iamwatch.alert_events IS 'the events of each alert; event_id is null when the log gave none';
CREATE INDEX alert_events_alert ON iamwatch.alert_events (alert_id, hashtextextended(event_id, 0));
ALTER TABLE iamwatch.alert_events REPLICA IDENTITY FULL;

CREATE TABLE iamwatch_internal.pending_events (
	pending_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	detector text NOT NULL,
	event iamwatch.event NOT NULL,
	unusual boolean NOT NULL,
	day_scored boolean NOT NULL,
	score iamwatch_internal.score NOT NULL,
	left_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE iamwatch_internal.pending_events IS
'events whose alert another session was just writing; the next that touches the behaviour, or iamwatch.maintain(), lets them join or open it';
COMMENT ON COLUMN iamwatch_internal.pending_events.left_at IS 'so that iamwatch.status can say since when it waits';
CREATE INDEX pending_events_identity ON iamwatch_internal.pending_events (hashtextextended((event).identity, 0));

SELECT pg_catalog.pg_extension_config_dump('iamwatch.alerts', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.suppressed_alerts', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.withdrawn_alerts', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.alert_events', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.alerts_alert_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.pending_events', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.pending_events_pending_id_seq', '');
