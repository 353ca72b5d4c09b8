/*-------------------------------------------------------------------------
 *
 * day.h
 *		The day that a time is on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DAY_H
#define IAMWATCH_DAY_H

#include "datatype/timestamp.h"

/* In UTC, in days since 2000-01-01.  The time must be finite. */
static inline int32
day_of(TimestampTz time)
{
	return (int32) (time >= 0 ? time / USECS_PER_DAY :
					-((-(time + 1)) / USECS_PER_DAY) - 1);
}

#endif							/* IAMWATCH_DAY_H */
