/*-------------------------------------------------------------------------
 *
 * dayset_ops.c
 *		Operators, accessors and casts of sets of days.
 *
 * What SQL calls; the algebra itself is in dayset.c.  Must never change an
 * argument.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/dayset.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/date.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"

PG_FUNCTION_INFO_V1(dayset_or);
PG_FUNCTION_INFO_V1(dayset_and);
PG_FUNCTION_INFO_V1(dayset_minus);
PG_FUNCTION_INFO_V1(dayset_contains);
PG_FUNCTION_INFO_V1(dayset_contains_day);
PG_FUNCTION_INFO_V1(dayset_eq);
PG_FUNCTION_INFO_V1(dayset_ne);
PG_FUNCTION_INFO_V1(dayset_lt);
PG_FUNCTION_INFO_V1(dayset_le);
PG_FUNCTION_INFO_V1(dayset_ge);
PG_FUNCTION_INFO_V1(dayset_gt);
PG_FUNCTION_INFO_V1(dayset_cmp);
PG_FUNCTION_INFO_V1(dayset_hash);
PG_FUNCTION_INFO_V1(dayset_hash_extended);
PG_FUNCTION_INFO_V1(dayset_days);
PG_FUNCTION_INFO_V1(dayset_count_days);
PG_FUNCTION_INFO_V1(dayset_first_day);
PG_FUNCTION_INFO_V1(dayset_last_day);
PG_FUNCTION_INFO_V1(dayset_from_dates);
PG_FUNCTION_INFO_V1(dayset_to_multirange);
PG_FUNCTION_INFO_V1(dayset_from_multirange);

typedef void (*Combination) (DayRuns *, const DayRuns *, const DayRuns *);

static Datum
combine(FunctionCallInfo fcinfo, Combination operation)
{
	DayRuns		a,
				b,
				both;

	PG_GETARG_DAYRUNS(0, &a);
	PG_GETARG_DAYRUNS(1, &b);
	dayruns_init(&both);
	operation(&both, &a, &b);
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&both));
}

Datum
dayset_or(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, dayruns_union);
}

Datum
dayset_and(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, dayruns_intersect);
}

Datum
dayset_minus(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, dayruns_subtract);
}

Datum
dayset_contains(PG_FUNCTION_ARGS)
{
	DayRuns		a,
				b;

	PG_GETARG_DAYRUNS(0, &a);
	PG_GETARG_DAYRUNS(1, &b);
	PG_RETURN_BOOL(dayruns_difference_of(&b, &a).n == 0);
}

Datum
dayset_contains_day(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	PG_GETARG_DAYRUNS(0, &set);
	PG_RETURN_BOOL(dayruns_contains(&set, PG_GETARG_DATEADT(1)));
}

static int
compare(FunctionCallInfo fcinfo)
{
	DayRuns		a,
				b;

	PG_GETARG_DAYRUNS(0, &a);
	PG_GETARG_DAYRUNS(1, &b);
	return dayruns_compare(&a, &b);
}

#define COMPARISON(name, operator) \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(compare(fcinfo) operator 0); \
}

COMPARISON(dayset_eq, ==)
COMPARISON(dayset_ne, !=)
COMPARISON(dayset_lt, <)
COMPARISON(dayset_le, <=)
COMPARISON(dayset_ge, >=)
COMPARISON(dayset_gt, >)

Datum
dayset_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

Datum
dayset_hash(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	PG_GETARG_DAYRUNS(0, &set);
	PG_RETURN_UINT32(hash_bytes((unsigned char *) set.runs, set.n * sizeof(DayRun)));
}

Datum
dayset_hash_extended(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	PG_GETARG_DAYRUNS(0, &set);
	PG_RETURN_UINT64(hash_bytes_extended((unsigned char *) set.runs, set.n * sizeof(DayRun),
										 PG_GETARG_INT64(1)));
}

typedef struct DaysScan
{
	DayRuns		set;
	int			run;
	int32		next;
} DaysScan;

/* days(dayset) RETURNS SETOF date, a day a call */
Datum
dayset_days(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	DaysScan   *scan;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext outer;

		funcctx = SRF_FIRSTCALL_INIT();
		outer = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		scan = palloc0(sizeof(DaysScan));
		PG_GETARG_DAYRUNS(0, &scan->set);
		if (scan->set.n > 0)
			scan->next = scan->set.runs[0].lo;
		funcctx->user_fctx = scan;
		MemoryContextSwitchTo(outer);
	}
	funcctx = SRF_PERCALL_SETUP();
	scan = funcctx->user_fctx;
	if (scan->run < scan->set.n)
	{
		int32		day = scan->next;

		if (day < scan->set.runs[scan->run].hi)
			scan->next++;
		else if (++scan->run < scan->set.n)
			scan->next = scan->set.runs[scan->run].lo;
		SRF_RETURN_NEXT(funcctx, DateADTGetDatum(day));
	}
	SRF_RETURN_DONE(funcctx);
}

