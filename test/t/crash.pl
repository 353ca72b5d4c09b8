# Nothing lost, nothing doubled: crash, kill, dump and restore, standby.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

my $events = q{
	CREATE FUNCTION e(who text, at timestamptz, operation text = 'ListUsers') RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('eventTime', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'eventSource', 'iam.amazonaws.com',
			'eventName', operation, 'eventID', who || at || operation, 'recipientAccountId', '1',
			'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
	CREATE TABLE log (event jsonb);
};
my $history = q{INSERT INTO log SELECT e('user' || n, d + n * interval '1 minute')
	FROM generate_series('2026-01-01'::timestamptz, '2026-01-25', '1 day') AS d, generate_series(1, 200) AS n};
my $attack = q{INSERT INTO log SELECT e('user' || n, '2026-01-25T12:00:00Z', 'CreateUser') FROM generate_series(1, 20) AS n};
my $state = q{SELECT md5(string_agg(r, ',' ORDER BY r COLLATE "C")) || ' ' || count(*) FROM (
	SELECT concat_ws('|', identity, operation, severity, event_count, first_event_time, evidence) FROM iamwatch.alerts
	UNION ALL SELECT concat_ws('|', identity, days) FROM iamwatch.identities
	UNION ALL SELECT concat_ws('|', identity, operation, days) FROM iamwatch.baselines) AS x (r)};

my $node = new_server('primary', allows_streaming => 1);
$node->safe_psql('postgres', "CREATE EXTENSION iamwatch; $events SELECT iamwatch.watch('log');");
$node->safe_psql('postgres', $history);
$node->safe_psql('postgres', $attack);
my $expected = $node->safe_psql('postgres', $state);
like($expected, qr/ 240$/, '20 alerts, 200 identities, 20 behaviours');

# a transaction that is under way when the server dies leaves nothing
$node->psql('postgres', "BEGIN; INSERT INTO log VALUES (e('late', '2026-01-25T13:00:00Z', 'CreateUser')); SELECT pg_terminate_backend(pg_backend_pid());");
is($node->safe_psql('postgres', $state), $expected, 'a backend that is terminated in mid-transaction leaves nothing');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $state), $expected, 'immediate shutdown: what was committed is there');
$node->safe_psql('postgres', "CALL iamwatch.backfill('log'); CALL iamwatch.maintain();");
is($node->safe_psql('postgres', $state), $expected, 'backfill and maintenance after it change nothing');

# dump and restore
my $dump = $node->basedir . '/dump';
$node->safe_psql('postgres', q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'mine', 'Do', 'permission', 'modify');
	UPDATE iamwatch.operations SET sensitivity = 4 WHERE operation = 'CreateUser' AND service = 'iam';
	UPDATE iamwatch.detectors SET probability_limit = 0.01});
# of a relation that is gone a dump would have a number, which may be another's where it is restored
$node->safe_psql('postgres', q{CREATE TABLE gone ("eventName" text, event jsonb); SELECT iamwatch.map_columns('gone', '{"eventName": "eventName"}'), iamwatch.watch('gone');
	INSERT INTO gone ("eventName") VALUES ('x'); CREATE TABLE gone_too (event jsonb); INSERT INTO gone_too VALUES ('{}')});
$node->safe_psql('postgres', q{CALL iamwatch.backfill('gone_too')});
$node->safe_psql('postgres', 'DROP TABLE gone, gone_too');
my $gone = join ' + ', map { "(SELECT count(*) FROM $_ WHERE pg_table_is_visible(source) IS NULL)" }
	'iamwatch.sources', 'iamwatch_internal.column_fields', 'iamwatch_internal.source_counts', 'iamwatch_internal.backfills';
cmp_ok($node->safe_psql('postgres', "SELECT $gone"), '>=', 4, 'Relations that are gone are remembered until the next maintain()');
my $users = q{SELECT string_agg(concat_ws('|', service, operation, sensitivity), ',' ORDER BY service) FROM iamwatch.operations WHERE origin = 'user'};
for my $jobs (1, 3)
{
	command_ok([ 'pg_dump', '-Fd', '-j', $jobs, '-f', "$dump$jobs", $node->connstr('postgres') ], "pg_dump with $jobs jobs");
	$node->safe_psql('postgres', "CREATE DATABASE restored$jobs");
	command_ok([ 'pg_restore', '-j', $jobs, '-d', $node->connstr("restored$jobs"), "$dump$jobs" ], "pg_restore with $jobs jobs");
	is($node->safe_psql("restored$jobs", $state), $expected, 'restore: alerts and baselines are the same');
	is($node->safe_psql("restored$jobs", $users), $node->safe_psql('postgres', $users), 'restore: the user\'s rows of the catalogue are there');
	is($node->safe_psql("restored$jobs", 'SELECT count(*), min(probability_limit) FROM iamwatch.detectors'), '1|0.01', 'restore: so are the settings');
	is($node->safe_psql("restored$jobs", 'SELECT source FROM iamwatch.sources'), 'log', 'restore: and what is watched');
	is($node->safe_psql("restored$jobs", "SELECT $gone"), '0', 'restore: and no relation that is gone, whose number may be another\'s here');
	$node->safe_psql("restored$jobs", "INSERT INTO log VALUES (e('user1', '2026-01-25T12:30:00Z', 'CreateUser'))");
	is($node->safe_psql("restored$jobs", "SELECT event_count FROM iamwatch.alerts WHERE identity = 'user1'"), '2', 'restore: detection goes on');
}
command_ok([ 'pg_dump', '--schema-only', '-f', "$dump.sql", $node->connstr('postgres') ], 'pg_dump, schema only');
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('postgres', 'UPDATE iamwatch.detectors SET probability_limit = 0.02');
command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('bare'), '-f', "$dump.sql" ], 'restore, schema only');
$node->safe_psql('bare', $history);
is($node->safe_psql('bare', 'SELECT count(*) FROM iamwatch.identities'), '200', 'restore, schema only: detection works');

