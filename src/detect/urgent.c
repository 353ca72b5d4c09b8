/*-------------------------------------------------------------------------
 *
 * urgent.c
 *		Which of many incidents are urgent, all of them at once.
 *
 * An incident is urgent if fewer than so many of those that began in the 28
 * days before it have a higher risk.  Where incidents are stored, an index tells
 * that of each (iamwatch_internal.is_urgent()).  Those of several nodes are stored
 * nowhere together, so here they are counted as they come by: in order of time,
 * with a tree of counts by risk over those of the last 28 days.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "detect/incidents.h"
#include "detect/urgent.h"
#include "fmgr.h"
#include "lib/qunique.h"
#include "server/given.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_urgent_among);

#define LOOKS_BACK (URGENT_DAYS * USECS_PER_DAY)

typedef struct DatedRisk
{
	TimestampTz began;
	double		risk;
	int			place;			/* in the arrays that were given */
	int			rank;			/* of the risk among all, from 1 */
} DatedRisk;

static int
compare_risks(const void *a, const void *b)
{
	return float8_cmp_internal(*(const double *) a, *(const double *) b);
}

static int
compare_times(const void *a, const void *b)
{
	TimestampTz x = ((const DatedRisk *) a)->began;
	TimestampTz y = ((const DatedRisk *) b)->began;

	return (x > y) - (x < y);
}

/* A Fenwick tree: counts[i] is the sum over the (i & -i) ranks that end with i. */
static void
add(int *counts, int n, int rank, int change)
{
	for (; rank <= n; rank += rank & -rank)
		counts[rank] += change;
}

static int
sum_to(const int *counts, int rank)
{
	int			sum = 0;

	for (; rank > 0; rank -= rank & -rank)
		sum += counts[rank];
	return sum;
}

static int
rank_of(double risk, const double *risks, int n)
{
	const double *found = bsearch(&risk, risks, n, sizeof(double), compare_risks);

	Assert(found != NULL);
	return found - risks + 1;
}

void
urgent_among(const TimestampTz *began, const double *all_risks, int n, int64 most, bool *urgent)
{
	DatedRisk  *items = palloc_extended(Max(n, 1) * sizeof(DatedRisk), MCXT_ALLOC_HUGE);
	double	   *risks = palloc_extended(Max(n, 1) * sizeof(double), MCXT_ALLOC_HUGE);
	int			risk_count;
	int		   *counts;
	int			in = 0;			/* up to here they began before this one */
	int			out = 0;		/* up to here too long before */

	for (int i = 0; i < n; i++)
	{
		items[i] = (DatedRisk) {began[i], all_risks[i], i, 0};
		risks[i] = all_risks[i];
	}
	qsort(risks, n, sizeof(double), compare_risks);
	risk_count = qunique(risks, n, sizeof(double), compare_risks);
	qsort(items, n, sizeof(DatedRisk), compare_times);
	counts = palloc_extended((risk_count + 1) * sizeof(int), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < n; i++)
	{
		TimestampTz since;

		items[i].rank = rank_of(items[i].risk, risks, risk_count);
		if (pg_sub_s64_overflow(items[i].began, LOOKS_BACK, &since))
			since = PG_INT64_MIN;
		for (; items[in].began < items[i].began; in++)
			add(counts, risk_count, items[in].rank, 1);
		for (; out < in && items[out].began < since; out++)
			add(counts, risk_count, items[out].rank, -1);
		urgent[items[i].place] = in - out - sum_to(counts, items[i].rank) < most;
	}
	pfree(items);
	pfree(risks);
	pfree(counts);
}

/* urgent_among(began timestamptz[], risks float8[], most bigint) RETURNS boolean[] */
Datum
iamwatch_urgent_among(PG_FUNCTION_ARGS)
{
	Datum	   *times;
	Datum	   *values;
	bool	   *time_nulls;
	bool	   *value_nulls;
	int			n;
	int			value_count;
	TimestampTz *began;
	double	   *risks;
	bool	   *urgent;
	Datum	   *result;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &times, &time_nulls, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &value_nulls, &value_count);
	if (value_count != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d times, but %d risks", n, value_count)));
	began = palloc_extended(Max(n, 1) * sizeof(TimestampTz), MCXT_ALLOC_HUGE);
	risks = palloc_extended(Max(n, 1) * sizeof(double), MCXT_ALLOC_HUGE);
	urgent = palloc_extended(Max(n, 1) * sizeof(bool), MCXT_ALLOC_HUGE);
	result = palloc_extended(Max(n, 1) * sizeof(Datum), MCXT_ALLOC_HUGE);
	for (int i = 0; i < n; i++)
	{
		if (time_nulls[i] || value_nulls[i])
			refuse_null("times and risks of incidents");
		began[i] = DatumGetTimestampTz(times[i]);
		risks[i] = DatumGetFloat8(values[i]);
	}
	urgent_among(began, risks, n, PG_GETARG_INT64(2), urgent);
	for (int i = 0; i < n; i++)
		result[i] = BoolGetDatum(urgent[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(result, n, BOOLOID, 1, true, TYPALIGN_CHAR));
}
