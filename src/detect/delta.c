/*-------------------------------------------------------------------------
 *
 * delta.c
 *		What was learned of an account, as rows of the journal have it.
 *
 * Must never look at a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "baseline/stored_columns.h"
#include "detect/delta.h"
#include "funcapi.h"
#include "server/column.h"
#include "server/composite.h"
#include "server/objects.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

void
deltas_add(Deltas *deltas, const Delta *delta)
{
	if (deltas->count == deltas->capacity)
	{
		deltas->capacity = Max(4, deltas->capacity * 2);
		deltas->items = deltas->items == NULL ? palloc(deltas->capacity * sizeof(Delta)) :
			repalloc_huge(deltas->items, deltas->capacity * sizeof(Delta));
	}
	deltas->items[deltas->count++] = *delta;
}

static Slice
text_column(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? SLICE_NONE : slice_of_text(values[column - 1]);
}

static void
read_delta(Delta *delta, const Datum *values, const bool *nulls)
{
	delta->identity = text_column(values, nulls, JOURNAL_IDENTITY);
	delta->service = text_column(values, nulls, JOURNAL_SERVICE);
	delta->operation = text_column(values, nulls, JOURNAL_OPERATION);
	delta->failed = !nulls[JOURNAL_FAILED - 1] && DatumGetBool(values[JOURNAL_FAILED - 1]);
	delta->kinds = nulls[JOURNAL_KINDS - 1] ? 0 : DatumGetInt32(values[JOURNAL_KINDS - 1]);
	delta->first = nulls[JOURNAL_FIRST_EVENT_TIME - 1] ? PG_INT64_MAX :
		DatumGetTimestampTz(values[JOURNAL_FIRST_EVENT_TIME - 1]);
	delta->late = nulls[JOURNAL_LATE_EVENTS - 1] ? 0 : DatumGetInt64(values[JOURNAL_LATE_EVENTS - 1]);
	if (nulls[JOURNAL_DAYS - 1])
		dayruns_init(&delta->days);
	else
		dayruns_from_datum(values[JOURNAL_DAYS - 1], &delta->days);
}

void
deltas_add_array(Deltas *deltas, Datum array)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(internal_type("journal"), -1);
	Datum		values[JOURNAL_COLUMNS];
	bool		nulls[JOURNAL_COLUMNS];
	Datum	   *rows;
	bool	   *missing;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), desc->tdtypeid, -1, false, TYPALIGN_DOUBLE,
					  &rows, &missing, &count);
	for (int i = 0; i < count; i++)
	{
		Delta		delta;

		if (missing[i])
			continue;
		composite_read(DatumGetHeapTupleHeader(rows[i]), JOURNAL_COLUMNS, values, nulls);
		read_delta(&delta, values, nulls);
		deltas_add(deltas, &delta);
	}
	ReleaseTupleDesc(desc);
}

static void
set_text(Datum *values, bool *nulls, int column, Slice slice)
{
	nulls[column - 1] = slice.s == NULL;
	if (slice.s != NULL)
		values[column - 1] = slice_text(slice);
}

static Datum
delta_row(const Deltas *deltas, const Delta *delta, TupleDesc desc)
{
	Datum		values[JOURNAL_COLUMNS] = {0};
	bool		nulls[JOURNAL_COLUMNS] = {false};

	values[JOURNAL_PROVIDER - 1] = CStringGetTextDatum(deltas->provider);
	values[JOURNAL_ACCOUNT - 1] = slice_text(deltas->account);
	values[JOURNAL_FIRST_EVENT_TIME - 1] = TimestampTzGetDatum(delta->first);
	nulls[JOURNAL_FIRST_EVENT_TIME - 1] = delta->first == PG_INT64_MAX;
	values[JOURNAL_LATE_EVENTS - 1] = Int64GetDatum(delta->late);
	set_text(values, nulls, JOURNAL_IDENTITY, delta->identity);
	values[JOURNAL_KINDS - 1] = Int32GetDatum(delta->kinds);
	nulls[JOURNAL_KINDS - 1] = delta->identity.s == NULL;
	set_text(values, nulls, JOURNAL_SERVICE, delta->service);
	set_text(values, nulls, JOURNAL_OPERATION, delta->operation);
	values[JOURNAL_FAILED - 1] = BoolGetDatum(delta->failed);
	nulls[JOURNAL_FAILED - 1] = delta->operation.s == NULL;

	/*
	 * one that moves the account alone can have days, too: the newest of what
	 * was refused
	 */
	nulls[JOURNAL_DAYS - 1] = delta->identity.s == NULL && delta->days.n == 0;
	if (!nulls[JOURNAL_DAYS - 1])
		values[JOURNAL_DAYS - 1] = PointerGetDatum(dayruns_to_dayset(&delta->days));
	values[JOURNAL_LEARNED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	return composite_make(desc, JOURNAL_COLUMNS, values, nulls);
}

Datum
deltas_array(const Deltas *deltas)
{
	Oid			type = internal_type("journal");
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Column		rows = column_make(type, deltas->count);

	for (int i = 0; i < deltas->count; i++)
		column_add(&rows, delta_row(deltas, &deltas->items[i], desc));
	ReleaseTupleDesc(desc);
	return column_array(&rows);
}
