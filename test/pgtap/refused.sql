\ir settings.psql
SELECT plan(65);

-- detectors
SELECT throws_ok($$UPDATE detectors SET categories = '{crednetial}'$$, '22023', 'unknown category "crednetial"', 'Detector: a category that is misspelled');
SELECT matches(hint($$UPDATE detectors SET categories = '{crednetial}'$$), '^Did you mean credential\? Use one of account, credential, ', 'Detector: the nearest, and all that are allowed');
SELECT throws_ok($$UPDATE detectors SET categories = '{credential,x}'$$, '22023', 'unknown category "x"', 'Detector: one of several categories');
SELECT throws_ok($$UPDATE detectors SET categories = '{}'$$, '22023', NULL, 'Detector: no category at all, which would watch nothing');
SELECT throws_ok($$UPDATE detectors SET categories = '{credential,NULL}'$$, '22023', NULL, 'Detector: a null among the categories');
SELECT throws_ok($$INSERT INTO detectors (detector, title, categories) VALUES ('x', 'x', '{crednetial}')$$, '22023', NULL, 'Detector: also a new one');
SELECT lives_ok($$UPDATE detectors SET categories = '{credential,sign_in}'$$, 'Detector: every category of the catalogue is allowed');
UPDATE detectors SET categories = NULL;
SELECT throws_ok($$UPDATE detectors SET context_kinds = '{new_networks}'$$, '22023', 'unknown context "new_networks"', 'Detector: a context');
SELECT throws_ok($$UPDATE detectors SET context_bits = 11$$, '22023', 'context_bits must be between 0 and 10', 'Detector: a number out of range');
SELECT throws_ok('UPDATE detectors SET training_days = NULL', '22023', 'training_days must be between 1 and 3650', 'Detector: no number where one is needed');
SELECT is(hint('UPDATE detectors SET least_risk = 101'), 'Use a number from 0 to 100; the default is null.', 'Detector: of one that may be null too');
SELECT is(hint($$UPDATE detectors SET context_bits = 11$$) || hint($$UPDATE detectors SET training_days = 0$$),
	'Use a number from 0 to 10; the default is 0.Use a number from 1 to 3650; the default is 30.', 'Detector: what is allowed, and the default');
SELECT throws_ok($$UPDATE detectors SET effects = '{created}'$$, '22023', 'unknown effect "created"', 'Detector: an effect');
SELECT throws_ok($$UPDATE detectors SET effects = '{}'$$, '22023', NULL, 'Detector: no effect');
SELECT throws_ok($$SELECT * FROM backtest('log', categories => '{crednetial}')$$, '22023', 'unknown category "crednetial"', 'Backtest: the same');
SET LOCAL extra_float_digits = -15;
SELECT throws_ok($$SELECT * FROM backtest('log', probability_limit => 1.04)$$, '22023', 'probability_limit must be between 0 and 1', 'Backtest: a number that the session would write as 1');
SELECT throws_ok($$SELECT * FROM backtest_summary('log', probability_limit => 1.04)$$, '22023', 'probability_limit must be between 0 and 1', 'Backtest: and in its summary');
SELECT throws_ok('UPDATE detectors SET least_risk = 104', '22023', 'least_risk must be between 0 and 100, or null', 'Detector: one that it would write as 100');
RESET extra_float_digits;

