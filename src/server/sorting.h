/*-------------------------------------------------------------------------
 *
 * sorting.h
 *		Rows in order, on disk where work_mem does not hold them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SORTING_H
#define IAMWATCH_SORTING_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/tuplesort.h"

/*
 * By the first columns of a row, ascending; none of a type that has a collation.
 * Options are those of tuplesort_begin_heap().
 */
extern Tuplesortstate *sorting_begin(TupleDesc desc, int columns, int options);

/* The same with the slots for it, all of it in the current memory context. */
typedef struct SortedRows
{
	Tuplesortstate *sort;
	TupleTableSlot *added;
	TupleTableSlot *next;
} SortedRows;

extern void sorted_rows_begin(SortedRows *rows, const Oid *types, int columns, int order_columns, int options);
extern void sorted_rows_end(SortedRows *rows);

/* A row whose values are to be set, none of them null yet; then add it. */
extern TupleTableSlot *sorted_rows_blank(SortedRows *rows);
extern void sorted_rows_add(SortedRows *rows);

/* Once they are sorted: have the next one in its slot; false, and an empty slot, at the end. */
extern bool sorted_rows_fetch(SortedRows *rows);

#endif							/* IAMWATCH_SORTING_H */
