/*-------------------------------------------------------------------------
 *
 * stored_keys.c
 *		What to look rows up by, and what is in a row that was found.
 *
 * Knows how the indexes hash names.  Must never look anything up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "baseline/stored_scan.h"
#include "server/slice.h"
#include "utils/fmgroids.h"

/* Columns of an index count from 1. */
void
scan_key_hash(ScanKey key, int column, Slice name)
{
	/* as hashtextextended(name, 0) */
	uint64		hash = slice_hash(name, 0);

	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) hash));
}

/* as hashtext(name), which is the lower half of the same */
void
scan_key_short_hash(ScanKey key, int column, Slice name)
{
	scan_key_id(key, column, (int32) (uint32) slice_hash(name, 0));
}

void
scan_key_id(ScanKey key, int column, int32 id)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
}

Datum
scan_column(TupleTableSlot *slot, int column, bool *isnull)
{
	return slot_getattr(slot, column, isnull);
}

/* For columns that are never null. */
Datum
scan_value(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		value = scan_column(slot, column, &isnull);

	Assert(!isnull);
	return value;
}

Slice
scan_text(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		datum = scan_column(slot, column, &isnull);

	return isnull ? SLICE_NONE : slice_of_text(datum);
}

bool
scan_text_is(TupleTableSlot *slot, int column, Slice name)
{
	return slice_equal(scan_text(slot, column), name);
}
