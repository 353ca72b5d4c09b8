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
#include "compat.h"
#include "executor/tuptable.h"
#include "field.h"
#include "objects.h"
#include "storage/bufmgr.h"
#include "stored.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef enum Door
{
	DOOR_ACCOUNTS,
	DOOR_IDENTITIES,
	DOOR_BEHAVIOURS,
	DOOR_BEHAVIOUR_DAYS,
	DOOR_ALERTS,
	DOOR_SUPPRESSED,
	DOOR_EXCLUDED,
	DOOR_PENDING,
	DOOR_JOURNAL,
	DOOR_COUNT
} Door;

static const struct
{
	const char *table;
	const char *index;
}			names[DOOR_COUNT] = {
	[DOOR_ACCOUNTS] = {"accounts", "accounts_account"},
	[DOOR_IDENTITIES] = {"identity_days", "identity_days_identity"},
	[DOOR_BEHAVIOURS] = {"behaviours", "behaviours_operation"},
	[DOOR_BEHAVIOUR_DAYS] = {"behaviour_days", "behaviour_days_pkey"},
	[DOOR_ALERTS] = {"alerts", "alerts_identity"},
	[DOOR_SUPPRESSED] = {"suppressed_alerts", "suppressed_alerts_identity"},
	[DOOR_EXCLUDED] = {"alerts", "alerts_excluded"},
	[DOOR_PENDING] = {"pending_events", "pending_events_identity"},
	[DOOR_JOURNAL] = {"journal", "journal_account"}
};

/* Columns, as sql/tables.sql has them; new ones come after these. */
enum
{
	ACCOUNTS_ACCOUNT_ID = 1, ACCOUNTS_PROVIDER, ACCOUNTS_ACCOUNT, ACCOUNTS_FIRST_EVENT_TIME,
	ACCOUNTS_NEWEST_DAY
};
enum
{
	IDENTITIES_ACCOUNT_ID = 1, IDENTITIES_IDENTITY_ID, IDENTITIES_KINDS, IDENTITIES_FIRST_SEEN,
	IDENTITIES_DAYS, IDENTITIES_IDENTITY
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

/* Where the columns of a behaviour are. */
typedef struct BehaviourColumns
{
	int			provider;
	int			account;
	int			identity;
	int			service;
	int			operation;
	int			failed;
} BehaviourColumns;

#define ALERTS_FIRST_EVENT_TIME 7
static const BehaviourColumns alerts_columns = {10, 11, 12, 14, 15, 16};
#define SUPPRESSED_FIRST_EVENT_TIME 8
static const BehaviourColumns suppressed_columns = {11, 12, 13, 15, 16, 17};
static const BehaviourColumns pending_columns = {3, 4, 5, 6, 7, 8};

/* Open from the first look-up on; index and slot unless the table is empty. */
static struct
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
}			doors[DOOR_COUNT];

static Oid	namespace = InvalidOid; /* between stored_begin() and stored_end() */

void
stored_begin(void)
{
	/* an error may have left some, of which nothing is open any more */
	memset(doors, 0, sizeof(doors));
	namespace = iamwatch_namespace();
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
stored_end(void)
{
	for (int i = 0; i < DOOR_COUNT; i++)
	{
		if (doors[i].table == NULL)
			continue;
		if (doors[i].index != NULL)
		{
			ExecDropSingleTupleTableSlot(doors[i].slot);
			index_close(doors[i].index, NoLock);
		}
		table_close(doors[i].table, NoLock);
		doors[i].table = NULL;
	}
	PopActiveSnapshot();
}

/*
 * Some tables have rows for a while only, or never: what has no block now has
 * none for our snapshot.
 */
static void
open_door(Door door)
{
	Relation	table = table_open(iamwatch_relation_in(namespace, names[door].table),
								   AccessShareLock);

	doors[door].table = table;
	if (RelationGetNumberOfBlocks(table) == 0)
		return;
	doors[door].slot = table_slot_create(table, NULL);
	doors[door].index = index_open(iamwatch_relation_in(namespace, names[door].index),
								   AccessShareLock);
}

/* NULL when the table is empty. */
static IndexScanDesc
scan_begin(Door door, ScanKey keys, int count)
{
	IndexScanDesc scan;

	if (doors[door].table == NULL)
		open_door(door);
	if (doors[door].index == NULL)
		return NULL;
	scan = begin_index_scan(doors[door].table, doors[door].index, GetActiveSnapshot(), count);
	index_rescan(scan, keys, count, NULL, 0);
	return scan;
}

static TupleTableSlot *
scan_next(Door door, IndexScanDesc scan)
{
	return scan != NULL && index_getnext_slot(scan, ForwardScanDirection, doors[door].slot) ?
		doors[door].slot : NULL;
}

static void
scan_end(Door door, IndexScanDesc scan)
{
	if (scan == NULL)
		return;
	ExecClearTuple(doors[door].slot);
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

static bool
is_behaviour(TupleTableSlot *slot, const BehaviourColumns *columns, const Event *event)
{
	return DatumGetBool(value(slot, columns->failed)) == event->failed &&
		text_is(slot, columns->operation, event->operation) &&
		text_is(slot, columns->identity, event->identity) &&
		text_is(slot, columns->service, event->service) &&
		text_is(slot, columns->account, event->account) &&
		slice_is(text_slice(slot, columns->provider), provider_names[event->provider]);
}

bool
stored_account(const Event *event, StoredAccount *account)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	key_hash(&key, 1, event->account);
	scan = scan_begin(DOOR_ACCOUNTS, &key, 1);
	while (!found && (slot = scan_next(DOOR_ACCOUNTS, scan)) != NULL)
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
	scan_end(DOOR_ACCOUNTS, scan);
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
	scan = scan_begin(DOOR_IDENTITIES, keys, 2);
	while (!found && (slot = scan_next(DOOR_IDENTITIES, scan)) != NULL)
	{
		if (!text_is(slot, IDENTITIES_IDENTITY, event->identity))
			continue;
		found = true;
		identity->identity_id = DatumGetInt64(value(slot, IDENTITIES_IDENTITY_ID));
		identity->kinds = DatumGetInt32(value(slot, IDENTITIES_KINDS));
		dayruns_from_datum(value(slot, IDENTITIES_DAYS), &identity->days);
	}
	scan_end(DOOR_IDENTITIES, scan);
	return found;
}

/* The number that the behaviour has in its account; 0 if it has none. */
static int32
behaviour_id(int32 account_id, const Event *event)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int32		id = 0;

	key_id(&keys[0], 1, account_id);
	key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(DOOR_BEHAVIOURS, keys, 2);
	while (id == 0 && (slot = scan_next(DOOR_BEHAVIOURS, scan)) != NULL)
	{
		if (DatumGetBool(value(slot, BEHAVIOURS_FAILED)) == event->failed &&
			text_is(slot, BEHAVIOURS_OPERATION, event->operation) &&
			text_is(slot, BEHAVIOURS_SERVICE, event->service))
			id = DatumGetInt32(value(slot, BEHAVIOURS_BEHAVIOUR_ID));
	}
	scan_end(DOOR_BEHAVIOURS, scan);
	return id;
}

