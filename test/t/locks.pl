# The server's table of locks is small and everybody's: however many alerts a
# statement opens, it takes half of that at most, and succeeds.  What it could
# not lock waits in pending_events, for maintain().
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $node = new_server('locks', conf => "max_connections = 20\nmax_prepared_transactions = 2\n");
sub psql { return $node->safe_psql('postgres', $_[0]) }
# To make the extension takes more locks than there are afterwards.
psql('CREATE EXTENSION iamwatch');
$node->append_conf('postgresql.conf', "max_locks_per_transaction = 10\n");
$node->restart;

my $operations = q[unnest('{CreateUser,CreateRole,CreateGroup,DeleteRole,DeleteUser,DeleteGroup,CreatePolicy,DeletePolicy,PutUserPolicy,PutRolePolicy,CreateAccessKey,CreateLoginProfile}'::text[]) AS o];
psql("CREATE TABLE audit_log (event jsonb); SELECT iamwatch.watch('audit_log');
	CREATE FUNCTION e(who text, at text, operation text, account int) RETURNS jsonb LANGUAGE sql AS \$\$
		SELECT jsonb_build_object('eventTime', at, 'eventSource', 'iam.amazonaws.com', 'eventName', operation, 'eventID', gen_random_uuid(),
			'recipientAccountId', 'account' || account, 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) \$\$;
	INSERT INTO audit_log SELECT e('ann', to_char(d, 'YYYY-MM-DD\"T09:00:00Z\"'), 'ListUsers', a)
	FROM generate_series(1, 40) AS a, generate_series('2026-01-01'::timestamp, '2026-01-20', '1 day') AS d");
my $alerts = '(SELECT count(*) FROM iamwatch.alerts)';
my $pending = '(SELECT pending_events FROM iamwatch.status)';
my ($result, $output, $errors) = $node->psql('postgres', "INSERT INTO audit_log SELECT e('user' || u, '2026-01-20T10:00:00Z', o, a)
	FROM generate_series(1, 40) AS a, generate_series(1, 2) AS u, $operations");
is($errors, '', 'A statement with more alerts than the server has locks succeeds');
is(psql("SELECT $alerts > 0, $pending > 0, $alerts + $pending"), 't|t|960', 'Some of its alerts are open, all others wait, and status says so');
# 10 for each of some 45 to 58 processes, by version
cmp_ok(psql("BEGIN; INSERT INTO audit_log SELECT e('more' || u, '2026-01-20T10:00:00Z', o, a)
	FROM generate_series(1, 40) AS a, generate_series(1, 2) AS u, $operations;
	SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'; ROLLBACK"), '<', 300, 'It holds half of them at most');
psql('CALL iamwatch.maintain()');
is(psql("SELECT $alerts, $pending"), '960|0', 'One call of maintain() opens them all');

# No SQL function takes one of them: a role that may only connect holds the
# advisory locks of the same numbers, and detection goes on.
psql("CREATE ROLE stranger; CREATE TABLE numbers AS SELECT iamwatch_internal.account_bucket('account1') AS account,
	iamwatch_internal.alert_lock_key(iamwatch.parse(e('zoe', '2026-01-20T10:00:00Z', 'CreateUser', 1))) AS alert; GRANT SELECT ON numbers TO stranger");
psql("SET ROLE stranger; BEGIN; SELECT pg_advisory_xact_lock(1, account), pg_advisory_xact_lock(2, alert), pg_advisory_xact_lock(account),
	pg_advisory_xact_lock(1::bigint << 32 | account), pg_advisory_xact_lock(2::bigint << 32 | alert) FROM numbers; PREPARE TRANSACTION 'held'");
psql("INSERT INTO audit_log VALUES (e('zoe', '2026-01-20T10:00:00Z', 'CreateUser', 1))");
is(psql("SELECT count(*), $pending, (SELECT journal_rows FROM iamwatch.status) FROM iamwatch.alerts WHERE identity = 'zoe'"), '1|0|0',
	'Advisory locks of the same numbers hold nothing up');
psql("ROLLBACK PREPARED 'held'");

# Every role can see who holds which: the account by a hash that has no seed, so
# that whoever guesses its number knows that it is that one.
psql("BEGIN; INSERT INTO audit_log VALUES (e('zoe', '2026-01-21T10:00:00Z', 'ListUsers', 1)); PREPARE TRANSACTION 'writing'");
is(psql("SET ROLE stranger; SELECT count(*) FROM (SELECT hashtextextended(g, 1) + 1 AS one FROM unnest('{account1,account2}'::text[]) AS g) AS guess
	JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.classid::bigint = one >> 32 & 4294967295 AND l.objid::bigint = one & 4294967295"), '1',
	'Locks tell a guessed account that is being written');
psql("ROLLBACK PREPARED 'writing'");

# A limit that is reached is in the server's log once, with whose it is.
psql("UPDATE iamwatch.limits SET value = 3 WHERE name = 'rejected_events'");
psql("INSERT INTO audit_log SELECT jsonb_build_object('n', i) FROM generate_series($_, $_ + 1) AS i") for 1, 3, 5, 7;
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
is(scalar(() = $log =~ /limit "rejected_events" of iamwatch is reached by "public.audit_log"/g), 1, 'A limit that is reached is in the log once');
$node->stop;
done_testing();
