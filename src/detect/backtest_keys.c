/*-------------------------------------------------------------------------
 *
 * backtest_keys.c
 *		The days of each baseline key of a source, in order of the keys.
 *
 * In that order the keys of a behaviour, the behaviours of an identity and the
 * identities of an account are next to each other, so whoever goes through them
 * needs to remember no more than the account and the identity that it is at.
 * They are sorted by the server, which has a disk for what work_mem does not
 * hold, and can be gone through several times.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "detect/backtest.h"
#include "server/sorting.h"

enum
{
	ROW_KEY,
	ROW_DAYS,
	ROW_FIRST,
	ROW_COLUMNS
};
#define ORDER_COLUMNS 1

struct SortedKeys
{
	SortedRows	rows;
	bool		is_sorted;
	TupleTableSlot *marked;		/* what was next when it was marked */
	int64		count;
	int64		done;			/* before the next */
	int64		marked_done;
	SortedKey	item;			/* what the next row says */
};

SortedKeys *
sorted_keys_begin(void)
{
	/* days are a dayset, whose bytes are all that matters here */
	static const Oid types[ROW_COLUMNS] = {BYTEAOID, BYTEAOID, INT8OID};
	SortedKeys *keys = palloc0(sizeof(SortedKeys));

	sorted_rows_begin(&keys->rows, types, ROW_COLUMNS, ORDER_COLUMNS, TUPLESORT_RANDOMACCESS);
	keys->marked = MakeSingleTupleTableSlot(keys->rows.next->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	return keys;
}

void
sorted_keys_add(SortedKeys *keys, Datum key, Datum days, TimestampTz first)
{
	TupleTableSlot *slot = sorted_rows_blank(&keys->rows);

	Assert(!keys->is_sorted);
	slot->tts_values[ROW_KEY] = key;
	slot->tts_values[ROW_DAYS] = days;
	slot->tts_values[ROW_FIRST] = Int64GetDatum(first);
	sorted_rows_add(&keys->rows);
	keys->count++;
}

int64
sorted_keys_count(const SortedKeys *keys)
{
	return keys->count;
}

int64
sorted_keys_done(const SortedKeys *keys)
{
	return keys->done;
}

static void
read_next(SortedKeys *keys)
{
	TupleTableSlot *slot = keys->rows.next;

	slot_getallattrs(slot);
	keys->item.key = slice_of_text(slot->tts_values[ROW_KEY]);
	keys->item.days = slot->tts_values[ROW_DAYS];
	keys->item.first = DatumGetInt64(slot->tts_values[ROW_FIRST]);
}

static void
fetch_next(SortedKeys *keys)
{
	if (sorted_rows_fetch(&keys->rows))
		read_next(keys);
}

void
sorted_keys_rewind(SortedKeys *keys)
{
	if (!keys->is_sorted)
		tuplesort_performsort(keys->rows.sort);
	keys->is_sorted = true;
	tuplesort_rescan(keys->rows.sort);
	keys->done = 0;
	fetch_next(keys);
}

const SortedKey *
sorted_keys_next(const SortedKeys *keys)
{
	return TupIsNull(keys->rows.next) ? NULL : &keys->item;
}

void
sorted_keys_advance(SortedKeys *keys)
{
	keys->done++;
	fetch_next(keys);
}

/* The sort is one row further than the next that was asked for. */
void
sorted_keys_mark(SortedKeys *keys)
{
	tuplesort_markpos(keys->rows.sort);
	ExecCopySlot(keys->marked, keys->rows.next);
	keys->marked_done = keys->done;
}

void
sorted_keys_restore(SortedKeys *keys)
{
	tuplesort_restorepos(keys->rows.sort);
	ExecCopySlot(keys->rows.next, keys->marked);
	keys->done = keys->marked_done;
	read_next(keys);
}

void
sorted_keys_end(SortedKeys *keys)
{
	ExecDropSingleTupleTableSlot(keys->marked);
	sorted_rows_end(&keys->rows);
}
