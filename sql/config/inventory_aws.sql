-- AWS: what `aws ec2 describe-instances` and `aws ec2 describe-security-groups` say.

CREATE FUNCTION iamwatch_internal.aws_pages(document jsonb, key text, command text) RETURNS jsonb
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
COMMENT ON FUNCTION iamwatch_internal.aws_pages(jsonb, text, text) IS
'the document as an array of outputs of the command; 22004 or 22023 when it is something else';

CREATE FUNCTION iamwatch_internal.aws_open_groups(pages jsonb, OUT account text, OUT group_id text, OUT is_open boolean)
	RETURNS SETOF record
	LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT g ->> 'OwnerId', g ->> 'GroupId',
		jsonb_path_exists(g, '$.IpPermissions[*].IpRanges[*] ? (@.CidrIp == "0.0.0.0/0")')
		OR jsonb_path_exists(g, '$.IpPermissions[*].Ipv6Ranges[*] ? (@.CidrIpv6 == "::/0")')
	FROM jsonb_path_query(pages, '$[*].SecurityGroups[*]') AS g
$$;
COMMENT ON FUNCTION iamwatch_internal.aws_open_groups(jsonb) IS
'the security groups of a document, and whether a rule for incoming traffic lets in 0.0.0.0/0 or ::/0';

-- An interface has groups of its own; those of the instance are its first's.
CREATE FUNCTION iamwatch_internal.aws_instance(account text, instance jsonb, open_groups text[],
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
	state.public_ips := iamwatch_internal.public_addresses(ARRAY[instance -> 'PublicIpAddress', instance -> 'Ipv6Address']);
	state.internet_facing := state.public_ips <> '{}' AND own_groups && open_groups
		AND NOT jsonb_path_exists(instance, '$.NetworkInterfaces[*]');
	FOR interface IN SELECT * FROM jsonb_path_query(instance, '$.NetworkInterfaces[*]') LOOP
		groups := ARRAY(SELECT g #>> '{}' FROM jsonb_path_query(interface, '$.Groups[*].GroupId') AS g);
		IF groups = '{}' THEN
			groups := own_groups;
		END IF;
		addresses := iamwatch_internal.public_addresses(ARRAY(
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
		AND iamwatch_internal.public_addresses(ARRAY[instance -> 'PublicIpAddress']) <> '{}');
	state.public_ips := ARRAY(SELECT DISTINCT a FROM unnest(state.public_ips) AS a ORDER BY a);
	state.security_groups := ARRAY(SELECT DISTINCT g FROM unnest(state.security_groups) AS g ORDER BY g);
	RETURN state;
END $$;
COMMENT ON FUNCTION iamwatch_internal.aws_instance(text, jsonb, text[], timestamptz) IS
'what describe-instances says of one instance: it faces the Internet when an interface has a public address and one of its groups is open';

CREATE FUNCTION iamwatch.import_aws_instances(instances jsonb, security_groups jsonb,
	as_of timestamptz DEFAULT now(), complete boolean DEFAULT true,
	account text DEFAULT NULL, region text DEFAULT NULL,
	OUT added bigint, OUT changed bigint, OUT unchanged bigint, OUT retired bigint)
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pages constant jsonb := iamwatch_internal.aws_pages(instances, 'Reservations', 'aws ec2 describe-instances');
	group_pages constant jsonb := iamwatch_internal.aws_pages(security_groups, 'SecurityGroups', 'aws ec2 describe-security-groups');
	bad jsonb;
	open_groups text[];
	missing text;
	states iamwatch.instances[];
	places jsonb := '[]';
BEGIN
	PERFORM iamwatch_internal.check_as_of(as_of);
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
	FROM iamwatch_internal.aws_open_groups(group_pages) AS g;
	SELECT array_agg(iamwatch_internal.aws_instance(r ->> 'OwnerId', i, open_groups, as_of)
		ORDER BY r ->> 'OwnerId', i ->> 'InstanceId') INTO states
	FROM jsonb_path_query(pages, '$[*].Reservations[*]') AS r, jsonb_path_query(r, '$.Instances[*]') AS i
	WHERE coalesce(i #>> '{State,Name}', '') NOT IN ('terminated', 'shutting-down');
	states := coalesce(states, '{}');

	SELECT string_agg(DISTINCT g, ', ') INTO missing
	FROM unnest(states) AS s, unnest(s.security_groups) AS g
	WHERE g NOT IN (SELECT k.group_id FROM iamwatch_internal.aws_open_groups(group_pages) AS k);
	IF missing IS NOT NULL THEN
		RAISE WARNING 'security groups of instances are not in the document and count as closed'
			USING DETAIL = format('They are %s.', missing);
	END IF;

	IF complete AND account IS NOT NULL THEN
		places := jsonb_build_array(jsonb_build_object('provider', 'aws', 'account', account, 'region', region));
	ELSIF complete THEN
		-- an account's regions are described one by one
		SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('provider', 'aws', 'account', r ->> 'OwnerId', 'region',
			(iamwatch_internal.aws_instance(r ->> 'OwnerId', i, '{}', as_of)).region))
			FILTER (WHERE i #>> '{Placement,AvailabilityZone}' IS NOT NULL), '[]') INTO places
		FROM jsonb_path_query(pages, '$[*].Reservations[*]') AS r, jsonb_path_query(r, '$.Instances[*]') AS i;
	END IF;

	SELECT * INTO added, changed, unchanged, retired FROM iamwatch_internal.import_instances(states, places, as_of);
	INSERT INTO iamwatch_internal.firewalls AS f (provider, account, imported_at, rules)
	SELECT 'aws', g.account, as_of, coalesce(jsonb_agg(g.group_id) FILTER (WHERE g.is_open), '[]')
	FROM iamwatch_internal.aws_open_groups(group_pages) AS g WHERE g.account IS NOT NULL GROUP BY g.account
	ON CONFLICT ON CONSTRAINT firewalls_pkey DO UPDATE SET imported_at = EXCLUDED.imported_at,
		-- the groups of other regions are in other documents
		rules = (SELECT coalesce(jsonb_agg(k), '[]') FROM jsonb_array_elements(f.rules) AS k
			WHERE k #>> '{}' NOT IN (SELECT g.group_id FROM iamwatch_internal.aws_open_groups(group_pages) AS g))
			|| EXCLUDED.rules
	WHERE f.imported_at <= EXCLUDED.imported_at;
END $$;
COMMENT ON FUNCTION iamwatch.import_aws_instances(jsonb, jsonb, timestamptz, boolean, text, text) IS
'take the output of aws ec2 describe-instances, with that of aws ec2 describe-security-groups, into the inventory; arrays of outputs too. An instance faces the Internet when it has a public address and a rule of one of its groups is open to 0.0.0.0/0 or ::/0. As of: when the documents were taken. Complete: instances that the documents lack are retired, in the accounts and regions that they have, or in those named. Gives counts of instances; 22004, 22023 for documents of another shape';
