/*-------------------------------------------------------------------------
 *
 * batch_sort.c
 *		What of a batch does not fit in memory, in order of event time.
 *
 * A statement may store more events than memory holds, and in any order.  All
 * of them are compared in order of event time, so what the batch cannot keep
 * goes to PostgreSQL's own tuplesort, which spills to disk by work_mem, and is
 * read from there in pieces when the statement ends.
 *
 * Events of each savepoint are sorted apart, since a savepoint can roll back
 * alone; to read them is to merge the few runs that there are.
 *
 * Owns the files and memory of the runs: an error anywhere ends them by
 * batch_sort_forget().  Must never decide what becomes of an event.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "detect/batch_sort.h"
#include "server/compat.h"
#include "server/sorting.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Columns of a sorted row: the order, and then the item. */
enum
{
	ROW_REJECTED = 1,
	ROW_TIME,
	ROW_EVENT_ID,
	ROW_ITEM,
	ROW_COLUMNS = ROW_ITEM
};
#define ORDER_COLUMNS 3

typedef struct Run
{
	SubTransactionId subid;
	MemoryContext context;
	ResourceOwner owner;		/* of its files */
	TupleDesc	desc;
	Tuplesortstate *sort;
	TupleTableSlot *head;		/* the next row, once it is read */
	struct BatchReader *reader; /* NULL while rows are added */
	struct Run *next;
} Run;

struct BatchReader
{
	SubTransactionId subid;		/* where the reading began */
};

static Run *runs = NULL;

static TupleDesc
row_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(ROW_COLUMNS);

	TupleDescInitEntry(desc, ROW_REJECTED, "rejected", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, ROW_TIME, "time", INT8OID, -1, 0);
	TupleDescInitEntry(desc, ROW_EVENT_ID, "event_id", BYTEAOID, -1, 0);
	TupleDescInitEntry(desc, ROW_ITEM, "item", BYTEAOID, -1, 0);
	return desc;
}

/*
 * The files of a run outlive the query or savepoint in which one is made, so each
 * run owns its own: end_run() ends them early.
 */
static ResourceOwner
use_owner(ResourceOwner owner)
{
	ResourceOwner before = CurrentResourceOwner;

	CurrentResourceOwner = owner;
	return before;
}

/*
 * As at the end of a transaction that fails.  tuplesort_end() would write first
 * what it still has of them, which fails where the disk is full; and an error
 * while a transaction is ending begins that end anew.
 */
