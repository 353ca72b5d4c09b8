\echo Use "ALTER EXTENSION iamwatch UPDATE TO '0.2.0'" to load this file. \quit

-- From 0.1.0 to 0.2.0.
--
-- Tables first, by hand: new columns in the order of a fresh install.  Then what
-- is new or changed otherwise, taken from the install scripts.  Then privileges.

-- The tables that change are taken all at once or not at all.  Were some held
-- while another is waited for, a transaction that stores events could need
-- those, be found in a deadlock, and fail.  Attempts are shorter than
-- deadlock_timeout.
DO $$
DECLARE
	patience constant text := current_setting('lock_timeout');
BEGIN
	FOR attempt IN 1 .. 300 LOOP
		BEGIN
			PERFORM set_config('lock_timeout', '100ms', true);
			LOCK TABLE iamwatch.detectors, iamwatch.operations, iamwatch.instances, iamwatch.sources,
				iamwatch.rejected_events, iamwatch.alerts IN ACCESS EXCLUSIVE MODE;
			PERFORM set_config('lock_timeout', patience, true);
			RETURN;
		EXCEPTION WHEN lock_not_available THEN
			PERFORM pg_sleep(random() * 0.2);
		END;
	END LOOP;
	RAISE EXCEPTION 'tables of iamwatch are in use'
		USING ERRCODE = 'lock_not_available',
		HINT = 'Update again when no transaction that has raised alerts or reads them is open.';
END $$;

ALTER TABLE iamwatch.detectors
	ADD COLUMN notify boolean NOT NULL DEFAULT true,
	ADD COLUMN context_bits double precision NOT NULL DEFAULT 0 CHECK (context_bits >= 0 AND context_bits <= 10),
	ADD COLUMN context_kinds text[] CHECK (context_kinds <@ ARRAY['new_network', 'new_user_agent', 'new_region',
		'new_key_network', 'failed_before', 'burst', 'first_day']);

ALTER TABLE iamwatch.operations
	DROP CONSTRAINT operations_provider_check,
	ADD CONSTRAINT operations_provider_check CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$');

ALTER TABLE iamwatch.instances
	DROP CONSTRAINT instances_provider_check,
	ADD CONSTRAINT instances_provider_check CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
	ADD COLUMN region text,
	ADD COLUMN security_groups text[] NOT NULL DEFAULT '{}',
	ADD COLUMN valid_since timestamptz NOT NULL DEFAULT '-infinity',
	ADD COLUMN confirmed_at timestamptz NOT NULL DEFAULT '-infinity';

ALTER TABLE iamwatch.sources
	ADD COLUMN silent_after interval NOT NULL DEFAULT '26 hours' CHECK (silent_after > interval '0'),
	ADD COLUMN events_taken bigint NOT NULL DEFAULT 0;

ALTER TABLE iamwatch.rejected_events
	ADD COLUMN event_bytes bigint;

-- Alerts that were closed under 0.1.0 have no resolution: nobody was asked.
ALTER TABLE iamwatch.alerts
	ADD COLUMN resolution text CHECK (resolution IN ('true_positive', 'benign', 'expected_change')),
	ADD COLUMN assignee text,
	ADD COLUMN note text,
	ADD COLUMN attack_until date,
	ADD COLUMN excluded_days iamwatch.dayset,
	ADD CONSTRAINT alerts_resolved CHECK (status = 'closed' OR resolution IS NULL);

-- ---- made by sql/draft-upgrade ----

COMMENT ON COLUMN iamwatch.event.provider IS 'aws, gcp, azure, or one of iamwatch.providers';

COMMENT ON COLUMN iamwatch.event.account IS 'AWS account id, GCP project id; Azure subscription id of Activity events, tenant id of Entra ones';

COMMENT ON COLUMN iamwatch.event.event_id IS 'AWS eventID, GCP insertId, Entra id, Azure eventDataId; null if missing';

COMMENT ON COLUMN iamwatch.event.service IS 'AWS eventSource without .amazonaws.com, GCP serviceName, Entra loggedByService, Azure resource provider';

COMMENT ON COLUMN iamwatch.event.operation IS 'AWS eventName, GCP methodName, Entra activityDisplayName, Azure operationName in lower case';

COMMENT ON COLUMN iamwatch.event.error_code IS 'AWS errorCode, GCP status.code, Entra resultReason, Azure resultSignature';

COMMENT ON COLUMN iamwatch.event.instance_id IS 'the AWS instance, or the Azure virtual machine, that the identity acts as';

COMMENT ON COLUMN iamwatch.detectors.notify IS
'whether an alert that opens or rises in severity is sent on channel iamwatch_alert; a transaction that did so cannot be prepared for two-phase commit';

COMMENT ON COLUMN iamwatch.detectors.context_bits IS
'bits of surprise, 0 to 10, that each context of an event adds: the probability is halved so many times; 0 leaves context out of the score';

COMMENT ON COLUMN iamwatch.detectors.context_kinds IS
'which contexts count: new_network, new_user_agent, new_region, new_key_network, failed_before, burst, first_day; null for all';

COMMENT ON COLUMN iamwatch.operations.provider IS 'aws, gcp, azure, or one of iamwatch.providers';

COMMENT ON TABLE iamwatch.instances IS
'the inventory of instances: rows of the user''s own, and what iamwatch.import_aws_instances(), iamwatch.import_gcp_instances() and iamwatch.learn_instances() keep. What was true before is in iamwatch.instance_history';

COMMENT ON COLUMN iamwatch.instances.instance_id IS 'as in the event: AWS instance id; Azure resource id of the virtual machine in lower case; GCP: the numeric id, which no event needs';

COMMENT ON COLUMN iamwatch.instances.region IS 'AWS region or GCP zone; null if not said';

COMMENT ON COLUMN iamwatch.instances.security_groups IS 'AWS: identifiers of its security groups';

COMMENT ON COLUMN iamwatch.instances.valid_since IS
'events from then on are judged by this row; by default all';

COMMENT ON COLUMN iamwatch.instances.confirmed_at IS
'when an import or a learned event last said so: what is older than that changes nothing';

COMMENT ON COLUMN iamwatch.sources.silent_after IS
'iamwatch.source_status calls the source silent when it has taught nothing for so long; every source with daily activity teaches at least once a UTC day';

COMMENT ON COLUMN iamwatch.sources.events_taken IS 'for iamwatch.process(): how many rows it took';

COMMENT ON COLUMN iamwatch.rejected_events.event IS
'the document as it was stored; null if the column was null; a string with its beginning if it is larger than the limit rejected_bytes';

COMMENT ON COLUMN iamwatch.rejected_events.digest IS 'of the whole document: one delivered again is kept once';

COMMENT ON COLUMN iamwatch.rejected_events.event_bytes IS 'size of the whole document as jsonb';

COMMENT ON TABLE iamwatch.accounts IS 'AWS accounts, GCP projects, Azure subscriptions and tenants, and accounts of other providers, that events were seen of';

COMMENT ON COLUMN iamwatch.alerts.probability IS 'iamwatch.probability(k, A, K, N) of the evidence; where context counts, iamwatch.in_context() of that';

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

-- What a true positive takes out of the baselines: an overlay.  The sets of
-- days keep what was seen, and whoever scores leaves these days out.  So
-- triage writes no baseline and waits for nobody who does, and an alert that
-- is opened again gives its days back by that alone.

CREATE VIEW iamwatch.excluded_days AS
SELECT provider, account, identity, service, operation, failed,
	iamwatch.dayset_union(excluded_days) AS days
FROM iamwatch.alerts WHERE excluded_days IS NOT NULL
GROUP BY provider, account, identity, service, operation, failed;

COMMENT ON VIEW iamwatch.excluded_days IS
'per identity and IAM operation the days that alerts closed as true_positive have taken out of the baseline';

COMMENT ON COLUMN iamwatch.excluded_days.days IS 'it need not have done it on all of them: attack_until gives a range';

CREATE FUNCTION iamwatch.excluded(provider text, account text, identity text,
	service text, operation text, failed boolean) RETURNS iamwatch.dayset
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	SELECT coalesce((SELECT x.days FROM iamwatch.excluded_days AS x
		WHERE hashtextextended(x.account, 0) = hashtextextended($2, 0)
		AND hashtextextended(x.operation, 0) = hashtextextended($5, 0)
		AND x.provider = $1 AND x.account = $2 AND x.identity = $3
		AND x.service = $4 AND x.operation = $5 AND x.failed = $6), '{}')
$$;

COMMENT ON FUNCTION iamwatch.excluded(text, text, text, text, text, boolean) IS
'the days that true positives have taken out of a behaviour of an identity';

CREATE FUNCTION iamwatch.has_excluded(account text, operation text) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	-- by hash only: it may say so of another, but never miss one
	RETURN EXISTS (SELECT FROM iamwatch.alerts AS a WHERE a.excluded_days IS NOT NULL
		AND hashtextextended(a.account, 0) = hashtextextended($1, 0)
		AND hashtextextended(a.operation, 0) = hashtextextended($2, 0));
END $$;

COMMENT ON FUNCTION iamwatch.has_excluded(text, text) IS
'whether true positives may have taken days out of an operation in an account';

CREATE FUNCTION iamwatch.excluded_of_account(in_account integer, provider text, account text)
	RETURNS TABLE (behaviour_id integer, identity_id bigint, is_user boolean, days iamwatch.dayset)
	LANGUAGE plpgsql STABLE ROWS 5 SET search_path = pg_catalog, iamwatch, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT b.behaviour_id, i.identity_id, is_person(i.kinds), d.days & x.days
	FROM iamwatch.excluded_days AS x
	JOIN iamwatch.behaviours AS b ON b.account_id = in_account
		AND hashtextextended(b.operation, 0) = hashtextextended(x.operation, 0)
		AND b.operation = x.operation AND b.service = x.service AND b.failed = x.failed
	JOIN iamwatch.identity_days AS i ON i.account_id = in_account
		AND hashtextextended(i.identity, 0) = hashtextextended(x.identity, 0)
		AND i.identity = x.identity
	JOIN iamwatch.behaviour_days AS d ON d.account_id = in_account
		AND d.behaviour_id = b.behaviour_id AND d.identity_id = i.identity_id
	WHERE hashtextextended(x.account, 0) = hashtextextended($3, 0)
	AND x.account = $3 AND x.provider = $2;
END $$;

COMMENT ON FUNCTION iamwatch.excluded_of_account(integer, text, text) IS
'of an account, the stored days that true positives have taken out';

CREATE FUNCTION iamwatch.excluded_class_days(in_account integer, in_behaviour integer,
	provider text, account text, is_user boolean, service text, operation text, failed boolean,
	since date, until date) RETURNS bigint
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	RETURN (SELECT coalesce(sum(count_days(d.days & x.days, since, until)), 0)
		FROM iamwatch.excluded_days AS x
		JOIN iamwatch.identity_days AS i ON i.account_id = in_account
			AND hashtextextended(i.identity, 0) = hashtextextended(x.identity, 0)
			AND i.identity = x.identity AND is_person(i.kinds) = $5
		JOIN iamwatch.behaviour_days AS d ON d.account_id = in_account
			AND d.behaviour_id = in_behaviour AND d.identity_id = i.identity_id
		WHERE hashtextextended(x.account, 0) = hashtextextended($4, 0)
		AND hashtextextended(x.operation, 0) = hashtextextended($7, 0)
		AND x.account = $4 AND x.provider = $3 AND x.service = $6 AND x.operation = $7 AND x.failed = $8);
END $$;

COMMENT ON FUNCTION iamwatch.excluded_class_days(integer, integer, text, text, boolean, text, text, boolean, date, date) IS
'what iamwatch.class_days() has to leave out of its tallies';

-- What a subscription applies fires no statement triggers.
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.operations
	FOR EACH ROW EXECUTE FUNCTION iamwatch.settings_changed();

CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch.settings_changed();

ALTER TABLE iamwatch.operations ENABLE REPLICA TRIGGER settings_applied;

ALTER TABLE iamwatch.detectors ENABLE REPLICA TRIGGER settings_applied;

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE OR REPLACE FUNCTION iamwatch.replace_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.detectors AS d
	WHERE d.detector = NEW.detector AND d.detector = 'unusual_iam_activity'
	AND (d.enabled, d.activation_days, d.training_days, d.deduplication_days, d.lateness_days,
		d.probability_limit, d.severity_base, d.severity_non_user, d.severity_internet_facing,
		d.least_sensitivity, d.notify) = (true, 14, 30, 5, 15, 0.02, 'informational', 'low', 'medium', 1, true)
	AND d.categories IS NULL AND d.context_bits = 0 AND d.context_kinds IS NULL;
	RETURN NEW;
END $$;

-- Providers of your own: where their documents keep what an event needs.
-- Paths are data, read as the operator #>> reads them, never SQL.

CREATE TABLE iamwatch.providers (
	provider text PRIMARY KEY,
	recognised_by text[] NOT NULL,
	recognised_value text,
	account_path text[],
	account_default text,
	identity_path text[] NOT NULL,
	kind_path text[],
	kinds jsonb NOT NULL DEFAULT '{}',
	kind_default text NOT NULL DEFAULT 'user',
	service_path text[],
	service_default text,
	operation_path text[] NOT NULL,
	event_time_path text[] NOT NULL,
	event_time_format text NOT NULL DEFAULT 'rfc3339',
	result_path text[],
	success_values text[] NOT NULL DEFAULT '{}',
	error_code_path text[],
	event_id_path text[],
	source_ip_path text[],
	user_agent_path text[],
	region_path text[],
	instance_id_path text[],
	target_path text[],
	note text
);

COMMENT ON TABLE iamwatch.providers IS
'how to read documents that are not of AWS, GCP or Azure, one row a provider; a change holds from the next statement of every session. A path is as for the operator #>>; what it finds counts if it is a string, number or boolean. Asked in order of name, the first that recognises a document reads it';

COMMENT ON COLUMN iamwatch.providers.provider IS 'a lower-case letter, then letters, digits and _; at most 63';

COMMENT ON COLUMN iamwatch.providers.recognised_by IS 'path that documents of this provider have, and not to null';

COMMENT ON COLUMN iamwatch.providers.recognised_value IS 'what is there; null for anything';

COMMENT ON COLUMN iamwatch.providers.account_default IS 'the account where the path finds none; one of both is needed';

COMMENT ON COLUMN iamwatch.providers.identity_path IS 'the principal that persists, not its session';

COMMENT ON COLUMN iamwatch.providers.kinds IS
'from what kind_path finds to a kind: root, user, federated_user, anonymous, unknown (people); role, instance, service, service_account, workload, account (not)';

COMMENT ON COLUMN iamwatch.providers.kind_default IS 'the kind of what kinds does not have';

COMMENT ON COLUMN iamwatch.providers.service_default IS 'the service where the path finds none; one of both is needed';

COMMENT ON COLUMN iamwatch.providers.event_time_format IS
'rfc3339; or, for numbers, seconds or milliseconds since 1970';

COMMENT ON COLUMN iamwatch.providers.result_path IS
'an operation failed if it finds anything other than the success values; null for operations that are only logged when they succeed';

COMMENT ON COLUMN iamwatch.providers.error_code_path IS 'of failed operations; where it finds nothing, the result';

COMMENT ON COLUMN iamwatch.providers.instance_id_path IS 'for identities of kind instance: as in iamwatch.instances';

SELECT pg_catalog.pg_extension_config_dump('iamwatch.providers', '');

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.providers
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch.settings_changed();

ALTER TABLE iamwatch.providers ENABLE ALWAYS TRIGGER settings_changed;

CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.providers
	FOR EACH ROW EXECUTE FUNCTION iamwatch.settings_changed();

ALTER TABLE iamwatch.providers ENABLE REPLICA TRIGGER settings_applied;

CREATE FUNCTION iamwatch.check_provider() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kinds constant text[] := ARRAY(SELECT iamwatch.kind_name(1 << n) FROM generate_series(0, 10) AS n);
	part record;
