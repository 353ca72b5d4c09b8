/*-------------------------------------------------------------------------
 *
 * seen.h
 *		Which identities and days some events have, so that further ones of
 *		the same need not be kept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SEEN_H
#define IAMWATCH_SEEN_H

#include "event/event.h"

typedef struct Seen Seen;

/* What all of it needs is in the context, and goes with it. */
extern Seen *seen_create(MemoryContext context);

/*
 * Note the event, which can be read.  If all that it says was seen, the result
 * is the number that was given to the event of which it is a repetition; else
 * -1, and later repetitions have the number given here.  An IAM operation is
 * never a repetition.
 */
extern int	seen_repeats(Seen *seen, const Event *event, bool is_operation, int number);

/* The number of the event of which this would be a repetition; -1 if of none. */
extern int	seen_number(Seen *seen, const Event *event);

/* How many identities, days and accounts are noted. */
extern uint32 seen_size(const Seen *seen);

extern void seen_destroy(Seen *seen);

#endif							/* IAMWATCH_SEEN_H */
