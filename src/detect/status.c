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

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "baseline/baseline_cache.h"
#include "server/plans.h"
#include "detect/status.h"
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

CacheCounts	cache_counts = {0, 0};

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

void
status_write(const SourceCounts *counts)
{
	for (int i = 0; i < counts->count; i++)
	{
		const SourceCount *item = &counts->items[i];
		Datum		values[] = {
			ObjectIdGetDatum(item->source), TimestampTzGetDatum(item->newest),
			Int64GetDatum(item->learned), Int64GetDatum(item->late), Int64GetDatum(item->rejected)
		};
		const char *nulls = item->newest == PG_INT64_MIN ? " n   " : "     ";

		if (item->learned == 0 && item->late == 0 && item->rejected == 0)
			continue;

		/* with a fixed snapshot, a row that others have changed is an error */
		if (!IsolationUsesXactSnapshot())
		{
			plans_run(PLAN_COUNT_BATCH, values, nulls);
			if (SPI_processed > 0)
				continue;
		}
		plans_run(PLAN_ADD_BATCH_COUNTS, values, nulls);
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
