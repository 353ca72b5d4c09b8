/*-------------------------------------------------------------------------
 *
 * stored_scan.c
 *		Rows of our tables, found by index.
 *
 * Row by row, without queries: to plan them took most of the time of a session
 * that stores few events, and to run them that of a new event.  Must never write.
 *
 * To open a table or an index for the first time in a session takes longer than
 * anything that is done with it then, so those that are empty are not opened,
 * nor are indexes of tables of a page or two.
 *
 * What is looked up at the end of a statement is opened for that.  A statement
 * that looks up in its middle, row by row, keeps tables and scans open until its
 * memory goes: to open them is a third of the work.
 *
 * What a writer looks up it often writes then, so a table is locked as for
 * writing from the first look on.  With the lock of a reader it would hold an index
 * and then ask for the table, and REINDEX, which takes the table first, would end
 * in a deadlock with the INSERT.  Whoever only reads locks what a query would.
 *
 * Names can be longer than an index row, so indexes are on their hashes, and
 * every row found is compared with the name itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "baseline/stored.h"
#include "baseline/stored_names.h"
#include "baseline/stored_scan.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "server/compat.h"
#include "server/objects.h"
#include "server/table.h"
#include "storage/bufmgr.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* Open from the first look-up on; all but the table unless that is empty. */
typedef struct OpenLookup
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;			/* to be begun anew: of tables that stay open */
	Buffer		visible;		/* a page of what says whose rows everybody sees */
	int			looks;			/* at all rows of it, or at its file */
	bool		empty;			/* as was seen, and no table stays open */
} OpenLookup;

struct StoredTables
{
	dlist_node	node;			/* in all_open, while open */
	bool		open;
	SubTransactionId subid;		/* in which they were opened */
	ResourceOwner owner;
	MemoryContext context;
	Oid			schema;			/* of the machinery; invalid to find it by its name */
	MemoryContextCallback close;
	OpenLookup	lookups[LOOKUP_COUNT];
};

/* Those of statements that are under way. */
static dlist_head all_open = DLIST_STATIC_INIT(all_open);

/* Between stored_begin() and stored_end(): those of it, or those that stay open. */
static OpenLookup once[LOOKUP_COUNT];
static OpenLookup *lookups = once;
static StoredTables *staying = NULL;
static LOCKMODE table_lock = AccessShareLock;
static MemoryContext context;	/* what is open outlives who looks something up */
static Oid	schemas[SCHEMAS];

static void
close_lookups(OpenLookup *opened)
{
	for (int i = 0; i < LOOKUP_COUNT; i++)
	{
		if (opened[i].table == NULL)
			continue;
		if (opened[i].scan != NULL)
			index_endscan(opened[i].scan);
		if (opened[i].slot != NULL)
			ExecDropSingleTupleTableSlot(opened[i].slot);
		if (BufferIsValid(opened[i].visible))
			ReleaseBuffer(opened[i].visible);
		if (opened[i].index != NULL)
			index_close(opened[i].index, NoLock);
		table_close(opened[i].table, NoLock);
		opened[i].table = NULL;
	}
}

/* When their memory goes; of a statement that failed, they may be forgotten by then. */
static void
close_tables(void *arg)
{
	StoredTables *tables = arg;
	ResourceOwner owner = CurrentResourceOwner;

	if (!tables->open)
		return;
	tables->open = false;
	dlist_delete(&tables->node);
	CurrentResourceOwner = tables->owner;
	close_lookups(tables->lookups);
	CurrentResourceOwner = owner;
}

/* That of a cursor that fails in a savepoint is handed to it, wherever it was declared. */
static bool
fails_too(ResourceOwner owner)
{
	while (owner != NULL && owner != CurTransactionResourceOwner)
		owner = ResourceOwnerGetParent(owner);
	return owner != NULL;
}

