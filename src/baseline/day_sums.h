/*-------------------------------------------------------------------------
 *
 * day_sums.h
 *		How many days many sets have in a window, summed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_DAY_SUMS_H
#define IAMWATCH_DAY_SUMS_H

#include "baseline/dayset.h"

/* From a day on, up to the next step, so many of the sets have each day. */
typedef struct DayStep
{
	int32		day;
	int32		sets;			/* while sets are added: by how many more */
	int64		before;			/* summed over all days before it */
} DayStep;

/* In the memory context of its making. */
typedef struct DaySums
{
	int			n;
	int			capacity;
	DayStep    *steps;
	MemoryContext context;
} DaySums;

extern void day_sums_init(DaySums *sums);

/* Add the days of a set, those from one on. */
extern void day_sums_add(DaySums *sums, const DayRuns *set, int32 from);

/* After all were added, and before anything is asked. */
extern void day_sums_finish(DaySums *sums);

/* From one day to another, both included. */
extern int64 day_sums_between(const DaySums *sums, int32 from, int32 to);

#endif							/* IAMWATCH_DAY_SUMS_H */
