# A logical replication subscriber: no statement trigger fires for what it
# applies, and row triggers only when they are enabled for it.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $publisher = new_server('publisher', allows_streaming => 'logical');
my $subscriber = new_server('subscriber');
my $table = $events . q{
	CREATE TABLE audit_log (at timestamptz NOT NULL, event jsonb) PARTITION BY RANGE (at);
	CREATE TABLE audit_log_1 PARTITION OF audit_log FOR VALUES FROM ('2026-01-01') TO ('2026-01-15');
	CREATE TABLE audit_log_2 PARTITION OF audit_log FOR VALUES FROM ('2026-01-15') TO ('2026-02-01');
};
# the same rows in a table whose triggers see all of them
$publisher->safe_psql('postgres', "CREATE EXTENSION iamwatch; $table SELECT iamwatch.watch('audit_log');
	CREATE PUBLICATION p FOR TABLE audit_log WITH (publish_via_partition_root = true);
	INSERT INTO audit_log $history; INSERT INTO audit_log $attack");

my @modes = qw(origin always replica);
for my $mode (@modes)
{
	$subscriber->safe_psql('postgres', "CREATE DATABASE $mode");
	$subscriber->safe_psql($mode, "CREATE EXTENSION iamwatch; $table");
	$subscriber->safe_psql($mode, "SELECT iamwatch.watch('audit_log', 'event', '$mode')");
	$subscriber->safe_psql($mode, "CREATE SUBSCRIPTION $mode CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION p");
}
$subscriber->wait_for_subscription_sync($publisher, $_, $_) for @modes;

my $identities = 'SELECT count(*) FROM iamwatch.identities';
my $copied = $publisher->safe_psql('postgres', $state);
is($subscriber->safe_psql('origin', $identities), '0', 'origin: the initial copy is not seen');
is($subscriber->safe_psql('always', $state), $copied, 'always: it is, with the alerts of it');
is($subscriber->safe_psql('replica', $state), $copied, 'replica: too');

# partitions that are made while the subscription runs
$_->[0]->safe_psql($_->[1], "CREATE TABLE audit_log_3 PARTITION OF audit_log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')")
	for [ $publisher, 'postgres' ], map { [ $subscriber, $_ ] } @modes;
$publisher->safe_psql('postgres', "INSERT INTO audit_log SELECT '2026-01-21', e('user1', '2026-01-21T15:00:00Z', 'CreateUser')");
$publisher->safe_psql('postgres', "INSERT INTO audit_log SELECT '2026-02-01', e('user1', '2026-02-01', 'DeleteUser')");
$publisher->wait_for_catchup($_) for @modes;
my $expected = $publisher->safe_psql('postgres', $state);
like($expected, qr/user1\|CreateUser\|informational\|2.*user1\|DeleteUser/s, 'The publisher has an alert of two events, and another');
is($subscriber->safe_psql('origin', 'SELECT count(*) FROM audit_log'), 400 + 6 + 2, 'origin: the rows are there');
is($subscriber->safe_psql('origin', $identities), '0', 'origin: what is applied is not seen');
is($subscriber->safe_psql('always', $state), $expected, 'always: alerts and baselines are those of the publisher');
is($subscriber->safe_psql('replica', $state), $expected, 'replica: so they are');

my $local = q{INSERT INTO audit_log SELECT '2026-02-02', e('here', '2026-02-02', 'DeleteUser')};
$subscriber->safe_psql($_, $local) for @modes;
is($subscriber->safe_psql('origin', $identities), '1', 'origin: what is inserted here is seen');
is($subscriber->safe_psql('always', $identities), '21', 'always: too');
is($subscriber->safe_psql('replica', $identities), '20', 'replica: it is not');

$subscriber->safe_psql('origin', "CALL iamwatch.backfill('audit_log')");
$subscriber->safe_psql('replica', "CALL iamwatch.backfill('audit_log')");
my $all = $subscriber->safe_psql('always', $state);
is($subscriber->safe_psql('origin', $state), $all, 'origin: backfill() brings what was missed');
is($subscriber->safe_psql('replica', $state), $all, 'replica: too');
$subscriber->stop;
$publisher->stop;
done_testing();
