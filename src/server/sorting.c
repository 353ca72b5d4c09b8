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
