-- The settings, a row a detector.

CREATE FUNCTION iamwatch_internal.context_kinds() RETURNS text[]
	AS 'MODULE_PATHNAME', 'iamwatch_context_kinds' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.context_kinds() IS 'what iamwatch_internal.context_of() may find';

CREATE FUNCTION iamwatch_internal.setting_ranges(OUT setting name, OUT lowest integer, OUT highest integer)
	RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	VALUES ('activation_days', 0, 3650), ('training_days', 1, 3650), ('deduplication_days', 0, 3650),
		('lateness_days', 0, 3650), ('memory_days', 1, 3650), ('peer_memory_days', 1, 3650),
		('least_sensitivity', 1, 4), ('daily_budget', 1, 10000),
		('probability_limit', 0, 1), ('least_risk', 0, 100), ('context_bits', 0, 10)
$$;
COMMENT ON FUNCTION iamwatch_internal.setting_ranges() IS
'what each number of iamwatch.detectors may be, ends included, which are whole so that no setting of a session rounds them: the table''s constraints, their hints, and whatever checks settings before they are stored have it from here';

CREATE TABLE iamwatch.detectors (
	-- indexes of what it finds have it beside other columns
	detector text PRIMARY KEY CHECK (detector <> '' AND octet_length(detector) <= 1000),
	title text NOT NULL CHECK (title <> ''),
	enabled boolean NOT NULL DEFAULT true,
	activation_days integer NOT NULL DEFAULT 14,
	training_days integer NOT NULL DEFAULT 30,
	deduplication_days integer NOT NULL DEFAULT 5,
	lateness_days integer NOT NULL DEFAULT 15,
	probability_limit double precision NOT NULL DEFAULT 0.02,
	severity_base text NOT NULL DEFAULT 'informational'
		CHECK (severity_base IN ('informational', 'low', 'medium', 'high', 'critical')),
	severity_non_user text NOT NULL DEFAULT 'low'
		CHECK (severity_non_user IN ('informational', 'low', 'medium', 'high', 'critical')),
	severity_internet_facing text NOT NULL DEFAULT 'medium'
		CHECK (severity_internet_facing IN ('informational', 'low', 'medium', 'high', 'critical')),
	categories text[],
	least_sensitivity integer NOT NULL DEFAULT 1,
	notify boolean NOT NULL DEFAULT true,
	context_bits double precision NOT NULL DEFAULT 0,
	context_kinds text[] CHECK (context_kinds <@ iamwatch_internal.context_kinds() AND (context_kinds = '{}' OR array_ndims(context_kinds) = 1)),
	memory_days integer NOT NULL DEFAULT 180,
	peer_memory_days integer NOT NULL DEFAULT 90,
	least_risk double precision,
	daily_budget integer NOT NULL DEFAULT 5,
	effects text[] NOT NULL DEFAULT '{create,modify,delete}'
		CHECK (effects <@ ARRAY['create', 'modify', 'delete', 'read'] AND cardinality(effects) > 0 AND array_ndims(effects) = 1),
	tactic text NOT NULL DEFAULT 'TA0003' CHECK (tactic ~ '^TA[0-9]{4}$'),
	technique text NOT NULL DEFAULT 'T1098' CHECK (technique ~ '^T[0-9]{4}([.][0-9]{3})?$'),
	description text NOT NULL DEFAULT '',
	goals text NOT NULL DEFAULT '',
	investigative_actions text NOT NULL DEFAULT '',
	variation_names text[] NOT NULL DEFAULT '{all,non_user,internet_facing}'
);
DO $$
DECLARE
	r record;
	name name;
BEGIN
	FOR r IN SELECT s.*, a.attnotnull FROM iamwatch_internal.setting_ranges() AS s
		JOIN pg_attribute AS a ON a.attrelid = 'iamwatch.detectors'::regclass AND a.attname = s.setting
	LOOP
		name := format('detectors_%s_check', r.setting);
		EXECUTE format('ALTER TABLE iamwatch.detectors ADD CONSTRAINT %I CHECK (%I BETWEEN %s AND %s)',
			name, r.setting, r.lowest, r.highest);
		EXECUTE format('COMMENT ON CONSTRAINT %I ON iamwatch.detectors IS %L', name,
			format('Use a number from %s to %s%s.', r.lowest, r.highest, CASE WHEN r.attnotnull THEN '' ELSE ', or null' END));
	END LOOP;
