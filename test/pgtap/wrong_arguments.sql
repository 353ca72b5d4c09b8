\ir settings.psql
SELECT plan(54);

-- Whatever is called wrongly says what is wrong in words of its own, with what is allowed: never a message of the
-- machinery inside.

-- settings that are to be tried
SELECT throws_ok(format($$SELECT * FROM backtest_summary('log', ARRAY[%L]::jsonb[])$$, s), '22023', m, 'Backtest: ' || coalesce(s, 'a null in the array'))
FROM (VALUES ('1', 'settings to be tried are no object: 1'), ('[{}]', 'settings to be tried are no object: [{}]'),
	('null', 'settings to be tried are no object: null'), (NULL, 'settings to be tried are no object: null'),
	('{"probability_limit": "x"}', 'setting "probability_limit" cannot be "x"'),
	('{"probability_limit": 1e400}', NULL), ('{"training_days": 1.5}', 'setting "training_days" cannot be 1.5'),
	('{"training_days": 99999999999}', 'setting "training_days" cannot be 99999999999'),
	('{"training_days": true}', 'setting "training_days" cannot be true'),
	('{"categories": "role"}', 'setting "categories" cannot be "role"'),
	('{"categories": [["role"], 1]}', 'setting "categories" cannot be [["role"], 1]')) AS w (s, m);
SELECT is(hint($$SELECT * FROM backtest_summary('log', ARRAY['{"training_days": 1.5}']::jsonb[])$$) || hint($$SELECT * FROM backtest_summary('log', ARRAY['1']::jsonb[])$$),
	'Use a whole number.Give objects such as {"probability_limit": 0.01, "daily_budget": 3}.', 'Backtest: and what can be tried');
SELECT is(array_agg(setting->>'training_days' ORDER BY n), '{1,2,3,4}', 'Backtest: an array of several dimensions is a list of settings too')
FROM backtest_summary('log', ARRAY[['{"training_days": 1}', '{"training_days": 2}'], ['{"training_days": 3}', '{"training_days": 4}']]::jsonb[])
	WITH ORDINALITY AS s (setting, alerts, days, alerts_per_day, identities, by_severity, new_alerts, vanished_alerts, incidents, incidents_per_day, urgent_incidents, urgent_per_day, n);
SELECT is(setting, '{"training_days": null}', 'Backtest: a null is the detector''s own') FROM backtest_summary('log', ARRAY['{"training_days": null}']::jsonb[]);

SELECT throws_ok('SELECT * FROM backtest(''log'', detector => NULL)', '42704', 'detector null does not exist', 'Backtest: no detector');
SELECT throws_ok('SELECT * FROM backtest(''log'', detector => ''x'')', '42704', 'detector "x" does not exist', 'Backtest: a detector that there is not');

-- how far before the watermark
CREATE TABLE numbered (id bigint, at timestamptz, event jsonb);
SELECT throws_ok(format('SELECT check_overlap(%L, %L, %L)', 'numbered', c, o), '22023', format('invalid overlap: %L', o), 'Overlap: ' || o || ' with ' || c)
FROM (VALUES ('id', '-1'), ('id', 'NaN'), ('id', 'infinity'), ('id', '99999999999999999999'), ('at', '-1 hour'), ('at', 'x')) AS v (c, o);
SELECT is(hint($$SELECT check_overlap('numbered', 'id', '-1')$$) || hint($$SELECT check_overlap('numbered', 'at', '-1 hour')$$),
	'Column "id" is of type bigint: use a number from 0 to 9223372036854775807.Column "at" is of type timestamp with time zone: use an interval such as 10 minutes, not below nothing.',
	'Overlap: and what is allowed');
INSERT INTO sources (source, event_column, order_column, watermark, overlap) VALUES ('numbered', 'event', 'id', '7', '-5');
SELECT throws_ok($$SELECT before_watermark('numbered', 'id', '7', (SELECT overlap FROM sources WHERE source = 'numbered'::regclass))$$,
	'22023', 'invalid overlap: ''-5''', 'Overlap: one that was written by hand is asked the same');

-- the report
SELECT ok(report('-infinity', 'infinity') = report(), 'Report: infinite times are no bound');
SELECT throws_ok($$SELECT report('infinity')$$, '22023', NULL, 'Report: but it cannot begin at the end of time');
SELECT throws_ok($$SELECT report(until => '-infinity')$$, '22023', NULL, 'Report: nor end at its beginning');

