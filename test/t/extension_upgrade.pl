# ALTER EXTENSION UPDATE.  Nothing is released yet, so the next version is made
# up here: a column, a function, and a function that has changed.  Its upgrade
# script is drafted by sql/draft-upgrade, as that of a real one would be.  The
# same objects as a fresh install, nothing lost of what was there, and detection
# that goes on throughout.
use strict;
use warnings;
use lib 't';
use File::Copy;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

my ($old, $new) = ('1.0.0', '1.0.1');
my $scripts = "$ENV{IAMWATCH_BASE}/stage" . (`"$ENV{PG_CONFIG}" --sharedir` =~ s/\s+$//r) . '/extension';
plan skip_all => 'the staged extension cannot be written to' unless -w $scripts;

# ---- the next version ----

my $install = slurp_file("$scripts/iamwatch--$old.sql");
my $next = $install;
$next =~ s/(CREATE TABLE iamwatch\.instances \(.*?)(\n\tPRIMARY KEY)/$1\n\tnext_column text DEFAULT 'x',$2/s or die 'no instances';
$next .= q{
COMMENT ON COLUMN iamwatch.instances.next_column IS 'what the next version has';
CREATE FUNCTION iamwatch_internal.next_function() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1;
COMMENT ON FUNCTION iamwatch_internal.next_function() IS 'what the next version has';
REVOKE ALL ON FUNCTION iamwatch_internal.next_function() FROM PUBLIC;
};
$next =~ s/(CREATE FUNCTION iamwatch_internal\.limit_scope\(.*?)PARALLEL SAFE/${1}PARALLEL SAFE COST 7/s or die 'no limit_scope';

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/iamwatch--$old.sql", $install);
append_to_file("$folder/iamwatch--$new.sql", $next);
append_to_file("$folder/iamwatch--$old--$new.sql", qq{\\echo Use "ALTER EXTENSION iamwatch UPDATE" to load this file. \\quit
ALTER TABLE iamwatch.instances ADD COLUMN next_column text DEFAULT 'x';

-- ---- made by sql/draft-upgrade ----
-- ---- end of what sql/draft-upgrade made ----
});
command_ok([ 'python3', 'tools/draft-upgrade', $old, $new, $folder ], 'The upgrade script is drafted from the two install scripts');
my $upgrade = slurp_file("$folder/iamwatch--$old--$new.sql");
like($upgrade, qr/CREATE OR REPLACE FUNCTION iamwatch_internal\.limit_scope/, 'What has changed is replaced');
like($upgrade, qr/CREATE FUNCTION iamwatch_internal\.next_function/, 'what is new is made');
unlike($upgrade, qr/iamwatch_internal\.observe/, 'and nothing else is touched');
copy("$folder/$_", "$scripts/$_") or die "$_: $!" for "iamwatch--$new.sql", "iamwatch--$old--$new.sql";
END { unlink "$scripts/iamwatch--$new.sql", "$scripts/iamwatch--$old--$new.sql" if $scripts && -w $scripts }

my $node = new_server('upgrade');
my ($db, $n) = ('', 0);
sub sql { return $node->safe_psql($db, join ';', @_) }
sub database { $db = 'd' . ++$n; $node->safe_psql('postgres', "CREATE DATABASE $db"); sql(@_) if @_ }

# ---- the same objects ----

my $catalog = slurp_file('t/catalog.sql');
sub objects { return { map { $_ => 1 } split /\n/, sql($catalog) } }
sub differences
{
	my ($fresh, $other) = @_;
	return join "\n", (map { "only in a fresh one: $_" } grep { !$other->{$_} } sort keys %$fresh),
		map { "only in the other: $_" } grep { !$fresh->{$_} } sort keys %$other;
}

database("CREATE EXTENSION iamwatch VERSION '$new'");
my $fresh = objects();
cmp_ok(scalar(keys %$fresh), '>', 3000, 'The catalogs have much of the extension');
database("CREATE EXTENSION iamwatch VERSION '$old'");
isnt(differences($fresh, objects()), '', "$old is another version");
sql("ALTER EXTENSION iamwatch UPDATE TO '$new'");
is(differences($fresh, objects()), '', 'Updated, all objects are those of a fresh one');
for my $change ('ALTER FUNCTION iamwatch_internal.may_be_new(jsonb) COST 7', q{COMMENT ON COLUMN iamwatch.alerts.note IS 'x'},
	'ALTER TABLE iamwatch.providers DISABLE TRIGGER settings_applied', 'GRANT EXECUTE ON FUNCTION iamwatch_internal.next_function TO PUBLIC',
	'ALTER TABLE iamwatch.sources ALTER silent_after DROP DEFAULT', 'ALTER EXTENSION iamwatch DROP FUNCTION iamwatch_internal.next_function()')
{
	my ($out) = $node->psql($db, "BEGIN; $change; $catalog; ROLLBACK") =~ s/\s+$//r;
	isnt(differences($fresh, { map { $_ => 1 } split /\n/, $out }), '', "The comparison would see: $change");
}

# ---- with everything that one can have, and while it is at work ----

my @pieces = pieces(17, 40, 40, 4);
sub load
{
	my ($piece) = @_;
	$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-c', "\\copy log FROM '$piece->{name}'" ],
		"$db: a piece is loaded");
}
database();
prepare($node, $db, 1);
sql(q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'mine', 'Do', 'permission', 'modify')},
	q{CREATE ROLE upgrade_reader}, q{SELECT iamwatch.grant_access('upgrade_reader', 'read')});
load($pieces[0]);
load($pieces[1]);
my $open = session($node, $db);
$open->run("\\copy log FROM '$pieces[2]{name}'");
verify($node, $db, 'before the update');
my $state = $Replay::state;
my $before = sql($state);
sql('BEGIN', "ALTER EXTENSION iamwatch UPDATE TO '$new'", 'ROLLBACK');
is(sql($state), $before, 'An update that rolls back changes nothing');
sql("ALTER EXTENSION iamwatch UPDATE TO '$new'");
is(sql($state), $before, 'Nothing of what was learned and raised is lost');
is(sql(q{SELECT count(*) FROM iamwatch.operations WHERE origin = 'user'}), '1', 'nor what users said');
is(sql('SET ROLE upgrade_reader', 'SELECT count(*) > 0 FROM iamwatch.alerts'), 't', 'and who could read still can');
$open->run("\\copy log FROM '$pieces[3]{name}'");
is($open->{err}, '', 'A session that was open before goes on');
$open->end;
verify($node, $db, 'half before the update and half after it');

my $dump = $node->basedir . '/dump';
$before = sql($state);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr($db) ], 'pg_dump of an updated database');
database("CREATE EXTENSION iamwatch VERSION '$new'");	# the control file still names the old one
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr($db), $dump ], 'It is restored without errors');
is(sql($state), $before, 'with all that was learned and raised');

$node->stop;
done_testing();
