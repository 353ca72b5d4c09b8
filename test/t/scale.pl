# Several servers: an account lives on one of them, and what is done for it is
# done there; settings go to all; partial baselines merge.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my %place = map { $_ => new_server($_, $_ eq 'centre' ? (allows_streaming => 'logical') : ()) } qw(centre east west);
my $centre = $place{centre};
my $plan_of = sub { return $centre->safe_psql('postgres', "SET enable_partitionwise_aggregate = on; EXPLAIN (VERBOSE, COSTS OFF) $_[0]") };

# What the servers of the accounts have: their rows, the triggers, and a view
# that names the columns of what is in the documents.
for my $name (qw(east west))
{
	$place{$name}->safe_psql('postgres', "CREATE EXTENSION iamwatch; $events" . q{
		CREATE TABLE audit_log (at timestamptz, account text, event jsonb);
		SELECT iamwatch.watch('audit_log');
		CREATE VIEW seen AS SELECT p.account, p.identity, p.service, p.operation, p.event_time
			FROM audit_log, iamwatch.parse(event) AS p;
		TRUNCATE iamwatch.detectors});
}
# What the one in the middle has: the same tables, in parts that are elsewhere.
my $sql = "CREATE EXTENSION iamwatch; CREATE EXTENSION postgres_fdw; $events" . q{
	CREATE PUBLICATION settings FOR TABLE iamwatch.detectors, iamwatch.instances, iamwatch.providers, iamwatch.operations WHERE (origin = 'user');
	CREATE SCHEMA everywhere;
	CREATE TABLE audit_log (at timestamptz, account text, event jsonb) PARTITION BY LIST (account);
	CREATE TABLE everywhere.seen (account text, identity text, service text, operation text, event_time timestamptz) PARTITION BY LIST (account);
	CREATE TABLE everywhere.baselines (account text, identity text, service text, operation text, failed boolean, days iamwatch.dayset) PARTITION BY LIST (account);
	CREATE TABLE everywhere.alerts (account text, identity text, operation text, severity text, event_count bigint, first_event_time timestamptz, evidence jsonb)
		PARTITION BY LIST (account);
};
my %account = (east => '1', west => '2');
for my $name (sort keys %account)
{
	my ($host, $port) = ($place{$name}->host, $place{$name}->port);
	$sql .= "CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'iamwatch', async_capable 'true');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name;
		CREATE FOREIGN TABLE audit_log_$name PARTITION OF audit_log FOR VALUES IN ('$account{$name}') SERVER $name OPTIONS (table_name 'audit_log', batch_size '1000');\n";
	$sql .= "CREATE FOREIGN TABLE everywhere.${_}_$name PARTITION OF everywhere.$_ FOR VALUES IN ('$account{$name}') SERVER $name OPTIONS (schema_name '"
		. ($_ eq 'seen' ? 'public' : 'iamwatch') . "', table_name '$_');\n"
		for qw(seen baselines alerts);
}
$centre->safe_psql('postgres', $sql);
$place{$_}->safe_psql('postgres', "CREATE SUBSCRIPTION $_ CONNECTION '" . $centre->connstr . " dbname=postgres' PUBLICATION settings") for qw(east west);
$place{$_}->wait_for_subscription_sync($centre, $_) for qw(east west);

# one server that has it all
$centre->safe_psql('postgres', 'CREATE DATABASE alone');
$centre->safe_psql('alone', "CREATE EXTENSION iamwatch; $events CREATE TABLE audit_log (at timestamptz, account text, event jsonb); SELECT iamwatch.watch('audit_log')");
my @loads = map { "INSERT INTO audit_log SELECT at, event->>'recipientAccountId', event FROM ($_) AS x" } $history, $attack;
for my $db (qw(alone postgres))
{
	$centre->safe_psql($db, $_) for @loads;
}

# postgres_fdw writes in transactions with a fixed snapshot, which leave their alerts to others
$place{$_}->safe_psql('postgres', 'CALL iamwatch.maintain()') for qw(east west);

