/*-------------------------------------------------------------------------
 *
 * peek.h
 *		Rows and index entries of our tables, without the server's description
 *		of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_PEEK_H
#define IAMWATCH_PEEK_H

#include "access/skey.h"
#include "executor/tuptable.h"
#include "server/compat.h"
#include "storage/block.h"
#if PG_VERSION_NUM >= 160000
#include "storage/relfilelocator.h"
#else
#include "storage/relfilenode.h"
#endif

/* The file of a table or an index, which nobody takes away while it is open. */
typedef struct PeekFile
{
	Oid			relid;
	FileLocator locator;
	bool		permanent;
} PeekFile;

/*
 * False where there is none that can be read so: a heap if the kind is
 * RELKIND_RELATION, a B-tree if it is RELKIND_INDEX.
 */
extern bool peek_open(Oid namespace, const char *name, char kind, PeekFile *file);
extern void peek_close(const PeekFile *file);

extern BlockNumber peek_size(const PeekFile *file);

/*
 * Calls take for each row of a page that the active snapshot sees, until it
 * returns true; whether it did.  The slot is of buffers, by the caller's
 * description.  Not for a serializable transaction, which has to note what it
 * reads.
 */
typedef bool (*PeekTake) (TupleTableSlot *slot, void *arg);

extern bool peek_page(const PeekFile *table, BlockNumber block, TupleTableSlot *slot,
					  PeekTake take, void *arg);

/*
 * On which pages are the rows, dead ones too, that the index has of these keys?
 * Keys are of its first columns, as ScanKeyInit() makes them with F_INT4EQ or
 * F_INT8EQ.  Returns how many pages there are, at most as many as asked for;
 * PEEK_UNSURE if it cannot be said.
 */
#define PEEK_UNSURE (-1)

extern int	peek_find(const PeekFile *index, ScanKey keys, int nkeys, BlockNumber *pages, int most);

#endif							/* IAMWATCH_PEEK_H */
