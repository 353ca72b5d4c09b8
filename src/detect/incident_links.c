/*-------------------------------------------------------------------------
 *
 * incident_links.c
 *		Which incidents an incident led to, or came from, for a list of many.
 *
 * Owns what is asked of kept_links for each line of such a list: by index, from
 * tables that stay open as long as the statement, since to open them for each
 * line takes as long as to look.  Links that are not kept yet the statement has
 * found, and hands over.  Must never write, nor tell anybody what they could not
 * read by a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "baseline/stored.h"
#include "baseline/stored_scan.h"
#include "catalog/pg_type.h"
#include "detect/incident_columns.h"
#include "detect/incidents.h"
#include "detect/moment.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(iamwatch_linked_incidents);

/* Columns of kept_links; and of its indexes, of which each begins with the other end. */
enum
{
	LINK_FROM = 1, LINK_TO
};
enum
{
	LINKS_THIS_END = 1, LINKS_OTHER_END
};

typedef struct FreshLink
{
	int64		this_end;
	int64		other_end;
} FreshLink;

/* What holds for all lines of a statement. */
typedef struct LinkMemory
{
	MemoryContext context;
	Moment		moment;
	bool		forward;		/* to what an incident led */
	bool		links_done;		/* some are kept: of incidents kept by
								 * transactions before this one */
	FullTransactionId before;
	bool		has_changed;	/* some incidents are behind their alerts */
	FreshLink  *fresh;			/* in order */
	int			fresh_count;
	int64	   *recent;			/* incidents that were kept since, whose links
								 * are among the fresh; in order */
	int			recent_count;
	StoredTables *tables;
	Datum	   *found;
	int			capacity;
} LinkMemory;

static int
compare_numbers(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static int
compare_fresh(const void *a, const void *b)
{
	return compare_numbers(&((const FreshLink *) a)->this_end, &((const FreshLink *) b)->this_end);
}

static void
remember_fresh(LinkMemory *memory, ArrayType *links)
{
	Datum	   *rows;
	bool	   *nulls;
	int			count;

	deconstruct_array(links, ARR_ELEMTYPE(links), -1, false, TYPALIGN_DOUBLE, &rows, &nulls, &count);
	memory->fresh = palloc(Max(count, 1) * sizeof(FreshLink));
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader row;
		bool		has_no_end[2];
		int64		from;
		int64		to;

		if (nulls[i])
			continue;
		row = DatumGetHeapTupleHeader(rows[i]);
		from = DatumGetInt64(GetAttributeByNum(row, LINK_FROM, &has_no_end[0]));
		to = DatumGetInt64(GetAttributeByNum(row, LINK_TO, &has_no_end[1]));
		if (!has_no_end[0] && !has_no_end[1])
			memory->fresh[memory->fresh_count++] = memory->forward ? (FreshLink) {from, to} : (FreshLink) {to, from};
	}
	qsort(memory->fresh, memory->fresh_count, sizeof(FreshLink), compare_fresh);
}

static void
remember_recent(LinkMemory *memory)
{
	ScanKeyData key;
	IndexScanDesc scan;
	TupleTableSlot *row;
	int			capacity = 64;

	memory->recent = palloc(capacity * sizeof(int64));
	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_XID8GE, FullTransactionIdGetDatum(memory->before));
	stored_begin_to_read(GetActiveSnapshot());
	scan = scan_begin(LOOKUP_INCIDENTS_SINCE, &key, 1);
	while ((row = scan_next(LOOKUP_INCIDENTS_SINCE, scan)) != NULL)
	{
		if (memory->recent_count == capacity)
			memory->recent = repalloc_huge(memory->recent, (capacity *= 2) * sizeof(int64));
		memory->recent[memory->recent_count++] = DatumGetInt64(scan_value(row, KEPT_INCIDENT_ID));
	}
	scan_end(LOOKUP_INCIDENTS_SINCE, scan);
	stored_end();
	qsort(memory->recent, memory->recent_count, sizeof(int64), compare_numbers);
}

