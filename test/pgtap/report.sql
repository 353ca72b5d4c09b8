\ir settings.psql
SELECT plan(10);

SELECT is(html(E'<a href="x">\'&\x07\nb'), '<bdi>&lt;a href=&quot;x&quot;&gt;&#39;&amp;  b</bdi>', 'Escaping: no character of HTML and no control character is left');
SELECT is(html('abcdef', 4), '<bdi>abc&hellip;</bdi>', 'Escaping: cut before it is escaped');
SELECT is(html_text(E'a\u202Eb<'), 'ab&lt;', 'Escaping: in pictures, what changes the direction of text is left out');
SELECT is(html(NULL), NULL, 'Escaping: null stays null');
SELECT is(array_agg(short_name(i) ORDER BY n), '{ann,admin/x@y,root,i-1,a@b,arn:}', 'Names: short ones for ARNs, others as they are')
FROM unnest('{arn:aws:iam::1:user/ann,arn:aws:iam::1:role/admin/x@y,arn:aws:iam::1:root,i-1,a@b,arn:}'::text[]) WITH ORDINALITY AS u (i, n);

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
SELECT is((SELECT count(*) FROM regexp_matches(report('2026-03-01', '2026-03-03'), '<article>', 'g')), 3::bigint, 'Report: only incidents with an event in the period');
SELECT is(report() LIKE '%12 Feb 2026 to 13 Mar 2026%<b>7</b><span>alerts</span>%', true, 'Report: all there is, and at least 30 days, if no period is given');
SELECT is(report_timeline('2026-01-01', '2026-01-02') IS NULL, false, 'Report: a day without alerts has a picture');
SELECT alike(report_timeline('2020-01-01', '2026-04-01'), '%Alerts a 39 days%', 'Report: long periods are shown in steps of several days');
SELECT lives($$someone$$::text, '2026-02-01', '2026-02-10');
SELECT is(report(of_identity => 'arn:aws:iam::111122223333:user/someone') LIKE '%What <bdi>someone</bdi> does%any activity%', true, 'Report: the calendar of the identity that was asked for');
SELECT * FROM finish();
ROLLBACK;
