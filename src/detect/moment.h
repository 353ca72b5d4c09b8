/*-------------------------------------------------------------------------
 *
 * moment.h
 *		Tells one snapshot from the next in the same session.
 *
 * For what a function remembers from one call to the next of a statement: it may
 * be called again with another snapshot, by a cursor or a prepared statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_MOMENT_H
#define IAMWATCH_MOMENT_H

#include "utils/snapmgr.h"

typedef struct Moment
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} Moment;

/* That of the active snapshot. */
static inline Moment
moment_now(void)
{
	Snapshot	snapshot = GetActiveSnapshot();

	return (Moment) {snapshot->xmin, snapshot->xmax, snapshot->xcnt, snapshot->subxcnt, snapshot->curcid};
}

static inline bool
moment_is_now(const Moment *moment)
{
	Moment		now = moment_now();

	return moment->xmin == now.xmin && moment->xmax == now.xmax && moment->xcnt == now.xcnt &&
		moment->subxcnt == now.subxcnt && moment->curcid == now.curcid;
}

#endif							/* IAMWATCH_MOMENT_H */
