/*-------------------------------------------------------------------------
 *
 * sample.h
 *		Which events are in the sample of contexts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_SAMPLE_H
#define IAMWATCH_SAMPLE_H

#include "baseline/dayset.h"

/* May the first event of an identity on the day be in it? */
extern bool sample_is_day(int32 day);

/*
 * Is an event in it that brings the day of a behaviour, or of an identity?  The
 * days are those of the identity, NULL where they are not known yet.
 */
extern bool sample_has(bool brings_behaviour, bool brings_day, int32 day,
					   const DayRuns *identity_days);

/* Is the operation new to the identity?  The days are those of the behaviour. */
extern bool sample_is_novel(bool brings_behaviour, int32 day, const DayRuns *behaviour_days);

#endif							/* IAMWATCH_SAMPLE_H */