bool
stored_behaviour_days(int32 account_id, int64 identity_id, const Event *event, DayRuns *days)
{
	int32		id = behaviour_id(account_id, event);
	ScanKeyData keys[3];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	if (id == 0)
		return false;
	key_id(&keys[0], 1, account_id);
	key_id(&keys[1], 2, id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(identity_id));
	scan = scan_begin(DOOR_BEHAVIOUR_DAYS, keys, 3);
	slot = scan_next(DOOR_BEHAVIOUR_DAYS, scan);
	if (slot != NULL)
	{
		dayruns_from_datum(value(slot, BEHAVIOUR_DAYS_DAYS), days);
	}
	scan_end(DOOR_BEHAVIOUR_DAYS, scan);
	return slot != NULL;
}

bool
stored_pending(const Event *event)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		found = false;

	key_hash(&key, 1, event->identity);
	scan = scan_begin(DOOR_PENDING, &key, 1);
	while (!found && (slot = scan_next(DOOR_PENDING, scan)) != NULL)
		found = is_behaviour(slot, &pending_columns, event);
	scan_end(DOOR_PENDING, scan);
	return found;
}

/* Add the alerts that a table has; returns how many there are now. */
static int
add_alerts(Door door, const BehaviourColumns *columns, int first_event_time,
		   const Event *event, TimestampTz since, TimestampTz until, TimestampTz **times, int count)
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
	scan = scan_begin(door, keys, 3);
	while ((slot = scan_next(door, scan)) != NULL)
	{
		if (!is_behaviour(slot, columns, event))
			continue;
		if (count == capacity)
		{
			capacity = Max(4, capacity * 2);
			*times = *times == NULL ? palloc(capacity * sizeof(TimestampTz)) :
				repalloc(*times, capacity * sizeof(TimestampTz));
		}
		(*times)[count++] = DatumGetTimestampTz(value(slot, first_event_time));
	}
	scan_end(door, scan);
	return count;
}

int
stored_alerts(const Event *event, TimestampTz since, TimestampTz until, TimestampTz **times)
{
	int			count;

	*times = NULL;
	count = add_alerts(DOOR_ALERTS, &alerts_columns, ALERTS_FIRST_EVENT_TIME,
					   event, since, until, times, 0);
	if (OidIsValid(get_relname_relid(names[DOOR_SUPPRESSED].table, namespace)))
		count = add_alerts(DOOR_SUPPRESSED, &suppressed_columns, SUPPRESSED_FIRST_EVENT_TIME,
						   event, since, until, times, count);
	return count;
}

void
stored_excluded_days(const Event *event, DayRuns *days)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;
	TupleTableSlot *slot;

	if (!OidIsValid(get_relname_relid(names[DOOR_EXCLUDED].index, namespace)))
		return;
	key_hash(&keys[0], 1, event->account);
	key_hash(&keys[1], 2, event->operation);
	scan = scan_begin(DOOR_EXCLUDED, keys, 2);
	while ((slot = scan_next(DOOR_EXCLUDED, scan)) != NULL)
	{
		DayRuns		more;
		AttrNumber	column;

		if (!is_behaviour(slot, &alerts_columns, event))
			continue;
		column = get_attnum(RelationGetRelid(doors[DOOR_EXCLUDED].table), "excluded_days");
		dayruns_from_datum(value(slot, column), &more);
		dayruns_add_all(days, &more);
	}
	scan_end(DOOR_EXCLUDED, scan);
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
	scan = scan_begin(DOOR_JOURNAL, &key, 1);
	while ((slot = scan_next(DOOR_JOURNAL, scan)) != NULL)
	{
		StoredDelta delta;

		if (!text_is(slot, JOURNAL_ACCOUNT, event->account) ||
			!slice_is(text_slice(slot, JOURNAL_PROVIDER), provider_names[event->provider]))
			continue;
		read_delta(slot, event, &delta);
		take(&delta, arg);
	}
	scan_end(DOOR_JOURNAL, scan);
}