-- others
SELECT throws_ok('SELECT grant_access(99999999, ''read'')', '42704', 'role 99999999 does not exist', 'Privileges: a role that is gone');
SELECT throws_ok('SELECT grant_access(''-'', ''read'')', '42704', 'role 0 does not exist', 'Privileges: no role');
SELECT throws_ok('SELECT grant_access(NULL, ''read'')', '42704', 'role null does not exist', 'Privileges: null');
SELECT throws_ok('SELECT * FROM everywhere(NULL::event)', '42809', 'type iamwatch.event is not that of a table or view of iamwatch', 'Everywhere: a type that has no rows anywhere');
SELECT throws_ok($$SELECT import_gcp_instances('[{"selfLink": "x", "id": "1"}]', '[]')$$, '22023', NULL, 'GCP: a selfLink that is none names no project either');
SELECT throws_ok('SELECT surprise(1.0000001)', '22003', 'probability 1.0000001 is out of range', 'Surprise: what is just above 1 is not said to be 1');
SELECT throws_ok($$UPDATE detectors SET title = ''$$, '23514', 'invalid value for title of iamwatch.detectors', 'Detector: its alerts must be called something');

SELECT throws_ok('UPDATE detectors SET detector = repeat(''x'', 1001)', '23514', 'invalid value for detector of iamwatch.detectors', 'Detector: indexes of alerts and incidents must be able to hold its name');
SELECT is(hint('UPDATE detectors SET detector = repeat(''x'', 1001)'), 'Give it a name, of 1000 bytes at most.', 'Detector: how long it may be');

-- what maps columns is a relation of somebody's
SELECT throws_ok('SELECT map_columns(''pg_class'', ''{"eventTime": "relname"}'')', '42809', 'relation "pg_class" cannot be a source of events', 'Columns: not of the system');
CREATE SEQUENCE numbers;
SELECT throws_ok('SELECT map_columns(''numbers'')', '42809', 'relation "public.numbers" cannot be a source of events', 'Columns: not of a sequence');
SELECT throws_ok('SELECT map_columns(99999999)', '42P01', 'relation with OID 99999999 does not exist', 'Columns: not of what is gone');
SELECT lives_ok('SELECT map_columns(99999999, ''{}'')', 'Columns: but its mapping can be ended');
SELECT is(hint('UPDATE limits SET value = 101 WHERE name = ''notification_queue'''), 'Use 0 to 100 percent; delete the row for no limit.', 'Limits: there are no more than 100 percent');
SELECT is(string_agg(setting, ', '), NULL, 'Detector: the comment of each number says what it may be') FROM setting_ranges()
WHERE col_description('detectors'::regclass, (SELECT attnum FROM pg_attribute WHERE attrelid = 'detectors'::regclass AND attname = setting)) NOT LIKE format('%%; %s to %s', lowest, highest);

-- what commits says so, instead of that a COMMIT was invalid
SELECT throws_ok(format('CALL iamwatch.%s', c), '2D000', format('iamwatch.%s() cannot be called in a transaction block', split_part(c, '(', 1)), 'Transaction: not in one, ' || c)
FROM unnest(ARRAY['backfill(''log'')', 'backfill_contexts(''log'')', 'backfill_work()', 'process(''log'')', 'maintain()', 'carry_accounts()']) AS c;
SELECT is(hint('CALL iamwatch.maintain()'), 'Call it by itself, with autocommit on where the client begins transactions of its own accord.', 'Transaction: and what to do');

-- what only the owner may do, since the history of alerts is nobody else's, is said so
CREATE ROLE iamwatch_tap_admin;
SELECT grant_access('iamwatch_tap_admin', 'administer');
SET LOCAL ROLE iamwatch_tap_admin;
SELECT throws_ok('SELECT grant_access(''iamwatch_tap_admin'', ''read'')', '42501', 'only the owner of the extension may grant access', 'Administrator: grants nobody anything');
SELECT is(hint('SELECT grant_access(''iamwatch_tap_admin'', ''read'')'), 'Ask a member of role ' || nspowner::regrole || '.', 'Administrator: and is told who does') FROM pg_namespace WHERE nspname = 'iamwatch';
SELECT throws_ok('SELECT forget_account(''aws'', ''1'')', '42501', 'only the owner of the extension may forget an account', 'Administrator: forgets no account');
SELECT throws_ok('SELECT import_account(ARRAY[''{"format": 2, "account": {"provider": "aws", "account": "1"}}'']::jsonb[])', '42501', 'only the owner of the extension may import an account', 'Administrator: nor takes one over');
RESET ROLE;

-- what the machinery is called with by hand
SELECT throws_ok($$SELECT incidents_behind(ROW(NULL, 'aws', '1', 'ann', now(), now())::incident_part)$$, '22004', 'detector of a row of incident_part must not be null', 'Machinery: a field that is null is named');

SELECT * FROM finish();
ROLLBACK;
