-- The schemas, and which part has what.
--
-- iamwatch is what people call and read; iamwatch_internal is the machinery.
-- Both are made here and so belong to the extension: one that exists already,
-- with objects that somebody else put into it, is an error, and DROP EXTENSION
-- leaves neither behind.
--
--	event		what a document says: iamwatch.event, parse(), records(),
--			providers that users describe, tables with a column a field,
--			rejected_events
--	config		what was set: detectors, operations, limits, instances; how
--			copies of it go stale
--	baseline	what is remembered: dayset, locks, accounts, identity_days,
--			account_operations, behaviour_days, tallies, journal; habits,
--			novelties; the views of it
--	detect		what is unusual: scores, alerts, alert_events, pending_events
--	analyst		what people do with it: triage, alert_history, suppressions,
--			explain(), incidents, report(), exports, backtest()
--	operate		how it runs: sources, backfills, process(), maintain(),
--			status, source_counts, several nodes, accounts that
--			move, privileges

CREATE SCHEMA iamwatch;
COMMENT ON SCHEMA iamwatch IS 'unusual identity and access management activity in audit logs: what people call and read';
CREATE SCHEMA iamwatch_internal;
COMMENT ON SCHEMA iamwatch_internal IS 'machinery of the extension iamwatch; not to be called, it can change with every version';
