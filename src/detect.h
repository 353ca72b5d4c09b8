/*-------------------------------------------------------------------------
 *
 * detect.h
 *		Compares a batch of events with the baselines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DETECT_H
#define IAMWATCH_DETECT_H

/*
 * Learn from the collected batch, raise alerts for what is unusual in it, and
 * clear it.  To be called as the owner.
 */
extern void detect_batch(void);

#endif							/* IAMWATCH_DETECT_H */
