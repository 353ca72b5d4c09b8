/*-------------------------------------------------------------------------
 *
 * batch_sort.h
 *		What of a batch does not fit in memory, in order of event time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_BATCH_SORT_H
#define IAMWATCH_BATCH_SORT_H

#include "detect/batch.h"

/* Is there anything of this transaction or savepoint? */
extern bool batch_sort_has_items(void);

/* Put items aside.  They are copied. */
extern void batch_sort_add(PackedItem *const *items, int count);

/*
 * Begin to read what was put aside in this transaction or savepoint.  It is no
 * longer there for others: a trigger on one of our tables may store events of
 * its own meanwhile.
 */
typedef struct BatchReader BatchReader;
extern BatchReader *batch_sort_read(void);

/*
 * The next items, of about so many bytes, in the current memory context; NULL
 * when there are no more, and the reader is gone.
 */
extern BatchItem *batch_sort_next(BatchReader *reader, Size bytes, int *count);

/* Forget what was put aside in savepoint subid or inside of it. */
extern void batch_sort_forget(SubTransactionId subid);

#endif							/* IAMWATCH_BATCH_SORT_H */
