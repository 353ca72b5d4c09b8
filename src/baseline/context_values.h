/*-------------------------------------------------------------------------
 *
 * context_values.h
 *		The contexts of an event.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_CONTEXT_VALUES_H
#define IAMWATCH_CONTEXT_VALUES_H

#include "event/event_row.h"

/* As iamwatch_internal.habits has them. */
#define HABIT_NETWORK		'n'
#define HABIT_USER_AGENT	'a'
#define HABIT_REGION		'r'
#define HABIT_KEY_NETWORK	'k'

#define MOST_CONTEXT_VALUES 4

/* Of each value, as of the key before it is joined with its network. */
#define MOST_CONTEXT_CHARACTERS 200

typedef struct ContextValue
{
	char		kind;
	Slice		value;
} ContextValue;

/* Those that the event has; how many.  The key may be missing. */
extern int	context_values(const EventColumns *event, Slice access_key,
						   ContextValue values[MOST_CONTEXT_VALUES]);

extern Slice context_cut(Slice text);

#endif							/* IAMWATCH_CONTEXT_VALUES_H */
