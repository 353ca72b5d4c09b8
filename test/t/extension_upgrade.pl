# ALTER EXTENSION UPDATE from each released version: the same objects as a fresh
# install, nothing lost of what was there, and detection that goes on throughout.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

my $node = new_server('update');
my $state = $Replay::state;
my ($db, $n) = ('', 0);
sub sql { return $node->safe_psql($db, join ';', @_) }
sub database { $db = 'd' . ++$n; $node->safe_psql('postgres', "CREATE DATABASE $db"); sql(@_) if @_ }
sub fails
{
	my ($sql, $expected, $rule) = @_;
	my ($out, $err);
	$node->psql($db, $sql, stdout => \$out, stderr => \$err);
	like($err, $expected, $rule);
}

# ---- the same objects ----

my $catalog = slurp_file('t/catalog.sql');
sub objects { return { map { $_ => 1 } split /\n/, sql($catalog) } }
sub differences
{
	my ($fresh, $other) = @_;
	return join "\n", (map { "only in a fresh one: $_" } grep { !$other->{$_} } sort keys %$fresh),
		map { "only in the other: $_" } grep { !$fresh->{$_} } sort keys %$other;
}

database('CREATE EXTENSION iamwatch');
my $fresh = objects();
cmp_ok(scalar(keys %$fresh), '>', 3000, 'The catalogs have much of the extension');
my $newest = sql(q{SELECT extversion FROM pg_extension WHERE extname = 'iamwatch'});
my $scripts = "$ENV{IAMWATCH_BASE}/stage" . (`"$ENV{PG_CONFIG}" --sharedir` =~ s/\s+$//r) . '/extension';
my @released = grep { $_ ne $newest } map { m{--([0-9.]+)\.sql$} } sort glob "$scripts/iamwatch--*.sql";
is("@released", '0.1.0', 'Every released version can be had');
for my $version (@released)
{
	database("CREATE EXTENSION iamwatch VERSION '$version'");
	isnt(differences($fresh, objects()), '', "$version is another version");
	sql('ALTER EXTENSION iamwatch UPDATE');
	is(differences($fresh, objects()), '', "Updated from $version, all objects are those of a fresh $newest");
}
for my $change ('ALTER FUNCTION iamwatch.news(jsonb) COST 7', q{COMMENT ON COLUMN iamwatch.alerts.note IS 'x'},
	'ALTER TABLE iamwatch.providers DISABLE TRIGGER settings_applied', 'GRANT EXECUTE ON FUNCTION iamwatch.decide TO PUBLIC',
	'ALTER TABLE iamwatch.sources ALTER silent_after DROP DEFAULT', 'ALTER EXTENSION iamwatch DROP FUNCTION iamwatch.plain(text)')
{
	my ($out) = $node->psql($db, "BEGIN; $change; $catalog; ROLLBACK") =~ s/\s+$//r;
	my $seen = { map { $_ => 1 } split /\n/, $out };
	isnt(differences($fresh, $seen), '', "The comparison would see: $change");
}

# ---- a database of 0.1.0, with everything that one can have ----

sub old_database
{
	database(q{CREATE EXTENSION iamwatch VERSION '0.1.0'; CREATE TABLE log (event jsonb)},
		q{INSERT INTO iamwatch.instances VALUES ('aws', 'any', 'i-0123456789abcdef0', '{}', true), ('gcp', 'any', 'gce-1', '{34.1.2.3}', true)});
}
sub load
{
	my ($piece) = @_;
	$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-c', "\\copy log FROM '$piece->{name}'" ],
		"$db: a piece is loaded");
}
# All rows of the tables of 0.1.0, in their columns of then.
sub kept_query
{
	return sql(q{SELECT string_agg(format($$SELECT %L, md5(string_agg(t::text, ',' ORDER BY t::text COLLATE "C")) FROM (SELECT %s FROM %s %s) AS t$$,
			c.oid::regclass, a.columns, c.oid::regclass, CASE c.relname WHEN 'operations' THEN 'WHERE provider <> ''azure''' END), ' UNION ALL ')
		FROM pg_class AS c, LATERAL (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
			WHERE attrelid = c.oid AND attnum > 0) AS a (columns)
		WHERE c.relnamespace = 'iamwatch'::regnamespace AND c.relkind = 'r' AND a.columns <> ''});
}

my @pieces = pieces(17, 40, 40, 6);
old_database();
sql(q{SELECT iamwatch.watch('log')});
load($pieces[0]);
load($pieces[1]);
verify($node, $db, 'the new library with the objects of 0.1.0');
sql('CALL iamwatch.maintain()');
my $open = session($node, $db);
$open->run("\\copy log FROM '$pieces[2]{name}'");
verify($node, $db, 'the same after maintain(), in another session');

my $before = sql($state);
sql('BEGIN', 'ALTER EXTENSION iamwatch UPDATE', 'ROLLBACK');
is(sql($state), $before, 'An update that rolls back changes nothing');
is(sql(q{SELECT extversion FROM pg_extension WHERE extname = 'iamwatch'}), '0.1.0', 'and the version is as it was');

