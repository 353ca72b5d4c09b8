-- What is normal.  The journal counts as stored, and days that no longer
-- matter are left out, so that nobody sees when either is cleaned up.

CREATE VIEW iamwatch.accounts AS
SELECT provider, account, max(account_id) AS account_id,
	min(first_event_time) AS first_event_time, max(newest_day) AS newest_day,
	sum(late_events)::bigint AS late_events,
	min(first_event_time) + (SELECT max(d.activation_days) FROM iamwatch.detectors AS d WHERE d.enabled)
		* interval '24 hours' AS learns_until
FROM (
	SELECT provider, account, account_id, first_event_time, newest_day, late_events
	FROM iamwatch_internal.accounts
	UNION ALL
	SELECT provider, account, NULL, first_event_time, iamwatch.last_day(days), late_events
	FROM iamwatch_internal.journal WHERE identity IS NULL) AS parts
GROUP BY provider, account;
COMMENT ON VIEW iamwatch.accounts IS
'per account its first event, newest day, and the events that came too late to be learned or scored';

CREATE VIEW iamwatch.identities AS
SELECT p.provider, p.account, p.identity, iamwatch_internal.kind_name(p.kinds) AS kind,
	iamwatch_internal.is_person(p.kinds) AS is_user,
	p.days OPERATOR(iamwatch.&) iamwatch.dayset(a.newest_day - iamwatch_internal.kept_days(), a.newest_day) AS days,
	p.first_seen, iamwatch.last_day(p.days) AS last_seen
FROM (
	SELECT provider, account, identity, bit_or(kinds) AS kinds,
		iamwatch.dayset_union(days) AS days, min(first_seen) AS first_seen
	FROM (
		SELECT a.provider, a.account, i.identity, i.kinds, i.days, iamwatch.first_day(i.first_days) AS first_seen
		FROM iamwatch_internal.identity_days AS i JOIN iamwatch_internal.accounts AS a USING (account_id)
		WHERE iamwatch_internal.is_indexed(hashtext(i.identity))
		UNION ALL
		SELECT provider, account, identity, kinds, days, iamwatch.first_day(days)
		FROM iamwatch_internal.journal
		WHERE identity IS NOT NULL
		AND iamwatch_internal.is_indexed(hashtextextended(account, 0)) AND iamwatch_internal.is_indexed(hashtextextended(identity, 0))) AS parts
	GROUP BY provider, account, identity) AS p
JOIN iamwatch.accounts AS a USING (provider, account)
WHERE iamwatch.last_day(p.days) >= a.newest_day - iamwatch_internal.kept_days();
COMMENT ON COLUMN iamwatch.accounts.learns_until IS
'the event time up to which it is in its activation period and raises no alert: of the enabled detectors, the longest; null if none is';

COMMENT ON VIEW iamwatch.identities IS 'per identity its kind and the days on which it did anything';
COMMENT ON COLUMN iamwatch.identities.days IS 'within the kept history';
COMMENT ON COLUMN iamwatch.identities.first_seen IS 'ever';

CREATE VIEW iamwatch.baselines AS
SELECT p.provider, p.account, p.identity, p.service, p.operation, p.failed,
	p.days OPERATOR(iamwatch.&) iamwatch.dayset(a.newest_day - iamwatch_internal.kept_days(), a.newest_day) AS days,
	p.first_seen, iamwatch.last_day(p.days) AS last_seen
FROM (
	SELECT provider, account, identity, service, operation, failed,
		iamwatch.dayset_union(days) OPERATOR(iamwatch.-) coalesce(iamwatch.dayset_union(excluded), '{}') AS days,
		min(first_seen) AS first_seen
	FROM (
		SELECT a.provider, a.account, i.identity, b.service, b.operation, b.failed, d.days,
			NULL::iamwatch.dayset AS excluded, d.first_seen
		FROM iamwatch_internal.behaviour_days AS d
		JOIN iamwatch_internal.accounts AS a USING (account_id)
		JOIN iamwatch_internal.account_operations AS b USING (account_id, operation_id)
		JOIN iamwatch_internal.identity_days AS i USING (account_id, identity_id)
		WHERE iamwatch_internal.is_indexed(hashtext(i.identity))
		UNION ALL
		SELECT provider, account, identity, service, operation, failed, days, NULL, iamwatch.first_day(days)
		FROM iamwatch_internal.journal
		WHERE operation IS NOT NULL
		AND iamwatch_internal.is_indexed(hashtextextended(account, 0)) AND iamwatch_internal.is_indexed(hashtextextended(identity, 0))
		UNION ALL
		SELECT provider, account, identity, service, operation, failed, '{}', excluded_days, NULL
		FROM iamwatch.alerts
		WHERE excluded_days IS NOT NULL AND iamwatch_internal.is_indexed(hashtextextended(identity, 0))) AS parts
	GROUP BY provider, account, identity, service, operation, failed) AS p
JOIN iamwatch.accounts AS a USING (provider, account)
WHERE iamwatch.last_day(p.days) >= a.newest_day - iamwatch_internal.kept_days();
COMMENT ON VIEW iamwatch.baselines IS
'per identity and IAM operation, succeeded and failed apart, the days on which it did so, but for those that a true positive took out: iamwatch.excluded_days';
COMMENT ON COLUMN iamwatch.baselines.days IS 'within the kept history';
COMMENT ON COLUMN iamwatch.baselines.first_seen IS 'ever';
