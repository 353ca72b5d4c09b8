/*-------------------------------------------------------------------------
 *
 * stored.c
 *		What the tables hold of an account, an identity, a behaviour.
 *
 * Looked up by index, row by row, without queries: planning them took most of
 * the time of a session that stores few events, and running them most of the
 * time of an event that is news.  Owns the numbers of the columns that C code
 * looks at in these tables.  Must never write, nor decide anything.
 *
 * Names can be longer than an index row, so indexes are on their hashes, and
 * every row found is compared with the name itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "server/compat.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "event/field.h"
#include "server/objects.h"
#include "storage/bufmgr.h"
#include "baseline/stored.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef enum Lookup
{
	LOOKUP_ACCOUNTS,
	LOOKUP_IDENTITIES,
	LOOKUP_BEHAVIOURS,
	LOOKUP_BEHAVIOUR_DAYS,
	LOOKUP_ALERTS,
	LOOKUP_SUPPRESSED,
	LOOKUP_EXCLUDED,
	LOOKUP_PENDING,
	LOOKUP_JOURNAL,
	LOOKUP_SAMPLES,
	LOOKUP_SUPPRESSIONS,
	LOOKUP_COUNT
} Lookup;

typedef enum Schema
{
	IN_PUBLIC,
	IN_INTERNAL
} Schema;

static const struct
{
	Schema		schema;
	const char *table;
	const char *index;
}			names[LOOKUP_COUNT] = {
	[LOOKUP_ACCOUNTS] = {IN_INTERNAL, "accounts", "accounts_account"},
	[LOOKUP_IDENTITIES] = {IN_INTERNAL, "identity_days", "identity_days_identity"},
	[LOOKUP_BEHAVIOURS] = {IN_INTERNAL, "account_operations", "account_operations_operation"},
	[LOOKUP_BEHAVIOUR_DAYS] = {IN_INTERNAL, "behaviour_days", "behaviour_days_pkey"},
	[LOOKUP_ALERTS] = {IN_PUBLIC, "alerts", "alerts_identity"},
	[LOOKUP_SUPPRESSED] = {IN_INTERNAL, "suppressed_alerts", "suppressed_alerts_identity"},
	[LOOKUP_EXCLUDED] = {IN_PUBLIC, "alerts", "alerts_excluded"},
	[LOOKUP_PENDING] = {IN_INTERNAL, "pending_events", "pending_events_identity"},
	[LOOKUP_JOURNAL] = {IN_INTERNAL, "journal", "journal_account"},
	[LOOKUP_SAMPLES] = {IN_INTERNAL, "context_journal", "context_journal_account"},
	[LOOKUP_SUPPRESSIONS] = {IN_PUBLIC, "suppressions", "suppressions_pkey"}
};

/* Columns, in the order of the tables; new ones come after these. */
enum
{
	ACCOUNTS_ACCOUNT_ID = 1, ACCOUNTS_PROVIDER, ACCOUNTS_ACCOUNT, ACCOUNTS_FIRST_EVENT_TIME,
	ACCOUNTS_NEWEST_DAY
};
enum
{
	IDENTITIES_ACCOUNT_ID = 1, IDENTITIES_IDENTITY_ID, IDENTITIES_KINDS, IDENTITIES_FIRST_DAYS,
	IDENTITIES_DAYS, IDENTITIES_IAM_DAYS, IDENTITIES_IDENTITY
};
enum
{
	BEHAVIOURS_ACCOUNT_ID = 1, BEHAVIOURS_BEHAVIOUR_ID, BEHAVIOURS_FAILED, BEHAVIOURS_SERVICE,
	BEHAVIOURS_OPERATION
};
enum
{
	BEHAVIOUR_DAYS_ACCOUNT_ID = 1, BEHAVIOUR_DAYS_BEHAVIOUR_ID, BEHAVIOUR_DAYS_IDENTITY_ID,
	BEHAVIOUR_DAYS_FIRST_SEEN, BEHAVIOUR_DAYS_DAYS
};
enum
{
	JOURNAL_PROVIDER = 1, JOURNAL_ACCOUNT, JOURNAL_FIRST_EVENT_TIME, JOURNAL_LATE_EVENTS,
	JOURNAL_IDENTITY, JOURNAL_KINDS, JOURNAL_SERVICE, JOURNAL_OPERATION, JOURNAL_FAILED,
	JOURNAL_DAYS
};

