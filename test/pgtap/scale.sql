-- What lets the work be spread over servers: aggregates whose state travels,
-- and tables that a server holds by account.
\ir settings.psql
SELECT plan(6);

SELECT is_empty($$
	SELECT aggfnoid FROM pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid
	WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND (aggtranstype::regtype IN ('internal', 'anyelement', 'anyarray') OR aggcombinefn = 0)
	$$, 'The state of each aggregate is a type of its own, and two states combine');
SELECT is_empty($$
	SELECT pg_proc.oid::regprocedure FROM pg_proc
	WHERE pronamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND (proname LIKE 'dayset%' OR proname LIKE '%\_days' OR proname ~ 'day(s)?$')
	AND prorettype IN ('iamwatch.dayset'::regtype, 'boolean'::regtype)
	AND 'iamwatch.dayset'::regtype = ANY (proargtypes) AND (provolatile <> 'i' OR proparallel <> 's')
	$$, 'What is done with sets of days is immutable and parallel safe, so that it is sent to where they are');
SELECT is_empty($$
	SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
	WHERE i.indrelid IN ('identity_days'::regclass, 'account_operations'::regclass, 'behaviour_days'::regclass, 'tallies'::regclass)
	AND a.attname <> 'account_id'
	$$, 'Every key and index of the baselines begins with the account');
SELECT results_eq($$
	SELECT c.relname::text FROM pg_class AS c
	WHERE c.relname IN ('alerts', 'pending_events', 'journal', 'accounts', 'instances') AND c.relnamespace = ANY ('{iamwatch,iamwatch_internal}'::regnamespace[]) AND c.relkind = 'r'
	AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnotnull
		AND (a.attname = 'account' OR a.atttypid = 'iamwatch.event'::regtype))
	$$, ARRAY[]::text[], 'What is not a baseline but of an account says of which');
SELECT cmp_ok((SELECT sum(pg_total_relation_size(t)) FROM unnest(ARRAY['operations', 'detectors']::regclass[]) AS t), '<', 1024 * 1024::numeric,
	'Catalogue and settings are small enough to be on every server: less than a megabyte');
SELECT set_eq($$
	SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'settings_changed'::regproc AND tgtype & 1 = 1 AND tgenabled = 'R' $$,
	$$SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'settings_changed'::regproc AND tgtype & 1 = 0 $$,
	'What sessions keep a copy of they read anew, also when a subscription changes it');
SELECT * FROM finish();
ROLLBACK;
