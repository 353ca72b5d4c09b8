-- Settings that cannot be meant are refused, with what is allowed: a word that
-- is misspelled would otherwise switch off in silence what it was to narrow.

-- A dump brings tables back one by one, so what a row refers to may come later;
-- it was checked when it was written.
CREATE FUNCTION iamwatch_internal.is_restoring() RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT current_setting('check_function_bodies')::boolean AND NOT current_setting('row_security')::boolean
$$;
COMMENT ON FUNCTION iamwatch_internal.is_restoring() IS
'whether a script of pg_dump is running: it switches both settings off that this looks at';

CREATE FUNCTION iamwatch_internal.distance(a text, b text) RETURNS integer
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	above integer[] := ARRAY(SELECT generate_series(0, length(b)));
	this integer[];
	x text;
BEGIN
	FOR i IN 1 .. length(a) LOOP
		this := ARRAY[i];
		x := substr(a, i, 1);
		FOR j IN 1 .. length(b) LOOP
			this[j + 1] := LEAST(this[j] + 1, above[j + 1] + 1, above[j] + CASE WHEN substr(b, j, 1) = x THEN 0 ELSE 1 END);
		END LOOP;
		above := this;
	END LOOP;
	RETURN above[length(b) + 1];
END $$;
COMMENT ON FUNCTION iamwatch_internal.distance(text, text) IS
'how many characters have to be put in, taken out or replaced to make one text of the other (Levenshtein)';

