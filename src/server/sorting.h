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
#include "utils/tuplesort.h"

/*
 * By the first columns of a row, ascending; none of a type that has a collation.
 * Options are those of tuplesort_begin_heap().
 */
extern Tuplesortstate *sorting_begin(TupleDesc desc, int columns, int options);

#endif							/* IAMWATCH_SORTING_H */