BEGIN
	IF NEW.provider IS NULL OR NEW.provider !~ '^[a-z][a-z0-9_]{0,62}$' THEN
		RAISE EXCEPTION 'invalid name of a provider: %', coalesce(quote_literal(NEW.provider), 'null')
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Use a lower-case letter, then letters, digits and underscores; at most 63.';
	END IF;
	IF NEW.provider IN ('aws', 'gcp', 'azure') THEN
		RAISE EXCEPTION 'provider "%" is built in', NEW.provider
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Choose another name.';
	END IF;
	FOR part IN
		SELECT c.key AS name, c.value AS path FROM jsonb_each(to_jsonb(NEW)) AS c
		WHERE c.key LIKE '%\_path' OR c.key = 'recognised_by'
	LOOP
		IF part.path = 'null' THEN
			IF part.name IN ('recognised_by', 'identity_path', 'operation_path', 'event_time_path') THEN
				RAISE EXCEPTION '% of provider "%" must not be null', part.name, NEW.provider
					USING ERRCODE = 'invalid_parameter_value', HINT = 'An event cannot do without it.';
			END IF;
		ELSIF jsonb_array_length(part.path) NOT BETWEEN 1 AND 32
			OR EXISTS (SELECT FROM jsonb_array_elements(part.path) AS step WHERE jsonb_typeof(step) <> 'string') THEN
			RAISE EXCEPTION '% of provider "%" is not a path: %', part.name, NEW.provider, part.path
				USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Use an array of 1 to 32 names of fields, or numbers of array elements, such as ''{actor,id}''.';
		END IF;
	END LOOP;
	FOR part IN SELECT * FROM (VALUES ('account', NEW.account_path, NEW.account_default),
		('service', NEW.service_path, NEW.service_default)) AS v (name, path, otherwise)
	LOOP
		IF part.otherwise = '' OR (part.path IS NULL AND part.otherwise IS NULL) THEN
			RAISE EXCEPTION 'provider "%" has no %', NEW.provider, part.name
				USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Set %1$s_path, or %1$s_default to the name that all events get.', part.name);
		END IF;
	END LOOP;
	IF jsonb_typeof(NEW.kinds) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'kinds of provider "%" is not a JSON object', NEW.provider
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Map what kind_path finds to kinds, such as ''{"User": "user", "App": "service_account"}''.';
	END IF;
	FOR part IN
		SELECT NEW.kind_default AS kind
		UNION ALL SELECT CASE jsonb_typeof(k.value) WHEN 'string' THEN k.value #>> '{}' ELSE k.value::text END
		FROM jsonb_each(NEW.kinds) AS k
	LOOP
		IF part.kind IS NULL OR part.kind <> ALL (kinds) THEN
			RAISE EXCEPTION 'provider "%" maps to a kind that is none: %', NEW.provider,
				coalesce(quote_literal(part.kind), 'null')
				USING ERRCODE = 'invalid_parameter_value', HINT = format('Use one of %s.', array_to_string(kinds, ', '));
		END IF;
	END LOOP;
	IF NEW.kind_path IS NULL AND NEW.kinds <> '{}' THEN
		RAISE EXCEPTION 'provider "%" maps kinds but has no kind_path', NEW.provider
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Set kind_path, or kind_default alone.';
	END IF;
	IF NEW.event_time_format IS NULL OR NEW.event_time_format NOT IN ('rfc3339', 'seconds', 'milliseconds') THEN
		RAISE EXCEPTION 'invalid event_time_format of provider "%": %', NEW.provider,
			coalesce(quote_literal(NEW.event_time_format), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use rfc3339, seconds or milliseconds.';
	END IF;
	IF NEW.result_path IS NULL AND (NEW.success_values <> '{}' OR NEW.error_code_path IS NOT NULL) THEN
		RAISE EXCEPTION 'provider "%" has no result_path', NEW.provider
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'success_values and error_code_path mean nothing without it.';
	END IF;
	RETURN NEW;
END $$;

COMMENT ON FUNCTION iamwatch.check_provider() IS 'trigger: 22023 for a mapping that cannot be, naming what is wrong with it';

CREATE TRIGGER check_provider BEFORE INSERT OR UPDATE ON iamwatch.providers
	FOR EACH ROW EXECUTE FUNCTION iamwatch.check_provider();

-- Azure writes names of the Activity log in any case; events have them in
-- lower case, and the catalogue is compared with events.
CREATE FUNCTION iamwatch.fold_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.service := lower(NEW.service);
	NEW.operation := lower(NEW.operation);
	RETURN NEW;
END $$;

COMMENT ON FUNCTION iamwatch.fold_operation() IS
'trigger: rows for the Azure Activity log, which have a slash and no blank but that of " (started)", are kept in lower case';

CREATE TRIGGER fold_operation BEFORE INSERT OR UPDATE ON iamwatch.operations
	FOR EACH ROW WHEN (NEW.provider = 'azure' AND replace(NEW.operation, ' (started)', '') ~ '^[^ ]*/[^ ]*$')
	EXECUTE FUNCTION iamwatch.fold_operation();

INSERT INTO iamwatch.operations VALUES
('azure', '*', ' Certificates and secrets management', 'suffix', 'credential', 'modify', 'T1098.001', 4, 'Update application: the dash before it varies', 'iamwatch'),
('azure', '*', '/authorizationrules/delete', 'suffix', 'resource_policy', 'delete', 'T1098', 2, 'any service whose operation ends so', 'iamwatch'),
('azure', '*', '/authorizationrules/write', 'suffix', 'resource_policy', 'modify', 'T1098', 3, 'any service whose operation ends so', 'iamwatch'),
('azure', '*', '/listconnectionstrings/action', 'suffix', 'read', 'read', NULL, 1, 'shows a secret; any service whose operation ends so', 'iamwatch'),
('azure', '*', '/listkeys/action', 'suffix', 'read', 'read', NULL, 1, 'shows a secret; any service whose operation ends so', 'iamwatch'),
('azure', '*', '/listsecrets/action', 'suffix', 'read', 'read', NULL, 1, 'shows a secret; any service whose operation ends so', 'iamwatch'),
('azure', '*', '/regeneratekey/action', 'suffix', 'credential', 'modify', 'T1098.001', 3, 'any service whose operation ends so', 'iamwatch'),
('azure', '*', '/regeneratekeys/action', 'suffix', 'credential', 'modify', 'T1098.001', 3, 'any service whose operation ends so', 'iamwatch'),
('azure', '*', 'Add AuthenticationContextClassReference', 'exact', 'org_policy', 'create', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Add CertificationBasedAuthConfiguration', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Add Conditional Access policy', 'exact', 'org_policy', 'create', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Add EligibleRoleAssignment to RoleDefinition', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add Entitlement Management role assignment', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add FIDO2 security key', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', '*', 'Add MultiTenantOrg tenant', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Add V2 application permissions', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add Windows Hello for Business credential', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', '*', 'Add a partner to cross-tenant access setting', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Add administrative unit', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add app role assignment grant to user', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add app role assignment to group', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add app role assignment to service principal', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add application', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add bypass user', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Add delegated permission grant', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add device', 'exact', 'credential', 'create', 'T1098.005', 2, 'a device of one''s own passes device checks', 'iamwatch'),
('azure', '*', 'Add eligible member to role', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add eligible member to role in PIM completed (permanent)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add eligible member to role in PIM completed (timebound)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add eligible member to role in PIM requested (permanent)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add eligible member to role in PIM requested (timebound)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add group', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add kerberos domain', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to administrative unit', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to group', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add member to restricted management administrative unit', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to role', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add member to role completed (PIM activation)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Add member to role in PIM completed (permanent)', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add member to role in PIM completed (timebound)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to role in PIM requested (permanent)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to role in PIM requested (timebound)', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add member to role outside of PIM (permanent)', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add member to role request approved (PIM activation)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Add member to role requested (PIM activation)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Add member to role scoped over Restricted Management Administrative Unit', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add named location', 'exact', 'org_policy', 'create', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Add owner to application', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add owner to group', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add owner to policy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Add owner to service principal', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add partner to company', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Add passwordless phone sign-in credential', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', '*', 'Add permission grant policy', 'exact', 'org_policy', 'create', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Add platform credential', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', '*', 'Add policy', 'exact', 'org_policy', 'create', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Add policy to application', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Add policy to service principal', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Add provisioning configuration', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add registered owner to device', 'exact', 'credential', 'create', 'T1098.005', 2, 'a device of one''s own passes device checks', 'iamwatch'),
('azure', '*', 'Add registered users to device', 'exact', 'credential', 'create', 'T1098.005', 2, 'a device of one''s own passes device checks', 'iamwatch'),
('azure', '*', 'Add role assignment to role definition', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add role definition', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add role from template', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add scoped member to role', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add service principal', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Add service principal credentials', 'exact', 'credential', 'create', 'T1098.001', 4, 'also the managed identities that rotate by themselves', 'iamwatch'),
('azure', '*', 'Add unverified domain', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Add user', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add users strong authentication phone app detail', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Add v2 application permissions', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Add verified domain', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Admin deleted security info', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('azure', '*', 'Admin registered security info', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Admin started password reset', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Admin updated security info', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Administrator directly assigns user to access package', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Administrator directly removes user access package assignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Approve a pending request to join a group', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Approve access package assignment request', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Approve request - direct role assignment', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Assign Hardware Oath Token', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Methods Policy Reset', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Methods Policy Update', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Combination Configuration Create', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Combination Configuration Delete', 'exact', 'mfa', 'delete', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Combination Configuration Update', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Policy Create', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Policy Delete', 'exact', 'mfa', 'delete', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Authentication Strength Policy Update', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Bulk create users - finished (bulk)', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Bulk delete users - finished (bulk)', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Bulk import group members - finished (bulk)', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Bulk invite users - finished (bulk)', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Bulk remove group members - finished (bulk)', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Bulk upload Hardware Oath Token', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Change password (self-service)', 'exact', 'credential', 'modify', 'T1098.001', 2, 'by the user', 'iamwatch'),
('azure', '*', 'Change user password', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Consent to application', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Convert federated user to managed', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Create ExternalUserProfile', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Create Hardware Oath Token', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Create Identity Provider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Create V2 application', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Create a MultiTenantOrg', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Create a partner cross-tenant identity sync setting', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Create application password for user', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', '*', 'Create company settings', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('azure', '*', 'Create connected organization', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Create custom identity provider', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Create policy key', 'exact', 'credential', 'create', 'T1098.001', 3, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Create v2 application', 'exact', 'account', 'create', 'T1136.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Delete AuthenticationContextClassReference', 'exact', 'org_policy', 'delete', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Delete CertificationBasedAuthConfiguration', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete Conditional Access policy', 'exact', 'org_policy', 'delete', 'T1556.009', 4, NULL, 'iamwatch'),
('azure', '*', 'Delete FIDO2 security key(s)', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete Hardware Oath Token', 'exact', 'mfa', 'delete', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Delete Identity Provider', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete V2 application', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete V2 application permission grant', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete Windows Hello for Business credential', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete a partner cross-tenant identity sync setting', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete administrative unit', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete all available strong authentication devices', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('azure', '*', 'Delete application', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete application password for user', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete connected organization', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete device', 'exact', 'credential', 'delete', 'T1098.005', 1, NULL, 'iamwatch'),
('azure', '*', 'Delete external user', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete group', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete kerberos domain', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete named location', 'exact', 'org_policy', 'delete', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Delete partner specific cross-tenant access setting', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete passwordless phone sign-in credential', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete permission grant policy', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Delete platform credential', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete policy', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Delete policy key', 'exact', 'credential', 'delete', 'T1098.001', 2, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Delete pre-created device', 'exact', 'credential', 'delete', 'T1098.005', 1, NULL, 'iamwatch'),
('azure', '*', 'Delete role definition', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete user', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete v2 application', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Delete v2 application permission grant', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Disable Desktop Sso', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Disable Desktop Sso for a specific domain', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Disable PIM alert', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Disable Strong Authentication', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('azure', '*', 'Disable account', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Disable passthrough authentication', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Disable password writeback for directory', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Enable Desktop Sso', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Enable Desktop Sso for a specific domain', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Enable Strong Authentication', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Enable account', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Enable passthrough authentication', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Enable password writeback for directory', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Federate with an identity provider', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Generate key', 'exact', 'credential', 'create', 'T1098.001', 3, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Grant contextual consent to application', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Group_AddMember', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Group_AddOwner', 'exact', 'group', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Group_Create', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Group_Delete', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Group_RemoveMember', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Group_RemoveOwner', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Group_Update', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Hard Delete application', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Hard Delete group', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Hard Delete user', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Hard delete service principal', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Invite external user', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Invite internal user to B2B collaboration', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Issue an access token to the application', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Issue an authorization code to the application', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Issue an id_token to the application', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Offboarded resource from PIM', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'PIM policy removed', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'POST Tenant.CreateBypassedUser', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Promote company to partner', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Read BitLocker key', 'exact', 'read', 'read', NULL, 1, 'shows a secret', 'iamwatch'),
('azure', '*', 'Register TOTP secret', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Register connector', 'exact', 'federation', 'create', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Register device', 'exact', 'credential', 'create', 'T1098.005', 2, 'a device of one''s own passes device checks', 'iamwatch'),
('azure', '*', 'Remove EligibleRoleAssignment from RoleDefinition', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove Entitlement Management role assignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove app role assignment from group', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove app role assignment from service principal', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove app role assignment from user', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove delegated permission grant', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove eligible member from role', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove eligible member from role in PIM completed (permanent)', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove eligible member from role in PIM completed (timebound)', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from administrative unit', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from group', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from restricted management administrative unit', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from role', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from role in PIM completed (permanent)', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from role in PIM completed (timebound)', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove member from role scoped over Restricted Management Administrative Unit', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove owner from application', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove owner from group', 'exact', 'group', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove owner from service principal', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove partner from company', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove permanent direct role assignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove permanent eligible role assignment', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove policy from application', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Remove policy from service principal', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Remove registered owner from device', 'exact', 'credential', 'delete', 'T1098.005', 1, NULL, 'iamwatch'),
('azure', '*', 'Remove registered users from device', 'exact', 'credential', 'delete', 'T1098.005', 1, NULL, 'iamwatch'),
('azure', '*', 'Remove role assignment from role definition', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove scoped member from role', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove service principal', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove service principal credentials', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove unverified domain', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Remove users strong authentication phone app detail', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('azure', '*', 'Remove verified domain', 'exact', 'federation', 'delete', 'T1484.002', 2, NULL, 'iamwatch'),
('azure', '*', 'Reset password', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Reset password (by admin)', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Reset password (self-service)', 'exact', 'credential', 'modify', 'T1098.001', 2, 'by the user', 'iamwatch'),
('azure', '*', 'Reset the cross-tenant access default setting', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Reset user password', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Restore application', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore consent', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore eligible member from role in PIM completed', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore group', 'exact', 'group', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore member from role', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore member from role in PIM completed', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore permanent direct role assignment', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore permanent eligible role assignment', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore service principal', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Restore user', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Reveal local administrator password', 'exact', 'read', 'read', NULL, 1, 'shows a secret', 'iamwatch'),
('azure', '*', 'Role definition created', 'exact', 'role', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Security info saved for self-service password reset', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Set Company Information', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('azure', '*', 'Set DirSync feature', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Set DirSyncEnabled flag', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Set Partnership', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Set device registration policies', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Set directory feature on tenant', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Set domain authentication', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Set federation settings on domain', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Set force change user password', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Set group to be managed by user', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Set password policy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Set user manager', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Set user oath token metadata enabled', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Set verified publisher', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Tenant offboarded from PIM', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Unlock user account (self-service)', 'exact', 'credential', 'modify', 'T1098.001', 2, 'by the user', 'iamwatch'),
('azure', '*', 'Unregister device', 'exact', 'credential', 'delete', 'T1098.005', 1, NULL, 'iamwatch'),
('azure', '*', 'Update AuthenticationContextClassReference', 'exact', 'org_policy', 'modify', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Update Conditional Access policy', 'exact', 'org_policy', 'modify', 'T1556.009', 4, NULL, 'iamwatch'),
('azure', '*', 'Update Identity Provider', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update IdentityProtectionPolicy', 'exact', 'org_policy', 'modify', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Update Sign-In Risk Policy', 'exact', 'org_policy', 'modify', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Update StsRefreshTokenValidFrom Timestamp', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Update User Risk and MFA Registration Policy', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Update V2 application', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update V2 application permission grant', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Update a partner cross-tenant access setting', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update a partner cross-tenant identity sync setting', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update administrative unit', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update application', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update attribute values assigned to a servicePrincipal', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Update attribute values assigned to a user', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Update authorization policy', 'exact', 'org_policy', 'modify', 'T1484', 4, NULL, 'iamwatch'),
('azure', '*', 'Update company', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('azure', '*', 'Update company settings', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('azure', '*', 'Update connected organization', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update continuous access evaluation', 'exact', 'org_policy', 'modify', 'T1556.009', 4, NULL, 'iamwatch'),
('azure', '*', 'Update custom identity provider', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update domain', 'exact', 'federation', 'modify', 'T1484.002', 4, NULL, 'iamwatch'),
('azure', '*', 'Update eligible member in PIM requested (extend)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Update external secrets', 'exact', 'credential', 'modify', 'T1098.001', 4, NULL, 'iamwatch'),
('azure', '*', 'Update group', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update group settings', 'exact', 'group', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update identity provider', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update kerberos domain', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update member in PIM approved by admin (extend/renew)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Update member in PIM requested (extend)', 'exact', 'permission', 'modify', 'T1098.003', 2, 'activation of what somebody is eligible for', 'iamwatch'),
('azure', '*', 'Update named location', 'exact', 'org_policy', 'modify', 'T1556.009', 3, NULL, 'iamwatch'),
('azure', '*', 'Update permission grant policy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Update policy', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', '*', 'Update provisioning setting or credentials', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update role', 'exact', 'role', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Update role definition', 'exact', 'role', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', '*', 'Update role setting in PIM', 'exact', 'role', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update security defaults', 'exact', 'org_policy', 'modify', 'T1556.009', 4, NULL, 'iamwatch'),
('azure', '*', 'Update service principal', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update the company default cross-tenant access setting', 'exact', 'federation', 'modify', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Update user', 'exact', 'account', 'modify', 'T1136.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Update v2 application', 'exact', 'account', 'modify', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'Update v2 application permission grant', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', '*', 'Upload certificate to policy key', 'exact', 'credential', 'create', 'T1098.001', 3, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Upload key to policy key', 'exact', 'credential', 'create', 'T1098.001', 3, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Upload secret into policy key', 'exact', 'credential', 'create', 'T1098.001', 3, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'User changed default security info', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'User deleted security info', 'exact', 'mfa', 'delete', 'T1556.006', 4, NULL, 'iamwatch'),
('azure', '*', 'User registered security info', 'exact', 'mfa', 'create', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'User started password change', 'exact', 'credential', 'modify', 'T1098.001', 2, 'by the user', 'iamwatch'),
('azure', '*', 'User updated security info', 'exact', 'mfa', 'modify', 'T1556.006', 3, NULL, 'iamwatch'),
('azure', '*', 'Validate local account credentials', 'exact', 'sign_in', 'modify', 'T1078.004', 1, 'Azure AD B2C', 'iamwatch'),
('azure', '*', 'Verify domain', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Verify email verified domain', 'exact', 'federation', 'create', 'T1484.002', 3, NULL, 'iamwatch'),
('azure', '*', 'Viral user creation', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', '*', 'pre-create device', 'exact', 'credential', 'create', 'T1098.005', 2, 'a device of one''s own passes device checks', 'iamwatch'),
('azure', '*', 'update conditional access policy', 'exact', 'org_policy', 'modify', 'T1556.009', 4, 'as older logs write it', 'iamwatch'),
('azure', '*', 'user started password reset', 'exact', 'credential', 'modify', 'T1098.001', 2, 'by the user', 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/classicadministrators/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/classicadministrators/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/denyassignments/delete', 'exact', 'permission', 'delete', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/denyassignments/write', 'exact', 'permission', 'create', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/elevateaccess/action', 'exact', 'permission', 'modify', 'T1098.003', 4, 'a global administrator takes access to all subscriptions', 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/locks/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/locks/write', 'exact', 'other', 'create', 'T1098', 1, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policyassignments/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policyassignments/exempt/action', 'exact', 'org_policy', 'create', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policyassignments/write', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policydefinitions/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policydefinitions/write', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policyexemptions/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policyexemptions/write', 'exact', 'org_policy', 'create', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policysetdefinitions/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/policysetdefinitions/write', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleassignments/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleassignments/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleassignmentschedulerequests/cancel/action', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleassignmentschedulerequests/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roledefinitions/delete', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roledefinitions/write', 'exact', 'role', 'modify', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleeligibilityschedulerequests/cancel/action', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleeligibilityschedulerequests/whenapprovalrequired/write', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/roleeligibilityschedulerequests/write', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/rolemanagementpolicies/approvalrule/action', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.authorization', 'microsoft.authorization/rolemanagementpolicies/write', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/certificates/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/certificates/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/connections/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/connections/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/credentials/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/credentials/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/webhooks/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.automation', 'microsoft.automation/automationaccounts/webhooks/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.compute', 'microsoft.compute/sshpublickeys/delete', 'exact', 'credential', 'delete', 'T1098.004', 1, NULL, 'iamwatch'),
('azure', 'microsoft.compute', 'microsoft.compute/sshpublickeys/generatekeypair/action', 'exact', 'credential', 'create', 'T1098.004', 2, NULL, 'iamwatch'),
('azure', 'microsoft.compute', 'microsoft.compute/sshpublickeys/write', 'exact', 'credential', 'create', 'T1098.004', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/generatecredentials/action', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/listcredentials/action', 'exact', 'read', 'read', NULL, 1, 'shows a secret', 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/regeneratecredential/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/scopemaps/write', 'exact', 'permission', 'modify', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/tokens/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerregistry', 'microsoft.containerregistry/registries/tokens/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.containerservice', 'microsoft.containerservice/managedclusters/accessprofiles/listcredential/action', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerservice', 'microsoft.containerservice/managedclusters/listclusteradmincredential/action', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerservice', 'microsoft.containerservice/managedclusters/listclusterusercredential/action', 'exact', 'session', 'create', 'T1550.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.containerservice', 'microsoft.containerservice/managedclusters/resetaadprofile/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.containerservice', 'microsoft.containerservice/managedclusters/resetserviceprincipalprofile/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.dbformysql', 'microsoft.dbformysql/flexibleservers/administrators/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.dbformysql', 'microsoft.dbformysql/flexibleservers/administrators/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.dbforpostgresql', 'microsoft.dbforpostgresql/flexibleservers/administrators/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.dbforpostgresql', 'microsoft.dbforpostgresql/flexibleservers/administrators/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.documentdb', 'microsoft.documentdb/databaseaccounts/sqlroleassignments/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.documentdb', 'microsoft.documentdb/databaseaccounts/sqlroleassignments/write', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.documentdb', 'microsoft.documentdb/databaseaccounts/sqlroledefinitions/delete', 'exact', 'role', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.documentdb', 'microsoft.documentdb/databaseaccounts/sqlroledefinitions/write', 'exact', 'role', 'modify', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.keyvault', 'microsoft.keyvault/vaults/accesspolicies/write', 'exact', 'resource_policy', 'modify', 'T1098', 3, NULL, 'iamwatch'),
('azure', 'microsoft.keyvault', 'microsoft.keyvault/vaults/write', 'exact', 'resource_policy', 'modify', 'T1098', 2, 'carries access policies too', 'iamwatch'),
('azure', 'microsoft.managedidentity', 'microsoft.managedidentity/userassignedidentities/assign/action', 'exact', 'permission', 'create', 'T1098.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.managedidentity', 'microsoft.managedidentity/userassignedidentities/delete', 'exact', 'account', 'delete', 'T1531', 2, NULL, 'iamwatch'),
('azure', 'microsoft.managedidentity', 'microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/delete', 'exact', 'federation', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.managedidentity', 'microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write', 'exact', 'federation', 'create', 'T1098.001', 4, 'whoever holds the foreign subject becomes the identity', 'iamwatch'),
('azure', 'microsoft.managedidentity', 'microsoft.managedidentity/userassignedidentities/write', 'exact', 'account', 'create', 'T1136.003', 3, NULL, 'iamwatch'),
('azure', 'microsoft.managedservices', 'microsoft.managedservices/registrationassignments/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.managedservices', 'microsoft.managedservices/registrationassignments/write', 'exact', 'permission', 'create', 'T1098.003', 4, 'Azure Lighthouse: lets another tenant in', 'iamwatch'),
('azure', 'microsoft.managedservices', 'microsoft.managedservices/registrationdefinitions/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.managedservices', 'microsoft.managedservices/registrationdefinitions/write', 'exact', 'permission', 'create', 'T1098.003', 4, 'Azure Lighthouse: lets another tenant in', 'iamwatch'),
('azure', 'microsoft.management', 'microsoft.management/managementgroups/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.management', 'microsoft.management/managementgroups/settings/write', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.management', 'microsoft.management/managementgroups/subscriptions/delete', 'exact', 'org_policy', 'delete', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.management', 'microsoft.management/managementgroups/subscriptions/write', 'exact', 'org_policy', 'modify', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.management', 'microsoft.management/managementgroups/write', 'exact', 'org_policy', 'create', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.search', 'microsoft.search/searchservices/createquerykey/action', 'exact', 'credential', 'create', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.search', 'microsoft.search/searchservices/regenerateadminkey/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/managedinstances/administrators/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/managedinstances/administrators/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/servers/administrators/delete', 'exact', 'permission', 'delete', 'T1098.003', 2, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/servers/administrators/write', 'exact', 'permission', 'create', 'T1098.003', 4, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/servers/azureadonlyauthentications/delete', 'exact', 'org_policy', 'delete', 'T1484', 3, NULL, 'iamwatch'),
('azure', 'microsoft.sql', 'microsoft.sql/servers/azureadonlyauthentications/write', 'exact', 'org_policy', 'modify', 'T1484', 2, NULL, 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/listaccountsas/action', 'exact', 'credential', 'create', 'T1098.001', 3, 'a credential that outlives the session', 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/listservicesas/action', 'exact', 'credential', 'create', 'T1098.001', 3, 'a credential that outlives the session', 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/localusers/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/localusers/regeneratepassword/action', 'exact', 'credential', 'create', 'T1098.001', 3, 'a credential that outlives the session', 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/localusers/write', 'exact', 'credential', 'create', 'T1098.001', 3, 'a credential that outlives the session', 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/regeneratekey/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.storage', 'microsoft.storage/storageaccounts/revokeuserdelegationkeys/action', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/publishingusers/write', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/functions/keys/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/functions/keys/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/host/functionkeys/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/host/functionkeys/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/host/systemkeys/delete', 'exact', 'credential', 'delete', 'T1098.001', 2, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/host/systemkeys/write', 'exact', 'credential', 'create', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/newpassword/action', 'exact', 'credential', 'modify', 'T1098.001', 3, NULL, 'iamwatch'),
('azure', 'microsoft.web', 'microsoft.web/sites/publishxml/action', 'exact', 'read', 'read', NULL, 1, 'shows a secret', 'iamwatch');

-- Limits: what somebody who causes audit events, or writes them, can make grow
-- ends here.  Only what is new meets a limit; what is known goes on.  What goes
-- over one is counted, never an error.
--
-- What is called for every statement that learns has no SET search_path, which
-- would cost more than its work: the callers have set it.
--
-- Counters are rows that nobody waits for: who finds one taken by another
-- transaction takes the next, or adds one, and maintain() puts them together.

CREATE TABLE iamwatch.limits (
	name text PRIMARY KEY,
	value bigint NOT NULL CHECK (value >= 0),
	shipped_value bigint NOT NULL,
	counted text NOT NULL,
	beyond text NOT NULL
);

COMMENT ON TABLE iamwatch.limits IS
'how much may be new: change the value, it holds from the next statement; see iamwatch.limits_hit. iamwatch.longest_name bounds a single name';

COMMENT ON COLUMN iamwatch.limits.value IS 'that many are taken; a limit whose row is deleted does not hold';

COMMENT ON COLUMN iamwatch.limits.shipped_value IS 'the value as shipped; dumps keep the rows that differ';

COMMENT ON COLUMN iamwatch.limits.counted IS 'what is counted, and over what';

COMMENT ON COLUMN iamwatch.limits.beyond IS 'what happens to the rest';

INSERT INTO iamwatch.limits (name, value, shipped_value, counted, beyond)
SELECT name, value, value, counted, beyond FROM (VALUES
	('accounts', 1000000, 'accounts, in all', 'nothing of a further account is learned or alerted'),
	('new_identities', 1000000, 'identities of an account, by the first day of theirs', 'tested, not learned'),
	('new_behaviours', 5000000, 'pairs of identity and operation of an account, by the first day of theirs', 'tested, not learned'),
	('journal_rows', 1000000, 'rows of iamwatch.journal', 'days of identities that are not known yet are tested, not learned'),
	('alerts', 100000, 'alerts of an account, by day of the event', 'no alert for an identity without any activity in its training period'),
	('alert_events', 1000000, 'events of an alert', 'counted in the alert, their ids are not kept'),
	('pending_events', 100000, 'events of a behaviour that wait for another session', 'not counted in the alert'),
	('rejected_events', 100000, 'rejected documents of a source, by day of rejection', 'not kept'),
	('rejected_bytes', 65536, 'bytes of a rejected document', 'its beginning is kept')
	) AS shipped (name, value, counted, beyond);

SELECT pg_catalog.pg_extension_config_dump('iamwatch.limits', 'WHERE value <> shipped_value');

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION iamwatch.replace_limit() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.limits AS l WHERE l.name = NEW.name;
	RETURN NEW;
END $$;

COMMENT ON FUNCTION iamwatch.replace_limit() IS 'trigger: a shipped row gives way to a restored one';

CREATE TRIGGER replace_limit BEFORE INSERT ON iamwatch.limits
	FOR EACH ROW EXECUTE FUNCTION iamwatch.replace_limit();

CREATE TABLE iamwatch.limit_counts (
	name text NOT NULL,
	scope text NOT NULL,
	day date NOT NULL,
	taken bigint NOT NULL,
	refused bigint NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);

COMMENT ON TABLE iamwatch.limit_counts IS
'what counts toward a limit, and what went over it; several rows for one when sessions wrote at once. Read iamwatch.limits_hit';

COMMENT ON COLUMN iamwatch.limit_counts.scope IS 'PROVIDER/ACCOUNT, or the source of rejected documents';

COMMENT ON COLUMN iamwatch.limit_counts.changed_at IS 'maintain() drops what has not changed for 90 days, and small counts without refusals after 2';

CREATE INDEX limit_counts_scope ON iamwatch.limit_counts (hashtextextended(scope, 0), name, day);

-- nearly always empty: accounts that could be near a limit
CREATE INDEX limit_counts_near ON iamwatch.limit_counts (hashtextextended(scope, 0)) WHERE taken >= 1000;

CREATE INDEX limit_counts_hit ON iamwatch.limit_counts (name) WHERE refused > 0;

SELECT pg_catalog.pg_extension_config_dump('iamwatch.limit_counts', '');

CREATE VIEW iamwatch.limits_hit AS
SELECT c.name, c.scope, sum(c.refused)::bigint AS refused, l.value AS limit_value,
	min(c.day) AS first_day, max(c.day) AS last_day, max(c.changed_at) AS last_hit_at, l.counted, l.beyond
FROM iamwatch.limit_counts AS c LEFT JOIN iamwatch.limits AS l ON l.name = c.name
WHERE c.refused > 0
GROUP BY c.name, c.scope, l.value, l.counted, l.beyond;

COMMENT ON VIEW iamwatch.limits_hit IS
'which limits were reached in the last 90 days, by whom, and how much went over them';

COMMENT ON COLUMN iamwatch.limits_hit.scope IS 'PROVIDER/ACCOUNT, or the source of rejected documents';

COMMENT ON COLUMN iamwatch.limits_hit.refused IS 'of what the limit counts: identities, pairs, days, alerts, events or documents, each time they came';

COMMENT ON COLUMN iamwatch.limits_hit.first_day IS 'days that the limit was reached on: of events, for rejected documents of rejection';

CREATE FUNCTION iamwatch.limit_value(limit_name text) RETURNS bigint
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN coalesce((SELECT l.value FROM iamwatch.limits AS l WHERE l.name = limit_name), 9223372036854775807);
END $$;

COMMENT ON FUNCTION iamwatch.limit_value(text) IS 'a limit, or the largest bigint if it does not hold';

CREATE FUNCTION iamwatch.limit_room(limit_name text, in_scope text, on_day date) RETURNS bigint
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN GREATEST(0, iamwatch.limit_value(limit_name) - (SELECT coalesce(sum(c.taken), 0)
		FROM iamwatch.limit_counts AS c
		WHERE hashtextextended(c.scope, 0) = hashtextextended(in_scope, 0)
		AND c.scope = in_scope AND c.name = limit_name AND c.day = on_day));
END $$;

COMMENT ON FUNCTION iamwatch.limit_room(text, text, date) IS 'how many more the limit allows';

CREATE FUNCTION iamwatch.count_limit(limit_name text, in_scope text, on_day date,
	more_taken bigint, more_refused bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	-- with a fixed snapshot, to lock a row that others have changed is an error
	IF iamwatch.may_fold() THEN
		UPDATE iamwatch.limit_counts AS c SET taken = c.taken + more_taken, refused = c.refused + more_refused,
			changed_at = clock_timestamp()
		WHERE c.ctid = (SELECT f.ctid FROM iamwatch.limit_counts AS f
			WHERE hashtextextended(f.scope, 0) = hashtextextended(in_scope, 0)
			AND f.scope = in_scope AND f.name = limit_name AND f.day = on_day
			LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED);
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	INSERT INTO iamwatch.limit_counts (name, scope, day, taken, refused)
	VALUES (limit_name, in_scope, on_day, more_taken, more_refused);
	IF more_refused > 0 THEN
		RAISE LOG 'limit "%" of iamwatch is reached by "%"', limit_name, left(in_scope, 200)
			USING HINT = 'See iamwatch.limits_hit.';
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.count_limit(text, text, date, bigint, bigint) IS
'count what was taken, and what was refused, toward a limit; never waits';

CREATE FUNCTION iamwatch.count_days(limit_name text, in_scope text, taken date[], refused date[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF cardinality(taken) = 1 AND refused IS NULL THEN	-- no more is news mostly
		PERFORM iamwatch.count_limit(limit_name, in_scope, taken[1], 1, 0);
		RETURN;
	END IF;
	PERFORM iamwatch.count_limit(limit_name, in_scope, d.day, d.taken, d.refused)
	FROM (SELECT u.day, count(*) FILTER (WHERE NOT u.over) AS taken, count(*) FILTER (WHERE u.over) AS refused
		FROM (SELECT unnest(count_days.taken) AS day, false AS over
			UNION ALL SELECT unnest(count_days.refused), true) AS u
		GROUP BY u.day) AS d;
END $$;

COMMENT ON FUNCTION iamwatch.count_days(text, text, date[], date[]) IS
'count toward a limit one for each element, on the day that it is';

CREATE FUNCTION iamwatch.limit_scope(provider text, account text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN provider || '/' || account;

COMMENT ON FUNCTION iamwatch.limit_scope(text, text) IS 'how limits name an account';

CREATE FUNCTION iamwatch.is_account_over() RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most bigint := iamwatch.limit_value('accounts');
BEGIN
	-- numbers are also spent by what rolls back, so they are no count
	RETURN coalesce((SELECT max(a.account_id) FROM iamwatch.accounts AS a), 0) >= most
		AND (SELECT count(*) FROM iamwatch.accounts AS a) >= most;
END $$;

COMMENT ON FUNCTION iamwatch.is_account_over() IS 'whether a further account would be one too many';

CREATE FUNCTION iamwatch.within_limits(in_account_id integer, in_provider text, in_account text,
	learned iamwatch.journal[]) RETURNS iamwatch.journal[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	in_scope text := iamwatch.limit_scope(in_provider, in_account);
	over_identities text[];
	over_days date[];
	newest date;
	kept iamwatch.journal[];
BEGIN
	-- the account's newest day is that of all its events
	SELECT max(iamwatch.last_day(l.days)) INTO newest FROM unnest(learned) AS l;

	WITH fresh AS MATERIALIZED (
		SELECT d.identity, d.day, row_number() OVER (PARTITION BY d.day ORDER BY d.identity COLLATE "C") AS n
		FROM (SELECT l.identity, min(iamwatch.first_day(l.days)) AS day FROM unnest(learned) AS l
			WHERE l.identity IS NOT NULL GROUP BY l.identity) AS d
		WHERE NOT EXISTS (SELECT FROM iamwatch.identity_days AS i WHERE i.account_id = in_account_id
			AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0) AND i.identity = d.identity)
	), room AS MATERIALIZED (
		SELECT r.day, iamwatch.limit_room('new_identities', in_scope, r.day) AS room
		FROM (SELECT DISTINCT f.day FROM fresh AS f) AS r
	)
	SELECT array_agg(f.identity), array_agg(f.day) INTO over_identities, over_days
	FROM fresh AS f JOIN room AS r ON r.day = f.day WHERE f.n > r.room;
	IF over_identities IS NOT NULL THEN
		PERFORM iamwatch.count_days('new_identities', in_scope, NULL, over_days);
		learned := ARRAY(SELECT l FROM unnest(learned) AS l WHERE l.identity IS NULL
			OR NOT EXISTS (SELECT FROM unnest(over_identities) AS o WHERE o = l.identity));
	END IF;

	-- a pair that is refused still is a day of activity
	WITH fresh AS MATERIALIZED (
		SELECT d.*, row_number() OVER (PARTITION BY d.day ORDER BY d.identity COLLATE "C",
			d.service COLLATE "C", d.operation COLLATE "C", d.failed) AS n
		FROM (SELECT l.identity, l.service, l.operation, l.failed, min(iamwatch.first_day(l.days)) AS day
			FROM unnest(learned) AS l WHERE l.operation IS NOT NULL
			GROUP BY l.identity, l.service, l.operation, l.failed) AS d
		WHERE NOT EXISTS (SELECT FROM iamwatch.identity_days AS i
			JOIN iamwatch.behaviours AS b ON b.account_id = in_account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(d.operation, 0)
				AND b.operation = d.operation AND b.service = d.service AND b.failed = d.failed
			JOIN iamwatch.behaviour_days AS m ON m.account_id = in_account_id
				AND m.behaviour_id = b.behaviour_id AND m.identity_id = i.identity_id
			WHERE i.account_id = in_account_id
			AND hashtextextended(i.identity, 0) = hashtextextended(d.identity, 0) AND i.identity = d.identity)
	), room AS MATERIALIZED (
		SELECT r.day, iamwatch.limit_room('new_behaviours', in_scope, r.day) AS room
		FROM (SELECT DISTINCT f.day FROM fresh AS f) AS r
	), over AS MATERIALIZED (
		SELECT f.* FROM fresh AS f JOIN room AS r ON r.day = f.day WHERE f.n > r.room
	)
	SELECT (SELECT array_agg(o.day) FROM over AS o),
		array_agg(CASE WHEN o.day IS NULL THEN l ELSE ROW(l.provider, l.account, l.first_event_time, l.late_events,
			l.identity, l.kinds, NULL, NULL, NULL, l.days)::iamwatch.journal END)
	INTO over_days, kept
	FROM unnest(learned) AS l
	LEFT JOIN over AS o ON o.identity = l.identity AND o.service = l.service
		AND o.operation = l.operation AND o.failed = l.failed;
	IF over_days IS NOT NULL THEN
		PERFORM iamwatch.count_days('new_behaviours', in_scope, NULL, over_days);
	END IF;
	IF newest IS NOT NULL THEN
		kept := kept || ROW(in_provider, in_account, NULL, 0, NULL, NULL, NULL, NULL, NULL,
			iamwatch.dayset(newest, newest))::iamwatch.journal;
	END IF;
	RETURN coalesce(kept, '{}');
END $$;

COMMENT ON FUNCTION iamwatch.within_limits(integer, text, text, iamwatch.journal[]) IS
'what may be learned of an account, the rest counted; under the lock of its bucket';

CREATE FUNCTION iamwatch.within_journal(in_provider text, in_account text, deltas iamwatch.journal[])
	RETURNS iamwatch.journal[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	most bigint := iamwatch.limit_value('journal_rows');
	kept iamwatch.journal[];
	over_days date[];
BEGIN
	-- a row is never that small, and the size of a table costs no look into it
	IF pg_relation_size('iamwatch.journal') / 64 < most - cardinality(deltas)
		OR (SELECT count(*) FROM (SELECT FROM iamwatch.journal LIMIT most) AS j) < most THEN
		RETURN deltas;
	END IF;
	SELECT array_agg(l) FILTER (WHERE k.known),
		array_agg(iamwatch.last_day(l.days)) FILTER (WHERE NOT k.known)
	INTO kept, over_days
	FROM unnest(deltas) AS l
	CROSS JOIN LATERAL (SELECT l.identity IS NULL OR EXISTS (SELECT FROM iamwatch.accounts AS a
		JOIN iamwatch.identity_days AS i ON i.account_id = a.account_id
		WHERE hashtextextended(a.account, 0) = hashtextextended(in_account, 0)
		AND a.account = in_account AND a.provider = in_provider
		AND hashtextextended(i.identity, 0) = hashtextextended(l.identity, 0)
		AND i.identity = l.identity) AS known) AS k;
	IF over_days IS NOT NULL THEN
		PERFORM iamwatch.count_days('journal_rows', iamwatch.limit_scope(in_provider, in_account), NULL, over_days);
	END IF;
	RETURN kept;
END $$;

COMMENT ON FUNCTION iamwatch.within_journal(text, text, iamwatch.journal[]) IS
'what may be appended to the journal, the rest counted: when it is full, only what concerns known identities';

CREATE FUNCTION iamwatch.fold_counts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.limit_counts AS c WHERE c.ctid = ANY (ARRAY(
		SELECT f.ctid FROM iamwatch.limit_counts AS f
		WHERE f.changed_at < clock_timestamp() - CASE WHEN f.refused > 0 OR f.taken >= 1000
			THEN interval '90 days' ELSE interval '2 days' END
		FOR UPDATE SKIP LOCKED));
	WITH several AS (
		SELECT f.name, f.scope, f.day FROM iamwatch.limit_counts AS f GROUP BY 1, 2, 3 HAVING count(*) > 1
	), taken AS (
		DELETE FROM iamwatch.limit_counts AS c WHERE c.ctid = ANY (ARRAY(
			SELECT f.ctid FROM iamwatch.limit_counts AS f
			JOIN several AS s ON s.name = f.name AND s.scope = f.scope AND s.day = f.day
			FOR UPDATE OF f SKIP LOCKED))
		RETURNING c.*
	)
	INSERT INTO iamwatch.limit_counts (name, scope, day, taken, refused, changed_at)
	SELECT t.name, t.scope, t.day, sum(t.taken), sum(t.refused), max(t.changed_at)
	FROM taken AS t GROUP BY t.name, t.scope, t.day;
END $$;

COMMENT ON FUNCTION iamwatch.fold_counts() IS
'put together the counters that several sessions wrote, and drop old ones; leaves those that a session is just writing';

COMMENT ON FUNCTION iamwatch.parse(jsonb) IS
'the normalised event of a document of AWS, GCP, Azure or a provider of iamwatch.providers, strings that are no names cut to 64 kB; null if the document is not a readable audit event, see iamwatch.unreadable()';

CREATE FUNCTION iamwatch.document_digest(event jsonb) RETURNS uuid
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	-- what is very large has no text that fits in memory
	SELECT CASE WHEN pg_column_size(event) > 16777216 THEN
		(lpad(to_hex(jsonb_hash_extended(event, 0)), 16, '0') || lpad(to_hex(jsonb_hash_extended(event, 1)), 16, '0'))::uuid
		ELSE md5(coalesce(event::text, ''))::uuid END
$$;

COMMENT ON FUNCTION iamwatch.document_digest(jsonb) IS 'MD5 of the text of a document; of one beyond 16 MB a hash of its values';

CREATE FUNCTION iamwatch.document_within(event jsonb, most bigint) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN pg_column_size(event) <= most OR event IS NULL THEN event
		WHEN pg_column_size(event) > 16777216 THEN to_jsonb('a document of type ' || jsonb_typeof(event))
		ELSE to_jsonb(left(event::text, LEAST(most, 1000)::integer)) END
$$;

COMMENT ON FUNCTION iamwatch.document_within(jsonb, bigint) IS
'the document, or as a string its first thousand characters if it is larger than so many bytes';

CREATE OR REPLACE FUNCTION iamwatch.reject(sources oid[], reasons text[], events jsonb[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most_bytes bigint := iamwatch.limit_value('rejected_bytes');
	today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
BEGIN
	WITH rejected AS MATERIALIZED (
		SELECT DISTINCT ON (r.source, r.reason, r.digest) r.source::regclass, r.reason, r.event, r.digest
		FROM (SELECT *, iamwatch.document_digest(u.event) AS digest
			FROM unnest(sources, reasons, events) WITH ORDINALITY AS u (source, reason, event, n)) AS r
		WHERE NOT EXISTS (SELECT FROM iamwatch.rejected_events AS e
			WHERE e.digest = r.digest AND e.reason = r.reason AND e.source = r.source)
		ORDER BY r.source, r.reason, r.digest, r.n
	), room AS MATERIALIZED (
		SELECT s.source, iamwatch.limit_room('rejected_events', s.source::text, today) AS room
		FROM (SELECT DISTINCT r.source FROM rejected AS r) AS s
	), ranked AS MATERIALIZED (
		SELECT r.*, row_number() OVER (PARTITION BY r.source) <= m.room AS kept
		FROM rejected AS r JOIN room AS m ON m.source = r.source
	), inserted AS (
		INSERT INTO iamwatch.rejected_events (source, reason, event, digest, event_bytes)
		SELECT r.source, r.reason, iamwatch.document_within(r.event, most_bytes), r.digest, pg_column_size(r.event)
		FROM ranked AS r WHERE r.kept
	)
	SELECT count(iamwatch.count_limit('rejected_events', c.source::text, today, c.kept, c.n - c.kept)) INTO most_bytes
	FROM (SELECT r.source, count(*) AS n, count(*) FILTER (WHERE r.kept) AS kept
		FROM ranked AS r GROUP BY r.source) AS c;
END $$;

COMMENT ON FUNCTION iamwatch.reject(oid[], text[], jsonb[]) IS
'keep documents that were not understood, each once a table and reason, within the limits rejected_events and rejected_bytes';

-- Documents from what is not jsonb yet, and one by one from files of many.

CREATE FUNCTION iamwatch.to_document(event text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION iamwatch.to_document(text) IS
'the document that a text holds; never fails. What is no valid JSON becomes a JSON string, of which iamwatch.unreadable() gives the reason; \u0000 and half surrogate pairs, which jsonb cannot hold, become the replacement character; of text longer than 64 MB the first MB is kept as a string';

CREATE FUNCTION iamwatch.to_document(event json) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_to_document' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION iamwatch.to_document(json) IS
'the document that a json value holds; never fails, see iamwatch.to_document(text)';

-- Stable, as the text form of some types depends on settings.
CREATE FUNCTION iamwatch.to_document(source record, fields text[]) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'iamwatch_row_to_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;

COMMENT ON FUNCTION iamwatch.to_document(record, text[]) IS
'the document of a row that has a column for each field. Fields: pairs of a path, its steps divided by dots, and the name of a column, in order of path; null and missing columns are left out. Timestamps without time zone count as UTC; text is taken for JSON in fields that are objects, such as userIdentity';

CREATE FUNCTION iamwatch.records(document jsonb) RETURNS SETOF jsonb
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	element jsonb;
BEGIN
	IF jsonb_typeof(document) = 'array' THEN
		FOR element IN SELECT e FROM jsonb_array_elements(document) AS e LOOP
			RETURN QUERY SELECT r FROM iamwatch.records(element) AS r;
		END LOOP;
	ELSIF jsonb_typeof(document->'Records') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'Records') AS r;
	ELSIF jsonb_typeof(document->'records') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'records') AS r;
	ELSIF document ? '@odata.context' AND jsonb_typeof(document->'value') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'value') AS r;
	ELSIF jsonb_typeof(document->'entries') = 'array' THEN
		RETURN QUERY SELECT r FROM jsonb_array_elements(document->'entries') AS r;
	ELSIF jsonb_typeof(document->'Events') = 'array' THEN
		RETURN QUERY SELECT coalesce(iamwatch.to_document(e->>'CloudTrailEvent'), e)
		FROM jsonb_array_elements(document->'Events') AS e;
	ELSIF jsonb_typeof(document->'logEvents') = 'array' THEN
		RETURN QUERY SELECT coalesce(iamwatch.to_document(e->>'message'), e)
		FROM jsonb_array_elements(document->'logEvents') AS e;
	ELSIF document ? 'detail-type' AND jsonb_typeof(document->'detail') = 'object' THEN
		RETURN NEXT document->'detail';
	ELSE
		RETURN NEXT document;
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.records(jsonb) IS
'the audit records of a file or message: CloudTrail files ({"Records": [...]}), arrays of any of these, what gcloud and the Logging API list ({"entries": [...]}), what Azure sends to Event Hubs ({"records": [...]}) and Microsoft Graph lists ("value" beside "@odata.context"), CloudTrail LookupEvents ({"Events": [...]}), CloudWatch Logs subscriptions ({"logEvents": [...]}), EventBridge events. Anything else is a record by itself, so that nothing gets lost';

-- Tables that have a column for each field instead of one document.  Which
-- column is which field is kept as rows, and never becomes SQL.

CREATE TABLE iamwatch.column_fields (
	source regclass NOT NULL,
	field text NOT NULL CHECK (field ~ '^[^.]+(\.[^.]+)*$'),
	column_name name NOT NULL,
	PRIMARY KEY (source, field)
);

COMMENT ON TABLE iamwatch.column_fields IS
'relations with a column for each field: which column is which; kept by iamwatch.map_columns()';

COMMENT ON COLUMN iamwatch.column_fields.field IS
'path in the record as the provider writes it, steps divided by dots, such as userIdentity.arn';

SELECT pg_catalog.pg_extension_config_dump('iamwatch.column_fields', '');

COMMENT ON COLUMN iamwatch.sources.event_column IS 'holds the document; of no account when iamwatch.column_fields has fields of the source';

-- A partition has the columns of the table that it is part of.
CREATE FUNCTION iamwatch.fields_of(source regclass) RETURNS text[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(u.part ORDER BY string_to_array(f.field, '.') COLLATE "C", u.n)
	FROM iamwatch.column_fields AS f
	CROSS JOIN LATERAL unnest(ARRAY[f.field, f.column_name::text]) WITH ORDINALITY AS u (part, n)
	WHERE f.source = fields_of.source
	OR f.source IN (SELECT a.relid FROM pg_partition_ancestors(fields_of.source) AS a)
$$;

COMMENT ON FUNCTION iamwatch.fields_of(regclass) IS
'the fields of a relation that has a column for each, as iamwatch.to_document() takes them; null unless iamwatch.map_columns() was called for it';

CREATE FUNCTION iamwatch.document_expression(source regclass, event_column name, relation_alias name)
	RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN f.fields IS NOT NULL THEN format('iamwatch.to_document(%I.*, %L::text[])', relation_alias, f.fields)
		WHEN a.atttypid = 'jsonb'::regtype THEN format('%I.%I', relation_alias, event_column)
		WHEN a.atttypid = 'json'::regtype THEN format('iamwatch.to_document(%I.%I)', relation_alias, event_column)
		ELSE format('iamwatch.to_document(%I.%I::text)', relation_alias, event_column)
		END
	FROM (SELECT iamwatch.fields_of(source) AS fields) AS f
	LEFT JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = event_column
		AND a.attnum > 0 AND NOT a.attisdropped
$$;

COMMENT ON FUNCTION iamwatch.document_expression(regclass, name, name) IS
'SQL for the document of a row of the relation, of which the query has the alias: names are quoted, fields are a constant';

CREATE FUNCTION iamwatch.guess_fields(source regclass) RETURNS TABLE (field text, column_name name)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT DISTINCT ON (known.field) known.field, a.attname
	FROM pg_attribute AS a
	JOIN unnest(CASE WHEN EXISTS (SELECT FROM pg_attribute AS t WHERE t.attrelid = source
			AND lower(replace(t.attname, '_', '')) = 'activitydatetime' AND NOT t.attisdropped)
		THEN ARRAY['ActivityDateTime', 'ActivityDisplayName', 'AADTenantId', 'TenantId', 'InitiatedBy', 'TargetResources',
			'LoggedByService', 'Result', 'ResultReason', 'AdditionalDetails', 'Category', 'OperationName', 'Identity', 'Id',
			'CorrelationId', 'ResourceId', 'TimeGenerated']
		ELSE ARRAY['eventVersion', 'userIdentity', 'eventTime', 'eventSource', 'eventName', 'awsRegion',
			'sourceIPAddress', 'userAgent', 'errorCode', 'errorMessage', 'requestParameters', 'responseElements',
			'additionalEventData', 'requestID', 'eventID', 'eventType', 'recipientAccountId', 'readOnly',
			'protoPayload', 'timestamp', 'insertId', 'resource', 'logName', 'severity'] END) AS known (field)
		ON lower(replace(a.attname, '_', '')) IN (lower(known.field),
			CASE known.field WHEN 'protoPayload' THEN 'protopayloadauditlog' END)
	WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY known.field, a.attnum
$$;

COMMENT ON FUNCTION iamwatch.guess_fields(regclass) IS
'columns that are named as fields of CloudTrail, Cloud Audit Log or Entra audit log records are, whatever the case and underscores';

CREATE FUNCTION iamwatch.map_columns(source regclass, fields jsonb DEFAULT NULL)
	RETURNS TABLE (field text, column_name name)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	odd record;
BEGIN
	IF source IS NULL THEN
		RAISE EXCEPTION 'table must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF jsonb_typeof(fields) <> 'object' OR EXISTS (SELECT FROM jsonb_each(
			CASE jsonb_typeof(fields) WHEN 'object' THEN fields ELSE '{}' END) AS e
		WHERE jsonb_typeof(e.value) <> 'string' OR e.key !~ '^[^.]+(\.[^.]+)*$') THEN
		RAISE EXCEPTION 'fields must be an object of paths and names of columns'
			USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Such as {"eventTime": "happened_at", "userIdentity.arn": "who"}.';
	END IF;
	SELECT e.key, e.value INTO odd FROM jsonb_each_text(fields) AS e
	WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = source
		AND a.attname = e.value AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', odd.value, source
			USING ERRCODE = 'undefined_column';
	END IF;

	DELETE FROM iamwatch.column_fields AS f WHERE f.source = map_columns.source;
	INSERT INTO iamwatch.column_fields (source, field, column_name)
	SELECT map_columns.source, e.key, e.value FROM jsonb_each_text(map_columns.fields) AS e
	UNION ALL
	SELECT map_columns.source, g.field, g.column_name FROM iamwatch.guess_fields(map_columns.source) AS g
	WHERE map_columns.fields IS NULL;
	SELECT outer_.field, inner_.field AS other INTO odd
	FROM iamwatch.column_fields AS outer_ JOIN iamwatch.column_fields AS inner_
		ON inner_.source = outer_.source AND starts_with(inner_.field, outer_.field || '.')
	WHERE outer_.source = map_columns.source LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'field "%" cannot be a column beside field "%"', odd.field, odd.other
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'One is a part of the other.';
	END IF;
	IF fields IS NULL AND NOT EXISTS (SELECT FROM iamwatch.column_fields AS f
		WHERE f.source = map_columns.source AND f.field IN ('eventTime', 'timestamp', 'ActivityDateTime')) THEN
		RAISE EXCEPTION 'no column of relation "%" is named as a field of audit records', source
			USING ERRCODE = 'undefined_column',
			HINT = 'Name them, such as {"eventTime": "happened_at", "userIdentity.arn": "who"}.';
	END IF;
	RETURN QUERY SELECT f.field, f.column_name FROM iamwatch.column_fields AS f
	WHERE f.source = map_columns.source ORDER BY f.field COLLATE "C";
END $$;

COMMENT ON FUNCTION iamwatch.map_columns(regclass, jsonb) IS
'for a relation that has a column for each field: which column is which, {"path": "column", ...}; without it, by the names of the columns. From then on iamwatch.watch(), process(), backfill() and backtest() make the document of these columns; an empty object ends that. A table that is watched: call iamwatch.watch() again. 22004, 22023 or 42703 for what cannot be mapped';

-- Days that only the journal has, of the identities of one class.
CREATE OR REPLACE FUNCTION iamwatch.journal_class_days(provider text, account text, is_user boolean,
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
		SELECT coalesce(count_days(dayset_union(j.days) - coalesce(d.days, '{}')
			- excluded($1, $2, j.identity, $4, $5, $6), since, until), 0) AS n
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

CREATE OR REPLACE FUNCTION iamwatch.class_days(provider text, account text, is_user boolean,
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

	-- one statement: to start one costs more than to read a month of tallies
	SELECT (SELECT coalesce(sum(t.identities), 0) FROM iamwatch.tallies AS t
			WHERE t.account_id = in_account AND t.behaviour_id = 0
			AND t.is_user = $3 AND t.day BETWEEN since AND until),
		(SELECT coalesce(sum(t.identities), 0) FROM iamwatch.tallies AS t
			WHERE t.account_id = in_account AND t.behaviour_id = in_behaviour
			AND t.is_user = $3 AND t.day BETWEEN since AND until)
	INTO active, days;
	IF iamwatch.has_excluded($2, $5) THEN
		days := days - iamwatch.excluded_class_days(in_account, in_behaviour, $1, $2, $3, $4, $5, $6, since, until);
	END IF;

	IF EXISTS (SELECT FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended($2, 0)
		AND j.account = $2 AND j.provider = $1) THEN
		SELECT * INTO more
		FROM iamwatch.journal_class_days($1, $2, $3, $4, $5, $6, since, until);
		days := days + more.days;
		active := active + more.active;
	END IF;
END $$;

CREATE OR REPLACE FUNCTION iamwatch.add_to_tallies(in_account integer, increments iamwatch.tallies[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO iamwatch.tallies AS t (account_id, behaviour_id, is_user, day, identities)
	SELECT in_account, i.behaviour_id, i.is_user, i.day, i.identities FROM unnest(increments) AS i
	ON CONFLICT (account_id, behaviour_id, is_user, day)
	DO UPDATE SET identities = t.identities + EXCLUDED.identities;
END $$;

CREATE OR REPLACE FUNCTION iamwatch.fold_account(in_provider text, in_account text, deltas iamwatch.journal[])
	RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	learned iamwatch.journal[];
	before iamwatch.accounts;
	id integer;
	increments iamwatch.tallies[];
	more iamwatch.tallies[];
	changed_class boolean;
	in_scope text := iamwatch.limit_scope(in_provider, in_account);
	new_identities date[];
	new_behaviours date[];
BEGIN
	learned := deltas;
	IF EXISTS (SELECT FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(in_account, 0)) THEN
		WITH taken AS (
			DELETE FROM iamwatch.journal AS j
			WHERE hashtextextended(j.account, 0) = hashtextextended(in_account, 0)
			AND j.account = in_account AND j.provider = in_provider
			RETURNING j
		)
		SELECT deltas || array_agg(j) INTO learned FROM taken;
	END IF;
	IF cardinality(learned) = 0 THEN
		RETURN;
	END IF;

	SELECT * INTO before FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(in_account, 0)
	AND a.account = in_account AND a.provider = in_provider;
	id := before.account_id;
	IF id IS NULL THEN
		IF iamwatch.is_account_over() THEN
			PERFORM iamwatch.count_limit('accounts', in_provider, (clock_timestamp() AT TIME ZONE 'UTC')::date, 0, 1);
			RETURN;
		END IF;
		INSERT INTO iamwatch.accounts (provider, account)
		VALUES (in_provider, in_account) RETURNING account_id INTO id;
	END IF;
	-- one look at an index that has nothing of nearly every account
	IF EXISTS (SELECT FROM iamwatch.limits AS l
		WHERE l.name IN ('new_identities', 'new_behaviours') AND l.value < cardinality(learned) + 1000)
		OR EXISTS (SELECT FROM iamwatch.limit_counts AS c JOIN iamwatch.limits AS l ON l.name = c.name
			WHERE hashtextextended(c.scope, 0) = hashtextextended(in_scope, 0)
			AND c.scope = in_scope AND c.taken >= 1000
			AND l.name IN ('new_identities', 'new_behaviours') AND c.taken + cardinality(learned) > l.value) THEN
		learned := iamwatch.within_limits(id, in_provider, in_account, learned);
	END IF;
	IF EXISTS (SELECT FROM unnest(learned) AS l
		WHERE before.first_event_time IS NULL OR before.newest_day IS NULL OR l.late_events > 0
		OR l.first_event_time < before.first_event_time OR iamwatch.last_day(l.days) > before.newest_day) THEN
		UPDATE iamwatch.accounts AS a SET
			first_event_time = LEAST(a.first_event_time, d.first_event_time),
			newest_day = GREATEST(a.newest_day, d.newest_day),
			late_events = a.late_events + d.late_events
		FROM (SELECT min(first_event_time) AS first_event_time, max(iamwatch.last_day(days)) AS newest_day,
				coalesce(sum(late_events), 0) AS late_events FROM unnest(learned)) AS d
		WHERE a.account_id = id;
	END IF;

	-- a behaviour's day is a day of activity too, but mostly that is known
	IF EXISTS (SELECT FROM unnest(learned) AS l WHERE l.identity IS NOT NULL
		AND (SELECT i.days @> l.days AND i.kinds | l.kinds = i.kinds
			FROM iamwatch.identity_days AS i WHERE i.account_id = id
			AND hashtextextended(i.identity, 0) = hashtextextended(l.identity, 0)
			AND i.identity = l.identity LIMIT 1) IS NOT TRUE) THEN
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
			(SELECT bool_or(iamwatch.is_person(old_kinds | kinds) <> iamwatch.is_person(old_kinds)) FROM met),
			(SELECT array_agg(iamwatch.first_day(days)) FROM met WHERE identity_id IS NULL)
		INTO increments, changed_class, new_identities;
	END IF;

	IF EXISTS (SELECT FROM unnest(learned) WHERE operation IS NOT NULL) THEN
		INSERT INTO iamwatch.behaviours (account_id, failed, service, operation)
		SELECT DISTINCT id, d.failed, d.service, d.operation
		FROM unnest(learned) AS d
		WHERE d.operation IS NOT NULL
		AND (SELECT true FROM iamwatch.behaviours AS b
			WHERE b.account_id = id AND hashtextextended(b.operation, 0) = hashtextextended(d.operation, 0)
			AND b.operation = d.operation AND b.service = d.service AND b.failed = d.failed LIMIT 1) IS NULL;

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
		SELECT (SELECT array_agg(i) FROM increment),
			(SELECT array_agg(iamwatch.first_day(days)) FROM met WHERE NOT known)
		INTO more, new_behaviours;
	END IF;
	IF new_identities IS NOT NULL THEN
		PERFORM iamwatch.count_days('new_identities', in_scope, new_identities, NULL);
	END IF;
	IF new_behaviours IS NOT NULL THEN
		PERFORM iamwatch.count_days('new_behaviours', in_scope, new_behaviours, NULL);
	END IF;

	IF changed_class THEN
		PERFORM iamwatch.retally(id);
	ELSIF increments IS NOT NULL OR more IS NOT NULL THEN
		PERFORM iamwatch.add_to_tallies(id, increments || more);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION iamwatch.learn(deltas iamwatch.journal[]) RETURNS void
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
			INSERT INTO iamwatch.journal
			SELECT * FROM unnest(iamwatch.within_journal(part.provider, part.account, part.deltas));
		END IF;
	END LOOP;
END $$;

-- What is usual around an identity's events: networks, user agents, regions,
-- access keys by network, and when it first did an operation.  Learned from a
-- sample: the event that brings a behaviour's day, and, every fourth day, the
-- one that brings the day of an identity that is known already.  These reach
-- the detector in any case, so all other events cost nothing more.
--
-- As in learn.sql, one session at a time writes the accounts of a bucket, and
-- whoever finds it taken appends to a journal.

CREATE TABLE iamwatch.habits (
	account_id integer NOT NULL,
	identity_id bigint NOT NULL,
	kind "char" NOT NULL CHECK (kind IN ('n', 'a', 'r', 'k')),
	value text NOT NULL,
	days iamwatch.dayset NOT NULL,
	PRIMARY KEY (account_id, identity_id, kind, value)
) WITH (fillfactor = 80);

COMMENT ON TABLE iamwatch.habits IS 'per identity and context the days on which it was sampled; read iamwatch.contexts';

COMMENT ON COLUMN iamwatch.habits.kind IS 'n network, a user agent, r region, k access key and network';

CREATE TABLE iamwatch.novelties (
	account_id integer NOT NULL,
	identity_id bigint NOT NULL,
	at timestamptz NOT NULL,
	behaviour_id integer NOT NULL,
	access_key text,
	PRIMARY KEY (account_id, identity_id, at, behaviour_id)
);

COMMENT ON TABLE iamwatch.novelties IS
'when an identity did an operation for the first time in the longest training period';

COMMENT ON COLUMN iamwatch.novelties.access_key IS 'the long-lived key that it was done with, if any';

CREATE TABLE iamwatch.context_journal (
	event iamwatch.event NOT NULL,
	access_key text,
	novel boolean NOT NULL
);

COMMENT ON TABLE iamwatch.context_journal IS
'samples that came while another session was writing the same account; the next that writes it takes them over';

COMMENT ON COLUMN iamwatch.context_journal.novel IS 'whether its operation is the identity''s first in the longest training period';

CREATE INDEX context_journal_account ON iamwatch.context_journal (hashtextextended((event).account, 0));

SELECT pg_catalog.pg_extension_config_dump('iamwatch.habits', '');

SELECT pg_catalog.pg_extension_config_dump('iamwatch.novelties', '');

SELECT pg_catalog.pg_extension_config_dump('iamwatch.context_journal', '');

CREATE FUNCTION iamwatch.is_context_day(day date) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (day - date '2000-01-01') % 4 = 0;

COMMENT ON FUNCTION iamwatch.is_context_day(date) IS
'whether the first events of identities are sampled on the day: every fourth, so that all days of the week have their turn';

CREATE FUNCTION iamwatch.access_key(event jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'iamwatch_access_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iamwatch.access_key(jsonb) IS
'the long-lived key that an event was signed with: AWS accessKeyId if it is no temporary one, GCP serviceAccountKeyName; null if there is none';

-- Versions come and go with updates; what is new is another program.
CREATE FUNCTION iamwatch.context_values(event iamwatch.event, access_key text)
	RETURNS TABLE (kind "char", value text)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT v.kind, v.value
	FROM (SELECT network(set_masklen((event).source_ip,
		CASE family((event).source_ip) WHEN 4 THEN 24 ELSE 48 END))::text AS network) AS n
	CROSS JOIN LATERAL (VALUES ('n'::"char", n.network),
		('a', regexp_replace(left((event).user_agent, 200), '[0-9]+([._][0-9]+)*', '#', 'g')),
		('r', left((event).region, 200)),
		('k', left(access_key, 200) || ' ' || n.network)) AS v (kind, value)
	WHERE v.value <> ''
$$;

COMMENT ON FUNCTION iamwatch.context_values(iamwatch.event, text) IS
'the contexts of an event: n its network (/24 or /48), a its user agent without version numbers, r its region, k its access key and network; 200 characters of each';

CREATE FUNCTION iamwatch.fold_context(in_provider text, in_account text, samples iamwatch.context_journal[])
	RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	learned iamwatch.context_journal[];
	id integer;
BEGIN
	learned := samples;
	IF EXISTS (SELECT FROM iamwatch.context_journal AS j
		WHERE hashtextextended((j.event).account, 0) = hashtextextended(in_account, 0)) THEN
		WITH taken AS (
			DELETE FROM iamwatch.context_journal AS j
			WHERE hashtextextended((j.event).account, 0) = hashtextextended(in_account, 0)
			AND (j.event).account = in_account AND (j.event).provider = in_provider
			RETURNING j
		)
		SELECT samples || array_agg(j) INTO learned FROM taken;
	END IF;
	-- the days that came with them, which may have waited in a journal too
	IF cardinality(learned) > cardinality(samples) THEN
		PERFORM iamwatch.fold_account(in_provider, in_account, '{}');
	END IF;
	SELECT a.account_id INTO id FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(in_account, 0)
	AND a.account = in_account AND a.provider = in_provider;
	IF cardinality(learned) = 0 OR id IS NULL THEN
		RETURN;
	END IF;

	-- subqueries, so that each look-up goes by its index whatever the statistics say
	WITH who AS MATERIALIZED (
		SELECT s.identity, (SELECT i.identity_id FROM iamwatch.identity_days AS i WHERE i.account_id = id
			AND hashtextextended(i.identity, 0) = hashtextextended(s.identity, 0) AND i.identity = s.identity) AS identity_id
		FROM (SELECT DISTINCT (l.event).identity FROM unnest(learned) AS l) AS s
	), d AS (
		SELECT w.identity_id, v.kind, v.value, iamwatch.dayset_agg((s.event).event_time) AS days
		FROM unnest(learned) AS s
		JOIN who AS w ON w.identity = (s.event).identity AND w.identity_id IS NOT NULL
		CROSS JOIN LATERAL iamwatch.context_values(s.event, s.access_key) AS v
		GROUP BY 1, 2, 3
	)
	INSERT INTO iamwatch.habits AS known (account_id, identity_id, kind, value, days)
	SELECT id, d.identity_id, d.kind, d.value, d.days FROM d
	-- a row that has the days already is not even locked
	WHERE (SELECT h.days @> d.days FROM iamwatch.habits AS h WHERE h.account_id = id
		AND h.identity_id = d.identity_id AND h.kind = d.kind AND h.value = d.value) IS NOT TRUE
	ON CONFLICT (account_id, identity_id, kind, value) DO UPDATE SET days = known.days | EXCLUDED.days;

	IF EXISTS (SELECT FROM unnest(learned) AS s WHERE s.novel) THEN
		INSERT INTO iamwatch.novelties (account_id, identity_id, at, behaviour_id, access_key)
		SELECT id, i.identity_id, (s.event).event_time, b.behaviour_id, left(s.access_key, 200)
		FROM unnest(learned) AS s
		JOIN iamwatch.identity_days AS i ON i.account_id = id
			AND hashtextextended(i.identity, 0) = hashtextextended((s.event).identity, 0)
			AND i.identity = (s.event).identity
		JOIN iamwatch.behaviours AS b ON b.account_id = id
			AND hashtextextended(b.operation, 0) = hashtextextended((s.event).operation, 0)
			AND b.operation = (s.event).operation AND b.service = (s.event).service AND b.failed = (s.event).failed
		WHERE s.novel
		ON CONFLICT DO NOTHING;
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.fold_context(text, text, iamwatch.context_journal[]) IS
'write the contexts of samples of an account, and of those in its journal; under the lock of its bucket, after its days were learned';

CREATE FUNCTION iamwatch.learn_context(samples iamwatch.context_journal[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	part record;
	fold boolean := iamwatch.may_fold();
BEGIN
	FOR part IN
		SELECT (s.event).provider, (s.event).account, array_agg(s) AS samples
		FROM unnest(samples) AS s
		GROUP BY 1, 2
	LOOP
		IF fold AND iamwatch.try_lock(1, iamwatch.account_bucket(part.account)) THEN
			PERFORM iamwatch.fold_context(part.provider, part.account, part.samples);
		ELSE
			INSERT INTO iamwatch.context_journal SELECT * FROM unnest(part.samples);
		END IF;
	END LOOP;
END $$;

COMMENT ON FUNCTION iamwatch.learn_context(iamwatch.context_journal[]) IS
'take the contexts of samples into what is usual; while another session writes the account, by way of the journal';

CREATE FUNCTION iamwatch.fold_context_journal(provider text, account text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	IF iamwatch.may_fold() AND iamwatch.try_lock(1, iamwatch.account_bucket(account)) THEN
		PERFORM iamwatch.fold_context(provider, account, '{}');
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.fold_context_journal(text, text) IS
'take the samples of an account that wait in the journal, unless another session is just writing it';

CREATE FUNCTION iamwatch.prune_context(in_account integer, since date) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	DELETE FROM iamwatch.habits AS h
	WHERE h.account_id = in_account AND (last_day(h.days) < since OR NOT EXISTS (
		SELECT FROM iamwatch.identity_days AS i WHERE i.account_id = in_account AND i.identity_id = h.identity_id));
	UPDATE iamwatch.habits AS h SET days = h.days & dayset(since, last_day(h.days))
	WHERE h.account_id = in_account AND first_day(h.days) < since;
	DELETE FROM iamwatch.novelties AS n
	WHERE n.account_id = in_account AND (n.at < since::timestamp AT TIME ZONE 'UTC' OR NOT EXISTS (
		SELECT FROM iamwatch.identity_days AS i WHERE i.account_id = in_account AND i.identity_id = n.identity_id));
$$;

COMMENT ON FUNCTION iamwatch.prune_context(integer, date) IS
'drop contexts of days before, and of identities that are gone; under the lock of the account''s bucket';

CREATE VIEW iamwatch.contexts AS
SELECT p.provider, p.account, p.identity,
	CASE p.kind WHEN 'n' THEN 'network' WHEN 'a' THEN 'user_agent' WHEN 'r' THEN 'region' ELSE 'access_key' END AS kind,
	p.value, iamwatch.dayset_union(p.days) AS days
FROM (
	SELECT a.provider, a.account, i.identity, h.kind, h.value, h.days
	FROM iamwatch.habits AS h
	JOIN iamwatch.accounts AS a USING (account_id)
	JOIN iamwatch.identity_days AS i USING (account_id, identity_id)
	UNION ALL
	SELECT (j.event).provider, (j.event).account, (j.event).identity, v.kind, v.value,
		iamwatch.dayset(((j.event).event_time AT TIME ZONE 'UTC')::date)
	FROM iamwatch.context_journal AS j
	CROSS JOIN LATERAL iamwatch.context_values(j.event, j.access_key) AS v) AS p
GROUP BY p.provider, p.account, p.identity, p.kind, p.value;

COMMENT ON VIEW iamwatch.contexts IS
'per identity the networks, user agents, regions, and access keys with their networks that were sampled, and the days';

-- What context says of an event that may open an alert.  Only days before the
-- event's own count, and of its own day what is earlier by the clock, so the
-- answer is the same whether later events are known already or not.

CREATE FUNCTION iamwatch.context_kinds() RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ARRAY['new_network', 'new_user_agent', 'new_region',
		'new_key_network', 'failed_before', 'burst', 'first_day'];

COMMENT ON FUNCTION iamwatch.context_kinds() IS 'what iamwatch.context_of() may find';

CREATE FUNCTION iamwatch.new_contexts(in_account integer, in_identity bigint, event iamwatch.event,
	access_key text, since date, until date) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
	RETURN (WITH known AS MATERIALIZED (
		SELECT h.kind, h.value FROM iamwatch.habits AS h
		WHERE h.account_id = in_account AND h.identity_id = in_identity AND count_days(h.days, since, until) > 0
		UNION ALL
		SELECT v.kind, v.value
		FROM iamwatch.context_journal AS j CROSS JOIN LATERAL iamwatch.context_values(j.event, j.access_key) AS v
		WHERE hashtextextended((j.event).account, 0) = hashtextextended(event.account, 0)
		AND (j.event).account = event.account AND (j.event).provider = event.provider
		AND (j.event).identity = event.identity
		AND ((j.event).event_time AT TIME ZONE 'UTC')::date BETWEEN since AND until
	)
	SELECT coalesce(jsonb_object_agg(CASE v.kind WHEN 'n' THEN 'new_network' WHEN 'a' THEN 'new_user_agent'
		WHEN 'r' THEN 'new_region' ELSE 'new_key_network' END, v.value), '{}')
	FROM iamwatch.context_values(event, access_key) AS v
	-- nothing is new to whom nothing is known of; a key only to itself
	WHERE EXISTS (SELECT FROM known AS k WHERE k.kind = v.kind
		AND (v.kind <> 'k' OR starts_with(k.value, left(access_key, 200) || ' ')))
	AND NOT EXISTS (SELECT FROM known AS k WHERE k.kind = v.kind AND k.value = v.value));
END $$;

COMMENT ON FUNCTION iamwatch.new_contexts(integer, bigint, iamwatch.event, text, date, date) IS
'the contexts of an event that were not sampled of its identity in a range of days, if others of the kind were';

CREATE FUNCTION iamwatch.novelties_before(in_account integer, in_identity bigint, event iamwatch.event,
	since timestamptz) RETURNS TABLE (at timestamptz, service text, operation text, failed boolean, access_key text)
	LANGUAGE sql STABLE AS $$
	-- $3: in the journal, event is the column
	SELECT n.at, b.service, b.operation, b.failed, n.access_key
	FROM iamwatch.novelties AS n JOIN iamwatch.behaviours AS b USING (account_id, behaviour_id)
	WHERE n.account_id = in_account AND n.identity_id = in_identity
	AND n.at >= $4 AND n.at <= ($3).event_time
	UNION ALL
	SELECT (j.event).event_time, (j.event).service, (j.event).operation, (j.event).failed, left(j.access_key, 200)
	FROM iamwatch.context_journal AS j
	WHERE hashtextextended((j.event).account, 0) = hashtextextended(($3).account, 0)
	AND (j.event).account = ($3).account AND (j.event).provider = ($3).provider
	AND (j.event).identity = ($3).identity AND j.novel
	AND (j.event).event_time >= $4 AND (j.event).event_time <= ($3).event_time
$$;

COMMENT ON FUNCTION iamwatch.novelties_before(integer, bigint, iamwatch.event, timestamptz) IS
'operations that were new to the identity of an event, since a time and until the event''s own';

CREATE FUNCTION iamwatch.failed_days(in_account integer, in_identity bigint, event iamwatch.event)
	RETURNS iamwatch.dayset
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT coalesce(dayset_union(f.days), '{}')
	FROM (
		SELECT d.days FROM iamwatch.behaviour_days AS d
		WHERE d.account_id = in_account AND d.identity_id = in_identity AND d.behaviour_id = (
			SELECT b.behaviour_id FROM iamwatch.behaviours AS b WHERE b.account_id = in_account
			AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
			AND b.operation = event.operation AND b.service = event.service AND b.failed)
		UNION ALL
		SELECT j.days FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended(event.account, 0)
		AND j.account = event.account AND j.provider = event.provider AND j.identity = event.identity
		AND j.operation = event.operation AND j.service = event.service AND j.failed) AS f);
END $$;

COMMENT ON FUNCTION iamwatch.failed_days(integer, bigint, iamwatch.event) IS
'days on which the operation of an event failed for its identity';

CREATE FUNCTION iamwatch.context_of(event iamwatch.event, training_days integer, active integer) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	today date := (event.event_time AT TIME ZONE 'UTC')::date;
	since date := today - training_days;
	in_account integer;
	in_identity bigint;
	key text;
	failed_at timestamptz;
	failed_today timestamptz;
	operations bigint;
	context jsonb;
BEGIN
	SELECT a.account_id INTO in_account FROM iamwatch.accounts AS a
	WHERE hashtextextended(a.account, 0) = hashtextextended(event.account, 0)
	AND a.account = event.account AND a.provider = event.provider;
	SELECT i.identity_id INTO in_identity FROM iamwatch.identity_days AS i
	WHERE i.account_id = in_account AND hashtextextended(i.identity, 0) = hashtextextended(event.identity, 0)
	AND i.identity = event.identity;

	SELECT (array_agg(n.access_key) FILTER (WHERE n.at = event.event_time AND n.operation = event.operation
			AND n.service = event.service AND n.failed = event.failed))[1],
		max(n.at) FILTER (WHERE n.at >= today::timestamp AT TIME ZONE 'UTC' AND n.at < event.event_time
			AND n.failed AND n.operation = event.operation AND n.service = event.service),
		1 + count(DISTINCT (n.service, n.operation)) FILTER (WHERE n.at >= event.event_time - interval '1 hour'
			AND n.at < event.event_time AND (n.service, n.operation) <> (event.service, event.operation))
	INTO key, failed_today, operations
	FROM iamwatch.novelties_before(in_account, in_identity, event,
		LEAST(today::timestamp AT TIME ZONE 'UTC', event.event_time - interval '1 hour')) AS n;
	context := iamwatch.new_contexts(in_account, in_identity, event, key, since, today - 1);

	IF NOT event.failed THEN
		failed_at := coalesce(failed_today, last_day(iamwatch.failed_days(in_account, in_identity, event)
			& dayset(since, today - 1))::timestamp AT TIME ZONE 'UTC');
		IF failed_at IS NOT NULL THEN
			context := context || jsonb_build_object('failed_before',
				to_char(failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
		END IF;
	END IF;

	IF operations >= 3 THEN
		context := context || jsonb_build_object('burst', operations);
	END IF;
	IF active = 0 THEN
		context := context || jsonb_build_object('first_day', true);
	END IF;
	RETURN context;
END $$;

COMMENT ON FUNCTION iamwatch.context_of(iamwatch.event, integer, integer) IS
'what makes an unusual event stronger, against the training period before its day: new_network, new_user_agent, new_region, new_key_network: the value, not sampled of the identity while others were; failed_before: when the operation last failed for it, to the day or, on the same day, the time; burst: different operations new to it within the hour before, this one included, if at least 3; first_day: true if it was not active. Active: A of the score';

CREATE FUNCTION iamwatch.in_context(settings iamwatch.detectors, probability double precision, context jsonb)
	RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT probability / 2 ^ (settings.context_bits * count(*))
	FROM jsonb_object_keys(context) AS kind
	WHERE settings.context_kinds IS NULL OR kind = ANY (settings.context_kinds)
$$;

COMMENT ON FUNCTION iamwatch.in_context(iamwatch.detectors, double precision, jsonb) IS
'the probability with the bits that a detector''s settings give to each context that is present: probability / 2 ^ (context_bits * contexts)';

CREATE FUNCTION iamwatch.widest_limit(settings iamwatch.detectors) RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	RETURN CASE WHEN settings.context_bits = 0 THEN settings.probability_limit
		ELSE LEAST(1, settings.probability_limit * 2 ^ (settings.context_bits
			* cardinality(coalesce(settings.context_kinds, iamwatch.context_kinds())))) END;

COMMENT ON FUNCTION iamwatch.widest_limit(iamwatch.detectors) IS
'the probability below which an event can be unusual if all contexts that count are present';

CREATE FUNCTION iamwatch.widened(settings iamwatch.detectors) RETURNS iamwatch.detectors
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	settings.probability_limit := iamwatch.widest_limit(settings);
	RETURN settings;
END $$;

COMMENT ON FUNCTION iamwatch.widened(iamwatch.detectors) IS
'settings with the widest limit, to find what context may make unusual';

-- The inventory of instances over time.  iamwatch.instances is what holds now,
-- iamwatch.instance_history what held before; an event is judged by what held
-- when it happened.  Newer knowledge wins: what is older than the last that
-- confirmed a row changes nothing, so documents and events may come in any
-- order and more than once.

CREATE TABLE iamwatch.instance_history (
	provider text NOT NULL,
	account text NOT NULL,
	instance_id text NOT NULL,
	public_ips inet[] NOT NULL DEFAULT '{}',
	internet_facing boolean NOT NULL DEFAULT false,
	region text,
	valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
	PRIMARY KEY (provider, account, instance_id, valid)
);

COMMENT ON TABLE iamwatch.instance_history IS 'what the inventory said of instances that have changed since or are gone';

COMMENT ON COLUMN iamwatch.instance_history.valid IS 'events of this time are judged by this row';

CREATE INDEX instance_history_instance_id ON iamwatch.instance_history (instance_id);

CREATE INDEX instance_history_public_ips ON iamwatch.instance_history USING gin (public_ips);

CREATE TABLE iamwatch.firewalls (
	provider text NOT NULL CHECK (provider IN ('aws', 'gcp')),
	account text NOT NULL,
	imported_at timestamptz NOT NULL,
	rules jsonb NOT NULL,
	PRIMARY KEY (provider, account)
);

COMMENT ON TABLE iamwatch.firewalls IS
'the rules of the last import of an account, by which iamwatch.learn_instances() judges what it learns';

COMMENT ON COLUMN iamwatch.firewalls.account IS 'AWS account, or the GCP project of the network';

COMMENT ON COLUMN iamwatch.firewalls.rules IS
'AWS: the security groups that let in the whole Internet; GCP: the firewall rules, as gcloud gave them';

SELECT pg_catalog.pg_extension_config_dump('iamwatch.instance_history', '');

SELECT pg_catalog.pg_extension_config_dump('iamwatch.firewalls', '');

CREATE FUNCTION iamwatch.is_address(address text) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN address::inet IS NOT NULL;
EXCEPTION WHEN invalid_text_representation THEN
	RETURN false;
END $$;

COMMENT ON FUNCTION iamwatch.is_address(text) IS 'whether a text is an address; false for null';

CREATE FUNCTION iamwatch.public_addresses(addresses jsonb[]) RETURNS inet[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT a ORDER BY a), '{}')
	FROM (SELECT CASE WHEN iamwatch.is_address(x #>> '{}') THEN (x #>> '{}')::inet END AS a
		FROM unnest(addresses) AS x) AS s
	WHERE family(a) = 4 OR a << '2000::/3'
$$;

COMMENT ON FUNCTION iamwatch.public_addresses(jsonb[]) IS
'addresses of documents, each once: IPv4 as given, IPv6 if it is global; anything else is left out';

CREATE FUNCTION iamwatch.record_instance(state iamwatch.instances, at timestamptz) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.instances;
	ended timestamptz;
BEGIN
	SELECT * INTO known FROM iamwatch.instances AS i
	WHERE i.provider = state.provider AND i.account = state.account AND i.instance_id = state.instance_id;
	IF NOT FOUND THEN
		SELECT max(upper(h.valid)) INTO ended FROM iamwatch.instance_history AS h
		WHERE h.provider = state.provider AND h.account = state.account AND h.instance_id = state.instance_id;
		IF ended > at THEN
			RETURN 'unchanged';
		END IF;
		state.valid_since := GREATEST(LEAST(state.valid_since, at), ended);
		state.confirmed_at := at;
		INSERT INTO iamwatch.instances SELECT state.*;
		RETURN 'added';
	END IF;
	IF at < known.confirmed_at THEN
		RETURN 'unchanged';
	END IF;

	IF known.internet_facing = state.internet_facing
		AND known.public_ips @> state.public_ips AND known.public_ips <@ state.public_ips THEN
		UPDATE iamwatch.instances AS i SET confirmed_at = at, region = coalesce(state.region, i.region),
			security_groups = state.security_groups
		WHERE i.provider = state.provider AND i.account = state.account AND i.instance_id = state.instance_id;
		RETURN 'unchanged';
	END IF;
	PERFORM iamwatch.archive_instance(known, at);
	UPDATE iamwatch.instances AS i SET public_ips = state.public_ips, internet_facing = state.internet_facing,
		region = coalesce(state.region, i.region), security_groups = state.security_groups,
		valid_since = at, confirmed_at = at
	WHERE i.provider = state.provider AND i.account = state.account AND i.instance_id = state.instance_id;
	RETURN 'changed';
END $$;

COMMENT ON FUNCTION iamwatch.record_instance(iamwatch.instances, timestamptz) IS
'take what is known of an instance at a time into the inventory: added, changed or unchanged. An instance that is new is taken to have been so since its valid_since';

CREATE FUNCTION iamwatch.archive_instance(known iamwatch.instances, until timestamptz) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO iamwatch.instance_history (provider, account, instance_id, public_ips, internet_facing, region, valid)
	SELECT (known).provider, (known).account, (known).instance_id, (known).public_ips, (known).internet_facing,
		(known).region, tstzrange((known).valid_since, until)
	WHERE (known).valid_since < until
$$;

COMMENT ON FUNCTION iamwatch.archive_instance(iamwatch.instances, timestamptz) IS
'keep in the history what a row of the inventory said, until a time';

CREATE FUNCTION iamwatch.retire_instance(known iamwatch.instances, at timestamptz) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF at < known.confirmed_at THEN
		RETURN false;
	END IF;
	PERFORM iamwatch.archive_instance(known, at);
	DELETE FROM iamwatch.instances AS i
	WHERE i.provider = known.provider AND i.account = known.account AND i.instance_id = known.instance_id;
	RETURN true;
END $$;

COMMENT ON FUNCTION iamwatch.retire_instance(iamwatch.instances, timestamptz) IS
'move an instance that is gone to the history; false if newer knowledge says that it is there';

-- One import at a time, so that counts and history are exact; readers, and so
-- ingest, are not in its way.
CREATE FUNCTION iamwatch.import_instances(states iamwatch.instances[], places jsonb, as_of timestamptz,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	state iamwatch.instances;
	known iamwatch.instances;
	outcome text;
BEGIN
	added := 0;
	changed := 0;
	unchanged := 0;
	retired := 0;
	LOCK TABLE iamwatch.instances IN SHARE ROW EXCLUSIVE MODE;
	FOREACH state IN ARRAY states LOOP
		outcome := iamwatch.record_instance(state, as_of);
		added := added + (outcome = 'added')::integer;
		changed := changed + (outcome = 'changed')::integer;
		unchanged := unchanged + (outcome = 'unchanged')::integer;
	END LOOP;
	FOR known IN
		SELECT i.* FROM iamwatch.instances AS i
		WHERE EXISTS (SELECT FROM jsonb_to_recordset(places) AS p (provider text, account text, region text)
			WHERE p.provider = i.provider AND p.account = i.account
			AND (p.region IS NULL OR p.region = i.region))
		AND NOT EXISTS (SELECT FROM unnest(states) AS s
			WHERE s.provider = i.provider AND s.account = i.account AND s.instance_id = i.instance_id)
	LOOP
		retired := retired + iamwatch.retire_instance(known, as_of)::integer;
	END LOOP;
END $$;

COMMENT ON FUNCTION iamwatch.import_instances(iamwatch.instances[], jsonb, timestamptz) IS
'take the instances of a document into the inventory, and retire those of its places (an array of provider, account, region or null for all) that it does not have';

CREATE FUNCTION iamwatch.check_as_of(as_of timestamptz) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF as_of IS NULL OR NOT isfinite(as_of) OR as_of > now() + interval '1 day' THEN
		RAISE EXCEPTION 'invalid value for as_of: %', coalesce(quote_literal(as_of), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the time at which the documents were taken.';
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.check_as_of(timestamptz) IS '22023 unless a document can be of that time';

-- AWS: what `aws ec2 describe-instances` and `aws ec2 describe-security-groups` say.

CREATE FUNCTION iamwatch.aws_pages(document jsonb, key text, command text) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pages jsonb := CASE jsonb_typeof(document) WHEN 'array' THEN document ELSE jsonb_build_array(document) END;
	page jsonb;
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'the output of "%" must not be null', command
			USING ERRCODE = 'null_value_not_allowed', HINT = format('Pass the output of %s --output json.', command);
	END IF;
	FOR page IN SELECT * FROM jsonb_array_elements(pages) LOOP
		IF jsonb_typeof(page -> key) IS DISTINCT FROM 'array' THEN
			RAISE EXCEPTION 'the document is not the output of "%": it has no array "%"', command, key
				USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('It begins with %s.', left(page::text, 60)),
				HINT = format('Pass the output of %s --output json, or an array of several.', command);
		END IF;
		IF page ? 'NextToken' THEN
			RAISE EXCEPTION 'the output of "%" is not complete: it has a NextToken', command
				USING ERRCODE = 'invalid_parameter_value', HINT = 'Run the command without --max-items and --no-paginate.';
		END IF;
	END LOOP;
	RETURN pages;
END $$;

COMMENT ON FUNCTION iamwatch.aws_pages(jsonb, text, text) IS
'the document as an array of outputs of the command; 22004 or 22023 when it is something else';

CREATE FUNCTION iamwatch.aws_open_groups(pages jsonb, OUT account text, OUT group_id text, OUT is_open boolean)
	RETURNS SETOF record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT g ->> 'OwnerId', g ->> 'GroupId',
		jsonb_path_exists(g, '$.IpPermissions[*].IpRanges[*] ? (@.CidrIp == "0.0.0.0/0")')
		OR jsonb_path_exists(g, '$.IpPermissions[*].Ipv6Ranges[*] ? (@.CidrIpv6 == "::/0")')
	FROM jsonb_path_query(pages, '$[*].SecurityGroups[*]') AS g
$$;

COMMENT ON FUNCTION iamwatch.aws_open_groups(jsonb) IS
'the security groups of a document, and whether a rule for incoming traffic lets in 0.0.0.0/0 or ::/0';

-- An interface has groups of its own; those of the instance are its first's.
CREATE FUNCTION iamwatch.aws_instance(account text, instance jsonb, open_groups text[],
	now timestamptz) RETURNS iamwatch.instances
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	state iamwatch.instances;
	interface jsonb;
	own_groups constant text[] := ARRAY(SELECT g #>> '{}'
		FROM jsonb_path_query(instance, '$.SecurityGroups[*].GroupId') AS g);
	groups text[];
	addresses inet[];
BEGIN
	state.provider := 'aws';
	state.account := account;
	state.instance_id := instance ->> 'InstanceId';
	state.region := substring(instance #>> '{Placement,AvailabilityZone}' FROM '^[a-z]+-[a-z-]+-[0-9]+');
	state.valid_since := coalesce((instance ->> 'LaunchTime')::timestamptz, now);
	state.security_groups := own_groups;
	state.public_ips := iamwatch.public_addresses(ARRAY[instance -> 'PublicIpAddress', instance -> 'Ipv6Address']);
	state.internet_facing := state.public_ips <> '{}' AND own_groups && open_groups
		AND NOT jsonb_path_exists(instance, '$.NetworkInterfaces[*]');
	FOR interface IN SELECT * FROM jsonb_path_query(instance, '$.NetworkInterfaces[*]') LOOP
		groups := ARRAY(SELECT g #>> '{}' FROM jsonb_path_query(interface, '$.Groups[*].GroupId') AS g);
		IF groups = '{}' THEN
			groups := own_groups;
		END IF;
		addresses := iamwatch.public_addresses(ARRAY(
			SELECT jsonb_path_query(interface, '$.Association.PublicIp')
			UNION SELECT jsonb_path_query(interface, '$.PrivateIpAddresses[*].Association.PublicIp')
			UNION SELECT jsonb_path_query(interface, '$.Ipv6Addresses[*].Ipv6Address')));
		-- RunInstances says that it will have one, not yet which
		state.internet_facing := state.internet_facing OR (groups && open_groups
			AND (addresses <> '{}' OR coalesce((interface ->> 'AssociatePublicIpAddress')::boolean, false)));
		state.public_ips := state.public_ips || addresses;
		state.security_groups := state.security_groups || groups;
	END LOOP;
	-- an address that no interface shows is the first interface's
	state.internet_facing := state.internet_facing OR (own_groups && open_groups
		AND iamwatch.public_addresses(ARRAY[instance -> 'PublicIpAddress']) <> '{}');
	state.public_ips := ARRAY(SELECT DISTINCT a FROM unnest(state.public_ips) AS a ORDER BY a);
	state.security_groups := ARRAY(SELECT DISTINCT g FROM unnest(state.security_groups) AS g ORDER BY g);
	RETURN state;
END $$;

COMMENT ON FUNCTION iamwatch.aws_instance(text, jsonb, text[], timestamptz) IS
'what describe-instances says of one instance: it faces the Internet when an interface has a public address and one of its groups is open';

CREATE FUNCTION iamwatch.import_aws_instances(instances jsonb, security_groups jsonb,
	as_of timestamptz DEFAULT now(), complete boolean DEFAULT true,
	account text DEFAULT NULL, region text DEFAULT NULL,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pages constant jsonb := iamwatch.aws_pages(instances, 'Reservations', 'aws ec2 describe-instances');
	group_pages constant jsonb := iamwatch.aws_pages(security_groups, 'SecurityGroups', 'aws ec2 describe-security-groups');
	bad jsonb;
	open_groups text[];
	missing text;
	states iamwatch.instances[];
	places jsonb := '[]';
BEGIN
	PERFORM iamwatch.check_as_of(as_of);
	SELECT r INTO bad FROM jsonb_path_query(pages, '$[*].Reservations[*]') AS r
	WHERE jsonb_typeof(r -> 'OwnerId') IS DISTINCT FROM 'string'
	OR jsonb_typeof(r -> 'Instances') IS DISTINCT FROM 'array'
	OR jsonb_path_exists(r, '$.Instances[*] ? (!exists(@.InstanceId) || @.InstanceId.type() != "string")') LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'a reservation has no OwnerId, or an instance no InstanceId'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It begins with %s.', left(bad::text, 60)),
			HINT = 'Pass the whole output of aws ec2 describe-instances, without --query.';
	END IF;
	SELECT coalesce(array_agg(g.group_id) FILTER (WHERE g.is_open), '{}') INTO open_groups
	FROM iamwatch.aws_open_groups(group_pages) AS g;
	SELECT array_agg(iamwatch.aws_instance(r ->> 'OwnerId', i, open_groups, as_of)
		ORDER BY r ->> 'OwnerId', i ->> 'InstanceId') INTO states
	FROM jsonb_path_query(pages, '$[*].Reservations[*]') AS r, jsonb_path_query(r, '$.Instances[*]') AS i
	WHERE coalesce(i #>> '{State,Name}', '') NOT IN ('terminated', 'shutting-down');
	states := coalesce(states, '{}');

	SELECT string_agg(DISTINCT g, ', ') INTO missing
	FROM unnest(states) AS s, unnest(s.security_groups) AS g
	WHERE g NOT IN (SELECT k.group_id FROM iamwatch.aws_open_groups(group_pages) AS k);
	IF missing IS NOT NULL THEN
		RAISE WARNING 'security groups of instances are not in the document and count as closed'
			USING DETAIL = format('They are %s.', missing);
	END IF;

	IF complete AND account IS NOT NULL THEN
		places := jsonb_build_array(jsonb_build_object('provider', 'aws', 'account', account, 'region', region));
	ELSIF complete THEN
		-- an account's regions are described one by one
		SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('provider', 'aws', 'account', r ->> 'OwnerId', 'region',
			(iamwatch.aws_instance(r ->> 'OwnerId', i, '{}', as_of)).region))
			FILTER (WHERE i #>> '{Placement,AvailabilityZone}' IS NOT NULL), '[]') INTO places
		FROM jsonb_path_query(pages, '$[*].Reservations[*]') AS r, jsonb_path_query(r, '$.Instances[*]') AS i;
	END IF;

	SELECT * INTO added, changed, unchanged, retired FROM iamwatch.import_instances(states, places, as_of);
	INSERT INTO iamwatch.firewalls AS f (provider, account, imported_at, rules)
	SELECT 'aws', g.account, as_of, coalesce(jsonb_agg(g.group_id) FILTER (WHERE g.is_open), '[]')
	FROM iamwatch.aws_open_groups(group_pages) AS g WHERE g.account IS NOT NULL GROUP BY g.account
	ON CONFLICT ON CONSTRAINT firewalls_pkey DO UPDATE SET imported_at = EXCLUDED.imported_at,
		-- the groups of other regions are in other documents
		rules = (SELECT coalesce(jsonb_agg(k), '[]') FROM jsonb_array_elements(f.rules) AS k
			WHERE k #>> '{}' NOT IN (SELECT g.group_id FROM iamwatch.aws_open_groups(group_pages) AS g))
			|| EXCLUDED.rules
	WHERE f.imported_at <= EXCLUDED.imported_at;
END $$;

COMMENT ON FUNCTION iamwatch.import_aws_instances(jsonb, jsonb, timestamptz, boolean, text, text) IS
'take the output of aws ec2 describe-instances, with that of aws ec2 describe-security-groups, into the inventory; arrays of outputs too. An instance faces the Internet when it has a public address and a rule of one of its groups is open to 0.0.0.0/0 or ::/0. As of: when the documents were taken. Complete: instances that the documents lack are retired, in the accounts and regions that they have, or in those named. Gives counts of instances; 22004, 22023 for documents of another shape';

-- GCP: what `gcloud compute instances list` and `gcloud compute firewall-rules list` say.

CREATE FUNCTION iamwatch.gcp_path(url text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
	RETURN regexp_replace(url, '^.*/projects/', 'projects/');

COMMENT ON FUNCTION iamwatch.gcp_path(text) IS 'the path of a resource, without the host and version of the API';

CREATE FUNCTION iamwatch.gcp_project(url text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
	RETURN substring(url FROM 'projects/([^/]+)/');

COMMENT ON FUNCTION iamwatch.gcp_project(text) IS 'the project of a resource, from its URL or path';

CREATE FUNCTION iamwatch.gcp_ports(rule jsonb) RETURNS int4multirange
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(range_agg(int4range(split_part(p #>> '{}', '-', 1)::integer,
		CASE WHEN p #>> '{}' LIKE '%-%' THEN split_part(p #>> '{}', '-', 2) ELSE p #>> '{}' END::integer, '[]')),
		'{[0,65536)}')
	FROM jsonb_path_query(rule, '$.ports[*]') AS p
$$;

COMMENT ON FUNCTION iamwatch.gcp_ports(jsonb) IS 'the ports of an allowed or denied part of a rule; without any, all';

CREATE FUNCTION iamwatch.gcp_open(network text, tags text[], emails text[], rules jsonb) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	WITH rule AS MATERIALIZED (
		SELECT coalesce((r ->> 'priority')::integer, 1000) AS priority, whole.family, part.denied,
			CASE lower(part.p ->> 'IPProtocol') WHEN '1' THEN 'icmp' WHEN '6' THEN 'tcp' WHEN '17' THEN 'udp'
				ELSE lower(part.p ->> 'IPProtocol') END AS protocol,
			iamwatch.gcp_ports(part.p) AS ports
		FROM jsonb_path_query(rules, '$[*]') AS r
		CROSS JOIN LATERAL (
			SELECT 4 AS family WHERE jsonb_path_exists(r, '$.sourceRanges[*] ? (@ == "0.0.0.0/0")')
				-- no source at all means any
				OR NOT r ?| ARRAY['sourceRanges', 'sourceTags', 'sourceServiceAccounts']
			UNION ALL
			SELECT 6 WHERE jsonb_path_exists(r, '$.sourceRanges[*] ? (@ == "::/0")')) AS whole
		CROSS JOIN LATERAL (
			SELECT false AS denied, jsonb_path_query(r, '$.allowed[*]') AS p
			UNION ALL SELECT true, jsonb_path_query(r, '$.denied[*]')) AS part
		WHERE jsonb_typeof(part.p) = 'object' AND coalesce(r ->> 'direction', 'INGRESS') = 'INGRESS'
		AND coalesce((r ->> 'disabled')::boolean, false) = false
		AND iamwatch.gcp_path(r ->> 'network') = iamwatch.gcp_path(gcp_open.network)
		AND (NOT r ?| ARRAY['targetTags', 'targetServiceAccounts']
			OR ARRAY(SELECT jsonb_path_query(r, '$.targetTags[*]') #>> '{}') && tags
			OR ARRAY(SELECT jsonb_path_query(r, '$.targetServiceAccounts[*]') #>> '{}') && emails)
	)
	SELECT EXISTS (SELECT FROM rule AS a WHERE NOT a.denied AND NOT isempty(a.ports - coalesce((
		SELECT range_agg(u) FROM rule AS d CROSS JOIN LATERAL unnest(d.ports) AS u
		WHERE d.denied AND d.family = a.family AND d.priority <= a.priority
		AND d.protocol IN (a.protocol, 'all')), '{}')))
$$;

COMMENT ON FUNCTION iamwatch.gcp_open(text, text[], text[], jsonb) IS
'whether firewall rules let the whole Internet (0.0.0.0/0 or ::/0) reach any port of an interface: a rule that allows it applies by network and target, is enabled, and no denying rule of the same or a higher priority takes all of its ports away';

CREATE FUNCTION iamwatch.gcp_instance(account text, instance_id text, instance jsonb, rules jsonb,
	now timestamptz) RETURNS iamwatch.instances
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	state iamwatch.instances;
	interface jsonb;
	addresses inet[];
BEGIN
	state.provider := 'gcp';
	state.account := account;
	state.instance_id := instance_id;
	state.region := regexp_replace(instance ->> 'zone', '^.*/', '');
	state.valid_since := coalesce((instance ->> 'lastStartTimestamp')::timestamptz,
		(instance ->> 'creationTimestamp')::timestamptz, now);
	state.security_groups := '{}';
	state.public_ips := '{}';
	state.internet_facing := false;
	FOR interface IN SELECT * FROM jsonb_path_query(instance, '$.networkInterfaces[*]') LOOP
		addresses := iamwatch.public_addresses(ARRAY(
			SELECT jsonb_path_query(interface, '$.accessConfigs[*].natIP')
			UNION SELECT jsonb_path_query(interface, '$.ipv6AccessConfigs[*].externalIpv6')));
		IF addresses <> '{}' THEN
			state.public_ips := state.public_ips || addresses;
			state.internet_facing := state.internet_facing OR iamwatch.gcp_open(interface ->> 'network',
				ARRAY(SELECT jsonb_path_query(instance, '$.tags.items[*]') #>> '{}'),
				ARRAY(SELECT jsonb_path_query(instance, '$.serviceAccounts[*].email') #>> '{}'), rules);
		END IF;
	END LOOP;
	state.public_ips := ARRAY(SELECT DISTINCT a FROM unnest(state.public_ips) AS a ORDER BY a);
	RETURN state;
END $$;

COMMENT ON FUNCTION iamwatch.gcp_instance(text, text, jsonb, jsonb, timestamptz) IS
'what an instance resource says, by firewall rules: it faces the Internet when an interface has an external address and the rules let the Internet reach it';

CREATE FUNCTION iamwatch.check_gcloud(document jsonb, command text, needed text[]) RETURNS void
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bad jsonb;
BEGIN
	IF document IS NULL THEN
		RAISE EXCEPTION 'the output of "%" must not be null', command
			USING ERRCODE = 'null_value_not_allowed', HINT = format('Pass the output of %s --format=json.', command);
	END IF;
	IF jsonb_typeof(document) <> 'array' THEN
		bad := document;
	ELSE
		SELECT r INTO bad FROM jsonb_array_elements(document) AS r
		WHERE jsonb_typeof(r) <> 'object' OR EXISTS (SELECT FROM unnest(needed) AS n
			WHERE jsonb_typeof(r -> n) IS DISTINCT FROM 'string'
			OR (r ->> n LIKE '%://%' AND iamwatch.gcp_project(r ->> n) IS NULL)) LIMIT 1;
	END IF;
	IF bad IS NOT NULL THEN
		RAISE EXCEPTION 'the document is not the output of "%": an array of resources with %', command,
			array_to_string(needed, ', ')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Something begins with %s.', left(bad::text, 60)),
			HINT = format('Pass the output of %s --format=json.', command);
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.check_gcloud(jsonb, text, text[]) IS
'22004 or 22023 unless a document is an array of resources that have these texts';

CREATE FUNCTION iamwatch.import_gcp_instances(instances jsonb, firewall_rules jsonb,
	as_of timestamptz DEFAULT now(), complete boolean DEFAULT true, project text DEFAULT NULL,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	states iamwatch.instances[];
	places jsonb := '[]';
BEGIN
	PERFORM iamwatch.check_as_of(as_of);
	PERFORM iamwatch.check_gcloud(instances, 'gcloud compute instances list', ARRAY['selfLink', 'id']);
	PERFORM iamwatch.check_gcloud(firewall_rules, 'gcloud compute firewall-rules list', ARRAY['network']);
	SELECT coalesce(array_agg(iamwatch.gcp_instance(iamwatch.gcp_project(i ->> 'selfLink'), i ->> 'id', i,
		firewall_rules, as_of) ORDER BY i ->> 'selfLink'), '{}') INTO states
	FROM jsonb_array_elements(instances) AS i;
	IF complete THEN
		SELECT coalesce(jsonb_agg(jsonb_build_object('provider', 'gcp', 'account', p)), '[]') INTO places
		FROM (SELECT project AS p WHERE project IS NOT NULL
			UNION SELECT s.account FROM unnest(states) AS s WHERE project IS NULL) AS covered;
	END IF;

	SELECT * INTO added, changed, unchanged, retired FROM iamwatch.import_instances(states, places, as_of);
	INSERT INTO iamwatch.firewalls AS f (provider, account, imported_at, rules)
	SELECT 'gcp', iamwatch.gcp_project(r ->> 'network'), as_of, jsonb_agg(r)
	FROM jsonb_array_elements(firewall_rules) AS r
	WHERE iamwatch.gcp_project(r ->> 'network') IS NOT NULL GROUP BY 2
	ON CONFLICT ON CONSTRAINT firewalls_pkey DO UPDATE SET (imported_at, rules) = (EXCLUDED.imported_at, EXCLUDED.rules)
	WHERE f.imported_at <= EXCLUDED.imported_at;
END $$;

COMMENT ON FUNCTION iamwatch.import_gcp_instances(jsonb, jsonb, timestamptz, boolean, text) IS
'take the output of gcloud compute instances list, with that of gcloud compute firewall-rules list (of the networks'' projects), into the inventory. An instance faces the Internet when it has an external address and an enabled rule allows 0.0.0.0/0 or ::/0 in to it that no rule of the same or a higher priority denies. As of: when the documents were taken. Complete: instances that the document lacks are retired, in the projects that it has, or in that named. Gives counts of instances; 22004, 22023 for documents of another shape';

-- What stored events say of instances.  Called or scheduled, so that ingest
-- does no work for it.

CREATE FUNCTION iamwatch.aws_launched(item jsonb, request jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object('InstanceId', item -> 'instanceId',
		'Placement', jsonb_build_object('AvailabilityZone', item #> '{placement,availabilityZone}'),
		'SecurityGroups', groups.list,
		'NetworkInterfaces', jsonb_build_array(jsonb_build_object(
			'Groups', groups.list,
			'Association', jsonb_build_object('PublicIp', coalesce(item -> 'ipAddress',
				jsonb_path_query_first(item, '$.networkInterfaceSet.items[*].association.publicIp'))),
			'Ipv6Addresses', (SELECT jsonb_agg(jsonb_build_object('Ipv6Address', a))
				FROM jsonb_path_query(item, '$.networkInterfaceSet.items[*].ipv6AddressesSet.items[*].ipv6Address') AS a),
			'AssociatePublicIpAddress',
				jsonb_path_exists(request, '$.networkInterfaceSet.items[*] ? (@.associatePublicIpAddress == true)'))))
	FROM (SELECT jsonb_agg(DISTINCT jsonb_build_object('GroupId', g)) AS list FROM (
		SELECT jsonb_path_query(item, '$.groupSet.items[*].groupId') AS g
		UNION SELECT jsonb_path_query(item, '$.networkInterfaceSet.items[*].groupSet.items[*].groupId')) AS s) AS groups
$$;

COMMENT ON FUNCTION iamwatch.aws_launched(jsonb, jsonb) IS
'an instance of the answer to RunInstances, in the form of describe-instances';

CREATE FUNCTION iamwatch.learn_launch(e iamwatch.event, document jsonb) RETURNS SETOF text
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch.record_instance(iamwatch.aws_instance((e).account,
		iamwatch.aws_launched(item, document -> 'requestParameters'),
		ARRAY(SELECT jsonb_array_elements_text(f.rules) FROM iamwatch.firewalls AS f
			WHERE f.provider = 'aws' AND f.account = (e).account), (e).event_time), (e).event_time)
	FROM jsonb_path_query(document, '$.responseElements.instancesSet.items[*]') AS item
	WHERE (e).operation = 'RunInstances' AND jsonb_typeof(item -> 'instanceId') = 'string'
	UNION ALL
	SELECT iamwatch.record_instance(iamwatch.gcp_instance((e).account, document #>> '{resource,labels,instance_id}',
		request || jsonb_build_object('zone', document #> '{resource,labels,zone}',
			-- the log has tags in tags, the API in items
			'tags', jsonb_build_object('items', coalesce(request #> '{tags,items}', request #> '{tags,tags}', '[]'))),
		coalesce((SELECT jsonb_agg(r) FROM iamwatch.firewalls AS f, jsonb_array_elements(f.rules) AS r
			WHERE f.provider = 'gcp' AND f.account IN (SELECT iamwatch.gcp_project(n #>> '{}')
				FROM jsonb_path_query(request, '$.networkInterfaces[*].network') AS n)), '[]'),
		(e).event_time), (e).event_time)
	-- times in a request are the caller's
	FROM (SELECT CASE jsonb_typeof(document #> '{protoPayload,request}') WHEN 'object' THEN
		(document #> '{protoPayload,request}') - '{creationTimestamp,lastStartTimestamp}'::text[] END AS request) AS r
	WHERE (e).operation LIKE '%compute.instances.insert' AND request IS NOT NULL
	AND document #>> '{resource,labels,instance_id}' <> ''
$$;

COMMENT ON FUNCTION iamwatch.learn_launch(iamwatch.event, jsonb) IS
'take the instances that an event launched into the inventory; what became of each';

CREATE FUNCTION iamwatch.learn_address(account text, instance_id text, address inet, gained boolean,
	at timestamptz) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	state iamwatch.instances;
BEGIN
	SELECT * INTO state FROM iamwatch.instances AS i
	WHERE i.provider = 'aws' AND i.account = account AND i.instance_id = instance_id;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	state.public_ips := array_remove(state.public_ips, address);
	IF gained THEN
		state.public_ips := state.public_ips || address;
		state.internet_facing := state.internet_facing OR EXISTS (SELECT FROM iamwatch.firewalls AS f
			WHERE f.provider = 'aws' AND f.account = account AND f.rules ?| state.security_groups);
	ELSE
		state.internet_facing := state.internet_facing AND state.public_ips <> '{}';
	END IF;
	RETURN iamwatch.record_instance(state, at);
END $$;

COMMENT ON FUNCTION iamwatch.learn_address(text, text, inet, boolean, timestamptz) IS
'an instance of the inventory has gained or lost an address; null if it is not in the inventory';

CREATE FUNCTION iamwatch.learn_gone(e iamwatch.event, document jsonb) RETURNS bigint
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*) FROM (
		SELECT iamwatch.retire_instance(i, (e).event_time) AS retired
		FROM iamwatch.instances AS i
		WHERE i.provider = (e).provider AND i.account = (e).account AND i.instance_id IN (
			SELECT jsonb_path_query(document, '$.responseElements.instancesSet.items[*].instanceId') #>> '{}'
			UNION SELECT document #>> '{resource,labels,instance_id}')) AS r
	WHERE r.retired
$$;

COMMENT ON FUNCTION iamwatch.learn_gone(iamwatch.event, jsonb) IS
'retire the instances that an event ended; how many there were';

CREATE FUNCTION iamwatch.learn_instances(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	stored record;
	e iamwatch.event;
	outcome text;
	address text;
	who text;
	allocated jsonb := '{}';	-- by allocation, the address
	associated jsonb := '{}';	-- by association and by address, the instance and the address
BEGIN
	event_column := coalesce(event_column, (SELECT s.event_column FROM iamwatch.sources AS s
		WHERE s.source = learn_instances.source), 'event');
	PERFORM iamwatch.check_source(source, event_column);
	added := 0;
	changed := 0;
	unchanged := 0;
	retired := 0;
	LOCK TABLE iamwatch.instances IN SHARE ROW EXCLUSIVE MODE;
	FOR stored IN EXECUTE format($query$
		SELECT s.event, s.document FROM (
			SELECT iamwatch.parse(%1$s) AS event, %1$s AS document FROM %2$s AS source_row
			WHERE (%1$s ->> 'eventSource' = 'ec2.amazonaws.com' AND %1$s ->> 'eventName' IN ('RunInstances',
				'TerminateInstances', 'AllocateAddress', 'AssociateAddress', 'DisassociateAddress'))
			OR (%1$s #>> '{protoPayload,serviceName}' = 'compute.googleapis.com'
				AND %1$s #>> '{protoPayload,methodName}' ~ '(^|\.)compute\.instances\.(insert|delete)$')) AS s
		WHERE NOT (s.event).failed
		AND ($1 IS NULL OR (s.event).event_time >= $1) AND ($2 IS NULL OR (s.event).event_time < $2)
		ORDER BY (s.event).event_time, (s.event).event_id COLLATE "C" $query$,
		iamwatch.document_expression(source, event_column, 'source_row'), source)
		USING since, until
	LOOP
		e := stored.event;
		IF e.operation = 'AllocateAddress' THEN
			allocated := allocated || jsonb_strip_nulls(jsonb_build_object(
				coalesce(stored.document #>> '{responseElements,allocationId}', ''),
				stored.document #> '{responseElements,publicIp}'));
		ELSIF e.operation = 'AssociateAddress' THEN
			who := stored.document #>> '{requestParameters,instanceId}';
			address := coalesce(stored.document #>> '{requestParameters,publicIp}',
				allocated ->> (stored.document #>> '{requestParameters,allocationId}'));
			CONTINUE WHEN who IS NULL OR NOT iamwatch.is_address(address);
			associated := associated || jsonb_build_object(address, jsonb_build_array(who, address),
				coalesce(stored.document #>> '{responseElements,associationId}', address),
				jsonb_build_array(who, address));
			outcome := iamwatch.learn_address(e.account, who, address::inet, true, e.event_time);
		ELSIF e.operation = 'DisassociateAddress' THEN
			who := coalesce(stored.document #>> '{requestParameters,associationId}',
				stored.document #>> '{requestParameters,publicIp}');
			address := associated -> who ->> 1;
			CONTINUE WHEN address IS NULL;
			outcome := iamwatch.learn_address(e.account, associated -> who ->> 0, address::inet, false, e.event_time);
		ELSIF e.operation = 'TerminateInstances' OR e.operation LIKE '%.delete' THEN
			retired := retired + iamwatch.learn_gone(e, stored.document);
			outcome := NULL;
		ELSE
			FOR outcome IN SELECT * FROM iamwatch.learn_launch(e, stored.document) LOOP
				added := added + (outcome = 'added')::integer;
				changed := changed + (outcome = 'changed')::integer;
				unchanged := unchanged + (outcome = 'unchanged')::integer;
			END LOOP;
			outcome := NULL;
		END IF;
		IF outcome IS NOT NULL THEN
			changed := changed + (outcome = 'changed')::integer;
			unchanged := unchanged + (outcome = 'unchanged')::integer;
			outcome := NULL;
		END IF;
	END LOOP;
END $$;

COMMENT ON FUNCTION iamwatch.learn_instances(regclass, name, timestamptz, timestamptz) IS
'learn instances and their addresses from stored events, in order of event time: AWS RunInstances, TerminateInstances, AssociateAddress and DisassociateAddress (with the addresses of AllocateAddress), GCP compute.instances insert and delete. Whether they face the Internet is judged by the rules last imported. Since (included) and until (not): range of event times. Harmless to repeat; gives counts. 42P01, 42703, 42804 for what holds no events';

CREATE OR REPLACE FUNCTION iamwatch.faces_internet(event iamwatch.event) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	-- no query for whom it cannot concern: they are most
	IF event.identity_kind = 'instance' THEN
		IF EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.instance_id = event.instance_id AND i.provider = event.provider AND i.internet_facing
			AND i.valid_since <= event.event_time)
		OR EXISTS (SELECT FROM iamwatch.instance_history AS h
			WHERE h.instance_id = event.instance_id AND h.provider = event.provider AND h.internet_facing
			AND h.valid @> event.event_time) THEN
			RETURN true;
		END IF;
	END IF;
	IF event.provider <> 'aws' AND NOT event.is_user THEN
		RETURN EXISTS (SELECT FROM iamwatch.instances AS i
			WHERE i.public_ips @> ARRAY[event.source_ip] AND i.provider = event.provider AND i.internet_facing
			AND i.valid_since <= event.event_time)
		OR EXISTS (SELECT FROM iamwatch.instance_history AS h
			WHERE h.public_ips @> ARRAY[event.source_ip] AND h.provider = event.provider AND h.internet_facing
			AND h.valid @> event.event_time);
	END IF;
	RETURN false;
END $$;

COMMENT ON FUNCTION iamwatch.faces_internet(iamwatch.event) IS
'whether the identity acts as an instance which, by the inventory, faced the Internet at the time of the event';

CREATE OR REPLACE FUNCTION iamwatch.merge_texts(texts jsonb, more text[], most integer) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	more := array_remove(more, NULL);
	IF cardinality(more) = 0 THEN
		RETURN coalesce(texts, '[]');
	ELSIF cardinality(more) = 1 AND (texts IS NULL OR texts = '[]') THEN
		RETURN jsonb_build_array(left(more[1], 500));
	ELSIF cardinality(more) = 1 AND (texts ? left(more[1], 500)
		OR jsonb_array_length(texts) >= most AND left(more[1], 500) COLLATE "C" > (texts->>-1) COLLATE "C") THEN
		RETURN texts;
	END IF;
	RETURN (SELECT jsonb_agg(t ORDER BY t COLLATE "C")
		FROM (SELECT t COLLATE "C" AS t FROM (
				SELECT jsonb_array_elements_text(coalesce(texts, '[]')) AS t
				UNION SELECT left(m, 500) FROM unnest(more) AS m) AS u
			ORDER BY 1 LIMIT most) AS sorted);
END $$;

-- Peers are named to be recognised; the numbers of all of them are K and N.
-- Names are cut as other evidence is: ten of them must not exceed what jsonb holds.
CREATE OR REPLACE FUNCTION iamwatch.peers(event iamwatch.event, training_days integer) RETURNS jsonb
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	until date := (event.event_time AT TIME ZONE 'UTC')::date - 1;
	since date := until - training_days + 1;
	in_account integer;
	in_behaviour integer;
BEGIN
	SELECT a.account_id, b.behaviour_id INTO in_account, in_behaviour
	FROM iamwatch.accounts AS a
	JOIN iamwatch.behaviours AS b ON b.account_id = a.account_id
		AND hashtextextended(b.operation, 0) = hashtextextended(event.operation, 0)
		AND b.operation = event.operation AND b.service = event.service AND b.failed = event.failed
	WHERE hashtextextended(a.account, 0) = hashtextextended(event.account, 0)
	AND a.account = event.account AND a.provider = event.provider;
	RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('identity', left(p.identity, 500), 'days', p.days)
			ORDER BY p.days DESC, p.identity COLLATE "C"), '[]')
		FROM (
			SELECT i.identity, d.n AS days
			FROM (
				SELECT d.identity_id, count_days(CASE WHEN x.days IS NULL THEN d.days ELSE d.days - x.days END,
					since, until) AS n
				FROM iamwatch.behaviour_days AS d
				LEFT JOIN (SELECT * FROM iamwatch.excluded_of_account(in_account, event.provider, event.account)
					-- asked once, since it is nearly always false
					WHERE (SELECT iamwatch.has_excluded(event.account, event.operation))) AS x
					ON x.behaviour_id = d.behaviour_id AND x.identity_id = d.identity_id
				WHERE d.account_id = in_account AND d.behaviour_id = in_behaviour
				OFFSET 0) AS d
			JOIN iamwatch.identity_days AS i
				ON i.account_id = in_account AND i.identity_id = d.identity_id
			WHERE d.n > 0 AND i.identity <> event.identity AND is_person(i.kinds) = event.is_user
			ORDER BY 2 DESC, i.identity COLLATE "C"
			LIMIT 10) AS p);
END $$;

CREATE OR REPLACE FUNCTION iamwatch.open_alert(settings iamwatch.detectors, c iamwatch.pending_events) RETURNS bigint
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event := c.event;
	o iamwatch.operations := iamwatch.find_operation(e.provider, e.service, e.operation);
	v record;
	opened bigint;
	in_scope text := iamwatch.limit_scope(e.provider, e.account);
	day date := (e.event_time AT TIME ZONE 'UTC')::date;
	context jsonb;
BEGIN
	IF o.category IS NULL THEN
		RETURN NULL;
	END IF;
	context := iamwatch.context_of(e, settings.training_days, c.active);
	IF settings.context_bits > 0 THEN
		c.probability := iamwatch.in_context(settings, c.probability, context);
		IF c.probability >= settings.probability_limit THEN
			RETURN NULL;
		END IF;
	END IF;
	IF c.active = 0 AND iamwatch.limit_room('alerts', in_scope, day) = 0 THEN
		PERFORM iamwatch.count_limit('alerts', in_scope, day, 0, 1);
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
			'training_days', settings.training_days, 'context', context,
			'peers', iamwatch.peers(e, settings.training_days)), ARRAY[e]))
	RETURNING alert_id INTO opened;
	INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
	VALUES (opened, e.event_time, e.event_id);
	PERFORM iamwatch.count_limit('alerts', in_scope, day, 1, 0);
	RETURN opened;
END $$;

COMMENT ON FUNCTION iamwatch.open_alert(iamwatch.detectors, iamwatch.pending_events) IS
'a new alert with its evidence; null if the operation has left the catalogue, or context counts and does not make it unusual, or the limit alerts is reached and nothing is known of the identity';

CREATE OR REPLACE FUNCTION iamwatch.join_alert(settings iamwatch.detectors, into_alert bigint,
	events iamwatch.event[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	e iamwatch.event;
	v record;
	worst text := 'base';
	worst_severity text;
	latest timestamptz := '-infinity';
	rises boolean;
BEGIN
	FOREACH e IN ARRAY events LOOP
		v := iamwatch.variation(settings, e);
		IF worst_severity IS NULL OR iamwatch.severity_rank(v.severity) > iamwatch.severity_rank(worst_severity) THEN
			worst := v.variation;
			worst_severity := v.severity;
		END IF;
		latest := GREATEST(latest, e.event_time);
	END LOOP;
	SELECT iamwatch.severity_rank(worst_severity) > iamwatch.severity_rank(a.severity) INTO rises
	FROM iamwatch.alerts AS a WHERE a.alert_id = into_alert;
	UPDATE iamwatch.alerts AS a SET
		event_count = a.event_count + cardinality(events),
		last_event_time = GREATEST(a.last_event_time, latest),
		variation = CASE WHEN rises THEN worst ELSE a.variation END,
		severity = CASE WHEN rises THEN worst_severity ELSE a.severity END,
		-- what has not changed is not written again: it can be large
		evidence = CASE WHEN m.evidence = a.evidence THEN a.evidence ELSE m.evidence END,
		-- more of what is known to be an attack
		excluded_days = CASE WHEN a.excluded_days IS NOT NULL THEN a.excluded_days
			| (SELECT dayset_agg((x).event_time) FROM unnest(events) AS x) END
	FROM (SELECT b.alert_id, iamwatch.merge_evidence(b.evidence, events) AS evidence
		FROM iamwatch.alerts AS b WHERE b.alert_id = into_alert) AS m
	WHERE m.alert_id = a.alert_id AND a.alert_id = into_alert;
	IF rises THEN
		PERFORM iamwatch.notify_alert(into_alert);
	END IF;
END $$;

-- In order of event time, what lies in the activation period comes before any
-- alert, so delivered again it must not join one that a later event opened.
CREATE FUNCTION iamwatch.in_activation(settings iamwatch.detectors, e iamwatch.event) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (e).event_time < min(h.first_event_time) + settings.activation_days * interval '24 hours'
	FROM (
		SELECT a.first_event_time FROM iamwatch.accounts AS a
		WHERE hashtextextended(a.account, 0) = hashtextextended((e).account, 0)
		AND a.account = (e).account AND a.provider = (e).provider
		UNION ALL
		SELECT j.first_event_time FROM iamwatch.journal AS j
		WHERE hashtextextended(j.account, 0) = hashtextextended((e).account, 0)
		AND j.account = (e).account AND j.provider = (e).provider) AS h
$$;

COMMENT ON FUNCTION iamwatch.in_activation(iamwatch.detectors, iamwatch.event) IS
'whether the event lies in the activation period of its account, by what is learned';

-- Events of one behaviour, in order of event time; under the lock of its bucket.
CREATE OR REPLACE FUNCTION iamwatch.settle_behaviour(settings iamwatch.detectors,
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
	leaving iamwatch.pending_events[] := '{}';
	rows bigint;
	most_rows bigint;
	over bigint := 0;
	shadowed boolean := iamwatch.has_suppressed((candidates[1]).identity);
	rules iamwatch.suppressions[];
	suppression bigint;
	hidden iamwatch.pending_events[] := '{}';
	suppressions bigint[] := '{}';
	declined timestamptz;
BEGIN
	FOREACH c IN ARRAY candidates LOOP
		e := c.event;
		CONTINUE WHEN shadowed AND iamwatch.in_suppressed(c, period);

		-- the earliest alert near enough; the next event may still be near it
		IF alert_id IS NULL OR e.event_time >= opened_at + period THEN
			IF joining <> '{}' THEN
				PERFORM iamwatch.join_alert(settings, alert_id, joining);
				joining := '{}';
			END IF;
			SELECT a.alert_id, a.first_event_time, a.event_count INTO alert_id, opened_at, rows
			FROM iamwatch.alerts AS a
			WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
			AND a.first_event_time > e.event_time - period
			AND a.first_event_time < e.event_time + period
			AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
			AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
			AND a.detector = c.detector
			ORDER BY a.first_event_time LIMIT 1;
			IF alert_id IS NOT NULL AND opened_at > e.event_time THEN
				IF iamwatch.in_activation(settings, e) THEN
					alert_id := NULL;
					CONTINUE;
				END IF;
			END IF;
			-- somebody may be at work on it, for as long as they like
			IF alert_id IS NOT NULL THEN
				PERFORM FROM iamwatch.alerts AS a WHERE a.alert_id = alert_id
				FOR NO KEY UPDATE SKIP LOCKED;
				writable := FOUND;
			END IF;
		END IF;

		IF alert_id IS NULL THEN
			-- a day is scored once, by the first event that may open an alert
			c.unusual := c.unusual AND date_trunc('day', e.event_time, 'UTC') IS DISTINCT FROM declined;
			IF c.unusual AND c.again THEN
				c.unusual := EXISTS (SELECT FROM iamwatch.raised AS a
					WHERE hashtextextended(a.identity, 0) = hashtextextended(e.identity, 0)
					AND a.first_event_time <= e.event_time - period
					AND a.first_event_time >= date_trunc('day', e.event_time, 'UTC') - period
					AND a.identity = e.identity AND a.operation = e.operation AND a.service = e.service
					AND a.failed = e.failed AND a.account = e.account AND a.provider = e.provider
					AND a.detector = c.detector);
			END IF;
			IF c.unusual OR shadowed THEN
				rules := coalesce(rules, iamwatch.suppressions_of(c.detector, e));
				suppression := iamwatch.suppression_of(rules, e);
				IF suppression IS NOT NULL THEN
					hidden := array_append(hidden, c);
					suppressions := array_append(suppressions, suppression);
					shadowed := true;
					CONTINUE;
				ELSIF shadowed THEN
					PERFORM iamwatch.settle_suppressed(settings, hidden, suppressions);
					hidden := '{}';
					suppressions := '{}';
					c := iamwatch.uncovered(c, period);
				END IF;
			END IF;
			IF c.unusual THEN
				alert_id := iamwatch.open_alert(settings, c);
				IF alert_id IS NULL THEN
					declined := date_trunc('day', e.event_time, 'UTC');
				END IF;
				opened_at := e.event_time;
				writable := true;
				rows := 1;
				PERFORM iamwatch.notify_alert(alert_id);
			END IF;
			CONTINUE;
		END IF;

		-- a day on which context did not make it unusual stays out of a later alert
		IF settings.context_bits > 0 AND opened_at >= date_trunc('day', e.event_time, 'UTC') + interval '24 hours' THEN
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
			most_rows := coalesce(most_rows, iamwatch.limit_value('alert_events'));
			IF rows < most_rows THEN
				INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
				VALUES (alert_id, e.event_time, e.event_id);
			ELSE
				over := over + 1;
			END IF;
			rows := rows + 1;
			joining := array_append(joining, e);
		ELSE
			leaving := array_append(leaving, c);
		END IF;
	END LOOP;
	IF joining <> '{}' THEN
		PERFORM iamwatch.join_alert(settings, alert_id, joining);
	END IF;
	IF leaving <> '{}' THEN
		PERFORM iamwatch.leave_pending(leaving);
	END IF;
	IF over > 0 THEN
		PERFORM iamwatch.count_limit('alert_events', iamwatch.limit_scope(e.provider, e.account),
			(e.event_time AT TIME ZONE 'UTC')::date, 0, over);
	END IF;
	IF cardinality(suppressions) > 0 THEN
		PERFORM iamwatch.settle_suppressed(settings, hidden, suppressions);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION iamwatch.leave_pending(candidates iamwatch.pending_events[]) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	first iamwatch.pending_events := candidates[1];
	most bigint := iamwatch.limit_value('pending_events');
	room bigint;
BEGIN
	SELECT most - count(*) INTO room FROM (SELECT FROM iamwatch.pending_events AS p
		WHERE hashtextextended(p.identity, 0) = hashtextextended(first.identity, 0)
		AND p.identity = first.identity AND p.operation = first.operation
		AND p.service = first.service AND p.failed = first.failed
		AND p.account = first.account AND p.provider = first.provider
		AND p.detector = first.detector
		LIMIT most) AS waiting;
	IF cardinality(candidates) > room THEN
		PERFORM iamwatch.count_limit('pending_events', iamwatch.limit_scope(first.provider, first.account),
			((first.event).event_time AT TIME ZONE 'UTC')::date, 0, cardinality(candidates) - room);
		candidates := candidates[1:room::integer];
	END IF;
	INSERT INTO iamwatch.pending_events (detector, provider, account, identity, service, operation,
		failed, event, unusual, again, k, active, peer_days, peer_active, probability)
	SELECT detector, provider, account, identity, service, operation,
		failed, event, unusual, again, k, active, peer_days, peer_active, probability
	FROM unnest(candidates);
END $$;

CREATE OR REPLACE FUNCTION iamwatch.settle_with_pending(candidates iamwatch.pending_events[]) RETURNS void
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
	IF EXISTS (SELECT FROM iamwatch.pending_events AS p
		WHERE hashtextextended(p.identity, 0) = hashtextextended(first.identity, 0)) THEN
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
	END IF;

	PERFORM iamwatch.settle_behaviour(settings, candidates);
END $$;

COMMENT ON FUNCTION iamwatch.observe() IS
'trigger AFTER INSERT FOR EACH ROW on a watched table; arguments: the column, or an empty string and the fields of iamwatch.to_document(). 39P01 when fired otherwise';

CREATE OR REPLACE FUNCTION iamwatch.check_source(source regclass, event_column name) RETURNS void
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

	IF iamwatch.fields_of(source) IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT a.atttypid INTO type FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.attname = event_column AND a.attnum > 0 AND NOT a.attisdropped;
	IF type = ANY ('{jsonb,json,text,varchar}'::regtype[]) THEN
		RETURN;
	END IF;
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO candidates
	FROM pg_attribute AS a
	WHERE a.attrelid = source AND a.atttypid IN ('jsonb'::regtype, 'json'::regtype)
	AND a.attnum > 0 AND NOT a.attisdropped;
	candidates := coalesce('Columns of type jsonb or json: ' || candidates || '.',
		'With a column for each field of the record, call iamwatch.map_columns() first.');
	IF type IS NULL THEN
		RAISE EXCEPTION 'column "%" of relation "%" does not exist', event_column, source
			USING ERRCODE = 'undefined_column', HINT = candidates;
	END IF;
	RAISE EXCEPTION 'column "%" of relation "%" is of type %, not jsonb, json or text', event_column, source, type
		USING ERRCODE = 'datatype_mismatch', HINT = candidates;
END $$;

COMMENT ON FUNCTION iamwatch.check_source(regclass, name) IS
'22004, 42P01, 42809, 42703 or 42804 unless the column of the relation can hold events, or its columns are mapped';

CREATE OR REPLACE FUNCTION iamwatch.watch(source regclass, event_column name DEFAULT 'event',
	fires text DEFAULT 'origin') RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	relation pg_class;
	present pg_trigger;
	fields text[];
	args bytea;
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
	fields := iamwatch.fields_of(source);
	args := CASE WHEN fields IS NULL THEN convert_to(event_column, getdatabaseencoding()) || E'\\x00'
		ELSE E'\\x00' || convert_to(fields::text, getdatabaseencoding()) || E'\\x00' END;
	IF present.oid IS NOT NULL AND present.tgargs <> args THEN
		EXECUTE format('DROP TRIGGER iamwatch_observe ON %s', source);
		present := NULL;
	END IF;
	IF present.oid IS NULL THEN
		-- takes the place of the triggers of partitions that were watched by themselves
		PERFORM iamwatch.unwatch(p.relid)
		FROM pg_partition_tree(source) AS p JOIN pg_trigger AS t ON t.tgrelid = p.relid
		WHERE p.relid <> source AND t.tgname = 'iamwatch_observe' AND t.tgparentid = 0;
		EXECUTE format('CREATE TRIGGER iamwatch_observe AFTER INSERT ON %s FOR EACH ROW'
			' WHEN (iamwatch.news(%s)) EXECUTE FUNCTION iamwatch.observe(%s)',
			source, iamwatch.document_expression(source, event_column, 'new'),
			CASE WHEN fields IS NULL THEN quote_literal(event_column)
			ELSE format('%L, %L', '', fields) END);
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
'watch what is inserted into a table, or into a partitioned table through any of its partitions; harmless when it is watched already. Column: of type jsonb, json, text or varchar; ignored when its columns are mapped, see iamwatch.map_columns(). Fires: origin; always, also for what a subscription applies; replica, only for that. Needs the TRIGGER privilege; 42809, 42703, 42804, 22023 for what cannot be watched';

-- Days that far back are outside of what any event can still be compared
-- with: an event may be as late as training and lateness together, and looks
-- back another training period from there.
CREATE OR REPLACE FUNCTION iamwatch.prune_account(in_account integer) RETURNS boolean
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
	PERFORM iamwatch.prune_context(in_account, since);
	DELETE FROM iamwatch.tallies AS t WHERE t.account_id = in_account AND t.day < since;
	DELETE FROM iamwatch.behaviours AS b
	WHERE b.account_id = in_account AND NOT EXISTS (SELECT FROM iamwatch.behaviour_days AS d
		WHERE d.account_id = in_account AND d.behaviour_id = b.behaviour_id);
	RETURN true;
END $$;

CREATE OR REPLACE PROCEDURE iamwatch.maintain()
	LANGUAGE plpgsql AS $$
DECLARE
	part record;
BEGIN
	FOR part IN SELECT DISTINCT j.provider, j.account FROM iamwatch.journal AS j LOOP
		PERFORM iamwatch.fold_journal(part.provider, part.account);
		COMMIT;
	END LOOP;
	FOR part IN SELECT DISTINCT (j.event).provider, (j.event).account FROM iamwatch.context_journal AS j LOOP
		PERFORM iamwatch.fold_context_journal(part.provider, part.account);
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
	PERFORM iamwatch.fold_counts();
	COMMIT;
	PERFORM iamwatch.fold_source_counts();
	COMMIT;
	DELETE FROM iamwatch.sources AS s
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) s.source);
END $$;

CREATE OR REPLACE FUNCTION iamwatch.unusual_days(settings iamwatch.detectors, in_account integer,
	marks iamwatch.journal[]) RETURNS TABLE (n bigint, is_user boolean, day date,
	k integer, active integer, peer_days bigint, peer_active bigint, probability double precision)
	LANGUAGE sql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	WITH taken AS MATERIALIZED (
		SELECT t.* FROM iamwatch.accounts AS a
		CROSS JOIN LATERAL iamwatch.excluded_of_account(a.account_id, a.provider, a.account) AS t
		WHERE a.account_id = in_account
	), own AS MATERIALIZED (
		SELECT m.n, b.behaviour_id, is_person(m.kinds) AS is_user, is_person(i.kinds) AS class, day,
			count_days(CASE WHEN x.days IS NULL THEN d.days ELSE d.days - x.days END,
				day - settings.training_days, day - 1) AS k,
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
		LEFT JOIN taken AS x ON x.behaviour_id = b.behaviour_id AND x.identity_id = i.identity_id
		CROSS JOIN LATERAL days(m.days) AS day
	), rare AS MATERIALIZED (
		-- whatever the peers do, it only adds to the probability
		SELECT * FROM own WHERE own.k / (own.active + 2.0::float8) < settings.probability_limit
	), class AS MATERIALIZED (
		SELECT c.behaviour_id, c.is_user, c.day,
			(SELECT coalesce(sum(t.identities), 0) FROM iamwatch.tallies AS t
			 WHERE t.account_id = in_account AND t.behaviour_id = c.behaviour_id AND t.is_user = c.is_user
			 AND t.day BETWEEN c.day - settings.training_days AND c.day - 1)
			- (SELECT coalesce(sum(count_days(x.days, c.day - settings.training_days, c.day - 1)), 0)
			 FROM taken AS x WHERE x.behaviour_id = c.behaviour_id AND x.is_user = c.is_user) AS days,
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

-- A table of a session's own: temporary, so nobody else sees it, and gone with it.
CREATE OR REPLACE FUNCTION iamwatch.drop_temporary() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.iamwatch_marks, pg_temp.iamwatch_unusual, pg_temp.iamwatch_events,
		pg_temp.iamwatch_firsts, pg_temp.iamwatch_samples;
END $$;

-- Not in the procedure itself, which cannot pin the search path: the session's
-- could have other types of these names.
CREATE FUNCTION iamwatch.backfill_working_tables() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM iamwatch.drop_temporary();
	CREATE TEMP TABLE iamwatch_marks (provider text, account text, identity text, kinds integer,
		service text, operation text, failed boolean, key bytea, days iamwatch.dayset, first timestamptz, part integer);
	CREATE TEMP TABLE iamwatch_unusual (detector text, key bytea, is_user boolean, day date, k integer,
		active integer, peer_days bigint, peer_active bigint, probability double precision, active_from timestamptz);
	CREATE TEMP TABLE iamwatch_events (key bytea, event iamwatch.event, behaviour text);
	CREATE TEMP TABLE iamwatch_firsts (key bytea, at timestamptz);
	CREATE TEMP TABLE iamwatch_samples (event iamwatch.event, access_key text, novel boolean, part integer);
END $$;

COMMENT ON FUNCTION iamwatch.backfill_working_tables() IS 'make the working tables of a backfill of this session';

-- One leaf: all of it in one parallel aggregate.
CREATE OR REPLACE FUNCTION iamwatch.backfill_read(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
DECLARE
	document text := iamwatch.document_expression(leaf, event_column, 'source_row');
	events bigint;
BEGIN
	EXECUTE format($query$
		CREATE TEMP TABLE iamwatch_part AS
		SELECT (m).key, iamwatch.dayset_agg((m).at) AS days, min((m).at) AS first, count(*) AS events
		FROM (SELECT iamwatch.mark(%s) AS m FROM %s AS source_row) AS marks
		WHERE (%L::timestamptz IS NULL OR (m).key IS NULL OR (m).at >= %L)
		AND (%L::timestamptz IS NULL OR (m).key IS NULL OR (m).at < %L)
		GROUP BY (m).key $query$, document, leaf, since, since, until, until);
	INSERT INTO pg_temp.iamwatch_marks
	SELECT f.*, p.key, p.days, p.first FROM pg_temp.iamwatch_part AS p
	CROSS JOIN LATERAL iamwatch.mark_fields(p.key) AS f;
	IF EXISTS (SELECT FROM pg_temp.iamwatch_part AS p WHERE p.key IS NULL) THEN
		-- one by one: there can be more of them than memory holds
		EXECUTE format($query$
			SELECT count(iamwatch.reject(ARRAY[$1], ARRAY[coalesce(iamwatch.unreadable(d),
				CASE WHEN d IS NULL THEN 'the document is null'
				WHEN (iamwatch.parse(d)).event_time > clock_timestamp() + interval '1 day'
				THEN 'the event time is more than one day ahead of the clock'
				ELSE 'a name is longer than iamwatch.longest_name' END)], ARRAY[d]))
			FROM (SELECT %1$s AS d FROM %2$s AS source_row) AS documents
			WHERE (iamwatch.mark(d)).key IS NULL $query$, document, leaf)
		USING leaf::oid;
	END IF;
	SELECT sum(p.events) INTO events FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	RETURN coalesce(events, 0);
END $$;

CREATE OR REPLACE FUNCTION iamwatch.backfill_score(part integer, detector text) RETURNS void
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
	CROSS JOIN LATERAL iamwatch.unusual_days(iamwatch.widened(s), a.account_id, g.marks) AS u
	CROSS JOIN LATERAL (SELECT (g.marks[u.n]).*) AS m
	WHERE s.detector = backfill_score.detector
	AND u.day >= ((a.first_event_time + s.activation_days * interval '24 hours') AT TIME ZONE 'UTC')::date
	AND iamwatch.is_watched(s, m.provider, m.service, m.operation)
$$;

-- An identity that was seen as two kinds has two keys but one behaviour: an
-- alert that the one opens, the other joins.
CREATE FUNCTION iamwatch.backfill_behaviour_keys() RETURNS bytea[]
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT array_agg(m.key) FROM pg_temp.iamwatch_marks AS m
		WHERE (m.provider, m.account, m.identity, m.service, m.operation, m.failed) IN (
			SELECT x.provider, x.account, x.identity, x.service, x.operation, x.failed
			FROM pg_temp.iamwatch_marks AS x JOIN pg_temp.iamwatch_unusual AS u ON u.key = x.key));
END $$;

COMMENT ON FUNCTION iamwatch.backfill_behaviour_keys() IS
'all keys of the behaviours of which a backfill found a day unusual';

CREATE OR REPLACE FUNCTION iamwatch.backfill_fetch(leaf regclass, event_column name,
	since timestamptz, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
DECLARE
	keys bytea[] := iamwatch.backfill_behaviour_keys();
BEGIN
	EXECUTE format($query$
		CREATE TEMP TABLE iamwatch_part AS
		SELECT (m).key, (m).at, iamwatch.parse(event) AS event, iamwatch.access_key(event) AS access_key
		FROM (SELECT iamwatch.mark(%1$s) AS m, %1$s AS event FROM %2$s AS source_row) AS marks
		WHERE ((m).key = ANY ($1) OR hash_record_extended(ROW((m).key, (m).at), 0) = ANY ($2))
		AND (%3$L::timestamptz IS NULL OR (m).at >= %3$L)
		AND (%4$L::timestamptz IS NULL OR (m).at < %4$L) $query$,
		iamwatch.document_expression(leaf, event_column, 'source_row'), leaf, since, until)
	USING keys,
		ARRAY(SELECT hash_record_extended(ROW(f.key, f.at), 0) FROM pg_temp.iamwatch_firsts AS f);
	INSERT INTO pg_temp.iamwatch_events SELECT p.key, p.event FROM pg_temp.iamwatch_part AS p
	WHERE p.key = ANY (keys);
	INSERT INTO pg_temp.iamwatch_samples SELECT p.event, p.access_key FROM pg_temp.iamwatch_part AS p
	WHERE (p.key, p.at) IN (SELECT f.key, f.at FROM pg_temp.iamwatch_firsts AS f);
	DROP TABLE pg_temp.iamwatch_part;
END $$;

COMMENT ON FUNCTION iamwatch.backfill_fetch(regclass, name, timestamptz, timestamptz) IS
'read the events of what is unusual in a relation, and of the sample of contexts, into the working tables';

-- The alerts of one behaviour.  Events without an id that are in an alert
-- already are told by their time.
CREATE OR REPLACE FUNCTION iamwatch.backfill_raise(behaviour text, detector text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	candidate iamwatch.pending_events;
	candidates iamwatch.pending_events[] := '{}';
	period interval;
BEGIN
	SELECT d.deduplication_days * interval '24 hours' INTO period
	FROM iamwatch.detectors AS d WHERE d.detector = backfill_raise.detector;
	-- in pieces: there can be more of them than an array holds
	FOR candidate IN SELECT 0, backfill_raise.detector, (e.event).provider, (e.event).account, (e.event).identity,
			(e.event).service, (e.event).operation, (e.event).failed, e.event,
			coalesce((e.event).event_time >= u.active_from, false), false, coalesce(u.k, 0), coalesce(u.active, 0),
			coalesce(u.peer_days, 0), coalesce(u.peer_active, 0), coalesce(u.probability, 1)
	FROM pg_temp.iamwatch_events AS e
	LEFT JOIN pg_temp.iamwatch_unusual AS u ON u.key = e.key AND u.detector = backfill_raise.detector
		AND u.day = ((e.event).event_time AT TIME ZONE 'UTC')::date
	WHERE e.behaviour = backfill_raise.behaviour
	AND NOT ((e.event).event_id IS NULL AND EXISTS (
		SELECT FROM iamwatch.raised AS a JOIN iamwatch.alert_events AS x USING (alert_id)
		WHERE hashtextextended(a.identity, 0) = hashtextextended((e.event).identity, 0)
		AND a.first_event_time > (e.event).event_time - period
		AND a.first_event_time < (e.event).event_time + period
		AND a.identity = (e.event).identity AND a.operation = (e.event).operation
		AND a.service = (e.event).service AND a.failed = (e.event).failed
		AND a.account = (e.event).account AND a.provider = (e.event).provider
		AND a.detector = backfill_raise.detector
		AND x.event_id IS NULL AND x.event_time = (e.event).event_time))
	ORDER BY (e.event).event_time, (e.event).event_id COLLATE "C"
	LOOP
		candidates := array_append(candidates, candidate);
		IF cardinality(candidates) = 10000 THEN
			PERFORM iamwatch.settle_with_pending(candidates);
			candidates := '{}';
		END IF;
	END LOOP;
	IF candidates <> '{}' THEN
		PERFORM iamwatch.settle_with_pending(candidates);
	END IF;
END $$;

CREATE OR REPLACE PROCEDURE iamwatch.backfill(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf pg_catalog.regclass;
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
	IF NOT iamwatch.try_session_lock(3, source::pg_catalog.oid::bigint) THEN
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
	PERFORM iamwatch.backfill_working_tables();
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
			PERFORM iamwatch.backfill_firsts(leaf, event_column, since, until, iamwatch.backfill_unusual_keys());
			COMMIT;
		END LOOP;
		PERFORM iamwatch.backfill_choose_firsts();
		FOR leaf IN SELECT l FROM iamwatch.leaves(source) AS l LOOP
			PERFORM iamwatch.backfill_fetch(leaf, event_column, since, until);
			COMMIT;
		END LOOP;
		FOR part IN SELECT * FROM pg_catalog.generate_series(0, iamwatch.backfill_samples()) LOOP
			PERFORM iamwatch.backfill_context(part);
			COMMIT;
		END LOOP;
	END IF;
	SELECT pg_catalog.count(*) INTO alerts_before FROM iamwatch.alerts;
	PERFORM iamwatch.backfill_phase(source, 'raising', iamwatch.backfill_group());
	COMMIT;
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

CREATE OR REPLACE FUNCTION iamwatch.backfill_partition() RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	parts integer;
BEGIN
	SELECT 1 + GREATEST(count(*) / 5000, sum(length(m.key)) / 67108864) INTO parts FROM pg_temp.iamwatch_marks AS m;
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

-- Contexts of stored history: the same sample that the triggers take in order
-- of event time.  iamwatch.backfill() takes that of the identities for which
-- something is unusual, iamwatch.backfill_contexts() that of all.

CREATE FUNCTION iamwatch.backfill_unusual_keys() RETURNS bytea[]
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(m.key) FROM pg_temp.iamwatch_marks AS m
	WHERE (m.provider, m.account, m.identity) IN (SELECT x.provider, x.account, x.identity
		FROM pg_temp.iamwatch_marks AS x JOIN pg_temp.iamwatch_unusual AS u ON u.key = x.key)
$$;

COMMENT ON FUNCTION iamwatch.backfill_unusual_keys() IS
'all keys of the identities for which a backfill found something unusual';

CREATE FUNCTION iamwatch.backfill_firsts(leaf regclass, event_column name, since timestamptz, until timestamptz,
	keys bytea[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off AS $$
BEGIN
	EXECUTE format($query$
		CREATE TEMP TABLE iamwatch_part AS
		SELECT (m).key, min((m).at) AS at
		FROM (SELECT iamwatch.mark(%1$s) AS m FROM %2$s AS source_row) AS marks
		WHERE ($1 IS NULL OR (m).key = ANY ($1)) AND (m).key IS NOT NULL
		AND (%3$L::timestamptz IS NULL OR (m).at >= %3$L)
		AND (%4$L::timestamptz IS NULL OR (m).at < %4$L)
		GROUP BY (m).key, date_bin('1 day', (m).at, timestamptz 'epoch') $query$,
		iamwatch.document_expression(leaf, event_column, 'source_row'), leaf, since, until)
	USING keys;
	INSERT INTO pg_temp.iamwatch_firsts SELECT p.key, p.at FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
END $$;

COMMENT ON FUNCTION iamwatch.backfill_firsts(regclass, name, timestamptz, timestamptz, bytea[]) IS
'the first event of each key and day in a relation into the working table; keys: null for all';

CREATE FUNCTION iamwatch.backfill_choose_firsts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	CREATE TEMP TABLE iamwatch_part AS
	SELECT k.key, k.at
	FROM (
		SELECT f.key, f.at, m.operation IS NOT NULL AS iam,
			min(f.at) OVER (PARTITION BY m.provider, m.account, m.identity, f.day) AS first_of_day
		FROM (
			-- several relations may share a day
			SELECT p.key, date_bin('1 day', p.at, timestamptz 'epoch') AS day, min(p.at) AS at
			FROM pg_temp.iamwatch_firsts AS p GROUP BY 1, 2) AS f
		JOIN pg_temp.iamwatch_marks AS m ON m.key = f.key) AS k
	WHERE k.iam OR (k.at = k.first_of_day AND iamwatch.is_context_day((k.at AT TIME ZONE 'UTC')::date));
	TRUNCATE pg_temp.iamwatch_firsts;
	INSERT INTO pg_temp.iamwatch_firsts SELECT p.key, p.at FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	ANALYZE pg_temp.iamwatch_firsts;
END $$;

COMMENT ON FUNCTION iamwatch.backfill_choose_firsts() IS
'leave in the working table the keys and times of the events to sample';

CREATE FUNCTION iamwatch.backfill_samples() RETURNS integer
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	training constant integer := coalesce((SELECT max(d.training_days) FROM iamwatch.detectors AS d), 30);
BEGIN
	-- subqueries, so that each look-up goes by its index whatever the statistics say
	CREATE TEMP TABLE iamwatch_part AS
	SELECT s.event, s.access_key, (row_number() OVER (ORDER BY s.account) / 5000)::integer AS part,
		s.of_behaviour = 1 AND s.behaviour_id IS NOT NULL AND coalesce((
			SELECT count_days(d.days, s.day - training, s.day - 1) FROM iamwatch.behaviour_days AS d
			WHERE d.account_id = s.account_id AND d.behaviour_id = s.behaviour_id
			AND d.identity_id = s.identity_id), 0) = 0 AS novel
	FROM (
		SELECT a.*,
			(SELECT i.identity_id FROM iamwatch.identity_days AS i WHERE i.account_id = a.account_id
				AND hashtextextended(i.identity, 0) = hashtextextended(a.identity, 0)
				AND i.identity = a.identity) AS identity_id,
			(SELECT b.behaviour_id FROM iamwatch.behaviours AS b WHERE b.account_id = a.account_id
				AND hashtextextended(b.operation, 0) = hashtextextended(a.operation, 0)
				AND b.operation = a.operation AND b.service = a.service AND b.failed = a.failed) AS behaviour_id
		FROM (
			SELECT f.*,
				row_number() OVER (PARTITION BY f.provider, f.account, f.identity, f.day
					ORDER BY (f.event).event_time, (f.event).event_id COLLATE "C") AS of_day,
				row_number() OVER (PARTITION BY f.provider, f.account, f.identity, f.day, f.service, f.operation, f.failed
					ORDER BY (f.event).event_time, (f.event).event_id COLLATE "C") AS of_behaviour,
				(SELECT a.account_id FROM iamwatch.accounts AS a
					WHERE hashtextextended(a.account, 0) = hashtextextended(f.account, 0)
					AND a.account = f.account AND a.provider = f.provider) AS account_id
			FROM (SELECT x.event, x.access_key, (x.event).provider, (x.event).account, (x.event).identity,
					(x.event).service, (x.event).operation, (x.event).failed,
					((x.event).event_time AT TIME ZONE 'UTC')::date AS day
				FROM pg_temp.iamwatch_samples AS x) AS f) AS a
		OFFSET 0) AS s
	WHERE (s.of_behaviour = 1 AND s.behaviour_id IS NOT NULL)
	OR (s.of_day = 1 AND is_context_day(s.day) AND (
		SELECT count_days(i.days, s.day - training, s.day - 1) FROM iamwatch.identity_days AS i
		WHERE i.account_id = s.account_id AND i.identity_id = s.identity_id) > 0);
	TRUNCATE pg_temp.iamwatch_samples;
	INSERT INTO pg_temp.iamwatch_samples SELECT p.event, p.access_key, p.novel, p.part FROM pg_temp.iamwatch_part AS p;
	DROP TABLE pg_temp.iamwatch_part;
	CREATE INDEX ON pg_temp.iamwatch_samples (part);
	RETURN (SELECT coalesce(max(x.part), -1) FROM pg_temp.iamwatch_samples AS x);
END $$;

COMMENT ON FUNCTION iamwatch.backfill_samples() IS
'reduce what was read to the sample, and number the steps in which it is learned, from 0; the last of them';

CREATE FUNCTION iamwatch.backfill_context(part integer) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	SELECT iamwatch.learn_context(array_agg(ROW(x.event, x.access_key, x.novel)::iamwatch.context_journal))
	FROM pg_temp.iamwatch_samples AS x WHERE x.part = backfill_context.part
$$;

COMMENT ON FUNCTION iamwatch.backfill_context(integer) IS 'learn the contexts of a part of the sample';

CREATE PROCEDURE iamwatch.backfill_contexts(source regclass, event_column name DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
	LANGUAGE plpgsql AS $$
DECLARE
	leaf regclass;
	part integer;
BEGIN
	event_column := coalesce(event_column, (SELECT s.event_column FROM iamwatch.sources AS s
		WHERE s.source OPERATOR(pg_catalog.=) backfill_contexts.source), 'event');
	PERFORM iamwatch.check_source(source, event_column);
	IF NOT iamwatch.try_session_lock(3, source::oid::bigint) THEN
		RAISE EXCEPTION 'another session is backfilling "%"', source
			USING ERRCODE = 'lock_not_available', HINT = 'See iamwatch.backfill_progress.';
	END IF;
	PERFORM iamwatch.backfill_working_tables();
	COMMIT;
	FOR leaf IN SELECT l FROM iamwatch.leaves(source) AS l LOOP
		PERFORM iamwatch.backfill_firsts(leaf, event_column, since, until, NULL);
		COMMIT;
	END LOOP;
	INSERT INTO pg_temp.iamwatch_marks (provider, account, identity, kinds, service, operation, failed, key)
	SELECT f.*, k.key FROM (SELECT DISTINCT x.key FROM pg_temp.iamwatch_firsts AS x) AS k
	CROSS JOIN LATERAL iamwatch.mark_fields(k.key) AS f;
	PERFORM iamwatch.backfill_choose_firsts();
	FOR leaf IN SELECT l FROM iamwatch.leaves(source) AS l LOOP
		PERFORM iamwatch.backfill_fetch(leaf, event_column, since, until);
		COMMIT;
	END LOOP;
	FOR part IN SELECT * FROM pg_catalog.generate_series(0, iamwatch.backfill_samples()) LOOP
		PERFORM iamwatch.backfill_context(part);
		COMMIT;
	END LOOP;
	PERFORM iamwatch.drop_temporary();
	PERFORM iamwatch.session_unlock();
END $$;

COMMENT ON PROCEDURE iamwatch.backfill_contexts(regclass, name, timestamptz, timestamptz) IS
'learn the contexts of all identities of a source, once iamwatch.backfill() has learned their days. Column: as watched, else event. Since (included) and until (not): range of event times. Commits in steps; may be repeated. 55P03 while another session backfills the same source';

CREATE FUNCTION iamwatch.collect(source regclass, event jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_collect' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION iamwatch.collect(regclass, jsonb) IS
'one of the documents of iamwatch.take(), to be followed by that; so that they need not all be in memory';

-- Rows that are alike in the order column stay in one batch, so none is
-- skipped when it ends among them.
CREATE OR REPLACE FUNCTION iamwatch.process_batch(source regclass, batch_rows integer) RETURNS bigint
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.sources;
	type text;
	reached text;
	n bigint;
BEGIN
	SELECT * INTO known FROM iamwatch.sources AS s WHERE s.source = process_batch.source FOR UPDATE;
	SELECT format_type(a.atttypid, a.atttypmod) INTO type FROM pg_attribute AS a
	WHERE a.attrelid = process_batch.source AND a.attname = known.order_column AND NOT a.attisdropped;
	EXECUTE format($query$
		SELECT count(iamwatch.collect(%3$L, event)), max(at)::text
		FROM (SELECT coalesce(%1$s, 'null') AS event, %2$I AS at FROM %3$s AS source_row
			WHERE %2$I IS NOT NULL AND (%4$L::%5$s IS NULL OR %2$I > %4$L::%5$s)
			ORDER BY %2$I FETCH FIRST %6$s ROWS WITH TIES) AS batch $query$,
		iamwatch.document_expression(source, known.event_column, 'source_row'),
		known.order_column, source, known.watermark, type, batch_rows)
	INTO n, reached;
	IF n > 0 THEN
		PERFORM iamwatch.take(source, '{}');
		UPDATE iamwatch.sources AS s SET watermark = reached, events_taken = s.events_taken + n
		WHERE s.source = process_batch.source;
	END IF;
	RETURN n;
END $$;

CREATE OR REPLACE FUNCTION iamwatch.backtest_events(settings iamwatch.detectors, source regclass, event_column name)
	RETURNS TABLE (event iamwatch.event, unusual boolean, k integer, active integer,
		peer_days bigint, peer_active bigint, probability double precision)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, pg_temp SET jit = off
	-- the planner takes each of these sets for one row, and would compare all with all
	SET enable_nestloop = off AS $$
BEGIN
	RETURN QUERY EXECUTE format($query$
	WITH marks AS MATERIALIZED (
		SELECT f.*, m.key, m.days, m.first, is_person(f.kinds) AS is_user
		FROM (SELECT (r.m).key, dayset_agg((r.m).at) AS days, min((r.m).at) AS first
			FROM (SELECT mark(%1$s) AS m FROM %2$s AS source_row) AS r GROUP BY (r.m).key) AS m
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
	), watched AS MATERIALIZED (
		SELECT * FROM marks AS m WHERE is_watched($1, m.provider, m.service, m.operation)
	), rare AS MATERIALIZED (
		SELECT m.key, m.is_user, day, b.provider, b.account, b.service, b.operation, b.failed, b.class,
			count_days(b.days, day - $1.training_days, day - 1) AS k,
			count_days(b.active_days, day - $1.training_days, day - 1) AS active, a.active_from
		FROM watched AS m
		JOIN behaviour AS b USING (provider, account, identity, service, operation, failed)
		JOIN account AS a USING (provider, account)
		CROSS JOIN LATERAL days(m.days) AS day
		WHERE day >= (a.active_from AT TIME ZONE 'UTC')::date
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
		FROM (SELECT mark(%1$s) AS m, %1$s AS document FROM %2$s AS source_row) AS e
		-- whatever kind the identity was seen as
		WHERE (e.m).key = ANY (ARRAY(SELECT m.key FROM marks AS m
			WHERE (m.provider, m.account, m.identity, m.service, m.operation, m.failed) IN (
				SELECT x.provider, x.account, x.identity, x.service, x.operation, x.failed
				FROM marks AS x JOIN unusual AS u ON u.key = x.key)))
	)
	SELECT f.event, coalesce((f.event).event_time >= u.active_from, false), u.k, u.active,
		u.peer_days, u.peer_active, u.probability
	FROM found AS f
	LEFT JOIN unusual AS u ON u.key = f.key AND u.day = ((f.event).event_time AT TIME ZONE 'UTC')::date
	ORDER BY (f.event).provider, (f.event).account, (f.event).identity, (f.event).service,
		(f.event).operation, (f.event).failed, (f.event).event_time, (f.event).event_id COLLATE "C"
	$query$, iamwatch.document_expression(source, event_column, 'source_row'), source) USING settings;
END $$;

CREATE OR REPLACE VIEW iamwatch.baselines AS
SELECT p.provider, p.account, p.identity, p.service, p.operation, p.failed,
	p.days OPERATOR(iamwatch.&) iamwatch.dayset(a.newest_day - iamwatch.kept_days(), a.newest_day) AS days,
	p.first_seen, iamwatch.last_day(p.days) AS last_seen
FROM (
	SELECT provider, account, identity, service, operation, failed,
		iamwatch.dayset_union(days) OPERATOR(iamwatch.-) coalesce(iamwatch.dayset_union(excluded), '{}') AS days,
		min(first_seen) AS first_seen
	FROM (
		SELECT a.provider, a.account, i.identity, b.service, b.operation, b.failed, d.days,
			NULL::iamwatch.dayset AS excluded, d.first_seen
		FROM iamwatch.behaviour_days AS d
		JOIN iamwatch.accounts AS a USING (account_id)
		JOIN iamwatch.behaviours AS b USING (account_id, behaviour_id)
		JOIN iamwatch.identity_days AS i USING (account_id, identity_id)
		UNION ALL
		SELECT provider, account, identity, service, operation, failed, days, NULL, iamwatch.first_day(days)
		FROM iamwatch.journal WHERE operation IS NOT NULL
		UNION ALL
		SELECT provider, account, identity, service, operation, failed, '{}', excluded_days, NULL
		FROM iamwatch.alerts WHERE excluded_days IS NOT NULL) AS parts
	GROUP BY provider, account, identity, service, operation, failed) AS p
JOIN iamwatch.account_history AS a USING (provider, account)
WHERE iamwatch.last_day(p.days) >= a.newest_day - iamwatch.kept_days();

COMMENT ON VIEW iamwatch.baselines IS
'per identity and IAM operation, succeeded and failed apart, the days on which it did so, but for those that a true positive took out: iamwatch.excluded_days';

-- What analysts decide about alerts, and who decided what when.
--
-- They change status, resolution, assignee, note and attack_until of
-- iamwatch.alerts, by UPDATE or by iamwatch.triage().  Triggers check, record,
-- and draw the consequences.  None of this waits for an ingest longer than the
-- row lock of the alert, and no ingest waits for it at all.

CREATE TABLE iamwatch.alert_history (
	history_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	alert_id bigint NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	changed_by name NOT NULL DEFAULT session_user,
	changed_as name,
	old_values jsonb NOT NULL,
	new_values jsonb NOT NULL
);

COMMENT ON TABLE iamwatch.alert_history IS 'who changed what of which alert when; written by a trigger, and by nobody else';

COMMENT ON COLUMN iamwatch.alert_history.changed_by IS 'who had logged in';

COMMENT ON COLUMN iamwatch.alert_history.changed_as IS 'the role they had set; null if none';

COMMENT ON COLUMN iamwatch.alert_history.old_values IS 'the columns that changed, as they were';

COMMENT ON COLUMN iamwatch.alert_history.new_values IS 'the columns that changed, as they became';

CREATE INDEX alert_history_alert ON iamwatch.alert_history (alert_id);

SELECT pg_catalog.pg_extension_config_dump('iamwatch.alert_history', '');

SELECT pg_catalog.pg_extension_config_dump('iamwatch.alert_history_history_id_seq', '');

CREATE FUNCTION iamwatch.check_triage() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	first_day constant date := (NEW.first_event_time AT TIME ZONE 'UTC')::date;
BEGIN
	NEW.assignee := nullif(NEW.assignee, '');
	NEW.note := nullif(NEW.note, '');
	IF NEW.status <> 'closed' AND OLD.status = 'closed' AND NEW.resolution IS NOT DISTINCT FROM OLD.resolution THEN
		NEW.resolution := NULL;
	END IF;
	-- alerts that were closed under 0.1.0 have none, until somebody says it
	IF NEW.status = 'closed' AND NEW.resolution IS NULL
		AND (OLD.status <> 'closed' OR OLD.resolution IS NOT NULL) THEN
		RAISE EXCEPTION 'alert % cannot be closed without a resolution', NEW.alert_id
			USING ERRCODE = 'check_violation', HINT = 'Set resolution to true_positive, benign or expected_change.';
	ELSIF NEW.status <> 'closed' AND NEW.resolution IS NOT NULL THEN
		RAISE EXCEPTION 'alert % is not closed, so it has no resolution', NEW.alert_id
			USING ERRCODE = 'check_violation', HINT = 'Set status to closed as well.';
	END IF;

	IF NEW.resolution IS DISTINCT FROM 'true_positive' THEN
		IF NEW.attack_until IS NOT NULL AND NEW.attack_until IS DISTINCT FROM OLD.attack_until THEN
			RAISE EXCEPTION 'attack_until of alert % needs the resolution true_positive', NEW.alert_id
				USING ERRCODE = 'check_violation';
		END IF;
		NEW.attack_until := NULL;
		NEW.excluded_days := NULL;
	ELSIF OLD.resolution IS DISTINCT FROM NEW.resolution OR OLD.attack_until IS DISTINCT FROM NEW.attack_until THEN
		IF NEW.attack_until NOT BETWEEN first_day AND first_day + 3650 THEN
			RAISE EXCEPTION 'attack_until (%) of alert % is out of range', NEW.attack_until, NEW.alert_id
				USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('The alert begins on %s; at most ten years from there.', first_day);
		END IF;
		NEW.excluded_days := dayset(first_day, coalesce(NEW.attack_until, first_day))
			| coalesce((SELECT dayset_agg(x.event_time) FROM iamwatch.alert_events AS x
				WHERE x.alert_id = NEW.alert_id), '{}');
	END IF;
	RETURN NEW;
END $$;

COMMENT ON FUNCTION iamwatch.check_triage() IS
'trigger: 23514 or 22023 for what an alert cannot be; opening an alert again clears its resolution; true_positive finds the days that it takes out';

CREATE TRIGGER check_triage
	BEFORE UPDATE OF status, resolution, assignee, note, attack_until ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch.check_triage();

-- With the owner's rights, since nobody else may write the history.
CREATE FUNCTION iamwatch.record_triage() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	was constant jsonb := jsonb_build_object('status', OLD.status, 'resolution', OLD.resolution,
		'assignee', OLD.assignee, 'note', OLD.note, 'attack_until', OLD.attack_until);
	becomes constant jsonb := jsonb_build_object('status', NEW.status, 'resolution', NEW.resolution,
		'assignee', NEW.assignee, 'note', NEW.note, 'attack_until', NEW.attack_until);
	old_values jsonb;
	new_values jsonb;
BEGIN
	IF TG_RELID <> 'iamwatch.alerts'::regclass THEN
		RAISE EXCEPTION 'function "iamwatch.record_triage" is for the alerts of iamwatch only'
			USING ERRCODE = 'trigger_protocol_violated';
	END IF;
	SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value) INTO old_values, new_values
	FROM jsonb_each(was) AS o JOIN jsonb_each(becomes) AS n ON n.key = o.key AND n.value <> o.value;
	IF old_values IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO iamwatch.alert_history (alert_id, changed_as, old_values, new_values)
	VALUES (NEW.alert_id, nullif(current_setting('role'), 'none'), old_values, new_values);
	IF NEW.resolution IS DISTINCT FROM OLD.resolution THEN
		PERFORM iamwatch.decide(OLD, NEW);
	END IF;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION iamwatch.record_triage() IS
'trigger: writes iamwatch.alert_history, and what a resolution means for further events';

CREATE TRIGGER record_triage
	AFTER UPDATE OF status, resolution, assignee, note, attack_until ON iamwatch.alerts
	FOR EACH ROW EXECUTE FUNCTION iamwatch.record_triage();

-- Both are for origin sessions only: a subscriber that is sent the alerts of
-- another server is sent its decisions too.

CREATE FUNCTION iamwatch.triage(alert_id bigint, status text DEFAULT NULL, resolution text DEFAULT NULL,
	assignee text DEFAULT NULL, note text DEFAULT NULL, attack_until date DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
BEGIN
	UPDATE iamwatch.alerts AS a SET
		status = coalesce($2, CASE WHEN $3 IS NOT NULL THEN 'closed' ELSE a.status END),
		resolution = CASE WHEN $3 IS NOT NULL THEN $3
			WHEN coalesce($2, a.status) = 'closed' THEN a.resolution END,
		assignee = coalesce($4, a.assignee),
		note = coalesce($5, a.note),
		attack_until = coalesce($6, a.attack_until)
	WHERE a.alert_id = $1;
	IF NOT FOUND THEN
		PERFORM iamwatch.no_alert($1);
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.triage(bigint, text, text, text, text, date) IS
'set what analysts decide about an alert; null leaves as it is, an empty assignee or note removes it. A resolution closes the alert; another status opens it again. Same as UPDATE of these columns. P0002 if there is no such alert; 23514, 22023 for what cannot be';

CREATE FUNCTION iamwatch.no_alert(alert_id bigint) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'alert % does not exist', coalesce(alert_id::text, 'null')
		USING ERRCODE = 'no_data_found', HINT = 'See iamwatch.alerts and iamwatch.suppressed_alerts.';
END $$;

COMMENT ON FUNCTION iamwatch.no_alert(bigint) IS 'raises P0002';

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
	starts_at timestamptz,
	expires_at timestamptz,
	author name NOT NULL DEFAULT session_user,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	withdrawn_at timestamptz,
	alert_id bigint,
	CONSTRAINT suppressions_says_what CHECK (num_nonnulls(account, identity, identity_pattern,
		service, operation, category, source_network) > 0),
	CONSTRAINT suppressions_period CHECK (expires_at > starts_at)
);

COMMENT ON TABLE iamwatch.suppressions IS
'what is not to be alerted: events that match every criterion that is not null, by event time, so that a replay gives the same whenever it runs. Withdraw one instead of deleting it, so that what it hid can be told';

COMMENT ON COLUMN iamwatch.suppressions.identity_pattern IS
'as of LIKE, without an escape character: % for anything, _ for any one character';

COMMENT ON COLUMN iamwatch.suppressions.category IS 'of the operation, in the catalogue';

COMMENT ON COLUMN iamwatch.suppressions.source_network IS
'an address or network; an event without a plain source address never matches';

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

-- The columns of alerts in their order: a new one there must be one here too.
CREATE TABLE iamwatch.suppressed_alerts (
	suppression_id bigint NOT NULL,
	LIKE iamwatch.alerts INCLUDING COMMENTS,
	PRIMARY KEY (alert_id)
);

COMMENT ON TABLE iamwatch.suppressed_alerts IS
'the alerts that would have been, but for a suppression; their events are in iamwatch.alert_events. There is nothing to triage: status and what follows it mean nothing here';

COMMENT ON COLUMN iamwatch.suppressed_alerts.suppression_id IS 'what hid it';

CREATE INDEX suppressed_alerts_identity ON iamwatch.suppressed_alerts (hashtextextended(identity, 0), first_event_time);

CREATE INDEX suppressed_alerts_suppression ON iamwatch.suppressed_alerts (suppression_id);

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['suppressions', 'suppressed_alerts', 'suppressions_suppression_id_seq'] LOOP
		PERFORM pg_catalog.pg_extension_config_dump(('iamwatch.' || name)::regclass, '');
	END LOOP;
END $$;

CREATE VIEW iamwatch.raised AS
SELECT alert_id, NULL::bigint AS suppression_id, detector, first_event_time, provider, account, identity,
	service, operation, failed
FROM iamwatch.alerts
UNION ALL
SELECT alert_id, suppression_id, detector, first_event_time, provider, account, identity,
	service, operation, failed
FROM iamwatch.suppressed_alerts;

COMMENT ON VIEW iamwatch.raised IS 'alerts, suppressed or not';

CREATE VIEW iamwatch.suppression_counts AS
SELECT s.suppression_id, s.reason, s.author, s.created_at, s.expires_at, s.withdrawn_at, s.alert_id,
	count(h.alert_id) AS alerts, coalesce(sum(h.event_count), 0)::bigint AS events,
	count(DISTINCT (h.provider, h.account, h.identity)) FILTER (WHERE h.alert_id IS NOT NULL) AS identities,
	min(h.first_event_time) AS first_event_time, max(h.last_event_time) AS last_event_time
FROM iamwatch.suppressions AS s
LEFT JOIN iamwatch.suppressed_alerts AS h USING (suppression_id)
GROUP BY s.suppression_id;

COMMENT ON VIEW iamwatch.suppression_counts IS 'what each suppression has hidden';

COMMENT ON COLUMN iamwatch.suppression_counts.alert_id IS 'the alert whose resolution it carries out';

COMMENT ON COLUMN iamwatch.suppression_counts.alerts IS 'alerts that were not opened';

COMMENT ON COLUMN iamwatch.suppression_counts.events IS 'events in them';

-- ---- matching ----

-- What is alike for all events of a behaviour, and what is not.

CREATE FUNCTION iamwatch.suppression_concerns(rule iamwatch.suppressions, detector text, provider text,
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

COMMENT ON FUNCTION iamwatch.suppression_concerns(iamwatch.suppressions, text, text, text, text, text, text, boolean, text) IS
'whether a behaviour meets the criteria of a suppression, but for source and time';

CREATE FUNCTION iamwatch.suppression_covers(rule iamwatch.suppressions, source_address inet, at timestamptz)
	RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce(($1.source_network IS NULL OR $2 <<= $1.source_network)
		AND ($1.starts_at IS NULL OR $3 >= $1.starts_at)
		AND ($1.expires_at IS NULL OR $3 < $1.expires_at), false);

COMMENT ON FUNCTION iamwatch.suppression_covers(iamwatch.suppressions, inet, timestamptz) IS
'whether source and time of an event meet those of a suppression';

CREATE FUNCTION iamwatch.suppressions_of(detector text, event iamwatch.event) RETURNS iamwatch.suppressions[]
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	category text;
BEGIN
	IF NOT EXISTS (SELECT FROM iamwatch.suppressions) THEN
		RETURN '{}';
	END IF;
	category := (iamwatch.find_operation(event.provider, event.service, event.operation)).category;
	RETURN ARRAY(
		SELECT s FROM iamwatch.suppressions AS s
		WHERE s.withdrawn_at IS NULL AND s.identity IS NOT NULL
		AND hashtextextended(s.identity, 0) = hashtextextended(event.identity, 0)
		AND iamwatch.suppression_concerns(s, $1, event.provider, event.account, event.identity,
			event.service, event.operation, event.failed, category)
		UNION ALL
		SELECT s FROM iamwatch.suppressions AS s
		WHERE s.withdrawn_at IS NULL AND s.identity IS NULL
		AND iamwatch.suppression_concerns(s, $1, event.provider, event.account, event.identity,
			event.service, event.operation, event.failed, category));
END $$;

COMMENT ON FUNCTION iamwatch.suppressions_of(text, iamwatch.event) IS
'the suppressions that events of this behaviour can match';

CREATE FUNCTION iamwatch.suppression_of(rules iamwatch.suppressions[], event iamwatch.event) RETURNS bigint
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	rule iamwatch.suppressions;
	first bigint;
BEGIN
	FOREACH rule IN ARRAY rules LOOP
		IF iamwatch.suppression_covers(rule, event.source_ip, event.event_time) THEN
			first := LEAST(first, rule.suppression_id);
		END IF;
	END LOOP;
	RETURN first;
END $$;

COMMENT ON FUNCTION iamwatch.suppression_of(iamwatch.suppressions[], iamwatch.event) IS
'the first of the suppressions that the event matches, null if none';

-- ---- where an alert would be opened ----

CREATE FUNCTION iamwatch.has_suppressed(identity text) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM iamwatch.suppressed_alerts AS s
		WHERE hashtextextended(s.identity, 0) = hashtextextended($1, 0) AND s.identity = $1);
END $$;

COMMENT ON FUNCTION iamwatch.has_suppressed(text) IS 'whether any alert of the identity was ever suppressed';

CREATE FUNCTION iamwatch.in_suppressed(c iamwatch.pending_events, period interval) RETURNS boolean
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (c.event).event_id IS NOT NULL AND EXISTS (
		SELECT FROM iamwatch.suppressed_alerts AS s
		JOIN iamwatch.alert_events AS x ON x.alert_id = s.alert_id
			AND hashtextextended(x.event_id, 0) = hashtextextended((c.event).event_id, 0)
			AND x.event_id = (c.event).event_id
		WHERE hashtextextended(s.identity, 0) = hashtextextended(c.identity, 0)
		AND s.first_event_time > (c.event).event_time - period
		AND s.first_event_time < (c.event).event_time + period
		AND s.identity = c.identity AND s.operation = c.operation AND s.service = c.service
		AND s.failed = c.failed AND s.account = c.account AND s.provider = c.provider
		AND s.detector = c.detector);
END $$;

COMMENT ON FUNCTION iamwatch.in_suppressed(iamwatch.pending_events, interval) IS
'whether the event is one of a suppressed alert already';

CREATE FUNCTION iamwatch.near_suppressed(c iamwatch.pending_events, period interval,
	suppression bigint DEFAULT NULL) RETURNS iamwatch.suppressed_alerts
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	near iamwatch.suppressed_alerts;
BEGIN
	SELECT s.* INTO near FROM iamwatch.suppressed_alerts AS s
	WHERE hashtextextended(s.identity, 0) = hashtextextended(c.identity, 0)
	AND s.first_event_time > (c.event).event_time - period
	AND s.first_event_time < (c.event).event_time + period
	AND s.identity = c.identity AND s.operation = c.operation AND s.service = c.service
	AND s.failed = c.failed AND s.account = c.account AND s.provider = c.provider
	AND s.detector = c.detector
	ORDER BY s.suppression_id IS NOT DISTINCT FROM suppression DESC, s.first_event_time LIMIT 1;
	RETURN near;
END $$;

COMMENT ON FUNCTION iamwatch.near_suppressed(iamwatch.pending_events, interval, bigint) IS
'the earliest suppressed alert of the behaviour within the deduplication period, one of the suppression given before others; null if none';

-- Without the suppression the event would have joined that alert.
CREATE FUNCTION iamwatch.scored_as(c iamwatch.pending_events, near iamwatch.suppressed_alerts)
	RETURNS iamwatch.pending_events
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT c.unusual AND near.alert_id IS NOT NULL THEN
		c.unusual := true;
		c.k := near.evidence->'k';
		c.active := near.evidence->'A';
		c.peer_days := near.evidence->'K';
		c.peer_active := near.evidence->'N';
		c.probability := near.probability;
	END IF;
	RETURN c;
END $$;

COMMENT ON FUNCTION iamwatch.scored_as(iamwatch.pending_events, iamwatch.suppressed_alerts) IS
'an event that is not unusual by itself, with the score of the suppressed alert that it belongs to, if there is one';

CREATE FUNCTION iamwatch.uncovered(c iamwatch.pending_events, period interval) RETURNS iamwatch.pending_events
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF c.unusual THEN
		RETURN c;
	END IF;
	RETURN iamwatch.scored_as(c, iamwatch.near_suppressed(c, period));
END $$;

COMMENT ON FUNCTION iamwatch.uncovered(iamwatch.pending_events, interval) IS
'an event that no suppression matches, unusual also if it follows a suppressed one';

CREATE FUNCTION iamwatch.open_suppressed(settings iamwatch.detectors, c iamwatch.pending_events,
	suppression bigint) RETURNS iamwatch.suppressed_alerts
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	opened bigint := iamwatch.open_alert(settings, c);
	suppressed iamwatch.suppressed_alerts;
BEGIN
	WITH moved AS (
		DELETE FROM iamwatch.alerts AS a WHERE a.alert_id = opened RETURNING a.*
	)
	INSERT INTO iamwatch.suppressed_alerts SELECT suppression, moved.* FROM moved
	RETURNING * INTO suppressed;
	RETURN suppressed;
END $$;

COMMENT ON FUNCTION iamwatch.open_suppressed(iamwatch.detectors, iamwatch.pending_events, bigint) IS
'a suppressed alert with its evidence; null if the operation has left the catalogue';

CREATE FUNCTION iamwatch.join_suppressed(suppressed bigint, events iamwatch.event[]) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
	UPDATE iamwatch.suppressed_alerts AS s SET
		event_count = s.event_count + cardinality(events),
		last_event_time = GREATEST(s.last_event_time, (SELECT max((e).event_time) FROM unnest(events) AS e)),
		evidence = iamwatch.merge_evidence(s.evidence, events)
	WHERE s.alert_id = suppressed AND events <> '{}'
$$;

COMMENT ON FUNCTION iamwatch.join_suppressed(bigint, iamwatch.event[]) IS
'let events join a suppressed alert that is locked by this transaction';

CREATE FUNCTION iamwatch.settle_suppressed(settings iamwatch.detectors,
	candidates iamwatch.pending_events[], suppressions bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	period constant interval := settings.deduplication_days * interval '24 hours';
	c iamwatch.pending_events;
	near iamwatch.suppressed_alerts;
	joining iamwatch.event[] := '{}';
	writable boolean;
BEGIN
	FOR i IN 1 .. cardinality(candidates) LOOP
		c := candidates[i];
		IF near.alert_id IS NULL OR near.suppression_id <> suppressions[i]
			OR (c.event).event_time >= near.first_event_time + period THEN
			PERFORM iamwatch.join_suppressed(near.alert_id, joining);
			joining := '{}';
			near := iamwatch.near_suppressed(c, period, suppressions[i]);
			c := iamwatch.scored_as(c, near);
			IF near.suppression_id IS DISTINCT FROM suppressions[i] THEN
				near := NULL;
				IF c.unusual THEN
					near := iamwatch.open_suppressed(settings, c, suppressions[i]);
				END IF;
				writable := true;
				CONTINUE;
			END IF;
			PERFORM FROM iamwatch.suppressed_alerts AS s WHERE s.alert_id = near.alert_id
			FOR NO KEY UPDATE SKIP LOCKED;
			writable := FOUND;
		END IF;
		CONTINUE WHEN iamwatch.in_suppressed(c, period);
		IF writable THEN
			INSERT INTO iamwatch.alert_events (alert_id, event_time, event_id)
			VALUES (near.alert_id, (c.event).event_time, (c.event).event_id);
			joining := array_append(joining, c.event);
		ELSE
			PERFORM iamwatch.leave_pending(ARRAY[c]);
		END IF;
	END LOOP;
	PERFORM iamwatch.join_suppressed(near.alert_id, joining);
END $$;

COMMENT ON FUNCTION iamwatch.settle_suppressed(iamwatch.detectors, iamwatch.pending_events[], bigint[]) IS
'let events of a behaviour, each with the suppression that it matches, join a suppressed alert, or open one; under the lock of the behaviour''s bucket';

-- ---- decisions ----

CREATE FUNCTION iamwatch.decide(was iamwatch.alerts, becomes iamwatch.alerts) RETURNS void
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
		INSERT INTO iamwatch.suppressions (reason, detector, provider, account, identity, service,
			operation, failed, starts_at, alert_id)
		VALUES (format('alert %s closed as %s', becomes.alert_id, becomes.resolution) || coalesce(': ' || becomes.note, ''),
			becomes.detector, becomes.provider, becomes.account, becomes.identity, becomes.service,
			becomes.operation, becomes.failed, becomes.first_event_time, becomes.alert_id);
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.decide(iamwatch.alerts, iamwatch.alerts) IS
'what another resolution means for further events of the behaviour: benign and expected_change ask no more, anything else asks again';

-- ---- before it is saved ----

CREATE FUNCTION iamwatch.suppression_preview(account text DEFAULT NULL, identity text DEFAULT NULL,
	identity_pattern text DEFAULT NULL, service text DEFAULT NULL, operation text DEFAULT NULL,
	category text DEFAULT NULL, source_network inet DEFAULT NULL, failed boolean DEFAULT NULL,
	starts_at timestamptz DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
	provider text DEFAULT NULL, detector text DEFAULT NULL)
	RETURNS TABLE (alert_id bigint, hidden text, severity text, status text, resolution text,
		first_event_time timestamptz, last_event_time timestamptz, event_count bigint,
		alert_identity text, alert_operation text, surprise double precision, source_addresses jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	rule iamwatch.suppressions;
BEGIN
	IF num_nonnulls($1, $2, $3, $4, $5, $6, $7) = 0 THEN
		RAISE EXCEPTION 'a suppression needs a criterion' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give account, identity, identity_pattern, service, operation, category or source_network.';
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
	RETURN QUERY
	SELECT a.alert_id, CASE m.matched WHEN m.addresses THEN 'all' ELSE 'part' END,
		a.severity, a.status, a.resolution, a.first_event_time, a.last_event_time, a.event_count,
		a.identity, a.service || ':' || a.operation, a.surprise, a.evidence->'source_addresses'
	FROM iamwatch.alerts AS a
	CROSS JOIN LATERAL (
		SELECT count(*) AS addresses, count(*) FILTER (WHERE
			iamwatch.suppression_covers(rule, s.address::inet, a.first_event_time)) AS matched
		FROM jsonb_array_elements_text(CASE WHEN a.evidence->'source_addresses' <> '[]'
			THEN a.evidence->'source_addresses' ELSE '[null]' END) AS s (address)) AS m
	WHERE m.matched > 0 AND iamwatch.suppression_concerns(rule, a.detector, a.provider, a.account,
		a.identity, a.service, a.operation, a.failed, a.category)
	ORDER BY a.first_event_time, a.alert_id;
END $$;

COMMENT ON FUNCTION iamwatch.suppression_preview(text, text, text, text, text, text, inet, boolean, timestamptz, timestamptz, text, text) IS
'the alerts that a suppression with these criteria would have hidden, by their first event time. Hidden: all, or part when only some of the source addresses match. Writes nothing; 22023 without a criterion';

-- Tell those who LISTEN.

CREATE FUNCTION iamwatch.notify_alert(alert_id bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	payload jsonb;
BEGIN
	-- a listener that does not read must not fail the commits of writers
	IF pg_notification_queue_usage() > 0.5 THEN
		RETURN;
	END IF;
	-- under 8000 bytes also if every character takes the six of an escape
	SELECT jsonb_build_object('alert_id', a.alert_id, 'severity', a.severity,
		'provider', a.provider, 'account', left(a.account, 200), 'identity', left(a.identity, 500),
		'operation', left(a.operation, 200), 'surprise', round(a.surprise::numeric, 3))
	INTO payload
	FROM iamwatch.alerts AS a JOIN iamwatch.detectors AS d USING (detector)
	WHERE a.alert_id = $1 AND d.notify;
	IF payload IS NOT NULL THEN
		PERFORM pg_notify('iamwatch_alert', payload::text);
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.notify_alert(bigint) IS
'send a JSON object about an alert on channel iamwatch_alert when the transaction commits; names are cut. Nothing is sent if the detector says so, or while the queue of the server is more than half full';

-- Why an alert: in words and numbers, and as JSON.  With the caller's rights:
-- whoever may not read a source is told so instead of its events.

-- Names of those that the catalogue uses and of what users are likely to add.
CREATE FUNCTION iamwatch.attack_name(id text) RETURNS text
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
	WHEN 'T1562.008' THEN 'Impair Defenses: Disable or Modify Cloud Logs'
	END;

COMMENT ON FUNCTION iamwatch.attack_name(text) IS
'the name of an ATT&CK tactic or technique, null if it is none of those that the catalogue uses';

CREATE FUNCTION iamwatch.plain(value text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN length(value) > 300 THEN left(regexp_replace(left(value, 300), '[[:cntrl:]]', '?', 'g'), 297) || '...'
		ELSE regexp_replace(value, '[[:cntrl:]]', '?', 'g') END;

COMMENT ON FUNCTION iamwatch.plain(text) IS
'a name from a log, fit for one line of a report: no control characters, at most 300 characters';

-- ---- the events ----

-- One source.  By the fields that hold the id, so that an index on such an
-- expression is used; a source for which that means to read very much is left
-- alone.
CREATE FUNCTION iamwatch.raw_events_of(source regclass, event_column name, provider text, identity text,
	operation text, event_ids text[], most integer, OUT events jsonb[], OUT problem text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	too_much constant float8 := 1000000;	-- in pages, some 8 GB
	document text := iamwatch.document_expression(source, event_column, 'source_row');
	field text := CASE provider WHEN 'aws' THEN format('%s->>''eventID''', document)
		WHEN 'gcp' THEN format('%s->>''insertId''', document)
		ELSE format('(iamwatch.parse(%s)).event_id', document) END;
	query text;
	plan json;
BEGIN
	-- only what has the id is parsed, and only that is in the estimate
	query := format('SELECT event FROM (SELECT %1$s AS event FROM %2$s AS source_row WHERE %3$s = ANY (%4$L::text[]) OFFSET 0) AS f'
		' WHERE (iamwatch.parse(event)).identity = %5$L AND (iamwatch.parse(event)).operation = %6$L',
		document, source, field, event_ids, identity, operation);
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	IF (plan->0->'Plan'->>'Total Cost')::float8 > too_much THEN
		problem := format('too large to be searched without an index; CREATE INDEX ON %s ((%s))', source,
			replace(field, 'source_row.', ''));
		RETURN;
	END IF;
	-- what was delivered twice is shown once
	EXECUTE format('SELECT array_agg(event ORDER BY at, event) FROM (SELECT DISTINCT event,'
		' (iamwatch.parse(event)).event_time AS at FROM (%s) AS found ORDER BY at, event LIMIT %s) AS f',
		query, most) INTO events;
EXCEPTION
	-- whatever is wrong with somebody's table is no reason to explain nothing
	WHEN OTHERS THEN
		events := NULL;
		problem := SQLERRM;
END $$;

COMMENT ON FUNCTION iamwatch.raw_events_of(regclass, name, text, text, text, text[], integer) IS
'documents of a source by their event ids, or why there are none';

CREATE FUNCTION iamwatch.raw_events(alert_id bigint, most integer DEFAULT 10)
	RETURNS TABLE (source text, event jsonb, problem text)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	a record;
	ids text[];
	s record;
	got record;
	left_over integer := LEAST(GREATEST(most, 0), 1000);
BEGIN
	SELECT r.provider, r.identity, r.operation INTO a FROM iamwatch.raised AS r WHERE r.alert_id = raw_events.alert_id;
	IF NOT FOUND THEN
		PERFORM iamwatch.no_alert(alert_id);
	END IF;
	ids := ARRAY(SELECT x.event_id FROM iamwatch.alert_events AS x
		WHERE x.alert_id = raw_events.alert_id AND x.event_id IS NOT NULL
		ORDER BY x.event_time, x.event_id COLLATE "C" LIMIT left_over);
	FOR s IN SELECT w.source, w.event_column FROM iamwatch.sources AS w ORDER BY w.source::text COLLATE "C" LOOP
		EXIT WHEN ids = '{}' OR left_over = 0;
		source := s.source::text;
		event := NULL;
		problem := NULL;
		IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = s.source) THEN
			problem := 'the relation is gone';
		ELSIF NOT has_table_privilege(s.source, 'SELECT') AND NOT coalesce((SELECT
			has_column_privilege(s.source, c.attnum, 'SELECT') FROM pg_attribute AS c
			WHERE c.attrelid = s.source AND c.attname = s.event_column AND NOT c.attisdropped), false) THEN
			problem := format('%s may not read it', current_user);
		ELSE
			got := iamwatch.raw_events_of(s.source, s.event_column, a.provider, a.identity, a.operation, ids, left_over);
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

CREATE FUNCTION iamwatch.explain_score(evidence jsonb, probability double precision, surprise double precision,
	probability_limit double precision) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	k constant bigint := evidence->'k';
	active constant bigint := evidence->'A';
	peer_days constant bigint := evidence->'K';
	peer_active constant bigint := evidence->'N';
	rate constant float8 := (peer_days + 10 * 0.01::float8) / (peer_active + 10);
BEGIN
	RETURN jsonb_build_object('k', k, 'A', active, 'K', peer_days, 'N', peer_active,
		'peer_rate', rate, 'probability', probability, 'probability_limit', probability_limit,
		'surprise', surprise, 'steps', jsonb_build_array(
			format('q = (K + 10 * 0.01) / (N + 10) = (%s + 0.1) / (%s + 10) = %s',
				peer_days, peer_active, rate::numeric(12, 6)),
			format('p = (k + 2 q) / (A + 2) = (%s + 2 * %s) / (%s + 2) = %s',
				k, rate::numeric(12, 6), active, probability::numeric(12, 6)),
			format('p = %s %s the limit %s', probability::numeric(12, 6),
				CASE WHEN probability < probability_limit THEN 'is below' ELSE 'is not below' END, probability_limit),
			format('surprise = -log2(p) = %s bits', surprise::numeric(12, 2))));
END $$;

COMMENT ON FUNCTION iamwatch.explain_score(jsonb, double precision, double precision, double precision) IS
'how the probability of an alert follows from its evidence, step by step';

CREATE FUNCTION iamwatch.explain_identity(provider text, account text, identity text, day date, training_days integer)
	RETURNS jsonb
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
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

COMMENT ON FUNCTION iamwatch.explain_identity(text, text, text, date, integer) IS
'what an identity normally does, as the baselines have it now: its IAM operations, up to twenty, with days in the kept history and in the training period before the day';

-- ---- the whole ----

CREATE FUNCTION iamwatch.explain_json(alert_id bigint) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	a iamwatch.alerts;
	suppression bigint;
	settings iamwatch.detectors;
	effect text;
	training integer;
	raw jsonb;
	sessions jsonb;
BEGIN
	SELECT x.* INTO a FROM iamwatch.alerts AS x WHERE x.alert_id = explain_json.alert_id;
	IF NOT FOUND THEN
		SELECT s.suppression_id INTO suppression FROM iamwatch.suppressed_alerts AS s WHERE s.alert_id = explain_json.alert_id;
		IF NOT FOUND THEN
			PERFORM iamwatch.no_alert(alert_id);
		END IF;
		SELECT (jsonb_populate_record(NULL::iamwatch.alerts, to_jsonb(s))).* INTO a
		FROM iamwatch.suppressed_alerts AS s WHERE s.alert_id = explain_json.alert_id;
	END IF;
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

	RETURN jsonb_build_object('alert_id', a.alert_id, 'detector', a.detector, 'title', settings.title,
		'suppression_id', suppression, 'severity', a.severity, 'variation', a.variation,
		'what', jsonb_build_object('service', a.service, 'operation', a.operation, 'failed', a.failed,
			'category', a.category, 'effect', effect, 'sensitivity', a.sensitivity,
			'targets', a.evidence->'targets', 'events', a.event_count,
			'first_event_time', a.first_event_time, 'last_event_time', a.last_event_time),
		'who', jsonb_build_object('identity', a.identity, 'kind', a.identity_kind,
			'provider', a.provider, 'account', a.account, 'sessions', coalesce(sessions, '[]'),
			'instances', a.evidence->'instances'),
		'from', jsonb_build_object('source_addresses', a.evidence->'source_addresses',
			'user_agents', a.evidence->'user_agents'),
		-- the baselines may have dropped some of the days since
		'normal', iamwatch.explain_identity(a.provider, a.account, a.identity,
			(a.first_event_time AT TIME ZONE 'UTC')::date, training)
			|| jsonb_build_object('days_before', a.evidence->'A'),
		'peers', jsonb_build_object('days', a.evidence->'K', 'active_days', a.evidence->'N',
			'identities', a.evidence->'peers'),
		'score', iamwatch.explain_score(a.evidence, a.probability, a.surprise, settings.probability_limit),
		'attack', jsonb_build_object('tactic', a.tactic, 'tactic_name', iamwatch.attack_name(a.tactic),
			'technique', a.technique, 'technique_name', iamwatch.attack_name(a.technique),
			'goals', jsonb_build_array(
				'Change the IAM configuration to strengthen the foothold in the organisation''s cloud: new accounts, changed credentials and permissions',
				'Through the changed accounts, act further in an evasive manner')),
		'investigate', jsonb_build_array('Check which role the identity has in the organisation.',
			'Verify that it did not perform a sensitive IAM operation that it should not.'),
		'evidence', a.evidence,
		'triage', jsonb_build_object(
			'status', CASE WHEN suppression IS NULL THEN a.status ELSE 'suppressed' END, 'resolution', a.resolution,
			'assignee', a.assignee, 'note', a.note, 'history', (SELECT coalesce(jsonb_agg(jsonb_build_object(
				'at', h.changed_at, 'by', h.changed_by, 'as', h.changed_as, 'from', h.old_values, 'to', h.new_values)
				ORDER BY h.history_id), '[]') FROM iamwatch.alert_history AS h WHERE h.alert_id = a.alert_id)),
		'events', raw);
END $$;

COMMENT ON FUNCTION iamwatch.explain_json(bigint) IS
'everything there is to say about an alert, suppressed or not; with the caller''s rights. Reads the watched sources for up to ten of its events. P0002 if there is no such alert';

CREATE FUNCTION iamwatch.explain(alert_id bigint) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, iamwatch, pg_temp AS $$
DECLARE
	x constant jsonb := iamwatch.explain_json(alert_id);
	what constant jsonb := x->'what';
	normal constant jsonb := x->'normal';
	lines text[];
	one jsonb;
	name text;
	fresh text[] := '{}';
BEGIN
	lines := ARRAY[
		format('Alert %s: %s (%s, %s)', x->>'alert_id', coalesce(x->>'title', x->>'detector'), x->>'severity', x->>'variation'),
		CASE WHEN x->>'suppression_id' IS NOT NULL THEN format('  hidden by suppression %s', x->>'suppression_id') END,
		'', 'What',
		format('  %s:%s %s: %s of %s, sensitivity %s of 4', plain(what->>'service'), plain(what->>'operation'),
			CASE WHEN (what->>'failed')::boolean THEN 'FAILED' ELSE 'succeeded' END,
			what->>'effect', what->>'category', what->>'sensitivity'),
		format('  %s event(s), %s to %s', what->>'events', what->>'first_event_time', what->>'last_event_time'),
		'  on ' || plain_list(what->'targets', 'a target that the log does not name'),
		'', 'Who',
		format('  %s (%s) in %s account %s', plain(x#>>'{who,identity}'), x#>>'{who,kind}', x#>>'{who,provider}', plain(x#>>'{who,account}')),
		'  session: ' || plain_list(x#>'{who,sessions}', NULL),
		'  instance: ' || plain_list(x#>'{who,instances}', NULL),
		'  from ' || plain_list(x#>'{from,source_addresses}', 'no plain address'),
		'  with ' || plain_list(x#>'{from,user_agents}', 'no user agent'),
		'', 'What it normally does',
		format('  active on %s of the %s days before, first seen %s', coalesce(normal->>'days_before', '0'),
			normal->>'training_days', coalesce(normal->>'first_seen', 'not at all'))];
	FOR one IN SELECT * FROM jsonb_array_elements(normal->'operations') LOOP
		name := format('%s:%s%s', plain(one->>'service'), plain(one->>'operation'),
			CASE WHEN (one->>'failed')::boolean THEN ' (failed)' ELSE '' END);
		IF (one->>'days_before')::integer > 0 THEN
			lines := lines || format('  %s on %s days, %s of them before, since %s', name,
				one->>'days', one->>'days_before', one->>'first_seen');
		ELSE
			fresh := array_append(fresh, name);
		END IF;
	END LOOP;
	IF cardinality(fresh) = jsonb_array_length(normal->'operations') THEN
		lines := lines || '  no IAM operation in those days'::text;
	END IF;
	IF fresh <> '{}' THEN
		lines := lines || ('  new to it since then: ' || array_to_string(fresh, ', '));
	END IF;
	IF (normal->>'operations_in_all')::bigint > jsonb_array_length(normal->'operations') THEN
		lines := lines || format('  and %s other operations', (normal->>'operations_in_all')::bigint
			- jsonb_array_length(normal->'operations'));
	END IF;

	lines := lines || ARRAY['', 'Who else does it',
		format('  its peers, on %s of their %s active days', x#>>'{peers,days}', x#>>'{peers,active_days}')];
	FOR one IN SELECT * FROM jsonb_array_elements(coalesce(x#>'{peers,identities}', '[]')) LOOP
		lines := lines || format('  %s on %s days', plain(one->>'identity'), one->>'days');
	END LOOP;

	lines := lines || ARRAY['', 'How unusual',
		format('  k = %s: days of the training period on which it did this', x#>>'{score,k}'),
		format('  A = %s: days on which it did anything', x#>>'{score,A}'),
		format('  K = %s: its peers'' days of doing this', x#>>'{score,K}'),
		format('  N = %s: its peers'' active days', x#>>'{score,N}')];
	lines := lines || ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(x#>'{score,steps}') AS s);

	lines := lines || ARRAY['', 'ATT&CK',
		format('  tactic %s %s', x#>>'{attack,tactic}', x#>>'{attack,tactic_name}'),
		format('  technique %s %s', x#>>'{attack,technique}', x#>>'{attack,technique_name}')];
	lines := lines || ARRAY(SELECT '  goal: ' || s FROM jsonb_array_elements_text(x#>'{attack,goals}') AS s);
	lines := lines || ARRAY['', 'What to do'] || ARRAY(SELECT '  ' || s FROM jsonb_array_elements_text(x->'investigate') AS s);

	lines := lines || ARRAY['', 'Triage', format('  %s%s%s', x#>>'{triage,status}',
		coalesce(' as ' || (x#>>'{triage,resolution}'), ''), coalesce(', by ' || plain(x#>>'{triage,assignee}'), '')),
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

CREATE FUNCTION iamwatch.plain_list(texts jsonb, otherwise text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN coalesce((SELECT string_agg(iamwatch.plain(t), ', ' ORDER BY n)
		FROM jsonb_array_elements_text(CASE jsonb_typeof(texts) WHEN 'array' THEN texts ELSE '[]' END)
			WITH ORDINALITY AS e (t, n)), otherwise);

COMMENT ON FUNCTION iamwatch.plain_list(jsonb, text) IS 'names from a log in one line';

-- Alerts of one identity that belong together.

CREATE FUNCTION iamwatch.alert_risk(severity text, sensitivity integer, surprise double precision, resolution text)
	RETURNS double precision
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN resolution IN ('benign', 'expected_change') THEN 0
		ELSE surprise * 2 ^ (sensitivity - 1) * iamwatch.severity_rank(severity) END;

COMMENT ON FUNCTION iamwatch.alert_risk(text, integer, double precision, text) IS
'what an alert adds to the risk of its incident: surprise (bits) * 2^(sensitivity - 1) * rank of the severity (1 to 5); nothing once it is closed as benign or an expected change';

CREATE VIEW iamwatch.incidents AS
WITH gaps AS (
	SELECT a.*, coalesce(a.first_event_time >= max(a.last_event_time) OVER before
			+ coalesce(d.deduplication_days, 5) * interval '24 hours', true) AS begins
	FROM iamwatch.alerts AS a LEFT JOIN iamwatch.detectors AS d USING (detector)
	WINDOW before AS (PARTITION BY a.provider, a.account, a.identity ORDER BY a.first_event_time, a.alert_id
		ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), numbered AS (
	SELECT g.*, count(*) FILTER (WHERE g.begins) OVER (PARTITION BY g.provider, g.account, g.identity
		ORDER BY g.first_event_time, g.alert_id) AS n
	FROM gaps AS g
), incident AS (
	SELECT (array_agg(alert_id ORDER BY first_event_time, alert_id))[1] AS incident_id,
		provider, account, identity,
		(array_agg(identity_kind ORDER BY first_event_time, alert_id))[1] AS identity_kind,
		(array_agg(severity ORDER BY iamwatch.severity_rank(severity) DESC))[1] AS severity,
		sum(iamwatch.alert_risk(severity, sensitivity, surprise, resolution)) AS risk,
		sum(surprise) AS surprise,
		count(*) AS alerts, count(*) FILTER (WHERE status <> 'closed') AS open_alerts,
		sum(event_count)::bigint AS events,
		min(first_event_time) AS first_event_time, max(last_event_time) AS last_event_time,
		array_agg(service || ':' || operation || CASE WHEN failed THEN ' (failed)' ELSE '' END
			ORDER BY first_event_time, alert_id) AS operations,
		array_agg(DISTINCT technique) AS techniques, max(sensitivity) AS sensitivity,
		array_agg(DISTINCT assignee) FILTER (WHERE assignee IS NOT NULL) AS assignees,
		array_agg(alert_id ORDER BY first_event_time, alert_id) AS alert_ids
	FROM numbered
	GROUP BY provider, account, identity, n
)
SELECT incident_id, rank() OVER (ORDER BY risk DESC) AS risk_rank, risk, severity,
	provider, account, identity, identity_kind, surprise, alerts, open_alerts, events,
	first_event_time, last_event_time, operations, techniques, sensitivity, assignees, alert_ids
FROM incident;

COMMENT ON VIEW iamwatch.incidents IS
'alerts of one identity that belong together: none begins a deduplication period or more after the last event of those before it';

COMMENT ON COLUMN iamwatch.incidents.incident_id IS 'the first of its alerts';

COMMENT ON COLUMN iamwatch.incidents.risk_rank IS '1 for the highest risk of all incidents';

COMMENT ON COLUMN iamwatch.incidents.risk IS 'sum of iamwatch.alert_risk() over its alerts';

COMMENT ON COLUMN iamwatch.incidents.severity IS 'the worst of its alerts';

COMMENT ON COLUMN iamwatch.incidents.surprise IS
'bits, summed: that all of it happened by chance, if each had nothing to do with the others';

COMMENT ON COLUMN iamwatch.incidents.operations IS 'in order of the first event; the same as alert_ids';

COMMENT ON COLUMN iamwatch.incidents.sensitivity IS 'the highest of its operations, 1 to 4';

-- What iamwatch has been doing, for people who look.  Nothing here is written
-- for an event that teaches nothing; the totals of those come from the
-- statistics that the server keeps anyway.

CREATE TABLE iamwatch.source_counts (
	source regclass NOT NULL,
	newest_event_time timestamptz,
	counted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	lag interval,
	learned bigint NOT NULL,
	late bigint NOT NULL,
	rejected bigint NOT NULL
) WITH (fillfactor = 50);

COMMENT ON TABLE iamwatch.source_counts IS
'what became of the events of each source that were not known to teach nothing; several rows for one when sessions wrote at once. Read iamwatch.source_status';

COMMENT ON COLUMN iamwatch.source_counts.lag IS 'how far behind the clock the newest event was when it was counted last';

CREATE INDEX source_counts_source ON iamwatch.source_counts (source);

SELECT pg_catalog.pg_extension_config_dump('iamwatch.source_counts', '');

CREATE FUNCTION iamwatch.fold_source_counts() RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.source_counts AS c WHERE c.ctid = ANY (ARRAY(
		SELECT f.ctid FROM iamwatch.source_counts AS f
		WHERE NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = f.source)
		FOR UPDATE SKIP LOCKED));
	WITH several AS (
		SELECT f.source FROM iamwatch.source_counts AS f GROUP BY f.source HAVING count(*) > 1
	), taken AS (
		DELETE FROM iamwatch.source_counts AS c WHERE c.ctid = ANY (ARRAY(
			SELECT f.ctid FROM iamwatch.source_counts AS f JOIN several AS s ON s.source = f.source
			FOR UPDATE OF f SKIP LOCKED))
		RETURNING c.*
	)
	INSERT INTO iamwatch.source_counts (source, newest_event_time, counted_at, lag, learned, late, rejected)
	SELECT t.source, max(t.newest_event_time), max(t.counted_at), (array_agg(t.lag ORDER BY t.counted_at DESC))[1],
		sum(t.learned), sum(t.late), sum(t.rejected)
	FROM taken AS t GROUP BY t.source;
END $$;

COMMENT ON FUNCTION iamwatch.fold_source_counts() IS
'put together the counters that several sessions wrote, and drop those of relations that are gone; leaves those that a session is just writing';

CREATE FUNCTION iamwatch.cache_status(OUT entries bigint, OUT accounts bigint, OUT bytes bigint,
	OUT asked bigint, OUT hits bigint)
	AS 'MODULE_PATHNAME', 'iamwatch_cache_status' LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION iamwatch.cache_status() IS
'what this session, and no other, remembers of the baselines: identities and behaviours, accounts, memory; how many events it was asked about, and how many of them it knew to teach nothing';

CREATE VIEW iamwatch.source_status AS
SELECT s.source, s.watched_since, stored.events AS events_stored,
	coalesce(c.learned, 0) AS events_learned, coalesce(c.late, 0) AS events_late,
	coalesce(c.rejected, 0) AS events_rejected,
	c.newest_event_time, c.counted_at AS last_taught_at, c.lag, s.silent_after,
	coalesce(c.counted_at, s.watched_since) < now() - s.silent_after AS silent
FROM iamwatch.sources AS s
LEFT JOIN (
	SELECT source, max(newest_event_time) AS newest_event_time, max(counted_at) AS counted_at,
		(array_agg(lag ORDER BY counted_at DESC) FILTER (WHERE lag IS NOT NULL))[1] AS lag,
		sum(learned)::bigint AS learned, sum(late)::bigint AS late, sum(rejected)::bigint AS rejected
	FROM iamwatch.source_counts GROUP BY source) AS c ON c.source = s.source
CROSS JOIN LATERAL (
	SELECT CASE WHEN s.order_column IS NOT NULL THEN s.events_taken
		ELSE (SELECT sum(pg_catalog.pg_stat_get_tuples_inserted(t.relid))::bigint
			FROM (SELECT p.relid FROM pg_catalog.pg_partition_tree(s.source) AS p
				UNION SELECT s.source) AS t) END AS events) AS stored;

COMMENT ON VIEW iamwatch.source_status IS 'per source what came in, what became of it, and whether it has gone silent';

COMMENT ON COLUMN iamwatch.source_status.events_stored IS
'rows inserted since the statistics of the server were reset, rolled back ones too (pg_stat_all_tables.n_tup_ins); for iamwatch.process() rows taken. 0 on a standby';

COMMENT ON COLUMN iamwatch.source_status.events_learned IS 'events that added a day to a baseline; all that is not learned, late or rejected taught nothing new';

COMMENT ON COLUMN iamwatch.source_status.events_late IS 'events further back than the kept history, each delivery';

COMMENT ON COLUMN iamwatch.source_status.events_rejected IS 'documents that could not be read or lie in the future, each delivery; see iamwatch.rejected_events';

COMMENT ON COLUMN iamwatch.source_status.newest_event_time IS 'of the events that were looked at in the tables: the first of each identity and day, at least';

COMMENT ON COLUMN iamwatch.source_status.last_taught_at IS 'when a statement last brought something that was learned, late or rejected';

COMMENT ON COLUMN iamwatch.source_status.lag IS 'at that time: from the newest event of the statement to its detection';

COMMENT ON COLUMN iamwatch.source_status.silent IS 'nothing was learned, late or rejected for iamwatch.sources.silent_after';

CREATE VIEW iamwatch.status AS
SELECT s.events_stored AS events_seen, c.learned AS events_learned, c.late AS events_late,
	c.rejected AS events_rejected, a.opened AS alerts_opened, a.joined AS events_joined,
	a.newest_alert_at, l.alert_lag, c.newest_event_time, s.lag AS event_lag, s.sources, s.silent_sources, h.limits_hit,
	j.n AS journal_rows, p.n AS pending_events, r.n AS backfills_running,
	m.entries AS session_cache_entries, m.bytes AS session_cache_bytes, m.asked AS session_events_asked,
	m.hits AS session_cache_hits
FROM (SELECT coalesce(sum(events_stored), 0)::bigint AS events_stored, count(*) AS sources,
		(array_agg(lag ORDER BY last_taught_at DESC NULLS LAST))[1] AS lag,
		coalesce(jsonb_agg(source::text ORDER BY source::text) FILTER (WHERE silent), '[]') AS silent_sources
	FROM iamwatch.source_status) AS s
CROSS JOIN (SELECT coalesce(sum(learned), 0)::bigint AS learned, coalesce(sum(late), 0)::bigint AS late,
		coalesce(sum(rejected), 0)::bigint AS rejected, max(newest_event_time) AS newest_event_time
	FROM iamwatch.source_counts) AS c
CROSS JOIN (SELECT count(*) AS opened, coalesce(sum(event_count - 1), 0)::bigint AS joined,
		max(detected_at) AS newest_alert_at FROM iamwatch.alerts) AS a
CROSS JOIN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.detected_at - t.first_event_time) AS alert_lag
	FROM (SELECT detected_at, first_event_time FROM iamwatch.alerts ORDER BY detected_at DESC LIMIT 100) AS t) AS l
CROSS JOIN (SELECT coalesce(jsonb_object_agg(t.name, t.refused), '{}') AS limits_hit
	FROM (SELECT name, sum(refused)::bigint AS refused FROM iamwatch.limits_hit GROUP BY name) AS t) AS h
CROSS JOIN (SELECT count(*) AS n FROM iamwatch.journal) AS j
CROSS JOIN (SELECT count(*) AS n FROM iamwatch.pending_events) AS p
CROSS JOIN (SELECT count(*) AS n FROM iamwatch.backfills WHERE finished_at IS NULL) AS r
CROSS JOIN iamwatch.cache_status() AS m;

COMMENT ON VIEW iamwatch.status IS 'one row: is iamwatch at work, and is anything wrong? Per source: iamwatch.source_status';

COMMENT ON COLUMN iamwatch.status.events_seen IS 'sum of iamwatch.source_status.events_stored';

COMMENT ON COLUMN iamwatch.status.events_learned IS 'events of triggers and iamwatch.process() that brought a day that their session did not find in a baseline; the rest of what was seen is late, rejected, or taught nothing';

COMMENT ON COLUMN iamwatch.status.alerts_opened IS 'alerts that are in iamwatch.alerts';

COMMENT ON COLUMN iamwatch.status.events_joined IS 'events that joined one of them';

COMMENT ON COLUMN iamwatch.status.alert_lag IS 'of the last hundred alerts, the median time from the event to the alert';

COMMENT ON COLUMN iamwatch.status.event_lag IS 'from event to detection, of the newest event of the last statement that taught something';

COMMENT ON COLUMN iamwatch.status.silent_sources IS 'names of the sources that have gone silent';

COMMENT ON COLUMN iamwatch.status.limits_hit IS 'limits that were reached in the last 90 days, with how much went over; see iamwatch.limits_hit';

COMMENT ON COLUMN iamwatch.status.journal_rows IS 'learned while another session wrote the account, and not taken over yet: more than a few when a transaction that inserts stays open';

COMMENT ON COLUMN iamwatch.status.pending_events IS 'events whose alert another session has locked, by a transaction that stays open';

COMMENT ON COLUMN iamwatch.status.session_cache_entries IS 'identities and behaviours that this session remembers';

COMMENT ON COLUMN iamwatch.status.session_cache_bytes IS 'memory for it, see iamwatch.known_memory';

COMMENT ON COLUMN iamwatch.status.session_events_asked IS 'events that this session inserted into sources';

COMMENT ON COLUMN iamwatch.status.session_cache_hits IS 'how many of them it knew to teach nothing';

-- Alerts as other tools read them: one JSON document a row.

CREATE FUNCTION iamwatch.short_name(identity text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN CASE WHEN identity LIKE 'arn:%' THEN coalesce(
		nullif(regexp_replace(identity, '^arn:[^:]*:[^:]*:[^:]*:[^:]*:((user|role|assumed-role|federated-user)/)?', ''), ''),
		identity) ELSE identity END;

COMMENT ON FUNCTION iamwatch.short_name(text) IS
'the part of an ARN after the account, for reading; any other identity as it is';

CREATE FUNCTION iamwatch.summary(alert iamwatch.alerts) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	RETURN format('%s %s %s:%s, which it does on about 1 of %s days', iamwatch.short_name(alert.identity),
		CASE WHEN alert.failed THEN 'tried' ELSE 'did' END, alert.service, alert.operation,
		coalesce(to_char(1 / nullif(alert.probability, 0), 'FM999,999,999,999'), 'countless'));

COMMENT ON FUNCTION iamwatch.summary(iamwatch.alerts) IS 'one line that says what an alert is about';

CREATE FUNCTION iamwatch.epoch_ms(at timestamptz) RETURNS bigint
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN floor(extract(epoch FROM at) * 1000)::bigint;

COMMENT ON FUNCTION iamwatch.epoch_ms(timestamptz) IS 'milliseconds since 1970';

CREATE FUNCTION iamwatch.rfc3339(at timestamptz) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

COMMENT ON FUNCTION iamwatch.rfc3339(timestamptz) IS 'a time as logs write it, in UTC';

CREATE VIEW iamwatch.ocsf_findings AS
SELECT a.alert_id, a.detected_at, a.last_event_time, jsonb_strip_nulls(jsonb_build_object(
	'metadata', jsonb_build_object(
		'version', '1.5.0',
		'product', jsonb_build_object('name', 'iamwatch', 'vendor_name', 'iamwatch', 'version', x.version),
		'profiles', '["cloud"]'::jsonb,
		'uid', a.alert_id::text,
		'log_name', a.detector),
	'category_uid', 2, 'category_name', 'Findings',
	'class_uid', 2004, 'class_name', 'Detection Finding',
	'activity_id', v.activity, 'activity_name', v.activity_name,
	'type_uid', 200400 + v.activity, 'type_name', 'Detection Finding: ' || v.activity_name,
	'severity_id', iamwatch.severity_rank(a.severity), 'severity', initcap(a.severity),
	'status_id', CASE WHEN a.status = 'new' THEN 1 WHEN a.status = 'investigating' THEN 2
		WHEN a.resolution IN ('benign', 'expected_change') THEN 3 ELSE 4 END,
	'status', CASE WHEN a.status = 'new' THEN 'New' WHEN a.status = 'investigating' THEN 'In Progress'
		WHEN a.resolution IN ('benign', 'expected_change') THEN 'Suppressed' ELSE 'Resolved' END,
	'status_detail', a.resolution, 'comment', a.note,
	'is_alert', a.status <> 'closed',
	'time', iamwatch.epoch_ms(a.detected_at),
	'start_time', iamwatch.epoch_ms(a.first_event_time),
	'end_time', iamwatch.epoch_ms(a.last_event_time),
	'count', a.event_count,
	'message', iamwatch.summary(a),
	'cloud', jsonb_build_object('provider', v.provider,
		'account', jsonb_build_object('uid', a.account, 'type_id', v.account_type, 'type', v.account_type_name),
		'project_uid', CASE a.provider WHEN 'gcp' THEN a.account END),
	'finding_info', jsonb_build_object(
		'uid', a.detector || '/' || a.alert_id,
		'title', coalesce(d.title, a.detector),
		'desc', iamwatch.summary(a),
		'analytic', jsonb_build_object('uid', a.detector, 'name', coalesce(d.title, a.detector),
			'type_id', 2, 'type', 'Behavioral', 'category', a.category),
		'attacks', jsonb_build_array(jsonb_build_object(
			'tactic', jsonb_build_object('uid', a.tactic, 'name', iamwatch.attack_name(a.tactic)),
			'technique', jsonb_build_object('uid', v.technique, 'name', iamwatch.attack_name(v.technique)),
			'sub_technique', CASE WHEN a.technique LIKE '%.%'
				THEN jsonb_build_object('uid', a.technique, 'name', iamwatch.attack_name(a.technique)) END)),
		'types', jsonb_build_array(a.variation),
		'created_time', iamwatch.epoch_ms(a.detected_at),
		'first_seen_time', iamwatch.epoch_ms(a.first_event_time),
		'last_seen_time', iamwatch.epoch_ms(a.last_event_time),
		'related_events_count', a.event_count,
		'data_sources', jsonb_build_array(v.log)),
	'evidences', (SELECT jsonb_agg(jsonb_build_object(
			'api', jsonb_build_object('operation', a.operation, 'service', jsonb_build_object('name', a.service),
				'response', CASE WHEN a.failed THEN '{"message": "refused by the provider"}'::jsonb END),
			'actor', jsonb_build_object('user', v.who),
			'src_endpoint', CASE WHEN e.ip IS NOT NULL THEN jsonb_build_object('ip', e.ip) END,
			'data', CASE e.n WHEN 1 THEN a.evidence - 'source_addresses' END) ORDER BY e.n)
		FROM (SELECT NULL AS ip, 1 AS n WHERE coalesce(jsonb_array_length(a.evidence->'source_addresses'), 0) = 0
			UNION ALL SELECT s.ip, s.n FROM jsonb_array_elements_text(a.evidence->'source_addresses') WITH ORDINALITY AS s (ip, n)) AS e),
	'resources', (SELECT jsonb_agg(jsonb_build_object('name', t) ORDER BY n)
		FROM jsonb_array_elements_text(a.evidence->'targets') WITH ORDINALITY AS u (t, n)),
	'anomaly_analyses', jsonb_build_array(jsonb_build_object(
		'analysis_targets', jsonb_build_array(jsonb_build_object('name', a.identity, 'type', a.identity_kind)),
		'anomalies', jsonb_build_array(jsonb_build_object('observation_parameter', 'operation',
			'observation_type', 'Frequency Analysis',
			'observed_pattern', CASE a.evidence->>'k' WHEN '0' THEN 'UNSEEN' ELSE 'RARE' END,
			'observations', jsonb_build_array(jsonb_build_object('value', a.service || ':' || a.operation, 'count', a.event_count)))),
		'baselines', jsonb_build_array(
			jsonb_build_object('observation_parameter', 'days of the identity', 'observation_type', 'Frequency Analysis',
				'observations', jsonb_build_array(
					jsonb_build_object('value', 'days on which it did the operation', 'count', a.evidence->'k'),
					jsonb_build_object('value', 'days on which it was active', 'count', a.evidence->'A'))),
			jsonb_build_object('observation_parameter', 'days of its peers', 'observation_type', 'Frequency Analysis',
				'observations', jsonb_build_array(
					jsonb_build_object('value', 'days on which they did the operation', 'count', a.evidence->'K'),
					jsonb_build_object('value', 'days on which they were active', 'count', a.evidence->'N'))))))
	)) AS finding
FROM iamwatch.alerts AS a
LEFT JOIN iamwatch.detectors AS d ON d.detector = a.detector
CROSS JOIN (SELECT extversion AS version FROM pg_extension WHERE extname = 'iamwatch') AS x
CROSS JOIN LATERAL (SELECT split_part(a.technique, '.', 1) AS technique,
	CASE WHEN a.status = 'closed' THEN 3 WHEN a.event_count > 1 THEN 2 ELSE 1 END AS activity,
	CASE WHEN a.status = 'closed' THEN 'Close' WHEN a.event_count > 1 THEN 'Update' ELSE 'Create' END AS activity_name,
	CASE a.provider WHEN 'aws' THEN 'AWS' WHEN 'gcp' THEN 'GCP' WHEN 'azure' THEN 'Azure' ELSE a.provider END AS provider,
	CASE a.provider WHEN 'aws' THEN 10 WHEN 'gcp' THEN 11 ELSE 99 END AS account_type,
	CASE a.provider WHEN 'aws' THEN 'AWS Account' WHEN 'gcp' THEN 'GCP Project'
		WHEN 'azure' THEN 'Azure tenant or subscription' ELSE a.provider END AS account_type_name,
	CASE a.provider WHEN 'aws' THEN 'AWS CloudTrail' WHEN 'gcp' THEN 'GCP Cloud Audit Logs' ELSE a.provider END AS log,
	jsonb_build_object('uid', a.identity, 'name', iamwatch.short_name(a.identity),
		'type_id', CASE WHEN a.identity_kind = 'root' THEN 2 WHEN a.identity_kind IN ('user', 'federated_user') THEN 1
			WHEN a.identity_kind = 'service' THEN 3 WHEN a.identity_kind = 'unknown' THEN 0 ELSE 99 END,
		'type', CASE WHEN a.identity_kind = 'root' THEN 'Admin' WHEN a.identity_kind IN ('user', 'federated_user') THEN 'User'
			WHEN a.identity_kind = 'service' THEN 'System' WHEN a.identity_kind = 'unknown' THEN 'Unknown'
			ELSE a.identity_kind END) AS who) AS v;

COMMENT ON VIEW iamwatch.ocsf_findings IS
'alerts as events of the Open Cybersecurity Schema Framework 1.5.0, class Detection Finding (2004), profile cloud; one JSON document a row, as the alert is now';

COMMENT ON COLUMN iamwatch.ocsf_findings.finding IS
'activity is Create with one event, Update with more, Close when closed; the numbers of the baseline are in anomaly_analyses';

CREATE VIEW iamwatch.ecs_alerts AS
SELECT a.alert_id, a.detected_at, a.last_event_time, jsonb_strip_nulls(jsonb_build_object(
	'@timestamp', iamwatch.rfc3339(a.first_event_time),
	'ecs', '{"version": "9.4.0"}'::jsonb,
	'message', iamwatch.summary(a),
	'tags', jsonb_build_array('iamwatch', a.severity, a.variation),
	'labels', jsonb_build_object('severity', a.severity, 'status', a.status, 'resolution', a.resolution, 'variation', a.variation,
		'identity_kind', a.identity_kind, 'sensitivity', a.sensitivity::text,
		'probability', a.probability::text, 'surprise_bits', a.surprise::text,
		'k', a.evidence->>'k', 'active_days', a.evidence->>'A',
		'peer_days', a.evidence->>'K', 'peer_active_days', a.evidence->>'N'),
	'event', jsonb_build_object('kind', 'alert', 'id', a.alert_id::text, 'module', 'iamwatch',
		'dataset', 'iamwatch.alerts', 'provider', a.service, 'action', a.operation,
		'category', '["iam"]'::jsonb,
		'type', jsonb_build_array(CASE o.effect WHEN 'create' THEN 'creation' WHEN 'modify' THEN 'change'
			WHEN 'delete' THEN 'deletion' ELSE 'info' END),
		'outcome', CASE WHEN a.failed THEN 'failure' ELSE 'success' END,
		'severity', iamwatch.severity_rank(a.severity),
		'created', iamwatch.rfc3339(a.detected_at),
		'start', iamwatch.rfc3339(a.first_event_time), 'end', iamwatch.rfc3339(a.last_event_time)),
	'rule', jsonb_build_object('id', a.detector, 'name', coalesce(d.title, a.detector), 'ruleset', 'iamwatch',
		'category', a.category, 'version', x.version),
	'threat', jsonb_build_object('framework', 'MITRE ATT&CK',
		'tactic', jsonb_build_object('id', jsonb_build_array(a.tactic),
			'name', iamwatch.attack_name(a.tactic),
			'reference', jsonb_build_array('https://attack.mitre.org/tactics/' || a.tactic || '/')),
		'technique', jsonb_build_object('id', jsonb_build_array(split_part(a.technique, '.', 1)),
			'name', iamwatch.attack_name(split_part(a.technique, '.', 1)),
			'reference', jsonb_build_array('https://attack.mitre.org/techniques/' || split_part(a.technique, '.', 1) || '/'),
			'subtechnique', CASE WHEN a.technique LIKE '%.%' THEN jsonb_build_object('id', jsonb_build_array(a.technique),
				'name', iamwatch.attack_name(a.technique),
				'reference', jsonb_build_array('https://attack.mitre.org/techniques/' || replace(a.technique, '.', '/') || '/')) END)),
	'user', jsonb_build_object('id', a.identity, 'name', iamwatch.short_name(a.identity)),
	'cloud', jsonb_build_object('provider', a.provider, 'account', jsonb_build_object('id', a.account),
		'project', CASE a.provider WHEN 'gcp' THEN jsonb_build_object('id', a.account) END,
		'service', jsonb_build_object('name', a.service),
		'instance', CASE WHEN a.evidence->'instances'->>0 IS NOT NULL
			THEN jsonb_build_object('id', a.evidence->'instances'->>0) END),
	'source', CASE WHEN a.evidence->'source_addresses'->>0 IS NOT NULL
		THEN jsonb_build_object('address', a.evidence->'source_addresses'->>0, 'ip', a.evidence->'source_addresses'->>0) END,
	'user_agent', CASE WHEN a.evidence->'user_agents'->>0 IS NOT NULL
		THEN jsonb_build_object('original', a.evidence->'user_agents'->>0) END,
	'related', jsonb_build_object('user', jsonb_build_array(a.identity),
		'ip', nullif(a.evidence->'source_addresses', '[]'))
	)) AS event
FROM iamwatch.alerts AS a
LEFT JOIN iamwatch.detectors AS d ON d.detector = a.detector
CROSS JOIN (SELECT extversion AS version FROM pg_extension WHERE extname = 'iamwatch') AS x
LEFT JOIN LATERAL iamwatch.find_operation(a.provider, a.service, a.operation) AS o ON true;

COMMENT ON VIEW iamwatch.ecs_alerts IS
'alerts in the Elastic Common Schema 9.4.0, event.kind alert; one JSON document a row, as the alert is now';

COMMENT ON COLUMN iamwatch.ecs_alerts.event IS
'source.ip and user_agent.original are the first of the evidence, related.ip has all; severity is 1 informational to 5 critical; the numbers of the baseline are in labels';

-- A report to look at: one HTML page with nothing outside of it, no script,
-- and every text from data escaped, as attackers choose names and user agents.

CREATE FUNCTION iamwatch.html_escape(data text, most integer) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN replace(replace(replace(replace(replace(
		regexp_replace(CASE WHEN length(data) > most THEN left(data, most - 1) || '…' ELSE data END,
			'[\x01-\x1f\x7f]', ' ', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');

COMMENT ON FUNCTION iamwatch.html_escape(text, integer) IS
'a text without characters that mean something in HTML, and without control characters; cut to so many characters before';

CREATE FUNCTION iamwatch.html(data text, most integer DEFAULT 120) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN '<bdi>' || iamwatch.html_escape(data, most) || '</bdi>';

COMMENT ON FUNCTION iamwatch.html(text, integer) IS
'a text as HTML shows it, cut to so many characters; what changes the direction of text in it does not reach beyond it';

CREATE FUNCTION iamwatch.html_text(data text, most integer DEFAULT 120) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN iamwatch.html_escape(regexp_replace(data, '[\u200e\u200f\u202a-\u202e\u2066-\u2069]', '', 'g'), most);

COMMENT ON FUNCTION iamwatch.html_text(text, integer) IS
'as iamwatch.html(), for SVG texts, which hold no elements: what changes the direction of text is left out';

CREATE FUNCTION iamwatch.report_timeline(since timestamptz, until timestamptz) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH span AS (
		SELECT first, days, GREATEST(1, ceil(days / 60.0)::integer) AS step
		FROM (SELECT (since AT TIME ZONE 'UTC')::date AS first,
			GREATEST(1, ((until - interval '1 microsecond') AT TIME ZONE 'UTC')::date
				- (since AT TIME ZONE 'UTC')::date + 1) AS days) AS s
	), counted AS (
		SELECT ((a.first_event_time AT TIME ZONE 'UTC')::date - s.first) / s.step AS bin, a.severity, count(*) AS n
		FROM span AS s CROSS JOIN iamwatch.alerts AS a
		WHERE a.first_event_time >= since AND a.first_event_time < until
		GROUP BY 1, 2
	), stacked AS (
		SELECT c.*, sum(c.n) OVER (PARTITION BY c.bin ORDER BY iamwatch.severity_rank(c.severity)) AS above,
			sum(c.n) OVER (PARTITION BY c.bin) AS total
		FROM counted AS c
	), scale AS (
		SELECT s.*, ceil(s.days::float8 / s.step) AS bins, 980 / ceil(s.days::float8 / s.step) AS width,
			GREATEST((SELECT max(k.total) FROM stacked AS k), 1) AS most
		FROM span AS s
	)
	SELECT format('<svg viewBox="0 0 1040 230" role="img" aria-labelledby="timeline-title"><title id="timeline-title">'
			'Alerts a %s from %s, %s in all</title>%s%s%s%s</svg>',
		CASE s.step WHEN 1 THEN 'day' ELSE s.step || ' days' END, s.first, (SELECT coalesce(sum(n), 0) FROM counted),
		(SELECT string_agg(format('<line class="grid" x1="44" x2="1024" y1="%1$s" y2="%1$s"/><text class="tick" x="38" y="%2$s" text-anchor="end">%3$s</text>',
			round((200 - 170 * v / s.most)::numeric, 1), round((204 - 170 * v / s.most)::numeric, 1), v), '')
		 FROM (SELECT DISTINCT round(s.most * q / 2)::bigint AS v FROM unnest('{0,1,2}'::numeric[]) AS q) AS t),
		(SELECT string_agg(format('<rect class="sev-%s" x="%s" y="%s" width="%s" height="%s" rx="1.5"><title>%s: %s %s</title></rect>',
			k.severity, round((44 + k.bin * s.width + s.width * 0.1)::numeric, 1), round((200 - 170 * k.above / s.most)::numeric, 1),
			round((s.width * 0.8)::numeric, 1), round((170 * k.n / s.most)::numeric, 1),
			to_char(s.first + k.bin * s.step, 'FMDD Mon YYYY'), k.n, k.severity), '' ORDER BY k.bin, k.above)
		 FROM stacked AS k),
		(SELECT string_agg(format('<text class="count" x="%s" y="%s" text-anchor="middle">%s</text>',
			round((44 + (k.bin + 0.5) * s.width)::numeric, 1), round((194 - 170 * k.total / s.most)::numeric, 1), k.total), '')
		 FROM (SELECT DISTINCT bin, total FROM stacked) AS k
		 WHERE 7 * length(k.total::text) <= s.width OR k.total = s.most AND NOT EXISTS (
			SELECT FROM stacked AS o WHERE o.total = s.most AND o.bin < k.bin)),
		(SELECT string_agg(format('<text class="tick" x="%s" y="220" text-anchor="middle">%s</text>',
			round((44 + (b + 0.5) * s.width)::numeric, 1), to_char(s.first + b * s.step, 'FMDD Mon')), '')
		 FROM generate_series(0, s.bins::integer - 1, GREATEST(1, ceil(s.bins / 9)::integer)) AS b))
	FROM scale AS s
$$;

COMMENT ON FUNCTION iamwatch.report_timeline(timestamptz, timestamptz) IS 'SVG: alerts over time, stacked by severity';

-- How an incident unfolded: in order to the right, sensitivity upwards.
CREATE FUNCTION iamwatch.report_strip(alert_ids bigint[], incident bigint) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH one AS (
		SELECT a.*, row_number() OVER w AS n, count(*) OVER () AS most,
			a.first_event_time - lag(a.first_event_time) OVER w AS gap,
			max(a.first_event_time) OVER () - min(a.first_event_time) OVER () AS span
		FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids[1:100])
		WINDOW w AS (ORDER BY a.first_event_time, a.alert_id)
	), placed AS (
		SELECT o.*, round((112 + LEAST(876.0 / o.most, 60) * (o.n - 0.5))::numeric, 1) AS x, 142 - 28 * o.sensitivity AS y,
			to_char(o.first_event_time AT TIME ZONE 'UTC', CASE WHEN o.span < interval '24 hours' THEN 'HH24:MI' ELSE 'FMDD Mon' END) AS at
		FROM one AS o
	), marks AS (	-- a time where there was a pause, as far as they have room
		SELECT p.x - LEAST(438.0 / p.most, 30) AS x, p.n,
			CASE WHEN p.n = 1 OR p.x - lag(p.x) OVER (ORDER BY p.n) > 44 THEN p.at ELSE '' END AS at
		FROM placed AS p WHERE p.n = 1 OR (p.gap > p.span / 16 AND p.span > interval '0')
	)
	SELECT format('<svg viewBox="0 0 1000 %s" role="img" aria-labelledby="strip-%s"><title id="strip-%2$s">'
			'%s operations in order, by sensitivity</title>%s%s%s%s</svg>',
		CASE WHEN count(*) <= 50 THEN 158 + round(4.9 * LEAST(max(length(p.operation)), 27)) ELSE 136 END, incident, count(*),
		(SELECT string_agg(format('<line class="grid" x1="104" x2="992" y1="%1$s" y2="%1$s"/><text class="tick" x="96" y="%2$s" text-anchor="end">%3$s</text>',
			142 - 28 * v, 146 - 28 * v, (ARRAY['1 low', '2', '3', '4 foothold'])[v]), '') FROM generate_series(1, 4) AS v),
		(SELECT string_agg(format('<line class="grid dashed" x1="%1$s" x2="%1$s" y1="4" y2="130"/><text class="tick" x="%2$s" y="12">%3$s</text>',
			round(m.x, 1), round(m.x + 4, 1), m.at), '' ORDER BY m.n) FROM marks AS m),
		string_agg(format('<g class="sens-%1$s%2$s"><title>%3$s</title><line x1="%4$s" x2="%4$s" y1="130" y2="%5$s"/><circle cx="%4$s" cy="%5$s" r="%6$s"/></g>',
			p.sensitivity, CASE WHEN p.failed THEN ' failed' ELSE '' END,
			iamwatch.html_text(format('%s %s:%s%s, %s events, %s bits', to_char(p.first_event_time AT TIME ZONE 'UTC', 'FMDD Mon HH24:MI:SS'),
				p.service, p.operation, CASE WHEN p.failed THEN ' (failed)' ELSE '' END, p.event_count, round(p.surprise::numeric, 1)), 200),
			p.x, p.y, round((5 + 1.3 * LEAST(ln(p.event_count), 4))::numeric, 1)), '' ORDER BY p.n),
		CASE WHEN count(*) <= 50 THEN string_agg(format('<text class="name" transform="translate(%s 144) rotate(-58)" text-anchor="end">%s</text>',
			p.x + 3, iamwatch.html_text(p.operation, 27)), '' ORDER BY p.n) ELSE '' END)
	FROM placed AS p
$$;

COMMENT ON FUNCTION iamwatch.report_strip(bigint[], bigint) IS
'SVG: the first 100 alerts of an incident in order, by sensitivity; failed ones hollow, those of many events larger';

CREATE FUNCTION iamwatch.report_operations(alert_ids bigint[]) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT '<details><summary>' || count(*) || CASE count(*) WHEN 1 THEN ' operation' ELSE ' operations' END
		|| ' in order</summary><div class="scroll"><table><thead><tr><th scope="col">Time (UTC)</th><th scope="col">Operation</th>'
		|| '<th scope="col">Technique</th><th scope="col" class="num">Sensitivity</th><th scope="col" class="num">Events</th>'
		|| '<th scope="col" class="num">Own days</th><th scope="col" class="num">Peers’ days</th><th scope="col" class="num">Bits</th>'
		|| '<th scope="col">From</th><th scope="col">By</th></tr></thead><tbody>'
		|| string_agg(format('<tr><td>%s</td><td>%s%s</td><td>%s</td><td class="num"><span class="dot sens-%s"></span>%s</td><td class="num">%s</td>'
			'<td class="num">%s of %s</td><td class="num">%s of %s</td><td class="num">%s</td><td>%s</td><td>%s</td></tr>',
			to_char(a.first_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
			iamwatch.html(a.service || ':' || a.operation, 80), CASE WHEN a.failed THEN ' <span class="tag">failed</span>' ELSE '' END,
			iamwatch.html(a.technique, 20), a.sensitivity, a.sensitivity, a.event_count,
			iamwatch.html(a.evidence->>'k', 20), iamwatch.html(a.evidence->>'A', 20),
			iamwatch.html(a.evidence->>'K', 20), iamwatch.html(a.evidence->>'N', 20),
			round(a.surprise::numeric, 1),
			coalesce(iamwatch.html(a.evidence->'source_addresses'->>0, 45), ''),
			coalesce(iamwatch.html(a.evidence->'user_agents'->>0, 60), '')), '' ORDER BY a.first_event_time, a.alert_id)
		|| '</tbody></table></div></details>'
	FROM (SELECT * FROM iamwatch.alerts AS a WHERE a.alert_id = ANY (alert_ids)
		ORDER BY a.first_event_time, a.alert_id LIMIT 200) AS a
$$;

COMMENT ON FUNCTION iamwatch.report_operations(bigint[]) IS 'HTML: a table of the first 200 alerts of an incident, folded';

-- What an identity does on which days: a row an operation, a column a day.
CREATE FUNCTION iamwatch.report_calendar(in_provider text, in_account text, of_identity text) RETURNS text
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH who AS (
		SELECT i.days, i.last_seen, i.last_seen - 55 AS since FROM iamwatch.identities AS i
		WHERE i.identity = of_identity AND i.provider = in_provider AND i.account = in_account
	), alerted AS (
		SELECT a.service, a.operation, a.failed, a.severity, a.sensitivity,
			a.first_event_time,
			(a.first_event_time AT TIME ZONE 'UTC')::date AS first, (a.last_event_time AT TIME ZONE 'UTC')::date AS last
		FROM iamwatch.alerts AS a
		WHERE a.identity = of_identity AND a.provider = in_provider AND a.account = in_account
	), chosen AS (
		SELECT b.service, b.operation, b.failed, b.days, b.first_seen,
			(SELECT count(*) FROM alerted AS a WHERE (a.service, a.operation, a.failed) = (b.service, b.operation, b.failed)) AS alerts,
			(SELECT min(a.first_event_time) FROM alerted AS a
			WHERE (a.service, a.operation, a.failed) = (b.service, b.operation, b.failed)) AS alerted
		FROM iamwatch.baselines AS b
		WHERE b.identity = of_identity AND b.provider = in_provider AND b.account = in_account
		ORDER BY 6 DESC, b.first_seen, b.service, b.operation, b.failed LIMIT 45
	), rows AS (
		SELECT 0 AS n, 'any activity' AS label, 'any activity' AS name, NULL AS service, NULL AS operation, false AS failed, w.days
		FROM who AS w
		UNION ALL
		SELECT row_number() OVER (ORDER BY c.first_seen, c.alerted, c.service, c.operation, c.failed),
			CASE WHEN length(c.operation) > 30 THEN left(c.operation, 29) || '…' ELSE c.operation END || CASE WHEN c.failed THEN ' ✗' ELSE '' END,
			c.service || ':' || c.operation || CASE WHEN c.failed THEN ' (failed)' ELSE '' END, c.service, c.operation, c.failed, c.days
		FROM chosen AS c
	), cells AS (
		SELECT r.n, r.name, day, (SELECT a.severity FROM alerted AS a
			WHERE (a.service, a.operation, a.failed) = (r.service, r.operation, r.failed) AND day BETWEEN a.first AND a.last LIMIT 1) AS severity,
			(SELECT max(a.sensitivity) FROM alerted AS a
			WHERE (a.service, a.operation, a.failed) = (r.service, r.operation, r.failed) AND day BETWEEN a.first AND a.last) AS sensitivity
		FROM rows AS r CROSS JOIN who AS w CROSS JOIN LATERAL iamwatch.days(r.days) AS day WHERE day >= w.since
	)
	SELECT format('<svg viewBox="0 0 1040 %s" role="img" aria-labelledby="calendar-title"><title id="calendar-title">'
			'Days on which %s did what, up to %s</title>%s%s%s%s</svg>',
		34 + 15 * (SELECT count(*) FROM rows), iamwatch.html_text(iamwatch.short_name(of_identity)), w.last_seen,
		(SELECT string_agg(format('<rect class="weekend" x="%s" y="20" width="14" height="%s"/>', 246 + 14 * d, 15 * (SELECT count(*) FROM rows)), '')
		 FROM generate_series(0, 55) AS d WHERE extract(isodow FROM w.since + d) > 5),
		(SELECT string_agg(format('<text class="tick" x="%s" y="13">%s</text>', 246 + 14 * d, to_char(w.since + d, 'FMDD Mon')), '')
		 FROM generate_series(0, 55) AS d WHERE extract(isodow FROM w.since + d) = 1 AND d < 54),
		(SELECT string_agg(format('<text class="label" x="238" y="%s" text-anchor="end">%s</text>', 31 + 15 * r.n, iamwatch.html_text(r.label, 40)), '')
		 FROM rows AS r),
		(SELECT string_agg(format('<rect class="%s" x="%s" y="%s" width="12" height="12" rx="2"><title>%s</title></rect>',
			CASE WHEN c.n = 0 THEN 'any' WHEN c.severity IS NULL THEN 'usual' ELSE 'alert sens-' || c.sensitivity END,
			247 + 14 * (c.day - w.since), 21 + 15 * c.n,
			iamwatch.html_text(to_char(c.day, 'FMDD Mon YYYY') || ': ' || c.name || coalesce(', alert: ' || c.severity, ''), 160)), '')
		 FROM cells AS c))
	FROM who AS w
$$;

COMMENT ON FUNCTION iamwatch.report_calendar(text, text, text) IS
'SVG: an identity''s last eight weeks, a row for each of up to 45 IAM operations, those with alerts first; null for one that is not known';

CREATE FUNCTION iamwatch.report_style() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN $css$
:root { color-scheme: light dark; --back: #f5f6f8; --card: #fff; --ink: #1b2430; --soft: #586575; --line: #dfe3e9; --weekend: #f0f2f5;
	--any: #a9b4c2; --usual: #3f7fbf; --sens-1: #e3b23c; --sens-2: #e58a2e; --sens-3: #d9503a; --sens-4: #a4133c;
	--informational: #4f739b; --low: #1d7d72; --medium: #8f5a00; --high: #c4402b; --critical: #a4133c; }
@media (prefers-color-scheme: dark) { :root { --back: #11161d; --card: #19212b; --ink: #e7ecf2; --soft: #9aa8b8; --line: #2c3744; --weekend: #1e2732;
	--any: #5b6a7b; --usual: #62a3e0; --sens-1: #f0c75e; --sens-2: #f3a04e; --sens-3: #f2705b; --sens-4: #ff4d78;
	--informational: #86a9cf; --low: #4fc3b5; --medium: #f0b03a; --high: #f2705b; --critical: #ff4d78; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 34px 0 10px; }
h3 { font-size: 16px; margin: 0; overflow-wrap: anywhere; }
p { margin: 4px 0 10px; color: var(--soft); }
section, article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin: 0 0 14px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 20px 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tiles b { display: block; font-size: 25px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg text.count { fill: var(--ink); font-weight: 600; } svg text.label { fill: var(--ink); font-size: 11.5px; }
.grid { stroke: var(--line); stroke-width: 1; } .weekend { fill: var(--weekend); } .any { fill: var(--any); } .usual { fill: var(--usual); }
.sev-informational { --c: var(--informational); } .sev-low { --c: var(--low); }
.sev-medium { --c: var(--medium); } .sev-high { --c: var(--high); }
.sev-critical { --c: var(--critical); }
.sens-1 { --c: var(--sens-1); } .sens-2 { --c: var(--sens-2); } .sens-3 { --c: var(--sens-3); } .sens-4 { --c: var(--sens-4); }
rect[class^=sev] { fill: var(--c); } g line { stroke: var(--c); stroke-width: 1.5; opacity: .55; } circle { fill: var(--c); }
.failed circle { fill: var(--card); stroke: var(--c); stroke-width: 2; } svg text.name { font-size: 10.5px; fill: var(--ink); } .dashed { stroke-dasharray: 2 3; }
rect.alert { fill: var(--c); stroke: var(--ink); stroke-width: .8; }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: var(--c); margin-right: 6px; }
.head { display: flex; gap: 10px; align-items: baseline; flex-wrap: wrap; margin-bottom: 8px; }
.chip { background: var(--c); color: #fff; border-radius: 20px; padding: 1px 10px; font-size: 12.5px; font-weight: 600; }
@media (prefers-color-scheme: dark) { .chip { color: #10151c; } }
.meta { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin: 8px 0 4px; } .facts b { color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin-top: 6px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; background: var(--c); }
.tag { border: 1px solid currentColor; border-radius: 4px; font-size: 11px; padding: 0 4px; color: var(--soft); }
summary { cursor: pointer; font-size: 13.5px; color: var(--usual); margin-top: 6px; } summary:focus-visible { outline: 2px solid var(--usual); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; margin-top: 8px; }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.num { text-align: right; font-variant-numeric: tabular-nums; } footer { color: var(--soft); font-size: 13px; margin-top: 26px; }
@media print { section, article { break-inside: avoid; } body { background: #fff; } }
$css$;

COMMENT ON FUNCTION iamwatch.report_style() IS 'the style sheet of the report, light and dark';

CREATE FUNCTION iamwatch.report(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
	of_identity text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
	shown record;
	totals record;
	calendar text;
BEGIN
	SELECT count(*) AS alerts, count(DISTINCT (a.provider, a.account, a.identity)) AS identities,
		count(DISTINCT (a.provider, a.account)) AS accounts, count(*) FILTER (WHERE a.status = 'new') AS unread,
		sum(a.event_count) AS events, min(a.first_event_time) AS first, max(a.first_event_time) AS last,
		(array_agg(a.severity ORDER BY iamwatch.severity_rank(a.severity) DESC))[1] AS worst
	INTO totals FROM iamwatch.alerts AS a
	WHERE a.first_event_time >= coalesce(since, '-infinity') AND a.first_event_time < coalesce(until, 'infinity');
	since := coalesce(since, date_trunc('day', LEAST(totals.first, totals.last - interval '29 days')), date_trunc('day', now()));
	until := coalesce(until, totals.last + interval '1 microsecond', since + interval '1 day');

	SELECT string_agg(format('<article><div class="head"><span class="chip sev-%s">%s</span><h3>%s</h3><span class="meta">%s, %s %s</span></div>'
			'%s<div class="facts"><span><b>%s</b> %s</span><span><b>%s</b> open</span><span><b>%s</b> %s</span><span><b>%s</b> bits</span><span>risk <b>%s</b></span>'
			'<span>highest sensitivity <b>%s</b></span><span>ATT&amp;CK <b>%s</b></span><span><b>%s</b> to <b>%s</b></span></div>%s</article>',
			i.severity, i.severity, iamwatch.html(iamwatch.short_name(i.identity)), iamwatch.html(i.identity_kind, 30),
			iamwatch.html(i.provider, 20), iamwatch.html(i.account, 60),
			CASE WHEN i.alerts > 2 THEN iamwatch.report_strip(i.alert_ids, i.incident) ELSE '' END,
			i.alerts, CASE i.alerts WHEN 1 THEN 'alert' ELSE 'alerts' END, i.open_alerts, i.events, CASE i.events WHEN 1 THEN 'event' ELSE 'events' END,
			round(i.surprise::numeric), round(i.risk::numeric), i.sensitivity, iamwatch.html(array_to_string(i.techniques, ' '), 160),
			to_char(i.first_event_time, 'FMDD Mon HH24:MI'), to_char(i.last_event_time, 'FMDD Mon HH24:MI'),
			iamwatch.report_operations(i.alert_ids)), '' ORDER BY i.incident) AS articles,
		max(i.total) AS total, (array_agg(i.provider ORDER BY i.incident))[1] AS provider,
		(array_agg(i.account ORDER BY i.incident))[1] AS account, (array_agg(i.identity ORDER BY i.incident))[1] AS identity
	INTO shown
	FROM (SELECT x.*, row_number() OVER (ORDER BY x.risk DESC, x.incident_id) AS incident, count(*) OVER () AS total
		FROM iamwatch.incidents AS x WHERE x.first_event_time < until AND x.last_event_time >= since
		ORDER BY incident LIMIT 25) AS i;

	SELECT format('<h2>What %s does, day by day</h2><section><p>A row for each IAM operation, a column for each day of the last eight weeks, '
			'in the order in which they were first done. What is usual runs from the left; what is new stands at the right.</p>%s'
			'<div class="legend"><span><i style="--c:var(--any)"></i>active</span><span><i style="--c:var(--usual)"></i>IAM operation</span>'
			'<span><i class="sens-1"></i>alert, sensitivity 1</span><span><i class="sens-2"></i>2</span><span><i class="sens-3"></i>3</span>'
			'<span><i class="sens-4"></i>4</span><span>✗ failed</span></div></section>',
			iamwatch.html(iamwatch.short_name(who.identity)), c.picture)
	INTO calendar
	FROM (SELECT i.provider, i.account, i.identity FROM iamwatch.identities AS i
			WHERE of_identity IS NOT NULL AND i.identity = of_identity
			UNION ALL
			SELECT shown.provider, shown.account, shown.identity WHERE of_identity IS NULL) AS who
	CROSS JOIN LATERAL iamwatch.report_calendar(who.provider, who.account, who.identity) AS c (picture)
	WHERE c.picture IS NOT NULL
	ORDER BY who.provider, who.account LIMIT 1;

	RETURN format('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
		'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''">'
		'<title>iamwatch: unusual IAM activity</title><style>%s</style></head><body><main>'
		'<h1>Unusual IAM activity</h1><p>%s to %s (UTC), database %s</p>'
		'<div class="tiles"><div><b>%s</b><span>alerts</span></div><div><b>%s</b><span>incidents</span></div>'
		'<div><b>%s</b><span>identities</span></div><div><b>%s</b><span>accounts</span></div>'
		'<div><b>%s</b><span>events</span></div><div><b>%s</b><span>not looked at yet</span></div><div><b>%s</b><span>worst severity</span></div></div>'
		'<h2>Alerts over time</h2><section>%s<div class="legend">%s</div></section>'
		'<h2>Incidents</h2><p>Alerts of one identity that belong together. Highest risk first. A dot is an operation: in order to the right, upwards by '
		'sensitivity, hollow when it failed, larger with more events.</p>%s%s%s<footer>Made by iamwatch %s at %s UTC.</footer></main></body></html>',
		iamwatch.report_style(), to_char(since, 'FMDD Mon YYYY'), to_char(until - interval '1 microsecond', 'FMDD Mon YYYY'),
		iamwatch.html(current_database()::text),
		to_char(totals.alerts, 'FM999,999,999,990'), to_char(coalesce(shown.total, 0), 'FM999,999,999,990'),
		to_char(totals.identities, 'FM999,999,999,990'), to_char(totals.accounts, 'FM999,999,999,990'),
		to_char(coalesce(totals.events, 0), 'FM999,999,999,990'), to_char(totals.unread, 'FM999,999,999,990'),
		coalesce(totals.worst, 'none'), iamwatch.report_timeline(since, until),
		(SELECT string_agg(format('<span><i class="sev-%1$s"></i>%1$s</span>', s), '' ORDER BY n)
		 FROM unnest('{informational,low,medium,high,critical}'::text[]) WITH ORDINALITY AS u (s, n)),
		coalesce(shown.articles, '<section><p>No alerts in this period.</p></section>'),
		CASE WHEN shown.total > 25 THEN format('<p>%s more incidents are not shown.</p>', shown.total - 25) ELSE '' END,
		coalesce(calendar, ''), (SELECT x.extversion FROM pg_extension AS x WHERE x.extname = 'iamwatch'),
		to_char(now(), 'YYYY-MM-DD HH24:MI'));
END $$;

COMMENT ON FUNCTION iamwatch.report(timestamptz, timestamptz, text) IS
'an HTML page of the alerts whose first event, and the incidents of which any event, is in the period (until not included; all if not given), to look at: alerts over time, up to 25 incidents, and the calendar of an identity (that of the first incident if not given). Nothing is loaded from elsewhere, there is no script, and all data is escaped';

CREATE OR REPLACE FUNCTION iamwatch.grant_access(role regrole, access text) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	reading constant text := 'iamwatch.alerts, iamwatch.alert_events, iamwatch.account_history,
		iamwatch.identities, iamwatch.baselines, iamwatch.contexts, iamwatch.operations, iamwatch.instances, iamwatch.instance_history,
		iamwatch.detectors, iamwatch.sources, iamwatch.providers, iamwatch.column_fields,
		iamwatch.ocsf_findings, iamwatch.ecs_alerts, iamwatch.backfill_progress,
		iamwatch.incidents, iamwatch.alert_history, iamwatch.excluded_days, iamwatch.suppressions,
		iamwatch.suppressed_alerts, iamwatch.suppression_counts, iamwatch.raised,
		iamwatch.status, iamwatch.source_status, iamwatch.limits, iamwatch.limits_hit';
	pure constant text[] := ARRAY['parse', 'unreadable', 'to_document', 'records', 'fields_of',
		'document_expression', 'probability', 'surprise', 'find_operation',
		'session_lock_held', 'severity_rank', 'is_person', 'kind_name', 'kept_days', 'days', 'count_days',
		'first_day', 'last_day', 'dayset', 'datemultirange', 'dayset_agg', 'dayset_union', 'cache_status', 'context_values',
		'explain', 'explain_json', 'explain_identity', 'explain_score', 'raw_events', 'raw_events_of', 'attack_name',
		'plain', 'plain_list', 'alert_risk', 'no_alert', 'suppression_concerns', 'suppression_covers', 'suppression_preview',
		'short_name', 'summary', 'epoch_ms', 'rfc3339', 'html', 'html_text', 'html_escape',
		'report', 'report_timeline', 'report_strip', 'report_operations', 'report_calendar',
		'report_style'];
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
		-- the history is written by its trigger alone
		IF role <> (SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'iamwatch.alert_history'::regclass) THEN
			EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON iamwatch.alert_history FROM %s', role);
		END IF;
		RETURN;
	END IF;
	EXECUTE format('GRANT SELECT ON %s TO %s', reading, role);
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
	FROM pg_proc AS p
	WHERE p.pronamespace = 'iamwatch'::regnamespace
	AND (p.proname = ANY (pure) OR p.proname LIKE 'dayset\_%')
	AND p.prorettype <> 'void'::regtype;	-- one of the same name that writes
	EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', functions, role);
	IF access = 'triage' THEN
		EXECUTE format('GRANT UPDATE (status, resolution, assignee, note, attack_until) ON iamwatch.alerts TO %s', role);
		EXECUTE format('GRANT EXECUTE ON FUNCTION iamwatch.triage TO %s', role);
		-- author, created_at and alert_id are not theirs to say
		EXECUTE format('GRANT INSERT (reason, detector, provider, account, identity, identity_pattern, service,
			operation, failed, category, source_network, starts_at, expires_at) ON iamwatch.suppressions TO %s', role);
		EXECUTE format('GRANT UPDATE (reason, expires_at, withdrawn_at) ON iamwatch.suppressions TO %s', role);
	END IF;
END $$;

COMMENT ON FUNCTION iamwatch.grant_access(regrole, text) IS
'give a role what it needs to read alerts and baselines (read), to triage alerts and to suppress some as well (triage), or to run iamwatch (administer). Rejected documents are for administrators: they can hold anything. 22023 for any other access';

REVOKE ALL ON ROUTINE
	iamwatch.excluded(provider text, account text, identity text, service text, operation text, failed boolean),
	iamwatch.has_excluded(account text, operation text),
	iamwatch.excluded_of_account(in_account integer, provider text, account text),
	iamwatch.excluded_class_days(in_account integer, in_behaviour integer, provider text, account text, is_user boolean, service text, operation text, failed boolean, since date, until date),
	iamwatch.check_provider(),
	iamwatch.fold_operation(),
	iamwatch.replace_limit(),
	iamwatch.limit_value(limit_name text),
	iamwatch.limit_room(limit_name text, in_scope text, on_day date),
	iamwatch.count_limit(limit_name text, in_scope text, on_day date, more_taken bigint, more_refused bigint),
	iamwatch.count_days(limit_name text, in_scope text, taken date[], refused date[]),
	iamwatch.limit_scope(provider text, account text),
	iamwatch.is_account_over(),
	iamwatch.within_limits(in_account_id integer, in_provider text, in_account text, learned iamwatch.journal[]),
	iamwatch.within_journal(in_provider text, in_account text, deltas iamwatch.journal[]),
	iamwatch.fold_counts(),
	iamwatch.document_digest(event jsonb),
	iamwatch.document_within(event jsonb, most bigint),
	iamwatch.to_document(event text),
	iamwatch.to_document(event json),
	iamwatch.to_document(source record, fields text[]),
	iamwatch.records(document jsonb),
	iamwatch.fields_of(source regclass),
	iamwatch.document_expression(source regclass, event_column name, relation_alias name),
	iamwatch.guess_fields(source regclass),
	iamwatch.map_columns(source regclass, fields jsonb),
	iamwatch.is_context_day(day date),
	iamwatch.access_key(event jsonb),
	iamwatch.context_values(event iamwatch.event, access_key text),
	iamwatch.fold_context(in_provider text, in_account text, samples iamwatch.context_journal[]),
	iamwatch.learn_context(samples iamwatch.context_journal[]),
	iamwatch.fold_context_journal(provider text, account text),
	iamwatch.prune_context(in_account integer, since date),
	iamwatch.context_kinds(),
	iamwatch.new_contexts(in_account integer, in_identity bigint, event iamwatch.event, access_key text, since date, until date),
	iamwatch.novelties_before(in_account integer, in_identity bigint, event iamwatch.event, since timestamptz),
	iamwatch.failed_days(in_account integer, in_identity bigint, event iamwatch.event),
	iamwatch.context_of(event iamwatch.event, training_days integer, active integer),
	iamwatch.in_context(settings iamwatch.detectors, probability double precision, context jsonb),
	iamwatch.widest_limit(settings iamwatch.detectors),
	iamwatch.widened(settings iamwatch.detectors),
	iamwatch.is_address(address text),
	iamwatch.public_addresses(addresses jsonb[]),
	iamwatch.record_instance(state iamwatch.instances, at timestamptz),
	iamwatch.archive_instance(known iamwatch.instances, until timestamptz),
	iamwatch.retire_instance(known iamwatch.instances, at timestamptz),
	iamwatch.import_instances(states iamwatch.instances[], places jsonb, as_of timestamptz, OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint),
	iamwatch.check_as_of(as_of timestamptz),
	iamwatch.aws_pages(document jsonb, key text, command text),
	iamwatch.aws_open_groups(pages jsonb, OUT account text, OUT group_id text, OUT is_open boolean),
	iamwatch.aws_instance(account text, instance jsonb, open_groups text[], now timestamptz),
	iamwatch.import_aws_instances(instances jsonb, security_groups jsonb, as_of timestamptz, complete boolean, account text, region text, OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint),
	iamwatch.gcp_path(url text),
	iamwatch.gcp_project(url text),
	iamwatch.gcp_ports(rule jsonb),
	iamwatch.gcp_open(network text, tags text[], emails text[], rules jsonb),
	iamwatch.gcp_instance(account text, instance_id text, instance jsonb, rules jsonb, now timestamptz),
	iamwatch.check_gcloud(document jsonb, command text, needed text[]),
	iamwatch.import_gcp_instances(instances jsonb, firewall_rules jsonb, as_of timestamptz, complete boolean, project text, OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint),
	iamwatch.aws_launched(item jsonb, request jsonb),
	iamwatch.learn_launch(e iamwatch.event, document jsonb),
	iamwatch.learn_address(account text, instance_id text, address inet, gained boolean, at timestamptz),
	iamwatch.learn_gone(e iamwatch.event, document jsonb),
	iamwatch.learn_instances(source regclass, event_column name, since timestamptz, until timestamptz, OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint),
	iamwatch.in_activation(settings iamwatch.detectors, e iamwatch.event),
	iamwatch.backfill_working_tables(),
	iamwatch.backfill_behaviour_keys(),
	iamwatch.backfill_unusual_keys(),
	iamwatch.backfill_firsts(leaf regclass, event_column name, since timestamptz, until timestamptz, keys bytea[]),
	iamwatch.backfill_choose_firsts(),
	iamwatch.backfill_samples(),
	iamwatch.backfill_context(part integer),
	iamwatch.backfill_contexts(source regclass, event_column name, since timestamptz, until timestamptz),
	iamwatch.collect(source regclass, event jsonb),
	iamwatch.check_triage(),
	iamwatch.record_triage(),
	iamwatch.triage(alert_id bigint, status text, resolution text, assignee text, note text, attack_until date),
	iamwatch.no_alert(alert_id bigint),
	iamwatch.suppression_concerns(rule iamwatch.suppressions, detector text, provider text, account text, identity text, service text, operation text, failed boolean, category text),
	iamwatch.suppression_covers(rule iamwatch.suppressions, source_address inet, at timestamptz),
	iamwatch.suppressions_of(detector text, event iamwatch.event),
	iamwatch.suppression_of(rules iamwatch.suppressions[], event iamwatch.event),
	iamwatch.has_suppressed(identity text),
	iamwatch.in_suppressed(c iamwatch.pending_events, period interval),
	iamwatch.near_suppressed(c iamwatch.pending_events, period interval, suppression bigint),
	iamwatch.scored_as(c iamwatch.pending_events, near iamwatch.suppressed_alerts),
	iamwatch.uncovered(c iamwatch.pending_events, period interval),
	iamwatch.open_suppressed(settings iamwatch.detectors, c iamwatch.pending_events, suppression bigint),
	iamwatch.join_suppressed(suppressed bigint, events iamwatch.event[]),
	iamwatch.settle_suppressed(settings iamwatch.detectors, candidates iamwatch.pending_events[], suppressions bigint[]),
	iamwatch.decide(was iamwatch.alerts, becomes iamwatch.alerts),
	iamwatch.suppression_preview(account text, identity text, identity_pattern text, service text, operation text, category text, source_network inet, failed boolean, starts_at timestamptz, expires_at timestamptz, provider text, detector text),
	iamwatch.notify_alert(alert_id bigint),
	iamwatch.attack_name(id text),
	iamwatch.plain(value text),
	iamwatch.raw_events_of(source regclass, event_column name, provider text, identity text, operation text, event_ids text[], most integer, OUT events jsonb[], OUT problem text),
	iamwatch.raw_events(alert_id bigint, most integer),
	iamwatch.explain_score(evidence jsonb, probability double precision, surprise double precision, probability_limit double precision),
	iamwatch.explain_identity(provider text, account text, identity text, day date, training_days integer),
	iamwatch.explain_json(alert_id bigint),
	iamwatch.explain(alert_id bigint),
	iamwatch.plain_list(texts jsonb, otherwise text),
	iamwatch.alert_risk(severity text, sensitivity integer, surprise double precision, resolution text),
	iamwatch.fold_source_counts(),
	iamwatch.cache_status(OUT entries bigint, OUT accounts bigint, OUT bytes bigint, OUT asked bigint, OUT hits bigint),
	iamwatch.short_name(identity text),
	iamwatch.summary(alert iamwatch.alerts),
	iamwatch.epoch_ms(at timestamptz),
	iamwatch.rfc3339(at timestamptz),
	iamwatch.html_escape(data text, most integer),
	iamwatch.html(data text, most integer),
	iamwatch.html_text(data text, most integer),
	iamwatch.report_timeline(since timestamptz, until timestamptz),
	iamwatch.report_strip(alert_ids bigint[], incident bigint),
	iamwatch.report_operations(alert_ids bigint[]),
	iamwatch.report_calendar(in_provider text, in_account text, of_identity text),
	iamwatch.report_style(),
	iamwatch.report(since timestamptz, until timestamptz, of_identity text)
	FROM PUBLIC;

REVOKE ALL ON TABLE
	iamwatch.excluded_days,
	iamwatch.providers,
	iamwatch.limits,
	iamwatch.limit_counts,
	iamwatch.limits_hit,
	iamwatch.column_fields,
	iamwatch.habits,
	iamwatch.novelties,
	iamwatch.context_journal,
	iamwatch.contexts,
	iamwatch.instance_history,
	iamwatch.firewalls,
	iamwatch.alert_history,
	iamwatch.suppressions,
	iamwatch.suppressed_alerts,
	iamwatch.raised,
	iamwatch.suppression_counts,
	iamwatch.incidents,
	iamwatch.source_counts,
	iamwatch.source_status,
	iamwatch.status,
	iamwatch.ocsf_findings,
	iamwatch.ecs_alerts
	FROM PUBLIC;

-- ---- end of what sql/draft-upgrade made ----

-- Only what is new: grants on the rest are the administrator's.  What
-- iamwatch.grant_access() gives now, it gives when it is run again.
GRANT EXECUTE ON FUNCTION iamwatch.to_document(text), iamwatch.to_document(json),
	iamwatch.to_document(record, text[]) TO PUBLIC;

-- Not given again from here: a grant in this script would count as one of the
-- extension's own, and no dump would keep it.
DO $$
DECLARE
	roles text;
BEGIN
	SELECT string_agg(DISTINCT a.grantee::regrole::text, ', ') INTO roles
	FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
	WHERE c.oid = 'iamwatch.alerts'::regclass AND a.grantee NOT IN (0, c.relowner);
	IF roles IS NOT NULL THEN
		RAISE WARNING 'roles have no access to what is new in iamwatch 0.2.0: %', roles
			USING HINT = 'Call iamwatch.grant_access() for them again, with the access that they had.';
	END IF;
END $$;
