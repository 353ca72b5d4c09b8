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
#include "server/owner.h"

typedef enum PlanId
{
	PLAN_PEERS,					/* what all identities of a class did */
	PLAN_LEARN_ACCOUNT,			/* write what is new of an account, or leave it in the journals */
	PLAN_LEARN,					/* the same of several accounts */
	PLAN_RAISE,					/* make alerts of what is unusual */
	PLAN_REJECT,				/* keep what was not understood */
	PLAN_COUNT_BATCH,			/* what became of the news of a source */
	PLAN_ADD_BATCH_COUNTS,		/* the same, in a row of its own */
	PLAN_KEEP_UNSENT,			/* alerts that nobody was notified of */
	PLAN_COUNT
} PlanId;

/* Of a batch, on the stack of who settles it. */
typedef struct PlansScope
{
	struct PlansScope *outer;	/* of the batch whose trigger stored this one */
	bool		as_owner;
	OwnerScope	owner;
} PlansScope;

/* Both between SPI_connect() and SPI_finish(). */
extern void plans_begin(PlansScope *scope);
extern void plans_end(PlansScope *scope);

/*
 * Run a statement as the owner; between the two above.  The result is in
 * SPI_tuptable.
 */
extern void plans_run(PlanId id, Datum *values, const char *nulls);

#endif							/* IAMWATCH_PLANS_H */
