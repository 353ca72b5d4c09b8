/*-------------------------------------------------------------------------
 *
 * status.c
 *		What this backend has done, for people who look.
 *
 * An event that teaches nothing is counted in two integers of this backend
 * and nowhere else.  What became of the others is written with what they
 * taught, one row a source, so it rolls back with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "known.h"
#include "plans.h"
#include "status.h"
#include "utils/array.h"
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

NewsCounts	news_counts = {0, 0};

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
status_count(SourceCounts *counts, const News *news, Outcome outcome)
{
	SourceCount *item = find_source(counts, news->source);

	if (outcome == OUTCOME_REJECTED)
		item->rejected++;
	else
		item->newest = Max(item->newest, news->event.time);
	if (outcome == OUTCOME_LEARNED)
		item->learned++;
	else if (outcome == OUTCOME_LATE)
		item->late += 1 + news->repeats;
}

void
status_write(const SourceCounts *counts)
{
	Datum	   *columns[5];
	bool	   *no_time = palloc0(counts->count * sizeof(bool) + 1);
	int			n = 0;
	int			lower = 1;

	/* the objects of an earlier version may not have been updated yet */
	if (!OidIsValid(get_relname_relid("source_counts", get_namespace_oid("iamwatch", false))))
		return;
	for (int i = 0; i < lengthof(columns); i++)
		columns[i] = palloc(counts->count * sizeof(Datum) + 1);
	for (int i = 0; i < counts->count; i++)
	{
		const SourceCount *item = &counts->items[i];

		if (item->learned == 0 && item->late == 0 && item->rejected == 0)
			continue;
		columns[0][n] = ObjectIdGetDatum(item->source);
		columns[1][n] = TimestampTzGetDatum(item->newest);
		no_time[n] = item->newest == PG_INT64_MIN;
		columns[2][n] = Int64GetDatum(item->learned);
		columns[3][n] = Int64GetDatum(item->late);
		columns[4][n] = Int64GetDatum(item->rejected);
		n++;
	}
	if (n == 0)
		return;
	plans_run(PLAN_COUNT_SOURCES, (Datum[])
			  {
				  PointerGetDatum(construct_array(columns[0], n, OIDOID, sizeof(Oid), true,
												  TYPALIGN_INT)),
				  PointerGetDatum(construct_md_array(columns[1], no_time, 1, &n, &lower,
													 TIMESTAMPTZOID, sizeof(TimestampTz),
													 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
				  PointerGetDatum(construct_array(columns[2], n, INT8OID, sizeof(int64),
												  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
				  PointerGetDatum(construct_array(columns[3], n, INT8OID, sizeof(int64),
												  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
				  PointerGetDatum(construct_array(columns[4], n, INT8OID, sizeof(int64),
												  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE))
			  }, NULL);
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
	KnownSize	size = known_size();

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record")));
	values[0] = Int64GetDatum(size.entries);
	values[1] = Int64GetDatum(size.accounts);
	values[2] = Int64GetDatum(size.bytes);
	values[3] = Int64GetDatum(news_counts.asked);
	values[4] = Int64GetDatum(news_counts.known);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
