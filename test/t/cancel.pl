# Nothing lost, nothing doubled: statements that are cancelled, time out, or
# whose backend is terminated, at many points that chance chooses.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

srand(20260301);
my $node = new_server('cancel');
my @pieces = pieces(41, 60, 50, 30);
my $admin = session($node, 'postgres');

# Load until it succeeds, with more time at each try; how often it did not.
sub load_with_timeouts
{
	my ($s, $piece, $savepoint) = @_;
	my $failures = 0;
	my $before = $admin->run($Replay::state);
	for (my $time = 1;; $time += 1 + int(rand(4)))
	{
		my $rows = $s->run($savepoint ?
			"BEGIN; SAVEPOINT a; SET LOCAL statement_timeout = $time;\n\\copy log FROM '$piece->{name}'\n"
			. "RESET statement_timeout; SELECT count(*) FROM log; ROLLBACK TO a;\nRESET statement_timeout;\n"
			. "\\copy log FROM '$piece->{name}'\nCOMMIT;\n" :
			"SET statement_timeout = $time;\n\\copy log FROM '$piece->{name}'\nRESET statement_timeout;");
		return $failures + ($rows !~ /\d/) if $savepoint;
		last if $admin->run('SELECT count(*) FROM log') > $piece->{before};
		$failures++;
		if ((my $after = $admin->run($Replay::state)) ne $before)
		{
			fail("what is cancelled leaves nothing: $before, then $after");
			last;
		}
	}
	return $failures;
}

# Each time with a session that knows nothing yet, and with one that does.
prepare($node, 'postgres', 1);
my $old = session($node, 'postgres');
my $failures = 0;
my $rows = 0;
for my $n (0 .. $#pieces)
{
	my $piece = $pieces[$n];
	$piece->{before} = $rows;
	my $s = $n % 3 ? $old : session($node, 'postgres');
	$s->run("SET work_mem = '64kB'; SET hash_mem_multiplier = 1;") if $n % 4 == 0;
	$failures += load_with_timeouts($s, $piece, $n % 5 == 4);
	$s->end if $s != $old;
	$rows += $piece->{rows};
}
cmp_ok($failures, '>', 0, 'statement_timeout stopped some of the statements');
note("$failures statements timed out");
verify($node, 'postgres', 'statement_timeout at random points of COPY');

# Backends that are cancelled, and terminated, by another.
$node->safe_psql('postgres', 'CREATE DATABASE ended');
prepare($node, 'ended', 1);
my $ended = 0;
for my $piece (@pieces)
{
	my $s = session($node, 'ended');
	my $pid = $s->run('SELECT pg_backend_pid();');
	my $how = rand() < 0.5 ? 'cancel' : 'terminate';
	$s->send_lines("\\copy log FROM '$piece->{name}'\n");
	select(undef, undef, undef, rand(0.03));
	$admin->run("SELECT pg_${how}_backend($pid);");
	$s->end;
	$node->poll_query_until('ended', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	if ($node->safe_psql('ended', 'SELECT count(*) FROM log') == $piece->{before})
	{
		$ended++;
		my $again = session($node, 'ended');
		$again->run("\\copy log FROM '$piece->{name}'");
		$again->end;
	}
}
note("$ended of " . @pieces . ' statements were ended by another');
verify($node, 'ended', 'backends cancelled and terminated at random points of COPY');

# Backfill and maintenance, stopped again and again.
$node->safe_psql('postgres', 'CREATE DATABASE history');
prepare($node, 'history', 0);
my $s = session($node, 'history');
$s->run("\\copy log FROM '$_->{name}'") for @pieces;
my $stops = 0;
for (my $time = 1;; $time += 1 + int(rand(20)))
{
	$s->run("SET client_min_messages = warning; SET statement_timeout = $time; CALL iamwatch.backfill('log'); RESET statement_timeout;");
	last if $s->run(q{SELECT phase = 'done' FROM iamwatch_internal.backfills}) eq 't';
	$stops++;
}
cmp_ok($stops, '>', 0, 'statement_timeout stopped some backfills');
note("$stops backfills timed out");
verify($node, 'history', 'statement_timeout at random points of backfill');

# A writer with a fixed snapshot leaves everything for maintain().
$node->safe_psql('postgres', 'CREATE DATABASE upkeep');
prepare($node, 'upkeep', 1);
my $fixed = session($node, 'upkeep');
$fixed->run("SET default_transaction_isolation = 'repeatable read'");
$fixed->run("\\copy log FROM '$_->{name}'") for @pieces;
$fixed->run('RESET default_transaction_isolation');
my $left = 'SELECT count(*) FROM iamwatch_internal.journal CROSS JOIN iamwatch_internal.pending_events';
cmp_ok($fixed->run($left), '>', 0, 'a writer with a fixed snapshot leaves days and events for maintain()');
$left = 'SELECT (SELECT count(*) FROM iamwatch_internal.journal) + (SELECT count(*) FROM iamwatch_internal.pending_events)';
$stops = 0;
for (my $time = 1;; $time += 1 + int(rand(3)))
{
	$fixed->run("SET statement_timeout = $time; CALL iamwatch.maintain(); RESET statement_timeout;");
	last if $fixed->run($left) eq '0';
	$stops++;
}
note("$stops calls of maintain() timed out");
verify($node, 'upkeep', 'statement_timeout at random points of maintain()');
$_->end for $s, $fixed, $old, $admin;
$node->stop;
done_testing();
