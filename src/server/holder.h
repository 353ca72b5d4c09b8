/*-------------------------------------------------------------------------
 *
 * holder.h
 *		Who holds a lock that could not be taken, and whether still.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_HOLDER_H
#define IAMWATCH_HOLDER_H

#include "storage/lock.h"
#include "utils/snapshot.h"

/* A transaction with its savepoints, of which the server remembers 64 at hand. */
#define MOST_HOLDER_XIDS 65

typedef struct Holder
{
	int			count;			/* 0 if nobody is known to hold it */
	int64		xids[MOST_HOLDER_XIDS]; /* with epoch */
} Holder;

/* Of a holder that the server's table of locks told. */
extern void holder_read(VirtualTransactionId id, Holder *holder);

/*
 * Has it held the lock without a break since it was read, as a snapshot taken
 * after that sees it?  False at the least doubt.
 */
extern bool holder_holds(const Holder *holder, Snapshot snapshot);

/* A number of a transaction that does not come around. */
extern int64 full_xid(TransactionId xid);

#endif							/* IAMWATCH_HOLDER_H */
