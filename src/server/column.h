/*-------------------------------------------------------------------------
 *
 * column.h
 *		Arrays that are built element by element, as arguments of statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_COLUMN_H
#define IAMWATCH_COLUMN_H

typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			capacity;
	Oid			type;			/* of an element */
} Column;

/* For so many elements at most, in the current memory context. */
extern Column column_make(Oid type, int capacity);

extern void column_add(Column *column, Datum value);
extern void column_add_null(Column *column);

/* What was added, as an array; empty if nothing was. */
extern Datum column_array(const Column *column);

#endif							/* IAMWATCH_COLUMN_H */