/* Of all_alerts, and so of those that are shown and of those that are suppressed. */
enum
{
	ALERTS_ALERT_ID = 1, ALERTS_INCIDENT_ID, ALERTS_DETECTOR, ALERTS_VARIATION, ALERTS_SEVERITY,
	ALERTS_RISK, ALERTS_STATUS, ALERTS_DETECTED_AT, ALERTS_FIRST_EVENT_TIME,
	ALERTS_LAST_EVENT_TIME, ALERTS_EVENT_COUNT, ALERTS_PROVIDER, ALERTS_ACCOUNT, ALERTS_IDENTITY,
	ALERTS_IDENTITY_KIND, ALERTS_SERVICE, ALERTS_OPERATION, ALERTS_FAILED, ALERTS_CATEGORY,
	ALERTS_SENSITIVITY, ALERTS_TACTIC, ALERTS_TECHNIQUE, ALERTS_PROBABILITY, ALERTS_SURPRISE,
	ALERTS_EVIDENCE, ALERTS_RESOLUTION, ALERTS_ASSIGNEE, ALERTS_NOTE, ALERTS_ATTACK_UNTIL,
	ALERTS_EXCLUDED_DAYS
};
enum
{
	PENDING_PENDING_ID = 1, PENDING_DETECTOR, PENDING_EVENT
};
/* Open from the first look-up on; index and slot unless the table is empty. */
static struct
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
}			lookups[LOOKUP_COUNT];

/* Between stored_begin() and stored_end(). */
static Oid	schemas[2];

void
stored_begin(void)
{
	/* an error may have left some, of which nothing is open any more */
	memset(lookups, 0, sizeof(lookups));
	schemas[IN_PUBLIC] = public_namespace();
	schemas[IN_INTERNAL] = internal_namespace();
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
stored_end(void)
{
	for (int i = 0; i < LOOKUP_COUNT; i++)
	{
		if (lookups[i].table == NULL)
			continue;
		if (lookups[i].index != NULL)
		{
			ExecDropSingleTupleTableSlot(lookups[i].slot);
			index_close(lookups[i].index, NoLock);
		}
		table_close(lookups[i].table, NoLock);
		lookups[i].table = NULL;
	}
	PopActiveSnapshot();
}

/*
 * Some tables have rows for a while only, or never: what has no block now has
 * none for our snapshot.
 */
static void
open_lookup(Lookup lookup)
{
	Relation	table = table_open(relation_in(schemas[names[lookup].schema], names[lookup].table),
								   AccessShareLock);

	lookups[lookup].table = table;
	if (RelationGetNumberOfBlocks(table) == 0)
		return;
	lookups[lookup].slot = table_slot_create(table, NULL);
	lookups[lookup].index = index_open(relation_in(schemas[names[lookup].schema], names[lookup].index),
								   AccessShareLock);
}

/* NULL when the table is empty. */
static IndexScanDesc
scan_begin(Lookup lookup, ScanKey keys, int count)
{
	IndexScanDesc scan;

	if (lookups[lookup].table == NULL)
		open_lookup(lookup);
	if (lookups[lookup].index == NULL)
		return NULL;
	scan = begin_index_scan(lookups[lookup].table, lookups[lookup].index, GetActiveSnapshot(), count);
	index_rescan(scan, keys, count, NULL, 0);
	return scan;
}

static TupleTableSlot *
scan_next(Lookup lookup, IndexScanDesc scan)
{
	return scan != NULL && index_getnext_slot(scan, ForwardScanDirection, lookups[lookup].slot) ?
		lookups[lookup].slot : NULL;
}

static void
scan_end(Lookup lookup, IndexScanDesc scan)
{
	if (scan == NULL)
		return;
	ExecClearTuple(lookups[lookup].slot);
	index_endscan(scan);
}

/* Columns of an index count from 1. */
static void
key_hash(ScanKey key, int column, Slice name)
{
	/* as hashtextextended(name, 0) */
	uint64		hash = slice_hash(name, 0);

	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) hash));
}