# A transaction that holds alerts, and needs the catalogue while the update is waiting for it.
my $alerts = sql('SELECT count(*) FROM iamwatch.alerts');
$open->run('BEGIN; UPDATE iamwatch.alerts SET status = status WHERE false');
my $update = session($node, $db);
$update->send_lines("ALTER EXTENSION iamwatch UPDATE;\n\\echo updated\n");
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity
	WHERE query LIKE 'ALTER EXTENSION%' AND state = 'active' AND wait_event_type IN ('Lock', 'Timeout')}) or die 'no update';
$open->run("UPDATE iamwatch.detectors SET title = title; \\copy log FROM '$pieces[3]{name}'\nCOMMIT");
$update->{harness}->pump until $update->{out} =~ /updated/;
is($open->{err} . $update->{err}, '', 'An update beside it lets it end, and then succeeds');
is(sql(q{SELECT extversion FROM pg_extension WHERE extname = 'iamwatch'}), $newest, 'The version is the newest');
verify($node, $db, 'what was stored before the update, and beside it');
$open->run("\\copy log FROM '$pieces[4]{name}'");
is($open->{err}, '', 'A session that was open before goes on');
verify($node, $db, 'half before the update and half after it, in one session');
load($pieces[5]);
sql('CALL iamwatch.maintain()');
verify($node, $db, 'the rest, in a new session');
cmp_ok(sql('SELECT count(*) FROM iamwatch.alerts'), '>', $alerts, 'Alerts were raised before and after');
sql(q{SELECT count(iamwatch.explain(alert_id)) FROM iamwatch.alerts; SELECT count(finding) FROM iamwatch.ocsf_findings;
	SELECT count(*) FROM iamwatch.ecs_alerts; SELECT count(*) FROM iamwatch.incidents; SELECT length(iamwatch.report()); TABLE iamwatch.status});
pass('explain(), exports, incidents, report and status read alerts of 0.1.0');
$_->end for $open, $update;

# ---- everything else that the new library does for old objects ----

old_database();
load($_) for @pieces[ 0 .. 2 ];
sql(q{CALL iamwatch.backfill('log')});
verify($node, $db, 'backfill() of 0.1.0');
old_database('');
sql('ALTER TABLE log ADD id bigint GENERATED ALWAYS AS IDENTITY');
$node->command_ok([ 'psql', '-qX', '-d', $node->connstr($db), '-c', "\\copy log (event) FROM '$_->{name}'" ], 'a piece is loaded') for @pieces[ 0 .. 2 ];
sql(q{CALL iamwatch.process('log', 'event', 'id', 100)});
verify($node, $db, 'process() of 0.1.0');
cmp_ok(sql(q{SELECT count(*) FROM iamwatch.backtest('log')}), '>', 0, 'backtest() of 0.1.0 finds alerts');
sql('ALTER EXTENSION iamwatch UPDATE');
$node->command_ok([ 'psql', '-qX', '-d', $node->connstr($db), '-c', "\\copy log (event) FROM '$_->{name}'" ], 'a piece is loaded') for @pieces[ 3 .. 5 ];
sql(q{CALL iamwatch.process('log')});
verify($node, $db, 'process() goes on where it was');

# ---- what people made ----

my $event = q{jsonb_build_object('eventTime', '%s', 'eventSource', 'iam.amazonaws.com', 'eventName', '%s', 'eventID', '%s',
	'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'ann'))};
sub event { return sprintf "INSERT INTO log VALUES ($event)", @_ }
old_database();
sql(q{CREATE ROLE reader; CREATE ROLE analyst; CREATE ROLE chief; CREATE ROLE writer}, q{SELECT iamwatch.watch('log')},
	q{SELECT iamwatch.grant_access('reader', 'read'), iamwatch.grant_access('analyst', 'triage'), iamwatch.grant_access('chief', 'administer')},
	'GRANT INSERT ON log TO writer',
	q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'mine', 'Do', 'permission', 'modify')},
	q{UPDATE iamwatch.operations SET sensitivity = 4 WHERE (provider, service, operation) = ('aws', 'iam', 'CreateUser')},
	q{DELETE FROM iamwatch.operations WHERE (provider, service, operation) = ('aws', 'iam', 'DeleteUser')},
	q{UPDATE iamwatch.detectors SET severity_base = 'high', activation_days = 10}, q{INSERT INTO log VALUES ('{"not": "readable"}')},
	map { event("2026-01-${_}T10:00:00Z", 'ListUsers', "l$_") } '01' .. '14');
sql(event('2026-01-15T10:00:00Z', 'CreateUser', 'c1'), event('2026-01-15T10:00:00Z', 'CreateRole', 'r1'));
is(sql(q{SELECT operation, severity, sensitivity, status FROM iamwatch.alerts ORDER BY operation}), "CreateRole|high|2|new\nCreateUser|high|4|new",
	'Settings and own rows of the catalogue hold with objects of 0.1.0');
sql(q{UPDATE iamwatch.alerts SET status = 'closed' WHERE operation = 'CreateUser'});
sql(event('2026-01-15T11:00:00Z', 'CreateUser', 'c2'));