static void
drop_files(Run *run)
{
	ResourceOwnerRelease(run->owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(run->owner, RESOURCE_RELEASE_LOCKS, false, false);
	ResourceOwnerRelease(run->owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(run->owner);
}

static Run *
begin_run(SubTransactionId subid)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "iamwatch sorted events",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	ResourceOwner owner;
	Run		   *run = palloc0(sizeof(Run));

	run->subid = subid;
	run->context = context;
	run->desc = row_desc();
	run->owner = ResourceOwnerCreate(TopTransactionResourceOwner, "iamwatch sorted events");
	owner = use_owner(run->owner);
	run->sort = sorting_begin(run->desc, ORDER_COLUMNS, TUPLESORT_NONE);
	CurrentResourceOwner = owner;
	run->head = MakeSingleTupleTableSlot(run->desc, &TTSOpsVirtual);
	run->next = runs;
	runs = run;
	MemoryContextSwitchTo(outer);
	return run;
}

static Run *
run_of(SubTransactionId subid)
{
	for (Run *run = runs; run != NULL; run = run->next)
		if (run->reader == NULL && run->subid == subid)
			return run;
	return begin_run(subid);
}

static void
end_run(Run *run)
{
	for (Run **at = &runs; *at != NULL; at = &(*at)->next)
		if (*at == run)
		{
			*at = run->next;
			break;
		}
	drop_files(run);
	MemoryContextDelete(run->context);
}

void
batch_sort_add(PackedItem *const *items, int count)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "iamwatch row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < count; i++)
	{
		const PackedItem *item = items[i];
		Run		   *run = run_of(item_subid(item));
		ResourceOwner owner;

		ExecClearTuple(run->head);
		memset(run->head->tts_isnull, false, ROW_COLUMNS * sizeof(bool));
		run->head->tts_values[ROW_REJECTED - 1] = BoolGetDatum(item_is_rejected(item));
		run->head->tts_values[ROW_TIME - 1] = Int64GetDatum(item_time(item));
		run->head->tts_values[ROW_EVENT_ID - 1] = slice_text(item_event_id(item));
		run->head->tts_values[ROW_ITEM - 1] = PointerGetDatum(item);
		ExecStoreVirtualTuple(run->head);
		owner = use_owner(run->owner);
		tuplesort_puttupleslot(run->sort, run->head);
		CurrentResourceOwner = owner;
		ExecClearTuple(run->head);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(scratch);
}

bool
batch_sort_has_items(void)
{
	SubTransactionId current = GetCurrentSubTransactionId();

	for (Run *run = runs; run != NULL; run = run->next)
		if (run->reader == NULL && run->subid >= current)
			return true;
	return false;
}

/* Read the next row of a run, or end it.  The row outlives a piece. */
static void
advance(Run *run)
{
	MemoryContext outer = MemoryContextSwitchTo(run->context);
	ResourceOwner owner = use_owner(run->owner);
	bool		found = tuplesort_gettupleslot(run->sort, true, true, run->head, NULL);

	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(outer);
	if (!found)
		end_run(run);
}

BatchReader *
batch_sort_read(void)
{
	BatchReader *reader = MemoryContextAlloc(TopTransactionContext, sizeof(BatchReader));
	Run		   *next;

	reader->subid = GetCurrentSubTransactionId();
	for (Run *run = runs; run != NULL; run = next)
	{
		MemoryContext outer;
		ResourceOwner owner;

		next = run->next;
		if (run->reader != NULL || run->subid < reader->subid)
			continue;
		Assert(run->sort != NULL && run->head != NULL);
		run->reader = reader;
		outer = MemoryContextSwitchTo(run->context);
		ExecDropSingleTupleTableSlot(run->head);
		run->head = MakeSingleTupleTableSlot(run->desc, &TTSOpsMinimalTuple);
		MemoryContextSwitchTo(outer);
		owner = use_owner(run->owner);
		tuplesort_performsort(run->sort);
		CurrentResourceOwner = owner;
		advance(run);
	}
	return reader;
}

static Datum
column(Run *run, int n)
{
	bool		isnull;

	return slot_getattr(run->head, n, &isnull);
}

/* As batch.c compares items. */
static bool
comes_before(Run *a, Run *b)
{
	bool		a_rejected = DatumGetBool(column(a, ROW_REJECTED));
	int64		a_time = DatumGetInt64(column(a, ROW_TIME));
	int64		b_time = DatumGetInt64(column(b, ROW_TIME));
	bytea	   *a_id;
	bytea	   *b_id;

	if (a_rejected != DatumGetBool(column(b, ROW_REJECTED)))
		return !a_rejected;
	if (a_time != b_time)
		return a_time < b_time;
	a_id = DatumGetByteaPP(column(a, ROW_EVENT_ID));
	b_id = DatumGetByteaPP(column(b, ROW_EVENT_ID));
	return slice_compare((Slice) {VARDATA_ANY(a_id), (int) VARSIZE_ANY_EXHDR(a_id)},
						 (Slice) {VARDATA_ANY(b_id), (int) VARSIZE_ANY_EXHDR(b_id)}) < 0;
}

static Run *
earliest(const BatchReader *reader)
{
	Run		   *first = NULL;

	for (Run *run = runs; run != NULL; run = run->next)
		if (run->reader == reader && (first == NULL || comes_before(run, first)))
			first = run;
	return first;
}

BatchItem *
batch_sort_next(BatchReader *reader, Size bytes, int *count)
{
	Run		   *run;
	BatchItem  *items = NULL;
	int			capacity = 0;
	Size		used = 0;

	*count = 0;
	while (used < bytes && (run = earliest(reader)) != NULL)
	{
		bytea	   *row = DatumGetByteaPP(column(run, ROW_ITEM));

		if (*count == capacity)
		{
			capacity = Max(64, capacity * 2);
			items = items == NULL ? palloc(capacity * sizeof(BatchItem)) :
				repalloc_huge(items, capacity * sizeof(BatchItem));
		}
		item_unpack_bytea(row, &items[(*count)++]);
		used += sizeof(BatchItem) + VARSIZE_ANY(row);
		advance(run);
	}
	if (*count == 0)
		pfree(reader);
	return items;
}

void
batch_sort_forget(SubTransactionId subid)
{
	Run		   *next;

	for (Run *run = runs; run != NULL; run = next)
	{
		next = run->next;
		if (run->subid >= subid)
			end_run(run);
	}
}
