-- The inventory of instances over time.  iamwatch.instances is what holds now,
-- iamwatch.instance_history what held before; an event is judged by what held
-- when it happened.  Newer knowledge wins: what is older than the last that
-- confirmed a row changes nothing, so documents and events may come in any
-- order and more than once.

CREATE TABLE iamwatch.instances (
	provider text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
	account text NOT NULL CHECK (account <> ''),
	instance_id text NOT NULL CONSTRAINT instances_instance_id_check CHECK (instance_id <> '' AND (provider <> 'azure' OR instance_id = lower(instance_id COLLATE "C"))),
	public_ips inet[] NOT NULL DEFAULT '{}' CHECK (public_ips = '{}' OR array_ndims(public_ips) = 1 AND array_position(public_ips, NULL) IS NULL),
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
SELECT pg_catalog.pg_extension_config_dump('iamwatch.instances', '');

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

CREATE TABLE iamwatch_internal.firewalls (
	provider text NOT NULL CHECK (provider IN ('aws', 'gcp')),
	account text NOT NULL,
	imported_at timestamptz NOT NULL,
	rules jsonb NOT NULL,
	PRIMARY KEY (provider, account)
);
COMMENT ON TABLE iamwatch_internal.firewalls IS
'the rules of the last import of an account, by which iamwatch.learn_instances() judges what it learns';
COMMENT ON COLUMN iamwatch_internal.firewalls.account IS 'AWS account, or the GCP project of the network';
COMMENT ON COLUMN iamwatch_internal.firewalls.rules IS
'AWS: the security groups that let in the whole Internet; GCP: the firewall rules, as gcloud gave them';

SELECT pg_catalog.pg_extension_config_dump('iamwatch.instance_history', '');
SELECT pg_catalog.pg_extension_config_dump('iamwatch_internal.firewalls', '');

CREATE FUNCTION iamwatch_internal.is_address(address text) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN address::inet IS NOT NULL;
EXCEPTION WHEN invalid_text_representation THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION iamwatch_internal.is_address(text) IS 'whether a text is an address; false for null';

CREATE FUNCTION iamwatch_internal.public_addresses(addresses jsonb[]) RETURNS inet[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT a ORDER BY a), '{}')
	FROM (SELECT CASE WHEN iamwatch_internal.is_address(x #>> '{}') THEN (x #>> '{}')::inet END AS a
		FROM unnest(addresses) AS x) AS s
	WHERE family(a) = 4 OR a << '2000::/3'
$$;
COMMENT ON FUNCTION iamwatch_internal.public_addresses(jsonb[]) IS
'addresses of documents, each once: IPv4 as given, IPv6 if it is global; anything else is left out';

CREATE FUNCTION iamwatch_internal.record_instance(state iamwatch.instances, at timestamptz) RETURNS text
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	known iamwatch.instances;
	ended timestamptz;
BEGIN
	-- a log can call an instance what it likes, the indexes cannot hold it
	IF octet_length(state.account) + octet_length(state.instance_id) > 2000 THEN
		RETURN 'ignored';
	END IF;
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
	PERFORM iamwatch_internal.archive_instance(known, at);
	UPDATE iamwatch.instances AS i SET public_ips = state.public_ips, internet_facing = state.internet_facing,
		region = coalesce(state.region, i.region), security_groups = state.security_groups,
		valid_since = at, confirmed_at = at
	WHERE i.provider = state.provider AND i.account = state.account AND i.instance_id = state.instance_id;
	RETURN 'changed';
END $$;
COMMENT ON FUNCTION iamwatch_internal.record_instance(iamwatch.instances, timestamptz) IS
'take what is known of an instance at a time into the inventory: added, changed or unchanged, or ignored when its name is too long for an index. An instance that is new is taken to have been so since its valid_since';

CREATE FUNCTION iamwatch_internal.archive_instance(known iamwatch.instances, until timestamptz) RETURNS void
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO iamwatch.instance_history (provider, account, instance_id, public_ips, internet_facing, region, valid)
	SELECT (known).provider, (known).account, (known).instance_id, (known).public_ips, (known).internet_facing,
		(known).region, tstzrange((known).valid_since, until)
	WHERE (known).valid_since < until
$$;
COMMENT ON FUNCTION iamwatch_internal.archive_instance(iamwatch.instances, timestamptz) IS
'keep in the history what a row of the inventory said, until a time';

CREATE FUNCTION iamwatch_internal.retire_instance(known iamwatch.instances, at timestamptz) RETURNS boolean
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF at < known.confirmed_at THEN
		RETURN false;
	END IF;
	PERFORM iamwatch_internal.archive_instance(known, at);
	DELETE FROM iamwatch.instances AS i
	WHERE i.provider = known.provider AND i.account = known.account AND i.instance_id = known.instance_id;
	RETURN true;
END $$;
COMMENT ON FUNCTION iamwatch_internal.retire_instance(iamwatch.instances, timestamptz) IS
'move an instance that is gone to the history; false if newer knowledge says that it is there';

-- One import at a time, so that counts and history are exact; readers, and so
-- ingest, are not in its way.
CREATE FUNCTION iamwatch_internal.import_instances(states iamwatch.instances[], places jsonb, as_of timestamptz,
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
		outcome := iamwatch_internal.record_instance(state, as_of);
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
		retired := retired + iamwatch_internal.retire_instance(known, as_of)::integer;
	END LOOP;
END $$;
COMMENT ON FUNCTION iamwatch_internal.import_instances(iamwatch.instances[], jsonb, timestamptz) IS
'take the instances of a document into the inventory, and retire those of its places (an array of provider, account, region or null for all) that it does not have';

CREATE FUNCTION iamwatch_internal.check_as_of(as_of timestamptz) RETURNS void
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF as_of IS NULL OR NOT isfinite(as_of) OR as_of > now() + interval '1 day' THEN
		RAISE EXCEPTION 'invalid value for as_of: %', coalesce(quote_literal(as_of), 'null')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the time at which the documents were taken.';
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_as_of(timestamptz) IS '22023 unless a document can be of that time';
