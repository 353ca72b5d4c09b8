# Sessions that help with a backfill: what comes of it is what one session makes,
# whoever takes which step, and whoever is ended in the middle of one.
use strict;
use warnings;
use lib 't';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Replay;
use Server;
use Test::More;

my $node = new_server('helpers');

# One large account, of which the baselines take several steps, and a few small
# ones; in each of them some identities do at the end what nobody ever did.
$node->safe_psql('postgres', q{CREATE DATABASE stored});
$node->safe_psql('stored', q{
	CREATE EXTENSION iamwatch;
	CREATE TABLE log (event jsonb);
	CREATE FUNCTION e(who text, at timestamptz, account int, operation text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
		SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
			'eventSource', 'iam.amazonaws.com', 'eventName', operation, 'eventID', md5(who || at || operation || account),
			'recipientAccountId', account::text, 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
	INSERT INTO log SELECT e('user' || n, '2026-01-01'::timestamptz + n * interval '1 second' + day * interval '1 day', account, 'ListUsers')
	FROM generate_series(1, 7) AS account, LATERAL generate_series(1, CASE account WHEN 1 THEN 11000 ELSE 300 END) AS n,
		generate_series(0, 1) AS day;
	INSERT INTO log SELECT e('user' || n, '2026-02-01'::timestamptz + n * interval '1 minute', account, operation)
	FROM generate_series(1, 7) AS account, generate_series(1, 50) AS n, unnest('{CreateUser,CreateAccessKey}'::text[]) AS operation;
	VACUUM ANALYZE log;});

sub state
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT string_agg(r, E'\n' ORDER BY r COLLATE "C") FROM (
			SELECT (to_jsonb(a) - '{alert_id,incident_id,detected_at}'::text[])::text FROM iamwatch.alerts AS a
			UNION ALL SELECT concat_ws('|', a.account, a.identity, a.operation, e.event_time, e.event_id) FROM iamwatch.alerts AS a JOIN iamwatch.alert_events AS e USING (alert_id)
			UNION ALL SELECT concat_ws('|', i.account, i.identity, i.alerts, i.risk, i.urgent, i.first_event_time) FROM iamwatch.incidents AS i
			UNION ALL SELECT x::text FROM iamwatch.identities AS x
			UNION ALL SELECT x::text FROM iamwatch.baselines AS x
			UNION ALL SELECT x::text FROM iamwatch.accounts AS x
			UNION ALL SELECT concat_ws('|', a.account, o.service, o.operation, t.is_user, t.day, t.identities, t.settled)
				FROM iamwatch_internal.tallies AS t JOIN iamwatch_internal.accounts AS a USING (account_id)
				LEFT JOIN iamwatch_internal.account_operations AS o USING (account_id, operation_id)
			UNION ALL SELECT concat_ws('|', l.name, l.scope, l.day, sum(l.taken)) FROM iamwatch_internal.limit_counts AS l
				GROUP BY l.name, l.scope, l.day) AS x (r)});
}

# Incidents that are behind, those that differ from what their alerts say, and alerts that name another.
sub incidents_amiss
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT (SELECT count(*) FROM iamwatch_internal.changed_incidents) || '|'
			|| (SELECT count(*) FROM iamwatch_internal.kept_incidents AS k
				WHERE (to_jsonb(k) - 'kept_by') IS DISTINCT FROM (SELECT to_jsonb(f) - 'kept_by'
					FROM iamwatch_internal.find_incidents(ARRAY[(k.detector, k.provider, k.account, k.identity, '-infinity', 'infinity')::iamwatch_internal.incident_part]) AS f
					WHERE f.incident_id = k.incident_id)) || '|'
			|| (SELECT count(*) FROM iamwatch.alerts AS a WHERE NOT EXISTS (SELECT FROM iamwatch_internal.kept_incidents AS k
				WHERE k.incident_id = a.incident_id AND a.alert_id = ANY (k.alert_ids)))});
}

# Whoever opens an alert waits while the test holds a lock of its name.
sub fresh
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE stored");
	$node->safe_psql($database, q{
		CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
			PERFORM pg_advisory_xact_lock_shared(hashtext(current_setting('application_name'))); RETURN NULL; END$$;
		CREATE TRIGGER hold AFTER INSERT ON iamwatch.alerts FOR EACH ROW EXECUTE FUNCTION hold();});
	my $holder = session($node, $database);
	$holder->run("SELECT pg_advisory_lock(hashtext(name)) FROM unnest('{leader,helper1,helper2,helper3}'::text[]) AS name;");
	return $holder;
}

sub release { my ($holder, $name) = @_; $holder->run("SELECT pg_advisory_unlock(hashtext('$name'));"); }

