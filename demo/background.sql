-- 45 days of an organisation's ordinary audit log, before the attack: 24
-- identities of several kinds in one AWS account, 8 in a GCP project.  Made
-- up, but the same at every run: chance comes from hashes.

CREATE FUNCTION pg_temp.chance(VARIADIC text[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$SELECT (hashtextextended(array_to_string($1, '/'), 20230710) & 1048575) / 1048576.0::float8$$;

CREATE TEMP TABLE principals AS
SELECT 'aws' AS provider, 'arn:aws:iam::123837392027:user/developer-' || n AS name,
	jsonb_build_object('type', 'IAMUser', 'accountId', '123837392027', 'userName', 'developer-' || n,
		'arn', 'arn:aws:iam::123837392027:user/developer-' || n) AS who,
	0.8 AS presence, '{}'::text[] AS habits, false AS weekends
FROM generate_series(1, 12) AS n
UNION ALL
SELECT 'aws', 'arn:aws:iam::123837392027:user/admin-' || n,
	jsonb_build_object('type', 'IAMUser', 'accountId', '123837392027', 'userName', 'admin-' || n,
		'arn', 'arn:aws:iam::123837392027:user/admin-' || n),
	0.9, '{CreateUser,AddUserToGroup,CreateAccessKey,DeleteUser,AttachUserPolicy}', false
FROM generate_series(1, 2) AS n
UNION ALL
SELECT 'aws', 'arn:aws:iam::123837392027:role/deploy-' || n,
	jsonb_build_object('type', 'AssumedRole', 'accountId', '123837392027',
		'arn', format('arn:aws:sts::123837392027:assumed-role/deploy-%s/pipeline', n),
		'sessionContext', jsonb_build_object('sessionIssuer',
			jsonb_build_object('arn', 'arn:aws:iam::123837392027:role/deploy-' || n))),
	1, '{PassRole,PutRolePolicy,UpdateAssumeRolePolicy}', true
FROM generate_series(1, 4) AS n
UNION ALL
SELECT 'aws', 'arn:aws:iam::123837392027:role/web-' || n,
	jsonb_build_object('type', 'AssumedRole', 'accountId', '123837392027',
		'arn', format('arn:aws:sts::123837392027:assumed-role/web-%s/i-0123456789abcde%s', n, to_hex(n + 9)),
		'sessionContext', jsonb_build_object('sessionIssuer',
			jsonb_build_object('arn', 'arn:aws:iam::123837392027:role/web-' || n))),
	1, '{}', true
FROM generate_series(1, 6) AS n
UNION ALL
SELECT 'gcp', 'engineer-' || n || '@example.com',
	jsonb_build_object('principalEmail', 'engineer-' || n || '@example.com'), 0.8, '{}', false
FROM generate_series(1, 5) AS n
UNION ALL
SELECT 'gcp', 'terraform-' || n || '@demo-project.iam.gserviceaccount.com',
	jsonb_build_object('principalEmail', 'terraform-' || n || '@demo-project.iam.gserviceaccount.com'), 1,
	'{google.iam.admin.v1.CreateServiceAccount,google.iam.admin.v1.SetIAMPolicy}', true
FROM generate_series(1, 3) AS n;

CREATE FUNCTION pg_temp.event(p principals, at timestamptz, operation text, service text) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT CASE p.provider WHEN 'aws' THEN jsonb_build_object(
		'eventVersion', '1.08', 'eventSource', service, 'eventName', operation,
		'eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventID', md5(p.name || at || operation),
		'recipientAccountId', '123837392027', 'awsRegion', 'us-east-1', 'userAgent', 'aws-cli/2.12',
		'sourceIPAddress', '198.51.100.' || 1 + (hashtext(p.name) & 127), 'userIdentity', p.who)
	ELSE jsonb_build_object(
		'timestamp', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'insertId', md5(p.name || at || operation),
		'resource', '{"labels": {"project_id": "demo-project"}}'::jsonb,
		'protoPayload', jsonb_build_object('serviceName', service, 'methodName', operation,
			'authenticationInfo', p.who, 'requestMetadata', '{"callerIp": "198.51.100.200"}'::jsonb))
	END
$$;

-- Everyone reads all day; some have IAM operations as a habit; and habits
-- drift: from the middle of June two developers attach policies as well.
INSERT INTO audit_log (event)
SELECT pg_temp.event(p, at, operation, service)
FROM principals AS p
CROSS JOIN generate_series('2023-05-26'::timestamptz, '2023-07-09', interval '1 day') AS day
CROSS JOIN generate_series(0, 19) AS n
CROSS JOIN LATERAL (SELECT day + interval '8 hours'
	+ interval '1 second' * floor(36000 * pg_temp.chance(p.name, day::text, n::text, 'time')) AS at) AS t
CROSS JOIN LATERAL (
	SELECT CASE
		WHEN cardinality(p.habits) > 0 AND n < 2 THEN
			p.habits[1 + floor(cardinality(p.habits) * pg_temp.chance(p.name, day::text, n::text))::int]
		WHEN n = 2 AND day >= '2023-06-15' AND p.name ~ 'developer-[34]$' THEN 'AttachRolePolicy'
		WHEN p.provider = 'gcp' THEN (ARRAY['storage.objects.get', 'v1.compute.instances.list'])[1 + n % 2]
		ELSE (ARRAY['GetObject', 'DescribeInstances', 'ListBuckets', 'GetCallerIdentity'])[1 + n % 4] END AS operation) AS o
CROSS JOIN LATERAL (
	SELECT CASE
		WHEN p.provider = 'gcp' AND operation LIKE 'google.iam%' THEN 'iam.googleapis.com'
		WHEN p.provider = 'gcp' THEN CASE n % 2 WHEN 0 THEN 'storage.googleapis.com' ELSE 'compute.googleapis.com' END
		WHEN operation IN ('GetObject', 'ListBuckets') THEN 's3.amazonaws.com'
		WHEN operation = 'DescribeInstances' THEN 'ec2.amazonaws.com'
		WHEN operation = 'GetCallerIdentity' THEN 'sts.amazonaws.com'
		ELSE 'iam.amazonaws.com' END AS service) AS s
WHERE pg_temp.chance(p.name, day::text) < p.presence
AND (p.weekends OR extract(isodow FROM day) < 6)
ORDER BY at;
