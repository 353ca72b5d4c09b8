\echo Use "CREATE EXTENSION iamwatch" to load this file. \quit

-- The type dayset: a set of UTC days.

CREATE TYPE iamwatch.dayset;

CREATE FUNCTION iamwatch.dayset_in(cstring) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_out(iamwatch.dayset) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_recv(internal) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_send(iamwatch.dayset) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.dayset_in(cstring) IS
'{2026-03-01,2026-03-04..2026-03-09}: ISO dates in any order. 22P02 names the bad part and its position; 22008 for a date out of range';
COMMENT ON FUNCTION iamwatch.dayset_out(iamwatch.dayset) IS 'ISO dates, sorted, whatever DateStyle says';
COMMENT ON FUNCTION iamwatch.dayset_recv(internal) IS 'what dayset_send() sends; 22P03 for anything else';
COMMENT ON FUNCTION iamwatch.dayset_send(iamwatch.dayset) IS 'version and runs, as stored';

CREATE TYPE iamwatch.dayset (
	INPUT = iamwatch.dayset_in,
	OUTPUT = iamwatch.dayset_out,
	RECEIVE = iamwatch.dayset_recv,
	SEND = iamwatch.dayset_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE iamwatch.dayset IS 'a set of UTC days';

CREATE FUNCTION iamwatch.dayset_or(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_and(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_minus(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_contains(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_contains_day(iamwatch.dayset, date) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_eq(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_ne(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_lt(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_le(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_ge(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_gt(iamwatch.dayset, iamwatch.dayset) RETURNS boolean
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_hash(iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_hash_extended(iamwatch.dayset, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.dayset_or(iamwatch.dayset, iamwatch.dayset) IS 'days in either set';
COMMENT ON FUNCTION iamwatch.dayset_and(iamwatch.dayset, iamwatch.dayset) IS 'days in both sets';
COMMENT ON FUNCTION iamwatch.dayset_minus(iamwatch.dayset, iamwatch.dayset) IS 'days in the first set but not in the second';
COMMENT ON FUNCTION iamwatch.dayset_contains(iamwatch.dayset, iamwatch.dayset) IS 'whether every day of the second set is in the first';
COMMENT ON FUNCTION iamwatch.dayset_contains_day(iamwatch.dayset, date) IS 'whether the day is in the set';
COMMENT ON FUNCTION iamwatch.dayset_eq(iamwatch.dayset, iamwatch.dayset) IS 'whether both have the same days';
COMMENT ON FUNCTION iamwatch.dayset_ne(iamwatch.dayset, iamwatch.dayset) IS 'whether they differ';
COMMENT ON FUNCTION iamwatch.dayset_lt(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_le(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_ge(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_gt(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset) IS 'order, for sorting only';
COMMENT ON FUNCTION iamwatch.dayset_hash(iamwatch.dayset) IS 'hash of the days';
COMMENT ON FUNCTION iamwatch.dayset_hash_extended(iamwatch.dayset, bigint) IS 'seeded hash of the days';

CREATE OPERATOR iamwatch.| (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_or, COMMUTATOR = OPERATOR(iamwatch.|));
CREATE OPERATOR iamwatch.& (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_and, COMMUTATOR = OPERATOR(iamwatch.&));
CREATE OPERATOR iamwatch.- (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_minus);
CREATE OPERATOR iamwatch.@> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_contains, RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR iamwatch.@> (LEFTARG = iamwatch.dayset, RIGHTARG = date,
	FUNCTION = iamwatch.dayset_contains_day, RESTRICT = contsel, JOIN = contjoinsel);
CREATE OPERATOR iamwatch.= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_eq, COMMUTATOR = OPERATOR(iamwatch.=), NEGATOR = OPERATOR(iamwatch.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR iamwatch.<> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_ne, COMMUTATOR = OPERATOR(iamwatch.<>), NEGATOR = OPERATOR(iamwatch.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR iamwatch.< (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_lt, COMMUTATOR = OPERATOR(iamwatch.>), NEGATOR = OPERATOR(iamwatch.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR iamwatch.<= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_le, COMMUTATOR = OPERATOR(iamwatch.>=), NEGATOR = OPERATOR(iamwatch.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR iamwatch.>= (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_ge, COMMUTATOR = OPERATOR(iamwatch.<=), NEGATOR = OPERATOR(iamwatch.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR iamwatch.> (LEFTARG = iamwatch.dayset, RIGHTARG = iamwatch.dayset,
	FUNCTION = iamwatch.dayset_gt, COMMUTATOR = OPERATOR(iamwatch.<), NEGATOR = OPERATOR(iamwatch.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS iamwatch.dayset_ops DEFAULT FOR TYPE iamwatch.dayset USING btree AS
	OPERATOR 1 iamwatch.<, OPERATOR 2 iamwatch.<=, OPERATOR 3 iamwatch.=,
	OPERATOR 4 iamwatch.>=, OPERATOR 5 iamwatch.>,
	FUNCTION 1 iamwatch.dayset_cmp(iamwatch.dayset, iamwatch.dayset);
CREATE OPERATOR CLASS iamwatch.dayset_ops DEFAULT FOR TYPE iamwatch.dayset USING hash AS
	OPERATOR 1 iamwatch.=,
	FUNCTION 1 iamwatch.dayset_hash(iamwatch.dayset),
	FUNCTION 2 iamwatch.dayset_hash_extended(iamwatch.dayset, bigint);

CREATE FUNCTION iamwatch.days(iamwatch.dayset) RETURNS SETOF date
	AS 'MODULE_PATHNAME', 'dayset_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30;
CREATE FUNCTION iamwatch.count_days(iamwatch.dayset) RETURNS integer
	AS 'MODULE_PATHNAME', 'dayset_count_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.count_days(iamwatch.dayset, date, date) RETURNS integer
	AS 'MODULE_PATHNAME', 'dayset_count_days' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.first_day(iamwatch.dayset) RETURNS date
	AS 'MODULE_PATHNAME', 'dayset_first_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.last_day(iamwatch.dayset) RETURNS date
	AS 'MODULE_PATHNAME', 'dayset_last_day' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(date) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_dates' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(date, date) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_dates' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.datemultirange(iamwatch.dayset) RETURNS datemultirange
	AS 'MODULE_PATHNAME', 'dayset_to_multirange' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset(datemultirange) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME', 'dayset_from_multirange' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.days(iamwatch.dayset) IS 'the days, a row each, in order';
COMMENT ON FUNCTION iamwatch.count_days(iamwatch.dayset) IS 'number of days';
COMMENT ON FUNCTION iamwatch.count_days(iamwatch.dayset, date, date) IS
'number of days from one date to another, both included; infinite dates mean no bound';
COMMENT ON FUNCTION iamwatch.first_day(iamwatch.dayset) IS 'first day; null for an empty set';
COMMENT ON FUNCTION iamwatch.last_day(iamwatch.dayset) IS 'last day; null for an empty set';
COMMENT ON FUNCTION iamwatch.dayset(date) IS 'the set of one day; 22008 for an infinite date';
COMMENT ON FUNCTION iamwatch.dayset(date, date) IS
'the days from one date to another, both included, none if reversed; 22008 for an infinite date';
COMMENT ON FUNCTION iamwatch.datemultirange(iamwatch.dayset) IS 'the same days as ranges';
COMMENT ON FUNCTION iamwatch.dayset(datemultirange) IS 'the same days as a set; 22008 for an unbounded range';

CREATE CAST (iamwatch.dayset AS datemultirange) WITH FUNCTION iamwatch.datemultirange(iamwatch.dayset) AS ASSIGNMENT;
CREATE CAST (datemultirange AS iamwatch.dayset) WITH FUNCTION iamwatch.dayset(datemultirange) AS ASSIGNMENT;

CREATE FUNCTION iamwatch.dayset_agg_trans(iamwatch.dayset, timestamptz) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_union_trans(iamwatch.dayset, iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION iamwatch.dayset_agg_final(iamwatch.dayset) RETURNS iamwatch.dayset
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.dayset_agg_trans(iamwatch.dayset, timestamptz) IS 'transition of dayset_agg()';
COMMENT ON FUNCTION iamwatch.dayset_union_trans(iamwatch.dayset, iamwatch.dayset) IS
'transition of dayset_union(); combines partial states of both aggregates';
COMMENT ON FUNCTION iamwatch.dayset_agg_final(iamwatch.dayset) IS 'the state as it is stored';

CREATE AGGREGATE iamwatch.dayset_agg(timestamptz) (
	SFUNC = iamwatch.dayset_agg_trans, STYPE = iamwatch.dayset, SSPACE = 64,
	COMBINEFUNC = iamwatch.dayset_union_trans, FINALFUNC = iamwatch.dayset_agg_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE iamwatch.dayset_union(iamwatch.dayset) (
	SFUNC = iamwatch.dayset_union_trans, STYPE = iamwatch.dayset, SSPACE = 64,
	COMBINEFUNC = iamwatch.dayset_union_trans, FINALFUNC = iamwatch.dayset_agg_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE iamwatch.dayset_agg(timestamptz) IS
'the UTC days of the times; null for no rows; 22008 for an infinite time';
COMMENT ON AGGREGATE iamwatch.dayset_union(iamwatch.dayset) IS 'the days of all sets; null for no rows';

-- What an audit event is once it has been read.

CREATE TYPE iamwatch.event AS (
	provider text,
	account text,
	event_id text,
	event_time timestamptz,
	identity text,
	identity_kind text,
	is_user boolean,
	service text,
	operation text,
	failed boolean,
	error_code text,
	source_ip inet,
	user_agent text,
	region text,
	instance_id text,
	target text
);
COMMENT ON TYPE iamwatch.event IS 'a normalised audit event of any provider';
COMMENT ON COLUMN iamwatch.event.provider IS 'aws or gcp';
COMMENT ON COLUMN iamwatch.event.account IS 'AWS account id, GCP project id';
COMMENT ON COLUMN iamwatch.event.event_id IS 'AWS eventID, GCP insertId; null if missing';
COMMENT ON COLUMN iamwatch.event.event_time IS 'when it happened, to the microsecond';
COMMENT ON COLUMN iamwatch.event.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.event.identity_kind IS
'root, user, federated_user, anonymous, unknown (people); role, instance, service, service_account, workload, account (not)';
COMMENT ON COLUMN iamwatch.event.is_user IS 'whether the identity is a person';
COMMENT ON COLUMN iamwatch.event.service IS 'AWS eventSource without .amazonaws.com, GCP serviceName';
COMMENT ON COLUMN iamwatch.event.operation IS 'AWS eventName, GCP methodName';
COMMENT ON COLUMN iamwatch.event.failed IS 'whether the provider refused it';
COMMENT ON COLUMN iamwatch.event.error_code IS 'AWS errorCode, GCP status.code';
COMMENT ON COLUMN iamwatch.event.source_ip IS 'null when the log names no plain address';
COMMENT ON COLUMN iamwatch.event.instance_id IS 'the AWS instance that the identity acts as';
COMMENT ON COLUMN iamwatch.event.target IS 'what it was done to, as far as the log says';

-- All tables.  State is keyed by account first, so that it shards by account:
-- account_id stands for (provider, account).

CREATE TABLE iamwatch.detectors (
	detector text PRIMARY KEY CHECK (detector <> ''),
	title text NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	activation_days integer NOT NULL DEFAULT 14 CHECK (activation_days BETWEEN 0 AND 3650),
	training_days integer NOT NULL DEFAULT 30 CHECK (training_days BETWEEN 1 AND 3650),
	deduplication_days integer NOT NULL DEFAULT 5 CHECK (deduplication_days BETWEEN 0 AND 3650),
	lateness_days integer NOT NULL DEFAULT 15 CHECK (lateness_days BETWEEN 0 AND 3650),
	probability_limit double precision NOT NULL DEFAULT 0.02
		CHECK (probability_limit >= 0 AND probability_limit <= 1),
	severity_base text NOT NULL DEFAULT 'informational'
		CHECK (severity_base IN ('informational', 'low', 'medium', 'high', 'critical')),
	severity_non_user text NOT NULL DEFAULT 'low'
		CHECK (severity_non_user IN ('informational', 'low', 'medium', 'high', 'critical')),
	severity_internet_facing text NOT NULL DEFAULT 'medium'
		CHECK (severity_internet_facing IN ('informational', 'low', 'medium', 'high', 'critical')),
	categories text[],
	least_sensitivity integer NOT NULL DEFAULT 1 CHECK (least_sensitivity BETWEEN 1 AND 4)
);
COMMENT ON TABLE iamwatch.detectors IS 'the settings, one row a detector; a change holds from the next statement of every session';
COMMENT ON COLUMN iamwatch.detectors.activation_days IS 'no alert until the account has that much log time before the event';
COMMENT ON COLUMN iamwatch.detectors.training_days IS 'the days before an event that it is compared with';
COMMENT ON COLUMN iamwatch.detectors.deduplication_days IS 'further events of a behaviour join its alert when its first event is less than this away';
COMMENT ON COLUMN iamwatch.detectors.lateness_days IS 'with the training period: how far behind the newest event of its account an event may be';
COMMENT ON COLUMN iamwatch.detectors.probability_limit IS 'an event is unusual below this probability';
COMMENT ON COLUMN iamwatch.detectors.severity_base IS 'severity when nothing more severe applies';
COMMENT ON COLUMN iamwatch.detectors.severity_non_user IS 'severity when the identity is not a person';
COMMENT ON COLUMN iamwatch.detectors.severity_internet_facing IS 'severity when the identity acts as an instance that faces the Internet';
COMMENT ON COLUMN iamwatch.detectors.categories IS 'categories of operations to watch; null for all';
COMMENT ON COLUMN iamwatch.detectors.least_sensitivity IS 'least sensitivity of operations to watch, 1 to 4';
INSERT INTO iamwatch.detectors (detector, title)
VALUES ('unusual_iam_activity', 'Unusual Identity and Access Management (IAM) activity');

CREATE TABLE iamwatch.operations (
	provider text NOT NULL CHECK (provider IN ('aws', 'gcp')),
	service text NOT NULL CHECK (service <> ''),
	operation text NOT NULL CHECK (operation <> ''),
	match text NOT NULL DEFAULT 'exact' CHECK (match IN ('exact', 'suffix')),
	category text NOT NULL,
	effect text NOT NULL CHECK (effect IN ('create', 'modify', 'delete', 'read')),
	attack_technique text,
	sensitivity integer NOT NULL DEFAULT 1 CHECK (sensitivity BETWEEN 1 AND 4),
	note text,
	origin text NOT NULL DEFAULT 'user' CHECK (origin IN ('user', 'iamwatch')),
	PRIMARY KEY (provider, service, operation, match, origin)
);
COMMENT ON TABLE iamwatch.operations IS
'the catalogue: which operations are IAM operations. Your own rows have origin user, win over the shipped ones, and survive dumps and upgrades';
COMMENT ON COLUMN iamwatch.operations.service IS 'as in the event; * for any service';
COMMENT ON COLUMN iamwatch.operations.operation IS 'the whole name, or with match suffix how it ends';
COMMENT ON COLUMN iamwatch.operations.effect IS 'read is not watched; neither are the categories session and sign_in';
COMMENT ON COLUMN iamwatch.operations.sensitivity IS '1 low to 4 direct foothold or privilege escalation';

CREATE TABLE iamwatch.instances (
	provider text NOT NULL CHECK (provider IN ('aws', 'gcp')),
	account text NOT NULL,
	instance_id text NOT NULL,
	public_ips inet[] NOT NULL DEFAULT '{}',
	internet_facing boolean NOT NULL DEFAULT false,
	PRIMARY KEY (provider, account, instance_id)
);
COMMENT ON TABLE iamwatch.instances IS 'the inventory of instances, kept by the user';
COMMENT ON COLUMN iamwatch.instances.internet_facing IS 'alerts of what acts as this instance are more severe';
CREATE INDEX instances_instance_id ON iamwatch.instances (instance_id);
CREATE INDEX instances_public_ips ON iamwatch.instances USING gin (public_ips);

CREATE TABLE iamwatch.sources (
	source regclass PRIMARY KEY,
	event_column name NOT NULL,
	watched_since timestamptz NOT NULL DEFAULT now(),
	order_column name,
	watermark text
);
COMMENT ON TABLE iamwatch.sources IS 'where events come from; kept by iamwatch.watch(), iamwatch.unwatch() and iamwatch.process()';
COMMENT ON COLUMN iamwatch.sources.order_column IS 'for iamwatch.process(): what grows with every row';
COMMENT ON COLUMN iamwatch.sources.watermark IS 'for iamwatch.process(): its value in the last row taken';

CREATE TABLE iamwatch.backfills (
	source regclass PRIMARY KEY,
	phase text NOT NULL DEFAULT 'reading' CHECK (phase IN ('reading', 'learning', 'scoring', 'raising', 'done')),
	since timestamptz,
	until timestamptz,
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at timestamptz,
	parts_done bigint NOT NULL DEFAULT 0,
	parts bigint NOT NULL DEFAULT 0,
	rows_done bigint NOT NULL DEFAULT 0,
	rows_expected bigint NOT NULL DEFAULT 0,
	days_done bigint NOT NULL DEFAULT 0,
	alerts bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE iamwatch.backfills IS 'the last backfill of each source; read iamwatch.backfill_progress';

CREATE TABLE iamwatch.rejected_events (
	rejected_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	source regclass,
	reason text NOT NULL,
	event jsonb,
	digest uuid NOT NULL
);
COMMENT ON TABLE iamwatch.rejected_events IS 'documents that could not be read, or lie in the future, with the reason';
COMMENT ON COLUMN iamwatch.rejected_events.event IS 'the document as it was stored; null if the column was null';
COMMENT ON COLUMN iamwatch.rejected_events.digest IS 'MD5 of the document: one delivered again is kept once';
CREATE INDEX rejected_events_digest ON iamwatch.rejected_events (digest);

CREATE TABLE iamwatch.accounts (
	account_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	provider text NOT NULL,
	account text NOT NULL,
	first_event_time timestamptz,
	newest_day date,
	late_events bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch.accounts IS 'AWS accounts and GCP projects that events were seen of';
COMMENT ON COLUMN iamwatch.accounts.first_event_time IS 'the activation period counts from here';
COMMENT ON COLUMN iamwatch.accounts.newest_day IS 'UTC day of the newest event; the kept history counts back from here';
COMMENT ON COLUMN iamwatch.accounts.late_events IS 'events that came too late to be learned or scored';
-- by hash: names in events can be longer than an index row
CREATE INDEX accounts_account ON iamwatch.accounts (hashtextextended(account, 0));

CREATE TABLE iamwatch.identity_days (
	account_id integer NOT NULL,
	identity_id bigint GENERATED ALWAYS AS IDENTITY,
	kinds integer NOT NULL,
	first_seen date NOT NULL,
	days iamwatch.dayset NOT NULL,
	identity text NOT NULL,
	PRIMARY KEY (account_id, identity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE iamwatch.identity_days IS 'per identity the days on which it did anything; read iamwatch.identities';
COMMENT ON COLUMN iamwatch.identity_days.kinds IS 'the kinds it was seen as: bit n for the n-th of iamwatch.kind_name()';
CREATE INDEX identity_days_identity ON iamwatch.identity_days (account_id, hashtextextended(identity, 0));

CREATE TABLE iamwatch.behaviours (
	account_id integer NOT NULL,
	behaviour_id integer GENERATED ALWAYS AS IDENTITY,
	failed boolean NOT NULL,
	service text NOT NULL,
	operation text NOT NULL,
	PRIMARY KEY (account_id, behaviour_id)
);
COMMENT ON TABLE iamwatch.behaviours IS 'the IAM operations seen in an account, succeeded and failed apart';
CREATE INDEX behaviours_operation ON iamwatch.behaviours (account_id, hashtextextended(operation, 0));

CREATE TABLE iamwatch.behaviour_days (
	account_id integer NOT NULL,
	behaviour_id integer NOT NULL,
	identity_id bigint NOT NULL,
	first_seen date NOT NULL,
	days iamwatch.dayset NOT NULL,
	PRIMARY KEY (account_id, behaviour_id, identity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE iamwatch.behaviour_days IS 'per identity and behaviour the days on which it did so; read iamwatch.baselines';

CREATE TABLE iamwatch.tallies (
	account_id integer NOT NULL,
	behaviour_id integer NOT NULL,
	is_user boolean NOT NULL,
	day date NOT NULL,
	identities integer NOT NULL,
	PRIMARY KEY (account_id, behaviour_id, is_user, day)
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch.tallies IS
'how many identities of an account did a behaviour on a day, so that scoring need not visit them all; follows from the days';
COMMENT ON COLUMN iamwatch.tallies.behaviour_id IS '0 stands for any activity';

CREATE TABLE iamwatch.journal (
	provider text NOT NULL,
	account text NOT NULL,
	first_event_time timestamptz,
	late_events bigint,
	identity text,
	kinds integer,
	service text,
	operation text,
	failed boolean,
	days iamwatch.dayset
);
COMMENT ON TABLE iamwatch.journal IS
'what was learned while another session was writing the same account; the next that writes it takes it over';
CREATE INDEX journal_account ON iamwatch.journal (hashtextextended(account, 0));

CREATE TABLE iamwatch.alerts (
	alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	detector text NOT NULL,
	variation text NOT NULL,
	severity text NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
	status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'investigating', 'closed')),
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
	evidence jsonb NOT NULL
);
COMMENT ON TABLE iamwatch.alerts IS 'unusual IAM activity, one row a behaviour of an identity and deduplication period';
COMMENT ON COLUMN iamwatch.alerts.variation IS 'which of the detector''s variations gave the severity';
COMMENT ON COLUMN iamwatch.alerts.first_event_time IS 'time of the event that raised it; the deduplication period counts from here';
COMMENT ON COLUMN iamwatch.alerts.event_count IS 'events that raised or joined it, each delivery of one counted once';
COMMENT ON COLUMN iamwatch.alerts.tactic IS 'ATT&CK tactic: TA0003 Persistence';
COMMENT ON COLUMN iamwatch.alerts.technique IS 'ATT&CK technique of the operation, T1098 if the catalogue has none';
COMMENT ON COLUMN iamwatch.alerts.probability IS 'iamwatch.probability(k, A, K, N) of the evidence';
COMMENT ON COLUMN iamwatch.alerts.surprise IS 'bits: -log2(probability)';
COMMENT ON COLUMN iamwatch.alerts.evidence IS
'k: days of the training period on which the identity did it; A: on which it was active; K, N: the same summed over its peers; peers: up to ten that do it; source_addresses, user_agents, targets, instances: up to twenty of the events; event_ids: up to a thousand, all are in iamwatch.alert_events';
CREATE INDEX alerts_identity ON iamwatch.alerts (hashtextextended(identity, 0), first_event_time);
CREATE INDEX alerts_detected_at ON iamwatch.alerts (detected_at);

CREATE TABLE iamwatch.alert_events (
	alert_id bigint NOT NULL,
	event_time timestamptz NOT NULL,
	event_id text
);
COMMENT ON TABLE iamwatch.alert_events IS 'the events of each alert; event_id is null when the log gave none';
CREATE INDEX alert_events_alert ON iamwatch.alert_events (alert_id, hashtextextended(event_id, 0));

CREATE TABLE iamwatch.pending_events (
	pending_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	detector text NOT NULL,
	provider text NOT NULL,
	account text NOT NULL,
	identity text NOT NULL,
	service text NOT NULL,
	operation text NOT NULL,
	failed boolean NOT NULL,
	event iamwatch.event NOT NULL,
	unusual boolean NOT NULL,
	again boolean NOT NULL,
	k integer NOT NULL,
	active integer NOT NULL,
	peer_days bigint NOT NULL,
	peer_active bigint NOT NULL,
	probability double precision NOT NULL
);
COMMENT ON TABLE iamwatch.pending_events IS
'events whose alert another session was just writing; the next that touches the behaviour, or iamwatch.maintain(), lets them join or open it';
CREATE INDEX pending_events_identity ON iamwatch.pending_events (hashtextextended(identity, 0));

CREATE TABLE iamwatch.end_of_statement ();
COMMENT ON TABLE iamwatch.end_of_statement IS 'always empty: its trigger runs when a statement on a watched table ends';

-- What a dump keeps: what users said and what was learned.  Nothing in it
-- depends on transaction ids; sources are written by name.
SELECT pg_catalog.pg_extension_config_dump('iamwatch.detectors', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.operations', $$WHERE origin = 'user'$$);
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY[
		'instances', 'sources', 'backfills', 'rejected_events', 'accounts', 'identity_days', 'behaviours',
		'behaviour_days', 'tallies', 'journal', 'alerts', 'alert_events', 'pending_events',
		'rejected_events_rejected_id_seq', 'accounts_account_id_seq',
		'identity_days_identity_id_seq', 'behaviours_behaviour_id_seq', 'alerts_alert_id_seq',
		'pending_events_pending_id_seq']
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(('iamwatch.' || name)::regclass, '');
	END LOOP;
END $$;

-- The catalogue's triggers; its rows follow.

CREATE FUNCTION iamwatch.try_lock(class integer, key integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch.try_lock(integer, integer) IS
'take a lock of iamwatch until the transaction ends; false at once if another session has it';

CREATE FUNCTION iamwatch.try_session_lock(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_session_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch.try_session_lock(integer, bigint) IS
'take the lock of the session, until released, an error or its end; false at once if it has one or another session has this one';
CREATE FUNCTION iamwatch.session_unlock() RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_session_unlock' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch.session_unlock() IS 'release the lock of the session, if it has one';
CREATE FUNCTION iamwatch.session_lock_held(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_session_lock_held' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch.session_lock_held(integer, bigint) IS 'whether any session has a lock of iamwatch';

CREATE FUNCTION iamwatch.settings_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_settings_changed' LANGUAGE C;
COMMENT ON FUNCTION iamwatch.settings_changed() IS
'trigger: every session reads the table again before its next event';

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.operations
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch.settings_changed();
CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.detectors
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch.settings_changed();
ALTER TABLE iamwatch.operations ENABLE ALWAYS TRIGGER settings_changed;
ALTER TABLE iamwatch.detectors ENABLE ALWAYS TRIGGER settings_changed;

CREATE FUNCTION iamwatch.own_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.origin := 'user';
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch.own_operation() IS
'trigger: a shipped row that somebody changed is theirs, so that dumps and upgrades keep it';
CREATE TRIGGER own_operation BEFORE UPDATE ON iamwatch.operations
	FOR EACH ROW WHEN (OLD.origin = 'iamwatch') EXECUTE FUNCTION iamwatch.own_operation();

CREATE FUNCTION iamwatch.check_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	severities constant text[] := ARRAY['informational', 'low', 'medium', 'high', 'critical'];
	setting record;
	oldest integer;
BEGIN
	FOR setting IN SELECT * FROM (VALUES
		('activation_days', NEW.activation_days, 0, 3650), ('training_days', NEW.training_days, 1, 3650),
		('deduplication_days', NEW.deduplication_days, 0, 3650), ('lateness_days', NEW.lateness_days, 0, 3650),
		('least_sensitivity', NEW.least_sensitivity, 1, 4)) AS v (name, value, least, most)
	LOOP
		IF setting.value IS NULL OR setting.value NOT BETWEEN setting.least AND setting.most THEN
			RAISE EXCEPTION '% must be between % and %', setting.name, setting.least, setting.most
				USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', coalesce(setting.value::text, 'null'));
		END IF;
	END LOOP;
	FOR setting IN SELECT * FROM (VALUES ('severity_base', NEW.severity_base),
		('severity_non_user', NEW.severity_non_user),
		('severity_internet_facing', NEW.severity_internet_facing)) AS v (name, value)
	LOOP
		IF setting.value IS NULL OR setting.value <> ALL (severities) THEN
			RAISE EXCEPTION '% is not a severity: %', setting.name, coalesce(quote_literal(setting.value), 'null')
				USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Use one of %s.', array_to_string(severities, ', '));
		END IF;
	END LOOP;
	IF NEW.probability_limit IS NULL OR NEW.probability_limit NOT BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'probability_limit must be between 0 and 1'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', coalesce(NEW.probability_limit::text, 'null'));
	END IF;

	-- what maintain() has dropped does not come back by asking for more
	SELECT max(2 * d.training_days + d.lateness_days) INTO oldest FROM iamwatch.detectors AS d;
	IF TG_OP = 'UPDATE' AND NEW.training_days > oldest AND EXISTS (SELECT FROM iamwatch.accounts AS a
		WHERE (SELECT min(t.day) FROM iamwatch.tallies AS t WHERE t.account_id = a.account_id) >= a.newest_day - oldest
		AND a.first_event_time < (a.newest_day - oldest)::timestamp AT TIME ZONE 'UTC') THEN
		RAISE EXCEPTION 'training_days (%) is more than the % days of history that are kept', NEW.training_days, oldest
			USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Raise lateness_days to %s, run iamwatch.backfill() for the days before, and lower it again.',
				NEW.training_days);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch.check_detector() IS 'trigger: 22023 for settings that cannot be, naming them';
CREATE TRIGGER check_detector BEFORE INSERT OR UPDATE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch.check_detector();

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION iamwatch.replace_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.detectors AS d
	WHERE d.detector = NEW.detector AND d.detector = 'unusual_iam_activity'
	AND (d.enabled, d.activation_days, d.training_days, d.deduplication_days, d.lateness_days,
		d.probability_limit, d.severity_base, d.severity_non_user, d.severity_internet_facing,
		d.least_sensitivity) = (true, 14, 30, 5, 15, 0.02, 'informational', 'low', 'medium', 1)
	AND d.categories IS NULL;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch.replace_detector() IS
'trigger: the shipped detector, as long as nobody changed it, gives way to a restored one';
CREATE TRIGGER replace_detector BEFORE INSERT ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch.replace_detector();

CREATE FUNCTION iamwatch.find_operation(provider text, service text, operation text)
	RETURNS iamwatch.operations
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row iamwatch.operations;
BEGIN
	SELECT * INTO found_row FROM iamwatch.operations AS o
	WHERE o.provider = $1 AND o.service IN ($2, '*') AND o.operation = $3 AND o.match = 'exact'
	ORDER BY o.service = '*', o.origin <> 'user'
	LIMIT 1;
	IF NOT FOUND THEN
		SELECT * INTO found_row FROM iamwatch.operations AS o
		WHERE o.provider = $1 AND o.service IN ($2, '*') AND o.match = 'suffix'
		AND right($3, length(o.operation)) = o.operation
		ORDER BY length(o.operation) DESC, o.service = '*', o.origin <> 'user'
		LIMIT 1;
	END IF;
	RETURN found_row;
END $$;
COMMENT ON FUNCTION iamwatch.find_operation(text, text, text) IS
'the row of the catalogue that an operation falls under, or null: an exact row before a suffix row, the longest suffix, a named service before any, a user''s row before a shipped one';

-- Made from data/catalogue.
INSERT INTO iamwatch.operations VALUES
('aws', 'access-analyzer', 'CancelPolicyGeneration', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'access-analyzer', 'CreateAccessPreview', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'access-analyzer', 'StartPolicyGeneration', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'acm-pca', 'CreatePermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'acm-pca', 'DeletePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'aoss', 'CreateAccessPolicy', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'aoss', 'DeleteAccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'aoss', 'UpdateAccessPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'appstream2', 'DeleteImagePermissions', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'appstream2', 'UpdateImagePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'aps', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'aps', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'backup', 'DeleteBackupVaultAccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'backup', 'PutBackupVaultAccessPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'bedrock', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'bedrock', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'bedrock-agentcore-control', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'bedrock-agentcore-control', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'catalog.marketplace', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'catalog.marketplace', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'cloudfront', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'cloudfront', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'cloudhsmv2', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'cloudhsmv2', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'cloudtrail', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'cloudtrail', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'codebuild', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'codebuild', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'codeguru-profiler', 'PutPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'codeguru-profiler', 'RemovePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'codestar', 'CreateProject', 'exact', 'permission', 'create', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'CreateIdentityPool', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'DeleteIdentities', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'DeleteIdentityPool', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'MergeDeveloperIdentities', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'SetIdentityPoolRoles', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'SetPrincipalTagAttributeMap', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'UnlinkDeveloperIdentity', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-identity', 'UpdateIdentityPool', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AddCustomAttributes', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AddUserPoolClientSecret', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminAddUserToGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminConfirmSignUp', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminCreateUser', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminDeleteUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminDeleteUserAttributes', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminDisableProviderForUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminDisableUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminEnableUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminLinkProviderForUser', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminRemoveUserFromGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminResetUserPassword', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminSetUserMFAPreference', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminSetUserPassword', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminSetUserSettings', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'AdminUpdateUserAttributes', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateIdentityProvider', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateManagedLoginBranding', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateResourceServer', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateTerms', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateUserImportJob', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateUserPool', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateUserPoolClient', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'CreateUserPoolDomain', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteIdentityProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteManagedLoginBranding', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteResourceServer', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteTerms', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteUserPool', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteUserPoolClient', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteUserPoolClientSecret', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'DeleteUserPoolDomain', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'SetLogDeliveryConfiguration', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'SetRiskConfiguration', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'SetUICustomization', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'SetUserPoolMfaConfig', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateGroup', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateIdentityProvider', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateManagedLoginBranding', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateResourceServer', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateTerms', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateUserPool', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateUserPoolClient', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'cognito-idp', 'UpdateUserPoolDomain', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'comprehend', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'comprehend', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'controlplane.payment-cryptography', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'controlplane.payment-cryptography', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'data.qapps', 'UpdateQAppPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'dataexchange', 'CreateDataGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'dataexchange', 'DeleteDataGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'datazone', 'AddPolicyGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'datazone', 'CreateSubscriptionGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'datazone', 'DeleteSubscriptionGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 'datazone', 'RemovePolicyGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'devicefarm', 'CreateInstanceProfile', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'devicefarm', 'DeleteInstanceProfile', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'devicefarm', 'UpdateInstanceProfile', 'exact', 'role', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'dms', 'CreateInstanceProfile', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'dms', 'DeleteInstanceProfile', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'dms', 'ModifyInstanceProfile', 'exact', 'role', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'dynamodb', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'dynamodb', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'AssociateIamInstanceProfile', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'CreateKeyPair', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'CreateNetworkInterfacePermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'DeleteNetworkInterfacePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ec2', 'DisassociateIamInstanceProfile', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'ec2', 'ImportKeyPair', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'ModifyFpgaImageAttribute', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'ModifyImageAttribute', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'ModifySnapshotAttribute', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'ModifyVpcEndpointServicePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ec2', 'ReplaceIamInstanceProfileAssociation', 'exact', 'role', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'ec2-instance-connect', 'SendSSHPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'ec2-instance-connect', 'SendSerialConsoleSSHPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'ecr', 'DeleteRegistryPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ecr', 'DeleteRepositoryPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ecr', 'PutRegistryPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ecr', 'SetRepositoryPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ecr-public', 'DeleteRepositoryPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ecr-public', 'SetRepositoryPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'eks', 'AssociateAccessPolicy', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'eks', 'CreateAccessEntry', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'eks', 'DeleteAccessEntry', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'eks', 'DisassociateAccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'eks', 'UpdateAccessEntry', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'elasticfilesystem', 'DeleteFileSystemPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'elasticfilesystem', 'PutFileSystemPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'events', 'PutPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'events', 'RemovePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'glacier', 'DeleteVaultAccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'glacier', 'SetVaultAccessPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'glue', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'glue', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'grafana', 'UpdatePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'iam', 'AcceptDelegationRequest', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'AddClientIDToOpenIDConnectProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'AddRoleToInstanceProfile', 'exact', 'role', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'AddUserToGroup', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'AssociateDelegationRequest', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'AttachGroupPolicy', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'AttachRolePolicy', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'AttachUserPolicy', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'ChangePassword', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'CreateAccessKey', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateAccountAlias', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'CreateDelegationRequest', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'CreateGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'CreateInstanceProfile', 'exact', 'role', 'create', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'CreateLoginProfile', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateOpenIDConnectProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreatePolicy', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'CreatePolicyVersion', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateRole', 'exact', 'role', 'create', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'CreateSAMLProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateServiceLinkedRole', 'exact', 'role', 'create', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'CreateServiceSpecificCredential', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateUser', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'CreateVirtualMFADevice', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'iam', 'DeactivateMFADevice', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteAccessKey', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteAccountAlias', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteAccountPasswordPolicy', 'exact', 'credential', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteGroupPolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteInstanceProfile', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteLoginProfile', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteOpenIDConnectProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeletePolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeletePolicyVersion', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteRole', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteRolePermissionsBoundary', 'exact', 'permission', 'delete', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteRolePolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteSAMLProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteSSHPublicKey', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteServerCertificate', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteServiceLinkedRole', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteServiceSpecificCredential', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteSigningCertificate', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteUserPermissionsBoundary', 'exact', 'permission', 'delete', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteUserPolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DeleteVirtualMFADevice', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('aws', 'iam', 'DetachGroupPolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DetachRolePolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DetachUserPolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DisableOrganizationsRootCredentialsManagement', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DisableOrganizationsRootSessions', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'DisableOutboundWebIdentityFederation', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'EnableMFADevice', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'iam', 'EnableOrganizationsRootCredentialsManagement', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'EnableOrganizationsRootSessions', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'EnableOutboundWebIdentityFederation', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 'iam', 'GenerateCredentialReport', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GenerateOrganizationsAccessReport', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GenerateServiceLastAccessedDetails', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetAccessKeyLastUsed', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetAccountAuthorizationDetails', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetAccountPasswordPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetAccountSummary', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetContextKeysForCustomPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetContextKeysForPrincipalPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetCredentialReport', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetDelegationRequest', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetGroup', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetGroupPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetHumanReadableSummary', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetInstanceProfile', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetLoginProfile', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetMFADevice', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetOpenIDConnectProvider', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetOrganizationsAccessReport', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetOutboundWebIdentityFederationInfo', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetPolicyVersion', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetRole', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetRolePolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetSAMLProvider', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetSSHPublicKey', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetServerCertificate', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetServiceLastAccessedDetails', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetServiceLastAccessedDetailsWithEntities', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetServiceLinkedRoleDeletionStatus', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetUser', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'GetUserPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListAccessKeys', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListAccountAliases', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListAttachedGroupPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListAttachedRolePolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListAttachedUserPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListDelegationRequests', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListEntitiesForPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListGroupPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListGroups', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListGroupsForUser', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListInstanceProfileTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListInstanceProfiles', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListInstanceProfilesForRole', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListMFADeviceTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListMFADevices', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListOpenIDConnectProviderTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListOpenIDConnectProviders', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListOrganizationsFeatures', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListPoliciesGrantingServiceAccess', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListPolicyTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListPolicyVersions', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListRolePolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListRoleTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListRoles', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListSAMLProviderTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListSAMLProviders', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListSSHPublicKeys', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListServerCertificateTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListServerCertificates', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListServiceSpecificCredentials', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListSigningCertificates', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListUserPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListUserTags', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListUsers', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'ListVirtualMFADevices', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'PutGroupPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'PutRolePermissionsBoundary', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'PutRolePolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'PutUserPermissionsBoundary', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'PutUserPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'RejectDelegationRequest', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'RemoveClientIDFromOpenIDConnectProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'iam', 'RemoveRoleFromInstanceProfile', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'RemoveUserFromGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'ResetServiceSpecificCredential', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'ResyncMFADevice', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'iam', 'SendDelegationToken', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'SetDefaultPolicyVersion', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'iam', 'SetSecurityTokenServicePreferences', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'SimulateCustomPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'SimulatePrincipalPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagInstanceProfile', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagMFADevice', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagOpenIDConnectProvider', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagPolicy', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagRole', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagSAMLProvider', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagServerCertificate', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'TagUser', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagInstanceProfile', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagMFADevice', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagOpenIDConnectProvider', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagPolicy', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagRole', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagSAMLProvider', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagServerCertificate', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'iam', 'UntagUser', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 'iam', 'UpdateAccessKey', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateAccountPasswordPolicy', 'exact', 'credential', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateAssumeRolePolicy', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateDelegationRequest', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateGroup', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateLoginProfile', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateOpenIDConnectProviderThumbprint', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateRole', 'exact', 'role', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateRoleDescription', 'exact', 'role', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateSAMLProvider', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateSSHPublicKey', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateServerCertificate', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateServiceSpecificCredential', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateSigningCertificate', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UpdateUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UploadSSHPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UploadServerCertificate', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iam', 'UploadSigningCertificate', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'identitystore', 'CreateGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'identitystore', 'CreateGroupMembership', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'identitystore', 'CreateUser', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('aws', 'identitystore', 'DeleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'identitystore', 'DeleteGroupMembership', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'identitystore', 'DeleteUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'identitystore', 'UpdateGroup', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'identitystore', 'UpdateUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'iot', 'AttachPolicy', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'iot', 'CreateKeysAndCertificate', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'iotsitewise', 'CreateAccessPolicy', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'iotsitewise', 'DeleteAccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'iotsitewise', 'UpdateAccessPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'kinesis', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'kinesis', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'kms', 'CreateGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'kms', 'PutKeyPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'kms', 'RetireGrant', 'exact', 'resource_policy', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'kms', 'RevokeGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lakeformation', 'RevokePermissions', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lambda', 'AddLayerVersionPermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'lambda', 'AddPermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'lambda', 'AddPermission20150331', 'exact', 'resource_policy', 'create', 'T1098', 3, 'API version is part of the logged name', 'iamwatch'),
('aws', 'lambda', 'AddPermission20150331v2', 'exact', 'resource_policy', 'create', 'T1098', 3, 'API version is part of the logged name', 'iamwatch'),
('aws', 'lambda', 'CreateFunctionUrlConfig', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'lambda', 'DeleteFunctionUrlConfig', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lambda', 'RemoveLayerVersionPermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lambda', 'RemovePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lambda', 'RemovePermission20150331v2', 'exact', 'resource_policy', 'delete', 'T1098', 2, 'API version is part of the logged name', 'iamwatch'),
('aws', 'lambda', 'UpdateFunctionUrlConfig', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'license-manager', 'CreateGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'license-manager', 'DeleteGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lightsail', 'DownloadDefaultKeyPair', 'exact', 'credential', 'modify', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'logs', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'logs', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'lookoutequipment', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'lookoutequipment', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'memory-db', 'CreateACL', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'memory-db', 'DeleteACL', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'memory-db', 'UpdateACL', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'models-v2-lex', 'CreateResourcePolicy', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'models-v2-lex', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'models-v2-lex', 'UpdateResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'network-firewall', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'network-firewall', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'networkmanager', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'networkmanager', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'omics', 'DeleteS3AccessPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'omics', 'PutS3AccessPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'AcceptHandshake', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'AttachPolicy', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'CancelHandshake', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'CloseAccount', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'CreateAccount', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'CreateGovCloudAccount', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'CreateOrganization', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'CreateOrganizationalUnit', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'CreatePolicy', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'DeclineHandshake', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'DeleteOrganization', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'DeleteOrganizationalUnit', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'DeletePolicy', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'DeleteResourcePolicy', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'DeregisterDelegatedAdministrator', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'DetachPolicy', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'DisableAWSServiceAccess', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'DisablePolicyType', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'EnableAWSServiceAccess', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'EnableAllFeatures', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'EnablePolicyType', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'InviteAccountToOrganization', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'InviteOrganizationToTransferResponsibility', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'LeaveOrganization', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'MoveAccount', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'organizations', 'PutResourcePolicy', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'RegisterDelegatedAdministrator', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'organizations', 'RemoveAccountFromOrganization', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'organizations', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'TerminateResponsibilityTransfer', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'UpdateOrganizationalUnit', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'organizations', 'UpdatePolicy', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 'organizations', 'UpdateResponsibilityTransfer', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'osis', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'osis', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'qbusiness', 'AssociatePermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'qbusiness', 'DisassociatePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'quicksight', 'CreateCustomPermissions', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'DeleteAccountCustomPermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'quicksight', 'DeleteCustomPermissions', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'quicksight', 'DeleteRoleCustomPermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'quicksight', 'DeleteUserCustomPermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateAccountCustomPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateActionConnectorPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateAnalysisPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateApplicationWithTokenExchangeGrant', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateCustomPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateDashboardPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateDataSetPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateDataSourcePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateFlowPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateFolderPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateRoleCustomPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateTemplatePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateThemePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateTopicPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'quicksight', 'UpdateUserCustomPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ram', 'AcceptResourceShareInvitation', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'AssociateResourceShare', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'AssociateResourceSharePermission', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'CreatePermission', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'CreatePermissionVersion', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'CreateResourceShare', 'exact', 'resource_policy', 'create', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'DeletePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'DeletePermissionVersion', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'DeleteResourceShare', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'DisassociateResourceShare', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'DisassociateResourceSharePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'EnableSharingWithAwsOrganization', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'PromotePermissionCreatedFromPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'PromoteResourceShareCreatedFromPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'RejectResourceShareInvitation', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'ReplacePermissionAssociations', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'SetDefaultPermissionVersion', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'TagResource', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'UntagResource', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ram', 'UpdateResourceShare', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'rds', 'ModifyDBClusterSnapshotAttribute', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'rds', 'ModifyDBInstance', 'exact', 'credential', 'modify', 'T1098.001', 2, 'can set the master password', 'iamwatch'),
('aws', 'rds', 'ModifyDBSnapshotAttribute', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'redshift', 'CreateSnapshotCopyGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'redshift', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'redshift', 'DeleteSnapshotCopyGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'redshift', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'redshift-serverless', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'redshift-serverless', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'refactor-spaces', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'refactor-spaces', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'rekognition', 'DeleteProjectPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'rekognition', 'PutProjectPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'CreateProfile', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'CreateTrustAnchor', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DeleteAttributeMapping', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DeleteCrl', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DeleteProfile', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DeleteTrustAnchor', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DisableCrl', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DisableProfile', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'DisableTrustAnchor', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'EnableCrl', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'EnableProfile', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'EnableTrustAnchor', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'ImportCrl', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'PutAttributeMapping', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'PutNotificationSettings', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'ResetNotificationSettings', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'UpdateCrl', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'UpdateProfile', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rolesanywhere', 'UpdateTrustAnchor', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'rum', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'rum', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3', 'DeleteBucketPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3', 'DeleteBucketPublicAccessBlock', 'exact', 'resource_policy', 'delete', 'T1098', 3, 'logged name of DeletePublicAccessBlock', 'iamwatch'),
('aws', 's3', 'DeletePublicAccessBlock', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3', 'PutAccountPublicAccessBlock', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3', 'PutBucketAcl', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3', 'PutBucketPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3', 'PutBucketPublicAccessBlock', 'exact', 'resource_policy', 'modify', 'T1098', 3, 'logged name of PutPublicAccessBlock', 'iamwatch'),
('aws', 's3', 'PutObjectAcl', 'exact', 'resource_policy', 'modify', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3', 'PutPublicAccessBlock', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3-control', 'CreateAccessGrant', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3-control', 'DeleteAccessGrant', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3-control', 'DeleteAccessGrantsInstanceResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3-control', 'DeleteBucketPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3-control', 'DeletePublicAccessBlock', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3-control', 'PutAccessGrantsInstanceResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3-control', 'PutBucketPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3-control', 'PutPublicAccessBlock', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3files', 'DeleteFileSystemPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3files', 'PutFileSystemPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 's3tables', 'DeleteTableBucketPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3tables', 'PutTableBucketPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 's3vectors', 'DeleteVectorBucketPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 's3vectors', 'PutVectorBucketPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'schemas', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'schemas', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'secretsmanager', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'secretsmanager', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'signer', 'AddProfilePermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'signer', 'RemoveProfilePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'signin', 'ConsoleLogin', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'sign-in; not an IAM change', 'iamwatch'),
('aws', 'signin', 'CredentialChallenge', 'exact', 'sign_in', 'modify', 'T1078.004', 1, NULL, 'iamwatch'),
('aws', 'signin', 'CredentialVerification', 'exact', 'sign_in', 'modify', 'T1078.004', 1, NULL, 'iamwatch'),
('aws', 'signin', 'EmailUpdated', 'exact', 'account', 'modify', 'T1136.003', 4, 'root e-mail address', 'iamwatch'),
('aws', 'signin', 'PasswordRecoveryCompleted', 'exact', 'credential', 'modify', 'T1098.001', 4, 'root password recovery', 'iamwatch'),
('aws', 'signin', 'PasswordRecoveryRequested', 'exact', 'credential', 'modify', 'T1098.001', 3, 'root password recovery', 'iamwatch'),
('aws', 'signin', 'PasswordUpdated', 'exact', 'credential', 'modify', 'T1098.001', 4, 'root password', 'iamwatch'),
('aws', 'signin', 'SwitchRole', 'exact', 'sign_in', 'modify', 'T1078.004', 1, NULL, 'iamwatch'),
('aws', 'signin', 'UserAuthentication', 'exact', 'sign_in', 'modify', 'T1078.004', 1, NULL, 'iamwatch'),
('aws', 'sms-voice', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'sms-voice', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'sns', 'AddPermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'sns', 'RemovePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'sns', 'SetTopicAttributes', 'exact', 'resource_policy', 'modify', 'T1098', 2, 'a topic policy is set this way', 'iamwatch'),
('aws', 'sqs', 'AddPermission', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'sqs', 'RemovePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'sqs', 'SetQueueAttributes', 'exact', 'resource_policy', 'modify', 'T1098', 2, 'a queue policy is set this way', 'iamwatch'),
('aws', 'ssm', 'CreateActivation', 'exact', 'credential', 'create', 'T1098.001', 3, 'hybrid activation vends a managed-instance credential', 'iamwatch'),
('aws', 'ssm', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ssm', 'ModifyDocumentPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ssm', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ssm-incidents', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ssm-incidents', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'ssm-sap', 'DeleteResourcePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'ssm-sap', 'PutResourcePermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'sso', 'AddRegion', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'AssociateProfile', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'sso', 'AttachCustomerManagedPolicyReferenceToPermissionSet', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'AttachManagedPolicyToPermissionSet', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'sso', 'CreateAccountAssignment', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'sso', 'CreateApplication', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'CreateApplicationAssignment', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'CreateInstance', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'CreateInstanceAccessControlAttributeConfiguration', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'CreateManagedApplicationInstance', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'sso', 'CreatePermissionSet', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'CreateProfile', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'CreateTrust', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso', 'CreateTrustedTokenIssuer', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteAccountAssignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteApplication', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteApplicationAccessScope', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteApplicationAssignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteApplicationAuthenticationMethod', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteApplicationGrant', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteInlinePolicyFromPermissionSet', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteInstance', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteInstanceAccessControlAttributeConfiguration', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeletePermissionSet', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeletePermissionsBoundaryFromPermissionSet', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DeleteTrustedTokenIssuer', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DetachCustomerManagedPolicyReferenceFromPermissionSet', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DetachManagedPolicyFromPermissionSet', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'DisassociateProfile', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso', 'ProvisionPermissionSet', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'PutApplicationAccessScope', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'PutApplicationAssignmentConfiguration', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'PutApplicationAuthenticationMethod', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'PutApplicationGrant', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'PutApplicationSessionConfiguration', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'PutInlinePolicyToPermissionSet', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'sso', 'PutPermissionsBoundaryToPermissionSet', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'RemoveRegion', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'UpdateApplication', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'UpdateInstance', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'sso', 'UpdateInstanceAccessControlAttributeConfiguration', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'UpdatePermissionSet', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso', 'UpdateSSOConfiguration', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso', 'UpdateTrustedTokenIssuer', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'sso-directory', 'AddMemberToGroup', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'CreateBearerToken', 'exact', 'credential', 'create', 'T1098.001', 4, 'SCIM token', 'iamwatch'),
('aws', 'sso-directory', 'CreateExternalIdPConfigurationForDirectory', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'CreateGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'sso-directory', 'CreateUser', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'DeleteBearerToken', 'exact', 'credential', 'delete', 'T1098.001', 2, 'SCIM token', 'iamwatch'),
('aws', 'sso-directory', 'DeleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso-directory', 'DeleteMfaDeviceForUser', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'DeleteUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'sso-directory', 'DisableExternalIdPConfigurationForDirectory', 'exact', 'federation', 'delete', 'T1484.002', 3, NULL, 'iamwatch'),
('aws', 'sso-directory', 'DisableUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('aws', 'sso-directory', 'EnableExternalIdPConfigurationForDirectory', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'EnableUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('aws', 'sso-directory', 'ImportExternalIdPCertificate', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'RemoveMemberFromGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'sso-directory', 'UpdateExternalIdPConfigurationForDirectory', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'UpdateMfaDeviceForUser', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('aws', 'sso-directory', 'UpdatePassword', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('aws', 'sso-directory', 'UpdateUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('aws', 'sso-directory', 'VerifyEmail', 'exact', 'credential', 'modify', 'T1098.001', 2, NULL, 'iamwatch'),
('aws', 'sts', 'AssumeRole', 'exact', 'session', 'create', 'T1550.001', 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'AssumeRoleWithSAML', 'exact', 'session', 'create', 'T1550.001', 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'AssumeRoleWithWebIdentity', 'exact', 'session', 'create', 'T1550.001', 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'AssumeRoot', 'exact', 'credential', 'create', 'T1098.001', 4, 'root session of a member account', 'iamwatch'),
('aws', 'sts', 'DecodeAuthorizationMessage', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'GetAccessKeyInfo', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'GetCallerIdentity', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'GetDelegatedAccessToken', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'GetFederationToken', 'exact', 'credential', 'create', 'T1098.001', 3, 'outlives the key that asked for it', 'iamwatch'),
('aws', 'sts', 'GetSessionToken', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'sts', 'GetWebIdentityToken', 'exact', 'read', 'read', NULL, 1, 'session issue; not an IAM change', 'iamwatch'),
('aws', 'transfer', 'ImportSshPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'BatchIsAuthorizedWithToken', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'CreateIdentitySource', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'CreatePolicy', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'CreatePolicyStore', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'CreatePolicyStoreAlias', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'CreatePolicyTemplate', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'DeleteIdentitySource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'DeletePolicy', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'DeletePolicyStore', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'DeletePolicyStoreAlias', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'DeletePolicyTemplate', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'PutSchema', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'TagResource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'UntagResource', 'exact', 'other', 'delete', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'UpdateIdentitySource', 'exact', 'other', 'modify', 'T1098', 1, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'UpdatePolicy', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'UpdatePolicyStore', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'verifiedpermissions', 'UpdatePolicyTemplate', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('aws', 'vpc-lattice', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'vpc-lattice', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'waf', 'DeletePermissionPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'waf', 'PutPermissionPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'waf-regional', 'DeletePermissionPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'waf-regional', 'PutPermissionPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'wafv2', 'DeletePermissionPolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'wafv2', 'PutPermissionPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'workdocs', 'AddResourcePermissions', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'workdocs', 'RemoveAllResourcePermissions', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'workdocs', 'RemoveResourcePermission', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'workmail', 'DeleteMailboxPermissions', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'workmail', 'PutMailboxPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'workspaces', 'ModifySelfservicePermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'workspaces', 'UpdateConnectionAliasPermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'workspaces', 'UpdateWorkspaceImagePermission', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('aws', 'xray', 'DeleteResourcePolicy', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('aws', 'xray', 'PutResourcePolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', '*', '.SetIAMPolicy', 'suffix', 'resource_policy', 'modify', 'T1098', 3, 'any service whose method ends so', 'iamwatch'),
('gcp', '*', '.SetIamPolicy', 'suffix', 'resource_policy', 'modify', 'T1098', 3, 'any service whose method ends so', 'iamwatch'),
('gcp', '*', '.setIamPolicy', 'suffix', 'resource_policy', 'modify', 'T1098', 3, 'any service whose method ends so', 'iamwatch'),
('gcp', '*', 'SetIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.addApplication', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.addGroupMember', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.addPrivilege', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.addToTrustedOauth2Apps', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.addTrustedDomains', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.allowStrongAuthentication', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.assignRole', 'exact', 'role', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.authorizeApiClientAccess', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.changeGroupSetting', 'exact', 'group', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.changePassword', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.changePasswordOnNextLogin', 'exact', 'credential', 'modify', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.changeSsoSettings', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.changeTwoStepVerificationFrequency', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.createGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.createRole', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.createUser', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.deleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.deleteRole', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.deleteUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.enforceStrongAuthentication', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.generateOneTimePassword', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.grantAdminPrivilege', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.grantDelegatedAdminPrivileges', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.inboundSsoProfileAssignmentChanged', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.inboundSsoProfileCreated', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.inboundSsoProfileDeleted', 'exact', 'federation', 'delete', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.inboundSsoProfileUpdated', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.removeApiClientAccess', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.removeGroupMember', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.removePrivilege', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.removeTrustedDomains', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.renameRole', 'exact', 'role', 'modify', 'T1098.003', 1, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.renameUser', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.revoke2SvDevice', 'exact', 'mfa', 'delete', 'T1556.006', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.revokeAdminPrivilege', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.suspendUser', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.toggleSsoEnabled', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.turnOff2StepVerification', 'exact', 'mfa', 'modify', 'T1556.006', 4, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.unassignRole', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.undeleteUser', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.unsuspendUser', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.updateGroupMember', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'admin.googleapis.com', 'google.admin.AdminService.updateRole', 'exact', 'role', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'apikeys.googleapis.com', 'google.api.apikeys.v2.ApiKeys.CreateKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'apikeys.googleapis.com', 'google.api.apikeys.v2.ApiKeys.DeleteKey', 'exact', 'credential', 'delete', 'T1098.001', 1, NULL, 'iamwatch'),
('gcp', 'apikeys.googleapis.com', 'google.api.apikeys.v2.ApiKeys.UndeleteKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'apikeys.googleapis.com', 'google.api.apikeys.v2.ApiKeys.UpdateKey', 'exact', 'credential', 'modify', 'T1098.001', 2, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('gcp', 'bigquery.googleapis.com', 'google.cloud.bigquery.v2.DatasetService.UpdateDataset', 'exact', 'resource_policy', 'modify', 'T1098', 2, 'a dataset access list is set this way', 'iamwatch'),
('gcp', 'bigquery.googleapis.com', 'google.iam.v1.IAMPolicy.SetIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'clientauthconfig.googleapis.com', 'CreateBrand', 'exact', 'credential', 'create', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'clientauthconfig.googleapis.com', 'CreateClient', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'clientauthconfig.googleapis.com', 'DeleteClient', 'exact', 'credential', 'delete', 'T1098.001', 1, NULL, 'iamwatch'),
('gcp', 'clientauthconfig.googleapis.com', 'UpdateClient', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.GroupsService.CreateGroup', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.GroupsService.DeleteGroup', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.GroupsService.UpdateGroup', 'exact', 'group', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.MembershipsService.CreateMembership', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.MembershipsService.DeleteMembership', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'cloudidentity.googleapis.com', 'google.apps.cloudidentity.groups.v1.MembershipsService.ModifyMembershipRoles', 'exact', 'group', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'ClearOrgPolicy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'InsertProjectOwnershipInvite', 'exact', 'permission', 'create', 'T1098.003', 4, 'invites an owner from outside', 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'SetIamPolicyFolder', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'SetIamPolicyOrganization', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'SetIamPolicyProject', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'SetOrgPolicy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'TagBindings.CreateTagBinding', 'exact', 'permission', 'create', 'T1098.003', 2, 'a tag can switch on a conditional binding', 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'google.cloud.resourcemanager.v3.Folders.SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'google.cloud.resourcemanager.v3.Organizations.SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'google.cloud.resourcemanager.v3.Projects.SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'google.cloud.resourcemanager.v3.TagKeys.SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'cloudresourcemanager.googleapis.com', 'google.cloud.resourcemanager.v3.TagValues.SetIamPolicy', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'cloudsql.googleapis.com', 'cloudsql.users.create', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'cloudsql.googleapis.com', 'cloudsql.users.delete', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'cloudsql.googleapis.com', 'cloudsql.users.update', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'cloudsql.googleapis.com', 'google.cloud.sql.v1beta4.SqlUsersService.Insert', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.disks.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.images.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.instances.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.instances.setMetadata', 'exact', 'credential', 'modify', 'T1098.001', 2, 'SSH keys of one instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.instances.setServiceAccount', 'exact', 'role', 'modify', 'T1098.003', 4, 'the instance takes over the account', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.projects.setCommonInstanceMetadata', 'exact', 'credential', 'modify', 'T1098.001', 3, 'SSH keys for every instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'alpha.compute.snapshots.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.disks.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.images.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.instances.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.instances.setMetadata', 'exact', 'credential', 'modify', 'T1098.001', 2, 'SSH keys of one instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.instances.setServiceAccount', 'exact', 'role', 'modify', 'T1098.003', 4, 'the instance takes over the account', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.projects.setCommonInstanceMetadata', 'exact', 'credential', 'modify', 'T1098.001', 3, 'SSH keys for every instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'beta.compute.snapshots.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.disks.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.images.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.instances.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.instances.setMetadata', 'exact', 'credential', 'modify', 'T1098.001', 2, 'SSH keys of one instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.instances.setServiceAccount', 'exact', 'role', 'modify', 'T1098.003', 4, 'the instance takes over the account', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.projects.setCommonInstanceMetadata', 'exact', 'credential', 'modify', 'T1098.001', 3, 'SSH keys for every instance', 'iamwatch'),
('gcp', 'compute.googleapis.com', 'v1.compute.snapshots.setIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.CreateRole', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.CreateServiceAccount', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.CreateServiceAccountKey', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.DeleteRole', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.DeleteServiceAccount', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.DeleteServiceAccountKey', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.DisableServiceAccount', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.DisableServiceAccountKey', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.EnableServiceAccount', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.EnableServiceAccountKey', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.GetIAMPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.GetRole', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.GetServiceAccount', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.GetServiceAccountKey', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.LintPolicy', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.ListRoles', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.ListServiceAccountKeys', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.ListServiceAccounts', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.CreateOauthClient', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.CreateOauthClientCredential', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.DeleteOauthClient', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.DeleteOauthClientCredential', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.UndeleteOauthClient', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.UpdateOauthClient', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.OauthClients.UpdateOauthClientCredential', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.PatchServiceAccount', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.QueryAuditableServices', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.QueryGrantableRoles', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.QueryIamPolicies', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.QueryTestablePermissions', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.SetIAMPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, 'spelt SetIAMPolicy in the log', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.TestIamPermissions', 'exact', 'read', 'read', NULL, 1, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.UndeleteRole', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.UndeleteServiceAccount', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.UpdateRole', 'exact', 'role', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.UpdateServiceAccount', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.UploadServiceAccountKey', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.CreateWorkforcePool', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.CreateWorkforcePoolProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.CreateWorkforcePoolProviderKey', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.CreateWorkforcePoolSubject', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.DeleteWorkforcePool', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.DeleteWorkforcePoolProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.DeleteWorkforcePoolProviderKey', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.DeleteWorkforcePoolSubject', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UndeleteWorkforcePool', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UndeleteWorkforcePoolProvider', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UndeleteWorkforcePoolProviderKey', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UndeleteWorkforcePoolSubject', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UpdateWorkforcePool', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UpdateWorkforcePoolProvider', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UpdateWorkforcePoolProviderKey', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.admin.v1.WorkforcePools.UpdateWorkforcePoolSubject', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPool', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolNamespace', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.DeleteWorkloadIdentityPool', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.DeleteWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.DeleteWorkloadIdentityPoolNamespace', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.DeleteWorkloadIdentityPoolProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UndeleteWorkloadIdentityPool', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolNamespace', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolProvider', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPool', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolNamespace', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolProvider', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.CreateWorkloadIdentityPool', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.CreateWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.CreateWorkloadIdentityPoolNamespace', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.DeleteWorkloadIdentityPool', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.DeleteWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.DeleteWorkloadIdentityPoolNamespace', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.DeleteWorkloadIdentityPoolProvider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UndeleteWorkloadIdentityPool', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolNamespace', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UndeleteWorkloadIdentityPoolProvider', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UpdateWorkloadIdentityPool', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UpdateWorkloadIdentityPoolManagedIdentity', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UpdateWorkloadIdentityPoolNamespace', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v1beta.WorkloadIdentityPools.UpdateWorkloadIdentityPoolProvider', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2.Policies.CreatePolicy', 'exact', 'permission', 'create', 'T1098.003', 3, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2.Policies.DeletePolicy', 'exact', 'permission', 'delete', 'T1098.003', 4, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2.Policies.UpdatePolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2beta.Policies.CreatePolicy', 'exact', 'permission', 'create', 'T1098.003', 3, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2beta.Policies.DeletePolicy', 'exact', 'permission', 'delete', 'T1098.003', 4, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v2beta.Policies.UpdatePolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, 'deny policy; a deletion lifts a denial', 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PolicyBindings.CreatePolicyBinding', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PolicyBindings.DeletePolicyBinding', 'exact', 'permission', 'delete', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PolicyBindings.UpdatePolicyBinding', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PrincipalAccessBoundaryPolicies.CreatePrincipalAccessBoundaryPolicy', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PrincipalAccessBoundaryPolicies.DeletePrincipalAccessBoundaryPolicy', 'exact', 'permission', 'delete', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'iam.googleapis.com', 'google.iam.v3.PrincipalAccessBoundaryPolicies.UpdatePrincipalAccessBoundaryPolicy', 'exact', 'permission', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'GenerateAccessToken', 'exact', 'session', 'create', 'T1550.001', 2, 'impersonation; session issue, not an IAM change', 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'GenerateIdToken', 'exact', 'session', 'create', 'T1550.001', 2, 'impersonation; session issue, not an IAM change', 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'SignBlob', 'exact', 'session', 'create', 'T1550.001', 2, 'impersonation; session issue, not an IAM change', 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'SignJwt', 'exact', 'session', 'create', 'T1550.001', 2, 'impersonation; session issue, not an IAM change', 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'google.iam.credentials.v1.IAMCredentials.GenerateAccessToken', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'google.iam.credentials.v1.IAMCredentials.GenerateIdToken', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'google.iam.credentials.v1.IAMCredentials.SignBlob', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('gcp', 'iamcredentials.googleapis.com', 'google.iam.credentials.v1.IAMCredentials.SignJwt', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('gcp', 'iap.googleapis.com', 'google.cloud.iap.v1.IdentityAwareProxyAdminService.AddUser', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'iap.googleapis.com', 'google.cloud.iap.v1.IdentityAwareProxyAdminService.SetIamPolicy', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.CreateInboundSamlConfig', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.CreateOAuthIdpConfig', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.CreateTenant', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.UpdateConfig', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.UpdateInboundSamlConfig', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.admin.v2.ProjectConfigService.UpdateOAuthIdpConfig', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('gcp', 'identitytoolkit.googleapis.com', 'google.cloud.identitytoolkit.v1.AccountManagementService.SignUp', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterrolebindings.create', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterrolebindings.delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterrolebindings.patch', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterrolebindings.update', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterroles.create', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterroles.delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterroles.patch', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.clusterroles.update', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.rolebindings.create', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.rolebindings.delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.rolebindings.patch', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.rolebindings.update', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.roles.create', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.roles.delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.roles.patch', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.authorization.rbac.v1.roles.update', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.certificates.v1.certificatesigningrequests.approval.update', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.certificates.v1.certificatesigningrequests.create', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.core.v1.serviceaccounts.create', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.core.v1.serviceaccounts.delete', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.core.v1.serviceaccounts.patch', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.core.v1.serviceaccounts.token.create', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('gcp', 'k8s.io', 'io.k8s.core.v1.serviceaccounts.update', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('gcp', 'orgpolicy.googleapis.com', 'google.cloud.orgpolicy.v2.OrgPolicy.CreatePolicy', 'exact', 'org_policy', 'create', 'T1484', 3, NULL, 'iamwatch'),
('gcp', 'orgpolicy.googleapis.com', 'google.cloud.orgpolicy.v2.OrgPolicy.DeletePolicy', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('gcp', 'orgpolicy.googleapis.com', 'google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('gcp', 'oslogin.googleapis.com', 'google.cloud.oslogin.v1.OsLoginService.CreateSshPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'oslogin.googleapis.com', 'google.cloud.oslogin.v1.OsLoginService.DeleteSshPublicKey', 'exact', 'credential', 'delete', 'T1098.001', 1, NULL, 'iamwatch'),
('gcp', 'oslogin.googleapis.com', 'google.cloud.oslogin.v1.OsLoginService.ImportSshPublicKey', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'oslogin.googleapis.com', 'google.cloud.oslogin.v1.OsLoginService.UpdateSshPublicKey', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('gcp', 'privilegedaccessmanager.googleapis.com', 'google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.ApproveGrant', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'privilegedaccessmanager.googleapis.com', 'google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.CreateEntitlement', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'privilegedaccessmanager.googleapis.com', 'google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.CreateGrant', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'privilegedaccessmanager.googleapis.com', 'google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.DeleteEntitlement', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('gcp', 'privilegedaccessmanager.googleapis.com', 'google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.UpdateEntitlement', 'exact', 'permission', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.bucketAccessControls.delete', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch');
INSERT INTO iamwatch.operations VALUES
('gcp', 'storage.googleapis.com', 'storage.bucketAccessControls.insert', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.bucketAccessControls.patch', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.bucketAccessControls.update', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.buckets.updateAcl', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.defaultObjectAccessControls.delete', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.defaultObjectAccessControls.insert', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.defaultObjectAccessControls.patch', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.defaultObjectAccessControls.update', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.hmacKeys.create', 'exact', 'credential', 'create', 'T1098.001', 4, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.hmacKeys.delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.hmacKeys.update', 'exact', 'credential', 'modify', 'T1098.001', 2, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.objectAccessControls.delete', 'exact', 'resource_policy', 'delete', 'T1098', 2, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.objectAccessControls.insert', 'exact', 'resource_policy', 'create', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.objectAccessControls.patch', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.objectAccessControls.update', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'storage.googleapis.com', 'storage.setIamPermissions', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('gcp', 'sts.googleapis.com', 'ExchangeToken', 'exact', 'session', 'create', 'T1550.001', 1, NULL, 'iamwatch'),
('gcp', 'sts.googleapis.com', 'google.identity.sts.SecurityTokenService.ExchangeToken', 'exact', 'session', 'create', 'T1550.001', 1, NULL, 'iamwatch'),
('gcp', 'sts.googleapis.com', 'google.identity.sts.v1.SecurityTokenService.ExchangeToken', 'exact', 'session', 'create', 'T1550.001', 1, NULL, 'iamwatch');

-- Reading of documents.

CREATE FUNCTION iamwatch.parse(event jsonb) RETURNS iamwatch.event
	AS 'MODULE_PATHNAME', 'iamwatch_parse' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.parse(jsonb) IS
'the normalised event; null if the document is not a readable audit event, see iamwatch.unreadable()';

CREATE FUNCTION iamwatch.unreadable(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_unreadable' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.unreadable(jsonb) IS 'why the document cannot be read; null if it can';

CREATE FUNCTION iamwatch.reject(sources oid[], reasons text[], events jsonb[]) RETURNS void
	LANGUAGE sql VOLATILE AS $$
	INSERT INTO iamwatch.rejected_events (source, reason, event, digest)
	SELECT DISTINCT ON (r.source, r.reason, r.digest) r.source::regclass, r.reason, r.event, r.digest
	FROM (SELECT *, md5(coalesce(u.event::text, ''))::uuid AS digest
		FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)) AS r
	WHERE NOT EXISTS (SELECT FROM iamwatch.rejected_events AS e
		WHERE e.digest = r.digest AND e.reason = r.reason AND e.source = r.source)
	ORDER BY r.source, r.reason, r.digest, r.n
$$;
COMMENT ON FUNCTION iamwatch.reject(oid[], text[], jsonb[]) IS
'keep documents that were not understood, each once a table and reason';

-- Scoring.

CREATE FUNCTION iamwatch.probability(k integer, active integer, peer_days bigint, peer_active bigint)
	RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_probability' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.probability(integer, integer, bigint, bigint) IS
'(k + 2 q) / (active + 2) with q = (peer_days + 10 * 0.01) / (peer_active + 10): the posterior mean of a beta-binomial, the identity''s own rate shrunk toward its peers'', theirs toward 1 in 100. Days; 22003 when a part exceeds its whole';

CREATE FUNCTION iamwatch.surprise(probability double precision) RETURNS double precision
	AS 'MODULE_PATHNAME', 'iamwatch_surprise' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.surprise(double precision) IS '-log2(probability), in bits; 22003 outside of (0, 1]';

CREATE FUNCTION iamwatch.is_person(kinds integer) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN kinds & 31 <> 0;
COMMENT ON FUNCTION iamwatch.is_person(integer) IS
'whether a set of kinds has one of a person: root, user, federated_user, anonymous, unknown';

CREATE FUNCTION iamwatch.kind_name(kinds integer) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (ARRAY['root', 'user', 'federated_user', 'anonymous',
		'unknown', 'role', 'instance', 'service', 'service_account', 'workload', 'account'])
		[length(split_part(reverse((kinds::bit(32))::text), '1', 1)) + 1];
COMMENT ON FUNCTION iamwatch.kind_name(integer) IS
'the first of the kinds in a set: bit 0 root, 1 user, 2 federated_user, 3 anonymous, 4 unknown, 5 role, 6 instance, 7 service, 8 service_account, 9 workload, 10 account';

-- Days that only the journal has, of the identities of one class.
CREATE FUNCTION iamwatch.journal_class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date,
	OUT days bigint, OUT active bigint)
	LANGUAGE sql STABLE AS $$
	WITH j AS (
		SELECT j.*, i.account_id, i.identity_id, i.days AS stored,
			bit_or(j.kinds | coalesce(i.kinds, 0)) OVER (PARTITION BY j.identity) AS all_kinds
		FROM iamwatch.journal AS j
		LEFT JOIN iamwatch.accounts AS a ON hashtextextended(a.account, 0) = hashtextextended($2, 0)
			AND a.account = $2 AND a.provider = $1
		LEFT JOIN iamwatch.identity_days AS i ON i.account_id = a.account_id
			AND hashtextextended(i.identity, 0) = hashtextextended(j.identity, 0)
			AND i.identity = j.identity
		WHERE hashtextextended(j.account, 0) = hashtextextended($2, 0)
		AND j.account = $2 AND j.provider = $1 AND j.identity IS NOT NULL
	), activity AS (
		SELECT coalesce(count_days(dayset_union(j.days) - coalesce(j.stored, '{}'), since, until), 0) AS n
		FROM j WHERE j.operation IS NULL AND is_person(j.all_kinds) = is_user
		GROUP BY j.identity, j.stored
	), behaviour AS (
		SELECT coalesce(count_days(dayset_union(j.days) - coalesce(d.days, '{}'), since, until), 0) AS n
		FROM j
		LEFT JOIN iamwatch.behaviours AS b ON b.account_id = j.account_id
			AND b.service = $4 AND b.operation = $5 AND b.failed = $6
		LEFT JOIN iamwatch.behaviour_days AS d ON d.account_id = b.account_id
			AND d.behaviour_id = b.behaviour_id AND d.identity_id = j.identity_id
		WHERE j.service = $4 AND j.operation = $5 AND j.failed = $6
		AND is_person(j.all_kinds) = is_user
		GROUP BY j.identity, d.days
	)
	SELECT (SELECT coalesce(sum(n), 0) FROM behaviour)::bigint,
		(SELECT coalesce(sum(n), 0) FROM activity)::bigint
$$;
COMMENT ON FUNCTION iamwatch.journal_class_days(text, text, boolean, text, text, boolean, date, date) IS
'what iamwatch.class_days() has to add for days that are in the journal only';

CREATE FUNCTION iamwatch.class_days(provider text, account text, is_user boolean,
	service text, operation text, failed boolean, since date, until date,
	OUT days bigint, OUT active bigint)
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	in_account integer;
	in_behaviour integer;
	more record;
BEGIN
	SELECT a.account_id INTO in_account FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended($2, 0)
	AND a.account = $2 AND a.provider = $1;

	SELECT b.behaviour_id INTO in_behaviour FROM iamwatch.behaviours AS b
	WHERE b.account_id = in_account
	AND hashtextextended(b.operation, 0) = hashtextextended($5, 0)
	AND b.operation = $5 AND b.service = $4 AND b.failed = $6;

	SELECT coalesce(sum(t.identities), 0) INTO active FROM iamwatch.tallies AS t
	WHERE t.account_id = in_account AND t.behaviour_id = 0
	AND t.is_user = $3 AND t.day BETWEEN since AND until;

	SELECT coalesce(sum(t.identities), 0) INTO days FROM iamwatch.tallies AS t
	WHERE t.account_id = in_account AND t.behaviour_id = in_behaviour
	AND t.is_user = $3 AND t.day BETWEEN since AND until;

	IF EXISTS (SELECT FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended($2, 0)
		AND j.account = $2 AND j.provider = $1) THEN
		SELECT * INTO more
		FROM iamwatch.journal_class_days($1, $2, $3, $4, $5, $6, since, until);
		days := days + more.days;
		active := active + more.active;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.class_days(text, text, boolean, text, text, boolean, date, date) IS
'summed over all identities of the account that are people, or that are not: days from since to until on which they did the operation, and on which they were active';

-- What is learned: sets of days, and the tallies that follow from them.
--
-- One session at a time writes the accounts of a bucket.  Whoever finds the
-- bucket taken appends to the journal instead and goes on; the next session
-- that gets the bucket folds the journal in.  Nobody waits.

CREATE FUNCTION iamwatch.account_bucket(account text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN (hashtextextended(account, 0) & 63)::integer;
COMMENT ON FUNCTION iamwatch.account_bucket(text) IS 'key of the lock under which the account is written, class 1';

CREATE FUNCTION iamwatch.may_fold() RETURNS boolean
	LANGUAGE sql VOLATILE RETURN current_setting('transaction_isolation') LIKE 'read%';
COMMENT ON FUNCTION iamwatch.may_fold() IS
'whether this transaction sees what others commit: one with a fixed snapshot could lose their work, so it only appends';

-- Tallies from scratch, for an account in which an identity changed class.
CREATE FUNCTION iamwatch.retally(in_account integer) RETURNS void
	LANGUAGE sql VOLATILE AS $$
	DELETE FROM iamwatch.tallies AS t WHERE t.account_id = in_account;
	INSERT INTO iamwatch.tallies (account_id, behaviour_id, is_user, day, identities)
	SELECT in_account, marks.behaviour_id, iamwatch.is_person(marks.kinds), day, count(*)
	FROM (
		SELECT 0 AS behaviour_id, i.kinds, i.days FROM iamwatch.identity_days AS i
		WHERE i.account_id = in_account
		UNION ALL
		SELECT d.behaviour_id, i.kinds, d.days
		FROM iamwatch.behaviour_days AS d
		JOIN iamwatch.identity_days AS i USING (account_id, identity_id)
		WHERE d.account_id = in_account) AS marks
	CROSS JOIN LATERAL iamwatch.days(marks.days) AS day
	GROUP BY 2, 3, 4;
$$;
COMMENT ON FUNCTION iamwatch.retally(integer) IS 'count the tallies of an account anew; under the lock of its bucket';

CREATE FUNCTION iamwatch.add_to_tallies(in_account integer, increments iamwatch.tallies[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	WITH increment AS MATERIALIZED (
		SELECT * FROM unnest(increments)
	), counted AS (
		UPDATE iamwatch.tallies AS t SET identities = t.identities + increment.identities
		FROM increment
		WHERE t.account_id = in_account AND t.behaviour_id = increment.behaviour_id
		AND t.is_user = increment.is_user AND t.day = increment.day
		RETURNING t.behaviour_id, t.is_user, t.day
	)
	INSERT INTO iamwatch.tallies (account_id, behaviour_id, is_user, day, identities)
	SELECT in_account, behaviour_id, is_user, day, identities FROM increment
	WHERE (behaviour_id, is_user, day) NOT IN (SELECT behaviour_id, is_user, day FROM counted);
END $$;
COMMENT ON FUNCTION iamwatch.add_to_tallies(integer, iamwatch.tallies[]) IS
'count further identities; under the lock of the account''s bucket';

CREATE FUNCTION iamwatch.fold_account(in_provider text, in_account text, deltas iamwatch.journal[])
	RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	learned iamwatch.journal[];
	id integer;
	increments iamwatch.tallies[];
	more iamwatch.tallies[];
	changed_class boolean;
BEGIN
	WITH taken AS (
		DELETE FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(in_account, 0)
		AND j.account = in_account AND j.provider = in_provider
		RETURNING j
	)
	SELECT deltas || array_agg(j) INTO learned FROM taken;
	IF cardinality(learned) = 0 THEN
		RETURN;
	END IF;

	SELECT a.account_id INTO id FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(in_account, 0)
	AND a.account = in_account AND a.provider = in_provider;
	IF id IS NULL THEN
		INSERT INTO iamwatch.accounts (provider, account)
		VALUES (in_provider, in_account) RETURNING account_id INTO id;
	END IF;
	UPDATE iamwatch.accounts AS a SET
		first_event_time = LEAST(a.first_event_time, d.first_event_time),
		newest_day = GREATEST(a.newest_day, d.newest_day),
		late_events = a.late_events + d.late_events
	FROM (SELECT min(first_event_time) AS first_event_time, max(iamwatch.last_day(days)) AS newest_day,
			coalesce(sum(late_events), 0) AS late_events FROM unnest(learned)) AS d
	WHERE a.account_id = id
	AND (a.first_event_time IS NULL OR a.newest_day IS NULL OR d.late_events > 0
		OR d.first_event_time < a.first_event_time OR d.newest_day > a.newest_day);

	-- a behaviour's day is a day of activity too
	WITH d AS (
		SELECT identity, bit_or(kinds) AS kinds, iamwatch.dayset_union(days) AS days
		FROM unnest(learned) WHERE identity IS NOT NULL GROUP BY identity
	), met AS MATERIALIZED (
		SELECT d.identity, d.kinds, d.days, i.identity_id,
			i.kinds AS old_kinds, coalesce(i.days, '{}') AS old_days
		FROM d LEFT JOIN iamwatch.identity_days AS i ON i.account_id = id
			AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0)
			AND i.identity = d.identity
	), updated AS (
		UPDATE iamwatch.identity_days AS i SET
			kinds = i.kinds | met.kinds, days = i.days | met.days,
			first_seen = LEAST(i.first_seen, iamwatch.first_day(met.days))
		FROM met
		WHERE i.account_id = id AND i.identity_id = met.identity_id
		AND (NOT i.days @> met.days OR i.kinds | met.kinds <> i.kinds)
	), inserted AS (
		INSERT INTO iamwatch.identity_days (account_id, kinds, first_seen, days, identity)
		SELECT id, kinds, iamwatch.first_day(days), days, identity
		FROM met WHERE identity_id IS NULL
	), increment AS (
		SELECT ROW(id, 0, iamwatch.is_person(kinds | coalesce(old_kinds, 0)), day, count(*))::iamwatch.tallies AS i
		FROM met CROSS JOIN LATERAL iamwatch.days(met.days - met.old_days) AS day
		GROUP BY iamwatch.is_person(kinds | coalesce(old_kinds, 0)), day
	)
	SELECT (SELECT array_agg(i) FROM increment),
		(SELECT bool_or(iamwatch.is_person(old_kinds | kinds) <> iamwatch.is_person(old_kinds)) FROM met)
	INTO increments, changed_class;

	IF EXISTS (SELECT FROM unnest(learned) WHERE operation IS NOT NULL) THEN
		INSERT INTO iamwatch.behaviours (account_id, failed, service, operation)
		SELECT DISTINCT id, d.failed, d.service, d.operation
		FROM unnest(learned) AS d
		WHERE d.operation IS NOT NULL
		AND NOT EXISTS (SELECT FROM iamwatch.behaviours AS b
			WHERE b.account_id = id AND hashtextextended(b.operation, 0) = hashtextextended(d.operation, 0)
			AND b.operation = d.operation AND b.service = d.service AND b.failed = d.failed);

		WITH d AS (
			SELECT identity, service, operation, failed, iamwatch.dayset_union(days) AS days
			FROM unnest(learned) WHERE operation IS NOT NULL
			GROUP BY identity, service, operation, failed
		), met AS MATERIALIZED (
			SELECT b.behaviour_id, i.identity_id, i.kinds, d.days,
				m.identity_id IS NOT NULL AS known, coalesce(m.days, '{}') AS old_days
			FROM d
			JOIN iamwatch.identity_days AS i ON i.account_id = id
				AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0)
				AND i.identity = d.identity
			JOIN iamwatch.behaviours AS b ON b.account_id = id
				AND hashtextextended(b.operation, 0) = hashtextextended(d.operation, 0)
				AND b.operation = d.operation AND b.service = d.service AND b.failed = d.failed
			LEFT JOIN iamwatch.behaviour_days AS m ON m.account_id = id
				AND m.behaviour_id = b.behaviour_id AND m.identity_id = i.identity_id
		), updated AS (
			UPDATE iamwatch.behaviour_days AS m SET
				days = m.days | met.days,
				first_seen = LEAST(m.first_seen, iamwatch.first_day(met.days))
			FROM met
			WHERE m.account_id = id AND m.behaviour_id = met.behaviour_id
			AND m.identity_id = met.identity_id AND NOT m.days @> met.days
		), inserted AS (
			INSERT INTO iamwatch.behaviour_days (account_id, behaviour_id, identity_id, first_seen, days)
			SELECT id, behaviour_id, identity_id, iamwatch.first_day(days), days
			FROM met WHERE NOT known
		), increment AS (
			SELECT ROW(id, behaviour_id, iamwatch.is_person(kinds), day, count(*))::iamwatch.tallies AS i
			FROM met CROSS JOIN LATERAL iamwatch.days(met.days - met.old_days) AS day
			GROUP BY behaviour_id, iamwatch.is_person(kinds), day
		)
		SELECT array_agg(i) FROM increment INTO more;
	END IF;

	IF changed_class THEN
		PERFORM iamwatch.retally(id);
	ELSIF increments IS NOT NULL OR more IS NOT NULL THEN
		PERFORM iamwatch.add_to_tallies(id, increments || more);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.fold_account(text, text, iamwatch.journal[]) IS
'write what was learned of an account, and what its journal holds; under the lock of its bucket';

CREATE FUNCTION iamwatch.learn(deltas iamwatch.journal[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	part record;
	fold boolean := iamwatch.may_fold();
BEGIN
	FOR part IN
		SELECT d.provider, d.account, array_agg(d) AS deltas
		FROM unnest(deltas) AS d
		GROUP BY d.provider, d.account
	LOOP
		IF fold AND iamwatch.try_lock(1, iamwatch.account_bucket(part.account)) THEN
			PERFORM iamwatch.fold_account(part.provider, part.account, part.deltas);
		ELSE
			INSERT INTO iamwatch.journal SELECT * FROM unnest(part.deltas);
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch.learn(iamwatch.journal[]) IS
'take days into the baselines; while another session writes the account, by way of the journal';

-- From an unusual event to an alert.
--
-- One session at a time writes the alerts of a behaviour.  Whoever finds that
-- taken leaves its events in pending_events; the next session that touches
-- the behaviour, or iamwatch.maintain(), lets them join or open an alert.
-- Nobody waits, and no reader sees two alerts for one behaviour within the
-- deduplication period.

CREATE FUNCTION iamwatch.severity_rank(severity text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN array_position(ARRAY['informational', 'low', 'medium', 'high', 'critical'], severity);
COMMENT ON FUNCTION iamwatch.severity_rank(text) IS '1 informational to 5 critical';

CREATE FUNCTION iamwatch.behaviour_bucket(identity text, service text, operation text, failed boolean)
	RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (hashtextextended(identity, hashtextextended(service,
		hashtextextended(operation, failed::integer))) & 63)::integer;
COMMENT ON FUNCTION iamwatch.behaviour_bucket(text, text, text, boolean) IS
'key of the lock under which alerts of the behaviour are written, class 2';

CREATE FUNCTION iamwatch.faces_internet(event iamwatch.event) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF event.provider = 'aws' AND event.identity_kind = 'instance' THEN
		RETURN EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.instance_id = event.instance_id AND i.provider = 'aws' AND i.internet_facing);
	ELSIF event.provider = 'gcp' AND NOT event.is_user THEN
		RETURN EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.public_ips @> ARRAY[event.source_ip] AND i.provider = 'gcp' AND i.internet_facing);
	END IF;
	RETURN false;
END $$;
COMMENT ON FUNCTION iamwatch.faces_internet(iamwatch.event) IS
'whether the identity acts as an instance which the inventory says faces the Internet';

-- "The most severe that applies wins", the first of them if they are alike.
CREATE FUNCTION iamwatch.variation(settings iamwatch.detectors, event iamwatch.event,
	OUT variation text, OUT severity text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	variation := 'base';
	severity := settings.severity_base;
	IF NOT event.is_user THEN
		variation := 'cloud non-user identity';
		severity := settings.severity_non_user;
	END IF;
	IF iamwatch.faces_internet(event) AND (event.is_user
		OR iamwatch.severity_rank(settings.severity_internet_facing) >= iamwatch.severity_rank(severity)) THEN
		variation := 'executed from a cloud Internet-facing instance';
		severity := settings.severity_internet_facing;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.variation(iamwatch.detectors, iamwatch.event) IS
'the variation of the detector that an event falls under, and its severity';

CREATE FUNCTION iamwatch.merge_texts(texts jsonb, more text[], most integer) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	more := array_remove(more, NULL);
	IF cardinality(more) = 0 THEN
		RETURN coalesce(texts, '[]');
	ELSIF cardinality(more) = 1 AND (texts IS NULL OR texts = '[]') THEN
		RETURN jsonb_build_array(left(more[1], 500));
	ELSIF cardinality(more) = 1 AND texts ? left(more[1], 500) THEN
		RETURN texts;
	END IF;
	RETURN (SELECT jsonb_agg(t ORDER BY t COLLATE "C")
		FROM (SELECT t COLLATE "C" AS t FROM (
				SELECT jsonb_array_elements_text(coalesce(texts, '[]')) AS t
				UNION SELECT left(m, 500) FROM unnest(more) AS m) AS u
			ORDER BY 1 LIMIT most) AS sorted);
END $$;
COMMENT ON FUNCTION iamwatch.merge_texts(jsonb, text[], integer) IS
'a sorted array of distinct texts, cut to 500 characters each and to the first so many, whatever order they came in';

CREATE FUNCTION iamwatch.merge_evidence(evidence jsonb, events iamwatch.event[]) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	e iamwatch.event;
	source_addresses text[];
	user_agents text[];
	targets text[];
	instances text[];
	event_ids text[];
BEGIN
	FOREACH e IN ARRAY events LOOP
		source_addresses := array_append(source_addresses, host(e.source_ip));
		user_agents := array_append(user_agents, e.user_agent);
		targets := array_append(targets, e.target);
		instances := array_append(instances, e.instance_id);
		event_ids := array_append(event_ids, e.event_id);
	END LOOP;
	RETURN evidence || jsonb_build_object(
		'source_addresses', iamwatch.merge_texts(evidence->'source_addresses', source_addresses, 20),
		'user_agents', iamwatch.merge_texts(evidence->'user_agents', user_agents, 20),
		'targets', iamwatch.merge_texts(evidence->'targets', targets, 20),
		'instances', iamwatch.merge_texts(evidence->'instances', instances, 20),
		'event_ids', iamwatch.merge_texts(evidence->'event_ids', event_ids, 1000));
END $$;
COMMENT ON FUNCTION iamwatch.merge_evidence(jsonb, iamwatch.event[]) IS
'evidence with what further events show';

-- Peers are named to be recognised; the numbers of all of them are K and N.
CREATE FUNCTION iamwatch.peers(event iamwatch.event, training_days integer) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	until date := (event.event_time AT TIME ZONE 'UTC')::date - 1;
	since date := until - training_days + 1;
	in_account integer;
	in_behaviour integer;
BEGIN
	SELECT a.account_id INTO in_account FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(event.account, 0)
	AND a.account = event.account AND a.provider = event.provider;
	SELECT b.behaviour_id INTO in_behaviour FROM iamwatch.behaviours AS b
	WHERE b.account_id = in_account
	AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
	AND b.operation = event.operation AND b.service = event.service AND b.failed = event.failed;
	RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('identity', p.identity, 'days', p.days)
			ORDER BY p.days DESC, p.identity COLLATE "C"), '[]')
		FROM (
			SELECT i.identity, count_days(d.days, since, until) AS days
			FROM iamwatch.behaviour_days AS d
			JOIN iamwatch.identity_days AS i
				ON i.account_id = d.account_id AND i.identity_id = d.identity_id
			WHERE d.account_id = in_account AND d.behaviour_id = in_behaviour
			AND count_days(d.days, since, until) > 0
			AND i.identity <> event.identity AND is_person(i.kinds) = event.is_user
			ORDER BY 2 DESC, i.identity COLLATE "C"
			LIMIT 10) AS p);
END $$;
COMMENT ON FUNCTION iamwatch.peers(iamwatch.event, integer) IS
'up to ten peers that did the same in the training period, with the number of days';

CREATE FUNCTION iamwatch.open_alert(settings iamwatch.detectors, c iamwatch.pending_events) RETURNS bigint
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event := c.event;
	o iamwatch.operations := iamwatch.find_operation(e.provider, e.service, e.operation);
	v record;
	opened bigint;
BEGIN
	IF o.category IS NULL THEN
		RETURN NULL;
	END IF;
	v := iamwatch.variation(settings, e);
	INSERT INTO iamwatch.alerts (detector, variation, severity, first_event_time, last_event_time,
		provider, account, identity, identity_kind, service, operation, failed,
		category, sensitivity, tactic, technique, probability, surprise, evidence)
	VALUES (c.detector, v.variation, v.severity, e.event_time, e.event_time,
		e.provider, e.account, e.identity, e.identity_kind, e.service, e.operation, e.failed,
		o.category, o.sensitivity, 'TA0003', coalesce(nullif(o.attack_technique, ''), 'T1098'),
		c.probability, iamwatch.surprise(c.probability),
		iamwatch.merge_evidence(jsonb_build_object('k', c.k, 'A', c.active,
			'K', c.peer_days, 'N', c.peer_active,
			'training_days', settings.training_days,
			'peers', iamwatch.peers(e, settings.training_days)), ARRAY[e]))
	RETURNING alert_id INTO opened;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	VALUES (opened, e.event_time, e.event_id);
	RETURN opened;
END $$;
COMMENT ON FUNCTION iamwatch.open_alert(iamwatch.detectors, iamwatch.pending_events) IS
'a new alert with its evidence; null if the operation has left the catalogue';

CREATE FUNCTION iamwatch.join_alert(settings iamwatch.detectors, into_alert bigint,
	events iamwatch.event[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event;
	v record;
	worst text := 'base';
	worst_severity text;
	latest timestamptz := '-infinity';
BEGIN
	FOREACH e IN ARRAY events LOOP
		v := iamwatch.variation(settings, e);
		IF worst_severity IS NULL OR iamwatch.severity_rank(v.severity) > iamwatch.severity_rank(worst_severity) THEN
			worst := v.variation;
			worst_severity := v.severity;
		END IF;
		latest := GREATEST(latest, e.event_time);
	END LOOP;
	UPDATE iamwatch.alerts AS a SET
		event_count = a.event_count + cardinality(events),
		last_event_time = GREATEST(a.last_event_time, latest),
		variation = CASE WHEN iamwatch.severity_rank(worst_severity) > iamwatch.severity_rank(a.severity)
			THEN worst ELSE a.variation END,
		severity = CASE WHEN iamwatch.severity_rank(worst_severity) > iamwatch.severity_rank(a.severity)
			THEN worst_severity ELSE a.severity END,
		evidence = iamwatch.merge_evidence(a.evidence, events)
	WHERE a.alert_id = into_alert;
END $$;
COMMENT ON FUNCTION iamwatch.join_alert(iamwatch.detectors, bigint, iamwatch.event[]) IS
'let events join an alert that is locked by this transaction';

-- Events of one behaviour, in order of event time; under the lock of its bucket.
CREATE FUNCTION iamwatch.settle_behaviour(settings iamwatch.detectors,
	candidates iamwatch.pending_events[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_variable
DECLARE
	period interval := settings.deduplication_days * interval '24 hours';
	c iamwatch.pending_events;
	e iamwatch.event;
	alert_id bigint;
	opened_at timestamptz;
	writable boolean;
	joining iamwatch.event[] := '{}';
	is_new boolean;
BEGIN
	FOREACH c IN ARRAY candidates LOOP
		e := c.event;

		-- the earliest alert near enough; the next event may still be near it
		IF alert_id IS NULL OR e.event_time >= opened_at + period THEN
			IF joining <> '{}' THEN
				PERFORM iamwatch.join_alert(settings, alert_id, joining);
				joining := '{}';
			END IF;
			SELECT a.alert_id, a.first_event_time INTO alert_id, opened_at
			FROM iamwatch.alerts AS a
			WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
			AND a.first_event_time > e.event_time - period
			AND a.first_event_time < e.event_time + period
			AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
			AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
			AND a.detector = c.detector
			ORDER BY a.first_event_time LIMIT 1;
			-- somebody may be at work on it, for as long as they like
			IF alert_id IS NOT NULL THEN
				PERFORM FROM iamwatch.alerts AS a WHERE a.alert_id = alert_id
				FOR NO KEY UPDATE SKIP LOCKED;
				writable := FOUND;
			END IF;
		END IF;

		IF alert_id IS NULL THEN
			IF c.unusual AND (NOT c.again OR EXISTS (
				SELECT FROM iamwatch.alerts AS a
				WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
				AND a.first_event_time <= e.event_time - period
				AND a.first_event_time >= date_trunc('day', e.event_time, 'UTC') - period
				AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
				AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
				AND a.detector = c.detector)) THEN
				alert_id := iamwatch.open_alert(settings, c);
				opened_at := e.event_time;
				writable := true;
			END IF;
			CONTINUE;
		END IF;

		IF e.event_id IS NOT NULL AND EXISTS (
			SELECT FROM iamwatch.alert_events AS x
			WHERE x.alert_id = alert_id
			AND hashtextextended(x.event_id, 0) = hashtextextended(e.event_id, 0)
			AND x.event_id = e.event_id) THEN
			CONTINUE;
		END IF;
		IF writable THEN
			INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
			VALUES (alert_id, e.event_time, e.event_id);
			joining := array_append(joining, e);
		ELSE
			PERFORM iamwatch.leave_pending(ARRAY[c]);
		END IF;
	END LOOP;
	IF joining <> '{}' THEN
		PERFORM iamwatch.join_alert(settings, alert_id, joining);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.settle_behaviour(iamwatch.detectors, iamwatch.pending_events[]) IS
'let events of a behaviour join an alert, or open one; under the lock of its bucket';

CREATE FUNCTION iamwatch.leave_pending(candidates iamwatch.pending_events[]) RETURNS void
	LANGUAGE sql VOLATILE AS $$
	INSERT INTO iamwatch.pending_events (detector, provider, account, identity, service, operation,
		failed, event, unusual, again, k, active, peer_days, peer_active, probability)
	SELECT detector, provider, account, identity, service, operation,
		failed, event, unusual, again, k, active, peer_days, peer_active, probability
	FROM unnest(candidates)
$$;
COMMENT ON FUNCTION iamwatch.leave_pending(iamwatch.pending_events[]) IS
'keep events for the next session that touches their behaviour';

CREATE FUNCTION iamwatch.settle_with_pending(candidates iamwatch.pending_events[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first iamwatch.pending_events := candidates[1];
	settings iamwatch.detectors;
	earlier iamwatch.pending_events[];
BEGIN
	IF NOT iamwatch.may_fold()
		OR NOT iamwatch.try_lock(2, iamwatch.behaviour_bucket(first.identity, first.service,
			first.operation, first.failed)) THEN
		PERFORM iamwatch.leave_pending(candidates);
		RETURN;
	END IF;
	SELECT * INTO settings FROM iamwatch.detectors AS d WHERE d.detector = first.detector;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	WITH taken AS (
		DELETE FROM iamwatch.pending_events AS p
		WHERE hashtextextended(p.identity, 0) = hashtextextended(first.identity, 0)
		AND p.identity = first.identity AND p.operation = first.operation
		AND p.service = first.service AND p.failed = first.failed
		AND p.account = first.account AND p.provider = first.provider
		AND p.detector = first.detector
		RETURNING p
	)
	SELECT array_agg(p) INTO earlier FROM taken;
	IF earlier IS NOT NULL THEN
		SELECT array_agg(c ORDER BY (c.event).event_time, (c.event).event_id COLLATE "C")
		INTO candidates FROM unnest(earlier || candidates) AS c;
	END IF;

	PERFORM iamwatch.settle_behaviour(settings, candidates);
END $$;
COMMENT ON FUNCTION iamwatch.settle_with_pending(iamwatch.pending_events[]) IS
'let events of one detector and behaviour, and those that others left of it, join or open an alert';

CREATE FUNCTION iamwatch.raise(detector text, events iamwatch.event[], unusual boolean[], again boolean[],
	k integer[], active integer[], peer_days bigint[], peer_active bigint[],
	probability double precision[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM iamwatch.settle_with_pending(ARRAY(
		SELECT ROW(0, detector, (events[i]).provider, (events[i]).account, (events[i]).identity,
			(events[i]).service, (events[i]).operation, (events[i]).failed, events[i],
			unusual[i], again[i], k[i], active[i], peer_days[i], peer_active[i],
			probability[i])::iamwatch.pending_events
		FROM generate_subscripts(events, 1) AS i));
END $$;
COMMENT ON FUNCTION iamwatch.raise(text, iamwatch.event[], boolean[], boolean[], integer[], integer[],
	bigint[], bigint[], double precision[]) IS
'what the detector has found of one behaviour of one identity: its events in order of time; whether each is unusual, and whether it falls on a day that was scored before; and how it was scored';

-- Watching tables.

CREATE FUNCTION iamwatch.news(event jsonb) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_news' LANGUAGE C STABLE COST 10;
COMMENT ON FUNCTION iamwatch.news(jsonb) IS
'whether the event may teach anything new: looks in the memory of the backend only. For the WHEN of the trigger that iamwatch.watch() makes';

CREATE FUNCTION iamwatch.observe() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_observe' LANGUAGE C;
COMMENT ON FUNCTION iamwatch.observe() IS
'trigger AFTER INSERT FOR EACH ROW on a watched table; argument: the jsonb column. 39P01 when fired otherwise';

CREATE FUNCTION iamwatch.settle() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_settle' LANGUAGE C;
COMMENT ON FUNCTION iamwatch.settle() IS
'trigger on iamwatch.end_of_statement: learns from and tests what the statement has stored';
CREATE TRIGGER settle AFTER INSERT ON iamwatch.end_of_statement
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch.settle();
ALTER TABLE iamwatch.end_of_statement ENABLE ALWAYS TRIGGER settle;

CREATE FUNCTION iamwatch.check_source(source regclass, event_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	type regtype;
	candidates text;
BEGIN
	IF source IS NULL OR event_column IS NULL THEN
		RAISE EXCEPTION 'table and column must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT * INTO relation FROM pg_class AS c WHERE c.oid = source;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relation with OID % does not exist', source::oid USING ERRCODE = 'undefined_table';
	END IF;
	IF relation.relnamespace IN ('iamwatch'::regnamespace, 'pg_catalog'::regnamespace) THEN
		RAISE EXCEPTION 'relation "%" cannot be a source of events', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'It belongs to the system or to iamwatch itself.';
	END IF;

	SELECT a.atttypid INTO type FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.attname = event_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF type = 'jsonb'::regtype THEN
		RETURN;
	END IF;
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO candidates
	FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.atttypid = 'jsonb'::regtype AND a.attnum > 0 AND NOT a.attisdropped;
	IF type IS NULL THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', event_column, source
			USING ERRCODE = 'undefined_column',
			HINT = coalesce('Columns of type jsonb: ' || candidates || '.',
				'The relation has no column of type jsonb.');
	END IF;
	RAISE EXCEPTION 'column "%" of relation "%" is of type %, not jsonb', event_column, source, type
		USING ERRCODE = 'datatype_mismatch',
		HINT = coalesce('Columns of type jsonb: ' || candidates || '.',
			format('Add a column %I jsonb GENERATED ALWAYS AS (%I::jsonb) STORED and name that one.',
				event_column || '_jsonb', event_column));
END $$;
COMMENT ON FUNCTION iamwatch.check_source(regclass, name) IS
'22004, 42P01, 42809, 42703 or 42804 unless the column of the relation can hold events';

CREATE FUNCTION iamwatch.watch(source regclass, event_column name DEFAULT 'event',
	fires text DEFAULT 'origin') RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	present pg_trigger;
	mode "char" := CASE fires WHEN 'origin' THEN 'O' WHEN 'always' THEN 'A' WHEN 'replica' THEN 'R' END;
BEGIN
	PERFORM iamwatch.check_source(source, event_column);
	IF mode IS NULL THEN
		RAISE EXCEPTION 'invalid value for fires: %', coalesce(quote_literal(fires), 'null')
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Use origin, always (also for what a subscription applies) or replica (only for that).';
	END IF;
	SELECT * INTO relation FROM pg_class AS c WHERE c.oid = source;
	IF relation.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION 'relation "%" is not a table', source
			USING ERRCODE = 'wrong_object_type',
			DETAIL = 'No trigger fires for rows that come into a view, materialized view or foreign table.',
			HINT = 'Schedule iamwatch.process() for it.';
	END IF;

	SELECT * INTO present FROM pg_trigger AS t
	WHERE t.tgrelid = source AND t.tgname = 'iamwatch_observe' AND NOT t.tgisinternal;
	IF present.tgparentid <> 0 THEN
		RAISE NOTICE 'partition "%" is watched through its parent, skipping', source;
		RETURN;
	END IF;
	IF present.oid IS NOT NULL AND present.tgargs <> convert_to(event_column, getdatabaseencoding()) || '\x00' THEN
		EXECUTE format('DROP TRIGGER iamwatch_observe ON %s', source);
		present := NULL;
	END IF;
	IF present.oid IS NULL THEN
		EXECUTE format('CREATE TRIGGER iamwatch_observe AFTER INSERT ON %s FOR EACH ROW'
			' WHEN (iamwatch.news(NEW.%I)) EXECUTE FUNCTION iamwatch.observe(%L)',
			source, event_column, event_column);
		present.tgenabled := 'O';
	END IF;
	IF present.tgenabled <> mode THEN
		EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER iamwatch_observe', source,
			CASE mode WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END);
	END IF;
	INSERT INTO iamwatch.sources AS s (source, event_column) VALUES (source, event_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE SET event_column = EXCLUDED.event_column
	WHERE s.event_column <> EXCLUDED.event_column;
END $$;
COMMENT ON FUNCTION iamwatch.watch(regclass, name, text) IS
'watch what is inserted into a table, or into a partitioned table through any of its partitions; harmless when it is watched already. Column: of type jsonb. Fires: origin; always, also for what a subscription applies; replica, only for that. Needs the TRIGGER privilege; 42809, 42703, 42804, 22023 for what cannot be watched';

CREATE FUNCTION iamwatch.unwatch(source regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parent oid;
BEGIN
	IF source IS NULL THEN
		RAISE EXCEPTION 'table must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT p.tgrelid INTO parent
	FROM pg_trigger AS t LEFT JOIN pg_trigger AS p ON p.oid = t.tgparentid
	WHERE t.tgrelid = unwatch.source AND t.tgname = 'iamwatch_observe' AND NOT t.tgisinternal;
	IF parent IS NOT NULL THEN
		RAISE EXCEPTION 'partition "%" is watched through its parent', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('Use iamwatch.unwatch(%L).', parent::regclass);
	END IF;
	IF FOUND THEN
		EXECUTE format('DROP TRIGGER iamwatch_observe ON %s', source);
	END IF;
	DELETE FROM iamwatch.sources AS s WHERE s.source = unwatch.source;
END $$;
COMMENT ON FUNCTION iamwatch.unwatch(regclass) IS
'no longer watch a table; harmless when it is not watched. What was learned and raised stays';

-- Upkeep.  In steps, each in a transaction of its own, and each under locks
-- that are only tried: an account that a session is just writing is left for
-- the next time.

CREATE FUNCTION iamwatch.fold_journal(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	IF iamwatch.may_fold() AND iamwatch.try_lock(1, iamwatch.account_bucket(account)) THEN
		PERFORM iamwatch.fold_account(provider, account, '{}');
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.fold_journal(text, text) IS
'take what the journal has of an account into the baselines, unless another session is just writing it';

CREATE FUNCTION iamwatch.settle_pending(identity_hash bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	part iamwatch.pending_events;
BEGIN
	FOR part IN
		SELECT DISTINCT ON (detector, provider, account, identity, service, operation, failed) *
		FROM iamwatch.pending_events AS p
		WHERE hashtextextended(p.identity, 0) = identity_hash
		ORDER BY detector, provider, account, identity, service, operation, failed, pending_id
	LOOP
		IF iamwatch.try_lock(2, iamwatch.behaviour_bucket(part.identity, part.service,
			part.operation, part.failed)) THEN
			DELETE FROM iamwatch.pending_events AS p WHERE p.pending_id = part.pending_id;
			IF FOUND THEN
				PERFORM iamwatch.settle_with_pending(ARRAY[part]);
			END IF;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch.settle_pending(bigint) IS
'let the pending events of the identities with that hash join or open alerts';

-- Days that far back are outside of what any event can still be compared
-- with: an event may be as late as training and lateness together, and looks
-- back another training period from there.
CREATE FUNCTION iamwatch.prune_account(in_account integer) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	since date;
BEGIN
	-- what a backfill has just learned is as old as it likes
	IF EXISTS (SELECT FROM iamwatch.backfills AS b WHERE b.finished_at IS NULL) THEN
		RETURN false;
	END IF;
	IF NOT iamwatch.may_fold() OR NOT iamwatch.try_lock(1, (SELECT iamwatch.account_bucket(a.account)
		FROM iamwatch.accounts AS a WHERE a.account_id = in_account)) THEN
		RETURN false;
	END IF;
	SELECT a.newest_day - (SELECT coalesce(max(2 * d.training_days + d.lateness_days), 75) FROM iamwatch.detectors AS d)
	INTO since FROM iamwatch.accounts AS a WHERE a.account_id = in_account;
	IF since IS NULL OR NOT EXISTS (SELECT FROM iamwatch.tallies AS t
		WHERE t.account_id = in_account AND t.behaviour_id = 0 AND t.day < since) THEN
		RETURN false;
	END IF;

	DELETE FROM iamwatch.behaviour_days AS d
	WHERE d.account_id = in_account AND iamwatch.last_day(d.days) < since;
	UPDATE iamwatch.behaviour_days AS d
	SET days = d.days OPERATOR(iamwatch.&) iamwatch.dayset(since, iamwatch.last_day(d.days))
	WHERE d.account_id = in_account AND iamwatch.first_day(d.days) < since;
	DELETE FROM iamwatch.identity_days AS d
	WHERE d.account_id = in_account AND iamwatch.last_day(d.days) < since;
	UPDATE iamwatch.identity_days AS d
	SET days = d.days OPERATOR(iamwatch.&) iamwatch.dayset(since, iamwatch.last_day(d.days))
	WHERE d.account_id = in_account AND iamwatch.first_day(d.days) < since;
	DELETE FROM iamwatch.tallies AS t WHERE t.account_id = in_account AND t.day < since;
	DELETE FROM iamwatch.behaviours AS b
	WHERE b.account_id = in_account AND NOT EXISTS (SELECT FROM iamwatch.behaviour_days AS d
		WHERE d.account_id = in_account AND d.behaviour_id = b.behaviour_id);
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch.prune_account(integer) IS
'drop days past the kept history, and identities and behaviours without any, unless another session is just writing the account; whether there were any';

CREATE PROCEDURE iamwatch.maintain()
	LANGUAGE plpgsql AS $$
DECLARE
	part record;
BEGIN
	FOR part IN SELECT DISTINCT j.provider, j.account FROM iamwatch.journal AS j LOOP
		PERFORM iamwatch.fold_journal(part.provider, part.account);
		COMMIT;
	END LOOP;
	FOR part IN SELECT DISTINCT pg_catalog.hashtextextended(p.identity, 0) AS hash FROM iamwatch.pending_events AS p LOOP
		PERFORM iamwatch.settle_pending(part.hash);
		COMMIT;
	END LOOP;
	FOR part IN SELECT a.account_id FROM iamwatch.accounts AS a LOOP
		PERFORM iamwatch.prune_account(part.account_id);
		COMMIT;
	END LOOP;
	DELETE FROM iamwatch.sources AS s
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) s.source);
END $$;
COMMENT ON PROCEDURE iamwatch.maintain() IS
'fold what concurrent sessions appended, settle their pending events, drop days past the kept history: the longest lateness allowance and twice the training period. Safe beside ingest, never changes what is alerted; run it daily';

-- History, in sets: marks.c makes one key an event, an aggregate in parallel
-- makes sets of days of them, these are learned, every day of every behaviour
-- is scored, and only the events of what was unusual are read once more.
--
-- Scores depend on nothing but the days before, so to learn all and then to
-- score gives what the triggers would have given in order of event time.
-- Learning is a union, and an alert takes an event id once, so a backfill that
-- was stopped is resumed by calling it again.

-- Volatile, though it gives the same for the same: a subquery with a volatile
-- column is planned by itself, so each document is read once, and still in
-- parallel, which OFFSET 0 would prevent.
CREATE FUNCTION iamwatch.mark(event jsonb, OUT key bytea, OUT at timestamptz)
	AS 'MODULE_PATHNAME', 'iamwatch_mark' LANGUAGE C VOLATILE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION iamwatch.mark(jsonb) IS
'what an event adds to the baselines, as a key, and its time; nulls if it cannot be read or lies in the future';

CREATE FUNCTION iamwatch.mark_fields(key bytea, OUT provider text, OUT account text, OUT identity text,
	OUT kinds integer, OUT service text, OUT operation text, OUT failed boolean)
	AS 'MODULE_PATHNAME', 'iamwatch_mark_fields' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch.mark_fields(bytea) IS
'what a key of iamwatch.mark() stands for; the operation is null unless it is an IAM operation. 22P03 for anything else';

-- The relations that hold the rows, so that each can be a step of its own.
CREATE FUNCTION iamwatch.leaves(source regclass) RETURNS SETOF regclass
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT t.relid FROM pg_partition_tree(source) AS t WHERE t.isleaf
	UNION
	SELECT source WHERE NOT EXISTS (SELECT FROM pg_partition_tree(source))
$$;
COMMENT ON FUNCTION iamwatch.leaves(regclass) IS 'the leaf partitions of a table, or the relation itself';

-- Whether a detector takes an interest in the operation.
CREATE FUNCTION iamwatch.is_watched(settings iamwatch.detectors, provider text, service text, operation text)
	RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT o.sensitivity >= settings.least_sensitivity
		AND (settings.categories IS NULL OR o.category = ANY (settings.categories))
	FROM iamwatch.find_operation(provider, service, operation) AS o
$$;
COMMENT ON FUNCTION iamwatch.is_watched(iamwatch.detectors, text, text, text) IS
'whether category and sensitivity of an IAM operation are among those that the detector watches';

CREATE FUNCTION iamwatch.unusual_days(settings iamwatch.detectors, in_account integer,
	marks iamwatch.journal[]) RETURNS TABLE (n bigint, is_user boolean, day date,
	k integer, active integer, peer_days bigint, peer_active bigint, probability double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	WITH own AS MATERIALIZED (
		SELECT m.n, b.behaviour_id, is_person(m.kinds) AS is_user, is_person(i.kinds) AS class, day,
			count_days(d.days, day - settings.training_days, day - 1) AS k,
			count_days(i.days, day - settings.training_days, day - 1) AS active
		FROM unnest(marks) WITH ORDINALITY AS m (provider, account, first_event_time, late_events,
			identity, kinds, service, operation, failed, days, n)
		JOIN iamwatch.identity_days AS i ON i.account_id = in_account
			AND hashtextextended(i.identity, 0) = hashtextextended(m.identity, 0)
			AND i.identity = m.identity
		JOIN iamwatch.behaviours AS b ON b.account_id = in_account
			AND hashtextextended(b.operation, 0) = hashtextextended(m.operation, 0)
			AND b.operation = m.operation AND b.service = m.service AND b.failed = m.failed
		JOIN iamwatch.behaviour_days AS d ON d.account_id = in_account
			AND d.behaviour_id = b.behaviour_id AND d.identity_id = i.identity_id
		CROSS JOIN LATERAL days(m.days) AS day
	), rare AS MATERIALIZED (
		-- whatever the peers do, it only adds to the probability
		SELECT * FROM own WHERE own.k / (own.active + 2.0::float8) < settings.probability_limit
	), class AS MATERIALIZED (
		SELECT c.behaviour_id, c.is_user, c.day,
			(SELECT coalesce(sum(t.identities), 0) FROM iamwatch.tallies AS t
			 WHERE t.account_id = in_account AND t.behaviour_id = c.behaviour_id AND t.is_user = c.is_user
			 AND t.day BETWEEN c.day - settings.training_days AND c.day - 1) AS days,
			(SELECT coalesce(sum(t.identities), 0) FROM iamwatch.tallies AS t
			 WHERE t.account_id = in_account AND t.behaviour_id = 0 AND t.is_user = c.is_user
			 AND t.day BETWEEN c.day - settings.training_days AND c.day - 1) AS active
		FROM (SELECT DISTINCT r.behaviour_id, r.is_user, r.day FROM rare AS r) AS c
	), scored AS (
		SELECT r.n, r.is_user, r.day, r.k, r.active, p.peer_days, p.peer_active,
			iamwatch.probability(r.k, r.active, p.peer_days, p.peer_active) AS probability
		FROM rare AS r
		JOIN class AS c ON (c.behaviour_id, c.is_user, c.day) = (r.behaviour_id, r.is_user, r.day)
		CROSS JOIN LATERAL (SELECT
			c.days - CASE WHEN r.class = r.is_user THEN r.k ELSE 0 END AS peer_days,
			c.active - CASE WHEN r.class = r.is_user THEN r.active ELSE 0 END AS peer_active) AS p
	)
	SELECT s.* FROM scored AS s WHERE s.probability < settings.probability_limit
$$;
COMMENT ON FUNCTION iamwatch.unusual_days(iamwatch.detectors, integer, iamwatch.journal[]) IS
'of the behaviours given, by position, the days that are unusual by what the baselines hold, and how they score';

-- A table of a session's own: temporary, so nobody else sees it, and gone with it.
CREATE FUNCTION iamwatch.drop_temporary() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.iamwatch_marks, pg_temp.iamwatch_unusual, pg_temp.iamwatch_events;
END $$;
COMMENT ON FUNCTION iamwatch.drop_temporary() IS 'drop the working tables of a backfill of this session';

CREATE FUNCTION iamwatch.backfill_phase(source regclass, phase text, parts bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE iamwatch.backfills AS b SET phase = $2, parts = $3, parts_done = 0,
		changed_at = clock_timestamp(), finished_at = CASE $2 WHEN 'done' THEN clock_timestamp() END
	WHERE b.source = $1;
	RAISE NOTICE 'backfill of "%": % (% parts)', source, phase, parts;
END $$;
COMMENT ON FUNCTION iamwatch.backfill_phase(regclass, text, bigint) IS 'record and tell the progress of a backfill';

-- One leaf: all of it in one parallel aggregate.
CREATE FUNCTION iamwatch.backfill_read(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
DECLARE
	events bigint;
BEGIN
	EXECUTE format($query$
		CREATE TEMP TABLE iamwatch_part AS
		SELECT (m).key, iamwatch.dayset_agg((m).at) AS days, min((m).at) AS first, count(*) AS events
		FROM (SELECT iamwatch.mark(%I) AS m FROM %s) AS marks
		WHERE (%L::timestamptz IS NULL OR (m).key IS NULL OR (m).at >= %L)
		AND (%L::timestamptz IS NULL OR (m).key IS NULL OR (m).at < %L)
		GROUP BY (m).key $query$, event_column, leaf, since, since, until, until);
	INSERT INTO pg_temp.iamwatch_marks
	SELECT f.*, p.key, p.days, p.first FROM pg_temp.iamwatch_part AS p
	CROSS JOIN LATERAL iamwatch.mark_fields(p.key) AS f;
	IF EXISTS (SELECT FROM pg_temp.iamwatch_part AS p WHERE p.key IS NULL) THEN
		EXECUTE format($query$
			SELECT iamwatch.reject(array_agg($1), array_agg(coalesce(iamwatch.unreadable(%1$I),
				CASE WHEN %1$I IS NULL THEN 'the document is null'
				ELSE 'the event time is more than one day ahead of the clock' END)), array_agg(%1$I))
			FROM %2$s WHERE (iamwatch.mark(%1$I)).key IS NULL $query$, event_column, leaf)
		USING leaf::oid;
	END IF;
	SELECT sum(p.events) INTO events FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	RETURN coalesce(events, 0);
END $$;
COMMENT ON FUNCTION iamwatch.backfill_read(regclass, name, timestamptz, timestamptz) IS
'aggregate the marks of a relation into the working table; how many rows it read';

CREATE FUNCTION iamwatch.backfill_learn(part integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	days bigint;
BEGIN
	PERFORM iamwatch.learn(array_agg(ROW(m.provider, m.account, m.first, 0, m.identity, m.kinds,
		m.service, m.operation, m.failed, m.days)::iamwatch.journal))
	FROM pg_temp.iamwatch_marks AS m WHERE m.part = backfill_learn.part;
	SELECT coalesce(sum(iamwatch.count_days(m.days)), 0) INTO days
	FROM pg_temp.iamwatch_marks AS m WHERE m.part = backfill_learn.part;
	RETURN days;
END $$;
COMMENT ON FUNCTION iamwatch.backfill_learn(integer) IS 'learn a part of the marks; days of them';

CREATE FUNCTION iamwatch.backfill_score(part integer, detector text) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	INSERT INTO pg_temp.iamwatch_unusual
	SELECT s.detector, g.keys[u.n], u.is_user, u.day, u.k, u.active, u.peer_days, u.peer_active,
		u.probability, a.first_event_time + s.activation_days * interval '24 hours'
	FROM iamwatch.detectors AS s
	CROSS JOIN (
		SELECT m.provider, m.account, array_agg(m.key ORDER BY m.key) AS keys,
			array_agg(ROW(m.provider, m.account, NULL, 0, m.identity, m.kinds, m.service, m.operation,
				m.failed, m.days)::iamwatch.journal ORDER BY m.key) AS marks
		FROM pg_temp.iamwatch_marks AS m
		WHERE m.part = backfill_score.part AND m.operation IS NOT NULL
		GROUP BY m.provider, m.account) AS g
	JOIN iamwatch.accounts AS a ON hashtextextended(a.account, 0) = hashtextextended(g.account, 0)
		AND a.account = g.account AND a.provider = g.provider
	CROSS JOIN LATERAL iamwatch.unusual_days(s, a.account_id, g.marks) AS u
	CROSS JOIN LATERAL (SELECT (g.marks[u.n]).*) AS m
	WHERE s.detector = backfill_score.detector
	AND u.day >= ((a.first_event_time + s.activation_days * interval '24 hours') AT TIME ZONE 'UTC')::date
	AND iamwatch.is_watched(s, m.provider, m.service, m.operation)
$$;
COMMENT ON FUNCTION iamwatch.backfill_score(integer, text) IS 'score a part of the marks into the working table';

CREATE FUNCTION iamwatch.backfill_fetch(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
BEGIN
	EXECUTE format($query$
		CREATE TEMP TABLE iamwatch_part AS
		SELECT (m).key, iamwatch.parse(event) AS event
		FROM (SELECT iamwatch.mark(%1$I) AS m, %1$I AS event FROM %2$s) AS marks
		WHERE (m).key = ANY ($1)
		AND (%3$L::timestamptz IS NULL OR (m).at >= %3$L)
		AND (%4$L::timestamptz IS NULL OR (m).at < %4$L) $query$, event_column, leaf, since, until)
	USING ARRAY(SELECT DISTINCT u.key FROM pg_temp.iamwatch_unusual AS u);
	INSERT INTO pg_temp.iamwatch_events SELECT * FROM pg_temp.iamwatch_part;
	DROP TABLE pg_temp.iamwatch_part;
END $$;
COMMENT ON FUNCTION iamwatch.backfill_fetch(regclass, name, timestamptz, timestamptz) IS
'read the events of what is unusual in a relation into the working table';

-- The alerts of one behaviour.  Events without an id that are in an alert
-- already are told by their time.
CREATE FUNCTION iamwatch.backfill_raise(behaviour text, detector text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	candidates iamwatch.pending_events[];
	period interval;
BEGIN
	SELECT d.deduplication_days * interval '24 hours' INTO period
	FROM iamwatch.detectors AS d WHERE d.detector = backfill_raise.detector;
	SELECT array_agg(ROW(0, backfill_raise.detector, (e.event).provider, (e.event).account, (e.event).identity,
			(e.event).service, (e.event).operation, (e.event).failed, e.event,
			coalesce((e.event).event_time >= u.active_from, false), false, coalesce(u.k, 0), coalesce(u.active, 0),
			coalesce(u.peer_days, 0), coalesce(u.peer_active, 0), coalesce(u.probability, 1))::iamwatch.pending_events
		ORDER BY (e.event).event_time, (e.event).event_id COLLATE "C")
	INTO candidates
	FROM pg_temp.iamwatch_events AS e
	LEFT JOIN pg_temp.iamwatch_unusual AS u ON u.key = e.key AND u.detector = backfill_raise.detector
		AND u.day = ((e.event).event_time AT TIME ZONE 'UTC')::date
	WHERE e.behaviour = backfill_raise.behaviour
	AND NOT ((e.event).event_id IS NULL AND EXISTS (
		SELECT FROM iamwatch.alerts AS a JOIN iamwatch.alert_events AS x USING (alert_id)
		WHERE hashtextextended(a.identity, 0) = hashtextextended((e.event).identity, 0)
		AND a.first_event_time > (e.event).event_time - period
		AND a.first_event_time < (e.event).event_time + period
		AND a.identity = (e.event).identity AND a.operation = (e.event).operation
		AND a.service = (e.event).service AND a.failed = (e.event).failed
		AND a.account = (e.event).account AND a.provider = (e.event).provider
		AND a.detector = backfill_raise.detector
		AND x.event_id IS NULL AND x.event_time = (e.event).event_time));
	IF candidates IS NOT NULL THEN
		PERFORM iamwatch.settle_with_pending(candidates);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.backfill_raise(text, text) IS
'let the events of a behaviour open and join alerts, in order of event time';

CREATE PROCEDURE iamwatch.backfill(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf regclass;
	part integer;
	parts integer;
	one record;
	n bigint := 0;
	alerts_before bigint;
	waited integer := 0;
BEGIN
	event_column := coalesce(event_column, (SELECT s.event_column FROM iamwatch.sources AS s
		WHERE s.source OPERATOR(pg_catalog.=) backfill.source), 'event');
	PERFORM iamwatch.check_source(source, event_column);
	IF NOT iamwatch.may_fold() THEN
		RAISE EXCEPTION 'cannot backfill in a transaction with a fixed snapshot'
			USING ERRCODE = 'invalid_transaction_state', HINT = 'Use read committed.';
	END IF;
	IF NOT iamwatch.try_session_lock(3, source::oid::bigint) THEN
		RAISE EXCEPTION 'another session is backfilling "%"', source
			USING ERRCODE = 'lock_not_available', HINT = 'See iamwatch.backfill_progress.';
	END IF;
	INSERT INTO iamwatch.backfills AS b (source, since, until, rows_expected)
	VALUES (source, since, until, (SELECT coalesce(pg_catalog.sum(GREATEST(c.reltuples, 0)), 0)
		FROM iamwatch.leaves(source) AS l JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) l))
	ON CONFLICT ON CONSTRAINT backfills_pkey DO UPDATE SET (phase, since, until, started_at, finished_at,
		rows_done, rows_expected, days_done, alerts) = ('reading', EXCLUDED.since, EXCLUDED.until,
		pg_catalog.clock_timestamp(), NULL, 0, EXCLUDED.rows_expected, 0, 0);
	PERFORM iamwatch.backfill_phase(source, 'reading', (SELECT pg_catalog.count(*) FROM iamwatch.leaves(source)));
	PERFORM iamwatch.drop_temporary();
	CREATE TEMP TABLE iamwatch_marks (provider text, account text, identity text, kinds integer,
		service text, operation text, failed boolean, key bytea, days iamwatch.dayset, first timestamptz, part integer);
	CREATE TEMP TABLE iamwatch_unusual (detector text, key bytea, is_user boolean, day date, k integer,
		active integer, peer_days bigint, peer_active bigint, probability double precision, active_from timestamptz);
	CREATE TEMP TABLE iamwatch_events (key bytea, event iamwatch.event, behaviour text);
	COMMIT;

	FOR leaf IN SELECT l FROM iamwatch.leaves(source) AS l LOOP
		n := iamwatch.backfill_read(leaf, event_column, since, until);
		UPDATE iamwatch.backfills AS b SET parts_done = b.parts_done OPERATOR(pg_catalog.+) 1,
			rows_done = b.rows_done OPERATOR(pg_catalog.+) n, changed_at = pg_catalog.clock_timestamp()
		WHERE b.source OPERATOR(pg_catalog.=) backfill.source;
		COMMIT;
	END LOOP;

	-- an identity's marks stay together
	parts := iamwatch.backfill_partition();
	PERFORM iamwatch.backfill_phase(source, 'learning', parts);
	COMMIT;
	FOR part IN SELECT * FROM pg_catalog.generate_series(1, parts) LOOP
		n := iamwatch.backfill_learn(part);
		UPDATE iamwatch.backfills AS b SET parts_done = part, days_done = b.days_done OPERATOR(pg_catalog.+) n,
			changed_at = pg_catalog.clock_timestamp()
		WHERE b.source OPERATOR(pg_catalog.=) backfill.source;
		COMMIT;
	END LOOP;

	-- what went by way of the journal must be in the tallies before we score
	LOOP
		FOR one IN SELECT DISTINCT j.provider, j.account FROM iamwatch.journal AS j LOOP
			PERFORM iamwatch.fold_journal(one.provider, one.account);
			COMMIT;
		END LOOP;
		EXIT WHEN NOT EXISTS (SELECT FROM iamwatch.journal);
		waited := waited OPERATOR(pg_catalog.+) 1;
		IF waited OPERATOR(pg_catalog.>) 6000 THEN
			RAISE EXCEPTION 'gave up backfilling "%": other sessions keep their accounts locked', source
				USING ERRCODE = 'lock_not_available', HINT = 'End long transactions that insert into watched tables, and call it again.';
		END IF;
		PERFORM pg_catalog.pg_sleep(0.05);
	END LOOP;

	PERFORM iamwatch.backfill_phase(source, 'scoring', parts);
	COMMIT;
	FOR part IN SELECT * FROM pg_catalog.generate_series(1, parts) LOOP
		FOR one IN SELECT d.detector FROM iamwatch.detectors AS d WHERE d.enabled LOOP
			PERFORM iamwatch.backfill_score(part, one.detector);
		END LOOP;
		UPDATE iamwatch.backfills AS b SET parts_done = part, changed_at = pg_catalog.clock_timestamp()
		WHERE b.source OPERATOR(pg_catalog.=) backfill.source;
		COMMIT;
	END LOOP;

	IF EXISTS (SELECT FROM pg_temp.iamwatch_unusual) THEN
		FOR leaf IN SELECT l FROM iamwatch.leaves(source) AS l LOOP
			PERFORM iamwatch.backfill_fetch(leaf, event_column, since, until);
			COMMIT;
		END LOOP;
	END IF;
	SELECT pg_catalog.count(*) INTO alerts_before FROM iamwatch.alerts;
	PERFORM iamwatch.backfill_phase(source, 'raising', iamwatch.backfill_group());
	n := 0;
	FOR one IN SELECT DISTINCT e.behaviour, u.detector FROM pg_temp.iamwatch_events AS e
		JOIN pg_temp.iamwatch_unusual AS u ON u.key OPERATOR(pg_catalog.=) e.key LOOP
		PERFORM iamwatch.backfill_raise(one.behaviour, one.detector);
		n := n OPERATOR(pg_catalog.+) 1;
		IF n OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.=) 0 THEN
			UPDATE iamwatch.backfills AS b SET parts_done = n, changed_at = pg_catalog.clock_timestamp()
			WHERE b.source OPERATOR(pg_catalog.=) backfill.source;
			COMMIT;
		END IF;
	END LOOP;
	UPDATE iamwatch.backfills AS b SET alerts = (SELECT pg_catalog.count(*) FROM iamwatch.alerts) OPERATOR(pg_catalog.-) alerts_before
	WHERE b.source OPERATOR(pg_catalog.=) backfill.source;
	PERFORM iamwatch.backfill_phase(source, 'done', n);
	PERFORM iamwatch.drop_temporary();
	PERFORM iamwatch.session_unlock();
END $$;
COMMENT ON PROCEDURE iamwatch.backfill(regclass, name, timestamptz, timestamptz) IS
'learn from and test what a table, view or foreign table holds, as the triggers would have in order of event time. Column: as watched, else event. Since (included) and until (not): range of event times. Commits in steps; stopped, call it again; running it twice changes nothing. 55P03 while another session backfills the same source';

CREATE FUNCTION iamwatch.backfill_partition() RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	parts integer;
BEGIN
	SELECT 1 + count(*) / 5000 INTO parts FROM pg_temp.iamwatch_marks;
	CREATE TEMP TABLE iamwatch_part AS
	SELECT provider, account, identity, kinds, service, operation, failed, key,
		iamwatch.dayset_union(days) AS days, min(first) AS first,
		1 + (hashtextextended(identity, 0) & 2147483647) % parts AS part
	FROM pg_temp.iamwatch_marks
	GROUP BY provider, account, identity, kinds, service, operation, failed, key;
	TRUNCATE pg_temp.iamwatch_marks;
	INSERT INTO pg_temp.iamwatch_marks SELECT * FROM pg_temp.iamwatch_part;
	DROP TABLE pg_temp.iamwatch_part;
	CREATE INDEX ON pg_temp.iamwatch_marks (part);
	ANALYZE pg_temp.iamwatch_marks;
	RETURN parts;
END $$;
COMMENT ON FUNCTION iamwatch.backfill_partition() IS
'merge what several relations have of a key, and number the steps of a backfill; how many there are';

CREATE FUNCTION iamwatch.backfill_group() RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	-- an identity that was seen as two kinds has two keys but one behaviour
	UPDATE pg_temp.iamwatch_events AS e SET behaviour = md5(ROW((e.event).provider, (e.event).account,
		(e.event).identity, (e.event).service, (e.event).operation, (e.event).failed)::text);
	CREATE INDEX ON pg_temp.iamwatch_events (behaviour);
	CREATE INDEX ON pg_temp.iamwatch_unusual (key, day);
	ANALYZE pg_temp.iamwatch_events;
	ANALYZE pg_temp.iamwatch_unusual;
	RETURN (SELECT count(DISTINCT e.behaviour) FROM pg_temp.iamwatch_events AS e);
END $$;
COMMENT ON FUNCTION iamwatch.backfill_group() IS 'group the events that were read by behaviour; how many there are';

CREATE VIEW iamwatch.backfill_progress AS
SELECT source, phase, parts_done, parts, rows_done, rows_expected, days_done, alerts,
	started_at, changed_at, finished_at,
	rows_done / nullif(extract(epoch FROM coalesce(finished_at, changed_at) - started_at), 0)::double precision AS rows_per_second,
	CASE WHEN finished_at IS NULL AND parts_done > 0 THEN
		(changed_at - started_at) * (parts - parts_done) / parts_done END AS phase_remaining,
	finished_at IS NULL AND NOT iamwatch.session_lock_held(3, source::oid::bigint) AS interrupted
FROM iamwatch.backfills;
COMMENT ON VIEW iamwatch.backfill_progress IS 'how far each backfill has come';
COMMENT ON COLUMN iamwatch.backfill_progress.parts IS
'steps of the phase: relations to read, groups of identities to learn and score, behaviours to raise';
COMMENT ON COLUMN iamwatch.backfill_progress.rows_expected IS 'by the statistics of the table; 0 if it has none';
COMMENT ON COLUMN iamwatch.backfill_progress.interrupted IS 'it stopped half-way: call iamwatch.backfill() again';

-- What no trigger fires for: tables that others fill, views, foreign tables.

CREATE FUNCTION iamwatch.take(source regclass, events jsonb[]) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_take' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch.take(regclass, jsonb[]) IS
'learn from and test documents as if one statement had inserted them into a watched table';

-- Rows that are alike in the order column stay in one batch, so none is
-- skipped when it ends among them.
CREATE FUNCTION iamwatch.process_batch(source regclass, batch_rows integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.sources;
	type text;
	events jsonb[];
	reached text;
	n bigint;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = process_batch.source FOR UPDATE;
	SELECT format_type(a.atttypid, a.atttypmod) INTO type FROM pg_attribute AS a
	WHERE a.attrelid = process_batch.source AND a.attname = known.order_column AND NOT a.attisdropped;
	EXECUTE format($query$
		SELECT array_agg(event), max(at)::text, count(*)
		FROM (SELECT coalesce(%1$I, 'null') AS event, %2$I AS at FROM %3$s
			WHERE %2$I IS NOT NULL AND (%4$L::%5$s IS NULL OR %2$I > %4$L::%5$s)
			ORDER BY %2$I FETCH FIRST %6$s ROWS WITH TIES) AS batch $query$,
		known.event_column, known.order_column, source, known.watermark, type, batch_rows)
	INTO events, reached, n;
	IF n > 0 THEN
		PERFORM iamwatch.take(source, events);
		UPDATE iamwatch.sources AS s SET watermark = reached WHERE s.source = process_batch.source;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION iamwatch.process_batch(regclass, integer) IS
'take the next rows of a source after its watermark; how many there were';

CREATE PROCEDURE iamwatch.process(source regclass, event_column name DEFAULT NULL, order_column name DEFAULT NULL,
	batch_rows integer DEFAULT 5000)
	LANGUAGE plpgsql AS $$
DECLARE
	known iamwatch.sources;
	n bigint;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source OPERATOR(pg_catalog.=) process.source;
	event_column := coalesce(event_column, known.event_column, 'event');
	order_column := coalesce(order_column, known.order_column);
	PERFORM iamwatch.check_source(source, event_column);
	PERFORM iamwatch.check_order(source, order_column);
	IF batch_rows IS NULL OR batch_rows OPERATOR(pg_catalog.<) 1 THEN
		RAISE EXCEPTION 'batch_rows must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO iamwatch.sources AS s (source, event_column, order_column)
	VALUES (source, event_column, order_column)
	ON CONFLICT ON CONSTRAINT sources_pkey DO UPDATE
	SET (event_column, order_column, watermark) = (EXCLUDED.event_column, EXCLUDED.order_column,
		CASE WHEN s.order_column OPERATOR(pg_catalog.=) EXCLUDED.order_column THEN s.watermark END);
	COMMIT;
	LOOP
		n := iamwatch.process_batch(source, batch_rows);
		COMMIT;
		EXIT WHEN n OPERATOR(pg_catalog.<) batch_rows;
	END LOOP;
END $$;
COMMENT ON PROCEDURE iamwatch.process(regclass, name, name, integer) IS
'learn from and test what came into a table, view or foreign table since the last call, in batches, each in a transaction. Order column: grows with every row, named at the first call; rows in which it is null are not taken. 42703, 42804, 22023 for what cannot be processed';

CREATE FUNCTION iamwatch.check_order(source regclass, order_column name) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF order_column IS NULL THEN
		RAISE EXCEPTION 'the order column of "%" is not known yet', source
			USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Name a column that grows with every row, such as an identity column or the time of loading.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = source
		AND a.attname = order_column AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', order_column, source
			USING ERRCODE = 'undefined_column';
	END IF;
	IF EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = source AND t.tgname = 'iamwatch_observe') THEN
		RAISE EXCEPTION 'relation "%" is watched already', source
			USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Either triggers or iamwatch.process(): see iamwatch.unwatch().';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.check_order(regclass, name) IS
'22004, 42703 or 55000 unless the relation can be processed in the order of the column';

-- What other settings would have raised.  Reads the source itself, from
-- scratch, and writes nothing.

CREATE FUNCTION iamwatch.other_settings(detector text, training_days integer, activation_days integer,
	deduplication_days integer, probability_limit double precision, categories text[],
	least_sensitivity integer) RETURNS iamwatch.detectors
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	s iamwatch.detectors;
BEGIN
	SELECT * INTO s FROM iamwatch.detectors AS d WHERE d.detector = detector;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'detector "%" does not exist', detector
			USING ERRCODE = 'undefined_object', HINT = 'See iamwatch.detectors.';
	END IF;
	s.training_days := coalesce(training_days, s.training_days);
	s.activation_days := coalesce(activation_days, s.activation_days);
	s.deduplication_days := coalesce(deduplication_days, s.deduplication_days);
	s.probability_limit := coalesce(probability_limit, s.probability_limit);
	s.categories := coalesce(categories, s.categories);
	s.least_sensitivity := coalesce(least_sensitivity, s.least_sensitivity);
	IF s.training_days NOT BETWEEN 1 AND 3650 OR s.activation_days NOT BETWEEN 0 AND 3650
		OR s.deduplication_days NOT BETWEEN 0 AND 3650 OR s.least_sensitivity NOT BETWEEN 1 AND 4
		OR s.probability_limit NOT BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'setting out of range' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = 'Periods are 0 to 3650 days, training at least 1; the limit 0 to 1; sensitivity 1 to 4.';
	END IF;
	RETURN s;
END $$;
COMMENT ON FUNCTION iamwatch.other_settings(text, integer, integer, integer, double precision, text[], integer) IS
'a detector''s settings with those given in place of its own; 42704 or 22023 for what cannot be';

CREATE FUNCTION iamwatch.backtest_events(settings iamwatch.detectors, source regclass, event_column name)
	RETURNS TABLE (event iamwatch.event, unusual boolean, k integer, active integer,
		peer_days bigint, peer_active bigint, probability double precision)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
	WITH marks AS MATERIALIZED (
		SELECT f.*, m.key, m.days, m.first, is_person(f.kinds) AS is_user
		FROM (SELECT (r.m).key, dayset_agg((r.m).at) AS days, min((r.m).at) AS first
			FROM (SELECT mark(%1$I) AS m FROM %2$s) AS r GROUP BY (r.m).key) AS m
		CROSS JOIN LATERAL mark_fields(m.key) AS f
	), account AS MATERIALIZED (
		SELECT provider, account, min(first) + $1.activation_days * interval '24 hours' AS active_from
		FROM marks GROUP BY provider, account
	), identity AS MATERIALIZED (
		SELECT provider, account, identity, is_person(bit_or(kinds)) AS class, dayset_union(days) AS days
		FROM marks GROUP BY provider, account, identity
	), behaviour AS MATERIALIZED (
		SELECT m.provider, m.account, m.identity, m.service, m.operation, m.failed,
			dayset_union(m.days) AS days, i.class, i.days AS active_days
		FROM marks AS m JOIN identity AS i USING (provider, account, identity)
		WHERE m.operation IS NOT NULL
		GROUP BY 1, 2, 3, 4, 5, 6, i.class, i.days
	), rare AS MATERIALIZED (
		SELECT m.key, m.is_user, day, b.provider, b.account, b.service, b.operation, b.failed, b.class,
			count_days(b.days, day - $1.training_days, day - 1) AS k,
			count_days(b.active_days, day - $1.training_days, day - 1) AS active, a.active_from
		FROM marks AS m
		JOIN behaviour AS b USING (provider, account, identity, service, operation, failed)
		JOIN account AS a USING (provider, account)
		CROSS JOIN LATERAL days(m.days) AS day
		WHERE is_watched($1, m.provider, m.service, m.operation)
		AND day >= (a.active_from AT TIME ZONE 'UTC')::date
		AND count_days(b.days, day - $1.training_days, day - 1)
			/ (count_days(b.active_days, day - $1.training_days, day - 1) + 2.0::float8) < $1.probability_limit
	), activity AS MATERIALIZED (
		SELECT i.provider, i.account, i.class, day, count(*) AS n
		FROM identity AS i CROSS JOIN LATERAL days(i.days) AS day GROUP BY 1, 2, 3, 4
	), doing AS MATERIALIZED (
		SELECT b.provider, b.account, b.class, b.service, b.operation, b.failed, day, count(*) AS n
		FROM behaviour AS b CROSS JOIN LATERAL days(b.days) AS day GROUP BY 1, 2, 3, 4, 5, 6, 7
	), active AS (
		SELECT r.provider, r.account, r.is_user, r.day, sum(a.n) AS n
		FROM (SELECT DISTINCT provider, account, is_user, day FROM rare) AS r
		JOIN activity AS a ON (a.provider, a.account, a.class) = (r.provider, r.account, r.is_user)
			AND a.day BETWEEN r.day - $1.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4
	), done AS (
		SELECT r.provider, r.account, r.is_user, r.service, r.operation, r.failed, r.day, sum(d.n) AS n
		FROM (SELECT DISTINCT provider, account, is_user, service, operation, failed, day FROM rare) AS r
		JOIN doing AS d ON (d.provider, d.account, d.class, d.service, d.operation, d.failed)
			= (r.provider, r.account, r.is_user, r.service, r.operation, r.failed)
			AND d.day BETWEEN r.day - $1.training_days AND r.day - 1
		GROUP BY 1, 2, 3, 4, 5, 6, 7
	), scored AS MATERIALIZED (
		SELECT r.key, r.day, r.k, r.active, r.active_from, p.peer_days, p.peer_active,
			iamwatch.probability(r.k, r.active, p.peer_days, p.peer_active) AS probability
		FROM rare AS r
		LEFT JOIN active AS a USING (provider, account, is_user, day)
		LEFT JOIN done AS d USING (provider, account, is_user, service, operation, failed, day)
		CROSS JOIN LATERAL (SELECT
			(coalesce(d.n, 0) - CASE WHEN r.class = r.is_user THEN r.k ELSE 0 END)::bigint AS peer_days,
			(coalesce(a.n, 0) - CASE WHEN r.class = r.is_user THEN r.active ELSE 0 END)::bigint AS peer_active) AS p
	), unusual AS MATERIALIZED (
		SELECT * FROM scored WHERE scored.probability < $1.probability_limit
	), found AS MATERIALIZED (
		SELECT (e.m).key, parse(e.document) AS event
		FROM (SELECT mark(%1$I) AS m, %1$I AS document FROM %2$s) AS e
		WHERE (e.m).key = ANY (ARRAY(SELECT DISTINCT u.key FROM unusual AS u))
	)
	SELECT f.event, coalesce((f.event).event_time >= u.active_from, false), u.k, u.active,
		u.peer_days, u.peer_active, u.probability
	FROM found AS f
	LEFT JOIN unusual AS u ON u.key = f.key AND u.day = ((f.event).event_time AT TIME ZONE 'UTC')::date
	ORDER BY (f.event).provider, (f.event).account, (f.event).identity, (f.event).service,
		(f.event).operation, (f.event).failed, (f.event).event_time, (f.event).event_id COLLATE "C"
	$query$, event_column, source) USING settings;
END $$;
COMMENT ON FUNCTION iamwatch.backtest_events(iamwatch.detectors, regclass, name) IS
'the events of every behaviour that is ever unusual, behaviour by behaviour in order of time, and how their days score';

CREATE FUNCTION iamwatch.backtest(source regclass, training_days integer DEFAULT NULL,
	activation_days integer DEFAULT NULL, deduplication_days integer DEFAULT NULL,
	probability_limit double precision DEFAULT NULL, categories text[] DEFAULT NULL,
	least_sensitivity integer DEFAULT NULL, event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity')
	RETURNS TABLE (severity text, variation text, first_event_time timestamptz, last_event_time timestamptz,
		event_count bigint, provider text, account text, identity text, identity_kind text, service text,
		operation text, failed boolean, category text, sensitivity integer, technique text,
		k integer, active integer, peer_days bigint, peer_active bigint,
		probability double precision, surprise double precision)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	settings iamwatch.detectors := iamwatch.other_settings(detector, training_days, activation_days,
		deduplication_days, probability_limit, categories, least_sensitivity);
	period interval := settings.deduplication_days * interval '24 hours';
	c record;
	e iamwatch.event;
	ids text[];
	more record;
BEGIN
	event_column := coalesce(event_column, (SELECT s.event_column FROM iamwatch.sources AS s
		WHERE s.source = backtest.source), 'event');
	PERFORM iamwatch.check_source(source, event_column);
	FOR c IN SELECT * FROM iamwatch.backtest_events(settings, source, event_column) LOOP
		e := c.event;
		IF first_event_time IS NOT NULL AND e.event_time < first_event_time + period
			AND (e.provider, e.account, e.identity, e.service, e.operation, e.failed)
				= (provider, account, identity, service, operation, failed) THEN
			CONTINUE WHEN e.event_id = ANY (ids);
			ids := ids || e.event_id;
			event_count := event_count + 1;
			last_event_time := e.event_time;
			SELECT * INTO more FROM iamwatch.variation(settings, e);
			IF iamwatch.severity_rank(more.severity) > iamwatch.severity_rank(severity) THEN
				severity := more.severity;
				variation := more.variation;
			END IF;
			CONTINUE;
		END IF;
		IF first_event_time IS NOT NULL THEN
			RETURN NEXT;
			first_event_time := NULL;
		END IF;
		CONTINUE WHEN NOT c.unusual;
		ids := ARRAY[e.event_id];
		event_count := 1;
		first_event_time := e.event_time;
		last_event_time := e.event_time;
		SELECT v.variation, v.severity INTO variation, severity FROM iamwatch.variation(settings, e) AS v;
		provider := e.provider;
		account := e.account;
		identity := e.identity;
		identity_kind := e.identity_kind;
		service := e.service;
		operation := e.operation;
		failed := e.failed;
		SELECT o.category, o.sensitivity, coalesce(nullif(o.attack_technique, ''), 'T1098')
		INTO category, sensitivity, technique
		FROM iamwatch.find_operation(e.provider, e.service, e.operation) AS o;
		k := c.k;
		active := c.active;
		peer_days := c.peer_days;
		peer_active := c.peer_active;
		probability := c.probability;
		surprise := iamwatch.surprise(c.probability);
	END LOOP;
	IF first_event_time IS NOT NULL THEN
		RETURN NEXT;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.backtest(regclass, integer, integer, integer, double precision, text[], integer, name, text) IS
'the alerts that other settings would have raised over what a source holds, as if nothing else had ever been seen; null settings are the detector''s own. Writes nothing';

CREATE FUNCTION iamwatch.backtest_summary(source regclass, training_days integer DEFAULT NULL,
	activation_days integer DEFAULT NULL, deduplication_days integer DEFAULT NULL,
	probability_limit double precision DEFAULT NULL, categories text[] DEFAULT NULL,
	least_sensitivity integer DEFAULT NULL, event_column name DEFAULT NULL,
	detector text DEFAULT 'unusual_iam_activity',
	OUT alerts bigint, OUT days bigint, OUT alerts_per_day double precision, OUT identities bigint,
	OUT by_severity jsonb, OUT new_alerts bigint, OUT vanished_alerts bigint)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	WITH other AS MATERIALIZED (
		SELECT * FROM iamwatch.backtest($1, $2, $3, $4, $5, $6, $7, $8, $9)
	), now AS MATERIALIZED (
		SELECT * FROM iamwatch.backtest($1, event_column => $8, detector => $9)
	), share AS (
		SELECT jsonb_object_agg(o.severity, o.n) AS by_severity
		FROM (SELECT severity, count(*) AS n FROM other GROUP BY severity) AS o
	), fresh AS (
		SELECT provider, account, identity, service, operation, failed, first_event_time FROM other
		EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM now
	), vanished AS (
		SELECT provider, account, identity, service, operation, failed, first_event_time FROM now
		EXCEPT SELECT provider, account, identity, service, operation, failed, first_event_time FROM other
	)
	SELECT count(*), max(span.days), count(*) / max(span.days)::float8,
		count(DISTINCT (o.provider, o.account, o.identity)) FILTER (WHERE o.identity IS NOT NULL),
		(SELECT by_severity FROM share), (SELECT count(*) FROM fresh), (SELECT count(*) FROM vanished)
	FROM (SELECT extract(day FROM max(u.last_event_time) - min(u.first_event_time))::bigint + 1 AS days
		FROM (SELECT first_event_time, last_event_time FROM other
			UNION ALL SELECT first_event_time, last_event_time FROM now) AS u) AS span
	CROSS JOIN other AS o
$$;
COMMENT ON FUNCTION iamwatch.backtest_summary(regclass, integer, integer, integer, double precision, text[], integer, name, text) IS
'what iamwatch.backtest() gives, in one row to compare settings by: days are those from the first alert to the last, new and vanished alerts are against the detector''s own settings';

-- What is normal.  The journal counts as stored, and days that no longer
-- matter are left out, so that nobody sees when either is cleaned up.

CREATE FUNCTION iamwatch.kept_days() RETURNS integer
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(max(training_days + lateness_days), 45) FROM iamwatch.detectors
$$;
COMMENT ON FUNCTION iamwatch.kept_days() IS
'days of history that count, back from the newest event of the account: the longest training period and lateness allowance';

CREATE VIEW iamwatch.account_history AS
SELECT provider, account, max(account_id) AS account_id,
	min(first_event_time) AS first_event_time, max(newest_day) AS newest_day,
	sum(late_events)::bigint AS late_events
FROM (
	SELECT provider, account, account_id, first_event_time, newest_day, late_events
	FROM iamwatch.accounts
	UNION ALL
	SELECT provider, account, NULL, first_event_time, iamwatch.last_day(days), late_events
	FROM iamwatch.journal) AS parts
GROUP BY provider, account;
COMMENT ON VIEW iamwatch.account_history IS
'per account its first event, newest day, and the events that came too late to be learned or scored';

CREATE VIEW iamwatch.identities AS
SELECT p.provider, p.account, p.identity, iamwatch.kind_name(p.kinds) AS kind,
	iamwatch.is_person(p.kinds) AS is_user,
	p.days OPERATOR(iamwatch.&) iamwatch.dayset(a.newest_day - iamwatch.kept_days(), a.newest_day) AS days,
	p.first_seen, iamwatch.last_day(p.days) AS last_seen
FROM (
	SELECT provider, account, identity, bit_or(kinds) AS kinds,
		iamwatch.dayset_union(days) AS days, min(first_seen) AS first_seen
	FROM (
		SELECT a.provider, a.account, i.identity, i.kinds, i.days, i.first_seen
		FROM iamwatch.identity_days AS i JOIN iamwatch.accounts AS a USING (account_id)
		UNION ALL
		SELECT provider, account, identity, kinds, days, iamwatch.first_day(days)
		FROM iamwatch.journal WHERE identity IS NOT NULL) AS parts
	GROUP BY provider, account, identity) AS p
JOIN iamwatch.account_history AS a USING (provider, account)
WHERE iamwatch.last_day(p.days) >= a.newest_day - iamwatch.kept_days();
COMMENT ON VIEW iamwatch.identities IS 'per identity its kind and the days on which it did anything';
COMMENT ON COLUMN iamwatch.identities.days IS 'within the kept history';
COMMENT ON COLUMN iamwatch.identities.first_seen IS 'ever';

CREATE VIEW iamwatch.baselines AS
SELECT p.provider, p.account, p.identity, p.service, p.operation, p.failed,
	p.days OPERATOR(iamwatch.&) iamwatch.dayset(a.newest_day - iamwatch.kept_days(), a.newest_day) AS days,
	p.first_seen, iamwatch.last_day(p.days) AS last_seen
FROM (
	SELECT provider, account, identity, service, operation, failed,
		iamwatch.dayset_union(days) AS days, min(first_seen) AS first_seen
	FROM (
		SELECT a.provider, a.account, i.identity, b.service, b.operation, b.failed, d.days, d.first_seen
		FROM iamwatch.behaviour_days AS d
		JOIN iamwatch.accounts AS a USING (account_id)
		JOIN iamwatch.behaviours AS b USING (account_id, behaviour_id)
		JOIN iamwatch.identity_days AS i USING (account_id, identity_id)
		UNION ALL
		SELECT provider, account, identity, service, operation, failed, days, iamwatch.first_day(days)
		FROM iamwatch.journal WHERE operation IS NOT NULL) AS parts
	GROUP BY provider, account, identity, service, operation, failed) AS p
JOIN iamwatch.account_history AS a USING (provider, account)
WHERE iamwatch.last_day(p.days) >= a.newest_day - iamwatch.kept_days();
COMMENT ON VIEW iamwatch.baselines IS
'per identity and IAM operation, succeeded and failed apart, the days on which it did so';
COMMENT ON COLUMN iamwatch.baselines.days IS 'within the kept history';
COMMENT ON COLUMN iamwatch.baselines.first_seen IS 'ever';

-- All privileges, for a reviewer to read in one place.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA iamwatch FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA iamwatch FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA iamwatch FROM PUBLIC;

-- Whoever inserts into a watched table evaluates the WHEN of its trigger.
-- Without USAGE of the schema it cannot be called in any other way; and it
-- only tells whether the caller's own document is news.
GRANT EXECUTE ON FUNCTION iamwatch.news(jsonb) TO PUBLIC;

CREATE FUNCTION iamwatch.grant_access(role regrole, access text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	reading constant text := 'iamwatch.alerts, iamwatch.alert_events, iamwatch.account_history,
		iamwatch.identities, iamwatch.baselines, iamwatch.operations, iamwatch.instances,
		iamwatch.detectors, iamwatch.sources, iamwatch.backfill_progress';
	pure constant text[] := ARRAY['parse', 'unreadable', 'probability', 'surprise', 'find_operation',
		'session_lock_held', 'severity_rank', 'is_person', 'kind_name', 'kept_days', 'days', 'count_days',
		'first_day', 'last_day', 'dayset', 'datemultirange', 'dayset_agg', 'dayset_union'];
	functions text;
BEGIN
	IF access IS NULL OR access NOT IN ('read', 'triage', 'administer') THEN
		RAISE EXCEPTION 'invalid value for access: %', coalesce(quote_literal(access), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use read, triage or administer.';
	END IF;
	EXECUTE format('GRANT USAGE ON SCHEMA iamwatch TO %s', role);
	IF access = 'administer' THEN
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA iamwatch TO %s', role);
		EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA iamwatch TO %s', role);
		EXECUTE format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA iamwatch TO %s', role);
		RETURN;
	END IF;
	EXECUTE format('GRANT SELECT ON %s TO %s', reading, role);
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
	FROM pg_proc AS p
	WHERE p.pronamespace = 'iamwatch'::regnamespace
	AND (p.proname = ANY (pure) OR p.proname LIKE 'dayset\_%');
	EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', functions, role);
	IF access = 'triage' THEN
		EXECUTE format('GRANT UPDATE (status) ON iamwatch.alerts TO %s', role);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch.grant_access(regrole, text) IS
'give a role what it needs to read alerts and baselines (read), to set the status of alerts as well (triage), or to run iamwatch (administer). Rejected documents are for administrators: they can hold anything. 22023 for any other access';
REVOKE ALL ON FUNCTION iamwatch.grant_access(regrole, text) FROM PUBLIC;

