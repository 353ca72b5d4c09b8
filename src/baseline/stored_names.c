/*-------------------------------------------------------------------------
 *
 * stored_names.c
 *		In which tables, and by which of their indexes, rows are looked up.
 *
 * What comes first in each index is in sql/, beside the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored_names.h"

const StoredName stored_names[LOOKUP_COUNT] = {
	[LOOKUP_ACCOUNTS] = {IN_INTERNAL, "accounts", "accounts_account"},
	[LOOKUP_IDENTITIES] = {IN_INTERNAL, "identity_days", "identity_days_identity"},
	[LOOKUP_OPERATIONS] = {IN_INTERNAL, "account_operations", "account_operations_operation"},
	[LOOKUP_BEHAVIOUR_DAYS] = {IN_INTERNAL, "behaviour_days", "behaviour_days_pkey"},
	[LOOKUP_ALERTS] = {IN_PUBLIC, "alerts", "alerts_identity"},
	[LOOKUP_SUPPRESSED] = {IN_INTERNAL, "suppressed_alerts", "suppressed_alerts_identity", true},
	[LOOKUP_EXCLUDED] = {IN_PUBLIC, "alerts", "alerts_excluded"},
	[LOOKUP_PENDING] = {IN_INTERNAL, "pending_events", "pending_events_identity", true},
	[LOOKUP_JOURNAL] = {IN_INTERNAL, "journal", "journal_identity", true},
	[LOOKUP_JOURNAL_FIRST] = {IN_INTERNAL, "journal", "journal_first", true},
	[LOOKUP_JOURNAL_NEWEST] = {IN_INTERNAL, "journal", "journal_newest", true},
	[LOOKUP_SAMPLES] = {IN_INTERNAL, "context_journal", "context_journal_identity", true},
	[LOOKUP_SUPPRESSIONS] = {IN_PUBLIC, "suppressions", "suppressions_pkey", true},
	[LOOKUP_NEAR_LIMITS] = {IN_INTERNAL, "limit_counts", "limit_counts_near", true},
	[LOOKUP_TALLIES] = {IN_INTERNAL, "tallies", "tallies_pkey"},
	[LOOKUP_INCIDENTS] = {IN_INTERNAL, "kept_incidents", "kept_incidents_identity"},
	[LOOKUP_INCIDENT_DAYS] = {IN_INTERNAL, "kept_incidents", "kept_incidents_day"},
	[LOOKUP_INCIDENT_NUMBERS] = {IN_INTERNAL, "kept_incidents", "kept_incidents_pkey"},
	[LOOKUP_INCIDENTS_SINCE] = {IN_INTERNAL, "kept_incidents", "kept_incidents_kept_by"},
	[LOOKUP_LINKS_FROM] = {IN_INTERNAL, "kept_links", "kept_links_from"},
	[LOOKUP_LINKS_TO] = {IN_INTERNAL, "kept_links", "kept_links_to"},
	[LOOKUP_CHANGED] = {IN_INTERNAL, "changed_incidents", "changed_incidents_identity", true},
	[LOOKUP_CHANGES] = {IN_INTERNAL, "changed_incidents", "changed_incidents_changed_at", true},
	[LOOKUP_ALERT_NUMBERS] = {IN_PUBLIC, "alerts", "alerts_pkey"},
	[LOOKUP_ALERT_EVENTS] = {IN_PUBLIC, "alert_events", "alert_events_alert"},
	[LOOKUP_IDENTITY_NUMBERS] = {IN_INTERNAL, "identity_days", "identity_days_pkey"},
	[LOOKUP_OPERATION_NUMBERS] = {IN_INTERNAL, "account_operations", "account_operations_pkey"},
	[LOOKUP_NOVELTIES] = {IN_INTERNAL, "novelties", "novelties_pkey"},
	[LOOKUP_HABITS] = {IN_INTERNAL, "habits", "habits_pkey"}
};
