\ir settings.psql
SELECT plan(40);

-- As the AWS command line documents them.
CREATE FUNCTION instance(id text, more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('InstanceId', id, 'ImageId', 'ami-0abcdef1234567890', 'InstanceType', 't3.micro',
		'LaunchTime', '2026-01-05T10:00:00+00:00', 'Placement', '{"AvailabilityZone": "us-east-2a", "Tenancy": "default"}'::jsonb,
		'PrivateIpAddress', '10.0.0.157', 'State', '{"Code": 16, "Name": "running"}'::jsonb, 'VpcId', 'vpc-1234567890abcdef0',
		'SecurityGroups', '[{"GroupName": "web", "GroupId": "sg-0a0a0a0a0a0a0a0a1"}]'::jsonb, 'NetworkInterfaces', '[]'::jsonb) || more
$$;
CREATE FUNCTION described(VARIADIC instances jsonb[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('Reservations', jsonb_build_array(jsonb_build_object('Groups', '[]'::jsonb,
		'OwnerId', '111122223333', 'ReservationId', 'r-02a3f596d91211712', 'Instances', to_jsonb(instances))))
$$;
CREATE FUNCTION groups(cidr text = '0.0.0.0/0', owner text = '111122223333') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('SecurityGroups', jsonb_build_array(
		jsonb_build_object('GroupId', 'sg-0a0a0a0a0a0a0a0a1', 'GroupName', 'web', 'OwnerId', owner, 'VpcId', 'vpc-1234567890abcdef0',
			'IpPermissions', jsonb_build_array(jsonb_build_object('IpProtocol', 'tcp', 'FromPort', 443, 'ToPort', 443,
				'IpRanges', CASE WHEN cidr LIKE '%.%' THEN jsonb_build_array(jsonb_build_object('CidrIp', cidr)) ELSE '[]' END,
				'Ipv6Ranges', CASE WHEN cidr LIKE '%:%' THEN jsonb_build_array(jsonb_build_object('CidrIpv6', cidr)) ELSE '[]' END,
				'PrefixListIds', '[]'::jsonb, 'UserIdGroupPairs', '[]'::jsonb)),
			'IpPermissionsEgress', '[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]'::jsonb),
		jsonb_build_object('GroupId', 'sg-0b0b0b0b0b0b0b0b2', 'GroupName', 'inside', 'OwnerId', owner,
			'IpPermissions', '[]'::jsonb, 'IpPermissionsEgress', '[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]'::jsonb)))
$$;
CREATE FUNCTION facing(id text) RETURNS boolean LANGUAGE sql AS 'SELECT internet_facing FROM instances WHERE instance_id = id';
\set public '\'{"PublicIpAddress": "203.0.113.5"}\''

-- AWS: what faces the Internet
SELECT is(import_aws_instances(described(instance('i-0a', :public), instance('i-0b'), instance('i-0c', '{"PublicIpAddress": "203.0.113.6",
	"SecurityGroups": [{"GroupId": "sg-0b0b0b0b0b0b0b0b2"}]}')), groups(), '2026-02-01'), ROW(3::bigint, 0::bigint, 0::bigint, 0::bigint),
	'AWS: an import counts what it added, changed, left and retired');
SELECT ok(facing('i-0a'), 'AWS: a public address and a group open to 0.0.0.0/0 face the Internet');
SELECT ok(NOT facing('i-0b'), 'AWS: without a public address nothing faces the Internet');
SELECT ok(NOT facing('i-0c'), 'AWS: a group that is open for outgoing traffic only does not face the Internet');
SELECT is(public_ips, '{203.0.113.5}', 'AWS: the inventory has the public address') FROM instances WHERE instance_id = 'i-0a';
SELECT results_eq($$SELECT account, region, valid_since FROM instances WHERE instance_id = 'i-0a'$$,
	$$VALUES ('111122223333', 'us-east-2', '2026-01-05 10:00Z'::timestamptz)$$,
	'AWS: account and region come from the document, and an instance is known since it was launched');
SELECT is(import_aws_instances(described(instance('i-0d', :public)), groups('::/0'), '2026-02-01', false), ROW(1::bigint, 0::bigint, 0::bigint, 0::bigint),
	'AWS: an import that is not complete retires nothing');
SELECT ok(facing('i-0d'), 'AWS: ::/0 is the whole Internet too');
SELECT FROM import_aws_instances(described(instance('i-0e', '{"NetworkInterfaces": [
	{"Association": {"PublicIp": "203.0.113.9"}, "Groups": [{"GroupId": "sg-0b0b0b0b0b0b0b0b2"}]},
	{"Groups": [{"GroupId": "sg-0a0a0a0a0a0a0a0a1"}], "Ipv6Addresses": [{"Ipv6Address": "fd00::1"}]}], "PublicIpAddress": null, "SecurityGroups": []}'),
	instance('i-0f', '{"NetworkInterfaces": [{"PrivateIpAddresses": [{"Association": {"PublicIp": "203.0.113.10"}}],
	"Groups": [{"GroupId": "sg-0a0a0a0a0a0a0a0a1"}]}]}')), groups(), '2026-02-01', false);
SELECT ok(NOT facing('i-0e'), 'AWS: the open group must be of the interface that has the public address; unique local IPv6 is not public');
SELECT ok(facing('i-0f'), 'AWS: a secondary address of an interface counts');

-- Validity over time
SELECT is(import_aws_instances(described(instance('i-0a', :public), instance('i-0b')), groups('10.0.0.0/8'), '2026-02-10'),
	ROW(0::bigint, 1::bigint, 1::bigint, 4::bigint), 'AWS: a complete import changes what changed and retires what is missing');
SELECT results_eq($$SELECT instance_id, internet_facing, valid FROM instance_history WHERE instance_id IN ('i-0a', 'i-0f') ORDER BY 1$$,
	$$VALUES ('i-0a', true, '[2026-01-05 10:00Z,2026-02-10)'::tstzrange), ('i-0f', true, '[2026-01-05 10:00Z,2026-02-10)')$$,
	'Validity: what held before is kept, with its time');
CREATE FUNCTION acts(at text, id text) RETURNS boolean LANGUAGE sql AS $$
	SELECT faces_internet(parse(aws(at, 'x', 'CreateUser', more => jsonb_build_object('userIdentity', jsonb_build_object('type', 'AssumedRole',
		'arn', 'arn:aws:sts::111122223333:assumed-role/web/' || id)))))
$$;
SELECT FROM import_aws_instances(described(instance('i-0123456789abcdef0', :public)), groups(), '2026-02-10', false);
SELECT FROM import_aws_instances(described(instance('i-0123456789abcdef0', :public)), groups('10.0.0.0/8'), '2026-02-20', false);
SELECT ok(acts('2026-02-19T23:59:59Z', 'i-0123456789abcdef0'), 'Validity: an event is judged by what was true then');
SELECT ok(NOT acts('2026-02-20T00:00:00Z', 'i-0123456789abcdef0'), 'Validity: from the change on by what is true since');
SELECT ok(NOT acts('2026-01-05T09:59:59Z', 'i-0123456789abcdef0'), 'Validity: before its launch nothing is known of an instance');
SELECT is(import_aws_instances(described(instance('i-0123456789abcdef0', :public)), groups(), '2026-02-15', false),
	ROW(0::bigint, 0::bigint, 1::bigint, 0::bigint), 'Validity: a document older than what is known changes nothing');
INSERT INTO instances VALUES ('aws', '111122223333', 'i-00000001', '{}', true);
SELECT ok(acts('2001-01-01T00:00:00Z', 'i-00000001'), 'Validity: a row of the user''s own is true always');
SELECT FROM import_aws_instances('{"Reservations": []}', groups(), '2026-03-01', account => '111122223333');
SELECT ok(acts('2026-02-28T00:00:00Z', 'i-00000001') AND NOT acts('2026-03-01T00:00:00Z', 'i-00000001'), 'Validity: until an import of its account retires it');
SELECT is(import_aws_instances(described(instance('i-00000001', '{"State": {"Name": "terminated"}}'), instance('i-0b')), groups(), '2026-03-02'),
	ROW(1::bigint, 0::bigint, 0::bigint, 0::bigint), 'AWS: terminated instances are none');
SELECT is(import_aws_instances(jsonb_build_array(described(instance('i-0b')), jsonb_set(described(instance('i-ee')), '{Reservations,0,OwnerId}', '"444455556666"')),
	groups(), '2026-03-03'), ROW(1::bigint, 0::bigint, 1::bigint, 0::bigint), 'AWS: several accounts and regions may be in one array of documents');
SELECT is(import_aws_instances(described(instance('i-0c')), groups(), '2026-03-04'), ROW(1::bigint, 0::bigint, 0::bigint, 1::bigint),
	'AWS: only accounts of the document are retired of');

-- Documents of another shape
SELECT throws_matching('SELECT import_aws_instances(''{"Instances": []}'', groups())', 'no array "Reservations"', 'AWS: the error names what is missing');
SELECT throws_ok('SELECT import_aws_instances(''{"Reservations": [], "NextToken": "x"}'', groups())', '22023', NULL, 'AWS: half a document is refused');
SELECT throws_ok('SELECT import_aws_instances(''{"Reservations": [{"OwnerId": "1", "Instances": [{}]}]}'', groups())', '22023', NULL, 'AWS: an instance needs its identifier');
SELECT throws_ok('SELECT import_aws_instances(NULL, groups())', '22004', NULL, 'AWS: null is no document');
SELECT throws_ok('SELECT import_gcp_instances(''{}'', ''[]'')', '22023', NULL, 'GCP: the instances must be an array');
SELECT throws_ok('SELECT import_gcp_instances(''[{"selfLink": "https://x/y", "id": "1"}]'', ''[]'')', '22023', NULL, 'GCP: a selfLink must name its project');

-- GCP, as gcloud prints them
CREATE FUNCTION machine(id text, ip text, tags text = '[]', network text = 'default', project text = 'shop') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('kind', 'compute#instance', 'id', id, 'name', 'vm-' || id, 'status', 'RUNNING',
		'creationTimestamp', '2026-01-04T02:00:00.000-08:00', 'lastStartTimestamp', '2026-01-05T02:00:00.000-08:00',
		'selfLink', format('https://www.googleapis.com/compute/v1/projects/%s/zones/us-central1-a/instances/vm-%s', project, id),
		'zone', format('https://www.googleapis.com/compute/v1/projects/%s/zones/us-central1-a', project),
		'serviceAccounts', '[{"email": "web@shop.iam.gserviceaccount.com", "scopes": []}]'::jsonb,
		'tags', jsonb_build_object('fingerprint', '42WmSpB8rSM=', 'items', tags::jsonb),
		'networkInterfaces', jsonb_build_array(jsonb_build_object('kind', 'compute#networkInterface', 'name', 'nic0', 'networkIP', '10.128.0.2',
			'network', format('https://www.googleapis.com/compute/v1/projects/shop/global/networks/%s', network),
			'accessConfigs', CASE WHEN ip IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('kind', 'compute#accessConfig',
				'name', 'External NAT', 'natIP', ip, 'type', 'ONE_TO_ONE_NAT')) END)))
$$;
CREATE FUNCTION rule(more jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('kind', 'compute#firewall', 'name', 'rule', 'direction', 'INGRESS', 'disabled', false, 'priority', 1000,
		'network', 'https://www.googleapis.com/compute/v1/projects/shop/global/networks/default', 'sourceRanges', '["0.0.0.0/0"]'::jsonb,
		'allowed', '[{"IPProtocol": "tcp", "ports": ["80", "8000-8010"]}]'::jsonb) || more
$$;
SELECT is(import_gcp_instances(jsonb_build_array(machine('1', '198.51.100.7'), machine('2', NULL), machine('3', '198.51.100.8', network => 'other')),
	jsonb_build_array(rule()), '2026-02-01'), ROW(3::bigint, 0::bigint, 0::bigint, 0::bigint), 'GCP: an import counts too');
SELECT results_eq($$SELECT instance_id, internet_facing, account, public_ips, valid_since FROM instances WHERE provider = 'gcp' ORDER BY 1$$,
	$$VALUES ('1', true, 'shop', '{198.51.100.7}'::inet[], '2026-01-05 10:00Z'::timestamptz), ('2', false, 'shop', '{}', '2026-01-05 10:00Z'),
		('3', false, 'shop', '{198.51.100.8}', '2026-01-05 10:00Z')$$,
	'GCP: an external address, and a rule of the interface''s network that lets the Internet in');
CREATE FUNCTION reaches(rules jsonb, tags text = '[]') RETURNS boolean LANGUAGE sql AS
	$$SELECT (gcp_instance('shop', '1', machine('1', '198.51.100.7', tags), rules, now())).internet_facing$$;
SELECT results_eq($$SELECT reaches(jsonb_build_array(rule(r::jsonb))) FROM unnest(ARRAY['{"disabled": true}', '{"direction": "EGRESS"}',
	'{"sourceRanges": ["10.0.0.0/8"]}', '{"targetTags": ["web"]}', '{"targetServiceAccounts": ["db@shop.iam.gserviceaccount.com"]}',
	'{"targetServiceAccounts": ["web@shop.iam.gserviceaccount.com"]}', '{"sourceRanges": ["::/0"]}']) AS r$$,
	'VALUES (false), (false), (false), (false), (false), (true), (true)', 'GCP: a rule counts when it is enabled, for ingress, from anywhere, and for this instance');
SELECT ok(reaches(jsonb_build_array(rule('{"targetTags": ["web"]}')), '["web", "blue"]'), 'GCP: a rule applies to instances with one of its tags');
SELECT results_eq($$SELECT reaches(jsonb_build_array(rule(), rule('{"allowed": null, "name": "deny"}'::jsonb || d::jsonb))) FROM unnest(ARRAY[
	'{"denied": [{"IPProtocol": "all"}], "priority": 900}', '{"denied": [{"IPProtocol": "all"}], "priority": 1000}', '{"denied": [{"IPProtocol": "all"}], "priority": 1001}',
	'{"denied": [{"IPProtocol": "tcp", "ports": ["80"]}], "priority": 1}', '{"denied": [{"IPProtocol": "tcp", "ports": ["1-8005", "8006-9000"]}], "priority": 1}',
	'{"denied": [{"IPProtocol": "udp"}], "priority": 1}', '{"denied": [{"IPProtocol": "all"}], "priority": 1, "sourceRanges": ["10.0.0.0/8"]}']) AS d$$,
	'VALUES (false), (false), (true), (true), (false), (true), (true)',
	'GCP: a denying rule of the same or a higher priority wins, for the ports that it names and the Internet as its source');
SELECT is(import_gcp_instances(jsonb_build_array(machine('3', '198.51.100.7')), jsonb_build_array(rule()), '2026-02-10'),
	ROW(0::bigint, 1::bigint, 0::bigint, 2::bigint), 'GCP: the same address may come to another instance');
SELECT results_eq($$SELECT faces_internet(parse(jsonb_build_object('timestamp', at, 'resource', '{"labels": {"project_id": "shop"}}'::jsonb,
	'protoPayload', '{"serviceName": "iam.googleapis.com", "methodName": "google.iam.admin.v1.CreateServiceAccount", "requestMetadata": {"callerIp": "198.51.100.7"},
		"authenticationInfo": {"principalEmail": "web@shop.iam.gserviceaccount.com"}}'::jsonb)))
	FROM unnest(ARRAY['2026-02-01T00:00:00Z', '2026-01-05T09:00:00Z']) AS at$$, 'VALUES (true), (false)', 'Validity: GCP is judged by whose address it was then');

-- Learning from events
SELECT FROM import_aws_instances('{"Reservations": []}', groups(), '2026-04-01');
INSERT INTO log VALUES (aws('2026-04-02T08:00:00Z', 'ann', 'AllocateAddress', 'ec2', 'e1', '{"responseElements": {"publicIp": "203.0.113.77", "allocationId": "eipalloc-0f"}}')),
	(aws('2026-04-02T09:00:00Z', 'ann', 'RunInstances', 'ec2', 'e2', '{"responseElements": {"instancesSet": {"items": [{"instanceId": "i-aaaaaaaa",
		"placement": {"availabilityZone": "us-east-2b"}, "groupSet": {"items": [{"groupId": "sg-0a0a0a0a0a0a0a0a1", "groupName": "web"}]}}]}}}')),
	(aws('2026-04-03T09:00:00Z', 'ann', 'AssociateAddress', 'ec2', 'e3', '{"requestParameters": {"instanceId": "i-aaaaaaaa", "allocationId": "eipalloc-0f"},
		"responseElements": {"associationId": "eipassoc-0f"}}')),
	(aws('2026-04-04T09:00:00Z', 'ann', 'DisassociateAddress', 'ec2', 'e4', '{"requestParameters": {"associationId": "eipassoc-0f"}}')),
	(aws('2026-04-05T09:00:00Z', 'ann', 'RunInstances', 'ec2', 'e5', '{"errorCode": "Client.UnauthorizedOperation", "responseElements": {"instancesSet": {"items": [{"instanceId": "i-bbbbbbbb"}]}}}')),
	(aws('2026-04-06T09:00:00Z', 'ann', 'TerminateInstances', 'ec2', 'e6', '{"responseElements": {"instancesSet": {"items": [{"instanceId": "i-aaaaaaaa"}]}}}')),
	('{"timestamp": "2026-04-02T09:00:00Z", "insertId": "g1", "resource": {"labels": {"project_id": "shop", "instance_id": "99", "zone": "us-central1-a"}},
		"protoPayload": {"serviceName": "compute.googleapis.com", "methodName": "v1.compute.instances.insert", "authenticationInfo": {"principalEmail": "ann@example.com"},
		"request": {"creationTimestamp": "never", "networkInterfaces": [{"network": "https://compute.googleapis.com/compute/v1/projects/shop/global/networks/default", "accessConfigs": [{"natIP": "198.51.100.99"}]}]}}}');
SELECT is(learn_instances('log'), ROW(2::bigint, 2::bigint, 0::bigint, 1::bigint), 'Learning: launches add, addresses change, terminations retire');
SELECT results_eq($$SELECT acts(at, 'i-aaaaaaaa') FROM unnest(ARRAY['2026-04-03T08:00:00Z', '2026-04-03T10:00:00Z', '2026-04-04T10:00:00Z']) AS at$$,
	'VALUES (false), (true), (false)', 'Learning: an instance with an open group faces the Internet while it has a public address');
SELECT results_eq($$SELECT public_ips, internet_facing FROM instances WHERE instance_id = '99'$$, $$VALUES ('{198.51.100.99}'::inet[], true)$$,
	'Learning: GCP''s insert is judged by the rules last imported');
SELECT is(learn_instances('log'), ROW(0::bigint, 0::bigint, 2::bigint, 0::bigint), 'Learning: to repeat it changes nothing');
INSERT INTO log VALUES (aws('2026-05-01T09:00:00Z', 'ann', 'RunInstances', 'ec2', 'e7', '{"responseElements": {"instancesSet": {"items": "none"}}, "requestParameters": 7}')),
	(aws('2026-05-01T09:01:00Z', 'ann', 'AssociateAddress', 'ec2', 'e8', '{"requestParameters": {"instanceId": "i-0b", "publicIp": "300.1.1.1"}}')),
	(aws('2026-05-01T09:02:00Z', 'ann', 'DisassociateAddress', 'ec2', 'e9', '{"requestParameters": {"associationId": ["x"]}}'));
SELECT is(learn_instances('log', since => '2026-05-01'), ROW(0::bigint, 0::bigint, 0::bigint, 0::bigint), 'Learning: what a log says in another shape is passed over');

-- Who may read it
CREATE ROLE iamwatch_test_reader;
SELECT FROM grant_access('iamwatch_test_reader', 'read');
SET LOCAL ROLE iamwatch_test_reader;
CREATE TEMP TABLE seen AS SELECT (SELECT count(*) > 0 FROM iamwatch.instance_history) AS history, has_function_privilege(
	'iamwatch.learn_instances(regclass, name, timestamptz, timestamptz)', 'EXECUTE') AS learns;
RESET ROLE;
SELECT results_eq('SELECT history, learns FROM seen', 'VALUES (true, false)', 'Privileges: who reads alerts reads the history of the inventory, and changes nothing');
SELECT * FROM finish();
ROLLBACK;
