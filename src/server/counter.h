/*-------------------------------------------------------------------------
 *
 * counter.h
 *		Rows that count, which nobody waits for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_COUNTER_H
#define IAMWATCH_COUNTER_H

#include "access/skey.h"
#include "executor/tuptable.h"

typedef struct Counter
{
	Oid			table;
	Oid			index;
	int			nkeys;
	const ScanKeyData *keys;	/* of the index */
	int			ncolumns;		/* of the table, all of which a new row has */
	int			era;			/* the column, from 0, that is the last of the index */
	bool		only_existing;	/* count nothing where no row is free */
	bool		(*is_it) (TupleTableSlot *row, const void *what);
	/* the values of the row that is there, or those of a new one: all null */
	void		(*add) (Datum *values, bool *nulls, bool is_new, const void *what);
} Counter;

/*
 * Add to a row that the index leads to, that is the one and that nobody else
 * is writing; or insert one.  Whether it was inserted.
 */
extern bool counter_add(const Counter *counter, const void *what);

/* The era of the next version of a row that counts, given that of the last. */
extern int16 counter_next_era(int16 era);

#endif							/* IAMWATCH_COUNTER_H */
