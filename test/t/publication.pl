# A publication of all tables, as change data capture and managed services
# make one, publishes the extension's tables too.  No insert may fail for it.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $node = new_server('published');
$node->safe_psql('postgres', "CREATE EXTENSION iamwatch; CREATE PUBLICATION p FOR ALL TABLES; $events
	CREATE TABLE audit_log (at timestamptz NOT NULL, event jsonb); SELECT iamwatch.watch('audit_log')");
is($node->safe_psql('postgres', q{SELECT pubinsert AND pubupdate AND pubdelete FROM pg_publication}), 't', 'Everything is published');
is($node->safe_psql('postgres', q{
	SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class AS c
	JOIN pg_depend AS d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	WHERE c.relkind = 'r' AND c.relreplident = 'n' OR (c.relkind = 'r' AND c.relreplident = 'd'
		AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary))}),
	'', 'Every table has a primary key or a replica identity');
is($node->safe_psql('postgres', q{
	SELECT string_agg(a.attrelid::regclass || '.' || a.attname, ' ') FROM pg_attribute AS a
	JOIN pg_depend AS d ON d.objid = a.attrelid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	WHERE a.attgenerated <> '' AND NOT a.attisdropped}),
	'', 'No column is generated: from PostgreSQL 18 on, a replica identity must not have one that is not published');

# Runs, and tells what was wrong with it.
sub runs
{
	my ($sql, $name) = @_;
	my ($result, $output, $errors) = $node->psql('postgres', $sql, on_error_stop => 1);
	is($result, 0, $name) or diag($errors);
}
my $alerts = 'SELECT count(*) FROM iamwatch.alerts';
runs("INSERT INTO audit_log $history; INSERT INTO audit_log $attack", 'Inserts');
is($node->safe_psql('postgres', $alerts), '6', 'The attack is alerted');
runs("INSERT INTO audit_log SELECT at + interval '1 hour', e('user1', at + interval '1 hour', 'CreateUser') FROM ($attack) AS a LIMIT 1",
	'An event that joins an alert');
runs("INSERT INTO audit_log SELECT now(), '{}' FROM generate_series(1, 3)", 'Rejected documents');
runs("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO audit_log SELECT at + interval '2 days', e('user9', at + interval '2 days', 'DeleteUser')
	FROM ($attack) AS a; COMMIT", 'By way of the journals');
cmp_ok($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM iamwatch_internal.journal) * (SELECT count(*) FROM iamwatch_internal.context_journal)
	* (SELECT count(*) FROM iamwatch_internal.pending_events)'), '>', 0, 'which have rows now');
runs('CALL iamwatch.maintain()', 'Maintenance');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM iamwatch_internal.journal) + (SELECT count(*) FROM iamwatch_internal.pending_events)'),
	'0', 'takes the journal over');
runs("SELECT iamwatch.triage(alert_id, resolution => 'true_positive') FROM iamwatch.alerts LIMIT 1;
	SELECT iamwatch.triage(alert_id, resolution => 'benign') FROM iamwatch.alerts WHERE status = 'new'", 'Triage');
runs("INSERT INTO audit_log SELECT at + interval '20 days', e('user2', at + interval '20 days', 'CreateUser') FROM ($attack) AS a LIMIT 1",
	'An event that is suppressed');
runs("CALL iamwatch.backfill('audit_log')", 'A backfill');
runs("UPDATE iamwatch.detectors SET probability_limit = 0.01; UPDATE iamwatch.limits SET value = value + 1;
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'x', 'y', 'identity', 'create');
	DELETE FROM iamwatch.operations WHERE service = 'x'", 'Settings');
runs("SELECT iamwatch.unwatch('audit_log'); CALL iamwatch.process('audit_log', order_column => 'at'); CALL iamwatch.maintain()", 'process()');
$node->stop;
done_testing();