# The data alone, into a database that has the extension and the table.  What
# is restored was learned already, so the table is watched afterwards.
command_ok([ 'pg_dump', '--data-only', '-f', "$dump.data", $node->connstr('restored1') ], 'pg_dump, data only');
$node->safe_psql('postgres', 'CREATE DATABASE data_only');
$node->safe_psql('data_only', "CREATE EXTENSION iamwatch; $events");
command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('data_only'), '-f', "$dump.data" ], 'restore, data only');
is($node->safe_psql('data_only', $state), $node->safe_psql('restored1', $state), 'restore, data only: alerts and baselines are the same');
is($node->safe_psql('data_only', $users), $node->safe_psql('restored1', $users), 'restore, data only: the user\'s rows of the catalogue are there');
is($node->safe_psql('data_only', 'SELECT count(*), min(probability_limit) FROM iamwatch.detectors'), '1|0.01', 'restore, data only: so are the settings');
$node->safe_psql('data_only', "SELECT iamwatch.watch('log'); INSERT INTO log VALUES (e('user2', '2026-01-25T12:30:00Z', 'CreateUser'))");
is($node->safe_psql('data_only', "SELECT event_count FROM iamwatch.alerts WHERE identity = 'user2'"), '2', 'restore, data only: detection goes on');

# The same without triggers, as tools restore in the role of a replica, into a table whose columns have other numbers.
$node->safe_psql('postgres', 'CREATE DATABASE replica');
$node->safe_psql('replica', "CREATE EXTENSION iamwatch; $events DROP TABLE log; CREATE TABLE log (gone int, event jsonb); ALTER TABLE log DROP gone");
{
	local $ENV{PGOPTIONS} = '-c session_replication_role=replica';
	command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('replica'), '-f', "$dump.data" ], 'restore as a replica');
}
is($node->safe_psql('replica', $state), $node->safe_psql('restored1', $state), 'restore as a replica: alerts and baselines are the same');
is($node->safe_psql('replica', 'SELECT count(*), min(probability_limit) FROM iamwatch.detectors'), '1|0.01', 'restore as a replica: so are the settings');
is($node->safe_psql('replica', 'SELECT event_attnum FROM iamwatch.sources'), '2', 'restore as a replica: the column of the source is found by its name');
my $incidents = 'SELECT count(*), sum(events) FROM iamwatch.incidents';
$node->safe_psql('replica', "SELECT iamwatch.watch('log'); INSERT INTO log VALUES (e('user2', '2026-01-25T12:30:00Z', 'CreateUser')), (e('user50', '2026-01-25T12:30:00Z', 'CreateUser'))");
$node->safe_psql('replica', 'CALL iamwatch.maintain()');
is($node->safe_psql('replica', $incidents), '21|23', 'restore as a replica: maintain() finds all incidents, also when others have come since');
$node->safe_psql('replica', 'CALL iamwatch.maintain()');
is($node->safe_psql('replica', $incidents . "; SELECT count(*) FROM iamwatch_internal.changed_incidents"), "21|23\n0", 'restore as a replica: and once more changes nothing');

# a physical standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $state), $node->safe_psql('postgres', $state), 'standby: reads the same');
is($standby->safe_psql('postgres', 'SELECT count(*) > 0 FROM log WHERE (iamwatch.parse(event)).identity IS NOT NULL'), 't', 'standby: functions work in recovery');
is($standby->safe_psql('postgres', "SELECT count(*) FROM iamwatch.backtest('log')"), '20', 'standby: backtest works in recovery');
is($standby->safe_psql('postgres', 'SELECT events_learned, alerts_opened, silent_sources FROM iamwatch.status'),
	$node->safe_psql('postgres', 'SELECT events_learned, alerts_opened, silent_sources FROM iamwatch.status'), 'standby: the status can be read');

$standby->stop;
$node->stop;
done_testing();
