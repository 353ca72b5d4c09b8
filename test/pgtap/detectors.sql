-- A detector is a row: a second analytic is rows and catalogue, nothing else.
\ir settings.psql
SELECT plan(23);

INSERT INTO operations (provider, service, operation, category, effect, attack_technique, sensitivity) VALUES
	('aws', 'kms', 'GetPublicKey', 'key', 'read', NULL, 2), ('aws', 'kms', 'EnableKeyRotation', 'key', 'modify', 'T1552', 2);
INSERT INTO detectors (detector, title, tactic, technique, deduplication_days, categories, effects, severity_base,
	description, goals, investigative_actions)
VALUES ('unusual_key_activity', 'Unusual key management activity', 'TA0006', 'T1555', 1, '{key}', '{create,modify,delete,read}', 'low',
	'A cloud identity did a key operation that is unusual for it.', 'Read what keys protect.', 'Look at what the key protects.');
INSERT INTO variations VALUES ('unusual_key_activity', 'all', 'by a person'), ('unusual_key_activity', 'non_user', 'by a machine');

SELECT lives('ann', '2026-01-01', '2026-02-19');
SELECT lives('bob', '2026-01-01', '2026-02-19');
SELECT put(aws('2026-02-20T10:00:00Z', 'ann', 'GetPublicKey', 'kms', id => 'k1'));
SELECT put(aws('2026-02-20T11:00:00Z', 'ann', 'CreateUser', id => 'c1'));

SELECT is(count(*), 1::bigint, 'Detector: a read raises an alert of the detector that watches reads') FROM alerts
WHERE detector = 'unusual_key_activity' AND operation = 'GetPublicKey';
SELECT is(count(*), 0::bigint, 'Detector: and of no other') FROM alerts WHERE detector = 'unusual_iam_activity' AND operation = 'GetPublicKey';
SELECT is(tactic || ' ' || technique || ' ' || severity || ' ' || variation, 'TA0006 T1555 low by a person',
	'Detector: tactic, technique, severity and variation are those of its rows') FROM alerts WHERE operation = 'GetPublicKey';
SELECT is(detector, 'unusual_iam_activity', 'Detector: an operation of another category is not its own') FROM alerts WHERE operation = 'CreateUser';
SELECT is(count(*), 1::bigint, 'Detector: what is read is remembered') FROM baselines WHERE operation = 'GetPublicKey';
SELECT is(iam_days, '{2026-02-20}'::dayset, 'Detector: a read is no IAM operation, so B has the day of CreateUser alone') FROM identity_days WHERE identity LIKE '%ann';
SELECT put(aws('2026-02-20T12:00:00Z', 'bob', 'GetPublicKey', 'kms'));
SELECT is(iam_days, '{}'::dayset, 'Detector: and no day of IAM for who only reads') FROM identity_days WHERE identity LIKE '%bob';

-- deduplication by detector
SELECT put(aws('2026-02-22T10:00:00Z', 'ann', 'GetPublicKey', 'kms', id => 'k2'));
SELECT is(event_count, 1::bigint, 'Detector: its own deduplication period: two days later is not joined') FROM alerts
WHERE identity LIKE '%ann' AND detector = 'unusual_key_activity' AND first_event_time < '2026-02-21';
SELECT put(aws('2026-02-25T10:00:00Z', 'bob', 'EnableKeyRotation', 'kms'));
SELECT is(count(*), 2::bigint, 'Detector: two that watch an operation each raise an alert') FROM alerts WHERE operation = 'EnableKeyRotation';
SELECT is(string_agg(technique, ' ' ORDER BY detector), 'T1552 T1552', 'Detector: the catalogue''s technique comes first') FROM alerts WHERE operation = 'EnableKeyRotation';

