/*-------------------------------------------------------------------------
 *
 * status.h
 *		What this backend has done, for people who look.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_STATUS_H
#define IAMWATCH_STATUS_H

#include "detect/batch.h"

/* Events that the trigger's WHEN was asked about; those that teach nothing. */
typedef struct CacheCounts
{
	uint64		asked;
	uint64		known;
} CacheCounts;

extern CacheCounts cache_counts;

/* What became of an event of the batch. */
typedef enum Outcome
{
	OUTCOME_NOTHING,			/* it taught nothing after all */
	OUTCOME_LEARNED,
	OUTCOME_LATE,
	OUTCOME_REJECTED
} Outcome;

typedef struct SourceCounts SourceCounts;

/*
 * Count what became of the events of a batch, by source, and write it down;
 * nothing is written when nothing was learned, late or rejected.  Between
 * SPI_connect() and SPI_finish(), as the owner.
 */
extern SourceCounts *status_begin(void);
extern void status_count(SourceCounts *counts, const BatchItem *what, Outcome outcome);
extern void status_write(const SourceCounts *counts);

#endif							/* IAMWATCH_STATUS_H */
