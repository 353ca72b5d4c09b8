/*-------------------------------------------------------------------------
 *
 * lock.c
 *		Locks that are tried, never waited for.
 *
 * They live beside the advisory locks, in a class of their own that no SQL
 * function reaches: a role with nothing but a connection must not be able to
 * hold one and so hold detection up.  A full lock table is no reason for an
 * ingest to fail either: it counts as taken.  It would be a reason for all
 * other statements of the server to fail, so one transaction takes at most half
 * of what the table has room for.  Must never wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "server/compat.h"
#include "server/lock.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/memutils.h"

/* field4 of the tag; pg_advisory_lock() uses 1 and 2. */
#define IAMWATCH_LOCK_CLASS 8740

PG_FUNCTION_INFO_V1(iamwatch_try_lock);

/* What this transaction took; a savepoint may have given some of it back. */
typedef struct Taken
{
	LOCKTAG		tag;
	LOCKMODE	mode;
} Taken;

static Taken *taken;
static int	taken_count;
static int	taken_room;
static LocalTransactionId taken_by = InvalidLocalTransactionId;

static bool
may_take_another(void)
{
	int64		most = (int64) max_locks_per_xact * (MaxBackends + max_prepared_xacts) / 2;
	int			count = 0;

	if (taken_by != my_local_xid())
		taken_count = 0;
	taken_by = my_local_xid();
	if (taken_count < most)
		return true;
	for (int i = 0; i < taken_count; i++)
		if (lock_is_mine(&taken[i].tag, taken[i].mode))
			taken[count++] = taken[i];
	taken_count = count;
	return taken_count < most;
}

static LockAcquireResult
take(const LOCKTAG *tag, LOCKMODE mode)
{
	LockAcquireResult result;

	if (!lock_is_mine(tag, mode) && !may_take_another())
		return LOCKACQUIRE_NOT_AVAIL;
	if (taken_count == taken_room)
	{
		int			room = Max(64, 2 * taken_room);

		taken = taken == NULL ? MemoryContextAlloc(TopMemoryContext, room * sizeof(Taken)) :
			repalloc(taken, room * sizeof(Taken));
		taken_room = room;
	}
	result = try_lock_acquire(tag, mode);
	Assert(result == LOCKACQUIRE_NOT_AVAIL || lock_is_mine(tag, mode));
	if (result == LOCKACQUIRE_OK)
		taken[taken_count++] = (Taken) {*tag, mode};
	return result;
}

bool
lock_try(int32 class, int32 key)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) class, (uint32) key, IAMWATCH_LOCK_CLASS);
	return take(&tag, ExclusiveLock) != LOCKACQUIRE_NOT_AVAIL;
}

/* try_lock(class int, key int) RETURNS boolean: until the transaction ends */
Datum
iamwatch_try_lock(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(lock_try(PG_GETARG_INT32(0), PG_GETARG_INT32(1)));
}

/*
 * One of the many things that share a key.  Sessions that want different ones
 * share the key, and each holds its own by its hash, so that they do not meet:
 * the parts of one COPY into a distributed table run in as many sessions, and
 * what they could not lock would wait until somebody comes by.  A transaction
 * that has many takes whole keys from there on, of which there are few: the
 * server's table of locks has room for what it asks.
 */
#define IAMWATCH_ONE_CLASS 8742
#define MOST_ONES 256

static int	ones_locked = 0;	/* in this transaction, at most */

PG_FUNCTION_INFO_V1(iamwatch_try_lock_one);

bool
lock_try_one(int32 class, int32 key, int64 hash)
{
	LOCKTAG		all;
	LOCKTAG		tag;
	uint64		one = (uint64) hash + class;

	SET_LOCKTAG_ADVISORY(all, MyDatabaseId, (uint32) class, (uint32) key, IAMWATCH_LOCK_CLASS);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (one >> 32), (uint32) one, IAMWATCH_ONE_CLASS);
	if (lock_is_mine(&all, ExclusiveLock))
		return true;
	if (ones_locked >= MOST_ONES && !lock_is_mine(&tag, ExclusiveLock))
		return take(&all, ExclusiveLock) != LOCKACQUIRE_NOT_AVAIL;
	if (take(&all, ShareLock) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	switch (take(&tag, ExclusiveLock))
	{
		case LOCKACQUIRE_NOT_AVAIL:
			LockRelease(&all, ShareLock, false);
			return false;
		case LOCKACQUIRE_OK:
			ones_locked++;
			break;
		default:				/* it was ours before */
			break;
	}
	return true;
}

/* try_lock(class int, key int, one bigint) RETURNS boolean: until the transaction ends */
Datum
iamwatch_try_lock_one(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(lock_try_one(PG_GETARG_INT32(0), PG_GETARG_INT32(1), PG_GETARG_INT64(2)));
}

