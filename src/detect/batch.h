/*-------------------------------------------------------------------------
 *
 * batch.h
 *		The events of one statement that may be new, kept until its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BATCH_H
#define IAMWATCH_BATCH_H

#include "access/xact.h"
#include "event/event.h"

typedef struct BatchItem
{
	Event		event;			/* points into the document, if there is one */
	Jsonb	   *document;		/* NULL if it was, or is no IAM operation */
	const char *reason;			/* why it is rejected; NULL if it is not */
	Oid			source;			/* the table it was stored in */
	SubTransactionId subid;
	int64		repeats;		/* further events that only say the same again */
} BatchItem;

/*
 * Add a document; what matters of it is copied.  Returns false when it turned
 * out to teach nothing after all.  Leaves garbage in the current memory
 * context, which should be that of a row.
 */
extern bool batch_add(Oid source, Datum document, bool isnull);

/* Read the event of the item from its document, all of it. */
extern void batch_read_document(BatchItem *item);

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
