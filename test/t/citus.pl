# Citus: a table distributed by account over a coordinator and two workers has
# the alerts, identities and baselines of the same rows on one server.  With
# IAMWATCH_NODES=10 there are ten nodes to begin with, not three.
use strict;
use warnings;
use lib 't';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

plan skip_all => 'the extension citus is not installed' unless has_extension('citus');

my $conf = "shared_preload_libraries = 'citus'\nmax_prepared_transactions = 60\ncitus.enable_statistics_collection = off\n";
my @more = map { "node$_" } 3 .. ($ENV{IAMWATCH_NODES} // 3) - 1;
my %node = map { $_ => new_server($_, conf => $conf, allows_streaming => 'logical') } qw(coordinator east west), @more;
my $coordinator = $node{coordinator};
my @table;		# what was compared, for people to read
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
many(q{SELECT citus_add_node('} . $_->host . q{', } . $_->port . ')') for @node{@more};

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
$_->(q{SELECT iamwatch.watch('log');
	INSERT INTO iamwatch.instances VALUES ('aws', 'any', 'i-0123456789abcdef0', '{}', true), ('gcp', 'any', 'gce-1', '{34.1.2.3}', true)}) for \&one, \&many;
many('CALL iamwatch.sync_nodes()');
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
	my @lines = split /\n/, $expected;
	my (%only_one, %only_many);
	$only_one{$_}++ for @lines;
	$only_many{$_}++ for split /\n/, $got;
	for my $line (keys %only_one)
	{
		next unless $only_many{$line};
		my $both = $only_one{$line} < $only_many{$line} ? $only_one{$line} : $only_many{$line};
		$_->{$line} -= $both or delete $_->{$line} for \%only_one, \%only_many;
	}
	my $waits = join ' ', map { $node{$_}->safe_psql('postgres', $waiting) } sort keys %node;
	ok(!%only_one && !%only_many, $name)
		or diag(join "\n", 'only on several nodes:', keys %only_many, 'only on one:', keys %only_one);
	is($waits, join(' ', (0) x keys %node), "$name: nothing waits");
	push @table, [ $name, scalar(keys %node) - 1, (map { my $kind = $_; scalar grep { /^$kind\|/ } @lines } qw(alert identity baseline)), keys(%only_one) + keys(%only_many), $waits =~ /[1-9]/ ? 'some' : 0 ];
}
sub lines { return join "\n", sort grep { length } split /\n/, $_[0] }
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
verify($coordinator, 'alone', 'One server');
same('COPY through the coordinator, with the settings as they are');
is(many('SELECT count(*) FROM iamwatch.identities'), '0', 'The coordinator, which has no shards, learns nothing');
cmp_ok($_->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '>', 2, 'each worker raises alerts') for @workers;

# its transactions were prepared, so nobody was notified
my $listener = session($node{west}, 'postgres');
$listener->run('LISTEN iamwatch_alert;');
is($node{west}->safe_psql('postgres', 'SELECT notifications_unsent = alerts_opened AND alerts_opened > 0 FROM iamwatch.status'), 't', 'Alerts of a prepared transaction are to be notified');
many('CALL iamwatch.maintain()');
is($node{west}->safe_psql('postgres', 'SELECT notifications_unsent FROM iamwatch.status'), '0', 'which maintain() on the coordinator does');
$listener->run('SELECT 1;');
like($listener->{err} . $listener->{out}, qr/Asynchronous notification "iamwatch_alert"/, 'on the node of the alert');
$listener->end;

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
my @accounts = split /\n/, many("SELECT DISTINCT account FROM log WHERE get_shard_id_for_distribution_column('log', account) = $shard");
sub move_shard
{
	my ($from, $to) = @_;
	many(sprintf q{SELECT citus_move_shard_placement(%d, '%s', %d, '%s', %d, 'block_writes')}, $shard, map { $_->host, $_->port } $from, $to);
}
my ($rc, $stdout, $stderr);
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'Every account is known where its shard is, says status');
many('CALL iamwatch.maintain()');
my $counted = q{SELECT events_learned, events_late, events_rejected, newest_event_time, silent FROM iamwatch.source_status WHERE source = 'log'::regclass};
my $counts = many($counted);
move_shard(@node{qw(east west)});
is(many($counted), $counts, 'What came into a shard before the last maintain() stays counted when it moves');
like(many(q{SELECT node_problems->>'1' FROM iamwatch.status}), qr/^shards have moved, but not what it knows of their accounts: $accounts[0] \(node 2\).*; CALL iamwatch\.carry_accounts\(\) on the coordinator/,
	'A shard that moved alone is in status, before an event comes');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', 'CALL iamwatch.carry_accounts()');
