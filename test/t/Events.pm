# What the tests of places share: events to load, and what the extension makes
# of them.
package Events;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw($events $history $attack $state);

# An event of IAM; twenty days of ordinary ones of several identities in each of two
# accounts; and what some of them do at the end that nobody did before.
our $events = q{
	CREATE FUNCTION e(who text, at timestamptz, operation text = 'ListUsers', account text = '1') RETURNS jsonb
		LANGUAGE sql IMMUTABLE AS $$
		SELECT jsonb_build_object('eventTime', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
			'eventSource', 'iam.amazonaws.com', 'eventName', operation, 'eventID', who || at || operation || account,
			'recipientAccountId', account, 'userIdentity', jsonb_build_object('type', 'IAMUser', 'arn', who)) $$;
};
our $history = q{
	SELECT at, e('user' || n, at, account => account) AS event
	FROM generate_series('2026-01-01T08:00:00Z'::timestamptz, '2026-01-20T08:00:00Z', '1 day') AS d,
		generate_series(1, 10) AS n, unnest(ARRAY['1', '2']) AS account, LATERAL (SELECT d + n * interval '1 minute' AS at) AS t
};
our $attack = q{
	SELECT at, e('user' || n, at, 'CreateUser', account) AS event
	FROM generate_series(1, 3) AS n, unnest(ARRAY['1', '2']) AS account,
		LATERAL (SELECT '2026-01-21T12:00:00Z'::timestamptz + n * interval '1 minute' AS at) AS t
};
our $state = q{
	SELECT string_agg(r, E'\n' ORDER BY r COLLATE "C") FROM (
		SELECT concat_ws('|', account, identity, operation, severity, event_count, first_event_time, evidence) FROM iamwatch.alerts
		UNION ALL SELECT concat_ws('|', account, identity, days) FROM iamwatch.identities
		UNION ALL SELECT concat_ws('|', account, identity, operation, days) FROM iamwatch.baselines) AS x (r)
};

1;