END $$;
-- what a session that knows nothing yet sees of them (settings_may_activate_on() in src/config/settings.c)
CREATE INDEX detectors_activation ON iamwatch.detectors (activation_days);
COMMENT ON TABLE iamwatch.detectors IS 'the settings, one row a detector; a change holds from the next statement of every session';
COMMENT ON COLUMN iamwatch.detectors.activation_days IS 'no alert until the account has that much log time before the event';
COMMENT ON COLUMN iamwatch.detectors.training_days IS 'the days before an event that it is compared with';
COMMENT ON COLUMN iamwatch.detectors.deduplication_days IS 'further events of a behaviour join its alert when its first event is less than this away';
COMMENT ON COLUMN iamwatch.detectors.lateness_days IS
'how far behind the newest event of its account an event may be, beyond the longest of training_days, memory_days and peer_memory_days';
COMMENT ON COLUMN iamwatch.detectors.probability_limit IS 'an event is unusual below this probability';
COMMENT ON COLUMN iamwatch.detectors.severity_base IS 'severity when nothing more severe applies';
COMMENT ON COLUMN iamwatch.detectors.severity_non_user IS 'severity when the identity is not a person';
COMMENT ON COLUMN iamwatch.detectors.severity_internet_facing IS 'severity when the identity acts as an instance that faces the Internet';
COMMENT ON COLUMN iamwatch.detectors.categories IS
'categories of operations to watch; null for all but session and sign_in';
COMMENT ON COLUMN iamwatch.detectors.effects IS
'effects of operations to watch: create, modify, delete, read. Reads are learned once a detector watches them; iamwatch.backfill() learns those that are stored';
COMMENT ON COLUMN iamwatch.detectors.tactic IS 'ATT&CK tactic of its alerts';
COMMENT ON COLUMN iamwatch.detectors.technique IS 'ATT&CK technique of its alerts where the catalogue has none';
COMMENT ON COLUMN iamwatch.detectors.description IS 'what an alert of it says';
COMMENT ON COLUMN iamwatch.detectors.goals IS 'what an attacker would want with it';
COMMENT ON COLUMN iamwatch.detectors.investigative_actions IS 'what to look at first';
COMMENT ON COLUMN iamwatch.detectors.variation_names IS 'follows from iamwatch.variations: of all, non_user and internet_facing, in this order';
COMMENT ON COLUMN iamwatch.detectors.least_sensitivity IS 'least sensitivity of operations to watch';
COMMENT ON COLUMN iamwatch.detectors.notify IS
'whether an alert that opens or rises in severity is sent on channel iamwatch_alert; of a transaction that is prepared for two-phase commit by iamwatch.maintain()';
COMMENT ON COLUMN iamwatch.detectors.context_bits IS
'bits of surprise that each context of an event adds: the probability is halved so many times; 0 leaves context out of the score';
COMMENT ON COLUMN iamwatch.detectors.context_kinds IS
'which contexts count: new_network, new_user_agent, new_region, new_key_network, failed_before, burst, first_day; null for all';
COMMENT ON COLUMN iamwatch.detectors.memory_days IS
'the days before an event that its risk compares it with, of its own identity';
COMMENT ON COLUMN iamwatch.detectors.peer_memory_days IS
'the days before an event that its risk compares it with, of its identity''s peers';
COMMENT ON COLUMN iamwatch.detectors.least_risk IS
'an unusual event whose risk, in bits, is lower opens no alert; null for no such limit';
COMMENT ON COLUMN iamwatch.detectors.daily_budget IS
'how many incidents a day somebody has time for: an incident is urgent when its risk is among the highest so many a day of the 28 days before it';
INSERT INTO iamwatch.detectors (detector, title, description, goals, investigative_actions)
VALUES ('unusual_iam_activity', 'Unusual Identity and Access Management (IAM) activity',
	'A cloud identity performed an IAM operation that is unusual for it.',
	'Change the IAM configuration to strengthen the foothold in the organisation''s cloud: new accounts, changed credentials and permissions; through the changed accounts, act further in an evasive manner.',
	'Check which role the identity has in the organisation. Verify that it did not perform a sensitive IAM operation that it should not.');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.detectors', '');

CREATE FUNCTION iamwatch_internal.kept_days() RETURNS integer
	AS 'MODULE_PATHNAME', 'iamwatch_kept_days' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.kept_days() IS