/* count_days(dayset [, date, date]): infinite dates mean no bound */
Datum
dayset_count_days(PG_FUNCTION_ARGS)
{
	DayRuns		set;
	int32		from = PG_NARGS() > 1 ? PG_GETARG_DATEADT(1) : DATEVAL_NOBEGIN;
	int32		to = PG_NARGS() > 1 ? PG_GETARG_DATEADT(2) : DATEVAL_NOEND;

	PG_GETARG_DAYRUNS(0, &set);
	PG_RETURN_INT32((int32) dayruns_count(&set, from, to));
}

Datum
dayset_first_day(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	PG_GETARG_DAYRUNS(0, &set);
	if (set.n == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(set.runs[0].lo);
}

Datum
dayset_last_day(PG_FUNCTION_ARGS)
{
	DayRuns		set;

	PG_GETARG_DAYRUNS(0, &set);
	if (set.n == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(set.runs[set.n - 1].hi);
}

static Datum
make_dayset(DateADT from, DateADT to)
{
	DayRuns		set;

	if (DATE_NOT_FINITE(from) || DATE_NOT_FINITE(to))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a dayset cannot hold infinite dates")));
	dayruns_init(&set);
	if (from <= to)
		dayruns_add(&set, from, to);
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&set));
}

/* dayset(date [, date]): both ends included, empty if reversed */
Datum
dayset_from_dates(PG_FUNCTION_ARGS)
{
	return make_dayset(PG_GETARG_DATEADT(0), PG_GETARG_DATEADT(PG_NARGS() - 1));
}

Datum
dayset_to_multirange(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *type = lookup_type_cache(DATERANGEOID, TYPECACHE_RANGE_INFO);
	DayRuns		set;
	RangeType **ranges;

	PG_GETARG_DAYRUNS(0, &set);
	ranges = palloc(Max(1, set.n) * sizeof(RangeType *));
	for (int i = 0; i < set.n; i++)
	{
		RangeBound	lower = {DateADTGetDatum(set.runs[i].lo), false, true, true};
		RangeBound	upper = {DateADTGetDatum(set.runs[i].hi + 1), false, false, false};

		/* a range of dates ends before a day */
		if (!IS_VALID_DATE(set.runs[i].hi + 1))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("a range of dates cannot hold the last possible day"),
					 errhint("Take that day out of the dayset first.")));
		ranges[i] = range_of(type, &lower, &upper);
	}
	PG_RETURN_MULTIRANGE_P(make_multirange(DATEMULTIRANGEOID, type, set.n, ranges));
}

Datum
dayset_from_multirange(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *type = lookup_type_cache(DATERANGEOID, TYPECACHE_RANGE_INFO);
	int32		count;
	RangeType **ranges;
	DayRuns		set;

	multirange_deserialize(type, PG_GETARG_MULTIRANGE_P(0), &count, &ranges);
	dayruns_init(&set);
	for (int i = 0; i < count; i++)
	{
		RangeBound	lower,
					upper;
		bool		empty;

		range_deserialize(type, ranges[i], &lower, &upper, &empty);
		if (lower.infinite || upper.infinite ||
			DATE_NOT_FINITE(DatumGetDateADT(lower.val)) ||
			DATE_NOT_FINITE(DatumGetDateADT(upper.val)))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("a dayset cannot hold an unbounded range of dates"),
					 errhint("Intersect the multirange with a bounded range first.")));
		dayruns_add(&set, DatumGetDateADT(lower.val), DatumGetDateADT(upper.val) - 1);
	}
	PG_RETURN_DAYSET_P(dayruns_to_dayset(&set));
}
