/*-------------------------------------------------------------------------
 *
 * table.h
 *		Rows of a small table of ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_TABLE_H
#define IAMWATCH_TABLE_H

#include "access/skey.h"
#include "server/slice.h"
#include "utils/relcache.h"

/* A row while it is being read; columns count from 0, dropped ones too. */
typedef struct TableRow
{
	Datum	   *values;
	bool	   *nulls;
} TableRow;

/*
 * Call load for each row, in the given memory context.  What the row points
 * to is gone after the call.  Rows are those committed by now, not those of
 * the transaction's snapshot: whoever changes one says so once only.
 */
extern void table_read(Oid relid, MemoryContext context, void (*load) (const TableRow *row));

/* A text that a column has to have; columns count as a row's. */
typedef struct TableKey
{
	int			column;
	Slice		value;
} TableKey;

#define MAX_TABLE_KEYS 4

/*
 * The same for the rows that have all the keys, by a unique index on columns
 * of these; without an index all are read.
 */
extern void table_look_up(Oid relid, Oid index, const TableKey *keys, int nkeys,
						  MemoryContext context, void (*load) (const TableRow *row));

/*
 * Lock all indexes of a table that is read by one of them, as a query would: or two
 * look-ups by one each could end in a deadlock with REINDEX, which does one after the
 * other.
 */
extern void table_lock_indexes(Relation table);

/*
 * Has the table no block, as its file tells?  The server's description of it,
 * which takes a session long to make, is not asked for.  False also where that
 * cannot be told so.
 */
extern bool table_is_empty(Oid namespace, const char *name);

/*
 * May a row have one of the keys, each of the first column of an index?  Looks at
 * the index alone, so a row that is dead counts, and one that anybody is about to
 * store.  True also where there is no such index.
 */
extern bool index_may_have(Oid namespace, const char *name, ScanKey keys, int count);

/* A text of the row; missing when it is null. */
static inline Slice
table_slice(const TableRow *row, int column)
{
	Assert(column >= 0);
	return row->nulls[column] ? SLICE_NONE : slice_of_text(row->values[column]);
}

#endif							/* IAMWATCH_TABLE_H */
