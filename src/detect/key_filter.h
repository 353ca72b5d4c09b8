/*-------------------------------------------------------------------------
 *
 * key_filter.h
 *		Which keys are wanted, in few bytes, with some others that are not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_KEY_FILTER_H
#define IAMWATCH_KEY_FILTER_H

#include "server/slice.h"

/* For up to so many behaviours; in a bounded number of bytes all the same. */
extern bytea *key_filter_create(int64 behaviours);

/* Let all keys of a behaviour pass, given what baseline_key_behaviour() says. */
extern void key_filter_add(bytea *filter, Slice behaviour);

#endif							/* IAMWATCH_KEY_FILTER_H */
