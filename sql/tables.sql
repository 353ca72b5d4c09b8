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
	least_sensitivity integer NOT NULL DEFAULT 1 CHECK (least_sensitivity BETWEEN 1 AND 4),
	notify boolean NOT NULL DEFAULT true,
	context_bits double precision NOT NULL DEFAULT 0 CHECK (context_bits >= 0 AND context_bits <= 10),
	context_kinds text[] CHECK (context_kinds <@ ARRAY['new_network', 'new_user_agent', 'new_region',
		'new_key_network', 'failed_before', 'burst', 'first_day'])
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
COMMENT ON COLUMN iamwatch.detectors.notify IS
'whether an alert that opens or rises in severity is sent on channel iamwatch_alert; a transaction that did so cannot be prepared for two-phase commit';
COMMENT ON COLUMN iamwatch.detectors.context_bits IS
'bits of surprise, 0 to 10, that each context of an event adds: the probability is halved so many times; 0 leaves context out of the score';
COMMENT ON COLUMN iamwatch.detectors.context_kinds IS
'which contexts count: new_network, new_user_agent, new_region, new_key_network, failed_before, burst, first_day; null for all';
INSERT INTO iamwatch.detectors (detector, title)
VALUES ('unusual_iam_activity', 'Unusual Identity and Access Management (IAM) activity');

