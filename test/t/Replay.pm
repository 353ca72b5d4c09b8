# What the tests of faults share: events to load in pieces, and whether the
# extension's state is that of the reference for what was committed.
package Replay;
use strict;
use warnings;
use Exporter 'import';
use File::Temp ();
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(pieces prepare verify intact session);

my $folder = 'reference';
my $catalogue = 'catalogue';

# Generated events in order of event time, as files for \copy.
sub pieces
{
	my ($seed, $days, $per_day, $pieces) = @_;
	my $tmp = PostgreSQL::Test::Utils::tempdir();
	my $lines = '';
	IPC::Run::run([ 'python3', '-c', 'import json, sys; sys.path.insert(0, sys.argv[1]); import generate
for e in generate.generate(int(sys.argv[2]), days=int(sys.argv[3]), per_day=int(sys.argv[4])): print(json.dumps(e))',
			$folder, $seed, $days, $per_day ], '>', \$lines) or die 'generate.py failed';
	my @lines = split /\n/, $lines =~ s/\\/\\\\/gr;
	my @files;
	for my $i (0 .. $pieces - 1)
	{
		my @part = @lines[ int(@lines * $i / $pieces) .. int(@lines * ($i + 1) / $pieces) - 1 ];
		my $file = "$tmp/piece$i";
		append_to_file($file, join("\n", @part) . "\n");
		push @files, { name => $file, rows => scalar(@part) };
	}
	return @files;
}

sub prepare
{
	my ($node, $database, $watched, $table_options) = @_;
	$node->safe_psql($database, 'CREATE EXTENSION iamwatch; CREATE TABLE log (event jsonb) ' . ($table_options // '') . q{;
		INSERT INTO iamwatch.instances VALUES ('aws', 'any', 'i-0123456789abcdef0', '{}', true), ('gcp', 'any', 'gce-1', '{34.1.2.3}', true)});
	$node->safe_psql($database, q{SELECT iamwatch.watch('log')}) if $watched;
}

# Does what is stored follow from itself?  Tallies from days, counts from events.
my $inner = q{
	WITH fresh AS (
		SELECT i.account_id, m.operation_id, iamwatch_internal.is_person(i.kinds) AS is_user, day, count(*) AS identities,
			count(*) FILTER (WHERE iamwatch_internal.settled_days(m.days, i.first_days) OPERATOR(iamwatch.@>) day) AS settled
		FROM iamwatch_internal.identity_days AS i
		CROSS JOIN LATERAL (SELECT 0 AS operation_id, i.days UNION ALL SELECT -1, i.iam_days UNION ALL SELECT d.operation_id, d.days
			FROM iamwatch_internal.behaviour_days AS d WHERE (d.account_id, d.identity_id) = (i.account_id, i.identity_id)) AS m
		CROSS JOIN LATERAL iamwatch.days(m.days) AS day
		GROUP BY 1, 2, 3, 4
	), tallies AS (
		SELECT account_id, operation_id, is_user, day, identities, settled FROM iamwatch_internal.tallies
	)
	SELECT (SELECT count(*) FROM (SELECT * FROM fresh EXCEPT ALL SELECT * FROM tallies) AS x),
		(SELECT count(*) FROM (SELECT * FROM tallies EXCEPT ALL SELECT * FROM fresh) AS x),
		(SELECT count(*) FROM (SELECT account, provider FROM iamwatch_internal.accounts GROUP BY 1, 2 HAVING count(*) > 1) AS x),
		(SELECT count(*) FROM (SELECT a.alert_id FROM iamwatch.alerts AS a LEFT JOIN iamwatch.alert_events AS e USING (alert_id)
			GROUP BY a.alert_id, a.event_count HAVING count(e) <> a.event_count) AS x)
};

# All state in one short line, to see that nothing has changed.
our $state = q{SELECT md5(string_agg(r, ',' ORDER BY r COLLATE "C")) FROM (
	SELECT a::text FROM (SELECT * FROM iamwatch.alerts) AS a
	UNION ALL SELECT e::text FROM iamwatch.alert_events AS e
	UNION ALL SELECT p::text FROM iamwatch_internal.pending_events AS p
	UNION ALL SELECT j::text FROM iamwatch_internal.journal AS j
	UNION ALL SELECT a::text FROM iamwatch_internal.accounts AS a
	UNION ALL SELECT i::text FROM iamwatch_internal.identity_days AS i
	UNION ALL SELECT b::text FROM iamwatch_internal.behaviour_days AS b
	UNION ALL SELECT t::text FROM iamwatch_internal.tallies AS t
	UNION ALL SELECT count(*)::text FROM log) AS x (r);};

sub intact
{
	my ($node, $database, $name) = @_;
	is($node->safe_psql($database, $inner), '0|0|0|0', "$name: tallies follow from days, counts from events");
}

sub verify
{
	my ($node, $database, $name) = @_;
	my $query = slurp_file("$folder/reference.py") =~ s/.*^QUERY = """(.*?)""".*/$1/msr;
	my $rows = $node->safe_psql($database, qq{
		SET search_path = pg_catalog, iamwatch, iamwatch_internal;
		SELECT json_build_object('documents', (SELECT coalesce(json_agg(event), '[]') FROM public.log),
			'alerts', (SELECT coalesce(json_agg(r), '[]') FROM (SELECT (SELECT json_agg(value ORDER BY n)
				FROM json_each(row_to_json(a)) WITH ORDINALITY AS e (key, value, n)) AS r FROM ($query) AS a) AS x),
			'baselines', (SELECT coalesce(json_agg(r), '[]') FROM (
				SELECT json_build_array(provider, account, identity, (SELECT json_agg(d - date '2000-01-01' ORDER BY d) FROM days(days) AS d)) AS r
				FROM iamwatch.identities
				UNION ALL
				SELECT json_build_array(provider, account, identity, service, operation, failed,
					(SELECT json_agg(d - date '2000-01-01' ORDER BY d) FROM days(days) AS d))
				FROM iamwatch.baselines) AS x))});
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'python3', "$folder/verify.py", $catalogue ], '<', \$rows, '>', \$out, '2>', \$err);
	is($out . $err, '', "$name: alerts and baselines are those of the reference for what was committed");
	intact($node, $database, $name);
}

# A psql that stays: give it lines, and wait for a word in what it prints.
sub session
{
	my ($node, $database) = @_;
	my $s = { in => '', out => '', err => '', timer => IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default) };
	$s->{harness} = IPC::Run::start([ 'psql', '-qXAt', '-d', $node->connstr($database), '-f', '-' ],
		'<', \$s->{in}, '>', \$s->{out}, '2>', \$s->{err}, $s->{timer});
	return bless $s, 'Replay::Session';
}

package Replay::Session;

sub send_lines
{
	my ($s, $lines) = @_;
	$s->{timer}->start;		# for what comes, not for all that the session does
	$s->{in} .= $lines;
	$s->{harness}->pump_nb;
}

# Run commands, and return what they print.
sub run
{
	my ($s, $commands) = @_;
	$s->{timer}->start;
	$s->{out} = '';
	$s->{in} .= "$commands\n;\n\\echo all done\n";
	$s->{harness}->pump until $s->{out} =~ /^all done$/m;
	return $s->{out} =~ s/\s*^all done\n//mr;
}

sub end
{
	my ($s) = @_;
	eval { $s->{harness}->finish };
}

1;
