\ir settings.psql
SELECT plan(14);

SELECT is(html(E'<a href="x">\'&\x07\nb'), '<bdi>&lt;a href=&quot;x&quot;&gt;&#39;&amp;  b</bdi>', 'Escaping: no character of HTML and no control character is left');
SELECT is(html('abcdef', 4), '<bdi>abc&hellip;</bdi>', 'Escaping: cut before it is escaped');
SELECT is(html_text(E'a\u202Eb<'), 'ab&lt;', 'Escaping: in pictures, what changes the direction of text is left out');
SELECT is(html(NULL), NULL, 'Escaping: null stays null');
SELECT is(array_agg(short_name(i) ORDER BY n), '{ann,bea,a@b.c,adm,web,dev,root,i-1,a@b,deploy,service-12@gcp-sa-x.iam.gserviceaccount.com,runner,repo:o/r:ref:refs/heads/main,sub,arn:}',
	'Names: a person''s mail or user name, the name of a role, an instance, a service account, a workload')
FROM unnest('{arn:aws:iam::1:user/ann,arn:aws:iam::1:user/a/b/bea,arn:aws:sts::1:assumed-role/AWSReservedSSO_x/a@b.c,arn:aws:iam::1:role/adm,arn:aws:iam::1:role/path/web,arn:aws:sts::1:federated-user/dev,arn:aws:iam::1:root,i-1,a@b,deploy@p.iam.gserviceaccount.com,service-12@gcp-sa-x.iam.gserviceaccount.com,system:serviceaccount:ns:runner,arn:aws:iam::1:oidc-provider/token.x.com:sts.amazonaws.com:repo:o/r:ref:refs/heads/main,principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/sub,arn:}'::text[]) WITH ORDINALITY AS u (i, n);
SELECT is(how_often(0, 20, 3, 60, 30), 'never in the 20 days on which it was active; by its peers'' habit about 1 of 23 days', 'Sentences: what was never done has no rate of its own');
SELECT is(how_often(0, 0, 0, 60, 30), 'while nothing was seen of it in the 30 days before; nor its peers in their 60 days', 'Sentences: nor has it when nobody does it');
SELECT is(how_often(1, 30, 0, 0, 30), 'on 1 of the 30 days on which it was active; it has no peers to compare with', 'Sentences: what was done is counted');

-- Three identities: one with alerts a day apart, one with a pause, one with one.
CREATE FUNCTION alert(who text, at timestamptz, operation text, severity text DEFAULT 'low', sensitivity int DEFAULT 1) RETURNS void LANGUAGE sql AS $$
	INSERT INTO alerts (detector, variation, severity, first_event_time, last_event_time, provider, account, identity, identity_kind, service,
		operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
	VALUES ('unusual_iam_activity', 'base', severity, at, at, 'aws', '1', who, 'user', 'iam', operation, false, 'identity', sensitivity,
		'TA0003', 'T1098', 0.001, 10, '{"k": 0, "A": 20, "K": 0, "N": 50}')
$$;
SELECT alert('chain', '2026-03-01T10:00Z'::timestamptz + n * interval '4 days', 'A' || n) FROM generate_series(0, 3) AS n;
SELECT alert('pause', '2026-03-01T10:00Z', 'A'), alert('pause', '2026-03-06T10:00:01Z', 'B');
SELECT alert('worst', '2026-03-02T10:00Z', 'A', 'critical', 4);
SELECT is((SELECT count(*) FROM regexp_matches(report('2026-03-01', '2026-03-03'), '<article ', 'g')), 3::bigint, 'Report: only incidents with an event in the period');
SELECT is(report() LIKE '%12 Feb 2026 to 13 Mar 2026%<b>7</b><span>alerts</span>%', true, 'Report: all there is, and at least 30 days, if no period is given');
SELECT is(report_timeline('2026-01-01', '2026-01-02', '{}') IS NULL, false, 'Report: a day without alerts has a picture');
SELECT alike(report_timeline('2020-01-01', '2026-04-01', NULL), '%Alerts a 39 days%', 'Report: long periods are shown in steps of several days');
SELECT lives($$someone$$::text, '2026-02-01', '2026-02-10');
SELECT is(report(of_identity => 'arn:aws:iam::111122223333:user/someone') LIKE '%What <bdi>someone</bdi> does%any activity%', true, 'Report: the calendar of the identity that was asked for');
-- Names, targets, addresses and programs that are as long as they are shown.
INSERT INTO alerts (detector, variation, severity, first_event_time, last_event_time, provider, account, identity, identity_kind, service,
	operation, failed, category, sensitivity, tactic, technique, probability, surprise, risk, evidence)
SELECT 'unusual_iam_activity', 'base', 'low', at, at, 'aws', '111122223333', repeat('long', 50) || n, 'user', 'iam', repeat('operation', 8) || m, true, 'permission', 3,
	'TA0003', 'T1098.003', 0.001, 10, 20, jsonb_build_object('k', 100, 'A', 100, 'K', 1000, 'N', 1000, 'targets', jsonb_build_array(repeat('target', 10) || n || m),
		'granted', jsonb_build_array(repeat('granted', 10)), 'source_addresses', '["2001:db8:1234:5678:9abc:def0:1234:5678"]'::jsonb, 'user_agents', jsonb_build_array(repeat('agent', 10)),
		'context', '{"new_network": "x", "new_user_agent": "x", "new_region": "x", "burst": 9}'::jsonb)
FROM generate_series(1, 500) AS n, generate_series(1, 12) AS m, LATERAL (SELECT '2026-03-01T10:00Z'::timestamptz + m * interval '1 minute') AS t (at);
SELECT cmp_ok(octet_length(report()), '<', 2000000, 'Report: 500 incidents are under 2 MB, however many alerts they have and whatever these are called');
SELECT * FROM finish();
ROLLBACK;