/*
 * For a procedure that commits in steps: one lock of the session, by class and
 * key, in tags apart from the ones above.  It does not outlive an error, which
 * would be the end of the procedure: neither one that ends the transaction nor
 * one that ends the subtransaction in which the procedure began, as it does
 * when a client sets a savepoint before each command.
 */
#define IAMWATCH_SESSION_CLASS 8741

static LOCKTAG session_lock;
static bool session_locked = false;

/* Where it was taken; none once that transaction has committed. */
static SubTransactionId session_lock_subid = InvalidSubTransactionId;

PG_FUNCTION_INFO_V1(iamwatch_try_session_lock);
PG_FUNCTION_INFO_V1(iamwatch_session_unlock);
PG_FUNCTION_INFO_V1(iamwatch_session_lock_held);

static void
session_tag(LOCKTAG *tag, FunctionCallInfo fcinfo)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) PG_GETARG_INT32(0),
						 (uint32) PG_GETARG_INT64(1), IAMWATCH_SESSION_CLASS);
}

static void
release_session_lock(void)
{
	if (session_locked)
		LockRelease(&session_lock, ExclusiveLock, true);
	session_locked = false;
	session_lock_subid = InvalidSubTransactionId;
}

/*
 * How far a call has come that writes nothing and does not commit: others see
 * no row of it, but they see its locks.  So it holds one that says so, in tags
 * of a class that nobody else takes, and changes it as it goes on.  Key 1 is
 * the relation; key 2 has, from the highest bit on, the phase in three bits,
 * how much of the present part is done in seven, what parts are done in eleven,
 * and how many there are in eleven.  A full table of locks is no reason to fail.
 */
#define IAMWATCH_PROGRESS_CLASS 8743
#define MOST_PARTS 0x7ff

typedef struct Progress
{
	Oid			source;
	int			phase;
	int			percent;
	int			done;
	int			parts;
} Progress;

static LOCKTAG progress_tag;
static Progress progress;
static bool progress_shown = false;
static SubTransactionId progress_subid = InvalidSubTransactionId;

static void
hide_progress(void)
{
	if (progress_shown)
		LockRelease(&progress_tag, ShareLock, true);
	progress_shown = false;
}

static void
show_progress(const Progress *shown)
{
	LOCKTAG		tag;

	hide_progress();
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, shown->source,
						 (uint32) shown->phase << 29 | (uint32) shown->percent << 22 |
						 (uint32) shown->done << 11 | (uint32) shown->parts, IAMWATCH_PROGRESS_CLASS);
	if (try_session_lock_acquire(&tag, ShareLock) != LOCKACQUIRE_OK)
		return;
	progress_tag = tag;
	progress_shown = true;
	progress_subid = GetCurrentSubTransactionId();
}

void
lock_show_progress(Oid source, int phase, int done, int parts)
{
	Assert(phase >= 0 && phase < 8);
	progress = (Progress) {source, phase, 0, Min(Max(done, 0), MOST_PARTS), Min(Max(parts, 0), MOST_PARTS)};
	if (phase == 0)
		hide_progress();
	else
		show_progress(&progress);
}

void
lock_show_part(int percent)
{
	Assert(percent >= 0 && percent <= 100);
	if (!progress_shown || percent == progress.percent)
		return;
	progress.percent = percent;
	show_progress(&progress);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		hide_progress();

	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		ones_locked = 0;
	if (event == XACT_EVENT_ABORT)
		release_session_lock();
	else if (event == XACT_EVENT_COMMIT)
		session_lock_subid = InvalidSubTransactionId;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	/* ids only grow: everything from subid on was inside of it */
	if (event == SUBXACT_EVENT_ABORT_SUB && session_lock_subid >= subid)
		release_session_lock();
	if (event == SUBXACT_EVENT_ABORT_SUB && progress_subid >= subid)
		hide_progress();
}

void
lock_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

Datum
iamwatch_try_session_lock(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag;

	session_tag(&tag, fcinfo);
	if (session_locked ||
		LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		PG_RETURN_BOOL(false);
	Assert(IsTransactionState());
	session_lock = tag;
	session_locked = true;
	session_lock_subid = GetCurrentSubTransactionId();
	PG_RETURN_BOOL(true);
}

Datum
iamwatch_session_unlock(PG_FUNCTION_ARGS)
{
	release_session_lock();
	PG_RETURN_VOID();
}

/*
 * Not GetLockConflicts(), which leaves out who is between two transactions, as
 * a procedure that commits is again and again.
 */
Datum
iamwatch_session_lock_held(PG_FUNCTION_ARGS)
{
	LockData   *locks = GetLockStatusData();
	LOCKTAG		tag;

	session_tag(&tag, fcinfo);
	for (int i = 0; i < locks->nelements; i++)
		if (locks->locks[i].holdMask != 0 &&
			memcmp(&locks->locks[i].locktag, &tag, sizeof(tag)) == 0)
			PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(false);
}
