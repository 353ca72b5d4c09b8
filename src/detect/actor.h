/*-------------------------------------------------------------------------
 *
 * actor.h
 *		One name for all spellings of a user or role.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_ACTOR_H
#define IAMWATCH_ACTOR_H

#include "server/slice.h"

/* Who acts as an identity; in the current memory context. */
extern Slice actor_of(Slice provider, Slice identity);

/* The actor that an operation made, or gave credentials to. */
extern Slice actor_handed(Slice provider, Slice account, Slice operation, Slice target);

#endif							/* IAMWATCH_ACTOR_H */
