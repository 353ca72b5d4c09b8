/*-------------------------------------------------------------------------
 *
 * limit_counts.c
 *		Counts toward the limits of limits.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "detect/limit_counts.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "server/counter.h"
#include "server/objects.h"
#include "server/slice.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(iamwatch_count_limit);
PG_FUNCTION_INFO_V1(iamwatch_is_large_count);

/* Columns of iamwatch_internal.limit_counts, from 0. */
enum
{
	COUNTS_NAME, COUNTS_SCOPE, COUNTS_DAY, COUNTS_TAKEN, COUNTS_REFUSED, COUNTS_CHANGED_AT,
	COUNTS_ERA, COUNTS_LARGE, COUNTS_HIT, COUNTS_COLUMNS
};

typedef struct LimitCount
{
	text	   *name;
	text	   *scope;
	DateADT		day;
	int64		taken;
	int64		refused;
	bool	   *first_refused;	/* set: whether none was refused before */
} LimitCount;

static bool
text_is(TupleTableSlot *row, int column, text *value)
{
	bool		isnull;
	Datum		stored = slot_getattr(row, column + 1, &isnull);

	return slice_equal(slice_of_text(stored), slice_of_text(PointerGetDatum(value)));
}

/* The index has the hash of the scope; and a row that was changed since may be another one. */
static bool
is_counter(TupleTableSlot *row, const void *what)
{
	const LimitCount *count = what;
	bool		isnull;

	/* what is counted back was counted there, or at another's */
	if (count->taken < 0 && DatumGetInt64(slot_getattr(row, COUNTS_TAKEN + 1, &isnull)) < -count->taken)
		return false;
	return DatumGetDateADT(slot_getattr(row, COUNTS_DAY + 1, &isnull)) == count->day &&
		text_is(row, COUNTS_NAME, count->name) && text_is(row, COUNTS_SCOPE, count->scope);
}

static void
add_count(Datum *values, bool *nulls, bool is_new, const void *what)
{
	const LimitCount *count = what;
	int64		taken;
	int64		refused;

	if (is_new)
	{
		memset(nulls, false, COUNTS_COLUMNS * sizeof(bool));
		values[COUNTS_NAME] = PointerGetDatum(count->name);
		values[COUNTS_SCOPE] = PointerGetDatum(count->scope);
		values[COUNTS_DAY] = DateADTGetDatum(count->day);
		values[COUNTS_TAKEN] = values[COUNTS_REFUSED] = Int64GetDatum(0);
	}
	*count->first_refused = count->refused > 0 && DatumGetInt64(values[COUNTS_REFUSED]) == 0;
	taken = DatumGetInt64(values[COUNTS_TAKEN]) + count->taken;
	refused = DatumGetInt64(values[COUNTS_REFUSED]) + count->refused;
	values[COUNTS_TAKEN] = Int64GetDatum(taken);
	values[COUNTS_REFUSED] = Int64GetDatum(refused);
	values[COUNTS_CHANGED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[COUNTS_LARGE] = BoolGetDatum(taken >= LARGE_COUNT);
	values[COUNTS_HIT] = BoolGetDatum(refused > 0);
}

/* As limit_scope() of limits.sql. */
text *
limit_scope(const Event *event)
{
	const char *provider = provider_names[event->provider];

	return DatumGetTextPP(slice_text(slice_join(3, (Slice[]) {
		{provider, (int) strlen(provider)}, SLICE_LITERAL("/"), event->account
	})));
}

static void
say_first_refusal(const LimitCount *count)
{
	Slice		scope = slice_of_text(PointerGetDatum(count->scope));

	/* no client is told: its encoding may lack a character of the name, which is an error */
	ereport(LOG_SERVER_ONLY,
			(errmsg("limit \"%s\" of iamwatch is reached by \"%s\"",
					text_to_cstring(count->name),
					pnstrdup(scope.s, pg_mbcliplen(scope.s, scope.len, 200))),
			 errhint("See iamwatch.limits_hit.")));
}

bool
limit_count(text *name, text *scope, int32 day, int64 taken, int64 refused)
{
	bool		first_refused = false;
	LimitCount	count = {name, scope, day, taken, refused, &first_refused};
	ScanKeyData keys[3];
	Counter		counter = {
		.table = internal_relation("limit_counts"), .index = internal_relation("limit_counts_scope"),
		.nkeys = lengthof(keys), .keys = keys, .ncolumns = COUNTS_COLUMNS, .era = COUNTS_ERA,
		.only_existing = count.taken < 0, .is_it = is_counter, .add = add_count
	};
	bool		inserted;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) slice_hash(slice_of_text(PointerGetDatum(count.scope)), 0)));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, PointerGetDatum(count.name));
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(count.day));
	inserted = counter_add(&counter, &count);
	if (first_refused)
		say_first_refusal(&count);
	return inserted;
}

/*
 * count_limit(limit_name text, in_scope text, on_day date, more_taken bigint,
 * more_refused bigint) RETURNS boolean
 */
Datum
iamwatch_count_limit(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(limit_count(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1), PG_GETARG_DATEADT(2),
							   PG_GETARG_INT64(3), PG_GETARG_INT64(4)));
}

/* is_large_count(taken bigint) RETURNS boolean */
Datum
iamwatch_is_large_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_INT64(0) >= LARGE_COUNT);
}
