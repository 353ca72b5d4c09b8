# The first events of a session are looked at by page (src/server/peek.c): it finds
# what the tables have, in indexes of several levels, with entries of many rows and
# with pages that were taken away, also while others change them.
use strict;
use warnings;
use lib 't';
use IPC::Run ();
use Server;
use Test::More;

my $node = new_server('look', conf => "autovacuum = off\n");
sub sql { return $node->safe_psql('postgres', join ';', @_) }	# a session of its own

sql(q{
	CREATE EXTENSION iamwatch;
	CREATE EXTENSION pageinspect;
	CREATE TABLE log (event jsonb);
	SELECT iamwatch.watch('log');
	CREATE FUNCTION e(who text, operation text, service text = 's3', account text = '1') RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('eventTime', '2026-01-05T08:00:00Z', 'eventSource', service || '.amazonaws.com', 'eventName', operation,
			'recipientAccountId', account, 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
	CREATE FUNCTION place(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT hashtextextended(lower(name), 0)';
	CREATE FUNCTION levels(index regclass) RETURNS bigint LANGUAGE sql AS 'SELECT level FROM bt_metap(index::text)';
	CREATE FUNCTION gone(index regclass) RETURNS bigint LANGUAGE sql AS $$
		SELECT count(*) FROM generate_series(1, pg_relation_size(index) / current_setting('block_size')::int - 1) AS b, bt_page_stats(index::text, b)
		WHERE type = 'd' $$;
	INSERT INTO log SELECT e('who' || n, 'Get') FROM generate_series(1, 40000) AS n;
	INSERT INTO log SELECT e('ann', 'Get', 's3', 'account' || n) FROM generate_series(1, 300) AS n;
	SET session_replication_role = replica;
	INSERT INTO iamwatch.operations (provider, service, operation, category, effect)
	SELECT 'aws', 's3', 'Op' || n, 'permission', 'create' FROM generate_series(1, 100000) AS n
	UNION ALL SELECT 'aws', 'service' || n, 'Same', 'permission', 'create' FROM generate_series(1, 20000) AS n;
	INSERT INTO iamwatch.operations (provider, service, operation, match, category, effect)
	VALUES ('aws', 'service7', 'tail', 'suffix', 'permission', 'create');
	ALTER INDEX iamwatch.operations_names SET (fillfactor = 10);
	REINDEX INDEX iamwatch.operations_names;
});

my @names = split /\n/, sql('SELECT operation FROM iamwatch.operations WHERE operation ~ \'^Op\' ORDER BY place(operation)');
sub learned { my ($who) = @_; return sql("SELECT count(*) FROM iamwatch.baselines WHERE identity = '$who'") }
# Operations as many sessions meet them, some each; how many of them they find.
sub found
{
	my ($who, @operations) = @_;
	while (my @some = splice @operations, 0, 6)
	{
		sql(map { "INSERT INTO log VALUES (e('$who', '$_'))" } @some);
	}
	return learned($who);
}
sub some_of { my ($every, @list) = @_; return grep { defined } map { $list[$_ * $every] } 0 .. $#list / $every }
# How many of the events that a session stores, each by a statement, the trigger is queued for.
sub queued
{
	return (split /\n/, sql((map { "INSERT INTO log VALUES ($_)" } @_), 'SELECT asked - hits FROM iamwatch_internal.cache_status()'))[-1];
}

cmp_ok(sql("SELECT levels('iamwatch.operations_names')"), '>=', 2, 'The index of the names has three levels');
cmp_ok(sql("SELECT levels('iamwatch_internal.identity_days_identity')"), '>=', 1, '... that of the identities two');
my @known = some_of(1000, @names);
is(found('many', @known, $names[-1]), @known + 1, 'Operations are found wherever they lie in it');
sql("INSERT INTO log VALUES (e('same', 'Same', 'service17'))", "INSERT INTO log VALUES (e('same', 'Detail', 'service7'))");
is(learned('same'), 2, '... that many rows have in common, and by a suffix');
is(queued(map { "e('who$_', 'List')" } 1, 17, 20000, 40000), 0, 'Known identities are found, with operations that are in no row');
is(queued(q{e('ann', 'List', 's3', 'account1')}, q{e('ann', 'List', 's3', 'account299')}), 0, '... in any of many accounts');
is(queued(q{e('nobody', 'List')}), 1, 'One that is new is news');
is(sql("SELECT count(*) FROM iamwatch.identities WHERE identity = 'nobody'"), 1, '... and is learned');
is(queued(q{e('who2', 'List') || '{"eventTime": "2026-01-06T08:00:00Z"}'}), 1, 'So is a new day of one that is known');
is(queued(q{e('who3', 'List') || '{"userIdentity": {"type": "Role", "arn": "who3"}}'}), 1, '... and a kind that it was not seen as');
sql(q{INSERT INTO iamwatch_internal.journal (provider, account, identity, kinds, days, learned_at) VALUES ('aws', '1', 'who4', 2, '{2026-01-06}', now())});
is(queued(q{e('who4', 'List')}), 0, 'What waits in the journal is no hindrance');
sql('TRUNCATE iamwatch_internal.journal');

# pages in the middle that are taken away
# (between the shipped operations, which are everywhere)
my ($low, $high) = @names[20000, 60000];
sql('SET session_replication_role = replica', "DELETE FROM iamwatch.operations WHERE operation ~ '^Op' AND place(operation) > place('$low') AND place(operation) < place('$high')",
	"DELETE FROM iamwatch_internal.identity_days WHERE hashtext(identity) BETWEEN 0 AND 1000000000");
sql('VACUUM iamwatch.operations, iamwatch_internal.identity_days');
cmp_ok(sql("SELECT gone('iamwatch.operations_names')"), '>', 10, 'Pages of the index were taken away');
my @left = (some_of(1000, @names[0 .. 20000]), some_of(1000, @names[60000 .. $#names]), $low, $high);
my %left = map { $_ => 1 } @left;
is(found('left', keys %left), keys %left, '... and what is left is found');
is(queued(map { "e('who$_', 'List')" } split / /, sql("SELECT string_agg(substr(identity, 4), ' ') FROM (SELECT identity FROM iamwatch_internal.identity_days
	WHERE identity ~ '^who' AND hashtext(identity) NOT BETWEEN -100000000 AND 1100000000 LIMIT 4) AS i")), 0, '... of the identities, too');
is(found('gone', @names[30000 .. 30005]), 0, 'What was deleted is not');

# while another session inserts and deletes, and pages are split and taken away
my $out;
my $other = IPC::Run::start(['psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SET session_replication_role = replica},
	(map { ('-c', q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect)
			SELECT 'aws', 's3', 'New' || n, 'permission', 'create' FROM generate_series(1, 20000) AS n},
		'-c', q{DELETE FROM iamwatch.operations WHERE operation ~ '^New'}, '-c', 'VACUUM iamwatch.operations') } 1 .. 30)],
	'>', \$out, '2>', \$out);
my ($asked, $sessions) = (0, 0);
while ($other->pumpable && $sessions < 60)
{
	$sessions++;
	my @three = map { $left[($_ * 7919 + $sessions * 31) % @left] } 1 .. 3;
	my %three = map { $_ => 1 } @three;
	$asked += keys %three;
	sql(map { "INSERT INTO log VALUES (e('during$sessions', '$_'))" } keys %three);
}
$other->kill_kill;
cmp_ok($sessions, '>', 20, 'While another session changes the catalogue');
is(sql("SELECT count(*) FROM iamwatch.baselines WHERE identity ~ '^during'"), $asked, '... all operations that stay in it are found');

# what the file says of how values lie in a row
is(sql(q{SELECT string_agg(format('%s%s', CASE WHEN attlen < 0 THEN 'v' ELSE attlen::text END, attalign), ' ' ORDER BY attrelid, attnum)
	FROM pg_attribute WHERE attrelid IN ('iamwatch_internal.accounts'::regclass, 'iamwatch_internal.identity_days'::regclass) AND attnum > 0 GROUP BY attrelid ORDER BY attrelid}),
	"4i vi vi 8d 4i 8d 4i\n4i 4i 8d vi vi vi vi", 'The two tables lie in their pages as src/baseline/stored_glance.c has it');
$node->stop;
done_testing();
