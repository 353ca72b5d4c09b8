# The first events of a session, whose operations are looked up one by one before
# the catalogue is loaded: the same answers as with all of it.
use strict;
use warnings;
use lib 't';
use Server;
use Test::More;

my $node = new_server('cold');
sub sql { return $node->safe_psql('postgres', join ';', @_) }	# a session of its own

sql(q{
	CREATE EXTENSION iamwatch;
	CREATE TABLE log (event jsonb);
	SELECT iamwatch.watch('log');
	CREATE FUNCTION e(who text, service text, operation text, at timestamptz = '2026-01-05T08:00:00Z') RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
			'eventSource', service || '.amazonaws.com', 'eventName', operation, 'eventID', who || at || service || operation,
			'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
	INSERT INTO iamwatch.operations (provider, service, operation, match, category, effect, sensitivity, origin) VALUES
		('aws', 'iam', 'CreateLoginProfile', 'exact', 'permission', 'read', 1, 'user'),
		('aws', '*', 'Anywhere', 'exact', 'permission', 'create', 1, 'user'),
		('aws', 'svc', 'Anywhere', 'exact', 'permission', 'read', 1, 'user'),
		('aws', '*', 'Ending', 'suffix', 'permission', 'create', 1, 'user'),
		('aws', 'svc', 'LongEnding', 'suffix', 'permission', 'read', 1, 'user'),
		('aws', 'svc', 'OfSvc', 'suffix', 'permission', 'create', 1, 'user'),
		('aws', 'svc', 'WholeEnding', 'exact', 'permission', 'read', 1, 'user'),
		('aws', '*', 'OfBoth', 'suffix', 'permission', 'create', 1, 'iamwatch'),
		('aws', '*', 'OfBoth', 'suffix', 'permission', 'read', 1, 'user'),
		('aws', 'svc', 'Low', 'exact', 'permission', 'create', 1, 'user'),
		('aws', 'svc', 'High', 'exact', 'permission', 'create', 4, 'user');
});

my @cases = (
	['iam', 'CreateUser', 1, 'a shipped row for the service'],
	['s3', 'CreateUser', 0, 'no row, but one for another service'],
	['iam', 'CreateLoginProfile', 0, "a user's row, over the shipped one"],
	['s3', 'Anywhere', 1, 'a row for any service'],
	['svc', 'Anywhere', 0, 'a row for the service, over the one for any'],
	['s3', 'MyEnding', 1, 'a suffix for any service'],
	['s3', 'MyLongEnding', 1, 'the suffix for any service, not the longer one for another'],
	['svc', 'MyLongEnding', 0, 'the longest suffix'],
	['svc', 'MyOfSvc', 1, 'a suffix for the service'],
	['s3', 'MyOfSvc', 0, 'no suffix, but one for another service'],
	['svc', 'WholeEnding', 0, 'the whole name, over a suffix'],
	['s3', 'MyOfBoth', 0, "a user's suffix, over the shipped one"],
	['*', 'Anywhere', 1, 'a row for any service, and a service that calls itself so'],
	['s3', 'GetObject', 0, 'no row']);

sub insert { my ($who, $case) = @_; return "INSERT INTO log VALUES (e('$who', '$case->[0]', '$case->[1]'))" }
sub learned { return sql("SELECT service || ' ' || operation FROM iamwatch.baselines WHERE identity LIKE '$_[0]' ORDER BY 1") }
my $expected = join "\n", sort map { "$_->[0] $_->[1]" } grep { $_->[2] } @cases;

