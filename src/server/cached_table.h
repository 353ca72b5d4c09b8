/*-------------------------------------------------------------------------
 *
 * cached_table.h
 *		A small table of ours of which this backend keeps a copy.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CACHED_TABLE_H
#define IAMWATCH_CACHED_TABLE_H

#include "server/slice.h"
#include "utils/palloc.h"

typedef enum CopyState
{
	COPY_STALE,
	COPY_BEING_MADE,
	COPY_GOOD
} CopyState;

/* Static, one for each table, with the first fields given; the rest is ours. */
typedef struct CachedTable
{
	const char *name;
	const char *index;			/* by which rows are looked up, or NULL */
	bool		internal;		/* in the schema of the machinery */
	bool		optional;		/* to read documents must work without it */
	void		(*forgotten) (void);	/* told when the copy goes; safe in a callback */

	Oid			relid;
	Oid			index_relid;
	MemoryContext context;		/* of the copy */
	CopyState	state;
	struct CachedTable *next;
} CachedTable;

/* Is the copy whole, and the table unchanged since? */
static inline bool
cached_table_is_good(const CachedTable *table)
{
	return table->state == COPY_GOOD;
}

/*
 * Begin a copy: finds the table and empties the context.  Returns false if the
 * table is not there, which only an optional one may be; the copy then is empty.
 */
extern bool cached_table_begin(CachedTable *table);

/*
 * The copy is whole.  If the table was changed while it was read, the copy
 * serves whoever has just asked for it, and is stale for the next.
 */
extern void cached_table_end(CachedTable *table);

/* A relation changed, or any may have (InvalidOid).  Safe in a callback. */
extern void cached_tables_forget(Oid relid);

#endif							/* IAMWATCH_CACHED_TABLE_H */
