/*-------------------------------------------------------------------------
 *
 * plans.h
 *		The statements that the C code runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_PLANS_H
#define IAMWATCH_PLANS_H

#include "executor/spi.h"

typedef enum PlanId
{
	PLAN_PEERS,					/* what all identities of a class did */
	PLAN_LEARN,					/* write what is new, or leave it in the journal */
	PLAN_LEARN_CONTEXT,			/* the same for the sample of contexts */
	PLAN_RAISE,					/* make alerts of what is unusual */
	PLAN_REJECT,				/* keep what was not understood */
	PLAN_COUNT_NEWS,			/* what became of the news of a source */
	PLAN_ADD_NEWS_COUNTS,		/* the same, in a row of its own */
	PLAN_QUEUE_SETTLE,			/* for plans_queue_settle() alone */
	PLAN_COUNT
} PlanId;

/*
 * Run a statement; must be between SPI_connect() and SPI_finish() and as the
 * owner.  The result is in SPI_tuptable.
 */
extern void plans_run(PlanId id, Datum *values, const char *nulls);

/* Has iamwatch.settle() fire at the end of the outer statement. */
extern void plans_queue_settle(void);

#endif							/* IAMWATCH_PLANS_H */
