\ir settings.psql
SELECT plan(14);
SELECT lives(who, '2026-01-01', '2026-03-20') FROM unnest(ARRAY['ann', 'bob']) AS who;

-- a compromised identity that does twelve unusual things
INSERT INTO log SELECT aws('2026-02-10T10:' || to_char(n, 'FM00') || ':00Z', 'ann', operation)
FROM unnest(ARRAY['CreateUser', 'CreateAccessKey', 'CreateLoginProfile', 'AttachUserPolicy', 'CreateRole', 'UpdateAssumeRolePolicy',
	'PutRolePolicy', 'CreatePolicyVersion', 'AddUserToGroup', 'DeactivateMFADevice', 'CreateSAMLProvider', 'DeleteUser']) WITH ORDINALITY AS o (operation, n);
SELECT is(count(*), 12::bigint, 'Twelve unusual things are twelve alerts') FROM alerts;
SELECT is(count(*) || ' ' || sum(alerts), '1 12', 'Twelve unusual things of an identity are one line') FROM incidents;
SELECT is(operations[1:3], '{iam:CreateUser,iam:CreateAccessKey,iam:CreateLoginProfile}', 'Operations: in order') FROM incidents;
SELECT is(incident_id, (SELECT min(alert_id) FROM alerts), 'Its number is that of its first alert') FROM incidents;
SELECT is(techniques, (SELECT array_agg(DISTINCT technique) FROM alerts), 'Techniques: each once') FROM incidents;
SELECT is(surprise::numeric(20, 6), (SELECT sum(surprise)::numeric(20, 6) FROM alerts), 'Surprise: bits, summed') FROM incidents;
SELECT is(risk::numeric(20, 6), (SELECT sum(surprise * 2 ^ (sensitivity - 1))::numeric(20, 6) FROM alerts), 'Risk: bits, doubled by every step of sensitivity') FROM incidents;
SELECT is(alert_risk('medium', 3, 10, NULL), 10 * 4 * 3::float8, 'Risk: times the rank of the severity');

-- gaps
SELECT put(aws('2026-02-15T10:11:59Z', 'ann', 'CreateGroup'));
SELECT is(count(*), 1::bigint, 'Gap: less than the deduplication period after the last event belongs to it') FROM incidents;
SELECT put(aws('2026-02-20T10:11:59Z', 'ann', 'DeleteGroup'));
SELECT is(string_agg(alerts::text, ' ' ORDER BY incident_id), '13 1', 'Gap: the deduplication period after it does not') FROM incidents;
SELECT put(aws('2026-02-10T12:00:00Z', 'bob', 'CreateServiceSpecificCredential'));
SELECT is(count(*), 3::bigint, 'Identity: another''s alerts are another incident') FROM incidents;
SELECT is(array_agg(risk_rank ORDER BY risk DESC), '{1,2,3}', 'Risk rank: 1 for the highest') FROM incidents;

-- triage
SELECT triage(alert_id, 'closed', 'benign') FROM alerts WHERE identity LIKE '%bob';
SELECT is(risk || ' ' || open_alerts, '0 0', 'Risk: none once it is benign') FROM incidents WHERE identity LIKE '%bob';
SELECT triage(unnest(alert_ids), 'closed', 'true_positive') FROM incidents WHERE alerts = 13;
SELECT is(open_alerts || ' ' || (risk > 0), '0 true', 'Risk: a true positive keeps it') FROM incidents WHERE alerts = 13;

SELECT * FROM finish();
ROLLBACK;
