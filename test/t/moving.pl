# Accounts that move between servers without anything but what
# iamwatch.export_account() gives: afterwards alerts and baselines are those of
# the reference, as if they had been there always.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

my $old = new_server('old');
my $new = new_server('new');
my $late = new_server('late');
my @pieces = pieces(11, 70, 80, 10);
my $tmp = PostgreSQL::Test::Utils::tempdir();

sub load
{
	my ($node, @files) = @_;
	$node->safe_psql('postgres', qq{\\copy log FROM '$_->{name}'}) for @files;
}
sub move
{
	my ($to) = @_;
	my $n = 0;
	for my $line (split /\n/, $old->safe_psql('postgres', 'SELECT provider, account FROM iamwatch.accounts'))
	{
		my ($provider, $account) = split /\|/, $line;
		my $file = "$tmp/account";
		$old->safe_psql('postgres', "\\copy (SELECT iamwatch.export_account('$provider', '$account')) TO '$file'");
		$to->safe_psql('postgres', "CREATE TEMP TABLE exported (one jsonb);\n\\copy exported FROM '$file'\nSELECT iamwatch.import_account(array_agg(one)) FROM exported");
		$n++;
	}
	return $n;
}

prepare($old, 'postgres', 1);
load($old, @pieces[ 0 .. 5 ]);
my $alerts = $old->safe_psql('postgres', 'SELECT count(*) FROM iamwatch.alerts');
cmp_ok($alerts, '>', 10, 'There are alerts to move');

# rows first, then what is known of them, then what comes
prepare($new, 'postgres', 0);
load($new, @pieces[ 0 .. 5 ]);
cmp_ok(move($new), '>', 1, 'and several accounts');
$new->safe_psql('postgres', q{SELECT iamwatch.watch('log')});
verify($new, 'postgres', 'Moved');
is($new->safe_psql('postgres', 'SELECT array_agg(alert_id ORDER BY alert_id) FROM iamwatch.alerts'),
	$old->safe_psql('postgres', 'SELECT array_agg(alert_id ORDER BY alert_id) FROM iamwatch.alerts'), 'Alerts have the numbers that they had');
my $incidents = q{SELECT string_agg(concat_ws('|', incident_id, account, identity, risk, urgent, status, alert_ids, led_to, came_from), E'\n' ORDER BY incident_id) FROM iamwatch.incidents};
is($new->safe_psql('postgres', $incidents), $old->safe_psql('postgres', $incidents), 'and incidents are the same, with their links');
load($new, @pieces[ 6 .. 9 ]);
verify($new, 'postgres', 'What came afterwards');
load($old, @pieces[ 6 .. 9 ]);
is($new->safe_psql('postgres', $incidents =~ s/incident_id, account/account/r =~ s/alert_ids, led_to, came_from/alerts/r =~ s/ORDER BY incident_id/ORDER BY account, identity, first_event_time/r),
	$old->safe_psql('postgres', $incidents =~ s/incident_id, account/account/r =~ s/alert_ids, led_to, came_from/alerts/r =~ s/ORDER BY incident_id/ORDER BY account, identity, first_event_time/r),
	'and the work list is that of the server where they had stayed');

# events came to the other server before what was known of the account did
prepare($late, 'postgres', 1);
load($late, @pieces[ 6 .. 9 ]);
$late->safe_psql('postgres', 'ALTER TABLE log DISABLE TRIGGER USER');
load($late, @pieces[ 0 .. 5 ]);
$late->safe_psql('postgres', 'ALTER TABLE log ENABLE TRIGGER USER');
move($late);
is($late->safe_psql('postgres', q{SELECT string_agg(identity || days, E'\n' ORDER BY account, identity COLLATE "C") FROM iamwatch.identities}),
	$old->safe_psql('postgres', q{SELECT string_agg(identity || days, E'\n' ORDER BY account, identity COLLATE "C") FROM iamwatch.identities}), 'What was learned meanwhile is united with it');
intact($late, 'postgres', 'United');
$late->safe_psql('postgres', q{CALL iamwatch.backfill('log')});
verify($late, 'postgres', 'and backfill() finds the alerts of it');
my $counts = q{SELECT sum(late_events) FROM iamwatch.accounts};
my $before = $late->safe_psql('postgres', $Replay::state . $counts);
move($late);
is($late->safe_psql('postgres', $Replay::state . $counts), $before, 'Imported once more, it changes nothing');

# what is left where it was
for my $line (split /\n/, $old->safe_psql('postgres', 'SELECT provider, account FROM iamwatch.accounts'))
{
	$old->safe_psql('postgres', "SELECT iamwatch.forget_account('" . join("', '", split /\|/, $line) . "')");
}
is($old->safe_psql('postgres', 'SELECT (SELECT count(*) FROM iamwatch.identities) + (SELECT count(*) FROM iamwatch.alerts) + (SELECT count(*) FROM iamwatch.incidents)'), '0', 'forget_account() leaves nothing');

# another session has the account
$new->safe_psql('postgres', q{CREATE TABLE one_account AS SELECT provider, account FROM iamwatch.accounts LIMIT 1});
my $holder = session($new, 'postgres');
$holder->run('BEGIN; SELECT iamwatch.export_account(provider, account) FROM one_account LIMIT 1;');
my ($rc, $out, $err) = $new->psql('postgres', 'SELECT iamwatch.export_account(provider, account) FROM one_account LIMIT 1');
like($err, qr/ERROR:  another session is writing account ".*"\nHINT:  Stop what loads its events, and try again/, 'An account that another session writes is not exported');
$holder->run('ROLLBACK;');
$holder->end;
$_->stop for $old, $new, $late;
done_testing();
