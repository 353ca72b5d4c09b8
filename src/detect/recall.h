/*-------------------------------------------------------------------------
 *
 * recall.h
 *		What the tables know of an event, and this backend does not yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IAMWATCH_RECALL_H
#define IAMWATCH_RECALL_H

#include "config/catalogue.h"
#include "event/event.h"

/* What was asked in one statement. */
typedef struct Recall Recall;

/* All of it lies in the context.  The schema is that of the machinery. */
extern Recall *recall_create(MemoryContext context, Oid schema);

/*
 * Do the tables say that there is nothing to do for the event?  Then it is
 * remembered.  False also where they are not asked.  The event is within its
 * limits, and the operation what catalogue_get() says, or NULL where
 * catalogue_lacks() says that it is none.
 */
extern bool recall_knows(Recall *recall, const Event *event, const Operation *operation);

/*
 * Do they say so whether the operation is in the catalogue or not, and whatever
 * the settings are?  For a session that has read neither; nothing is remembered.
 */
extern bool recall_knows_in_any_case(Recall *recall, const Event *event);

#endif							/* IAMWATCH_RECALL_H */
