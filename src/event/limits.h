/*-------------------------------------------------------------------------
 *
 * limits.h
 *		How long the strings in an event may be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_LIMITS_H
#define IAMWATCH_LIMITS_H

#include "event/event.h"

/*
 * Why an event that was read is rejected all the same, or NULL: one of the
 * names that baselines are kept by is longer than iamwatch.longest_name.
 */
extern const char *limits_exceeded(const Event *event);

/* Cut what is only shown, never compared with a baseline. */
extern void limits_cut_details(Event *event);

extern void limits_init(void);

#endif							/* IAMWATCH_LIMITS_H */
