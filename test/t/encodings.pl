# Databases that are not in UTF8, and one whose language folds letters in its
# own way.  What the encoding lacks is replaced, and the event is read; names
# of fields and operations are folded as ASCII everywhere.
use strict;
use warnings;
use lib 't';
use Events;
use Server;
use Test::More;

my $node = new_server('encoded');
$ENV{PGCLIENTENCODING} = 'SQL_ASCII';	# scripts here are ASCII

sub database
{
	my ($name, $options) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 $options");
	my ($result, $output, $errors) = $node->psql($name, 'CREATE EXTENSION iamwatch');
	is($result, 0, "$name: CREATE EXTENSION") or diag($errors);
}

# What the characters of the user agent become: e with an acute accent,
# hiragana a, a face that is half a pair of surrogates or a whole one.
my %becomes = (
	sql_ascii => [ '3f', '3f', '3f', '3f' ],
	latin1 => [ 'e9', '3f', '3f', '3f' ],
	euc_jp => [ '8fabb1', 'a4a2', '3f', '3f' ],
	utf8 => [ 'c3a9', 'e38182', 'efbfbd', 'f09f9880' ]
);
my @escapes = ('\u00e9', '\u3042', '\ud83d', '\ud83d\ude00');
my $document = q{'{"eventTime": "%sT09:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "%s", "eventID": "%s", "userAgent": "%s",
	"recipientAccountId": "1", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann"}}'};

for my $encoding (sort keys %becomes)
{
	database($encoding, "ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($encoding, q{CREATE TABLE texts (event text); SELECT iamwatch.watch('texts');
		CREATE TABLE jsons (event json); SELECT iamwatch.watch('jsons');
		CREATE TABLE mapped (eventtime text, eventsource text, eventname text, recipientaccountid text, useridentity text, useragent text);
		SELECT iamwatch.map_columns('mapped'); SELECT iamwatch.watch('mapped')});
	$node->safe_psql($encoding, sprintf("INSERT INTO texts SELECT format($document, d::date, 'ListUsers', d, 'cli') FROM generate_series(timestamp '2026-01-01', '2026-02-09', '1 day') AS d"
			=~ s/'\{/'{/r, '%s', '%s', '%s', '%s'));
	for my $i (0 .. $#escapes)
	{
		my $event = sprintf($document, '2026-02-10', 'CreateUser', "id$i", "a $escapes[$i]$escapes[$i] b");
		is($node->safe_psql($encoding, "SELECT encode(convert_to(iamwatch.to_document($event)->>'userAgent', getdatabaseencoding()), 'hex')"),
			'6120' . $becomes{$encoding}[$i] x 2 . '2062', "$encoding: $escapes[$i], and each replaced by itself");
		for my $table ('texts', 'jsons')
		{
			my ($result, $output, $errors) = $node->psql($encoding, "INSERT INTO $table VALUES ($event)");
			is($result, 0, "$encoding: $escapes[$i] in $table") or diag($errors);
		}
	}
	is($node->safe_psql($encoding, 'SELECT identity, operation, event_count FROM iamwatch.alerts'),
		'arn:aws:iam::1:user/ann|CreateUser|4', "$encoding: all of them are in the alert");
	$node->safe_psql($encoding, q{INSERT INTO mapped VALUES ('2026-02-10T10:00:00Z', 'iam.amazonaws.com', 'CreateUser', '1',
		'{"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann", "x": "\u4e2d"}', 'cli')});
	is($node->safe_psql($encoding, 'SELECT event_count FROM iamwatch.alerts'), '5', "$encoding: so is one that has columns");
	is($node->safe_psql($encoding, 'SELECT count(*) FROM iamwatch.rejected_events'), '0', "$encoding: nothing is rejected");
	is($node->safe_psql($encoding, q{SELECT iamwatch.report() ~ 'CreateUser' AND (SELECT count(*) FROM iamwatch.ocsf_findings) = 1}), 't', "$encoding: report and export");
}
# All others: what they lack is replaced.  In MULE_INTERNAL the server itself
# cannot say what a month is called.
my @others = grep { !$becomes{$_} } split /\n/, $node->safe_psql('postgres', q{SELECT lower(pg_encoding_to_char(n)) FROM generate_series(0, 50) AS n
	WHERE pg_encoding_to_char(n) <> '' AND pg_encoding_to_char(n) NOT IN ('SJIS', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB', 'SHIFT_JIS_2004')});
cmp_ok(scalar(@others), '>', 25, 'The server has many encodings');
for my $encoding (@others)
{
	database($encoding, "ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	my $event = sprintf($document, '2026-02-10', 'CreateUser', 'id', "\\u00e9\\u3042\\ud83d\\ude00\\u0130\\u0131");
	my ($result, $output, $errors) = $node->psql($encoding, "CREATE TABLE texts (event text); SELECT iamwatch.watch('texts'); INSERT INTO texts VALUES ($event)");
	is($result, 0, "$encoding: an event is stored") or diag($errors);
	is($node->safe_psql($encoding, 'SELECT count(*) FROM iamwatch.identities'), '1', "$encoding: and read");
	like($node->safe_psql($encoding, 'SELECT iamwatch.report()'), qr/<html/, "$encoding: the report is made") if $encoding ne 'mule_internal';
	$node->safe_psql('postgres', "DROP DATABASE $encoding");
}

SKIP:
{
	skip 'no ICU', 1 unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_collation WHERE collprovider = 'i'}) > 0
		&& $node->safe_psql('postgres', 'SHOW server_version_num') >= 150000;
	database('turkish', "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LC_COLLATE 'C' LC_CTYPE 'C'");
	is($node->safe_psql('turkish', q{SELECT lower('I') = 'i'}), 'f', 'turkish: lower() folds I to another letter');
	$node->safe_psql('turkish', q{CREATE TABLE mapped ("eventTime" text, "eventSource" text, "eventName" text, "recipientAccountId" text,
		"userIdentity" jsonb, "eventID" text, "SOURCEIPADDRESS" text, "requestID" text)});
	is($node->safe_psql('turkish', q{SELECT string_agg(field, ' ') FROM iamwatch.map_columns('mapped')}),
		'eventID eventName eventSource eventTime recipientAccountId requestID sourceIPAddress userIdentity', 'turkish: all fields are found');
	$node->safe_psql('turkish', q{SELECT iamwatch.watch('mapped'); CREATE TABLE log (event jsonb); SELECT iamwatch.watch('log');
		INSERT INTO log SELECT jsonb_build_object('eventTime', d::date || 'T09:00:00Z', 'eventSource', 'iam.amazonaws.com', 'eventName', 'ListUsers',
			'recipientAccountId', '1', 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', 'arn:aws:iam::1:user/ann'))
		FROM generate_series(timestamp '2026-01-01', '2026-02-09', '1 day') AS d;
		INSERT INTO mapped VALUES ('2026-02-10T10:00:00Z', 'iam.amazonaws.com', 'CreateUser', '1',
			'{"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann"}', 'e2', '192.0.2.1')});
	is($node->safe_psql('turkish', q{SELECT operation, evidence->>'source_addresses' FROM iamwatch.alerts}),
		'CreateUser|["192.0.2.1"]', 'turkish: an event is read by them');
	is($node->safe_psql('turkish', q{SELECT finding->>'severity' FROM iamwatch.ocsf_findings}), 'Informational', 'turkish: the export has the words of its schema');
	is($node->safe_psql('turkish', q{INSERT INTO iamwatch.operations (provider, service, operation, category, effect)
		VALUES ('azure', 'MICROSOFT.IO', 'MICROSOFT.IO/DISKS/WRITE', 'identity', 'create') RETURNING service, operation}), 'microsoft.io|microsoft.io/disks/write', 'turkish: operations of Azure are folded as ASCII');
}
# A client of another encoding than the database: what it is told must not have a
# character that this lacks, since that would end the statement, or a listener.
database('other', q{ENCODING 'utf8' LC_COLLATE 'C' LC_CTYPE 'C'});
my $zhe = "\xd0\xb6";
$node->safe_psql('other', qq{CREATE TABLE "$zhe" (event jsonb); SELECT iamwatch.watch('"$zhe"'); CREATE VIEW plain AS SELECT * FROM "$zhe";
	CREATE FUNCTION "store$zhe"(jsonb) RETURNS void LANGUAGE plpgsql AS \$\$BEGIN INSERT INTO plain VALUES (\$1); END\$\$;
	CREATE FUNCTION store(document jsonb) RETURNS void LANGUAGE plpgsql AS \$\$BEGIN PERFORM "store$zhe"(document); END\$\$;
	INSERT INTO plain SELECT format(} . sprintf($document, '%s', 'ListUsers', '%s', 'cli') . qq{, d::date, d)::jsonb FROM generate_series(timestamp '2026-01-01', '2026-02-09', '1 day') AS d});
{
	local $ENV{PGCLIENTENCODING} = 'LATIN1';
	my $late = sprintf($document, '2020-01-01', 'CreateUser', 'late', 'cli');
	for my $statement ("INSERT INTO plain VALUES ($late)", "SELECT store($late)")
	{
		my ($result, $output, $errors) = $node->psql('other', $statement);
		is($result, 0, "LATIN1: a late event into a table whose name that lacks, $statement") or diag($errors);
		like($errors, qr/WARNING:  1 event was further back/, 'LATIN1: it is warned of');
	}
	my $new = sprintf($document, '2026-02-10', 'CreateUser', 'new', 'cli') =~ s/user\/ann/user\/\\u0436\\ud83d\\ude00/r =~ s/"recipientAccountId": "1"/"recipientAccountId": "\\u0436"/r;
	my ($result, $output, $errors) = $node->psql('other', "UPDATE iamwatch.limits SET value = 1 WHERE name = 'accounts';
		SET client_min_messages = log; INSERT INTO plain VALUES ($new); INSERT INTO plain VALUES ($new)");
	is($result, 0, 'LATIN1: a limit that is reached by an account whose name that lacks') or diag($errors);
	$new =~ s/"recipientAccountId": "\\u0436"/"recipientAccountId": "1"/;
	($result, $output, $errors) = $node->psql('other', "LISTEN iamwatch_alert; INSERT INTO plain VALUES ($new); SELECT 'goes on'");
	is($result, 0, 'LATIN1: who listens is told of an identity that it lacks a character of') or diag($errors);
	like($output, qr/goes on/, 'LATIN1: and goes on');
	like($output, qr/"identity": "arn:aws:iam::1:user\/\\u0436\\ud83d\\ude00"/, 'LATIN1: with escapes in it, as JSON has them');
}
is($node->safe_psql('other', q{SELECT n::jsonb->>'identity' = a.identity FROM iamwatch.alerts AS a, iamwatch_internal.notification((SELECT r FROM iamwatch_internal.all_alerts AS r WHERE r.alert_id = a.alert_id)) AS n}), 't',
	'which give the name');
$node->safe_psql('other', sprintf('INSERT INTO plain VALUES (%s)', sprintf($document, '2026-02-10', 'DeleteUser', 'long', 'cli') =~ s/user\/ann/'user\/' . '\\ud83d\\ude00' x 3000/er));
is($node->safe_psql('other', q{SELECT length(n) BETWEEN 3000 AND 7999 AND length(n::jsonb->>'identity') = 260 FROM iamwatch.alerts AS a,
	iamwatch_internal.notification((SELECT r FROM iamwatch_internal.all_alerts AS r WHERE r.alert_id = a.alert_id)) AS n WHERE operation = 'DeleteUser'}), 't',
	'Of a long one as much as the server lets through');

$node->stop;
done_testing();
