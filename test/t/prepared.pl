# A role that may only insert prepares transactions, and floods the server's
# queue of notifications: the one keeps locks of iamwatch, the other keeps
# alerts from being notified.  Neither stops an insert, both are in
# iamwatch.status, and when it is over iamwatch.maintain() makes up for it.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $node = new_server('preparing');
$node->safe_psql('postgres', "CREATE EXTENSION iamwatch; CREATE ROLE writer LOGIN; CREATE ROLE reader LOGIN; $events
	CREATE TABLE audit_log (at timestamptz NOT NULL, event jsonb); SELECT iamwatch.watch('audit_log');
	GRANT INSERT ON audit_log TO writer; SELECT iamwatch.grant_access('reader', 'read');
	INSERT INTO audit_log $history");
sub psql { return $node->safe_psql('postgres', $_[0], extra_params => $_[1] // []) }
sub writer { return psql($_[0], [ '-U', 'writer' ]) }

# One event of CreateUser, an alert each.
sub event { my ($who, $time) = @_; return "INSERT INTO audit_log SELECT '2026-01-21', e('$who', '2026-01-21T$time', 'CreateUser')" }
sub status { return psql("SELECT $_[0] FROM iamwatch.status") }

# What a session hears that listens while it runs the statements.
sub heard
{
	my ($sql) = @_;
	my ($result, $output, $errors) = $node->psql('postgres', "LISTEN iamwatch_alert; $sql; SELECT 1");
	return $errors if $result;
	return join(' ', sort grep { defined } $output =~ /"identity": "(\w+)"/g);
}
my $maintain = 'CALL iamwatch.maintain()';

# --- Notifications -------------------------------------------------------
is(heard(event('user1', '10:00Z')), 'user1', 'An alert is notified when its transaction commits');
is(heard('BEGIN; ' . event('user2', '10:00Z') . '; ROLLBACK'), '', 'Not when it rolls back');
is(heard('BEGIN; SAVEPOINT s; ' . event('user2', '10:00Z') . '; ROLLBACK TO s; ' . event('user3', '10:00Z') . '; COMMIT'),
	'user3', 'Not when it rolls back to a savepoint before; others of the transaction are');
is(heard('BEGIN; SAVEPOINT s; ' . event('user2', '10:00Z') . '; RELEASE s; COMMIT'), 'user2', 'It is when the savepoint is released');
is(psql('SELECT count(*) FROM iamwatch_internal.unsent_notifications'), '0', 'Nothing was written for that');

is(heard('BEGIN; ' . event('user4', '10:00Z') . "; PREPARE TRANSACTION 'one'"), '', 'A transaction with an alert can be prepared');
is(heard($maintain), '', 'Nobody is notified before it commits');
is(heard("COMMIT PREPARED 'one'"), '', 'nor at the time');
is(status('notifications_unsent'), '1', 'Status: an alert that nobody was notified of');
is(heard($maintain), 'user4', 'maintain() notifies of it');
is(status('notifications_unsent') . heard($maintain), '0', 'once');
psql('BEGIN; ' . event('user5', '10:00Z') . "; PREPARE TRANSACTION 'two'");
psql("ROLLBACK PREPARED 'two'");
is(status('notifications_unsent') . heard($maintain), '0', 'Not of one that is rolled back');
psql('BEGIN; ' . event('user10', '10:00Z') . "; SET TRANSACTION READ ONLY; PREPARE TRANSACTION 'two'; COMMIT PREPARED 'two'");
is(heard($maintain), 'user10', 'One that has been made READ ONLY since can be prepared too, and is notified');
is(psql('BEGIN; ' . event('user5', '10:00Z') . "; DROP EXTENSION iamwatch CASCADE; PREPARE TRANSACTION 'three'; ROLLBACK PREPARED 'three';
	SELECT count(*) FROM pg_extension WHERE extname = 'iamwatch'"), '1', 'A transaction that drops the extension can be prepared');

# The queue: a listener that does not read, and somebody who writes.
my $listener = $node->background_psql('postgres', on_error_stop => 0) if $node->can('background_psql');
psql("UPDATE iamwatch.limits SET value = 0 WHERE name = 'notification_queue'");
SKIP:
{
	skip 'no background sessions', 6 unless $listener;
	$listener->query_safe('LISTEN anything; BEGIN; SELECT 1');
	psql("SELECT pg_notify('anything', repeat('x', 7000) || n) FROM generate_series(1, 200) AS n");
	cmp_ok(psql('SELECT pg_notification_queue_usage()'), '>', 0, 'The queue is not empty');
	is(heard(event('user6', '10:00Z')), '', 'An insert succeeds that cannot notify');
	is(psql("SELECT count(*) FROM iamwatch.alerts WHERE identity = 'user6'"), '1', 'Its alert is there');
	is(status('notifications_unsent'), '1', 'Status: and counted as not notified');
	is(heard($maintain), '', 'maintain() does not wait for room');
	$listener->query_safe('COMMIT');
	psql("SELECT pg_notify('anything', 'last')");
	$listener->query_safe('SELECT 1');
	$listener->quit;
	is(heard("$maintain; $maintain"), 'user6', 'When there is room, maintain() notifies of it');
}
psql("UPDATE iamwatch.limits SET value = shipped_value WHERE name = 'notification_queue'");

# --- Locks ---------------------------------------------------------------
# An alert that is joined, and a day that is learned, in a transaction that stays.
psql(event('user7', '10:00Z'));
writer('BEGIN; ' . event('user7', '11:00Z') . '; ' . event('stranger', '11:00Z') . "; PREPARE TRANSACTION 'hold'");
psql("INSERT INTO audit_log SELECT '2026-01-22', e('user8', '2026-01-22T08:00Z')");
psql(event('user7', '12:00Z'));
is(status('journal_rows > 0 AND pending_events > 0'), 't', 'Days and events wait for a prepared transaction');
is(status('waiting_since IS NULL AND held_by = \'[]\''), 't', 'Status: not named within a minute');
psql("UPDATE iamwatch_internal.journal SET learned_at = learned_at - interval '2 minutes'");
psql("BEGIN; SELECT iamwatch_internal.try_lock(7, key) FROM iamwatch_internal.waiting; PREPARE TRANSACTION 'of another class'");
is(status("waiting_since < now() - interval '2 minutes' AND waiting_since > now() - interval '10 minutes'"), 't', 'Status: since when it waits');
is(status("held_by->0->>'gid' || ' ' || (held_by->0->>'role') || ' ' || jsonb_array_length(held_by) || ' ' || ((held_by->0->>'since')::timestamptz < now())"),
	'hold writer 1 true', 'Status: who holds it, and nobody else, by the name of the prepared transaction');
psql("ROLLBACK PREPARED 'of another class'");
is($node->safe_psql('postgres', "SELECT held_by->0->>'gid' FROM iamwatch.status", extra_params => [ '-U', 'reader' ]), 'hold', 'Status: a reader sees it');
psql("DELETE FROM iamwatch_internal.journal; UPDATE iamwatch_internal.pending_events SET left_at = left_at - interval '90 seconds'");
is(status("waiting_since < now() AND held_by->0->>'gid' = 'hold'"), 't', 'Status: events of an alert that wait');
psql($maintain);
is(status('pending_events'), '1', 'maintain() leaves them');
psql("ROLLBACK PREPARED 'hold'");
is(status("held_by = '[]' AND waiting_since < now()"), 't', 'Status: when nobody holds it any more, that it waits');
psql($maintain);
is(status("journal_rows + pending_events || ' ' || coalesce(waiting_since::text, 'null')"), '0 null', 'maintain() takes them over');
is(psql("SELECT event_count FROM iamwatch.alerts WHERE identity = 'user7'"), '2', 'and the event has joined its alert');

SKIP:
{
	skip 'no background sessions', 1 unless $node->can('background_psql');
	my $open = $node->background_psql('postgres', extra_params => [ '-U', 'writer' ]);
	$open->query_safe('BEGIN; ' . event('user9', '10:00Z'));
	my $pid = $open->query_safe('SELECT pg_backend_pid()');
	psql("INSERT INTO audit_log SELECT '2026-01-23', e('user8', '2026-01-23T08:00Z');
		UPDATE iamwatch_internal.journal SET learned_at = learned_at - interval '2 minutes'");
	is(status("held_by->0->>'pid' || ' ' || (held_by->0->>'role') || ' ' || ((held_by->0->>'since')::timestamptz < now())"), "$pid writer true", 'Status: a session that keeps its transaction open');
	$open->query_safe('ROLLBACK');
	$open->quit;
}
$node->stop;
done_testing();
