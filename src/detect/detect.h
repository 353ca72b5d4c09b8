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
 * Take the batch that was collected, learn from it, and raise alerts for what
 * is unusual in it.
 */
extern void detect_batch(void);

#endif							/* IAMWATCH_DETECT_H */