/* Arguments from the second on, but for the third, are of the statement. */
static LinkMemory *
memory_of(FunctionCallInfo fcinfo)
{
	LinkMemory *memory = fcinfo->flinfo->fn_extra;
	bool		links_done = !PG_ARGISNULL(3);
	FullTransactionId before = links_done ? PG_GETARG_FULLTRANSACTIONID(3) : InvalidFullTransactionId;
	MemoryContext context;
	MemoryContext caller;

	if (memory != NULL && moment_is_now(&memory->moment) && memory->forward == PG_GETARG_BOOL(1) &&
		FullTransactionIdEquals(memory->before, before) && memory->has_changed == PG_GETARG_BOOL(4))
		return memory;
	if (memory != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(memory->context);
	}
	incidents_check_access();
	context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "iamwatch links", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	memory = palloc0(sizeof(LinkMemory));
	memory->context = context;
	memory->moment = moment_now();
	memory->forward = PG_GETARG_BOOL(1);
	memory->links_done = links_done;
	memory->before = before;
	memory->has_changed = PG_GETARG_BOOL(4);
	if (!PG_ARGISNULL(5))
		remember_fresh(memory, PG_GETARG_ARRAYTYPE_P(5));
	if (links_done)
		remember_recent(memory);
	memory->tables = stored_tables_create(context, InvalidOid);
	memory->capacity = 16;
	memory->found = palloc(memory->capacity * sizeof(Datum));
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = memory;
	return memory;
}

/* Are the links of an incident rows of kept_links: is it there, kept before, and not behind? */
static bool
links_are_kept(const LinkMemory *memory, int64 incident_id)
{
	ScanKeyData key;
	IndexScanDesc scan;
	bool		kept;

	if (bsearch(&incident_id, memory->recent, memory->recent_count, sizeof(int64), compare_numbers) != NULL)
		return false;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(incident_id));
	scan = scan_begin_entries(LOOKUP_INCIDENT_NUMBERS, &key, 1);
	kept = false;
	while (!kept && scan != NULL && scan_next_entry(scan, ForwardScanDirection))
		kept = incidents_entry_counts(LOOKUP_INCIDENT_NUMBERS, scan, memory->has_changed);
	scan_end(LOOKUP_INCIDENT_NUMBERS, scan);
	return kept;
}

static void
add_found(LinkMemory *memory, int *count, int64 incident_id)
{
	if (*count == memory->capacity)
		memory->found = repalloc_huge(memory->found, (memory->capacity *= 2) * sizeof(Datum));
	memory->found[(*count)++] = Int64GetDatum(incident_id);
}

static void
find_kept(LinkMemory *memory, int64 incident_id, int *count)
{
	Lookup		lookup = memory->forward ? LOOKUP_LINKS_FROM : LOOKUP_LINKS_TO;
	ScanKeyData key;
	IndexScanDesc scan;

	ScanKeyInit(&key, LINKS_THIS_END, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(incident_id));
	stored_begin_reading(memory->tables, GetActiveSnapshot());
	scan = scan_begin_entries(lookup, &key, 1);
	while (scan != NULL && scan_next_entry(scan, ForwardScanDirection))
	{
		int64		other = DatumGetInt64(scan_entry_value(scan, LINKS_OTHER_END));

		if (scan_entry_is_seen(lookup, scan) && links_are_kept(memory, other))
			add_found(memory, count, other);
	}
	scan_end(lookup, scan);
	stored_end();
}

static void
find_fresh(LinkMemory *memory, int64 incident_id, int *count)
{
	int			low = 0;
	int			high = memory->fresh_count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (memory->fresh[middle].this_end < incident_id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < memory->fresh_count && memory->fresh[low].this_end == incident_id; low++)
		add_found(memory, count, memory->fresh[low].other_end);
}

static int
compare_found(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return (x > y) - (x < y);
}

/*
 * linked_incidents(of_incident bigint, forward boolean, kept_by xid8, before
 * xid8, has_changed boolean, fresh iamwatch_internal.kept_links[]) RETURNS bigint[]
 */
Datum
iamwatch_linked_incidents(PG_FUNCTION_ARGS)
{
	LinkMemory *memory;
	int			count = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	memory = memory_of(fcinfo);
	if (memory->links_done && !PG_ARGISNULL(2) &&
		FullTransactionIdPrecedes(PG_GETARG_FULLTRANSACTIONID(2), memory->before))
		find_kept(memory, PG_GETARG_INT64(0), &count);
	find_fresh(memory, PG_GETARG_INT64(0), &count);
	if (count > 1)
		qsort(memory->found, count, sizeof(Datum), compare_found);
	PG_RETURN_ARRAYTYPE_P(construct_array(memory->found, count, INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
