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
 * Why a document, NULL for a null, does not enter, or NULL if it does: then its
 * key is read into the event.  The one place that decides it.
 */
extern const char *limits_refusal(Jsonb *document, Event *event);

/* The same of an event that could be read. */
extern const char *limits_exceeded(const Event *event);

/* Asks the clock only when a time lies ahead of what it said last. */
extern TimestampTz limits_believed_until;
extern bool limits_ask_clock(TimestampTz time);

/* Is the time so far ahead of the clock that the event is not believed? */
static inline bool
limits_in_future(TimestampTz time)
{
	return unlikely(time > limits_believed_until) && limits_ask_clock(time);
}

/* Cut what is only shown, never compared with a baseline. */
extern void limits_cut_details(Event *event);

#endif							/* IAMWATCH_LIMITS_H */