is($centre->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.identities'), '0', 'Rows that go through the centre leave nothing there');
is($place{east}->safe_psql('postgres', 'SELECT DISTINCT account FROM iamwatch.identities'), '1', 'An account is learned where its rows are');
my $alerts = q{SELECT string_agg(concat_ws('|', account, identity, operation, severity, event_count, first_event_time, evidence), E'\n' ORDER BY account, identity) FROM %s.alerts};
my $expected = $centre->safe_psql('alone', sprintf($alerts, 'iamwatch'));
like($expected, qr/^1.*^2/ms, 'One server alone has alerts of both accounts');
is($centre->safe_psql('postgres', sprintf($alerts, 'everywhere')), $expected, 'Several raise the same alerts, read in one table');
my $baselines = q{SELECT string_agg(concat_ws('|', account, identity, operation, days), E'\n' ORDER BY account, identity, operation) FROM %s.baselines};
is($centre->safe_psql('postgres', sprintf($baselines, 'everywhere')), $centre->safe_psql('alone', sprintf($baselines, 'iamwatch')), 'and have the same baselines');

# work that is sent to the data
my $grouped = 'SELECT account, identity, iamwatch.dayset_agg(event_time) AS days FROM everywhere.seen GROUP BY account, identity';
my $plan = $plan_of->($grouped);
is(scalar(() = $plan =~ /Remote SQL: SELECT account, identity, iamwatch\.dayset_agg\(event_time\).*GROUP BY/g), 2,
	'dayset_agg() by account runs next to the rows, on each server') or diag $plan;
my $result = q{SELECT md5(string_agg(concat_ws('|', account, identity, days), E'\n' ORDER BY account, identity)) FROM (%s) AS x};
my $from_one = $centre->safe_psql('alone', sprintf($result, 'SELECT account, identity, days FROM iamwatch.identities'));
is($centre->safe_psql('postgres', 'SET enable_partitionwise_aggregate = on; ' . sprintf($result, $grouped)), $from_one, 'and gives what one server gives');
$plan = $plan_of->('SELECT account, service, operation, iamwatch.dayset_union(days) FROM everywhere.baselines GROUP BY account, service, operation');
is(scalar(() = $plan =~ /Remote SQL: SELECT account, service, operation, iamwatch\.dayset_union\(days\).*GROUP BY/g), 2,
	'dayset_union() of the baselines too') or diag $plan;
$plan = $plan_of->(q{SELECT identity FROM everywhere.baselines WHERE account = '1' AND iamwatch.count_days(days, '2026-01-01', '2026-01-10') > 5
	AND days OPERATOR(iamwatch.@>) '2026-01-03'::date});
like($plan, qr/Remote SQL: (?=.*count_days\(days, ).*OPERATOR\(iamwatch\.@>\)/, 'Functions and operators of sets of days run there');
unlike($plan, qr/everywhere.baselines_west/, 'and only the server of the account is asked');

# an account whose events are in three places, some of them in two
my @places = qw(north south middle);
for my $n (0 .. 2)
{
	$centre->safe_psql('postgres', "CREATE DATABASE $places[$n]");
	$centre->safe_psql($places[$n], "CREATE EXTENSION iamwatch; $events CREATE TABLE audit_log (event jsonb);
		INSERT INTO audit_log SELECT event FROM ($history UNION ALL $attack) AS x
		WHERE abs(hashtext(event::text)) % 3 = $n OR abs(hashtext(event::text)) % 7 = $n");
	$centre->safe_psql($places[$n], q{CALL iamwatch.backfill('audit_log')});
	my ($host, $port) = ($centre->host, $centre->port);
	$centre->safe_psql('postgres', "CREATE SERVER $places[$n] FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname '$places[$n]', extensions 'iamwatch');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $places[$n];
		CREATE FOREIGN TABLE part_$places[$n] (account text, identity text, service text, operation text, failed boolean, days iamwatch.dayset)
			SERVER $places[$n] OPTIONS (schema_name 'iamwatch', table_name 'baselines')");
}
my $digest = q{SELECT md5(string_agg(concat_ws('|', account, identity, operation, days), E'\n' ORDER BY account, identity, operation)) FROM (%s) AS x};
my $whole = $centre->safe_psql('alone', sprintf($digest, 'SELECT * FROM iamwatch.baselines'));
for my $order ([ 0, 1, 2 ], [ 2, 1, 0 ], [ 1, 2, 0 ], [ 0, 0, 1, 2, 2 ])
{
	my $union = join ' UNION ALL ', map { "SELECT * FROM part_$places[$_]" } @$order;
	is($centre->safe_psql('postgres', sprintf($digest, "SELECT account, identity, operation, iamwatch.dayset_union(days) AS days
			FROM ($union) AS parts GROUP BY account, identity, operation")), $whole,
		'Partial baselines of an account merge to that of the whole: ' . join(', ', map { $places[$_] } @$order));
}
my $two = 'SELECT account, identity, operation, iamwatch.dayset_union(days) AS days FROM (SELECT * FROM part_south UNION ALL SELECT * FROM part_middle) AS x GROUP BY account, identity, operation';
is($centre->safe_psql('postgres', sprintf($digest, "SELECT account, identity, operation, iamwatch.dayset_union(days) AS days FROM (
		SELECT account, identity, operation, days FROM part_north UNION ALL ($two)) AS parts GROUP BY account, identity, operation")), $whole,
	'and so do two that were merged before');
isnt($centre->safe_psql('postgres', sprintf($digest, 'SELECT * FROM part_north')), $whole, 'while each by itself is less');

# settings and catalogue are said once, and hold in a session that has read them before
my $put = q{INSERT INTO audit_log SELECT at, '1', e('user7', at, '%s') FROM (VALUES ('2026-01-22T%02d:00:00Z'::timestamptz)) AS t (at);};
my $say = q{\! psql -qX -d '} . $centre->connstr('postgres') . q{' -c "%s"};
my $until = q{DO $$ BEGIN WHILE NOT (%s) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$;};
$place{east}->safe_psql('postgres', join "\n", sprintf($put, 'DeleteUser', 8),
	sprintf($say, q{UPDATE iamwatch.detectors SET severity_base = 'high', probability_limit = 0}),
	sprintf($until, q{SELECT severity_base = 'high' FROM iamwatch.detectors}),
	sprintf($put, 'DeleteGroup', 9),
	sprintf($say, q{UPDATE iamwatch.detectors SET probability_limit = 0.02}),
	sprintf($say, q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'DoMine', 'permission', 'modify')}),
	sprintf($until, q{EXISTS (SELECT FROM iamwatch.operations WHERE operation = 'DoMine')}),
	sprintf($put, 'DoMine', 10));
is($centre->safe_psql('postgres', q{SELECT string_agg(operation || ' ' || severity, ', ' ORDER BY first_event_time) FROM everywhere.alerts WHERE identity = 'user7'}),
	'DeleteUser informational, DoMine high',
	'A change of the settings or the catalogue in the centre holds on every server, in sessions that are open too');
$_->stop for @place{qw(east west centre)};
done_testing();