static void
key_id(ScanKey key, int column, int32 id)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
}

static Datum
get(TupleTableSlot *slot, int column, bool *isnull)
{
	return slot_getattr(slot, column, isnull);
}

/* For columns that are never null. */
static Datum
value(TupleTableSlot *slot, int column)
{
	bool		isnull;

	return get(slot, column, &isnull);
}

static Slice
text_slice(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		datum = get(slot, column, &isnull);
	text	   *stored;

	if (isnull)
		return SLICE_NONE;
	stored = DatumGetTextPP(datum);
	return (Slice) {VARDATA_ANY(stored), (int) VARSIZE_ANY_EXHDR(stored)};
}

static bool
text_is(TupleTableSlot *slot, int column, Slice name)
{
	return slice_equal(text_slice(slot, column), name);
}

/* Of an alert, suppressed or not. */
static bool
alert_is_of(TupleTableSlot *slot, const Event *event)
{
	return DatumGetBool(value(slot, ALERTS_FAILED)) == event->failed &&
		text_is(slot, ALERTS_OPERATION, event->operation) &&
		text_is(slot, ALERTS_IDENTITY, event->identity) &&
		text_is(slot, ALERTS_SERVICE, event->service) &&
		text_is(slot, ALERTS_ACCOUNT, event->account) &&
		slice_is(text_slice(slot, ALERTS_PROVIDER), provider_names[event->provider]);
}

bool
stored_account(const Event *event, StoredAccount *account)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	key_hash(&key, 1, event->account);
	scan = scan_begin(LOOKUP_ACCOUNTS, &key, 1);
	while (!found && (slot = scan_next(LOOKUP_ACCOUNTS, scan)) != NULL)
	{
		bool		isnull;
		Datum		datum;

		if (!text_is(slot, ACCOUNTS_ACCOUNT, event->account) ||
			!slice_is(text_slice(slot, ACCOUNTS_PROVIDER), provider_names[event->provider]))
			continue;
		found = true;
		account->account_id = DatumGetInt32(value(slot, ACCOUNTS_ACCOUNT_ID));
		datum = get(slot, ACCOUNTS_FIRST_EVENT_TIME, &isnull);
		account->first = isnull ? PG_INT64_MAX : DatumGetTimestampTz(datum);
		datum = get(slot, ACCOUNTS_NEWEST_DAY, &isnull);
		account->newest = isnull ? PG_INT32_MIN : DatumGetDateADT(datum);
	}
	scan_end(LOOKUP_ACCOUNTS, scan);
	return found;
}

bool
stored_identity(int32 account_id, const Event *event, StoredIdentity *identity)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	key_id(&keys[0], 1, account_id);
	key_hash(&keys[1], 2, event->identity);
	scan = scan_begin(LOOKUP_IDENTITIES, keys, 2);
	while (!found && (slot = scan_next(LOOKUP_IDENTITIES, scan)) != NULL)
	{
		if (!text_is(slot, IDENTITIES_IDENTITY, event->identity))
			continue;
		found = true;
		identity->identity_id = DatumGetInt64(value(slot, IDENTITIES_IDENTITY_ID));
		identity->kinds = DatumGetInt32(value(slot, IDENTITIES_KINDS));
		dayruns_from_datum(value(slot, IDENTITIES_FIRST_DAYS), &identity->first_days);
		dayruns_from_datum(value(slot, IDENTITIES_DAYS), &identity->days);
	}
	scan_end(LOOKUP_IDENTITIES, scan);
	return found;
}