-- the same by backtest
SELECT results_eq($$SELECT identity, operation, first_event_time, severity, variation, technique FROM backtest('log', detector => 'unusual_key_activity') ORDER BY 1, 2, 3$$,
	$$SELECT identity, operation, first_event_time, severity, variation, technique FROM alerts WHERE detector = 'unusual_key_activity' ORDER BY 1, 2, 3$$,
	'Detector: backtest() finds its alerts');

UPDATE variations SET variation = 'other' WHERE (detector, applies_to) = ('unusual_key_activity', 'all');
SELECT is(variation_names, '{other,by a machine,internet_facing}', 'Variations: names follow their table; one without a row is called by its condition')
FROM detectors WHERE detector = 'unusual_key_activity';
SELECT throws_ok($$UPDATE detectors SET effects = '{change}'$$, '22023', NULL, 'Detector: an effect that there is not is refused');
SELECT throws_ok($$UPDATE detectors SET tactic = 'Persistence'$$, '23514', NULL, 'Detector: a tactic is an ATT&CK id');
DELETE FROM detectors WHERE detector = 'unusual_key_activity';
SELECT put(aws('2026-02-26T10:00:00Z', 'ann', 'GetParametersForImport', 'kms'));
SELECT put(aws('2026-03-08T10:00:00Z', 'bob', 'GetPublicKey', 'kms'));
SELECT is(count(*), 1::bigint, 'Detector: without it reads teach nothing any more') FROM baselines WHERE operation = 'GetPublicKey' AND identity LIKE '%bob';
SELECT is(count_days(days), 1, 'Detector: not even a day') FROM baselines WHERE operation = 'GetPublicKey' AND identity LIKE '%bob';
UPDATE operations SET sensitivity = 1 WHERE (provider, service, operation) = ('aws', 'iam', 'CreateUser');
SELECT is(origin, 'user', 'Catalogue: a shipped row that somebody changed is theirs, so that dumps have it') FROM operations WHERE (provider, service, operation) = ('aws', 'iam', 'CreateUser');
SELECT is(title, 'Unusual Identity and Access Management (IAM) activity', 'The one that is shipped is a row too') FROM detectors;

-- A deduplication period of no days: each event an alert, which it has once.
UPDATE detectors SET deduplication_days = 0;
SELECT lives('cy', '2026-01-01', '2026-02-19');
INSERT INTO log VALUES (aws('2026-02-20T10:00:00Z', 'cy', 'CreateUser', id => 'd1')), (aws('2026-02-20T10:00:00Z', 'cy', 'CreateUser', id => 'd1'));
SELECT is(count(*), 1::bigint, 'Re-delivery: within one statement, and without a deduplication period, nothing changes') FROM alerts WHERE identity LIKE '%cy';
SELECT put(aws('2026-02-20T10:00:00Z', 'cy', 'CreateUser', id => 'd1'));
SELECT is(count(*), 1::bigint, 'Re-delivery: without a deduplication period nothing changes') FROM alerts WHERE identity LIKE '%cy';
SELECT put(aws('2026-02-20T10:00:00Z', 'cy', 'CreateUser', id => 'd2'));
SELECT is(count(*), 2::bigint, 'Deduplication of no days: another event of the same time has an alert of its own') FROM alerts WHERE identity LIKE '%cy';
SELECT is(count(*), 2::bigint, 'Re-delivery: nor in a backtest without a deduplication period') FROM backtest('log') WHERE identity LIKE '%cy';
INSERT INTO suppressions (reason, operation) VALUES ('test', 'DeleteUser');
INSERT INTO log SELECT aws('2026-02-20T11:00:00Z', 'cy', 'DeleteUser', id => 's1') FROM generate_series(1, 2);
SELECT put(aws('2026-02-20T11:00:00Z', 'cy', 'DeleteUser', id => 's1'));
SELECT is(count(*), 1::bigint, 'Re-delivery: nor of what is suppressed') FROM suppressed_alerts WHERE identity LIKE '%cy';
SELECT * FROM finish();
ROLLBACK;
