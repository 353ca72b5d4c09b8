/*-------------------------------------------------------------------------
 *
 * stored_scan.c
 *		Rows of our tables, found by index.
 *
 * Looked up row by row, without queries: planning them took most of the time
 * of a session that stores few events, and running them most of the time of an
 * event that is news.  Owns which tables and indexes there are for that.  Must
 * never write.
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
#include "baseline/stored.h"
#include "baseline/stored_scan.h"
#include "server/compat.h"
#include "server/objects.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

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
	[LOOKUP_JOURNAL] = {IN_INTERNAL, "journal", "journal_identity"},
	[LOOKUP_JOURNAL_FIRST] = {IN_INTERNAL, "journal", "journal_first"},
	[LOOKUP_JOURNAL_NEWEST] = {IN_INTERNAL, "journal", "journal_newest"},
	[LOOKUP_SAMPLES] = {IN_INTERNAL, "context_journal", "context_journal_identity"},
	[LOOKUP_SUPPRESSIONS] = {IN_PUBLIC, "suppressions", "suppressions_pkey"},
	[LOOKUP_NEAR_LIMITS] = {IN_INTERNAL, "limit_counts", "limit_counts_near"},
	[LOOKUP_TALLIES] = {IN_INTERNAL, "tallies", "tallies_pkey"},
	[LOOKUP_INCIDENTS] = {IN_INTERNAL, "kept_incidents", "kept_incidents_identity"},
	[LOOKUP_INCIDENT_DAYS] = {IN_INTERNAL, "kept_incidents", "kept_incidents_day"},
	[LOOKUP_CHANGED] = {IN_INTERNAL, "changed_incidents", "changed_incidents_identity"},
	[LOOKUP_CHANGES] = {IN_INTERNAL, "changed_incidents", "changed_incidents_changed_at"},
	[LOOKUP_ALERT_NUMBERS] = {IN_PUBLIC, "alerts", "alerts_pkey"},
	[LOOKUP_IDENTITY_NUMBERS] = {IN_INTERNAL, "identity_days", "identity_days_pkey"}
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
static MemoryContext context;	/* what is open outlives who looks something up */

void
stored_begin(void)
{
	/* an error may have left some, of which nothing is open any more */
	memset(lookups, 0, sizeof(lookups));
	context = CurrentMemoryContext;
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
	MemoryContext outer;

	lookups[lookup].table = table;
	if (RelationGetNumberOfBlocks(table) == 0)
		return;
	outer = MemoryContextSwitchTo(context);
	lookups[lookup].slot = table_slot_create(table, NULL);
	MemoryContextSwitchTo(outer);
	lookups[lookup].index = index_open(relation_in(schemas[names[lookup].schema], names[lookup].index),
								   AccessShareLock);
}

/*
 * What a serializable transaction has read is locked against writers, by page,
 * so that two that learn of different accounts would end each other.  Nothing
 * depends on it: they append what they learn, as all do that have a fixed
 * snapshot.  So theirs sees all versions, of which scan_next_in() takes those that
 * the snapshot sees.
 */
static bool
sees_all(void)
{
	return IsolationIsSerializable();
}

/* NULL when the table is empty. */
IndexScanDesc
scan_begin(Lookup lookup, ScanKey keys, int count)
{
	IndexScanDesc scan;

	if (lookups[lookup].table == NULL)
		open_lookup(lookup);
	if (lookups[lookup].index == NULL)
		return NULL;
	scan = begin_index_scan(lookups[lookup].table, lookups[lookup].index,
							sees_all() ? SnapshotAny : GetActiveSnapshot(), count);
	index_rescan(scan, keys, count, NULL, 0);
	return scan;
}

TupleTableSlot *
scan_next_in(Lookup lookup, IndexScanDesc scan, ScanDirection direction)
{
	TupleTableSlot *slot = lookups[lookup].slot;

	if (scan == NULL)
		return NULL;
	while (index_getnext_slot(scan, direction, slot))
		if (!sees_all() || table_tuple_satisfies_snapshot(lookups[lookup].table, slot, GetActiveSnapshot()))
			return slot;
	return NULL;
}

TupleTableSlot *
scan_next(Lookup lookup, IndexScanDesc scan)
{
	return scan_next_in(lookup, scan, ForwardScanDirection);
}

TupleTableSlot *
scan_previous(Lookup lookup, IndexScanDesc scan, int *room)
{
	TupleTableSlot *slot = lookups[lookup].slot;

	if (scan == NULL || sees_all())
		return scan_next_in(lookup, scan, BackwardScanDirection);
	while (index_getnext_tid(scan, BackwardScanDirection) != NULL)
	{
		if (index_fetch_heap(scan, slot))
			return slot;
		if (*room > 0 && --*room == 0)
			break;
	}
	return NULL;
}

void
scan_end(Lookup lookup, IndexScanDesc scan)
{
	if (scan == NULL)
		return;
	ExecClearTuple(lookups[lookup].slot);
	index_endscan(scan);
}

/* Columns of an index count from 1. */
void
scan_key_hash(ScanKey key, int column, Slice name)
{
	/* as hashtextextended(name, 0) */
	uint64		hash = slice_hash(name, 0);

	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) hash));
}

void
scan_key_id(ScanKey key, int column, int32 id)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
}

Datum
scan_column(TupleTableSlot *slot, int column, bool *isnull)
{
	return slot_getattr(slot, column, isnull);
}

/* For columns that are never null. */
Datum
scan_value(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		value = scan_column(slot, column, &isnull);

	Assert(!isnull);
	return value;
}

Slice
scan_text(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		datum = scan_column(slot, column, &isnull);
	text	   *stored;

	if (isnull)
		return SLICE_NONE;
	stored = DatumGetTextPP(datum);
	return (Slice) {VARDATA_ANY(stored), (int) VARSIZE_ANY_EXHDR(stored)};
}

bool
scan_text_is(TupleTableSlot *slot, int column, Slice name)
{
	return slice_equal(scan_text(slot, column), name);
}