int32
stored_operation_id(int32 account_id, const Event *event)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int32		id = 0;

	key_id(&keys[0], 1, account_id);
	key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(LOOKUP_BEHAVIOURS, keys, 2);
	while (id == 0 && (slot = scan_next(LOOKUP_BEHAVIOURS, scan)) != NULL)
	{
		if (DatumGetBool(value(slot, BEHAVIOURS_FAILED)) == event->failed &&
			text_is(slot, BEHAVIOURS_OPERATION, event->operation) &&
			text_is(slot, BEHAVIOURS_SERVICE, event->service))
			id = DatumGetInt32(value(slot, BEHAVIOURS_BEHAVIOUR_ID));
	}
	scan_end(LOOKUP_BEHAVIOURS, scan);
	return id;
}

bool
stored_behaviour_days(int32 account_id, int64 identity_id, const Event *event, DayRuns *days)
{
	int32		id = stored_operation_id(account_id, event);
	ScanKeyData keys[3];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	if (id == 0)
		return false;
	key_id(&keys[0], 1, account_id);
	key_id(&keys[1], 2, id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(identity_id));
	scan = scan_begin(LOOKUP_BEHAVIOUR_DAYS, keys, 3);
	slot = scan_next(LOOKUP_BEHAVIOUR_DAYS, scan);
	if (slot != NULL)
	{
		dayruns_from_datum(value(slot, BEHAVIOUR_DAYS_DAYS), days);
	}
	scan_end(LOOKUP_BEHAVIOUR_DAYS, scan);
	return slot != NULL;
}

/* A field of a row of iamwatch.event that is never null. */
static Datum
event_field(HeapTupleHeader row, const char *name)
{
	bool		isnull;

	return GetAttributeByName(row, name, &isnull);
}

static bool
event_field_is(HeapTupleHeader row, const char *name, Slice value)
{
	text	   *stored = DatumGetTextPP(event_field(row, name));

	return slice_equal(value, (Slice) {VARDATA_ANY(stored), (int) VARSIZE_ANY_EXHDR(stored)});
}

/* Is it a row of iamwatch.event of the same behaviour? */
static bool
event_row_is_of(HeapTupleHeader row, const Event *event)
{
	const char *provider = provider_names[event->provider];

	return DatumGetBool(event_field(row, "failed")) == event->failed &&
		event_field_is(row, "operation", event->operation) &&
		event_field_is(row, "identity", event->identity) &&
		event_field_is(row, "service", event->service) &&
		event_field_is(row, "account", event->account) &&
		event_field_is(row, "provider", (Slice) {provider, (int) strlen(provider)});
}

bool
stored_pending(const Event *event)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	key_hash(&key, 1, event->identity);
	scan = scan_begin(LOOKUP_PENDING, &key, 1);
	while (!found && (slot = scan_next(LOOKUP_PENDING, scan)) != NULL)
		found = event_row_is_of(DatumGetHeapTupleHeader(value(slot, PENDING_EVENT)), event);
	scan_end(LOOKUP_PENDING, scan);
	return found;
}

/* Add the alerts that a table has; returns how many there are now. */
static int
add_alerts(Lookup lookup, const Event *event, TimestampTz since, TimestampTz until,
		   TimestampTz **times, int count)
{
	ScanKeyData keys[3];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int			capacity = count;

	key_hash(&keys[0], 1, event->identity);
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(until));
	scan = scan_begin(lookup, keys, 3);
	while ((slot = scan_next(lookup, scan)) != NULL)
	{
		if (!alert_is_of(slot, event))
			continue;
		if (count == capacity)
		{
			capacity = Max(4, capacity * 2);
			*times = *times == NULL ? palloc(capacity * sizeof(TimestampTz)) :
				repalloc(*times, capacity * sizeof(TimestampTz));
		}
		(*times)[count++] = DatumGetTimestampTz(value(slot, ALERTS_FIRST_EVENT_TIME));
	}
	scan_end(lookup, scan);
	return count;
}

int
stored_alerts(const Event *event, TimestampTz since, TimestampTz until, TimestampTz **times)
{
	int			count;

	*times = NULL;
	count = add_alerts(LOOKUP_ALERTS, event, since, until, times, 0);
	return add_alerts(LOOKUP_SUPPRESSED, event, since, until, times, count);
}

