/*-------------------------------------------------------------------------
 *
 * sorting.c
 *		Rows in order, on disk where work_mem does not hold them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "server/sorting.h"
#include "utils/typcache.h"

Tuplesortstate *
sorting_begin(TupleDesc desc, int columns, int options)
{
	AttrNumber *numbers = palloc(columns * sizeof(AttrNumber));
	Oid		   *operators = palloc(columns * sizeof(Oid));
	Oid		   *collations = palloc0(columns * sizeof(Oid));
	bool	   *nulls_first = palloc0(columns * sizeof(bool));

	for (int i = 0; i < columns; i++)
	{
		numbers[i] = i + 1;
		operators[i] = lookup_type_cache(TupleDescAttr(desc, i)->atttypid, TYPECACHE_LT_OPR)->lt_opr;
	}
	return tuplesort_begin_heap(desc, columns, numbers, operators, collations, nulls_first,
								work_mem, NULL, options);
}

void
sorted_rows_begin(SortedRows *rows, const Oid *types, int columns, int order_columns, int options)
{
	TupleDesc	desc = CreateTemplateTupleDesc(columns);

	for (int i = 0; i < columns; i++)
		TupleDescInitEntry(desc, i + 1, "", types[i], -1, 0);
	rows->sort = sorting_begin(desc, order_columns, options);
	rows->added = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	rows->next = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

void
sorted_rows_end(SortedRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->added);
	ExecDropSingleTupleTableSlot(rows->next);
	tuplesort_end(rows->sort);
}

TupleTableSlot *
sorted_rows_blank(SortedRows *rows)
{
	ExecClearTuple(rows->added);
	memset(rows->added->tts_isnull, false, rows->added->tts_tupleDescriptor->natts * sizeof(bool));
	return rows->added;
}

void
sorted_rows_add(SortedRows *rows)
{
	ExecStoreVirtualTuple(rows->added);
	tuplesort_puttupleslot(rows->sort, rows->added);
}

bool
sorted_rows_fetch(SortedRows *rows)
{
	CHECK_FOR_INTERRUPTS();
	if (!tuplesort_gettupleslot(rows->sort, true, false, rows->next, NULL))
		return false;
	slot_getallattrs(rows->next);
	return true;
}
