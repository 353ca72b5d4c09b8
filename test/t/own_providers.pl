# Users' own providers outlive a dump, and the extension may go and come back
# in one session.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

my $node = new_server('providers');

my $event = q{jsonb_build_object('forge', 1, 'at', %s, 'who', 'ann', 'what', '%s')};
my $map = q{INSERT INTO iamwatch.providers (provider, recognised_by, account_default, identity_path, service_default, operation_path,
	event_time_path, kind_path, kinds) VALUES ('forge', '{forge}', 'x', '{who}', 'forge', '{what}', '{at}', '{type}', '{"Robot": "service"}')};
sub read_events { return sprintf("INSERT INTO log SELECT $event FROM generate_series(date '2026-01-01', '2026-01-31', '1 day') AS d",
	q{d::date || 'T00:00:00Z'}, 'read') }
sub admin_event { return sprintf("INSERT INTO log SELECT $event", "'$_[0]'", 'admin') }

$node->safe_psql('postgres', "CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log'); $map;
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('forge', 'forge', 'admin', 'permission', 'create');");
$node->safe_psql('postgres', read_events());
my $mapping = 'SELECT p FROM iamwatch.providers AS p';
my $dump = $node->basedir . '/dump';
for my $section ('whole', 'data only')
{
	my $database = $section =~ s/ /_/r;
	command_ok([ 'pg_dump', '-Fc', ($section eq 'whole' ? () : ('--data-only')), '-f', "$dump$database", $node->connstr('postgres') ], "pg_dump, $section");
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb);") if $section ne 'whole';
	command_ok([ 'pg_restore', '-d', $node->connstr($database), "$dump$database" ], "pg_restore, $section");
	is($node->safe_psql($database, $mapping), $node->safe_psql('postgres', $mapping), "$section: the mapping is the same");
	$node->safe_psql($database, "SELECT iamwatch.watch('log')");
	$node->safe_psql($database, admin_event('2026-02-01T00:00:00Z'));
	is($node->safe_psql($database, 'SELECT provider, operation, event_count FROM iamwatch.alerts'), 'forge|admin|1', "$section: detection goes on");
}

is($node->safe_psql('postgres', join(';', "SELECT (iamwatch.parse(event)).identity FROM log LIMIT 1", 'DROP EXTENSION iamwatch CASCADE', 'CREATE EXTENSION iamwatch',
		'SELECT count(iamwatch.parse(event)) FROM log', $map, 'SELECT count(iamwatch.parse(event)) FROM log')),
	"ann\n0\n31", 'in one session the extension goes, comes back without the mapping, and reads a new one');
$node->stop;
done_testing();
