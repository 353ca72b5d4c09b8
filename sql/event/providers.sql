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
	success_values text[] NOT NULL DEFAULT '{}' CHECK (success_values = '{}' OR array_ndims(success_values) = 1 AND array_position(success_values, NULL) IS NULL),
	error_code_path text[],
	event_id_path text[],
	source_ip_path text[],
	user_agent_path text[],
	region_path text[],
	instance_id_path text[],
	target_path text[],
	granted_path text[],
	acting_for_path text[],
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
	FOR EACH STATEMENT EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.providers ENABLE ALWAYS TRIGGER settings_changed;
CREATE TRIGGER settings_applied AFTER INSERT OR UPDATE OR DELETE ON iamwatch.providers
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.settings_changed();
ALTER TABLE iamwatch.providers ENABLE REPLICA TRIGGER settings_applied;

CREATE FUNCTION iamwatch_internal.check_provider() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kinds constant text[] := ARRAY(SELECT iamwatch_internal.kind_name(1 << n) FROM generate_series(0, 10) AS n);
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
		WHERE c.key LIKE '%!_path' ESCAPE '!' OR c.key = 'recognised_by'
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
COMMENT ON FUNCTION iamwatch_internal.check_provider() IS 'trigger: 22023 for a mapping that cannot be, naming what is wrong with it';
CREATE TRIGGER check_provider BEFORE INSERT OR UPDATE ON iamwatch.providers
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_provider();

-- Azure writes names of the Activity log in any case; events have them in
-- lower case, and the catalogue is compared with events.
CREATE FUNCTION iamwatch_internal.fold_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.service := lower(NEW.service COLLATE "C");
	NEW.operation := lower(NEW.operation COLLATE "C");
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.fold_operation() IS
'trigger: rows for the Azure Activity log, which have a slash and no blank but that of " (started)", are kept in lower case';
CREATE TRIGGER fold_operation BEFORE INSERT OR UPDATE ON iamwatch.operations
	FOR EACH ROW WHEN (NEW.provider = 'azure' AND replace(NEW.operation, ' (started)', '') ~ '^[^ ]*/[^ ]*$')
	EXECUTE FUNCTION iamwatch_internal.fold_operation();
