# A partitioned table whose partitions pg_partman makes and drops.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

plan skip_all => 'pg_partman is not installed' unless has_extension('pg_partman');

my $node = new_server('partman');
# it counts from the clock, so do the events
$node->safe_psql('postgres', $events . q{
	CREATE SCHEMA partman;
	CREATE EXTENSION pg_partman SCHEMA partman;
	CREATE EXTENSION iamwatch;
	CREATE TABLE audit_log (at timestamptz NOT NULL, event jsonb) PARTITION BY RANGE (at);
	CREATE VIEW made AS SELECT relid FROM pg_partition_tree('audit_log') WHERE isleaf;
	SELECT iamwatch.watch('audit_log');
});
my $major = $node->safe_psql('postgres', q{SELECT split_part(extversion, '.', 1) FROM pg_extension WHERE extname = 'pg_partman'});
my %type = $major < 5 ? (daily => 'daily', native => q{p_type => 'native', }) : (daily => '1 day', native => '');
$node->safe_psql('postgres', qq{SELECT partman.create_parent('public.audit_log', 'at', $type{native} p_interval => '$type{daily}', p_premake => 2,
	p_start_partition => (now() - interval '20 days')::date::text)});
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM made');
cmp_ok($before, '>', 20, 'pg_partman made the partitions');

$node->safe_psql('postgres', q{INSERT INTO audit_log SELECT now() - d * interval '1 day', e('ann', now() - d * interval '1 day') FROM generate_series(0, 19) AS d});
is($node->safe_psql('postgres', 'SELECT iamwatch.count_days(days) FROM iamwatch.identities'), '20', 'What comes into each of them is seen');

$node->safe_psql('postgres', q{UPDATE partman.part_config SET premake = 5, infinite_time_partitions = true});
$node->safe_psql('postgres', q{CALL partman.run_maintenance_proc()});
my $after = $node->safe_psql('postgres', 'SELECT count(*) FROM made');
cmp_ok($after, '>', $before, 'Maintenance made further ones');
is($node->safe_psql('postgres', q{SELECT count(*) FROM made JOIN pg_trigger ON tgrelid = relid WHERE tgname = 'iamwatch_observe'}), $after, 'and each is watched');

$node->safe_psql('postgres', q{UPDATE partman.part_config SET retention = '10 days', retention_keep_table = true});
$node->safe_psql('postgres', q{CALL partman.run_maintenance_proc()});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM made'), '<', $after, 'Retention detached the oldest partitions');
is($node->safe_psql('postgres', 'SELECT iamwatch.count_days(days) FROM iamwatch.identities'), '20', 'and what was learned of them stays');
$node->safe_psql('postgres', q{INSERT INTO audit_log SELECT now(), e('ann', now(), 'CreateUser')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '1', 'Detection goes on');
$node->stop;
done_testing();
