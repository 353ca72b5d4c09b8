# What no trigger fires for: a foreign table and a view that makes documents of
# columns.  process() and backfill() find what the triggers find on the same rows.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $node = new_server('untriggered');
$node->safe_psql('postgres', 'CREATE DATABASE far');
$node->safe_psql('far', "$events CREATE TABLE stored (id bigint PRIMARY KEY, at timestamptz, event jsonb)");
my ($host, $port) = ($node->host, $node->port);
my %source = (
	'foreign table' => qq{
		CREATE EXTENSION postgres_fdw;
		CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'far');
		CREATE USER MAPPING FOR CURRENT_USER SERVER far;
		CREATE FOREIGN TABLE source (id bigint, at timestamptz, event jsonb) SERVER far OPTIONS (table_name 'stored');
		CREATE FUNCTION put(query text) RETURNS void LANGUAGE plpgsql AS
			'BEGIN EXECUTE ''INSERT INTO source SELECT row_number() OVER (ORDER BY at) + (SELECT count(*) FROM source), at, event FROM ('' || query || '') AS x''; END';
	},
	'view over columns' => q{
		CREATE TABLE stored (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz, "eventID" text, "eventSource" text, "eventName" text,
			"recipientAccountId" text, "userIdentity" json);
		CREATE VIEW source AS SELECT id, jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
			|| to_jsonb(stored) - '{id,at}'::text[] AS event FROM stored;
		CREATE FUNCTION put(query text) RETURNS void LANGUAGE plpgsql AS
			'BEGIN EXECUTE ''INSERT INTO stored (at, "eventID", "eventSource", "eventName", "recipientAccountId", "userIdentity")
			SELECT at, event->>''''eventID'''', event->>''''eventSource'''', event->>''''eventName'''', event->>''''recipientAccountId'''',
				event->''''userIdentity'''' FROM ('' || query || '') AS x ORDER BY at''; END';
	});

$node->safe_psql('postgres', "CREATE EXTENSION iamwatch; $events CREATE TABLE source (at timestamptz, event jsonb); SELECT iamwatch.watch('source')");
$node->safe_psql('postgres', "INSERT INTO source $_ ORDER BY at") for $history, $attack;
my $expected = $node->safe_psql('postgres', $state);
like($expected, qr/CreateUser/, 'The triggers raise alerts');

for my $kind (sort keys %source)
{
	my $db = $kind =~ s/ .*//r;
	$node->safe_psql('postgres', "CREATE DATABASE \"$db\"");
	$node->safe_psql($db, "CREATE EXTENSION iamwatch; $events $source{$kind}");
	my ($status, $out, $err) = $node->psql($db, "SELECT iamwatch.watch('source')");
	like($err, qr/HINT:  Schedule iamwatch.process\(\) for it/, "$kind: watch() says what to use");
	$node->safe_psql($db, "SELECT put(\$q\$$history\$q\$)");
	# 37 does not divide the rows, so a batch ends in the middle of a day
	$node->safe_psql($db, "CALL iamwatch.process('source', 'event', 'id', 37)");
	$node->safe_psql($db, "SELECT put(\$q\$$attack\$q\$)");
	$node->safe_psql($db, "CALL iamwatch.process('source')");
	is($node->safe_psql($db, $state), $expected, "$kind: process() finds what the triggers find");
	$node->safe_psql($db, "CALL iamwatch.process('source')");
	is($node->safe_psql($db, $state), $expected, "$kind: processing nothing new changes nothing");
	is($node->safe_psql($db, 'SELECT watermark FROM iamwatch.sources'), '406', "$kind: the watermark is the last row's");
	$node->safe_psql($db, 'DROP EXTENSION iamwatch; CREATE EXTENSION iamwatch');
	$node->safe_psql($db, "CALL iamwatch.backfill('source')");
	is($node->safe_psql($db, $state), $expected, "$kind: backfill() finds the same");
}

# the far server goes away, and comes back
$node->safe_psql('foreign', q{SELECT put($$SELECT '2026-01-22T08:00:00Z'::timestamptz AS at, e('user9', '2026-01-22T08:00:00Z', 'DeleteUser') AS event$$)});
$node->safe_psql('foreign', "CALL iamwatch.process('source', order_column => 'id')");
my $before = $node->safe_psql('foreign', $state);
$node->safe_psql('foreign', q{SELECT put($$SELECT '2026-01-22T09:00:00Z'::timestamptz AS at, e('user8', '2026-01-22T09:00:00Z', 'DeleteUser') AS event$$)});
$node->safe_psql('foreign', "ALTER SERVER far OPTIONS (SET dbname 'gone')");
isnt($node->psql('foreign', "CALL iamwatch.process('source')"), 0, 'foreign table: process() fails when the far server is not there');
is($node->safe_psql('foreign', $state), $before, 'and changes nothing');
$node->safe_psql('foreign', "ALTER SERVER far OPTIONS (SET dbname 'far')");
$node->safe_psql('foreign', "CALL iamwatch.process('source')");
is($node->safe_psql('foreign', q{SELECT event_count FROM iamwatch.alerts WHERE identity = 'user8' AND operation = 'DeleteUser'}), '1',
	'When it is back, what was not taken is');
$node->stop;
done_testing();
