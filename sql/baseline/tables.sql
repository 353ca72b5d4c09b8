-- What is remembered.  State is keyed by account first, so that it shards by
-- account: account_id stands for (provider, account).
--
-- Nothing in it depends on transaction ids, so a dump can keep all of it.
--
-- Accounts and their operations are numbered under the lock under which they
-- are written, not by sequences: what rolls back would spend their numbers, and
-- a role that may insert could use all of them up.

-- Of what the first event of a session looks up, no table has a default, a check or a
-- trigger: each is read with the table's description, by every session anew.

CREATE TABLE iamwatch_internal.accounts (
	account_id integer PRIMARY KEY,
	provider text NOT NULL,
	account text NOT NULL,
	first_event_time timestamptz,
	newest_day date,
	late_events bigint NOT NULL,
	dropped_before date
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch_internal.accounts IS 'AWS accounts, GCP projects, Azure subscriptions and tenants, and accounts of other providers, that events were seen of';
COMMENT ON COLUMN iamwatch_internal.accounts.first_event_time IS 'the activation period counts from here';
COMMENT ON COLUMN iamwatch_internal.accounts.newest_day IS 'UTC day of the newest event; the kept history counts back from here';
COMMENT ON COLUMN iamwatch_internal.accounts.late_events IS 'events that came too late to be learned or scored';
COMMENT ON COLUMN iamwatch_internal.accounts.dropped_before IS 'iamwatch.maintain() has dropped days before this one; null if it never did';
-- by hash: names in events can be longer than an index row
CREATE INDEX accounts_account ON iamwatch_internal.accounts (hashtextextended(account, 0));
CREATE INDEX accounts_number ON iamwatch_internal.accounts ((account_id & 63), account_id);

CREATE TABLE iamwatch_internal.identity_days (
	account_id integer NOT NULL,
	kinds integer NOT NULL,
	identity_id bigint GENERATED ALWAYS AS IDENTITY,
	first_days iamwatch.dayset NOT NULL,
	days iamwatch.dayset NOT NULL,
	iam_days iamwatch.dayset NOT NULL,
	identity text NOT NULL,
	PRIMARY KEY (account_id, identity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE iamwatch_internal.identity_days IS 'per identity the days on which it did anything; read iamwatch.identities';
COMMENT ON COLUMN iamwatch_internal.identity_days.kinds IS 'the kinds it was seen as: bit n for the n-th of iamwatch_internal.kind_name()';
COMMENT ON COLUMN iamwatch_internal.identity_days.first_days IS
'the first three days ever on which it did anything, kept for good: they say from when its days count for its peers';
COMMENT ON COLUMN iamwatch_internal.identity_days.iam_days IS 'days on which it did any IAM operation, of either outcome';
-- half of the hash that other tables have, as there is a row an identity: with the
-- account it fills no more than one word, and few have the same in one account
CREATE INDEX identity_days_identity ON iamwatch_internal.identity_days (account_id, hashtext(identity));

CREATE TABLE iamwatch_internal.account_operations (
	account_id integer NOT NULL,
	operation_id integer NOT NULL,
	failed boolean NOT NULL,
	service text NOT NULL,
	operation text NOT NULL,
	PRIMARY KEY (account_id, operation_id)
);
COMMENT ON TABLE iamwatch_internal.account_operations IS 'the IAM operations seen in an account, succeeded and failed apart';
CREATE INDEX account_operations_operation ON iamwatch_internal.account_operations (account_id, hashtextextended(operation, 0));

CREATE TABLE iamwatch_internal.behaviour_days (
	account_id integer NOT NULL,
	operation_id integer NOT NULL,
	identity_id bigint NOT NULL,
	first_seen date NOT NULL,
	days iamwatch.dayset NOT NULL,
	PRIMARY KEY (account_id, operation_id, identity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE iamwatch_internal.behaviour_days IS 'per identity and behaviour the days on which it did so; read iamwatch.baselines';

CREATE TABLE iamwatch_internal.tallies (
	account_id integer NOT NULL,
	operation_id integer NOT NULL,
	is_user boolean NOT NULL,
	day date NOT NULL,
	identities integer NOT NULL,
	settled integer NOT NULL,
	era smallint NOT NULL DEFAULT 0,
	-- the newest version of a day is found first, however many older ones a snapshot needs
	PRIMARY KEY (account_id, operation_id, day, is_user, era)
) WITH (fillfactor = 80);
COMMENT ON TABLE iamwatch_internal.tallies IS
'how many identities of an account did a behaviour on a day, so that scoring need not visit them all; follows from the days';
COMMENT ON COLUMN iamwatch_internal.tallies.operation_id IS '0 stands for any activity, -1 for any IAM operation';
COMMENT ON COLUMN iamwatch_internal.tallies.identities IS 'all that did so on the day';
COMMENT ON COLUMN iamwatch_internal.tallies.settled IS 'those of them for which it was their third active day or a later one';
COMMENT ON COLUMN iamwatch_internal.tallies.era IS 'grows every few changes; there is one row a day all the same';

CREATE TABLE iamwatch_internal.journal (
	provider text NOT NULL,
	account text NOT NULL,
	first_event_time timestamptz,
	late_events bigint,
	identity text,
	kinds integer,
	service text,
	operation text,
	failed boolean,
	days iamwatch.dayset,
	learned_at timestamptz NOT NULL
);
COMMENT ON TABLE iamwatch_internal.journal IS
'what was learned while another session was writing the same account; the next that writes it takes it over';
COMMENT ON COLUMN iamwatch_internal.journal.identity IS
'null in rows that move the account itself, which alone have a first event, late events, and the newest day of what they came with';
COMMENT ON COLUMN iamwatch_internal.journal.learned_at IS 'so that iamwatch.status can say since when it waits';
-- A statement looks up its own identities here, and the ends of the account,
-- however long the journal is.
CREATE INDEX journal_identity ON iamwatch_internal.journal (hashtextextended(account, 0), hashtextextended(identity, 0));
CREATE INDEX journal_first ON iamwatch_internal.journal (hashtextextended(account, 0), first_event_time)
	WHERE first_event_time IS NOT NULL;
CREATE INDEX journal_newest ON iamwatch_internal.journal (hashtextextended(account, 0), iamwatch.last_day(days))
	WHERE identity IS NULL AND days IS NOT NULL;
-- A table that rows are deleted from has a primary key or this: without, a
-- publication of all tables makes the deletion fail, and the insert with it.
-- It costs nothing but where changes are decoded.
ALTER TABLE iamwatch_internal.journal REPLICA IDENTITY FULL;

SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.accounts', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.identity_days', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.account_operations', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.behaviour_days', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.tallies', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.journal', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.identity_days_identity_id_seq', '');
