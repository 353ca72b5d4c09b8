# The statements that the documentation gives for pg_cron, run by pg_cron.
use strict;
use warnings;
use lib 't';
use Server;
use Test::More;

plan skip_all => 'pg_cron is not installed' unless has_extension('pg_cron');

my $node = new_server('cron', conf => "shared_preload_libraries = 'pg_cron'\ncron.use_background_workers = on\nmax_worker_processes = 20");
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_cron;
	CREATE EXTENSION iamwatch;
	CREATE TABLE loaded (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb);
	INSERT INTO loaded (event) SELECT jsonb_build_object('eventTime', to_char(d, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'eventSource', 'iam.amazonaws.com', 'eventName', CASE WHEN d < '2026-01-20' THEN 'ListUsers' ELSE 'CreateUser' END,
		'recipientAccountId', '1', 'eventID', d::text, 'userIdentity', '{"type": "IAMUser", "arn": "a"}'::jsonb)
	FROM generate_series('2026-01-01'::timestamptz, '2026-01-20', '1 day') AS d;
	SELECT cron.schedule('iamwatch process', '1 second', $$CALL iamwatch.process('public.loaded', order_column => 'id')$$)
		WHERE (SELECT extversion >= '1.5' FROM pg_extension WHERE extname = 'pg_cron');
	SELECT cron.schedule('iamwatch process', '* * * * *', $$CALL iamwatch.process('public.loaded', order_column => 'id')$$)
		WHERE (SELECT extversion < '1.5' FROM pg_extension WHERE extname = 'pg_cron');
	SELECT cron.schedule('iamwatch maintain', '* * * * *', 'CALL iamwatch.maintain()');
});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM iamwatch.alerts'), 'process: scheduled with pg_cron, it raises the alert');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE command LIKE '%maintain%' AND status = 'succeeded'}),
	'maintain: scheduled with pg_cron, it succeeds');
$node->stop;
done_testing();
