# Citus: a table distributed by account over a coordinator and two workers has
# the alerts, identities and baselines of the same rows on one server.
use strict;
use warnings;
use lib 't';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Server;
use Test::More;

plan skip_all => 'the extension citus is not installed' unless has_extension('citus');

my $conf = "shared_preload_libraries = 'citus'\nmax_prepared_transactions = 60\ncitus.enable_statistics_collection = off\n";
my %node = map { $_ => new_server($_, conf => $conf) } qw(coordinator east west);
my $coordinator = $node{coordinator};
my @workers = @node{qw(east west)};
sub one { return $coordinator->safe_psql('alone', $_[0]) }
sub many { return $coordinator->safe_psql('postgres', $_[0]) }

for my $n (values %node)
{
	$n->safe_psql('postgres', q{ALTER SYSTEM SET citus.local_hostname = '} . $n->host . q{'; SELECT pg_reload_conf(); CREATE EXTENSION citus});
}
many(q{SELECT citus_set_coordinator_host('} . $coordinator->host . q{', } . $coordinator->port . ')');
many(q{SELECT citus_add_node('} . $node{east}->host . q{', } . $node{east}->port . ')');
many('CREATE EXTENSION iamwatch');
is($node{east}->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '0', 'CREATE EXTENSION on the coordinator is one on the worker');
many(q{SELECT citus_add_node('} . $node{west}->host . q{', } . $node{west}->port . ')');
is($node{west}->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '0', 'and a node that is added later gets it');

# 15 accounts, as lines of COPY with the account beside the event
my $tmp = PostgreSQL::Test::Utils::tempdir();
my ($out, $err) = ('', '');
IPC::Run::run([ 'python3', '-c', <<'PYTHON', 'reference', $tmp ], '>', \$out, '2>', \$err) or die $err;
import json, sys
sys.path.insert(0, sys.argv[1])
import generate
parts = [[] for _ in range(12)]
for seed in range(5):
    events = generate.generate(seed, days=60, per_day=60)
    for i in range(12):
        for e in events[len(events) * i // 12:len(events) * (i + 1) // 12]:
            text = json.dumps(e).replace("111111111111", f"11111111111{seed}").replace("222222222222", f"22222222222{seed}").replace("prod-1", f"prod-{seed}")
            e = json.loads(text)
            account = e.get("recipientAccountId") or e["resource"]["labels"]["project_id"]
            parts[i].append(account + "\t" + text.replace("\\", "\\\\"))
for i, part in enumerate(parts):
    open(f"{sys.argv[2]}/part{i}", "w").write("\n".join(part) + "\n")
PYTHON
my @tables;
my @parts = map { "$tmp/part$_" } 0 .. 11;

$coordinator->safe_psql('postgres', 'CREATE DATABASE alone');
one('CREATE EXTENSION iamwatch');
$_->('CREATE TABLE log (account text NOT NULL, event jsonb)') for \&one, \&many;
many(q{SET citus.shard_count = 16; SELECT create_distributed_table('log', 'account')});
$_->(q{SELECT iamwatch.watch('log')}) for \&one, \&many;
is(many('SHOW citus.enable_unsafe_triggers'), 'off', 'watch() of a distributed table needs no setting, and leaves none');

my $state = q{SELECT concat_ws('|', 'alert', account, identity, operation, failed, severity, round(risk::numeric, 6), event_count, first_event_time, last_event_time, evidence) FROM iamwatch.alerts
	UNION ALL SELECT concat_ws('|', 'identity', account, identity, days) FROM iamwatch.identities
	UNION ALL SELECT concat_ws('|', 'baseline', account, identity, service, operation, failed, days) FROM iamwatch.baselines};
sub state_of_one { return join "\n", sort split /\n/, one($state) }
sub state_of_many { return join "\n", sort map { split /\n/, $_->safe_psql('postgres', $state) } values %node }
my $waiting = 'SELECT (SELECT count(*) FROM iamwatch_internal.pending_events) + (SELECT count(*) FROM iamwatch_internal.journal)';

sub same
{
	my ($name) = @_;
	my ($expected, $got) = (state_of_one(), state_of_many());
	my %lines = map { $_ => 1 } split /\n/, $expected;
	ok($got eq $expected, $name)
		or diag(join "\n", 'only on several nodes:', grep({ !$lines{$_} } split /\n/, $got), 'lines: ' . ($expected =~ tr/\n//) . ' and ' . ($got =~ tr/\n//));
	is(join(' ', map { $node{$_}->safe_psql('postgres', $waiting) } sort keys %node), '0 0 0', "$name: nothing waits");
}
sub load
{
	for my $file (@_)
	{
		$_->(qq{\\copy log FROM '$file'}) for \&one, \&many;
	}
}

load(@parts[ 0 .. 6 ]);
my @alerts = one('SELECT count(*) FROM iamwatch.alerts');
cmp_ok($alerts[0], '>', 30, 'One server has alerts');
same('COPY through the coordinator, with the settings as they are');
is(many('SELECT count(*) FROM iamwatch.identities'), '0', 'The coordinator, which has no shards, learns nothing');
cmp_ok($_->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '>', 5, 'each worker raises alerts') for @workers;


# single rows, in sessions that go on
my $inserts = join '', map { my ($account, $event) = split /\t/; $event =~ s/\\\\/\\/g; "INSERT INTO log VALUES ('$account', \$event\$$event\$event\$);\n" }
	(split /\n/, slurp_file($parts[7]))[ 0 .. 199 ];
$_->($inserts) for \&one, \&many;
same('INSERTs of a row each');

# what comes late, and what comes again
load($parts[9], $parts[7], $parts[8]);
same('Rows that come late');
load($parts[8], $parts[9]);
same('Rows that are delivered again');

# an account moves to the other node
my $shard = many(q{SELECT s.shardid FROM pg_dist_shard_placement AS s WHERE s.nodeport = } . $node{east}->port
	. q{ AND s.nodename = '} . $node{east}->host . q{' AND s.shardid IN (SELECT get_shard_id_for_distribution_column('log', account) FROM log) ORDER BY 1 LIMIT 1});
sub move_shard
{
	my ($from, $to) = @_;
	many(sprintf q{SELECT citus_move_shard_placement(%d, '%s', %d, '%s', %d, 'block_writes')}, $shard, map { $_->host, $_->port } $from, $to);
	my @accounts = split /\n/, many("SELECT DISTINCT account FROM log WHERE get_shard_id_for_distribution_column('log', account) = $shard");
	for my $account (@accounts)
	{
		my $provider = $from->safe_psql('postgres', "SELECT provider FROM iamwatch.accounts WHERE account = '$account'");
		my $file = "$tmp/account";
		$from->safe_psql('postgres', "\\copy (SELECT iamwatch.export_account('$provider', '$account')) TO '$file'");
		$to->safe_psql('postgres', "CREATE TEMP TABLE exported (row_data jsonb);\n\\copy exported FROM '$file'\nSELECT iamwatch.import_account(array_agg(row_data)) FROM exported");
		$from->safe_psql('postgres', "SELECT iamwatch.forget_account('$provider', '$account')");
	}
	return scalar @accounts;
}
cmp_ok(move_shard(@node{qw(east west)}), '>', 0, 'There are accounts to move');
same('Accounts that moved to another node');
load($parts[10]);
same('Alerts go on as if the account had always been there');

$node{west}->restart;
load($parts[11]);
same('A worker was restarted');
is(many('SELECT count(DISTINCT alert_id) FROM (' . join(' UNION ALL ', map { "SELECT unnest('{" . join(',', split /\n/, $_->safe_psql('postgres', 'SELECT alert_id FROM iamwatch.alerts')) . "}'::bigint[]) AS alert_id" } @workers) . ') AS x'),
	one('SELECT count(*) FROM iamwatch.alerts'), 'No two nodes have alerts of one number');

# what is stored already, in order of event time: in each shard, beside what was learned
$_->(q{CALL iamwatch.backfill('log')}) for \&one, \&many;
same('backfill() of the distributed table');
$_->safe_psql('postgres', q{CALL iamwatch.maintain()}) for values %node;
same('and maintain() on each node');

# all nodes, seen from the coordinator
sub lines { return join "\n", sort split /\n/, $_[0] }
for my $relation (qw(alerts baselines identities incidents))
{
	my $columns = $relation eq 'alerts' ? 'account, identity, operation, failed, risk, evidence' : $relation eq 'incidents' ? 'account, identity, risk, first_event_time' : 'account, identity, days';
	my $query = qq{SELECT concat_ws('|', $columns) FROM %s};
	is(lines(many(sprintf $query, "iamwatch.everywhere(NULL::iamwatch.$relation)")), lines(one(sprintf $query, "iamwatch.$relation")), "everywhere(): $relation of all nodes");
}
is(many('SELECT events_stored > 1000, events_learned > 100, newest_event_time IS NOT NULL, silent, problem FROM iamwatch.source_status'), 't|t|t|f|', 'The source is seen as a whole');
is(one('SELECT newest_event_time FROM iamwatch.source_status'), many('SELECT newest_event_time FROM iamwatch.source_status'), 'with its newest event');
is(many('SELECT node, answers, problem FROM iamwatch.nodes'), "0|t|\n1|t|\n2|t|", 'nodes: nothing is wrong');

# decided on the coordinator, done where the alert is
my $alert = $node{west}->safe_psql('postgres', 'SELECT min(alert_id) FROM iamwatch.alerts WHERE alert_id > 2000000000000');
many("SELECT iamwatch.triage($alert, resolution => 'benign', note => 'asked')");
is($node{west}->safe_psql('postgres', "SELECT status, note, (SELECT count(*) FROM iamwatch.suppressions WHERE suppression_id > 2000000000000) FROM iamwatch.alerts WHERE alert_id = $alert"),
	'closed|asked|1', 'triage() on the coordinator reaches the node of the alert');
my ($rc, $stdout, $stderr) = $coordinator->psql('postgres', "SELECT iamwatch.triage($alert, 'done')");
like($stderr, qr/DETAIL:  Node 2 says so/, 'and says what that node says');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', 'SELECT iamwatch.triage(12345)');
like($stderr, qr/alert 12345 does not exist/, 'an alert that no node has');

($rc, $stdout, $stderr) = $coordinator->psql('postgres', "SELECT iamwatch.explain($alert)");
like($stderr, qr/HINT:  Node 2 raised it, so ask there/, 'explain() of an alert of another node says which');

# settings are said once
many(q{UPDATE iamwatch.detectors SET probability_limit = 0.01; UPDATE iamwatch.limits SET value = value + 1 WHERE name = 'alerts';
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'DoMine', 'permission', 'modify');
	INSERT INTO iamwatch.suppressions (reason, operation) VALUES ('robots', 'CreateUser');
	INSERT INTO iamwatch.instances VALUES ('aws', 'any', 'i-1', '{}', true)});
like(many(q{SELECT node_problems->>'1' FROM iamwatch.status}), qr/its settings are not those of the coordinator/, 'status: a node whose settings are others');
many('CALL iamwatch.maintain()');
my $settings = q{SELECT concat_ws(' ', (SELECT probability_limit FROM iamwatch.detectors), (SELECT count(*) FROM iamwatch.operations WHERE operation = 'DoMine'),
	(SELECT count(*) FROM iamwatch.suppressions WHERE suppression_id < 1000000000000), (SELECT count(*) FROM iamwatch.instances WHERE instance_id = 'i-1'))};
is($_->safe_psql('postgres', $settings), '0.01 1 1 1', 'maintain() on the coordinator gives its settings to all nodes') for @workers;
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'which status says');
many(q{DELETE FROM iamwatch.operations WHERE operation = 'DoMine'; DELETE FROM iamwatch.suppressions; DELETE FROM iamwatch.instances WHERE instance_id = 'i-1'});
many('CALL iamwatch.sync_nodes()');
is($_->safe_psql('postgres', $settings), '0.01 0 0 0', 'what is taken away there goes everywhere') for @workers;
is($node{west}->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.suppressions'), '1', 'but what a node has of itself stays');

# a shard that moves alone
many(sprintf q{SELECT citus_move_shard_placement(%d, '%s', %d, '%s', %d, 'block_writes')}, $shard, map { $_->host, $_->port } @node{qw(west east)});
load($parts[0]);
like(many(q{SELECT node_problems->>'1' FROM iamwatch.status}), qr/other nodes know accounts that it knows: .*; a shard moved/, 'status: a shard that moved without what was learned of its accounts');

# tables of iamwatch stay where they are
for my $table (split /\n/, many(q{SELECT c.oid::regclass FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)}))
{
	my $column = many("SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum = 1");
	push @tables, grep { $coordinator->psql('postgres', "BEGIN; SELECT $_; ROLLBACK", on_error_stop => 1) == 0 }
		"create_distributed_table('$table', '$column')", ($table =~ /accounts|operations/ ? ("create_reference_table('$table')", "citus_add_local_table_to_metadata('$table')") : ());
}
is("@tables", '', 'No table of iamwatch can be distributed');

# a distributed schema, and partitions
many(q{SET citus.enable_schema_based_sharding = on; CREATE SCHEMA tenant; CREATE TABLE tenant.log (event jsonb)});
many(q{CREATE TABLE parted (account text NOT NULL, at timestamptz NOT NULL, event jsonb) PARTITION BY RANGE (at); SELECT create_distributed_table('parted', 'account');
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')});
many(q{SELECT iamwatch.watch('tenant.log'), iamwatch.watch('parted'); CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')});
my $event = q{jsonb_build_object('eventTime', '%s', 'eventSource', 'iam.amazonaws.com', 'eventName', 'ListUsers', 'recipientAccountId', %s, 'userIdentity', '{"type": "IAMUser", "arn": "x"}'::jsonb)};
many(sprintf "INSERT INTO tenant.log SELECT $event", '2026-01-01T00:00:00Z', q{'tenant'});
many(sprintf "INSERT INTO parted SELECT 'p' || n, '%s', $event FROM generate_series(1, 5) AS n", '2026-01-05', '2026-01-05T00:00:00Z', q{'p' || n});
many(sprintf "INSERT INTO parted SELECT 'p' || n, '%s', $event FROM generate_series(1, 5) AS n", '2026-02-05', '2026-02-05T00:00:00Z', q{'p' || n});
my $seen = q{SELECT string_agg(days::text, ' ') FROM iamwatch.everywhere(NULL::iamwatch.identities) WHERE account IN ('tenant', 'p1', 'p2', 'p3', 'p4', 'p5')};
my $days = join ' ', sort '{2026-01-01}', ('{2026-01-05,2026-02-05}') x 5;
is(join(' ', sort split / /, many($seen)), $days, 'A table of a distributed schema is watched, and partitions are, also later ones');
is(many(q{SELECT source, events_learned FROM iamwatch.source_status WHERE source <> 'log'::regclass ORDER BY 1}), "tenant.log|1\nparted|10", 'and seen in source_status');
many(q{CALL iamwatch.backfill('tenant.log')});
many(q{CALL iamwatch.backfill('parted')});
is(join(' ', sort split / /, many($seen)), $days, 'backfill() of both finds nothing else');
# whoever owns a table names it and its columns: they are names, in what nodes run too
my $named = q{"x$shard$),'e');CREATE TABLE trap();--"};
many(qq{CREATE TABLE $named (account text NOT NULL, "%s'per%cent" jsonb)});
many(qq{SELECT create_distributed_table('} . $named =~ s/'/''/gr . qq{', 'account')});
many(sprintf "INSERT INTO %s SELECT 'named', $event", $named, '2026-01-01T00:00:00Z', q{'named'});
many(q{CALL iamwatch.backfill('} . $named =~ s/'/''/gr . q{', '%s''per%cent')});
is(many(q{SELECT days FROM iamwatch.everywhere(NULL::iamwatch.identities) WHERE account = 'named'}), '{2026-01-01}', 'backfill() of a table with an odd name and column');
is($_->safe_psql('postgres', q{SELECT to_regclass('trap') IS NULL}), 't', 'which no node runs as a command') for values %node;
my $in_shards = q{SELECT count(*) > 0 FROM pg_trigger AS t JOIN pg_dist_shard AS s ON s.logicalrelid IN ('parted'::regclass, 'parted_1'::regclass)
	AND t.tgrelid = to_regclass(shard_name(s.logicalrelid, s.shardid))};
is($_->safe_psql('postgres', $in_shards), 't', 'Shards have the triggers') for @workers;
many(q{SELECT iamwatch.unwatch('parted')});
is($_->safe_psql('postgres', $in_shards), 'f', 'unwatch() leaves none') for @workers;

# what cannot be watched, and why
many(q{CREATE TABLE everywhere (event jsonb); SELECT create_reference_table('everywhere')});
($rc, $stdout, $stderr) = $coordinator->psql('postgres', q{SELECT iamwatch.watch('everywhere')});
like($stderr, qr/reference table "public.everywhere" cannot be watched\nDETAIL:  Every node has all of its rows/, 'A reference table is not watched');
SKIP:
{
	skip 'the extension citus_columnar is not installed', 2 unless has_extension('citus_columnar');
	many(q{CREATE EXTENSION citus_columnar; CREATE TABLE days (at date NOT NULL, event jsonb) PARTITION BY RANGE (at);
		CREATE TABLE old_days PARTITION OF days FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') USING columnar;
		CREATE TABLE new_days PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')});
	($rc, $stdout, $stderr) = $coordinator->psql('postgres', q{SELECT iamwatch.watch('days')});
	like($stderr, qr/DETAIL:  Columnar tables have no triggers for rows: public.old_days/, 'nor is the parent of columnar partitions');
	is(many(q{SELECT iamwatch.watch('new_days'); SELECT source FROM iamwatch.sources WHERE source = 'new_days'::regclass}), "\nnew_days", 'but a partition by itself is');
}

done_testing();
