/*-------------------------------------------------------------------------
 *
 * settled.h
 *		From which day on the days of an identity count for its peers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SETTLED_H
#define IAMWATCH_SETTLED_H

#include "baseline/dayset.h"

/* Days that no identity has: it never settles. */
#define NEVER_SETTLED	PG_INT32_MAX

/*
 * The day from which on the days of an identity count for its peers, given its
 * first days ever, of which further days may follow.
 */
extern int32 settled_from(const DayRuns *first_days);

/*
 * Has an identity with these first days so few days before one that every day
 * of its peers counts?
 */
extern bool is_newcomer(const DayRuns *first_days, int32 day);

#endif							/* IAMWATCH_SETTLED_H */
