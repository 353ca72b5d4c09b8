/*-------------------------------------------------------------------------
 *
 * batch.h
 *		The events of one statement that may be new, kept until its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BATCH_H
#define IAMWATCH_BATCH_H

#include "detect/batch_item.h"

/*
 * Add a document; what matters of it is copied.  Returns false when it turned
 * out to teach nothing after all.  Leaves garbage in the current memory
 * context, which should be that of a row.
 */
extern bool batch_add(Oid source, Datum document, bool isnull);

/*
 * Take out what was collected in this transaction or savepoint, in order of
 * event time, rejected documents last: piece by piece, each of about the size
 * that memory.h allows.  A piece lies in the current memory context, or in
 * one that was made its child.  NULL when there is no more.
 */
typedef struct BatchPieces
{
	bool		begun;
	struct BatchReader *reader; /* NULL while all of it is in memory */
} BatchPieces;

extern BatchItem *batch_next_piece(BatchPieces *pieces, int *count);

extern void batch_init(void);

#endif							/* IAMWATCH_BATCH_H */