'days of history that count, back from the newest event of the account: the longest memory and lateness allowance of a detector';

CREATE FUNCTION iamwatch_internal.training_days() RETURNS integer
	AS 'MODULE_PATHNAME', 'iamwatch_training_days' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.training_days() IS 'the longest training period of a detector';

CREATE FUNCTION iamwatch_internal.stored_days() RETURNS integer
	AS 'MODULE_PATHNAME', 'iamwatch_stored_days' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.stored_days() IS
'days that iamwatch.maintain() leaves, back from the newest event of the account: those that count, and the longest memory before them, which the latest event is compared with';

-- Each variation is one condition; the most severe that applies wins.  Its
-- severity is a setting of the detector.
CREATE TABLE iamwatch.variations (
	detector text NOT NULL CHECK (detector <> ''),
	applies_to text NOT NULL CHECK (applies_to IN ('all', 'non_user', 'internet_facing')),
	variation text NOT NULL CHECK (variation <> ''),
	PRIMARY KEY (detector, applies_to)
);
COMMENT ON TABLE iamwatch.variations IS
'how a detector calls its variations, of which the most severe that applies wins; one without a row is called by its condition';
COMMENT ON COLUMN iamwatch.variations.detector IS 'one of iamwatch.detectors';
COMMENT ON COLUMN iamwatch.variations.applies_to IS
'all (severity_base of the detector), non_user (the identity is not a person: severity_non_user) or internet_facing (it acts as an instance that faces the Internet: severity_internet_facing)';
COMMENT ON COLUMN iamwatch.variations.variation IS 'its name, in iamwatch.alerts';
INSERT INTO iamwatch.variations VALUES
	('unusual_iam_activity', 'all', 'base'),
	('unusual_iam_activity', 'non_user', 'cloud non-user identity'),
	('unusual_iam_activity', 'internet_facing', 'executed from a cloud Internet-facing instance');
SELECT pg_catalog.pg_extension_config_dump('iamwatch.variations', '');

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION iamwatch_internal.replace_variation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM iamwatch.variations AS v WHERE (v.detector, v.applies_to) = (NEW.detector, NEW.applies_to);
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.replace_variation() IS 'trigger: a shipped row gives way to a restored one';
CREATE TRIGGER replace_variation BEFORE INSERT ON iamwatch.variations
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.replace_variation();
ALTER TABLE iamwatch.variations ENABLE ALWAYS TRIGGER replace_variation;	-- restored in the role of a replica too

