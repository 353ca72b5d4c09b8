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
	PLAN_REJECT,				/* keep what was not understood */
	PLAN_KEEP_UNSENT,			/* alerts that nobody was notified of */
	PLAN_COUNT
} PlanId;

typedef enum CallId
{
	CALL_TAKE_JOURNAL,			/* all that it has of an account, which is deleted */
	CALL_ADD_ACCOUNT,			/* a row for an account that is new */
	CALL_WITHIN_LIMITS,			/* what limits leave of what is new of an account */
	CALL_RETALLY,				/* count the tallies of an account anew */
	CALL_WITH_SAMPLES,			/* take what waits of the sample of contexts */
	CALL_LEAVE_TO_NEXT,			/* leave what is new of an account in the journals */
	CALL_ASSIGN_TO_ALERTS,		/* make alerts of what is unusual */
	CALL_KEEP_INCIDENTS,		/* bring the incidents of alerts up to date */
	CALL_KEEP_LINKS,			/* ... and the links of those whose writers have ended */
	CALL_COUNT
} CallId;

/* Of a batch, on the stack of who processes it. */
typedef struct PlansScope
{
	bool		as_owner;
	OwnerScope	owner;
} PlansScope;

/* Both between SPI_connect() and SPI_finish(). */
extern void plans_begin(PlansScope *scope);
extern void plans_end(PlansScope *scope);

extern void plans_init(void);

/* Become the owner, as the two below do, for what is written without a statement. */
extern void plans_become_owner(void);

/*
 * Run a statement as the owner; between the two above.  The result is in
 * SPI_tuptable.
 */
extern void plans_run(PlanId id, Datum *values, const char *nulls);

/* Call a function as the owner; no argument is null.  isnull is for those that return something. */
extern Datum plans_call(CallId id, Datum *values, bool *isnull);

#endif							/* IAMWATCH_PLANS_H */
