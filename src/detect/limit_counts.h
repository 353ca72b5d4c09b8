/*-------------------------------------------------------------------------
 *
 * limit_counts.h
 *		Counts toward the limits of limits.sql.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_LIMIT_COUNTS_H
#define IAMWATCH_LIMIT_COUNTS_H

#include "event/event.h"

/* From so many on, of a day, a count may be near a limit: none is lower unless somebody lowered it. */
#define LARGE_COUNT 10000

/* How limits name the account of an event. */
extern text *limit_scope(const Event *event);

/*
 * Count what was taken, and what was refused, of a day toward a limit; whether
 * that needed a counter of its own.  Less than nothing is taken back from a
 * counter that has so much, if there is one.  Never waits.
 */
extern bool limit_count(text *name, text *scope, int32 day, int64 taken, int64 refused);

#endif							/* IAMWATCH_LIMIT_COUNTS_H */
