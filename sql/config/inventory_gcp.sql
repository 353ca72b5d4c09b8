-- GCP: what `gcloud compute instances list` and `gcloud compute firewall-rules list` say.

CREATE FUNCTION iamwatch_internal.gcp_path(url text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
	RETURN regexp_replace(url, '^.*/projects/', 'projects/');
COMMENT ON FUNCTION iamwatch_internal.gcp_path(text) IS 'the path of a resource, without the host and version of the API';

CREATE FUNCTION iamwatch_internal.gcp_project(url text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, pg_temp
	RETURN substring(url FROM 'projects/([^/]+)/');
COMMENT ON FUNCTION iamwatch_internal.gcp_project(text) IS 'the project of a resource, from its URL or path';

CREATE FUNCTION iamwatch_internal.gcp_ports(rule jsonb) RETURNS int4multirange
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(range_agg(int4range(split_part(p #>> '{}', '-', 1)::integer,
		CASE WHEN p #>> '{}' LIKE '%-%' THEN split_part(p #>> '{}', '-', 2) ELSE p #>> '{}' END::integer, '[]')),
		'{[0,65536)}')
	FROM jsonb_path_query(rule, '$.ports[*]') AS p
$$;
COMMENT ON FUNCTION iamwatch_internal.gcp_ports(jsonb) IS 'the ports of an allowed or denied part of a rule; without any, all';

CREATE FUNCTION iamwatch_internal.gcp_open(network text, tags text[], emails text[], rules jsonb) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	WITH rule AS MATERIALIZED (
		SELECT coalesce((r ->> 'priority')::integer, 1000) AS priority, whole.family, part.denied,
			CASE lower((part.p ->> 'IPProtocol') COLLATE "C") WHEN '1' THEN 'icmp' WHEN '6' THEN 'tcp' WHEN '17' THEN 'udp'
				ELSE lower((part.p ->> 'IPProtocol') COLLATE "C") END AS protocol,
			iamwatch_internal.gcp_ports(part.p) AS ports
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
		AND iamwatch_internal.gcp_path(r ->> 'network') = iamwatch_internal.gcp_path(gcp_open.network)
		AND (NOT r ?| ARRAY['targetTags', 'targetServiceAccounts']
			OR ARRAY(SELECT jsonb_path_query(r, '$.targetTags[*]') #>> '{}') && tags
			OR ARRAY(SELECT jsonb_path_query(r, '$.targetServiceAccounts[*]') #>> '{}') && emails)
	)
	SELECT EXISTS (SELECT FROM rule AS a WHERE NOT a.denied AND NOT isempty(a.ports - coalesce((
		SELECT range_agg(u) FROM rule AS d CROSS JOIN LATERAL unnest(d.ports) AS u
		WHERE d.denied AND d.family = a.family AND d.priority <= a.priority
		AND d.protocol IN (a.protocol, 'all')), '{}')))
$$;
COMMENT ON FUNCTION iamwatch_internal.gcp_open(text, text[], text[], jsonb) IS
'whether firewall rules let the whole Internet (0.0.0.0/0 or ::/0) reach any port of an interface: a rule that allows it applies by network and target, is enabled, and no denying rule of the same or a higher priority takes all of its ports away';

CREATE FUNCTION iamwatch_internal.gcp_instance(account text, instance_id text, instance jsonb, rules jsonb,
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
		addresses := iamwatch_internal.public_addresses(ARRAY(
			SELECT jsonb_path_query(interface, '$.accessConfigs[*].natIP')
			UNION SELECT jsonb_path_query(interface, '$.ipv6AccessConfigs[*].externalIpv6')));
		IF addresses <> '{}' THEN
			state.public_ips := state.public_ips || addresses;
			state.internet_facing := state.internet_facing OR iamwatch_internal.gcp_open(interface ->> 'network',
				ARRAY(SELECT jsonb_path_query(instance, '$.tags.items[*]') #>> '{}'),
				ARRAY(SELECT jsonb_path_query(instance, '$.serviceAccounts[*].email') #>> '{}'), rules);
		END IF;
	END LOOP;
	state.public_ips := ARRAY(SELECT DISTINCT a FROM unnest(state.public_ips) AS a ORDER BY a);
	RETURN state;
END $$;
COMMENT ON FUNCTION iamwatch_internal.gcp_instance(text, text, jsonb, jsonb, timestamptz) IS
'what an instance resource says, by firewall rules: it faces the Internet when an interface has an external address and the rules let the Internet reach it';

CREATE FUNCTION iamwatch_internal.check_gcloud(document jsonb, command text, needed text[]) RETURNS void
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
			OR ((n = 'selfLink' OR r ->> n LIKE '%://%') AND iamwatch_internal.gcp_project(r ->> n) IS NULL)) LIMIT 1;
	END IF;
	IF bad IS NOT NULL THEN
		RAISE EXCEPTION 'the document is not the output of "%": an array of resources with %', command,
			array_to_string(needed, ', ')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Something begins with %s.', left(bad::text, 60)),
			HINT = format('Pass the output of %s --format=json.', command);
	END IF;
END $$;
COMMENT ON FUNCTION iamwatch_internal.check_gcloud(jsonb, text, text[]) IS
'22004 or 22023 unless a document is an array of resources that have these texts';

CREATE FUNCTION iamwatch.import_gcp_instances(instances jsonb, firewall_rules jsonb,
	as_of timestamptz DEFAULT now(), complete boolean DEFAULT true, project text DEFAULT NULL,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	states iamwatch.instances[];
	places jsonb := '[]';
BEGIN
	PERFORM iamwatch_internal.check_as_of(as_of);
	PERFORM iamwatch_internal.check_gcloud(instances, 'gcloud compute instances list', ARRAY['selfLink', 'id']);
	PERFORM iamwatch_internal.check_gcloud(firewall_rules, 'gcloud compute firewall-rules list', ARRAY['network']);
	SELECT coalesce(array_agg(iamwatch_internal.gcp_instance(iamwatch_internal.gcp_project(i ->> 'selfLink'), i ->> 'id', i,
		firewall_rules, as_of) ORDER BY i ->> 'selfLink'), '{}') INTO states
	FROM jsonb_array_elements(instances) AS i;
	IF complete THEN
		SELECT coalesce(jsonb_agg(jsonb_build_object('provider', 'gcp', 'account', p)), '[]') INTO places
		FROM (SELECT project AS p WHERE project IS NOT NULL
			UNION SELECT s.account FROM unnest(states) AS s WHERE project IS NULL) AS covered;
	END IF;

	SELECT * INTO added, changed, unchanged, retired FROM iamwatch_internal.import_instances(states, places, as_of);
	INSERT INTO iamwatch_internal.firewalls AS f (provider, account, imported_at, rules)
	SELECT 'gcp', iamwatch_internal.gcp_project(r ->> 'network'), as_of, jsonb_agg(r)
	FROM jsonb_array_elements(firewall_rules) AS r
	WHERE iamwatch_internal.gcp_project(r ->> 'network') IS NOT NULL GROUP BY 2
	ON CONFLICT ON CONSTRAINT firewalls_pkey DO UPDATE SET (imported_at, rules) = (EXCLUDED.imported_at, EXCLUDED.rules)
	WHERE f.imported_at <= EXCLUDED.imported_at;
END $$;
COMMENT ON FUNCTION iamwatch.import_gcp_instances(jsonb, jsonb, timestamptz, boolean, text) IS
'take the output of gcloud compute instances list, with that of gcloud compute firewall-rules list (of the networks'' projects), into the inventory. An instance faces the Internet when it has an external address and an enabled rule allows 0.0.0.0/0 or ::/0 in to it that no rule of the same or a higher priority denies. As of: when the documents were taken. Complete: instances that the document lacks are retired, in the projects that it has, or in that named. Gives counts of instances; 22004, 22023 for documents of another shape';