/* The server closes what was open in a transaction or savepoint that fails. */
static void
forget_open(SubTransactionId since)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_open)
	{
		StoredTables *tables = dlist_container(StoredTables, node, iter.cur);

		if (tables->subid < since && !fails_too(tables->owner))
			continue;
		tables->open = false;
		dlist_delete(&tables->node);
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT)
		forget_open(TopSubTransactionId);
	/* a block that commits in its middle goes on with the same memory */
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		dlist_foreach_modify(iter, &all_open)
			close_tables(dlist_container(StoredTables, node, iter.cur));
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_open(subid);
}

void
stored_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

StoredTables *
stored_tables_create(MemoryContext context, Oid schema)
{
	StoredTables *tables = MemoryContextAllocZero(context, sizeof(StoredTables));

	tables->context = context;
	tables->schema = schema;
	tables->close.func = close_tables;
	tables->close.arg = tables;
	MemoryContextRegisterResetCallback(context, &tables->close);
	return tables;
}

/* On a standby no stronger one can be had. */
static LOCKMODE
lock_of_writer(void)
{
	return XactReadOnly || RecoveryInProgress() || IsInParallelMode() ? AccessShareLock : RowExclusiveLock;
}

static void
begin(Snapshot snapshot)
{
	schemas[IN_PUBLIC] = schemas[IN_INTERNAL] = InvalidOid;
	table_lock = AccessShareLock;
	PushActiveSnapshot(snapshot);
}

void
stored_begin_to_read(Snapshot snapshot)
{
	/* an error may have left some, of which nothing is open any more */
	memset(once, 0, sizeof(once));
	lookups = once;
	staying = NULL;
	context = CurrentMemoryContext;
	begin(snapshot);
}

void
stored_begin_as_of(Snapshot snapshot)
{
	stored_begin_to_read(snapshot);
	table_lock = lock_of_writer();
}

void
stored_begin(void)
{
	CommandCounterIncrement();
	stored_begin_as_of(GetTransactionSnapshot());
}

static void
begin_within(StoredTables *tables, SubTransactionId subid, Snapshot snapshot)
{
	if (tables->open && tables->owner != CurrentResourceOwner)
		close_tables(tables);
	if (!tables->open)
	{
		memset(tables->lookups, 0, sizeof(tables->lookups));
		tables->owner = CurrentResourceOwner;
		tables->subid = subid;
		tables->open = true;
		dlist_push_head(&all_open, &tables->node);
	}
	lookups = tables->lookups;
	staying = tables;
	context = tables->context;
	begin(snapshot);
	schemas[IN_INTERNAL] = tables->schema;
}

void
stored_begin_within(StoredTables *tables)
{
	begin_within(tables, GetCurrentSubTransactionId(), GetTransactionSnapshot());
	table_lock = lock_of_writer();
}

/*
 * What a query of a portal has open goes with the portal's memory, also where it
 * is fetched from in a savepoint that is then rolled back.  Other queries of
 * functions end where they began, but expressions that PL/pgSQL evaluates without
 * a query keep their memory until the end of the transaction.
 */
void
stored_begin_reading(StoredTables *tables, Snapshot snapshot)
{
	MemoryContext within = tables->context;

	if (ActivePortal != NULL && CurrentResourceOwner == ActivePortal->resowner)
		while (within != NULL && within != ActivePortal->portalContext)
			within = MemoryContextGetParent(within);
	else
		within = NULL;
	if (within != NULL)
		begin_within(tables, ActivePortal->createSubid, snapshot);
	else
		stored_begin_to_read(snapshot);
}

void
stored_end(void)
{
	if (staying == NULL)
		close_lookups(once);
	lookups = once;
	staying = NULL;
	PopActiveSnapshot();
}

Oid
scan_schema(Lookup lookup)
{
	Schema		schema = stored_names[lookup].schema;

	if (!OidIsValid(schemas[schema]))
		schemas[schema] = schema == IN_PUBLIC ? public_namespace() : internal_namespace();
	return schemas[schema];
}

/*
 * Some tables have rows for a while only, or never: what has no block now has
 * none for our snapshot.  Others may fill it while tables stay open.
 */
