/*-------------------------------------------------------------------------
 *
 * lock.h
 *		Locks that are tried, never waited for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_LOCK_H
#define IAMWATCH_LOCK_H

/* What is locked.  Locks of other classes are taken by SQL alone; sql/baseline/locks.sql lists all. */
typedef enum LockClass
{
	LOCK_ACCOUNT = 1,			/* as iamwatch_internal.try_lock_account() does */
	LOCK_ALERTS = 2,			/* of a behaviour */
	LOCK_INCIDENTS = 5			/* of an identity */
} LockClass;

extern void lock_init(void);

/* Take a lock of a class by its key until the transaction ends, unless another session has it. */
extern bool lock_try(int32 class, int32 key);

/* The same for one of the many things that share a key, by its hash. */
extern bool lock_try_one(int32 class, int32 key, int64 hash);

/*
 * Let other sessions see how far this one has come, until it shows something
 * else: a phase from 1 on, and what is done of its parts; phase 0 shows nothing
 * any more.  iamwatch.backtest_progress has it.
 */
extern void lock_show_progress(Oid source, int phase, int done, int parts);

/* If anything is shown: how much is done of the part that comes next. */
extern void lock_show_part(int percent);

#endif							/* IAMWATCH_LOCK_H */