is($stderr, 'psql:<stdin>:1: NOTICE:  ' . @accounts . ' accounts were carried to the nodes of their shards', 'carry_accounts() carries what is known of its accounts');
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'and all is well again');
same('An account moved, with carry_accounts()');
load($parts[10]);
same('Alerts go on as if the account had always been there');

# it moves back, and this time events come before what is known of it does
many('CALL iamwatch.maintain()');
move_shard(@node{qw(west east)});
my @lines = split /\n/, slurp_file($parts[11]);
append_to_file("$tmp/half$_", join("\n", @lines[ $_ * @lines / 2 .. ($_ + 1) * @lines / 2 - 1 ]) . "\n") for 0, 1;
load("$tmp/half0");
like(many(q{SELECT node_problems->>'2' FROM iamwatch.status}), qr/^shards have moved/, 'A shard that moved alone, and got events');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', 'CALL iamwatch.carry_accounts()');
like($stderr, qr/NOTICE:  events of account "(@{[ join '|', @accounts ]})" had come to node 1 before what was known of it\nHINT:  Alerts that they would have raised are found by iamwatch\.backfill\(\)/, 'carry_accounts() unites both, and says so');
is(lines(join "\n", map { $_->safe_psql('postgres', 'SELECT account, identity, days FROM iamwatch.identities') } values %node),
	lines(one('SELECT account, identity, days FROM iamwatch.identities')), 'so that no day is missing, nor twice');
is(one('SELECT sum(late_events) FROM iamwatch.accounts'), many('SELECT sum(late_events) FROM iamwatch.everywhere(NULL::iamwatch.accounts)'), 'nor counted twice');
$_->(q{CALL iamwatch.backfill('log')}) for \&one, \&many;
same('Events came before what was known of their account, then backfill()');

# by hand, as between servers without Citus
many('CALL iamwatch.maintain()');
move_shard(@node{qw(east west)});
for my $account (@accounts)
{
	my ($provider, $file) = ($node{east}->safe_psql('postgres', "SELECT provider FROM iamwatch.accounts WHERE account = '$account'"), "$tmp/account");
	$node{east}->safe_psql('postgres', "\\copy (SELECT iamwatch.export_account('$provider', '$account')) TO '$file'");
	$node{west}->safe_psql('postgres', "CREATE TEMP TABLE exported (row_data jsonb);\n\\copy exported FROM '$file'\nSELECT iamwatch.import_account(array_agg(row_data)) FROM exported") for 1, 2;
	$node{east}->safe_psql('postgres', "SELECT iamwatch.forget_account('$provider', '$account')");
}
same('An account moved, exported and imported by hand, twice');