CREATE TABLE iamwatch.operations (
	provider text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
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
COMMENT ON COLUMN iamwatch.operations.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.operations.service IS 'as in the event; * for any service';
COMMENT ON COLUMN iamwatch.operations.operation IS 'the whole name, or with match suffix how it ends';
COMMENT ON COLUMN iamwatch.operations.effect IS 'read is not watched; neither are the categories session and sign_in';
COMMENT ON COLUMN iamwatch.operations.sensitivity IS '1 low to 4 direct foothold or privilege escalation';

CREATE TABLE iamwatch.instances (
	provider text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
	account text NOT NULL,
	instance_id text NOT NULL,
	public_ips inet[] NOT NULL DEFAULT '{}',
	internet_facing boolean NOT NULL DEFAULT false,
	region text,
	security_groups text[] NOT NULL DEFAULT '{}',
	valid_since timestamptz NOT NULL DEFAULT '-infinity',
	confirmed_at timestamptz NOT NULL DEFAULT '-infinity',
	PRIMARY KEY (provider, account, instance_id)
);
COMMENT ON TABLE iamwatch.instances IS
'the inventory of instances: rows of the user''s own, and what iamwatch.import_aws_instances(), iamwatch.import_gcp_instances() and iamwatch.learn_instances() keep. What was true before is in iamwatch.instance_history';
COMMENT ON COLUMN iamwatch.instances.instance_id IS 'as in the event: AWS instance id; Azure resource id of the virtual machine in lower case; GCP: the numeric id, which no event needs';
COMMENT ON COLUMN iamwatch.instances.internet_facing IS 'alerts of what acts as this instance are more severe';
COMMENT ON COLUMN iamwatch.instances.region IS 'AWS region or GCP zone; null if not said';
COMMENT ON COLUMN iamwatch.instances.security_groups IS 'AWS: identifiers of its security groups';
COMMENT ON COLUMN iamwatch.instances.valid_since IS
'events from then on are judged by this row; by default all';
COMMENT ON COLUMN iamwatch.instances.confirmed_at IS
'when an import or a learned event last said so: what is older than that changes nothing';
CREATE INDEX instances_instance_id ON iamwatch.instances (instance_id);
CREATE INDEX instances_public_ips ON iamwatch.instances USING gin (public_ips);

CREATE TABLE iamwatch.sources (
	source regclass PRIMARY KEY,
	event_column name NOT NULL,
	watched_since timestamptz NOT NULL DEFAULT now(),
	order_column name,
	watermark text,
	silent_after interval NOT NULL DEFAULT '26 hours' CHECK (silent_after > interval '0'),
	events_taken bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE iamwatch.sources IS 'where events come from; kept by iamwatch.watch(), iamwatch.unwatch() and iamwatch.process()';
COMMENT ON COLUMN iamwatch.sources.order_column IS 'for iamwatch.process(): what grows with every row';
COMMENT ON COLUMN iamwatch.sources.watermark IS 'for iamwatch.process(): its value in the last row taken';
COMMENT ON COLUMN iamwatch.sources.silent_after IS
'iamwatch.source_status calls the source silent when it has taught nothing for so long; every source with daily activity teaches at least once a UTC day';
COMMENT ON COLUMN iamwatch.sources.events_taken IS 'for iamwatch.process(): how many rows it took';

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
	digest uuid NOT NULL,
	event_bytes bigint
);
COMMENT ON TABLE iamwatch.rejected_events IS 'documents that could not be read, or lie in the future, with the reason';
COMMENT ON COLUMN iamwatch.rejected_events.event IS
'the document as it was stored; null if the column was null; a string with its beginning if it is larger than the limit rejected_bytes';
COMMENT ON COLUMN iamwatch.rejected_events.digest IS 'of the whole document: one delivered again is kept once';
COMMENT ON COLUMN iamwatch.rejected_events.event_bytes IS 'size of the whole document as jsonb';
CREATE INDEX rejected_events_digest ON iamwatch.rejected_events (digest);

CREATE TABLE iamwatch.accounts (
	account_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	provider text NOT NULL,
	account text NOT NULL,
	first_event_time timestamptz,
	newest_day date,
	late_events bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch.accounts IS 'AWS accounts, GCP projects, Azure subscriptions and tenants, and accounts of other providers, that events were seen of';
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
	evidence jsonb NOT NULL,
	resolution text CHECK (resolution IN ('true_positive', 'benign', 'expected_change')),
	assignee text,
	note text,
	attack_until date,
	excluded_days iamwatch.dayset,
	CONSTRAINT alerts_resolved CHECK (status = 'closed' OR resolution IS NULL)
);
COMMENT ON TABLE iamwatch.alerts IS 'unusual IAM activity, one row a behaviour of an identity and deduplication period';
COMMENT ON COLUMN iamwatch.alerts.variation IS 'which of the detector''s variations gave the severity';
COMMENT ON COLUMN iamwatch.alerts.first_event_time IS 'time of the event that raised it; the deduplication period counts from here';
COMMENT ON COLUMN iamwatch.alerts.event_count IS 'events that raised or joined it, each delivery of one counted once';
COMMENT ON COLUMN iamwatch.alerts.tactic IS 'ATT&CK tactic: TA0003 Persistence';
COMMENT ON COLUMN iamwatch.alerts.technique IS 'ATT&CK technique of the operation, T1098 if the catalogue has none';
COMMENT ON COLUMN iamwatch.alerts.probability IS 'iamwatch.probability(k, A, K, N) of the evidence; where context counts, iamwatch.in_context() of that';
COMMENT ON COLUMN iamwatch.alerts.surprise IS 'bits: -log2(probability)';
COMMENT ON COLUMN iamwatch.alerts.evidence IS
'k: days of the training period on which the identity did it; A: on which it was active; K, N: the same summed over its peers; peers: up to ten that do it; source_addresses, user_agents, targets, instances: up to twenty of the events; event_ids: up to a thousand, all are in iamwatch.alert_events; context: what makes it stronger, as iamwatch.context_of() says';
COMMENT ON COLUMN iamwatch.alerts.resolution IS
'of a closed alert: true_positive takes its days out of the baseline, benign and expected_change stop further alerts of the behaviour; null of an open one, and of one that was closed under 0.1.0';
COMMENT ON COLUMN iamwatch.alerts.assignee IS 'who works on it';
COMMENT ON COLUMN iamwatch.alerts.attack_until IS
'with true_positive: the last day on which the identity''s doing it was the attacker''s; null if only the days of the alert''s events were';
COMMENT ON COLUMN iamwatch.alerts.excluded_days IS
'with true_positive: the days that no longer count as days on which the identity did it; follows from the events and attack_until';
CREATE INDEX alerts_excluded ON iamwatch.alerts (hashtextextended(account, 0), hashtextextended(operation, 0))
	WHERE excluded_days IS NOT NULL;
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