CREATE FUNCTION iamwatch_internal.nearest(name text, known text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT n.word FROM (
		-- few of them, by the pairs of letters that they share: the distance takes its time
		SELECT k.word FROM (SELECT DISTINCT left(w, 100) AS word FROM unnest(known) AS w) AS k
		WHERE abs(length(k.word) - length(left(name, 100))) <= 3
		ORDER BY (SELECT count(*) FROM generate_series(1, length(k.word) - 1) AS i
			WHERE strpos(lower(left(name, 100)), lower(substr(k.word, i, 2))) > 0) DESC, k.word
		LIMIT 20) AS n
	CROSS JOIN LATERAL iamwatch_internal.distance(lower(left(name, 100)), lower(n.word)) AS d
	WHERE d <= GREATEST(2, length(n.word) / 4)
	ORDER BY d, n.word LIMIT 1
$$;
COMMENT ON FUNCTION iamwatch_internal.nearest(text, text[]) IS 'the known word that a misspelled one was probably meant to be; null if none is near';

CREATE FUNCTION iamwatch_internal.must_be_known(setting text, value text, known text[]) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	nearest text;
BEGIN
	IF value IS NOT NULL AND value <> ALL (known) THEN
		nearest := iamwatch_internal.nearest(value, known);
		RAISE EXCEPTION 'unknown % "%"', setting, left(value, 200) USING ERRCODE = 'invalid_parameter_value',
			HINT = CASE WHEN cardinality(known) = 0 THEN 'There is none.' ELSE coalesce('Did you mean ' || nearest || '? ', '')
				|| format('Use one of %s.', array_to_string(ARRAY(SELECT DISTINCT k FROM unnest(known) AS k ORDER BY k), ', ')) END;
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.must_be_known(text, text, text[]) IS
'22023 for a value that is none of those that are known, with the nearest and all of them';

CREATE FUNCTION iamwatch_internal.known_categories() RETURNS text[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(DISTINCT o.category) FROM iamwatch.operations AS o
$$;
COMMENT ON FUNCTION iamwatch_internal.known_categories() IS 'the categories of the catalogue, users'' own included';

CREATE FUNCTION iamwatch_internal.known_providers() RETURNS text[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT ARRAY['aws', 'azure', 'gcp'] || ARRAY(SELECT p.provider FROM iamwatch.providers AS p)
$$;
COMMENT ON FUNCTION iamwatch_internal.known_providers() IS 'the providers that are read';

CREATE FUNCTION iamwatch_internal.check_categories(categories text[]) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	category text;
BEGIN
	IF categories IS NULL THEN
		RETURN;
	ELSIF cardinality(categories) = 0 OR array_ndims(categories) > 1 OR categories <> array_remove(categories, NULL) THEN
		RAISE EXCEPTION 'categories is empty, nested or has a null' USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Set it to null to watch all, or list some of %s.', array_to_string(iamwatch_internal.known_categories(), ', '));
	END IF;
	FOREACH category IN ARRAY categories LOOP
		PERFORM iamwatch_internal.must_be_known('category', category, iamwatch_internal.known_categories());
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_categories(text[]) IS '22023 for a list of categories that nothing, or not all, can be meant by';

CREATE FUNCTION iamwatch_internal.check_service(provider text, service text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF coalesce(provider, 'aws') = 'aws' AND service ~* '[.]amazonaws[.]com([.]cn)?$' THEN
		RAISE EXCEPTION 'service "%" is never that of an event', left(service, 200) USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Write it as events have it once they are read: %s.', lower(regexp_replace(left(service, 200), '[.]amazonaws[.]com([.]cn)?$', '', 'i')));
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_service(text, text) IS '22023 for a service of AWS with its domain';

-- ---- the catalogue ----

CREATE FUNCTION iamwatch_internal.check_operation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	shipped text[];
BEGIN
	IF iamwatch_internal.is_restoring() THEN
		RETURN NEW;
	END IF;
	-- one of your own is to be in iamwatch.providers before
	PERFORM iamwatch_internal.must_be_known('provider', NEW.provider, iamwatch_internal.known_providers());
	PERFORM iamwatch_internal.must_be_known('effect', NEW.effect, ARRAY['create', 'modify', 'delete', 'read']);
	PERFORM iamwatch_internal.must_be_known('match', NEW.match, ARRAY['exact', 'suffix']);
	PERFORM iamwatch_internal.check_service(NEW.provider, NEW.service);
	IF NEW.sensitivity NOT BETWEEN 1 AND 4 THEN
		RAISE EXCEPTION 'sensitivity must be between 1 and 4' USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('It is %s.', NEW.sensitivity), HINT = '1 is low, 4 a direct foothold or privilege escalation.';
	END IF;
	-- a category of one's own is fine, one that is nearly a shipped one is not
	IF NEW.category <> ALL (iamwatch_internal.known_categories()) THEN
		shipped := ARRAY(SELECT DISTINCT o.category FROM iamwatch.operations AS o WHERE o.origin = 'iamwatch');
		IF iamwatch_internal.nearest(NEW.category, shipped) IS NOT NULL THEN
			PERFORM iamwatch_internal.must_be_known('category', NEW.category, shipped);
		END IF;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_operation() IS
'trigger: 22023 for a row that no event can fall under, or of a category that is misspelled';
CREATE TRIGGER check_operation BEFORE INSERT OR UPDATE ON iamwatch.operations
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_operation();

CREATE FUNCTION iamwatch_internal.check_limit() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT iamwatch_internal.is_restoring() THEN
		PERFORM iamwatch_internal.must_be_known('limit', NEW.name, ARRAY['accounts', 'new_identities', 'new_behaviours',
			'journal_rows', 'alerts', 'alert_events', 'pending_events', 'rejected_events', 'rejected_bytes', 'notification_queue']);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_limit() IS 'trigger: 22023 for a limit that nothing asks for';
CREATE TRIGGER check_limit BEFORE INSERT OR UPDATE OF name ON iamwatch.limits
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_limit();

-- ---- the inventory ----

CREATE FUNCTION iamwatch_internal.check_instance() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT iamwatch_internal.is_restoring() THEN
		PERFORM iamwatch_internal.must_be_known('provider', NEW.provider, iamwatch_internal.known_providers());
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_instance() IS 'trigger: 22023 for an instance of a provider that is not read';

-- ---- how a detector calls its variations ----

CREATE FUNCTION iamwatch_internal.check_variation() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT iamwatch_internal.is_restoring() THEN
		PERFORM iamwatch_internal.must_be_known('detector', NEW.detector, ARRAY(SELECT d.detector FROM iamwatch.detectors AS d));
		PERFORM iamwatch_internal.must_be_known('condition', NEW.applies_to, ARRAY['all', 'non_user', 'internet_facing']);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_variation() IS 'trigger: 22023 for a name that no alert can have';
CREATE TRIGGER check_variation BEFORE INSERT OR UPDATE ON iamwatch.variations
	FOR EACH ROW EXECUTE FUNCTION iamwatch_internal.check_variation();

-- ---- what a detector watches ----

CREATE FUNCTION iamwatch_internal.detector_warnings() RETURNS jsonb
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(jsonb_object_agg(w.detector, w.warning), '{}')
	FROM (
		SELECT d.detector, CASE
			WHEN NOT d.enabled THEN 'it is disabled'
			WHEN NOT EXISTS (SELECT FROM iamwatch.operations AS o WHERE o.effect = ANY (d.effects)
				AND o.sensitivity >= d.least_sensitivity AND (o.category = ANY (d.categories)
					OR d.categories IS NULL AND o.category NOT IN ('session', 'sign_in')))
			THEN 'no operation of the catalogue has its categories, effects and sensitivity: it watches nothing'
			WHEN d.probability_limit = 0 THEN 'its probability_limit is 0: no event is below it' END AS warning
		FROM iamwatch.detectors AS d
		UNION ALL
		SELECT '', 'there is no detector' WHERE NOT EXISTS (SELECT FROM iamwatch.detectors)) AS w
	WHERE w.warning IS NOT NULL
$$;
COMMENT ON FUNCTION iamwatch_internal.detector_warnings() IS
'of each detector that can raise no alert, why; under an empty name if there is none at all';