-- the catalogue
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('awss', 'iam', 'X', 'role', 'create')$$, '22023', 'unknown provider "awss"', 'Catalogue: a provider');
SELECT matches(hint($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('awss', 'iam', 'X', 'role', 'create')$$), 'Did you mean aws\? Use one of aws, azure, gcp', 'Catalogue: the providers that there are');
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam.amazonaws.com', 'X', 'role', 'create')$$, '22023', NULL, 'Catalogue: a service of AWS with its domain');
SELECT is(hint($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam.amazonaws.com', 'X', 'role', 'create')$$), 'Write it as events have it once they are read: iam.', 'Catalogue: how it is written');
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam.amazonaws.com.cn', 'X', 'role', 'create')$$, '22023', NULL, 'Catalogue: also that of China');
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'X', 'role', 'creates')$$, '22023', 'unknown effect "creates"', 'Catalogue: an effect');
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'X', 'permision', 'create')$$, '22023', 'unknown category "permision"', 'Catalogue: a category that is nearly another');
SELECT lives_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'X', 'badges', 'create')$$, 'Catalogue: a category of one''s own');
SELECT lives_ok($$UPDATE detectors SET categories = '{badges}'$$, 'Detector: and it can be watched');
UPDATE detectors SET categories = NULL;
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect, sensitivity) VALUES ('aws', 'iam', 'Y', 'role', 'create', 5)$$, '22023', 'sensitivity must be between 1 and 4', 'Catalogue: a sensitivity');
SELECT throws_ok($$UPDATE operations SET effect = 'x' WHERE operation = 'X'$$, '22023', NULL, 'Catalogue: also by UPDATE');
SELECT throws_ok($$INSERT INTO limits (name, value, shipped_value, counted, beyond) VALUES ('alert', 1, 1, '', '')$$, '22023', 'unknown limit "alert"', 'Limits: one that nothing asks for');
SELECT lives_ok('UPDATE limits SET name = name', 'Limits: each that is shipped may be written');
SELECT throws_ok($$UPDATE detectors SET categories = '{{credential,account},{role,policy}}'$$, '22023', NULL, 'Detector: categories in categories');
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('aws', 'IAM.AmazonAWS.com', 'X', 'role', 'create')$$, '22023', NULL, 'Catalogue: the domain of AWS, however it is written');

-- the playbook
SELECT throws_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('categry', 'account', 'check', 9, 'x')$$, '22023', 'unknown kind "categry"', 'Playbook: a kind');
SELECT throws_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('category', 'account', 'checks', 9, 'x')$$, '22023', 'unknown phase "checks"', 'Playbook: a phase');
SELECT throws_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('category', 'acount', 'check', 9, 'x')$$, '22023', 'unknown category "acount"', 'Playbook: a category');
SELECT throws_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('operation', 'CreateUser', 'check', 9, 'x')$$, '22023', 'operation "CreateUser" has no service', 'Playbook: an operation without its service');
SELECT is(hint($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('technique', '1098', 'check', 9, 'x')$$), 'Write it as in iamwatch.alerts, such as T1098 or T1098.003.', 'Playbook: a technique');
SELECT matches(hint($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('category', 'account', 'check', 9, 'Call {targte}.')$$), 'Use one of account, granted, identity, target', 'Playbook: a placeholder');
SELECT throws_ok($$UPDATE playbook SET step = 'Call {who}.' WHERE name = 'account'$$, '22023', 'unknown placeholder "who"', 'Playbook: also by UPDATE');
SELECT lives_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('category', 'badges', 'check', 9, 'Read the badge of {target}.')$$, 'Playbook: a category of one''s own');

-- suppressions
SELECT throws_ok($$INSERT INTO suppressions (reason, category) VALUES ('x', 'acount')$$, '22023', 'unknown category "acount"', 'Suppression: a category');
SELECT throws_ok($$INSERT INTO suppressions (reason, provider, operation) VALUES ('x', 'AWS', 'CreateUser')$$, '22023', 'unknown provider "AWS"', 'Suppression: a provider');
SELECT throws_ok($$INSERT INTO suppressions (reason, detector, operation) VALUES ('x', 'unusual_iam', 'CreateUser')$$, '22023', 'unknown detector "unusual_iam"', 'Suppression: a detector');
SELECT throws_ok($$INSERT INTO suppressions (reason, service) VALUES ('x', 'iam.amazonaws.com')$$, '22023', NULL, 'Suppression: a service with its domain');
SELECT throws_ok($$SELECT * FROM suppression_preview(category => 'acount')$$, '22023', 'unknown category "acount"', 'Preview: a category, instead of nothing that it would hide');
SELECT throws_ok($$SELECT * FROM suppression_preview(service => 'iam.amazonaws.com')$$, '22023', NULL, 'Preview: a service with its domain');
SELECT is(nearest('CreateUsers', ARRAY(SELECT operation FROM operations WHERE provider = 'aws')), 'CreateUser', 'Nearest: of the whole catalogue');
SELECT is(ARRAY[nearest('rloe', '{role}'), nearest('rlo', '{role}'), nearest('abcd', '{abxyzd}'), nearest('xxxdential', '{credential}')], '{role,role,NULL,NULL}',
	'Nearest: two changes of a short word are near, three are not');
