/*-------------------------------------------------------------------------
 *
 * column.c
 *		Arrays that are built element by element, as arguments of statements.
 *
 * Must know of no event, table or statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "server/column.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

Column
column_make(Oid type, int capacity)
{
	Column		column;

	column.values = palloc(Max(1, capacity) * sizeof(Datum));
	column.nulls = palloc0(Max(1, capacity) * sizeof(bool));
	column.count = 0;
	column.capacity = capacity;
	column.type = type;
	return column;
}

void
column_add(Column *column, Datum value)
{
	Assert(column->count < column->capacity);
	column->nulls[column->count] = false;
	column->values[column->count++] = value;
}

void
column_add_null(Column *column)
{
	Assert(column->count < column->capacity);
	column->nulls[column->count] = true;
	column->values[column->count++] = (Datum) 0;
}

Datum
column_array(const Column *column)
{
	int16		length;
	bool		by_value;
	char		align;
	int			lower = 1;

	if (column->count == 0)
		return PointerGetDatum(construct_empty_array(column->type));
	get_typlenbyvalalign(column->type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1,
											  (int *) &column->count, &lower,
											  column->type, length, by_value, align));
}
