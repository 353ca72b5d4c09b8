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

/*
 * Do the tables say at a glance that there is nothing to do for the event, which
 * is no IAM operation?  The first events of a session are looked at so, before a
 * Recall is made or the settings are read; nothing is remembered.  The schema is
 * the one of the machinery.
 */
extern bool recall_knows_at_a_glance(Oid schema, const Event *event);

/* What was asked in one statement. */
typedef struct Recall Recall;

/* All of it lies in the context. */
extern Recall *recall_create(MemoryContext context);

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