# a worker goes away in the middle of a COPY: none of it is there, on no node
my ($copied, $err_of) = ('', '');
my $half = int((-s "$tmp/half1") / 2);
my $copy = IPC::Run::start([ 'psql', '-qXAt', '-d', $coordinator->connstr('postgres'), '-c',
	"\\copy log FROM PROGRAM 'head -c $half $tmp/half1; while [ ! -e $tmp/go ]; do sleep 0.1; done; tail -c +" . ($half + 1) . " $tmp/half1'" ],
	'>', \$copied, '2>', \$err_of, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
is($node{west}->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.log_%'}), 1, 'A COPY has come half-way');
$node{west}->stop('immediate');
$node{west}->start;
append_to_file("$tmp/go", '');
$copy->finish;
like($err_of, qr/ERROR/, 'It fails when a worker is restarted under it');
same('A worker restarted in the middle of a COPY: nothing of it stays');
load("$tmp/half1");
same('and the same COPY once more');
$node{west}->restart;
load($parts[3]);
same('A worker restarted between two');

# a node that is added later gets its share of shards
$node{north} = new_server('north', conf => $conf, allows_streaming => 'logical');
$node{north}->safe_psql('postgres', q{ALTER SYSTEM SET citus.local_hostname = '} . $node{north}->host . q{'; SELECT pg_reload_conf(); CREATE EXTENSION citus});
many(q{SELECT citus_add_node('} . $node{north}->host . q{', } . $node{north}->port . ')');
my $group = many(q{SELECT groupid FROM pg_dist_node WHERE nodeport = } . $node{north}->port . q{ AND nodename = '} . $node{north}->host . q{'});
like(many(qq{SELECT node_problems->>'$group' FROM iamwatch.status}), qr/its settings are not those of the coordinator; CALL iamwatch\.sync_nodes\(\) there/, 'A new node has not the settings yet, says status');
many('CALL iamwatch.sync_nodes()');
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'sync_nodes() gives them');
many('CALL iamwatch.maintain()');
many(q{SELECT rebalance_table_shards('log', shard_transfer_mode => 'block_writes')});
like(many('SELECT node_problems FROM iamwatch.status'), qr/shards have moved/, 'The rebalancer moved shards');
many('CALL iamwatch.carry_accounts()');
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'carry_accounts() follows');
same('A node added, shards rebalanced, with carry_accounts()');
cmp_ok($node{north}->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts'), '>', 2, 'The new node has accounts and their alerts');
load(@parts[ 5, 6 ]);
same('Rows that are delivered again, to the new node too');
is(many('SELECT count(DISTINCT alert_id) FROM (' . join(' UNION ALL ', map { "SELECT unnest('{" . join(',', split /\n/, $_->safe_psql('postgres', 'SELECT alert_id FROM iamwatch.alerts')) . "}'::bigint[]) AS alert_id" } values %node) . ') AS x'),
	one('SELECT count(*) FROM iamwatch.alerts'), 'No two nodes have alerts of one number');

# what is stored already, in order of event time: in each shard, beside what was learned
$_->(q{CALL iamwatch.backfill('log')}) for \&one, \&many;
verify($coordinator, 'alone', 'One server after backfill()');
same('backfill() of the distributed table');
many('CALL iamwatch.maintain()');
one('CALL iamwatch.maintain()');
same('maintain() for all nodes');

# a shard is split, so that an account has one of its own; and rows come by way of a worker
many("SELECT isolate_tenant_to_new_shard('log', '$accounts[0]', shard_transfer_mode => 'block_writes')");
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'An account gets a shard of its own, on the same node');
one(qq{\\copy log FROM '$parts[4]'});
$node{east}->safe_psql('postgres', qq{\\copy log FROM '$parts[4]'});
my $now = q{SELECT format('INSERT INTO log VALUES (%L, %L)', account, event || jsonb_build_object('eventID', 'split' || n, 'insertId', 'split' || n, 'eventName', 'DeleteUser')) FROM (
	SELECT DISTINCT ON (account, n) account, event, n FROM log, generate_series(1, 2) AS n WHERE event->>'eventSource' = 'iam.amazonaws.com' ORDER BY account, n, event->>'eventTime' DESC) AS x};
my $latest = one($now) =~ s/$/;/mgr;
one($latest);
$node{west}->safe_psql('postgres', $latest);
same('A shard split, rows by way of workers');

# the same rows, with a column for each field
my $fields = q{event->'eventTime' AS "eventTime", event->'eventSource' AS "eventSource", event->'eventName' AS "eventName", event->'userIdentity' AS "userIdentity",
	event->'eventID' AS "eventID", event->'recipientAccountId' AS "recipientAccountId", event->'errorCode' AS "errorCode", event->'sourceIPAddress' AS "sourceIPAddress"};
my $mapped = q{CREATE TABLE columns (account text NOT NULL, "eventTime" text, "eventSource" text, "eventName" text, "userIdentity" jsonb, "eventID" text, "recipientAccountId" text, "errorCode" text, "source%%sIP" text)};
my $events = q{SELECT 'm' || n % 3, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'iam.amazonaws.com', CASE WHEN at > '2026-02-20' AND n = 4 THEN 'CreateUser' ELSE 'ListUsers' END,
		jsonb_build_object('type', 'IAMUser', 'arn', 'user' || n), at::text || n, 'm' || n % 3, NULL, '192.0.2.1'
	FROM generate_series(1, 9) AS n, generate_series('2026-01-01'::timestamptz, '2026-02-21', '1 day') AS at};
for my $where (\&one, \&many)
{
	$where->($mapped =~ s/%%/%/r);
	$where->(q{SELECT create_distributed_table('columns', 'account', colocate_with => 'log')}) if $where == \&many;
	$where->("INSERT INTO columns $events");
	$where->(q{SELECT iamwatch.map_columns('columns', '{"eventTime": "eventTime", "eventSource": "eventSource", "eventName": "eventName", "userIdentity": "userIdentity",
		"eventID": "eventID", "recipientAccountId": "recipientAccountId", "errorCode": "errorCode", "sourceIPAddress": "source%sIP"}')});
	$where->(q{CALL iamwatch.backfill('columns')});
}
is(one(q{SELECT count(*) FROM iamwatch.alerts WHERE account LIKE 'm_'}), '1', 'A table with a column for each field has an alert');
same('backfill() of a distributed table with mapped columns');
$_->(q{SELECT iamwatch.watch('columns'); INSERT INTO columns } . $events =~ s/2026-01-01/2026-02-22/r =~ s/2026-02-21/2026-02-24/r =~ s/n = 4/n > 7/r) for \&one, \&many;
same('INSERTs into a distributed table with mapped columns');

# all nodes, seen from the coordinator
$_->('UPDATE iamwatch.detectors SET daily_budget = 1') for \&one, \&many;
many('CALL iamwatch.sync_nodes()');
for my $relation (qw(alerts baselines identities incidents))
{
	my $columns = $relation eq 'alerts' ? 'account, identity, operation, failed, risk, evidence'
		: $relation eq 'incidents' ? 'account, identity, risk, urgent, severity, status, alerts, events, operations, first_event_time, cardinality(led_to), cardinality(came_from)' : 'account, identity, days';
	my $query = qq{SELECT concat_ws('|', $columns) FROM %s};
	is(lines(many(sprintf $query, "iamwatch.everywhere(NULL::iamwatch.$relation)")), lines(one(sprintf $query, "iamwatch.$relation")), "everywhere(): $relation of all nodes");
}
my $urgent = 'SELECT count(*) FILTER (WHERE urgent) FROM iamwatch.incidents';
my @urgent = map { $_->safe_psql('postgres', $urgent) } values %node;
cmp_ok(one($urgent), '<', eval(join '+', @urgent), 'What is urgent follows from all nodes: each by itself would call more so');
my $linked = q{SELECT concat_ws('|', f.account, f.identity, t.account, t.identity) FROM %1$s AS l JOIN %2$s AS f USING (incident_id) JOIN %2$s AS t ON t.incident_id = l.led_to};
isnt(one(sprintf $linked, 'iamwatch.incident_links', 'iamwatch.incidents'), '', 'Incidents are linked');
is(lines(many(sprintf $linked, 'iamwatch.everywhere(NULL::iamwatch.incident_links)', 'iamwatch.everywhere(NULL::iamwatch.incidents)')),
	lines(one(sprintf $linked, 'iamwatch.incident_links', 'iamwatch.incidents')), 'everywhere(): as on one node');
is(many('SELECT events_stored > 1000, events_learned > 100, newest_event_time IS NOT NULL, silent, problem FROM iamwatch.source_status WHERE source = \'log\'::regclass'), 't|t|t|f|', 'The source is seen as a whole');
is(one(q{SELECT newest_event_time FROM iamwatch.source_status WHERE source = 'log'::regclass}), many(q{SELECT newest_event_time FROM iamwatch.source_status WHERE source = 'log'::regclass}), 'with its newest event');
is(many('SELECT answers, problem FROM iamwatch.nodes'), join("\n", ('t|') x keys %node), 'nodes: nothing is wrong');
is(many('SELECT sum(alerts), sum(waiting), count(waiting_since), sum(notifications_unsent) >= 0, bool_and(limits_hit = $${}$$) FROM iamwatch.nodes'),
	one('SELECT count(*) FROM iamwatch.alerts') . '|0|0|t|t', 'nodes: how many alerts each has, and that nothing waits');

# who may read on the coordinator may on all nodes
many(q{CREATE ROLE reader LOGIN});
many(q{SELECT iamwatch.grant_access('reader', 'read')});
my @as_reader = (extra_params => [ '-U', 'reader' ]);
is($coordinator->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.everywhere(NULL::iamwatch.incidents)', @as_reader), one('SELECT count(*) FROM iamwatch.incidents'), 'grant_access() on the coordinator gives to read on all nodes');
is($coordinator->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE answers), count(problem) FROM iamwatch.nodes', @as_reader), keys(%node) . '|0', 'and to see how they are');

# decided on the coordinator, done where the alert is
my $alert = $node{west}->safe_psql('postgres', 'SELECT min(alert_id) FROM iamwatch.alerts WHERE alert_id > 2000000000000');
many("SELECT iamwatch.triage($alert, resolution => 'benign', note => 'asked')");
is($node{west}->safe_psql('postgres', "SELECT status, note, (SELECT count(*) FROM iamwatch.suppressions WHERE suppression_id > 2000000000000) FROM iamwatch.alerts WHERE alert_id = $alert"),
	'closed|asked|1', 'triage() on the coordinator reaches the node of the alert');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', "SELECT iamwatch.triage($alert, 'done')");
like($stderr, qr/DETAIL:  Node 2 says so/, 'and says what that node says');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', 'SELECT iamwatch.triage(12345)');
like($stderr, qr/alert 12345 does not exist/, 'an alert that no node has');

($rc, $stdout, $stderr) = $coordinator->psql('postgres', "SELECT iamwatch.explain($alert)");
like($stderr, qr/HINT:  Node 2 raised it, so ask there/, 'explain() of an alert of another node says which');

# a node is away
$node{north}->stop;
is(many("SELECT iamwatch.triage($alert, note => 'asked again')") =~ /note kept/, 1, 'triage() of an alert of a node that answers');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', "\\set VERBOSITY verbose\nSELECT iamwatch.triage(${group}999999999999)");
like($stderr, qr/ERROR:  08006: no node that answers has alert ${group}999999999999, but not all answer\nDETAIL:  Node $group: .*\nHINT:  Nothing was changed\. Try again when they do/, 'triage() of one that may be on a node that does not');
($rc, $stdout, $stderr) = $coordinator->psql('postgres', 'SELECT count(*) FROM iamwatch.everywhere(NULL::iamwatch.incidents)');
like($stderr, qr/WARNING:  node $group does not answer, so its rows are missing/, 'everywhere() says whose rows are missing');
like(many(qq{SELECT node_problems->>'$group' FROM iamwatch.status}), qr/it does not answer/, 'status: a node that does not answer');
for my $told ([ 'CALL iamwatch.sync_nodes()', qr/node $group did not take the settings/, 'Call iamwatch.sync_nodes()' ],
	[ 'CALL iamwatch.maintain()', qr/maintain\(\) failed on node $group/, 'Call it again' ],
	[ q{SELECT iamwatch.grant_access('reader', 'read')}, qr/role reader was given nothing on node $group/, 'Call it again' ])
{
	my ($call, $warning, $remedy) = @$told;
	($rc, $stdout, $stderr) = $coordinator->psql('postgres', $call);
	like($stderr, qr/WARNING:  $warning\nDETAIL:  .+\n(.*\n)*?HINT:  \Q$remedy\E when that is mended\./, "$call says which node did not do it, and what to do");
	is($rc, 0, 'and does it on the others');
}
$node{north}->start;

# settings are said once
many(q{UPDATE iamwatch.detectors SET probability_limit = 0.01; UPDATE iamwatch.limits SET value = value + 1 WHERE name = 'alerts';
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'DoMine', 'permission', 'modify');
	INSERT INTO iamwatch.suppressions (reason, operation) VALUES ('robots', 'CreateUser');
	INSERT INTO iamwatch.instances VALUES ('aws', 'any', 'i-1', '{}', true)});
like(many(q{SELECT node_problems->>'1' FROM iamwatch.status}), qr/its settings are not those of the coordinator/, 'status: a node whose settings are others');
many('CALL iamwatch.maintain()');
my $settings = q{SELECT concat_ws(' ', (SELECT probability_limit FROM iamwatch.detectors), (SELECT count(*) FROM iamwatch.operations WHERE operation = 'DoMine'),
	(SELECT count(*) FROM iamwatch.suppressions WHERE suppression_id < 1000000000000), (SELECT count(*) FROM iamwatch.instances WHERE instance_id = 'i-1'))};
is($_->safe_psql('postgres', $settings), '0.01 1 1 1', 'maintain() on the coordinator gives its settings to all nodes') for @workers, $node{north};
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'which status says');
many(q{DELETE FROM iamwatch.operations WHERE operation = 'DoMine'; DELETE FROM iamwatch.suppressions; DELETE FROM iamwatch.instances WHERE instance_id = 'i-1'});
many('CALL iamwatch.sync_nodes()');
is($_->safe_psql('postgres', $settings), '0.01 0 0 0', 'what is taken away there goes everywhere') for @workers;
is($node{west}->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.suppressions'), '1', 'but what a node has of itself stays');

my $event = q{jsonb_build_object('eventTime', '%s', 'eventSource', 'iam.amazonaws.com', 'eventName', 'ListUsers', 'recipientAccountId', %s, 'userIdentity', '{"type": "IAMUser", "arn": "x"}'::jsonb)};

# a shard that moves by logical replication: what is copied is not taken for new
many(q{CREATE TABLE keyed (account text NOT NULL, id bigint, event jsonb, PRIMARY KEY (account, id));
	SELECT create_distributed_table('keyed', 'account', colocate_with => 'log'); SELECT iamwatch.watch('keyed', fires => 'always')});
many(sprintf "INSERT INTO keyed SELECT 'k' || n, n, $event FROM generate_series(1, 5) AS n", '2026-01-05T00:00:00Z', q{'k' || n});
my $known = q{SELECT string_agg(account, ' ' ORDER BY account) FROM iamwatch.accounts WHERE account LIKE 'k_'};
my %known = map { $_ => $node{$_}->safe_psql('postgres', $known) } sort keys %node;
my ($holder) = grep { $known{$_} } sort keys %known;
my ($other) = grep { $_ ne $holder && $_ ne 'coordinator' } sort keys %known;
my ($of) = split / /, $known{$holder};
many(sprintf q{SELECT citus_move_shard_placement(get_shard_id_for_distribution_column('keyed', '%s'), '%s', %d, '%s', %d, 'force_logical')}, $of, map { $node{$_}->host, $node{$_}->port } $holder, $other);
is(join('|', map { $node{$_}->safe_psql('postgres', $known) } sort keys %node), join('|', map { $known{$_} } sort keys %node), 'A shard moved by logical replication teaches nothing, though its trigger fires always');
many('CALL iamwatch.carry_accounts()');
like($node{$other}->safe_psql('postgres', $known), qr/\b$of\b/, 'and what is known of its accounts can follow');
many(q{SELECT iamwatch.unwatch('keyed'); DROP TABLE keyed});

# tables of iamwatch stay where they are, whatever Citus is told of triggers
my @wrong;
for my $line (split /\n/, many(q{SELECT c.oid::regclass, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = 1
	WHERE c.relkind = 'r' AND c.relnamespace IN ('iamwatch'::regnamespace, 'iamwatch_internal'::regnamespace)}))
{
	my ($name, $column) = split /\|/, $line;
	my @ways = ("create_distributed_table('$name', '$column')");
	push @ways, "create_reference_table('$name')", "citus_add_local_table_to_metadata('$name')" if $name =~ /\.(accounts|operations|alerts|stays_on_node)$/;
	for my $way (@ways)
	{
		($rc, $stdout, $stderr) = $coordinator->psql('postgres', "BEGIN; SET LOCAL citus.enable_unsafe_triggers = on; SELECT $way; ROLLBACK", on_error_stop => 1);
		push @wrong, "$way: $stderr" if $rc == 0 || $stderr !~ /ERROR: .*(is not a regular, foreign or partitioned table|inherit)/;
	}
}
is("@wrong", '', 'No table of iamwatch can be distributed');

# tables of the coordinator alone, of which Citus knows or not
many(q{CREATE TABLE plain (event jsonb); CREATE TABLE known (event jsonb); SELECT citus_add_local_table_to_metadata('known');
	SELECT iamwatch.watch('plain'), iamwatch.watch('known')});
many(sprintf "INSERT INTO $_ SELECT $event", '2026-01-01T00:00:00Z', "'$_'") for qw(plain known);
is($coordinator->safe_psql('postgres', q{SELECT account, days FROM iamwatch.identities WHERE account IN ('plain', 'known') ORDER BY 1}),
	"known|{2026-01-01}\nplain|{2026-01-01}", 'A table of the coordinator is watched, and learned there, whether Citus knows of it or not');
is(many(q{SELECT source, events_learned, problem FROM iamwatch.source_status WHERE source IN ('plain'::regclass, 'known'::regclass) ORDER BY 1}), "plain|1|\nknown|1|", 'and seen in source_status');
many("CALL iamwatch.backfill('$_')") for qw(plain known);
is(many(q{SELECT node_problems FROM iamwatch.status}), '{}', 'Nobody says that these are on the wrong node');

# a distributed schema, and partitions
many(q{SET citus.enable_schema_based_sharding = on; CREATE SCHEMA tenant; CREATE TABLE tenant.log (event jsonb)});
many(q{CREATE TABLE parted (account text NOT NULL, at timestamptz NOT NULL, event jsonb) PARTITION BY RANGE (at); SELECT create_distributed_table('parted', 'account', colocate_with => 'log');
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')});
many(q{SELECT iamwatch.watch('tenant.log'), iamwatch.watch('parted'); CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')});
many(sprintf "INSERT INTO tenant.log SELECT $event", '2026-01-01T00:00:00Z', q{'tenant'});
many(sprintf "INSERT INTO parted SELECT 'p' || n, '%s', $event FROM generate_series(1, 5) AS n", '2026-01-05', '2026-01-05T00:00:00Z', q{'p' || n});
many(sprintf "INSERT INTO parted SELECT 'p' || n, '%s', $event FROM generate_series(1, 5) AS n", '2026-02-05', '2026-02-05T00:00:00Z', q{'p' || n});
my $seen = q{SELECT string_agg(days::text, ' ') FROM iamwatch.everywhere(NULL::iamwatch.identities) WHERE account IN ('tenant', 'p1', 'p2', 'p3', 'p4', 'p5')};
my $days = join ' ', sort '{2026-01-01}', ('{2026-01-05,2026-02-05}') x 5;
is(join(' ', sort split / /, many($seen)), $days, 'A table of a distributed schema is watched, and partitions are, also later ones');
is(many(q{SELECT source, events_learned FROM iamwatch.source_status WHERE source IN ('tenant.log'::regclass, 'parted'::regclass) ORDER BY source::text DESC}), "tenant.log|1\nparted|10", 'and seen in source_status');
many(q{CALL iamwatch.backfill('tenant.log')});
many(q{CALL iamwatch.backfill('parted')});
is(join(' ', sort split / /, many($seen)), $days, 'backfill() of both finds nothing else');
# of a distributed schema nobody knows which accounts are in it
is(many('SELECT node_problems FROM iamwatch.status'), '{}', 'With a table of a distributed schema, nodes have no problem');
many(q{SELECT iamwatch.unwatch('tenant.log')});
$known = q{SELECT count(*) FROM iamwatch.accounts WHERE account = 'p1'};
($holder) = grep { $node{$_}->safe_psql('postgres', $known) } sort keys %node;
($other) = grep { $_ ne $holder && $_ ne 'coordinator' } sort keys %node;
many(q{DELETE FROM iamwatch.sources WHERE source IN ('plain'::regclass, 'known'::regclass)});
$node{$_}->safe_psql('postgres', q{SELECT iamwatch.forget_account('aws', account) FROM iamwatch.accounts WHERE account = 'tenant'}) for sort keys %node;
many(sprintf q{SELECT citus_move_shard_placement(get_shard_id_for_distribution_column('parted', 'p1'), '%s', %d, '%s', %d, 'block_writes')}, map { $node{$_}->host, $node{$_}->port } $holder, $other);
many('CALL iamwatch.maintain()');		# the columns of a mapped table moved along
like(many('SELECT node_problems FROM iamwatch.status'), qr/shards have moved.*p1 \(node/, 'A shard of a partitioned table moved, says status');
many('CALL iamwatch.carry_accounts()');
is($node{$other}->safe_psql('postgres', $known), '1', 'and carry_accounts() follows');
is(many(q{SELECT count(*), string_agg(DISTINCT days::text, ' ') FROM iamwatch.everywhere(NULL::iamwatch.identities) WHERE account = 'p1'}), '1|{2026-01-05,2026-02-05}', 'with its days');
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
many('CALL pg_catalog.citus_cleanup_orphaned_resources()');	# or a shard that moved is dropped some time later
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

# what was compared
push @table, [];
my @head = ('after', 'workers', 'alerts', 'identities', 'baselines', 'rows that differ', 'waiting');
diag sprintf('Citus %s on PostgreSQL %s', many(q{SELECT substring(citus_version() FROM 'Citus ([0-9.]+)')}), many('SHOW server_version'));
diag join ' | ', '', @head, '';
diag join '|', '', map({ '---' } @head), '';
diag join ' | ', '', @$_, '' for grep { @$_ } @table;
done_testing();