void
stored_alerts_around(const Event *event, TimestampTz since, TimestampTz until,
					 bool *shown, bool *hidden)
{
	TimestampTz *times = NULL;

	*shown = add_alerts(LOOKUP_ALERTS, event, since, until, &times, 0) > 0;
	times = NULL;
	*hidden = add_alerts(LOOKUP_SUPPRESSED, event, since, until, &times, 0) > 0;
}

/* Has an index a row of these hashes? */
static bool
has_hashes(Lookup lookup, int count, const Slice *names)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		found;

	Assert(count <= lengthof(keys));
	for (int i = 0; i < count; i++)
		key_hash(&keys[i], i + 1, names[i]);
	scan = scan_begin(lookup, keys, count);
	found = scan_next(lookup, scan) != NULL;
	scan_end(lookup, scan);
	return found;
}

bool
stored_may_have_excluded(Slice account, Slice operation)
{
	return has_hashes(LOOKUP_EXCLUDED, 2, (Slice[]) {account, operation});
}

bool
stored_may_have_journal(Slice account)
{
	return has_hashes(LOOKUP_JOURNAL, 1, &account);
}

bool
stored_may_have_samples(Slice account)
{
	return has_hashes(LOOKUP_SAMPLES, 1, &account);
}

bool
stored_has_suppressions(void)
{
	IndexScanDesc scan = scan_begin(LOOKUP_SUPPRESSIONS, NULL, 0);
	bool		found = scan_next(LOOKUP_SUPPRESSIONS, scan) != NULL;

	scan_end(LOOKUP_SUPPRESSIONS, scan);
	return found;
}

void
stored_excluded_days(const Event *event, DayRuns *days)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	key_hash(&keys[0], 1, event->account);
	key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(LOOKUP_EXCLUDED, keys, 2);
	while ((slot = scan_next(LOOKUP_EXCLUDED, scan)) != NULL)
	{
		DayRuns		more;

		if (!alert_is_of(slot, event))
			continue;
		dayruns_from_datum(value(slot, ALERTS_EXCLUDED_DAYS), &more);
		dayruns_add_all(days, &more);
	}
	scan_end(LOOKUP_EXCLUDED, scan);
}

static void
read_delta(TupleTableSlot *slot, const Event *event, StoredDelta *delta)
{
	bool		isnull;
	Datum		datum;

	memset(delta, 0, sizeof(*delta));
	delta->event.provider = event->provider;
	delta->event.account = event->account;
	delta->event.identity = text_slice(slot, JOURNAL_IDENTITY);
	delta->event.service = text_slice(slot, JOURNAL_SERVICE);
	delta->event.operation = text_slice(slot, JOURNAL_OPERATION);
	datum = get(slot, JOURNAL_FAILED, &isnull);
	delta->event.failed = !isnull && DatumGetBool(datum);
	datum = get(slot, JOURNAL_FIRST_EVENT_TIME, &isnull);
	delta->first = isnull ? PG_INT64_MAX : DatumGetTimestampTz(datum);
	datum = get(slot, JOURNAL_KINDS, &isnull);
	delta->kinds = isnull ? 0 : DatumGetInt32(datum);
	dayruns_init(&delta->days);
	datum = get(slot, JOURNAL_DAYS, &isnull);
	if (!isnull)
		dayruns_from_dayset(DatumGetDaysetP(datum), &delta->days);
}

void
stored_journal(const Event *event, void (*take) (const StoredDelta *delta, void *arg), void *arg)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;

	key_hash(&key, 1, event->account);
	scan = scan_begin(LOOKUP_JOURNAL, &key, 1);
	while ((slot = scan_next(LOOKUP_JOURNAL, scan)) != NULL)
	{
		StoredDelta delta;

		if (!text_is(slot, JOURNAL_ACCOUNT, event->account) ||
			!slice_is(text_slice(slot, JOURNAL_PROVIDER), provider_names[event->provider]))
			continue;
		read_delta(slot, event, &delta);
		take(&delta, arg);
	}
	scan_end(LOOKUP_JOURNAL, scan);
}
