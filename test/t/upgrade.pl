# pg_upgrade to the server under test from an older one: test/upgrade says which.
use strict;
use warnings;
use lib 't';
use Events;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

plan skip_all => 'no older server given: see test/upgrade' unless $ENV{IAMWATCH_OLD};

my $settings = server_settings();
my $old = PostgreSQL::Test::Cluster->new('old', install_path => $ENV{IAMWATCH_OLD});
$old->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$old->append_conf('postgresql.conf', $settings =~ s/^(dynamic_library_path|extension_).*$//mgr);
$old->append_conf('postgresql.conf', $ENV{IAMWATCH_OLD_SETTINGS});
$old->start;
$old->safe_psql('postgres', "CREATE EXTENSION iamwatch; $events CREATE TABLE audit_log (at timestamptz, event jsonb); SELECT iamwatch.watch('audit_log');
	UPDATE iamwatch.detectors SET severity_base = 'low';
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'mine', 'Do', 'permission', 'modify');
	INSERT INTO audit_log VALUES (now(), '{\"not\": \"readable\"}')");
$old->safe_psql('postgres', "INSERT INTO audit_log $_") for $history, $attack;
my $kept = q{SELECT concat_ws(' ', (SELECT string_agg(source || ' ' || event_column, ',') FROM iamwatch.sources),
	(SELECT string_agg(severity_base, ',') FROM iamwatch.detectors), (SELECT count(*) FROM iamwatch.operations WHERE origin = 'user'),
	(SELECT string_agg(source || reason, ',') FROM iamwatch.rejected_events))};
my $before = $old->safe_psql('postgres', $state);
my $kept_before = $old->safe_psql('postgres', $kept);
like($before, qr/CreateUser\|low/, 'The old server has alerts');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
$new->append_conf('postgresql.conf', $settings);
my @upgrade = ('pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', "$ENV{IAMWATCH_OLD}/bin", '-B', $new->config_data('--bindir'),
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
chdir PostgreSQL::Test::Utils::tempdir();
command_ok(\@upgrade, 'pg_upgrade succeeds');
$new->start;
is($new->safe_psql('postgres', $state), $before, 'Alerts and baselines are the same');
is($new->safe_psql('postgres', $kept), $kept_before, 'and so are sources, settings, catalogue and rejected documents');
$new->safe_psql('postgres', q{INSERT INTO audit_log SELECT '2026-01-21T13:00:00Z', e('user1', '2026-01-21T13:00:00Z', 'CreateUser', '1')});
is($new->safe_psql('postgres', q{SELECT event_count FROM iamwatch.alerts WHERE account = '1' AND identity = 'user1'}), '2', 'A further event joins its alert');
$new->safe_psql('postgres', q{INSERT INTO audit_log SELECT '2026-01-21T13:00:00Z', e('user1', '2026-01-21T13:00:00Z', 'DeleteUser', '1')});
is($new->safe_psql('postgres', q{SELECT count(*) FROM iamwatch.alerts WHERE operation = 'DeleteUser'}), '1', 'and what is unusual becomes a new one');
$new->stop;
done_testing();
