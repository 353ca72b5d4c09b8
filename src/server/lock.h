/*-------------------------------------------------------------------------
 *
 * lock.h
 *		Locks that are tried, never waited for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_LOCK_H
#define IAMWATCH_LOCK_H

extern void lock_init(void);

/* Take a lock of a class by its key until the transaction ends, unless another session has it. */
extern bool lock_try(int32 class, int32 key);

#endif							/* IAMWATCH_LOCK_H */
