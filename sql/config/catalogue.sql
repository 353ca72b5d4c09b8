-- The catalogue's triggers; its rows follow.

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
COMMENT ON COLUMN iamwatch.operations.effect IS
'create, modify, delete or read; read is watched only by a detector whose effects have it, and so are the categories session and sign_in where its categories name them';
CREATE FUNCTION iamwatch_internal.is_iam(provider text, service text, operation text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_is_iam' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION iamwatch_internal.is_iam(text, text, text) IS
'whether an operation that is remembered is an IAM operation, and not one that a detector watches beside these; false for a null one';
COMMENT ON COLUMN iamwatch.operations.sensitivity IS '1 low to 4 direct foothold or privilege escalation';
SELECT pg_catalog.pg_extension_config_dump('iamwatch.operations', $$WHERE origin = 'user'$$);

CREATE FUNCTION iamwatch_internal.try_lock(class integer, key integer) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_lock(integer, integer) IS
'take a lock of iamwatch until the transaction ends; false at once if another session has it';
CREATE FUNCTION iamwatch_internal.try_lock(class integer, key integer, one bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_lock_one' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_lock(integer, integer, bigint) IS
'lock one of the things that have a key in common, without waiting: sessions that lock others of them do not meet. By its hash, with the key shared, or the whole key when the transaction has many; false if a session has it or the whole key';

CREATE FUNCTION iamwatch_internal.try_session_lock(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_try_session_lock' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.try_session_lock(integer, bigint) IS
'take the lock of the session, until released, an error or its end; false at once if it has one or another session has this one';
CREATE FUNCTION iamwatch_internal.session_unlock() RETURNS void
	AS 'MODULE_PATHNAME', 'iamwatch_session_unlock' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION iamwatch_internal.session_unlock() IS 'release the lock of the session, if it has one';
CREATE FUNCTION iamwatch_internal.session_lock_held(class integer, key bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'iamwatch_session_lock_held' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION iamwatch_internal.session_lock_held(integer, bigint) IS 'whether any session has a lock of iamwatch';

CREATE FUNCTION iamwatch_internal.settings_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'iamwatch_settings_changed' LANGUAGE C;
COMMENT ON FUNCTION iamwatch_internal.settings_changed() IS
'trigger: every session reads the table again before its next event';

CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.operations
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON iamwatch.detectors
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.operations ENABLE ALWAYS TRIGGER settings_changed;
ALTER TABLE iamwatch.detectors ENABLE ALWAYS TRIGGER settings_changed;
-- What a subscription applies fires no statement triggers.
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.operations
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.detectors
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.operations ENABLE REPLICA TRIGGER settings_applied;
ALTER TABLE iamwatch.detectors ENABLE REPLICA TRIGGER settings_applied;

CREATE FUNCTION iamwatch_internal.own_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.origin := 'user';
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.own_operation() IS
'trigger: a shipped row that somebody changed is theirs, so that dumps and upgrades keep it';
CREATE TRIGGER own_operation BEFORE UPDATE ON iamwatch.operations
	FOR EACH ROW WHEN (OLD.origin = 'iamwatch') EXECUTE FUNCTION iamwatch_internal.own_operation();

CREATE FUNCTION iamwatch_internal.check_detector() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	severities constant text[] := ARRAY['informational', 'low', 'medium', 'high', 'critical'];
	setting record;
	word text;
	oldest integer;
BEGIN
	FOR setting IN SELECT * FROM (VALUES
		('activation_days', NEW.activation_days, 0, 3650), ('training_days', NEW.training_days, 1, 3650),
		('deduplication_days', NEW.deduplication_days, 0, 3650), ('lateness_days', NEW.lateness_days, 0, 3650),
		('least_sensitivity', NEW.least_sensitivity, 1, 4), ('memory_days', NEW.memory_days, 1, 3650),
		('peer_memory_days', NEW.peer_memory_days, 1, 3650), ('daily_budget', NEW.daily_budget, 1, 10000)) AS v (name, value, least, most)
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
	IF NEW.least_risk NOT BETWEEN 0 AND 100 THEN
		RAISE EXCEPTION 'least_risk must be between 0 and 100, or null'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', NEW.least_risk);
	END IF;

	IF NEW.context_bits IS NULL OR NEW.context_bits NOT BETWEEN 0 AND 10 THEN
		RAISE EXCEPTION 'context_bits must be between 0 and 10'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', coalesce(NEW.context_bits::text, 'null'));
	END IF;
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

CREATE FUNCTION iamwatch.find_operation(provider text, service text, operation text)
	RETURNS iamwatch.operations
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_row iamwatch.operations;
BEGIN
	-- Azure compares names without regard to case
	IF $1 = 'azure' THEN
		SELECT * INTO found_row FROM iamwatch.operations AS o
		WHERE o.provider = 'azure' AND lower(o.service COLLATE "C") IN (lower($2 COLLATE "C"), '*')
		AND CASE o.match WHEN 'exact' THEN lower(o.operation COLLATE "C") = lower($3 COLLATE "C")
			ELSE right(lower($3 COLLATE "C"), length(o.operation)) = lower(o.operation COLLATE "C") END
		ORDER BY o.match <> 'exact', CASE o.match WHEN 'suffix' THEN length(o.operation) END DESC,
			o.service = '*', o.origin <> 'user'
		LIMIT 1;
		RETURN found_row;
	END IF;
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
'the row of the catalogue that an operation falls under, or null: an exact row before a suffix row, the longest suffix, a named service before any, a user''s row before a shipped one; names of Azure in any case';
