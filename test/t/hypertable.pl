# A hypertable of TimescaleDB: its chunks are made as rows come.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

plan skip_all => 'TimescaleDB is not installed' unless has_extension('timescaledb');

my $node = new_server('hypertable', conf => "shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = off\n");
my $table = "CREATE EXTENSION timescaledb; CREATE EXTENSION iamwatch; $events
	CREATE TABLE audit_log (at timestamptz NOT NULL, event jsonb);
	SELECT create_hypertable('audit_log', 'at', chunk_time_interval => interval '4 days');";
$node->safe_psql('postgres', $table);
$node->safe_psql('postgres', "SELECT iamwatch.watch('audit_log')");
$node->safe_psql('postgres', "INSERT INTO audit_log $history");
my $chunks = $node->safe_psql('postgres', "SELECT count(*) FROM show_chunks('audit_log')");
cmp_ok($chunks, '>', 3, 'The rows went into several chunks');
is($node->safe_psql('postgres', q{SELECT DISTINCT iamwatch.count_days(days) FROM iamwatch.identities}), '20', 'What comes into each of them is seen');
my $file = $node->basedir . '/attack';
$node->safe_psql('postgres', "COPY ($attack) TO '$file'");
$node->safe_psql('postgres', "COPY audit_log FROM '$file'");
is($node->safe_psql('postgres', 'SELECT count(*), sum(event_count) FROM iamwatch.alerts'), '6|6', 'So is a COPY, with the alerts of it');
$node->safe_psql('postgres', q{INSERT INTO audit_log SELECT '2026-02-03', e('user1', '2026-02-03', 'DeleteUser')});
is($node->safe_psql('postgres', q{SELECT event_count FROM iamwatch.alerts WHERE operation = 'DeleteUser'}), '1', 'and the row that makes a new chunk');
my $expected = $node->safe_psql('postgres', $state);

# the set-based path over the same rows
$node->safe_psql('postgres', "DROP EXTENSION iamwatch CASCADE; CREATE EXTENSION iamwatch");
$node->safe_psql('postgres', "CALL iamwatch.backfill('audit_log')");
is($node->safe_psql('postgres', $state), $expected, 'backfill() of the hypertable finds the same');

# retention leaves what was learned alone
$node->safe_psql('postgres', "SELECT iamwatch.watch('audit_log')");
$node->safe_psql('postgres', q{SELECT drop_chunks('audit_log', '2026-01-10'::timestamptz)});
is($node->safe_psql('postgres', $state), $expected, 'What was learned of a dropped chunk stays');
$node->safe_psql('postgres', "SELECT iamwatch.unwatch('audit_log')");
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_trigger WHERE tgname = 'iamwatch_observe'}), '0', 'unwatch() takes the triggers of all chunks away');
$node->stop;
done_testing();
