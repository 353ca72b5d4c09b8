/*-------------------------------------------------------------------------
 *
 * holder.c
 *		Who holds a lock that could not be taken, and whether still.
 *
 * What only the holder of a lock may change stays as it is while the holder's
 * transaction is under way, for everybody but itself.  A savepoint that is
 * rolled back lets go of a lock that was taken after it, though, and the
 * transaction goes on.  So a holder is its transaction with all savepoints that
 * it had: when one of them has ended otherwise than well, nothing is said any
 * more.  lock.c gives a savepoint its number before it takes a lock.
 *
 * Must never wait, nor end anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "server/compat.h"
#include "server/holder.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/snapmgr.h"

int64
full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	int64		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return epoch << 32 | xid;
}

/* A prepared transaction has no savepoints that could be rolled back any more. */
static TransactionId
read_prepared(VirtualTransactionId id)
{
	bool		more;
	TransactionId xid;

	if (VirtualTransactionIdIsRecoveredPreparedXact(id))
		return id.localTransactionId;
	xid = TwoPhaseGetXidByVirtualXID(id, &more);
	return more ? InvalidTransactionId : xid;
}

/* How many there are; none if it has ended, has written nothing, or has too many. */
static int
read_running(VirtualTransactionId id, TransactionId *xids)
{
	PGPROC	   *proc = process_of(id);
	int			count = 0;

	if (proc == NULL)
		return 0;
	/* under it numbers are given back, and savepoints that end badly leave the list */
	LWLockAcquire(ProcArrayLock, LW_SHARED);
	if (process_local_xid(proc) == id.localTransactionId && TransactionIdIsValid(proc->xid) &&
		!proc->subxidStatus.overflowed)
	{
		count = proc->subxidStatus.count;
		pg_read_barrier();		/* a number is there before it is counted */
		memcpy(xids, proc->subxids.xids, count * sizeof(TransactionId));
		xids[count++] = proc->xid;
	}
	LWLockRelease(ProcArrayLock);
	return count;
}

void
holder_read(VirtualTransactionId id, Holder *holder)
{
	TransactionId xids[MOST_HOLDER_XIDS];

	StaticAssertStmt(MOST_HOLDER_XIDS > PGPROC_MAX_CACHED_SUBXIDS, "the transaction is one, too");
	holder->count = VirtualTransactionIdIsRecoveredPreparedXact(id) ? 0 : read_running(id, xids);
	if (holder->count == 0)
	{
		xids[0] = read_prepared(id);
		holder->count = TransactionIdIsValid(xids[0]) ? 1 : 0;
	}
	for (int i = 0; i < holder->count; i++)
		holder->xids[i] = full_xid(xids[i]);
}

bool
holder_holds(const Holder *holder, Snapshot snapshot)
{
	int64		oldest = full_xid(snapshot->xmin);

	for (int i = 0; i < holder->count; i++)
	{
		TransactionId xid = (TransactionId) holder->xids[i];

		if (holder->xids[i] < oldest || TransactionIdIsCurrentTransactionId(xid) ||
			!XidInMVCCSnapshot(xid, snapshot) || TransactionIdDidAbort(xid))
			return false;
	}
	return holder->count > 0;
}
