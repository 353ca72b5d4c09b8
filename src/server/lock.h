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

#endif							/* IAMWATCH_LOCK_H */