static bool
open_table(Lookup lookup)
{
	OpenLookup *open = &lookups[lookup];

	if (open->table != NULL)
		return true;
	if (open->empty)
		return false;
	/* whoever asks again and again opens it, and asks it */
	if (stored_names[lookup].rare && open->looks++ == 0 &&
		table_is_empty(scan_schema(lookup), stored_names[lookup].table))
	{
		open->empty = staying == NULL;
		return false;
	}
	open->table = table_open(relation_in(scan_schema(lookup), stored_names[lookup].table), table_lock);
	if (table_lock == AccessShareLock)
		table_lock_indexes(open->table);
	return true;
}

static void
make_slot(OpenLookup *open)
{
	if (open->slot == NULL)
		open->slot = table_slot_create(open->table, NULL);
}

static void
open_index(Lookup lookup)
{
	OpenLookup *open = &lookups[lookup];

	if (RelationGetNumberOfBlocks(open->table) == 0)
	{
		open->empty = staying == NULL;
		return;
	}
	open->empty = false;
	make_slot(open);
	open->index = index_open(relation_in(scan_schema(lookup), stored_names[lookup].index), AccessShareLock);
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

static IndexScanDesc
begin_scan(Lookup lookup, ScanKey keys, int count, bool entries)
{
	OpenLookup *open = &lookups[lookup];
	Snapshot	snapshot = sees_all() ? SnapshotAny : GetActiveSnapshot();
	IndexScanDesc scan = open->scan;
	MemoryContext outer = MemoryContextSwitchTo(context);

	if (!open->empty && open_table(lookup) && open->index == NULL)
		open_index(lookup);
	if (open->index == NULL)
	{
		MemoryContextSwitchTo(outer);
		return NULL;
	}
	if (scan != NULL && scan->numberOfKeys != count)
	{
		index_endscan(scan);
		scan = open->scan = NULL;
	}
	if (scan == NULL)
		scan = begin_index_scan(open->table, open->index, snapshot, count);
	if (staying != NULL)
		open->scan = scan;
	scan->xs_snapshot = snapshot;
	scan->xs_want_itup = entries;
	index_rescan(scan, keys, count, NULL, 0);
	MemoryContextSwitchTo(outer);
	return scan;
}

/* NULL when the table is empty. */
IndexScanDesc
scan_begin(Lookup lookup, ScanKey keys, int count)
{
	return begin_scan(lookup, keys, count, false);
}

/* Is the row in the slot one that the snapshot sees?  The server knows, unless it looked at all. */
static bool
is_seen(Lookup lookup)
{
	return !sees_all() ||
		table_tuple_satisfies_snapshot(lookups[lookup].table, lookups[lookup].slot, GetActiveSnapshot());
}

TupleTableSlot *
scan_next_in(Lookup lookup, IndexScanDesc scan, ScanDirection direction)
{
	TupleTableSlot *slot = lookups[lookup].slot;
	bool		found;

	if (scan == NULL)
		return NULL;
	do
	{
		MemoryContext outer;

		CHECK_FOR_INTERRUPTS();
		outer = MemoryContextSwitchTo(context);
		found = index_getnext_slot(scan, direction, slot);
		MemoryContextSwitchTo(outer);
	} while (found && !is_seen(lookup));
	return found ? slot : NULL;
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
		CHECK_FOR_INTERRUPTS();
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
	if (staying == NULL)
		index_endscan(scan);
	else
		index_rescan(scan, NULL, scan->numberOfKeys, NULL, 0);	/* lets go of the pages */
}

IndexScanDesc
scan_begin_entries(Lookup lookup, ScanKey keys, int count)
{
	return begin_scan(lookup, keys, count, true);
}

void
scan_again(IndexScanDesc scan, ScanKey keys, int count)
{
	index_rescan(scan, keys, count, NULL, 0);
}

bool
scan_next_entry(IndexScanDesc scan, ScanDirection direction)
{
	CHECK_FOR_INTERRUPTS();
	return index_getnext_tid(scan, direction) != NULL;
}

/* For columns that are never null; they count from 1. */
Datum
scan_entry_value(IndexScanDesc scan, int column)
{
	bool		isnull;
	Datum		value = index_getattr(scan->xs_itup, column, scan->xs_itupdesc, &isnull);

	Assert(!isnull);
	return value;
}

TupleTableSlot *
scan_fetch(Lookup lookup, IndexScanDesc scan)
{
	TupleTableSlot *slot = lookups[lookup].slot;
	bool		found;

	/* of a chain of versions there may be more, if the snapshot is one that sees all */
	do
		found = index_fetch_heap(scan, slot) && is_seen(lookup);
	while (!found && scan->xs_heap_continue);

	/*
	 * The index would be told of each entry whose row is dead when the scan
	 * leaves its page.  Where one entry stands for several versions of a row,
	 * that takes a search of the page for each, in vain as long as one version
	 * lives, and costs more than all that is done here.  Others tell it.
	 */
	scan->kill_prior_tuple = false;
	return found ? slot : NULL;
}

/* Most rows are older than any snapshot, which their page's bit says without the page. */
bool
scan_entry_is_seen(Lookup lookup, IndexScanDesc scan)
{
	OpenLookup *open = &lookups[lookup];

	return (!sees_all() &&
			VM_ALL_VISIBLE(open->table, ItemPointerGetBlockNumber(&scan->xs_heaptid), &open->visible)) ||
		scan_fetch(lookup, scan) != NULL;
}

/* So few looks at all rows of so few blocks cost less than to open an index. */
#define SMALL_BLOCKS 2
#define MOST_LOOKS 4

static bool
needs_no_index(Lookup lookup)
{
	OpenLookup *open = &lookups[lookup];

	return open->index == NULL && open->looks < MOST_LOOKS && open_table(lookup) &&
		RelationGetNumberOfBlocks(open->table) <= SMALL_BLOCKS;
}

Rows
rows_begin(Lookup lookup, ScanKey keys, int count)
{
	OpenLookup *open = &lookups[lookup];
	Rows		rows = {lookup, NULL, NULL};
	MemoryContext outer = MemoryContextSwitchTo(context);

	if (needs_no_index(lookup))
	{
		open->looks++;
		make_slot(open);
		rows.all = table_beginscan(open->table, sees_all() ? SnapshotAny : GetActiveSnapshot(),
								   0, NULL);
	}
	MemoryContextSwitchTo(outer);
	if (rows.all == NULL)
		rows.found = scan_begin(lookup, keys, count);
	return rows;
}

TupleTableSlot *
rows_next(const Rows *rows)
{
	OpenLookup *open = &lookups[rows->lookup];

	if (rows->all == NULL)
		return scan_next(rows->lookup, rows->found);
	while (table_scan_getnextslot(rows->all, ForwardScanDirection, open->slot))
		if (is_seen(rows->lookup))
			return open->slot;
	return NULL;
}

void
rows_end(const Rows *rows)
{
	if (rows->all == NULL)
		scan_end(rows->lookup, rows->found);
	else
	{
		ExecClearTuple(lookups[rows->lookup].slot);
		table_endscan(rows->all);
	}
}

void
scan_page(Lookup lookup, BlockNumber page, void (*take) (TupleTableSlot *slot, void *arg), void *arg)
{
	OpenLookup *open = &lookups[lookup];
	TableScanDesc scan;
	ItemPointerData first;
	ItemPointerData last;

	Assert(open->slot != NULL); /* a row was found */
	/* not every kind of table can be read by page */
	if (sees_all() || open->table->rd_tableam->scan_set_tidrange == NULL)
		return;
	ItemPointerSet(&first, page, FirstOffsetNumber);
	ItemPointerSet(&last, page, MaxOffsetNumber);
	scan = table_beginscan_tidrange(open->table, GetActiveSnapshot(), &first, &last);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, open->slot))
		take(open->slot, arg);
	ExecClearTuple(open->slot);
	table_endscan(scan);
}
