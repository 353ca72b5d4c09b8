-- What the columns of people's tables and views are, where the part that makes
-- them does not say it: the same word means the same in all of them.

COMMENT ON COLUMN iamwatch.accounts.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.accounts.account_id IS 'its number in this database, which no other place knows';
COMMENT ON COLUMN iamwatch.accounts.first_event_time IS 'the activation period counts from here';
COMMENT ON COLUMN iamwatch.accounts.late_events IS 'events that came too late to be learned or tested';
COMMENT ON COLUMN iamwatch.accounts.newest_day IS 'UTC day of the newest event; the kept history counts back from here';
COMMENT ON COLUMN iamwatch.accounts.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.alert_events.alert_id IS 'of iamwatch.alerts';
COMMENT ON COLUMN iamwatch.alert_events.event_id IS 'the provider''s id of the event; null if the log gave none';
COMMENT ON COLUMN iamwatch.alert_events.event_time IS 'when the event happened';
COMMENT ON COLUMN iamwatch.alert_history.alert_id IS 'of iamwatch.alerts';
COMMENT ON COLUMN iamwatch.alert_history.changed_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.alert_history.history_id IS 'its number, in order of the changes';
COMMENT ON COLUMN iamwatch.alerts.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.alerts.alert_id IS 'its number; on Citus with the node''s number in front';
COMMENT ON COLUMN iamwatch.alerts.category IS 'of the operation, in the catalogue';
COMMENT ON COLUMN iamwatch.alerts.detected_at IS 'when it was opened, by the clock';
COMMENT ON COLUMN iamwatch.alerts.detector IS 'one of iamwatch.detectors';
COMMENT ON COLUMN iamwatch.alerts.failed IS 'whether it was refused: a behaviour of its own';
COMMENT ON COLUMN iamwatch.alerts.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.alerts.identity_kind IS 'kind of the identity, as iamwatch.event has it';
COMMENT ON COLUMN iamwatch.alerts.last_event_time IS 'time of the last event that joined';
COMMENT ON COLUMN iamwatch.alerts.note IS 'what whoever works on it writes down';
COMMENT ON COLUMN iamwatch.alerts.operation IS 'as in the event';
COMMENT ON COLUMN iamwatch.alerts.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.alerts.sensitivity IS 'of the operation, 1 low to 4 direct foothold or privilege escalation';
COMMENT ON COLUMN iamwatch.alerts.service IS 'as in the event';
COMMENT ON COLUMN iamwatch.alerts.severity IS 'informational, low, medium, high or critical';
COMMENT ON COLUMN iamwatch.alerts.status IS 'new, investigating or closed';
COMMENT ON COLUMN iamwatch.backfill_progress.changed_at IS 'when it last went on, by the clock';
COMMENT ON COLUMN iamwatch.backfill_progress.days_done IS 'days of identities and behaviours that were learned';
COMMENT ON COLUMN iamwatch.backfill_progress.finished_at IS 'when it ended, by the clock; null while it runs';
COMMENT ON COLUMN iamwatch.backfill_progress.parts_done IS 'steps of the phase that are done';
COMMENT ON COLUMN iamwatch.backfill_progress.phase IS 'reading, learning, scoring, raising or done';
COMMENT ON COLUMN iamwatch.backfill_progress.phase_remaining IS 'by the speed of this phase so far; null when it is not known';
COMMENT ON COLUMN iamwatch.backfill_progress.rows_done IS 'rows that were read';
COMMENT ON COLUMN iamwatch.backfill_progress.rows_per_second IS 'since it began';
COMMENT ON COLUMN iamwatch.backfill_progress.source IS 'the table, view or foreign table';
COMMENT ON COLUMN iamwatch.backfill_progress.started_at IS 'when it began, by the clock';
COMMENT ON COLUMN iamwatch.backtest_progress.parts_done IS 'how many of them are done';
COMMENT ON COLUMN iamwatch.backtest_progress.pid IS 'of the session, as in pg_stat_activity';
COMMENT ON COLUMN iamwatch.backtest_progress.source IS 'the table, view or foreign table';
COMMENT ON COLUMN iamwatch.baselines.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.baselines.failed IS 'whether it was refused: a behaviour of its own';
COMMENT ON COLUMN iamwatch.baselines.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.baselines.last_seen IS 'the last day that counts';
COMMENT ON COLUMN iamwatch.baselines.operation IS 'as in the event';
COMMENT ON COLUMN iamwatch.baselines.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.baselines.service IS 'as in the event';
COMMENT ON COLUMN iamwatch.contexts.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.contexts.days IS 'days of its sample';
COMMENT ON COLUMN iamwatch.contexts.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.contexts.kind IS 'network, user agent, region, or access key and network';
COMMENT ON COLUMN iamwatch.contexts.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.contexts.value IS 'what was seen';
COMMENT ON COLUMN iamwatch.detectors.detector IS 'its name';
COMMENT ON COLUMN iamwatch.detectors.enabled IS 'whether it watches; what it would watch is learned all the same';
COMMENT ON COLUMN iamwatch.detectors.title IS 'how its alerts are called';
COMMENT ON COLUMN iamwatch.ecs_alerts.alert_id IS 'of iamwatch.alerts';
COMMENT ON COLUMN iamwatch.ecs_alerts.detected_at IS 'when it was opened, by the clock';
COMMENT ON COLUMN iamwatch.ecs_alerts.last_event_time IS 'time of the last event';
COMMENT ON COLUMN iamwatch.excluded_days.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.excluded_days.failed IS 'whether it was refused: a behaviour of its own';
COMMENT ON COLUMN iamwatch.excluded_days.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.excluded_days.operation IS 'as in the event';
COMMENT ON COLUMN iamwatch.excluded_days.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.excluded_days.service IS 'as in the event';
COMMENT ON COLUMN iamwatch.identities.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.identities.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.identities.is_user IS 'whether the identity is a person';
COMMENT ON COLUMN iamwatch.identities.kind IS 'as iamwatch.event.identity_kind has it';
COMMENT ON COLUMN iamwatch.identities.last_seen IS 'the last day that counts';
COMMENT ON COLUMN iamwatch.identities.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.incidents.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.incidents.alert_ids IS 'of iamwatch.alerts, in order of event time';
COMMENT ON COLUMN iamwatch.incidents.alerts IS 'how many alerts';
COMMENT ON COLUMN iamwatch.incidents.assignees IS 'who works on its alerts';
COMMENT ON COLUMN iamwatch.incidents.detector IS 'one of iamwatch.detectors';
COMMENT ON COLUMN iamwatch.incidents.events IS 'events of its alerts';
COMMENT ON COLUMN iamwatch.incidents.first_event_time IS 'of its first alert';
COMMENT ON COLUMN iamwatch.incidents.identity IS 'the principal that persists, not its session';
COMMENT ON COLUMN iamwatch.incidents.identity_kind IS 'kind of the identity, as iamwatch.event has it';
COMMENT ON COLUMN iamwatch.incidents.last_event_time IS 'of its alerts';
COMMENT ON COLUMN iamwatch.incidents.open_alerts IS 'alerts that are not closed: the work list has incidents with any';
COMMENT ON COLUMN iamwatch.incidents.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.incidents.techniques IS 'ATT&CK techniques of its alerts';
COMMENT ON COLUMN iamwatch.instance_history.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.instance_history.instance_id IS 'as iamwatch.instances has it';
COMMENT ON COLUMN iamwatch.instance_history.internet_facing IS 'whether it faced the Internet then';
COMMENT ON COLUMN iamwatch.instance_history.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.instance_history.public_ips IS 'its public addresses then';
COMMENT ON COLUMN iamwatch.instance_history.region IS 'AWS region or GCP zone; null if not said';
COMMENT ON COLUMN iamwatch.instances.account IS 'AWS account id, GCP project id, Azure subscription or tenant id';
COMMENT ON COLUMN iamwatch.instances.provider IS 'aws, gcp, azure, or one of iamwatch.providers';
COMMENT ON COLUMN iamwatch.instances.public_ips IS 'its public addresses; whoever acts from one is this instance on GCP and Azure';
COMMENT ON COLUMN iamwatch.limits.name IS 'what is limited';
COMMENT ON COLUMN iamwatch.limits_hit.beyond IS 'what happens to the rest';
COMMENT ON COLUMN iamwatch.limits_hit.counted IS 'what is counted, and over what';
COMMENT ON COLUMN iamwatch.limits_hit.last_day IS 'last day that the limit was reached on';
COMMENT ON COLUMN iamwatch.limits_hit.last_hit_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.limits_hit.limit_value IS 'the limit as it is now; null if its row is gone';
COMMENT ON COLUMN iamwatch.limits_hit.name IS 'of iamwatch.limits';
COMMENT ON COLUMN iamwatch.nodes.answers IS 'whether it can be asked now';
COMMENT ON COLUMN iamwatch.nodes.version IS 'of the extension there';
COMMENT ON COLUMN iamwatch.ocsf_findings.alert_id IS 'of iamwatch.alerts';
COMMENT ON COLUMN iamwatch.ocsf_findings.detected_at IS 'when it was opened, by the clock';
COMMENT ON COLUMN iamwatch.ocsf_findings.last_event_time IS 'time of the last event';
COMMENT ON COLUMN iamwatch.operations.attack_technique IS 'ATT&CK technique; null or empty for that of the detector';
COMMENT ON COLUMN iamwatch.operations.category IS 'what it concerns; detectors watch by category';
COMMENT ON COLUMN iamwatch.operations.match IS 'exact: the whole name; suffix: how it ends';
COMMENT ON COLUMN iamwatch.operations.note IS 'for people';
COMMENT ON COLUMN iamwatch.operations.origin IS 'user, or iamwatch for what is shipped: a user''s row survives dumps and upgrades, and wins';
COMMENT ON COLUMN iamwatch.playbook.origin IS 'user, or iamwatch for what is shipped: a user''s row survives dumps and upgrades, and wins';
COMMENT ON COLUMN iamwatch.providers.account_path IS 'path of the account, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.acting_for_path IS 'path of whom the identity acted for, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.event_id_path IS 'path of the event id, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.event_time_path IS 'path of the event time, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.granted_path IS 'path of what was granted, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.kind_path IS 'path of what says the kind; see kinds';
COMMENT ON COLUMN iamwatch.providers.note IS 'for people';
COMMENT ON COLUMN iamwatch.providers.operation_path IS 'path of the operation, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.region_path IS 'path of the region, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.service_path IS 'path of the service, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.source_ip_path IS 'path of the source address, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.success_values IS 'values of the result that are no failure';
COMMENT ON COLUMN iamwatch.providers.target_path IS 'path of the target, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.providers.user_agent_path IS 'path of the user agent, as for the operator #>>; null if there is none';
COMMENT ON COLUMN iamwatch.rejected_events.reason IS 'why it was not understood, and what to do';
COMMENT ON COLUMN iamwatch.rejected_events.rejected_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.rejected_events.rejected_id IS 'its number';
COMMENT ON COLUMN iamwatch.rejected_events.source IS 'the table it was stored in';
COMMENT ON COLUMN iamwatch.source_status.silent_after IS 'as iamwatch.sources has it';
COMMENT ON COLUMN iamwatch.source_status.source IS 'the table, view or foreign table';
COMMENT ON COLUMN iamwatch.source_status.watched_since IS 'when iamwatch.watch() or iamwatch.process() was first called for it';
COMMENT ON COLUMN iamwatch.sources.source IS 'the relation that events come from';
COMMENT ON COLUMN iamwatch.sources.watched_since IS 'when iamwatch.watch() or iamwatch.process() was first called for it';
COMMENT ON COLUMN iamwatch.status.backfills_running IS 'backfills that have begun and not ended';
COMMENT ON COLUMN iamwatch.status.events_late IS 'events further back than what is remembered, each delivery';
COMMENT ON COLUMN iamwatch.status.events_rejected IS 'documents that could not be read or lie in the future, each delivery';
COMMENT ON COLUMN iamwatch.status.newest_alert_at IS 'when the newest alert was opened, by the clock';
COMMENT ON COLUMN iamwatch.status.newest_event_time IS 'of the events that were looked at in the tables';
COMMENT ON COLUMN iamwatch.status.sources IS 'how many there are';
COMMENT ON COLUMN iamwatch.suppression_counts.author IS 'who wrote it: the role that had logged in';
COMMENT ON COLUMN iamwatch.suppression_counts.created_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.suppression_counts.expires_at IS 'event time from which it no longer holds; null for never';
COMMENT ON COLUMN iamwatch.suppression_counts.first_event_time IS 'of the alerts that were not opened';
COMMENT ON COLUMN iamwatch.suppression_counts.identities IS 'whose alerts were not opened';
COMMENT ON COLUMN iamwatch.suppression_counts.last_event_time IS 'of the alerts that were not opened';
COMMENT ON COLUMN iamwatch.suppression_counts.reason IS 'as iamwatch.suppressions has it';
COMMENT ON COLUMN iamwatch.suppression_counts.suppression_id IS 'its number';
COMMENT ON COLUMN iamwatch.suppression_counts.withdrawn_at IS 'since when it no longer holds; null if it does';
COMMENT ON COLUMN iamwatch.suppressions.account IS 'of the event; null for any';
COMMENT ON COLUMN iamwatch.suppressions.author IS 'who wrote it: the role that had logged in';
COMMENT ON COLUMN iamwatch.suppressions.created_at IS 'when, by the clock';
COMMENT ON COLUMN iamwatch.suppressions.detector IS 'whose alerts; null for any';
COMMENT ON COLUMN iamwatch.suppressions.failed IS 'true for failed events, false for others; null for both';
COMMENT ON COLUMN iamwatch.suppressions.identity IS 'of the event; null for any';
COMMENT ON COLUMN iamwatch.suppressions.operation IS 'of the event; null for any';
COMMENT ON COLUMN iamwatch.suppressions.provider IS 'of the event; null for any';
COMMENT ON COLUMN iamwatch.suppressions.reason IS 'why, for whoever reads it later';
COMMENT ON COLUMN iamwatch.suppressions.service IS 'of the event; null for any';
COMMENT ON COLUMN iamwatch.suppressions.suppression_id IS 'its number';

-- Views of alerts that are none (any more) have the columns of alerts.
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT v.oid::regclass AS view, a.attname, col_description('iamwatch.alerts'::regclass, o.attnum) AS said
		FROM unnest('{iamwatch.suppressed_alerts,iamwatch.withdrawn_alerts}'::regclass[]) AS v (oid)
		JOIN pg_attribute AS a ON a.attrelid = v.oid AND a.attnum > 0
		JOIN pg_attribute AS o ON o.attrelid = 'iamwatch.alerts'::regclass AND o.attname = a.attname
	LOOP
		EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', c.view, c.attname, c.said);
	END LOOP;
END $$;

-- What a setting may be stands in one place; its column says so too.
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT a.attname, format('%s; %s to %s', col_description(a.attrelid, a.attnum), r.lowest, r.highest) AS said
		FROM iamwatch_internal.setting_ranges() AS r
		JOIN pg_attribute AS a ON a.attrelid = 'iamwatch.detectors'::regclass AND a.attname = r.setting
	LOOP
		EXECUTE format('COMMENT ON COLUMN iamwatch.detectors.%I IS %L', c.attname, c.said);
	END LOOP;
END $$;
