# Nothing lost, nothing doubled: no memory, no temporary files, no disk.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

srand(20260302);
my $node = new_server('full', conf => "autovacuum = off\nrestart_after_crash = off\n");
my @pieces = pieces(51, 60, 50, 8);

# Load with more and more room; nothing may be left of what failed.
sub load_until_it_works
{
	my ($s, $piece, $admin, $message, $before_try, $after_try) = @_;
	my $before = $admin->run($Replay::state);
	my $rows = $admin->run('SELECT count(*) FROM log');
	my $failures = 0;
	while (1)
	{
		my $room = $before_try->();
		$s->{err} = '';
		$s->run("\\copy log FROM '$piece->{name}'");
		$after_try->();
		return $failures if $admin->run('SELECT count(*) FROM log') == $rows + $piece->{rows};
		$failures++;
		like($s->{err}, $message, "with no more than $room kB left, COPY says why it fails") if $s->{err} !~ $message;
		is($admin->run($Replay::state), $before, "with no more than $room kB left, what failed leaves nothing")
			if $admin->run($Replay::state) ne $before;
		die 'the server died' unless $node->safe_psql('postgres', 'SELECT true');
	}
}

# Memory: the address space of a backend ends where chance wants it to, so that
# any allocation can be the one that fails.  The stack has grown before.
SKIP:
{
	skip 'prlimit is not there', 5 if system('prlimit --version >/dev/null 2>&1');
	prepare($node, 'postgres', 1);
	my $admin = session($node, 'postgres');
	my $failures = 0;
	for my $n (0 .. $#pieces)
	{
		my $s = session($node, 'postgres');
		my $pid = $s->run(q{SET client_min_messages = error; SELECT iamwatch.parse('{}') \gset
			DO 'BEGIN END';		-- both libraries are there
			SELECT (repeat('[', 3000) || repeat(']', 3000))::jsonb IS NULL AS deep \gset
			SELECT pg_backend_pid();});
		my $room = int(rand(200));
		$failures += load_until_it_works($s, $pieces[$n], $admin, qr/out of memory/,
			sub {
				my ($size) = slurp_file("/proc/$pid/status") =~ /^VmSize:\s*(\d+) kB/m;
				system('prlimit', '--pid', $pid, '--as=' . ($size + $room) * 1024 . ':') == 0 or die 'prlimit failed';
				return $room;
			},
			sub {
				system('prlimit', '--pid', $pid, '--as=unlimited:') == 0 or die 'prlimit failed';
				$room += 30 + int(rand(400));
			});
		$s->end;
	}
	cmp_ok($failures, '>', 0, 'out of memory: some statements failed');
	note("$failures statements ran out of memory");
	verify($node, 'postgres', 'out of memory at random points of COPY');
	$admin->end;
}

# Little memory for sorts and hashes, and no temporary files.
$node->safe_psql('postgres', 'CREATE DATABASE history');
prepare($node, 'history', 0);
my $s = session($node, 'history');
$s->run("SET work_mem = '64kB'; SET hash_mem_multiplier = 1;\n" . join('', map { "\\copy log FROM '$_->{name}'\n" } @pieces));
$s->run(q{INSERT INTO log SELECT jsonb_build_object('eventTime', '2026-01-20T00:00:00Z', 'eventSource', 's3.amazonaws.com',
	'eventName', 'GetObject', 'recipientAccountId', '3', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'many' || n))
	FROM generate_series(1, 3000) AS n});
is($s->run("SET temp_file_limit = 0; SET client_min_messages = warning; CALL iamwatch.backfill('log');\n\\echo :SQLSTATE"), '53400',
	'without temporary files, backfill fails in a small work_mem');
intact($node, 'history', 'backfill that ran out of temporary files');
$s->run("RESET temp_file_limit; CALL iamwatch.backfill('log')");
verify($node, 'history', 'backfill in a small work_mem, resumed with temporary files');
$s->end;
$node->safe_psql('postgres', 'CREATE DATABASE small_memory');
prepare($node, 'small_memory', 1);
$s = session($node, 'small_memory');
$s->run("SET work_mem = '64kB'; SET hash_mem_multiplier = 1;\n"
	. join('', map { "\\copy log FROM '$_->{name}'\n" } @pieces));
verify($node, 'small_memory', 'COPY with as little memory as can be set');
$s->run(q{CREATE TABLE many AS SELECT jsonb_build_object('eventTime', '2026-01-20T00:00:00Z', 'eventSource', 's3.amazonaws.com',
	'eventName', 'GetObject', 'recipientAccountId', '3', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'more' || n)) AS event
	FROM generate_series(1, 5000) AS n});
is($s->run("SET temp_file_limit = '64kB'; INSERT INTO log SELECT event FROM many;\n\\echo :SQLSTATE"), '53400',
	'a statement that goes beyond the limit of temporary files fails');
is($s->run("RESET temp_file_limit; INSERT INTO log SELECT event FROM many;\n\\echo :SQLSTATE"), '00000', '... and the next does not');
unlike(slurp_file($node->logfile), qr/while in ABORT state/, '... and its end writes to no file, which would fail again');
$s->end;

# Disk: a small file system for all tables but the watched one.
SKIP:
{
	my $disk = $ENV{IAMWATCH_SMALL_DISK};
	skip 'no small disk: only root can mount one', 7 unless $disk;
	mkdir "$disk/tables" or die $!;
	$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/tables'");
	$node->safe_psql('postgres', 'CREATE DATABASE full_disk TABLESPACE small');
	prepare($node, 'full_disk', 1, 'TABLESPACE pg_default');
	my $admin = session($node, 'full_disk');
	my $fill = sub {
		my ($room) = @_;
		unlink "$disk/filler";
		my ($free) = (split /\n/, `df --output=avail -k $disk`)[1] =~ /(\d+)/;
		system('fallocate', '-l', ($free - $room) * 1024, "$disk/filler") == 0 or die 'fallocate failed';
		return $room;
	};
	my $failures = 0;
	$s = session($node, 'full_disk');
	for my $n (0 .. $#pieces)
	{
		my $room = 8 * int(rand(6));
		$failures += load_until_it_works($s, $pieces[$n], $admin, qr/No space left on device/,
			sub { $fill->($room) }, sub { unlink "$disk/filler"; $room += 8 * (1 + int(rand(8))) });
	}
	cmp_ok($failures, '>', 0, 'disk full: some statements failed');
	note("$failures statements found the disk full");
	verify($node, 'full_disk', 'disk full at random points of COPY');

	$s->run('SELECT iamwatch.unwatch($$log$$); TRUNCATE iamwatch_internal.accounts, iamwatch_internal.identity_days, iamwatch_internal.account_operations,
		iamwatch_internal.behaviour_days, iamwatch_internal.tallies, iamwatch.alerts, iamwatch.alert_events; SET client_min_messages = warning;');
	my $stops = 0;
	for (my $room = 8;; $room += 8 * (1 + int(rand(10))))
	{
		$fill->($room);
		my $result = $s->run("CALL iamwatch.backfill('log');\n\\echo :SQLSTATE");
		unlink "$disk/filler";
		last if $result eq '00000';
		$stops++;
		is($result, '53100', 'disk full: backfill says so') if $result ne '53100';
	}
	cmp_ok($stops, '>', 0, 'disk full: some backfills failed');
	note("$stops backfills found the disk full");
	verify($node, 'full_disk', 'disk full at random points of backfill');
	$_->end for $s, $admin;
	$node->safe_psql('postgres', 'DROP DATABASE full_disk');
	$node->safe_psql('postgres', 'DROP TABLESPACE small');
}
$node->stop;
done_testing();
