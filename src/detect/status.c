/*-------------------------------------------------------------------------
 *
 * status.c
 *		What this backend has done, for people who look.
 *
 * An event that teaches nothing is counted in two integers of this backend
 * and nowhere else.  What became of the others is written with what they
 * taught, to iamwatch_internal.source_counts, so it rolls back with it.  Must never wait
 * for another session that counts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "baseline/baseline_cache.h"
#include "catalog/partition.h"
#include "detect/status.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/counter.h"
#include "server/objects.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_cache_status);

typedef struct SourceCount
{
	Oid			source;
	TimestampTz newest;			/* PG_INT64_MIN without a readable event */
	int64		learned;
	int64		late;
	int64		rejected;
} SourceCount;

struct SourceCounts
{
	SourceCount *items;
	int			count;
	int			capacity;
};

CacheCounts cache_counts = {0, 0};

SourceCounts *
status_begin(void)
{
	SourceCounts *counts = palloc0(sizeof(SourceCounts));

	counts->capacity = 8;
	counts->items = palloc(counts->capacity * sizeof(SourceCount));
	return counts;
}

/* From the last: a statement loads one partition after the other. */
static SourceCount *
find_source(SourceCounts *counts, Oid source)
{
	SourceCount *item;

	for (int i = counts->count - 1; i >= 0; i--)
		if (counts->items[i].source == source)
			return &counts->items[i];
	if (counts->count == counts->capacity)
	{
		counts->capacity *= 2;
		counts->items = repalloc(counts->items, counts->capacity * sizeof(SourceCount));
	}
	item = &counts->items[counts->count++];
	memset(item, 0, sizeof(*item));
	item->source = source;
	item->newest = PG_INT64_MIN;
	return item;
}

static bool
is_watched(Relation sources, Oid index, Oid relid)
{
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(sources, index, true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	return found;
}

/* The source that a relation is, or is a partition of; else the relation. */
static Oid
watched_source(Oid relid)
{
	Relation	sources = table_open(public_relation("sources"), AccessShareLock);
	Oid			index = public_relation("sources_pkey");
	Oid			found = relid;

	if (!is_watched(sources, index, relid) && get_rel_relispartition(relid))
	{
		List	   *ancestors = get_partition_ancestors(relid);
		ListCell   *cell;

		foreach(cell, ancestors)
		{
			if (!is_watched(sources, index, lfirst_oid(cell)))
				continue;
			found = lfirst_oid(cell);
			break;
		}
		list_free(ancestors);
	}
	table_close(sources, AccessShareLock);
	return found;
}

void
status_count(SourceCounts *counts, const BatchItem *what, Outcome outcome)
{
	SourceCount *item = find_source(counts, what->source);

	if (outcome == OUTCOME_REJECTED)
		item->rejected++;
	else
		item->newest = Max(item->newest, what->event.time);
	if (outcome == OUTCOME_LEARNED)
		item->learned++;
	else if (outcome == OUTCOME_LATE)
		item->late += 1 + what->repeats;
}

/* Columns of iamwatch_internal.source_counts, from 0. */
enum
{
	COUNTS_SOURCE, COUNTS_RELATION, COUNTS_NEWEST_EVENT_TIME, COUNTS_COUNTED_AT, COUNTS_LAG,
	COUNTS_LEARNED, COUNTS_LATE, COUNTS_REJECTED, COUNTS_ROWS_DETACHED, COUNTS_QUIET,
	COUNTS_ERA, COUNTS_COLUMNS
};

/* What came of a source by way of a relation: itself or a partition of it. */
typedef struct CountedSource
{
	Oid			source;
	const SourceCount *count;
} CountedSource;

static bool
is_counter(TupleTableSlot *row, const void *what)
{
	const CountedSource *counted = what;
	bool		isnull;

	return DatumGetObjectId(slot_getattr(row, COUNTS_SOURCE + 1, &isnull)) == counted->source &&
		DatumGetObjectId(slot_getattr(row, COUNTS_RELATION + 1, &isnull)) == counted->count->source;
}

static void
add_to(Datum *value, int64 more)
{
	*value = Int64GetDatum(DatumGetInt64(*value) + more);
}

static void
add_counts(Datum *values, bool *nulls, bool is_new, const void *what)
{
	const CountedSource *counted = what;
	const SourceCount *count = counted->count;
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());

	if (is_new)
	{
		values[COUNTS_SOURCE] = ObjectIdGetDatum(counted->source);
		values[COUNTS_RELATION] = ObjectIdGetDatum(count->source);
		values[COUNTS_QUIET] = BoolGetDatum(false);
		values[COUNTS_LEARNED] = values[COUNTS_LATE] = values[COUNTS_REJECTED] = Int64GetDatum(0);
		memset(nulls, false, COUNTS_COLUMNS * sizeof(bool));
		nulls[COUNTS_NEWEST_EVENT_TIME] = nulls[COUNTS_LAG] = nulls[COUNTS_ROWS_DETACHED] = true;
	}
	values[COUNTS_COUNTED_AT] = now;
	nulls[COUNTS_COUNTED_AT] = false;
	if (count->newest != PG_INT64_MIN)
	{
		if (nulls[COUNTS_NEWEST_EVENT_TIME] ||
			DatumGetTimestampTz(values[COUNTS_NEWEST_EVENT_TIME]) < count->newest)
			values[COUNTS_NEWEST_EVENT_TIME] = TimestampTzGetDatum(count->newest);
		values[COUNTS_LAG] = DirectFunctionCall2(timestamp_mi, now,
												 TimestampTzGetDatum(count->newest));
		nulls[COUNTS_NEWEST_EVENT_TIME] = nulls[COUNTS_LAG] = false;
	}
	add_to(&values[COUNTS_LEARNED], count->learned);
	add_to(&values[COUNTS_LATE], count->late);
	add_to(&values[COUNTS_REJECTED], count->rejected);
}

void
status_write(const SourceCounts *counts)
{
	ScanKeyData key;
	Counter		counter = {
		.nkeys = 1, .keys = &key, .ncolumns = COUNTS_COLUMNS, .era = COUNTS_ERA,
		.is_it = is_counter, .add = add_counts
	};

	for (int i = 0; i < counts->count; i++)
	{
		const SourceCount *item = &counts->items[i];
		CountedSource counted = {.count = item};

		if (item->learned == 0 && item->late == 0 && item->rejected == 0)
			continue;
		counter.table = internal_relation("source_counts");
		counter.index = internal_relation("source_counts_source");
		counted.source = watched_source(item->source);
		ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(counted.source));
		(void) counter_add(&counter, &counted);
	}
}

/*
 * cache_status(OUT entries bigint, OUT accounts bigint, OUT bytes bigint,
 * OUT asked bigint, OUT hits bigint): of this session.
 */
Datum
iamwatch_cache_status(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};
	CacheSize	size = cache_size();

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record")));
	values[0] = Int64GetDatum(size.entries);
	values[1] = Int64GetDatum(size.accounts);
	values[2] = Int64GetDatum(size.bytes);
	values[3] = Int64GetDatum(cache_counts.asked);
	values[4] = Int64GetDatum(cache_counts.known);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