SELECT is(nearest('zzzzzzzz', ARRAY['CreateUser']), NULL, 'Nearest: nothing is near');
SELECT is(ARRAY[distance('', 'abc'), distance('kitten', 'sitting'), distance('crednetial', 'credential'), distance('a', 'a')], '{3,3,2,0}', 'Nearest: insertions, deletions and replacements are counted');
SELECT lives_ok($$INSERT INTO suppressions (reason, operation) VALUES ('misspelled', 'CreateUsers')$$, 'Suppression: an operation that nobody knows is taken, with a warning');

-- a dump is taken as it is, since what a row refers to may come later: it has both settings off, as nobody else has
SET check_function_bodies = off;
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('later', 'x', 'X', 'lates', 'create')$$, '22023', 'unknown provider "later"', 'Restore: not without row_security off');
SET row_security = off;
RESET check_function_bodies;
SELECT throws_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('later', 'x', 'X', 'lates', 'create')$$, '22023', 'unknown provider "later"', 'Restore: nor without check_function_bodies off');
SET check_function_bodies = off;
SELECT lives_ok($$INSERT INTO operations (provider, service, operation, category, effect) VALUES ('later', 'x', 'X', 'lates', 'create')$$, 'Restore: a provider that comes later');
SELECT lives_ok($$INSERT INTO detectors (detector, title, categories) VALUES ('x', 'x', '{later}')$$, 'Restore: a category that comes later');
SELECT lives_ok($$INSERT INTO playbook (kind, name, phase, place, step) VALUES ('category', 'lates2', 'check', 9, 'x')$$, 'Restore: a step for a category that comes later');
RESET check_function_bodies;
RESET row_security;

-- an alert can be decided as long as it is there
INSERT INTO alerts (detector, variation, severity, first_event_time, last_event_time, event_count, provider, account, identity, identity_kind,
	service, operation, failed, category, sensitivity, tactic, technique, probability, surprise, evidence)
VALUES ('gone', 'base', 'low', '2026-02-01', '2026-02-01', 1, 'left', '1', 'ann', 'user', 'iam', 'Do', false, 'account', 1, 'TA0003', 'T1098', 0.01, 6.6, '{}');
SELECT lives_ok($$SELECT triage(alert_id, resolution => 'benign') FROM alerts WHERE detector = 'gone'$$, 'Triage: an alert of a detector and a provider that are no more');
SELECT is(detector || ' ' || provider, 'gone left', 'Triage: its suppression is of these') FROM suppressions WHERE alert_id IS NOT NULL;

-- status
SELECT is(warnings, '{"x": "no operation of the catalogue has its categories, effects and sensitivity: it watches nothing"}', 'Status: a detector that watches nothing') FROM status;
UPDATE detectors SET enabled = false WHERE detector = 'unusual_iam_activity';
SELECT is(warnings->>'unusual_iam_activity', 'it is disabled', 'Status: one that is disabled') FROM status;
DELETE FROM detectors;
SELECT is(warnings, '{"": "there is no detector"}', 'Status: none at all') FROM status;
INSERT INTO detectors (detector, title) VALUES ('one', 'one');
SELECT is(warnings, '{}', 'Status: all is well') FROM status;
SELECT put(aws('2026-01-01T08:00:00Z', 'ann', 'ListBuckets', 's3'));
SELECT is(learns_until, '2026-01-15T08:00:00Z', 'Accounts: until when they learn') FROM accounts;
UPDATE detectors SET activation_days = 3;
SELECT is(learns_until, '2026-01-04T08:00:00Z', 'Accounts: by the settings of the detectors') FROM accounts;

SELECT * FROM finish();
ROLLBACK;
