# Nothing lost, nothing doubled: processes killed at the worst of times.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

my $node = new_server('faults', conf => "restart_after_crash = on\n");
my @pieces = pieces(31, 50, 40, 6);

# The postmaster with all its children, as when a machine stops.
sub kill_server
{
	my @sessions = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @children = split ' ', `ps -o pid= --ppid $postmaster`;
	kill 'KILL', $postmaster, @children;
	my $all = join ',', $postmaster, @children;
	select(undef, undef, undef, 0.01) while grep { !/^Z/ } split ' ', `ps -o stat= -p $all`;
	# it may be left as a zombie, which these would take for a server
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->{_pid} = undef;
	$_->end for @sessions;		# before a new server inherits their pipes
	$node->start;
}

sub rows { return $node->safe_psql('postgres', 'SELECT count(*) FROM log') }

sub load
{
	my ($piece, $database) = @_;
	$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database // 'postgres'),
		'-c', "\\copy log FROM '$piece->{name}'" ], 'a piece is loaded');
}

# A COPY that is under way: its rows have been sent, and with this little memory
# for the batch most of them are in files already, but its end has not come.
sub half_a_copy
{
	my ($piece) = @_;
	my $s = session($node, 'postgres');
	my $pid = $s->run(q{SET work_mem = '64kB'; SET hash_mem_multiplier = 1; SET application_name = 'copying'; SELECT pg_backend_pid();});
	$s->send_lines("COPY log FROM STDIN;\n" . slurp_file($piece->{name}));
	$node->poll_query_until('postgres', qq{SELECT tuples_processed >= $piece->{rows} / 2 FROM pg_stat_progress_copy WHERE pid = $pid})
		or die 'the copy does not begin';
	return ($s, $pid);
}

prepare($node, 'postgres', 1);
load($pieces[0]);
verify($node, 'postgres', 'at first');

my ($copy, $pid) = half_a_copy($pieces[1]);
my $before = rows();
kill 'KILL', $pid;
$copy->end;
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
is(rows(), $before, 'kill -9 of a backend in mid-COPY: none of its rows is stored');
verify($node, 'postgres', 'kill -9 of a backend in mid-COPY');
load($pieces[1]);
verify($node, 'postgres', 'kill -9 of a backend in mid-COPY, loaded again');

($copy, $pid) = half_a_copy($pieces[2]);
$node->stop('immediate');
$copy->end;
$node->start;
verify($node, 'postgres', 'immediate shutdown in mid-COPY');
load($pieces[2]);
verify($node, 'postgres', 'immediate shutdown in mid-COPY, loaded again');

($copy, $pid) = half_a_copy($pieces[3]);
kill_server($copy);
verify($node, 'postgres', 'kill -9 of the server in mid-COPY');
load($pieces[3]);

# Two transactions on the same accounts: the second went by way of the journal
# and of pending events, and the first dies.
my ($first, $second) = (session($node, 'postgres'), session($node, 'postgres'));
$first->run("BEGIN;\n\\copy log FROM '$pieces[4]{name}'");
$second->run("\\copy log FROM '$pieces[4]{name}'");
isnt($node->safe_psql('postgres', 'SELECT count(*) FROM iamwatch_internal.journal'), '0', 'a writer beside another appends to the journal');
kill_server($first, $second);
intact($node, 'postgres', 'kill -9 of the server while a transaction holds the accounts');
$node->safe_psql('postgres', 'CALL iamwatch.maintain()');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM iamwatch_internal.journal) + (SELECT count(*) FROM iamwatch_internal.pending_events)'), '0',
	'what was left beside it is taken over');
verify($node, 'postgres', 'kill -9 of the server while a transaction holds the accounts');
load($pieces[5]);
verify($node, 'postgres', 'kill -9 of the server, loaded on');

# Backfill, killed where it waits: each lock stops it in another phase.
$node->safe_psql('postgres', 'CREATE DATABASE history');
prepare($node, 'history', 0);
load($_, 'history') for @pieces;
my $phases = '';
for my $table (qw(backfills identity_days tallies alert_events))
{
	my ($holder, $backfill) = (session($node, 'history'), session($node, 'history'));
	my $name = ($table eq 'alert_events' ? 'iamwatch.' : 'iamwatch_internal.') . $table;
	$holder->run("BEGIN; LOCK TABLE $name IN SHARE MODE;");
	$holder->run("COMMIT; BEGIN; LOCK TABLE $name IN ACCESS EXCLUSIVE MODE;") if $table eq 'tallies';
	$backfill->send_lines("SET application_name = 'backfill'; CALL iamwatch.backfill('log');\n");
	$node->poll_query_until('history', q{SELECT count(*) = 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE NOT granted AND application_name = 'backfill'}) or die 'the backfill does not get there';
	$phases .= $node->safe_psql('history', 'SELECT phase FROM iamwatch_internal.backfills') . ' ';
	kill_server($holder, $backfill);
	intact($node, 'history', "kill -9 of the server, backfill at $table");
}
is($phases, ' learning learning raising ', 'the backfill was killed in several phases');
is($node->safe_psql('history', 'SELECT interrupted FROM iamwatch.backfill_progress'), 't', 'and shows that it was interrupted');
$node->safe_psql('history', q{CALL iamwatch.backfill('log')});
verify($node, 'history', 'kill -9 of the server during backfill, resumed');
$node->stop;
done_testing();
