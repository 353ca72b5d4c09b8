/*-------------------------------------------------------------------------
 *
 * composite.c
 *		Rows as values, of types that may have more columns than we know of.
 *
 * Somebody may have added columns to a table of ours, whose rows these are; and
 * sessions that have an older library loaded go on while an upgrade adds some.
 * What comes after the columns that we know is not ours to write or read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "server/composite.h"
#include "utils/typcache.h"

static void
check_columns(TupleDesc desc, int count)
{
	if (desc->natts < count)
		elog(ERROR, "a row has %d columns, not %d", desc->natts, count);
}

Datum
composite_make(TupleDesc desc, int count, const Datum *values, const bool *nulls)
{
	Datum	   *all_values;
	bool	   *all_nulls;

	if (desc->natts == count)
		return HeapTupleGetDatum(heap_form_tuple(desc, (Datum *) values, (bool *) nulls));
	check_columns(desc, count);
	all_values = palloc0(desc->natts * sizeof(Datum));
	all_nulls = palloc(desc->natts * sizeof(bool));
	memset(all_nulls, true, desc->natts * sizeof(bool));
	memcpy(all_values, values, count * sizeof(Datum));
	memcpy(all_nulls, nulls, count * sizeof(bool));
	return HeapTupleGetDatum(heap_form_tuple(desc, all_values, all_nulls));
}

void
composite_read(HeapTupleHeader row, int count, Datum *values, bool *nulls)
{
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));

	if (desc->natts == count)
		heap_deform_tuple(&tuple, desc, values, nulls);
	else
	{
		check_columns(desc, count);
		for (int i = 0; i < count; i++)
			values[i] = heap_getattr(&tuple, i + 1, desc, &nulls[i]);
	}
	ReleaseTupleDesc(desc);
}