for my $case (@cases)
{
	my ($service, $operation, $watched, $rule) = @$case;
	sql(insert("own $service $operation", $case));
	is(learned("own $service $operation"), $watched ? "$service $operation" : '', "The first event of a session finds $rule");
}
is(sql("SELECT string_agg(e.service || ' ' || e.operation, E'\\n' ORDER BY (e.service || ' ' || e.operation) COLLATE \"C\")
	FROM log, iamwatch.parse(event) AS e, iamwatch.find_operation(e.provider, e.service, e.operation) AS o
	WHERE o.effect <> 'read'"), $expected, 'That is what iamwatch.find_operation() finds');

sql(map { insert('single', $_) } @cases);
is(learned('single'), $expected, 'A session that goes on until the catalogue is loaded answers the same');
sql(map { insert('repeated', $_) } map { ($_) x 3 } reverse @cases);
is(learned('repeated'), $expected, '... and one that asks several times, in another order');
sql('INSERT INTO log ' . join ' UNION ALL ', map { "SELECT e('together', '$_->[0]', '$_->[1]')" } @cases);
is(learned('together'), $expected, '... and one that stores them in one statement');
is(sql(q{SELECT string_agg(iamwatch_internal.may_be_new(event)::text, ' ') FROM log WHERE event->'userIdentity'->>'arn' = 'single'},
		insert('few', $cases[0]), q{SELECT bool_and(iamwatch_internal.may_be_new(event)) FROM log WHERE event->'userIdentity'->>'arn' = 'few'},
		(map { insert('few', $_) } @cases), q{SELECT bool_or(iamwatch_internal.may_be_new(event)) FROM log WHERE event->'userIdentity'->>'arn' = 'few'}),
	join("\n", join(' ', ('true') x @cases), 't', 'f'), 'Until the catalogue is loaded all is news, and then what is known is not');

# ---- changes ----

my $unwatch = q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect) VALUES ('aws', 'iam', 'CreateUser', 'permission', 'read')};
sql(insert('before', $cases[0]), $unwatch, insert('after', $cases[0]));
is(learned('before') . '|' . learned('after'), 'iam CreateUser|', 'A change of the catalogue holds for the next event of a session that has met one');
sql(q{DELETE FROM iamwatch.operations WHERE operation = 'CreateUser' AND origin = 'user'});
sql('BEGIN', $unwatch, insert('undone', $cases[0]), 'ROLLBACK', insert('kept', $cases[0]));
is(learned('undone') . '|' . learned('kept'), '|iam CreateUser', 'One that is rolled back does not');

sql('ALTER TABLE iamwatch.operations DROP CONSTRAINT operations_pkey');
sql(insert("unindexed $_->[0] $_->[1]", $_)) for @cases;
is(learned('unindexed %'), $expected, 'Without the index the table is read, and the answers are the same');

# ---- several operations in the first statement ----

sql('UPDATE iamwatch.detectors SET least_sensitivity = 3');
sql(q{INSERT INTO log SELECT e('ann', 's3', 'GetObject', d) FROM generate_series('2026-01-06T00:00:00Z'::timestamptz, '2026-02-01', '1 day') AS d});
sql(q{INSERT INTO log SELECT e('ann', 'svc', operation, at) FROM (VALUES ('Low', '2026-02-01T08:00:00Z'::timestamptz), ('High', '2026-02-01T09:00:00Z')) AS v (operation, at)});
sql(q{INSERT INTO log SELECT e('bob', 'svc', operation, at) FROM (VALUES ('High', '2026-02-01T08:00:00Z'::timestamptz), ('Low', '2026-02-01T09:00:00Z')) AS v (operation, at)});
is(sql('SELECT identity, operation, sensitivity FROM iamwatch.alerts ORDER BY identity'), "ann|High|4\nbob|High|4",
	'Of several operations that the first statement of a session stores, each is judged by its own sensitivity');

# ---- the library preloaded ----

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'iamwatch'");
$node->restart;
sql(insert("preloaded $_->[0] $_->[1]", $_)) for @cases;
is(learned('preloaded %'), $expected, 'Sessions of a server that has preloaded the library answer the same');
is(sql('SELECT count(*) FROM iamwatch.alerts', q{INSERT INTO log SELECT e('cid', 'svc', 'High', '2026-02-01T10:00:00Z')}, 'SELECT count(*) FROM iamwatch.alerts'),
	"2\n3", '... and raise alerts');
$node->stop;
done_testing();
