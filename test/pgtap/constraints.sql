\ir settings.psql
SELECT no_plan();

-- what is said beside the message, of whatever is refused
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'nothing is wrong';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws('|', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- Every rule of a table that people write says what is allowed.
CREATE VIEW settings AS SELECT c.oid, c.oid::regclass AS name FROM pg_class AS c
WHERE c.relnamespace = 'iamwatch'::regnamespace AND c.relkind = 'r'
AND c.relname NOT IN ('alerts', 'alert_events', 'alert_history', 'rejected_events');	-- written by triggers, or checked by triage
SELECT cmp_ok(count(*), '>=', 10::bigint, 'Constraints: there are tables of settings') FROM settings;
SELECT is_empty('SELECT name FROM settings AS s WHERE NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = s.oid AND t.tgname = ''within_constraints'')',
	'Constraints: every table of settings explains what it refuses');
SELECT is_empty($$SELECT s.name, c.conname FROM settings AS s JOIN pg_constraint AS c ON c.conrelid = s.oid AND c.contype = 'c'
	WHERE obj_description(c.oid, 'pg_constraint') IS NULL$$, 'Constraints: every one has a hint');
SELECT is_empty($$SELECT s.name, t.tgname FROM settings AS s JOIN pg_trigger AS t ON t.tgrelid = s.oid
	WHERE NOT t.tgisinternal AND t.tgtype & 3 = 3 AND t.tgname > 'within_constraints'$$, 'Constraints: nothing changes a row once it was checked');

-- and so it is, of whichever table: message, detail and hint
CREATE TABLE wrong (statement text, says text);
INSERT INTO wrong VALUES
	('INSERT INTO variations VALUES (''nowhere'', ''all'', ''x'')', '22023|unknown detector "nowhere"|Use one of unusual_iam_activity.'),
	('INSERT INTO variations VALUES (''unusual_iam_activty'', ''all'', ''x'')', '22023|unknown detector "unusual_iam_activty"|Did you mean unusual_iam_activity? Use one of unusual_iam_activity.'),
	('UPDATE variations SET detector = ''nowhere''', '22023|unknown detector "nowhere"|Use one of unusual_iam_activity.'),
	('UPDATE variations SET applies_to = ''everyone''', '22023|unknown condition "everyone"|Use one of all, internet_facing, non_user.'),
	('UPDATE variations SET variation = ''''', '23514|invalid value for variation of iamwatch.variations|The row has: variation is ''''.|Give it a name, or delete the row to have it called by its condition.'),
	('UPDATE variations SET variation = NULL', '23502|variation of iamwatch.variations must not be null|It is: its name, in iamwatch.alerts.|Give variation a value.'),
	('UPDATE detectors SET effects = ''{{create,modify}}''', '23514|invalid value for effects of iamwatch.detectors|The row has: effects is ''[["create", "modify"]]''.|List some of create, modify, delete, read, not lists of them and no null.'),
	('UPDATE detectors SET effects = ''{create,NULL}''', '23514|invalid value for effects of iamwatch.detectors|The row has: effects is ''["create", null]''.|List some of create, modify, delete, read, not lists of them and no null.'),
	('UPDATE detectors SET context_kinds = ''{{burst,first_day}}''', '23514|invalid value for context_kinds of iamwatch.detectors|The row has: context_kinds is ''[["burst", "first_day"]]''.|List kinds of context, not lists of them and no null; set it to null for all.'),
	('UPDATE detectors SET tactic = ''Persistence''', '23514|invalid value for tactic of iamwatch.detectors|The row has: tactic is ''Persistence''.|Write it as ATT&CK does: TA and four digits, such as TA0003.'),
	('UPDATE detectors SET technique = ''1098''', '23514|invalid value for technique of iamwatch.detectors|The row has: technique is ''1098''.|Write it as ATT&CK does, such as T1098 or T1098.003.'),
	('UPDATE detectors SET notify = NULL', '23502|notify of iamwatch.detectors must not be null|It is: ' || (SELECT col_description('detectors'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'detectors'::regclass AND attname = 'notify')
		|| '.|Give notify a value, or leave it out to have true.'),
	('INSERT INTO detectors (title) VALUES (''x'')', '23502|detector of iamwatch.detectors must not be null|It is: its name.|Give detector a value.'),
	('UPDATE operations SET operation = '''' WHERE operation = ''CreateUser''', '23514|invalid value for operation of iamwatch.operations|The row has: operation is ''''.|Write it as events have it, or how it ends with match suffix.'),
	('INSERT INTO operations (provider, service, operation, category, effect) VALUES (''aws'', ''x'', ''X'', '''', ''read'')', '23514|invalid value for category of iamwatch.operations|The row has: category is ''''.|Use one of those in iamwatch.operations, or a name of your own.'),
	('UPDATE limits SET value = -1 WHERE name = ''alerts''', '23514|invalid value for value of iamwatch.limits|The row has: value is ''-1''.|Use 0 or more; delete the row for no limit.'),
	('INSERT INTO playbook (kind, name, phase, place, step) VALUES (''category'', ''account'', ''check'', 0, ''x'')', '23514|invalid value for place of iamwatch.playbook|The row has: place is ''0''.|Use 1 for the first step, 2 for the second, and so on.'),
	('UPDATE sources SET silent_after = ''-1 day''', '23514|invalid value for silent_after of iamwatch.sources|The row has: silent_after is ''-1 days''.|Use an interval longer than nothing, such as 26 hours.'),
	('INSERT INTO instances (provider, account, instance_id) VALUES (''awss'', ''1'', ''i-0123456789abcdef0'')', '22023|unknown provider "awss"|Did you mean aws? Use one of aws, azure, gcp.'),
	('INSERT INTO instances (provider, account, instance_id) VALUES (''aws'', ''1'', '''')', '23514|invalid values for provider, instance_id of iamwatch.instances|The row has: provider is ''aws'', instance_id is ''''.|Write it as events have it: of AWS i-0123456789abcdef0, of Azure the resource id in lower case.'),
	('INSERT INTO instances (provider, account, instance_id) VALUES (''azure'', ''1'', ''/subscriptions/S'')', '23514|invalid values for provider, instance_id of iamwatch.instances|The row has: provider is ''azure'', instance_id is ''/subscriptions/S''.|Write it as events have it: of AWS i-0123456789abcdef0, of Azure the resource id in lower case.'),
	('INSERT INTO instances (provider, account, instance_id, public_ips) VALUES (''aws'', ''1'', ''i-1'', ''{{192.0.2.1}}'')', '23514|invalid value for public_ips of iamwatch.instances|The row has: public_ips is ''[["192.0.2.1"]]''.|List addresses, not lists of them and no null; {} for none.'),
	('INSERT INTO instances (provider, account) VALUES (''aws'', ''1'')', '23502|instance_id of iamwatch.instances must not be null|It is: ' || (SELECT col_description('instances'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'instances'::regclass AND attname = 'instance_id')
		|| '.|Give instance_id a value.'),
	('INSERT INTO providers (provider, recognised_by, account_default, service_default, identity_path, operation_path, event_time_path, result_path, success_values)'
		' VALUES (''own'', ''{x}'', ''a'', ''s'', ''{i}'', ''{o}'', ''{t}'', ''{r}'', ''{{ok}}'')', '23514|invalid value for success_values of iamwatch.providers|The row has: success_values is ''[["ok"]]''.|List the results that mean success, not lists of them and no null.'),
	('INSERT INTO suppressions (reason) VALUES (''all'')', '23514|invalid values for account, identity, identity_pattern, service, operation, category, source_network, source_host, user_agent_pattern, acting_for of iamwatch.suppressions|The row has: account is null, identity is null, identity_pattern is null, service is null, operation is null, category is null, source_network is null, source_host is null, user_agent_pattern is null, acting_for is null.|Give account, identity, identity_pattern, service, operation, category, source_network, source_host, user_agent_pattern or acting_for; the others only narrow these.'),
	('INSERT INTO suppressions (identity) VALUES (''ann'')', '23502|reason of iamwatch.suppressions must not be null|It is: why, for whoever reads it later.|Give reason a value.'),
	('INSERT INTO suppressions (reason, identity, starts_at, expires_at) VALUES (''x'', ''ann'', ''2026-02-02'', ''2026-02-01'')', '23514|invalid values for starts_at, expires_at of iamwatch.suppressions|The row has: starts_at is ''2026-02-02T00:00:00+00:00'', expires_at is ''2026-02-01T00:00:00+00:00''.|Let it expire after it starts; leave expires_at out to have it hold for good.'),
	('INSERT INTO suppressions (reason, account) VALUES (''x'', '''')', '23514|invalid value for account of iamwatch.suppressions|The row has: account is ''''.|Write it as in iamwatch.alerts, or leave it out for any.');
SET timezone = 'UTC';
SELECT is(said(statement), says, 'Constraints: ' || statement) FROM wrong;

-- what is allowed stays allowed
SELECT lives_ok($$INSERT INTO variations VALUES ('unusual_iam_activity', 'all', 'plain')$$, 'Variations: of a detector that there is');
SELECT lives_ok($$UPDATE detectors SET effects = '{create,delete}', context_kinds = '{burst}', context_bits = 1$$, 'Detector: lists of what there is');
SELECT lives_ok($$UPDATE detectors SET context_kinds = '{}'$$, 'Detector: no kind of context');
SELECT lives_ok($$INSERT INTO instances (provider, account, instance_id, public_ips) VALUES ('gcp', 'p', '1', '{192.0.2.1,192.0.2.2}')$$, 'Inventory: an instance');
SET check_function_bodies = off;
SET row_security = off;
SELECT lives_ok($$INSERT INTO variations VALUES ('later', 'all', 'x')$$, 'Restore: names of a detector that comes later');
SELECT lives_ok($$INSERT INTO instances (provider, account, instance_id) VALUES ('later', 'p', '1')$$, 'Restore: an instance of a provider that comes later');

SELECT * FROM finish();
ROLLBACK;
