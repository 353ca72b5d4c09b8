-- What stored events say of instances.  Called or scheduled, so that ingest
-- does no work for it.

CREATE FUNCTION iamwatch_internal.aws_launched(item jsonb, request jsonb) RETURNS jsonb
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
COMMENT ON FUNCTION iamwatch_internal.aws_launched(jsonb, jsonb) IS
'an instance of the answer to RunInstances, in the form of describe-instances';

CREATE FUNCTION iamwatch_internal.learn_launch(e iamwatch.event, document jsonb) RETURNS SETOF text
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT iamwatch_internal.record_instance(iamwatch_internal.aws_instance((e).account,
		iamwatch_internal.aws_launched(item, document -> 'requestParameters'),
		ARRAY(SELECT jsonb_array_elements_text(f.rules) FROM iamwatch_internal.firewalls AS f
			WHERE f.provider = 'aws' AND f.account = (e).account), (e).event_time), (e).event_time)
	FROM jsonb_path_query(document, '$.responseElements.instancesSet.items[*]') AS item
	WHERE (e).operation = 'RunInstances' AND jsonb_typeof(item -> 'instanceId') = 'string'
	UNION ALL
	SELECT iamwatch_internal.record_instance(iamwatch_internal.gcp_instance((e).account, document #>> '{resource,labels,instance_id}',
		request || jsonb_build_object('zone', document #> '{resource,labels,zone}',
			-- the log has tags in tags, the API in items
			'tags', jsonb_build_object('items', coalesce(request #> '{tags,items}', request #> '{tags,tags}', '[]'))),
		coalesce((SELECT jsonb_agg(r) FROM iamwatch_internal.firewalls AS f, jsonb_array_elements(f.rules) AS r
			WHERE f.provider = 'gcp' AND f.account IN (SELECT iamwatch_internal.gcp_project(n #>> '{}')
				FROM jsonb_path_query(request, '$.networkInterfaces[*].network') AS n)), '[]'),
		(e).event_time), (e).event_time)
	-- times in a request are the caller's
	FROM (SELECT CASE jsonb_typeof(document #> '{protoPayload,request}') WHEN 'object' THEN
		(document #> '{protoPayload,request}') - '{creationTimestamp,lastStartTimestamp}'::text[] END AS request) AS r
	WHERE (e).operation LIKE '%compute.instances.insert' AND request IS NOT NULL
	AND document #>> '{resource,labels,instance_id}' <> ''
$$;
COMMENT ON FUNCTION iamwatch_internal.learn_launch(iamwatch.event, jsonb) IS
'take the instances that an event launched into the inventory; what became of each';

CREATE FUNCTION iamwatch_internal.learn_address(account text, instance_id text, address inet, gained boolean,
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
		state.internet_facing := state.internet_facing OR EXISTS (SELECT FROM iamwatch_internal.firewalls AS f
			WHERE f.provider = 'aws' AND f.account = account AND f.rules ?| state.security_groups);
	ELSE
		state.internet_facing := state.internet_facing AND state.public_ips <> '{}';
	END IF;
	RETURN iamwatch_internal.record_instance(state, at);
END $$;
COMMENT ON FUNCTION iamwatch_internal.learn_address(text, text, inet, boolean, timestamptz) IS
'an instance of the inventory has gained or lost an address; null if it is not in the inventory';

CREATE FUNCTION iamwatch_internal.learn_gone(e iamwatch.event, document jsonb) RETURNS bigint
	LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT count(*) FROM (
		SELECT iamwatch_internal.retire_instance(i, (e).event_time) AS retired
		FROM iamwatch.instances AS i
		WHERE i.provider = (e).provider AND i.account = (e).account AND i.instance_id IN (
			SELECT jsonb_path_query(document, '$.responseElements.instancesSet.items[*].instanceId') #>> '{}'
			UNION SELECT document #>> '{resource,labels,instance_id}')) AS r
	WHERE r.retired
$$;
COMMENT ON FUNCTION iamwatch_internal.learn_gone(iamwatch.event, jsonb) IS
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
	event_column := coalesce(event_column, iamwatch_internal.event_column_of(source));
	PERFORM iamwatch_internal.check_source(source, event_column);
	added := 0;
	changed := 0;
	unchanged := 0;
	retired := 0;
	LOCK TABLE iamwatch.instances IN SHARE ROW EXCLUSIVE MODE;
	FOR stored IN SELECT s.event, s.document FROM (
			SELECT iamwatch.parse(r.document) AS event, r.document
			FROM iamwatch_internal.read_instances(source, event_column) AS r) AS s
		WHERE NOT (s.event).failed
		AND (since IS NULL OR (s.event).event_time >= since) AND (until IS NULL OR (s.event).event_time < until)
		ORDER BY (s.event).event_time, (s.event).event_id COLLATE "C"
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
			CONTINUE WHEN who IS NULL OR NOT iamwatch_internal.is_address(address);
			associated := associated || jsonb_build_object(address, jsonb_build_array(who, address),
				coalesce(stored.document #>> '{responseElements,associationId}', address),
				jsonb_build_array(who, address));
			outcome := iamwatch_internal.learn_address(e.account, who, address::inet, true, e.event_time);
		ELSIF e.operation = 'DisassociateAddress' THEN
			who := coalesce(stored.document #>> '{requestParameters,associationId}',
				stored.document #>> '{requestParameters,publicIp}');
			address := associated -> who ->> 1;
			CONTINUE WHEN address IS NULL;
			outcome := iamwatch_internal.learn_address(e.account, associated -> who ->> 0, address::inet, false, e.event_time);
		ELSIF e.operation = 'TerminateInstances' OR e.operation LIKE '%.delete' THEN
			retired := retired + iamwatch_internal.learn_gone(e, stored.document);
			outcome := NULL;
		ELSE
			FOR outcome IN SELECT * FROM iamwatch_internal.learn_launch(e, stored.document) LOOP
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
