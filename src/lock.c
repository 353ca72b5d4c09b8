/*-------------------------------------------------------------------------
 *
 * lock.c
 *		Locks that are tried, never waited for.
 *
 * They live beside the advisory locks, in a class of their own that no SQL
 * function reaches: a role with nothing but a connection must not be able to
 * hold one and so hold detection up.  A full lock table is no reason for an
 * ingest to fail either: it counts as taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* field4 of the tag; pg_advisory_lock() uses 1 and 2. */
#define IAMWATCH_LOCK_CLASS 8740

PG_FUNCTION_INFO_V1(iamwatch_try_lock);

/* try_lock(class int, key int) RETURNS boolean: until the transaction ends */
Datum
iamwatch_try_lock(PG_FUNCTION_ARGS)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) PG_GETARG_INT32(0),
						 (uint32) PG_GETARG_INT32(1), IAMWATCH_LOCK_CLASS);
	PG_RETURN_BOOL(try_lock_acquire(&tag, ExclusiveLock) != LOCKACQUIRE_NOT_AVAIL);
}