-- Where an alert is opened the names come with the settings, without a query of
-- their own.
CREATE FUNCTION iamwatch_internal.variation_names(in_detector text) RETURNS text[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(coalesce(v.variation, c.condition) ORDER BY c.n)
	FROM unnest(ARRAY['all', 'non_user', 'internet_facing']) WITH ORDINALITY AS c (condition, n)
	LEFT JOIN iamwatch.variations AS v ON v.detector = in_detector AND v.applies_to = c.condition
$$;
COMMENT ON FUNCTION iamwatch_internal.variation_names(text) IS
'the names of a detector''s variations, of all, non_user and internet_facing, in this order';

CREATE FUNCTION iamwatch_internal.name_variations() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_TABLE_NAME = 'detectors' THEN
		NEW.variation_names := iamwatch_internal.variation_names(NEW.detector);
		RETURN NEW;
	END IF;
	UPDATE iamwatch.detectors AS d SET variation_names = iamwatch_internal.variation_names(d.detector)
	WHERE d.variation_names <> iamwatch_internal.variation_names(d.detector);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION iamwatch_internal.name_variations() IS 'trigger: keeps iamwatch.detectors.variation_names';
CREATE TRIGGER name_variations BEFORE INSERT OR UPDATE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.name_variations();
CREATE TRIGGER name_variations AFTER INSERT OR UPDATE OR DELETE ON iamwatch.variations
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.name_variations();
UPDATE iamwatch.detectors SET variation_names = iamwatch_internal.variation_names(detector);

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.detectors
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.detectors ENABLE ALWAYS TRIGGER settings_changed;
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.detectors ENABLE REPLICA TRIGGER settings_applied;

-- Numbers are found by name in JSON, where extra_float_digits must not round them.
CREATE FUNCTION iamwatch_internal.check_ranges(detector iamwatch.detectors) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
	broken record;
BEGIN
	SELECT r.*, v.value, a.attnotnull, d.adbin, d.adrelid INTO broken
	FROM iamwatch_internal.setting_ranges() AS r
	CROSS JOIN LATERAL (SELECT (to_jsonb(detector)->>r.setting)::double precision AS value) AS v
	JOIN pg_attribute AS a ON a.attrelid = 'iamwatch.detectors'::regclass AND a.attname = r.setting
	LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE v.value NOT BETWEEN r.lowest AND r.highest OR v.value IS NULL AND a.attnotnull
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% must be between % and %', broken.setting, broken.lowest,
			broken.highest || CASE WHEN broken.attnotnull THEN '' ELSE ', or null' END
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', coalesce(broken.value::text, 'null')),
			HINT = format('Use a number from %s to %s; the default is %s.', broken.lowest, broken.highest,
				coalesce(pg_get_expr(broken.adbin, broken.adrelid), 'null'));
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_ranges(iamwatch.detectors) IS
'22023 for settings of which a number is out of its range, naming it, the range and the default';

CREATE FUNCTION iamwatch_internal.check_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	severities constant text[] := ARRAY['informational', 'low', 'medium', 'high', 'critical'];
	setting record;
	word text;
	oldest integer;
BEGIN
	PERFORM iamwatch_internal.check_ranges(NEW);
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
	FOREACH word IN ARRAY coalesce(NEW.context_kinds, '{}') LOOP
		PERFORM iamwatch_internal.must_be_known('context', word, iamwatch_internal.context_kinds());
	END LOOP;
	FOREACH word IN ARRAY coalesce(NEW.effects, '{}') LOOP
		PERFORM iamwatch_internal.must_be_known('effect', word, ARRAY['create', 'modify', 'delete', 'read']);
	END LOOP;
	IF cardinality(NEW.effects) = 0 THEN
		RAISE EXCEPTION 'effects is empty' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'List some of create, modify, delete, read.';
	END IF;
	IF NOT iamwatch_internal.is_restoring() THEN
		PERFORM iamwatch_internal.check_categories(NEW.categories);
	END IF;

	-- what maintain() has dropped does not come back by asking for more
	oldest := iamwatch_internal.stored_days();
	SELECT v.name, v.value INTO setting FROM (VALUES ('training_days', NEW.training_days),
		('memory_days', NEW.memory_days), ('peer_memory_days', NEW.peer_memory_days)) AS v (name, value)
	ORDER BY v.value DESC LIMIT 1;
	IF TG_OP = 'UPDATE' AND setting.value > oldest AND EXISTS (SELECT FROM iamwatch_internal.accounts AS a
		WHERE (SELECT min(t.day) FROM iamwatch_internal.tallies AS t WHERE t.account_id = a.account_id) >= a.newest_day - oldest
		AND a.first_event_time < (a.newest_day - oldest)::timestamp AT TIME ZONE 'UTC') THEN
		RAISE EXCEPTION '% (%) is more than the % days of history that are kept', setting.name, setting.value, oldest
			USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Raise lateness_days to %s, run iamwatch.backfill() for the days before, and lower it again.',
				setting.value);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_detector() IS 'trigger: 22023 for settings that cannot be, naming them';
CREATE TRIGGER check_detector BEFORE INSERT OR UPDATE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_detector();

-- A restored row takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION iamwatch_internal.replace_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	texts constant text[] := '{detector,title,description,goals,investigative_actions,variation_names}';
	defaults jsonb;
BEGIN
	-- the columns' own, so that they stand in one place
	EXECUTE (SELECT format('SELECT jsonb_build_object(%s)', string_agg(
			format('%L, %s', a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL')), ', '))
		FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = 'iamwatch.detectors'::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname <> ALL (texts))
	INTO defaults;
	DELETE FROM iamwatch.detectors AS d
	WHERE d.detector = NEW.detector AND d.detector = 'unusual_iam_activity'
	AND to_jsonb(d) - texts = defaults;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.replace_detector() IS
'trigger: the shipped detector, as long as nobody changed it, gives way to a restored one';
CREATE TRIGGER replace_detector BEFORE INSERT ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.replace_detector();
ALTER TABLE iamwatch.detectors ENABLE ALWAYS TRIGGER replace_detector;