my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump . '1', $node->connstr($db) ], 'pg_dump of 0.1.0');
my $kept = kept_query();
my ($was, $functions) = (sql($kept), sql(q{SELECT 'iamwatch.news'::regproc::oid, 'iamwatch.observe'::regproc::oid}));
my ($out, $warning);
$node->psql($db, 'ALTER EXTENSION iamwatch UPDATE', stderr => \$warning);
like($warning, qr/WARNING:.*analyst, chief, reader.*grant_access/s, 'The update says which roles have no access to what is new');
is(sql($kept), $was, 'All rows of all tables of 0.1.0 are as they were');
is(sql(q{SELECT 'iamwatch.news'::regproc::oid, 'iamwatch.observe'::regproc::oid}), $functions, 'The functions of watched tables are still the same');

sub check_upgraded
{
	my ($name) = @_;
	sql('SET ROLE writer', event('2026-01-15T12:00:00Z', 'CreateUser', 'c3'));
	is(sql(q{SELECT status, resolution, event_count FROM iamwatch.alerts WHERE operation = 'CreateUser'}), 'closed||3',
		"$name: an event joins an alert that was closed under 0.1.0");
	sql('SET ROLE writer', event('2026-01-15T12:00:00Z', 'AttachUserPolicy', 'a1'));
	is(sql(q{SELECT severity FROM iamwatch.alerts WHERE operation = 'AttachUserPolicy'}), 'high', "$name: a new alert is raised, by the settings of then");
	is(sql('SET ROLE reader', q{SELECT (SELECT count(*) FROM iamwatch.alerts), (SELECT count(*) > 0 FROM iamwatch.baselines)}), '3|t',
		"$name: who could read alerts and baselines still can");
	is(sql('SET ROLE analyst', q{UPDATE iamwatch.alerts SET status = 'investigating' WHERE operation = 'CreateRole' RETURNING status}), 'investigating',
		"$name: who could set the status still can");
	fails(q{SET ROLE analyst; TABLE iamwatch.rejected_events}, qr/permission denied/, "$name: and no more than that");
}
check_upgraded('updated');
is(sql(q{UPDATE iamwatch.alerts SET note = 'x' WHERE operation = 'CreateUser' RETURNING note}), 'x', 'A closed alert without resolution takes a note');
fails(q{UPDATE iamwatch.alerts SET status = 'closed' WHERE operation = 'CreateRole'}, qr/cannot be closed without a resolution/, 'Others are not closed without one');
is(sql(q{SELECT finding->>'status' FROM iamwatch.ocsf_findings AS f JOIN iamwatch.alerts AS a USING (alert_id) WHERE a.status = 'closed'}), 'Resolved',
	'It is exported as resolved, as nobody called it benign');
fails(q{SET ROLE analyst; SELECT iamwatch.triage(1)}, qr/permission denied/, 'What is new needs grant_access() again');
sql(q{SELECT iamwatch.grant_access('reader', 'read'), iamwatch.grant_access('analyst', 'triage'), iamwatch.grant_access('chief', 'administer')});
is(sql('SET ROLE analyst', q{SELECT count(iamwatch.triage(alert_id, resolution => 'true_positive')) FROM iamwatch.alerts WHERE operation = 'CreateUser'},
	q{SELECT resolution, excluded_days FROM iamwatch.alerts WHERE operation = 'CreateUser'}), "1\ntrue_positive|{2026-01-15}",
	'An alert closed under 0.1.0 gets its resolution later, and that takes its days out');
sql('SET ROLE chief', 'CALL iamwatch.maintain()');
is(sql('SET ROLE reader', 'SELECT count(*) FROM iamwatch.incidents'), '1', 'and roles read what is new');

# ---- dumps ----

my $upgraded = sql($state);
my @settings = (q{SELECT o FROM iamwatch.operations AS o WHERE origin = 'user' ORDER BY 1}, 'TABLE iamwatch.detectors', 'TABLE iamwatch.instances',
	'TABLE iamwatch.sources', 'SELECT source, reason, event FROM iamwatch.rejected_events', 'TABLE iamwatch.alert_history',
	q{SELECT relname, array(SELECT a::text FROM unnest(relacl) AS a ORDER BY 1) FROM pg_class WHERE relnamespace = 'iamwatch'::regnamespace ORDER BY 1});
my $settings = join "\n", map { sql($_) } @settings;
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump . '2', $node->connstr($db) ], 'pg_dump of an updated database');
database();
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr($db), $dump . '2' ], 'It is restored without errors');
is(sql($state), $upgraded, 'with all that was learned and raised');
is(join("\n", map { sql($_) } @settings), $settings, 'and settings, catalogue, inventory, sources, history and grants');
sql(event('2026-01-15T13:00:00Z', 'AttachUserPolicy', 'a2'));
is(sql(q{SELECT event_count FROM iamwatch.alerts WHERE operation = 'AttachUserPolicy'}), '2', 'Detection goes on there');

database();
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr($db), $dump . '1' ], 'A dump of 0.1.0 is restored into the newest version without errors');
check_upgraded('restored');

$node->stop;
done_testing();