sub start
{
	my ($database, $name, $call) = @_;
	my $s = session($node, $database);
	$s->run("SET application_name = '$name';");
	$s->send_lines("CALL iamwatch.$call;\n");
	until ($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$name' AND datname = '$database' AND query LIKE 'CALL%'") > 0)
	{
		$s->{harness}->pump_nb;
	}
	return $s;
}

# Wait for the end of a session; what it said.
sub ended
{
	my ($s) = @_;
	$s->end;
	return $s->{err};
}

# Until these sessions are in the middle of a step of alerts.
sub in_a_step
{
	my ($database, @names) = @_;
	$node->poll_query_until($database, sprintf(q{SELECT count(*) = %d FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE NOT granted AND locktype = 'advisory' AND application_name IN ('%s') AND datname = '%s'}, scalar @names, join("', '", @names), $database))
		or die "not all of @names take a step of alerts";
}

fresh('alone')->end;
$node->safe_psql('alone', q{CALL iamwatch.backfill('log')});
my $alone = state('alone');
is($node->safe_psql('alone', 'SELECT count(*), count(DISTINCT account) FROM iamwatch.alerts'), '700|7', 'one session raises all alerts');
is(incidents_amiss('alone'), '0|0|0', 'and keeps their incidents');

my $holder = fresh('helped');
my @helpers = map { start('helped', "helper$_", q{backfill_work('log', patience => '3 minutes')}) } 1 .. 2;
my $leader = start('helped', 'leader', q{backfill('log')});
in_a_step('helped', 'leader', 'helper1', 'helper2');
is($node->safe_psql('helped', 'SELECT phase, helpers FROM iamwatch.backfill_progress'), 'raising|2', 'progress says how many help');
release($holder, $_) for qw(helper1 helper2 leader);
my @says = map { ended($_) } $leader, @helpers;
$holder->end;
unlike("@says", qr/ERROR/, 'helpers that were there before it began: nobody fails');
like($says[$_], qr/took [1-9][0-9]* steps/, "helper $_ took some steps, and ends with the backfill") for 1 .. 2;
is(state('helped'), $alone, 'with two helpers: the rows of one session');
is(incidents_amiss('helped'), '0|0|0', 'with two helpers: their incidents are kept');
is($node->safe_psql('helped', q{SELECT pg_stat_force_next_flush(); SELECT pg_stat_get_tuples_inserted('iamwatch_internal.journal'::regclass)}), "\n0",
	'steps of one account are not taken at once: nothing went by way of the journal');
is($node->safe_psql('helped', 'SELECT phase, parts_done, parts, alerts, helpers, interrupted FROM iamwatch.backfill_progress'),
	'done|700|700|700|0|f', 'its progress is that of one session, all of which is done');
is($node->safe_psql('helped', 'SELECT (SELECT count(*) FROM iamwatch_internal.backfill_steps) + (SELECT count(*) FROM iamwatch_internal.backfill_unusual)'), '0',
	'no step is left, nor a day that one found');
$node->safe_psql('helped', q{CALL iamwatch.backfill('log')});
is(state('helped'), $alone, 'and again, alone: nothing changes');

$holder = fresh('killed');
@helpers = map { start('killed', "helper$_", q{backfill_work(patience => '3 minutes')}) } 1 .. 3;
$leader = start('killed', 'leader', q{backfill('log')});
in_a_step('killed', qw(leader helper1 helper2 helper3));
$node->safe_psql('killed', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'helper1'});
$node->safe_psql('killed', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'helper2'});
release($holder, $_) for qw(leader helper3);
@says = map { ended($_) } $leader, @helpers;
$holder->end;
unlike($says[0], qr/ERROR/, 'a helper killed and one cancelled in the middle of a step: the backfill ends as ever');
like($says[1], qr/terminating connection/, 'one was killed');
like($says[2], qr/canceling statement due to user request/, 'one was cancelled');
unlike($says[3], qr/ERROR/, 'and the third goes on');
is(incidents_amiss('killed'), '0|0|0', 'a helper killed and one cancelled: incidents are kept');
is(state('killed'), $alone, 'a helper killed and one cancelled: others do their steps, and the rows are those of one session');

$holder = fresh('led');
@helpers = (start('led', 'helper1', q{backfill_work('log', patience => '3 minutes')}));
$leader = start('led', 'leader', q{backfill('log')});
in_a_step('led', qw(leader helper1));
$node->safe_psql('led', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leader'});
release($holder, 'helper1');
unlike(ended($helpers[0]), qr/ERROR/, 'the leader killed: a helper ends with its step');
$leader->end;
is($node->safe_psql('led', 'SELECT phase, interrupted, helpers FROM iamwatch.backfill_progress'), 'raising|t|0', 'and the backfill shows as interrupted');
release($holder, 'leader');
@helpers = (start('led', 'helper1', q{backfill_work('log', patience => '3 minutes')}));
$leader = start('led', 'leader', q{backfill('log')});
@says = map { ended($_) } $leader, @helpers;
unlike("@says", qr/ERROR/, 'called again, and helped again: nobody fails');
$holder->end;
is(state('led'), $alone, 'the leader killed, called again: the rows of one session');

my (undef, undef, $notice) = $node->psql('led', q{CALL iamwatch.backfill_work(patience => '0')});
like($notice, qr/took 0 steps/, 'where none runs, it waits no longer than it was told to');
(undef, undef, $notice) = $node->psql('led', q{SET default_transaction_isolation = 'repeatable read'; CALL iamwatch.backfill_work('log')});
like($notice, qr/cannot backfill in a transaction with a fixed snapshot/, 'with a fixed snapshot it says so');
$node->stop;
done_testing();
